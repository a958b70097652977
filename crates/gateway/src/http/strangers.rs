//! How much of what strangers send is remembered.

use std::sync::Mutex;

use jiff::Timestamp;

/// So many a minute, however many come; the ring in the ledger bounds what is kept.
pub struct Allowance {
    per_minute: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The minute since the epoch.
    minute: i64,
    /// How many were allowed in it.
    allowed: u64,
    /// How many were turned away since the last that was allowed.
    suppressed: u64,
}

impl Allowance {
    /// Allows `per_minute` in each minute of the clock.
    pub fn new(per_minute: u64) -> Self {
        Self { per_minute, state: Mutex::default() }
    }

    /// Whether one more is allowed at `now`; if so, how many were not since the last that was.
    pub fn take(&self, now: Timestamp) -> Option<u64> {
        let minute = now.as_second().div_euclid(60);
        let mut state = self.state.lock().ok()?;
        if state.minute != minute {
            (state.minute, state.allowed) = (minute, 0);
        }
        if state.allowed < self.per_minute {
            state.allowed += 1;
            return Some(std::mem::take(&mut state.suppressed));
        }
        state.suppressed += 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_a_minute_and_no_more() {
        let allowance = Allowance::new(2);
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!([60, 61, 62, 119].map(|second| allowance.take(at(second))), [Some(0), Some(0), None, None]);
        assert_eq!(allowance.take(at(120)), Some(2));
        assert_eq!(Allowance::new(0).take(at(0)), None);
    }
}
