//! The catalog: where tools are found, and how a name becomes a compiled tool.
//!
//! A tool's file is named for the tool, and its folder for the service. So a name leads to one file and its
//! `service.yaml`, however many others there are.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::descriptor::code::Code;
use crate::descriptor::finding::Finding;
use crate::descriptor::{Check, Name, Source};
use crate::error::Error;
use crate::parallel;
use crate::service::Service;
use crate::template::nearest;
use crate::tool::{ServiceSource, Tool};

/// The built-in descriptors: name below `tools/`, and text.
static EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// How the names of descriptor files end.
const ENDINGS: [&str; 2] = [".yaml", ".yml"];
/// The file that describes a service.
const SERVICE_FILE: &str = "service.yaml";
/// The file that describes a service's sandbox.
const SANDBOX_FILE: &str = "sandbox.yaml";

/// Where tools are looked for. An earlier place hides tools of the same name in a later one.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    places: Vec<Place>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Folder(PathBuf),
    /// A folder that happens to be there and that nobody named: it is trusted with less.
    Local(PathBuf),
    Embedded,
}

/// A file of a catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    place: Place,
    path: PathBuf,
}

/// What a descriptor file describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A service: `service.yaml`.
    Service,
    /// A sandbox: `sandbox.yaml`.
    Sandbox,
    /// A tool: any other.
    Tool,
}

/// A tool's file, and the folder of its service where it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The tool's name: the file's stem.
    pub name: String,
    /// The name of the service's folder; `None` for a file that stands alone.
    pub service: Option<String>,
    /// The file.
    pub file: File,
}

/// A tool's file with what it loads to.
pub type Loaded = (Entry, Result<Arc<Tool>, Vec<Finding>>);

impl File {
    /// The file's name for people.
    pub fn display(&self) -> String {
        match self.place {
            Place::Embedded => format!("built-in:{}", self.path.display()),
            Place::Folder(_) | Place::Local(_) => self.path.display().to_string(),
        }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// The findings when it cannot be read or is not plain YAML.
    pub fn open(&self) -> Result<Arc<Source>, Vec<Finding>> {
        match &self.place {
            Place::Folder(_) | Place::Local(_) => Source::open(&self.path),
            Place::Embedded => {
                let name = self.path.to_string_lossy();
                let text = embedded(&name).unwrap_or_default();
                Source::parse(self.display(), Cow::Borrowed(text))
            }
        }
    }

    /// A file on disk.
    pub fn at(path: PathBuf) -> File {
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        File {
            place: Place::Folder(folder),
            path,
        }
    }

    /// What the file describes, by its name.
    pub fn kind(&self) -> FileKind {
        match self.path.file_name().and_then(|name| name.to_str()) {
            Some(SERVICE_FILE) => FileKind::Service,
            Some(SANDBOX_FILE) => FileKind::Sandbox,
            _ => FileKind::Tool,
        }
    }

    /// The entry of a tool's file.
    pub fn entry(&self) -> Entry {
        let text =
            |part: Option<&std::ffi::OsStr>| part.and_then(|p| p.to_str()).map(str::to_owned);
        let folder = self.path.parent().and_then(Path::file_name);
        Entry {
            name: text(self.path.file_stem()).unwrap_or_default(),
            service: text(folder).filter(|_| self.service_file().exists()),
            file: self.clone(),
        }
    }

    /// The file's path without links and detours, to tell whether two paths lead to one file.
    pub fn canonical(&self) -> PathBuf {
        self.path
            .canonicalize()
            .unwrap_or_else(|_| self.path.clone())
    }

    /// The name of the folder that the file stands in.
    pub fn folder_name(&self) -> Option<String> {
        let folder = match &self.place {
            Place::Embedded => self.path.clone(),
            Place::Folder(_) | Place::Local(_) => self.path.canonicalize().ok()?,
        };
        Some(folder.parent()?.file_name()?.to_str()?.to_owned())
    }

    /// The `service.yaml` beside the file.
    pub fn service_file(&self) -> File {
        self.sibling(SERVICE_FILE)
    }

    /// The tools beside the file.
    pub fn sibling_tools(&self) -> Vec<Entry> {
        let names: Vec<String> = match &self.place {
            Place::Folder(_) | Place::Local(_) => {
                let folder = match self.path.parent() {
                    Some(folder) if folder != Path::new("") => folder,
                    _ => Path::new("."),
                };
                read_names(folder)
                    .into_iter()
                    .filter(|(_, d)| !d)
                    .map(|(name, _)| name)
                    .collect()
            }
            Place::Embedded => EMBEDDED
                .iter()
                .filter(|(name, _)| Path::new(name).parent() == self.path.parent())
                .filter_map(|(name, _)| Some(Path::new(name).file_name()?.to_str()?.to_owned()))
                .collect(),
        };
        names
            .iter()
            .filter(|name| ENDINGS.iter().any(|ending| name.ends_with(ending)))
            .map(|name| self.sibling(name))
            .filter(|file| file.kind() == FileKind::Tool)
            .map(|file| file.entry())
            .collect()
    }

    /// Whether the file is there.
    pub fn exists(&self) -> bool {
        match &self.place {
            Place::Folder(_) | Place::Local(_) => self.path.is_file(),
            Place::Embedded => embedded(&self.path.to_string_lossy()).is_some(),
        }
    }

    fn sibling(&self, name: &str) -> File {
        File {
            place: self.place.clone(),
            path: self.path.with_file_name(name),
        }
    }
}

fn embedded(name: &str) -> Option<&'static str> {
    EMBEDDED
        .binary_search_by(|(known, _)| (*known).cmp(name))
        .ok()
        .map(|at| EMBEDDED[at].1)
}

impl Catalog {
    /// A catalog of the built-in tools.
    pub fn builtin() -> Catalog {
        Catalog {
            places: vec![Place::Embedded],
        }
    }

    /// A catalog without any tools.
    pub fn empty() -> Catalog {
        Catalog::default()
    }

    /// Adds a folder whose tools hide those of the same name that are there already. It holds service folders and
    /// files that stand alone, or is itself a service folder.
    #[must_use]
    pub fn with_folder(mut self, folder: impl Into<PathBuf>) -> Catalog {
        let place = Place::Folder(folder.into());
        if !self.places.contains(&place) {
            self.places.insert(0, place);
        }
        self
    }

    /// Adds a folder that nobody named, such as `tools` in the current one. Its tools hide none that are there
    /// already, and it may not send the secret of a built-in service anywhere else.
    #[must_use]
    pub fn with_local_folder(mut self, folder: impl Into<PathBuf>) -> Catalog {
        self.places.push(Place::Local(folder.into()));
        self
    }

    /// Finds and compiles the tool that goes by `name`, which may be qualified by its service's.
    ///
    /// # Errors
    /// When there is none, there are several, or the descriptor is not valid.
    ///
    /// ```
    /// let tool = toolrun::Catalog::builtin().tool("list-workspaces")?;
    /// assert_eq!(tool.qualified_name(), "anthropic-admin/list-workspaces");
    /// # Ok::<(), toolrun::Error>(())
    /// ```
    pub fn tool(&self, name: &str) -> Result<Arc<Tool>, Error> {
        let (service, plain) = match name.split_once('/') {
            Some((service, plain)) => (Some(service), plain),
            None => (None, name),
        };
        let is_name = |text: &str| Name::new(text).is_some();
        if !is_name(plain) || !service.is_none_or(is_name) {
            return Err(self.unknown(name));
        }
        let mut found: Vec<Entry> = Vec::new();
        for place in &self.places {
            place.find(service, plain, &mut found);
        }
        if service.is_some() {
            found.truncate(1);
        }
        match found.as_slice() {
            [] => Err(self.unknown(name)),
            [one] => load_guarded(one),
            [first, rest @ ..] if rest.iter().all(|other| hides(first, other)) => {
                load_guarded(first)
            }
            several => {
                let mut candidates: Vec<String> = several
                    .iter()
                    .map(|entry| match &entry.service {
                        Some(service) => format!("{service}/{plain}"),
                        None => entry.file.display(),
                    })
                    .collect();
                candidates.dedup();
                Err(Error::AmbiguousTool {
                    name: name.to_owned(),
                    candidates,
                })
            }
        }
    }

    /// All tools' files, without those that are hidden. Nothing is read but folders.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries: BTreeMap<(Option<String>, String), Entry> = BTreeMap::new();
        for place in &self.places {
            for entry in place.entries() {
                entries
                    .entry((entry.service.clone(), entry.name.clone()))
                    .or_insert(entry);
            }
        }
        entries.into_values().collect()
    }

    /// All tools' files with what they load to, without those that are hidden.
    pub fn load_all(&self) -> Vec<Loaded> {
        let entries = self.entries();
        let tools = parallel::map(&entries, load);
        entries.into_iter().zip(tools).collect()
    }

    /// All descriptor files of tools that are not hidden, with those of their services and sandboxes.
    pub fn files(&self) -> Vec<File> {
        let mut files = Vec::new();
        let mut seen = HashSet::new();
        for entry in self.entries() {
            for beside in [SERVICE_FILE, SANDBOX_FILE].map(|name| entry.file.sibling(name)) {
                if seen.insert(beside.path.clone()) && beside.exists() {
                    files.push(beside);
                }
            }
            files.push(entry.file);
        }
        files
    }

    /// The source of a service's sandbox declaration, and the tools that it answers.
    ///
    /// # Errors
    /// When the service has none, or a descriptor is not valid.
    pub fn sandbox(&self, service: &str) -> Result<(Check, Vec<Arc<Tool>>), Error> {
        let entries: Vec<Entry> = self
            .entries()
            .into_iter()
            .filter(|entry| entry.service.as_deref() == Some(service))
            .collect();
        let declaration = entries
            .iter()
            .map(|entry| entry.file.sibling(SANDBOX_FILE))
            .find(File::exists)
            .ok_or_else(|| {
                Error::Policy(format!(
                    "the service {service} has no sandbox: there is no {SANDBOX_FILE} beside its service.yaml"
                ))
            })?;
        let tools = entries
            .iter()
            .map(|entry| load(entry).map_err(Error::from))
            .collect::<Result<_, _>>()?;
        Ok((Check::new(declaration.open()?), tools))
    }

    /// The names of the services that have a sandbox.
    pub fn sandboxes(&self) -> Vec<String> {
        let mut services: Vec<String> = self
            .entries()
            .iter()
            .filter(|entry| entry.file.sibling(SANDBOX_FILE).exists())
            .filter_map(|entry| entry.service.clone())
            .collect();
        services.dedup();
        services
    }

    fn unknown(&self, name: &str) -> Error {
        let plain = name.rsplit('/').next().unwrap_or(name);
        let names: Vec<String> = self.entries().into_iter().map(|entry| entry.name).collect();
        Error::UnknownTool {
            name: name.to_owned(),
            suggestion: nearest(plain, names.iter().map(String::as_str)),
        }
    }
}

/// Whether two files of one name are the same tool at two places, so that the earlier hides the later.
fn hides(first: &Entry, other: &Entry) -> bool {
    first.file.place != other.file.place && first.service == other.service
}

fn load_guarded(entry: &Entry) -> Result<Arc<Tool>, Error> {
    let tool = load(entry)?;
    if matches!(entry.file.place, Place::Local(_)) {
        guard_secrets(&tool)?;
    }
    Ok(tool)
}

/// Reads and compiles one tool and its service.
///
/// # Errors
/// Every finding of either file that keeps the tool from being used.
pub fn load(entry: &Entry) -> Result<Arc<Tool>, Vec<Finding>> {
    let check = Check::new(entry.file.open()?);
    let beside = entry.file.service_file();
    let service = match beside.exists() {
        true => ServiceSource::Beside(load_service(&beside)?),
        false => ServiceSource::Absent,
    };
    let tool = Tool::load(&check, &service);
    if let Some(tool) = &tool {
        check_name(tool, entry, &check);
    }
    let findings = check.into_findings();
    match tool {
        Some(tool) if findings.is_empty() => Ok(Arc::new(tool)),
        _ => Err(findings),
    }
}

/// A tool's file and folder bear its name and its service's; a mistake goes to `check`.
pub fn check_name(tool: &Tool, entry: &Entry, check: &Check) {
    if tool.name != entry.name {
        check.error_with_help(
            Code::BadName,
            "/tool",
            format!(
                "the tool `{}` stands in a file called `{}`",
                tool.name, entry.name
            ),
            "a tool's file is named for the tool, so that its name leads to it",
        );
    }
}

/// Reads and compiles a service.
///
/// # Errors
/// Every finding.
pub fn load_service(file: &File) -> Result<Arc<Service>, Vec<Finding>> {
    let check = Check::new(file.open()?);
    let service = Service::load(&check);
    let findings = check.into_findings();
    match service {
        Some(service) if findings.is_empty() => Ok(Arc::new(service)),
        _ => Err(findings),
    }
}

/// A folder that nobody named must not draw the secret of a built-in service to another place: whoever can write
/// into the current folder could then have the key of an organization sent to a server of their own.
fn guard_secrets(tool: &Tool) -> Result<(), Error> {
    for (name, _) in EMBEDDED
        .iter()
        .filter(|(name, _)| name.ends_with(SERVICE_FILE))
    {
        let file = File {
            place: Place::Embedded,
            path: PathBuf::from(name),
        };
        let own = load_service(&file)?;
        let shared = own.auth.secrets().iter().find(|secret| {
            tool.service
                .auth
                .secrets()
                .iter()
                .any(|s| s.name == secret.name)
        });
        let known = destinations(&own);
        let is_known = |place: &Option<String>| place.is_some() && known.contains(place);
        if let Some(secret) = shared
            && let Some(elsewhere) = destinations(&tool.service).iter().find(|d| !is_known(d))
        {
            return Err(Error::Policy(format!(
                "{} would send {}, the key of {}, to {}; a folder that nobody named may not do that (name \
                 the folder if you trust it)",
                tool.source.name,
                secret.name,
                own.name,
                elsewhere
                    .as_deref()
                    .unwrap_or("a place that a setting or a token names"),
            )));
        }
    }
    Ok(())
}

/// The origins that a service's secrets are sent to; `None` for one that depends on settings or on a token.
fn destinations(service: &Service) -> Vec<Option<String>> {
    let token_url = service.auth.grant().map(|grant| grant.token_url());
    std::iter::once(&service.base)
        .chain(token_url)
        .map(|base| Some(base.fixed()?.origin().ascii_serialization()))
        .collect()
}

impl Place {
    fn root(&self) -> Option<&Path> {
        match self {
            Place::Folder(root) | Place::Local(root) => Some(root),
            Place::Embedded => None,
        }
    }

    /// Appends the files that a name leads to.
    fn find(&self, service: Option<&str>, tool: &str, found: &mut Vec<Entry>) {
        for folder in self.service_folders(service) {
            let files =
                ENDINGS.map(|ending| self.file(folder.as_deref(), &format!("{tool}{ending}")));
            if let Some(file) = files.into_iter().find(File::exists) {
                let service = match &folder {
                    Some(folder) => Some(folder.clone()),
                    None => self.own_service(),
                };
                found.push(Entry {
                    name: tool.to_owned(),
                    service,
                    file,
                });
            }
        }
    }

    /// The folders that may hold the tool: `None` is the place itself.
    fn service_folders(&self, service: Option<&str>) -> Vec<Option<String>> {
        match service {
            Some(service) if self.own_service().as_deref() == Some(service) => vec![None],
            Some(service) => vec![Some(service.to_owned())],
            None => std::iter::once(None)
                .chain(self.folders().into_iter().map(Some))
                .collect(),
        }
    }

    fn file(&self, folder: Option<&str>, name: &str) -> File {
        let below = match folder {
            Some(folder) => Path::new(folder).join(name),
            None => PathBuf::from(name),
        };
        File {
            path: match self {
                Place::Folder(root) | Place::Local(root) => root.join(below),
                Place::Embedded => below,
            },
            place: self.clone(),
        }
    }

    /// The name of the service when the place is itself a service folder.
    fn own_service(&self) -> Option<String> {
        let root = self.root()?;
        if !root.join(SERVICE_FILE).is_file() {
            return None;
        }
        let name = root.canonicalize().ok()?;
        Some(name.file_name()?.to_str()?.to_owned())
    }

    /// The service folders of the place.
    fn folders(&self) -> Vec<String> {
        let mut folders: Vec<String> = match self {
            Place::Embedded => EMBEDDED
                .iter()
                .filter_map(|(name, _)| Some(name.split_once('/')?.0.to_owned()))
                .collect(),
            Place::Folder(root) | Place::Local(root) => read_names(root)
                .into_iter()
                .filter(|(_, is_folder)| *is_folder)
                .map(|(name, _)| name)
                .collect(),
        };
        folders.sort();
        folders.dedup();
        folders
    }

    fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        let own = self.own_service();
        for folder in self.service_folders(None) {
            let names: Vec<String> = match self {
                Place::Embedded => EMBEDDED
                    .iter()
                    .filter_map(|(name, _)| match (&folder, name.split_once('/')) {
                        (Some(folder), Some((own, rest))) if own == folder => Some(rest.to_owned()),
                        _ => None,
                    })
                    .collect(),
                Place::Folder(root) | Place::Local(root) => {
                    let path = folder.as_ref().map_or(root.clone(), |f| root.join(f));
                    let files = read_names(&path)
                        .into_iter()
                        .filter(|(_, is_folder)| !is_folder);
                    files.map(|(name, _)| name).collect()
                }
            };
            for name in names {
                if let Some(tool) = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending))
                    && name != SERVICE_FILE
                    && name != SANDBOX_FILE
                {
                    entries.push(Entry {
                        name: tool.to_owned(),
                        service: folder.clone().or_else(|| own.clone()),
                        file: self.file(folder.as_deref(), &name),
                    });
                }
            }
        }
        entries
    }
}

/// The names in a folder, and whether each is a folder itself; none when it cannot be read.
fn read_names(folder: &Path) -> Vec<(String, bool)> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let kind = entry.file_type().ok()?;
            let is_folder = kind.is_dir() || (kind.is_symlink() && entry.path().is_dir());
            (!name.starts_with('.')).then_some((name, is_folder))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Also where a service's name begins as another's does.
    #[test]
    fn every_embedded_file_is_found_by_its_name() {
        let lost: Vec<&str> = EMBEDDED
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| embedded(name).is_none())
            .collect();
        assert!(lost.is_empty(), "{lost:?}");
    }
}
