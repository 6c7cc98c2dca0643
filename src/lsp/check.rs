//! Checks documents on a thread of its own, when somebody has stopped typing for a moment.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::desk::{Desk, Document};
use super::server::Event;
use crate::catalog::File;
use crate::check;
use crate::source::Finding;

/// How long nothing must change before a check.
const PAUSE: Duration = Duration::from_millis(40);
/// How long a check waits at most.
const PATIENCE: Duration = Duration::from_millis(400);

/// How long the descriptors in the folders of the editor are looked for. Somebody may have opened all of a disk.
const LONGEST_WALK: Duration = Duration::from_secs(1);

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

/// The thread that checks.
pub(super) struct Checker(Sender<Job>);

impl Checker {
    pub(super) fn start(to: SyncSender<Event>) -> Checker {
        let (sender, jobs) = channel();
        thread::spawn(move || run(&jobs, &to));
        Checker(sender)
    }

    /// Checks documents soon.
    pub(super) fn check(&self, desk: &Desk, uris: Vec<String>) {
        let desk = desk.clone();
        // The thread ends only with the program.
        let _ = self.0.send(Job { desk, uris });
    }
}

fn run(jobs: &Receiver<Job>, to: &SyncSender<Event>) {
    let mut next = jobs.recv().ok();
    while let Some(mut job) = next.take() {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            match jobs.recv_timeout(PAUSE) {
                Ok(newer) => job = joined(job, newer),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        while let Some(uri) = (!job.uris.is_empty()).then(|| job.uris.remove(0)) {
            let Some(document) = job.desk.documents.get(&uri) else {
                continue;
            };
            let Some(findings) = quietly(|| findings_of(&job.desk, document)) else {
                let _ = to.send(Event::Failed(format!("the check of {uri} failed")));
                continue;
            };
            let checked = Checked {
                uri,
                version: document.version,
                findings: Arc::new(findings),
            };
            if to.send(Event::Checked(checked)).is_err() {
                return;
            }
            if let Ok(newer) = jobs.try_recv() {
                next = Some(joined(job, newer));
                break;
            }
        }
        if next.is_none() {
            next = jobs.recv().ok();
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
    check::of_file(&file, &tools_around(desk, document))
}

/// The files whose tools a policy may speak about; none, if it is no policy, or if they are not found in time: then
/// nothing is known about them.
fn tools_around(desk: &Desk, document: &Document) -> Vec<File> {
    if !document.text.as_str().contains("policy:") {
        return Vec::new();
    }
    let begun = Instant::now();
    let mut files = Vec::new();
    for folder in &desk.folders {
        let left = LONGEST_WALK.saturating_sub(begun.elapsed());
        match check::files_below(folder, left) {
            Some(found) => files.extend(found.iter().map(|file| desk.file(file.path()))),
            None => return Vec::new(),
        }
    }
    files
}
