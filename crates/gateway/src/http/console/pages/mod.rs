//! One file a page.

mod account;
mod audit;
mod overview;
mod users;

use std::sync::Arc;

use axum::Router;

use super::Console;

/// Every page's routes.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().merge(overview::routes()).merge(users::routes()).merge(account::routes()).merge(audit::routes())
}
