//! A store to which everything happens that can happen to one.

use std::collections::{BTreeMap, VecDeque};
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ledger::store::{Decide, NumberBlock, Store, StoreError, Wanted, Writes};

/// What another gateway does meanwhile.
pub(super) type Meanwhile = Box<dyn FnOnce() + Send>;

/// What happens to the next transaction.
pub(super) enum Fate {
    /// Nothing.
    Commits,
    /// The database refuses it.
    Fails,
    /// It is committed, and the word of it is lost.
    CommitsInDoubt,
    /// Others commit first, once or several times: it is decided again over what they left.
    LosesRaces(Vec<Meanwhile>),
    /// No numbers can be set aside, where it needs any.
    FailsToReserve,
    /// The process is killed when numbers were set aside, where it needs any.
    KilledAfterReserving,
    /// The process is killed when all was decided, and nothing written.
    KilledBeforeCommit,
    /// The process is killed when part was written.
    KilledWhileWriting,
    /// The process is killed when all was committed, and nobody answered.
    KilledAfterCommit,
}

/// The panic that stands for the end of a process.
pub(super) struct Killed;

fn kill() -> ! {
    // No message: it is no fault.
    resume_unwind(Box::new(Killed))
}

/// Messages that became durable in one transaction, in their order, and whether the gateway was told.
pub(super) struct Committed {
    pub(super) messages: Vec<String>,
    pub(super) in_doubt: bool,
}

/// What became of all gateways together.
#[derive(Default)]
pub(super) struct Record {
    /// What became durable, in order.
    pub(super) committed: Vec<Committed>,
    /// What they met, and how often.
    pub(super) met: BTreeMap<&'static str, u64>,
}

/// The record, for all who write in it.
#[derive(Clone, Default)]
pub(super) struct Journal(Arc<Mutex<Record>>);

impl Journal {
    pub(super) fn open(&self) -> MutexGuard<'_, Record> {
        // A gateway that is killed holds no page of it half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn meet(&self, what: &'static str) {
        *self.open().met.entry(what).or_default() += 1;
    }
}

/// What is to happen, in order; then nothing any more.
pub(super) type Script = Arc<Mutex<VecDeque<Fate>>>;

/// A store with its fate.
pub(super) struct Fated {
    pub(super) inner: Box<dyn Store>,
    pub(super) script: Script,
    pub(super) journal: Journal,
}

fn failed(reason: &str) -> StoreError {
    StoreError { context: "simulating", reason: reason.to_owned() }
}

fn messages(writes: &Writes) -> Vec<String> {
    writes.messages.iter().map(|row| row.arrival.peer.clone()).collect()
}

impl Fated {
    fn next(&self) -> Fate {
        self.script.lock().unwrap_or_else(PoisonError::into_inner).pop_front().unwrap_or(Fate::Commits)
    }

    /// Commits, and notes what. A database that refuses what was decided has been told wrong.
    fn commit(&mut self, wanted: &Wanted<'_>, decide: &mut Decide<'_>, in_doubt: bool) -> Result<(), StoreError> {
        let mut decided = None;
        let committed = self.inner.transact(wanted, &mut |loaded| {
            let writes = decide(loaded)?;
            decided = Some(messages(&writes));
            Ok(writes)
        });
        match (committed, decided) {
            (Ok(()), Some(messages)) => self.journal.open().committed.push(Committed { messages, in_doubt }),
            (Err(error), Some(_)) => panic!("the database refuses what was decided: {error}"),
            // Where races are lost twice, numbers can run out.
            (committed, None) => committed?,
        }
        Ok(())
    }

    /// Decides over what will have changed by the time that it would be written.
    fn decide_in_vain(&mut self, wanted: &Wanted<'_>, decide: &mut Decide<'_>) {
        let lost = self.inner.transact(wanted, &mut |loaded| {
            decide(loaded)?;
            Err(failed("another was faster"))
        });
        assert!(lost.is_err(), "a transaction was committed that was to be taken back");
    }

    /// Writes the batch with its first message twice at the end, which no database takes: all before is written first.
    fn break_off(&mut self, wanted: &Wanted<'_>, decide: &mut Decide<'_>) {
        let broken = self.inner.transact(wanted, &mut |loaded| {
            let mut writes = decide(loaded)?;
            let first = writes.messages.first().cloned();
            writes.messages.extend(first);
            Ok(writes)
        });
        assert!(broken.is_err(), "one message was written twice");
    }
}

impl Store for Fated {
    fn reserve(&mut self, block: NumberBlock, count: u64) -> Result<u64, StoreError> {
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        match script.front() {
            Some(Fate::FailsToReserve) => {
                script.pop_front();
                self.journal.meet("numbers could not be set aside");
                Err(failed("no numbers"))
            }
            Some(Fate::KilledAfterReserving) => {
                script.pop_front();
                self.journal.meet("killed after setting numbers aside");
                self.inner.reserve(block, count)?;
                drop(script);
                kill()
            }
            _ => self.inner.reserve(block, count),
        }
    }

    fn transact(&mut self, wanted: &Wanted<'_>, decide: &mut Decide<'_>) -> Result<(), StoreError> {
        match self.next() {
            Fate::Commits | Fate::FailsToReserve | Fate::KilledAfterReserving => self.commit(wanted, decide, false),
            Fate::Fails => {
                self.journal.meet("failed");
                Err(failed("disk full"))
            }
            Fate::CommitsInDoubt => {
                self.journal.meet("committed in doubt");
                self.commit(wanted, decide, true)?;
                Err(failed("connection lost"))
            }
            Fate::LosesRaces(races) => {
                for meanwhile in races {
                    self.journal.meet("lost a race");
                    self.decide_in_vain(wanted, decide);
                    meanwhile();
                }
                self.commit(wanted, decide, false)
            }
            Fate::KilledBeforeCommit => {
                self.journal.meet("killed before the commit");
                self.decide_in_vain(wanted, decide);
                kill()
            }
            Fate::KilledWhileWriting => {
                self.journal.meet("killed while writing");
                self.break_off(wanted, decide);
                kill()
            }
            Fate::KilledAfterCommit => {
                self.journal.meet("killed after the commit");
                self.commit(wanted, decide, false)?;
                kill()
            }
        }
    }
}
