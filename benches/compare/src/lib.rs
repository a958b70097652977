//! The gateway's own way in, over whatever ledger a measurement needs.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::routing::post;
use baoqiao_channels::CHANNELS;
use baoqiao_domain::policy_number::PolicyNumber;
use baoqiao_gateway::clock::SystemClock;
use baoqiao_gateway::config::Config;
use baoqiao_gateway::http::{Allowance, BodyBudget, Inbound, InboundLimits};
use baoqiao_gateway::ledger::feed::Feed;
use baoqiao_gateway::ledger::store::{Decide, Loaded, NumberBlock, Store, StoreError, Wanted};
use baoqiao_gateway::ledger::{Committer, Ledger, Rules};
use baoqiao_gateway::outbox::Wake;
use baoqiao_gateway::statistics::Meter;
use baoqiao_gateway::vault::{Link, Vault};

/// Finds nothing and keeps nothing.
#[derive(Default)]
pub struct Forgetful {
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
        meter: Arc::new(Meter::new("ceiling".to_owned())),
    }
}

/// The routes of all channels, on `store`.
///
/// # Errors
/// When there is no thread for the committer.
pub fn routes(
    config: &Config,
    vault: &Arc<Vault>,
    store: impl Store + 'static,
) -> std::io::Result<(Router, Committer)> {
    let (ledger, committer) = Ledger::start(store, rules(config, vault), config.server.waiting_limit)?;
    let inbound = Arc::new(inbound(config, ledger, Arc::clone(vault)));
    let mut router = Router::new();
    for channel in CHANNELS {
        let inbound = Arc::clone(&inbound);
        let receive = move |request: Request| async move { inbound.receive(*channel, request).await };
        router = router.route(channel.path(), post(receive));
    }
    Ok((router, committer))
}
