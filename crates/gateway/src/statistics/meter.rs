//! Counts calls where they are answered.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::latency::Latency;
use crate::ledger::store::Verdict;

/// How a call ended, as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As the ledger settled it, or refused before it came there.
    Settled(Verdict),
    /// Its caller could not be believed.
    Disbelieved,
}

/// How many calls ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// Carried out.
    pub accepted: u64,
    /// Answered as before.
    pub replayed: u64,
    /// Under a key that came before with other content.
    pub conflicting: u64,
    /// Refused.
    pub refused: u64,
    /// Not believed: a signature that does not fit, an unknown caller.
    pub disbelieved: u64,
}

impl Calls {
    fn count(&mut self, ending: Ending) {
        let counter = match ending {
            Ending::Settled(Verdict::Accepted) => &mut self.accepted,
            Ending::Settled(Verdict::Replayed) => &mut self.replayed,
            Ending::Settled(Verdict::Conflicting) => &mut self.conflicting,
            Ending::Settled(Verdict::Refused) => &mut self.refused,
            Ending::Disbelieved => &mut self.disbelieved,
        };
        *counter = counter.saturating_add(1);
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.accepted = self.accepted.saturating_add(other.accepted);
        self.replayed = self.replayed.saturating_add(other.replayed);
        self.conflicting = self.conflicting.saturating_add(other.conflicting);
        self.refused = self.refused.saturating_add(other.refused);
        self.disbelieved = self.disbelieved.saturating_add(other.disbelieved);
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.succeeded().saturating_add(self.failed())
    }

    /// Those that got what they asked for.
    pub fn succeeded(&self) -> u64 {
        self.accepted.saturating_add(self.replayed)
    }

    /// Those that did not.
    pub fn failed(&self) -> u64 {
        self.conflicting.saturating_add(self.refused).saturating_add(self.disbelieved)
    }
}

/// The calls of an interface in a minute, at one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinuteRow {
    /// Minutes since the epoch.
    pub minute: i64,
    /// The process that answered them.
    pub node: String,
    /// Channel and interface, or the channel alone.
    pub interface: String,
    /// How they ended.
    pub calls: Calls,
    /// How long they took.
    pub latency: Latency,
}

#[derive(Debug)]
struct Cell {
    interface: &'static str,
    calls: Calls,
    latency: Latency,
}

#[derive(Debug, Default)]
struct Counted {
    minute: i64,
    cells: Vec<Cell>,
    /// Minutes that are over and not yet written down.
    over: Vec<MinuteRow>,
}

/// The most rows kept while they cannot be written down; the oldest go first.
const MAX_OVER: usize = 20_000;

/// Counts the calls of this process.
#[derive(Debug)]
pub struct Meter {
    node: String,
    counted: Mutex<Counted>,
}

/// The minute that a moment is in.
pub(super) fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

impl Counted {
    fn turn_to(&mut self, minute: i64, node: &str) {
        // A clock that goes back goes on counting in the minute that it left.
        if minute <= self.minute {
            return;
        }
        let ended = self.minute;
        let rows = self.cells.drain(..).map(|cell| row(ended, node, cell));
        self.over.extend(rows);
        let surplus = self.over.len().saturating_sub(MAX_OVER);
        self.over.drain(..surplus);
        self.minute = minute;
    }
}

fn row(minute: i64, node: &str, cell: Cell) -> MinuteRow {
    let Cell { interface, calls, latency } = cell;
    MinuteRow { minute, node: node.to_owned(), interface: interface.to_owned(), calls, latency }
}

impl Meter {
    /// A meter of a process that calls itself so; no two may have one name within a minute.
    pub fn new(node: String) -> Self {
        Self { node, counted: Mutex::default() }
    }

    /// Counts a call that was answered at that moment.
    pub fn record(&self, interface: &'static str, ending: Ending, at: Timestamp, elapsed: Duration) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.turn_to(minute(at), &self.node);
        let place = counted.cells.iter().position(|cell| cell.interface == interface);
        let place = place.unwrap_or_else(|| {
            counted.cells.push(Cell { interface, calls: Calls::default(), latency: Latency::default() });
            counted.cells.len() - 1
        });
        if let Some(cell) = counted.cells.get_mut(place) {
            cell.calls.count(ending);
            cell.latency.record(elapsed);
        }
    }

    /// What is not yet written down: minutes that are over, and the one that runs.
    pub fn unwritten(&self) -> Vec<MinuteRow> {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let running = counted.cells.iter().map(|cell| MinuteRow {
            minute: counted.minute,
            node: self.node.clone(),
            interface: cell.interface.to_owned(),
            calls: cell.calls,
            latency: cell.latency.clone(),
        });
        counted.over.iter().cloned().chain(running).collect()
    }

    /// The minutes that are over at `now`; with `None`, also the one that runs, as when the process ends.
    pub(super) fn over(&self, now: Option<Timestamp>) -> Vec<MinuteRow> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let next = now.map_or_else(|| counted.minute.saturating_add(1), minute);
        counted.turn_to(next, &self.node);
        counted.over.clone()
    }

    /// Forgets rows that are written down.
    pub(super) fn written(&self, rows: &[MinuteRow]) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.over.retain(|row| !rows.contains(row));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_minute_is_kept_until_it_is_written_down() {
        let meter = Meter::new("n".to_owned());
        let accepted = Ending::Settled(Verdict::Accepted);
        meter.record("a/b", accepted, at(60), Duration::from_millis(1));
        meter.record("a/b", Ending::Disbelieved, at(119), Duration::from_millis(1));
        meter.record("a/c", accepted, at(119), Duration::from_millis(1));
        assert_eq!(meter.over(Some(at(119))), []);
        assert_eq!(meter.unwritten().len(), 2);
        meter.record("a/b", accepted, at(120), Duration::from_millis(1));
        let over = meter.over(Some(at(121)));
        assert_eq!(over.iter().map(|row| (row.minute, row.calls.total())).collect::<Vec<_>>(), [(1, 2), (1, 1)]);
        assert_eq!(meter.over(Some(at(121))), over, "kept until it is written down");
        meter.written(&over);
        let rest = meter.over(None);
        assert_eq!(rest.iter().map(|row| (row.minute, row.calls.accepted)).collect::<Vec<_>>(), [(2, 1)]);
        meter.written(&rest);
        assert_eq!(meter.unwritten(), []);
    }

    #[test]
    fn a_clock_that_goes_back_loses_nothing() {
        let meter = Meter::new("n".to_owned());
        for second in [600, 0, 660] {
            meter.record("a", Ending::Settled(Verdict::Refused), at(second), Duration::ZERO);
        }
        assert_eq!(meter.unwritten().iter().map(|row| row.calls.refused).sum::<u64>(), 3);
    }
}
