//! Counts on what somebody who looked at the figures found uncounted, beside the work of the gateway.

use std::sync::Arc;
use std::time::Duration;

use super::figures::Figures;

/// Between two turns, each about as long: half of the time the thread and the lock on the figures are somebody else's.
const PAUSE: Duration = Duration::from_millis(100);

/// Counts until nothing is left, each time that somebody looked before.
pub struct Counter {
    /// What it counts for.
    pub figures: Arc<Figures>,
}

impl Counter {
    /// Works for ever; it may be dropped at any moment.
    pub async fn run(self) {
        loop {
            self.figures.behind().await;
            while self.turn().await {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Counts for a moment; whether more is left. What cannot be read is tried again when somebody looks again.
    async fn turn(&self) -> bool {
        let figures = Arc::clone(&self.figures);
        match tokio::task::spawn_blocking(move || figures.count_on()).await {
            Ok(Ok(is_left)) => is_left,
            Ok(Err(error)) => {
                tracing::warn!(%error, "what was issued could not be counted");
                false
            }
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use jiff::{SignedDuration, Timestamp};

    use super::super::issued::tests::Rows;
    use super::super::meter::Meter;
    use super::*;
    use crate::clock::Clock;

    /// Each look at it takes longer than a turn.
    struct Slow(Mutex<Timestamp>);

    impl Clock for Slow {
        fn now(&self) -> Timestamp {
            let mut now = self.0.lock().unwrap();
            *now += SignedDuration::from_millis(200);
            *now
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_look_left_is_counted_beside_it_and_nothing_before_anybody_looks() {
        let first: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
        let clock = Arc::new(Slow(Mutex::new(first + SignedDuration::from_hours(1))));
        let store = Arc::new(Rows::many(first, 25_000));
        let figures = Arc::new(Figures::new(store, Arc::new(Meter::new("test".to_owned())), clock.clone()));
        let issued = |after_s| {
            let now = first + SignedDuration::from_hours(1) + SignedDuration::from_secs(after_s);
            figures.snapshot(now).map(|snapshot| (snapshot.issued.today_count, snapshot.issued.is_counting))
        };
        let counter = tokio::spawn(Counter { figures: Arc::clone(&figures) }.run());
        let quiet = Duration::from_mins(1);
        tokio::time::sleep(quiet).await;
        assert_eq!(issued(0).unwrap(), (2_000, true), "nobody had looked");
        tokio::time::sleep(quiet).await;
        assert_eq!(issued(60).unwrap(), (25_000, false));
        counter.abort();
    }
}
