//! Tools for agents, over the Model Context Protocol: on standard input and output, or over HTTP.
//!
//! A set of tools is served as one value; a reload replaces it. Each call passes one gate, runs in a task of its own within a
//! deadline, and ends as a result of bounded size. Nothing here prints: what the operator should know goes to a function.

mod approval;
mod ask;
mod audit;
mod backend;
mod call;
mod data;
mod gate;
mod guests;
mod http;
mod lanes;
mod meta;
mod metrics;
mod oauth;
mod observe;
mod options;
#[cfg(feature = "otel")]
mod otel;
mod own;
mod plain;
#[cfg(feature = "store")]
mod query;
mod record;
mod reload;
mod resource;
mod result;
mod search;
mod server;
mod set;
mod stdio;
mod table;
mod teach;
mod twin;

#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use approval::{Approvals, Desk, Question, is_id};
pub(crate) use audit::{Audit, Verdict, verify};
pub(crate) use backend::Backends;
pub(crate) use gate::Gate;
pub(crate) use guests::Guests;
pub(crate) use http::{Access, serve as over_http};
pub(crate) use observe::Observer;
#[cfg(feature = "otel")]
pub(crate) use otel::Telemetry;
pub(crate) use reload::{Folder, watch};
pub(crate) use server::Server;
pub(crate) use set::ToolSet;
pub(crate) use stdio::serve as over_stdio;

use metrics::Metrics;
use resource::Shelf;

/// Requests that are open at once, streams among them: of all clients over HTTP, and of one on standard input.
const OPEN: usize = 512;
/// What a client is told that keeps more of them open.
const CROWDED: &str = "too many requests are open; try again";

/// How much a server does at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes of the text of a result.
    pub result_bytes: usize,
    /// How long a call may take.
    pub deadline: Duration,
    /// Calls that run at once.
    pub running: usize,
    /// Bytes of a request.
    pub request_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            result_bytes: 32_000,
            deadline: Duration::from_secs(50),
            running: 64,
            request_bytes: 4 << 20,
        }
    }
}

/// What all connections share.
pub(crate) struct Shared {
    set: RwLock<Arc<ToolSet>>,
    /// Counts the sets that there were.
    changes: watch::Sender<u64>,
    backends: Backends,
    gate: RwLock<Gate>,
    approvals: Approvals,
    audit: Option<Arc<Audit>>,
    observer: Observer,
    metrics: Metrics,
    limits: Limits,
    running: Semaphore,
    shelf: Shelf,
    /// The calls that run.
    tasks: TaskTracker,
    /// Cancelled when the server should end.
    stop: CancellationToken,
    /// Cancelled when no client can say anything any more.
    deaf: CancellationToken,
}

impl Shared {
    /// A server of these tools.
    pub(crate) fn new(
        set: ToolSet,
        backends: Backends,
        gate: Gate,
        approvals: Approvals,
        audit: Option<Audit>,
        observer: Observer,
        limits: Limits,
    ) -> Arc<Shared> {
        Arc::new(Shared {
            set: RwLock::new(Arc::new(set)),
            changes: watch::Sender::new(0),
            backends,
            gate: RwLock::new(gate),
            approvals,
            audit: audit.map(Arc::new),
            observer,
            metrics: Metrics::default(),
            running: Semaphore::new(limits.running),
            limits,
            shelf: Shelf::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            deaf: CancellationToken::new(),
        })
    }

    /// The tools as they are now.
    pub(crate) fn set(&self) -> Arc<ToolSet> {
        let set = self.set.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&set)
    }

    /// What decides about calls now.
    pub(crate) fn gate(&self) -> Gate {
        let gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        gate.clone()
    }

    /// Replaces the tools, and what decides about calls of them. Clients are told if the list has changed.
    pub(crate) fn replace(&self, set: ToolSet, gate: Gate) -> bool {
        *self.gate.write().unwrap_or_else(PoisonError::into_inner) = gate;
        let is_new = self.set().listing() != set.listing();
        *self.set.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(set);
        if is_new {
            self.changes.send_modify(|count| *count += 1);
        }
        is_new
    }

    /// Ends the server: what runs is finished, and nothing new begins.
    pub(crate) fn end(&self) {
        self.stop.cancel();
    }

    /// Takes away what is of no use without this server: the questions that wait for an answer.
    pub(crate) fn close(&self) {
        self.approvals.close();
    }

    /// Tells each call to a collector too.
    #[cfg(feature = "otel")]
    pub(crate) fn tell_to(&self, telemetry: Telemetry) {
        let _ = self.metrics.telemetry.set(telemetry);
    }

    /// Sends to the collector what it has not got yet.
    #[cfg(feature = "otel")]
    pub(crate) async fn flush(self: &Arc<Shared>) {
        let own = Arc::clone(self);
        let flushing = tokio::task::spawn_blocking(move || {
            if let Some(telemetry) = own.metrics.telemetry.get() {
                telemetry.flush();
            }
        });
        let _ = flushing.await;
    }

    /// Waits until all calls have ended.
    pub(crate) async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}
