//! One batch: each message settled over what is loaded and over what the messages before it changed.

use std::collections::HashMap;

use serde_json::Value;

use baoqiao_channels::channel::CallResult;
use baoqiao_domain::bucket::Bucket;
use baoqiao_domain::difference::differences;
use baoqiao_domain::event::Event;
use baoqiao_domain::idempotency::IdempotencyKey;
use baoqiao_domain::ledger::{Decision, Facts, Outcome, SavedAnswer, Settlement, State, settle};
use baoqiao_domain::notice::Notice;
use baoqiao_domain::policy_number::{PolicyNumber, SequenceBlock};
use baoqiao_domain::refusal::Refusal;
use baoqiao_domain::webhook::WebhookNotice;
use jiff::Timestamp;

use super::store::{
    AcceptedRow, ConflictRow, DocumentRow, Loaded, MessageRow, StoreError, StoredAnswer, StrangerRow, UuidRow, Verdict,
    Wanted, Writes,
};
use super::{Answered, Asked, Rules, Stranger, Submission};
use crate::outbox::store::NoticeRow;
use crate::vault::{Purpose, Sealed, VaultError};

/// Numbers set aside for this node.
#[derive(Default)]
pub(super) struct Numbers {
    pub(super) policies: SequenceBlock,
    pub(super) messages: SequenceBlock,
    pub(super) strangers: SequenceBlock,
}

/// Where two contents differ in their partner, no more is told: fields that are not named would be guesses confirmed,
/// about another's customers.
const PARTNER: &str = "partner";

/// Which message was first under a key, and its content: what a conflict is told against.
struct First {
    message_id: u64,
    content: Sealed,
}

pub(super) struct Batch<'a> {
    rules: &'a Rules,
    numbers: &'a mut Numbers,
    now: Timestamp,
    state: State,
    firsts: HashMap<IdempotencyKey, First>,
    /// Keys whose kept answer does not open, with the reason.
    unreadable: HashMap<IdempotencyKey, String>,
    writes: Writes,
    answers: Vec<Answered>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(rules: &'a Rules, numbers: &'a mut Numbers, wanted: &Wanted<'_>, loaded: Loaded) -> Self {
        let now = rules.clock.now();
        let mut batch = Self {
            rules,
            numbers,
            now,
            state: State::default(),
            firsts: HashMap::new(),
            unreadable: HashMap::new(),
            writes: Writes { at: now, ..Writes::default() },
            answers: Vec::new(),
        };
        for (wanted, stored) in wanted.keys.iter().zip(loaded.answers) {
            if let Some(stored) = stored {
                batch.load(wanted.key.clone(), stored);
            }
        }
        loaded.uuids.into_iter().for_each(|(uuid, fingerprint)| batch.state.load_uuid(uuid, fingerprint));
        loaded.policies.into_iter().for_each(|policy| batch.state.load_policy(policy));
        loaded.auctions.into_iter().for_each(|case| batch.state.load_auction(case));
        batch
    }

    fn load(&mut self, key: IdempotencyKey, stored: StoredAnswer) {
        match self.open_outcome(&stored.outcome) {
            Ok(outcome) => {
                let answer = SavedAnswer { fingerprint: stored.fingerprint, outcome };
                self.state.load_answer(key.clone(), answer);
                self.firsts.insert(key, First { message_id: stored.message_id, content: stored.content });
            }
            Err(reason) => {
                self.unreadable.insert(key, reason);
            }
        }
    }

    fn open_outcome(&self, sealed: &Sealed) -> Result<Outcome, String> {
        let plain = self.rules.vault.open(Purpose::Outcome, sealed).map_err(|error| error.to_string())?;
        serde_json::from_slice(&plain).map_err(|error| format!("a kept answer does not read: {error}"))
    }

    /// Settles one message and notes all that it writes.
    pub(super) fn settle(&mut self, submission: &Submission) -> Result<(), StoreError> {
        let number = number(&mut self.numbers.messages)?;
        // What could not be read belongs nowhere, and so anywhere.
        let bucket = submission.asked.as_ref().map_or(Bucket::of_tagged(number), |asked| asked.request.bucket());
        let message_id = bucket.tag(number);
        let (verdict, result) = match &submission.asked {
            Ok(asked) => self.settle_asked(message_id, asked)?,
            Err(refusal) => (Verdict::Refused, Err(refusal.clone())),
        };
        let reply = (submission.render)(&result, self.now);
        self.writes.messages.push(MessageRow {
            id: message_id,
            arrival: submission.arrival.clone(),
            key: submission.asked.as_ref().ok().map(|asked| asked.request.key.key.clone()),
            verdict,
            code: result.as_ref().err().map(|refusal| refusal.code().as_str()),
            policy_sequence: result.as_ref().ok().and_then(policy_sequence),
            reply: self.rules.vault.seal(Purpose::Reply, &reply.body).map_err(sealing)?,
        });
        self.answers.push(Answered { reply, verdict, result });
        Ok(())
    }

    fn settle_asked(&mut self, message_id: u64, asked: &Asked) -> Result<(Verdict, CallResult), StoreError> {
        if let Some(reason) = self.unreadable.get(&asked.request.key) {
            let refusal = Refusal::LedgerUnavailable { internal: reason.clone() };
            return Ok((Verdict::Refused, Err(refusal)));
        }
        let mut facts = Facts {
            now: self.now,
            catalogue: &self.rules.catalogue,
            sequences: &mut self.numbers.policies,
            document_url: &*self.rules.document_url,
        };
        let settlement = settle(&mut self.state, &asked.request, &mut facts);
        if let (Settlement::Decided(_) | Settlement::Replayed(_), Some(uuid)) = (&settlement, &asked.request.uuid) {
            let fingerprint = asked.request.fingerprint;
            self.writes.uuids.push(UuidRow { uuid: uuid.clone(), fingerprint, message_id });
        }
        Ok(match settlement {
            Settlement::Decided(decision) => (Verdict::Accepted, Ok(self.accept(message_id, asked, *decision)?)),
            Settlement::Replayed(outcome) => (Verdict::Replayed, Ok(outcome)),
            Settlement::Conflicting(_) => match self.conflict(message_id, asked) {
                Ok(refusal) => (Verdict::Conflicting, Err(refusal)),
                // What is kept for one key does not open: no reason to refuse everyone else in the batch.
                Err(error) => (Verdict::Refused, Err(Refusal::LedgerUnavailable { internal: error.to_string() })),
            },
            Settlement::Refused(refusal) => (Verdict::Refused, Err(refusal)),
        })
    }

    fn accept(&mut self, message_id: u64, asked: &Asked, decision: Decision) -> Result<Outcome, StoreError> {
        let key = asked.request.key.clone();
        let plain = serde_json::to_vec(&decision.outcome).map_err(encoding)?;
        let outcome = self.rules.vault.seal(Purpose::Outcome, &plain).map_err(sealing)?;
        self.firsts.insert(key.clone(), First { message_id, content: asked.content.clone() });
        let answer = StoredAnswer {
            message_id,
            fingerprint: asked.request.fingerprint,
            content: asked.content.clone(),
            outcome,
        };
        let Decision { outcome, changes, events, notices } = decision;
        for notice in notices {
            self.queue(message_id, &notice)?;
        }
        self.push(message_id, &events)?;
        let policy_sequence = policy_sequence(&outcome);
        let people = asked.people.clone();
        self.writes.accepted.push(AcceptedRow { key, answer, changes, policy_sequence, people, events });
        Ok(outcome)
    }

    /// Queues the events for every endpoint that wants them.
    fn push(&mut self, message_id: u64, events: &[Event]) -> Result<(), StoreError> {
        let rules = self.rules;
        for (place, event) in events.iter().enumerate() {
            let wanting = rules.webhooks.iter().filter(|webhook| webhook.kinds.contains(&event.kind()));
            for webhook in wanting {
                let content = WebhookNotice::new(message_id, place, self.now, event.clone());
                self.queue(message_id, &Notice::webhook(&webhook.id, content))?;
            }
        }
        Ok(())
    }

    /// Queues a notice; it is sent after the batch is durable.
    fn queue(&mut self, message_id: u64, notice: &Notice) -> Result<(), StoreError> {
        let plain = serde_json::to_vec(&notice.content).map_err(encoding)?;
        self.writes.notices.push(NoticeRow {
            kind: notice.kind.as_str(),
            subject: notice.subject.clone(),
            partner: notice.partner.clone(),
            content: self.rules.vault.seal(Purpose::Notice, &plain).map_err(sealing)?,
            cause_message_id: Some(message_id),
        });
        Ok(())
    }

    /// Keeps both contents, and names the fields in which they differ.
    fn conflict(&mut self, message_id: u64, asked: &Asked) -> Result<Refusal, StoreError> {
        let key = &asked.request.key;
        let first = self.firsts.get(key).ok_or_else(|| internal("a conflict without a first".to_owned()))?;
        let (before, now) = (self.open_content(&first.content)?, self.open_content(&asked.content)?);
        let differing: Vec<String> = differences(&before, &now).into_iter().map(|one| one.path).collect();
        self.writes.conflicts.push(ConflictRow {
            message_id,
            first_message_id: first.message_id,
            differing: differing.clone(),
            content: asked.content.clone(),
        });
        let told = if differing.iter().any(|path| path == PARTNER) { vec![PARTNER.to_owned()] } else { differing };
        Ok(Refusal::IdempotencyConflict { key: key.key.clone(), differing: told })
    }

    fn open_content(&self, sealed: &Sealed) -> Result<Value, StoreError> {
        let plain = self.rules.vault.open(Purpose::Content, sealed).map_err(sealing)?;
        serde_json::from_slice(&plain).map_err(encoding)
    }

    /// Records a stranger's message.
    pub(super) fn record(&mut self, stranger: &Stranger) -> Result<(), StoreError> {
        self.writes.strangers.push(StrangerRow {
            number: number(&mut self.numbers.strangers)?,
            ring_size: self.rules.stranger_records,
            received_at: stranger.received_at,
            channel: stranger.channel,
            peer: stranger.peer.clone(),
            reason: stranger.reason.clone(),
            body_bytes: stranger.body_bytes,
            request: stranger.request.clone(),
        });
        Ok(())
    }

    /// Keeps documents.
    pub(super) fn keep(&mut self, documents: &[DocumentRow]) {
        self.writes.documents.extend_from_slice(documents);
    }

    pub(super) fn finish(self) -> (Writes, Vec<Answered>) {
        (self.writes, self.answers)
    }
}

fn policy_sequence(outcome: &Outcome) -> Option<u64> {
    outcome.policy_no().map(PolicyNumber::sequence)
}

fn number(block: &mut SequenceBlock) -> Result<u64, StoreError> {
    block.take().ok_or_else(|| internal("numbers set aside are used up".to_owned()))
}

fn internal(reason: String) -> StoreError {
    StoreError { context: "settling a batch", reason }
}

#[allow(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn sealing(error: VaultError) -> StoreError {
    internal(error.to_string())
}

#[allow(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn encoding(error: serde_json::Error) -> StoreError {
    internal(error.to_string())
}
