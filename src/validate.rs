//! Validation: everything that can be known about descriptors without the network.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::catalog::{Catalog, File, FileKind, Loaded};
use crate::descriptor::finding::{Code, Finding, Severity};
use crate::descriptor::source::{Check, Source};
use crate::examples;
use crate::parallel;
use crate::sandbox::Sandbox;
use crate::service::Service;
use crate::tool::{ServiceSource, Tool};

/// What was found in a set of files.
#[derive(Debug, Default)]
pub struct Report {
    /// How many files were looked at.
    pub files: usize,
    /// What is wrong, by file and place.
    pub findings: Vec<Finding>,
}

/// Checks every file of a catalog.
pub fn catalog(catalog: &Catalog) -> Report {
    check(&catalog.files())
}

/// Checks files, and all descriptors below folders.
///
/// # Errors
/// When a path does not exist.
pub fn paths(paths: &[PathBuf]) -> Result<Report, String> {
    Ok(check(&files_at(paths)?))
}

/// The tools at these paths.
///
/// # Errors
/// When a path does not exist.
pub fn tools_at(paths: &[PathBuf]) -> Result<Vec<Loaded>, String> {
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

fn files_at(paths: &[PathBuf]) -> Result<Vec<File>, String> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            collect(path, &mut files);
        } else if path.exists() {
            files.push(File::at(path.clone()));
        } else {
            return Err(format!("there is no file or folder {}", path.display()));
        }
    }
    Ok(files)
}

/// The descriptors below a folder. Links to folders are not followed, so that a loop of them ends.
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

/// Services by their file, each loaded once.
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
    Report {
        files: files.len(),
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
        FileKind::Service => check_service(source),
        FileKind::Tool => check_tool(file, source, services),
        FileKind::Sandbox => check_sandbox(file, source),
    }
}

fn check_service(source: Arc<Source>) -> Vec<Finding> {
    let check = Check::new(source);
    if let Some(service) = Service::load(&check) {
        service.check_deeply("", &check);
    }
    check.into_findings()
}

fn check_tool(file: &File, source: Arc<Source>, services: &Services) -> Vec<Finding> {
    let check = Check::new(source);
    let tool = Tool::load(&check, &services.of(file));
    if let Some(tool) = &tool {
        crate::catalog::check_name(tool, &file.entry(), &check);
        tool.check_deeply(&check);
        if !check.failed() {
            check_examples(tool, &check);
        }
    }
    check.into_findings()
}

fn check_examples(tool: &Tool, check: &Check) {
    for (i, example) in tool.examples.iter().enumerate() {
        for failure in examples::run(tool, example) {
            let at = format!("/examples/{i}{}", failure.part);
            let message = match &failure.difference {
                None => failure.message,
                Some((expected, actual)) => format!(
                    "the example expects {}, and the descriptor gives {}",
                    short(expected),
                    short(actual)
                ),
            };
            check.error_with_help(
                Code::ExampleFails,
                &at,
                message,
                "`toolrun test` shows the whole difference",
            );
        }
    }
}

fn short(value: &serde_json::Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn check_sandbox(file: &File, source: Arc<Source>) -> Vec<Finding> {
    let check = Check::new(source);
    let tools = file
        .sibling_tools()
        .iter()
        .filter_map(|entry| crate::catalog::load(entry).ok())
        .collect();
    Sandbox::compile(&check, tools);
    check.into_findings()
}

impl Report {
    /// Whether there is an error among the findings.
    pub fn failed(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.severity == Severity::Error)
    }
}
