//! The receiver's check (protocols.md §2), on the bytes as they came.
//!
//! The platform's SDK decodes parameters in the charset of the content type and encodes the joined text in the
//! same charset again; percent-decoded bytes are that encoding already, so nothing is decoded to text here and
//! no character can be lost on the way.

use std::borrow::Cow;
use std::cmp::Ordering;

use encoding_rs::Encoding;
use http::HeaderMap;
use subtle::ConstantTimeEq;

use super::body::BodyKind;
use super::parameters::{Piece, pairs, url_decoded};
use crate::channel::RawRequest;
use crate::document::charset;
use crate::sign_method::SignMethod;

/// The header that names the headers which take part in the signature.
pub(crate) const SIGN_LIST: &str = "top-sign-list";

/// The most parameters that are looked at: platforms send two dozen, and sorting is paid for before anything is known
/// of the caller.
pub const MAX_PARAMETERS: usize = 1_000;

/// The parameters of a request in the order in which they are signed, and the body when it is signed as text.
#[derive(Debug)]
pub struct SignedParts<'a> {
    parameters: Vec<(Piece<'a>, Piece<'a>)>,
    body: &'a [u8],
    too_many: bool,
}

impl<'a> SignedParts<'a> {
    /// Collects what takes part: headers named in `top-sign-list`, form fields, query; of a name that comes
    /// twice the last wins, and the query wins over the form.
    pub fn of(raw: &'a RawRequest) -> Self {
        let form = BodyKind::of(&raw.headers) == BodyKind::Form;
        let mut parameters = listed_headers(&raw.headers);
        if form {
            parameters.extend(pairs(&raw.body).take(MAX_PARAMETERS + 1));
        }
        parameters.extend(pairs(&raw.query).take(MAX_PARAMETERS + 1));
        let too_many = parameters.len() > MAX_PARAMETERS;
        if too_many {
            parameters.clear();
        }
        let charset = charset(&raw.headers);
        parameters.sort_by(|(a, _), (b, _)| by_code_unit(a, b, charset));
        // The sort is stable: of equal names the last collected stands last, and stays.
        let mut kept: Vec<(Piece<'a>, Piece<'a>)> = Vec::with_capacity(parameters.len());
        for parameter in parameters {
            match kept.last_mut() {
                Some(last) if last.0 == parameter.0 => *last = parameter,
                _ => kept.push(parameter),
            }
        }
        let body: &[u8] = if form { &[] } else { &raw.body };
        Self { parameters: kept, body, too_many }
    }

    /// Whether there are more than [`MAX_PARAMETERS`]; then none is looked at.
    pub fn too_many(&self) -> bool {
        self.too_many
    }

    /// The value of a parameter, `sign` included, in the bytes of the request's charset.
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        let found = self.parameters.iter().find(|(candidate, _)| candidate.as_ref() == name.as_bytes());
        found.map(|(_, value)| value.as_ref())
    }

    /// The value of a parameter that is ASCII by nature; anything else reads as replacement characters.
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.value(name).map(String::from_utf8_lossy)
    }

    /// What is signed, piece by piece: everything but `sign`, empty values as bare names, then the body.
    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.parameters
            .iter()
            .filter(|(name, _)| name.as_ref() != b"sign")
            .flat_map(|(name, value)| [name.as_ref(), value.as_ref()])
            .chain(std::iter::once(self.body))
    }

    /// The string to sign, as bytes in the request's charset.
    pub fn string_to_sign(&self) -> Vec<u8> {
        self.pieces().flatten().copied().collect()
    }

    /// The signature that `secret` makes: upper-case hex.
    pub fn signature(&self, method: SignMethod, secret: &str) -> String {
        method.sign(secret.as_bytes(), self.pieces())
    }

    /// Whether `secret` makes the signature that came, compared in constant time.
    pub fn is_signed_with(&self, method: SignMethod, secret: &str) -> bool {
        let ours = self.signature(method, secret);
        let theirs = self.value("sign").filter(|theirs| !theirs.is_empty());
        theirs.is_some_and(|theirs| bool::from(ours.as_bytes().ct_eq(theirs)))
    }
}

/// The headers that the sender listed; an absent one counts as empty, values are URL-encoded.
fn listed_headers(headers: &HeaderMap) -> Vec<(Piece<'_>, Piece<'_>)> {
    let list = headers.get(SIGN_LIST).map(http::HeaderValue::as_bytes).unwrap_or_default();
    list.split(|byte| *byte == b',')
        .filter(|name| !name.is_empty())
        .map(|name| {
            let value = std::str::from_utf8(name).ok().and_then(|name| headers.get(name));
            (Cow::Borrowed(name), value.map(|value| url_decoded(value.as_bytes())).unwrap_or_default())
        })
        .collect()
}

/// Names sort by UTF-16 code unit, which bytes do too as long as they are ASCII.
pub(crate) fn by_code_unit(a: &[u8], b: &[u8], charset: &'static Encoding) -> Ordering {
    if a.is_ascii() && b.is_ascii() {
        return a.cmp(b);
    }
    let text = |bytes| charset.decode_without_bom_handling(bytes).0;
    text(a).encode_utf16().cmp(text(b).encode_utf16())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use http::header::{CONTENT_TYPE, HeaderName};
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[derive(serde::Deserialize)]
    struct Case {
        name: String,
        secret: String,
        content_type: String,
        query: String,
        headers: HashMap<String, String>,
        body_base64: String,
        sign: String,
    }

    fn request(content_type: &str, query: &str, body: &[u8]) -> RawRequest {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().unwrap())]);
        RawRequest { query: query.to_owned().into(), headers, body: body.to_vec().into() }
    }

    #[test]
    fn every_vector_of_the_platforms_sdk() {
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../golden/vectors/qimen-receiver-sign.json")).unwrap();
        assert!(!cases.is_empty());
        for case in cases {
            let body = base64::engine::general_purpose::STANDARD.decode(&case.body_base64).unwrap();
            let mut raw = request(&case.content_type, &format!("{}&sign={}", case.query, case.sign), &body);
            for (name, value) in &case.headers {
                raw.headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
            }
            let parts = SignedParts::of(&raw);
            assert_eq!(parts.signature(SignMethod::Md5, &case.secret), case.sign, "{}", case.name);
            assert!(parts.is_signed_with(SignMethod::Md5, &case.secret), "{}", case.name);
            assert!(!parts.is_signed_with(SignMethod::Md5, "goodbye"), "{}", case.name);
        }
    }

    #[test]
    fn a_lower_case_signature_is_not_the_documents() {
        let raw = request("application/json", "a=1", b"{}");
        let signature = SignedParts::of(&raw).signature(SignMethod::Md5, "s");
        let lower = request("application/json", &format!("a=1&sign={}", signature.to_lowercase()), b"{}");
        assert!(!SignedParts::of(&lower).is_signed_with(SignMethod::Md5, "s"));
    }

    #[test]
    fn the_last_of_a_repeated_name_and_the_query_before_the_form() {
        let raw = request("application/x-www-form-urlencoded", "b=2&a=1&a=+%2B", b"a=form&c=3");
        assert_eq!(SignedParts::of(&raw).string_to_sign(), b"a +b2c3");
    }

    #[test]
    fn gbk_is_signed_as_the_bytes_it_came_in() {
        let raw = request("application/json;charset=GBK", "name=%D5%C5", b"{}");
        assert_eq!(SignedParts::of(&raw).string_to_sign(), b"name\xD5\xC5{}");
    }

    #[test]
    fn more_parameters_than_platforms_send_are_not_looked_at() {
        let query = |count: usize| (0..count).map(|n| format!("名{n}=1")).collect::<Vec<_>>().join("&");
        assert!(!SignedParts::of(&request("application/json", &query(MAX_PARAMETERS), b"")).too_many());
        let raw = request("application/json", &query(MAX_PARAMETERS + 1), b"");
        assert!(SignedParts::of(&raw).too_many());
        assert_eq!(SignedParts::of(&raw).value("名1"), None);
    }

    fn parameters() -> impl Strategy<Value = Vec<(String, String)>> {
        prop::collection::vec(("[a-z_]{1,8}", "\\PC{0,12}"), 1..8)
    }

    proptest! {
        #[test]
        fn what_a_caller_signs_verifies(pairs in parameters(), body in "\\PC{0,60}", secret in "\\PC{1,16}", method in prop::sample::select(&SignMethod::ALL)) {
            // A caller leaves empty values out of its signature and of its query.
            let pairs: HashMap<String, String> = pairs.into_iter().filter(|(name, value)| !value.is_empty() && name != "sign").collect();
            let signature = crate::top::sign::sign(method, &secret, pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())), Some(&body));
            let encode = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
            let mut query: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
            query.push(format!("sign={signature}"));
            let raw = request("application/json;charset=utf-8", &query.join("&"), body.as_bytes());
            prop_assert!(SignedParts::of(&raw).is_signed_with(method, &secret));
        }

        #[test]
        fn any_flipped_byte_fails(body in prop::collection::vec(any::<u8>(), 1..80), value in "[a-z0-9]{1,12}", at in any::<prop::sample::Index>(), bit in 0_u8..8, method in prop::sample::select(&SignMethod::ALL)) {
            let query = format!("method={value}");
            let signature = SignedParts::of(&request("text/xml", &query, &body)).signature(method, "secret");
            let signed = format!("{query}&sign={signature}");
            let mut flipped = body.clone();
            flipped[at.index(body.len())] ^= 1 << bit;
            prop_assert!(SignedParts::of(&request("text/xml", &signed, &body)).is_signed_with(method, "secret"));
            prop_assert!(!SignedParts::of(&request("text/xml", &signed, &flipped)).is_signed_with(method, "secret"));
            let other_query = signed.replacen(&value, &format!("{value}x"), 1);
            prop_assert!(!SignedParts::of(&request("text/xml", &other_query, &body)).is_signed_with(method, "secret"));
        }

        #[test]
        fn collecting_never_panics(query in prop::collection::vec(any::<u8>(), 0..80), body in prop::collection::vec(any::<u8>(), 0..80)) {
            let mut raw = request("application/x-www-form-urlencoded;charset=gbk", "", &body);
            raw.query = query.into();
            let _ = SignedParts::of(&raw).signature(SignMethod::Md5, "s");
        }
    }
}
