//! Lists over PostgreSQL. One call looks at its share of rows and no more: those are taken by an index, in the list's
//! order, and the filter is put over them.

use baoqiao_domain::policy::{Policy, PolicyState};
use baoqiao_domain::policy_number::PolicyNumber;
use tokio_postgres::Row;

use super::connection::{Failure, Parameter, Session};
use super::reader::PostgresReader;
use super::rows::{
    big, bucket_number, bucket_of, instant, millis, number, optional_instant, optional_number, parsed, policy,
    policy_columns, sealed,
};
use crate::ledger::lists::{
    ConflictRecord, EndingRecord, EventRecord, Lists, MAX_EXAMINED, MAX_MESSAGES_EXAMINED, MessageFilter, MessagePlace,
    MessageRecord, PolicyFilter, PolicyPlace, RecoveryFilter, RecoveryRecord, SecretUse, Slice, StrangerRecord,
    WholeMessage, WholeStranger,
};
use crate::ledger::store::StoreError;

/// A list over one table, of which every row is `x`.
pub(super) struct List<'a> {
    /// The rows to look at, without order or limit.
    pub(super) rows: String,
    /// How many of them one call looks at.
    pub(super) examined: usize,
    /// What of them fits.
    pub(super) fits: &'a str,
    /// The columns to read, and what is joined for them.
    pub(super) columns: &'a str,
    pub(super) joined: &'a str,
    /// The order, which is that of the place, and the place as columns.
    pub(super) order: &'a str,
    pub(super) place: &'a str,
    /// The parameters of `rows`, and then those of `fits`.
    pub(super) parameters: Vec<Parameter<'a>>,
    /// How many of them are those of `rows`.
    pub(super) of_rows: usize,
}

impl List<'_> {
    fn looked_at(&self) -> String {
        format!("SELECT * FROM ({} ORDER BY {} LIMIT {}) x", self.rows, self.order, self.examined)
    }

    /// Reads one slice; `read` makes an item and its place of each row that fits, `place` a place of its columns.
    pub(super) async fn slice<T, P: Copy>(
        &self,
        session: &Session,
        limit: usize,
        read: impl Fn(&Row) -> Result<(P, T), Failure>,
        place: impl Fn(&Row) -> Result<P, Failure>,
    ) -> Result<Slice<T, P>, Failure> {
        let Self { fits, columns, joined, order, .. } = self;
        let looked_at = self.looked_at();
        let query = format!(
            "SELECT {columns} FROM (SELECT * FROM ({looked_at}) x WHERE {fits} ORDER BY {order} LIMIT {}) x {joined} \
             ORDER BY {order}",
            limit.saturating_add(1)
        );
        let rows = session.query_once(&query, &self.parameters).await?;
        let mut found = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let next = if found.len() > limit {
            found.truncate(limit);
            found.last().map(|(place, _)| *place)
        } else {
            // Where the share was used up, there may be more that fits behind it.
            let query = format!(
                "SELECT {} FROM ({looked_at}) x ORDER BY {order} OFFSET {} LIMIT 1",
                self.place,
                self.examined - 1
            );
            let parameters = self.parameters.get(..self.of_rows).unwrap_or_default();
            session.query_once(&query, parameters).await?.first().map(place).transpose()?
        };
        Ok(Slice { items: found.into_iter().map(|(_, item)| item).collect(), next })
    }
}

pub(super) async fn policies(
    session: &Session,
    filter: &PolicyFilter,
    after: Option<PolicyPlace>,
    limit: usize,
) -> Result<Slice<Policy, PolicyPlace>, Failure> {
    // No policy has the sequence 0: all that was issued at the end itself is left out.
    let end = filter.issued_to.map(|to| (millis(to), 0));
    let place = after.map(|place| (place.issued_ms, big(place.sequence)));
    let (below_ms, below) = end.into_iter().chain(place).min().unwrap_or((i64::MAX, i64::MAX));
    let from_ms = filter.issued_from.map_or(i64::MIN, millis);
    let state = filter.state.map(PolicyState::as_str);
    // In the words of the index of those few.
    let ended = if filter.state.is_some_and(PolicyState::is_ended) { "AND x.state <> 'issued'" } else { "" };
    let list = List {
        rows: format!(
            "SELECT * FROM policies x WHERE x.issued_ms >= $1 AND (x.issued_ms, x.sequence) < ($2, $3) {ended}"
        ),
        examined: MAX_EXAMINED,
        fits: "($4::text IS NULL OR x.partner = $4) AND ($5::text IS NULL OR x.product_code = $5) \
               AND ($6::text IS NULL OR x.state = $6)",
        columns: concat!(policy_columns!(), ", p.sequence"),
        joined: "JOIN policies p ON p.bucket = x.bucket AND p.sequence = x.sequence",
        order: "x.issued_ms DESC, x.sequence DESC",
        place: "x.issued_ms, x.sequence",
        parameters: vec![&from_ms, &below_ms, &below, &filter.partner, &filter.product_code, &state],
        of_rows: 3,
    };
    let read = |row: &Row| {
        let policy = policy(row)?;
        Ok((PolicyPlace { issued_ms: millis(policy.issued_at), sequence: number(row, 13)? }, policy))
    };
    let place = |row: &Row| Ok(PolicyPlace { issued_ms: row.try_get(0)?, sequence: number(row, 1)? });
    list.slice(session, limit, read, place).await
}

const RECOVERY_COLUMNS: &str = "x.message_id, x.partner, x.identifier, x.institution, x.product_code, \
     x.stated_policy_no, p.policy_no, x.unmatched, x.recover_amount, x.currency, x.currency_rate, \
     x.recover_amount_of_cny, x.recover_cost_of_cny, x.recovered_ms, x.recorded_ms, x.discrepancies";

fn recovery(row: &Row) -> Result<(u64, RecoveryRecord), Failure> {
    let message_id = number(row, 0)?;
    let policy_no: Option<&str> = row.try_get(6)?;
    let record = RecoveryRecord {
        message_id,
        partner: row.try_get(1)?,
        identifier: row.try_get(2)?,
        institution: row.try_get(3)?,
        product_code: row.try_get(4)?,
        stated_policy_no: row.try_get(5)?,
        policy_no: if policy_no.is_some() { Some(parsed(row, 6)?) } else { None },
        unmatched: row.try_get(7)?,
        recover_amount: row.try_get(8)?,
        currency: row.try_get(9)?,
        currency_rate: row.try_get(10)?,
        recover_amount_of_cny: row.try_get(11)?,
        recover_cost_of_cny: row.try_get(12)?,
        recovered_at: optional_instant(row, 13)?,
        recorded_at: instant(row, 14)?,
        discrepancies: row.try_get(15)?,
    };
    Ok((message_id, record))
}

async fn recoveries(
    session: &Session,
    filter: &RecoveryFilter,
    before: Option<u64>,
    limit: usize,
) -> Result<Slice<RecoveryRecord, u64>, Failure> {
    let before = before.map_or(i64::MAX, big);
    let policy = filter.policy_no.as_ref().map(|number| (bucket_number(number.bucket()), big(number.sequence())));
    let (bucket, sequence) = policy.unzip();
    let mut terms = vec!["x.message_id < $1"];
    // Named in any case, so that each parameter has a type.
    terms.push("($2::smallint IS NULL OR x.bucket = $2) AND ($3::bigint IS NULL OR x.policy_sequence = $3)");
    if policy.is_some() {
        terms.push("x.bucket = $2 AND x.policy_sequence = $3");
    }
    // In the words of the partial indexes, so that they are used.
    terms.extend(filter.matched.map(|matched| if matched { "x.unmatched IS NULL" } else { "x.unmatched IS NOT NULL" }));
    terms.extend(filter.discrepant.map(|is| if is { "x.discrepancies <> '[]'" } else { "x.discrepancies = '[]'" }));
    let list = List {
        rows: format!("SELECT * FROM recoveries x WHERE {}", terms.join(" AND ")),
        examined: MAX_EXAMINED,
        fits: "($4::text IS NULL OR x.partner = $4)",
        columns: RECOVERY_COLUMNS,
        joined: "LEFT JOIN policies p ON p.bucket = x.bucket AND p.sequence = x.policy_sequence",
        order: "x.message_id DESC",
        place: "x.message_id",
        parameters: vec![&before, &bucket, &sequence, &filter.partner],
        of_rows: 3,
    };
    list.slice(session, limit, recovery, |row| number(row, 0)).await
}

const MESSAGE_COLUMNS: &str = "x.id, x.received_ms, x.channel, x.scope, x.caller, x.secret_index, x.peer, x.key, \
     x.verdict, x.code, p.policy_no";
const POLICY_OF_MESSAGE: &str = "LEFT JOIN policies p ON p.bucket = x.bucket AND p.sequence = x.policy_sequence";

fn message(row: &Row) -> Result<MessageRecord, Failure> {
    Ok(MessageRecord {
        id: number(row, 0)?,
        received_at: instant(row, 1)?,
        channel: row.try_get(2)?,
        scope: row.try_get(3)?,
        caller: row.try_get(4)?,
        secret_index: u64::try_from(row.try_get::<_, i32>(5)?).unwrap_or_default(),
        peer: row.try_get(6)?,
        key: row.try_get(7)?,
        verdict: row.try_get(8)?,
        code: row.try_get(9)?,
        policy_no: row.try_get(10)?,
    })
}

async fn messages(
    session: &Session,
    filter: &MessageFilter,
    after: Option<MessagePlace>,
    limit: usize,
) -> Result<Slice<MessageRecord, MessagePlace>, Failure> {
    // No message has the number 0: all that arrived at the end itself is left out.
    let end = filter.to.map(|to| (millis(to), 0));
    let place = after.map(|place| (place.received_ms, big(place.id)));
    let (below_ms, below) = end.into_iter().chain(place).min().unwrap_or((i64::MAX, i64::MAX));
    let from_ms = filter.from.map_or(i64::MIN, millis);
    let mut terms = vec!["x.received_ms >= $1 AND (x.received_ms, x.id) < ($2, $3)"];
    // What an index serves is asked in the words of the indexes; each parameter is named in any case, for its type.
    terms.push(if filter.key.is_some() { "x.key = $4" } else { "$4::text IS NULL" });
    terms.push(if filter.key.is_none() && filter.scope.is_some() {
        "x.scope = $5"
    } else {
        "($5::text IS NULL OR TRUE)"
    });
    if filter.code.is_some() || filter.verdict.as_ref().is_some_and(|verdict| verdict != "accepted") {
        // Only what did not pass has a code.
        terms.push("x.verdict <> 'accepted'");
    }
    let list = List {
        rows: format!("SELECT * FROM messages x WHERE {}", terms.join(" AND ")),
        examined: MAX_MESSAGES_EXAMINED,
        fits: "($5::text IS NULL OR x.scope = $5) AND ($6::text IS NULL OR x.caller = $6) \
               AND ($7::text IS NULL OR x.verdict = $7) AND ($8::text IS NULL OR x.channel = $8) \
               AND ($9::text IS NULL OR x.code = $9)",
        columns: MESSAGE_COLUMNS,
        joined: POLICY_OF_MESSAGE,
        order: "x.received_ms DESC, x.id DESC",
        place: "x.received_ms, x.id",
        parameters: vec![
            &from_ms,
            &below_ms,
            &below,
            &filter.key,
            &filter.scope,
            &filter.caller,
            &filter.verdict,
            &filter.channel,
            &filter.code,
        ],
        of_rows: 5,
    };
    let read = |row: &Row| Ok((MessagePlace { received_ms: row.try_get(1)?, id: number(row, 0)? }, message(row)?));
    let place = |row: &Row| Ok(MessagePlace { received_ms: row.try_get(0)?, id: number(row, 1)? });
    list.slice(session, limit, read, place).await
}

const STRANGER_COLUMNS: &str = "x.number, x.received_ms, x.channel, x.peer, x.reason, x.body_bytes";

fn stranger(row: &Row) -> Result<StrangerRecord, Failure> {
    Ok(StrangerRecord {
        number: number(row, 0)?,
        received_at: instant(row, 1)?,
        channel: row.try_get(2)?,
        peer: row.try_get(3)?,
        reason: row.try_get(4)?,
        body_bytes: number(row, 5)?,
    })
}

impl Lists for PostgresReader {
    fn policies(
        &self,
        filter: &PolicyFilter,
        after: Option<PolicyPlace>,
        limit: usize,
    ) -> Result<Slice<Policy, PolicyPlace>, StoreError> {
        self.0.read("listing policies", async |session| policies(session, filter, after, limit).await)
    }

    fn ending(&self, policy_no: &PolicyNumber) -> Result<Option<EndingRecord>, StoreError> {
        let query = "SELECT message_id, kind, asked_by, order_no, refund_amount, ended_ms FROM endings \
                     WHERE bucket = $1 AND policy_sequence = $2";
        self.0.read("reading the end of a policy", async |session| {
            let (bucket, sequence) = (bucket_number(policy_no.bucket()), big(policy_no.sequence()));
            let Some(row) = session.query_opt(query, &[&bucket, &sequence]).await? else { return Ok(None) };
            Ok(Some(EndingRecord {
                message_id: number(&row, 0)?,
                kind: row.try_get(1)?,
                asked_by: row.try_get(2)?,
                order_no: row.try_get(3)?,
                refund_amount: row.try_get(4)?,
                ended_at: instant(&row, 5)?,
            }))
        })
    }

    fn recoveries(
        &self,
        filter: &RecoveryFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Slice<RecoveryRecord, u64>, StoreError> {
        self.0.read("listing recoveries", async |session| recoveries(session, filter, before, limit).await)
    }

    fn messages(
        &self,
        filter: &MessageFilter,
        after: Option<MessagePlace>,
        limit: usize,
    ) -> Result<Slice<MessageRecord, MessagePlace>, StoreError> {
        self.0.read("listing messages", async |session| messages(session, filter, after, limit).await)
    }

    fn message(&self, id: u64) -> Result<Option<WholeMessage>, StoreError> {
        // A conflict and what was first came under one key, if not in one bucket.
        let query = format!(
            "SELECT {MESSAGE_COLUMNS}, x.request, x.reply, c.first_message_id, c.differing, a.content, c.content \
             FROM messages x {POLICY_OF_MESSAGE} \
             LEFT JOIN conflicts c ON c.bucket = x.bucket AND c.message_id = x.id \
             LEFT JOIN answers a ON a.bucket = (c.first_message_id % 1024)::smallint AND a.scope = x.scope \
               AND a.key = x.key \
             WHERE x.bucket = $1 AND x.id = $2"
        );
        self.0.read("reading a message", async |session| {
            let rows = session.query_once(&query, &[&bucket_of(id), &big(id)]).await?;
            let Some(row) = rows.first() else { return Ok(None) };
            let conflict = |first_message_id| {
                Ok::<_, Failure>(ConflictRecord {
                    first_message_id,
                    differing: row.try_get(14)?,
                    first: sealed(row, 15)?,
                    second: sealed(row, 16)?,
                })
            };
            Ok(Some(WholeMessage {
                record: message(row)?,
                request: sealed(row, 11)?,
                reply: sealed(row, 12)?,
                conflict: optional_number(row, 13)?.map(conflict).transpose()?,
            }))
        })
    }

    fn policies_of_conflicts(&self, message_ids: &[u64]) -> Result<Vec<(u64, String)>, StoreError> {
        let query = "SELECT c.message_id, p.policy_no FROM unnest($1::bigint[]) AS asked (id) \
                     JOIN conflicts c ON c.bucket = (asked.id % 1024)::smallint AND c.message_id = asked.id \
                     JOIN messages x ON x.bucket = (c.first_message_id % 1024)::smallint AND x.id = c.first_message_id \
                     JOIN policies p ON p.bucket = x.bucket AND p.sequence = x.policy_sequence";
        let ids: Vec<i64> = message_ids.iter().copied().map(big).collect();
        self.0.read("looking for the policies of conflicts", async |session| {
            let rows = session.query(query, &[&ids]).await?;
            rows.iter().map(|row| Ok((number(row, 0)?, row.try_get(1)?))).collect()
        })
    }

    fn secrets_used(&self, examined: usize) -> Result<Vec<SecretUse>, StoreError> {
        let query = format!(
            "SELECT x.caller, x.secret_index, count(*), max(x.received_ms) FROM \
             (SELECT caller, secret_index, received_ms FROM messages ORDER BY received_ms DESC, id DESC LIMIT {examined}) x \
             GROUP BY x.caller, x.secret_index ORDER BY x.caller, x.secret_index"
        );
        let read = |row: &Row| {
            Ok(SecretUse {
                caller: row.try_get(0)?,
                secret_index: u64::try_from(row.try_get::<_, i32>(1)?).unwrap_or_default(),
                messages: number(row, 2)?,
                last_at: instant(row, 3)?,
            })
        };
        self.0.read("counting the secrets that were used", async |session| {
            session.query_once(&query, &[]).await?.iter().map(read).collect()
        })
    }

    fn strangers(&self, before: Option<u64>, limit: usize) -> Result<Slice<StrangerRecord, u64>, StoreError> {
        let before = before.map_or(i64::MAX, big);
        let list = List {
            rows: "SELECT * FROM strangers x WHERE x.number < $1".to_owned(),
            examined: MAX_EXAMINED,
            fits: "TRUE",
            columns: STRANGER_COLUMNS,
            joined: "",
            order: "x.number DESC",
            place: "x.number",
            parameters: vec![&before],
            of_rows: 1,
        };
        self.0.read("listing strangers", async |session| {
            list.slice(session, limit, |row| Ok((number(row, 0)?, stranger(row)?)), |row| number(row, 0)).await
        })
    }

    fn stranger(&self, number: u64) -> Result<Option<WholeStranger>, StoreError> {
        let query = format!("SELECT {STRANGER_COLUMNS}, x.request FROM strangers x WHERE x.number = $1");
        self.0.read("reading a stranger's message", async |session| {
            let rows = session.query_once(&query, &[&big(number)]).await?;
            let read = |row: &Row| Ok(WholeStranger { record: stranger(row)?, request: sealed(row, 6)? });
            rows.first().map(read).transpose()
        })
    }

    fn events(&self, after: u64, limit: usize) -> Result<Vec<EventRecord>, StoreError> {
        let query = "SELECT f.position, e.at_ms, e.kind, e.subject, e.payload \
                     FROM (SELECT * FROM feed WHERE position > $1 ORDER BY position LIMIT $2) f \
                     JOIN events e ON e.bucket = (f.message_id % 1024)::smallint AND e.message_id = f.message_id \
                       AND e.place = f.place \
                     ORDER BY f.position";
        self.0.read("reading events", async |session| {
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = session.query(query, &[&big(after), &limit]).await?;
            let read = |row: &Row| {
                Ok(EventRecord {
                    id: number(row, 0)?,
                    at: instant(row, 1)?,
                    kind: row.try_get(2)?,
                    subject: row.try_get(3)?,
                    payload: row.try_get(4)?,
                })
            };
            rows.iter().map(read).collect()
        })
    }
}
