//! Bodies of Qimen calls, in three spellings that come to one tree (protocols.md §2).
//!
//! The tree is `serde_json::Value` with numbers kept as their literal text, so that an amount sent as a JSON
//! number is as exact as one sent as a string.

use http::HeaderMap;
use serde_json::{Map, Value};

use super::parameters::pairs;
use crate::channel::RawRequest;
pub use crate::document::charset;
use crate::document::{content_type, decoded, json, malformed, text_in, xml_document};
use baoqiao_domain::refusal::Refusal;

/// How a body is spelt, by its content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// `application/json`.
    Json,
    /// `text/xml`, `application/xml`.
    Xml,
    /// `text/plain` and whatever else: one document, told by its first character.
    Text,
    /// `application/x-www-form-urlencoded`.
    Form,
}

impl BodyKind {
    /// The kind that the headers declare.
    pub fn of(headers: &HeaderMap) -> Self {
        let content_type = content_type(headers);
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        if is("application/json") {
            Self::Json
        } else if is("text/xml") || is("application/xml") {
            Self::Xml
        } else if is("application/x-www-form-urlencoded") {
            Self::Form
        } else {
            Self::Text
        }
    }
}

/// Reads the body into one object.
///
/// # Errors
/// [`Refusal::Malformed`] when it is not what its content type says, or not in its charset.
pub fn read(raw: &RawRequest) -> Result<Map<String, Value>, Refusal> {
    match BodyKind::of(&raw.headers) {
        BodyKind::Form => form(raw),
        BodyKind::Json => json(&decoded(&raw.headers, &raw.body)?),
        BodyKind::Xml => xml(&decoded(&raw.headers, &raw.body)?),
        BodyKind::Text => {
            let text = decoded(&raw.headers, &raw.body)?;
            if text.trim_start().starts_with('<') { xml(&text) } else { json(&text) }
        }
    }
}

/// Top-level fields as parameters; what should be an object stays text here and is read where it is expected.
fn form(raw: &RawRequest) -> Result<Map<String, Value>, Refusal> {
    let encoding = charset(&raw.headers);
    let mut object = Map::new();
    for (name, value) in pairs(&raw.body) {
        object.insert(text_in(encoding, &name, "表单")?, Value::String(text_in(encoding, &value, "表单")?));
    }
    Ok(object)
}

/// The fields of `<request>…</request>`; no field at all is no mistake of the spelling.
fn xml(text: &str) -> Result<Map<String, Value>, Refusal> {
    match xml_document(text)?.1 {
        Value::Object(object) => Ok(object),
        Value::String(text) if text.trim().is_empty() => Ok(Map::new()),
        _ => Err(malformed("XML 应为一个 <request> 元素，内含各字段")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::CONTENT_TYPE;
    use proptest::prelude::*;
    use serde_json::json;

    fn request(content_type: &str, body: &[u8]) -> RawRequest {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().unwrap())]);
        RawRequest { headers, body: body.to_vec().into(), ..RawRequest::default() }
    }

    fn parsed(content_type: &str, body: &[u8]) -> Value {
        Value::Object(read(&request(content_type, body)).unwrap())
    }

    #[test]
    fn three_spellings_are_one_tree() {
        let tree = json!({"identifier": "01", "attrs": {"a": "<𬭎&"}, "list": ["1", "2"], "empty": ""});
        let xml = "<?xml version=\"1.0\"?>\n<request>\n <identifier>01</identifier> <attrs><a>&lt;<![CDATA[𬭎]]>&#38;</a></attrs><list>1</list><list>2</list><empty/></request>";
        assert_eq!(parsed("text/xml;charset=utf-8", xml.as_bytes()), tree);
        assert_eq!(parsed("text/plain", xml.as_bytes()), tree);
        assert_eq!(parsed("application/json", tree.to_string().as_bytes()), tree);
        let form = "identifier=01&attrs=%7B%22a%22%3A1%7D&empty=";
        assert_eq!(
            parsed("application/x-www-form-urlencoded", form.as_bytes()),
            json!({"identifier": "01", "attrs": "{\"a\":1}", "empty": ""})
        );
    }

    #[test]
    fn numbers_keep_their_digits() {
        let tree = parsed("application/json", br#"{"amount":1018.10,"long":0.12345678901234567890}"#);
        assert_eq!(tree["amount"].to_string(), "1018.10");
        assert_eq!(tree["long"].to_string(), "0.12345678901234567890");
    }

    #[test]
    fn gbk_by_content_type_and_by_declaration() {
        let (gbk, _, _) = encoding_rs::GBK.encode("<?xml version=\"1.0\" encoding=\"GBK\"?><r><n>张三</n></r>");
        assert_eq!(parsed("text/xml;charset=GBK", &gbk), json!({"n": "张三"}));
        assert_eq!(parsed("text/xml", &gbk), json!({"n": "张三"}));
        assert!(read(&request("text/xml;charset=utf-8", &gbk)).is_err());
        assert_eq!(
            parsed("application/x-www-form-urlencoded; charset=\"gbk\"", b"n=%D5%C5%C8%FD"),
            json!({"n": "张三"})
        );
    }

    #[test]
    fn what_is_malformed_says_where() {
        for (content_type, body) in [
            ("application/json", "[]"),
            ("application/json", "{\"a\":"),
            ("application/json", ""),
            ("text/xml", "<request><a></request>"),
            ("text/xml", "<request>"),
            ("text/xml", "plain"),
            ("text/xml", "<a><b/></a><c><d/></c>"),
            ("text/xml", "<!DOCTYPE r [<!ENTITY x 'y'>]><r><a>&x;</a></r>"),
            ("text/xml", "<r><a>&nope;</a></r>"),
        ] {
            assert!(matches!(read(&request(content_type, body.as_bytes())), Err(Refusal::Malformed { .. })), "{body}");
        }
        let deep = format!("{}{}", "<a>".repeat(10_000), "</a>".repeat(10_000));
        assert!(read(&request("text/xml", deep.as_bytes())).is_err());
        assert!(read(&request("application/json", "[".repeat(100_000).as_bytes())).is_err());
    }

    proptest! {
        #[test]
        fn reading_never_panics(kind in prop::sample::select(vec!["application/json", "text/xml", "text/plain;charset=gbk", "application/x-www-form-urlencoded"]), body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&request(kind, &body));
        }

        #[test]
        fn broken_xml_never_panics(body in "(<[a-c/!?]{0,3}>?|&[a-z#0-9]{0,4};?|[\\[\\]\\-]{0,3}|x){0,30}") {
            let _ = read(&request("text/xml", body.as_bytes()));
        }
    }
}
