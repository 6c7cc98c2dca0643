//! Local files that requests send. Only files that the caller allows are read.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// Largest local file that is sent, in bytes.
pub(crate) const MAX_FILE_BYTES: u64 = 256 << 20;

/// Which local files may be read for requests.
///
/// A path comes from the arguments of a call. If another program chooses the arguments (a model, a web page), it can
/// read everything that is allowed here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Files {
    /// None.
    #[default]
    Denied,
    /// Files in a folder and below it, after symbolic links are resolved. Relative paths start there.
    Below(PathBuf),
    /// Any.
    Any,
}

/// A local file could not be read for a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// No file may be read.
    #[error("the request sends the file {0:?}, and no local files may be read")]
    Denied(String),
    /// The file is not in the folder that may be read.
    #[error("the request sends the file {0:?}, which is outside of the folder that may be read")]
    Outside(String),
    /// The file cannot be read.
    #[error("cannot read the file {path:?}: {reason}")]
    Unreadable {
        /// The path.
        path: String,
        /// Why.
        reason: String,
    },
}

impl FileError {
    /// Whether a rule forbids the file. Otherwise it is missing or broken.
    pub fn is_policy(&self) -> bool {
        matches!(self, FileError::Denied(_) | FileError::Outside(_))
    }
}

impl Files {
    /// Reads a file, if it is allowed.
    ///
    /// # Errors
    /// When it is not allowed, or the file is missing, not a regular file, or too large.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        let unreadable = |reason: String| FileError::Unreadable {
            path: path.to_owned(),
            reason,
        };
        let resolved = match self {
            Files::Denied => return Err(FileError::Denied(path.to_owned())),
            Files::Any => PathBuf::from(path),
            Files::Below(folder) => {
                // A path that is outside by its name alone is not looked up, so nobody learns whether the file exists.
                let climbs = |part: Component<'_>| part == Component::ParentDir;
                let joined = folder.join(path);
                if !joined.starts_with(folder) || Path::new(path).components().any(climbs) {
                    return Err(FileError::Outside(path.to_owned()));
                }
                let real = |path: &Path| {
                    path.canonicalize()
                        .map_err(|error| unreadable(error.to_string()))
                };
                let file = real(&joined)?;
                if !file.starts_with(real(folder)?) {
                    return Err(FileError::Outside(path.to_owned()));
                }
                file
            }
        };
        read_regular(&resolved).map_err(unreadable)
    }
}

fn read_regular(path: &Path) -> Result<Vec<u8>, String> {
    // Opening a pipe would wait for its writer.
    let metadata = path.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is no plain file".to_owned());
    }
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    match bytes.len() as u64 > MAX_FILE_BYTES {
        true => Err(format!("it is larger than {MAX_FILE_BYTES} bytes")),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn files_are_read_where_that_is_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        std::fs::create_dir_all(at("in/sub")).unwrap();
        for name in ["in/a", "in/sub/b", "out"] {
            std::fs::write(at(name), name).unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(at("out"), at("in/link")).unwrap();
        let below = Files::Below(at("in").into());
        for (files, path, expected) in [
            (&Files::Any, at("out"), Ok("out")),
            (&Files::Denied, at("out"), Err("no local files may be read")),
            (&below, "a".to_owned(), Ok("in/a")),
            (&below, "sub/b".to_owned(), Ok("in/sub/b")),
            (&below, "./a".to_owned(), Ok("in/a")),
            (&below, at("in/a"), Ok("in/a")),
            (&below, at("out"), Err("outside of the folder")),
            (&below, "../out".to_owned(), Err("outside of the folder")),
            (
                &below,
                "../nothing".to_owned(),
                Err("outside of the folder"),
            ),
            (&below, "sub/../a".to_owned(), Err("outside of the folder")),
            #[cfg(unix)]
            (&below, "link".to_owned(), Err("outside of the folder")),
            (
                &below,
                "nothing".to_owned(),
                Err("cannot read the file \"nothing\""),
            ),
            (&below, "sub".to_owned(), Err("it is no plain file")),
            (&Files::Any, at("in"), Err("it is no plain file")),
        ] {
            match (files.read(&path), expected) {
                (Ok(bytes), Ok(expected)) => assert_eq!(bytes, expected.as_bytes(), "{path}"),
                (Err(error), Err(expected)) => {
                    assert!(error.to_string().contains(expected), "{path}: {error}");
                }
                (given, _) => panic!("{path}: {given:?}"),
            }
        }
    }
}
