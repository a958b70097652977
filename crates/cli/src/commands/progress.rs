//! How far a long command is, on standard error.

use std::fmt::Display;
use std::io::Write as _;

use baoqiao_gateway::clock::{Clock, SystemClock};
use jiff::{SignedDuration, Timestamp};

/// How often it is told.
const TELL_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// Tells how far it is, now and then.
pub(super) struct Progress {
    told_at: Timestamp,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { told_at: SystemClock.now() }
    }

    /// So many rows were looked at.
    pub(super) fn looked(&mut self, rows_of: impl Display, rows: u64) {
        let now = SystemClock.now();
        if now.duration_since(self.told_at) >= TELL_EVERY {
            self.told_at = now;
            // A reader that has gone is no failure.
            let _ = writeln!(std::io::stderr(), "{rows_of}: {rows}");
        }
    }
}
