//! Who may call, and for what: bearer tokens with scopes.
//!
//! A handler gets its caller by asking for [`Caller`] with the scope that it needs, so that a handler without one does
//! not know who calls. Tokens are kept as digests and compared in constant time, each with every one.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Api;
use super::problem::Problem;

macro_rules! scopes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What a token may be used for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Scope {
            $($(#[$doc])* $name,)*
        }

        impl Scope {
            /// Every scope.
            pub const ALL: [Self; [$($text),*].len()] = [$(Self::$name),*];

            /// Its name in the configuration and in the OpenAPI document.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The scope of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|scope| scope.as_str() == name)
            }
        }

        /// The scopes as types, for [`Caller`].
        pub(super) mod need {
            $(
                #[doc = $text]
                #[allow(dead_code, reason = "people:read is asked for besides another scope, never by itself")]
                pub(in crate::http::api) struct $name;

                impl super::Need for $name {
                    const SCOPE: super::Scope = super::Scope::$name;
                }
            )*
        }
    };
}

scopes! {
    /// Read policies and their timelines.
    PoliciesRead = "policies:read",
    /// Read recoveries.
    RecoveriesRead = "recoveries:read",
    /// Read deliveries with their attempts.
    DeliveriesRead = "deliveries:read",
    /// Have deliveries sent again.
    DeliveriesResend = "deliveries:resend",
    /// Pass deliveries over for good.
    DeliveriesSkip = "deliveries:skip",
    /// Read the traffic record.
    MessagesRead = "messages:read",
    /// Read the event feed.
    EventsRead = "events:read",
    /// See personal data in what the other scopes let read.
    PeopleRead = "people:read",
    /// Surrender policies.
    PoliciesSurrender = "policies:surrender",
    /// Report stages of auctions.
    AuctionsReport = "auctions:report",
}

/// A token, as far as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    name: String,
    digest: [u8; 32],
    scopes: Vec<Scope>,
}

impl ApiToken {
    /// A token of that name; the token itself is not kept.
    pub fn new(name: &str, token: &str, scopes: &[Scope]) -> Self {
        Self { name: name.to_owned(), digest: Sha256::digest(token).into(), scopes: scopes.to_vec() }
    }

    /// The name that its orders are kept under.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The token that was presented, if it is one of these. How long it takes tells nothing about any of them.
fn find<'a>(tokens: &'a [ApiToken], presented: &[u8]) -> Option<&'a ApiToken> {
    let digest: [u8; 32] = Sha256::digest(presented).into();
    let mut found = None;
    for token in tokens {
        if bool::from(token.digest.ct_eq(&digest)) {
            found = Some(token);
        }
    }
    found
}

/// A scope that a handler needs.
pub(super) trait Need: Send + Sync {
    /// The scope.
    const SCOPE: Scope;
}

/// A caller who has the scope.
pub(super) struct Caller<S> {
    /// The token's name: what the ledger knows the caller by.
    pub(super) name: String,
    /// Whether it may see personal data.
    pub(super) sees_people: bool,
    needed: PhantomData<S>,
}

impl<S: Need> FromRequestParts<Arc<Api>> for Caller<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let header = parts.headers.get(AUTHORIZATION).map(http::HeaderValue::as_bytes).unwrap_or_default();
        let presented = match header.split_at_checked(b"Bearer ".len()) {
            Some((scheme, presented)) if scheme.eq_ignore_ascii_case(b"Bearer ") => presented.trim_ascii(),
            _ => return Err(Problem::unauthenticated()),
        };
        let token = find(&api.tokens, presented).ok_or_else(Problem::unauthenticated)?;
        if !token.scopes.contains(&S::SCOPE) {
            return Err(Problem::scope_missing(S::SCOPE));
        }
        let sees_people = token.scopes.contains(&Scope::PeopleRead);
        Ok(Self { name: token.name.clone(), sees_people, needed: PhantomData })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_all_of_it_and_by_nothing_else() {
        let tokens = [ApiToken::new("a", "token-a", &[]), ApiToken::new("b", "token-b", &[Scope::EventsRead])];
        assert_eq!(find(&tokens, b"token-a").unwrap().name, "a");
        assert_eq!(find(&tokens, b"token-b").unwrap().name, "b");
        for presented in ["", "token-", "token-A", "token-ab", " token-a"] {
            assert_eq!(find(&tokens, presented.as_bytes()), None, "{presented}");
        }
        assert!(!format!("{tokens:?}").contains("token-a"));
    }

    #[test]
    fn every_scope_reads_back_from_its_name() {
        for scope in Scope::ALL {
            assert_eq!(Scope::from_name(scope.as_str()), Some(scope));
        }
        assert_eq!(Scope::from_name("policies:write"), None);
    }
}
