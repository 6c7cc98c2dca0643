//! `toolrun ci`: everything that holds for a folder of descriptors, in one run with one summary.

mod report;
mod step;
mod summary;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};

use self::report::Written;
use self::step::{Checked, Step, Verdict};
use super::report::Format;
use super::{Done, Failure, exit, failed_if, judged, usage};
use crate::Catalog;
use crate::check::Report;

/// Check descriptors in every way, with one summary.
#[derive(Debug, Args)]
pub(crate) struct Ci {
    /// Files, folders and globs of descriptors
    #[arg(default_value = "tools")]
    paths: Vec<String>,
    /// The git revision to compare with, such as origin/main
    #[arg(long, value_name = "REV")]
    base: Option<String>,
    /// A recording to hold the descriptors against, or a glob; may be given several times
    #[arg(long, value_name = "FILE")]
    recordings: Vec<String>,
    /// Leave out a step; may be given several times
    #[arg(long, value_name = "STEP", value_enum)]
    skip: Vec<Name>,
    /// Fail on warnings too
    #[arg(long)]
    deny_warnings: bool,
    /// How to print the findings
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
    /// Write a report to this file too: JUnit for .xml, SARIF for .sarif, JSON for .json, Markdown for .md; may be given
    /// several times
    #[arg(long, value_name = "FILE")]
    report: Vec<PathBuf>,
}

/// The steps, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// The rules of the format, with lints for quality
    Validate,
    /// The examples
    Test,
    /// The layout
    Fmt,
    /// What changed since the base
    Diff,
    /// Recordings of the services
    Drift,
}

/// What all steps gave.
#[derive(Debug)]
struct Ran {
    steps: Vec<Step>,
    deny_warnings: bool,
}

impl Ran {
    /// Whether a step failed.
    fn failed(&self) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|step| step.verdict(self.deny_warnings) == Verdict::Failed)
    }

    /// The findings of all steps as one report.
    fn report(&self) -> Report {
        let mut all = Report::default();
        for step in &self.steps {
            for file in &step.report.files {
                if !all.files.contains(file) {
                    all.files.push(file.clone());
                }
            }
            all.findings.extend(step.report.findings.iter().cloned());
        }
        all
    }
}

impl Ci {
    /// Runs the command.
    pub(crate) fn run(self, catalog: &Catalog) -> Done {
        // What cannot be written is said before anything runs.
        let reports = self.report.iter().map(|file| Written::at(file));
        let reports: Vec<Written> = reports.collect::<Result<_, _>>().map_err(usage)?;
        let ran = self.steps(catalog)?;
        // What cannot be printed must not keep the reports from being written, nor one of them the others.
        let printed = self.print(&ran);
        let mut unwritten: Vec<String> = Vec::new();
        unwritten.extend(reports.iter().filter_map(|report| report.write(&ran).err()));
        unwritten.extend(summary::tell_github(&ran).err());
        if !unwritten.is_empty() {
            return Err(Failure::Told(exit::OUTPUT, unwritten.join("\n")));
        }
        judged(printed, failed_if(ran.failed()))
    }

    fn print(&self, ran: &Ran) -> io::Result<()> {
        let mut out = self.format.out();
        summary::print(&mut out, self.format, ran)?;
        out.flush()
    }

    fn steps(&self, catalog: &Catalog) -> Result<Ran, Failure> {
        let runs = |name| !self.skip.contains(&name);
        let mut steps = Vec::new();
        // The examples run where the files are checked; what they found is another step's.
        let is_checked = runs(Name::Validate) || runs(Name::Test);
        let checked = match is_checked {
            true => Checked::of(&self.paths, catalog)?,
            false => Checked::default(),
        };
        for name in Name::value_variants() {
            let begun = Instant::now();
            let mut step = match name {
                name if !runs(*name) => Step::skipped(*name, "left out"),
                Name::Validate => checked.validated(),
                Name::Test => checked.tested(),
                Name::Fmt if is_checked => checked.formatted(),
                Name::Fmt => step::formatted(&self.paths, catalog)?,
                Name::Diff => step::compared(&self.paths, self.base.as_deref())?,
                Name::Drift => step::held(&self.paths, &self.recordings)?,
            };
            step.took += begun.elapsed();
            steps.push(step);
        }
        Ok(Ran {
            steps,
            deny_warnings: self.deny_warnings,
        })
    }
}
