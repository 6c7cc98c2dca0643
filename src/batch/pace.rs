//! The rate of a run: a limit of its own, beside that of the service, for all of its requests and all of its workers.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::run::{Rate, taker};
use crate::send::{Budget, Limiter, Turn, TurnFuture};

/// Asks for a turn of the run's rate, and then for one of the service's limit.
pub(crate) struct Paced {
    shared: Arc<dyn Limiter>,
    rate: Option<Budget>,
}

impl Paced {
    /// The limiter of a run. `shared` is what its workers share.
    pub(crate) fn new(shared: Arc<dyn Limiter>, run: &str, rate: Option<Rate>) -> Paced {
        let name = format!("rate of {}", taker(run));
        Paced {
            shared,
            rate: rate.map(|rate| Budget::new(name, rate.count, rate.per())),
        }
    }

    /// The run's own limit, unless the service's keeps it too.
    fn own(&self, budget: &Budget) -> Option<&Budget> {
        let is_kept = |rate: &&Budget| budget.per >= rate.per && budget.requests <= rate.requests;
        self.rate.as_ref().filter(|rate| !is_kept(rate))
    }
}

impl Limiter for Paced {
    fn take<'l>(&'l self, budget: &'l Budget) -> TurnFuture<'l> {
        Box::pin(async move {
            if let Some(rate) = self.own(budget) {
                match self.shared.take(rate).await? {
                    Turn::Now => {}
                    later @ Turn::In(_) => return Ok(later),
                }
            }
            self.shared.take(budget).await
        })
    }

    fn refused<'l>(
        &'l self,
        budget: &'l Budget,
        wait: Duration,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'l>> {
        self.shared.refused(budget, wait)
    }

    fn counts_all(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::Mutex;

    use pretty_assertions::assert_eq;

    use super::*;

    /// Grants all, and remembers of which budgets.
    #[derive(Default)]
    struct Open(Mutex<Vec<String>>);

    impl Limiter for Open {
        fn take<'l>(&'l self, budget: &'l Budget) -> TurnFuture<'l> {
            self.0.lock().unwrap().push(budget.name.clone());
            Box::pin(std::future::ready(Ok(Turn::Now)))
        }
    }

    #[test]
    fn the_rate_is_asked_unless_the_limit_of_the_service_keeps_it() {
        let second = Duration::from_secs(1);
        for (requests, per, rate, expected) in [
            (100, second, Some("10/s"), vec!["rate of run r", "s"]),
            (5, second, Some("10/s"), vec!["s"]),
            (10, second * 60, Some("10/s"), vec!["s"]),
            (100, second * 60, Some("10/s"), vec!["rate of run r", "s"]),
            (5, second, Some("10/m"), vec!["rate of run r", "s"]),
            (5, second, None, vec!["s"]),
        ] {
            let open = Arc::new(Open::default());
            let paced = Paced::new(open.clone(), "r", rate.map(|rate| rate.parse().unwrap()));
            let budget = Budget::new("s", NonZeroU32::new(requests).unwrap(), per);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            assert_eq!(runtime.block_on(paced.take(&budget)), Ok(Turn::Now));
            assert_eq!(
                *open.0.lock().unwrap(),
                expected,
                "{requests} in {per:?}, {rate:?}"
            );
        }
    }
}
