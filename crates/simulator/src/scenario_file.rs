//! What scenario files have in common: TOML, every unknown key and impossible value refused with its line.

use std::fmt;
use std::ops::{Range, RangeInclusive};

use serde::de::DeserializeOwned;
use toml::Spanned;

/// The longest time in a scenario: longer than any caller waits.
pub(crate) const MAX_MS: u64 = 3_600_000;

/// What is wrong with a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioError {
    /// The line, counted from 1.
    pub line: usize,
    /// The key, and what is wrong about it.
    pub message: String,
}

impl fmt::Display for ScenarioError {
    /// `LINE: message`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.message)
    }
}

impl std::error::Error for ScenarioError {}

/// What a value is refused for: where it stands, which key, and why.
#[derive(Debug)]
pub(crate) struct Misfit(pub(crate) Range<usize>, pub(crate) &'static str, pub(crate) String);

impl Misfit {
    /// The same, told with the line of the file.
    pub(crate) fn within(self, text: &str) -> ScenarioError {
        let Self(span, key, why) = self;
        ScenarioError { line: line_of(text, span.start), message: format!("{key}: {why}") }
    }
}

/// Reads the file's tables.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, ScenarioError> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        ScenarioError { line: line_of(text, at), message: told(text, at, error.message()) }
    })
}

/// The number, where it is in the range.
pub(crate) fn within(value: &Spanned<u64>, key: &'static str, range: RangeInclusive<u64>) -> Result<u64, Misfit> {
    let number = *value.get_ref();
    if range.contains(&number) {
        return Ok(number);
    }
    let why = format!("{number}; expected a whole number from {} to {}", range.start(), range.end());
    Err(Misfit(value.span(), key, why))
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// The parser's message, behind the key at whose value it points: it does not always name it.
fn told(text: &str, offset: usize, message: &str) -> String {
    let message = message.trim_end().replace('\n', "; ");
    let before = text.get(..offset).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    let key = line.rsplit([',', '{']).next().and_then(|entry| entry.split_once('=')).map(|(key, _)| key.trim());
    match key {
        Some(key) if !key.is_empty() => format!("{key}: {message}"),
        _ => message,
    }
}
