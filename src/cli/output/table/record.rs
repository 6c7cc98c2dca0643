//! Records: a field a line. They show what a table has no room for, and outputs that are no rows.

use std::io::Write;

use super::super::cell;
use super::super::cells::{self, is_empty, is_numeric};
use super::super::columns::Columns;
use super::super::layout::{GAP, padded, widest_piece, width, wrap};
use super::super::view::{VALUE, field};
use super::{Screen, name_of};
use crate::cli::Done;
use crate::cli::terminal::{bold, line};
use crate::json::{Kind, Part};

/// What the names of a record take at the most.
const NAME: usize = 40;
/// What the values of a record need beside their names.
const VALUES: usize = 20;

impl<W: Write> Screen<'_, W> {
    /// Each row as a record.
    pub(super) fn records(&mut self, rows: Part<'_>, columns: Option<&Columns>) -> Done {
        let mut parts = Vec::new();
        for (at, row) in rows.elements().enumerate() {
            if at > 0 {
                self.out.write_all(b"\n")?;
            }
            let entries = match columns {
                None => entries(row),
                Some(columns) => {
                    columns.cells(row, &mut parts);
                    let named = parts.iter().enumerate().filter_map(|(at, part)| {
                        let name = name_of(columns, at);
                        let is_left_out = self.left_out.empty.iter().any(|empty| empty == name);
                        Some((name.to_owned(), (*part)?)).filter(|_| !is_left_out)
                    });
                    named.flat_map(|(name, part)| flat(name, part)).collect()
                }
            };
            match entries.is_empty() {
                true => writeln!(self.out, "(a row with nothing in it)")?,
                false => self.entries(&entries)?,
            }
        }
        Ok(())
    }

    /// An output without rows.
    pub(super) fn record(&mut self, output: Part<'_>) -> Done {
        if output.kind() != Kind::Object {
            let lines = self.lines(VALUE, output);
            return self.value(&lines, 0);
        }
        let asked = self.view.shown();
        let all: Vec<(String, Part<'_>)> = match asked {
            [] => entries(output),
            names => names
                .iter()
                .filter_map(|name| Some((name.clone(), field(output, name)?)))
                .collect(),
        };
        let kept = self.without_empty(all);
        self.entries(&kept)
    }

    /// What stands beside the rows.
    pub(super) fn beside(&mut self, output: Part<'_>, rows: Option<&str>) -> Done {
        let is_rows = |name: &str| rows == Some(name);
        let entries = entries(output)
            .into_iter()
            .filter(|(name, _)| !is_rows(name));
        let kept = self.without_empty(entries.collect());
        if kept.is_empty() {
            return Ok(());
        }
        self.out.write_all(b"\n")?;
        self.entries(&kept)
    }

    fn without_empty<'o>(&mut self, entries: Vec<(String, Part<'o>)>) -> Vec<(String, Part<'o>)> {
        if self.view.wide {
            return entries;
        }
        let (empty, kept): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|(_, part)| is_empty(*part));
        self.left_out
            .empty
            .extend(empty.into_iter().map(|(name, _)| name));
        kept
    }

    fn entries(&mut self, entries: &[(String, Part<'_>)]) -> Done {
        let names: Vec<String> = entries.iter().map(|(name, _)| line(name)).collect();
        let widest = names.iter().map(|name| width(name));
        let widest = widest.filter(|width| *width <= NAME).max().unwrap_or(NAME);
        let indent = widest + GAP;
        for (name, (key, part)) in names.iter().zip(entries) {
            let lines = self.lines(key, *part);
            let is_beside = width(name) <= widest && self.has_room(&lines, indent, VALUES);
            match is_beside {
                true => {
                    write!(self.out, "{}", bold(&padded(name, indent, false)))?;
                    self.value(&lines, indent)?;
                }
                // On lines of its own, and at the margin where it would be broken otherwise.
                false => {
                    writeln!(self.out, "{}", bold(name))?;
                    let indent = if self.has_room(&lines, GAP, 1) {
                        GAP
                    } else {
                        0
                    };
                    write!(self.out, "{}", " ".repeat(indent))?;
                    self.value(&lines, indent)?;
                }
            }
        }
        Ok(())
    }

    /// Whether a text has so much room behind the margin, and none of its words would be broken.
    fn has_room(&self, lines: &[String], indent: usize, least: usize) -> bool {
        let room = self.most.saturating_sub(indent);
        room >= least && lines.iter().all(|text| widest_piece(text) <= room)
    }

    /// Writes lines that are moved in, so that none looks like another name.
    fn value(&mut self, lines: &[String], indent: usize) -> Done {
        let (margin, room) = (" ".repeat(indent), self.most.saturating_sub(indent).max(1));
        for (at, wrapped) in lines.iter().flat_map(|text| wrap(text, room)).enumerate() {
            let margin = if at == 0 { "" } else { &margin };
            writeln!(self.out, "{}", format!("{margin}{wrapped}").trim_end())?;
        }
        Ok(())
    }

    /// The lines of a value.
    fn lines(&mut self, name: &str, part: Part<'_>) -> Vec<String> {
        match part.kind() {
            Kind::String if !is_numeric(part) => cell(part).split('\n').map(line).collect(),
            Kind::Null => vec!["-".to_owned()],
            Kind::Array | Kind::Object => vec![self.nested(name, part, self.most)],
            _ => vec![cells::short(name, part)],
        }
    }

    /// What is nested deeper than a record shows.
    fn nested(&mut self, name: &str, part: Part<'_>, most: usize) -> String {
        /// Lines that it may take.
        const LINES: usize = 3;
        if let (Kind::Array, Some(text)) = (
            part.kind(),
            cells::joined(part).filter(|text| !text.is_empty()),
        ) {
            return text;
        }
        if self.view.wide || part.text().len() <= LINES * most {
            return line(&cell(part));
        }
        self.left_out.has_sums = true;
        cells::short(name, part)
    }
}

/// The members of an object; those of an object inside it have names like `a.b`.
fn entries(row: Part<'_>) -> Vec<(String, Part<'_>)> {
    if row.kind() != Kind::Object {
        return vec![(VALUE.to_owned(), row)];
    }
    let members = row.members();
    members
        .flat_map(|(key, part)| flat(key.name().into_owned(), part))
        .collect()
}

fn flat(name: String, part: Part<'_>) -> Vec<(String, Part<'_>)> {
    match part.kind() == Kind::Object && !is_empty(part) {
        true => part
            .members()
            .map(|(key, inner)| (format!("{name}.{}", key.name()), inner))
            .collect(),
        false => vec![(name, part)],
    }
}
