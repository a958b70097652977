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

    /// The header that sets it. All of them are for the console alone, and for no script; a browser keeps them over TLS
    /// or on the machine itself only.
    pub(super) fn set(self, value: &str) -> Option<HeaderValue> {
        let age = match self {
            // Until the browser is closed; the session ends by itself.
            Self::Session | Self::Visitor => "",
            Self::Language | Self::Theme => "; Max-Age=31536000",
        };
        let line = format!("{}={value}; Path=/console; HttpOnly; Secure; SameSite=Strict{age}", self.name());
        HeaderValue::from_str(&line).ok()
    }

    /// The header that removes it.
    pub(super) fn remove(self) -> Option<HeaderValue> {
        let line = format!("{}=; Path=/console; HttpOnly; Secure; SameSite=Strict; Max-Age=0", self.name());
        HeaderValue::from_str(&line).ok()
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
    }
}
