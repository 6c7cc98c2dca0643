//! Changes of descriptors that settle what was found, made so that comments and layout stay.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::notes::{Mend, Note};
use crate::source::Source;
use crate::tool::Tool;
use crate::yaml::with_values;

/// A descriptor's file as it could be.
#[derive(Debug)]
pub(crate) struct Patch {
    /// The file's name as the user knows it.
    pub name: String,
    /// Where it is; none for one that is built in.
    pub path: Option<PathBuf>,
    pub before: String,
    /// The new text, or why there is none.
    pub after: Result<String, String>,
    /// How many findings the new text settles.
    pub settles: usize,
    /// The tool of the file, if it is a tool's.
    pub tool: Option<Arc<Tool>>,
}

/// What can be changed so that notes are settled, file by file.
pub(super) fn patches(notes: &[Note], tools: &[Arc<Tool>]) -> Vec<Patch> {
    let mut files: BTreeMap<&str, (&Arc<Source>, Vec<&Note>)> = BTreeMap::new();
    for note in notes.iter().filter(|note| !note.mends.is_empty()) {
        let source = &note.place.source;
        let (_, notes) = files.entry(&source.name).or_insert((source, Vec::new()));
        notes.push(note);
    }
    let patches = files.into_iter().filter_map(|(name, (source, notes))| {
        let changes = changes(source.value(), &notes);
        let tool = tools.iter().find(|tool| Arc::ptr_eq(&tool.source, source));
        (!changes.is_empty()).then(|| Patch {
            name: name.to_owned(),
            path: source.path().map(|path| path.to_path_buf()),
            before: source.text().to_owned(),
            after: with_values(source.text(), &changes),
            settles: notes.len(),
            tool: tool.cloned(),
        })
    });
    patches.collect()
}

/// The new values at their pointers. Several changes of one value become one.
fn changes(file: &Value, notes: &[&Note]) -> Vec<(String, Value)> {
    let mut values: BTreeMap<String, Value> = BTreeMap::new();
    for mend in notes.iter().flat_map(|note| &note.mends) {
        let pointer = match mend {
            Mend::Type(pointer, _)
            | Mend::Enum(pointer, _)
            | Mend::Optional(pointer, _)
            | Mend::Value(pointer, _)
            | Mend::Bound(pointer, _) => pointer,
        };
        let now = values.get(pointer).or_else(|| file.pointer(pointer));
        let new = match (mend, now) {
            (Mend::Type(_, name), Some(now)) => widened(now, name),
            (Mend::Enum(_, value), Some(Value::Array(items))) => Some(with_item(items, value)),
            (Mend::Optional(_, name), Some(Value::Array(items))) => {
                let left = items.iter().filter(|item| *item != name).cloned();
                Some(left.collect())
            }
            (Mend::Value(_, value), _) => Some(value.clone()),
            (Mend::Bound(pointer, value), Some(now)) => farther(pointer, now, value),
            _ => None,
        };
        if let Some(new) = new {
            values.insert(pointer.clone(), new);
        }
    }
    values.into_iter().collect()
}

fn with_item(items: &[Value], value: &Value) -> Value {
    let mut items = items.to_vec();
    if !items.contains(value) {
        items.push(value.clone());
    }
    Value::Array(items)
}

/// A type, or a list of types, with one more.
fn widened(now: &Value, name: &str) -> Option<Value> {
    let add = |names: &[Value]| {
        // Every integer is a number.
        let names: Vec<Value> = match name {
            "number" => names
                .iter()
                .filter(|own| *own != "integer")
                .cloned()
                .collect(),
            _ => names.to_vec(),
        };
        match with_item(&names, &Value::from(name)) {
            Value::Array(names) if names.len() == 1 => names.into_iter().next(),
            list => Some(list),
        }
    };
    match now {
        Value::String(_) => add(std::slice::from_ref(now)),
        Value::Array(names) => add(names),
        _ => None,
    }
}

/// The bound that lets both through: the largest maximum, and the smallest minimum.
fn farther(pointer: &str, now: &Value, value: &Value) -> Option<Value> {
    let (bound, number) = (now.as_f64()?, value.as_f64()?);
    let is_beyond = match pointer.ends_with("maximum") {
        true => number > bound,
        false => number < bound,
    };
    Some(if is_beyond { value } else { now }.clone())
}
