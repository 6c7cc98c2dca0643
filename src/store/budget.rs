//! Rate budgets that all who share a store share.
//!
//! A budget is a log of grants, in slots of time. A request is granted if the grants of the last period, with a little
//! more on both sides, stay within the limit: so there is no window of the period with more requests than the limit, also
//! when some arrive later than others. The algorithm of one process (GCRA) lets a burst follow a pause and gives up to
//! twice the limit in a window; with many processes, that is what a service complains about.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::db::{Durability, Tx};
use super::{Store, StoreError};
use crate::send::{Budget, Limiter, Turn, TurnFuture};

/// Slots of a period.
const SLOTS: i64 = 256;
/// How much longer than the period grants count: requests may be so much faster or slower than each other on their way.
const SPARE: i64 = 40;
/// Grants that are asked for at once, for those who wait in this process.
const MOST_AT_ONCE: u32 = 256;
/// A pause that a service asked for is looked up so often, where there is no limit that is counted.
const LOOK: Duration = Duration::from_millis(200);

/// A budget as the store keeps it. Times are in microseconds by the clock of the database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// No request goes before this time, because the service said so.
    #[serde(default)]
    quiet: i64,
    /// Who takes grants, such as a run.
    #[serde(default)]
    takers: BTreeMap<String, Taker>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Taker {
    /// Grants: the begin of a slot, and how many.
    grants: Vec<(i64, u32)>,
    /// It wants more, until this time.
    #[serde(default)]
    wants: i64,
}

impl Taker {
    fn used(&self) -> u32 {
        self.grants.iter().map(|(_, count)| count).sum()
    }
}

/// What a taker gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grant {
    /// So many requests, at least one.
    Now(u32),
    /// None for so many microseconds.
    In(i64),
}

impl State {
    /// Takes up to `most` grants.
    fn take(&mut self, who: &str, most: u32, limit: u32, per: Duration, now: i64) -> Grant {
        let per = i64::try_from(per.as_micros())
            .unwrap_or(i64::MAX / 4)
            .max(1);
        let slot = (per / SLOTS).max(1);
        let counted = per + per / SPARE + slot;
        self.forget(now, slot, counted);
        if now < self.quiet {
            return Grant::In(self.quiet - now);
        }
        let used: u32 = self.takers.values().map(Taker::used).sum();
        let free = limit.saturating_sub(used);
        let granted = free.min(most).min(self.fair(who, limit, free, now));
        let taker = self.takers.entry(who.to_owned()).or_default();
        if granted > 0 {
            let begin = now - now.rem_euclid(slot);
            match taker.grants.last_mut().filter(|(at, _)| *at == begin) {
                Some((_, count)) => *count += granted,
                None => taker.grants.push((begin, granted)),
            }
        }
        taker.wants = 0;
        if granted < most {
            taker.wants = now + counted;
        }
        if granted > 0 {
            return Grant::Now(granted);
        }
        if free > 0 {
            // The rest is kept for those who had less.
            return Grant::In(slot);
        }
        let grants = self.takers.values().flat_map(|taker| &taker.grants);
        let first = grants.map(|(at, _)| *at).min().unwrap_or(now);
        Grant::In((first + slot + counted - now).max(slot))
    }

    /// How many grants a taker may have, so that others who want some get their share.
    fn fair(&self, who: &str, limit: u32, free: u32, now: i64) -> u32 {
        let others: Vec<&Taker> = self
            .takers
            .iter()
            .filter(|(name, taker)| *name != who && taker.wants > now)
            .map(|(_, taker)| taker)
            .collect();
        let share = (limit / (others.len() as u32 + 1)).max(1);
        let own = self.takers.get(who).map_or(0, Taker::used);
        let kept: u32 = others
            .iter()
            .map(|other| share.saturating_sub(other.used()))
            .sum();
        free.saturating_sub(kept).max(share.saturating_sub(own))
    }

    /// Drops what no longer counts. What lies in the future was written by a clock that was set back since.
    fn forget(&mut self, now: i64, slot: i64, counted: i64) {
        self.takers.retain(|_, taker| {
            for (at, _) in &mut taker.grants {
                *at = (*at).min(now);
            }
            taker.grants.retain(|(at, _)| *at + slot + counted > now);
            taker.wants = taker.wants.min(now + counted);
            !taker.grants.is_empty() || taker.wants > now
        });
    }
}

impl Store {
    /// Takes up to `most` requests of a budget for `who`.
    async fn take(&self, budget: &Budget, who: &str, most: u32) -> Result<Grant, StoreError> {
        let (budget, who) = (budget.clone(), who.to_owned());
        self.change_budget(budget.name.clone(), move |state, now| {
            state.take(&who, most, budget.requests.get(), budget.per, now)
        })
        .await
    }

    /// Holds all requests of a budget back for a time.
    async fn quiet(&self, budget: &str, wait: Duration) -> Result<(), StoreError> {
        let wait = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX / 4);
        self.change_budget(budget.to_owned(), move |state, now| {
            state.quiet = state.quiet.max(now + wait);
        })
        .await
    }

    /// For how long the requests of a budget are held back.
    async fn held(&self, budget: &str) -> Result<Duration, StoreError> {
        let name = budget.to_owned();
        let (state, now) = self
            .transact(Durability::Process, move |tx: &mut dyn Tx| {
                let name = name.clone();
                Box::pin(async move {
                    let rows = tx
                        .rows(
                            "select state, {now} from budget where name = ?1",
                            vec![name.into()],
                        )
                        .await?;
                    match rows.into_iter().next() {
                        None => Ok((State::default(), 0)),
                        Some(mut row) => Ok((read(&row.text(0)?), row.int(1)?)),
                    }
                })
            })
            .await?;
        Ok(Duration::from_micros(
            u64::try_from(state.quiet - now).unwrap_or(0),
        ))
    }

    /// Whether a taker, such as a run, wants more of a budget than there is now.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn waits_for_budget(&self, who: &str) -> Result<bool, StoreError> {
        let states = self
            .transact(Durability::Process, move |tx: &mut dyn Tx| {
                Box::pin(async move { tx.rows("select state, {now} from budget", vec![]).await })
            })
            .await?;
        for mut row in states {
            let (state, now) = (read(&row.text(0)?), row.int(1)?);
            if state.takers.get(who).is_some_and(|taker| taker.wants > now) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn change_budget<T: Send + 'static>(
        &self,
        name: String,
        change: impl Fn(&mut State, i64) -> T + Send + Sync + 'static,
    ) -> Result<T, StoreError> {
        let change = Arc::new(change);
        self.transact(Durability::Process, move |tx: &mut dyn Tx| {
            let (name, change) = (name.clone(), Arc::clone(&change));
            Box::pin(async move {
                let find = "select state from budget where name = ?1 {lock}";
                let mut rows = tx.rows(find, vec![name.as_str().into()]).await?;
                if rows.is_empty() {
                    let make =
                        "insert into budget (name, state) values (?1, '{}') on conflict do nothing";
                    tx.run(make, vec![name.as_str().into()]).await?;
                    rows = tx.rows(find, vec![name.as_str().into()]).await?;
                }
                let mut row = rows
                    .into_iter()
                    .next()
                    .ok_or(StoreError::Broken("a budget"))?;
                let mut state = read(&row.text(0)?);
                // The time is asked for behind the lock: whoever waited for it must not be granted in the past.
                let now = tx.rows("select {now}", vec![]).await?;
                let now = now.first().ok_or(StoreError::Broken("a time"))?.int(0)?;
                let done = change(&mut state, now);
                let text =
                    serde_json::to_string(&state).map_err(|_| StoreError::Broken("a budget"))?;
                tx.run(
                    "update budget set state = ?2 where name = ?1",
                    vec![name.as_str().into(), text.into()],
                )
                .await?;
                Ok(done)
            })
        })
        .await
    }
}

/// A budget that cannot be read begins anew: it holds nothing that a period does not bring back.
fn read(text: &str) -> State {
    serde_json::from_str(text).unwrap_or_default()
}

/// The limiter of all processes that share a store.
pub(crate) struct SharedLimiter {
    store: Store,
    /// For whom it takes: a run, or this process. Budgets are shared evenly between those who want more than there is.
    taker: String,
    budgets: Mutex<BTreeMap<String, Arc<Queue>>>,
}

/// Those who wait in this process for one budget. One of them asks for all.
#[derive(Default)]
struct Queue {
    waiting: std::sync::atomic::AtomicU32,
    stock: tokio::sync::Mutex<Stock>,
}

/// Grants that nobody has taken yet.
struct Stock {
    granted: u32,
    /// The grants are void after this time: they count from when they were given.
    until: Instant,
    /// Nothing is asked for before this time.
    not_before: Instant,
}

impl Default for Stock {
    fn default() -> Stock {
        let now = Instant::now();
        Stock {
            granted: 0,
            until: now,
            not_before: now,
        }
    }
}

impl SharedLimiter {
    /// The limiter of a store, for a taker such as a run.
    pub(crate) fn new(store: &Store, taker: impl Into<String>) -> SharedLimiter {
        SharedLimiter {
            store: store.clone(),
            taker: taker.into(),
            budgets: Mutex::default(),
        }
    }

    fn queue(&self, name: &str) -> Arc<Queue> {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        match budgets.entry(name.to_owned()) {
            Entry::Occupied(queue) => Arc::clone(queue.get()),
            Entry::Vacant(place) => Arc::clone(place.insert(Arc::default())),
        }
    }

    async fn turn(&self, budget: &Budget) -> Result<Turn, StoreError> {
        use std::sync::atomic::Ordering::Relaxed;
        let queue = self.queue(&budget.name);
        queue.waiting.fetch_add(1, Relaxed);
        let mut stock = queue.stock.lock().await;
        let waiting = queue.waiting.fetch_sub(1, Relaxed);
        let now = Instant::now();
        if stock.granted > 0 && now < stock.until {
            stock.granted -= 1;
            return Ok(Turn::Now);
        }
        if now < stock.not_before {
            return Ok(Turn::In(stock.not_before - now));
        }
        if budget.is_unlimited() {
            let held = self.store.held(&budget.name).await?;
            if !held.is_zero() {
                stock.not_before = now + held;
                return Ok(Turn::In(held));
            }
            (stock.granted, stock.until) = (u32::MAX, now + LOOK);
            return Ok(Turn::Now);
        }
        let most = waiting.clamp(1, MOST_AT_ONCE.min(budget.requests.get()));
        match self.store.take(budget, &self.taker, most).await? {
            Grant::In(wait) => {
                let wait = Duration::from_micros(u64::try_from(wait).unwrap_or(0));
                stock.not_before = Instant::now() + wait;
                Ok(Turn::In(wait))
            }
            Grant::Now(count) => {
                // Grants count from a time after `now`. Later than this they would come too close to those behind them.
                stock.until = now + budget.per / SPARE as u32;
                match Instant::now() < stock.until {
                    true => {
                        stock.granted = count - 1;
                        Ok(Turn::Now)
                    }
                    // It took too long to come by them.
                    false => Ok(Turn::In(Duration::ZERO)),
                }
            }
        }
    }
}

impl Limiter for SharedLimiter {
    fn take<'l>(&'l self, budget: &'l Budget) -> TurnFuture<'l> {
        Box::pin(async move { self.turn(budget).await.map_err(|error| error.to_string()) })
    }

    fn refused<'l>(
        &'l self,
        budget: &'l Budget,
        wait: Duration,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'l>> {
        Box::pin(async move {
            let queue = self.queue(&budget.name);
            // If the store is away, the next turn says so.
            let _ = self.store.quiet(&budget.name, wait).await;
            queue.stock.lock().await.granted = 0;
        })
    }

    fn counts_all(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Takers that always want more, with pauses between their tries that a seed decides. Gives the times of all grants.
    fn simulate(limit: u32, takers: usize, pause: i64, until: i64, seed: u64) -> Vec<(i64, usize)> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut state = State::default();
        let mut next = vec![0_i64; takers];
        let mut grants = Vec::new();
        loop {
            let (who, now) = next
                .iter()
                .copied()
                .enumerate()
                .min_by_key(|(_, at)| *at)
                .expect("a taker");
            if now > until {
                return grants;
            }
            let most = random.u32(1..=8);
            next[who] = match state.take(&who.to_string(), most, limit, SECOND, now) {
                Grant::Now(count) => {
                    grants.extend((0..count).map(|_| (now, who)));
                    now + random.i64(1..=pause)
                }
                Grant::In(wait) => now + wait + random.i64(0..=pause),
            };
        }
    }

    #[test]
    #[ignore = "long"]
    fn no_window_holds_more_than_the_limit_and_almost_all_of_it_is_used() {
        for limit in [1, 5, 100, 1_000] {
            for takers in [1, 2, 8] {
                for seed in 0..4 {
                    let until = 20_000_000;
                    let grants = simulate(limit, takers, 2_000, until, seed);
                    let window = 1_000_000 + 1_000_000 / SPARE;
                    for (at, (begin, _)) in grants.iter().enumerate() {
                        let inside = grants[at..]
                            .iter()
                            .take_while(|(time, _)| time - begin < window);
                        let count = inside.count();
                        assert!(count <= limit as usize, "{limit} {takers} {seed}: {count}");
                    }
                    let used = grants.len() as f64 / (f64::from(limit) * 20.0);
                    assert!(used >= 0.95, "{limit} {takers} {seed}: {used}");
                }
            }
        }
    }

    #[test]
    fn those_who_want_more_than_there_is_get_the_same() {
        let grants = simulate(100, 4, 500, 20_000_000, 7);
        for who in 0..4 {
            let own = grants.iter().filter(|(_, taker)| *taker == who).count();
            let part = own as f64 / grants.len() as f64;
            assert!((0.2..0.3).contains(&part), "{who}: {part}");
        }
    }

    #[test]
    fn who_comes_late_does_not_wait_for_those_who_were_first() {
        let mut state = State::default();
        let mut now = 0;
        let mut first = 0;
        // One has everything for some seconds, then another comes.
        while now < 5_000_000 {
            if let Grant::Now(count) = state.take("a", 10, 100, SECOND, now) {
                first += count;
            }
            now += 5_000;
        }
        assert!(first >= 475, "{first}");
        let mut counts = [0, 0];
        while now < 9_000_000 {
            for (at, who) in ["a", "b"].into_iter().enumerate() {
                if let Grant::Now(count) = state.take(who, 10, 100, SECOND, now) {
                    counts[at] += count;
                }
            }
            now += 5_000;
        }
        assert!(counts[1] >= 150 && counts[0] >= 150, "{counts:?}");
    }

    #[test]
    fn a_pause_that_the_service_asked_for_holds_for_all() {
        let mut state = State {
            quiet: 2_000_000,
            ..State::default()
        };
        assert_eq!(state.take("a", 1, 5, SECOND, 500_000), Grant::In(1_500_000));
        assert_eq!(state.take("b", 1, 5, SECOND, 1_999_999), Grant::In(1));
        assert_eq!(state.take("b", 1, 5, SECOND, 2_000_000), Grant::Now(1));
    }

    /// A clock that was set back, a limit that changed, a state that another program wrote.
    #[test]
    fn what_is_odd_delays_and_does_not_block() {
        let mut state = State::default();
        assert_eq!(
            state.take("a", 5, 5, SECOND, 900_000_000_000),
            Grant::Now(5)
        );
        let Grant::In(wait) = state.take("a", 1, 5, SECOND, 1_000_000) else {
            panic!("more than the limit");
        };
        assert!(wait <= 1_100_000, "{wait}");
        assert_eq!(
            state.take("a", 1, 5, SECOND, 1_000_000 + wait),
            Grant::Now(1)
        );
        assert_eq!(
            state.take("a", 9, 3, SECOND, 1_000_001 + wait),
            Grant::Now(2)
        );
        assert_eq!(read("no JSON"), State::default());
        assert_eq!(
            state.take("a", 1, 1, Duration::from_nanos(1), 10_000_000),
            Grant::Now(1)
        );
    }
}
