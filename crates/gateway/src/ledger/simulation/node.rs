//! A gateway, as far as it matters here: a committer with its queue, which can be killed and started again.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::fate::{Fate, Fated, Journal, Killed, Script};
use crate::ledger::committer::Committer;
use crate::ledger::store::Store;
use crate::ledger::{Rules, Task};
use crate::vault::Vault;

/// How many numbers a gateway sets aside at once: few, so that blocks end all the time.
const BLOCK: u64 = 7;

/// What a gateway is started with.
pub(super) struct Node {
    committer: Committer,
    queue: mpsc::Receiver<Task>,
    start: Box<dyn Fn() -> Committer + Send>,
}

/// The driver's side of a gateway.
#[derive(Clone)]
pub(super) struct Handle {
    node: Arc<Mutex<Node>>,
    pub(super) tasks: mpsc::Sender<Task>,
    script: Script,
    killed: Arc<AtomicBool>,
}

/// Opens a store; anew at each start.
pub(super) type Open = Box<dyn Fn(&Vault) -> Box<dyn Store> + Send>;

impl Handle {
    pub(super) fn start(open: Open, rules: &Arc<Rules>, journal: &Journal) -> Self {
        let (tasks, queue) = mpsc::channel(1_000);
        let script = Script::default();
        let (rules, journal, fates) = (Arc::clone(rules), journal.clone(), Arc::clone(&script));
        let start = Box::new(move || {
            let store = Fated { inner: open(&rules.vault), script: Arc::clone(&fates), journal: journal.clone() };
            Committer::new(Box::new(store), Arc::clone(&rules), Arc::default()).setting_aside(BLOCK)
        });
        let node = Node { committer: start(), queue, start };
        Self { node: Arc::new(Mutex::new(node)), tasks, script, killed: Arc::default() }
    }

    /// Says what is to happen to it next, after what was said before.
    pub(super) fn expect(&self, fate: Fate) {
        self.script.lock().unwrap_or_else(PoisonError::into_inner).push_back(fate);
    }

    /// Whether it was killed in this round.
    pub(super) fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Relaxed)
    }

    /// The same, and the round is over.
    pub(super) fn take_killed(&self) -> bool {
        self.killed.swap(false, Ordering::Relaxed)
    }

    /// Lets it work until its queue is empty or it is killed; a gateway that was killed is started again, and its queue
    /// is lost.
    pub(super) fn work(&self) {
        let mut node = self.node.lock().unwrap_or_else(PoisonError::into_inner);
        let Node { committer, queue, start } = &mut *node;
        let worked = catch_unwind(AssertUnwindSafe(|| {
            let mut held = None;
            while let Some(first) = held.take().or_else(|| queue.try_recv().ok()) {
                held = committer.turn(first, queue);
            }
        }));
        self.script.lock().unwrap_or_else(PoisonError::into_inner).clear();
        match worked {
            Ok(()) => {}
            Err(panic) if panic.is::<Killed>() => {
                while queue.try_recv().is_ok() {}
                *committer = start();
                self.killed.store(true, Ordering::Relaxed);
            }
            Err(fault) => resume_unwind(fault),
        }
    }
}
