//! Results for people: a line for each example, with the differences of those that failed.

use std::io::{self, Write};

use crate::check::examples::Failure;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::{Case, Results, Tested, Updated, Verdict};
use crate::cli::report;
use crate::cli::terminal::line;

/// Prints all results and a summary.
pub(super) fn print(out: &mut impl Write, results: &Results) -> io::Result<()> {
    for file in &results.files {
        match &file.outcome {
            Ok(examples) => {
                let tool = examples.tool.qualified_name();
                for case in &examples.cases {
                    print_case(out, &tool, case)?;
                }
            }
            Err(findings) => {
                let file = line(&file.file);
                writeln!(out, "FAIL {file}: the descriptor is not valid")?;
                report::print_findings(out, findings, false)?;
            }
        }
        print_update(out, file)?;
    }
    let without = results.without_examples();
    if !without.is_empty() {
        writeln!(out, "without examples: {}", named(&without))?;
    }
    writeln!(out, "{}", summary(results))
}

fn print_case(out: &mut impl Write, tool: &str, case: &Case) -> io::Result<()> {
    let name = format!("{tool}: {}", line(&case.name));
    match case.verdict() {
        Verdict::Passed => writeln!(out, "ok   {name}"),
        Verdict::ExpectsNothing => writeln!(out, "none {name}: the example expects nothing"),
        Verdict::Failed => {
            writeln!(out, "FAIL {name}")?;
            for (failure, _) in &case.failures {
                out.write_all(explain(failure).as_bytes())?;
            }
            Ok(())
        }
    }
}

fn print_update(out: &mut impl Write, file: &Tested) -> io::Result<()> {
    let name = line(&file.file);
    match &file.updated {
        None => Ok(()),
        Some(Updated::Written(1)) => writeln!(out, "updated {name}: 1 expectation"),
        Some(Updated::Written(count)) => writeln!(out, "updated {name}: {count} expectations"),
        Some(Updated::Refused(reason)) => writeln!(out, "not updated {name}: {}", line(reason)),
    }
}

pub(super) fn summary(results: &Results) -> String {
    let mut summary = format!(
        "{} passed, {} failed",
        results.count(Verdict::Passed),
        results.failed()
    );
    match results.invalid() {
        0 => {}
        1 => summary.push_str(" (1 file is not valid)"),
        count => summary.push_str(&format!(" ({count} files are not valid)")),
    }
    match results.count(Verdict::ExpectsNothing) {
        0 => {}
        1 => summary.push_str(", 1 expects nothing"),
        count => summary.push_str(&format!(", {count} expect nothing")),
    }
    if results.cases().next().is_none() && results.invalid() == 0 {
        summary.push_str(": there is no example, so nothing was tested");
    }
    summary
}

/// The first of these names, and how many more there are.
fn named(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown = names.iter().take(SHOWN).map(|name| line(name));
    let shown: Vec<String> = shown.collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn explain(failure: &Failure) -> String {
    let mut text = format!("     {}: {}\n", line(&failure.part), line(&failure.message));
    if let Some((expected, actual)) = &failure.difference {
        text.push_str("     - expected by the example\n     + given by the descriptor\n");
        let (expected, actual) = lines(expected, actual);
        for change in TextDiff::from_lines(&expected, &actual).iter_all_changes() {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            text.push_str(&format!("     {sign} {change}"));
        }
    }
    text
}

/// Two values as lines. Texts have no quotes, unless the other value is none: then the quotes are the difference.
fn lines(expected: &Value, actual: &Value) -> (String, String) {
    match (expected, actual) {
        (Value::String(expected), Value::String(actual)) => {
            (format!("{expected}\n"), format!("{actual}\n"))
        }
        _ => (format!("{expected:#}\n"), format!("{actual:#}\n")),
    }
}
