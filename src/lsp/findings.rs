//! Findings as the protocol's diagnostics.

use std::ops::Range;

use serde_json::{Value, json};

use super::text::Text;
use crate::source::{Code, Finding, Severity};
use crate::words::meant_in;
use crate::yaml;

/// How many findings of a file are sent.
const MOST: usize = 500;

/// The diagnostics of a file.
pub(super) fn diagnostics(findings: &[Finding], text: &Text, uri: &str) -> Vec<Value> {
    let related = related_places(findings, text.as_str());
    let shown = findings.iter().take(MOST);
    let mut all: Vec<Value> = shown
        .map(|finding| diagnostic(finding, text, uri, &related))
        .collect();
    if findings.len() > MOST {
        all.push(json!({
            "range": text.span(0..0),
            "severity": 1,
            "source": "toolrun",
            "message": format!("there are {} findings; the first {MOST} are shown", findings.len()),
        }));
    }
    all
}

fn diagnostic(finding: &Finding, text: &Text, uri: &str, related: &[Related]) -> Value {
    let message = match &finding.help {
        Some(help) => format!("{}\n{help}", finding.message),
        None => finding.message.clone(),
    };
    let mut all = json!({
        "range": text.span(finding.span.clone()),
        "severity": match finding.severity {
            Severity::Error => 1,
            Severity::Warning => 2,
            Severity::Note => 3,
        },
        "code": finding.code.name(),
        "source": "toolrun",
        "message": message,
        "data": { "explanation": finding.code.meaning().summary, "suggestion": suggestion(finding) },
    });
    if matches!(finding.code, Code::UnusedName | Code::UnusedParam) {
        all["tags"] = json!([1]);
    }
    let places = related.iter().filter(|related| related.of == finding.span);
    let places: Vec<Value> = places
        .map(|related| {
            json!({
                "location": { "uri": uri, "range": text.span(related.span.clone()) },
                "message": related.words,
            })
        })
        .collect();
    if !places.is_empty() {
        all["relatedInformation"] = places.into();
    }
    all
}

/// What to write in place of the part with the finding, if that is known.
pub(super) fn suggestion(finding: &Finding) -> Option<&str> {
    meant_in(finding.help.as_deref()?)
}

/// Another place that explains a finding.
struct Related {
    of: Range<usize>,
    span: Range<usize>,
    words: String,
}

/// The places that explain findings of the YAML itself, such as the first of two equal keys.
fn related_places(findings: &[Finding], text: &str) -> Vec<Related> {
    let is_of_yaml =
        |finding: &Finding| matches!(finding.code, Code::YamlSyntax | Code::DuplicateKey);
    if !findings.iter().any(is_of_yaml) {
        return Vec::new();
    }
    let problems = yaml::read(text, &yaml::Limits::default()).err();
    let problems = problems.into_iter().flatten();
    problems
        .filter_map(|problem| {
            let (span, words) = problem.related?;
            Some(Related {
                of: problem.span,
                span,
                words,
            })
        })
        .collect()
}
