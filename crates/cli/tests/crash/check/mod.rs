//! The judge. It sees the clients' log, the answers to a census over the wire, and the platform's log; no database, no file
//! and no log of a gateway. So what it finds is what a platform, a core system or an auditor would find.
//!
//! [`violations`] is pure; each law has a test that shows it broken by a bad log.

mod answers;
mod events;
mod notices;
mod policies;

use std::collections::BTreeMap;
use std::fmt;

use crate::census::Census;
use crate::journal::{Attempt, Moment};
use crate::order::{Interface, Notice, Order};

/// A promise of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Law {
    /// A key has one answer, for ever, byte for byte.
    SameAnswer,
    /// A key stands for one content.
    OneContent,
    /// What was acknowledged is never refused afterwards.
    NotForgotten,
    /// A refusal has its reason in what was sent.
    ReasonedRefusal,
    /// What is asked back in the end is answered, and what was acknowledged with its answer.
    AskedBack,
    /// No two keys share a policy number.
    OwnNumber,
    /// A policy ends once.
    OneEnding,
    /// What was acknowledged is in the ledger once, and what is in the ledger was sent.
    OnceInLedger,
    /// What the platform must be told it was told, and nothing else.
    Noticed,
    /// Notices about one subject come in the order of their causes, none overtaking another.
    NoticesInOrder,
    /// The feed tells of each acknowledged command once, and of nothing else.
    Told,
    /// The feed's order is that of the commands, and all its readers read the same.
    FeedInOrder,
}

/// A promise broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) law: Law,
    pub(crate) detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.law, self.detail)
    }
}

/// What the judge sees.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// The clients' log, in the order in which attempts ended.
    pub(crate) attempts: Vec<Attempt>,
    /// From when on every key was asked back.
    pub(crate) asked_back_from: Moment,
    /// What lists and feed showed in the end.
    pub(crate) census: Census,
    /// What reached the platform, in order, and whether it was taken.
    pub(crate) arrivals: Vec<Arrival>,
}

/// A notice that reached the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) notice: Notice,
    /// Whether the platform has it now, whatever it answered.
    pub(crate) taken: bool,
}

/// A command that was acknowledged.
#[derive(Debug)]
struct Accepted<'a> {
    order: &'a Order,
    /// The first answer.
    said: &'a str,
    /// When it was first sent.
    begun: Moment,
    /// When it was first acknowledged.
    acknowledged: Moment,
}

/// What was acknowledged, by its key.
type Acknowledged<'a> = BTreeMap<(Interface, &'a str), Accepted<'a>>;

/// Every promise that the evidence shows broken.
pub(crate) fn violations(evidence: &Evidence) -> Vec<Violation> {
    let acknowledged = answers::acknowledged(&evidence.attempts);
    let mut found = answers::violations(evidence, &acknowledged);
    found.extend(policies::violations(evidence, &acknowledged));
    found.extend(notices::violations(evidence, &acknowledged));
    found.extend(events::violations(evidence, &acknowledged));
    found
}

#[cfg(test)]
mod tests;
