//! Whether policies are found by their parties: in the row of its event, a policy must have their digests; in its run, the
//! index must have those that are in the rows of its events. What was put back by hand is in `people`.

use std::collections::HashSet;

use tokio_postgres::Row;

use super::connection::{Failure, Session};
use super::people::{self, DIGEST_BYTES, RUN};
use super::rows::{big, bucket_of, known, number};
use super::writer::bulk;
use crate::ledger::verification::evidence::Parties;
use crate::vault::BlindIndex;

/// Policies that are looked up in one statement.
pub(super) const PIECE: usize = 1_000;

/// Those of the policies whose events' rows lack digests of their parties, with those that lack. Where there is no event,
/// that is another matter.
pub(super) async fn in_events(session: &Session, policies: &[Parties]) -> Result<Vec<Parties>, Failure> {
    let query = "SELECT w.n, e.people FROM unnest($1::smallint[], $2::bigint[]) WITH ORDINALITY AS w (bucket, message_id, n) \
                 JOIN events e ON e.bucket = w.bucket AND e.message_id = w.message_id";
    let buckets: Vec<i16> = policies.iter().map(|parties| bucket_of(parties.message_id)).collect();
    let message_ids: Vec<i64> = policies.iter().map(|parties| big(parties.message_id)).collect();
    let rows = session.query(query, &[&buckets, &message_ids]).await?;
    let mut left = Vec::new();
    for row in &rows {
        let place = usize::try_from(number(row, 0)?).ok().and_then(|place| place.checked_sub(1));
        let mut parties = known("a policy's place", place.and_then(|place| policies.get(place)))?.clone();
        // Policies of before have none there.
        let people: Option<&[u8]> = row.try_get(1)?;
        let (digests, _) = people.unwrap_or_default().as_chunks::<DIGEST_BYTES>();
        parties.people.retain(|person| !digests.contains(&person.0));
        left.push(parties);
    }
    without_put_back(session, left).await
}

/// The first position behind those that are looked through with `from`.
pub(super) fn next(from: i64) -> i64 {
    from.saturating_add(RUN)
}

/// The policies of events of a run's length from a position on, up to `head`, of which no run has all the digests that are in
/// their events' rows, with those that lack. No run is longer, so that theirs begin not further off than that.
pub(super) async fn in_runs(session: &Session, from: i64, head: i64) -> Result<Vec<Parties>, Failure> {
    let end = next(from).min(head);
    let read = |row: &Row| {
        let (digests, _) = row.try_get::<_, &[u8]>(1)?.as_chunks();
        let people = digests.iter().copied().map(BlindIndex).collect();
        // An event that names no policy is another matter.
        let policy_no = row.try_get::<_, Option<&str>>(0)?.and_then(|text| text.parse().ok());
        let message_id = number(row, 2)?;
        Ok(policy_no.map(|policy_no| Parties { message_id, policy_no, people }))
    };
    let rows = session.query(people::ISSUED_BETWEEN, &[&from, &end]).await?;
    let left = rows.iter().map(read).collect::<Result<Vec<Option<Parties>>, Failure>>()?;
    let mut left: Vec<Parties> = left.into_iter().flatten().collect();
    let mut in_runs = HashSet::new();
    let query = "SELECT r.bucket, r.entries FROM generate_series(0, 1023) AS b (bucket) \
                 CROSS JOIN LATERAL (SELECT r.bucket, r.entries FROM people_runs r \
                   WHERE r.bucket = b.bucket AND r.run > $1 AND r.run < $2 OFFSET 0) r";
    for row in session.query(query, &[&(from - RUN), &end]).await? {
        let bucket: i16 = row.try_get(0)?;
        // A search looks into the row of the digest's bucket.
        let entries = people::entries_of(row.try_get(1)?);
        in_runs.extend(entries.filter(|(person, _)| people::bucket_of_digest(person.0) == bucket));
    }
    for parties in &mut left {
        let policy = people::tagged(&parties.policy_no);
        parties.people.retain(|person| !in_runs.contains(&(*person, policy)));
    }
    without_put_back(session, left).await
}

/// What is left of the parties without those by whom their policies are found in `people`.
async fn without_put_back(session: &Session, mut left: Vec<Parties>) -> Result<Vec<Parties>, Failure> {
    left.retain(|parties| !parties.people.is_empty());
    if left.is_empty() {
        return Ok(left);
    }
    let query = "SELECT i.policy_sequence, i.digest \
                 FROM unnest($1::smallint[], $2::integer[], $3::bytea[], $4::bigint[]) AS w (bucket, segment, digest, sequence) \
                 JOIN people i ON i.bucket = w.bucket AND i.segment = w.segment AND i.digest = w.digest \
                   AND i.policy_sequence = w.sequence";
    let rows = people::rows_of_before(&left);
    let column = (
        rows.iter().map(|row| row.bucket).collect::<Vec<_>>(),
        rows.iter().map(|row| row.segment).collect::<Vec<_>>(),
        rows.iter().map(|row| row.digest.as_slice()).collect::<Vec<_>>(),
        rows.iter().map(|row| row.sequence).collect::<Vec<_>>(),
    );
    let found = session.query(query, &[&column.0, &column.1, &column.2, &column.3]).await?;
    let read = |row: &Row| Ok((number(row, 0)?, row.try_get::<_, Vec<u8>>(1)?));
    let found = found.iter().map(read).collect::<Result<HashSet<(u64, Vec<u8>)>, Failure>>()?;
    for parties in &mut left {
        let sequence = parties.policy_no.sequence();
        parties.people.retain(|person| !found.contains(&(sequence, person.0.to_vec())));
    }
    left.retain(|parties| !parties.people.is_empty());
    Ok(left)
}

/// Lets policies be found by these parties, as earlier versions did: a row a digest.
pub(super) async fn put_back(session: &Session, policies: &[Parties]) -> Result<(), Failure> {
    let insert = "INSERT INTO people (bucket, segment, digest, policy_sequence) \
                  SELECT * FROM unnest($1::smallint[], $2::integer[], $3::bytea[], $4::bigint[]) ON CONFLICT DO NOTHING";
    let rows = people::rows_of_before(policies);
    bulk!(session, insert, &rows, |row| {
        bucket: row.bucket,
        segment: row.segment,
        digest: row.digest.as_slice(),
        sequence: row.sequence,
    })?;
    Ok(())
}
