//! Ctrl-C while something is under way that must not be left as it is.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use toolrun::Job;

use super::{Failure, exit};

/// How often it is looked whether there was an interrupt.
const LOOK: Duration = Duration::from_millis(50);

/// Set by an interrupt, from the first look on: until then an interrupt simply ends the program, and no call pays for
/// a handler that it does not need.
static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| {
    let flag = Arc::default();
    // Where there can be no handler, an interrupt ends the program as it always does.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&flag));
    flag
});

async fn interrupt() {
    while !INTERRUPTED.swap(false, Ordering::SeqCst) {
        tokio::time::sleep(LOOK).await;
    }
}

/// Runs some work to its end; `None` when it was interrupted and dropped.
pub async fn unless_interrupted<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = interrupt() => None,
        done = work => Some(done),
    }
}

/// Cancels the job that was waited for, where the service can, and says what became of it.
pub async fn cancel(job: &Job<'_>) -> Failure {
    let told = match unless_interrupted(job.cancel()).await {
        Some(Ok(true)) => "interrupted; the job was cancelled".to_owned(),
        Some(Ok(false)) => format!(
            "interrupted; the job goes on at the service{}",
            job.url()
                .map(|url| format!(", at {url}"))
                .unwrap_or_default()
        ),
        Some(Err(error)) => {
            format!("interrupted; the job could not be cancelled and may go on: {error}")
        }
        None => "interrupted twice; the job may go on at the service".to_owned(),
    };
    Failure::Told(exit::INTERRUPTED, told)
}
