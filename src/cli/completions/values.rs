//! The values that can stand at a place of the command line.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Arg, ArgMatches, ValueHint};
use clap_complete::engine::{
    ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter, complete,
};
use serde_json::Value;

use crate::catalog::{Entry, load};
use crate::cli::config::InForce;
use crate::cli::{Cli, catalog, commands, show, terminal};
use crate::source::Code;
use crate::words::Name;
use crate::{Catalog, Tool};

/// More tools than this are offered without their descriptions, which stand in their files.
const MOST_DESCRIBED: usize = 300;

/// A value that can stand at the cursor.
pub(crate) struct Candidate {
    /// The whole word.
    pub value: String,
    /// What it is; it may be empty.
    pub help: String,
    /// Whether more of the word follows.
    pub goes_on: bool,
}

/// Whether the shell shows descriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Describe {
    Yes,
    No,
}

/// What can stand in place of the last word.
pub(crate) fn candidates(words: Vec<OsString>, describe: Describe) -> io::Result<Vec<Candidate>> {
    let Some(current) = words.last().cloned() else {
        return Ok(Vec::new());
    };
    let at = words.len() - 1;
    let mut command = command(&words, describe);
    let folder = std::env::current_dir().ok();
    let found = complete(&mut command, words, at, folder.as_deref())?;
    let mut found: Vec<Candidate> = found.iter().filter_map(candidate).collect();
    // Before anything is typed, options would only hide what the place is for.
    let is_option = |candidate: &Candidate| candidate.value.starts_with('-');
    if current.is_empty() && !found.iter().all(is_option) {
        found.retain(|candidate| !is_option(candidate));
    }
    Ok(found)
}

/// A candidate on one line. A value that a terminal would obey is none.
fn candidate(found: &CompletionCandidate) -> Option<Candidate> {
    let value = found.get_value().to_str()?;
    if terminal::line(value) != value {
        return None;
    }
    let help = found.get_help().map(ToString::to_string);
    Some(Candidate {
        value: value.to_owned(),
        help: first_line(&help.unwrap_or_default()),
        goes_on: value.ends_with(['=', '/']),
    })
}

fn first_line(text: &str) -> String {
    terminal::line(text.trim().lines().next().unwrap_or_default())
}

/// The command line with what completes its values.
pub(crate) fn command(words: &[OsString], describe: Describe) -> clap::Command {
    let described = || {
        let command = Cli::program().mut_arg("tools", |arg| arg.value_hint(ValueHint::DirPath));
        command.mut_subcommands(|known| {
            let name = known.get_name().to_owned();
            commands::described(&name).unwrap_or(known)
        })
    };
    let place = Arc::new(Place::of(described(), words, describe));
    described().mut_subcommands(|command| with_values(command, &place))
}

fn with_values(command: clap::Command, place: &Arc<Place>) -> clap::Command {
    let name = command.get_name().to_owned();
    command.mut_args(|arg| match kind(&name, arg.get_id().as_str()) {
        Some(kind) => with_kind(arg, kind, place),
        None => arg,
    })
}

/// What an argument of a command takes, where clap does not know.
#[derive(Debug, Clone, Copy)]
enum Takes {
    Tool,
    ToolOrService,
    Arguments,
    Setting,
    Columns,
    Fault,
    Service,
    Sandbox,
    Code,
    Path,
    Folder,
}

fn kind(command: &str, argument: &str) -> Option<Takes> {
    Some(match (command, argument) {
        ("call" | "show", "name") | ("batch", "tool" | "from") => Takes::Tool,
        ("docs", "name") => Takes::ToolOrService,
        ("call", "arguments") => Takes::Arguments,
        ("call", "set") => Takes::Setting,
        ("call", "columns" | "select" | "sort") => Takes::Columns,
        ("call" | "sandbox", "fault") => Takes::Fault,
        ("list", "service") => Takes::Service,
        ("sandbox", "service") => Takes::Sandbox,
        ("explain", "code") => Takes::Code,
        ("validate" | "test", "paths") => Takes::Path,
        ("trust" | "untrust" | "man", "dir") => Takes::Folder,
        ("call" | "batch" | "worker", "trust") => Takes::Folder,
        _ => return None,
    })
}

fn with_kind(arg: Arg, takes: Takes, place: &Arc<Place>) -> Arg {
    match takes {
        Takes::Path => arg.value_hint(ValueHint::AnyPath),
        Takes::Folder => arg.value_hint(ValueHint::DirPath),
        takes => {
            let place = Arc::clone(place);
            arg.add(ArgValueCompleter::new(move |typed: &OsStr| {
                place.values(takes, &typed.to_string_lossy())
            }))
        }
    }
}

/// What the words before the cursor say.
struct Place {
    catalog: Catalog,
    describe: Describe,
    /// The tool or the service that was named.
    name: Option<String>,
    /// The arguments that were given.
    given: Vec<String>,
}

impl Place {
    fn of(command: clap::Command, words: &[OsString], describe: Describe) -> Place {
        let before = &words[..words.len().saturating_sub(1)];
        let matches = command.ignore_errors(true).try_get_matches_from(before);
        let matches = matches.unwrap_or_default();
        let folders = strings::<PathBuf>(&matches, "tools");
        let own = matches.subcommand().map(|(_, own)| own);
        let named = |id| own.and_then(|own| strings::<String>(own, id).into_iter().next());
        let profile = strings::<String>(&matches, "profile").into_iter().next();
        let in_force = InForce::new(profile.as_deref(), None, None).unwrap_or_default();
        // Nothing can be said while somebody types, so what is missing is left out.
        let folders: Vec<PathBuf> = folders
            .into_iter()
            .filter(|folder| folder.is_dir())
            .collect();
        Place {
            catalog: catalog(&folders, &[], &in_force).unwrap_or_else(|_| Catalog::builtin()),
            describe,
            name: named("name").or_else(|| named("service")),
            given: own.map(|own| strings(own, "arguments")).unwrap_or_default(),
        }
    }

    fn values(&self, takes: Takes, typed: &str) -> Vec<CompletionCandidate> {
        let values = match takes {
            Takes::Tool => self.tools(typed),
            Takes::ToolOrService => {
                let mut values = self.tools(typed);
                values.extend(plain(self.services()));
                values
            }
            Takes::Arguments => return self.arguments(typed),
            Takes::Setting => self.settings(),
            Takes::Columns => return self.columns(typed),
            Takes::Fault => plain(self.faults()),
            Takes::Service => plain(self.services()),
            Takes::Sandbox => plain(self.catalog.sandboxes()),
            Takes::Code => codes(),
            Takes::Path | Takes::Folder => Vec::new(),
        };
        beginning_with(typed, values)
    }

    fn tool(&self) -> Option<Arc<Tool>> {
        self.catalog.tool(self.name.as_deref()?).ok()
    }

    /// Names of tools: with the service's where two have one, or where a service was begun to be typed.
    fn tools(&self, typed: &str) -> Vec<CompletionCandidate> {
        let is_name = |entry: &Entry| {
            let is_service = |name: &String| Name::new(name).is_some();
            Name::new(&entry.name).is_some() && entry.service.as_ref().is_none_or(is_service)
        };
        let entries: Vec<Entry> = self.catalog.entries().into_iter().filter(is_name).collect();
        let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
        for entry in &entries {
            if !seen.insert(&entry.name) {
                twice.insert(&entry.name);
            }
        }
        let is_qualified = typed.contains('/');
        let name = |entry: &Entry| match &entry.service {
            Some(service) if is_qualified || twice.contains(&entry.name) => {
                format!("{service}/{}", entry.name)
            }
            _ => entry.name.clone(),
        };
        let mut found: Vec<(String, &Entry)> =
            entries.iter().map(|entry| (name(entry), entry)).collect();
        found.retain(|(name, _)| name.starts_with(typed));
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        let describes = self.describe == Describe::Yes && found.len() <= MOST_DESCRIBED;
        let described = |(name, entry): (String, &Entry)| {
            let tool = describes.then(|| load(entry).ok()).flatten();
            let help = tool.map(|tool| told(&tool));
            value(name, &help.unwrap_or_default())
        };
        found.into_iter().map(described).collect()
    }

    /// The service of a folder is its name; only a file that stands alone must be read.
    fn services(&self) -> Vec<String> {
        let service = |entry: Entry| match entry.service {
            Some(service) => Some(service),
            None => Some(load(&entry).ok()?.service.name.clone()),
        };
        let names = self.catalog.entries().into_iter().filter_map(service);
        let names: BTreeSet<String> = names.filter(|name| Name::new(name).is_some()).collect();
        names.into_iter().collect()
    }

    fn arguments(&self, typed: &str) -> Vec<CompletionCandidate> {
        if let Some(path) = typed.strip_prefix('@') {
            return files("@", path);
        }
        let Some(tool) = self.tool() else {
            return Vec::new();
        };
        let Some((name, begun)) = typed.split_once('=') else {
            return beginning_with(typed, self.params(&tool));
        };
        let (param, is_json) = match name.strip_suffix(':') {
            Some(name) => (name, true),
            None => (name, false),
        };
        if let Some(path) = begun.strip_prefix('@') {
            return files(&format!("{name}=@"), path);
        }
        let Some(param) = tool.params.get(param) else {
            return Vec::new();
        };
        if tool.takes_path(param.name) && !is_json {
            return files(&format!("{name}="), begun);
        }
        let values = values_of(param.schema).into_iter();
        let values = values.filter(|value| !is_json || !value.is_string());
        let values = values.map(|known| value(format!("{name}={}", text(&known)), ""));
        beginning_with(typed, values.collect())
    }

    /// The params that were not given yet. An array takes several values.
    fn params(&self, tool: &Tool) -> Vec<CompletionCandidate> {
        let is_given = |name: &str| {
            let names = self.given.iter().filter_map(|word| word.split_once('='));
            names
                .map(|(name, _)| name.trim_end_matches(':'))
                .any(|given| given == name)
        };
        let takes_several = |schema: &Value| schema["type"] == "array";
        let mut params: Vec<_> = tool.params.iter().collect();
        params.sort_by_key(|param| !param.required);
        let free = params
            .into_iter()
            .filter(|param| takes_several(param.schema) || !is_given(param.name));
        free.map(|param| {
            let form = match param.schema["type"] == "object" {
                true => ":=",
                false => "=",
            };
            let description = param.description().unwrap_or_default();
            let required = if param.required { "required. " } else { "" };
            value(
                format!("{}{form}", param.name),
                &format!("{required}{description}"),
            )
        })
        .collect()
    }

    fn settings(&self) -> Vec<CompletionCandidate> {
        let Some(tool) = self.tool() else {
            return Vec::new();
        };
        let settings = tool.service.settings().iter();
        settings
            .map(|(name, setting)| {
                let default = setting
                    .default
                    .as_ref()
                    .map(|default| format!("{} unless given", text(&default.into())));
                value(format!("{name}="), &default.unwrap_or_default())
            })
            .collect()
    }

    /// Names of columns behind a comma or a minus, too.
    fn columns(&self, typed: &str) -> Vec<CompletionCandidate> {
        let columns = self.tool().and_then(|tool| tool.projection.columns());
        let begin = typed.len() - typed.trim_start_matches('-').len();
        let (begin, typed) = typed.split_at(begin);
        let columns = beginning_with(typed, plain(columns.unwrap_or_default()));
        columns
            .into_iter()
            .map(|column| column.add_prefix(begin))
            .collect()
    }

    fn faults(&self) -> Vec<String> {
        let sandbox = match self.tool() {
            Some(tool) => crate::sandbox::Sandbox::for_tool(&self.catalog, &tool),
            None => {
                let services = self.catalog.sandboxes();
                let service = self.name.as_ref().or(services.first());
                crate::sandbox::Sandbox::load(&self.catalog, service.map_or("", |name| name))
            }
        };
        sandbox.map_or(Vec::new(), |sandbox| {
            sandbox.faults().map(str::to_owned).collect()
        })
    }
}

fn strings<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, id: &str) -> Vec<T> {
    let values = matches.try_get_many::<T>(id).ok().flatten();
    values
        .map(|values| values.cloned().collect())
        .unwrap_or_default()
}

/// What a tool does, in a line.
fn told(tool: &Tool) -> String {
    match tool.access {
        crate::Access::Read => first_line(&tool.description),
        access => format!("[{access}] {}", first_line(&tool.description)),
    }
}

/// The values that a schema names.
fn values_of(schema: &Value) -> Vec<Value> {
    if let Some(Value::Array(values)) = schema.get("enum") {
        return values
            .iter()
            .filter(|value| !value.is_null())
            .cloned()
            .collect();
    }
    if let Some(value) = schema.get("const") {
        return vec![value.clone()];
    }
    if let Some(items) = schema.get("items") {
        return values_of(items);
    }
    for either in ["anyOf", "oneOf"] {
        if let Some(Value::Array(schemas)) = schema.get(either) {
            return schemas.iter().flat_map(values_of).collect();
        }
    }
    if schema["type"] == "boolean" {
        return vec![true.into(), false.into()];
    }
    schema
        .get("default")
        .filter(|value| !value.is_null() && !value.is_object())
        .cloned()
        .into_iter()
        .collect()
}

fn text(value: &Value) -> String {
    show::plain(value)
}

fn codes() -> Vec<CompletionCandidate> {
    let meanings = Code::ALL.iter().map(|code| code.meaning());
    meanings
        .map(|meaning| value(meaning.name, meaning.summary))
        .collect()
}

fn value(value: impl Into<OsString>, help: &str) -> CompletionCandidate {
    let help = first_line(help);
    CompletionCandidate::new(value).help((!help.is_empty()).then(|| help.into()))
}

fn plain(values: Vec<String>) -> Vec<CompletionCandidate> {
    values.into_iter().map(|name| value(name, "")).collect()
}

/// The files that a path may become, each as an argument that begins so.
fn files(before: &str, path: &str) -> Vec<CompletionCandidate> {
    let files = PathCompleter::file().complete(OsStr::new(path));
    files
        .into_iter()
        .map(|file| file.add_prefix(before))
        .collect()
}

fn beginning_with(typed: &str, values: Vec<CompletionCandidate>) -> Vec<CompletionCandidate> {
    let is_meant = |value: &CompletionCandidate| {
        value
            .get_value()
            .to_str()
            .is_some_and(|value| value.starts_with(typed))
    };
    values.into_iter().filter(is_meant).collect()
}
