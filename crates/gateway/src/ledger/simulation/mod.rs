//! A deterministic simulation of the ledger: random messages, batches, crashes, failures and lost races, from a seed,
//! against a model.
//!
//! Each run is a small world: two or three gateways ([`node`]) on one database, a clock that also goes back, and callers
//! who send the same few keys over and over, with the same content and with other ([`ask`]). The gateways are the real
//! committers; the database is the real one or a model of one ([`bench`], [`memory`]), behind a store to which everything
//! happens that can ([`fate`]): it fails, is killed before, during and after a commit, commits without being able to say
//! so, and finds that another gateway was faster. What was durable is known from what the database took, and what it has
//! to have come to from a model that knows nothing of batches or databases ([`model`]).
//!
//! What is checked, in this order:
//! - Every answer that a caller got is the model's; what was not written was refused for now, or not answered.
//! - A retry gets the first answer byte for byte.
//! - After every crash and at the end the database holds exactly what the model says, row by row: each accepted message
//!   once, events in their order, notices in theirs, and nothing of a batch that was cut off.
//! - No policy number is used twice.
//!
//! `BAOQIAO_SIMULATION_SEED` runs that seed, or as many from it as `BAOQIAO_SIMULATION_RUNS` says.

mod ask;
mod bench;
mod contents;
mod fate;
mod memory;
mod model;
mod node;
mod world;

use std::collections::BTreeMap;

use bench::{Bench, InMemory, OnSqlite};
use world::World;

/// How many runs the tests make over the model of a database, and over SQLite.
const RUNS: u64 = 2_000;
const SQLITE_RUNS: u64 = 30;
/// How many times callers send something in a run.
const ROUNDS: usize = 10;

/// What has to be met in a thousand runs: a simulation in which nothing happens proves nothing.
const HAPPENS: [&str; 25] = [
    "accepted ",
    "replayed ",
    "conflicting IDEMPOTENCY_CONFLICT",
    "refused MALFORMED_BODY",
    "refused UUID_REUSED",
    "refused INVALID_ARGUMENT",
    "refused POLICY_NOT_FOUND",
    "refused POLICY_NOT_PERMITTED",
    "refused WRONG_POLICY_STATE",
    "refused AUCTION_CASE_OF_ANOTHER_PARTNER",
    "refused AUCTION_CASE_CLOSED",
    "refused AUCTION_STAGE_ALREADY_SUCCEEDED",
    "refused AUCTION_STAGE_OUT_OF_ORDER",
    "told surrender-sync",
    "told auction-result",
    "told webhook",
    "failed",
    "committed in doubt",
    "lost a race",
    "numbers could not be set aside",
    "killed after setting numbers aside",
    "killed before the commit",
    "killed while writing",
    "killed after the commit",
    "given up by its caller",
];

/// A number out of the environment.
fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Tells the seed of a run that fails, and how to see it again.
struct Told<'a> {
    seed: u64,
    test: &'a str,
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { seed, test } = self;
            eprintln!(
                "failed with seed {seed}; alone: BAOQIAO_SIMULATION_SEED={seed} cargo test -p baoqiao-gateway {test}"
            );
        }
    }
}

fn run(bench: &impl Bench, seed: u64) -> BTreeMap<String, u64> {
    let mut world = World::new(bench, seed);
    (0..ROUNDS).for_each(|_| world.round());
    world.finish()
}

fn simulate<B: Bench>(test: &str, runs: u64, bench: impl Fn() -> B) {
    let given = variable("BAOQIAO_SIMULATION_SEED");
    let runs = variable("BAOQIAO_SIMULATION_RUNS").unwrap_or(if given.is_some() { 1 } else { runs });
    let first = given.unwrap_or(0);
    println!("seeds {first} to {}", first + runs - 1);
    let mut met: BTreeMap<String, u64> = BTreeMap::new();
    for seed in first..first + runs {
        let _told = Told { seed, test };
        for (what, times) in run(&bench(), seed) {
            *met.entry(what).or_default() += times;
        }
    }
    for (what, times) in &met {
        println!("{times:9}  {what}");
    }
    let missing: Vec<&str> = HAPPENS.into_iter().filter(|what| !met.contains_key(*what)).collect();
    assert!(runs < 1_000 || missing.is_empty(), "never met: {missing:?}");
}

#[test]
fn whatever_happens_the_ledger_is_what_the_model_says() {
    simulate("whatever_happens_the_ledger_is_what_the_model_says", RUNS, InMemory::new);
}

#[test]
fn whatever_happens_the_ledger_on_sqlite_is_what_the_model_says() {
    simulate("whatever_happens_the_ledger_on_sqlite_is_what_the_model_says", SQLITE_RUNS, OnSqlite::new);
}
