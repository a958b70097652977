//! The outbox in PostgreSQL, for the workers of any number of gateways.
//!
//! Whoever closes a notice or queues one locks the queue of its subject first. Nothing here waits for the disk, except
//! what a person asks for and what lets the next notice of a subject go: what a crash of the database takes back only
//! lets notices be sent again, and never one after its successor.

use std::collections::HashSet;
use std::sync::Arc;

use baoqiao_domain::bucket::Bucket;
use baoqiao_domain::policy_number::{PolicyNumber, SequenceBlock};
use jiff::Timestamp;
use tokio_postgres::Row;

use super::connection::{Connection, Failure, Parameter, Session};
use super::notices;
use super::rows::{big, bucket_number, bucket_of, instant, known, millis, number, optional_instant, sealed};
use super::settings::Settings;
use super::writer::{bulk, set_numbers_aside};
use crate::ledger::store::StoreError;
use crate::outbox::store::{
    AttemptVerdict, Claimed, Finished, Next, NoticeRow, NoticeState, OutboxStore, Resent, Skipped, Turn, Turned, Want,
};
use crate::vault::Sealed;

/// PostgreSQL as the outbox's store.
pub struct PostgresOutbox {
    connection: Connection,
    numbers: SequenceBlock,
}

/// What an ended attempt makes of its notice.
struct Moved {
    state: NoticeState,
    due_ms: Option<i64>,
    counts: bool,
}

impl Moved {
    fn by(next: Next) -> Self {
        let (state, due_ms, counts) = match next {
            Next::Delivered => (NoticeState::Delivered, None, true),
            Next::RetryAt(at) => (NoticeState::Pending, Some(millis(at)), true),
            Next::SlowedUntil(at) => (NoticeState::Pending, Some(millis(at)), false),
            Next::Dead => (NoticeState::Dead, None, true),
        };
        Self { state, due_ms, counts }
    }
}

/// An attempt with its number among those at its notice.
struct Numbered<'a> {
    done: &'a Finished,
    number: i32,
    late: bool,
}

type Queue = (i16, String);

impl PostgresOutbox {
    pub(super) fn new(settings: Arc<Settings>) -> Result<Self, StoreError> {
        Ok(Self { connection: Connection::new(settings)?, numbers: SequenceBlock::default() })
    }
}

/// Locks the queues of these notices, in the order of their keys.
async fn lock_queues_of(session: &Session, ids: &[u64]) -> Result<(), Failure> {
    let lock = "SELECT FROM notice_queues q WHERE (q.bucket, q.subject) IN ( \
                  SELECT n.bucket, n.subject FROM unnest($1::smallint[], $2::bigint[]) AS w (bucket, id) \
                  JOIN notices n ON n.bucket = w.bucket AND n.id = w.id) \
                ORDER BY q.bucket, q.subject FOR UPDATE";
    let buckets: Vec<i16> = ids.iter().map(|id| bucket_of(*id)).collect();
    let numbers: Vec<i64> = ids.iter().map(|id| big(*id)).collect();
    session.query(lock, &[&buckets, &numbers]).await?;
    Ok(())
}

/// Makes the first open notice of each subject its active one, unless another is under way or the first is dead; tells
/// whether there was any.
async fn advance(session: &Session, queues: &HashSet<Queue>, at: Timestamp) -> Result<bool, Failure> {
    let stand_back = "UPDATE notices n SET due_ms = NULL FROM unnest($1::smallint[], $2::text[]) AS w (bucket, subject) \
                      CROSS JOIN LATERAL (SELECT f.id FROM notices f WHERE f.bucket = w.bucket \
                        AND f.subject = w.subject AND f.state IN ('pending', 'dead') ORDER BY f.ordinal LIMIT 1) first \
                      WHERE n.bucket = w.bucket AND n.subject = w.subject AND n.due_ms IS NOT NULL \
                        AND n.lease_owner IS NULL AND n.id <> first.id";
    let activate = "UPDATE notices n SET due_ms = $3 FROM unnest($1::smallint[], $2::text[]) AS w (bucket, subject) \
                    CROSS JOIN LATERAL (SELECT f.id, f.state FROM notices f WHERE f.bucket = w.bucket \
                      AND f.subject = w.subject AND f.state IN ('pending', 'dead') ORDER BY f.ordinal LIMIT 1) first \
                    WHERE n.bucket = w.bucket AND n.id = first.id AND first.state = 'pending' AND NOT EXISTS ( \
                      SELECT FROM notices a WHERE a.bucket = w.bucket AND a.subject = w.subject \
                        AND a.due_ms IS NOT NULL)";
    if queues.is_empty() {
        return Ok(false);
    }
    let (buckets, subjects): (Vec<i16>, Vec<&str>) =
        queues.iter().map(|(bucket, subject)| (*bucket, subject.as_str())).unzip();
    session.execute(stand_back, &[&buckets, &subjects]).await?;
    Ok(session.execute(activate, &[&buckets, &subjects, &millis(at)]).await? > 0)
}

/// Records attempts and moves their notices on; returns the ids of those whose lease had run out, so that nothing moved.
async fn record(session: &Session, turn: &Turn<'_>) -> Result<Vec<u64>, Failure> {
    if turn.finished.is_empty() {
        return Ok(Vec::new());
    }
    lock_queues_of(session, &turn.finished.iter().map(|done| done.id).collect::<Vec<_>>()).await?;
    let mut moved = moved(session, turn).await?;
    let mut attempts = Vec::with_capacity(turn.finished.len());
    let mut queues = HashSet::new();
    let mut late = Vec::new();
    for done in turn.finished {
        let found = moved.iter().position(|(id, leased_ms, ..)| (*id, *leased_ms) == (done.id, millis(done.leased_at)));
        if let Some((_, _, number, subject)) = found.map(|at| moved.swap_remove(at)) {
            queues.insert((bucket_of(done.id), subject));
            attempts.push(Numbered { done, number, late: false });
        } else {
            let number = count_attempt(session, done.id).await?;
            attempts.push(Numbered { done, number, late: true });
            late.push(done.id);
        }
    }
    write_attempts(session, &attempts).await?;
    if advance(session, &queues, turn.now).await? {
        session.batch(SYNCED).await?;
    }
    Ok(late)
}

/// The notices that moved: id, moment of the lease, number of the attempt, subject.
async fn moved(session: &Session, turn: &Turn<'_>) -> Result<Vec<(u64, i64, i32, String)>, Failure> {
    let update = "UPDATE notices n SET state = u.state, due_ms = u.due_ms, lease_owner = NULL, leased_ms = NULL, \
                    closed_ms = CASE WHEN u.state = 'pending' THEN NULL ELSE $9::bigint END, \
                    attempts = n.attempts + 1, tries = n.tries + CASE WHEN u.counts THEN 1 ELSE 0 END, \
                    first_try_ms = CASE WHEN u.counts THEN coalesce(n.first_try_ms, u.started_ms) \
                                        ELSE n.first_try_ms END \
                  FROM unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::boolean[], \
                              $7::bigint[]) AS u (bucket, id, leased_ms, state, due_ms, counts, started_ms) \
                  WHERE n.bucket = u.bucket AND n.id = u.id AND n.lease_owner = $8 AND n.leased_ms = u.leased_ms \
                    AND n.state = 'pending' \
                  RETURNING n.id, u.leased_ms, n.attempts, n.subject";
    let moves: Vec<Moved> = turn.finished.iter().map(|done| Moved::by(done.next)).collect();
    let buckets: Vec<i16> = turn.finished.iter().map(|done| bucket_of(done.id)).collect();
    let ids: Vec<i64> = turn.finished.iter().map(|done| big(done.id)).collect();
    let leases: Vec<i64> = turn.finished.iter().map(|done| millis(done.leased_at)).collect();
    let states: Vec<&str> = moves.iter().map(|moved| moved.state.as_str()).collect();
    let dues: Vec<Option<i64>> = moves.iter().map(|moved| moved.due_ms).collect();
    let counts: Vec<bool> = moves.iter().map(|moved| moved.counts).collect();
    let starts: Vec<i64> = turn.finished.iter().map(|done| millis(done.started_at)).collect();
    let parameters: [Parameter<'_>; 9] =
        [&buckets, &ids, &leases, &states, &dues, &counts, &starts, &turn.owner, &millis(turn.now)];
    let rows = session.query(update, &parameters).await?;
    rows.iter().map(|row| Ok((number(row, 0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?))).collect()
}

async fn count_attempt(session: &Session, id: u64) -> Result<i32, Failure> {
    let update = "UPDATE notices SET attempts = attempts + 1 WHERE bucket = $1 AND id = $2 RETURNING attempts";
    let row = session.query_opt(update, &[&bucket_of(id), &big(id)]).await?;
    Ok(known("a notice", row)?.try_get(0)?)
}

async fn write_attempts(session: &Session, attempts: &[Numbered<'_>]) -> Result<(), Failure> {
    let insert = "INSERT INTO attempts (bucket, notice_id, number, started_ms, duration_ms, verdict, detail, response, \
                                        late) \
                  SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::integer[], $4::bigint[], $5::bigint[], \
                                       $6::text[], $7::text[], $8::bytea[], $9::boolean[])";
    bulk!(session, insert, attempts, |attempt| {
        bucket: bucket_of(attempt.done.id),
        id: big(attempt.done.id),
        number: attempt.number,
        started_ms: millis(attempt.done.started_at),
        duration_ms: big(attempt.done.duration_ms),
        verdict: attempt.done.verdict.as_str(),
        // What the other side said may be told in it, and PostgreSQL's text holds every character but one.
        detail: attempt.done.detail.replace('\0', "\u{FFFD}"),
        response: attempt.done.response.as_ref().map(Sealed::as_bytes),
        late: attempt.late,
    })?;
    Ok(())
}

/// Leases what is due of one partner.
async fn claim(session: &Session, turn: &Turn<'_>, want: &Want<'_>) -> Result<Vec<Claimed>, Failure> {
    let find = "SELECT id, due_ms, leased_ms FROM notices WHERE partner = $1 AND due_ms <= $2 \
                ORDER BY due_ms, id LIMIT $3 FOR UPDATE SKIP LOCKED";
    let limit = i64::try_from(want.limit).unwrap_or(i64::MAX);
    let rows = session.query(find, &[&want.partner, &millis(turn.now), &limit]).await?;
    let mut candidates: Vec<(u64, i64)> = Vec::with_capacity(rows.len());
    for row in &rows {
        let id = number(row, 0)?;
        if let Some(leased_at) = optional_instant(row, 2)? {
            lose(session, id, leased_at, turn.now).await?;
        }
        candidates.push((id, row.try_get(1)?));
    }
    // The due time tells whether it is still as it was found.
    let lease = "UPDATE notices n SET lease_owner = $4, leased_ms = $5, due_ms = $6 \
                 FROM unnest($1::smallint[], $2::bigint[], $3::bigint[]) AS u (bucket, id, due_ms) \
                 WHERE n.bucket = u.bucket AND n.id = u.id AND n.due_ms = u.due_ms AND n.state = 'pending' \
                 RETURNING n.id, n.kind, n.subject, n.partner, n.content, n.tries, n.first_try_ms";
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let buckets: Vec<i16> = candidates.iter().map(|(id, _)| bucket_of(*id)).collect();
    let ids: Vec<i64> = candidates.iter().map(|(id, _)| big(*id)).collect();
    let dues: Vec<i64> = candidates.iter().map(|(_, due_ms)| *due_ms).collect();
    let parameters: [Parameter<'_>; 6] =
        [&buckets, &ids, &dues, &turn.owner, &millis(turn.now), &millis(want.lease_until)];
    let rows = session.query(lease, &parameters).await?;
    let mut claimed = rows.iter().map(|row| claimed(row, turn.now)).collect::<Result<Vec<_>, _>>()?;
    let order = |id: u64| candidates.iter().position(|(candidate, _)| *candidate == id);
    claimed.sort_by_key(|claimed| order(claimed.id));
    Ok(claimed)
}

fn claimed(row: &Row, now: Timestamp) -> Result<Claimed, Failure> {
    Ok(Claimed {
        id: number(row, 0)?,
        kind: row.try_get(1)?,
        subject: row.try_get(2)?,
        partner: row.try_get(3)?,
        content: sealed(row, 4)?,
        leased_at: known("a moment", Timestamp::from_millisecond(millis(now)).ok())?,
        tries: known("a count", u32::try_from(row.try_get::<_, i32>(5)?).ok())?,
        first_try: optional_instant(row, 6)?,
    })
}

/// Notes an attempt of which nothing was heard before its lease ran out.
async fn lose(session: &Session, id: u64, leased_at: Timestamp, now: Timestamp) -> Result<(), Failure> {
    let update = "UPDATE notices SET attempts = attempts + 1, tries = tries + 1, \
                    first_try_ms = coalesce(first_try_ms, $3) WHERE bucket = $1 AND id = $2 RETURNING attempts";
    let row = session.query_opt(update, &[&bucket_of(id), &big(id), &millis(leased_at)]).await?;
    let number: i32 = known("a notice", row)?.try_get(0)?;
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
    write_attempts(session, &[Numbered { done: &lost, number, late: false }]).await
}

async fn next_due(session: &Session, partner: &str) -> Result<Option<Timestamp>, Failure> {
    let query = "SELECT due_ms FROM notices WHERE partner = $1 AND due_ms IS NOT NULL ORDER BY due_ms LIMIT 1";
    let row = session.query_opt(query, &[&partner]).await?;
    row.map(|row| instant(&row, 0)).transpose()
}

/// Where a notice stands, for a person's order about it.
struct Standing {
    subject: String,
    state: NoticeState,
    leased: bool,
}

async fn standing(session: &Session, id: u64) -> Result<Option<Standing>, Failure> {
    let query = "SELECT subject, state, lease_owner IS NOT NULL FROM notices WHERE bucket = $1 AND id = $2 FOR UPDATE";
    let Some(row) = session.query_opt(query, &[&bucket_of(id), &big(id)]).await? else { return Ok(None) };
    let state = known("a notice's state", NoticeState::from_name(row.try_get(1)?))?;
    Ok(Some(Standing { subject: row.try_get(0)?, state, leased: row.try_get(2)? }))
}

async fn resend_one(session: &Session, id: u64, now: Timestamp, resent: &mut Resent) -> Result<(), Failure> {
    let Some(standing) = standing(session, id).await? else { return Ok(()) };
    if standing.leased {
        resent.under_way += 1;
        return Ok(());
    }
    // One that is active stays so, and is due now.
    let reopen = "UPDATE notices SET state = 'pending', closed_ms = NULL, tries = 0, first_try_ms = NULL, \
                    due_ms = CASE WHEN due_ms IS NULL THEN NULL ELSE $3::bigint END WHERE bucket = $1 AND id = $2";
    session.execute(reopen, &[&bucket_of(id), &big(id), &millis(now)]).await?;
    advance(session, &HashSet::from([(bucket_of(id), standing.subject)]), now).await?;
    let is_active = "SELECT due_ms IS NOT NULL FROM notices WHERE bucket = $1 AND id = $2";
    let row = session.query_opt(is_active, &[&bucket_of(id), &big(id)]).await?;
    if known("a notice", row)?.try_get(0)? {
        resent.due += 1;
    } else {
        resent.waiting += 1;
    }
    Ok(())
}

async fn skip_one(session: &Session, id: u64, now: Timestamp, sum: &mut Skipped) -> Result<(), Failure> {
    match standing(session, id).await? {
        None => {}
        Some(Standing { leased: true, .. }) => sum.under_way += 1,
        Some(Standing { state: NoticeState::Delivered | NoticeState::Skipped, .. }) => sum.closed += 1,
        Some(Standing { subject, .. }) => {
            let skip = "UPDATE notices SET state = 'skipped', due_ms = NULL, closed_ms = $3 \
                        WHERE bucket = $1 AND id = $2";
            session.execute(skip, &[&bucket_of(id), &big(id), &millis(now)]).await?;
            advance(session, &HashSet::from([(bucket_of(id), subject)]), now).await?;
            sum.skipped += 1;
        }
    }
    Ok(())
}

/// What a person has asked for is on the disk before it is said to be done, and what lets a notice go before that goes.
const SYNCED: &str = "SET LOCAL synchronous_commit = on";

/// The bucket of a subject's queue: that of its policy, or of the name of whatever else it is.
pub(super) fn queue_bucket(subject: &str) -> i16 {
    let policy = subject.strip_prefix("policy:").and_then(|number| number.parse::<PolicyNumber>().ok());
    let name = subject.strip_prefix("auction:").unwrap_or(subject);
    bucket_number(policy.map_or_else(|| Bucket::of_key(name), |number| number.bucket()))
}

impl OutboxStore for PostgresOutbox {
    fn queue(&mut self, rows: &[NoticeRow], at: Timestamp) -> Result<(), StoreError> {
        let Self { connection, numbers } = self;
        let context = "queueing notices";
        let needed = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        connection.run(context, async |session| set_numbers_aside(session, numbers, needed).await)?;
        let placed: Vec<(i16, &NoticeRow)> = rows.iter().map(|row| (queue_bucket(&row.subject), row)).collect();
        let taken = connection.transact(context, async |session| {
            session.batch(SYNCED).await?;
            let mut taken = numbers.clone();
            notices::insert(session, &placed, at, &mut taken).await?;
            Ok(taken)
        })?;
        *numbers = taken;
        Ok(())
    }

    fn next_due(&mut self, partners: &[&str]) -> Result<Vec<Option<Timestamp>>, StoreError> {
        self.connection.run("looking for due notices", async |session| {
            let mut found = Vec::with_capacity(partners.len());
            for partner in partners {
                found.push(next_due(session, partner).await?);
            }
            Ok(found)
        })
    }

    fn turn(&mut self, turn: &Turn<'_>) -> Result<Turned, StoreError> {
        self.connection.transact("recording and claiming notices", async |session| {
            let mut turned = Turned { late: record(session, turn).await?, ..Turned::default() };
            for want in turn.wants {
                if want.limit > 0 {
                    turned.claimed.extend(claim(session, turn, want).await?);
                }
                turned.next_due.push(next_due(session, want.partner).await?);
            }
            Ok(turned)
        })
    }

    fn bring_forward(&mut self, partner: &str, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let find = "SELECT bucket, id FROM notices WHERE partner = $1 AND due_ms > $2 AND lease_owner IS NULL \
                    ORDER BY due_ms LIMIT $3";
        let update = "UPDATE notices n SET due_ms = $3 FROM unnest($1::smallint[], $2::bigint[]) AS w (bucket, id) \
                      WHERE n.bucket = w.bucket AND n.id = w.id AND n.due_ms > $3 AND n.lease_owner IS NULL";
        self.connection.transact("making notices due", async |session| {
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = session.query(find, &[&partner, &millis(now), &limit]).await?;
            let found: Vec<(i16, i64)> =
                rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_, Failure>>()?;
            let (buckets, ids): (Vec<i16>, Vec<i64>) = found.into_iter().unzip();
            let updated = session.execute(update, &[&buckets, &ids, &millis(now)]).await?;
            Ok(usize::try_from(updated).unwrap_or(usize::MAX))
        })
    }

    fn resend(&mut self, ids: &[u64], now: Timestamp) -> Result<Resent, StoreError> {
        self.connection.transact("sending notices again", async |session| {
            session.batch(SYNCED).await?;
            lock_queues_of(session, ids).await?;
            let mut resent = Resent::default();
            for id in ids {
                resend_one(session, *id, now, &mut resent).await?;
            }
            Ok(resent)
        })
    }

    fn skip(&mut self, ids: &[u64], now: Timestamp) -> Result<Skipped, StoreError> {
        self.connection.transact("skipping notices", async |session| {
            session.batch(SYNCED).await?;
            lock_queues_of(session, ids).await?;
            let mut sum = Skipped::default();
            for id in ids {
                skip_one(session, *id, now, &mut sum).await?;
            }
            Ok(sum)
        })
    }
}
