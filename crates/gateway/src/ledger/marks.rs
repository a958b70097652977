//! The mark by which a ledger knows its keys. A ledger read with the wrong keys would look empty of people; better that
//! it does not open.

use super::store::StoreError;
use crate::vault::{Purpose, Sealed, Vault};

const MARK: &[u8] = b"baoqiao ledger";

pub(super) const CONTEXT: &str = "checking the ledger's keys";

/// Where a database keeps the mark.
pub(super) trait Marks {
    /// The mark that is kept.
    fn stored(&mut self) -> Result<Option<Sealed>, StoreError>;

    /// Keeps a mark where there is none, and returns the one that is kept then.
    fn set(&mut self, mark: &Sealed) -> Result<Sealed, StoreError>;
}

/// Checks the mark, and sets it where there is none.
///
/// # Errors
/// When the keys are another ledger's, or the database fails.
pub(super) fn check_or_set(marks: &mut impl Marks, vault: &Vault) -> Result<(), StoreError> {
    let mark = if let Some(mark) = marks.stored()? {
        mark
    } else {
        let sealed = vault.seal(Purpose::KeyCheck, MARK).map_err(|error| wrong(error.to_string()))?;
        marks.set(&sealed)?
    };
    open(&mark, vault)
}

/// Checks the mark of a ledger that was made before.
///
/// # Errors
/// As [`check_or_set`], and when there is no mark.
pub(super) fn check(marks: &mut impl Marks, vault: &Vault) -> Result<(), StoreError> {
    match marks.stored()? {
        Some(mark) => open(&mark, vault),
        None => Err(wrong("the ledger was never finished being made".to_owned())),
    }
}

fn open(mark: &Sealed, vault: &Vault) -> Result<(), StoreError> {
    match vault.open(Purpose::KeyCheck, mark) {
        Ok(mark) if mark == MARK => Ok(()),
        Ok(_) => Err(wrong("the key check does not read as it should".to_owned())),
        Err(error) => Err(wrong(error.to_string())),
    }
}

fn wrong(reason: String) -> StoreError {
    StoreError { context: CONTEXT, reason }
}
