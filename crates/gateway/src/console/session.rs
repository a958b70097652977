//! Sessions: a random token that the browser keeps, and its digest, which is all that is stored.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::vault::Entropy;

const TOKEN_BYTES: usize = 32;

/// 256 random bits in a cookie: a session's, or those of a visitor who has not signed in yet.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; TOKEN_BYTES]);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What is stored of a session's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenDigest(pub [u8; 32]);

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn random(entropy: Entropy) -> Result<Self, getrandom::Error> {
        let mut bytes = [0; TOKEN_BYTES];
        entropy(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Reads a cookie's value.
    pub fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// The cookie's value.
    pub fn expose(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What is stored of it. The token has all the randomness that it needs: a plain digest is enough.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest(Sha256::digest(self.0).into())
    }

    /// What every form of this session carries, so that no other site can send one. It does not tell the token.
    pub fn form_token(&self) -> String {
        let mut block = [0; 64];
        block.iter_mut().zip(self.0).for_each(|(to, from)| *to = from);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(b"form");
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }

    /// Whether a form carries this session's token; compared in constant time.
    pub fn is_form_token(&self, text: &str) -> bool {
        self.form_token().as_bytes().ct_eq(text.as_bytes()).into()
    }
}

/// How long a session lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// Without a request.
    pub idle: SignedDuration,
    /// In all.
    pub absolute: SignedDuration,
}

/// How often a session's last request is written down at most: looking at pages costs the ledger no writing.
const NOTED_EVERY: SignedDuration = SignedDuration::from_secs(60);

/// A session as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The digest of its token.
    pub digest: TokenDigest,
    /// Whose it is.
    pub user: String,
    /// When it began.
    pub began_at: Timestamp,
    /// Its last request, as far as that is written down.
    pub seen_at: Timestamp,
    /// The address that it was begun from.
    pub peer: String,
}

impl Session {
    /// Whether it still counts.
    pub fn is_alive(&self, now: Timestamp, lifetimes: Lifetimes) -> bool {
        now.duration_since(self.began_at) < lifetimes.absolute && now.duration_since(self.seen_at) < lifetimes.idle
    }

    /// Whether this request is to be written down.
    pub fn is_to_be_noted(&self, now: Timestamp) -> bool {
        now.duration_since(self.seen_at) >= NOTED_EVERY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_its_form_token_fits_it_alone() {
        let token = Token::random(getrandom::fill).unwrap();
        let other = Token::random(getrandom::fill).unwrap();
        assert_eq!(Token::parse(&token.expose()), Some(token.clone()));
        assert_ne!(token.digest(), other.digest());
        assert!(token.is_form_token(&token.form_token()));
        assert!(!token.is_form_token(&other.form_token()));
        assert!(!token.is_form_token(""));
        assert_ne!(token.form_token(), token.expose());
        assert_eq!(Token::parse("c2hvcnQ"), None);
        assert_eq!(format!("{token:?}"), "Token(…)");
    }

    #[test]
    fn a_session_ends_idle_or_old() {
        let minutes = SignedDuration::from_mins;
        let lifetimes = Lifetimes { idle: minutes(30), absolute: minutes(600) };
        let at = |minute: i64| Timestamp::UNIX_EPOCH + minutes(minute);
        let session = |began, seen| Session {
            digest: TokenDigest([0; 32]),
            user: "li".to_owned(),
            began_at: at(began),
            seen_at: at(seen),
            peer: String::new(),
        };
        assert!(session(0, 0).is_alive(at(29), lifetimes));
        assert!(!session(0, 0).is_alive(at(30), lifetimes));
        assert!(session(0, 590).is_alive(at(599), lifetimes));
        assert!(!session(0, 599).is_alive(at(600), lifetimes));
        assert!(!session(0, 10).is_to_be_noted(at(10)) && session(0, 10).is_to_be_noted(at(11)));
    }
}
