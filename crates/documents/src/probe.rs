//! The size of the text that is wrapped or fitted: found by letting the SVG library read the template once, since a
//! size may come from an attribute, a style, a style sheet or an outer element.

use usvg::{Group, Node};

use crate::draw;
use crate::error::{Problem, TemplateError};
use crate::fonts::Fonts;
use crate::markup::push;
use crate::template::{Item, Piece, Template};

/// Fills in font size and letter spacing of each block, and finds out whether the template can be drawn at all.
pub(crate) fn measure_text_sizes(template: &mut Template, root_line: u32) -> Result<(), TemplateError> {
    let mut svg = String::new();
    write(&template.items, &mut svg);
    let tree = draw::tree(&svg, &Fonts::embedded_only().set())
        .map_err(|why| TemplateError { line: root_line, problem: Problem::Undrawable(why) })?;
    let mut sizes = vec![None; template.blocks.len()];
    collect(tree.root(), &mut sizes);
    for (block, size) in template.blocks.iter_mut().zip(sizes) {
        let Some((font_size, letter_spacing)) = size else {
            let shown = block.pieces.iter().map(|piece| match piece {
                Piece::Literal(text) => text.clone(),
                Piece::Field(name) | Piece::RowField(name) => format!("{{{{{name}}}}}"),
            });
            return Err(TemplateError { line: block.line, problem: Problem::NotDrawn(shown.collect()) });
        };
        block.font_size = font_size;
        block.letter_spacing = letter_spacing;
    }
    Ok(())
}

/// Every part once, each block as its number between signs that no other text of the probe has.
fn write(items: &[Item], out: &mut String) {
    for item in items {
        match item {
            Item::Markup(markup) => out.push_str(markup),
            Item::Text(_) => out.push('x'),
            Item::Block(index) => push(out, format_args!("\u{27E6}{index}\u{27E7}")),
            Item::Repeat { body, .. } | Item::If { body, .. } | Item::Follow { body, .. } => {
                write(body, out);
            }
            Item::Qr { .. } => {}
        }
    }
}

fn collect(group: &Group, sizes: &mut [Option<(f32, f32)>]) {
    for node in group.children() {
        match node {
            Node::Group(group) => collect(group, sizes),
            Node::Text(text) => {
                for chunk in text.chunks() {
                    for (start, _) in chunk.text().match_indices('\u{27E6}') {
                        let number = chunk.text().get(start..).and_then(|text| {
                            let inside = text.strip_prefix('\u{27E6}')?;
                            inside.split_once('\u{27E7}')?.0.parse::<usize>().ok()
                        });
                        let span = chunk.spans().iter().find(|span| (span.start()..span.end()).contains(&start));
                        let slot = number.and_then(|number| sizes.get_mut(number));
                        if let (Some(slot), Some(span)) = (slot, span) {
                            *slot = Some((span.font_size().get(), span.letter_spacing()));
                        }
                    }
                }
            }
            Node::Path(_) | Node::Image(_) => {}
        }
    }
}
