//! The committer as the handlers see it: whether it can write, and whether waiting for it is in vain.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Shared by the committer and the handlers.
///
/// Batches are counted as they begin and end. Whoever waited in vain notes the batch that was under way then. Until it
/// has ended, nobody with no more patience need wait as well: a platform that is told so at once comes again, instead
/// of a connection being held that others need.
#[derive(Debug)]
pub(super) struct Pulse {
    writable: AtomicBool,
    begun: AtomicU64,
    ended: AtomicU64,
    overdue: Mutex<Overdue>,
}

/// The last batch that somebody waited for in vain, and the longest that anybody did.
#[derive(Debug, Clone, Copy, Default)]
struct Overdue {
    batch: u64,
    patience: Duration,
}

/// A batch under way; it ends with this value, also in a panic.
pub(super) struct Beat(Arc<Pulse>);

impl Drop for Beat {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::AcqRel);
    }
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            writable: AtomicBool::new(true),
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            overdue: Mutex::default(),
        }
    }
}

impl Pulse {
    /// A batch begins.
    pub(super) fn begin(this: &Arc<Self>) -> Beat {
        this.begun.fetch_add(1, Ordering::AcqRel);
        Beat(Arc::clone(this))
    }

    /// Notes whether a batch was written; `true` where the one before it fared otherwise.
    pub(super) fn note(&self, written: bool) -> bool {
        self.writable.swap(written, Ordering::Relaxed) != written
    }

    /// Whether the last batch was written.
    pub(super) fn is_writable(&self) -> bool {
        self.writable.load(Ordering::Relaxed)
    }

    /// Somebody waited for so long, in vain.
    pub(super) fn waited_in_vain(&self, patience: Duration) {
        let batch = self.begun.load(Ordering::Acquire);
        let mut overdue = self.overdue.lock().unwrap_or_else(PoisonError::into_inner);
        if batch > overdue.batch {
            *overdue = Overdue { batch, patience };
        } else {
            overdue.patience = overdue.patience.max(patience);
        }
    }

    /// Whether somebody with so much patience waited in vain for the batch that is still under way.
    pub(super) fn is_vain(&self, patience: Duration) -> bool {
        let overdue = *self.overdue.lock().unwrap_or_else(PoisonError::into_inner);
        self.ended.load(Ordering::Acquire) < overdue.batch && patience <= overdue.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_secs(1);
    const LONG: Duration = Duration::from_secs(3);

    #[test]
    fn waiting_is_vain_until_the_batch_has_ended_that_somebody_waited_for() {
        let pulse = Arc::new(Pulse::default());
        pulse.waited_in_vain(LONG);
        assert!(!pulse.is_vain(SHORT), "nothing is under way: the next will be taken at once");
        let batch = Pulse::begin(&pulse);
        assert!(!pulse.is_vain(SHORT));
        pulse.waited_in_vain(SHORT);
        assert!(pulse.is_vain(SHORT) && !pulse.is_vain(LONG), "more patience may be rewarded");
        pulse.waited_in_vain(LONG);
        assert!(pulse.is_vain(LONG));
        drop(batch);
        assert!(!pulse.is_vain(SHORT));
        let _next = Pulse::begin(&pulse);
        assert!(!pulse.is_vain(SHORT));
    }
}
