//! Comma-separated values (RFC 4180).

use std::io::{self, Write};

use serde_json::Value;

use super::{cell, columns};

/// Writes the header line.
pub fn header(out: &mut impl Write, columns: &[String]) -> io::Result<()> {
    let mut writer = ::csv::Writer::from_writer(out);
    writer.write_record(columns)?;
    writer.flush()
}

/// Writes rows; where no descriptor names the columns, the first ones decide the columns and write the header line.
pub fn write(
    out: &mut impl Write,
    rows: &[Value],
    known: &mut Option<Vec<String>>,
) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut writer = ::csv::Writer::from_writer(out);
    let columns = match known {
        Some(columns) => columns,
        None => {
            let columns = known.insert(columns(rows));
            if !columns.is_empty() {
                writer.write_record(columns.iter())?;
            }
            columns
        }
    };
    for row in rows {
        match row {
            Value::Object(members) => {
                let cells = columns
                    .iter()
                    .map(|name| members.get(name).map_or(String::new(), cell));
                writer.write_record(cells)?;
            }
            scalar => writer.write_record([cell(scalar)])?,
        }
    }
    writer.flush()
}
