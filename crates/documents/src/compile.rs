//! From the template's tree to what is written for each document, with every name checked.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Problem, TemplateError};
use crate::fonts::Fonts;
use crate::marker::{self, Marker};
use crate::markup::{push_attribute, push_text};
use crate::placeholder::{self, Overflow, Part, Run};
use crate::probe;
use crate::schema::{Group, Schema};
use crate::source::{Element, Node};
use crate::template::{Block, Growth, Item, Piece, QrPlace, Subject, Template};

/// Points of a CSS pixel, 1/96 inch.
const POINTS_PER_CSS_PIXEL: f32 = 0.75;

pub(crate) fn compile(root: &Element, known: &Schema) -> Result<Template, TemplateError> {
    let mut compiler = Compiler {
        known,
        fonts: &Fonts::embedded_only(),
        blocks: Vec::new(),
        growth: BTreeMap::new(),
        follows: Vec::new(),
        names: BTreeSet::new(),
    };
    let mut items = Vec::new();
    compiler.plain_element(root, Scope::default(), &mut items)?;
    for (name, line) in &compiler.follows {
        if !compiler.growth.contains_key(name) {
            return Err(at(*line, Problem::NothingToFollow(name.clone())));
        }
    }
    let mut template = Template {
        items,
        blocks: compiler.blocks,
        growth: compiler.growth,
        points_per_pixel: points_per_pixel(root),
        names: compiler.names,
    };
    probe::measure_text_sizes(&mut template, root.line)?;
    Ok(template)
}

/// A page measured in millimetres (or cm, in, pt, pc) has that size. Bare numbers and `px` count as points: Illustrator
/// writes its points so.
fn points_per_pixel(root: &Element) -> f32 {
    let width = root.attribute("width").unwrap_or_default().trim();
    let physical = ["mm", "cm", "in", "pt", "pc"];
    if physical.iter().any(|unit| width.ends_with(unit)) { POINTS_PER_CSS_PIXEL } else { 1.0 }
}

fn at(line: u32, problem: Problem) -> TemplateError {
    TemplateError { line, problem }
}

/// What surrounds an element.
#[derive(Default, Clone, Copy)]
struct Scope<'a> {
    /// The group whose rows are being repeated.
    group: Option<&'a Group>,
    in_text: bool,
    /// The text holds a placeholder, so that places for single letters mean nothing.
    filled_text: bool,
    /// The nearest `x` within the text.
    x: Option<&'a str>,
}

struct Compiler<'a> {
    known: &'a Schema,
    fonts: &'a Fonts,
    blocks: Vec<Block>,
    growth: BTreeMap<String, Vec<Growth>>,
    follows: Vec<(String, u32)>,
    names: BTreeSet<String>,
}

impl<'a> Compiler<'a> {
    fn element(&mut self, element: &'a Element, scope: Scope<'a>, out: &mut Vec<Item>) -> Result<(), TemplateError> {
        let line = element.line;
        let Some((label, marker)) = find_marker(element) else {
            return self.plain_element(element, scope, out);
        };
        let marker = marker.map_err(|reason| {
            let id = label.to_owned();
            at(line, Problem::BadMarker { id, reason })
        })?;
        if scope.in_text && !matches!(marker, Marker::If { .. }) {
            let reason = "within a text only `if-` has a meaning; name the group around the text";
            let id = label.to_owned();
            return Err(at(line, Problem::BadMarker { id, reason }));
        }
        match marker {
            Marker::Repeat { group, step, most } => {
                let scope = self.enter_group(&group, scope, line)?;
                let body = self.body(element, scope)?;
                self.names.insert(group.clone());
                self.grows(&group, || Growth::Rows { group: group.clone(), step, most });
                out.push(Item::Repeat { group, step, most, body });
            }
            Marker::If { name, step } => {
                let subject = self.subject(&name, scope, line)?;
                let body = self.body(element, scope)?;
                if step > 0.0 && !matches!(subject, Subject::RowField(_)) {
                    let subject = subject.clone();
                    self.grows(&name, || Growth::Gone { subject, step });
                }
                out.push(Item::If { subject, body });
            }
            Marker::Follow { name } => {
                let body = self.body(element, scope)?;
                self.follows.push((name.clone(), line));
                out.push(Item::Follow { name, body });
            }
            Marker::Qr { name } => {
                if !self.known.has_qr(&name) {
                    return Err(at(line, Problem::UnknownQr(name)));
                }
                let place = qr_place(element).ok_or_else(|| {
                    let reason = "a QR code replaces a <rect> with x, y, width and height in user units";
                    let id = label.to_owned();
                    at(line, Problem::BadMarker { id, reason })
                })?;
                self.names.insert(name.clone());
                out.push(Item::Qr { name, place });
            }
        }
        Ok(())
    }

    fn grows(&mut self, name: &str, growth: impl FnOnce() -> Growth) {
        self.growth.entry(name.to_owned()).or_default().push(growth());
    }

    fn enter_group(&self, name: &str, scope: Scope<'a>, line: u32) -> Result<Scope<'a>, TemplateError> {
        if scope.group.is_some() {
            return Err(at(line, Problem::NestedRepeat(name.to_owned())));
        }
        match self.known.group(name) {
            None => Err(at(line, Problem::UnknownGroup(name.to_owned()))),
            group => Ok(Scope { group, ..scope }),
        }
    }

    fn body(&mut self, element: &'a Element, scope: Scope<'a>) -> Result<Vec<Item>, TemplateError> {
        let mut body = Vec::new();
        self.plain_element(element, scope, &mut body)?;
        Ok(body)
    }

    /// The element itself, whatever its name asks for.
    fn plain_element(
        &mut self,
        element: &'a Element,
        scope: Scope<'a>,
        out: &mut Vec<Item>,
    ) -> Result<(), TemplateError> {
        check_attributes(element)?;
        let starts_text = element.name == "text" && !scope.in_text;
        let scope = Scope {
            in_text: scope.in_text || starts_text,
            filled_text: scope.filled_text || (starts_text && holds_placeholder(element)),
            x: element.attribute("x").or(if starts_text { None } else { scope.x }),
            ..scope
        };
        markup(out, |out| open_tag(out, element, scope));
        for child in &element.children {
            match child {
                Node::Element(child) => self.element(child, scope, out)?,
                Node::Text { text, line } if scope.in_text => {
                    self.text(text, *line, scope, out)?;
                }
                Node::Text { text, .. } if element.name == "style" => {
                    markup(out, |out| push_text(out, text));
                }
                Node::Text { .. } => {}
            }
        }
        markup(out, |out| {
            out.push_str("</");
            out.push_str(&element.name);
            out.push('>');
        });
        Ok(())
    }

    fn text(&mut self, text: &str, line: u32, scope: Scope<'a>, out: &mut Vec<Item>) -> Result<(), TemplateError> {
        let line = line + text.split("{{").next().map_or(0, count_lines);
        let run = placeholder::read(text).map_err(|problem| at(line, problem))?;
        let Some(Run { parts, layout }) = run else {
            if self.fonts.not_embedded(text).is_empty() {
                markup(out, |out| push_text(out, text));
            } else {
                out.push(Item::Text(vec![Piece::Literal(text.to_owned())]));
            }
            return Ok(());
        };
        let pieces = parts.into_iter().map(|part| match part {
            Part::Literal(text) => Ok(Piece::Literal(text)),
            Part::Field(name) => self.piece(name, scope, line),
        });
        let pieces = pieces.collect::<Result<Vec<_>, _>>()?;
        let Some(layout) = layout else {
            out.push(Item::Text(pieces));
            return Ok(());
        };
        let index = self.blocks.len();
        let field = layout.field.clone();
        if scope.group.is_none() && matches!(layout.overflow, Overflow::Wrap { .. }) {
            self.grows(&field, || Growth::Lines(index));
        }
        self.blocks.push(Block {
            name: match scope.group {
                Some(group) if pieces.contains(&Piece::RowField(field.clone())) => {
                    format!("{}.{field}", group.name)
                }
                _ => field,
            },
            pieces,
            layout,
            x: scope.x.and_then(first_number).unwrap_or("0").to_owned(),
            font_size: 0.0,
            letter_spacing: 0.0,
            line,
        });
        out.push(Item::Block(index));
        Ok(())
    }

    fn piece(&mut self, name: String, scope: Scope<'a>, line: u32) -> Result<Piece, TemplateError> {
        if let Some(group) = scope.group
            && group.fields.iter().any(|field| field.name == name)
        {
            self.names.insert(format!("{}.{name}", group.name));
            return Ok(Piece::RowField(name));
        }
        if self.known.has_field(&name) {
            self.names.insert(name.clone());
            return Ok(Piece::Field(name));
        }
        Err(unknown(name, scope, line))
    }

    fn subject(&self, name: &str, scope: Scope<'a>, line: u32) -> Result<Subject, TemplateError> {
        let of_row = |group: &Group| group.fields.iter().any(|field| field.name == name);
        let name = name.to_owned();
        if scope.group.is_some_and(of_row) {
            Ok(Subject::RowField(name))
        } else if self.known.has_field(&name) {
            Ok(Subject::Field(name))
        } else if self.known.group(&name).is_some() {
            Ok(Subject::Group(name))
        } else if self.known.has_qr(&name) {
            Ok(Subject::Qr(name))
        } else {
            Err(unknown(name, scope, line))
        }
    }
}

fn unknown(name: String, scope: Scope, line: u32) -> TemplateError {
    let hint = match scope.group {
        Some(group) => format!(", nor one of a row of `{}`", group.name),
        None => String::new(),
    };
    at(line, Problem::UnknownField { name, hint })
}

fn find_marker(element: &Element) -> Option<(&str, Result<Marker, &'static str>)> {
    let mut labels = element.labels.iter();
    labels.find_map(|label| Some((label.as_str(), marker::read(label)?)))
}

fn check_attributes(element: &Element) -> Result<(), TemplateError> {
    for (name, value) in &element.attributes {
        if value.contains("{{") {
            let problem = Problem::PlaceholderInAttribute(format!("{name}=\"{value}\""));
            return Err(at(element.line, problem));
        }
        let linked = name == "href" || name == "xlink:href";
        let embedded = value.trim_start().starts_with("data:image/") && !value.contains("svg");
        if element.name == "image" && linked && !embedded {
            let start: String = value.chars().take(60).collect();
            return Err(at(element.line, Problem::LinkedImage(start)));
        }
    }
    Ok(())
}

fn holds_placeholder(element: &Element) -> bool {
    element.children.iter().any(|child| match child {
        Node::Element(child) => holds_placeholder(child),
        Node::Text { text, .. } => text.contains("{{"),
    })
}

/// Appends markup, to the markup that is already last if any.
fn markup(out: &mut Vec<Item>, write: impl FnOnce(&mut String)) {
    if let Some(Item::Markup(last)) = out.last_mut() {
        write(last);
    } else {
        let mut text = String::new();
        write(&mut text);
        out.push(Item::Markup(text));
    }
}

fn open_tag(out: &mut String, element: &Element, scope: Scope) {
    out.push('<');
    out.push_str(&element.name);
    if element.name == "svg" {
        out.push_str(" xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\"");
    }
    for (name, value) in &element.attributes {
        let per_letter = ["x", "y", "dx", "dy", "rotate"].contains(&name.as_str());
        if scope.filled_text && per_letter {
            push_attribute(out, name, first_number(value).unwrap_or("0"));
        } else if !(scope.filled_text && name == "textLength") {
            push_attribute(out, name, value);
        }
    }
    out.push('>');
}

fn first_number(list: &str) -> Option<&str> {
    let mut numbers = list.split([' ', ',', '\t', '\n', '\r']);
    numbers.find(|number| !number.is_empty())
}

fn count_lines(text: &str) -> u32 {
    u32::try_from(text.matches('\n').count()).unwrap_or(u32::MAX)
}

fn qr_place(element: &Element) -> Option<QrPlace> {
    let number = |name: &str, default: Option<f32>| match element.attribute(name) {
        Some(value) => {
            let value = value.trim();
            let value = value.strip_suffix("px").unwrap_or(value);
            value.parse::<f32>().ok().filter(|number| number.is_finite())
        }
        None => default,
    };
    if element.name != "rect" {
        return None;
    }
    let (x, y) = (number("x", Some(0.0))?, number("y", Some(0.0))?);
    let (width, height) = (number("width", None)?, number("height", None)?);
    let side = width.min(height);
    (side > 0.0).then(|| QrPlace {
        x: x + (width - side) / 2.0,
        y: y + (height - side) / 2.0,
        side,
        transform: element.attribute("transform").map(str::to_owned),
    })
}
