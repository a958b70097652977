//! `[console]`: the pages for people.

use jiff::SignedDuration;

use super::reader::Section;
use super::server::ServerConfig;
use super::{defaults, oidc};
use crate::console::oidc::ProviderConfig;
use crate::console::session::Lifetimes;

/// The pages for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleConfig {
    /// Whether they are served.
    pub enabled: bool,
    /// How long a session lasts.
    pub lifetimes: Lifetimes,
    /// The OpenID provider through which people may sign in.
    pub oidc: Option<ProviderConfig>,
}

pub(super) fn read(section: &Section<'_>, server: &ServerConfig) -> ConsoleConfig {
    let number = |key, default, range| i64::try_from(section.number_or(key, default, range)).unwrap_or(i64::MAX);
    ConsoleConfig {
        enabled: section.flag_or("enabled", defaults::CONSOLE_ENABLED),
        lifetimes: Lifetimes {
            idle: SignedDuration::from_mins(number("session_idle_min", defaults::SESSION_IDLE_MIN, 5..=1_440)),
            absolute: SignedDuration::from_hours(number("session_max_h", defaults::SESSION_MAX_H, 1..=168)),
        },
        oidc: section.item("oidc").and_then(|_| section.section("oidc", |section| oidc::read(section, server))),
    }
}
