//! `baoqiao sign explain`: a message of the ledger or a pasted curl command.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use baoqiao_channels::access::Secret;
use baoqiao_channels::explain::{Evidence, Explanation, Protocol, by_hand, curl};
use baoqiao_channels::rule::Rule;
use baoqiao_domain::time::{format_gmt8, parse_gmt8};
use baoqiao_gateway::clock::{Clock as _, SystemClock};
use baoqiao_gateway::config::Config;
use baoqiao_gateway::explainer::{Explainer, of_message, of_stranger};
use baoqiao_gateway::opening::open_for_reading;
use jiff::Timestamp;

use super::report::{Content, report};
use crate::commands::load_config;
use crate::commands::values::{file_bytes, secret};
use crate::failure::Failure;

#[derive(clap::Args)]
#[command(after_help = "\
The secrets of the configuration are tried: live ones, those of other partners, and those that are
only there to be tried (partner.previous_secrets, partner.sandbox_secrets). Of strangers only the
beginning of the body is kept (traffic.stranger_body_bytes); where that does not decide, it is said.

Exit status: 0 the request is believed, 1 it is not, or there is no such message, 2 wrong usage.

Examples:
  baoqiao messages strangers --config gateway/baoqiao.toml
  baoqiao sign explain --config gateway/baoqiao.toml --stranger 17
  baoqiao sign explain --config gateway/baoqiao.toml --message 1048576 --content
  baoqiao sign explain --secret @secret.txt --curl call.txt")]
pub(super) struct Args {
    /// The gateway's configuration
    #[arg(long, value_name = "FILE", required_unless_present = "secret")]
    config: Option<PathBuf>,
    /// The only secret to try, or @FILE with it, in place of a configuration
    #[arg(long, value_parser = secret, conflicts_with_all = ["config", "message", "stranger"])]
    secret: Option<Secret>,
    #[command(flatten)]
    what: What,
    /// Whose check to hold it against: qimen, avatar or top; by the look of the request unless given
    #[arg(long = "as", value_name = "PROTOCOL", value_parser = protocol)]
    protocol: Option<Protocol>,
    /// When a pasted call was made, such as '2026-01-02 03:04:05' in GMT+8; now unless given
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with_all = ["message", "stranger"])]
    at: Option<Timestamp>,
    /// Show the body of a message in the ledger, too; it may hold personal data
    #[arg(long)]
    content: bool,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// The number of a known caller's message
    #[arg(long, value_name = "N")]
    message: Option<u64>,
    /// The number of a stranger's message
    #[arg(long, value_name = "N")]
    stranger: Option<u64>,
    /// A file with a curl command; - reads standard input
    #[arg(long, value_name = "FILE")]
    curl: Option<PathBuf>,
}

fn protocol(name: &str) -> Result<Protocol, String> {
    Protocol::by_name(name).ok_or_else(|| format!("expected one of {}", Protocol::names().join(", ")))
}

fn time(text: &str) -> Result<Timestamp, String> {
    parse_gmt8(text).ok_or_else(|| "expected yyyy-MM-dd HH:mm:ss, in GMT+8".to_owned())
}

/// A request, and where and when it came.
struct Found {
    evidence: Evidence,
    at: Timestamp,
    channel: Option<String>,
}

pub(super) fn explained(args: &Args) -> Result<(String, ExitCode), Failure> {
    let config = args.config.as_deref().map(load_config).transpose()?;
    let found = match (&args.what.curl, &config) {
        (Some(path), _) => Some(pasted(path, args.at)?),
        (None, Some(config)) => recorded(config, &args.what)?,
        // clap asks for the configuration.
        (None, None) => None,
    };
    let Some(found) = found else { return Ok(("there is no such message\n".to_owned(), ExitCode::from(1))) };
    let named = found.channel.as_deref().and_then(Protocol::by_name);
    let protocol = args.protocol.or(named).unwrap_or_else(|| Protocol::of(&found.evidence));
    let explanation = match (&config, &args.secret) {
        (Some(config), _) => Explainer::of(config).explain(protocol, &found.evidence, found.at),
        (None, Some(secret)) => given(protocol, &found.evidence, secret)?,
        (None, None) => return Err(Failure::new("neither --config nor --secret")),
    };
    let shown = args.content || args.what.curl.is_some();
    let (at, what) = (format_gmt8(found.at), protocol.words().en);
    let text =
        format!("{what}, at {at}\n\n{}", report(&explanation, if shown { Content::Shown } else { Content::Hidden }));
    Ok((text, if explanation.is_believed() { ExitCode::SUCCESS } else { ExitCode::from(1) }))
}

fn given(protocol: Protocol, evidence: &Evidence, secret: &Secret) -> Result<Explanation, Failure> {
    let rule = match protocol {
        Protocol::Channel(channel) if channel.name() == "avatar" => {
            return Err(Failure::new("an Avatar call is checked by its source's address, too: give --config"));
        }
        Protocol::Channel(_) => Rule::Receiver,
        Protocol::Top => Rule::Caller,
    };
    Ok(by_hand(evidence, rule, None, secret)?)
}

fn pasted(path: &Path, at: Option<Timestamp>) -> Result<Found, Failure> {
    let wrong = |why: &dyn std::fmt::Display| Failure::new(format!("{}: {why}", path.display()));
    let text = String::from_utf8(file_bytes(path)?).map_err(|_| wrong(&"not UTF-8: save the command as UTF-8"))?;
    let read = |name: &str| std::fs::read(name).map_err(|error| error.to_string());
    let evidence = curl::parse(&text, &read).map_err(|error| wrong(&error))?;
    Ok(Found { evidence, at: at.unwrap_or_else(|| SystemClock.now()), channel: None })
}

fn recorded(config: &Config, what: &What) -> Result<Option<Found>, Failure> {
    let ledger = open_for_reading(config)?;
    let vault = &ledger.vault;
    if let Some(id) = what.message {
        let Some(message) = ledger.lists.message(id)? else { return Ok(None) };
        let (evidence, at) = (of_message(vault, &message)?, message.record.received_at);
        return Ok(Some(Found { evidence, at, channel: Some(message.record.channel) }));
    }
    let Some(number) = what.stranger else { return Ok(None) };
    let Some(stranger) = ledger.lists.stranger(number)? else { return Ok(None) };
    let (evidence, at) = (of_stranger(vault, &stranger)?, stranger.record.received_at);
    Ok(Some(Found { evidence, at, channel: Some(stranger.record.channel) }))
}
