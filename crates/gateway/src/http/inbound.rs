//! The one way in for platforms: read, authenticate, decode, settle, reply — the same for every channel.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use http::{HeaderValue, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use jiff::Timestamp;

use baoqiao_channels::access::Access;
use baoqiao_channels::channel::{CallResult, Channel, Interface, RawRequest, Reply, Verified};
use baoqiao_domain::idempotency::IdempotencyKey;
use baoqiao_domain::ledger::Outcome;
use baoqiao_domain::policy_number::PolicyNumber;
use baoqiao_domain::product::Catalogue;
use baoqiao_domain::refusal::Refusal;

use super::strangers::Allowance;
use crate::clock::Clock;
use crate::ledger::store::{Arrival, Verdict};
use crate::ledger::{Answered, Asked, Ledger, Stranger, Submission};
use crate::vault::{Purpose, Vault, VaultError};

/// Bounds on what a caller may cost.
#[derive(Debug, Clone, Copy)]
pub struct InboundLimits {
    /// The longest body, in bytes.
    pub body_bytes: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// The platform's patience: an answer later than this is of no use.
    pub deadline: Duration,
    /// How much of a stranger's body is kept, in bytes.
    pub stranger_body_bytes: usize,
}

/// What the inbound handler works with.
pub struct Inbound {
    /// Who may call.
    pub access: Arc<Access>,
    /// What may be sold.
    pub catalogue: Arc<Catalogue>,
    /// Where it is settled.
    pub ledger: Ledger,
    /// Seals what is kept.
    pub vault: Arc<Vault>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Bounds.
    pub limits: InboundLimits,
    /// How many strangers are remembered.
    pub strangers: Allowance,
}

/// One call on its way through.
struct Call {
    channel: &'static dyn Channel,
    interface: Option<&'static dyn Interface>,
    raw: RawRequest,
    path: String,
    peer: Option<IpAddr>,
    received_at: Timestamp,
}

impl Call {
    /// The address that it came from, as the traffic record has it; empty where it is not known.
    fn peer_text(&self) -> String {
        self.peer.map(|peer| peer.to_string()).unwrap_or_default()
    }

    fn reply(&self, result: &CallResult, now: Timestamp) -> Reply {
        reply(self.channel, self.interface, &self.raw, result, now)
    }
}

fn reply(
    channel: &'static dyn Channel,
    interface: Option<&'static dyn Interface>,
    raw: &RawRequest,
    result: &CallResult,
    now: Timestamp,
) -> Reply {
    match (interface, result) {
        (Some(interface), result) => interface.reply(raw, result, now),
        (None, Err(refusal)) => channel.reply_refused(raw, refusal, now),
        // No interface, no command, no outcome.
        (None, Ok(_)) => channel.reply_refused(raw, &Refusal::Busy, now),
    }
}

impl Inbound {
    /// Answers one call.
    pub async fn receive(&self, channel: &'static dyn Channel, request: Request) -> Response {
        let started = tokio::time::Instant::now();
        let (head, body) = request.into_parts();
        let peer = head.extensions.get::<SocketAddr>().map(|peer| peer.ip().to_canonical());
        let body = tokio::time::timeout(self.limits.body_timeout, read(body, self.limits.body_bytes)).await;
        let (body, too_large) = match body {
            Ok(Ok(body)) => (body, false),
            Ok(Err(Unread::TooLarge)) => (Bytes::new(), true),
            Ok(Err(Unread::Broken)) => return status(StatusCode::BAD_REQUEST),
            Err(_) => return status(StatusCode::REQUEST_TIMEOUT),
        };
        let query = Bytes::copy_from_slice(head.uri.query().unwrap_or_default().as_bytes());
        let raw = RawRequest { query, headers: head.headers, body };
        let interface = channel.interface(&raw, &self.access);
        let path = head.uri.path().to_owned();
        let call = Call { channel, interface, raw, path, peer, received_at: self.clock.now() };
        let answered = if too_large {
            let refusal = Refusal::BodyTooLarge { limit_bytes: self.limits.body_bytes };
            self.refuse_unread(&call, refusal)
        } else {
            self.answer(&call).await
        };
        log(&call, &answered, started.elapsed());
        response(answered.reply)
    }

    async fn answer(&self, call: &Call) -> Answered {
        match call.channel.authenticate(&call.raw, call.peer, &self.access, call.received_at) {
            Ok(verified) => self.settle(call, &verified).await,
            Err(refusal) => self.refuse_unread(call, refusal),
        }
    }

    /// Refuses a call of which nothing is believed; it leaves a trace only as far as strangers may.
    fn refuse_unread(&self, call: &Call, refusal: Refusal) -> Answered {
        if self.strangers.take(call.received_at) {
            let kept = call.raw.body.slice(..call.raw.body.len().min(self.limits.stranger_body_bytes));
            let dump = dump(call, &kept);
            let dump = dump.get(..dump.len().min(2 * self.limits.stranger_body_bytes)).unwrap_or_default();
            match self.vault.seal(Purpose::Request, dump) {
                Ok(request) => self.ledger.record_stranger(Stranger {
                    received_at: call.received_at,
                    channel: call.channel.name(),
                    peer: call.peer_text(),
                    reason: refusal.internal_detail().unwrap_or_else(|| refusal.public_message()),
                    body_bytes: call.raw.body.len(),
                    request,
                }),
                Err(error) => tracing::error!(%error, "a stranger's message was not recorded"),
            }
        }
        let result = Err(refusal);
        Answered { reply: call.reply(&result, self.clock.now()), verdict: Verdict::Refused, result }
    }

    async fn settle(&self, call: &Call, verified: &Verified<'_>) -> Answered {
        let submission = match self.submission(call, verified) {
            Ok(submission) => submission,
            Err(error) => return self.unsettled(call, Refusal::LedgerUnavailable { internal: error.to_string() }),
        };
        match tokio::time::timeout(self.limits.deadline, self.ledger.submit(submission)).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(refusal)) => self.unsettled(call, refusal),
            // It may still become durable: the platform's retry is then answered from the ledger.
            Err(_) => self.unsettled(call, Refusal::Busy),
        }
    }

    fn submission(&self, call: &Call, verified: &Verified<'_>) -> Result<Submission, VaultError> {
        let interface = call.interface;
        let asked = match interface {
            None => Err(call.channel.unknown_interface(verified)),
            Some(interface) => match interface.decode(verified, &self.catalogue) {
                Ok(decoded) => {
                    let key = IdempotencyKey { scope: interface.scope(), key: decoded.key };
                    Ok(Asked::new(&self.vault, key, decoded.uuid, decoded.command)?)
                }
                Err(refusal) => Err(refusal),
            },
        };
        let arrival = Arrival {
            received_at: call.received_at,
            channel: call.channel.name(),
            scope: interface.map(Interface::scope),
            caller: verified.caller().to_owned(),
            secret_index: verified.secret_index(),
            peer: call.peer_text(),
            request: self.vault.seal(Purpose::Request, &dump(call, &call.raw.body))?,
        };
        // The reply may echo the body; no byte of it is copied.
        let raw = call.raw.clone();
        let channel = call.channel;
        let render = Box::new(move |result: &CallResult, now: Timestamp| reply(channel, interface, &raw, result, now));
        Ok(Submission { arrival, asked, render })
    }

    fn unsettled(&self, call: &Call, refusal: Refusal) -> Answered {
        let result = Err(refusal);
        Answered { reply: call.reply(&result, self.clock.now()), verdict: Verdict::Refused, result }
    }
}

enum Unread {
    TooLarge,
    Broken,
}

async fn read(body: Body, limit_bytes: usize) -> Result<Bytes, Unread> {
    match Limited::new(body, limit_bytes).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Unread::TooLarge),
        Err(_) => Err(Unread::Broken),
    }
}

/// The request as text, as the traffic record keeps it: request line, headers, body. Credentials of other schemes
/// than signatures are left out.
fn dump(call: &Call, body: &[u8]) -> Vec<u8> {
    let mut head = String::with_capacity(512);
    let query = String::from_utf8_lossy(&call.raw.query);
    // Writing to a string cannot fail.
    let _ = write!(head, "POST {}?{query} HTTP/1.1\r\n", call.path);
    for (name, value) in &call.raw.headers {
        if *name != AUTHORIZATION && *name != COOKIE {
            let _ = write!(head, "{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes()));
        }
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn log(call: &Call, answered: &Answered, elapsed: Duration) {
    let interface = call.interface.map_or("-", |interface| interface.scope());
    let refusal = answered.result.as_ref().err();
    let code = refusal.map_or("-", |refusal| refusal.code().as_str());
    let policy_no = answered.result.as_ref().ok().and_then(Outcome::policy_no).map_or("-", PolicyNumber::as_str);
    let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    tracing::info!(
        interface,
        channel = call.channel.name(),
        peer = call.peer_text(),
        verdict = answered.verdict.as_str(),
        code,
        policy_no,
        detail = detail(&answered.result),
        elapsed_us,
        "call answered"
    );
}

/// What the line says besides: why a call was refused, and what is odd about a recovery that was recorded.
fn detail(result: &CallResult) -> String {
    match result {
        Err(refusal) => refusal.internal_detail().unwrap_or_default(),
        Ok(Outcome::RecoveryRecorded { unmatched, discrepancies, .. }) => {
            let unmatched = unmatched.map(|reason| format!("unmatched: {}", reason.as_str()));
            let amounts = discrepancies.iter().map(|found| format!("discrepancy: {}", found.field));
            unmatched.into_iter().chain(amounts).collect::<Vec<_>>().join(", ")
        }
        Ok(_) => String::new(),
    }
}

fn response(reply: Reply) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    response
}

fn status(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
