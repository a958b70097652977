//! The ceiling of the comparison: the gateway's own way in, with a ledger that decides and renders and stores nothing.
//!
//! What the gateway does slower than this is the price of keeping what it answers.

use std::path::Path;
use std::sync::Arc;

use baoqiao_bench::{Forgetful, routes};
use baoqiao_gateway::clock::SystemClock;
use baoqiao_gateway::config::Config;
use baoqiao_gateway::http::{Allowance, Front, Server, ServerLimits, handler_threads};
use baoqiao_gateway::vault::Vault;
use baoqiao_gateway::vault::keyring::Keyring;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// On as many threads as `baoqiao serve`.
fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(handler_threads()).enable_all().build()?;
    runtime.block_on(serve())
}

#[allow(clippy::print_stderr, reason = "who started it waits for the line")]
async fn serve() -> Result<()> {
    let path = std::env::args().nth(1).ok_or("expected: CONFIG")?;
    let config = Config::load(Path::new(&path), &|name| std::env::var(name).ok())?;
    let keyring = Keyring::load(&config.ledger.keys)?;
    let vault = Arc::new(Vault::new(&keyring, getrandom::fill));
    let (router, _committer) = routes(&config, &vault, Forgetful::default())?;
    let limits = ServerLimits {
        header_timeout: config.server.header_timeout,
        body_timeout: config.server.body_timeout,
        body_bytes: config.server.body_limit_bytes,
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
