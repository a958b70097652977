//! Who is measured, and how each is started: anew for every sample, on an empty database.

use std::path::{Path, PathBuf};
use std::process::Command;

use baoqiao_testkit::Postgres;
use baoqiao_testkit::gateway::{RunningGateway, serve};
use tempfile::TempDir;

use crate::measure::Result;

pub(crate) const APP_KEY: &str = "24589063";
pub(crate) const SECRET: &str = "helloworld";

/// Where the programs lie.
pub(crate) struct Places {
    /// Release builds of the workspace.
    pub(crate) target: PathBuf,
    /// The first version's program.
    pub(crate) first_version: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contestant {
    Sqlite,
    Postgres,
    FirstVersion,
    Node,
    Ceiling,
}

impl Contestant {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Sqlite => "Baoqiao on SQLite",
            Self::Postgres => "Baoqiao on PostgreSQL",
            Self::FirstVersion => "axum + sqlx",
            Self::Node => "fastify + pg",
            Self::Ceiling => "Baoqiao, storing nothing",
        }
    }

    fn needs_postgres(self) -> bool {
        matches!(self, Self::Postgres | Self::FirstVersion | Self::Node)
    }
}

/// Those that this machine can run; says which it cannot.
pub(crate) fn available(places: &Places) -> Vec<Contestant> {
    use Contestant::{Ceiling, FirstVersion, Node, Postgres as OnPostgres, Sqlite};
    let has_postgres = Postgres::is_available();
    let is_there = |one: &Contestant| match one {
        Sqlite | Ceiling => true,
        OnPostgres => has_postgres,
        FirstVersion => has_postgres && places.first_version.exists(),
        Node => has_postgres && Path::new("benches/node-service/node_modules").exists(),
    };
    let (there, missing): (Vec<_>, Vec<_>) =
        [Sqlite, OnPostgres, FirstVersion, Node, Ceiling].into_iter().partition(is_there);
    for one in missing {
        eprintln!("not measured: {} (what it needs is not installed)", one.label());
    }
    there
}

/// A contestant that takes calls; dropped, it ends with all that it needed.
pub(crate) struct Running {
    pub(crate) process: RunningGateway,
    /// Dropped after the process.
    _folder: TempDir,
    _database: Option<Postgres>,
}

pub(crate) fn start(one: Contestant, places: &Places) -> Result<Running> {
    let folder = tempfile::tempdir()?;
    let database = one.needs_postgres().then(Postgres::start);
    let url = database.as_ref().map(Postgres::fresh_database);
    let command = match one {
        Contestant::Sqlite | Contestant::Postgres => {
            serve(&places.target.join("baoqiao"), &configured(places, folder.path(), url.as_deref())?)
        }
        Contestant::Ceiling => {
            let mut command = Command::new(places.target.join("ceiling"));
            command.arg(configured(places, folder.path(), None)?);
            command
        }
        Contestant::FirstVersion => {
            let mut command = Command::new(&places.first_version);
            command.args([url.as_deref().unwrap_or_default(), APP_KEY, SECRET]);
            command
        }
        Contestant::Node => {
            let mut command = Command::new("node");
            command.arg("benches/node-service/server.js");
            command.args([url.as_deref().unwrap_or_default(), APP_KEY, SECRET]).env("NODE_ENV", "production");
            command
        }
    };
    let process = RunningGateway::start(command)?;
    Ok(Running { process, _folder: folder, _database: database })
}

/// The configuration that `baoqiao init` writes.
fn configured(places: &Places, folder: &Path, ledger_url: Option<&str>) -> Result<PathBuf> {
    let mut init = Command::new(places.target.join("baoqiao"));
    init.args(["init", "--listen", "127.0.0.1:0", "--app-key", APP_KEY, "--secret", SECRET, "--dir"]).arg(folder);
    if let Some(url) = ledger_url {
        init.args(["--ledger-url", url]);
    }
    let made = init.output()?;
    if made.status.success() {
        Ok(folder.join("baoqiao.toml"))
    } else {
        Err(String::from_utf8_lossy(&made.stderr).into_owned().into())
    }
}
