//! Answers of Qimen interfaces: fields in the document's order, as JSON or, with `format=xml`, under `<response>`.
//!
//! Each interface has names and types of its own (protocols.md §2), so an envelope is a list of fields.

use quick_xml::escape::escape;
use serde_json::{Map, Value};

use super::parameters::pairs;
use crate::channel::{RawRequest, Reply};
use baoqiao_domain::refusal::Refusal;

const JSON: &str = "application/json;charset=UTF-8";
const XML: &str = "text/xml;charset=UTF-8";

/// The HTTP status: 200 for every business answer; a body that was never read whole is none.
fn status(refusal: Option<&Refusal>) -> u16 {
    match refusal {
        Some(Refusal::BodyTooLarge { .. }) => http::StatusCode::PAYLOAD_TOO_LARGE.as_u16(),
        _ => http::StatusCode::OK.as_u16(),
    }
}

/// Writes the fields in the format that the query asks for.
pub(super) fn write(raw: &RawRequest, fields: &[(&str, Value)], refusal: Option<&Refusal>) -> Reply {
    let (content_type, body) = if wants_xml(raw) {
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
        let inner = |text: &mut String| {
            for (name, value) in fields {
                xml_value(text, name, value);
            }
        };
        element("response", inner, &mut text);
        (XML, text)
    } else {
        let object = fields.iter().map(|(name, value)| format!("{}:{value}", Value::from(*name)));
        (JSON, format!("{{{}}}", object.collect::<Vec<_>>().join(",")))
    };
    Reply { status: status(refusal), content_type, body: body.into_bytes() }
}

/// An outcome that another interface's command has: a key holds the answers of one interface only, so that it cannot
/// come here; if it did, nothing of it would be told.
pub(super) fn foreign_outcome() -> Refusal {
    Refusal::LedgerUnavailable { internal: "the kept answer is of another interface".to_owned() }
}

fn wants_xml(raw: &RawRequest) -> bool {
    let format = pairs(&raw.query).filter(|(name, _)| name.as_ref() == b"format").last();
    format.is_some_and(|(_, value)| value.eq_ignore_ascii_case(b"xml"))
}

fn element(name: &str, write: impl FnOnce(&mut String), text: &mut String) {
    text.push('<');
    text.push_str(name);
    text.push('>');
    write(text);
    text.push_str("</");
    text.push_str(name);
    text.push('>');
}

fn xml_value(text: &mut String, name: &str, value: &Value) {
    let inner = |text: &mut String| match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| xml_value(text, name, value)),
        Value::String(content) => text.push_str(&escape(printable(content))),
        other => text.push_str(&other.to_string()),
    };
    element(name, inner, text);
}

/// XML 1.0 has no way to write most control characters, nor U+FFFE and U+FFFF: they become U+FFFD.
fn printable(text: &str) -> String {
    let allowed = |c: char| match c {
        '\n' | '\t' | '\r' => true,
        '\u{FFFE}' | '\u{FFFF}' => false,
        c => !c.is_control(),
    };
    text.chars().map(|c| if allowed(c) { c } else { '\u{FFFD}' }).collect()
}

/// An object as a value, in the order given as long as names rise; answers have few fields and fixed names.
pub(super) fn object<const N: usize>(fields: [(&str, &str); N]) -> Value {
    Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(query: &str) -> String {
        let raw = RawRequest { query: query.to_owned().into(), ..RawRequest::default() };
        let fields =
            [("errorCode", "A<&\u{1}".into()), ("context", object([("policyNo", "保单")])), ("success", true.into())];
        String::from_utf8(write(&raw, &fields, None).body).unwrap()
    }

    #[test]
    fn json_unless_xml_is_asked_for() {
        let json = r#"{"errorCode":"A<&\u0001","context":{"policyNo":"保单"},"success":true}"#;
        assert_eq!(answer("format=json"), json);
        assert_eq!(answer("method=x"), json);
        let xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><response><errorCode>A&lt;&amp;\u{FFFD}</errorCode><context><policyNo>保单</policyNo></context><success>true</success></response>";
        assert_eq!(answer("format=json&format=xml"), xml);
    }

    #[test]
    fn every_business_answer_has_status_200() {
        let raw = RawRequest::default();
        assert_eq!(write(&raw, &[], Some(&Refusal::Busy)).status, 200);
        assert_eq!(write(&raw, &[], Some(&Refusal::BodyTooLarge { limit_bytes: 1 })).status, 413);
    }
}
