//! `baoqiao messages`: what platforms sent and what they were answered, and what strangers sent.

use std::fmt::Write as _;
use std::process::ExitCode;

use baoqiao_channels::access::Access;
use baoqiao_channels::explain::{Evidence, Kept};
use baoqiao_channels::phrases::in_both;
use baoqiao_channels::qimen::body::charset;
use baoqiao_channels::{CHANNELS, signs};
use baoqiao_domain::difference::differences;
use baoqiao_domain::time::{format_gmt8, parse_gmt8};
use baoqiao_gateway::explainer::{of_message, of_stranger};
use baoqiao_gateway::ledger::lists::{
    ConflictRecord, MessageFilter, MessagePlace, MessageRecord, StrangerRecord, WholeMessage,
};
use baoqiao_gateway::ledger::store::Verdict;
use baoqiao_gateway::opening::{LedgerAccess, open_for_reading};
use baoqiao_gateway::vault::{Purpose, Vault};
use jiff::Timestamp;
use serde_json::Value;

use super::values::{print, visible};
use super::{ConfigArgs, load_config};
use crate::failure::{Failure, Outcome};

/// See what platforms sent and what they were answered
#[derive(clap::Args)]
#[command(after_help = "\
Messages are those whose callers were believed. Those of strangers are kept apart, in a ring, and
only their beginnings. Works while the gateway runs or while it does not. What was said is shown
with --content, and of one stranger with --number, only; it may hold personal data.
Exit status: 0 done, 1 no such message, 2 the ledger could not be read.

Examples:
  baoqiao messages list --config gateway/baoqiao.toml --verdict refused
  baoqiao messages list --config gateway/baoqiao.toml --interface qimen/recovery \\
      --from '2026-01-02 00:00:00'
  baoqiao messages show --config gateway/baoqiao.toml --id 1048576 --content
  baoqiao messages strangers --config gateway/baoqiao.toml
  baoqiao sign explain --config gateway/baoqiao.toml --stranger 17")]
pub(crate) struct Args {
    #[command(subcommand)]
    order: Order,
}

#[derive(clap::Subcommand)]
enum Order {
    /// List the messages of known callers, the newest first
    List(ListArgs),
    /// Show a message of a known caller
    Show(ShowArgs),
    /// List what strangers sent, the newest first; with a number, show one
    Strangers(StrangersArgs),
}

#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Only of that channel, such as qimen
    #[arg(long)]
    channel: Option<String>,
    /// Only of that interface, such as qimen/policy-issuing
    #[arg(long, value_name = "CHANNEL/INTERFACE")]
    interface: Option<String>,
    /// Only of that caller
    #[arg(long, value_name = "ID")]
    caller: Option<String>,
    /// Only under that idempotency key
    #[arg(long)]
    key: Option<String>,
    /// Only those that ended so: accepted, replayed, conflicting, refused
    #[arg(long, value_parser = verdict)]
    verdict: Option<Verdict>,
    /// Only refused with that code, such as `INVALID_ARGUMENT`
    #[arg(long)]
    code: Option<String>,
    /// Only what arrived then or later, such as '2026-01-02 03:04:05' in GMT+8
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Timestamp>,
    /// Only what arrived before that
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Timestamp>,
    /// Only those after that place: the next page
    #[arg(long, value_name = "PLACE", value_parser = place)]
    after: Option<MessagePlace>,
    /// The most messages to list
    #[arg(long, default_value_t = 20)]
    limit: usize,
}

#[derive(clap::Args)]
struct ShowArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The message's number
    #[arg(long, value_name = "N")]
    id: u64,
    /// Show what was said, too; it may hold personal data
    #[arg(long)]
    content: bool,
}

#[derive(clap::Args)]
struct StrangersArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Show that one with what is kept of it; it may hold personal data
    #[arg(long, value_name = "N")]
    number: Option<u64>,
    /// Only those before that number: the next page
    #[arg(long, value_name = "N", conflicts_with = "number")]
    before: Option<u64>,
    /// The most to list
    #[arg(long, default_value_t = 20)]
    limit: usize,
}

fn verdict(text: &str) -> Result<Verdict, String> {
    let known = Verdict::ALL.map(Verdict::as_str).join(", ");
    Verdict::from_name(text).ok_or_else(|| format!("expected one of {known}"))
}

fn time(text: &str) -> Result<Timestamp, String> {
    parse_gmt8(text).ok_or_else(|| "expected yyyy-MM-dd HH:mm:ss, in GMT+8".to_owned())
}

/// A place as a listing tells it.
fn place(text: &str) -> Result<MessagePlace, String> {
    let read = || {
        let (received_ms, id) = text.split_once(',')?;
        Some(MessagePlace { received_ms: received_ms.parse().ok()?, id: id.parse().ok()? })
    };
    read().ok_or_else(|| "expected the place that the page before told".to_owned())
}

pub(crate) fn run(args: &Args) -> Outcome {
    let (found, text) = match &args.order {
        Order::List(args) => list(&open(&args.config)?, args)?,
        Order::Show(args) => show(&open(&args.config)?, args)?,
        Order::Strangers(args) => strangers(&open(&args.config)?.0, args)?,
    };
    print(&text)?;
    Ok(if found { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The ledger, and who may call by the present configuration.
type Opened = (LedgerAccess, Access);

fn open(args: &ConfigArgs) -> Result<Opened, Failure> {
    let config = load_config(&args.config)?;
    Ok((open_for_reading(&config)?, config.access))
}

fn list((ledger, access): &Opened, args: &ListArgs) -> Result<(bool, String), Failure> {
    let filter = MessageFilter {
        channel: args.channel.clone(),
        scope: args.interface.clone(),
        caller: args.caller.clone(),
        key: args.key.clone(),
        verdict: args.verdict.map(|verdict| verdict.as_str().to_owned()),
        code: args.code.clone(),
        from: args.from,
        to: args.to,
    };
    let (mut text, mut found, mut after) = (String::new(), 0, args.after);
    // One call looks at a bounded number of rows; a person wants a page.
    loop {
        let slice = ledger.lists.messages(&filter, after, args.limit.saturating_sub(found))?;
        found += slice.items.len();
        text.extend(slice.items.iter().map(|message| described(message, access)));
        after = slice.next;
        if after.is_none() || found >= args.limit {
            break;
        }
    }
    match after {
        _ if found == 0 => text.push_str("no such message\n"),
        Some(MessagePlace { received_ms, id }) => {
            let _ = writeln!(text, "there may be more: --after {received_ms},{id}");
        }
        None => {}
    }
    Ok((found > 0, text))
}

/// A message in two lines.
fn described(message: &MessageRecord, access: &Access) -> String {
    let MessageRecord { id, verdict, channel, caller, .. } = message;
    let interface = message.scope.as_deref().unwrap_or(channel);
    let key = message.key.as_deref().map(|key| format!("  {}", visible(key))).unwrap_or_default();
    let code = message.code.as_deref().map(|code| format!(" {code}")).unwrap_or_default();
    let policy = message.policy_no.as_deref().map(|policy_no| format!("  {policy_no}")).unwrap_or_default();
    let (at, from) = (format_gmt8(message.received_at), from(&message.peer));
    let secret = if signs(channel, caller, access) {
        format!(", by secret {}", message.secret_index + 1)
    } else {
        String::new()
    };
    format!("#{id}  {verdict}{code}  {interface}{key}{policy}  ({caller})\n  {at}{from}{secret}\n")
}

fn from(peer: &str) -> String {
    if peer.is_empty() { String::new() } else { format!(" from {peer}") }
}

fn show((ledger, access): &Opened, args: &ShowArgs) -> Result<(bool, String), Failure> {
    let Some(message) = ledger.lists.message(args.id)? else {
        return Ok((false, format!("there is no message #{}\n", args.id)));
    };
    let mut text = described(&message.record, access);
    if let Some(conflict) = &message.conflict {
        text.push_str(&conflicting(&ledger.vault, conflict, args.content)?);
    }
    if args.content {
        text.push_str(&said(&ledger.vault, &message)?);
    }
    Ok((true, text))
}

/// What a message conflicts with: field by field, where the content may be shown.
fn conflicting(vault: &Vault, conflict: &ConflictRecord, content: bool) -> Result<String, Failure> {
    let open =
        |sealed| -> Result<Value, Failure> { Ok(serde_json::from_slice(&vault.open(Purpose::Content, sealed)?)?) };
    let mut text = format!("  the key came first with message #{}; these fields differ:\n", conflict.first_message_id);
    for one in differences(&open(&conflict.first)?, &open(&conflict.second)?) {
        let value =
            |value: Option<Value>| value.map_or_else(|| "(absent)".to_owned(), |value| visible(&value.to_string()));
        let values = || format!(": first {}, now {}", value(one.first), value(one.second));
        let _ = writeln!(text, "    {}{}", one.path, if content { values() } else { String::new() });
    }
    Ok(text)
}

fn said(vault: &Vault, message: &WholeMessage) -> Result<String, Failure> {
    let evidence = of_message(vault, message)?;
    let mut text = request(&evidence, &message.record.channel);
    let reply = vault.open(Purpose::Reply, &message.reply)?;
    text.push_str("answer\n");
    text.push_str(&indented(&String::from_utf8_lossy(&reply)));
    Ok(text)
}

/// The request as it came, its body in the charset of its content type, and the fields that are read from it.
fn request(evidence: &Evidence, channel: &str) -> String {
    let raw = &evidence.raw;
    let charset = charset(&raw.headers);
    let mut head = format!("POST {}?{}\n", evidence.path, String::from_utf8_lossy(&raw.query));
    for (name, value) in &raw.headers {
        let _ = writeln!(head, "{name}: {}", charset.decode_without_bom_handling(value.as_bytes()).0);
    }
    let body = charset.decode_without_bom_handling(&raw.body).0;
    let mut text = format!("request\n{}\n", indented(&head));
    text.push_str(&indented(&body));
    match evidence.kept {
        Kept::Whole => text.push_str(&fields(evidence, channel)),
        Kept::BodyCut { body_bytes } => {
            let _ = writeln!(text, "  … the body had {body_bytes} bytes, of which {} were kept", raw.body.len());
        }
        Kept::HeadCut => text.push_str("  … only the beginning of the head was kept\n"),
    }
    text
}

fn fields(evidence: &Evidence, channel: &str) -> String {
    let Some(channel) = CHANNELS.iter().find(|known| known.name() == channel) else { return String::new() };
    match channel.fields(&evidence.raw) {
        Ok(fields) => {
            let decoded = serde_json::to_string_pretty(&fields).unwrap_or_default();
            format!("decoded\n{}", indented(&decoded))
        }
        Err(refusal) => format!("decoded\n  not readable: {}\n", visible(&refusal.public_message())),
    }
}

fn indented(text: &str) -> String {
    visible(&text.replace("\r\n", "\n")).lines().fold(String::new(), |text, line| text + "  " + line + "\n")
}

fn strangers(ledger: &LedgerAccess, args: &StrangersArgs) -> Result<(bool, String), Failure> {
    if let Some(number) = args.number {
        let Some(stranger) = ledger.lists.stranger(number)? else {
            return Ok((false, format!("there is no stranger's message #{number}, or none any more\n")));
        };
        let evidence = of_stranger(&ledger.vault, &stranger)?;
        let text = strange(&stranger.record) + &request(&evidence, &stranger.record.channel);
        return Ok((true, text));
    }
    let slice = ledger.lists.strangers(args.before, args.limit)?;
    let mut text: String = slice.items.iter().map(strange).collect();
    match slice.next {
        _ if slice.items.is_empty() => text.push_str("no such message\n"),
        Some(before) => {
            let _ = writeln!(text, "there may be more: --before {before}");
        }
        None => {}
    }
    Ok((!slice.items.is_empty(), text))
}

/// A stranger's message in two lines.
fn strange(stranger: &StrangerRecord) -> String {
    let StrangerRecord { number, channel, body_bytes, .. } = stranger;
    let (at, reason) = (format_gmt8(stranger.received_at), visible(&in_both(&stranger.reason).en));
    format!("#{number}  {channel}  {reason}\n  {at}{}, {body_bytes} bytes\n", from(&stranger.peer))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn a_filter_is_read_as_it_is_written() {
        let words = [
            "messages",
            "list",
            "--config",
            "c",
            "--verdict",
            "refused",
            "--from",
            "2026-01-02 03:04:05",
            "--after",
            "5,7",
        ];
        let Order::List(args) = Cli::parse_from(words).args.order else { panic!("not list") };
        assert_eq!(args.verdict, Some(Verdict::Refused));
        assert_eq!(args.from.map(format_gmt8).as_deref(), Some("2026-01-02 03:04:05"));
        assert_eq!(args.after, Some(MessagePlace { received_ms: 5, id: 7 }));
        for wrong in [["--verdict", "lost"], ["--to", "yesterday"], ["--after", "5"]] {
            assert!(Cli::try_parse_from(["messages", "list", "--config", "c"].iter().chain(&wrong)).is_err());
        }
    }

    #[test]
    fn what_came_cannot_move_the_cursor() {
        assert_eq!(indented("a\r\nb\u{1b}[2J"), "  a\n  b\\u{1b}[2J\n");
    }
}
