//! `toolrun diff`: what changes between two versions of descriptors, and for whom.

mod markdown;
mod sides;

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::report::{self, Format};
use super::terminal::{self, Out};
use super::{Done, Failure, failed_if, judged};
use crate::check::Report;
use crate::diff::{Accepted, Change, Class, Comparison, compare};
use crate::source::{Finding, Severity};

/// Say what changes between two versions of descriptors, and for whom.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The old version and the new one: each a folder, a file, or a git revision as REV:PATH or REV. With --since, the
    /// folders and files that are compared with the revision; tools unless given
    #[arg(value_name = "VERSION")]
    versions: Vec<String>,
    /// Compare what is on disk with this git revision
    #[arg(long, value_name = "REV")]
    since: Option<String>,
    /// How to print the changes
    #[arg(long, visible_alias = "output", value_enum, default_value = "human")]
    format: Kind,
    /// Which changes make the exit code 3
    #[arg(long, value_enum, value_name = "CHANGES", default_value = "breaking")]
    fail_on: FailOn,
    /// Only changes for these; may be given several times
    #[arg(long = "for", value_enum, value_name = "WHOM")]
    whom: Vec<Whom>,
    /// Accept a change: CODE=REASON, or 'CODE SERVICE/TOOL=REASON'; may be given several times
    #[arg(long, value_name = "CHANGE")]
    allow: Vec<Accepted>,
    /// Print changes of words and examples too
    #[arg(long)]
    all: bool,
}

/// The forms in which changes are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// The source line with carets, for people
    Human,
    /// One JSON object
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of a GitHub workflow
    Github,
    /// A changelog in Markdown
    Markdown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Those that break something and are not accepted
    Breaking,
    /// All that are not accepted
    Any,
    /// None
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Whom {
    /// Those who call the tools
    Callers,
    /// Those who run them
    Operators,
    /// The requests that are sent
    Wire,
}

impl Whom {
    fn name(self) -> &'static str {
        match self {
            Whom::Callers => "callers",
            Whom::Operators => "operators",
            Whom::Wire => "wire",
        }
    }
}

impl Diff {
    /// Runs the command.
    pub(crate) fn run(self) -> Done {
        let (old, new) = sides::read(&self.versions, self.since.as_deref())?;
        for place in old.left_out.iter().chain(&new.left_out) {
            terminal::say(&format!(
                "note: {} is a submodule, and its files are not compared",
                terminal::line(place)
            ));
        }
        let mut comparison = compare(&old, &new, &self.allow);
        if !self.whom.is_empty() {
            let names: Vec<&str> = self.whom.iter().map(|whom| whom.name()).collect();
            keep_only(&names, &mut comparison);
        }
        let told = Told {
            names: (old.name, new.name),
            comparison,
            all: self.all,
        };
        let printed = told.print(self.format);
        let fails = match self.fail_on {
            FailOn::Breaking => told.comparison.changes.iter().any(Change::breaks),
            FailOn::Any => told
                .comparison
                .changes
                .iter()
                .any(|change| change.accepted.is_none()),
            FailOn::Never => false,
        };
        judged(
            printed,
            failed_if(fails || !told.comparison.errors.is_empty()),
        )
    }
}

/// What is on disk at these paths beside a git revision.
///
/// # Errors
/// When there is no such path or revision, or git fails.
pub(crate) fn since(paths: &[String], revision: &str) -> Result<Told, Failure> {
    let (old, new) = sides::read(paths, Some(revision))?;
    Ok(Told {
        comparison: compare(&old, &new, &[]),
        names: (old.name, new.name),
        all: false,
    })
}

/// Leaves out what concerns others.
fn keep_only(names: &[&str], comparison: &mut Comparison) {
    for change in &mut comparison.changes {
        change.classes = change.classes.only(names);
    }
    comparison
        .changes
        .retain(|change| change.classes.worst() > Class::None);
}

/// A comparison as it is told.
pub(crate) struct Told {
    /// What the two versions are called.
    pub names: (String, String),
    pub comparison: Comparison,
    /// Whether changes of words are told to people too.
    pub all: bool,
}

impl Told {
    /// Prints it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn print(&self, kind: Kind) -> io::Result<()> {
        let mut out = match kind {
            Kind::Human => terminal::styled_words(),
            Kind::Json | Kind::Sarif => terminal::json(),
            Kind::Github | Kind::Markdown => terminal::words(),
        };
        self.write(kind, &mut out)?;
        out.flush()
    }

    fn write(&self, kind: Kind, out: &mut Out) -> io::Result<()> {
        match kind {
            Kind::Human => {
                let findings = self.findings(self.all);
                report::print_findings(out, &findings, terminal::has_colours())?;
                writeln!(out, "{}", self.summary())
            }
            Kind::Github => {
                report::print_annotations(out, &self.findings(self.all))?;
                writeln!(out, "{}", self.summary())
            }
            Kind::Sarif => {
                let report = Report {
                    files: self.comparison.files.clone(),
                    findings: self.findings(true),
                };
                Format::Sarif.print(out, &report, false)
            }
            Kind::Json => {
                let whole = self.to_json();
                writeln!(out, "{whole:#}")
            }
            Kind::Markdown => out.write_all(markdown::of(self).as_bytes()),
        }
    }

    /// The changes as findings, without those of words.
    pub(crate) fn report(&self) -> Report {
        Report {
            files: self.comparison.files.clone(),
            findings: self.findings(false),
        }
    }

    /// The changelog.
    pub(crate) fn markdown(&self) -> String {
        markdown::of(self)
    }

    /// All findings, by file and place.
    fn findings(&self, with_words: bool) -> Vec<Finding> {
        let changes = self.comparison.changes.iter();
        let changes =
            changes.filter(|change| with_words || change.classes.worst() > Class::Cosmetic);
        let mut findings: Vec<Finding> = self.comparison.errors.clone();
        findings.extend(self.comparison.needless.iter().cloned());
        findings.extend(changes.map(Change::finding));
        findings
            .sort_by(|a, b| (&a.source.name, a.span.start).cmp(&(&b.source.name, b.span.start)));
        findings
    }

    fn count(&self, class: Class) -> usize {
        let changes = self.comparison.changes.iter();
        changes
            .filter(|change| change.classes.worst() == class && change.accepted.is_none())
            .count()
    }

    fn accepted(&self) -> usize {
        let changes = self.comparison.changes.iter();
        changes.filter(|change| change.accepted.is_some()).count()
    }

    fn errors(&self) -> usize {
        let errors = self.comparison.errors.iter();
        errors
            .filter(|finding| finding.severity == Severity::Error)
            .count()
    }

    /// How many changes there are, in words.
    pub(crate) fn summary(&self) -> String {
        let cosmetic = self.count(Class::Cosmetic);
        let hidden = match cosmetic > 0 && !self.all {
            true => " (not shown; --all shows them)",
            false => "",
        };
        let mut text = format!(
            "{} breaking, {} compatible, {cosmetic} cosmetic{hidden}",
            self.count(Class::Breaking),
            self.count(Class::Compatible),
        );
        if self.accepted() > 0 {
            text.push_str(&format!(", {} accepted", self.accepted()));
        }
        match self.errors() {
            0 => text,
            1 => text + "; 1 error, so that not all is compared",
            errors => text + &format!("; {errors} errors, so that not all is compared"),
        }
    }

    fn to_json(&self) -> Value {
        let comparison = &self.comparison;
        let changes: Vec<Value> = comparison.changes.iter().map(change_json).collect();
        let others = comparison.errors.iter().chain(&comparison.needless);
        let others: Vec<Value> = others.map(report::as_json).collect();
        json!({
            "old": self.names.0,
            "new": self.names.1,
            "files": comparison.files.len(),
            "breaking": self.count(Class::Breaking),
            "compatible": self.count(Class::Compatible),
            "cosmetic": self.count(Class::Cosmetic),
            "accepted": self.accepted(),
            "errors": self.errors(),
            "changes": changes,
            "findings": others,
        })
    }
}

/// A change as a finding, with what it means to whom.
fn change_json(change: &Change) -> Value {
    let mut json = report::as_json(&change.finding());
    json["class"] = json!(change.classes.worst());
    json["classes"] = json!(change.classes);
    json["service"] = json!(change.service);
    json["tool"] = json!(change.tool);
    json["what"] = json!(change.what);
    json["side"] = json!(change.side);
    json["accepted"] = json!(change.accepted);
    json
}
