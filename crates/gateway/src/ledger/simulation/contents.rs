//! All that a ledger holds, in a form that two of them can be compared by.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The rows of every table, messages known by the ids that the simulation gave them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// By scope and key: the answer.
    pub(super) answers: BTreeMap<(String, String), Value>,
    /// By number: identifier, partner and state.
    pub(super) policies: BTreeMap<String, [String; 3]>,
    /// By number of the policy that ended: how.
    pub(super) endings: BTreeMap<String, String>,
    /// By identifier: the policy, or why there is none.
    pub(super) recoveries: BTreeMap<String, String>,
    /// Auction, stage and status; sorted, since their order is that of their events.
    pub(super) stages: Vec<[String; 3]>,
    /// Senders and their messages' identities.
    pub(super) uuids: BTreeSet<[String; 2]>,
    /// By message: the fields that differ from the first.
    pub(super) conflicts: BTreeMap<String, Vec<String>>,
    /// By message: verdict and code.
    pub(super) messages: BTreeMap<String, [String; 2]>,
    /// Kind and subject, in order.
    pub(super) events: Vec<[String; 2]>,
    /// Kind, subject and partner, in order.
    pub(super) notices: Vec<[String; 3]>,
}

impl Contents {
    /// Fails where two ledgers differ, and tells in which table.
    pub(super) fn check(&self, expected: &Self) {
        assert_eq!(self.messages, expected.messages, "messages");
        assert_eq!(self.answers, expected.answers, "answers");
        assert_eq!(self.policies, expected.policies, "policies");
        assert_eq!(self.endings, expected.endings, "endings");
        assert_eq!(self.recoveries, expected.recoveries, "recoveries");
        assert_eq!(self.stages, expected.stages, "auction stages");
        assert_eq!(self.uuids, expected.uuids, "identities of messages");
        assert_eq!(self.conflicts, expected.conflicts, "conflicts");
        assert_eq!(self.events, expected.events, "events");
        assert_eq!(self.notices, expected.notices, "notices");
    }
}
