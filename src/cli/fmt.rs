//! `toolrun fmt`: gives descriptors their one layout.

use std::fs;
use std::io::{self, Read as _, Write};

use crate::Catalog;
use crate::check::{Formatted, Outcome, Report, difference, formatted, of_text};
use crate::parallel;
use crate::source::{Finding, Source};
use crate::staged::rewrite;
use clap::Args;
use similar::TextDiff;

use super::report::{self, Format};
use super::terminal::{self, line};
use super::{Done, Failure, exit, failed_if, judged, usage};

/// The largest text that is read from standard input, in bytes. A descriptor is smaller.
const MOST_BYTES: u64 = 1 << 20;

/// Give descriptors their one layout.
#[derive(Debug, Args)]
pub(crate) struct Fmt {
    /// Files, folders and globs such as 'tools/**/*.yaml'; the whole catalog unless given
    paths: Vec<String>,
    /// Write nothing; fail if a file has another layout
    #[arg(long)]
    check: bool,
    /// Write nothing; print the changes
    #[arg(long)]
    diff: bool,
    /// Read one descriptor from standard input, and print it in its layout
    #[arg(long, conflicts_with_all = ["paths", "check", "diff"])]
    stdin: bool,
    /// The file that standard input stands for, in findings
    #[arg(
        long,
        value_name = "FILE",
        requires = "stdin",
        default_value = "stdin.yaml"
    )]
    stdin_path: String,
    /// How to print the findings
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

impl Fmt {
    /// Runs the command.
    pub(crate) fn run(self, tools: &Catalog) -> Done {
        if self.stdin {
            return self.run_on_stdin();
        }
        let files = formatted(&self.paths, tools).map_err(usage)?;
        let files = self.written(files);
        let mut report = Report::default();
        let mut changed = Vec::new();
        let mut unwritten = Vec::new();
        for (Formatted { name, outcome }, written) in files {
            match outcome {
                Outcome::Foreign => {
                    terminal::say(&format!(
                        "note: {} is no descriptor, and stays as it is",
                        line(&name)
                    ));
                    continue;
                }
                Outcome::Kept => {}
                Outcome::Broken(findings) => report.findings.extend(findings),
                Outcome::Changed(source, text) if self.check || self.diff => {
                    if self.check {
                        report.findings.push(difference(&source, &text));
                    }
                    changed.push((name.clone(), diff(&source, &text)));
                }
                Outcome::Changed(..) => match written {
                    Ok(()) => changed.push((name.clone(), String::new())),
                    Err(reason) => {
                        unwritten.push(format!("cannot write {}: {reason}", line(&name)));
                        continue;
                    }
                },
            }
            report.files.push(name);
        }
        let printed = self.print(&report, &changed);
        match unwritten.is_empty() {
            true => printed,
            // What else was found is printed by now.
            false => Err(Failure::Told(exit::OUTPUT, unwritten.join("\n"))),
        }
    }

    /// Writes what has another layout, unless it is only looked at.
    fn written(&self, files: Vec<Formatted>) -> Vec<(Formatted, Result<(), String>)> {
        let write = |file: &Formatted| match &file.outcome {
            Outcome::Changed(source, text) if !self.check && !self.diff => write(source, text),
            _ => Ok(()),
        };
        // Each waits for the disk.
        let written = parallel::map(&files, write);
        files.into_iter().zip(written).collect()
    }

    fn print(&self, report: &Report, changed: &[(String, String)]) -> Done {
        let mut out = self.format.out();
        let printed = match self.format {
            Format::Human => self.print_for_people(&mut out, report, changed),
            _ => self.format.print(&mut out, report, false),
        };
        judged(
            printed.and_then(|()| out.flush()),
            failed_if(report.errors() > 0),
        )
    }

    fn print_for_people(
        &self,
        out: &mut impl Write,
        report: &Report,
        changed: &[(String, String)],
    ) -> io::Result<()> {
        let is_changed =
            |finding: &&Finding| changed.iter().any(|(name, _)| *name == finding.source.name);
        let (_, broken): (Vec<&Finding>, Vec<&Finding>) =
            report.findings.iter().partition(is_changed);
        let broken: Vec<Finding> = broken.into_iter().cloned().collect();
        report::print_findings(out, &broken, terminal::has_colours())?;
        for (name, diff) in changed {
            match self.check || self.diff {
                true => write!(out, "{diff}")?,
                false => writeln!(out, "formatted {}", line(name))?,
            }
        }
        let plural = |count: usize| match count {
            1 => "1 file".to_owned(),
            _ => format!("{count} files"),
        };
        let kept = report.files.len() - changed.len();
        let verb = match self.check || self.diff {
            true => "to format",
            false => "formatted",
        };
        let faults = match broken.is_empty() {
            true => String::new(),
            false => format!(", {} with errors", files_of(&broken)),
        };
        writeln!(
            out,
            "{} {verb}, {} unchanged{faults}",
            plural(changed.len()),
            kept - files_of(&broken)
        )
    }

    fn run_on_stdin(self) -> Done {
        let mut bytes = Vec::new();
        io::stdin()
            .lock()
            .take(MOST_BYTES + 1)
            .read_to_end(&mut bytes)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| usage("standard input is not UTF-8 text".to_owned()))?;
        let formatted = match of_text(&self.stdin_path, text.clone()) {
            Outcome::Kept => text,
            Outcome::Changed(_, text) => text,
            Outcome::Foreign => return Err(usage("standard input is no descriptor".to_owned())),
            Outcome::Broken(findings) => {
                // What an editor reads from standard output is the text alone.
                terminal::say(&findings_in_words(&findings));
                return Err(Failure::Silent(exit::DESCRIPTOR));
            }
        };
        let mut out = terminal::data();
        out.write_all(formatted.as_bytes())?;
        out.flush()?;
        Ok(())
    }
}

fn findings_in_words(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// How many files these findings are in.
fn files_of(findings: &[Finding]) -> usize {
    let mut names: Vec<&str> = findings
        .iter()
        .map(|finding| finding.source.name.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    names.len()
}

/// Writes a file anew, unless somebody protected it, or changed it since it was read.
fn write(source: &Source, text: &str) -> Result<(), String> {
    let path = source.path().ok_or("it is no file")?;
    let told = |error: io::Error| error.to_string();
    if fs::metadata(path).map_err(told)?.permissions().readonly() {
        return Err("it is read-only".to_owned());
    }
    let now = fs::read(path).map_err(told)?;
    // Another program may have formatted it too.
    if now == text.as_bytes() {
        return Ok(());
    }
    if now != source.text().as_bytes() {
        return Err("it was changed meanwhile".to_owned());
    }
    rewrite(path, text).map_err(told)
}

/// The changes, as a patch. Secrets are stars in it.
fn diff(source: &Source, text: &str) -> String {
    let old = report::without_secrets(source);
    let new = match Source::parse(source.name.clone(), text.to_owned().into()) {
        Ok(new) => report::without_secrets(&new),
        Err(_) => return String::new(),
    };
    let name = line(&source.name);
    let diff = TextDiff::from_lines(&old, &new);
    diff.unified_diff()
        .context_radius(2)
        .header(&name, &name)
        .to_string()
}
