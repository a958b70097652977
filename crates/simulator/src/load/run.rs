//! The run itself: one thread, one task for each connection.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, MissedTickBehavior};

use super::alarm::Alarm;
use super::connection::Connection;
use super::deck::Deck;
use super::judge::{Outcome, judge};
use super::mint::Mint;
use super::plan::{LoadError, Plan};
use super::report::Report;
use super::tally::{Counts, Tally, Times};
use super::target::Target;

const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// How far a run has come.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Since the first request, warm-up included.
    pub elapsed: Duration,
    /// The measured requests so far.
    pub counts: Counts,
}

/// Runs the plan on a runtime of its own, on this thread, and reports; `watch` is called about four times a second.
///
/// `clock` tells the time that calls are stamped with.
///
/// # Errors
/// When there is nothing to load or the plan may not be run; what goes wrong after the first request is in the
/// report.
pub fn run(
    plan: &Plan,
    clock: impl Fn() -> Timestamp + 'static,
    watch: impl FnMut(Progress),
) -> Result<Report, LoadError> {
    plan.check()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(LocalSet::new().run_until(drive(plan, Box::new(clock), watch)))
}

async fn drive(
    plan: &Plan,
    clock: Box<dyn Fn() -> Timestamp>,
    mut watch: impl FnMut(Progress),
) -> Result<Report, LoadError> {
    let target = Target::resolve(plan).await?;
    let address = target.address;
    let hand = Hand {
        deck: Deck::new(plan.seed, plan.retries, plan.conflicts).with_recoveries(plan.recoveries, plan.hot),
        mint: Mint::new(plan, target, clock())?,
        tally: Tally::new().map_err(|error| LoadError::Plan(error.to_string()))?,
        taken: 0,
        taken_measured: 0,
        clock,
    };
    let shared = Rc::new(Shared { schedule: Schedule::of(plan, Instant::now()), hand: RefCell::new(hand) });
    let mut workers = JoinSet::new();
    for _ in 0..plan.connections {
        let connection = Connection::new(address, plan.timeout);
        workers.spawn_local(work(Rc::clone(&shared), connection));
    }
    let mut ticks = tokio::time::interval(PROGRESS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            finished = workers.join_next() => if finished.is_none() { break },
            _ = ticks.tick() => watch(shared.progress()),
        }
    }
    watch(shared.progress());
    Ok(shared.report(plan))
}

/// When requests are due and when the run is over.
#[derive(Debug)]
struct Schedule {
    start: Instant,
    /// From the start.
    measure_from: Duration,
    /// From the start.
    end: Duration,
    rate: Option<u32>,
    requests: Option<u64>,
}

impl Schedule {
    fn of(plan: &Plan, start: Instant) -> Self {
        Self {
            start,
            measure_from: plan.warmup,
            end: plan.warmup + plan.duration,
            rate: plan.rate.map(std::num::NonZeroU32::get),
            requests: plan.requests,
        }
    }

    /// When the request with that number, from 0, is due in an open loop.
    fn due(&self, number: u64) -> Option<Duration> {
        let rate = u64::from(self.rate?);
        let part_s = (number % rate) * 1_000_000_000 / rate;
        Some(Duration::from_secs(number / rate) + Duration::from_nanos(part_s))
    }

    /// How many requests the open loop has due before a moment.
    fn due_before(&self, moment: Duration) -> Option<u64> {
        let rate = u128::from(self.rate?);
        u64::try_from((moment.as_nanos() * rate).div_ceil(1_000_000_000)).ok()
    }

    /// How many measured requests the open loop has due in all.
    fn due_in_all(&self) -> Option<u64> {
        let due = self.due_before(self.end)? - self.due_before(self.measure_from)?;
        Some(due.min(self.requests.unwrap_or(u64::MAX)))
    }
}

/// What all connections share; one thread, so that nothing is ever waited for.
struct Hand {
    deck: Deck,
    mint: Mint,
    tally: Tally,
    taken: u64,
    taken_measured: u64,
    clock: Box<dyn Fn() -> Timestamp>,
}

struct Shared {
    schedule: Schedule,
    hand: RefCell<Hand>,
}

/// The right to make one request.
struct Ticket {
    due: Duration,
    warming_up: bool,
}

impl Shared {
    fn elapsed(&self) -> Duration {
        self.schedule.start.elapsed()
    }

    /// The next request to make, `None` when the run is over.
    fn ticket(&self) -> Option<Ticket> {
        let mut hand = self.hand.borrow_mut();
        let now = self.elapsed();
        if now >= self.schedule.measure_from
            && let Some(first_measured) = self.schedule.due_before(self.schedule.measure_from)
        {
            // What the warm-up could not send in its time must not delay what is measured.
            hand.taken = hand.taken.max(first_measured);
        }
        let due = self.schedule.due(hand.taken).unwrap_or(now);
        let warming_up = due < self.schedule.measure_from;
        let enough = self.schedule.requests.unwrap_or(u64::MAX);
        if due.max(now) >= self.schedule.end || (!warming_up && hand.taken_measured >= enough) {
            return None;
        }
        hand.taken += 1;
        hand.taken_measured += u64::from(!warming_up);
        Some(Ticket { due, warming_up })
    }

    fn progress(&self) -> Progress {
        Progress { elapsed: self.elapsed(), counts: self.hand.borrow().tally.measured }
    }

    fn report(&self, plan: &Plan) -> Report {
        let hand = self.hand.borrow();
        let due = self.schedule.due_in_all().unwrap_or(hand.taken_measured);
        Report::of(
            plan,
            &hand.tally,
            hand.tally.last_done.saturating_sub(self.schedule.measure_from),
            due.saturating_sub(hand.taken_measured),
        )
    }
}

async fn work(shared: Rc<Shared>, mut connection: Connection) {
    let mut alarm = Alarm::default();
    while let Some(ticket) = shared.ticket() {
        alarm.wait(ticket.due.saturating_sub(shared.elapsed())).await;
        let (draw, request) = {
            let hand = &mut *shared.hand.borrow_mut();
            let draw = hand.deck.draw();
            let request = hand.mint.request(&draw, (hand.clock)());
            (draw, request)
        };
        let sent = shared.elapsed();
        let answer = match request {
            Ok(request) => connection.send(request).await,
            Err(error) => Err(error.to_string()),
        };
        let done = shared.elapsed();
        let hand = &mut *shared.hand.borrow_mut();
        let outcome = match answer {
            Ok(answer) => judge(&draw, &answer, &mut hand.deck),
            Err(why) => Outcome::Failed(why),
        };
        let times = Times { due: ticket.due, sent, done };
        hand.tally.add(&outcome, times, ticket.warming_up);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use baoqiao_channels::access::Secret;
    use std::num::NonZeroU32;

    fn schedule(rate: u32, requests: Option<u64>) -> Schedule {
        let plan = Plan { rate: NonZeroU32::new(rate), requests, ..Plan::new("", "", Secret::new("")) };
        Schedule::of(&plan, Instant::now())
    }

    #[test]
    fn an_open_loop_is_due_by_its_rate_and_nothing_else() {
        let three = schedule(3, None);
        assert_eq!(three.due(0), Some(Duration::ZERO));
        assert_eq!(three.due(1), Some(Duration::from_nanos(333_333_333)));
        assert_eq!(three.due(3_000_000), Some(Duration::from_secs(1_000_000)));
        assert_eq!(schedule(0, None).due(5), None);
    }

    #[test]
    fn what_is_due_in_all_leaves_the_warm_up_out() {
        // 1 s of warm-up and 10 s measured.
        assert_eq!(schedule(100, None).due_in_all(), Some(1000));
        assert_eq!(schedule(100, Some(7)).due_in_all(), Some(7));
        assert_eq!(schedule(0, None).due_in_all(), None);
    }
}
