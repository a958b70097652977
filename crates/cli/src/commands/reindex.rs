//! `baoqiao reindex`: finds by name what was issued before names could be found, and by any of its parties what got lost.

use std::path::PathBuf;
use std::process::ExitCode;

use baoqiao_gateway::ledger::names::{NamingError, PeopleIndex, PutBack, name_next, put_back_unfound};
use baoqiao_gateway::ledger::verification::Table;
use baoqiao_gateway::opening::{open_for_reading, open_names};
use baoqiao_gateway::vault::Vault;

use super::load_config;
use super::progress::Progress;
use super::values::print;
use crate::failure::Outcome;

/// Put what is missing into the blind index, by which policies are found by their parties
#[derive(clap::Args)]
#[command(after_help = "\
Parties of policies are found by their names since this version; this goes through those issued
before it, from the newest down. With --unfound it then looks up every policy by the numbers and
names of all of its parties, and puts back what does not find it: what `baoqiao verify` reports as
policy-not-found. Works while the gateway runs, in pieces that hold it up for some milliseconds
each; cut off, it goes on with names where it ended, and begins anew with --unfound.

Examples:
  baoqiao reindex --config gateway/baoqiao.toml
  baoqiao reindex --config gateway/baoqiao.toml --unfound")]
pub(crate) struct Args {
    /// The gateway's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Also look up every policy by all of its parties
    #[arg(long)]
    unfound: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let config = load_config(&args.config)?;
    // Whoever goes through a ledger makes none by it.
    let access = open_for_reading(&config)?;
    let (index, vault) = open_names(&config)?;
    print(&told(all(&*index, &vault)?))?;
    if args.unfound {
        let mut progress = Progress::new();
        let tell = &mut |answers| progress.looked(Table::Answers, answers);
        let put_back = put_back_unfound(&*access.evidence, &*index, &vault, tell)?;
        print(&told_of_unfound(&put_back))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn all(index: &dyn PeopleIndex, vault: &Vault) -> Result<usize, NamingError> {
    let mut done = 0;
    loop {
        match name_next(index, vault)? {
            0 => return Ok(done),
            named => done += named,
        }
    }
}

fn told(done: usize) -> String {
    match done {
        0 => "no policy waits for its parties' names to be put into the index\n".to_owned(),
        1 => "1 policy is now found by the names of its parties\n".to_owned(),
        done => format!("{done} policies are now found by the names of their parties\n"),
    }
}

fn told_of_unfound(PutBack { policies, unreadable }: &PutBack) -> String {
    let policies = match policies {
        0 => "every policy that was looked up is found by all of its parties\n".to_owned(),
        1 => "1 policy was not found by all of its parties, and is now\n".to_owned(),
        policies => format!("{policies} policies were not found by all of their parties, and are now\n"),
    };
    if *unreadable == 0 {
        return policies;
    }
    format!(
        "{policies}not looked up: the policies of {unreadable} answers that do not open or read; `baoqiao verify` tells which\n"
    )
}
