//! `toolrun test`: runs the examples of descriptors, offline.

use std::io::Write;

use crate::Catalog;
use crate::check::examples::{Failure as ExampleFailure, run};
use crate::check::tools_at;
use clap::Args;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::terminal::{self, line};
use super::{Done, Failure, exit, report, usage};

/// Run the examples of descriptors.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Files, folders and globs; the whole catalog unless given
    paths: Vec<String>,
}

impl Test {
    /// Runs the command.
    pub(crate) fn run(self, catalog: &Catalog) -> Done {
        let tools = match self.paths.is_empty() {
            true => catalog.load_all(),
            false => tools_at(&self.paths).map_err(usage)?,
        };
        let mut stdout = terminal::words();
        let (mut passed, mut failed) = (0, 0);
        for (entry, tool) in tools {
            let tool = match tool {
                Ok(tool) => tool,
                Err(findings) => {
                    failed += 1;
                    writeln!(
                        stdout,
                        "FAIL {}: the descriptor is not valid",
                        line(&entry.file.display().clone())
                    )?;
                    for finding in &findings {
                        writeln!(stdout, "{}", report::human(finding, false))?;
                    }
                    continue;
                }
            };
            for example in &tool.examples {
                let failures = run(&tool, example);
                let name = format!("{}: {}", tool.qualified_name(), line(&example.name));
                if failures.is_empty() {
                    passed += 1;
                    writeln!(stdout, "ok   {name}")?;
                } else {
                    failed += 1;
                    writeln!(stdout, "FAIL {name}")?;
                    for failure in &failures {
                        stdout.write_all(explain(failure).as_bytes())?;
                    }
                }
            }
        }
        writeln!(stdout, "{passed} passed, {failed} failed")?;
        stdout.flush()?;
        match failed {
            0 => Ok(()),
            _ => Err(Failure::Silent(exit::DESCRIPTOR)),
        }
    }
}

fn explain(failure: &ExampleFailure) -> String {
    let mut text = format!("     {}: {}\n", line(&failure.part), line(&failure.message));
    if let Some((expected, actual)) = &failure.difference {
        text.push_str("     - expected by the example\n     + given by the descriptor\n");
        let (expected, actual) = (lines(expected), lines(actual));
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

fn lines(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text}\n"),
        other => format!("{other:#}\n"),
    }
}
