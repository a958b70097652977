//! What the console asks of a database: users, sessions, the audit log.
//!
//! Whatever changes something takes the audit entry of it and writes both in one transaction, so that nothing is done
//! that is not written down. Every method blocks.

use jiff::Timestamp;

use super::audit::{Action, AuditEntry, AuditFilter, AuditRecord};
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
    /// Who they are at the provider that vouches for them; `None` for those who sign in here.
    pub provider: Option<Identity>,
    /// Since when they may not sign in.
    pub disabled_at: Option<Timestamp>,
    /// When they were added.
    pub added_at: Timestamp,
    /// When they last signed in.
    pub signed_in_at: Option<Timestamp>,
}

/// Who somebody is at an OpenID provider: the two that together are theirs alone, for ever (OpenID Connect Core, 5.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The provider.
    pub issuer: String,
    /// What it knows them by.
    pub subject: String,
}

/// Somebody for whom a provider vouches, at the moment in which they sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    /// Who they are.
    pub identity: Identity,
    /// What the provider calls them, of which their name here is made when they first come.
    pub known_as: String,
    /// What they may do from now on; `None` where the provider says nothing that gives them a role.
    pub role: Option<Role>,
    /// The digest of what made this sign-in one of its kind: it counts once.
    pub nonce: [u8; 32],
    /// Until when the digest has to be remembered.
    pub nonce_until: Timestamp,
    /// When they came.
    pub at: Timestamp,
    /// From where.
    pub peer: String,
}

/// What came of [`ConsoleStore::admit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// This very sign-in has been used before.
    Replayed,
    /// They have no role now; with their name, if they ever had one.
    WithoutRole(Option<String>),
    /// Who they are here, with their present role. They may have been disabled here.
    User(User),
}

impl Vouched {
    /// The audit entry of what their sign-in changes about them.
    pub fn entry(&self, action: Action, name: &str, role: Role) -> AuditEntry {
        AuditEntry {
            at: self.at,
            user: name.to_owned(),
            peer: self.peer.clone(),
            action,
            subject: format!("user:{name}"),
            reason: String::new(),
            detail: format!("{} by {}", role.as_str(), self.identity.told()),
        }
    }
}

impl Identity {
    /// How the audit log names it.
    pub fn told(&self) -> String {
        format!("iss={} sub={}", self.issuer, self.subject)
    }
}

/// The longest name, in characters.
const MAX_NAME_CHARS: usize = 64;
/// What the names of those begin with for whom a provider vouches. No name of [`user_name`] has a colon.
const PROVIDER_PREFIX: &str = "sso:";

/// A name that a user may have: letters and digits of any script, and `.`, `_`, `@`, `-`; in lower case, so that no two
/// users differ in that alone.
pub fn user_name(text: &str) -> Option<String> {
    let name = text.trim().to_lowercase();
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '@' | '-');
    ((1..=MAX_NAME_CHARS).contains(&name.chars().count()) && name.chars().all(fits)).then_some(name)
}

/// The name of somebody whom a provider calls `known_as`, such as `sso:li`: nobody who signs in here can have it. Where
/// it is another's, the next `ordinal`, from 2, makes it `sso:li:2`.
pub fn provider_user_name(known_as: &str, ordinal: u32) -> String {
    let fits = |c: &char| c.is_alphanumeric() || matches!(c, '.' | '_' | '@' | '-');
    let name: String = known_as.to_lowercase().chars().filter(fits).take(MAX_NAME_CHARS).collect();
    let name = if name.is_empty() { "person" } else { &name };
    if ordinal < 2 { format!("{PROVIDER_PREFIX}{name}") } else { format!("{PROVIDER_PREFIX}{name}:{ordinal}") }
}

/// The name of any user, as it is typed: of one who signs in here, or of one for whom a provider vouches.
pub fn any_user_name(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    let Some(rest) = text.strip_prefix(PROVIDER_PREFIX) else { return user_name(&text) };
    let (name, ordinal) = rest.split_once(':').map_or((rest, None), |(name, ordinal)| (name, Some(ordinal)));
    let ordinal = ordinal.map_or(Some(1), |ordinal| ordinal.parse().ok())?;
    user_name(name).map(|name| provider_user_name(&name, ordinal)).filter(|name| *name == text)
}

/// A change of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserChange {
    /// Another role. One for whom a provider vouches has their role from there alone.
    Role(Role),
    /// Another password, as a PHC string; only for who signs in here.
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

    /// Lets in somebody for whom a provider vouches, in one transaction: spends the nonce, adds the user or gives them
    /// the role that they have now, and writes down what that changed. Where it changed or ended their role, their
    /// sessions end.
    ///
    /// # Errors
    /// When the database cannot be written.
    fn admit(&self, vouched: &Vouched) -> Result<Admission, StoreError>;

    /// Changes a user and ends all their sessions but `keep`; `false` where there is none of that name, where the
    /// change is one that their provider alone makes, or where the last enabled admin would be gone.
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
    use super::{any_user_name, provider_user_name, user_name};

    #[test]
    fn a_name_is_of_letters_and_digits_of_any_script() {
        assert_eq!(user_name(" Li.Si@insurer-1 ").as_deref(), Some("li.si@insurer-1"));
        assert_eq!(user_name("李𠮷").as_deref(), Some("李𠮷"));
        for text in ["", "a b", "a\nb", "<script>", "a:b", &"x".repeat(65)] {
            assert_eq!(user_name(text), None, "{text}");
        }
    }

    #[test]
    fn whom_a_provider_vouches_for_has_a_name_that_nobody_else_can_have() {
        assert_eq!(provider_user_name("Li.Si", 1), "sso:li.si");
        assert_eq!(provider_user_name("admin\" <b>:3", 2), "sso:adminb3:2");
        assert_eq!(provider_user_name("\u{202e}:", 1), "sso:person");
        assert_eq!(provider_user_name(&"x".repeat(99), 1).len(), 4 + 64);
        for name in ["sso:li", "sso:李:2"] {
            assert_eq!(user_name(name), None);
            assert_eq!(any_user_name(name).as_deref(), Some(name));
        }
        assert_eq!(any_user_name(" Li ").as_deref(), Some("li"));
        for text in ["", "sso:", "sso:li:", "sso:li:1", "sso:li:02", "sso:a b", "oidc:li", "sso:li:2:3"] {
            assert_eq!(any_user_name(text), None, "{text}");
        }
    }
}
