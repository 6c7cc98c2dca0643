//! The catalog: where tools are found, and how a name becomes a compiled tool.
//!
//! A tool's file is named for the tool, and its folder for the service. So a name leads to one file and its
//! `service.yaml`, however many others there are.

mod entry;
mod error;
mod find;
mod load;
mod memory;
mod place;
mod trust;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use entry::Entry;
#[cfg(feature = "cli")]
pub(crate) use entry::Unsaved;
pub(crate) use entry::{File, FileKind, Loaded};
pub use error::{FindingText, LoadError};
pub(crate) use load::{check_name, load, load_each, load_many, load_service};
pub(crate) use memory::Texts;
pub(crate) use trust::read_own_file;
pub use trust::{TrustError, TrustList};
#[cfg(feature = "serve")]
pub(crate) use trust::{make_folder, not_own, others_may_replace};

use crate::definition::is_name_of;
use crate::source::Check;
use crate::tool::Tool;
use crate::words::{Name, nearest};
use place::Place;
use trust::Trust;

/// Where tools are looked for. An earlier place hides tools of the same name in a later one.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    places: Vec<Place>,
    trust: Trust,
}

impl Catalog {
    /// A catalog of the built-in tools.
    pub fn builtin() -> Catalog {
        Catalog {
            places: vec![Place::Embedded],
            trust: Trust::default(),
        }
    }

    /// A catalog without any tools.
    pub fn empty() -> Catalog {
        Catalog::default()
    }

    /// Adds a folder. Its tools hide tools of the same name that were added before. The folder holds service folders
    /// and files with one tool each, or is itself a service folder. Naming the folder trusts it, except for commands
    /// that print secrets.
    #[must_use]
    pub fn with_folder(mut self, folder: impl Into<PathBuf>) -> Catalog {
        let place = Place::Folder(folder.into());
        if !self.places.contains(&place) {
            self.places.insert(0, place);
        }
        self
    }

    /// Adds a folder that nobody named, such as `tools` in the current folder. Its tools hide no others and make no
    /// name ambiguous. Unless the folder is trusted, they get no value of this machine, and send requests only to their
    /// own sandbox. Any other call ends with `Error::Untrusted`.
    #[must_use]
    pub fn with_local_folder(mut self, folder: impl Into<PathBuf>) -> Catalog {
        self.places.push(Place::Local(folder.into()));
        self
    }

    /// Trusts the descriptors in a folder and below it, wherever the catalog finds them. They may also run the commands
    /// that print their secrets. For a link, its target counts. A missing folder is ignored.
    #[must_use]
    pub fn with_trusted_folder(mut self, folder: impl AsRef<Path>) -> Catalog {
        if let Ok(folder) = folder.as_ref().canonicalize() {
            self.trust.add(folder);
        }
        self
    }

    /// Trusts the folders of a list, as [`Catalog::with_trusted_folder`] does. The paths are used as they are written.
    #[must_use]
    pub fn with_trust_list(mut self, list: &TrustList) -> Catalog {
        for folder in list.folders() {
            self.trust.add(folder.clone());
        }
        self
    }

    /// Finds and compiles the tool with this name. The name may begin with the service's, as in `service/tool`, or be the one
    /// that models know, as in `service_tool`. A tool in an untrusted folder is found only when no other tool has the name.
    ///
    /// # Errors
    /// When there is none, there are several, or the descriptor is not valid.
    ///
    /// ```
    /// let tool = toolrun::Catalog::builtin().tool("list-workspaces")?;
    /// assert_eq!(tool.qualified_name(), "anthropic-admin/list-workspaces");
    /// # Ok::<(), toolrun::Error>(())
    /// ```
    pub fn tool(&self, name: &str) -> Result<Arc<Tool>, LoadError> {
        let (service, plain) = match name.split_once('/') {
            Some((service, plain)) => (Some(service), plain),
            None => (None, name),
        };
        let is_name = |text: &str| Name::new(text).is_some();
        if !is_name(plain) || !service.is_none_or(is_name) {
            return match self.defined_as(name).as_slice() {
                [] => Err(self.unknown(name)),
                [one] => self.tool(one),
                several => Err(LoadError::AmbiguousTool {
                    name: name.to_owned(),
                    candidates: several.to_vec(),
                }),
            };
        }
        let mut found: Vec<Entry> = Vec::new();
        for place in &self.places {
            place.find(service, plain, &self.trust, &mut found);
        }
        let (mut found, mut untrusted) = by_trust(found);
        if let Some(service) = service {
            if found.is_empty() {
                let (alone, others) = by_trust(self.find_alone(service, plain));
                found = alone;
                untrusted.extend(others);
            }
            found.truncate(1);
            untrusted.truncate(1);
        }
        if found.is_empty() {
            found = untrusted;
        }
        match found.as_slice() {
            [] => Err(self.unknown(name)),
            [one] => Ok(load(one)?),
            [first, rest @ ..] if rest.iter().all(|other| hides(first, other)) => Ok(load(first)?),
            several => {
                let mut candidates: Vec<String> = several
                    .iter()
                    .map(|entry| match &entry.service {
                        Some(service) => format!("{service}/{plain}"),
                        None => entry.file.display(),
                    })
                    .collect();
                candidates.dedup();
                Err(LoadError::AmbiguousTool {
                    name: name.to_owned(),
                    candidates,
                })
            }
        }
    }

    /// The tools that models may know by this name, as `service/name`.
    fn defined_as(&self, name: &str) -> Vec<String> {
        if !name.contains('_') {
            return Vec::new();
        }
        let entries = self.entries().into_iter();
        let named = entries.filter_map(|entry| match &entry.service {
            Some(service) => Some(format!("{service}/{}", entry.name)),
            // A file that stands alone says itself which service it is of.
            None if name.contains(&entry.name.replace('-', "_")) => {
                load(&entry).ok().map(|tool| tool.qualified_name())
            }
            None => None,
        });
        named
            .filter(|qualified| is_name_of(name, qualified))
            .collect()
    }

    /// The files of that name that hold their own service, when that is the service asked for.
    fn find_alone(&self, service: &str, tool: &str) -> Vec<Entry> {
        let entries = self
            .places
            .iter()
            .filter_map(|place| place.find_alone(tool, &self.trust));
        entries
            .filter(|entry| load(entry).is_ok_and(|tool| tool.service.name == service))
            .collect()
    }

    /// All tools' files, without those that are hidden. This only lists folders and reads no file.
    pub fn entries(&self) -> Vec<Entry> {
        let all = self
            .places
            .iter()
            .flat_map(|place| place.entries(&self.trust))
            .collect();
        let (trusted, untrusted) = by_trust(all);
        let mut entries: BTreeMap<(Option<String>, String), Entry> = BTreeMap::new();
        for entry in trusted.into_iter().chain(untrusted) {
            entries
                .entry((entry.service.clone(), entry.name.clone()))
                .or_insert(entry);
        }
        entries.into_values().collect()
    }

    /// All tools' files and what loading each gives, without those that are hidden.
    pub fn load_all(&self) -> Vec<Loaded> {
        self.load_those(|_| true)
    }

    /// The same for some of the files.
    pub(crate) fn load_those(&self, is_wanted: impl Fn(&Entry) -> bool) -> Vec<Loaded> {
        let mut entries = self.entries();
        entries.retain(|entry| is_wanted(entry));
        let tools = load_many(&entries);
        entries.into_iter().zip(tools).collect()
    }

    /// All descriptor files of tools that are not hidden, with the files of their services and sandboxes.
    pub(crate) fn files(&self) -> Vec<File> {
        let mut files = Vec::new();
        let mut seen = HashSet::new();
        for entry in self.entries() {
            for beside in [entry.file.service_file(), entry.file.sandbox_file()] {
                if seen.insert(beside.path.clone()) && beside.exists() {
                    files.push(beside);
                }
            }
            files.push(entry.file);
        }
        files
    }

    /// The source of a service's sandbox declaration, and the files of the tools that the sandbox answers. Untrusted files take no
    /// part, unless only an untrusted folder has the service.
    ///
    /// # Errors
    /// When the service has none, or the declaration cannot be read.
    pub(crate) fn sandbox(&self, service: &str) -> Result<(Check, Vec<Entry>), LoadError> {
        let is_of_service = |entry: &Entry| entry.service.as_deref() == Some(service);
        let (trusted, untrusted) =
            by_trust(self.entries().into_iter().filter(is_of_service).collect());
        match (trusted.is_empty(), untrusted.first()) {
            (true, Some(first)) => declared(service, first.file.sibling_tools()),
            _ => declared(service, trusted),
        }
    }

    /// The source of the sandbox declaration that answers a tool, and the files of all tools that it answers. For an untrusted tool,
    /// it is the declaration in the tool's own folder.
    ///
    /// # Errors
    /// As [`Catalog::sandbox`].
    pub(crate) fn sandbox_of(&self, tool: &Tool) -> Result<(Check, Vec<Entry>), LoadError> {
        let service = &tool.service.name;
        match (tool.service.origin.is_trusted(), tool.source.path()) {
            (false, Some(path)) => {
                let folder = path.parent().unwrap_or(Path::new("."));
                let place = Place::Local(folder.to_owned());
                let file = File::new(place, path.to_owned(), self.trust.clone());
                declared(service, file.sibling_tools())
            }
            _ => self.sandbox(service),
        }
    }

    /// The names of the services that have a sandbox.
    pub fn sandboxes(&self) -> Vec<String> {
        let mut services: Vec<String> = self
            .entries()
            .iter()
            .filter(|entry| entry.file.sandbox_file().exists())
            .filter_map(|entry| entry.service.clone())
            .collect();
        services.dedup();
        services
    }

    /// The folders that tools are looked for in.
    #[cfg(feature = "serve")]
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let folders = self.places.iter().filter_map(|place| match place {
            Place::Folder(folder) | Place::Local(folder) => Some(folder.clone()),
            Place::Embedded | Place::Memory(_) => None,
        });
        folders.collect()
    }

    fn unknown(&self, name: &str) -> LoadError {
        let plain = name.rsplit('/').next().unwrap_or(name);
        let names: Vec<String> = self.entries().into_iter().map(|entry| entry.name).collect();
        LoadError::UnknownTool {
            name: name.to_owned(),
            suggestion: nearest(plain, names.iter().map(String::as_str)),
        }
    }
}

/// Trusted entries, and untrusted ones.
fn by_trust(entries: Vec<Entry>) -> (Vec<Entry>, Vec<Entry>) {
    entries
        .into_iter()
        .partition(|entry| entry.file.is_trusted())
}

/// Whether two files of one name are the same tool at two places, so that the earlier hides the later.
fn hides(first: &Entry, other: &Entry) -> bool {
    first.file.place != other.file.place && first.service == other.service
}

/// The first sandbox declaration beside these tools, and the tools.
fn declared(service: &str, entries: Vec<Entry>) -> Result<(Check, Vec<Entry>), LoadError> {
    let declaration = entries
        .iter()
        .map(|entry| entry.file.sandbox_file())
        .find(File::exists)
        .ok_or_else(|| LoadError::NoSandbox {
            service: service.to_owned(),
        })?;
    Ok((Check::new(declaration.open()?), entries))
}
