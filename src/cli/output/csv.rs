//! Comma-separated values (RFC 4180).

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write};

use indexmap::IndexSet;
use tempfile::SpooledTempFile;

use crate::json::{Json, Kind, Part, write};

use super::cell;
use super::columns::Columns;
use super::view::VALUE;
use crate::cli::{Done, Failure, exit};

/// How many bytes of rows are kept in memory while the header is not known. More go to a temporary file.
const IN_MEMORY: usize = 128 << 10;
/// Most columns. Every row has a cell for every column, so if each row had a key of its own, the number of cells would
/// be the square of the number of rows.
const COLUMNS: usize = 10_000;

/// A table that is written row by row.
pub(crate) enum Sheet {
    /// The descriptor names the columns, so rows are written immediately.
    Known { columns: Columns, begun: bool },
    /// Each row may add a column, so rows wait for the last one.
    Open(Box<Spool>),
}

/// Rows that wait, and what is known about their columns.
pub(crate) struct Spool {
    rows: BufWriter<SpooledTempFile>,
    /// How many complete rows the file holds.
    count: usize,
    /// Rows that the file could not take, as lines of JSON.
    late: Vec<u8>,
    /// Why it could not, until that is reported.
    failure: Option<io::Error>,
    columns: IndexSet<String>,
    /// Whether any row has no members.
    has_values: bool,
    has_header: bool,
}

impl Sheet {
    /// A table with these columns. If none are given, the rows decide.
    pub(crate) fn new(columns: Option<Columns>, has_header: bool) -> Sheet {
        match columns {
            Some(columns) => Sheet::Known {
                columns,
                begun: !has_header,
            },
            None => {
                let mut spool = Spool::new(tempfile::spooled_tempfile(IN_MEMORY));
                spool.has_header = has_header;
                Sheet::Open(Box::new(spool))
            }
        }
    }

    /// Whether all rows wait, so that none was written yet.
    pub(crate) fn waits(&self) -> bool {
        matches!(self, Sheet::Open(_))
    }

    /// Adds rows. If the file cannot take rows that must wait, that is an error, but the rows are still kept:
    /// [`Sheet::finish`] writes them.
    pub(crate) fn add<'o>(
        &mut self,
        out: &mut impl Write,
        mut rows: impl Iterator<Item = Part<'o>>,
    ) -> Done {
        match self {
            Sheet::Known { columns, begun } => {
                let needs_header = !std::mem::replace(begun, true);
                Ok(write_rows(out, columns, needs_header, rows)?)
            }
            Sheet::Open(spool) => {
                rows.try_for_each(|row| spool.add(row))?;
                Ok(spool.failure.take().map_or(Ok(()), Err)?)
            }
        }
    }

    /// Writes the rows that waited.
    pub(crate) fn finish(self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Sheet::Known { .. } => Ok(()),
            Sheet::Open(spool) => spool.write(out),
        }
    }
}

impl Spool {
    fn new(rows: SpooledTempFile) -> Spool {
        Spool {
            rows: BufWriter::new(rows),
            count: 0,
            late: Vec::new(),
            failure: None,
            columns: IndexSet::new(),
            has_values: false,
            has_header: true,
        }
    }

    fn add(&mut self, row: Part<'_>) -> Done {
        self.has_values |= row.kind() != Kind::Object;
        for (key, _) in row.members() {
            let name = key.name();
            if !self.columns.contains(&*name) {
                if self.columns.len() == COLUMNS {
                    self.give_up();
                    return Err(too_wide());
                }
                self.columns.insert(name.into_owned());
            }
        }
        if self.late.is_empty() {
            let kept = write::compact(row, &mut self.rows);
            match kept.and_then(|()| self.rows.write_all(b"\n")) {
                Ok(()) => {
                    self.count += 1;
                    return Ok(());
                }
                Err(error) => self.failure = Some(no_place(&error)),
            }
        }
        // Writing to memory cannot fail.
        let _ = write::compact(row, &mut self.late);
        self.late.push(b'\n');
        Ok(())
    }

    /// The rows before would also have all of these columns.
    fn give_up(&mut self) {
        self.count = 0;
        self.late.clear();
        self.columns.clear();
    }

    fn write(self, out: &mut impl Write) -> io::Result<()> {
        let mut columns = self.columns;
        let mut writer = ::csv::Writer::from_writer(out);
        // If no row has members, this is a plain list and needs no header.
        if !columns.is_empty() {
            if self.has_values {
                columns.insert(VALUE.to_owned());
            }
            if self.has_header {
                writer.write_record(&columns).map_err(io_error)?;
            }
        }
        let columns = Columns::found(columns);
        // Rows that are still in memory are written from there. The temporary file may be full.
        let (mut file, buffered) = self.rows.into_parts();
        let buffered = buffered.unwrap_or_default();
        file.rewind()?;
        let whole = BufReader::new(file.chain(&*buffered)).split(b'\n');
        let late = self.late.split(|b| *b == b'\n').map(|row| Ok(row.into()));
        for line in whole.take(self.count).chain(late) {
            let line = line?;
            if !line.is_empty() {
                let row = Json::read(line.into()).map_err(io::Error::other)?;
                let mut cells = Vec::with_capacity(columns.count());
                columns.cells(row.part(), &mut cells);
                write_row(&mut writer, &cells)?;
            }
        }
        writer.flush()
    }
}

/// The error when the file cannot take the rows.
fn no_place(error: &io::Error) -> io::Error {
    io::Error::other(format!(
        "rows wait in a temporary file in {} until all columns are known: {error}; ndjson prints rows as they come",
        std::env::temp_dir().display()
    ))
}

/// If a pipe has no reader any more, the caller must recognise that.
fn io_error(error: ::csv::Error) -> io::Error {
    match error.into_kind() {
        ::csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn too_wide() -> Failure {
    Failure::Told(
        exit::RESPONSE,
        format!(
            "the csv would have more than {COLUMNS} columns, which is beyond its limit; json, ndjson and yaml print it"
        ),
    )
}

fn write_rows<'o>(
    out: &mut impl Write,
    columns: &Columns,
    needs_header: bool,
    rows: impl Iterator<Item = Part<'o>>,
) -> io::Result<()> {
    let mut writer = ::csv::Writer::from_writer(out);
    if needs_header {
        writer.write_record(columns.names()).map_err(io_error)?;
    }
    let mut cells = Vec::new();
    for row in rows {
        columns.cells(row, &mut cells);
        write_row(&mut writer, &cells)?;
    }
    writer.flush()
}

fn write_row(writer: &mut ::csv::Writer<impl Write>, cells: &[Option<Part<'_>>]) -> io::Result<()> {
    let cells: Vec<Cow<'_, str>> = cells
        .iter()
        .map(|part| part.map(cell).unwrap_or_default())
        .collect();
    let cells = cells.iter().map(|cell| cell.as_bytes());
    writer.write_record(cells).map_err(io_error)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::{Value, json};

    use super::*;

    fn written(columns: Option<Vec<String>>, pages: &[Value]) -> String {
        let columns = columns.map(|columns| Columns::found(columns.into_iter().collect()));
        let mut sheet = Sheet::new(columns, true);
        let mut out = Vec::new();
        for page in pages {
            let page = Json::of(page);
            sheet.add(&mut out, page.part().elements()).unwrap();
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
        let mut sheet = Sheet::new(None, true);
        let row = json!({ "text": "x".repeat(1000) });
        let rows = Json::of(&json!(vec![row; 1000]));
        let mut out = Vec::new();
        for _ in 0..10 {
            sheet.add(&mut out, rows.part().elements()).unwrap();
        }
        let last = Json::of(&json!([{ "last": 1 }]));
        sheet.add(&mut out, last.part().elements()).unwrap();
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

    #[test]
    fn rows_without_a_place_are_told_and_written() {
        let long = json!([{ "text": "x".repeat(20_000) }]);
        let short = json!([{ "text": "y" }, { "more": "z" }]);
        for first in [&long, &short] {
            let place = tempfile::spooled_tempfile_in(10_000, "/no/such/folder");
            let mut sheet = Sheet::Open(Box::new(Spool::new(place)));
            let (mut out, mut failures) = (Vec::new(), 0);
            for page in [first, &short, &long, &short, &long] {
                let page = Json::of(page);
                let added = sheet.add(&mut out, page.part().elements());
                failures += usize::from(added.is_err());
            }
            assert_eq!(failures, 1);
            sheet.finish(&mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            let lengths: Vec<usize> = text.lines().map(str::len).collect();
            let ends = [2, 2, 20_001, 2, 2, 20_001];
            let begins = match first == &long {
                true => vec![9, 20_001],
                false => vec![9, 2, 2],
            };
            assert_eq!(lengths, [&begins[..], &ends[..]].concat());
        }
    }
}
