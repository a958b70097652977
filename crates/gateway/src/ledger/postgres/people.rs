//! The blind index: by which digest of a person which policy is found.
//!
//! Digests are in no order, and a row for each, with its place in an index of them all, was half of what the server did
//! for a policy. So a policy's digests lie together in the row of the event that it was issued, which is written
//! anyhow. When a run of events has got its positions, all their digests are sorted, and those of each bucket become
//! one row. (Issuing became half as fast again; `docs/performance.md` has the figures.)
//!
//! An event has no position, then it has one, then it is in a run; it leaves each place only as it comes to the next,
//! and its row stays for ever. A search looks through the places in that order, and so misses nobody.

use std::collections::BTreeMap;

use baoqiao_domain::bucket::{BUCKETS, Bucket};
use baoqiao_domain::policy_number::PolicyNumber;
use tokio_postgres::Row;

use super::connection::{Failure, Session};
use super::rows::{big, bucket_number, bucket_of, known, number, parsed};
use super::writer::bulk;
use crate::ledger::newest::Newest;
use crate::ledger::verification::evidence::Parties;
use crate::vault::BlindIndex;

/// How many events make a run.
///
/// A search goes through what is in no run yet, and through its bucket's row of every run: at ten million policies of
/// thirteen digests, 1,200 rows of 2.5 KB.
pub(super) const RUN: i64 = 8_192;
/// How many policies shared a segment of `people`, as a power of two.
const SEGMENT_BITS: u32 = 18;
/// How many rows of runs are held at once. A row is long where one person takes part in all of its policies.
const ROWS_AT_ONCE: i64 = 64;

pub(super) const DIGEST_BYTES: usize = 16;
const ENTRY_BYTES: usize = 24;

/// The digests of a policy's parties as they lie in one row; `None` where there are none.
pub(super) fn together(people: &[BlindIndex]) -> Option<Vec<u8>> {
    (!people.is_empty()).then(|| people.iter().flat_map(|person| person.0).collect())
}

/// The bucket of a digest: its first ten bits.
pub(super) fn bucket_of_digest(digest: [u8; DIGEST_BYTES]) -> i16 {
    let [first, second, ..] = digest;
    i16::try_from(u16::from_be_bytes([first, second]) >> 6).unwrap_or_default()
}

/// A policy as one number, which rises with its sequence.
pub(super) fn tagged(policy_no: &PolicyNumber) -> u64 {
    policy_no.bucket().tag(policy_no.sequence())
}

/// The entries of each bucket for these policies and their digests.
fn entries(policies: &[(PolicyNumber, &[u8])]) -> BTreeMap<i16, Vec<u8>> {
    let digests = |(policy_no, people): &(PolicyNumber, &[u8])| {
        let policy = tagged(policy_no);
        let (digests, _) = people.as_chunks::<DIGEST_BYTES>();
        digests.iter().map(|digest| (*digest, policy)).collect::<Vec<_>>()
    };
    let mut sorted: Vec<([u8; DIGEST_BYTES], u64)> = policies.iter().flat_map(digests).collect();
    sorted.sort_unstable();
    let mut buckets: BTreeMap<i16, Vec<u8>> = BTreeMap::new();
    for (digest, policy) in sorted {
        let entries = buckets.entry(bucket_of_digest(digest)).or_default();
        entries.extend(digest);
        entries.extend(policy.to_be_bytes());
    }
    buckets
}

/// The policies of a person among a row's entries.
fn policies_in(entries: &[u8], person: BlindIndex) -> impl Iterator<Item = u64> {
    entries_of(entries).filter_map(move |(found, policy)| (found == person).then_some(policy))
}

/// A row's entries: digests, each with its policy.
pub(super) fn entries_of(entries: &[u8]) -> impl Iterator<Item = (BlindIndex, u64)> {
    let (entries, _) = entries.as_chunks::<ENTRY_BYTES>();
    entries.iter().filter_map(|entry| {
        let (digest, policy) = entry.split_first_chunk()?;
        Some((BlindIndex(*digest), u64::from_be_bytes(*policy.first_chunk()?)))
    })
}

/// A row of `people`.
pub(super) struct RowOfBefore {
    pub(super) bucket: i16,
    pub(super) segment: i32,
    pub(super) digest: [u8; DIGEST_BYTES],
    pub(super) sequence: i64,
}

/// The rows of `people` by which policies are found by these parties.
pub(super) fn rows_of_before(policies: &[Parties]) -> Vec<RowOfBefore> {
    let rows = policies.iter().flat_map(|parties| {
        let number = &parties.policy_no;
        parties.people.iter().map(|person| RowOfBefore {
            bucket: bucket_number(number.bucket()),
            segment: i32::try_from(number.sequence() >> SEGMENT_BITS).unwrap_or(i32::MAX),
            digest: person.0,
            sequence: big(number.sequence()),
        })
    });
    rows.collect()
}

/// The policies of the events between two positions, with the digests of their parties and the messages that they were
/// issued on.
pub(super) const ISSUED_BETWEEN: &str = "SELECT e.policy_no, e.people, f.message_id \
    FROM (SELECT message_id, place FROM feed WHERE position >= $1 AND position < $2) f \
    JOIN events e ON e.bucket = (f.message_id % 1024)::smallint AND e.message_id = f.message_id AND e.place = f.place \
    WHERE e.people IS NOT NULL";

/// Puts the digests of the next run of events into the index, where so many have their positions; inside a transaction.
pub(super) async fn index(session: &Session, run: i64) -> Result<(), Failure> {
    let head = session.query_opt("SELECT next FROM people_head FOR UPDATE", &[]).await?;
    let first: i64 = known("the people's head", head)?.try_get(0)?;
    let next = session.query_opt("SELECT next FROM feed_head", &[]).await?;
    let end = first + run;
    // Another gateway may have been quicker.
    if known("the feed's head", next)?.try_get::<_, i64>(0)? < end {
        return Ok(());
    }
    let rows = session.query(ISSUED_BETWEEN, &[&first, &end]).await?;
    let read = |row: &Row| Ok((parsed(row, 0)?, row.try_get::<_, Vec<u8>>(1)?));
    let policies = rows.iter().map(read).collect::<Result<Vec<(PolicyNumber, Vec<u8>)>, Failure>>()?;
    let policies: Vec<_> = policies.iter().map(|(number, people)| (number.clone(), people.as_slice())).collect();
    let buckets: Vec<(i16, Vec<u8>)> = entries(&policies).into_iter().collect();
    let insert = "INSERT INTO people_runs (bucket, run, entries) \
                  SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[])";
    bulk!(session, insert, &buckets, |(bucket, entries)| {
        bucket: *bucket,
        run: first,
        entries: entries.as_slice(),
    })?;
    session.execute("UPDATE people_head SET next = $1", &[&end]).await?;
    Ok(())
}

/// Up to which position events are in runs.
pub(super) async fn head(session: &Session) -> Result<i64, Failure> {
    let head = session.query_opt("SELECT next FROM people_head", &[]).await?;
    Ok(known("the people's head", head)?.try_get(0)?)
}

/// The buckets and sequences of a person's policies, at most `limit`: those with the highest sequences.
pub(super) async fn find(session: &Session, person: BlindIndex, limit: usize) -> Result<(Vec<i16>, Vec<i64>), Failure> {
    let mut newest = Newest::new(limit);
    // Read before anything else: what is in no run later on is at this position or behind it.
    let first = head(session).await?;
    newest.add(fresh(session, person, first).await?);
    let query = "SELECT run, entries FROM people_runs WHERE bucket = $1 AND run < $2 AND position($3::bytea IN entries) > 0 \
                 ORDER BY run DESC LIMIT $4";
    let mut before = Some(i64::MAX);
    while let Some(run) = before {
        let digest = person.0.as_slice();
        let rows = session.query(query, &[&bucket_of_digest(person.0), &run, &digest, &ROWS_AT_ONCE]).await?;
        for row in &rows {
            newest.add(policies_in(row.try_get(1)?, person));
        }
        let is_full = i64::try_from(rows.len()).is_ok_and(|rows| rows >= ROWS_AT_ONCE);
        before = rows.last().filter(|_| is_full).map(|row| row.try_get(0)).transpose()?;
    }
    newest.add(of_before(session, person, limit).await?);
    Ok(newest.into_iter().map(|policy| (bucket_of(policy), big(policy / u64::from(BUCKETS)))).unzip())
}

/// What is in no run: events without a position, and events from a position on. No table is ever gone through for them:
/// each event is looked up.
async fn fresh(session: &Session, person: BlindIndex, first: i64) -> Result<Vec<u64>, Failure> {
    let query = "SELECT e.policy_no \
                 FROM (SELECT message_id, place FROM feed_pending \
                       UNION ALL SELECT message_id, place FROM feed WHERE position >= $1) f \
                 CROSS JOIN LATERAL (SELECT e.policy_no, e.people FROM events e \
                   WHERE e.bucket = (f.message_id % 1024)::smallint AND e.message_id = f.message_id \
                     AND e.place = f.place OFFSET 0) e \
                 WHERE position($2::bytea IN e.people) > 0";
    let rows = session.query(query, &[&first, &person.0.as_slice()]).await?;
    rows.iter().map(|row| Ok(tagged(&parsed(row, 0)?))).collect()
}

/// What is in `people`, a row a digest: earlier versions put it there, and `baoqiao reindex`.
async fn of_before(session: &Session, person: BlindIndex, limit: usize) -> Result<Vec<u64>, Failure> {
    let any = session.query_opt("SELECT EXISTS (SELECT FROM people)", &[]).await?;
    if !known("the people of before", any)?.try_get::<_, bool>(0)? {
        return Ok(Vec::new());
    }
    let next = session.query_opt("SELECT next FROM number_blocks WHERE name = 'policy'", &[]).await?;
    let next: i64 = next.map(|row| row.try_get(0)).transpose()?.unwrap_or(0);
    let segments = i32::try_from(next >> SEGMENT_BITS).unwrap_or(i32::MAX);
    let query = "SELECT i.bucket, i.policy_sequence FROM generate_series(0, $2::integer) AS s (segment) \
                 CROSS JOIN generate_series(0, 1023) AS b (bucket) \
                 CROSS JOIN LATERAL (SELECT i.bucket, i.policy_sequence FROM people i WHERE i.bucket = b.bucket \
                   AND i.segment = s.segment AND i.digest = $1 OFFSET 0) i \
                 ORDER BY i.policy_sequence DESC LIMIT $3";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = session.query(query, &[&person.0.as_slice(), &segments, &limit]).await?;
    let read = |row: &Row| {
        let bucket = u16::try_from(row.try_get::<_, i16>(0)?).ok().and_then(Bucket::new);
        Ok(known("a bucket", bucket)?.tag(number(row, 1)?))
    };
    rows.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_found_among_the_entries_of_a_run_and_nobody_by_chance() {
        let number = |bucket, sequence| {
            let at = "2026-01-02T03:04:05Z".parse().unwrap();
            PolicyNumber::new(&"PBDI".parse().unwrap(), at, Bucket::new(bucket).unwrap(), sequence)
        };
        let (one, two) = (BlindIndex([0xff; 16]), BlindIndex(*b"a digest of two."));
        let (both, second) = (together(&[two, one]).unwrap(), together(&[two]).unwrap());
        let buckets = entries(&[(number(1_023, 70_000), &both), (number(3, 9), &second)]);
        let found = |person: BlindIndex| -> Vec<(u64, i16)> {
            let entries = buckets.get(&bucket_of_digest(person.0)).map_or(&[][..], Vec::as_slice);
            policies_in(entries, person).map(|policy| (policy / u64::from(BUCKETS), bucket_of(policy))).collect()
        };
        assert_eq!(buckets.keys().copied().collect::<Vec<_>>(), [bucket_of_digest(two.0), 1_023]);
        assert_eq!(found(one), [(70_000, 1_023)]);
        assert_eq!(found(two), [(9, 3), (70_000, 1_023)]);
        // The end of one entry and the beginning of the next are nobody's digest.
        let across: [u8; 16] = buckets[&bucket_of_digest(two.0)][12..28].try_into().unwrap();
        assert_eq!(policies_in(&buckets[&bucket_of_digest(two.0)], BlindIndex(across)).count(), 0);
        assert_eq!(together(&[]), None);
    }
}
