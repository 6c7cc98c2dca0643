//! Rate limits: when a request may be sent.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Observer, SendError, tell};
use crate::send::Event;

/// The rate limit of a service: `requests` in `per`, and as many at once after a pause.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// The name of the budget: requests with the same name share it. It holds no secret.
    pub name: String,
    /// Requests that may be sent.
    pub requests: NonZeroU32,
    /// In how long a time.
    pub per: Duration,
}

impl Budget {
    /// A budget of so many requests in a time.
    pub fn new(name: impl Into<String>, requests: NonZeroU32, per: Duration) -> Budget {
        Budget {
            name: name.into(),
            requests,
            per,
        }
    }

    /// The budget of a service that declares no limit.
    pub(crate) fn unlimited(name: String) -> Budget {
        Budget {
            name,
            requests: NonZeroU32::MAX,
            per: Duration::from_secs(1),
        }
    }

    /// Whether the service declares no limit. Then nothing needs to be counted, but the service may still ask for a pause.
    pub fn is_unlimited(&self) -> bool {
        self.requests == NonZeroU32::MAX
    }
}

/// Whether a request may be sent now, or how long to wait before asking again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The request may be sent now; it is counted.
    Now,
    /// No request may be sent during this time; nothing is counted.
    In(Duration),
}

/// A future turn. The error says why there is none.
pub type TurnFuture<'l> = Pin<Box<dyn Future<Output = Result<Turn, String>> + Send + 'l>>;

/// Decides when a request may be sent. The engine's own limiter counts for one process. You can replace it by one that
/// several machines share.
pub trait Limiter: Send + Sync {
    /// Takes a turn of a budget, if one is free.
    ///
    /// # Errors
    /// When the limiter does not know whether one is free. Then nothing is sent.
    fn take<'l>(&'l self, budget: &'l Budget) -> TurnFuture<'l>;

    /// Takes a turn of a budget at once, where the limiter knows without waiting for anybody, such as in memory. `None`
    /// unless it can; then [`Limiter::take`] is asked.
    fn take_at_once(&self, budget: &Budget) -> Option<Turn> {
        let _ = budget;
        None
    }

    /// Hears that the service asked to wait so long before the next request of a budget. A limiter that cannot hold the
    /// others back says so when it is asked for the next turn.
    fn refused<'l>(
        &'l self,
        budget: &'l Budget,
        wait: Duration,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'l>> {
        let _ = (budget, wait);
        Box::pin(std::future::ready(()))
    }

    /// Whether it is asked for the requests of services without a limit too, see [`Budget::is_unlimited`].
    fn counts_all(&self) -> bool {
        false
    }
}

/// Counts in memory by the generic cell rate algorithm (ITU-T I.371), which stores one time for each budget.
#[derive(Debug, Default)]
pub(crate) struct LocalLimiter {
    /// When each budget is full again.
    whole: Mutex<BTreeMap<String, Instant>>,
}

impl LocalLimiter {
    fn take_at(&self, budget: &Budget, now: Instant) -> Turn {
        let each = budget.per / budget.requests.get();
        let burst = each * (budget.requests.get() - 1);
        let mut whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        let known = whole.get_mut(&budget.name);
        let at = known.as_deref().map_or(now, |known| now.max(*known));
        let wait = at.duration_since(now).saturating_sub(burst);
        if !wait.is_zero() {
            return Turn::In(wait);
        }
        match known {
            Some(known) => *known = at + each,
            None => {
                whole.insert(budget.name.clone(), at + each);
            }
        }
        Turn::Now
    }
}

impl Limiter for LocalLimiter {
    fn take<'l>(&'l self, budget: &'l Budget) -> TurnFuture<'l> {
        Box::pin(std::future::ready(Ok(self.take_at(budget, Instant::now()))))
    }

    fn take_at_once(&self, budget: &Budget) -> Option<Turn> {
        Some(self.take_at(budget, Instant::now()))
    }
}

/// Waits for a turn.
///
/// # Errors
/// When the limiter fails.
pub(super) async fn wait_for_turn(
    limiter: &dyn Limiter,
    budget: &Budget,
    observer: Observer<'_>,
) -> Result<(), SendError> {
    loop {
        let turn = match limiter.take_at_once(budget) {
            Some(turn) => turn,
            None => limiter
                .take(budget)
                .await
                .map_err(|reason| SendError::Network {
                    what: "the rate limit cannot be asked".to_owned(),
                    reason,
                })?,
        };
        let Turn::In(wait) = turn else { return Ok(()) };
        if !wait.is_zero() {
            tell(observer, || Event::RateLimited { wait });
        }
        tokio::time::sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn a_budget_is_spent_at_once_and_comes_back_evenly() {
        let budget = Budget {
            name: "a".to_owned(),
            requests: NonZeroU32::new(4).unwrap(),
            per: Duration::from_secs(8),
        };
        let other = Budget {
            name: "b".to_owned(),
            ..budget.clone()
        };
        let limiter = LocalLimiter::default();
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let wait = |seconds| Turn::In(Duration::from_secs(seconds));
        for (when, of, expected) in [
            (0, &budget, Turn::Now),
            (0, &budget, Turn::Now),
            (0, &budget, Turn::Now),
            (0, &budget, Turn::Now),
            (0, &budget, wait(2)),
            (1, &budget, wait(1)),
            (1, &other, Turn::Now),
            (2, &budget, Turn::Now),
            (2, &budget, wait(2)),
            (6, &budget, Turn::Now),
            (6, &budget, Turn::Now),
            (6, &budget, wait(2)),
            // After a long pause the budget is full, but never more than that.
            (600, &budget, Turn::Now),
            (600, &budget, Turn::Now),
            (600, &budget, Turn::Now),
            (600, &budget, Turn::Now),
            (600, &budget, wait(2)),
        ] {
            assert_eq!(limiter.take_at(of, at(when)), expected, "at {when} s");
        }
    }
}
