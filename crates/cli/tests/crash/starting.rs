//! A gateway that is killed while it starts, makes its ledger or migrates it.

use std::time::Duration;

use baoqiao_simulator::platform::{Platform, Setup};
use fastrand::Rng;
use rusqlite::Connection;

use crate::census::Census;
use crate::fleet::{APP_KEY, Fleet, SECRET};
use crate::order::Fact;

/// The schema of the first release.
const FIRST_SCHEMA: &str = include_str!("../../../gateway/src/ledger/sqlite/migrations/0001_policies.sql");

async fn platform() -> Platform {
    Platform::start(Setup::new(APP_KEY, SECRET, || "2026-01-02T03:04:05Z".parse().unwrap())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_whose_making_was_cut_off_is_made_by_the_next_start() {
    let platform = platform().await;
    for seed in 0..4 {
        let mut rng = Rng::with_seed(seed);
        let mut fleet = Fleet::new(1, &platform.url(), None);
        for _ in 0..4 {
            fleet.start_in_vain(Duration::from_millis(rng.u64(..30))).await;
        }
        fleet.start(0);
        let census = Census::take(&fleet.addresses()).await;
        assert!(census.policies.is_empty() && census.events.is_empty(), "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_was_cut_off_goes_on_at_the_next_start() {
    let platform = platform().await;
    for seed in 0..4 {
        let mut rng = Rng::with_seed(seed);
        let mut fleet = Fleet::new(1, &platform.url(), None);
        old_ledger(&fleet);
        for _ in 0..4 {
            fleet.start_in_vain(Duration::from_millis(rng.u64(..30))).await;
        }
        fleet.start(0);
        let census = Census::take(&fleet.addresses()).await;
        let facts: Vec<Fact> = census.events.into_iter().map(|event| event.fact).collect();
        let kept = |n: u32| Fact { kind: "policy.issued".to_owned(), mark: format!("id-{n}") };
        assert_eq!(facts, (1..=EVENTS).map(kept).collect::<Vec<_>>(), "seed {seed}");
    }
}

/// Enough that to move them takes a moment.
const EVENTS: u32 = 2_000;

/// A ledger of the first release, with events.
fn old_ledger(fleet: &Fleet) {
    let mut ledger = Connection::open(fleet.directory().join("ledger.db")).unwrap();
    ledger.pragma_update(None, "journal_mode", "wal").unwrap();
    let transaction = ledger.transaction().unwrap();
    transaction.execute_batch(FIRST_SCHEMA).unwrap();
    transaction.pragma_update(None, "user_version", 1).unwrap();
    let mut insert = transaction
        .prepare("INSERT INTO events (at_ms, kind, policy_no, payload) VALUES (?1, 'policy.issued', ?2, ?3)")
        .unwrap();
    for n in 1..=EVENTS {
        let payload = format!(r#"{{"type":"policy.issued","identifier":"id-{n}"}}"#);
        insert.execute((n, format!("P{n}"), payload)).unwrap();
    }
    drop(insert);
    transaction.commit().unwrap();
}
