//! Descriptor files that are not on disk, such as those of an older version.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::entry::File;
use super::place::Place;

/// The texts of files by their paths.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Texts {
    /// What stands before a path where the file is named, such as `main:`.
    label: String,
    /// Of a file that could not be read, the reason.
    files: BTreeMap<PathBuf, Result<String, String>>,
}

impl Texts {
    /// Files with these paths and texts, or with the reasons why they could not be read.
    pub(crate) fn new(
        label: &str,
        files: impl IntoIterator<Item = (PathBuf, Result<String, String>)>,
    ) -> Arc<Texts> {
        Arc::new(Texts {
            label: label.to_owned(),
            files: files.into_iter().collect(),
        })
    }

    /// All of the files.
    pub(crate) fn all(self: &Arc<Texts>) -> Vec<File> {
        let paths = self.files.keys().cloned();
        paths
            .map(|path| File::in_place(Place::Memory(Arc::clone(self)), path))
            .collect()
    }

    pub(super) fn display(&self, path: &Path) -> String {
        format!("{}{}", self.label, path.display())
    }

    pub(super) fn get(&self, path: &Path) -> Option<&Result<String, String>> {
        self.files.get(path)
    }

    /// The names of the files in a folder.
    pub(super) fn names_in(&self, folder: Option<&Path>) -> Vec<String> {
        let inside = self.files.keys().filter(|path| path.parent() == folder);
        inside
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect()
    }
}
