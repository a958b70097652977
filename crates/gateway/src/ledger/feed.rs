//! The news that something happened, for readers who wait for it.
//!
//! The committer announces after a commit; a reader then looks into the ledger itself. So what travels here is only
//! that there is something new, and a reader that missed ten announcements has missed nothing.

use std::sync::Arc;

use tokio::sync::watch;

#[derive(Debug, Clone, Copy, Default)]
struct News {
    announced: u64,
    closed: bool,
}

/// Where the committer announces and readers wait; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Feed(Arc<watch::Sender<News>>);

/// One reader's place in the news.
#[derive(Debug)]
pub struct Waiter(watch::Receiver<News>);

impl Feed {
    /// Tells every waiter that events have become durable.
    pub fn announce(&self) {
        self.0.send_modify(|news| news.announced = news.announced.wrapping_add(1));
    }

    /// Sends every waiter home, now and from now on: the gateway is about to stop.
    pub fn close(&self) {
        self.0.send_modify(|news| news.closed = true);
    }

    /// A waiter to whom everything announced from now on is news. Made before the ledger is read, it misses nothing.
    pub fn waiter(&self) -> Waiter {
        Waiter(self.0.subscribe())
    }
}

impl Waiter {
    /// Waits for news; `false` when there will be none.
    pub async fn wait(&mut self) -> bool {
        if self.0.borrow().closed {
            return false;
        }
        self.0.changed().await.is_ok() && !self.0.borrow().closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_announced_after_the_waiter_was_made_is_never_missed() {
        let feed = Feed::default();
        feed.announce();
        let mut waiter = feed.waiter();
        feed.announce();
        feed.announce();
        assert!(waiter.wait().await);
        let waiting = tokio::spawn(async move { waiter.wait().await });
        feed.close();
        assert!(!waiting.await.unwrap());
        assert!(!feed.waiter().wait().await);
    }
}
