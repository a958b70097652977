//! The one order of all events, over all gateways.
//!
//! Gateways write side by side, and no number that one of them takes says which of two events became durable first. So
//! an event is written without a place in the feed, and gets one right after: whichever gateway comes first takes all
//! events that have none and gives them the next positions, one gateway at a time. A position is durable before any
//! reader sees it, and nothing ever comes before one that was given: a reader that goes on from the last position it
//! has seen misses nothing. Events of one subject keep their order, which is that in which the subject was locked.
//!
//! Webhooks go by the same order: what an endpoint is to be told waits beside its event and is queued when that has its
//! position.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use baoqiao_domain::policy_number::SequenceBlock;
use tokio_postgres::Row;

use super::connection::{Connection, Failure, Session};
use super::rows::{bucket_of, known, number, sealed};
use super::settings::Settings;
use super::writer::{bulk, set_numbers_aside};
use super::{notices, people};
use crate::clock::Clock;
use crate::ledger::feed::Feed;
use crate::ledger::store::StoreError;
use crate::outbox::Wake;
use crate::outbox::store::NoticeRow;

/// How many events get their positions at once.
const TURN: i64 = 2_000;
/// How long events of other gateways may go unnoticed.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Between two turns that both find something: under load a turn for each batch would cost the database as much as the
/// batches do.
const PACE: Duration = Duration::from_millis(40);
/// The bucket of the feed's own tables and of the endpoints' queues.
pub(super) const FEED_BUCKET: i16 = 0;

/// Gives events their places in the feed.
pub struct Sequencer {
    connection: Connection,
    numbers: SequenceBlock,
    clock: Arc<dyn Clock>,
    /// The first position that nobody was told of.
    told: i64,
    /// Whether a run of the people's index can be made, and of how many events.
    people_due: bool,
    people_run: i64,
}

/// What came of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequenced {
    /// Whether there is more to do at once.
    pub is_full: bool,
    /// Whether the feed has grown since the last turn, by whomever.
    pub has_grown: bool,
    /// Whether notices were queued for endpoints.
    pub has_notices: bool,
}

/// An event without a place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pending {
    message_id: i64,
    place: i16,
    at_ms: i64,
    subject: String,
    ordinal: i32,
}

impl Pending {
    fn read(row: &Row) -> Result<Self, Failure> {
        Ok(Self {
            message_id: row.try_get(0)?,
            place: row.try_get(1)?,
            at_ms: row.try_get(2)?,
            subject: row.try_get(3)?,
            ordinal: row.try_get(4)?,
        })
    }

    fn bucket(&self) -> i16 {
        bucket_of(u64::try_from(self.message_id).unwrap_or_default())
    }
}

/// By time, but for the events of each subject, which keep their own order whatever the gateways' clocks said.
fn in_order(mut events: Vec<Pending>) -> Vec<Pending> {
    events.sort_by_key(|event| (event.at_ms, event.message_id, event.place));
    let mut subjects: HashMap<String, BTreeMap<i32, Pending>> = HashMap::new();
    let slots: Vec<String> = events.iter().map(|event| event.subject.clone()).collect();
    for event in events {
        subjects.entry(event.subject.clone()).or_default().insert(event.ordinal, event);
    }
    let next = |subject: &String| subjects.get_mut(subject).and_then(BTreeMap::pop_first).map(|(_, event)| event);
    slots.iter().filter_map(next).collect()
}

impl Sequencer {
    pub(super) fn new(settings: Arc<Settings>, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let connection = Connection::new(settings)?;
        let numbers = SequenceBlock::default();
        Ok(Self { connection, numbers, clock, told: 0, people_due: false, people_run: people::RUN })
    }

    /// Makes runs of the people's index of so many events.
    #[cfg(test)]
    pub(in crate::ledger) fn making_runs_of(mut self, events: i64) -> Self {
        self.people_run = events;
        self
    }

    /// Gives places to what has none.
    ///
    /// # Errors
    /// When the database cannot be written; then nothing was given.
    pub fn turn(&mut self) -> Result<Sequenced, StoreError> {
        let Self { connection, numbers, clock, told, people_due, people_run } = self;
        connection.run("ordering events", async |session| {
            let look = "SELECT f.next, p.next, EXISTS (SELECT FROM feed_pending) FROM feed_head f, people_head p";
            let row = known("the feed's head", session.query_opt(look, &[]).await?)?;
            let (mut next, unindexed, is_pending): (i64, i64, bool) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let (mut is_full, mut has_notices) = (false, false);
            if is_pending {
                (next, is_full, has_notices) = give_places(session, clock.now(), numbers).await?;
            }
            *people_due = next - unindexed >= *people_run;
            let has_grown = std::mem::replace(told, next) != next;
            Ok(Sequenced { is_full, has_grown, has_notices })
        })
    }

    /// Puts the people of the events that have their places into the index, where they are enough.
    ///
    /// # Errors
    /// When the database cannot be written; then they are found where they were.
    pub fn index_people(&mut self) -> Result<(), StoreError> {
        if self.people_due {
            let run = self.people_run;
            self.connection.transact("indexing people", async |session| people::index(session, run).await)?;
            self.people_due = false;
        }
        Ok(())
    }

    /// Works until `stop` completes: at every announcement of `written`, and now and then for what others wrote. Tells
    /// `feed` and, where endpoints are to be told, `wake`.
    pub async fn run(mut self, written: Feed, feed: Feed, wake: Wake, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut ordering = Health::new("events can be ordered again", "events cannot be ordered");
        let mut indexing = Health::new("people can be indexed again", "people cannot be indexed");
        let mut waiter = written.waiter();
        loop {
            // Readers were told of the events of the turn before: they do not wait for the index.
            let done = tokio::task::spawn_blocking(move || {
                let indexed = self.index_people();
                let turned = self.turn();
                (self, indexed, turned)
            });
            let Ok((this, indexed, turned)) = done.await else {
                tracing::error!("the feed has stopped: its store failed");
                return;
            };
            self = this;
            indexing.note(&indexed);
            ordering.note(&turned);
            let has_grown = turned.as_ref().is_ok_and(|turned| turned.has_grown);
            if has_grown {
                feed.announce();
            }
            if turned.as_ref().is_ok_and(|turned| turned.has_notices) {
                wake.ring();
            }
            if turned.is_ok_and(|turned| turned.is_full) {
                continue;
            }
            let pace = if has_grown { PACE } else { Duration::ZERO };
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(pace) => {}
            }
            tokio::select! {
                () = &mut stop => return,
                still = waiter.wait() => if !still { tokio::time::sleep(LOOK_AGAIN).await },
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }
}

/// Whether a part of the work gets done, and what is logged when that changes.
struct Health {
    is_good: bool,
    good: &'static str,
    bad: &'static str,
}

impl Health {
    fn new(good: &'static str, bad: &'static str) -> Self {
        Self { is_good: true, good, bad }
    }

    fn note<T>(&mut self, done: &Result<T, StoreError>) {
        if std::mem::replace(&mut self.is_good, done.is_ok()) != done.is_ok() {
            match done {
                Ok(_) => tracing::info!("{}", self.good),
                Err(error) => tracing::error!(%error, "{}", self.bad),
            }
        }
    }
}

/// The first position that is free, whether more is to be done, and whether notices were queued.
type Given = (i64, bool, bool);

/// Gives the next positions, in a transaction that is begun again where fewer numbers of notices are set aside than its
/// events take: how many that are is known only inside.
async fn give_places(session: &Session, now: jiff::Timestamp, numbers: &mut SequenceBlock) -> Result<Given, Failure> {
    loop {
        session.batch("BEGIN").await?;
        let mut taken = numbers.clone();
        match give(session, now, &mut taken).await? {
            Ok(given) => {
                // From here on they may be in use, whatever is heard of it.
                *numbers = taken;
                session.batch("COMMIT").await?;
                return Ok(given);
            }
            Err(TooFew { needed }) => {
                session.batch("ROLLBACK").await?;
                set_numbers_aside(session, numbers, needed).await?;
            }
        }
    }
}

/// Fewer numbers of notices are set aside than are needed.
struct TooFew {
    needed: u64,
}

/// Gives the next positions, inside a transaction, as far as the numbers reach.
async fn give(
    session: &Session,
    now: jiff::Timestamp,
    numbers: &mut SequenceBlock,
) -> Result<Result<Given, TooFew>, Failure> {
    let head = session.query_opt("SELECT next FROM feed_head FOR UPDATE", &[]).await?;
    let mut next: i64 = known("the feed's head", head)?.try_get(0)?;
    let events = in_order(pending(session).await?);
    if events.is_empty() {
        return Ok(Ok((next, false, false)));
    }
    let is_full = events.len() >= usize::try_from(TURN).unwrap_or(usize::MAX);
    let insert = "INSERT INTO feed (position, message_id, place) \
                  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::smallint[])";
    let numbered: Vec<(i64, &Pending)> = (next..).zip(&events).collect();
    bulk!(session, insert, &numbered, |(position, event)| {
        position: *position,
        message_id: event.message_id,
        place: event.place,
    })?;
    next += i64::try_from(events.len()).unwrap_or(0);
    session.execute("UPDATE feed_head SET next = $1", &[&next]).await?;
    let webhooks = take_webhooks(session, &events).await?;
    let needed = u64::try_from(webhooks.len()).unwrap_or(u64::MAX);
    if numbers.remaining() < needed {
        return Ok(Err(TooFew { needed }));
    }
    notices::insert(session, &webhooks.iter().map(|row| (FEED_BUCKET, row)).collect::<Vec<_>>(), now, numbers).await?;
    let delete = "DELETE FROM feed_pending p USING unnest($1::smallint[], $2::bigint[], $3::smallint[]) \
                    AS u (bucket, message_id, place) \
                  WHERE p.bucket = u.bucket AND p.message_id = u.message_id AND p.place = u.place";
    bulk!(session, delete, &events, |event| {
        bucket: event.bucket(),
        message_id: event.message_id,
        place: event.place,
    })?;
    Ok(Ok((next, is_full, needed > 0)))
}

/// The events without a place, the oldest first, with every one that has to come before one of them.
async fn pending(session: &Session) -> Result<Vec<Pending>, Failure> {
    let query = "SELECT message_id, place, at_ms, subject, ordinal FROM feed_pending \
                 ORDER BY message_id, place LIMIT $1";
    let rows = session.query(query, &[&TURN]).await?;
    let mut events = rows.iter().map(Pending::read).collect::<Result<Vec<_>, _>>()?;
    let later: Vec<&Pending> = events.iter().filter(|event| event.ordinal > 1).collect();
    if later.is_empty() {
        return Ok(events);
    }
    let query = "SELECT DISTINCT p.message_id, p.place, p.at_ms, p.subject, p.ordinal \
                 FROM unnest($1::smallint[], $2::text[], $3::integer[]) AS w (bucket, subject, ordinal) \
                 JOIN feed_pending p ON p.bucket = w.bucket AND p.subject = w.subject AND p.ordinal < w.ordinal";
    let buckets: Vec<i16> = later.iter().map(|event| event.bucket()).collect();
    let subjects: Vec<&str> = later.iter().map(|event| event.subject.as_str()).collect();
    let ordinals: Vec<i32> = later.iter().map(|event| event.ordinal).collect();
    for row in session.query(query, &[&buckets, &subjects, &ordinals]).await? {
        let event = Pending::read(&row)?;
        if !events.contains(&event) {
            events.push(event);
        }
    }
    Ok(events)
}

/// Takes away what endpoints are to be told of these events, in the order of the events.
async fn take_webhooks(session: &Session, events: &[Pending]) -> Result<Vec<NoticeRow>, Failure> {
    let query = "DELETE FROM webhooks_pending p \
                 USING unnest($1::smallint[], $2::bigint[]) AS u (bucket, message_id) \
                 WHERE p.bucket = u.bucket AND p.message_id = u.message_id \
                 RETURNING p.message_id, p.place, p.subject, p.partner, p.kind, p.content";
    let buckets: Vec<i16> = events.iter().map(Pending::bucket).collect();
    let messages: Vec<i64> = events.iter().map(|event| event.message_id).collect();
    let mut order: HashMap<i64, usize> = HashMap::new();
    for (at, event) in events.iter().enumerate() {
        order.entry(event.message_id).or_insert(at);
    }
    let mut rows = Vec::new();
    for row in session.query(query, &[&buckets, &messages]).await? {
        let message_id: i64 = row.try_get(0)?;
        let place: i16 = row.try_get(1)?;
        let notice = NoticeRow {
            kind: baoqiao_domain::notice::NoticeKind::Webhook.as_str(),
            subject: row.try_get(2)?,
            partner: row.try_get(3)?,
            content: sealed(&row, 5)?,
            cause_message_id: Some(number(&row, 0)?),
        };
        rows.push(((order.get(&message_id).copied(), place), notice));
    }
    rows.sort_by_key(|(order, _)| *order);
    Ok(rows.into_iter().map(|(_, notice)| notice).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_a_subject_keep_their_order_whatever_the_clocks_said() {
        let event = |message_id, at_ms, subject: &str, ordinal| Pending {
            message_id,
            place: 0,
            at_ms,
            subject: subject.to_owned(),
            ordinal,
        };
        let events = vec![event(1, 50, "a", 2), event(2, 10, "b", 1), event(9, 60, "a", 1), event(3, 55, "c", 1)];
        let order: Vec<_> = in_order(events).into_iter().map(|event| (event.subject, event.ordinal)).collect();
        let expected = [("b", 1), ("a", 1), ("c", 1), ("a", 2)].map(|(subject, ordinal)| (subject.to_owned(), ordinal));
        assert_eq!(order, expected);
    }
}
