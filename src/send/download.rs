//! Downloads: a body goes to a file with a temporary name, which is renamed when it is whole and accepted.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use tempfile::NamedTempFile;

use super::error::{NoPlace, SendError};
use crate::words::parameters;

/// Most bytes of a file that are read to find out whether it holds an error.
const GLANCE: u64 = 1 << 20;

/// Where the body of a download goes.
#[derive(Debug, Clone)]
pub struct Destination {
    path: PathBuf,
    overwrites: bool,
}

impl Destination {
    /// A new file.
    pub fn new(path: impl Into<PathBuf>) -> Destination {
        Destination {
            path: path.into(),
            overwrites: false,
        }
    }

    /// Replaces the file if it exists already.
    #[must_use]
    pub fn overwriting(mut self) -> Destination {
        self.overwrites = true;
        self
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Checks in advance that the file can be made.
    ///
    /// # Errors
    /// When the path is taken, or the folder does not exist.
    pub fn check(&self) -> Result<(), SendError> {
        let refuse = |reason: NoPlace| {
            Err(SendError::Destination {
                path: self.path.display().to_string(),
                reason,
            })
        };
        match std::fs::metadata(&self.path) {
            // A folder, a device or a pipe must not be replaced by a file.
            Ok(there) if !there.is_file() => refuse(NoPlace::NoFile),
            Ok(_) if !self.overwrites => refuse(NoPlace::Taken),
            Ok(_) => Ok(()),
            Err(_) if self.path.file_name().is_none() => refuse(NoPlace::NoName),
            Err(_) if !self.folder().is_dir() => refuse(NoPlace::NoFolder),
            Err(_) => Ok(()),
        }
    }

    fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    pub(super) fn begin(&self) -> Result<Download, SendError> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".toolrun-").suffix(".part");
        // With the permissions of any new file, not only for its owner; the user's umask applies.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder
            .tempfile_in(self.folder())
            .map_err(|error| self.failed(&error))?;
        Ok(Download { file, bytes: 0 })
    }

    fn failed(&self, error: &std::io::Error) -> SendError {
        SendError::Save {
            path: self.path.display().to_string(),
            reason: error.to_string(),
        }
    }
}

/// A body in a file with a temporary name. Dropping this value removes the file, unless it was kept.
#[derive(Debug)]
pub(crate) struct Download {
    file: NamedTempFile,
    bytes: u64,
}

impl Download {
    /// Bytes so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    // Parts are small, and the system writes them to disk later, so no other task waits for the disk.
    pub(super) fn write(&mut self, part: &[u8], to: &Destination) -> Result<(), SendError> {
        self.bytes += part.len() as u64;
        let written = self.file.write_all(part);
        written.map_err(|error| to.failed(&error))
    }

    /// The whole content, if the file is as small as an error would be.
    pub(crate) fn glance(&self) -> Vec<u8> {
        let mut start = Vec::new();
        if self.bytes <= GLANCE
            && let Ok(file) = File::open(self.file.path())
        {
            // A file that cannot be read gives nothing.
            let _ = file.take(GLANCE).read_to_end(&mut start);
        }
        start
    }

    /// Gives the file its final name.
    ///
    /// # Errors
    /// When that fails, for example because another file has got the name meanwhile.
    pub(crate) fn keep(self, to: &Destination) -> Result<(), SendError> {
        let kept = match to.overwrites {
            true => self.file.persist(&to.path),
            false => self.file.persist_noclobber(&to.path),
        };
        kept.map(drop).map_err(|error| to.failed(&error.error))
    }
}

/// The file name that a service suggests (RFC 6266): only its last part, and only as information.
pub(crate) fn file_name(disposition: &str) -> Option<String> {
    let (mut plain, mut extended) = (None, None);
    let (_, rest) = disposition.split_once(';')?;
    for (name, value) in parameters(rest, None).0 {
        match name.as_str() {
            "filename" => plain = plain.or(Some(value)),
            "filename*" => extended = extended.or_else(|| decode_extended(&value)),
            _ => {}
        }
    }
    let name = extended.or(plain)?;
    let name: String = name
        .rsplit(['/', '\\'])
        .next()?
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    (!matches!(name.trim(), "" | "." | "..")).then_some(name)
}

/// `UTF-8'en'%e2%82%ac` (RFC 8187).
fn decode_extended(value: &str) -> Option<String> {
    let (charset, rest) = value.split_once('\'')?;
    let (_, encoded) = rest.split_once('\'')?;
    let bytes = percent_decode_str(encoded);
    match charset.to_ascii_lowercase().as_str() {
        "utf-8" => bytes.decode_utf8().ok().map(|text| text.into_owned()),
        "iso-8859-1" => Some(bytes.map(char::from).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn file_names_are_base_names() {
        for (header, expected) in [
            ("attachment; filename=report.pdf", Some("report.pdf")),
            (
                "attachment; filename=\"my; report.pdf\"",
                Some("my; report.pdf"),
            ),
            ("attachment; FileName=\"a\\\"b.txt\"", Some("a\"b.txt")),
            ("attachment; filename=\"../../etc/passwd\"", Some("passwd")),
            ("attachment; filename=\"C:\\\\dir\\\\x.txt\"", Some("x.txt")),
            ("attachment; filename=\"..\"", None),
            ("attachment; filename=\"a/\"", None),
            (
                "attachment; filename=\"e.txt\"; filename*=UTF-8''%e2%82%ac%20rates.txt",
                Some("€ rates.txt"),
            ),
            ("inline; filename*=iso-8859-1'en'%A3.txt", Some("£.txt")),
            ("inline; filename*=UTF-8''..%2f..%2fx", Some("x")),
            ("inline; filename*=nonsense; filename=a", Some("a")),
            ("inline; filename*=UTF-8''a%0d%0ab", Some("ab")),
            ("attachment", None),
            ("", None),
        ] {
            assert_eq!(file_name(header).as_deref(), expected, "{header}");
        }
    }

    #[test]
    fn what_is_there_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        let to = Destination::new(&path);
        to.check().unwrap();
        let mut download = to.begin().unwrap();
        download.write(b"one", &to).unwrap();
        assert_eq!(download.glance(), b"one");
        // Another program takes the name meanwhile.
        std::fs::write(&path, "other").unwrap();
        assert!(download.keep(&to).is_err());
        assert!(to.check().is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"other");
        let to = to.overwriting();
        to.check().unwrap();
        to.begin().unwrap().keep(&to).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"");
        drop(to.begin().unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        for bad in [folder.path().to_path_buf(), folder.path().join("no/a")] {
            let to = Destination::new(&bad).overwriting();
            assert!(to.check().is_err(), "{}", bad.display());
        }
    }
}
