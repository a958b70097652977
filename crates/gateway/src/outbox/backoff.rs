//! How long to wait before the next attempt: exponential, with jitter, so that what failed together does not come
//! back together.

use jiff::{SignedDuration, Timestamp};

/// Exponential back-off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The longest wait after the first failure, in milliseconds.
    pub first_ms: u64,
    /// The longest wait ever, in milliseconds.
    pub longest_ms: u64,
}

impl Backoff {
    /// The wait after `failures` failures, from 1, in milliseconds: the doubled wait, or between it and its half as
    /// `random` says, which is to be uniform over all its values.
    pub fn delay_ms(&self, failures: u32, random: u64) -> u64 {
        let doublings = failures.saturating_sub(1).min(63);
        let whole = u128::from(self.first_ms) << doublings;
        let whole = u64::try_from(whole).unwrap_or(u64::MAX).min(self.longest_ms);
        let half = whole / 2;
        let choices = u128::from(whole - half) + 1;
        // The upper half of the product is uniform below `choices`, with a bias of 2⁻⁶⁴ at most.
        half.saturating_add(u64::try_from((u128::from(random) * choices) >> 64).unwrap_or(0))
    }

    /// The moment to try again.
    pub fn next(&self, now: Timestamp, failures: u32, random: u64) -> Timestamp {
        later(now, self.delay_ms(failures, random))
    }
}

/// That many milliseconds later; the end of time where there is no such moment.
pub(super) fn later(now: Timestamp, ms: u64) -> Timestamp {
    let by = SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff { first_ms: 1_000, longest_ms: 300_000 };
        let longest: Vec<u64> = (0..12).map(|failures| backoff.delay_ms(failures, u64::MAX)).collect();
        let doubled = [1_000, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000];
        assert_eq!(longest, doubled);
        let shortest: Vec<u64> = (1..4).map(|failures| backoff.delay_ms(failures, 0)).collect();
        assert_eq!(shortest, [500, 1_000, 2_000]);
    }

    proptest! {
        #[test]
        fn every_wait_lies_between_half_and_whole(first in 1_u64..100_000, longest in 1_u64..100_000_000, failures: u32, random: u64) {
            let backoff = Backoff { first_ms: first, longest_ms: longest };
            let (least, most) = (backoff.delay_ms(failures, 0), backoff.delay_ms(failures, u64::MAX));
            let delay = backoff.delay_ms(failures, random);
            prop_assert!(least <= delay && delay <= most && most <= longest);
            prop_assert_eq!(least, most / 2);
            prop_assert_eq!(most, if failures > 40 { longest } else { longest.min(first << failures.saturating_sub(1)) });
        }

        #[test]
        fn no_wait_is_shorter_than_the_one_before_by_luck_alone(failures in 1_u32..100, random: u64) {
            let backoff = Backoff { first_ms: 1_000, longest_ms: 300_000 };
            prop_assert!(backoff.delay_ms(failures, random) <= backoff.delay_ms(failures + 1, random));
        }

        #[test]
        fn no_value_breaks_it(first: u64, longest: u64, failures: u32, random: u64) {
            let delay = Backoff { first_ms: first, longest_ms: longest }.delay_ms(failures, random);
            prop_assert!(delay <= longest);
            prop_assert!(later(Timestamp::MAX, delay) == Timestamp::MAX);
        }
    }
}
