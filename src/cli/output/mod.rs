//! Output formats: many printers of one output value.

mod csv;
mod table;

use std::borrow::Cow;
use std::io::{self, Write};

use clap::ValueEnum;
use serde_json::{Value, json};
use toolrun::{Note, Tool};

pub use table::with_header as table_with_header;

use super::Done;
use super::terminal::{self, Out};

/// How an output is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON value
    Json,
    /// One JSON value a line: each row of the output, as soon as it is there
    Ndjson,
    /// A table for people
    Table,
    /// Comma-separated values, with a header line
    Csv,
    /// YAML
    Yaml,
    /// The service's own answer, byte for byte
    Raw,
}

impl Format {
    /// A table for people, JSON for programs.
    pub fn for_stdout() -> Format {
        match terminal::is_terminal() {
            true => Format::Table,
            false => Format::Json,
        }
    }
}

/// Prints outputs of a tool in one format.
pub struct Printer<'t> {
    format: Format,
    tool: &'t Tool,
    out: Out,
    sheet: Option<csv::Sheet>,
}

impl<'t> Printer<'t> {
    /// Starts to print to standard output.
    pub fn new(format: Format, tool: &'t Tool) -> Printer<'t> {
        Printer {
            format,
            tool,
            out: match format {
                Format::Json | Format::Ndjson => terminal::json(),
                Format::Table => terminal::words(),
                Format::Csv | Format::Yaml | Format::Raw => terminal::data(),
            },
            sheet: None,
        }
    }

    /// Prints an output that is complete. Notes become a part of a JSON or YAML object.
    pub fn whole(&mut self, output: &Value, notes: &[Note]) -> Done {
        match self.format {
            Format::Json => {
                let output = with_notes(output, notes);
                match terminal::is_terminal() {
                    true => serde_json::to_writer_pretty(&mut self.out, &*output),
                    false => serde_json::to_writer(&mut self.out, &*output),
                }
                .map_err(io::Error::from)?;
                writeln!(self.out)?;
            }
            Format::Yaml => {
                let output = with_notes(output, notes);
                serde_yaml::to_writer(&mut self.out, &*output).map_err(io::Error::other)?;
            }
            Format::Table => {
                let text = table::render(self.tool, output);
                self.out.write_all(text.as_bytes())?;
            }
            Format::Ndjson | Format::Csv | Format::Raw => {
                self.page(output)?;
                return self.finish();
            }
        }
        Ok(self.out.flush()?)
    }

    /// Prints one page of an output that goes on, row by row.
    pub fn page(&mut self, output: &Value) -> Done {
        let one = std::slice::from_ref(output);
        let rows = self.tool.projection.rows(output).map_or(one, Vec::as_slice);
        match self.format {
            Format::Csv => {
                let columns = || self.tool.projection.columns();
                let sheet = self.sheet.get_or_insert_with(|| csv::Sheet::new(columns()));
                sheet.add(&mut self.out, rows)?;
            }
            _ => {
                for row in rows {
                    serde_json::to_writer(&mut self.out, row).map_err(io::Error::from)?;
                    self.out.write_all(b"\n")?;
                }
            }
        }
        Ok(self.out.flush()?)
    }

    /// Prints what has waited for the last page.
    pub fn finish(&mut self) -> Done {
        if let Some(sheet) = self.sheet.take() {
            sheet.finish(&mut self.out)?;
        }
        Ok(self.out.flush()?)
    }

    /// Prints one body of several as it came, each on lines of its own.
    pub fn raw_page(&mut self, body: &[u8]) -> Done {
        self.out.write_all(body)?;
        if !body.is_empty() && !body.ends_with(b"\n") {
            self.out.write_all(b"\n")?;
        }
        Ok(self.out.flush()?)
    }

    /// Prints a body as it came.
    pub fn raw(&mut self, body: &[u8]) -> Done {
        self.out.write_all(body)?;
        if terminal::is_terminal() && !body.ends_with(b"\n") {
            self.out.write_all(b"\n")?;
        }
        Ok(self.out.flush()?)
    }
}

/// The output, with what stopped a walk early as its `notes`. An output of another form has no place for them; they
/// are told on standard error in any case.
fn with_notes<'v>(output: &'v Value, notes: &[Note]) -> Cow<'v, Value> {
    match output {
        Value::Object(members) if !notes.is_empty() && !members.contains_key("notes") => {
            let mut members = members.clone();
            members.insert("notes".to_owned(), json!(notes));
            Cow::Owned(Value::Object(members))
        }
        _ => Cow::Borrowed(output),
    }
}

/// A cell: scalars as they are, null as nothing, lists and objects as JSON.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The keys of all rows, in the order in which they appear.
fn columns(rows: &[Value]) -> Vec<String> {
    let mut columns = indexmap::IndexSet::new();
    for row in rows.iter().filter_map(Value::as_object) {
        for key in row.keys() {
            if !columns.contains(key) {
                columns.insert(key.clone());
            }
        }
    }
    columns.into_iter().collect()
}
