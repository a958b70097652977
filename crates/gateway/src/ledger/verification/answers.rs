//! Answers: that each opens, belongs to its content, and is true of its policy.

use baoqiao_domain::issuing::PolicyApplication;
use baoqiao_domain::ledger::Outcome;
use baoqiao_domain::policy::Policy;
use baoqiao_domain::policy_number::PolicyNumber;
use jiff::Timestamp;

use super::evidence::{AnswerRow, PolicyRow};
use super::{Check, Rule, Table};
use crate::ledger::store::StoreError;
use crate::vault::{Purpose, Sealed, Vault};

/// Opens a sealed value and reads it as JSON.
pub(super) fn open<T: serde::de::DeserializeOwned>(
    vault: &Vault,
    purpose: Purpose,
    sealed: &Sealed,
) -> Result<T, String> {
    let plain = vault.open(purpose, sealed).map_err(|error| error.to_string())?;
    read(&plain)
}

/// Reads JSON; the reason of a failure holds nothing of it.
fn read<T: serde::de::DeserializeOwned>(plain: &[u8]) -> Result<T, String> {
    serde_json::from_slice(plain).map_err(|error| format!("it opens, and does not read at byte {}", error.column()))
}

impl Check<'_> {
    pub(super) fn answers(&mut self) -> Result<(), StoreError> {
        self.evidence.answers(&mut |row| {
            self.count(Table::Answers);
            self.answer(&row);
            let unfound = self.seen.parties.look_up_pieces(self.evidence)?;
            self.unfound(&unfound);
            Ok(())
        })
    }

    fn answer(&mut self, row: &AnswerRow) {
        self.seen.answers.insert(row.message_id);
        let name = || format!("message {} ({})", row.message_id, row.scope);
        let content = match self.vault.open(Purpose::Content, &row.content) {
            Ok(content) => content,
            Err(error) => return self.found(Rule::AnswerUnreadable, name(), format!("the content: {error}")),
        };
        if row.fingerprint != self.vault.fingerprint(&content).0 {
            self.found(Rule::AnswerDigestDiffers, name(), "the digest is not that of the content");
        }
        let outcome: Outcome = match open(self.vault, Purpose::Outcome, &row.outcome) {
            Ok(outcome) => outcome,
            Err(reason) => return self.found(Rule::AnswerUnreadable, name(), format!("the answer: {reason}")),
        };
        if row.policy_sequence != outcome.policy_no().map(PolicyNumber::sequence) {
            let detail = "the answer is filed under another policy than it speaks of";
            self.found(Rule::AnswerWithoutPolicy, name(), detail);
        }
        if let Some(number) = outcome.policy_no()
            && row.policy.as_ref().is_none_or(|policy| policy.policy_no != number.as_str())
        {
            return self.found(Rule::AnswerWithoutPolicy, name(), format!("there is no policy {number}"));
        }
        match &outcome {
            Outcome::PolicyIssued { policy_no, .. } => self.sale(row, policy_no, &content),
            Outcome::PolicyRescinded { .. } | Outcome::PolicySurrendered { .. } => {
                self.seen.endings.insert(row.message_id);
            }
            Outcome::RecoveryRecorded { .. } => {
                self.seen.facts.insert(row.message_id);
            }
            Outcome::AuctionStageRecorded { .. } => {
                self.seen.facts.insert(row.message_id);
                self.seen.noticed.insert(row.message_id);
            }
        }
    }

    /// A policy against what was applied for.
    fn sale(&mut self, row: &AnswerRow, number: &PolicyNumber, content: &[u8]) {
        let application: PolicyApplication = match read(content) {
            Ok(application) => application,
            Err(reason) => {
                return self.found(Rule::AnswerUnreadable, number.as_str(), format!("the content: {reason}"));
            }
        };
        self.seen.parties.add(self.vault, row.message_id, number, &application);
        let Some(policy) = &row.policy else { return };
        // When it was issued, is no part of what was applied for.
        let sold = Policy::issue(&application, number.clone(), Timestamp::UNIX_EPOCH);
        let differing = differing(policy, &sold);
        if !differing.is_empty() {
            let detail = format!("other than applied for in {}", differing.join(", "));
            self.found(Rule::PolicyDiffers, number.as_str(), detail);
        }
    }
}

/// The columns in which a row is not that policy; its state and the moment of its issue are not looked at.
pub(super) fn differing(row: &PolicyRow, policy: &Policy) -> Vec<&'static str> {
    let texts = [
        ("policy_no", &row.policy_no, policy.number.to_string()),
        ("partner", &row.partner, policy.partner.clone()),
        ("product_code", &row.product_code, policy.product_code.clone()),
        ("identifier", &row.identifier, policy.identifier.clone()),
        ("insure_id", &row.insure_id, policy.insure_id.clone()),
        ("amount", &row.amount, policy.amount.to_string()),
        ("premium", &row.premium, policy.premium.to_string()),
        ("premium_of_cny", &row.premium_of_cny, policy.premium_of_cny.to_string()),
        ("currency", &row.currency, policy.currency.code().to_owned()),
    ];
    let moments = [
        ("effect_ms", row.effect_ms, policy.effect_time.as_millisecond()),
        ("expire_ms", row.expire_ms, policy.expire_time.as_millisecond()),
    ];
    let texts = texts.into_iter().filter(|(_, found, expected)| *found != expected).map(|(name, ..)| name);
    texts.chain(moments.into_iter().filter(|(_, found, expected)| found != expected).map(|(name, ..)| name)).collect()
}
