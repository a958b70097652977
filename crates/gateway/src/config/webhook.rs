//! `[[webhook]]`: the insurer's own systems to which events are pushed.

use std::time::Duration;

use baoqiao_channels::access::Secret;
use baoqiao_channels::outbound::{AnswerFormat, TopApp};
use baoqiao_channels::sign_method::SignMethod;
use baoqiao_channels::webhook;
use baoqiao_domain::event::Event;

use super::partner::once;
use super::platform::url;
use super::reader::{Section, name};
use super::{defaults, secret};
use crate::ledger::Webhook;
use crate::outbox::LaneConfig;

const EXPECTED_ID: &str = "an id of at most 64 letters, digits, hyphens, underscores and dots, such as \"core\"";
const EXPECTED_URL: &str = "an http or https address without a query, such as \"https://core.example.com/events\"";
const EXPECTED_SECRET: &str =
    "\"whsec_\" and base64 of 24 to 64 bytes, in quotes, { env = \"NAME\" } or { file = \"PATH\" }";

/// An endpoint, and the lane that leads to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookConfig {
    /// What it is told.
    pub endpoint: Webhook,
    /// How it is told.
    pub lane: LaneConfig,
}

pub(super) fn read_all(root: &Section<'_>) -> Vec<WebhookConfig> {
    let expected_events = format!("a list of {}", Event::KINDS.map(|kind| format!("{kind:?}")).join(", "));
    let mut ids = Vec::new();
    let webhooks = root.optional_sections("webhook", |section| {
        let id = section.text("id", EXPECTED_ID, name);
        once(&mut ids, id, section.item("id"), "an id of its own");
        let url = section.text("url", EXPECTED_URL, url);
        let secret = read_secret(section);
        let known = |text: &str| Event::KINDS.into_iter().find(|kind| *kind == text);
        let kinds = section.item("events").map_or_else(
            || Some(Event::KINDS.to_vec()),
            |item| item.texts(&expected_events, |item| item.text(&expected_events, known)),
        );
        let timeout = section.duration_ms_or("timeout_ms", defaults::WEBHOOK_TIMEOUT_MS);
        let endpoint = Webhook { id: id?.to_owned(), kinds: kinds? };
        let lane = lane(&endpoint, url?, secret?, timeout);
        Some(WebhookConfig { endpoint, lane })
    });
    webhooks.into_iter().flatten().collect()
}

fn read_secret(section: &Section<'_>) -> Option<Secret> {
    let item = section.required_item("secret", EXPECTED_SECRET)?;
    let secret = secret::resolve(&item)?;
    if webhook::key(secret.expose()).is_none() {
        item.refuse_as("a secret of another form", EXPECTED_SECRET);
        return None;
    }
    Some(secret)
}

/// One endpoint is one subject: one call at a time, and as many as it takes.
fn lane(endpoint: &Webhook, url: &str, secret: Secret, timeout: Duration) -> LaneConfig {
    LaneConfig {
        partner: format!("webhook:{}", endpoint.id),
        url: url.to_owned(),
        app: TopApp {
            app_key: endpoint.id.clone(),
            secret,
            sign_method: SignMethod::HmacSha256,
            format: AnswerFormat::Json,
            session: None,
            partner_id: None,
            target_app_key: None,
        },
        calls_per_second: defaults::WEBHOOK_CALLS_PER_SECOND,
        burst: defaults::WEBHOOK_CALLS_PER_SECOND,
        concurrency: 1,
        timeout,
    }
}
