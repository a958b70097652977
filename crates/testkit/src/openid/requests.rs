//! What the provider answers: discovery, keys, sign-in, tokens, sign-out.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{CLIENT_ID, CLIENT_SECRET, Health, Issued, State, object};

type Answer = Response<Full<Bytes>>;
type Fields = HashMap<String, String>;

fn fields(text: &[u8]) -> Fields {
    form_urlencoded::parse(text).into_owned().collect()
}

fn json(status: u16, value: &Value) -> Answer {
    let answer = Response::builder().status(status).header(CONTENT_TYPE, "application/json");
    answer.body(Full::from(value.to_string())).unwrap()
}

/// A request that no gateway may make: what is wrong with it.
fn wrong(why: &str) -> Answer {
    json(400, &json!({"error": "invalid_request", "error_description": why}))
}

pub(super) async fn answer(state: Arc<Mutex<State>>, request: Request<Incoming>) -> Result<Answer, &'static str> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().strip_prefix("/realms/insurer").unwrap_or("/").to_owned();
    let health = {
        let mut state = state.lock().unwrap();
        *state.asked.entry(path.clone()).or_default() += 1;
        state.behaviour.health
    };
    match health {
        Health::Well => {}
        Health::Down => return Err("it is down"),
        Health::Silent => std::future::pending().await,
        Health::Oversized => return Ok(json(200, &Value::from("x".repeat(2 << 20)))),
    }
    let body = body.collect().await.map_err(|_| "no whole request")?.to_bytes();
    let query = fields(head.uri.query().unwrap_or_default().as_bytes());
    let mut state = state.lock().unwrap();
    Ok(match path.as_str() {
        "/.well-known/openid-configuration" => json(200, &state.metadata()),
        "/jwks" => json(200, &state.keys.published()),
        "/authorize" => state.authorize(&query),
        "/token" => state.token(&head.headers, &fields(&body)),
        "/logout" => State::sign_out(&query),
        _ => json(404, &Value::Null),
    })
}

impl State {
    fn metadata(&self) -> Value {
        let issuer = &self.issuer;
        let mut document = object(json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/jwks"),
            "end_session_endpoint": format!("{issuer}/logout"),
            "code_challenge_methods_supported": ["plain", "S256"],
            "id_token_signing_alg_values_supported": ["RS256", "PS256", "ES256"],
        }));
        document.extend(self.behaviour.metadata.clone());
        document.retain(|_, value| !value.is_null());
        Value::Object(document)
    }

    /// Signs in at once whoever comes, where the gateway asked rightly.
    fn authorize(&mut self, query: &Fields) -> Answer {
        let has = |name: &str, expected: &str| query.get(name).is_some_and(|value| value == expected);
        let asked_rightly = has("response_type", "code")
            && has("client_id", CLIENT_ID)
            && has("code_challenge_method", "S256")
            && query.get("scope").is_some_and(|scope| scope.split(' ').any(|scope| scope == "openid"));
        let needed = ["redirect_uri", "state", "nonce", "code_challenge"].map(|name| query.get(name).cloned());
        let (true, [Some(redirect_uri), Some(state), Some(nonce), Some(challenge)]) = (asked_rightly, needed) else {
            return wrong("not the request of a client that this provider knows");
        };
        let mut answer = form_urlencoded::Serializer::new(format!("{redirect_uri}?"));
        answer.append_pair("state", &state);
        if let Some(issuer) = &self.behaviour.answers_as {
            answer.append_pair("iss", issuer);
        }
        if let Some((error, description)) = self.behaviour.refuses {
            answer.append_pair("error", error).append_pair("error_description", description);
        } else {
            let code: String = (0..32).map(|_| fastrand::alphanumeric()).collect();
            answer.append_pair("code", &code);
            self.codes.insert(code, Issued { nonce, challenge, redirect_uri: redirect_uri.clone() });
        }
        let address = answer.finish().replacen("?&", "?", 1);
        Response::builder().status(302).header(LOCATION, address).body(Full::default()).unwrap()
    }

    fn is_the_client(&self, headers: &HeaderMap, form: &Fields) -> bool {
        let post_only = self.behaviour.metadata.get("token_endpoint_auth_methods_supported").is_some();
        let stated = if post_only {
            form.get("client_id").cloned().zip(form.get("client_secret").cloned())
        } else {
            let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
            let decoded = value.strip_prefix("Basic ").and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
            let text = String::from_utf8(decoded).unwrap_or_default();
            let plain = |half: &str| fields(format!("half={half}").as_bytes()).remove("half").unwrap_or_default();
            text.split_once(':').map(|(id, secret)| (plain(id), plain(secret)))
        };
        stated.is_some_and(|(id, secret)| (id.as_str(), secret.as_str()) == (CLIENT_ID, CLIENT_SECRET))
    }

    fn token(&mut self, headers: &HeaderMap, form: &Fields) -> Answer {
        if !self.is_the_client(headers, form) {
            return json(401, &json!({"error": "invalid_client"}));
        }
        let text = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        if text("grant_type") != "authorization_code" {
            return wrong("another grant");
        }
        let refused = || json(400, &json!({"error": "invalid_grant"}));
        let Some(issued) = self.codes.get(text("code")) else { return refused() };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(text("code_verifier")));
        if challenge != issued.challenge || text("redirect_uri") != issued.redirect_uri {
            return refused();
        }
        let now_s = self.now_s.load(Ordering::Relaxed);
        let mut claims = object(json!({
            "iss": self.issuer, "aud": CLIENT_ID, "sub": "nobody", "nonce": issued.nonce, "iat": now_s, "exp": now_s + 300,
        }));
        claims.extend(self.behaviour.person.clone());
        (self.behaviour.change)(&mut claims);
        let token = self.keys.token(&claims, self.behaviour.signing);
        if !self.behaviour.reuses_codes {
            self.codes.remove(text("code"));
        }
        json(200, &json!({"access_token": "for-nobody", "token_type": "Bearer", "id_token": token}))
    }

    fn sign_out(query: &Fields) -> Answer {
        let is_known = query.get("client_id").is_some_and(|client| client == CLIENT_ID);
        match query.get("post_logout_redirect_uri").filter(|_| is_known) {
            Some(address) => Response::builder().status(302).header(LOCATION, address).body(Full::default()).unwrap(),
            None => wrong("not a client that this provider knows"),
        }
    }
}
