//! How a signature is made: the rule, and all that may be done otherwise.

use md5::{Digest, Md5};

use super::bodies::BodyChange;
use super::material::{Scope, Signed, SignedCharset};
use crate::rule::Rule;
use crate::sign_method::{SignMethod, upper_hex};

/// What becomes of parameters with an empty value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Empties {
    /// They stay as bare names.
    BareNames,
    /// They take no part.
    LeftOut,
}

/// How parameters are decoded before they are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoding {
    /// As the rule says: percent-decoded, `+` as a blank.
    Once,
    /// `+` is left as it is.
    PlusKept,
    /// Decoded, and decoded again.
    Twice,
    /// Joined as they go over the wire.
    Never,
}

/// Where the secret stands in the MD5; the other methods are keyed with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Around {
    Both,
    HeadOnly,
    TailOnly,
}

/// Everything that decides what a signature is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recipe {
    pub(super) empties: Empties,
    /// Whether the headers of `top-sign-list` take part.
    pub(super) headers: bool,
    pub(super) decoding: Decoding,
    pub(super) charset: Option<(Scope, SignedCharset)>,
    pub(super) body: Option<BodyChange>,
    /// The name of a parameter that takes no part.
    pub(super) left_out: Option<Vec<u8>>,
    pub(super) sorted: bool,
    /// Whether the last of a repeated name stays, or the first.
    pub(super) last_wins: bool,
    pub(super) method: SignMethod,
    pub(super) around: Around,
    /// Which of the secrets that should not have been used; `None` for the live ones.
    pub(super) other_secret: Option<usize>,
}

impl Recipe {
    /// As the rule says.
    pub(super) fn by(rule: Rule, method: SignMethod) -> Self {
        Self {
            empties: match rule {
                Rule::Receiver => Empties::BareNames,
                Rule::Caller => Empties::LeftOut,
            },
            headers: rule == Rule::Receiver,
            decoding: Decoding::Once,
            charset: None,
            body: None,
            left_out: None,
            sorted: true,
            last_wins: true,
            method,
            around: Around::Both,
            other_secret: None,
        }
    }

    /// The signature that a secret makes of what is signed: upper-case hex.
    pub(super) fn signature(&self, signed: &Signed<'_>, secret: &str) -> String {
        if self.method != SignMethod::Md5 || self.around == Around::Both {
            return self.method.sign(secret.as_bytes(), signed.pieces());
        }
        let mut digest = Md5::new();
        if self.around == Around::HeadOnly {
            digest.update(secret);
        }
        signed.pieces().for_each(|piece| digest.update(piece));
        if self.around == Around::TailOnly {
            digest.update(secret);
        }
        upper_hex(&digest.finalize())
    }
}
