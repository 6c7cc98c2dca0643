//! Findings as annotations of a GitHub workflow.

use std::io::{self, Write};

use crate::check::Report;
use crate::source::{Finding, Severity};

use crate::cli::terminal::shown;

/// Prints one workflow command for each finding, and a summary.
pub(crate) fn print(out: &mut impl Write, report: &Report) -> io::Result<()> {
    print_all(out, &report.findings)?;
    writeln!(out, "{}", super::summary(report))
}

/// Prints one workflow command for each finding.
pub(crate) fn print_all(out: &mut impl Write, findings: &[Finding]) -> io::Result<()> {
    for finding in findings {
        let (place, was) = super::here(finding.position());
        let level = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let help = finding
            .help
            .as_ref()
            .map(|help| format!("\n{}", super::cut(help)))
            .unwrap_or_default();
        writeln!(
            out,
            "::{level} file={},line={},endLine={},col={},endColumn={},title={}::{}",
            property(&place.file),
            place.line,
            place.end_line,
            place.column,
            place.end_column,
            property(finding.code.name()),
            data(&format!("{}{was}{help}", super::cut(&finding.message))),
        )?;
    }
    Ok(())
}

fn data(text: &str) -> String {
    let escaped = text
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A");
    shown(&escaped).into_owned()
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
