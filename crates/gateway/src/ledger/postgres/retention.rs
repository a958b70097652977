//! Forgetting in PostgreSQL. Any number of gateways may do it at once: what is gone is gone for all.

use jiff::Timestamp;
use tokio_postgres::Row;

use super::connection::{Connection, Failure, Session};
use super::rows::{big, instant, millis, number};
use crate::ledger::retention::{Piece, Retention};
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

/// Notices rise with the time of their making, over all gateways, but for blocks of numbers: a block is used up within
/// far less than anything is kept for.
async fn forget_attempts(session: &Session, after: u64, before: Timestamp, limit: usize) -> Result<Piece, Failure> {
    let find = "SELECT bucket, id, created_ms < $2, state IN ('delivered', 'skipped') AND closed_ms < $2 FROM notices \
                WHERE id > $1 ORDER BY id LIMIT $3";
    let delete = "DELETE FROM attempts a USING unnest($1::smallint[], $2::bigint[]) AS d (bucket, id) \
                  WHERE a.bucket = d.bucket AND a.notice_id = d.id";
    let found = session.query(find, &[&big(after), &millis(before), &limited(limit)]).await?;
    let mut next = None;
    let (mut buckets, mut ids) = Keys::default();
    for row in &found {
        if !row.try_get::<_, bool>(2)? {
            next = None;
            break;
        }
        if row.try_get::<_, Option<bool>>(3)?.unwrap_or(false) {
            buckets.push(row.try_get::<_, i16>(0)?);
            ids.push(row.try_get::<_, i64>(1)?);
        }
        next = Some(number(row, 1)?);
    }
    let forgotten = session.execute(delete, &[&buckets, &ids]).await?;
    Ok(Piece { forgotten: usize::try_from(forgotten).unwrap_or(usize::MAX), next })
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

    fn forget_attempts(&mut self, after: u64, before: Timestamp, limit: usize) -> Result<Piece, StoreError> {
        self.0.run("forgetting attempts", async |session| forget_attempts(session, after, before, limit).await)
    }
}
