//! The traffic record: what known callers sent, and what they were answered; and what strangers sent.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use baoqiao_domain::difference::{Difference, differences};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Api;
use super::access::{Caller, need};
use super::page::{Page, cursor};
use super::parameters::{Parameters, Segment, none};
use super::problem::{Problem, unavailable};
use crate::ledger::lists::{ConflictRecord, MessageFilter, MessageRecord, StrangerRecord, WholeMessage};
use crate::ledger::store::Verdict;
use crate::vault::{Purpose, Sealed};

const LIST: &str = "messages";
const STRANGERS: &str = "strangers";

/// A message, without what was said.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageView {
    /// Its number.
    id: u64,
    /// When it had arrived.
    #[schema(value_type = String, format = DateTime)]
    received_at: Timestamp,
    /// The channel.
    channel: String,
    /// Channel and interface, such as `qimen/policy-issuing`; absent where it was for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    interface: Option<String>,
    /// Who called, by the name in the configuration.
    caller: String,
    /// Which of the caller's secrets it was signed with, counted from 0, while the console and the command line count from 1; also 0 where the
    /// caller's calls are not signed with a secret.
    secret_index: u64,
    /// The address it came from.
    peer: String,
    /// Its idempotency key.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// How it ended: `accepted`, `replayed`, `conflicting` or `refused`.
    verdict: String,
    /// The refusal's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// The policy it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_no: Option<String>,
}

impl From<MessageRecord> for MessageView {
    fn from(record: MessageRecord) -> Self {
        Self {
            id: record.id,
            received_at: record.received_at,
            channel: record.channel,
            interface: record.scope,
            caller: record.caller,
            secret_index: record.secret_index,
            peer: record.peer,
            key: record.key,
            verdict: record.verdict,
            code: record.code,
            policy_no: record.policy_no,
        }
    }
}

/// What a message conflicts with.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConflictView {
    /// The first message under the key.
    first_message_id: u64,
    /// The paths of the fields that differ, as the caller was told them.
    #[schema(value_type = Vec<String>)]
    differing: Value,
    /// Every field that differs, with both values; with the scope `people:read` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    differences: Option<Vec<DifferenceView>>,
}

/// A field that two contents give differently.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DifferenceView {
    /// Its path.
    field: String,
    /// What the first said; absent where it said nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<Value>,
    /// What this one said; absent where it said nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    second: Option<Value>,
}

/// A message with what was said.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageDetail {
    /// The message.
    message: MessageView,
    /// Where its key was used before with other content.
    #[serde(skip_serializing_if = "Option::is_none")]
    conflict: Option<ConflictView>,
    /// Request line, headers and body as they came, bytes that are not UTF-8 replaced; with the scope `people:read` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    /// The body of the answer, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<String>,
}

/// Lists messages, the newest first.
#[utoipa::path(
    get, path = "/messages", tag = "messages", operation_id = "listMessages",
    security(("token" = ["messages:read"])),
    params(
        ("channel" = Option<String>, Query, description = "The channel, such as `qimen`."),
        ("interface" = Option<String>, Query, description = "Channel and interface, such as `qimen/policy-issuing`."),
        ("caller" = Option<String>, Query, description = "Who called, by the name in the configuration."),
        ("key" = Option<String>, Query, description = "The idempotency key."),
        ("verdict" = Option<String>, Query, pattern = "^(accepted|replayed|conflicting|refused)$", description = "`accepted`, `replayed`, `conflicting` or `refused`."),
        ("code" = Option<String>, Query, description = "The refusal's code, such as `INVALID_ARGUMENT`."),
        ("receivedFrom" = Option<String>, Query, description = "RFC 3339: arrived then or later."),
        ("receivedTo" = Option<String>, Query, description = "RFC 3339: arrived before that."),
        ("cursor" = Option<String>, Query, description = "`next` of the page before; with the same filter."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "Rows a page; 50 when absent."),
    ),
    responses(
        (status = 200, body = Page<MessageView>, description = "One page."),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused."),
    ),
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    _caller: Caller<need::MessagesRead>,
    RawQuery(query): RawQuery,
) -> Result<Json<Page<MessageView>>, Problem> {
    let parameters = Parameters::of(query.as_deref());
    let known = |text: &str| Verdict::from_name(text).map(|verdict| verdict.as_str().to_owned());
    let verdicts = Verdict::ALL.map(Verdict::as_str).join("、");
    let filter = MessageFilter {
        channel: parameters.text("channel"),
        scope: parameters.text("interface"),
        caller: parameters.text("caller"),
        key: parameters.text("key"),
        verdict: parameters.read("verdict", &verdicts, known),
        code: parameters.text("code"),
        from: parameters.time("receivedFrom"),
        to: parameters.time("receivedTo"),
    };
    let (after, limit) = (cursor(&parameters, LIST), parameters.limit());
    parameters.finish()?;
    let slice = api.read(move |api| Ok(api.lists.messages(&filter, after, limit)?)).await?;
    Ok(Json(Page::of(LIST, slice, MessageView::from)))
}

/// Reads one message.
#[utoipa::path(
    get, path = "/messages/{id}", tag = "messages", operation_id = "getMessage",
    security(("token" = ["messages:read"])),
    params(("id" = u64, Path, description = "The message's number.")),
    responses(
        (status = 200, body = MessageDetail, description = "The message."),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused."),
    ),
)]
pub(super) async fn get(
    State(api): State<Arc<Api>>,
    caller: Caller<need::MessagesRead>,
    Segment(id): Segment,
    RawQuery(query): RawQuery,
) -> Result<Json<MessageDetail>, Problem> {
    none(query.as_deref())?;
    api.read(move |api| {
        let found = id.parse().ok().map(|id| api.lists.message(id)).transpose()?.flatten();
        let whole = found.ok_or_else(|| Problem::not_found(format_args!("报文 {id} ")))?;
        detail(api, whole, caller.sees_people)
    })
    .await
    .map(Json)
}

fn detail(api: &Api, whole: WholeMessage, sees_people: bool) -> Result<MessageDetail, Problem> {
    let open = |purpose, sealed: &Sealed| sees_people.then(|| api.open_text(purpose, sealed)).transpose();
    let conflict = whole.conflict.map(|record| conflict(api, &record, sees_people)).transpose()?;
    Ok(MessageDetail {
        request: open(Purpose::Request, &whole.request)?,
        reply: open(Purpose::Reply, &whole.reply)?,
        conflict,
        message: whole.record.into(),
    })
}

fn conflict(api: &Api, record: &ConflictRecord, sees_people: bool) -> Result<ConflictView, Problem> {
    let json = |text: &str| serde_json::from_str::<Value>(text).map_err(|error| unavailable(&error));
    let content = |sealed| json(&api.open_text(Purpose::Content, sealed)?);
    let differences = || {
        let found = differences(&content(&record.first)?, &content(&record.second)?);
        let view = |one: Difference| DifferenceView { field: one.path, first: one.first, second: one.second };
        Ok::<_, Problem>(found.into_iter().map(view).collect())
    };
    Ok(ConflictView {
        first_message_id: record.first_message_id,
        differing: json(&record.differing)?,
        differences: sees_people.then(differences).transpose()?,
    })
}

/// A stranger's message, without what was said.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StrangerView {
    /// Its number.
    number: u64,
    /// When it had arrived.
    #[schema(value_type = String, format = DateTime)]
    received_at: Timestamp,
    /// The channel.
    channel: String,
    /// The address it came from.
    peer: String,
    /// Why it was not believed.
    reason: String,
    /// How long its body was, in bytes.
    body_bytes: u64,
}

impl From<StrangerRecord> for StrangerView {
    fn from(record: StrangerRecord) -> Self {
        Self {
            number: record.number,
            received_at: record.received_at,
            channel: record.channel,
            peer: record.peer,
            reason: record.reason,
            body_bytes: record.body_bytes,
        }
    }
}

/// A stranger's message with what is kept of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StrangerDetail {
    /// The message.
    stranger: StrangerView,
    /// The beginning of request line, headers and body as they came, bytes that are not UTF-8 replaced; with the scope
    /// `people:read` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
}

/// Lists messages of which nothing was believed, the newest first.
#[utoipa::path(
    get, path = "/strangers", tag = "messages", operation_id = "listStrangers",
    security(("token" = ["messages:read"])),
    params(
        ("cursor" = Option<String>, Query, description = "`next` of the page before."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "Rows a page; 50 when absent."),
    ),
    responses(
        (status = 200, body = Page<StrangerView>, description = "One page."),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused."),
    ),
)]
pub(super) async fn strangers(
    State(api): State<Arc<Api>>,
    _caller: Caller<need::MessagesRead>,
    RawQuery(query): RawQuery,
) -> Result<Json<Page<StrangerView>>, Problem> {
    let parameters = Parameters::of(query.as_deref());
    let (before, limit) = (cursor(&parameters, STRANGERS), parameters.limit());
    parameters.finish()?;
    let slice = api.read(move |api| Ok(api.lists.strangers(before, limit)?)).await?;
    Ok(Json(Page::of(STRANGERS, slice, StrangerView::from)))
}

/// Reads what is kept of one such message.
#[utoipa::path(
    get, path = "/strangers/{number}", tag = "messages", operation_id = "getStranger",
    security(("token" = ["messages:read"])),
    params(("number" = u64, Path, description = "Its number.")),
    responses(
        (status = 200, body = StrangerDetail, description = "The message."),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused."),
    ),
)]
pub(super) async fn stranger(
    State(api): State<Arc<Api>>,
    caller: Caller<need::MessagesRead>,
    Segment(number): Segment,
    RawQuery(query): RawQuery,
) -> Result<Json<StrangerDetail>, Problem> {
    none(query.as_deref())?;
    api.read(move |api| {
        let found = number.parse().ok().map(|number| api.lists.stranger(number)).transpose()?.flatten();
        let whole = found.ok_or_else(|| Problem::not_found(format_args!("陌生报文 {number} ")))?;
        let request = caller.sees_people.then(|| api.open_text(Purpose::Request, &whole.request)).transpose()?;
        Ok(StrangerDetail { stranger: whole.record.into(), request })
    })
    .await
    .map(Json)
}
