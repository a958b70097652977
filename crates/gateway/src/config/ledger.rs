//! `[ledger]`: where the ledger is kept, and where its keys.

use std::path::PathBuf;

use super::defaults;
use super::reader::{Item, Section};

const EXPECTED_URL: &str = "sqlite:PATH, such as \"sqlite:ledger.db\"";
const EXPECTED_KEYS: &str = "the path of the key file, such as \"keys.toml\"";

/// Where a ledger is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerUrl {
    /// The SQLite database in that file; absolute.
    Sqlite(PathBuf),
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
    let path = section.item("url").and_then(|item| sqlite_path(&item)).unwrap_or(defaults::LEDGER_PATH);
    let keys =
        section.text_or("keys", defaults::KEYS_PATH, EXPECTED_KEYS, |text| (!text.trim().is_empty()).then_some(text));
    LedgerConfig { url: LedgerUrl::Sqlite(section.resolve(path)), keys: section.resolve(keys) }
}

/// The path, also of the spellings `sqlite://relative` and `sqlite:///absolute` that other tools have.
fn sqlite_path<'a>(item: &Item<'a>) -> Option<&'a str> {
    let (scheme, rest) = item.text(EXPECTED_URL, |text| text.split_once(':'))?;
    if scheme != "sqlite" {
        // A database's URL holds its password: no more of it is shown.
        item.refuse_as(format_args!("the scheme {scheme:?}"), format_args!("{EXPECTED_URL}: there is no other ledger"));
        return None;
    }
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
