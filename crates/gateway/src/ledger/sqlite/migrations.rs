//! The ledger's schema, versioned and forward only: each step runs once, at start, in a transaction of its own.

use rusqlite::{Connection, TransactionBehavior};

use super::{StoreError, failed};
use crate::ledger::version::mismatch;

/// Every step, in order; the number of steps is the schema's version. Steps are added, never changed.
const STEPS: &[&str] = &[
    include_str!("migrations/0001_policies.sql"),
    include_str!("migrations/0002_outbox.sql"),
    include_str!("migrations/0003_life.sql"),
    include_str!("migrations/0004_api.sql"),
    include_str!("migrations/0005_operations.sql"),
    include_str!("migrations/0006_console.sql"),
    include_str!("migrations/0007_traffic.sql"),
    include_str!("migrations/0008_deliveries.sql"),
    include_str!("migrations/0009_figures.sql"),
    include_str!("migrations/0010_provider.sql"),
    include_str!("migrations/0011_fresh_people.sql"),
    include_str!("migrations/0012_people_runs.sql"),
    include_str!("migrations/0013_ended.sql"),
    include_str!("migrations/0014_closed_runs.sql"),
    include_str!("migrations/0015_skipped.sql"),
    include_str!("migrations/0016_attempts.sql"),
];

/// Brings the schema up to date.
pub(super) fn run(connection: &mut Connection) -> Result<(), StoreError> {
    migrate(connection, STEPS)
}

/// Makes a ledger as an earlier version left it.
#[cfg(test)]
pub(super) fn run_to(connection: &mut Connection, version: usize) {
    migrate(connection, &STEPS[..version]).unwrap();
}

/// Checks that a ledger which is only read has the schema that this program reads.
pub(super) fn is_current(connection: &Connection) -> Result<(), StoreError> {
    let context = "checking the ledger's version";
    let (found, known) = (version(connection).map_err(|error| failed(context, &error))?, STEPS.len());
    if found == known {
        return Ok(());
    }
    Err(StoreError { context, reason: mismatch(found, known) })
}

fn migrate(connection: &mut Connection, steps: &[&str]) -> Result<(), StoreError> {
    let context = "migrating the ledger";
    let sql = |error: rusqlite::Error| failed(context, &error);
    let found = version(connection).map_err(sql)?;
    if found > steps.len() {
        return Err(StoreError { context, reason: mismatch(found, steps.len()) });
    }
    for (index, step) in steps.iter().enumerate().skip(found) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
        // Another process may have taken the step while this one waited for the lock.
        if version(&transaction).map_err(sql)? == index {
            transaction.execute_batch(step).map_err(sql)?;
            transaction.pragma_update(None, "user_version", index + 1).map_err(sql)?;
        }
        transaction.commit().map_err(sql)?;
    }
    Ok(())
}

fn version(connection: &Connection) -> rusqlite::Result<usize> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_run_once_and_in_order() {
        let mut connection = Connection::open_in_memory().unwrap();
        let steps = ["CREATE TABLE a (x)", "ALTER TABLE a ADD COLUMN y"];
        migrate(&mut connection, &steps[..1]).unwrap();
        migrate(&mut connection, &steps).unwrap();
        migrate(&mut connection, &steps).unwrap();
        assert_eq!(version(&connection).unwrap(), 2);
        connection.execute("INSERT INTO a (x, y) VALUES (1, 2)", []).unwrap();
    }

    #[test]
    fn a_step_that_fails_leaves_nothing_behind() {
        let mut connection = Connection::open_in_memory().unwrap();
        assert!(migrate(&mut connection, &["CREATE TABLE a (x); CREATE TABLE a (x)"]).is_err());
        assert_eq!(version(&connection).unwrap(), 0);
        migrate(&mut connection, &["CREATE TABLE a (x)"]).unwrap();
    }

    #[test]
    fn a_newer_ledger_is_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        assert!(run(&mut connection).unwrap_err().to_string().contains("schema version 99"));
    }
}
