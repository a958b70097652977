//! Readers beside the writer: WAL lets them see the last commit without waiting.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use baoqiao_domain::policy_number::PolicyNumber;
use tokio::time::Instant;

use super::rows::{POLICY_COLUMNS, instant, policy_record};
use super::{BUSY_TIMEOUT, StoreError, failed, none_if_no_row, people};
use crate::ledger::store::{DocumentRow, PolicyRecord, Reader};
use crate::vault::{BlindIndex, Sealed};

/// SQLite as the ledger's reading side: as many connections as there are readers at once, kept for the next.
pub struct SqliteReader {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    longest: Duration,
}

/// Connections kept open when idle; more readers than these open and close their own.
const IDLE_CONNECTIONS: usize = 4;
/// No read takes longer: whoever asked has given up by then, and what it holds is wanted by others.
const LONGEST_READ: Duration = Duration::from_secs(20);
/// How many steps of SQLite's machine lie between two looks at the clock: some tenths of a millisecond.
const STEPS_BETWEEN_LOOKS: i32 = 50_000;

impl SqliteReader {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::new(Vec::new()), longest: LONGEST_READ }
    }

    /// Reads, for some seconds at most.
    pub(super) fn read<T>(
        &self,
        context: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let until = Instant::now() + self.longest;
        self.with(context, |connection| {
            connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || Instant::now() >= until))?;
            let result = query(connection);
            connection.progress_handler(0, None::<fn() -> bool>)?;
            result
        })
    }

    /// Reads for as long as it takes: what looks a whole ledger through.
    pub(super) fn read_patiently<T>(
        &self,
        context: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.with(context, |connection| query(connection))
    }

    fn with<T>(
        &self,
        context: &'static str,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let idle = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        let mut connection = idle.map_or_else(|| self.connect(), Ok).map_err(|error| failed(context, &error))?;
        let result = work(&mut connection).map_err(|error| failed(context, &error));
        if let Ok(mut idle) = self.idle.lock()
            && idle.len() < IDLE_CONNECTIONS
        {
            idle.push(connection);
        }
        result
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        Ok(connection)
    }
}

impl Reader for SqliteReader {
    fn policy(&self, number: &PolicyNumber) -> Result<Option<PolicyRecord>, StoreError> {
        let query = format!(
            "SELECT {POLICY_COLUMNS} FROM policies p JOIN answers a ON a.message_id = p.content_id \
             WHERE p.sequence = ? AND p.policy_no = ?"
        );
        self.read("reading a policy", |connection| {
            let parameters = params![number.sequence(), number.as_str()];
            connection.prepare_cached(&query)?.query_row(parameters, policy_record).map(Some).or_else(none_if_no_row)
        })
    }

    fn policy_by_key(&self, scope: &str, key: &str) -> Result<Option<PolicyRecord>, StoreError> {
        let query = format!(
            "SELECT {POLICY_COLUMNS} FROM answers a JOIN policies p ON p.sequence = a.policy_sequence \
             WHERE a.scope = ? AND a.key = ?"
        );
        self.read("reading a policy by its key", |connection| {
            connection.prepare_cached(&query)?.query_row((scope, key), policy_record).map(Some).or_else(none_if_no_row)
        })
    }

    fn policies_of_person(&self, person: BlindIndex, limit: usize) -> Result<Vec<PolicyRecord>, StoreError> {
        let query = format!(
            "SELECT {POLICY_COLUMNS} FROM policies p JOIN answers a ON a.message_id = p.content_id WHERE p.sequence = ?"
        );
        self.read("reading a person's policies", |connection| {
            let transaction = connection.unchecked_transaction()?;
            let sequences = people::find(&transaction, person, limit)?;
            let mut statement = transaction.prepare_cached(&query)?;
            let records =
                sequences.into_iter().map(|sequence| statement.query_row([sequence], policy_record).optional());
            records.filter_map(Result::transpose).collect()
        })
    }

    fn document(&self, policy_no: &PolicyNumber) -> Result<Option<DocumentRow>, StoreError> {
        let query = "SELECT sha256, template_sha256, made_ms, pdf FROM documents WHERE policy_sequence = ?";
        self.read("reading a document", |connection| {
            let read = |row: &rusqlite::Row<'_>| {
                Ok(DocumentRow {
                    policy_no: policy_no.clone(),
                    sha256: row.get(0)?,
                    template_sha256: row.get(1)?,
                    made_at: instant(row, 2)?,
                    pdf: Sealed::from_stored(row.get(3)?),
                })
            };
            let mut statement = connection.prepare_cached(query)?;
            statement.query_row([policy_no.sequence()], read).map(Some).or_else(none_if_no_row)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_without_end_is_ended_and_the_next_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (n)").unwrap();
        let mut reader = SqliteReader::new(path);
        let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
        let long =
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) SELECT count(*) FROM n";
        let count = |connection: &Connection, query| connection.query_row(query, [], |row| row.get::<_, u64>(0));
        reader.longest = Duration::ZERO;
        let ended = reader.read("counting", |connection| count(connection, endless)).unwrap_err().to_string();
        assert!(ended.contains("it took longer than a read may"), "{ended}");
        assert_eq!(reader.read_patiently("counting", |connection| count(connection, long)).unwrap(), 100_000);
        reader.longest = LONGEST_READ;
        assert_eq!(reader.read("counting", |connection| count(connection, long)).unwrap(), 100_000);
    }
}
