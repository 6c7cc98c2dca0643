//! What the words for two versions name: folders and files on disk, and git revisions.

use std::path::{Path, PathBuf};

use crate::check::files_at;
use crate::cli::{Failure, usage};
use crate::diff::{GitError, Repository, Side, revision_and_path};

/// The folder that is compared when none is named.
const TOOLS: &str = "tools";

/// The two versions.
///
/// # Errors
/// When they are not two, or one cannot be found.
pub(super) fn read(versions: &[String], since: Option<&str>) -> Result<(Side, Side), Failure> {
    match (since, versions) {
        (Some(revision), []) => read_since(revision, &[TOOLS.to_owned()]),
        (Some(revision), paths) => read_since(revision, paths),
        (None, [old, new]) => Ok((one(old, new)?, one(new, old)?)),
        (None, _) => Err(usage(
            "two versions are needed, the old one and the new one; --since REV compares with a git revision",
        )),
    }
}

fn refused(error: GitError) -> Failure {
    match error {
        GitError::Failed(_) | GitError::TooMuch(_) => Failure::Told(1, error.to_string()),
        other => usage(other.to_string()),
    }
}

/// What is on disk, beside the same paths of a revision.
fn read_since(revision: &str, paths: &[String]) -> Result<(Side, Side), Failure> {
    let mut old = Side::new(revision, Vec::new());
    let mut new = Side::new(&paths.join(" "), Vec::new());
    for path in paths {
        let place = Path::new(path);
        let repository = Repository::around(&standing(place));
        let below = below_root(&repository, place)?;
        let before = repository.side(revision, &below).map_err(refused)?;
        let exists = place.symlink_metadata().is_ok();
        if !exists && before.is_none() {
            return Err(usage(format!(
                "there is no file or folder {path}, neither here nor in {revision}"
            )));
        }
        let known = before.as_ref().is_some_and(|side| side.len() > 0);
        let here = match exists {
            true => {
                // It may have lost all that it had.
                let mut here = on_disk(place, !known)?;
                if let Some(before) = before.as_ref().filter(|_| place.is_dir()) {
                    here.add_kept(place, before);
                }
                Some(here)
            }
            false => None,
        };
        old.add(
            before
                .unwrap_or_else(|| Side::new(revision, Vec::new()))
                .below(&below),
        );
        if let Some(here) = here {
            new.add(here.below(&below));
        }
    }
    Ok((old, new))
}

/// The nearest folder that is there.
fn standing(path: &Path) -> PathBuf {
    let mut folder = match path.is_dir() {
        true => path,
        false => path.parent().unwrap_or(Path::new("")),
    };
    while !folder.as_os_str().is_empty() && !folder.is_dir() {
        folder = folder.parent().unwrap_or(Path::new(""));
    }
    folder.to_owned()
}

/// The path of a place below the root of its repository. The place itself may be gone.
fn below_root(repository: &Repository, place: &Path) -> Result<PathBuf, Failure> {
    let folder = standing(place);
    let rest = place.strip_prefix(&folder).unwrap_or(place);
    let start = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => &folder,
    };
    let root = repository.path_of(start).map_err(refused)?;
    Ok(root.join(rest))
}

/// One version by its name. `other` is the name of the other one.
fn one(name: &str, other: &str) -> Result<Side, Failure> {
    let here = Repository::around(Path::new("."));
    if is_on_disk(name, &here) {
        return on_disk(Path::new(name), true);
    }
    let (revision, path) = revision_and_path(name);
    let path = match path {
        Some(path) => match path.strip_prefix("./") {
            Some(rest) => below_root(&here, Path::new("."))?.join(rest),
            None => PathBuf::from(path.trim_matches('/')),
        },
        // A revision alone is compared at the place of the other version.
        None => {
            let other = match is_on_disk(other, &here) {
                true => other,
                false => revision_and_path(other).1.unwrap_or(TOOLS),
            };
            match Path::new(other).symlink_metadata() {
                Ok(_) => below_root(&here, Path::new(other))?,
                Err(_) => PathBuf::from(other),
            }
        }
    };
    let side = here.side(revision, &path).map_err(|error| match error {
        GitError::NoRevision { said, .. } => usage(format!(
            "there is no file or folder {name}, and git knows no such revision: {said}"
        )),
        other => refused(other),
    })?;
    side.ok_or_else(|| {
        let path = path.display().to_string();
        let revision = revision.to_owned();
        refused(GitError::NoPath { revision, path })
    })
}

/// Whether a name is that of a file or a folder. A file that cannot be a descriptor may have the name of a revision, as `HEAD`
/// in a bare repository.
fn is_on_disk(name: &str, here: &Repository) -> bool {
    let place = Path::new(name);
    let is_descriptor = || {
        let ending = place.extension();
        place.is_dir() || ending.is_some_and(|ending| ending == "yaml" || ending == "yml")
    };
    place.symlink_metadata().is_ok() && (is_descriptor() || !here.knows(name))
}

/// A file or a folder on disk. One without descriptors is a mistake, unless it may have lost them all.
fn on_disk(place: &Path, must_have_some: bool) -> Result<Side, Failure> {
    let name = place.display().to_string();
    let files = match files_at(std::slice::from_ref(&name)) {
        Ok(files) => files,
        Err(_) if place.is_dir() && std::fs::read_dir(place).is_ok() && !must_have_some => {
            Vec::new()
        }
        Err(error) => return Err(usage(error)),
    };
    let named = files.into_iter().map(|file| {
        let own = match file.path().strip_prefix(place) {
            Ok(below) if !below.as_os_str().is_empty() => below.to_owned(),
            _ => file
                .path()
                .file_name()
                .map(PathBuf::from)
                .unwrap_or_default(),
        };
        (file, own)
    });
    Ok(Side::new(&name, named.collect()))
}
