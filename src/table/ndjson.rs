//! NDJSON: an object on each line, with every column.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};

use super::cell::Cell;
use super::columns::Columns;
use super::file::{Reader, Writer};
use crate::json::Json;

pub(super) struct NdjsonWriter {
    out: BufWriter<File>,
    /// The names and the colons, as they are written.
    names: Vec<Vec<u8>>,
}

impl NdjsonWriter {
    pub(super) fn new(file: File, columns: &Columns) -> NdjsonWriter {
        let name = |name: &str| [Json::of_text(name).bytes(), &b":"[..]].concat();
        NdjsonWriter {
            out: BufWriter::new(file),
            names: columns.names().map(name).collect(),
        }
    }
}

impl Writer for NdjsonWriter {
    fn write(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        let mut before: &[u8] = b"{";
        for (name, cell) in self.names.iter().zip(cells) {
            self.out.write_all(before)?;
            self.out.write_all(name)?;
            self.out.write_all(cell.json().as_bytes())?;
            before = b",";
        }
        if self.names.is_empty() {
            self.out.write_all(b"{")?;
        }
        self.out.write_all(b"}\n")
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}

pub(super) struct NdjsonReader {
    lines: BufReader<File>,
    columns: Columns,
}

impl NdjsonReader {
    pub(super) fn new(file: File, columns: &Columns) -> NdjsonReader {
        NdjsonReader {
            lines: BufReader::new(file),
            columns: columns.clone(),
        }
    }
}

impl Reader for NdjsonReader {
    fn read(&mut self) -> io::Result<Option<Vec<Cell<'static>>>> {
        let mut line = Vec::new();
        if self.lines.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let row = Json::read(line.into())
            .map_err(|reason| io::Error::new(io::ErrorKind::InvalidData, reason))?;
        let cells = self.columns.cells(row.part());
        Ok(Some(cells.into_iter().map(Cell::into_owned).collect()))
    }
}
