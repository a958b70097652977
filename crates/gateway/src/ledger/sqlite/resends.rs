//! The orders to send again, in SQLite, on a connection of their own.

use std::path::Path;

use rusqlite::{Connection, params};

use baoqiao_domain::idempotency::Fingerprint;

use super::outbox::Gate;
use super::rows::{instant, millis};
use super::{connect, failed, none_if_no_row};
use crate::ledger::resends::{ResendLog, ResendRow};
use crate::ledger::store::StoreError;

/// SQLite as the record of orders to send again.
pub struct SqliteResends {
    connection: Connection,
    gate: Gate,
}

impl SqliteResends {
    /// Opens the record in a ledger that exists and is migrated.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path, gate: Gate) -> Result<Self, StoreError> {
        Ok(Self { connection: connect(path)?, gate })
    }
}

impl ResendLog for SqliteResends {
    fn begin(&mut self, key: &str, row: &ResendRow) -> Result<Option<ResendRow>, StoreError> {
        let _turn = self.gate.enter();
        let begin = || -> rusqlite::Result<Option<ResendRow>> {
            let insert = "INSERT INTO resends (key, fingerprint, content, asked_by, asked_ms) VALUES (?, ?, ?, ?, ?) \
                          ON CONFLICT DO NOTHING";
            let parameters = params![key, row.fingerprint.0, row.content, row.asked_by, millis(row.asked_at)];
            if self.connection.execute(insert, parameters)? > 0 {
                return Ok(None);
            }
            let find = "SELECT fingerprint, content, asked_by, asked_ms, answer FROM resends WHERE key = ?";
            let read = |row: &rusqlite::Row<'_>| {
                Ok(ResendRow {
                    fingerprint: Fingerprint(row.get(0)?),
                    content: row.get(1)?,
                    asked_by: row.get(2)?,
                    asked_at: instant(row, 3)?,
                    answer: row.get(4)?,
                })
            };
            self.connection.query_row(find, [key], read).map(Some).or_else(none_if_no_row)
        };
        begin().map_err(|error| failed("noting an order to send again", &error))
    }

    fn finish(&mut self, key: &str, answer: &str) -> Result<String, StoreError> {
        let _turn = self.gate.enter();
        let keep = "UPDATE resends SET answer = coalesce(answer, ?) WHERE key = ? RETURNING answer";
        let kept = self.connection.query_row(keep, [answer, key], |row| row.get(0));
        kept.map_err(|error| failed("keeping what was sent again", &error))
    }
}
