//! A field's text, made ready to be set: one line of characters that fonts can draw.

use std::collections::BTreeSet;

use crate::fonts::Fonts;

/// Stands for a character that no font has.
pub(crate) const UNKNOWN: char = '〓';

/// Sets a field's text in one line: runs of blanks and line breaks become one blank, what is invisible goes (it could
/// only reorder or hide other characters), and what no font has becomes [`UNKNOWN`] and is noted in `missing`.
pub(crate) fn prepare(text: &str, fonts: &Fonts, missing: &mut BTreeSet<char>) -> String {
    let mut line = String::with_capacity(text.len());
    let mut blank = false;
    for c in text.chars() {
        if is_blank(c) {
            blank = true;
        } else if !is_invisible(c) {
            if blank && !line.is_empty() {
                line.push(' ');
            }
            blank = false;
            if !is_undrawable(c) && fonts.glyph(c).is_some() {
                line.push(c);
            } else {
                missing.insert(c);
                line.push(UNKNOWN);
            }
        }
    }
    line
}

/// Blanks of the typist and of the line, not those of the typesetter: an ideographic or a no-break space stays.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\u{0085}' | '\u{2028}' | '\u{2029}') || (c.is_control() && c.is_whitespace())
}

/// Default-ignorable and other control characters: nothing is drawn for them.
pub(crate) fn is_invisible(c: char) -> bool {
    (c.is_control() && !c.is_whitespace())
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}')
}

/// Private use and noncharacters: no font can be asked for them.
pub(crate) fn is_undrawable(c: char) -> bool {
    matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'.. | '\u{FDD0}'..='\u{FDEF}') || u32::from(c) & 0xFFFE == 0xFFFE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(text: &str) -> (String, Vec<char>) {
        let mut missing = BTreeSet::new();
        let line = prepare(text, &Fonts::embedded_only(), &mut missing);
        (line, missing.into_iter().collect())
    }

    #[test]
    fn blanks_and_line_breaks_become_one_blank() {
        let (line, missing) = prepared("  张\t 三\r\n李\u{3000}四 ");
        assert_eq!((line.as_str(), missing.len()), ("张 三 李\u{3000}四", 0));
    }

    #[test]
    fn text_direction_cannot_be_overridden() {
        assert_eq!(prepared("a\u{202E}b\u{0000}c\u{FE0F}").0, "abc");
    }

    #[test]
    fn what_no_font_has_is_shown_and_noted() {
        let (line, missing) = prepared("𬭎🙂\u{E000}");
        assert_eq!(line, "𬭎〓〓");
        assert_eq!(missing, ['\u{E000}', '🙂']);
    }
}
