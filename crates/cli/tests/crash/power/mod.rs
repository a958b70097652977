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

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use baoqiao_gateway::clock::{Clock, SystemClock};
use baoqiao_simulator::platform::{Platform, Scenario, Setup};
use baoqiao_testkit::gateway::serve;
use fastrand::Rng;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::census::{self, Census, Delivery};
use crate::client::Clients;
use crate::fleet::{APP_KEY, BINARY, Fleet, SECRET};
use crate::journal::{Answer, Attempt};
use crate::order::{Fact, Interface, Order};
use crate::script::Actor;
use disk::{Cut, History};
use trace::Trace;

const CLIENTS: usize = 6;

/// The notices of each auction in the order of their causes: when each was first sent, if it was.
type Stages = BTreeMap<String, Vec<Option<usize>>>;

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
    // A platform so slow that notices queue behind each other.
    let scenario = Scenario::default().with_delay(Duration::from_millis(50));
    let setup = Setup { scenario, ..Setup::new(APP_KEY, SECRET, || SystemClock.now()) };
    let platform = Platform::start(setup).await.unwrap();
    let mut fleet = Fleet::new(1, &platform.url(), None);
    let (trace, attempts) = traced_life(&mut fleet, &mut rng).await;
    let stages = stages(&trace, &attempts);
    let acknowledged = acknowledged(&trace, attempts);
    let history = History::of(&trace, fleet.directory());
    assert!(history.len() > 1_000 && acknowledged.len() > 100, "a trace in which nothing happened");
    for number in 0..cuts {
        let cut = cut(number, &trace, &acknowledged, &stages, &mut rng);
        let disk = Fleet::on_copy_of(&fleet);
        history.lay_out(&cut, disk.directory(), &mut rng);
        check(disk, &cut, &acknowledged, &stages, &format!("seed {seed}, {cut:?}")).await;
    }
    let (lines, changes, answers) = (trace.lines, history.len(), acknowledged.len());
    println!("{cuts} power cuts in a life of {lines} system calls, {changes} changes to files and {answers} answers");
}

/// Some at the moment after an answer, some after a notice has left, the others anywhere; one in six with all that was
/// written.
fn cut(number: u64, trace: &Trace, acknowledged: &[Acknowledged], stages: &Stages, rng: &mut Rng) -> Cut {
    let sent: Vec<usize> = stages.values().flatten().flatten().copied().collect();
    let line = match number % 3 {
        0 => rng.choice(acknowledged).unwrap().line,
        1 => rng.usize(..trace.lines),
        _ => *rng.choice(&sent).unwrap(),
    };
    Cut { line: line + 1, keeps_all: number % 6 == 1 }
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
        let line = trace.went_out(&said).unwrap_or_else(|| panic!("no trace of the answer {said}"));
        Acknowledged { order, said, line }
    })
    .collect()
}

/// Which notices of auctions the trace has seen leave.
fn stages(trace: &Trace, attempts: &[Attempt]) -> Stages {
    let (mut known, mut stages) = (BTreeSet::new(), Stages::new());
    for Attempt { order, answer, .. } in attempts {
        let is_stage = order.interface == Interface::AuctionStage && matches!(answer, Answer::Accepted(_));
        if is_stage && known.insert(&order.key) {
            // As a form carries it.
            let mark = format!("%22request_id%22%3A%22{}%22", order.key);
            stages.entry(order.subject.clone()).or_default().push(trace.went_out(&mark));
        }
    }
    stages
}

/// Every notice that an answer was given for is there; and when one had been sent already, those before it on its subject
/// are known to be delivered, so that none of them comes after it once more.
fn check_notices(deliveries: &[Delivery], cut: &Cut, before: &[&Acknowledged], stages: &Stages, told: &str) {
    let mut by_subject: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
    for delivery in deliveries {
        by_subject.entry(&delivery.about).or_default().push(delivery.is_delivered);
    }
    let mut due: BTreeMap<String, usize> = BTreeMap::new();
    for notice in before.iter().filter_map(|acknowledged| acknowledged.order.notice()) {
        *due.entry(notice.subject).or_default() += 1;
    }
    for (subject, due) in due {
        let there = by_subject.get(subject.as_str()).map_or(0, Vec::len);
        assert!(there >= due, "{told}: {there} of {due} notices about {subject} are there");
    }
    for (biz_id, sent) in stages {
        let there = by_subject.get(biz_id.as_str()).map_or(&[][..], Vec::as_slice);
        for (delivered, next) in there.iter().zip(sent.iter().skip(1)) {
            let next_was_sent = next.is_some_and(|line| line < cut.line);
            assert!(*delivered || !next_was_sent, "{told}: a notice about {biz_id} would come after its successor");
        }
    }
}

/// Starts a gateway on the disk and asks for everything that was answered before the cut.
async fn check(mut disk: Fleet, cut: &Cut, acknowledged: &[Acknowledged], stages: &Stages, told: &str) {
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
    disk.verify().unwrap_or_else(|found| panic!("{told}: the ledger does not hold: {found}"));
    check_notices(&census::deliveries(&disk.addresses()).await, cut, &before, stages, told);
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
