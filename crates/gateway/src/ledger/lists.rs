//! What people and other systems look through: lists, the newest first, and the events in their order.
//!
//! A list is read in slices. A slice may hold fewer rows than were asked for, even none, and still go on: a filter that
//! fits one row in a million must not make one call read a million rows. It has ended when there is no `next`.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use baoqiao_domain::policy::{Policy, PolicyState};
use baoqiao_domain::policy_number::PolicyNumber;

use super::store::StoreError;
use crate::vault::Sealed;

/// How many rows one call looks at.
pub const MAX_EXAMINED: usize = 20_000;
/// How many messages one call looks at: each holds what was said, and so they lie far apart.
pub const MAX_MESSAGES_EXAMINED: usize = 4_000;

/// One piece of a list, and where the next begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice<T, P> {
    /// What fits the filter, in the list's order.
    pub items: Vec<T>,
    /// Where to go on; `None` at the end.
    pub next: Option<P>,
}

/// A place in the list of policies: just after this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyPlace {
    /// When it was issued, in epoch milliseconds.
    pub issued_ms: i64,
    /// Its sequence.
    pub sequence: u64,
}

/// Writes places as two numbers with a comma between them, and reads them back.
macro_rules! place_as_text {
    ($place:ident { $first:ident, $second:ident }) => {
        impl fmt::Display for $place {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{},{}", self.$first, self.$second)
            }
        }

        impl FromStr for $place {
            type Err = NotAPlace;

            fn from_str(text: &str) -> Result<Self, NotAPlace> {
                let (first, second) = text.split_once(',').ok_or(NotAPlace)?;
                let ($first, $second) = (first.parse().map_err(|_| NotAPlace)?, second.parse().map_err(|_| NotAPlace)?);
                Ok(Self { $first, $second })
            }
        }
    };
}

/// A text that is no place in that list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a place in the list")]
pub struct NotAPlace;

place_as_text!(PolicyPlace { issued_ms, sequence });
place_as_text!(MessagePlace { received_ms, id });

/// Which policies are meant; what is `None` does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyFilter {
    /// Sold by this partner.
    pub partner: Option<String>,
    /// Of this product.
    pub product_code: Option<String>,
    /// In this state.
    pub state: Option<PolicyState>,
    /// Issued then or later.
    pub issued_from: Option<Timestamp>,
    /// Issued before that.
    pub issued_to: Option<Timestamp>,
}

/// How a policy ended before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndingRecord {
    /// The message that ended it.
    pub message_id: u64,
    /// `rescinded` or `surrendered`.
    pub kind: String,
    /// Who asked.
    pub asked_by: String,
    /// The `orderNo` of a rescission.
    pub order_no: Option<String>,
    /// What is refunded, in yuan.
    pub refund_amount: Option<String>,
    /// When.
    pub ended_at: Timestamp,
}

/// A recovery as it is listed. Amounts are decimal text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryRecord {
    /// The message that brought it; the order of the list.
    pub message_id: u64,
    /// Who reported it.
    pub partner: String,
    /// The platform's idempotency key.
    pub identifier: String,
    /// 机构.
    pub institution: String,
    /// Its product.
    pub product_code: String,
    /// The policy number as it came.
    pub stated_policy_no: Option<String>,
    /// The policy beside which it is recorded.
    pub policy_no: Option<PolicyNumber>,
    /// Why it is recorded beside none.
    pub unmatched: Option<String>,
    /// In `currency`.
    pub recover_amount: Option<String>,
    /// The currency's code.
    pub currency: Option<String>,
    /// Yuan for one unit of `currency`.
    pub currency_rate: Option<String>,
    /// In yuan.
    pub recover_amount_of_cny: Option<String>,
    /// In yuan.
    pub recover_cost_of_cny: Option<String>,
    /// When it was recovered.
    pub recovered_at: Option<Timestamp>,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Where it disagrees with itself, as JSON.
    pub discrepancies: String,
}

/// Which recoveries are meant; what is `None` does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoveryFilter {
    /// Reported by this partner.
    pub partner: Option<String>,
    /// Recorded beside this policy.
    pub policy_no: Option<PolicyNumber>,
    /// Recorded beside a policy, or beside none.
    pub matched: Option<bool>,
    /// With amounts that disagree, or without.
    pub discrepant: Option<bool>,
}

/// A place in the list of messages: just after this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessagePlace {
    /// When it had arrived, in epoch milliseconds.
    pub received_ms: i64,
    /// Its number.
    pub id: u64,
}

/// A message as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRecord {
    /// Its number.
    pub id: u64,
    /// When it had arrived whole.
    pub received_at: Timestamp,
    /// The channel's name.
    pub channel: String,
    /// Channel and interface.
    pub scope: Option<String>,
    /// The caller's id.
    pub caller: String,
    /// Which of the caller's secrets it was signed with, counted from 0.
    pub secret_index: u64,
    /// The address it came from.
    pub peer: String,
    /// Its idempotency key.
    pub key: Option<String>,
    /// How it ended.
    pub verdict: String,
    /// The refusal's code.
    pub code: Option<String>,
    /// The policy it is about.
    pub policy_no: Option<String>,
}

/// A message with what was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeMessage {
    /// What is listed of it.
    pub record: MessageRecord,
    /// The request as it came.
    pub request: Sealed,
    /// The reply as it went out.
    pub reply: Sealed,
    /// Where it came under a key that was used before with other content: the two.
    pub conflict: Option<ConflictRecord>,
}

/// Two contents under one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictRecord {
    /// The message that was first, and whose content stays.
    pub first_message_id: u64,
    /// The paths of the fields that differ, as JSON, as the caller was told them.
    pub differing: String,
    /// What the first said.
    pub first: Sealed,
    /// What this one said.
    pub second: Sealed,
}

/// Which messages are meant; what is `None` does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageFilter {
    /// Of this channel.
    pub channel: Option<String>,
    /// Of this channel and interface.
    pub scope: Option<String>,
    /// Of this caller.
    pub caller: Option<String>,
    /// Under this idempotency key.
    pub key: Option<String>,
    /// That ended so.
    pub verdict: Option<String>,
    /// Refused with this code.
    pub code: Option<String>,
    /// That arrived then or later.
    pub from: Option<Timestamp>,
    /// That arrived before that.
    pub to: Option<Timestamp>,
}

/// How a known caller has signed lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretUse {
    /// The caller's id.
    pub caller: String,
    /// Which of the caller's secrets, counted from 0.
    pub secret_index: u64,
    /// How many messages were signed with it.
    pub messages: u64,
    /// When the last of them had arrived.
    pub last_at: Timestamp,
}

/// A stranger's message as it is listed: of its caller nothing was believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrangerRecord {
    /// Its number; the order of the list.
    pub number: u64,
    /// When it had arrived.
    pub received_at: Timestamp,
    /// The channel's name.
    pub channel: String,
    /// The address it came from.
    pub peer: String,
    /// Why it was not believed.
    pub reason: String,
    /// How long its body was.
    pub body_bytes: u64,
}

/// A stranger's message with what is kept of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeStranger {
    /// What is listed of it.
    pub record: StrangerRecord,
    /// The beginning of the request.
    pub request: Sealed,
}

/// An event as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// Its number; the order in which events became durable.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// Its type.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// The event, as JSON.
    pub payload: String,
}

/// The looking side of a database, for any number of threads.
pub trait Lists: Send + Sync {
    /// Policies, the newest first; of two of the same moment the one with the greater sequence.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn policies(
        &self,
        filter: &PolicyFilter,
        after: Option<PolicyPlace>,
        limit: usize,
    ) -> Result<Slice<Policy, PolicyPlace>, StoreError>;

    /// How a policy ended before its time.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn ending(&self, policy_no: &PolicyNumber) -> Result<Option<EndingRecord>, StoreError>;

    /// Recoveries, the newest message first.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn recoveries(
        &self,
        filter: &RecoveryFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Slice<RecoveryRecord, u64>, StoreError>;

    /// The traffic record of known callers, the newest message first; of two of the same moment the one with the greater
    /// number.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn messages(
        &self,
        filter: &MessageFilter,
        after: Option<MessagePlace>,
        limit: usize,
    ) -> Result<Slice<MessageRecord, MessagePlace>, StoreError>;

    /// One message with what was said.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn message(&self, id: u64) -> Result<Option<WholeMessage>, StoreError>;

    /// The policies that the first messages of those conflicts are about, each beside the conflict's message; a conflict whose first is about none is absent.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn policies_of_conflicts(&self, message_ids: &[u64]) -> Result<Vec<(u64, String)>, StoreError>;

    /// Which secrets the newest `examined` messages were signed with, by caller and secret.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn secrets_used(&self, examined: usize) -> Result<Vec<SecretUse>, StoreError>;

    /// The traffic record of strangers, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn strangers(&self, before: Option<u64>, limit: usize) -> Result<Slice<StrangerRecord, u64>, StoreError>;

    /// One stranger's message with what is kept of it.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn stranger(&self, number: u64) -> Result<Option<WholeStranger>, StoreError>;

    /// The events after that number, the oldest first. No event ever appears before one that was already returned: a
    /// reader that goes on from the last it has seen misses none.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn events(&self, after: u64, limit: usize) -> Result<Vec<EventRecord>, StoreError>;
}
