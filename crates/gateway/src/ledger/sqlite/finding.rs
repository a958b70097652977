//! Looking for what is no policy, in SQLite.

use rusqlite::{Row, params};

use super::console::SqliteConsole;
use super::rows::instant;
use crate::ledger::finding::{Finder, StageRecord};
use crate::ledger::store::StoreError;

fn stage(row: &Row<'_>) -> rusqlite::Result<StageRecord> {
    Ok(StageRecord {
        message_id: row.get(0)?,
        partner: row.get(1)?,
        insurance_type: row.get(2)?,
        stage: row.get(3)?,
        status: row.get(4)?,
        policy_no: row.get(5)?,
        occurred_at: instant(row, 6)?,
        recorded_at: instant(row, 7)?,
    })
}

impl Finder for SqliteConsole {
    fn messages_of_uuid(&self, uuid: &str, limit: usize) -> Result<Vec<u64>, StoreError> {
        let query = "SELECT message_id FROM message_uuids WHERE uuid = ? LIMIT ?";
        self.read("looking for a message's identity", |connection| {
            connection.prepare_cached(query)?.query_map(params![uuid, limit], |row| row.get(0))?.collect()
        })
    }

    fn auction(&self, biz_id: &str, limit: usize) -> Result<Vec<StageRecord>, StoreError> {
        let query = "SELECT message_id, partner, insurance_type, stage, status, policy_no, occurred_ms, recorded_ms \
                     FROM auction_stages WHERE biz_id = ? ORDER BY message_id LIMIT ?";
        self.read("looking for an auction", |connection| {
            connection.prepare_cached(query)?.query_map(params![biz_id, limit], stage)?.collect()
        })
    }

    fn notices_answered_with(&self, text: &str, newest: u64) -> Result<Vec<u64>, StoreError> {
        let query = "SELECT DISTINCT notice_id FROM attempts \
                     WHERE notice_id > (SELECT coalesce(max(id), 0) FROM notices) - ?1 AND instr(detail, ?2) > 0 \
                     ORDER BY notice_id DESC LIMIT 20";
        self.read("looking for an answer", |connection| {
            connection.prepare_cached(query)?.query_map(params![newest, text], |row| row.get(0))?.collect()
        })
    }

    fn names_missing_to(&self) -> Result<u64, StoreError> {
        let query = "SELECT missing_to FROM name_index";
        self.read("reading how far names are indexed", |connection| {
            connection.prepare_cached(query)?.query_row([], |row| row.get(0))
        })
    }
}
