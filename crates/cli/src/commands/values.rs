//! Values on the command line that several commands read, and the way they print.

use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use baoqiao_channels::access::Secret;
use clap::ValueEnum;
use jiff::SignedDuration;

/// `name=value`, the value possibly empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// Reads `name=value`; what comes after the first `=` is the value.
pub(crate) fn pair(text: &str) -> Result<Pair, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok(Pair { name: name.to_owned(), value: value.to_owned() }),
        _ => Err("expected name=value".to_owned()),
    }
}

/// Reads a secret: itself, or `@FILE` with it as the file's only line.
pub(crate) fn secret(text: &str) -> Result<Secret, String> {
    let Some(path) = text.strip_prefix('@') else {
        return Ok(Secret::new(text));
    };
    let content = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let line = content.trim_end_matches(['\r', '\n']);
    if line.is_empty() || line.contains('\n') {
        return Err(format!("{path}: expected the secret as the only line"));
    }
    Ok(Secret::new(line))
}

/// Reads a span such as `10s`, `500ms`, `1m 30s`.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    let span: SignedDuration = text.parse().map_err(|_| "expected a span such as 10s, 500ms or 2m".to_owned())?;
    Duration::try_from(span).map_err(|_| "a span cannot be negative".to_owned())
}

/// How a body is spelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ContentType {
    /// application/json
    Json,
    /// application/x-www-form-urlencoded
    Form,
    /// text/xml
    Xml,
    /// text/plain
    Text,
}

impl ContentType {
    /// The content type without its charset.
    pub(crate) fn essence(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
            Self::Xml => "text/xml",
            Self::Text => "text/plain",
        }
    }
}

/// A file's bytes; `-` is standard input.
pub(crate) fn file_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    std::fs::read(path).map_err(named)
}

/// A text that came from elsewhere, for a terminal: nothing in it moves the cursor but its line breaks.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && !matches!(character, '\n' | '\t') {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Prints to standard output. A reader who has gone, such as `head`, has had enough.
///
/// # Errors
/// When it cannot be written, such as to a full disk.
pub(crate) fn print(text: &str) -> io::Result<()> {
    print_to(&mut io::stdout().lock(), text)
}

fn print_to(out: &mut impl Write, text: &str) -> io::Result<()> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(io::Error::new(error.kind(), format!("standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_cut_at_its_first_equals_sign() {
        let read = pair("a=b=c").unwrap();
        assert_eq!((read.name.as_str(), read.value.as_str()), ("a", "b=c"));
        assert_eq!(pair("a=").unwrap().value, "");
        assert!(pair("a").is_err() && pair("=b").is_err());
    }

    #[test]
    fn a_secret_may_stand_in_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        let named = format!("@{}", path.display());
        assert!(secret(&named).unwrap_err().contains("secret"));
        std::fs::write(&path, "hello world\r\n").unwrap();
        assert_eq!(secret(&named).unwrap().expose(), "hello world");
        std::fs::write(&path, "two\nlines\n").unwrap();
        assert!(secret(&named).unwrap_err().contains("only line"));
        assert_eq!(secret("plain").unwrap().expose(), "plain");
    }

    #[test]
    fn a_reader_who_has_gone_is_no_failure_and_a_full_disk_is_one() {
        struct Fails(io::ErrorKind);
        impl Write for Fails {
            fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        print_to(&mut Fails(io::ErrorKind::BrokenPipe), "x").unwrap();
        let full = print_to(&mut Fails(io::ErrorKind::StorageFull), "x").unwrap_err();
        assert!(full.to_string().starts_with("standard output: "), "{full}");
    }

    #[test]
    fn control_characters_are_written_out() {
        assert_eq!(visible("张\t\u{1b}[2J\r\n\u{9b}"), "张\t\\u{1b}[2J\\r\n\\u{9b}");
    }

    #[test]
    fn spans_are_written_as_people_do() {
        assert_eq!(span("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(span("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(span("1m 30s"), Ok(Duration::from_secs(90)));
        assert!(span("10").is_err() && span("-1s").is_err());
    }
}
