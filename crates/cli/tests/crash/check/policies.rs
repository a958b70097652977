//! What the ledger holds, by its lists: what was acknowledged, once, and nothing that was never sent.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Acknowledged, Evidence, Law, Violation};
use crate::order::Interface;

/// The policy's number in the answer to an issuing.
fn policy_no(said: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(said).ok()?;
    Some(answer.pointer("/context/policyNo")?.as_str()?.to_owned())
}

pub(super) fn violations(evidence: &Evidence, acknowledged: &Acknowledged<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    let issued = issued(acknowledged, &mut found);
    let ended = ended(acknowledged, &mut found);
    let mut broken = |detail: String| found.push(Violation { law: Law::OnceInLedger, detail });
    let mut listed = BTreeSet::new();
    for policy in &evidence.census.policies {
        if !listed.insert(policy.identifier.as_str()) {
            broken(format!("two policies of {}", policy.identifier));
        }
        match issued.get(policy.identifier.as_str()) {
            None => broken(format!("policy {} of {}, which nobody was told of", policy.policy_no, policy.identifier)),
            Some(number) if **number != policy.policy_no => {
                broken(format!("{} is {} and was acknowledged as {number}", policy.identifier, policy.policy_no));
            }
            Some(_) => (),
        }
        let expected = ended.get(policy.policy_no.as_str()).copied().unwrap_or("issued");
        if policy.state != expected {
            broken(format!("policy {} is {} and should be {expected}", policy.policy_no, policy.state));
        }
    }
    for identifier in issued.keys().filter(|identifier| !listed.contains(*identifier)) {
        broken(format!("no policy of {identifier}, which was acknowledged"));
    }
    recoveries(evidence, acknowledged, &mut broken);
    found
}

/// The numbers that were acknowledged, by the keys of their issuings.
fn issued<'a>(acknowledged: &Acknowledged<'a>, found: &mut Vec<Violation>) -> BTreeMap<&'a str, String> {
    let (mut issued, mut keys) = (BTreeMap::new(), BTreeMap::new());
    for ((interface, key), accepted) in acknowledged {
        if *interface != Interface::Issuing {
            continue;
        }
        let Some(number) = policy_no(accepted.said) else {
            let detail = format!("no policy number in the answer to {key}: {}", accepted.said);
            found.push(Violation { law: Law::OwnNumber, detail });
            continue;
        };
        if let Some(other) = keys.insert(number.clone(), *key) {
            found.push(Violation { law: Law::OwnNumber, detail: format!("{number} for {other} and for {key}") });
        }
        issued.insert(*key, number);
    }
    issued
}

/// The states of the policies whose end was acknowledged.
fn ended<'a>(acknowledged: &Acknowledged<'a>, found: &mut Vec<Violation>) -> BTreeMap<&'a str, &'static str> {
    let mut ended = BTreeMap::new();
    for accepted in acknowledged.values().filter(|accepted| accepted.order.interface.ends_a_policy()) {
        let rescinded = accepted.order.interface == Interface::Rescission;
        let state = if rescinded { "rescinded" } else { "surrendered" };
        if ended.insert(accepted.order.subject.as_str(), state).is_some() {
            let detail = format!("{} was ended again by {}", accepted.order.subject, accepted.order.key);
            found.push(Violation { law: Law::OneEnding, detail });
        }
    }
    ended
}

fn recoveries(evidence: &Evidence, acknowledged: &Acknowledged<'_>, broken: &mut impl FnMut(String)) {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for identifier in &evidence.census.recoveries {
        *counts.entry(identifier).or_default() += 1;
    }
    for (interface, key) in acknowledged.keys() {
        if *interface == Interface::Recovery {
            match counts.remove(key) {
                Some(1) => (),
                count => broken(format!("recovery {key} is there {} times", count.unwrap_or(0))),
            }
        }
    }
    for identifier in counts.keys() {
        broken(format!("recovery {identifier}, which nobody was told of"));
    }
}
