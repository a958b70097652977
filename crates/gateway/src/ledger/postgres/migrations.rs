//! The ledger's schema, versioned and forward only: each step runs once, in a transaction of its own, whichever gateway
//! comes first.
//!
//! Gateways of the version before go on working beside a step, and so a step only adds: a rolling restart loses nothing.

use super::connection::{Connection, Failure, Session};
use super::rows::known;
use crate::ledger::store::StoreError;
use crate::ledger::version::mismatch;

/// Every step, in order; the number of steps is the schema's version. Steps are added, never changed.
pub(super) const STEPS: &[&str] = &[
    include_str!("migrations/0001_ledger.sql"),
    include_str!("migrations/0002_figures.sql"),
    include_str!("migrations/0003_provider.sql"),
    include_str!("migrations/0004_probe.sql"),
    include_str!("migrations/0005_people.sql"),
    include_str!("migrations/0006_ended.sql"),
    include_str!("migrations/0007_skipped.sql"),
    include_str!("migrations/0008_attempts.sql"),
];

/// What makes it quicker where the database knows it, and what the ledger can do without.
const TUNING: [&str; 10] = [
    // Sealed bytes and digests do not compress: trying costs a third of what writing them does.
    "ALTER TABLE messages ALTER COLUMN request SET STORAGE EXTERNAL, ALTER COLUMN reply SET STORAGE EXTERNAL",
    "ALTER TABLE answers ALTER COLUMN content SET STORAGE EXTERNAL, ALTER COLUMN outcome SET STORAGE EXTERNAL",
    "ALTER TABLE documents ALTER COLUMN pdf SET STORAGE EXTERNAL",
    "ALTER TABLE events ALTER COLUMN people SET STORAGE EXTERNAL",
    "ALTER TABLE people_runs ALTER COLUMN entries SET STORAGE EXTERNAL",
    // Rows of which two fit on a page stay whole: taking one apart costs another third.
    "ALTER TABLE messages SET (toast_tuple_target = 4064)",
    "ALTER TABLE answers SET (toast_tuple_target = 4064)",
    "ALTER TABLE people_runs SET (toast_tuple_target = 4064)",
    // Rows that live for milliseconds: what they leave behind is to be cleared often.
    "ALTER TABLE feed_pending SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000)",
    "ALTER TABLE webhooks_pending SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000)",
];

const OPENING: &str = "opening the ledger";
const CONTEXT: &str = "migrating the ledger";
/// Whoever waits to change a table makes everybody who writes to it wait. Behind a dump that would be for hours: rather
/// does the gateway not start.
const BRIEFLY: &str = "SET LOCAL lock_timeout = '2s'";

/// Brings the schema up to date.
pub(super) fn run(connection: &mut Connection) -> Result<(), StoreError> {
    migrate(connection, STEPS)
}

/// Whether any step has been taken.
pub(super) fn exist(connection: &mut Connection) -> Result<bool, StoreError> {
    Ok(connection.run(OPENING, async |session| version(session).await)? > 0)
}

/// Checks that a ledger which is only read has the schema that this program reads.
pub(super) fn is_current(connection: &mut Connection) -> Result<(), StoreError> {
    let found = connection.run(OPENING, async |session| version(session).await)?;
    let known = STEPS.len();
    if found == known {
        return Ok(());
    }
    let reason = match found {
        0 => "there is no ledger in this database yet; `baoqiao serve` makes it".to_owned(),
        _ => mismatch(found, known),
    };
    Err(StoreError { context: "checking the ledger's version", reason })
}

pub(super) fn migrate(connection: &mut Connection, steps: &[&str]) -> Result<(), StoreError> {
    let table = "CREATE TABLE IF NOT EXISTS schema_version ( \
                   only_one smallint PRIMARY KEY CHECK (only_one = 1), version integer NOT NULL)";
    let row = "INSERT INTO schema_version (only_one, version) VALUES (1, 0) ON CONFLICT DO NOTHING";
    connection.run(CONTEXT, async |session| {
        // Two gateways that make it at the same moment get in each other's way; the second finds it made.
        match session.batch(table).await {
            Err(_) if exists(session).await? => {}
            made => made?,
        }
        session.batch(row).await
    })?;
    let found = connection.run(CONTEXT, async |session| version(session).await)?;
    if found > steps.len() {
        return Err(StoreError { context: CONTEXT, reason: mismatch(found, steps.len()) });
    }
    for (index, step) in steps.iter().enumerate().skip(found) {
        connection.transact(CONTEXT, async |session| {
            // Another gateway may have taken the step while this one waited for the row.
            let lock = "SELECT version FROM schema_version FOR UPDATE";
            let at: i32 = known("the schema's version", session.query_opt(lock, &[]).await?)?.try_get(0)?;
            if usize::try_from(at) == Ok(index) {
                session.batch(BRIEFLY).await?;
                session.batch(step).await?;
                let next = at + 1;
                session.execute("UPDATE schema_version SET version = $1", &[&next]).await?;
            }
            Ok(())
        })?;
    }
    if found < steps.len() {
        connection.run(CONTEXT, async |session| {
            for statement in TUNING {
                // Statements that are sent together are one transaction.
                if let Err(Failure::Database(error)) = session.batch(&format!("{BRIEFLY}; {statement}")).await {
                    tracing::debug!(%error, "the database does not know how to be tuned");
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

async fn exists(session: &Session) -> Result<bool, Failure> {
    let query = "SELECT to_regclass('schema_version') IS NOT NULL";
    Ok(known("a table", session.query_opt(query, &[]).await?)?.try_get(0)?)
}

async fn version(session: &Session) -> Result<usize, Failure> {
    if !exists(session).await? {
        return Ok(0);
    }
    let row = session.query_opt("SELECT version FROM schema_version", &[]).await?;
    match row {
        Some(row) => known("the schema's version", usize::try_from(row.try_get::<_, i32>(0)?).ok()),
        None => Ok(0),
    }
}
