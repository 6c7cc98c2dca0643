//! One step: what was found, and how it ended.

use std::path::Path;
use std::time::{Duration, Instant};

use super::Name;
use crate::Catalog;
use crate::check::{self, Checked as File, Formatted, Lints, Outcome, Report};
use crate::cli::test::Results;
use crate::cli::{Failure, diff, drift, usage};
use crate::source::{Code, Finding, Severity};

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Passed,
    Failed,
    Skipped,
}

impl Verdict {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::Skipped => "skipped",
        }
    }
}

/// A step that has ended.
#[derive(Debug)]
pub(super) struct Step {
    pub name: Name,
    /// The findings that are its own.
    pub report: Report,
    /// What there was, in words.
    pub told: String,
    /// What changed, in Markdown.
    pub changelog: Option<String>,
    /// Whether it did not run.
    is_skipped: bool,
    /// Whether it failed for another reason than a finding.
    fails: bool,
    pub took: Duration,
}

impl Step {
    fn new(name: Name, report: Report, told: String) -> Step {
        Step {
            name,
            report,
            told,
            changelog: None,
            is_skipped: false,
            fails: false,
            took: Duration::ZERO,
        }
    }

    pub(super) fn skipped(name: Name, why: &str) -> Step {
        Step {
            is_skipped: true,
            ..Step::new(name, Report::default(), why.to_owned())
        }
    }

    pub(super) fn verdict(&self, deny_warnings: bool) -> Verdict {
        let has = |severity: Severity| {
            let mut findings = self.report.findings.iter();
            findings.any(|finding| finding.severity == severity)
        };
        match self {
            Step {
                is_skipped: true, ..
            } => Verdict::Skipped,
            Step { fails: true, .. } => Verdict::Failed,
            _ if has(Severity::Error) => Verdict::Failed,
            _ if deny_warnings && has(Severity::Warning) => Verdict::Failed,
            _ => Verdict::Passed,
        }
    }
}

/// What a check of the files found.
#[derive(Default)]
pub(super) struct Checked {
    files: Vec<File>,
    /// Their names.
    names: Vec<String>,
    findings: Vec<Finding>,
    /// The examples that do not hold.
    failing: Vec<Finding>,
    took: Duration,
}

impl Checked {
    pub(super) fn of(paths: &[String], catalog: &Catalog) -> Result<Checked, Failure> {
        let begun = Instant::now();
        let (report, files) = check::read_beside(paths, catalog, Lints::On).map_err(usage)?;
        let is_example = |finding: &Finding| finding.code == Code::ExampleFails;
        let (failing, findings) = report.findings.into_iter().partition(is_example);
        Ok(Checked {
            files,
            names: report.files,
            findings,
            failing,
            took: begun.elapsed(),
        })
    }

    pub(super) fn validated(&self) -> Step {
        let report = Report {
            files: self.names.clone(),
            findings: self.findings.clone(),
        };
        let told = counted(self.names.len(), "file");
        Step {
            took: self.took,
            ..Step::new(Name::Validate, report, told)
        }
    }

    pub(super) fn tested(&self) -> Step {
        let Some(results) = Results::of_checked(&self.files) else {
            return Step::skipped(Name::Test, "there is no tool");
        };
        let report = Report {
            files: results.names(),
            findings: self.failing.clone(),
        };
        let mut step = Step::new(Name::Test, report, results.told());
        // A run without a single example has shown nothing.
        step.fails = !results.hold();
        step
    }

    /// Holds the files against their one layout. What is broken is told by the step that checks the files.
    pub(super) fn formatted(&self) -> Step {
        told_of_layout(check::formatted_of(&self.files))
    }
}

/// Such as `2 files`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Holds files that were not checked against their one layout.
pub(super) fn formatted(paths: &[String], catalog: &Catalog) -> Result<Step, Failure> {
    Ok(told_of_layout(
        check::formatted(paths, catalog).map_err(usage)?,
    ))
}

fn told_of_layout(files: Vec<Formatted>) -> Step {
    let mut report = Report::default();
    for Formatted { name, outcome } in files {
        match outcome {
            Outcome::Kept | Outcome::Broken(_) => report.files.push(name),
            Outcome::Changed(source, text) => {
                report.findings.push(check::difference(&source, &text));
                report.files.push(name);
            }
            Outcome::Foreign => {}
        }
    }
    let told = counted(report.files.len(), "file");
    Step::new(Name::Fmt, report, told)
}

/// Compares the files with those of the base.
pub(super) fn compared(paths: &[String], base: Option<&str>) -> Result<Step, Failure> {
    let Some(base) = base else {
        let why = "name a revision to compare with: --base";
        return Ok(Step::skipped(Name::Diff, why));
    };
    let told = diff::since(paths, base)?;
    let mut step = Step::new(Name::Diff, told.report(), told.summary());
    step.changelog = Some(told.markdown());
    Ok(step)
}

/// Holds recordings against the files.
pub(super) fn held(paths: &[String], recordings: &[String]) -> Result<Step, Failure> {
    if recordings.is_empty() {
        let why = "name recordings to hold the descriptors against: --recordings";
        return Ok(Step::skipped(Name::Drift, why));
    }
    let held = drift::held(&named(recordings)?, paths)?;
    let mut step = Step::new(Name::Drift, held.report, held.told);
    if let Some(reason) = held.unread {
        step.fails = true;
        step.told.push_str(&format!("; {reason}"));
    }
    Ok(step)
}

/// The files and folders that these words name, some of which may be globs.
fn named(words: &[String]) -> Result<Vec<String>, Failure> {
    let mut all = Vec::new();
    for word in words {
        if Path::new(word).exists() {
            all.push(word.clone());
            continue;
        }
        let bad = |reason: String| usage(format!("--recordings {word}: {reason}"));
        let found = glob::glob(word).map_err(|error| bad(error.to_string()))?;
        let before = all.len();
        for file in found {
            let file = file.map_err(|error| bad(error.to_string()))?;
            all.push(file.display().to_string());
        }
        if all.len() == before {
            return Err(bad("there is no such file".to_owned()));
        }
    }
    Ok(all)
}
