//! What people did, written down before it is done or shown, and never changed.

use jiff::Timestamp;

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What was done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action {
            $($(#[$doc])* $name,)*
        }

        impl Action {
            /// Every action.
            pub const ALL: [Self; [$($text),*].len()] = [$(Self::$name),*];

            /// The name in the ledger; a promise, as old entries are read by it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The action of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|action| action.as_str() == name)
            }
        }
    };
}

actions! {
    /// Signed in.
    SignedIn = "sign-in",
    /// Was not let in.
    SignInRefused = "sign-in.refused",
    /// Signed out.
    SignedOut = "sign-out",
    /// Added a user.
    UserAdded = "user.add",
    /// Gave a user another role.
    UserRoleChanged = "user.role",
    /// Disabled a user.
    UserDisabled = "user.disable",
    /// Enabled a user again.
    UserEnabled = "user.enable",
    /// Set a user's password, or their own.
    PasswordSet = "user.password",
    /// Looked at unmasked personal data of a policy.
    PeopleShown = "people.show",
    /// Looked at or downloaded a policy's document, which masks nothing.
    DocumentShown = "document.show",
    /// Looked at a message as it came, which masks nothing.
    MessageShown = "message.show",
    /// Ordered a policy's surrender.
    PolicySurrendered = "policy.surrender",
    /// Was refused a surrender that had been ordered.
    SurrenderRefused = "policy.surrender.refused",
    /// Had notices sent again.
    NoticesResent = "notices.resend",
    /// Passed notices over for good.
    NoticeSkipped = "notices.skip",
    /// Had the gateway send a message made up for trying.
    MessageTried = "message.try",
    /// Added a sealing key to the key file.
    KeyAdded = "key.add",
    /// Chose the key that seals.
    KeyChosen = "key.use",
}

/// A reason as it is kept: trimmed and bounded; `None` where there is none.
pub fn reason(text: &str) -> Option<String> {
    let text: String = text.trim().chars().filter(|c| !c.is_control()).take(200).collect();
    (text.chars().count() >= 2).then_some(text)
}

/// An entry of the audit log. It holds no personal data but the user's own name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who: a user's name; for the command line, the system's user.
    pub user: String,
    /// From where: an address, or `command line`.
    pub peer: String,
    /// What.
    pub action: Action,
    /// To what, such as `policy:PBDI…`, `user:li` or `message:17`; empty where it is the user.
    pub subject: String,
    /// Why, in the user's words.
    pub reason: String,
    /// What was asked for or, of what was refused, why; in our words.
    pub detail: String,
}

/// An entry with its number, the order of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its number.
    pub id: u64,
    /// The entry.
    pub entry: AuditEntry,
}

/// Which entries are meant; what is `None` does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// By this user.
    pub user: Option<String>,
    /// Of this action.
    pub action: Option<Action>,
    /// About this subject.
    pub subject: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_reads_back_from_its_name() {
        for action in Action::ALL {
            assert_eq!(Action::from_name(action.as_str()), Some(action));
        }
        assert_eq!(Action::from_name("sign-in.maybe"), None);
    }
}
