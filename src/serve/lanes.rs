//! Lanes: threads that serve connections. Each has a runtime of its own, so that what belongs to a connection stays on one
//! thread: its calls, and the connections to services that they use. Nothing has to be woken on another core.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::{CancellationToken, DropGuard};

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The lanes of a server. When they are dropped, what they still do ends.
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    _over: DropGuard,
}

struct Lane {
    work: UnboundedSender<Work>,
    /// How much it does.
    open: Arc<AtomicUsize>,
}

impl Lanes {
    /// Starts a lane for each core.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start() -> std::io::Result<Lanes> {
        let over = CancellationToken::new();
        let many = thread::available_parallelism().map_or(1, usize::from);
        let lanes = (0..many).map(|_| Lane::start(over.clone()));
        Ok(Lanes {
            lanes: lanes.collect::<std::io::Result<Vec<Lane>>>()?,
            _over: over.drop_guard(),
        })
    }

    /// Does some work on the lane that has least to do.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let least = |lane: &&Lane| lane.open.load(Ordering::Relaxed);
        let Some(lane) = self.lanes.iter().min_by_key(least) else {
            return;
        };
        let open = Open::new(&lane.open);
        // A lane takes work for as long as there are lanes.
        let _ = lane.work.send(Box::pin(async move {
            let _open = open;
            work.await;
        }));
    }
}

impl Lane {
    fn start(over: CancellationToken) -> std::io::Result<Lane> {
        let (work, given) = unbounded_channel();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let named = thread::Builder::new().name("lane".to_owned());
        named.spawn(move || run(&runtime, given, &over))?;
        Ok(Lane {
            work,
            open: Arc::default(),
        })
    }
}

fn run(runtime: &Runtime, mut given: UnboundedReceiver<Work>, over: &CancellationToken) {
    runtime.block_on(async {
        let working = async {
            while let Some(work) = given.recv().await {
                tokio::spawn(work);
            }
        };
        tokio::select! {
            () = working => {}
            () = over.cancelled() => {}
        }
    });
}

/// Some work, counted while it is open.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn new(count: &Arc<AtomicUsize>) -> Open {
        count.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(count))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn work_goes_where_least_is_done_and_ends_with_the_lanes() {
        let lanes = Lanes::start().unwrap();
        let many = lanes.lanes.len();
        let (told, hear) = channel();
        for _ in 0..many * 2 {
            let told = told.clone();
            lanes.spawn(async move {
                told.send(thread::current().id()).unwrap();
                std::future::pending::<()>().await;
                drop(told);
            });
        }
        drop(told);
        let mut on: Vec<_> = (0..many * 2)
            .map(|_| hear.recv_timeout(Duration::from_secs(10)).unwrap())
            .collect();
        on.sort_by_key(|id| format!("{id:?}"));
        on.dedup();
        assert_eq!(on.len(), many);
        drop(lanes);
        // What waits for ever is dropped, and its sender with it.
        let ended = hear.recv_timeout(Duration::from_secs(10));
        assert_eq!(ended, Err(std::sync::mpsc::RecvTimeoutError::Disconnected));
    }
}
