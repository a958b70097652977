//! The event feed: what happened, in the order in which it became durable.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, State};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::Api;
use super::access::{Caller, need};
use super::parameters::Parameters;
use super::problem::{Problem, unavailable};
use crate::ledger::lists::EventRecord;

const WAIT_S: RangeInclusive<u64> = 0..=60;

/// Something that happened. It holds no personal data.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventView {
    /// Its number: rises from event to event, with gaps possible in the numbers and none in the events.
    id: u64,
    /// When it became durable.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Its type, such as `policy.issued`.
    #[serde(rename = "type")]
    kind: String,
    /// What it is about, such as `policy:<policyNo>`.
    subject: String,
    /// What happened; `docs/api.md` lists the fields of each type.
    #[schema(value_type = Object)]
    data: Value,
}

/// Events, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventPage {
    /// The events; none where nothing happened while the call waited.
    events: Vec<EventView>,
    /// The `after` of the next call.
    next: u64,
}

fn view(record: EventRecord) -> Result<EventView, Problem> {
    let data = serde_json::from_str(&record.payload).map_err(|error| unavailable(&error))?;
    Ok(EventView { id: record.id, at: record.at, kind: record.kind, subject: record.subject, data })
}

/// Reads the events after a number, and waits for the next where there is none yet.
///
/// Whoever goes on from `next` each time gets every event once and in order. The call waits for as long as `wait_s`
/// says, and answers as soon as something happens.
#[utoipa::path(
    get, path = "/events", tag = "events", operation_id = "readEvents",
    security(("token" = ["events:read"])),
    params(
        ("after" = Option<u64>, Query, description = "`next` of the call before; 0, the beginning, when absent."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "The most events; 50 when absent."),
        ("wait_s" = Option<u32>, Query, maximum = 60, description = "How long to wait, in seconds; 0 when absent."),
    ),
    responses(
        (status = 200, body = EventPage, description = "Events, or none after the wait."),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "Refused."),
    ),
)]
pub(super) async fn read(
    State(api): State<Arc<Api>>,
    _caller: Caller<need::EventsRead>,
    RawQuery(query): RawQuery,
) -> Result<Json<EventPage>, Problem> {
    let parameters = Parameters::of(query.as_deref());
    let after = parameters.parsed("after", "上次返回的 next").unwrap_or(0);
    let limit = parameters.limit();
    let wait = Duration::from_secs(parameters.number("wait_s", 0, &WAIT_S));
    parameters.finish()?;
    let until = Instant::now() + wait;
    // Made before the ledger is read: what is written in between is news.
    let mut waiter = api.feed.waiter();
    loop {
        let found = api.read(move |api| Ok(api.lists.events(after, limit)?)).await?;
        // More who wait than may are answered at once, and ask again.
        let waits = if found.is_empty() { api.waiting.try_acquire().ok() } else { None };
        let woken = match &waits {
            Some(_) => tokio::time::timeout_at(until, waiter.wait()).await.unwrap_or(false),
            None => false,
        };
        if !woken {
            let next = found.last().map_or(after, |event| event.id);
            let events = found.into_iter().map(view).collect::<Result<_, _>>()?;
            return Ok(Json(EventPage { events, next }));
        }
    }
}
