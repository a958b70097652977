//! `/api/v1`: the insurer's own systems read what the ledger holds and give orders.
//!
//! Every handler asks for a [`Caller`](access) with the scope it needs, reads its parameters, and translates: queries
//! are the ledger's, decisions the domain's. The OpenAPI document is made of the same annotations as the routes, so there
//! is no route without its description. `docs/api.md` is for those who call.

mod access;
mod auctions;
mod deliveries;
mod delivery_orders;
mod events;
mod messages;
mod misreading;
mod order;
mod page;
mod parameters;
mod policies;
mod problem;
mod recoveries;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::{any, get};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use tokio::sync::Semaphore;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use baoqiao_domain::refusal::Refusal;

use crate::clock::Clock;
use crate::documents::Links;
use crate::ledger::Ledger;
use crate::ledger::feed::Feed;
use crate::ledger::lists::Lists;
use crate::ledger::resends::ResendLog;
use crate::ledger::store::Reader;
use crate::outbox::Desk;
use crate::statistics::Meter;
use crate::vault::{Purpose, Sealed, Vault};

pub use access::{ApiToken, Scope};
pub(super) use order::ORDERS;
use problem::{Problem, unavailable};

/// Where it is served.
const BASE: &str = "/api/v1";
/// The most calls that wait for events at once; each holds a connection.
const MAX_WAITING: usize = 64;
/// The most calls that read at once: a ledger that does not answer must not take every thread of the gateway.
const MAX_READING: usize = 32;

/// Bounds on what a caller may cost.
#[derive(Debug, Clone, Copy)]
pub struct ApiLimits {
    /// The longest body, in bytes.
    pub body_bytes: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// How long a call may wait for the ledger.
    pub deadline: Duration,
}

/// What the API is made of.
pub struct ApiParts {
    /// Who may call.
    pub tokens: Vec<ApiToken>,
    /// Where orders are settled.
    pub ledger: Ledger,
    /// Single policies.
    pub reader: Arc<dyn Reader>,
    /// Lists and events.
    pub lists: Arc<dyn Lists>,
    /// The outbox.
    pub desk: Desk,
    /// The keys of orders to send again.
    pub resends: Box<dyn ResendLog>,
    /// Tells that events were written.
    pub feed: Feed,
    /// Opens what is sealed.
    pub vault: Arc<Vault>,
    /// The addresses of documents.
    pub links: Links,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Counts orders.
    pub meter: Arc<Meter>,
    /// Bounds.
    pub limits: ApiLimits,
}

/// What the handlers work with.
pub struct Api {
    tokens: Vec<ApiToken>,
    ledger: Ledger,
    reader: Arc<dyn Reader>,
    lists: Arc<dyn Lists>,
    desk: Desk,
    resends: Mutex<Box<dyn ResendLog>>,
    feed: Feed,
    waiting: Semaphore,
    reading: Arc<Semaphore>,
    vault: Arc<Vault>,
    links: Links,
    clock: Arc<dyn Clock>,
    meter: Arc<Meter>,
    limits: ApiLimits,
}

impl Api {
    /// The API over these parts.
    pub fn new(parts: ApiParts) -> Self {
        Self {
            tokens: parts.tokens,
            ledger: parts.ledger,
            reader: parts.reader,
            lists: parts.lists,
            desk: parts.desk,
            resends: Mutex::new(parts.resends),
            feed: parts.feed,
            waiting: Semaphore::new(MAX_WAITING),
            reading: Arc::new(Semaphore::new(MAX_READING)),
            vault: parts.vault,
            links: parts.links,
            clock: parts.clock,
            meter: parts.meter,
            limits: parts.limits,
        }
    }

    /// Reads the ledger on a thread that may block, and waits for it for as long as a call may take.
    async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let reading = async {
            let turn = Arc::clone(&self.reading).acquire_owned().await;
            // The turn ends with the work, also when the caller has gone.
            self.carry_out(move |api| {
                let _turn = turn;
                query(api)
            })
            .await
        };
        tokio::time::timeout(self.limits.deadline, reading).await.unwrap_or_else(|_| Err(Refusal::Busy.into()))
    }

    /// Runs what blocks, however long it takes, on a thread that may.
    async fn carry_out<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let this = Arc::clone(self);
        match tokio::task::spawn_blocking(move || work(&this)).await {
            Ok(result) => result,
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// What was sealed, as text; bytes that are not UTF-8 are replaced.
    fn open_text(&self, purpose: Purpose, sealed: &Sealed) -> Result<String, Problem> {
        let plain = self.vault.open(purpose, sealed).map_err(|error| unavailable(&error))?;
        Ok(String::from_utf8(plain).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Baoqiao",
        description = "The insurer's own systems read what the gateway's ledger holds and give orders. Amounts are \
                       decimal text, times RFC 3339. Every POST needs an Idempotency-Key: the same key and content have \
                       the same answer for ever. Errors are RFC 9457 problems with a code.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    modifiers(&Tokens),
    tags(
        (name = "policies", description = "保单"),
        (name = "recoveries", description = "追缴"),
        (name = "auctions", description = "拍卖保险"),
        (name = "deliveries", description = "对平台的通知"),
        (name = "messages", description = "报文留存"),
        (name = "events", description = "事件流"),
    ),
)]
struct Described;

struct Tokens;

impl Modify for Tokens {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let description = "A token of `[[api_token]]`; each operation names the scope that it needs.";
        let scheme = Http::builder().scheme(HttpAuthScheme::Bearer).description(Some(description)).build();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(Described::openapi()).nest(
        BASE,
        OpenApiRouter::new()
            .routes(routes!(policies::list))
            .routes(routes!(policies::get))
            .routes(routes!(policies::surrender))
            .routes(routes!(recoveries::list))
            .routes(routes!(auctions::report))
            .routes(routes!(deliveries::list))
            .routes(routes!(delivery_orders::resend))
            .routes(routes!(delivery_orders::skip))
            .routes(routes!(deliveries::get))
            .routes(routes!(delivery_orders::resend_one))
            .routes(routes!(delivery_orders::skip_one))
            .routes(routes!(messages::list))
            .routes(routes!(messages::get))
            .routes(routes!(messages::strangers))
            .routes(routes!(messages::stranger))
            .routes(routes!(events::read)),
    )
}

/// Every route of the API.
pub(super) fn router(api: Arc<Api>) -> Router {
    let (router, document) = routes().split_for_parts();
    // Made of constants: it always serialises.
    let document = Bytes::from(document.to_json().unwrap_or_default());
    let serve = move || async move { ([(CONTENT_TYPE, "application/json")], document) };
    router
        .route("/api/v1/openapi.json", get(serve))
        .route("/api/v1/{*rest}", any(|| async { Problem::not_found("该地址") }))
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .with_state(api)
}

#[cfg(test)]
mod tests;
