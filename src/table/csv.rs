//! CSV (RFC 4180) with lines that end in `\n`. Nothing between two commas is null; `""` is the empty text. In a file of one
//! column, null is `""` too: a line without anything is no record.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};

use super::cell::Cell;
use super::columns::{Columns, Type};
use super::file::{Reader, Writer};

pub(super) struct CsvWriter {
    out: BufWriter<File>,
}

impl CsvWriter {
    pub(super) fn new(file: File, columns: &Columns) -> io::Result<CsvWriter> {
        let mut out = BufWriter::new(file);
        if columns.len() > 0 {
            write_record(&mut out, columns.names().map(Some))?;
        }
        Ok(CsvWriter { out })
    }
}

impl Writer for CsvWriter {
    fn write(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        if let [Cell::Null] = cells {
            return self.out.write_all(b"\"\"\n");
        }
        let texts: Vec<_> = cells.iter().map(Cell::text).collect();
        write_record(&mut self.out, texts.iter().map(|text| text.as_deref()))
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}

fn write_record<'f>(
    out: &mut impl Write,
    fields: impl Iterator<Item = Option<&'f str>>,
) -> io::Result<()> {
    for (at, field) in fields.enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        if let Some(text) = field {
            match text.is_empty() || text.contains([',', '"', '\n', '\r']) {
                true => write!(out, "\"{}\"", text.replace('"', "\"\""))?,
                false => out.write_all(text.as_bytes())?,
            }
        }
    }
    out.write_all(b"\n")
}

pub(super) struct CsvReader {
    file: BufReader<File>,
    kinds: Vec<Type>,
}

impl CsvReader {
    pub(super) fn new(file: File, columns: &Columns) -> io::Result<CsvReader> {
        let mut reader = CsvReader {
            file: BufReader::new(file),
            kinds: columns.iter().map(|(_, column)| column.kind).collect(),
        };
        let header = reader.record()?.unwrap_or_default();
        let header: Vec<&str> = header
            .iter()
            .map(|name| name.as_deref().unwrap_or(""))
            .collect();
        let names: Vec<&str> = columns.names().collect();
        match header == names {
            true => Ok(reader),
            false => Err(changed()),
        }
    }

    /// The fields of the next record.
    fn record(&mut self) -> io::Result<Option<Vec<Option<String>>>> {
        let mut text = Vec::new();
        // A record ends at the first end of a line outside of quotes.
        let mut quotes = 0;
        loop {
            let before = text.len();
            if self.file.read_until(b'\n', &mut text)? == 0 {
                match text.is_empty() {
                    true => return Ok(None),
                    false => break,
                }
            }
            quotes += memchr::memchr_iter(b'"', &text[before..]).count();
            if quotes.is_multiple_of(2) {
                break;
            }
        }
        let text = String::from_utf8(text).map_err(|_| changed())?;
        Ok(Some(fields(text.strip_suffix('\n').unwrap_or(&text))))
    }
}

fn fields(mut rest: &str) -> Vec<Option<String>> {
    let mut fields = Vec::new();
    loop {
        let after = match rest.strip_prefix('"') {
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                fields.push((end > 0).then(|| rest[..end].to_owned()));
                &rest[end..]
            }
            Some(quoted) => {
                let mut end = 0;
                while let Some(at) = quoted[end..].find('"') {
                    end += at;
                    if !quoted[end + 1..].starts_with('"') {
                        break;
                    }
                    end += 2;
                }
                fields.push(Some(quoted[..end].replace("\"\"", "\"")));
                quoted.get(end + 1..).unwrap_or_default()
            }
        };
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return fields,
        }
    }
}

fn changed() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the file is not as it was written",
    )
}

impl Reader for CsvReader {
    fn read(&mut self) -> io::Result<Option<Vec<Cell<'static>>>> {
        let Some(fields) = self.record()? else {
            return Ok(None);
        };
        if fields.len() != self.kinds.len() {
            return Err(changed());
        }
        let is_only = fields.len() == 1;
        let cells = fields
            .iter()
            .zip(&self.kinds)
            .map(|(field, kind)| match field {
                Some(text) if is_only && text.is_empty() => Ok(Cell::Null),
                None => Ok(Cell::Null),
                Some(text) => Cell::read(text, *kind).ok_or_else(changed),
            });
        cells.collect::<io::Result<_>>().map(Some)
    }
}
