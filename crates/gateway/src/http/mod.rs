//! The gateway's HTTP side: one handler for every channel, the core system's API, documents, verification pages,
//! health.

pub mod api;
mod bodies;
pub mod console;
mod documents;
mod health;
mod inbound;
mod leftover;
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
pub use server::{Front, Server, ServerLimits, handler_threads};
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
    guarded(router)
}

/// No input is known to make a handler panic; should one, its caller is answered, and the line is in the log.
fn guarded(router: Router) -> Router {
    router.layer(CatchPanicLayer::custom(|_| health::panicked()))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::{Request, StatusCode};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn the_caller_of_a_handler_that_panics_is_answered_and_told_nothing_of_why() {
        async fn handler() {
            panic!("hidden")
        }
        let router = guarded(Router::new().route("/", get(handler)));
        for _ in 0..2 {
            let answer = router.clone().oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
            assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, "系统暂不可用，请稍后再试\n");
        }
    }
}
