//! `[ledger]`: where the ledger is kept, and where its keys.

use std::fmt;
use std::path::PathBuf;

use tokio_postgres::Config as Target;
use tokio_postgres::config::{Host, SslMode};

use super::defaults;
use super::reader::{Item, Section};
use super::secret;
use crate::ledger::postgres::is_local;

pub(super) const EXPECTED_URL: &str = "\"sqlite:PATH\", such as \"sqlite:ledger.db\", or \
     \"postgres://USER@HOST/DATABASE\"";
const EXPECTED_POSTGRES: &str = "\"postgres://USER@HOST:PORT/DATABASE\", of whose parameters sslmode, host, port, \
     target_session_attrs and load_balance_hosts are understood";
const EXPECTED_ENCRYPTION: &str = "sslmode=require (the server's name is always verified), or sslmode=disable for a \
     database that is reached over no network or a trusted one";
const EXPECTED_KEYS: &str = "the path of the key file, such as \"keys.toml\"";
const EXPECTED_ROOTS: &str = "the path of a PEM file with the certificates that the database's is signed by";

/// Where a ledger is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerUrl {
    /// The SQLite database in that file; absolute.
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    Postgres(Box<PostgresUrl>),
}

impl fmt::Display for LedgerUrl {
    /// Without user or password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{}", path.display()),
            Self::Postgres(url) => write!(f, "{url}"),
        }
    }
}

/// A PostgreSQL database, and how it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    /// Where it is, and as whom; its `Debug` shows no password.
    pub config: Target,
    /// Whether the connection is encrypted, and the server's name verified.
    pub encrypted: bool,
    /// The certificates that the server's is signed by; the system's where there are none.
    pub root_certificates: Option<PathBuf>,
    /// The most connections that read.
    pub readers: usize,
    /// How many groups of buckets have a committer of their own.
    pub lanes: usize,
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports = self.config.get_ports();
        // One for each host, or one for all.
        let port = |at: usize| ports.get(at).or(ports.first()).filter(|port| **port != DEFAULT_PORT);
        let named = |(at, host): (usize, &Host)| match (host, port(at)) {
            (Host::Tcp(name), Some(port)) => format!("{name}:{port}"),
            _ => host_name(host),
        };
        let hosts: Vec<String> = self.config.get_hosts().iter().enumerate().map(named).collect();
        let database = self.config.get_dbname().or(self.config.get_user()).unwrap_or_default();
        write!(f, "postgres://{}/{database}", hosts.join(","))
    }
}

/// The port that need not be told.
const DEFAULT_PORT: u16 = 5432;

fn host_name(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    }
}

/// Where the ledger is kept, and where its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerConfig {
    /// The ledger.
    pub url: LedgerUrl,
    /// The key file, apart from the ledger; absolute.
    pub keys: PathBuf,
}

pub(super) fn read(section: &Section<'_>) -> LedgerConfig {
    let target = section.item("url").and_then(|item| read_url(&item));
    let keys =
        section.text_or("keys", defaults::KEYS_PATH, EXPECTED_KEYS, |text| (!text.trim().is_empty()).then_some(text));
    let url = match target {
        Some(Url::Postgres(target)) => LedgerUrl::Postgres(Box::new(read_postgres(section, *target))),
        other => {
            let path = if let Some(Url::Sqlite(path)) = other { path } else { defaults::LEDGER_PATH };
            refuse_of_postgres(section);
            LedgerUrl::Sqlite(section.resolve(path))
        }
    };
    LedgerConfig { url, keys: section.resolve(keys) }
}

/// Whether a text is the address of a ledger.
pub(super) fn is_url(text: &str) -> bool {
    match text.split_once(':') {
        Some(("sqlite", path)) => !path.is_empty(),
        Some(("postgres" | "postgresql", _)) => text.parse().is_ok_and(|target| is_complete(&target)),
        _ => false,
    }
}

fn is_complete(target: &Target) -> bool {
    !target.get_hosts().is_empty() && target.get_user().is_some()
}

enum Url<'a> {
    Sqlite(&'a str),
    Postgres(Box<Target>),
}

fn read_url<'a>(item: &Item<'a>) -> Option<Url<'a>> {
    let (scheme, rest) = item.text(EXPECTED_URL, |text| text.split_once(':'))?;
    match scheme {
        "sqlite" => sqlite_path(item, rest).map(Url::Sqlite),
        "postgres" | "postgresql" => postgres_target(item).map(|target| Url::Postgres(Box::new(target))),
        _ => {
            // A database's URL may hold its password: no more of it is shown.
            item.refuse_as(format_args!("the scheme {scheme:?}"), EXPECTED_URL);
            None
        }
    }
}

/// The path, also of the spellings `sqlite://relative` and `sqlite:///absolute` that other tools have.
fn sqlite_path<'a>(item: &Item<'a>, rest: &'a str) -> Option<&'a str> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.trim().is_empty() || path.ends_with('/') || path.contains('?') {
        item.refuse(EXPECTED_URL);
        return None;
    }
    if path == ":memory:" {
        item.refuse(format_args!("{EXPECTED_URL}: a ledger in memory forgets what was issued"));
        return None;
    }
    Some(path)
}

/// The address of a database is never shown: it may hold its password.
fn postgres_target(item: &Item<'_>) -> Option<Target> {
    let target = item.as_text().and_then(|text| text.parse::<Target>().ok());
    let Some(target) = target else {
        item.refuse_as("an address that cannot be read", EXPECTED_POSTGRES);
        return None;
    };
    if !is_complete(&target) {
        item.refuse_as("an address without a host or a user", EXPECTED_POSTGRES);
        return None;
    }
    Some(target)
}

/// Unencrypted only where that was asked for, or where nobody listens in between.
fn read_postgres(section: &Section<'_>, mut target: Target) -> PostgresUrl {
    let asks = |mode: &str| section.item("url").and_then(|item| item.as_text()).is_some_and(|url| url.contains(mode));
    let encrypted = match target.get_ssl_mode() {
        SslMode::Disable => false,
        // What the library takes for the default of no mode at all.
        SslMode::Prefer if !asks("sslmode=prefer") => !is_local(&target),
        SslMode::Require => true,
        _ => {
            if let Some(item) = section.item("url") {
                item.refuse_as("sslmode=prefer, which whoever listens in between can turn off", EXPECTED_ENCRYPTION);
            }
            true
        }
    };
    if let Some(password) = section.item("password").and_then(|item| secret::resolve(&item)) {
        target.password(password.expose());
    }
    let root_certificates = section.item("root_certificates").and_then(|item| {
        let path = item.text(EXPECTED_ROOTS, |text| (!text.trim().is_empty()).then_some(text))?;
        Some(section.resolve(path))
    });
    let readers = section.count_or("readers", defaults::LEDGER_READERS, 1..=64);
    let lanes = section.count_or("lanes", defaults::LEDGER_LANES, 1..=64);
    PostgresUrl { config: target, encrypted, root_certificates, readers, lanes }
}

/// What only a database on a server has.
fn refuse_of_postgres(section: &Section<'_>) {
    for key in ["password", "root_certificates", "readers", "lanes"] {
        if let Some(item) = section.item(key) {
            item.refuse_as("a key of PostgreSQL's", "it with ledger.url = \"postgres://…\" alone");
        }
    }
}
