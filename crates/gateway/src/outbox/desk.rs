//! The people's side of the outbox: look, send again, skip.

use std::sync::{Arc, Mutex, PoisonError};

use super::Wake;
use super::store::{AttemptRecord, Filter, NoticeRecord, OutboxStore, Resent, Skipped};
use crate::clock::Clock;
use crate::ledger::store::StoreError;

/// Looks into the outbox and gives orders. Every method blocks.
#[derive(Clone)]
pub struct Desk {
    store: Arc<Mutex<Box<dyn OutboxStore>>>,
    wake: Wake,
    clock: Arc<dyn Clock>,
}

impl Desk {
    /// A desk over a store of its own.
    pub fn new(store: Box<dyn OutboxStore>, wake: Wake, clock: Arc<dyn Clock>) -> Self {
        Self { store: Arc::new(Mutex::new(store)), wake, clock }
    }

    fn with<T>(&self, work: impl FnOnce(&mut dyn OutboxStore) -> T) -> T {
        // A panic of another holder leaves a connection whose transaction was rolled back.
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        work(store.as_mut())
    }

    /// How many notices are meant.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn count(&self, filter: &Filter) -> Result<u64, StoreError> {
        self.with(|store| store.count(filter))
    }

    /// The newest notices, at most `limit`.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn list(&self, filter: &Filter, limit: usize) -> Result<Vec<NoticeRecord>, StoreError> {
        self.with(|store| store.list(filter, limit))
    }

    /// The first open notice of each subject that has any, the oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn queues(&self, limit: usize) -> Result<Vec<NoticeRecord>, StoreError> {
        self.with(|store| store.queues(limit))
    }

    /// A notice with all attempts at it.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn show(&self, id: u64) -> Result<Option<(NoticeRecord, Vec<AttemptRecord>)>, StoreError> {
        let filter = Filter { id: Some(id), ..Filter::default() };
        self.with(|store| {
            let Some(notice) = store.list(&filter, 1)?.pop() else { return Ok(None) };
            Ok(Some((notice, store.attempts(id)?)))
        })
    }

    /// Sends again, whatever became of them before; counted by [`count`](Self::count) beforehand.
    ///
    /// # Errors
    /// When the ledger cannot be written; those done before, stay so.
    pub fn resend(&self, filter: &Filter) -> Result<Resent, StoreError> {
        let resent = self.with(|store| store.resend(filter, self.clock.now()));
        self.wake.ring();
        resent
    }

    /// Passes a notice over for good, so that its subject goes on.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn skip(&self, id: u64) -> Result<Skipped, StoreError> {
        let skipped = self.with(|store| store.skip(id, self.clock.now()));
        self.wake.ring();
        skipped
    }
}
