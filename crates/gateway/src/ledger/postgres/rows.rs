//! Values as PostgreSQL holds them: amounts as text, instants in epoch milliseconds, numbers as `bigint`.

use baoqiao_domain::bucket::Bucket;
use baoqiao_domain::currency::Currency;
use baoqiao_domain::idempotency::Fingerprint;
use baoqiao_domain::policy::{Policy, PolicyState};
use jiff::Timestamp;
use tokio_postgres::Row;

use super::connection::Failure;
use crate::ledger::store::{PolicyRecord, StoredAnswer};
use crate::vault::Sealed;

/// A bucket as `smallint`.
pub(super) fn bucket_number(bucket: Bucket) -> i16 {
    i16::try_from(bucket.index()).unwrap_or_default()
}

/// The bucket of a tagged number, as `smallint`.
pub(super) fn bucket_of(number: u64) -> i16 {
    bucket_number(Bucket::of_tagged(number))
}

/// A number as `bigint`; every number that the ledger hands out fits.
pub(super) fn big(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A count as `integer`.
pub(super) fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Epoch milliseconds.
pub(super) fn millis(instant: Timestamp) -> i64 {
    instant.as_millisecond()
}

pub(super) fn known<T>(what: &'static str, value: Option<T>) -> Result<T, Failure> {
    value.ok_or(Failure::Unreadable(what))
}

/// A number of the ledger's.
pub(super) fn number(row: &Row, column: usize) -> Result<u64, Failure> {
    known("a number", u64::try_from(row.try_get::<_, i64>(column)?).ok())
}

/// A number of the ledger's, where there is one.
pub(super) fn optional_number(row: &Row, column: usize) -> Result<Option<u64>, Failure> {
    let found: Option<i64> = row.try_get(column)?;
    found.map(|found| known("a number", u64::try_from(found).ok())).transpose()
}

/// An instant in epoch milliseconds.
pub(super) fn instant(row: &Row, column: usize) -> Result<Timestamp, Failure> {
    known("an instant", Timestamp::from_millisecond(row.try_get(column)?).ok())
}

/// An instant in epoch milliseconds, where there is one.
pub(super) fn optional_instant(row: &Row, column: usize) -> Result<Option<Timestamp>, Failure> {
    let found: Option<i64> = row.try_get(column)?;
    found.map(|ms| known("an instant", Timestamp::from_millisecond(ms).ok())).transpose()
}

/// Text that reads as a value.
pub(super) fn parsed<T: std::str::FromStr>(row: &Row, column: usize) -> Result<T, Failure> {
    known("a value", row.try_get::<_, &str>(column)?.parse().ok())
}

/// Sealed bytes.
pub(super) fn sealed(row: &Row, column: usize) -> Result<Sealed, Failure> {
    Ok(Sealed::from_stored(row.try_get(column)?))
}

/// A digest of 32 bytes.
pub(super) fn digest(row: &Row, column: usize) -> Result<[u8; 32], Failure> {
    known("a digest", row.try_get::<_, &[u8]>(column)?.try_into().ok())
}

/// A content's digest.
pub(super) fn fingerprint(row: &Row, column: usize) -> Result<Fingerprint, Failure> {
    Ok(Fingerprint(digest(row, column)?))
}

/// An answer, from the columns `message_id`, `fingerprint`, `content`, `outcome`.
pub(super) fn stored_answer(row: &Row, first: usize) -> Result<StoredAnswer, Failure> {
    Ok(StoredAnswer {
        message_id: number(row, first)?,
        fingerprint: fingerprint(row, first + 1)?,
        content: sealed(row, first + 2)?,
        outcome: sealed(row, first + 3)?,
    })
}

/// The columns that [`policy`] reads, in its order.
macro_rules! policy_columns {
    () => {
        "p.policy_no, p.partner, p.product_code, p.identifier, p.insure_id, p.amount, p.premium, p.premium_of_cny, \
         p.currency, p.effect_ms, p.expire_ms, p.issued_ms, p.state"
    };
}
pub(super) use policy_columns;

/// A policy, from [`policy_columns`].
pub(super) fn policy(row: &Row) -> Result<Policy, Failure> {
    Ok(Policy {
        number: parsed(row, 0)?,
        partner: row.try_get(1)?,
        product_code: row.try_get(2)?,
        identifier: row.try_get(3)?,
        insure_id: row.try_get(4)?,
        amount: parsed(row, 5)?,
        premium: parsed(row, 6)?,
        premium_of_cny: parsed(row, 7)?,
        currency: known("a currency", Currency::from_code(row.try_get(8)?))?,
        effect_time: instant(row, 9)?,
        expire_time: instant(row, 10)?,
        issued_at: instant(row, 11)?,
        state: known("a policy's state", PolicyState::from_name(row.try_get(12)?))?,
    })
}

/// A policy with its content, from [`policy_columns`] and `a.content`.
pub(super) fn policy_record(row: &Row) -> Result<PolicyRecord, Failure> {
    Ok(PolicyRecord { policy: policy(row)?, content: sealed(row, 13)? })
}
