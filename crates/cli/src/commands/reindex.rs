//! `baoqiao reindex`: finds by name what was issued before names could be found.

use std::path::PathBuf;
use std::process::ExitCode;

use baoqiao_gateway::gateway::{open_for_reading, open_names};
use baoqiao_gateway::ledger::names::{NameIndex, NamingError, name_next};
use baoqiao_gateway::vault::Vault;

use super::load_config;
use super::values::print;
use crate::failure::Outcome;

/// Put the names of older policies' parties into the blind index
#[derive(clap::Args)]
#[command(after_help = "\
Parties of policies are found by their names since this version; this goes through those issued before it, from the
newest down. Works while the gateway runs, in pieces that hold it up for some milliseconds each; cut off, it goes on
where it ended.

Example:
  baoqiao reindex --config gateway/baoqiao.toml")]
pub(crate) struct Args {
    /// The gateway's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let config = load_config(&args.config)?;
    // Whoever goes through a ledger makes none by it.
    open_for_reading(&config)?;
    let (index, vault) = open_names(&config)?;
    print(&told(all(&*index, &vault)?))?;
    Ok(ExitCode::SUCCESS)
}

fn all(index: &dyn NameIndex, vault: &Vault) -> Result<usize, NamingError> {
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
        0 => "nothing to do: every policy is found by the names of its parties\n".to_owned(),
        1 => "1 policy is now found by the names of its parties\n".to_owned(),
        done => format!("{done} policies are now found by the names of their parties\n"),
    }
}
