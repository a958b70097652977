//! What is kept for a time goes when it is over, and takes nothing with it.

use jiff::SignedDuration;

use super::*;
use crate::ledger::retention::{PIECE, Periods, Sweeper};
use crate::outbox::store::{AttemptVerdict, Finished, Next, NoticeRow, Turn, Want};

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

async fn attempts_at_closed_notices_go_and_others_stay(database: Database) {
    let world = World::open(&database);
    world.submit(json!({})).await;
    let start = world.clock.now();
    let row = |subject: &str| NoticeRow {
        kind: "surrender-sync",
        subject: subject.to_owned(),
        partner: "alibaba".to_owned(),
        content: world.vault.seal(Purpose::Notice, b"{}").unwrap(),
        cause_message_id: None,
    };
    let backend = database.open(&world.vault);
    off_runtime(move || {
        let mut outbox = backend.outbox().unwrap();
        let mut attempt = |subject: &str, at: Timestamp, verdict: AttemptVerdict, next: Next| {
            outbox.queue(&[row(subject)], at).unwrap();
            let wants = [Want { partner: "alibaba", limit: 9, lease_until: at + DAY }];
            let claimed = outbox.turn(&Turn { now: at, owner: "w", finished: &[], wants: &wants }).unwrap().claimed;
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
            outbox.turn(&Turn { now: at, owner: "w", finished: &[finished], wants: &[] }).unwrap();
        };
        attempt("policy:old", start, AttemptVerdict::Delivered, Next::Delivered);
        attempt("policy:dead", start, AttemptVerdict::Dead, Next::Dead);
        attempt("policy:new", start + DAY * 2, AttemptVerdict::Delivered, Next::Delivered);
    });
    world.clock.set("2026-01-04T13:04:05Z");
    world.submit(json!({"identifier": "new"})).await;
    world.sweep(&database, Periods { messages: None, attempts: Some(DAY) });
    let of = |subject: &str| {
        let notice = format!("(SELECT id FROM notices WHERE subject = 'policy:{subject}')");
        database.count(&format!("SELECT count(*) FROM attempts WHERE notice_id = {notice}"))
    };
    assert_eq!([of("old"), of("dead"), of("new")], [0, 1, 1]);
    assert_eq!(database.count("SELECT count(*) FROM notices"), 3);
    assert_eq!(database.count("SELECT count(*) FROM messages"), 2);
    world.close().await;
}

on_both_databases! {
    tokio::test;
    old_messages_go_and_their_retries_are_answered_as_ever,
    a_clock_that_leaps_ahead_forgets_nothing,
    attempts_at_closed_notices_go_and_others_stay,
}
