//! A database that hangs or fails, callers who have given up, a clock that is set back.

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::ledger::lists::PolicyFilter;

/// What a platform waits for, by default.
const PATIENCE: Duration = Duration::from_secs(3);

fn numbered(identifier: &str) -> Value {
    json!({"identifier": identifier})
}

impl World {
    /// A caller of the default patience, at work.
    fn calling(&self, identifier: &str) -> JoinHandle<Result<Answered, Refusal>> {
        let (ledger, submission) = (self.ledger.clone(), self.submission(&numbered(identifier)));
        tokio::spawn(async move { ledger.submit_within(submission, PATIENCE).await })
    }

    /// Has the store hang, with that caller's batch in it.
    async fn hang(&self, identifier: &str) -> JoinHandle<Result<Answered, Refusal>> {
        self.order.set(Mood::Hangs);
        let caller = self.calling(identifier);
        self.order.hung.notified().await;
        caller
    }
}

#[tokio::test]
async fn a_database_that_hangs_refuses_in_time_and_its_retry_is_answered_from_the_ledger() {
    let database = Database::sqlite();
    let world = World::open(&database);
    let caller = world.hang("1").await;
    assert!(world.ledger.is_writable().await, "nobody has waited in vain yet");
    // From here on time leaps to whatever is waited for.
    tokio::time::pause();
    let started = Instant::now();
    assert_eq!(caller.await.unwrap(), Err(Refusal::Busy));
    assert!(started.elapsed().as_secs() <= PATIENCE.as_secs());
    assert!(!world.ledger.is_writable().await);
    let told = Instant::now();
    assert_eq!(world.calling("2").await.unwrap(), Err(Refusal::Busy));
    assert_eq!(told.elapsed(), Duration::ZERO, "nobody else waits in vain");
    tokio::time::resume();
    world.order.set(Mood::Works);
    assert_eq!(world.submit(numbered("1")).await.verdict, Verdict::Replayed);
    assert_eq!(world.submit(numbered("2")).await.verdict, Verdict::Accepted);
    assert!(world.ledger.is_writable().await);
    world.close().await;
    assert_eq!(database.count("SELECT count(*) FROM policies"), 2);
}

#[tokio::test]
async fn a_message_that_nobody_waits_for_any_more_is_not_begun() {
    let database = Database::sqlite();
    let world = World::open(&database);
    let (first, behind) = (world.hang("1").await, world.calling("2"));
    tokio::task::yield_now().await;
    tokio::time::pause();
    assert_eq!((first.await.unwrap(), behind.await.unwrap()), (Err(Refusal::Busy), Err(Refusal::Busy)));
    tokio::time::resume();
    world.order.set(Mood::Works);
    assert_eq!(world.submit(numbered("3")).await.verdict, Verdict::Accepted);
    assert_eq!(database.count("SELECT count(*) FROM answers WHERE key = '2'"), 0);
    assert_eq!(world.submit(numbered("2")).await.verdict, Verdict::Accepted, "its retry is the first of it");
    world.close().await;
}

#[tokio::test]
async fn a_database_that_hangs_from_the_start_is_not_ready_and_then_is() {
    let database = Database::sqlite();
    let world = World::open(&database);
    world.order.set(Mood::Fails);
    world.ledger.submit(world.submission(&numbered("1"))).await.unwrap().result.unwrap_err();
    world.order.set(Mood::Hangs);
    tokio::time::pause();
    assert!(!world.ledger.is_writable().await, "the attempt to write takes too long");
    tokio::time::resume();
    world.order.set(Mood::Works);
    assert!(world.ledger.is_writable().await);
    world.close().await;
}

#[tokio::test]
async fn a_number_that_no_database_holds_names_no_policy_and_fails_no_batch() {
    let database = Database::sqlite();
    let world = World::open(&database);
    let recovery = json!({
        "partner": "alibaba", "identifier": "1", "institution": "HYUNDAI", "policyNo": "PBDI20211201Q00FZZZZZZZZZZZZ",
        "productCode": "PERFORMANCE_SURETY_BONDS", "recoverAmount": "1", "currency": "CNY", "currencyRate": "1",
        "recoverAmountOfCny": "1",
    });
    let command = Command::RecordRecovery(Box::new(serde_json::from_value(recovery).unwrap()));
    let answered = world.ledger.submit(world.asking("qimen/recovery", "1", None, command)).await.unwrap();
    assert!(matches!(answered.result, Ok(Outcome::RecoveryRecorded { unmatched: Some(_), .. })), "{answered:?}");
    world.close().await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_repeats_no_number_and_upsets_no_order() {
    let database = Database::sqlite();
    let world = World::open(&database);
    let mut numbers = Vec::new();
    for (identifier, now) in ["2026-03-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"].iter().enumerate()
    {
        world.clock.set(now);
        numbers.push(number(&world.submit(numbered(&identifier.to_string())).await));
    }
    assert!(numbers.is_sorted_by_key(PolicyNumber::sequence), "{numbers:?}");
    assert!(numbers[1].as_str().starts_with("PBDI20260201Q"), "{numbers:?}");
    let told: Vec<String> = world.lists.events(0, 10).unwrap().into_iter().map(|event| event.subject).collect();
    assert_eq!(told, numbers.iter().map(|number| format!("policy:{number}")).collect::<Vec<_>>());
    // Lists go by the time that was written down; walked in pages they have each policy once all the same.
    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let page = world.lists.policies(&PolicyFilter::default(), after, 1).unwrap();
        listed.extend(page.items.into_iter().map(|policy| policy.number));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed, [numbers[2].clone(), numbers[0].clone(), numbers[1].clone()]);
    world.clock.set("2025-12-31T00:00:00Z");
    assert_eq!(world.submit(numbered("0")).await.verdict, Verdict::Replayed);
    world.close().await;
}
