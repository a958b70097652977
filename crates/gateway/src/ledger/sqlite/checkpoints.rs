//! Moving the log into the file beside the writer, so that no batch waits while it is done.
//!
//! SQLite by itself has the commit that fills the log move all of it: batches behind it waited 20 ms, and the writer
//! spent 12 % of its time so. Here a thread moves pages while the writer goes on. But a log begins anew only once a
//! commit finds all of it moved, and behind a writer that never pauses the thread is always a little late; so it goes
//! over the log until little is left, and the writer moves that. (`docs/performance.md` has what it brought: with the
//! core that serve leaves to the writer, a quarter.)

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, MAIN_DB};

use super::{connect, failed};
use crate::ledger::store::StoreError;

/// When to move how much of the log, in pages.
#[derive(Clone, Copy)]
struct Lengths {
    /// It is moved once it is this long: a page that many batches touch is written once instead of often.
    long: u32,
    /// So much of it the writer moves itself, in two or three milliseconds.
    rest: u32,
    /// Where a reader holds it, it is tried again each time it has become so much longer.
    longer: u32,
}

/// At 4 MiB and 1 MiB; again after 2 MiB. A batch's sync waits while the disk takes what was moved: with 32 MiB at once
/// p99 was twice what it is, at the same rate (`docs/performance.md`).
const LENGTHS: Lengths = Lengths { long: 512, rest: 128, longer: 256 };

/// What the thread and the writer tell each other.
#[derive(Default)]
struct Shared {
    /// How long the log is, in pages: what the writer's last commit made it.
    log_pages: AtomicU32,
    /// The thread has done what it can: the rest is the writer's.
    rest_is_left: AtomicBool,
}

/// The writer's side.
pub(super) struct Checkpoints {
    shared: Arc<Shared>,
    /// `None` when it is being dropped, which ends the thread.
    order: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    lengths: Lengths,
    /// How long the log was, and how long it may get before the thread is called.
    seen_pages: u32,
    due_pages: u32,
}

impl Checkpoints {
    /// Takes over from SQLite for the writer of the ledger at `path`.
    ///
    /// # Errors
    /// When the ledger cannot be opened once more, or there is no thread to be had.
    pub(super) fn begin(path: &Path, writer: &mut Connection) -> Result<Self, StoreError> {
        Self::with(LENGTHS, path, writer)
    }

    fn with(lengths: Lengths, path: &Path, writer: &mut Connection) -> Result<Self, StoreError> {
        const CONTEXT: &str = "preparing checkpoints";
        let shared = Arc::new(Shared::default());
        let told = Arc::clone(&shared);
        let hook = move |_: &mut rusqlite::hooks::Wal, pages| {
            told.log_pages.store(u32::try_from(pages).unwrap_or_default(), Ordering::Relaxed);
            Ok(())
        };
        writer.wal_hook(Some(hook)).map_err(|error| failed(CONTEXT, &error))?;
        let connection = connect(path)?;
        let (order, orders) = sync_channel(0);
        let work = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("checkpoints".to_owned())
            .spawn(move || run(&connection, &work, &orders, lengths.rest))
            .map_err(|error| StoreError { context: CONTEXT, reason: error.to_string() })?;
        let due_pages = lengths.long;
        Ok(Self { shared, order: Some(order), thread: Some(thread), lengths, seen_pages: 0, due_pages })
    }

    /// After each commit of the writer, and before anybody else writes.
    pub(super) fn step(&mut self, writer: &Connection) {
        if self.shared.rest_is_left.swap(false, Ordering::Acquire) {
            // What fails here is tried again when the log has become longer, and told then.
            let _ = writer.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::PASSIVE);
        }
        let log_pages = self.shared.log_pages.load(Ordering::Relaxed);
        if log_pages < self.seen_pages {
            self.due_pages = self.lengths.long;
        }
        self.seen_pages = log_pages;
        // A thread that is still at work takes no order.
        if log_pages >= self.due_pages && self.order.as_ref().is_some_and(|order| order.try_send(()).is_ok()) {
            self.due_pages = log_pages.saturating_add(self.lengths.longer);
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.order = None;
        if let Some(thread) = self.thread.take() {
            // One that panicked has moved nothing that was not moved.
            let _ = thread.join();
        }
    }
}

fn run(connection: &Connection, shared: &Shared, orders: &Receiver<()>, enough_pages: u32) {
    while orders.recv().is_ok() {
        let mut rest_pages = u32::MAX;
        loop {
            let moved_pages = match connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::PASSIVE) {
                Ok((_, moved)) => u32::try_from(moved).unwrap_or_default(),
                Err(error) => {
                    tracing::warn!(error = %failed("moving the log into the ledger", &error), "the log gets longer");
                    break;
                }
            };
            let rest = shared.log_pages.load(Ordering::Relaxed).saturating_sub(moved_pages);
            // No less than before: a reader holds it, or the writer is faster.
            if rest <= enough_pages || rest >= rest_pages {
                break;
            }
            rest_pages = rest;
        }
        shared.rest_is_left.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Lengths = Lengths { long: 64, rest: 16, longer: 32 };
    /// More commits than any machine should need to show what is looked for.
    const MANY: usize = 100_000;

    struct World {
        folder: tempfile::TempDir,
        checkpoints: Checkpoints,
        writer: Connection,
    }

    impl World {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let mut writer = connect(&folder.path().join("ledger.db")).unwrap();
            writer.execute_batch("CREATE TABLE t (x BLOB)").unwrap();
            let checkpoints = Checkpoints::with(SHORT, &folder.path().join("ledger.db"), &mut writer).unwrap();
            Self { folder, checkpoints, writer }
        }

        fn reader(&self) -> Connection {
            connect(&self.folder.path().join("ledger.db")).unwrap()
        }

        /// Commits until that many logs have begun, or the log is that long, and says how many logs began.
        fn commit_until(&mut self, logs: usize, longest_pages: u32) -> usize {
            let (mut begun, mut before) = (0, 0);
            for _ in 0..MANY {
                self.writer.execute("INSERT INTO t VALUES (randomblob(20000))", []).unwrap();
                self.checkpoints.step(&self.writer);
                let pages = self.checkpoints.seen_pages;
                begun += usize::from(pages < before);
                before = pages;
                if begun == logs || pages >= longest_pages {
                    return begun;
                }
            }
            begun
        }
    }

    #[test]
    fn the_log_begins_anew_behind_a_writer_that_never_pauses() {
        let mut world = World::new();
        assert_eq!(world.commit_until(5, u32::MAX), 5);
    }

    #[test]
    fn a_reader_holds_the_log_only_as_long_as_it_reads() {
        let mut world = World::new();
        let reader = world.reader();
        reader.execute_batch("BEGIN").unwrap();
        let held = |reader: &Connection| reader.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
        let seen: u64 = held(&reader);
        assert_eq!(world.commit_until(1, 10 * SHORT.long), 0, "nothing that the reader needs goes");
        assert_eq!(held(&reader), seen);
        reader.execute_batch("COMMIT").unwrap();
        assert_eq!(world.commit_until(2, u32::MAX), 2);
    }
}
