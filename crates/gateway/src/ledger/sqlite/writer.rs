//! The one writer: a batch is one immediate transaction.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use baoqiao_domain::policy_number::PolicyNumber;

use super::alone::Alone;
use super::checkpoints::Checkpoints;
use super::outbox::{Gate, queue};
use super::people::Indexer;
use super::rows::{millis, to_json};
use super::{PAGE_BYTES, changes, failed, load};
use crate::ledger::store::{
    AcceptedRow, ConflictRow, Decide, DocumentRow, MessageRow, NumberBlock, Store, StoreError, StrangerRow, UuidRow,
    Wanted, Writes,
};

/// What a transaction of one message takes of the log: a page of each table and index that it touches.
const PROBE_BYTES: u32 = 16 * PAGE_BYTES;

/// SQLite as the ledger's writing side.
pub struct SqliteStore {
    /// Before the connection, so that it ends first: the last connection tidies the log away.
    checkpoints: Checkpoints,
    connection: Connection,
    gate: Gate,
    indexer: Indexer,
    alone: Option<Alone>,
}

impl SqliteStore {
    pub(super) fn new(path: &Path, mut connection: Connection) -> Result<Self, StoreError> {
        let checkpoints = Checkpoints::begin(path, &mut connection)?;
        Ok(Self { checkpoints, connection, gate: Gate::default(), indexer: Indexer::default(), alone: None })
    }

    /// Says aloud where another gateway works on the ledger.
    pub fn expect_to_be_alone(&mut self, path: &Path) {
        match Alone::claim(path) {
            Ok(None) => tracing::warn!(
                ledger = %path.display(),
                "another gateway works on this ledger, which is meant for one: stop it, or use PostgreSQL"
            ),
            Ok(alone) => self.alone = alone,
            Err(error) => tracing::debug!(%error, "whether another gateway works on this ledger is not known"),
        }
    }

    /// What other connections of this process that write have to pass.
    pub fn gate(&self) -> Gate {
        self.gate.clone()
    }
}

impl Store for SqliteStore {
    fn reserve(&mut self, block: NumberBlock, count: u64) -> Result<u64, StoreError> {
        let statement = "UPDATE number_blocks SET next = next + ?2 WHERE name = ?1 RETURNING next - ?2";
        let parameters = params![block.as_str(), count];
        let _turn = self.gate.enter();
        self.connection
            .query_row(statement, parameters, |row| row.get(0))
            .map_err(|error| failed("reserving numbers", &error))
    }

    /// Bytes that are new each time: what is overwritten with itself is not written at all.
    fn probe(&mut self) -> Result<(), StoreError> {
        let replace = "INSERT OR REPLACE INTO probe (only, filler) VALUES (1, randomblob(?))";
        let _turn = self.gate.enter();
        let written = self.connection.execute(replace, [PROBE_BYTES]);
        written.map(|_| ()).map_err(|error| failed("trying to write", &error))
    }

    fn transact(&mut self, wanted: &Wanted<'_>, decide: &mut Decide<'_>) -> Result<(), StoreError> {
        let sql = |error: rusqlite::Error| failed("writing a batch", &error);
        let _turn = self.gate.enter();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
        let loaded = load::wanted(&transaction, wanted).map_err(sql)?;
        let writes = decide(loaded)?;
        write(&transaction, &writes).map_err(sql)?;
        let (policies, digests) = named(&writes);
        // What fails from here on leaves a new one, which finds in the ledger how far the last has come.
        let mut indexer = std::mem::take(&mut self.indexer);
        indexer.step(&transaction, policies, digests).map_err(sql)?;
        transaction.commit().map_err(sql)?;
        self.indexer = indexer;
        self.checkpoints.step(&self.connection);
        Ok(())
    }
}

/// How many policies the batch brings whose parties are to be found, and by how many digests.
fn named(writes: &Writes) -> (u64, usize) {
    let digests = writes.accepted.iter().map(|row| row.people.len()).filter(|digests| *digests > 0);
    digests.fold((0, 0), |(policies, all), digests| (policies + 1, all + digests))
}

fn write(transaction: &Transaction<'_>, writes: &Writes) -> rusqlite::Result<()> {
    for accepted in &writes.accepted {
        write_answer(transaction, accepted)?;
        accepted.changes.iter().try_for_each(|change| changes::write(transaction, accepted, change))?;
        write_events(transaction, accepted, writes.at)?;
    }
    writes.uuids.iter().try_for_each(|row| write_uuid(transaction, row))?;
    writes.conflicts.iter().try_for_each(|row| write_conflict(transaction, row))?;
    writes.messages.iter().try_for_each(|row| write_message(transaction, row))?;
    writes.strangers.iter().try_for_each(|row| write_stranger(transaction, row))?;
    writes.documents.iter().try_for_each(|row| write_document(transaction, row))?;
    writes.notices.iter().try_for_each(|row| queue(transaction, row, writes.at))
}

fn write_answer(transaction: &Transaction<'_>, row: &AcceptedRow) -> rusqlite::Result<()> {
    let insert = "INSERT INTO answers (message_id, scope, key, fingerprint, content, outcome, policy_sequence) \
                  VALUES (?, ?, ?, ?, ?, ?, ?)";
    transaction.prepare_cached(insert)?.execute(params![
        row.answer.message_id,
        row.key.scope,
        row.key.key,
        row.answer.fingerprint.0,
        row.answer.content.as_bytes(),
        row.answer.outcome.as_bytes(),
        row.policy_sequence,
    ])?;
    Ok(())
}

/// An identity that came again with the same content stays its first message's.
fn write_uuid(transaction: &Transaction<'_>, row: &UuidRow) -> rusqlite::Result<()> {
    let insert = "INSERT OR IGNORE INTO message_uuids (scope, sender, uuid, fingerprint, message_id) \
                  VALUES (?, ?, ?, ?, ?)";
    let uuid = &row.uuid;
    transaction.prepare_cached(insert)?.execute(params![
        uuid.scope,
        uuid.sender,
        uuid.uuid,
        row.fingerprint.0,
        row.message_id
    ])?;
    Ok(())
}

fn write_events(transaction: &Transaction<'_>, row: &AcceptedRow, at: Timestamp) -> rusqlite::Result<()> {
    let insert = "INSERT INTO events (at_ms, kind, subject, policy_no, payload) VALUES (?, ?, ?, ?, ?)";
    let mut statement = transaction.prepare_cached(insert)?;
    for event in &row.events {
        let payload = to_json(event)?;
        let policy_no = event.policy_no().map(PolicyNumber::as_str);
        statement.execute(params![millis(at), event.kind(), event.subject(), policy_no, payload])?;
    }
    Ok(())
}

fn write_conflict(transaction: &Transaction<'_>, row: &ConflictRow) -> rusqlite::Result<()> {
    let insert = "INSERT INTO conflicts (message_id, first_message_id, differing, content) VALUES (?, ?, ?, ?)";
    transaction.prepare_cached(insert)?.execute(params![
        row.message_id,
        row.first_message_id,
        serde_json::Value::from(row.differing.clone()).to_string(),
        row.content.as_bytes(),
    ])?;
    Ok(())
}

fn write_message(transaction: &Transaction<'_>, row: &MessageRow) -> rusqlite::Result<()> {
    let insert = "INSERT INTO messages (id, received_ms, channel, scope, caller, secret_index, peer, key, verdict, \
                  code, policy_sequence, request, reply) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let arrival = &row.arrival;
    transaction.prepare_cached(insert)?.execute(params![
        row.id,
        millis(arrival.received_at),
        arrival.channel,
        arrival.scope,
        arrival.caller,
        arrival.secret_index,
        arrival.peer,
        row.key,
        row.verdict.as_str(),
        row.code,
        row.policy_sequence,
        arrival.request.as_bytes(),
        row.reply.as_bytes(),
    ])?;
    Ok(())
}

fn write_stranger(transaction: &Transaction<'_>, row: &StrangerRow) -> rusqlite::Result<()> {
    let insert = "INSERT OR REPLACE INTO strangers (slot, number, received_ms, channel, peer, reason, body_bytes, request) \
                  VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    transaction.prepare_cached(insert)?.execute(params![
        row.number % row.ring_size.max(1),
        row.number,
        millis(row.received_at),
        row.channel,
        row.peer,
        row.reason,
        row.body_bytes,
        row.request.as_bytes(),
    ])?;
    Ok(())
}

/// The first document of a policy stays: a second maker of the same is ignored.
fn write_document(transaction: &Transaction<'_>, row: &DocumentRow) -> rusqlite::Result<()> {
    let insert = "INSERT OR IGNORE INTO documents (policy_sequence, sha256, template_sha256, made_ms, pdf) \
                  VALUES (?, ?, ?, ?, ?)";
    transaction.prepare_cached(insert)?.execute(params![
        row.policy_no.sequence(),
        row.sha256,
        row.template_sha256,
        millis(row.made_at),
        row.pdf.as_bytes(),
    ])?;
    Ok(())
}
