//! Health, for load balancers and people.

use axum::extract::State;
use http::StatusCode;

use crate::ledger::Ledger;

/// The process is up.
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// The process can do its work: the ledger takes writes.
pub(super) async fn ready(State(ledger): State<Ledger>) -> (StatusCode, &'static str) {
    if ledger.is_healthy() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the ledger cannot be written\n")
    }
}
