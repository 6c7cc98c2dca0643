//! The folder that imported files go to.
//!
//! `.imported/` in that folder keeps a snapshot of each file as it was imported. With it, a later import can tell
//! changes by hand from changes in the document, and keep both. A hash could only tell that something changed. The
//! merge is by lines, so that comments and layout stay.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::merge::{Conflict, merge};
use super::{File, key_of};
use crate::check::{prove_service, prove_tool};
use crate::source::{Check, Source};
use crate::staged;
use crate::tool::ServiceSource;
use crate::tool::service::Service;

/// The subfolder of the snapshots: the files as they were imported.
const SNAPSHOTS: &str = ".imported";
/// The ending of a snapshot's name. It differs from that of a descriptor, so that no snapshot is loaded as one.
const SNAPSHOT_ENDING: &str = ".base";
const SERVICE_FILE: &str = "service.yaml";
/// The largest file that is read, in bytes. No descriptor is larger.
const MOST_BYTES: u64 = 1 << 20;
/// The most that the imported files of a folder may have together, in bytes.
const MOST_BYTES_IN_ALL: usize = 64 << 20;

/// A folder with what earlier imports left in it.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// The files that an import made, by what they describe.
    files: HashMap<Key, Present>,
    /// The same files as they were imported.
    snapshots: HashMap<Key, Present>,
}

/// Which part of the document a file describes: an operation, or the service (`None`).
type Key = Option<String>;

#[derive(Debug, Clone)]
struct Present {
    name: String,
    text: String,
}

/// What an import does to one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    /// The file's name.
    pub file: String,
    /// What happens to it.
    pub state: State,
    /// The reason, if the file is not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What happens to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// It is new.
    Created,
    /// It already has the text that the import would write.
    Unchanged,
    /// It is overwritten; it was not changed by hand.
    Updated,
    /// It gets the changes of the document and keeps the changes by hand.
    Merged,
    /// It was changed by hand, and nothing changed in the document.
    Kept,
    /// It was removed by hand, and is not made again.
    Removed,
    /// Its operation is no longer in the document. The file stays.
    Orphaned,
    /// A different file of this name exists, and the caller did not ask for an update. No file of the import is
    /// written.
    Refused,
    /// The same lines were changed by hand and in the document. The file stays as it is.
    Conflict,
}

/// What an import does to a folder.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What happens to each file.
    pub changes: Vec<Change>,
    writes: Vec<(PathBuf, String)>,
}

impl Folder {
    /// Reads a folder. One that does not exist counts as empty.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn open(path: &Path) -> io::Result<Folder> {
        Ok(Folder {
            path: path.to_owned(),
            files: imported_files(path, ".yaml")?,
            snapshots: imported_files(&path.join(SNAPSHOTS), SNAPSHOT_ENDING)?,
        })
    }

    /// The files that an import made, as they are now: the operation (`None` for the service), the name and the text.
    #[cfg(feature = "cli")]
    pub(crate) fn imported(&self) -> impl Iterator<Item = (Option<&str>, &str, &str)> {
        texts(&self.files)
    }

    /// The same files as they were imported.
    #[cfg(feature = "cli")]
    pub(crate) fn as_imported(&self) -> impl Iterator<Item = (Option<&str>, &str, &str)> {
        texts(&self.snapshots)
    }

    /// The names of the tools that an import made, by operation.
    pub(crate) fn known_names(&self) -> HashMap<String, String> {
        // A file that was removed by hand keeps its name, so that no other tool gets it.
        let all = self.snapshots.iter().chain(&self.files);
        all.filter_map(|(key, present)| {
            let stem = present.name.strip_suffix(".yaml")?;
            Some((key.clone()?, stem.to_owned()))
        })
        .collect()
    }

    /// Plans the import of these files. `update` says whether existing files may change. `in_document` says whether an
    /// operation is still in the document.
    pub(crate) fn plan(
        &self,
        files: &[File],
        update: Update,
        in_document: impl Fn(&str) -> bool,
    ) -> Plan {
        let mut plan = Plan {
            changes: Vec::new(),
            writes: Vec::new(),
        };
        let mut service_text = None;
        for file in files {
            let (change, text) = self.change_of(file, update, service_text.as_deref());
            if file.key.is_none() {
                service_text = Some(text.clone().unwrap_or_else(|| file.text.clone()));
            }
            let is_settled = !matches!(change.state, State::Conflict | State::Refused);
            let snapshot = self.snapshot_path(&file.name);
            if let Some(text) = text {
                plan.writes.push((self.path.join(&file.name), text));
            }
            let known = self.snapshots.get(&file.key);
            if is_settled && known.is_none_or(|known| known.text != file.text) {
                plan.writes.push((snapshot, file.text.clone()));
            }
            plan.changes.push(change);
        }
        let mut orphans: Vec<&Present> = self
            .files
            .iter()
            .filter(|(key, _)| key.as_deref().is_some_and(|key| !in_document(key)))
            .map(|(_, present)| present)
            .collect();
        orphans.sort_by(|a, b| a.name.cmp(&b.name));
        plan.changes
            .extend(orphans.into_iter().map(|present| Change {
                file: present.name.clone(),
                state: State::Orphaned,
                reason: Some("its operation is no longer in the document".to_owned()),
            }));
        plan
    }

    fn snapshot_path(&self, name: &str) -> PathBuf {
        self.path
            .join(SNAPSHOTS)
            .join(format!("{name}{SNAPSHOT_ENDING}"))
    }

    /// What happens to one file, and the text to write.
    fn change_of(
        &self,
        file: &File,
        update: Update,
        service: Option<&str>,
    ) -> (Change, Option<String>) {
        let is = |state: State, reason: Option<String>, text: Option<String>| {
            let change = Change {
                file: file.name.clone(),
                state,
                reason,
            };
            (change, text)
        };
        let base = self.snapshots.get(&file.key);
        let present = match read_bounded(&self.path.join(&file.name)) {
            Ok(Some(present)) => present,
            Ok(None) => {
                return match (base, update) {
                    (Some(_), Update::Merge) => is(
                        State::Removed,
                        Some("it was removed by hand".to_owned()),
                        None,
                    ),
                    _ => is(State::Created, None, Some(file.text.clone())),
                };
            }
            // What cannot be read is somebody's all the same.
            Err(reason) => {
                let state = match update {
                    Update::Refuse => State::Refused,
                    Update::Merge => State::Conflict,
                };
                return is(state, Some(reason), None);
            }
        };
        if present == file.text {
            return is(State::Unchanged, None, None);
        }
        if update == Update::Refuse {
            let reason = "there is another file of this name".to_owned();
            return is(State::Refused, Some(reason), None);
        }
        let Some(base) = base else {
            let reason = "it was not imported, or its snapshot is gone";
            return is(State::Conflict, Some(reason.to_owned()), None);
        };
        match merge(&base.text, &present, &file.text) {
            Ok(merged) if merged == present => is(State::Kept, None, None),
            Ok(merged) if merged == file.text => is(State::Updated, None, Some(merged)),
            Ok(merged) => match why_invalid(file, &merged, service) {
                None => is(State::Merged, None, Some(merged)),
                Some(reason) => is(State::Conflict, Some(reason), None),
            },
            Err(conflicts) => is(State::Conflict, Some(describe_conflicts(&conflicts)), None),
        }
    }
}

#[cfg(feature = "cli")]
fn texts(files: &HashMap<Key, Present>) -> impl Iterator<Item = (Option<&str>, &str, &str)> {
    let files = files.iter();
    files.map(|(key, file)| (key.as_deref(), file.name.as_str(), file.text.as_str()))
}

/// What to do with files that exist already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Update {
    /// Change none of them.
    Refuse,
    /// Merge the changes of the document into them; changes by hand stay.
    Merge,
}

impl Plan {
    /// Whether the plan may be carried out: it overwrites no file of somebody else.
    pub(crate) fn is_allowed(&self) -> bool {
        !self.has(State::Refused)
    }

    /// Whether there is a file of this state.
    pub(crate) fn has(&self, state: State) -> bool {
        self.changes.iter().any(|change| change.state == state)
    }

    /// Writes the files: all of them, or none where one cannot be written.
    ///
    /// # Errors
    /// When one cannot be written.
    pub(crate) fn write(&self) -> io::Result<()> {
        staged::write_all(&self.writes)
    }
}

/// The text of a file; `None` if there is none.
///
/// # Errors
/// Why it cannot be read: it is no regular file, so that reading it might never end, or too large, or no text.
fn read_bounded(path: &Path) -> Result<Option<String>, String> {
    let metadata = match fs::metadata(path) {
        // A link to nowhere is there as well.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match fs::symlink_metadata(path) {
                Ok(_) => Err("it is a link to a file that is not there".to_owned()),
                Err(_) => Ok(None),
            };
        }
        Err(error) => return Err(error.to_string()),
        Ok(metadata) => metadata,
    };
    if !metadata.is_file() {
        return Err("it is no regular file".to_owned());
    }
    let mut text = String::new();
    let read =
        fs::File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_string(&mut text));
    match read {
        Err(error) => Err(error.to_string()),
        Ok(_) if text.len() as u64 > MOST_BYTES => {
            Err(format!("it is larger than {} MiB", MOST_BYTES >> 20))
        }
        Ok(_) => Ok(Some(text)),
    }
}

/// The imported files in a folder, by the part of the document that they describe.
fn imported_files(path: &Path, ending: &str) -> io::Result<HashMap<Key, Present>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashMap::new()),
        Err(error) => return Err(error),
    };
    let mut found = HashMap::new();
    let mut bytes = 0;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.ends_with(ending) || !entry.file_type()?.is_file() {
            continue;
        }
        // A snapshot that cannot be read would be taken for one that is gone. Other files may be anybody's: an import that
        // needs one of that name says why it cannot be read.
        let text = match read_bounded(&entry.path()) {
            Ok(Some(text)) => text,
            Err(reason) if ending == SNAPSHOT_ENDING => {
                return Err(io::Error::other(format!(
                    "{}: {reason}",
                    entry.path().display()
                )));
            }
            _ => continue,
        };
        let name = match ending {
            SNAPSHOT_ENDING => name.trim_end_matches(SNAPSHOT_ENDING).to_owned(),
            _ => name,
        };
        let key = match name == SERVICE_FILE {
            true => None,
            false => match key_of(&text) {
                Some(key) => Some(key.to_owned()),
                None => continue,
            },
        };
        bytes += text.len();
        if bytes > MOST_BYTES_IN_ALL {
            return Err(io::Error::other(format!(
                "its imported files have more than {} MiB together",
                MOST_BYTES_IN_ALL >> 20
            )));
        }
        found.insert(key, Present { name, text });
    }
    Ok(found)
}

/// Why a merged file is not a valid descriptor; `None` if it is valid.
fn why_invalid(file: &File, merged: &str, service: Option<&str>) -> Option<String> {
    let check = |name: &str, text: &str| {
        Source::parse(name.to_owned(), text.to_owned().into())
            .map(Check::proving)
            .map_err(|findings| {
                findings
                    .first()
                    .map(|f| f.message.clone())
                    .unwrap_or_default()
            })
    };
    let checked = check(&file.name, merged).map(|checked| {
        match &file.key {
            None => {
                prove_service(&checked);
            }
            Some(_) => {
                let beside = service
                    .and_then(|text| check(SERVICE_FILE, text).ok())
                    .and_then(|check| Service::load(&check))
                    .map_or(ServiceSource::Broken(None), |service| {
                        ServiceSource::Beside(Arc::new(service))
                    });
                prove_tool(&checked, &beside);
            }
        }
        match checked.failed() {
            true => checked.into_findings().first().map(|f| f.message.clone()),
            false => None,
        }
    });
    match checked {
        Ok(None) => None,
        Ok(Some(reason)) | Err(reason) => {
            Some(format!("the merged file would not be valid: {reason}"))
        }
    }
}

fn describe_conflicts(conflicts: &[Conflict]) -> String {
    let lines: Vec<String> = conflicts.iter().map(|one| one.line.to_string()).collect();
    let lines = match lines.as_slice() {
        [one] => format!("line {one}"),
        several => format!("lines {}", several.join(", ")),
    };
    format!("{lines}: changed by hand, and changed differently in the document")
}
