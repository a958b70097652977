//! A PostgreSQL that lives as long as a test: a cluster of its own, from the system's binaries, with default durability.
//!
//! `initdb` runs once for each version; every cluster is a copy of what it made, and starts in a fraction of a second. The
//! server ends with its [`Postgres`], and also when the test's process is killed: a keeper waits for the end of a pipe.

mod installation;
mod keeper;
mod processes;
mod template;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use installation::Installation;
use keeper::Keeper;
use rustix::process::Signal;

/// How long a server may take to start, crash recovery included.
const START_LIMIT: Duration = Duration::from_mins(2);

/// A running, stopped or crashed throwaway cluster. All calls block.
pub struct Postgres {
    installation: Installation,
    directory: PathBuf,
    port: u16,
    server: Option<Child>,
    log: Arc<Mutex<String>>,
    databases: AtomicU32,
    keeper: Keeper,
}

enum Start {
    Ready,
    PortTaken,
    Failed,
}

impl Postgres {
    /// Whether this system can run one; prints why not.
    ///
    /// With `BAOQIAO_PG_REQUIRED=1` a missing server is a failure, so that a check can not pass by skipping.
    pub fn is_available() -> bool {
        let Err(reason) = Installation::find() else { return true };
        let required = std::env::var_os("BAOQIAO_PG_REQUIRED").is_some_and(|value| value == "1");
        assert!(!required, "no PostgreSQL: {reason}");
        eprintln!("skipped, no PostgreSQL: {reason}");
        false
    }

    /// Starts a new, empty cluster.
    pub fn start() -> Self {
        let installation = Installation::find().unwrap_or_else(|reason| panic!("no PostgreSQL: {reason}"));
        let directory = tempfile::Builder::new().prefix("baoqiao-pg-").tempdir().unwrap();
        installation.own(directory.path());
        template::copy(&installation, &directory.path().join("data"));
        let keeper = Keeper::watch(directory.path());
        // From here on the keeper removes it.
        let directory = directory.keep();
        let (log, databases) = (Arc::default(), AtomicU32::new(0));
        let mut postgres = Self { installation, directory, port: 0, server: None, log, databases, keeper };
        for _ in 0..20 {
            postgres.port = free_port();
            match postgres.launch() {
                Start::Ready => return postgres,
                Start::PortTaken => (),
                Start::Failed => break,
            }
        }
        panic!("PostgreSQL did not start:\n{}", postgres.log());
    }

    /// The cluster that all tests of this process share; each takes a database of its own with [`Self::fresh_database`].
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Where the cluster's first database is reached, as superuser.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// Makes an empty database and tells where it is reached.
    pub fn database(&self, name: &str) -> String {
        self.sql("postgres", &format!("CREATE DATABASE \"{name}\""));
        self.url_of(name)
    }

    /// Makes an empty database under a name of its own and tells where it is reached.
    pub fn fresh_database(&self) -> String {
        self.database(&format!("db{}", self.databases.fetch_add(1, Ordering::Relaxed)))
    }

    /// Runs statements with `psql`; gives rows as lines with `|` between the values.
    pub fn sql(&self, database: &str, statements: &str) -> String {
        let mut psql = Command::new(self.installation.binary("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &self.url_of(database), "-c", statements]);
        let run = psql.output().unwrap();
        assert!(run.status.success(), "{statements}: {}\n{}", String::from_utf8_lossy(&run.stderr), self.log());
        String::from_utf8(run.stdout).unwrap().trim_end().to_owned()
    }

    /// Has the server speak TLS with this certificate and key, both PEM, beside unencrypted connections.
    pub fn enable_tls(&self, certificate: &str, key: &str) {
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = self.directory.join("data").join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            self.installation.own(&path);
        }
        self.sql("postgres", "ALTER SYSTEM SET ssl = on");
        // It reads its files anew in a moment of its own; a connection shows when it has.
        self.sql("postgres", "SELECT pg_reload_conf()");
        while self.sql("postgres", "SHOW ssl") != "on" {}
    }

    /// The loopback port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's major version, such as 15.
    pub fn major_version(&self) -> u32 {
        self.installation.major_version
    }

    /// What the server has logged since the first start.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Ends every process of the server at once, as a crash does. What was not synced may be lost.
    pub fn kill(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        let backends = processes::kill_with_children(&server);
        server.wait().unwrap();
        backends.wait_for_end();
    }

    /// Stops the server in order: sessions are cut, what is committed is written.
    pub fn stop(&mut self) {
        self.end(Signal::INT);
    }

    /// Starts the server again, on the same port, after [`Self::kill`] or [`Self::stop`] or instead of them.
    pub fn restart(&mut self) {
        self.stop();
        let started = self.launch();
        assert!(matches!(started, Start::Ready), "PostgreSQL did not start again:\n{}", self.log());
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    fn end(&mut self, signal: Signal) {
        let Some(mut server) = self.server.take() else { return };
        processes::signal(&server, signal);
        server.wait().unwrap();
    }

    fn launch(&mut self) -> Start {
        let mut server = self
            .installation
            .command("postgres")
            .arg("-D")
            .arg(self.directory.join("data"))
            .args(["-p", &self.port.to_string(), "-k", &socket_directory(&self.directory)])
            // `initdb` has made this small because the segments are.
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "max_wal_size=1GB"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = read_on(server.stderr.take().unwrap(), Arc::clone(&self.log));
        self.server = Some(server);
        let started = wait_until_ready(&lines);
        if !matches!(started, Start::Ready) {
            self.end(Signal::QUIT);
        }
        started
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // What is thrown away need not be written first.
        self.end(Signal::QUIT);
        self.keeper.finish();
    }
}

/// A free port below those that Linux gives to outgoing connections. A client that goes on connecting to one of those while
/// its server is down may be given that very port, reach itself and keep the server from starting.
fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(10_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The directory, unless its path is too long for a socket's.
fn socket_directory(directory: &Path) -> String {
    let path = directory.to_str().unwrap();
    if path.len() < 80 { path.to_owned() } else { String::new() }
}

/// Keeps the server's log, in a thread, and passes it on as long as somebody listens.
fn read_on(stderr: ChildStderr, log: Arc<Mutex<String>>) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let mut log = log.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
            drop(log);
            let _ = sender.send(line);
        }
    });
    receiver
}

fn wait_until_ready(lines: &Receiver<String>) -> Start {
    while let Ok(line) = lines.recv_timeout(START_LIMIT) {
        if line.contains("database system is ready to accept connections") {
            return Start::Ready;
        }
        if line.contains("could not create any TCP/IP sockets") {
            return Start::PortTaken;
        }
    }
    Start::Failed
}

#[cfg(test)]
mod tests;
