//! What the commands that people give write into the console's audit log.

use baoqiao_gateway::clock::{Clock as _, SystemClock};
use baoqiao_gateway::console::audit::{self, Action, AuditEntry};

/// Written down under the name of the system's user, whom the console does not know.
pub(super) fn entry(action: Action, subject: String, reason: &str, detail: &str) -> AuditEntry {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    AuditEntry {
        at: SystemClock.now(),
        user: variable("SUDO_USER").or_else(|| variable("USER")).unwrap_or_else(|| "unknown".to_owned()),
        peer: "command line".to_owned(),
        action,
        subject,
        reason: reason.to_owned(),
        detail: detail.to_owned(),
    }
}

/// A reason that has to be given, by the console's own rule.
pub(super) fn reason(text: &str) -> Result<String, String> {
    audit::reason(text).ok_or_else(|| "expected at least 2 characters".to_owned())
}
