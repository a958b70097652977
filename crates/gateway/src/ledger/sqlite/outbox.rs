//! The outbox in SQLite, on a connection of its own.
//!
//! Nothing here is synced, except what a person asks for and what lets the next notice of a subject go: a power cut that
//! takes the last records back only lets the notices be sent again, which they may be anyhow, and none after its
//! successor. The log keeps the order of transactions, so that nothing which the ledger has synced is lost with them. That,
//! and one transaction for all attempts that ended meanwhile, is what makes thousands of deliveries a second possible
//! beside the ledger's own writing.
//!
//! Two connections of one process would wait for each other in SQLite's own back-off, which sleeps for up to
//! 100 ms at a time: a [`Gate`] lets them go in turn.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params};

use super::rows::{instant, known, millis};
use super::{connect, failed, none_if_no_row};
use crate::ledger::store::StoreError;
use crate::outbox::store::{
    AttemptVerdict, Claimed, Finished, Next, NoticeRow, NoticeState, OutboxStore, Resent, Skipped, Turn, Turned, Want,
};
use crate::vault::Sealed;

/// Lets the writing connections of one process go in turn.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<Mutex<()>>);

impl Gate {
    /// Waits for the turn.
    pub(super) fn enter(&self) -> MutexGuard<'_, ()> {
        // Nothing is guarded but the turn itself: a panic of the holder leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// SQLite as the outbox's store.
pub struct SqliteOutbox {
    connection: Connection,
    gate: Gate,
}

impl SqliteOutbox {
    /// Opens the outbox of a ledger that exists and is migrated.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path, gate: Gate) -> Result<Self, StoreError> {
        let connection = connect(path)?;
        synchronous(&connection, false).map_err(|error| failed("opening the outbox", &error))?;
        Ok(Self { connection, gate })
    }

    fn write<T>(
        &mut self,
        context: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.write_synced_if(context, |_| Ok(false), work)
    }

    /// As [`write`](Self::write), and durable when it returns.
    fn write_synced<T>(
        &mut self,
        context: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.write_synced_if(context, |_| Ok(true), work)
    }

    /// As either; which of them, is asked when nobody else of this process writes any more.
    fn write_synced_if<T>(
        &mut self,
        context: &'static str,
        is_synced: impl FnOnce(&Connection) -> rusqlite::Result<bool>,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let sql = |error: rusqlite::Error| failed(context, &error);
        let _turn = self.gate.enter();
        // SQLite takes the setting outside of a transaction alone.
        let is_synced = is_synced(&self.connection).map_err(sql)?;
        if is_synced {
            synchronous(&self.connection, true).map_err(sql)?;
        }
        let written = transact(&mut self.connection, work);
        if is_synced {
            synchronous(&self.connection, false).map_err(sql)?;
        }
        written.map_err(sql)
    }
}

pub(super) fn transact<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = work(&transaction)?;
    transaction.commit()?;
    Ok(done)
}

pub(super) fn synchronous(connection: &Connection, full: bool) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", if full { "full" } else { "normal" })
}

// Where a statement names the index of the open notices, SQLite may take it to be no better than that of all notices of a
// subject, and of an endpoint that are millions.

/// Queues a notice: active at once where no open one of its subject is before it.
pub(super) fn queue(transaction: &Transaction<'_>, row: &NoticeRow, at: Timestamp) -> rusqlite::Result<()> {
    let insert = "INSERT INTO notices (subject, kind, partner, content, cause_message_id, created_ms, due_ms) \
                  SELECT ?1, ?2, ?3, ?4, ?5, ?6, iif(EXISTS ( \
                    SELECT 1 FROM notices INDEXED BY notices_open WHERE subject = ?1 AND state IN ('pending', 'dead')), \
                    NULL, ?6)";
    transaction.prepare_cached(insert)?.execute(params![
        row.subject,
        row.kind,
        row.partner,
        row.content.as_bytes(),
        row.cause_message_id,
        millis(at),
    ])?;
    Ok(())
}

/// Makes the first open notice of a subject its active one, unless another is under way or the first is dead.
fn advance(transaction: &Transaction<'_>, subject: &str, at: Timestamp) -> rusqlite::Result<()> {
    let first = "SELECT id, state = 'pending', due_ms IS NOT NULL FROM notices INDEXED BY notices_open \
                 WHERE subject = ? AND state IN ('pending', 'dead') ORDER BY id LIMIT 1";
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let first: Option<(u64, bool, bool)> =
        transaction.prepare_cached(first)?.query_row([subject], read).map(Some).or_else(none_if_no_row)?;
    let Some((id, is_pending, is_active)) = first else { return Ok(()) };
    if is_active {
        return Ok(());
    }
    let active = "SELECT id, lease_owner IS NOT NULL FROM notices WHERE subject = ? AND due_ms IS NOT NULL";
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let active: Option<(u64, bool)> =
        transaction.prepare_cached(active)?.query_row([subject], read).map(Some).or_else(none_if_no_row)?;
    match active {
        // It is asked again when this one is done.
        Some((_, true)) => return Ok(()),
        // A notice from before it is to be sent again: it stands back.
        Some((active, false)) => {
            transaction.prepare_cached("UPDATE notices SET due_ms = NULL WHERE id = ?")?.execute([active])?;
        }
        None => {}
    }
    if is_pending {
        let activate = "UPDATE notices SET due_ms = ? WHERE id = ? AND state = 'pending'";
        transaction.prepare_cached(activate)?.execute(params![millis(at), id])?;
    }
    Ok(())
}

/// Whether one of these attempts closes a notice that another of its subject waits for.
fn lets_another_go(connection: &Connection, finished: &[Finished]) -> rusqlite::Result<bool> {
    let query = "SELECT EXISTS (SELECT 1 FROM notices d JOIN notices w INDEXED BY notices_open \
                   ON w.subject = d.subject AND w.id <> d.id \
                 WHERE d.id = ? AND w.state IN ('pending', 'dead'))";
    let mut statement = connection.prepare_cached(query)?;
    for done in finished.iter().filter(|done| done.next == Next::Delivered) {
        if statement.query_row([done.id], |row| row.get(0))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Records an attempt and moves its notice on; `false` where the lease had run out, so that nothing moved.
fn record(transaction: &Transaction<'_>, owner: &str, now: Timestamp, done: &Finished) -> rusqlite::Result<bool> {
    let (state, due, counts) = match done.next {
        Next::Delivered => (NoticeState::Delivered, None, true),
        Next::RetryAt(at) => (NoticeState::Pending, Some(millis(at)), true),
        Next::SlowedUntil(at) => (NoticeState::Pending, Some(millis(at)), false),
        Next::Dead => (NoticeState::Dead, None, true),
    };
    let closed = (state != NoticeState::Pending).then(|| millis(now));
    let update = "UPDATE notices SET state = ?4, due_ms = ?5, closed_ms = ?6, lease_owner = NULL, leased_ms = NULL, \
                  attempts = attempts + 1, tries = tries + ?7, \
                  first_try_ms = iif(?7, coalesce(first_try_ms, ?8), first_try_ms) \
                  WHERE id = ?1 AND lease_owner = ?2 AND leased_ms = ?3 AND state = 'pending' \
                  RETURNING attempts, subject";
    let parameters =
        params![done.id, owner, millis(done.leased_at), state.as_str(), due, closed, counts, millis(done.started_at)];
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let moved: Option<(u64, String)> =
        transaction.prepare_cached(update)?.query_row(parameters, read).map(Some).or_else(none_if_no_row)?;
    if let Some((number, subject)) = moved {
        write_attempt(transaction, number, done, false)?;
        advance(transaction, &subject, now)?;
        return Ok(true);
    }
    let count = "UPDATE notices SET attempts = attempts + 1 WHERE id = ? RETURNING attempts";
    let number = transaction.prepare_cached(count)?.query_row([done.id], |row| row.get(0))?;
    write_attempt(transaction, number, done, true)?;
    Ok(false)
}

fn write_attempt(transaction: &Transaction<'_>, number: u64, done: &Finished, late: bool) -> rusqlite::Result<()> {
    let insert = "INSERT INTO attempts (notice_id, number, started_ms, duration_ms, verdict, detail, response, late) \
                  VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    transaction.prepare_cached(insert)?.execute(params![
        done.id,
        number,
        millis(done.started_at),
        done.duration_ms,
        done.verdict.as_str(),
        done.detail,
        done.response.as_ref().map(Sealed::as_bytes),
        late,
    ])?;
    Ok(())
}

/// What a row that may be claimed was when it was found.
struct Candidate {
    id: u64,
    due_ms: i64,
    lease: Option<Timestamp>,
}

/// Leases what is due of one partner.
fn claim(
    transaction: &Transaction<'_>,
    owner: &str,
    now: Timestamp,
    want: &Want<'_>,
) -> rusqlite::Result<Vec<Claimed>> {
    let find = "SELECT id, due_ms, leased_ms FROM notices \
                WHERE partner = ? AND due_ms <= ? ORDER BY due_ms, id LIMIT ?";
    let read = |row: &Row<'_>| {
        let leased: Option<i64> = row.get(2)?;
        let lease = leased.map(|_| instant(row, 2)).transpose()?;
        Ok(Candidate { id: row.get(0)?, due_ms: row.get(1)?, lease })
    };
    let parameters = params![want.partner, millis(now), want.limit];
    let candidates: Vec<Candidate> =
        transaction.prepare_cached(find)?.query_map(parameters, read)?.collect::<Result<_, _>>()?;
    let mut claimed = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        if let Some(leased_at) = candidate.lease {
            lose(transaction, candidate.id, leased_at, now)?;
        }
        // The due time tells whether it is still as it was found.
        let lease = "UPDATE notices SET lease_owner = ?3, leased_ms = ?4, due_ms = ?5 \
                     WHERE id = ?1 AND due_ms = ?2 AND state = 'pending' \
                     RETURNING kind, subject, partner, content, tries, first_try_ms";
        let parameters = params![candidate.id, candidate.due_ms, owner, millis(now), millis(want.lease_until)];
        let read = |row: &Row<'_>| {
            let first_try: Option<i64> = row.get(5)?;
            Ok(Claimed {
                id: candidate.id,
                kind: row.get(0)?,
                subject: row.get(1)?,
                partner: row.get(2)?,
                content: Sealed::from_stored(row.get(3)?),
                leased_at: known(5, Timestamp::from_millisecond(millis(now)).ok())?,
                tries: row.get(4)?,
                first_try: first_try.map(|_| instant(row, 5)).transpose()?,
            })
        };
        let leased = transaction.prepare_cached(lease)?.query_row(parameters, read);
        claimed.extend(leased.map(Some).or_else(none_if_no_row)?);
    }
    Ok(claimed)
}

/// Notes an attempt of which nothing was heard before its lease ran out.
fn lose(transaction: &Transaction<'_>, id: u64, leased_at: Timestamp, now: Timestamp) -> rusqlite::Result<()> {
    let count = "UPDATE notices SET attempts = attempts + 1, tries = tries + 1, \
                 first_try_ms = coalesce(first_try_ms, ?2) WHERE id = ?1 RETURNING attempts";
    let number = transaction.prepare_cached(count)?.query_row(params![id, millis(leased_at)], |row| row.get(0))?;
    let lost = Finished {
        id,
        leased_at,
        started_at: leased_at,
        duration_ms: u64::try_from(millis(now) - millis(leased_at)).unwrap_or(0),
        verdict: AttemptVerdict::Lost,
        detail: "the lease ran out with no word of how it ended; it may have arrived".to_owned(),
        response: None,
        next: Next::RetryAt(now),
    };
    write_attempt(transaction, number, &lost, false)
}

fn next_due(connection: &Connection, partner: &str) -> rusqlite::Result<Option<Timestamp>> {
    let query = "SELECT due_ms FROM notices WHERE partner = ? AND due_ms IS NOT NULL ORDER BY due_ms LIMIT 1";
    let read = |row: &Row<'_>| instant(row, 0);
    connection.prepare_cached(query)?.query_row([partner], read).map(Some).or_else(none_if_no_row)
}

/// Where a notice stands, for a person's order about it.
struct Standing {
    subject: String,
    state: NoticeState,
    leased: bool,
}

fn standing(transaction: &Transaction<'_>, id: u64) -> rusqlite::Result<Option<Standing>> {
    let query = "SELECT subject, state, lease_owner IS NOT NULL FROM notices WHERE id = ?";
    let read = |row: &Row<'_>| {
        let state = known(1, NoticeState::from_name(&row.get::<_, String>(1)?))?;
        Ok(Standing { subject: row.get(0)?, state, leased: row.get(2)? })
    };
    transaction.prepare_cached(query)?.query_row([id], read).map(Some).or_else(none_if_no_row)
}

fn resend_one(transaction: &Transaction<'_>, id: u64, now: Timestamp, resent: &mut Resent) -> rusqlite::Result<()> {
    let Some(standing) = standing(transaction, id)? else { return Ok(()) };
    if standing.leased {
        resent.under_way += 1;
        return Ok(());
    }
    // One that is active stays so, and is due now.
    let reopen = "UPDATE notices SET state = 'pending', closed_ms = NULL, tries = 0, first_try_ms = NULL, \
                  due_ms = iif(due_ms IS NULL, NULL, ?2) WHERE id = ?1";
    transaction.prepare_cached(reopen)?.execute(params![id, millis(now)])?;
    advance(transaction, &standing.subject, now)?;
    let is_active = "SELECT due_ms IS NOT NULL FROM notices WHERE id = ?";
    let is_active: bool = transaction.prepare_cached(is_active)?.query_row([id], |row| row.get(0))?;
    if is_active {
        resent.due += 1;
    } else {
        resent.waiting += 1;
    }
    Ok(())
}

fn skip_one(transaction: &Transaction<'_>, id: u64, now: Timestamp, sum: &mut Skipped) -> rusqlite::Result<()> {
    match standing(transaction, id)? {
        None => {}
        Some(Standing { leased: true, .. }) => sum.under_way += 1,
        Some(Standing { state: NoticeState::Delivered | NoticeState::Skipped, .. }) => sum.closed += 1,
        Some(Standing { subject, .. }) => {
            let skip = "UPDATE notices SET state = 'skipped', due_ms = NULL, closed_ms = ? WHERE id = ?";
            transaction.prepare_cached(skip)?.execute(params![millis(now), id])?;
            advance(transaction, &subject, now)?;
            sum.skipped += 1;
        }
    }
    Ok(())
}

impl OutboxStore for SqliteOutbox {
    fn queue(&mut self, rows: &[NoticeRow], at: Timestamp) -> Result<(), StoreError> {
        self.write_synced("queueing notices", |transaction| rows.iter().try_for_each(|row| queue(transaction, row, at)))
    }

    fn next_due(&mut self, partners: &[&str]) -> Result<Vec<Option<Timestamp>>, StoreError> {
        let connection = &self.connection;
        let found = partners.iter().map(|partner| next_due(connection, partner)).collect::<Result<_, _>>();
        found.map_err(|error| failed("looking for due notices", &error))
    }

    fn turn(&mut self, turn: &Turn<'_>) -> Result<Turned, StoreError> {
        let is_synced = |connection: &Connection| lets_another_go(connection, turn.finished);
        self.write_synced_if("recording and claiming notices", is_synced, |transaction| {
            let mut turned = Turned::default();
            for done in turn.finished {
                if !record(transaction, turn.owner, turn.now, done)? {
                    turned.late.push(done.id);
                }
            }
            for want in turn.wants {
                if want.limit > 0 {
                    turned.claimed.extend(claim(transaction, turn.owner, turn.now, want)?);
                }
                turned.next_due.push(next_due(transaction, want.partner)?);
            }
            Ok(turned)
        })
    }

    fn bring_forward(&mut self, partner: &str, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let update = "UPDATE notices SET due_ms = ?2 WHERE id IN (SELECT id FROM notices \
                      WHERE partner = ?1 AND due_ms > ?2 AND lease_owner IS NULL ORDER BY due_ms LIMIT ?3)";
        self.write("making notices due", |transaction| {
            transaction.prepare_cached(update)?.execute(params![partner, millis(now), limit])
        })
    }

    fn resend(&mut self, ids: &[u64], now: Timestamp) -> Result<Resent, StoreError> {
        self.write_synced("sending notices again", |transaction| {
            let mut resent = Resent::default();
            ids.iter().try_for_each(|id| resend_one(transaction, *id, now, &mut resent))?;
            Ok(resent)
        })
    }

    fn skip(&mut self, ids: &[u64], now: Timestamp) -> Result<Skipped, StoreError> {
        self.write_synced("skipping notices", |transaction| {
            let mut sum = Skipped::default();
            ids.iter().try_for_each(|id| skip_one(transaction, *id, now, &mut sum))?;
            Ok(sum)
        })
    }
}
