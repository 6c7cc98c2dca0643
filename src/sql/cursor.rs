//! A cursor: where a query is in a table. It fetches a page when its first row is needed, and no sooner.

use std::cell::{Cell as Slot, RefCell};
use std::hash::BuildHasher;
use std::sync::Arc;

use rusqlite::types::Value as Sql;
use serde_json::{Map, Value};

use super::error::SqlError;
use super::plan::Plan;
use super::reader::{Node, Occurrences, Walk};
use super::session::Session;
use super::table::{self, Holds, Table};
use super::value::{self, Cell};
use crate::json::{Kind, Part};

/// Where a query is in a table.
pub(super) struct Position {
    session: Arc<Session>,
    table: Arc<Table>,
    walk: Option<Arc<Walk>>,
    page: Option<Arc<Node>>,
    row: usize,
    /// Where the fields of the row are.
    places: Vec<Option<(usize, usize)>>,
    /// What the query gave for each param.
    given: Vec<Option<Sql>>,
    /// How often each row was met, for their ids.
    met: RefCell<Occurrences>,
    id: Slot<Option<i64>>,
}

/// A value of the row at a cursor.
pub(super) enum Found<'c> {
    Cell(Cell<'c>),
    Given(&'c Sql),
    Default(Sql),
}

impl Position {
    pub(super) fn new(session: &Arc<Session>, table: &Arc<Table>) -> Position {
        Position {
            session: Arc::clone(session),
            table: Arc::clone(table),
            walk: None,
            page: None,
            row: 0,
            places: Vec::new(),
            given: Vec::new(),
            met: RefCell::default(),
            id: Slot::new(None),
        }
    }

    /// Begins at the first row, with these values of the plan.
    ///
    /// # Errors
    /// When a value is not what the tool takes, or the first page cannot be read.
    pub(super) fn begin(&mut self, plan: &Plan, values: Vec<Sql>) -> Result<(), SqlError> {
        self.walk = None;
        self.page = None;
        self.row = 0;
        self.met = RefCell::default();
        if !self.session.may_read() {
            return Ok(());
        }
        let (values, limits) = values.split_at(plan.given.len().min(values.len()));
        // Nothing equals null.
        if values.iter().any(|value| matches!(value, Sql::Null)) {
            return Ok(());
        }
        self.given = vec![None; self.table.params.len()];
        let mut arguments = Map::new();
        for (given, value) in plan.given.iter().zip(values) {
            let param = &self.table.params[given.param];
            let argument = value::argument(&param.schema, value)
                .map_err(|reason| self.not_taken(plan, given.param, value, reason))?;
            arguments.insert(param.name.clone(), argument);
            self.given[given.param] = Some(value.clone());
        }
        self.check(plan, &arguments)?;
        let wanted = rows_wanted(limits);
        let reader = &self.session.reader;
        let walk = reader.open(&self.table, arguments, wanted)?;
        self.page = reader.first(&walk)?;
        self.walk = Some(walk);
        self.settle()
    }

    /// Refuses arguments before anything is sent, in the words of the query.
    fn check(&self, plan: &Plan, arguments: &Map<String, Value>) -> Result<(), SqlError> {
        let accepted = self.table.tool.accept(Value::Object(arguments.clone()));
        let Err(problems) = accepted else {
            return Ok(());
        };
        for problem in &problems {
            let name = problem
                .argument
                .split(['[', '.'])
                .next()
                .unwrap_or_default();
            let param = self
                .table
                .params
                .iter()
                .position(|param| param.name == name);
            let value =
                param.and_then(|param| self.given[param].as_ref().map(|value| (param, value)));
            if let Some((param, value)) = value {
                return Err(self.not_taken(plan, param, value, problem.message.clone()));
            }
            if let Some(param) = param.filter(|_| problem.rule == "required") {
                return Err(SqlError::Missing {
                    table: self.table.name.clone(),
                    columns: vec![super::session::needed(&self.table, param)],
                    is_circular: false,
                });
            }
        }
        let reasons: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Err(SqlError::Arguments {
            table: self.table.name.clone(),
            reason: reasons.join("; "),
        })
    }

    fn not_taken(&self, plan: &Plan, param: usize, value: &Sql, reason: String) -> SqlError {
        let given = plan.given.iter().find(|given| given.param == param);
        let column = given.map_or(self.table.params[param].column.as_str(), |given| {
            &self.table.columns[given.column].name
        });
        SqlError::Value {
            table: self.table.name.clone(),
            column: super::session::written(column),
            value: value::shown(value),
            reason,
        }
    }

    /// Goes to the next row.
    ///
    /// # Errors
    /// When the next page cannot be read.
    pub(super) fn advance(&mut self) -> Result<(), SqlError> {
        self.row += 1;
        self.settle()
    }

    /// Goes to the next page while the one at hand has no more rows, and looks at the row.
    fn settle(&mut self) -> Result<(), SqlError> {
        self.id.set(None);
        loop {
            let (Some(page), Some(walk)) = (&self.page, &self.walk) else {
                return Ok(());
            };
            if let Some(row) = page.page.row(self.row) {
                let unknown = table::fields(&self.table, row, &mut self.places);
                if let Some(field) = unknown {
                    self.tell_unknown(&field);
                }
                return Ok(());
            }
            let next = self.session.reader.after(walk, page)?;
            self.page = next;
            self.row = 0;
        }
    }

    /// A field without a column is in the column of the whole row alone.
    fn tell_unknown(&self, field: &str) {
        let mut columns = self.table.columns.iter();
        let row = columns.find(|column| column.holds == Holds::Row);
        if let Some(row) = row.filter(|row| row.is_hidden) {
            let (table, row) = (&self.table.name, &row.name);
            let note = format!(
                "the rows of {table} have fields that its schema does not name, such as `{}`: the column `{row}` has them",
                value::short(field.to_owned())
            );
            self.session
                .reader
                .note(&format!("fields of {table}"), note);
        }
    }

    /// Whether there is no row here.
    pub(super) fn is_at_end(&self) -> bool {
        self.page.is_none()
    }

    fn row(&self) -> Option<Part<'_>> {
        self.page.as_ref()?.page.row(self.row)
    }

    /// The value of a column.
    pub(super) fn value(&self, column: usize) -> Found<'_> {
        let null = Found::Cell(Cell::Null);
        let Some(own) = self.table.columns.get(column) else {
            return null;
        };
        match own.holds {
            Holds::Param(param) => match self.given.get(param) {
                Some(Some(value)) => Found::Given(value),
                _ => self.unset(param),
            },
            Holds::Field(place) => {
                let field = self.places.get(place).copied().flatten();
                let (Some(row), Some((start, end))) = (self.row(), field) else {
                    return null;
                };
                let (cell, is_odd) = Cell::of(Part::between(row.text(), start, end));
                if is_odd {
                    self.tell_odd(&own.name);
                }
                Found::Cell(cell)
            }
            Holds::Row => match self.row() {
                Some(row) if matches!(row.kind(), Kind::Object | Kind::Array) => {
                    Found::Cell(Cell::Text(value::compact(row)))
                }
                Some(row) => Found::Cell(Cell::of(row).0),
                None => null,
            },
        }
    }

    /// Notes something about a column, once.
    fn note(&self, column: &str, note: String) {
        let about = format!("{}.{column}", self.table.name);
        self.session.reader.note(&about, note);
    }

    fn tell_odd(&self, column: &str) {
        let table = &self.table.name;
        self.note(column, format!(
            "{table}.{column} has numbers that neither an integer of 64 bits nor a double holds exactly: they are texts here"
        ));
    }

    /// A param that the query does not set says nothing about the row.
    fn unset(&self, param: usize) -> Found<'_> {
        let own = &self.table.params[param];
        let value = own.default.as_ref().map_or(Sql::Null, value::of_json);
        let (table, column) = (&self.table.name, super::session::written(&own.column));
        self.note(&column, format!(
            "{table}.{column} is a param, which only `=` and `in` set; where the query does not, it is {}",
            value::shown(&value)
        ));
        Found::Default(value)
    }

    /// The id of the row: the same for the same row, also when it is read by another way, as for both sides of an `or`.
    /// Rows that are alike have different ones.
    pub(super) fn id(&self) -> i64 {
        if let Some(id) = self.id.get() {
            return id;
        }
        let text = self.row().map(|row| value::compact(row).into_owned());
        let hash = self.session.hasher.hash_one((&self.table.name, text));
        let before = self.met.borrow_mut().next(hash);
        let id = self.session.hasher.hash_one((hash, before)) as i64;
        self.id.set(Some(id));
        id
    }
}

/// How many rows the query wants at most, where that is known.
fn rows_wanted(limits: &[Sql]) -> Option<u64> {
    let number = |at: usize| match limits.get(at) {
        Some(Sql::Integer(number)) => u64::try_from(*number).ok(),
        _ => None,
    };
    let skipped = match limits.len() {
        2 => number(1).unwrap_or(0),
        _ => 0,
    };
    Some(number(0)?.saturating_add(skipped))
}
