//! The console's tables in SQLite: read beside the writer, written on a connection of their own.
//!
//! Looking at a page writes nothing but, once a minute, the session's last request, and that unsynced. What is synced
//! are entries of the audit log: one for each thing that a person does.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params};

use super::lists::{Share, fits, integer, optional_instant, slice};
use super::outbox::{Gate, synchronous};
use super::reader::SqliteReader;
use super::rows::{instant, known, millis};
use super::{connect, failed, none_if_no_row};
use crate::console::audit::{Action, AuditEntry, AuditFilter, AuditRecord};
use crate::console::role::Role;
use crate::console::session::{Session, TokenDigest};
use crate::console::store::{Admission, ConsoleStore, Identity, User, UserChange, Vouched, provider_user_name};
use crate::ledger::lists::Slice;
use crate::ledger::store::StoreError;

/// SQLite as the console's store.
pub struct SqliteConsole {
    writer: Mutex<Connection>,
    gate: Gate,
    reader: SqliteReader,
}

impl SqliteConsole {
    /// Opens the console's tables in a ledger that exists and is migrated.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path, gate: Gate) -> Result<Self, StoreError> {
        Ok(Self { writer: Mutex::new(connect(path)?), gate, reader: SqliteReader::new(path.to_owned()) })
    }

    pub(super) fn read<T>(
        &self,
        context: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.reader.read(context, query)
    }

    pub(super) fn write<T>(
        &self,
        context: &'static str,
        synced: bool,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let written = || -> rusqlite::Result<T> {
            // A panic of another holder leaves a connection whose transaction was rolled back.
            let mut connection = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            synchronous(&connection, synced)?;
            let _turn = self.gate.enter();
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        written().map_err(|error| failed(context, &error))
    }
}

const USER_COLUMNS: &str = "u.name, u.role, u.password, u.issuer, u.subject, u.disabled_ms, u.added_ms, u.signed_in_ms";

/// Reads the columns of [`USER_COLUMNS`], which begin at `first`.
fn user(row: &Row<'_>, first: usize) -> rusqlite::Result<User> {
    Ok(User {
        name: row.get(first)?,
        role: known(first + 1, Role::from_name(&row.get::<_, String>(first + 1)?))?,
        password: row.get(first + 2)?,
        provider: match (row.get(first + 3)?, row.get(first + 4)?) {
            (Some(issuer), Some(subject)) => Some(Identity { issuer, subject }),
            _ => None,
        },
        disabled_at: optional_instant(row, first + 5)?,
        added_at: instant(row, first + 6)?,
        signed_in_at: optional_instant(row, first + 7)?,
    })
}

fn insert_user(transaction: &Transaction<'_>, user: &User) -> rusqlite::Result<bool> {
    let insert = "INSERT INTO users (name, role, password, issuer, subject, disabled_ms, added_ms) \
                  VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
    let provider = user.provider.as_ref();
    let added = transaction.execute(
        insert,
        params![
            user.name,
            user.role.as_str(),
            user.password,
            provider.map(|identity| &identity.issuer),
            provider.map(|identity| &identity.subject),
            user.disabled_at.map(millis),
            millis(user.added_at),
        ],
    )?;
    Ok(added == 1)
}

fn user_of(transaction: &Transaction<'_>, identity: &Identity) -> rusqlite::Result<Option<User>> {
    let query = format!("SELECT {USER_COLUMNS} FROM users u WHERE u.issuer = ? AND u.subject = ?");
    let mut statement = transaction.prepare_cached(&query)?;
    statement.query_row([&identity.issuer, &identity.subject], |row| user(row, 0)).map(Some).or_else(none_if_no_row)
}

fn add_vouched(transaction: &Transaction<'_>, vouched: &Vouched, role: Role) -> rusqlite::Result<User> {
    let mut user = User {
        name: String::new(),
        role,
        password: None,
        provider: Some(vouched.identity.clone()),
        disabled_at: None,
        added_at: vouched.at,
        signed_in_at: None,
    };
    let mut ordinal = 1;
    loop {
        user.name = provider_user_name(&vouched.known_as, ordinal);
        if insert_user(transaction, &user)? {
            record(transaction, &vouched.entry(Action::UserAdded, &user.name, role))?;
            return Ok(user);
        }
        ordinal += 1;
    }
}

fn admit(transaction: &Transaction<'_>, vouched: &Vouched) -> rusqlite::Result<Admission> {
    transaction.execute("DELETE FROM spent_nonces WHERE until_ms < ?", [millis(vouched.at)])?;
    let spend = "INSERT INTO spent_nonces (digest, until_ms) VALUES (?, ?) ON CONFLICT DO NOTHING";
    if transaction.execute(spend, params![vouched.nonce, millis(vouched.nonce_until)])? == 0 {
        return Ok(Admission::Replayed);
    }
    let known = user_of(transaction, &vouched.identity)?;
    if let Some(user) = known.as_ref().filter(|user| vouched.role != Some(user.role)) {
        transaction.execute("DELETE FROM sessions WHERE user_name = ?", [&user.name])?;
    }
    match (known, vouched.role) {
        (known, None) => Ok(Admission::WithoutRole(known.map(|user| user.name))),
        (None, Some(role)) => Ok(Admission::User(add_vouched(transaction, vouched, role)?)),
        (Some(user), Some(role)) if user.role == role => Ok(Admission::User(user)),
        (Some(user), Some(role)) => {
            transaction.execute("UPDATE users SET role = ? WHERE name = ?", [role.as_str(), &user.name])?;
            record(transaction, &vouched.entry(Action::UserRoleChanged, &user.name, role))?;
            Ok(Admission::User(User { role, ..user }))
        }
    }
}

fn record(transaction: &Transaction<'_>, entry: &AuditEntry) -> rusqlite::Result<()> {
    let insert = "INSERT INTO audit (at_ms, user_name, peer, action, subject, reason, detail) \
                  VALUES (?, ?, ?, ?, ?, ?, ?)";
    transaction.prepare_cached(insert)?.execute(params![
        millis(entry.at),
        entry.user,
        entry.peer,
        entry.action.as_str(),
        entry.subject,
        entry.reason,
        entry.detail,
    ])?;
    Ok(())
}

/// Whether a user is the only admin who may sign in.
fn is_last_admin(transaction: &Transaction<'_>, name: &str) -> rusqlite::Result<bool> {
    let query = "SELECT name FROM users WHERE role = 'admin' AND disabled_ms IS NULL";
    let admins: Vec<String> = transaction.prepare(query)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(admins == [name])
}

fn change(transaction: &Transaction<'_>, name: &str, change: &UserChange, at: Timestamp) -> rusqlite::Result<bool> {
    let leaves_admins =
        matches!(change, UserChange::Disable) || matches!(change, UserChange::Role(role) if *role != Role::Admin);
    if leaves_admins && is_last_admin(transaction, name)? {
        return Ok(false);
    }
    let (update, value) = match change {
        // Who signs in elsewhere has their role from there, and no password here.
        UserChange::Role(role) => {
            ("UPDATE users SET role = ?1 WHERE name = ?2 AND issuer IS NULL", Value::Text(role.as_str().to_owned()))
        }
        UserChange::Password(hash) => {
            ("UPDATE users SET password = ?1 WHERE name = ?2 AND issuer IS NULL", Value::Text(hash.clone()))
        }
        UserChange::Disable => ("UPDATE users SET disabled_ms = ?1 WHERE name = ?2", Value::Integer(millis(at))),
        UserChange::Enable => ("UPDATE users SET disabled_ms = ?1 WHERE name = ?2", Value::Null),
    };
    Ok(transaction.execute(update, params![value, name])? == 1)
}

fn audit_record(row: &Row<'_>) -> rusqlite::Result<AuditRecord> {
    Ok(AuditRecord {
        id: row.get(0)?,
        entry: AuditEntry {
            at: instant(row, 1)?,
            user: row.get(2)?,
            peer: row.get(3)?,
            action: known(4, Action::from_name(&row.get::<_, String>(4)?))?,
            subject: row.get(5)?,
            reason: row.get(6)?,
            detail: row.get(7)?,
        },
    })
}

fn audit(
    connection: &Connection,
    filter: &AuditFilter,
    before: Option<u64>,
    limit: usize,
) -> rusqlite::Result<Slice<AuditRecord, u64>> {
    let mut terms = "id < ?".to_owned();
    let mut values = vec![integer(before.unwrap_or(u64::MAX))];
    if let Some(subject) = &filter.subject {
        terms.push_str(" AND subject = ?");
        values.push(Value::Text(subject.clone()));
    }
    if let Some(user) = &filter.user {
        terms.push_str(" AND user_name = ?");
        values.push(Value::Text(user.clone()));
    }
    let query = format!(
        "SELECT id, at_ms, user_name, peer, action, subject, reason, detail FROM audit WHERE {terms} ORDER BY id DESC"
    );
    let action = filter.action.map(|action| action.as_str().to_owned());
    slice(connection, (&query, values), Share::of(limit), |row| {
        let fits = fits(action.as_ref(), || row.get(4))?;
        Ok((row.get(0)?, if fits { Some(audit_record(row)?) } else { None }))
    })
}

impl ConsoleStore for SqliteConsole {
    fn users(&self) -> Result<Vec<User>, StoreError> {
        let query = format!("SELECT {USER_COLUMNS} FROM users u ORDER BY u.name");
        self.reader.read("listing users", |connection| {
            connection.prepare_cached(&query)?.query_map([], |row| user(row, 0))?.collect()
        })
    }

    fn user(&self, name: &str) -> Result<Option<User>, StoreError> {
        let query = format!("SELECT {USER_COLUMNS} FROM users u WHERE u.name = ?");
        self.reader.read("reading a user", |connection| {
            let mut statement = connection.prepare_cached(&query)?;
            statement.query_row([name], |row| user(row, 0)).map(Some).or_else(none_if_no_row)
        })
    }

    fn add_user(&self, user: &User, entry: &AuditEntry) -> Result<bool, StoreError> {
        self.write("adding a user", true, |transaction| {
            let added = insert_user(transaction, user)?;
            if added {
                record(transaction, entry)?;
            }
            Ok(added)
        })
    }

    fn admit(&self, vouched: &Vouched) -> Result<Admission, StoreError> {
        self.write("admitting a user", true, |transaction| admit(transaction, vouched))
    }

    fn change_user(
        &self,
        name: &str,
        what: &UserChange,
        keep: Option<&TokenDigest>,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        self.write("changing a user", true, |transaction| {
            if !change(transaction, name, what, entry.at)? {
                return Ok(false);
            }
            let delete = "DELETE FROM sessions WHERE user_name = ?1 AND digest IS NOT ?2";
            transaction.execute(delete, params![name, keep.map(|digest| digest.0)])?;
            record(transaction, entry)?;
            Ok(true)
        })
    }

    fn session(&self, digest: &TokenDigest) -> Result<Option<(Session, User)>, StoreError> {
        let query = format!(
            "SELECT s.user_name, s.began_ms, s.seen_ms, s.peer, {USER_COLUMNS} FROM sessions s \
             JOIN users u ON u.name = s.user_name WHERE s.digest = ?"
        );
        let read = |row: &Row<'_>| {
            let session = Session {
                digest: *digest,
                user: row.get(0)?,
                began_at: instant(row, 1)?,
                seen_at: instant(row, 2)?,
                peer: row.get(3)?,
            };
            Ok((session, user(row, 4)?))
        };
        self.reader.read("reading a session", |connection| {
            connection.prepare_cached(&query)?.query_row([digest.0], read).map(Some).or_else(none_if_no_row)
        })
    }

    fn begin_session(&self, session: &Session, ended_before: Timestamp, entry: &AuditEntry) -> Result<(), StoreError> {
        let insert = "INSERT INTO sessions (digest, user_name, began_ms, seen_ms, peer) VALUES (?, ?, ?, ?, ?)";
        self.write("beginning a session", true, |transaction| {
            transaction.execute("DELETE FROM sessions WHERE began_ms < ?", [millis(ended_before)])?;
            transaction.execute(
                insert,
                params![
                    session.digest.0,
                    session.user,
                    millis(session.began_at),
                    millis(session.seen_at),
                    session.peer,
                ],
            )?;
            let signed_in = "UPDATE users SET signed_in_ms = ? WHERE name = ?";
            transaction.execute(signed_in, params![millis(session.began_at), session.user])?;
            record(transaction, entry)
        })
    }

    fn note_session(&self, digest: &TokenDigest, seen_at: Timestamp) -> Result<(), StoreError> {
        let update = "UPDATE sessions SET seen_ms = max(seen_ms, ?) WHERE digest = ?";
        self.write("noting a request of a session", false, |transaction| {
            transaction.prepare_cached(update)?.execute(params![millis(seen_at), digest.0]).map(|_| ())
        })
    }

    fn end_session(&self, digest: &TokenDigest, entry: &AuditEntry) -> Result<(), StoreError> {
        self.write("ending a session", true, |transaction| {
            transaction.execute("DELETE FROM sessions WHERE digest = ?", [digest.0])?;
            record(transaction, entry)
        })
    }

    fn record(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.write("writing the audit log", true, |transaction| record(transaction, entry))
    }

    fn audit(
        &self,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Slice<AuditRecord, u64>, StoreError> {
        self.reader.read("reading the audit log", |connection| audit(connection, filter, before, limit))
    }
}
