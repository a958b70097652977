//! Wakes up on time. The runtime's timers and its wait for events both count whole milliseconds and round up,
//! which would add more than one to every latency of an open loop; Linux has a finer clock that is an event itself.

use std::time::Duration;

/// One waiting place.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    #[cfg(target_os = "linux")]
    timer: Option<linux::Timer>,
}

impl Alarm {
    /// Returns after so long: on Linux a few microseconds late, elsewhere a millisecond or two.
    pub(super) async fn wait(&mut self, span: Duration) {
        if span.is_zero() {
            return;
        }
        #[cfg(target_os = "linux")]
        if self.precisely(span).await.is_ok() {
            return;
        }
        tokio::time::sleep(span).await;
    }

    /// An error, such as too many open files, leaves the waiting to the runtime's timer.
    #[cfg(target_os = "linux")]
    async fn precisely(&mut self, span: Duration) -> std::io::Result<()> {
        let timer = match &mut self.timer {
            Some(timer) => timer,
            none => none.insert(linux::Timer::new()?),
        };
        timer.wait(span).await
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    #[derive(Debug)]
    pub(super) struct Timer(AsyncFd<OwnedFd>);

    impl Timer {
        #[allow(
            deprecated,
            reason = "its successor is unsafe for the sake of types whose descriptor changes; an OwnedFd's never does"
        )]
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            Ok(Self(AsyncFd::with_interest(timer, Interest::READABLE)?))
        }

        /// The span must be above zero, which would stop the timer.
        pub(super) async fn wait(&mut self, span: Duration) -> io::Result<()> {
            let once = Itimerspec {
                it_interval: Timespec::default(),
                it_value: Timespec::try_from(span).map_err(io::Error::other)?,
            };
            timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)?;
            loop {
                let mut ready = self.0.readable().await?;
                let read = ready.try_io(|timer| Ok(rustix::io::read(timer.get_ref(), &mut [0; 8])?));
                match read {
                    Ok(expired) => return expired.map(drop),
                    Err(_not_yet) => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[test]
    fn it_never_rings_early_and_rings_again() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut alarm = Alarm::default();
            for span in [0, 1, 300, 2000].map(Duration::from_micros) {
                let started = Instant::now();
                alarm.wait(span).await;
                assert!(started.elapsed() >= span, "{span:?}");
            }
        });
    }
}
