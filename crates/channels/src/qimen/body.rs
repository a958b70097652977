//! Bodies of Qimen calls, in three spellings that come to one tree (protocols.md §2).
//!
//! The tree is `serde_json::Value` with numbers kept as their literal text, so that an amount sent as a JSON
//! number is as exact as one sent as a string.

use encoding_rs::{Encoding, UTF_8};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Map, Value};

use super::parameters::pairs;
use crate::channel::RawRequest;
use baoqiao_domain::refusal::Refusal;

/// How deep elements may nest: far deeper than any document does.
const MAX_DEPTH: usize = 32;

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

fn content_type(headers: &HeaderMap) -> &str {
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

/// Reads the body into one object.
///
/// # Errors
/// [`Refusal::Malformed`] when it is not what its content type says, or not in its charset.
pub fn read(raw: &RawRequest) -> Result<Map<String, Value>, Refusal> {
    match BodyKind::of(&raw.headers) {
        BodyKind::Form => form(raw),
        BodyKind::Json => json(&decoded(raw)?),
        BodyKind::Xml => xml(&decoded(raw)?),
        BodyKind::Text => {
            let text = decoded(raw)?;
            if text.trim_start().starts_with('<') { xml(&text) } else { json(&text) }
        }
    }
}

fn malformed(reason: impl Into<String>) -> Refusal {
    Refusal::Malformed { reason: reason.into() }
}

/// The body as text. An XML declaration's encoding counts only where the content type names none.
fn decoded(raw: &RawRequest) -> Result<String, Refusal> {
    let encoding = declared_charset(&raw.headers).or_else(|| xml_encoding(&raw.body)).unwrap_or(UTF_8);
    let bytes = raw.body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&raw.body);
    text_in(encoding, bytes, "报文")
}

fn text_in(encoding: &'static Encoding, bytes: &[u8], what: &str) -> Result<String, Refusal> {
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

fn json(text: &str) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(malformed("JSON 顶层应为对象")),
        Err(why) => Err(malformed(format!("JSON 第 {} 行第 {} 列有误", why.line(), why.column()))),
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

/// Reads `<request>…</request>`. Document types are refused: no entity but the five of XML is ever expanded.
fn xml(text: &str) -> Result<Map<String, Value>, Refusal> {
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

fn document_element(mut open: Vec<Element>) -> Result<Map<String, Value>, Refusal> {
    let root = open.pop().filter(|_| open.is_empty()).ok_or_else(|| malformed("XML 有未结束的元素"))?;
    let mut elements = root.children.into_iter();
    match (elements.next(), elements.next()) {
        (Some((_, Value::Object(object))), None) if root.text.trim().is_empty() => Ok(object),
        (Some((_, Value::String(text))), None) if text.trim().is_empty() => Ok(Map::new()),
        _ => Err(malformed("XML 应为一个 <request> 元素，内含各字段")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
