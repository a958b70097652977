//! Who had notices sent again or skipped, and what came of it: the answers that are kept under the keys of those orders.
//!
//! Sending again is no decision over the ledger's state, so it does not go through the committer. Its key is kept all
//! the same: begun before anything is sent again, finished after. An order that was cut off in between is carried out
//! again by its copy, over what fits by then.

use jiff::Timestamp;

use baoqiao_domain::idempotency::Fingerprint;

use super::store::StoreError;

/// An order to send again or to skip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResendRow {
    /// The digest of its content.
    pub fingerprint: Fingerprint,
    /// Its content, as JSON; it holds no personal data.
    pub content: String,
    /// Who asked.
    pub asked_by: String,
    /// When.
    pub asked_at: Timestamp,
    /// The answer, as JSON, once it is done.
    pub answer: Option<String>,
}

/// The orders to send again or to skip, in a database.
pub trait ResendLog: Send {
    /// Notes an order that is about to be carried out, or returns the one that its key was used for first.
    ///
    /// # Errors
    /// When the database cannot be written.
    fn begin(&mut self, key: &str, row: &ResendRow) -> Result<Option<ResendRow>, StoreError>;

    /// Keeps the answer to it where none is kept yet, and returns the one that is kept: a copy at another gateway may have
    /// been quicker.
    ///
    /// # Errors
    /// When the database cannot be written.
    fn finish(&mut self, key: &str, answer: &str) -> Result<String, StoreError>;
}
