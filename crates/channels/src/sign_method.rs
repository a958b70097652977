//! The three digests that TOP and Qimen sign with.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha2::Sha256;

/// `sign_method` (protocols.md §1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SignMethod {
    /// MD5(secret + joined + secret).
    Md5,
    /// HMAC-MD5 keyed with the secret.
    Hmac,
    /// HMAC-SHA256 keyed with the secret.
    HmacSha256,
}

/// A name that is none of the three.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownSignMethod(
    /// What came.
    pub String,
);

impl fmt::Display for UnknownSignMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sign method {:?} is none of md5, hmac, hmac-sha256", self.0)
    }
}

impl std::error::Error for UnknownSignMethod {}

impl SignMethod {
    /// All three, the one that absent means first.
    pub const ALL: [Self; 3] = [Self::Md5, Self::Hmac, Self::HmacSha256];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Hmac => "hmac",
            Self::HmacSha256 => "hmac-sha256",
        }
    }

    /// The signature over the pieces as if they were joined: upper-case hex.
    pub fn sign<'a>(self, secret: &[u8], pieces: impl Iterator<Item = &'a [u8]>) -> String {
        match self {
            Self::Md5 => {
                let mut digest = Md5::new();
                digest.update(secret);
                pieces.for_each(|piece| digest.update(piece));
                digest.update(secret);
                upper_hex(&digest.finalize())
            }
            Self::Hmac => keyed::<Hmac<Md5>>(secret, pieces),
            Self::HmacSha256 => keyed::<Hmac<Sha256>>(secret, pieces),
        }
    }
}

fn keyed<'a, M: Mac + KeyInit>(secret: &[u8], pieces: impl Iterator<Item = &'a [u8]>) -> String {
    // HMAC takes a key of any length: the error cannot occur; an empty signature fits none.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(secret) else {
        return String::new();
    };
    pieces.for_each(|piece| mac.update(piece));
    upper_hex(&mac.finalize().into_bytes())
}

pub(crate) fn upper_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().map_or('0', char::from);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

impl FromStr for SignMethod {
    type Err = UnknownSignMethod;
    fn from_str(text: &str) -> Result<Self, UnknownSignMethod> {
        Self::ALL.into_iter().find(|method| method.as_str() == text).ok_or_else(|| UnknownSignMethod(text.to_owned()))
    }
}

impl fmt::Display for SignMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
