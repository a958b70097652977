//! The traffic record: what known callers sent, and what they were answered.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Api;
use super::access::{Caller, need};
use super::page::{Page, cursor};
use super::parameters::{Parameters, none};
use super::problem::{Problem, unavailable};
use crate::ledger::lists::{MessageFilter, MessageRecord, WholeMessage};
use crate::vault::{Purpose, Sealed};

const LIST: &str = "messages";
const VERDICTS: [&str; 4] = ["accepted", "replayed", "conflicting", "refused"];

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
    /// The paths of the fields that differ.
    #[schema(value_type = Vec<String>)]
    differing: Value,
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
        ("interface" = Option<String>, Query, description = "Channel and interface, such as `qimen/policy-issuing`."),
        ("caller" = Option<String>, Query, description = "Who called, by the name in the configuration."),
        ("key" = Option<String>, Query, description = "The idempotency key."),
        ("verdict" = Option<String>, Query, description = "`accepted`, `replayed`, `conflicting` or `refused`."),
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
    let known = |text: &str| VERDICTS.contains(&text).then(|| text.to_owned());
    let filter = MessageFilter {
        scope: parameters.text("interface"),
        caller: parameters.text("caller"),
        key: parameters.text("key"),
        verdict: parameters.read("verdict", &VERDICTS.join("、"), known),
    };
    let (before, limit) = (cursor(&parameters, LIST), parameters.limit());
    parameters.finish()?;
    let slice = api.read(move |api| Ok(api.lists.messages(&filter, before, limit)?)).await?;
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
    Path(id): Path<String>,
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
    let conflict = whole.conflict.map(|(first_message_id, differing)| {
        let differing = serde_json::from_str(&differing).map_err(|error| unavailable(&error))?;
        Ok::<_, Problem>(ConflictView { first_message_id, differing })
    });
    Ok(MessageDetail {
        request: open(Purpose::Request, &whole.request)?,
        reply: open(Purpose::Reply, &whole.reply)?,
        conflict: conflict.transpose()?,
        message: whole.record.into(),
    })
}
