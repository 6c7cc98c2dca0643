//! The recorder of one process: it hears exchanges and makes a file of them.

use std::fmt;
use std::fs::File;
use std::io::{self, Seek as _, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::entry::{DEEPEST, Heard, Hiding, entry};
use super::place::Place;
use super::pseudonym::Pseudonyms;
use super::redact::Rules;
use super::spool::{Content, Line, Session, Spool, entry_at, setup_of, spools_of};
use crate::har::Writer;
use crate::send::Unsigned;
use crate::sign::Redactor;

/// Writes down what is sent and received.
pub(crate) struct Recorder {
    spool: Mutex<Spool>,
    rules: Rules,
    pseudonyms: Pseudonyms,
    /// What masks the secrets that were known at some time.
    known: Mutex<Vec<Redactor>>,
    /// The folder of the session, if the file is made by another process.
    session: Option<PathBuf>,
    /// Whether fields that services want hidden are hidden.
    hides: bool,
}

/// A recording that was written.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    /// How many exchanges it holds. If there is none, no file was written.
    pub entries: usize,
    /// What is to be said of it.
    pub notes: Vec<String>,
}

/// A recording that was not written.
#[derive(Debug)]
pub(crate) enum RecordingError {
    /// There is a secret in it.
    Secret {
        /// The number of the entry, if the others could be counted.
        entry: Option<usize>,
        /// The request of the entry, secrets masked.
        request: String,
        /// The part of the entry.
        part: String,
    },
    /// It cannot be written or read again.
    Io(String),
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordingError::Secret {
                entry,
                request,
                part,
            } => {
                let number = entry.map(|number| format!(" of entry {number}"));
                write!(
                    f,
                    "the recording was not written: there is a secret in {part}{}, {request}",
                    number.unwrap_or_default()
                )
            }
            RecordingError::Io(reason) => write!(f, "the recording was not written: {reason}"),
        }
    }
}

impl From<io::Error> for RecordingError {
    fn from(error: io::Error) -> RecordingError {
        RecordingError::Io(error.to_string())
    }
}

impl Recorder {
    /// Records what this process calls.
    ///
    /// # Errors
    /// When there is no place for what is heard.
    pub(crate) fn new(rules: Rules, pseudonyms: Pseudonyms) -> io::Result<Recorder> {
        Ok(Recorder {
            spool: Mutex::new(Spool::own()?),
            rules,
            pseudonyms,
            known: Mutex::default(),
            session: None,
            hides: true,
        })
    }

    /// Records what is held against descriptors at once, and not kept. Secrets are masked as everywhere, but no other field is
    /// hidden: a pseudonym would not be what the service sends.
    ///
    /// # Errors
    /// When there is no place for what is heard.
    pub(crate) fn of_drift(pseudonyms: Pseudonyms) -> io::Result<Recorder> {
        let rules = Rules::default();
        let hides = false;
        Ok(Recorder {
            hides,
            ..Recorder::new(rules, pseudonyms)?
        })
    }

    /// Records what this process calls for the session of a folder.
    ///
    /// # Errors
    /// When there is no such session any more.
    pub(crate) fn of_session(folder: &Path) -> io::Result<Recorder> {
        let (rules, pseudonyms) = setup_of(folder)?;
        Ok(Recorder {
            spool: Mutex::new(Spool::of_session(folder)),
            rules,
            pseudonyms,
            known: Mutex::default(),
            session: Some(folder.to_owned()),
            hides: true,
        })
    }

    /// The rules that hold for a service that has these of its own.
    pub(super) fn rules_with(&self, own: &Rules) -> Rules {
        match self.hides {
            true => self.rules.and(own),
            false => self.rules.clone(),
        }
    }

    pub(super) fn begin(&self, unsigned: &Unsigned) -> String {
        let id = uuid::Uuid::new_v4().to_string();
        self.know(&unsigned.about.redactor);
        let request = format!("{} {}", unsigned.method, unsigned.url);
        self.write(&Line::Begun {
            id: id.clone(),
            request: unsigned.about.redactor.text(&request),
        });
        id
    }

    /// Nothing came of an exchange that began.
    pub(super) fn forget(&self, id: String) {
        self.write(&Line::Forgotten { id });
    }

    pub(super) fn end(
        &self,
        id: String,
        unsigned: &Unsigned,
        heard: Heard,
        rules: &Rules,
        most: u64,
    ) {
        let hiding = Hiding {
            rules,
            pseudonyms: &self.pseudonyms,
        };
        let (entry, remarks) = entry(unsigned, heard, most, &hiding);
        for rule in remarks.hits {
            self.write(&Line::Hit(rule));
        }
        for kind in remarks.unreached {
            self.write(&Line::Unreached(kind));
        }
        if remarks.deep {
            self.write(&Line::Deep);
        }
        if remarks.rounded {
            self.write(&Line::Rounded);
        }
        if remarks.short {
            self.write(&Line::Short);
        }
        let known = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        self.write(&match secret_in(&entry, &known) {
            Some(part) => Line::Refused { id, part },
            None => Line::Ended { id, entry },
        });
    }

    fn know(&self, redactor: &Redactor) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.iter().any(|other| other.is_same(redactor)) {
            known.push(redactor.clone());
        }
    }

    /// Searches what the processes of the session wrote so far for the secrets that this one knows: an answer may have shown a
    /// secret before it was known, and to a process that never knew it.
    pub(crate) fn seal(&self) {
        let Some(folder) = &self.session else {
            return;
        };
        let known = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if known.iter().all(Redactor::is_empty) {
            return;
        }
        let found = spools_of(folder).and_then(|mut spools| {
            let content = Content::read(&mut spools)?;
            first_secret(&content, &mut spools, &known)
        });
        match found {
            Ok(None) => {}
            Ok(Some((_, request, part))) => self.write(&Line::Late { request, part }),
            // A session that has ended is told of elsewhere.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let mut spool = self.spool.lock().unwrap_or_else(PoisonError::into_inner);
                spool.break_off(&error);
            }
        }
    }

    fn write(&self, line: &Line) {
        self.spool
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(line);
    }

    /// Why the session of other processes lacks a part of what this one called, if it does.
    pub(crate) fn broken(&self) -> Option<String> {
        let spool = self.spool.lock().unwrap_or_else(PoisonError::into_inner);
        let has_ended = self.session.as_ref().is_some_and(|folder| !folder.exists());
        match spool.broken() {
            None if has_ended && spool.has_begun() => Some("it had ended before".to_owned()),
            reason => reason.map(str::to_owned),
        }
    }

    /// Makes the file. Without an exchange, there is none.
    ///
    /// # Errors
    /// When there is a secret in it, or it cannot be written. Then there is no file.
    pub(crate) fn finish(&self, place: Place) -> Result<Recorded, RecordingError> {
        let (mut spools, known) = self.heard()?;
        let into = |write: Box<Filling<'_>>| fill(place, write);
        assemble(&mut spools, into, &self.rules, &known)
    }

    /// Makes a file that has no name and is gone when it is closed. Without an exchange, it is empty.
    ///
    /// # Errors
    /// When there is a secret in it, or it cannot be written.
    pub(crate) fn finish_unnamed(&self) -> Result<(Recorded, File), RecordingError> {
        let (mut spools, known) = self.heard()?;
        let mut file = tempfile::tempfile()?;
        let into = |write: Box<Filling<'_>>| {
            let mut out = io::BufWriter::new(&mut file);
            write(&mut out)?;
            out.flush()
        };
        let recorded = assemble(&mut spools, into, &self.rules, &known)?;
        file.rewind()?;
        Ok((recorded, file))
    }

    /// What was heard so far, and what masks the secrets in it.
    fn heard(&self) -> Result<(Vec<File>, Vec<Redactor>), RecordingError> {
        let spool = self.spool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = spool.broken() {
            return Err(RecordingError::Io(reason.to_owned()));
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((spool.reopened()?, known.clone()))
    }
}

impl Session {
    /// Makes the file of all that the processes recorded. Without an exchange, there is none.
    ///
    /// # Errors
    /// When there is a secret in it, or it cannot be written. Then there is no file.
    pub(crate) fn finish(self, place: Place) -> Result<Recorded, RecordingError> {
        let mut spools = self.spools()?;
        let into = |write: Box<Filling<'_>>| fill(place, write);
        assemble(&mut spools, into, self.rules(), &[])
    }
}

/// Fills a place. An error names it.
fn fill(place: Place, write: Box<Filling<'_>>) -> io::Result<()> {
    let path = place.path().to_owned();
    let filled = place.fill(write);
    filled.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// Writes a recording to its file. It is called once.
type Filling<'f> = dyn FnOnce(&mut dyn Write) -> io::Result<()> + 'f;

/// Makes one file of spools.
fn assemble(
    spools: &mut [File],
    into: impl FnOnce(Box<Filling<'_>>) -> io::Result<()>,
    rules: &Rules,
    known: &[Redactor],
) -> Result<Recorded, RecordingError> {
    let content = Content::read(spools)?;
    if let Some((request, part)) = content.refused {
        return Err(RecordingError::Secret {
            entry: None,
            request,
            part,
        });
    }
    if let Some((number, request, part)) = first_secret(&content, spools, known)? {
        return Err(RecordingError::Secret {
            entry: Some(number),
            request,
            part,
        });
    }
    let lost = lost(&content);
    let mut notes: Vec<String> = lost
        .iter()
        .map(|lost| format!("the recording is {lost}"))
        .collect();
    notes.extend(remarks(&content, rules));
    let entries = content.entries.len();
    if entries == 0 && lost.is_none() {
        return Ok(Recorded { entries, notes });
    }
    into(Box::new(|out| {
        let mut writer = Writer::start_with(out, lost.as_deref())?;
        for at in &content.entries {
            writer.value(&entry_at(spools, at)?)?;
        }
        writer.finish().map(drop)
    }))?;
    Ok(Recorded { entries, notes })
}

/// The first entry that holds a secret: its number, its request and the part. A secret that was learned late may stand in an
/// entry that was written early.
fn first_secret(
    content: &Content,
    spools: &mut [File],
    known: &[Redactor],
) -> io::Result<Option<(usize, String, String)>> {
    for (number, at) in content.entries.iter().enumerate() {
        let entry = entry_at(spools, at)?;
        if let Some(part) = secret_in(&entry, known) {
            let masked = known
                .iter()
                .fold(request_of(&entry), |text, redactor| redactor.text(&text));
            return Ok(Some((number + 1, masked, part)));
        }
    }
    Ok(None)
}

fn request_of(entry: &Value) -> String {
    let text = |name: &str| entry["request"][name].as_str().unwrap_or_default();
    format!("{} {}", text("method"), text("url"))
}

/// What a recording lacks.
fn lost(content: &Content) -> Option<String> {
    let mut lost = Vec::new();
    if let Some(first) = content.open.first() {
        lost.push(match content.open.len() {
            1 => format!("the end of an exchange is missing: {first}"),
            more => format!("the ends of {more} exchanges are missing, such as {first}"),
        });
    }
    if content.cut > 0 {
        lost.push("a process ended while it wrote".to_owned());
    }
    if let Some(reason) = &content.unreadable {
        lost.push(format!("what was heard cannot be read again: {reason}"));
    }
    (!lost.is_empty()).then(|| format!("incomplete: {}", lost.join("; ")))
}

fn remarks(content: &Content, rules: &Rules) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    let texts = rules.texts().into_iter();
    for rule in texts.filter(|rule| !content.hits.contains(rule)) {
        notes.push(format!("`{rule}` found nothing in the recording"));
    }
    if let Some(kind) = &content.unreached_kind {
        let bodies = match content.unreached {
            1 => "1 body that is".to_owned(),
            more => format!("{more} bodies that are"),
        };
        notes.push(format!(
            "no field is hidden in {bodies} not read as JSON or as a form, such as one of {kind}"
        ));
    }
    let entries = |count: usize| match count {
        1 => "1 entry".to_owned(),
        more => format!("{more} entries"),
    };
    if content.short > 0 {
        notes.push(format!(
            "a secret of few characters was masked in {}; it may stand there by chance, and what it hides is not replayed",
            entries(content.short)
        ));
    }
    if content.deep > 0 {
        notes.push(format!(
            "{} without the arguments of the call, which are nested deeper than {DEEPEST} levels",
            entries(content.deep)
        ));
    }
    if content.rounded {
        notes.push(
            "numbers with many digits were rounded in bodies in which fields are hidden".to_owned(),
        );
    }
    notes
}

/// The part of an entry that holds a secret, in any notation.
pub(super) fn secret_in(entry: &Value, known: &[Redactor]) -> Option<String> {
    let finds = |text: &[u8]| known.iter().any(|redactor| redactor.finds(text));
    part_with(entry, &mut Vec::new(), &finds)
}

fn part_with<'e>(
    value: &'e Value,
    path: &mut Vec<std::borrow::Cow<'e, str>>,
    finds: &dyn Fn(&[u8]) -> bool,
) -> Option<String> {
    use base64::Engine as _;

    match value {
        Value::String(text) => {
            let is_packed = path.last().is_some_and(|name| name == "text");
            let packed = is_packed.then(|| base64::engine::general_purpose::STANDARD.decode(text));
            let found = finds(text.as_bytes())
                || packed.is_some_and(|bytes| bytes.is_ok_and(|bytes| finds(&bytes)));
            found.then(|| named(path))
        }
        Value::Array(items) => items.iter().enumerate().find_map(|(i, item)| {
            path.push(i.to_string().into());
            let found = part_with(item, path, finds);
            path.pop();
            found
        }),
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            if finds(name.as_bytes()) {
                return Some(format!("the name of a member of {}", named(path)));
            }
            path.push(name.as_str().into());
            let found = part_with(member, path, finds);
            path.pop();
            found
        }),
        // A number of so many digits may be one.
        Value::Number(number) => finds(number.to_string().as_bytes()).then(|| named(path)),
        Value::Bool(_) | Value::Null => None,
    }
}

fn named(path: &[std::borrow::Cow<'_, str>]) -> String {
    match path.is_empty() {
        true => "the entry".to_owned(),
        false => format!("`{}`", path.join(".")),
    }
}
