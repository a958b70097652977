//! Who waits for whom at the desk.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use super::*;
use crate::ledger::lists::Slice;
use crate::ledger::store::StoreError;
use crate::outbox::store::{AttemptRecord, NoticeRecord, NoticeRow, Notices, OutboxStore, Turn, Turned};
use crate::outbox::{Desk, Wake};

struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        START
    }
}

/// A store that tells when a piece of sending again begins, and ends the first one when it is told to.
struct Slow {
    begun: Sender<()>,
    go_on: Receiver<()>,
    pieces: Arc<Mutex<Vec<(&'static str, usize)>>>,
}

impl OutboxStore for Slow {
    fn queue(&mut self, _: &[NoticeRow], _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    fn next_due(&mut self, _: &[&str]) -> Result<Vec<Option<Timestamp>>, StoreError> {
        Ok(Vec::new())
    }

    fn turn(&mut self, _: &Turn<'_>) -> Result<Turned, StoreError> {
        Ok(Turned::default())
    }

    fn bring_forward(&mut self, _: &str, _: Timestamp, _: usize) -> Result<usize, StoreError> {
        Ok(0)
    }

    fn resend(&mut self, ids: &[u64], _: Timestamp) -> Result<Resent, StoreError> {
        self.pieces.lock().unwrap().push(("resend", ids.len()));
        // The test is gone once it has let the first piece end.
        if self.begun.send(()).is_ok() {
            self.go_on.recv().unwrap();
        }
        Ok(Resent { due: u64::try_from(ids.len()).unwrap(), ..Resent::default() })
    }

    fn skip(&mut self, ids: &[u64], _: Timestamp) -> Result<Skipped, StoreError> {
        self.pieces.lock().unwrap().push(("skip", ids.len()));
        Ok(Skipped::default())
    }
}

/// An outbox without notices.
struct Empty;

impl Notices for Empty {
    fn list(&self, _: &Filter, _: usize) -> Result<Slice<NoticeRecord, u64>, StoreError> {
        Ok(Slice { items: Vec::new(), next: None })
    }

    fn ids(&self, _: &Filter) -> Result<Slice<u64, u64>, StoreError> {
        Ok(Slice { items: Vec::new(), next: None })
    }

    fn show(&self, _: u64) -> Result<Option<(NoticeRecord, Vec<AttemptRecord>)>, StoreError> {
        Ok(None)
    }

    fn queues(&self, _: usize) -> Result<Vec<NoticeRecord>, StoreError> {
        Ok(Vec::new())
    }
}

#[test]
fn a_look_waits_for_no_order_and_an_order_for_one_piece_of_another() {
    let ((begun, has_begun), (go, go_on)) = (channel(), channel());
    let pieces = Arc::new(Mutex::new(Vec::new()));
    let store = Slow { begun, go_on, pieces: Arc::clone(&pieces) };
    let desk = Desk::new(Box::new(store), Arc::new(Empty), Wake::default(), Arc::new(StoppedClock));
    std::thread::scope(|scope| {
        let long = scope.spawn(|| desk.resend(&(0..600).collect::<Vec<_>>()).unwrap());
        has_begun.recv().unwrap();
        let all = Filter::default();
        assert!(desk.list(&all, 1).unwrap().items.is_empty() && desk.matching(&all).unwrap().is_empty());
        assert_eq!((desk.count(&all).unwrap().count, desk.show(1).unwrap()), (0, None));
        assert!(desk.queues(1).unwrap().is_empty());
        let short = scope.spawn(|| desk.skip(&[1]).unwrap());
        while !desk.has_one_waiting() {
            std::thread::yield_now();
        }
        drop(has_begun);
        go.send(()).unwrap();
        short.join().unwrap();
        assert_eq!(long.join().unwrap().due, 600);
    });
    assert_eq!(*pieces.lock().unwrap(), [("resend", 256), ("skip", 1), ("resend", 256), ("resend", 88)]);
}
