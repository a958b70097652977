//! `baoqiao serve`: the gateway itself.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use baoqiao_gateway::clock::SystemClock;
use baoqiao_gateway::gateway::Gateway;
use baoqiao_gateway::http::handler_threads;
use baoqiao_gateway::ledger::CommitterPanicked;

use super::load_config;
use crate::failure::Outcome;
use crate::shutdown::Signals;
use crate::telemetry;

/// Run the gateway
#[derive(clap::Args)]
#[command(after_help = "\
Stops on Ctrl-C or SIGTERM: takes no more calls, finishes those under way, and ends when all is
durable. GET /healthz says that the process is up, GET /readyz that its ledger takes writes.

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
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(handler_threads()).enable_all().build()?;
    let served = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let (partners, products) = (config.partners.len(), config.catalogue.products().count());
        let gateway = Gateway::start(config, Arc::new(SystemClock)).await?;
        let (address, public_url) = (gateway.address(), gateway.public_url());
        tracing::info!(%address, public_url, partners, products, "gateway ready");
        until_stopped(gateway, &mut signals).await?;
        tracing::info!("gateway stopped");
        Ok(ExitCode::SUCCESS)
    });
    log.finish();
    served
}

/// The first signal lets calls under way finish, the second does not wait for them.
async fn until_stopped(gateway: Gateway, signals: &mut Signals) -> Result<(), CommitterPanicked> {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = gateway.run(async {
        // A sender that is gone stops the gateway as well.
        let _ = stopped.await;
    });
    tokio::pin!(running);
    tokio::select! {
        ended = &mut running => return ended,
        () = signals.next() => tracing::info!("stopping: calls under way may finish; a second signal cuts them off"),
    }
    let _ = stop.send(());
    tokio::select! {
        ended = running => ended,
        () = signals.next() => {
            tracing::warn!("calls under way were cut off");
            Ok(())
        }
    }
}
