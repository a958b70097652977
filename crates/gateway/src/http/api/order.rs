//! Orders: every `POST` has an `Idempotency-Key` and a JSON body, and is settled by the ledger as a platform's message
//! is: the same key and content have the same answer for ever, other content is refused.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::response::Response;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use utoipa::IntoParams;

use baoqiao_channels::channel::{CallResult, Label, Reply};
use baoqiao_channels::origin::Origin;
use baoqiao_domain::idempotency::IdempotencyKey;
use baoqiao_domain::ledger::{Command, Outcome};
use baoqiao_domain::refusal::{FieldProblem, Refusal};

use super::misreading::misread;
use super::parameters;
use super::problem::{Problem, respond, unavailable};
use super::{Api, BASE};
use crate::ledger::store::{Arrival, Verdict};
use crate::ledger::{Asked, Submission};
use crate::statistics::Ending;
use crate::vault::Purpose;

/// The header of the key.
pub(super) const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The same, as it is described.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it is there to be described")]
pub(super) struct OrderKey {
    /// The order's key, for ever.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 255, pattern = "^[\\x21-\\x7E]+$")]
    key: String,
}
/// Set to `true` on an answer that was given before.
pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The scope of orders to surrender a policy.
pub(super) const SURRENDER: &str = "api/surrender";
/// The scope of reports of an auction's stage.
pub(super) const AUCTION_STAGE: &str = "api/auction-stage";

/// The names of the orders' scopes, for people.
pub(in crate::http) const ORDERS: [(&str, Label); 2] = [
    (SURRENDER, Label { zh: "退保指令（API）", en: "Surrender order (API)" }),
    (AUCTION_STAGE, Label { zh: "拍卖阶段上报（API）", en: "Auction stage report (API)" }),
];

/// A body with its key, and what of it goes into the traffic record.
pub(super) struct Order<T> {
    pub(super) key: String,
    pub(super) content: T,
    pub(super) received_at: Timestamp,
    started: Instant,
    dump: Vec<u8>,
    peer: String,
}

/// The key, with or without the quotation marks of a structured header.
fn key(headers: &HeaderMap) -> Result<String, Problem> {
    let text = headers.get(KEY).and_then(|value| value.to_str().ok()).map(str::trim).unwrap_or_default();
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let fits = (1..=255).contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(bare.to_owned()) } else { Err(Problem::key_required()) }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return true };
    let media_type = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json")
}

async fn body(api: &Api, body: Body) -> Result<Bytes, Problem> {
    let limit_bytes = api.limits.body_bytes;
    let collect = Limited::new(body, limit_bytes).collect();
    match tokio::time::timeout(api.limits.body_timeout, collect).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::BodyTooLarge { limit_bytes }.into()),
        Ok(Err(_)) | Err(_) => Err(Problem::body_late()),
    }
}

/// The content of a body; no body is an empty object.
fn content<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let body = if body.is_empty() { b"{}" } else { body };
    // Where a list stands for an object, its values would be taken for fields by their places.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(Refusal::Malformed { reason: "应为一个 JSON 对象，不是列表".to_owned() }.into());
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let content = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        if error.is_data() {
            Problem::from(Refusal::InvalidFields(vec![misread(&path, &error.to_string())]))
        } else {
            Problem::from(Refusal::Malformed {
                reason: format!("第 {} 行第 {} 列不是 JSON", error.line(), error.column()),
            })
        }
    })?;
    let trailing = |_| Refusal::Malformed { reason: "JSON 之后还有内容".to_owned() };
    deserializer.end().map_err(trailing)?;
    // It has just been read: it is JSON.
    let tree = serde_json::from_slice(body).unwrap_or_default();
    match control_character(&tree, String::new()) {
        Some(path) => Err(without_control_characters(path)),
        None => Ok(content),
    }
}

/// The path of a text that no document's field and no database holds: one with a control character.
fn control_character(tree: &serde_json::Value, path: String) -> Option<String> {
    let inside = |name: String| if path.is_empty() { name } else { format!("{path}.{name}") };
    match tree {
        serde_json::Value::String(text) => has_control_character(text).then_some(path),
        serde_json::Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(place, item)| control_character(item, format!("{path}[{place}]")))
        }
        serde_json::Value::Object(fields) => {
            fields.iter().find_map(|(name, field)| control_character(field, inside(name.escape_debug().to_string())))
        }
        _ => None,
    }
}

/// What is expected of a text that has one.
pub(super) const NO_CONTROL_CHARACTERS: &str = "不含控制字符的文本";

/// Whether a text has a control character other than those that texts are laid out with.
pub(super) fn has_control_character(text: &str) -> bool {
    text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
}

/// The problem of a text with a control character.
fn without_control_characters(path: impl Into<String>) -> Problem {
    let problem = FieldProblem { path: path.into(), received: None, expected: NO_CONTROL_CHARACTERS.to_owned() };
    Refusal::InvalidFields(vec![problem]).into()
}

/// The call as text, as the traffic record keeps it; without credentials.
fn dump(head: &http::request::Parts, body: &[u8]) -> Vec<u8> {
    // Below the base, the router has taken it off.
    let mut text = format!("{} {BASE}{} HTTP/1.1\r\n", head.method, head.uri);
    for (name, value) in &head.headers {
        if *name != AUTHORIZATION && *name != COOKIE {
            // Writing to a string cannot fail.
            let _ = write!(text, "{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes()));
        }
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

impl<T: DeserializeOwned> FromRequest<Arc<Api>> for Order<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        let started = Instant::now();
        let (head, stream) = request.into_parts();
        let key = key(&head.headers)?;
        if !is_json(&head.headers) {
            return Err(Problem::not_json());
        }
        parameters::none(head.uri.query())?;
        let body = body(api, stream).await?;
        let content = content(&body)?;
        let address = head.extensions.get::<Origin>().and_then(|origin| origin.address);
        let peer = address.map(|address| address.to_string()).unwrap_or_default();
        Ok(Self { key, content, received_at: api.clock.now(), started, dump: dump(&head, &body), peer })
    }
}

/// What a command's answer says.
pub(super) type Answer = fn(&Outcome) -> Option<serde_json::Value>;

fn reply(answer: Answer, result: &CallResult) -> Reply {
    let refused = |refusal: &Refusal| Problem::from(refusal).reply();
    match result {
        Ok(outcome) => match answer(outcome) {
            Some(value) => {
                Reply { status: 200, content_type: "application/json", body: value.to_string().into_bytes() }
            }
            // Another command's outcome: a key's scope is one command's, so this is a fault in the ledger.
            None => refused(&Refusal::LedgerUnavailable { internal: "an answer of another kind".to_owned() }),
        },
        Err(refusal) => refused(refusal),
    }
}

/// An order, translated into the ledger's words.
pub(super) struct Told {
    /// Which of [`ORDERS`].
    pub(super) scope: &'static str,
    /// The command.
    pub(super) command: Command,
    /// Writes its answer.
    pub(super) answer: Answer,
}

impl Api {
    /// Has the ledger settle an order and waits until that is durable.
    pub(super) async fn settle<T>(&self, caller: &str, order: Order<T>, told: Told) -> Result<Response, Problem> {
        let Told { scope, command, answer } = told;
        let key = IdempotencyKey { scope, key: order.key };
        let asked = Asked::new(&self.vault, key, None, command).map_err(|error| unavailable(&error))?;
        let request = self.vault.seal(Purpose::Request, &order.dump).map_err(|error| unavailable(&error))?;
        let submission = Submission {
            arrival: Arrival {
                received_at: order.received_at,
                channel: "api",
                scope: Some(scope),
                caller: caller.to_owned(),
                secret_index: 0,
                peer: order.peer,
                request,
            },
            asked: Ok(asked),
            render: Box::new(move |result, _at| reply(answer, result)),
        };
        // One that took too long may still become durable: the same key then has its answer.
        let settled = self.ledger.submit_within(submission, self.limits.deadline).await;
        let verdict = settled.as_ref().map_or(Verdict::Refused, |answered| answered.verdict);
        self.meter.record(scope, Ending::Settled(verdict), order.received_at, order.started.elapsed());
        match settled {
            Ok(answered) => {
                let code = answered.result.as_ref().err().map_or("-", |refusal| refusal.code().as_str());
                tracing::info!(interface = scope, caller, verdict = answered.verdict.as_str(), code, "order answered");
                let mut response = respond(answered.reply);
                if answered.verdict == Verdict::Replayed {
                    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
                }
                Ok(response)
            }
            Err(refusal) => Err(refusal.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Content {
        #[allow(dead_code, reason = "it is there to be wrong")]
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    struct Inner {
        #[allow(dead_code, reason = "it is there to be wrong")]
        count: u8,
    }

    fn told(body: &str) -> serde_json::Value {
        serde_json::to_value(content::<Content>(body.as_bytes()).unwrap_err()).unwrap()
    }

    #[test]
    fn what_does_not_read_is_told_by_its_path() {
        content::<Content>(b"").unwrap();
        let problem = told(r#"{"inner": {"count": "many"}}"#);
        assert_eq!((&problem["status"], &problem["errors"][0]["field"]), (&422.into(), &"inner.count".into()));
        assert_eq!(told(r#"{"outer": 1}"#)["code"], "INVALID_ARGUMENT");
        assert_eq!(told("{").get("code").unwrap(), "MALFORMED_BODY");
        assert_eq!(told("{} {}")["code"], "MALFORMED_BODY");
        for list in [" [1]", r#"[{"count": 1}]"#] {
            assert_eq!(told(list)["detail"], "报文无法解析：应为一个 JSON 对象，不是列表");
        }
    }

    #[test]
    fn a_key_is_visible_ascii_and_may_be_quoted() {
        let headers = |text: &'static str| HeaderMap::from_iter([(KEY, HeaderValue::from_static(text))]);
        assert_eq!(key(&headers("\"8e03\"")).unwrap(), "8e03");
        assert_eq!(key(&headers("8e03")).unwrap(), "8e03");
        for text in ["", "\"\"", "a b"] {
            assert_eq!(key(&headers(text)), Err(Problem::key_required()), "{text}");
        }
        assert_eq!(key(&HeaderMap::new()), Err(Problem::key_required()));
    }
}
