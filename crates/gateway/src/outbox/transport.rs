//! How requests travel: a trait, so that tests need no sockets, and hyper's pooled client behind it.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use baoqiao_channels::outbound::{OutboundRequest, OutboundResponse};
use bytes::Bytes;
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};

/// The longest answer that is read: a hundred times any document's.
const MAX_ANSWER_BYTES: usize = 1 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// What comes of sending.
pub type Sending<'a> = Pin<Box<dyn Future<Output = OutboundResponse> + Send + 'a>>;

/// Sends requests. The caller keeps the time.
pub trait Transport: Send + Sync {
    /// Posts the request to `url`.
    fn send<'a>(&'a self, url: &'a str, request: OutboundRequest) -> Sending<'a>;
}

/// HTTP/1.1 over TCP or TLS, connections kept. Answers are not asked for in compressed form.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    inner: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl HttpTransport {
    /// A client that trusts the machine's roots; `SSL_CERT_FILE` and `SSL_CERT_DIR` count.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new() -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
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
        Ok(Self { inner })
    }

    async fn exchange(&self, url: &str, request: OutboundRequest) -> Result<OutboundResponse, String> {
        let OutboundRequest { query, headers, body } = request;
        // The address without the query, which is signed and belongs in no message.
        let uri: Uri = if query.is_empty() { url.parse() } else { format!("{url}?{query}").parse() }
            .map_err(|_| format!("{url} is no address"))?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let response = self.inner.request(request).await.map_err(|error| innermost(&error))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await.map_err(|error| innermost(error.as_ref()))?;
        Ok(OutboundResponse::Answer { status: head.status.as_u16(), headers: head.headers, body: body.to_bytes() })
    }
}

impl Transport for HttpTransport {
    fn send<'a>(&'a self, url: &'a str, request: OutboundRequest) -> Sending<'a> {
        Box::pin(async move {
            self.exchange(url, request).await.unwrap_or_else(|detail| OutboundResponse::NetworkFailed { detail })
        })
    }
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
    use http::HeaderMap;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn request(query: &str) -> OutboundRequest {
        OutboundRequest { query: query.to_owned(), headers: HeaderMap::new(), body: "body=1".into() }
    }

    /// Answers one call with `answer` and gives what came.
    async fn serve(listener: TcpListener, answer: &[u8]) -> String {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut came = Vec::new();
        while !came.ends_with(b"body=1") {
            assert_ne!(stream.read_buf(&mut came).await.unwrap(), 0);
        }
        stream.write_all(answer).await.unwrap();
        String::from_utf8(came).unwrap()
    }

    async fn exchange(answer: &[u8]) -> (OutboundResponse, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/router/rest", listener.local_addr().unwrap());
        let transport = HttpTransport::new().unwrap();
        tokio::join!(transport.send(&url, request("sign=A%2B")), serve(listener, answer))
    }

    #[tokio::test]
    async fn a_request_goes_as_it_was_signed_and_any_status_is_an_answer() {
        let (response, came) = exchange(b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy").await;
        let OutboundResponse::Answer { status, body, .. } = response else { panic!("{response:?}") };
        assert_eq!((status, body.as_ref()), (503, &b"busy"[..]));
        assert!(came.starts_with("POST /router/rest?sign=A%2B HTTP/1.1\r\n"), "{came}");
        assert!(!came.to_lowercase().contains("accept-encoding"), "{came}");
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_none_and_its_words_have_no_signature() {
        let (response, _) = exchange(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
        assert!(matches!(response, OutboundResponse::NetworkFailed { .. }), "{response:?}");
        let transport = HttpTransport::new().unwrap();
        let response = transport.send("no address", request("sign=SECRET")).await;
        let OutboundResponse::NetworkFailed { detail } = response else { panic!("{response:?}") };
        assert_eq!(detail, "no address is no address");
    }
}
