//! Checks documents on a thread of its own, when somebody has stopped typing for a moment.

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::desk::{Desk, Document};
use super::server::Event;
use crate::catalog::File;
use crate::check::{self, Lints};
use crate::source::Finding;

/// How long nothing must change before a check.
const PAUSE: Duration = Duration::from_millis(40);
/// How long a check waits at most.
const PATIENCE: Duration = Duration::from_millis(400);

/// What is to be checked, as everything is at that moment.
struct Job {
    desk: Desk,
    uris: Vec<String>,
}

/// What was found in a version of a document.
pub(super) struct Checked {
    pub uri: String,
    pub version: i64,
    pub findings: Arc<Vec<Finding>>,
}

/// The job that waits. There is one at most: a newer one takes in what the older one has not checked, so that many changes
/// keep one copy of the texts and not one each.
#[derive(Default)]
struct Slot {
    job: Mutex<Option<Job>>,
    came: Condvar,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Option<Job>> {
        self.job.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, job: Job) {
        let mut waiting = self.lock();
        *waiting = Some(match waiting.take() {
            Some(older) => joined(older, job),
            None => job,
        });
        self.came.notify_one();
    }

    /// The job that waits, or the next one.
    fn take(&self) -> Job {
        let mut waiting = self.lock();
        loop {
            match waiting.take() {
                Some(job) => return job,
                None => {
                    let woken = self.came.wait(waiting);
                    waiting = woken.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// A job that comes within this time.
    fn take_within(&self, time: Duration) -> Option<Job> {
        let waiting = self.lock();
        let woken = self
            .came
            .wait_timeout_while(waiting, time, |job| job.is_none());
        woken.unwrap_or_else(PoisonError::into_inner).0.take()
    }
}

/// The thread that checks.
pub(super) struct Checker(Arc<Slot>);

impl Checker {
    pub(super) fn start(to: SyncSender<Event>) -> Checker {
        let slot = Arc::<Slot>::default();
        let jobs = Arc::clone(&slot);
        thread::spawn(move || run(&jobs, &to));
        Checker(slot)
    }

    /// Checks documents soon.
    pub(super) fn check(&self, desk: &Desk, uris: Vec<String>) {
        let desk = desk.clone();
        self.0.put(Job { desk, uris });
    }
}

/// Checks until the program ends.
fn run(jobs: &Slot, to: &SyncSender<Event>) {
    let mut left: Option<Job> = None;
    loop {
        let mut job = left.take().unwrap_or_else(|| jobs.take());
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            match jobs.take_within(PAUSE) {
                Some(newer) => job = joined(job, newer),
                None => break,
            }
        }
        while !job.uris.is_empty() {
            let uri = job.uris.remove(0);
            let Some(document) = job.desk.documents.get(&uri) else {
                continue;
            };
            let event = match quietly(|| findings_of(&job.desk, document)) {
                Some(findings) => Event::Checked(Checked {
                    version: document.version,
                    findings: Arc::new(findings),
                    uri,
                }),
                None => Event::Failed(format!("the check of {uri} failed")),
            };
            if to.send(event).is_err() {
                return;
            }
            if let Some(newer) = jobs.take_within(Duration::ZERO) {
                left = Some(joined(job, newer));
                break;
            }
        }
    }
}

/// A newer job, with what an older one has not checked.
fn joined(older: Job, mut newer: Job) -> Job {
    for uri in older.uris {
        if !newer.uris.contains(&uri) {
            newer.uris.push(uri);
        }
    }
    newer
}

/// Runs something that may panic.
pub(super) fn quietly<T>(work: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).ok()
}

/// The findings of a document; none, if it is no descriptor.
pub(super) fn findings_of(desk: &Desk, document: &Document) -> Vec<Finding> {
    let Some(file) = desk.descriptor(document) else {
        return Vec::new();
    };
    check::of_file(&file, &tools_around(desk, document), Lints::Off)
}

/// The files whose tools a policy may speak about; none, if it is no policy, or if they are not found in time: then
/// nothing is known about them.
fn tools_around(desk: &Desk, document: &Document) -> Vec<File> {
    if !document.text.as_str().contains("policy:") {
        return Vec::new();
    }
    desk.files_around().unwrap_or_default()
}
