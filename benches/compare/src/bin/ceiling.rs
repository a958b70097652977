//! The ceiling of the comparison: the gateway's own way in, with a ledger that decides and renders and stores nothing.
//!
//! What the gateway does slower than this is the price of keeping what it answers.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::routing::post;
use baoqiao_channels::CHANNELS;
use baoqiao_domain::policy_number::PolicyNumber;
use baoqiao_gateway::clock::SystemClock;
use baoqiao_gateway::config::Config;
use baoqiao_gateway::http::{Allowance, BodyBudget, Front, Inbound, InboundLimits, Server, ServerLimits};
use baoqiao_gateway::ledger::feed::Feed;
use baoqiao_gateway::ledger::store::{Decide, Loaded, NumberBlock, Store, StoreError, Wanted};
use baoqiao_gateway::ledger::{Ledger, Rules};
use baoqiao_gateway::outbox::Wake;
use baoqiao_gateway::vault::keyring::Keyring;
use baoqiao_gateway::vault::{Link, Vault};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Finds nothing and keeps nothing.
#[derive(Default)]
struct Forgetful {
    next: u64,
}

impl Store for Forgetful {
    fn reserve(&mut self, _block: NumberBlock, count: u64) -> Result<u64, StoreError> {
        self.next += count;
        Ok(self.next - count + 1)
    }

    fn transact(&mut self, wanted: &Wanted<'_>, decide: &mut Decide<'_>) -> Result<(), StoreError> {
        let loaded = Loaded { answers: vec![None; wanted.keys.len()], ..Loaded::default() };
        decide(loaded).map(drop)
    }
}

fn rules(config: &Config, vault: &Arc<Vault>) -> Rules {
    let (links, base) = (Arc::clone(vault), config.server.public_url_at(config.server.listen));
    let document_url = move |number: &PolicyNumber| {
        format!("{base}/documents/{number}-{}.pdf", links.link_token(Link::Document, number.as_str()))
    };
    Rules {
        catalogue: Arc::new(config.catalogue.clone()),
        clock: Arc::new(SystemClock),
        vault: Arc::clone(vault),
        document_url: Box::new(document_url),
        stranger_records: config.traffic.stranger_records,
        wake_outbox: Wake::default(),
        feed: Feed::default(),
        webhooks: Vec::new(),
    }
}

fn inbound(config: &Config, ledger: Ledger, vault: Arc<Vault>) -> Inbound {
    Inbound {
        access: Arc::new(config.access.clone()),
        catalogue: Arc::new(config.catalogue.clone()),
        ledger,
        vault,
        clock: Arc::new(SystemClock),
        limits: InboundLimits {
            body_bytes: config.server.body_limit_bytes,
            body_timeout: config.server.body_timeout,
            deadline: config.server.request_deadline,
            stranger_body_bytes: config.traffic.stranger_body_bytes,
        },
        deadlines: config.deadlines.clone(),
        strangers: Allowance::new(config.traffic.stranger_records_per_minute),
        bodies: BodyBudget::new(32 * 1_024),
    }
}

#[tokio::main]
#[allow(clippy::print_stderr, reason = "who started it waits for the line")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("expected: CONFIG")?;
    let config = Config::load(Path::new(&path), &|name| std::env::var(name).ok())?;
    let keyring = Keyring::load(&config.ledger.keys)?;
    let vault = Arc::new(Vault::new(&keyring, getrandom::fill));
    let (ledger, _committer) =
        Ledger::start(Forgetful::default(), rules(&config, &vault), config.server.waiting_limit)?;
    let inbound = Arc::new(inbound(&config, ledger, vault));
    let mut router = Router::new();
    for channel in CHANNELS {
        let inbound = Arc::clone(&inbound);
        let receive = move |request: Request| async move { inbound.receive(*channel, request).await };
        router = router.route(channel.path(), post(receive));
    }
    let limits = ServerLimits {
        header_timeout: config.server.header_timeout,
        shutdown_grace: config.server.shutdown_grace,
        connections: config.server.connection_limit,
    };
    let front = Front {
        tls: None,
        trusted_proxies: Vec::new(),
        failed_handshakes: Allowance::new(config.traffic.stranger_records_per_minute),
        clock: Arc::new(SystemClock),
    };
    let server = Server::bind(config.server.listen, limits, front).await?;
    eprintln!("ready address={}", server.local_addr()?);
    server.serve(router, std::future::pending()).await;
    Ok(())
}
