//! The one writer: a batch is one immediate transaction.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use baoqiao_domain::idempotency::{Fingerprint, IdempotencyKey};

use super::outbox::{Gate, queue};
use super::rows::millis;
use super::{failed, none_if_no_row};
use crate::ledger::store::{
    AcceptedRow, ConflictRow, Decide, DocumentRow, MessageRow, NumberBlock, Store, StoreError, StoredAnswer,
    StrangerRow, Writes,
};
use crate::vault::Sealed;

/// How many policies share a segment of the blind index, as a power of two.
pub(super) const SEGMENT_BITS: u32 = 16;

/// SQLite as the ledger's writing side.
pub struct SqliteStore {
    connection: Connection,
    gate: Gate,
}

impl SqliteStore {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, gate: Gate::default() }
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

    fn transact(&mut self, keys: &[&IdempotencyKey], decide: &mut Decide<'_>) -> Result<(), StoreError> {
        let sql = |error: rusqlite::Error| failed("writing a batch", &error);
        let _turn = self.gate.enter();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
        let loaded = keys.iter().map(|key| load_answer(&transaction, key)).collect::<Result<_, _>>().map_err(sql)?;
        write(&transaction, &decide(loaded)?).map_err(sql)?;
        transaction.commit().map_err(sql)
    }
}

fn load_answer(transaction: &Transaction<'_>, key: &IdempotencyKey) -> rusqlite::Result<Option<StoredAnswer>> {
    let query = "SELECT message_id, fingerprint, content, outcome FROM answers WHERE scope = ? AND key = ?";
    let read = |row: &rusqlite::Row<'_>| {
        Ok(StoredAnswer {
            message_id: row.get(0)?,
            fingerprint: Fingerprint(row.get(1)?),
            content: Sealed::from_stored(row.get(2)?),
            outcome: Sealed::from_stored(row.get(3)?),
        })
    };
    transaction.prepare_cached(query)?.query_row((key.scope, &key.key), read).map(Some).or_else(none_if_no_row)
}

fn write(transaction: &Transaction<'_>, writes: &Writes) -> rusqlite::Result<()> {
    for accepted in &writes.accepted {
        write_answer(transaction, accepted)?;
        write_policy(transaction, accepted)?;
        write_people(transaction, accepted)?;
        write_events(transaction, accepted, writes.at)?;
    }
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
        row.policy.number.sequence(),
    ])?;
    Ok(())
}

fn write_policy(transaction: &Transaction<'_>, row: &AcceptedRow) -> rusqlite::Result<()> {
    let insert = "INSERT INTO policies (sequence, policy_no, bucket, partner, product_code, identifier, insure_id, \
                  amount, premium, premium_of_cny, currency, effect_ms, expire_ms, issued_ms, state, content_id) \
                  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let policy = &row.policy;
    transaction.prepare_cached(insert)?.execute(params![
        policy.number.sequence(),
        policy.number.as_str(),
        policy.number.bucket().index(),
        policy.partner,
        policy.product_code,
        policy.identifier,
        policy.insure_id,
        policy.amount.to_string(),
        policy.premium.to_string(),
        policy.premium_of_cny.to_string(),
        policy.currency.code(),
        millis(policy.effect_time),
        millis(policy.expire_time),
        millis(policy.issued_at),
        policy.state.as_str(),
        row.answer.message_id,
    ])?;
    Ok(())
}

fn write_people(transaction: &Transaction<'_>, row: &AcceptedRow) -> rusqlite::Result<()> {
    let sequence = row.policy.number.sequence();
    let insert = "INSERT OR IGNORE INTO people (segment, digest, policy_sequence) VALUES (?, ?, ?)";
    let mut statement = transaction.prepare_cached(insert)?;
    for person in &row.people {
        let segment = sequence >> SEGMENT_BITS;
        statement.execute(params![segment, person.0, sequence])?;
    }
    Ok(())
}

fn write_events(transaction: &Transaction<'_>, row: &AcceptedRow, at: Timestamp) -> rusqlite::Result<()> {
    let insert = "INSERT INTO events (at_ms, kind, policy_no, payload) VALUES (?, ?, ?, ?)";
    let mut statement = transaction.prepare_cached(insert)?;
    for event in &row.events {
        let payload =
            serde_json::to_string(event).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        statement.execute(params![millis(at), event.kind(), event.policy_no().as_str(), payload])?;
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
        row.policy_sequence,
        row.sha256,
        row.template_sha256,
        millis(row.made_at),
        row.pdf.as_bytes(),
    ])?;
    Ok(())
}
