//! The reader of recordings.

use std::fmt;
use std::io::{self, Read as Input};

use super::entry;
use super::exchange::{Asked, Entry};
use super::scan::{Scanner, Value};

/// Most bytes of one entry. A larger one is passed over and told.
const MAX_ENTRY: usize = 256 * 1024 * 1024;
/// Most bytes of the name of a member.
const MAX_NAME: usize = 64 * 1024;

/// Reads the entries of a recording one after the other.
pub(crate) struct Reader<R> {
    scanner: Scanner<R>,
    at: At,
    /// Entries so far, also those that were passed over.
    count: usize,
    has_entries: bool,
}

/// One entry, or why it could not be read.
#[derive(Debug)]
pub(crate) enum Read {
    /// The entry, and what of it could not be read or was read by a guess.
    Entry(Box<Entry>, Vec<Flaw>),
    /// An entry that was passed over.
    Skipped(Flaw),
}

/// The text of one entry, or why there is none.
pub(crate) enum Raw {
    /// A JSON value.
    Text {
        /// The number of the entry, counted from 1.
        number: usize,
        /// Where the text begins in the file, in bytes.
        offset: u64,
        text: Vec<u8>,
    },
    /// An entry that was passed over.
    Skipped(Flaw),
}

impl Read {
    /// Reads the text of the entry with this number.
    pub(crate) fn of(text: Vec<u8>, number: usize) -> Read {
        entry::read(text, number)
    }
}

impl Asked {
    /// Reads what the entry with this number asks.
    ///
    /// # Errors
    /// Why the entry is passed over.
    pub(crate) fn of(text: Vec<u8>, number: usize) -> Result<Asked, Flaw> {
        entry::asked(text, number)
    }
}

/// Something in an entry that is not as HAR has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flaw {
    /// The number of the entry, counted from 1.
    pub entry: usize,
    /// The JSON Pointer of the place in the file.
    pub pointer: String,
    /// What is there, and what was made of it.
    pub reason: String,
}

/// A recording cannot be read any further.
#[derive(Debug)]
pub(crate) enum HarError {
    /// The file cannot be read.
    Io(io::Error),
    /// It is JSON without `log.entries`, or no JSON at all.
    NotHar(String),
    /// It ends too early or is broken behind some entries.
    Broken {
        /// Entries before the place.
        entries: usize,
        /// The place, in bytes from the start.
        offset: u64,
        reason: String,
    },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "entry {} ({}): {}",
            self.entry, self.pointer, self.reason
        )
    }
}

impl fmt::Display for HarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HarError::Io(error) => error.fmt(f),
            HarError::NotHar(reason) => write!(f, "this is no HAR: {reason}"),
            HarError::Broken {
                entries,
                offset,
                reason,
            } => {
                let noun = if *entries == 1 { "entry" } else { "entries" };
                write!(
                    f,
                    "broken at byte {offset}, after {entries} {noun}: {reason}"
                )
            }
        }
    }
}

impl std::error::Error for HarError {}

impl From<io::Error> for HarError {
    fn from(error: io::Error) -> HarError {
        HarError::Io(error)
    }
}

/// Where the reader stands.
#[derive(Clone, Copy)]
enum At {
    Start,
    /// Between the members of the object at this depth: 1 is the file, 2 its `log`.
    Members(u8),
    /// Between entries, in the object at this depth.
    Entries(u8),
    End,
}

impl<R: Input> Reader<R> {
    /// Begins to read. It reads nothing yet.
    pub(crate) fn new(input: R) -> Reader<R> {
        Reader {
            scanner: Scanner::new(input),
            at: At::Start,
            count: 0,
            has_entries: false,
        }
    }

    /// The text of the next entry; none at the end of the file, and behind an error.
    ///
    /// # Errors
    /// When the file cannot be read any further.
    pub(crate) fn raw(&mut self) -> Result<Option<Raw>, HarError> {
        let read = self.next_text();
        if read.is_err() {
            self.at = At::End;
        }
        read
    }

    fn next_text(&mut self) -> Result<Option<Raw>, HarError> {
        loop {
            match self.at {
                At::Start => self.start()?,
                At::Members(depth) => self.member(depth)?,
                At::Entries(depth) => match self.scanner.token()? {
                    Some(b']') => {
                        self.scanner.take();
                        self.at = At::Members(depth);
                    }
                    Some(b',') => self.scanner.take(),
                    _ => return self.entry().map(Some),
                },
                At::End => return Ok(None),
            }
        }
    }

    /// Enters the file, behind a byte order mark.
    fn start(&mut self) -> Result<(), HarError> {
        for (at, mark) in [0xEF, 0xBB, 0xBF].into_iter().enumerate() {
            match self.scanner.peek()? {
                Some(byte) if byte == mark => self.scanner.take(),
                Some(0xFE | 0xFF) if at == 0 => {
                    return Err(HarError::NotHar(
                        "it is UTF-16; write it as UTF-8".to_owned(),
                    ));
                }
                _ => break,
            }
        }
        match self.scanner.token()? {
            Some(b'{') => self.scanner.take(),
            Some(_) => return Err(HarError::NotHar("it is no JSON object".to_owned())),
            None => return Err(HarError::NotHar("it is empty".to_owned())),
        }
        self.at = At::Members(1);
        Ok(())
    }

    /// Takes a member of the file or of its log, or the end of that object.
    fn member(&mut self, depth: u8) -> Result<(), HarError> {
        match self.scanner.token()? {
            Some(b',') => self.scanner.take(),
            Some(b'}') => {
                self.scanner.take();
                if depth == 1 {
                    return self.end();
                }
                self.at = At::Members(depth - 1);
            }
            Some(b'"') => {
                let name = self.name()?;
                let opening = self.scanner.token()?;
                match (name.as_str(), opening) {
                    ("log", Some(b'{')) if depth == 1 => {
                        self.scanner.take();
                        self.at = At::Members(2);
                    }
                    ("entries", Some(b'[')) => {
                        self.scanner.take();
                        self.has_entries = true;
                        self.at = At::Entries(depth);
                    }
                    ("entries", Some(_)) => {
                        return Err(HarError::NotHar("its `entries` are no array".to_owned()));
                    }
                    _ => self.pass()?,
                }
            }
            found => return Err(self.broken(found)),
        }
        Ok(())
    }

    /// The name of a member, with the colon behind it.
    fn name(&mut self) -> Result<String, HarError> {
        let name = match self.scanner.value(MAX_NAME)? {
            Value::Text(text) => serde_json::from_slice(&text).ok(),
            Value::TooLarge => Some(String::new()),
            Value::Cut => return Err(self.broken(None)),
        };
        match (name, self.scanner.token()?) {
            (Some(name), Some(b':')) => {
                self.scanner.take();
                Ok(name)
            }
            (_, found) => Err(self.broken(found)),
        }
    }

    /// Takes a value that nobody needs.
    fn pass(&mut self) -> Result<(), HarError> {
        let before = self.scanner.offset();
        match self.scanner.value(0)? {
            Value::Cut => Err(self.broken(None)),
            _ if self.scanner.offset() == before => {
                let found = self.scanner.peek()?;
                Err(self.broken(found))
            }
            _ => Ok(()),
        }
    }

    fn entry(&mut self) -> Result<Raw, HarError> {
        let before = self.scanner.offset();
        let value = self.scanner.value(MAX_ENTRY)?;
        self.count += 1;
        match value {
            Value::Text(text) if !text.is_empty() => Ok(Raw::Text {
                number: self.count,
                offset: before,
                text,
            }),
            Value::Text(_) => {
                self.count -= 1;
                let found = self.scanner.peek()?;
                Err(self.broken(found))
            }
            Value::TooLarge => Ok(Raw::Skipped(Flaw {
                entry: self.count,
                pointer: format!("/log/entries/{}", self.count - 1),
                reason: format!(
                    "it has more than {} MiB and was passed over",
                    MAX_ENTRY / 1024 / 1024
                ),
            })),
            Value::Cut => Err(HarError::Broken {
                entries: self.count - 1,
                offset: self.scanner.offset(),
                reason: format!(
                    "the file ends within entry {}, which begins at byte {before}",
                    self.count
                ),
            }),
        }
    }

    /// The end of the file, behind which nothing may stand.
    fn end(&mut self) -> Result<(), HarError> {
        if let found @ Some(_) = self.scanner.token()? {
            return Err(self.broken(found));
        }
        if !self.has_entries {
            return Err(HarError::NotHar("it has no `log.entries`".to_owned()));
        }
        self.at = At::End;
        Ok(())
    }

    fn broken(&self, found: Option<u8>) -> HarError {
        let reason = match found {
            None => "the file ends too early".to_owned(),
            Some(byte) if byte.is_ascii_graphic() => {
                format!("`{}` is not expected here", byte as char)
            }
            Some(_) => "this is no JSON".to_owned(),
        };
        // A file that breaks before its first entry may be anything.
        match self.has_entries {
            false => HarError::NotHar(format!("{reason} (byte {})", self.scanner.offset())),
            true => HarError::Broken {
                entries: self.count,
                offset: self.scanner.offset(),
                reason,
            },
        }
    }
}

/// After an error there is nothing more.
impl<R: Input> Iterator for Reader<R> {
    type Item = Result<Read, HarError>;

    fn next(&mut self) -> Option<Self::Item> {
        let raw = self.raw().transpose()?;
        Some(raw.map(|raw| match raw {
            Raw::Text { number, text, .. } => Read::of(text, number),
            Raw::Skipped(flaw) => Read::Skipped(flaw),
        }))
    }
}
