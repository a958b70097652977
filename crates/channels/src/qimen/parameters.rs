//! Parameters of a query or a form, as the bytes they stand for.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// A parameter's name or value: percent-decoded bytes in the request's charset.
pub type Piece<'a> = Cow<'a, [u8]>;

/// `a=1&b=2` as decoded pairs in their order; a name without `=` has an empty value.
pub fn pairs(encoded: &[u8]) -> impl Iterator<Item = (Piece<'_>, Piece<'_>)> {
    encoded_pairs(encoded).map(|(name, value)| (url_decoded(name), url_decoded(value)))
}

/// As [`pairs`], not decoded.
pub(crate) fn encoded_pairs(encoded: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    encoded.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=');
        match at.and_then(|at| pair.split_at_checked(at)) {
            Some((name, rest)) => (name, rest.get(1..).unwrap_or_default()),
            None => (pair, &[][..]),
        }
    })
}

/// Percent-decoded, `+` as a space.
pub(crate) fn url_decoded(text: &[u8]) -> Piece<'_> {
    if text.contains(&b'+') {
        let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        return Cow::Owned(percent_decode(&spaced).collect());
    }
    percent_decode(text).into()
}
