//! Results sized for a model: whole rows up to a budget of bytes. What is left out is said, with the arguments that go on
//! from there. Nothing is ever cut in the middle.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::data::{self, Changed, Member};
use super::options::{Form, Options, Wanted};
use super::table;
use crate::definition::Definition;
use crate::engine::{Note, Resume};
use crate::json::{Json, Kind, Part};
use crate::words::nearest;

/// Bytes that are kept free for what is said about the rest.
const ASIDE: usize = 700;
/// A value of so many times the budget is not even looked at: escapes make a text longer, but no text shorter than that.
const HOPELESS: usize = 8;
/// Where to go on.
pub(super) const MORE: &str = "more";
/// What there is to say.
pub(super) const NOTE: &str = "note";
/// The rows as a table.
pub(super) const TABLE: &str = "table";

/// What a call gave, and what was asked for.
pub(super) struct Given<'g> {
    pub definition: &'g Definition,
    pub options: &'g Options,
    pub wanted: &'g Wanted,
    /// The arguments of the call, with the options.
    pub arguments: &'g Map<String, Value>,
    /// The tool's name, if another tool calls it; then the next call goes through that too.
    pub via: Option<&'g str>,
    pub output: &'g Json,
    /// Why and where the walk stopped before the last page.
    pub note: Option<&'g Note>,
    /// The columns that every row has, if the descriptor says it.
    pub columns: &'g dyn Fn() -> Option<Vec<String>>,
    /// The most bytes of the text.
    pub most: usize,
}

/// A result of the right size.
#[derive(Debug)]
pub(super) struct Shaped {
    /// The text for a model: JSON, unless there is a table.
    pub text: String,
    /// The result as JSON, where its text is a table.
    pub table: Option<String>,
    /// Rows that it has.
    pub rows: Option<u64>,
    /// The member of the output that holds the rows.
    pub rows_key: Option<String>,
    /// Whether the budget left something out.
    pub is_cut: bool,
}

/// A column that no row has.
#[derive(Debug)]
pub(super) struct UnknownColumn {
    pub name: String,
    pub known: Vec<String>,
}

impl std::fmt::Display for UnknownColumn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the rows have no field `{}`", self.name)?;
        match nearest(&self.name, self.known.iter().map(String::as_str)) {
            Some(suggestion) => write!(f, "; {suggestion}"),
            None => write!(f, "; they have {}", self.known.join(", ")),
        }
    }
}

/// Makes the result of an output.
///
/// # Errors
/// When a column is asked for that no row has.
pub(super) fn shape(given: &Given<'_>) -> Result<Shaped, UnknownColumn> {
    let mut parts = parts(given);
    let rows_key = rows_key(given, &parts);
    let rows = rows_key.as_deref().and_then(|key| parts.get(key).copied());
    let place = rows_key.as_deref().and_then(|key| parts.get_index_of(key));
    if let Some(key) = &rows_key {
        parts.shift_remove(key);
    }
    let mut changed = Changed::default();
    let (mut members, left_out) = rest(&parts, given.most, &mut changed);
    let room = given.most.saturating_sub(members.size() + ASIDE);
    let taken = match rows {
        Some(rows) => Some(take(given, rows, room, &mut changed)?),
        None => None,
    };
    let keys = Keys::of(|key| parts.contains_key(key) || rows_key.as_deref() == Some(key));
    let more = more(given, taken.as_ref(), &left_out);
    let mut notes = notes(given, taken.as_ref(), &left_out);
    notes.extend(changed.told().map(str::to_owned));
    let count = taken.as_ref().map(|taken| taken.count);
    let is_cut = !left_out.is_empty() || taken.as_ref().is_some_and(|taken| taken.left > 0);
    let mut table = None;
    if let (Some(taken), Some(key)) = (taken, &rows_key) {
        match taken.table {
            Some(text) => table = Some(text),
            None => members.insert(place.unwrap_or_default(), key, taken.texts),
        }
    }
    let place_of_table = members.0.len();
    if let Some(more) = more {
        members.add(&keys.more, Value::from(more).to_string());
    }
    if !notes.is_empty() {
        members.add(&keys.note, Value::from(notes.join(" ")).to_string());
    }
    let (text, table) = match table {
        None => (members.text(), None),
        Some(lines) => {
            let text = match members.0.is_empty() {
                true => lines.clone(),
                false => format!("{lines}\n\n{}", members.text()),
            };
            members.insert(place_of_table, &keys.table, Value::from(lines).to_string());
            (text, Some(members.text()))
        }
    };
    Ok(Shaped {
        rows: count,
        is_cut,
        rows_key,
        table,
        text,
    })
}

/// The members of a result, in their order: keys and values as JSON.
#[derive(Default)]
struct Members<'g>(Vec<(String, Cow<'g, str>)>);

impl<'g> Members<'g> {
    fn add(&mut self, key: &str, piece: impl Into<Cow<'g, str>>) {
        self.insert(self.0.len(), key, piece);
    }

    fn insert(&mut self, place: usize, key: &str, piece: impl Into<Cow<'g, str>>) {
        let piece = piece.into();
        let place = place.min(self.0.len());
        self.0.insert(place, (Value::from(key).to_string(), piece));
    }

    /// The bytes of its text.
    fn size(&self) -> usize {
        let members = self
            .0
            .iter()
            .map(|(key, piece)| key.len() + piece.len() + 2);
        members.sum::<usize>().max(1) + 1
    }

    fn text(&self) -> String {
        let mut text = String::with_capacity(self.size());
        for (key, piece) in &self.0 {
            text.push(if text.is_empty() { '{' } else { ',' });
            text.push_str(key);
            text.push(':');
            text.push_str(piece);
        }
        if text.is_empty() {
            text.push('{');
        }
        text.push('}');
        text
    }
}

/// The members of the output as an object.
fn parts<'g>(given: &Given<'g>) -> IndexMap<String, Member<'g>> {
    let part = given.output.part();
    let kind = part.kind();
    let root = given.definition.root;
    match root.member(kind == Kind::Object, kind == Kind::Array) {
        Some(member) => IndexMap::from([(member.to_owned(), Member::whole(part))]),
        None => data::members(part),
    }
}

/// The member that holds the rows: the one that is known, else the longest list.
fn rows_key(given: &Given<'_>, parts: &IndexMap<String, Member<'_>>) -> Option<String> {
    let is_list = |key: &String| {
        parts
            .get(key)
            .is_some_and(|member| member.part.kind() == Kind::Array)
    };
    if let Some(known) = given.definition.rows.clone().filter(is_list) {
        return Some(known);
    }
    let lists = parts
        .iter()
        .filter(|(_, member)| member.part.kind() == Kind::Array);
    let longest = lists.max_by_key(|(_, member)| member.part.text().len())?.0;
    (given.definition.rows.is_none()).then(|| longest.clone())
}

/// The members beside the rows, and the names of those that are too large.
fn rest<'g>(
    parts: &IndexMap<String, Member<'g>>,
    most: usize,
    changed: &mut Changed,
) -> (Members<'g>, Vec<(String, usize)>) {
    let mut left_out = Vec::new();
    let mut sized: Vec<(usize, &String, Option<Cow<'g, str>>)> = parts
        .iter()
        .map(|(key, member)| {
            let bytes = member.part.text().len();
            if bytes > most * HOPELESS {
                return (bytes, key, None);
            }
            let piece = member.piece(changed);
            (piece.len(), key, Some(piece))
        })
        .collect();
    let room = most.saturating_sub(ASIDE);
    let mut used: usize = sized
        .iter()
        .map(|(bytes, key, _)| bytes + key.len() + 4)
        .sum();
    while used > room {
        let largest = sized
            .iter_mut()
            .filter(|(bytes, ..)| *bytes > 0)
            .max_by_key(|(bytes, ..)| *bytes);
        let Some((bytes, key, piece)) = largest else {
            break;
        };
        left_out.push(((*key).clone(), *bytes));
        used -= *bytes + key.len() + 4;
        (*bytes, *piece) = (0, None);
    }
    let mut members = Members::default();
    for (_, key, piece) in sized {
        if let Some(piece) = piece {
            members.add(key, piece);
        }
    }
    (members, left_out)
}

/// Rows that fit.
struct Taken<'g> {
    /// How many.
    count: u64,
    /// Their JSON as a list, unless they are a table.
    texts: Cow<'g, str>,
    table: Option<String>,
    /// All rows of the output.
    of: u64,
    /// Rows behind those that fit.
    left: u64,
    /// The bytes of the next row, if it does not fit even alone.
    too_large: Option<usize>,
}

/// All rows, if they fit as they are: most lists do, and are not looked at row by row.
fn take_all(rows: Member<'_>, room: usize) -> Option<Taken<'_>> {
    let count = rows.elements? as u64;
    // A row has a comma behind it, and all rows have brackets around them.
    if rows.part.text().len() + 1 > room {
        return None;
    }
    Some(Taken {
        count,
        texts: rows.part.as_text(),
        table: None,
        of: count,
        left: 0,
        too_large: None,
    })
}

fn take<'g>(
    given: &Given<'_>,
    rows: Member<'g>,
    room: usize,
    changed: &mut Changed,
) -> Result<Taken<'g>, UnknownColumn> {
    let wanted = given.wanted;
    let columns = match &wanted.columns {
        Some(columns) => {
            check_columns(given, rows.part, columns)?;
            Some(columns.clone())
        }
        None => None,
    };
    let header = match wanted.form {
        Form::Table => Some(columns.clone().unwrap_or_else(|| all_columns(rows.part))),
        Form::Json => None,
    };
    let is_whole = columns.is_none() && header.is_none() && wanted.skip == 0;
    if is_whole && let Some(taken) = take_all(rows, room) {
        return Ok(taken);
    }
    let rows = rows.part;
    let mut text = header.as_deref().map(table::head);
    let mut texts = String::with_capacity(rows.text().len().min(room) + 2);
    let mut taken = Taken {
        count: 0,
        texts: Cow::default(),
        table: None,
        of: 0,
        left: 0,
        too_large: None,
    };
    let mut used = text.as_ref().map_or(2, String::len);
    let mut is_full = false;
    for row in rows.elements() {
        taken.of += 1;
        if taken.of <= wanted.skip || is_full {
            continue;
        }
        let bytes = row.text().len();
        if columns.is_none() && bytes > room.saturating_mul(HOPELESS) {
            taken.too_large = (taken.count == 0).then_some(bytes);
            is_full = true;
            continue;
        }
        let (row, line) = match (&columns, &header) {
            (None, None) => (data::piece(row, changed), None),
            _ => {
                let mut row = data::value(row, changed);
                if let Some(columns) = &columns {
                    row = table::pick(row, columns);
                }
                let line = header.as_deref().map(|header| table::line(&row, header));
                (row.to_string().into(), line)
            }
        };
        let bytes = line.as_ref().map_or(row.len(), String::len) + 1;
        if used + bytes > room {
            taken.too_large = (taken.count == 0).then_some(bytes);
            is_full = true;
            continue;
        }
        used += bytes;
        match (&mut text, line) {
            (Some(text), Some(line)) => {
                text.push('\n');
                text.push_str(&line);
            }
            _ => {
                texts.push(if taken.count > 0 { ',' } else { '[' });
                texts.push_str(&row);
            }
        }
        taken.count += 1;
    }
    if texts.is_empty() {
        texts.push('[');
    }
    texts.push(']');
    taken.texts = texts.into();
    taken.left = taken.of.saturating_sub(wanted.skip) - taken.count;
    taken.table = text.filter(|_| taken.count > 0);
    Ok(taken)
}

/// The fields of all rows.
fn all_columns(rows: Part<'_>) -> Vec<String> {
    let keys_of = |row: Part<'_>| match row.kind() {
        Kind::Object => row
            .members()
            .map(|(key, _)| {
                (
                    data::text(&key.name(), &mut Changed::default()),
                    Value::Null,
                )
            })
            .collect::<Map<String, Value>>()
            .into(),
        _ => Value::Null,
    };
    let keys: Vec<Value> = rows.elements().map(keys_of).collect();
    table::columns(keys.iter())
}

fn check_columns(
    given: &Given<'_>,
    rows: Part<'_>,
    columns: &[String],
) -> Result<(), UnknownColumn> {
    let known = (given.columns)().unwrap_or_else(|| all_columns(rows));
    let unknown = columns.iter().find(|column| !known.contains(column));
    match unknown.filter(|_| !known.is_empty()) {
        Some(name) => Err(UnknownColumn {
            name: name.clone(),
            known,
        }),
        None => Ok(()),
    }
}

/// How to go on: what is left, and the arguments of the call that gives it.
fn more(
    given: &Given<'_>,
    taken: Option<&Taken<'_>>,
    left_out: &[(String, usize)],
) -> Option<Map<String, Value>> {
    let mut more = Map::new();
    if let Some(taken) = taken.filter(|taken| taken.left > 0) {
        more.insert("rows_left".to_owned(), taken.left.into());
    }
    if let Some(next) = next(given, taken) {
        let next = match given.via {
            Some(tool) => through(tool, given.options, next),
            None => next,
        };
        more.insert("next".to_owned(), next.into());
    }
    if !left_out.is_empty() {
        let names: Vec<&str> = left_out.iter().map(|(name, _)| name.as_str()).collect();
        more.insert("left_out".to_owned(), json!(names));
    }
    (!more.is_empty()).then_some(more)
}

/// The arguments of the tool that calls this one.
fn through(tool: &str, options: &Options, mut arguments: Map<String, Value>) -> Map<String, Value> {
    let mut outer = Map::new();
    outer.insert("tool".to_owned(), tool.into());
    let names = ["columns", "format", "skip_rows", "max_rows"];
    let own = options.names().into_iter().zip(names);
    let own: Vec<(&str, Value)> = own
        .filter_map(|(own, name)| Some((name, arguments.shift_remove(own?)?)))
        .collect();
    outer.insert("arguments".to_owned(), arguments.into());
    outer.extend(
        own.into_iter()
            .map(|(name, value)| (name.to_owned(), value)),
    );
    outer
}

/// The arguments that go on from here.
fn next(given: &Given<'_>, taken: Option<&Taken<'_>>) -> Option<Map<String, Value>> {
    let mut next = given.arguments.clone();
    let skip_name = given.options.skip_name();
    if let (Some(taken), Some(skip)) = (taken.filter(|taken| taken.left > 0), skip_name) {
        let beyond = u64::from(taken.too_large.is_some());
        let at = given.wanted.skip + taken.count + beyond;
        next.insert(skip.to_owned(), at.into());
        return (at < taken.of).then_some(next);
    }
    let note = given.note?;
    match &note.next {
        Some(Resume::Arguments(arguments)) => {
            if let Some(skip) = skip_name {
                next.shift_remove(skip);
            }
            let arguments = arguments.clone().into_iter();
            next.extend(arguments.map(|(name, value)| (name, data::shown(value))));
            Some(next)
        }
        // A URL is no argument, and a page that was cut has no cursor of its own: the walk begins anew and leaves out what was
        // given.
        Some(Resume::Url(_)) | None => {
            let (rows, skip) = (given.options.max_rows_name()?, skip_name?);
            let of = taken.map_or(0, |taken| taken.of);
            if note.is_incomplete() || of == 0 {
                return None;
            }
            next.insert(rows.to_owned(), (of * 2).min(10_000).into());
            next.insert(skip.to_owned(), of.into());
            (of < 10_000).then_some(next)
        }
    }
}

fn notes(
    given: &Given<'_>,
    taken: Option<&Taken<'_>>,
    left_out: &[(String, usize)],
) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(taken) = taken {
        let (given_rows, of) = (taken.count, taken.of);
        let from = given.wanted.skip;
        match taken.too_large {
            Some(bytes) => notes.push(format!(
                "Row {from} alone has {bytes} bytes, more than a result may have; `columns` makes it smaller."
            )),
            None if taken.left > 0 => notes.push(format!(
                "Rows {from} to {} of {of}; a call with the arguments in `{MORE}.next` gives the following ones.",
                from + given_rows - 1
            )),
            None if of == 0 => notes.push("The list is empty: nothing matches these arguments.".to_owned()),
            None if given_rows == 0 => notes.push(format!("There are only {of} rows, all before the first one asked for.")),
            None => {}
        }
    }
    if let Some((name, bytes)) = left_out.first() {
        let names: Vec<String> = left_out
            .iter()
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        let last = match left_out.len() {
            1 => format!("{name} has {bytes} bytes"),
            _ => format!("{name} alone has {bytes} bytes"),
        };
        notes.push(format!(
            "Left out, because a result may have {} bytes: {} ({last}).",
            given.most,
            names.join(", ")
        ));
    }
    if let Some(note) = given.note {
        let is_cut = taken.is_some_and(|taken| taken.left > 0);
        let is_plain = matches!(
            note.stopped,
            crate::engine::Stopped::OnePage | crate::engine::Stopped::MaxItems(_)
        );
        match is_plain {
            true if is_cut => {}
            true => notes.push("More rows remain behind these.".to_owned()),
            false => notes.push(format!("The list is not complete: {note}.")),
        }
    }
    notes
}

/// Names for our own members that the output does not have.
pub(super) struct Keys {
    pub more: String,
    pub note: String,
    pub table: String,
}

impl Keys {
    pub(super) fn of(is_taken: impl Fn(&str) -> bool) -> Keys {
        let free = |name: &str| {
            let mut name = name.to_owned();
            while is_taken(&name) {
                name.insert(0, '_');
            }
            name
        };
        Keys {
            more: free(MORE),
            note: free(NOTE),
            table: free(TABLE),
        }
    }
}
