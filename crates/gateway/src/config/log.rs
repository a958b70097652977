//! `[log]`: what is logged, and how.

use tracing::Level;

use super::defaults;
use super::reader::Section;

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// A readable line.
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// How a line is written.
    pub format: LogFormat,
    /// The least important level that is logged.
    pub level: Level,
}

pub(super) fn read(section: &Section<'_>) -> LogConfig {
    LogConfig {
        format: section.text_or("format", defaults::LOG_FORMAT, "\"text\" or \"json\"", |text| match text {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => None,
        }),
        level: section.text_or(
            "level",
            defaults::LOG_LEVEL,
            "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"",
            |text| match text {
                "error" => Some(Level::ERROR),
                "warn" => Some(Level::WARN),
                "info" => Some(Level::INFO),
                "debug" => Some(Level::DEBUG),
                "trace" => Some(Level::TRACE),
                _ => None,
            },
        ),
    }
}
