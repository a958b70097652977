//! Figures in SQLite.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::console::SqliteConsole;
use super::lists::optional_instant;
use super::rows::{json, known, millis, to_json};
use crate::ledger::lists::PolicyPlace;
use crate::ledger::store::StoreError;
use crate::statistics::store::{Backlog, Bounded, FigureStore, IssuedRow, Oddities};
use crate::statistics::{Calls, MinuteRow};

/// What a query counts that looks for one row more than `limit`.
fn bounded(connection: &Connection, query: &str, since: i64, limit: u64) -> rusqlite::Result<Bounded> {
    let query = format!("SELECT count(*) FROM ({query} LIMIT ?2)");
    let found: u64 = connection.prepare_cached(&query)?.query_row(params![since, limit + 1], |row| row.get(0))?;
    Ok(Bounded::of(found, limit))
}

/// Among the open ones: by the state alone, SQLite would look through the delivered ones for them.
const PENDING: &str = "SELECT created_ms FROM notices INDEXED BY notices_open \
                       WHERE state IN ('pending', 'dead') AND state = 'pending'";

fn backlog(connection: &Connection, limit: u64) -> rusqlite::Result<Backlog> {
    let query = format!("SELECT count(*), min(created_ms) FROM ({PENDING} LIMIT ?)");
    let (found, oldest): (u64, _) = connection
        .prepare_cached(&query)?
        .query_row([limit + 1], |row| Ok((row.get(0)?, optional_instant(row, 1)?)))?;
    Ok(Backlog {
        pending: Bounded::of(found, limit),
        oldest,
        dead: bounded(connection, "SELECT 1 FROM notices WHERE state = 'dead' AND id > ?1", 0, limit)?,
    })
}

fn oddities(connection: &Connection, since: Timestamp, limit: u64) -> rusqlite::Result<Oddities> {
    // Message numbers rise with time, and so the newest of each kind are looked at, and only while they are new enough.
    let conflicts = "SELECT 1 FROM (SELECT message_id FROM conflicts ORDER BY message_id DESC LIMIT ?2) c \
                     JOIN messages m ON m.id = c.message_id WHERE m.received_ms >= ?1";
    let unmatched = "SELECT 1 FROM (SELECT recorded_ms FROM recoveries WHERE unmatched IS NOT NULL \
                     ORDER BY message_id DESC LIMIT ?2) WHERE recorded_ms >= ?1";
    let discrepant = "SELECT 1 FROM (SELECT recorded_ms FROM recoveries WHERE discrepancies <> '[]' \
                      ORDER BY message_id DESC LIMIT ?2) WHERE recorded_ms >= ?1";
    let since = millis(since);
    Ok(Oddities {
        conflicts: bounded(connection, conflicts, since, limit)?,
        unmatched: bounded(connection, unmatched, since, limit)?,
        discrepant: bounded(connection, discrepant, since, limit)?,
    })
}

fn minute_row(row: &Row<'_>) -> rusqlite::Result<MinuteRow> {
    Ok(MinuteRow {
        minute: row.get(0)?,
        node: row.get(1)?,
        interface: row.get(2)?,
        calls: Calls {
            accepted: row.get(3)?,
            replayed: row.get(4)?,
            conflicting: row.get(5)?,
            refused: row.get(6)?,
            disbelieved: row.get(7)?,
        },
        latency: json(row, 8)?,
    })
}

impl FigureStore for SqliteConsole {
    fn issued(&self, after: PolicyPlace, before: Timestamp, limit: usize) -> Result<Vec<IssuedRow>, StoreError> {
        let query = "SELECT issued_ms, sequence, premium_of_cny FROM policies \
                     WHERE (issued_ms, sequence) > (?, ?) AND issued_ms < ? ORDER BY issued_ms, sequence LIMIT ?";
        let read = |row: &Row<'_>| {
            Ok(IssuedRow {
                place: PolicyPlace { issued_ms: row.get(0)?, sequence: row.get(1)? },
                premium_of_cny: known(2, row.get::<_, String>(2)?.parse().ok())?,
            })
        };
        self.read("counting what was issued", |connection| {
            let parameters = params![after.issued_ms, after.sequence, millis(before), limit];
            connection.prepare_cached(query)?.query_map(parameters, read)?.collect()
        })
    }

    fn backlog(&self, limit: u64) -> Result<Backlog, StoreError> {
        self.read("counting what waits", |connection| backlog(connection, limit))
    }

    fn oddities(&self, since: Timestamp, limit: u64) -> Result<Oddities, StoreError> {
        self.read("counting what is odd", |connection| oddities(connection, since, limit))
    }

    fn minutes(&self, from: i64) -> Result<Vec<MinuteRow>, StoreError> {
        let query = "SELECT minute, node, interface, accepted, replayed, conflicting, refused, disbelieved, latency \
                     FROM call_minutes WHERE minute >= ?";
        self.read("reading figures", |connection| {
            connection.prepare_cached(query)?.query_map([from], minute_row)?.collect()
        })
    }

    fn write_minutes(&self, rows: &[MinuteRow], keep_from: i64) -> Result<(), StoreError> {
        let insert = "INSERT OR REPLACE INTO call_minutes (minute, node, interface, accepted, replayed, conflicting, \
                      refused, disbelieved, latency) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
        self.write("writing figures", false, |transaction| {
            transaction.execute("DELETE FROM call_minutes WHERE minute < ?", [keep_from])?;
            let mut statement = transaction.prepare_cached(insert)?;
            for row in rows {
                let calls = &row.calls;
                statement.execute(params![
                    row.minute,
                    row.node,
                    row.interface,
                    calls.accepted,
                    calls.replayed,
                    calls.conflicting,
                    calls.refused,
                    calls.disbelieved,
                    to_json(&row.latency)?,
                ])?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::sqlite::lists::tests::steps;

    #[test]
    fn what_waits_is_counted_among_the_open_ones() {
        assert_eq!(steps(PENDING, Vec::new()), "SCAN notices USING INDEX notices_open");
    }
}
