//! Tells a sleeping worker that there is something to do.

use std::sync::Arc;

use tokio::sync::Notify;

/// A bell that everyone who queues notices rings once they are durable. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// Rings; a worker that is busy hears it when it is done.
    pub fn ring(&self) {
        self.0.notify_one();
    }

    pub(super) async fn rung(&self) {
        self.0.notified().await;
    }
}
