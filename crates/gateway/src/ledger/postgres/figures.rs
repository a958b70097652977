//! Figures in PostgreSQL.

use jiff::Timestamp;
use tokio_postgres::Row;

use super::connection::{Failure, Parameter, Session};
use super::console::PostgresConsole;
use super::rows::{big, known, millis, number, optional_instant, parsed};
use crate::ledger::lists::PolicyPlace;
use crate::ledger::store::StoreError;
use crate::statistics::store::{Backlog, Bounded, FigureStore, IssuedRow, Oddities};
use crate::statistics::{Calls, MinuteRow};

/// What was counted by a query that looks for one row more than `limit`.
fn bounded(found: i64, limit: u64) -> Bounded {
    Bounded::of(u64::try_from(found).unwrap_or_default(), limit)
}

async fn backlog(session: &Session, limit: u64) -> Result<Backlog, Failure> {
    let pending = "SELECT count(*), min(created_ms) FROM ( \
                   SELECT created_ms FROM notices WHERE state = 'pending' LIMIT $1) x";
    let dead = "SELECT count(*) FROM (SELECT 1 FROM notices WHERE state = 'dead' LIMIT $1) x";
    let one_more = big(limit).saturating_add(1);
    let pending = known("a count", session.query_opt(pending, &[&one_more]).await?)?;
    let dead = known("a count", session.query_opt(dead, &[&one_more]).await?)?;
    Ok(Backlog {
        pending: bounded(pending.try_get(0)?, limit),
        oldest: optional_instant(&pending, 1)?,
        dead: bounded(dead.try_get(0)?, limit),
    })
}

async fn oddities(session: &Session, since: Timestamp, limit: u64) -> Result<Oddities, Failure> {
    let conflicts = "SELECT count(*) FROM (SELECT verdict FROM messages \
                       WHERE verdict <> 'accepted' AND received_ms >= $1 ORDER BY received_ms DESC LIMIT $2) x \
                     WHERE verdict = 'conflicting'";
    let unmatched = "SELECT count(*) FROM (SELECT recorded_ms FROM recoveries WHERE unmatched IS NOT NULL \
                       ORDER BY message_id DESC LIMIT $2) x WHERE recorded_ms >= $1";
    let discrepant = "SELECT count(*) FROM (SELECT recorded_ms FROM recoveries WHERE discrepancies <> '[]' \
                        ORDER BY message_id DESC LIMIT $2) x WHERE recorded_ms >= $1";
    let (since, one_more) = (millis(since), big(limit).saturating_add(1));
    let count = async |query: &'static str| -> Result<Bounded, Failure> {
        let row = known("a count", session.query_opt(query, &[&since, &one_more]).await?)?;
        Ok(bounded(row.try_get(0)?, limit))
    };
    Ok(Oddities {
        conflicts: count(conflicts).await?,
        unmatched: count(unmatched).await?,
        discrepant: count(discrepant).await?,
    })
}

fn minute_row(row: &Row) -> Result<MinuteRow, Failure> {
    Ok(MinuteRow {
        minute: row.try_get(0)?,
        node: row.try_get(1)?,
        interface: row.try_get(2)?,
        calls: Calls {
            accepted: number(row, 3)?,
            replayed: number(row, 4)?,
            conflicting: number(row, 5)?,
            refused: number(row, 6)?,
            disbelieved: number(row, 7)?,
        },
        latency: known("latencies", serde_json::from_str(row.try_get(8)?).ok())?,
    })
}

async fn write_minute(session: &Session, row: &MinuteRow) -> Result<(), Failure> {
    let upsert = "INSERT INTO call_minutes (minute, node, interface, accepted, replayed, conflicting, refused, \
                    disbelieved, latency) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
                  ON CONFLICT (minute, node, interface) DO UPDATE SET accepted = excluded.accepted, \
                    replayed = excluded.replayed, conflicting = excluded.conflicting, refused = excluded.refused, \
                    disbelieved = excluded.disbelieved, latency = excluded.latency";
    let calls = &row.calls;
    let counts = [calls.accepted, calls.replayed, calls.conflicting, calls.refused, calls.disbelieved].map(big);
    let [accepted, replayed, conflicting, refused, disbelieved] = &counts;
    let latency = known("latencies", serde_json::to_string(&row.latency).ok())?;
    let values: [Parameter<'_>; 9] =
        [&row.minute, &row.node, &row.interface, accepted, replayed, conflicting, refused, disbelieved, &latency];
    session.execute(upsert, &values).await?;
    Ok(())
}

impl FigureStore for PostgresConsole {
    fn issued(&self, after: PolicyPlace, before: Timestamp, limit: usize) -> Result<Vec<IssuedRow>, StoreError> {
        let query = "SELECT issued_ms, sequence, premium_of_cny FROM policies \
                     WHERE (issued_ms, sequence) > ($1, $2) AND issued_ms < $3 ORDER BY issued_ms, sequence LIMIT $4";
        self.read("counting what was issued", async |session| {
            let (sequence, before) = (big(after.sequence), millis(before));
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = session.query(query, &[&after.issued_ms, &sequence, &before, &limit]).await?;
            let read = |row: &Row| {
                let place = PolicyPlace { issued_ms: row.try_get(0)?, sequence: number(row, 1)? };
                Ok(IssuedRow { place, premium_of_cny: parsed(row, 2)? })
            };
            rows.iter().map(read).collect()
        })
    }

    fn backlog(&self, limit: u64) -> Result<Backlog, StoreError> {
        self.read("counting what waits", async |session| backlog(session, limit).await)
    }

    fn oddities(&self, since: Timestamp, limit: u64) -> Result<Oddities, StoreError> {
        self.read("counting what is odd", async |session| oddities(session, since, limit).await)
    }

    fn minutes(&self, from: i64) -> Result<Vec<MinuteRow>, StoreError> {
        let query = "SELECT minute, node, interface, accepted, replayed, conflicting, refused, disbelieved, latency \
                     FROM call_minutes WHERE minute >= $1";
        self.read("reading figures", async |session| {
            session.query(query, &[&from]).await?.iter().map(minute_row).collect()
        })
    }

    fn write_minutes(&self, rows: &[MinuteRow], keep_from: i64) -> Result<(), StoreError> {
        self.write("writing figures", async |session| {
            session.batch("SET LOCAL synchronous_commit = off").await?;
            session.execute("DELETE FROM call_minutes WHERE minute < $1", &[&keep_from]).await?;
            for row in rows {
                write_minute(session, row).await?;
            }
            Ok(())
        })
    }
}
