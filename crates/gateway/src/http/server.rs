//! The listening side: connections with bounds, TLS where it is configured, and an end that lets what is under way
//! finish.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service as _;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use baoqiao_channels::access::AddressRange;
use baoqiao_channels::origin::{ClientCertificate, Origin};

use super::leftover;
use super::origin::client_address;
use super::strangers::Allowance;
use crate::clock::Clock;
use crate::tls::Tls;

/// How many threads answer calls: a core less than there are, and at least one. The ledger's writer, on which every answer
/// waits, then has one to itself; beside as many threads as cores it waited for its turn a quarter of the time. (On
/// two cores issuing became 3 to 21 % faster in three comparisons; `docs/performance.md`.)
pub fn handler_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1))
}

/// Bounds on connections.
#[derive(Debug, Clone, Copy)]
pub struct ServerLimits {
    /// How long a TLS handshake or a request's head may take to arrive, and an idle connection may stay.
    pub header_timeout: Duration,
    /// How long a body may take to arrive, also one that was not needed for the answer.
    pub body_timeout: Duration,
    /// How long a body may be of which nothing was needed; 8 MiB where that is more.
    pub body_bytes: usize,
    /// How long what is under way may take to finish when the gateway stops.
    pub shutdown_grace: Duration,
    /// The most connections at once; more wait to be accepted.
    pub connections: usize,
}

impl ServerLimits {
    fn of_leftovers(&self) -> leftover::Bounds {
        let bytes = u64::try_from(self.body_bytes).unwrap_or(u64::MAX).max(8 << 20);
        leftover::Bounds { bytes, time: self.body_timeout }
    }
}

/// How it is told who calls.
pub struct Front {
    /// TLS; without it, calls come in the clear.
    pub tls: Option<Tls>,
    /// The proxies whose word is taken for whom they were called by.
    pub trusted_proxies: Vec<AddressRange>,
    /// How many failed handshakes are logged.
    pub failed_handshakes: Allowance,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// A listening server.
pub struct Server {
    listener: TcpListener,
    limits: ServerLimits,
    front: Arc<Front>,
}

impl Server {
    /// Listens on `address`.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn bind(address: SocketAddr, limits: ServerLimits, front: Front) -> std::io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, limits, front: Arc::new(front) })
    }

    /// The address that it listens on.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` completes, then accepts no more and waits for what is under way.
    pub async fn serve(self, router: Router, stop: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        let permits = Arc::new(Semaphore::new(self.limits.connections));
        tokio::pin!(stop);
        loop {
            let permit = tokio::select! {
                permit = Arc::clone(&permits).acquire_owned() => permit,
                () = &mut stop => break,
            };
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = &mut stop => break,
            };
            match (accepted, permit) {
                (Ok((stream, peer)), Ok(permit)) => {
                    // Answers are small and awaited: never held back for more to come.
                    let _ = stream.set_nodelay(true);
                    let (front, limits) = (Arc::clone(&self.front), self.limits);
                    let connection = Connection { front, router: router.clone(), peer, limits };
                    let watcher = graceful.watcher();
                    tokio::spawn(async move {
                        connection.serve(stream, watcher).await;
                        drop(permit);
                    });
                }
                (Err(error), _) => {
                    // Out of file descriptors, most likely: the next accept may do better in a moment.
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                (Ok(_), Err(_)) => break,
            }
        }
        drop(self.listener);
        if tokio::time::timeout(self.limits.shutdown_grace, graceful.shutdown()).await.is_err() {
            tracing::warn!("connections were cut off at the end of the grace period");
        }
    }
}

/// One connection on its way through.
struct Connection {
    front: Arc<Front>,
    router: Router,
    peer: SocketAddr,
    limits: ServerLimits,
}

impl Connection {
    async fn serve(self, stream: TcpStream, watcher: Watcher) {
        let Some(tls) = &self.front.tls else { return self.calls(stream, None, watcher).await };
        let shaken = tokio::time::timeout(self.limits.header_timeout, tls.accept(stream)).await;
        match shaken {
            Ok(Ok((stream, certificate))) => self.calls(stream, certificate, watcher).await,
            Ok(Err(error)) => self.not_shaken(&error.to_string()),
            Err(_) => self.not_shaken("it took too long"),
        }
    }

    /// A caller who cannot connect has nothing else to show for it: no message is recorded.
    fn not_shaken(&self, reason: &str) {
        if let Some(suppressed) = self.front.failed_handshakes.take(self.front.clock.now()) {
            let suppressed = (suppressed > 0).then_some(suppressed);
            tracing::info!(peer = %self.peer.ip().to_canonical(), reason, suppressed, "a TLS handshake failed");
        }
    }

    /// Serves the calls of the connection, each with where it comes from among its extensions.
    async fn calls<S>(self, stream: S, certificate: Option<Arc<ClientCertificate>>, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Self { front, router, peer, limits } = self;
        let router = TowerToHyperService::new(router);
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            let address = client_address(peer.ip(), request.headers(), &front.trusted_proxies);
            request.extensions_mut().insert(Origin { address, certificate: certificate.clone() });
            let (request, rest) = leftover::lend(request);
            let answer = router.call(request);
            async move {
                let answer = answer.await?;
                rest.read(limits.of_leftovers()).await;
                Ok::<_, std::convert::Infallible>(answer)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .serve_connection(TokioIo::new(stream), service);
        // A connection that breaks is the caller's to open again.
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, %peer, "connection ended early");
        }
    }
}
