//! The worker: turns of one transaction with the ledger, and calls side by side between them.

use std::sync::Arc;
use std::time::Duration;

use baoqiao_channels::outbound::{Outbound, Verdict};
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::attempt::{Ended, Sender};
use super::backoff::{Backoff, later};
use super::lane::{Lane, LaneConfig};
use super::store::{AttemptVerdict, Claimed, Finished, Next, OutboxStore, Turn, Turned, Want};
use super::{Transport, Wake};
use crate::clock::Clock;
use crate::ledger::store::StoreError;
use crate::vault::Vault;

/// A lease is longer than the call by this: time to record it, also when the ledger is slow.
const LEASE_MARGIN_MS: u64 = 15_000;
/// A worker that nobody woke looks again after so long: another process may have written.
const LOOK_AGAIN_MS: u64 = 1_000;
/// A clock that goes back by more than this was set back; less is how clocks are kept right.
const CLOCK_SLACK_MS: u64 = 1_000;
/// How many notices are made due in one transaction: the ledger's own writing waits for as long.
const BRING_FORWARD: usize = 512;
/// No other side delays a notice for longer at a time.
const LONGEST_AFTER_MS: u64 = 3_600_000;

/// When what fails is tried again, and when no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The waits between attempts.
    pub backoff: Backoff,
    /// For how long a notice is tried, from its first attempt.
    pub max_age: Duration,
    /// How long calls under way may take to end when the worker stops.
    pub grace: Duration,
}

/// What the worker works with.
pub struct Tools {
    /// What signs and judges, one for each kind of notice.
    pub interfaces: &'static [&'static dyn Outbound],
    /// Sends.
    pub transport: Arc<dyn Transport>,
    /// Opens notices and seals answers.
    pub vault: Arc<Vault>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Uniform numbers, for the jitter and the worker's name.
    pub random: Box<dyn FnMut() -> u64 + Send>,
    /// Rung when notices were queued.
    pub wake: Wake,
}

enum Message {
    Ended(usize, Box<Ended>),
    /// A call that was not made, or whose task has failed: its lease runs out.
    Dropped(usize),
}

/// Sends what is due, until it is stopped.
pub struct Worker {
    /// `None` only while another thread uses it.
    store: Option<Box<dyn OutboxStore>>,
    lanes: Vec<Lane>,
    policy: Policy,
    sender: Arc<Sender>,
    clock: Arc<dyn Clock>,
    random: Box<dyn FnMut() -> u64 + Send>,
    wake: Wake,
    owner: Arc<str>,
    finished: Vec<Finished>,
    outcomes: mpsc::UnboundedSender<Message>,
    inbox: mpsc::UnboundedReceiver<Message>,
    healthy: bool,
    /// The last moment that was seen.
    seen: Timestamp,
    /// Whether the clock was set back, and what waits for a time that lies behind it has yet to be made due.
    clock_went_back: bool,
}

/// What one turn takes to the store's thread.
struct Errand {
    now: Timestamp,
    owner: Arc<str>,
    finished: Vec<Finished>,
    lanes: Vec<(String, usize, Timestamp)>,
    clock_went_back: bool,
}

impl Errand {
    fn run(&self, store: &mut dyn OutboxStore) -> Result<Turned, StoreError> {
        if self.clock_went_back {
            for (partner, ..) in &self.lanes {
                while store.bring_forward(partner, self.now, BRING_FORWARD)? == BRING_FORWARD {}
            }
        }
        if self.finished.is_empty() {
            // Looking costs next to nothing; writing would wait for the ledger's own.
            let partners: Vec<&str> = self.lanes.iter().map(|(partner, ..)| partner.as_str()).collect();
            let next_due = store.next_due(&partners)?;
            let is_due = |due: &Option<Timestamp>| due.is_some_and(|due| due <= self.now);
            if !next_due.iter().zip(&self.lanes).any(|(due, (_, limit, _))| *limit > 0 && is_due(due)) {
                return Ok(Turned { next_due, ..Turned::default() });
            }
        }
        let wants: Vec<Want<'_>> = self
            .lanes
            .iter()
            .map(|(partner, limit, lease_until)| Want { partner, limit: *limit, lease_until: *lease_until })
            .collect();
        store.turn(&Turn { now: self.now, owner: &self.owner, finished: &self.finished, wants: &wants })
    }
}

impl Worker {
    /// A worker for these lanes. Notices of partners without a lane wait.
    pub fn new(store: Box<dyn OutboxStore>, lanes: Vec<LaneConfig>, policy: Policy, mut tools: Tools) -> Self {
        let now = tools.clock.now();
        let owner = format!("{:016x}{:016x}", (tools.random)(), (tools.random)());
        let (outcomes, inbox) = mpsc::unbounded_channel();
        let sender = Sender {
            interfaces: tools.interfaces,
            transport: tools.transport,
            vault: tools.vault,
            clock: Arc::clone(&tools.clock),
        };
        Self {
            store: Some(store),
            lanes: lanes.into_iter().map(|lane| Lane::new(lane, now)).collect(),
            policy,
            sender: Arc::new(sender),
            clock: tools.clock,
            random: tools.random,
            wake: tools.wake,
            owner: owner.into(),
            finished: Vec::new(),
            outcomes,
            inbox,
            healthy: true,
            seen: now,
            clock_went_back: false,
        }
    }

    /// Works until `stop` completes, then lets calls under way end, and records them.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        while self.store.is_some() {
            let wake_at = self.turn(true).await;
            let wait = Duration::try_from(wake_at.duration_since(self.clock.now())).unwrap_or_default();
            let wait = wait.min(Duration::from_millis(LOOK_AGAIN_MS));
            tokio::select! {
                () = &mut stop => break,
                Some(message) = self.inbox.recv() => self.take(message),
                () = self.wake.rung() => {}
                // Also where there is nothing to wait for any more: what fell due meanwhile wakes nobody.
                () = tokio::time::sleep(wait) => {}
            }
            self.take_all();
        }
        self.wind_up().await;
    }

    fn take_all(&mut self) {
        while let Ok(message) = self.inbox.try_recv() {
            self.take(message);
        }
    }

    /// Records what has ended, begins what is due, and tells when to look again.
    async fn turn(&mut self, claiming: bool) -> Timestamp {
        let now = self.clock.now();
        self.watch_clock(now);
        let look_again = later(now, LOOK_AGAIN_MS);
        let Some(mut store) = self.store.take() else { return look_again };
        let errand = self.errand(now, claiming);
        let done = tokio::task::spawn_blocking(move || {
            let turned = errand.run(store.as_mut());
            (store, errand, turned)
        });
        match done.await {
            Ok((store, _, Ok(turned))) => {
                self.store = Some(store);
                self.clock_went_back = false;
                self.tell_health(None);
                self.begin(now, turned).min(look_again)
            }
            Ok((store, errand, Err(error))) => {
                self.store = Some(store);
                // Kept, to be recorded when the ledger takes it; a lease that runs out meanwhile is sent again.
                self.finished.splice(0..0, errand.finished);
                self.tell_health(Some(&error));
                look_again
            }
            Err(error) => {
                tracing::error!(%error, "the outbox has stopped: its store failed");
                look_again
            }
        }
    }

    /// Notices, pauses and leases have times to wait for; a clock that is set back would make them wait for longer. Our
    /// own are mended here. The lease of a worker that died waits for its old time: it may live in another process.
    fn watch_clock(&mut self, now: Timestamp) {
        if later(now, CLOCK_SLACK_MS) < self.seen {
            let by = self.seen.duration_since(now);
            tracing::warn!(by_s = by.as_secs(), "the clock was set back; notices that wait are tried now");
            self.clock_went_back = true;
            self.lanes.iter_mut().for_each(|lane| lane.clock_went_back(now));
        }
        self.seen = now;
    }

    fn errand(&mut self, now: Timestamp, claiming: bool) -> Errand {
        let lanes = self.lanes.iter_mut().map(|lane| {
            let timeout_ms = u64::try_from(lane.config.timeout.as_millis()).unwrap_or(u64::MAX);
            let lease_until = later(now, timeout_ms.saturating_add(LEASE_MARGIN_MS));
            (lane.config.partner.clone(), if claiming { lane.room(now) } else { 0 }, lease_until)
        });
        let lanes = lanes.collect();
        let finished = std::mem::take(&mut self.finished);
        Errand { now, owner: Arc::clone(&self.owner), finished, lanes, clock_went_back: self.clock_went_back }
    }

    fn tell_health(&mut self, error: Option<&StoreError>) {
        if std::mem::replace(&mut self.healthy, error.is_none()) != error.is_none() {
            if let Some(error) = error {
                tracing::error!(%error, "the outbox cannot be written");
            } else {
                tracing::info!("the outbox can be written again");
            }
        }
    }

    /// Begins the calls that were claimed; tells when there is more to do.
    fn begin(&mut self, now: Timestamp, turned: Turned) -> Timestamp {
        for id in turned.late {
            tracing::warn!(notice = id, "an attempt ended after its lease had run out; the notice is sent again");
        }
        for claimed in turned.claimed {
            self.spawn(now, claimed);
        }
        let openings = self.lanes.iter_mut().zip(turned.next_due).filter_map(|(lane, due)| {
            let (due, opens_at) = (due?, lane.opens_at(now)?);
            Some(due.max(opens_at))
        });
        openings.min().unwrap_or(Timestamp::MAX)
    }

    fn spawn(&mut self, now: Timestamp, claimed: Claimed) {
        let found = self.lanes.iter_mut().enumerate().find(|(_, lane)| lane.config.partner == claimed.partner);
        let Some((index, lane)) = found else { return };
        lane.begin(1);
        let config = Arc::clone(&lane.config);
        let timeout_ms = u64::try_from(config.timeout.as_millis()).unwrap_or(u64::MAX);
        let lease_until = later(now, timeout_ms.saturating_add(LEASE_MARGIN_MS));
        let sender = Arc::clone(&self.sender);
        let slot = Slot { lane: index, outcomes: self.outcomes.clone(), ended: None };
        tokio::spawn(async move {
            let ended = sender.attempt(claimed, &config, lease_until).await;
            slot.give_back(ended);
        });
    }

    /// Takes in what came of a call.
    fn take(&mut self, message: Message) {
        let (index, ended) = match message {
            Message::Ended(index, ended) => (index, Some(ended)),
            Message::Dropped(index) => (index, None),
        };
        let Some(lane) = self.lanes.get_mut(index) else { return };
        lane.end();
        let Some(ended) = ended else { return };
        let random = (self.random)();
        let (verdict, next) = judge(lane, &self.policy, &ended, random);
        let detail = match (next, ended.verdict) {
            (Next::Dead, Verdict::Retry { .. }) => format!("given up for its age; {}", ended.detail),
            _ => ended.detail,
        };
        if next == Next::Dead {
            let Claimed { id, kind, subject, .. } = &ended.claimed;
            tracing::error!(notice = id, kind, subject, detail, "notice given up; its subject waits for a person");
        }
        let duration_ms = ended.answered_at.as_millisecond() - ended.started_at.as_millisecond();
        self.finished.push(Finished {
            id: ended.claimed.id,
            leased_at: ended.claimed.leased_at,
            started_at: ended.started_at,
            duration_ms: u64::try_from(duration_ms).unwrap_or(0),
            verdict,
            detail,
            response: ended.response,
            next,
        });
    }

    /// Lets calls under way end, for as long as there is grace, and records them.
    async fn wind_up(&mut self) {
        let grace = self.policy.grace;
        let all_in = async {
            while self.lanes.iter().any(|lane| lane.in_flight > 0) {
                let Some(message) = self.inbox.recv().await else { return };
                self.take(message);
            }
        };
        if tokio::time::timeout(grace, all_in).await.is_err() {
            tracing::warn!("calls were cut off at the end of the grace period; they are made again");
        }
        if !self.finished.is_empty() {
            self.turn(false).await;
        }
    }
}

/// What becomes of a notice and of its lane.
fn judge(lane: &mut Lane, policy: &Policy, ended: &Ended, random: u64) -> (AttemptVerdict, Next) {
    let (started_at, now) = (ended.started_at, ended.answered_at);
    match ended.verdict {
        Verdict::Delivered => {
            lane.answered();
            (AttemptVerdict::Delivered, Next::Delivered)
        }
        Verdict::Dead => {
            lane.answered();
            (AttemptVerdict::Dead, Next::Dead)
        }
        Verdict::SlowDown { pause } => {
            let resumes_at = lane.slow_down(pause, started_at, now, random);
            let spread = policy.backoff.delay_ms(1, random.rotate_left(32));
            (AttemptVerdict::SlowDown, Next::SlowedUntil(later(resumes_at, spread)))
        }
        Verdict::Retry { after } => {
            if lane.failed(started_at, now, random) {
                tracing::warn!(partner = lane.config.partner, detail = ended.detail, "the platform seems to be down");
            }
            let first_try = ended.claimed.first_try.unwrap_or(started_at);
            let age = Duration::try_from(now.duration_since(first_try)).unwrap_or_default();
            if age >= policy.max_age {
                return (AttemptVerdict::Dead, Next::Dead);
            }
            let failures = ended.claimed.tries.saturating_add(1);
            let asked_ms = after.and_then(|after| u64::try_from(after.as_millis()).ok()).unwrap_or(0);
            let at = policy.backoff.next(now, failures, random).max(later(now, asked_ms.min(LONGEST_AFTER_MS)));
            (AttemptVerdict::Retry, Next::RetryAt(at))
        }
    }
}

/// A place in a lane, given back also when the call's task fails.
struct Slot {
    lane: usize,
    outcomes: mpsc::UnboundedSender<Message>,
    ended: Option<Box<Ended>>,
}

impl Slot {
    fn give_back(mut self, ended: Option<Ended>) {
        self.ended = ended.map(Box::new);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let message = match self.ended.take() {
            Some(ended) => Message::Ended(self.lane, ended),
            None => Message::Dropped(self.lane),
        };
        // A worker that is gone records nothing: the lease runs out.
        let _ = self.outcomes.send(message);
    }
}
