//! Tools as virtual tables of SQLite. This is the one file with unsafe code: two traits of rusqlite are unsafe to implement,
//! because SQLite reads the beginning of their values, and one function of SQLite has no safe form. Whatever is called from here runs guarded, so that no panic reaches C.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_int};
use std::marker::PhantomData;
use std::sync::Arc;

use rusqlite::types::Value as Sql;
use rusqlite::vtab::{
    Context, Filters, IndexConstraintOp, IndexInfo, Module, VTab, VTabConnection, VTabCursor,
    sqlite3_vtab, sqlite3_vtab_cursor,
};
use rusqlite::{Connection, Result};

use super::cursor::{Found, Position};
use super::error::SqlError;
use super::plan::{Compares, Comparison};
use super::session::Session;
use super::table::Table;

/// What a table is made of: the query that it belongs to, and the tool's name.
pub(super) struct Named {
    pub session: Arc<Session>,
    pub tool: String,
}

/// What marks our plans in the answers of `EXPLAIN QUERY PLAN`.
pub(super) const MARK: &str = "toolrun";

/// A table that one query reads.
#[repr(C)]
struct ToolTable<'vtab> {
    /// SQLite's own part, which must come first.
    base: sqlite3_vtab,
    session: Arc<Session>,
    table: Arc<Table>,
    place: usize,
    lives: PhantomData<&'vtab ()>,
}

/// Where a query is in a table.
#[repr(C)]
struct ToolCursor<'vtab> {
    /// SQLite's own part, which must come first.
    base: sqlite3_vtab_cursor,
    session: Arc<Session>,
    position: Position,
    lives: PhantomData<&'vtab ()>,
}

/// Makes a table of a tool, which is loaded when a query names it.
pub(super) fn add(connection: &Connection, name: &str, named: Named) -> Result<()> {
    const MODULE: &Module<ToolTable<'_>> = &Module::eponymous_only_module();
    connection.create_module(name, MODULE, Some(named))
}

/// Bytes of memory that SQLite uses now, in the whole process.
pub(super) fn memory_used() -> u64 {
    // SAFETY: the function takes nothing, only reads a counter, and may be called from any thread at any time.
    #[allow(unsafe_code, reason = "rusqlite has no safe form of it")]
    let bytes = unsafe { rusqlite::ffi::sqlite3_memory_used() };
    u64::try_from(bytes).unwrap_or_default()
}

// SAFETY: `ToolTable` is `repr(C)` and begins with `sqlite3_vtab`, which is what the trait asks for.
#[allow(
    unsafe_code,
    reason = "SQLite relies on the layout, which the compiler cannot check"
)]
unsafe impl<'vtab> VTab<'vtab> for ToolTable<'vtab> {
    type Aux = Named;
    type Cursor = ToolCursor<'vtab>;

    fn connect(
        _db: &mut VTabConnection,
        aux: Option<&Named>,
        _module_name: &[u8],
        _database_name: &[u8],
        _table_name: &[u8],
        _args: &[&[u8]],
    ) -> Result<(Cow<'static, CStr>, ToolTable<'vtab>)> {
        let Some(named) = aux else {
            return Err(rusqlite::Error::InvalidQuery);
        };
        let session = &named.session;
        session.guarded(|| {
            let (place, table) = session.table(&named.tool)?;
            let declaration = CString::new(table.declaration());
            let declaration = declaration.map_err(|_| SqlError::NotATable {
                name: table.name.clone(),
                reason: "a name of its columns holds a zero".to_owned(),
            })?;
            let own = ToolTable {
                base: sqlite3_vtab::default(),
                session: Arc::clone(session),
                table,
                place,
                lives: PhantomData,
            };
            Ok((Cow::Owned(declaration), own))
        })
    }

    fn best_index(&self, info: &mut IndexInfo) -> Result<bool> {
        let session = &self.session;
        let planned = session.guarded(|| {
            let comparisons = comparisons(info);
            session.plan(
                self.place,
                &self.table,
                &comparisons,
                info.num_of_order_by() > 0,
            )
        })?;
        let Some((number, plan)) = planned else {
            return Ok(false);
        };
        session.guarded(|| {
            let arguments = plan
                .taken
                .iter()
                .copied()
                .chain(plan.limit)
                .chain(plan.offset);
            for (at, comparison) in arguments.enumerate() {
                // SQLite compares the rows itself too: what the tool makes of an argument is a help, and no promise.
                info.constraint_usage(comparison)
                    .set_argv_index(at as c_int + 1);
            }
            info.set_idx_num(number);
            info.set_idx_str(&format!("{MARK} {}", plan.short(&self.table)));
            info.set_estimated_cost(plan.cost);
            info.set_estimated_rows(plan.estimated_rows);
            Ok(true)
        })
    }

    fn open(&'vtab mut self) -> Result<ToolCursor<'vtab>> {
        Ok(ToolCursor {
            base: sqlite3_vtab_cursor::default(),
            session: Arc::clone(&self.session),
            position: Position::new(&self.session, &self.table),
            lives: PhantomData,
        })
    }
}

// SAFETY: `ToolCursor` is `repr(C)` and begins with `sqlite3_vtab_cursor`, which is what the trait asks for.
#[allow(
    unsafe_code,
    reason = "SQLite relies on the layout, which the compiler cannot check"
)]
unsafe impl VTabCursor for ToolCursor<'_> {
    fn filter(&mut self, number: c_int, _text: Option<&str>, values: &Filters<'_>) -> Result<()> {
        let (session, position) = (&self.session, &mut self.position);
        session.guarded(|| {
            let values: Result<Vec<Sql>> = (0..values.len()).map(|at| values.get(at)).collect();
            let values = values.map_err(|error| SqlError::Statement(error.to_string()))?;
            match session.planned(number) {
                Some((plan, _)) => position.begin(&plan, values),
                None => Err(SqlError::Statement("the plan was lost".to_owned())),
            }
        })
    }

    fn next(&mut self) -> Result<()> {
        let (session, position) = (&self.session, &mut self.position);
        session.guarded(|| position.advance())
    }

    fn eof(&self) -> bool {
        self.position.is_at_end()
    }

    fn column(&self, context: &mut Context, column: c_int) -> Result<()> {
        let position = &self.position;
        self.session.guarded(|| {
            let value = position.value(usize::try_from(column).unwrap_or(usize::MAX));
            let set = match &value {
                Found::Cell(cell) => context.set_result(cell),
                Found::Given(value) => context.set_result(value),
                Found::Default(value) => context.set_result(value),
            };
            set.map_err(|error| SqlError::Statement(error.to_string()))
        })
    }

    fn rowid(&self) -> Result<i64> {
        self.session.guarded(|| Ok(self.position.id()))
    }
}

/// What SQLite offers to compare.
fn comparisons(info: &IndexInfo) -> Vec<Comparison> {
    let offered = info.constraints().enumerate();
    let comparison = |(at, constraint): (usize, rusqlite::vtab::IndexConstraint<'_>)| {
        let compares = match constraint.operator() {
            IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_EQ => Compares::Equal,
            IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_LIMIT => Compares::Limit,
            IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_OFFSET => Compares::Offset,
            _ => Compares::Otherwise,
        };
        let is_equal = compares == Compares::Equal;
        let is_exact = || {
            info.collation(at)
                .is_ok_and(|name| name.eq_ignore_ascii_case("binary"))
        };
        let constant = match compares {
            Compares::Otherwise => None,
            _ => info.rhs_value(at).ok().flatten(),
        };
        Comparison {
            column: match compares {
                Compares::Limit | Compares::Offset => None,
                _ => usize::try_from(constraint.column()).ok(),
            },
            compares,
            is_usable: constraint.is_usable(),
            is_exact: is_equal && is_exact(),
            is_in: is_equal && info.is_in_constraint(at).unwrap_or_default(),
            constant: constant.and_then(|value| Sql::try_from(value).ok()),
        }
    };
    offered.map(comparison).collect()
}
