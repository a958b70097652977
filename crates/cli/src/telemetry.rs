//! Logs: lines on standard error, as text for people or JSON for collectors.

use std::io;

use baoqiao_gateway::config::{LogConfig, LogFormat};
use tracing_subscriber::filter::LevelFilter;

/// Starts logging as configured; later calls of the process change nothing.
pub(crate) fn start(config: &LogConfig) {
    let builder =
        tracing_subscriber::fmt().with_writer(io::stderr).with_max_level(LevelFilter::from_level(config.level));
    // A second start is refused by the library, and the first goes on.
    let _ = match config.format {
        LogFormat::Text => builder.with_target(false).compact().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
    };
}
