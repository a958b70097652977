//! Queueing notices in the transaction of their cause.

use std::collections::{BTreeMap, HashMap, HashSet};

use baoqiao_domain::notice::NoticeKind;
use baoqiao_domain::policy_number::SequenceBlock;
use jiff::Timestamp;

use super::connection::{Failure, Session};
use super::rows::{big, bucket_of, known, millis};
use super::writer::bulk;
use crate::ledger::store::Writes;
use crate::outbox::store::NoticeRow;
use baoqiao_domain::bucket::Bucket;

/// A notice with its numbers.
struct Queued<'a> {
    row: &'a NoticeRow,
    bucket: i16,
    id: u64,
    ordinal: i64,
    /// Whether no other of this batch is before it on its subject.
    is_first: bool,
}

fn is_webhook(row: &NoticeRow) -> bool {
    row.kind == NoticeKind::Webhook.as_str()
}

/// Notices of an endpoint follow the order of the feed, which is not known yet: they wait for it beside their events.
pub(super) async fn queue_webhooks(session: &Session, writes: &Writes) -> Result<(), Failure> {
    let insert = "INSERT INTO webhooks_pending (bucket, message_id, place, subject, partner, kind, content) \
                  SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::smallint[], $4::text[], $5::text[], \
                                       $6::text[], $7::bytea[])";
    let mut places: HashMap<(u64, &str), i16> = HashMap::new();
    let mut rows = Vec::new();
    for row in writes.notices.iter().filter(|row| is_webhook(row)) {
        let cause = row.cause_message_id.unwrap_or_default();
        let place = places.entry((cause, &row.subject)).or_default();
        rows.push((cause, *place, row));
        *place += 1;
    }
    bulk!(session, insert, &rows, |(cause, place, row)| {
        bucket: bucket_of(*cause),
        message_id: big(*cause),
        place: *place,
        subject: row.subject.as_str(),
        partner: row.partner.as_str(),
        kind: row.kind,
        content: row.content.as_bytes(),
    })?;
    Ok(())
}

/// Queues the notices of a batch, in the bucket of their cause.
pub(super) async fn queue(session: &Session, writes: &Writes, numbers: &mut SequenceBlock) -> Result<(), Failure> {
    let rows: Vec<(i16, &NoticeRow)> = writes
        .notices
        .iter()
        .filter(|row| !is_webhook(row))
        .map(|row| (bucket_of(row.cause_message_id.unwrap_or_default()), row))
        .collect();
    insert(session, &rows, writes.at, numbers).await
}

/// Queues notices, each in a bucket, in order; inside a transaction.
pub(super) async fn insert(
    session: &Session,
    rows: &[(i16, &NoticeRow)],
    at: Timestamp,
    numbers: &mut SequenceBlock,
) -> Result<(), Failure> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut ordinals = lock_queues(session, rows).await?;
    let mut seen = HashSet::new();
    let mut queued = Vec::with_capacity(rows.len());
    for (bucket, row) in rows {
        let number = known("a block of notice numbers", numbers.take())?;
        let tag = Bucket::new(u16::try_from(*bucket).unwrap_or_default()).unwrap_or_default();
        let ordinal = known("a queue", ordinals.get_mut(&(*bucket, row.subject.clone())))?;
        let is_first = seen.insert((*bucket, row.subject.as_str()));
        queued.push(Queued { row, bucket: *bucket, id: tag.tag(number), ordinal: *ordinal, is_first });
        *ordinal += 1;
    }
    let insert = "INSERT INTO notices (bucket, id, subject, ordinal, kind, partner, content, cause_message_id, \
                                       created_ms, due_ms) \
                  SELECT u.bucket, u.id, u.subject, u.ordinal, u.kind, u.partner, u.content, u.cause, u.at, \
                    CASE WHEN u.is_first AND NOT EXISTS (SELECT FROM notices n WHERE n.bucket = u.bucket \
                      AND n.subject = u.subject AND n.state IN ('pending', 'dead')) THEN u.at END \
                  FROM unnest($1::smallint[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::text[], \
                              $7::bytea[], $8::bigint[], $9::bigint[], $10::boolean[]) \
                    AS u (bucket, id, subject, ordinal, kind, partner, content, cause, at, is_first)";
    let at_ms = millis(at);
    bulk!(session, insert, &queued, |queued| {
        bucket: queued.bucket,
        id: big(queued.id),
        subject: queued.row.subject.as_str(),
        ordinal: queued.ordinal,
        kind: queued.row.kind,
        partner: queued.row.partner.as_str(),
        content: queued.row.content.as_bytes(),
        cause: queued.row.cause_message_id.map(big),
        at: at_ms,
        is_first: queued.is_first,
    })?;
    Ok(())
}

/// Locks the queues of the subjects, and tells the first ordinal of each that is free for these rows.
async fn lock_queues(session: &Session, rows: &[(i16, &NoticeRow)]) -> Result<HashMap<(i16, String), i64>, Failure> {
    let mut counts: BTreeMap<(i16, &str), i64> = BTreeMap::new();
    for (bucket, row) in rows {
        *counts.entry((*bucket, &row.subject)).or_default() += 1;
    }
    let upsert = "INSERT INTO notice_queues (bucket, subject, last_ordinal) \
                  SELECT * FROM unnest($1::smallint[], $2::text[], $3::bigint[]) \
                  ON CONFLICT (bucket, subject) \
                  DO UPDATE SET last_ordinal = notice_queues.last_ordinal + excluded.last_ordinal \
                  RETURNING bucket, subject, last_ordinal";
    let buckets: Vec<i16> = counts.keys().map(|(bucket, _)| *bucket).collect();
    let subjects: Vec<&str> = counts.keys().map(|(_, subject)| *subject).collect();
    let numbers: Vec<i64> = counts.values().copied().collect();
    let mut first = HashMap::new();
    for row in session.query(upsert, &[&buckets, &subjects, &numbers]).await? {
        let (bucket, subject, last): (i16, String, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let count = counts.get(&(bucket, subject.as_str())).copied().unwrap_or(0);
        first.insert((bucket, subject), last - count + 1);
    }
    Ok(first)
}
