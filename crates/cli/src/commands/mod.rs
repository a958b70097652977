//! One file a subcommand.

mod audited;
pub(crate) mod backup;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod find;
pub(crate) mod init;
pub(crate) mod keys;
pub(crate) mod messages;
pub(crate) mod outbox;
mod private_file;
mod progress;
pub(crate) mod reindex;
pub(crate) mod serve;
pub(crate) mod sign;
pub(crate) mod simulate;
pub(crate) mod user;
mod values;
pub(crate) mod verify;

use std::path::{Path, PathBuf};

use baoqiao_gateway::config::{Config, ConfigError};
use baoqiao_gateway::opening::ledger_exists;

use crate::failure::Failure;

/// Whose ledger a command is about.
#[derive(clap::Args)]
pub(crate) struct ConfigArgs {
    /// The gateway's configuration
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

/// Reads a configuration with secrets from this process's environment.
///
/// # Errors
/// As [`Config::load`].
pub(crate) fn load_config(path: &Path) -> Result<Config, ConfigError> {
    Config::load(path, &|name| std::env::var(name).ok())
}

/// As [`load_config`], of a gateway whose ledger is there: no order makes one where a path is mistyped.
///
/// # Errors
/// When the configuration does not read, or there is no ledger.
pub(crate) fn load_with_ledger(path: &Path) -> Result<Config, Failure> {
    let config = load_config(path)?;
    if ledger_exists(&config)? {
        return Ok(config);
    }
    Err(Failure::new(format_args!("ledger {} is not there yet; `baoqiao serve` makes it", config.ledger.url)))
}
