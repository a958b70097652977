//! Lines of text: where to break, and what to leave out when there is no more room.

use unicode_linebreak::{BreakOpportunity, linebreaks};

const ELLIPSIS: char = '…';

/// Text laid out in lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lines {
    pub(crate) lines: Vec<String>,
    /// Whether the end is missing and an ellipsis stands for it.
    pub(crate) cut: bool,
}

/// Breaks a text into at most `most` lines of at most `width`, where Unicode's rules allow it (not before `，`, not
/// within a word or number), and anywhere when one word is wider than a line. `advance` is a character's width.
pub(crate) fn wrap(text: &str, width: f32, most: usize, advance: impl Fn(char) -> f32) -> Lines {
    let allowed: Vec<usize> =
        linebreaks(text).filter(|(_, kind)| *kind == BreakOpportunity::Allowed).map(|(at, _)| at).collect();
    let mut lines = Vec::new();
    let mut rest_at = 0;
    while let Some(rest) = text.get(rest_at..).filter(|rest| !rest.is_empty()) {
        let fits = fitting(rest, width, &advance);
        if fits >= rest.len() {
            lines.push(rest.trim_end_matches(' ').to_owned());
            break;
        }
        if lines.len() + 1 >= most {
            lines.push(shorten(rest, width, advance));
            return Lines { lines, cut: true };
        }
        let last_allowed = allowed.partition_point(|at| *at <= rest_at + fits);
        let break_at = last_allowed.checked_sub(1).and_then(|i| allowed.get(i));
        let break_at = break_at.copied().filter(|at| *at > rest_at);
        let break_at = break_at.unwrap_or(rest_at + fits);
        let line = text.get(rest_at..break_at).unwrap_or_default();
        lines.push(line.trim_end_matches(' ').to_owned());
        rest_at = break_at;
    }
    Lines { lines, cut: false }
}

/// The text's start and an ellipsis, within the width; the ellipsis alone when there is no room for more.
pub(crate) fn shorten(text: &str, width: f32, advance: impl Fn(char) -> f32) -> String {
    let room = width - advance(ELLIPSIS);
    let mut used = 0.0;
    let kept = text.chars().take_while(|c| {
        used += advance(*c);
        used <= room
    });
    let mut short: String = kept.collect();
    short.truncate(short.trim_end().len());
    short.push(ELLIPSIS);
    short
}

/// How many bytes of the text fit, and at least its first character. Blanks at the end of the line hang over it.
fn fitting(text: &str, width: f32, advance: impl Fn(char) -> f32) -> usize {
    let mut used = 0.0;
    for (at, c) in text.char_indices() {
        used += advance(c);
        if used > width && at > 0 && c != ' ' {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Hanzi are 2 wide, all else 1.
    fn advance(c: char) -> f32 {
        if c.is_ascii() { 1.0 } else { 2.0 }
    }

    fn wrapped(text: &str, width: f32, most: usize) -> (Vec<String>, bool) {
        let Lines { lines, cut } = wrap(text, width, most, advance);
        (lines, cut)
    }

    #[test]
    fn hanzi_break_anywhere_but_not_before_closing_marks() {
        let (lines, cut) = wrapped("外贸飞机盒定制", 6.0, 9);
        assert_eq!(lines, ["外贸飞", "机盒定", "制"]);
        assert!(!cut);
        let (lines, _) = wrapped("外贸飞，机盒", 6.0, 9);
        assert_eq!(lines, ["外贸", "飞，机", "盒"]);
    }

    #[test]
    fn words_and_numbers_stay_whole_unless_wider_than_a_line() {
        let (lines, _) = wrapped("order 101800 ok", 8.0, 9);
        assert_eq!(lines, ["order", "101800", "ok"]);
        let (lines, _) = wrapped("abcdefghij kl", 4.0, 9);
        assert_eq!(lines, ["abcd", "efgh", "ij", "kl"]);
    }

    #[test]
    fn the_last_line_ends_in_an_ellipsis() {
        let (lines, cut) = wrapped("外贸飞机盒定制印刷", 8.0, 2);
        assert_eq!(lines, ["外贸飞机", "盒定制…"]);
        assert!(cut);
        let (lines, cut) = wrapped("外贸飞机", 8.0, 1);
        assert_eq!((lines, cut), (vec!["外贸飞机".to_owned()], false));
    }

    #[test]
    fn an_empty_text_has_no_line() {
        assert_eq!(wrapped("", 8.0, 2), (vec![], false));
    }

    #[test]
    fn a_width_below_one_character_still_ends() {
        assert_eq!(wrapped("外贸飞", 1.0, 9).0, ["外", "贸", "飞"]);
        assert_eq!(wrapped("外贸飞", 1.0, 2), (vec!["外".to_owned(), "…".to_owned()], true));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_line_is_too_wide(text in "\\PC{0,60}", width in 4.0_f32..40.0) {
            let text: String = text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
            let Lines { lines, cut } = wrap(&text, width, 1_000, advance);
            prop_assert!(!cut);
            let plain = |text: &str| text.replace(' ', "");
            prop_assert_eq!(plain(&lines.concat()), plain(&text));
            for line in &lines {
                prop_assert!(line.chars().map(advance).sum::<f32>() <= width, "{:?}", line);
            }
            let Lines { lines, .. } = wrap(&text, width, 2, advance);
            prop_assert!(lines.len() <= 2);
        }
    }
}
