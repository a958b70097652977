//! `/console`: what people at the insurer look at all day.
//!
//! Pages are written by the server, with maud, whose templates escape whatever they are given. A page is one file in
//! `pages`: its messages in both languages, its routes, its handlers, which translate between the form or address and what
//! the ledger's traits ask and answer, and its templates, made of `parts`. `docs/console.md` tells how to add one.
//!
//! Every request goes through [`access::identify`], which makes the [`view::View`] that templates take. A handler
//! asks for a [`access::Visit`] or, for a form, an [`order::Order`], with the role that it needs.

mod access;
mod assets;
mod chart;
mod cookies;
mod explanation;
mod failure;
mod headers;
mod icons;
mod language;
mod layout;
mod live;
mod oidc;
mod order;
mod pages;
mod parts;
mod preferences;
mod sign_in;
mod ticket;
mod traffic;
mod trial;
mod view;
mod words;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tokio::sync::Semaphore;

use super::Allowance;
use super::inbound::Inbound;
use crate::clock::Clock;
use crate::config::Config;
use crate::console::attempts::Attempts;
use crate::console::oidc::{CALLBACK_PATH, Provider};
use crate::console::session::Lifetimes;
use crate::console::store::{ConsoleStore, User};
use crate::documents::Documents;
use crate::explainer::Explainer;
use crate::ledger::Ledger;
use crate::ledger::feed::Feed;
use crate::ledger::finding::Finder;
use crate::ledger::lists::Lists;
use crate::ledger::store::Reader;
use crate::outbox::Desk;
use crate::statistics::{Counter, Figures};
use crate::vault::{Entropy, Vault};
use failure::Failure;

/// What the console is made of.
pub struct ConsoleParts {
    /// Users, sessions, the audit log.
    pub store: Arc<dyn ConsoleStore>,
    /// Where orders are settled.
    pub ledger: Ledger,
    /// Single policies.
    pub reader: Arc<dyn Reader>,
    /// Lists.
    pub lists: Arc<dyn Lists>,
    /// Looks for what is no policy.
    pub finder: Arc<dyn Finder>,
    /// How the gateway does.
    pub figures: Arc<Figures>,
    /// The outbox.
    pub desk: Desk,
    /// The way in for calls, for trying some.
    pub inbound: Arc<Inbound>,
    /// Documents.
    pub documents: Arc<Documents>,
    /// Tells that events were written.
    pub feed: Feed,
    /// What is configured.
    pub config: Arc<Config>,
    /// Opens what is sealed, and seals what is asked.
    pub vault: Arc<Vault>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes for tokens.
    pub entropy: Entropy,
    /// How long a session lasts.
    pub lifetimes: Lifetimes,
    /// How long a form may take to arrive.
    pub body_timeout: Duration,
    /// How long a page or an order may wait for the ledger.
    pub deadline: Duration,
    /// What the world calls the gateway.
    pub public_url: String,
    /// The provider through which people may sign in.
    pub provider: Option<Provider>,
}

/// What the handlers work with.
pub struct Console {
    store: Arc<dyn ConsoleStore>,
    ledger: Ledger,
    reader: Arc<dyn Reader>,
    lists: Arc<dyn Lists>,
    finder: Arc<dyn Finder>,
    figures: Arc<Figures>,
    desk: Desk,
    inbound: Arc<Inbound>,
    documents: Arc<Documents>,
    feed: Feed,
    config: Arc<Config>,
    explainer: Explainer,
    vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
    entropy: Entropy,
    lifetimes: Lifetimes,
    body_timeout: Duration,
    deadline: Duration,
    is_https: bool,
    provider: Option<Arc<Provider>>,
    attempts: Attempts,
    refusals: Allowance,
    signing_in: Arc<Semaphore>,
    live: Arc<Semaphore>,
    reading: Arc<Semaphore>,
}

/// How many refused sign-ins under names of nobody are written down in a minute: strangers must not fill a log from which nothing
/// is ever deleted. What is known of the others is how many they were.
const REFUSALS_PER_MINUTE: u64 = 20;

/// The most pages that read at once: a ledger that does not answer must not take every thread of the gateway.
const MAX_READING: usize = 32;

impl Console {
    /// The console over these parts.
    pub fn new(parts: ConsoleParts) -> Self {
        Self {
            store: parts.store,
            ledger: parts.ledger,
            reader: parts.reader,
            lists: parts.lists,
            finder: parts.finder,
            figures: parts.figures,
            desk: parts.desk,
            inbound: parts.inbound,
            documents: parts.documents,
            feed: parts.feed,
            explainer: Explainer::of(&parts.config),
            config: parts.config,
            vault: parts.vault,
            clock: parts.clock,
            entropy: parts.entropy,
            lifetimes: parts.lifetimes,
            body_timeout: parts.body_timeout,
            deadline: parts.deadline,
            is_https: parts.public_url.starts_with("https://"),
            provider: parts.provider.map(Arc::new),
            attempts: Attempts::default(),
            refusals: Allowance::new(REFUSALS_PER_MINUTE),
            signing_in: Arc::new(Semaphore::new(1)),
            live: Arc::new(Semaphore::new(live::LIVE_AT_ONCE)),
            reading: Arc::new(Semaphore::new(MAX_READING)),
        }
    }

    /// What counts on where a page was shown before all was counted.
    pub fn counter(&self) -> Counter {
        Counter { figures: Arc::clone(&self.figures) }
    }

    /// Whether passwords count.
    fn takes_passwords(&self) -> bool {
        self.provider.as_ref().is_none_or(|provider| provider.config().password_sign_in)
    }

    /// Whether a user's sessions count, by how they signed in: what is no longer configured lets nobody in.
    fn takes_sessions_of(&self, user: &User) -> bool {
        match (&user.provider, &self.provider) {
            (None, _) => self.takes_passwords(),
            (Some(identity), Some(provider)) => identity.issuer == provider.config().issuer,
            (Some(_), None) => false,
        }
    }

    /// The ids of all who may call: partners, policy sources, tokens.
    fn callers(&self) -> Vec<String> {
        let partners = self.config.partners.iter().map(|partner| partner.id.clone());
        let sources = self.config.access.sources().into_iter().map(|source| source.code.clone());
        let tokens = self.config.api_tokens.iter().map(|token| token.name().to_owned());
        partners.chain(sources).chain(tokens).collect()
    }

    /// The ids of all who are told something: platforms, endpoints of our own.
    fn receivers(&self) -> Vec<String> {
        let platforms = self.config.platforms.iter().map(|lane| lane.partner.clone());
        platforms.chain(self.config.webhooks.iter().map(|webhook| webhook.lane.partner.clone())).collect()
    }

    /// Runs what blocks on a thread that may, and waits for it for as long as a page may take.
    async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&Self) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let this = Arc::clone(self);
        let reading = async {
            let turn = Arc::clone(&self.reading).acquire_owned().await;
            // The turn ends with the work, also when nobody waits for it any more.
            let work = move || {
                let _turn = turn;
                query(&this)
            };
            match tokio::task::spawn_blocking(work).await {
                Ok(result) => result,
                Err(error) => Err(Failure::Unavailable(error.to_string())),
            }
        };
        let late = |_| Err(Failure::TooSlow { waited: self.deadline });
        tokio::time::timeout(self.deadline, reading).await.unwrap_or_else(late)
    }
}

/// Every route of the console.
pub(super) fn router(console: Console) -> Router {
    let console = Arc::new(console);
    let pages = Router::new()
        .route("/console/sign-in", get(sign_in::show).post(sign_in::sign_in))
        .route("/console/sign-out", post(sign_in::sign_out))
        .route("/console/oidc/start", get(oidc::start))
        .route(CALLBACK_PATH, get(oidc::callback))
        .merge(pages::routes())
        .route("/console/{*rest}", get(no_such_page).post(no_such_page))
        .method_not_allowed_fallback(no_such_page)
        .route_layer(from_fn_with_state(Arc::clone(&console), access::identify));
    Router::new()
        .route("/console/preferences", get(preferences::set))
        .route("/console/assets/{name}", get(assets::serve))
        .merge(pages)
        .layer(from_fn_with_state(Arc::clone(&console), headers::add))
        .with_state(console)
}

async fn no_such_page() -> Failure {
    Failure::NotFound
}

#[cfg(test)]
mod tests;
