//! A file of a catalog, and the entry of a tool's file.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::place::{
    ENDINGS, Place, SANDBOX_FILE, SERVICE_FILE, embedded, embedded_names, read_names,
};
use super::trust::Trust;
use crate::source::{Finding, Origin, Source, read_text};
use crate::tool::Tool;

/// A file of a catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub(super) place: Place,
    pub(super) path: PathBuf,
    trust: Trust,
    /// Texts that count in place of what is on disk.
    unsaved: Option<Arc<Unsaved>>,
}

/// The texts of files that are open in an editor, by their paths. They count in place of what is on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Unsaved(HashMap<PathBuf, String>);

impl FromIterator<(PathBuf, String)> for Unsaved {
    fn from_iter<I: IntoIterator<Item = (PathBuf, String)>>(texts: I) -> Unsaved {
        Unsaved(texts.into_iter().collect())
    }
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
    /// The tool's name: the file's name without its ending.
    pub name: String,
    /// The name of the service's folder; `None` for a file that stands alone.
    pub service: Option<String>,
    /// The file.
    pub file: File,
}

/// A tool's file, and what loading it gives.
pub(crate) type Loaded = (Entry, Result<Arc<Tool>, Vec<Finding>>);

impl File {
    pub(super) fn new(place: Place, path: PathBuf, trust: Trust) -> File {
        File {
            place,
            path,
            trust,
            unsaved: None,
        }
    }

    /// A file in a folder that is open in an editor, which nobody trusts by that. Of it and of the files beside it, the
    /// unsaved texts count.
    #[cfg(feature = "cli")]
    pub(crate) fn in_editor(path: PathBuf, unsaved: Arc<Unsaved>) -> File {
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        File {
            unsaved: Some(unsaved),
            ..File::new(Place::Local(folder), path, Trust::default())
        }
    }

    /// The text of the file in an editor.
    fn unsaved(&self) -> Option<&str> {
        let text = self.unsaved.as_ref()?.0.get(&self.path)?;
        Some(text.as_str())
    }

    /// The file's name, for people.
    pub fn display(&self) -> String {
        match &self.place {
            Place::Embedded => format!("built-in:{}", self.path.display()),
            Place::Folder(_) | Place::Local(_) => self.path.display().to_string(),
            Place::Memory(texts) => texts.display(&self.path),
        }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// The findings when it cannot be read or is not plain YAML.
    pub fn open(&self) -> Result<Arc<Source>, Vec<Finding>> {
        self.open_as(self.origin())
    }

    /// Reads the file, and gives its descriptor this origin.
    pub(super) fn open_as(&self, origin: Origin) -> Result<Arc<Source>, Vec<Finding>> {
        if let Some(text) = self.unsaved() {
            return Source::of_text(&self.path, text.to_owned(), origin);
        }
        match &self.place {
            Place::Folder(root) | Place::Local(root) => {
                let fence = (origin != Origin::Trusted).then(|| self.fence(root));
                Source::open_within(&self.path, origin, fence)
            }
            Place::Embedded => {
                let name = self.path.to_string_lossy();
                let text = embedded(&name).unwrap_or_default();
                Source::parse(self.display(), Cow::Borrowed(text))
            }
            Place::Memory(texts) => {
                let absent = || Err("there is no such file".to_owned());
                match texts.get(&self.path).cloned().unwrap_or_else(absent) {
                    Ok(text) => Source::parse(self.display(), Cow::Owned(text)),
                    Err(reason) => Err(vec![Source::unreadable(self.display(), reason)]),
                }
            }
        }
    }

    /// Whether the file may hold one of these values. This is cheaper than to read the file as YAML.
    pub fn may_hold(&self, values: &[&str]) -> bool {
        // YAML escapes may hide a value, and a value that is not plain can be written in several ways.
        let is_plain = |value: &&str| {
            value
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
        };
        let holds =
            |text: &str| text.contains('\\') || values.iter().any(|value| text.contains(value));
        let text = match &self.place {
            _ if self.unsaved().is_some() => self.unsaved().map(Cow::Borrowed),
            Place::Embedded => embedded(&self.path.to_string_lossy()).map(Cow::Borrowed),
            Place::Folder(_) | Place::Local(_) => read_text(&self.path).ok().map(Cow::Owned),
            Place::Memory(texts) => {
                let text = texts.get(&self.path).and_then(|text| text.as_ref().ok());
                text.map(|text| Cow::Borrowed(text.as_str()))
            }
        };
        !values.iter().all(is_plain) || text.is_none_or(|text| holds(&text))
    }

    /// The folder that the file must really lie in. That is the current folder when the path leads into it (a shell
    /// that expands `*/*` also names files behind links), else the folder of its place.
    fn fence(&self, root: &Path) -> PathBuf {
        let climbs = self
            .path
            .components()
            .any(|part| part == Component::ParentDir);
        let here = std::env::current_dir();
        let is_here = self.path.is_relative() || here.is_ok_and(|here| self.path.starts_with(here));
        match is_here && !climbs {
            true => PathBuf::from("."),
            false => root.to_owned(),
        }
    }

    pub(super) fn in_place(place: Place, path: PathBuf) -> File {
        File::new(place, path, Trust::default())
    }

    /// A file on disk that the user named.
    pub fn at(path: PathBuf) -> File {
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        File::new(Place::Folder(folder), path, Trust::default())
    }

    /// Where the file comes from. For a link, its target counts: a link carries no trust out of a folder.
    pub fn origin(&self) -> Origin {
        match self.place {
            Place::Embedded => return Origin::BuiltIn,
            // It is never called.
            Place::Memory(_) => return Origin::Named,
            Place::Folder(_) | Place::Local(_) => {}
        }
        match (self.trust.covers(&self.path), &self.place) {
            (true, _) => Origin::Trusted,
            (false, Place::Local(root)) => Origin::Untrusted {
                folder: self.folder_to_trust(root),
            },
            (false, _) => Origin::Named,
        }
    }

    /// Whether the user trusts the file. The cost does not grow with the size of the place.
    pub(super) fn is_trusted(&self) -> bool {
        !matches!(self.place, Place::Local(_)) || self.trust.covers(&self.path)
    }

    /// The folder that a user would trust so that this file is trusted: the whole place, unless a link leads out of it.
    fn folder_to_trust(&self, root: &Path) -> PathBuf {
        let real = |path: &Path| path.canonicalize().ok();
        let file = real(&self.path);
        match (file.as_deref().and_then(Path::parent), real(root)) {
            (Some(folder), Some(root)) if !folder.starts_with(&root) => folder.to_owned(),
            (_, root) => root.unwrap_or_else(|| self.path.clone()),
        }
    }

    /// The file's path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What the file describes. Its name decides.
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

    /// The file's path with all links resolved, to tell whether two paths lead to one file.
    pub fn canonical(&self) -> PathBuf {
        self.path
            .canonicalize()
            .unwrap_or_else(|_| self.path.clone())
    }

    /// The name of the folder that the file stands in.
    pub fn folder_name(&self) -> Option<String> {
        let folder = match &self.place {
            Place::Embedded | Place::Memory(_) => self.path.clone(),
            Place::Folder(_) | Place::Local(_) => self.path.canonicalize().ok()?,
        };
        Some(folder.parent()?.file_name()?.to_str()?.to_owned())
    }

    /// The `service.yaml` beside the file.
    pub fn service_file(&self) -> File {
        self.sibling(SERVICE_FILE)
    }

    /// The `sandbox.yaml` beside the file.
    pub fn sandbox_file(&self) -> File {
        self.sibling(SANDBOX_FILE)
    }

    /// The tools beside the file.
    pub fn sibling_tools(&self) -> Vec<Entry> {
        let names: Vec<String> = match &self.place {
            Place::Folder(_) | Place::Local(_) => {
                let folder = match self.path.parent() {
                    Some(folder) if folder != Path::new("") => folder,
                    _ => Path::new("."),
                };
                let files = read_names(folder).into_iter().filter(|(_, d)| !d);
                let mut names: Vec<String> = files.map(|(name, _)| name).collect();
                for name in self.unsaved_beside() {
                    if !names.contains(&name) {
                        names.push(name);
                    }
                }
                names
            }
            Place::Embedded => embedded_names(self.path.parent()),
            Place::Memory(texts) => texts.names_in(self.path.parent()),
        };
        names
            .iter()
            .filter(|name| ENDINGS.iter().any(|ending| name.ends_with(ending)))
            .map(|name| self.sibling(name))
            .filter(|file| file.kind() == FileKind::Tool)
            .map(|file| file.entry())
            .collect()
    }

    /// The names of the files in the same folder that are open in an editor.
    fn unsaved_beside(&self) -> Vec<String> {
        let open = self.unsaved.iter().flat_map(|unsaved| unsaved.0.keys());
        let beside = open.filter(|path| path.parent() == self.path.parent());
        beside
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect()
    }

    /// Whether it is a file on disk, not one that is built in.
    #[cfg(feature = "cli")]
    pub(crate) fn is_on_disk(&self) -> bool {
        !matches!(self.place, Place::Embedded)
    }

    /// Whether the file is there.
    pub fn exists(&self) -> bool {
        match &self.place {
            _ if self.unsaved().is_some() => true,
            Place::Folder(_) | Place::Local(_) => self.path.is_file(),
            Place::Embedded => embedded(&self.path.to_string_lossy()).is_some(),
            Place::Memory(texts) => texts.get(&self.path).is_some(),
        }
    }

    fn sibling(&self, name: &str) -> File {
        File {
            path: self.path.with_file_name(name),
            ..self.clone()
        }
    }
}
