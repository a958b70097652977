//! Reading typed values out of the file's tree, noting every problem by its line and key instead of stopping at the
//! first.
//!
//! A reader function asks its [`Section`] for each key it knows, and so tells which keys there are: what is left in
//! the table when it returns is unknown.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::problem::{ConfigError, Problem};
use super::suggest::nearest;

/// The longest part of a value that a message repeats, in characters.
const SHOWN_CHARS: usize = 80;
/// Every `*_ms`: up to an hour.
const DURATION_MS: RangeInclusive<u64> = 1..=3_600_000;

/// The line of a byte's offset, counted from 1.
pub(super) fn line_at(bytes: &[u8], offset: usize) -> usize {
    bytes.iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

/// One line of text that is not blank, and not so at its ends.
pub(super) fn plain_text(text: &str) -> Option<&str> {
    (!text.is_empty() && text.trim() == text && !text.chars().any(char::is_control)).then_some(text)
}

/// A name to be kept for ever: at most 64 ASCII letters, digits, hyphens, underscores and dots.
pub(super) fn name(text: &str) -> Option<&str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    ((1..=64).contains(&text.len()) && text.bytes().all(allowed)).then_some(text)
}

/// The file, what surrounds it, and the problems found so far.
pub(super) struct Source<'a> {
    text: &'a str,
    folder: &'a Path,
    env: &'a dyn Fn(&str) -> Option<String>,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str, folder: &'a Path, env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { text, folder, env, problems: RefCell::default() }
    }

    /// A path of the file, absolute.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// A variable of the environment.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        (self.env)(name)
    }

    /// Notes that the file is not TOML. Only the parser's message is passed on: its display quotes the line, which may
    /// hold a secret.
    pub(super) fn syntax_error(&self, error: &toml::de::Error) {
        let line = self.line(error.span().map_or(0, |span| span.start));
        let message = format!("not TOML: {}", error.message());
        self.problems.borrow_mut().push(Problem { line, key: None, message });
    }

    pub(super) fn has_problems(&self) -> bool {
        !self.problems.borrow().is_empty()
    }

    pub(super) fn into_error(self, path: &Path) -> ConfigError {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.line);
        ConfigError::Invalid { path: path.to_owned(), problems }
    }

    fn line(&self, offset: usize) -> usize {
        line_at(self.text.as_bytes(), offset)
    }

    fn note(&self, line: usize, key: String, message: String) {
        self.problems.borrow_mut().push(Problem { line, key: Some(key), message });
    }
}

/// One value, and where it stands.
pub(super) struct Item<'a> {
    source: &'a Source<'a>,
    value: &'a DeValue<'a>,
    key: String,
    line: usize,
}

impl<'a> Item<'a> {
    pub(super) fn source(&self) -> &'a Source<'a> {
        self.source
    }

    /// Notes that the value is none of what was expected.
    pub(super) fn refuse(&self, expected: impl Display) {
        let came = match self.value {
            DeValue::String(text) if text.chars().count() > SHOWN_CHARS => {
                format!("{:?}…", text.chars().take(SHOWN_CHARS).collect::<String>())
            }
            DeValue::String(text) => format!("{text:?}"),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Datetime(time) => time.to_string(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        self.refuse_as(came, expected);
    }

    /// As [`refuse`](Self::refuse), for a value that is not to be shown or is told better.
    pub(super) fn refuse_as(&self, came: impl Display, expected: impl Display) {
        self.source.note(self.line, self.key.clone(), format!("{came}; expected {expected}"));
    }

    /// The value, where it is text.
    pub(super) fn as_text(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// Whether the value is a list.
    pub(super) fn is_list(&self) -> bool {
        self.value.is_array()
    }

    /// Whether the value is a table.
    pub(super) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// The text as what `parse` makes of it; noted where that is nothing.
    pub(super) fn text<T>(&self, expected: impl Display, parse: impl FnOnce(&'a str) -> Option<T>) -> Option<T> {
        let value = self.as_text().and_then(parse);
        if value.is_none() {
            self.refuse(expected);
        }
        value
    }

    /// The path of a file that is there, absolute; noted where there is none.
    pub(super) fn file(&self, expected: &str) -> Option<PathBuf> {
        let path = self.text(expected, |text| (!text.trim().is_empty()).then(|| self.source.resolve(text)))?;
        if !path.is_file() {
            self.refuse(format_args!("{expected}: there is no file {}", path.display()));
        }
        Some(path)
    }

    /// The values of a list; noted where it is none or empty.
    pub(super) fn list(&self, expected: impl Display) -> Option<Vec<Self>> {
        let Some(array) = self.value.as_array() else {
            self.refuse(expected);
            return None;
        };
        if array.is_empty() {
            self.refuse_as("an empty list", expected);
            return None;
        }
        let item = |value: &'a toml::Spanned<DeValue<'a>>| Self {
            source: self.source,
            value: value.get_ref(),
            key: self.key.clone(),
            line: self.source.line(value.span().start),
        };
        Some(array.iter().map(item).collect())
    }

    /// The distinct values of a list of texts; what `parse` does not understand and what came before is noted.
    pub(super) fn texts<T: PartialEq>(&self, expected: &str, parse: impl Fn(&Self) -> Option<T>) -> Option<Vec<T>> {
        let mut values = Vec::new();
        for item in self.list(expected)? {
            if let Some(value) = parse(&item) {
                if values.contains(&value) {
                    item.refuse("each value once");
                }
                values.push(value);
            }
        }
        Some(values)
    }

    /// The value as a table; `None` where it is none, which is not noted.
    pub(super) fn table<T>(&self, read: impl FnOnce(&Section<'a>) -> T) -> Option<T> {
        let table = self.value.as_table()?;
        Some(Section::read(self.source, Some(table), self.key.clone(), self.line, read))
    }
}

/// One table of the file, or an absent one, which is as good as empty.
pub(super) struct Section<'a> {
    source: &'a Source<'a>,
    table: Option<&'a DeTable<'a>>,
    key: String,
    line: usize,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Section<'a> {
    /// Reads the whole file.
    pub(super) fn root<T>(source: &'a Source<'a>, table: &'a DeTable<'a>, read: impl FnOnce(&Self) -> T) -> T {
        Self::read(source, Some(table), String::new(), 1, read)
    }

    fn read<T>(
        source: &'a Source<'a>,
        table: Option<&'a DeTable<'a>>,
        key: String,
        line: usize,
        read: impl FnOnce(&Self) -> T,
    ) -> T {
        let section = Self { source, table, key, line, known: RefCell::default() };
        let value = read(&section);
        section.refuse_unknown();
        value
    }

    fn path(&self, key: &str) -> String {
        if self.key.is_empty() { key.to_owned() } else { format!("{}.{key}", self.key) }
    }

    fn refuse_unknown(&self) {
        let known = self.known.borrow();
        let entries = self.table.into_iter().flat_map(|table| table.keys());
        for key in entries.filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let message = match nearest(key.get_ref(), known.iter().copied()) {
                Some(meant) => format!("unknown key; did you mean {meant}?"),
                None if known.is_empty() => "unknown key; expected none here".to_owned(),
                None => format!("unknown key; expected one of {}", known.join(", ")),
            };
            // Escaped, as a quoted key may hold line breaks.
            let path = self.path(&key.get_ref().escape_debug().to_string());
            self.source.note(self.source.line(key.span().start), path, message);
        }
    }

    /// A path of the file, absolute.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.source.resolve(path)
    }

    /// The value of a key, if there is one.
    pub(super) fn item(&self, key: &'static str) -> Option<Item<'a>> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
        let value = self.table?.get(key)?;
        let line = self.source.line(value.span().start);
        Some(Item { source: self.source, value: value.get_ref(), key: self.path(key), line })
    }

    /// The value of a key; noted where there is none.
    pub(super) fn required_item(&self, key: &'static str, expected: impl Display) -> Option<Item<'a>> {
        let item = self.item(key);
        if item.is_none() {
            self.source.note(self.line, self.path(key), format!("absent; expected {expected}"));
        }
        item
    }

    /// An optional text.
    pub(super) fn text_or<T>(
        &self,
        key: &'static str,
        default: T,
        expected: &str,
        parse: impl FnOnce(&'a str) -> Option<T>,
    ) -> T {
        self.item(key).and_then(|item| item.text(expected, parse)).unwrap_or(default)
    }

    /// A required text.
    pub(super) fn text<T>(
        &self,
        key: &'static str,
        expected: &str,
        parse: impl FnOnce(&'a str) -> Option<T>,
    ) -> Option<T> {
        self.required_item(key, expected)?.text(expected, parse)
    }

    /// An optional `true` or `false`.
    pub(super) fn flag_or(&self, key: &'static str, default: bool) -> bool {
        let Some(item) = self.item(key) else { return default };
        item.value.as_bool().unwrap_or_else(|| {
            item.refuse("true or false");
            default
        })
    }

    /// An optional whole number.
    pub(super) fn number_or(&self, key: &'static str, default: u64, range: RangeInclusive<u64>) -> u64 {
        let Some(item) = self.item(key) else { return default };
        let number = item.value.as_integer().and_then(|n| u64::from_str_radix(n.as_str(), n.radix()).ok());
        number.filter(|number| range.contains(number)).unwrap_or_else(|| {
            item.refuse(format_args!("a whole number from {} to {}", range.start(), range.end()));
            default
        })
    }

    /// An optional count, as [`number_or`](Self::number_or).
    pub(super) fn count_or(&self, key: &'static str, default: u64, range: RangeInclusive<u64>) -> usize {
        usize::try_from(self.number_or(key, default, range)).unwrap_or(usize::MAX)
    }

    /// An optional duration in milliseconds.
    pub(super) fn duration_ms_or(&self, key: &'static str, default_ms: u64) -> Duration {
        Duration::from_millis(self.number_or(key, default_ms, DURATION_MS))
    }

    /// A nested table, which may be absent.
    pub(super) fn section<T>(&self, key: &'static str, read: impl FnOnce(&Section<'a>) -> T) -> T {
        let item = self.item(key);
        let table = item.as_ref().and_then(|item| item.value.as_table());
        if let (Some(item), None) = (&item, table) {
            item.refuse(format_args!("a table, [{}]", self.path(key)));
        }
        Self::read(self.source, table, self.path(key), item.map_or(1, |item| item.line), read)
    }

    /// Every table of an array of tables that may be absent.
    pub(super) fn optional_sections<T>(&self, key: &'static str, read: impl FnMut(&Section<'a>) -> T) -> Vec<T> {
        if self.item(key).is_none() { Vec::new() } else { self.sections(key, read) }
    }

    /// Every table of a required array of tables; a single table is noted, and read all the same.
    pub(super) fn sections<T>(&self, key: &'static str, mut read: impl FnMut(&Section<'a>) -> T) -> Vec<T> {
        let expected = format!("at least one [[{}]]", self.path(key));
        let Some(item) = self.required_item(key, &expected) else { return Vec::new() };
        if let Some(value) = item.table(&mut read) {
            item.refuse(format_args!("{expected}, in double brackets"));
            return vec![value];
        }
        let table = |item: &Item<'a>| {
            let value = item.table(&mut read);
            if value.is_none() {
                item.refuse(&expected);
            }
            value
        };
        item.list(&expected).unwrap_or_default().iter().filter_map(table).collect()
    }
}
