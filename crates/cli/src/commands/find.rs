//! `baoqiao find`: a policy in the ledger, while the gateway runs or not.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use baoqiao_channels::CHANNELS;
use baoqiao_domain::party::PersonKey;
use baoqiao_domain::policy_number::PolicyNumber;
use baoqiao_domain::time::format_gmt8;
use baoqiao_gateway::clock::{Clock, SystemClock};
use baoqiao_gateway::ledger::store::{PolicyRecord, StoreError};
use baoqiao_gateway::opening::{LedgerAccess, open_for_reading};

use super::load_config;
use super::values::print;
use crate::failure::{Failure, Outcome};

/// Find policies by number, platform identifier, ID number or phone
#[derive(clap::Args)]
#[command(after_help = "\
Personal data is not shown; ID numbers and phones are looked up through the blind index.
Exit status: 0 found, 1 nothing found, 2 the ledger could not be read.

Examples:
  baoqiao find --config gateway/baoqiao.toml --identifier 010101004178221080402170019
  baoqiao find --config gateway/baoqiao.toml --phone 13912312323")]
pub(crate) struct Args {
    /// The gateway's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    by: By,
    /// The most policies to list
    #[arg(long, default_value_t = 20)]
    limit: usize,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct By {
    /// Policy number, 保单号
    #[arg(long, value_name = "NUMBER")]
    policy_no: Option<String>,
    /// The platform's idempotency key, identifier
    #[arg(long, value_name = "IDENTIFIER")]
    identifier: Option<String>,
    /// Document number of a person, company or legal person, 证件号
    #[arg(long, value_name = "NUMBER")]
    id_number: Option<String>,
    /// Telephone number, 电话
    #[arg(long, value_name = "NUMBER")]
    phone: Option<String>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let access = open_for_reading(&load_config(&args.config)?)?;
    let found = search(&access, &args.by, args.limit)?;
    print(&told(&found))?;
    Ok(if found.is_empty() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn search(access: &LedgerAccess, by: &By, limit: usize) -> Result<Vec<PolicyRecord>, Failure> {
    let of_person = |key: Option<PersonKey>| -> Result<Vec<PolicyRecord>, StoreError> {
        key.map_or(Ok(Vec::new()), |key| access.reader.policies_of_person(access.vault.blind_index(&key), limit))
    };
    if let Some(text) = &by.policy_no {
        // A text that is no number of ours names no policy of ours.
        let Ok(number) = text.parse::<PolicyNumber>() else { return Ok(Vec::new()) };
        return Ok(access.reader.policy(&number)?.into_iter().collect());
    }
    if let Some(key) = &by.identifier {
        let scopes = CHANNELS.iter().flat_map(|channel| channel.interfaces()).map(|interface| interface.scope());
        let found = scopes.map(|scope| access.reader.policy_by_key(scope, key)).collect::<Result<Vec<_>, _>>()?;
        return Ok(found.into_iter().flatten().collect());
    }
    if let Some(number) = &by.id_number {
        return Ok(of_person(PersonKey::license_no(number))?);
    }
    Ok(of_person(by.phone.as_deref().and_then(PersonKey::phone))?)
}

fn told(found: &[PolicyRecord]) -> String {
    let now = SystemClock.now();
    let mut text = String::new();
    // Writing to a string cannot fail.
    for PolicyRecord { policy, .. } in found {
        let _ = writeln!(text, "{}  {} {}", policy.number, policy.phase(now).label(), policy.phase(now).as_str());
        let _ = writeln!(text, "  product     {} ({})", policy.product_code, policy.partner);
        let _ = writeln!(text, "  identifier  {}", policy.identifier);
        let _ = writeln!(text, "  insureId    {}", policy.insure_id);
        let _ = writeln!(text, "  sum insured {} {}", policy.currency, policy.amount.grouped());
        let _ = writeln!(text, "  premium     {} {}", policy.currency, policy.premium.grouped());
        let (from, to) = (format_gmt8(policy.effect_time), format_gmt8(policy.expire_time));
        let _ = writeln!(text, "  period      {from} – {to}");
        let _ = writeln!(text, "  issued      {}", format_gmt8(policy.issued_at));
    }
    if found.is_empty() {
        text.push_str("no policy found\n");
    }
    text
}
