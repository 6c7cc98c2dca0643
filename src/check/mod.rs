//! Validation: everything that can be known about descriptors without the network.

mod defaults;
pub mod examples;
mod files;
mod kind;
#[cfg(feature = "cli")]
mod layout;
mod lint;
mod schema;
mod secret;
mod service;
mod sync;
mod tool;

pub use kind::Kind;
#[cfg(feature = "cli")]
pub(crate) use layout::{Formatted, Outcome, difference, formatted, formatted_of, of_text};
pub(crate) use schema::KEYWORDS;
pub use secret::confidential_spans;
#[cfg(feature = "cli")]
pub(crate) use secret::literal_secrets;
pub(crate) use secret::{looks_secret, mask_literal_secrets};

use std::collections::HashMap;
#[cfg(feature = "cli")]
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
#[cfg(feature = "cli")]
use std::time::Duration;

use crate::catalog::{Catalog, Entry, File, FileKind, Loaded, load_many};
use crate::parallel;
use crate::params::Params;
#[cfg(feature = "sandbox")]
use crate::sandbox::Sandbox;
use crate::source::{Check, Finding, Severity, Source};
use crate::tool::service::Service;
use crate::tool::{ServiceSource, Tool};
use serde_json::Value;

/// What was found in a set of files.
#[derive(Debug, Default)]
pub struct Report {
    /// The files that were checked, in order.
    pub files: Vec<String>,
    /// The findings, by file and place.
    pub findings: Vec<Finding>,
}

/// Whether lints are looked for too: what works, but what people or models will miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lints {
    /// They are not.
    Off,
    /// They are.
    #[cfg_attr(
        not(feature = "cli"),
        allow(dead_code, reason = "the command line asks")
    )]
    On,
}

/// Checks every file of a catalog.
pub fn catalog(catalog: &Catalog) -> Report {
    check(&catalog.files(), Some(catalog), Lints::Off)
}

/// As [`catalog`], with lints.
#[cfg(feature = "cli")]
pub(crate) fn catalog_with(catalog: &Catalog, lints: Lints) -> Report {
    check(&catalog.files(), Some(catalog), lints)
}

/// Checks files, the descriptors below folders, and what globs such as `tools/**/*.yaml` match. Hidden folders and what git
/// ignores do not count, unless they are named.
///
/// # Errors
/// When a path does not exist, a folder has no descriptor, or a glob is malformed or matches nothing.
pub fn paths(paths: &[String]) -> Result<Report, String> {
    Ok(check(&files::at(paths)?, None, Lints::Off))
}

/// As [`paths`]; policies may speak about the tools of the catalog too.
///
/// # Errors
/// As [`paths`].
pub(crate) fn paths_beside(
    paths: &[String],
    catalog: &Catalog,
    lints: Lints,
) -> Result<Report, String> {
    Ok(check(&files::at(paths)?, Some(catalog), lints))
}

/// As [`paths_beside`], with what else became known of each file.
///
/// # Errors
/// As [`paths`].
#[cfg(feature = "cli")]
pub(crate) fn read_beside(
    paths: &[String],
    catalog: &Catalog,
    lints: Lints,
) -> Result<(Report, Vec<Checked>), String> {
    let files = files::at(paths)?;
    let (report, seen) = check_all(&files, Some(catalog), lints, |seen| seen);
    let checked = files.into_iter().zip(seen);
    let checked = checked.map(|(file, seen)| Checked { file, seen });
    Ok((report, checked.collect()))
}

/// A file that was checked.
#[cfg(feature = "cli")]
#[derive(Debug)]
pub(crate) struct Checked {
    /// The file.
    pub file: File,
    /// What it has.
    pub seen: Seen,
}

/// What a check found in a file, beside its findings.
#[derive(Debug, Default)]
#[cfg_attr(
    not(feature = "cli"),
    allow(dead_code, reason = "the command line asks for all of it")
)]
pub(crate) struct Seen {
    /// Its text and value, unless it is no YAML as a whole.
    pub source: Option<Arc<Source>>,
    /// What is in it.
    pub content: Content,
}

/// What is in a file.
#[derive(Debug, Default)]
#[cfg_attr(
    not(feature = "cli"),
    allow(dead_code, reason = "the command line asks for all of it")
)]
pub(crate) enum Content {
    /// A tool that can be loaded, and the failures of each of its examples.
    Tool(Arc<Tool>, Vec<Vec<examples::Failure>>),
    /// A tool that cannot be loaded.
    Broken,
    /// No tool.
    #[default]
    Other,
}

/// As [`paths_beside`], with everything else in the folders of these files: a change in one file can break those beside
/// it.
///
/// # Errors
/// As [`paths`].
pub(crate) fn folders_of(
    paths: &[String],
    catalog: &Catalog,
    lints: Lints,
) -> Result<Report, String> {
    Ok(check(
        &files::at(&files::folders_of(paths))?,
        Some(catalog),
        lints,
    ))
}

/// The files at these paths, as they are checked.
///
/// # Errors
/// As [`paths`].
#[cfg(feature = "cli")]
pub(crate) fn files_at(paths: &[String]) -> Result<Vec<File>, String> {
    files::at(paths)
}

/// The tools at these paths.
///
/// # Errors
/// As [`paths`].
pub fn tools_at(paths: &[String]) -> Result<Vec<Loaded>, String> {
    let files = files::at(paths)?;
    let tools = loaded(&files);
    match tools.is_empty() {
        true => Err(format!("there is no tool in {}", paths.join(", "))),
        false => Ok(tools),
    }
}

/// The tools among these files. What says that it is something else is none that is broken.
fn loaded(files: &[File]) -> Vec<Loaded> {
    let named = files.iter().filter(|file| file.kind() == FileKind::Tool);
    let entries: Vec<Entry> = named.map(File::entry).collect();
    let tools = load_many(&entries);
    let is_tool = |loaded: &Loaded| match &loaded.1 {
        Ok(_) => true,
        Err(findings) => !findings.first().is_some_and(|finding| {
            let value = finding.source.value();
            is_policy(value) || is_callers(value)
        }),
    };
    entries.into_iter().zip(tools).filter(is_tool).collect()
}

/// The tool that a file would hold if this were its text.
///
/// # Errors
/// Every finding that keeps the tool from being used.
#[cfg(feature = "cli")]
pub(crate) fn tool_with(
    entry: &crate::catalog::Entry,
    text: String,
) -> Result<Arc<Tool>, Vec<Finding>> {
    let source = Source::parse(entry.file.display(), text.into())?;
    let check = Check::new(source);
    let service = Services::default().of(&entry.file);
    let tool = Tool::load(&check, &service).filter(|_| !check.failed());
    tool.map(Arc::new).ok_or_else(|| check.into_findings())
}

/// The findings of a file as it stands in an editor. A policy may speak about the tools among `others`.
#[cfg(feature = "cli")]
pub(crate) fn of_file(file: &File, others: &[File], lints: Lints) -> Vec<Finding> {
    let known = Known {
        files: others,
        catalog: None,
        tools: OnceLock::new(),
        lints,
        neighbours: lint::Neighbours::default(),
    };
    let (mut findings, _) = check_file(file, &Services::default(), &known);
    findings.sort_by_key(|finding| finding.span.start);
    findings
}

/// What can be read of a file, also if it is not YAML as a whole; `None` if nothing can.
#[cfg(feature = "cli")]
pub(crate) fn readable(file: &File) -> Option<Arc<Source>> {
    open(file).ok().map(|(check, _)| Arc::clone(check.source()))
}

/// The files of all descriptors below a folder. Hidden folders and what git ignores do not count. `None` if they are
/// not found in this time.
#[cfg(feature = "cli")]
pub(crate) fn files_below(folder: &Path, patience: Duration) -> Option<Vec<File>> {
    files::below_within(folder, patience)
}

/// Services by their file; of a broken one, its name. Each is loaded once.
#[derive(Default)]
struct Services(Mutex<HashMap<String, Result<Arc<Service>, Option<String>>>>);

impl Services {
    fn of(&self, file: &File) -> ServiceSource {
        let beside = file.service_file();
        if !beside.exists() {
            return ServiceSource::Absent;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let service = known
            .entry(beside.display())
            .or_insert_with(|| crate::catalog::load_service(&beside).map_err(|_| name_in(&beside)));
        match service {
            Ok(service) => ServiceSource::Beside(Arc::clone(service)),
            Err(name) => ServiceSource::Broken(name.clone()),
        }
    }
}

/// The name that a service's file gives, whatever else is in it.
fn name_in(file: &File) -> Option<String> {
    let (check, _) = open(file).ok()?;
    let name = check.source().value().get("service")?.as_str()?;
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.chars().all(is_name).then(|| name.to_owned())
}

/// The tools that policies may speak about: those of the catalog, and those among the files. They are loaded when the
/// first policy is met.
struct Known<'k> {
    files: &'k [File],
    catalog: Option<&'k Catalog>,
    tools: OnceLock<Vec<Arc<Tool>>>,
    lints: Lints,
    neighbours: lint::Neighbours,
}

impl Known<'_> {
    /// `None` where no tool is known.
    fn tools(&self) -> Option<&[Arc<Tool>]> {
        let tools = self.tools.get_or_init(|| {
            let all = self.catalog.iter().flat_map(|catalog| catalog.load_all());
            let all = loaded(self.files).into_iter().chain(all);
            all.filter_map(|(_, tool)| tool.ok()).collect()
        });
        (!tools.is_empty()).then_some(tools)
    }
}

fn check(files: &[File], catalog: Option<&Catalog>, lints: Lints) -> Report {
    check_all(files, catalog, lints, drop).0
}

/// As [`check`], with what is kept of what was seen in each file. Of many files that is much, so nothing else outlives its check.
fn check_all<K: Send>(
    files: &[File],
    catalog: Option<&Catalog>,
    lints: Lints,
    keep: impl Fn(Seen) -> K + Sync,
) -> (Report, Vec<K>) {
    let services = Services::default();
    let known = Known {
        files,
        catalog,
        tools: OnceLock::new(),
        lints,
        neighbours: lint::Neighbours::default(),
    };
    let all = parallel::map(files, |file| {
        let (findings, seen) = check_file(file, &services, &known);
        (findings, keep(seen))
    });
    let (findings, kept): (Vec<Vec<Finding>>, Vec<K>) = all.into_iter().unzip();
    let mut findings: Vec<Finding> = findings.into_iter().flatten().collect();
    findings.sort_by(|a, b| (&a.source.name, a.span.start).cmp(&(&b.source.name, b.span.start)));
    // A file of an unknown kind is not counted as checked.
    let is_checked = |file: &&File| cfg!(feature = "sandbox") || file.kind() != FileKind::Sandbox;
    let report = Report {
        files: files.iter().filter(is_checked).map(File::display).collect(),
        findings,
    };
    (report, kept)
}

/// All findings of one file, and what was seen in it.
fn check_file(file: &File, services: &Services, known: &Known<'_>) -> (Vec<Finding>, Seen) {
    let mut seen = Seen::default();
    let (check, mut findings) = match open(file) {
        Ok(opened) => opened,
        Err(findings) => {
            if file.kind() == FileKind::Tool {
                seen.content = Content::Broken;
            }
            return (findings, seen);
        }
    };
    // Of a file that can be read in part only, nobody else may take that part for the whole.
    seen.source = findings.is_empty().then(|| Arc::clone(check.source()));
    let check = check.with_lints(known.lints == Lints::On);
    let value = check.source().value();
    match file.kind() {
        FileKind::Tool if is_policy(value) => crate::policy::check(&check, known.tools()),
        FileKind::Tool if is_callers(value) => crate::callers::check(&check),
        FileKind::Service => check_service(file, &check),
        FileKind::Tool => seen.content = check_tool(file, &check, services, known),
        #[cfg(feature = "sandbox")]
        FileKind::Sandbox => check_sandbox(file, &check),
        #[cfg(not(feature = "sandbox"))]
        FileKind::Sandbox => {}
    }
    if !findings.is_empty() && matches!(seen.content, Content::Tool(..)) {
        // Only parts of it could be read.
        seen.content = Content::Broken;
    }
    findings.extend(check.into_findings());
    (findings, seen)
}

/// What can be read of a file, and the findings of what cannot.
///
/// # Errors
/// All findings, if nothing can be read.
fn open(file: &File) -> Result<(Check, Vec<Finding>), Vec<Finding>> {
    let (source, unread, findings) = match file.open() {
        Ok(source) => (source, Vec::new(), Vec::new()),
        Err(mut findings) => match Source::read_partly(&findings) {
            Some((source, unread, more)) => {
                findings.extend(more);
                (source, unread, findings)
            }
            None => {
                let source = findings.first().map(|finding| finding.source.clone());
                findings.extend(source.into_iter().flat_map(secret::in_text));
                return Err(findings);
            }
        },
    };
    let check = Check::proving(source);
    for part in unread {
        match part.is_double {
            true => check.note_broken(&part.pointer, part.span),
            false => check.note_unread(&part.pointer, part.span),
        }
    }
    Ok((check, findings))
}

/// A policy may have any name. Its first key tells it from a tool.
pub(crate) fn is_policy(value: &Value) -> bool {
    value.get("policy").is_some() && value.get("tool").is_none()
}

/// And so may a file of callers.
pub(crate) fn is_callers(value: &Value) -> bool {
    value.get("callers").is_some() && value.get("tool").is_none()
}

fn check_service(file: &File, check: &Check) {
    if let Some(service) = examine_service(check) {
        service::report_folder(&service, file, check);
        service::report_unused_settings(&service, "", check, || file.sibling_tools());
    }
}

/// Every check of a service, except those of the file's place. Mistakes go to `check`. Where there are some, the service
/// is only as whole as they allow; `None` when nothing of it can be read.
fn examine_service(check: &Check) -> Option<Service> {
    secret::report_literal_secrets(check);
    let service = Service::load(check)?;
    service::check(&service, "", check);
    Some(service)
}

/// Every check of a service, except those of the file's place. Mistakes go to `check`; `None` when it cannot be used.
pub(crate) fn prove_service(check: &Check) -> Option<Service> {
    examine_service(check).filter(|_| !check.failed())
}

fn check_tool(file: &File, check: &Check, services: &Services, known: &Known<'_>) -> Content {
    let Some(examined) = examine_tool(check, &services.of(file)) else {
        return Content::Broken;
    };
    let Examined {
        tool,
        failures,
        mut loads,
    } = examined;
    if !check.is_broken("/tool") {
        let entry = file.entry();
        loads &= tool.name == entry.name;
        crate::catalog::check_name(&tool, &entry, check);
        if known.lints == Lints::On && tool.is_whole() && !check.failed() {
            let tools = known.tools().unwrap_or_default();
            lint::lint(&tool, check, tools, &known.neighbours);
        }
    }
    match loads {
        true => Content::Tool(Arc::new(tool), failures),
        false => Content::Broken,
    }
}

/// Every check of a tool, except those of the file's place. Mistakes go to `check`. Where there are some, the tool is
/// only as whole as they allow; `None` when nothing of it can be read.
fn examine_tool(check: &Check, service: &ServiceSource) -> Option<Examined> {
    secret::report_literal_secrets(check);
    let tool = Tool::read(check, service, &|section| {
        let params = Params::new(Some(section));
        schema::check_schema(params.schema(), "/params", check);
        tool::report_unknown_params(section, check);
    })?;
    let loads = tool.is_whole() && !check.failed();
    let failures = tool::check(&tool, check);
    Some(Examined {
        tool,
        failures,
        loads,
    })
}

/// A tool that was examined.
struct Examined {
    tool: Tool,
    /// The failures of each of its examples.
    failures: Vec<Vec<examples::Failure>>,
    /// Whether it can be loaded for a call.
    loads: bool,
}

/// Every check of a tool, except those of the file's place. Mistakes go to `check`; `None` when the tool cannot be
/// used.
pub(crate) fn prove_tool(check: &Check, service: &ServiceSource) -> Option<Tool> {
    let Examined { tool, .. } = examine_tool(check, service)?;
    (!check.failed() && tool.is_whole()).then_some(tool)
}

#[cfg(feature = "sandbox")]
fn check_sandbox(file: &File, check: &Check) {
    // Its keys are made up, and look like real ones.
    let siblings = file.sibling_tools();
    let mut tools = Vec::new();
    let mut broken = Vec::new();
    for entry in &siblings {
        match crate::catalog::load(entry) {
            Ok(tool) => tools.push(tool),
            Err(_) => broken.push(entry),
        }
    }
    if let Some(first) = broken.first() {
        let beside = first.file.service_file();
        let opened = beside.exists().then(|| open(&beside).ok()).flatten();
        let service = opened.and_then(|(check, _)| Service::load(&check).map(Arc::new));
        tools.extend(
            broken
                .iter()
                .filter_map(|entry| sound_parts(entry, service.as_ref())),
        );
    }
    let names: Vec<&str> = siblings.iter().map(|entry| entry.name.as_str()).collect();
    Sandbox::compile(check, tools, &names);
}

/// What is sound of a tool with mistakes, so that the sandbox is checked against it.
#[cfg(feature = "sandbox")]
fn sound_parts(entry: &crate::catalog::Entry, service: Option<&Arc<Service>>) -> Option<Arc<Tool>> {
    let (check, _) = open(&entry.file).ok()?;
    let source = match service {
        Some(service) => ServiceSource::Beside(Arc::clone(service)),
        None => ServiceSource::Broken(None),
    };
    let mut tool = Tool::read(&check, &source, &|_| ())?;
    // The sandbox knows a tool by its file. Without all of its params, nothing is known about its arguments.
    tool.name = match check.is_broken("/params") {
        true => String::new(),
        false => entry.name.clone(),
    };
    if let (false, Some(service)) = (tool.is_whole(), service) {
        tool.service = Arc::clone(service);
    }
    Some(Arc::new(tool))
}

impl Report {
    /// How many errors there are.
    pub fn errors(&self) -> usize {
        self.count(Severity::Error)
    }

    /// How many warnings there are.
    pub fn warnings(&self) -> usize {
        self.count(Severity::Warning)
    }

    fn count(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    }
}
