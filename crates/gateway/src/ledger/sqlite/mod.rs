//! The embedded ledger: SQLite in WAL mode, every commit synced, one writer.

mod alone;
mod backup;
mod changes;
mod checkpoints;
mod console;
mod evidence;
mod figures;
mod finding;
mod lists;
mod load;
mod migrations;
mod names;
mod notice_lists;
mod outbox;
mod people;
mod reader;
mod resends;
mod retention;
mod rows;
mod writer;

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use super::marks::{self, Marks};
use super::store::StoreError;
use crate::vault::{Sealed, Vault};

pub use backup::backup;
pub use console::SqliteConsole;
pub use outbox::{Gate, SqliteOutbox};
pub use reader::SqliteReader;
pub use resends::SqliteResends;
pub use retention::SqliteRetention;
pub use writer::SqliteStore;

/// Another process (a backup, a person with the sqlite3 shell) may hold the file for this long before a batch fails.
///
/// A batch may wait twice, and both waits fit into the patience that platforms have by default.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);
/// A message with its sealed request takes some 4 KiB: on pages of that size, half of each would stay empty;
/// on larger ones, each index entry would write more of the log than it needs to.
const PAGE_BYTES: u32 = 8_192;
/// Where nobody moves the log into the file in time (see `checkpoints`), the commit that makes it this long does (64 MiB).
const CHECKPOINT_PAGES: u32 = 8_192;
/// Pages of cache a connection, negative in KiB: the newest pages of every table and index fit with room.
const CACHE_KIB: i64 = -65_536;

/// Opens the ledger's two sides, making and migrating the file as needed.
///
/// # Errors
/// When the file cannot be opened, is newer than this program, or was sealed with other keys.
pub fn open(path: &Path, vault: &Vault) -> Result<(SqliteStore, SqliteReader), StoreError> {
    make_private(path).map_err(|error| StoreError { context: "opening the ledger", reason: error.to_string() })?;
    let mut writer = connect(path)?;
    migrations::run(&mut writer)?;
    marks::check_or_set(&mut KeyCheck(&writer), vault)?;
    Ok((SqliteStore::new(path, writer)?, SqliteReader::new(path.to_owned())))
}

/// Makes a ledger's file that only its owner can read, if there is none; SQLite gives its other files the same mode.
/// Said aloud, since a ledger that is new by mistake has forgotten every answer.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut new = OpenOptions::new();
    new.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
    match new.open(path) {
        Ok(_) => {
            tracing::warn!(path = %path.display(), "there was no ledger here: a new one is made");
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Opens an existing ledger for reading alone; a gateway may be running on it.
///
/// # Errors
/// When there is none, when it is of another version than this program's, or was sealed with other keys.
pub fn open_reader(path: &Path, vault: &Vault) -> Result<SqliteReader, StoreError> {
    let context = "opening the ledger for reading";
    if !path.exists() {
        return Err(StoreError { context, reason: "there is no such file yet; `baoqiao serve` makes it".to_owned() });
    }
    let reader = SqliteReader::new(path.to_owned());
    reader.read(context, |connection| Ok(migrations::is_current(connection)))??;
    reader.read(context, |connection| Ok(marks::check(&mut KeyCheck(connection), vault)))??;
    Ok(reader)
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Counts only for a file that is about to be made.
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        connection.pragma_update(None, "foreign_keys", "on")?;
        connection.pragma_update(None, "cache_size", CACHE_KIB)?;
        connection.pragma_update(None, "temp_store", "memory")?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    };
    open().map_err(|error| failed("opening the ledger", &error))
}

/// The mark by which the ledger knows its keys, in the file.
struct KeyCheck<'a>(&'a Connection);

impl Marks for KeyCheck<'_> {
    fn stored(&mut self) -> Result<Option<Sealed>, StoreError> {
        let read = |row: &rusqlite::Row<'_>| Ok(Some(Sealed::from_stored(row.get(0)?)));
        let stored = self.0.query_row("SELECT sealed FROM key_check", [], read).or_else(none_if_no_row);
        stored.map_err(|error| failed(marks::CONTEXT, &error))
    }

    fn set(&mut self, mark: &Sealed) -> Result<Sealed, StoreError> {
        let insert = "INSERT INTO key_check (only, sealed) VALUES (1, ?)";
        let inserted = self.0.execute(insert, [mark.as_bytes()]);
        inserted.map(|_| mark.clone()).map_err(|error| failed(marks::CONTEXT, &error))
    }
}

fn none_if_no_row<T>(error: rusqlite::Error) -> rusqlite::Result<Option<T>> {
    match error {
        rusqlite::Error::QueryReturnedNoRows => Ok(None),
        other => Err(other),
    }
}

fn failed(context: &'static str, error: &rusqlite::Error) -> StoreError {
    let reason = match remedy(error) {
        Some(remedy) => format!("{error}; {remedy}"),
        None => error.to_string(),
    };
    StoreError { context, reason }
}

/// What a person can do about it.
fn remedy(error: &rusqlite::Error) -> Option<&'static str> {
    match error.sqlite_error_code()? {
        ErrorCode::DiskFull => Some("make room on the ledger's disk"),
        ErrorCode::ReadOnly => Some("the ledger's file, folder or disk is read-only, or another user's"),
        ErrorCode::SystemIoFailure => Some("is the ledger's disk full, read-only, over a quota or failing?"),
        ErrorCode::CannotOpen => Some("is the ledger's folder there, this user's to write, and not read-only?"),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Some("another process holds the ledger for writing"),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
            Some("the file is damaged; docs/operations.md says what to do")
        }
        ErrorCode::OperationInterrupted => Some("it took longer than a read may"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_writer_syncs_every_commit_and_nobody_else_reads_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.db");
        make_private(&path).unwrap();
        let connection = connect(&path).unwrap();
        let pragma = |name: &str| {
            connection.pragma_query_value(None, name, |row| {
                row.get::<_, String>(0).or_else(|_| Ok(row.get::<_, i64>(0)?.to_string()))
            })
        };
        assert_eq!(pragma("journal_mode").unwrap(), "wal");
        // 2 is FULL: the log is synced before a commit returns.
        assert_eq!(pragma("synchronous").unwrap(), "2");
        assert_eq!(pragma("page_size").unwrap(), PAGE_BYTES.to_string());
        connection.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)").unwrap();
        for file in std::fs::read_dir(directory.path()).unwrap() {
            let file = file.unwrap();
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.path());
        }
    }
}
