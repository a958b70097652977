//! How a key that comes again for another policy is recognised, though each command reads and writes one bucket.
//!
//! An answer is kept in the bucket of the policy that it is about. A key, or a message's own identity, that comes again
//! for another policy would be looked for in another bucket, and not be found. So every name has a claim in the bucket
//! that the name alone gives: it says in which bucket the name's record is, or is about to be.
//!
//! Before the transaction of a batch, each of its names is claimed for its bucket:
//! 1. A claim that is there and points elsewhere is followed. Where the record is there, it is what the message is
//!    settled against: other content under the same name.
//! 2. Where no record is there (the first message was refused, and a refusal blocks nothing), the name moves: a *fence*
//!    is put in the place of the record, and then the claim is turned to the new bucket, one *epoch* on.
//! 3. A record is written under the epoch of its claim, and a fence gives way to a later epoch only. Whoever followed
//!    the claim before it moved meets the fence and begins again.
//!
//! Every step touches one bucket, and each may be the last before a crash: a fence whose claim did not move is passed by
//! the next comer, who turns the claim to the same bucket, one epoch on. Issuing needs none of this: its key alone says
//! in which bucket the policy is.

use std::collections::HashMap;

use baoqiao_domain::bucket::Bucket;
use baoqiao_domain::idempotency::{Fingerprint, IdempotencyKey, MessageUuid};
use tokio_postgres::Row;

use super::connection::{Failure, Session};
use super::rows::{bucket_number, fingerprint, stored_answer};
use crate::ledger::store::{StoredAnswer, Wanted};

const KEY: &str = "key";
const UUID: &str = "uuid";

/// A name that is to be claimed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Name {
    kind: &'static str,
    scope: &'static str,
    /// Who sent it; empty for a key.
    sender: String,
    text: String,
}

impl Name {
    fn of_key(key: &IdempotencyKey) -> Self {
        Self { kind: KEY, scope: key.scope, sender: String::new(), text: key.key.clone() }
    }

    fn of_uuid(uuid: &MessageUuid) -> Self {
        Self { kind: UUID, scope: uuid.scope, sender: uuid.sender.clone(), text: uuid.uuid.clone() }
    }

    /// The bucket of its claim.
    fn home(&self) -> i16 {
        bucket_number(Bucket::of_key(&self.text))
    }
}

/// What stands where a claim points.
enum Found {
    Nothing,
    Fence { epoch: i64 },
    Answer(StoredAnswer),
    Uuid(Fingerprint),
}

/// The claims of a batch.
#[derive(Default)]
pub(super) struct Claims {
    epochs: HashMap<Name, i64>,
    /// Answers to keys that were used for something in another bucket.
    answers: HashMap<IdempotencyKey, StoredAnswer>,
    /// Identities that were used in another bucket.
    uuids: HashMap<MessageUuid, Fingerprint>,
}

impl Claims {
    /// The epoch under which an answer is written.
    pub(super) fn epoch_of_key(&self, key: &IdempotencyKey) -> i64 {
        self.epochs.get(&Name::of_key(key)).copied().unwrap_or(0)
    }

    /// The epoch under which an identity is written.
    pub(super) fn epoch_of_uuid(&self, uuid: &MessageUuid) -> i64 {
        self.epochs.get(&Name::of_uuid(uuid)).copied().unwrap_or(0)
    }

    /// The answer to a key that was used for something in another bucket.
    pub(super) fn answer_elsewhere(&self, key: &IdempotencyKey) -> Option<&StoredAnswer> {
        self.answers.get(key)
    }

    /// Identities that were used in another bucket.
    pub(super) fn uuids_elsewhere(&self) -> &HashMap<MessageUuid, Fingerprint> {
        &self.uuids
    }
}

/// Claims what a batch goes by, as far as it needs claims.
pub(super) async fn claim(session: &Session, wanted: &Wanted<'_>) -> Result<Claims, Failure> {
    let mut names: HashMap<Name, i16> = HashMap::new();
    for wanted in wanted.keys.iter().filter(|wanted| !wanted.is_placed_by_key) {
        names.insert(Name::of_key(wanted.key), bucket_number(wanted.bucket));
    }
    for wanted in &wanted.uuids {
        names.insert(Name::of_uuid(wanted.uuid), bucket_number(wanted.bucket));
    }
    let mut claims = Claims::default();
    if names.is_empty() {
        return Ok(claims);
    }
    let mut names: Vec<(Name, i16)> = names.into_iter().collect();
    // Two gateways that claim the same names wait for each other in one order.
    names.sort_by(|(one, _), (other, _)| (one.home(), &one.text).cmp(&(other.home(), &other.text)));
    for (name, (target, epoch)) in names.iter().zip(first_claims(session, &names).await?) {
        let (name, bucket) = name;
        let found = look(session, name, target).await?;
        claims.settle(session, name, *bucket, (target, epoch), found).await?;
    }
    Ok(claims)
}

impl Claims {
    async fn settle(
        &mut self,
        session: &Session,
        name: &Name,
        bucket: i16,
        (target, epoch): (i16, i64),
        found: Found,
    ) -> Result<(), Failure> {
        let is_here = target == bucket;
        match found {
            Found::Answer(answer) if !is_here => {
                self.answers.insert(IdempotencyKey { scope: name.scope, key: name.text.clone() }, answer);
            }
            Found::Uuid(fingerprint) if !is_here => {
                let (scope, sender, uuid) = (name.scope, name.sender.clone(), name.text.clone());
                self.uuids.insert(MessageUuid { scope, sender, uuid }, fingerprint);
            }
            Found::Fence { epoch: fenced } if is_here && fenced >= epoch => {
                // Somebody was about to move it, or has moved it and come back.
                turn(session, name, (target, epoch), bucket).await?;
                self.epochs.insert(name.clone(), epoch + 1);
            }
            Found::Nothing | Found::Fence { .. } if !is_here => {
                fence(session, name, target, epoch).await?;
                turn(session, name, (target, epoch), bucket).await?;
                self.epochs.insert(name.clone(), epoch + 1);
            }
            Found::Nothing | Found::Fence { .. } | Found::Answer(_) | Found::Uuid(_) => {
                self.epochs.insert(name.clone(), epoch);
            }
        }
        Ok(())
    }
}

/// Claims the names that nobody has claimed before, and tells where each points now, with its epoch.
async fn first_claims(session: &Session, names: &[(Name, i16)]) -> Result<Vec<(i16, i64)>, Failure> {
    let homes: Vec<i16> = names.iter().map(|(name, _)| name.home()).collect();
    let kinds: Vec<&str> = names.iter().map(|(name, _)| name.kind).collect();
    let scopes: Vec<&str> = names.iter().map(|(name, _)| name.scope).collect();
    let senders: Vec<&str> = names.iter().map(|(name, _)| name.sender.as_str()).collect();
    let texts: Vec<&str> = names.iter().map(|(name, _)| name.text.as_str()).collect();
    let targets: Vec<i16> = names.iter().map(|(_, bucket)| *bucket).collect();
    let insert = "INSERT INTO name_claims (bucket, kind, scope, sender, name, target, epoch) \
                  SELECT *, 1 FROM unnest($1::smallint[], $2::text[], $3::text[], $4::text[], $5::text[], \
                                          $6::smallint[]) \
                  ON CONFLICT DO NOTHING";
    let select = "SELECT c.target, c.epoch FROM unnest($1::smallint[], $2::text[], $3::text[], $4::text[], $5::text[]) \
                    WITH ORDINALITY AS w (bucket, kind, scope, sender, name, n) \
                  JOIN name_claims c USING (bucket, kind, scope, sender, name) ORDER BY w.n";
    session.execute(insert, &[&homes, &kinds, &scopes, &senders, &texts, &targets]).await?;
    let rows = session.query(select, &[&homes, &kinds, &scopes, &senders, &texts]).await?;
    if rows.len() != names.len() {
        return Err(Failure::LostRace("claims"));
    }
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// What stands in a bucket under a name.
async fn look(session: &Session, name: &Name, bucket: i16) -> Result<Found, Failure> {
    let row = if name.kind == KEY {
        let query = "SELECT epoch, message_id, fingerprint, content, outcome FROM answers \
                     WHERE bucket = $1 AND scope = $2 AND key = $3";
        session.query_opt(query, &[&bucket, &name.scope, &name.text]).await?
    } else {
        let query = "SELECT epoch, message_id, fingerprint FROM message_uuids \
                     WHERE bucket = $1 AND scope = $2 AND sender = $3 AND uuid = $4";
        session.query_opt(query, &[&bucket, &name.scope, &name.sender, &name.text]).await?
    };
    let Some(row) = row else { return Ok(Found::Nothing) };
    if row.try_get::<_, Option<&[u8]>>(2)?.is_none() {
        return Ok(Found::Fence { epoch: row.try_get(0)? });
    }
    record(name, &row)
}

fn record(name: &Name, row: &Row) -> Result<Found, Failure> {
    if name.kind == KEY { Ok(Found::Answer(stored_answer(row, 1)?)) } else { Ok(Found::Uuid(fingerprint(row, 2)?)) }
}

/// Keeps every claim up to that epoch from writing a record there.
async fn fence(session: &Session, name: &Name, bucket: i16, epoch: i64) -> Result<(), Failure> {
    let fenced = if name.kind == KEY {
        let insert = "INSERT INTO answers (bucket, scope, key, epoch) VALUES ($1, $2, $3, $4) \
                      ON CONFLICT (bucket, scope, key) DO UPDATE SET epoch = greatest(answers.epoch, excluded.epoch) \
                      WHERE answers.outcome IS NULL";
        session.execute(insert, &[&bucket, &name.scope, &name.text, &epoch]).await?
    } else {
        let insert = "INSERT INTO message_uuids (bucket, scope, sender, uuid, epoch) VALUES ($1, $2, $3, $4, $5) \
                      ON CONFLICT (bucket, scope, sender, uuid) \
                      DO UPDATE SET epoch = greatest(message_uuids.epoch, excluded.epoch) \
                      WHERE message_uuids.fingerprint IS NULL";
        session.execute(insert, &[&bucket, &name.scope, &name.sender, &name.text, &epoch]).await?
    };
    // A record came between the look and the fence: it counts.
    if fenced == 1 { Ok(()) } else { Err(Failure::LostRace("a record where a fence was to stand")) }
}

/// Turns a claim, if it still is what it was, to a bucket, one epoch on.
async fn turn(session: &Session, name: &Name, (target, epoch): (i16, i64), to: i16) -> Result<(), Failure> {
    let update = "UPDATE name_claims SET target = $8, epoch = epoch + 1 \
                  WHERE bucket = $1 AND kind = $2 AND scope = $3 AND sender = $4 AND name = $5 \
                    AND target = $6 AND epoch = $7";
    let parameters: &[super::connection::Parameter<'_>] =
        &[&name.home(), &name.kind, &name.scope, &name.sender, &name.text, &target, &epoch, &to];
    let turned = session.execute(update, parameters).await?;
    if turned == 1 { Ok(()) } else { Err(Failure::LostRace("a claim")) }
}
