//! Trust: the folders that the user trusts, and the list that remembers them.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::staged;

/// Trusted folders; everything below them is trusted too. Paths are canonical.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Trust(Arc<Vec<PathBuf>>);

impl Trust {
    pub(super) fn add(&mut self, folder: PathBuf) {
        Arc::make_mut(&mut self.0).push(folder);
    }

    /// Whether a file lies in one of the folders. For a link, its target counts.
    pub(super) fn covers(&self, file: &Path) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let file = file.canonicalize();
        file.is_ok_and(|file| self.0.iter().any(|folder| file.starts_with(folder)))
    }
}

/// Size of the largest list or configuration that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// The user's list of trusted folders: a text file with one canonical path on each line. Only the text counts: if a
/// path on the list has become a link, the link is not followed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustList {
    folders: Vec<PathBuf>,
    ignored: usize,
}

/// The list of trusted folders cannot be used, or a folder cannot be added to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The list cannot be read or written.
    #[error("the list of trusted folders {} cannot be used: {reason}", .path.display())]
    List {
        /// The list.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The folder cannot be trusted.
    #[error("the folder {} cannot be trusted: {reason}", .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        reason: String,
    },
}

impl TrustList {
    /// Reads a list. A missing list is empty. Lines are ignored, and counted, unless they are canonical, absolute paths
    /// of folders below the root.
    ///
    /// # Errors
    /// When it cannot be read, is no plain file, belongs to another user, or other users may write to it or its folder.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// use toolrun::TrustList;
    ///
    /// let list = folder.path().join("trusted");
    /// assert!(TrustList::load(&list)?.folders().is_empty());
    /// TrustList::add(&list, folder.path())?;
    /// assert_eq!(TrustList::load(&list)?.folders(), [folder.path().canonicalize()?]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn load(list: &Path) -> Result<TrustList, TrustError> {
        Ok(TrustList::parse(&read_text(list)?))
    }

    fn parse(text: &str) -> TrustList {
        let mut list = TrustList::default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match legal(Path::new(line)) {
                Ok(_) => list.folders.push(line.into()),
                Err(_) => list.ignored += 1,
            }
        }
        list
    }

    /// The trusted folders.
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// How many lines were ignored.
    pub fn ignored(&self) -> usize {
        self.ignored
    }

    /// The folder on the list that makes this one trusted: the folder itself, or one above it.
    pub fn covering(&self, folder: &Path) -> Option<&Path> {
        let mut folders = self.folders.iter().map(PathBuf::as_path);
        folders.find(|trusted| folder.starts_with(trusted))
    }

    /// Adds a folder to the list by its canonical path, and returns that path. A missing list is created; only the user
    /// may read and write it.
    ///
    /// # Errors
    /// When it is not a folder, its path cannot be written to the list, or the list cannot be changed.
    pub fn add(list: &Path, folder: &Path) -> Result<PathBuf, TrustError> {
        let unfit = |reason: String| TrustError::Folder {
            folder: folder.to_owned(),
            reason,
        };
        let real = folder
            .canonicalize()
            .map_err(|error| unfit(error.kind().to_string()))?;
        if !real.is_dir() {
            return Err(unfit("it is no folder".to_owned()));
        }
        let line = legal(&real).map_err(|reason| unfit(reason.to_owned()))?;
        change(list, |text| match text.lines().any(|known| known == line) {
            true => text.to_owned(),
            false => {
                let text = text.trim_end_matches('\n');
                let before = if text.is_empty() { "" } else { "\n" };
                format!("{text}{before}{line}\n")
            }
        })?;
        Ok(real)
    }

    /// Removes a folder, and all folders below it, from the list. Returns those that were on it. The folder need not
    /// exist any more.
    ///
    /// # Errors
    /// When the list cannot be changed.
    pub fn remove(list: &Path, folder: &Path) -> Result<Vec<PathBuf>, TrustError> {
        let mut removed = Vec::new();
        change(list, |text| {
            let mut kept = String::new();
            for line in text.lines() {
                match Path::new(line).starts_with(folder) {
                    true => removed.push(PathBuf::from(line)),
                    false => {
                        kept.push_str(line);
                        kept.push('\n');
                    }
                }
            }
            kept
        })?;
        Ok(removed)
    }
}

/// The path as a line of the list.
fn legal(folder: &Path) -> Result<&str, &'static str> {
    let Some(line) = folder.to_str() else {
        return Err("its path is not UTF-8 text");
    };
    if line.chars().any(char::is_control) {
        return Err("its path has a line break or another control character");
    }
    if !folder.is_absolute() {
        return Err("its path is not absolute");
    }
    let climbs = |part: Component<'_>| matches!(part, Component::ParentDir | Component::CurDir);
    if folder.components().any(climbs) || line.trim() != line {
        return Err("its path has `.` or `..`, or white space at an end");
    }
    match folder.parent() {
        Some(_) => Ok(line),
        None => Err("it is the root folder, so all folders of this machine would be trusted"),
    }
}

/// Changes the list's text under a lock, and replaces the file in one step.
fn change(list: &Path, edit: impl FnOnce(&str) -> String) -> Result<(), TrustError> {
    let unusable = |error: io::Error| TrustError::List {
        path: list.to_owned(),
        reason: error.to_string(),
    };
    // If the list is a link, its target is written.
    let list = &list.canonicalize().unwrap_or_else(|_| list.to_owned());
    let folder = list.parent().unwrap_or(Path::new("."));
    make_folder(folder).map_err(unusable)?;
    let lock = File::create(list.with_extension("lock")).map_err(unusable)?;
    lock.lock().map_err(unusable)?;
    let before = read_text(list)?;
    let after = edit(&before);
    if after == before {
        return Ok(());
    }
    staged::replace(list, after.as_bytes()).map_err(unusable)
}

/// Makes a folder, and those above it, that only the user may enter.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn read_text(list: &Path) -> Result<String, TrustError> {
    let text = read_own_file(list).map_err(|reason| TrustError::List {
        path: list.to_owned(),
        reason,
    })?;
    Ok(text.unwrap_or_default())
}

/// The text of a file that decides what may be done with the user's secrets; `None` if there is none. If the file is a
/// link, its target counts.
///
/// # Errors
/// When it cannot be read, is no plain file, is too large, belongs to another user, or other users may write to it or
/// its folder.
pub(crate) fn read_own_file(path: &Path) -> Result<Option<String>, String> {
    let failed = |error: io::Error| error.to_string();
    let real = path.canonicalize();
    let folder = real.as_deref().unwrap_or(path).parent();
    if folder.is_some_and(|folder| folder.metadata().is_ok_and(|f| others_may_replace(&f))) {
        let reason = "other users can replace it; make its folder writable only for you (mode 700)";
        return Err(reason.to_owned());
    }
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if !metadata.is_file() {
        return Err("it is no plain file".to_owned());
    }
    if let Some(reason) = not_own(&metadata) {
        return Err(reason.to_owned());
    }
    let mut text = String::new();
    File::open(path)
        .map_err(failed)?
        .take(MAX_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    match text.len() as u64 > MAX_BYTES {
        true => Err(format!("it is larger than {MAX_BYTES} bytes")),
        false => Ok(Some(text)),
    }
}

/// Why a file is not in the user's own hands, if so.
pub(crate) fn not_own(metadata: &fs::Metadata) -> Option<&'static str> {
    if others_may_write(metadata) {
        return Some("other users can write to it; make it writable only for you (mode 600)");
    }
    // The owner of the file can write to it, whatever its mode says.
    let is_foreign = owner(metadata).is_some_and(|owner| owner != 0 && Some(owner) != own_user());
    is_foreign.then_some("it belongs to another user")
}

#[cfg(unix)]
fn others_may_write(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o022 != 0
}

/// A folder is safe if everybody may write to it but nobody may remove files of others (mode 1777).
#[cfg(unix)]
pub(crate) fn others_may_replace(folder: &fs::Metadata) -> bool {
    let mode = std::os::unix::fs::PermissionsExt::mode(&folder.permissions());
    mode & 0o022 != 0 && mode & 0o1000 == 0
}

#[cfg(not(unix))]
pub(crate) fn others_may_replace(_: &fs::Metadata) -> bool {
    false
}

#[cfg(unix)]
fn owner(metadata: &fs::Metadata) -> Option<u32> {
    Some(std::os::unix::fs::MetadataExt::uid(metadata))
}

#[cfg(not(unix))]
fn owner(_: &fs::Metadata) -> Option<u32> {
    None
}

/// The user that this process runs as: new files belong to that user.
#[cfg(unix)]
fn own_user() -> Option<u32> {
    Some(rustix::process::geteuid().as_raw())
}

#[cfg(not(unix))]
fn own_user() -> Option<u32> {
    None
}

#[cfg(not(unix))]
fn others_may_write(_: &fs::Metadata) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn only_canonical_paths_on_the_list_count() {
        let text = "/a/b\n\n../c\nc\n/a/../c\n~/d\n/\n /e\n/e \n/f\tg\n/h i\n";
        let list = TrustList::parse(text);
        assert_eq!(list.folders(), [Path::new("/a/b"), Path::new("/h i")]);
        assert_eq!(list.ignored(), 8);
        for (folder, by) in [
            ("/a/b", Some("/a/b")),
            ("/a/b/c/d", Some("/a/b")),
            ("/a", None),
            ("/a/bc", None),
            ("/", None),
        ] {
            assert_eq!(
                list.covering(Path::new(folder)),
                by.map(Path::new),
                "{folder}"
            );
        }
    }

    #[test]
    fn folders_are_added_once_and_removed_with_those_below() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let list = home.join("config/toolrun/trusted");
        fs::create_dir_all(home.join("a/b")).unwrap();
        fs::create_dir_all(home.join("ab")).unwrap();
        symlink(home.join("a"), home.join("link")).unwrap();
        let add = |name: &str| TrustList::add(&list, &home.join(name));
        for (name, real) in [("a/b", "a/b"), ("link", "a"), ("a/../ab", "ab"), ("a", "a")] {
            assert_eq!(add(name), Ok(home.join(real)), "{name}");
        }
        let folders = |names: &[&str]| names.iter().map(|n| home.join(n)).collect::<Vec<_>>();
        let known = || TrustList::load(&list).unwrap().folders().to_vec();
        assert_eq!(known(), folders(&["a/b", "a", "ab"]));
        assert_eq!(
            fs::metadata(&list).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let removed = TrustList::remove(&list, &home.join("a")).unwrap();
        assert_eq!(removed, folders(&["a/b", "a"]));
        assert_eq!(known(), folders(&["ab"]));
        assert_eq!(TrustList::remove(&list, &home.join("a")), Ok(vec![]));
    }

    #[test]
    fn what_cannot_be_listed_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let list = home.path().join("trusted");
        fs::write(home.path().join("file"), "").unwrap();
        fs::create_dir(home.path().join("line\nbreak")).unwrap();
        for (name, reason) in [
            ("nowhere", "not found"),
            ("file", "it is no folder"),
            ("line\nbreak", "a line break"),
            ("/", "the root folder"),
        ] {
            let told = TrustList::add(&list, &home.path().join(name)).unwrap_err();
            assert!(told.to_string().contains(reason), "{name:?}: {told}");
        }
        assert!(!list.exists());
    }

    #[test]
    fn a_list_that_others_may_write_to_counts_for_nothing() {
        let home = tempfile::tempdir().unwrap();
        let list = home.path().join("trusted");
        fs::write(&list, "/a\n").unwrap();
        for (mode, is_usable) in [(0o600, true), (0o644, true), (0o664, false), (0o602, false)] {
            fs::set_permissions(&list, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(TrustList::load(&list).is_ok(), is_usable, "{mode:o}");
            assert_eq!(
                TrustList::add(&list, home.path()).is_ok(),
                is_usable,
                "{mode:o}"
            );
        }
        fs::remove_file(&list).unwrap();
        symlink("/dev/zero", &list).unwrap();
        let told = TrustList::load(&list).unwrap_err().to_string();
        assert!(told.contains("no plain file"), "{told}");
    }

    #[test]
    fn many_may_add_at_once() {
        let home = tempfile::tempdir().unwrap();
        let list = home.path().join("trusted");
        std::thread::scope(|scope| {
            for i in 0..16 {
                let folder = home.path().join(i.to_string());
                fs::create_dir(&folder).unwrap();
                let list = &list;
                scope.spawn(move || TrustList::add(list, &folder).unwrap());
            }
        });
        assert_eq!(TrustList::load(&list).unwrap().folders().len(), 16);
    }
}
