//! What can be wrong with a ledger, each by its name.

use std::fmt;

macro_rules! rules {
    ($($(#[doc = $text:literal])+ $rule:ident = $name:literal,)+) => {
        /// What does not hold. The names are a promise: scripts go by them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $($(#[doc = $text])+ $rule,)+
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$rule),+];

            /// Its name, a heading of `docs/verify.md`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$rule => $name,)+
                }
            }
        }
    };
}

rules! {
    /// The database finds its own files damaged.
    FileDamaged = "file-damaged",
    /// A number stands in a row that was never set aside: it would be given once more.
    NumbersBehind = "numbers-behind",
    /// A kept answer, or the content that it was given to, does not open or read.
    AnswerUnreadable = "answer-unreadable",
    /// The digest beside an answer is not that of the content: its retry would be refused as another message.
    AnswerDigestDiffers = "answer-digest-differs",
    /// An answer says that a policy was issued which is not there.
    AnswerWithoutPolicy = "answer-without-policy",
    /// An answer says that something was recorded which is not there: an end, a recovery, an auction's stage.
    AnswerWithoutRecord = "answer-without-record",
    /// An auction's stage was recorded that no notice tells the platform of.
    AnswerWithoutNotice = "answer-without-notice",
    /// A policy is not what was applied for under its key.
    PolicyDiffers = "policy-differs",
    /// A policy has no answer in whose content its parties are.
    PolicyWithoutAnswer = "policy-without-answer",
    /// A policy is not found by all of its parties: who looks for one of their numbers or names is told too little.
    PolicyNotFound = "policy-not-found",
    /// A policy's state and the record of its end contradict each other.
    PolicyEndDiffers = "policy-end-differs",
    /// A record of an end, a recovery or a stage has no answer.
    RecordWithoutAnswer = "record-without-answer",
    /// A policy, its end, a recovery or a stage of which no event tells.
    StateWithoutEvent = "state-without-event",
    /// An event does not read, or is not of the type or the policy that it is filed under.
    EventUnreadable = "event-unreadable",
    /// An event tells of what is not there.
    EventWithoutState = "event-without-state",
    /// An event tells of a policy otherwise than it is.
    EventDiffers = "event-differs",
    /// An event has no place in the feed and does not wait for one: nobody would ever see it.
    EventWithoutPlace = "event-without-place",
    /// A document of no policy.
    DocumentWithoutPolicy = "document-without-policy",
    /// A document does not open, or is not the one whose digest was kept.
    DocumentAltered = "document-altered",
    /// A notice does not open or read.
    NoticeUnreadable = "notice-unreadable",
    /// A notice whose cause is not there.
    NoticeWithoutCause = "notice-without-cause",
    /// The first notice of a queue waits for nothing, and is yet not to be sent.
    QueueStuck = "queue-stuck",
    /// A contradicting message does not open, or the first message is not there.
    ConflictUnreadable = "conflict-unreadable",
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub rule: Rule,
    /// Of what: a policy's number, a message's, a subject; never personal data.
    pub subject: String,
    /// What was found and what was expected, without any content.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.rule, self.subject, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_explained() {
        let manual = include_str!("../../../../../docs/verify.md");
        for rule in Rule::ALL {
            assert!(manual.contains(&format!("\n### {rule}\n")), "docs/verify.md says nothing about {rule}");
        }
        let headings = manual.lines().filter(|line| line.starts_with("### ")).count();
        assert_eq!(headings, Rule::ALL.len(), "docs/verify.md explains what there is not");
    }
}
