//! What is shown of an output: which fields, in which order, with or without headings.

use std::borrow::Cow;

use crate::json::{Json, Kind, Part, write};
use crate::project::Projection;
use crate::words::nearest;
use clap::Args;
use indexmap::IndexSet;

use super::Format;
use super::jq::Jq;
use super::order::Sort;
use crate::cli::{Done, Failure, exit, usage};

/// How rows are shown.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Rows")]
pub(crate) struct View {
    /// The columns of a table or csv, in this order; a.b is the field b of the field a
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        conflicts_with = "select"
    )]
    pub columns: Vec<String>,
    /// Show all columns of a table and cut nothing, whatever the width of the terminal
    #[arg(long)]
    pub wide: bool,
    /// Sort the rows by a field; -NAME puts the largest first. All rows are read before any is printed
    #[arg(long, value_name = "NAME", allow_hyphen_values = true, value_parser = Sort::read)]
    pub sort: Option<Sort>,
    /// Leave out the line of headings of a table or csv
    #[arg(long)]
    pub no_header: bool,
    /// Keep only these fields of each row, in any format but raw
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub select: Vec<String>,
    /// Run a jq expression on the output, or with ndjson on each row, and print its results: texts as they are, other
    /// values as JSON, each on a line
    #[arg(long, value_name = "EXPR", value_parser = Jq::read)]
    pub jq: Option<Jq>,
    /// Print a long output at once, and not page by page
    #[arg(long)]
    pub no_pager: bool,
}

/// The column of rows that have no members.
pub(crate) const VALUE: &str = "value";

/// A field of a row by its name; `a.b` is the field `b` of the field `a` where there is no field of the whole name.
pub(crate) fn field<'o>(row: Part<'o>, name: &str) -> Option<Part<'o>> {
    if row.kind() != Kind::Object {
        return (name == VALUE).then_some(row);
    }
    row.member(name).or_else(|| {
        let (head, rest) = name.split_once('.')?;
        field(row.member(head)?, rest)
    })
}

impl View {
    /// Refuses what does not go with a format, and names that the tool's rows surely do not have.
    pub(crate) fn check(&self, format: Format, projection: &Projection) -> Done {
        if self.jq.is_some() {
            self.check_jq(format)?;
        }
        let is_sheet = matches!(format, Format::Table | Format::Csv);
        let is_chart = matches!(format, Format::Chart | Format::Svg);
        let refused = [
            (!self.columns.is_empty() && !is_sheet, "--columns"),
            (self.wide && !is_sheet, "--wide"),
            (self.no_header && !is_sheet, "--no-header"),
            (
                self.sort.is_some() && (is_chart || format == Format::Raw),
                "--sort",
            ),
            (!self.select.is_empty() && format == Format::Raw, "--select"),
        ];
        if let Some((_, option)) = refused.iter().find(|(is_refused, _)| *is_refused) {
            return Err(usage(refusal(option, format)));
        }
        if self.names().any(str::is_empty) {
            return Err(usage(
                "a name in --columns or --select is empty; separate names by one comma",
            ));
        }
        let Some(known) = projection.columns() else {
            return Ok(());
        };
        let known: IndexSet<String> = known.into_iter().collect();
        let is_known = |name: &str| {
            known.contains(name)
                || name
                    .match_indices('.')
                    .any(|(at, _)| known.contains(&name[..at]))
        };
        match self.names().find(|name| !is_known(name)) {
            Some(name) => Err(unknown(name, &known)),
            None => Ok(()),
        }
    }

    /// An expression has an output to work on, and nothing beside it shapes what is printed.
    fn check_jq(&self, format: Format) -> Done {
        let shapes = [
            (!self.columns.is_empty(), "--columns"),
            (!self.select.is_empty(), "--select"),
            (self.wide, "--wide"),
            (self.no_header, "--no-header"),
        ];
        if let Some((_, option)) = shapes.iter().find(|(is_given, _)| *is_given) {
            return Err(usage(format!(
                "{option} does not go with --jq: the expression alone says what is printed, as `.rows[] | {{id, name}}` does"
            )));
        }
        match format {
            Format::Raw | Format::Chart | Format::Svg => Err(usage(format!(
                "--jq is for json, ndjson, yaml, table and csv, and this output is {}",
                format.name()
            ))),
            _ => Ok(()),
        }
    }

    /// The fields that the user named.
    fn names(&self) -> impl Iterator<Item = &str> {
        let sort = self.sort.iter().map(|sort| sort.name.as_str());
        self.shown().iter().map(String::as_str).chain(sort)
    }

    /// The fields that are shown; none where all are.
    pub(crate) fn shown(&self) -> &[String] {
        match self.columns.is_empty() {
            true => &self.select,
            false => &self.columns,
        }
    }

    /// The output with its rows in order, and in formats without columns only the selected fields.
    pub(crate) fn of<'o>(
        &self,
        output: &'o Json,
        projection: &Projection,
        format: Format,
    ) -> Result<Cow<'o, Json>, Failure> {
        let fields = match format {
            Format::Table | Format::Csv | Format::Chart | Format::Svg => &[],
            _ => self.select.as_slice(),
        };
        let whole = output.part();
        let Some(rows) = projection.rows(whole) else {
            return match fields {
                [] => Ok(Cow::Borrowed(output)),
                // A row that has none of them is printed whole; the error that follows names what is there.
                _ if !fields.iter().any(|name| field(whole, name).is_some()) => {
                    Ok(Cow::Borrowed(output))
                }
                _ => {
                    let mut text = Vec::new();
                    select(whole, fields, &mut text);
                    made(text).map(Cow::Owned)
                }
            };
        };
        if self.sort.is_none() && fields.is_empty() {
            return Ok(Cow::Borrowed(output));
        }
        let start = rows.text().as_ptr() as usize - whole.text().as_ptr() as usize;
        let (before, after) = (
            &whole.text()[..start],
            &whole.text()[start + rows.text().len()..],
        );
        let mut text = Vec::with_capacity(whole.text().len());
        text.extend_from_slice(before);
        text.push(b'[');
        match &self.sort {
            Some(sort) => append(sort.rows(rows).into_iter(), fields, &mut text),
            None => append(rows.elements(), fields, &mut text),
        }
        text.push(b']');
        text.extend_from_slice(after);
        made(text).map(Cow::Owned)
    }
}

fn append<'o>(rows: impl Iterator<Item = Part<'o>>, fields: &[String], text: &mut Vec<u8>) {
    for (at, row) in rows.enumerate() {
        if at > 0 {
            text.push(b',');
        }
        select(row, fields, text);
    }
}

/// Writes the fields of a row that it has; all where none are named. A row without fields stays as it is.
fn select(row: Part<'_>, fields: &[String], text: &mut Vec<u8>) {
    // To write to memory cannot fail.
    if fields.is_empty() || row.kind() != Kind::Object {
        let _ = write::compact(row, text);
        return;
    }
    text.push(b'{');
    let start = text.len();
    for name in fields {
        let Some(value) = field(row, name) else {
            continue;
        };
        if text.len() > start {
            text.push(b',');
        }
        text.extend_from_slice(Json::of_text(name).bytes());
        text.push(b':');
        let _ = write::compact(value, text);
    }
    text.push(b'}');
}

fn made(text: Vec<u8>) -> Result<Json, Failure> {
    Json::read(text.into()).map_err(|error| Failure::Told(exit::RESPONSE, error))
}

/// Looks for the named fields in the rows that are printed: one that no row has is an error, once they are printed.
pub(crate) struct Lookout {
    /// The fields that no row had so far.
    unseen: Vec<String>,
    /// The fields that there are.
    there: IndexSet<String>,
    has_rows: bool,
}

/// Fields that are remembered for the error that names them.
const MOST_NAMED: usize = 100;

impl Lookout {
    /// Looks for the fields that the user named.
    pub(crate) fn new(view: &View) -> Lookout {
        Lookout {
            unseen: view.names().map(str::to_owned).collect(),
            there: IndexSet::new(),
            has_rows: false,
        }
    }

    /// Looks at an output.
    pub(crate) fn look(&mut self, output: Part<'_>, projection: &Projection) {
        if self.unseen.is_empty() {
            return;
        }
        match projection.rows(output) {
            Some(rows) => rows.elements().for_each(|row| self.look_at(row)),
            None => self.look_at(output),
        }
    }

    fn look_at(&mut self, row: Part<'_>) {
        if self.unseen.is_empty() {
            return;
        }
        self.has_rows = true;
        self.unseen.retain(|name| field(row, name).is_none());
        if row.kind() != Kind::Object {
            self.there.insert(VALUE.to_owned());
        }
        for (key, _) in row.members() {
            if self.there.len() < MOST_NAMED && !self.there.contains(&*key.name()) {
                self.there.insert(key.name().into_owned());
            }
        }
    }

    /// Fails where rows were looked at and a field was in none of them.
    pub(crate) fn verdict(&self) -> Done {
        match self.unseen.first() {
            Some(name) if self.has_rows => Err(unknown(name, &self.there)),
            _ => Ok(()),
        }
    }
}

fn unknown(name: &str, there: &IndexSet<String>) -> Failure {
    let meant = nearest(name, there.iter().map(String::as_str));
    let meant = meant.map(|meant| format!("; {meant}")).unwrap_or_default();
    let names: Vec<&str> = there.iter().map(String::as_str).collect();
    let there = match names.is_empty() {
        true => "the rows have no fields".to_owned(),
        false => format!("there are {}", names.join(", ")),
    };
    usage(format!(
        "no field of the rows is called `{name}`; {there}{meant}"
    ))
}

fn refusal(option: &str, format: Format) -> String {
    let (own, instead) = match option {
        "--columns" => ("table and csv", "; --select keeps fields in every format"),
        "--wide" | "--no-header" => ("table and csv", ""),
        "--sort" => ("table, csv, json, ndjson and yaml", ""),
        _ => ("all formats but raw", ""),
    };
    let format = format.name();
    format!("{option} is for {own}, and this output is {format}; -o names another{instead}")
}
