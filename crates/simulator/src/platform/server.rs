//! The platform's listening side.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinHandle, JoinSet};

use baoqiao_channels::access::Secret;
use baoqiao_channels::channel::RawRequest;

use super::PATH;
use super::record::Received;
use super::respond::{Desk, End};
use super::scenario::Scenario;

/// Longer bodies are refused: far longer than any message of an insurer.
const MAX_BODY_BYTES: usize = 1 << 20;
/// Connections at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 4096;
/// How long a request's head may take, and an idle connection may stay.
const HEADER_TIMEOUT: Duration = Duration::from_mins(1);
/// How long a call that is never answered is held open, unless its caller leaves earlier.
const SILENCE: Duration = Duration::from_mins(10);

/// How the platform tells the time.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// An application that may call.
#[derive(Debug, Clone)]
pub struct App {
    /// `app_key`.
    pub key: String,
    /// What it signs with.
    pub secret: Secret,
}

/// What a platform is started with.
#[derive(Clone)]
pub struct Setup {
    /// Where to listen; port 0 leaves the choice to the system.
    pub listen: SocketAddr,
    /// Who may call.
    pub apps: Vec<App>,
    /// How it behaves.
    pub scenario: Scenario,
    /// How many of the newest calls are kept.
    pub keep: usize,
    /// The clock that timestamps are judged by.
    pub now: Now,
}

impl Setup {
    /// The newest calls that are kept unless it says otherwise.
    pub const KEEP: usize = 100_000;

    /// A well-behaved platform on a free port of this machine, with one application.
    pub fn new(app_key: &str, secret: &str, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            apps: vec![App { key: app_key.to_owned(), secret: Secret::new(secret) }],
            scenario: Scenario::default(),
            keep: Self::KEEP,
            now: Arc::new(now),
        }
    }
}

/// A platform that listens. It ends, and closes every connection, when dropped.
pub struct Platform {
    address: SocketAddr,
    desk: Arc<Desk>,
    accepting: JoinHandle<()>,
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Platform {
    /// Listens and begins to serve, on the runtime that this is called on.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(setup: Setup) -> std::io::Result<Self> {
        let listener = TcpListener::bind(setup.listen).await?;
        let address = listener.local_addr()?;
        let apps: HashMap<String, Secret> = setup.apps.into_iter().map(|app| (app.key, app.secret)).collect();
        let desk = Arc::new(Desk::new(apps, setup.scenario, setup.keep));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&desk), setup.now));
        Ok(Self { address, desk, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where calls go: `http://127.0.0.1:PORT/router/rest`.
    pub fn url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// Every call that is kept, refused ones included, in the order of arrival.
    pub fn received(&self) -> Vec<Arc<Received>> {
        self.desk.received(0).0
    }

    /// The messages that the platform has taken, in the order of arrival.
    pub fn taken(&self) -> Vec<Arc<Received>> {
        let mut received = self.received();
        received.retain(|call| call.taken);
        received
    }

    /// Returns when what has been received is as `done` wants it: asked now, and after each further call.
    pub async fn until(&self, mut done: impl FnMut(&[Arc<Received>]) -> bool) {
        let mut total = self.desk.total();
        while !done(&self.received()) {
            // The desk lives as long as the platform: there is always another.
            let _ = total.changed().await;
        }
    }

    /// Behaves so from now on; what the scenario before had counted is forgotten.
    pub fn play(&self, scenario: Scenario) {
        self.desk.play(scenario);
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Ends when aborted, and all connections with it.
async fn accept(listener: TcpListener, desk: Arc<Desk>, now: Now) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, Arc::clone(&desk), Arc::clone(&now), permit));
            }
            // Out of file descriptors, most likely: the next accept may do better in a moment.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connection(stream: TcpStream, desk: Arc<Desk>, now: Now, permit: OwnedSemaphorePermit) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| respond(request, &desk, &now));
    // A connection that breaks is the caller's to open again; one that is hung up ends in an error by design.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    drop(permit);
}

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("hung up by the scenario")]
struct HungUp;

async fn respond(request: Request<Incoming>, desk: &Desk, now: &Now) -> Result<Response<Full<Bytes>>, HungUp> {
    let (head, body) = request.into_parts();
    match (head.uri.path(), &head.method) {
        (PATH, _) => {}
        ("/received", &Method::GET) => return Ok(received(desk, head.uri.query().unwrap_or_default())),
        ("/received", &Method::DELETE) => {
            desk.forget();
            return Ok(plain(StatusCode::NO_CONTENT, ""));
        }
        ("/received", _) => return Ok(plain(StatusCode::METHOD_NOT_ALLOWED, "GET or DELETE\n")),
        _ => return Ok(plain(StatusCode::NOT_FOUND, "calls go to /router/rest; GET /received lists them\n")),
    }
    let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await else {
        return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is broken or longer than 1 MiB\n"));
    };
    let query = head.uri.query().unwrap_or_default().to_owned();
    let raw = RawRequest { query: query.into(), headers: head.headers, body: body.to_bytes() };
    let reaction = desk.take(head.method, &raw, now());
    if !reaction.delay.is_zero() {
        tokio::time::sleep(reaction.delay).await;
    }
    match reaction.end {
        End::Answer(response) => Ok(response),
        End::HangUp => Err(HungUp),
        End::Silence => {
            tokio::time::sleep(SILENCE).await;
            Err(HungUp)
        }
    }
}

/// The messages taken as a JSON array; with `all=true` the calls refused, too; with `after=N` those that came later;
/// with `limit=N` at most so many, the oldest first.
fn received(desk: &Desk, query: &str) -> Response<Full<Bytes>> {
    let parameter = |wanted: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    let number = |name: &str, default: u64| parameter(name).map_or(Some(default), |value| value.parse().ok());
    let (Some(after), Some(limit)) = (number("after", 0), number("limit", u64::MAX)) else {
        return plain(StatusCode::BAD_REQUEST, "after and limit are whole numbers\n");
    };
    let all = match parameter("all").as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return plain(StatusCode::BAD_REQUEST, "all is true or false\n"),
    };
    let (calls, total) = desk.received(after);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let shown: Vec<&Received> = calls.iter().map(Arc::as_ref).filter(|call| all || call.taken).take(limit).collect();
    let Ok(json) = serde_json::to_vec(&shown) else {
        return plain(StatusCode::INTERNAL_SERVER_ERROR, "the record cannot be written as JSON\n");
    };
    let mut response = Response::new(Full::new(json.into()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(HeaderName::from_static("x-received-total"), HeaderValue::from(total));
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=utf-8"));
    response
}
