//! The one way in for platforms: read, authenticate, decode, settle, reply — the same for every channel.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;

use baoqiao_channels::access::Access;
use baoqiao_channels::channel::{CallResult, Channel, Interface, RawRequest, Reply, Verified};
use baoqiao_channels::origin::Origin;
use baoqiao_domain::idempotency::IdempotencyKey;
use baoqiao_domain::ledger::Outcome;
use baoqiao_domain::policy_number::PolicyNumber;
use baoqiao_domain::product::Catalogue;
use baoqiao_domain::refusal::{FieldProblem, Refusal};

use super::bodies::{BodyBudget, declared_length};
use super::strangers::Allowance;
use crate::clock::Clock;
use crate::ledger::store::{Arrival, Verdict};
use crate::ledger::{Answered, Asked, Ledger, Stranger, Submission};
use crate::record;
use crate::statistics::{Ending, Meter};
use crate::vault::{Purpose, Vault, VaultError};

/// Bounds on what a caller may cost.
#[derive(Debug, Clone, Copy)]
pub struct InboundLimits {
    /// The longest body, in bytes.
    pub body_bytes: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// How long a call may wait for the ledger, in a channel without a deadline of its own.
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
    /// The patience of each channel's platforms, by the channel's name: an answer later than this is of no use.
    pub deadlines: HashMap<&'static str, Duration>,
    /// How many strangers are remembered.
    pub strangers: Allowance,
    /// Room for bodies.
    pub bodies: BodyBudget,
    /// Counts calls.
    pub meter: Arc<Meter>,
}

/// One call on its way through.
struct Call {
    channel: &'static dyn Channel,
    interface: Option<&'static dyn Interface>,
    raw: Arc<RawRequest>,
    path: String,
    origin: Origin,
    received_at: Timestamp,
    /// How long its caller will wait for the ledger.
    patience: Duration,
}

impl Call {
    /// The address that it came from, as the traffic record has it; empty where it is not known.
    fn peer_text(&self) -> String {
        self.origin.address.map(|address| address.to_string()).unwrap_or_default()
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
        let (mut head, body) = request.into_parts();
        let origin = head.extensions.remove::<Origin>().unwrap_or_default();
        let deadline = self.deadlines.get(channel.name()).copied().unwrap_or(self.limits.deadline);
        let room = self.room(&head.headers, deadline).await;
        let patience = deadline.saturating_sub(started.elapsed());
        let read = match &room {
            Ok(_) => self.read(body).await,
            Err(unread) => Err(*unread),
        };
        let (body, refusal) = match read {
            Ok(body) => (body, None),
            Err(Unread::TooLarge) => {
                let limit_bytes = self.limits.body_bytes;
                (Bytes::new(), Some(Refusal::BodyTooLarge { limit_bytes }))
            }
            Err(Unread::NoRoom) => (Bytes::new(), Some(Refusal::Busy)),
            Err(Unread::Broken) => return unread(StatusCode::BAD_REQUEST, &origin),
            Err(Unread::Late) => return unread(StatusCode::REQUEST_TIMEOUT, &origin),
        };
        let query = Bytes::copy_from_slice(head.uri.query().unwrap_or_default().as_bytes());
        let raw = Arc::new(RawRequest { query, headers: head.headers, body });
        let interface = channel.interface(&raw, &self.access);
        let path = head.uri.path().to_owned();
        let call = Call { channel, interface, raw, path, origin, received_at: self.clock.now(), patience };
        let (answered, trace) = match refusal {
            Some(refusal) => self.refuse_unread(&call, refusal),
            None => self.answer(&call).await,
        };
        let (ending, suppressed) = match trace {
            Trace::Settled => (Ending::Settled(answered.verdict), Some(0)),
            Trace::Disbelieved { suppressed } => (Ending::Disbelieved, suppressed),
        };
        let interface = call.interface.map_or(channel.name(), Interface::scope);
        self.meter.record(interface, ending, call.received_at, started.elapsed());
        if let Some(suppressed) = suppressed {
            log(&call, &answered, suppressed, started.elapsed());
        }
        response(answered.reply)
    }

    /// Waits for room for the body; for one that is declared too long there is none.
    async fn room(&self, headers: &HeaderMap, deadline: Duration) -> Result<Option<OwnedSemaphorePermit>, Unread> {
        let limit_bytes = self.limits.body_bytes;
        let expected = declared_length(headers).unwrap_or(limit_bytes);
        if expected > limit_bytes {
            return Err(Unread::TooLarge);
        }
        tokio::time::timeout(deadline, self.bodies.room_for(expected)).await.map_err(|_| Unread::NoRoom)
    }

    async fn read(&self, body: Body) -> Result<Bytes, Unread> {
        let collect = Limited::new(body, self.limits.body_bytes).collect();
        match tokio::time::timeout(self.limits.body_timeout, collect).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Unread::TooLarge),
            Ok(Err(_)) => Err(Unread::Broken),
            Err(_) => Err(Unread::Late),
        }
    }

    async fn answer(&self, call: &Call) -> (Answered, Trace) {
        match call.channel.authenticate(&call.raw, &call.origin, &self.access, call.received_at) {
            Ok(verified) => (self.settle(call, &verified).await, Trace::Settled),
            Err(refusal) => self.refuse_unread(call, refusal),
        }
    }

    /// Refuses a call of which nothing is believed; it leaves a trace only as far as strangers may.
    fn refuse_unread(&self, call: &Call, refusal: Refusal) -> (Answered, Trace) {
        let allowed = self.strangers.take(call.received_at);
        // Who was turned away unread for want of room is no stranger, and what is short of room records nothing more.
        if allowed.is_some() && refusal != Refusal::Busy {
            self.record_stranger(call, &refusal);
        }
        let result = Err(refusal);
        let answered = Answered { reply: call.reply(&result, self.clock.now()), verdict: Verdict::Refused, result };
        (answered, Trace::Disbelieved { suppressed: allowed })
    }

    fn record_stranger(&self, call: &Call, refusal: &Refusal) {
        let kept_bytes = self.limits.stranger_body_bytes;
        let body = call.raw.body.get(..kept_bytes).unwrap_or(&call.raw.body);
        let request = record::write(&call.path, &call.raw, body);
        // The head counts as well: it may be as long as the body is.
        let request = request.get(..2 * kept_bytes).unwrap_or(&request);
        match self.vault.seal(Purpose::Request, request) {
            Ok(request) => self.ledger.record_stranger(Stranger {
                received_at: call.received_at,
                channel: call.channel.name(),
                peer: call.peer_text(),
                reason: reason(refusal),
                body_bytes: body_bytes(call, refusal),
                request,
            }),
            Err(error) => tracing::error!(%error, "a stranger's message was not recorded"),
        }
    }

    async fn settle(&self, call: &Call, verified: &Verified<'_>) -> Answered {
        let submission = match self.submission(call, verified) {
            Ok(submission) => submission,
            Err(error) => return self.unsettled(call, Refusal::LedgerUnavailable { internal: error.to_string() }),
        };
        // One that took too long may still become durable: the platform's retry is then answered from the ledger.
        match self.ledger.submit_within(submission, call.patience).await {
            Ok(answered) => answered,
            Err(refusal) => self.unsettled(call, refusal),
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
            request: self.vault.seal(Purpose::Request, &record::write(&call.path, &call.raw, &call.raw.body))?,
        };
        // The reply may echo the body.
        let raw = Arc::clone(&call.raw);
        let channel = call.channel;
        let render = Box::new(move |result: &CallResult, now: Timestamp| reply(channel, interface, &raw, result, now));
        Ok(Submission { arrival, asked, render })
    }

    fn unsettled(&self, call: &Call, refusal: Refusal) -> Answered {
        let result = Err(refusal);
        Answered { reply: call.reply(&result, self.clock.now()), verdict: Verdict::Refused, result }
    }
}

/// What is said of a call besides its answer.
enum Trace {
    /// Its caller was believed: it is logged.
    Settled,
    /// A stranger's: logged as far as their allowance goes, with a count of those that were not; `None` beyond it.
    Disbelieved { suppressed: Option<u64> },
}

/// Why a body was not read.
#[derive(Clone, Copy)]
enum Unread {
    TooLarge,
    /// Others take all the memory that there is for bodies.
    NoRoom,
    Broken,
    Late,
}

/// Why a stranger was turned away, in words; nothing of what a field said, which may be personal.
fn reason(refusal: &Refusal) -> String {
    if let Refusal::InvalidFields(problems) = refusal
        && let Some(FieldProblem { path, received, .. }) = problems.first()
    {
        let wrong = if received.is_none() { "missing" } else { "wrong" };
        return format!("field {path} is {wrong}");
    }
    refusal.internal_detail().unwrap_or_else(|| refusal.public_message())
}

/// How long the body of a call is that was refused, as far as that is known of one that was not read.
fn body_bytes(call: &Call, refusal: &Refusal) -> usize {
    let read = match refusal {
        Refusal::BodyTooLarge { limit_bytes } => limit_bytes.saturating_add(1),
        _ => call.raw.body.len(),
    };
    declared_length(&call.raw.headers).unwrap_or(read)
}

fn log(call: &Call, answered: &Answered, suppressed: u64, elapsed: Duration) {
    let outcome = answered.result.as_ref().ok();
    let refusal = answered.result.as_ref().err();
    tracing::info!(
        channel = call.channel.name(),
        interface = call.interface.map(Interface::scope),
        peer = call.peer_text(),
        verdict = answered.verdict.as_str(),
        policy_no = outcome.and_then(Outcome::policy_no).map(PolicyNumber::as_str),
        code = refusal.map(|refusal| call.channel.told_code(refusal)),
        detail = detail(&answered.result),
        suppressed = (suppressed > 0).then_some(suppressed),
        elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
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

/// Half a request is nobody's: it gets no envelope and no record, only a line.
fn unread(status: StatusCode, origin: &Origin) -> Response {
    let peer = origin.address.map(|address| address.to_string());
    tracing::info!(peer, status = status.as_u16(), "a call did not arrive whole");
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
