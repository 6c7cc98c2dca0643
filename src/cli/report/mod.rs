//! Report formats: different ways to print one list of findings.

mod github;
mod human;
mod json;
mod junit;
mod sarif;

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use crate::check::Report;
use crate::diff::revision_and_path;
use crate::source::Position;
use clap::ValueEnum;

use super::terminal::{self, Out};

pub(crate) use github::print_all as print_annotations;
pub(crate) use human::{print_all as print_findings, without_secrets};
pub(crate) use json::finding as as_json;
pub(crate) use junit::escaped as xml_text;

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The source line with carets, for people
    Human,
    /// One JSON object
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of a GitHub workflow
    Github,
    /// JUnit XML, one test case for each file
    Junit,
}

impl Format {
    /// Standard output with the escaping that this format needs.
    pub(crate) fn out(self) -> Out {
        match self {
            Format::Human => terminal::styled_words(),
            Format::Json | Format::Sarif => terminal::json(),
            Format::Github | Format::Junit => terminal::words(),
        }
    }

    /// Prints a report. `deny_warnings` says that warnings fail too.
    pub(crate) fn print(
        self,
        out: &mut impl Write,
        report: &Report,
        deny_warnings: bool,
    ) -> io::Result<()> {
        match self {
            Format::Human => human::print(out, report),
            Format::Json => json::print(out, report),
            Format::Sarif => sarif::print(out, report),
            Format::Github => github::print(out, report),
            Format::Junit => junit::print(out, report, deny_warnings),
        }
    }

    /// A report for a file, with the escaping that it has on standard output.
    pub(crate) fn text(self, report: &Report, deny_warnings: bool) -> String {
        let mut bytes = Vec::new();
        // Nothing hinders writing to memory.
        let _ = self.print(&mut bytes, report, deny_warnings);
        let text = String::from_utf8_lossy(&bytes);
        match self {
            Format::Json | Format::Sarif => terminal::json_text(&text),
            Format::Human | Format::Github | Format::Junit => terminal::shown(&text).into_owned(),
        }
    }
}

/// The most characters of a message that people read.
const LONGEST: usize = 4_000;

/// A message as people read it. What is left out of a very long one is said; in JSON it is whole.
pub(crate) fn cut(text: &str) -> Cow<'_, str> {
    // Most texts are short also by their bytes.
    if text.len() <= LONGEST {
        return Cow::Borrowed(text);
    }
    match text.char_indices().nth(LONGEST) {
        None => Cow::Borrowed(text),
        Some((end, _)) => {
            let more = text[end..].chars().count();
            Cow::Owned(format!("{}... ({more} more characters)", &text[..end]))
        }
    }
}

/// A place in the files that are here, for services that show findings in them. What is gone stood in another revision,
/// `REV:PATH`: it is shown at the head of the file that is there now, and where it was is told. A path of a revision is one
/// below the root of the repository, where such services look for it.
fn here(place: Position) -> (Position, String) {
    let (_, path) = revision_and_path(&place.file);
    let Some(path) = path.filter(|_| !Path::new(&place.file).exists()) else {
        return (place, String::new());
    };
    let head = Position {
        file: path.to_owned(),
        line: 1,
        column: 1,
        end_line: 1,
        end_column: 1,
    };
    (head, format!(" (it was at {place})"))
}

/// How many errors and warnings there are, in words.
fn summary(report: &Report) -> String {
    let plural = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    };
    format!(
        "{}: {}, {}",
        plural(report.files.len(), "file"),
        plural(report.errors(), "error"),
        plural(report.warnings(), "warning")
    )
}
