//! One connection and what becomes of it when the database, or the way to it, fails.
//!
//! A connection runs on its caller's thread: what is sent and what is answered needs no other thread to wake up.
//! Everything has a time limit, and a connection whose work was cut off is closed, since nobody knows in which state
//! it is; the next work opens another.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use super::settings::Settings;
use crate::ledger::store::StoreError;

/// How long a piece of work may take, with everything that is tried again.
pub(super) const WORK_TIMEOUT: Duration = Duration::from_secs(5);
/// How often work that lost a race or its connection is begun again.
const ATTEMPTS: u32 = 12;
/// The longest wait before it is begun again after a lost race, in milliseconds, doubling up to a bound.
const FIRST_WAIT_MS: u64 = 2;
const LONGEST_WAIT_MS: u64 = 200;

pub(super) type Parameter<'a> = &'a (dyn ToSql + Sync);

/// Why a piece of work did not come to its end.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another gateway was first: begun again, it finds what the other one wrote.
    LostRace(&'static str),
    /// The database refused or was not reached.
    Database(tokio_postgres::Error),
    /// A value that this program cannot have written.
    Unreadable(&'static str),
    /// What was to be written was not decided.
    Undecided(StoreError),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

/// What is to be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remedy {
    /// Begin again on the same connection.
    Again,
    /// Begin again on a new connection.
    Reconnect,
    /// Tell the caller.
    GiveUp,
}

impl Failure {
    fn remedy(&self) -> Remedy {
        let error = match self {
            Self::LostRace(_) => return Remedy::Again,
            Self::Unreadable(_) | Self::Undecided(_) => return Remedy::GiveUp,
            Self::Database(error) => error,
        };
        let Some(code) = error.code() else {
            // Without a code the connection itself has failed, or the two sides do not understand each other.
            return Remedy::Reconnect;
        };
        let lost = [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::UNIQUE_VIOLATION,
            SqlState::LOCK_NOT_AVAILABLE,
        ];
        let gone = [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::READ_ONLY_SQL_TRANSACTION,
        ];
        if lost.contains(code) {
            Remedy::Again
        } else if gone.contains(code) || code.code().starts_with("08") {
            // Read-only: it was demoted, and another server of the list may have been promoted.
            Remedy::Reconnect
        } else {
            Remedy::GiveUp
        }
    }

    fn reason(&self) -> String {
        match self {
            Self::LostRace(what) => format!("other gateways were first again and again: {what}"),
            Self::Unreadable(what) => format!("{what}: a value that this program cannot have written"),
            Self::Undecided(error) => error.to_string(),
            Self::Database(error) => describe(error),
        }
    }
}

/// What the database says, without the values of rows that its detail may hold.
pub(super) fn describe(error: &tokio_postgres::Error) -> String {
    if let Some(told) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", told.message(), told.code().code());
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    text
}

/// An open session with its prepared statements.
///
/// Calls that are awaited together go out together, and the database answers them in one go.
pub(super) struct Session {
    client: Client,
    statements: RefCell<HashMap<&'static str, Statement>>,
}

impl Session {
    fn new(client: Client) -> Self {
        Self { client, statements: RefCell::default() }
    }

    /// The statement, prepared once a session.
    async fn prepare(&self, sql: &'static str) -> Result<Statement, Failure> {
        let known = self.statements.borrow().get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.borrow_mut().insert(sql, statement.clone());
        Ok(statement)
    }

    pub(super) async fn query(&self, sql: &'static str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Failure> {
        let statement = self.prepare(sql).await?;
        Ok(self.client.query(&statement, parameters).await?)
    }

    /// As [`query`](Self::query), of a statement that is put together for its occasion.
    pub(super) async fn query_once(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Failure> {
        Ok(self.client.query(sql, parameters).await?)
    }

    pub(super) async fn query_opt(
        &self,
        sql: &'static str,
        parameters: &[Parameter<'_>],
    ) -> Result<Option<Row>, Failure> {
        let statement = self.prepare(sql).await?;
        Ok(self.client.query_opt(&statement, parameters).await?)
    }

    pub(super) async fn execute(&self, sql: &'static str, parameters: &[Parameter<'_>]) -> Result<u64, Failure> {
        let statement = self.prepare(sql).await?;
        Ok(self.client.execute(&statement, parameters).await?)
    }

    pub(super) async fn batch(&self, sql: &str) -> Result<(), Failure> {
        Ok(self.client.batch_execute(sql).await?)
    }
}

/// A connection that opens itself when it is needed.
pub(super) struct Connection {
    /// Always there but for the moment of the drop.
    runtime: Option<Runtime>,
    settings: Arc<Settings>,
    session: Option<Session>,
    timeout: Duration,
}

impl Connection {
    pub(super) fn new(settings: Arc<Settings>) -> Result<Self, StoreError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| StoreError { context: "starting a connection", reason: error.to_string() })?;
        Ok(Self { runtime: Some(runtime), settings, session: None, timeout: WORK_TIMEOUT })
    }

    /// A connection whose work may take as long as it needs: migrations, checks of a whole ledger.
    pub(super) fn patient(settings: Arc<Settings>) -> Result<Self, StoreError> {
        let mut connection = Self::new(settings)?;
        connection.timeout = Duration::from_hours(24);
        Ok(connection)
    }

    /// Does one piece of work, which is begun again where it lost a race or its connection. So it must be one that may
    /// be done again when nobody knows whether it was done: reading, or a transaction that first looks whether its
    /// effect is there.
    pub(super) fn run<T>(
        &mut self,
        context: &'static str,
        mut work: impl AsyncFnMut(&Session) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let Self { runtime, settings, session, timeout } = self;
        let Some(runtime) = runtime else {
            return Err(StoreError { context, reason: "the connection was closed".to_owned() });
        };
        let done = runtime.block_on(async {
            let attempts = attempt(settings, session, &mut work);
            tokio::time::timeout(*timeout, attempts).await
        });
        match done {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(failure)) => Err(StoreError { context, reason: failure.reason() }),
            Err(_) => {
                *session = None;
                let reason = format!("the database did not answer within {} ms", timeout.as_millis());
                Err(StoreError { context, reason })
            }
        }
    }

    /// As [`run`](Self::run), inside a transaction.
    pub(super) fn transact<T>(
        &mut self,
        context: &'static str,
        mut work: impl AsyncFnMut(&Session) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.run(context, async |session| {
            session.batch("BEGIN").await?;
            let done = work(session).await?;
            session.batch("COMMIT").await?;
            Ok(done)
        })
    }
}

impl Drop for Connection {
    /// Wherever it is dropped, also where nothing may block.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn attempt<T>(
    settings: &Settings,
    session: &mut Option<Session>,
    work: &mut impl AsyncFnMut(&Session) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut tried = 0;
    loop {
        tried += 1;
        let done = match open(settings, session).await {
            Ok(open) => work(open).await,
            Err(error) => Err(error),
        };
        let failure = match done {
            Ok(value) => return Ok(value),
            Err(failure) => failure,
        };
        let remedy = failure.remedy();
        if remedy == Remedy::Reconnect || !is_clean(session).await {
            *session = None;
        }
        if remedy == Remedy::GiveUp || tried >= ATTEMPTS {
            return Err(failure);
        }
        tokio::time::sleep(wait(tried)).await;
    }
}

/// Doubling, with jitter: two gateways that ran into each other should not do so again.
fn wait(tried: u32) -> Duration {
    let longest = FIRST_WAIT_MS.saturating_mul(1 << tried.min(16)).min(LONGEST_WAIT_MS);
    let random = getrandom::u64().unwrap_or_default();
    Duration::from_millis(longest / 2 + random % (longest / 2).max(1))
}

/// Opens the session where there is none that is alive.
async fn open<'a>(settings: &Settings, session: &'a mut Option<Session>) -> Result<&'a Session, Failure> {
    let alive = session.take().filter(|session| !session.client.is_closed());
    let open = match alive {
        Some(open) => open,
        None => Session::new(settings.connect().await?),
    };
    Ok(session.insert(open))
}

/// Ends a transaction that failed; `false` where the connection is of no more use.
async fn is_clean(session: &mut Option<Session>) -> bool {
    match session {
        Some(session) => session.client.batch_execute("ROLLBACK").await.is_ok(),
        None => true,
    }
}
