//! How a signature comes about: what takes part, what does not and why, and what would fit the one that came.

use std::fmt;

use baoqiao_channels::channel::RawRequest;
use baoqiao_channels::qimen::body::{BodyKind, charset};
use baoqiao_channels::sign_method::SignMethod;
use bytes::Bytes;
use encoding_rs::Encoding;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue};

use crate::qimen::{Charset, Rule, decoded_pairs};

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A header that `top-sign-list` names.
    Header,
    /// A field of a form.
    Form,
    /// The query.
    Query,
}

/// What becomes of a parameter in the string to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It takes part.
    Signed,
    /// It is `sign`.
    IsSignature,
    /// Its name comes again, later or in the query.
    Overridden,
    /// Its name or value is empty, and the rule is the caller's.
    Empty,
    /// It is a header, and the rule is the caller's.
    CallersSignNoHeader,
}

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name, decoded.
    pub name: String,
    /// Its value, decoded.
    pub value: String,
    /// Where it stands.
    pub source: Source,
    /// What becomes of it.
    pub fate: Fate,
}

/// A signature and how it comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The parameters: headers, form, query, each in the order of the request.
    pub parts: Vec<Part>,
    /// The body's length in bytes where it is signed as text; `None` where a form's fields are parameters.
    pub body_bytes: Option<usize>,
    /// The string to sign, decoded by the charset of the content type.
    pub string_to_sign: String,
    /// The name of that charset.
    pub charset: &'static str,
    /// The signature: upper-case hex.
    pub signature: String,
    /// The `sign` that came with the request.
    pub came: Option<String>,
}

/// A way of signing that makes the signature that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    /// The method.
    pub method: SignMethod,
    /// The rule.
    pub rule: Rule,
    /// Whether the hex digits came in lower case.
    pub lower_case: bool,
    /// The charset, where it is another than the content type's.
    pub charset: Option<Charset>,
    /// Whether the body was left out.
    pub without_body: bool,
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = match self.rule {
            Rule::Receiver => "receiver's",
            Rule::Caller => "caller's",
        };
        write!(f, "{} by the {rule} rule", self.method)?;
        if let Some(charset) = self.charset {
            write!(f, ", body and parameters in {charset}")?;
        }
        if self.without_body {
            write!(f, ", without the body")?;
        }
        if self.lower_case {
            write!(f, ", in lower-case hex")?;
        }
        Ok(())
    }
}

/// Signs the request and tells how.
pub fn explain(raw: &RawRequest, rule: Rule, method: SignMethod, secret: &str) -> Explanation {
    let encoding = charset(&raw.headers);
    let parts = parts(raw, rule, encoding);
    let string = rule.string_to_sign(raw);
    let came = parts.iter().rfind(|part| part.fate == Fate::IsSignature).map(|part| part.value.clone());
    Explanation {
        body_bytes: (!is_form(raw)).then_some(raw.body.len()),
        string_to_sign: encoding.decode_without_bom_handling(&string).0.into_owned(),
        charset: encoding.name(),
        signature: rule.signature(raw, method, secret),
        parts,
        came,
    }
}

fn is_form(raw: &RawRequest) -> bool {
    BodyKind::of(&raw.headers) == BodyKind::Form
}

fn parts(raw: &RawRequest, rule: Rule, encoding: &'static Encoding) -> Vec<Part> {
    let mut all: Vec<(Source, String, String)> = Vec::new();
    let mut collect = |source, pairs: Vec<(String, String)>| {
        all.extend(pairs.into_iter().map(|(name, value)| (source, name, value)));
    };
    collect(Source::Header, listed_headers(raw, encoding));
    if is_form(raw) {
        collect(Source::Form, decoded_pairs(&raw.body, encoding));
    }
    collect(Source::Query, decoded_pairs(&raw.query, encoding));
    let fate = |at: usize, source: Source, name: &str, value: &str| {
        let later = all.get(at + 1..).unwrap_or_default();
        if rule == Rule::Caller && source == Source::Header {
            Fate::CallersSignNoHeader
        } else if name == "sign" {
            Fate::IsSignature
        } else if later.iter().any(|(_, other, _)| other == name) {
            Fate::Overridden
        } else if rule == Rule::Caller && (name.is_empty() || value.is_empty()) {
            Fate::Empty
        } else {
            Fate::Signed
        }
    };
    all.iter()
        .enumerate()
        .map(|(at, (source, name, value))| Part {
            name: name.clone(),
            value: value.clone(),
            source: *source,
            fate: fate(at, *source, name, value),
        })
        .collect()
}

/// The headers that `top-sign-list` names; an absent one counts as empty.
fn listed_headers(raw: &RawRequest, encoding: &'static Encoding) -> Vec<(String, String)> {
    let list = raw.headers.get("top-sign-list").map(HeaderValue::as_bytes);
    String::from_utf8_lossy(list.unwrap_or_default())
        .split(',')
        .filter(|name| !name.is_empty())
        .map(|name| {
            let header = name.parse::<HeaderName>().ok();
            let value = header.and_then(|header| raw.headers.get(header));
            // A header's value is encoded as a query's is; `x=` keeps an `=` in it from ending a name.
            let encoded = [b"x=", value.map(HeaderValue::as_bytes).unwrap_or_default()].concat();
            let decoded = decoded_pairs(&encoded, encoding).pop();
            (name.to_owned(), decoded.unwrap_or_default().1)
        })
        .collect()
}

/// Ways of signing that make the signature that came: the usual mistakes of a first day.
pub fn fits(raw: &RawRequest, secret: &str, came: &str) -> Vec<Fit> {
    let mut found = Vec::new();
    for (charset, without_body, variant) in variants(raw) {
        for rule in [Rule::Receiver, Rule::Caller] {
            for method in SignMethod::ALL {
                let signature = rule.signature(&variant, method, secret);
                if signature.eq_ignore_ascii_case(came) {
                    found.push(Fit { method, rule, lower_case: signature != came, charset, without_body });
                }
            }
        }
    }
    found
}

/// The request as it is, in the other charset, and without its body.
fn variants(raw: &RawRequest) -> Vec<(Option<Charset>, bool, RawRequest)> {
    let mut variants = vec![(None, false, raw.clone())];
    let current = charset(&raw.headers);
    for other in [Charset::Utf8, Charset::Gbk] {
        if other.encoding() != current
            && let Some(transcoded) = transcoded(raw, current, other)
        {
            variants.push((Some(other), false, transcoded));
        }
    }
    if !raw.body.is_empty() && !is_form(raw) {
        let bodiless = RawRequest { body: Bytes::new(), ..raw.clone() };
        variants.push((None, true, bodiless));
    }
    variants
}

/// The request as if its sender had written all of it in another charset.
fn transcoded(raw: &RawRequest, from: &'static Encoding, to: Charset) -> Option<RawRequest> {
    let text = |bytes: &[u8]| from.decode_without_bom_handling(bytes).0.into_owned();
    let pairs = |bytes: &Bytes| {
        let decoded = decoded_pairs(bytes, from);
        let pairs = decoded.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        crate::qimen::encode_query(pairs, to).ok().map(Bytes::from)
    };
    let mut headers = raw.headers.clone();
    let content_type = raw.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = content_type.split(';').next()?;
    let declared = format!("{essence};charset={to}").parse().ok()?;
    headers.insert(CONTENT_TYPE, declared);
    let body = if is_form(raw) { pairs(&raw.body)? } else { to.encode(&text(&raw.body)).ok()?.into_owned().into() };
    Some(RawRequest { query: pairs(&raw.query)?, headers, body })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;
    use proptest::prelude::*;

    fn raw(content_type: &str, query: &str, body: &[u8]) -> RawRequest {
        RawRequest {
            query: query.to_owned().into(),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().unwrap())]),
            body: body.to_vec().into(),
        }
    }

    const FORM: &str = "application/x-www-form-urlencoded";

    fn fates(raw: &RawRequest, rule: Rule) -> Vec<(String, Fate)> {
        let explanation = explain(raw, rule, SignMethod::Md5, "s");
        let parts = explanation.parts.into_iter();
        parts.map(|part| (part.name, part.fate)).collect()
    }

    #[test]
    fn each_parameter_has_its_fate() {
        let mut request = raw(FORM, "a=1&a=2&sign=X&b=", b"a=3&c=4");
        let headers = &mut request.headers;
        headers.insert("top-sign-list", "x-a".parse().unwrap());
        headers.insert("x-a", "%E5%BC%A0".parse().unwrap());
        let named = |fates: [(&str, Fate); 7]| fates.map(|(n, f)| (n.to_owned(), f)).to_vec();
        assert_eq!(
            fates(&request, Rule::Receiver),
            named([
                ("x-a", Fate::Signed),
                ("a", Fate::Overridden),
                ("c", Fate::Signed),
                ("a", Fate::Overridden),
                ("a", Fate::Signed),
                ("sign", Fate::IsSignature),
                ("b", Fate::Signed),
            ])
        );
        assert_eq!(
            fates(&request, Rule::Caller),
            named([
                ("x-a", Fate::CallersSignNoHeader),
                ("a", Fate::Overridden),
                ("c", Fate::Signed),
                ("a", Fate::Overridden),
                ("a", Fate::Signed),
                ("sign", Fate::IsSignature),
                ("b", Fate::Empty),
            ])
        );
        let explanation = explain(&request, Rule::Receiver, SignMethod::Md5, "s");
        assert_eq!(explanation.string_to_sign, "a2bc4x-a张");
        assert_eq!(explanation.came.unwrap(), "X");
    }

    #[test]
    fn gbk_is_shown_decoded() {
        let request = raw("application/json;charset=gbk", "n=%D5%C5", b"\xC8\xFD");
        let explanation = explain(&request, Rule::Receiver, SignMethod::Md5, "s");
        assert_eq!(explanation.string_to_sign, "n张三");
        assert_eq!(explanation.body_bytes, Some(2));
    }

    fn first_fit(request: &RawRequest, came: &str) -> String {
        fits(request, "s", came).first().map(ToString::to_string).unwrap_or_default()
    }

    #[test]
    fn the_usual_mistakes_are_found() {
        let json = "application/json;charset=gbk";
        let request = raw(json, "a=1&b=%D5%C5&c=", b"{}");
        let sign = |rule: Rule, method, raw: &RawRequest| rule.signature(raw, method, "s");
        let hmac = sign(Rule::Receiver, SignMethod::Hmac, &request);
        assert_eq!(first_fit(&request, &hmac), "hmac by the receiver's rule");
        let callers = sign(Rule::Caller, SignMethod::Md5, &request);
        assert_eq!(first_fit(&request, &callers.to_lowercase()), "md5 by the caller's rule, in lower-case hex");
        let utf8 = raw("application/json", "a=1&b=%E5%BC%A0&c=", b"{}");
        assert_eq!(
            first_fit(&request, &sign(Rule::Receiver, SignMethod::Md5, &utf8)),
            "md5 by the receiver's rule, body and parameters in utf-8"
        );
        let bodiless = raw(json, "a=1&b=%D5%C5&c=", b"");
        assert_eq!(
            first_fit(&request, &sign(Rule::Receiver, SignMethod::Md5, &bodiless)),
            "md5 by the receiver's rule, without the body"
        );
        assert_eq!(first_fit(&request, "0"), "");
    }

    proptest! {
        #[test]
        fn what_is_said_to_take_part_is_what_is_signed(query in "([a-c]{0,2}=?(%41|x)?&){0,6}", body in "([a-c]{0,2}=?x?&){0,4}", rule in prop::sample::select(&[Rule::Receiver, Rule::Caller])) {
            let request = raw(FORM, &query, body.as_bytes());
            let explanation = explain(&request, rule, SignMethod::Md5, "s");
            let mut signed: Vec<&Part> = explanation.parts.iter().filter(|part| part.fate == Fate::Signed).collect();
            signed.sort_by(|a, b| a.name.cmp(&b.name));
            let joined: String = signed.iter().flat_map(|part| [part.name.as_str(), part.value.as_str()]).collect();
            prop_assert_eq!(joined, explanation.string_to_sign);
        }
    }
}
