//! Findings as one JSON object.

use std::io::{self, Write};

use crate::check::Report;
use crate::source::Finding;
use serde_json::json;

/// Prints `{files, errors, warnings, findings: [...]}`.
pub(crate) fn print(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let findings: Vec<_> = report.findings.iter().map(finding).collect();
    let whole = json!({
        "files": report.files.len(),
        "errors": report.errors(),
        "warnings": report.warnings(),
        "findings": findings,
    });
    writeln!(out, "{whole:#}")
}

/// A finding as `{code, severity, message, help, place}`.
pub(crate) fn finding(finding: &Finding) -> serde_json::Value {
    json!({
        "code": finding.code,
        "severity": finding.severity,
        "message": finding.message,
        "help": finding.help,
        "place": finding.position(),
    })
}
