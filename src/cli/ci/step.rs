//! One step: what was found, and how it ended.

use std::time::{Duration, Instant};

use super::Name;
use crate::Catalog;
use crate::check::{self, Formatted, Outcome, Report};
use crate::cli::test::Results;
use crate::cli::{Failure, usage};
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
    files: Vec<String>,
    findings: Vec<Finding>,
    /// The examples that do not hold.
    failing: Vec<Finding>,
    took: Duration,
}

impl Checked {
    pub(super) fn of(paths: &[String], catalog: &Catalog) -> Result<Checked, Failure> {
        let begun = Instant::now();
        let report = check::paths_beside(paths, catalog).map_err(usage)?;
        let is_example = |finding: &Finding| finding.code == Code::ExampleFails;
        let (failing, findings) = report.findings.into_iter().partition(is_example);
        Ok(Checked {
            files: report.files,
            findings,
            failing,
            took: begun.elapsed(),
        })
    }

    pub(super) fn validated(&self) -> Step {
        let report = Report {
            files: self.files.clone(),
            findings: self.findings.clone(),
        };
        let told = counted(self.files.len(), "file");
        Step {
            took: self.took,
            ..Step::new(Name::Validate, report, told)
        }
    }

    pub(super) fn tested(&self, paths: &[String]) -> Result<Step, Failure> {
        let results = Results::at(paths).map_err(usage)?;
        let report = Report {
            files: results.names(),
            findings: self.failing.clone(),
        };
        let mut step = Step::new(Name::Test, report, results.told());
        // A run without a single example has shown nothing.
        step.fails = !results.hold();
        Ok(step)
    }
}

/// Such as `2 files`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Holds the files against their one layout. What is broken is told by the step that checks the files.
pub(super) fn formatted(paths: &[String], catalog: &Catalog) -> Result<Step, Failure> {
    let mut report = Report::default();
    for Formatted { name, outcome } in check::formatted(paths, catalog).map_err(usage)? {
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
    Ok(Step::new(Name::Fmt, report, told))
}

pub(super) fn compared(_: &[String], _: Option<&str>) -> Result<Step, Failure> {
    Ok(Step::skipped(Name::Diff, "later"))
}
pub(super) fn held(_: &[String], _: &[String]) -> Result<Step, Failure> {
    Ok(Step::skipped(Name::Drift, "later"))
}
