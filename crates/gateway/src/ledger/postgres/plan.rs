//! What the writes of a batch come to as rows: each policy and each auction once, in its last state, and every event
//! with its place among those of its subject.

use std::collections::HashMap;

use baoqiao_domain::event::Event;
use baoqiao_domain::ledger::{Change, PolicyEnding, RecordedStage};
use baoqiao_domain::policy::{Policy, PolicyState};
use baoqiao_domain::policy_number::PolicyNumber;
use baoqiao_domain::recovery::RecordedRecovery;
use jiff::Timestamp;

use super::load::Locked;
use crate::ledger::store::{AcceptedRow, Writes};
use crate::vault::BlindIndex;

/// A policy that came into being.
pub(super) struct NewPolicy<'a> {
    pub(super) row: &'a AcceptedRow,
    pub(super) policy: &'a Policy,
    pub(super) state: PolicyState,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) events: i32,
}

/// A policy that was there and of which something is now different.
pub(super) struct ChangedPolicy {
    pub(super) number: PolicyNumber,
    pub(super) from: (PolicyState, i32),
    pub(super) to: (PolicyState, i32),
    pub(super) ended_at: Option<Timestamp>,
}

/// An auction after the batch.
pub(super) struct ChangedAuction<'a> {
    pub(super) last: &'a RecordedStage,
    /// How many events there were of it; `None` where it was not there.
    pub(super) from: Option<i32>,
    pub(super) to: i32,
}

pub(super) struct EventRow<'a> {
    pub(super) message_id: u64,
    pub(super) place: i16,
    pub(super) event: &'a Event,
    pub(super) subject: String,
    pub(super) ordinal: i32,
    /// By what the parties of a policy that was issued are found.
    pub(super) people: &'a [BlindIndex],
}

#[derive(Default)]
pub(super) struct Plan<'a> {
    pub(super) new_policies: Vec<NewPolicy<'a>>,
    pub(super) changed_policies: Vec<ChangedPolicy>,
    pub(super) endings: Vec<(&'a AcceptedRow, &'a PolicyEnding)>,
    pub(super) recoveries: Vec<(&'a AcceptedRow, &'a RecordedRecovery)>,
    /// Each stage with its place among those of its auction.
    pub(super) stages: Vec<(&'a AcceptedRow, &'a RecordedStage, i32)>,
    pub(super) auctions: Vec<ChangedAuction<'a>>,
    pub(super) events: Vec<EventRow<'a>>,
}

/// Where a subject's events had got to, and whether the batch has brought it about.
#[derive(Default)]
struct Counts {
    events: HashMap<String, i32>,
}

impl Counts {
    fn next(&mut self, subject: &str) -> i32 {
        let count = self.events.entry(subject.to_owned()).or_default();
        *count += 1;
        *count
    }
}

impl<'a> Plan<'a> {
    pub(super) fn new(writes: &'a Writes, locked: &Locked) -> Self {
        let mut counts = Counts::default();
        for (number, (_, events)) in &locked.policies {
            counts.events.insert(format!("policy:{number}"), *events);
        }
        for (biz_id, events) in &locked.auctions {
            counts.events.insert(format!("auction:{biz_id}"), *events);
        }
        let mut plan = Self::default();
        let mut ends: HashMap<&PolicyNumber, &PolicyEnding> = HashMap::new();
        for row in &writes.accepted {
            plan.add_events(row, &mut counts);
            for change in &row.changes {
                match change {
                    Change::PolicyIssued(policy) => plan.new_policies.push(NewPolicy {
                        row,
                        policy,
                        state: policy.state,
                        ended_at: None,
                        events: 0,
                    }),
                    Change::PolicyEnded(ending) => {
                        ends.insert(&ending.policy_no, ending);
                        plan.endings.push((row, ending));
                    }
                    Change::RecoveryRecorded(recorded) => plan.recoveries.push((row, recorded)),
                    Change::AuctionStageRecorded(recorded) => plan.add_stage(row, recorded, locked),
                }
            }
        }
        plan.finish(&ends, locked, &counts);
        plan
    }

    fn add_events(&mut self, row: &'a AcceptedRow, counts: &mut Counts) {
        for (place, event) in row.events.iter().enumerate() {
            let subject = event.subject();
            let ordinal = counts.next(&subject);
            let place = i16::try_from(place).unwrap_or(i16::MAX);
            let people = if let Event::PolicyIssued { .. } = event { row.people.as_slice() } else { &[] };
            let message_id = row.answer.message_id;
            self.events.push(EventRow { message_id, place, event, subject, ordinal, people });
        }
    }

    fn add_stage(&mut self, row: &'a AcceptedRow, recorded: &'a RecordedStage, locked: &Locked) {
        let biz_id = &recorded.case.biz_id;
        let from = locked.auctions.get(biz_id).copied();
        let known = self.auctions.iter_mut().find(|changed| changed.last.case.biz_id == *biz_id);
        let to = if let Some(changed) = known {
            changed.last = recorded;
            changed.to += 1;
            changed.to
        } else {
            let to = from.unwrap_or(0) + 1;
            self.auctions.push(ChangedAuction { last: recorded, from, to });
            to
        };
        self.stages.push((row, recorded, to));
    }

    fn finish(&mut self, ends: &HashMap<&PolicyNumber, &PolicyEnding>, locked: &Locked, counts: &Counts) {
        let events = |number: &PolicyNumber| counts.events.get(&format!("policy:{number}")).copied().unwrap_or(0);
        for new in &mut self.new_policies {
            new.events = events(&new.policy.number);
            if let Some(ending) = ends.get(&new.policy.number) {
                new.state = ending.to;
                new.ended_at = Some(ending.ended_at);
            }
        }
        for (number, from) in &locked.policies {
            let ending = ends.get(number);
            let to = (ending.map_or(from.0, |ending| ending.to), events(number));
            if to != *from {
                let ended_at = ending.map(|ending| ending.ended_at);
                self.changed_policies.push(ChangedPolicy { number: number.clone(), from: *from, to, ended_at });
            }
        }
    }
}
