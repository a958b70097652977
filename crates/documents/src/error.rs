//! Why a template cannot be used, and why a document cannot be drawn.

use thiserror::Error;

/// A template that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line} of the template: {problem}")]
pub struct TemplateError {
    /// The line of the SVG file, from 1.
    pub line: u32,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong in a template.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// Not XML.
    #[error("not well-formed XML: {0}")]
    Xml(String),
    /// XML, but no SVG.
    #[error("the root element is <{0}>; expected <svg> in the namespace http://www.w3.org/2000/svg")]
    NotSvg(String),
    /// The file is larger than any real template.
    #[error("the file has {bytes} bytes; at most {most} are read")]
    TooLarge {
        /// The file's size.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// Elements in elements in elements.
    #[error("elements are nested more than {0} deep")]
    TooDeep(usize),
    /// `{{` without `}}`, or the reverse, within one run of text.
    #[error(
        "`{0}`: a placeholder must open with {{{{ and close with }}}} within one run of text; \
         does the editor split it by a change of style or by kerning?"
    )]
    Unclosed(String),
    /// The schema has no such field.
    #[error("`{name}` is not a known field{hint}")]
    UnknownField {
        /// The name as written.
        name: String,
        /// Where it was looked for, when that was in a group's rows too.
        hint: String,
    },
    /// The schema has no such group.
    #[error("`{0}` is not a known group of rows")]
    UnknownGroup(String),
    /// The schema has no such QR code.
    #[error("`{0}` is not a known QR code")]
    UnknownQr(String),
    /// The part of a placeholder after `|` does not read.
    #[error("`{directive}`: {reason}; expected wrap=WIDTH,lines=COUNT[,leading=HEIGHT] or fit=WIDTH[,min=SIZE]")]
    BadDirective {
        /// The part as written.
        directive: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An id that starts like one of the template's own, but does not read.
    #[error("id `{id}`: {reason}")]
    BadMarker {
        /// The id as written, after the editor's escapes are undone.
        id: String,
        /// What was expected.
        reason: &'static str,
    },
    /// A placeholder where only a drawing is.
    #[error("`{0}`: placeholders are read in text only, not in attributes")]
    PlaceholderInAttribute(String),
    /// Wrapping and shrinking measure text, so its size must be known.
    #[error("the text `{0}` is wrapped or fitted but not drawn where it stands (hidden, or a symbol's part)")]
    NotDrawn(String),
    /// Repetition within repetition.
    #[error("group `{0}` is repeated within another repeated group")]
    NestedRepeat(String),
    /// `follow-` without anything that grows.
    #[error("`follow-{0}`: nothing of that name grows here (a repeat-{0}-…, an if-{0}-step-…, or a field with wrap)")]
    NothingToFollow(String),
    /// Something that the document would have to fetch.
    #[error("the image `{0}` is linked; embed it (PNG or JPEG as a data: address)")]
    LinkedImage(String),
    /// The SVG library refuses it.
    #[error("cannot be drawn: {0}")]
    Undrawable(String),
}

/// A document that cannot be drawn.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RenderError {
    /// No QR code is large enough.
    #[error("the QR code `{name}` cannot hold {bytes} bytes")]
    QrTooLong {
        /// The QR code's name.
        name: String,
        /// The payload's size.
        bytes: usize,
    },
    /// The filled template is no drawable SVG.
    #[error("the filled template cannot be drawn: {0}")]
    Svg(String),
    /// The PDF writer refuses the drawing.
    #[error("the PDF cannot be written: {0}")]
    Pdf(String),
}
