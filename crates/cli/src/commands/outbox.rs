//! `baoqiao outbox`: what is to be sent, what came of it, and what a person wants done about it.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use baoqiao_domain::notice::NoticeKind;
use baoqiao_domain::time::format_gmt8;
use baoqiao_gateway::clock::SystemClock;
use baoqiao_gateway::console::audit::Action;
use baoqiao_gateway::console::store::ConsoleStore;
use baoqiao_gateway::opening::{open_console, open_for_reading, open_outbox};
use baoqiao_gateway::outbox::Desk;
use baoqiao_gateway::outbox::store::{AttemptRecord, Filter, NoticeRecord, NoticeState, Resent, Skipped};
use baoqiao_gateway::vault::{Purpose, Vault};

use super::values::print;
use super::{ConfigArgs, audited, load_with_ledger};
use crate::failure::{Failure, Outcome};

/// See what is to be sent and what came of it; send again, or skip
#[derive(clap::Args)]
#[command(after_help = "\
Notices about one subject (a policy, an auction case) are sent one by one, in order. A dead one,
given up or refused by the platform, holds up its own subject and no other, until it is sent again
or skipped. Works while the gateway runs, which sees an order within a second, or while it does
not. Orders go into the audit log with their reason. What is being sent at that moment is not
skipped.
Exit status: 0 done, 1 no such notice or nothing could be done, 2 the ledger could not be read.

Examples:
  baoqiao outbox list --config gateway/baoqiao.toml --state dead
  baoqiao outbox show --config gateway/baoqiao.toml --id 17
  baoqiao outbox resend --config gateway/baoqiao.toml --dead --kind surrender-sync --dry-run
  baoqiao outbox resend --config gateway/baoqiao.toml --id 17 --reason 'ticket 4711'
  baoqiao outbox skip --config gateway/baoqiao.toml --id 17 --reason 'ticket 4711'
  baoqiao outbox skip --config gateway/baoqiao.toml --open --partner webhook:old --dry-run")]
pub(crate) struct Args {
    #[command(subcommand)]
    order: Order,
}

#[derive(clap::Subcommand)]
enum Order {
    /// List notices, the newest first
    List(ListArgs),
    /// Show a notice with every attempt at it
    Show(ShowArgs),
    /// Send again: one notice, whatever became of it, or dead ones
    Resend(ResendArgs),
    /// Pass over for good, so that subjects go on: one notice, dead ones, or all that are open
    Skip(SkipArgs),
}

#[derive(clap::Args)]
struct FilterArgs {
    /// Only of that kind: surrender-sync, auction-result, webhook
    #[arg(long, value_parser = kind)]
    kind: Option<NoticeKind>,
    /// Only about that subject, such as policy:PBDI20211201Q000F0001 or auction:24010900100YSKSSG
    #[arg(long)]
    subject: Option<String>,
    /// Only of that partner
    #[arg(long, value_name = "ID")]
    partner: Option<String>,
}

#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// Only those that stand so: pending, delivered, dead, skipped
    #[arg(long, value_parser = state)]
    state: Option<NoticeState>,
    /// Only those before that number: the next page
    #[arg(long, value_name = "N")]
    before: Option<u64>,
    /// The most notices to list
    #[arg(long, default_value_t = 20)]
    limit: usize,
}

#[derive(clap::Args)]
struct ShowArgs {
    #[command(flatten)]
    one: OneArgs,
    /// Show what is sent and what was answered, too; it may hold personal data
    #[arg(long)]
    content: bool,
}

#[derive(clap::Args)]
struct OneArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The notice's number
    #[arg(long, value_name = "N")]
    id: u64,
}

#[derive(clap::Args)]
struct ResendArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    order: OrderArgs,
}

#[derive(clap::Args)]
struct SkipArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    which: WhichOpen,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    order: OrderArgs,
}

#[derive(clap::Args)]
struct OrderArgs {
    /// Only tell how many there are
    #[arg(long)]
    dry_run: bool,
    /// Why, for the audit log
    #[arg(long, value_parser = audited::reason, required_unless_present = "dry_run")]
    reason: Option<String>,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The notice's number
    #[arg(long, value_name = "N", conflicts_with_all = ["kind", "subject", "partner"])]
    id: Option<u64>,
    /// All dead notices that fit
    #[arg(long)]
    dead: bool,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct WhichOpen {
    /// The notice's number
    #[arg(long, value_name = "N", conflicts_with_all = ["kind", "subject", "partner"])]
    id: Option<u64>,
    /// All dead notices that fit
    #[arg(long)]
    dead: bool,
    /// All pending and dead notices that fit; with --kind, --subject or --partner
    #[arg(long, requires = "FilterArgs")]
    open: bool,
}

fn kind(text: &str) -> Result<NoticeKind, String> {
    let known = NoticeKind::ALL.map(NoticeKind::as_str).join(", ");
    NoticeKind::from_name(text).ok_or_else(|| format!("expected one of {known}"))
}

fn state(text: &str) -> Result<NoticeState, String> {
    let known = NoticeState::ALL.map(NoticeState::as_str).join(", ");
    NoticeState::from_name(text).ok_or_else(|| format!("expected one of {known}"))
}

impl FilterArgs {
    fn filter(&self) -> Filter {
        Filter {
            kind: self.kind.map(|kind| kind.as_str().to_owned()),
            subject: self.subject.clone(),
            partner: self.partner.clone(),
            ..Filter::default()
        }
    }
}

pub(crate) fn run(args: &Args) -> Outcome {
    let (found, text) = match &args.order {
        Order::List(args) => list(&open(&args.config)?.0, args)?,
        Order::Show(args) => {
            let (desk, vault) = open(&args.one.config)?;
            show(&desk, &vault, args)?
        }
        Order::Resend(args) => resend(&open(&args.config)?.0, args, &*log(&args.config)?)?,
        Order::Skip(args) => skip(&open(&args.config)?.0, args, &*log(&args.config)?)?,
    };
    print(&text)?;
    Ok(if found { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn open(args: &ConfigArgs) -> Result<(Desk, Arc<Vault>), Failure> {
    let config = load_with_ledger(&args.config)?;
    // Whoever looks into an outbox makes no ledger by it.
    open_for_reading(&config)?;
    Ok(open_outbox(&config, Arc::new(SystemClock))?)
}

/// The audit log of a ledger that [`open`] has found.
fn log(args: &ConfigArgs) -> Result<Arc<dyn ConsoleStore>, Failure> {
    Ok(open_console(&load_with_ledger(&args.config)?)?)
}

fn list(desk: &Desk, args: &ListArgs) -> Result<(bool, String), Failure> {
    let mut filter = Filter { state: args.state, before: args.before, ..args.filter.filter() };
    let mut notices = Vec::new();
    // One call looks at its share alone, however rare what it looks for is.
    loop {
        let found = desk.list(&filter, args.limit - notices.len())?;
        notices.extend(found.items);
        filter.before = found.next;
        if filter.before.is_none() || notices.len() >= args.limit {
            break;
        }
    }
    let mut text: String = notices.iter().map(described).collect();
    match filter.before {
        Some(before) => {
            let _ = writeln!(text, "there may be more: --before {before}");
        }
        None if notices.is_empty() => text.push_str("no such notice\n"),
        None => {}
    }
    Ok((!notices.is_empty(), text))
}

/// A notice in two or three lines.
fn described(notice: &NoticeRecord) -> String {
    let NoticeRecord { id, kind, subject, partner, .. } = notice;
    let mut text = format!("#{id}  {}  {kind}  {subject}  ({partner})\n", standing(notice));
    let queued = format_gmt8(notice.created_at);
    let attempts = match notice.attempts {
        0 => "never sent".to_owned(),
        1 => "sent once".to_owned(),
        times => format!("sent {times} times"),
    };
    let _ = writeln!(text, "  queued {queued}, {attempts}");
    if let Some((verdict, detail)) = &notice.last {
        let _ = writeln!(text, "  last: {}, {detail}", verdict.as_str());
    }
    text
}

fn standing(notice: &NoticeRecord) -> String {
    let at = |instant: Option<_>| instant.map(format_gmt8).unwrap_or_default();
    let holds_up = match (notice.waiting.count, notice.waiting.or_more) {
        (0, _) => String::new(),
        (1, _) => ", 1 notice waits for it".to_owned(),
        (count, or_more) => format!(", {count}{} notices wait for it", if or_more { "+" } else { "" }),
    };
    match (notice.state, notice.behind) {
        (NoticeState::Pending, Some(behind)) => format!("waits for #{behind}"),
        (NoticeState::Pending, None) if notice.leased => format!("under way{holds_up}"),
        (NoticeState::Pending, None) => format!("due {}{holds_up}", at(notice.due_at)),
        (NoticeState::Delivered, _) => format!("delivered {}", at(notice.closed_at)),
        (NoticeState::Dead, _) => format!("DEAD since {}{holds_up}", at(notice.closed_at)),
        (NoticeState::Skipped, _) => format!("skipped {}", at(notice.closed_at)),
    }
}

fn show(desk: &Desk, vault: &Vault, args: &ShowArgs) -> Result<(bool, String), Failure> {
    let Some((notice, attempts)) = desk.show(args.one.id)? else {
        return Ok((false, format!("there is no notice #{}\n", args.one.id)));
    };
    let opened = |purpose, sealed: &_| -> Result<String, Failure> {
        Ok(String::from_utf8_lossy(&vault.open(purpose, sealed)?).into_owned())
    };
    let mut text = described(&notice);
    if args.content {
        let _ = writeln!(text, "  says: {}", opened(Purpose::Notice, &notice.content)?);
    }
    for attempt in &attempts {
        text.push_str(&attempted(attempt));
        if let Some(response) = attempt.response.as_ref().filter(|_| args.content) {
            let _ = writeln!(text, "    answer: {}", opened(Purpose::NoticeResponse, response)?);
        }
    }
    Ok((true, text))
}

fn attempted(attempt: &AttemptRecord) -> String {
    let AttemptRecord { number, started_at, duration_ms, verdict, detail, late, .. } = attempt;
    let late = if *late { " (after its lease had run out: changed nothing)" } else { "" };
    let started = format_gmt8(*started_at);
    format!("  {number}.  {started}  {duration_ms} ms  {}  {detail}{late}\n", verdict.as_str())
}

/// What an order is for, as the audit log names it: `notice:17`, or the conditions.
fn named(id: Option<u64>, state: Option<NoticeState>, filter: &FilterArgs) -> String {
    if let Some(id) = id {
        return format!("notice:{id}");
    }
    let kind = filter.kind.map(NoticeKind::as_str);
    let (subject, partner) = (filter.subject.as_deref(), filter.partner.as_deref());
    let given = [("state", state.map(NoticeState::as_str)), ("kind", kind), ("subject", subject), ("partner", partner)];
    given.iter().filter_map(|(name, value)| Some(format!("{name}={}", (*value)?))).collect::<Vec<_>>().join(" ")
}

fn fit(count: usize) -> String {
    match count {
        1 => "1 notice fits\n".to_owned(),
        count => format!("{count} notices fit\n"),
    }
}

/// The number, where there is such a notice.
fn existing(desk: &Desk, id: u64) -> Result<Vec<u64>, Failure> {
    Ok(desk.show(id)?.map(|(notice, _)| notice.id).into_iter().collect())
}

fn resend(desk: &Desk, args: &ResendArgs, log: &dyn ConsoleStore) -> Result<(bool, String), Failure> {
    let state = args.which.dead.then_some(NoticeState::Dead);
    let found = match args.which.id {
        Some(id) => existing(desk, id)?,
        None => desk.matching(&Filter { state, ..args.filter.filter() })?,
    };
    let mut text = fit(found.len());
    if let Some(reason) = args.order.reason.as_deref().filter(|_| !found.is_empty() && !args.order.dry_run) {
        let subject = named(args.which.id, state, &args.filter);
        log.record(&audited::entry(Action::NoticesResent, subject, reason, &found.len().to_string()))?;
        let Resent { due, waiting, under_way } = desk.resend(&found)?;
        let _ = writeln!(text, "{due} to be sent now, {waiting} after others of their subjects, {under_way} under way");
    }
    Ok((!found.is_empty(), text))
}

fn skip(desk: &Desk, args: &SkipArgs, log: &dyn ConsoleStore) -> Result<(bool, String), Failure> {
    let state = args.which.dead.then_some(NoticeState::Dead);
    let found = match args.which.id {
        Some(id) => existing(desk, id)?,
        None => desk.open(&Filter { state, ..args.filter.filter() })?,
    };
    let mut text = fit(found.len());
    let Some(reason) = args.order.reason.as_deref().filter(|_| !found.is_empty() && !args.order.dry_run) else {
        return Ok((!found.is_empty(), text));
    };
    let subject = named(args.which.id, state, &args.filter);
    log.record(&audited::entry(Action::NoticeSkipped, subject, reason, &found.len().to_string()))?;
    let Skipped { skipped, under_way, closed } = desk.skip(&found)?;
    let _ = writeln!(text, "{skipped} skipped, so that their subjects go on");
    if under_way > 0 {
        let _ = writeln!(text, "{under_way} under way at this moment and not skipped: try again when they are not");
    }
    if closed > 0 {
        let _ = writeln!(text, "{closed} delivered or skipped before");
    }
    Ok((skipped > 0, text))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use baoqiao_gateway::clock::Clock as _;
    use baoqiao_gateway::config::{Config, LedgerUrl, SampleOptions, sample};
    use baoqiao_gateway::console::audit::AuditFilter;
    use baoqiao_gateway::ledger::sqlite::{Gate, SqliteOutbox};
    use baoqiao_gateway::outbox::store::{AttemptVerdict, Finished, Next, NoticeRow, OutboxStore as _, Turn, Want};
    use baoqiao_gateway::vault::keyring::Keyring;
    use clap::Parser;
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn order(words: &[&str]) -> Order {
        let words = ["outbox"].iter().chain(words).copied();
        Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).args.order
    }

    /// A ledger with three notices about one policy, the first of them dead.
    fn ledger(folder: &Path) -> (Desk, Arc<Vault>, Arc<dyn ConsoleStore>) {
        let options = SampleOptions::new("127.0.0.1:0", "1", "s").unwrap();
        let config = Config::parse(&folder.join("baoqiao.toml"), &sample(&options), &|_| None).unwrap();
        std::fs::write(&config.ledger.keys, Keyring::generate(getrandom::fill).unwrap().to_toml()).unwrap();
        let (desk, vault) = open_outbox(&config, Arc::new(SystemClock)).unwrap();
        let LedgerUrl::Sqlite(path) = &config.ledger.url else { panic!("{}", config.ledger.url) };
        let mut store = SqliteOutbox::open(path, Gate::default()).unwrap();
        let now = Timestamp::from_millisecond(SystemClock.now().as_millisecond()).unwrap();
        let row = || NoticeRow {
            kind: "surrender-sync",
            subject: "policy:P1".to_owned(),
            partner: "alibaba".to_owned(),
            content: vault.seal(Purpose::Notice, b"{\"content\":1}").unwrap(),
            cause_message_id: None,
        };
        store.queue(&[row(), row(), row()], now).unwrap();
        let wants = [Want { partner: "alibaba", limit: 9, lease_until: now + SignedDuration::from_secs(9) }];
        let turn = Turn { now, owner: "w", finished: &[], wants: &wants };
        let claimed = store.turn(&turn).unwrap().claimed.remove(0);
        let finished = [Finished {
            id: claimed.id,
            leased_at: claimed.leased_at,
            started_at: now,
            duration_ms: 12,
            verdict: AttemptVerdict::Dead,
            detail: "caller-error: isv.invalid-parameter".to_owned(),
            response: Some(vault.seal(Purpose::NoticeResponse, b"<error_response/>").unwrap()),
            next: Next::Dead,
        }];
        store.turn(&Turn { finished: &finished, wants: &[], ..turn }).unwrap();
        (desk, vault, open_console(&config).unwrap())
    }

    #[test]
    fn a_dead_notice_says_what_it_holds_up_and_the_others_what_they_wait_for() {
        let folder = tempfile::tempdir().unwrap();
        let (desk, vault, _) = ledger(folder.path());
        let Order::List(args) = order(&["list", "--config", "c", "--limit", "3"]) else { panic!("not list") };
        let (found, text) = list(&desk, &args).unwrap();
        assert!(found);
        assert!(text.contains("#2  waits for #1  surrender-sync  policy:P1  (alibaba)"), "{text}");
        assert!(text.contains(", 2 notices wait for it"), "{text}");
        assert!(text.contains("  last: dead, caller-error: isv.invalid-parameter\n"), "{text}");
        assert!(!text.contains("--before"), "{text}");
        let Order::List(args) = order(&["list", "--config", "c", "--limit", "2"]) else { panic!("not list") };
        assert!(list(&desk, &args).unwrap().1.ends_with("there may be more: --before 2\n"));
        let Order::Show(args) = order(&["show", "--config", "c", "--id", "1"]) else { panic!("not show") };
        let (_, text) = show(&desk, &vault, &args).unwrap();
        assert!(text.contains("12 ms  dead  caller-error: isv.invalid-parameter\n"), "{text}");
        assert!(!text.contains("error_response"), "{text}");
        let (_, text) = show(&desk, &vault, &ShowArgs { content: true, ..args }).unwrap();
        assert!(text.contains("says: {\"content\":1}") && text.contains("answer: <error_response/>"), "{text}");
    }

    #[test]
    fn orders_are_counted_first_and_written_down_with_their_reason() {
        let folder = tempfile::tempdir().unwrap();
        let (desk, _, log) = ledger(folder.path());
        let give = |words: &str| match order(&words.split(' ').collect::<Vec<_>>()) {
            Order::Resend(args) => resend(&desk, &args, &*log).unwrap(),
            Order::Skip(args) => skip(&desk, &args, &*log).unwrap(),
            Order::List(_) | Order::Show(_) => panic!("no order"),
        };
        let none = (false, "0 notices fit\n".to_owned());
        assert_eq!(give("resend --config c --dead --kind auction-result --dry-run"), none);
        assert_eq!(give("resend --config c --dead --dry-run"), (true, "1 notice fits\n".to_owned()));
        assert_eq!(give("resend --config c --id 9 --reason ticket"), none);
        assert_eq!(give("skip --config c --id 9 --reason ticket"), none);
        assert_eq!(give("skip --config c --open --kind webhook --reason ticket"), none);
        assert_eq!(give("skip --config c --open --partner alibaba --dry-run").1, "3 notices fit\n");
        assert!(audit(&*log).is_empty(), "nothing was done");
        let told = "1 notice fits\n1 to be sent now, 0 after others of their subjects, 0 under way\n";
        assert_eq!(give("resend --config c --dead --subject policy:P1 --reason ticket").1, told);
        let told = "1 notice fits\n1 skipped, so that their subjects go on\n".to_owned();
        assert_eq!(give("skip --config c --id 1 --reason ticket"), (true, told));
        assert_eq!(desk.show(2).unwrap().unwrap().0.behind, None);
        let (done, told) = give("skip --config c --id 1 --reason ticket");
        assert!(!done && told.ends_with("1 delivered or skipped before\n"), "{told}");
        let told = "2 notices fit\n2 skipped, so that their subjects go on\n";
        assert_eq!(give("skip --config c --open --kind surrender-sync --reason ticket").1, told);
        let (resent, skipped) = (Action::NoticesResent, Action::NoticeSkipped);
        let entry = |action, subject: &str, detail: &str| (action, subject.to_owned(), detail.to_owned());
        let expected = [
            entry(skipped, "kind=surrender-sync", "2"),
            entry(skipped, "notice:1", "1"),
            entry(skipped, "notice:1", "1"),
            entry(resent, "state=dead subject=policy:P1", "1"),
        ];
        assert_eq!(audit(&*log), expected);
    }

    /// The audit log, the newest entry first: each from the command line, and for the same reason.
    fn audit(log: &dyn ConsoleStore) -> Vec<(Action, String, String)> {
        let records = log.audit(&AuditFilter::default(), None, 10).unwrap().items;
        let told = records.into_iter().map(|record| {
            let entry = record.entry;
            assert_eq!((entry.peer.as_str(), entry.reason.as_str()), ("command line", "ticket"));
            (entry.action, entry.subject, entry.detail)
        });
        told.collect()
    }

    #[test]
    fn one_says_which_are_meant_and_why() {
        for words in [
            "resend --config c --reason why",
            "resend --config c --id 1 --dead --reason why",
            "resend --config c --id 1 --kind webhook --reason why",
            "resend --config c --id 1",
            "resend --config c --id 1 --reason ?",
            "skip --config c --reason why",
            "skip --config c --open --reason why",
            "skip --config c --open --dead --kind webhook --reason why",
            "skip --config c --id 1",
        ] {
            let refused = Cli::try_parse_from(["outbox"].into_iter().chain(words.split(' ')));
            assert!(refused.is_err(), "{words}");
        }
        for words in ["skip --config c --open --kind webhook --dry-run", "skip --config c --dead --reason why"] {
            order(&words.split(' ').collect::<Vec<_>>());
        }
    }
}
