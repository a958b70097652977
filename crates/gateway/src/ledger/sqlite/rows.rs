//! Values as SQLite holds them: amounts as text, instants in epoch milliseconds.

use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::Type;

use baoqiao_domain::currency::Currency;
use baoqiao_domain::policy::{Policy, PolicyState};

use crate::ledger::store::PolicyRecord;
use crate::vault::Sealed;

/// Epoch milliseconds.
pub(super) fn millis(instant: Timestamp) -> i64 {
    instant.as_millisecond()
}

/// The columns that [`policy_record`] reads, in its order; all but the last are those of [`policy`].
pub(super) const POLICY_COLUMNS: &str = "p.policy_no, p.partner, p.product_code, p.identifier, p.insure_id, p.amount, \
     p.premium, p.premium_of_cny, p.currency, p.effect_ms, p.expire_ms, p.issued_ms, p.state, a.content";

/// Reads a row of [`POLICY_COLUMNS`].
pub(super) fn policy_record(row: &Row<'_>) -> rusqlite::Result<PolicyRecord> {
    Ok(PolicyRecord { policy: policy(row)?, content: Sealed::from_stored(row.get(13)?) })
}

/// Reads the policy of a row of [`POLICY_COLUMNS`].
pub(super) fn policy(row: &Row<'_>) -> rusqlite::Result<Policy> {
    Ok(Policy {
        number: parsed(row, 0)?,
        partner: row.get(1)?,
        product_code: row.get(2)?,
        identifier: row.get(3)?,
        insure_id: row.get(4)?,
        amount: parsed(row, 5)?,
        premium: parsed(row, 6)?,
        premium_of_cny: parsed(row, 7)?,
        currency: known(8, Currency::from_code(&row.get::<_, String>(8)?))?,
        effect_time: instant(row, 9)?,
        expire_time: instant(row, 10)?,
        issued_at: instant(row, 11)?,
        state: known(12, PolicyState::from_name(&row.get::<_, String>(12)?))?,
    })
}

/// An instant in epoch milliseconds.
pub(super) fn instant(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    known(column, Timestamp::from_millisecond(row.get(column)?).ok())
}

fn parsed<T: std::str::FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    known(column, row.get::<_, String>(column)?.parse().ok())
}

pub(super) fn known<T>(column: usize, value: Option<T>) -> rusqlite::Result<T> {
    let unreadable = || "a value that this program cannot have written".into();
    value.ok_or_else(|| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, unreadable()))
}

/// A value kept as JSON.
pub(super) fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    known(column, serde_json::from_str(&row.get::<_, String>(column)?).ok())
}

/// A value as JSON.
pub(super) fn to_json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}
