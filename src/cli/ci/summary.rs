//! The summary of all steps, in each form.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::step::{Step, Verdict};
use super::{Name, Ran};
use crate::cli::markdown;
use crate::cli::report::{Format, as_json, cut, print_findings};
use crate::cli::terminal::{has_colours, shown};
use crate::source::{Finding, Severity};

/// How many findings the page of a workflow shows; the annotations have all.
const MOST_SHOWN: usize = 50;
/// The most bytes of a page of a workflow; GitHub takes a MiB of each step.
const MOST_BYTES: usize = 900 << 10;

/// Prints what was found, and the summary where the format has a place for it.
pub(super) fn print(out: &mut impl Write, format: Format, ran: &Ran) -> io::Result<()> {
    match format {
        Format::Human => {
            for step in &ran.steps {
                print_findings(out, &step.report.findings, has_colours())?;
            }
            table(out, ran)
        }
        Format::Json => out.write_all(json(ran).as_bytes()),
        Format::Github => {
            format.print(out, &ran.report(), ran.deny_warnings)?;
            table(out, ran)
        }
        Format::Sarif | Format::Junit => format.print(out, &ran.report(), ran.deny_warnings),
    }
}

/// A line for each step.
fn table(out: &mut impl Write, ran: &Ran) -> io::Result<()> {
    for step in &ran.steps {
        let verdict = match step.verdict(ran.deny_warnings) {
            Verdict::Failed => "FAILED",
            other => other.as_str(),
        };
        writeln!(
            out,
            "{:<8}  {verdict:<7}  {}",
            step.name.as_str(),
            shown(&words(step))
        )?;
    }
    Ok(())
}

/// What a step did and found.
fn words(step: &Step) -> String {
    let found = [(Severity::Error, "error"), (Severity::Warning, "warning")];
    let counts = found.into_iter().filter_map(|(severity, name)| {
        let is_one = |finding: &&Finding| finding.severity == severity;
        let count = step.report.findings.iter().filter(is_one).count();
        (count > 0).then(|| format!("{count} {name}{}", if count == 1 { "" } else { "s" }))
    });
    let parts: Vec<String> = std::iter::once(step.told.clone()).chain(counts).collect();
    parts.join(", ")
}

/// `{result, steps, errors, warnings, findings}`.
pub(super) fn json(ran: &Ran) -> String {
    let report = ran.report();
    let findings = ran.steps.iter().flat_map(|step| {
        step.report.findings.iter().map(|finding| {
            let mut told = as_json(finding);
            told["step"] = step.name.as_str().into();
            told
        })
    });
    let whole = json!({
        "result": if ran.failed() { "failed" } else { "passed" },
        "steps": ran.steps.iter().map(|step| json_step(step, ran)).collect::<Vec<Value>>(),
        "files": report.files.len(),
        "errors": report.errors(),
        "warnings": report.warnings(),
        "findings": findings.collect::<Vec<Value>>(),
    });
    format!("{whole:#}\n")
}

fn json_step(step: &Step, ran: &Ran) -> Value {
    json!({
        "step": step.name.as_str(),
        "result": step.verdict(ran.deny_warnings).as_str(),
        "told": step.told,
        "errors": step.report.errors(),
        "warnings": step.report.warnings(),
        "ms": step.took.as_millis() as u64,
    })
}

/// A table of the steps, the changes since the base, and the findings.
pub(super) fn markdown(ran: &Ran) -> String {
    let mut text = "| step | result | |\n| --- | --- | --- |\n".to_owned();
    for step in &ran.steps {
        let verdict = match step.verdict(ran.deny_warnings) {
            Verdict::Failed => "**failed**",
            other => other.as_str(),
        };
        let (name, words) = (step.name.as_str(), markdown::cell(&words(step)));
        text.push_str(&format!("| {name} | {verdict} | {words} |\n"));
    }
    for step in &ran.steps {
        let findings = &step.report.findings;
        if findings.is_empty() {
            continue;
        }
        if let Some(changelog) = &step.changelog {
            // Its headings stand below those of this page.
            text.push('\n');
            for line in changelog.lines() {
                let deeper = if line.starts_with('#') { "##" } else { "" };
                text.push_str(&format!("{deeper}{line}\n"));
            }
            continue;
        }
        text.push_str(&format!("\n### {}\n\n", step.name.as_str()));
        for finding in findings.iter().take(MOST_SHOWN) {
            text.push_str(&format!(
                "- {} `{}` {}: {}\n",
                finding.severity,
                finding.code,
                markdown::text(&finding.position().to_string()),
                markdown::text(&cut(&finding.message))
            ));
        }
        if let Some(more) = findings.len().checked_sub(MOST_SHOWN).filter(|n| *n > 0) {
            text.push_str(&format!("- and {more} more\n"));
        }
    }
    text
}

/// Adds the summary to the page of a GitHub workflow, if this is one.
///
/// # Errors
/// When the file that the workflow names cannot be written.
pub(super) fn tell_github(ran: &Ran) -> Result<(), String> {
    let Some(file) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|file| !file.is_empty()) else {
        return Ok(());
    };
    let text = format!("## toolrun ci\n\n{}", fitting(&markdown(ran)));
    let file = OpenOptions::new().append(true).create(true).open(file);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| format!("cannot write the summary of the workflow: {error}"))
}

/// The first lines of a text that fit on the page of a workflow, and how many do not: a page that is too large is not shown
/// at all.
fn fitting(text: &str) -> Cow<'_, str> {
    if text.len() <= MOST_BYTES {
        return Cow::Borrowed(text);
    }
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        if end + line.len() > MOST_BYTES {
            break;
        }
        end += line.len();
    }
    let more = text[end..].lines().count();
    Cow::Owned(format!(
        "{}\n{more} more lines do not fit on this page; `--report FILE.md` writes all.\n",
        &text[..end]
    ))
}

impl Name {
    /// What is run.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Name::Validate => "validate",
            Name::Test => "test",
            Name::Fmt => "fmt",
            Name::Diff => "diff",
            Name::Drift => "drift",
        }
    }
}
