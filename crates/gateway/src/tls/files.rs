//! The files of `[server.tls]`, and what becomes of them.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::{InconsistentKeys, RootCertStore, ServerConfig};

use super::certificate::{CertificateInfo, info};

/// The files that TLS needs, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The gateway's certificate, and after it those between it and a root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities that issue client certificates; without, nobody is asked for one.
    pub client_ca: Option<PathBuf>,
}

/// Why the files are of no use.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path}: {reason}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, without any of the content.
        reason: String,
    },
    /// Key and certificate do not belong together.
    #[error("the key in {key} is not that of the certificate in {certificate}")]
    OtherKey {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
}

/// Tells whether a file is another than it was: a rename, a new link or a rewrite changes one of these.
pub(super) type Stamp = [Option<(u64, u64, Option<SystemTime>)>; 3];

fn stamp(path: &Path) -> Option<(u64, u64, Option<SystemTime>)> {
    let file = fs::metadata(path).ok()?;
    Some((file.ino(), file.len(), file.modified().ok()))
}

fn content(path: &Path, reason: impl Into<String>) -> TlsError {
    TlsError::Content { path: path.to_owned(), reason: reason.into() }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
}

/// Every certificate of a file; at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(content(path, "no certificate in PEM (-----BEGIN CERTIFICATE-----)")),
        Err(error) => Err(content(path, format!("not PEM: {error}"))),
    }
}

impl TlsFiles {
    pub(super) fn stamp(&self) -> Stamp {
        [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()].map(|path| stamp(path?))
    }

    /// What connections are accepted with.
    pub(super) fn load(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain = certificates(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?)
            .map_err(|_| content(&self.key, "no private key in PEM; one with a passphrase is to be stored without"))?;
        let unusable = |error: rustls::Error| content(&self.certificate, error.to_string());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().map_err(unusable)?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(path)?), provider)
                    .allow_unauthenticated()
                    .build()
                    .map_err(|error| content(path, error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                TlsError::OtherKey { certificate: self.certificate.clone(), key: self.key.clone() }
            }
            error => unusable(error),
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if self.client_ca.is_some() {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Arc::new(config))
    }

    /// The gateway's certificate first, then the authorities.
    ///
    /// # Errors
    /// When the files are of no use.
    pub fn inspect(&self) -> Result<Vec<CertificateInfo>, TlsError> {
        self.load()?;
        let unreadable = |path: &Path| content(path, "a certificate that cannot be read");
        let mut found = Vec::new();
        for (path, all) in [(Some(&self.certificate), false), (self.client_ca.as_ref(), true)] {
            let Some(path) = path else { continue };
            let certificates = certificates(path)?;
            for der in certificates.iter().take(if all { usize::MAX } else { 1 }) {
                found.push(info(path.clone(), der).ok_or_else(|| unreadable(path))?);
            }
        }
        Ok(found)
    }

    /// Whether the gateway's certificate is for that host name or address.
    ///
    /// # Errors
    /// When its file is of no use.
    pub fn is_for(&self, host: &str) -> Result<bool, TlsError> {
        let chain = certificates(&self.certificate)?;
        let parsed = chain.first().and_then(|der| ParsedCertificate::try_from(der).ok());
        let name = ServerName::try_from(host).ok();
        let matched = parsed.zip(name).map(|(parsed, name)| rustls::client::verify_server_name(&parsed, &name));
        Ok(matched.is_some_and(|matched| matched.is_ok()))
    }
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for der in certificates(path)? {
        roots.add(der).map_err(|error| content(path, error.to_string()))?;
    }
    Ok(roots)
}
