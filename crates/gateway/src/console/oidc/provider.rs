//! Asking the provider: each answer within a time and a size, what it says of itself and its keys kept for a while.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tokio::sync::{Mutex, Semaphore};

use super::id_token::{Claims, Expected, TokenFault, check};
use super::jws::{JwsFault, Keys};
use super::metadata::{ClientProof, Metadata};
use super::pending::Pending;
use super::{CALLBACK_PATH, ProviderConfig};
use crate::clock::Clock;
use crate::console::store::{Identity, Vouched};
use crate::https::{HttpClient, innermost};

/// The longest answer that is read: a token of somebody in a thousand groups is a tenth of it.
const MAX_ANSWER_BYTES: usize = 256 * 1_024;
/// How long what the provider says of itself, and its keys, count before they are asked for again.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(1);
/// How often keys are asked for at most when a token names one that is not known.
const KEYS_AT_MOST_EVERY: SignedDuration = SignedDuration::from_secs(10);
/// How long a failure to reach the provider stands for further attempts.
const FAILURE_STANDS_FOR: SignedDuration = SignedDuration::from_secs(5);
/// How many codes are redeemed at once.
const REDEEMED_AT_ONCE: usize = 8;

/// Why somebody could not sign in through the provider. Its text is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// The provider cannot be reached, or what it says is of no use.
    #[error("the provider cannot be used: {0}")]
    Provider(String),
    /// The provider does not know the code, or has seen it before; with its word for that.
    #[error("the provider refused the code: {0}")]
    Code(String),
    /// The answer names another provider (RFC 9207).
    #[error("the answer is another issuer's")]
    Issuer,
    /// The provider's token is not believed.
    #[error("the ID token is not believed: {0}")]
    Token(#[from] TokenFault),
    /// Too many sign in at this moment.
    #[error("too many sign in at once")]
    Busy,
}

/// What a look at the provider found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// How many keys it publishes that signatures can be checked with.
    pub keys: usize,
    /// Whether people can be signed out there.
    pub signs_out: bool,
    /// The address that has to be registered at the provider.
    pub redirect_uri: String,
}

/// Something asked for, and when.
struct Kept<T> {
    at: Timestamp,
    value: Arc<T>,
}

impl<T> Kept<T> {
    /// What was kept, where it is not older than that; a clock that was set back makes it old.
    fn within(kept: Option<&Self>, age: SignedDuration, now: Timestamp) -> Option<Arc<T>> {
        kept.filter(|kept| now.duration_since(kept.at).abs() < age).map(|kept| Arc::clone(&kept.value))
    }
}

#[derive(Default)]
struct Known {
    metadata: Option<Kept<Metadata>>,
    keys: Option<Kept<Keys>>,
    failed: Option<Kept<String>>,
}

/// The provider of `[console.oidc]`.
pub struct Provider {
    config: ProviderConfig,
    public_url: String,
    client: HttpClient,
    clock: Arc<dyn Clock>,
    /// One asks at a time; the others wait for what it learns.
    known: Mutex<Known>,
    redeeming: Semaphore,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

fn encoded(pairs: &[(&str, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn with_query(address: &str, pairs: &[(&str, String)]) -> String {
    let separator = if address.contains('?') { '&' } else { '?' };
    format!("{address}{separator}{}", encoded(pairs))
}

/// A word of the provider, for the log: bounded, and nothing but what such words are made of (RFC 6749, 5.2).
pub(crate) fn word(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || "_-.".contains(*c)).take(64).collect()
}

impl Provider {
    /// The provider, of a gateway that people's browsers see at `public_url` where the configuration says no other.
    pub fn new(config: ProviderConfig, public_url: &str, client: HttpClient, clock: Arc<dyn Clock>) -> Self {
        let public_url = config.public_url.clone().unwrap_or_else(|| public_url.to_owned());
        let redeeming = Semaphore::new(REDEEMED_AT_ONCE);
        Self { config, public_url, client, clock, known: Mutex::default(), redeeming }
    }

    /// What it is told to be.
    pub fn config(&self) -> &ProviderConfig {
        &self.config
    }

    fn redirect_uri(&self) -> String {
        format!("{}{CALLBACK_PATH}", self.public_url)
    }

    /// Sends a request, and reads the whole answer.
    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), String> {
        // The address without a query; nothing secret is in it.
        let asked = request.uri().to_string();
        let exchange = async {
            let response = self.client.request(request).await.map_err(|error| innermost(&error))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
            Ok((head.status, body.map_err(|error| innermost(error.as_ref()))?.to_bytes()))
        };
        let answer = tokio::time::timeout(self.config.timeout, exchange).await;
        let late = |_| Err(format!("no answer within {} ms", self.config.timeout.as_millis()));
        answer.unwrap_or_else(late).map_err(|why| format!("{asked}: {why}"))
    }

    async fn get(&self, address: &str) -> Result<Bytes, String> {
        let request = Request::get(address).header(ACCEPT, "application/json").body(Full::default());
        let request = request.map_err(|_| format!("{address:?} is no address"))?;
        match self.ask(request).await? {
            (StatusCode::OK, body) => Ok(body),
            (status, _) => Err(format!("{address}: answered {}", status.as_u16())),
        }
    }

    async fn fetch_metadata(&self) -> Result<Metadata, String> {
        let issuer = self.config.issuer.as_str();
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        Metadata::parse(&self.get(&address).await?, issuer)
    }

    /// What the provider says of itself.
    async fn metadata(&self, known: &mut Known) -> Result<Arc<Metadata>, SignInError> {
        let now = self.clock.now();
        if let Some(metadata) = Kept::within(known.metadata.as_ref(), KEPT_FOR, now) {
            return Ok(metadata);
        }
        if let Some(why) = Kept::within(known.failed.as_ref(), FAILURE_STANDS_FOR, now) {
            return Err(SignInError::Provider(why.as_ref().clone()));
        }
        let fetched = self.fetch_metadata().await;
        let metadata = self.noted(known, fetched)?;
        known.metadata = Some(Kept { at: now, value: Arc::clone(&metadata) });
        Ok(metadata)
    }

    /// Its keys, no older than that.
    async fn keys(&self, known: &mut Known, age: SignedDuration) -> Result<Arc<Keys>, SignInError> {
        let now = self.clock.now();
        if let Some(keys) = Kept::within(known.keys.as_ref(), age, now) {
            return Ok(keys);
        }
        let metadata = self.metadata(known).await?;
        let fetched = self.get(&metadata.jwks_uri).await.and_then(|bytes| Keys::parse(&bytes));
        let keys = self.noted(known, fetched)?;
        known.keys = Some(Kept { at: now, value: Arc::clone(&keys) });
        Ok(keys)
    }

    /// Remembers a failure, so that who comes next need not wait for it again.
    fn noted<T>(&self, known: &mut Known, fetched: Result<T, String>) -> Result<Arc<T>, SignInError> {
        known.failed = None;
        fetched.map(Arc::new).map_err(|why| {
            known.failed = Some(Kept { at: self.clock.now(), value: Arc::new(why.clone()) });
            SignInError::Provider(why)
        })
    }

    /// The address at the provider where somebody signs in.
    ///
    /// # Errors
    /// [`SignInError::Provider`].
    pub async fn sign_in_address(&self, pending: &Pending) -> Result<String, SignInError> {
        let metadata = self.metadata(&mut *self.known.lock().await).await?;
        let scopes = ["openid"].into_iter().chain(self.config.scopes.iter().map(String::as_str));
        let mut pairs = vec![
            ("response_type", "code".to_owned()),
            ("client_id", self.config.client_id.clone()),
            ("redirect_uri", self.redirect_uri()),
            ("scope", scopes.collect::<Vec<_>>().join(" ")),
        ];
        pairs.extend(pending.asks());
        Ok(with_query(&metadata.authorization_endpoint, &pairs))
    }

    /// The address at the provider where somebody signs out and comes back from; `None` where it has none, or where it
    /// cannot be asked.
    pub async fn sign_out_address(&self) -> Option<String> {
        let metadata = self.metadata(&mut *self.known.lock().await).await.ok()?;
        let back = format!("{}/console/sign-in", self.public_url);
        let pairs = [("client_id", self.config.client_id.clone()), ("post_logout_redirect_uri", back)];
        metadata.end_session_endpoint.as_ref().map(|address| with_query(address, &pairs))
    }

    /// Whom the code is about that the provider has answered a sign-in with; `issuer` is whose answer it says it is.
    ///
    /// # Errors
    /// [`SignInError`].
    pub async fn redeem(
        &self,
        pending: &Pending,
        code: &str,
        issuer: Option<&str>,
        peer: &str,
    ) -> Result<Vouched, SignInError> {
        let metadata = self.metadata(&mut *self.known.lock().await).await?;
        let is_named = issuer.map(|issuer| issuer == self.config.issuer);
        if !is_named.unwrap_or(!metadata.answers_name_issuer) {
            return Err(SignInError::Issuer);
        }
        let _turn = self.redeeming.try_acquire().map_err(|_| SignInError::Busy)?;
        let token = self.exchange(&metadata, pending, code).await?;
        let claims = self.believed(&token, pending).await?;
        let (nonce, nonce_until) = pending.spent();
        let rules = &self.config.person;
        Ok(Vouched {
            known_as: rules.known_as(&claims.all, &claims.subject).to_owned(),
            role: rules.role(&claims.all),
            identity: Identity { issuer: self.config.issuer.clone(), subject: claims.subject },
            nonce,
            nonce_until,
            at: self.clock.now(),
            peer: peer.to_owned(),
        })
    }

    /// Exchanges a code for the ID token.
    async fn exchange(&self, metadata: &Metadata, pending: &Pending, code: &str) -> Result<String, SignInError> {
        let mut form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", self.redirect_uri()),
            ("code_verifier", pending.verifier.clone()),
        ];
        let (id, secret) = (&self.config.client_id, self.config.client_secret.expose());
        let mut request = Request::new(Full::default());
        match metadata.proof {
            ClientProof::Basic => {
                // Each half is form-encoded first (RFC 6749, 2.3.1).
                let half = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let credentials = STANDARD.encode(format!("{}:{}", half(id), half(secret)));
                if let Ok(mut value) = HeaderValue::from_str(&format!("Basic {credentials}")) {
                    value.set_sensitive(true);
                    request.headers_mut().insert(AUTHORIZATION, value);
                }
            }
            ClientProof::Post => {
                form.push(("client_id", id.clone()));
                form.push(("client_secret", secret.to_owned()));
            }
        }
        let useless = |why: String| SignInError::Provider(why);
        let address = &metadata.token_endpoint;
        *request.method_mut() = Method::POST;
        *request.uri_mut() = address.parse().map_err(|_| useless(format!("{address:?} is no address")))?;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, form_type);
        *request.body_mut() = Full::from(encoded(&form));
        let (status, body) = self.ask(request).await.map_err(useless)?;
        if status == StatusCode::OK {
            let tokens: Result<Tokens, _> = serde_json::from_slice(&body);
            // serde's message could quote a token.
            return Ok(tokens.map_err(|_| useless(format!("{address}: its answer has no ID token")))?.id_token);
        }
        let refused = serde_json::from_slice::<Refused>(&body).map(|refused| word(&refused.error)).unwrap_or_default();
        match refused.as_str() {
            "invalid_grant" | "invalid_request" => Err(SignInError::Code(refused)),
            word => Err(useless(format!("{address}: answered {} {word}", status.as_u16()))),
        }
    }

    /// What a token says, where it is believed. Keys are asked for anew when it names one that is not known.
    async fn believed(&self, token: &str, pending: &Pending) -> Result<Claims, SignInError> {
        let keys = self.keys(&mut *self.known.lock().await, KEPT_FOR).await?;
        let payload = match keys.verify(token) {
            Err(JwsFault::UnknownKey) => {
                let newer = self.keys(&mut *self.known.lock().await, KEYS_AT_MOST_EVERY).await?;
                newer.verify(token)
            }
            verified => verified,
        };
        let expected = Expected {
            issuer: &self.config.issuer,
            client_id: &self.config.client_id,
            nonce: &pending.nonce,
            now: self.clock.now(),
        };
        Ok(check(&payload.map_err(TokenFault::from)?, &expected)?)
    }

    /// Asks the provider for all that can be asked without signing in.
    ///
    /// # Errors
    /// [`SignInError::Provider`].
    pub async fn inspect(&self) -> Result<Inspection, SignInError> {
        let mut known = self.known.lock().await;
        let metadata = self.metadata(&mut known).await?;
        let keys = self.keys(&mut known, KEPT_FOR).await?.count();
        Ok(Inspection { keys, signs_out: metadata.end_session_endpoint.is_some(), redirect_uri: self.redirect_uri() })
    }
}
