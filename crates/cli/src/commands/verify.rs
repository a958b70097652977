//! `baoqiao verify`: whether a whole ledger still hangs together.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use baoqiao_gateway::ledger::verification::evidence::FileCheck;
use baoqiao_gateway::ledger::verification::{Finding, Step, Table, verify};
use baoqiao_gateway::opening::open_for_reading;
use serde_json::{Value, json};

use super::load_config;
use super::progress::Progress;
use super::values::print;
use crate::failure::Outcome;

/// Check a whole ledger: every answer, policy, event, notice and document against the others
#[derive(clap::Args)]
#[command(after_help = "\
Has SQLite check its file; then reads answers, policies, recoveries, auction stages, events,
documents, notices and conflicts, page by page, and looks each policy up by all of its parties.
Gateways may go on working meanwhile. Changes nothing. What it finds has a name, a subject and a
line of explanation, and no personal data; docs/verify.md says what each means and what to do.
Exit status: 0 all of it holds, 1 something does not, 2 the ledger could not be read.

Examples:
  baoqiao verify --config gateway/baoqiao.toml
  baoqiao verify --config gateway/baoqiao.toml --json > verify.json")]
pub(crate) struct Args {
    /// The gateway's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Of SQLite's file, leave out whether every row is in every index: in a file larger than memory each is a read
    #[arg(long)]
    quick: bool,
    /// One JSON document at the end instead of lines
    #[arg(long)]
    json: bool,
}

/// How many findings are told one by one: a ledger that fits no longer to its keys would have one a row.
const TOLD: usize = 1_000;

/// What was come across so far.
struct Account {
    as_json: bool,
    looked: BTreeMap<Table, u64>,
    findings: Vec<Finding>,
    by_rule: BTreeMap<&'static str, u64>,
    progress: Progress,
}

impl Account {
    fn take(&mut self, step: Step) {
        match step {
            Step::Begun(what) => {
                // A reader that has gone is no failure.
                let _ = writeln!(std::io::stderr(), "{what}: being checked");
            }
            Step::Looked(table, rows) => {
                self.looked.insert(table, rows);
                self.progress.looked(table, rows);
            }
            Step::Found(finding) => {
                *self.by_rule.entry(finding.rule.as_str()).or_default() += 1;
                if self.findings.len() < TOLD {
                    if !self.as_json {
                        // A reader that has gone has the exit status still.
                        let _ = writeln!(std::io::stdout(), "{finding}");
                    }
                    self.findings.push(finding);
                }
            }
        }
    }

    fn found(&self) -> u64 {
        self.by_rule.values().sum()
    }

    fn summary(&self, ledger: &str) -> String {
        let looked: Vec<String> = self.looked.iter().map(|(table, rows)| format!("{rows} {table}")).collect();
        let found = match self.found() {
            0 => "all of it holds".to_owned(),
            found => {
                let rules: Vec<String> = self.by_rule.iter().map(|(rule, times)| format!("{times} {rule}")).collect();
                let untold = found - u64::try_from(self.findings.len()).unwrap_or(found);
                let untold = if untold > 0 { format!(", {untold} of them not told one by one") } else { String::new() };
                format!("{found} found ({}){untold}; docs/verify.md explains each", rules.join(", "))
            }
        };
        format!("{ledger}: looked at {}: {found}\n", looked.join(", "))
    }

    fn json(&self, ledger: &str) -> Value {
        let findings = self.findings.iter().map(
            |finding| json!({"rule": finding.rule.as_str(), "subject": finding.subject, "detail": finding.detail}),
        );
        let looked: BTreeMap<&str, u64> = self.looked.iter().map(|(table, rows)| (table.as_str(), *rows)).collect();
        json!({
            "ledger": ledger, "holds": self.found() == 0, "looked": looked, "foundByRule": self.by_rule,
            "findings": findings.collect::<Vec<_>>(),
        })
    }
}

pub(crate) fn run(args: &Args) -> Outcome {
    let config = load_config(&args.config)?;
    let access = open_for_reading(&config)?;
    let mut account = Account {
        as_json: args.json,
        looked: BTreeMap::new(),
        findings: Vec::new(),
        by_rule: BTreeMap::new(),
        progress: Progress::new(),
    };
    let file_check = if args.quick { FileCheck::Quick } else { FileCheck::Whole };
    verify(&*access.evidence, &access.vault, file_check, &mut |step| account.take(step))?;
    let ledger = config.ledger.url.to_string();
    if args.json {
        print(&format!("{:#}\n", account.json(&ledger)))?;
    } else {
        print(&account.summary(&ledger))?;
    }
    Ok(if account.found() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
