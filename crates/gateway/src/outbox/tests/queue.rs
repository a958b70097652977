//! The store by itself: leases, order, and what every statement has to leave intact.

use jiff::Timestamp;
use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::outbox::store::{Claimed, Finished, Next, OutboxStore, Turn, Turned, Want};

fn at(seconds: i64) -> Timestamp {
    START + SignedDuration::from_secs(seconds)
}

fn claim(store: &mut Box<dyn OutboxStore>, owner: &str, now: i64, until: i64) -> Turned {
    let wants = [Want { partner: "alibaba", limit: 100, lease_until: at(until) }];
    store.turn(&Turn { now: at(now), owner, finished: &[], wants: &wants }).unwrap()
}

fn finish(store: &mut Box<dyn OutboxStore>, owner: &str, now: i64, claimed: &Claimed, next: Next) -> Turned {
    let finished = Finished {
        id: claimed.id,
        leased_at: claimed.leased_at,
        started_at: claimed.leased_at,
        duration_ms: 1,
        verdict: AttemptVerdict::Delivered,
        detail: String::new(),
        response: None,
        next,
    };
    store.turn(&Turn { now: at(now), owner, finished: &[finished], wants: &[] }).unwrap()
}

async fn an_answer_after_its_lease_is_recorded_and_changes_nothing(database: Database) {
    let world = World::new(database, ok);
    world.queue([("a", 1), ("a", 2)]);
    let mut store = world.store();
    let first = claim(&mut store, "one", 0, 10).claimed.remove(0);
    assert!(claim(&mut store, "two", 9, 19).claimed.is_empty());
    assert_eq!(claim(&mut store, "two", 9, 19).next_due, [Some(at(10))]);
    let second = claim(&mut store, "two", 10, 20).claimed.remove(0);
    assert_eq!((second.id, second.tries, second.first_try), (first.id, 1, Some(at(0))));
    assert_eq!(finish(&mut store, "one", 11, &first, Next::Delivered).late, [first.id]);
    let notice = world.notice(1);
    assert_eq!((notice.state, notice.leased, notice.attempts), (NoticeState::Pending, true, 2));
    assert!(claim(&mut store, "one", 11, 21).claimed.is_empty(), "the second is not let past it");
    assert!(finish(&mut store, "two", 12, &second, Next::Delivered).late.is_empty());
    assert!(finish(&mut store, "two", 12, &second, Next::Dead).late == [second.id], "nothing is recorded as two ends");
    assert_eq!(world.notice(1).state, NoticeState::Delivered);
    let third = claim(&mut store, "one", 12, 22).claimed.remove(0);
    finish(&mut store, "one", 13, &third, Next::Delivered);
}

async fn a_queue_stands_behind_its_first_open_notice(database: Database) {
    let mut world = World::new(database, ok);
    world.queue([("a", 1), ("b", 1), ("a", 2), ("c", 1), ("a", 3)]);
    world.expect_open(3);
    let mut store = world.store();
    let heads = || -> Vec<(String, NoticeState, u64)> {
        world
            .notices()
            .queues(10)
            .unwrap()
            .into_iter()
            .map(|head| (head.subject, head.state, head.waiting.count))
            .collect()
    };
    let head = |subject: &str, state, waiting| (subject.to_owned(), state, waiting);
    let (pending, dead) = (NoticeState::Pending, NoticeState::Dead);
    assert_eq!(heads(), [head("a", pending, 2), head("b", pending, 0), head("c", pending, 0)]);
    let claimed = claim(&mut store, "one", 0, 10).claimed;
    finish(&mut store, "one", 1, &claimed[0], Next::Dead);
    finish(&mut store, "one", 1, &claimed[1], Next::Delivered);
    assert_eq!(heads(), [head("a", dead, 2), head("c", pending, 0)]);
    assert_eq!(world.notices().queues(1).unwrap().len(), 1, "the oldest first");
    store.skip(&[claimed[0].id], at(2)).unwrap();
    assert_eq!(heads(), [head("a", pending, 1), head("c", pending, 0)]);
}

#[tokio::test(start_paused = true)]
async fn an_idle_outbox_is_one_step_in_an_empty_index() {
    let database = Database::sqlite();
    let path = database.folder().join("ledger.db");
    let _world = World::new(database, ok);
    let connection = Connection::open(path).unwrap();
    let plan = |query: &str| -> String {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
        let steps = statement.query_map([], |row| row.get::<_, String>("detail")).unwrap();
        steps.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
    };
    let due = "SELECT due_ms FROM notices WHERE partner = 'a' AND due_ms IS NOT NULL ORDER BY due_ms LIMIT 1";
    assert_eq!(plan(due), "SEARCH notices USING COVERING INDEX notices_due (partner=? AND due_ms>?)");
    let claim =
        "SELECT id, due_ms, leased_ms FROM notices WHERE partner = 'a' AND due_ms <= 5 ORDER BY due_ms, id LIMIT 9";
    assert_eq!(plan(claim), "SEARCH notices USING INDEX notices_due (partner=? AND due_ms<?)");
    let first = "SELECT id FROM notices INDEXED BY notices_open WHERE subject = 'a' AND state IN ('pending', 'dead') \
                 ORDER BY id LIMIT 1";
    assert_eq!(plan(first), "SEARCH notices USING INDEX notices_open (subject=?)");
    let active = "SELECT id FROM notices WHERE subject = 'a' AND due_ms IS NOT NULL";
    assert!(plan(active).contains("one_notice_of_a_subject_is_active (subject=?)"), "{}", plan(active));
}

#[derive(Debug, Clone)]
enum Step {
    Queue(u8),
    Claim,
    Finish(usize, u8),
    Resend(usize),
    Skip(usize),
    Pass(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0_u8..3).prop_map(Step::Queue),
        4 => Just(Step::Claim),
        4 => (0_usize..4, 0_u8..4).prop_map(|(which, how)| Step::Finish(which, how)),
        2 => (1_usize..12).prop_map(Step::Resend),
        1 => (1_usize..12).prop_map(Step::Skip),
        2 => (1_i64..30).prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 1..60)
}

/// What has to be so of every subject after every statement.
fn check(database: &Database) {
    let wrong = "WITH heads AS ( \
                   SELECT subject, min(id) AS id FROM notices WHERE state IN ('pending', 'dead') GROUP BY subject) \
                 SELECT count(*) FROM heads h JOIN notices n ON n.id = h.id \
                 LEFT JOIN notices active ON active.subject = h.subject AND active.due_ms IS NOT NULL \
                 WHERE (active.lease_owner IS NULL) AND CASE n.state \
                   WHEN 'dead' THEN active.id IS NOT NULL ELSE active.id IS DISTINCT FROM n.id END";
    assert_eq!(database.count(wrong), 0, "a subject's first open notice is not its active one");
    let gaps =
        "SELECT count(*) FROM notices n WHERE attempts <> (SELECT count(*) FROM attempts WHERE notice_id = n.id)";
    assert_eq!(database.count(gaps), 0, "attempts are not counted as they are recorded");
}

/// Plays the steps, and checks after every so many.
fn play(database: Database, steps: &[Step], check_every: usize) {
    let mut world = World::new(database, ok);
    let mut store = world.store();
    let (mut now, mut queued) = (0, 0_u64);
    let mut leased: Vec<Claimed> = Vec::new();
    for (played, step) in steps.iter().enumerate() {
        match step {
            Step::Queue(subject) if queued < 11 => {
                queued += 1;
                store.queue(&[world.row("alibaba", &format!("s{subject}"), 1)], at(now)).unwrap();
            }
            Step::Claim => {
                let claimed = claim(&mut store, "w", now, now + 10).claimed;
                for one in &claimed {
                    let same = leased.iter().any(|other| {
                        other.subject == one.subject && at(now) < other.leased_at + SignedDuration::from_secs(10)
                    });
                    assert!(!same, "{} is under way already", one.subject);
                }
                leased.extend(claimed);
            }
            Step::Finish(which, how) if !leased.is_empty() => {
                let claimed = leased.remove(which % leased.len());
                let next = [Next::Delivered, Next::RetryAt(at(now + 5)), Next::SlowedUntil(at(now + 3)), Next::Dead];
                finish(&mut store, "w", now, &claimed, next[usize::from(*how)]);
            }
            Step::Queue(_) | Step::Finish(..) => {}
            Step::Resend(id) => {
                store.resend(&[world.nth(*id)], at(now)).unwrap();
            }
            Step::Skip(id) => {
                store.skip(&[world.nth(*id)], at(now)).unwrap();
            }
            Step::Pass(seconds) => now += seconds,
        }
        if played % check_every == 0 {
            check(&world.database);
        }
    }
    check(&world.database);
    world.expect_open(world.count(NoticeState::Pending) + world.count(NoticeState::Dead));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_the_first_open_notice_of_a_subject_is_the_one_to_be_sent(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async { play(Database::sqlite(), &steps, 1) });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn and_so_it_is_on_a_server(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        if let Some(database) = Database::postgres() {
            runtime.block_on(async { play(database, &steps, 16) });
        }
    }
}

on_both_databases! {
    tokio::test(start_paused = true);
    an_answer_after_its_lease_is_recorded_and_changes_nothing,
    a_queue_stands_behind_its_first_open_notice,
}
