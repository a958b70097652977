//! What people look for by other names than a policy's: a message's own identity, an auction, a platform's `request_id`.

use jiff::Timestamp;

use super::store::StoreError;

/// A stage of an auction's insurance, as it was reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageRecord {
    /// The message that reported it.
    pub message_id: u64,
    /// Whose auction it is.
    pub partner: String,
    /// The number of the kind of insurance.
    pub insurance_type: u8,
    /// The number of the stage.
    pub stage: u8,
    /// The number of its status.
    pub status: u8,
    /// The policy that it names.
    pub policy_no: Option<String>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

/// Looks for what is not a policy. Every method blocks, and none looks at more rows than it is told.
pub trait Finder: Send + Sync {
    /// The messages that first brought an identity, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn messages_of_uuid(&self, uuid: &str, limit: usize) -> Result<Vec<u64>, StoreError>;

    /// The stages reported of an auction, the first one first, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn auction(&self, biz_id: &str, limit: usize) -> Result<Vec<StageRecord>, StoreError>;

    /// The notices among the newest `newest` of whose attempts the platform said something that holds `text`, the
    /// newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn notices_answered_with(&self, text: &str, newest: u64) -> Result<Vec<u64>, StoreError>;

    /// The greatest sequence of the policies whose parties are not found by name yet; 0 where all are.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn names_missing_to(&self) -> Result<u64, StoreError>;
}
