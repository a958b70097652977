//! Deliveries: what platforms are told, and every attempt at it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use baoqiao_domain::notice::NoticeKind;

use super::Api;
use super::access::{Caller, need};
use super::page::{Page, cursor};
use super::parameters::{Parameters, Segment, none};
use super::problem::{Problem, unavailable};
use crate::outbox::store::{AttemptRecord, Filter, NoticeRecord, NoticeState};
use crate::vault::Purpose;

const LIST: &str = "deliveries";
pub(super) const STATES: &str = "pending、delivered、dead 或 skipped";
pub(super) const KINDS: &str = "surrender-sync、auction-result 或 webhook";

/// A delivery, without what it says.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeliveryView {
    /// Its number; the order within its subject.
    id: u64,
    /// `surrender-sync`, `auction-result` or `webhook`.
    kind: String,
    /// What order is kept by, such as `policy:<policyNo>`.
    subject: String,
    /// The platform that is told.
    partner: String,
    /// The message that caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause_message_id: Option<u64>,
    /// When it was queued.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// `pending`, `delivered`, `dead` or `skipped`.
    state: &'static str,
    /// Whether it is being sent at this moment.
    under_way: bool,
    /// When it is tried next; absent where it is done, or waits for another.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    due_at: Option<Timestamp>,
    /// When it was delivered, given up or skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    closed_at: Option<Timestamp>,
    /// How often it was tried.
    attempts: u32,
    /// How the last attempt ended: `delivered`, `retry`, `slow-down`, `dead` or `lost`.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_verdict: Option<&'static str>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_detail: Option<String>,
    /// The delivery of its subject that it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    behind: Option<u64>,
    /// How many deliveries of its subject wait for it, where it is the first of them; counted up to 1000.
    waiting: u64,
}

impl DeliveryView {
    fn of(record: &NoticeRecord) -> Self {
        let last = record.last.as_ref();
        Self {
            id: record.id,
            kind: record.kind.clone(),
            subject: record.subject.clone(),
            partner: record.partner.clone(),
            cause_message_id: record.cause_message_id,
            created_at: record.created_at,
            state: record.state.as_str(),
            under_way: record.leased,
            due_at: record.due_at,
            closed_at: record.closed_at,
            attempts: record.attempts,
            last_verdict: last.map(|(verdict, _)| verdict.as_str()),
            last_detail: last.map(|(_, detail)| detail.clone()),
            behind: record.behind,
            waiting: record.waiting.count,
        }
    }
}

/// One attempt at a delivery.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AttemptView {
    /// Its number, from 1.
    number: u32,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// How long it took.
    duration_ms: u64,
    /// `delivered`, `retry`, `slow-down`, `dead` or `lost`.
    verdict: &'static str,
    /// Why.
    detail: String,
    /// Whether its answer came too late to count.
    late: bool,
    /// What was answered; with the scope `people:read` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<String>,
}

/// A delivery with every attempt at it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeliveryDetail {
    /// The delivery.
    delivery: DeliveryView,
    /// The attempts, the first one first.
    attempts: Vec<AttemptView>,
    /// What the platform is told, before it is signed; with the scope `people:read` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    content: Option<Value>,
}

/// Lists deliveries, the newest first.
#[utoipa::path(
    get, path = "/deliveries", tag = "deliveries", operation_id = "listDeliveries",
    security(("token" = ["deliveries:read"])),
    params(
        ("state" = Option<String>, Query, pattern = "^(pending|delivered|dead|skipped)$", description = "`pending`, `delivered`, `dead` or `skipped`."),
        ("kind" = Option<String>, Query, pattern = "^(surrender-sync|auction-result|webhook)$", description = "`surrender-sync`, `auction-result` or `webhook`."),
        ("subject" = Option<String>, Query, description = "What it is about, such as `policy:<policyNo>`."),
        ("partner" = Option<String>, Query, description = "The platform that is told."),
        ("cursor" = Option<String>, Query, description = "`next` of the page before; with the same filter."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "Rows a page; 50 when absent."),
    ),
    responses(
        (status = 200, body = Page<DeliveryView>, description = "One page."),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused."),
    ),
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    _caller: Caller<need::DeliveriesRead>,
    RawQuery(query): RawQuery,
) -> Result<Json<Page<DeliveryView>>, Problem> {
    let parameters = Parameters::of(query.as_deref());
    let filter = Filter {
        state: parameters.read("state", STATES, NoticeState::from_name),
        kind: parameters.read("kind", KINDS, NoticeKind::from_name).map(|kind| kind.as_str().to_owned()),
        subject: parameters.text("subject"),
        partner: parameters.text("partner"),
        before: cursor(&parameters, LIST),
    };
    let limit = parameters.limit();
    parameters.finish()?;
    let slice = api.read(move |api| Ok(api.desk.list(&filter, limit)?)).await?;
    Ok(Json(Page::of(LIST, slice, |record| DeliveryView::of(&record))))
}

/// Reads one delivery with every attempt at it.
#[utoipa::path(
    get, path = "/deliveries/{id}", tag = "deliveries", operation_id = "getDelivery",
    security(("token" = ["deliveries:read"])),
    params(("id" = u64, Path, description = "The delivery's number.")),
    responses(
        (status = 200, body = DeliveryDetail, description = "The delivery."),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused."),
    ),
)]
pub(super) async fn get(
    State(api): State<Arc<Api>>,
    caller: Caller<need::DeliveriesRead>,
    Segment(id): Segment,
    RawQuery(query): RawQuery,
) -> Result<Json<DeliveryDetail>, Problem> {
    none(query.as_deref())?;
    api.read(move |api| {
        let found = id.parse().ok().map(|id| api.desk.show(id)).transpose()?.flatten();
        let (record, attempts) = found.ok_or_else(|| unknown(&id))?;
        detail(api, &record, attempts, caller.sees_people)
    })
    .await
    .map(Json)
}

pub(super) fn unknown(id: &str) -> Problem {
    Problem::not_found(format_args!("投递 {id} "))
}

fn detail(
    api: &Api,
    record: &NoticeRecord,
    attempts: Vec<AttemptRecord>,
    sees_people: bool,
) -> Result<DeliveryDetail, Problem> {
    let attempts = attempts.into_iter().map(|attempt| {
        let response = attempt.response.filter(|_| sees_people);
        let response = response.map(|sealed| api.open_text(Purpose::NoticeResponse, &sealed)).transpose()?;
        Ok(AttemptView {
            number: attempt.number,
            started_at: attempt.started_at,
            duration_ms: attempt.duration_ms,
            verdict: attempt.verdict.as_str(),
            detail: attempt.detail,
            late: attempt.late,
            response,
        })
    });
    let attempts = attempts.collect::<Result<_, Problem>>()?;
    let content =
        if sees_people { Some(serde_json::from_str(&api.open_text(Purpose::Notice, &record.content)?)) } else { None };
    let content = content.transpose().map_err(|error| unavailable(&error))?;
    Ok(DeliveryDetail { delivery: DeliveryView::of(record), attempts, content })
}
