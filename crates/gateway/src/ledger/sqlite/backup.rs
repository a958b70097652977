//! A copy of the embedded ledger, made while a gateway runs on it.
//!
//! `VACUUM INTO` copies within one read transaction: the writer goes on beside it, and the copy is of one moment. SQLite's
//! backup in steps would begin again at each commit of another process, and on a busy ledger never end. What it costs: the
//! log cannot begin anew until the copy is done, and grows by what is written meanwhile.
//!
//! A copy that is put in service is older than what was told of the ledger. So that it repeats no number, its blocks begin
//! further on than any gateway gets between two copies.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::{KeyCheck, StoreError, failed, migrations};
use crate::ledger::marks;
use crate::vault::Vault;

const CONTEXT: &str = "copying the ledger";
/// By how much the copy's numbers of policies, messages and events are ahead: at the highest rate measured, a day and a
/// half of issuing without rest.
const GAP: u64 = 1 << 30;

/// A copy that is being made; what is left of it when something fails is removed.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // Gone already where it became the copy.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn wrong(reason: impl Into<String>) -> StoreError {
    StoreError { context: CONTEXT, reason: reason.into() }
}

/// Copies the ledger at `path` to `to`, checks the copy, and returns its size in bytes. `progress` is told every second
/// how many bytes are copied, of about how many.
///
/// # Errors
/// When the ledger cannot be read, the copy cannot be written or does not pass its checks, or a file is there that is not
/// to be replaced. Then nothing of the copy remains, and what was there before does.
pub fn backup(
    path: &Path,
    to: &Path,
    replace: bool,
    vault: &Vault,
    progress: impl Fn(u64, u64) + Send,
) -> Result<u64, StoreError> {
    if is_of_the_ledger(to, path) {
        return Err(wrong(format!("{} is the ledger itself; a copy goes to a file of its own", to.display())));
    }
    if to.exists() && !replace {
        return Err(wrong(format!("{} is there already; --force replaces it", to.display())));
    }
    if to.exists() && !is_a_database(to) {
        return Err(wrong(format!("{} is no copy of a ledger: --force replaces nothing else", to.display())));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(path, flags).map_err(|error| failed(CONTEXT, &error))?;
    migrations::is_current(&source)?;
    marks::check(&mut KeyCheck(&source), vault)?;
    let mut name = to.as_os_str().to_owned();
    name.push(".partial");
    let name = PathBuf::from(name);
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&name);
    made.map_err(|error| wrong(format!("{}: {error}", name.display())))?;
    let partial = Partial(name);
    copy(&source, &partial.0, progress)?;
    finish(&partial.0, vault)?;
    let bytes = keep(&partial.0, to).map_err(|error| wrong(format!("{}: {error}", to.display())))?;
    Ok(bytes)
}

/// Whether a file is one of SQLite's, by its first bytes; an empty one is, too.
fn is_a_database(file: &Path) -> bool {
    const BEGINNING: &[u8; 16] = b"SQLite format 3\0";
    let mut beginning = Vec::new();
    let read = File::open(file).and_then(|file| file.take(16).read_to_end(&mut beginning));
    read.is_ok() && (beginning.is_empty() || beginning == BEGINNING)
}

/// Whether a path leads to the ledger's file or to one that SQLite keeps beside it, by whatever name.
fn is_of_the_ledger(to: &Path, path: &Path) -> bool {
    let Ok(target) = std::fs::metadata(to) else { return false };
    ["", "-wal", "-shm"].into_iter().any(|ending| {
        let mut own = path.as_os_str().to_owned();
        own.push(ending);
        std::fs::metadata(own).is_ok_and(|own| (own.dev(), own.ino()) == (target.dev(), target.ino()))
    })
}

fn copy(source: &Connection, to: &Path, progress: impl Fn(u64, u64) + Send) -> Result<(), StoreError> {
    let sql = |error: rusqlite::Error| failed(CONTEXT, &error);
    let size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    let total: u64 = source.query_row(size, [], |row| row.get(0)).map_err(sql)?;
    let (ended, end) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while end.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
                progress(std::fs::metadata(to).map_or(0, |file| file.len()), total);
            }
        });
        let copied = source.execute("VACUUM INTO ?", [to.to_string_lossy()]);
        drop(ended);
        copied.map(|_| ()).map_err(sql)
    })
}

/// Moves the copy's numbers on, and checks it.
fn finish(copy: &Path, vault: &Vault) -> Result<(), StoreError> {
    let sql = |error: rusqlite::Error| failed("checking the copy", &error);
    let copy = Connection::open(copy).map_err(sql)?;
    copy.pragma_update(None, "synchronous", "full").map_err(sql)?;
    let advance = format!(
        "BEGIN; UPDATE number_blocks SET next = next + {GAP}; \
         UPDATE sqlite_sequence SET seq = seq + {GAP} WHERE name = 'events'; \
         INSERT INTO sqlite_sequence (name, seq) SELECT 'events', {GAP} \
           WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'events'); COMMIT"
    );
    copy.execute_batch(&advance).map_err(sql)?;
    marks::check(&mut KeyCheck(&copy), vault)?;
    let found: String = copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(sql)?;
    if found == "ok" { Ok(()) } else { Err(wrong(format!("the copy is not whole: {found}"))) }
}

/// Gives the copy its name, durably.
fn keep(copy: &Path, to: &Path) -> std::io::Result<u64> {
    let file = File::open(copy)?;
    file.sync_all()?;
    std::fs::rename(copy, to)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()?;
    Ok(file.metadata()?.len())
}
