//! A template, checked and made ready to be filled.

use std::collections::{BTreeMap, BTreeSet};

use crate::compile;
use crate::error::TemplateError;
use crate::placeholder::Layout;
use crate::schema::Schema;
use crate::source;

/// An SVG template whose placeholders are all known, ready to be filled again and again. `docs/templates.md` says
/// what a template may contain.
#[derive(Debug, Clone)]
pub struct Template {
    pub(crate) items: Vec<Item>,
    /// Texts with a directive, by their place in [`Item::Block`].
    pub(crate) blocks: Vec<Block>,
    /// What makes a name grow or shrink, for `follow-`.
    pub(crate) growth: BTreeMap<String, Vec<Growth>>,
    /// User units to points.
    pub(crate) points_per_pixel: f32,
    pub(crate) names: BTreeSet<String>,
}

impl Template {
    /// Reads a template and checks it against the names that the caller fills.
    ///
    /// # Errors
    ///
    /// Names the line and what is wrong there: no SVG, an unknown name, a directive that does not read, …
    pub fn parse(svg: &str, known: &Schema) -> Result<Self, TemplateError> {
        compile::compile(&source::read(svg)?, known)
    }

    /// The fields, groups (`group`), row fields (`group.field`) and QR codes that this template shows.
    pub fn names(&self) -> &BTreeSet<String> {
        &self.names
    }
}

/// A part of a template.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    /// Written as it is.
    Markup(String),
    /// Text with placeholders.
    Text(Vec<Piece>),
    /// Text that is wrapped or fitted: an index into [`Template::blocks`].
    Block(usize),
    /// Written once per row, each further down.
    Repeat { group: String, step: f32, most: usize, body: Vec<Item> },
    /// Written only when there is something to show.
    If { subject: Subject, body: Vec<Item> },
    /// Moved by the growth of a name.
    Follow { name: String, body: Vec<Item> },
    /// A QR code.
    Qr { name: String, place: QrPlace },
}

/// A piece of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Literal(String),
    Field(String),
    /// A field of the row that is being written.
    RowField(String),
}

/// What an `if-` looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    Field(String),
    RowField(String),
    Group(String),
    Qr(String),
}

/// Text with a directive.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) layout: Layout,
    /// How the text is named when it has to be cut: `field` or `group.field`.
    pub(crate) name: String,
    /// Where further lines start, as the template writes it.
    pub(crate) x: String,
    /// User units.
    pub(crate) font_size: f32,
    /// User units, after each character.
    pub(crate) letter_spacing: f32,
    pub(crate) line: u32,
}

/// One reason for a name to grow.
#[derive(Debug, Clone)]
pub(crate) enum Growth {
    Rows {
        group: String,
        step: f32,
        most: usize,
    },
    Gone {
        subject: Subject,
        step: f32,
    },
    /// An index into [`Template::blocks`].
    Lines(usize),
}

/// The square that a QR code fills, in user units, and the transform of the rectangle that it replaces.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct QrPlace {
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) side: f32,
    pub(crate) transform: Option<String>,
}
