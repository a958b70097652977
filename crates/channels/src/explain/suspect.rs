//! The usual suspects: what people get wrong when they sign, each as one change of the recipe.

use super::bodies::BodyChange;
use super::material::{Material, Scope, SignedCharset, Source};
use super::recipe::{Around, Decoding, Empties, Recipe};
use super::secrets::SecretName;
use crate::rule::Rule;
use crate::sign_method::SignMethod;

/// The most parameters of which each is tried as the one that is missing.
const MISSING_TRIED: usize = 64;

/// One thing that was done otherwise than the rule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suspect {
    /// Another secret.
    Secret {
        /// Its place among those that should not have been used.
        index: usize,
        /// Which.
        name: SecretName,
    },
    /// Another method than `sign_method` says.
    Method(SignMethod),
    /// The MD5 lacks the secret at its end.
    MissingTail,
    /// The MD5 lacks the secret at its beginning.
    MissingHead,
    /// Parameters with empty values were left out.
    EmptyLeftOut,
    /// Parameters with empty values took part.
    EmptySigned,
    /// The headers of `top-sign-list` were left out.
    HeadersLeftOut,
    /// The headers of `top-sign-list` took part.
    HeadersSigned,
    /// The other of the two rules.
    OtherRule(Rule),
    /// One parameter was left out: its name, in bytes of the request's charset.
    LeftOut(Vec<u8>),
    /// Another body.
    Body(BodyChange),
    /// Another charset.
    Charset(Scope, SignedCharset),
    /// Parameters that were decoded otherwise.
    Decoding(Decoding),
    /// Parameters as they came, not sorted.
    NotSorted,
    /// Of a repeated name the first.
    FirstWins,
    /// Lower-case hex.
    LowerCaseHex,
    /// Base64 instead of hex.
    Base64,
}

/// What the request and the rule leave to suspect in the string to sign, those that are likelier first.
pub(super) fn of_string(material: &Material<'_>, rule: Rule) -> Vec<Suspect> {
    let mut suspects = Vec::new();
    if !material.fields.is_empty() {
        suspects.push(match rule {
            Rule::Receiver => Suspect::EmptyLeftOut,
            Rule::Caller => Suspect::EmptySigned,
        });
        if material.fields.iter().any(|field| field.source == Source::Header) {
            suspects.push(match rule {
                Rule::Receiver => Suspect::HeadersLeftOut,
                Rule::Caller => Suspect::HeadersSigned,
            });
        }
        suspects.push(Suspect::OtherRule(match rule {
            Rule::Receiver => Rule::Caller,
            Rule::Caller => Rule::Receiver,
        }));
    }
    for charset in [SignedCharset::Utf8, SignedCharset::Gbk, SignedCharset::Ascii] {
        let scopes = [Scope::Everything, Scope::Parameters, Scope::Body];
        suspects.extend(scopes.map(|scope| Suspect::Charset(scope, charset)));
    }
    suspects.extend(material.bodies.iter().map(|(change, _)| Suspect::Body(*change)));
    if !material.fields.is_empty() {
        let decodings = [Decoding::PlusKept, Decoding::Twice, Decoding::Never];
        suspects.extend(decodings.map(Suspect::Decoding));
        suspects.extend([Suspect::NotSorted, Suspect::FirstWins]);
        let names = material.names().into_iter().take(MISSING_TRIED);
        suspects.extend(names.map(|name| Suspect::LeftOut(name.into_owned())));
    }
    suspects
}

/// What there is to suspect in the digest.
pub(super) fn of_digest(secrets: &[SecretName], method: SignMethod) -> Vec<Suspect> {
    let named = |(index, name): (usize, &SecretName)| Suspect::Secret { index, name: name.clone() };
    let mut suspects: Vec<Suspect> = secrets.iter().enumerate().map(named).collect();
    suspects.extend(SignMethod::ALL.into_iter().filter(|other| *other != method).map(Suspect::Method));
    suspects.extend([Suspect::MissingTail, Suspect::MissingHead]);
    suspects
}

impl Suspect {
    /// Changes the recipe; `false` where another suspect has changed the same already.
    pub(super) fn change(&self, rule: Rule, recipe: &mut Recipe) -> bool {
        let base = Recipe::by(rule, recipe.method);
        match self {
            Self::Secret { index, .. } => set(&mut recipe.other_secret, &None, Some(*index)),
            Self::Method(method) => {
                recipe.method = *method;
                true
            }
            Self::MissingTail => set(&mut recipe.around, &Around::Both, Around::HeadOnly),
            Self::MissingHead => set(&mut recipe.around, &Around::Both, Around::TailOnly),
            Self::EmptyLeftOut => set(&mut recipe.empties, &base.empties, Empties::LeftOut),
            Self::EmptySigned => set(&mut recipe.empties, &base.empties, Empties::BareNames),
            Self::HeadersLeftOut => set(&mut recipe.headers, &base.headers, false),
            Self::HeadersSigned => set(&mut recipe.headers, &base.headers, true),
            Self::OtherRule(rule) => {
                let other = Recipe::by(*rule, recipe.method);
                set(&mut recipe.empties, &base.empties, other.empties)
                    && set(&mut recipe.headers, &base.headers, other.headers)
            }
            Self::LeftOut(name) => set(&mut recipe.left_out, &None, Some(name.clone())),
            Self::Body(change) => set(&mut recipe.body, &None, Some(*change)),
            Self::Charset(scope, charset) => set(&mut recipe.charset, &None, Some((*scope, *charset))),
            Self::Decoding(decoding) => set(&mut recipe.decoding, &Decoding::Once, *decoding),
            Self::NotSorted => set(&mut recipe.sorted, &true, false),
            Self::FirstWins => set(&mut recipe.last_wins, &true, false),
            // How a digest is spelt is told from the signature that came, not tried.
            Self::LowerCaseHex | Self::Base64 => false,
        }
    }
}

/// Sets what still stands as the rule has it.
fn set<T: PartialEq>(place: &mut T, as_ruled: &T, value: T) -> bool {
    let untouched = place == as_ruled;
    *place = value;
    untouched
}
