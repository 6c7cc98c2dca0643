//! Tables for people.

use std::io::Write;

use crate::Tool;
use crate::json::{Kind, Part};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width};
use indexmap::IndexMap;
use unicode_width::UnicodeWidthStr;

use super::cell;
use crate::cli::terminal::{line, shown};
use crate::cli::{Done, Failure, exit};

/// How many rows are laid out at once. A long table is drawn in parts of this size.
const CELLS: usize = 500;
/// How many bytes of text are laid out at once.
const TEXT: usize = 16 << 10;
/// Most bytes in a cell. Each line of a table is as wide as its widest cell.
const CELL: usize = 32 << 10;
/// Most columns.
const COLUMNS: usize = 1000;

/// Writes the rows of the output as a table, and the other members below it. Without rows, it writes one line for each
/// key.
pub fn write(out: &mut impl Write, tool: &Tool, output: Part<'_>) -> Done {
    let Some(rows) = tool.projection.rows(output) else {
        return facts(out, output, None);
    };
    match rows.is_truthy() {
        true => grid(out, rows)?,
        false => out.write_all(b"nothing\n")?,
    }
    facts(out, output, tool.projection.rows_key())
}

/// A table with these column titles.
pub fn with_header(header: &[&str]) -> Table {
    let mut table = empty();
    table.set_header(header);
    table
}

fn empty() -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table
}

/// What is known about a column.
struct Column {
    has_values: bool,
    is_numbers: bool,
    width: usize,
}

/// The column for rows that have no members.
const VALUE: &str = "value";

/// The columns of all rows, in the order of appearance. Columns in which no row has a value are left out.
fn columns(rows: Part<'_>) -> Result<IndexMap<String, Column>, Failure> {
    let mut columns: IndexMap<String, Column> = IndexMap::new();
    for row in rows.elements() {
        for (key, member) in row.members() {
            let name = key.name();
            if !columns.contains_key(&*name) {
                if columns.len() == COLUMNS {
                    return Err(too_large(&format!("more than {COLUMNS} columns")));
                }
                let width = line(&name).width();
                columns.insert(
                    name.clone().into_owned(),
                    Column {
                        has_values: false,
                        is_numbers: true,
                        width,
                    },
                );
            }
            if let Some(column) = columns.get_mut(&*name) {
                column.add(member)?;
            }
        }
    }
    columns.retain(|_, column| column.has_values);
    Ok(columns)
}

impl Column {
    fn add(&mut self, member: Part<'_>) -> Result<(), Failure> {
        self.has_values |= !member.is_null();
        self.is_numbers &= matches!(member.kind(), Kind::Number | Kind::Null);
        let text = text(member)?;
        let widest = text.lines().map(UnicodeWidthStr::width).max();
        self.width = self.width.max(widest.unwrap_or(0));
        Ok(())
    }
}

/// The text of a cell.
fn text(member: Part<'_>) -> Result<String, Failure> {
    if member.text().len() > CELL {
        return Err(too_large(&format!(
            "a cell of more than {} KiB",
            CELL >> 10
        )));
    }
    Ok(in_cell(&cell(member)))
}

/// The error for a table that would take more memory than the output may.
fn too_large(what: &str) -> Failure {
    Failure::Told(
        exit::RESPONSE,
        format!(
            "the table would have {what}, which is beyond its limit; json, ndjson, csv and yaml print it"
        ),
    )
}

fn grid(out: &mut impl Write, rows: Part<'_>) -> Done {
    let columns = columns(rows)?;
    let mut rows = rows.elements().peekable();
    let mut drawing = Drawing {
        columns,
        widths: None,
        is_first: true,
    };
    let per_batch = (CELLS / drawing.columns.len().max(1)).max(1);
    while rows.peek().is_some() {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < per_batch
            && bytes < TEXT
            && let Some(row) = rows.next()
        {
            bytes += row.text().len();
            batch.push(drawing.cells(row)?);
        }
        drawing.draw(out, batch, rows.peek().is_none())?;
    }
    Ok(())
}

/// A table that is drawn in parts.
struct Drawing {
    columns: IndexMap<String, Column>,
    /// The widths from the first part, if the terminal is too narrow for the table. The other parts use the same.
    widths: Option<Vec<usize>>,
    is_first: bool,
}

impl Drawing {
    fn cells(&self, row: Part<'_>) -> Result<Vec<String>, Failure> {
        if self.columns.is_empty() {
            return Ok(vec![text(row)?]);
        }
        let mut cells = vec![String::new(); self.columns.len()];
        for (key, member) in row.members() {
            if let Some(at) = self.columns.get_index_of(&*key.name()) {
                cells[at] = text(member)?;
            }
        }
        Ok(cells)
    }

    fn draw(&mut self, out: &mut impl Write, batch: Vec<Vec<String>>, is_last: bool) -> Done {
        let is_whole = self.is_first && is_last;
        let mut table = empty();
        if self.is_first {
            let names = self.columns.keys().map(|name| line(name));
            match self.columns.is_empty() {
                true => table.set_header([VALUE]),
                false => table.set_header(names),
            };
        }
        batch.into_iter().for_each(|cells| {
            table.add_row(cells);
        });
        for (at, column) in self.columns.values().enumerate() {
            if column.is_numbers
                && let Some(drawn) = table.column_mut(at)
            {
                drawn.set_cell_alignment(CellAlignment::Right);
            }
        }
        if !is_whole && let Some(widths) = self.widths_in(&table) {
            table.set_constraints(widths);
        }
        let text = table.to_string();
        if !is_whole && self.is_first {
            self.widths = Some(measured(&text));
        }
        let mut lines: Vec<&str> = text.split('\n').collect();
        if !is_last {
            lines.pop();
        }
        let from = usize::from(!self.is_first);
        self.is_first = false;
        for line in lines.iter().skip(from) {
            out.write_all(line.as_bytes())?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    /// The widths for a part of the table, including a space on each side. Empty if the terminal decides.
    fn widths_in(&self, table: &Table) -> Option<Vec<ColumnConstraint>> {
        let own = || -> Vec<usize> {
            self.columns
                .values()
                .map(|column| column.width + 2)
                .collect()
        };
        let widths = match &self.widths {
            Some(widths) => widths.clone(),
            None if self.columns.is_empty() => return None,
            None => own(),
        };
        let total = widths.iter().sum::<usize>() + widths.len() + 1;
        let fits = table
            .width()
            .is_none_or(|width| total <= usize::from(width));
        let fixed = |width: usize| {
            let width = u16::try_from(width).unwrap_or(u16::MAX);
            ColumnConstraint::Absolute(Width::Fixed(width))
        };
        (fits || self.widths.is_some()).then(|| widths.into_iter().map(fixed).collect())
    }
}

/// The column widths of a table that was drawn.
fn measured(text: &str) -> Vec<usize> {
    let border = text.lines().next().unwrap_or_default();
    let inner = border.trim_matches(|c| c != '─');
    inner.split('┬').map(|part| part.chars().count()).collect()
}

fn facts(out: &mut impl Write, output: Part<'_>, but: Option<&str>) -> Done {
    match output.kind() {
        Kind::Object => {
            let members = output.members();
            for (key, value) in members.filter(|(_, value)| !value.is_null()) {
                let name = key.name();
                if Some(&*name) == but {
                    continue;
                }
                // An object is shown one level deep.
                if value.kind() != Kind::Object {
                    fact(out, &name, value)?;
                }
                for (member, inner) in value.members() {
                    fact(out, &format!("{name}.{}", member.name()), inner)?;
                }
            }
            Ok(())
        }
        Kind::Array => Ok(()),
        _ => Ok(writeln!(out, "{}", shown(&cell(output)))?),
    }
}

/// Lines of a value, except the first, are indented so that none looks like another key.
fn fact(out: &mut impl Write, key: &str, value: Part<'_>) -> Done {
    let text = cell(value);
    write!(out, "{}: ", line(key))?;
    for (at, line) in shown(&text).split('\n').enumerate() {
        let indent = if at == 0 { "" } else { "\n  " };
        write!(out, "{indent}{line}")?;
    }
    Ok(writeln!(out)?)
}

/// A tab has no fixed width in a cell.
fn in_cell(text: &str) -> String {
    shown(text).replace('\t', "\\t")
}

#[cfg(test)]
mod tests {
    use crate::json::Json;
    use pretty_assertions::assert_eq;

    use super::*;

    fn drawn(rows: &str) -> String {
        let mut out = Vec::new();
        let json = Json::read(rows.to_owned().into()).unwrap();
        assert!(grid(&mut out, json.part()).is_ok());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_in_parts_is_that_in_one() {
        let row = |i: usize| {
            format!(
                r#"{{"id": {i}, "name": "n{}", "none": null, "list": [{i}, "é"]}}"#,
                i % 7
            )
        };
        let rows: Vec<String> = (0..15_000).map(row).collect();
        let whole = drawn(&format!("[{}]", rows.join(",")));
        let mut table = with_header(&["id", "name", "list"]);
        for i in 0..15_000 {
            table.add_row([i.to_string(), format!("n{}", i % 7), format!("[{i},\"é\"]")]);
        }
        table
            .column_mut(0)
            .unwrap()
            .set_cell_alignment(CellAlignment::Right);
        assert!(whole == format!("{table}\n"), "{}", &whole[..2000]);
    }

    #[test]
    fn rows_without_members_and_wide_cells() {
        assert_eq!(drawn("[1, 2]").lines().nth(1), Some("│ value │"));
        let wide = format!("[{{\"a\": \"{}\"}}]", "x".repeat(CELL));
        let json = Json::read(wide.into()).unwrap();
        match grid(&mut Vec::new(), json.part()) {
            Err(Failure::Told(exit::RESPONSE, text)) => {
                assert!(text.contains("a cell of more than"), "{text}");
            }
            _ => panic!("a cell that wide is refused"),
        }
    }
}
