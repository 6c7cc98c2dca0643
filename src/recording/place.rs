//! The place of a recording: a file that is not there yet. While the recording is made, a file stands there that says so, and
//! holds the place against others.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use crate::har::Writer;
use crate::staged::folder_of;

/// What the file says until the recording is whole.
const PENDING: &str = "incomplete: the recording began, and has not ended";

/// The place of a recording, held until it is written or dropped.
pub(crate) struct Place {
    path: PathBuf,
    /// It is locked.
    held: Option<File>,
}

/// Why a recording cannot go to a place.
#[derive(Debug)]
pub(crate) enum Taken {
    /// A file is there.
    File(PathBuf),
    /// Another recording is being written there.
    Recording(PathBuf),
    /// Nothing can be written there.
    Io(PathBuf, io::Error),
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Taken::File(path) => write!(f, "{} is there already", path.display()),
            Taken::Recording(path) => {
                write!(
                    f,
                    "another recording is being written to {}",
                    path.display()
                )
            }
            Taken::Io(path, error) => write!(f, "cannot write {}: {error}", path.display()),
        }
    }
}

impl Place {
    /// Takes a place. The rest of a recording that was killed is replaced.
    ///
    /// # Errors
    /// When something else is there, or nothing can be written there.
    pub(crate) fn take(path: &Path) -> Result<Place, Taken> {
        let io = |error| Taken::Io(path.to_owned(), error);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = match options.open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Place::take_over(path);
            }
            Err(error) => return Err(io(error)),
        };
        lock(&file, path)?;
        let place = Place {
            path: path.to_owned(),
            held: Some(file),
        };
        let written = place.held.as_ref().map(pending);
        written.transpose().map_err(io)?;
        Ok(place)
    }

    /// Takes the place of a recording that nobody writes any more.
    fn take_over(path: &Path) -> Result<Place, Taken> {
        let is_file = fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
        let there = || Taken::File(path.to_owned());
        if !is_file {
            return Err(there());
        }
        let mut file = File::open(path).map_err(|_| there())?;
        let mut text = Vec::new();
        let most = pending_text().len() as u64 + 1;
        (&mut file)
            .take(most)
            .read_to_end(&mut text)
            .map_err(|_| there())?;
        // One that was killed at once left an empty file.
        if !(text.is_empty() || text == pending_text()) {
            return Err(there());
        }
        lock(&file, path)?;
        // Who held it may have put the whole recording there meanwhile.
        match is_still_at(&file, path) {
            true => Ok(Place {
                path: path.to_owned(),
                held: Some(file),
            }),
            false => Err(there()),
        }
    }

    /// Writes the recording by a function, and puts it in its place in one step.
    ///
    /// # Errors
    /// When it cannot be written; then nothing stays there.
    pub(crate) fn fill(
        self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder_of(&self.path))?;
        let mut buffer = io::BufWriter::new(file.as_file_mut());
        write(&mut buffer)?;
        buffer.flush()?;
        drop(buffer);
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|kept| kept.error)?;
        let mut place = self;
        place.held = None;
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.held.is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether a file that is open stands at a path.
#[cfg(unix)]
pub(super) fn is_still_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let own = file.metadata().map(|own| (own.dev(), own.ino()));
    let there = fs::symlink_metadata(path).map(|there| (there.dev(), there.ino()));
    matches!((own, there), (Ok(own), Ok(there)) if own == there)
}

/// Whether a file that is open stands at a path: where nothing tells files apart, one of the same length.
#[cfg(not(unix))]
pub(super) fn is_still_at(file: &File, path: &Path) -> bool {
    let own = file.metadata().map(|own| own.len());
    let there = fs::symlink_metadata(path).map(|there| there.len());
    matches!((own, there), (Ok(own), Ok(there)) if own == there)
}

fn lock(file: &File, path: &Path) -> Result<(), Taken> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(fs::TryLockError::WouldBlock) => Err(Taken::Recording(path.to_owned())),
        // Some file systems know no locks.
        Err(fs::TryLockError::Error(_)) => Ok(()),
    }
}

fn pending_text() -> Vec<u8> {
    let written = Writer::start_with(Vec::new(), Some(PENDING)).and_then(Writer::finish);
    written.unwrap_or_default()
}

fn pending(mut file: &File) -> io::Result<()> {
    file.write_all(&pending_text())
}
