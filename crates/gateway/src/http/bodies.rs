//! How much memory bodies may take together.

use std::sync::Arc;

use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A budget in KiB; whoever wants to be read waits for room, and gives it back with the answer.
pub struct BodyBudget {
    kib: Arc<Semaphore>,
    total_kib: u32,
}

/// What every request takes besides its body.
const HEAD_KIB: u32 = 4;

impl BodyBudget {
    /// A budget of so many KiB.
    pub fn new(total_kib: u32) -> Self {
        let permits = usize::try_from(total_kib).unwrap_or(Semaphore::MAX_PERMITS);
        Self { kib: Arc::new(Semaphore::new(permits)), total_kib }
    }

    /// Waits for room for a body of `bytes`, at most for the whole budget.
    pub async fn room_for(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let kib = u32::try_from(bytes.div_ceil(1_024)).unwrap_or(u32::MAX).saturating_add(HEAD_KIB);
        Arc::clone(&self.kib).acquire_many_owned(kib.min(self.total_kib)).await.ok()
    }
}

/// The length that the head declares; `None` where it declares none that can be read.
pub(super) fn declared_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn room_is_waited_for_and_given_back() {
        let budget = BodyBudget::new(12);
        let first = budget.room_for(4 * 1_024).await.unwrap();
        let waiting = budget.room_for(1 << 30);
        tokio::pin!(waiting);
        let polled = tokio::select! {
            biased;
            _ = &mut waiting => true,
            () = std::future::ready(()) => false,
        };
        assert!(!polled, "there was room beside the first");
        drop(first);
        assert!(waiting.await.is_some());
    }
}
