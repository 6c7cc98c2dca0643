//! One value of a row, as a column holds it.

use std::borrow::Cow;

use super::columns::Type;
use crate::json::{Json, Kind, Part, write};

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell<'t> {
    /// No value, or `null`.
    Null,
    Bool(bool),
    Integer(i64),
    /// A number that a double holds with all its digits.
    Float(f64),
    Text(Cow<'t, str>),
    /// The JSON text of a value, without white space.
    Json(Cow<'t, str>),
}

/// Integers up to this one are also exact as doubles.
const EXACT: u64 = 1 << 53;

impl<'t> Cell<'t> {
    /// The value of a part in the type that is its own. Lists, objects, and numbers that neither a 64-bit integer nor a
    /// double holds with all their digits are JSON texts.
    pub(crate) fn of(part: Part<'t>) -> Cell<'t> {
        match part.kind() {
            Kind::Null => Cell::Null,
            Kind::Bool => Cell::Bool(part.is_truthy()),
            Kind::String => Cell::Text(part.string().unwrap_or_default()),
            Kind::Number => Cell::number(part),
            Kind::Array | Kind::Object => Cell::raw(part),
        }
    }

    /// The JSON text of a part as it was received; null stays null.
    pub(crate) fn raw(part: Part<'t>) -> Cell<'t> {
        if part.is_null() {
            return Cell::Null;
        }
        if write::is_compact(part) {
            return Cell::Json(String::from_utf8_lossy(part.text()));
        }
        let mut text = Vec::with_capacity(part.text().len());
        // Writing to memory cannot fail.
        let _ = write::compact(part, &mut text);
        Cell::Json(String::from_utf8(text).unwrap_or_default().into())
    }

    fn number(part: Part<'t>) -> Cell<'t> {
        let text = std::str::from_utf8(part.text()).unwrap_or_default();
        let is_whole = !text.contains(['.', 'e', 'E']) && text != "-0";
        match is_whole {
            true => match text.parse() {
                Ok(number) => Cell::Integer(number),
                Err(_) => Cell::raw(part),
            },
            false => match text.parse() {
                Ok(number) if part.is_exact() => Cell::Float(number),
                _ => Cell::raw(part),
            },
        }
    }

    /// The type that holds the value.
    pub(crate) fn kind(&self) -> Type {
        match self {
            Cell::Null => Type::Unknown,
            Cell::Bool(_) => Type::Bool,
            Cell::Integer(_) => Type::Integer,
            Cell::Float(_) => Type::Float,
            Cell::Text(_) => Type::Text,
            Cell::Json(_) => Type::Json,
        }
    }

    /// Whether the value is an integer that a double may not hold.
    pub(crate) fn is_wide(&self) -> bool {
        matches!(self, Cell::Integer(number) if number.unsigned_abs() > EXACT)
    }

    /// The value in a column of this type; `None` if the type does not hold it.
    pub(crate) fn fit(self, kind: Type) -> Option<Cell<'t>> {
        match (self, kind) {
            (Cell::Null, _) => Some(Cell::Null),
            (Cell::Integer(number), Type::Float) if number.unsigned_abs() <= EXACT => {
                Some(Cell::Float(number as f64))
            }
            (cell, kind) if cell.kind() == kind => Some(cell),
            (cell, Type::Json) => Some(Cell::Json(cell.json().into_owned().into())),
            _ => None,
        }
    }

    /// The value as JSON.
    pub(crate) fn json(&self) -> Cow<'_, str> {
        match self {
            Cell::Null => "null".into(),
            Cell::Bool(flag) => flag.to_string().into(),
            Cell::Integer(number) => number.to_string().into(),
            Cell::Float(number) => float(*number).into(),
            Cell::Text(text) => Json::of_text(text).text().to_owned().into(),
            Cell::Json(text) => Cow::Borrowed(text),
        }
    }

    /// The value as a text without quotes; `None` for null.
    pub(crate) fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Cell::Null => None,
            Cell::Text(text) => Some(Cow::Borrowed(text)),
            other => Some(other.json()),
        }
    }

    /// The value of a text that [`Cell::text`] wrote for a column of this type; `None` if it is none of that type.
    pub(crate) fn read(text: &str, kind: Type) -> Option<Cell<'static>> {
        Some(match kind {
            Type::Bool => Cell::Bool(text.parse().ok()?),
            Type::Integer => Cell::Integer(text.parse().ok()?),
            Type::Float => Cell::Float(text.parse().ok()?),
            Type::Text | Type::Unknown => Cell::Text(text.to_owned().into()),
            Type::Json => Cell::Json(text.to_owned().into()),
        })
    }

    /// The value without what it borrows.
    pub(crate) fn into_owned(self) -> Cell<'static> {
        match self {
            Cell::Null => Cell::Null,
            Cell::Bool(flag) => Cell::Bool(flag),
            Cell::Integer(number) => Cell::Integer(number),
            Cell::Float(number) => Cell::Float(number),
            Cell::Text(text) => Cell::Text(text.into_owned().into()),
            Cell::Json(text) => Cell::Json(text.into_owned().into()),
        }
    }
}

/// A double as JSON writes it.
fn float(number: f64) -> String {
    match serde_json::Number::from_f64(number) {
        Some(number) => number.to_string(),
        None => "null".to_owned(),
    }
}

/// A text that is the same for the same value, in whatever type a column holds it: `1` for 1 and 1.0.
pub(crate) fn canonical(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Float(number) if number.fract() == 0.0 && number.abs() <= EXACT as f64 => {
            (*number as i64).to_string()
        }
        Cell::Json(text) => match Json::read(text.to_string().into()) {
            Ok(json) => match Cell::of(json.part()) {
                Cell::Json(text) => text.into_owned(),
                scalar => canonical(&scalar),
            },
            Err(_) => text.to_string(),
        },
        other => other.json().into_owned(),
    }
}
