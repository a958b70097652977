//! What the console asks of a database: users, sessions, the audit log.
//!
//! Whatever changes something takes the audit entry of it and writes both in one transaction, so that nothing is done
//! that is not written down. Every method blocks.

use jiff::Timestamp;

use super::audit::{AuditEntry, AuditFilter, AuditRecord};
use super::role::Role;
use super::session::{Session, TokenDigest};
use crate::ledger::lists::Slice;
use crate::ledger::store::StoreError;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name to sign in with; never used again for somebody else.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The hash of their password as a PHC string; `None` for those who sign in elsewhere.
    pub password: Option<String>,
    /// Where they sign in: `None` here, else the issuer that vouches for them.
    pub issuer: Option<String>,
    /// Since when they may not sign in.
    pub disabled_at: Option<Timestamp>,
    /// When they were added.
    pub added_at: Timestamp,
    /// When they last signed in.
    pub signed_in_at: Option<Timestamp>,
}

/// The longest name, in characters.
const MAX_NAME_CHARS: usize = 64;

/// A name that a user may have: letters and digits of any script, and `.`, `_`, `@`, `-`; in lower case, so that no two
/// users differ in that alone.
pub fn user_name(text: &str) -> Option<String> {
    let name = text.trim().to_lowercase();
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '@' | '-');
    ((1..=MAX_NAME_CHARS).contains(&name.chars().count()) && name.chars().all(fits)).then_some(name)
}

/// A change of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserChange {
    /// Another role.
    Role(Role),
    /// Another password, as a PHC string.
    Password(String),
    /// May no longer sign in.
    Disable,
    /// May sign in again.
    Enable,
}

/// The console's tables, for any number of threads.
pub trait ConsoleStore: Send + Sync {
    /// Every user, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn users(&self) -> Result<Vec<User>, StoreError>;

    /// One user.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn user(&self, name: &str) -> Result<Option<User>, StoreError>;

    /// Adds a user; `false` where there is one of that name.
    ///
    /// # Errors
    /// When the database cannot be written.
    fn add_user(&self, user: &User, entry: &AuditEntry) -> Result<bool, StoreError>;

    /// Changes a user and ends all their sessions but `keep`; `false` where there is none of that name, or where the
    /// last enabled admin would be gone.
    ///
    /// # Errors
    /// When the database cannot be written.
    fn change_user(
        &self,
        name: &str,
        change: &UserChange,
        keep: Option<&TokenDigest>,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// A session with its user.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn session(&self, digest: &TokenDigest) -> Result<Option<(Session, User)>, StoreError>;

    /// Begins a session, and forgets those that began before `ended_before`.
    ///
    /// # Errors
    /// When the database cannot be written.
    fn begin_session(&self, session: &Session, ended_before: Timestamp, entry: &AuditEntry) -> Result<(), StoreError>;

    /// Notes a session's last request; need not survive a power cut.
    ///
    /// # Errors
    /// When the database cannot be written.
    fn note_session(&self, digest: &TokenDigest, seen_at: Timestamp) -> Result<(), StoreError>;

    /// Ends a session.
    ///
    /// # Errors
    /// When the database cannot be written.
    fn end_session(&self, digest: &TokenDigest, entry: &AuditEntry) -> Result<(), StoreError>;

    /// Writes an entry into the audit log, durably.
    ///
    /// # Errors
    /// When the database cannot be written; then what it is about must not be done.
    fn record(&self, entry: &AuditEntry) -> Result<(), StoreError>;

    /// The audit log, the newest entry first.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn audit(
        &self,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Slice<AuditRecord, u64>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::user_name;

    #[test]
    fn a_name_is_of_letters_and_digits_of_any_script() {
        assert_eq!(user_name(" Li.Si@insurer-1 ").as_deref(), Some("li.si@insurer-1"));
        assert_eq!(user_name("李𠮷").as_deref(), Some("李𠮷"));
        for text in ["", "a b", "a\nb", "<script>", "a:b", &"x".repeat(65)] {
            assert_eq!(user_name(text), None, "{text}");
        }
    }
}
