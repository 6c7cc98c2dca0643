//! Findings as SARIF 2.1.0 (OASIS), for code scanning.

use std::io::{self, Write};
use std::path::{Component, Path};

use crate::check::Report;
use crate::source::{Code, Finding, Severity};
use serde_json::{Value, json};
use url::Url;

/// Prints one SARIF log.
pub(crate) fn print(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let rules: Vec<Value> = Code::ALL.iter().map(|code| rule(*code)).collect();
    let results: Vec<Value> = report.findings.iter().map(result).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "toolrun",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    writeln!(out, "{log:#}")
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn rule(code: Code) -> Value {
    let meaning = code.meaning();
    json!({
        "id": meaning.name,
        "shortDescription": { "text": meaning.summary },
        "help": { "text": format!("Wrong:\n{}\nRight:\n{}", meaning.wrong, meaning.right) },
        "defaultConfiguration": { "level": level(meaning.severity) },
    })
}

fn result(finding: &Finding) -> Value {
    let (place, was) = super::here(finding.position());
    let message = super::cut(&finding.message);
    let text = match &finding.help {
        Some(help) => format!("{message}{was} ({})", super::cut(help)),
        None => format!("{message}{was}"),
    };
    json!({
        "ruleId": finding.code,
        "ruleIndex": Code::ALL.iter().position(|code| *code == finding.code),
        "level": level(finding.severity),
        "message": { "text": text },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri(&place.file) },
            "region": {
                "startLine": place.line,
                "startColumn": place.column,
                "endLine": place.end_line,
                "endColumn": place.end_column,
            },
        } }],
    })
}

/// A path as a URI reference: relative to the current folder for what is in it, else a `file` URI.
fn uri(path: &str) -> String {
    let encoded = |path: &str| {
        let parts = path.split('/').map(crate::plan::percent_encode);
        parts.collect::<Vec<_>>().join("/")
    };
    let here = std::env::current_dir().unwrap_or_default();
    let place = Path::new(path);
    let climbs = place.components().any(|part| part == Component::ParentDir);
    let absolute = match (place.is_absolute(), climbs) {
        (false, false) => return encoded(&slashed(place.strip_prefix(".").unwrap_or(place))),
        _ => here.join(place),
    };
    let absolute = absolute.canonicalize().unwrap_or(absolute);
    let here = here.canonicalize().unwrap_or(here);
    match absolute.strip_prefix(&here) {
        Ok(inside) => encoded(&slashed(inside)),
        Err(_) => match Url::from_file_path(&absolute) {
            Ok(url) => url.into(),
            Err(()) => encoded(&slashed(&absolute)),
        },
    }
}

fn slashed(path: &Path) -> String {
    path.display().to_string().replace('\\', "/")
}
