//! `[console]`: the pages for people.

use jiff::SignedDuration;

use super::defaults;
use super::reader::Section;
use crate::console::session::Lifetimes;

/// The pages for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleConfig {
    /// Whether they are served.
    pub enabled: bool,
    /// How long a session lasts.
    pub lifetimes: Lifetimes,
}

pub(super) fn read(section: &Section<'_>) -> ConsoleConfig {
    let number = |key, default, range| i64::try_from(section.number_or(key, default, range)).unwrap_or(i64::MAX);
    ConsoleConfig {
        enabled: section.flag_or("enabled", defaults::CONSOLE_ENABLED),
        lifetimes: Lifetimes {
            idle: SignedDuration::from_mins(number("session_idle_min", defaults::SESSION_IDLE_MIN, 5..=1_440)),
            absolute: SignedDuration::from_hours(number("session_max_h", defaults::SESSION_MAX_H, 1..=168)),
        },
    }
}
