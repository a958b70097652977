//! The template's own tree: what of an editor's SVG file is drawn, with the line that each part came from.
//!
//! Entities are expanded and foreign markup (an editor's metadata, its private elements and attributes) is left
//! behind, so that what is written out again for each document is small and knows no other namespaces.

use crate::error::{Problem, TemplateError};
use usvg::roxmltree;

/// No template of a page comes near; embedded images included.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// Bounds the recursion here and in the SVG library.
const MOST_DEEP: usize = 64;

const SVG: &str = "http://www.w3.org/2000/svg";
const XLINK: &str = "http://www.w3.org/1999/xlink";
const INKSCAPE: &str = "http://www.inkscape.org/namespaces/inkscape";

/// An element of the SVG namespace.
#[derive(Debug, Clone)]
pub(crate) struct Element {
    pub(crate) name: String,
    /// As written out: `xlink:` and `xml:` are the only prefixes.
    pub(crate) attributes: Vec<(String, String)>,
    /// Names that the author gave it: its id, and the layer or object name that Inkscape and Illustrator keep beside
    /// the id.
    pub(crate) labels: Vec<String>,
    pub(crate) children: Vec<Node>,
    pub(crate) line: u32,
}

/// A part of the drawing.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Element(Element),
    Text { text: String, line: u32 },
}

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Reads the SVG file of a template.
pub(crate) fn read(svg: &str) -> Result<Element, TemplateError> {
    if svg.len() > MOST_BYTES {
        let problem = Problem::TooLarge { bytes: svg.len(), most: MOST_BYTES };
        return Err(TemplateError { line: 1, problem });
    }
    // Illustrator writes its namespaces as entities of a document type.
    let options =
        roxmltree::ParsingOptions { allow_dtd: true, nodes_limit: 200_000, ..roxmltree::ParsingOptions::default() };
    let document = roxmltree::Document::parse_with_options(svg, options)
        .map_err(|error| TemplateError { line: error.pos().row, problem: Problem::Xml(error.to_string()) })?;
    let reader =
        Reader { line_starts: std::iter::once(0).chain(svg.match_indices('\n').map(|(at, _)| at + 1)).collect() };
    let root = document.root_element();
    if root.tag_name().namespace() != Some(SVG) || root.tag_name().name() != "svg" {
        return Err(TemplateError {
            line: reader.line(root),
            problem: Problem::NotSvg(root.tag_name().name().to_owned()),
        });
    }
    reader.element(root, 0)
}

struct Reader {
    line_starts: Vec<usize>,
}

impl Reader {
    fn line(&self, node: roxmltree::Node) -> u32 {
        let at = node.range().start;
        let line = self.line_starts.partition_point(|start| *start <= at);
        u32::try_from(line).unwrap_or(u32::MAX)
    }

    fn element(&self, node: roxmltree::Node, depth: usize) -> Result<Element, TemplateError> {
        let line = self.line(node);
        if depth > MOST_DEEP {
            let problem = Problem::TooDeep(MOST_DEEP);
            return Err(TemplateError { line, problem });
        }
        let mut children = Vec::new();
        for child in node.children() {
            if child.is_element() {
                if is_drawn(child) {
                    children.push(Node::Element(self.element(child, depth + 1)?));
                }
            } else if let Some(text) = child.text().filter(|_| child.is_text()) {
                children.push(Node::Text { text: text.to_owned(), line: self.line(child) });
            }
        }
        Ok(Element {
            name: node.tag_name().name().to_owned(),
            attributes: node.attributes().filter_map(kept_attribute).collect(),
            labels: labels(node),
            children,
            line,
        })
    }
}

fn is_drawn(node: roxmltree::Node) -> bool {
    let tag = node.tag_name();
    let undrawn = ["metadata", "title", "desc", "script", "foreignObject"];
    tag.namespace() == Some(SVG) && !undrawn.contains(&tag.name())
}

fn kept_attribute(attribute: roxmltree::Attribute) -> Option<(String, String)> {
    let name = attribute.name();
    let kept = match attribute.namespace() {
        None => name.to_owned(),
        Some(XLINK) => format!("xlink:{name}"),
        Some(roxmltree::NS_XML_URI) if name == "space" => "xml:space".to_owned(),
        Some(_) => return None,
    };
    Some((kept, attribute.value().to_owned()))
}

fn labels(node: roxmltree::Node) -> Vec<String> {
    let given = [node.attribute("id"), node.attribute("data-name"), node.attribute((INKSCAPE, "label"))];
    given.into_iter().flatten().map(unescape_id).collect()
}

/// Undoes Illustrator's escapes: `_x5F_` for `_`, and `_2_` at the end of an id that it had to make unique.
fn unescape_id(id: &str) -> String {
    let mut plain = String::with_capacity(id.len());
    let mut rest = id;
    while let Some(at) = rest.find("_x") {
        let (before, escape) = rest.split_at(at);
        plain.push_str(before);
        let code = escape.get(2..).and_then(|tail| tail.split_once('_')).and_then(|(code, tail)| {
            let character = char::from_u32(u32::from_str_radix(code, 16).ok()?)?;
            Some((character, tail))
        });
        if let Some((character, tail)) = code {
            plain.push(character);
            rest = tail;
        } else {
            plain.push_str("_x");
            rest = escape.get(2..).unwrap_or_default();
        }
    }
    plain.push_str(rest);
    let numbered = plain
        .strip_suffix('_')
        .and_then(|head| head.rsplit_once('_'))
        .filter(|(_, number)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
        .map(|(head, _)| head.to_owned());
    numbered.unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn illustrators_escapes_are_undone() {
        assert_eq!(unescape_id("if-subject_x5F_name"), "if-subject_name");
        assert_eq!(unescape_id("if_x2D_subject_x5F_name_2_"), "if-subject_name");
        assert_eq!(unescape_id("repeat-parties-step-20"), "repeat-parties-step-20");
        assert_eq!(unescape_id("_x"), "_x");
        assert_eq!(unescape_id("_xZZ_a"), "_xZZ_a");
    }

    #[test]
    fn foreign_markup_is_left_behind_and_entities_are_expanded() {
        let root = read(
            r#"<!DOCTYPE svg [<!ENTITY who "A&#38;B">]>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:i="http://www.inkscape.org/namespaces/inkscape" i:version="1">
  <metadata>x</metadata><i:page/>
  <g i:label="if-seller" id="g1"><text>&who;</text></g>
</svg>"#,
        )
        .unwrap();
        assert!(root.attributes.is_empty());
        let elements = root.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text { .. } => None,
        });
        let elements: Vec<_> = elements.collect();
        let [group] = elements.as_slice() else {
            panic!("one element expected: {elements:?}");
        };
        assert_eq!((group.line, group.name.as_str()), (4, "g"));
        assert_eq!(group.labels, ["g1", "if-seller"]);
        let printed = format!("{group:?}");
        assert!(printed.contains("A&B"), "{printed}");
    }

    #[test]
    fn errors_say_the_line() {
        let error = read("<svg xmlns='http://www.w3.org/2000/svg'>\n<g>\n</svg>").unwrap_err();
        assert_eq!(error.line, 3);
        let error = read("<!-- a -->\n<html/>").unwrap_err();
        assert_eq!(error.line, 2);
        assert_eq!(error.problem, Problem::NotSvg("html".to_owned()));
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep =
            format!("<svg xmlns='http://www.w3.org/2000/svg'>{}{}</svg>", "<g>".repeat(60_000), "</g>".repeat(60_000));
        assert_eq!(read(&deep).unwrap_err().problem, Problem::TooDeep(MOST_DEEP));
    }
}
