//! `GET /console/preferences`: the language and the colours, kept in the browser.

use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use serde::Deserialize;

use super::cookies::Cookie;
use super::language::Language;
use super::view::Theme;

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    language: Option<String>,
    theme: Option<String>,
    back: Option<String>,
}

/// An address within the console; anything else leads to its beginning.
pub(super) fn within(address: Option<&str>) -> &str {
    let fits = |address: &&str| {
        let rest = address.strip_prefix("/console");
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
            && !address.contains("//")
            && address.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    };
    address.filter(fits).unwrap_or("/console")
}

pub(super) async fn set(Query(wanted): Query<Wanted>) -> Response {
    let language = wanted.language.as_deref().and_then(Language::from_tag);
    let theme = wanted.theme.as_deref().and_then(Theme::from_name);
    let language = language.and_then(|language| Cookie::Language.set(language.tag()));
    let theme = theme.and_then(|theme| Cookie::Theme.set(theme.as_str()));
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(back) = HeaderValue::from_str(within(wanted.back.as_deref())) {
        response.headers_mut().insert(LOCATION, back);
    }
    for cookie in language.into_iter().chain(theme) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_out_of_the_console() {
        for address in ["/console", "/console/policies/P1?at=1", "/console?x=1"] {
            assert_eq!(within(Some(address)), address);
        }
        for address in
            ["", "https://evil.test", "//evil.test", "/console//evil.test", "/consoles", "/console\\evil", "/x"]
        {
            assert_eq!(within(Some(address)), "/console", "{address}");
        }
        assert_eq!(within(None), "/console");
    }
}
