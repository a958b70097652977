//! Both databases, for tests that have to hold on each.

use std::path::{Path, PathBuf};

use baoqiao_testkit::Postgres;
use tempfile::TempDir;

use super::backend::Backend;
use crate::config::{LedgerUrl, PostgresUrl};
use crate::vault::Vault;
use crate::vault::keyring::Keyring;

/// A ledger's database that is thrown away after the test, and a folder for what lies beside it.
pub(crate) struct Database {
    folder: TempDir,
    url: LedgerUrl,
    /// The database's name on its server.
    name: String,
}

/// Does what blocks, on a thread that drives nothing asynchronous.
pub(crate) fn off_runtime<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let done = std::thread::scope(|scope| scope.spawn(work).join());
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

impl Database {
    /// The embedded ledger.
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = LedgerUrl::Sqlite(folder.path().join("ledger.db"));
        Self { folder, url, name: String::new() }
    }

    /// A database of a PostgreSQL of this process's own; `None` where the system has none, which is printed.
    pub(crate) fn postgres() -> Option<Self> {
        Postgres::is_available().then(|| Self::on(off_runtime(Postgres::shared)))
    }

    /// A database of that server. Of another than this process's own, no statement runs behind the ledger's back.
    pub(crate) fn on(server: &Postgres) -> Self {
        let url = off_runtime(|| server.fresh_database());
        let name = url.rsplit_once('/').unwrap().1.to_owned();
        let config = url.parse().unwrap();
        let url = PostgresUrl { config, encrypted: false, root_certificates: None, readers: 2, lanes: 1 };
        Self { folder: tempfile::tempdir().unwrap(), url: LedgerUrl::Postgres(Box::new(url)), name }
    }

    /// The same database, to be used by several lanes.
    pub(crate) fn with_lanes(mut self, lanes: usize) -> Self {
        if let LedgerUrl::Postgres(url) = &mut self.url {
            url.lanes = lanes;
        }
        self
    }

    /// The port of its server.
    pub(crate) fn port(&self) -> u16 {
        let LedgerUrl::Postgres(url) = &self.url else { panic!("not a database on a server") };
        url.config.get_ports()[0]
    }

    /// The same database by another port of this machine.
    pub(crate) fn through(&self, port: u16) -> Self {
        let LedgerUrl::Postgres(url) = &self.url else { panic!("not a database on a server") };
        let mut other = url.clone();
        other.config = tokio_postgres::Config::new();
        other.config.host("127.0.0.1").port(port).dbname(url.config.get_dbname().unwrap());
        other.config.user(url.config.get_user().unwrap());
        if let Some(password) = url.config.get_password() {
            other.config.password(password);
        }
        Self { folder: tempfile::tempdir().unwrap(), url: LedgerUrl::Postgres(other), name: self.name.clone() }
    }

    /// Its name on its server.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn url(&self) -> &LedgerUrl {
        &self.url
    }

    /// The ledger's keys, made at the first call.
    pub(crate) fn vault(&self) -> Vault {
        let keys: PathBuf = self.folder().join("keys.toml");
        if !keys.exists() {
            std::fs::write(&keys, Keyring::generate(getrandom::fill).unwrap().to_toml()).unwrap();
        }
        Vault::new(&Keyring::load(&keys).unwrap(), getrandom::fill)
    }

    pub(crate) fn open(&self, vault: &Vault) -> Backend {
        off_runtime(|| Backend::open(&self.url, vault)).unwrap()
    }

    /// Runs statements behind the ledger's back.
    pub(crate) fn execute(&self, statement: &str) -> Result<(), String> {
        match &self.url {
            LedgerUrl::Sqlite(path) => {
                let connection = rusqlite::Connection::open(path).unwrap();
                connection.execute_batch(statement).map_err(|error| error.to_string())
            }
            LedgerUrl::Postgres(_) => {
                let run = || Postgres::shared().sql(&self.name, statement);
                let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| off_runtime(run)));
                done.map(|_| ()).map_err(|_| statement.to_owned())
            }
        }
    }

    /// Adds notices behind the ledger's back, numbered from `first` on in the order of the list; of PostgreSQL's numbers
    /// each is the 1024th. `subject` is an expression of SQL over the number `i`.
    pub(crate) fn add_notices(
        &self,
        first: u64,
        count: u64,
        subject: &str,
        (kind, partner, state): (&str, &str, &str),
    ) {
        let last = first + count - 1;
        let closed = if state == "pending" { "NULL" } else { "1" };
        let values = format!("{subject}, '{kind}', '{partner}', 1, '{state}', {closed}");
        let columns = "subject, kind, partner, created_ms, state, closed_ms";
        let insert = if self.is_embedded() {
            format!(
                "WITH RECURSIVE n (i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}) \
                 INSERT INTO notices (id, content, {columns}) SELECT i, x'00', {values} FROM n"
            )
        } else {
            format!(
                "INSERT INTO notices (bucket, id, ordinal, content, {columns}) \
                 SELECT 0, i * 1024, i, '\\x00', {values} FROM generate_series({first}, {last}) i; \
                 INSERT INTO notice_queues (bucket, subject, last_ordinal) \
                 SELECT 0, subject, max(ordinal) FROM notices WHERE bucket = 0 GROUP BY subject \
                 ON CONFLICT DO NOTHING; ANALYZE notices"
            )
        };
        self.execute(&insert).unwrap();
    }

    /// Whether it is the embedded ledger.
    pub(crate) fn is_embedded(&self) -> bool {
        matches!(self.url, LedgerUrl::Sqlite(_))
    }

    /// Runs statements that leave references which lead nowhere, as no program of the ledger's may.
    pub(crate) fn damage(&self, statements: &str) {
        let unchecked = format!("PRAGMA foreign_keys = off; {statements}");
        self.execute(if self.is_embedded() { &unchecked } else { statements }).unwrap();
    }

    /// What a query of one number returns.
    pub(crate) fn count(&self, query: &str) -> i64 {
        match &self.url {
            LedgerUrl::Sqlite(path) => {
                let connection = rusqlite::Connection::open(path).unwrap();
                connection.query_row(query, [], |row| row.get(0)).unwrap()
            }
            LedgerUrl::Postgres(_) => off_runtime(|| Postgres::shared().sql(&self.name, query)).parse().unwrap(),
        }
    }

    /// Whether a text stands anywhere in what the database keeps, in the clear.
    pub(crate) fn holds(&self, text: &str) -> bool {
        let contains = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        match &self.url {
            LedgerUrl::Sqlite(_) => {
                let files = std::fs::read_dir(self.folder()).unwrap().map(|file| file.unwrap().path());
                files.into_iter().any(|file| contains(&std::fs::read(file).unwrap(), text.as_bytes()))
            }
            LedgerUrl::Postgres(_) => {
                let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'";
                let sql = |statement: &str| off_runtime(|| Postgres::shared().sql(&self.name, statement));
                let hex = text.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
                sql(tables).lines().any(|table| {
                    let rows = sql(&format!("SELECT t::text FROM {table} t"));
                    contains(rows.as_bytes(), text.as_bytes()) || contains(rows.as_bytes(), hex.as_bytes())
                })
            }
        }
    }
}

/// Makes of each function that takes a [`Database`] a test on each.
macro_rules! on_both_databases {
    ($attribute:meta; $($name:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[$attribute]
                async fn $name() {
                    super::$name($crate::ledger::fixture::Database::sqlite()).await;
                }
            )+
        }

        mod postgres {
            $(
                #[$attribute]
                async fn $name() {
                    if let Some(database) = $crate::ledger::fixture::Database::postgres() {
                        super::$name(database).await;
                    }
                }
            )+
        }
    };
}
pub(crate) use on_both_databases;
