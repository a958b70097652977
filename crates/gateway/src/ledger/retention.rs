//! What is kept for a time only: the raw traffic of known callers, and the attempts at notices that are closed.
//!
//! It goes piece by piece, each a transaction of some milliseconds, with pauses in between: issuing waits for none of it.
//! Answers, policies, events, notices and documents stay for ever, whatever goes.
//!
//! Age counts back from the newest message, or from now where that is earlier: a clock that leaps ahead forgets nothing.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::store::StoreError;
use crate::clock::Clock;

/// How many rows go in one transaction.
pub const PIECE: usize = 200;
/// Between two pieces, while there is more: at most some five thousand rows a second go.
const PAUSE: Duration = Duration::from_millis(40);
/// Between two rounds.
const ROUND: Duration = Duration::from_mins(10);

/// The database as it forgets. Every method blocks.
pub trait Retention: Send {
    /// When the newest message arrived.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn newest_message(&mut self) -> Result<Option<Timestamp>, StoreError>;

    /// Forgets at most `limit` messages that arrived before a moment, the oldest first, and says how many.
    ///
    /// # Errors
    /// When the database cannot be written.
    fn forget_messages(&mut self, before: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// Forgets the attempts at notices that were delivered or skipped before a moment, those closed first at first: at most
    /// `limit` attempts, or those at one notice where they are more. Says at how many notices; 0 where none is left.
    ///
    /// # Errors
    /// When the database cannot be written.
    fn forget_attempts(&mut self, before: Timestamp, limit: usize) -> Result<usize, StoreError>;
}

/// Of notices and how many attempts there are at each, the first whose attempts are `limit` or fewer together, and one at
/// least.
pub(super) fn whole(notices: Vec<(u64, usize)>, limit: usize) -> Vec<u64> {
    let mut sum = 0_usize;
    let mut fits = |attempts: usize| {
        let is_first = sum == 0;
        sum = sum.saturating_add(attempts);
        is_first || sum <= limit
    };
    notices.into_iter().take_while(|(_, attempts)| fits(*attempts)).map(|(id, _)| id).collect()
}

/// For how long things are kept; what is `None` is kept for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Periods {
    /// Messages of known callers.
    pub messages: Option<SignedDuration>,
    /// Attempts at notices that are closed.
    pub attempts: Option<SignedDuration>,
}

impl Periods {
    /// Whether anything goes at all.
    pub fn is_endless(&self) -> bool {
        self.messages.is_none() && self.attempts.is_none()
    }
}

/// What a round does next.
#[derive(Debug, Clone, Copy)]
enum Task {
    Messages(Timestamp),
    Attempts(Timestamp),
}

/// Forgets what is old, beside the work of the gateway.
pub struct Sweeper {
    store: Box<dyn Retention>,
    clock: Arc<dyn Clock>,
    periods: Periods,
    /// What is left of the round, the next at the end.
    tasks: Vec<Task>,
}

impl Sweeper {
    /// A sweeper that has not begun.
    pub fn new(store: Box<dyn Retention>, clock: Arc<dyn Clock>, periods: Periods) -> Self {
        Self { store, clock, periods, tasks: Vec::new() }
    }

    /// Works until `stop` completes.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut wait = PAUSE;
        loop {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = &mut stop => return,
            }
            let swept = tokio::task::spawn_blocking(move || {
                let more = self.step();
                (self, more)
            });
            let Ok((sweeper, more)) = swept.await else { return };
            self = sweeper;
            wait = match more {
                Ok(true) => PAUSE,
                Ok(false) => ROUND,
                Err(error) => {
                    tracing::warn!(%error, "what is old was not forgotten; it is tried again");
                    ROUND
                }
            };
        }
    }

    /// One piece; whether the round goes on.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub fn step(&mut self) -> Result<bool, StoreError> {
        match self.tasks.last_mut() {
            None => self.begin()?,
            Some(Task::Messages(before)) => {
                if self.store.forget_messages(*before, PIECE)? < PIECE {
                    self.tasks.pop();
                }
            }
            Some(Task::Attempts(before)) => {
                if self.store.forget_attempts(*before, PIECE)? == 0 {
                    self.tasks.pop();
                }
            }
        }
        Ok(!self.tasks.is_empty())
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        let Some(newest) = self.store.newest_message()? else { return Ok(()) };
        let today = newest.min(self.clock.now());
        let start = |period: SignedDuration| today.checked_sub(period).unwrap_or(Timestamp::MIN);
        self.tasks.extend(self.periods.attempts.map(|period| Task::Attempts(start(period))));
        self.tasks.extend(self.periods.messages.map(|period| Task::Messages(start(period))));
        Ok(())
    }
}
