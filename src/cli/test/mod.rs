//! `toolrun test`: runs the examples of descriptors, offline.

mod human;
mod json;
mod junit;
mod update;

use std::io::{self, Write};
use std::sync::Arc;

use crate::Catalog;
use crate::catalog::Loaded;
use crate::check::examples::{Failure as ExampleFailure, expects, run_all};
use crate::check::{Checked, Content, tools_at};
use crate::parallel;
use crate::source::{Finding, Position};
use crate::tool::Tool;
use clap::{Args, ValueEnum};

use super::terminal::{self, Out};
use super::{Done, failed_if, judged, usage};
use update::Updated;

/// Run the examples of descriptors.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Files, folders and globs; the whole catalog unless given
    paths: Vec<String>,
    /// How to print the results
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
    /// Write what the descriptors give in place of what the examples expect; comments and layout stay
    #[arg(long)]
    update: bool,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each example, with differences
    Human,
    /// One JSON object
    Json,
    /// JUnit XML, one test case for each example
    Junit,
}

/// What the examples of some files gave.
#[derive(Debug, Default)]
pub(crate) struct Results {
    files: Vec<Tested>,
}

/// A tool's file, and what its examples gave.
#[derive(Debug)]
struct Tested {
    file: String,
    outcome: Result<Examples, Vec<Finding>>,
    /// What became of the expectations that did not hold, if they were to be updated.
    updated: Option<Updated>,
}

#[derive(Debug)]
struct Examples {
    tool: Arc<Tool>,
    cases: Vec<Case>,
}

/// One example.
#[derive(Debug)]
struct Case {
    name: String,
    place: Position,
    expects: bool,
    failures: Vec<(ExampleFailure, Position)>,
}

/// How an example ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Passed,
    /// Nothing went wrong, but nothing was expected either.
    ExpectsNothing,
    Failed,
}

impl Case {
    fn verdict(&self) -> Verdict {
        match (self.failures.is_empty(), self.expects) {
            (false, _) => Verdict::Failed,
            (true, true) => Verdict::Passed,
            (true, false) => Verdict::ExpectsNothing,
        }
    }
}

impl Examples {
    fn of(tool: Arc<Tool>) -> Examples {
        let failures = run_all(&tool);
        Examples::with(tool, failures)
    }

    /// Examples that were run.
    fn with(tool: Arc<Tool>, failures: Vec<Vec<ExampleFailure>>) -> Examples {
        let source = &tool.source;
        let place = |pointer: &str| source.position(source.value_span(pointer));
        let all = tool.examples.iter().zip(failures).enumerate();
        let cases = all.map(|(i, (example, failures))| {
            let at = format!("/examples/{i}");
            let placed = failures.into_iter().map(|failure| {
                let place = place(&format!("{at}{}", failure.part));
                (failure, place)
            });
            Case {
                name: example.name.clone(),
                expects: expects(example),
                failures: placed.collect(),
                place: place(&at),
            }
        });
        let cases = cases.collect();
        Examples { tool, cases }
    }
}

impl Results {
    /// What a check found of the examples. `None` where there is no tool.
    pub(crate) fn of_checked(files: &[Checked]) -> Option<Results> {
        let tested = |checked: &Checked| {
            let outcome = match &checked.seen.content {
                Content::Tool(tool, failures) => {
                    Ok(Examples::with(Arc::clone(tool), failures.clone()))
                }
                // The check tells why.
                Content::Broken => Err(Vec::new()),
                Content::Other => return None,
            };
            Some(Tested {
                file: checked.file.display(),
                outcome,
                updated: None,
            })
        };
        let files: Vec<Tested> = files.iter().filter_map(tested).collect();
        (!files.is_empty()).then_some(Results { files })
    }

    fn of(tools: Vec<Loaded>, update: bool) -> Results {
        let examples = parallel::map(&tools, |(_, tool)| {
            tool.as_ref()
                .ok()
                .map(|tool| Examples::of(Arc::clone(tool)))
        });
        let files = tools
            .into_iter()
            .zip(examples)
            .map(|((entry, tool), examples)| {
                let mut tested = Tested {
                    file: entry.file.display(),
                    outcome: tool.and_then(|_| examples.ok_or_else(Vec::new)),
                    updated: None,
                };
                if update {
                    update::update(&entry, &mut tested);
                }
                tested
            });
        Results {
            files: files.collect(),
        }
    }

    /// The files.
    pub(crate) fn names(&self) -> Vec<String> {
        self.files
            .iter()
            .map(|tested| tested.file.clone())
            .collect()
    }

    /// Such as `12 passed, 1 failed`.
    pub(crate) fn told(&self) -> String {
        human::summary(self)
    }

    /// Whether all of them hold. A run without a single example has shown nothing.
    pub(crate) fn hold(&self) -> bool {
        self.failed() == 0 && self.cases().next().is_some()
    }

    fn cases(&self) -> impl Iterator<Item = &Case> {
        let sound = self
            .files
            .iter()
            .filter_map(|file| file.outcome.as_ref().ok());
        sound.flat_map(|examples| &examples.cases)
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.cases()
            .filter(|case| case.verdict() == verdict)
            .count()
    }

    /// Examples that failed, and files that are not valid.
    fn failed(&self) -> usize {
        self.count(Verdict::Failed) + self.invalid()
    }

    /// Files that are not valid.
    fn invalid(&self) -> usize {
        let invalid = self.files.iter().filter(|file| file.outcome.is_err());
        invalid.count()
    }

    /// The names of the tools that have no example.
    fn without_examples(&self) -> Vec<String> {
        let sound = self
            .files
            .iter()
            .filter_map(|file| file.outcome.as_ref().ok());
        sound
            .filter(|examples| examples.cases.is_empty())
            .map(|examples| examples.tool.qualified_name())
            .collect()
    }

    /// How many files were updated.
    fn updated(&self) -> usize {
        let updated = |file: &&Tested| matches!(file.updated, Some(Updated::Written(_)));
        self.files.iter().filter(updated).count()
    }
}

impl Format {
    fn out(self) -> Out {
        match self {
            Format::Json => terminal::json(),
            Format::Human | Format::Junit => terminal::words(),
        }
    }

    fn print(self, out: &mut impl Write, results: &Results) -> io::Result<()> {
        match self {
            Format::Human => human::print(out, results),
            Format::Json => json::print(out, results),
            Format::Junit => junit::print(out, results),
        }
    }
}

impl Test {
    /// Runs the command.
    pub(crate) fn run(self, catalog: &Catalog) -> Done {
        let tools = match self.paths.is_empty() {
            true => catalog.load_all(),
            false => tools_at(&self.paths).map_err(usage)?,
        };
        let results = Results::of(tools, self.update);
        let mut out = self.format.out();
        let printed = self.format.print(&mut out, &results);
        judged(
            printed.and_then(|()| out.flush()),
            failed_if(!results.hold()),
        )
    }
}
