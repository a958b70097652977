//! What a batch refers to, as far as the ledger holds it.
//!
//! What a message may change is locked as it is loaded, in the order of its key, so that two gateways wait for each
//! other instead of for ever. Answers are loaded after that.

use std::collections::{BTreeSet, HashMap};

use baoqiao_domain::auction::AuctionCase;
use baoqiao_domain::bucket::Bucket;
use baoqiao_domain::idempotency::{Fingerprint, MessageUuid};
use baoqiao_domain::policy::{Policy, PolicyState};
use baoqiao_domain::policy_number::PolicyNumber;
use tokio::try_join;

use super::claims::Claims;
use super::connection::{Failure, Session};
use super::rows::{big, bucket_number, fingerprint, known, policy, policy_columns, stored_answer};
use crate::ledger::store::{Loaded, StoredAnswer, Wanted};

/// What was found and has to be so still when the batch is written.
#[derive(Default)]
pub(super) struct Locked {
    /// The state of each policy, and how many events there are of it.
    pub(super) policies: HashMap<PolicyNumber, (PolicyState, i32)>,
    /// How many events there are of each auction, by its `biz_id`.
    pub(super) auctions: HashMap<String, i32>,
}

type Given = (Vec<Option<StoredAnswer>>, Vec<(MessageUuid, Fingerprint)>);

/// Begins the transaction of a batch, and loads.
pub(super) async fn begin(
    session: &Session,
    wanted: &Wanted<'_>,
    claims: &Claims,
) -> Result<(Loaded, Locked), Failure> {
    // Answers are looked for when the locks are held: whoever waited for a lock finds what the other gateway wrote under
    // it, of which a copy of this message may be the cause.
    let (policies, auctions, (mut answers, mut uuids)) = if wanted.policies.is_empty() && wanted.auctions.is_empty() {
        let ((), known) = try_join!(biased; session.batch("BEGIN"), given(session, wanted))?;
        (Vec::new(), Vec::new(), known)
    } else {
        let ((), policies, auctions) =
            try_join!(biased; session.batch("BEGIN"), policies(session, wanted), auctions(session, wanted))?;
        (policies, auctions, given(session, wanted).await?)
    };
    for (place, wanted) in answers.iter_mut().zip(&wanted.keys) {
        if let Some(elsewhere) = claims.answer_elsewhere(wanted.key) {
            *place = Some(elsewhere.clone());
        }
    }
    uuids.extend(claims.uuids_elsewhere().iter().map(|(uuid, fingerprint)| (uuid.clone(), *fingerprint)));
    let locked = Locked {
        policies: policies.iter().map(|(policy, events)| (policy.number.clone(), (policy.state, *events))).collect(),
        auctions: auctions.iter().map(|(case, events)| (case.biz_id.clone(), *events)).collect(),
    };
    let loaded = Loaded {
        answers,
        uuids,
        policies: policies.into_iter().map(|(policy, _)| policy).collect(),
        auctions: auctions.into_iter().map(|(case, _)| case).collect(),
    };
    Ok((loaded, locked))
}

/// What was answered before, and to which messages.
async fn given(session: &Session, wanted: &Wanted<'_>) -> Result<Given, Failure> {
    try_join!(biased; answers(session, wanted), uuids(session, wanted))
}

async fn answers(session: &Session, wanted: &Wanted<'_>) -> Result<Vec<Option<StoredAnswer>>, Failure> {
    let mut answers = vec![None; wanted.keys.len()];
    if wanted.keys.is_empty() {
        return Ok(answers);
    }
    let query = "SELECT w.n, a.message_id, a.fingerprint, a.content, a.outcome \
                 FROM unnest($1::smallint[], $2::text[], $3::text[]) WITH ORDINALITY AS w (bucket, scope, key, n) \
                 JOIN answers a ON a.bucket = w.bucket AND a.scope = w.scope AND a.key = w.key \
                 WHERE a.outcome IS NOT NULL";
    let buckets: Vec<i16> = wanted.keys.iter().map(|wanted| bucket_number(wanted.bucket)).collect();
    let scopes: Vec<&str> = wanted.keys.iter().map(|wanted| wanted.key.scope).collect();
    let keys: Vec<&str> = wanted.keys.iter().map(|wanted| wanted.key.key.as_str()).collect();
    for row in session.query(query, &[&buckets, &scopes, &keys]).await? {
        let n: i64 = row.try_get(0)?;
        let place = usize::try_from(n - 1).ok().and_then(|n| answers.get_mut(n));
        *known("a row's number", place)? = Some(stored_answer(&row, 1)?);
    }
    Ok(answers)
}

async fn uuids(session: &Session, wanted: &Wanted<'_>) -> Result<Vec<(MessageUuid, Fingerprint)>, Failure> {
    if wanted.uuids.is_empty() {
        return Ok(Vec::new());
    }
    let query = "SELECT w.n, u.fingerprint FROM unnest($1::smallint[], $2::text[], $3::text[], $4::text[]) \
                   WITH ORDINALITY AS w (bucket, scope, sender, uuid, n) \
                 JOIN message_uuids u ON u.bucket = w.bucket AND u.scope = w.scope AND u.sender = w.sender \
                   AND u.uuid = w.uuid WHERE u.fingerprint IS NOT NULL";
    let buckets: Vec<i16> = wanted.uuids.iter().map(|wanted| bucket_number(wanted.bucket)).collect();
    let scopes: Vec<&str> = wanted.uuids.iter().map(|wanted| wanted.uuid.scope).collect();
    let senders: Vec<&str> = wanted.uuids.iter().map(|wanted| wanted.uuid.sender.as_str()).collect();
    let uuids: Vec<&str> = wanted.uuids.iter().map(|wanted| wanted.uuid.uuid.as_str()).collect();
    let rows = session.query(query, &[&buckets, &scopes, &senders, &uuids]).await?;
    let read = |row: &tokio_postgres::Row| {
        let n: i64 = row.try_get(0)?;
        let place = usize::try_from(n - 1).ok().and_then(|n| wanted.uuids.get(n));
        Ok((known("a row's number", place)?.uuid.clone(), fingerprint(row, 1)?))
    };
    rows.iter().map(read).collect()
}

async fn policies(session: &Session, wanted: &Wanted<'_>) -> Result<Vec<(Policy, i32)>, Failure> {
    // In the order of the primary key.
    let numbers: BTreeSet<(i16, i64)> =
        wanted.policies.iter().map(|number| (bucket_number(number.bucket()), big(number.sequence()))).collect();
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let query = concat!(
        "SELECT ",
        policy_columns!(),
        ", p.events FROM unnest($1::smallint[], $2::bigint[]) AS w (bucket, sequence) \
         JOIN policies p ON p.bucket = w.bucket AND p.sequence = w.sequence \
         ORDER BY p.bucket, p.sequence FOR NO KEY UPDATE OF p"
    );
    let (buckets, sequences): (Vec<i16>, Vec<i64>) = numbers.into_iter().unzip();
    let rows = session.query(query, &[&buckets, &sequences]).await?;
    let found: Vec<(Policy, i32)> =
        rows.iter().map(|row| Ok((policy(row)?, row.try_get(13)?))).collect::<Result<_, Failure>>()?;
    // A number that agrees in its sequence alone is no policy of ours.
    Ok(found.into_iter().filter(|(policy, _)| wanted.policies.contains(&policy.number)).collect())
}

async fn auctions(session: &Session, wanted: &Wanted<'_>) -> Result<Vec<(AuctionCase, i32)>, Failure> {
    let cases: BTreeSet<(i16, &str)> =
        wanted.auctions.iter().map(|biz_id| (bucket_number(Bucket::of_key(biz_id)), *biz_id)).collect();
    if cases.is_empty() {
        return Ok(Vec::new());
    }
    let query = "SELECT c.biz_id, c.partner, c.progress, c.events \
                 FROM unnest($1::smallint[], $2::text[]) AS w (bucket, biz_id) \
                 JOIN auction_cases c ON c.bucket = w.bucket AND c.biz_id = w.biz_id \
                 ORDER BY c.bucket, c.biz_id FOR NO KEY UPDATE OF c";
    let (buckets, biz_ids): (Vec<i16>, Vec<&str>) = cases.into_iter().unzip();
    let rows = session.query(query, &[&buckets, &biz_ids]).await?;
    let read = |row: &tokio_postgres::Row| {
        let progress = known("an auction's progress", serde_json::from_str(row.try_get(2)?).ok())?;
        Ok((AuctionCase { biz_id: row.try_get(0)?, partner: row.try_get(1)?, progress }, row.try_get(3)?))
    };
    rows.iter().map(read).collect()
}
