//! What a platform is to be told: decided with its cause, sent later, signed anew for each attempt.
//!
//! A notice holds business content only. Who signs it, when and how is the outbox's and the channel's matter.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::auction::AuctionNotice;
use crate::surrender::SurrenderNotice;
use crate::webhook::WebhookNotice;

/// What kind of notice it is, and with that by which interface it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NoticeKind {
    /// 退保信息同步.
    SurrenderSync,
    /// 保险结果通知.
    AuctionResult,
    /// An event, to one of the insurer's own systems.
    Webhook,
}

impl NoticeKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::SurrenderSync, Self::AuctionResult, Self::Webhook];

    /// Its name in the ledger and for filters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SurrenderSync => "surrender-sync",
            Self::AuctionResult => "auction-result",
            Self::Webhook => "webhook",
        }
    }

    /// Reads the ledger's name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The business content, as the ledger keeps it: no signature, no time of sending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "content")]
pub enum NoticeContent {
    /// A surrender.
    #[serde(rename = "surrender-sync")]
    SurrenderSync(SurrenderNotice),
    /// A stage of an auction's insurance.
    #[serde(rename = "auction-result")]
    AuctionResult(AuctionNotice),
    /// An event.
    #[serde(rename = "webhook")]
    Webhook(WebhookNotice),
}

/// One notification to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its kind; always that of `content`.
    pub kind: NoticeKind,
    /// What order is kept by: `policy:<policyNo>`, `auction:<biz_id>` or `webhook:<id>`. Notices of one subject go one by one.
    pub subject: String,
    /// The partner whose application it is sent with, by its id in the configuration; of a webhook, its subject.
    pub partner: String,
    /// What it says.
    pub content: NoticeContent,
}

impl Notice {
    /// Tells the partner of a surrender, in order with whatever else it is told of that policy.
    pub fn surrender(partner: impl Into<String>, content: SurrenderNotice) -> Self {
        Self::restored(partner, format!("policy:{}", content.inst_policy_id), NoticeContent::SurrenderSync(content))
    }

    /// Tells the partner a stage's result, in order with the other stages of that auction.
    pub fn auction(partner: impl Into<String>, content: AuctionNotice) -> Self {
        Self::restored(partner, format!("auction:{}", content.biz_id), NoticeContent::AuctionResult(content))
    }

    /// Tells an endpoint of the insurer's own what happened, in order with all that it is told.
    pub fn webhook(endpoint: &str, content: WebhookNotice) -> Self {
        let subject = format!("webhook:{endpoint}");
        Self::restored(subject.clone(), subject, NoticeContent::Webhook(content))
    }

    /// A notice as the ledger kept it.
    pub fn restored(partner: impl Into<String>, subject: impl Into<String>, content: NoticeContent) -> Self {
        Self { kind: content.kind(), subject: subject.into(), partner: partner.into(), content }
    }
}

impl NoticeContent {
    /// The kind of notice that this is the content of.
    pub fn kind(&self) -> NoticeKind {
        match self {
            Self::SurrenderSync(_) => NoticeKind::SurrenderSync,
            Self::AuctionResult(_) => NoticeKind::AuctionResult,
            Self::Webhook(_) => NoticeKind::Webhook,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auction::tests::example;

    #[test]
    fn every_kind_reads_back_from_its_name() {
        for kind in NoticeKind::ALL {
            assert_eq!(NoticeKind::from_name(kind.as_str()), Some(kind));
        }
        assert_eq!(NoticeKind::from_name("webhook2"), None);
    }

    #[test]
    fn content_is_stored_under_its_kinds_name_and_read_back() {
        let notice = Notice::auction("auction-house", example());
        assert_eq!((notice.kind, notice.subject.as_str()), (NoticeKind::AuctionResult, "auction:24010900100YSKSSG"));
        let stored = serde_json::to_value(&notice.content).unwrap();
        assert_eq!(stored["kind"], notice.kind.as_str());
        let content: NoticeContent = serde_json::from_value(stored).unwrap();
        assert_eq!(Notice::restored("auction-house", "auction:24010900100YSKSSG", content), notice);
    }

    #[test]
    fn a_surrender_is_kept_in_the_order_of_its_policy() {
        let content = r#"{"kind":"surrender-sync","content":{"instPolicyId":"ZA12345678"}}"#;
        let NoticeContent::SurrenderSync(content) = serde_json::from_str(content).unwrap() else { panic!("another") };
        let notice = Notice::surrender("health", content);
        assert_eq!((notice.kind, notice.subject.as_str()), (NoticeKind::SurrenderSync, "policy:ZA12345678"));
    }
}
