//! Lists over SQLite. Conditions that an index serves are put into SQL, the others are looked at row by row, so that
//! one call reads no more than its share.

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use baoqiao_domain::policy::{Policy, PolicyState};
use baoqiao_domain::policy_number::PolicyNumber;

use super::none_if_no_row;
use super::reader::SqliteReader;
use super::rows::{POLICY_COLUMNS, instant, known, millis, policy_record};
use crate::ledger::lists::{
    ConflictRecord, EndingRecord, EventRecord, Lists, MAX_EXAMINED, MAX_MESSAGES_EXAMINED, MessageFilter, MessagePlace,
    MessageRecord, PolicyFilter, PolicyPlace, RecoveryFilter, RecoveryRecord, SecretUse, Slice, StrangerRecord,
    WholeMessage, WholeStranger,
};
use crate::ledger::store::StoreError;
use crate::vault::Sealed;

/// How much one call may return and look at.
#[derive(Clone, Copy)]
pub(super) struct Share {
    items: usize,
    examined: usize,
}

impl Share {
    pub(super) fn of(items: usize) -> Self {
        Self { items, examined: MAX_EXAMINED }
    }
}

/// What `look` makes of each row: its place, and the item where it fits.
pub(super) fn slice<T, P: Copy>(
    connection: &Connection,
    (query, values): (&str, Vec<Value>),
    share: Share,
    look: impl Fn(&Row<'_>) -> rusqlite::Result<(P, Option<T>)>,
) -> rusqlite::Result<Slice<T, P>> {
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut items = Vec::new();
    let mut last = None;
    let mut examined = 0;
    while let Some(row) = rows.next()? {
        if items.len() >= share.items || examined >= share.examined {
            return Ok(Slice { items, next: last });
        }
        let (place, item) = look(row)?;
        items.extend(item);
        last = Some(place);
        examined += 1;
    }
    Ok(Slice { items, next: None })
}

pub(super) fn integer(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

pub(super) fn fits<T: PartialEq>(
    wanted: Option<&T>,
    found: impl FnOnce() -> rusqlite::Result<T>,
) -> rusqlite::Result<bool> {
    match wanted {
        None => Ok(true),
        Some(wanted) => Ok(*wanted == found()?),
    }
}

pub(super) fn optional_instant(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column)?.map(|_| instant(row, column)).transpose()
}

fn policy_query(filter: &PolicyFilter) -> String {
    // In the words of the index of those few.
    let ended = if filter.state.is_some_and(PolicyState::is_ended) { "AND state <> 'issued'" } else { "" };
    format!(
        "SELECT issued_ms, sequence, partner, product_code, state FROM policies \
         WHERE issued_ms >= ? AND (issued_ms, sequence) < (?, ?) {ended} ORDER BY issued_ms DESC, sequence DESC"
    )
}

fn policies(
    connection: &Connection,
    filter: &PolicyFilter,
    after: Option<PolicyPlace>,
    share: Share,
) -> rusqlite::Result<Slice<Policy, PolicyPlace>> {
    // No policy has the sequence 0: all that was issued at the end itself is left out.
    let end = filter.issued_to.map(|to| (millis(to), 0));
    let place = after.map(|place| (place.issued_ms, i64::try_from(place.sequence).unwrap_or(i64::MAX)));
    let (below_ms, below) = end.into_iter().chain(place).min().unwrap_or((i64::MAX, i64::MAX));
    let values = vec![
        Value::Integer(filter.issued_from.map_or(i64::MIN, millis)),
        Value::Integer(below_ms),
        Value::Integer(below),
    ];
    let state = filter.state.map(|state| state.as_str().to_owned());
    let found = slice(connection, (&policy_query(filter), values), share, |row| {
        let place = PolicyPlace { issued_ms: row.get(0)?, sequence: row.get(1)? };
        let fits = fits(filter.partner.as_ref(), || row.get(2))?
            && fits(filter.product_code.as_ref(), || row.get(3))?
            && fits(state.as_ref(), || row.get(4))?;
        Ok((place, fits.then_some(place.sequence)))
    })?;
    let whole = format!(
        "SELECT {POLICY_COLUMNS} FROM policies p JOIN answers a ON a.message_id = p.content_id WHERE p.sequence = ?"
    );
    let mut statement = connection.prepare_cached(&whole)?;
    let items = found.items.iter().map(|sequence| statement.query_row([sequence], policy_record));
    let items = items.map(|record| record.map(|record| record.policy)).collect::<rusqlite::Result<_>>()?;
    Ok(Slice { items, next: found.next })
}

const RECOVERY_COLUMNS: &str = "r.message_id, r.partner, r.identifier, r.institution, r.product_code, \
     r.stated_policy_no, p.policy_no, r.unmatched, r.recover_amount, r.currency, r.currency_rate, \
     r.recover_amount_of_cny, r.recover_cost_of_cny, r.recovered_ms, r.recorded_ms, r.discrepancies";

fn recovery(row: &Row<'_>) -> rusqlite::Result<RecoveryRecord> {
    let policy_no: Option<String> = row.get(6)?;
    Ok(RecoveryRecord {
        message_id: row.get(0)?,
        partner: row.get(1)?,
        identifier: row.get(2)?,
        institution: row.get(3)?,
        product_code: row.get(4)?,
        stated_policy_no: row.get(5)?,
        policy_no: policy_no.map(|text| known(6, text.parse::<PolicyNumber>().ok())).transpose()?,
        unmatched: row.get(7)?,
        recover_amount: row.get(8)?,
        currency: row.get(9)?,
        currency_rate: row.get(10)?,
        recover_amount_of_cny: row.get(11)?,
        recover_cost_of_cny: row.get(12)?,
        recovered_at: optional_instant(row, 13)?,
        recorded_at: instant(row, 14)?,
        discrepancies: row.get(15)?,
    })
}

fn recoveries(
    connection: &Connection,
    filter: &RecoveryFilter,
    before: Option<u64>,
    share: Share,
) -> rusqlite::Result<Slice<RecoveryRecord, u64>> {
    let mut terms = vec!["r.message_id < ?"];
    let mut values = vec![integer(before.unwrap_or(u64::MAX))];
    if let Some(policy_no) = &filter.policy_no {
        terms.push("r.policy_sequence = ?");
        values.push(integer(policy_no.sequence()));
    }
    // In the words of the partial indexes, so that they are used.
    terms.extend(filter.matched.map(|matched| if matched { "r.unmatched IS NULL" } else { "r.unmatched IS NOT NULL" }));
    terms.extend(filter.discrepant.map(|is| if is { "r.discrepancies <> '[]'" } else { "r.discrepancies = '[]'" }));
    let query = format!(
        "SELECT {RECOVERY_COLUMNS} FROM recoveries r LEFT JOIN policies p ON p.sequence = r.policy_sequence \
         WHERE {} ORDER BY r.message_id DESC",
        terms.join(" AND ")
    );
    slice(connection, (&query, values), share, |row| {
        let fits = fits(filter.partner.as_ref(), || row.get(1))?;
        Ok((row.get(0)?, if fits { Some(recovery(row)?) } else { None }))
    })
}

const MESSAGE_COLUMNS: &str = "m.id, m.received_ms, m.channel, m.scope, m.caller, m.secret_index, m.peer, m.key, \
     m.verdict, m.code, p.policy_no";
const MESSAGES: &str = "messages m LEFT JOIN policies p ON p.sequence = m.policy_sequence";

fn message(row: &Row<'_>) -> rusqlite::Result<MessageRecord> {
    Ok(MessageRecord {
        id: row.get(0)?,
        received_at: instant(row, 1)?,
        channel: row.get(2)?,
        scope: row.get(3)?,
        caller: row.get(4)?,
        secret_index: row.get(5)?,
        peer: row.get(6)?,
        key: row.get(7)?,
        verdict: row.get(8)?,
        code: row.get(9)?,
        policy_no: row.get(10)?,
    })
}

/// What an index serves is asked of SQL, in the words of the indexes.
fn message_terms(filter: &MessageFilter, after: Option<MessagePlace>) -> (String, Vec<Value>) {
    let mut terms = "m.received_ms >= ? AND (m.received_ms, m.id) < (?, ?)".to_owned();
    // No message has the number 0: all that arrived at the end itself is left out.
    let end = filter.to.map(|to| (millis(to), 0));
    let place = after.map(|place| (place.received_ms, i64::try_from(place.id).unwrap_or(i64::MAX)));
    let (below_ms, below) = end.into_iter().chain(place).min().unwrap_or((i64::MAX, i64::MAX));
    let from = filter.from.map_or(i64::MIN, millis);
    let mut values = vec![Value::Integer(from), Value::Integer(below_ms), Value::Integer(below)];
    if let Some(key) = &filter.key {
        terms.push_str(" AND m.key = ?");
        values.push(Value::Text(key.clone()));
    } else if let Some(scope) = &filter.scope {
        terms.push_str(" AND m.scope = ?");
        values.push(Value::Text(scope.clone()));
    }
    // Only what did not pass has a code.
    if filter.code.is_some() || filter.verdict.as_ref().is_some_and(|verdict| verdict != "accepted") {
        terms.push_str(" AND m.verdict <> 'accepted'");
    }
    (terms, values)
}

fn message_query(terms: &str) -> String {
    format!("SELECT {MESSAGE_COLUMNS} FROM {MESSAGES} WHERE {terms} ORDER BY m.received_ms DESC, m.id DESC")
}

fn messages(
    connection: &Connection,
    filter: &MessageFilter,
    after: Option<MessagePlace>,
    limit: usize,
) -> rusqlite::Result<Slice<MessageRecord, MessagePlace>> {
    let (terms, values) = message_terms(filter, after);
    let query = message_query(&terms);
    let (scope, code) = (filter.scope.clone().map(Some), filter.code.clone().map(Some));
    let share = Share { items: limit, examined: MAX_MESSAGES_EXAMINED };
    slice(connection, (&query, values), share, |row| {
        let place = MessagePlace { received_ms: row.get(1)?, id: row.get(0)? };
        let fits = fits(filter.channel.as_ref(), || row.get(2))?
            && fits(scope.as_ref(), || row.get(3))?
            && fits(filter.caller.as_ref(), || row.get(4))?
            && fits(filter.verdict.as_ref(), || row.get(8))?
            && fits(code.as_ref(), || row.get(9))?;
        Ok((place, if fits { Some(message(row)?) } else { None }))
    })
}

const STRANGER_COLUMNS: &str = "number, received_ms, channel, peer, reason, body_bytes";

fn stranger(row: &Row<'_>) -> rusqlite::Result<StrangerRecord> {
    Ok(StrangerRecord {
        number: row.get(0)?,
        received_at: instant(row, 1)?,
        channel: row.get(2)?,
        peer: row.get(3)?,
        reason: row.get(4)?,
        body_bytes: row.get(5)?,
    })
}

impl Lists for SqliteReader {
    fn policies(
        &self,
        filter: &PolicyFilter,
        after: Option<PolicyPlace>,
        limit: usize,
    ) -> Result<Slice<Policy, PolicyPlace>, StoreError> {
        self.read("listing policies", |connection| policies(connection, filter, after, Share::of(limit)))
    }

    fn ending(&self, policy_no: &PolicyNumber) -> Result<Option<EndingRecord>, StoreError> {
        let query = "SELECT message_id, kind, asked_by, order_no, refund_amount, ended_ms FROM endings \
                     WHERE policy_sequence = ?";
        let read = |row: &Row<'_>| {
            Ok(EndingRecord {
                message_id: row.get(0)?,
                kind: row.get(1)?,
                asked_by: row.get(2)?,
                order_no: row.get(3)?,
                refund_amount: row.get(4)?,
                ended_at: instant(row, 5)?,
            })
        };
        self.read("reading the end of a policy", |connection| {
            connection.prepare_cached(query)?.query_row([policy_no.sequence()], read).map(Some).or_else(none_if_no_row)
        })
    }

    fn recoveries(
        &self,
        filter: &RecoveryFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Slice<RecoveryRecord, u64>, StoreError> {
        self.read("listing recoveries", |connection| recoveries(connection, filter, before, Share::of(limit)))
    }

    fn messages(
        &self,
        filter: &MessageFilter,
        after: Option<MessagePlace>,
        limit: usize,
    ) -> Result<Slice<MessageRecord, MessagePlace>, StoreError> {
        self.read("listing messages", |connection| messages(connection, filter, after, limit))
    }

    fn message(&self, id: u64) -> Result<Option<WholeMessage>, StoreError> {
        let query = format!(
            "SELECT {MESSAGE_COLUMNS}, m.request, m.reply, c.first_message_id, c.differing, a.content, c.content \
             FROM {MESSAGES} LEFT JOIN conflicts c ON c.message_id = m.id \
             LEFT JOIN answers a ON a.message_id = c.first_message_id WHERE m.id = ?"
        );
        let conflict = |row: &Row<'_>, first_message_id| {
            Ok::<_, rusqlite::Error>(ConflictRecord {
                first_message_id,
                differing: row.get(14)?,
                first: Sealed::from_stored(row.get(15)?),
                second: Sealed::from_stored(row.get(16)?),
            })
        };
        let read = |row: &Row<'_>| {
            let first: Option<u64> = row.get(13)?;
            Ok(WholeMessage {
                record: message(row)?,
                request: Sealed::from_stored(row.get(11)?),
                reply: Sealed::from_stored(row.get(12)?),
                conflict: first.map(|first| conflict(row, first)).transpose()?,
            })
        };
        self.read("reading a message", |connection| {
            let parameters = params_from_iter([integer(id)]);
            connection.prepare_cached(&query)?.query_row(parameters, read).map(Some).or_else(none_if_no_row)
        })
    }

    fn policies_of_conflicts(&self, message_ids: &[u64]) -> Result<Vec<(u64, String)>, StoreError> {
        let query = "SELECT p.policy_no FROM conflicts c JOIN messages m ON m.id = c.first_message_id \
                     JOIN policies p ON p.sequence = m.policy_sequence WHERE c.message_id = ?";
        self.read("looking for the policies of conflicts", |connection| {
            let mut statement = connection.prepare_cached(query)?;
            let mut found = Vec::new();
            for id in message_ids {
                let number: Option<String> =
                    statement.query_row([integer(*id)], |row| row.get(0)).map(Some).or_else(none_if_no_row)?;
                found.extend(number.map(|number| (*id, number)));
            }
            Ok(found)
        })
    }

    fn secrets_used(&self, examined: usize) -> Result<Vec<SecretUse>, StoreError> {
        let query = "SELECT caller, secret_index, count(*), max(received_ms) FROM \
                     (SELECT caller, secret_index, received_ms FROM messages ORDER BY received_ms DESC LIMIT ?) \
                     GROUP BY caller, secret_index ORDER BY caller, secret_index";
        let read = |row: &Row<'_>| {
            Ok(SecretUse {
                caller: row.get(0)?,
                secret_index: row.get(1)?,
                messages: row.get(2)?,
                last_at: instant(row, 3)?,
            })
        };
        self.read("counting the secrets that were used", |connection| {
            connection.prepare_cached(query)?.query_map([examined], read)?.collect()
        })
    }

    fn strangers(&self, before: Option<u64>, limit: usize) -> Result<Slice<StrangerRecord, u64>, StoreError> {
        let query = format!("SELECT {STRANGER_COLUMNS} FROM strangers WHERE number < ? ORDER BY number DESC");
        let values = vec![integer(before.unwrap_or(u64::MAX))];
        self.read("listing strangers", |connection| {
            slice(connection, (&query, values.clone()), Share::of(limit), |row| Ok((row.get(0)?, Some(stranger(row)?))))
        })
    }

    fn stranger(&self, number: u64) -> Result<Option<WholeStranger>, StoreError> {
        let query = format!("SELECT {STRANGER_COLUMNS}, request FROM strangers WHERE number = ?");
        let read =
            |row: &Row<'_>| Ok(WholeStranger { record: stranger(row)?, request: Sealed::from_stored(row.get(6)?) });
        self.read("reading a stranger's message", |connection| {
            let parameters = params_from_iter([integer(number)]);
            connection.prepare_cached(&query)?.query_row(parameters, read).map(Some).or_else(none_if_no_row)
        })
    }

    fn events(&self, after: u64, limit: usize) -> Result<Vec<EventRecord>, StoreError> {
        // One writer, and ids that rise with each insert: what is not yet committed has greater ids than what is.
        let query = "SELECT id, at_ms, kind, subject, payload FROM events WHERE id > ? ORDER BY id LIMIT ?";
        let read = |row: &Row<'_>| {
            Ok(EventRecord {
                id: row.get(0)?,
                at: instant(row, 1)?,
                kind: row.get(2)?,
                subject: row.get(3)?,
                payload: row.get(4)?,
            })
        };
        self.read("reading events", |connection| {
            let parameters = [integer(after), integer(u64::try_from(limit).unwrap_or(u64::MAX))];
            connection.prepare_cached(query)?.query_map(params_from_iter(parameters), read)?.collect()
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn numbers(below: i64, share: Share, even_only: bool) -> Slice<i64, i64> {
        let connection = Connection::open_in_memory().unwrap();
        let query = "WITH RECURSIVE n (i) AS (SELECT ? - 1 UNION ALL SELECT i - 1 FROM n WHERE i > 1) SELECT i FROM n";
        slice(&connection, (query, vec![Value::Integer(below)]), share, |row| {
            let number: i64 = row.get(0)?;
            Ok((number, (!even_only || number % 2 == 0).then_some(number)))
        })
        .unwrap()
    }

    #[test]
    fn a_slice_ends_when_it_is_full_or_has_looked_at_enough() {
        let share = |items, examined| Share { items, examined };
        assert_eq!(numbers(7, share(2, 100), false), Slice { items: vec![6, 5], next: Some(5) });
        assert_eq!(numbers(7, share(6, 100), false).next, None, "full at the very end");
        assert_eq!(numbers(7, share(2, 3), true), Slice { items: vec![6, 4], next: Some(4) });
        assert_eq!(numbers(6, share(2, 1), true), Slice { items: vec![], next: Some(5) });
        assert_eq!(numbers(2, share(2, 1), true), Slice { items: vec![], next: None });
    }

    /// How SQLite goes about it: the index that it walks, and whether it sorts.
    pub(in super::super) fn steps(query: &str, values: Vec<Value>) -> String {
        let mut connection = Connection::open_in_memory().unwrap();
        super::super::migrations::run(&mut connection).unwrap();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
        let steps = statement.query_map(params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
        steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    }

    fn plan(filter: &MessageFilter) -> String {
        let (terms, values) = message_terms(filter, Some(MessagePlace { received_ms: 9, id: 9 }));
        steps(&message_query(&terms), values)
    }

    #[test]
    fn policies_that_ended_are_found_among_their_like_and_come_out_sorted() {
        for (state, index) in [
            (None, "policies_by_issue"),
            (Some(PolicyState::Issued), "policies_by_issue"),
            (Some(PolicyState::Rescinded), "policies_ended"),
            (Some(PolicyState::Surrendered), "policies_ended"),
        ] {
            let query = policy_query(&PolicyFilter { state, ..PolicyFilter::default() });
            let plan = steps(&query, vec![Value::Integer(0), Value::Integer(9), Value::Integer(9)]);
            assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{state:?}: {plan}");
        }
    }

    #[test]
    fn messages_are_found_through_an_index_and_come_out_sorted() {
        let scope = Some("qimen/recovery".to_owned());
        for (filter, index) in [
            (MessageFilter::default(), "messages_by_time"),
            (MessageFilter { scope: scope.clone(), ..MessageFilter::default() }, "messages_by_scope"),
            (
                MessageFilter { verdict: Some("refused".to_owned()), ..MessageFilter::default() },
                "messages_not_accepted",
            ),
            (MessageFilter { code: Some("BUSY".to_owned()), ..MessageFilter::default() }, "messages_not_accepted"),
            (MessageFilter { verdict: Some("accepted".to_owned()), ..MessageFilter::default() }, "messages_by_time"),
        ] {
            let plan = plan(&filter);
            assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{filter:?}: {plan}");
        }
        let keyed = plan(&MessageFilter { key: Some("1".to_owned()), ..MessageFilter::default() });
        assert!(keyed.contains("messages_by_key"), "{keyed}");
    }
}
