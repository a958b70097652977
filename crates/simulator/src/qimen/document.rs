//! The body of a call: what a file holds, spelt as the content type asks, in its charset.

use std::borrow::Cow;
use std::fmt::Write as _;

use baoqiao_channels::qimen::body::BodyKind;
use bytes::Bytes;
use encoding_rs::UTF_8;
use serde_json::{Map, Value};

use super::charset::{Charset, NotInCharset};
use super::parameters::encode_query;
use super::xml::{self, XmlError};

/// A body with its content type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    kind: BodyKind,
    charset: Charset,
    bytes: Bytes,
}

/// A file that cannot be sent in the way that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It looks like JSON, and is to be rewritten, but is none.
    #[error("the file begins like JSON but is not one object (line {line}, column {column})")]
    NotJson {
        /// Where reading ended, counted from 1.
        line: usize,
        /// Where in the line, counted from 1.
        column: usize,
    },
    /// XML cannot carry it.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// The charset cannot carry it.
    #[error("{0}; send it in utf-8, or as JSON or rewritten XML, where it can be escaped")]
    NotInCharset(#[from] NotInCharset),
    /// The file's bytes are not in the charset they should be in.
    #[error("the file is neither UTF-8 nor {0}")]
    UnreadableFile(Charset),
}

/// The text of a file: UTF-8, else the charset in which it is to be sent.
///
/// # Errors
/// [`DocumentError::UnreadableFile`] when it is neither.
pub fn source_text(file: &[u8], charset: Charset) -> Result<Cow<'_, str>, DocumentError> {
    let file = file.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(file);
    [UTF_8, charset.encoding()]
        .into_iter()
        .find_map(|encoding| encoding.decode_without_bom_handling_and_without_replacement(file))
        .ok_or(DocumentError::UnreadableFile(charset))
}

impl Document {
    /// Spells `source` as a body of that kind. JSON, XML and text go as they stand. A form is made of a JSON
    /// object's top-level fields, objects as JSON strings; XML of a JSON object as `<request>`; a source that does
    /// not begin like JSON is taken for the form or the XML itself.
    ///
    /// What GBK lacks is escaped where the spelling has a way to: `\uXXXX` in JSON, `&#…;` in rewritten XML.
    ///
    /// # Errors
    /// Says which character, field or line cannot be sent so.
    pub fn write(kind: BodyKind, charset: Charset, source: &str) -> Result<Self, DocumentError> {
        let is_json = source.trim_start().starts_with('{');
        let bytes: Bytes = match kind {
            BodyKind::Json => charset.encode_escaping(source, escape_json).into(),
            BodyKind::Form if is_json => form(&object(source)?, charset)?.into(),
            BodyKind::Xml if is_json => {
                let declared =
                    format!("<?xml version=\"1.0\" encoding=\"{charset}\"?>{}", xml::request(&object(source)?)?);
                charset.encode_escaping(&declared, escape_xml).into()
            }
            BodyKind::Form | BodyKind::Xml | BodyKind::Text => charset.encode(source)?.into_owned().into(),
        };
        Ok(Self { kind, charset, bytes })
    }

    /// The kind that a file's text looks like.
    pub fn kind_by_look(source: &str) -> BodyKind {
        match source.trim_start().chars().next() {
            Some('{') => BodyKind::Json,
            Some('<') => BodyKind::Xml,
            _ if source.contains('=') => BodyKind::Form,
            _ => BodyKind::Text,
        }
    }

    /// The charset.
    pub fn charset(&self) -> Charset {
        self.charset
    }

    /// The body.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The content type with the charset, such as `text/xml;charset=gbk`.
    pub fn content_type(&self) -> &'static str {
        match (self.kind, self.charset) {
            (BodyKind::Json, Charset::Utf8) => "application/json;charset=utf-8",
            (BodyKind::Json, Charset::Gbk) => "application/json;charset=gbk",
            (BodyKind::Xml, Charset::Utf8) => "text/xml;charset=utf-8",
            (BodyKind::Xml, Charset::Gbk) => "text/xml;charset=gbk",
            (BodyKind::Text, Charset::Utf8) => "text/plain;charset=utf-8",
            (BodyKind::Text, Charset::Gbk) => "text/plain;charset=gbk",
            (BodyKind::Form, Charset::Utf8) => "application/x-www-form-urlencoded;charset=utf-8",
            (BodyKind::Form, Charset::Gbk) => "application/x-www-form-urlencoded;charset=gbk",
        }
    }
}

fn object(source: &str) -> Result<Map<String, Value>, DocumentError> {
    serde_json::from_str(source).map_err(|why| DocumentError::NotJson { line: why.line(), column: why.column() })
}

/// `null` travels as an empty value.
fn form(tree: &Map<String, Value>, charset: Charset) -> Result<String, DocumentError> {
    let fields: Vec<(&str, Cow<'_, str>)> = tree
        .iter()
        .map(|(name, value)| {
            let value = match value {
                Value::Null => Cow::Borrowed(""),
                Value::String(text) => Cow::Borrowed(text.as_str()),
                inner @ (Value::Object(_) | Value::Array(_)) => Cow::Owned(escaped_for(charset, &inner.to_string())),
                Value::Bool(_) | Value::Number(_) => Cow::Owned(value.to_string()),
            };
            (name.as_str(), value)
        })
        .collect();
    let pairs = fields.iter().map(|(name, value)| (*name, value.as_ref()));
    Ok(encode_query(pairs, charset)?)
}

/// JSON text within a form: escaped there as it would be in a body.
fn escaped_for(charset: Charset, json: &str) -> String {
    let bytes = charset.encode_escaping(json, escape_json);
    let text = charset.encoding().decode_without_bom_handling(&bytes).0;
    text.into_owned()
}

/// `\uXXXX`, twice for a character outside the BMP.
fn escape_json(character: char, out: &mut String) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        let _ = write!(out, "\\u{unit:04x}");
    }
}

fn escape_xml(character: char, out: &mut String) {
    let _ = write!(out, "&#{};", u32::from(character));
}

#[cfg(test)]
mod tests {
    use super::*;
    use baoqiao_channels::channel::RawRequest;
    use baoqiao_channels::qimen::body;
    use http::HeaderMap;
    use http::header::CONTENT_TYPE;
    use proptest::prelude::*;
    use serde_json::json;

    const CHARSETS: [Charset; 2] = [Charset::Utf8, Charset::Gbk];

    fn read_back(document: &Document) -> Value {
        let content_type = document.content_type().parse().unwrap();
        let raw = RawRequest {
            headers: HeaderMap::from_iter([(CONTENT_TYPE, content_type)]),
            body: document.bytes().clone(),
            ..RawRequest::default()
        };
        Value::Object(body::read(&raw).unwrap())
    }

    #[test]
    fn a_form_has_objects_as_json_strings() {
        let source = r#"{"id":"01","who":{"name":"张𬭎"},"n":1018.10,"none":null}"#;
        for charset in CHARSETS {
            let document = Document::write(BodyKind::Form, charset, source).unwrap();
            let tree = read_back(&document);
            assert_eq!(tree["n"], "1018.10");
            assert_eq!(tree["none"], "");
            let who: Value = serde_json::from_str(tree["who"].as_str().unwrap()).unwrap();
            assert_eq!(who, json!({"name": "张𬭎"}), "{charset}");
        }
    }

    #[test]
    fn json_goes_as_it_stands() {
        let source = "{\n \"b\":1.50, \"a\":\"张\"}\n";
        let document = Document::write(BodyKind::Json, Charset::Utf8, source).unwrap();
        assert_eq!(document.bytes(), source.as_bytes());
        let text = Document::write(BodyKind::Text, Charset::Gbk, "{\"a\":\"𬭎\"}");
        assert!(matches!(text, Err(DocumentError::NotInCharset(_))));
    }

    #[test]
    fn rewriting_needs_an_object() {
        let broken = Document::write(BodyKind::Xml, Charset::Utf8, "{\"a\":");
        let place = DocumentError::NotJson { line: 1, column: 5 };
        assert_eq!(broken, Err(place));
    }

    #[test]
    fn the_look_tells_the_kind() {
        for (source, kind) in [
            (" {\"a\":1}", BodyKind::Json),
            ("<request/>", BodyKind::Xml),
            ("a=1", BodyKind::Form),
            ("hello", BodyKind::Text),
        ] {
            assert_eq!(Document::kind_by_look(source), kind, "{source}");
        }
    }

    #[test]
    fn a_file_may_be_in_the_charset_it_is_sent_in() {
        assert_eq!(source_text(b"\xD5\xC5", Charset::Gbk).unwrap(), "张");
        assert_eq!(source_text("\u{FEFF}张".as_bytes(), Charset::Gbk).unwrap(), "张");
        let error = source_text(b"\xD5\xC5", Charset::Utf8).unwrap_err();
        assert_eq!(error, DocumentError::UnreadableFile(Charset::Utf8));
    }

    /// Trees that all spellings carry: text leaves without blanks around them, and no object without fields.
    fn trees() -> impl Strategy<Value = Value> {
        let text = "[ -~张三é€𬭎😀\n\r]{0,12}".prop_map(|text| Value::String(text.trim().to_owned()));
        let inner = text.clone().prop_recursive(3, 12, 3, |inner| {
            prop::collection::btree_map("[a-zA-Z_]{1,6}", inner, 1..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect()))
        });
        prop::collection::btree_map("[a-zA-Z_]{1,6}", inner, 1..5)
            .prop_map(|fields| Value::Object(fields.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn xml_and_json_carry_the_same_tree(tree in trees(), charset in prop::sample::select(&CHARSETS)) {
            for kind in [BodyKind::Json, BodyKind::Xml] {
                let document = Document::write(kind, charset, &tree.to_string()).unwrap();
                prop_assert_eq!(&read_back(&document), &tree);
            }
        }
    }
}
