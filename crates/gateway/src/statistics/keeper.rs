//! Writes down the minutes that are over.

use std::sync::Arc;
use std::time::Duration;

use super::meter::{Meter, minute};
use super::store::FigureStore;
use crate::clock::Clock;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(20);
/// For how long minutes are kept.
const KEPT_MINUTES: i64 = 8 * 24 * 60;

/// Writes down what a meter counts, beside the work of the gateway.
pub struct Keeper {
    /// Counts.
    pub meter: Arc<Meter>,
    /// Where to.
    pub store: Arc<dyn FigureStore>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Keeper {
    /// Works until `stop` completes, and then writes down the minute that runs.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let this = Arc::new(self);
        tokio::pin!(stop);
        loop {
            let stopped = tokio::select! {
                () = tokio::time::sleep(EVERY) => false,
                () = &mut stop => true,
            };
            let keeper = Arc::clone(&this);
            // What cannot be written down now, is kept and tried again.
            let written = tokio::task::spawn_blocking(move || keeper.write(stopped)).await;
            if written.is_err() || stopped {
                return;
            }
        }
    }

    fn write(&self, stopped: bool) {
        let now = self.clock.now();
        let rows = self.meter.over((!stopped).then_some(now));
        if rows.is_empty() {
            return;
        }
        match self.store.write_minutes(&rows, minute(now) - KEPT_MINUTES) {
            Ok(()) => self.meter.written(&rows),
            Err(error) => tracing::warn!(%error, rows = rows.len(), "figures of past minutes were not written down"),
        }
    }
}
