//! Orders about deliveries: sending again and skipping, one or what a filter fits, each once under its key.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use baoqiao_channels::channel::Reply;
use baoqiao_domain::difference::differences;
use baoqiao_domain::notice::NoticeKind;
use baoqiao_domain::refusal::{FieldProblem, Refusal};
use http::HeaderValue;

use super::Api;
use super::access::{Caller, need};
use super::deliveries::{KINDS, STATES, unknown};
use super::order::{Order, OrderKey, REPLAYED};
use super::parameters::Segment;
use super::problem::{Problem, respond, unavailable};
use crate::ledger::resends::ResendRow;
use crate::outbox::store::{Filter, NoticeState, Resent, Skipped};

const RESEND: &str = "api/resend";
const SKIP: &str = "api/skip";
/// What can be skipped.
const OPEN: &str = "pending 或 dead";

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
    #[serde(default, skip_serializing_if = "is_no_condition")]
    dry_run: bool,
}

/// Which deliveries are skipped, of those that are open. At least one of the conditions has to be there.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SkipOrder {
    /// `pending` or `dead`; both when absent.
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
    #[serde(default, skip_serializing_if = "is_no_condition")]
    dry_run: bool,
}

/// Whether only to count is no part of what is kept under the key.
fn is_no_condition<T>(_dry_run: &T) -> bool {
    true
}

/// A skip as it is kept under its key: another order than sending again what the same conditions fit.
#[derive(Serialize)]
struct Kept<'a> {
    order: &'static str,
    #[serde(flatten)]
    conditions: &'a SkipOrder,
}

/// The filter of an order, whose state may be one of `states`, which `expected` names.
fn filter(
    [state, kind, subject, partner]: [&Option<String>; 4],
    states: &[NoticeState],
    expected: &str,
) -> Result<Filter, Problem> {
    let mut problems = Vec::new();
    let found = state.as_deref().and_then(NoticeState::from_name).filter(|found| states.contains(found));
    if let (Some(text), None) = (state, found) {
        problems.push(FieldProblem::wrong("state", text, expected));
    }
    if let Some(text) = kind.as_deref().filter(|kind| NoticeKind::from_name(kind).is_none()) {
        problems.push(FieldProblem::wrong("kind", text, KINDS));
    }
    if [state, kind, subject, partner].into_iter().all(Option::is_none) {
        let expected = "state、kind、subject、partner 至少一项".to_owned();
        problems.push(FieldProblem { path: "state".to_owned(), received: None, expected });
    }
    if !problems.is_empty() {
        return Err(Refusal::InvalidFields(problems).into());
    }
    let (kind, subject, partner) = (kind.clone(), subject.clone(), partner.clone());
    Ok(Filter { state: found, kind, subject, partner, before: None })
}

impl ResendOrder {
    fn filter(&self) -> Result<Filter, Problem> {
        filter([&self.state, &self.kind, &self.subject, &self.partner], &NoticeState::ALL, STATES)
    }
}

impl SkipOrder {
    fn filter(&self) -> Result<Filter, Problem> {
        let open = [NoticeState::Pending, NoticeState::Dead];
        filter([&self.state, &self.kind, &self.subject, &self.partner], &open, OPEN)
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
    fn counted(matched: u64) -> Self {
        Self { dry_run: true, matched, due: 0, waiting: 0, under_way: 0 }
    }

    fn sent(resent: Resent) -> Self {
        let Resent { due, waiting, under_way } = resent;
        Self { dry_run: false, matched: due + waiting + under_way, due, waiting, under_way }
    }
}

/// What skipping came to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SkipAnswer {
    /// Whether they were only counted.
    dry_run: bool,
    /// How many deliveries the conditions fit.
    matched: u64,
    /// Passed over for good.
    skipped: u64,
    /// Being sent at that moment, and not passed over.
    under_way: u64,
    /// Delivered or passed over before.
    closed: u64,
}

impl SkipAnswer {
    fn counted(matched: u64) -> Self {
        Self { dry_run: true, matched, skipped: 0, under_way: 0, closed: 0 }
    }

    fn done(done: Skipped) -> Self {
        let Skipped { skipped, under_way, closed } = done;
        Self { dry_run: false, matched: skipped + under_way + closed, skipped, under_way, closed }
    }
}

fn count(found: &[u64]) -> u64 {
    u64::try_from(found.len()).unwrap_or(u64::MAX)
}

/// Sends one delivery again, whatever became of it before.
#[utoipa::path(
    post, path = "/deliveries/{id}/resend", tag = "deliveries", operation_id = "resendDelivery",
    security(("token" = ["deliveries:resend"])),
    params(
        ("id" = u64, Path, description = "The delivery's number."),
        OrderKey,
    ),
    responses(
        (status = 200, body = ResendAnswer, description = "Queued, durably; the same to each copy of the order."),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused."),
    ),
)]
pub(super) async fn resend_one(
    State(api): State<Arc<Api>>,
    caller: Caller<need::DeliveriesResend>,
    Segment(id): Segment,
    order: Order<Nothing>,
) -> Result<Response, Problem> {
    let number: u64 = id.parse().map_err(|_| unknown(&id))?;
    api.carry_out(move |api| {
        if api.desk.show(number)?.is_none() {
            return Err(unknown(&id));
        }
        let given =
            Given { interface: RESEND, caller: &caller.name, key: &order.key, content: &json!({ "id": number }) };
        carry_out(api, &given, || Ok(ResendAnswer::sent(api.desk.resend(&[number])?)))
    })
    .await
}

/// Sends deliveries again by a filter, or counts them.
#[utoipa::path(
    post, path = "/deliveries/resend", tag = "deliveries", operation_id = "resendDeliveries",
    security(("token" = ["deliveries:resend"])),
    params(
        OrderKey,
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
            return answer(&ResendAnswer::counted(count(&api.desk.matching(&filter)?))).map(respond);
        }
        let content = serde_json::to_value(&order.content).map_err(|error| unavailable(&error))?;
        let given = Given { interface: RESEND, caller: &caller.name, key: &order.key, content: &content };
        carry_out(api, &given, || Ok(ResendAnswer::sent(api.desk.resend(&api.desk.matching(&filter)?)?)))
    })
    .await
}

/// Passes one delivery over for good, so that those behind it go on; the platform is not told.
#[utoipa::path(
    post, path = "/deliveries/{id}/skip", tag = "deliveries", operation_id = "skipDelivery",
    security(("token" = ["deliveries:skip"])),
    params(
        ("id" = u64, Path, description = "The delivery's number."),
        OrderKey,
    ),
    responses(
        (status = 200, body = SkipAnswer, description = "Skipped, durably; the same to each copy of the order."),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused."),
    ),
)]
pub(super) async fn skip_one(
    State(api): State<Arc<Api>>,
    caller: Caller<need::DeliveriesSkip>,
    Segment(id): Segment,
    order: Order<Nothing>,
) -> Result<Response, Problem> {
    let number: u64 = id.parse().map_err(|_| unknown(&id))?;
    api.carry_out(move |api| {
        if api.desk.show(number)?.is_none() {
            return Err(unknown(&id));
        }
        let content = json!({ "order": "skip", "id": number });
        let given = Given { interface: SKIP, caller: &caller.name, key: &order.key, content: &content };
        carry_out(api, &given, || Ok(SkipAnswer::done(api.desk.skip(&[number])?)))
    })
    .await
}

/// Passes open deliveries over by a filter, or counts them.
#[utoipa::path(
    post, path = "/deliveries/skip", tag = "deliveries", operation_id = "skipDeliveries",
    security(("token" = ["deliveries:skip"])),
    params(
        OrderKey,
    ),
    request_body = SkipOrder,
    responses(
        (status = 200, body = SkipAnswer, description = "Skipped, durably; the same to each copy of the order."),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused."),
    ),
)]
pub(super) async fn skip(
    State(api): State<Arc<Api>>,
    caller: Caller<need::DeliveriesSkip>,
    order: Order<SkipOrder>,
) -> Result<Response, Problem> {
    let filter = order.content.filter()?;
    api.carry_out(move |api| {
        if order.content.dry_run {
            return answer(&SkipAnswer::counted(count(&api.desk.open(&filter)?))).map(respond);
        }
        let content = Kept { order: "skip", conditions: &order.content };
        let content = serde_json::to_value(content).map_err(|error| unavailable(&error))?;
        let given = Given { interface: SKIP, caller: &caller.name, key: &order.key, content: &content };
        carry_out(api, &given, || Ok(SkipAnswer::done(api.desk.skip(&api.desk.open(&filter)?)?)))
    })
    .await
}

fn answer(answer: &impl Serialize) -> Result<Reply, Problem> {
    let body = serde_json::to_vec(answer).map_err(|error| unavailable(&error))?;
    Ok(Reply { status: 200, content_type: "application/json", body })
}

/// An order as it is kept under its key.
struct Given<'a> {
    interface: &'static str,
    caller: &'a str,
    key: &'a str,
    content: &'a Value,
}

/// Does the work once under the order's key: copies have the first answer.
fn carry_out<A: Serialize>(
    api: &Api,
    given: &Given<'_>,
    work: impl FnOnce() -> Result<A, Problem>,
) -> Result<Response, Problem> {
    let Given { interface, caller, key, content } = *given;
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
    let reply = answer(&work()?)?;
    let kept = log.finish(key, &String::from_utf8_lossy(&reply.body))?;
    tracing::info!(interface, caller, key, order = row.content, "an order about deliveries is done");
    Ok(respond(Reply { body: kept.into_bytes(), ..reply }))
}

fn conflict(key: &str, first: &ResendRow, second: &ResendRow) -> Problem {
    let content = |row: &ResendRow| serde_json::from_str(&row.content).unwrap_or_default();
    let differing = differences(&content(first), &content(second)).into_iter().map(|one| one.path);
    let caller = (first.asked_by != second.asked_by).then(|| "caller".to_owned());
    Refusal::IdempotencyConflict { key: key.to_owned(), differing: caller.into_iter().chain(differing).collect() }
        .into()
}
