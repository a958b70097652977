//! The outbox as a whole, over SQLite, in time that leaps.

mod desk;
mod durability;
mod queue;
mod recovery;
mod world;

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::store::{AttemptVerdict, Filter, NoticeState, Resent, Skipped};
use crate::clock::Clock;
use crate::ledger::fixture::{Database, on_both_databases};
use crate::vault::Vault;
use crate::vault::keyring::Keyring;
use world::{Call, LEASE, Reaction, START, World, lane};

const MINUTE: Duration = Duration::from_mins(1);

fn ok(_: &Call, _: usize) -> Reaction {
    Reaction::Answer("ok")
}

async fn a_subject_goes_in_order_and_subjects_go_side_by_side(database: Database) {
    let world = World::new(database, |_, _| Reaction::AnswerAfter(Duration::from_secs(1), "ok"));
    world.queue([("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a", 3)]);
    world.run_for(MINUTE).await;
    assert_eq!((world.sent("a"), world.sent("b")), (vec![1, 2, 3], vec![1, 2]));
    assert_eq!(world.calls().last().unwrap().at_s, 2, "three rounds of a second each");
    let (notice, attempts) = world.desk().show(world.nth(1)).unwrap().unwrap();
    assert_eq!((notice.state, notice.attempts, notice.due_at), (NoticeState::Delivered, 1, None));
    let [attempt] = attempts.as_slice() else { panic!("{attempts:?}") };
    assert_eq!((attempt.number, attempt.started_at, attempt.duration_ms), (1, START, 1_000));
    assert_eq!((attempt.verdict, attempt.late), (AttemptVerdict::Delivered, false));
    let answer = world.vault.open(crate::vault::Purpose::NoticeResponse, attempt.response.as_ref().unwrap()).unwrap();
    assert_eq!(answer, b"ok");
}

async fn a_sleeping_worker_is_woken_and_one_that_nobody_wakes_looks_again(database: Database) {
    let world = World::new(database, ok);
    let worker = tokio::spawn(world.worker().run(tokio::time::sleep(MINUTE)));
    tokio::time::sleep(Duration::from_millis(10_500)).await;
    world.queue([("a", 1)]);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(world.sent("a"), [1], "at once");
    world.store().queue(&[world.row("alibaba", "b", 1)], world.clock.now()).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.sent("b"), [1], "within a second, though nobody rang");
    worker.await.unwrap();
}

async fn a_dead_letter_blocks_its_subject_alone_and_says_so(database: Database) {
    let world = World::new(database, |call, _| {
        Reaction::Answer(if (&*call.subject, call.mark) == ("a", 1) { "no" } else { "ok" })
    });
    world.queue([("a", 1), ("a", 2), ("b", 1), ("a", 3), ("b", 2)]);
    world.run_for(MINUTE).await;
    assert_eq!((world.sent("a"), world.sent("b")), (vec![1], vec![1, 2]));
    let dead = world.notice(1);
    assert_eq!((dead.state, dead.waiting.count, dead.due_at), (NoticeState::Dead, 2, None));
    assert_eq!(dead.last, Some((AttemptVerdict::Dead, "plain: no".to_owned())));
    assert_eq!((world.notice(2).behind, world.notice(4).behind), (Some(world.nth(1)), Some(world.nth(1))));
    world.queue([("a", 4)]);
    world.run_for(MINUTE).await;
    assert_eq!(world.sent("a"), [1], "what comes later waits, too");

    world.script(ok);
    let all_dead =
        Filter { state: Some(NoticeState::Dead), kind: Some("surrender-sync".to_owned()), ..Filter::default() };
    assert_eq!(world.desk().count(&all_dead).unwrap().count, 1);
    assert_eq!(
        world.desk().resend(&world.desk().matching(&all_dead).unwrap()).unwrap(),
        Resent { due: 1, ..Resent::default() }
    );
    world.run_for(MINUTE).await;
    assert_eq!(world.sent("a"), [1, 1, 2, 3, 4]);
}

async fn a_skipped_dead_letter_lets_its_subject_go_on(database: Database) {
    let world = World::new(database, |call, _| Reaction::Answer(if call.mark == 1 { "no" } else { "ok" }));
    world.queue([("a", 1), ("a", 2)]);
    world.run_for(MINUTE).await;
    assert_eq!(world.desk().skip(&[9]).unwrap(), Skipped::default());
    assert_eq!(world.desk().skip(&[world.nth(1)]).unwrap(), Skipped { skipped: 1, ..Skipped::default() });
    assert_eq!(world.desk().skip(&[world.nth(1)]).unwrap(), Skipped { closed: 1, ..Skipped::default() });
    world.run_for(MINUTE).await;
    assert_eq!(world.sent("a"), [1, 2]);
    assert_eq!(world.notice(1).state, NoticeState::Skipped);
}

async fn the_queue_of_an_endpoint_that_is_gone_is_cleared(database: Database) {
    let mut world =
        World::new(database, |call, _| if call.mark == 2 { Reaction::Hang } else { Reaction::Answer("no") });
    world.lanes.push(lane("gone", 1_000));
    let rows: Vec<_> = (1..=600).map(|mark| world.row("gone", ["a", "b"][(mark % 2) as usize], mark)).collect();
    world.store().queue(&rows, world.clock.now()).unwrap();
    world.queue([("c", 3)]);
    let worker = tokio::spawn(world.worker().run(std::future::pending()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let gone = Filter { partner: Some("gone".to_owned()), ..Filter::default() };
    let found = world.desk().open(&gone).unwrap();
    assert_eq!(found.len(), 600, "one is dead, one under way, the others wait");
    let expected = Skipped { skipped: 599, under_way: 1, closed: 0 };
    assert_eq!(world.desk().skip(&found).unwrap(), expected);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((world.sent("a"), world.sent("b")), (vec![2], vec![1]), "nothing was sent in between");
    assert_eq!((world.count(NoticeState::Dead), world.count(NoticeState::Pending)), (1, 1), "others are left");
    let delivered = Filter { state: Some(NoticeState::Delivered), ..gone };
    assert!(world.desk().open(&delivered).unwrap().is_empty());
    worker.abort();
    world.expect_open(2);
}

async fn a_resend_of_something_delivered_is_sent_again(database: Database) {
    let world = World::new(database, ok);
    world.queue([("a", 1), ("a", 2)]);
    world.run_for(MINUTE).await;
    for times in 2..4 {
        assert_eq!(world.desk().resend(&[world.nth(1)]).unwrap(), Resent { due: 1, ..Resent::default() });
        world.run_for(MINUTE).await;
        assert_eq!(world.sent("a").iter().filter(|mark| **mark == 1).count(), times);
    }
    let (notice, attempts) = world.desk().show(world.nth(1)).unwrap().unwrap();
    assert_eq!((notice.state, notice.attempts), (NoticeState::Delivered, 3));
    assert_eq!(attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2, 3]);
}

async fn a_resend_waits_for_what_is_under_way_on_its_subject(database: Database) {
    let world = World::new(database, |_, nth| match nth {
        2 => Reaction::AnswerAfter(Duration::from_secs(5), "again"),
        _ => Reaction::Answer("ok"),
    });
    world.queue([("a", 1), ("a", 2), ("a", 3)]);
    let worker = tokio::spawn(world.worker().run(tokio::time::sleep(MINUTE)));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.desk().resend(&[world.nth(1)]).unwrap(), Resent { waiting: 1, ..Resent::default() });
    assert_eq!(world.desk().resend(&[world.nth(2)]).unwrap(), Resent { under_way: 1, ..Resent::default() });
    assert_eq!(world.notice(1).behind, Some(world.nth(2)));
    worker.await.unwrap();
    assert_eq!(world.sent("a"), [1, 2, 1, 2, 3], "what is sent again keeps its place");
}

async fn two_workers_never_have_one_subject_under_way_at_once(database: Database) {
    let world = World::new(database, |call, nth| {
        // The platform itself fails the test when a subject has two calls under way.
        let time = Duration::from_millis(u64::from(call.mark) * 37 % 90 + u64::try_from(nth % 7).unwrap());
        Reaction::AnswerAfter(time, if nth % 11 == 0 { "again" } else { "ok" })
    });
    let subjects: Vec<String> = (0..12).map(|n| format!("s{n}")).collect();
    world.queue((1..=20).flat_map(|mark| subjects.iter().map(move |subject| (subject.as_str(), mark))));
    let (one, two) = (world.worker(), world.worker());
    tokio::join!(one.run(tokio::time::sleep(10 * MINUTE)), two.run(tokio::time::sleep(10 * MINUTE)));
    for subject in &subjects {
        let mut taken = world.sent(subject);
        taken.dedup();
        assert_eq!(taken, (1..=20).collect::<Vec<_>>());
    }
}

async fn each_key_keeps_its_own_rate(database: Database) {
    let mut world = World::new(database, ok);
    world.lanes = vec![lane("slow", 10), lane("fast", 1_000)];
    let row = |partner: &str, n: u32| world.row(partner, &format!("{partner}{n}"), n);
    let rows: Vec<_> = (0..110).flat_map(|n| [row("slow", n), row("fast", n)]).collect();
    world.store().queue(&rows, world.clock.now()).unwrap();
    world.run_for(MINUTE).await;
    let of = |partner: &str| world.calls().into_iter().filter(|call| call.url.contains(partner)).collect::<Vec<_>>();
    assert!(of("fast").iter().all(|call| call.at_s == 0));
    for second in 0..10 {
        let calls = of("slow").iter().filter(|call| call.at_s == second).count();
        assert!((9..=20).contains(&calls), "{calls} calls in second {second}");
    }
    assert_eq!(of("slow").last().unwrap().at_s, 10);
}

async fn a_complaint_slows_its_key_down_and_no_other(database: Database) {
    let mut world = World::new(database, |call, _| {
        Reaction::Answer(if call.url.contains("strict") && call.at_s < 20 { "slow 15" } else { "ok" })
    });
    world.lanes = vec![lane("strict", 100), lane("other", 100)];
    world.policy.max_age = Duration::from_secs(5);
    let row = |partner: &str, n: u32| world.row(partner, &format!("{partner}{n}"), n);
    let rows: Vec<_> = (0..50).flat_map(|n| [row("strict", n), row("other", n)]).collect();
    world.store().queue(&rows, world.clock.now()).unwrap();
    world.run_for(MINUTE).await;
    let times = |partner: &str| {
        world.calls().into_iter().filter(|call| call.url.contains(partner)).map(|call| call.at_s).collect::<Vec<_>>()
    };
    assert!(times("other").iter().all(|at_s| *at_s < 2), "{:?}", times("other"));
    let strict = times("strict");
    assert!(strict.iter().all(|at_s| *at_s == 0 || (15..17).contains(at_s) || *at_s >= 30), "{strict:?}");
    assert!(strict.len() < 100, "{} calls for 50 notices", strict.len());
    assert_eq!(world.count(NoticeState::Dead), 0, "a complaint counts against nobody's age");
}

async fn an_answer_may_say_when_to_come_again(database: Database) {
    let world = World::new(database, |_, nth| Reaction::Answer(if nth == 1 { "after 40" } else { "ok" }));
    world.queue([("a", 1)]);
    world.run_for(2 * MINUTE).await;
    assert_eq!(world.calls().iter().map(|call| call.at_s).collect::<Vec<_>>(), [0, 40]);
}

async fn what_was_tried_for_too_long_is_given_up_and_what_only_waited_is_not(database: Database) {
    let mut world =
        World::new(database, |call, _| if call.mark == 1 { Reaction::Down } else { Reaction::Answer("ok") });
    world.policy.max_age = Duration::from_hours(1);
    world.queue([("a", 1), ("a", 2)]);
    world.run_for(Duration::from_hours(2)).await;
    let given_up = world.notice(1);
    assert_eq!(given_up.state, NoticeState::Dead);
    let age = given_up.closed_at.unwrap().duration_since(START);
    assert!(SignedDuration::from_hours(1) <= age && age <= SignedDuration::from_mins(66), "{age}");
    let (verdict, detail) = given_up.last.unwrap();
    assert_eq!((verdict, detail.as_str()), (AttemptVerdict::Dead, "given up for its age; plain: connection refused"));
    // The second is tried for an hour of its own.
    world.script(|call, _| if call.mark == 2 { Reaction::Down } else { Reaction::Answer("ok") });
    world.desk().resend(&[world.nth(1)]).unwrap();
    world.run_for(Duration::from_mins(30)).await;
    assert_eq!((world.notice(1).state, world.notice(2).state), (NoticeState::Delivered, NoticeState::Pending));
    world.script(ok);
    world.run_for(Duration::from_mins(10)).await;
}

async fn what_cannot_be_read_is_dead_at_once_and_never_sent(database: Database) {
    let mut world = World::new(database, ok);
    let stranger = crate::vault::tests::vault();
    let mut row = world.row("alibaba", "a", 1);
    row.content = stranger.seal(crate::vault::Purpose::Notice, b"{}").unwrap();
    world.store().queue(&[row], START).unwrap();
    world.run_for(MINUTE).await;
    assert!(world.calls().is_empty());
    assert!(world.notice(1).last.unwrap().1.starts_with("unsendable: "));
    world.expect_open(1);
}

/// Of two gateways, one has a new key before the other.
async fn what_was_sealed_with_a_key_to_come_waits_for_it(database: Database) {
    let mut world = World::new(database, ok);
    let mut keyring = Keyring::generate(getrandom::fill).unwrap();
    let before = Arc::new(Vault::new(&keyring, getrandom::fill));
    let added = keyring.add(getrandom::fill).unwrap();
    assert!(keyring.choose(&added));
    world.vault = Arc::new(Vault::new(&keyring, getrandom::fill));
    let row = world.row("alibaba", "a", 1);
    let after = std::mem::replace(&mut world.vault, before);
    world.store().queue(&[row], START).unwrap();
    world.run_for(MINUTE).await;
    let waiting = world.notice(1);
    assert!(world.calls().is_empty());
    assert_eq!(waiting.state, NoticeState::Pending);
    assert!(waiting.last.unwrap().1.starts_with("key-missing: "));
    world.vault = after;
    world.run_for(MINUTE * 10).await;
    assert_eq!(world.sent("a"), [1]);
}

async fn notices_of_a_partner_without_a_lane_wait(database: Database) {
    let mut world = World::new(database, ok);
    world.store().queue(&[world.row("nobody", "a", 1)], START).unwrap();
    world.queue([("b", 1)]);
    world.run_for(MINUTE).await;
    assert_eq!((world.sent("a"), world.sent("b")), (vec![], vec![1]));
    world.expect_open(1);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "open notices that it did not expect")]
async fn the_world_fails_a_test_that_leaves_notices_behind() {
    let world = World::new(Database::sqlite(), ok);
    world.queue([("a", 1)]);
}

#[test]
fn a_lease_outlasts_its_call() {
    assert!(LEASE > world::TIMEOUT);
}

on_both_databases! {
    tokio::test(start_paused = true);
    a_subject_goes_in_order_and_subjects_go_side_by_side,
    a_sleeping_worker_is_woken_and_one_that_nobody_wakes_looks_again,
    a_dead_letter_blocks_its_subject_alone_and_says_so,
    a_skipped_dead_letter_lets_its_subject_go_on,
    the_queue_of_an_endpoint_that_is_gone_is_cleared,
    a_resend_of_something_delivered_is_sent_again,
    a_resend_waits_for_what_is_under_way_on_its_subject,
    two_workers_never_have_one_subject_under_way_at_once,
    each_key_keeps_its_own_rate,
    a_complaint_slows_its_key_down_and_no_other,
    an_answer_may_say_when_to_come_again,
    what_was_tried_for_too_long_is_given_up_and_what_only_waited_is_not,
    what_cannot_be_read_is_dead_at_once_and_never_sent,
    what_was_sealed_with_a_key_to_come_waits_for_it,
    notices_of_a_partner_without_a_lane_wait,
}
