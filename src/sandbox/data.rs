//! Made-up data: each row is computed from the seed, its collection and its index.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use indexmap::IndexMap;
use minijinja::value::{Object, Serde, Value as JinjaValue, from_args};
use minijinja::{Error, ErrorKind, State};
use serde_json::Value;

use super::spec::DataSpec;
use crate::source::{Check, Code, join};
use crate::template::{EvalError, Names, Scope, Template};

/// Most characters of a made-up id.
const LONGEST: usize = 1000;

/// Most rows in all collections together.
const MOST_ROWS: u32 = 1_000_000;

/// Most bytes of memory that the rows made so far may take.
const MOST_BYTES: usize = 512 << 20;

/// The methods of [`Random`].
pub(crate) const RANDOM: [&str; 6] = ["int", "pick", "chance", "id", "hex", "row"];

/// The collections of a sandbox.
#[derive(Debug)]
pub(crate) struct Data {
    seed: u64,
    collections: IndexMap<String, Collection>,
    /// Bytes of memory that the rows made so far take.
    bytes: AtomicUsize,
}

#[derive(Debug)]
struct Collection {
    template: Template,
    show: Option<Template>,
    fields: Option<Vec<String>>,
    times: Option<Times>,
    rows: Vec<OnceLock<Result<Value, EvalError>>>,
}

#[derive(Debug, Clone, Copy)]
struct Times {
    start: i64,
    every: i64,
}

impl Data {
    /// Compiles the collections; mistakes go to `check`, which stands at `pointer`.
    pub(crate) fn compile(
        spec: &IndexMap<String, DataSpec>,
        seed: u64,
        pointer: &str,
        check: &Check,
    ) -> Arc<Data> {
        let names = Names::default()
            .with("index")
            .with("time")
            .with_members("random", RANDOM);
        let mut left = MOST_ROWS;
        let collections = spec
            .iter()
            .map(|(name, data)| {
                let count = data.count.min(left);
                left -= count;
                let at = join(pointer, name);
                let times = data.times.as_ref().map(|times| Times {
                    start: seconds(&times.start, &join(&join(&at, "times"), "start"), check),
                    every: i64::try_from(times.every.0.as_secs())
                        .unwrap_or(i64::MAX)
                        .max(1),
                });
                let collection = Collection {
                    template: Template::compile(&data.row, &join(&at, "row"), &names, check),
                    show: data.show.as_ref().map(|show| {
                        let names = ["args", "headers", "now"]
                            .iter()
                            .fold(Names::default(), |names, name| names.with(name))
                            .with_members("data", spec.keys());
                        let names = match data.row.as_object() {
                            Some(row) => names.with_members("row", row.keys()),
                            None => names.with("row"),
                        };
                        Template::compile(show, &join(&at, "show"), &names, check)
                    }),
                    fields: data
                        .row
                        .as_object()
                        .map(|row| row.keys().cloned().collect()),
                    times,
                    rows: (0..count).map(|_| OnceLock::new()).collect(),
                };
                if count < data.count && data.count <= MOST_ROWS {
                    check.error(
                        Code::BadSandbox,
                        &join(&at, "count"),
                        format!("the collections have more than {MOST_ROWS} rows together"),
                    );
                }
                (name.clone(), collection)
            })
            .collect();
        Arc::new(Data {
            seed,
            collections,
            bytes: AtomicUsize::new(0),
        })
    }

    /// Whether there is a collection of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.collections.contains_key(name)
    }

    /// The names of the collections.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.collections.keys().map(String::as_str)
    }

    /// The fields of a collection's rows, if the template lists them.
    pub(crate) fn fields(&self, name: &str) -> Option<&[String]> {
        self.collections.get(name)?.fields.as_deref()
    }

    /// A collection's row as answers show it. `scope` has the row as `row`.
    ///
    /// # Errors
    /// When the template fails.
    pub(crate) fn show(&self, name: &str, row: Value, scope: &Values) -> Result<Value, EvalError> {
        match self
            .collections
            .get(name)
            .and_then(|collection| collection.show.as_ref())
        {
            Some(show) => Ok(show.render(scope)?.unwrap_or(Value::Null)),
            None => Ok(row),
        }
    }

    /// Whether the rows of a collection are in the order of time.
    pub(crate) fn is_series(&self, name: &str) -> bool {
        let collection = self.collections.get(name);
        collection.is_some_and(|collection| collection.times.is_some())
    }

    /// How many rows a collection has.
    pub(crate) fn len(&self, name: &str) -> usize {
        self.collections
            .get(name)
            .map_or(0, |collection| collection.rows.len())
    }

    /// A row. It is made when it is first asked for.
    ///
    /// # Errors
    /// When the row's template fails.
    pub(crate) fn row(self: &Arc<Data>, name: &str, index: usize) -> Result<&Value, EvalError> {
        let missing = || EvalError {
            expression: name.to_owned(),
            reason: format!("has no row {index}"),
        };
        let collection = self.collections.get(name).ok_or_else(missing)?;
        let cell = collection.rows.get(index).ok_or_else(missing)?;
        if let Some(row) = cell.get() {
            return row.as_ref().map_err(Clone::clone);
        }
        let _depth = Depth::enter(name)?;
        let scope = RowScope {
            index: index.into(),
            time: collection.times.map(|times| times.at(index).into()),
            random: Random::new(self, &format!("{name}/{index}")),
        };
        // The row is made without holding the lock: a row that needs another one must not wait for a row that needs it.
        // The first thread to finish stores the row; the others made the same.
        let made = collection.template.render(&scope);
        cell.get_or_init(|| self.counted(name, made?.unwrap_or(Value::Null)))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// The row, unless there is no memory left for it.
    fn counted(&self, name: &str, row: Value) -> Result<Value, EvalError> {
        let before = self.bytes.fetch_add(memory(&row), Ordering::Relaxed);
        match before > MOST_BYTES {
            true => Err(EvalError {
                expression: name.to_owned(),
                reason: format!("the made-up rows take more than {} MiB", MOST_BYTES >> 20),
            }),
            false => Ok(row),
        }
    }

    /// The indexes of the rows of a series with `from <= time < until`, in seconds.
    pub(crate) fn between(&self, name: &str, from: i64, until: i64) -> std::ops::Range<usize> {
        let Some(collection) = self.collections.get(name) else {
            return 0..0;
        };
        let Some(times) = collection.times else {
            return 0..collection.rows.len();
        };
        let first_at = |time: i64| {
            let steps = time
                .saturating_sub(times.start)
                .saturating_add(times.every - 1)
                .div_euclid(times.every);
            usize::try_from(steps)
                .unwrap_or(0)
                .min(collection.rows.len())
        };
        first_at(from)..first_at(until).max(first_at(from))
    }
}

/// About how many bytes of memory a value takes.
fn memory(value: &Value) -> usize {
    let inside = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(memory).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(key, member)| key.len() + 2 * size_of::<usize>() + memory(member))
            .sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    size_of::<Value>() + inside
}

impl Times {
    fn at(self, index: usize) -> i64 {
        let index = i64::try_from(index).unwrap_or(i64::MAX);
        self.start.saturating_add(self.every.saturating_mul(index))
    }
}

/// The rows that are being made on this thread, each because the one before needs it.
struct Depth;

/// How many rows may be made because one row needs them. More only happens when a collection refers to itself.
const MOST_DEPTH: u32 = 8;

thread_local! {
    static DEPTH: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

impl Depth {
    /// # Errors
    /// When a collection refers to itself, which would never end.
    fn enter(name: &str) -> Result<Depth, EvalError> {
        DEPTH.with(|depth| {
            if depth.get() >= MOST_DEPTH {
                return Err(EvalError {
                    expression: format!("random.row('{name}')"),
                    reason: "the collection refers to itself".to_owned(),
                });
            }
            depth.set(depth.get() + 1);
            Ok(Depth)
        })
    }
}

impl Drop for Depth {
    fn drop(&mut self) {
        DEPTH.with(|depth| depth.set(depth.get() - 1));
    }
}

/// An RFC 3339 time in seconds; a mistake goes to `check`.
pub(crate) fn seconds(text: &str, pointer: &str, check: &Check) -> i64 {
    match text.parse::<jiff::Timestamp>() {
        Ok(time) => time.as_second(),
        Err(error) => {
            check.error(
                Code::BadSandbox,
                pointer,
                format!("`{text}` is no RFC 3339 time: {error}"),
            );
            0
        }
    }
}

struct RowScope {
    index: Value,
    time: Option<Value>,
    random: Random,
}

impl Scope for RowScope {
    fn json(&self, name: &str) -> Option<&Value> {
        match name {
            "index" => Some(&self.index),
            "time" => self.time.as_ref(),
            _ => None,
        }
    }

    fn native(&self, name: &str) -> Option<JinjaValue> {
        (name == "random").then(|| JinjaValue::from_object(self.random.clone()))
    }
}

/// The source of made-up values. Expressions call it `random`. Its methods:
///
/// - `int(low, high)`: an integer, both ends included;
/// - `pick(list)`: an item;
/// - `chance(p)`: true with probability `p`;
/// - `id(prefix, length)`: the prefix and letters and digits;
/// - `hex(length)`: lower-case hexadecimal digits;
/// - `row(collection)`: a row of another collection; `row(collection, index)`: the row with that index.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    data: Arc<Data>,
    state: Arc<AtomicU64>,
}

impl Random {
    /// A source whose values depend only on the sandbox's seed and this key.
    pub(crate) fn new(data: &Arc<Data>, key: &str) -> Random {
        let mut hasher = DefaultHasher::new();
        data.seed.hash(&mut hasher);
        key.hash(&mut hasher);
        Random {
            data: Arc::clone(data),
            state: Arc::new(AtomicU64::new(hasher.finish())),
        }
    }

    /// SplitMix64: small, and the same on every machine.
    fn next(&self) -> u64 {
        let step = self
            .state
            .fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        let mut z = step.wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    fn characters(&self, alphabet: &[u8], length: usize) -> String {
        (0..length)
            .map(|_| {
                let at = usize::try_from(self.below(alphabet.len() as u64)).unwrap_or(0);
                alphabet.get(at).copied().map_or('0', char::from)
            })
            .collect()
    }
}

impl Object for Random {
    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[JinjaValue],
    ) -> Result<JinjaValue, Error> {
        const LETTERS: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
        match method {
            "int" => {
                let (low, high): (i64, i64) = from_args(args)?;
                let width = high
                    .saturating_sub(low)
                    .saturating_add(1)
                    .max(1)
                    .unsigned_abs();
                let offset = i64::try_from(self.below(width)).unwrap_or(0);
                Ok((low + offset).into())
            }
            "pick" => {
                let (list,): (JinjaValue,) = from_args(args)?;
                let length = list.len().unwrap_or(0) as u64;
                list.get_item_by_index(usize::try_from(self.below(length)).unwrap_or(0))
            }
            "chance" => {
                let (probability,): (f64,) = from_args(args)?;
                let draw = self.below(1 << 53) as f64 / (1_u64 << 53) as f64;
                Ok((draw < probability).into())
            }
            "id" => {
                let (prefix, length): (String, usize) = from_args(args)?;
                let length = length.min(LONGEST);
                Ok(format!("{prefix}{}", self.characters(LETTERS, length)).into())
            }
            "hex" => {
                let (length,): (usize,) = from_args(args)?;
                let length = length.min(LONGEST);
                Ok(self.characters(b"0123456789abcdef", length).into())
            }
            "row" => {
                let (name, index): (String, Option<usize>) = from_args(args)?;
                let drawn = || self.below(self.data.len(&name) as u64);
                let index = index.unwrap_or_else(|| usize::try_from(drawn()).unwrap_or(0));
                let row = self
                    .data
                    .row(&name, index)
                    .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))?;
                Ok(JinjaValue::from(Serde(row)))
            }
            other => Err(Error::new(
                ErrorKind::UnknownMethod,
                format!("random has no method {other}"),
            )),
        }
    }
}

/// A scope of named values.
#[derive(Debug, Default)]
pub(crate) struct Values {
    plain: BTreeMap<&'static str, Value>,
    native: BTreeMap<&'static str, JinjaValue>,
}

impl Values {
    /// Binds a name; an earlier binding is replaced.
    pub(crate) fn put(&mut self, name: &'static str, value: impl Into<Value>) {
        self.plain.insert(name, value.into());
    }

    /// Binds a name to a value that JSON cannot hold.
    pub(crate) fn put_native(&mut self, name: &'static str, value: JinjaValue) {
        self.native.insert(name, value);
    }

    /// An argument of the request; `None` when it is absent or null.
    pub(crate) fn argument(&self, name: &str) -> Option<&Value> {
        let argument = self.plain.get("args")?.get(name)?;
        (!argument.is_null()).then_some(argument)
    }

    /// The row that is bound to `row`.
    pub(crate) fn row(&self) -> Option<&Value> {
        self.plain.get("row")
    }

    /// Binds `found` to the row that is bound to `row`, so that `row` can be bound to each row of a list. Returns that
    /// row.
    pub(crate) fn bind_found(&mut self) -> Option<Value> {
        let own = self.plain.remove("row")?;
        self.put("found", own.clone());
        Some(own)
    }

    /// Restores `row` to what it was before [`Values::bind_found`].
    pub(crate) fn restore_row(&mut self, own: Option<Value>) {
        match own {
            Some(own) => self.put("row", own),
            None => {
                self.plain.remove("row");
            }
        }
    }
}

impl Scope for Values {
    fn json(&self, name: &str) -> Option<&Value> {
        self.plain.get(name)
    }

    fn native(&self, name: &str) -> Option<JinjaValue> {
        self.native.get(name).cloned()
    }
}
