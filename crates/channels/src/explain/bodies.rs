//! The body as others may have signed it: trimmed, written anew, left out.

use std::fmt::Write as _;

use encoding_rs::Encoding;
use serde_json::Value;

/// How the body that was signed differs from the one that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyChange {
    /// It took no part; nor did the fields of a form.
    LeftOut,
    /// Without the blanks and line breaks at its ends.
    Trimmed,
    /// Without the byte order mark.
    WithoutByteOrderMark,
    /// With line feeds for line breaks.
    LineFeeds,
    /// With carriage returns and line feeds for line breaks.
    CarriageReturns,
    /// Without any line break, as `curl -d @file` sends it.
    WithoutLineBreaks,
    /// JSON that was written anew.
    Json(JsonStyle),
    /// XML without the blanks between its elements.
    XmlWithoutBlanks,
    /// XML without its declaration.
    XmlWithoutDeclaration,
    /// A form that was signed as one text.
    FormAsText,
}

/// How JSON is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonStyle {
    /// Without blanks.
    Compact,
    /// With a blank after each comma and colon.
    Spaced,
    /// Without blanks, all but ASCII as `\uXXXX`.
    CompactAscii,
    /// With blanks, all but ASCII as `\uXXXX`.
    SpacedAscii,
    /// Without blanks, by the names of the fields.
    Sorted,
}

/// Every body that differs from the one that came, those that are likelier first.
pub(super) fn changed(body: &[u8], form: bool, charset: &'static Encoding) -> Vec<(BodyChange, Vec<u8>)> {
    if body.is_empty() {
        return Vec::new();
    }
    let mut found = vec![(BodyChange::LeftOut, Vec::new())];
    if form {
        found.push((BodyChange::FormAsText, body.to_vec()));
        return found;
    }
    let mut add = |change, other: Vec<u8>| {
        if other != body && !other.is_empty() {
            found.push((change, other));
        }
    };
    add(BodyChange::Trimmed, body.trim_ascii().to_vec());
    add(BodyChange::WithoutByteOrderMark, body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).to_vec());
    // Byte by byte is no way through GBK, whose second bytes may be brackets and backslashes.
    let Some(text) = charset.decode_without_bom_handling_and_without_replacement(body) else { return found };
    let mut add_text = |change, other: String| {
        let (bytes, _, lacking) = charset.encode(&other);
        if !lacking {
            add(change, bytes.into_owned());
        }
    };
    let line_feeds = text.replace("\r\n", "\n");
    add_text(BodyChange::CarriageReturns, line_feeds.replace('\n', "\r\n"));
    add_text(BodyChange::LineFeeds, line_feeds);
    add_text(BodyChange::WithoutLineBreaks, text.replace(['\r', '\n'], ""));
    if let Ok(value) = serde_json::from_str::<Value>(&text) {
        add_text(BodyChange::Json(JsonStyle::Compact), rewritten(&text, "", false));
        add_text(BodyChange::Json(JsonStyle::Spaced), rewritten(&text, " ", false));
        add_text(BodyChange::Json(JsonStyle::CompactAscii), rewritten(&text, "", true));
        add_text(BodyChange::Json(JsonStyle::SpacedAscii), rewritten(&text, " ", true));
        add_text(BodyChange::Json(JsonStyle::Sorted), value.to_string());
    } else if text.trim_start().starts_with('<') {
        add_text(BodyChange::XmlWithoutBlanks, without_blanks(&text));
        let declared = text.trim_start().strip_prefix("<?xml").and_then(|rest| rest.split_once("?>"));
        add_text(
            BodyChange::XmlWithoutDeclaration,
            declared.map(|(_, rest)| rest.trim_start()).unwrap_or_default().to_owned(),
        );
    }
    found
}

/// Valid JSON written anew, fields in their order, numbers with their digits.
fn rewritten(json: &str, gap: &str, ascii: bool) -> String {
    let mut written = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            let end = string_end(rest);
            let (token, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            push_string(token, ascii, &mut written);
            rest = after;
            continue;
        }
        if !first.is_ascii_whitespace() {
            written.push(first);
        }
        if matches!(first, ',' | ':') {
            written.push_str(gap);
        }
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
    }
    written
}

/// Where a string of JSON ends, both its quotes included.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return at + 1,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// A string of JSON, its escapes written anew.
fn push_string(token: &str, ascii: bool, written: &mut String) {
    let text: String = serde_json::from_str(token).unwrap_or_default();
    let quoted = Value::String(text).to_string();
    for character in quoted.chars() {
        if ascii && !character.is_ascii() {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(written, "\\u{unit:04x}");
            }
        } else {
            written.push(character);
        }
    }
}

/// XML without the blanks that stand between its elements.
fn without_blanks(xml: &str) -> String {
    let mut kept = String::with_capacity(xml.len());
    for (at, piece) in xml.split('>').enumerate() {
        if at > 0 {
            kept.push('>');
        }
        let blank = piece.trim_start();
        kept.push_str(if blank.is_empty() || blank.starts_with('<') { blank } else { piece });
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::{GBK, UTF_8};
    use proptest::prelude::*;

    fn body(text: &str, change: BodyChange) -> Option<String> {
        let found = changed(text.as_bytes(), false, UTF_8).into_iter().find(|(other, _)| *other == change);
        found.map(|(_, body)| String::from_utf8(body).unwrap())
    }

    #[test]
    fn json_is_written_anew_as_the_usual_libraries_do() {
        let sent = "{\n  \"b\": [1.0, {}],\n  \"a\" : \"张\\/\\u4e09 \\\"𬭎\\\"\"\r\n}\n";
        let json = |style| body(sent, BodyChange::Json(style)).unwrap();
        assert_eq!(json(JsonStyle::Compact), r#"{"b":[1.0,{}],"a":"张/三 \"𬭎\""}"#);
        assert_eq!(json(JsonStyle::Spaced), r#"{"b": [1.0, {}], "a": "张/三 \"𬭎\""}"#);
        assert_eq!(json(JsonStyle::CompactAscii), r#"{"b":[1.0,{}],"a":"\u5f20/\u4e09 \"\ud872\udf4e\""}"#);
        assert_eq!(json(JsonStyle::SpacedAscii), r#"{"b": [1.0, {}], "a": "\u5f20/\u4e09 \"\ud872\udf4e\""}"#);
        assert_eq!(json(JsonStyle::Sorted), r#"{"a":"张/三 \"𬭎\"","b":[1.0,{}]}"#);
        assert_eq!(body("{}", BodyChange::Json(JsonStyle::Compact)), None, "as it came");
        assert_eq!(body("{,}", BodyChange::Json(JsonStyle::Compact)), None, "no JSON");
    }

    #[test]
    fn xml_loses_blanks_between_elements_and_its_declaration() {
        let sent = "<?xml version=\"1.0\"?>\n<r>\n  <a> x > y </a>\n</r>";
        assert_eq!(body(sent, BodyChange::XmlWithoutBlanks).unwrap(), "<?xml version=\"1.0\"?><r><a> x > y </a></r>");
        assert_eq!(body(sent, BodyChange::XmlWithoutDeclaration).unwrap(), "<r>\n  <a> x > y </a>\n</r>");
    }

    #[test]
    fn gbk_is_read_as_characters() {
        // The second byte of 乗 is a backslash.
        let (sent, _, _) = GBK.encode("{ \"a\": \"乗\" }");
        let found = changed(&sent, false, GBK);
        let compact = found.iter().find(|(change, _)| *change == BodyChange::Json(JsonStyle::Compact)).unwrap();
        assert_eq!(GBK.decode_without_bom_handling(&compact.1).0, "{\"a\":\"乗\"}");
    }

    proptest! {
        #[test]
        fn json_written_anew_says_the_same(value in "\\PC{0,12}", number in any::<u64>(), ascii in any::<bool>()) {
            let tree = serde_json::json!({"a": [number, value.clone()], value: null});
            let anew = rewritten(&serde_json::to_string_pretty(&tree).unwrap(), " ", ascii);
            prop_assert_eq!(serde_json::from_str::<Value>(&anew).unwrap(), tree);
            prop_assert!(!ascii || anew.is_ascii());
        }

        #[test]
        fn nothing_panics(body in prop::collection::vec(any::<u8>(), 0..80), form in any::<bool>()) {
            let _ = changed(&body, form, UTF_8);
            let _ = changed(&body, form, GBK);
        }
    }
}
