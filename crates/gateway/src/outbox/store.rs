//! What the outbox asks of a database.
//!
//! The order within a subject is kept there and not in the workers: of a subject's open notices (pending or dead) at
//! most the first is active, that is, has a time at which it is due, and only active ones can be claimed. So it does not
//! matter how many workers on how many nodes there are.

use std::ops::Add;

use jiff::Timestamp;

use crate::ledger::lists::Slice;
use crate::ledger::store::StoreError;
use crate::statistics::store::Bounded;
use crate::vault::Sealed;

/// A notice to be queued, in the transaction of its cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeRow {
    /// Its kind's name.
    pub kind: &'static str,
    /// What order is kept by.
    pub subject: String,
    /// Through whose application it is sent.
    pub partner: String,
    /// What it says.
    pub content: Sealed,
    /// The message that caused it.
    pub cause_message_id: Option<u64>,
}

/// Where a notice stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoticeState {
    /// To be sent, or sent with no word yet.
    Pending,
    /// Taken by its receiver.
    Delivered,
    /// Given up: its subject waits until it is sent again or skipped.
    Dead,
    /// Passed over by a person.
    Skipped,
}

impl NoticeState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Delivered, Self::Dead, Self::Skipped];

    /// The name in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Skipped => "skipped",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// How an attempt ended, as it is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttemptVerdict {
    /// Taken.
    Delivered,
    /// Not taken, for now.
    Retry,
    /// Too fast for the receiver.
    SlowDown,
    /// Trying again changes nothing, or has been tried for too long.
    Dead,
    /// The lease ran out with no word of how it ended; it may have arrived.
    Lost,
}

impl AttemptVerdict {
    /// Every verdict.
    pub const ALL: [Self; 5] = [Self::Delivered, Self::Retry, Self::SlowDown, Self::Dead, Self::Lost];

    /// The name in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retry => "retry",
            Self::SlowDown => "slow-down",
            Self::Dead => "dead",
            Self::Lost => "lost",
        }
    }

    /// The verdict of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == name)
    }
}

/// What a lane (the notices of one partner) is ready to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want<'a> {
    /// The partner.
    pub partner: &'a str,
    /// How many notices can be sent at once; with 0, only the next due time is asked for.
    pub limit: usize,
    /// Until when they are leased.
    pub lease_until: Timestamp,
}

/// One exchange of the outbox with the ledger, in one transaction: what was done is recorded, then work is claimed.
#[derive(Debug, Clone)]
pub struct Turn<'a> {
    /// The moment.
    pub now: Timestamp,
    /// Who claims: a name of this worker alone.
    pub owner: &'a str,
    /// Attempts that have ended.
    pub finished: &'a [Finished],
    /// What each lane can send.
    pub wants: &'a [Want<'a>],
}

/// What came of a turn.
#[derive(Debug, Default)]
pub struct Turned {
    /// What is now under way, to be sent at once.
    pub claimed: Vec<Claimed>,
    /// For each want, when there is something to be claimed next; a time that has come where its limit was reached.
    pub next_due: Vec<Option<Timestamp>>,
    /// Ids of attempts whose lease had run out before they were recorded; they changed nothing.
    pub late: Vec<u64>,
}

/// A notice under a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Its number.
    pub id: u64,
    /// Its kind's name.
    pub kind: String,
    /// What order is kept by.
    pub subject: String,
    /// Through whose application it is sent.
    pub partner: String,
    /// What it says.
    pub content: Sealed,
    /// When it was leased: with the owner, what tells this lease from every other.
    pub leased_at: Timestamp,
    /// Attempts since it was queued or last sent again on request.
    pub tries: u32,
    /// The first of them.
    pub first_try: Option<Timestamp>,
}

/// What becomes of a notice after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is done.
    Delivered,
    /// It is tried again then.
    RetryAt(Timestamp),
    /// It is tried again then, and this try does not count against it.
    SlowedUntil(Timestamp),
    /// It is given up.
    Dead,
}

/// An attempt that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The notice.
    pub id: u64,
    /// When it was leased.
    pub leased_at: Timestamp,
    /// When the attempt began.
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// How it ended.
    pub verdict: AttemptVerdict,
    /// Why, without personal data.
    pub detail: String,
    /// The answer, where one came.
    pub response: Option<Sealed>,
    /// What becomes of the notice.
    pub next: Next,
}

/// Which notices are meant; what is `None` does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those that stand so.
    pub state: Option<NoticeState>,
    /// Those of that kind.
    pub kind: Option<String>,
    /// Those about that subject.
    pub subject: Option<String>,
    /// Those of that partner.
    pub partner: Option<String>,
    /// Those after that one in the list, for the next page.
    pub before: Option<u64>,
}

/// A notice as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeRecord {
    /// Its number; the order within its subject.
    pub id: u64,
    /// Its kind's name.
    pub kind: String,
    /// What order is kept by.
    pub subject: String,
    /// Through whose application it is sent.
    pub partner: String,
    /// What it says.
    pub content: Sealed,
    /// The message that caused it.
    pub cause_message_id: Option<u64>,
    /// When it was queued.
    pub created_at: Timestamp,
    /// Where it stands.
    pub state: NoticeState,
    /// When it is tried next; while it is under way, when its lease runs out; `None` while it waits for another.
    pub due_at: Option<Timestamp>,
    /// Whether it is under way.
    pub leased: bool,
    /// All attempts ever.
    pub attempts: u32,
    /// When it was delivered, given up or skipped.
    pub closed_at: Option<Timestamp>,
    /// How the last attempt ended, and why.
    pub last: Option<(AttemptVerdict, String)>,
    /// The notice of its subject that it waits for.
    pub behind: Option<u64>,
    /// How many notices of its subject wait for it, where it is the first of them.
    pub waiting: Bounded,
}

/// An attempt as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRecord {
    /// Its number among the notice's attempts, from 1.
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// How it ended.
    pub verdict: AttemptVerdict,
    /// Why.
    pub detail: String,
    /// The answer, where one came.
    pub response: Option<Sealed>,
    /// Whether its lease had run out, so that it changed nothing.
    pub late: bool,
}

/// What came of sending again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resent {
    /// Sent as soon as may be.
    pub due: u64,
    /// Sent when the notices before them on their subjects are done.
    pub waiting: u64,
    /// Under way at this moment already.
    pub under_way: u64,
}

impl Add for Resent {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let (due, waiting) = (self.due + other.due, self.waiting + other.waiting);
        Self { due, waiting, under_way: self.under_way + other.under_way }
    }
}

/// What came of skipping.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Passed over; their subjects go on.
    pub skipped: u64,
    /// Under way at this moment, and not passed over.
    pub under_way: u64,
    /// Delivered or skipped before.
    pub closed: u64,
}

impl Add for Skipped {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let (skipped, under_way) = (self.skipped + other.skipped, self.under_way + other.under_way);
        Self { skipped, under_way, closed: self.closed + other.closed }
    }
}

/// The outbox as people look through it, for any number of threads.
pub trait Notices: Send + Sync {
    /// The notices that fit, the newest first, at most `limit`; of PostgreSQL's, those of one subject in the subject's order.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn list(&self, filter: &Filter, limit: usize) -> Result<Slice<NoticeRecord, u64>, StoreError>;

    /// The numbers of the notices that fit, in the order of [`list`](Self::list), among as many as one call looks at.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn ids(&self, filter: &Filter) -> Result<Slice<u64, u64>, StoreError>;

    /// One notice with the attempts at it, the first one first.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn show(&self, id: u64) -> Result<Option<(NoticeRecord, Vec<AttemptRecord>)>, StoreError>;

    /// The first open notice of each subject that has any, the oldest first, at most `limit`: what its queue stands behind.
    /// Where they are more than one call looks at, the oldest of some.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn queues(&self, limit: usize) -> Result<Vec<NoticeRecord>, StoreError>;
}

/// The outbox in a database, as it is written; one thread owns it.
pub trait OutboxStore: Send {
    /// Queues notices that no batch of the ledger brings about, durably.
    ///
    /// # Errors
    /// When the database cannot be written; then none is queued.
    fn queue(&mut self, rows: &[NoticeRow], at: Timestamp) -> Result<(), StoreError>;

    /// When there is something to be claimed next, for each partner. Reads only.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn next_due(&mut self, partners: &[&str]) -> Result<Vec<Option<Timestamp>>, StoreError>;

    /// Records what was done and claims work, in one transaction.
    ///
    /// # Errors
    /// When the database cannot be written; then nothing was recorded, and nothing claimed.
    fn turn(&mut self, turn: &Turn<'_>) -> Result<Turned, StoreError>;

    /// Makes notices of that partner due now which wait for a later time and are not under way, at most `limit`; tells
    /// how many. The clock was set back, and what was due in a moment would be due by the old time only.
    ///
    /// # Errors
    /// When the database cannot be written; then none was.
    fn bring_forward(&mut self, partner: &str, now: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// Sends again, whatever became of them before, and durably so, in one transaction. Each keeps its place within its
    /// subject; a number that no notice has is passed by.
    ///
    /// # Errors
    /// When the database cannot be written; then none is sent again.
    fn resend(&mut self, ids: &[u64], now: Timestamp) -> Result<Resent, StoreError>;

    /// Passes notices over for good, in the order that is given and in one transaction, so that their subjects go on; a number
    /// that no notice has is passed by.
    ///
    /// # Errors
    /// When the database cannot be written; then none is.
    fn skip(&mut self, ids: &[u64], now: Timestamp) -> Result<Skipped, StoreError>;
}
