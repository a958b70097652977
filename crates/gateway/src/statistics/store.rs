//! What figures need of a database. Every method blocks, and none looks at more rows than it is told.

use jiff::Timestamp;

use baoqiao_domain::money::Amount;

use super::meter::MinuteRow;
use crate::ledger::lists::PolicyPlace;
use crate::ledger::store::StoreError;

/// A policy, as far as it is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedRow {
    /// Its place in the order of issue.
    pub place: PolicyPlace,
    /// Its premium in yuan.
    pub premium_of_cny: Amount,
}

/// A count that stops at a limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounded {
    /// How many were counted.
    pub count: u64,
    /// Whether there are more.
    pub or_more: bool,
}

impl Bounded {
    /// What was counted by looking for one more than `limit`.
    pub fn of(found: u64, limit: u64) -> Self {
        Self { count: found.min(limit), or_more: found > limit }
    }
}

/// What waits to be sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Notices that are to be sent.
    pub pending: Bounded,
    /// When the oldest of those that were counted was queued.
    pub oldest: Option<Timestamp>,
    /// Notices that were given up.
    pub dead: Bounded,
}

/// What came about since a moment that a person should look at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Oddities {
    /// Keys that came again with other content.
    pub conflicts: Bounded,
    /// Recoveries beside no policy.
    pub unmatched: Bounded,
    /// Recoveries whose amounts disagree.
    pub discrepant: Bounded,
}

/// The database as figures need it.
pub trait FigureStore: Send + Sync {
    /// Policies issued after a place and before a moment, in the order of issue, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn issued(&self, after: PolicyPlace, before: Timestamp, limit: usize) -> Result<Vec<IssuedRow>, StoreError>;

    /// What waits to be sent, counted up to `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn backlog(&self, limit: u64) -> Result<Backlog, StoreError>;

    /// What is odd since a moment, looked for among the newest `limit` of each kind.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn oddities(&self, since: Timestamp, limit: u64) -> Result<Oddities, StoreError>;

    /// The minutes from that one on.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn minutes(&self, from: i64) -> Result<Vec<MinuteRow>, StoreError>;

    /// Writes minutes down, and forgets those before `keep_from`. A row that is there already is replaced. Need not
    /// survive a power cut.
    ///
    /// # Errors
    /// When the database cannot be written.
    fn write_minutes(&self, rows: &[MinuteRow], keep_from: i64) -> Result<(), StoreError>;
}
