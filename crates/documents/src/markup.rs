//! Writing SVG: the only place where text becomes markup.

use std::fmt::{Display, Write as _};

/// Appends text so that it reads back as that text and nothing else.
pub(crate) fn push_text(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
}

/// Appends ` name="value"`.
pub(crate) fn push_attribute(out: &mut String, name: &str, value: &str) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '"' => out.push_str("&quot;"),
            // Line breaks within a value would read back as blanks.
            '\n' | '\r' | '\t' => push(out, format_args!("&#{};", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Appends formatted text; a `String` takes it always.
pub(crate) fn push(out: &mut String, text: impl Display) {
    let _ = write!(out, "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use usvg::roxmltree::Document;

    proptest! {
        #[test]
        fn what_is_written_reads_back(text in "\\PC{0,40}", value in "[\\PC\n\t]{0,40}") {
            let mut out = "<a".to_owned();
            push_attribute(&mut out, "b", &value);
            out.push('>');
            push_text(&mut out, &text);
            out.push_str("</a>");
            let document = Document::parse(&out).unwrap();
            let root = document.root_element();
            prop_assert_eq!(root.attribute("b"), Some(value.as_str()));
            prop_assert_eq!(root.text().unwrap_or_default(), text);
        }
    }
}
