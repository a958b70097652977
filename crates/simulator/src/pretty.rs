//! Answers for human eyes: fields in the order in which they came, which a parsed tree would lose.

use quick_xml::events::Event;
use quick_xml::{Reader, Writer};

/// The text with line breaks and indents where it is JSON or XML, else as it is.
pub fn pretty(text: &str) -> String {
    let trimmed = text.trim();
    let spread = match trimmed.chars().next() {
        Some('{' | '[') => serde_json::from_str::<serde::de::IgnoredAny>(trimmed).is_ok().then(|| json(trimmed)),
        Some('<') => xml(trimmed),
        _ => None,
    };
    spread.unwrap_or_else(|| trimmed.to_owned())
}

/// Valid JSON in, so that only strings need care.
fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut depth = 0_usize;
    let (mut in_string, mut after_backslash, mut just_opened) = (false, false, false);
    for character in text.chars() {
        if in_string {
            out.push(character);
            in_string = after_backslash || character != '"';
            after_backslash = character == '\\' && !after_backslash;
            continue;
        }
        if character.is_ascii_whitespace() {
            continue;
        }
        let closes = matches!(character, '}' | ']');
        depth -= usize::from(closes && depth > 0);
        if just_opened != closes {
            new_line(&mut out, depth);
        }
        out.push(character);
        just_opened = matches!(character, '{' | '[');
        depth += usize::from(just_opened);
        match character {
            ',' => new_line(&mut out, depth),
            ':' => out.push(' '),
            '"' => in_string = true,
            _ => {}
        }
    }
    out
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

fn xml(text: &str) -> Option<String> {
    let mut reader = Reader::from_str(text);
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    loop {
        match reader.read_event().ok()? {
            Event::Eof => break,
            Event::Text(blank) if blank.trim().is_empty() => {}
            event => writer.write_event(event).ok()?,
        }
    }
    String::from_utf8(writer.into_inner()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_its_order_and_its_strings() {
        let text = r#"{"b":"a\\\"{,}","a":[1.50,{}],"e":[]}"#;
        let expected = "{\n  \"b\": \"a\\\\\\\"{,}\",\n  \"a\": [\n    1.50,\n    {}\n  ],\n  \"e\": []\n}";
        assert_eq!(pretty(text), expected);
        assert_eq!(pretty(expected), expected);
    }

    #[test]
    fn xml_is_indented_around_elements_only() {
        assert_eq!(
            pretty("<response> <a>张 三</a><b><c/></b></response>"),
            "<response>\n  <a>张 三</a>\n  <b>\n    <c/>\n  </b>\n</response>"
        );
    }

    #[test]
    fn anything_else_stays_as_it_is() {
        for text in ["plain", "{broken", "<a><b></a>", ""] {
            assert_eq!(pretty(text), text);
        }
    }
}
