//! `baoqiao serve`: the gateway itself.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use baoqiao_gateway::clock::SystemClock;
use baoqiao_gateway::gateway::Gateway;

use super::load_config;
use crate::failure::Outcome;
use crate::{shutdown, telemetry};

/// Run the gateway
#[derive(clap::Args)]
#[command(after_help = "\
Stops on Ctrl-C or SIGTERM: takes no more calls, finishes those under way, and ends when all is durable.
GET /healthz says that the process is up, GET /readyz that its ledger takes writes.

Example:
  baoqiao init --dir gateway && baoqiao serve --config gateway/baoqiao.toml")]
pub(crate) struct Args {
    /// The configuration; `baoqiao init` writes one
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let config = load_config(&args.config)?;
    let log = telemetry::start(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let stop = shutdown::requested()?;
        let (partners, products) = (config.partners.len(), config.catalogue.products().count());
        let gateway = Gateway::start(config, Arc::new(SystemClock)).await?;
        let (address, public_url) = (gateway.address(), gateway.public_url());
        tracing::info!(%address, public_url, partners, products, "gateway ready");
        gateway.run(stop).await;
        tracing::info!("gateway stopped");
        Ok(ExitCode::SUCCESS)
    });
    log.finish();
    served
}
