//! The parts put together: from a configuration to a gateway that listens.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use sha2::{Digest, Sha256};

use baoqiao_channels::OUTBOUND;
use baoqiao_documents::{Fonts, POLICY_TEMPLATE, Template, TemplateError, policy_schema};

use crate::clock::Clock;
use crate::config::Config;
use crate::console::oidc::Provider;
use crate::documents::{Documents, Links};
use crate::http::api::{Api, ApiLimits, ApiParts};
use crate::http::console::{Console, ConsoleParts};
use crate::http::{Allowance, BodyBudget, Front, Inbound, InboundLimits, Parts, Server, ServerLimits, router};
use crate::ledger::backend::{Backend, ConsoleTables, Readers};
use crate::ledger::feed::Feed;
use crate::ledger::lists::Lists;
use crate::ledger::postgres::Sequencer;
use crate::ledger::resends::ResendLog;
use crate::ledger::retention::{Retention, Sweeper};
use crate::ledger::store::{Reader, Store, StoreError};
use crate::ledger::{Committer, CommitterPanicked, Ledger, Rules};
use crate::outbox::store::OutboxStore;
use crate::outbox::{Desk, HttpTransport, Tools, Wake, Worker};
use crate::statistics::{Counter, Figures, Keeper, Meter};
use crate::tls::{Tls, TlsError};
use crate::vault::Vault;
use crate::vault::keyring::{Keyring, KeyringError};

/// How many documents are laid out at once: each takes a core for some ten milliseconds, which issuing wants, too.
const DOCUMENTS_AT_ONCE: usize = 2;

/// How much memory bodies may take together, in KiB, from the first byte until the answer.
const BODIES_KIB: u32 = 32 * 1_024;

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The key file is of no use.
    #[error(transparent)]
    Keys(#[from] KeyringError),
    /// The ledger does not open.
    #[error("ledger {ledger}: {source}")]
    Ledger {
        /// The ledger's file or database.
        ledger: String,
        /// What is wrong.
        source: StoreError,
    },
    /// The template is unreadable or has mistakes.
    #[error("template {path}: {reason}")]
    Template {
        /// The template's file.
        path: PathBuf,
        /// What is wrong, with its line.
        reason: String,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; is another program using it?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The platforms cannot be called.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The files of `[server.tls]` are of no use.
    #[error("server.tls: {0}")]
    ServerTls(#[from] TlsError),
    /// The system gives no thread.
    #[error("cannot start the committer: {0}")]
    Thread(std::io::Error),
}

/// What gives events their places in the feed, with whom it hears from and tells.
struct Sequencing {
    sequencer: Sequencer,
    written: Feed,
    feed: Feed,
    wake: Wake,
}

impl Sequencing {
    fn new(sequencer: Sequencer, written: Feed, feed: &Feed, wake: &Wake) -> Self {
        Self { sequencer, written, feed: feed.clone(), wake: wake.clone() }
    }
}

/// A gateway that listens and has yet to serve.
pub struct Gateway {
    server: Server,
    address: SocketAddr,
    public_url: String,
    router: Router,
    ledger: Ledger,
    feed: Feed,
    worker: Worker,
    sequencing: Option<Sequencing>,
    keeper: Option<Keeper>,
    counter: Option<Counter>,
    sweeper: Option<Sweeper>,
    committer: Committer,
}

/// The keys of a configured ledger.
pub(crate) fn load_vault(config: &Config) -> Result<Arc<Vault>, KeyringError> {
    Ok(Arc::new(Vault::new(&Keyring::load(&config.ledger.keys)?, getrandom::fill)))
}

/// What is told of a ledger that fails, with its address.
pub(crate) fn failed(config: &Config) -> impl Fn(StoreError) -> StartError {
    let ledger = config.ledger.url.to_string();
    move |source| StartError::Ledger { ledger: ledger.clone(), source }
}

/// The ledger's parts, each opened on a thread that may wait for it.
struct Ledgers {
    stores: Vec<Box<dyn Store>>,
    readers: Readers,
    worker: Box<dyn OutboxStore>,
    desk: Box<dyn OutboxStore>,
    resends: Box<dyn ResendLog>,
    retention: Option<Box<dyn Retention>>,
    console: Option<ConsoleTables>,
    sequencer: Option<Sequencer>,
}

impl Ledgers {
    async fn open(config: &Config, vault: &Arc<Vault>, clock: &Arc<dyn Clock>) -> Result<Self, StartError> {
        let (url, vault, clock) = (config.ledger.url.clone(), Arc::clone(vault), Arc::clone(clock));
        let (has_console, forgets) = (config.console.enabled, !config.traffic.periods.is_endless());
        let opened = tokio::task::spawn_blocking(move || {
            let mut backend = Backend::open(&url, &vault)?;
            Ok(Self {
                stores: backend.stores()?,
                readers: backend.readers(),
                worker: backend.outbox()?,
                desk: backend.outbox()?,
                resends: backend.resends()?,
                retention: if forgets { Some(backend.retention()?) } else { None },
                console: if has_console { Some(backend.console()?) } else { None },
                sequencer: backend.sequencer(clock)?,
            })
        });
        let cut_off =
            |error: tokio::task::JoinError| StoreError { context: "opening the ledger", reason: error.to_string() };
        opened.await.map_err(cut_off).and_then(|opened| opened).map_err(failed(config))
    }
}

/// Writes down what a meter counts, where figures are shown.
fn keeper(tables: Option<&ConsoleTables>, meter: &Arc<Meter>, clock: &Arc<dyn Clock>) -> Option<Keeper> {
    let store = Arc::clone(&tables?.figures);
    Some(Keeper { meter: Arc::clone(meter), store, clock: Arc::clone(clock) })
}

/// What the API and the console both work with.
struct Shared {
    ledger: Ledger,
    reader: Arc<dyn Reader>,
    lists: Arc<dyn Lists>,
    desk: Desk,
    feed: Feed,
    links: Links,
    vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
}

fn api(config: &Config, resends: Box<dyn ResendLog>, meter: &Arc<Meter>, shared: &Shared) -> Api {
    Api::new(ApiParts {
        tokens: config.api_tokens.clone(),
        ledger: shared.ledger.clone(),
        reader: Arc::clone(&shared.reader),
        lists: Arc::clone(&shared.lists),
        desk: shared.desk.clone(),
        resends,
        feed: shared.feed.clone(),
        vault: Arc::clone(&shared.vault),
        links: shared.links.clone(),
        clock: Arc::clone(&shared.clock),
        meter: Arc::clone(meter),
        limits: api_limits(config),
    })
}

fn console(
    config: &Config,
    tables: ConsoleTables,
    meter: &Arc<Meter>,
    inbound: &Arc<Inbound>,
    documents: &Arc<Documents>,
    shared: &Shared,
) -> Result<Console, StartError> {
    let provider = open_provider(config, &shared.links.public_url, &shared.clock)?;
    let console = Console::new(ConsoleParts {
        store: tables.store,
        finder: tables.finder,
        figures: Arc::new(Figures::new(tables.figures, Arc::clone(meter), Arc::clone(&shared.clock))),
        ledger: shared.ledger.clone(),
        reader: Arc::clone(&shared.reader),
        lists: Arc::clone(&shared.lists),
        desk: shared.desk.clone(),
        inbound: Arc::clone(inbound),
        documents: Arc::clone(documents),
        feed: shared.feed.clone(),
        config: Arc::new(config.clone()),
        vault: Arc::clone(&shared.vault),
        clock: Arc::clone(&shared.clock),
        entropy: getrandom::fill,
        lifetimes: config.console.lifetimes,
        body_timeout: config.server.body_timeout,
        deadline: config.server.request_deadline,
        public_url: shared.links.public_url.clone(),
        provider,
    });
    Ok(console)
}

/// The provider of `[console.oidc]`, where there is one, of a gateway whose address is `public_url`.
///
/// # Errors
/// When TLS cannot be set up.
pub fn open_provider(
    config: &Config,
    public_url: &str,
    clock: &Arc<dyn Clock>,
) -> Result<Option<Provider>, StartError> {
    let Some(provider) = config.console.oidc.clone() else { return Ok(None) };
    Ok(Some(Provider::new(provider, public_url, crate::https::client()?, Arc::clone(clock))))
}

fn api_limits(config: &Config) -> ApiLimits {
    ApiLimits {
        body_bytes: config.server.body_limit_bytes,
        body_timeout: config.server.body_timeout,
        deadline: config.server.request_deadline,
    }
}

/// The worker of the outbox, not yet at work.
fn worker(
    config: &Config,
    store: Box<dyn OutboxStore>,
    vault: &Arc<Vault>,
    clock: &Arc<dyn Clock>,
    wake: Wake,
) -> Result<Worker, StartError> {
    let tools = Tools {
        interfaces: OUTBOUND,
        transport: Arc::new(HttpTransport::new()?),
        vault: Arc::clone(vault),
        clock: Arc::clone(clock),
        // Without random bytes nothing can be sealed either; that much jitter may be missing then.
        random: Box::new(|| getrandom::u64().unwrap_or_default()),
        wake,
    };
    let webhooks = config.webhooks.iter().map(|webhook| &webhook.lane);
    let lanes = config.platforms.iter().chain(webhooks).cloned().collect();
    Ok(Worker::new(store, lanes, config.outbox, tools))
}

/// The configured template, or the built-in one, with its file's SHA-256.
///
/// # Errors
/// When the file cannot be read or has mistakes.
pub fn load_template(config: &Config) -> Result<(Template, [u8; 32]), StartError> {
    let (path, text) = match &config.documents.template {
        None => (PathBuf::from("built-in"), POLICY_TEMPLATE.to_owned()),
        Some(path) => {
            let unreadable =
                |error: std::io::Error| StartError::Template { path: path.clone(), reason: error.to_string() };
            (path.clone(), std::fs::read_to_string(path).map_err(unreadable)?)
        }
    };
    let broken = |error: TemplateError| StartError::Template { path, reason: error.to_string() };
    let template = Template::parse(&text, policy_schema()).map_err(broken)?;
    Ok((template, Sha256::digest(&text).into()))
}

impl Gateway {
    /// Opens the ledger, migrates it, and listens.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(config: Config, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let (template, template_sha256) = load_template(&config)?;
        let vault = load_vault(&config)?;
        let ledgers = Ledgers::open(&config, &vault, &clock).await?;
        let Readers { reader, lists, notices, .. } = ledgers.readers;
        let (server, address) = listen(&config, &clock).await?;
        let public_url = config.server.public_url_at(address);
        let links = Links { public_url: public_url.clone(), vault: Arc::clone(&vault) };
        let catalogue = Arc::new(config.catalogue.clone());
        let document_links = links.clone();
        let (wake, feed) = (Wake::default(), Feed::default());
        // Where events get their places after they were written, only what has its place is news.
        let written = if ledgers.sequencer.is_some() { Feed::default() } else { feed.clone() };
        let worker = worker(&config, ledgers.worker, &vault, &clock, wake.clone())?;
        let rules = Rules {
            catalogue: Arc::clone(&catalogue),
            clock: Arc::clone(&clock),
            vault: Arc::clone(&vault),
            document_url: Box::new(move |policy_no| document_links.document(policy_no)),
            stranger_records: config.traffic.stranger_records,
            wake_outbox: wake.clone(),
            feed: written.clone(),
            webhooks: config.webhooks.iter().map(|webhook| webhook.endpoint.clone()).collect(),
        };
        // A name of this process alone.
        let meter = Arc::new(Meter::new(format!("{:016x}", getrandom::u64().unwrap_or_default())));
        let keeper = keeper(ledgers.console.as_ref(), &meter, &clock);
        let sweep = |store| Sweeper::new(store, Arc::clone(&clock), config.traffic.periods);
        let sweeper = ledgers.retention.map(sweep);
        let sequencing = ledgers.sequencer.map(|sequencer| Sequencing::new(sequencer, written, &feed, &wake));
        let desk = Desk::new(ledgers.desk, notices, wake, Arc::clone(&clock));
        let (ledger, committer) =
            Ledger::start_lanes(ledgers.stores, rules, config.server.waiting_limit).map_err(StartError::Thread)?;
        let documents = Arc::new(Documents {
            reader: Arc::clone(&reader),
            ledger: ledger.clone(),
            vault: Arc::clone(&vault),
            links: links.clone(),
            insurer: config.insurer.clone(),
            catalogue: Arc::clone(&catalogue),
            template,
            template_sha256,
            fonts: Fonts::embedded(),
            clock: Arc::clone(&clock),
            making: Arc::new(tokio::sync::Semaphore::new(DOCUMENTS_AT_ONCE)),
            deadline: config.server.request_deadline,
        });
        let shared = Shared { ledger: ledger.clone(), reader, lists, desk, feed: feed.clone(), links, vault, clock };
        let inbound = Arc::new(inbound(&config, &shared, catalogue, Arc::clone(&meter)));
        let console = ledgers.console.map(|tables| console(&config, tables, &meter, &inbound, &documents, &shared));
        let console = console.transpose()?;
        let counter = console.as_ref().map(Console::counter);
        let api = api(&config, ledgers.resends, &meter, &shared);
        let parts = Parts { inbound, documents, api: Arc::new(api), console, ledger: ledger.clone() };
        Ok(Self {
            server,
            address,
            public_url,
            router: router(parts),
            ledger,
            feed,
            worker,
            sequencing,
            keeper,
            counter,
            sweeper,
            committer,
        })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What every address in an answer begins with.
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// Serves until `stop` completes, lets what is under way finish, and waits until all of it is durable.
    ///
    /// # Errors
    /// When the committer ended before it was told to: nothing could be answered any more, and whoever runs the
    /// process should start it again.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), CommitterPanicked> {
        let Self { server, router, ledger, feed, worker, sequencing, keeper, counter, sweeper, committer, .. } = self;
        let (counted, stop_keeper) = tokio::sync::oneshot::channel::<()>();
        let keeper = keeper.map(|keeper| {
            tokio::spawn(keeper.run(async {
                let _ = stop_keeper.await;
            }))
        });
        let counting = counter.map(|counter| tokio::spawn(counter.run()));
        // Dropped with this function; what it is about to forget then, it forgets when it is started again.
        let (_swept, stop_sweeper) = tokio::sync::oneshot::channel::<()>();
        sweeper.map(|sweeper| {
            tokio::spawn(sweeper.run(async {
                let _ = stop_sweeper.await;
            }))
        });
        let (served, stop_worker) = tokio::sync::oneshot::channel::<()>();
        let worker = tokio::spawn(worker.run(async {
            // A sender that is gone says the same.
            let _ = stop_worker.await;
        }));
        let sequencing = sequencing.map(|Sequencing { sequencer, written, feed, wake }| {
            tokio::spawn(sequencer.run(written, feed, wake, std::future::pending()))
        });
        let stop_or_end = async move {
            tokio::select! {
                () = stop => {}
                () = ledger.ended() => tracing::error!("the committer has ended; the gateway stops"),
            }
            // Whoever waits for events is answered now, not at the end of the grace period.
            feed.close();
        };
        server.serve(router, stop_or_end).await;
        let _ = served.send(());
        let _ = counted.send(());
        if let Some(keeper) = keeper
            && keeper.await.is_err()
        {
            tracing::error!("the figures could not be waited for");
        }
        if worker.await.is_err() {
            tracing::error!("the outbox could not be waited for");
        }
        let finished = committer.finish().await;
        // What has no place in the feed yet gets it from another gateway, or when this one is started again.
        sequencing.inspect(tokio::task::JoinHandle::abort);
        counting.inspect(tokio::task::JoinHandle::abort);
        finished
    }
}

async fn listen(config: &Config, clock: &Arc<dyn Clock>) -> Result<(Server, SocketAddr), StartError> {
    let limits = ServerLimits {
        header_timeout: config.server.header_timeout,
        body_timeout: config.server.body_timeout,
        body_bytes: config.server.body_limit_bytes,
        shutdown_grace: config.server.shutdown_grace,
        connections: config.server.connection_limit,
    };
    let front = Front {
        tls: config.server.tls.clone().map(Tls::load).transpose()?,
        trusted_proxies: config.server.trusted_proxies.clone(),
        failed_handshakes: Allowance::new(config.traffic.stranger_records_per_minute),
        clock: Arc::clone(clock),
    };
    let listen = config.server.listen;
    let cannot = |source| StartError::Listen { address: listen, source };
    let server = Server::bind(listen, limits, front).await.map_err(cannot)?;
    let address = server.local_addr().map_err(cannot)?;
    Ok((server, address))
}

fn inbound(
    config: &Config,
    shared: &Shared,
    catalogue: Arc<baoqiao_domain::product::Catalogue>,
    meter: Arc<Meter>,
) -> Inbound {
    let limits = InboundLimits {
        body_bytes: config.server.body_limit_bytes,
        body_timeout: config.server.body_timeout,
        deadline: config.server.request_deadline,
        stranger_body_bytes: config.traffic.stranger_body_bytes,
    };
    Inbound {
        access: Arc::new(config.access.clone()),
        catalogue,
        ledger: shared.ledger.clone(),
        vault: Arc::clone(&shared.vault),
        clock: Arc::clone(&shared.clock),
        limits,
        deadlines: config.deadlines.clone(),
        strangers: Allowance::new(config.traffic.stranger_records_per_minute),
        bodies: BodyBudget::new(BODIES_KIB),
        meter,
    }
}
