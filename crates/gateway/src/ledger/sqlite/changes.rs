//! The rows that a decision's changes become.

use rusqlite::{Transaction, params};

use baoqiao_domain::ledger::{Change, PolicyEnding, RecordedStage};
use baoqiao_domain::policy::Policy;
use baoqiao_domain::policy_number::PolicyNumber;
use baoqiao_domain::recovery::{RecordedRecovery, Unmatched};

use super::people;
use super::rows::{millis, to_json};
use crate::ledger::store::AcceptedRow;

/// Writes one change of an accepted message.
pub(super) fn write(transaction: &Transaction<'_>, row: &AcceptedRow, change: &Change) -> rusqlite::Result<()> {
    let message_id = row.answer.message_id;
    match change {
        Change::PolicyIssued(policy) => {
            write_policy(transaction, row, policy)?;
            people::write(transaction, &policy.number, &row.people)
        }
        Change::RecoveryRecorded(recorded) => write_recovery(transaction, message_id, recorded),
        Change::PolicyEnded(ending) => write_ending(transaction, message_id, ending),
        Change::AuctionStageRecorded(recorded) => write_stage(transaction, message_id, recorded),
    }
}

fn write_policy(transaction: &Transaction<'_>, row: &AcceptedRow, policy: &Policy) -> rusqlite::Result<()> {
    let insert = "INSERT INTO policies (sequence, policy_no, bucket, partner, product_code, identifier, insure_id, \
                  amount, premium, premium_of_cny, currency, effect_ms, expire_ms, issued_ms, state, content_id) \
                  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    transaction.prepare_cached(insert)?.execute(params![
        policy.number.sequence(),
        policy.number.as_str(),
        policy.number.bucket().index(),
        policy.partner,
        policy.product_code,
        policy.identifier,
        policy.insure_id,
        policy.amount.to_string(),
        policy.premium.to_string(),
        policy.premium_of_cny.to_string(),
        policy.currency.code(),
        millis(policy.effect_time),
        millis(policy.expire_time),
        millis(policy.issued_at),
        policy.state.as_str(),
        row.answer.message_id,
    ])?;
    Ok(())
}

/// The amounts and names that a recovery has besides are in the content of its answer.
fn write_recovery(transaction: &Transaction<'_>, message_id: u64, recorded: &RecordedRecovery) -> rusqlite::Result<()> {
    let insert = "INSERT INTO recoveries (message_id, partner, identifier, institution, product_code, \
                  stated_policy_no, policy_sequence, unmatched, recover_amount, currency, currency_rate, \
                  recover_amount_of_cny, recover_cost_of_cny, recovered_ms, recorded_ms, discrepancies) \
                  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let recovery = &recorded.recovery;
    transaction.prepare_cached(insert)?.execute(params![
        message_id,
        recovery.partner,
        recovery.identifier,
        recovery.institution,
        recovery.product_code,
        recovery.policy_no,
        recorded.policy.as_ref().ok().map(PolicyNumber::sequence),
        recorded.policy.as_ref().err().map(|reason: &Unmatched| reason.as_str()),
        recovery.recover_amount.map(|amount| amount.to_string()),
        recovery.currency.map(|currency| currency.code().to_owned()),
        recovery.currency_rate.map(|rate| rate.to_string()),
        recovery.recover_amount_of_cny.map(|amount| amount.to_string()),
        recovery.recover_cost_of_cny.map(|amount| amount.to_string()),
        recovery.recover_time.map(millis),
        millis(recorded.recorded_at),
        to_json(&recorded.discrepancies)?,
    ])?;
    Ok(())
}

/// Ends a policy that is in the state that was decided from; in any other, the whole batch fails rather than that a
/// policy ends twice.
fn write_ending(transaction: &Transaction<'_>, message_id: u64, ending: &PolicyEnding) -> rusqlite::Result<()> {
    let number = &ending.policy_no;
    let update = "UPDATE policies SET state = ?1, ended_ms = ?2 WHERE sequence = ?3 AND policy_no = ?4 AND state = ?5";
    let changed = transaction.prepare_cached(update)?.execute(params![
        ending.to.as_str(),
        millis(ending.ended_at),
        number.sequence(),
        number.as_str(),
        ending.from.as_str(),
    ])?;
    if changed != 1 {
        return Err(rusqlite::Error::StatementChangedRows(changed));
    }
    let insert = "INSERT INTO endings (message_id, policy_sequence, kind, asked_by, order_no, refund_amount, ended_ms) \
                  VALUES (?, ?, ?, ?, ?, ?, ?)";
    transaction.prepare_cached(insert)?.execute(params![
        message_id,
        number.sequence(),
        ending.to.as_str(),
        ending.asked_by,
        ending.order_no,
        ending.refund_amount.map(|amount| amount.to_string()),
        millis(ending.ended_at),
    ])?;
    Ok(())
}

fn write_stage(transaction: &Transaction<'_>, message_id: u64, recorded: &RecordedStage) -> rusqlite::Result<()> {
    let insert = "INSERT INTO auction_stages (message_id, biz_id, partner, insurance_type, stage, status, policy_no, \
                  occurred_ms, recorded_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let result = &recorded.report.result;
    transaction.prepare_cached(insert)?.execute(params![
        message_id,
        result.biz_id,
        recorded.report.partner,
        result.insurance_type.number(),
        result.stage.number(),
        result.status.number(),
        result.policy_number,
        millis(result.time_of_occurrence),
        millis(recorded.recorded_at),
    ])?;
    let case = &recorded.case;
    let upsert = "INSERT INTO auction_cases (biz_id, partner, progress) VALUES (?, ?, ?) \
                  ON CONFLICT (biz_id) DO UPDATE SET progress = excluded.progress";
    transaction.prepare_cached(upsert)?.execute(params![case.biz_id, case.partner, to_json(&case.progress)?])?;
    Ok(())
}
