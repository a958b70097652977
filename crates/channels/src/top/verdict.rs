//! What an answer means for the notice: one table, [`RULES`], whose first matching row decides.
//!
//! Who is at fault decides what to do (protocols.md §1): the platform, then try again; our pace, then slow down;
//! the call itself, then a person must look. The body tells; the HTTP status only where the body tells nothing.
//! `docs/verdicts.md` shows the same table, and a test compares the two.

use std::fmt;
use std::ops::RangeInclusive;

use http::HeaderMap;
use http::header::RETRY_AFTER;
use jiff::SignedDuration;
use serde_json::{Map, Value};

use super::answer::{self, Answer, PlatformError, text};
use crate::explain::Words;
use crate::outbound::{Judgement, OutboundResponse, Verdict};

/// The longest wait that the other side may ask for: its daily limits end within a day.
const MAX_WAIT_S: i64 = 24 * 60 * 60;

/// The longest piece of a code or message that is kept in a judgement's detail, in characters.
const MAX_SAID_CHARS: usize = 120;

/// What the fields of a success envelope say of the notice; each interface has its own words for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Acceptance {
    /// Taken.
    Accepted(String),
    /// A business refusal.
    Refused(String),
    /// Neither was said.
    Unsaid(String),
}

/// What a row of the table asks of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// An `error_response` with a `code` in this range.
    Code(RangeInclusive<u32>),
    /// An `error_response` whose `sub_code`, in lower case, begins so.
    SubCode(&'static str),
    /// Any other `error_response`.
    OtherError,
    /// A success envelope that refuses the notice.
    Refused,
    /// A success envelope that accepts the notice.
    Accepted,
    /// A success envelope that does neither.
    Unsaid,
    /// A body that cannot be understood, with an HTTP status in this range.
    Unintelligible(RangeInclusive<u16>),
    /// No whole answer in time.
    TimedOut,
    /// No connection, or a broken one.
    NetworkFailed,
}

/// What a row of the table decides, apart from how long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// [`Verdict::Delivered`].
    Delivered,
    /// [`Verdict::Retry`].
    Retry,
    /// [`Verdict::SlowDown`].
    SlowDown,
    /// [`Verdict::Dead`].
    Dead,
}

/// One row.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name, as attempts keep it.
    pub name: &'static str,
    /// What it asks for.
    pub when: When,
    /// What it decides.
    pub ruling: Ruling,
    /// Why, for people.
    pub why: &'static str,
    /// The same in Chinese.
    pub why_zh: &'static str,
}

const fn rule(name: &'static str, when: When, ruling: Ruling, why: &'static str, why_zh: &'static str) -> Rule {
    Rule { name, when, ruling, why, why_zh }
}

/// The table. The first row that matches decides, so pace comes before fault, and the sub-code, which is the
/// finer of the two, before the code.
pub static RULES: &[Rule] = &[
    rule(
        "app-call-limited",
        When::Code(7..=7),
        Ruling::SlowDown,
        "App call limited: the key is too fast.",
        "应用调用超限：该 app_key 调用过快。",
    ),
    rule(
        "kindred-call-limited",
        When::Code(4..=8),
        Ruling::SlowDown,
        "The other limits: 4 of the user, 5 of the session, 6 of the partner, 8 of the frequency.",
        "其他限额：4 用户、5 会话、6 合作方、8 频率。",
    ),
    rule(
        "isp-call-limited",
        When::SubCode("isp.call-limited"),
        Ruling::SlowDown,
        "The interface is too busy with our calls.",
        "该接口受理我方调用已达上限。",
    ),
    rule(
        "access-limited",
        When::SubCode("accesscontrol.limited-by-"),
        Ruling::SlowDown,
        "A quota is used up; its message says for how long.",
        "配额已用完；其提示写明还要多久。",
    ),
    rule(
        "platform-sub-code",
        When::SubCode("isp."),
        Ruling::Retry,
        "The platform's fault, by its own word.",
        "平台自称是其自身的错误。",
    ),
    rule(
        "caller-sub-code",
        When::SubCode("isv."),
        Ruling::Dead,
        "Our fault: the same call meets the same answer.",
        "我方的错误：原样再发，答复不变。",
    ),
    rule(
        "service-unavailable",
        When::Code(10..=10),
        Ruling::Retry,
        "Service currently unavailable.",
        "平台服务暂不可用。",
    ),
    rule(
        "http-action-not-allowed",
        When::Code(9..=9),
        Ruling::Dead,
        "The address does not take `POST`: the configuration is wrong.",
        "该地址不接受 POST：配置有误。",
    ),
    rule(
        "insufficient-permissions",
        When::Code(11..=13),
        Ruling::Dead,
        "The application lacks a permission (11 of the ISV, 12 of the user, 13 of the partner).",
        "应用缺少权限（11 ISV、12 用户、13 合作方）。",
    ),
    rule(
        "caller-code",
        When::Code(21..=43),
        Ruling::Dead,
        "Method, format, signature, session, key, timestamp, version or arguments are wrong.",
        "方法、格式、签名、会话、app_key、时间戳、版本或参数有误。",
    ),
    rule(
        "remote-service-error",
        When::Code(15..=15),
        Ruling::Retry,
        "Remote service error, and no sub-code lays it at our door.",
        "远程服务出错，且没有子错误码归因于我方。",
    ),
    rule(
        "remote-service-error-50",
        When::Code(50..=50),
        Ruling::Retry,
        "The same under its other number.",
        "同上，另一个编号。",
    ),
    rule(
        "unknown-error",
        When::OtherError,
        Ruling::Retry,
        "Nobody says that it is our fault, and the maximum age bounds the tries.",
        "没有说明是我方的错误；重试以最长时限为界。",
    ),
    rule(
        "business-refusal",
        When::Refused,
        Ruling::Dead,
        "The platform understood the notice and does not want it.",
        "平台读懂了通知，但不予受理。",
    ),
    rule(
        "accepted",
        When::Accepted,
        Ruling::Delivered,
        "The platform says that it has the notice.",
        "平台表示已收到通知。",
    ),
    rule(
        "no-word-of-acceptance",
        When::Unsaid,
        Ruling::Retry,
        "Without a yes nothing counts as delivered; twice is better than never.",
        "没有明确受理就不算送达；宁可重复，不可遗漏。",
    ),
    rule(
        "server-error",
        When::Unintelligible(500..=599),
        Ruling::Retry,
        "HTTP 5xx: the platform, or what stands before it, is down.",
        "HTTP 5xx：平台或其前置设备故障。",
    ),
    rule(
        "unintelligible",
        When::Unintelligible(0..=u16::MAX),
        Ruling::Retry,
        "Something answered that is not TOP; a proxy's page says nothing about the notice, whatever its status.",
        "答复者不是 TOP：代理的页面不论什么状态码，都说明不了通知的结果。",
    ),
    rule(
        "timeout",
        When::TimedOut,
        Ruling::Retry,
        "A timeout is not a no: the platform may have taken the notice.",
        "超时不等于拒绝：平台可能已收到通知。",
    ),
    rule(
        "network-failure",
        When::NetworkFailed,
        Ruling::Retry,
        "The connection failed, before or after the notice was taken.",
        "连接失败，可能在收到通知之前，也可能在之后。",
    ),
];

impl When {
    /// The condition, for people.
    pub fn words(&self) -> Words {
        let zh = match self {
            Self::Code(codes) if codes.start() == codes.end() => {
                format!("`error_response`，`code` 为 {}", codes.start())
            }
            Self::Code(codes) => format!("`error_response`，`code` 为 {} 至 {}", codes.start(), codes.end()),
            Self::SubCode(prefix) => format!("`error_response`，`sub_code` 以 `{prefix}` 开头"),
            Self::OtherError => "其他 `error_response`".to_owned(),
            Self::Refused => "答复成功，内容为拒绝".to_owned(),
            Self::Accepted => "答复成功，内容为接受".to_owned(),
            Self::Unsaid => "答复成功，内容既未接受也未拒绝".to_owned(),
            Self::Unintelligible(statuses) if *statuses.start() == 0 => "报文体无法识别，HTTP 状态码不限".to_owned(),
            Self::Unintelligible(statuses) => {
                format!("报文体无法识别，HTTP 状态码为 {} 至 {}", statuses.start(), statuses.end())
            }
            Self::TimedOut => "没有及时答复".to_owned(),
            Self::NetworkFailed => "无法连接，或连接中断".to_owned(),
        };
        Words::new(zh, self.to_string())
    }
}

impl fmt::Display for When {
    /// The condition, as `docs/verdicts.md` shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(codes) if codes.start() == codes.end() => write!(f, "error_response, `code` {}", codes.start()),
            Self::Code(codes) => write!(f, "error_response, `code` {} to {}", codes.start(), codes.end()),
            Self::SubCode(prefix) => write!(f, "error_response, `sub_code` `{prefix}…`"),
            Self::OtherError => f.write_str("error_response, anything else"),
            Self::Refused => f.write_str("success envelope that refuses"),
            Self::Accepted => f.write_str("success envelope that accepts"),
            Self::Unsaid => f.write_str("success envelope that does neither"),
            Self::Unintelligible(statuses) if *statuses.start() == 0 => {
                f.write_str("body not understood, any HTTP status")
            }
            Self::Unintelligible(statuses) => {
                write!(f, "body not understood, HTTP {} to {}", statuses.start(), statuses.end())
            }
            Self::TimedOut => f.write_str("no answer in time"),
            Self::NetworkFailed => f.write_str("no connection, or a broken one"),
        }
    }
}

impl fmt::Display for Ruling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verdict(None).as_str())
    }
}

impl Ruling {
    fn verdict(self, wait: Option<SignedDuration>) -> Verdict {
        match self {
            Self::Delivered => Verdict::Delivered,
            Self::Retry => Verdict::Retry { after: wait },
            Self::SlowDown => Verdict::SlowDown { pause: wait },
            Self::Dead => Verdict::Dead,
        }
    }
}

/// A response, as far as the table asks about it.
enum Reading {
    Error(PlatformError),
    Envelope(Acceptance),
    Unintelligible { status: u16, why: &'static str, retry_after: Option<SignedDuration> },
    TimedOut,
    NetworkFailed(String),
}

/// Judges the response to a call of `method`; `acceptance` reads the fields of its success envelope.
pub(super) fn judge(
    response: &OutboundResponse,
    method: &str,
    acceptance: fn(&Map<String, Value>) -> Acceptance,
) -> Judgement {
    let reading = match response {
        OutboundResponse::TimedOut => Reading::TimedOut,
        OutboundResponse::NetworkFailed { detail } => Reading::NetworkFailed(shortened(detail)),
        OutboundResponse::Answer { status, headers, body } => match answer::read(headers, body, method) {
            Answer::Error(error) => Reading::Error(error),
            Answer::Success(fields) => Reading::Envelope(acceptance(&fields)),
            Answer::Unintelligible(why) => {
                Reading::Unintelligible { status: *status, why, retry_after: retry_after(headers) }
            }
        },
    };
    let (ruling, name) = RULES
        .iter()
        .find(|rule| reading.meets(&rule.when))
        // Not reached, as a test shows: every reading has a row without conditions of its own.
        .map_or((Ruling::Retry, "unintelligible"), |rule| (rule.ruling, rule.name));
    Judgement { verdict: ruling.verdict(reading.wait()), rule: name, detail: reading.detail() }
}

impl Reading {
    fn meets(&self, when: &When) -> bool {
        match (when, self) {
            (When::Code(codes), Self::Error(error)) => error.code.is_some_and(|code| codes.contains(&code)),
            (When::SubCode(prefix), Self::Error(error)) => error.sub_code.starts_with(prefix),
            (When::Unintelligible(statuses), Self::Unintelligible { status, .. }) => statuses.contains(status),
            (When::OtherError, Self::Error(_))
            | (When::Refused, Self::Envelope(Acceptance::Refused(_)))
            | (When::Accepted, Self::Envelope(Acceptance::Accepted(_)))
            | (When::Unsaid, Self::Envelope(Acceptance::Unsaid(_)))
            | (When::TimedOut, Self::TimedOut)
            | (When::NetworkFailed, Self::NetworkFailed(_)) => true,
            _ => false,
        }
    }

    fn wait(&self) -> Option<SignedDuration> {
        match self {
            Self::Error(error) => ban(&error.sub_msg).or_else(|| ban(&error.msg)),
            Self::Unintelligible { retry_after, .. } => *retry_after,
            Self::Envelope(_) | Self::TimedOut | Self::NetworkFailed(_) => None,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Error(error) => {
                let code = error.code.map(|code| code.to_string()).unwrap_or_default();
                let named = [("code", &code), ("sub_code", &error.sub_code), ("msg", &error.msg)];
                joined(named.into_iter().chain([("request_id", &error.request_id)]))
            }
            Self::Envelope(Acceptance::Accepted(said) | Acceptance::Refused(said) | Acceptance::Unsaid(said)) => {
                said.clone()
            }
            Self::Unintelligible { status, why, .. } => format!("HTTP {status}: {why}"),
            Self::TimedOut => "no answer in time".to_owned(),
            Self::NetworkFailed(detail) => detail.clone(),
        }
    }
}

/// `This ban will last for 12 more seconds`: how the platform says for how long a key is too fast.
fn ban(message: &str) -> Option<SignedDuration> {
    let (_, rest) = message.split_once("ban will last for ")?;
    seconds(rest.split_once(" more second")?.0)
}

/// `Retry-After` in seconds; the form with a date would need a clock and is not used by gateways.
fn retry_after(headers: &HeaderMap) -> Option<SignedDuration> {
    seconds(headers.get(RETRY_AFTER)?.to_str().ok()?)
}

fn seconds(text: &str) -> Option<SignedDuration> {
    let seconds: i64 = text.trim().parse().ok()?;
    (seconds >= 0).then(|| SignedDuration::from_secs(seconds.min(MAX_WAIT_S)))
}

/// What the named fields say, for [`Judgement::detail`]: codes, never the messages, which may quote the notice.
pub(super) fn said(fields: &Map<String, Value>, names: &[&str]) -> String {
    let values: Vec<String> = names.iter().map(|name| text(fields, name)).collect();
    joined(names.iter().copied().zip(&values))
}

fn joined<'a>(named: impl Iterator<Item = (&'a str, &'a String)>) -> String {
    let present = named.filter(|(_, value)| !value.is_empty());
    let parts: Vec<String> = present.map(|(name, value)| format!("{name}={}", shortened(value))).collect();
    parts.join(", ")
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_SAID_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
