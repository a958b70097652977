//! One call to the platform: its parameters, from query and form alike.

use baoqiao_channels::channel::RawRequest;
use baoqiao_channels::qimen::body::BodyKind;
use encoding_rs::UTF_8;
use http::header::ACCEPT_ENCODING;
use http::{HeaderMap, Method};

use super::answer::{Format, Shape};
use crate::qimen::{Parameter, decoded_pairs};

/// The system parameters; all others belong to the interface.
pub(super) const SYSTEM: [&str; 11] = [
    "method",
    "app_key",
    "timestamp",
    "v",
    "sign_method",
    "sign",
    "format",
    "simplify",
    "session",
    "partner_id",
    "target_app_key",
];

/// A call as it arrived, decoded but not judged.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) http_method: Method,
    /// One each name. The query wins over the form, and the last of a repeated name wins.
    pub(super) parameters: Vec<Parameter>,
    /// The body where it is no form: signed as text.
    pub(super) text: String,
    gzip: bool,
}

impl Call {
    pub(super) fn of(http_method: Method, raw: &RawRequest) -> Self {
        let form = BodyKind::of(&raw.headers) == BodyKind::Form;
        let mut parameters: Vec<Parameter> = Vec::new();
        let body = if form { decoded_pairs(&raw.body, UTF_8) } else { Vec::new() };
        for (name, value) in body.into_iter().chain(decoded_pairs(&raw.query, UTF_8)) {
            match parameters.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 = value,
                None => parameters.push((name, value)),
            }
        }
        let text = if form { String::new() } else { String::from_utf8_lossy(&raw.body).into_owned() };
        Self { http_method, parameters, text, gzip: accepts_gzip(&raw.headers) }
    }

    /// A parameter's value; an empty one is as good as absent to the platform.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// How the caller wants to be answered; XML where it does not say so in a way that can be read.
    pub(super) fn shape(&self) -> Shape {
        let format = match (self.parameter("format"), self.parameter("simplify")) {
            (Some("json"), Some("true")) => Format::SimplifiedJson,
            (Some("json"), _) => Format::Json,
            _ => Format::Xml,
        };
        Shape { format, gzip: self.gzip }
    }
}

/// Whether gzip is named and not ruled out by `q=0`.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|coding| {
        let mut pieces = coding.split(';').map(str::trim);
        let named = pieces.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = pieces.any(|piece| {
            let weight = piece.strip_prefix("q=").or_else(|| piece.strip_prefix("Q="));
            weight.is_some_and(|weight| weight.bytes().all(|byte| matches!(byte, b'0' | b'.')))
        });
        named && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::CONTENT_TYPE;

    #[test]
    fn parameters_come_from_both_and_the_query_wins() {
        let content_type = "application/x-www-form-urlencoded;charset=utf-8".parse().unwrap();
        let raw = RawRequest {
            query: "a=1&a=2&c=".into(),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, content_type)]),
            body: "b=%E5%BC%A0+x&a=3&c=4".into(),
        };
        let call = Call::of(Method::POST, &raw);
        assert_eq!((call.parameter("a"), call.parameter("b"), call.parameter("c")), (Some("2"), Some("张 x"), None));
        assert_eq!(call.parameters.len(), 3);
        assert_eq!(call.text, "");
    }

    #[test]
    fn gzip_is_asked_for_by_name() {
        for (header, expected) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0", false),
            ("identity", false),
            ("x-gzip", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, header.parse().unwrap())]);
            assert_eq!(accepts_gzip(&headers), expected, "{header}");
        }
    }
}
