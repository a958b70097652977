//! Webhooks: an event as it is pushed to one of the insurer's own systems.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::Event;

/// An event on its way to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookNotice {
    /// The same at each attempt, and for no other event: receivers know copies by it.
    pub id: String,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

impl WebhookNotice {
    /// The event of that place among those of a message.
    pub fn new(message_id: u64, place: usize, at: Timestamp, event: Event) -> Self {
        // To the millisecond, as the event feed tells it.
        let at = Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
        Self { id: format!("msg_{message_id}_{place}"), at, event }
    }
}
