//! The files of a place: those that a name leads to, and all of them.

use std::path::{Path, PathBuf};

use super::entry::{Entry, File};
use super::place::{EMBEDDED, ENDINGS, Place, SANDBOX_FILE, SERVICE_FILE, read_names};
use super::trust::Trust;

impl Place {
    fn root(&self) -> Option<&Path> {
        match self {
            Place::Folder(root) | Place::Local(root) => Some(root),
            Place::Embedded | Place::Memory(_) => None,
        }
    }

    /// Appends the files that a name leads to.
    pub(super) fn find(
        &self,
        service: Option<&str>,
        tool: &str,
        trust: &Trust,
        found: &mut Vec<Entry>,
    ) {
        for folder in self.service_folders(service) {
            let files = ENDINGS
                .map(|ending| self.file(folder.as_deref(), &format!("{tool}{ending}"), trust));
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

    /// The file of a tool that stands alone, with its service inside.
    pub(super) fn find_alone(&self, tool: &str, trust: &Trust) -> Option<Entry> {
        let files = ENDINGS.map(|ending| self.file(None, &format!("{tool}{ending}"), trust));
        let file = files.into_iter().find(File::exists)?;
        self.own_service().is_none().then(|| Entry {
            name: tool.to_owned(),
            service: None,
            file,
        })
    }

    /// The folders that may hold the tool; `None` stands for the place itself.
    fn service_folders(&self, service: Option<&str>) -> Vec<Option<String>> {
        match service {
            Some(service) if self.own_service().as_deref() == Some(service) => vec![None],
            Some(service) => vec![Some(service.to_owned())],
            None => std::iter::once(None)
                .chain(self.folders().into_iter().map(Some))
                .collect(),
        }
    }

    fn file(&self, folder: Option<&str>, name: &str, trust: &Trust) -> File {
        let below = match folder {
            Some(folder) => Path::new(folder).join(name),
            None => PathBuf::from(name),
        };
        let path = match self {
            Place::Folder(root) | Place::Local(root) => root.join(below),
            Place::Embedded | Place::Memory(_) => below,
        };
        File::new(self.clone(), path, trust.clone())
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
            // Its files are named one by one.
            Place::Memory(_) => Vec::new(),
        };
        folders.sort();
        folders.dedup();
        folders
    }

    pub(super) fn entries(&self, trust: &Trust) -> Vec<Entry> {
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
                Place::Memory(_) => Vec::new(),
            };
            for name in names {
                if let Some(tool) = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending))
                    && name != SERVICE_FILE
                    && name != SANDBOX_FILE
                {
                    entries.push(Entry {
                        name: tool.to_owned(),
                        service: folder.clone().or_else(|| own.clone()),
                        file: self.file(folder.as_deref(), &name, trust),
                    });
                }
            }
        }
        entries
    }
}
