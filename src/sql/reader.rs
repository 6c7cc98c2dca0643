//! Reads tools page by page, as far as a query needs rows. The same call is made once: its pages are kept while the query
//! runs, as long as there is room for them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use serde_json::{Map, Value};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::error::SqlError;
use super::session::Limits;
use super::source::{Ended, Source};
use super::table::{Page, Table};
use crate::engine::error::Error;
use crate::engine::{Pages, Stopped};

/// Characters of arguments that an error shows.
const SHOWN: usize = 200;

/// Carries out the calls of one query.
pub(super) struct Reader {
    source: Arc<dyn Source>,
    handle: Handle,
    stop: watch::Receiver<bool>,
    most: u32,
    kept_bytes: usize,
    state: Mutex<State>,
    /// Time that was spent waiting for others, in microseconds.
    waited: AtomicU64,
}

#[derive(Default)]
struct State {
    made: IndexMap<String, u32>,
    /// The readings whose pages are kept, the oldest first.
    kept: IndexMap<String, Arc<Walk>>,
    bytes: usize,
    notes: IndexMap<String, String>,
}

/// A call's pages, as far as they were read.
pub(super) struct Walk {
    table: Arc<Table>,
    source: Arc<dyn Source>,
    id: usize,
    /// The arguments, for errors.
    arguments: String,
    size: Option<u64>,
    inner: Mutex<Inner>,
}

struct Inner {
    pages: Box<Pages>,
    /// The first page, as long as the pages are kept.
    first: Option<Arc<Node>>,
    is_kept: bool,
    is_begun: bool,
    is_done: bool,
    ended: Ended,
}

impl Drop for Walk {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.source.end(self.id, std::mem::take(&mut inner.ended));
    }
}

/// A page, and the one behind it. Who holds a page can go on from it; what nobody holds is freed.
pub(super) struct Node {
    pub page: Page,
    next: OnceLock<Arc<Node>>,
}

impl Drop for Node {
    fn drop(&mut self) {
        // One by one: a chain of many pages is too deep for the stack.
        let mut next = self.next.take();
        while let Some(node) = next {
            next = Arc::into_inner(node).and_then(|mut node| node.next.take());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reader {
    pub(super) fn new(
        source: Arc<dyn Source>,
        handle: Handle,
        stop: watch::Receiver<bool>,
        limits: &Limits,
    ) -> Reader {
        Reader {
            source,
            handle,
            stop,
            most: limits.requests,
            kept_bytes: limits.kept_bytes,
            state: Mutex::default(),
            waited: AtomicU64::new(0),
        }
    }

    pub(super) fn source(&self) -> &dyn Source {
        &*self.source
    }

    pub(super) fn is_stopped(&self) -> bool {
        *self.stop.borrow() || self.stop.has_changed().is_err()
    }

    /// Time that was spent waiting for services, and for whoever takes the rows.
    pub(super) fn waited(&self) -> Duration {
        Duration::from_micros(self.waited.load(Ordering::Relaxed))
    }

    /// The requests that each table made.
    pub(super) fn made(&self) -> Vec<(String, u32)> {
        let made = &lock(&self.state).made;
        made.iter()
            .map(|(table, count)| (table.clone(), *count))
            .collect()
    }

    /// Notes something; of several notes about the same thing, the first.
    pub(super) fn note(&self, about: &str, note: String) {
        lock(&self.state)
            .notes
            .entry(about.to_owned())
            .or_insert(note);
    }

    pub(super) fn notes(&self) -> Vec<String> {
        lock(&self.state).notes.values().cloned().collect()
    }

    /// Opens a table with these arguments, to read so many rows of it or all. Nothing is sent before its first row is
    /// needed.
    ///
    /// # Errors
    /// When the call may not be made.
    pub(super) fn open(
        &self,
        table: &Arc<Table>,
        mut arguments: Map<String, Value>,
        rows: Option<u64>,
    ) -> Result<Arc<Walk>, SqlError> {
        let key = format!(
            "{} {}",
            table.tool.qualified_name(),
            Value::Object(arguments.clone())
        );
        let size = table.page_size(&arguments, rows);
        if let Some(walk) = lock(&self.state).kept.get(&key) {
            // What was begun in small pages would take more requests than to begin anew in large ones.
            let inner = lock(&walk.inner);
            let is_small = matches!((walk.size, size), (Some(own), Some(size)) if own < size);
            if !is_small || inner.is_done {
                drop(inner);
                return Ok(Arc::clone(walk));
            }
        }
        if let (Some(size), Some(param)) = (size, &table.size) {
            arguments.insert(table.params[param.param].name.clone(), size.into());
        }
        let arguments = Value::Object(arguments);
        let shown: String = arguments.to_string().chars().take(SHOWN).collect();
        let reading = self.wait(self.source.begin(&table.name, &table.tool, &arguments))??;
        let pages = reading.engine.pages(reading.call);
        let pages = pages.map_err(|error| {
            let ended = Ended {
                error: Some(error.clone()),
                ..Ended::default()
            };
            self.source.end(reading.id, ended);
            failed(&table.name, &shown, error)
        })?;
        let walk = Arc::new(Walk {
            table: Arc::clone(table),
            source: Arc::clone(&self.source),
            id: reading.id,
            arguments: shown,
            size,
            inner: Mutex::new(Inner {
                pages: Box::new(pages),
                first: None,
                is_kept: true,
                is_begun: false,
                is_done: false,
                ended: Ended::default(),
            }),
        });
        let old = lock(&self.state).kept.insert(key, Arc::clone(&walk));
        if let Some(old) = old {
            self.forget(&old);
        }
        Ok(walk)
    }

    /// Does some work of others, unless the query is stopped. Its time is none of the query's.
    pub(super) fn wait<T>(&self, work: impl Future<Output = T>) -> Result<T, SqlError> {
        let mut stop = self.stop.clone();
        let started = Instant::now();
        let done = self.handle.block_on(async {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stopped| *stopped) => Err(SqlError::Stopped),
                done = work => Ok(done),
            }
        });
        let micros = started.elapsed().as_micros() as u64;
        self.waited.fetch_add(micros, Ordering::Relaxed);
        done
    }

    /// The first page of a walk; `None` if it has none.
    ///
    /// # Errors
    /// When the page cannot be read, or the query may make no more requests.
    pub(super) fn first(&self, walk: &Arc<Walk>) -> Result<Option<Arc<Node>>, SqlError> {
        let mut inner = lock(&walk.inner);
        if inner.is_begun {
            return Ok(inner.first.clone());
        }
        inner.is_begun = true;
        let node = self.fetch(walk, &mut inner)?;
        if inner.is_kept {
            inner.first.clone_from(&node);
        }
        drop(inner);
        self.make_room();
        Ok(node)
    }

    /// The page behind another one of the same walk.
    ///
    /// # Errors
    /// As [`Reader::first`].
    pub(super) fn after(
        &self,
        walk: &Arc<Walk>,
        node: &Arc<Node>,
    ) -> Result<Option<Arc<Node>>, SqlError> {
        if let Some(next) = node.next.get() {
            return Ok(Some(Arc::clone(next)));
        }
        let mut inner = lock(&walk.inner);
        let next = self.fetch(walk, &mut inner)?;
        if let Some(next) = &next {
            let _ = node.next.set(Arc::clone(next));
        }
        drop(inner);
        self.make_room();
        Ok(next)
    }

    fn fetch(&self, walk: &Walk, inner: &mut Inner) -> Result<Option<Arc<Node>>, SqlError> {
        if inner.is_done {
            return Ok(None);
        }
        if inner.pages.is_ahead() {
            self.count(&walk.table.name)?;
        }
        // Only what is not interrupted is not stopped.
        inner.ended.is_stopped = true;
        let read = self.wait(inner.pages.next())?;
        inner.ended.is_stopped = false;
        let read = match read {
            Ok(Some(page)) => inner.pages.output(&page).map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        let fail = |inner: &mut Inner, error: Error| {
            inner.is_done = true;
            inner.ended.error = Some(error.clone());
            failed(&walk.table.name, &walk.arguments, error)
        };
        let output = match read {
            Ok(Some(output)) => output,
            Ok(None) => {
                inner.is_done = true;
                self.note_end(walk, inner);
                return Ok(None);
            }
            Err(error) => return Err(fail(inner, error)),
        };
        let page = Page::new(&walk.table, output)
            .map_err(|reason| fail(inner, Error::Response(reason)))?;
        inner.ended.rows += page.len() as u64;
        inner.ended.bytes += page.bytes();
        if inner.is_kept {
            lock(&self.state).bytes += page.bytes();
        }
        Ok(Some(Arc::new(Node {
            page,
            next: OnceLock::new(),
        })))
    }

    /// Counts a request that is about to be made.
    fn count(&self, table: &str) -> Result<(), SqlError> {
        let mut state = lock(&self.state);
        let made: u32 = state.made.values().sum();
        if made >= self.most {
            let made = state.made.iter();
            return Err(SqlError::Requests {
                most: self.most,
                made: made.map(|(table, count)| (table.clone(), *count)).collect(),
                wanting: table.to_owned(),
            });
        }
        *state.made.entry(table.to_owned()).or_default() += 1;
        Ok(())
    }

    /// A walk that ended before the last page lacks rows, and says so.
    fn note_end(&self, walk: &Walk, inner: &Inner) {
        if let Some(note) = inner.pages.note()
            && !matches!(note.stopped, Stopped::Interrupted)
        {
            let text = format!("{}: {note}", walk.table.name);
            self.note(&text, text.clone());
        }
    }

    /// Keeps fewer pages when there are too many: not those of the largest walk. Who reads them goes on.
    fn make_room(&self) {
        while lock(&self.state).bytes > self.kept_bytes {
            let kept: Vec<Arc<Walk>> = lock(&self.state).kept.values().cloned().collect();
            let size = |walk: &&Arc<Walk>| lock(&walk.inner).ended.bytes;
            let Some(largest) = kept.iter().max_by_key(size) else {
                return;
            };
            lock(&self.state)
                .kept
                .retain(|_, walk| !Arc::ptr_eq(walk, largest));
            self.forget(largest);
        }
    }

    fn forget(&self, walk: &Walk) {
        let mut inner = lock(&walk.inner);
        inner.first = None;
        if std::mem::replace(&mut inner.is_kept, false) {
            let mut state = lock(&self.state);
            state.bytes = state.bytes.saturating_sub(inner.ended.bytes);
        }
    }

    /// Ends all readings: the query has what it needs.
    pub(super) fn end(&self) {
        drop(std::mem::take(&mut lock(&self.state).kept));
    }
}

fn failed(table: &str, arguments: &str, error: Error) -> SqlError {
    SqlError::Call {
        table: table.to_owned(),
        arguments: arguments.to_owned(),
        error: Box::new(error),
    }
}

/// Counts how often something was met; for rows that are alike.
#[derive(Debug, Default)]
pub(super) struct Occurrences(HashMap<u64, u64>);

impl Occurrences {
    /// How often it was met before.
    pub(super) fn next(&mut self, of: u64) -> u64 {
        let count = self.0.entry(of).or_default();
        let before = *count;
        *count += 1;
        before
    }
}
