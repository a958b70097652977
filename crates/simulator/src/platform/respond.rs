//! From a call to what it meets: judged and recorded under one lock, so that the order of the record is the order of
//! the decisions; answered after it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use encoding_rs::GBK;
use fastrand::Rng;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use jiff::Timestamp;
use tokio::sync::watch;

use baoqiao_channels::access::Secret;
use baoqiao_channels::channel::RawRequest;

use super::answer::{Answer, content_type, response};
use super::call::Call;
use super::checks::{Refused, Rules, check};
use super::interface::Interface;
use super::record::{Answered, Received, Record};
use super::scenario::{Action, Decision, Scenario, Script, Subject};

/// What the platform knows and remembers.
#[derive(Debug)]
pub(super) struct Desk {
    apps: HashMap<String, Secret>,
    state: Mutex<State>,
    /// How many calls there have been.
    total: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    script: Script,
    record: Record,
    request_ids: Rng,
}

/// What a caller gets, and when.
#[derive(Debug)]
pub(super) struct Reaction {
    pub(super) delay: Duration,
    pub(super) end: End,
}

/// How a call ends.
#[derive(Debug)]
pub(super) enum End {
    Answer(Response<Full<Bytes>>),
    /// The connection stays open, and silent.
    Silence,
    /// The connection is closed.
    HangUp,
}

impl Desk {
    pub(super) fn new(apps: HashMap<String, Secret>, scenario: Scenario, keep: usize) -> Self {
        let request_ids = Rng::with_seed(scenario.seed);
        let state = State { script: Script::new(scenario), record: Record::new(keep), request_ids };
        Self { apps, state: Mutex::new(state), total: watch::Sender::new(0) }
    }

    /// A panic elsewhere leaves counters and a list, which stay good.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the platform behaves so; what was counted so far is forgotten.
    pub(super) fn play(&self, scenario: Scenario) {
        self.state().script = Script::new(scenario);
    }

    /// All calls kept with a number above `after`, and how many there have been at all.
    pub(super) fn received(&self, after: u64) -> (Vec<Arc<Received>>, u64) {
        let state = self.state();
        (state.record.after(after), state.record.total())
    }

    /// Tells how many calls there have been, each time that there is one more.
    pub(super) fn total(&self) -> watch::Receiver<u64> {
        self.total.subscribe()
    }

    pub(super) fn forget(&self) {
        self.state().record.clear();
    }

    /// Takes a call: decides, records, and says what to do.
    pub(super) fn take(&self, http_method: Method, raw: &RawRequest, now: Timestamp) -> Reaction {
        let call = Call::of(http_method, raw);
        let any_method = self.state().script.any_method();
        let checked = check(&call, &Rules { apps: &self.apps, any_method }, now);
        let mut state = self.state();
        let request_id = request_id(&mut state.request_ids);
        let reaction = match checked {
            Err(refused) => state.refuse(call, refused, request_id, now),
            Ok(interface) => state.serve(call, interface, request_id, now),
        };
        self.total.send_replace(state.record.total());
        reaction
    }
}

impl State {
    fn refuse(&mut self, call: Call, refused: Refused, request_id: String, now: Timestamp) -> Reaction {
        let answer = Answer::fault(&refused.fault, &request_id);
        let end = answered(&call, &answer);
        let sub_code = refused.fault.sub_code.map(std::borrow::Cow::into_owned);
        self.record.note(Received {
            number: 0,
            time: now,
            parameters: call.parameters,
            taken: false,
            answered: Answered::Error { code: refused.fault.code, sub_code },
            request_id,
            rule: None,
            duplicate_of: None,
            string_to_sign: refused.string_to_sign,
        });
        Reaction { delay: Duration::ZERO, end }
    }

    fn serve(&mut self, call: Call, interface: Interface, request_id: String, now: Timestamp) -> Reaction {
        let method = call.parameter("method").unwrap_or_default();
        let app_key = call.parameter("app_key").unwrap_or_default();
        let subject = Subject { method, app_key, parameters: &call.parameters };
        let Decision { action, delay, taken, rule } = self.script.decide(subject, now);
        let yes = Answer::success(method, interface.accepted(), &request_id);
        let (answered, end) = meet(&action, &call, interface, &yes, &request_id);
        let received = Received {
            number: 0,
            time: now,
            parameters: call.parameters,
            taken,
            answered,
            request_id,
            rule,
            duplicate_of: None,
            string_to_sign: None,
        };
        let copy = (action == Action::Duplicate).then(|| received.clone());
        let number = self.record.note(received);
        if let Some(copy) = copy {
            self.record.note(Received { duplicate_of: Some(number), ..copy });
        }
        Reaction { delay, end }
    }
}

/// What `action` makes of a call to which the answer would be `yes`.
fn meet(action: &Action, call: &Call, interface: Interface, yes: &Answer, request_id: &str) -> (Answered, End) {
    let shape = call.shape();
    let declared = content_type(shape.format);
    match action {
        Action::Answer | Action::Duplicate => (Answered::Accepted, answered(call, yes)),
        Action::Refuse { fail_code, fail_message } => {
            let method = call.parameter("method").unwrap_or_default();
            let no = Answer::success(method, interface.refused(fail_code, fail_message), request_id);
            (Answered::Refused { fail_code: fail_code.clone() }, answered(call, &no))
        }
        Action::Error(fault) => {
            let sub_code = fault.sub_code.clone().map(std::borrow::Cow::into_owned);
            (Answered::Error { code: fault.code, sub_code }, answered(call, &Answer::fault(fault, request_id)))
        }
        Action::Timeout => (Answered::Timeout, End::Silence),
        Action::Drop => (Answered::Dropped, End::HangUp),
        Action::Garbage(body) => {
            let garbage = response(StatusCode::OK, "text/html;charset=UTF-8", body.clone().into_bytes(), shape.gzip);
            (Answered::Garbage, End::Answer(garbage))
        }
        Action::WrongCharset => {
            let gbk = GBK.encode(&yes.text(shape.format)).0.into_owned();
            (Answered::WrongCharset, End::Answer(response(StatusCode::OK, declared, gbk, shape.gzip)))
        }
        Action::Status(status) => {
            let code = StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY);
            let page = format!("<html><body><h1>{code}</h1></body></html>").into_bytes();
            let page = response(code, "text/html;charset=UTF-8", page, shape.gzip);
            (Answered::Status { status: code.as_u16() }, End::Answer(page))
        }
    }
}

fn answered(call: &Call, answer: &Answer) -> End {
    let shape = call.shape();
    let body = answer.text(shape.format).into_bytes();
    End::Answer(response(StatusCode::OK, content_type(shape.format), body, shape.gzip))
}

/// Twelve letters and digits, as the platform's own.
fn request_id(rng: &mut Rng) -> String {
    (0..12).map(|_| if rng.bool() { rng.digit(10) } else { rng.lowercase() }).collect()
}
