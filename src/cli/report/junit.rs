//! Findings as JUnit XML: one test case for each file. It fails if the file has an error, or a warning where warnings are
//! denied.

use std::collections::HashMap;
use std::io::{self, Write};

use indexmap::IndexSet;

use crate::check::Report;
use crate::cli::xml;
use crate::source::{Finding, Severity};

/// Prints one `testsuite`.
pub(crate) fn print(out: &mut impl Write, report: &Report, deny_warnings: bool) -> io::Result<()> {
    let mut of: HashMap<&str, Vec<&Finding>> = HashMap::new();
    for finding in &report.findings {
        of.entry(&finding.source.name).or_default().push(finding);
    }
    let of = |file: &str| of.get(file).into_iter().flatten().copied();
    let fails = |finding: &Finding| match finding.severity {
        Severity::Error => true,
        Severity::Warning => deny_warnings,
        Severity::Note => false,
    };
    // A finding may stand in a file that is there no more, such as one of an older version.
    let mut files: IndexSet<&str> = report.files.iter().map(String::as_str).collect();
    files.extend(report.findings.iter().map(|one| one.source.name.as_str()));
    let failing = files.iter().filter(|file| of(file).any(fails)).count();
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(
        out,
        r#"<testsuite name="toolrun validate" tests="{}" failures="{failing}">"#,
        files.len()
    )?;
    for file in files {
        writeln!(
            out,
            r#"  <testcase classname="descriptor" name="{}">"#,
            escaped(file)
        )?;
        for finding in of(file) {
            let place = finding.position();
            let help = super::cut(finding.help.as_deref().unwrap_or_default());
            let message = super::cut(&finding.message);
            let text = format!("{place}: {message}\n{help}");
            match fails(finding) {
                true => writeln!(
                    out,
                    r#"    <failure type="{}" message="{}">{}</failure>"#,
                    finding.code,
                    escaped(&message),
                    escaped(&text)
                )?,
                false => {
                    writeln!(
                        out,
                        "    <system-out>{}: {}</system-out>",
                        finding.severity,
                        escaped(&text)
                    )?;
                }
            }
        }
        writeln!(out, "  </testcase>")?;
    }
    writeln!(out, "</testsuite>")
}

/// Text for XML 1.0, which cannot represent most control characters.
pub(crate) fn escaped(text: &str) -> String {
    xml::escaped(text, |c| match c {
        '\n' | '\t' | '\r' => c,
        _ => '\u{fffd}',
    })
}
