//! The clients' log: what they sent, what they were answered, and what of it lay before what.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use crate::order::Order;

/// A moment in the one count of all clients: what has a lower one came before.
pub(crate) type Moment = u64;

/// What a client was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Yes, with the business content of the answer, byte for byte.
    Accepted(String),
    /// No, by this code.
    Refused(String),
    /// Not now, by this code: it may have been carried out.
    Later(String),
    /// Nothing: it may have been carried out.
    Silence(String),
}

/// One sending of an order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Attempt {
    pub(crate) order: std::sync::Arc<Order>,
    pub(crate) begun: Moment,
    pub(crate) ended: Moment,
    pub(crate) answer: Answer,
}

/// All attempts of all clients.
#[derive(Debug)]
pub(crate) struct Journal {
    moment: AtomicU64,
    attempts: Mutex<Vec<Attempt>>,
    begun: watch::Sender<u64>,
}

impl Journal {
    pub(crate) fn new() -> Self {
        Self { moment: AtomicU64::new(1), attempts: Mutex::default(), begun: watch::Sender::new(0) }
    }

    /// The next moment.
    pub(crate) fn now(&self) -> Moment {
        self.moment.fetch_add(1, Ordering::SeqCst)
    }

    /// Notes that a client begins to send.
    pub(crate) fn begin(&self) -> Moment {
        self.begun.send_modify(|begun| *begun += 1);
        self.now()
    }

    /// Notes what came of it.
    pub(crate) fn end(&self, attempt: Attempt) {
        self.attempts.lock().unwrap().push(attempt);
    }

    /// How many sendings have begun.
    pub(crate) fn begun(&self) -> u64 {
        *self.begun.borrow()
    }

    /// Returns when so many have begun.
    pub(crate) async fn until_begun(&self, count: u64) {
        let _ = self.begun.subscribe().wait_for(|begun| *begun >= count).await;
    }

    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        self.attempts.lock().unwrap().clone()
    }
}
