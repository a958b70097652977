//! The power goes, at any moment of a gateway's life.
//!
//! A gateway under load is traced: what it writes, syncs and answers, in the order in which it does. Afterwards the disk is
//! laid out again as it may have been at one moment or another of that life: what was synced is there, and of the rest
//! whatever chance left, torn at the edges of sectors. On each such disk a gateway is started, and everything that had been
//! answered by then must be there.
//!
//! A disk with all that was written, synced or not, is what `kill -9` leaves at that moment.

mod disk;
mod trace;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use baoqiao_gateway::clock::{Clock, SystemClock};
use baoqiao_simulator::platform::{Platform, Setup};
use baoqiao_testkit::gateway::serve;
use fastrand::Rng;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::census::{self, Census};
use crate::client::Clients;
use crate::fleet::{APP_KEY, BINARY, Fleet, SECRET};
use crate::journal::{Answer, Attempt};
use crate::order::{Fact, Interface, Order};
use crate::script::Actor;
use disk::{Cut, History};
use trace::Trace;

const CLIENTS: usize = 6;

/// What was answered, and when in the trace.
struct Acknowledged {
    order: Arc<Order>,
    said: String,
    line: usize,
}

/// Whether this system can; prints why not.
pub(crate) fn can_trace() -> bool {
    let tried = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output();
    let can = tried.is_ok_and(|tried| tried.status.success());
    if !can {
        eprintln!("skipped, no power cuts: strace is not there, or may not trace");
    }
    can
}

/// Cuts the power so often in the life of one gateway.
pub(crate) async fn run(seed: u64, cuts: u64) {
    let mut rng = Rng::with_seed(seed);
    let setup = Setup::new(APP_KEY, SECRET, || SystemClock.now());
    let platform = Platform::start(setup).await.unwrap();
    let mut fleet = Fleet::new(1, &platform.url(), None);
    let (trace, attempts) = traced_life(&mut fleet, &mut rng).await;
    let acknowledged = acknowledged(&trace, attempts);
    let history = History::of(&trace, fleet.directory());
    assert!(history.len() > 1_000 && acknowledged.len() > 100, "a trace in which nothing happened");
    for number in 0..cuts {
        let cut = cut(number, &trace, &acknowledged, &mut rng);
        let disk = Fleet::on_copy_of(&fleet);
        history.lay_out(&cut, disk.directory(), &mut rng);
        check(disk, &cut, &acknowledged, &format!("seed {seed}, {cut:?}")).await;
    }
    let (lines, changes, answers) = (trace.lines, history.len(), acknowledged.len());
    println!("{cuts} power cuts in a life of {lines} system calls, {changes} changes to files and {answers} answers");
}

/// One in three at the moment after an answer, one in six with all that was written.
fn cut(number: u64, trace: &Trace, acknowledged: &[Acknowledged], rng: &mut Rng) -> Cut {
    let line = match number % 3 {
        0 => rng.choice(acknowledged).unwrap().line,
        _ => rng.usize(..trace.lines),
    };
    Cut { line, keeps_all: number % 6 == 1 }
}

/// Load on a traced gateway, from the making of its ledger to its stop.
async fn traced_life(fleet: &mut Fleet, rng: &mut Rng) -> (Trace, Vec<Attempt>) {
    let pipe = fleet.directory().join("trace");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || Trace::read(&pipe)
    });
    fleet.start_by(0, trace::strace(&pipe, &serve(Path::new(BINARY), &fleet.config())));
    let clients = Arc::new(Clients::new(fleet.addresses()));
    let stop = watch::Sender::new(false);
    let mut actors = JoinSet::new();
    for number in 0..CLIENTS {
        let actor = Actor::new(Arc::clone(&clients), rng.fork(), format!("p{number}"));
        actors.spawn(actor.run(stop.subscribe()));
    }
    clients.journal.until_begun(1_200).await;
    stop.send_replace(true);
    actors.join_all().await;
    fleet.stop(0);
    (reader.join().unwrap(), clients.journal.attempts())
}

/// The first answer to each order, with its moment in the trace. Where two orders have the same answer, as all recoveries
/// do, the trace does not tell whose it is, and the others stand for them.
fn acknowledged(trace: &Trace, attempts: Vec<Attempt>) -> Vec<Acknowledged> {
    let mut first: BTreeMap<(Interface, String), (Arc<Order>, String)> = BTreeMap::new();
    for Attempt { order, answer, .. } in attempts {
        if let Answer::Accepted(said) = answer {
            first.entry((order.interface, order.key.clone())).or_insert((order, said));
        }
    }
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for (_, said) in first.values() {
        *times.entry(said.clone()).or_default() += 1;
    }
    let own = first.into_values().filter(|(_, said)| times.get(said) == Some(&1));
    own.map(|(order, said)| {
        let line = trace.answered(&said).unwrap_or_else(|| panic!("no trace of the answer {said}"));
        Acknowledged { order, said, line }
    })
    .collect()
}

/// Starts a gateway on the disk and asks for everything that was answered before the cut.
async fn check(mut disk: Fleet, cut: &Cut, acknowledged: &[Acknowledged], told: &str) {
    disk.start(0);
    let census = Census::take(&disk.addresses()).await;
    let mut facts: BTreeMap<&Fact, usize> = BTreeMap::new();
    for event in &census.events {
        *facts.entry(&event.fact).or_default() += 1;
    }
    let before: Vec<_> = acknowledged.iter().filter(|acknowledged| acknowledged.line < cut.line).collect();
    for Acknowledged { order, .. } in &before {
        let times = facts.get(&order.fact()).copied().unwrap_or(0);
        assert_eq!(times, 1, "{told}: {:?} {} was answered and is there {times} times", order.interface, order.key);
    }
    assert!(facts.values().all(|times| *times == 1), "{told}: an event is there twice");
    let queued = census::notices(&disk.addresses()).await;
    for subject in before.iter().filter_map(|acknowledged| Some(acknowledged.order.notice()?.subject)) {
        let about = |notice: &&String| notice.split_once(':').is_some_and(|(_, about)| about == subject);
        let due = before.iter().filter_map(|acknowledged| acknowledged.order.notice());
        let due = due.filter(|notice| notice.subject == subject).count();
        let there = queued.iter().filter(about).count();
        assert!(there >= due, "{told}: {there} of {due} notices about {subject} are there");
    }
    // The latest are the likeliest to be lost, and are asked for byte by byte.
    let clients = Clients::new(disk.addresses());
    let mut rng = Rng::with_seed(0);
    let mut latest = before;
    latest.sort_by_key(|acknowledged| std::cmp::Reverse(acknowledged.line));
    for Acknowledged { order, said, .. } in latest.iter().take(10) {
        let answer = clients.until_answered(order, &mut rng).await;
        assert_eq!(answer, Answer::Accepted(said.clone()), "{told}: {:?} {}", order.interface, order.key);
    }
    // The numbers of what comes later are not those that were answered before.
    let later = crate::script::issuing("later", 1);
    let Answer::Accepted(said) = clients.until_answered(&later, &mut rng).await else { panic!("{told}: refused") };
    let said: Value = serde_json::from_str(&said).unwrap();
    let number = said.pointer("/context/policyNo").and_then(Value::as_str).unwrap();
    assert!(latest.iter().all(|known| !known.said.contains(number)), "{told}: {number} was given before");
}
