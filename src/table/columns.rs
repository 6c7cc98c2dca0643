//! The columns of a table, and how they grow with the rows.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::cell::Cell;
use crate::json::{Json, Kind, Part};

/// The column of rows that are no objects.
pub(crate) const VALUE: &str = "value";
/// The column of the members for which the table has no more columns: an object as JSON text.
pub(crate) const REST: &str = "_toolrun_rest";

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Type {
    /// It has no value so far.
    Unknown,
    Bool,
    /// A 64-bit integer.
    Integer,
    /// A double.
    Float,
    Text,
    /// JSON texts: lists, objects, long numbers, or values of several types.
    Json,
}

impl Type {
    /// The name for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Type::Unknown => "unknown",
            Type::Bool => "bool",
            Type::Integer => "integer",
            Type::Float => "float",
            Type::Text => "text",
            Type::Json => "json",
        }
    }
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Column {
    #[serde(rename = "type")]
    pub kind: Type,
    /// Whether it has an integer that a double may not hold.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wide: bool,
}

impl Column {
    /// A column of this type.
    pub(crate) fn new(kind: Type) -> Column {
        Column { kind, wide: false }
    }

    /// The type that holds the values so far and this one.
    fn with(&self, cell: &Cell<'_>) -> Type {
        match (self.kind, cell.kind()) {
            (own, Type::Unknown) => own,
            (Type::Unknown, new) => new,
            (own, new) if own == new => own,
            (Type::Integer, Type::Float) if !self.wide => Type::Float,
            (Type::Float, Type::Integer) if !cell.is_wide() => Type::Float,
            _ => Type::Json,
        }
    }
}

/// What may change about the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Growth {
    /// Columns are added and widened.
    Open,
    /// They stay; what does not fit is told.
    Closed,
}

/// How a row changed the columns, or what of it does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// A new column.
    Added(String),
    /// A column got its first value, or became one of doubles.
    Widened(String, Type),
    /// A column has values of several types now, and became one of JSON texts.
    Conflict(String, Type),
    /// A value for which there is no column, or none of its type.
    Misfit(String),
}

/// The columns of a table, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns {
    list: IndexMap<String, Column>,
    /// The most columns; further members go to [`REST`].
    most: usize,
    /// Whether values stay the JSON texts that they are, so that no column has a type.
    is_raw: bool,
    /// What makes a text one that a column of texts does not hold.
    refused: Option<char>,
}

impl Columns {
    /// No columns, and at most this many.
    pub(crate) fn new(most: usize) -> Columns {
        Columns {
            list: IndexMap::new(),
            most,
            is_raw: false,
            refused: None,
        }
    }

    /// Columns of JSON texts.
    pub(crate) fn raw(self) -> Columns {
        Columns {
            is_raw: true,
            ..self
        }
    }

    /// Texts with this character are JSON texts, which escape it.
    #[cfg(feature = "postgres")]
    pub(crate) fn refusing(self, refused: Option<char>) -> Columns {
        Columns { refused, ..self }
    }

    /// Adds a column, unless there is one of that name.
    pub(crate) fn add(&mut self, name: &str, column: Column) {
        self.list.entry(name.to_owned()).or_insert(column);
    }

    /// The columns and their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Column)> {
        self.list
            .iter()
            .map(|(name, column)| (name.as_str(), column))
    }

    /// The names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.list.keys().map(String::as_str)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// Where a column is.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.list.get_index_of(name)
    }

    /// The type of the column at a place.
    pub(crate) fn kind(&self, at: usize) -> Type {
        self.list
            .get_index(at)
            .map_or(Type::Json, |(_, column)| column.kind)
    }

    /// The value of a part as the columns take it.
    fn cell<'t>(&self, part: Part<'t>) -> Cell<'t> {
        match (self.is_raw, Cell::of(part)) {
            (true, _) => Cell::raw(part),
            (false, Cell::Text(text)) if self.refused.is_some_and(|c| text.contains(c)) => {
                Cell::raw(part)
            }
            (false, cell) => cell,
        }
    }

    /// Makes place for a row. Gives what changed, and what does not fit.
    pub(crate) fn learn(&mut self, row: Part<'_>, growth: Growth) -> Vec<Change> {
        let mut changes = Vec::new();
        for (name, part) in members(row) {
            let cell = self.cell(part);
            let Some(column) = self.list.get_mut(&*name) else {
                match growth {
                    Growth::Closed if self.list.contains_key(REST) => {}
                    Growth::Closed => changes.push(Change::Misfit(name.into_owned())),
                    Growth::Open => self.place(name.into_owned(), &cell, &mut changes),
                }
                continue;
            };
            let (was, kind) = (column.kind, column.with(&cell));
            if was != kind && was != Type::Unknown && growth == Growth::Closed {
                changes.push(Change::Misfit(name.into_owned()));
                continue;
            }
            column.wide |= cell.is_wide();
            if was != kind {
                column.kind = kind;
                let is_conflict = kind == Type::Json && was != Type::Unknown;
                changes.push(match is_conflict {
                    true => Change::Conflict(name.into_owned(), was),
                    false => Change::Widened(name.into_owned(), was),
                });
            }
        }
        changes
    }

    fn place(&mut self, name: String, cell: &Cell<'_>, changes: &mut Vec<Change>) {
        // One place is left for the rest.
        let (name, kind) = match self.list.len() + 1 < self.most {
            true => (name, cell.kind()),
            false if self.list.contains_key(REST) => return,
            false => (REST.to_owned(), Type::Json),
        };
        let wide = cell.is_wide();
        self.list.insert(name.clone(), Column { kind, wide });
        changes.push(Change::Added(name));
    }

    /// The values of a row in the columns' order. What does not fit is null: [`Columns::learn`] told it.
    pub(crate) fn cells<'t>(&self, row: Part<'t>) -> Vec<Cell<'t>> {
        let mut cells = vec![Cell::Null; self.list.len()];
        let mut rest: Option<Vec<u8>> = None;
        let rest_at = self.list.get_index_of(REST);
        for (name, part) in members(row) {
            match self.list.get_full(&*name) {
                Some((at, _, column)) => {
                    let cell = self.cell(part);
                    let kind = match self.is_raw {
                        true => Type::Json,
                        false => column.kind,
                    };
                    cells[at] = cell.fit(kind).unwrap_or(Cell::Null);
                }
                None if rest_at.is_some() => {
                    let rest = rest.get_or_insert_with(|| vec![b'{']);
                    if rest.len() > 1 {
                        rest.push(b',');
                    }
                    rest.extend_from_slice(Json::of_text(&name).bytes());
                    rest.push(b':');
                    rest.extend_from_slice(match &Cell::raw(part) {
                        Cell::Json(text) => text.as_bytes(),
                        _ => b"null",
                    });
                }
                None => {}
            }
        }
        if let (Some(at), Some(mut rest)) = (rest_at, rest) {
            rest.push(b'}');
            cells[at] = Cell::Json(String::from_utf8(rest).unwrap_or_default().into());
        }
        cells
    }

    /// Values of other columns in these, which have grown out of them.
    pub(crate) fn moved<'t>(&self, from: &Columns, cells: Vec<Cell<'t>>) -> Vec<Cell<'t>> {
        let mut moved = vec![Cell::Null; self.list.len()];
        for (name, cell) in from.names().zip(cells) {
            if let Some((at, _, column)) = self.list.get_full(name) {
                moved[at] = cell.fit(column.kind).unwrap_or(Cell::Null);
            }
        }
        moved
    }

    /// As they are kept between runs.
    pub(crate) fn kept(&self) -> Vec<(String, Column)> {
        self.list
            .iter()
            .map(|(name, column)| (name.clone(), column.clone()))
            .collect()
    }
}

/// The members of a row; the last one of a name counts.
pub(crate) fn members<'t>(
    row: Part<'t>,
) -> Box<dyn Iterator<Item = (Cow<'t, str>, Part<'t>)> + 't> {
    match row.kind() {
        Kind::Object => Box::new(row.members().map(|(key, part)| (key.name(), part))),
        _ => Box::new(std::iter::once((Cow::Borrowed(VALUE), row))),
    }
}
