//! An OpenID provider that signs in whoever comes, over real HTTP on this machine, and misbehaves as it is told.

mod keys;
mod requests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use keys::Signing;
use keys::SigningKeys;

/// The client that it knows.
pub const CLIENT_ID: &str = "baoqiao";
/// Its secret, which has to be encoded in a header.
pub const CLIENT_SECRET: &str = "secret of + the & client";

/// How the provider is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Well,
    /// It cuts every connection.
    Down,
    /// It never answers.
    Silent,
    /// Its documents are longer than anybody reads.
    Oversized,
}

/// What it does; a test changes what it wants.
pub struct Behaviour {
    /// How it is.
    pub health: Health,
    /// Who comes: the claims of their tokens besides those that a token must have.
    pub person: Map<String, Value>,
    /// Changes a token's claims before it is signed.
    pub change: fn(&mut Map<String, Value>),
    /// How tokens are signed.
    pub signing: Signing,
    /// The error and its description with which it answers instead.
    pub refuses: Option<(&'static str, &'static str)>,
    /// Whether a code may be redeemed more than once.
    pub reuses_codes: bool,
    /// What its discovery document says otherwise; `null` leaves it out.
    pub metadata: Map<String, Value>,
    /// What its answers say that it is (RFC 9207).
    pub answers_as: Option<String>,
}

struct Issued {
    nonce: String,
    challenge: String,
    redirect_uri: String,
}

struct State {
    issuer: String,
    behaviour: Behaviour,
    keys: SigningKeys,
    codes: HashMap<String, Issued>,
    asked: HashMap<String, usize>,
    now_s: AtomicI64,
}

/// A provider at work, gone when dropped.
pub struct Provider {
    issuer: String,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { panic!("{value} is no object") };
    object
}

impl Provider {
    /// Starts one whose clock stands at that second since the epoch, on the runtime of who calls.
    pub async fn start(now_s: i64) -> Self {
        Self::start_at("127.0.0.1:0", now_s).await
    }

    /// As [`start`](Self::start), at an address.
    pub async fn start_at(address: &str, now_s: i64) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let issuer = format!("http://{}/realms/insurer", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            issuer: issuer.clone(),
            behaviour: Behaviour {
                health: Health::Well,
                person: Map::new(),
                change: |_| (),
                signing: Signing::Rs256,
                refuses: None,
                reuses_codes: false,
                metadata: Map::new(),
                answers_as: None,
            },
            keys: SigningKeys::new(),
            codes: HashMap::new(),
            asked: HashMap::new(),
            now_s: AtomicI64::new(now_s),
        }));
        let serving = tokio::spawn(serve(listener, Arc::clone(&state)));
        Self { issuer, state, serving }
    }

    /// Its name.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Changes what it does from now on.
    pub fn set(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.state.lock().unwrap().behaviour);
    }

    /// Who comes next, and the groups that they are in.
    pub fn person(&self, subject: &str, name: &str, groups: &[&str]) {
        let person = object(json!({"sub": subject, "preferred_username": name, "groups": groups}));
        self.set(|behaviour| behaviour.person = person);
    }

    /// Sets its clock, in seconds since the epoch.
    pub fn set_now(&self, now_s: i64) {
        self.state.lock().unwrap().now_s.store(now_s, Ordering::Relaxed);
    }

    /// Signs with another key from now on, under another name.
    pub fn rotate(&self) {
        self.state.lock().unwrap().keys.rotate();
    }

    /// How often a path below its address was asked for, such as `/jwks`.
    pub fn asked(&self, path: &str) -> usize {
        self.state.lock().unwrap().asked.get(path).copied().unwrap_or_default()
    }

    /// The section of a gateway's configuration that trusts it: three groups that give the three roles.
    pub fn section(&self) -> String {
        let issuer = &self.issuer;
        format!(
            "[console.oidc]\nissuer = \"{issuer}\"\nclient_id = \"{CLIENT_ID}\"\nclient_secret = \"{CLIENT_SECRET}\"\n\
             roles = {{ viewer = [\"lookers\"], operator = [\"doers\"], admin = [\"keepers\"] }}\n"
        )
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let state = Arc::clone(&state);
        let answer = service_fn(move |request| requests::answer(Arc::clone(&state), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
    }
}
