//! What both databases have in common: values, rows, and a transaction.

use std::future::Future;
use std::pin::Pin;

use super::StoreError;

/// A value in a statement or a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Param {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl From<i64> for Param {
    fn from(value: i64) -> Param {
        Param::Int(value)
    }
}

impl From<&str> for Param {
    fn from(value: &str) -> Param {
        Param::Text(value.to_owned())
    }
}

impl From<String> for Param {
    fn from(value: String) -> Param {
        Param::Text(value)
    }
}

impl From<Vec<u8>> for Param {
    fn from(value: Vec<u8>) -> Param {
        Param::Bytes(value)
    }
}

impl<T: Into<Param>> From<Option<T>> for Param {
    fn from(value: Option<T>) -> Param {
        value.map_or(Param::Null, Into::into)
    }
}

/// A row of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row(pub(super) Vec<Param>);

impl Row {
    /// A whole number; zero stands for null.
    pub(super) fn int(&self, at: usize) -> Result<i64, StoreError> {
        match self.0.get(at) {
            Some(Param::Int(value)) => Ok(*value),
            Some(Param::Null) => Ok(0),
            _ => Err(StoreError::Broken("a number")),
        }
    }

    pub(super) fn maybe_int(&self, at: usize) -> Result<Option<i64>, StoreError> {
        match self.0.get(at) {
            Some(Param::Null) => Ok(None),
            _ => self.int(at).map(Some),
        }
    }

    pub(super) fn text(&mut self, at: usize) -> Result<String, StoreError> {
        self.maybe_text(at)?.ok_or(StoreError::Broken("a text"))
    }

    pub(super) fn maybe_text(&mut self, at: usize) -> Result<Option<String>, StoreError> {
        match self.0.get_mut(at) {
            Some(Param::Text(value)) => Ok(Some(std::mem::take(value))),
            Some(Param::Null) => Ok(None),
            _ => Err(StoreError::Broken("a text")),
        }
    }

    pub(super) fn bytes(&mut self, at: usize) -> Result<Vec<u8>, StoreError> {
        match self.0.get_mut(at) {
            Some(Param::Bytes(value)) => Ok(std::mem::take(value)),
            _ => Err(StoreError::Broken("a value")),
        }
    }
}

pub(super) type Answer<'t, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 't>>;

/// A transaction. Statements number their values `?1`, `?2`; these words in them differ between the databases:
/// `{now}` is the time of the database in microseconds since 1970, `{locked}` locks the rows of a `select` and leaves out
/// those that others have locked, `{lock}` locks and waits.
pub(super) trait Tx: Send {
    /// Runs a statement and gives its rows.
    fn rows<'t>(&'t mut self, sql: &'t str, values: Vec<Param>) -> Answer<'t, Vec<Row>>;

    /// Runs a statement and gives how many rows it changed.
    fn run<'t>(&'t mut self, sql: &'t str, values: Vec<Param>) -> Answer<'t, u64>;

    /// Inserts many rows: `head (...) values ... tail`. Gives how many rows are new.
    fn insert<'t>(
        &'t mut self,
        head: &'t str,
        rows: Vec<Vec<Param>>,
        tail: &'t str,
    ) -> Answer<'t, u64>;
}

/// Work in a transaction. It may be done more than once.
pub(super) trait Work<T>:
    for<'t> Fn(&'t mut dyn Tx) -> Answer<'t, T> + Send + Sync + 'static
{
}

impl<T, F> Work<T> for F where F: for<'t> Fn(&'t mut dyn Tx) -> Answer<'t, T> + Send + Sync + 'static
{}

/// What a commit must survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// The death of the machine.
    Machine,
    /// The death of the process. After that of the machine the last commits may be missing, in order.
    Process,
}

/// The chance to end the process before each statement, for the tests that kill it there. Only dev builds have it.
pub(super) fn fault() {
    #[cfg(debug_assertions)]
    {
        use std::sync::OnceLock;
        use std::sync::atomic::{AtomicI64, Ordering};
        static LEFT: OnceLock<Option<AtomicI64>> = OnceLock::new();
        let left = LEFT.get_or_init(|| {
            let text = std::env::var("TOOLRUN_FAULT_STATEMENTS").ok()?;
            Some(AtomicI64::new(text.parse().ok()?))
        });
        if let Some(left) = left
            && left.fetch_sub(1, Ordering::SeqCst) <= 0
        {
            std::process::abort();
        }
    }
}
