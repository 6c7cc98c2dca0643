//! The folder that exported files go to.
//!
//! A record beside the files says which were written and what was in them. So an update replaces what is as it was written, and
//! touches nothing else.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::Bundle;
use crate::sign::sha256;
use crate::staged;

/// The record. `sha256sum --check` can read it.
const RECORD: &str = ".toolrun-export";
const HEAD: &str =
    "# Written by `toolrun export`. An update replaces files that still have these digests.\n";
/// The largest file that is read, in bytes.
const MOST_BYTES: u64 = 64 << 20;

/// What is done to a folder.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    writes: Vec<(PathBuf, String)>,
    removes: Vec<PathBuf>,
    /// Files that stay as they are because they are somebody else's, and why.
    pub refused: Vec<(PathBuf, &'static str)>,
    /// Files that were written before, are not needed any more, and were changed since. They stay.
    pub kept: Vec<PathBuf>,
    /// How many files have the right text already.
    pub unchanged: usize,
}

impl Plan {
    /// Plans to write these files below `folder`. Without `update`, no file is changed.
    ///
    /// # Errors
    /// When a file that is there cannot be read.
    pub(crate) fn new(folder: &Path, bundles: &[Bundle], update: bool) -> io::Result<Plan> {
        let mut plan = Plan::default();
        for bundle in bundles {
            let root = match bundle.folder.as_str() {
                "" => folder.to_owned(),
                below => folder.join(below),
            };
            plan.add(folder, &root, bundle, update)?;
        }
        Ok(plan)
    }

    fn add(&mut self, folder: &Path, root: &Path, bundle: &Bundle, update: bool) -> io::Result<()> {
        if let Some(reason) = obstacle(folder, root) {
            self.refused.push((root.to_owned(), reason));
            return Ok(());
        }
        let old = record(root)?;
        let mut new = BTreeMap::new();
        for file in &bundle.files {
            let path = root.join(&file.path);
            new.insert(file.path.clone(), sha256(file.text.as_bytes()));
            match self.state(folder, &path, &file.text, old.get(&file.path), update)? {
                State::Same => self.unchanged += 1,
                State::Write => self.writes.push((path, file.text.clone())),
                State::Refused(reason) => self.refused.push((path, reason)),
            }
        }
        for (name, digest) in &old {
            let path = root.join(name);
            if new.contains_key(name) || obstacle(folder, &path).is_some() {
                continue;
            }
            match read(&path)? {
                None => {}
                Some(text) if update && sha256(text.as_bytes()) == *digest => {
                    self.removes.push(path);
                }
                Some(_) => self.kept.push(path),
            }
        }
        let text = written(&new);
        if new != old {
            self.writes.push((root.join(RECORD), text));
        }
        Ok(())
    }

    fn state(
        &self,
        folder: &Path,
        path: &Path,
        text: &str,
        recorded: Option<&String>,
        update: bool,
    ) -> io::Result<State> {
        if let Some(reason) = obstacle(folder, path) {
            return Ok(State::Refused(reason));
        }
        Ok(match read(path)? {
            None => State::Write,
            Some(present) if present == text => State::Same,
            Some(_) if !update => State::Refused("another file of this name is there"),
            Some(present) => match recorded {
                None => State::Refused("it was not written by an export"),
                Some(digest) if *digest == sha256(present.as_bytes()) => State::Write,
                Some(_) => State::Refused("it was changed since it was written"),
            },
        })
    }

    /// How many files are written, beside the record.
    pub(crate) fn written(&self) -> usize {
        let is_record = |path: &Path| path.file_name().is_some_and(|name| name == RECORD);
        self.writes
            .iter()
            .filter(|(path, _)| !is_record(path))
            .count()
    }

    /// How many files are removed.
    pub(crate) fn removed(&self) -> usize {
        self.removes.len()
    }

    /// Carries it out: all files are written, or none where one cannot be.
    ///
    /// # Errors
    /// When a file cannot be written or removed.
    pub(crate) fn carry_out(&self) -> io::Result<()> {
        staged::write_all(&self.writes)?;
        self.removes.iter().try_for_each(fs::remove_file)
    }
}

enum State {
    Same,
    Write,
    Refused(&'static str),
}

/// What stands in the way of a file, if anything: only folders and regular files are followed.
fn obstacle(folder: &Path, path: &Path) -> Option<&'static str> {
    let below = path.strip_prefix(folder).ok()?;
    let mut at = folder.to_owned();
    let parts: Vec<Component<'_>> = below.components().collect();
    for (i, part) in parts.iter().enumerate() {
        at.push(part);
        let Ok(metadata) = fs::symlink_metadata(&at) else {
            return None;
        };
        let is_last = i + 1 == parts.len();
        match () {
            () if metadata.is_symlink() => return Some("it is a link"),
            () if !is_last && !metadata.is_dir() => {
                return Some("a file stands where its folder should be");
            }
            () if is_last && !metadata.is_dir() && !metadata.is_file() => {
                return Some("it is no regular file");
            }
            () => {}
        }
    }
    None
}

/// The text of a file; `None` if there is none.
fn read(path: &Path) -> io::Result<Option<String>> {
    let told =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(told(error)),
        Ok(metadata) if metadata.len() > MOST_BYTES => return Ok(Some(String::new())),
        Ok(_) => {}
    }
    let bytes = fs::read(path).map_err(told)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// The digests of the files that were written, by path.
fn record(root: &Path) -> io::Result<BTreeMap<String, String>> {
    let text = read(&root.join(RECORD))?.unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let entries = lines.filter_map(|line| line.split_once("  "));
    // Only files below the folder were written, whatever the record says.
    let is_below = |path: &str| {
        let mut parts = Path::new(path).components();
        !path.is_empty() && parts.all(|part| matches!(part, Component::Normal(_)))
    };
    Ok(entries
        .filter(|(_, path)| is_below(path))
        .map(|(digest, path)| (path.to_owned(), digest.to_owned()))
        .collect())
}

fn written(files: &BTreeMap<String, String>) -> String {
    let mut text = HEAD.to_owned();
    for (path, digest) in files {
        let _ = writeln!(text, "{digest}  {path}");
    }
    text
}
