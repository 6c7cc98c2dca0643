//! Files that are written whole: each under another name first, and then put in its place in one step.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

#[cfg(feature = "import")]
use tempfile::TempPath;

/// The folder that a file stands in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Whether both are of the same file, not of two that had the same name one after the other.
#[cfg(all(unix, any(feature = "serve", feature = "store")))]
pub(crate) fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    one.dev() == other.dev() && one.ino() == other.ino()
}

/// Elsewhere a file that is open is neither removed nor replaced.
#[cfg(all(not(unix), any(feature = "serve", feature = "store")))]
pub(crate) fn is_same(_: &fs::Metadata, other: &fs::Metadata) -> bool {
    other.is_file()
}

/// Replaces a file, or makes it. Only the user can read and write what is written, and it survives a loss of power. A link in
/// its place is replaced, not followed.
///
/// # Errors
/// When it cannot be written; then the file is as it was.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Only the user can read and write a temporary file.
    let mut file = tempfile::NamedTempFile::new_in(folder_of(path))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|kept| kept.error)
}

/// Replaces the text of a file at once: nobody ever sees a part of it. Its rights stay, its owner where that is allowed, and a
/// link stays a link.
///
/// # Errors
/// When it cannot be written; then the file is as it was.
#[cfg(feature = "cli")]
pub(crate) fn rewrite(path: &Path, text: &str) -> io::Result<()> {
    let path = path.canonicalize()?;
    // Only the user can read a temporary file, whatever the rights of this one are.
    let file = named().tempfile_in(folder_of(&path))?;
    let mut to = file.as_file();
    to.write_all(text.as_bytes())?;
    let metadata = fs::metadata(&path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        // Only the superuser may give a file away. Who else may write it becomes its owner.
        let _ = std::os::unix::fs::fchown(to, Some(metadata.uid()), Some(metadata.gid()));
    }
    to.set_permissions(metadata.permissions())?;
    to.sync_all()?;
    file.persist(&path).map(drop).map_err(|kept| kept.error)
}

/// Writes a file for others to read, at once: nobody ever sees a part of it. A new one has the rights that new files usually
/// have; those of one that is there stay.
///
/// # Errors
/// When it cannot be written; then the file is as it was.
#[cfg(feature = "cli")]
pub(crate) fn publish(path: &Path, text: &str) -> io::Result<()> {
    if path.exists() {
        return rewrite(path, text);
    }
    let file = new_file(folder_of(path))?;
    let mut to = file.as_file();
    to.write_all(text.as_bytes())?;
    to.sync_all()?;
    file.persist(path).map(drop).map_err(|kept| kept.error)
}

/// Writes files with the rights that new ones usually have, and makes their folders: all of them, or none where one cannot be
/// written.
///
/// # Errors
/// Which file cannot be written, and why.
#[cfg(feature = "import")]
pub(crate) fn write_all(files: &[(PathBuf, String)]) -> io::Result<()> {
    let mut made = Vec::new();
    let done = stage(files, &mut made).and_then(|staged| {
        let mut placed = staged.into_iter().zip(files);
        placed.try_for_each(|(staged, (path, _))| {
            staged.persist(path).map_err(|kept| at(path, &kept.error))
        })
    });
    if done.is_err() {
        // The deepest were made last. One that is not empty stays.
        made.iter()
            .rev()
            .for_each(|folder| drop(fs::remove_dir(folder)));
    }
    done
}

/// Writes each file under another name beside its place. They are removed when they are dropped.
#[cfg(feature = "import")]
fn stage(files: &[(PathBuf, String)], made: &mut Vec<PathBuf>) -> io::Result<Vec<TempPath>> {
    let stage = |(path, text): &(PathBuf, String)| {
        let folder = folder_of(path);
        let missing = folder.ancestors().take_while(|folder| !folder.exists());
        let missing: Vec<&Path> = missing.collect();
        made.extend(missing.into_iter().rev().map(Path::to_owned));
        let staged = fs::create_dir_all(folder).and_then(|()| {
            let mut file = new_file(folder)?;
            file.write_all(text.as_bytes())?;
            Ok(file.into_temp_path())
        });
        staged.map_err(|error| at(path, &error))
    };
    files.iter().map(stage).collect()
}

/// A file that is written under another name beside its place, and removed when it is dropped before it is placed.
#[cfg(feature = "store")]
pub(crate) struct Staged {
    path: PathBuf,
    file: tempfile::NamedTempFile,
}

#[cfg(feature = "store")]
impl Staged {
    /// A file for this place, with the rights that new files usually have.
    ///
    /// # Errors
    /// When its folder cannot be written.
    pub(crate) fn new(path: &Path) -> io::Result<Staged> {
        Ok(Staged {
            file: new_file(folder_of(path))?,
            path: path.to_owned(),
        })
    }

    /// The file, to write it.
    ///
    /// # Errors
    /// When the process has too many files.
    pub(crate) fn file(&self) -> io::Result<fs::File> {
        self.file.as_file().try_clone()
    }

    /// Puts the file in its place, in one step. It survives a loss of power.
    ///
    /// # Errors
    /// When it cannot be written; then the place is as it was.
    pub(crate) fn place(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file
            .persist(&self.path)
            .map(drop)
            .map_err(|kept| kept.error)
    }
}

/// Temporary files whose names no search for descriptors finds, and that say whose they are.
#[cfg(any(feature = "cli", feature = "import", feature = "store"))]
fn named() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".toolrun-").suffix(".new");
    builder
}

#[cfg(any(feature = "cli", feature = "import", feature = "store"))]
fn new_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = named();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

#[cfg(feature = "import")]
fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
