//! How long calls took, in buckets that grow with the time: each octave has four, so a quantile is off by an eighth at most.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Everything shorter, in microseconds, is as good as this.
const SHORTEST_US: u64 = 16;
const SHORTEST_LOG2: u32 = SHORTEST_US.ilog2();
/// The last bucket, of a minute and more.
const LAST: u8 = 95;

/// Counts of durations; what is empty takes no room.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Latency(BTreeMap<u8, u64>);

fn bucket(duration: Duration) -> u8 {
    let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).max(SHORTEST_US);
    let octave = us.ilog2();
    let quarter = (us >> (octave - 2)) & 3;
    let number = u64::from(octave - SHORTEST_LOG2) * 4 + quarter;
    u8::try_from(number).unwrap_or(LAST).min(LAST)
}

/// The middle of a bucket.
fn middle(bucket: u8) -> Duration {
    let (octave, quarter) = (u32::from(bucket / 4) + SHORTEST_LOG2, u64::from(bucket % 4));
    // In eighths of the octave: the bucket begins at 8 + 2 × quarter of them.
    Duration::from_micros((9 + 2 * quarter) << (octave - 3))
}

impl Latency {
    /// Counts one.
    pub fn record(&mut self, duration: Duration) {
        let count = self.0.entry(bucket(duration)).or_default();
        *count = count.saturating_add(1);
    }

    /// Adds the counts of another.
    pub fn add(&mut self, other: &Self) {
        for (bucket, more) in &other.0 {
            let count = self.0.entry(*bucket).or_default();
            *count = count.saturating_add(*more);
        }
    }

    /// The duration that so many thousandths of the calls did not exceed; `None` where there were none.
    pub fn quantile(&self, per_mille: u64) -> Option<Duration> {
        let total: u64 = self.0.values().sum();
        let rank = total.saturating_mul(per_mille).div_ceil(1_000).max(1);
        let mut below = 0_u64;
        for (bucket, count) in &self.0 {
            below = below.saturating_add(*count);
            if below >= rank {
                return Some(middle(*bucket));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_off_by_an_eighth_at_most() {
        for us in [16_u64, 17, 100, 999, 1_000, 6_700, 19_900, 250_000, 3_000_000, 59_000_000] {
            let mut latency = Latency::default();
            latency.record(Duration::from_micros(us));
            let found = latency.quantile(500).unwrap().as_micros();
            let (found, us) = (u64::try_from(found).unwrap(), us);
            assert!(found.abs_diff(us) * 8 <= us, "{us} became {found}");
        }
        assert_eq!(Latency::default().quantile(500), None);
    }

    #[test]
    fn quantiles_rise_and_sums_are_of_all() {
        let mut latency = Latency::default();
        (1..=100).for_each(|ms| latency.record(Duration::from_millis(ms)));
        let mut other = Latency::default();
        (0..900).for_each(|_| other.record(Duration::from_micros(1)));
        latency.add(&other);
        assert!(latency.quantile(500).unwrap() < Duration::from_micros(20));
        let p99 = latency.quantile(990).unwrap();
        assert!(p99 > Duration::from_millis(80) && p99 < Duration::from_millis(101), "{p99:?}");
        latency.record(Duration::from_hours(24));
        assert!(latency.quantile(1_000).unwrap() > Duration::from_mins(1));
    }

    #[test]
    fn what_is_written_down_reads_back() {
        let mut latency = Latency::default();
        latency.record(Duration::from_millis(5));
        let text = serde_json::to_string(&latency).unwrap();
        assert_eq!(serde_json::from_str::<Latency>(&text).unwrap(), latency);
    }
}
