//! The ledger on PostgreSQL, for any number of gateways on one database.
//!
//! The same promises as on the embedded ledger, by other means: where that has one writer, several write here, and what
//! decides between them are primary keys and the states that changes start from. Whoever comes second finds what the
//! first one wrote, and answers by it. `docs/postgresql.md` tells operators how to run it, and on what else it runs.

mod changes;
mod claims;
mod connection;
mod console;
mod evidence;
mod figures;
mod finding;
mod lists;
mod load;
mod migrations;
mod notice_lists;
mod notices;
mod outbox;
mod people;
mod plan;
mod pool;
mod reader;
mod resends;
mod retention;
mod rows;
mod sequencer;
mod settings;
mod unfound;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::PostgresUrl;
use crate::ledger::marks::{self, Marks};
use crate::ledger::store::{Store, StoreError};
use crate::vault::{Sealed, Vault};
use connection::{Connection, Session};
use rows::{known, sealed};
use settings::{Settings, Use};

pub use console::PostgresConsole;
pub use outbox::PostgresOutbox;
pub use reader::PostgresReader;
pub use resends::PostgresResends;
pub use retention::PostgresRetention;
pub use sequencer::{Sequenced, Sequencer};
pub(crate) use settings::is_local;
pub use writer::PostgresStore;

/// A database that holds, or is about to hold, a ledger.
pub struct Postgres {
    writing: Arc<Settings>,
    reading: Arc<Settings>,
    outbox: Arc<Settings>,
    readers: usize,
    lanes: usize,
}

impl Postgres {
    /// Opens the ledger, making and migrating its tables as needed.
    ///
    /// # Errors
    /// When the database is not reached, is of a newer version than this program, or was sealed with other keys.
    pub fn open(url: &PostgresUrl, vault: &Vault) -> Result<Self, StoreError> {
        let mut connection = Connection::patient(Settings::new(url, Use::Maintenance)?)?;
        migrations::run(&mut connection)?;
        marks::check_or_set(&mut KeyCheck(&mut connection), vault)?;
        Self::at(url)
    }

    /// Whether there is a ledger in the database.
    ///
    /// # Errors
    /// When the database is not reached.
    pub fn exists(url: &PostgresUrl) -> Result<bool, StoreError> {
        migrations::exist(&mut Connection::new(Settings::new(url, Use::Reading)?)?)
    }

    /// Opens an existing ledger for reading alone.
    ///
    /// # Errors
    /// When there is none, when it is of another version than this program's, or was sealed with other keys.
    pub fn open_reader(url: &PostgresUrl, vault: &Vault) -> Result<PostgresReader, StoreError> {
        let mut connection = Connection::new(Settings::new(url, Use::Reading)?)?;
        migrations::is_current(&mut connection)?;
        marks::check(&mut KeyCheck(&mut connection), vault)?;
        Ok(Self::at(url)?.reader())
    }

    fn at(url: &PostgresUrl) -> Result<Self, StoreError> {
        Ok(Self {
            writing: Settings::new(url, Use::Writing)?,
            reading: Settings::new(url, Use::Reading)?,
            outbox: Settings::new(url, Use::Outbox)?,
            readers: url.readers,
            lanes: url.lanes,
        })
    }

    /// The writing sides, one for each lane.
    ///
    /// # Errors
    /// When the system gives no means to connect.
    pub fn stores(&self) -> Result<Vec<Box<dyn Store>>, StoreError> {
        let store = |_| Ok(Box::new(PostgresStore::new(Arc::clone(&self.writing))?) as Box<dyn Store>);
        (0..self.lanes.max(1)).map(store).collect()
    }

    /// The reading side.
    pub fn reader(&self) -> PostgresReader {
        PostgresReader::new(Arc::clone(&self.reading), self.readers)
    }

    /// The outbox.
    ///
    /// # Errors
    /// When the system gives no means to connect.
    pub fn outbox(&self) -> Result<PostgresOutbox, StoreError> {
        PostgresOutbox::new(Arc::clone(&self.outbox))
    }

    /// The record of orders to send again.
    ///
    /// # Errors
    /// When the system gives no means to connect.
    pub fn resends(&self) -> Result<PostgresResends, StoreError> {
        Ok(PostgresResends(Connection::new(Arc::clone(&self.writing))?))
    }

    /// What forgets what is old.
    ///
    /// # Errors
    /// When the system gives no means to connect.
    pub fn retention(&self) -> Result<PostgresRetention, StoreError> {
        Ok(PostgresRetention(Connection::new(Arc::clone(&self.writing))?))
    }

    /// The console's users, sessions and audit log.
    ///
    /// # Errors
    /// When the system gives no means to connect.
    pub fn console(&self) -> Result<PostgresConsole, StoreError> {
        PostgresConsole::new(Arc::clone(&self.writing), Arc::clone(&self.reading))
    }

    /// What gives events their places in the feed.
    ///
    /// # Errors
    /// When the system gives no means to connect.
    pub fn sequencer(&self, clock: Arc<dyn Clock>) -> Result<Sequencer, StoreError> {
        Sequencer::new(Arc::clone(&self.writing), clock)
    }
}

/// The mark by which a ledger knows its keys, in the database.
struct KeyCheck<'a>(&'a mut Connection);

impl Marks for KeyCheck<'_> {
    fn stored(&mut self) -> Result<Option<Sealed>, StoreError> {
        let stored = async |session: &Session| {
            let row = session.query_opt("SELECT sealed FROM key_check", &[]).await?;
            row.map(|row| sealed(&row, 0)).transpose()
        };
        self.0.run(marks::CONTEXT, stored)
    }

    fn set(&mut self, mark: &Sealed) -> Result<Sealed, StoreError> {
        // Of two gateways that start on a new ledger at once, the first one's mark stays.
        let insert = "INSERT INTO key_check (only_one, sealed) VALUES (1, $1) ON CONFLICT DO NOTHING";
        self.0.run(marks::CONTEXT, async |session| {
            session.execute(insert, &[&mark.as_bytes()]).await?;
            let row = session.query_opt("SELECT sealed FROM key_check", &[]).await?;
            sealed(&known("the key check", row)?, 0)
        })
    }
}
