//! The documents' examples as message number so-and-so, and what an answer to one says.

use baoqiao_domain::time::format_gmt8;
use bytes::Bytes;
use fastrand::Rng;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::play::{Callers, PlayError};
use super::scenario::{Play, Step};
use crate::example::{ISSUING_METHOD, ISSUING_REQUEST, RECOVERY_REQUEST, RESCISSION_REQUEST};
use crate::qimen::{Answer, Call, Document, SignedRequest, Verdict};

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// Yes: with what must be the same in every answer to the same message.
    Yes(String),
    /// No, and why.
    No(String),
    /// Nothing that can be understood.
    Nothing(String),
}

/// The request of message `number`; `policy_no` is that of the policy it is about, if it is known.
pub(super) fn request(
    callers: &Callers,
    step: &Step,
    number: u64,
    policy_no: Option<&str>,
    rng: &mut Rng,
    now: Timestamp,
) -> Result<SignedRequest, PlayError> {
    let now = now.saturating_add(SignedDuration::from_millis(step.skew_ms)).map_err(|_| PlayError::Clock)?;
    let key = format!("{}-{number}", callers.run);
    match step.play {
        Play::Issuing => signed(callers, step, ISSUING_METHOD, &issuing(&key, step.changed)?, now),
        Play::Recovery => {
            signed(callers, step, &callers.recovery_method, &recovery(&key, policy_no, step.changed)?, now)
        }
        Play::Rescission => {
            let body = rescission(callers, &key, policy_no, step.changed, rng, now)?;
            let json = HeaderValue::from_static("application/json;charset=UTF-8");
            Ok(SignedRequest {
                query: String::new(),
                headers: HeaderMap::from_iter([(CONTENT_TYPE, json)]),
                body: Bytes::from(body.to_string()),
                string_to_sign: String::new(),
            })
        }
    }
}

fn signed(
    callers: &Callers,
    step: &Step,
    method: &str,
    content: &Value,
    now: Timestamp,
) -> Result<SignedRequest, PlayError> {
    let document = Document::write(step.body, step.charset, &content.to_string())?;
    let call = Call {
        break_signature: step.break_signature,
        ..Call::new(&callers.app_key, callers.secret.clone(), method, document)
    };
    Ok(call.sign(now)?)
}

fn example(text: &str) -> Result<Value, PlayError> {
    serde_json::from_str(text).map_err(PlayError::Example)
}

fn set(tree: &mut Value, path: &str, value: impl Into<Value>) {
    if let Some(place) = tree.pointer_mut(path) {
        *place = value.into();
    }
}

fn issuing(key: &str, changed: bool) -> Result<Value, PlayError> {
    let mut tree = example(ISSUING_REQUEST)?;
    set(&mut tree, "/identifier", key);
    set(&mut tree, "/insureId", format!("I-{key}"));
    if changed {
        set(&mut tree, "/applicantPersonalInfo/personName", "李四");
    }
    Ok(tree)
}

fn recovery(key: &str, policy_no: Option<&str>, changed: bool) -> Result<Value, PlayError> {
    let mut tree = example(RECOVERY_REQUEST)?;
    set(&mut tree, "/identifier", key);
    set(&mut tree, "/recoverStreamId", format!("R-{key}"));
    if let Some(policy_no) = policy_no {
        set(&mut tree, "/policyNo", policy_no);
    }
    if changed {
        set(&mut tree, "/caseNo", "0");
    }
    Ok(tree)
}

/// `uuid` is new with each making, as each sending asks for one of its own.
fn rescission(
    callers: &Callers,
    key: &str,
    policy_no: Option<&str>,
    changed: bool,
    rng: &mut Rng,
    now: Timestamp,
) -> Result<Value, PlayError> {
    let mut tree = example(RESCISSION_REQUEST)?;
    let (high, low) = (rng.u64(..), rng.u64(..));
    let uuid = format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xFFFF,
        high & 0xFFF,
        low >> 52,
        low & 0xFFFF_FFFF_FFFF
    );
    set(&mut tree, "/head/uuid", uuid);
    set(&mut tree, "/head/orderNo", format!("O-{key}"));
    set(&mut tree, "/head/policySource", callers.policy_source.as_str());
    set(&mut tree, "/head/reqTime", format_gmt8(now));
    if let Some(policy_no) = policy_no {
        set(&mut tree, "/secondRefundReq/policyNo", policy_no);
    }
    if changed {
        set(&mut tree, "/secondRefundReq/secondRefundAmount", json!(9));
        set(&mut tree, "/secondRefundReq/installmentList/0/amount", json!(9));
    }
    Ok(tree)
}

/// What the answer to such a call says.
pub(super) fn said(play: Play, answer: &Answer) -> Said {
    match play {
        Play::Rescission => deal(answer),
        Play::Issuing | Play::Recovery => match answer.verdict() {
            Verdict::Accepted => Said::Yes(policy_no(answer).unwrap_or_default()),
            Verdict::Refused { code, .. } => Said::No(code),
            Verdict::NotAnAnswer { reason } => Said::Nothing(reason),
        },
    }
}

/// `context.policyNo` of an issuing answer; a recovery's answer has none.
fn policy_no(answer: &Answer) -> Option<String> {
    Some(answer.fields()?.get("context")?.get("policyNo")?.as_str()?.to_owned())
}

fn deal(answer: &Answer) -> Said {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let field = |name: &str| body.pointer(&format!("/secondRefundResp/{name}")).and_then(Value::as_str);
    match field("dealCode") {
        Some("1") => Said::Yes(field("policyNo").unwrap_or_default().to_owned()),
        Some(code) => Said::No(code.to_owned()),
        None => Said::Nothing(format!("HTTP status {} without a dealCode", answer.status)),
    }
}
