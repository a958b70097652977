//! Connections for readers: as many as are allowed, kept for the next.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::connection::{Connection, Failure, Session};
use super::settings::Settings;
use crate::ledger::store::StoreError;

/// How long a reader waits for a connection that others use.
const PATIENCE: Duration = Duration::from_secs(3);

struct Idle {
    connections: Vec<Connection>,
    /// How many more may be made.
    unmade: usize,
}

/// A bounded pool of connections.
pub(super) struct Pool {
    settings: Arc<Settings>,
    idle: Mutex<Idle>,
    returned: Condvar,
}

impl Pool {
    pub(super) fn new(settings: Arc<Settings>, connections: usize) -> Self {
        let idle = Mutex::new(Idle { connections: Vec::new(), unmade: connections.max(1) });
        Self { settings, idle, returned: Condvar::new() }
    }

    /// Reads on one of the connections.
    pub(super) fn read<T>(
        &self,
        context: &'static str,
        work: impl AsyncFnMut(&Session) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let mut connection = self.take(context)?;
        let read = connection.run(context, work);
        // A connection that a panic takes along is made again never; the pool is that much smaller.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).connections.push(connection);
        self.returned.notify_one();
        read
    }

    fn take(&self, context: &'static str) -> Result<Connection, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let none = |idle: &mut Idle| idle.connections.is_empty() && idle.unmade == 0;
        let waited = self.returned.wait_timeout_while(idle, PATIENCE, none);
        let (mut idle, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = idle.connections.pop() {
            return Ok(connection);
        }
        if idle.unmade == 0 {
            let reason = format!("all connections were in use for {} ms", PATIENCE.as_millis());
            return Err(StoreError { context, reason });
        }
        idle.unmade -= 1;
        drop(idle);
        Connection::new(Arc::clone(&self.settings))
    }
}
