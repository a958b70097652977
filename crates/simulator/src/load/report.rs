//! The report: for a person as text, for a program as JSON.

use std::fmt::{self, Write as _};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::plan::Plan;
use super::tally::{Counts, Tally};

/// The longest bar of the text histogram.
const BAR: u64 = 50;

/// What a run found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Where the calls went.
    pub url: String,
    /// Connections.
    pub connections: usize,
    /// The open loop's rate, in requests a second; `None`: a closed loop.
    pub rate_asked_per_s: Option<u32>,
    /// `sign_method` of the calls.
    pub sign_method: &'static str,
    /// Charset of the calls.
    pub charset: &'static str,
    /// The order of the identifiers.
    pub identifiers: &'static str,
    /// The share of repeats asked for.
    pub retries: f64,
    /// The share of conflicts asked for.
    pub conflicts: f64,
    /// The share of recoveries asked for.
    pub recoveries: f64,
    /// Whether all of them are about one policy.
    pub hot: bool,
    /// What is added to each body, in KiB.
    pub padding_kib: usize,
    /// The seed of the run.
    pub seed: u64,
    /// The warm-up, in milliseconds.
    pub warmup_ms: u64,
    /// From the end of the warm-up to the last answer, in milliseconds.
    pub measured_ms: u64,
    /// Answered requests a second, over the measured time.
    pub answered_per_s: u64,
    /// How the measured requests ended.
    pub counts: Counts,
    /// How those of the warm-up ended.
    pub warmup_counts: Counts,
    /// Requests that the open loop had due and that were never sent, for want of an answered connection.
    pub unsent: u64,
    /// From the moment a request was due to its answer's last byte; failed requests have none.
    pub latency: Latency,
    /// The part of it before the request was sent: waiting for a connection to be free.
    pub send_delay: Latency,
    /// Latencies by size, from the first to the last size that occurred.
    pub histogram: Vec<Bucket>,
    /// Some different reasons of what was refused, mismatched or failed.
    pub troubles: Vec<String>,
}

/// Latencies in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// The median.
    pub p50_us: u64,
    /// 90 of 100 are no longer.
    pub p90_us: u64,
    /// 99 of 100 are no longer.
    pub p99_us: u64,
    /// 999 of 1000 are no longer.
    pub p999_us: u64,
    /// The longest.
    pub max_us: u64,
}

/// How many requests took so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// From, in microseconds.
    pub from_us: u64,
    /// To and without, in microseconds.
    pub to_us: u64,
    /// How many.
    pub count: u64,
}

impl Latency {
    fn of(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        Self {
            p50_us: histogram.value_at_quantile(0.5),
            p90_us: histogram.value_at_quantile(0.9),
            p99_us: histogram.value_at_quantile(0.99),
            p999_us: histogram.value_at_quantile(0.999),
            max_us: histogram.max(),
        }
    }
}

/// Sizes 1, 2, 5, 10, 20, 50 … microseconds.
fn buckets(histogram: &Histogram<u64>) -> Vec<Bucket> {
    let bounds = (0..9).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power)));
    let mut recorded = histogram.iter_recorded().peekable();
    let mut from_us = 0;
    let mut all: Vec<Bucket> = Vec::new();
    for to_us in bounds {
        // The histogram's own steps straddle these bounds: each is counted where it ends, so that none counts twice.
        let mut count = 0;
        while let Some(step) = recorded.next_if(|step| step.value_iterated_to() < to_us) {
            count += step.count_at_value();
        }
        if count > 0 || !all.is_empty() {
            all.push(Bucket { from_us, to_us, count });
        }
        from_us = to_us;
    }
    while all.last().is_some_and(|last| last.count == 0) {
        all.pop();
    }
    all
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl Report {
    pub(super) fn of(plan: &Plan, tally: &Tally, measured: Duration, unsent: u64) -> Self {
        let measured_ms = ms(measured);
        let answered = tally.measured.answered();
        Self {
            url: plan.url.clone(),
            connections: plan.connections,
            rate_asked_per_s: plan.rate.map(std::num::NonZeroU32::get),
            sign_method: plan.sign_method.as_str(),
            charset: plan.charset.as_str(),
            identifiers: plan.identifiers.as_str(),
            retries: plan.retries,
            conflicts: plan.conflicts,
            recoveries: plan.recoveries,
            hot: plan.hot,
            padding_kib: plan.padding_kib,
            seed: plan.seed,
            warmup_ms: ms(plan.warmup),
            measured_ms,
            answered_per_s: answered.saturating_mul(1000) / measured_ms.max(1),
            counts: tally.measured,
            warmup_counts: tally.warmup,
            unsent,
            latency: Latency::of(&tally.latency_us),
            send_delay: Latency::of(&tally.delay_us),
            histogram: buckets(&tally.latency_us),
            troubles: tally.troubles.clone(),
        }
    }

    /// Whether every request, those of the warm-up too, ended as it should, and there were some.
    pub fn is_clean(&self) -> bool {
        self.counts.requests() > 0 && self.counts.is_clean() && self.warmup_counts.is_clean()
    }

    fn counts_text(&self, out: &mut String) -> fmt::Result {
        let Counts { accepted, replayed, conflicts_refused, recoveries, refused, mismatched, failed } = self.counts;
        writeln!(out, "  accepted           {accepted:>10}  new calls that became policies")?;
        writeln!(out, "  replayed           {replayed:>10}  repeats answered with the first policyNo")?;
        writeln!(
            out,
            "  conflicts refused  {conflicts_refused:>10}  repeats with other content, refused as they must be"
        )?;
        if self.recoveries > 0.0 {
            writeln!(out, "  recoveries         {recoveries:>10}  recorded beside policies")?;
        }
        writeln!(out, "  refused            {refused:>10}")?;
        writeln!(
            out,
            "  mismatched         {mismatched:>10}  another policyNo than the first, or other content accepted"
        )?;
        writeln!(out, "  failed             {failed:>10}  no answer")
    }

    fn warnings_text(&self, out: &mut String) -> fmt::Result {
        if self.unsent > 0 {
            writeln!(
                out,
                "  never sent         {:>10}  the gateway (or this machine) could not keep up with the rate",
                self.unsent
            )?;
        }
        if !self.warmup_counts.is_clean() {
            let warmup = self.warmup_counts;
            writeln!(
                out,
                "  in the warm-up     {:>10}  refused, mismatched or failed",
                warmup.refused + warmup.mismatched + warmup.failed
            )?;
        }
        for trouble in &self.troubles {
            writeln!(out, "  ! {trouble}")?;
        }
        Ok(())
    }

    fn latency_text(&self, out: &mut String) -> fmt::Result {
        if self.histogram.is_empty() {
            return writeln!(out, "no request was answered within the measured time");
        }
        writeln!(out, "{}", latency_line("latency", &self.latency))?;
        if self.rate_asked_per_s.is_some() {
            writeln!(out, "{}", latency_line("  before sending", &self.send_delay))?;
        }
        let most = self.histogram.iter().map(|b| b.count).max().unwrap_or(1);
        for bucket in &self.histogram {
            let length = (bucket.count * BAR).div_ceil(most.max(1));
            let bar = "#".repeat(usize::try_from(length).unwrap_or_default());
            let line = format!(
                "  {:>7} – {:<7} {:>9}  {bar}",
                readable_us(bucket.from_us),
                readable_us(bucket.to_us),
                bucket.count
            );
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    fn text(&self, out: &mut String) -> fmt::Result {
        let loop_kind = match self.rate_asked_per_s {
            Some(rate) => format!("open loop, {rate} requests/s asked"),
            None => "closed loop".to_owned(),
        };
        writeln!(out, "{}: {loop_kind}", self.url)?;
        writeln!(
            out,
            "{} connections, {}, {}, {} identifiers, retries {}, conflicts {}, seed {}",
            self.connections, self.sign_method, self.charset, self.identifiers, self.retries, self.conflicts, self.seed
        )?;
        writeln!(
            out,
            "{} requests in {} ms after {} ms of warm-up: {} answered/s",
            self.counts.requests(),
            self.measured_ms,
            self.warmup_ms,
            self.answered_per_s
        )?;
        self.counts_text(out)?;
        self.warnings_text(out)?;
        self.latency_text(out)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.text(&mut text)?;
        f.write_str(&text)
    }
}

fn latency_line(name: &str, latency: &Latency) -> String {
    let mut line = format!("{name:<16}");
    for (label, value) in [
        ("p50", latency.p50_us),
        ("p90", latency.p90_us),
        ("p99", latency.p99_us),
        ("p99.9", latency.p999_us),
        ("max", latency.max_us),
    ] {
        // Writing to a string cannot fail.
        let _ = write!(line, "  {label} {}", readable_us(value));
    }
    line
}

/// Microseconds in the largest unit that leaves at most two decimals to cut off.
fn readable_us(us: u64) -> String {
    let scaled = |unit: u64, name: &str| {
        let (whole, hundredths) = (us / unit, us % unit * 100 / unit);
        match (hundredths, hundredths % 10) {
            (0, _) => format!("{whole}{name}"),
            (_, 0) => format!("{whole}.{}{name}", hundredths / 10),
            _ => format!("{whole}.{hundredths:02}{name}"),
        }
    };
    match us {
        0..1000 => format!("{us}µs"),
        1000..1_000_000 => scaled(1000, "ms"),
        _ => scaled(1_000_000, "s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::judge::Outcome;
    use crate::load::tally::Times;
    use baoqiao_channels::access::Secret;
    use std::num::NonZeroU32;

    fn report(latencies_ms: impl IntoIterator<Item = u64>) -> Report {
        let mut tally = Tally::new().unwrap();
        for latency in latencies_ms {
            let times =
                Times { due: Duration::ZERO, sent: Duration::from_millis(1), done: Duration::from_millis(latency) };
            tally.add(&Outcome::Accepted, times, false);
        }
        let plan = Plan { rate: NonZeroU32::new(500), ..Plan::new("http://127.0.0.1:1/qimen", "k", Secret::new("s")) };
        Report::of(&plan, &tally, Duration::from_secs(2), 3)
    }

    #[test]
    fn percentiles_and_rate() {
        let report = report(1..=1000);
        assert_eq!(report.answered_per_s, 500);
        let near = |value: u64, expected_ms: u64| {
            let expected = expected_ms * 1000;
            assert!(value >= expected && value <= expected + expected / 500, "{value}");
        };
        near(report.latency.p50_us, 500);
        near(report.latency.p90_us, 900);
        near(report.latency.p99_us, 990);
        near(report.latency.p999_us, 999);
        near(report.latency.max_us, 1000);
        near(report.send_delay.max_us, 1);
    }

    #[test]
    fn every_latency_is_in_one_bucket() {
        let report = report([1, 1, 3, 40, 41, 42]);
        let shown: Vec<(u64, u64, u64)> =
            report.histogram.iter().map(|bucket| (bucket.from_us, bucket.to_us, bucket.count)).collect();
        assert_eq!(
            shown,
            [(1000, 2000, 2), (2000, 5000, 1), (5000, 10_000, 0), (10_000, 20_000, 0), (20_000, 50_000, 3)]
        );
    }

    #[test]
    fn none_counts_twice_and_the_longest_still_counts() {
        let report = report([49, 50, 51, 99, 100, 101, 3_600_000]);
        let counted: u64 = report.histogram.iter().map(|bucket| bucket.count).sum();
        assert_eq!(counted, 7);
    }

    #[test]
    fn nothing_measured_is_not_clean() {
        let empty = report([]);
        assert!(!empty.is_clean());
        assert_eq!(empty.latency, Latency::default());
        assert!(report([1]).is_clean());
    }

    #[test]
    fn the_text_says_what_counts() {
        let text = report([1, 2, 2, 40]).to_string();
        for part in [
            "open loop, 500 requests/s asked",
            "4 requests in 2000 ms after 1000 ms of warm-up: 2 answered/s",
            "never sent                  3",
            "before sending  p50 1ms",
            "    2ms – 5ms             2  ##################################################",
        ] {
            assert!(text.contains(part), "{part:?} in:\n{text}");
        }
    }

    #[test]
    fn times_are_readable() {
        let texts = [0, 999, 1000, 1500, 12_345, 1_000_000, 61_230_000].map(readable_us);
        let expected = ["0µs", "999µs", "1ms", "1.5ms", "12.34ms", "1s", "61.23s"];
        assert_eq!(texts, expected);
    }
}
