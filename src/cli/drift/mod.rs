//! `toolrun drift`: holds recordings against descriptors, or the answers of services as they are now.

mod live;

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use similar::TextDiff;
use url::Url;

use super::call::parse_count;
use super::config::InForce;
use super::reach::Reach;
use super::report::Format;
use super::{Done, Failure, exit_code, failed_if, judged, note, terminal, usage};
use crate::Catalog;
use crate::ErrorKind;
use crate::catalog::{Entry, Loaded};
use crate::check::{Report, tool_with, tools_at};
use crate::drift::{Counts, Options, Outcome, Patch};
use crate::har::{HarError, Read, Reader};
use crate::source::{Finding, Severity};
use crate::tool::Tool;

/// Hold recordings of what services do against the descriptors.
#[derive(Debug, Args)]
#[command(
    mut_arg("set", |arg| arg.help("Give a setting of a service a value, such as for its base URL")),
    mut_arg("trust", |arg| arg.help("Trust a folder for this run. May be given several times").requires("live")),
    mut_arg("sandbox", |arg| arg.requires("live")),
    mut_arg("timeout", |arg| arg.requires("live")),
    mut_arg("cacert", |arg| arg.requires("live")),
    mut_arg("verbose", |arg| arg.requires("live")),
    mut_arg("record", |arg| arg.requires("live")),
    mut_arg("replay", |arg| arg.requires("live"))
)]
pub(crate) struct Drift {
    /// Recordings in HAR: files, folders of .har files, or - for standard input; with --live, tools
    #[arg(required_unless_present = "live", value_name = "RECORDING")]
    recordings: Vec<String>,
    /// Call each tool that reads once, with the arguments of its first example, and hold the answers
    #[arg(long)]
    live: bool,
    /// With --live: send at most this many requests; 50 unless given
    #[arg(long, value_name = "N", value_parser = parse_count, requires = "live")]
    max_requests: Option<u64>,
    /// Descriptors to hold them against: files, folders and globs; the whole catalog unless given
    #[arg(long, value_name = "PATH")]
    against: Vec<String>,
    /// Where the recordings were made, if not at the base URLs of the services: a proxy, a test system
    #[arg(long, value_name = "URL", value_parser = parse_url, conflicts_with = "live")]
    base_url: Option<Url>,
    #[command(flatten)]
    reach: Reach,
    /// How to print the findings
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
    /// Fail on warnings too
    #[arg(long)]
    deny_warnings: bool,
    /// Print a patch of the descriptors that settles what it can, and not the findings; comments and layout stay
    #[arg(long, conflicts_with = "format")]
    update: bool,
    /// With --update: change the files, and print the findings
    #[arg(long, requires = "update")]
    write: bool,
}

fn parse_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    match ["http", "https"].contains(&url.scheme()) {
        true => Ok(url),
        false => Err("it is no URL of http or https".to_owned()),
    }
}

/// Most entries that are told one by one when they cannot be read.
const MOST_TOLD: usize = 8;

impl Drift {
    /// The folders that are trusted for this run.
    pub(crate) fn trusted(&self) -> &[PathBuf] {
        &self.reach.here.trust
    }

    /// Runs the command.
    pub(crate) fn run(self, catalog: &Catalog, in_force: &InForce) -> Done {
        if self.live {
            return self.run_live(catalog, in_force);
        }
        let files = files(&self.recordings)?;
        let loaded = match self.against.is_empty() {
            true => catalog.load_all(),
            false => tools_at(&self.against).map_err(usage)?,
        };
        let options = Options {
            base_url: self.base_url.clone(),
            settings: self.reach.set.clone(),
        };
        let Sorted {
            tools,
            entries,
            broken,
        } = Sorted::of(loaded);
        let mut drift = crate::drift::Drift::new(tools, &options);
        let mut unread = None;
        for file in &files {
            if let Err(message) = take(&mut drift, file) {
                unread.get_or_insert(message);
            }
        }
        let mut outcome = drift.finish();
        add_broken(&mut outcome, broken);
        tell(&outcome);
        let verdict = match unread {
            Some(message) => Err(usage(message)),
            None => self.done(&outcome),
        };
        judged(self.print(&outcome, &entries), verdict)
    }

    /// Calls the tools, and holds what the services answer.
    fn run_live(&self, catalog: &Catalog, in_force: &InForce) -> Done {
        let (catalog, loaded) = live::tools(catalog, &self.recordings, &self.against, &self.reach)?;
        let Sorted {
            tools,
            entries,
            broken,
        } = Sorted::of(loaded);
        let mut drift = crate::drift::Drift::new(tools.clone(), &Options::default());
        let most = self.max_requests.unwrap_or(live::MOST_REQUESTS);
        let called = live::call(&tools, &catalog, in_force, &self.reach, most, &mut drift)?;
        let mut outcome = drift.finish();
        add_broken(&mut outcome, broken);
        note(&summary(&outcome.counts));
        let verdict = match called {
            Some(kind) if kind != ErrorKind::Response => Err(Failure::Silent(exit_code(kind))),
            Some(kind) => self
                .done(&outcome)
                .and(Err(Failure::Silent(exit_code(kind)))),
            None => self.done(&outcome),
        };
        judged(self.print(&outcome, &entries), verdict)
    }

    /// Prints the findings or a patch, and changes files if that is asked for.
    fn print(&self, outcome: &Outcome, entries: &[Entry]) -> Done {
        if self.update && !self.write {
            return print_patches(outcome, entries);
        }
        if self.update {
            write_patches(outcome, entries);
        }
        let mut out = self.format.out();
        self.format
            .print(&mut out, &outcome.report, self.deny_warnings)?;
        Ok(out.flush()?)
    }

    fn done(&self, outcome: &Outcome) -> Done {
        let report = &outcome.report;
        failed_if(report.errors() > 0 || (self.deny_warnings && report.warnings() > 0))
    }
}

/// Recordings that were held against the tools at some paths.
pub(crate) struct Held {
    pub report: Report,
    /// What became of the exchanges.
    pub told: String,
    /// Why a recording could not be read to its end.
    pub unread: Option<String>,
}

/// Holds recordings against the tools at these paths. What is broken in descriptors is not told.
///
/// # Errors
/// When a path does not exist.
pub(crate) fn held(recordings: &[String], against: &[String]) -> Result<Held, Failure> {
    let tools = tools_at(against).map_err(usage)?;
    let tools = tools.into_iter().filter_map(|(_, tool)| tool.ok());
    let mut drift = crate::drift::Drift::new(tools.collect(), &Options::default());
    let mut unread = None;
    for file in files(recordings)? {
        if let Err(message) = take(&mut drift, &file) {
            unread.get_or_insert(message);
        }
    }
    let outcome = drift.finish();
    Ok(Held {
        told: summary(&outcome.counts),
        report: outcome.report,
        unread,
    })
}

/// Tools with their files, and what keeps others from being used.
#[derive(Default)]
struct Sorted {
    tools: Vec<Arc<Tool>>,
    entries: Vec<Entry>,
    broken: Vec<Finding>,
}

impl Sorted {
    fn of(loaded: Vec<Loaded>) -> Sorted {
        let mut sorted = Sorted::default();
        for (entry, tool) in loaded {
            match tool {
                Ok(tool) => {
                    sorted.tools.push(tool);
                    sorted.entries.push(entry);
                }
                Err(findings) => sorted.broken.extend(findings),
            }
        }
        sorted
    }
}

/// Adds what keeps descriptors from being used. The tools of a service all tell what is wrong with it.
fn add_broken(outcome: &mut Outcome, broken: Vec<Finding>) {
    for finding in broken {
        let report = &mut outcome.report;
        let is_same = |known: &Finding| {
            known.code == finding.code
                && known.span == finding.span
                && known.source.name == finding.source.name
        };
        if report.findings.iter().any(is_same) {
            continue;
        }
        if !report.files.contains(&finding.source.name) {
            report.files.push(finding.source.name.clone());
        }
        report.findings.push(finding);
    }
}

/// The files of recordings: those that are named, and those in folders that are named.
fn files(paths: &[String]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        let place = Path::new(path);
        if !place.is_dir() {
            files.push(place.to_owned());
            continue;
        }
        let cannot = |error: io::Error| usage(format!("cannot read {path}: {error}"));
        let mut own = Vec::new();
        for entry in std::fs::read_dir(place).map_err(cannot)? {
            let file = entry.map_err(cannot)?.path();
            let is_har = file
                .extension()
                .is_some_and(|ending| ending.eq_ignore_ascii_case("har"));
            if is_har && !file.is_dir() {
                own.push(file);
            }
        }
        if own.is_empty() {
            return Err(usage(format!("there is no .har file in {path}")));
        }
        own.sort();
        files.extend(own);
    }
    Ok(files)
}

/// Reads a recording, entry by entry.
///
/// # Errors
/// Why it cannot be read to its end. What was read before counts.
fn take(drift: &mut crate::drift::Drift, file: &Path) -> Result<(), String> {
    let name = file.display().to_string();
    drift.file(&name);
    let failed = |error: HarError| format!("{name}: {error}");
    if name == "-" {
        return read(drift, &name, Reader::new(io::stdin().lock())).map_err(failed);
    }
    let opened = File::open(file).map_err(|error| failed(error.into()))?;
    if opened.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(format!("{name}: it is a folder"));
    }
    read(drift, &name, Reader::new(BufReader::new(opened))).map_err(failed)
}

fn read<R: io::Read>(
    drift: &mut crate::drift::Drift,
    name: &str,
    reader: Reader<R>,
) -> Result<(), HarError> {
    let mut told = 0;
    let mut say = |flaw: String| {
        told += 1;
        if told <= MOST_TOLD {
            note(&format!("{name}: {flaw}"));
        }
    };
    let mut done = Ok(());
    for read in reader {
        match read {
            Ok(Read::Entry(entry, flaws)) => {
                flaws.iter().for_each(|flaw| say(flaw.to_string()));
                drift.entry(&entry);
            }
            Ok(Read::Skipped(flaw)) => say(flaw.to_string()),
            Err(error) => {
                done = Err(error);
                break;
            }
        }
    }
    if told > MOST_TOLD {
        note(&format!("{name}: {} more such places", told - MOST_TOLD));
    }
    done
}

/// Tells what became of the exchanges, on standard error.
fn tell(outcome: &Outcome) {
    note(&summary(&outcome.counts));
    for (service, reason) in &outcome.unknown {
        note(&format!(
            "the base URL of {service} is not known, so that nothing is held against its tools: {reason}"
        ));
    }
    let unseen = &outcome.unseen;
    if !unseen.is_empty() && outcome.counts.matched > 0 {
        let shown: Vec<&str> = unseen.iter().take(6).map(String::as_str).collect();
        let more = match unseen.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        note(&format!(
            "nothing was recorded of {}{more}",
            shown.join(", ")
        ));
    }
}

fn summary(counts: &Counts) -> String {
    let noun = if counts.exchanges == 1 {
        "exchange"
    } else {
        "exchanges"
    };
    let mut text = format!(
        "{} {noun}: {} that tools make",
        counts.exchanges, counts.matched
    );
    let mut add = |count: usize, what: &str| {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    };
    add(counts.unmatched, "that no tool makes");
    let elsewhere: usize = counts.elsewhere.values().sum();
    let mut hosts: Vec<(&String, &usize)> = counts.elsewhere.iter().collect();
    hosts.sort_by_key(|(host, count)| (std::cmp::Reverse(**count), *host));
    let hosts: Vec<&str> = hosts
        .iter()
        .take(3)
        .map(|(host, _)| host.as_str())
        .collect();
    add(
        elsewhere,
        &format!("to other places ({})", hosts.join(", ")),
    );
    add(counts.aside, "that are no calls");
    add(counts.without_body, "without a recorded answer or its body");
    text
}

/// The new text of a file, if it is still a sound descriptor.
fn sound<'p>(patch: &'p Patch, entries: &[Entry]) -> Result<&'p str, String> {
    if patch.path.is_none() {
        return Err("it is built in".to_owned());
    }
    let after = patch.after.as_ref().map_err(Clone::clone)?;
    let entry = entries
        .iter()
        .find(|entry| entry.file.display() == patch.name);
    let Some(entry) = entry.filter(|_| patch.tool.is_some()) else {
        return Ok(after);
    };
    match tool_with(entry, after.clone()) {
        Ok(_) => Ok(after),
        Err(findings) => {
            let first = findings.iter().find(|one| one.severity == Severity::Error);
            let first = first.map(|one| one.message.clone()).unwrap_or_default();
            Err(format!("the new file would not be valid: {first}"))
        }
    }
}

/// Prints one patch of all files. What cannot be changed is told.
fn print_patches(outcome: &Outcome, entries: &[Entry]) -> Done {
    let mut out = terminal::data();
    let mut settled = 0;
    for patch in &outcome.patches {
        match sound(patch, entries) {
            Ok(after) => {
                settled += patch.settles;
                out.write_all(diff(patch, after).as_bytes())?;
            }
            Err(reason) => note(&format!("{} is not changed: {reason}", patch.name)),
        }
    }
    out.flush()?;
    let all = outcome.report.findings.len();
    note(&format!(
        "{all} findings, of which the patch settles {settled}; without --update they are printed"
    ));
    Ok(())
}

/// A unified diff, which `git apply` and `patch -p1` take in the current folder.
fn diff(patch: &Patch, after: &str) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = Path::new(&patch.name);
    let path = path.strip_prefix(&here).unwrap_or(path);
    let path = path.strip_prefix(".").unwrap_or(path);
    let path = path.display().to_string().replace('\\', "/");
    let path = path.trim_start_matches('/');
    TextDiff::from_lines(patch.before.as_str(), after)
        .unified_diff()
        .context_radius(3)
        .header(&format!("a/{path}"), &format!("b/{path}"))
        .to_string()
}

/// Changes the files.
fn write_patches(outcome: &Outcome, entries: &[Entry]) {
    for patch in &outcome.patches {
        let written = sound(patch, entries).and_then(|after| {
            let path = patch.path.as_deref().unwrap_or(Path::new(""));
            let now = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
            if now != patch.before {
                return Err("it changed meanwhile".to_owned());
            }
            let done = crate::staged::rewrite(path, after);
            done.map_err(|error| format!("cannot write the file: {error}"))
        });
        match written {
            Ok(()) => note(&format!("{} is changed", patch.name)),
            Err(reason) => note(&format!("{} is not changed: {reason}", patch.name)),
        }
    }
}
