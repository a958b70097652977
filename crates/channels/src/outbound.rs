//! What an interface that we call is to the gateway.
//!
//! The outbox asks [`Outbound::request`] for a request, signed anew at each attempt, sends it, and asks
//! [`Outbound::verdict`] what came of it. No method has a default: a default that says "delivered" is how notices
//! get lost.

use baoqiao_domain::notice::{Notice, NoticeKind};
use bytes::Bytes;
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};

use crate::access::Secret;
use crate::channel::{Examples, Label};
use crate::explain::Words;
use crate::sign_method::SignMethod;

/// How the platform is asked to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AnswerFormat {
    /// `format=json`.
    #[default]
    Json,
    /// `format=xml`, TOP's own default.
    Xml,
}

impl AnswerFormat {
    /// The value of `format`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Xml => "xml",
        }
    }

    /// Reads the value of `format`.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Json, Self::Xml].into_iter().find(|format| format.as_str() == name)
    }
}

/// Our application at the platform, with which a partner is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopApp {
    /// `app_key`: also what the call rate is kept by.
    pub app_key: String,
    /// The secret to sign with. Where two are live, the newer: the platform knows it already.
    pub secret: Secret,
    /// `sign_method`.
    pub sign_method: SignMethod,
    /// `format`.
    pub format: AnswerFormat,
    /// `session`, where the platform wants one; not sent when absent.
    pub session: Option<Secret>,
    /// `partner_id`; not sent when absent.
    pub partner_id: Option<String>,
    /// `target_app_key`; not sent when absent.
    pub target_app_key: Option<String>,
}

/// A request to send by `POST`; the address is the outbox's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundRequest {
    /// The query string, without the question mark; it holds the signature, so it belongs in no log.
    pub query: String,
    /// The headers that the interface wants. `Accept-Encoding`, `Content-Length` and `Host` are the transport's.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// What came of sending it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboundResponse {
    /// An answer, its body whole and decompressed.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The headers.
        headers: HeaderMap,
        /// The body.
        body: Bytes,
    },
    /// No whole answer in time. The platform may have taken the message.
    TimedOut,
    /// No connection, a broken one, or an answer that could not be read. Taken or not is unknown.
    NetworkFailed {
        /// What failed, for people.
        detail: String,
    },
}

/// What is to be done with the notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The platform has taken it.
    Delivered,
    /// The platform is at fault, or nobody knows: send it again.
    Retry {
        /// Not before that much time, where the other side said so; else as the back-off says.
        after: Option<SignedDuration>,
    },
    /// Too fast: no call with this application key for a while, then send it again.
    SlowDown {
        /// How long, where the platform said so; else as the outbox is configured.
        pause: Option<SignedDuration>,
    },
    /// We are at fault, or the platform refuses the content: sending it again changes nothing, a person must look.
    Dead,
}

impl Verdict {
    /// Its name in the ledger and in `docs/verdicts.md`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retry { .. } => "retry",
            Self::SlowDown { .. } => "slow-down",
            Self::Dead => "dead",
        }
    }
}

/// A verdict with what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The name of the rule that decided, as `docs/verdicts.md` lists it, such as `caller-error`.
    pub rule: &'static str,
    /// What the platform said, or what failed, in one line for people: codes and messages, no personal data of ours.
    pub detail: String,
}

/// A notice was handed to the interface of another kind: a mistake in the program, told instead of a panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongInterface {
    /// The kind of notice that the interface sends.
    pub interface: NoticeKind,
    /// The kind that came.
    pub notice: NoticeKind,
}

impl std::fmt::Display for WrongInterface {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a notice of kind {} cannot go by the interface of {}", self.notice, self.interface)
    }
}

impl std::error::Error for WrongInterface {}

/// One interface that we call.
pub trait Outbound: Send + Sync {
    /// The kind of notice that it sends.
    fn kind(&self) -> NoticeKind;

    /// Its name, for people.
    fn label(&self) -> Label;

    /// The `method` on the wire.
    fn method(&self) -> &'static str;

    /// What its document shows of it: a request as it travels, and an answer that takes it.
    fn examples(&self) -> Examples;

    /// The request for one attempt at `now`, signed.
    ///
    /// # Errors
    /// [`WrongInterface`] when the notice is of another kind.
    fn request(&self, notice: &Notice, app: &TopApp, now: Timestamp) -> Result<OutboundRequest, WrongInterface>;

    /// What the response means.
    fn verdict(&self, response: &OutboundResponse) -> Judgement;
}

/// Why the row of that name decides as it does, for people; the names stand in attempts and in `docs/verdicts.md`.
pub fn why(rule: &str) -> Option<Words> {
    if let Some(row) = crate::top::verdict::RULES.iter().find(|row| row.name == rule) {
        return Some(Words::new(row.why_zh, row.why));
    }
    let (zh, en) = match rule {
        "webhook-taken" => ("接收端答复 2xx：已收到。", "The endpoint answered 2xx: it has the event."),
        "webhook-gone" => ("接收端答复 410：不再接收事件。", "The endpoint answered 410: it wants no more events."),
        "webhook-too-fast" => ("接收端答复 429：推送过快。", "The endpoint answered 429: it is pushed to too fast."),
        "webhook-refused" => {
            ("接收端没有答复 2xx，也没有说不再接收。", "The endpoint did not answer 2xx, nor that it wants no more.")
        }
        "webhook-timeout" => {
            ("超时不等于拒绝：接收端可能已收到。", "A timeout is not a no: the endpoint may have the event.")
        }
        "webhook-network" => {
            ("连接失败，可能在收到之前，也可能在之后。", "The connection failed, before or after the event was taken.")
        }
        "key-missing" => (
            "密钥文件缺少通知所用的密封密钥，未发出；补上密钥文件并重启后自动发送。",
            "The key file lacks the key that the notice is sealed with: it was not sent, and is once the key file has it and the gateway was restarted.",
        ),
        "unsendable" => (
            "通知无法组成请求，从未发出；原因见说明。",
            "The notice could not be made into a request and was never sent; the detail says why.",
        ),
        _ => return None,
    };
    Some(Words::new(zh, en))
}

/// The interface that sends notices of that kind.
pub fn outbound_for(kind: NoticeKind) -> Option<&'static dyn Outbound> {
    crate::OUTBOUND.iter().copied().find(|interface| interface.kind() == kind)
}
