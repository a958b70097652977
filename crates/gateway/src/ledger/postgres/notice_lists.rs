//! Looking through the outbox in PostgreSQL.

use tokio_postgres::Row;

use super::connection::{Failure, Parameter, Session};
use super::lists::List;
use super::outbox::queue_bucket;
use super::reader::PostgresReader;
use super::rows::{big, bucket_of, instant, known, number, optional_instant, optional_number, sealed};
use super::sequencer::FEED_BUCKET;
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
         CASE WHEN n.state = 'pending' AND n.due_ms IS NULL THEN coalesce( \
           (SELECT b.id FROM notices b WHERE b.bucket = n.bucket AND b.subject = n.subject AND b.due_ms IS NOT NULL), \
           (SELECT b.id FROM notices b WHERE b.bucket = n.bucket AND b.subject = n.subject \
              AND b.state IN ('pending', 'dead') ORDER BY b.ordinal LIMIT 1)) END, \
         CASE WHEN n.state = 'dead' OR n.due_ms IS NOT NULL THEN (SELECT count(*) FROM ( \
           SELECT 1 FROM notices w WHERE w.bucket = n.bucket AND w.subject = n.subject \
             AND w.state IN ('pending', 'dead') AND w.state = 'pending' AND w.due_ms IS NULL \
             AND w.ordinal > n.ordinal LIMIT {MAX_WAITING} + 1) w) ELSE 0 END"
    )
}

const LAST_ATTEMPT: &str =
    "LEFT JOIN attempts a ON a.bucket = n.bucket AND a.notice_id = n.id AND a.number = n.attempts";

/// The active notice of each subject, and the dead one of each that has no active one; of either no more than one call's
/// share is looked at.
fn heads() -> String {
    format!(
        "(SELECT bucket, id FROM notices WHERE due_ms IS NOT NULL LIMIT {MAX_EXAMINED}) \
         UNION ALL SELECT d.bucket, d.id FROM ( \
           SELECT bucket, id, subject, ordinal FROM notices WHERE state = 'dead' ORDER BY id LIMIT {MAX_EXAMINED}) d \
         WHERE NOT EXISTS (SELECT FROM notices b WHERE b.bucket = d.bucket AND b.subject = d.subject \
             AND b.due_ms IS NOT NULL) \
           AND NOT EXISTS (SELECT FROM notices b WHERE b.bucket = d.bucket AND b.subject = d.subject \
             AND b.state IN ('pending', 'dead') AND b.ordinal < d.ordinal)"
    )
}

fn notice_record(row: &Row) -> Result<NoticeRecord, Failure> {
    let last = match row.try_get::<_, Option<&str>>(12)? {
        Some(name) => Some((known("a verdict", AttemptVerdict::from_name(name))?, row.try_get(13)?)),
        None => None,
    };
    Ok(NoticeRecord {
        id: number(row, 0)?,
        kind: row.try_get(1)?,
        subject: row.try_get(2)?,
        partner: row.try_get(3)?,
        content: sealed(row, 4)?,
        cause_message_id: optional_number(row, 5)?,
        created_at: instant(row, 6)?,
        state: known("a notice's state", NoticeState::from_name(row.try_get(7)?))?,
        due_at: optional_instant(row, 8)?,
        leased: row.try_get(9)?,
        attempts: known("a count", u32::try_from(row.try_get::<_, i32>(10)?).ok())?,
        closed_at: optional_instant(row, 11)?,
        last,
        behind: optional_number(row, 14)?,
        waiting: Bounded::of(number(row, 15)?, MAX_WAITING),
    })
}

/// A filter as PostgreSQL is asked for it.
pub(super) struct Wanted<'a> {
    filter: &'a Filter,
    walk: Walk,
    before: i64,
    /// Of the notice before which the list goes on.
    before_bucket: i16,
    /// Where the subject's queue is, if it has one.
    buckets: Vec<i16>,
    state: Option<&'static str>,
}

impl<'a> Wanted<'a> {
    pub(super) async fn new(session: &Session, filter: &'a Filter) -> Result<Self, Failure> {
        let walk = match Walk::of(filter) {
            Walk::Open if !open_are_few(session).await? => Walk::whatever_the_state(filter),
            walk => walk,
        };
        let before = filter.before.unwrap_or(u64::MAX);
        Ok(Self {
            filter,
            walk,
            before: big(before),
            before_bucket: bucket_of(before),
            buckets: vec![FEED_BUCKET, queue_bucket(filter.subject.as_deref().unwrap_or_default())],
            state: filter.state.map(NoticeState::as_str),
        })
    }

    /// What is walked, in the words of its index, and the order, which is the index's: by a partner's equality, PostgreSQL
    /// would take the index of all where it thinks it meets the partner's often enough. A subject's notices have an order
    /// of their own.
    pub(super) fn rows(&self) -> (String, &'static str) {
        let of_subject = "x.bucket = (SELECT q.bucket FROM notice_queues q WHERE q.bucket = ANY ($3) AND q.subject = $2 \
                                      LIMIT 1) \
                          AND x.subject = $2 AND x.ordinal < coalesce((SELECT b.ordinal FROM notices b \
                            WHERE b.bucket = $4 AND b.id = $1 AND b.subject = $2), 9223372036854775807)";
        let terms = match self.walk {
            Walk::Dead => "x.state = 'dead' AND x.id < $1".to_owned(),
            Walk::Skipped => "x.state = 'skipped' AND x.id < $1".to_owned(),
            Walk::Partner => "x.partner >= $2 AND (x.partner, x.id) < ($2, $1)".to_owned(),
            Walk::Kind => "x.kind >= $2 AND (x.kind, x.id) < ($2, $1)".to_owned(),
            Walk::Open | Walk::All => "x.id < $1".to_owned(),
            Walk::Subject => of_subject.to_owned(),
            Walk::OpenOfSubject => format!("{of_subject} AND x.state IN ('pending', 'dead')"),
        };
        let columns = "bucket, id, ordinal, state, kind, partner, subject";
        let notices = match self.walk {
            // Apart from the rest, so that no other index is taken for them.
            Walk::Open => format!("(SELECT {columns} FROM notices WHERE state IN ('pending', 'dead') OFFSET 0)"),
            _ => "notices".to_owned(),
        };
        let order = match self.walk {
            Walk::Subject | Walk::OpenOfSubject => "x.ordinal DESC",
            Walk::Partner => "x.partner DESC, x.id DESC",
            Walk::Kind => "x.kind DESC, x.id DESC",
            Walk::Dead | Walk::Skipped | Walk::Open | Walk::All => "x.id DESC",
        };
        (format!("SELECT {columns} FROM {notices} x WHERE {terms}"), order)
    }

    /// What [`rows`](Self::rows) is given.
    pub(super) fn of_rows(&self) -> Vec<Parameter<'_>> {
        let Filter { subject, partner, kind, .. } = self.filter;
        match self.walk {
            Walk::Dead | Walk::Skipped | Walk::Open | Walk::All => vec![&self.before],
            Walk::Partner => vec![&self.before, partner],
            Walk::Kind => vec![&self.before, kind],
            Walk::Subject | Walk::OpenOfSubject => {
                vec![&self.before, subject, &self.buckets, &self.before_bucket]
            }
        }
    }

    async fn slice<T>(
        &self,
        session: &Session,
        (columns, joined): (&str, &str),
        limit: usize,
        read: impl Fn(&Row) -> Result<(u64, T), Failure>,
    ) -> Result<Slice<T, u64>, Failure> {
        let (rows, order) = self.rows();
        let mut parameters = self.of_rows();
        let of_rows = parameters.len();
        let Filter { subject, partner, kind, .. } = self.filter;
        parameters.extend([&self.state as Parameter<'_>, kind, partner, subject]);
        let names = ["state", "kind", "partner", "subject"].iter().zip(of_rows + 1..);
        let fits = names.map(|(name, at)| format!("(${at}::text IS NULL OR x.{name} = ${at})"));
        let fits = fits.collect::<Vec<_>>().join(" AND ");
        let list = List {
            rows,
            examined: MAX_EXAMINED,
            fits: &fits,
            columns,
            joined,
            order,
            place: "x.id",
            parameters,
            of_rows,
        };
        list.slice(session, limit, read, |row| number(row, 0)).await
    }
}

async fn open_are_few(session: &Session) -> Result<bool, Failure> {
    let query = "SELECT count(*) FROM (SELECT FROM notices WHERE state IN ('pending', 'dead') LIMIT $1) x";
    let limit = i64::try_from(MAX_EXAMINED).unwrap_or(i64::MAX);
    let found: i64 = known("a count", session.query_opt(query, &[&(limit + 1)]).await?)?.try_get(0)?;
    Ok(found <= limit)
}

/// The newest notices that fit.
async fn list(session: &Session, filter: &Filter, limit: usize) -> Result<Slice<NoticeRecord, u64>, Failure> {
    let joined = format!("JOIN notices n ON n.bucket = x.bucket AND n.id = x.id {LAST_ATTEMPT}");
    let read = |row: &Row| notice_record(row).map(|record| (record.id, record));
    Wanted::new(session, filter).await?.slice(session, (&record_columns(), &joined), limit, read).await
}

/// One notice.
async fn notice(session: &Session, id: u64) -> Result<Option<NoticeRecord>, Failure> {
    let query = format!("SELECT {} FROM notices n {LAST_ATTEMPT} WHERE n.bucket = $1 AND n.id = $2", record_columns());
    let rows = session.query_once(&query, &[&bucket_of(id), &big(id)]).await?;
    rows.first().map(notice_record).transpose()
}

/// The first open notice of each subject, the oldest first.
async fn queues(session: &Session, limit: usize) -> Result<Vec<NoticeRecord>, Failure> {
    let query = format!(
        "SELECT {} FROM (SELECT h.bucket, h.id FROM ({}) h ORDER BY h.id LIMIT {limit}) h \
         JOIN notices n ON n.bucket = h.bucket AND n.id = h.id {LAST_ATTEMPT} ORDER BY n.id",
        record_columns(),
        heads()
    );
    session.query_once(&query, &[]).await?.iter().map(notice_record).collect()
}

/// The attempts at a notice.
async fn attempts(session: &Session, id: u64) -> Result<Vec<AttemptRecord>, Failure> {
    let query = "SELECT number, started_ms, duration_ms, verdict, detail, response, late FROM attempts \
                 WHERE bucket = $1 AND notice_id = $2 ORDER BY number";
    let read = |row: &Row| {
        Ok(AttemptRecord {
            number: known("a count", u32::try_from(row.try_get::<_, i32>(0)?).ok())?,
            started_at: instant(row, 1)?,
            duration_ms: number(row, 2)?,
            verdict: known("a verdict", AttemptVerdict::from_name(row.try_get(3)?))?,
            detail: row.try_get(4)?,
            response: row.try_get::<_, Option<Vec<u8>>>(5)?.map(Sealed::from_stored),
            late: row.try_get(6)?,
        })
    };
    session.query(query, &[&bucket_of(id), &big(id)]).await?.iter().map(read).collect()
}

impl Notices for PostgresReader {
    fn list(&self, filter: &Filter, limit: usize) -> Result<Slice<NoticeRecord, u64>, StoreError> {
        self.0.read("listing notices", async |session| list(session, filter, limit).await)
    }

    fn ids(&self, filter: &Filter) -> Result<Slice<u64, u64>, StoreError> {
        let read = |row: &Row| number(row, 0).map(|id| (id, id));
        self.0.read("counting notices", async |session| {
            Wanted::new(session, filter).await?.slice(session, ("x.id", ""), MAX_EXAMINED, read).await
        })
    }

    fn show(&self, id: u64) -> Result<Option<(NoticeRecord, Vec<AttemptRecord>)>, StoreError> {
        self.0.read("reading a notice", async |session| {
            let Some(record) = notice(session, id).await? else { return Ok(None) };
            Ok(Some((record, attempts(session, id).await?)))
        })
    }

    fn queues(&self, limit: usize) -> Result<Vec<NoticeRecord>, StoreError> {
        self.0.read("reading queues", async |session| queues(session, limit).await)
    }
}
