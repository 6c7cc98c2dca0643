//! Results as one JSON object.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::{Case, Results, Tested, Updated, Verdict};
use crate::cli::report;

/// Prints `{passed, failed, expect_nothing, without_examples, updated, files: [...]}`.
pub(super) fn print(out: &mut impl Write, results: &Results) -> io::Result<()> {
    let files: Vec<Value> = results.files.iter().map(file).collect();
    let whole = json!({
        "passed": results.count(Verdict::Passed),
        "failed": results.failed(),
        "expect_nothing": results.count(Verdict::ExpectsNothing),
        "without_examples": results.without_examples(),
        "updated": results.updated(),
        "files": files,
    });
    writeln!(out, "{whole:#}")
}

fn file(tested: &Tested) -> Value {
    let mut file = match &tested.outcome {
        Ok(examples) => json!({
            "file": tested.file,
            "tool": examples.tool.qualified_name(),
            "examples": examples.cases.iter().map(case).collect::<Vec<_>>(),
        }),
        Err(findings) => json!({
            "file": tested.file,
            "findings": findings.iter().map(report::as_json).collect::<Vec<_>>(),
        }),
    };
    match &tested.updated {
        None => {}
        Some(Updated::Written(count)) => file["updated"] = (*count).into(),
        Some(Updated::Refused(reason)) => file["not_updated"] = reason.as_str().into(),
    }
    file
}

fn case(case: &Case) -> Value {
    let failures = case.failures.iter().map(|(failure, place)| {
        let mut told = json!({
            "part": failure.part,
            "message": failure.message,
            "place": place,
        });
        if let Some((expected, actual)) = &failure.difference {
            told["expected"] = expected.clone();
            told["actual"] = actual.clone();
        }
        told
    });
    json!({
        "name": case.name,
        "result": match case.verdict() {
            Verdict::Passed => "passed",
            Verdict::ExpectsNothing => "expects_nothing",
            Verdict::Failed => "failed",
        },
        "place": case.place,
        "failures": failures.collect::<Vec<_>>(),
    })
}
