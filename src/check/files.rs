//! Which files are checked: those that are named, those in folders, and those that a glob matches.

use std::collections::HashSet;
use std::path::Path;

use ignore::WalkBuilder;

use crate::catalog::File;

/// The files at these paths. Of a folder, all descriptors below it count, except those in hidden folders and those that
/// git ignores.
///
/// # Errors
/// When a path does not exist, a folder has no descriptor, or a glob is malformed or matches nothing.
pub(super) fn at(paths: &[String]) -> Result<Vec<File>, String> {
    let mut files = Vec::new();
    for path in paths {
        let place = Path::new(path);
        if place.is_dir() {
            let found = below(place)?;
            if found.is_empty() {
                return Err(format!(
                    "there is no descriptor in {path}; hidden folders and what git ignores do not count"
                ));
            }
            files.extend(found);
        } else if place.symlink_metadata().is_ok() {
            files.push(File::at(place.to_path_buf()));
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

/// The folders of these files, each once. A folder stays itself.
pub(super) fn folders_of(paths: &[String]) -> Vec<String> {
    let mut folders: Vec<String> = Vec::new();
    for path in paths {
        let place = Path::new(path);
        let folder = match place.is_dir() {
            true => path.clone(),
            false => match place.parent().and_then(Path::to_str) {
                Some("") | None => ".".to_owned(),
                Some(folder) => folder.to_owned(),
            },
        };
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders
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
pub(super) fn below(folder: &Path) -> Result<Vec<File>, String> {
    let mut files = Vec::new();
    for entry in walk(folder) {
        let entry = entry.map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
        files.extend(descriptor(&entry));
    }
    Ok(files)
}

/// As [`below`], without what cannot be read; `None` if it takes longer than this.
#[cfg(feature = "cli")]
pub(super) fn below_within(folder: &Path, patience: std::time::Duration) -> Option<Vec<File>> {
    let begun = std::time::Instant::now();
    let mut files = Vec::new();
    for entry in walk(folder) {
        if begun.elapsed() > patience {
            return None;
        }
        files.extend(entry.ok().as_ref().and_then(descriptor));
    }
    Some(files)
}

fn walk(folder: &Path) -> ignore::Walk {
    WalkBuilder::new(folder)
        .ignore(false)
        .follow_links(false)
        .sort_by_file_name(std::ffi::OsStr::cmp)
        .build()
}

fn descriptor(entry: &ignore::DirEntry) -> Option<File> {
    let path = entry.path();
    let is_descriptor = path.extension().is_some_and(|e| e == "yaml" || e == "yml");
    (is_descriptor && !path.is_dir()).then(|| File::at(path.to_path_buf()))
}
