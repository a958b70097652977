//! The load generator against gateways of known behaviour. Every run is bounded by a count of requests.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::server::{Reaction, Server};
use baoqiao_channels::access::Secret;
use baoqiao_channels::channel::RawRequest;
use baoqiao_channels::qimen::body;
use baoqiao_channels::qimen::sign::SignedParts;
use baoqiao_channels::sign_method::SignMethod;
use baoqiao_simulator::load::{self, Counts, Plan, Report};
use baoqiao_simulator::qimen::Charset;
use jiff::Timestamp;

const REQUESTS: u64 = 400;

fn accepted(policy_no: &str) -> String {
    format!(r#"{{"errorCode":"SUCCESS","context":{{"policyNo":"{policy_no}"}},"errorMessage":"OK","success":"true"}}"#)
}

fn refused(code: &str) -> String {
    format!(r#"{{"errorCode":"{code}","errorMessage":"no","success":"false"}}"#)
}

/// A ledger that keeps every promise: one policy for each identifier, whatever comes after.
#[derive(Default)]
struct Ledger {
    policies: HashMap<String, (String, String)>,
    sign_method: Option<SignMethod>,
}

impl Ledger {
    fn answer(&mut self, raw: &RawRequest) -> String {
        let parts = SignedParts::of(raw);
        if !parts.is_signed_with(self.sign_method.unwrap_or(SignMethod::Md5), "secret") {
            return refused("sign-check-failure");
        }
        let fields = body::read(raw).unwrap();
        let field = |name: &str| fields[name].as_str().unwrap().to_owned();
        let next = format!("P{}", self.policies.len());
        let (insure_id, policy_no) =
            self.policies.entry(field("identifier")).or_insert_with(|| (field("insureId"), next));
        if *insure_id == field("insureId") { accepted(policy_no) } else { refused("IDEMPOTENCY_CONFLICT") }
    }
}

fn plan(server: &Server) -> Plan {
    Plan {
        connections: 8,
        duration: Duration::from_mins(5),
        requests: Some(REQUESTS),
        warmup: Duration::ZERO,
        ..Plan::new(server.url(), "24589063", Secret::new("secret"))
    }
}

fn run(plan: &Plan) -> Report {
    load::run(plan, || Timestamp::UNIX_EPOCH, |_| ()).unwrap()
}

#[test]
fn an_honest_gateway_comes_out_clean() {
    for (sign_method, charset, rate) in
        [(SignMethod::Md5, Charset::Utf8, None), (SignMethod::HmacSha256, Charset::Gbk, NonZeroU32::new(100_000))]
    {
        let ledger = Arc::new(Mutex::new(Ledger { sign_method: Some(sign_method), ..Ledger::default() }));
        let shared = Arc::clone(&ledger);
        let server = Server::start(move |raw| Reaction::Answer(shared.lock().unwrap().answer(raw)));
        let report = run(&Plan { sign_method, charset, rate, retries: 0.3, conflicts: 0.1, ..plan(&server) });
        assert!(report.is_clean(), "{report}");
        assert_eq!(report.counts.requests(), REQUESTS);
        assert!(report.counts.replayed > 0 && report.counts.conflicts_refused > 0);
        let policies = ledger.lock().unwrap().policies.len();
        assert_eq!(report.counts.accepted, u64::try_from(policies).unwrap());
        let in_histogram: u64 = report.histogram.iter().map(|bucket| bucket.count).sum();
        assert_eq!(in_histogram, REQUESTS);
        assert_eq!(report.unsent, 0);
    }
}

#[test]
fn a_gateway_that_issues_twice_is_found_out() {
    let mut issued = 0;
    let server = Server::start(move |_| {
        issued += 1;
        Reaction::Answer(accepted(&format!("P{issued}")))
    });
    let report = run(&Plan { retries: 0.5, ..plan(&server) });
    assert!(!report.is_clean());
    assert!(report.counts.mismatched > 0, "{report}");
    assert!(report.troubles[0].starts_with("a repeat got another policyNo"));
}

#[test]
fn refusals_are_counted_and_quoted() {
    let mut ledger = Ledger::default();
    let server = Server::start(move |raw| Reaction::Answer(ledger.answer(raw)));
    let report = run(&Plan { secret: Secret::new("another"), ..plan(&server) });
    let expected = Counts { refused: REQUESTS, ..Counts::default() };
    assert_eq!(report.counts, expected);
    assert_eq!(report.troubles, ["sign-check-failure: no"]);
}

#[test]
fn a_closed_connection_is_opened_again() {
    let mut ledger = Ledger::default();
    let server = Server::start(move |raw| Reaction::AnswerAndClose(ledger.answer(raw)));
    let report = run(&plan(&server));
    assert_eq!(report.counts.accepted, REQUESTS, "{report}");
}

#[test]
fn what_is_not_answered_has_failed_and_the_run_goes_on() {
    let mut ledger = Ledger::default();
    let mut seen = 0;
    let server = Server::start(move |raw| {
        seen += 1;
        if seen % 10 == 0 { Reaction::HangUp } else { Reaction::Answer(ledger.answer(raw)) }
    });
    let report = run(&plan(&server));
    let expected = Counts { accepted: REQUESTS * 9 / 10, failed: REQUESTS / 10, ..Counts::default() };
    assert_eq!(report.counts, expected, "{report}");
}

#[test]
fn a_silent_gateway_ends_in_timeouts() {
    let server = Server::start(|_| Reaction::Silence);
    let report = run(&Plan { requests: Some(8), timeout: Duration::from_millis(20), ..plan(&server) });
    assert_eq!(report.counts.failed, 8);
    assert_eq!(report.troubles, ["no answer within 20ms"]);
}
