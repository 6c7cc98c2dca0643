//! The audit log: one JSON line for each call, each with the hash of the line before it. A call gets its result after its
//! line is written. A line has names, sizes and digests, and no value that nobody asked for by name.

mod line;
mod log;
mod verify;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

pub(super) use line::{Entry, Event, Outcome};
pub(crate) use verify::{Verdict, verify};

use super::reload::Tell;
use crate::policy::canonical;
use crate::sign::sha256;
use log::Log;

/// The longest value that is recorded, in bytes.
const MOST_OF_VALUE: usize = 1 << 10;
/// The file beside the log that knows its last line.
const HEAD: &str = ".head";

/// The audit log of a server.
pub(crate) struct Audit {
    log: Mutex<Log>,
    /// The arguments whose values are recorded.
    values: Vec<String>,
    /// The last line could not be written.
    is_failing: AtomicBool,
    tell: Arc<Tell>,
}

impl Audit {
    /// Opens a log, or makes one. It records the values of the arguments with these names, and of no others.
    ///
    /// # Errors
    /// Why it cannot be kept.
    pub(crate) fn open(path: &Path, values: Vec<String>, tell: Arc<Tell>) -> Result<Audit, String> {
        let told = |reason: std::io::Error| {
            format!("the audit log {} cannot be kept: {reason}", path.display())
        };
        let (log, notes) = Log::open(path).map_err(told)?;
        for note in notes {
            tell(&format!("the audit log {}: {note}", path.display()));
        }
        Ok(Audit {
            log: Mutex::new(log),
            values,
            is_failing: AtomicBool::new(false),
            tell,
        })
    }

    /// What is recorded of the arguments of a call: the names that are known, how many others there are, the digest, and
    /// the values that were asked for.
    pub(super) fn arguments(
        &self,
        entry: &mut Entry,
        arguments: &Map<String, Value>,
        is_known: impl Fn(&str) -> bool,
    ) {
        let (known, unknown): (Vec<&String>, Vec<&String>) =
            arguments.keys().partition(|name| is_known(name));
        // A name that nobody declared is a text of the caller's, as a value is.
        entry.unknown_arguments = unknown.len();
        entry.arguments = known.iter().map(|name| (*name).clone()).collect();
        let all = Value::Object(arguments.clone());
        entry.digest = Some(sha256(canonical(&all).as_bytes()));
        for name in self.values.iter().filter(|name| is_known(name)) {
            if let Some(value) = arguments.get(name) {
                entry.values.insert(name.clone(), short(value));
            }
        }
    }

    /// Whether a call may begin: a log that failed is tried again first.
    ///
    /// # Errors
    /// Why nothing can be recorded.
    pub(super) async fn ready(self: &Arc<Audit>) -> Result<(), String> {
        match self.is_failing.load(Ordering::Acquire) {
            true => self.write(Event::Resumed, true).await,
            false => Ok(()),
        }
    }

    /// Writes a line. A lasting one survives a loss of power too.
    ///
    /// # Errors
    /// Why it could not be written. The operator was told.
    pub(super) async fn write(self: &Arc<Audit>, event: Event, lasts: bool) -> Result<(), String> {
        let audit = Arc::clone(self);
        let writing = tokio::task::spawn_blocking(move || {
            let mut log = audit.log.lock().unwrap_or_else(PoisonError::into_inner);
            log.append(&event, lasts)
        });
        let written = match writing.await {
            Ok(written) => written.map_err(|error| error.to_string()),
            Err(_) => Err("the server made a mistake".to_owned()),
        };
        self.is_failing.store(written.is_err(), Ordering::Release);
        if let Err(reason) = &written {
            (self.tell)(&format!("the audit log cannot be written: {reason}"));
        }
        written
    }
}

/// A value, or its size and digest if it is long.
fn short(value: &Value) -> Value {
    let text = value.to_string();
    match text.len() > MOST_OF_VALUE {
        true => {
            json!({ "bytes": text.len(), "sha256": sha256(canonical(value).as_bytes()) })
        }
        false => value.clone(),
    }
}
