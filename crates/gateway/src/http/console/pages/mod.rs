//! One file a page.

mod account;
mod audit;
mod channels;
mod conflicts;
mod deliveries;
mod delivery;
mod explain;
mod find;
mod interface;
mod message;
mod messages;
mod notices;
mod overview;
mod policy;
mod recoveries;
mod strangers;
mod users;

use std::sync::Arc;

use axum::Router;

use super::Console;
pub(super) use policy::SURRENDER_ORDER;

/// Every page's routes.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .merge(overview::routes())
        .merge(messages::routes())
        .merge(message::routes())
        .merge(strangers::routes())
        .merge(explain::routes())
        .merge(deliveries::routes())
        .merge(delivery::routes())
        .merge(conflicts::routes())
        .merge(channels::routes())
        .merge(interface::routes())
        .merge(notices::routes())
        .merge(find::routes())
        .merge(policy::routes())
        .merge(recoveries::routes())
        .merge(users::routes())
        .merge(account::routes())
        .merge(audit::routes())
}
