//! One kept-alive connection, made anew when it breaks.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::mint::HttpRequest;
use crate::qimen::Answer;

const MAX_ANSWER_BYTES: usize = 1 << 20;

/// After a failed attempt to connect: a dead gateway must not be hammered, nor the machine kept busy by it.
const RECONNECT_PAUSE: Duration = Duration::from_millis(50);

/// A connection to the gateway, one request at a time.
#[derive(Debug)]
pub(super) struct Connection {
    address: SocketAddr,
    timeout: Duration,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    pub(super) fn new(address: SocketAddr, timeout: Duration) -> Self {
        Self { address, timeout, sender: None }
    }

    /// Sends the request and reads the answer; the error says in a few words why there is none.
    pub(super) async fn send(&mut self, request: HttpRequest) -> Result<Answer, String> {
        let timeout = self.timeout;
        let exchange = tokio::time::timeout(timeout, self.exchange(request)).await;
        let result = exchange.unwrap_or_else(|_| Err(format!("no answer within {timeout:?}")));
        if result.is_err() {
            // What is left of a broken exchange must not be taken for the next answer.
            self.sender = None;
        }
        result
    }

    async fn exchange(&mut self, request: HttpRequest) -> Result<Answer, String> {
        let started = Instant::now();
        let mut sender = match self.sender.take() {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        let response = match sender.try_send_request(request).await {
            Ok(response) => response,
            Err(mut error) => {
                // The gateway closed an idle connection: nothing was sent, so it may go over a new one.
                let Some(unsent) = error.take_message() else {
                    return Err(in_few_words(error.into_error()));
                };
                sender = self.connect().await?;
                sender.send_request(unsent).await.map_err(in_few_words)?
            }
        };
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES)
            .collect()
            .await
            .map_err(|error| format!("the answer broke off: {error}"))?;
        let answer =
            Answer { status: head.status, headers: head.headers, body: body.to_bytes(), elapsed: started.elapsed() };
        // Not ready again: the gateway asked to close.
        if sender.ready().await.is_ok() {
            self.sender = Some(sender);
        }
        Ok(answer)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let stream = match TcpStream::connect(self.address).await {
            Ok(stream) => stream,
            Err(error) => {
                tokio::time::sleep(RECONNECT_PAUSE).await;
                return Err(format!("cannot connect: {error}"));
            }
        };
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(in_few_words)?;
        // Ends with the connection; what went wrong there is told by the exchange it breaks.
        tokio::task::spawn_local(async move { drop(driver.await) });
        Ok(sender)
    }
}

fn in_few_words(error: impl Display) -> String {
    format!("the connection broke: {error}")
}
