//! Tables for people.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use serde_json::Value;
use toolrun::Tool;

use super::{cell, columns};
use crate::cli::terminal::{line, shown};

/// The rows of the output as a table, and the rest of it below; without rows, one line a key.
pub fn render(tool: &Tool, output: &Value) -> String {
    let Some(rows) = tool.projection.rows(output) else {
        return facts(output, None);
    };
    let mut text = match rows.is_empty() {
        true => "nothing\n".to_owned(),
        false => format!("{}\n", grid(rows)),
    };
    text.push_str(&facts(output, tool.projection.rows_key()));
    text
}

/// A table with these headings.
pub fn with_header(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    table
}

fn grid(rows: &[Value]) -> Table {
    // A column in which no row has anything says nothing.
    let columns: Vec<String> = columns(rows)
        .into_iter()
        .filter(|name| {
            rows.iter()
                .any(|row| row.get(name).is_some_and(|v| !v.is_null()))
        })
        .collect();
    if columns.is_empty() {
        let mut table = with_header(&["value"]);
        rows.iter().for_each(|row| {
            table.add_row([in_cell(&cell(row))]);
        });
        return table;
    }
    let names: Vec<String> = columns.iter().map(|name| line(name)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut table = with_header(&names);
    for row in rows {
        table.add_row(
            columns
                .iter()
                .map(|name| in_cell(&row.get(name).map_or(String::new(), cell))),
        );
    }
    for (at, name) in columns.iter().enumerate() {
        let is_number =
            |row: &Value| matches!(row.get(name), Some(Value::Number(_) | Value::Null) | None);
        if rows.iter().all(is_number)
            && let Some(column) = table.column_mut(at)
        {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn facts(output: &Value, but: Option<&str>) -> String {
    match output {
        Value::Object(members) => members
            .iter()
            .filter(|(key, value)| Some(key.as_str()) != but && !value.is_null())
            .flat_map(|(key, value)| lines(key, value))
            .collect(),
        Value::Array(_) => String::new(),
        other => format!("{}\n", shown(&cell(other))),
    }
}

/// `key: value`, an object one level deep as `key.member: value`.
fn lines(key: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(member, value)| fact(&format!("{key}.{member}"), value))
            .collect(),
        other => vec![fact(key, other)],
    }
}

/// Lines of a value but the first are moved in, so that none looks like another key.
fn fact(key: &str, value: &Value) -> String {
    let text = shown(&cell(value)).replace('\n', "\n  ");
    format!("{}: {text}\n", line(key))
}

/// A tab has no width of its own in a cell.
fn in_cell(text: &str) -> String {
    shown(text).replace('\t', "\\t")
}
