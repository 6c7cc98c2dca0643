//! Output formats: several printers for one output value.

pub(crate) mod cells;
mod chart;
mod columns;
mod csv;
pub(crate) mod jq;
pub(crate) mod layout;
mod order;
pub(crate) mod plain;
mod svg;
mod table;
mod view;
mod yaml;

use std::borrow::Cow;
use std::io::Write;

use crate::Note;
use crate::json::{Json, Kind, Part, write};
use crate::project::Projection;
use clap::ValueEnum;
use serde_json::json;

pub(crate) use view::View;

use chart::Chart;
use columns::Columns;
use jq::{Deadline, Runs};
use view::Lookout;

use super::Done;
use super::terminal::{self, Out};

/// How an output is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One JSON value
    Json,
    /// One JSON value on each line: the rows of the output, as soon as they arrive
    Ndjson,
    /// A table: for people on a terminal, a row a line with tabs in a pipe
    Table,
    /// Comma-separated values, with a header line
    Csv,
    /// YAML
    Yaml,
    /// Numbers over time, as bars or lines
    Chart,
    /// The same as a picture
    Svg,
    /// The service's own answer, unchanged
    Raw,
}

impl Format {
    /// A table for people, JSON for programs.
    pub(crate) fn for_stdout() -> Format {
        match terminal::is_terminal() {
            true => Format::Table,
            false => Format::Json,
        }
    }

    /// The name that the user calls it by.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether it has only the rows of an output, and nothing that stands beside them.
    pub(crate) fn has_rows_alone(self) -> bool {
        match self {
            Format::Ndjson | Format::Csv | Format::Chart | Format::Svg => true,
            Format::Table => !terminal::is_terminal(),
            Format::Json | Format::Yaml | Format::Raw => false,
        }
    }
}

/// Prints outputs of a tool in one format.
pub(crate) struct Printer<'t> {
    format: Format,
    projection: &'t Projection,
    view: &'t View,
    out: Out,
    sheet: Option<csv::Sheet>,
    lookout: Lookout,
    runs: Runs,
}

impl<'t> Printer<'t> {
    /// Starts printing to standard output.
    pub(crate) fn new(format: Format, projection: &'t Projection, view: &'t View) -> Printer<'t> {
        let out = match format {
            // A text that is a result is data; the others are JSON.
            _ if view.jq.is_some() && format != Format::Ndjson => terminal::data(),
            Format::Json | Format::Ndjson => terminal::json(),
            // It has no layout of its own for pipes, so colours may be forced there.
            Format::Chart => terminal::styled_words(),
            Format::Table => match terminal::is_terminal() {
                true => terminal::styled_words(),
                false => terminal::words(),
            },
            Format::Csv | Format::Yaml | Format::Raw | Format::Svg => terminal::data(),
        };
        // What comes page by page is shown as it comes.
        let is_paged = match format {
            Format::Json | Format::Table | Format::Yaml | Format::Chart => true,
            Format::Csv => view.jq.is_some(),
            Format::Ndjson | Format::Raw | Format::Svg => false,
        };
        Printer {
            format,
            projection,
            view,
            out: match is_paged && !view.no_pager {
                true => out.paged(),
                false => out,
            },
            sheet: None,
            lookout: Lookout::new(view),
            runs: Runs::new(None),
        }
    }

    /// Ends the runs of an expression at a deadline.
    pub(crate) fn until(mut self, deadline: Option<Deadline>) -> Printer<'t> {
        self.runs = Runs::new(deadline);
        self
    }

    /// Prints a complete output. Notes become a part of a JSON or YAML object.
    pub(crate) fn whole(&mut self, output: &Json, notes: &[Note]) -> Done {
        let has_jq = self.view.jq.is_some();
        if matches!(self.format, Format::Ndjson | Format::Raw)
            || (self.format == Format::Csv && !has_jq)
        {
            // The waiting rows are printed even if the others could not be kept.
            let done = self.page(output);
            let finished = self.finish();
            return done.and(finished);
        }
        self.lookout.look(output.part(), self.projection);
        let output = &*self.view.of(output, self.projection, self.format)?;
        match self.format {
            _ if let Some(jq) = &self.view.jq => {
                let output = with_notes(output, notes);
                self.runs.whole(jq, output.part(), &mut self.out)?;
            }
            Format::Chart | Format::Svg => {
                let chart = match Chart::of(output.part(), self.projection, self.view, notes) {
                    Ok(chart) => chart,
                    // What was read is not lost with the picture.
                    Err(failure) => {
                        self.json(output, notes)?;
                        self.finish()?;
                        return Err(failure);
                    }
                };
                match self.format {
                    Format::Chart => chart.draw(&mut self.out, terminal::width()),
                    _ => svg::write(&mut self.out, &chart),
                }?;
            }
            Format::Json => self.json(output, notes)?,
            Format::Yaml => {
                let output = with_notes(output, notes);
                yaml::write(&mut self.out, output.part())?;
            }
            _ => {
                let (out, part) = (&mut self.out, output.part());
                match terminal::is_terminal() {
                    true => table::write(out, self.projection, self.view, part, terminal::width())?,
                    false => plain::write(out, self.projection, self.view, part)?,
                }
            }
        }
        self.finish()
    }

    fn json(&mut self, output: &Json, notes: &[Note]) -> Done {
        let output = with_notes(output, notes);
        match terminal::is_terminal() {
            true => write::pretty(output.part(), &mut self.out),
            false => write::compact(output.part(), &mut self.out),
        }?;
        Ok(writeln!(self.out)?)
    }

    /// Prints one page of a walk, row by row.
    pub(crate) fn page(&mut self, output: &Json) -> Done {
        self.lookout.look(output.part(), self.projection);
        let output = self.view.of(output, self.projection, self.format)?;
        let output = output.part();
        match self.projection.rows(output) {
            Some(rows) => self.rows(rows.elements())?,
            None => self.rows(std::iter::once(output))?,
        }
        Ok(self.out.flush()?)
    }

    fn rows<'o>(&mut self, rows: impl Iterator<Item = Part<'o>> + Send) -> Done {
        if self.format == Format::Csv {
            let (view, projection) = (self.view, self.projection);
            let new = || csv::Sheet::new(Columns::known(view, projection), !view.no_header);
            let sheet = self.sheet.get_or_insert_with(new);
            return sheet.add(&mut self.out, rows);
        }
        if let Some(jq) = &self.view.jq {
            return self.runs.rows(jq, rows, &mut self.out);
        }
        for row in rows {
            write::compact(row, &mut self.out)?;
            self.out.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Whether the rows wait for the last page. They must be printed even if a page could not be read.
    pub(crate) fn rows_wait(&self) -> bool {
        self.sheet.as_ref().is_some_and(csv::Sheet::waits)
    }

    /// Prints the rows that waited for the last page. Fails if a field that the user named was in no row.
    pub(crate) fn finish(&mut self) -> Done {
        if let Some(sheet) = self.sheet.take() {
            sheet.finish(&mut self.out)?;
        }
        self.out.end()?;
        self.lookout.verdict()?;
        self.runs.verdict()
    }

    /// Prints one of several bodies unchanged, starting on a new line.
    pub(crate) fn raw_page(&mut self, body: &[u8]) -> Done {
        self.out.write_all(body)?;
        if !body.is_empty() && !body.ends_with(b"\n") {
            self.out.write_all(b"\n")?;
        }
        Ok(self.out.flush()?)
    }

    /// Prints a body unchanged.
    pub(crate) fn raw(&mut self, body: &[u8]) -> Done {
        self.out.write_all(body)?;
        if terminal::is_terminal() && !body.ends_with(b"\n") {
            self.out.write_all(b"\n")?;
        }
        Ok(self.out.flush()?)
    }
}

/// The output with `notes` that say what stopped a walk early. An output that is not an object cannot hold them; they
/// are printed on standard error in any case.
fn with_notes<'o>(output: &'o Json, notes: &[Note]) -> Cow<'o, Json> {
    let part = output.part();
    if part.kind() != Kind::Object || notes.is_empty() || part.member("notes").is_some() {
        return Cow::Borrowed(output);
    }
    Cow::Owned(output.with_member("notes", &Json::of(&json!(notes))))
}

/// The text of a cell: scalars unchanged, null as nothing, lists and objects as JSON.
fn cell(part: Part<'_>) -> Cow<'_, str> {
    match part.kind() {
        Kind::Null => Cow::Borrowed(""),
        Kind::String => part.string().unwrap_or_default(),
        // A cell may be as large as the body.
        _ if write::is_compact(part) => String::from_utf8_lossy(part.text()),
        _ => {
            let mut text = Vec::with_capacity(part.text().len());
            // Writing to memory cannot fail, and checked text is UTF-8.
            let _ = write::compact(part, &mut text);
            Cow::Owned(String::from_utf8(text).unwrap_or_default())
        }
    }
}
