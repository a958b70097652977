//! A gateway of the real binary in a directory of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use baoqiao_channels::access::Secret;
use baoqiao_channels::qimen::body::BodyKind;
use baoqiao_gateway::clock::{Clock, SystemClock};
use baoqiao_simulator::client::Client;
use baoqiao_simulator::example::{ISSUING_METHOD, ISSUING_REQUEST};
use baoqiao_simulator::qimen::{Answer, Call, Charset, Document, SignedRequest};
use serde_json::{Map, Value};

pub(crate) const APP_KEY: &str = "24589063";
pub(crate) const SECRET: &str = "helloworld";

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
    process: Child,
    log: Option<JoinHandle<String>>,
    pub(crate) url: String,
    client: Client,
}

impl Gateway {
    pub(crate) fn start() -> Self {
        Self::start_with(|sample| sample)
    }

    /// Starts with the sample configuration changed.
    pub(crate) fn start_with(change: impl FnOnce(String) -> String) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap();
        let init = ["init", "--dir", path, "--listen", "127.0.0.1:0", "--app-key", APP_KEY, "--secret", SECRET];
        let made = baoqiao(init);
        assert!(made.status.success(), "{}", text(&made.stderr));
        let config = directory.path().join("baoqiao.toml");
        let sample = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, change(sample)).unwrap();
        let (process, url, log) = serve(&config);
        Self { directory, process, log: Some(log), url, client: Client::new(Duration::from_secs(20)).unwrap() }
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
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let (process, url, log) = serve(&self.config());
        (self.process, self.url, self.log) = (process, url, Some(log));
    }

    /// Asks the process to stop, and waits until it has.
    pub(crate) fn stop(&mut self) -> std::process::ExitStatus {
        let asked = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().unwrap();
        assert!(asked.success());
        self.process.wait().unwrap()
    }

    /// All that a gateway that has stopped logged after it was ready.
    pub(crate) fn log(&mut self) -> String {
        self.log.take().unwrap().join().unwrap()
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

    /// One number out of the ledger's file.
    pub(crate) fn count(&self, query: &str) -> i64 {
        let connection = rusqlite::Connection::open(self.directory.path().join("ledger.db")).unwrap();
        connection.query_row(query, [], |row| row.get(0)).unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts the server and waits for its line that tells the address.
fn serve(config: &Path) -> (Child, String, JoinHandle<String>) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_baoqiao"))
        .args(["serve", "--config", config.to_str().unwrap()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let mut said = Vec::new();
    let url = loop {
        let Some(line) = lines.next() else { panic!("the gateway did not start: {said:?}") };
        let line = line.unwrap();
        let address = line.split_once("address=").or_else(|| line.split_once("\"address\":\""));
        if let Some((_, rest)) = address {
            let address: String = rest.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
            break format!("http://{address}");
        }
        said.push(line);
    };
    // The pipe is read on, so that a log that nobody wants never blocks the gateway.
    let log = std::thread::spawn(move || lines.map_while(Result::ok).map(|line| line + "\n").collect());
    (process, url, log)
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

/// A plain GET, since a customer's browser is no simulator.
pub(crate) async fn http_get(url: &str, headers: &[(&str, &str)]) -> (u16, http::HeaderMap, Vec<u8>) {
    use http_body_util::BodyExt;
    let uri: http::Uri = url.parse().unwrap();
    let stream = tokio::net::TcpStream::connect(uri.authority().unwrap().as_str()).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let mut request = http::Request::get(uri.path_and_query().unwrap().as_str()).header("host", "gateway");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let (head, body) = response.into_parts();
    (head.status.as_u16(), head.headers, body.collect().await.unwrap().to_bytes().to_vec())
}
