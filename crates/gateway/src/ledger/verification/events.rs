//! Events: that each state has its own, and each tells the truth.

use baoqiao_domain::event::Event;
use baoqiao_domain::policy_number::PolicyNumber;

use super::evidence::{EventRow, Fact, PolicyRow};
use super::{Check, Rule, Table};
use crate::ledger::store::StoreError;

impl Check<'_> {
    /// Events up to the place `settled` were written before anything else was looked at.
    pub(super) fn events(&mut self, settled: u64) -> Result<(), StoreError> {
        self.evidence.events(&mut |row| {
            self.count(Table::Events);
            self.event(&row, settled);
            Ok(())
        })?;
        for (fact, times) in std::mem::take(&mut self.seen.unreported) {
            (0..times).for_each(|_| self.found(Rule::StateWithoutEvent, fact.to_string(), "no event tells of it"));
        }
        if self.seen.issued.is_empty() && self.seen.ended.is_empty() {
            return Ok(());
        }
        // Only their sequences were kept: gone through once more, since it is rare, for their numbers.
        self.evidence.policies(&mut |row| {
            let policy = row.policy;
            if self.seen.issued.contains(policy.sequence) {
                self.found(Rule::StateWithoutEvent, &policy.policy_no, "no event tells of its issue");
            }
            if self.seen.ended.contains(policy.sequence) {
                self.found(Rule::StateWithoutEvent, &policy.policy_no, "no event tells of its end");
            }
            Ok(())
        })
    }

    fn event(&mut self, row: &EventRow, settled: u64) {
        if row.position.is_none() && !row.is_pending {
            self.found(Rule::EventWithoutPlace, &row.name, "it has no place in the feed and waits for none");
        }
        let event: Event = match serde_json::from_str(&row.payload) {
            Ok(event) => event,
            Err(error) => {
                let detail = format!("it does not read at byte {}", error.column());
                return self.found(Rule::EventUnreadable, &row.name, detail);
            }
        };
        let policy_no = event.policy_no().map(PolicyNumber::as_str);
        if event.kind() != row.kind || policy_no != row.policy_no.as_deref() {
            return self.found(Rule::EventUnreadable, &row.name, "it is filed under another type or policy");
        }
        if let Some(number) = event.policy_no() {
            match row.policy.as_ref().filter(|policy| policy.policy_no == number.as_str()) {
                Some(policy) => self.event_of(row, &event, policy),
                None => self.found(Rule::EventWithoutState, &row.name, format!("there is no policy {number}")),
            }
        }
        if let Some(fact) = fact(&event) {
            let left = self.seen.unreported.get_mut(&fact).filter(|left| **left > 0);
            match left {
                Some(1) => drop(self.seen.unreported.remove(&fact)),
                Some(left) => *left -= 1,
                None if row.position.is_some_and(|position| position <= settled) => {
                    self.found(Rule::EventWithoutState, &row.name, format!("there is no {fact}"));
                }
                // Newer than the records that were looked through.
                None => {}
            }
        }
    }

    fn event_of(&mut self, row: &EventRow, event: &Event, policy: &PolicyRow) {
        let expected = match event {
            Event::PolicyIssued { .. } => {
                self.seen.issued.remove(policy.sequence);
                let differing = told_otherwise(event, policy);
                if !differing.is_empty() {
                    let detail = format!("{} is another in {}", policy.policy_no, differing.join(", "));
                    self.found(Rule::EventDiffers, &row.name, detail);
                }
                return;
            }
            Event::PolicyRescinded { .. } => "rescinded",
            Event::PolicySurrendered { .. } => "surrendered",
            Event::RecoveryRecorded { .. } | Event::AuctionStageReported { .. } => return,
        };
        self.seen.ended.remove(policy.sequence);
        if policy.state != expected {
            let detail = format!("{} is {}", policy.policy_no, policy.state);
            self.found(Rule::EventDiffers, &row.name, detail);
        }
    }
}

/// The columns in which a policy is not what the event of its issue says.
fn told_otherwise(event: &Event, row: &PolicyRow) -> Vec<&'static str> {
    let Event::PolicyIssued {
        policy_no: _,
        partner,
        product_code,
        identifier,
        insure_id,
        amount,
        premium,
        premium_of_cny,
        currency,
        effect_time,
        expire_time,
    } = event
    else {
        return Vec::new();
    };
    let same = [
        ("partner", *partner == row.partner),
        ("product_code", *product_code == row.product_code),
        ("identifier", *identifier == row.identifier),
        ("insure_id", *insure_id == row.insure_id),
        ("amount", amount.to_string() == row.amount),
        ("premium", premium.to_string() == row.premium),
        ("premium_of_cny", premium_of_cny.to_string() == row.premium_of_cny),
        ("currency", currency.code() == row.currency),
        ("effect_ms", effect_time.as_millisecond() == row.effect_ms),
        ("expire_ms", expire_time.as_millisecond() == row.expire_ms),
    ];
    same.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
}

/// What was recorded beside policies, of which an event tells.
fn fact(event: &Event) -> Option<Fact> {
    match event {
        Event::RecoveryRecorded { partner, identifier, .. } => {
            Some(Fact::Recovery { partner: partner.clone(), identifier: identifier.clone() })
        }
        Event::AuctionStageReported { biz_id, insurance_type, stage, status, .. } => Some(Fact::Stage {
            biz_id: biz_id.clone(),
            insurance_type: insurance_type.number(),
            stage: stage.number(),
            status: status.number(),
        }),
        Event::PolicyIssued { .. } | Event::PolicyRescinded { .. } | Event::PolicySurrendered { .. } => None,
    }
}
