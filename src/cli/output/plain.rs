//! Tables for pipes: a row a line, its cells between tabs. Nothing is cut, summed up or hidden.
//!
//! Like a csv, such a table holds the rows alone. A tab in a cell is `\t`, a line feed `\n`, a carriage return `\r` and a
//! backslash `\\`, so that what was in the cell can be had back.

use std::io::{self, Write};

use crate::json::{Kind, Part};
use crate::project::Projection;

use super::cell;
use super::columns::Columns;
use super::view::{View, field};
use crate::cli::{Done, Failure, exit};

/// Columns at the most: each row has a cell for each.
const COLUMNS: usize = 1000;

/// Writes the rows of an output; without rows, a line for each of its fields.
pub(crate) fn write(
    out: &mut impl Write,
    projection: &Projection,
    view: &View,
    output: Part<'_>,
) -> Done {
    let Some(rows) = projection.rows(output) else {
        return fields(out, view, output);
    };
    let columns = match Columns::known(view, projection) {
        Some(columns) => columns,
        None => Columns::of(rows, COLUMNS).ok_or_else(too_wide)?,
    };
    if !view.no_header && !columns.names().is_empty() {
        line(out, columns.names().iter().map(String::as_str))?;
    }
    let mut cells = Vec::with_capacity(columns.count());
    for row in rows.elements() {
        columns.cells(row, &mut cells);
        for (at, part) in cells.iter().enumerate() {
            if at > 0 {
                out.write_all(b"\t")?;
            }
            if let Some(part) = part {
                escaped(out, &cell(*part))?;
            }
        }
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Writes texts as the cells of one line.
pub(crate) fn line<'c>(
    out: &mut impl Write,
    cells: impl IntoIterator<Item = &'c str>,
) -> io::Result<()> {
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            out.write_all(b"\t")?;
        }
        escaped(out, cell)?;
    }
    out.write_all(b"\n")
}

fn escaped(out: &mut impl Write, text: &str) -> io::Result<()> {
    let mut rest = text;
    while let Some(at) = rest.find(['\t', '\n', '\r', '\\']) {
        let escape: &[u8] = match rest.as_bytes()[at] {
            b'\t' => b"\\t",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            _ => b"\\\\",
        };
        out.write_all(&rest.as_bytes()[..at])?;
        out.write_all(escape)?;
        rest = &rest[at + 1..];
    }
    out.write_all(rest.as_bytes())
}

/// An object is told one level deep.
fn fields(out: &mut impl Write, view: &View, output: Part<'_>) -> Done {
    if output.kind() != Kind::Object {
        return Ok(line(out, [&*cell(output)])?);
    }
    for name in view.shown() {
        let value = field(output, name).map(cell);
        line(out, [name, &*value.unwrap_or_default()])?;
    }
    if !view.shown().is_empty() {
        return Ok(());
    }
    for (key, value) in output.members() {
        let name = key.name();
        match value.kind() == Kind::Object && value.is_truthy() {
            false => line(out, [&*name, &*cell(value)])?,
            true => {
                for (inner, value) in value.members() {
                    line(out, [&*format!("{name}.{}", inner.name()), &*cell(value)])?;
                }
            }
        }
    }
    Ok(())
}

fn too_wide() -> Failure {
    Failure::Told(
        exit::RESPONSE,
        format!(
            "the table would have more than {COLUMNS} columns, which is beyond its limit; json, ndjson, csv and yaml print it"
        ),
    )
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn a_cell_stays_on_its_line_and_can_be_had_back() {
        let mut out = Vec::new();
        line(&mut out, ["a\tb", "c\nd\r", "", "\\t é"]).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "a\\tb\tc\\nd\\r\t\t\\\\t é\n"
        );
    }
}
