//! How much of what strangers send is remembered.

use std::sync::Mutex;

use jiff::Timestamp;

/// So many a minute, however many come; the ring in the ledger bounds what is kept.
pub struct Allowance {
    per_minute: u64,
    /// The minute since the epoch, and how many were allowed in it.
    used: Mutex<(i64, u64)>,
}

impl Allowance {
    /// Allows `per_minute` in each minute of the clock.
    pub fn new(per_minute: u64) -> Self {
        Self { per_minute, used: Mutex::new((i64::MIN, 0)) }
    }

    /// Whether one more is allowed at `now`.
    pub fn take(&self, now: Timestamp) -> bool {
        let minute = now.as_second().div_euclid(60);
        let Ok(mut used) = self.used.lock() else { return false };
        if used.0 != minute {
            *used = (minute, 0);
        }
        let allowed = used.1 < self.per_minute;
        used.1 += u64::from(allowed);
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_a_minute_and_no_more() {
        let allowance = Allowance::new(2);
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!([0, 1, 2, 59].map(|second| allowance.take(at(second))), [true, true, false, false]);
        assert!(allowance.take(at(60)));
        assert!(!Allowance::new(0).take(at(0)));
    }
}
