//! Validation: everything that can be known about descriptors without the network.

pub mod examples;
mod kind;
mod schema;
mod secret;
mod service;
mod tool;

pub use kind::Kind;
pub(crate) use schema::KEYWORDS;
pub use secret::confidential_spans;
pub(crate) use secret::mask_literal_secrets;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::catalog::{Catalog, File, FileKind, Loaded};
use crate::parallel;
use crate::params::Params;
#[cfg(feature = "sandbox")]
use crate::sandbox::Sandbox;
use crate::source::{Check, Finding, Severity, Source};
use crate::tool::service::Service;
use crate::tool::{ServiceSource, Tool};

/// What was found in a set of files.
#[derive(Debug, Default)]
pub struct Report {
    /// The files that were checked, in order.
    pub files: Vec<String>,
    /// The findings, by file and place.
    pub findings: Vec<Finding>,
}

/// Checks every file of a catalog.
pub fn catalog(catalog: &Catalog) -> Report {
    check(&catalog.files())
}

/// Checks files, all descriptors below folders, and what globs such as `tools/**/*.yaml` match.
///
/// # Errors
/// When a path does not exist, or a glob is malformed or matches nothing.
pub fn paths(paths: &[String]) -> Result<Report, String> {
    Ok(check(&files_at(paths)?))
}

/// The tools at these paths.
///
/// # Errors
/// As [`paths`].
pub fn tools_at(paths: &[String]) -> Result<Vec<Loaded>, String> {
    let files = files_at(paths)?;
    Ok(files
        .iter()
        .filter(|file| file.kind() == FileKind::Tool)
        .map(|file| {
            let entry = file.entry();
            let tool = crate::catalog::load(&entry);
            (entry, tool)
        })
        .collect())
}

fn files_at(paths: &[String]) -> Result<Vec<File>, String> {
    let mut files = Vec::new();
    for path in paths {
        let folder = Path::new(path);
        if folder.is_dir() {
            collect(folder, &mut files);
        } else if folder.exists() {
            files.push(File::at(folder.to_path_buf()));
        } else if path.contains(['*', '?', '[']) {
            files.extend(matching(path)?);
        } else {
            return Err(format!("there is no file or folder {path}"));
        }
    }
    // A file that is named twice is checked once.
    let mut seen = HashSet::new();
    files.retain(|file: &File| seen.insert(file.canonical()));
    Ok(files)
}

fn matching(pattern: &str) -> Result<Vec<File>, String> {
    let found = glob::glob(pattern).map_err(|error| format!("`{pattern}` is no glob: {error}"))?;
    let files: Vec<File> = found
        .filter_map(Result::ok)
        .filter(|path| path.is_file())
        .map(File::at)
        .collect();
    match files.is_empty() {
        true => Err(format!("`{pattern}` matches no file")),
        false => Ok(files),
    }
}

/// The descriptors below a folder. Links to folders are not followed, so that cycles of links cannot loop forever.
fn collect(folder: &Path, files: &mut Vec<File>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    found.sort();
    for path in found {
        let is_link = path.is_symlink();
        if path.is_dir() && !is_link {
            collect(&path, files);
        } else if !path.is_dir() && path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            files.push(File::at(path));
        }
    }
}

/// Services by their file. Each is loaded once.
#[derive(Default)]
struct Services(Mutex<HashMap<String, Option<Arc<Service>>>>);

impl Services {
    fn of(&self, file: &File) -> ServiceSource {
        let beside = file.service_file();
        if !beside.exists() {
            return ServiceSource::Absent;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let service = known
            .entry(beside.display())
            .or_insert_with(|| crate::catalog::load_service(&beside).ok());
        match service {
            Some(service) => ServiceSource::Beside(Arc::clone(service)),
            None => ServiceSource::Broken,
        }
    }
}

fn check(files: &[File]) -> Report {
    let services = Services::default();
    let mut findings: Vec<Finding> = parallel::map(files, |file| check_file(file, &services))
        .into_iter()
        .flatten()
        .collect();
    findings.sort_by(|a, b| (&a.source.name, a.span.start).cmp(&(&b.source.name, b.span.start)));
    // A file of an unknown kind is not counted as checked.
    let is_checked = |file: &&File| cfg!(feature = "sandbox") || file.kind() != FileKind::Sandbox;
    Report {
        files: files.iter().filter(is_checked).map(File::display).collect(),
        findings,
    }
}

/// All findings of one file.
fn check_file(file: &File, services: &Services) -> Vec<Finding> {
    let source = match file.open() {
        Ok(source) => source,
        Err(findings) => return findings,
    };
    match file.kind() {
        FileKind::Service => check_service(file, source),
        FileKind::Tool => check_tool(file, source, services),
        #[cfg(feature = "sandbox")]
        FileKind::Sandbox => check_sandbox(file, source),
        #[cfg(not(feature = "sandbox"))]
        FileKind::Sandbox => Vec::new(),
    }
}

fn check_service(file: &File, source: Arc<Source>) -> Vec<Finding> {
    let check = Check::proving(source);
    if let Some(service) = prove_service(&check) {
        service::report_folder(&service, file, &check);
        service::report_unused_settings(&service, "", &check, || {
            let tools: Option<Vec<_>> = file
                .sibling_tools()
                .iter()
                .map(|entry| crate::catalog::load(entry).ok())
                .collect();
            // A service without tools may still get a tool that reads the setting.
            tools.filter(|tools| !tools.is_empty())
        });
    }
    check.into_findings()
}

/// Every check of a service, except those of the file's place. Mistakes go to `check`; `None` when it cannot be used.
pub(crate) fn prove_service(check: &Check) -> Option<Service> {
    let service = Service::load(check)?;
    service::check(&service, "", check);
    secret::report_literal_secrets(check);
    Some(service)
}

fn check_tool(file: &File, source: Arc<Source>, services: &Services) -> Vec<Finding> {
    let check = Check::proving(source);
    if let Some(tool) = prove_tool(&check, &services.of(file)) {
        crate::catalog::check_name(&tool, &file.entry(), &check);
    }
    check.into_findings()
}

/// Every check of a tool, except those of the file's place. Mistakes go to `check`; `None` when the tool cannot be
/// used.
pub(crate) fn prove_tool(check: &Check, service: &ServiceSource) -> Option<Tool> {
    // This runs before the sections that use the params are compiled, so that mistakes in the params come first.
    let source = check.source().clone();
    if let Some(Value::Object(section)) = source.value().get("params") {
        let params = Params::new(source.value().get("params"));
        schema::check_schema(params.schema(), "/params", check);
        tool::report_unknown_params(section, check);
    }
    let tool = Tool::load(check, service)?;
    tool::check(&tool, check);
    Some(tool)
}

#[cfg(feature = "sandbox")]
fn check_sandbox(file: &File, source: Arc<Source>) -> Vec<Finding> {
    let check = Check::proving(source);
    let siblings = file.sibling_tools();
    let tools: Vec<_> = siblings
        .iter()
        .filter_map(|entry| crate::catalog::load(entry).ok())
        .collect();
    let names: Vec<&str> = siblings.iter().map(|entry| entry.name.as_str()).collect();
    Sandbox::compile(&check, tools, &names);
    check.into_findings()
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
