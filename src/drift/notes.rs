//! What is noted while recordings are read: one note for each thing that is wrong, with the entries that show it.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use crate::source::{Code, Source, join};

/// An entry of a recording: the file, by its place in the list of files, and its number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Where {
    pub file: usize,
    pub entry: usize,
}

/// The entries that show something. The first few are kept, all are counted.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    first: Vec<Where>,
    last: Option<Where>,
    pub count: usize,
}

/// Entries that are named in a message.
const MOST_NAMED: usize = 5;

impl Seen {
    /// Counts an entry, once however often it shows the same.
    pub(super) fn add(&mut self, at: Where) {
        if self.last == Some(at) {
            return;
        }
        self.last = Some(at);
        self.count += 1;
        if self.first.len() < MOST_NAMED {
            self.first.push(at);
        }
    }

    /// Whether this entry is the last that was counted.
    pub(super) fn is_last(&self, at: Where) -> bool {
        self.last == Some(at)
    }

    /// The entries, for people: `shop.har: entries 3, 7 and 12 more`.
    pub(super) fn shown(&self, files: &[String]) -> String {
        let mut of: IndexMap<usize, Vec<String>> = IndexMap::new();
        for at in &self.first {
            of.entry(at.file).or_default().push(at.entry.to_string());
        }
        let more = self.count - self.first.len();
        let named = of.iter().map(|(file, entries)| {
            let noun = if entries.len() == 1 {
                "entry"
            } else {
                "entries"
            };
            let file = files.get(*file).map_or("", String::as_str);
            format!("{file}: {noun} {}", entries.join(", "))
        });
        let named = named.collect::<Vec<_>>().join("; ");
        match more {
            0 => named,
            _ => format!("{named} and {more} more"),
        }
    }
}

/// A place in a descriptor.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub source: Arc<Source>,
    pub pointer: String,
    /// Whether the key is meant, and not its value.
    pub at_key: bool,
}

impl Place {
    pub(super) fn value(source: &Arc<Source>, pointer: impl Into<String>) -> Place {
        Place {
            source: Arc::clone(source),
            pointer: pointer.into(),
            at_key: false,
        }
    }

    pub(super) fn key(source: &Arc<Source>, pointer: impl Into<String>) -> Place {
        Place {
            at_key: true,
            ..Place::value(source, pointer)
        }
    }

    /// The bytes of the place. Of a pointer that leads nowhere, the nearest value around it.
    pub(super) fn span(&self) -> Range<usize> {
        let mut pointer = self.pointer.as_str();
        while !pointer.is_empty() && self.source.value().pointer(pointer).is_none() {
            pointer = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
        // A whole map or file would be marked from end to end; its key says the same.
        let value = self.source.value().pointer(pointer);
        let is_large = matches!(value, Some(Value::Object(_) | Value::Array(_)));
        let first = || {
            let members = self.source.value().as_object()?;
            members.keys().next().map(|key| join("", key))
        };
        match (self.at_key || is_large, pointer) {
            (_, "") => self.source.key_span(&first().unwrap_or_default()),
            (true, pointer) => self.source.key_span(pointer),
            (false, pointer) => self.source.value_span(pointer),
        }
    }
}

/// Of what a note is a part: it is told in so many of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// Requests that the service did not refuse.
    Requests,
    /// Answers that are successes.
    Answers,
    /// Answers that are errors.
    Errors,
    /// Nothing that is counted.
    Nothing,
}

/// A change of a descriptor that would settle a note.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mend {
    /// The schema at this pointer takes this type too.
    Type(String, String),
    /// The list of values at this pointer has this one too.
    Enum(String, Value),
    /// The list of required members at this pointer no longer has this one.
    Optional(String, String),
    /// The value at this pointer is this one.
    Value(String, Value),
    /// The bound at this pointer lets this number through.
    Bound(String, Value),
}

/// One thing that is wrong.
#[derive(Debug, Clone)]
pub(super) struct Note {
    pub code: Code,
    pub place: Place,
    pub message: String,
    pub help: Option<String>,
    pub of: Of,
    pub tool: Option<usize>,
    pub seen: Seen,
    pub mends: Vec<Mend>,
    /// The path of the output that the note is about, if it is about one.
    pub output: Option<String>,
}

impl Note {
    pub(super) fn new(code: Code, place: Place, message: impl Into<String>) -> Note {
        Note {
            code,
            place,
            message: message.into(),
            help: None,
            of: Of::Nothing,
            tool: None,
            seen: Seen::default(),
            mends: Vec::new(),
            output: None,
        }
    }

    pub(super) fn of(self, of: Of) -> Note {
        Note { of, ..self }
    }

    pub(super) fn help(self, help: Option<String>) -> Note {
        Note { help, ..self }
    }

    pub(super) fn mend(mut self, mend: Option<Mend>) -> Note {
        self.mends.extend(mend);
        self
    }
}

/// Most changes that one note proposes.
const MOST_MENDS: usize = 32;

type Key = (String, Code, String, String);

/// All notes, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Notes(IndexMap<Key, Note>);

impl Notes {
    /// Adds a note of a tool, or counts another entry that shows it.
    pub(super) fn add(&mut self, tool: Option<usize>, note: Note, at: Where) {
        let key = (
            note.place.source.name.clone(),
            note.code,
            note.place.pointer.clone(),
            note.message.clone(),
        );
        let known = self.0.entry(key);
        let mends = note.mends.clone();
        let note = known.or_insert(Note { tool, ..note });
        note.seen.add(at);
        for mend in mends {
            if note.mends.len() < MOST_MENDS && !note.mends.contains(&mend) {
                note.mends.push(mend);
            }
        }
    }

    /// Adds a note whose entries are known already.
    pub(super) fn add_seen(&mut self, tool: usize, note: Note, seen: Seen) {
        let key = (
            note.place.source.name.clone(),
            note.code,
            note.place.pointer.clone(),
            note.message.clone(),
        );
        let tool = Some(tool);
        self.0.entry(key).or_insert(Note { tool, seen, ..note });
    }

    pub(super) fn into_list(self) -> Vec<Note> {
        self.0.into_values().collect()
    }
}

/// Names in the words of a list: `a`, `b` and 3 more.
pub(super) fn listed(names: &BTreeSet<String>, most: usize) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(most)
        .map(|name| format!("`{name}`"))
        .collect();
    match names.len().saturating_sub(most) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
