//! `toolrun import`: makes descriptors of a document that describes a service in another format.

mod check;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::import::folder::{Change, Folder, Plan, State, Update};
use crate::import::inner::{self, Inner};
use crate::import::report::{Loss, Report, What};
use crate::import::{ImportError, Selection, Selector, document, openapi};
use crate::words::Name;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::terminal::{self, line};
use super::{Done, Failure, failed_if, hints, usage};

/// Make descriptors of a document.
#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(subcommand)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum Format {
    /// OpenAPI 3.0 or 3.1, or Swagger 2.0, as JSON or YAML: one tool for each operation
    Openapi(Box<Document>),
    /// A description of a Google API, as Google's discovery service gives it
    Discovery(Box<Document>),
    /// A Postman collection, v2.1 or v2.0: one tool for each saved request
    Postman(Box<Document>),
    /// A text with curl commands: one tool for each of them
    Curl(Box<Document>),
}

#[derive(Debug, Args)]
struct Document {
    /// The document: a file
    document: PathBuf,
    /// The folder to write to; `tools/SERVICE` unless given
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    /// The service's name; unless given, the folder's, or one made from the document's title
    #[arg(long, value_name = "NAME", value_parser = name)]
    service: Option<Name>,
    /// The service's base URL, instead of the one in the document
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Only operations that match: `tag:`, `path:`, `operation:` or `method:` with a glob; may be given several times
    #[arg(long, value_name = "SELECTOR", value_parser = selector)]
    include: Vec<Selector>,
    /// Leave out the operations that match
    #[arg(long, value_name = "SELECTOR", value_parser = selector)]
    exclude: Vec<Selector>,
    /// Update the files of an earlier import, and keep changes that were made by hand
    #[arg(long)]
    update: bool,
    /// Write nothing; print what would be written
    #[arg(long)]
    dry_run: bool,
    /// Write nothing; say what changed in the document since the import, and fail if tools changed with it
    #[arg(long, conflicts_with_all = ["update", "dry_run", "strict"])]
    check: bool,
    /// Fail if an operation did not become a tool
    #[arg(long)]
    strict: bool,
    /// How to print the report
    #[arg(long, value_enum, default_value = "human")]
    format: ReportFormat,
}

/// The formats of a report.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ReportFormat {
    /// Text for people
    Human,
    /// One JSON object
    Json,
    /// SARIF 2.1.0, for code scanning; of a check alone
    Sarif,
    /// Annotations of a GitHub workflow; of a check alone
    Github,
}

fn name(text: &str) -> Result<Name, String> {
    Name::new(text).ok_or_else(|| {
        "a name has lower-case letters, digits and single hyphens, 63 at most".to_owned()
    })
}

fn selector(text: &str) -> Result<Selector, String> {
    text.parse()
}

impl Import {
    /// Runs the command.
    pub(crate) fn run(self) -> Done {
        match self.format {
            Format::Openapi(document) => {
                document.run(&[inner::Format::OpenApi, inner::Format::Swagger])
            }
            Format::Discovery(document) => document.run(&[inner::Format::Discovery]),
            Format::Postman(document) => document.run(&[inner::Format::Postman]),
            Format::Curl(document) => document.run(&[inner::Format::Curl]),
        }
    }
}

/// What `toolrun import` calls a format.
fn word_of(format: inner::Format) -> &'static str {
    match format {
        inner::Format::OpenApi | inner::Format::Swagger => "openapi",
        inner::Format::Discovery => "discovery",
        inner::Format::Postman => "postman",
        inner::Format::Curl => "curl",
    }
}

impl Document {
    fn run(self, formats: &[inner::Format]) -> Done {
        let read = match formats {
            [inner::Format::Curl] => {
                document::read_text(&self.document).map(serde_json::Value::String)
            }
            _ => document::read_file(&self.document),
        };
        let original = read.map_err(usage)?;
        let refuse = |error: ImportError| {
            let hint = hints::of_import(&error).map(|hint| format!("; {hint}"));
            let hint = hint.unwrap_or_default();
            usage(format!("{}: {error}{hint}", self.document.display()))
        };
        let inner = Inner::read(original.clone()).map_err(refuse)?;
        if !formats.contains(&inner.format) && inner.format != inner::Format::OpenApi {
            return Err(usage(format!(
                "{}: this is a document of the format {}; `toolrun import {}` reads it",
                self.document.display(),
                inner.format.name(),
                word_of(inner.format),
            )));
        }
        if !formats.contains(&inner.format) {
            return Err(usage(format!(
                "{}: this is not a document of the format {}",
                self.document.display(),
                formats[0].name(),
            )));
        }
        let service = self.service_of(&inner.document).map_err(usage)?;
        let path = self
            .into
            .unwrap_or_else(|| Path::new("tools").join(service.as_str()));
        let folder = Folder::open(&path).map_err(|error| {
            Failure::Told(1, format!("cannot read {}: {error}", path.display()))
        })?;
        let options = openapi::Options {
            service: Some(service),
            base_url: self.base_url,
            selection: Selection {
                include: self.include,
                exclude: self.exclude,
            },
            known_names: folder.known_names(),
        };
        let import = openapi::import_inner(inner, &original, &options).map_err(refuse)?;
        if self.check {
            return check::run(&self.document, self.format, &path, &folder, &import);
        }
        if matches!(self.format, ReportFormat::Sarif | ReportFormat::Github) {
            return Err(usage(
                "the formats sarif and github tell what --check finds",
            ));
        }
        let update = if self.update {
            Update::Merge
        } else {
            Update::Refuse
        };
        let plan = folder.plan(&import.files, update, |key| import.operations.contains(key));
        if !plan.is_allowed() {
            return Err(usage(refused(&plan, &path)));
        }
        if !self.dry_run {
            plan.write()
                .map_err(|error| Failure::Told(1, format!("cannot write {error}")))?;
        }
        let mut out = match self.format {
            ReportFormat::Json => terminal::json(),
            _ => terminal::words(),
        };
        match self.format {
            ReportFormat::Json => {
                let whole = json!({
                    "folder": path, "dry_run": self.dry_run, "report": import.report, "files": plan.changes,
                });
                writeln!(out, "{whole:#}")?;
            }
            _ => {
                let text = human(&import.report, &plan, &path, self.dry_run);
                out.write_all(text.as_bytes())?;
            }
        }
        out.flush()?;
        if plan.has(State::Conflict) {
            return Err(Failure::Silent(1));
        }
        failed_if(self.strict && !import.report.skipped.is_empty())
    }

    /// The service's name. Its folder must have the same name.
    fn service_of(&self, document: &serde_json::Value) -> Result<Name, String> {
        let folder = self
            .into
            .as_ref()
            .and_then(|into| into.file_name()?.to_str());
        match (&self.service, folder) {
            (Some(service), Some(folder)) if service.as_str() != folder => Err(format!(
                "a service's folder has the service's name: `--into` must end with `{service}`, not `{folder}`"
            )),
            (Some(service), _) => Ok(service.clone()),
            (None, Some(folder)) => name(folder).map_err(|_| {
                format!("`{folder}` cannot be the name of a service; give one with --service")
            }),
            (None, None) => Ok(openapi::service_name(document)),
        }
    }
}

fn refused(plan: &Plan, path: &Path) -> String {
    const MOST: usize = 10;
    let names: Vec<&str> = plan
        .changes
        .iter()
        .filter(|change| change.state == State::Refused)
        .map(|change| change.file.as_str())
        .collect();
    let more = match names.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "nothing was written: {} has other files of these names: {}{more}; --update brings them up to date and keeps \
         what was changed by hand",
        path.display(),
        names[..names.len().min(MOST)].join(", ")
    )
}

fn human(report: &Report, plan: &Plan, path: &Path, is_dry: bool) -> String {
    let mut text = format!(
        "{} {} ({}): {} of {} operations became tools of `{}`",
        line(&report.title),
        line(&report.version),
        line(format!("{} {}", report.format, report.openapi).trim()),
        report.tools.len(),
        report.operations - report.unselected,
        report.service,
    );
    if report.unselected > 0 {
        text.push_str(&format!("; {} were not selected", report.unselected));
    }
    text.push('\n');
    for selector in &report.idle_selectors {
        text.push_str(&format!("`{}` matches no operation\n", line(selector)));
    }
    text.push_str(&files(&plan.changes, path, is_dry));
    if !report.skipped.is_empty() {
        text.push_str("\nSkipped\n");
        for skipped in &report.skipped {
            let (operation, reason) = (line(&skipped.operation), line(&skipped.reason));
            text.push_str(&format!("  {operation}: {reason}\n"));
        }
    }
    text + &lost(&report.lost)
}

fn files(changes: &[Change], path: &Path, is_dry: bool) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for change in changes {
        *counts.entry(word(change.state)).or_default() += 1;
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    let lead = if is_dry {
        "nothing is written to"
    } else {
        "in"
    };
    let place = line(&path.display().to_string());
    let mut text = format!("{lead} {place}: {}\n", counts.join(", "));
    for change in changes {
        if let Some(reason) = &change.reason {
            text.push_str(&format!(
                "  {} {}: {reason}\n",
                word(change.state),
                line(&change.file)
            ));
        }
    }
    text
}

fn word(state: State) -> &'static str {
    match state {
        State::Created => "created",
        State::Unchanged => "unchanged",
        State::Updated => "updated",
        State::Merged => "merged",
        State::Kept => "kept",
        State::Removed => "left out",
        State::Orphaned => "orphaned",
        State::Refused => "refused",
        State::Conflict => "in conflict",
    }
}

/// The losses grouped by kind and message, with the first places of each.
fn lost(losses: &[Loss]) -> String {
    const MOST: usize = 3;
    let mut groups: BTreeMap<(What, &str), Vec<&str>> = BTreeMap::new();
    for loss in losses {
        let places = groups.entry((loss.what, &loss.message)).or_default();
        places.push(&loss.pointer);
    }
    let mut text = String::new();
    let mut last = None;
    for ((what, message), places) in groups {
        if last != Some(what) {
            text.push_str(&format!("\nLost or changed: {}\n", what.words()));
            last = Some(what);
        }
        text.push_str(&format!("  {}\n", line(message)));
        for place in places.iter().take(MOST) {
            text.push_str(&format!("    #{}\n", line(place)));
        }
        match places.len().saturating_sub(MOST) {
            0 => {}
            more => text.push_str(&format!(
                "    and {more} more places; --format json has all of them\n"
            )),
        }
    }
    text
}
