//! Forgetting in SQLite, on a connection of its own. Nothing of it is synced: what a power cut brings back goes once more.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};

use super::outbox::{Gate, synchronous, transact};
use super::rows::{instant, millis};
use super::{connect, failed};
use crate::ledger::retention::{Piece, Retention};
use crate::ledger::store::StoreError;

/// SQLite as it forgets.
pub struct SqliteRetention {
    connection: Connection,
    gate: Gate,
}

impl SqliteRetention {
    /// Opens a ledger that exists and is migrated.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path, gate: Gate) -> Result<Self, StoreError> {
        let connection = connect(path)?;
        synchronous(&connection, false).map_err(|error| failed("opening the ledger", &error))?;
        Ok(Self { connection, gate })
    }
}

impl Retention for SqliteRetention {
    fn newest_message(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let query = "SELECT received_ms FROM messages ORDER BY received_ms DESC LIMIT 1";
        let read = || -> rusqlite::Result<Option<Timestamp>> {
            self.connection.prepare_cached(query)?.query_map([], |row| instant(row, 0))?.next().transpose()
        };
        read().map_err(|error| failed("reading the newest message", &error))
    }

    fn forget_messages(&mut self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let delete = "DELETE FROM messages WHERE id IN ( \
                        SELECT id FROM messages WHERE received_ms < ? ORDER BY received_ms LIMIT ?)";
        let _turn = self.gate.enter();
        transact(&mut self.connection, |transaction| {
            transaction.prepare_cached(delete)?.execute(params![millis(before), limit])
        })
        .map_err(|error| failed("forgetting messages", &error))
    }

    fn forget_attempts(&mut self, after: u64, before: Timestamp, limit: usize) -> Result<Piece, StoreError> {
        let _turn = self.gate.enter();
        transact(&mut self.connection, |transaction| forget_attempts(transaction, after, before, limit))
            .map_err(|error| failed("forgetting attempts", &error))
    }
}

/// Notices rise with the time of their making: from the first on that was made later, none is old enough.
fn forget_attempts(
    transaction: &Transaction<'_>,
    after: u64,
    before: Timestamp,
    limit: usize,
) -> rusqlite::Result<Piece> {
    let query = "SELECT id, created_ms < ?2, state IN ('delivered', 'skipped') AND closed_ms < ?2 FROM notices \
                 WHERE id > ?1 ORDER BY id LIMIT ?3";
    let mut notices = transaction.prepare_cached(query)?;
    let mut delete = transaction.prepare_cached("DELETE FROM attempts WHERE notice_id = ?")?;
    let mut piece = Piece { forgotten: 0, next: None };
    let mut rows = notices.query(params![after, millis(before), limit])?;
    while let Some(row) = rows.next()? {
        let id: u64 = row.get(0)?;
        if !row.get::<_, bool>(1)? {
            piece.next = None;
            break;
        }
        if row.get(2)? {
            piece.forgotten += delete.execute([id])?;
        }
        piece.next = Some(id);
    }
    Ok(piece)
}
