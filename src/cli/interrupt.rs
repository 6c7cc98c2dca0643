//! Ctrl-C while something is under way that must not be left as it is.

use std::future::Future;

use toolrun::Job;

use super::{Failure, exit};

/// Runs some work to its end; `None` when it was interrupted and dropped. Before the first such work an interrupt
/// simply ends the program.
pub async fn unless_interrupted<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        Ok(()) = tokio::signal::ctrl_c() => None,
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
