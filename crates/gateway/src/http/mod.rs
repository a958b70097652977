//! The gateway's HTTP side: one handler for every channel, the core system's API, documents, verification pages,
//! health.

pub mod api;
mod bodies;
pub mod console;
mod documents;
mod health;
mod inbound;
mod origin;
mod server;
mod strangers;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;

use baoqiao_channels::CHANNELS;

use crate::documents::Documents;
use crate::ledger::Ledger;

pub use bodies::BodyBudget;
pub use inbound::{Inbound, InboundLimits};
pub use server::{Front, Server, ServerLimits};
pub use strangers::Allowance;

/// All that the handlers need.
pub struct Parts {
    /// Platforms' calls.
    pub inbound: Arc<Inbound>,
    /// Documents.
    pub documents: Arc<Documents>,
    /// The core system's API.
    pub api: Arc<api::Api>,
    /// The pages for people, where they are served.
    pub console: Option<console::Console>,
    /// Health.
    pub ledger: Ledger,
}

/// Every route of the gateway; the channels bring theirs.
pub fn router(parts: Parts) -> Router {
    let mut router = Router::new()
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready).with_state(parts.ledger))
        .route("/documents/{name}", get(documents::document).with_state(Arc::clone(&parts.documents)))
        .route("/verify/{name}", get(documents::verification).with_state(parts.documents))
        .merge(api::router(parts.api));
    if let Some(console) = parts.console {
        router = router.merge(console::router(console));
    }
    for channel in CHANNELS {
        let inbound = Arc::clone(&parts.inbound);
        let receive = move |request| async move { inbound.receive(*channel, request).await };
        router = router.route(channel.path(), post(receive));
    }
    // No input is known to make a handler panic; should one, its caller is answered, and the line is in the log.
    router.layer(CatchPanicLayer::custom(|_| health::panicked()))
}
