//! The configured database, whichever it is, as the parts that the gateway is made of.

use std::path::PathBuf;
use std::sync::Arc;

use super::finding::Finder;
use super::lists::Lists;
use super::names::PeopleIndex;
use super::postgres::{Postgres, PostgresReader, Sequencer};
use super::resends::ResendLog;
use super::retention::Retention;
use super::sqlite::{
    self, Gate, SqliteConsole, SqliteOutbox, SqliteReader, SqliteResends, SqliteRetention, SqliteStore,
};
use super::store::{Reader, Store, StoreError};
use super::verification::evidence::Evidence;
use crate::clock::Clock;
use crate::config::LedgerUrl;
use crate::console::store::ConsoleStore;
use crate::outbox::store::{Notices, OutboxStore};
use crate::statistics::store::FigureStore;
use crate::vault::Vault;

/// A ledger that is open. Everything that its methods make may block, and is not to be used on a thread that drives
/// asynchronous work.
pub enum Backend {
    /// The embedded ledger.
    Sqlite {
        /// Its file.
        path: PathBuf,
        /// Its one writer, until it is taken.
        store: Option<Box<SqliteStore>>,
        /// What every other connection that writes has to pass.
        gate: Gate,
        /// Its readers.
        reader: Arc<SqliteReader>,
    },
    /// A database on a server.
    Postgres {
        /// How it is reached.
        database: Postgres,
        /// Its readers.
        reader: Arc<PostgresReader>,
    },
}

/// The reading sides of a ledger.
pub struct Readers {
    /// Single policies.
    pub reader: Arc<dyn Reader>,
    /// Lists and events.
    pub lists: Arc<dyn Lists>,
    /// The outbox.
    pub notices: Arc<dyn Notices>,
    /// All of it, to be checked.
    pub evidence: Arc<dyn Evidence>,
}

/// What the console asks of a ledger.
pub struct ConsoleTables {
    /// Users, sessions, the audit log.
    pub store: Arc<dyn ConsoleStore>,
    /// Figures.
    pub figures: Arc<dyn FigureStore>,
    /// What is no policy.
    pub finder: Arc<dyn Finder>,
    /// What is put into the blind index afterwards.
    pub names: Arc<dyn PeopleIndex>,
}

impl Backend {
    /// Opens the ledger, making and migrating it as needed.
    ///
    /// # Errors
    /// When it cannot be reached or opened, is newer than this program, or was sealed with other keys.
    pub fn open(url: &LedgerUrl, vault: &Vault) -> Result<Self, StoreError> {
        match url {
            LedgerUrl::Sqlite(path) => {
                let (store, reader) = sqlite::open(path, vault)?;
                let gate = store.gate();
                Ok(Self::Sqlite { path: path.clone(), store: Some(Box::new(store)), gate, reader: Arc::new(reader) })
            }
            LedgerUrl::Postgres(url) => {
                let database = Postgres::open(url, vault)?;
                let reader = Arc::new(database.reader());
                Ok(Self::Postgres { database, reader })
            }
        }
    }

    /// Whether there is a ledger.
    ///
    /// # Errors
    /// When its database cannot be reached.
    pub fn exists(url: &LedgerUrl) -> Result<bool, StoreError> {
        match url {
            LedgerUrl::Sqlite(path) => Ok(path.exists()),
            LedgerUrl::Postgres(url) => Postgres::exists(url),
        }
    }

    /// Opens an existing ledger for reading alone; gateways may be running on it.
    ///
    /// # Errors
    /// As [`open`](Self::open), and when there is none.
    pub fn open_readers(url: &LedgerUrl, vault: &Vault) -> Result<Readers, StoreError> {
        match url {
            LedgerUrl::Sqlite(path) => Ok(readers(Arc::new(sqlite::open_reader(path, vault)?))),
            LedgerUrl::Postgres(url) => Ok(readers(Arc::new(Postgres::open_reader(url, vault)?))),
        }
    }

    /// The writing sides, one for each lane; the embedded ledger's only once.
    ///
    /// # Errors
    /// When the system gives no means to connect.
    pub fn stores(&mut self) -> Result<Vec<Box<dyn Store>>, StoreError> {
        match self {
            Self::Sqlite { path, store, .. } => {
                let expecting = |mut store: Box<SqliteStore>| {
                    store.expect_to_be_alone(path);
                    store as _
                };
                Ok(store.take().map(expecting).into_iter().collect())
            }
            Self::Postgres { database, .. } => database.stores(),
        }
    }

    /// The reading sides.
    pub fn readers(&self) -> Readers {
        match self {
            Self::Sqlite { reader, .. } => readers(Arc::clone(reader)),
            Self::Postgres { reader, .. } => readers(Arc::clone(reader)),
        }
    }

    /// The outbox, on a connection of its own.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn outbox(&self) -> Result<Box<dyn OutboxStore>, StoreError> {
        match self {
            Self::Sqlite { path, gate, .. } => Ok(Box::new(SqliteOutbox::open(path, gate.clone())?)),
            Self::Postgres { database, .. } => Ok(Box::new(database.outbox()?)),
        }
    }

    /// The record of orders to send again, on a connection of its own.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn resends(&self) -> Result<Box<dyn ResendLog>, StoreError> {
        match self {
            Self::Sqlite { path, gate, .. } => Ok(Box::new(SqliteResends::open(path, gate.clone())?)),
            Self::Postgres { database, .. } => Ok(Box::new(database.resends()?)),
        }
    }

    /// What forgets what is old, on a connection of its own.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn retention(&self) -> Result<Box<dyn Retention>, StoreError> {
        match self {
            Self::Sqlite { path, gate, .. } => Ok(Box::new(SqliteRetention::open(path, gate.clone())?)),
            Self::Postgres { database, .. } => Ok(Box::new(database.retention()?)),
        }
    }

    /// What the console asks of a ledger, on connections of its own.
    ///
    /// # Errors
    /// When they cannot be opened.
    pub fn console(&self) -> Result<ConsoleTables, StoreError> {
        match self {
            Self::Sqlite { path, gate, .. } => Ok(tables(Arc::new(SqliteConsole::open(path, gate.clone())?))),
            Self::Postgres { database, .. } => Ok(tables(Arc::new(database.console()?))),
        }
    }

    /// What gives events their places in the feed, where that is not the one writer's own doing.
    ///
    /// # Errors
    /// When the system gives no means to connect.
    pub fn sequencer(&self, clock: Arc<dyn Clock>) -> Result<Option<Sequencer>, StoreError> {
        match self {
            Self::Sqlite { .. } => Ok(None),
            Self::Postgres { database, .. } => database.sequencer(clock).map(Some),
        }
    }
}

fn tables(console: Arc<impl ConsoleStore + FigureStore + Finder + PeopleIndex + 'static>) -> ConsoleTables {
    ConsoleTables {
        store: Arc::clone(&console) as Arc<dyn ConsoleStore>,
        figures: Arc::clone(&console) as Arc<dyn FigureStore>,
        finder: Arc::clone(&console) as Arc<dyn Finder>,
        names: console,
    }
}

fn readers(reader: Arc<impl Reader + Lists + Notices + Evidence + 'static>) -> Readers {
    Readers {
        lists: Arc::clone(&reader) as Arc<dyn Lists>,
        notices: Arc::clone(&reader) as Arc<dyn Notices>,
        evidence: Arc::clone(&reader) as Arc<dyn Evidence>,
        reader,
    }
}
