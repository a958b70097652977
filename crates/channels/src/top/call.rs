//! A signed call: system parameters in the query, application parameters in the form, as the official callers
//! send them (protocols.md §1).

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use baoqiao_domain::time::format_gmt8;

use super::sign::sign;
use crate::access::Secret;
use crate::outbound::{OutboundRequest, TopApp};

/// The path of all calls, below the gateway's address.
pub const PATH: &str = "/router/rest";

const CONTENT_TYPE_FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded;charset=utf-8");

/// What needs no escape in a query or a form; a blank becomes `%20`, which nobody reads as anything else.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// A call before it is signed.
#[derive(Debug)]
pub struct Call<'a> {
    /// `method`.
    pub method: &'a str,
    /// The application parameters; those that are empty are not sent.
    pub parameters: &'a [(&'a str, &'a str)],
}

impl Call<'_> {
    /// The request of one attempt at `now`.
    pub fn signed(&self, app: &TopApp, now: Timestamp) -> OutboundRequest {
        let timestamp = format_gmt8(now);
        let mut system = vec![
            ("app_key", app.app_key.as_str()),
            ("format", app.format.as_str()),
            ("method", self.method),
            ("partner_id", app.partner_id.as_deref().unwrap_or_default()),
            ("session", app.session.as_ref().map(Secret::expose).unwrap_or_default()),
            ("sign_method", app.sign_method.as_str()),
            ("target_app_key", app.target_app_key.as_deref().unwrap_or_default()),
            ("timestamp", timestamp.as_str()),
            ("v", "2.0"),
        ];
        let all = system.iter().chain(self.parameters).copied();
        let signature = sign(app.sign_method, app.secret.expose(), all, None);
        system.push(("sign", &signature));
        OutboundRequest {
            query: encoded(&system),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, CONTENT_TYPE_FORM)]),
            body: Bytes::from(encoded(self.parameters)),
        }
    }
}

fn encoded(parameters: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        if !text.is_empty() {
            text.push('&');
        }
        text.extend(utf8_percent_encode(name, ESCAPED));
        text.push('=');
        text.extend(utf8_percent_encode(value, ESCAPED));
    }
    text
}
