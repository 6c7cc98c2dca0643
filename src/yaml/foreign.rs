//! What documents of others may have and descriptors may not: anchors, aliases, merge keys, tags, and numbers that JSON
//! cannot hold. No part of it costs more than its size allows: an alias counts for all that it stands for.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Number, Value};

use super::scalar::{self, Plain};

/// The merge key: no key of the map, but a map whose members are taken over.
pub(super) const MERGE: &str = "<<";

/// The values of anchors, with the number of parts that each has.
pub(super) type Anchors = HashMap<usize, (Value, usize)>;

/// A plain scalar; a number that JSON cannot hold is the nearest that it has, or text.
pub(super) fn plain(text: Cow<'_, str>) -> Value {
    match scalar::classify(&text) {
        Plain::Null => Value::Null,
        Plain::Bool(flag) => Value::Bool(flag),
        // A schema's bound or example is near enough.
        Plain::Number(number) | Plain::Inexact(number) => Value::Number(number),
        Plain::IntegerOutOfRange => match text.parse().ok().and_then(Number::from_f64) {
            Some(number) => Value::Number(number),
            None => Value::String(text.into_owned()),
        },
        Plain::NonFinite | Plain::Text => super::reader::text_value(text),
    }
}

/// Takes over what a merge key brings; false where that is no map.
pub(super) fn merge(into: &mut Map<String, Value>, value: Value) -> bool {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                into.entry(name).or_insert(value);
            }
            true
        }
        Value::Array(items) => items.into_iter().all(|item| merge(into, item)),
        _ => false,
    }
}

/// Whether lists and maps are nested deeper than this.
pub(crate) fn depth_exceeds(value: &Value, most: usize) -> bool {
    let Some(rest) = most.checked_sub(1) else {
        return matches!(value, Value::Array(_) | Value::Object(_));
    };
    match value {
        Value::Array(items) => items.iter().any(|item| depth_exceeds(item, rest)),
        Value::Object(members) => members.values().any(|member| depth_exceeds(member, rest)),
        _ => false,
    }
}
