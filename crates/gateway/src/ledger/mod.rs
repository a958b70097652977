//! The ledger: what was issued and what happened since, every answer ever given, the traffic record.
//!
//! Handlers hand in a [`Submission`] and wait. One committer takes what has queued up, settles it over what the
//! store holds and commits it in one transaction; load itself makes the batch, and an idle gateway answers at
//! once. Nothing is answered before it is durable.

pub mod backend;
mod batch;
mod committer;
pub mod feed;
pub mod finding;
pub mod lists;
mod marks;
pub mod names;
mod newest;
mod notice_lists;
pub mod postgres;
mod pulse;
pub mod resends;
pub mod retention;
pub mod sqlite;
pub mod store;
pub mod verification;
mod version;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use baoqiao_channels::channel::{CallResult, Reply};
use baoqiao_domain::bucket::{BUCKETS, Bucket};
use baoqiao_domain::idempotency::{IdempotencyKey, MessageUuid};
use baoqiao_domain::ledger::{Command, Request};
use baoqiao_domain::policy_number::PolicyNumber;
use baoqiao_domain::product::Catalogue;
use baoqiao_domain::refusal::Refusal;
use jiff::Timestamp;

use crate::clock::Clock;
use crate::outbox::Wake;
use crate::vault::{BlindIndex, Purpose, Sealed, Vault, VaultError};
use feed::Feed;
use pulse::Pulse;
use store::{Arrival, DocumentRow, Store, StoreError, Verdict};

/// Writes the reply to a result at a moment; called when the result is known, before it is durable.
pub type Render = Box<dyn Fn(&CallResult, Timestamp) -> Reply + Send>;

/// A request that was understood, with what of it is kept.
#[derive(Debug)]
pub struct Asked {
    /// What is asked.
    pub request: Request,
    /// The content, as it is kept.
    pub content: Sealed,
    /// The numbers by which its parties are found.
    pub people: Vec<BlindIndex>,
}

impl Asked {
    /// What is kept of a command under its key, with the message's own identity where its channel has such.
    ///
    /// # Errors
    /// When it cannot be sealed.
    pub fn new(
        vault: &Vault,
        key: IdempotencyKey,
        uuid: Option<MessageUuid>,
        command: Command,
    ) -> Result<Self, VaultError> {
        // Text, decimals and times always serialise.
        let content = command.content().unwrap_or_default();
        let people = command.person_keys().iter().map(|person| vault.blind_index(person)).collect();
        let fingerprint = vault.fingerprint(&content);
        let content = vault.seal(Purpose::Content, &content)?;
        Ok(Self { request: Request { key, uuid, fingerprint, command }, content, people })
    }
}

/// A verified message.
pub struct Submission {
    /// What is known of it.
    pub arrival: Arrival,
    /// What it asks, or why it could not be understood.
    pub asked: Result<Asked, Refusal>,
    /// Writes its reply.
    pub render: Render,
}

impl Submission {
    /// Where it belongs; what could not be read belongs nowhere, and so anywhere.
    fn bucket(&self) -> Bucket {
        self.asked.as_ref().map_or_else(|_| Bucket::default(), |asked| asked.request.bucket())
    }
}

/// A message whose caller could not be believed, as far as it is kept.
#[derive(Debug)]
pub struct Stranger {
    /// When it arrived.
    pub received_at: Timestamp,
    /// The channel's name.
    pub channel: &'static str,
    /// The address it came from.
    pub peer: String,
    /// Why it was not believed.
    pub reason: String,
    /// How long the body was.
    pub body_bytes: usize,
    /// The beginning of the request.
    pub request: Sealed,
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The reply to send.
    pub reply: Reply,
    /// How the message ended.
    pub verdict: Verdict,
    /// The result itself.
    pub result: CallResult,
}

/// An answer, and the submission, back where it came from.
///
/// It is many small pieces of memory. Freed by the committer, each would have to come back to the handler's core before
/// it could be used again. (That took a tenth of a handler's time; `docs/performance.md`.)
struct Settled {
    answered: Answered,
    _submission: Box<Submission>,
}

/// Longer than an attempt to write waits for a lock, shorter than load balancers wait for an answer.
const PROBE_PATIENCE: Duration = Duration::from_secs(2);

enum Task {
    Message(Box<Submission>, oneshot::Sender<Settled>),
    Stranger(Box<Stranger>),
    Document(Box<DocumentRow>, oneshot::Sender<Result<(), StoreError>>),
    /// Whether the store can be written, asked while it could not.
    Probe(oneshot::Sender<bool>),
    /// Nothing is taken on after this; what was, is finished.
    Stop,
}

/// An endpoint of the insurer's own that is told of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id in the configuration.
    pub id: String,
    /// The types of the events that it is told of.
    pub kinds: Vec<&'static str>,
}

/// What the committer decides with.
pub struct Rules {
    /// What may be sold.
    pub catalogue: Arc<Catalogue>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Seals what is kept.
    pub vault: Arc<Vault>,
    /// The address of a policy's document.
    pub document_url: Box<dyn Fn(&PolicyNumber) -> String + Send + Sync>,
    /// How many strangers' messages are kept.
    pub stranger_records: u64,
    /// Rung when notices are queued.
    pub wake_outbox: Wake,
    /// Told when events are written.
    pub feed: Feed,
    /// Who is told of events through the outbox.
    pub webhooks: Vec<Webhook>,
}

/// A group of buckets with a committer of its own: what goes through one lane can stay on one node of a database that
/// is spread by bucket. A ledger has one lane unless it is told otherwise.
struct Lane {
    tasks: mpsc::Sender<Task>,
    pulse: Arc<Pulse>,
}

/// The handlers' side of the ledger; cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    lanes: Arc<[Lane]>,
}

/// The committers' threads, to be waited for when the gateway stops.
pub struct Committer {
    lanes: Vec<(JoinHandle<()>, mpsc::Sender<Task>)>,
}

/// The committer ended in a panic: what was not answered is not known to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the committer ended in a panic")]
pub struct CommitterPanicked;

impl Ledger {
    /// Starts the committer on `store`; at most `waiting_limit` tasks queue before more are refused as busy.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        store: impl Store + 'static,
        rules: Rules,
        waiting_limit: usize,
    ) -> std::io::Result<(Self, Committer)> {
        Self::start_lanes(vec![Box::new(store)], rules, waiting_limit)
    }

    /// Starts a committer on each of `stores`, which share the buckets in equal ranges; at most `waiting_limit` tasks
    /// queue over all of them.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start_lanes(
        stores: Vec<Box<dyn Store>>,
        rules: Rules,
        waiting_limit: usize,
    ) -> std::io::Result<(Self, Committer)> {
        let rules = Arc::new(rules);
        let limit = (waiting_limit / stores.len().max(1)).max(1);
        let (mut lanes, mut threads) = (Vec::new(), Vec::new());
        for store in stores {
            let (tasks, queue) = mpsc::channel(limit);
            let pulse = Arc::new(Pulse::default());
            let committer = committer::Committer::new(store, Arc::clone(&rules), Arc::clone(&pulse));
            let thread =
                std::thread::Builder::new().name("committer".to_owned()).spawn(move || committer.run(queue))?;
            threads.push((thread, tasks.clone()));
            lanes.push(Lane { tasks, pulse });
        }
        Ok((Self { lanes: lanes.into() }, Committer { lanes: threads }))
    }

    /// A bucket's lane.
    fn lane(&self, bucket: Bucket) -> Option<&Lane> {
        let place = usize::from(bucket.index()) * self.lanes.len() / usize::from(BUCKETS);
        self.lanes.get(place)
    }

    fn try_send(&self, bucket: Bucket, task: Task) -> Result<(), Refusal> {
        self.lane(bucket).ok_or_else(ended)?.tasks.try_send(task).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refusal::Busy,
            mpsc::error::TrySendError::Closed(_) => ended(),
        })
    }

    /// Settles a message and waits until that is durable.
    ///
    /// # Errors
    /// [`Refusal::Busy`] when too much is waiting, [`Refusal::LedgerUnavailable`] when the committer has ended.
    pub async fn submit(&self, submission: Submission) -> Result<Answered, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.try_send(submission.bucket(), Task::Message(Box::new(submission), answer))?;
        answered.await.map(|settled| settled.answered).map_err(|_| ended())
    }

    /// As [`submit`](Self::submit), for a caller who waits for so long and no longer.
    ///
    /// A message that nobody waits for any more is not settled, unless its batch has begun: then it may become durable
    /// still, and its retry has that answer.
    ///
    /// # Errors
    /// As [`submit`](Self::submit); [`Refusal::Busy`] also when it took too long, and at once while others who waited
    /// as long do so in vain.
    pub async fn submit_within(&self, submission: Submission, patience: Duration) -> Result<Answered, Refusal> {
        let pulse = Arc::clone(&self.lane(submission.bucket()).ok_or_else(ended)?.pulse);
        if pulse.is_vain(patience) {
            return Err(Refusal::Busy);
        }
        let Ok(answered) = tokio::time::timeout(patience, self.submit(submission)).await else {
            pulse.waited_in_vain(patience);
            return Err(Refusal::Busy);
        };
        answered
    }

    /// Records a stranger's message, if there is room; nobody waits for it.
    pub fn record_stranger(&self, stranger: Stranger) {
        // A full queue has better things to do than to remember strangers.
        let _ = self.try_send(Bucket::default(), Task::Stranger(Box::new(stranger)));
    }

    /// Keeps a policy's document.
    ///
    /// # Errors
    /// When the ledger cannot be written, too much is waiting, or it takes longer than `patience`; then it may be kept
    /// all the same.
    pub async fn keep_document(&self, document: DocumentRow, patience: Duration) -> Result<(), StoreError> {
        let unavailable = |reason: &str| StoreError { context: "keeping a document", reason: reason.to_owned() };
        let (done, kept) = oneshot::channel();
        let bucket = document.policy_no.bucket();
        self.try_send(bucket, Task::Document(Box::new(document), done))
            .map_err(|_| unavailable("the ledger is busy or has stopped"))?;
        let kept = tokio::time::timeout(patience, kept).await.map_err(|_| unavailable("the ledger is too slow"))?;
        kept.map_err(|_| unavailable("the ledger has stopped"))?
    }

    /// Whether the ledger takes writes: by the last batch, or, when that failed, by trying, since a load balancer
    /// that hears no sends no batch either. A ledger that does not say so in time does not.
    pub async fn is_writable(&self) -> bool {
        let all = async {
            for lane in &*self.lanes {
                if !lane.is_writable().await {
                    return false;
                }
            }
            true
        };
        tokio::time::timeout(PROBE_PATIENCE, all).await.unwrap_or(false)
    }

    /// Whether the ledger took its last batches; nothing is asked of it.
    pub fn seems_writable(&self) -> bool {
        let is_well =
            |lane: &Lane| !lane.tasks.is_closed() && lane.pulse.is_writable() && !lane.pulse.is_vain(Duration::ZERO);
        self.lanes.iter().all(is_well)
    }

    /// Completes when a committer has ended, of itself or because it was told to.
    pub async fn ended(&self) {
        let mut ends: Vec<_> = self.lanes.iter().map(|lane| Box::pin(lane.tasks.closed())).collect();
        std::future::poll_fn(|context| {
            let any = ends.iter_mut().any(|end| end.as_mut().poll(context).is_ready());
            if any { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

impl Lane {
    async fn is_writable(&self) -> bool {
        if self.tasks.is_closed() || self.pulse.is_vain(Duration::ZERO) {
            return false;
        }
        if self.pulse.is_writable() {
            return true;
        }
        let (answer, answered) = oneshot::channel();
        self.tasks.try_send(Task::Probe(answer)).is_ok() && answered.await.unwrap_or(false)
    }
}

fn ended() -> Refusal {
    Refusal::LedgerUnavailable { internal: "the committer has ended".to_owned() }
}

impl Committer {
    /// Takes nothing more on and waits until everything submitted is written.
    ///
    /// # Errors
    /// When it had ended in a panic before.
    pub async fn finish(self) -> Result<(), CommitterPanicked> {
        for (_, tasks) in &self.lanes {
            // A committer that has ended already needs no telling.
            let _ = tasks.send(Task::Stop).await;
        }
        let threads = self.lanes.into_iter().map(|(thread, _)| thread);
        let join = move || threads.map(JoinHandle::join).filter(Result::is_err).count();
        match tokio::task::spawn_blocking(join).await {
            Ok(0) => Ok(()),
            _ => Err(CommitterPanicked),
        }
    }
}
