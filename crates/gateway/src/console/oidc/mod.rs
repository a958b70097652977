//! OpenID Connect: people who sign in at the insurer's own provider, by the authorization code flow with PKCE.
//!
//! [`Provider`] asks the provider, over the network, for what it says of itself, for its keys and for what a code stands
//! for. What is said is judged apart from that: [`metadata`] what the provider says of itself, [`jws`] who signed a
//! token, [`id_token`] whether a token is about this sign-in, [`person`] who that makes somebody here. [`pending`] is
//! what a browser carries, under seal, while its person is at the provider, so that whichever gateway they come back to
//! goes on.
//!
//! Tokens are checked with ring, which TLS has brought along: the libraries for OpenID Connect and for JSON Web Tokens
//! bring a second implementation of RSA and elliptic curves and read the system's clock.

mod id_token;
mod jws;
mod metadata;
mod pending;
pub(crate) mod person;
mod provider;

use std::time::Duration;

use baoqiao_channels::access::Secret;

pub use id_token::TokenFault;
pub use metadata::is_safe_address;
pub use pending::Pending;
pub use person::PersonRules;
pub(crate) use provider::word;
pub use provider::{Inspection, Provider, SignInError};

/// The path that the provider sends people back to.
pub const CALLBACK_PATH: &str = "/console/oidc/callback";

/// `[console.oidc]`: which provider, and what it is believed about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderConfig {
    /// The provider, as it names itself.
    pub issuer: String,
    /// What the provider knows the gateway by.
    pub client_id: String,
    /// What the gateway proves that with.
    pub client_secret: Secret,
    /// The gateway's address as people's browsers see it, without a slash at its end; `None` where it is the server's.
    pub public_url: Option<String>,
    /// What stands on the button; `None` for our own words, which are translated.
    pub label: Option<String>,
    /// What is asked for besides `openid`.
    pub scopes: Vec<String>,
    /// Who somebody is here by what is said of them.
    pub person: PersonRules,
    /// Whether users of the gateway's own may still sign in with their passwords.
    pub password_sign_in: bool,
    /// How long each of the provider's answers is waited for.
    pub timeout: Duration,
}
