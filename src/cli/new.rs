//! `toolrun new`: writes the files of a first tool.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::import::ImportError;
use crate::import::start::{Blank, Start, Started};
use crate::plan::Method;
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
    /// The tool's name, or SERVICE/NAME. Without a service, one file holds both
    #[arg(value_name = "NAME", value_parser = names)]
    name: (Option<Name>, Name),
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
    /// The method of the request
    #[arg(long, value_enum, ignore_case = true, default_value = "get")]
    method: MethodName,
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

/// A file to write.
struct Written<'s> {
    path: PathBuf,
    text: &'s str,
}

impl New {
    /// Runs the command.
    pub(crate) fn run(self) -> Done {
        let (named, tool) = self.name.clone();
        let service = match (&self.service, named) {
            (Some(given), Some(named)) if *given != named => {
                let message = format!("`{named}` and --service {given} are two services");
                return Err(usage(message));
            }
            (given, named) => given.clone().or(named),
        };
        let command = self.command()?;
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
        let started = match &command {
            Some(command) => {
                let started = own.of_command(command).map_err(refuse)?;
                // The command names the service, which may be there already.
                match service.is_none() && self.into.join(started.service.as_str()).is_dir() {
                    true => {
                        own = start(Some(started.service.clone()))?;
                        own.of_command(command).map_err(refuse)?
                    }
                    false => started,
                }
            }
            None => {
                let blank = Blank {
                    method: self.method.method(),
                    path: self.path.clone().unwrap_or_else(|| format!("/{tool}")),
                };
                own.blank(&blank).map_err(refuse)?
            }
        };
        if own.present.is_some() && self.base_url.is_some() {
            let message = "the service is there already; change its base URL in its service.yaml";
            return Err(usage(message.to_owned()));
        }
        let is_alone = service.is_none() && command.is_none();
        let files = self.files(&started, &tool, is_alone);
        refuse_present(&files)?;
        if !self.dry_run {
            files.iter().try_for_each(write)?;
        }
        self.report(&started, &tool, &files)
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

/// Writes a file that must be new.
fn write(file: &Written<'_>) -> Done {
    let create = || {
        if let Some(folder) = file.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut created = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&file.path)?;
        created.write_all(file.text.as_bytes())
    };
    create().map_err(|error: std::io::Error| {
        Failure::Told(1, format!("cannot write {}: {error}", file.path.display()))
    })
}
