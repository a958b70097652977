//! The gateways: one directory with a configuration and keys, and a process for each node.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use baoqiao_testkit::gateway::{RunningGateway, StartingGateway, serve};
use fastrand::Rng;
use tokio::sync::watch;
use tokio::task::block_in_place;

pub(crate) const APP_KEY: &str = "24589063";
pub(crate) const SECRET: &str = "helloworld";
pub(crate) const TOKEN: &str = "a-token-of-the-crash-suite-0123456789";

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_baoqiao");

/// How long events may take to get their places in the feed where several gateways share a ledger, in seconds.
const FEED_LAG_S: u64 = 2;

/// Where the nodes that are up listen; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    nodes: watch::Receiver<Vec<Option<String>>>,
    /// For how long nothing has to come until nothing more is to come, in seconds.
    pub(crate) feed_lag_s: u64,
}

impl Addresses {
    async fn up(&self) -> Vec<String> {
        let mut addresses = self.nodes.clone();
        let known = addresses.wait_for(|nodes| nodes.iter().any(Option::is_some)).await;
        known.unwrap().iter().flatten().cloned().collect()
    }

    /// A node that is up, or was a moment ago; waits until there is one.
    pub(crate) async fn choose(&self, rng: &mut Rng) -> String {
        let up = self.up().await;
        up[rng.usize(..up.len())].clone()
    }

    /// That node, counted round, or another where it is down.
    pub(crate) async fn prefer(&self, node: usize, rng: &mut Rng) -> String {
        let preferred = self.nodes.borrow().iter().cycle().nth(node).cloned().flatten();
        match preferred {
            Some(address) => address,
            None => self.choose(rng).await,
        }
    }
}

/// The nodes.
pub(crate) struct Fleet {
    directory: Option<tempfile::TempDir>,
    nodes: Vec<Option<RunningGateway>>,
    addresses: watch::Sender<Vec<Option<String>>>,
    feed_lag_s: u64,
}

impl Fleet {
    /// So many nodes of one configuration, none of them started. The ledger is a file unless it has an address.
    pub(crate) fn new(nodes: usize, platform_url: &str, ledger_url: Option<&str>) -> Self {
        let directory = tempfile::Builder::new().prefix("baoqiao-crash-").tempdir().unwrap();
        write_configuration(directory.path(), platform_url, ledger_url);
        Self {
            directory: Some(directory),
            nodes: (0..nodes).map(|_| None).collect(),
            addresses: watch::Sender::new(vec![None; nodes]),
            feed_lag_s: ledger_url.map_or(0, |_| FEED_LAG_S),
        }
    }

    pub(crate) fn addresses(&self) -> Addresses {
        Addresses { nodes: self.addresses.subscribe(), feed_lag_s: self.feed_lag_s }
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.as_ref().unwrap().path()
    }

    /// Ends the nodes and leaves the directory behind, with the log of each, for people to look into.
    pub(crate) fn keep(&mut self) -> PathBuf {
        for (node, running) in self.nodes.iter_mut().enumerate() {
            let Some(mut running) = running.take() else { continue };
            running.kill();
            std::fs::write(self.directory.as_ref().unwrap().path().join(format!("node-{node}.log")), running.log())
                .unwrap();
        }
        self.directory.take().unwrap().keep()
    }

    /// Has the product itself check the whole ledger, beside the nodes that are up.
    pub(crate) fn verify(&self) -> Result<(), String> {
        let checked = block_in_place(|| Command::new(BINARY).arg("verify").arg("--config").arg(self.config()).output());
        let checked = checked.unwrap();
        if checked.status.success() { Ok(()) } else { Err(format!("{checked:?}")) }
    }

    /// The configuration of every node.
    pub(crate) fn config(&self) -> PathBuf {
        self.directory().join("baoqiao.toml")
    }

    /// A node of the same configuration and keys, with no ledger yet.
    pub(crate) fn on_copy_of(other: &Self) -> Self {
        let directory = tempfile::Builder::new().prefix("baoqiao-crash-").tempdir().unwrap();
        for name in ["baoqiao.toml", "keys.toml"] {
            std::fs::copy(other.directory().join(name), directory.path().join(name)).unwrap();
        }
        let addresses = watch::Sender::new(vec![None]);
        Self { directory: Some(directory), nodes: vec![None], addresses, feed_lag_s: other.feed_lag_s }
    }

    /// Starts a node and waits until it is ready.
    pub(crate) fn start(&mut self, node: usize) {
        self.start_by(node, serve(Path::new(BINARY), &self.config()));
    }

    /// Starts a node by a command of its own.
    pub(crate) fn start_by(&mut self, node: usize, command: Command) {
        let started = block_in_place(|| RunningGateway::start(command));
        let running = started.unwrap_or_else(|said| panic!("a gateway did not start: {said}"));
        self.addresses.send_modify(|addresses| addresses[node] = Some(running.url().to_owned()));
        self.nodes[node] = Some(running);
    }

    /// Starts a node that is down and kills it after so long, whether or not it is ready by then.
    pub(crate) async fn start_in_vain(&mut self, life: Duration) {
        let starting = StartingGateway::spawn(serve(Path::new(BINARY), &self.config()));
        tokio::time::sleep(life).await;
        block_in_place(|| starting.kill());
    }

    /// Stops a node in order.
    pub(crate) fn stop(&mut self, node: usize) {
        self.addresses.send_modify(|addresses| addresses[node] = None);
        let mut running = self.nodes[node].take().unwrap();
        let status = block_in_place(|| running.stop());
        assert!(status.success(), "{status}: {}", running.log());
    }

    /// Kills a node. Clients learn of it by their connections, as they would.
    pub(crate) fn kill(&mut self, node: usize) {
        if let Some(mut running) = self.nodes[node].take() {
            block_in_place(|| running.kill());
        }
        self.addresses.send_modify(|addresses| addresses[node] = None);
    }
}

/// What `baoqiao init` writes, with a token for the API, a platform that bears more, and less patience with it.
fn write_configuration(directory: &Path, platform_url: &str, ledger_url: Option<&str>) {
    let path = directory.to_str().unwrap();
    let init = ["init", "--dir", path, "--listen", "127.0.0.1:0", "--app-key", APP_KEY, "--secret", SECRET];
    let ledger = ledger_url.map(|url| ["--ledger-url", url]);
    let made = Command::new(BINARY)
        .args(init)
        .args(["--platform", platform_url])
        .args(ledger.iter().flatten())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let config = directory.join("baoqiao.toml");
    let mut text = std::fs::read_to_string(&config).unwrap();
    for (from, to) in [
        ("\ncalls_per_second = 50\n", "\ncalls_per_second = 10000\n"),
        ("\nburst = 50\n", "\nburst = 10000\n"),
        ("\ntimeout_ms = 10000\n", "\ntimeout_ms = 500\n"),
        ("\nfirst_retry_ms = 1000\n", "\nfirst_retry_ms = 20\n"),
        ("\nlongest_retry_ms = 300000\n", "\nlongest_retry_ms = 500\n"),
    ] {
        assert_eq!(text.matches(from).count(), 1, "{from:?} in the sample");
        text = text.replace(from, to);
    }
    let scopes = r#"["policies:read", "recoveries:read", "deliveries:read", "events:read", "policies:surrender",
        "auctions:report"]"#;
    let _ = writeln!(text, "\n[[api_token]]\nname = \"core\"\ntoken = \"{TOKEN}\"\nscopes = {scopes}");
    std::fs::write(&config, text).unwrap();
}
