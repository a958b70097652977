//! What the tables hold, for whoever checks the whole of them: in pages by their keys, so that no snapshot is held for
//! longer than a page takes.

use std::collections::HashMap;

use baoqiao_domain::bucket::BUCKETS;
use baoqiao_domain::policy_number::PolicyNumber;
use tokio_postgres::Row;

use super::connection::{Failure, Session};
use super::reader::PostgresReader;
use super::rows::{big, bucket_number, bucket_of, known, number, optional_number, sealed};
use super::{people, unfound};
use crate::ledger::store::{NumberBlock, StoreError};
use crate::ledger::verification::evidence::{
    AnswerRow, ConflictEvidence, DocumentEvidence, EndingRow, EventRow, Evidence, Fact, FactRow, FileCheck,
    LinkedPolicy, NoticeEvidence, NumberUse, Parties, PolicyRow, Take,
};

/// The columns that [`policy`] reads, in its order.
macro_rules! policy_columns {
    () => {
        "p.sequence, p.policy_no, p.partner, p.product_code, p.identifier, p.insure_id, p.amount, p.premium, \
         p.premium_of_cny, p.currency, p.effect_ms, p.expire_ms, p.state"
    };
}
/// How many columns they are.
const POLICY_COLUMNS: usize = 13;

fn policy(row: &Row) -> Result<PolicyRow, Failure> {
    Ok(PolicyRow {
        sequence: number(row, 0)?,
        policy_no: row.try_get(1)?,
        partner: row.try_get(2)?,
        product_code: row.try_get(3)?,
        identifier: row.try_get(4)?,
        insure_id: row.try_get(5)?,
        amount: row.try_get(6)?,
        premium: row.try_get(7)?,
        premium_of_cny: row.try_get(8)?,
        currency: row.try_get(9)?,
        effect_ms: row.try_get(10)?,
        expire_ms: row.try_get(11)?,
        state: row.try_get(12)?,
    })
}

/// A small number of the documents', such as a stage's.
fn small(row: &Row, column: usize) -> Result<u8, Failure> {
    known("a small number", u8::try_from(row.try_get::<_, i16>(column)?).ok())
}

/// A key by number: bucket and number within.
type Numbered = (i16, i64);
/// What no bucket is before.
const BEFORE_NUMBERS: Numbered = (-1, 0);

impl PostgresReader {
    /// Hands over all rows of a table, page by page; `page` reads those after a key, with their keys.
    fn walk<K: Clone, T>(
        &self,
        context: &'static str,
        before: K,
        page: &impl AsyncFn(&Session, &K) -> Result<Vec<(K, T)>, Failure>,
        take: &mut Take<'_, T>,
    ) -> Result<(), StoreError> {
        let mut after = before;
        loop {
            let rows = self.0.read(context, async |session| page(session, &after).await)?;
            if rows.is_empty() {
                return Ok(());
            }
            for (key, row) in rows {
                after = key;
                take(row)?;
            }
        }
    }
}

type Named = (i16, String, String);

async fn answers(session: &Session, after: &Named) -> Result<Vec<(Named, AnswerRow)>, Failure> {
    let query = concat!(
        "SELECT ",
        policy_columns!(),
        ", a.bucket, a.scope, a.key, a.message_id, a.fingerprint, a.content, a.outcome, a.policy_sequence \
         FROM (SELECT * FROM answers WHERE (bucket, scope, key) > ($1, $2, $3) AND outcome IS NOT NULL \
               ORDER BY bucket, scope, key LIMIT 1000) a \
         LEFT JOIN policies p ON p.bucket = a.bucket AND p.sequence = a.policy_sequence \
         ORDER BY a.bucket, a.scope, a.key"
    );
    let rows = session.query(query, &[&after.0, &after.1, &after.2]).await?;
    let read = |row: &Row| {
        let first = POLICY_COLUMNS;
        let (scope, key): (String, String) = (row.try_get(first + 1)?, row.try_get(first + 2)?);
        let answer = AnswerRow {
            policy: optional_number(row, 0)?.map(|_| policy(row)).transpose()?,
            message_id: number(row, first + 3)?,
            scope: scope.clone(),
            fingerprint: row.try_get(first + 4)?,
            content: sealed(row, first + 5)?,
            outcome: sealed(row, first + 6)?,
            policy_sequence: optional_number(row, first + 7)?,
        };
        Ok(((row.try_get(first)?, scope, key), answer))
    };
    rows.iter().map(read).collect()
}

async fn policies(session: &Session, after: &Numbered) -> Result<Vec<(Numbered, LinkedPolicy)>, Failure> {
    let query = concat!(
        "SELECT ",
        policy_columns!(),
        ", p.bucket, a.policy_sequence, e.message_id, e.kind \
         FROM (SELECT * FROM policies WHERE (bucket, sequence) > ($1, $2) ORDER BY bucket, sequence LIMIT 1000) p \
         LEFT JOIN answers a ON a.bucket = p.bucket AND a.scope = p.content_scope AND a.key = p.content_key \
         LEFT JOIN endings e ON e.bucket = p.bucket AND e.policy_sequence = p.sequence \
         ORDER BY p.bucket, p.sequence"
    );
    let rows = session.query(query, &[&after.0, &after.1]).await?;
    let read = |row: &Row| {
        let first = POLICY_COLUMNS;
        let policy = policy(row)?;
        let ending = match optional_number(row, first + 2)? {
            Some(message_id) => Some(EndingRow { message_id, kind: row.try_get(first + 3)? }),
            None => None,
        };
        let key = (row.try_get(first)?, big(policy.sequence));
        Ok((key, LinkedPolicy { policy, answer_sequence: optional_number(row, first + 1)?, ending }))
    };
    rows.iter().map(read).collect()
}

async fn recoveries(session: &Session, after: &Numbered) -> Result<Vec<(Numbered, FactRow)>, Failure> {
    let query = "SELECT bucket, message_id, partner, identifier FROM recoveries \
                 WHERE (bucket, message_id) > ($1, $2) ORDER BY bucket, message_id LIMIT 1000";
    let rows = session.query(query, &[&after.0, &after.1]).await?;
    let read = |row: &Row| {
        let fact = Fact::Recovery { partner: row.try_get(2)?, identifier: row.try_get(3)? };
        Ok(((row.try_get(0)?, row.try_get(1)?), FactRow { message_id: number(row, 1)?, fact }))
    };
    rows.iter().map(read).collect()
}

type Staged = (i16, String, i32);

async fn stages(session: &Session, after: &Staged) -> Result<Vec<(Staged, FactRow)>, Failure> {
    let query = "SELECT bucket, biz_id, ordinal, message_id, insurance_type, stage, status FROM auction_stages \
                 WHERE (bucket, biz_id, ordinal) > ($1, $2, $3) ORDER BY bucket, biz_id, ordinal LIMIT 1000";
    let rows = session.query(query, &[&after.0, &after.1, &after.2]).await?;
    let read = |row: &Row| {
        let biz_id: String = row.try_get(1)?;
        let key = (row.try_get(0)?, biz_id.clone(), row.try_get(2)?);
        let fact =
            Fact::Stage { biz_id, insurance_type: small(row, 4)?, stage: small(row, 5)?, status: small(row, 6)? };
        Ok((key, FactRow { message_id: number(row, 3)?, fact }))
    };
    rows.iter().map(read).collect()
}

type Placed = (i16, i64, i16);

/// The policies are read after the events that name them, and so are there if ever they were.
async fn events(session: &Session, after: &Placed) -> Result<Vec<(Placed, EventRow)>, Failure> {
    let query = "SELECT e.bucket, e.message_id, e.place, f.position, w.bucket IS NOT NULL, e.kind, e.payload, e.policy_no \
                 FROM (SELECT * FROM events WHERE (bucket, message_id, place) > ($1, $2, $3) \
                       ORDER BY bucket, message_id, place LIMIT 1000) e \
                 LEFT JOIN feed f ON f.message_id = e.message_id AND f.place = e.place \
                 LEFT JOIN feed_pending w ON w.bucket = e.bucket AND w.message_id = e.message_id AND w.place = e.place \
                 ORDER BY e.bucket, e.message_id, e.place";
    let rows = session.query(query, &[&after.0, &after.1, &after.2]).await?;
    let read = |row: &Row| {
        let key: Placed = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let event = EventRow {
            name: format!("event {} of message {}", key.2, key.1),
            position: optional_number(row, 3)?,
            is_pending: row.try_get(4)?,
            kind: row.try_get(5)?,
            payload: row.try_get(6)?,
            policy_no: row.try_get(7)?,
            policy: None,
        };
        Ok((key, event))
    };
    let mut events = rows.iter().map(read).collect::<Result<Vec<(Placed, EventRow)>, Failure>>()?;
    let policies = named(session, &events).await?;
    for (_, event) in &mut events {
        let number: Option<PolicyNumber> = event.policy_no.as_ref().and_then(|text| text.parse().ok());
        event.policy = number.and_then(|number| policies.get(&number.sequence()).cloned());
    }
    Ok(events)
}

/// The policies that events name, by their sequences.
async fn named(session: &Session, events: &[(Placed, EventRow)]) -> Result<HashMap<u64, PolicyRow>, Failure> {
    let query = concat!(
        "SELECT ",
        policy_columns!(),
        " FROM (SELECT DISTINCT * FROM unnest($1::smallint[], $2::bigint[]) AS n (bucket, sequence)) n \
         JOIN policies p ON p.bucket = n.bucket AND p.sequence = n.sequence"
    );
    let texts = events.iter().filter_map(|(_, event)| event.policy_no.as_deref());
    let numbers: Vec<PolicyNumber> = texts.filter_map(|text| text.parse().ok()).collect();
    let buckets: Vec<i16> = numbers.iter().map(|number| bucket_number(number.bucket())).collect();
    let sequences: Vec<i64> = numbers.iter().map(|number| big(number.sequence())).collect();
    let rows = session.query(query, &[&buckets, &sequences]).await?;
    rows.iter().map(|row| policy(row).map(|policy| (policy.sequence, policy))).collect()
}

async fn documents(session: &Session, after: &Numbered) -> Result<Vec<(Numbered, DocumentEvidence)>, Failure> {
    let query = "SELECT d.bucket, d.policy_sequence, d.sha256, d.pdf, p.sequence IS NOT NULL \
                 FROM (SELECT * FROM documents WHERE (bucket, policy_sequence) > ($1, $2) \
                       ORDER BY bucket, policy_sequence LIMIT 64) d \
                 LEFT JOIN policies p ON p.bucket = d.bucket AND p.sequence = d.policy_sequence \
                 ORDER BY d.bucket, d.policy_sequence";
    let rows = session.query(query, &[&after.0, &after.1]).await?;
    let read = |row: &Row| {
        let document = DocumentEvidence {
            policy_sequence: number(row, 1)?,
            sha256: row.try_get(2)?,
            pdf: sealed(row, 3)?,
            has_policy: row.try_get(4)?,
        };
        Ok(((row.try_get(0)?, row.try_get(1)?), document))
    };
    rows.iter().map(read).collect()
}

async fn notices(session: &Session, after: &Numbered) -> Result<Vec<(Numbered, NoticeEvidence)>, Failure> {
    let query = "SELECT bucket, id, subject, kind, content, cause_message_id FROM notices \
                 WHERE (bucket, id) > ($1, $2) ORDER BY bucket, id LIMIT 1000";
    let rows = session.query(query, &[&after.0, &after.1]).await?;
    let read = |row: &Row| {
        let notice = NoticeEvidence {
            id: number(row, 1)?,
            subject: row.try_get(2)?,
            kind: row.try_get(3)?,
            content: sealed(row, 4)?,
            cause_message_id: optional_number(row, 5)?,
        };
        Ok(((row.try_get(0)?, row.try_get(1)?), notice))
    };
    rows.iter().map(read).collect()
}

async fn conflicts(session: &Session, after: &Numbered) -> Result<Vec<(Numbered, ConflictEvidence)>, Failure> {
    let query = "SELECT bucket, message_id, first_message_id, content FROM conflicts \
                 WHERE (bucket, message_id) > ($1, $2) ORDER BY bucket, message_id LIMIT 1000";
    let rows = session.query(query, &[&after.0, &after.1]).await?;
    let read = |row: &Row| {
        let conflict = ConflictEvidence {
            message_id: number(row, 1)?,
            first_message_id: number(row, 2)?,
            content: sealed(row, 3)?,
        };
        Ok(((row.try_get(0)?, row.try_get(1)?), conflict))
    };
    rows.iter().map(read).collect()
}

/// What was set aside is read after what is in use, which may grow meanwhile.
async fn numbers(session: &Session) -> Result<Vec<NumberUse>, Failure> {
    let highest = "SELECT (SELECT max(sequence) FROM policies), (SELECT max(id) FROM messages), \
                   (SELECT max(number) FROM strangers), (SELECT max(id) FROM notices)";
    let row = known("the numbers in use", session.query_opt(highest, &[]).await?)?;
    let buckets = u64::from(BUCKETS);
    let blocks = [
        (NumberBlock::Policy, 1),
        (NumberBlock::Message, buckets),
        (NumberBlock::Stranger, 1),
        (NumberBlock::Notice, buckets),
    ];
    let mut uses = Vec::new();
    for (column, (block, step)) in blocks.into_iter().enumerate() {
        let next = session.query_opt("SELECT next FROM number_blocks WHERE name = $1", &[&block.as_str()]).await?;
        let next = number(&known("a block of numbers", next)?, 0)?;
        uses.push(NumberUse { block, next, highest: optional_number(&row, column)?.map(|highest| highest / step) });
    }
    Ok(uses)
}

impl Evidence for PostgresReader {
    /// The server has checksums and `pg_amcheck` for that.
    fn damage(&self, _: FileCheck, _: &mut dyn FnMut(&'static str)) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    fn numbers(&self) -> Result<Vec<NumberUse>, StoreError> {
        self.0.read("reading numbers", async |session| numbers(session).await)
    }

    fn last_position(&self) -> Result<u64, StoreError> {
        self.0.read("reading the last event", async |session| {
            let row = session.query_opt("SELECT coalesce(max(position), 0) FROM feed", &[]).await?;
            number(&known("the last event", row)?, 0)
        })
    }

    fn has_answer(&self, message_id: u64) -> Result<bool, StoreError> {
        let query = "SELECT EXISTS (SELECT 1 FROM answers WHERE bucket = $1 AND message_id = $2)";
        self.0.read("looking for an answer", async |session| {
            let row = session.query_opt(query, &[&bucket_of(message_id), &big(message_id)]).await?;
            Ok(known("an answer", row)?.try_get(0)?)
        })
    }

    fn answers(&self, take: &mut Take<'_, AnswerRow>) -> Result<(), StoreError> {
        self.walk("reading answers", (-1, String::new(), String::new()), &answers, take)
    }

    fn policies(&self, take: &mut Take<'_, LinkedPolicy>) -> Result<(), StoreError> {
        self.walk("reading policies", BEFORE_NUMBERS, &policies, take)
    }

    fn facts(&self, take: &mut Take<'_, FactRow>) -> Result<(), StoreError> {
        self.walk("reading recoveries", BEFORE_NUMBERS, &recoveries, take)?;
        self.walk("reading auctions' stages", (-1, String::new(), 0), &stages, take)
    }

    fn events(&self, take: &mut Take<'_, EventRow>) -> Result<(), StoreError> {
        self.walk("reading events", (-1, 0, 0), &events, take)
    }

    fn documents(&self, take: &mut Take<'_, DocumentEvidence>) -> Result<(), StoreError> {
        self.walk("reading documents", BEFORE_NUMBERS, &documents, take)
    }

    fn notices(&self, take: &mut Take<'_, NoticeEvidence>) -> Result<(), StoreError> {
        self.walk("reading notices", BEFORE_NUMBERS, &notices, take)
    }

    fn conflicts(&self, take: &mut Take<'_, ConflictEvidence>) -> Result<(), StoreError> {
        self.walk("reading contradictions", BEFORE_NUMBERS, &conflicts, take)
    }

    fn unfound(&self, policies: &[Parties]) -> Result<Vec<Parties>, StoreError> {
        let mut unfound = Vec::new();
        for piece in policies.chunks(unfound::PIECE) {
            let context = "looking for policies' parties";
            unfound.extend(self.0.read(context, async |session| unfound::in_events(session, piece).await)?);
        }
        Ok(unfound)
    }

    /// Policies that are in no run, though their events are.
    fn lost(&self, take: &mut Take<'_, Vec<Parties>>) -> Result<(), StoreError> {
        let head = self.0.read("reading how far runs go", async |session| people::head(session).await)?;
        let mut from = 1;
        while from < head {
            let context = "looking for policies in runs";
            take(self.0.read(context, async |session| unfound::in_runs(session, from, head).await)?)?;
            from = unfound::next(from);
        }
        Ok(())
    }

    fn stuck_subjects(&self) -> Result<Vec<String>, StoreError> {
        let query = "SELECT subject FROM ( \
                       SELECT subject, (array_agg(state ORDER BY ordinal))[1] AS first, count(due_ms) AS active \
                       FROM notices WHERE state IN ('pending', 'dead') GROUP BY bucket, subject) q \
                     WHERE first = 'pending' AND active = 0 ORDER BY subject";
        self.0.read("looking for queues that are stuck", async |session| {
            let rows = session.query(query, &[]).await?;
            rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
        })
    }
}
