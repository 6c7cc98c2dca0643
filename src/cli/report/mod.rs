//! Report formats: different ways to print one list of findings.

mod github;
mod human;
mod json;
mod junit;
mod sarif;

use std::io::{self, Write};

use crate::check::Report;
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
