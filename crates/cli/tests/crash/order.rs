//! A command under its key: what a client may send again and again, and what must come of it once.

use serde_json::Value;

/// Which interface a command goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Interface {
    /// Qimen, 出单.
    Issuing,
    /// Qimen, 追缴.
    Recovery,
    /// Avatar, 解约.
    Rescission,
    /// The API, 退保.
    Surrender,
    /// The API, 拍卖保险.
    AuctionStage,
}

impl Interface {
    /// Whether it ends a policy.
    pub(crate) fn ends_a_policy(self) -> bool {
        matches!(self, Self::Rescission | Self::Surrender)
    }
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Order {
    pub(crate) interface: Interface,
    /// Its idempotency key.
    pub(crate) key: String,
    /// What it is about: the policy's number, the auction's `biz_id`; of an issuing its key.
    pub(crate) subject: String,
    /// The business content; another under the same key is a conflict.
    pub(crate) content: Value,
}

/// What the platform is to be told, as far as it tells one notice from others.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Notice {
    /// The policy or the auction: notices about it come in order.
    pub(crate) subject: String,
    /// Which of them.
    pub(crate) mark: String,
}

/// What the event feed is to tell, as far as it tells one event from others.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Fact {
    pub(crate) kind: String,
    pub(crate) mark: String,
}

fn text(content: &Value, path: &str) -> String {
    match content.pointer(path) {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn joined(content: &Value, paths: &[&str]) -> String {
    paths.iter().map(|path| text(content, path)).collect::<Vec<_>>().join(" ")
}

impl Order {
    /// What the platform must be told when this is accepted.
    pub(crate) fn notice(&self) -> Option<Notice> {
        let mark = match self.interface {
            Interface::Issuing | Interface::Recovery => return None,
            Interface::Rescission => format!("{} ", text(&self.content, "/secondRefundReq/secondRefundAmount")),
            Interface::Surrender => joined(&self.content, &["/refundMoney", "/endorsementNo"]),
            Interface::AuctionStage => joined(&self.content, &["/stage", "/status", "/requestId"]),
        };
        Some(Notice { subject: self.subject.clone(), mark })
    }

    /// What the event feed must tell once when this is accepted.
    pub(crate) fn fact(&self) -> Fact {
        let (kind, mark) = match self.interface {
            Interface::Issuing => ("policy.issued", self.key.clone()),
            Interface::Recovery => ("recovery.recorded", self.key.clone()),
            Interface::Rescission => ("policy.rescinded", self.key.clone()),
            Interface::Surrender => ("policy.surrendered", self.subject.clone()),
            Interface::AuctionStage => {
                let path = ["/stage", "/status", "/timeOfOccurrence"];
                ("auction.stage-reported", format!("{} {}", self.subject, joined(&self.content, &path)))
            }
        };
        Fact { kind: kind.to_owned(), mark }
    }
}

impl Notice {
    /// The notice in a call that reached the platform.
    pub(crate) fn received(content: &Value) -> Self {
        if content.get("biz_id").is_some() {
            let mark = joined(content, &["/stage", "/status", "/request_id"]);
            return Self { subject: text(content, "/biz_id"), mark };
        }
        let mark = joined(content, &["/refund_money", "/endorsement_no"]);
        Self { subject: text(content, "/inst_policy_id"), mark }
    }
}

impl Fact {
    /// The fact in an event's type and data.
    pub(crate) fn told(kind: &str, data: &Value) -> Self {
        let mark = match kind {
            "policy.issued" | "recovery.recorded" => text(data, "/identifier"),
            "policy.rescinded" => text(data, "/orderNo"),
            "policy.surrendered" => text(data, "/policyNo"),
            _ => joined(data, &["/bizId", "/stage", "/status", "/timeOfOccurrence"]),
        };
        Self { kind: kind.to_owned(), mark }
    }
}
