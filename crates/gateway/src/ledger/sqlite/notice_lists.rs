//! Looking through the outbox in SQLite.

use rusqlite::types::Value;
use rusqlite::{Connection, Row};

use super::lists::{Share, fits, integer, optional_instant, slice};
use super::none_if_no_row;
use super::reader::SqliteReader;
use super::rows::{instant, known};
use crate::ledger::lists::{MAX_EXAMINED, Slice};
use crate::ledger::notice_lists::{MAX_WAITING, Walk};
use crate::ledger::store::StoreError;
use crate::outbox::store::{AttemptRecord, AttemptVerdict, Filter, NoticeRecord, NoticeState, Notices};
use crate::statistics::store::Bounded;
use crate::vault::Sealed;

/// What [`notice_record`] reads, in its order. Only what is the first of its subject is waited for, and only so many are
/// counted: of a queue of a million, each row would count all that are behind it.
fn record_columns() -> String {
    format!(
        "n.id, n.kind, n.subject, n.partner, n.content, n.cause_message_id, n.created_ms, n.state, \
         n.due_ms, n.lease_owner IS NOT NULL, n.attempts, n.closed_ms, a.verdict, a.detail, \
         iif(n.state = 'pending' AND n.due_ms IS NULL, (SELECT coalesce( \
           (SELECT b.id FROM notices b WHERE b.subject = n.subject AND b.due_ms IS NOT NULL), \
           (SELECT b.id FROM notices b INDEXED BY notices_open WHERE b.subject = n.subject \
              AND b.state IN ('pending', 'dead') ORDER BY b.id LIMIT 1))), NULL), \
         iif(n.state = 'dead' OR n.due_ms IS NOT NULL, (SELECT count(*) FROM ( \
           SELECT 1 FROM notices w INDEXED BY notices_open WHERE w.subject = n.subject \
             AND w.state IN ('pending', 'dead') AND w.state = 'pending' AND w.due_ms IS NULL AND w.id > n.id LIMIT {MAX_WAITING} + 1)), 0)"
    )
}

const LAST_ATTEMPT: &str = "LEFT JOIN attempts a ON a.notice_id = n.id AND a.number = n.attempts";

/// The active notice of each subject, and the dead one of each that has no active one; of either no more than one call's
/// share is looked at.
fn heads() -> String {
    format!(
        "SELECT id FROM (SELECT id FROM notices WHERE due_ms IS NOT NULL LIMIT {MAX_EXAMINED}) \
         UNION ALL SELECT d.id FROM ( \
           SELECT id, subject FROM notices WHERE state = 'dead' ORDER BY id LIMIT {MAX_EXAMINED}) d \
         WHERE NOT EXISTS (SELECT 1 FROM notices b WHERE b.subject = d.subject AND b.due_ms IS NOT NULL) \
           AND NOT EXISTS (SELECT 1 FROM notices b INDEXED BY notices_open WHERE b.subject = d.subject \
             AND b.state IN ('pending', 'dead') AND b.id < d.id)"
    )
}

fn notice_record(row: &Row<'_>) -> rusqlite::Result<NoticeRecord> {
    let last = match row.get::<_, Option<String>>(12)? {
        Some(name) => Some((known(12, AttemptVerdict::from_name(&name))?, row.get(13)?)),
        None => None,
    };
    Ok(NoticeRecord {
        id: row.get(0)?,
        kind: row.get(1)?,
        subject: row.get(2)?,
        partner: row.get(3)?,
        content: Sealed::from_stored(row.get(4)?),
        cause_message_id: row.get(5)?,
        created_at: instant(row, 6)?,
        state: known(7, NoticeState::from_name(&row.get::<_, String>(7)?))?,
        due_at: optional_instant(row, 8)?,
        leased: row.get(9)?,
        attempts: row.get(10)?,
        closed_at: optional_instant(row, 11)?,
        last,
        behind: row.get(14)?,
        waiting: Bounded::of(row.get(15)?, MAX_WAITING),
    })
}

/// The query of a walk and its values. The index is named: of two that would do, SQLite knows not which is shorter.
fn query(walk: Walk, filter: &Filter) -> (String, Vec<Value>) {
    let (index, term, name) = match walk {
        Walk::Dead => ("INDEXED BY notices_dead", "n.state = 'dead' AND", None),
        Walk::Skipped => ("INDEXED BY notices_skipped", "n.state = 'skipped' AND", None),
        Walk::Open => (
            "",
            "n.id IN (SELECT o.id FROM notices o INDEXED BY notices_open WHERE o.state IN ('pending', 'dead')) AND",
            None,
        ),
        Walk::OpenOfSubject => {
            let open = "n.subject = ? AND n.state IN ('pending', 'dead') AND";
            ("INDEXED BY notices_open", open, filter.subject.as_ref())
        }
        Walk::Subject => ("INDEXED BY notices_by_subject", "n.subject = ? AND", filter.subject.as_ref()),
        Walk::Partner => ("INDEXED BY notices_by_partner", "n.partner = ? AND", filter.partner.as_ref()),
        Walk::Kind => ("INDEXED BY notices_by_kind", "n.kind = ? AND", filter.kind.as_ref()),
        Walk::All => ("", "", None),
    };
    let mut values: Vec<Value> = name.cloned().map(Value::Text).into_iter().collect();
    values.push(integer(filter.before.unwrap_or(u64::MAX)));
    let columns = "n.id, n.state, n.kind, n.partner, n.subject";
    (format!("SELECT {columns} FROM notices n {index} WHERE {term} n.id < ? ORDER BY n.id DESC"), values)
}

fn open_are_few(connection: &Connection) -> rusqlite::Result<bool> {
    let query = "SELECT count(*) FROM (SELECT 1 FROM notices INDEXED BY notices_open WHERE state IN ('pending', 'dead') LIMIT ?)";
    let found: usize = connection.prepare_cached(query)?.query_row([MAX_EXAMINED + 1], |row| row.get(0))?;
    Ok(found <= MAX_EXAMINED)
}

fn numbers(connection: &Connection, filter: &Filter, share: Share) -> rusqlite::Result<Slice<u64, u64>> {
    let walk = match Walk::of(filter) {
        Walk::Open if !open_are_few(connection)? => Walk::whatever_the_state(filter),
        walk => walk,
    };
    let state = filter.state.map(|state| state.as_str().to_owned());
    let (query, values) = query(walk, filter);
    slice(connection, (&query, values), share, |row| {
        let id: u64 = row.get(0)?;
        let fits = fits(state.as_ref(), || row.get(1))?
            && fits(filter.kind.as_ref(), || row.get(2))?
            && fits(filter.partner.as_ref(), || row.get(3))?
            && fits(filter.subject.as_ref(), || row.get(4))?;
        Ok((id, fits.then_some(id)))
    })
}

/// The newest notices that fit.
fn list(connection: &Connection, filter: &Filter, limit: usize) -> rusqlite::Result<Slice<NoticeRecord, u64>> {
    // One moment for what is looked for and what is read of it.
    let transaction = connection.unchecked_transaction()?;
    let found = numbers(&transaction, filter, Share::of(limit))?;
    let items = found.items.iter().filter_map(|id| notice(&transaction, *id).transpose());
    Ok(Slice { items: items.collect::<rusqlite::Result<_>>()?, next: found.next })
}

/// One notice.
fn notice(connection: &Connection, id: u64) -> rusqlite::Result<Option<NoticeRecord>> {
    let query = format!("SELECT {} FROM notices n {LAST_ATTEMPT} WHERE n.id = ?", record_columns());
    let value = integer(id);
    connection.prepare_cached(&query)?.query_row([value], notice_record).map(Some).or_else(none_if_no_row)
}

/// The first open notice of each subject, the oldest first.
fn queues(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<NoticeRecord>> {
    let query = format!(
        "SELECT {} FROM notices n {LAST_ATTEMPT} \
         WHERE n.id IN (SELECT id FROM ({}) ORDER BY id LIMIT ?) ORDER BY n.id",
        record_columns(),
        heads()
    );
    connection.prepare_cached(&query)?.query_map([limit], notice_record)?.collect()
}

/// The attempts at a notice.
fn attempts(connection: &Connection, id: u64) -> rusqlite::Result<Vec<AttemptRecord>> {
    let query = "SELECT number, started_ms, duration_ms, verdict, detail, response, late FROM attempts \
                 WHERE notice_id = ? ORDER BY number";
    let read = |row: &Row<'_>| {
        Ok(AttemptRecord {
            number: row.get(0)?,
            started_at: instant(row, 1)?,
            duration_ms: row.get(2)?,
            verdict: known(3, AttemptVerdict::from_name(&row.get::<_, String>(3)?))?,
            detail: row.get(4)?,
            response: row.get::<_, Option<Vec<u8>>>(5)?.map(Sealed::from_stored),
            late: row.get(6)?,
        })
    };
    connection.prepare_cached(query)?.query_map([integer(id)], read)?.collect()
}

impl Notices for SqliteReader {
    fn list(&self, filter: &Filter, limit: usize) -> Result<Slice<NoticeRecord, u64>, StoreError> {
        self.read("listing notices", |connection| list(connection, filter, limit))
    }

    fn ids(&self, filter: &Filter) -> Result<Slice<u64, u64>, StoreError> {
        self.read("counting notices", |connection| numbers(connection, filter, Share::of(MAX_EXAMINED)))
    }

    fn show(&self, id: u64) -> Result<Option<(NoticeRecord, Vec<AttemptRecord>)>, StoreError> {
        self.read("reading a notice", |connection| {
            let transaction = connection.unchecked_transaction()?;
            let Some(record) = notice(&transaction, id)? else { return Ok(None) };
            Ok(Some((record, attempts(&transaction, id)?)))
        })
    }

    fn queues(&self, limit: usize) -> Result<Vec<NoticeRecord>, StoreError> {
        self.read("reading queues", |connection| queues(connection, limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::sqlite::lists::tests::steps;

    #[test]
    fn notices_are_found_through_an_index_and_come_out_sorted() {
        let some = || Some("x".to_owned());
        let by = |state, kind: bool, partner: bool, subject: bool| {
            let text = |is: bool| if is { some() } else { None };
            Filter { state, kind: text(kind), partner: text(partner), subject: text(subject), before: Some(9) }
        };
        let (pending, delivered) = (Some(NoticeState::Pending), Some(NoticeState::Delivered));
        let (dead, skipped) = (Some(NoticeState::Dead), Some(NoticeState::Skipped));
        for (filter, index) in [
            (by(None, false, false, false), "INTEGER PRIMARY KEY"),
            (by(delivered, false, false, false), "INTEGER PRIMARY KEY"),
            (by(None, true, false, false), "notices_by_kind"),
            (by(delivered, true, true, false), "notices_by_partner"),
            (by(None, true, true, true), "notices_by_subject"),
            (by(pending, true, true, true), "notices_open"),
            (by(dead, true, true, true), "notices_dead"),
            (by(skipped, true, true, true), "notices_skipped"),
            (by(skipped, false, false, false), "notices_skipped"),
        ] {
            let (query, values) = query(Walk::of(&filter), &filter);
            let plan = steps(&query, values);
            assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{filter:?}: {plan}");
        }
        let filter = by(pending, true, true, false);
        let (query, values) = query(Walk::of(&filter), &filter);
        let plan = steps(&query, values);
        assert!(plan.contains("notices_open") && !plan.contains("SCAN n"), "{plan}");
    }
}
