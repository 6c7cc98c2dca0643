//! Comma-separated values (RFC 4180).

use std::io::{self, Write};

use toolrun::json::{Kind, Part};

use super::{cell, columns};

/// Writes the header line.
pub fn header(out: &mut impl Write, columns: &[String]) -> io::Result<()> {
    let mut writer = ::csv::Writer::from_writer(out);
    writer.write_record(columns)?;
    writer.flush()
}

/// Writes rows; where no descriptor names the columns, the first ones decide the columns and write the header line.
pub fn write<'t>(
    out: &mut impl Write,
    rows: impl Iterator<Item = Part<'t>> + Clone,
    known: &mut Option<Vec<String>>,
) -> io::Result<()> {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    let mut writer = ::csv::Writer::from_writer(out);
    let columns = match known {
        Some(columns) => columns,
        None => {
            let columns = known.insert(columns(rows.clone()));
            if !columns.is_empty() {
                writer.write_record(columns.iter())?;
            }
            columns
        }
    };
    for row in rows {
        writer.write_record(cells(columns, row))?;
    }
    writer.flush()
}

fn cells(columns: &[String], row: Part<'_>) -> Vec<String> {
    if row.kind() != Kind::Object {
        return vec![cell(row)];
    }
    let mut cells = vec![String::new(); columns.len()];
    for (key, member) in row.members() {
        if let Some(at) = columns.iter().position(|name| key.is(name)) {
            cells[at] = cell(member);
        }
    }
    cells
}
