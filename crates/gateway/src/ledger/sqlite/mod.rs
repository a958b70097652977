//! The embedded ledger: SQLite in WAL mode, every commit synced, one writer.

mod changes;
mod lists;
mod load;
mod migrations;
mod outbox;
mod reader;
mod resends;
mod rows;
mod writer;

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::store::StoreError;
use crate::vault::{Purpose, Sealed, Vault};

pub use outbox::{Gate, SqliteOutbox};
pub use reader::SqliteReader;
pub use resends::SqliteResends;
pub use writer::SqliteStore;

/// Another process (a backup, a person with the sqlite3 shell) may hold the file for this long before a batch fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// A message with its sealed request takes some 4 KiB: on pages of that size, half of each would stay empty.
const PAGE_BYTES: u32 = 16_384;
/// The writer itself moves the log into the file once it is this long (32 MiB), and so begins it anew: a page that
/// many policies touch is written once instead of often, and the log never grows on.
const CHECKPOINT_PAGES: u32 = 2_048;
/// Pages of cache a connection, negative in KiB: the newest pages of every table and index fit with room.
const CACHE_KIB: i64 = -65_536;
const MARK: &[u8] = b"baoqiao ledger";

/// Opens the ledger's two sides, making and migrating the file as needed.
///
/// # Errors
/// When the file cannot be opened, is newer than this program, or was sealed with other keys.
pub fn open(path: &Path, vault: &Vault) -> Result<(SqliteStore, SqliteReader), StoreError> {
    let mut writer = connect(path)?;
    migrations::run(&mut writer)?;
    check_keys(&writer, vault)?;
    Ok((SqliteStore::new(writer), SqliteReader::new(path.to_owned())))
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

/// A ledger read with the wrong keys would look empty of people; better that it does not open.
fn check_keys(connection: &Connection, vault: &Vault) -> Result<(), StoreError> {
    let context = "checking the ledger's keys";
    let wrong = |reason: String| StoreError { context, reason };
    let stored: Option<Vec<u8>> = connection
        .query_row("SELECT sealed FROM key_check", [], |row| row.get(0))
        .map(Some)
        .or_else(none_if_no_row)
        .map_err(|error| failed(context, &error))?;
    let Some(stored) = stored else {
        let sealed = vault.seal(Purpose::KeyCheck, MARK).map_err(|error| wrong(error.to_string()))?;
        let insert = "INSERT INTO key_check (only, sealed) VALUES (1, ?)";
        return connection.execute(insert, [sealed.as_bytes()]).map(|_| ()).map_err(|error| failed(context, &error));
    };
    match vault.open(Purpose::KeyCheck, &Sealed::from_stored(stored)) {
        Ok(mark) if mark == MARK => Ok(()),
        Ok(_) => Err(wrong("the key check does not read as it should".to_owned())),
        Err(error) => Err(wrong(error.to_string())),
    }
}

fn none_if_no_row<T>(error: rusqlite::Error) -> rusqlite::Result<Option<T>> {
    match error {
        rusqlite::Error::QueryReturnedNoRows => Ok(None),
        other => Err(other),
    }
}

fn failed(context: &'static str, error: &rusqlite::Error) -> StoreError {
    StoreError { context, reason: error.to_string() }
}
