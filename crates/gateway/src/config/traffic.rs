//! `[traffic]`: how much of what strangers send is kept, and for how long what others send is.
//!
//! A stranger's call (an unknown `app_key`, a wrong signature) is kept so that a partner's first call can be
//! understood; without limits it would let anyone fill the disk.

use jiff::SignedDuration;

use super::defaults;
use super::reader::Section;
use crate::ledger::retention::Periods;

/// How much of the traffic is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrafficConfig {
    /// How many calls of strangers are kept; the oldest make room.
    pub stranger_records: u64,
    /// How many calls of strangers are kept within one minute.
    pub stranger_records_per_minute: u64,
    /// How much of a stranger's body is kept, in bytes.
    pub stranger_body_bytes: usize,
    /// For how long the raw messages of known callers are kept, and the attempts at notices.
    pub periods: Periods,
}

/// Longer than any rule asks for, and within what a time can hold.
const LONGEST_DAYS: u64 = 36_500;

fn period(section: &Section<'_>, key: &'static str) -> Option<SignedDuration> {
    section.item(key)?;
    let days = section.number_or(key, LONGEST_DAYS, 1..=LONGEST_DAYS);
    Some(SignedDuration::from_hours(24 * i64::try_from(days).unwrap_or_default()))
}

pub(super) fn read(section: &Section<'_>) -> TrafficConfig {
    TrafficConfig {
        stranger_records: section.number_or("stranger_records", defaults::STRANGER_RECORDS, 1..=10_000_000),
        stranger_records_per_minute: section.number_or(
            "stranger_records_per_minute",
            defaults::STRANGER_RECORDS_PER_MINUTE,
            1..=1_000_000,
        ),
        stranger_body_bytes: section.count_or("stranger_body_bytes", defaults::STRANGER_BODY_BYTES, 1..=1_048_576),
        periods: Periods { messages: period(section, "messages_kept_d"), attempts: period(section, "attempts_kept_d") },
    }
}
