//! A gateway of a few lines, on a port of its own and with a behaviour that the test chooses.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use baoqiao_channels::channel::RawRequest;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;

/// What the server does with a request.
pub(crate) enum Reaction {
    /// Answers 200 with this JSON.
    Answer(String),
    /// The same, and closes the connection.
    AnswerAndClose(String),
    /// Closes the connection without an answer.
    HangUp,
    /// Never answers.
    Silence,
}

type Behaviour = Box<dyn FnMut(&RawRequest) -> Reaction + Send>;

/// A listening server; it ends when dropped.
pub(crate) struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens on a free port of this machine.
    pub(crate) fn start(behaviour: impl FnMut(&RawRequest) -> Reaction + Send + 'static) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let behaviour: Arc<Mutex<Behaviour>> = Arc::new(Mutex::new(Box::new(behaviour)));
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                tokio::select! {
                    () = serve(listener, behaviour) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    /// The URL of its one endpoint.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/qimen", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

async fn serve(listener: std::net::TcpListener, behaviour: Arc<Mutex<Behaviour>>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let behaviour = Arc::clone(&behaviour);
        tokio::spawn(async move {
            let service = service_fn(move |request| respond(request, Arc::clone(&behaviour)));
            // A connection that is hung up ends in an error by design.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

#[derive(Debug)]
struct HungUp;

impl std::fmt::Display for HungUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("hung up")
    }
}

impl std::error::Error for HungUp {}

async fn respond(
    request: Request<Incoming>,
    behaviour: Arc<Mutex<Behaviour>>,
) -> Result<Response<Full<Bytes>>, HungUp> {
    let (head, body) = request.into_parts();
    let raw = RawRequest {
        query: head.uri.query().unwrap_or_default().to_owned().into(),
        headers: head.headers,
        body: body.collect().await.unwrap().to_bytes(),
    };
    let reaction = behaviour.lock().unwrap()(&raw);
    let json = Response::builder().header(CONTENT_TYPE, "application/json;charset=utf-8");
    match reaction {
        Reaction::Answer(text) => Ok(json.body(Full::new(text.into())).unwrap()),
        Reaction::AnswerAndClose(text) => {
            let json = json.header(CONNECTION, "close");
            Ok(json.body(Full::new(text.into())).unwrap())
        }
        Reaction::HangUp => Err(HungUp),
        Reaction::Silence => {
            let never: Infallible = std::future::pending().await;
            match never {}
        }
    }
}
