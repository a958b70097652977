//! A tree as `<request>`, the spelling in which XML calls come.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// A tree that XML cannot carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// A field's name is no element name.
    #[error("field name {0:?} cannot be an XML element")]
    Name(String),
    /// XML 1.0 has no way to write it.
    #[error("field {field:?} has the character {character:?}, which XML cannot carry")]
    Character {
        /// The innermost field.
        field: String,
        /// The character.
        character: char,
    },
}

/// Writes `<request>…</request>`: objects nest, arrays repeat their element, `null` is an empty one.
pub(super) fn request(tree: &Map<String, Value>) -> Result<String, XmlError> {
    let mut out = String::from("<request>");
    fields(&mut out, tree)?;
    out.push_str("</request>");
    Ok(out)
}

fn fields(out: &mut String, tree: &Map<String, Value>) -> Result<(), XmlError> {
    for (name, value) in tree {
        match value {
            Value::Array(several) => {
                for one in several {
                    element(out, name, one)?;
                }
            }
            one => element(out, name, one)?,
        }
    }
    Ok(())
}

fn element(out: &mut String, name: &str, value: &Value) -> Result<(), XmlError> {
    if !is_element_name(name) {
        return Err(XmlError::Name(name.to_owned()));
    }
    let _ = write!(out, "<{name}>");
    match value {
        Value::Null => {}
        Value::Object(tree) => fields(out, tree)?,
        Value::String(content) => text(out, name, content)?,
        // An array within an array has no spelling of its own in these documents: it travels as JSON.
        other => text(out, name, &other.to_string())?,
    }
    let _ = write!(out, "</{name}>");
    Ok(())
}

/// The names of the documents and a margin; colons would be namespaces.
fn is_element_name(name: &str) -> bool {
    let starts = |c: char| c.is_alphabetic() || c == '_';
    name.chars().next().is_some_and(starts)
        && name.chars().all(|c| starts(c) || c.is_ascii_digit() || c == '-' || c == '.')
}

fn text(out: &mut String, field: &str, content: &str) -> Result<(), XmlError> {
    for character in content.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(character),
            '\0'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => {
                return Err(XmlError::Character { field: field.to_owned(), character });
            }
            _ => out.push(character),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(tree: &Value) -> Result<String, XmlError> {
        request(tree.as_object().unwrap())
    }

    #[test]
    fn a_tree_is_spelt_as_elements() {
        assert_eq!(
            written(&json!({"a": "<&>", "b": {"c": 1.50}, "d": ["1", "2"], "e": null})).unwrap(),
            "<request><a>&lt;&amp;&gt;</a><b><c>1.5</c></b><d>1</d><d>2</d><e></e></request>"
        );
    }

    #[test]
    fn what_xml_cannot_carry_is_refused() {
        assert_eq!(written(&json!({"a b": "1"})), Err(XmlError::Name("a b".to_owned())));
        let error = written(&json!({"a": {"b": "\u{1}"}})).unwrap_err();
        assert_eq!(error.to_string(), "field \"b\" has the character '\\u{1}', which XML cannot carry");
    }
}
