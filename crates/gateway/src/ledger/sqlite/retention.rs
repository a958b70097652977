//! Forgetting in SQLite, on a connection of its own. Nothing of it is synced: what a power cut brings back goes once more.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};

use super::outbox::{Gate, synchronous, transact};
use super::rows::{instant, millis};
use super::{connect, failed};
use crate::ledger::retention::{Retention, whole};
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

    fn forget_attempts(&mut self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let _turn = self.gate.enter();
        transact(&mut self.connection, |transaction| forget_attempts(transaction, before, limit))
            .map_err(|error| failed("forgetting attempts", &error))
    }
}

/// In the words of the index, which is named, so that it is walked and nothing sorted.
const FIND: &str = "SELECT id, attempts - attempts_forgotten FROM notices INDEXED BY notices_with_attempts \
                    WHERE state IN ('delivered', 'skipped') AND attempts > attempts_forgotten AND closed_ms < ? \
                    ORDER BY closed_ms LIMIT ?";

fn forget_attempts(transaction: &Transaction<'_>, before: Timestamp, limit: usize) -> rusqlite::Result<usize> {
    let mut find = transaction.prepare_cached(FIND)?;
    let found = find.query_map(params![millis(before), limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let found = whole(found.collect::<rusqlite::Result<Vec<(u64, usize)>>>()?, limit);
    let mut delete = transaction.prepare_cached("DELETE FROM attempts WHERE notice_id = ?")?;
    let mut note = transaction.prepare_cached("UPDATE notices SET attempts_forgotten = attempts WHERE id = ?")?;
    for id in &found {
        delete.execute([id])?;
        note.execute([id])?;
    }
    Ok(found.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::sqlite::lists::tests::steps;
    use crate::ledger::sqlite::migrations;

    #[test]
    fn attempts_in_a_ledger_of_before_are_forgotten_too() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrations::run_to(&mut connection, 14);
        let rows = "INSERT INTO notices (id, subject, kind, partner, content, created_ms, state, attempts, closed_ms) \
                      VALUES (1, 'a', 'k', 'p', x'00', 1, 'delivered', 1, 5), (2, 'b', 'k', 'p', x'00', 1, 'dead', 1, 5); \
                    INSERT INTO attempts (notice_id, number, started_ms, duration_ms, verdict, detail) \
                      VALUES (1, 1, 4, 1, 'delivered', ''), (2, 1, 4, 1, 'dead', '')";
        connection.execute_batch(rows).unwrap();
        migrations::run(&mut connection).unwrap();
        let before = Timestamp::from_millisecond(6).unwrap();
        let mut forget = || transact(&mut connection, |transaction| forget_attempts(transaction, before, 9)).unwrap();
        assert_eq!([forget(), forget()], [1, 0]);
        let left: u64 = connection.query_row("SELECT sum(notice_id) FROM attempts", [], |row| row.get(0)).unwrap();
        assert_eq!(left, 2);
    }

    #[test]
    fn what_is_forgotten_next_is_one_step_in_an_index() {
        let plan = steps(FIND, vec![1.into(), 9.into()]);
        assert_eq!(plan, "SEARCH notices USING INDEX notices_with_attempts (closed_ms<?)");
    }
}
