//! Health, for load balancers and people.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::ledger::Ledger;

/// The process is up.
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// The process can do its work: the ledger takes writes.
pub(super) async fn ready(State(ledger): State<Ledger>) -> (StatusCode, &'static str) {
    if ledger.is_writable().await {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the ledger cannot be written\n")
    }
}

/// The answer where a handler panicked: nothing of why.
pub(super) fn panicked() -> Response {
    tracing::error!("a handler panicked");
    (StatusCode::INTERNAL_SERVER_ERROR, "系统暂不可用，请稍后再试\n").into_response()
}
