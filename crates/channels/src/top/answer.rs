//! What an answer says, in JSON or XML: a success envelope, an error, or nothing that can be understood.
//!
//! The spelling is told by the body's first character, not by what was asked for: an error about `format` itself
//! comes in whatever spelling the platform likes.

use bytes::Bytes;
use encoding_rs::GB18030;
use http::HeaderMap;
use serde_json::{Map, Value};

use crate::document::{decoded, json, xml_document};

/// What stands in `error_response`. Texts that are absent are empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PlatformError {
    /// `code`, a number in every spelling; `None` when absent or no number.
    pub(super) code: Option<u32>,
    /// `sub_code`, in lower case.
    pub(super) sub_code: String,
    /// `msg`.
    pub(super) msg: String,
    /// `sub_msg`.
    pub(super) sub_msg: String,
    /// `request_id`, by which the platform's people find the call.
    pub(super) request_id: String,
}

/// An answer's body, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// `error_response`.
    Error(PlatformError),
    /// The fields of `<method>_response`.
    Success(Map<String, Value>),
    /// Anything else, with what is wrong.
    Unintelligible(&'static str),
}

/// Reads the answer to a call of `method`.
pub(super) fn read(headers: &HeaderMap, body: &Bytes, method: &str) -> Answer {
    let text = text_of(headers, body);
    let text = text.trim();
    let fields = match text.chars().next() {
        None => return Answer::Unintelligible("empty body"),
        Some('{') => json(text).ok(),
        Some('<') => xml_document(text).ok().map(|(root, value)| Map::from_iter([(root, value)])),
        Some(_) => return Answer::Unintelligible("neither JSON nor XML"),
    };
    let Some(mut fields) = fields else { return Answer::Unintelligible("broken JSON or XML") };
    if let Some(error) = fields.remove("error_response") {
        return match error {
            Value::Object(error) => Answer::Error(platform_error(&error)),
            _ => Answer::Unintelligible("error_response without fields"),
        };
    }
    match envelope_names(method).iter().find_map(|name| fields.remove(name)) {
        Some(Value::Object(fields)) => Answer::Success(fields),
        // `<x_response/>` and `{"x_response":""}`: an envelope with nothing in it.
        Some(Value::String(text)) if text.trim().is_empty() => Answer::Success(Map::new()),
        Some(_) => Answer::Unintelligible("an envelope that is no object"),
        None => Answer::Unintelligible("the envelope of no answer to this method"),
    }
}

/// The names that the envelope of an answer may have. The rule is the method with `.` as `_`; the auction
/// document's own example drops the leading `taobao`, as the platform does for its oldest methods.
fn envelope_names(method: &str) -> [String; 2] {
    let name = |method: &str| format!("{}_response", method.replace('.', "_"));
    [name(method), name(method.strip_prefix("taobao.").unwrap_or(method))]
}

/// The body as text. What decides is ASCII, so a wrongly declared charset spoils only the words for people.
fn text_of(headers: &HeaderMap, body: &Bytes) -> String {
    if let Ok(text) = decoded(headers, body) {
        return text;
    }
    let gbk = GB18030.decode_without_bom_handling_and_without_replacement(body);
    gbk.map_or_else(|| String::from_utf8_lossy(body).into_owned(), std::borrow::Cow::into_owned)
}

fn platform_error(fields: &Map<String, Value>) -> PlatformError {
    PlatformError {
        code: text(fields, "code").parse().ok(),
        sub_code: text(fields, "sub_code").to_ascii_lowercase(),
        msg: text(fields, "msg"),
        sub_msg: text(fields, "sub_msg"),
        request_id: text(fields, "request_id"),
    }
}

/// A field as text without blanks around it; empty where it is absent or holds more than one value.
pub(super) fn text(fields: &Map<String, Value>, name: &str) -> String {
    match fields.get(name) {
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        None | Some(Value::Null | Value::Array(_) | Value::Object(_)) => String::new(),
    }
}

/// A truth in every spelling; `None` where it is absent or neither.
pub(super) fn truth(fields: &Map<String, Value>, name: &str) -> Option<bool> {
    match text(fields, name).to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}
