//! What answers brought about besides: policies and their ends, recoveries, stages, documents, contradictions.

use sha2::{Digest, Sha256};

use super::evidence::{ConflictEvidence, DocumentEvidence, LinkedPolicy};
use super::{Check, Rule, Table};
use crate::ledger::store::StoreError;
use crate::vault::Purpose;

/// The state of a policy that nothing has ended.
const ISSUED: &str = "issued";

impl Check<'_> {
    pub(super) fn policies(&mut self) -> Result<(), StoreError> {
        self.evidence.policies(&mut |row| {
            self.count(Table::Policies);
            self.policy(&row)
        })?;
        for message_id in std::mem::take(&mut self.seen.endings) {
            let detail = "the policy's end is not recorded";
            self.found(Rule::AnswerWithoutRecord, format!("message {message_id}"), detail);
        }
        Ok(())
    }

    fn policy(&mut self, row: &LinkedPolicy) -> Result<(), StoreError> {
        let LinkedPolicy { policy, answer_sequence, ending } = row;
        self.seen.issued.insert(policy.sequence);
        if *answer_sequence != Some(policy.sequence) {
            let detail = "no answer speaks of it where its parties are said to be";
            self.found(Rule::PolicyWithoutAnswer, &policy.policy_no, detail);
        }
        let ended_as = ending.as_ref().map_or(ISSUED, |ending| &ending.kind);
        if policy.state != ended_as {
            let detail = format!("it is {}, and by the record of its end {ended_as}", policy.state);
            self.found(Rule::PolicyEndDiffers, &policy.policy_no, detail);
        }
        if let Some(ending) = ending {
            self.seen.ended.insert(policy.sequence);
            if !self.seen.endings.remove(ending.message_id) && !self.is_answered(ending.message_id)? {
                let detail = format!("its end is recorded for message {}, which has no answer", ending.message_id);
                self.found(Rule::RecordWithoutAnswer, &policy.policy_no, detail);
            }
        }
        Ok(())
    }

    pub(super) fn facts(&mut self) -> Result<(), StoreError> {
        self.evidence.facts(&mut |row| {
            self.count(Table::Records);
            if !self.seen.facts.remove(row.message_id) && !self.is_answered(row.message_id)? {
                let detail = format!("it is recorded for message {}, which has no answer", row.message_id);
                self.found(Rule::RecordWithoutAnswer, row.fact.to_string(), detail);
            }
            *self.seen.unreported.entry(row.fact).or_default() += 1;
            Ok(())
        })?;
        for message_id in std::mem::take(&mut self.seen.facts) {
            let detail = "neither a recovery nor a stage is recorded";
            self.found(Rule::AnswerWithoutRecord, format!("message {message_id}"), detail);
        }
        Ok(())
    }

    pub(super) fn documents(&mut self) -> Result<(), StoreError> {
        self.evidence.documents(&mut |row| {
            self.count(Table::Documents);
            self.document(&row);
            Ok(())
        })
    }

    fn document(&mut self, row: &DocumentEvidence) {
        let name = || format!("the document of policy sequence {}", row.policy_sequence);
        if !row.has_policy {
            self.found(Rule::DocumentWithoutPolicy, name(), "there is no such policy");
        }
        match self.vault.open(Purpose::Document, &row.pdf) {
            Ok(pdf) if Sha256::digest(&pdf)[..] == row.sha256[..] => {}
            Ok(_) => self.found(Rule::DocumentAltered, name(), "it is not the one whose digest was kept"),
            Err(error) => self.found(Rule::DocumentAltered, name(), error.to_string()),
        }
    }

    pub(super) fn conflicts(&mut self) -> Result<(), StoreError> {
        self.evidence.conflicts(&mut |row| {
            self.count(Table::Conflicts);
            self.conflict(&row)
        })
    }

    fn conflict(&mut self, row: &ConflictEvidence) -> Result<(), StoreError> {
        let name = format!("message {}", row.message_id);
        if let Err(error) = self.vault.open(Purpose::Content, &row.content) {
            self.found(Rule::ConflictUnreadable, &name, error.to_string());
        }
        if !self.is_answered(row.first_message_id)? {
            let detail = format!("it contradicts message {}, which has no answer", row.first_message_id);
            self.found(Rule::ConflictUnreadable, name, detail);
        }
        Ok(())
    }
}
