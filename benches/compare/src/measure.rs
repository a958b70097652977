//! One sample: a contestant started, loaded by `baoqiao simulate load`, looked at, stopped.

use std::process::Command;

use serde_json::Value;

use crate::contestant::{APP_KEY, Contestant, Places, SECRET, start};
use crate::machine;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

pub(crate) struct Workload {
    pub(crate) label: &'static str,
    arguments: &'static [&'static str],
}

impl Workload {
    pub(crate) const FRESH: Self = Self { label: "fresh", arguments: &[] };
    pub(crate) const OTHERS: &'static [Self] = &[
        Self::FRESH,
        Self { label: "random identifiers", arguments: &["--identifiers", "random"] },
        Self { label: "30 % retries", arguments: &["--retries", "0.3"] },
        Self { label: "5 % conflicts", arguments: &["--conflicts", "0.05"] },
        Self { label: "30 % recoveries", arguments: &["--recoveries", "0.3"] },
        Self { label: "30 % about one policy", arguments: &["--recoveries", "0.3", "--hot"] },
        Self { label: "bodies of 66 KiB", arguments: &["--padding-kib", "64"] },
        Self { label: "GBK", arguments: &["--gbk"] },
    ];
}

/// How calls follow each other.
#[derive(Clone, Copy)]
pub(crate) enum Loop {
    /// 64 connections, each calls as soon as it was answered.
    Closed,
    /// So many a second, on as many connections as it takes.
    Open(u64),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    pub(crate) per_s: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    /// The contestant's own processor time for each call, without that of its database.
    pub(crate) cpu_us: f64,
    pub(crate) resident_mb: u64,
}

pub(crate) fn run(one: Contestant, places: &Places, workload: &Workload, load: Loop, seconds: u32) -> Result<Sample> {
    let running = start(one, places)?;
    let mut command = Command::new(places.target.join("baoqiao"));
    let url = format!("{}/qimen", running.process.url());
    command.args(["simulate", "load", "--url", &url, "--app-key", APP_KEY, "--secret", SECRET, "--json", "-"]);
    command.args(["--duration", &format!("{seconds}s"), "--seed", "1"]).args(workload.arguments);
    match load {
        Loop::Closed => command.args(["--connections", "64"]),
        Loop::Open(rate) => command.args(["--connections", "256", "--rate", &rate.to_string()]),
    };
    let before_us = machine::cpu_us(running.process.pid());
    let output = command.output()?;
    let used_us = machine::cpu_us(running.process.pid()) - before_us;
    let told = || {
        format!(
            "{}: {}{}",
            one.label(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    };
    let report: Value = serde_json::from_slice(&output.stdout).map_err(|_| told())?;
    if !output.status.success() {
        return Err(told().into());
    }
    let sample = sample(&report, used_us).ok_or_else(told)?;
    Ok(Sample { resident_mb: machine::peak_mb(running.process.pid()), ..sample })
}

#[allow(clippy::cast_precision_loss, reason = "far below 2⁵³")]
fn sample(report: &Value, used_us: u64) -> Option<Sample> {
    let latency_ms = |name: &str| Some(report.get("latency")?.get(name)?.as_u64()? as f64 / 1_000.0);
    let counted = |name: &str| {
        let counts = report.get(name)?.as_object()?;
        Some(counts.values().filter_map(Value::as_u64).sum::<u64>())
    };
    let calls = counted("counts")? + counted("warmup_counts")?;
    Some(Sample {
        per_s: report.get("answered_per_s")?.as_u64()?,
        p50_ms: latency_ms("p50_us")?,
        p99_ms: latency_ms("p99_us")?,
        p999_ms: latency_ms("p999_us")?,
        cpu_us: used_us as f64 / calls.max(1) as f64,
        resident_mb: 0,
    })
}

fn middle<T: Copy + PartialOrd>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut sorted: Vec<T> = values.collect();
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    sorted.get(sorted.len() / 2).copied()
}

/// The median of each figure by itself.
pub(crate) fn median(samples: &[Sample]) -> Sample {
    let of = |figure: fn(&Sample) -> f64| middle(samples.iter().map(figure)).unwrap_or_default();
    Sample {
        per_s: middle(samples.iter().map(|sample| sample.per_s)).unwrap_or_default(),
        p50_ms: of(|sample| sample.p50_ms),
        p99_ms: of(|sample| sample.p99_ms),
        p999_ms: of(|sample| sample.p999_ms),
        cpu_us: of(|sample| sample.cpu_us),
        resident_mb: middle(samples.iter().map(|sample| sample.resident_mb)).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_taken_figure_by_figure() {
        let one = |per_s, p50_ms| Sample { per_s, p50_ms, ..Sample::default() };
        let median = median(&[one(3, 1.0), one(1, 3.0), one(2, 9.0)]);
        assert_eq!((median.per_s, median.p50_ms), (2, 3.0));
    }
}
