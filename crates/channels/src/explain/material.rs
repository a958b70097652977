//! A request as the pieces that a signature can be made of.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use encoding_rs::{Encoding, GBK, UTF_8};
use http::HeaderValue;
use percent_encoding::percent_decode;

use super::bodies::{self, BodyChange};
use super::recipe::{Decoding, Empties, Recipe};
use crate::channel::RawRequest;
use crate::document::charset;
use crate::qimen::body::BodyKind;
use crate::qimen::parameters::{Piece, encoded_pairs, url_decoded};
use crate::qimen::sign::{MAX_PARAMETERS, SIGN_LIST, by_code_unit};

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A header that `top-sign-list` names.
    Header,
    /// A field of a form.
    Form,
    /// The query.
    Query,
}

/// One parameter as it came, not decoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) source: Source,
    name: &'a [u8],
    value: &'a [u8],
}

impl<'a> Field<'a> {
    /// Name and value; the names in `top-sign-list` are not encoded.
    pub(super) fn decoded(&self, decoding: Decoding) -> (Piece<'a>, Piece<'a>) {
        let name = match self.source {
            Source::Header => Cow::Borrowed(self.name),
            Source::Form | Source::Query => decoding.of(self.name),
        };
        (name, decoding.of(self.value))
    }
}

impl Decoding {
    fn of(self, encoded: &[u8]) -> Piece<'_> {
        match self {
            Self::Once => url_decoded(encoded),
            Self::PlusKept => percent_decode(encoded).into(),
            Self::Twice => Cow::Owned(url_decoded(&url_decoded(encoded)).into_owned()),
            Self::Never => Cow::Borrowed(encoded),
        }
    }
}

/// The charset in which something may have been signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedCharset {
    /// UTF-8.
    Utf8,
    /// GBK; what it lacks became a question mark, as in the platform's language.
    Gbk,
    /// A charset without Chinese, as of a program without a locale: all of it became question marks.
    Ascii,
}

/// Which pieces were signed in another charset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Parameters and body.
    Everything,
    /// The parameters only.
    Parameters,
    /// The body only.
    Body,
}

/// What is signed: the joined parameters, then the text of the body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signed<'a> {
    pub(super) parameters: Vec<u8>,
    pub(super) body: Cow<'a, [u8]>,
}

impl Signed<'_> {
    pub(super) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        [self.parameters.as_slice(), self.body.as_ref()].into_iter()
    }

    pub(super) fn len(&self) -> usize {
        self.parameters.len() + self.body.len()
    }
}

/// A request, taken apart.
pub(super) struct Material<'a> {
    pub(super) fields: Vec<Field<'a>>,
    pub(super) too_many: bool,
    pub(super) form: bool,
    pub(super) body: &'a [u8],
    pub(super) charset: &'static Encoding,
    /// The body as others may have signed it, each unlike the one that came.
    pub(super) bodies: Vec<(BodyChange, Vec<u8>)>,
}

impl<'a> Material<'a> {
    pub(super) fn of(raw: &'a RawRequest) -> Self {
        let form = BodyKind::of(&raw.headers) == BodyKind::Form;
        let charset = charset(&raw.headers);
        let mut fields = listed_headers(raw);
        let mut collect = |source, encoded: &'a [u8]| {
            let pairs = encoded_pairs(encoded).take(MAX_PARAMETERS + 1);
            fields.extend(pairs.map(|(name, value)| Field { source, name, value }));
        };
        if form {
            collect(Source::Form, &raw.body);
        }
        collect(Source::Query, &raw.query);
        let too_many = fields.len() > MAX_PARAMETERS;
        if too_many {
            fields.clear();
        }
        let bodies = bodies::changed(&raw.body, form, charset);
        Self { fields, too_many, form, body: &raw.body, charset, bodies }
    }

    /// A body alone, as channels sign it that have no parameters.
    pub(super) fn of_body(raw: &'a RawRequest) -> Self {
        let charset = charset(&raw.headers);
        let bodies = bodies::changed(&raw.body, false, charset);
        Self { fields: Vec::new(), too_many: false, form: false, body: &raw.body, charset, bodies }
    }

    /// The names of the parameters, `sign` left out, each once and in the order of the request.
    pub(super) fn names(&self) -> Vec<Piece<'a>> {
        let mut seen = HashSet::new();
        let names = self.fields.iter().map(|field| field.decoded(Decoding::Once).0);
        names.filter(|name| name.as_ref() != b"sign" && seen.insert(name.clone())).collect()
    }

    /// What is signed by that recipe; `None` where it cannot be made of this request.
    pub(super) fn signed(&self, recipe: &Recipe) -> Option<Signed<'_>> {
        let mut parameters = self.parameters(recipe);
        if recipe.sorted {
            parameters.sort_by(|(a, _), (b, _)| by_code_unit(a, b, self.charset));
        }
        let (scope, target) = recipe.charset.unzip();
        let mut joined = Vec::new();
        for piece in parameters.iter().flat_map(|(name, value)| [name, value]) {
            match target.filter(|_| scope != Some(Scope::Body)) {
                Some(target) => joined.extend(self.transcoded(piece, target)?),
                None => joined.extend_from_slice(piece),
            }
        }
        let body = self.body_by(recipe)?;
        let body = match target.filter(|_| scope != Some(Scope::Parameters)) {
            Some(target) => Cow::Owned(self.transcoded(body, target)?),
            None => Cow::Borrowed(body),
        };
        Some(Signed { parameters: joined, body })
    }

    /// The parameters that take part, in the order in which they came, each name once.
    fn parameters(&self, recipe: &Recipe) -> Vec<(Piece<'a>, Piece<'a>)> {
        let form = !matches!(recipe.body, Some(BodyChange::FormAsText | BodyChange::LeftOut));
        let fields = self.fields.iter().filter(|field| match field.source {
            Source::Header => recipe.headers,
            Source::Form => form,
            Source::Query => true,
        });
        let mut kept: Vec<(Piece<'a>, Piece<'a>)> = Vec::new();
        let mut places = HashMap::new();
        for field in fields {
            let (name, value) = field.decoded(recipe.decoding);
            let place = *places.entry(name.clone()).or_insert(kept.len());
            match kept.get_mut(place) {
                Some((_, first)) if recipe.last_wins => *first = value,
                Some(_) => {}
                None => kept.push((name, value)),
            }
        }
        kept.retain(|(name, value)| {
            let empty = recipe.empties == Empties::LeftOut && (name.is_empty() || value.is_empty());
            name.as_ref() != b"sign" && !empty && recipe.left_out.as_deref() != Some(name.as_ref())
        });
        kept
    }

    fn body_by(&self, recipe: &Recipe) -> Option<&[u8]> {
        match recipe.body {
            None if self.form => Some(&[]),
            None => Some(self.body),
            Some(BodyChange::LeftOut) => Some(&[]),
            Some(change) => self.bodies.iter().find(|(other, _)| *other == change).map(|(_, body)| body.as_slice()),
        }
    }

    /// Bytes as they would be in another charset than the one that they came in.
    fn transcoded(&self, bytes: &[u8], to: SignedCharset) -> Option<Vec<u8>> {
        let strict = |from: &'static Encoding| from.decode_without_bom_handling_and_without_replacement(bytes);
        match to {
            // What came as UTF-8 is UTF-8.
            SignedCharset::Utf8 if self.charset == UTF_8 && std::str::from_utf8(bytes).is_ok() => Some(bytes.to_vec()),
            SignedCharset::Utf8 => strict(GBK).map(|text| text.into_owned().into_bytes()),
            SignedCharset::Gbk => strict(UTF_8).map(|text| lossy(&text, GBK)),
            SignedCharset::Ascii => {
                let text = strict(self.charset)?;
                Some(text.chars().map(|c| u8::try_from(c).ok().filter(u8::is_ascii).unwrap_or(b'?')).collect())
            }
        }
    }
}

/// The text in that charset, with a question mark for what the charset lacks.
fn lossy(text: &str, to: &'static Encoding) -> Vec<u8> {
    let (bytes, _, lacking) = to.encode(text);
    if !lacking {
        return bytes.into_owned();
    }
    let mut encoded = Vec::with_capacity(text.len());
    for character in text.chars() {
        let mut buffer = [0; 4];
        let (bytes, _, lacking) = to.encode(character.encode_utf8(&mut buffer));
        if lacking {
            encoded.push(b'?');
        } else {
            encoded.extend_from_slice(&bytes);
        }
    }
    encoded
}

fn listed_headers(raw: &RawRequest) -> Vec<Field<'_>> {
    let list = raw.headers.get(SIGN_LIST).map(HeaderValue::as_bytes).unwrap_or_default();
    list.split(|byte| *byte == b',')
        .filter(|name| !name.is_empty())
        .map(|name| {
            let value = std::str::from_utf8(name).ok().and_then(|name| raw.headers.get(name));
            let value = value.map(HeaderValue::as_bytes).unwrap_or_default();
            Field { source: Source::Header, name, value }
        })
        .collect()
}
