//! How the signature of a request comes about by its rule: what takes part, in what order, and what does not.

use std::collections::HashMap;

use super::evidence::{Evidence, Kept};
use super::material::{Field, Material, Source};
use super::recipe::{Decoding, Recipe};
use super::search::{Comparison, Question};
use super::secrets::{Candidates, SecretName};
use crate::qimen::parameters::Piece;
use crate::qimen::sign::by_code_unit;
use crate::rule::Rule;
use crate::sign_method::SignMethod;

/// One parameter, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name, decoded.
    pub name: String,
    /// Its value, decoded.
    pub value: String,
    /// Where it stands.
    pub source: Source,
}

/// Why a parameter takes no part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOut {
    /// It is `sign`.
    IsSignature,
    /// Its name comes again, later or in the query.
    Overridden,
    /// Its name or value is empty, and the rule is the caller's.
    Empty,
    /// It is a header, and the rule is the caller's.
    CallersSignNoHeader,
}

/// What of the body is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedBody {
    /// There is none.
    None,
    /// Its text, after the parameters.
    Text {
        /// Its length.
        bytes: usize,
        /// Whether it ends with a line break, which is easily overlooked.
        ends_with_line_break: bool,
    },
    /// The fields of a form, as parameters.
    Form,
    /// It is not all there.
    Cut {
        /// How much of it is.
        kept_bytes: usize,
        /// How long it was.
        body_bytes: usize,
    },
}

/// How a signature comes about, and the one that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signing {
    /// The rule.
    pub rule: Rule,
    /// The method.
    pub method: SignMethod,
    /// The name of the charset, by the content type.
    pub charset: &'static str,
    /// The parameters that take part, in the order in which they are signed.
    pub signed: Vec<Part>,
    /// The others, in the order of the request.
    pub left_out: Vec<(Part, LeftOut)>,
    /// What of the body is signed.
    pub body: SignedBody,
    /// The string to sign: the joined parameters as text.
    pub joined: String,
    /// The string to sign: the body that follows them as text, empty where none does.
    pub body_text: String,
    /// The signature that came.
    pub sent: Option<String>,
    /// The signature by the rule, upper-case hex, for each live secret; none where the body is not all there.
    pub computed: Vec<(SecretName, String)>,
    /// What came of comparing them.
    pub comparison: Comparison,
}

/// By what a request is checked.
pub(crate) struct Check<'a> {
    pub(crate) rule: Rule,
    pub(crate) method: SignMethod,
    pub(crate) secrets: &'a Candidates,
    /// The signature that came, where it is no parameter.
    pub(crate) header: Option<String>,
    /// Whether only the body is signed.
    pub(crate) body_only: bool,
}

impl Signing {
    pub(crate) fn of(evidence: &Evidence, check: &Check<'_>) -> Self {
        let raw = &evidence.raw;
        let material = if check.body_only { Material::of_body(raw) } else { Material::of(raw) };
        let text = |bytes: &[u8]| material.charset.decode_without_bom_handling(bytes).0.into_owned();
        let (signed, left_out) = parts(&material, check.rule);
        let body = signed_body(&material, evidence.kept);
        let sent = check.header.clone().or_else(|| {
            let found = left_out.iter().rev().find(|(_, why)| *why == LeftOut::IsSignature);
            found.map(|(part, _)| part.value.clone())
        });
        let recipe = Recipe::by(check.rule, check.method);
        let made = material.signed(&recipe);
        let computed = match &made {
            Some(made) if evidence.kept == Kept::Whole => {
                let of = |secret: &str| recipe.signature(made, secret);
                check.secrets.live.iter().map(|(name, secret)| (name.clone(), of(secret.expose()))).collect()
            }
            _ => Vec::new(),
        };
        let comparison = compared(evidence, check, &material, sent.as_deref());
        Self {
            rule: check.rule,
            method: check.method,
            charset: material.charset.name(),
            joined: made.as_ref().map(|made| text(&made.parameters)).unwrap_or_default(),
            body_text: made.as_ref().map(|made| text(&made.body)).unwrap_or_default(),
            signed,
            left_out,
            body,
            sent,
            computed,
            comparison,
        }
    }

    /// Whether the signature is right.
    pub fn is_right(&self) -> bool {
        matches!(self.comparison, Comparison::Right(_))
    }
}

fn compared(evidence: &Evidence, check: &Check<'_>, material: &Material<'_>, sent: Option<&str>) -> Comparison {
    if evidence.kept == Kept::HeadCut {
        return Comparison::Undecidable;
    }
    match sent.filter(|sent| !sent.is_empty()) {
        Some(sent) if !material.too_many => Question {
            material,
            secrets: check.secrets,
            rule: check.rule,
            method: check.method,
            sent,
            any_case: check.header.is_some(),
            body_cut: evidence.kept != Kept::Whole,
        }
        .answered(),
        _ => Comparison::Impossible,
    }
}

fn signed_body(material: &Material<'_>, kept: Kept) -> SignedBody {
    let bytes = material.body.len();
    match kept {
        Kept::BodyCut { body_bytes } => SignedBody::Cut { kept_bytes: bytes, body_bytes },
        _ if bytes == 0 => SignedBody::None,
        _ if material.form => SignedBody::Form,
        _ => SignedBody::Text { bytes, ends_with_line_break: material.body.ends_with(b"\n") },
    }
}

/// What takes part, as it is signed, and what does not.
fn parts(material: &Material<'_>, rule: Rule) -> (Vec<Part>, Vec<(Part, LeftOut)>) {
    let decoded: Vec<_> = material.fields.iter().map(|field| (field, field.decoded(Decoding::Once))).collect();
    let mut last_of = HashMap::new();
    for (at, (field, (name, _))) in decoded.iter().enumerate() {
        if why_not(field, rule).is_none() {
            last_of.insert(name.clone(), at);
        }
    }
    let text = |bytes: &[u8]| material.charset.decode_without_bom_handling(bytes).0.into_owned();
    let mut signed: Vec<(&Piece<'_>, Part)> = Vec::new();
    let mut left_out = Vec::new();
    for (at, (field, (name, value))) in decoded.iter().enumerate() {
        let part = Part { name: text(name), value: text(value), source: field.source };
        let empty = rule == Rule::Caller && (name.is_empty() || value.is_empty());
        let why = match why_not(field, rule) {
            Some(why) => Some(why),
            None if name.as_ref() == b"sign" => Some(LeftOut::IsSignature),
            None if last_of.get(name) != Some(&at) => Some(LeftOut::Overridden),
            None => empty.then_some(LeftOut::Empty),
        };
        match why {
            Some(why) => left_out.push((part, why)),
            None => signed.push((name, part)),
        }
    }
    signed.sort_by(|(a, _), (b, _)| by_code_unit(a, b, material.charset));
    (signed.into_iter().map(|(_, part)| part).collect(), left_out)
}

fn why_not(field: &Field<'_>, rule: Rule) -> Option<LeftOut> {
    (rule == Rule::Caller && field.source == Source::Header).then_some(LeftOut::CallersSignNoHeader)
}
