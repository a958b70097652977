//! Sends signed requests over http and https.
//!
//! hyper's pooled client with rustls on `ring`: no C library but ring's own, and the roots of the machine
//! (`SSL_CERT_FILE` and `SSL_CERT_DIR` count), since insurers' test gateways often stand behind a private root.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::Instant;

use crate::qimen::{Answer, SignedRequest};

/// The longest answer that is read: far longer than any document's.
const MAX_ANSWER_BYTES: usize = 16 << 20;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// An HTTP client that keeps its connections.
#[derive(Debug, Clone)]
pub struct Client {
    inner: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
    has_roots: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// TLS could not be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// Not an absolute http or https URL.
    #[error("URL {0:?} is not like http://127.0.0.1:8080/qimen")]
    Url(String),
    /// The URL's own parameters have to be signed, too.
    #[error("URL {0:?} has a query: hand its parameters to the call, which signs them")]
    UrlHasQuery(String),
    /// Neither the machine nor `SSL_CERT_FILE` names a root that could vouch for the server.
    #[error("this machine has no root certificates: install ca-certificates or set SSL_CERT_FILE")]
    NoRoots,
    /// Nobody listens there, or TLS was not agreed upon.
    #[error("cannot connect to {url}: {cause}")]
    Connect {
        /// Where to.
        url: String,
        /// The innermost cause.
        cause: String,
    },
    /// The connection broke.
    #[error("no answer from {url}: {cause}")]
    Broken {
        /// Where from.
        url: String,
        /// The innermost cause.
        cause: String,
    },
    /// It took too long; the gateway may have carried out the call all the same.
    #[error("no answer from {url} within {timeout_ms} ms; the call may have been carried out")]
    TimedOut {
        /// Where from.
        url: String,
        /// The limit in milliseconds.
        timeout_ms: u128,
    },
}

impl Client {
    /// A client that waits for an answer for so long.
    ///
    /// # Errors
    /// [`SendError::Tls`], when `ring` lacks the protocol versions.
    pub fn new(timeout: Duration) -> Result<Self, SendError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let has_roots = !roots.is_empty();
        let tls = ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
        let inner = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(connector);
        Ok(Self { inner, timeout, has_roots })
    }

    /// Posts the request to `url` and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// When the URL cannot be called, or no answer came.
    pub async fn send(&self, url: &str, signed: &SignedRequest) -> Result<Answer, SendError> {
        let uri = self.target(url, &signed.query)?;
        let mut request = Request::new(Full::new(signed.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        request.headers_mut().clone_from(&signed.headers);
        let started = Instant::now();
        let exchange = async {
            let response = self.inner.request(request).await.map_err(|error| failure(url, &error))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MAX_ANSWER_BYTES)
                .collect()
                .await
                .map_err(|error| SendError::Broken { url: url.to_owned(), cause: innermost(error.as_ref()) })?;
            Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes(), elapsed: started.elapsed() })
        };
        tokio::time::timeout(self.timeout, exchange)
            .await
            .unwrap_or_else(|_| Err(SendError::TimedOut { url: url.to_owned(), timeout_ms: self.timeout.as_millis() }))
    }

    fn target(&self, url: &str, query: &str) -> Result<Uri, SendError> {
        let bad = || SendError::Url(url.to_owned());
        let base: Uri = url.parse().map_err(|_| bad())?;
        if base.query().is_some() {
            return Err(SendError::UrlHasQuery(url.to_owned()));
        }
        match base.scheme_str() {
            Some("http") => {}
            Some("https") if self.has_roots => {}
            Some("https") => return Err(SendError::NoRoots),
            _ => return Err(bad()),
        }
        format!("{url}?{query}").parse().map_err(|_| bad())
    }
}

fn failure(url: &str, error: &legacy::Error) -> SendError {
    let (url, cause) = (url.to_owned(), innermost(error));
    if error.is_connect() { SendError::Connect { url, cause } } else { SendError::Broken { url, cause } }
}

/// hyper's own words say only that something failed; the cause is at the end of the chain.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_cannot_be_called_is_told_before_anything_is_sent() {
        let client = Client::new(Duration::from_secs(1)).unwrap();
        for url in ["", "127.0.0.1:8080", "/qimen", "ftp://x/", "http://张三/"] {
            let error = client.target(url, "a=1").unwrap_err();
            assert!(matches!(error, SendError::Url(_)), "{url}: {error}");
        }
        let query = client.target("http://x/q?a=1", "b=2").unwrap_err();
        assert!(matches!(query, SendError::UrlHasQuery(_)));
        assert_eq!(client.target("http://x/q", "b=2").unwrap(), "http://x/q?b=2");
    }
}
