//! Why a message was not carried out: one type for every channel, with nothing of any transport in it.
//!
//! The public text goes to the other side, in Chinese where the documents are; the internal detail goes to the
//! log and the traffic record. Each code has a heading in `docs/refusals.md`, in the order of precedence.

use std::fmt;

use crate::auction::AuctionRefusal;
use crate::policy::PolicyState;
use crate::policy_number::PolicyNumber;

/// Whether sending the same message again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It cannot: somebody must change the message or the configuration.
    Never,
    /// It can, a moment later: nothing was stored as the answer.
    Later,
}

/// Why a caller was not believed. The caller is told none of it; the traffic record keeps it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// A parameter without which nothing can be checked.
    #[error("system parameter {0} is missing")]
    MissingParameter(&'static str),
    /// No partner has this key.
    #[error("app_key {0:?} belongs to no partner")]
    UnknownCaller(String),
    /// `sign_method` names none of the three, or one that the partner may not use.
    #[error("sign_method {0:?} is not allowed to this partner")]
    SignMethodNotAllowed(String),
    /// More parameters than any platform sends.
    #[error("more than {0} parameters")]
    TooManyParameters(usize),
    /// None of the partner's live secrets makes this signature.
    #[error("the signature fits none of the partner's secrets")]
    WrongSignature,
    /// `timestamp` is not `yyyy-MM-dd HH:mm:ss`.
    #[error("timestamp {0:?} is not yyyy-MM-dd HH:mm:ss")]
    UnreadableTimestamp(String),
    /// `timestamp` lies too far from now.
    #[error("timestamp is {offset_s} s off, {window_s} s are allowed")]
    StaleTimestamp {
        /// How far the message's time lies ahead of (or, negative, behind) ours, in seconds.
        offset_s: i64,
        /// The configured window, in seconds.
        window_s: i64,
    },
    /// No policy source of the configuration has this code.
    #[error("policySource {0:?} is not configured")]
    UnknownSource(String),
    /// The caller's address is none of those that the policy source may call from.
    #[error("policySource {source_code:?} may not call from {peer}")]
    AddressNotAllowed {
        /// The policy source.
        source_code: String,
        /// The address.
        peer: String,
    },
    /// The policy source has to show a client certificate, and showed none.
    #[error("policySource {0:?} showed no client certificate")]
    NoCertificate(String),
    /// The policy source showed another certificate than one of its own.
    #[error("policySource {source_code:?} may not call with the certificate {certificate}")]
    CertificateNotAllowed {
        /// The policy source.
        source_code: String,
        /// The certificate's fingerprint, as `sha256:…`.
        certificate: String,
    },
    /// The policy source has a shared key, and the header with the HMAC is absent or fits none of its secrets.
    #[error("the HMAC header of policySource {0:?} is absent or fits none of its secrets")]
    WrongHmac(String),
}

/// The longest detail in a log line.
const DETAIL_CHARS: usize = 500;
/// How many differing fields are named; the rest is counted.
const DIFFERING_NAMED: usize = 20;
/// The longest app key that is shown whole: the platform's are of 8 digits or so.
const APP_KEY_DIGITS: usize = 12;
/// The longest piece of anything else that a stranger sent which is kept in plain text.
const STRANGE_CHARS: usize = 64;

impl Distrust {
    /// No partner has this key. Unless it looks like an app key, only its beginning is kept: who mistakes one
    /// setting for another sends a secret here.
    pub fn unknown_caller(app_key: &str) -> Self {
        if app_key.len() <= APP_KEY_DIGITS && app_key.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::UnknownCaller(app_key.to_owned());
        }
        let beginning: String = app_key.chars().take(4).collect();
        Self::UnknownCaller(format!("{beginning}… ({} characters)", app_key.chars().count()))
    }

    /// `sign_method` is not allowed.
    pub fn sign_method(name: &str) -> Self {
        Self::SignMethodNotAllowed(shortened(name, STRANGE_CHARS))
    }

    /// `timestamp` cannot be read.
    pub fn timestamp(text: &str) -> Self {
        Self::UnreadableTimestamp(shortened(text, STRANGE_CHARS))
    }
}

/// The first characters of a text, with a mark where some are left out.
fn shortened(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// One field that is wrong, and what was expected instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// The field's path in the names of the document, such as `applicantPersonalInfo.personLicenseType`.
    pub path: String,
    /// What came, shortened; `None` where nothing came.
    pub received: Option<String>,
    /// What was expected, in Chinese.
    pub expected: String,
}

/// The longest piece of a received value that is sent back.
const RECEIVED_CHARS: usize = 40;

impl FieldProblem {
    /// A field that had to be there.
    pub fn missing(path: impl Into<String>) -> Self {
        Self { path: path.into(), received: None, expected: "必填".to_owned() }
    }

    /// A field whose value is wrong.
    pub fn wrong(path: impl Into<String>, received: impl fmt::Display, expected: impl Into<String>) -> Self {
        let received = shortened(&received.to_string(), RECEIVED_CHARS);
        Self { path: path.into(), received: Some(received), expected: expected.into() }
    }
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.received {
            Some(received) => write!(f, "{}：收到“{received}”，应为{}", self.path, self.expected),
            None => write!(f, "{}：缺少，{}", self.path, self.expected),
        }
    }
}

/// Why a message was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The body is longer than the gateway reads.
    BodyTooLarge {
        /// The limit, in bytes.
        limit_bytes: usize,
    },
    /// The caller could not be believed.
    Untrusted(Distrust),
    /// No interface of this channel has that method name.
    UnknownInterface {
        /// The name that came.
        method: String,
    },
    /// The body is not what its content type says.
    Malformed {
        /// What is wrong, in Chinese, without any of the content.
        reason: String,
    },
    /// Fields are missing or wrong: all of them, in the order of the document.
    InvalidFields(Vec<FieldProblem>),
    /// The same idempotency key came before with other content; the first stays.
    IdempotencyConflict {
        /// The key.
        key: String,
        /// The paths of the fields that differ; values are not told to the caller.
        differing: Vec<String>,
    },
    /// The message's own identity came before with other content.
    UuidReused {
        /// The identity.
        uuid: String,
    },
    /// The ledger has no policy of that number.
    PolicyNotFound {
        /// The number, as it came.
        policy_no: String,
    },
    /// The caller may not do that to this policy.
    PolicyNotPermitted {
        /// The policy.
        policy_no: PolicyNumber,
    },
    /// The policy is in a state from which that cannot be done.
    WrongState {
        /// The policy.
        policy_no: PolicyNumber,
        /// Its state.
        state: PolicyState,
    },
    /// The auction's insurance cannot take that stage.
    Auction(AuctionRefusal),
    /// More is waiting than can be done in time.
    Busy,
    /// The ledger cannot be written just now.
    LedgerUnavailable {
        /// For the log: what failed.
        internal: String,
    },
}

/// The name of a refusal, as channels send it and as `docs/refusals.md` heads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RefusalCode {
    /// [`Refusal::BodyTooLarge`].
    BodyTooLarge,
    /// [`Refusal::Untrusted`].
    SignCheckFailure,
    /// [`Refusal::UnknownInterface`].
    UnknownInterface,
    /// [`Refusal::Malformed`].
    MalformedBody,
    /// [`Refusal::InvalidFields`].
    InvalidArgument,
    /// [`Refusal::IdempotencyConflict`].
    IdempotencyConflict,
    /// [`Refusal::UuidReused`].
    UuidReused,
    /// [`Refusal::PolicyNotFound`].
    PolicyNotFound,
    /// [`Refusal::PolicyNotPermitted`].
    PolicyNotPermitted,
    /// [`Refusal::WrongState`].
    WrongPolicyState,
    /// [`AuctionRefusal::CaseOfAnotherPartner`].
    AuctionCaseOfAnotherPartner,
    /// [`AuctionRefusal::CaseClosed`].
    AuctionCaseClosed,
    /// [`AuctionRefusal::StageAlreadySucceeded`].
    AuctionStageAlreadySucceeded,
    /// [`AuctionRefusal::StageOutOfOrder`].
    AuctionStageOutOfOrder,
    /// [`AuctionRefusal::StageBeforePredecessor`].
    AuctionStageBeforePredecessor,
    /// [`Refusal::Busy`].
    SystemBusy,
    /// [`Refusal::LedgerUnavailable`].
    LedgerUnavailable,
}

impl RefusalCode {
    /// Every code, in the order of precedence: of two reasons the earlier is told.
    pub const ALL: [Self; 17] = [
        Self::BodyTooLarge,
        Self::SignCheckFailure,
        Self::UnknownInterface,
        Self::MalformedBody,
        Self::SystemBusy,
        Self::LedgerUnavailable,
        Self::IdempotencyConflict,
        Self::UuidReused,
        Self::InvalidArgument,
        Self::PolicyNotFound,
        Self::PolicyNotPermitted,
        Self::WrongPolicyState,
        Self::AuctionCaseOfAnotherPartner,
        Self::AuctionCaseClosed,
        Self::AuctionStageAlreadySucceeded,
        Self::AuctionStageOutOfOrder,
        Self::AuctionStageBeforePredecessor,
    ];

    /// The code on the wire. `sign-check-failure` is spelt as both Qimen documents spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BodyTooLarge => "BODY_TOO_LARGE",
            Self::SignCheckFailure => "sign-check-failure",
            Self::UnknownInterface => "UNKNOWN_INTERFACE",
            Self::MalformedBody => "MALFORMED_BODY",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::IdempotencyConflict => "IDEMPOTENCY_CONFLICT",
            Self::UuidReused => "UUID_REUSED",
            Self::PolicyNotFound => "POLICY_NOT_FOUND",
            Self::PolicyNotPermitted => "POLICY_NOT_PERMITTED",
            Self::WrongPolicyState => "WRONG_POLICY_STATE",
            Self::AuctionCaseOfAnotherPartner => "AUCTION_CASE_OF_ANOTHER_PARTNER",
            Self::AuctionCaseClosed => "AUCTION_CASE_CLOSED",
            Self::AuctionStageAlreadySucceeded => "AUCTION_STAGE_ALREADY_SUCCEEDED",
            Self::AuctionStageOutOfOrder => "AUCTION_STAGE_OUT_OF_ORDER",
            Self::AuctionStageBeforePredecessor => "AUCTION_STAGE_BEFORE_PREDECESSOR",
            Self::SystemBusy => "SYSTEM_BUSY",
            Self::LedgerUnavailable => "LEDGER_UNAVAILABLE",
        }
    }
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Refusal {
    /// The name of the refusal.
    pub fn code(&self) -> RefusalCode {
        match self {
            Self::BodyTooLarge { .. } => RefusalCode::BodyTooLarge,
            Self::Untrusted(_) => RefusalCode::SignCheckFailure,
            Self::UnknownInterface { .. } => RefusalCode::UnknownInterface,
            Self::Malformed { .. } => RefusalCode::MalformedBody,
            Self::InvalidFields(_) => RefusalCode::InvalidArgument,
            Self::IdempotencyConflict { .. } => RefusalCode::IdempotencyConflict,
            Self::UuidReused { .. } => RefusalCode::UuidReused,
            Self::PolicyNotFound { .. } => RefusalCode::PolicyNotFound,
            Self::PolicyNotPermitted { .. } => RefusalCode::PolicyNotPermitted,
            Self::WrongState { .. } => RefusalCode::WrongPolicyState,
            Self::Auction(why) => match why {
                AuctionRefusal::CaseOfAnotherPartner { .. } => RefusalCode::AuctionCaseOfAnotherPartner,
                AuctionRefusal::CaseClosed { .. } => RefusalCode::AuctionCaseClosed,
                AuctionRefusal::StageAlreadySucceeded { .. } => RefusalCode::AuctionStageAlreadySucceeded,
                AuctionRefusal::StageOutOfOrder { .. } => RefusalCode::AuctionStageOutOfOrder,
                AuctionRefusal::StageBeforePredecessor { .. } => RefusalCode::AuctionStageBeforePredecessor,
            },
            Self::Busy => RefusalCode::SystemBusy,
            Self::LedgerUnavailable { .. } => RefusalCode::LedgerUnavailable,
        }
    }

    /// Whether sending the same again can help.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Busy | Self::LedgerUnavailable { .. } => Retry::Later,
            Self::BodyTooLarge { .. }
            | Self::Untrusted(_)
            | Self::UnknownInterface { .. }
            | Self::Malformed { .. }
            | Self::InvalidFields(_)
            | Self::IdempotencyConflict { .. }
            | Self::UuidReused { .. }
            | Self::PolicyNotFound { .. }
            | Self::PolicyNotPermitted { .. }
            | Self::WrongState { .. }
            | Self::Auction(_) => Retry::Never,
        }
    }

    /// What the other side is told.
    pub fn public_message(&self) -> String {
        match self {
            Self::BodyTooLarge { limit_bytes } => format!("报文过大，上限为 {limit_bytes} 字节"),
            Self::Untrusted(_) => "Illegal request".to_owned(),
            Self::UnknownInterface { method } => {
                FieldProblem::wrong("method", method, "本网关已开通的接口名").to_string()
            }
            Self::Malformed { reason } => format!("报文无法解析：{reason}"),
            Self::InvalidFields(problems) => {
                let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
                texts.join("；")
            }
            Self::IdempotencyConflict { key, differing } => {
                let named: Vec<&str> = differing.iter().take(DIFFERING_NAMED).map(String::as_str).collect();
                let more =
                    if differing.len() > named.len() { format!(" 等 {} 个", differing.len()) } else { String::new() };
                let named = named.join("、");
                format!("幂等号 {key} 已受理过内容不同的请求，以首次为准；不一致的字段：{named}{more}")
            }
            Self::UuidReused { uuid } => format!("uuid {uuid} 已用于内容不同的请求，每次请求须使用新的 uuid"),
            Self::PolicyNotFound { policy_no } => format!("保单 {policy_no} 不存在"),
            Self::PolicyNotPermitted { policy_no } => format!("无权处理保单 {policy_no}"),
            Self::WrongState { policy_no, state } => format!("保单 {policy_no} {}，不可再次办理", state.label()),
            Self::Auction(why) => why.to_string(),
            Self::Busy => "系统繁忙，请稍后用同一幂等号重试".to_owned(),
            Self::LedgerUnavailable { .. } => "系统暂不可用，请稍后用同一幂等号重试".to_owned(),
        }
    }

    /// What only the insurer's own people are told, where there is more to say than the public text.
    pub fn internal_detail(&self) -> Option<String> {
        match self {
            Self::Untrusted(why) => Some(why.to_string()),
            Self::LedgerUnavailable { internal } => Some(internal.clone()),
            // Paths and not values, which may be personal.
            Self::InvalidFields(problems) => {
                let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
                Some(shortened(&paths.join(","), DETAIL_CHARS))
            }
            Self::IdempotencyConflict { key, differing } => {
                Some(shortened(&format!("{key} differs in {}", differing.join(",")), DETAIL_CHARS))
            }
            Self::Malformed { reason } => Some(reason.clone()),
            Self::UnknownInterface { method } => Some(shortened(method, STRANGE_CHARS)),
            Self::BodyTooLarge { .. }
            | Self::UuidReused { .. }
            | Self::PolicyNotFound { .. }
            | Self::PolicyNotPermitted { .. }
            | Self::WrongState { .. }
            | Self::Auction(_)
            | Self::Busy => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_who_is_not_believed_learns_nothing() {
        let refusal = Refusal::Untrusted(Distrust::UnknownCaller("123".to_owned()));
        assert_eq!(refusal.public_message(), "Illegal request");
        assert!(refusal.internal_detail().unwrap().contains("123"));
    }

    #[test]
    fn a_secret_in_the_place_of_an_app_key_is_not_told() {
        let mistaken = Distrust::unknown_caller("70d73c65c1b48dfcc72f480d059cbefc");
        assert_eq!(mistaken.to_string(), "app_key \"70d7… (32 characters)\" belongs to no partner");
        assert!(Distrust::unknown_caller("24589063").to_string().contains("24589063"));
        assert!(Distrust::timestamp(&"9".repeat(60_000)).to_string().len() < 200);
    }

    #[test]
    fn many_differing_fields_are_counted_and_not_all_named() {
        let differing: Vec<String> = (0..60_000).map(|n| format!("attrs.x{n}")).collect();
        let refusal = Refusal::IdempotencyConflict { key: "1".to_owned(), differing };
        assert!(refusal.public_message().ends_with("attrs.x19 等 60000 个"), "{}", refusal.public_message());
    }

    #[test]
    fn a_long_value_is_shortened_by_characters() {
        let problem = FieldProblem::wrong("amount", "𬭎".repeat(50), "金额");
        assert_eq!(problem.received.unwrap().chars().count(), 41);
    }

    #[test]
    fn every_code_is_listed_once_and_spelt_its_own_way() {
        let names: std::collections::BTreeSet<&str> = RefusalCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), RefusalCode::ALL.len());
        let stage = crate::auction::AuctionStage::Surrender;
        let refusal = Refusal::Auction(AuctionRefusal::CaseClosed { reported: stage });
        assert_eq!(refusal.code().as_str(), AuctionRefusal::CaseClosed { reported: stage }.code());
    }

    #[test]
    fn only_what_a_retry_cures_is_retryable() {
        assert_eq!(Refusal::Busy.retry(), Retry::Later);
        assert_eq!(Refusal::InvalidFields(vec![]).retry(), Retry::Never);
    }

    #[test]
    fn every_code_has_its_heading_in_the_order_of_precedence() {
        let page = include_str!("../../../docs/refusals.md");
        let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings, RefusalCode::ALL.map(RefusalCode::as_str));
    }
}
