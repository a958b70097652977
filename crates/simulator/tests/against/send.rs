//! The client against servers of known behaviour.

use std::time::Duration;

use crate::server::{Reaction, Server};
use baoqiao_channels::access::Secret;
use baoqiao_channels::qimen::body::{self, BodyKind};
use baoqiao_channels::qimen::sign::SignedParts;
use baoqiao_channels::sign_method::SignMethod;
use baoqiao_simulator::client::{Client, SendError};
use baoqiao_simulator::example::{ISSUING_METHOD, ISSUING_REQUEST};
use baoqiao_simulator::qimen::{Answer, Call, Charset, Document, SignedRequest, Verdict};
use jiff::Timestamp;

fn signed() -> SignedRequest {
    let document = Document::write(BodyKind::Form, Charset::Gbk, ISSUING_REQUEST).unwrap();
    Call::new("24589063", Secret::new("s"), ISSUING_METHOD, document).sign(Timestamp::UNIX_EPOCH).unwrap()
}

fn send(url: &str, timeout: Duration) -> Result<Answer, SendError> {
    let client = Client::new(timeout).unwrap();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(client.send(url, &signed()))
}

const LONG: Duration = Duration::from_mins(1);

#[test]
fn a_request_arrives_as_it_was_signed() {
    let server = Server::start(|raw| {
        let parts = SignedParts::of(raw);
        let good = parts.is_signed_with(SignMethod::Md5, "s") && body::read(raw).unwrap()["currency"] == "CNY";
        Reaction::Answer(format!(r#"{{"success":"{good}"}}"#))
    });
    let answer = send(&server.url(), LONG).unwrap();
    assert_eq!(answer.verdict(), Verdict::Accepted);
}

#[test]
fn what_went_wrong_is_told_apart() {
    let silent = Server::start(|_| Reaction::Silence);
    let error = send(&silent.url(), Duration::from_millis(1)).unwrap_err();
    assert!(matches!(error, SendError::TimedOut { timeout_ms: 1, .. }), "{error}");

    let rude = Server::start(|_| Reaction::HangUp);
    let error = send(&rude.url(), LONG).unwrap_err();
    assert!(matches!(error, SendError::Broken { .. }), "{error}");

    // Bound, so that nobody else can listen there.
    let held = tokio::net::TcpSocket::new_v4().unwrap();
    held.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let error = send(&format!("http://{}/", held.local_addr().unwrap()), LONG).unwrap_err();
    assert!(matches!(error, SendError::Connect { .. }), "{error}");
}
