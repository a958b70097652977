//! Counts and latencies of one run.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::judge::Outcome;

/// The longest latency told apart, in microseconds: longer ones count as this.
const LONGEST_US: u64 = 60_000_000;

/// How many different troubles are quoted.
const QUOTED: usize = 5;

/// How requests ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// New calls that became policies.
    pub accepted: u64,
    /// Repeats answered with the first policy number.
    pub replayed: u64,
    /// Repeats with other content, refused as they must be.
    pub conflicts_refused: u64,
    /// Recoveries that were recorded.
    pub recoveries: u64,
    /// Refused otherwise.
    pub refused: u64,
    /// Accepted wrongly: another policy number than the first, none, or other content.
    pub mismatched: u64,
    /// Not answered, or not with an answer.
    pub failed: u64,
}

impl Counts {
    /// All requests.
    pub fn requests(&self) -> u64 {
        self.answered() + self.failed
    }

    /// The requests that have a latency.
    pub fn answered(&self) -> u64 {
        self.expected() + self.refused + self.mismatched
    }

    /// Those that ended as they should.
    pub fn expected(&self) -> u64 {
        self.accepted + self.replayed + self.conflicts_refused + self.recoveries
    }

    /// Whether every request ended as it should.
    pub fn is_clean(&self) -> bool {
        self.refused + self.mismatched + self.failed == 0
    }

    fn add(&mut self, outcome: &Outcome) {
        let count = match outcome {
            Outcome::Accepted => &mut self.accepted,
            Outcome::Replayed => &mut self.replayed,
            Outcome::ConflictRefused => &mut self.conflicts_refused,
            Outcome::RecoveryRecorded => &mut self.recoveries,
            Outcome::Refused(_) => &mut self.refused,
            Outcome::Mismatched(_) => &mut self.mismatched,
            Outcome::Failed(_) => &mut self.failed,
        };
        *count += 1;
    }
}

/// When a request should have gone, went, and was answered, counted from one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) due: Duration,
    pub(super) sent: Duration,
    pub(super) done: Duration,
}

/// What is counted while the run goes on.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) measured: Counts,
    pub(super) warmup: Counts,
    /// From the moment a request was due, so that one which had to wait for a late answer counts its wait.
    pub(super) latency_us: Histogram<u64>,
    /// How much of that passed before it was sent.
    pub(super) delay_us: Histogram<u64>,
    pub(super) last_done: Duration,
    pub(super) troubles: Vec<String>,
}

impl Tally {
    pub(super) fn new() -> Result<Self, hdrhistogram::CreationError> {
        let histogram = || Histogram::new_with_bounds(1, LONGEST_US, 3);
        Ok(Self {
            measured: Counts::default(),
            warmup: Counts::default(),
            latency_us: histogram()?,
            delay_us: histogram()?,
            last_done: Duration::ZERO,
            troubles: Vec::new(),
        })
    }

    pub(super) fn add(&mut self, outcome: &Outcome, times: Times, warming_up: bool) {
        if let Outcome::Refused(why) | Outcome::Mismatched(why) | Outcome::Failed(why) = outcome
            && self.troubles.len() < QUOTED
            && !self.troubles.contains(why)
        {
            self.troubles.push(why.clone());
        }
        if warming_up {
            self.warmup.add(outcome);
            return;
        }
        self.measured.add(outcome);
        self.last_done = self.last_done.max(times.done);
        if !matches!(outcome, Outcome::Failed(_)) {
            let us = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(LONGEST_US);
            self.latency_us.saturating_record(us(times.done.saturating_sub(times.due)));
            self.delay_us.saturating_record(us(times.sent.saturating_sub(times.due)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn times(due: u64, sent: u64, done: u64) -> Times {
        Times { due: ms(due), sent: ms(sent), done: ms(done) }
    }

    #[test]
    fn latency_counts_from_the_moment_due() {
        let mut tally = Tally::new().unwrap();
        tally.add(&Outcome::Accepted, times(10, 15, 18), false);
        assert_eq!(tally.latency_us.max() / 1000, 8);
        assert_eq!(tally.delay_us.max() / 1000, 5);
        assert_eq!(tally.last_done, ms(18));
    }

    #[test]
    fn warm_up_and_failures_have_no_latency() {
        let mut tally = Tally::new().unwrap();
        let failed = Outcome::Failed("x".to_owned());
        tally.add(&Outcome::Accepted, times(0, 0, 1), true);
        tally.add(&failed, times(0, 0, 1), false);
        tally.add(&failed, times(0, 0, 1), false);
        assert_eq!(tally.latency_us.len(), 0);
        assert_eq!(tally.troubles, ["x"]);
        assert_eq!((tally.warmup.accepted, tally.measured.failed), (1, 2));
        assert!(tally.warmup.is_clean() && !tally.measured.is_clean());
    }

    #[test]
    fn quotes_are_bounded() {
        let mut tally = Tally::new().unwrap();
        for n in 0..100 {
            let refused = Outcome::Refused(n.to_string());
            tally.add(&refused, times(0, 0, 1), false);
        }
        assert_eq!(tally.troubles.len(), QUOTED);
        assert_eq!(tally.measured.requests(), 100);
    }
}
