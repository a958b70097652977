//! A model of a database: tables in memory, and transactions that are taken whole or not at all.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use baoqiao_domain::auction::AuctionCase;
use baoqiao_domain::event::Event;
use baoqiao_domain::idempotency::{Fingerprint, IdempotencyKey, MessageUuid};
use baoqiao_domain::ledger::{Change, PolicyEnding, RecordedStage};
use baoqiao_domain::policy::Policy;
use baoqiao_domain::policy_number::PolicyNumber;
use baoqiao_domain::recovery::RecordedRecovery;

use crate::ledger::store::{
    AcceptedRow, ConflictRow, Decide, Loaded, MessageRow, NumberBlock, Store, StoreError, StoredAnswer, Wanted, Writes,
};
use crate::outbox::store::NoticeRow;

/// The tables.
#[derive(Debug, Clone, Default)]
pub(super) struct Tables {
    blocks: HashMap<&'static str, u64>,
    pub(super) answers: HashMap<IdempotencyKey, StoredAnswer>,
    pub(super) uuids: HashMap<MessageUuid, Fingerprint>,
    pub(super) policies: BTreeMap<PolicyNumber, Policy>,
    pub(super) cases: HashMap<String, AuctionCase>,
    pub(super) stages: Vec<RecordedStage>,
    pub(super) endings: Vec<PolicyEnding>,
    pub(super) recoveries: Vec<RecordedRecovery>,
    pub(super) events: Vec<Event>,
    pub(super) notices: Vec<NoticeRow>,
    pub(super) conflicts: Vec<ConflictRow>,
    pub(super) messages: BTreeMap<u64, MessageRow>,
}

/// A database that several stores share.
#[derive(Clone, Default)]
pub(super) struct Database(Arc<Mutex<Tables>>);

impl Database {
    pub(super) fn tables(&self) -> MutexGuard<'_, Tables> {
        // A process that was killed changes nothing: tables are exchanged whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn violated(constraint: &str) -> StoreError {
    StoreError { context: "writing a batch", reason: format!("violated: {constraint}") }
}

fn check(holds: bool, constraint: &str) -> Result<(), StoreError> {
    if holds { Ok(()) } else { Err(violated(constraint)) }
}

impl Tables {
    fn load(&self, wanted: &Wanted<'_>) -> Loaded {
        let uuid = |uuid: &MessageUuid| self.uuids.get(uuid).map(|fingerprint| (uuid.clone(), *fingerprint));
        Loaded {
            answers: wanted.keys.iter().map(|wanted| self.answers.get(wanted.key).cloned()).collect(),
            uuids: wanted.uuids.iter().filter_map(|wanted| uuid(wanted.uuid)).collect(),
            policies: wanted.policies.iter().filter_map(|number| self.policies.get(number).cloned()).collect(),
            auctions: wanted.auctions.iter().filter_map(|biz_id| self.cases.get(*biz_id).cloned()).collect(),
        }
    }

    fn write(&mut self, writes: Writes) -> Result<(), StoreError> {
        for accepted in writes.accepted {
            self.accept(accepted)?;
        }
        for row in writes.uuids {
            self.uuids.entry(row.uuid).or_insert(row.fingerprint);
        }
        self.conflicts.extend(writes.conflicts);
        self.notices.extend(writes.notices);
        for row in writes.messages {
            check(self.messages.insert(row.id, row).is_none(), "a message's number is its own")?;
        }
        Ok(())
    }

    fn accept(&mut self, row: AcceptedRow) -> Result<(), StoreError> {
        let id = row.answer.message_id;
        check(self.answers.values().all(|answer| answer.message_id != id), "a message has one answer")?;
        check(self.answers.insert(row.key, row.answer).is_none(), "a key has one answer")?;
        for change in row.changes {
            self.change(change)?;
        }
        self.events.extend(row.events);
        Ok(())
    }

    fn change(&mut self, change: Change) -> Result<(), StoreError> {
        match change {
            Change::PolicyIssued(policy) => {
                let sequence = policy.number.sequence();
                let is_new = self.policies.keys().all(|number| number.sequence() != sequence);
                check(is_new, "a sequence is one policy's")?;
                self.policies.insert(policy.number.clone(), *policy);
            }
            Change::PolicyEnded(ending) => {
                let policy = self.policies.get_mut(&ending.policy_no).ok_or_else(|| violated("the policy is there"))?;
                check(policy.state == ending.from, "the policy is in the state that was decided from")?;
                policy.state = ending.to;
                self.endings.push(*ending);
            }
            Change::RecoveryRecorded(recorded) => self.recoveries.push(*recorded),
            Change::AuctionStageRecorded(recorded) => {
                self.cases.insert(recorded.case.biz_id.clone(), recorded.case.clone());
                self.stages.push(*recorded);
            }
        }
        Ok(())
    }
}

impl Store for Database {
    fn reserve(&mut self, block: NumberBlock, count: u64) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        let next = tables.blocks.entry(block.as_str()).or_insert(1);
        let start = *next;
        *next += count;
        Ok(start)
    }

    fn transact(&mut self, wanted: &Wanted<'_>, decide: &mut Decide<'_>) -> Result<(), StoreError> {
        let loaded = self.tables().load(wanted);
        let writes = decide(loaded)?;
        let mut tables = self.tables();
        let mut next = tables.clone();
        next.write(writes)?;
        *tables = next;
        Ok(())
    }
}
