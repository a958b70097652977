//! Filling a template and drawing it.

use crate::draw;
use crate::error::RenderError;
use crate::fields::Fields;
use crate::fill::{Filled, fill};
use crate::fonts::Fonts;
use crate::template::Template;

/// What the PDF says about itself. All of it is part of the input: the same input gives the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentInfo {
    /// Shown by viewers as the window's title.
    pub title: String,
    /// The insurer.
    pub author: String,
    /// When the document was made, as the ledger knows it; written in GMT+8.
    pub created: jiff::Timestamp,
}

/// A document, and what of its fields it could not show as given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The PDF file: one page.
    pub pdf: Vec<u8>,
    /// Characters that no font has, in code point order; 〓 stands in their place.
    pub missing: Vec<char>,
    /// What was too long for its place, sorted: fields (`field`, or `group.field` for a row's) that end in an ellipsis,
    /// and groups (`group`) with rows that are not shown.
    pub shortened: Vec<String>,
}

/// Fills a template and draws it as a PDF of one page.
///
/// # Errors
///
/// A QR code's payload is too long; or the drawing libraries refuse the filled template, which a template that was
/// parsed does not lead to.
pub fn render(
    template: &Template,
    fields: &Fields,
    fonts: &Fonts,
    info: &DocumentInfo,
) -> Result<Rendered, RenderError> {
    let Filled { svg, missing, shortened } = fill(template, fields, fonts)?;
    let tree = draw::tree(&svg, &fonts.set()).map_err(RenderError::Svg)?;
    Ok(Rendered {
        pdf: draw::pdf(&tree, template.points_per_pixel, info, fonts)?,
        missing: missing.into_iter().collect(),
        shortened: shortened.into_iter().collect(),
    })
}
