//! Several gateways, or several lanes of one, on one database.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_lanes_keep_every_promise_of_one() {
    if let Some(database) = Database::postgres() {
        copies_at_the_same_moment_make_one_policy(database.with_lanes(4)).await;
    }
    if let Some(database) = Database::postgres() {
        a_key_for_two_policies_at_the_same_moment_ends_one_of_them(database.with_lanes(4)).await;
    }
    if let Some(database) = Database::postgres() {
        an_auctions_stages_are_kept_in_order_over_a_restart(database.with_lanes(4)).await;
    }
}

/// Submits each identifier to both nodes at once: to one in order, to the other from the end.
async fn in_opposite_order(one: &World, other: &World, identifiers: &[String]) -> BTreeMap<String, Vec<Answered>> {
    let submit = |world: &World, identifier: &String| {
        let (ledger, submission) = (world.ledger.clone(), world.submission(&json!({"identifier": identifier})));
        let identifier = identifier.clone();
        tokio::spawn(async move { (identifier, ledger.submit(submission).await.unwrap()) })
    };
    let forth = identifiers.iter().map(|identifier| submit(one, identifier));
    let back = identifiers.iter().rev().map(|identifier| submit(other, identifier));
    let mut answers: BTreeMap<String, Vec<Answered>> = BTreeMap::new();
    for call in forth.chain(back).collect::<Vec<_>>() {
        let (identifier, answered) = call.await.unwrap();
        answers.entry(identifier).or_default().push(answered);
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_that_are_fed_the_same_in_opposite_order_issue_each_once() {
    let Some(database) = Database::postgres() else { return };
    let (one, other) = (World::open(&database), World::open(&database));
    let identifiers: Vec<String> = (0..300).map(|n| format!("{n:03}")).collect();
    let answers = in_opposite_order(&one, &other, &identifiers).await;
    let mut numbers = BTreeSet::new();
    for (identifier, copies) in &answers {
        let [first, second] = copies.as_slice() else { panic!("{identifier}: {copies:?}") };
        assert_eq!(first.reply, second.reply, "{identifier}");
        let mut verdicts = [first.verdict, second.verdict].map(Verdict::as_str);
        verdicts.sort_unstable();
        assert_eq!(verdicts, ["accepted", "replayed"], "{identifier}");
        assert!(numbers.insert(number(first)), "a number twice");
    }
    one.close().await;
    other.close().await;
    assert_eq!((answers.len(), database.count("SELECT count(*) FROM policies")), (300, 300));
    assert_eq!(database.count("SELECT count(*) FROM events"), 300);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_two_gateways_end_at_once_ends_once_and_for_one_of_them() {
    let Some(database) = Database::postgres() else { return };
    let (one, other) = (World::open(&database), World::open(&database));
    for round in 0..10 {
        let policy_no = number(&one.submit(json!({"identifier": format!("{round}")})).await);
        let end = |world: &World, order: &str| {
            let order = format!("{round}-{order}");
            let submission = world.asking(NOTICE, &order, Some(&order), rescission(&policy_no, &order));
            let ledger = world.ledger.clone();
            tokio::spawn(async move { ledger.submit(submission).await.unwrap().verdict })
        };
        let (first, second) = (end(&one, "a"), end(&other, "b"));
        let mut verdicts = [first.await.unwrap(), second.await.unwrap()].map(Verdict::as_str);
        verdicts.sort_unstable();
        assert_eq!(verdicts, ["accepted", "refused"]);
    }
    one.close().await;
    other.close().await;
    assert_eq!(database.count("SELECT count(*) FROM endings"), 10);
    assert_eq!(database.count("SELECT count(*) FROM notices"), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_of_one_notice_at_two_gateways_get_one_answer() {
    let Some(database) = Database::postgres() else { return };
    let (one, other) = (World::open(&database), World::open(&database));
    for round in 0..30 {
        let policy_no = number(&one.submit(json!({"identifier": format!("{round}")})).await);
        let end = |world: &World, uuid: &str| {
            let (order, uuid) = (format!("{round}"), format!("{round}-{uuid}"));
            let submission = world.asking(NOTICE, &order, Some(&uuid), rescission(&policy_no, &order));
            let ledger = world.ledger.clone();
            tokio::spawn(async move { ledger.submit(submission).await.unwrap() })
        };
        let (first, second) = (end(&one, "a"), end(&other, "b"));
        let (first, second) = (first.await.unwrap(), second.await.unwrap());
        let mut verdicts = [first.verdict, second.verdict].map(Verdict::as_str);
        verdicts.sort_unstable();
        assert_eq!((verdicts, first.result), (["accepted", "replayed"], second.result), "round {round}");
    }
    one.close().await;
    other.close().await;
    assert_eq!(database.count("SELECT count(*) FROM endings"), 30);
}

/// One order for two policies, one at each gateway: in two buckets under one key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_for_two_policies_at_two_gateways_ends_one_of_them() {
    let Some(database) = Database::postgres() else { return };
    let (one, other) = (World::open(&database), World::open(&database));
    for round in 0..10 {
        let issue = async |name: &str| number(&one.submit(json!({"identifier": format!("{round}-{name}")})).await);
        let policies = [issue("a").await, issue("b").await];
        let end = |world: &World, policy_no: &PolicyNumber, uuid: &str| {
            let (order, uuid) = (format!("{round}"), format!("{round}-{uuid}"));
            let submission = world.asking(NOTICE, &order, Some(&uuid), rescission(policy_no, &order));
            let ledger = world.ledger.clone();
            tokio::spawn(async move { ledger.submit(submission).await.unwrap().verdict })
        };
        let calls = [end(&one, &policies[0], "a"), end(&other, &policies[1], "b")];
        let mut verdicts = Vec::new();
        for call in calls {
            verdicts.push(call.await.unwrap().as_str());
        }
        verdicts.sort_unstable();
        assert_eq!(verdicts, ["accepted", "conflicting"], "round {round}");
    }
    one.close().await;
    other.close().await;
    assert_eq!(database.count("SELECT count(*) FROM endings"), 10);
}
