//! How much memory bodies may take together.

use std::sync::Arc;

use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A budget; whoever wants to be read waits for room, and gives it back with the answer.
///
/// Room is taken before anything is read, so that those who have it can all be read to their end; nobody is believed yet
/// then. So the two halves are apart: whoever declares large bodies and does not send them, keeps large ones waiting, and
/// no call of a platform, which is small.
pub struct BodyBudget {
    small: Half,
    large: Half,
}

/// What every request takes besides its body.
const HEAD_KIB: u32 = 4;
/// The longest body that is small, some thirty times an application.
const SMALL_KIB: u32 = 64;

/// Half of the budget, in KiB.
struct Half {
    room: Arc<Semaphore>,
    kib: u32,
}

impl Half {
    fn new(kib: u32) -> Self {
        let permits = usize::try_from(kib).unwrap_or(Semaphore::MAX_PERMITS);
        Self { room: Arc::new(Semaphore::new(permits)), kib }
    }
}

impl BodyBudget {
    /// A budget of so many KiB.
    pub fn new(total_kib: u32) -> Self {
        let small = total_kib / 2;
        Self { small: Half::new(small), large: Half::new(total_kib - small) }
    }

    /// Waits for room for a body of `bytes`, at most for its whole half.
    pub async fn room_for(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let kib = u32::try_from(bytes.div_ceil(1_024)).unwrap_or(u32::MAX);
        let half = if kib <= SMALL_KIB { &self.small } else { &self.large };
        Arc::clone(&half.room).acquire_many_owned(kib.saturating_add(HEAD_KIB).min(half.kib)).await.ok()
    }
}

/// The length that the head declares; `None` where it declares none that can be read.
pub(super) fn declared_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is there without waiting.
    async fn at_once(budget: &BodyBudget, bytes: usize) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            biased;
            room = budget.room_for(bytes) => room,
            () = std::future::ready(()) => None,
        }
    }

    #[tokio::test]
    async fn room_is_waited_for_and_given_back() {
        let budget = BodyBudget::new(24);
        let first = budget.room_for(4 * 1_024).await.unwrap();
        let waiting = budget.room_for(64 * 1_024);
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

    #[tokio::test]
    async fn however_many_are_large_there_is_room_for_those_that_are_small() {
        let budget = BodyBudget::new(1_024);
        let large = at_once(&budget, 1 << 20).await;
        assert!(large.is_some());
        assert!(at_once(&budget, 65 * 1_024).await.is_none(), "there was room beside the first");
        let mut small = Vec::new();
        for _ in 0..7 {
            small.push(at_once(&budget, 64 * 1_024).await.unwrap());
        }
    }
}
