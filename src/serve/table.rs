//! A list as a table: a line of column names, then one line for each row, with `|` between the cells. It takes about half of what
//! the same rows take as JSON.
//!
//! A text stands as it is, unless it could be taken for something else; then it is written as in JSON. So a cell never breaks
//! out of its place.

use serde_json::{Map, Value};

/// The column of rows that are not objects.
const VALUE: &str = "value";

/// The columns of rows, in the order in which they first occur.
pub(super) fn columns<'r>(rows: impl Iterator<Item = &'r Value>) -> Vec<String> {
    let mut seen = indexmap::IndexSet::new();
    for row in rows {
        match row {
            Value::Object(members) => members.keys().for_each(|key| {
                if !seen.contains(key) {
                    seen.insert(key.clone());
                }
            }),
            _ => drop(seen.insert(VALUE.to_owned())),
        }
    }
    seen.into_iter().collect()
}

/// The line of a row.
pub(super) fn line(row: &Value, columns: &[String]) -> String {
    let cells: Vec<String> = columns
        .iter()
        .map(|column| match row {
            Value::Object(members) => members.get(column).map(cell).unwrap_or_default(),
            other if column == VALUE => cell(other),
            _ => String::new(),
        })
        .collect();
    cells.join("|")
}

/// The line of column names.
pub(super) fn head(columns: &[String]) -> String {
    let names: Vec<String> = columns
        .iter()
        .map(|name| cell(&Value::from(name.as_str())))
        .collect();
    names.join("|")
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if is_plain(text) => text.clone(),
        other => bars(other),
    }
}

/// As JSON, without a `|` that would look like the end of a cell.
fn bars(value: &Value) -> String {
    let text = match value {
        Value::Array(_) | Value::Object(_) | Value::String(_) => value.to_string(),
        scalar => return scalar.to_string(),
    };
    // A `|` can only stand inside of a string, where its escape means the same.
    text.replace('|', "\\u007c")
}

/// Whether a text can stand as it is: it has one line, and is not read as a number, a list or the like.
fn is_plain(text: &str) -> bool {
    let is_edge = |c: char| c.is_whitespace();
    !text.is_empty()
        && !text.contains(|c: char| c.is_control() || c == '|')
        && !text.starts_with(is_edge)
        && !text.ends_with(is_edge)
        && !text.starts_with(['"', '[', '{'])
        && !matches!(text, "true" | "false" | "null")
        && text.parse::<f64>().is_err()
}

/// The rows with these columns alone.
pub(super) fn pick(row: Value, columns: &[String]) -> Value {
    match row {
        Value::Object(mut members) => columns
            .iter()
            .filter_map(|column| members.shift_remove_entry(column))
            .collect::<Map<String, Value>>()
            .into(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cell_never_breaks_out_of_its_place() {
        for (value, expected) in [
            (json!("plain text"), "plain text"),
            (json!("a|b"), "\"a\\u007cb\""),
            (json!("two\nlines"), "\"two\\nlines\""),
            (json!("\u{1b}[31m"), "\"\\u001b[31m\""),
            (json!("12"), "\"12\""),
            (json!(12), "12"),
            (json!("true"), "\"true\""),
            (json!(true), "true"),
            (json!(null), ""),
            (json!(""), "\"\""),
            (json!("\"quoted\""), "\"\\\"quoted\\\"\""),
            (json!(["a|b"]), "[\"a\\u007cb\"]"),
            (json!({"k": 1}), "{\"k\":1}"),
            (json!(" edge"), "\" edge\""),
        ] {
            assert_eq!(cell(&value), expected, "{value}");
        }
    }

    #[test]
    fn every_cell_can_be_read_back() {
        let texts = [
            "x", "", "1e5", "inf", "a|b", "[", "{}", "null", "\u{7f}", "e\u{301}",
        ];
        for text in texts {
            let value = json!(text);
            let written = cell(&value);
            let read = serde_json::from_str::<Value>(&written).unwrap_or_else(|_| json!(written));
            assert_eq!(read, value, "{written}");
        }
    }

    #[test]
    fn rows_of_unlike_keys_have_all_columns() {
        let rows = [json!({"a": 1}), json!({"b": "x", "a": null}), json!(7)];
        let columns = columns(rows.iter());
        assert_eq!(head(&columns), "a|b|value");
        let lines: Vec<String> = rows.iter().map(|row| line(row, &columns)).collect();
        assert_eq!(lines, ["1||", "|x|", "||7"]);
    }
}
