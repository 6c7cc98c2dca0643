//! Findings as annotations of a GitHub workflow.

use std::io::{self, Write};
use std::path::Path;

use crate::check::Report;
use crate::source::{Finding, Position, Severity};

use crate::cli::terminal::shown;

/// Prints one workflow command for each finding, and a summary.
pub(crate) fn print(out: &mut impl Write, report: &Report) -> io::Result<()> {
    print_all(out, &report.findings)?;
    writeln!(out, "{}", super::summary(report))
}

/// Prints one workflow command for each finding.
pub(crate) fn print_all(out: &mut impl Write, findings: &[Finding]) -> io::Result<()> {
    for finding in findings {
        let (place, was) = here(finding.position());
        let level = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let help = finding
            .help
            .as_ref()
            .map(|help| format!("\n{help}"))
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
            data(&format!("{}{was}{help}", finding.message)),
        )?;
    }
    Ok(())
}

/// A place in the files of the workflow. What is gone stood in another revision, `REV:PATH`: it is shown at the head of the
/// file that is there now, and where it was is told.
fn here(place: Position) -> (Position, String) {
    let now = place.file.split_once(':').map(|(_, path)| path);
    match now.filter(|path| Path::new(path).is_file() && !Path::new(&place.file).exists()) {
        None => (place, String::new()),
        Some(path) => {
            let head = Position {
                file: path.to_owned(),
                line: 1,
                column: 1,
                end_line: 1,
                end_column: 1,
            };
            (head, format!(" (it was at {place})"))
        }
    }
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
