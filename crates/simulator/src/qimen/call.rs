//! A call, from its parts to the signed request. Pure: the time is handed in.

use baoqiao_channels::access::Secret;
use baoqiao_channels::channel::RawRequest;
use baoqiao_channels::sign_method::SignMethod;
use baoqiao_domain::time::format_gmt8;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, header};
use jiff::Timestamp;

use super::Rule;
use super::charset::NotInCharset;
use super::document::Document;
use super::parameters::{Parameter, encode_query};

/// The header that names the headers which take part in the signature.
const SIGN_LIST: HeaderName = HeaderName::from_static("top-sign-list");

/// The format in which the answer is asked for: system parameter `format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerFormat {
    /// `json`.
    Json,
    /// `xml`, with root `<response>`.
    Xml,
}

impl AnswerFormat {
    /// The value on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Xml => "xml",
        }
    }
}

/// One call and all that can be chosen about it. [`Call::new`] chooses as the platform does; change the fields
/// for anything else.
#[derive(Debug, Clone)]
pub struct Call {
    /// `app_key`.
    pub app_key: String,
    /// The secret that signs.
    pub secret: Secret,
    /// `method`: the interface's name.
    pub method: String,
    /// The body, with content type and charset.
    pub document: Document,
    /// `sign_method`.
    pub sign_method: SignMethod,
    /// `format`.
    pub format: AnswerFormat,
    /// `timestamp` as it is to be sent, right or wrong; `None`: the time of signing, in GMT+8.
    pub timestamp: Option<String>,
    /// Further query parameters; one with a system parameter's name takes its place.
    pub query: Vec<Parameter>,
    /// System parameters that are not sent.
    pub omitted: Vec<String>,
    /// Further headers, unsigned.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Further headers that `top-sign-list` names; values are sent URL-encoded.
    pub signed_headers: Vec<(HeaderName, String)>,
    /// The rule to sign by.
    pub rule: Rule,
    /// Sends a signature that is wrong in its last digit.
    pub break_signature: bool,
}

/// A request, ready to be sent.
#[derive(Debug, Clone)]
pub struct SignedRequest {
    /// The query string, without the question mark, `sign` last.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// What was signed, decoded to text.
    pub string_to_sign: String,
}

impl SignedRequest {
    /// The request as a gateway sees it arrive.
    pub fn to_raw(&self) -> RawRequest {
        RawRequest { query: self.query.clone().into(), headers: self.headers.clone(), body: self.body.clone() }
    }
}

impl Call {
    /// A call as the platform makes it: MD5, answer in JSON, signed so that a receiver's check accepts.
    pub fn new(app_key: impl Into<String>, secret: Secret, method: impl Into<String>, document: Document) -> Self {
        Self {
            app_key: app_key.into(),
            secret,
            method: method.into(),
            document,
            sign_method: SignMethod::Md5,
            format: AnswerFormat::Json,
            timestamp: None,
            query: Vec::new(),
            omitted: Vec::new(),
            headers: Vec::new(),
            signed_headers: Vec::new(),
            rule: Rule::Receiver,
            break_signature: false,
        }
    }

    /// Signs the call as of `now`.
    ///
    /// # Errors
    /// A parameter has a character that the call's charset lacks.
    pub fn sign(&self, now: Timestamp) -> Result<SignedRequest, NotInCharset> {
        let unsigned = RawRequest {
            query: self.unsigned_query(now)?.into(),
            headers: self.headers()?,
            body: self.document.bytes().clone(),
        };
        let string = self.rule.string_to_sign(&unsigned);
        let secret = self.secret.expose().as_bytes();
        let mut signature = self.sign_method.sign(secret, std::iter::once(string.as_slice()));
        if self.break_signature {
            let wrong = if signature.pop() == Some('0') { '1' } else { '0' };
            signature.push(wrong);
        }
        let encoding = self.document.charset().encoding();
        Ok(SignedRequest {
            query: format!("{}&sign={signature}", self.unsigned_query(now)?),
            headers: unsigned.headers,
            body: unsigned.body,
            string_to_sign: encoding.decode_without_bom_handling(&string).0.into_owned(),
        })
    }

    /// The system parameters and the further ones, encoded; everything but `sign`.
    pub(crate) fn unsigned_query(&self, now: Timestamp) -> Result<String, NotInCharset> {
        let timestamp = self.timestamp.clone().unwrap_or_else(|| format_gmt8(now));
        let system = [
            ("method", self.method.as_str()),
            ("app_key", self.app_key.as_str()),
            ("timestamp", timestamp.as_str()),
            ("format", self.format.as_str()),
            ("v", "2.0"),
            ("sign_method", self.sign_method.as_str()),
        ];
        let sent = system.into_iter().filter(|(name, _)| {
            !self.omitted.iter().any(|omitted| omitted == name)
                && !self.query.iter().any(|(further, _)| further == name)
        });
        let further = self.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        encode_query(sent.chain(further), self.document.charset())
    }

    fn headers(&self) -> Result<HeaderMap, NotInCharset> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.document.content_type()));
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/xml,text/javascript,application/json"));
        headers.extend(self.headers.iter().cloned());
        let mut names = Vec::new();
        for (name, value) in &self.signed_headers {
            let bytes = self.document.charset().encode(value)?;
            let encoded: String = form_urlencoded::byte_serialize(&bytes).collect();
            // What is URL-encoded is always a header's value.
            if let Ok(value) = HeaderValue::from_str(&encoded) {
                headers.insert(name, value);
                names.push(name.as_str());
            }
        }
        if let Ok(list) = HeaderValue::from_str(&names.join(","))
            && !names.is_empty()
        {
            headers.insert(SIGN_LIST, list);
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qimen::charset::Charset;
    use crate::qimen::parameters::decoded_pairs;
    use baoqiao_channels::qimen::body::{self, BodyKind};
    use baoqiao_channels::qimen::sign::SignedParts;
    use base64::Engine as _;
    use http::HeaderMap;
    use std::collections::BTreeMap;

    #[derive(serde::Deserialize)]
    struct Case {
        name: String,
        secret: String,
        content_type: String,
        query: String,
        headers: BTreeMap<String, String>,
        body_base64: String,
        sign: String,
    }

    const SYSTEM: [&str; 6] = ["method", "app_key", "timestamp", "format", "v", "sign_method"];

    fn now() -> Timestamp {
        "2026-01-02T03:04:05Z".parse().unwrap()
    }

    /// The call that makes a vector's request, with the parameters that the vector lacks left out.
    fn call_of(case: &Case) -> Call {
        let body = base64::engine::general_purpose::STANDARD.decode(&case.body_base64).unwrap();
        let declared = HeaderMap::from_iter([(CONTENT_TYPE, case.content_type.parse().unwrap())]);
        let source = String::from_utf8(body).unwrap();
        let document = Document::write(BodyKind::of(&declared), Charset::Utf8, &source).unwrap();
        let query = decoded_pairs(case.query.as_bytes(), Charset::Utf8.encoding());
        let absent = |name: &&str| !query.iter().any(|(sent, _)| sent == name);
        let omitted = SYSTEM.iter().copied().filter(absent).map(str::to_owned);
        let signed_headers = case.headers.iter().filter(|(name, _)| *name != "top-sign-list");
        Call {
            omitted: omitted.collect(),
            signed_headers: signed_headers.map(|(name, value)| (name.parse().unwrap(), value.clone())).collect(),
            query: query.clone(),
            ..Call::new("", Secret::new(&case.secret), "", document)
        }
    }

    #[test]
    fn every_vector_of_the_platforms_sdk() {
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../../channels/golden/vectors/qimen-receiver-sign.json")).unwrap();
        assert!(!cases.is_empty());
        for case in cases {
            let signed = call_of(&case).sign(now()).unwrap();
            let sign = signed.query.rsplit_once("&sign=").unwrap().1;
            assert_eq!(sign, case.sign, "{}: {}", case.name, signed.string_to_sign);
        }
    }

    fn call(kind: BodyKind, charset: Charset) -> Call {
        let source = r#"{"identifier":"01","who":{"name":"张三"},"empty":""}"#;
        let document = Document::write(kind, charset, source).unwrap();
        Call {
            query: vec![("customerId".to_owned(), "客户 1+1".to_owned()), ("session".to_owned(), String::new())],
            signed_headers: vec![(HeaderName::from_static("x-trace"), "踪迹/1".to_owned())],
            ..Call::new("24589063", Secret::new("s"), "m.y", document)
        }
    }

    #[test]
    fn the_receivers_check_accepts_every_spelling() {
        let kinds = [BodyKind::Json, BodyKind::Xml, BodyKind::Form, BodyKind::Text];
        for kind in kinds {
            for charset in [Charset::Utf8, Charset::Gbk] {
                for sign_method in SignMethod::ALL {
                    let call = Call { sign_method, ..call(kind, charset) };
                    let raw = call.sign(now()).unwrap().to_raw();
                    let parts = SignedParts::of(&raw);
                    assert!(parts.is_signed_with(sign_method, "s"), "{kind:?} {charset}");
                    assert_eq!(parts.text("timestamp").unwrap(), "2026-01-02 11:04:05");
                    assert_eq!(body::read(&raw).unwrap()["identifier"], "01");
                }
            }
        }
    }

    #[test]
    fn a_broken_signature_and_the_callers_rule_are_refused() {
        for change in [|call: &mut Call| call.break_signature = true, |call: &mut Call| call.rule = Rule::Caller] {
            let mut call = call(BodyKind::Form, Charset::Utf8);
            change(&mut call);
            let raw = call.sign(now()).unwrap().to_raw();
            assert!(!SignedParts::of(&raw).is_signed_with(SignMethod::Md5, "s"));
        }
    }

    #[test]
    fn what_is_given_takes_the_place_of_what_is_usual() {
        let document = Document::write(BodyKind::Json, Charset::Gbk, "{}").unwrap();
        let mut call = Call {
            timestamp: Some("yesterday".to_owned()),
            query: vec![("v".to_owned(), "1.0".to_owned())],
            omitted: vec!["format".to_owned()],
            ..Call::new("k", Secret::new("s"), "m", document)
        };
        let expected = "method=m&app_key=k&timestamp=yesterday&sign_method=md5&v=1.0";
        assert_eq!(call.unsigned_query(now()).unwrap(), expected);
        call.method = "𬭎".to_owned();
        assert_eq!(call.sign(now()).unwrap_err().character, '𬭎');
    }
}
