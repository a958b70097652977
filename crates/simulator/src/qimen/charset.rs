//! The charsets that Qimen calls come in.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use encoding_rs::{Encoding, GBK, UTF_8};

/// The charset that a call's content type names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// UTF-8.
    Utf8,
    /// GBK.
    Gbk,
}

/// A character that the charset lacks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{character:?} cannot be written in {charset}")]
pub struct NotInCharset {
    /// The first such character.
    pub character: char,
    /// The charset.
    pub charset: Charset,
}

/// A name that is none of the charsets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("charset {0:?} is neither utf-8 nor gbk")]
pub struct UnknownCharset(
    /// What came.
    pub String,
);

impl Charset {
    /// The name as content types carry it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Gbk => "gbk",
        }
    }

    /// The charset's encoder and decoder.
    pub fn encoding(self) -> &'static Encoding {
        match self {
            Self::Utf8 => UTF_8,
            Self::Gbk => GBK,
        }
    }

    /// The text's bytes in this charset.
    ///
    /// # Errors
    /// The first character that the charset lacks.
    pub fn encode(self, text: &str) -> Result<Cow<'_, [u8]>, NotInCharset> {
        let (bytes, _, lacking) = self.encoding().encode(text);
        if !lacking {
            return Ok(bytes);
        }
        let character = text.chars().find(|c| self.lacks(*c)).unwrap_or_default();
        Err(NotInCharset { character, charset: self })
    }

    /// The text's bytes, with what the charset lacks spelt by `escape` in ASCII.
    pub(super) fn encode_escaping(self, text: &str, escape: fn(char, &mut String)) -> Vec<u8> {
        let mut escaped = String::with_capacity(text.len());
        for character in text.chars() {
            if self.lacks(character) {
                escape(character, &mut escaped);
            } else {
                escaped.push(character);
            }
        }
        self.encoding().encode(&escaped).0.into_owned()
    }

    fn lacks(self, character: char) -> bool {
        self.encoding().encode(character.encode_utf8(&mut [0; 4])).2
    }
}

impl FromStr for Charset {
    type Err = UnknownCharset;
    fn from_str(text: &str) -> Result<Self, UnknownCharset> {
        match text.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Ok(Self::Utf8),
            "gbk" => Ok(Self::Gbk),
            _ => Err(UnknownCharset(text.to_owned())),
        }
    }
}

impl fmt::Display for Charset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gbk_lacks_is_named_and_can_be_escaped() {
        assert_eq!(&*Charset::Gbk.encode("张").unwrap(), b"\xD5\xC5");
        let lacking = Charset::Gbk.encode("张𬭎").unwrap_err();
        assert_eq!(lacking.to_string(), "'𬭎' cannot be written in gbk");
        let escaped = Charset::Gbk.encode_escaping("张𬭎", |_, out| out.push('?'));
        assert_eq!(escaped, b"\xD5\xC5?");
    }
}
