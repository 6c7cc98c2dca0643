//! What a sandbox holds: the made-up rows, and on top of them what requests have written.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::value::{Object, Serde, Value as JinjaValue};
use minijinja::{Error, ErrorKind};
use serde_json::Value;

use super::Refusal;
use super::data::Data;
use crate::template::EvalError;

/// Most rows that requests may have added and not yet removed.
const MOST_ADDED: usize = 10_000;

/// Most bytes, as JSON, of all rows that requests have written.
const MOST_BYTES: usize = 64 << 20;

/// The status of a write that is refused because the sandbox is full: insufficient storage.
const FULL: u16 = 507;

/// All rows of a running sandbox.
#[derive(Debug)]
pub(crate) struct Store {
    data: Arc<Data>,
    written: Mutex<Arc<Written>>,
}

/// The rows at the moment a request comes in, with the changes of that request.
#[derive(Debug, Clone)]
pub(crate) struct View {
    data: Arc<Data>,
    written: Arc<Written>,
}

/// What requests have written, by collection.
#[derive(Debug, Clone, Default)]
struct Written {
    overlays: BTreeMap<String, Overlay>,
    /// How many rows have ever been added.
    insertions: u64,
    added: usize,
    bytes: usize,
}

#[derive(Debug, Clone, Default)]
struct Overlay {
    added: BTreeMap<u64, Arc<Value>>,
    /// Made-up rows that were changed; `None` for removed rows.
    changed: HashMap<usize, Option<Arc<Value>>>,
}

/// Identifies a row of a collection: a made-up row by its index, or an added row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// The index of a made-up row.
    Made(usize),
    /// The number of an added row.
    Added(u64),
}

impl Store {
    /// A store that holds only made-up rows.
    pub(crate) fn new(data: Arc<Data>) -> Store {
        Store {
            data,
            written: Mutex::default(),
        }
    }

    /// The current rows.
    pub(crate) fn view(&self) -> View {
        View {
            data: Arc::clone(&self.data),
            written: Arc::clone(&self.lock()),
        }
    }

    /// Lets requests change the rows, one after the other. The changes of a request that fails are dropped.
    ///
    /// # Errors
    /// Those of `change`.
    pub(crate) fn write<T>(
        &self,
        change: impl FnOnce(&mut View) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut written = self.lock();
        let mut view = View {
            data: Arc::clone(&self.data),
            written: Arc::clone(&written),
        };
        let answer = change(&mut view)?;
        *written = view.written;
        Ok(answer)
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Written>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View {
    /// The made-up rows underneath.
    pub(crate) fn data(&self) -> &Arc<Data> {
        &self.data
    }

    /// The rows of a collection: first the added rows, newest first, then the made-up rows.
    pub(crate) fn rows<'v>(
        &'v self,
        name: &'v str,
    ) -> impl Iterator<Item = Result<(Key, &'v Value), EvalError>> {
        let added = self.written.overlays.get(name).into_iter();
        let added = added.flat_map(|overlay| overlay.added.iter().rev());
        added
            .map(|(number, row)| Ok((Key::Added(*number), row.as_ref())))
            .chain(self.made(name, 0..self.data.len(name)))
    }

    /// The rows of a series with `from <= time < until`, in seconds.
    pub(crate) fn between<'v>(
        &'v self,
        name: &'v str,
        from: i64,
        until: i64,
    ) -> impl Iterator<Item = Result<&'v Value, EvalError>> {
        self.made(name, self.data.between(name, from, until))
            .map(|row| row.map(|(_, row)| row))
    }

    fn made<'v>(
        &'v self,
        name: &'v str,
        indexes: std::ops::Range<usize>,
    ) -> impl Iterator<Item = Result<(Key, &'v Value), EvalError>> {
        let overlay = self.written.overlays.get(name);
        indexes.filter_map(move |index| {
            let row = match overlay.and_then(|overlay| overlay.changed.get(&index)) {
                Some(changed) => Ok(changed.as_deref()?),
                None => self.data.row(name, index),
            };
            Some(row.map(|row| (Key::Made(index), row)))
        })
    }

    /// How many rows have ever been added, to any collection.
    pub(crate) fn insertions(&self) -> u64 {
        self.written.insertions
    }

    /// Adds a row before all others.
    ///
    /// # Errors
    /// 507 when the sandbox is full.
    pub(crate) fn insert(&mut self, name: &str, row: Value) -> Result<(), Refusal> {
        let written = Arc::make_mut(&mut self.written);
        if written.added >= MOST_ADDED {
            return Err(full(format!("{MOST_ADDED} rows")));
        }
        written.added += 1;
        written.insertions += 1;
        let key = Key::Added(written.insertions);
        self.put(name, key, Some(row))
    }

    /// Replaces a row; `None` removes it.
    ///
    /// # Errors
    /// 507 when the sandbox is full.
    pub(crate) fn put(&mut self, name: &str, key: Key, row: Option<Value>) -> Result<(), Refusal> {
        let written = Arc::make_mut(&mut self.written);
        let overlay = written.overlays.entry(name.to_owned()).or_default();
        let more = row.as_ref().map_or(0, size);
        let row = row.map(Arc::new);
        let before = match (key, row) {
            (Key::Made(index), row) => overlay.changed.insert(index, row).flatten(),
            (Key::Added(number), Some(row)) => overlay.added.insert(number, row),
            (Key::Added(number), None) => {
                written.added = written.added.saturating_sub(1);
                overlay.added.remove(&number)
            }
        };
        let less = before.as_deref().map_or(0, size);
        written.bytes = written.bytes.saturating_sub(less).saturating_add(more);
        match written.bytes > MOST_BYTES {
            true => Err(full(format!("{MOST_BYTES} bytes"))),
            false => Ok(()),
        }
    }
}

fn size(row: &Value) -> usize {
    row.to_string().len()
}

fn full(most: String) -> Refusal {
    Refusal::new(
        FULL,
        format!("the sandbox is full: it keeps at most {most} that requests write"),
    )
}

/// The collections as lists. Expressions know them as `data`.
#[derive(Debug)]
pub(crate) struct Collections(pub View);

impl Object for Collections {
    fn get_value(self: &Arc<Self>, name: &JinjaValue) -> Option<JinjaValue> {
        let name = name.as_str().filter(|name| self.0.data.has(name))?;
        let rows: Result<Vec<JinjaValue>, EvalError> = self
            .0
            .rows(name)
            .map(|row| row.map(|(_, row)| JinjaValue::from(Serde(row))))
            .collect();
        Some(match rows {
            Ok(rows) => rows.into(),
            Err(error) => Error::new(ErrorKind::InvalidOperation, error.to_string()).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::source::{Check, Source};

    fn store() -> Store {
        let source = Source::parse("sandbox.yaml".to_owned(), "{}".into()).expect("YAML");
        let spec = serde_json::from_value(
            json!({ "things": { "count": 3, "row": { "id": "{{ index }}" } } }),
        );
        let data = Data::compile(
            &spec.expect("a collection"),
            1,
            "/data",
            &Check::new(source),
        );
        Store::new(data)
    }

    fn ids(view: &View) -> Vec<Value> {
        let rows = view
            .rows("things")
            .map(|row| row.expect("a row").1["id"].clone());
        rows.collect()
    }

    #[test]
    fn what_is_written_lies_over_what_is_made() {
        let store = store();
        let before = store.view();
        let wrote = store.write(|view| {
            view.insert("things", json!({ "id": "a" }))?;
            view.insert("things", json!({ "id": "b" }))?;
            view.put("things", Key::Made(0), None)?;
            view.put("things", Key::Made(2), Some(json!({ "id": "two" })))?;
            view.put("things", Key::Added(1), Some(json!({ "id": "A" })))
        });
        assert_eq!(wrote, Ok(()));
        assert_eq!(ids(&store.view()), ["b", "A", "1", "two"].map(json_of));
        assert_eq!(ids(&before), [json!(0), json!(1), json!(2)]);
    }

    fn json_of(text: &str) -> Value {
        text.parse::<u64>()
            .map_or_else(|_| json!(text), |number| json!(number))
    }

    #[test]
    fn a_request_that_fails_writes_nothing() {
        let store = store();
        let failed: Result<(), Refusal> = store.write(|view| {
            view.insert("things", json!({ "id": "a" }))?;
            Err(Refusal::new(409, "no".to_owned()))
        });
        assert!(failed.is_err());
        assert_eq!(ids(&store.view()).len(), 3);
    }

    #[test]
    fn a_full_store_takes_no_more_until_something_is_removed() {
        let store = store();
        let insert = |view: &mut View| view.insert("things", json!({ "id": "a" }));
        let filled = store.write(|view| (0..MOST_ADDED).try_for_each(|_| insert(view)));
        assert_eq!(filled, Ok(()));
        assert_eq!(store.write(insert), Err(full("10000 rows".to_owned())));
        assert_eq!(
            store.write(|view| view.put("things", Key::Added(7), None)),
            Ok(())
        );
        assert_eq!(store.write(insert), Ok(()));
        let large = json!({ "id": "a".repeat(MOST_BYTES) });
        let refused = store.write(|view| view.put("things", Key::Made(0), Some(large)));
        assert_eq!(refused, Err(full(format!("{MOST_BYTES} bytes"))));
        assert_eq!(
            store.write(|view| view.put("things", Key::Made(0), Some(json!({})))),
            Ok(())
        );
    }
}
