//! `baoqiao backup`: a copy of the embedded ledger, also while a gateway runs on it.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use baoqiao_gateway::config::LedgerUrl;
use baoqiao_gateway::ledger::sqlite;
use baoqiao_gateway::vault::Vault;
use baoqiao_gateway::vault::keyring::Keyring;

use super::load_config;
use super::values::print;
use crate::failure::{Failure, Outcome};

/// Copy the SQLite ledger to a file, while the gateway runs or not
#[derive(clap::Args)]
#[command(after_help = "\
The copy is of one moment, is checked before it gets its name, and can be read by its owner alone.
It needs the same key file: keep that apart from it. docs/operations.md says how a copy is put in
service, and what follows from its age.

Example:
  baoqiao backup --config gateway/baoqiao.toml --to /backup/ledger-$(date +%F).db")]
pub(crate) struct Args {
    /// The gateway's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where the copy goes
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Replace the file that is there
    #[arg(long)]
    force: bool,
}

const MIB: u64 = 1 << 20;

pub(crate) fn run(args: &Args) -> Outcome {
    let config = load_config(&args.config)?;
    let LedgerUrl::Sqlite(path) = &config.ledger.url else {
        return Err(Failure::new(
            "the ledger is on PostgreSQL, which has backups of its own: pg_dump, or its server's",
        ));
    };
    let vault = Vault::new(&Keyring::load(&config.ledger.keys)?, getrandom::fill);
    // A reader that has gone is no failure.
    let progress = |done: u64, total: u64| {
        let _ = writeln!(std::io::stderr(), "{} of about {} MiB", done / MIB, total / MIB);
    };
    let bytes = sqlite::backup(path, &args.to, args.force, &vault, progress)?;
    print(&format!("{}: {bytes} bytes, checked\n", args.to.display()))?;
    Ok(ExitCode::SUCCESS)
}
