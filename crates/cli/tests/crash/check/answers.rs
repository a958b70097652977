//! What clients were answered: one answer a key, never taken back.

use std::collections::BTreeMap;

use super::{Accepted, Acknowledged, Evidence, Law, Violation};
use crate::journal::{Answer, Attempt};
use crate::order::Interface;

type ByKey<'a> = BTreeMap<(Interface, &'a str), Vec<&'a Attempt>>;

fn by_key(attempts: &[Attempt]) -> ByKey<'_> {
    let mut keys = ByKey::new();
    for attempt in attempts {
        keys.entry((attempt.order.interface, attempt.order.key.as_str())).or_default().push(attempt);
    }
    keys
}

/// What was acknowledged first under each key.
pub(super) fn acknowledged(attempts: &[Attempt]) -> Acknowledged<'_> {
    let keys = by_key(attempts).into_iter();
    keys.filter_map(|(key, attempts)| {
        let yes = attempts.iter().filter_map(|attempt| match &attempt.answer {
            Answer::Accepted(said) => Some((attempt, said)),
            _ => None,
        });
        let (first, said) = yes.min_by_key(|(attempt, _)| attempt.ended)?;
        let of_content = attempts.iter().filter(|attempt| attempt.order.content == first.order.content);
        let begun = of_content.map(|attempt| attempt.begun).min()?;
        Some((key, Accepted { order: &first.order, said, begun, acknowledged: first.ended }))
    })
    .collect()
}

pub(super) fn violations(evidence: &Evidence, acknowledged: &Acknowledged<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for (key, attempts) in by_key(&evidence.attempts) {
        let first = acknowledged.get(&key);
        let mut broken = |law, detail: String| found.push(Violation { law, detail: format!("{key:?}: {detail}") });
        let mut answered_in_the_end = false;
        for attempt in &attempts {
            match &attempt.answer {
                Answer::Accepted(said) => {
                    let Some(first) = first else { continue };
                    if attempt.order.content != first.order.content {
                        broken(Law::OneContent, format!("{} and {}", first.order.content, attempt.order.content));
                    } else if said != first.said {
                        broken(Law::SameAnswer, format!("first {}, then {said}", first.said));
                    }
                    answered_in_the_end |= attempt.begun >= evidence.asked_back_from;
                }
                Answer::Refused(code) => {
                    if let Some((law, detail)) = refused(attempt, code, first, &attempts, acknowledged) {
                        broken(law, detail);
                    }
                    answered_in_the_end |= first.is_none() && attempt.begun >= evidence.asked_back_from;
                }
                Answer::Later(_) | Answer::Silence(_) => (),
            }
        }
        if !answered_in_the_end {
            let what = if first.is_some() { "acknowledged" } else { "sent" };
            broken(Law::AskedBack, format!("{what}, and not answered so when asked back"));
        }
    }
    found
}

/// What a refusal breaks, if anything.
fn refused(
    attempt: &Attempt,
    code: &str,
    first: Option<&Accepted<'_>>,
    of_key: &[&Attempt],
    acknowledged: &Acknowledged<'_>,
) -> Option<(Law, String)> {
    if let Some(first) = first
        && attempt.order.content == first.order.content
        && first.acknowledged < attempt.begun
    {
        return Some((Law::NotForgotten, format!("acknowledged, then refused with {code}")));
    }
    let has_reason = match code {
        "IDEMPOTENCY_CONFLICT" => {
            of_key.iter().any(|other| other.order.content != attempt.order.content && other.begun < attempt.ended)
        }
        "WRONG_POLICY_STATE" => acknowledged.values().any(|other| {
            let same = other.order.interface == attempt.order.interface && other.order.key == attempt.order.key;
            let ends_it = other.order.interface.ends_a_policy() && other.order.subject == attempt.order.subject;
            ends_it && !same && other.begun < attempt.ended
        }),
        _ => false,
    };
    (!has_reason).then(|| (Law::ReasonedRefusal, format!("refused with {code}")))
}
