//! The gateway's own TLS: certificates from files, taken anew when the files change, and who has shown which.
//!
//! Client certificates are asked for where `client_ca` is configured, and nobody has to show one: platforms, customers
//! and health checks share the address. Who does show one must show one that verifies, or the handshake fails; which
//! caller needs which is the channels' to decide. No session is resumed then, so that each connection proves its
//! certificate against what is configured at that moment.

mod certificate;
mod files;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use baoqiao_channels::origin::ClientCertificate;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub use certificate::CertificateInfo;
pub use files::{TlsError, TlsFiles};

/// Why no handshake came about.
#[derive(Debug)]
pub struct HandshakeError(io::Error);

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = self.0.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
        match cause {
            Some(rustls::Error::InvalidMessage(_)) => f.write_str("the caller does not speak TLS"),
            _ => self.0.fmt(f),
        }
    }
}

impl std::error::Error for HandshakeError {}

/// What connections are accepted with.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    loaded: Mutex<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    stamp: files::Stamp,
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// When they are of no use.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        // The stamp first: what changes while the files are read is then read again.
        let stamp = files.stamp();
        let config = files.load()?;
        Ok(Self { files, loaded: Mutex::new(Loaded { stamp, config }) })
    }

    /// A panic elsewhere leaves a configuration that is whole.
    fn loaded(&self) -> MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The configuration for the next connection: that of the files as they are now, or the last that was good.
    fn current(&self) -> Arc<ServerConfig> {
        let stamp = self.files.stamp();
        let mut loaded = self.loaded();
        if loaded.stamp != stamp {
            // Kept also where the files are bad: that is told once, and not at every connection.
            loaded.stamp = stamp;
            match self.files.load() {
                Ok(config) => {
                    loaded.config = config;
                    tracing::info!("the TLS files have changed and were taken");
                }
                Err(error) => {
                    tracing::error!(%error, "the TLS files have changed and are bad: the last good ones stay");
                }
            }
        }
        Arc::clone(&loaded.config)
    }

    /// Shakes hands, and tells the certificate that the caller has proved to hold.
    ///
    /// # Errors
    /// When no handshake comes about: the caller does not speak TLS, does not trust ours, or shows a bad certificate.
    pub async fn accept(
        &self,
        stream: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, Option<Arc<ClientCertificate>>), HandshakeError> {
        let stream = TlsAcceptor::from(self.current()).accept(stream).await.map_err(HandshakeError)?;
        let (_, connection) = stream.get_ref();
        let shown = connection.peer_certificates().and_then(<[_]>::first);
        let certificate = shown.map(|der| Arc::new(certificate::shown(der)));
        Ok((stream, certificate))
    }
}

#[cfg(test)]
mod tests;
