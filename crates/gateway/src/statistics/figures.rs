//! All figures at a moment, read at most once a second however many look.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::issued::{Issued, IssuedFigures};
use super::latency::Latency;
use super::meter::{Calls, Meter, MinuteRow, minute};
use super::store::{Backlog, FigureStore, Oddities};
use crate::clock::Clock;
use crate::ledger::store::StoreError;

/// A figure is looked up anew after so long.
const FRESH_FOR: SignedDuration = SignedDuration::from_millis(900);
const DAY_MINUTES: i64 = 24 * 60;
const HOUR_MINUTES: i64 = 60;
/// The minutes of one bar of a chart.
const BIN_MINUTES: i64 = 30;
/// Minutes that other nodes may still be writing down.
const LATE_MINUTES: i64 = 3;
/// The most that is counted of what waits.
const COUNTED: u64 = 20_000;
/// For how long policies are counted at once, while a page waits for them: on a ledger larger than memory, those of a busy day
/// take longer than its reader would wait.
const COUNTING: SignedDuration = SignedDuration::from_millis(100);

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceFigures {
    /// Channel and interface, or the channel alone.
    pub interface: String,
    /// The calls of the last hour.
    pub hour: Calls,
    /// The calls of the last 24 hours.
    pub day: Calls,
    /// Half of the calls of the last hour took no longer.
    pub p50: Option<Duration>,
    /// 99 of 100 took no longer.
    pub p99: Option<Duration>,
}

/// A bar of a chart: half an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bin {
    /// When it begins.
    pub from: Timestamp,
    /// The calls in it.
    pub calls: Calls,
    /// As in [`InterfaceFigures`].
    pub p50: Option<Duration>,
    /// As in [`InterfaceFigures`].
    pub p99: Option<Duration>,
}

/// All figures at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The moment.
    pub at: Timestamp,
    /// What was issued.
    pub issued: IssuedFigures,
    /// The interfaces that were called in the last 24 hours, by name.
    pub interfaces: Vec<InterfaceFigures>,
    /// The last 24 hours, the oldest first.
    pub bins: Vec<Bin>,
    /// What waits to be sent.
    pub backlog: Backlog,
    /// What is odd since 24 hours.
    pub oddities: Oddities,
}

type Key = (i64, String, String);

#[derive(Default)]
struct Known {
    issued: Issued,
    minutes: BTreeMap<Key, (Calls, Latency)>,
    /// Up to which minute the database was read.
    read_to: Option<i64>,
    last: Option<Arc<Snapshot>>,
}

/// Figures over a database and this process's meter.
pub struct Figures {
    store: Arc<dyn FigureStore>,
    meter: Arc<Meter>,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
    behind: Notify,
}

impl Figures {
    /// Figures that know nothing yet.
    pub fn new(store: Arc<dyn FigureStore>, meter: Arc<Meter>, clock: Arc<dyn Clock>) -> Self {
        Self { store, meter, clock, known: Mutex::default(), behind: Notify::new() }
    }

    /// Completes when somebody looked and was shown figures that are too low, since older policies were left to count.
    pub(super) async fn behind(&self) {
        self.behind.notified().await;
    }

    /// Counts on for a moment, at which nobody looks; whether older policies are left to count. Blocks.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(super) fn count_on(&self) -> Result<bool, StoreError> {
        let now = self.clock.now();
        self.known.lock().unwrap_or_else(PoisonError::into_inner).issued.count(&*self.store, now, self.moment())
    }

    /// Whether it is still the moment for which policies are counted at once.
    fn moment(&self) -> impl FnMut() -> bool {
        let begun = self.clock.now();
        move || self.clock.now().duration_since(begun).abs() < COUNTING
    }

    /// The figures, not older than a second. Blocks.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn snapshot(&self, now: Timestamp) -> Result<Arc<Snapshot>, StoreError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = &known.last
            && now.duration_since(last.at).abs() < FRESH_FOR
        {
            return Ok(Arc::clone(last));
        }
        known.read(&*self.store, now)?;
        let issued = known.issued.figures(&*self.store, now, self.moment())?;
        if issued.is_counting {
            self.behind.notify_one();
        }
        let rows = known.with(self.meter.unwritten());
        let snapshot = Arc::new(Snapshot {
            at: now,
            issued,
            interfaces: interfaces(&rows, now),
            bins: bins(&rows, now),
            backlog: self.store.backlog(COUNTED)?,
            oddities: self.store.oddities(now - SignedDuration::from_hours(24), COUNTED)?,
        });
        known.last = Some(Arc::clone(&snapshot));
        Ok(snapshot)
    }
}

fn keyed(row: MinuteRow) -> (Key, (Calls, Latency)) {
    ((row.minute, row.node, row.interface), (row.calls, row.latency))
}

impl Known {
    /// Reads on in the database, from a little before where the last look ended.
    fn read(&mut self, store: &dyn FigureStore, now: Timestamp) -> Result<(), StoreError> {
        let (current, oldest) = (minute(now), minute(now) - DAY_MINUTES);
        let from = self.read_to.map_or(oldest, |read_to| (read_to - LATE_MINUTES).max(oldest));
        self.minutes = self.minutes.split_off(&(oldest, String::new(), String::new()));
        self.minutes.extend(store.minutes(from)?.into_iter().map(keyed));
        self.read_to = Some(current);
        Ok(())
    }

    /// What the database has and what it has not yet.
    fn with(&self, unwritten: Vec<MinuteRow>) -> BTreeMap<Key, (Calls, Latency)> {
        let mut rows = self.minutes.clone();
        rows.extend(unwritten.into_iter().map(keyed));
        rows
    }
}

fn interfaces(rows: &BTreeMap<Key, (Calls, Latency)>, now: Timestamp) -> Vec<InterfaceFigures> {
    let hour_from = minute(now) - HOUR_MINUTES;
    let mut found: BTreeMap<&str, (Calls, Calls, Latency)> = BTreeMap::new();
    for ((minute, _, interface), (calls, latency)) in rows {
        let (hour, day, lately) = found.entry(interface).or_default();
        day.add(calls);
        if *minute > hour_from {
            hour.add(calls);
            lately.add(latency);
        }
    }
    let told = found.into_iter().map(|(interface, (hour, day, lately))| InterfaceFigures {
        interface: interface.to_owned(),
        hour,
        day,
        p50: lately.quantile(500),
        p99: lately.quantile(990),
    });
    told.collect()
}

fn bins(rows: &BTreeMap<Key, (Calls, Latency)>, now: Timestamp) -> Vec<Bin> {
    let last = minute(now).div_euclid(BIN_MINUTES);
    let first = last - DAY_MINUTES / BIN_MINUTES + 1;
    let bin = |number: i64| {
        let (mut calls, mut latency) = (Calls::default(), Latency::default());
        let range = (number * BIN_MINUTES, String::new(), String::new())
            ..((number + 1) * BIN_MINUTES, String::new(), String::new());
        for (more, took) in rows.range(range).map(|(_, row)| row) {
            calls.add(more);
            latency.add(took);
        }
        let from = Timestamp::from_second(number * BIN_MINUTES * 60).unwrap_or(now);
        Bin { from, calls, p50: latency.quantile(500), p99: latency.quantile(990) }
    };
    (first..=last).map(bin).collect()
}
