//! The index of a recording: where each entry stands in its file, and what it asks. Answers stay in the file until they are
//! needed, so that a recording takes little more memory than its requests without their bodies.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use url::Url;

use super::entry::REDACTED;
use super::key::{Line, canon, digest};
use super::redact::Rules;
use crate::har::{Asked, Entry, Flaw, HarError, Kind, Own, Raw, Read, Reader};

/// Most entries that are told of one by one when they cannot be read.
const MOST_TOLD: usize = 8;

/// The entries of a recording.
pub(super) struct Index {
    text: Text,
    items: Vec<Item>,
    /// The requests of the entries one after the other: the method, the origin, the path and the query.
    lines: String,
    services: Known<String>,
    /// For each service, the base URL that its first entry names.
    bases: Vec<Option<String>>,
    rules: Known<Vec<String>>,
    compiled: Vec<Rules>,
}

/// The text of a recording.
enum Text {
    File(Mutex<File>),
    /// What came through a pipe, which can be read only once.
    Memory(Vec<u8>),
}

/// One entry.
struct Item {
    /// The place of its text in the file.
    offset: u64,
    /// The place of its request in the lines.
    line: u64,
    /// The digest of the request's body.
    body: u64,
    length: u32,
    /// Its number in the file.
    number: u32,
    service: u32,
    rules: u32,
    /// Bytes of the line's parts; the query is the rest.
    method: u32,
    origin: u32,
    path: u32,
    is_of_token: bool,
}

/// Values that come back, by their numbers.
struct Known<T> {
    values: Vec<T>,
    numbers: HashMap<T, u32>,
}

/// What is known of an entry without its file.
pub(super) struct Seen<'i> {
    pub line: Line<'i>,
    /// The origin, as `scheme://host:port`.
    pub origin: &'i str,
    /// The service that toolrun wrote beside it; empty if there is none.
    pub service: &'i str,
    pub is_of_token: bool,
    /// The number of its rules.
    pub rules: usize,
    /// The digest of its body.
    pub body: u64,
}

impl<T: Clone + Eq + std::hash::Hash> Known<T> {
    fn new() -> Known<T> {
        Known {
            values: Vec::new(),
            numbers: HashMap::new(),
        }
    }

    /// The number of a value, and whether it is new.
    fn number(&mut self, value: T) -> (u32, bool) {
        if let Some(number) = self.numbers.get(&value) {
            return (*number, false);
        }
        let number = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.values.push(value.clone());
        self.numbers.insert(value, number);
        (number, true)
    }

    fn get(&self, number: u32) -> Option<&T> {
        self.values.get(number as usize)
    }
}

impl Index {
    /// Reads a recording once. Gives also what is to be said of it.
    ///
    /// # Errors
    /// Why the file is no recording.
    pub(super) fn read(path: &Path) -> Result<(Index, Vec<String>), String> {
        let shown = path.display();
        let cannot = |error: io::Error| format!("cannot read {shown}: {error}");
        let mut file = File::open(path).map_err(cannot)?;
        if file.metadata().map_err(cannot)?.is_file() {
            let (index, notes) = Index::of(BufReader::new(&mut file), path)?;
            let text = Text::File(Mutex::new(file));
            return Ok((Index { text, ..index }, notes));
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(cannot)?;
        let (index, notes) = Index::of(text.as_slice(), path)?;
        let text = Text::Memory(text);
        Ok((Index { text, ..index }, notes))
    }

    fn of(input: impl io::Read, path: &Path) -> Result<(Index, Vec<String>), String> {
        let shown = path.display();
        let mut index = Index {
            text: Text::Memory(Vec::new()),
            items: Vec::new(),
            lines: String::new(),
            services: Known::new(),
            bases: Vec::new(),
            rules: Known::new(),
            compiled: Vec::new(),
        };
        let (mut notes, mut skipped) = (Vec::new(), 0);
        let mut reader = Reader::new(input);
        loop {
            let flaw = match reader.raw() {
                Ok(None) => break,
                Ok(Some(Raw::Skipped(flaw))) => flaw,
                Ok(Some(Raw::Text {
                    number,
                    offset,
                    text,
                })) => {
                    let length = text.len();
                    match Asked::of(text, number) {
                        Ok(asked) => {
                            if let Err(reason) = index.add(number, offset, length, asked) {
                                notes.push(format!("{shown}: entry {number}: {reason}"));
                            }
                            continue;
                        }
                        Err(flaw) => flaw,
                    }
                }
                Err(error @ HarError::Broken { .. }) => {
                    notes.push(format!("{shown} is {error}"));
                    break;
                }
                Err(error) => return Err(format!("{shown}: {error}")),
            };
            skipped += 1;
            if skipped <= MOST_TOLD {
                notes.push(format!("{shown}: {flaw}"));
            }
        }
        if skipped > MOST_TOLD {
            let more = skipped - MOST_TOLD;
            notes.push(format!("{shown}: {more} more entries were passed over"));
        }
        if index.items.is_empty() {
            notes.push(format!("{shown} holds no exchange"));
        }
        Ok((index, notes))
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// Why it is not known what is hidden in entries such as this one, if this is the first of them. It is added all the same.
    fn add(
        &mut self,
        number: usize,
        offset: u64,
        length: usize,
        asked: Asked,
    ) -> Result<(), String> {
        let url = Url::parse(&asked.url).ok();
        let url = url.filter(|url| url.origin().is_tuple());
        let origin = url.as_ref().map(|url| url.origin().ascii_serialization());
        let origin = origin.unwrap_or_default();
        let (service, base, hidden, is_of_token) = match &asked.own {
            None => (String::new(), None, Vec::new(), false),
            Some(own) => {
                let base = own.more.get("base").and_then(|base| base.as_str());
                let is_of_token = own.kind == Kind::Token;
                let base = base.filter(|_| !is_of_token).map(str::to_owned);
                (own.service.clone(), base, hidden_in(own), is_of_token)
            }
        };
        let (service, is_new) = self.services.number(service);
        if is_new {
            self.bases.push(None);
        }
        if let Some(known) = self.bases.get_mut(service as usize)
            && known.is_none()
        {
            *known = base;
        }
        let (rules, is_new) = self.rules.number(hidden);
        let mut added = Ok(());
        if is_new {
            let compiled = asked.own.as_ref().map(rules_of).transpose();
            let compiled = compiled.unwrap_or_else(|reason| {
                added = Err(format!("what is hidden in it is not known: {reason}"));
                None
            });
            self.compiled.push(compiled.unwrap_or_default());
        }
        let body = digest(&canon(asked.body.as_ref(), &self.compiled[rules as usize]));
        let (path, query) = match &url {
            Some(url) => (url.path(), url.query().unwrap_or_default()),
            None => ("", ""),
        };
        let line = self.lines.len() as u64;
        for part in [asked.method.as_str(), &origin, path, query] {
            self.lines.push_str(part);
        }
        // The reader takes no entry of 4 GiB.
        let short = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        self.items.push(Item {
            offset,
            line,
            body,
            length: short(length),
            number: short(number),
            service,
            rules,
            method: short(asked.method.len()),
            origin: short(origin.len()),
            path: short(path.len()),
            is_of_token,
        });
        added
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// What is known of an entry, by its place among all.
    pub(super) fn seen(&self, at: usize) -> Option<Seen<'_>> {
        let item = self.items.get(at)?;
        let end = self.items.get(at + 1);
        let end = end.map_or(self.lines.len(), |next| next.line as usize);
        let line = self.lines.get(item.line as usize..end)?;
        let (method, rest) = line.split_at_checked(item.method as usize)?;
        let (origin, rest) = rest.split_at_checked(item.origin as usize)?;
        let (path, query) = rest.split_at_checked(item.path as usize)?;
        Some(Seen {
            line: Line {
                method,
                path,
                query,
            },
            origin,
            service: self.services.get(item.service).map_or("", String::as_str),
            is_of_token: item.is_of_token,
            rules: item.rules as usize,
            body: item.body,
        })
    }

    /// What is known of all entries that have a URL.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, Seen<'_>)> {
        let all = (0..self.len()).filter_map(|at| Some((at, self.seen(at)?)));
        all.filter(|(_, seen)| !seen.origin.is_empty())
    }

    /// The rules by which fields of entries are hidden.
    pub(super) fn rules(&self) -> &[Rules] {
        &self.compiled
    }

    /// The number of an entry in the file.
    pub(super) fn number(&self, at: usize) -> usize {
        self.items.get(at).map_or(0, |item| item.number as usize)
    }

    /// The base URL that the first entry of a service names.
    pub(super) fn base_of(&self, service: &str) -> Option<Url> {
        let number = self.services.numbers.get(service)?;
        self.bases.get(*number as usize)?.as_ref()?.parse().ok()
    }

    /// Reads an entry from the file.
    ///
    /// # Errors
    /// Why it cannot be read again.
    pub(super) fn entry(&self, at: usize) -> Result<(Entry, Vec<Flaw>), String> {
        let item = self.items.get(at).ok_or("there is no such entry")?;
        let text = self
            .text
            .at(item.offset, item.length as usize)
            .map_err(|error| error.to_string())?;
        match Read::of(text, item.number as usize) {
            Read::Entry(entry, flaws) if self.is_still(at, &entry) => Ok((*entry, flaws)),
            Read::Entry(..) => Err("it asks something else now".to_owned()),
            Read::Skipped(flaw) => Err(flaw.to_string()),
        }
    }

    /// Whether an entry asks what it asked when the index was made.
    fn is_still(&self, at: usize, entry: &Entry) -> bool {
        let Some(seen) = self.seen(at) else {
            return false;
        };
        let url = Url::parse(&entry.request.url);
        let is_line = url.is_ok_and(|url| seen.line == Line::new(&entry.request.method, &url));
        let body = entry.request.body_with_type();
        let rules = self.compiled.get(seen.rules);
        is_line && rules.is_some_and(|rules| digest(&canon(body.as_ref(), rules)) == seen.body)
    }
}

impl Text {
    fn at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        match self {
            Text::File(file) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(offset))?;
                let mut text = vec![0; length];
                file.read_exact(&mut text)?;
                Ok(text)
            }
            Text::Memory(text) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let text = text.get(start..).and_then(|text| text.get(..length));
                let text = text.ok_or(io::ErrorKind::UnexpectedEof)?;
                Ok(text.to_vec())
            }
        }
    }
}

/// The rules by which fields of an entry are hidden.
///
/// # Errors
/// Why one is no rule.
pub(super) fn rules_of(own: &Own) -> Result<Rules, String> {
    Rules::parse(hidden_in(own).iter().map(String::as_str))
}

fn hidden_in(own: &Own) -> Vec<String> {
    let texts = own.more.get(REDACTED).and_then(|texts| texts.as_array());
    let texts = texts.into_iter().flatten();
    texts
        .filter_map(|text| Some(text.as_str()?.to_owned()))
        .collect()
}
