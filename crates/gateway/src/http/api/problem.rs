//! Errors as RFC 9457 tells them: `application/problem+json`, with the refusal's code as `code`.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use baoqiao_channels::channel::Reply;
use baoqiao_domain::refusal::{FieldProblem, Refusal, RefusalCode, Retry};

use super::access::Scope;
use crate::ledger::store::StoreError;

pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// One field or parameter that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct FieldError {
    /// Its path, such as `refundMoney`, or the parameter's name.
    pub(super) field: String,
    /// What came, shortened; absent where nothing came or where it is not to be repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) received: Option<String>,
    /// What was expected.
    pub(super) expected: String,
}

impl From<FieldProblem> for FieldError {
    fn from(problem: FieldProblem) -> Self {
        Self { field: problem.path, received: problem.received, expected: problem.expected }
    }
}

/// Why a call was not carried out (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Problem {
    /// `urn:baoqiao:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// What the code means.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong with this call, in Chinese.
    detail: String,
    /// The code, as `docs/refusals.md` and `docs/api.md` head it.
    code: &'static str,
    /// Whether the same call, with the same `Idempotency-Key`, can succeed later.
    retryable: bool,
    /// The fields that are wrong; in a conflict, those that differ from the first call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        let kind = format!("urn:baoqiao:problem:{code}");
        let status = status.as_u16();
        Self { kind, title, status, detail: detail.into(), code, retryable: false, errors: Vec::new() }
    }

    /// No token, or none of ours: which of the two is not told.
    pub(super) fn unauthenticated() -> Self {
        let detail = "缺少或无法识别的令牌；请求头应为 Authorization: Bearer <令牌>";
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", "The token is absent or unknown", detail)
    }

    pub(super) fn scope_missing(scope: Scope) -> Self {
        let detail = format!("令牌没有权限 {}", scope.as_str());
        Self::new(StatusCode::FORBIDDEN, "SCOPE_MISSING", "The token lacks the scope", detail)
    }

    pub(super) fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "There is no such thing", format!("{what}不存在"))
    }

    pub(super) fn method_not_allowed() -> Self {
        let detail = "此地址不支持该请求方法";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "The address takes other methods", detail)
    }

    pub(super) fn not_json() -> Self {
        let detail = "请求体应为 application/json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "NOT_JSON", "The body is not JSON", detail)
    }

    pub(super) fn body_late() -> Self {
        let detail = "请求体未在时限内到达";
        Self::new(StatusCode::REQUEST_TIMEOUT, "BODY_INCOMPLETE", "The body did not arrive in whole", detail)
    }

    pub(super) fn key_required() -> Self {
        let detail = "缺少请求头 Idempotency-Key，或其不是 1 至 255 个可见 ASCII 字符";
        Self::new(
            StatusCode::BAD_REQUEST,
            "IDEMPOTENCY_KEY_REQUIRED",
            "The Idempotency-Key is absent or no key",
            detail,
        )
    }

    /// Parameters or fields that do not read.
    pub(super) fn invalid(errors: Vec<FieldError>) -> Self {
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        let detail = format!("参数有误：{}", fields.join("、"));
        let code = RefusalCode::InvalidArgument;
        Self { errors, ..Self::new(StatusCode::BAD_REQUEST, code.as_str(), title(code), detail) }
    }

    /// As the ledger keeps a reply.
    pub(super) fn reply(&self) -> Reply {
        // Text and numbers always serialise.
        let body = serde_json::to_vec(self).unwrap_or_default();
        Reply { status: self.status, content_type: PROBLEM_JSON, body }
    }
}

fn status(code: RefusalCode) -> StatusCode {
    match code {
        RefusalCode::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        RefusalCode::SignCheckFailure => StatusCode::UNAUTHORIZED,
        RefusalCode::UnknownInterface | RefusalCode::PolicyNotFound => StatusCode::NOT_FOUND,
        RefusalCode::MalformedBody => StatusCode::BAD_REQUEST,
        RefusalCode::InvalidArgument => StatusCode::UNPROCESSABLE_ENTITY,
        RefusalCode::PolicyNotPermitted => StatusCode::FORBIDDEN,
        RefusalCode::IdempotencyConflict
        | RefusalCode::UuidReused
        | RefusalCode::WrongPolicyState
        | RefusalCode::AuctionCaseOfAnotherPartner
        | RefusalCode::AuctionCaseClosed
        | RefusalCode::AuctionStageAlreadySucceeded
        | RefusalCode::AuctionStageOutOfOrder
        | RefusalCode::AuctionStageBeforePredecessor => StatusCode::CONFLICT,
        RefusalCode::SystemBusy | RefusalCode::LedgerUnavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn title(code: RefusalCode) -> &'static str {
    match code {
        RefusalCode::BodyTooLarge => "The body is too long",
        RefusalCode::SignCheckFailure => "The caller could not be believed",
        RefusalCode::UnknownInterface => "There is no such interface",
        RefusalCode::MalformedBody => "The body does not read",
        RefusalCode::InvalidArgument => "Fields are missing or wrong",
        RefusalCode::IdempotencyConflict => "The key was used with other content",
        RefusalCode::UuidReused => "The identity was used with other content",
        RefusalCode::PolicyNotFound => "There is no such policy",
        RefusalCode::PolicyNotPermitted => "That may not be done to this policy",
        RefusalCode::WrongPolicyState => "The policy is in another state",
        RefusalCode::AuctionCaseOfAnotherPartner => "The auction is another partner's",
        RefusalCode::AuctionCaseClosed => "The auction's insurance was surrendered",
        RefusalCode::AuctionStageAlreadySucceeded => "The stage has succeeded already",
        RefusalCode::AuctionStageOutOfOrder => "The stage may not follow",
        RefusalCode::AuctionStageBeforePredecessor => "The stage lies before the one it follows",
        RefusalCode::SystemBusy => "More is waiting than can be done in time",
        RefusalCode::LedgerUnavailable => "The ledger is not available",
    }
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        let code = refusal.code();
        let differs =
            |field: &String| FieldError {
                field: field.clone(), received: None, expected: "与首次请求相同".to_owned()
            };
        let errors = match refusal {
            Refusal::InvalidFields(problems) => problems.iter().cloned().map(FieldError::from).collect(),
            Refusal::IdempotencyConflict { differing, .. } => differing.iter().map(differs).collect(),
            _ => Vec::new(),
        };
        let retryable = refusal.retry() == Retry::Later;
        Self { retryable, errors, ..Self::new(status(code), code.as_str(), title(code), refusal.public_message()) }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::from(&refusal)
    }
}

/// What fails inside is logged here, once, and not told.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        unavailable(&error)
    }
}

/// The ledger, or what it holds, cannot be read.
pub(super) fn unavailable(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "a call of /api/v1 could not be carried out");
    Problem::from(Refusal::LedgerUnavailable { internal: error.to_string() })
}

/// A reply as it goes out, with the headers that belong to its status.
pub(super) fn respond(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, reply.body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        respond(self.reply())
    }
}
