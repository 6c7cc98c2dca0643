//! Results as JUnit XML: one test suite for each file, one test case for each example. An example that expects nothing,
//! and a tool without examples, count as skipped.

use std::io::{self, Write};

use super::{Case, Results, Tested, Verdict};
use crate::cli::report::xml_text as text;

/// Prints `testsuites`.
pub(super) fn print(out: &mut impl Write, results: &Results) -> io::Result<()> {
    let tests: usize = results.files.iter().map(|file| counts(file).0).sum();
    let skipped: usize = results.files.iter().map(|file| counts(file).1).sum();
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(
        out,
        r#"<testsuites name="toolrun test" tests="{tests}" failures="{}" skipped="{skipped}">"#,
        results.failed()
    )?;
    for file in &results.files {
        print_file(out, file)?;
    }
    writeln!(out, "</testsuites>")
}

/// How many test cases a file has, and how many of them are skipped.
fn counts(file: &Tested) -> (usize, usize) {
    let Ok(examples) = &file.outcome else {
        return (1, 0);
    };
    let idle = |case: &&Case| case.verdict() == Verdict::ExpectsNothing;
    match examples.cases.len() {
        0 => (1, 1),
        count => (count, examples.cases.iter().filter(idle).count()),
    }
}

fn print_file(out: &mut impl Write, file: &Tested) -> io::Result<()> {
    let (tests, skipped) = counts(file);
    let failures = match &file.outcome {
        Ok(examples) => {
            let failed = |case: &&Case| case.verdict() == Verdict::Failed;
            examples.cases.iter().filter(failed).count()
        }
        Err(_) => 1,
    };
    writeln!(
        out,
        r#"  <testsuite name="{}" tests="{tests}" failures="{failures}" skipped="{skipped}">"#,
        text(&file.file)
    )?;
    match &file.outcome {
        Ok(examples) if examples.cases.is_empty() => {
            let tool = text(&examples.tool.qualified_name());
            writeln!(out, r#"    <testcase classname="{tool}" name="examples">"#)?;
            writeln!(
                out,
                r#"      <skipped message="the tool has no examples"/>"#
            )?;
            writeln!(out, "    </testcase>")?;
        }
        Ok(examples) => {
            let tool = text(&examples.tool.qualified_name());
            for case in &examples.cases {
                print_case(out, &tool, case)?;
            }
        }
        Err(findings) => {
            writeln!(
                out,
                r#"    <testcase classname="descriptor" name="{}">"#,
                text(&file.file)
            )?;
            for finding in findings {
                let message = text(&finding.message);
                let whole = text(&finding.to_string());
                let code = finding.code;
                writeln!(
                    out,
                    r#"      <failure type="{code}" message="{message}">{whole}</failure>"#
                )?;
            }
            writeln!(out, "    </testcase>")?;
        }
    }
    writeln!(out, "  </testsuite>")
}

fn print_case(out: &mut impl Write, tool: &str, case: &Case) -> io::Result<()> {
    let name = text(&case.name);
    let (file, line) = (text(&case.place.file), case.place.line);
    write!(
        out,
        r#"    <testcase classname="{tool}" name="{name}" file="{file}" line="{line}""#
    )?;
    if case.verdict() == Verdict::Passed {
        return writeln!(out, "/>");
    }
    writeln!(out, ">")?;
    if case.verdict() == Verdict::ExpectsNothing {
        writeln!(
            out,
            r#"      <skipped message="the example expects nothing"/>"#
        )?;
    }
    for (failure, place) in &case.failures {
        let message = format!("{}: {}", failure.part, failure.message);
        let mut whole = format!("{place}: {message}");
        if let Some((expected, actual)) = &failure.difference {
            whole.push_str(&format!("\nexpected: {expected}\nactual: {actual}"));
        }
        let (message, whole) = (text(&message), text(&whole));
        writeln!(
            out,
            r#"      <failure type="example-fails" message="{message}">{whole}</failure>"#
        )?;
    }
    writeln!(out, "    </testcase>")
}
