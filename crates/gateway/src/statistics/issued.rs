//! What was issued, hour by hour: read from the ledger, onwards from where the last look ended.

use std::collections::BTreeMap;

use baoqiao_domain::money::Amount;
use baoqiao_domain::time::GMT8;
use jiff::{SignedDuration, Timestamp};

use super::store::{FigureStore, IssuedRow};
use crate::ledger::lists::PolicyPlace;
use crate::ledger::store::StoreError;

const HOUR_MS: i64 = 3_600_000;
/// How far back hours are kept: a day, and the hour that it began in.
const HOURS: i64 = 25;
/// Batches become durable out of order within this time: only what is older is counted for good.
const SETTLED_AFTER: SignedDuration = SignedDuration::from_secs(15);
/// Rows counted at once: where nothing of them is in memory, a moment's work.
const CHUNK: usize = 2_000;
/// The most that are counted anew each time.
const FRESH_ROWS: usize = 20_000;

/// An hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourFigures {
    /// When it began.
    pub from: Timestamp,
    /// Policies issued in it.
    pub count: u64,
    /// Their premium in yuan.
    pub premium: Amount,
}

/// What was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedFigures {
    /// Up to this moment.
    pub as_of: Timestamp,
    /// Whether older policies are still being counted, so that the figures are too low.
    pub is_counting: bool,
    /// Policies since midnight, GMT+8.
    pub today_count: u64,
    /// Their premium in yuan.
    pub today_premium: Amount,
    /// The last 24 hours, the oldest first, the running one last.
    pub hours: Vec<HourFigures>,
}

type Hours = BTreeMap<i64, (u64, Amount)>;

const NONE: (u64, Amount) = (0, Amount::ZERO);

/// Counts what was issued.
#[derive(Debug, Default)]
pub struct Issued {
    hours: Hours,
    /// Up to where all is counted.
    counted: Option<PolicyPlace>,
}

fn add(hours: &mut Hours, rows: &[IssuedRow]) {
    for row in rows {
        let (count, premium) = hours.entry(row.place.issued_ms.div_euclid(HOUR_MS)).or_insert(NONE);
        *count = count.saturating_add(1);
        *premium = Amount::sum([*premium, row.premium_of_cny]).unwrap_or(*premium);
    }
}

fn hour(at: Timestamp) -> i64 {
    at.as_millisecond().div_euclid(HOUR_MS)
}

/// The first hour that is told of.
fn oldest(now: Timestamp) -> i64 {
    hour(now) - HOURS
}

/// The hour of the last midnight in GMT+8, which is a whole number of hours off.
fn midnight(now: Timestamp) -> i64 {
    let offset = i64::from(GMT8.seconds()) / 3_600;
    (hour(now) + offset).div_euclid(24) * 24 - offset
}

impl Issued {
    /// Counts on, some policies at a time and as long as it `may_go_on`; whether older policies are left to count.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn count(
        &mut self,
        store: &dyn FigureStore,
        now: Timestamp,
        mut may_go_on: impl FnMut() -> bool,
    ) -> Result<bool, StoreError> {
        let settled = now - SETTLED_AFTER;
        self.forget(now);
        loop {
            let place = self.place(now);
            let rows = store.issued(place, settled, CHUNK)?;
            add(&mut self.hours, &rows);
            self.counted = Some(rows.last().map_or(place, |row| row.place));
            if rows.len() < CHUNK {
                return Ok(false);
            }
            if !may_go_on() {
                return Ok(true);
            }
        }
    }

    /// Counts on as [`count`](Self::count) does, and tells what was issued.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn figures(
        &mut self,
        store: &dyn FigureStore,
        now: Timestamp,
        may_go_on: impl FnMut() -> bool,
    ) -> Result<IssuedFigures, StoreError> {
        let is_counting = self.count(store, now, may_go_on)?;
        // The rest is counted anew each time; where it is too much for that, the figures are as of a moment ago.
        let mut hours = self.hours.clone();
        let fresh = if is_counting { Vec::new() } else { store.issued(self.place(now), Timestamp::MAX, FRESH_ROWS)? };
        let as_of = if fresh.len() < FRESH_ROWS { now } else { now - SETTLED_AFTER };
        if as_of == now {
            add(&mut hours, &fresh);
        }
        Ok(told(&hours, now, as_of, is_counting))
    }

    /// Hours that are told no longer.
    fn forget(&mut self, now: Timestamp) {
        let oldest = oldest(now);
        self.hours.retain(|hour, _| *hour >= oldest);
    }

    /// Up to where all is counted, of what is told.
    fn place(&self, now: Timestamp) -> PolicyPlace {
        let start = PolicyPlace { issued_ms: oldest(now) * HOUR_MS, sequence: 0 };
        self.counted.filter(|place| place.issued_ms >= start.issued_ms).unwrap_or(start)
    }
}

fn told(hours: &Hours, now: Timestamp, as_of: Timestamp, is_counting: bool) -> IssuedFigures {
    let today: Vec<_> = hours.range(midnight(now)..).map(|(_, figures)| *figures).collect();
    let figures = |hour: i64| {
        let (count, premium) = hours.get(&hour).copied().unwrap_or(NONE);
        let from = Timestamp::from_millisecond(hour * HOUR_MS).unwrap_or(now);
        HourFigures { from, count, premium }
    };
    IssuedFigures {
        as_of,
        is_counting,
        today_count: today.iter().map(|(count, _)| count).sum(),
        today_premium: Amount::sum(today.iter().map(|(_, premium)| *premium)).unwrap_or(Amount::ZERO),
        hours: (hour(now) - 23..=hour(now)).map(figures).collect(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::meter::MinuteRow;
    use super::super::store::{Backlog, Oddities};
    use super::*;

    pub(in super::super) struct Rows(pub(in super::super) Vec<IssuedRow>);

    impl Rows {
        /// So many policies, one each millisecond from that moment on.
        pub(in super::super) fn many(first: Timestamp, count: u64) -> Self {
            let row = |number: u64| {
                let at = first + SignedDuration::from_millis(i64::try_from(number).unwrap());
                row(&at.to_string(), number + 1)
            };
            Self((0..count).map(row).collect())
        }
    }

    impl FigureStore for Rows {
        fn issued(&self, after: PolicyPlace, before: Timestamp, limit: usize) -> Result<Vec<IssuedRow>, StoreError> {
            let key = |place: PolicyPlace| (place.issued_ms, place.sequence);
            let rows = self.0.iter().filter(|row| key(row.place) > key(after));
            let rows = rows.filter(|row| row.place.issued_ms < before.as_millisecond());
            Ok(rows.take(limit).cloned().collect())
        }

        fn backlog(&self, _limit: u64) -> Result<Backlog, StoreError> {
            Ok(Backlog::default())
        }

        fn oddities(&self, _since: Timestamp, _limit: u64) -> Result<Oddities, StoreError> {
            Ok(Oddities::default())
        }

        fn minutes(&self, _from: i64) -> Result<Vec<MinuteRow>, StoreError> {
            Ok(Vec::new())
        }

        fn write_minutes(&self, _rows: &[MinuteRow], _keep_from: i64) -> Result<(), StoreError> {
            Ok(())
        }
    }

    fn row(at: &str, sequence: u64) -> IssuedRow {
        let at: Timestamp = at.parse().unwrap();
        let place = PolicyPlace { issued_ms: at.as_millisecond(), sequence };
        IssuedRow { place, premium_of_cny: "6.36".parse().unwrap() }
    }

    #[test]
    fn the_day_begins_at_midnight_in_gmt8_and_nothing_is_counted_twice() {
        let mut issued = Issued::default();
        let mut rows = Rows(vec![
            row("2026-01-01T01:00:00Z", 1),
            row("2026-01-01T15:59:59Z", 2),
            row("2026-01-01T16:00:00Z", 3),
            row("2026-01-02T03:00:00Z", 4),
        ]);
        let now: Timestamp = "2026-01-02T03:00:01Z".parse().unwrap();
        for _ in 0..3 {
            let figures = issued.figures(&rows, now, || false).unwrap();
            assert_eq!((figures.today_count, figures.is_counting, figures.as_of), (2, false, now));
            assert_eq!(figures.today_premium.to_string(), "12.72");
            assert_eq!(figures.hours.len(), 24);
            assert_eq!(figures.hours.iter().map(|hour| hour.count).sum::<u64>(), 3);
            assert_eq!(figures.hours.last().unwrap().count, 1);
        }
        // A batch of a moment ago that became durable after its successor.
        rows.0.insert(3, row("2026-01-02T02:59:50Z", 5));
        assert_eq!(issued.figures(&rows, now, || false).unwrap().today_count, 3);
        let later = now + SignedDuration::from_hours(13);
        assert_eq!(issued.figures(&rows, later, || false).unwrap().today_count, 0, "a new day");
        assert_eq!(issued.figures(&rows, later, || false).unwrap().hours.iter().map(|hour| hour.count).sum::<u64>(), 2);
    }

    #[test]
    fn a_long_past_is_counted_piece_by_piece() {
        let mut issued = Issued::default();
        let first: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
        let rows = Rows::many(first, 25_000);
        let now = first + SignedDuration::from_hours(1);
        let first = issued.figures(&rows, now, || false).unwrap();
        assert_eq!((first.today_count, first.is_counting), (2_000, true));
        let mut times = 0;
        let more = issued.figures(&rows, now, || {
            times += 1;
            times < 3
        });
        assert_eq!(more.unwrap().today_count, 8_000);
        let all = issued.figures(&rows, now, || true).unwrap();
        assert_eq!((all.today_count, all.is_counting), (25_000, false));
    }
}
