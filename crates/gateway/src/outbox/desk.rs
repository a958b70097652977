//! The people's side of the outbox: look, send again, skip.

use std::ops::Add;
use std::sync::{Arc, Mutex, PoisonError};

use super::Wake;
use super::store::{AttemptRecord, Filter, NoticeRecord, NoticeState, Notices, OutboxStore, Resent, Skipped};
use crate::clock::Clock;
use crate::ledger::lists::Slice;
use crate::ledger::store::StoreError;
use crate::statistics::store::Bounded;

/// How many notices an order is carried out for in one transaction: the ledger's own writing waits for as long.
const CHUNK: usize = 256;

/// The writing side, which orders take in turn, a piece at a time.
struct Orders {
    /// Held by the one who is next. A mutex goes to whoever asks at the right moment, and that is whoever has just left it:
    /// an order of many pieces would let nobody in between them.
    next: Mutex<()>,
    store: Mutex<Box<dyn OutboxStore>>,
}

impl Orders {
    fn new(store: Box<dyn OutboxStore>) -> Self {
        Self { next: Mutex::default(), store: Mutex::new(store) }
    }

    fn piece<T>(&self, work: impl FnOnce(&mut dyn OutboxStore) -> T) -> T {
        // A panic of another holder leaves a connection whose transaction was rolled back.
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        drop(next);
        work(store.as_mut())
    }
}

/// Looks into the outbox and gives orders. Every method blocks; looking waits for no order.
#[derive(Clone)]
pub struct Desk {
    notices: Arc<dyn Notices>,
    orders: Arc<Orders>,
    wake: Wake,
    clock: Arc<dyn Clock>,
}

impl Desk {
    /// A desk that looks through `notices`, and gives its orders to a store of its own.
    pub fn new(store: Box<dyn OutboxStore>, notices: Arc<dyn Notices>, wake: Wake, clock: Arc<dyn Clock>) -> Self {
        Self { notices, orders: Arc::new(Orders::new(store)), wake, clock }
    }

    /// How many notices fit among as many as one call looks at, and whether there may be more.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn count(&self, filter: &Filter) -> Result<Bounded, StoreError> {
        let found = self.notices.ids(filter)?;
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
            let found = self.notices.ids(&place)?;
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
        self.notices.list(filter, limit)
    }

    /// The first open notice of each subject that has any, the oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn queues(&self, limit: usize) -> Result<Vec<NoticeRecord>, StoreError> {
        self.notices.queues(limit)
    }

    /// A notice with all attempts at it.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn show(&self, id: u64) -> Result<Option<(NoticeRecord, Vec<AttemptRecord>)>, StoreError> {
        self.notices.show(id)
    }

    /// Sends again, whatever became of them before.
    ///
    /// # Errors
    /// When the ledger cannot be written; those done before, stay so.
    pub fn resend(&self, ids: &[u64]) -> Result<Resent, StoreError> {
        let now = self.clock.now();
        let resent = self.in_pieces(ids, |store, piece| store.resend(piece, now));
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
        let skipped = self.in_pieces(&last_first, |store, piece| store.skip(piece, now));
        self.wake.ring();
        skipped
    }

    /// Does the work for a piece of the notices after the other; other orders go in between.
    fn in_pieces<T: Default + Add<Output = T>>(
        &self,
        ids: &[u64],
        mut work: impl FnMut(&mut dyn OutboxStore, &[u64]) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut sum = T::default();
        for piece in ids.chunks(CHUNK) {
            sum = sum + self.orders.piece(|store| work(store, piece))?;
        }
        Ok(sum)
    }

    /// Whether an order waits for another.
    #[cfg(test)]
    pub(super) fn has_one_waiting(&self) -> bool {
        self.orders.next.try_lock().is_err()
    }
}
