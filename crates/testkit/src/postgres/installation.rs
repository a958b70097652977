//! The system's binaries of PostgreSQL, and the user who may run them.

use std::ffi::OsStr;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{getegid, geteuid};

/// Where Debian and its like keep one directory a major version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// A set of server binaries.
#[derive(Debug, Clone)]
pub(super) struct Installation {
    directory: PathBuf,
    pub(super) major_version: u32,
    /// Whose processes they will be: PostgreSQL refuses to be root's.
    user_id: u32,
    group_id: u32,
    change_user: bool,
}

impl Installation {
    /// The directory in `BAOQIAO_PG_BIN`, or the newest of the system's, or whatever is in `PATH`.
    ///
    /// # Errors
    /// Why none can be used.
    pub(super) fn find() -> Result<Self, String> {
        let directory = directory()?;
        let (user_id, group_id, change_user) = user()?;
        let major_version = major_version(&directory.join("postgres"))?;
        Ok(Self { directory, major_version, user_id, group_id, change_user })
    }

    pub(super) fn binary(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Runs a binary as the user that may, in a process group of its own: a test that is interrupted takes its group with it,
    /// and the keeper could not end the server in order.
    pub(super) fn command(&self, name: &str) -> Command {
        let binary = self.binary(name);
        let mut command = if self.change_user {
            let mut setpriv = Command::new("setpriv");
            setpriv.args([format!("--reuid={}", self.user_id), format!("--regid={}", self.group_id)]);
            setpriv.arg("--clear-groups").arg(binary);
            setpriv
        } else {
            Command::new(binary)
        };
        // The log is read; a server that cannot read its directory's parents need not start in one.
        command.env("LC_ALL", "C").current_dir("/").process_group(0);
        command
    }

    /// Gives a file or directory to the user whom the server runs as.
    pub(super) fn own(&self, path: &Path) {
        if self.change_user {
            chown(path, Some(self.user_id), Some(self.group_id)).unwrap();
        }
    }

    /// What tells clusters of one kind from others.
    pub(super) fn label(&self) -> String {
        format!("{}-{}", self.major_version, self.user_id)
    }
}

fn directory() -> Result<PathBuf, String> {
    if let Some(chosen) = std::env::var_os("BAOQIAO_PG_BIN") {
        let chosen = PathBuf::from(chosen);
        let here = chosen.join("initdb").exists();
        return if here {
            Ok(chosen)
        } else {
            Err(format!("{}, as BAOQIAO_PG_BIN says, has no initdb", chosen.display()))
        };
    }
    let installed = std::fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let newest = installed
        .filter_map(|entry| Some((number(&entry.file_name())?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").exists())
        .max_by_key(|(version, _)| *version);
    if let Some((_, bin)) = newest {
        return Ok(bin);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .find(|directory| directory.join("initdb").exists())
        .ok_or_else(|| format!("no initdb in {VERSIONS}/*/bin or PATH (apt-get install postgresql)"))
}

fn number(name: &OsStr) -> Option<u32> {
    name.to_str()?.split('.').next()?.parse().ok()
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`
fn major_version(postgres: &Path) -> Result<u32, String> {
    let said = Command::new(postgres).arg("--version").output().map_err(|e| format!("{}: {e}", postgres.display()))?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let version = said.split_once("(PostgreSQL) ").and_then(|(_, version)| number(version.as_ref()));
    version.ok_or_else(|| format!("{} --version says {said:?}", postgres.display()))
}

/// User, group, and whether they are others than those of the test.
fn user() -> Result<(u32, u32, bool), String> {
    if !geteuid().is_root() {
        return Ok((geteuid().as_raw(), getegid().as_raw(), false));
    }
    if Command::new("setpriv").arg("--version").output().is_err() {
        return Err("root may not run it, and there is no setpriv to run it as somebody else".to_owned());
    }
    let users = std::fs::read_to_string("/etc/passwd").map_err(|e| format!("/etc/passwd: {e}"))?;
    let find = |name: &str| users.lines().find_map(|line| ids(line, name));
    let (user_id, group_id) = find("postgres")
        .or_else(|| find("nobody"))
        .ok_or("root may not run it, and there is no user postgres or nobody")?;
    Ok((user_id, group_id, true))
}

fn ids(line: &str, name: &str) -> Option<(u32, u32)> {
    let mut fields = line.split(':');
    let found = fields.next()? == name;
    let (user_id, group_id) = (fields.nth(1)?, fields.next()?);
    found.then_some((user_id.parse().ok()?, group_id.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_users_file_gives_both_ids() {
        let line = "postgres:x:101:104:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash";
        assert_eq!(ids(line, "postgres"), Some((101, 104)));
        assert_eq!(ids(line, "nobody"), None);
        assert_eq!(ids("", "postgres"), None);
    }
}
