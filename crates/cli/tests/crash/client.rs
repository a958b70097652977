//! Clients: they spell an order as their platform does, send it, read the answer, and note both.

use std::sync::Arc;
use std::time::Duration;

use baoqiao_channels::access::Secret;
use baoqiao_channels::qimen::body::BodyKind;
use baoqiao_channels::sign_method::SignMethod;
use baoqiao_gateway::clock::{Clock, SystemClock};
use baoqiao_simulator::client::Client;
use baoqiao_simulator::example::ISSUING_METHOD;
use baoqiao_simulator::qimen::{Answer as Reply, Call, Charset, Document, SignedRequest, Verdict};
use bytes::Bytes;
use fastrand::Rng;
use futures_util::{StreamExt as _, stream};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use crate::fleet::{APP_KEY, Addresses, SECRET, TOKEN};
use crate::journal::{Answer, Attempt, Journal};
use crate::order::{Interface, Order};

const RECOVERY_METHOD: &str = "qimen.alibaba.finance.insurance.recovery";
/// A platform's patience.
const PATIENCE: Duration = Duration::from_secs(5);
/// That of one that hangs up while its call is being carried out.
const IMPATIENCE: Duration = Duration::from_millis(4);
/// What a client waits that was told to come again.
const PAUSE: Duration = Duration::from_millis(20);

/// Refusals that say: not now.
const TEMPORARY: [&str; 2] = ["SYSTEM_BUSY", "LEDGER_UNAVAILABLE"];

/// What all clients share.
#[derive(Debug)]
pub(crate) struct Clients {
    addresses: Addresses,
    pub(crate) journal: Journal,
    patient: Client,
    impatient: Client,
}

impl Clients {
    pub(crate) fn new(addresses: Addresses) -> Self {
        Self {
            addresses,
            journal: Journal::new(),
            patient: Client::new(PATIENCE).unwrap(),
            impatient: Client::new(IMPATIENCE).unwrap(),
        }
    }

    /// Sends it, anew signed and otherwise spelt each time, until it is answered for good.
    pub(crate) async fn until_answered(&self, order: &Arc<Order>, rng: &mut Rng) -> Answer {
        self.until_answered_by(None, order, rng).await
    }

    /// As [`until_answered`](Self::until_answered), by one gateway as long as that is up.
    pub(crate) async fn until_answered_by(&self, node: Option<usize>, order: &Arc<Order>, rng: &mut Rng) -> Answer {
        loop {
            let address = match node {
                Some(node) => self.addresses.prefer(node, rng).await,
                None => self.addresses.choose(rng).await,
            };
            let answer = self.send(&self.patient, &address, order, &spelt(order, rng)).await;
            match answer {
                Answer::Accepted(_) | Answer::Refused(_) => return answer,
                Answer::Later(_) | Answer::Silence(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Sends all of them, a few at a time and in this order, until each is answered for good.
    pub(crate) async fn until_all_answered(&self, node: Option<usize>, orders: Vec<Arc<Order>>, mut rng: Rng) {
        let answered = stream::iter(orders).for_each_concurrent(16, |order| {
            let mut rng = rng.fork();
            async move { drop(self.until_answered_by(node, &order, &mut rng).await) }
        });
        answered.await;
    }

    /// Sends it once and hardly waits.
    pub(crate) async fn hang_up(&self, order: &Arc<Order>, rng: &mut Rng) {
        let address = self.addresses.choose(rng).await;
        self.send(&self.impatient, &address, order, &spelt(order, rng)).await;
    }

    /// Sends copies of one request at the same moment, each to a gateway of its own choice.
    pub(crate) async fn in_copies(&self, order: &Arc<Order>, copies: usize, rng: &mut Rng) {
        let request = spelt(order, rng);
        let request = &request;
        let sendings = (0..copies).map(|_| {
            let mut rng = rng.fork();
            async move {
                let address = self.addresses.choose(&mut rng).await;
                self.send(&self.patient, &address, order, request).await
            }
        });
        futures_util::future::join_all(sendings).await;
    }

    async fn send(&self, client: &Client, address: &str, order: &Arc<Order>, request: &SignedRequest) -> Answer {
        let url = format!("{address}{}", path(order));
        let begun = self.journal.begin();
        let answer = match client.send(&url, request).await {
            Ok(reply) => read(order.interface, &reply),
            Err(error) => Answer::Silence(error.to_string()),
        };
        let attempt = Attempt { order: Arc::clone(order), begun, ended: self.journal.now(), answer: answer.clone() };
        self.journal.end(attempt);
        answer
    }
}

fn path(order: &Order) -> String {
    match order.interface {
        Interface::Issuing | Interface::Recovery => "/qimen".to_owned(),
        Interface::Rescission => "/avatar/refund/second/refundNotice".to_owned(),
        Interface::Surrender => format!("/api/v1/policies/{}/surrender", order.subject),
        Interface::AuctionStage => format!("/api/v1/auctions/{}/stages", order.subject),
    }
}

/// The order as its platform may spell it: what differs from one sending to the next is no part of its content.
fn spelt(order: &Order, rng: &mut Rng) -> SignedRequest {
    match order.interface {
        Interface::Issuing => qimen(ISSUING_METHOD, &order.content, rng),
        Interface::Recovery => qimen(RECOVERY_METHOD, &order.content, rng),
        Interface::Rescission => {
            let mut body = order.content.clone();
            body["head"]["uuid"] = uuid(rng).into();
            posted(&body, HeaderMap::new())
        }
        Interface::Surrender | Interface::AuctionStage => {
            let key = HeaderValue::from_str(&order.key).unwrap();
            let token = HeaderValue::from_str(&format!("Bearer {TOKEN}")).unwrap();
            let headers = [(HeaderName::from_static("idempotency-key"), key), (AUTHORIZATION, token)];
            posted(&order.content, HeaderMap::from_iter(headers))
        }
    }
}

fn qimen(method: &str, content: &Value, rng: &mut Rng) -> SignedRequest {
    let kind = *rng.choice(&[BodyKind::Json, BodyKind::Xml, BodyKind::Form, BodyKind::Text]).unwrap();
    let charset = if rng.bool() { Charset::Utf8 } else { Charset::Gbk };
    let document = Document::write(kind, charset, &content.to_string()).unwrap();
    let sign_method = *rng.choice(&SignMethod::ALL).unwrap();
    let call = Call { sign_method, ..Call::new(APP_KEY, Secret::new(SECRET), method, document) };
    call.sign(SystemClock.now()).unwrap()
}

fn posted(body: &Value, mut headers: HeaderMap) -> SignedRequest {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let body = Bytes::from(body.to_string());
    SignedRequest { query: String::new(), headers, body, string_to_sign: String::new() }
}

fn uuid(rng: &mut Rng) -> String {
    let digits = format!("{:032x}", rng.u128(..));
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| digits[part].to_owned());
    parts.join("-")
}

/// What a reply says.
fn read(interface: Interface, reply: &Reply) -> Answer {
    match interface {
        Interface::Issuing | Interface::Recovery => match reply.verdict() {
            Verdict::Accepted => Answer::Accepted(reply.text().into_owned()),
            Verdict::Refused { code, .. } => refused(code),
            Verdict::NotAnAnswer { reason } => Answer::Silence(reason),
        },
        Interface::Rescission => {
            let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            // The head has the time of the answer, and the `uuid` that came.
            let said = &body["secondRefundResp"];
            match said["dealCode"].as_str() {
                Some("1") => Answer::Accepted(said.to_string()),
                Some(code) => refused(code.to_owned()),
                None => Answer::Silence(format!("HTTP status {} without a dealCode", reply.status)),
            }
        }
        Interface::Surrender | Interface::AuctionStage if reply.status == StatusCode::OK => {
            Answer::Accepted(reply.text().into_owned())
        }
        Interface::Surrender | Interface::AuctionStage => {
            let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            match body["code"].as_str() {
                Some(code) => refused(code.to_owned()),
                None => Answer::Silence(format!("HTTP status {} without a code", reply.status)),
            }
        }
    }
}

fn refused(code: String) -> Answer {
    if TEMPORARY.contains(&code.as_str()) { Answer::Later(code) } else { Answer::Refused(code) }
}
