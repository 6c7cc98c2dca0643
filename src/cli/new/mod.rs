//! `toolrun new`: writes the files of a first tool.

mod questions;
mod recorded;

use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::catalog::{File, Unsaved};
use crate::check::{Lints, Outcome, files_below, of_file, of_text};
use crate::har::Entry;
use crate::import::ImportError;
use crate::import::start::{BASE_URL, Blank, Start, Started, is_taken};
use crate::plan::Method;
use crate::source::Finding;
use crate::staged::write_all;
use crate::words::Name;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::terminal::{self, line};
use super::{Done, Failure, hints, usage};
use questions::{LONGEST_LINE, asked};

/// The largest curl command, and the largest `service.yaml` that is there, in bytes.
const MOST_BYTES: u64 = 1 << 20;
/// How long the tools that are there are looked for, to compare the new one with them.
const LONGEST_WALK: Duration = Duration::from_secs(1);

/// Write a tool to go on from.
#[derive(Debug, Clone, Args)]
pub(crate) struct New {
    /// The tool's name, or SERVICE/NAME. Without a service, one file holds both. On a terminal, what is not given is
    /// asked
    #[arg(value_name = "NAME", value_parser = names)]
    name: Option<(Option<Name>, Name)>,
    /// The service: its folder is written unless it is there
    #[arg(long, value_name = "NAME", value_parser = one_name)]
    service: Option<Name>,
    /// The folder of tools to write to
    #[arg(long, value_name = "DIR", default_value = "tools")]
    into: PathBuf,
    /// What the tool sends: a curl command, such as the one that a browser copies, or `-` to read it from standard input.
    /// Its secrets are not written to the files
    #[arg(long, value_name = "COMMAND", allow_hyphen_values = true, conflicts_with_all = ["method", "path"])]
    from_curl: Option<String>,
    /// What the tool sends: one exchange of a recording (HAR), such as the one that a browser saves. Its answer becomes an
    /// example. Its secrets are not written to the files
    #[arg(long, value_name = "FILE", conflicts_with_all = ["method", "path", "from_curl"])]
    from_har: Option<PathBuf>,
    /// The exchange of the recording, by its number
    #[arg(long, value_name = "N", requires = "from_har")]
    entry: Option<usize>,
    /// The exchange of the recording, by a part of its URL
    #[arg(
        long,
        value_name = "TEXT",
        requires = "from_har",
        conflicts_with = "entry"
    )]
    url: Option<String>,
    /// The method of the request
    #[arg(long, value_enum, ignore_case = true)]
    method: Option<MethodName>,
    /// The path of the request; `{name}` in it is a param
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// The service's base URL
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// What the tool does
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Write nothing; print the files
    #[arg(long)]
    dry_run: bool,
    /// How to print the report
    #[arg(long, value_enum, default_value = "human")]
    format: ReportFormat,
}

/// The methods of a blank tool.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum MethodName {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Head,
}

/// The formats of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    /// Text for people
    Human,
    /// One JSON object
    Json,
}

fn one_name(text: &str) -> Result<Name, String> {
    Name::new(text).ok_or_else(|| {
        "a name has lower-case letters, digits and single hyphens, 63 at most".to_owned()
    })
}

/// The name of a tool, whose file is no other's.
fn tool_name(text: &str) -> Result<Name, String> {
    let name = one_name(text)?;
    match is_taken(&name) {
        true => Err(format!(
            "a tool cannot be called `{name}`, since {name}.yaml is another kind of file"
        )),
        false => Ok(name),
    }
}

fn names(text: &str) -> Result<(Option<Name>, Name), String> {
    match text.split_once('/') {
        Some((service, tool)) => Ok((Some(one_name(service)?), tool_name(tool)?)),
        None => Ok((None, tool_name(text)?)),
    }
}

fn base_url(text: &str) -> Result<String, String> {
    let is_one = url::Url::parse(text)
        .is_ok_and(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
    match is_one {
        true => Ok(text.to_owned()),
        false => Err(format!("a base URL is like {BASE_URL}")),
    }
}

/// The text in the one layout of descriptors.
fn tidy(name: &str, text: String) -> Result<String, String> {
    match of_text(name, text.clone()) {
        Outcome::Changed(_, text) => Ok(text),
        Outcome::Kept | Outcome::Foreign => Ok(text),
        Outcome::Broken(findings) => {
            let reason = findings.first().map(ToString::to_string);
            Err(reason.unwrap_or_default())
        }
    }
}

/// What a tool is made of.
enum Given {
    Nothing,
    Command(String),
    Exchange(Box<Entry>),
}

/// A file to write.
struct Written<'s> {
    path: PathBuf,
    text: &'s str,
}

impl New {
    /// Runs the command.
    pub(crate) fn run(mut self) -> Done {
        let (named, tool) = match self.name.clone() {
            Some(name) => name,
            None => self.ask()?,
        };
        let service = match (&self.service, named) {
            (Some(given), Some(named)) if *given != named => {
                let message = format!("`{named}` and --service {given} are two services");
                return Err(usage(message));
            }
            (given, named) => given.clone().or(named),
        };
        let given = self.given()?;
        let started = self.made(service.as_ref(), &tool, &given).map_err(usage)?;
        let is_alone = service.is_none() && matches!(given, Given::Nothing);
        let files = self.files(&started, &tool, is_alone);
        refuse_present(&files).map_err(usage)?;
        if !self.dry_run {
            let texts: Vec<(PathBuf, String)> = files
                .iter()
                .map(|file| (file.path.clone(), file.text.to_owned()))
                .collect();
            write_all(&texts).map_err(|error| Failure::Told(1, format!("cannot write {error}")))?;
        }
        self.report(&started, &tool, &files)
    }

    /// The texts of the files.
    ///
    /// # Errors
    /// Why there can be none.
    fn made(&self, service: Option<&Name>, tool: &Name, given: &Given) -> Result<Started, String> {
        let start = |service: Option<&Name>| -> Result<Start, String> {
            let present = match service {
                Some(service) => present(&self.into.join(service.as_str()))?,
                None => None,
            };
            Ok(Start {
                tool: tool.clone(),
                service: service.cloned(),
                present,
                base_url: self.base_url.clone(),
                description: self.description.clone(),
            })
        };
        let refuse = |error: ImportError| {
            let hint = hints::of_import(&error).map(|hint| format!("; {hint}"));
            format!("{error}{}", hint.unwrap_or_default())
        };
        let mut own = start(service)?;
        let of_request = |own: &Start| match given {
            Given::Command(command) => own.of_command(command),
            Given::Exchange(entry) => own.of_exchange(entry),
            Given::Nothing => own.blank(&self.blank(tool)),
        };
        let mut started = of_request(&own).map_err(refuse)?;
        // The command names the service, which may be there already.
        let is_named_there = service.is_none()
            && !matches!(given, Given::Nothing)
            && self.into.join(started.service.as_str()).is_dir();
        if is_named_there {
            own = start(Some(&started.service))?;
            started = of_request(&own).map_err(refuse)?;
        }
        started.tool_text = tidy("tool.yaml", started.tool_text)?;
        started.service_text = match started.service_text {
            Some(text) => Some(tidy("service.yaml", text)?),
            None => None,
        };
        match own.present.is_some() && self.base_url.is_some() {
            true => Err(
                "the service is there already; change its base URL in its service.yaml".to_owned(),
            ),
            false => Ok(started),
        }
    }

    /// Asks for what is not given. An answer is right when a tool can be made of all the answers so far.
    fn ask(&mut self) -> Result<(Option<Name>, Name), Failure> {
        const TOOL: &str = "The tool's name, such as list-orders";
        if !terminal::can_ask() {
            let message = "NAME is missing; on a terminal, `toolrun new` asks for it";
            return Err(usage(message));
        }
        if self.from_curl.is_some() || self.from_har.is_some() {
            return Ok((None, asked(TOOL, None, tool_name)?));
        }
        let service = match &self.service {
            Some(service) => service.clone(),
            None => asked("The service's name, such as shop", None, |text| {
                let name = one_name(text)?;
                self.try_out(&name, None)?;
                Ok(name)
            })?,
        };
        self.try_out(&service, None).map_err(usage)?;
        let is_there = self
            .into
            .join(service.as_str())
            .join("service.yaml")
            .exists();
        if !is_there && self.base_url.is_none() {
            let url = asked("Its base URL", Some(BASE_URL), |text| {
                let with = New {
                    base_url: Some(base_url(text)?),
                    ..self.clone()
                };
                with.try_out(&service, None)?;
                Ok(with.base_url)
            })?;
            self.base_url = url;
        }
        let tool = asked(TOOL, None, |text| {
            let name = tool_name(text)?;
            self.try_out(&service, Some(&name))?;
            Ok(name)
        })?;
        if self.description.is_none() {
            let words = asked("What it does, in a sentence", Some(""), |text| {
                Ok(text.to_owned())
            })?;
            self.description = Some(words).filter(|words| !words.is_empty());
        }
        if self.method.is_none() {
            self.method = Some(asked("The method of its request", Some("GET"), |text| {
                MethodName::from_str(text, true)
                    .map_err(|_| "a method is GET, POST, PUT, PATCH, DELETE or HEAD".to_owned())
            })?);
        }
        if self.path.is_none() {
            let path = format!("/{tool}");
            let path = asked("The path, with {name} for a param", Some(&path), |text| {
                let with = New {
                    path: Some(text.to_owned()),
                    ..self.clone()
                };
                with.try_out(&service, Some(&tool))?;
                Ok(with.path)
            })?;
            self.path = path;
        }
        Ok((Some(service), tool))
    }

    /// Whether a tool can be made of what is known so far, and its file is free.
    ///
    /// # Errors
    /// Why not.
    fn try_out(&self, service: &Name, tool: Option<&Name>) -> Result<(), String> {
        let unnamed = one_name("tool")?;
        let started = self.made(Some(service), tool.unwrap_or(&unnamed), &Given::Nothing)?;
        match tool {
            Some(tool) => refuse_present(&self.files(&started, tool, false)),
            None => Ok(()),
        }
    }

    fn blank(&self, tool: &Name) -> Blank {
        Blank {
            method: self.method.unwrap_or(MethodName::Get).method(),
            path: self.path.clone().unwrap_or_else(|| format!("/{tool}")),
        }
    }

    /// What the tool is made of.
    fn given(&self) -> Result<Given, Failure> {
        if let Some(path) = &self.from_har {
            let entry = recorded::chosen(path, self.entry, self.url.as_deref())?;
            return Ok(Given::Exchange(entry));
        }
        Ok(match self.command()? {
            Some(command) => Given::Command(command),
            None => Given::Nothing,
        })
    }

    /// The curl command to start from.
    fn command(&self) -> Result<Option<String>, Failure> {
        match self.from_curl.as_deref() {
            Some("-") => {
                if terminal::can_ask() {
                    super::say("paste the curl command, and end with Ctrl-D");
                }
                let text = bounded(std::io::stdin())
                    .map_err(|reason| usage(format!("cannot read standard input: {reason}")))?;
                let is_cut = |line: &str| line.len() >= LONGEST_LINE;
                match terminal::can_ask() && text.lines().any(is_cut) {
                    true => Err(usage(format!(
                        "a line of the command is longer than the {LONGEST_LINE} bytes that a terminal hands on, so that it may be cut; write it to a file and give that as standard input"
                    ))),
                    false => Ok(Some(text)),
                }
            }
            Some(text) if text.len() as u64 > MOST_BYTES => {
                Err(usage("the curl command is too long".to_owned()))
            }
            other => Ok(other.map(str::to_owned)),
        }
    }

    fn files<'s>(&self, started: &'s Started, tool: &Name, is_alone: bool) -> Vec<Written<'s>> {
        let folder = match is_alone {
            true => self.into.clone(),
            false => self.into.join(started.service.as_str()),
        };
        let service = started.service_text.as_deref().map(|text| Written {
            path: folder.join("service.yaml"),
            text,
        });
        let tool = Written {
            path: folder.join(format!("{tool}.yaml")),
            text: &started.tool_text,
        };
        service.into_iter().chain([tool]).collect()
    }

    /// What the lints find in the files, which only a person can say.
    fn open_findings(&self, files: &[Written<'_>]) -> Vec<Finding> {
        let texts = files
            .iter()
            .map(|file| (file.path.clone(), file.text.to_owned()));
        let texts: Arc<Unsaved> = Arc::new(texts.collect());
        let in_memory = |path: &Path| File::in_editor(path.to_owned(), Arc::clone(&texts));
        let others = files_below(&self.into, LONGEST_WALK).unwrap_or_default();
        let is_other = |file: &&File| !files.iter().any(|own| own.path == file.path());
        let others: Vec<File> = others.iter().filter(is_other).cloned().collect();
        let found = files
            .iter()
            .flat_map(|file| of_file(&in_memory(&file.path), &others, Lints::On));
        found.collect()
    }

    fn report(&self, started: &Started, tool: &Name, files: &[Written<'_>]) -> Done {
        let name = format!("{}/{tool}", started.service);
        let open = self.open_findings(files);
        let shown = |file: &Written<'_>| line(&file.path.display().to_string());
        let mut out = match self.format {
            ReportFormat::Json => terminal::json(),
            ReportFormat::Human => terminal::words(),
        };
        if self.format == ReportFormat::Json {
            let listed: Vec<_> = files
                .iter()
                .map(|file| json!({ "path": file.path, "text": file.text }))
                .collect();
            let open: Vec<_> = open
                .iter()
                .map(|finding| {
                    json!({
                        "code": finding.code.name(), "file": finding.source.name, "line": line_of(finding),
                        "message": finding.message, "help": finding.help,
                    })
                })
                .collect();
            let whole = json!({
                "tool": name, "dry_run": self.dry_run, "files": listed, "secrets": started.secrets,
                "notes": started.notes, "to_fill_in": open,
            });
            writeln!(out, "{whole:#}")?;
            out.flush()?;
            return Ok(());
        }
        for file in files {
            match self.dry_run {
                true => write!(out, "--- {}\n{}\n", shown(file), file.text)?,
                false => writeln!(out, "wrote {}", shown(file))?,
            }
        }
        if !started.secrets.is_empty() {
            let names = started.secrets.join(", ");
            writeln!(
                out,
                "\nSecrets stay out of the files: set {names}, or write them to .env"
            )?;
        }
        if !started.notes.is_empty() {
            writeln!(out, "\nNotes")?;
            for note in &started.notes {
                writeln!(out, "  {}", line(note))?;
            }
        }
        if !open.is_empty() {
            writeln!(out, "\nTo fill in")?;
            for finding in &open {
                let place = format!("{}:{}", finding.source.name, line_of(finding));
                let words = format!("{} ({})", finding.message, finding.code.name());
                writeln!(out, "  {}: {}", line(&place), line(&words))?;
                if let Some(help) = &finding.help {
                    writeln!(out, "    {}", line(help))?;
                }
            }
        }
        if !self.dry_run {
            let folder = line(&self.into.display().to_string());
            writeln!(out, "\nNext")?;
            writeln!(
                out,
                "  edit {}",
                files.last().map(shown).unwrap_or_default()
            )?;
            for command in [
                format!("toolrun validate {folder}"),
                format!("toolrun test {folder}"),
                format!("toolrun show {name} --tools {folder}"),
            ] {
                writeln!(out, "  {command}")?;
            }
        }
        out.flush()?;
        Ok(())
    }
}

impl MethodName {
    fn method(self) -> Method {
        match self {
            MethodName::Get => Method::Get,
            MethodName::Post => Method::Post,
            MethodName::Put => Method::Put,
            MethodName::Patch => Method::Patch,
            MethodName::Delete => Method::Delete,
            MethodName::Head => Method::Head,
        }
    }
}

/// The line in which a finding begins, from 1 on.
fn line_of(finding: &Finding) -> usize {
    let before = finding.source.text().get(..finding.span.start);
    before.unwrap_or_default().matches('\n').count() + 1
}

/// The `service.yaml` of a folder; `None` if there is none.
fn present(folder: &Path) -> Result<Option<String>, String> {
    let path = folder.join("service.yaml");
    let failed = |reason: String| format!("cannot read {}: {reason}", path.display());
    match path.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error.to_string())),
        Ok(metadata) if !metadata.is_file() => return Err(failed("it is no file".to_owned())),
        Ok(_) => {}
    }
    let file = std::fs::File::open(&path).map_err(|error| failed(error.to_string()))?;
    bounded(file).map(Some).map_err(failed)
}

fn bounded(from: impl Read) -> Result<String, String> {
    let mut text = String::new();
    let read = from.take(MOST_BYTES + 1).read_to_string(&mut text);
    read.map_err(|error| error.to_string())?;
    match text.len() as u64 > MOST_BYTES {
        true => Err(format!("it is larger than {MOST_BYTES} bytes")),
        false => Ok(text),
    }
}

/// Fails if one of the files is there already.
fn refuse_present(files: &[Written<'_>]) -> Result<(), String> {
    let is_there = |file: &&Written<'_>| file.path.symlink_metadata().is_ok();
    match files.iter().find(is_there) {
        Some(file) => Err(format!(
            "{} is there already; nothing was written",
            file.path.display()
        )),
        None => Ok(()),
    }
}
