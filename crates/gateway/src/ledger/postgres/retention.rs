//! Forgetting in PostgreSQL. Any number of gateways may do it at once: what is gone is gone for all.

use jiff::Timestamp;
use tokio_postgres::Row;

use super::connection::{Connection, Failure, Session};
use super::rows::{big, bucket_of, instant, millis, number};
use crate::ledger::retention::{Retention, whole};
use crate::ledger::store::StoreError;

/// PostgreSQL as it forgets.
pub struct PostgresRetention(pub(super) Connection);

/// The keys of rows: their buckets, and their numbers.
type Keys = (Vec<i16>, Vec<i64>);

fn keys(rows: &[Row]) -> Result<Keys, Failure> {
    let read = |row: &Row| Ok((row.try_get::<_, i16>(0)?, row.try_get::<_, i64>(1)?));
    rows.iter().map(read).collect()
}

fn limited(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Found first and deleted by their keys: so each deletion goes to its bucket.
async fn forget_messages(session: &Session, before: Timestamp, limit: usize) -> Result<usize, Failure> {
    let find = "SELECT bucket, id FROM messages WHERE received_ms < $1 ORDER BY received_ms, id LIMIT $2";
    let delete = "DELETE FROM messages m USING unnest($1::smallint[], $2::bigint[]) AS d (bucket, id) \
                  WHERE m.bucket = d.bucket AND m.id = d.id";
    let found = session.query(find, &[&millis(before), &limited(limit)]).await?;
    let (buckets, ids) = keys(&found)?;
    session.execute(delete, &[&buckets, &ids]).await?;
    // Those that another gateway was quicker to forget count as well: there may be more.
    Ok(found.len())
}

/// The closed notices whose attempts are there, in the words of their index.
pub(super) const FIND: &str = "SELECT id, (attempts - attempts_forgotten)::bigint FROM notices \
                               WHERE state IN ('delivered', 'skipped') AND attempts > attempts_forgotten \
                                 AND closed_ms < $1 \
                               ORDER BY closed_ms LIMIT $2 FOR UPDATE SKIP LOCKED";

/// Inside a transaction. What somebody else works on (another gateway that forgets, a person's order) is left to the next
/// round: nobody waits for anybody.
async fn forget_attempts(session: &Session, before: Timestamp, limit: usize) -> Result<usize, Failure> {
    let delete = "DELETE FROM attempts a USING unnest($1::smallint[], $2::bigint[]) AS d (bucket, id) \
                  WHERE a.bucket = d.bucket AND a.notice_id = d.id";
    let note = "UPDATE notices n SET attempts_forgotten = n.attempts \
                FROM unnest($1::smallint[], $2::bigint[]) AS d (bucket, id) WHERE n.bucket = d.bucket AND n.id = d.id";
    let rows = session.query(FIND, &[&millis(before), &limited(limit)]).await?;
    let read = |row: &Row| Ok((number(row, 0)?, usize::try_from(number(row, 1)?).unwrap_or(usize::MAX)));
    let found = whole(rows.iter().map(read).collect::<Result<_, Failure>>()?, limit);
    let buckets: Vec<i16> = found.iter().map(|id| bucket_of(*id)).collect();
    let ids: Vec<i64> = found.iter().map(|id| big(*id)).collect();
    session.execute(delete, &[&buckets, &ids]).await?;
    session.execute(note, &[&buckets, &ids]).await?;
    Ok(found.len())
}

impl Retention for PostgresRetention {
    fn newest_message(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let query = "SELECT received_ms FROM messages ORDER BY received_ms DESC, id DESC LIMIT 1";
        self.0.run("reading the newest message", async |session| {
            session.query_opt(query, &[]).await?.map(|row| instant(&row, 0)).transpose()
        })
    }

    fn forget_messages(&mut self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.0.run("forgetting messages", async |session| forget_messages(session, before, limit).await)
    }

    fn forget_attempts(&mut self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.0.transact("forgetting attempts", async |session| forget_attempts(session, before, limit).await)
    }
}
