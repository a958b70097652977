//! Files that hold secrets: readable by their owner alone, and whole at any moment.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::failure::Failure;

/// What becomes of a file in whose place another is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Former {
    /// It stays as a backup beside it.
    Kept,
    /// It goes: all that it held is in the other.
    Gone,
}

pub(super) fn at(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format_args!("{}: {error}", path.display()))
}

pub(super) fn exists(path: &Path) -> Result<bool, Failure> {
    path.try_exists().map_err(|error| at(path, &error))
}

/// Writes a file that is new and that only its owner can read, down to the disk.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    let write = || {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| at(path, &error))
}

/// As [`write_private`], in place of what may be there.
pub(super) fn replace_private(path: &Path, text: &str, former: Former) -> Result<(), Failure> {
    let unfinished = path.with_extension("toml.new");
    if exists(&unfinished)? {
        fs::remove_file(&unfinished).map_err(|error| at(&unfinished, &error))?;
    }
    write_private(&unfinished, text)?;
    if former == Former::Kept && exists(path)? {
        fs::rename(path, path.with_extension("toml.bak")).map_err(|error| at(path, &error))?;
    }
    fs::rename(&unfinished, path).map_err(|error| at(path, &error))?;
    // The name has to survive a power cut as well: what is sealed next is opened by nothing else.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| at(folder, &error))
}
