//! How requests travel: a trait, so that tests need no sockets, and hyper's pooled client behind it.

use std::future::Future;
use std::pin::Pin;

use baoqiao_channels::outbound::{OutboundRequest, OutboundResponse};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};

use crate::https::{HttpClient, client, innermost};

/// The longest answer that is read: a hundred times any document's.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// What comes of sending.
pub type Sending<'a> = Pin<Box<dyn Future<Output = OutboundResponse> + Send + 'a>>;

/// Sends requests. The caller keeps the time.
pub trait Transport: Send + Sync {
    /// Posts the request to `url`.
    fn send<'a>(&'a self, url: &'a str, request: OutboundRequest) -> Sending<'a>;
}

/// The gateway's client, for posting.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    inner: HttpClient,
}

impl HttpTransport {
    /// A client that trusts the machine's roots; `SSL_CERT_FILE` and `SSL_CERT_DIR` count.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new() -> Result<Self, rustls::Error> {
        Ok(Self { inner: client()? })
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
