//! The console's tables in PostgreSQL: read through a pool, written on a connection of their own.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio_postgres::Row;

use super::connection::{Connection, Failure, Parameter, Session as Database};
use super::pool::Pool;
use super::rows::{big, instant, known, millis, number, optional_instant};
use super::settings::Settings;
use crate::console::audit::{Action, AuditEntry, AuditFilter, AuditRecord};
use crate::console::role::Role;
use crate::console::session::{Session, TokenDigest};
use crate::console::store::{Admission, ConsoleStore, Identity, User, UserChange, Vouched, provider_user_name};
use crate::ledger::lists::{MAX_EXAMINED, Slice};
use crate::ledger::store::StoreError;

/// How many pages are read at once.
const READERS: usize = 4;

/// PostgreSQL as the console's store.
pub struct PostgresConsole {
    writer: Mutex<Connection>,
    readers: Pool,
}

impl PostgresConsole {
    pub(super) fn new(writing: Arc<Settings>, reading: Arc<Settings>) -> Result<Self, StoreError> {
        Ok(Self { writer: Mutex::new(Connection::new(writing)?), readers: Pool::new(reading, READERS) })
    }

    pub(super) fn read<T>(
        &self,
        context: &'static str,
        work: impl AsyncFnMut(&Database) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.readers.read(context, work)
    }

    pub(super) fn write<T>(
        &self,
        context: &'static str,
        work: impl AsyncFnMut(&Database) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).transact(context, work)
    }
}

/// The columns that [`user`] reads.
macro_rules! user_columns {
    () => {
        "u.name, u.role, u.password, u.issuer, u.subject, u.disabled_ms, u.added_ms, u.signed_in_ms"
    };
}

fn user(row: &Row, first: usize) -> Result<User, Failure> {
    Ok(User {
        name: row.try_get(first)?,
        role: known("a role", Role::from_name(row.try_get(first + 1)?))?,
        password: row.try_get(first + 2)?,
        provider: match (row.try_get(first + 3)?, row.try_get(first + 4)?) {
            (Some(issuer), Some(subject)) => Some(Identity { issuer, subject }),
            _ => None,
        },
        disabled_at: optional_instant(row, first + 5)?,
        added_at: instant(row, first + 6)?,
        signed_in_at: optional_instant(row, first + 7)?,
    })
}

async fn insert_user(database: &Database, user: &User) -> Result<bool, Failure> {
    let insert = "INSERT INTO users (name, role, password, issuer, subject, disabled_ms, added_ms) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    let (role, disabled_ms, added_ms) = (user.role.as_str(), user.disabled_at.map(millis), millis(user.added_at));
    let issuer = user.provider.as_ref().map(|identity| &identity.issuer);
    let subject = user.provider.as_ref().map(|identity| &identity.subject);
    let values: [Parameter<'_>; 7] = [&user.name, &role, &user.password, &issuer, &subject, &disabled_ms, &added_ms];
    Ok(database.execute(insert, &values).await? == 1)
}

async fn user_of(database: &Database, identity: &Identity) -> Result<Option<User>, Failure> {
    let query = concat!("SELECT ", user_columns!(), " FROM users u WHERE u.issuer = $1 AND u.subject = $2 FOR UPDATE");
    let found = database.query_opt(query, &[&identity.issuer, &identity.subject]).await?;
    found.map(|row| user(&row, 0)).transpose()
}

/// The user of that identity, added where there is none.
async fn add_vouched(database: &Database, vouched: &Vouched, role: Role) -> Result<User, Failure> {
    let mut added = User {
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
        added.name = provider_user_name(&vouched.known_as, ordinal);
        if insert_user(database, &added).await? {
            record(database, &vouched.entry(Action::UserAdded, &added.name, role)).await?;
            return Ok(added);
        }
        // The name is another's, or the same person came to another gateway at the same moment.
        if let Some(user) = user_of(database, &vouched.identity).await? {
            return Ok(user);
        }
        ordinal += 1;
    }
}

async fn admit(database: &Database, vouched: &Vouched) -> Result<Admission, Failure> {
    database.execute("DELETE FROM spent_nonces WHERE until_ms < $1", &[&millis(vouched.at)]).await?;
    let spend = "INSERT INTO spent_nonces (digest, until_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    if database.execute(spend, &[&vouched.nonce.as_slice(), &millis(vouched.nonce_until)]).await? == 0 {
        return Ok(Admission::Replayed);
    }
    let known = user_of(database, &vouched.identity).await?;
    let Some(role) = vouched.role else {
        if let Some(user) = &known {
            database.execute("DELETE FROM sessions WHERE user_name = $1", &[&user.name]).await?;
        }
        return Ok(Admission::WithoutRole(known.map(|user| user.name)));
    };
    let user = match known {
        Some(user) => user,
        None => add_vouched(database, vouched, role).await?,
    };
    if user.role == role {
        return Ok(Admission::User(user));
    }
    database.execute("DELETE FROM sessions WHERE user_name = $1", &[&user.name]).await?;
    database.execute("UPDATE users SET role = $2 WHERE name = $1", &[&user.name, &role.as_str()]).await?;
    record(database, &vouched.entry(Action::UserRoleChanged, &user.name, role)).await?;
    Ok(Admission::User(User { role, ..user }))
}

async fn record(database: &Database, entry: &AuditEntry) -> Result<(), Failure> {
    let next = "UPDATE audit_head SET next = next + 1 RETURNING next - 1";
    let id: i64 = known("the audit log's head", database.query_opt(next, &[]).await?)?.try_get(0)?;
    let insert = "INSERT INTO audit (id, at_ms, user_name, peer, action, subject, reason, detail) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let (at_ms, action) = (millis(entry.at), entry.action.as_str());
    let values: [Parameter<'_>; 8] =
        [&id, &at_ms, &entry.user, &entry.peer, &action, &entry.subject, &entry.reason, &entry.detail];
    database.execute(insert, &values).await?;
    Ok(())
}

/// Whether a user is the only admin who may sign in. All admins are locked: of two who disable each other, one stays.
async fn is_last_admin(database: &Database, name: &str) -> Result<bool, Failure> {
    let query = "SELECT name FROM users WHERE role = 'admin' AND disabled_ms IS NULL ORDER BY name FOR UPDATE";
    let admins = database.query(query, &[]).await?;
    let names = admins.iter().map(|row| row.try_get(0)).collect::<Result<Vec<&str>, _>>()?;
    Ok(names == [name])
}

async fn change(database: &Database, name: &str, change: &UserChange, at: Timestamp) -> Result<bool, Failure> {
    let leaves_admins =
        matches!(change, UserChange::Disable) || matches!(change, UserChange::Role(role) if *role != Role::Admin);
    if leaves_admins && is_last_admin(database, name).await? {
        return Ok(false);
    }
    let disable = "UPDATE users SET disabled_ms = $2 WHERE name = $1";
    let changed = match change {
        // Who signs in elsewhere has their role from there, and no password here.
        UserChange::Role(role) => {
            let update = "UPDATE users SET role = $2 WHERE name = $1 AND issuer IS NULL";
            database.execute(update, &[&name, &role.as_str()]).await?
        }
        UserChange::Password(hash) => {
            let update = "UPDATE users SET password = $2 WHERE name = $1 AND issuer IS NULL";
            database.execute(update, &[&name, hash]).await?
        }
        UserChange::Disable => database.execute(disable, &[&name, &Some(millis(at))]).await?,
        UserChange::Enable => database.execute(disable, &[&name, &None::<i64>]).await?,
    };
    Ok(changed == 1)
}

fn audit_record(row: &Row) -> Result<AuditRecord, Failure> {
    Ok(AuditRecord {
        id: number(row, 0)?,
        entry: AuditEntry {
            at: instant(row, 1)?,
            user: row.try_get(2)?,
            peer: row.try_get(3)?,
            action: known("an action", Action::from_name(row.try_get(4)?))?,
            subject: row.try_get(5)?,
            reason: row.try_get(6)?,
            detail: row.try_get(7)?,
        },
    })
}

impl ConsoleStore for PostgresConsole {
    fn users(&self) -> Result<Vec<User>, StoreError> {
        self.readers.read("listing users", async |database| {
            let query = concat!("SELECT ", user_columns!(), " FROM users u ORDER BY u.name");
            database.query(query, &[]).await?.iter().map(|row| user(row, 0)).collect()
        })
    }

    fn user(&self, name: &str) -> Result<Option<User>, StoreError> {
        self.readers.read("reading a user", async |database| {
            let query = concat!("SELECT ", user_columns!(), " FROM users u WHERE u.name = $1");
            database.query_opt(query, &[&name]).await?.map(|row| user(&row, 0)).transpose()
        })
    }

    fn add_user(&self, user: &User, entry: &AuditEntry) -> Result<bool, StoreError> {
        self.write("adding a user", async |database| {
            let added = insert_user(database, user).await?;
            if added {
                record(database, entry).await?;
            }
            Ok(added)
        })
    }

    fn admit(&self, vouched: &Vouched) -> Result<Admission, StoreError> {
        self.write("admitting a user", async |database| admit(database, vouched).await)
    }

    fn change_user(
        &self,
        name: &str,
        what: &UserChange,
        keep: Option<&TokenDigest>,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        self.write("changing a user", async |database| {
            if !change(database, name, what, entry.at).await? {
                return Ok(false);
            }
            let delete = "DELETE FROM sessions WHERE user_name = $1 AND digest IS DISTINCT FROM $2";
            database.execute(delete, &[&name, &keep.map(|digest| digest.0.as_slice())]).await?;
            record(database, entry).await?;
            Ok(true)
        })
    }

    fn session(&self, digest: &TokenDigest) -> Result<Option<(Session, User)>, StoreError> {
        let query = concat!(
            "SELECT s.user_name, s.began_ms, s.seen_ms, s.peer, ",
            user_columns!(),
            " FROM sessions s JOIN users u ON u.name = s.user_name WHERE s.digest = $1"
        );
        self.readers.read("reading a session", async |database| {
            let Some(row) = database.query_opt(query, &[&digest.0.as_slice()]).await? else { return Ok(None) };
            let session = Session {
                digest: *digest,
                user: row.try_get(0)?,
                began_at: instant(&row, 1)?,
                seen_at: instant(&row, 2)?,
                peer: row.try_get(3)?,
            };
            Ok(Some((session, user(&row, 4)?)))
        })
    }

    fn begin_session(&self, session: &Session, ended_before: Timestamp, entry: &AuditEntry) -> Result<(), StoreError> {
        let insert = "INSERT INTO sessions (digest, user_name, began_ms, seen_ms, peer) VALUES ($1, $2, $3, $4, $5) \
                      ON CONFLICT DO NOTHING";
        self.write("beginning a session", async |database| {
            database.execute("DELETE FROM sessions WHERE began_ms < $1", &[&millis(ended_before)]).await?;
            let (digest, began_ms, seen_ms) =
                (session.digest.0.as_slice(), millis(session.began_at), millis(session.seen_at));
            database.execute(insert, &[&digest, &session.user, &began_ms, &seen_ms, &session.peer]).await?;
            let signed_in = "UPDATE users SET signed_in_ms = $2 WHERE name = $1";
            database.execute(signed_in, &[&session.user, &began_ms]).await?;
            record(database, entry).await
        })
    }

    fn note_session(&self, digest: &TokenDigest, seen_at: Timestamp) -> Result<(), StoreError> {
        let update = "UPDATE sessions SET seen_ms = greatest(seen_ms, $2) WHERE digest = $1";
        self.write("noting a request of a session", async |database| {
            database.batch("SET LOCAL synchronous_commit = off").await?;
            database.execute(update, &[&digest.0.as_slice(), &millis(seen_at)]).await?;
            Ok(())
        })
    }

    fn end_session(&self, digest: &TokenDigest, entry: &AuditEntry) -> Result<(), StoreError> {
        self.write("ending a session", async |database| {
            database.execute("DELETE FROM sessions WHERE digest = $1", &[&digest.0.as_slice()]).await?;
            record(database, entry).await
        })
    }

    fn record(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.write("writing the audit log", async |database| record(database, entry).await)
    }

    fn audit(
        &self,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Slice<AuditRecord, u64>, StoreError> {
        let examined = i64::try_from(MAX_EXAMINED).unwrap_or(i64::MAX);
        let query = "SELECT * FROM (SELECT id, at_ms, user_name, peer, action, subject, reason, detail FROM audit \
                       WHERE id < $1 AND ($2::text IS NULL OR subject = $2) AND ($3::text IS NULL OR user_name = $3) \
                       ORDER BY id DESC LIMIT $5) x \
                     WHERE $4::text IS NULL OR x.action = $4 ORDER BY x.id DESC LIMIT $6";
        let last = "SELECT id FROM audit WHERE id < $1 AND ($2::text IS NULL OR subject = $2) \
                      AND ($3::text IS NULL OR user_name = $3) ORDER BY id DESC OFFSET $4::bigint - 1 LIMIT 1";
        self.readers.read("reading the audit log", async |database| {
            let before = before.map_or(i64::MAX, big);
            let action = filter.action.map(Action::as_str);
            let wanted = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
            let values: [Parameter<'_>; 6] = [&before, &filter.subject, &filter.user, &action, &examined, &wanted];
            let rows = database.query(query, &values).await?;
            let mut items = rows.iter().map(audit_record).collect::<Result<Vec<_>, _>>()?;
            let next = if items.len() > limit {
                items.truncate(limit);
                items.last().map(|record| record.id)
            } else {
                let values: [Parameter<'_>; 4] = [&before, &filter.subject, &filter.user, &examined];
                database.query_opt(last, &values).await?.map(|row| number(&row, 0)).transpose()?
            };
            Ok(Slice { items, next })
        })
    }
}
