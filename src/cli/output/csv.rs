//! Comma-separated values (RFC 4180).

use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};

use indexmap::IndexSet;
use serde_json::Value;
use tempfile::SpooledTempFile;

use super::cell;

/// Bytes of rows that are kept in memory while the header is not known; more go to a temporary file.
const IN_MEMORY: usize = 8 << 20;
/// The column of rows that have no members.
const VALUE: &str = "value";

/// A table that is written row by row.
pub enum Sheet {
    /// The descriptor names the columns, so that rows can be written as they come.
    Known { columns: Vec<String>, begun: bool },
    /// Each row may bring a column of its own, so that rows wait until the last one has come.
    Open(Box<Spool>),
}

/// Rows that wait, and what is known of their columns.
pub struct Spool {
    rows: BufWriter<SpooledTempFile>,
    columns: IndexSet<String>,
    /// Whether some row has no members.
    has_values: bool,
}

impl Sheet {
    /// A table with these columns; with those that its rows have, where none are given.
    pub fn new(columns: Option<Vec<String>>) -> Sheet {
        match columns {
            Some(columns) => Sheet::Known {
                columns,
                begun: false,
            },
            None => Sheet::Open(Box::new(Spool {
                rows: BufWriter::new(tempfile::spooled_tempfile(IN_MEMORY)),
                columns: IndexSet::new(),
                has_values: false,
            })),
        }
    }

    /// Adds rows.
    pub fn add(&mut self, out: &mut impl Write, rows: &[Value]) -> io::Result<()> {
        match self {
            Sheet::Known { columns, begun } => {
                let mut writer = ::csv::Writer::from_writer(out);
                if !std::mem::replace(begun, true) {
                    writer.write_record(columns.iter())?;
                }
                for row in rows {
                    write_row(&mut writer, columns, row)?;
                }
                writer.flush()
            }
            Sheet::Open(spool) => rows.iter().try_for_each(|row| spool.add(row)),
        }
    }

    /// Writes what has waited.
    pub fn finish(self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Sheet::Known { .. } => Ok(()),
            Sheet::Open(spool) => spool.write(out),
        }
    }
}

impl Spool {
    fn add(&mut self, row: &Value) -> io::Result<()> {
        match row {
            Value::Object(members) => {
                for key in members.keys() {
                    if !self.columns.contains(key) {
                        self.columns.insert(key.clone());
                    }
                }
            }
            _ => self.has_values = true,
        }
        serde_json::to_writer(&mut self.rows, row)?;
        self.rows.write_all(b"\n")
    }

    fn write(self, out: &mut impl Write) -> io::Result<()> {
        let mut columns: Vec<String> = self.columns.into_iter().collect();
        let mut writer = ::csv::Writer::from_writer(out);
        // Rows without members alone are a list, and need no heading.
        if !columns.is_empty() {
            if self.has_values && !columns.iter().any(|name| name == VALUE) {
                columns.push(VALUE.to_owned());
            }
            writer.write_record(&columns)?;
        }
        let mut rows = self
            .rows
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        rows.rewind()?;
        for line in BufReader::new(rows).split(b'\n') {
            write_row(&mut writer, &columns, &serde_json::from_slice(&line?)?)?;
        }
        writer.flush()
    }
}

fn write_row(
    writer: &mut ::csv::Writer<impl Write>,
    columns: &[String],
    row: &Value,
) -> io::Result<()> {
    let cells: Vec<String> = match row {
        Value::Object(members) => columns
            .iter()
            .map(|name| members.get(name).map_or(String::new(), cell))
            .collect(),
        value if columns.is_empty() => vec![cell(value)],
        value => columns
            .iter()
            .map(|name| match name == VALUE {
                true => cell(value),
                false => String::new(),
            })
            .collect(),
    };
    Ok(writer.write_record(cells)?)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    fn written(columns: Option<Vec<String>>, pages: &[Value]) -> String {
        let mut sheet = Sheet::new(columns);
        let mut out = Vec::new();
        for page in pages {
            sheet.add(&mut out, page.as_array().unwrap()).unwrap();
        }
        sheet.finish(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn no_column_is_dropped() {
        for (pages, expected) in [
            (
                vec![json!([{"a": 1}]), json!([{"b": 2, "a": 3}])],
                "a,b\n1,\n3,2\n",
            ),
            (
                vec![json!([]), json!([{"a": "x,y\n\"z\""}])],
                "a\n\"x,y\n\"\"z\"\"\"\n",
            ),
            (vec![json!([1, "a"]), json!([null])], "1\na\n\"\"\n"),
            (
                vec![json!([{"a": 1}]), json!([7]), json!([{"b": [1]}])],
                "a,b,value\n1,,\n,,7\n,[1],\n",
            ),
            (vec![json!([{"value": 1}, 2])], "value\n1\n2\n"),
            (vec![json!([]), json!([])], ""),
        ] {
            assert_eq!(written(None, &pages), expected, "{pages:?}");
        }
        let known = Some(vec!["a".to_owned(), "b".to_owned()]);
        let pages = [json!([]), json!([{"a": 1, "b": null}])];
        assert_eq!(written(known, &pages), "a,b\n1,\n");
    }

    #[test]
    fn many_rows_wait_in_a_file() {
        let mut sheet = Sheet::new(None);
        let row = json!({ "text": "x".repeat(1000) });
        let rows: Vec<Value> = vec![row; 1000];
        let mut out = Vec::new();
        for _ in 0..10 {
            sheet.add(&mut out, &rows).unwrap();
        }
        sheet.add(&mut out, &[json!({ "last": 1 })]).unwrap();
        let Sheet::Open(spool) = &sheet else {
            panic!("the columns are not known");
        };
        assert!(spool.rows.get_ref().is_rolled());
        assert_eq!(out, b"");
        sheet.finish(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("text,last\nxxx"));
        assert!(text.ends_with(",\n,1\n"));
        assert_eq!(text.lines().count(), 10_002);
    }
}
