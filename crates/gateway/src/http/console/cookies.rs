//! The console's cookies: the session's, a visitor's, and what the pages look like.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

/// A cookie of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cookie {
    /// The token of a session.
    Session,
    /// The token of somebody who has not signed in: what their forms are bound to.
    Visitor,
    /// A sign-in under way at the provider.
    Provider,
    /// The language.
    Language,
    /// The colours.
    Theme,
}

impl Cookie {
    fn name(self) -> &'static str {
        match self {
            Self::Session => "baoqiao_session",
            Self::Visitor => "baoqiao_visitor",
            Self::Provider => "baoqiao_provider",
            Self::Language => "baoqiao_language",
            Self::Theme => "baoqiao_theme",
        }
    }

    /// Its value in a request.
    pub(super) fn of(self, headers: &HeaderMap) -> Option<&str> {
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.filter(|(name, _)| *name == self.name()).map(|(_, value)| value).next()
    }

    fn line(self, value: &str, age: &str) -> Option<HeaderValue> {
        let (path, site) = match self {
            // Sent with the answer that comes from the provider's site, and with nothing else.
            Self::Provider => ("/console/oidc", "Lax"),
            _ => ("/console", "Strict"),
        };
        let line = format!("{}={value}; Path={path}; HttpOnly; Secure; SameSite={site}{age}", self.name());
        HeaderValue::from_str(&line).ok()
    }

    /// The header that sets it. All of them are for the console alone, and for no script; a browser keeps them over TLS
    /// or on the machine itself only.
    pub(super) fn set(self, value: &str) -> Option<HeaderValue> {
        let age = match self {
            // Until the browser is closed; the session and the sign-in end by themselves.
            Self::Session | Self::Visitor | Self::Provider => "",
            Self::Language | Self::Theme => "; Max-Age=31536000",
        };
        self.line(value, age)
    }

    /// The header that removes it.
    pub(super) fn remove(self) -> Option<HeaderValue> {
        self.line("", "; Max-Age=0")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=b; baoqiao_theme=dark"));
        headers.append(COOKIE, HeaderValue::from_static("baoqiao_session=x=y"));
        assert_eq!(Cookie::Theme.of(&headers), Some("dark"));
        assert_eq!(Cookie::Session.of(&headers), Some("x=y"));
        assert_eq!(Cookie::Visitor.of(&headers), None);
        let set = Cookie::Session.set("v").unwrap();
        assert_eq!(set, "baoqiao_session=v; Path=/console; HttpOnly; Secure; SameSite=Strict");
        let removed = Cookie::Provider.remove().unwrap();
        assert_eq!(removed, "baoqiao_provider=; Path=/console/oidc; HttpOnly; Secure; SameSite=Lax; Max-Age=0");
    }
}
