//! The people's side of the outbox: look, send again, skip.

use std::sync::{Arc, Mutex, PoisonError};

use super::Wake;
use super::store::{AttemptRecord, Filter, NoticeRecord, NoticeState, OutboxStore, Resent, Skipped};
use crate::clock::Clock;
use crate::ledger::lists::Slice;
use crate::ledger::store::StoreError;
use crate::statistics::store::Bounded;

/// How many notices an order is carried out for in one transaction: the ledger's own writing waits for as long.
const CHUNK: usize = 256;

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

    /// How many notices fit among as many as one call looks at, and whether there may be more.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn count(&self, filter: &Filter) -> Result<Bounded, StoreError> {
        let found = self.with(|store| store.ids(filter))?;
        Ok(Bounded { count: u64::try_from(found.items.len()).unwrap_or(u64::MAX), or_more: found.next.is_some() })
    }

    /// The numbers of all notices that fit, the lowest first: what an order is about to be given for. Of a filter that fits
    /// few among many it looks through all of them, one call's share after the other.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn matching(&self, filter: &Filter) -> Result<Vec<u64>, StoreError> {
        let mut place = filter.clone();
        let mut ids = Vec::new();
        loop {
            let found = self.with(|store| store.ids(&place))?;
            ids.extend(found.items);
            place.before = found.next;
            if place.before.is_none() {
                break;
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// As [`matching`](Self::matching), of those that can be skipped: the pending and the dead.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn open(&self, filter: &Filter) -> Result<Vec<u64>, StoreError> {
        let of = |state| self.matching(&Filter { state: Some(state), ..filter.clone() });
        match filter.state {
            Some(state @ (NoticeState::Pending | NoticeState::Dead)) => of(state),
            Some(NoticeState::Delivered | NoticeState::Skipped) => Ok(Vec::new()),
            None => {
                let mut ids = [of(NoticeState::Pending)?, of(NoticeState::Dead)?].concat();
                // One that was given up between the two looks is in both.
                ids.sort_unstable();
                ids.dedup();
                Ok(ids)
            }
        }
    }

    /// The newest notices that fit, at most `limit`, and where to go on.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn list(&self, filter: &Filter, limit: usize) -> Result<Slice<NoticeRecord, u64>, StoreError> {
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
        self.with(|store| {
            let Some(notice) = store.notice(id)? else { return Ok(None) };
            Ok(Some((notice, store.attempts(id)?)))
        })
    }

    /// Sends again, whatever became of them before.
    ///
    /// # Errors
    /// When the ledger cannot be written; those done before, stay so.
    pub fn resend(&self, ids: &[u64]) -> Result<Resent, StoreError> {
        let now = self.clock.now();
        let resent = self.with(|store| {
            let mut sum = Resent::default();
            for chunk in ids.chunks(CHUNK) {
                sum = sum + store.resend(chunk, now)?;
            }
            Ok(sum)
        });
        self.wake.ring();
        resent
    }

    /// Passes notices over for good, so that their subjects go on. Those that are under way are left.
    ///
    /// # Errors
    /// When the ledger cannot be written; those done before, stay so.
    pub fn skip(&self, ids: &[u64]) -> Result<Skipped, StoreError> {
        let now = self.clock.now();
        let mut last_first = ids.to_vec();
        // While the first of a subject stands, none of those behind it is sent before its turn to be skipped has come.
        last_first.sort_unstable_by(|one, other| other.cmp(one));
        let skipped = self.with(|store| {
            let mut sum = Skipped::default();
            for chunk in last_first.chunks(CHUNK) {
                sum = sum + store.skip(chunk, now)?;
            }
            Ok(sum)
        });
        self.wake.ring();
        skipped
    }
}
