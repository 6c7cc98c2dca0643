//! Files of the user's own: plain files that belong to the user and that nobody else can write. Links are not followed.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

use crate::catalog::{not_own, others_may_replace};

/// Opens a file as the options say, if it is the user's own.
///
/// # Errors
/// Why it cannot be opened, or is not the user's own. `NotFound` if there is none.
pub(super) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if folder
        .metadata()
        .is_ok_and(|facts| others_may_replace(&facts))
    {
        let reason = "other users can replace it; make its folder writable only for you (mode 700)";
        return Err(refused(reason));
    }
    let file = not_following(options).open(path).map_err(|error| {
        // The system's own words speak of too many levels of links.
        match path.symlink_metadata() {
            Ok(facts) if facts.is_symlink() => refused("it is a link"),
            _ => error,
        }
    })?;
    let facts = file.metadata()?;
    match (facts.is_file(), not_own(&facts)) {
        (false, _) => Err(refused("it is no plain file")),
        (true, Some(reason)) => Err(refused(reason)),
        (true, None) => Ok(file),
    }
}

/// The text of a file of the user's own, if it is not longer than this.
///
/// # Errors
/// As [`open`], and when it is longer or no text.
pub(super) fn read(path: &Path, most: u64) -> io::Result<String> {
    let file = open(path, OpenOptions::new().read(true))?;
    let mut text = String::new();
    file.take(most + 1).read_to_string(&mut text)?;
    match text.len() as u64 > most {
        true => Err(refused("it is too long")),
        false => Ok(text),
    }
}

/// An error with our own words.
pub(super) fn refused(reason: &str) -> io::Error {
    io::Error::other(reason.to_owned())
}

/// A link is an error, and a pipe that nobody else holds open does not hold us up.
#[cfg(unix)]
fn not_following(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;

    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    options.custom_flags(flags.bits().cast_signed()).mode(0o600)
}

#[cfg(not(unix))]
fn not_following(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}
