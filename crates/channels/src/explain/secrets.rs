//! The secrets that a signature may have been made with, and what to call them: no word ever shows one.

use crate::access::{Access, Secret};
use crate::outbound::TopApp;

/// A secret that is never accepted and only tried, to tell that somebody still signs with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpareSecret {
    /// Whose it is: a partner's id or a policy source's code.
    pub owner: String,
    /// What it was or is for.
    pub kind: SpareKind,
    /// The secret.
    pub secret: Secret,
}

/// What a spare secret was or is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpareKind {
    /// It was live once.
    Previous,
    /// It is that of the platform's sandbox.
    Sandbox,
}

/// Everything that the configuration holds for checking signatures and for explaining them.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Who may call.
    pub access: &'a Access,
    /// Our own applications at the platforms, each with the id of its partner.
    pub apps: &'a [(String, TopApp)],
    /// Secrets that are only tried.
    pub spare: &'a [SpareSecret],
}

/// What a secret is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretName {
    /// A live one.
    Live {
        /// Whose.
        owner: String,
        /// Its place among the owner's, from 1.
        number: usize,
        /// How many the owner has.
        count: usize,
    },
    /// One that was live once.
    Previous {
        /// Whose.
        owner: String,
    },
    /// That of the sandbox.
    Sandbox {
        /// Whose.
        owner: String,
    },
    /// That of our own application, with which the platform is called.
    Outgoing {
        /// The partner whose platform it is.
        owner: String,
    },
    /// The only one at hand.
    Given,
    /// The live one with something added by accident.
    Slip(Slip),
}

/// What people add to a secret, or take for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slip {
    /// A line break at its end, as `echo` writes it.
    LineBreak,
    /// A blank at its end.
    Blank,
    /// Quotes around it.
    Quotes,
    /// The app key in its place.
    AppKey,
    /// Nothing at all.
    Empty,
}

/// A secret with its name.
pub(crate) type Named = (SecretName, Secret);

/// Which secrets to try for a request.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    /// Those with which the signature is right.
    pub(crate) live: Vec<Named>,
    /// All others, those that are likelier first.
    pub(crate) others: Vec<Named>,
}

fn live_of(owner: &str, secrets: &[Secret]) -> Vec<Named> {
    let count = secrets.len();
    let name = |index: usize| SecretName::Live { owner: owner.to_owned(), number: index + 1, count };
    secrets.iter().enumerate().map(|(index, secret)| (name(index), secret.clone())).collect()
}

impl Known<'_> {
    /// A secret that somebody has at hand, and what people make of it by accident.
    pub(crate) fn given(secret: &Secret, app_key: Option<&str>) -> Candidates {
        let nobody = Access::default();
        let known = Known { access: &nobody, apps: &[], spare: &[] };
        known.candidates(vec![(SecretName::Given, secret.clone())], None, app_key)
    }

    /// For a call by that app key to us, by Qimen.
    pub(crate) fn for_partner(&self, app_key: Option<&str>) -> Candidates {
        let partner = app_key.and_then(|app_key| self.access.partner(app_key));
        let live = partner.map(|partner| live_of(&partner.id, &partner.secrets)).unwrap_or_default();
        self.candidates(live, partner.map(|partner| partner.id.as_str()), app_key)
    }

    /// For a call by that app key of ours to a platform, by TOP.
    pub(crate) fn for_app(&self, app_key: Option<&str>) -> Candidates {
        let found = self.apps.iter().find(|(_, app)| Some(app.app_key.as_str()) == app_key);
        let live = found.map(|(owner, app)| (SecretName::Outgoing { owner: owner.clone() }, app.secret.clone()));
        let owner = found.map(|(owner, _)| owner.as_str());
        self.candidates(live.into_iter().collect(), owner, app_key)
    }

    /// For a call of that policy source, by Avatar.
    pub(crate) fn for_source(&self, code: Option<&str>) -> Candidates {
        let source = code.and_then(|code| self.access.source(code));
        let live = source.map(|source| live_of(&source.code, &source.hmac_secrets)).unwrap_or_default();
        self.candidates(live, code, None)
    }

    fn candidates(&self, live: Vec<Named>, owner: Option<&str>, app_key: Option<&str>) -> Candidates {
        let mut others: Vec<Named> = Vec::new();
        let (own, foreign): (Vec<&SpareSecret>, Vec<_>) =
            self.spare.iter().partition(|spare| Some(spare.owner.as_str()) == owner);
        others.extend(own.into_iter().map(spare));
        if let Some((_, first)) = live.first() {
            let text = first.expose();
            for (slip, other) in [
                (Slip::LineBreak, format!("{text}\n")),
                (Slip::Blank, format!("{text} ")),
                (Slip::Quotes, format!("\"{text}\"")),
                (Slip::Empty, String::new()),
            ] {
                others.push((SecretName::Slip(slip), Secret::new(other)));
            }
        }
        others.extend(app_key.map(|app_key| (SecretName::Slip(Slip::AppKey), Secret::new(app_key))));
        others.extend(
            self.apps.iter().map(|(owner, app)| (SecretName::Outgoing { owner: owner.clone() }, app.secret.clone())),
        );
        others.extend(self.access.partners().into_iter().flat_map(|one| live_of(&one.id, &one.secrets)));
        others.extend(self.access.sources().into_iter().flat_map(|one| live_of(&one.code, &one.hmac_secrets)));
        others.extend(foreign.into_iter().map(spare));
        // Each secret once, under its first name, and none that is right.
        let mut distinct: Vec<Named> = Vec::new();
        for (name, secret) in others {
            if !live.iter().chain(&distinct).any(|(_, other)| *other == secret) {
                distinct.push((name, secret));
            }
        }
        Candidates { live, others: distinct }
    }
}

fn spare(spare: &SpareSecret) -> Named {
    let owner = spare.owner.clone();
    let name = match spare.kind {
        SpareKind::Previous => SecretName::Previous { owner },
        SpareKind::Sandbox => SecretName::Sandbox { owner },
    };
    (name, spare.secret.clone())
}
