//! Whether a token that the provider signed is about this sign-in: the checks of OpenID Connect Core, 3.1.3.7.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::jws::JwsFault;

/// How far the provider's clock may be from the gateway's.
const LEEWAY: SignedDuration = SignedDuration::from_secs(60);
/// The longest `sub`, in characters (OpenID Connect Core, 2).
const MAX_SUBJECT_CHARS: usize = 255;

/// What a token has to say.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now: Timestamp,
}

/// Why an ID token is not believed. It tells no value of the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// Its signature is not the provider's.
    #[error("{0}")]
    Jws(#[from] JwsFault),
    /// It is no JSON object.
    #[error("its claims do not read")]
    Unreadable,
    /// A claim that it must have is absent, or of another type.
    #[error("it has no {0}, or one of another type")]
    Absent(&'static str),
    /// Another provider has issued it.
    #[error("it is another issuer's")]
    Issuer,
    /// It is for another application.
    #[error("it is for another application (aud, azp)")]
    Audience,
    /// It is over, by more than the clocks may differ.
    #[error("it has expired")]
    Expired,
    /// It does not count yet, by more than the clocks may differ.
    #[error("it is of the future (iat, nbf): do the clocks agree?")]
    Future,
    /// It belongs to another sign-in.
    #[error("it belongs to another sign-in (nonce)")]
    Nonce,
}

/// What a believed token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claims {
    /// What the provider knows the person by.
    pub(super) subject: String,
    /// All that it says.
    pub(super) all: Map<String, Value>,
}

/// Checks what a token says, whose signature has been verified.
pub(super) fn check(payload: &[u8], expected: &Expected<'_>) -> Result<Claims, TokenFault> {
    let all: Map<String, Value> = serde_json::from_slice(payload).map_err(|_| TokenFault::Unreadable)?;
    let text = |name: &'static str| all.get(name).and_then(Value::as_str).ok_or(TokenFault::Absent(name));
    if text("iss")? != expected.issuer {
        return Err(TokenFault::Issuer);
    }
    if !is_for(&all, expected.client_id)? {
        return Err(TokenFault::Audience);
    }
    if instant(&all, "exp")? + LEEWAY <= expected.now {
        return Err(TokenFault::Expired);
    }
    let latest = expected.now + LEEWAY;
    if instant(&all, "iat")? > latest || (all.contains_key("nbf") && instant(&all, "nbf")? > latest) {
        return Err(TokenFault::Future);
    }
    if text("nonce")? != expected.nonce {
        return Err(TokenFault::Nonce);
    }
    let subject = text("sub")?;
    let fits = (1..=MAX_SUBJECT_CHARS).contains(&subject.chars().count()) && !subject.chars().any(char::is_control);
    if !fits {
        return Err(TokenFault::Absent("sub"));
    }
    Ok(Claims { subject: subject.to_owned(), all })
}

/// Whether the token is for this application: in its audience, and, where it says which party may use it, that one.
/// A token for several has to say.
fn is_for(all: &Map<String, Value>, client_id: &str) -> Result<bool, TokenFault> {
    let (is_among, count) = match all.get("aud") {
        Some(Value::String(one)) => (one == client_id, 1),
        Some(Value::Array(several)) => (several.iter().any(|one| one == client_id), several.len()),
        _ => return Err(TokenFault::Absent("aud")),
    };
    let authorized = all.get("azp").map(|party| party == client_id);
    Ok(is_among && authorized.unwrap_or(count == 1))
}

/// A moment in seconds since the epoch, which may have a fraction.
fn instant(all: &Map<String, Value>, name: &'static str) -> Result<Timestamp, TokenFault> {
    let seconds = all.get(name).and_then(Value::as_f64).ok_or(TokenFault::Absent(name))?;
    // Within what a timestamp can be with the leeway added; a token of the year 9000 is as good as one without end.
    let seconds = seconds.clamp(0.0, 200_000_000_000.0);
    let since = SignedDuration::try_from_secs_f64(seconds).map_err(|_| TokenFault::Absent(name))?;
    Ok(Timestamp::UNIX_EPOCH + since)
}
