//! The file of a log. It only grows, one process writes to it, and its head says what its last line is.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::HEAD;
use super::line::{self, Event, Link, NOTHING};
use crate::serve::own;
use crate::sign::sha256;
use crate::staged::is_same;

/// How far from the end the last whole line is looked for.
const TAIL: u64 = 4 << 20;
/// The longest head that is read.
const MOST_OF_HEAD: u64 = 1 << 10;
/// How often and how long a lock is waited for: whoever verifies a log holds it for a moment.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// What the head says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    pub count: u64,
    pub hash: String,
}

/// A log that is written to.
pub(super) struct Log {
    path: PathBuf,
    file: File,
    /// The last line.
    last: Head,
    /// Where the last whole line ends, and how long the file is: there is a torn line in between.
    whole: u64,
    length: u64,
    /// The head does not say yet what the last line is.
    is_ahead: bool,
}

impl Log {
    /// Opens a log, goes on behind its last line, and says what was not as it should be.
    ///
    /// # Errors
    /// When it is not a plain file of the user's own, another process writes to it, or lines are missing at its end.
    pub(super) fn open(path: &Path) -> io::Result<(Log, Vec<String>)> {
        let options = &mut OpenOptions::new();
        let file = own::open(path, options.read(true).append(true).create(true))?;
        lock(&file)?;
        let mut log = Log {
            path: path.to_owned(),
            length: file.metadata()?.len(),
            file,
            last: Head {
                count: 0,
                hash: NOTHING.to_owned(),
            },
            whole: 0,
            is_ahead: false,
        };
        let before = log.find_end()?;
        let mut notes = Vec::new();
        notes.extend(log.compare(before.as_deref())?);
        if log.length > log.whole {
            notes.push(format!(
                "line {} was not written whole; the next line says so",
                log.last.count + 1
            ));
        }
        let version = env!("CARGO_PKG_VERSION");
        log.append(&Event::Start { version }, true)?;
        Ok((log, notes))
    }

    /// Finds the last whole line. Gives the hash of the line before it.
    fn find_end(&mut self) -> io::Result<Option<String>> {
        let from = self.length.saturating_sub(TAIL);
        let mut tail = Vec::new();
        self.file.seek(SeekFrom::Start(from))?;
        (&self.file).take(TAIL).read_to_end(&mut tail)?;
        let mut end = tail.len();
        while let Some(newline) = memchr::memrchr(b'\n', &tail[..end]) {
            let start = memchr::memrchr(b'\n', &tail[..newline]).map_or(0, |before| before + 1);
            let text = &tail[start..newline];
            if let Some(link) = Link::of(text).filter(|_| start > 0 || from == 0) {
                self.last = Head {
                    count: link.n,
                    hash: line::hash(text),
                };
                self.whole = from + newline as u64 + 1;
                return Ok(Some(link.prev));
            }
            end = newline;
        }
        match from {
            0 if !tail.contains(&b'\n') => Ok(None),
            _ => Err(own::refused("it has no line of an audit log at its end")),
        }
    }

    /// Compares the head with the last line.
    fn compare(&self, before: Option<&str>) -> io::Result<Option<String>> {
        let Head { count, hash } = &self.last;
        let Some(head) = read_head(&self.path, |head| own::read(head, MOST_OF_HEAD))? else {
            return Ok((*count > 0).then(|| {
                "it has no head, so lines that were cut at its end cannot be seen".to_owned()
            }));
        };
        let fits = match count.checked_sub(head.count) {
            None => {
                return Err(own::refused(&format!(
                    "it ends with line {count}, and {} were written: lines are missing at its end; keep it, and begin another one",
                    head.count
                )));
            }
            Some(0) => head.hash == *hash,
            // The head is written after the line.
            Some(1) => Some(head.hash.as_str()) == before,
            Some(_) => false,
        };
        match fits {
            true => Ok(None),
            false => Err(own::refused(&format!(
                "its last line, {count}, is not the one that was written; keep it, and begin another one"
            ))),
        }
    }

    /// Appends a line. A lasting one survives a loss of power too.
    ///
    /// # Errors
    /// When it cannot be written, or somebody else has changed the file.
    pub(super) fn append(&mut self, event: &Event, lasts: bool) -> io::Result<()> {
        self.check()?;
        if self.is_ahead {
            self.write_head()?;
        }
        if self.length > self.whole {
            self.mend()?;
        }
        self.put(b"", event, lasts)
    }

    /// Whether the file is still there, and as we left it.
    fn check(&self) -> io::Result<()> {
        let ours = self.file.metadata()?;
        let there = self.path.symlink_metadata()?;
        match (is_same(&ours, &there), ours.len() == self.length) {
            (true, true) => Ok(()),
            (false, _) => Err(own::refused("another file stands in its place")),
            (true, false) => Err(own::refused("somebody else has changed it")),
        }
    }

    /// Says in a line of its own that what stands before it is not whole.
    fn mend(&mut self) -> io::Result<()> {
        let mut torn = Vec::new();
        self.file.seek(SeekFrom::Start(self.whole))?;
        (&self.file).take(TAIL).read_to_end(&mut torn)?;
        // Perhaps only the end of the line is missing.
        let chained = Link::of(&torn)
            .filter(|link| link.n == self.last.count + 1 && link.prev == self.last.hash);
        if let Some(link) = chained {
            self.last = Head {
                count: link.n,
                hash: line::hash(&torn),
            };
            self.whole = self.length;
            torn.clear();
        }
        let end: &[u8] = match torn.last() {
            Some(b'\n') => {
                torn.pop();
                b""
            }
            _ => b"\n",
        };
        let event = Event::Mended {
            torn_bytes: torn.len(),
            torn_sha256: sha256(&torn),
        };
        self.put(end, &event, true)
    }

    fn put(&mut self, before: &[u8], event: &Event, lasts: bool) -> io::Result<()> {
        let count = self.last.count + 1;
        let line = line::write(count, event, &self.last.hash)?;
        let mut bytes = before.to_vec();
        bytes.extend_from_slice(&line);
        bytes.push(b'\n');
        let written = self.file.write_all(&bytes);
        // A part of it may stand there.
        self.length = self.file.metadata()?.len();
        written?;
        self.whole = self.length;
        self.last = Head {
            count,
            hash: line::hash(&line),
        };
        self.is_ahead = true;
        if lasts {
            self.file.sync_data()?;
        }
        self.write_head()
    }

    /// Replaces the head in one step.
    fn write_head(&mut self) -> io::Result<()> {
        let (head, new) = (beside(&self.path, HEAD), beside(&self.path, ".head.new"));
        let options = &mut OpenOptions::new();
        let mut file = own::open(&new, options.write(true).create(true).truncate(true))?;
        file.write_all(&serde_json::to_vec(&self.last)?)?;
        drop(file);
        fs::rename(&new, &head)?;
        self.is_ahead = false;
        Ok(())
    }
}

fn lock(file: &File) -> io::Result<()> {
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(own::refused("another process writes to it"))
}

/// What the head of a log says; `None` if there is no head. `read` reads a file.
///
/// # Errors
/// When it cannot be read, or is no head.
pub(super) fn read_head(
    log: &Path,
    read: impl Fn(&Path) -> io::Result<String>,
) -> io::Result<Option<Head>> {
    let told = |error: io::Error| own::refused(&format!("its head cannot be read: {error}"));
    match read(&beside(log, HEAD)) {
        Ok(text) => serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| told(error.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(told(error)),
    }
}

/// The file beside a log with this ending.
fn beside(log: &Path, ending: &str) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
