//! The writing side: a batch is one transaction, written a table at a time.
//!
//! Several gateways write beside each other. What decides between them are the primary keys and the states that changes
//! start from: whoever finds that another was first, begins again, and settles the batch over what the other wrote.

use std::sync::Arc;

use baoqiao_domain::policy_number::SequenceBlock;

use super::connection::{Connection, Failure, Session};
use super::plan::Plan;
use super::rows::{big, bucket_number, bucket_of, known, millis, number};
use super::settings::Settings;
use super::{changes, claims, load, notices};
use crate::ledger::store::{AcceptedRow, Decide, NumberBlock, Store, StoreError, Wanted, Writes};

/// What a transaction of one message takes of the log and the tables: a page of each table and index that it touches.
const PROBE_BYTES: usize = 16 * 8_192;
/// How many numbers of notices are set aside at once.
pub(super) const NOTICE_BLOCK: u64 = 4_096;
/// A message queues at most so many notices, of those that are numbered here.
const NOTICES_A_MESSAGE: usize = 2;

/// PostgreSQL as the ledger's writing side: one connection for each committer.
pub struct PostgresStore {
    connection: Connection,
    notices: SequenceBlock,
}

impl PostgresStore {
    pub(super) fn new(settings: Arc<Settings>) -> Result<Self, StoreError> {
        Ok(Self { connection: Connection::new(settings)?, notices: SequenceBlock::default() })
    }
}

/// Bulk writing: a column of every row at a time.
macro_rules! bulk {
    ($session:expr, $sql:expr, $rows:expr, |$row:pat_param| { $($name:ident: $value:expr),+ $(,)? }) => {{
        let rows = $rows;
        if rows.is_empty() {
            Ok(0)
        } else {
            $(
                #[allow(unused_variables, reason = "a column need not use every part of its row")]
                let $name: Vec<_> = rows.iter().map(|$row| $value).collect();
            )+
            $session.execute($sql, &[$(&$name),+]).await
        }
    }};
}
pub(super) use bulk;

/// Fails where other rows were there than the batch was decided over.
pub(super) fn expect(written: u64, rows: usize, what: &'static str) -> Result<(), Failure> {
    if usize::try_from(written) == Ok(rows) { Ok(()) } else { Err(Failure::LostRace(what)) }
}

async fn reserve(session: &Session, block: &str, count: i64) -> Result<u64, Failure> {
    let update = "UPDATE number_blocks SET next = next + $2 WHERE name = $1 RETURNING next - $2";
    let row = session.query_opt(update, &[&block, &count]).await?;
    number(&known("the blocks of numbers", row)?, 0)
}

/// Sets numbers of notices aside, outside of any transaction, where fewer are left than may be needed.
pub(super) async fn set_numbers_aside(
    session: &Session,
    notices: &mut SequenceBlock,
    needed: u64,
) -> Result<(), Failure> {
    if notices.remaining() < needed {
        let count = NOTICE_BLOCK.max(needed.saturating_mul(2));
        let start = reserve(session, "notice", big(count)).await?;
        *notices = SequenceBlock::new(start, start.saturating_add(count));
    }
    Ok(())
}

impl Store for PostgresStore {
    fn reserve(&mut self, block: NumberBlock, count: u64) -> Result<u64, StoreError> {
        let count = big(count);
        self.connection.run("reserving numbers", async |session| reserve(session, block.as_str(), count).await)
    }

    /// Bytes that are new each time, so that they do not compress.
    fn probe(&mut self) -> Result<(), StoreError> {
        let upsert = "INSERT INTO probe (only_one, filler) VALUES (1, $1) \
                      ON CONFLICT (only_one) DO UPDATE SET filler = excluded.filler";
        let unavailable =
            |error: getrandom::Error| StoreError { context: "trying to write", reason: error.to_string() };
        let mut filler = vec![0; PROBE_BYTES];
        getrandom::fill(&mut filler).map_err(unavailable)?;
        self.connection.run("trying to write", async |session| session.execute(upsert, &[&filler]).await).map(|_| ())
    }

    fn transact(&mut self, wanted: &Wanted<'_>, decide: &mut Decide<'_>) -> Result<(), StoreError> {
        let needed = u64::try_from(wanted.keys.len() * NOTICES_A_MESSAGE).unwrap_or(u64::MAX);
        let Self { connection, notices } = self;
        let mut unheard = None;
        connection.run("writing a batch", async |session| {
            if let Some(message_id) = unheard
                && is_written(session, message_id).await?
            {
                return Ok(());
            }
            set_numbers_aside(session, notices, needed).await?;
            let claims = claims::claim(session, wanted).await?;
            let (loaded, locked) = load::begin(session, wanted, &claims).await?;
            // What is decided now is what will be answered: an earlier decision counts no more, though it be written yet.
            unheard = None;
            let writes = decide(loaded).map_err(Failure::Undecided)?;
            let mut numbers = notices.clone();
            Box::pin(write(session, &writes, &Plan::new(&writes, &locked), &claims, &mut numbers)).await?;
            // From here on they may be in use, whatever is heard of it.
            *notices = numbers;
            unheard = writes.messages.first().map(|message| message.id);
            session.batch("COMMIT").await
        })
    }
}

/// Whether a batch is there whose commit was not heard of, by a message of it. Where it comes to be there only later, the
/// attempt that is begun next waits for it, and finds its messages answered.
async fn is_written(session: &Session, message_id: u64) -> Result<bool, Failure> {
    let query = "SELECT EXISTS (SELECT 1 FROM messages WHERE bucket = $1 AND id = $2)";
    let row = session.query_opt(query, &[&bucket_of(message_id), &big(message_id)]).await?;
    Ok(known("a message", row)?.try_get(0)?)
}

async fn write(
    session: &Session,
    writes: &Writes,
    plan: &Plan<'_>,
    claims: &claims::Claims,
    numbers: &mut SequenceBlock,
) -> Result<(), Failure> {
    // In the order in which they go out: of several failures the first is the cause, and tells whether to begin again.
    tokio::try_join!(
        biased;
        write_answers(session, writes, claims),
        write_uuids(session, writes, claims),
        changes::write(session, plan, writes.at),
        write_conflicts(session, writes),
        write_messages(session, writes),
        write_strangers(session, writes),
        write_documents(session, writes),
        notices::queue_webhooks(session, writes),
    )?;
    notices::queue(session, writes, numbers).await
}

macro_rules! insert_answers {
    () => {
        "INSERT INTO answers (bucket, scope, key, message_id, fingerprint, content, outcome, policy_sequence, epoch) \
         SELECT * FROM unnest($1::smallint[], $2::text[], $3::text[], $4::bigint[], $5::bytea[], $6::bytea[], \
                              $7::bytea[], $8::bigint[], $9::bigint[])"
    };
}

/// Where its key alone says where an answer is, no fence can be in its place, and it need not be looked whether one is:
/// of two gateways that write it, the second violates the primary key and begins again.
async fn write_answers(session: &Session, writes: &Writes, claims: &claims::Claims) -> Result<(), Failure> {
    // A fence gives way to a claim of a later epoch, and to nothing else.
    let over_fence = concat!(
        insert_answers!(),
        " ON CONFLICT (bucket, scope, key) DO UPDATE SET message_id = excluded.message_id, \
            fingerprint = excluded.fingerprint, content = excluded.content, outcome = excluded.outcome, \
            policy_sequence = excluded.policy_sequence, epoch = excluded.epoch \
          WHERE answers.outcome IS NULL AND answers.epoch < excluded.epoch"
    );
    let (claimed, placed): (Vec<_>, Vec<_>) = writes.accepted.iter().partition(|row| claims.epoch_of_key(&row.key) > 0);
    tokio::try_join!(
        biased;
        write_these(session, insert_answers!(), placed, claims),
        write_these(session, over_fence, claimed, claims),
    )?;
    Ok(())
}

async fn write_these(
    session: &Session,
    insert: &'static str,
    mut rows: Vec<&AcceptedRow>,
    claims: &claims::Claims,
) -> Result<(), Failure> {
    // Two gateways that write the same keys wait for each other in one order.
    rows.sort_by(|one, other| {
        let place = |row: &AcceptedRow| bucket_of(row.answer.message_id);
        (place(one), &one.key).cmp(&(place(other), &other.key))
    });
    let written = bulk!(session, insert, &rows, |row| {
        bucket: bucket_of(row.answer.message_id),
        scope: row.key.scope,
        key: row.key.key.as_str(),
        message_id: big(row.answer.message_id),
        fingerprint: row.answer.fingerprint.0.as_slice(),
        content: row.answer.content.as_bytes(),
        outcome: row.answer.outcome.as_bytes(),
        policy_sequence: row.policy_sequence.map(big),
        epoch: claims.epoch_of_key(&row.key),
    })?;
    expect(written, rows.len(), "an answer")
}

/// An identity that came again with the same content stays its first message's.
async fn write_uuids(session: &Session, writes: &Writes, claims: &claims::Claims) -> Result<(), Failure> {
    let insert = "INSERT INTO message_uuids (bucket, scope, sender, uuid, fingerprint, message_id, epoch) \
                  SELECT * FROM unnest($1::smallint[], $2::text[], $3::text[], $4::text[], $5::bytea[], \
                                       $6::bigint[], $7::bigint[]) \
                  ON CONFLICT (bucket, scope, sender, uuid) DO UPDATE SET \
                    fingerprint = excluded.fingerprint, epoch = excluded.epoch, \
                    message_id = coalesce(message_uuids.message_id, excluded.message_id) \
                  WHERE message_uuids.fingerprint = excluded.fingerprint \
                    OR (message_uuids.fingerprint IS NULL AND message_uuids.epoch < excluded.epoch)";
    let mut rows: Vec<_> =
        writes.uuids.iter().filter(|row| !claims.uuids_elsewhere().contains_key(&row.uuid)).collect();
    rows.sort_by(|one, other| {
        let place = |row: &crate::ledger::store::UuidRow| bucket_of(row.message_id);
        (place(one), &one.uuid).cmp(&(place(other), &other.uuid))
    });
    rows.dedup_by(|one, other| one.uuid == other.uuid);
    let written = bulk!(session, insert, &rows, |row| {
        bucket: bucket_of(row.message_id),
        scope: row.uuid.scope,
        sender: row.uuid.sender.as_str(),
        uuid: row.uuid.uuid.as_str(),
        fingerprint: row.fingerprint.0.as_slice(),
        message_id: big(row.message_id),
        epoch: claims.epoch_of_uuid(&row.uuid),
    })?;
    expect(written, rows.len(), "a message's identity")
}

async fn write_conflicts(session: &Session, writes: &Writes) -> Result<(), Failure> {
    let insert = "INSERT INTO conflicts (bucket, message_id, first_message_id, differing, content) \
                  SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::text[], $5::bytea[])";
    bulk!(session, insert, &writes.conflicts, |row| {
        bucket: bucket_of(row.message_id),
        message_id: big(row.message_id),
        first_message_id: big(row.first_message_id),
        differing: serde_json::Value::from(row.differing.clone()).to_string(),
        content: row.content.as_bytes(),
    })?;
    Ok(())
}

async fn write_messages(session: &Session, writes: &Writes) -> Result<(), Failure> {
    let insert = "INSERT INTO messages (bucket, id, received_ms, channel, scope, caller, secret_index, peer, key, \
                                        verdict, code, policy_sequence, request, reply) \
                  SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], \
                                       $7::integer[], $8::text[], $9::text[], $10::text[], $11::text[], \
                                       $12::bigint[], $13::bytea[], $14::bytea[])";
    bulk!(session, insert, &writes.messages, |row| {
        bucket: bucket_of(row.id),
        id: big(row.id),
        received_ms: millis(row.arrival.received_at),
        channel: row.arrival.channel,
        scope: row.arrival.scope,
        caller: row.arrival.caller.as_str(),
        secret_index: super::rows::count(row.arrival.secret_index),
        peer: row.arrival.peer.as_str(),
        key: row.key.as_deref(),
        verdict: row.verdict.as_str(),
        code: row.code,
        policy_sequence: row.policy_sequence.map(big),
        request: row.arrival.request.as_bytes(),
        reply: row.reply.as_bytes(),
    })?;
    Ok(())
}

async fn write_strangers(session: &Session, writes: &Writes) -> Result<(), Failure> {
    let insert = "INSERT INTO strangers (slot, number, received_ms, channel, peer, reason, body_bytes, request) \
                  SELECT DISTINCT ON (s.slot) s.* \
                  FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], \
                              $7::bigint[], $8::bytea[]) \
                    AS s (slot, number, received_ms, channel, peer, reason, body_bytes, request) \
                  ORDER BY s.slot, s.number DESC \
                  ON CONFLICT (slot) DO UPDATE SET number = excluded.number, received_ms = excluded.received_ms, \
                    channel = excluded.channel, peer = excluded.peer, reason = excluded.reason, \
                    body_bytes = excluded.body_bytes, request = excluded.request";
    bulk!(session, insert, &writes.strangers, |row| {
        slot: big(row.number % row.ring_size.max(1)),
        number: big(row.number),
        received_ms: millis(row.received_at),
        channel: row.channel,
        peer: row.peer.as_str(),
        // What strangers sent may be told in it, and PostgreSQL's text holds every character but one.
        reason: row.reason.replace('\0', "\u{FFFD}"),
        body_bytes: i64::try_from(row.body_bytes).unwrap_or(i64::MAX),
        request: row.request.as_bytes(),
    })?;
    Ok(())
}

/// The first document of a policy stays: a second maker of the same is ignored.
async fn write_documents(session: &Session, writes: &Writes) -> Result<(), Failure> {
    let insert = "INSERT INTO documents (bucket, policy_sequence, sha256, template_sha256, made_ms, pdf) \
                  SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[], $4::bytea[], $5::bigint[], \
                                       $6::bytea[]) \
                  ON CONFLICT DO NOTHING";
    bulk!(session, insert, &writes.documents, |row| {
        bucket: bucket_number(row.policy_no.bucket()),
        policy_sequence: big(row.policy_no.sequence()),
        sha256: row.sha256.as_slice(),
        template_sha256: row.template_sha256.as_slice(),
        made_ms: millis(row.made_at),
        pdf: row.pdf.as_bytes(),
    })?;
    Ok(())
}
