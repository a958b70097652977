//! What is kept for a time goes when it is over, and takes nothing with it.

use jiff::SignedDuration;

use super::*;
use crate::ledger::retention::{PIECE, Periods, Sweeper};
use crate::outbox::store::{AttemptVerdict, Finished, Next, NoticeRow, OutboxStore, Turn, Want};

const DAY: SignedDuration = SignedDuration::from_hours(24);

impl World {
    /// Forgets what is older than these periods, to the end of one round.
    fn sweep(&self, database: &Database, periods: Periods) {
        let backend = database.open(&self.vault);
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        off_runtime(move || {
            let mut sweeper = Sweeper::new(backend.retention().unwrap(), clock, periods);
            while sweeper.step().unwrap() {}
        });
    }
}

async fn old_messages_go_and_their_retries_are_answered_as_ever(database: Database) {
    let world = World::open(&database);
    let days = |days| Periods { messages: Some(DAY * days), attempts: None };
    world.sweep(&database, days(1));
    let first = world.submit(json!({})).await;
    assert_eq!(world.submit(json!({"amount": "1019"})).await.verdict, Verdict::Conflicting);
    // More than one piece.
    let count = PIECE + 1;
    for n in 0..count {
        world.submit(json!({"identifier": format!("old {n}")})).await;
    }
    world.clock.set("2026-01-04T03:04:05Z");
    world.submit(json!({"identifier": "new"})).await;
    let messages = || database.count("SELECT count(*) FROM messages");
    world.sweep(&database, days(3));
    assert_eq!(usize::try_from(messages()).unwrap(), count + 3, "nothing is older than three days");
    let backend = database.open(&world.vault);
    let clock = Arc::clone(&world.clock) as Arc<dyn Clock>;
    off_runtime(move || {
        let mut sweeper = Sweeper::new(backend.retention().unwrap(), clock, days(1));
        assert!(sweeper.step().unwrap() && sweeper.step().unwrap(), "one step begins, the next forgets a piece");
    });
    assert_eq!(usize::try_from(messages()).unwrap(), count + 3 - PIECE, "no step holds issuing up for more");
    world.sweep(&database, days(1));
    assert_eq!(messages(), 1);
    let again = world.submit(json!({})).await;
    assert_eq!((again.verdict, again.reply), (Verdict::Replayed, first.reply));
    assert_eq!(world.submit(json!({"amount": "1019"})).await.verdict, Verdict::Conflicting);
    assert_eq!(world.findings(), []);
    world.close().await;
}

async fn a_clock_that_leaps_ahead_forgets_nothing(database: Database) {
    let world = World::open(&database);
    world.submit(json!({})).await;
    world.clock.set("2099-01-01T00:00:00Z");
    world.sweep(&database, Periods { messages: Some(DAY), attempts: Some(DAY) });
    assert_eq!(database.count("SELECT count(*) FROM messages"), 1);
    world.close().await;
}

/// The outbox of a world, in times that the test says.
struct Outbox<'a> {
    world: &'a World,
    database: &'a Database,
    store: Box<dyn OutboxStore>,
}

impl<'a> Outbox<'a> {
    fn of(world: &'a World, database: &'a Database) -> Self {
        Self { world, database, store: database.open(&world.vault).outbox().unwrap() }
    }

    fn queue(&mut self, subject: &str, at: Timestamp) {
        let row = NoticeRow {
            kind: "surrender-sync",
            subject: subject.to_owned(),
            partner: "alibaba".to_owned(),
            content: self.world.vault.seal(Purpose::Notice, b"{}").unwrap(),
            cause_message_id: None,
        };
        off_runtime(|| self.store.queue(&[row], at)).unwrap();
    }

    /// Tries the one notice that is due.
    fn attempt(&mut self, at: Timestamp, verdict: AttemptVerdict, next: Next) -> u64 {
        let wants = [Want { partner: "alibaba", limit: 9, lease_until: at + DAY }];
        let claim = Turn { now: at, owner: "w", finished: &[], wants: &wants };
        let claimed = off_runtime(|| self.store.turn(&claim)).unwrap().claimed;
        let [claimed] = &claimed[..] else { panic!("{} claimed", claimed.len()) };
        let finished = Finished {
            id: claimed.id,
            leased_at: claimed.leased_at,
            started_at: at,
            duration_ms: 1,
            verdict,
            detail: String::new(),
            response: None,
            next,
        };
        off_runtime(|| self.store.turn(&Turn { now: at, owner: "w", finished: &[finished], wants: &[] })).unwrap();
        claimed.id
    }

    fn deliver(&mut self, subject: &str, at: Timestamp) -> u64 {
        self.queue(subject, at);
        self.attempt(at, AttemptVerdict::Delivered, Next::Delivered)
    }

    /// The numbers of the attempts that are there, summed.
    fn attempts(&self, id: u64) -> i64 {
        self.database.count(&format!("SELECT coalesce(sum(number), 0) FROM attempts WHERE notice_id = {id}"))
    }

    /// How many notices another round would look at.
    fn looked_at(&self) -> i64 {
        let left = "SELECT count(*) FROM notices \
                    WHERE state IN ('delivered', 'skipped') AND attempts > attempts_forgotten";
        self.database.count(left)
    }
}

/// A message that arrives then: age counts back from the newest.
async fn newest(world: &World, at: Timestamp) {
    world.clock.set(&at.to_string());
    world.submit(json!({"identifier": at.to_string()})).await;
}

const ATTEMPTS_A_DAY: Periods = Periods { messages: None, attempts: Some(DAY) };

async fn attempts_at_closed_notices_go_and_others_stay(database: Database) {
    let world = World::open(&database);
    let start = world.clock.now();
    let mut outbox = Outbox::of(&world, &database);
    // Numbers do not rise with time: a gateway keeps a block of them for as long as it runs.
    let new = outbox.deliver("policy:new", start + DAY * 2);
    let old = outbox.deliver("policy:old", start);
    outbox.queue("policy:dead", start);
    let dead = outbox.attempt(start, AttemptVerdict::Dead, Next::Dead);
    newest(&world, start + DAY * 2 + SignedDuration::from_hours(1)).await;
    world.sweep(&database, ATTEMPTS_A_DAY);
    assert_eq!([old, dead, new].map(|id| outbox.attempts(id)), [0, 1, 1]);
    assert_eq!(outbox.looked_at(), 1, "what is done with is not looked at again");
    assert_eq!(database.count("SELECT count(*) FROM notices"), 3);
    assert_eq!(database.count("SELECT count(*) FROM messages"), 1);
    newest(&world, start + DAY * 4).await;
    world.sweep(&database, ATTEMPTS_A_DAY);
    assert_eq!([old, dead, new].map(|id| outbox.attempts(id)), [0, 1, 0]);
    world.close().await;
}

async fn attempts_at_what_is_sent_again_go_when_that_is_old(database: Database) {
    let world = World::open(&database);
    let start = world.clock.now();
    let mut outbox = Outbox::of(&world, &database);
    let (again, open) = (outbox.deliver("policy:again", start), outbox.deliver("policy:open", start));
    newest(&world, start + DAY * 2).await;
    let later = start + DAY * 2;
    off_runtime(|| outbox.store.resend(&[open], later)).unwrap();
    world.sweep(&database, ATTEMPTS_A_DAY);
    assert_eq!([again, open].map(|id| outbox.attempts(id)), [0, 1], "what is open again is whole");
    outbox.attempt(later, AttemptVerdict::Delivered, Next::Delivered);
    off_runtime(|| outbox.store.resend(&[again], later)).unwrap();
    outbox.attempt(later, AttemptVerdict::Delivered, Next::Delivered);
    assert_eq!([again, open].map(|id| outbox.attempts(id)), [2, 3]);
    world.sweep(&database, ATTEMPTS_A_DAY);
    assert_eq!([again, open].map(|id| outbox.attempts(id)), [2, 3], "they were closed a moment ago");
    newest(&world, later + DAY * 2).await;
    world.sweep(&database, ATTEMPTS_A_DAY);
    assert_eq!([again, open].map(|id| outbox.attempts(id)), [0, 0]);
    assert_eq!(outbox.looked_at(), 0);
    world.close().await;
}

async fn no_piece_holds_more_attempts_than_others_may_wait_for(database: Database) {
    let world = World::open(&database);
    let start = world.clock.now();
    let mut outbox = Outbox::of(&world, &database);
    for n in 0..3 {
        outbox.queue(&format!("policy:{n}"), start + SignedDuration::from_secs(n));
        for _ in 0..2 {
            outbox.attempt(start + SignedDuration::from_secs(n), AttemptVerdict::Retry, Next::RetryAt(start));
        }
        outbox.attempt(start + SignedDuration::from_secs(n), AttemptVerdict::Delivered, Next::Delivered);
    }
    let mut retention = database.open(&world.vault).retention().unwrap();
    let mut forget = |limit| off_runtime(|| retention.forget_attempts(start + DAY, limit)).unwrap();
    assert_eq!([forget(8), forget(2), forget(8)], [2, 1, 0], "and one notice's at least");
    assert_eq!(database.count("SELECT count(*) FROM attempts"), 0);
    world.close().await;
}

on_both_databases! {
    tokio::test;
    old_messages_go_and_their_retries_are_answered_as_ever,
    a_clock_that_leaps_ahead_forgets_nothing,
    attempts_at_closed_notices_go_and_others_stay,
    attempts_at_what_is_sent_again_go_when_that_is_old,
    no_piece_holds_more_attempts_than_others_may_wait_for,
}
