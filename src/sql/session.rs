//! One query: its tables and plans, what went wrong in it, and how long it may take.

use std::hash::RandomState;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::error::SqlError;
use super::plan::{Comparison, Lacking, Plan, plan};
use super::reader::Reader;
use super::table::{Holds, Table};
use crate::send::{Limit, SendError};

/// How much a query may do.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Requests.
    pub requests: u32,
    /// The time of the whole query, and when it began.
    pub deadline: Option<(Duration, Instant)>,
    /// The time that it may compute, apart from its requests.
    pub computing: Duration,
    /// Bytes of pages that are kept for another reading by the same query.
    pub kept_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            requests: 100,
            deadline: None,
            computing: Duration::from_secs(60),
            kept_bytes: 64 << 20,
        }
    }
}

/// How often the planner may be asked about one table: thousands of ways to join are too many.
const MOST_PLANS: usize = 20_000;

/// What the parts of one query share. All of it runs on one thread.
pub(super) struct Session {
    pub reader: Reader,
    pub hasher: RandomState,
    limits: Limits,
    started: Instant,
    state: Mutex<State>,
    /// Whether tables may be read; a plan alone reads none.
    reads: AtomicBool,
}

#[derive(Default)]
struct State {
    tables: Vec<Arc<Table>>,
    plans: Vec<Arc<Plan>>,
    asked: usize,
    lacking: Vec<(usize, Lacking)>,
    error: Option<SqlError>,
}

impl Session {
    pub(super) fn new(reader: Reader, limits: Limits) -> Session {
        Session {
            reader,
            hasher: RandomState::new(),
            limits,
            started: Instant::now(),
            state: Mutex::default(),
            reads: AtomicBool::new(true),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets whether tables may be read.
    pub(super) fn set_reads(&self, reads: bool) {
        self.reads.store(reads, Ordering::Relaxed);
    }

    pub(super) fn may_read(&self) -> bool {
        self.reads.load(Ordering::Relaxed)
    }

    /// Keeps what went wrong. The first mistake counts: the others follow from it.
    pub(super) fn fail(&self, error: SqlError) -> rusqlite::Error {
        let text = error.to_string().replace('\0', " ");
        self.state().error.get_or_insert(error);
        rusqlite::Error::ModuleError(text)
    }

    /// What went wrong.
    pub(super) fn error(&self) -> Option<SqlError> {
        self.state().error.clone()
    }

    /// Runs a callback of SQLite. A panic must not reach it.
    pub(super) fn guarded<T>(
        &self,
        work: impl FnOnce() -> Result<T, SqlError>,
    ) -> rusqlite::Result<T> {
        let done = catch_unwind(AssertUnwindSafe(work));
        let done = done.unwrap_or_else(|_| {
            let reason = "the program made a mistake while it read a table";
            Err(SqlError::Statement(reason.to_owned()))
        });
        done.map_err(|error| self.fail(error))
    }

    /// The table of a tool, by the name that the query uses.
    ///
    /// # Errors
    /// When there is no such tool, or it is no table.
    pub(super) fn table(&self, name: &str) -> Result<(usize, Arc<Table>), SqlError> {
        let tool = self.reader.source().tool(name)?;
        let qualified = tool.qualified_name();
        let mut state = self.state();
        let known = state
            .tables
            .iter()
            .position(|table| table.tool.qualified_name() == qualified);
        if let Some(at) = known {
            return Ok((at, Arc::clone(&state.tables[at])));
        }
        let table = Table::new(&tool).map_err(|reason| SqlError::NotATable {
            name: super::table::table_name(name),
            reason,
        })?;
        let table = Arc::new(table);
        state.tables.push(Arc::clone(&table));
        Ok((state.tables.len() - 1, table))
    }

    /// The tables that the query has named so far.
    pub(super) fn tables(&self) -> Vec<Arc<Table>> {
        self.state().tables.clone()
    }

    /// Plans how to read a table; `None` if it cannot be read in the order of tables that SQLite thinks of.
    ///
    /// # Errors
    /// When the planning takes too long.
    pub(super) fn plan(
        &self,
        place: usize,
        table: &Table,
        comparisons: &[Comparison],
        is_ordered: bool,
    ) -> Result<Option<(i32, Arc<Plan>)>, SqlError> {
        self.check_time()?;
        let mut state = self.state();
        state.asked += 1;
        if state.asked > MOST_PLANS {
            let reason = "the query joins its tables in too many ways; join fewer at once";
            return Err(SqlError::Statement(reason.to_owned()));
        }
        let new = match plan(table, place, comparisons, is_ordered) {
            Ok(new) => new,
            Err(lacking) => {
                state.lacking.push((place, lacking));
                return Ok(None);
            }
        };
        let at = match state.plans.iter().position(|old| **old == new) {
            Some(at) => at,
            None => {
                state.plans.push(Arc::new(new));
                state.plans.len() - 1
            }
        };
        Ok(Some((at as i32, Arc::clone(&state.plans[at]))))
    }

    /// The plan of a number.
    pub(super) fn planned(&self, number: i32) -> Option<(Arc<Plan>, Arc<Table>)> {
        let state = self.state();
        let plan = state.plans.get(usize::try_from(number).ok()?)?;
        let table = state.tables.get(plan.table)?;
        Some((Arc::clone(plan), Arc::clone(table)))
    }

    /// What a query without a solution lacks.
    pub(super) fn lacking(&self) -> Option<SqlError> {
        let state = self.state();
        let missing = |is_compared: bool| {
            state.lacking.iter().find_map(|(place, lacking)| {
                let table = state.tables.get(*place)?;
                let params: Vec<usize> = lacking
                    .params
                    .iter()
                    .filter(|(_, compared)| *compared == is_compared)
                    .map(|(param, _)| *param)
                    .collect();
                (!params.is_empty()).then(|| SqlError::Missing {
                    table: table.name.clone(),
                    columns: params.iter().map(|param| needed(table, *param)).collect(),
                    is_circular: is_compared,
                })
            })
        };
        missing(false).or_else(|| missing(true))
    }

    /// Whether the query may go on.
    ///
    /// # Errors
    /// When it was stopped, or its time is over.
    pub(super) fn check_time(&self) -> Result<(), SqlError> {
        if self.reader.is_stopped() {
            return Err(SqlError::Stopped);
        }
        let now = Instant::now();
        if let Some((within, since)) = self.limits.deadline
            && now.saturating_duration_since(since) >= within
        {
            let limit = Limit::Deadline;
            let error = SendError::Timeout { within, limit };
            return Err(SqlError::Late(Box::new(error.into())));
        }
        let computed = now.saturating_duration_since(self.started);
        let most = self.limits.computing;
        match computed.saturating_sub(self.reader.waited()) > most {
            true => Err(SqlError::Computing(most)),
            false => Ok(()),
        }
    }
}

/// The column that a query should compare to give a param its value: the field of the same meaning, or the param itself.
pub(super) fn needed(table: &Table, param: usize) -> String {
    let fields = table.columns.iter();
    let field = fields
        .filter(|column| matches!(column.holds, Holds::Field(_)))
        .find(|column| column.param == Some(param));
    let name = field.map_or(&table.params[param].column, |column| &column.name);
    written(name)
}

/// A name as a query writes it: in quotes where it needs them.
pub(super) fn written(name: &str) -> String {
    const WORDS: [&str; 16] = [
        "all", "from", "group", "in", "index", "is", "key", "limit", "offset", "on", "order",
        "select", "table", "to", "values", "where",
    ];
    let is_plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty();
    match is_plain && !WORDS.contains(&name.to_ascii_lowercase().as_str()) {
        true => name.to_owned(),
        false => super::table::quoted(name),
    }
}
