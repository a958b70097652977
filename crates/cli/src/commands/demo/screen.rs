//! How the demo looks: one line a call, what came of it in the same column, in colour where the terminal has any.

use std::io::Write as _;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

/// Where what came of a call begins, and how wide its word is.
const WHAT: usize = 36;
const WORD: usize = 11;

/// How good the news is.
#[derive(Clone, Copy)]
pub(super) enum Tone {
    Good,
    Waiting,
    Bad,
}

impl Tone {
    fn style(self) -> Style {
        Style::new().fg_color(Some(match self {
            Self::Good => AnsiColor::Green.into(),
            Self::Waiting => AnsiColor::Yellow.into(),
            Self::Bad => AnsiColor::Red.into(),
        }))
    }
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

// A reader that has gone is no failure.
fn say(line: &str) {
    let _ = writeln!(anstream::stdout(), "{}", line.trim_end());
}

/// Chinese characters and their punctuation take two columns.
fn padded(text: &str, columns: usize) -> String {
    let width: usize = text.chars().map(|c| if u32::from(c) < 0x2E80 { 1 } else { 2 }).sum();
    format!("{text}{}", " ".repeat(columns.saturating_sub(width)))
}

pub(super) fn title(text: &str) {
    say(&format!("{BOLD}{text}{BOLD:#}"));
}

pub(super) fn fact(name: &str, value: &str) {
    say(&format!("   {} {value}", padded(name, 10)));
}

pub(super) fn act(number: u8, chinese: &str, english: &str) {
    say(&format!("\n{BOLD}{number}  {chinese}{BOLD:#}  {english}"));
}

/// One call, and what came of it.
pub(super) fn step(what: &str, tone: Tone, word: &str, detail: &str, took: &str) {
    let style = tone.style();
    let gap = if detail.is_empty() { "" } else { "   " };
    let (what, word) = (padded(what, WHAT), padded(word, WORD));
    say(&format!("   {what} {style}{word}{style:#}{detail}{gap}{DIM}{took}{DIM:#}"));
}

/// How long a call took.
pub(super) fn ms(took: Duration) -> String {
    format!("{}.{} ms", took.as_micros() / 1_000, took.as_micros() / 100 % 10)
}

/// More of what came of the call before.
pub(super) fn more(detail: &str) {
    say(&format!("{}{detail}", " ".repeat(3 + WHAT + 1 + WORD)));
}

/// One row of a table.
pub(super) fn row(cells: &[(&str, usize)]) {
    let line: String = cells.iter().map(|(text, columns)| padded(text, *columns)).collect();
    say(&format!("   {line}"));
}

/// An address to be opened.
pub(super) fn link(chinese: &str, english: &str, url: &str) {
    say(&format!("\n{BOLD}{chinese}{BOLD:#}  {english}   {url}"));
}

/// The last words.
pub(super) fn closing(lines: &[&str]) {
    say("");
    for line in lines {
        say(&format!("{DIM}{line}{DIM:#}"));
    }
}
