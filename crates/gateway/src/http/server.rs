//! The listening side: connections with bounds, and an end that lets what is under way finish.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bounds on connections.
#[derive(Debug, Clone, Copy)]
pub struct ServerLimits {
    /// How long a request's head may take to arrive, and an idle connection may stay.
    pub header_timeout: Duration,
    /// How long what is under way may take to finish when the gateway stops.
    pub shutdown_grace: Duration,
    /// The most connections at once; more wait to be accepted.
    pub connections: usize,
}

/// A listening server.
pub struct Server {
    listener: TcpListener,
    limits: ServerLimits,
}

impl Server {
    /// Listens on `address`.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn bind(address: SocketAddr, limits: ServerLimits) -> std::io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, limits })
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
                (Ok((stream, peer)), Ok(permit)) => self.spawn(stream, peer, &router, &graceful, permit),
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

    fn spawn(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        router: &Router,
        graceful: &GracefulShutdown,
        permit: OwnedSemaphorePermit,
    ) {
        // Answers are small and awaited: never held back for more to come.
        let _ = stream.set_nodelay(true);
        let service = router.clone().layer(axum::Extension(peer));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_timeout)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A connection that breaks is the caller's to open again.
            if let Err(error) = connection.await {
                tracing::debug!(%error, %peer, "connection ended early");
            }
            drop(permit);
        });
    }
}
