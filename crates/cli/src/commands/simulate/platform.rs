//! `baoqiao simulate platform`: TOP on this machine, for the gateway's calls.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use baoqiao_channels::access::Secret;
use baoqiao_gateway::clock::{Clock, SystemClock};
use baoqiao_simulator::platform::{App, Platform, Scenario, Setup};

use crate::commands::values::{file_bytes, print, secret, span};
use crate::failure::{Failure, Outcome};
use crate::shutdown::Signals;

/// Be the platform: take surrender information and auction results, and misbehave to order
#[derive(clap::Args)]
#[command(after_help = "\
Checks every call as the platform does and answers in XML, or in JSON where `format=json` asks for
it. Prints one line when it is ready:
  listening on http://127.0.0.1:PORT/router/rest
GET /received shows the messages taken, GET /received?all=true the calls refused as well, and why.
Scenario files are described in docs/simulator.md. Stops on Ctrl-C or SIGTERM.

Examples:
  baoqiao simulate platform --listen 127.0.0.1:8090 --app 12345678:helloworld
  Fails twice, then works; every answer takes half a second:
    baoqiao simulate platform … --rule 'do = \"error\", times = 2' --delay 500ms
  Takes one message in ten without ever answering, always the same ones:
    baoqiao simulate platform … --rule 'do = \"timeout\", probability = 0.1' --seed 7
  At most 50 calls a second of an app key, the rest is code 7:
    baoqiao simulate platform … --rate 50
  All of it from a file:
    baoqiao simulate platform … --scenario bad-day.toml")]
pub(crate) struct Args {
    /// Where to listen; port 0 leaves the choice to the system
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// An application that may call, with its secret or @FILE with it; repeatable
    #[arg(long, value_name = "KEY:SECRET", required = true, value_parser = app)]
    app: Vec<App>,
    /// How to misbehave
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// A rule as the file writes them, behind those of the file; repeatable
    #[arg(long, value_name = "RULE")]
    rule: Vec<String>,
    /// Wait so long before every answer
    #[arg(long, value_name = "SPAN", value_parser = span)]
    delay: Option<Duration>,
    /// Calls a second of one app key; more are refused with code 7
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    rate: Option<u64>,
    /// What the rules' chances are drawn from
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Take any method, not only the two that the platform offers
    #[arg(long)]
    any_method: bool,
    /// How many of the newest calls are kept for /received
    #[arg(long, value_name = "N", default_value_t = Setup::KEEP)]
    keep: usize,
}

/// Reads `KEY:SECRET`.
fn app(text: &str) -> Result<App, String> {
    match text.split_once(':') {
        Some((key, rest)) if !key.is_empty() && !rest.is_empty() => {
            let secret: Secret = secret(rest)?;
            Ok(App { key: key.to_owned(), secret })
        }
        _ => Err("expected KEY:SECRET".to_owned()),
    }
}

pub(super) fn run(args: &Args) -> Outcome {
    let setup = setup(args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let listen = setup.listen;
        let platform = Platform::start(setup)
            .await
            .map_err(|error| Failure::new(format!("cannot listen on {listen}: {error}")))?;
        print(&format!("listening on {}\n", platform.url()))?;
        signals.next().await;
        Ok(ExitCode::SUCCESS)
    })
}

fn setup(args: &Args) -> Result<Setup, Failure> {
    for (index, app) in args.app.iter().enumerate() {
        if args.app.iter().take(index).any(|earlier| earlier.key == app.key) {
            return Err(Failure::new(format!("--app: {} is given twice", app.key)));
        }
    }
    let scenario = scenario(args)?;
    let now = Arc::new(|| SystemClock.now());
    Ok(Setup { listen: args.listen, apps: args.app.clone(), scenario, keep: args.keep, now })
}

/// The file's, with what the other arguments change.
fn scenario(args: &Args) -> Result<Scenario, Failure> {
    let mut scenario = args.scenario.as_deref().map(scenario_file).transpose()?.unwrap_or_default();
    for rule in &args.rule {
        scenario = scenario.with_rule(rule).map_err(|error| Failure::new(format!("--rule: {}", error.message)))?;
    }
    if let Some(calls) = args.rate {
        scenario = scenario.with_calls_per_second(calls);
    }
    if let Some(seed) = args.seed {
        scenario = scenario.with_seed(seed);
    }
    if args.any_method {
        scenario = scenario.with_any_method();
    }
    if let Some(delay) = args.delay {
        scenario = scenario.with_delay(delay);
    }
    Ok(scenario)
}

fn scenario_file(path: &Path) -> Result<Scenario, Failure> {
    let told = |what: &dyn std::fmt::Display| Failure::new(format!("{}:{what}", path.display()));
    let text = String::from_utf8(file_bytes(path)?).map_err(|_| told(&" not UTF-8"))?;
    Scenario::parse(&text).map_err(|error| told(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn setup_of(further: &[&str]) -> Result<Setup, String> {
        let args = Cli::try_parse_from(["platform"].iter().chain(further)).map_err(|error| error.to_string())?.args;
        setup(&args).map_err(|failure| failure.to_string())
    }

    #[test]
    fn an_app_is_cut_at_the_first_colon() {
        let setup = setup_of(&["--app=1:a:b", "--app=2:c"]).unwrap();
        let apps: Vec<(&str, &str)> = setup.apps.iter().map(|app| (app.key.as_str(), app.secret.expose())).collect();
        assert_eq!(apps, [("1", "a:b"), ("2", "c")]);
        for wrong in [&["--app=1"][..], &["--app=:x"], &["--app=1:"], &[], &["--app=1:a", "--app=1:b"]] {
            assert!(setup_of(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn arguments_add_to_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bad-day.toml");
        std::fs::write(&path, "seed = 1\n[[rule]]\ndo = 'drop'\n").unwrap();
        let file = format!("--scenario={}", path.display());
        let rule = "--rule=do = 'error', times = 2";
        let setup =
            setup_of(&["--app=1:a", &file, rule, "--delay=1s", "--rate=5", "--seed=2", "--any-method"]).unwrap();
        let text = "seed = 2\nany_method = true\nrate = { calls = 5 }\n[[rule]]\ndo = 'drop'\n[[rule]]\ndo = 'error'\ntimes = 2";
        let expected = Scenario::parse(text).unwrap().with_delay(Duration::from_secs(1));
        assert_eq!(setup.scenario, expected);

        std::fs::write(&path, "seed = 1\nsead = 1\n").unwrap();
        let error = setup_of(&["--app=1:a", &file]).err().unwrap();
        assert!(error.starts_with(&format!("{}:2: unknown field `sead`", path.display())), "{error}");
        let error = setup_of(&["--app=1:a", "--rule=when = 1"]).err().unwrap();
        assert!(error.contains("--rule: ") && error.contains("`when`"), "{error}");
    }
}
