//! Measures the gateway beside what people would write instead, in one run: short rounds that take turns, since a
//! machine swings more between two minutes than the contestants differ. `scripts/bench.sh` builds all of them and runs this.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for a person at a terminal")]

mod contestant;
mod machine;
mod measure;
mod plot;
mod table;

use std::path::PathBuf;

use contestant::{Contestant, Places};
use measure::{Loop, Result, Sample, Workload};

const USAGE: &str = "\
Usage: scripts/bench.sh [--rounds N] [--seconds N] [--quick] [--write]

  --rounds N   rounds of each measurement (5); medians are told
  --seconds N  how long each lasts, after a second of warm-up (4)
  --quick      the closed loop alone
  --write      put tables and plots into docs/performance.md and docs/images";

struct Options {
    rounds: usize,
    seconds: u32,
    quick: bool,
    write: bool,
    places: Places,
}

fn options() -> Result<Options> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |name: &str| arguments.next().ok_or_else(|| format!("{name} is missing\n{USAGE}"));
    let places =
        Places { target: PathBuf::from(next("the target directory")?), first_version: next("first-version")?.into() };
    let mut options = Options { rounds: 5, seconds: 4, quick: false, write: false, places };
    let mut rest = arguments.peekable();
    while let Some(argument) = rest.next() {
        let mut number =
            || rest.next().and_then(|text| text.parse().ok()).filter(|n| (1..=60).contains(n)).ok_or(USAGE);
        match argument.as_str() {
            "--rounds" => options.rounds = usize::try_from(number()?)?,
            "--seconds" => options.seconds = number()?,
            "--quick" => options.quick = true,
            "--write" => options.write = true,
            _ => return Err(USAGE.into()),
        }
    }
    Ok(options)
}

/// Rounds of one workload that take turns; of each contestant all samples.
fn rounds(
    options: &Options,
    contestants: &[Contestant],
    workload: &Workload,
    load: &dyn Fn(Contestant) -> Loop,
) -> Result<Vec<Vec<Sample>>> {
    let mut all = vec![Vec::new(); contestants.len()];
    for round in 1..=options.rounds {
        for (contestant, samples) in contestants.iter().zip(&mut all) {
            let sample = measure::run(*contestant, &options.places, workload, load(*contestant), options.seconds)?;
            println!(
                "{:<24} {:<16} round {round}/{}: {:>6} a second, p50 {:>5.1} ms, p99 {:>5.1} ms, {:>3.0} µs of CPU each, {:>3} MB",
                contestant.label(),
                workload.label,
                options.rounds,
                sample.per_s,
                sample.p50_ms,
                sample.p99_ms,
                sample.cpu_us,
                sample.resident_mb
            );
            samples.push(sample);
        }
    }
    Ok(all)
}

fn main() -> Result<()> {
    let options = options()?;
    let described = machine::describe();
    println!("{described}\n");
    let contestants = contestant::available(&options.places);
    let fresh = Workload::FRESH;
    let closed = rounds(&options, &contestants, &fresh, &|_| Loop::Closed)?;
    let medians: Vec<Sample> = closed.iter().map(|samples| measure::median(samples)).collect();
    let mut sections = vec![table::closed(&contestants, &medians)];
    let mut plots = vec![("bench-rates.svg", plot::rates(&contestants, &closed))];
    if !options.quick {
        let half = |one: Contestant| {
            let at = contestants.iter().position(|other| *other == one);
            Loop::Open(at.and_then(|at| medians.get(at)).map_or(1, |median| (median.per_s / 2).max(1)))
        };
        let open = rounds(&options, &contestants, &fresh, &half)?;
        let open: Vec<Sample> = open.iter().map(|samples| measure::median(samples)).collect();
        sections.push(table::open(&contestants, &open));
        plots.push(("bench-latencies.svg", plot::latencies(&contestants, &open)));
        let gateways: Vec<Contestant> = contestants
            .iter()
            .copied()
            .filter(|one| matches!(one, Contestant::Sqlite | Contestant::Postgres))
            .collect();
        let mut rows = Vec::new();
        for workload in Workload::OTHERS {
            let samples = rounds(&options, &gateways, workload, &|_| Loop::Closed)?;
            rows.push((workload, samples.iter().map(|samples| measure::median(samples)).collect::<Vec<_>>()));
        }
        sections.push(table::workloads(&gateways, &rows));
    }
    let text = format!("{described}\n\n{}", sections.join("\n\n"));
    println!("\n{text}");
    if options.write {
        table::write("docs/performance.md", &text)?;
        for (name, svg) in plots {
            std::fs::write(format!("docs/images/{name}"), svg)?;
        }
    }
    Ok(())
}
