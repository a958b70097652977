//! The rows that a batch's changes become.

use baoqiao_domain::bucket::Bucket;
use baoqiao_domain::policy_number::PolicyNumber;
use baoqiao_domain::recovery::Unmatched;
use jiff::Timestamp;

use super::connection::{Failure, Session};
use super::people;
use super::plan::{ChangedAuction, Plan};
use super::rows::{big, bucket_number, bucket_of, millis};
use super::writer::{bulk, expect};

/// Writes everything that a plan holds.
pub(super) async fn write(session: &Session, plan: &Plan<'_>, at: Timestamp) -> Result<(), Failure> {
    tokio::try_join!(
        biased;
        write_policies(session, plan),
        change_policies(session, plan),
        write_endings(session, plan),
        write_recoveries(session, plan),
        write_stages(session, plan),
        write_new_auctions(session, plan),
        change_auctions(session, plan),
        write_events(session, plan, at),
        write_pending_events(session, plan, at),
    )?;
    Ok(())
}

async fn write_policies(session: &Session, plan: &Plan<'_>) -> Result<(), Failure> {
    let insert = "INSERT INTO policies (bucket, sequence, policy_no, partner, product_code, identifier, insure_id, \
                    amount, premium, premium_of_cny, currency, effect_ms, expire_ms, issued_ms, state, ended_ms, \
                    content_scope, content_key, events) \
                  SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], \
                    $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], \
                    $14::bigint[], $15::text[], $16::bigint[], $17::text[], $18::text[], $19::integer[])";
    bulk!(session, insert, &plan.new_policies, |new| {
        bucket: bucket_number(new.policy.number.bucket()),
        sequence: big(new.policy.number.sequence()),
        policy_no: new.policy.number.as_str(),
        partner: new.policy.partner.as_str(),
        product_code: new.policy.product_code.as_str(),
        identifier: new.policy.identifier.as_str(),
        insure_id: new.policy.insure_id.as_str(),
        amount: new.policy.amount.to_string(),
        premium: new.policy.premium.to_string(),
        premium_of_cny: new.policy.premium_of_cny.to_string(),
        currency: new.policy.currency.code(),
        effect_ms: millis(new.policy.effect_time),
        expire_ms: millis(new.policy.expire_time),
        issued_ms: millis(new.policy.issued_at),
        state: new.state.as_str(),
        ended_ms: new.ended_at.map(millis),
        content_scope: new.row.key.scope,
        content_key: new.row.key.key.as_str(),
        events: new.events,
    })?;
    Ok(())
}

/// Changes policies that are as they were found; in any other state, the whole batch begins again rather than that a
/// policy ends twice.
async fn change_policies(session: &Session, plan: &Plan<'_>) -> Result<(), Failure> {
    let update = "UPDATE policies p SET state = u.to_state, events = u.to_events, \
                    ended_ms = coalesce(u.ended_ms, p.ended_ms) \
                  FROM unnest($1::smallint[], $2::bigint[], $3::text[], $4::integer[], $5::text[], $6::integer[], \
                              $7::bigint[]) \
                    AS u (bucket, sequence, from_state, from_events, to_state, to_events, ended_ms) \
                  WHERE p.bucket = u.bucket AND p.sequence = u.sequence \
                    AND p.state = u.from_state AND p.events = u.from_events";
    let written = bulk!(session, update, &plan.changed_policies, |changed| {
        bucket: bucket_number(changed.number.bucket()),
        sequence: big(changed.number.sequence()),
        from_state: changed.from.0.as_str(),
        from_events: changed.from.1,
        to_state: changed.to.0.as_str(),
        to_events: changed.to.1,
        ended_ms: changed.ended_at.map(millis),
    })?;
    expect(written, plan.changed_policies.len(), "a policy's state")
}

async fn write_endings(session: &Session, plan: &Plan<'_>) -> Result<(), Failure> {
    let insert = "INSERT INTO endings (bucket, policy_sequence, message_id, kind, asked_by, order_no, refund_amount, \
                                       ended_ms) \
                  SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], \
                                       $7::text[], $8::bigint[])";
    bulk!(session, insert, &plan.endings, |(row, ending)| {
        bucket: bucket_number(ending.policy_no.bucket()),
        policy_sequence: big(ending.policy_no.sequence()),
        message_id: big(row.answer.message_id),
        kind: ending.to.as_str(),
        asked_by: ending.asked_by.as_str(),
        order_no: ending.order_no.as_deref(),
        refund_amount: ending.refund_amount.map(|amount| amount.to_string()),
        ended_ms: millis(ending.ended_at),
    })?;
    Ok(())
}

/// The amounts and names that a recovery has besides are in the content of its answer.
async fn write_recoveries(session: &Session, plan: &Plan<'_>) -> Result<(), Failure> {
    let insert = "INSERT INTO recoveries (bucket, message_id, partner, identifier, institution, product_code, \
                    stated_policy_no, policy_sequence, unmatched, recover_amount, currency, currency_rate, \
                    recover_amount_of_cny, recover_cost_of_cny, recovered_ms, recorded_ms, discrepancies) \
                  SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], \
                    $7::text[], $8::bigint[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], \
                    $14::text[], $15::bigint[], $16::bigint[], $17::text[])";
    bulk!(session, insert, &plan.recoveries, |(row, recorded)| {
        bucket: bucket_of(row.answer.message_id),
        message_id: big(row.answer.message_id),
        partner: recorded.recovery.partner.as_str(),
        identifier: recorded.recovery.identifier.as_str(),
        institution: recorded.recovery.institution.as_str(),
        product_code: recorded.recovery.product_code.as_str(),
        stated_policy_no: recorded.recovery.policy_no.as_deref(),
        policy_sequence: recorded.policy.as_ref().ok().map(|number| big(number.sequence())),
        unmatched: recorded.policy.as_ref().err().map(|reason: &Unmatched| reason.as_str()),
        recover_amount: recorded.recovery.recover_amount.map(|amount| amount.to_string()),
        currency: recorded.recovery.currency.map(|currency| currency.code().to_owned()),
        currency_rate: recorded.recovery.currency_rate.map(|rate| rate.to_string()),
        recover_amount_of_cny: recorded.recovery.recover_amount_of_cny.map(|amount| amount.to_string()),
        recover_cost_of_cny: recorded.recovery.recover_cost_of_cny.map(|amount| amount.to_string()),
        recovered_ms: recorded.recovery.recover_time.map(millis),
        recorded_ms: millis(recorded.recorded_at),
        discrepancies: serde_json::to_string(&recorded.discrepancies).unwrap_or_default(),
    })?;
    Ok(())
}

async fn write_stages(session: &Session, plan: &Plan<'_>) -> Result<(), Failure> {
    let insert = "INSERT INTO auction_stages (bucket, biz_id, ordinal, message_id, partner, insurance_type, stage, \
                                              status, policy_no, occurred_ms, recorded_ms) \
                  SELECT * FROM unnest($1::smallint[], $2::text[], $3::integer[], $4::bigint[], $5::text[], \
                    $6::smallint[], $7::smallint[], $8::smallint[], $9::text[], $10::bigint[], $11::bigint[])";
    bulk!(session, insert, &plan.stages, |(row, recorded, ordinal)| {
        bucket: bucket_number(Bucket::of_key(&recorded.case.biz_id)),
        biz_id: recorded.case.biz_id.as_str(),
        ordinal: *ordinal,
        message_id: big(row.answer.message_id),
        partner: recorded.report.partner.as_str(),
        insurance_type: i16::from(recorded.report.result.insurance_type.number()),
        stage: i16::from(recorded.report.result.stage.number()),
        status: i16::from(recorded.report.result.status.number()),
        policy_no: recorded.report.result.policy_number.as_deref(),
        occurred_ms: millis(recorded.report.result.time_of_occurrence),
        recorded_ms: millis(recorded.recorded_at),
    })?;
    Ok(())
}

fn progress(changed: &ChangedAuction<'_>) -> String {
    // Stages and states always serialise.
    serde_json::to_string(&changed.last.case.progress).unwrap_or_default()
}

async fn write_new_auctions(session: &Session, plan: &Plan<'_>) -> Result<(), Failure> {
    let insert = "INSERT INTO auction_cases (bucket, biz_id, partner, progress, events) \
                  SELECT * FROM unnest($1::smallint[], $2::text[], $3::text[], $4::text[], $5::integer[])";
    let new: Vec<_> = plan.auctions.iter().filter(|changed| changed.from.is_none()).collect();
    bulk!(session, insert, &new, |changed| {
        bucket: bucket_number(Bucket::of_key(&changed.last.case.biz_id)),
        biz_id: changed.last.case.biz_id.as_str(),
        partner: changed.last.case.partner.as_str(),
        progress: progress(changed),
        events: changed.to,
    })?;
    Ok(())
}

async fn change_auctions(session: &Session, plan: &Plan<'_>) -> Result<(), Failure> {
    let update = "UPDATE auction_cases c SET progress = u.progress, events = u.to_events \
                  FROM unnest($1::smallint[], $2::text[], $3::text[], $4::integer[], $5::integer[]) \
                    AS u (bucket, biz_id, progress, from_events, to_events) \
                  WHERE c.bucket = u.bucket AND c.biz_id = u.biz_id AND c.events = u.from_events";
    let known: Vec<_> = plan.auctions.iter().filter(|changed| changed.from.is_some()).collect();
    let written = bulk!(session, update, &known, |changed| {
        bucket: bucket_number(Bucket::of_key(&changed.last.case.biz_id)),
        biz_id: changed.last.case.biz_id.as_str(),
        progress: progress(changed),
        from_events: changed.from.unwrap_or(0),
        to_events: changed.to,
    })?;
    expect(written, known.len(), "an auction's progress")
}

async fn write_events(session: &Session, plan: &Plan<'_>, at: Timestamp) -> Result<(), Failure> {
    let insert = "INSERT INTO events (bucket, message_id, place, at_ms, kind, subject, ordinal, policy_no, payload, \
                                      people) \
                  SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::smallint[], $4::bigint[], $5::text[], \
                                       $6::text[], $7::integer[], $8::text[], $9::text[], $10::bytea[])";
    let at_ms = millis(at);
    bulk!(session, insert, &plan.events, |row| {
        bucket: bucket_of(row.message_id),
        message_id: big(row.message_id),
        place: row.place,
        at: at_ms,
        kind: row.event.kind(),
        subject: row.subject.as_str(),
        ordinal: row.ordinal,
        policy_no: row.event.policy_no().map(PolicyNumber::as_str),
        payload: serde_json::to_string(row.event).unwrap_or_default(),
        people: people::together(row.people),
    })?;
    Ok(())
}

async fn write_pending_events(session: &Session, plan: &Plan<'_>, at: Timestamp) -> Result<(), Failure> {
    let insert = "INSERT INTO feed_pending (bucket, message_id, place, at_ms, subject, ordinal) \
                  SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::smallint[], $4::bigint[], $5::text[], \
                                       $6::integer[])";
    let at_ms = millis(at);
    bulk!(session, insert, &plan.events, |row| {
        bucket: bucket_of(row.message_id),
        message_id: big(row.message_id),
        place: row.place,
        at: at_ms,
        subject: row.subject.as_str(),
        ordinal: row.ordinal,
    })?;
    Ok(())
}
