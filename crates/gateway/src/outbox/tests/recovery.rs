//! Outages, crashes and a ledger that cannot be written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use jiff::Timestamp;

use super::*;
use crate::ledger::store::StoreError;
use crate::outbox::store::{NoticeRow, OutboxStore, Turn, Turned};
use crate::outbox::{Tools, Worker};
use world::TestClock;

#[tokio::test(start_paused = true)]
async fn an_outage_of_a_day_drains_in_order_with_nothing_lost_or_given_up() {
    outage(Database::sqlite(), 24).await;
}

/// Shorter, since each of its thousands of turns takes a server's time.
#[tokio::test(start_paused = true)]
async fn an_outage_drains_in_order_from_a_server_too() {
    if let Some(database) = Database::postgres() {
        outage(database, 2).await;
    }
}

async fn outage(database: Database, hours: u64) {
    let end_s = i64::try_from(hours * 3_600).unwrap();
    let world = World::new(database, move |call, nth| match call.at_s {
        at_s if at_s >= end_s => Reaction::Answer("ok"),
        _ if nth % 3 == 0 => Reaction::Hang,
        _ => Reaction::Down,
    });
    let subjects: Vec<String> = (0..40).map(|n| format!("s{n}")).collect();
    world.queue((1..=3).flat_map(|mark| subjects.iter().map(move |subject| (subject.as_str(), mark))));
    world.run_for(Duration::from_hours(hours / 2)).await;
    world.queue((4..=6).flat_map(|mark| subjects.iter().map(move |subject| (subject.as_str(), mark))));
    world.run_for(Duration::from_hours(hours / 2)).await;
    let (during, hours) = (world.calls().len(), usize::try_from(hours).unwrap());
    assert!((40 * hours..420 * hours).contains(&during), "{during} calls to a platform that is down");
    world.run_for(10 * MINUTE).await;
    let after: Vec<Call> = world.calls().into_iter().filter(|call| call.at_s >= end_s).collect();
    assert_eq!(after.len(), 40 * 6, "each once");
    for subject in &subjects {
        let marks: Vec<u32> = after.iter().filter(|call| call.subject == *subject).map(|call| call.mark).collect();
        assert_eq!(marks, [1, 2, 3, 4, 5, 6]);
    }
    assert_eq!(world.count(NoticeState::Delivered), 240);
}

async fn a_worker_killed_between_send_and_record_sends_again(database: Database) {
    let world = World::new(database, |_, _| Reaction::AnswerAfter(Duration::from_secs(2), "ok"));
    world.queue([("a", 1), ("a", 2)]);
    let worker = tokio::spawn(world.worker().run(std::future::pending()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.sent("a"), [1], "it has been sent");
    worker.abort();
    assert!(worker.await.unwrap_err().is_cancelled());
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.run_for(MINUTE).await;
    assert_eq!(world.sent("a"), [1, 1, 2]);
    let again_at_s = world.calls()[1].at_s;
    assert!(again_at_s >= i64::try_from(LEASE.as_secs()).unwrap(), "at {again_at_s} s, before the lease ran out");
    let (notice, attempts) = world.desk().show(world.nth(1)).unwrap().unwrap();
    assert_eq!(notice.attempts, 2);
    let verdicts: Vec<AttemptVerdict> = attempts.iter().map(|attempt| attempt.verdict).collect();
    assert_eq!(verdicts, [AttemptVerdict::Lost, AttemptVerdict::Delivered]);
}

async fn a_worker_that_stops_lets_its_calls_end_and_records_them(database: Database) {
    let mut world = World::new(database, |_, _| Reaction::AnswerAfter(Duration::from_secs(5), "ok"));
    world.queue([("a", 1), ("a", 2)]);
    world.run_for(Duration::from_secs(1)).await;
    assert_eq!(world.notice(1).state, NoticeState::Delivered);
    assert_eq!(world.sent("a"), [1], "nothing new is begun");
    world.expect_open(1);
}

/// A store that cannot write while it is told so, and takes its time.
struct Fallible {
    inner: Box<dyn OutboxStore>,
    failing: Arc<AtomicBool>,
    slowness: Slowness,
}

/// Time that passes while the store works; the paused clock by itself stands then.
#[derive(Clone, Default)]
struct Slowness {
    each_ms: i64,
    total_ms: Arc<AtomicI64>,
}

impl Slowness {
    fn pass(&self) {
        self.total_ms.fetch_add(self.each_ms, Ordering::Relaxed);
    }
}

struct SlowedClock(TestClock, Slowness);

impl Clock for SlowedClock {
    fn now(&self) -> Timestamp {
        self.0.now() + SignedDuration::from_millis(self.1.total_ms.load(Ordering::Relaxed))
    }
}

impl OutboxStore for Fallible {
    fn queue(&mut self, rows: &[NoticeRow], at: Timestamp) -> Result<(), StoreError> {
        self.inner.queue(rows, at)
    }

    fn next_due(&mut self, partners: &[&str]) -> Result<Vec<Option<Timestamp>>, StoreError> {
        self.slowness.pass();
        self.inner.next_due(partners)
    }

    fn turn(&mut self, turn: &Turn<'_>) -> Result<Turned, StoreError> {
        if self.failing.load(Ordering::Relaxed) {
            return Err(StoreError { context: "recording", reason: "disk full".to_owned() });
        }
        self.slowness.pass();
        self.inner.turn(turn)
    }

    fn bring_forward(&mut self, partner: &str, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.inner.bring_forward(partner, now, limit)
    }

    fn resend(&mut self, ids: &[u64], now: Timestamp) -> Result<Resent, StoreError> {
        self.inner.resend(ids, now)
    }

    fn skip(&mut self, ids: &[u64], now: Timestamp) -> Result<Skipped, StoreError> {
        self.inner.skip(ids, now)
    }
}

async fn what_the_ledger_cannot_take_is_recorded_when_it_can(database: Database) {
    let failing = Arc::new(AtomicBool::new(false));
    let world = World::new(database, {
        let failing = Arc::clone(&failing);
        move |_, nth| {
            failing.store(nth == 1, Ordering::Relaxed);
            Reaction::Answer("ok")
        }
    });
    world.queue([("a", 1), ("a", 2)]);
    let store = Fallible { inner: world.store(), failing: Arc::clone(&failing), slowness: Slowness::default() };
    let worker = Worker::new(Box::new(store), world.lanes.clone(), world.policy, world.tools());
    let worker = tokio::spawn(worker.run(tokio::time::sleep(MINUTE)));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(world.sent("a"), [1]);
    failing.store(false, Ordering::Relaxed);
    worker.await.unwrap();
    assert_eq!(world.sent("a"), [1, 2], "nothing twice");
}

async fn what_falls_due_while_the_worker_looks_is_sent(database: Database) {
    let world = World::new(database, ok);
    let slowness = Slowness { each_ms: 5, ..Slowness::default() };
    // The worker looks again after a second, a moment before this is due, and it is due when the look is over.
    let due = START + SignedDuration::from_millis(1_003);
    world.store().queue(&[world.row("alibaba", "a", 1)], due).unwrap();
    let store = Fallible { inner: world.store(), failing: Arc::default(), slowness: slowness.clone() };
    let clock = Arc::new(SlowedClock(world.clock.clone(), slowness));
    let tools = Tools { clock, ..world.tools() };
    let worker = Worker::new(Box::new(store), world.lanes.clone(), world.policy, tools);
    worker.run(tokio::time::sleep(MINUTE)).await;
    assert_eq!(world.sent("a"), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_delays_nothing() {
    // One pauses the whole lane, the other its notice alone.
    for answer in ["slow 600", "after 600"] {
        let world =
            World::new(Database::sqlite(), move |_, nth| Reaction::Answer(if nth == 1 { answer } else { "ok" }));
        world.queue([("a", 1), ("a", 2)]);
        let worker = tokio::spawn(world.worker().run(tokio::time::sleep(MINUTE)));
        tokio::time::sleep(MINUTE / 2).await;
        assert_eq!(world.sent("a"), [1], "the platform wants no call for ten minutes");
        world.set_clock(-3_600);
        tokio::time::sleep(MINUTE / 4).await;
        world.queue([("b", 1)]);
        worker.await.unwrap();
        assert_eq!((world.sent("a"), world.sent("b")), (vec![1, 1, 2], vec![1]), "{answer}");
    }
}

async fn a_call_under_way_while_the_clock_is_set_back_is_recorded_once(database: Database) {
    let world = World::new(database, |_, _| Reaction::AnswerAfter(Duration::from_secs(8), "ok"));
    world.queue([("a", 1), ("a", 2)]);
    let worker = tokio::spawn(world.worker().run(tokio::time::sleep(MINUTE)));
    tokio::time::sleep(Duration::from_secs(4)).await;
    world.set_clock(-86_400);
    worker.await.unwrap();
    assert_eq!(world.sent("a"), [1, 2], "nothing twice");
    let (_, attempts) = world.desk().show(world.nth(1)).unwrap().unwrap();
    assert_eq!((attempts.len(), attempts[0].duration_ms), (1, 0), "a time that ran backwards is none");
}

async fn bringing_forward_goes_in_steps_and_leaves_what_is_under_way(database: Database) {
    let mut world = World::new(database, ok);
    world.queue((0..5).map(|n| ["a", "b", "c", "d", "e"][n]).zip(1..));
    let mut store = world.store();
    let wants = [crate::outbox::store::Want { partner: "alibaba", limit: 1, lease_until: world.clock.now() + LEASE }];
    let turn = Turn { now: world.clock.now(), owner: "w", finished: &[], wants: &wants };
    assert_eq!(store.turn(&turn).unwrap().claimed.len(), 1);
    let earlier = world.clock.now() - SignedDuration::from_hours(1);
    let steps: Vec<usize> = (0..4).map(|_| store.bring_forward("alibaba", earlier, 3).unwrap()).collect();
    assert_eq!(steps, [3, 1, 0, 0]);
    assert_eq!(store.bring_forward("another", earlier, 3).unwrap(), 0);
    let wants = [crate::outbox::store::Want { limit: 10, ..wants[0].clone() }];
    assert_eq!(store.turn(&Turn { now: earlier, wants: &wants, ..turn }).unwrap().claimed.len(), 4);
    world.expect_open(5);
}

on_both_databases! {
    tokio::test(start_paused = true);
    a_worker_killed_between_send_and_record_sends_again,
    a_worker_that_stops_lets_its_calls_end_and_records_them,
    what_the_ledger_cannot_take_is_recorded_when_it_can,
    what_falls_due_while_the_worker_looks_is_sent,
    a_call_under_way_while_the_clock_is_set_back_is_recorded_once,
    bringing_forward_goes_in_steps_and_leaves_what_is_under_way,
}
