//! A request made up for trying: signed as its caller would, and either held against the rules or really sent.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use baoqiao_channels::channel::{Channel, Draft, Interface, RawRequest};
use baoqiao_channels::explain::{Evidence, Explanation, Kept, Protocol};
use baoqiao_channels::origin::Origin;
use baoqiao_domain::idempotency::IdempotencyKey;
use baoqiao_domain::ledger::{Facts, Settlement, State, settle};
use baoqiao_domain::policy_number::SequenceBlock;
use baoqiao_domain::refusal::Refusal;
use bytes::Bytes;
use http::{HeaderValue, Method};
use http_body_util::BodyExt;

use super::Console;
use super::failure::Failure;
use crate::ledger::Asked;

/// Which charset a body is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Charset {
    #[default]
    Utf8,
    Gbk,
}

impl Charset {
    fn draft(self, body: &str) -> Option<Draft> {
        let (name, bytes) = match self {
            Self::Utf8 => ("utf-8", body.as_bytes().to_vec()),
            Self::Gbk => {
                let (bytes, _, lacking) = encoding_rs::GBK.encode(body);
                if lacking {
                    return None;
                }
                ("gbk", bytes.into_owned())
            }
        };
        // What is laid out as XML is told by its first character, as receivers of `text/plain` do.
        let kind = if body.trim_start().starts_with('<') { "text/xml" } else { "application/json" };
        let content_type = HeaderValue::from_str(&format!("{kind};charset={name}")).ok()?;
        Some(Draft { content_type, body: Bytes::from(bytes) })
    }
}

/// What is tried.
#[derive(Clone)]
pub(super) struct Trial {
    pub(super) channel: &'static dyn Channel,
    pub(super) interface: &'static dyn Interface,
    pub(super) caller: String,
    pub(super) charset: Charset,
    pub(super) body: String,
    /// Where it comes from: whoever tries it.
    pub(super) origin: Origin,
}

/// Why there is nothing to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Untried {
    /// There is no such caller, or the interface has no method name.
    NoCaller,
    /// The body has a character that the charset lacks.
    NotInCharset,
}

/// What holding it against the rules came to. Nothing of it is kept.
pub(super) struct Checked {
    pub(super) explanation: Explanation,
    /// The key that it would be kept under, or why it would be refused if it were the first under its key.
    pub(super) result: Result<String, Refusal>,
}

/// What sending it came to.
pub(super) struct Sent {
    pub(super) status: u16,
    pub(super) answer: String,
}

impl Trial {
    /// The request, signed.
    pub(super) fn request(&self, console: &Console) -> Result<RawRequest, Untried> {
        let draft = self.charset.draft(&self.body).ok_or(Untried::NotInCharset)?;
        let access = &console.config.access;
        let request = self.channel.compose(self.interface, &self.caller, &draft, access, console.clock.now());
        request.ok_or(Untried::NoCaller)
    }

    /// Holds it against the checks and the rules, as if it were the first under its key.
    pub(super) fn check(&self, console: &Console, raw: RawRequest) -> Result<Checked, Failure> {
        let now = console.clock.now();
        let result = self.judged(console, &raw)?;
        let evidence =
            Evidence { path: self.channel.path().to_owned(), raw, kept: Kept::Whole, peer: self.origin.address };
        let mut explanation = console.explainer.explain(Protocol::Channel(self.channel), &evidence, now);
        // Really sending it takes a reason, which is written down.
        explanation.withhold_signatures();
        Ok(Checked { explanation, result })
    }

    fn judged(&self, console: &Console, raw: &RawRequest) -> Result<Result<String, Refusal>, Failure> {
        let now = console.clock.now();
        let catalogue = &console.config.catalogue;
        let verified = match self.channel.authenticate(raw, &self.origin, &console.config.access, now) {
            Ok(verified) => verified,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let decoded = match self.interface.decode(&verified, catalogue) {
            Ok(decoded) => decoded,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let mut state = State::default();
        if let Some(number) = decoded.command.policy_no()
            && let Some(found) = console.reader.policy(&number)?
        {
            state.load_policy(found.policy);
        }
        let key = IdempotencyKey { scope: self.interface.scope(), key: decoded.key };
        let name = key.key.clone();
        let asked = Asked::new(&console.vault, key, decoded.uuid, decoded.command)?;
        // Numbers that are never given to anybody.
        let mut sequences = SequenceBlock::new(1, 2);
        let document_url = |_: &_| String::new();
        let mut facts = Facts { now, catalogue, sequences: &mut sequences, document_url: &document_url };
        Ok(match settle(&mut state, &asked.request, &mut facts) {
            Settlement::Refused(refusal) => Err(refusal),
            Settlement::Decided(_) | Settlement::Replayed(_) | Settlement::Conflicting(_) => Ok(name),
        })
    }

    /// Sends it to this gateway, by the same way in as every call.
    pub(super) async fn send(&self, console: &Arc<Console>, raw: RawRequest) -> Result<Sent, Failure> {
        let unreadable = |error: &dyn std::fmt::Display| Failure::Unavailable(error.to_string());
        let query = String::from_utf8_lossy(&raw.query).into_owned();
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}?{query}", self.channel.path()))
            .body(Body::from(raw.body))
            .map_err(|error| unreadable(&error))?;
        *request.headers_mut() = raw.headers;
        request.extensions_mut().insert(self.origin.clone());
        let response = console.inbound.receive(self.channel, request).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(|error| unreadable(&error))?.to_bytes();
        Ok(Sent { status, answer: String::from_utf8_lossy(&body).into_owned() })
    }
}
