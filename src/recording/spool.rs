//! The spool: what a process recorded so far, one JSON text a line. What is written stays, however the process ends.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::pseudonym::Pseudonyms;
use super::redact::Rules;

/// The variable that names the folders of the sessions that record what a process calls.
pub(crate) const VARIABLE: &str = "TOOLRUN_RECORDING";
/// How the names of sessions' folders begin.
const PREFIX: &str = "toolrun-recording-";
/// The file of a session's folder that says how fields are hidden.
const SETUP: &str = "session.json";
/// Most bytes of it.
const MOST_OF_SETUP: u64 = 1 << 20;
/// How the files of processes end.
const ENDING: &str = "ndjson";

/// A line of a spool.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// An exchange began.
    Begun {
        id: String,
        /// The method and the masked URL.
        request: String,
    },
    /// It ended.
    Ended { id: String, entry: Value },
    /// Nothing came of it.
    Forgotten { id: String },
    /// It ended and cannot be written: there is a secret in this part.
    Refused { id: String, part: String },
    /// A part of an entry that was written before holds a secret.
    Late { request: String, part: String },
    /// A secret of few characters was masked in an entry.
    Short,
    /// An entry has no arguments, because they are nested too deep.
    Deep,
    /// A rule found something.
    Hit(String),
    /// A body of this type has no fields that could be hidden.
    Unreached(String),
    /// Numbers were rounded where fields were hidden.
    Rounded,
}

/// The recording of all that some processes call.
pub(crate) struct Session {
    folder: tempfile::TempDir,
    rules: Rules,
    /// The file of the session, locked while it goes on.
    _setup: File,
}

#[derive(Serialize, Deserialize)]
struct Setup {
    key: [u8; 32],
    redact: Vec<String>,
}

impl Session {
    /// Begins a session in a folder of its own, which only the user can read.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub(crate) fn begin(rules: Rules, pseudonyms: &Pseudonyms) -> io::Result<Session> {
        remove_ended();
        let mut folder = tempfile::Builder::new();
        folder.prefix(PREFIX);
        #[cfg(unix)]
        folder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let folder = folder.tempdir()?;
        let setup = Setup {
            key: pseudonyms.key(),
            redact: rules.texts(),
        };
        let mut file = tempfile::NamedTempFile::new_in(&folder)?;
        file.write_all(&serde_json::to_vec(&setup)?)?;
        // It has its name only when it is locked. Some file systems know no locks; there, nothing is removed either.
        let _ = file.as_file().try_lock();
        let file = file
            .persist(folder.path().join(SETUP))
            .map_err(|kept| kept.error)?;
        Ok(Session {
            folder,
            rules,
            _setup: file,
        })
    }

    /// The folder, for [`VARIABLE`].
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What the processes left.
    pub(super) fn spools(&self) -> io::Result<Vec<File>> {
        spools_of(self.folder.path())
    }
}

/// The spools in the folder of a session.
///
/// # Errors
/// When one cannot be read.
pub(super) fn spools_of(folder: &Path) -> io::Result<Vec<File>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == ENDING) {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(File::open).collect()
}

/// Removes the folders of sessions that were killed, with the keys of their pseudonyms. What cannot be removed stays.
fn remove_ended() {
    let folders = fs::read_dir(std::env::temp_dir()).into_iter().flatten();
    for folder in folders.flatten() {
        let is_of_session = folder.file_name().to_string_lossy().starts_with(PREFIX);
        let folder = folder.path();
        if !is_of_session || only_ours(&folder).is_err() {
            continue;
        }
        let setup = File::open(folder.join(SETUP));
        if setup.is_ok_and(|setup| setup.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(&folder);
        }
    }
}

/// Refuses a folder that somebody else could write to or read: what calls send and get would go there.
#[cfg(unix)]
fn only_ours(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    let found = fs::symlink_metadata(folder)?;
    let is_ours = found.uid() == rustix::process::geteuid().as_raw();
    let others = found.permissions().mode() & 0o077;
    match found.is_dir() && is_ours && others == 0 {
        true => Ok(()),
        false => Err(io::Error::other(format!(
            "{} is no folder that only this user can use",
            folder.display()
        ))),
    }
}

#[cfg(not(unix))]
fn only_ours(folder: &Path) -> io::Result<()> {
    fs::read_dir(folder).map(drop)
}

/// How fields are hidden in the session of a folder.
///
/// # Errors
/// When there is no session any more, or its folder is not one of this user alone.
pub(super) fn setup_of(folder: &Path) -> io::Result<(Rules, Pseudonyms)> {
    only_ours(folder)?;
    let path = folder.join(SETUP);
    if !fs::symlink_metadata(&path)?.is_file() {
        return Err(io::Error::other(format!("{} is no file", path.display())));
    }
    let mut text = Vec::new();
    File::open(path)?
        .take(MOST_OF_SETUP)
        .read_to_end(&mut text)?;
    let setup: Setup = serde_json::from_slice(&text)?;
    let rules = Rules::parse(setup.redact.iter().map(String::as_str));
    Ok((rules.map_err(io::Error::other)?, Pseudonyms::of(setup.key)))
}

/// Where the lines of a process go.
pub(super) struct Spool {
    file: Option<File>,
    /// The folder of the session, if it is one of several processes. The file is made for the first line.
    folder: Option<PathBuf>,
    /// Why a line could not be written. Nothing is written behind it.
    broken: Option<String>,
}

impl Spool {
    /// A spool of this process alone. Nobody else sees the file.
    ///
    /// # Errors
    /// When there is no place for it.
    pub(super) fn own() -> io::Result<Spool> {
        Ok(Spool {
            file: Some(tempfile::tempfile()?),
            folder: None,
            broken: None,
        })
    }

    pub(super) fn of_session(folder: &Path) -> Spool {
        Spool {
            file: None,
            folder: Some(folder.to_owned()),
            broken: None,
        }
    }

    pub(super) fn write(&mut self, line: &Line) {
        if self.broken.is_some() {
            return;
        }
        if let Err(error) = self.try_write(line) {
            let folder = self.folder.clone().unwrap_or_else(std::env::temp_dir);
            self.broken = Some(format!("{}: {error}", folder.display()));
        }
    }

    /// Nothing more is written, because something failed.
    pub(super) fn break_off(&mut self, error: &io::Error) {
        self.broken.get_or_insert_with(|| error.to_string());
    }

    fn try_write(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.file()?.write_all(&text)
    }

    fn file(&mut self) -> io::Result<&mut File> {
        if self.file.is_none()
            && let Some(folder) = &self.folder
        {
            let name = format!("{}-{}.{ENDING}", std::process::id(), uuid::Uuid::new_v4());
            let mut options = OpenOptions::new();
            options.append(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            self.file = Some(options.open(folder.join(name))?);
        }
        self.file
            .as_mut()
            .ok_or_else(|| io::Error::other("there is no spool"))
    }

    /// Why a line could not be written, if one could not.
    pub(super) fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// Whether anything was to be written.
    pub(super) fn has_begun(&self) -> bool {
        self.file.is_some()
    }

    /// The file, to read it.
    pub(super) fn reopened(&self) -> io::Result<Vec<File>> {
        self.file.iter().map(File::try_clone).collect()
    }
}

/// Where an entry stands in a spool.
pub(super) struct At {
    pub started: String,
    pub spool: usize,
    pub offset: u64,
    pub length: usize,
}

/// What spools hold.
#[derive(Default)]
pub(super) struct Content {
    /// The entries, in the order of their beginnings.
    pub entries: Vec<At>,
    /// The requests whose ends nobody wrote down.
    pub open: Vec<String>,
    /// The first entry that cannot be written: its request, and the part with the secret.
    pub refused: Option<(String, String)>,
    pub hits: BTreeSet<String>,
    /// How many bodies have no fields that could be hidden, and what the first of them is.
    pub unreached: usize,
    pub unreached_kind: Option<String>,
    pub rounded: bool,
    /// How many entries have a secret of few characters masked.
    pub short: usize,
    /// How many entries have no arguments.
    pub deep: usize,
    /// Lines that were cut.
    pub cut: usize,
    /// Why a line that is whole cannot be read.
    pub unreadable: Option<String>,
}

impl Content {
    /// Reads spools.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(super) fn read(spools: &mut [File]) -> io::Result<Content> {
        let mut content = Content::default();
        for (number, file) in spools.iter_mut().enumerate() {
            content.take(number, file)?;
        }
        // Those that began in the same millisecond stay in the order in which they ended.
        content
            .entries
            .sort_by(|one, other| one.started.cmp(&other.started));
        Ok(content)
    }

    fn take(&mut self, spool: usize, file: &mut File) -> io::Result<()> {
        file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::new(&mut *file);
        let (mut open, mut offset) = (Vec::<(String, String)>::new(), 0);
        let mut text = Vec::new();
        loop {
            text.clear();
            let length = reader.read_until(b'\n', &mut text)?;
            if length == 0 {
                break;
            }
            let line = text
                .ends_with(b"\n")
                .then(|| serde_json::from_slice::<Line>(&text));
            let close = |open: &mut Vec<(String, String)>, id: &str| {
                let at = open.iter().position(|(known, _)| known == id)?;
                Some(open.remove(at).1)
            };
            match line {
                Some(Ok(Line::Begun { id, request })) => open.push((id, request)),
                Some(Ok(Line::Ended { id, entry })) => {
                    close(&mut open, &id);
                    let started = entry["startedDateTime"].as_str().unwrap_or_default();
                    self.entries.push(At {
                        started: started.to_owned(),
                        spool,
                        offset,
                        length,
                    });
                }
                Some(Ok(Line::Refused { id, part })) => {
                    let request = close(&mut open, &id).unwrap_or_default();
                    self.refused.get_or_insert((request, part));
                }
                Some(Ok(Line::Late { request, part })) => {
                    self.refused.get_or_insert((request, part));
                }
                Some(Ok(Line::Short)) => self.short += 1,
                Some(Ok(Line::Deep)) => self.deep += 1,
                Some(Ok(Line::Forgotten { id })) => drop(close(&mut open, &id)),
                Some(Ok(Line::Hit(rule))) => drop(self.hits.insert(rule)),
                Some(Ok(Line::Unreached(kind))) => {
                    self.unreached += 1;
                    self.unreached_kind.get_or_insert(kind);
                }
                Some(Ok(Line::Rounded)) => self.rounded = true,
                Some(Err(error)) => drop(self.unreadable.get_or_insert(error.to_string())),
                None => self.cut += 1,
            }
            offset += length as u64;
        }
        self.open
            .extend(open.into_iter().map(|(_, request)| request));
        Ok(())
    }
}

/// The entry at a place.
///
/// # Errors
/// When it cannot be read.
pub(super) fn entry_at(spools: &mut [File], at: &At) -> io::Result<Value> {
    let file = &mut spools[at.spool];
    file.seek(SeekFrom::Start(at.offset))?;
    let mut text = vec![0; at.length];
    file.read_exact(&mut text)?;
    match serde_json::from_slice(&text)? {
        Line::Ended { entry, .. } => Ok(entry),
        _ => Err(io::Error::other("the spool was changed")),
    }
}
