//! One of the two versions: its files, loaded by the same loader as for a call.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use crate::catalog::{Entry, File, FileKind, load_many, load_service};
use crate::check::{is_callers, is_policy};
use crate::parallel;
use crate::source::{Code, Finding, Severity, Source};
use crate::tool::Tool;
use crate::tool::service::Service;

/// The files of a version.
pub(crate) struct Side {
    /// Its name for people, such as `main:tools`.
    pub name: String,
    /// The places of submodules, whose files it does not have.
    pub left_out: Vec<String>,
    files: Vec<(File, PathBuf)>,
}

impl Side {
    /// A version of these files, each with its path below the version's root.
    pub(crate) fn new(name: &str, files: Vec<(File, PathBuf)>) -> Side {
        Side {
            name: name.to_owned(),
            left_out: Vec::new(),
            files,
        }
    }

    /// The same, without the files of these submodules.
    pub(crate) fn without(self, left_out: Vec<String>) -> Side {
        Side { left_out, ..self }
    }

    /// Adds the files of another root.
    pub(crate) fn add(&mut self, other: Side) {
        self.files.extend(other.files);
        self.left_out.extend(other.left_out);
    }

    /// The same with all paths below a folder.
    pub(crate) fn below(mut self, folder: &Path) -> Side {
        for (_, path) in &mut self.files {
            *path = match folder.ends_with(&*path) {
                // The folder is the file itself.
                true => folder.to_owned(),
                false => folder.join(&*path),
            };
        }
        self
    }

    /// How many files it has.
    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    /// Adds what stands in a folder on disk and is a file of this other version, though a search passes it by: one that git
    /// ignores, but keeps.
    pub(crate) fn add_kept(&mut self, folder: &Path, other: &Side) {
        let known: HashSet<PathBuf> = self.files.iter().map(|(_, own)| own.clone()).collect();
        let others = other.files.iter().map(|(_, own)| own);
        for own in others.filter(|own| !known.contains(*own)) {
            let path = folder.join(own);
            if path.symlink_metadata().is_ok() && !path.is_dir() {
                self.files.push((File::at(path), own.clone()));
            }
        }
    }

    /// The names of its files.
    pub(crate) fn files(&self) -> Vec<String> {
        self.files.iter().map(|(file, _)| file.display()).collect()
    }
}

/// A thing with the path of its file below the version's root.
pub(super) struct At<T> {
    pub path: PathBuf,
    pub thing: T,
}

/// What the files of a version describe.
#[derive(Default)]
pub(super) struct Loaded {
    /// By service and tool.
    pub tools: BTreeMap<(String, String), At<Arc<Tool>>>,
    /// The `service.yaml` files, by the service's name.
    pub services: BTreeMap<String, At<Arc<Service>>>,
    /// Policies, files of callers and sandboxes: by path.
    pub others: BTreeMap<PathBuf, (Other, Arc<Source>)>,
    /// The errors of files that cannot be used, by path.
    pub broken: HashMap<PathBuf, Vec<Finding>>,
    /// All errors, and names that two files have.
    pub findings: Vec<Finding>,
}

/// What a file describes that is neither a tool nor a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Other {
    Policy,
    Callers,
    Sandbox,
}

/// Loads all files of a version.
pub(super) fn load(side: &Side) -> Loaded {
    let mut loaded = Loaded::default();
    let of = |kind: FileKind| {
        side.files
            .iter()
            .filter(move |(file, _)| file.kind() == kind)
    };
    let services: Vec<&(File, PathBuf)> = of(FileKind::Service).collect();
    let found = parallel::map(&services, |(file, _)| load_service(file));
    for ((_, path), service) in services.into_iter().zip(found) {
        match service {
            Ok(service) => loaded.add_service(service, path),
            Err(findings) => loaded.add_broken(path, findings),
        }
    }
    let tools: Vec<&(File, PathBuf)> = of(FileKind::Tool).collect();
    let entries: Vec<Entry> = tools.iter().map(|(file, _)| file.entry()).collect();
    for ((_, path), tool) in tools.into_iter().zip(load_many(&entries)) {
        match tool {
            Ok(tool) => loaded.add_tool(tool, path),
            Err(findings) => loaded.add_other(path, findings),
        }
    }
    for (file, path) in of(FileKind::Sandbox) {
        match file.open() {
            Ok(source) => drop(loaded.others.insert(path.clone(), (Other::Sandbox, source))),
            Err(findings) => loaded.add_broken(path, findings),
        }
    }
    loaded
}

impl Loaded {
    fn add_service(&mut self, service: Arc<Service>, path: &Path) {
        let name = service.name.clone();
        if let Some(known) = self.services.get(&name) {
            let other = known.thing.source().name.clone();
            self.add_double(
                service.source(),
                "/service",
                &format!("service `{name}`"),
                &other,
            );
            return;
        }
        let path = path.to_owned();
        self.services.insert(
            name,
            At {
                path,
                thing: service,
            },
        );
    }

    fn add_tool(&mut self, tool: Arc<Tool>, path: &Path) {
        let name = (tool.service().to_owned(), tool.name.clone());
        if let Some(known) = self.tools.get(&name) {
            let other = known.thing.source.name.clone();
            let what = format!("tool `{}`", tool.qualified_name());
            self.add_double(&tool.source, "/tool", &what, &other);
            return;
        }
        let path = path.to_owned();
        self.tools.insert(name, At { path, thing: tool });
    }

    fn add_double(&mut self, source: &Arc<Source>, at: &str, what: &str, other: &str) {
        self.findings.push(Finding {
            code: Code::DuplicateName,
            severity: Severity::Error,
            message: format!("the {what} stands in {other} too, and that one is compared"),
            help: None,
            span: source.key_span(at),
            source: Arc::clone(source),
        });
    }

    /// A file that is no tool: perhaps something else.
    fn add_other(&mut self, path: &Path, findings: Vec<Finding>) {
        let source = findings.first().map(|finding| Arc::clone(&finding.source));
        let kind = source.as_ref().and_then(|source| kind_of(source.value()));
        let (Some(kind), Some(source)) = (kind, source) else {
            // A service that is broken is told once, and not at each of its tools.
            let is_known = |finding: &Finding| {
                let known = self.findings.iter();
                known
                    .into_iter()
                    .any(|one| one.source.name == finding.source.name && one.span == finding.span)
            };
            let new: Vec<Finding> = findings.iter().filter(|f| !is_known(f)).cloned().collect();
            self.findings.extend(new);
            self.broken.insert(path.to_owned(), findings);
            return;
        };
        let check = crate::source::Check::new(Arc::clone(&source));
        match kind {
            Other::Policy => crate::policy::check(&check, None),
            _ => crate::callers::check(&check),
        }
        let errors: Vec<Finding> = check.into_findings();
        let errors = errors.into_iter().filter(|f| f.severity == Severity::Error);
        let errors: Vec<Finding> = errors.collect();
        match errors.is_empty() {
            true => drop(self.others.insert(path.to_owned(), (kind, source))),
            false => self.add_broken(path, errors),
        }
    }

    fn add_broken(&mut self, path: &Path, findings: Vec<Finding>) {
        self.findings.extend(findings.iter().cloned());
        self.broken.insert(path.to_owned(), findings);
    }
}

/// What the first keys of a file say that it is.
fn kind_of(value: &Value) -> Option<Other> {
    match (is_policy(value), is_callers(value)) {
        (true, _) => Some(Other::Policy),
        (_, true) => Some(Other::Callers),
        _ => None,
    }
}
