//! What a ledger's tables hold, row by row and as they stand, for whoever checks them.
//!
//! Values are handed over as they were read: a check that fell over a row which no program can have written would find
//! nothing but the first of them.

use std::fmt;

use baoqiao_domain::policy_number::PolicyNumber;

use crate::ledger::store::{NumberBlock, StoreError};
use crate::vault::{BlindIndex, Sealed};

/// Takes the rows of a table one after the other.
pub type Take<'a, T> = dyn FnMut(T) -> Result<(), StoreError> + 'a;

/// An answer that was kept, with the policy that it says it is about.
pub struct AnswerRow {
    /// The message it was given to.
    pub message_id: u64,
    /// The interface.
    pub scope: String,
    /// The digest of the content, 32 bytes.
    pub fingerprint: Vec<u8>,
    /// The content.
    pub content: Sealed,
    /// The answer.
    pub outcome: Sealed,
    /// The policy's sequence.
    pub policy_sequence: Option<u64>,
    /// The policy of that sequence.
    pub policy: Option<PolicyRow>,
}

/// A policy, with what it hangs together with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRow {
    /// Its sequence.
    pub sequence: u64,
    /// Its number.
    pub policy_no: String,
    /// Who sold it.
    pub partner: String,
    /// Its product.
    pub product_code: String,
    /// The platform's idempotency key.
    pub identifier: String,
    /// The platform's number of it.
    pub insure_id: String,
    /// Decimal text.
    pub amount: String,
    /// Decimal text.
    pub premium: String,
    /// Decimal text.
    pub premium_of_cny: String,
    /// The currency's code.
    pub currency: String,
    /// The first moment insured, in epoch milliseconds.
    pub effect_ms: i64,
    /// The last moment insured, in epoch milliseconds.
    pub expire_ms: i64,
    /// The state's name.
    pub state: String,
}

/// A policy with the rows that it needs.
pub struct LinkedPolicy {
    /// The policy.
    pub policy: PolicyRow,
    /// The sequence of which the answer speaks in whose content the policy's parties are; `None` where there is no such
    /// answer, or where it speaks of no policy.
    pub answer_sequence: Option<u64>,
    /// How it ended.
    pub ending: Option<EndingRow>,
}

/// A policy that was issued, and its parties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parties {
    /// The message that it was issued on.
    pub message_id: u64,
    /// Its number.
    pub policy_no: PolicyNumber,
    /// Their names and numbers in the blind index.
    pub people: Vec<BlindIndex>,
}

/// How a policy ended.
pub struct EndingRow {
    /// The message that ended it.
    pub message_id: u64,
    /// The name of the state that it came into.
    pub kind: String,
}

/// A recovery or an auction's stage, by what it and its event have in common.
pub struct FactRow {
    /// The message that brought it.
    pub message_id: u64,
    /// The fact.
    pub fact: Fact,
}

/// What was recorded besides policies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Fact {
    /// A recovery.
    Recovery {
        /// Who reported it.
        partner: String,
        /// The platform's idempotency key.
        identifier: String,
    },
    /// A stage of an auction's insurance.
    Stage {
        /// 拍卖业务编号.
        biz_id: String,
        /// 保险类型, as its number.
        insurance_type: u8,
        /// 保险阶段, as its number.
        stage: u8,
        /// 状态, as its number.
        status: u8,
    },
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recovery { partner, identifier } => write!(f, "recovery {partner}/{identifier}"),
            Self::Stage { biz_id, insurance_type, stage, status } => {
                write!(f, "auction {biz_id}, insurance type {insurance_type}, stage {stage}, status {status}")
            }
        }
    }
}

/// An event, with the policy that it names.
pub struct EventRow {
    /// By what it is found.
    pub name: String,
    /// Its place in the feed; `None` where it has none yet.
    pub position: Option<u64>,
    /// Whether it is waiting for its place.
    pub is_pending: bool,
    /// Its type.
    pub kind: String,
    /// JSON.
    pub payload: String,
    /// The number that it names.
    pub policy_no: Option<String>,
    /// The policy of that number's sequence.
    pub policy: Option<PolicyRow>,
}

/// A document that was kept.
pub struct DocumentEvidence {
    /// The sequence of its policy.
    pub policy_sequence: u64,
    /// Whether that policy is there.
    pub has_policy: bool,
    /// The digest of the PDF, 32 bytes.
    pub sha256: Vec<u8>,
    /// The PDF.
    pub pdf: Sealed,
}

/// A notice.
pub struct NoticeEvidence {
    /// Its number.
    pub id: u64,
    /// What order is kept by.
    pub subject: String,
    /// Its kind.
    pub kind: String,
    /// What it says.
    pub content: Sealed,
    /// The message that caused it.
    pub cause_message_id: Option<u64>,
}

/// A message that came again with other content.
pub struct ConflictEvidence {
    /// The second message.
    pub message_id: u64,
    /// The first.
    pub first_message_id: u64,
    /// The second content.
    pub content: Sealed,
}

/// How far the numbers of a block are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberUse {
    /// Of what.
    pub block: NumberBlock,
    /// The first that was never set aside.
    pub next: u64,
    /// The highest that stands in a row, without the bucket that numbers of messages and notices carry.
    pub highest: Option<u64>,
}

/// How closely a database looks at its own files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileCheck {
    /// Pages, rows and references, and that every row is in every index: in a file larger than memory, a read from the disk
    /// for each.
    Whole,
    /// Pages, rows and references.
    Quick,
}

/// A ledger that can be looked through row by row, while gateways work on it. Each row is handed over with what was
/// joined to it at one moment; two rows may be of different moments.
pub trait Evidence: Send + Sync {
    /// What the database itself finds wrong with its files, in its own words; nothing where it has tools of its own. `begin`
    /// hears what is looked at, before it is: it may take minutes.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn damage(&self, check: FileCheck, begin: &mut dyn FnMut(&'static str)) -> Result<Vec<String>, StoreError>;

    /// How far numbers are used up.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn numbers(&self) -> Result<Vec<NumberUse>, StoreError>;

    /// The last place in the feed that is taken; 0 where none is.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn last_position(&self) -> Result<u64, StoreError>;

    /// Whether an answer was given to that message.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn has_answer(&self, message_id: u64) -> Result<bool, StoreError>;

    /// All answers.
    ///
    /// # Errors
    /// When the database cannot be read, or as `take`.
    fn answers(&self, take: &mut Take<'_, AnswerRow>) -> Result<(), StoreError>;

    /// All policies.
    ///
    /// # Errors
    /// When the database cannot be read, or as `take`.
    fn policies(&self, take: &mut Take<'_, LinkedPolicy>) -> Result<(), StoreError>;

    /// All recoveries and auctions' stages.
    ///
    /// # Errors
    /// When the database cannot be read, or as `take`.
    fn facts(&self, take: &mut Take<'_, FactRow>) -> Result<(), StoreError>;

    /// All events.
    ///
    /// # Errors
    /// When the database cannot be read, or as `take`.
    fn events(&self, take: &mut Take<'_, EventRow>) -> Result<(), StoreError>;

    /// All documents.
    ///
    /// # Errors
    /// When the database cannot be read, or as `take`.
    fn documents(&self, take: &mut Take<'_, DocumentEvidence>) -> Result<(), StoreError>;

    /// All notices.
    ///
    /// # Errors
    /// When the database cannot be read, or as `take`.
    fn notices(&self, take: &mut Take<'_, NoticeEvidence>) -> Result<(), StoreError>;

    /// All contents that contradict an earlier one.
    ///
    /// # Errors
    /// When the database cannot be read, or as `take`.
    fn conflicts(&self, take: &mut Take<'_, ConflictEvidence>) -> Result<(), StoreError>;

    /// Those of these policies that the index does not lead to from all of their parties, with the parties from whom it does
    /// not; policies that wait for their names to be put there are passed over.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn unfound(&self, policies: &[Parties]) -> Result<Vec<Parties>, StoreError>;

    /// As [`unfound`](Self::unfound), of all policies that the index has lost since they were put there, as far as that is
    /// looked for apart from them.
    ///
    /// # Errors
    /// When the database cannot be read, or as `take`.
    fn lost(&self, take: &mut Take<'_, Vec<Parties>>) -> Result<(), StoreError>;

    /// The subjects whose first open notice waits for none, and is yet not to be sent.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn stuck_subjects(&self) -> Result<Vec<String>, StoreError>;
}
