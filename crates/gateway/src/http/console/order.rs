//! What people send: forms of this console alone.
//!
//! Four things have to be right before a form is read: the cookie (which browsers keep from other sites' forms), what the
//! browser says of where the form comes from, the token that the session's own pages carry, and the role.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use http::header::{CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, HeaderName};
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Console;
use super::access::{Need, admitted};
use super::cookies::Cookie;
use super::failure::Failure;
use super::view::View;
use crate::console::session::Token;

/// The field of every form.
pub(super) const FORM_TOKEN: &str = "form_token";
/// The longest form, in bytes: a pasted message fits.
const FORM_BYTES: usize = 262_144;
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A form by somebody who has the role.
pub(super) struct Order<N, T> {
    /// Who sent it, and how they look at it.
    pub(super) view: View,
    /// What it says.
    pub(super) content: T,
    needed: PhantomData<N>,
}

/// A form that says nothing but that it was sent.
#[derive(Debug, Deserialize)]
pub(super) struct Nothing {}

/// Whether the browser says that the form is of this console's own pages. Every browser of the last years says so in
/// one header or the other; what says nothing is not believed.
fn is_of_this_origin(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let by_site = text(SEC_FETCH_SITE).map(|site| site == "same-origin");
    let host = text(HOST).unwrap_or_default();
    let by_origin = text(ORIGIN).map(|origin| {
        let stated = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        stated.is_some_and(|stated| !host.is_empty() && stated.eq_ignore_ascii_case(host))
    });
    match (by_site, by_origin) {
        (None, None) => false,
        (site, origin) => site.unwrap_or(true) && origin.unwrap_or(true),
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// The token that this request's forms are bound to: the session's, or else the visitor's.
fn bound_to(headers: &HeaderMap, signed_in: bool) -> Option<Token> {
    let cookie = if signed_in { Cookie::Session } else { Cookie::Visitor };
    cookie.of(headers).and_then(Token::parse)
}

impl<N: Need, T: DeserializeOwned> FromRequest<Arc<Console>> for Order<N, T> {
    type Rejection = Failure;

    async fn from_request(request: Request, console: &Arc<Console>) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let view = admitted::<N>(&parts)?;
        if !is_of_this_origin(&parts.headers) {
            return Err(Failure::OtherOrigin);
        }
        if !is_form(&parts.headers) {
            return Err(Failure::Unreadable);
        }
        let token = bound_to(&parts.headers, view.user.is_some()).ok_or(Failure::CookieMissing)?;
        let collect = Limited::new(body, FORM_BYTES).collect();
        let body = match tokio::time::timeout(console.body_timeout, collect).await {
            Ok(Ok(collected)) => collected.to_bytes(),
            Ok(Err(_)) | Err(_) => return Err(Failure::Unreadable),
        };
        let stated = form_urlencoded::parse(&body).find(|(name, _)| name == FORM_TOKEN);
        if !stated.is_some_and(|(_, stated)| token.is_form_token(&stated)) {
            return Err(Failure::FormTooOld);
        }
        let content = serde_urlencoded::from_bytes(&body).map_err(|_| Failure::Unreadable)?;
        Ok(Self { view, content, needed: PhantomData })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn only_what_says_that_it_is_from_here_is_from_here() {
        let says = |pairs: &[(&'static str, &'static str)]| {
            let pairs =
                pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            is_of_this_origin(&pairs.chain([(HOST, HeaderValue::from_static("gateway.test:8080"))]).collect())
        };
        assert!(says(&[("sec-fetch-site", "same-origin")]));
        assert!(says(&[("origin", "https://gateway.test:8080")]));
        assert!(says(&[("origin", "http://GATEWAY.test:8080"), ("sec-fetch-site", "same-origin")]));
        for pairs in [
            &[][..],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("origin", "null")],
            &[("origin", "https://gateway.test")],
            &[("origin", "https://evil.test"), ("sec-fetch-site", "same-origin")],
            &[("origin", "https://gateway.test:8080"), ("sec-fetch-site", "cross-site")],
        ] {
            assert!(!says(pairs), "{pairs:?}");
        }
    }
}
