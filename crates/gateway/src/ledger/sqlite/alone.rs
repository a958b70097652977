//! Whether a gateway is the only one on its ledger's file.
//!
//! Two keep every promise, but each batch of the one waits for the other, and their index of people gets slow. It is
//! hardly ever meant: a second gateway is one that was started by mistake, or the old one that was not stopped.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Held by the gateway that was first, until its process ends.
#[derive(Debug)]
pub(super) struct Alone(#[expect(dead_code, reason = "its lock ends with it")] File);

impl Alone {
    /// `None` where another gateway holds it.
    ///
    /// # Errors
    /// When the file beside the ledger cannot be made or locked.
    pub(super) fn claim(ledger: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(beside(ledger))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// A file of its own: closing a second handle of SQLite's would give up its locks.
fn beside(ledger: &Path) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push("-gateway");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_has_it_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("ledger.db");
        let first = Alone::claim(&ledger).unwrap();
        assert!(first.is_some());
        assert!(Alone::claim(&ledger).unwrap().is_none());
        drop(first);
        assert!(Alone::claim(&ledger).unwrap().is_some());
        assert!(!ledger.exists());
    }
}
