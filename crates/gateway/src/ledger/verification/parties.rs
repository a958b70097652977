//! Policies and their parties: that each policy is found by all of them.

use baoqiao_domain::issuing::PolicyApplication;
use baoqiao_domain::ledger::Outcome;
use baoqiao_domain::policy_number::PolicyNumber;

use super::answers::open;
use super::evidence::{AnswerRow, Evidence, Parties};
use super::{Check, Rule, Step, TELL_EVERY};
use crate::ledger::store::StoreError;
use crate::vault::{Purpose, Vault};

/// Policies that are looked up together.
const PIECE: usize = 8_192;

/// Policies that are to be looked up.
#[derive(Default)]
pub(super) struct Pending(Vec<Parties>);

impl Pending {
    pub(super) fn add(&mut self, vault: &Vault, message_id: u64, policy_no: &PolicyNumber, sold: &PolicyApplication) {
        let people = sold.person_keys().iter().map(|key| vault.blind_index(key)).collect();
        self.0.push(Parties { message_id, policy_no: policy_no.clone(), people });
    }

    /// Looks them up once they are a piece; returns what is not found.
    pub(super) fn look_up_pieces(&mut self, evidence: &dyn Evidence) -> Result<Vec<Parties>, StoreError> {
        if self.0.len() < PIECE { Ok(Vec::new()) } else { self.look_up(evidence) }
    }

    /// Looks them up; returns what is not found.
    pub(super) fn look_up(&mut self, evidence: &dyn Evidence) -> Result<Vec<Parties>, StoreError> {
        evidence.unfound(&std::mem::take(&mut self.0))
    }
}

impl Check<'_> {
    /// The policies that are left, and what the index has lost by itself.
    pub(super) fn parties(&mut self) -> Result<(), StoreError> {
        (self.tell)(Step::Begun("the index of parties"));
        let unfound = self.seen.parties.look_up(self.evidence)?;
        self.unfound(&unfound);
        self.evidence.lost(&mut |lost| {
            self.unfound(&lost);
            Ok(())
        })
    }

    pub(super) fn unfound(&mut self, unfound: &[Parties]) {
        for parties in unfound {
            // What was told already, needs no second line.
            if !self.seen.unfound.insert(parties.policy_no.sequence()) {
                continue;
            }
            let detail = match parties.people.len() {
                1 => "one of its parties' numbers and names does not find it".to_owned(),
                several => format!("{several} of its parties' numbers and names do not find it"),
            };
            self.found(Rule::PolicyNotFound, parties.policy_no.as_str(), detail);
        }
    }
}

/// Goes through all policies, and hands over those that are not found by all of their parties, with what does not find
/// them; one may come more than once. `tell` hears now and then how many answers were gone through. Returns how many do not
/// open or read, so that it is not known whether they are about a policy: [`verify`](super::verify) tells which.
///
/// # Errors
/// When the database cannot be read, or as `take`.
pub fn unfound(
    evidence: &dyn Evidence,
    vault: &Vault,
    tell: &mut dyn FnMut(u64),
    take: &mut dyn FnMut(&[Parties]) -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    let (mut pending, mut answers, mut unreadable) = (Pending::default(), 0_u64, 0);
    evidence.answers(&mut |row| {
        answers += 1;
        if answers.is_multiple_of(TELL_EVERY) {
            tell(answers);
        }
        match sale(vault, &row) {
            Ok(Some((policy_no, sold))) => pending.add(vault, row.message_id, &policy_no, &sold),
            Ok(None) => {}
            Err(_) => unreadable += 1,
        }
        take(&pending.look_up_pieces(evidence)?)
    })?;
    take(&pending.look_up(evidence)?)?;
    evidence.lost(&mut |lost| take(&lost))?;
    Ok(unreadable)
}

/// What was sold, where an answer says that something was.
fn sale(vault: &Vault, row: &AnswerRow) -> Result<Option<(PolicyNumber, PolicyApplication)>, String> {
    match open(vault, Purpose::Outcome, &row.outcome)? {
        Outcome::PolicyIssued { policy_no, .. } => Ok(Some((policy_no, open(vault, Purpose::Content, &row.content)?))),
        _ => Ok(None),
    }
}
