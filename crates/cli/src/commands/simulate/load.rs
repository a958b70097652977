//! `baoqiao simulate load`: many issuing calls and a report.

use std::fs;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use baoqiao_channels::access::Secret;
use baoqiao_channels::sign_method::SignMethod;
use baoqiao_gateway::clock::{Clock, SystemClock};
use baoqiao_simulator::load::{self, Identifiers, Plan, Progress};
use baoqiao_simulator::qimen::Charset;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

use crate::commands::values::{print, secret, span};
use crate::failure::{Failure, Outcome};

/// Load a gateway with issuing calls and report rate, latency and every answer that was not right
#[derive(clap::Args)]
#[command(after_help = "\
Every call is the document's example with identifiers and people of its own, signed anew. Every
answer is read: a repeat must get the first policyNo, a repeat with other content must be refused.
Closed loop (no --rate): each connection calls as soon as it was answered, for the highest rate.
Open loop (--rate): calls are due at their moments whatever the answers take, and latency counts
from there.

Exit status: 0 every answer was right, 1 some were not, 2 the load could not be run.

Examples:
  baoqiao simulate load --url http://127.0.0.1:8080/qimen --app-key 24589063 --secret @secret.txt
  baoqiao simulate load … --rate 500 --duration 30s --retries 0.3 --conflicts 0.05 --json r.json
  baoqiao simulate load … --requests 10000 --connections 8 --identifiers random --gbk")]
pub(crate) struct Args {
    /// The gateway's address, http on this machine
    #[arg(long)]
    url: String,
    /// The app key of the calls
    #[arg(long, value_name = "KEY")]
    app_key: String,
    /// The secret that signs, or @FILE with it
    #[arg(long, env = "BAOQIAO_SECRET", hide_env_values = true, value_parser = secret)]
    secret: Secret,
    /// Connections, each with one call under way
    #[arg(long, value_name = "N", default_value_t = 64)]
    connections: usize,
    /// How long to measure; 10s unless --requests is given, which then ends after 10m at the latest
    #[arg(long, value_name = "SPAN", value_parser = span)]
    duration: Option<Duration>,
    /// End after so many measured requests
    #[arg(long, value_name = "N")]
    requests: Option<u64>,
    /// Calls before measuring begins
    #[arg(long, value_name = "SPAN", default_value = "1s", value_parser = span)]
    warmup: Duration,
    /// Open loop: requests a second
    #[arg(long, value_name = "N")]
    rate: Option<NonZeroU32>,
    /// The share of requests that repeat an earlier one
    #[arg(long, value_name = "0..1", default_value_t = 0.0)]
    retries: f64,
    /// The share of requests that repeat an earlier identifier with other content
    #[arg(long, value_name = "0..1", default_value_t = 0.0)]
    conflicts: f64,
    /// The share of requests that record a recovery beside an issued policy
    #[arg(long, value_name = "0..1", default_value_t = 0.0)]
    recoveries: f64,
    /// All recoveries are about one policy
    #[arg(long, requires = "recoveries")]
    hot: bool,
    /// Add so much to each application, in its extensions
    #[arg(long, value_name = "KIB", default_value_t = 0)]
    padding_kib: usize,
    /// Send bodies in GBK
    #[arg(long)]
    gbk: bool,
    /// md5, hmac or hmac-sha256
    #[arg(long, value_name = "METHOD", default_value = "md5")]
    sign_method: SignMethod,
    /// How identifiers follow each other
    #[arg(long, value_enum, default_value_t = Order::Rising)]
    identifiers: Order,
    /// Decides which requests are repeats; another one each time unless given
    #[arg(long)]
    seed: Option<u64>,
    /// How long to wait for an answer
    #[arg(long, value_name = "SPAN", default_value = "10s", value_parser = span)]
    timeout: Duration,
    /// Write the report as JSON to this file; - prints it instead of the text
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the text report to this file, too
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Load a host that is not this machine: only your own, and never production
    #[arg(long)]
    i_own_this_host: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    /// Each greater than the one before
    Rising,
    /// In no order
    Random,
}

const USUAL_DURATION: Duration = Duration::from_secs(10);
/// With a count of requests, time is only the bound that every run has.
const DURATION_FOR_COUNT: Duration = Duration::from_mins(10);

pub(super) fn run(args: &Args) -> Outcome {
    let json_only = args.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    let plan = plan(args, SystemClock.now());
    let bar = bar_for(&plan)?;
    let report = load::run(&plan, || SystemClock.now(), |progress| show(&bar, &plan, progress));
    bar.finish_and_clear();
    let report = report?;
    let text = report.to_string();
    let in_json = format!("{}\n", serde_json::to_string_pretty(&report)?);
    let written = |path: &PathBuf, content: &str| {
        fs::write(path, content).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
    };
    if let Some(path) = &args.out {
        written(path, &text)?;
    }
    match &args.json {
        Some(path) if !json_only => written(path, &in_json)?,
        _ => {}
    }
    print(if json_only { &in_json } else { &text })?;
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn plan(args: &Args, now: Timestamp) -> Plan {
    let duration = args.duration.unwrap_or(if args.requests.is_some() { DURATION_FOR_COUNT } else { USUAL_DURATION });
    Plan {
        sign_method: args.sign_method,
        charset: if args.gbk { Charset::Gbk } else { Charset::Utf8 },
        connections: args.connections,
        duration,
        requests: args.requests,
        warmup: args.warmup,
        rate: args.rate,
        retries: args.retries,
        conflicts: args.conflicts,
        recoveries: args.recoveries,
        hot: args.hot,
        padding_kib: args.padding_kib,
        identifiers: match args.identifiers {
            Order::Rising => Identifiers::Rising,
            Order::Random => Identifiers::Random,
        },
        seed: args.seed.unwrap_or_else(|| now.as_millisecond().unsigned_abs()),
        timeout: args.timeout,
        allow_remote: args.i_own_this_host,
        ..Plan::new(&args.url, &args.app_key, args.secret.clone())
    }
}

/// A bar on standard error, over requests where their count ends the run and else over time; none where nobody
/// watches.
fn bar_for(plan: &Plan) -> Result<ProgressBar, Failure> {
    let length = plan.requests.unwrap_or_else(|| whole_ms(plan.warmup + plan.duration));
    let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}")?;
    Ok(ProgressBar::new(length).with_style(style))
}

fn show(bar: &ProgressBar, plan: &Plan, progress: Progress) {
    let done = progress.counts.requests();
    bar.set_position(if plan.requests.is_some() { done } else { whole_ms(progress.elapsed) });
    let wrong = done - progress.counts.expected();
    bar.set_message(format!("{done} requests, {wrong} not right"));
}

fn whole_ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
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

    fn planned(further: &[&str]) -> Plan {
        let usual = ["load", "--url", "http://127.0.0.1/", "--app-key", "k", "--secret", "s"];
        let cli = Cli::try_parse_from(usual.iter().chain(further)).unwrap_or_else(|error| panic!("{error}"));
        plan(&cli.args, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn every_run_has_an_end() {
        assert_eq!(planned(&[]).duration, Duration::from_secs(10));
        assert_eq!(planned(&["--duration", "3s"]).duration, Duration::from_secs(3));
        let counted = planned(&["--requests", "5"]);
        assert_eq!((counted.requests, counted.duration), (Some(5), Duration::from_mins(10)));
        let both = planned(&["--requests", "5", "--duration", "3s"]);
        assert_eq!((both.requests, both.duration), (Some(5), Duration::from_secs(3)));
    }

    #[test]
    fn all_that_can_be_chosen_arrives() {
        let plan = planned(&[
            "--connections=3",
            "--rate=500",
            "--retries=0.3",
            "--conflicts=0.05",
            "--recoveries=0.1",
            "--hot",
            "--padding-kib=3",
            "--gbk",
            "--sign-method=hmac-sha256",
            "--identifiers=random",
            "--warmup=0s",
            "--seed=9",
        ]);
        assert_eq!((plan.connections, plan.rate, plan.seed), (3, NonZeroU32::new(500), 9));
        assert_eq!((plan.charset, plan.sign_method), (Charset::Gbk, SignMethod::HmacSha256));
        assert_eq!((plan.identifiers, plan.warmup), (Identifiers::Random, Duration::ZERO));
        assert!((plan.retries - 0.3).abs() < 1e-9 && (plan.conflicts - 0.05).abs() < 1e-9);
        assert!((plan.recoveries - 0.1).abs() < 1e-9 && plan.hot && plan.padding_kib == 3);
        assert!(!plan.allow_remote && planned(&["--i-own-this-host"]).allow_remote);
    }
}
