//! A lane: what goes through one application of ours at a platform, at the rate and the width that it bears.

use std::sync::Arc;
use std::time::Duration;

use baoqiao_channels::outbound::TopApp;
use jiff::{SignedDuration, Timestamp};

use super::backoff::{Backoff, later};

/// So many failures on end, and the platform as a whole is taken to be down: one call at a time tries whether it is
/// back, instead of every notice on its own.
const STRAINED: u32 = 8;
/// The waits of a platform that is down: short, so that it is found soon when it is up again.
const PROBING: Backoff = Backoff { first_ms: 1_000, longest_ms: 30_000 };
/// The pauses of a platform that is called too fast and does not say for how long.
const SLOWING: Backoff = Backoff { first_ms: 1_000, longest_ms: 60_000 };
/// No platform silences us for longer at a time.
const LONGEST_PAUSE_MS: u64 = 3_600_000;

/// How the notices of one partner are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneConfig {
    /// The partner whose notices these are, as the notices name it.
    pub partner: String,
    /// Where to.
    pub url: String,
    /// With which application.
    pub app: TopApp,
    /// The most calls a second.
    pub calls_per_second: u32,
    /// The most calls at once after a rest.
    pub burst: u32,
    /// The most calls under way.
    pub concurrency: usize,
    /// How long an answer is waited for.
    pub timeout: Duration,
}

/// A token bucket in whole numbers: a level of 1,000 is one call.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    per_second: u64,
    capacity: u64,
    level: u64,
    at: Timestamp,
}

impl Bucket {
    pub(super) fn new(per_second: u32, burst: u32, now: Timestamp) -> Self {
        let capacity = u64::from(burst.max(1)) * 1_000;
        Self { per_second: u64::from(per_second.max(1)), capacity, level: capacity, at: now }
    }

    fn refill(&mut self, now: Timestamp) {
        // A clock that was set back refills nothing.
        let elapsed_ms = u64::try_from(now.as_millisecond() - self.at.as_millisecond()).unwrap_or(0);
        self.level = self.level.saturating_add(elapsed_ms.saturating_mul(self.per_second)).min(self.capacity);
        self.at = now;
    }

    /// How many calls may be made now.
    pub(super) fn available(&mut self, now: Timestamp) -> usize {
        self.refill(now);
        usize::try_from(self.level / 1_000).unwrap_or(usize::MAX)
    }

    pub(super) fn take(&mut self, calls: usize) {
        let calls = u64::try_from(calls).unwrap_or(u64::MAX);
        self.level = self.level.saturating_sub(calls.saturating_mul(1_000));
    }

    /// Empties it: what was saved up is not to be spent on a platform that complains.
    fn empty(&mut self) {
        self.level = 0;
    }

    /// When the next call may be made.
    pub(super) fn next(&mut self, now: Timestamp) -> Timestamp {
        self.refill(now);
        later(now, 1_000_u64.saturating_sub(self.level).div_ceil(self.per_second))
    }
}

/// A lane at work.
pub(super) struct Lane {
    pub(super) config: Arc<LaneConfig>,
    bucket: Bucket,
    pub(super) in_flight: usize,
    /// No call before it; what was under way when it was set says nothing new.
    resumes_at: Timestamp,
    /// Failures of the platform since it last took or refused anything.
    failures: u32,
    /// Complaints of the platform since it last took or refused anything.
    complaints: u32,
}

impl Lane {
    pub(super) fn new(config: LaneConfig, now: Timestamp) -> Self {
        let bucket = Bucket::new(config.calls_per_second, config.burst, now);
        Self { config: Arc::new(config), bucket, in_flight: 0, resumes_at: Timestamp::MIN, failures: 0, complaints: 0 }
    }

    fn width(&self) -> usize {
        if self.failures >= STRAINED { 1 } else { self.config.concurrency.max(1) }
    }

    /// How many calls may begin now.
    pub(super) fn room(&mut self, now: Timestamp) -> usize {
        if now < self.resumes_at {
            return 0;
        }
        self.width().saturating_sub(self.in_flight).min(self.bucket.available(now))
    }

    /// The clock was set back: a pause would last until the old time comes again.
    pub(super) fn clock_went_back(&mut self, now: Timestamp) {
        self.resumes_at = self.resumes_at.min(now);
    }

    /// When a call may begin; `None` where one that is under way has to end first.
    pub(super) fn opens_at(&mut self, now: Timestamp) -> Option<Timestamp> {
        (self.in_flight < self.width()).then(|| self.bucket.next(now).max(self.resumes_at))
    }

    /// Notes calls that begin.
    pub(super) fn begin(&mut self, calls: usize) {
        self.in_flight += calls;
        self.bucket.take(calls);
    }

    /// Notes a call that has ended, however it did.
    pub(super) fn end(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// The platform has taken or refused something: it is there.
    pub(super) fn answered(&mut self) {
        self.failures = 0;
        self.complaints = 0;
    }

    /// The platform failed; `true` where it is now taken to be down.
    pub(super) fn failed(&mut self, started_at: Timestamp, now: Timestamp, random: u64) -> bool {
        if started_at < self.resumes_at {
            return false;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures < STRAINED {
            return false;
        }
        self.resumes_at = PROBING.next(now, self.failures - STRAINED + 1, random);
        self.failures == STRAINED
    }

    /// The platform asks for fewer calls; the moment from which it is called again.
    pub(super) fn slow_down(
        &mut self,
        pause: Option<SignedDuration>,
        started_at: Timestamp,
        now: Timestamp,
        random: u64,
    ) -> Timestamp {
        if started_at >= self.resumes_at {
            self.complaints = self.complaints.saturating_add(1);
            let asked_ms = pause.and_then(|pause| u64::try_from(pause.as_millis()).ok());
            let pause_ms = asked_ms.unwrap_or_else(|| SLOWING.delay_ms(self.complaints, random));
            self.resumes_at = later(now, pause_ms.clamp(1, LONGEST_PAUSE_MS));
            self.bucket.empty();
        }
        self.resumes_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use baoqiao_channels::access::Secret;
    use baoqiao_channels::outbound::AnswerFormat;
    use baoqiao_channels::sign_method::SignMethod;
    use proptest::prelude::*;

    const START: Timestamp = Timestamp::constant(1_767_323_045, 0);

    fn at(ms: u64) -> Timestamp {
        later(START, ms)
    }

    fn lane() -> Lane {
        let app = TopApp {
            app_key: "1".to_owned(),
            secret: Secret::new("s"),
            sign_method: SignMethod::Md5,
            format: AnswerFormat::Json,
            session: None,
            partner_id: None,
            target_app_key: None,
        };
        let config = LaneConfig {
            partner: "alibaba".to_owned(),
            url: String::new(),
            app,
            calls_per_second: 100,
            burst: 10,
            concurrency: 20,
            timeout: Duration::from_secs(1),
        };
        Lane::new(config, START)
    }

    #[test]
    fn after_a_burst_calls_keep_the_rate() {
        let mut bucket = Bucket::new(4, 10, START);
        assert_eq!(bucket.available(at(0)), 10);
        bucket.take(10);
        assert_eq!(bucket.next(at(0)), at(250));
        assert_eq!((bucket.available(at(249)), bucket.available(at(250))), (0, 1));
        assert_eq!(bucket.available(at(1_000)), 4);
        assert_eq!(bucket.available(at(3_600_000)), 10);
        assert_eq!(bucket.next(at(3_600_000)), at(3_600_000));
        bucket.take(10);
        assert_eq!(bucket.available(at(0)), 0, "a clock that was set back");
    }

    proptest! {
        #[test]
        fn in_no_time_are_more_calls_made_than_burst_and_rate_allow(
            per_second in 1_u32..10_000, burst in 1_u32..1_000, steps in proptest::collection::vec(0_u64..2_000, 1..50),
        ) {
            let mut bucket = Bucket::new(per_second, burst, START);
            let (mut now, mut calls) = (0, 0);
            for step in steps {
                now += step;
                let available = bucket.available(at(now));
                bucket.take(available);
                calls += u64::try_from(available).unwrap();
                prop_assert!(calls * 1_000 <= u64::from(burst) * 1_000 + now * u64::from(per_second));
                prop_assert!(bucket.next(at(now)) > at(now));
                let next = bucket.next(at(now));
                prop_assert!(bucket.clone().available(next) >= 1);
            }
        }
    }

    #[test]
    fn a_complaint_stops_the_lane_and_the_next_one_for_longer() {
        let mut lane = lane();
        assert_eq!(lane.room(START), 10);
        lane.begin(3);
        assert_eq!(lane.room(START), 7);
        let resumes = lane.slow_down(None, START, at(5), u64::MAX);
        assert_eq!(resumes, at(1_005));
        // The others that were under way complain of the same.
        assert_eq!(lane.slow_down(None, START, at(6), u64::MAX), resumes);
        (0..3).for_each(|_| lane.end());
        assert_eq!((lane.room(at(1_004)), lane.opens_at(at(10))), (0, Some(at(1_005))));
        assert_eq!(lane.room(at(1_005)), 10);
        assert_eq!(lane.slow_down(None, at(1_005), at(1_010), u64::MAX), at(3_010));
        assert_eq!(lane.slow_down(Some(SignedDuration::from_secs(7)), at(3_010), at(3_010), 0), at(10_010));
        lane.answered();
        assert_eq!(lane.slow_down(None, at(20_000), at(20_000), u64::MAX), at(21_000));
        let for_days = Some(SignedDuration::from_hours(48));
        assert_eq!(lane.slow_down(for_days, at(30_000), at(30_000), 0), at(3_630_000));
    }

    #[test]
    fn a_platform_that_is_down_is_tried_by_one_call_at_a_time() {
        let mut lane = lane();
        let down: Vec<bool> = (0..8).map(|_| lane.failed(START, at(10), u64::MAX)).collect();
        assert_eq!(down.iter().filter(|down| **down).count(), 1);
        assert!(!lane.failed(START, at(11), u64::MAX), "it was under way");
        assert_eq!((lane.room(at(1_009)), lane.room(at(1_010))), (0, 1));
        lane.begin(1);
        assert_eq!((lane.room(at(1_010)), lane.opens_at(at(1_010))), (0, None));
        lane.end();
        lane.failed(at(1_010), at(2_000), u64::MAX);
        assert_eq!((lane.room(at(3_999)), lane.room(at(4_000))), (0, 1));
        lane.answered();
        assert_eq!(lane.room(at(4_000)), 10);
    }
}
