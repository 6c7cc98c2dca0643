//! `toolrun new`: writes the files of a first tool.

mod questions;
mod recorded;

use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::check::{Outcome, of_text};
use crate::har::Entry;
use crate::import::ImportError;
use crate::import::start::{BASE_URL, Blank, Start, Started};
use crate::plan::Method;
use crate::staged::write_all;
use crate::words::Name;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::terminal::{self, line};
use super::{Done, Failure, hints, usage};

/// The largest curl command, and the largest `service.yaml` that is there, in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// Write a tool to go on from.
#[derive(Debug, Args)]
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

fn names(text: &str) -> Result<(Option<Name>, Name), String> {
    match text.split_once('/') {
        Some((service, tool)) => Ok((Some(one_name(service)?), one_name(tool)?)),
        None => Ok((None, one_name(text)?)),
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
fn tidy(name: &str, text: String) -> Result<String, Failure> {
    match of_text(name, text.clone()) {
        Outcome::Changed(_, text) => Ok(text),
        Outcome::Kept | Outcome::Foreign => Ok(text),
        Outcome::Broken(findings) => {
            let reason = findings.first().map(ToString::to_string);
            Err(usage(reason.unwrap_or_default()))
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
        let start = |service: Option<Name>| -> Result<Start, Failure> {
            let present = match &service {
                Some(service) => present(&self.into.join(service.as_str()))?,
                None => None,
            };
            Ok(Start {
                tool: tool.clone(),
                service,
                present,
                base_url: self.base_url.clone(),
                description: self.description.clone(),
            })
        };
        let refuse = |error: ImportError| {
            let hint = hints::of_import(&error).map(|hint| format!("; {hint}"));
            usage(format!("{error}{}", hint.unwrap_or_default()))
        };
        let mut own = start(service.clone())?;
        let of_request = |own: &Start| match &given {
            Given::Command(command) => own.of_command(command),
            Given::Exchange(entry) => own.of_exchange(entry),
            Given::Nothing => own.blank(&self.blank(&tool)),
        };
        let mut started = match &given {
            Given::Command(_) | Given::Exchange(_) => {
                let started = of_request(&own).map_err(refuse)?;
                // The command names the service, which may be there already.
                match service.is_none() && self.into.join(started.service.as_str()).is_dir() {
                    true => {
                        own = start(Some(started.service.clone()))?;
                        of_request(&own).map_err(refuse)?
                    }
                    false => started,
                }
            }
            Given::Nothing => of_request(&own).map_err(refuse)?,
        };
        started.tool_text = tidy("tool.yaml", started.tool_text)?;
        started.service_text = match started.service_text {
            Some(text) => Some(tidy("service.yaml", text)?),
            None => None,
        };
        if own.present.is_some() && self.base_url.is_some() {
            let message = "the service is there already; change its base URL in its service.yaml";
            return Err(usage(message.to_owned()));
        }
        let is_alone = service.is_none() && matches!(given, Given::Nothing);
        let files = self.files(&started, &tool, is_alone);
        refuse_present(&files)?;
        if !self.dry_run {
            let texts: Vec<(PathBuf, String)> = files
                .iter()
                .map(|file| (file.path.clone(), file.text.to_owned()))
                .collect();
            write_all(&texts).map_err(|error| Failure::Told(1, format!("cannot write {error}")))?;
        }
        self.report(&started, &tool, &files)
    }

    /// Asks for what is not given.
    fn ask(&mut self) -> Result<(Option<Name>, Name), Failure> {
        if !terminal::can_ask() {
            let message = "NAME is missing; on a terminal, `toolrun new` asks for it";
            return Err(usage(message.to_owned()));
        }
        if self.from_curl.is_some() || self.from_har.is_some() {
            return Ok((
                None,
                questions::name("The tool's name, such as list-orders")?,
            ));
        }
        let service = match &self.service {
            Some(service) => service.clone(),
            None => questions::name("The service's name, such as shop")?,
        };
        let is_there = self
            .into
            .join(service.as_str())
            .join("service.yaml")
            .exists();
        if !is_there && self.base_url.is_none() {
            let url = questions::asked("Its base URL", Some(BASE_URL), base_url)?;
            self.base_url = Some(url);
        }
        let tool = questions::name("The tool's name, such as list-orders")?;
        if self.description.is_none() {
            let words = questions::asked("What it does, in a sentence", Some(""), |text| {
                Ok(text.to_owned())
            })?;
            self.description = Some(words).filter(|words| !words.is_empty());
        }
        if self.method.is_none() {
            self.method = Some(questions::asked(
                "The method of its request",
                Some("GET"),
                |text| {
                    MethodName::from_str(text, true)
                        .map_err(|_| "a method is GET, POST, PUT, PATCH, DELETE or HEAD".to_owned())
                },
            )?);
        }
        if self.path.is_none() {
            let path = format!("/{tool}");
            let path =
                questions::asked("The path, with {name} for a param", Some(&path), |text| {
                    Ok(text.to_owned())
                })?;
            self.path = Some(path);
        }
        Ok((Some(service), tool))
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
                Ok(Some(text))
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

    fn report(&self, started: &Started, tool: &Name, files: &[Written<'_>]) -> Done {
        let name = format!("{}/{tool}", started.service);
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
            let whole = json!({
                "tool": name, "dry_run": self.dry_run, "files": listed, "secrets": started.secrets,
                "notes": started.notes,
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

/// The `service.yaml` of a folder; `None` if there is none.
fn present(folder: &Path) -> Result<Option<String>, Failure> {
    let path = folder.join("service.yaml");
    let failed = |reason: String| usage(format!("cannot read {}: {reason}", path.display()));
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
fn refuse_present(files: &[Written<'_>]) -> Done {
    let is_there = |file: &&Written<'_>| file.path.symlink_metadata().is_ok();
    match files.iter().find(is_there) {
        Some(file) => Err(usage(format!(
            "{} is there already; nothing was written",
            file.path.display()
        ))),
        None => Ok(()),
    }
}
