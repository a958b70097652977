//! Readers beside the writer: WAL lets them see the last commit without waiting.

use std::path::PathBuf;
use std::sync::Mutex;

use rusqlite::{Connection, OpenFlags, params};

use baoqiao_domain::policy_number::PolicyNumber;

use super::people::SEGMENT_BITS;
use super::rows::{POLICY_COLUMNS, instant, policy_record};
use super::{BUSY_TIMEOUT, StoreError, failed, none_if_no_row};
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

/// The newest of a person's policies: their numbers first, and then these alone, which SQLite left to itself would do the
/// other way round.
fn policies_of_person() -> String {
    format!(
        "WITH RECURSIVE segments (segment) AS ( \
           SELECT (SELECT max(sequence) FROM policies) >> {SEGMENT_BITS} \
           UNION ALL SELECT segment - 1 FROM segments WHERE segment > 0) \
         SELECT {POLICY_COLUMNS} FROM ( \
           SELECT i.policy_sequence FROM segments s \
           CROSS JOIN people i ON i.segment = s.segment AND i.digest = ?1 \
           UNION SELECT policy_sequence FROM fresh_people WHERE instr(digests, ?1) > 0 \
           ORDER BY policy_sequence DESC LIMIT ?2) newest \
         CROSS JOIN policies p ON p.sequence = newest.policy_sequence \
         CROSS JOIN answers a ON a.message_id = p.content_id \
         ORDER BY p.sequence DESC"
    )
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
        self.read("reading a person's policies", |connection| {
            let mut statement = connection.prepare_cached(&policies_of_person())?;
            statement.query_map(params![person.0, limit], policy_record)?.collect()
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
    use crate::ledger::sqlite::migrations;

    #[test]
    fn a_persons_policies_are_looked_up_and_no_table_is_gone_through_for_them() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrations::run(&mut connection).unwrap();
        let query = format!("EXPLAIN QUERY PLAN {}", policies_of_person());
        let mut statement = connection.prepare(&query).unwrap();
        let steps = statement.query_map(params![[0_u8; 16], 1], |row| row.get::<_, String>(3)).unwrap();
        let plan = steps.map(Result::unwrap).collect::<Vec<_>>().join("; ");
        for step in
            ["SEARCH i USING PRIMARY KEY (segment=? AND digest=?)", "SEARCH p USING INTEGER", "SEARCH a USING INTEGER"]
        {
            assert!(plan.contains(step), "{step}: {plan}");
        }
        assert!(!plan.contains("SCAN p") && !plan.contains("SCAN a") && !plan.contains("SCAN i"), "{plan}");
    }
}
