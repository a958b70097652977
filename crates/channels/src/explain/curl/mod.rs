//! A pasted `curl` command as the request that it sends.
//!
//! Commands come out of terminals, documents and browsers ("copy as cURL", for bash and for Windows), so both kinds of quoting
//! are read, and all options that make no difference to the request are passed over. An option that is not known is refused: it
//! might take a value, and the request would be another.

mod options;
mod shell;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, COOKIE, REFERER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::evidence::{Evidence, Kept};
use super::words::{Words, shown};
use crate::channel::RawRequest;
use options::{Meaning, meaning_of_long, meaning_of_short};

/// Reads a file that a command names, such as `-d @body.json`.
pub type ReadFile<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

/// Why a text is no command that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CurlError {
    /// A quote is not closed.
    #[error("a quote is not closed: the command is not whole")]
    OpenQuote,
    /// `&` outside of quotes.
    #[error("an & outside of quotes: a shell ends the command there, and sends the URL only up to it")]
    BareAmpersand,
    /// There is no `curl` in it.
    #[error("no curl command: it should begin with curl")]
    NoCurl,
    /// There is no URL in it.
    #[error("the command has no URL")]
    NoUrl,
    /// There are two URLs in it.
    #[error("the command has a second URL, or words that belong to no option: {0}")]
    SecondUrl(String),
    /// An option lacks its value.
    #[error("the option {0} lacks its value")]
    NoValue(String),
    /// An option that is not known.
    #[error("the option {0} is not known")]
    UnknownOption(String),
    /// An option that makes a request of another kind.
    #[error("the option {0} cannot be explained: no platform sends such a request")]
    Unsupported(String),
    /// A header that cannot be one.
    #[error("{0:?} is no header")]
    NoHeader(String),
    /// A file that cannot be read.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

impl CurlError {
    /// In both languages.
    pub fn words(&self) -> Words {
        let zh = match self {
            Self::OpenQuote => "引号没有配对，命令不完整".to_owned(),
            Self::BareAmpersand => "“&”不在引号内：命令行会在此处截断，URL 只发送到它之前".to_owned(),
            Self::NoCurl => "不是 curl 命令：应以 curl 开头".to_owned(),
            Self::NoUrl => "命令里没有 URL".to_owned(),
            Self::SecondUrl(word) => format!("命令里有第二个 URL，或不属于任何选项的内容：{word}"),
            Self::NoValue(option) => format!("选项 {option} 缺少值"),
            Self::UnknownOption(option) => format!("不认识选项 {option}"),
            Self::Unsupported(option) => format!("选项 {option} 无从解释：没有平台发送这样的请求"),
            Self::NoHeader(text) => format!("“{text}”不是请求头"),
            Self::Unreadable { path, reason } => format!("{path}：{reason}"),
        };
        Words::new(zh, self.to_string())
    }
}

/// What `--data-urlencode` leaves as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The request that a command sends.
///
/// # Errors
/// See [`CurlError`].
pub fn parse(command: &str, read: ReadFile<'_>) -> Result<Evidence, CurlError> {
    let mut words = shell::words(command)?.into_iter();
    let is_curl = |word: &Vec<u8>| matches!(word.as_slice(), b"curl" | b"curl.exe") || word.ends_with(b"/curl");
    words.find(is_curl).ok_or(CurlError::NoCurl)?;
    let mut request = Request::default();
    while let Some(word) = words.next() {
        request.take(word, &mut words, read)?;
    }
    request.finish()
}

#[derive(Default)]
struct Request {
    url: Option<Vec<u8>>,
    headers: HeaderMap,
    removed: Vec<HeaderName>,
    data: Vec<Vec<u8>>,
    in_query: bool,
    json: bool,
    no_more_options: bool,
}

fn text(bytes: &[u8]) -> String {
    shown(&String::from_utf8_lossy(bytes))
}

impl Request {
    /// Takes a word, and the words that belong to it.
    fn take(
        &mut self,
        word: Vec<u8>,
        rest: &mut impl Iterator<Item = Vec<u8>>,
        read: ReadFile<'_>,
    ) -> Result<(), CurlError> {
        if self.no_more_options || !word.starts_with(b"-") || word == b"-" {
            return self.set_url(word);
        }
        if word == b"--" {
            self.no_more_options = true;
            return Ok(());
        }
        let Some(long) = word.strip_prefix(b"--") else { return self.take_short(&word, rest, read) };
        let (name, value) = match long.iter().position(|byte| *byte == b'=') {
            Some(at) => (long.get(..at), long.get(at + 1..)),
            None => (Some(long), None),
        };
        let name = String::from_utf8_lossy(name.unwrap_or_default()).into_owned();
        let option = format!("--{}", shown(&name));
        let meaning = meaning_of_long(&name).ok_or_else(|| CurlError::UnknownOption(option.clone()))?;
        let value = match value {
            Some(value) => Some(value.to_vec()),
            None if meaning.takes_value() => Some(rest.next().ok_or_else(|| CurlError::NoValue(option.clone()))?),
            None => None,
        };
        self.apply(meaning, &option, value.unwrap_or_default(), read)
    }

    /// `-sSXPOST`: letters in a row, the last of which may have its value at once.
    fn take_short(
        &mut self,
        word: &[u8],
        rest: &mut impl Iterator<Item = Vec<u8>>,
        read: ReadFile<'_>,
    ) -> Result<(), CurlError> {
        for (at, letter) in word.iter().copied().enumerate().skip(1) {
            let option = format!("-{}", shown(&char::from(letter).to_string()));
            let meaning = meaning_of_short(letter).ok_or_else(|| CurlError::UnknownOption(option.clone()))?;
            if !meaning.takes_value() {
                self.apply(meaning, &option, Vec::new(), read)?;
                continue;
            }
            let value = match word.get(at + 1..) {
                Some(value) if !value.is_empty() => value.to_vec(),
                _ => rest.next().ok_or_else(|| CurlError::NoValue(option.clone()))?,
            };
            return self.apply(meaning, &option, value, read);
        }
        Ok(())
    }

    fn apply(&mut self, meaning: Meaning, option: &str, value: Vec<u8>, read: ReadFile<'_>) -> Result<(), CurlError> {
        match meaning {
            Meaning::Flag | Meaning::Ignored => {}
            Meaning::Refused => return Err(CurlError::Unsupported(option.to_owned())),
            Meaning::Url => return self.set_url(value),
            Meaning::Get => self.in_query = true,
            Meaning::Header => return self.set_header(&value),
            Meaning::UserAgent => self.add_header(USER_AGENT, &value)?,
            Meaning::Referer => self.add_header(REFERER, &value)?,
            Meaning::Cookie => self.add_header(COOKIE, &value)?,
            Meaning::Data => self.data.push(match value.strip_prefix(b"@") {
                // Documented by curl: line breaks and zero bytes of the file are not sent.
                Some(path) => file(path, read)?.into_iter().filter(|byte| !matches!(byte, b'\r' | b'\n' | 0)).collect(),
                None => value,
            }),
            Meaning::DataBinary => self.data.push(match value.strip_prefix(b"@") {
                Some(path) => file(path, read)?,
                None => value,
            }),
            Meaning::DataRaw => self.data.push(value),
            Meaning::DataUrlEncode => self.data.push(url_encoded(&value, read)?),
            Meaning::Json => {
                self.json = true;
                let whole = match value.strip_prefix(b"@") {
                    Some(path) => file(path, read)?,
                    None => value,
                };
                // Several --json are joined as they are.
                match self.data.last_mut() {
                    Some(last) => last.extend(whole),
                    None => self.data.push(whole),
                }
            }
        }
        Ok(())
    }

    fn set_url(&mut self, word: Vec<u8>) -> Result<(), CurlError> {
        if self.url.is_some() {
            return Err(CurlError::SecondUrl(text(&word)));
        }
        self.url = Some(word);
        Ok(())
    }

    fn add_header(&mut self, name: HeaderName, value: &[u8]) -> Result<(), CurlError> {
        let value = HeaderValue::from_bytes(value).map_err(|_| CurlError::NoHeader(text(value)))?;
        self.headers.append(name, value);
        Ok(())
    }

    /// `Name: value`; `Name;` for an empty value, `Name:` for none of curl's own.
    fn set_header(&mut self, line: &[u8]) -> Result<(), CurlError> {
        let wrong = || CurlError::NoHeader(text(line));
        let at = line.iter().position(|byte| matches!(byte, b':' | b';')).ok_or_else(wrong)?;
        let (name, rest) = line.split_at_checked(at).ok_or_else(wrong)?;
        let name = HeaderName::from_bytes(name.trim_ascii()).map_err(|_| wrong())?;
        let (mark, value) = rest.split_first().ok_or_else(wrong)?;
        let value = value.trim_ascii();
        match (mark, value.is_empty()) {
            (b':', true) => self.removed.push(name),
            (b';', false) => return Err(wrong()),
            _ => self.add_header(name, value)?,
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Evidence, CurlError> {
        let url = self.url.ok_or(CurlError::NoUrl)?;
        let (path, mut query) = path_and_query(&url);
        let mut body = self.data.join(&b'&');
        if self.in_query && !self.data.is_empty() {
            query = [query, body].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(&b'&');
            body = Vec::new();
        } else if !self.data.is_empty() {
            let assumed = if self.json { "application/json" } else { "application/x-www-form-urlencoded" };
            self.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(assumed));
            if self.json {
                self.headers.entry(ACCEPT).or_insert(HeaderValue::from_static("application/json"));
            }
        }
        for name in self.removed {
            self.headers.remove(name);
        }
        let raw = RawRequest { query: Bytes::from(query), headers: self.headers, body: Bytes::from(body) };
        Ok(Evidence { path, raw, kept: Kept::Whole, peer: None })
    }
}

fn file(path: &[u8], read: ReadFile<'_>) -> Result<Vec<u8>, CurlError> {
    let path = String::from_utf8_lossy(path).into_owned();
    read(&path).map_err(|reason| CurlError::Unreadable { path: shown(&path), reason })
}

/// `content`, `=content`, `name=content`, `@file` or `name@file`, the content encoded.
fn url_encoded(value: &[u8], read: ReadFile<'_>) -> Result<Vec<u8>, CurlError> {
    let encoded = |content: &[u8]| percent_encode(content, PLAIN).to_string().into_bytes();
    let Some(at) = value.iter().position(|byte| matches!(byte, b'=' | b'@')) else { return Ok(encoded(value)) };
    let (name, rest) = value.split_at_checked(at).unwrap_or((value, &[]));
    let content = match rest.split_first() {
        Some((b'@', path)) => encoded(&file(path, read)?),
        Some((_, content)) => encoded(content),
        None => Vec::new(),
    };
    Ok(if name.is_empty() { content } else { [name, b"=", &content].concat() })
}

/// The path and the query of a URL, whose scheme may be left out as in curl.
fn path_and_query(url: &[u8]) -> (String, Vec<u8>) {
    let url = url.split(|byte| *byte == b'#').next().unwrap_or_default();
    let scheme = url.windows(3).position(|three| three == b"://").map_or(0, |at| at + 3);
    let url = url.get(scheme..).unwrap_or_default();
    let authority = url.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(url.len());
    let rest = url.get(authority..).unwrap_or_default();
    let mut halves = rest.splitn(2, |byte| *byte == b'?');
    let path = halves.next().map(|path| String::from_utf8_lossy(path).into_owned()).unwrap_or_default();
    let path = if path.is_empty() { "/".to_owned() } else { path };
    (path, halves.next().unwrap_or_default().to_vec())
}

#[cfg(test)]
mod tests;
