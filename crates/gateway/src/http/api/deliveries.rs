//! Deliveries: what platforms are told, every attempt at it, and having it sent again.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use baoqiao_channels::channel::Reply;
use baoqiao_domain::difference::differences;
use baoqiao_domain::refusal::{FieldProblem, Refusal};
use http::HeaderValue;

use super::Api;
use super::access::{Caller, need};
use super::order::{Order, REPLAYED};
use super::page::{Page, cursor};
use super::parameters::{Parameters, none};
use super::problem::{Problem, respond, unavailable};
use crate::ledger::resends::ResendRow;
use crate::ledger::store::StoreError;
use crate::outbox::store::{AttemptRecord, Filter, NoticeRecord, NoticeState, Resent};
use crate::vault::Purpose;

const LIST: &str = "deliveries";
const STATES: &str = "pending、delivered、dead 或 skipped";

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
        ("state" = Option<String>, Query, description = "`pending`, `delivered`, `dead` or `skipped`."),
        ("kind" = Option<String>, Query, description = "`surrender-sync`, `auction-result` or `webhook`."),
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
        kind: parameters.text("kind"),
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
    Path(id): Path<String>,
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

fn unknown(id: &str) -> Problem {
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

/// Nothing more to say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Which deliveries are sent again. At least one of the conditions has to be there.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ResendOrder {
    /// `pending`, `delivered`, `dead` or `skipped`.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// `surrender-sync`, `auction-result` or `webhook`.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// What it is about, such as `policy:<policyNo>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// The platform that is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    partner: Option<String>,
    /// Only tell how many there are. Nothing is kept under the key then, so the same key may carry the order out.
    #[serde(default, skip_serializing)]
    dry_run: bool,
}

impl ResendOrder {
    fn filter(&self) -> Result<Filter, Problem> {
        let mut problems = Vec::new();
        let state = self.state.as_deref().and_then(NoticeState::from_name);
        if let (Some(text), None) = (&self.state, state) {
            problems.push(FieldProblem::wrong("state", text, STATES));
        }
        if [&self.state, &self.kind, &self.subject, &self.partner].into_iter().all(Option::is_none) {
            let expected = "state、kind、subject、partner 至少一项".to_owned();
            problems.push(FieldProblem { path: "state".to_owned(), received: None, expected });
        }
        if !problems.is_empty() {
            return Err(Refusal::InvalidFields(problems).into());
        }
        let (kind, subject, partner) = (self.kind.clone(), self.subject.clone(), self.partner.clone());
        Ok(Filter { state, kind, subject, partner, ..Filter::default() })
    }
}

/// What sending again came to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResendAnswer {
    /// Whether they were only counted.
    dry_run: bool,
    /// How many deliveries the conditions fit.
    matched: u64,
    /// Sent as soon as may be.
    due: u64,
    /// Sent when the deliveries before them on their subjects are done.
    waiting: u64,
    /// Being sent at that moment already.
    under_way: u64,
}

impl ResendAnswer {
    fn counted(matched: &[u64]) -> Self {
        let matched = u64::try_from(matched.len()).unwrap_or(u64::MAX);
        Self { dry_run: true, matched, due: 0, waiting: 0, under_way: 0 }
    }

    fn sent(resent: Resent) -> Self {
        let Resent { due, waiting, under_way } = resent;
        Self { dry_run: false, matched: due + waiting + under_way, due, waiting, under_way }
    }
}

/// Sends one delivery again, whatever became of it before.
#[utoipa::path(
    post, path = "/deliveries/{id}/resend", tag = "deliveries", operation_id = "resendDelivery",
    security(("token" = ["deliveries:resend"])),
    params(
        ("id" = u64, Path, description = "The delivery's number."),
        ("Idempotency-Key" = String, Header, min_length = 1, max_length = 255, description = "The order's key, for ever."),
    ),
    responses(
        (status = 200, body = ResendAnswer, description = "Queued, durably; the same to each copy of the order."),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused."),
    ),
)]
pub(super) async fn resend_one(
    State(api): State<Arc<Api>>,
    caller: Caller<need::DeliveriesResend>,
    Path(id): Path<String>,
    order: Order<Nothing>,
) -> Result<Response, Problem> {
    let number: u64 = id.parse().map_err(|_| unknown(&id))?;
    let content = serde_json::json!({ "id": number });
    api.carry_out(move |api| {
        if api.desk.show(number)?.is_none() {
            return Err(unknown(&id));
        }
        carry_out(api, &caller.name, &order.key, &content, || Ok(vec![number]))
    })
    .await
}

/// Sends deliveries again by a filter, or counts them.
#[utoipa::path(
    post, path = "/deliveries/resend", tag = "deliveries", operation_id = "resendDeliveries",
    security(("token" = ["deliveries:resend"])),
    params(
        ("Idempotency-Key" = String, Header, min_length = 1, max_length = 255, description = "The order's key, for ever."),
    ),
    request_body = ResendOrder,
    responses(
        (status = 200, body = ResendAnswer, description = "Queued, durably; the same to each copy of the order."),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused."),
    ),
)]
pub(super) async fn resend(
    State(api): State<Arc<Api>>,
    caller: Caller<need::DeliveriesResend>,
    order: Order<ResendOrder>,
) -> Result<Response, Problem> {
    let filter = order.content.filter()?;
    api.carry_out(move |api| {
        if order.content.dry_run {
            return answer(&ResendAnswer::counted(&api.desk.matching(&filter)?)).map(respond);
        }
        let content = serde_json::to_value(&order.content).map_err(|error| unavailable(&error))?;
        carry_out(api, &caller.name, &order.key, &content, || api.desk.matching(&filter))
    })
    .await
}

fn answer(answer: &ResendAnswer) -> Result<Reply, Problem> {
    let body = serde_json::to_vec(answer).map_err(|error| unavailable(&error))?;
    Ok(Reply { status: 200, content_type: "application/json", body })
}

/// Sends again what is found, once under that key: copies have the first answer.
fn carry_out(
    api: &Api,
    caller: &str,
    key: &str,
    content: &Value,
    find: impl FnOnce() -> Result<Vec<u64>, StoreError>,
) -> Result<Response, Problem> {
    let text = content.to_string();
    let row = ResendRow {
        // Another caller's order is another order.
        fingerprint: api.vault.fingerprint(format!("{caller}\n{text}").as_bytes()),
        content: text,
        asked_by: caller.to_owned(),
        asked_at: api.clock.now(),
        answer: None,
    };
    // Held until the answer is kept, so that of two copies at the same moment one waits for the other.
    let mut log = api.resends.lock().map_err(|_| Problem::from(Refusal::Busy))?;
    if let Some(first) = log.begin(key, &row)? {
        if first.fingerprint != row.fingerprint {
            return Err(conflict(key, &first, &row));
        }
        if let Some(kept) = first.answer {
            let mut response =
                respond(Reply { status: 200, content_type: "application/json", body: kept.into_bytes() });
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
            return Ok(response);
        }
    }
    let reply = answer(&ResendAnswer::sent(api.desk.resend(&find()?)?))?;
    log.finish(key, &String::from_utf8_lossy(&reply.body))?;
    tracing::info!(interface = "api/resend", caller, key, filter = row.content, "deliveries are sent again");
    Ok(respond(reply))
}

fn conflict(key: &str, first: &ResendRow, second: &ResendRow) -> Problem {
    let content = |row: &ResendRow| serde_json::from_str(&row.content).unwrap_or_default();
    let differing = differences(&content(first), &content(second)).into_iter().map(|one| one.path);
    let caller = (first.asked_by != second.asked_by).then(|| "caller".to_owned());
    Refusal::IdempotencyConflict { key: key.to_owned(), differing: caller.into_iter().chain(differing).collect() }
        .into()
}
