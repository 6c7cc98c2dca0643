//! Values: a part of a row as a value of SQL, a value of SQL as an argument, and a row of a result as JSON.

use std::borrow::Cow;

use rusqlite::types::{ToSql, ToSqlOutput, Value as Sql, ValueRef};
use serde_json::{Number, Value, json};

use crate::json::{Json, Kind, Part, write};
use crate::params::read_text;

/// A value of a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'t> {
    Null,
    Integer(i64),
    Real(f64),
    Text(Cow<'t, str>),
}

impl Cell<'_> {
    /// A part of a row: booleans are 1 and 0, lists and objects their JSON. A number that neither an integer nor a double
    /// holds exactly is its text; the flag says so.
    pub(super) fn of(part: Part<'_>) -> (Cell<'_>, bool) {
        let cell = match part.kind() {
            Kind::Null => Cell::Null,
            Kind::Bool => Cell::Integer(i64::from(part.text() == b"true")),
            Kind::String => Cell::Text(part.string().unwrap_or_default()),
            Kind::Number => return number(part),
            Kind::Array | Kind::Object => Cell::Text(compact(part)),
        };
        (cell, false)
    }
}

fn number(part: Part<'_>) -> (Cell<'_>, bool) {
    let text = std::str::from_utf8(part.text()).unwrap_or_default();
    if let Ok(integer) = text.parse() {
        return (Cell::Integer(integer), false);
    }
    // Without a point, every digit counts, also where a double of that size exists.
    let is_whole = !text.contains(['.', 'e', 'E']);
    match text.parse::<f64>() {
        Ok(real) if !is_whole && real.is_finite() && part.is_exact() => (Cell::Real(real), false),
        _ => (Cell::Text(Cow::Borrowed(text)), true),
    }
}

/// The JSON of a part, without white space.
pub(super) fn compact(part: Part<'_>) -> Cow<'_, str> {
    if write::is_compact(part) {
        return String::from_utf8_lossy(part.text());
    }
    let mut text = Vec::with_capacity(part.text().len());
    // Writing to memory cannot fail, and checked text is UTF-8.
    let _ = write::compact(part, &mut text);
    Cow::Owned(String::from_utf8(text).unwrap_or_default())
}

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Cell::Null => ValueRef::Null,
            Cell::Integer(integer) => ValueRef::Integer(*integer),
            Cell::Real(real) => ValueRef::Real(*real),
            Cell::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

/// The value of a default, as SQL.
pub(super) fn of_json(value: &Value) -> Sql {
    let json = Json::of(value);
    match Cell::of(json.part()).0 {
        Cell::Null => Sql::Null,
        Cell::Integer(integer) => Sql::Integer(integer),
        Cell::Real(real) => Sql::Real(real),
        Cell::Text(text) => Sql::Text(text.into_owned()),
    }
}

fn types_of(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name.as_str()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// A value of SQL as the argument of a param: as its schema wants it, where that changes no value. A number for a param
/// that takes texts is its text, so that an id of either kind can be joined; lists and objects are JSON.
///
/// # Errors
/// When there is no JSON of it.
pub(super) fn argument(schema: &Value, value: &Sql) -> Result<Value, String> {
    let types = types_of(schema);
    let takes = |name: &str| types.is_empty() || types.contains(&name);
    match value {
        Sql::Null => Ok(Value::Null),
        Sql::Integer(flag @ (0 | 1)) if types.contains(&"boolean") && !is_numeric(&types) => {
            Ok((*flag == 1).into())
        }
        Sql::Integer(integer) if takes("integer") || takes("number") => Ok((*integer).into()),
        Sql::Integer(integer) => Ok(read_text(schema, &integer.to_string())),
        Sql::Real(real) if takes("number") || takes("integer") => {
            whole_or_real(*real).ok_or_else(|| "JSON has no such number".to_owned())
        }
        Sql::Real(real) => Ok(read_text(schema, &real.to_string())),
        Sql::Text(text) if takes("string") => Ok(text.as_str().into()),
        Sql::Text(text) => Ok(read_text(schema, text)),
        Sql::Blob(_) => Err("it is a blob".to_owned()),
    }
}

fn is_numeric(types: &[&str]) -> bool {
    types.contains(&"integer") || types.contains(&"number")
}

fn whole_or_real(real: f64) -> Option<Value> {
    // JSON Schema counts 5.0 as an integer too.
    match real.fract() == 0.0 && real.abs() < 9e15 {
        true => Some((real as i64).into()),
        false => Number::from_f64(real).map(Value::Number),
    }
}

/// A value as it stands in SQL, cut when it is long.
pub(super) fn shown(value: &Sql) -> String {
    short(match value {
        Sql::Null => "null".to_owned(),
        Sql::Integer(integer) => integer.to_string(),
        Sql::Real(real) => real.to_string(),
        Sql::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Sql::Blob(bytes) => format!("a blob of {} bytes", bytes.len()),
    })
}

/// A text, cut when it is long.
pub(super) fn short(text: String) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// What a value of a result lost on its way to JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// A number without end became null.
    Infinite,
    /// Bytes became their hexadecimal digits.
    Blob,
    /// Bytes of a text that are no UTF-8 were replaced.
    NotText,
}

/// Appends a value of a result as JSON.
pub(super) fn append(json: &mut Vec<u8>, value: ValueRef<'_>) -> Option<Lost> {
    let mut text = |text: &str| json.extend_from_slice(Json::of_text(text).bytes());
    match value {
        ValueRef::Null => json.extend_from_slice(b"null"),
        ValueRef::Integer(integer) => json.extend_from_slice(integer.to_string().as_bytes()),
        ValueRef::Real(real) => {
            json.extend_from_slice(json!(real).to_string().as_bytes());
            return (!real.is_finite()).then_some(Lost::Infinite);
        }
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(whole) => text(whole),
            Err(_) => {
                text(&String::from_utf8_lossy(bytes));
                return Some(Lost::NotText);
            }
        },
        ValueRef::Blob(bytes) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            text(&digits);
            return Some(Lost::Blob);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn parts_of_rows_are_values() {
        let text = |text: &'static str| Cell::Text(text.into());
        for (json, cell, is_odd) in [
            ("null", Cell::Null, false),
            ("true", Cell::Integer(1), false),
            ("false", Cell::Integer(0), false),
            ("-7", Cell::Integer(-7), false),
            ("9223372036854775807", Cell::Integer(i64::MAX), false),
            ("9223372036854775808", text("9223372036854775808"), true),
            ("1.50", Cell::Real(1.5), false),
            ("1e3", Cell::Real(1000.0), false),
            (
                "0.1234567890123456789012",
                text("0.1234567890123456789012"),
                true,
            ),
            ("1e999", text("1e999"), true),
            (r#""a\"b""#, text("a\"b"), false),
            ("[1, {\"a\": 2}]", text("[1,{\"a\":2}]"), false),
        ] {
            let json = Json::read(json.into()).unwrap();
            assert_eq!(Cell::of(json.part()), (cell, is_odd), "{json}");
        }
    }

    #[test]
    fn values_are_arguments() {
        let sql = |text: &str| Sql::Text(text.to_owned());
        for (schema, value, argument) in [
            (json!({"type": "string"}), sql("5"), json!("5")),
            (json!({"type": "string"}), Sql::Integer(5), json!("5")),
            (json!({"type": "string"}), Sql::Real(1.5), json!("1.5")),
            (json!({"type": "integer"}), Sql::Integer(5), json!(5)),
            (json!({"type": "integer"}), Sql::Real(5.0), json!(5)),
            (json!({"type": "integer"}), sql("5"), json!(5)),
            (json!({"type": "integer"}), sql("five"), json!("five")),
            (json!({"type": "boolean"}), Sql::Integer(1), json!(true)),
            (json!({"type": "boolean"}), Sql::Integer(2), json!("2")),
            (
                json!({"type": ["string", "null"]}),
                sql("null"),
                json!("null"),
            ),
            (
                json!({"type": "array", "items": {"type": "string"}}),
                sql("a"),
                json!(["a"]),
            ),
            (json!({"type": "array"}), sql("[1, 2]"), json!([1, 2])),
            (json!({}), sql("5"), json!("5")),
            (json!({}), Sql::Integer(5), json!(5)),
        ] {
            assert_eq!(
                super::argument(&schema, &value),
                Ok(argument),
                "{schema} {value:?}"
            );
        }
    }

    #[test]
    fn results_are_json() {
        for (value, json, lost) in [
            (ValueRef::Null, "null", None),
            (ValueRef::Integer(-3), "-3", None),
            (ValueRef::Real(1.5), "1.5", None),
            (ValueRef::Real(f64::INFINITY), "null", Some(Lost::Infinite)),
            (ValueRef::Text(b"a\"b"), r#""a\"b""#, None),
            (
                ValueRef::Text(b"a\xff"),
                "\"a\u{fffd}\"",
                Some(Lost::NotText),
            ),
            (ValueRef::Blob(b"\x01\xff"), "\"01ff\"", Some(Lost::Blob)),
        ] {
            let mut text = Vec::new();
            assert_eq!(append(&mut text, value), lost);
            assert_eq!(String::from_utf8(text).unwrap(), json);
        }
    }
}
