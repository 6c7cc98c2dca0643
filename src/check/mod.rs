//! Validation: everything that can be known about descriptors without the network.

mod defaults;
pub mod examples;
mod files;
mod kind;
mod schema;
mod secret;
mod service;
mod tool;

pub use kind::Kind;
pub(crate) use schema::KEYWORDS;
pub use secret::confidential_spans;
pub(crate) use secret::mask_literal_secrets;

use std::collections::HashMap;
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

/// Checks files, the descriptors below folders, and what globs such as `tools/**/*.yaml` match. Hidden folders and what git
/// ignores do not count, unless they are named.
///
/// # Errors
/// When a path does not exist, a folder has no descriptor, or a glob is malformed or matches nothing.
pub fn paths(paths: &[String]) -> Result<Report, String> {
    Ok(check(&files::at(paths)?))
}

/// As [`paths`], with everything else in the folders of these files: a change in one file can break those beside it.
///
/// # Errors
/// As [`paths`].
pub fn folders_of(paths: &[String]) -> Result<Report, String> {
    Ok(check(&files::at(&files::folders_of(paths))?))
}

/// The tools at these paths.
///
/// # Errors
/// As [`paths`].
pub fn tools_at(paths: &[String]) -> Result<Vec<Loaded>, String> {
    let files = files::at(paths)?;
    let tools: Vec<Loaded> = files
        .iter()
        .filter(|file| file.kind() == FileKind::Tool)
        .map(|file| {
            let entry = file.entry();
            let tool = crate::catalog::load(&entry);
            (entry, tool)
        })
        .collect();
    match tools.is_empty() {
        true => Err(format!("there is no tool in {}", paths.join(", "))),
        false => Ok(tools),
    }
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
