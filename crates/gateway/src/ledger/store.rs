//! What the engine asks of a database: one batch in one transaction, and a few look-ups.

use jiff::Timestamp;

use baoqiao_domain::auction::AuctionCase;
use baoqiao_domain::bucket::Bucket;
use baoqiao_domain::event::Event;
use baoqiao_domain::idempotency::{Fingerprint, IdempotencyKey, MessageUuid};
use baoqiao_domain::ledger::Change;
use baoqiao_domain::policy::Policy;
use baoqiao_domain::policy_number::PolicyNumber;

use crate::outbox::store::NoticeRow;
use crate::vault::{BlindIndex, Sealed};

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The message that was answered first.
    pub message_id: u64,
    /// The digest of its content.
    pub fingerprint: Fingerprint,
    /// Its decoded content.
    pub content: Sealed,
    /// The answer.
    pub outcome: Sealed,
}

/// How a message ended, as the traffic record tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Carried out, for the first time.
    Accepted,
    /// A copy of what was carried out: answered again.
    Replayed,
    /// A key that came before with other content.
    Conflicting,
    /// Not carried out.
    Refused,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Replayed, Self::Conflicting, Self::Refused];

    /// The verdict of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == name)
    }

    /// The name in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Replayed => "replayed",
            Self::Conflicting => "conflicting",
            Self::Refused => "refused",
        }
    }
}

/// What is known of a message before it is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// When it had arrived whole.
    pub received_at: Timestamp,
    /// The channel's name.
    pub channel: &'static str,
    /// Channel and interface; `None` where it is for no interface.
    pub scope: Option<&'static str>,
    /// The caller's id in the configuration.
    pub caller: String,
    /// Which of the caller's secrets verified it.
    pub secret_index: usize,
    /// The address it came from.
    pub peer: String,
    /// The request as it came.
    pub request: Sealed,
}

/// A message with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRow {
    /// Its number, unique over the ledger and tagged with its bucket.
    pub id: u64,
    /// What was known on arrival.
    pub arrival: Arrival,
    /// Its idempotency key, where one was read.
    pub key: Option<String>,
    /// How it ended.
    pub verdict: Verdict,
    /// The refusal's code.
    pub code: Option<&'static str>,
    /// The policy it is about.
    pub policy_sequence: Option<u64>,
    /// The reply as it went out.
    pub reply: Sealed,
}

/// A message of somebody who could not be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrangerRow {
    /// Its number among strangers' messages; its place in the ring is the number modulo the ring's size.
    pub number: u64,
    /// How many the ring holds.
    pub ring_size: u64,
    /// When it arrived.
    pub received_at: Timestamp,
    /// The channel's name.
    pub channel: &'static str,
    /// The address it came from.
    pub peer: String,
    /// Why it was not believed.
    pub reason: String,
    /// How long the body was, of which only the beginning is kept.
    pub body_bytes: usize,
    /// The request, its body cut off.
    pub request: Sealed,
}

/// What an accepted command brings into the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedRow {
    /// The key under which the answer is kept.
    pub key: IdempotencyKey,
    /// The answer with the content it was given to.
    pub answer: StoredAnswer,
    /// What changed.
    pub changes: Vec<Change>,
    /// The policy that the answer is about, by the sequence in its number.
    pub policy_sequence: Option<u64>,
    /// The numbers by which the parties of a policy that came into being are found.
    pub people: Vec<BlindIndex>,
    /// What happened.
    pub events: Vec<Event>,
}

/// A message's own identity, with the digest of the one content that it may stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UuidRow {
    /// The identity.
    pub uuid: MessageUuid,
    /// The digest of the content.
    pub fingerprint: Fingerprint,
    /// The message that brought it first.
    pub message_id: u64,
}

/// A key under which an answer may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedKey<'a> {
    /// The key.
    pub key: &'a IdempotencyKey,
    /// Where the answer is kept, if the message is carried out now.
    pub bucket: Bucket,
    /// Whether the key alone says so: where it does not, an answer to it may be kept in another bucket.
    pub is_placed_by_key: bool,
}

/// A message's own identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedUuid<'a> {
    /// The identity.
    pub uuid: &'a MessageUuid,
    /// Where it is kept, if the message is answered now.
    pub bucket: Bucket,
}

/// What a batch refers to. Within a batch, a key or an identity stands for one bucket.
#[derive(Debug, Default)]
pub struct Wanted<'a> {
    /// Keys under which an answer may be kept.
    pub keys: Vec<WantedKey<'a>>,
    /// Messages' own identities.
    pub uuids: Vec<WantedUuid<'a>>,
    /// Policies.
    pub policies: Vec<PolicyNumber>,
    /// Auctions, by their `biz_id`.
    pub auctions: Vec<&'a str>,
}

/// What of it the ledger holds.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The answers, in the order of the keys.
    pub answers: Vec<Option<StoredAnswer>>,
    /// The identities that were accepted before.
    pub uuids: Vec<(MessageUuid, Fingerprint)>,
    /// The policies that exist.
    pub policies: Vec<Policy>,
    /// The auctions that exist.
    pub auctions: Vec<AuctionCase>,
}

/// A key that came again with other content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictRow {
    /// The second message.
    pub message_id: u64,
    /// The first.
    pub first_message_id: u64,
    /// The paths of the fields that differ.
    pub differing: Vec<String>,
    /// The second's content.
    pub content: Sealed,
}

/// All that one batch writes.
#[derive(Debug, Default)]
pub struct Writes {
    /// The moment of the batch.
    pub at: Timestamp,
    /// What was accepted.
    pub accepted: Vec<AcceptedRow>,
    /// Identities of messages that were answered with an outcome.
    pub uuids: Vec<UuidRow>,
    /// Conflicts.
    pub conflicts: Vec<ConflictRow>,
    /// The traffic record.
    pub messages: Vec<MessageRow>,
    /// The traffic record of strangers.
    pub strangers: Vec<StrangerRow>,
    /// Documents made.
    pub documents: Vec<DocumentRow>,
    /// Notices to be sent, in the order in which they were decided.
    pub notices: Vec<NoticeRow>,
}

/// A policy's document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRow {
    /// The policy.
    pub policy_no: PolicyNumber,
    /// SHA-256 of the PDF.
    pub sha256: [u8; 32],
    /// SHA-256 of the template it was laid out from.
    pub template_sha256: [u8; 32],
    /// When it was made.
    pub made_at: Timestamp,
    /// The PDF.
    pub pdf: Sealed,
}

/// A policy with its sealed content, as people and documents need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRecord {
    /// The policy.
    pub policy: Policy,
    /// The decoded content it was issued on.
    pub content: Sealed,
}

/// Numbers of one kind that a node hands out by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberBlock {
    /// Policy sequences.
    Policy,
    /// Message ids.
    Message,
    /// Numbers of strangers' messages.
    Stranger,
    /// Numbers of notices, where the database does not number them by itself.
    Notice,
}

impl NumberBlock {
    /// The name in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Message => "message",
            Self::Stranger => "stranger",
            Self::Notice => "notice",
        }
    }
}

/// Why the database did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{context}: {reason}")]
pub struct StoreError {
    /// What was being done.
    pub context: &'static str,
    /// What the database says, without any value of a row.
    pub reason: String,
}

/// What to write over what was found of what a batch refers to.
pub type Decide<'a> = dyn FnMut(Loaded) -> Result<Writes, StoreError> + 'a;

/// The writing side of a database; one thread owns it.
pub trait Store: Send {
    /// Sets numbers aside durably and returns the first of them.
    ///
    /// # Errors
    /// When the database cannot be written.
    fn reserve(&mut self, block: NumberBlock, count: u64) -> Result<u64, StoreError>;

    /// Finds out whether a message could be written, by writing as much, durably.
    ///
    /// # Errors
    /// When it could not.
    fn probe(&mut self) -> Result<(), StoreError> {
        self.reserve(NumberBlock::Message, 1).map(|_| ())
    }

    /// One batch in one durable transaction: loads what is `wanted`, lets `decide` say what to write over it, writes,
    /// commits. A store that loses a race calls `decide` again.
    ///
    /// # Errors
    /// When the database cannot be read or written; then nothing was written.
    fn transact(&mut self, wanted: &Wanted<'_>, decide: &mut Decide<'_>) -> Result<(), StoreError>;
}

/// The reading side of a database, for any number of threads.
pub trait Reader: Send + Sync {
    /// The policy of that number.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn policy(&self, number: &PolicyNumber) -> Result<Option<PolicyRecord>, StoreError>;

    /// The policy issued under an interface's key.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn policy_by_key(&self, scope: &str, key: &str) -> Result<Option<PolicyRecord>, StoreError>;

    /// The policies in which a person takes part, the newest first, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn policies_of_person(&self, person: BlindIndex, limit: usize) -> Result<Vec<PolicyRecord>, StoreError>;

    /// The document kept for a policy.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn document(&self, policy_no: &PolicyNumber) -> Result<Option<DocumentRow>, StoreError>;
}
