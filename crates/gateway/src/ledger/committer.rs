//! The one thread that writes: takes what has queued up, and makes it one transaction.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use baoqiao_domain::bucket::Bucket;
use baoqiao_domain::idempotency::{IdempotencyKey, MessageUuid};
use baoqiao_domain::policy_number::SequenceBlock;
use baoqiao_domain::refusal::Refusal;
use jiff::Timestamp;

use super::batch::{Batch, Numbers};
use super::pulse::Pulse;
use super::store::{NumberBlock, Store, StoreError, Verdict, Wanted, WantedKey, WantedUuid};
use super::{Answered, Asked, DocumentRow, Rules, Settled, Stranger, Submission, Task};

/// The most tasks in one transaction: more would add latency and nothing else.
const MAX_BATCH: usize = 512;
/// How many numbers are set aside at once: one small transaction every so often, and a gap of as many at most
/// when the gateway stops.
const BLOCK: u64 = 8_192;

pub(super) struct Committer {
    store: Box<dyn Store>,
    rules: Arc<Rules>,
    numbers: Numbers,
    /// How many numbers are set aside at once.
    block: u64,
    pulse: Arc<Pulse>,
}

/// What is waiting, by kind.
#[derive(Default)]
struct Waiting {
    #[allow(clippy::vec_box, reason = "each goes back to where it was boxed")]
    messages: Vec<Box<Submission>>,
    answers: Vec<oneshot::Sender<Settled>>,
    strangers: Vec<Stranger>,
    documents: Vec<DocumentRow>,
    kept: Vec<oneshot::Sender<Result<(), StoreError>>>,
    probes: Vec<oneshot::Sender<bool>>,
    stop: bool,
    /// Where the names of the messages put them, as far as the names alone do not say.
    places: HashMap<Name, Bucket>,
}

/// What a message goes by.
#[derive(PartialEq, Eq, Hash)]
enum Name {
    Key(IdempotencyKey),
    Uuid(MessageUuid),
}

fn names(task: &Task) -> Vec<(Name, Bucket)> {
    let Task::Message(submission, _) = task else { return Vec::new() };
    let Ok(Asked { request, .. }) = &submission.asked else { return Vec::new() };
    if request.is_placed_by_key() {
        return Vec::new();
    }
    let bucket = request.bucket();
    let uuid = request.uuid.clone().map(|uuid| (Name::Uuid(uuid), bucket));
    uuid.into_iter().chain([(Name::Key(request.key.clone()), bucket)]).collect()
}

impl Waiting {
    /// Takes a task on, unless a name of its stands for another bucket in this batch already: then it is the next one's.
    ///
    /// A message that nobody waits for any more is let go: who was told to come again will, and who still waits is
    /// served in time.
    fn push(&mut self, task: Task) -> Option<Task> {
        if matches!(&task, Task::Message(_, answer) if answer.is_closed()) {
            return None;
        }
        let names = names(&task);
        if names.iter().any(|(name, bucket)| self.places.get(name).is_some_and(|taken| taken != bucket)) {
            return Some(task);
        }
        self.places.extend(names);
        match task {
            Task::Message(submission, answer) => {
                self.messages.push(submission);
                self.answers.push(answer);
            }
            Task::Stranger(stranger) => self.strangers.push(*stranger),
            Task::Document(document, done) => {
                self.documents.push(*document);
                self.kept.push(done);
            }
            Task::Probe(answer) => self.probes.push(answer),
            Task::Stop => self.stop = true,
        }
        None
    }

    fn is_full(&self) -> bool {
        self.messages.len() + self.strangers.len() + self.documents.len() >= MAX_BATCH
    }
}

impl Committer {
    pub(super) fn new(store: Box<dyn Store>, rules: Arc<Rules>, pulse: Arc<Pulse>) -> Self {
        Self { store, rules, numbers: Numbers::default(), block: BLOCK, pulse }
    }

    /// Sets so many numbers aside at once.
    #[cfg(test)]
    pub(super) fn setting_aside(mut self, block: u64) -> Self {
        self.block = block;
        self
    }

    /// Works until it is told to stop, or every sender is gone, and the queue is empty.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Task>) {
        // The first call need not wait for this, and a ledger that cannot be written is known before it comes.
        let beat = Pulse::begin(&self.pulse);
        let ready = self.set_numbers_aside(1, 1, 1);
        drop(beat);
        self.note_health(&ready);
        let mut held = None;
        while let Some(first) = held.take().or_else(|| queue.blocking_recv()) {
            held = self.turn(first, &mut queue);
        }
    }

    /// Settles one batch, of `first` and of what has queued up behind it; what cannot be in one with them is the first
    /// of the next.
    pub(super) fn turn(&mut self, first: Task, queue: &mut mpsc::Receiver<Task>) -> Option<Task> {
        let mut waiting = Waiting::default();
        let mut held = waiting.push(first);
        while held.is_none() && !waiting.is_full() {
            let Ok(next) = queue.try_recv() else { break };
            held = waiting.push(next);
        }
        if waiting.stop {
            queue.close();
        }
        self.settle(waiting);
        held
    }

    fn settle(&mut self, mut waiting: Waiting) {
        let strangers = std::mem::take(&mut waiting.strangers);
        let documents = std::mem::take(&mut waiting.documents);
        let nothing_to_write = waiting.messages.is_empty() && strangers.is_empty() && documents.is_empty();
        if nothing_to_write && waiting.probes.is_empty() {
            return;
        }
        let beat = Pulse::begin(&self.pulse);
        let written = if nothing_to_write {
            self.store.probe().map(|()| Vec::new())
        } else {
            self.write(&waiting.messages, &strangers, &documents)
        };
        drop(beat);
        self.note_health(&written);
        for probe in waiting.probes {
            let _ = probe.send(written.is_ok());
        }
        let kept = written.as_ref().map(|_| ()).map_err(StoreError::clone);
        let answers = match written {
            Ok(answers) => answers,
            Err(error) => {
                let now = self.rules.clock.now();
                waiting.messages.iter().map(|submission| unavailable(submission, &error, now)).collect()
            }
        };
        // Whoever no longer waits has given up; the answer is kept for the retry.
        for ((answered, submission), sender) in answers.into_iter().zip(waiting.messages).zip(waiting.answers) {
            let _ = sender.send(Settled { answered, _submission: submission });
        }
        for done in waiting.kept {
            let _ = done.send(kept.clone());
        }
    }

    fn note_health<T>(&self, written: &Result<T, StoreError>) {
        if self.pulse.note(written.is_ok()) {
            match written {
                Ok(_) => tracing::info!("ledger writable again"),
                Err(error) => tracing::error!(%error, "ledger not writable"),
            }
        }
    }

    fn set_numbers_aside(&mut self, policies: usize, messages: usize, strangers: usize) -> Result<(), StoreError> {
        let Self { store, numbers, block, .. } = self;
        let mut top_up =
            |kind, numbers: &mut SequenceBlock, needed| top_up(store.as_mut(), *block, kind, numbers, needed);
        top_up(NumberBlock::Policy, &mut numbers.policies, policies)?;
        top_up(NumberBlock::Message, &mut numbers.messages, messages)?;
        top_up(NumberBlock::Stranger, &mut numbers.strangers, strangers)
    }

    fn write(
        &mut self,
        messages: &[Box<Submission>],
        strangers: &[Stranger],
        documents: &[DocumentRow],
    ) -> Result<Vec<Answered>, StoreError> {
        self.set_numbers_aside(messages.len(), messages.len(), strangers.len())?;
        let Self { store, rules, numbers, .. } = self;
        let wanted = wanted(messages);
        let mut answers = Vec::new();
        let (mut has_notices, mut has_events) = (false, false);
        store.transact(&wanted, &mut |loaded| {
            let mut batch = Batch::new(rules, numbers, &wanted, loaded);
            messages.iter().try_for_each(|message| batch.settle(message))?;
            strangers.iter().try_for_each(|stranger| batch.record(stranger))?;
            batch.keep(documents);
            let (writes, settled) = batch.finish();
            answers = settled;
            has_notices = !writes.notices.is_empty();
            has_events = writes.accepted.iter().any(|accepted| !accepted.events.is_empty());
            Ok(writes)
        })?;
        if has_notices {
            rules.wake_outbox.ring();
        }
        if has_events {
            rules.feed.announce();
        }
        Ok(answers)
    }
}

/// All that the messages refer to.
fn wanted(messages: &[Box<Submission>]) -> Wanted<'_> {
    let mut wanted = Wanted::default();
    for request in messages.iter().filter_map(|message| message.asked.as_ref().ok()).map(|asked| &asked.request) {
        let bucket = request.bucket();
        wanted.keys.push(WantedKey { key: &request.key, bucket, is_placed_by_key: request.is_placed_by_key() });
        wanted.uuids.extend(request.uuid.iter().map(|uuid| WantedUuid { uuid, bucket }));
        wanted.policies.extend(request.command.policy_no());
        wanted.auctions.extend(request.command.auction());
    }
    wanted
}

fn top_up(
    store: &mut dyn Store,
    block: u64,
    kind: NumberBlock,
    numbers: &mut SequenceBlock,
    needed: usize,
) -> Result<(), StoreError> {
    // A store that loses a race decides again, with new numbers: twice the need is enough for one such turn.
    let needed = u64::try_from(needed).unwrap_or(u64::MAX).saturating_mul(2);
    if numbers.remaining() < needed {
        let count = block.max(needed);
        let start = store.reserve(kind, count)?;
        *numbers = SequenceBlock::new(start, start.saturating_add(count));
    }
    Ok(())
}

fn unavailable(submission: &Submission, error: &StoreError, now: Timestamp) -> Answered {
    let result = Err(Refusal::LedgerUnavailable { internal: error.to_string() });
    Answered { reply: (submission.render)(&result, now), verdict: Verdict::Refused, result }
}
