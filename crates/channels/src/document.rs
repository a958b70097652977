//! Documents as text, whichever way they travel: their charset, JSON and XML, read into one kind of tree.
//!
//! The tree is `serde_json::Value`; numbers keep their literal text.

use encoding_rs::{Encoding, UTF_8};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Map, Value};

use baoqiao_domain::refusal::Refusal;

/// How deep elements may nest: far deeper than any document does.
const MAX_DEPTH: usize = 32;

pub(crate) fn malformed(reason: impl Into<String>) -> Refusal {
    Refusal::Malformed { reason: reason.into() }
}

/// The content type, empty where there is none.
pub(crate) fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The charset of the content type; UTF-8 where none, or none known, is named.
pub fn charset(headers: &HeaderMap) -> &'static Encoding {
    declared_charset(headers).unwrap_or(UTF_8)
}

fn declared_charset(headers: &HeaderMap) -> Option<&'static Encoding> {
    content_type(headers).split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let label = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("charset").then(|| Encoding::for_label(label.as_bytes()))?
    })
}

/// The body as text. An XML declaration's encoding counts only where the content type names none.
pub(crate) fn decoded(headers: &HeaderMap, body: &[u8]) -> Result<String, Refusal> {
    let encoding = declared_charset(headers).or_else(|| xml_encoding(body)).unwrap_or(UTF_8);
    let bytes = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    text_in(encoding, bytes, "报文")
}

/// Bytes of that charset as text; `what` names them in the refusal.
pub(crate) fn text_in(encoding: &'static Encoding, bytes: &[u8], what: &str) -> Result<String, Refusal> {
    encoding
        .decode_without_bom_handling_and_without_replacement(bytes)
        .map(std::borrow::Cow::into_owned)
        .ok_or_else(|| malformed(format!("{what}不是有效的 {} 编码", encoding.name())))
}

fn xml_encoding(body: &[u8]) -> Option<&'static Encoding> {
    let declaration = body.strip_prefix(b"<?xml")?;
    let end = declaration.windows(2).take(200).position(|pair| pair == b"?>")?;
    let text = std::str::from_utf8(declaration.get(..end)?).ok()?;
    let (_, rest) = text.split_once("encoding=")?;
    Encoding::for_label(rest.split(['"', '\'']).nth(1)?.as_bytes())
}

/// Reads a JSON object.
pub(crate) fn json(text: &str) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(malformed("JSON 顶层应为对象")),
        Err(why) => Err(malformed(format!("JSON 第 {} 行第 {} 列有误", why.line(), why.column()))),
    }
}

/// An element being read: its name, its children, its text.
#[derive(Default)]
struct Element {
    name: String,
    children: Map<String, Value>,
    text: String,
}

impl Element {
    /// Elements with children are objects, others are text; blanks between children, and around a text that was laid
    /// out prettily, mean nothing.
    fn value(self) -> Value {
        if self.children.is_empty() { Value::String(self.text.trim().to_owned()) } else { Value::Object(self.children) }
    }

    /// A repeated name becomes an array.
    fn add(&mut self, name: String, value: Value) {
        match self.children.get_mut(&name) {
            Some(Value::Array(several)) => several.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None => {
                self.children.insert(name, value);
            }
        }
    }
}

/// Reads the one outermost element: its name and its tree. Document types are refused: no entity but the five of XML is ever expanded.
pub(crate) fn xml_document(text: &str) -> Result<(String, Value), Refusal> {
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    loop {
        let position = reader.buffer_position();
        let broken = || malformed(format!("XML 第 {position} 字节处有误"));
        match reader.read_event().map_err(|_| broken())? {
            Event::Start(start) => {
                if open.len() > MAX_DEPTH {
                    return Err(malformed(format!("XML 嵌套超过 {MAX_DEPTH} 层")));
                }
                let name = start.local_name().as_ref().to_owned();
                open.push(Element { name, ..Element::default() });
            }
            Event::Empty(empty) => {
                let name = empty.local_name().as_ref().to_owned();
                open.last_mut().ok_or_else(broken)?.add(name, Value::String(String::new()));
            }
            Event::End(_) => {
                let element = open.pop().ok_or_else(broken)?;
                let parent = open.last_mut().ok_or_else(broken)?;
                let name = element.name.clone();
                parent.add(name, element.value());
            }
            Event::Text(piece) => {
                open.last_mut().ok_or_else(broken)?.text.push_str(&piece);
            }
            Event::CData(piece) => {
                open.last_mut().ok_or_else(broken)?.text.push_str(&piece);
            }
            Event::GeneralRef(reference) => {
                let character = entity(&reference).ok_or_else(broken)?;
                open.last_mut().ok_or_else(broken)?.text.push(character);
            }
            Event::DocType(_) => return Err(malformed("XML 不得含 DOCTYPE")),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    document_element(open)
}

fn entity(reference: &quick_xml::events::BytesRef<'_>) -> Option<char> {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return Some(character);
    }
    match &**reference {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

fn document_element(mut open: Vec<Element>) -> Result<(String, Value), Refusal> {
    let root = open.pop().filter(|_| open.is_empty()).ok_or_else(|| malformed("XML 有未结束的元素"))?;
    let mut elements = root.children.into_iter();
    match (elements.next(), elements.next()) {
        (Some(element), None) if root.text.trim().is_empty() => Ok(element),
        _ => Err(malformed("XML 应为一个元素，内含各字段")),
    }
}
