//! How long one try of a request may take: the whole of it, and each part of the response.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use super::{Limit, SendError, TimeoutSpec};

/// Counts the parts of a response that came. One task counts.
#[derive(Default)]
pub(super) struct Parts(AtomicU32);

impl Parts {
    /// Counts one more.
    pub(super) fn count(&self) {
        let before = self.0.load(Ordering::Relaxed);
        self.0.store(before.wrapping_add(1), Ordering::Relaxed);
    }
}

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Late {
    /// That of the whole.
    Whole,
    /// That of one part.
    Part,
}

impl Late {
    pub(super) fn error(self, timeout: &TimeoutSpec) -> SendError {
        let (within, limit) = match self {
            Late::Whole => (timeout.total.0, Limit::Total),
            Late::Part => (timeout.read.0, Limit::Read),
        };
        SendError::Timeout { within, limit }
    }
}

/// The limits of time of some work.
pub(super) struct Patience<'p> {
    /// When all of it must have ended.
    pub last: Instant,
    /// How long each part may take.
    pub part: Duration,
    /// The parts that came.
    pub parts: &'p Parts,
}

impl Patience<'_> {
    /// Does some work within the limits. One timer serves both: as long as parts come, it is set again only when it
    /// goes off.
    pub(super) async fn wait_for<T>(
        &self,
        mut work: Pin<&mut impl Future<Output = T>>,
        began: Instant,
    ) -> Result<T, Late> {
        let seen = || self.parts.0.load(Ordering::Relaxed);
        let (mut due, mut known) = (self.due(began), seen());
        let mut timer = pin!(tokio::time::sleep_until(due.into()));
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Ok(done));
            }
            if known != seen() {
                (due, known) = (self.due(Instant::now()), seen());
            }
            // Work that used up its turn must not keep the timer from being looked at.
            while pin!(tokio::task::unconstrained(timer.as_mut()))
                .poll(context)
                .is_ready()
            {
                if timer.deadline() >= due.into() {
                    return Poll::Ready(Err(match due == self.last {
                        true => Late::Whole,
                        false => Late::Part,
                    }));
                }
                timer.as_mut().reset(due.into());
            }
            Poll::Pending
        })
        .await
    }

    fn due(&self, now: Instant) -> Instant {
        let part = now.checked_add(self.part);
        part.map_or(self.last, |part| part.min(self.last))
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    /// Work that lasts so many milliseconds for each part, and what ends it.
    async fn wait(parts: &[u64], part: u64, whole: u64) -> Result<usize, Late> {
        let milliseconds = Duration::from_millis;
        let count = Parts::default();
        let work = pin!(async {
            for pause in parts {
                tokio::time::sleep(milliseconds(*pause)).await;
                count.count();
            }
            parts.len()
        });
        let began = Instant::now();
        let patience = Patience {
            last: began + milliseconds(whole),
            part: milliseconds(part),
            parts: &count,
        };
        patience.wait_for(work, began).await
    }

    #[test]
    #[ignore = "long"]
    fn the_first_limit_that_is_reached_ends_the_work() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        for (parts, part, whole, expected) in [
            (&[][..], 200, 400, Ok(0)),
            (&[20], 200, 400, Ok(1)),
            // Each part is in time, and all of them together take longer than one may.
            (&[150; 4], 300, 5000, Ok(4)),
            (&[150, 150, 2000], 300, 5000, Err(Late::Part)),
            (&[2000], 100, 5000, Err(Late::Part)),
            (&[150; 9], 300, 500, Err(Late::Whole)),
            (&[2000], 5000, 100, Err(Late::Whole)),
            (&[2000], 100, 100, Err(Late::Whole)),
            (&[2000], 100, 0, Err(Late::Whole)),
        ] {
            let ended = runtime.block_on(wait(parts, part, whole));
            assert_eq!(ended, expected, "{parts:?} {part} {whole}");
        }
    }
}
