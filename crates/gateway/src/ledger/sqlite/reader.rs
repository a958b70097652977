//! Readers beside the writer: WAL lets them see the last commit without waiting.

use std::path::PathBuf;
use std::sync::Mutex;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use baoqiao_domain::policy_number::PolicyNumber;

use super::rows::{POLICY_COLUMNS, instant, policy_record};
use super::{BUSY_TIMEOUT, StoreError, failed, none_if_no_row, people};
use crate::ledger::store::{DocumentRow, PolicyRecord, Reader};
use crate::vault::{BlindIndex, Sealed};

/// SQLite as the ledger's reading side: as many connections as there are readers at once, kept for the next.
pub struct SqliteReader {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

/// Connections kept open when idle; more readers than these open and close their own.
const IDLE_CONNECTIONS: usize = 4;

impl SqliteReader {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::new(Vec::new()) }
    }

    pub(super) fn read<T>(
        &self,
        context: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let idle = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        let connection = idle.map_or_else(|| self.connect(), Ok).map_err(|error| failed(context, &error))?;
        let result = query(&connection).map_err(|error| failed(context, &error));
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
