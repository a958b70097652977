//! By which of the two rules a request is signed.

use crate::channel::RawRequest;
use crate::document::charset;
use crate::qimen::body::BodyKind;
use crate::qimen::parameters::pairs;
use crate::qimen::sign::SignedParts;
use crate::sign_method::SignMethod;
use crate::top;

/// The rule for the string to sign. The two differ in empty values and in listed headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// What a receiver of Qimen calls checks (protocols.md §2): empty values stay as bare names, headers named in
    /// `top-sign-list` take part.
    Receiver,
    /// What a caller of TOP signs (protocols.md §1): empty names and values are left out, and so are headers.
    Caller,
}

impl Rule {
    /// The string to sign, in bytes of the request's charset; a `sign` in the query takes no part.
    pub fn string_to_sign(self, raw: &RawRequest) -> Vec<u8> {
        match self {
            Self::Receiver => SignedParts::of(raw).string_to_sign(),
            Self::Caller => callers_string(raw),
        }
    }

    /// The signature: upper-case hex.
    pub fn signature(self, raw: &RawRequest, method: SignMethod, secret: &str) -> String {
        let string = self.string_to_sign(raw);
        method.sign(secret.as_bytes(), std::iter::once(string.as_slice()))
    }
}

/// The caller's rule speaks of text in UTF-8; a call in GBK is signed in GBK, as only that can be checked.
fn callers_string(raw: &RawRequest) -> Vec<u8> {
    let charset = charset(&raw.headers);
    let form = BodyKind::of(&raw.headers) == BodyKind::Form;
    let text = |piece: &[u8]| charset.decode_without_bom_handling(piece).0.into_owned();
    let decoded = |encoded| pairs(encoded).map(|(name, value)| (text(&name), text(&value)));
    let mut parameters: Vec<(String, String)> = Vec::new();
    if form {
        parameters.extend(decoded(&raw.body));
    }
    parameters.extend(decoded(&raw.query));
    let body = charset.decode_without_bom_handling(&raw.body).0;
    let text = top::sign::string_to_sign(last_of_each_name(&parameters), (!form).then_some(body.as_ref()));
    charset.encode(&text).0.into_owned()
}

/// Parameters are a map to the platform's SDK: of a repeated name the last stays.
fn last_of_each_name(parameters: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    parameters
        .iter()
        .enumerate()
        .filter(|(at, (name, _))| {
            let later = parameters.get(at + 1..).unwrap_or_default();
            !later.iter().any(|(other, _)| other == name)
        })
        .map(|(_, (name, value))| (name.as_str(), value.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;
    use http::header::CONTENT_TYPE;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use std::collections::HashMap;

    #[derive(serde::Deserialize)]
    struct Case {
        name: String,
        secret: String,
        sign_method: String,
        params: HashMap<String, String>,
        body: Option<String>,
        sign: String,
    }

    #[test]
    fn every_vector_of_a_caller() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../golden/vectors/top-caller-sign.json")).unwrap();
        assert!(!cases.is_empty());
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        for case in cases {
            let query: Vec<String> =
                case.params.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
            let body = case.body.unwrap_or_default().into();
            let raw = RawRequest { query: query.join("&").into(), body, ..RawRequest::default() };
            let method = case.sign_method.parse().unwrap();
            let signature = Rule::Caller.signature(&raw, method, &case.secret);
            assert_eq!(signature, case.sign, "{} by {method}", case.name);
        }
    }

    #[test]
    fn the_rules_differ_in_empty_values() {
        let headers =
            HeaderMap::from_iter([(CONTENT_TYPE, "application/x-www-form-urlencoded;charset=gbk".parse().unwrap())]);
        let raw = RawRequest { query: "b=&a=1&a=2".into(), headers, body: "c=%D5%C5&a=3&d=".into() };
        assert_eq!(Rule::Receiver.string_to_sign(&raw), b"a2bc\xD5\xC5d");
        assert_eq!(Rule::Caller.string_to_sign(&raw), b"a2c\xD5\xC5");
    }
}
