//! Findings as JUnit XML: one test case for each file. It fails if the file has an error.

use std::io::{self, Write};

use crate::check::Report;
use crate::cli::xml;
use crate::source::{Finding, Severity};

/// Prints one `testsuite`.
pub(crate) fn print(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let failing = report
        .files
        .iter()
        .filter(|file| of(report, file).any(|f| f.severity == Severity::Error))
        .count();
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(
        out,
        r#"<testsuite name="toolrun validate" tests="{}" failures="{failing}">"#,
        report.files.len()
    )?;
    for file in &report.files {
        writeln!(
            out,
            r#"  <testcase classname="descriptor" name="{}">"#,
            escaped(file)
        )?;
        for finding in of(report, file) {
            let place = finding.position();
            let help = finding.help.as_deref().unwrap_or_default();
            let text = format!("{place}: {}\n{help}", finding.message);
            match finding.severity {
                Severity::Error => writeln!(
                    out,
                    r#"    <failure type="{}" message="{}">{}</failure>"#,
                    finding.code,
                    escaped(&finding.message),
                    escaped(&text)
                )?,
                Severity::Warning => {
                    writeln!(
                        out,
                        "    <system-out>warning: {}</system-out>",
                        escaped(&text)
                    )?;
                }
            }
        }
        writeln!(out, "  </testcase>")?;
    }
    writeln!(out, "</testsuite>")
}

fn of<'r>(report: &'r Report, file: &'r str) -> impl Iterator<Item = &'r Finding> {
    report
        .findings
        .iter()
        .filter(move |finding| finding.source.name == file)
}

/// Text for XML 1.0, which cannot represent most control characters.
fn escaped(text: &str) -> String {
    xml::escaped(text, |c| match c {
        '\n' | '\t' | '\r' => c,
        _ => '\u{fffd}',
    })
}
