//! `baoqiao simulate callers`: a scenario of the platforms that call a gateway.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use baoqiao_channels::access::Secret;
use baoqiao_gateway::clock::{Clock, SystemClock};
use baoqiao_simulator::callers::{Callers, Scenario};

use crate::commands::values::{file_bytes, print, secret, span};
use crate::failure::{Failure, Outcome};

/// Be the callers: issue, recover and rescind by a scenario, with duplicates, storms and wrong clocks
#[derive(clap::Args)]
#[command(after_help = "\
Scenario files are described in docs/simulator.md. Whatever a scenario repeats, a message that was
accepted once must be answered alike each time.

Exit status: 0 every call ended as the scenario expects, 1 some did not, 2 it could not be played.

Example:
  export BAOQIAO_SECRET=…
  baoqiao simulate callers --url http://127.0.0.1:8080 --app-key 24589063 --scenario storm.toml")]
pub(crate) struct Args {
    /// The gateway's address, without a path
    #[arg(long)]
    url: String,
    /// The app key of Qimen calls
    #[arg(long, value_name = "KEY")]
    app_key: String,
    /// The secret that signs them, or @FILE with it
    #[arg(long, env = "BAOQIAO_SECRET", hide_env_values = true, value_parser = secret)]
    secret: Secret,
    /// What to send; - reads standard input
    #[arg(long, value_name = "FILE")]
    scenario: PathBuf,
    /// `policySource` of rescission notices; the document's unless given
    #[arg(long, value_name = "CODE")]
    policy_source: Option<String>,
    /// What the keys of all messages begin with; by the time now unless given
    #[arg(long, value_name = "TEXT")]
    run: Option<String>,
    /// The method name of the recovery interface
    #[arg(long, value_name = "NAME")]
    recovery_method: Option<String>,
    /// How long to wait for an answer
    #[arg(long, value_name = "SPAN", default_value = "10s", value_parser = span)]
    timeout: Duration,
}

pub(super) fn run(args: &Args) -> Outcome {
    let path = args.scenario.display();
    let text = String::from_utf8(file_bytes(&args.scenario)?);
    let text = text.map_err(|_| Failure::new(format!("{path}: not UTF-8")))?;
    let scenario = Scenario::parse(&text).map_err(|error| Failure::new(format!("{path}:{error}")))?;
    let run = args.run.clone().unwrap_or_else(|| SystemClock.now().as_millisecond().to_string());
    let mut callers = Callers::new(&args.url, &args.app_key, args.secret.clone(), &run);
    callers.timeout = args.timeout;
    if let Some(source) = &args.policy_source {
        callers.policy_source.clone_from(source);
    }
    if let Some(method) = &args.recovery_method {
        callers.recovery_method.clone_from(method);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(callers.play(&scenario, || SystemClock.now()))?;
    print(&report.to_string())?;
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
