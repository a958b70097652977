//! Which suspect, or which two of them, make the signature that came.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::bodies::BodyChange;
use super::material::{Material, Signed};
use super::recipe::Recipe;
use super::secrets::{Candidates, SecretName};
use super::suspect::{Suspect, of_digest, of_string};
use crate::rule::Rule;
use crate::sign_method::{SignMethod, upper_hex};

/// How many bytes are hashed at most before the search gives up: well under a second of work.
const MAX_WORK_BYTES: usize = 64 * 1_024 * 1_024;
/// What a trial costs besides the bytes that it hashes.
const TRIAL_BYTES: usize = 512;
/// What joining a parameter costs, in the same coin.
const FIELD_BYTES: usize = 64;

/// What came of comparing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// The signature is right.
    Right(SecretName),
    /// It is another, and these together make it.
    Explained(Vec<Cause>),
    /// It is another, and nothing that was tried makes it.
    Unexplained {
        /// Whether every pair was tried; not so where the body is long.
        all_tried: bool,
    },
    /// The body is not all there, and nothing that leaves it out makes the signature.
    Undecidable,
    /// There is no signature, or nothing to make one of.
    Impossible,
}

/// A suspect that has to do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The suspect.
    pub suspect: Suspect,
    /// Others that come to the same thing with this request.
    pub or_equally: Vec<Suspect>,
}

impl Cause {
    fn only(suspect: Suspect) -> Self {
        Self { suspect, or_equally: Vec::new() }
    }
}

/// The signature that came.
struct Sent {
    /// The digest in upper-case hex.
    digest: String,
    /// How it is spelt, where that is not upper-case hex.
    spelling: Option<Suspect>,
}

impl Sent {
    fn of(text: &str, any_case: bool) -> Self {
        let text = text.trim();
        let upper = text.to_ascii_uppercase();
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let spelling = (upper != text && !any_case).then_some(Suspect::LowerCaseHex);
            return Self { digest: upper, spelling };
        }
        // In a query a plus sign that was not escaped has become a blank.
        match STANDARD.decode(text.replace(' ', "+")) {
            Ok(bytes) if matches!(bytes.len(), 16 | 32) => {
                Self { digest: upper_hex(&bytes), spelling: Some(Suspect::Base64) }
            }
            _ => Self { digest: upper, spelling: None },
        }
    }
}

/// What is to be explained.
pub(super) struct Question<'a> {
    pub(super) material: &'a Material<'a>,
    pub(super) secrets: &'a Candidates,
    pub(super) rule: Rule,
    pub(super) method: SignMethod,
    /// The signature that came.
    pub(super) sent: &'a str,
    /// Whether hex may come in either case.
    pub(super) any_case: bool,
    /// Whether the body is not all there.
    pub(super) body_cut: bool,
}

/// A change of the string to sign, with others that come to the same, and what is signed then.
struct Version<'a> {
    cause: Cause,
    signed: Signed<'a>,
}

struct Search<'a> {
    question: &'a Question<'a>,
    base: Recipe,
    sent: Sent,
    left_bytes: usize,
}

impl Question<'_> {
    pub(super) fn answered(&self) -> Comparison {
        let mut base = Recipe::by(self.rule, self.method);
        if self.body_cut {
            base.body = Some(BodyChange::LeftOut);
        }
        let sent = Sent::of(self.sent, self.any_case);
        let mut search = Search { question: self, base, sent, left_bytes: MAX_WORK_BYTES };
        let found = search.run();
        match found {
            Some(Comparison::Explained(mut causes)) => {
                if self.body_cut {
                    causes.insert(0, Cause::only(Suspect::Body(BodyChange::LeftOut)));
                }
                causes.extend(search.sent.spelling.map(Cause::only));
                Comparison::Explained(causes)
            }
            Some(found) => found,
            None if self.body_cut => Comparison::Undecidable,
            None => Comparison::Unexplained { all_tried: search.left_bytes > 0 },
        }
    }
}

impl<'a> Search<'a> {
    fn run(&mut self) -> Option<Comparison> {
        let as_ruled = self.question.material.signed(&self.base)?;
        if let Some(secret) = self.live_fit(&self.base.clone(), &as_ruled) {
            let plain = self.sent.spelling.is_none() && !self.question.body_cut;
            return Some(if plain { Comparison::Right(secret) } else { Comparison::Explained(Vec::new()) });
        }
        let names: Vec<SecretName> = self.question.secrets.others.iter().map(|(name, _)| name.clone()).collect();
        let digests = of_digest(&names, self.question.method);
        let versions = self.versions(&as_ruled);
        let found = self
            .one_of_digest(&digests, &as_ruled)
            .or_else(|| self.one_of_string(&versions))
            .or_else(|| self.two_of_digest(&digests, &as_ruled))
            .or_else(|| self.one_of_each(&digests, &versions))
            .or_else(|| self.two_of_string(&versions));
        found.map(Comparison::Explained)
    }

    /// The changes of the string to sign that make another string of this request, each string once.
    fn versions(&self, as_ruled: &Signed<'_>) -> Vec<Version<'a>> {
        let mut versions: Vec<Version<'a>> = Vec::new();
        for suspect in of_string(self.question.material, self.question.rule) {
            let mut recipe = self.base.clone();
            if !suspect.change(self.question.rule, &mut recipe) {
                continue;
            }
            let Some(signed) = self.question.material.signed(&recipe).filter(|signed| signed != as_ruled) else {
                continue;
            };
            match versions.iter_mut().find(|version| version.signed == signed) {
                Some(same) => same.cause.or_equally.push(suspect),
                None => versions.push(Version { cause: Cause::only(suspect), signed }),
            }
        }
        versions
    }

    fn spend(&mut self, bytes: usize) {
        self.left_bytes = self.left_bytes.saturating_sub(bytes);
    }

    /// Whether that digest came; nothing fits any more when too much has been tried.
    fn is_sent(&mut self, recipe: &Recipe, signed: &Signed<'_>, secret: &str) -> bool {
        self.spend(signed.len() + TRIAL_BYTES);
        self.left_bytes > 0 && recipe.signature(signed, secret) == self.sent.digest
    }

    /// The live secret with which the digest is the one that came.
    fn live_fit(&mut self, recipe: &Recipe, signed: &Signed<'_>) -> Option<SecretName> {
        let secrets = self.question.secrets;
        let fitting = secrets.live.iter().find(|(_, secret)| self.is_sent(recipe, signed, secret.expose()));
        fitting.map(|(name, _)| name.clone())
    }

    /// Whether the digest is the one that came: with the secret that the recipe names, or with a live one.
    fn fits(&mut self, recipe: &Recipe, signed: &Signed<'_>) -> bool {
        match recipe.other_secret {
            None => self.live_fit(recipe, signed).is_some(),
            Some(index) => {
                let other = self.question.secrets.others.get(index);
                other.is_some_and(|(_, secret)| self.is_sent(recipe, signed, secret.expose()))
            }
        }
    }

    fn changed(&self, suspects: &[&Suspect]) -> Option<Recipe> {
        let mut recipe = self.base.clone();
        suspects.iter().all(|suspect| suspect.change(self.question.rule, &mut recipe)).then_some(recipe)
    }

    fn one_of_digest(&mut self, digests: &[Suspect], signed: &Signed<'_>) -> Option<Vec<Cause>> {
        let found = digests.iter().find(|suspect| {
            let recipe = self.changed(&[suspect]);
            recipe.is_some_and(|recipe| self.fits(&recipe, signed))
        });
        found.map(|suspect| vec![Cause::only(suspect.clone())])
    }

    fn one_of_string(&mut self, versions: &[Version<'_>]) -> Option<Vec<Cause>> {
        let base = self.base.clone();
        let found = versions.iter().find(|version| self.fits(&base, &version.signed));
        found.map(|version| vec![version.cause.clone()])
    }

    fn two_of_digest(&mut self, digests: &[Suspect], signed: &Signed<'_>) -> Option<Vec<Cause>> {
        for (at, second) in digests.iter().enumerate() {
            for first in digests.iter().take(at) {
                if let Some(recipe) = self.changed(&[first, second])
                    && self.fits(&recipe, signed)
                {
                    return Some(vec![Cause::only(first.clone()), Cause::only(second.clone())]);
                }
            }
        }
        None
    }

    fn one_of_each(&mut self, digests: &[Suspect], versions: &[Version<'_>]) -> Option<Vec<Cause>> {
        for version in versions {
            for digest in digests {
                if let Some(recipe) = self.changed(&[digest])
                    && self.fits(&recipe, &version.signed)
                {
                    return Some(vec![Cause::only(digest.clone()), version.cause.clone()]);
                }
            }
        }
        None
    }

    fn two_of_string(&mut self, versions: &[Version<'_>]) -> Option<Vec<Cause>> {
        for (at, second) in versions.iter().enumerate() {
            for first in versions.iter().take(at) {
                if self.left_bytes == 0 {
                    return None;
                }
                self.spend(self.question.material.fields.len() * FIELD_BYTES);
                let recipe = self.changed(&[&first.cause.suspect, &second.cause.suspect]);
                let signed = recipe.as_ref().and_then(|recipe| self.question.material.signed(recipe));
                if let (Some(recipe), Some(signed)) = (recipe, signed)
                    && self.fits(&recipe, &signed)
                {
                    return Some(vec![first.cause.clone(), second.cause.clone()]);
                }
            }
        }
        None
    }
}
