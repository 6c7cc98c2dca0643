//! The places that hold descriptor files: folders, and the program itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::memory::Texts;

/// How the names of descriptor files end.
pub(super) const ENDINGS: [&str; 2] = [".yaml", ".yml"];
/// The file that describes a service.
pub(super) const SERVICE_FILE: &str = "service.yaml";
/// The file that describes a service's sandbox.
pub(super) const SANDBOX_FILE: &str = "sandbox.yaml";

/// The built-in descriptors: the name below `tools/`, and the text.
pub(super) static EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// Where descriptor files lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A folder that the user named.
    Folder(PathBuf),
    /// A folder that nobody named, such as `./tools`.
    Local(PathBuf),
    /// The program itself.
    Embedded,
    /// The memory: an older version, or one that is not written yet.
    Memory(Arc<Texts>),
}

/// The text of a built-in file.
pub(super) fn embedded(name: &str) -> Option<&'static str> {
    EMBEDDED
        .binary_search_by(|(known, _)| (*known).cmp(name))
        .ok()
        .map(|at| EMBEDDED[at].1)
}

/// The names of the built-in files in a folder.
pub(super) fn embedded_names(folder: Option<&Path>) -> Vec<String> {
    EMBEDDED
        .iter()
        .filter(|(name, _)| Path::new(name).parent() == folder)
        .filter_map(|(name, _)| Some(Path::new(name).file_name()?.to_str()?.to_owned()))
        .collect()
}

/// The names in a folder, and whether each is itself a folder. Empty when the folder cannot be read.
pub(super) fn read_names(folder: &Path) -> Vec<(String, bool)> {
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

    /// This must also work when the name of one service begins with the name of another.
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
