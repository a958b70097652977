//! The long tests: each kind of campaign once, and all kinds for as long as one wants.

use std::time::Duration;

use baoqiao_testkit::Postgres;

use crate::campaign::{Plan, Report, run};
use crate::power;
use crate::world::Engine;

/// A number of the environment, or what it is without.
fn setting(name: &str, default: u64) -> u64 {
    let Some(text) = std::env::var_os(name) else { return default };
    text.to_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{name} is {text:?}, not a number"))
}

/// The seed of the environment, or one drawn at random.
fn seed() -> u64 {
    setting("BAOQIAO_CRASH_SEED", fastrand::u64(..1 << 40))
}

async fn once(engine: Engine, nodes: usize, blows: usize) {
    if engine == Engine::Postgres && !Postgres::is_available() {
        return;
    }
    let plan = Plan { engine, nodes, seed: seed(), clients: 12, blows };
    println!("{plan:?}");
    println!("{plan:?}: {}", run(plan).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "takes half a minute: scripts/test.sh runs it"]
async fn a_gateway_on_a_file_keeps_what_it_acknowledged() {
    once(Engine::Sqlite, 1, 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "takes half a minute: scripts/test.sh runs it"]
async fn a_gateway_on_postgresql_keeps_what_it_acknowledged() {
    once(Engine::Postgres, 1, 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "takes half a minute: scripts/test.sh runs it"]
async fn three_gateways_on_postgresql_keep_what_they_acknowledged() {
    once(Engine::Postgres, 3, 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "takes half a minute: scripts/test.sh runs it"]
async fn what_was_answered_before_the_power_went_is_there() {
    if power::can_trace() {
        let seed = seed();
        println!("seed {seed}");
        power::run(seed, 60).await;
    }
}

/// One round after the other, for `BAOQIAO_SOAK_MINUTES`; `scripts/soak.sh` runs it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "as long as one wants: scripts/soak.sh runs it"]
async fn soak() {
    let minutes = setting("BAOQIAO_SOAK_MINUTES", 10);
    let nodes = usize::try_from(setting("BAOQIAO_SOAK_NODES", 1)).unwrap();
    let blows = usize::try_from(setting("BAOQIAO_SOAK_BLOWS", 100)).unwrap();
    let engine = match std::env::var("BAOQIAO_SOAK_ENGINE").as_deref() {
        Ok("postgres") => Engine::Postgres,
        Ok("sqlite") | Err(_) => Engine::Sqlite,
        Ok(other) => panic!("BAOQIAO_SOAK_ENGINE is {other}, neither sqlite nor postgres"),
    };
    if engine == Engine::Postgres && !Postgres::is_available() {
        return;
    }
    assert!(engine == Engine::Postgres || nodes == 1, "only on postgres do several gateways share a ledger");
    let cuts_power = engine == Engine::Sqlite && power::can_trace();
    let power_cuts = if cuts_power { setting("BAOQIAO_SOAK_POWER_CUTS", 60) } else { 0 };
    let until = tokio::time::Instant::now() + Duration::from_mins(minutes);
    let (first, mut total, mut rounds) = (seed(), Report::default(), 0);
    while tokio::time::Instant::now() < until {
        let plan = Plan { engine, nodes, seed: first + rounds, clients: 12, blows };
        println!("round {}, seed {}", rounds + 1, plan.seed);
        let report = run(plan).await;
        println!("  {report}");
        if power_cuts > 0 {
            power::run(plan.seed, power_cuts).await;
        }
        total += report;
        rounds += 1;
    }
    println!("{rounds} rounds, no promise broken: {total}; {} power cuts", rounds * power_cuts);
}
