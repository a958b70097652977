//! A gateway of the real binary in a directory of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::time::Duration;

use baoqiao_channels::access::Secret;
use baoqiao_channels::qimen::body::BodyKind;
use baoqiao_gateway::clock::{Clock, SystemClock};
use baoqiao_simulator::client::Client;
use baoqiao_simulator::example::{ISSUING_METHOD, ISSUING_REQUEST};
use baoqiao_simulator::qimen::{Answer, Call, Charset, Document, SignedRequest};
use baoqiao_testkit::gateway::{RunningGateway, serve};
use serde_json::{Map, Value};

pub(crate) const APP_KEY: &str = "24589063";
pub(crate) const SECRET: &str = "helloworld";

/// Where no platform answers.
const NO_PLATFORM: &str = "http://127.0.0.1:1/router/rest";

/// Runs the binary to its end.
pub(crate) fn baoqiao<const N: usize>(arguments: [&str; N]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_baoqiao")).args(arguments).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A directory with a sample configuration, and the gateway that serves it.
pub(crate) struct Gateway {
    directory: tempfile::TempDir,
    running: RunningGateway,
    pub(crate) url: String,
    client: Client,
    expected_open: i64,
}

impl Gateway {
    pub(crate) fn start() -> Self {
        Self::start_with(|sample| sample)
    }

    /// Starts with the sample configuration changed.
    pub(crate) fn start_with(change: impl FnOnce(String) -> String) -> Self {
        Self::start_at(&std::env::temp_dir(), NO_PLATFORM, change)
    }

    /// As [`start_with`](Self::start_with), with a platform at that address.
    pub(crate) fn start_before(platform: &str, change: impl FnOnce(String) -> String) -> Self {
        Self::start_at(&std::env::temp_dir(), platform, change)
    }

    /// Starts in a folder of its own below `parent`.
    pub(crate) fn start_in(parent: &Path, change: impl FnOnce(String) -> String) -> Self {
        Self::start_at(parent, NO_PLATFORM, change)
    }

    fn start_at(parent: &Path, platform: &str, change: impl FnOnce(String) -> String) -> Self {
        let directory = tempfile::tempdir_in(parent).unwrap();
        let path = directory.path().to_str().unwrap();
        let made = baoqiao([
            "init",
            "--dir",
            path,
            "--listen",
            "127.0.0.1:0",
            "--platform",
            platform,
            "--app-key",
            APP_KEY,
            "--secret",
            SECRET,
        ]);
        assert!(made.status.success(), "{}", text(&made.stderr));
        let config = directory.path().join("baoqiao.toml");
        let sample = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, change(sample)).unwrap();
        let running = start(&config);
        let url = running.url().to_owned();
        let client = Client::new(Duration::from_secs(20)).unwrap();
        Self { directory, running, url, client, expected_open: 0 }
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.directory.path().join("baoqiao.toml")
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Ends the process at once, as a power failure does, and starts it again.
    pub(crate) fn kill_and_restart(&mut self) {
        self.kill();
        self.restart();
    }

    /// Ends the process at once.
    pub(crate) fn kill(&mut self) {
        self.running.kill();
    }

    /// Starts again after the process has ended.
    pub(crate) fn restart(&mut self) {
        self.running = start(&self.config());
        self.running.url().clone_into(&mut self.url);
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.running.pid()
    }

    /// Changes the ledger of a gateway that is not running.
    pub(crate) fn change(&self, statement: &str) {
        let connection = rusqlite::Connection::open(self.directory.path().join("ledger.db")).unwrap();
        assert_eq!(connection.execute(statement, []).unwrap(), 1, "{statement}");
    }

    /// Asks the process to stop, once; [`ended`](Self::ended) waits for it.
    pub(crate) fn ask_to_stop(&self) {
        self.running.ask_to_stop();
    }

    /// Waits until a process that was asked to stop has.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.running.wait()
    }

    /// Asks the process to stop, and waits until it has.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.running.stop()
    }

    /// All that a gateway that has stopped logged.
    pub(crate) fn log(&mut self) -> String {
        self.running.log()
    }

    pub(crate) async fn send(&self, signed: &SignedRequest) -> Answer {
        self.client.send(&format!("{}/qimen", self.url), signed).await.unwrap()
    }

    pub(crate) async fn call(&self, call: Call) -> Answer {
        self.send(&call.sign(SystemClock.now()).unwrap()).await
    }

    /// The example in JSON, changed and signed as the platform does.
    pub(crate) async fn issue(&self, change: impl FnOnce(&mut Map<String, Value>)) -> Answer {
        self.call(example_with(change)).await
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, http::HeaderMap, Vec<u8>) {
        http_get(&format!("{}{path}", self.url), &[]).await
    }

    /// How many notices the test may leave undelivered.
    pub(crate) fn expect_open(&mut self, count: i64) {
        self.expected_open = count;
    }

    /// Posts JSON, as a channel or the core system does.
    pub(crate) async fn post(&self, path: &str, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let headers = headers.iter().chain([&("content-type", "application/json")]);
        let headers = headers.map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        let request = SignedRequest {
            query: String::new(),
            headers: headers.collect(),
            body: body.to_owned().into(),
            string_to_sign: String::new(),
        };
        self.client.send(&format!("{}{path}", self.url), &request).await.unwrap()
    }

    /// One number out of the ledger's file.
    pub(crate) fn count(&self, query: &str) -> i64 {
        let connection = rusqlite::Connection::open(self.directory.path().join("ledger.db")).unwrap();
        connection.query_row(query, [], |row| row.get(0)).unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.running.kill();
        if !std::thread::panicking() {
            let open = self.count("SELECT count(*) FROM notices WHERE state IN ('pending', 'dead')");
            assert_eq!(open, self.expected_open, "the test ends with undelivered notices that it did not expect");
        }
    }
}

/// A gateway by that configuration.
pub(crate) fn start(config: &Path) -> RunningGateway {
    let started = RunningGateway::start(serve(Path::new(env!("CARGO_BIN_EXE_baoqiao")), config));
    started.unwrap_or_else(|said| panic!("the gateway did not start: {said}"))
}

pub(crate) fn example() -> Call {
    example_with(|_| ())
}

pub(crate) fn example_with(change: impl FnOnce(&mut Map<String, Value>)) -> Call {
    let mut tree: Value = serde_json::from_str(ISSUING_REQUEST).unwrap();
    change(tree.as_object_mut().unwrap());
    call_of(BodyKind::Json, Charset::Utf8, &tree.to_string())
}

/// A call with this body, spelt that way.
pub(crate) fn call_of(kind: BodyKind, charset: Charset, source: &str) -> Call {
    let document = Document::write(kind, charset, source).unwrap();
    Call::new(APP_KEY, Secret::new(SECRET), ISSUING_METHOD, document)
}

pub(crate) fn field(answer: &Answer, path: &[&str]) -> String {
    let fields = Value::Object(answer.fields().unwrap());
    let value = path.iter().fold(&fields, |value, name| &value[name]);
    value.as_str().unwrap_or_else(|| panic!("{path:?} in {}", answer.text())).to_owned()
}

pub(crate) async fn http_get(url: &str, headers: &[(&str, &str)]) -> (u16, http::HeaderMap, Vec<u8>) {
    baoqiao_testkit::http::get(url, headers).await.unwrap()
}
