//! `[outbox]`: when what could not be delivered is tried again, and when a person has to look.

use std::time::Duration;

use super::defaults;
use super::reader::Section;
use crate::outbox::{Backoff, Policy};

const HOUR_S: u64 = 3_600;

/// `grace` is that of the server: calls under way end within it, whoever began them.
pub(super) fn read(section: &Section<'_>, grace: Duration) -> Policy {
    let ms = |key, default| u64::try_from(section.duration_ms_or(key, default).as_millis()).unwrap_or(u64::MAX);
    let first_ms = ms("first_retry_ms", defaults::FIRST_RETRY_MS);
    let longest_ms = ms("longest_retry_ms", defaults::LONGEST_RETRY_MS);
    if longest_ms < first_ms
        && let Some(item) = section.item("longest_retry_ms")
    {
        item.refuse(format_args!("no less than first_retry_ms, {first_ms}"));
    }
    let hours = section.number_or("max_age_h", defaults::MAX_AGE_H, 1..=8_760);
    Policy { backoff: Backoff { first_ms, longest_ms }, max_age: Duration::from_secs(hours * HOUR_S), grace }
}
