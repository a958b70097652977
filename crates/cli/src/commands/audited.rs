//! What the commands that people give write into the console's audit log.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use baoqiao_gateway::clock::{Clock as _, SystemClock};
use baoqiao_gateway::console::audit::{self, Action, AuditEntry};

/// Written down under the name of the system's user, whom the console does not know.
pub(super) fn entry(action: Action, subject: String, reason: &str, detail: &str) -> AuditEntry {
    AuditEntry {
        at: SystemClock.now(),
        user: system_user(),
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

/// Who this process runs as: what the environment says of it, anybody could have said.
fn system_user() -> String {
    let Ok(uid) = fs::metadata("/proc/self").map(|process| process.uid()) else { return "unknown".to_owned() };
    let sudo = std::env::var("SUDO_USER").ok();
    name(uid, sudo.as_deref(), &fs::read_to_string("/etc/passwd").unwrap_or_default())
}

/// The name of a user of the system; for root, of whoever became it.
fn name(uid: u32, sudo: Option<&str>, passwd: &str) -> String {
    let became_root = sudo.filter(|user| uid == 0 && !user.is_empty());
    let is_of_uid = |fields: &Vec<&str>| fields.get(2).is_some_and(|field| field.parse() == Ok(uid));
    let known = || passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(is_of_uid);
    match became_root.or_else(|| known()?.first().copied()) {
        Some(name) => name.to_owned(),
        None => format!("uid {uid}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_is_the_systems_and_not_what_the_environment_says() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nli:x:1000:1000::/home/li:/bin/bash\n";
        assert_eq!(name(1000, None, passwd), "li");
        assert_eq!(name(1000, Some("wang"), passwd), "li", "who is not root did not come by sudo");
        assert_eq!((name(0, Some("li"), passwd), name(0, None, passwd)), ("li".to_owned(), "root".to_owned()));
        assert_eq!(name(7, None, passwd), "uid 7");
        assert_ne!(system_user(), "unknown");
    }
}
