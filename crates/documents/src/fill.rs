//! Filling a template: its parts and a document's fields become one SVG text.

use std::collections::BTreeSet;

use crate::draw::FACE_PREFIX;
use crate::error::RenderError;
use crate::fields::{Fields, Row};
use crate::fonts::{EMBEDDED_FACE, FaceId, Fonts};
use crate::lines::{Lines, shorten, wrap};
use crate::markup::{push, push_attribute, push_text};
use crate::placeholder::Overflow;
use crate::qr::push_qr;
use crate::template::{Block, Growth, Item, Piece, Subject, Template};
use crate::text::{UNKNOWN, is_invisible, prepare};

/// A line height that suits hanzi, times the font size.
const LEADING: f32 = 1.5;
/// How small `fit` sets text when the template does not say, times the font size.
const LEAST_SIZE: f32 = 0.6;

/// A filled template.
pub(crate) struct Filled {
    pub(crate) svg: String,
    pub(crate) missing: BTreeSet<char>,
    pub(crate) shortened: BTreeSet<String>,
}

pub(crate) fn fill(template: &Template, fields: &Fields, fonts: &Fonts) -> Result<Filled, RenderError> {
    let mut filler = Filler {
        template,
        fields,
        fonts,
        filled: Filled { svg: String::with_capacity(32 * 1024), missing: BTreeSet::new(), shortened: BTreeSet::new() },
    };
    filler.items(&template.items, None)?;
    Ok(filler.filled)
}

struct Filler<'a> {
    template: &'a Template,
    fields: &'a Fields,
    fonts: &'a Fonts,
    filled: Filled,
}

/// A block's text as it is set.
struct Set {
    lines: Lines,
    /// When it is not the template's own.
    font_size: Option<f32>,
}

impl<'a> Filler<'a> {
    fn items(&mut self, items: &[Item], row: Option<&Row>) -> Result<(), RenderError> {
        for item in items {
            match item {
                Item::Markup(markup) => self.filled.svg.push_str(markup),
                Item::Text(pieces) => self.text(pieces, row),
                Item::Block(index) => {
                    if let Some(block) = self.template.blocks.get(*index) {
                        self.block(block, row);
                    }
                }
                Item::Repeat { group, step, most, body } => self.repeat(group, *step, *most, body)?,
                Item::If { subject, body } => {
                    if self.is_present(subject, row) {
                        self.items(body, row)?;
                    }
                }
                Item::Follow { name, body } => {
                    let growth = self.growth(name);
                    self.moved(growth, body, row)?;
                }
                Item::Qr { name, place } => {
                    let payload = self.fields.qr.get(name).map_or("", |payload| payload);
                    if !payload.is_empty() {
                        push_qr(&mut self.filled.svg, payload, place)
                            .map_err(|_| RenderError::QrTooLong { name: name.clone(), bytes: payload.len() })?;
                    }
                }
            }
        }
        Ok(())
    }

    fn repeat(&mut self, group: &str, step: f32, most: usize, body: &[Item]) -> Result<(), RenderError> {
        let rows = self.rows(group);
        if rows.len() > most {
            self.filled.shortened.insert(group.to_owned());
        }
        let mut down = 0.0;
        for row in rows.iter().take(most) {
            self.moved(down, body, Some(row))?;
            down += step;
        }
        Ok(())
    }

    fn moved(&mut self, down: f32, body: &[Item], row: Option<&Row>) -> Result<(), RenderError> {
        push(&mut self.filled.svg, format_args!("<g transform=\"translate(0 {down})\">"));
        self.items(body, row)?;
        self.filled.svg.push_str("</g>");
        Ok(())
    }

    /// By how many user units a name takes more room than the template shows.
    fn growth(&mut self, name: &str) -> f32 {
        let reasons = self.template.growth.get(name).map_or(&[][..], |reasons| reasons);
        let mut growth = 0.0;
        for reason in reasons {
            growth += match reason {
                Growth::Rows { group, step, most } => step * (small(self.rows(group).len().min(*most)) - 1.0),
                Growth::Gone { subject, step } if !self.is_present(subject, None) => -step,
                Growth::Gone { .. } => 0.0,
                Growth::Lines(index) => self.template.blocks.get(*index).map_or(0.0, |block| {
                    let lines = self.set(block, None).lines.lines.len();
                    leading(block) * small(lines.saturating_sub(1))
                }),
            };
        }
        growth
    }

    fn rows(&self, group: &str) -> &'a [Row] {
        self.fields.groups.get(group).map_or(&[][..], |rows| rows)
    }

    fn is_present(&self, subject: &Subject, row: Option<&Row>) -> bool {
        let visible = |c: char| !c.is_whitespace() && !c.is_control() && !is_invisible(c);
        let filled = |text: &str| text.chars().any(visible);
        match subject {
            Subject::Field(name) => filled(self.value(name)),
            Subject::RowField(name) => filled(row_value(row, name)),
            Subject::Group(name) => !self.rows(name).is_empty(),
            Subject::Qr(name) => self.fields.qr.get(name).is_some_and(|text| !text.is_empty()),
        }
    }

    fn value(&self, name: &str) -> &'a str {
        self.fields.values.get(name).map_or("", |value| value)
    }

    /// Text as it stands in the template, with the fields in their places.
    fn text(&mut self, pieces: &[Piece], row: Option<&Row>) {
        for piece in pieces {
            let value = match piece {
                Piece::Literal(text) => {
                    // A template's own blanks are its author's.
                    self.push_shown(text);
                    continue;
                }
                Piece::Field(name) => self.value(name),
                Piece::RowField(name) => row_value(row, name),
            };
            let line = prepare(value, self.fonts, &mut self.filled.missing);
            self.push_shown(&line);
        }
    }

    fn block(&mut self, block: &Block, row: Option<&Row>) {
        let set = self.set(block, row);
        if set.lines.cut {
            self.filled.shortened.insert(block.name.clone());
        }
        if let Some(size) = set.font_size {
            push(&mut self.filled.svg, format_args!("<tspan style=\"font-size:{size}px\">"));
        }
        for (number, line) in set.lines.lines.iter().enumerate() {
            if number > 0 {
                self.filled.svg.push_str("<tspan");
                push_attribute(&mut self.filled.svg, "x", &block.x);
                push_attribute(&mut self.filled.svg, "dy", &leading(block).to_string());
                self.filled.svg.push('>');
            }
            self.push_shown(line);
            if number > 0 {
                self.filled.svg.push_str("</tspan>");
            }
        }
        if set.font_size.is_some() {
            self.filled.svg.push_str("</tspan>");
        }
    }

    /// Fits a block's text into its width.
    fn set(&mut self, block: &Block, row: Option<&Row>) -> Set {
        let whole = block.pieces.iter().map(|piece| match piece {
            Piece::Literal(text) => text.as_str(),
            Piece::Field(name) => self.value(name),
            Piece::RowField(name) => row_value(row, name),
        });
        let whole: String = whole.collect();
        let text = prepare(&whole, self.fonts, &mut self.filled.missing);
        let em = |c| self.fonts.glyph(c).map_or(1.0, |glyph| glyph.advance_em);
        let advance = |size: f32| move |c| em(c) * size + block.letter_spacing;
        let width = block.layout.width;
        match block.layout.overflow {
            Overflow::Wrap { lines, .. } => {
                Set { lines: wrap(&text, width, lines, advance(block.font_size)), font_size: None }
            }
            Overflow::Shrink { least } => {
                let least = least.unwrap_or(block.font_size * LEAST_SIZE).min(block.font_size);
                let ems: f32 = text.chars().map(em).sum();
                let spacing = small(text.chars().count()) * block.letter_spacing;
                let size = (width - spacing) / ems.max(f32::MIN_POSITIVE);
                let cut = size < least;
                let line = if cut { shorten(&text, width, advance(least)) } else { text };
                Set {
                    lines: Lines { lines: vec![line], cut },
                    font_size: (size < block.font_size).then_some(size.max(least)),
                }
            }
        }
    }

    /// Writes text, naming a face for the characters that the embedded font lacks.
    fn push_shown(&mut self, text: &str) {
        let fonts = self.fonts;
        let mut run = String::new();
        let mut run_face = EMBEDDED_FACE;
        for c in text.chars() {
            let (c, face) = if c.is_control() || is_invisible(c) {
                (c, run_face)
            } else if let Some(glyph) = fonts.glyph(c) {
                (c, glyph.face)
            } else {
                self.filled.missing.insert(c);
                (UNKNOWN, EMBEDDED_FACE)
            };
            if face != run_face {
                self.push_run(&run, run_face);
                run.clear();
                run_face = face;
            }
            run.push(c);
        }
        self.push_run(&run, run_face);
    }

    fn push_run(&mut self, run: &str, face: FaceId) {
        let out = &mut self.filled.svg;
        if face == EMBEDDED_FACE {
            push_text(out, run);
        } else if !run.is_empty() {
            push(out, format_args!("<tspan font-family=\"{FACE_PREFIX}{face}\""));
            // A style sheet's rule for all texts would win over the attribute alone.
            push(out, format_args!(" style=\"font-family:{FACE_PREFIX}{face}\">"));
            push_text(out, run);
            out.push_str("</tspan>");
        }
    }
}

fn row_value<'a>(row: Option<&'a Row>, name: &str) -> &'a str {
    row.and_then(|row| row.get(name)).map_or("", |value| value)
}

fn leading(block: &Block) -> f32 {
    match block.layout.overflow {
        Overflow::Wrap { leading: Some(leading), .. } => leading,
        _ => block.font_size * LEADING,
    }
}

/// A count of rows, lines or characters; exact up to 65,535.
fn small(count: usize) -> f32 {
    u16::try_from(count).map_or(f32::from(u16::MAX), f32::from)
}
