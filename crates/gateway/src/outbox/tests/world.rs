//! A world of its own for each test: a ledger in a directory, a clock that only the test moves, and a platform that
//! does as it is told. It fails a test that ends with open notices that the test did not expect.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use baoqiao_channels::access::Secret;
use baoqiao_channels::channel::{Examples, Label};
use baoqiao_channels::outbound::{
    AnswerFormat, Judgement, Outbound, OutboundRequest, OutboundResponse, TopApp, Verdict, WrongInterface,
};
use baoqiao_channels::sign_method::SignMethod;
use baoqiao_domain::notice::{Notice, NoticeContent, NoticeKind};
use bytes::Bytes;
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::ledger::backend::Backend;
use crate::ledger::fixture::{Database, off_runtime};
use crate::ledger::lists::Slice;
use crate::ledger::store::StoreError;
use crate::outbox::store::{
    AttemptRecord, Filter, NoticeRecord, NoticeRow, NoticeState, Notices, OutboxStore, Resent, Skipped, Turn, Turned,
};
use crate::outbox::{Backoff, Desk, LaneConfig, Policy, Sending, Tools, Transport, Wake, Worker};
use crate::vault::tests::vault;
use crate::vault::{Purpose, Vault};

pub(super) const START: Timestamp = Timestamp::constant(1_767_323_045, 0);
/// What a call may take, and until when it is leased.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const LEASE: Duration = Duration::from_secs(25);

/// Time as tokio's paused clock has it: it stands while anything works, and leaps when all sleep.
#[derive(Clone)]
pub(super) struct TestClock(Instant, Arc<AtomicI64>);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let set_by = SignedDuration::from_secs(self.1.load(Ordering::Relaxed));
        START + SignedDuration::try_from(self.0.elapsed()).unwrap() + set_by
    }
}

/// A call as the platform saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) url: String,
    pub(super) subject: String,
    pub(super) mark: u32,
    /// Seconds since the start.
    pub(super) at_s: i64,
}

/// What the platform does with a call.
pub(super) enum Reaction {
    Answer(&'static str),
    AnswerAfter(Duration, &'static str),
    Down,
    Hang,
}

type Script = Box<dyn Fn(&Call, usize) -> Reaction + Send + Sync>;

/// A platform that does as it is told, and takes notes.
pub(super) struct Platform {
    script: Mutex<Script>,
    clock: TestClock,
    calls: Mutex<Vec<Call>>,
    under_way: Mutex<HashMap<String, usize>>,
}

/// A call that is under way, also while its sender is being dropped.
struct UnderWay<'a>(&'a Platform, String);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        *self.0.under_way.lock().unwrap().get_mut(&self.1).unwrap() -= 1;
    }
}

impl Transport for Platform {
    fn send<'a>(&'a self, url: &'a str, request: OutboundRequest) -> Sending<'a> {
        let body = String::from_utf8(request.body.to_vec()).unwrap();
        let (subject, mark) = body.rsplit_once(' ').unwrap();
        let at_s = (self.clock.now() - START).get_seconds();
        let call = Call { url: url.to_owned(), subject: subject.to_owned(), mark: mark.parse().unwrap(), at_s };
        let nth = {
            let mut calls = self.calls.lock().unwrap();
            calls.push(call.clone());
            calls.len()
        };
        let reaction = (self.script.lock().unwrap())(&call, nth);
        Box::pin(async move {
            let count = {
                let mut under_way = self.under_way.lock().unwrap();
                let count = under_way.entry(call.subject.clone()).or_default();
                *count += 1;
                *count
            };
            let _under_way = UnderWay(self, call.subject.clone());
            assert_eq!(count, 1, "{} has two notices under way", call.subject);
            let answer = |text: &'static str| OutboundResponse::Answer {
                status: 200,
                headers: HeaderMap::new(),
                body: Bytes::from_static(text.as_bytes()),
            };
            match reaction {
                Reaction::Answer(text) => answer(text),
                Reaction::AnswerAfter(time, text) => {
                    tokio::time::sleep(time).await;
                    answer(text)
                }
                Reaction::Down => OutboundResponse::NetworkFailed { detail: "connection refused".to_owned() },
                Reaction::Hang => std::future::pending().await,
            }
        })
    }
}

/// An interface whose requests say what they are, and whose answers say what they mean.
struct Plain;

impl Outbound for Plain {
    fn kind(&self) -> NoticeKind {
        NoticeKind::SurrenderSync
    }

    fn label(&self) -> Label {
        Label { zh: "plain", en: "plain" }
    }

    fn method(&self) -> &'static str {
        "plain"
    }

    fn examples(&self) -> Examples {
        Examples { request: "", answer: "" }
    }

    fn request(&self, notice: &Notice, _: &TopApp, _: Timestamp) -> Result<OutboundRequest, WrongInterface> {
        let NoticeContent::SurrenderSync(content) = &notice.content else { panic!("another kind") };
        let mark = content.endorsement_no.as_deref().unwrap();
        let body = format!("{} {mark}", notice.subject).into();
        Ok(OutboundRequest { query: String::new(), headers: HeaderMap::new(), body })
    }

    fn verdict(&self, response: &OutboundResponse) -> Judgement {
        let text = match response {
            OutboundResponse::Answer { body, .. } => String::from_utf8(body.to_vec()).unwrap(),
            OutboundResponse::TimedOut => "timed out".to_owned(),
            OutboundResponse::NetworkFailed { detail } => detail.clone(),
        };
        let seconds = |text: &str| Some(SignedDuration::from_secs(text.parse().unwrap()));
        let verdict = match text.split_once(' ') {
            _ if text == "ok" => Verdict::Delivered,
            _ if text == "no" => Verdict::Dead,
            _ if text == "slow" => Verdict::SlowDown { pause: None },
            Some(("slow", pause)) => Verdict::SlowDown { pause: seconds(pause) },
            Some(("after", after)) => Verdict::Retry { after: seconds(after) },
            _ => Verdict::Retry { after: None },
        };
        Judgement { verdict, rule: "plain", detail: text }
    }
}

pub(super) struct World {
    pub(super) database: Database,
    backend: Backend,
    pub(super) clock: TestClock,
    pub(super) vault: Arc<Vault>,
    pub(super) platform: Arc<Platform>,
    pub(super) wake: Wake,
    pub(super) lanes: Vec<LaneConfig>,
    pub(super) policy: Policy,
    expected_open: u64,
}

pub(super) fn lane(partner: &str, calls_per_second: u32) -> LaneConfig {
    let app = TopApp {
        app_key: partner.to_owned(),
        secret: Secret::new("s"),
        sign_method: SignMethod::Md5,
        format: AnswerFormat::Json,
        session: None,
        partner_id: None,
        target_app_key: None,
    };
    LaneConfig {
        partner: partner.to_owned(),
        url: format!("https://{partner}.test/router/rest"),
        app,
        calls_per_second,
        burst: calls_per_second,
        concurrency: 16,
        timeout: TIMEOUT,
    }
}

impl World {
    /// A world whose platform answers as `script` says: it is told the call and its number, from 1.
    pub(super) fn new(database: Database, script: impl Fn(&Call, usize) -> Reaction + Send + Sync + 'static) -> Self {
        let vault = Arc::new(vault());
        let backend = database.open(&vault);
        let clock = TestClock(Instant::now(), Arc::default());
        let platform = Platform {
            script: Mutex::new(Box::new(script)),
            clock: clock.clone(),
            calls: Mutex::default(),
            under_way: Mutex::default(),
        };
        Self {
            database,
            backend,
            clock,
            vault,
            platform: Arc::new(platform),
            wake: Wake::default(),
            lanes: vec![lane("alibaba", 1_000)],
            policy: Policy {
                backoff: Backoff { first_ms: 1_000, longest_ms: 300_000 },
                max_age: Duration::from_hours(72),
                grace: Duration::from_secs(30),
            },
            expected_open: 0,
        }
    }

    /// How many notices the test may leave open.
    pub(super) fn expect_open(&mut self, count: u64) {
        self.expected_open = count;
    }

    /// Sets the clock forward, or back where `seconds` are negative.
    pub(super) fn set_clock(&self, seconds: i64) {
        self.clock.1.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(super) fn store(&self) -> Box<dyn OutboxStore> {
        Box::new(OffRuntime(self.backend.outbox().unwrap()))
    }

    pub(super) fn desk(&self) -> Desk {
        Desk::new(self.store(), self.notices(), self.wake.clone(), Arc::new(self.clock.clone()))
    }

    pub(super) fn notices(&self) -> Arc<dyn Notices> {
        Arc::new(OffRuntime(self.backend.readers().notices))
    }

    pub(super) fn tools(&self) -> Tools {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        Tools {
            interfaces: &[&Plain],
            transport: Arc::clone(&self.platform) as Arc<dyn Transport>,
            vault: Arc::clone(&self.vault),
            clock: Arc::new(self.clock.clone()),
            random: Box::new(move || {
                // A splitmix step: uniform, and the same in every run.
                state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB)
            }),
            wake: self.wake.clone(),
        }
    }

    pub(super) fn worker(&self) -> Worker {
        Worker::new(self.store(), self.lanes.clone(), self.policy, self.tools())
    }

    /// Lets a worker work for so long.
    pub(super) async fn run_for(&self, time: Duration) {
        self.worker().run(tokio::time::sleep(time)).await;
    }

    pub(super) fn row(&self, partner: &str, subject: &str, mark: u32) -> NoticeRow {
        let content =
            format!(r#"{{"kind":"surrender-sync","content":{{"instPolicyId":"{subject}","endorsementNo":"{mark}"}}}}"#);
        NoticeRow {
            kind: NoticeKind::SurrenderSync.as_str(),
            subject: subject.to_owned(),
            partner: partner.to_owned(),
            content: self.vault.seal(Purpose::Notice, content.as_bytes()).unwrap(),
            cause_message_id: None,
        }
    }

    /// Queues notices of alibaba's, in order.
    pub(super) fn queue<'a>(&self, notices: impl IntoIterator<Item = (&'a str, u32)>) {
        let rows: Vec<NoticeRow> =
            notices.into_iter().map(|(subject, mark)| self.row("alibaba", subject, mark)).collect();
        self.store().queue(&rows, self.clock.now()).unwrap();
        self.wake.ring();
    }

    pub(super) fn script(&self, script: impl Fn(&Call, usize) -> Reaction + Send + Sync + 'static) {
        *self.platform.script.lock().unwrap() = Box::new(script);
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.platform.calls.lock().unwrap().clone()
    }

    /// The marks that were sent for a subject, in order.
    pub(super) fn sent(&self, subject: &str) -> Vec<u32> {
        self.calls().into_iter().filter(|call| call.subject == subject).map(|call| call.mark).collect()
    }

    pub(super) fn count(&self, state: NoticeState) -> u64 {
        self.desk().count(&Filter { state: Some(state), ..Filter::default() }).unwrap().count
    }

    /// The number of the notice that was queued as the `nth`, from 1; 0, which none has, where there is no such.
    pub(super) fn nth(&self, nth: usize) -> u64 {
        let ids = self.desk().matching(&Filter::default()).unwrap();
        ids.get(nth - 1).copied().unwrap_or(0)
    }

    /// The notice that was queued as the `nth`, from 1.
    pub(super) fn notice(&self, nth: usize) -> NoticeRecord {
        self.desk().show(self.nth(nth)).unwrap().unwrap().0
    }
}

/// A store that may be used where asynchronous work is driven.
struct OffRuntime<S>(S);

impl OutboxStore for OffRuntime<Box<dyn OutboxStore>> {
    fn queue(&mut self, rows: &[NoticeRow], at: Timestamp) -> Result<(), StoreError> {
        off_runtime(|| self.0.queue(rows, at))
    }

    fn next_due(&mut self, partners: &[&str]) -> Result<Vec<Option<Timestamp>>, StoreError> {
        off_runtime(|| self.0.next_due(partners))
    }

    fn turn(&mut self, turn: &Turn<'_>) -> Result<Turned, StoreError> {
        off_runtime(|| self.0.turn(turn))
    }

    fn bring_forward(&mut self, partner: &str, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        off_runtime(|| self.0.bring_forward(partner, now, limit))
    }

    fn resend(&mut self, ids: &[u64], now: Timestamp) -> Result<Resent, StoreError> {
        off_runtime(|| self.0.resend(ids, now))
    }

    fn skip(&mut self, ids: &[u64], now: Timestamp) -> Result<Skipped, StoreError> {
        off_runtime(|| self.0.skip(ids, now))
    }
}

impl Notices for OffRuntime<Arc<dyn Notices>> {
    fn list(&self, filter: &Filter, limit: usize) -> Result<Slice<NoticeRecord, u64>, StoreError> {
        off_runtime(|| self.0.list(filter, limit))
    }

    fn ids(&self, filter: &Filter) -> Result<Slice<u64, u64>, StoreError> {
        off_runtime(|| self.0.ids(filter))
    }

    fn show(&self, id: u64) -> Result<Option<(NoticeRecord, Vec<AttemptRecord>)>, StoreError> {
        off_runtime(|| self.0.show(id))
    }

    fn queues(&self, limit: usize) -> Result<Vec<NoticeRecord>, StoreError> {
        off_runtime(|| self.0.queues(limit))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let open = self.count(NoticeState::Pending) + self.count(NoticeState::Dead);
        assert_eq!(open, self.expected_open, "the test ends with open notices that it did not expect");
    }
}
