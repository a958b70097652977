//! The decision: a request, over what the ledger has loaded, becomes an answer with its effects or a refusal.
//!
//! A batch is decided request by request over one [`State`]; what one request changes, the next one sees, so
//! copies inside a batch meet the same answer as copies that come a year later.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::bucket::Bucket;
use crate::event::Event;
use crate::idempotency::{Fingerprint, IdempotencyKey};
use crate::issuing::PolicyApplication;
use crate::policy::Policy;
use crate::policy_number::{PolicyNumber, SequenceBlock};
use crate::product::Catalogue;
use crate::refusal::Refusal;

/// What a message asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Issue a policy.
    IssuePolicy(Box<PolicyApplication>),
}

/// A command with its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The key under which its answer is kept for ever.
    pub key: IdempotencyKey,
    /// The digest of its content.
    pub fingerprint: Fingerprint,
    /// What it asks for.
    pub command: Command,
}

/// What a command came to. This is the answer that is kept: an interface writes it in its own shape, each time
/// the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum Outcome {
    /// A policy was issued.
    #[serde(rename = "policyIssued")]
    PolicyIssued {
        /// Its number.
        policy_no: PolicyNumber,
        /// The address of its electronic policy document.
        policy_file_url: String,
    },
}

impl Outcome {
    /// The policy that the answer is about.
    pub fn policy_no(&self) -> &PolicyNumber {
        match self {
            Self::PolicyIssued { policy_no, .. } => policy_no,
        }
    }
}

/// An answer given before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedAnswer {
    /// The digest of the content it was given to.
    pub fingerprint: Fingerprint,
    /// The answer.
    pub outcome: Outcome,
}

/// What a batch refers to, as loaded from the ledger and as changed by the requests decided so far.
#[derive(Debug, Default)]
pub struct State {
    answers: HashMap<IdempotencyKey, SavedAnswer>,
}

impl State {
    /// Takes in an answer that the ledger holds.
    pub fn load_answer(&mut self, key: IdempotencyKey, answer: SavedAnswer) {
        self.answers.insert(key, answer);
    }
}

/// What a decision may use besides the state.
pub struct Facts<'a> {
    /// The moment of the decision.
    pub now: Timestamp,
    /// What may be sold.
    pub catalogue: &'a Catalogue,
    /// Policy sequences set aside for this node.
    pub sequences: &'a mut SequenceBlock,
    /// The address of a policy's document.
    pub document_url: &'a dyn Fn(&PolicyNumber) -> String,
}

/// What a request newly brings about; all of it becomes durable in one transaction with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The answer, to be kept.
    pub outcome: Outcome,
    /// The policy that came into being.
    pub policy: Policy,
    /// What the core system will be told.
    pub events: Vec<Event>,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// It is the first with its key, and was carried out.
    Decided(Box<Decision>),
    /// It came before with the same content: the first answer again.
    Replayed(Outcome),
    /// It came before with other content: the first stays.
    Conflicting(Outcome),
    /// It was not carried out, and nothing is kept as its answer: mended and sent again, it may pass.
    Refused(Refusal),
}

/// Settles one request and lets the state know.
///
/// Only what changed the ledger is kept as an answer, so a first failure never blocks a retry.
pub fn settle(state: &mut State, request: &Request, facts: &mut Facts<'_>) -> Settlement {
    if let Some(saved) = state.answers.get(&request.key) {
        return if saved.fingerprint == request.fingerprint {
            Settlement::Replayed(saved.outcome.clone())
        } else {
            Settlement::Conflicting(saved.outcome.clone())
        };
    }
    match decide(&request.key, &request.command, facts) {
        Ok(decision) => {
            let answer = SavedAnswer { fingerprint: request.fingerprint, outcome: decision.outcome.clone() };
            state.answers.insert(request.key.clone(), answer);
            Settlement::Decided(Box::new(decision))
        }
        Err(refusal) => Settlement::Refused(refusal),
    }
}

/// Decides a command that is the first with its key.
fn decide(key: &IdempotencyKey, command: &Command, facts: &mut Facts<'_>) -> Result<Decision, Refusal> {
    match command {
        Command::IssuePolicy(application) => issue(key, application, facts),
    }
}

fn issue(key: &IdempotencyKey, application: &PolicyApplication, facts: &mut Facts<'_>) -> Result<Decision, Refusal> {
    let problems = application.figures().problems(&application.partner, facts.catalogue);
    let product = match facts.catalogue.product(&application.product_code) {
        Some(product) if problems.is_empty() => product,
        _ => return Err(Refusal::InvalidFields(problems)),
    };
    let sequence = facts.sequences.take().ok_or(Refusal::Busy)?;
    let number = PolicyNumber::new(&product.prefix, facts.now, Bucket::of_key(&key.key), sequence);
    let policy = Policy::issue(application, number.clone(), facts.now);
    let policy_file_url = (facts.document_url)(&number);
    Ok(Decision {
        outcome: Outcome::PolicyIssued { policy_no: number, policy_file_url },
        events: vec![Event::policy_issued(&policy)],
        policy,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issuing::tests::{catalogue, example};

    fn request(change: impl FnOnce(&mut PolicyApplication)) -> Request {
        let mut application = example();
        change(&mut application);
        let mut fingerprint = [0; 32];
        for (index, byte) in serde_json::to_vec(&application).unwrap().into_iter().enumerate() {
            fingerprint[index % 32] ^= byte.rotate_left(u32::try_from(index / 32).unwrap());
        }
        Request {
            key: IdempotencyKey { scope: "test/issuing", key: application.identifier.clone() },
            fingerprint: Fingerprint(fingerprint),
            command: Command::IssuePolicy(Box::new(application)),
        }
    }

    struct World {
        state: State,
        sequences: SequenceBlock,
        catalogue: Catalogue,
    }

    impl World {
        fn new() -> Self {
            Self { state: State::default(), sequences: SequenceBlock::new(1, 1_000), catalogue: catalogue() }
        }

        fn settle(&mut self, request: &Request) -> Settlement {
            let mut facts = Facts {
                now: "2026-01-02T03:04:05Z".parse().unwrap(),
                catalogue: &self.catalogue,
                sequences: &mut self.sequences,
                document_url: &|number| format!("https://example.test/documents/{number}"),
            };
            settle(&mut self.state, request, &mut facts)
        }
    }

    #[test]
    fn the_first_is_decided_and_its_copies_get_its_answer() {
        let mut world = World::new();
        let first = request(|_| ());
        let Settlement::Decided(decision) = world.settle(&first) else { panic!("not decided") };
        assert_eq!(decision.policy.number.as_str(), "PBDI20260102QXP000001");
        assert_eq!(world.settle(&first), Settlement::Replayed(decision.outcome.clone()));
        let other = request(|a| a.amount = "1019".parse().unwrap());
        assert_eq!(world.settle(&other), Settlement::Conflicting(decision.outcome));
    }

    #[test]
    fn a_refusal_blocks_nothing() {
        let mut world = World::new();
        let wrong = request(|a| a.premium = "7".parse().unwrap());
        assert!(matches!(world.settle(&wrong), Settlement::Refused(Refusal::InvalidFields(_))));
        assert!(matches!(world.settle(&request(|_| ())), Settlement::Decided(_)));
    }

    #[test]
    fn a_retry_is_answered_even_when_the_product_is_no_longer_sold() {
        let mut world = World::new();
        let first = request(|_| ());
        assert!(matches!(world.settle(&first), Settlement::Decided(_)));
        world.catalogue = Catalogue::default();
        assert!(matches!(world.settle(&first), Settlement::Replayed(_)));
        assert!(matches!(world.settle(&request(|a| a.identifier = "2".to_owned())), Settlement::Refused(_)));
    }

    #[test]
    fn without_a_sequence_the_platform_is_asked_to_come_again() {
        let mut world = World::new();
        world.sequences = SequenceBlock::default();
        assert_eq!(world.settle(&request(|_| ())), Settlement::Refused(Refusal::Busy));
    }
}
