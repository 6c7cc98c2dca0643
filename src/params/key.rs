//! Where the key of `key=value` leads: to a param, or with dots to a member inside an object.

use serde_json::{Map, Value};

use super::{Params, types_of};
use crate::words::nearest;

/// How many references from schema to schema are followed.
const MAX_REFERENCES: usize = 16;

/// A place in the arguments.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Place<'s> {
    /// The way to it: a param, and members inside it.
    pub path: Vec<String>,
    /// The schema of the value; `None` where the tool says nothing about it.
    pub schema: Option<&'s Value>,
}

/// A key leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyError {
    /// What stands before the dot is no object.
    NoObject {
        /// The param or member.
        at: String,
    },
    /// The object has no such member.
    Unknown {
        /// The object.
        at: String,
        /// The member.
        name: String,
        /// What there is, as a sentence.
        known: String,
    },
    /// The object takes any members, so a dot could be a part of a name.
    Unclear {
        /// The object.
        at: String,
    },
}

impl Params {
    /// Finds the place that a key names. A param or member whose own name has dots comes before one that is inside
    /// another. A key that names no param at all is a place too; checking the arguments refuses it.
    ///
    /// # Errors
    /// When the key goes into a param that has no such member.
    pub(crate) fn place(&self, key: &str) -> Result<Place<'_>, KeyError> {
        let root = self.schema();
        let none = Map::new();
        let properties = root.get("properties").and_then(Value::as_object);
        let (name, schema, rest) = match longest(properties.unwrap_or(&none), key) {
            Some((name, rest)) => (name, root["properties"].get(name), rest),
            None => (key, None, None),
        };
        let mut place = Place {
            path: vec![name.to_owned()],
            schema,
        };
        if let (Some(schema), Some(rest)) = (schema, rest) {
            enter(root, schema, rest, &mut place)?;
        }
        Ok(place)
    }
}

/// The longest known name that a key begins with, and what follows behind its dot.
fn longest<'k>(known: &Map<String, Value>, key: &'k str) -> Option<(&'k str, Option<&'k str>)> {
    if known.contains_key(key) {
        return Some((key, None));
    }
    let mut dots = key.rmatch_indices('.');
    let (at, _) = dots.find(|(at, _)| known.contains_key(&key[..*at]))?;
    Some((&key[..at], Some(&key[at + 1..])))
}

/// Goes into the object that a schema describes.
fn enter<'s>(
    root: &'s Value,
    schema: &'s Value,
    rest: &str,
    place: &mut Place<'s>,
) -> Result<(), KeyError> {
    let at = place.path.join(".");
    let Some(object) = object_form(root, schema) else {
        return Err(KeyError::NoObject { at });
    };
    let properties = object.get("properties").and_then(Value::as_object);
    if let Some(known) = properties
        && let Some((name, behind)) = longest(known, rest)
    {
        place.path.push(name.to_owned());
        place.schema = known.get(name);
        return match (place.schema, behind) {
            (Some(schema), Some(behind)) => enter(root, schema, behind, place),
            _ => Ok(()),
        };
    }
    let has_names = properties.is_some_and(|known| !known.is_empty());
    let any = match object.get("additionalProperties") {
        Some(Value::Bool(true)) => None,
        Some(schema @ Value::Object(members)) if !members.is_empty() => Some(schema),
        None | Some(Value::Object(_)) if !has_names => None,
        _ => {
            let names = properties
                .into_iter()
                .flatten()
                .map(|(name, _)| name.as_str());
            return Err(unknown(at, rest, names.collect()));
        }
    };
    if any.is_none() && rest.contains('.') {
        return Err(KeyError::Unclear { at });
    }
    place.schema = any;
    match (
        any.filter(|schema| object_form(root, schema).is_some()),
        rest.split_once('.'),
    ) {
        (Some(schema), Some((name, behind))) => {
            place.path.push(name.to_owned());
            enter(root, schema, behind, place)
        }
        _ => {
            place.path.push(rest.to_owned());
            Ok(())
        }
    }
}

fn unknown(at: String, name: &str, names: Vec<&str>) -> KeyError {
    let known = nearest(name, names.iter().copied());
    KeyError::Unknown {
        at,
        name: name.to_owned(),
        known: known.unwrap_or_else(|| match names.is_empty() {
            true => "it has none".to_owned(),
            false => format!("it has {}", names.join(", ")),
        }),
    }
}

/// The schema, or the first of its alternatives, that describes an object.
fn object_form<'s>(root: &'s Value, schema: &'s Value) -> Option<&'s Value> {
    let schema = resolved(root, schema);
    let types = types_of(schema);
    let is_object =
        types.contains(&"object") || (types.is_empty() && schema.get("properties").is_some());
    if is_object {
        return Some(schema);
    }
    let mut alternatives = alternatives(schema);
    alternatives
        .find(|other| {
            let other = resolved(root, other);
            types_of(other).contains(&"object") || other.get("properties").is_some()
        })
        .map(|other| resolved(root, other))
}

/// The schemas of `anyOf` and `oneOf`.
pub(super) fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    ["anyOf", "oneOf"]
        .into_iter()
        .filter_map(|keyword| schema.get(keyword)?.as_array())
        .flatten()
}

/// The schema that a `$ref` inside of the params leads to.
pub(super) fn resolved<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let mut schema = schema;
    for _ in 0..MAX_REFERENCES {
        let target = schema.get("$ref").and_then(Value::as_str);
        match target.and_then(|target| root.pointer(target.strip_prefix('#')?)) {
            Some(other) => schema = other,
            None => break,
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_lead_to_params_and_into_objects() {
        let params = Params::new(Some(&json!({
            "properties": {
                "limit": { "type": "integer" },
                "a": { "type": "object", "properties": {
                    "b": { "type": "integer" },
                    "c.d": { "type": "boolean" },
                    "e": { "properties": { "f": { "type": "number" } } },
                } },
                "a.b.c": { "type": "string", "format": "date" },
                "tags": { "type": "object", "additionalProperties": { "type": "string" } },
                "groups": { "type": "object", "additionalProperties": { "$ref": "#/$defs/group" } },
                "free": { "type": "object" },
                "open": { "type": "object", "additionalProperties": true, "properties": { "x": { "type": "integer" } } },
                "closed": { "type": "object", "additionalProperties": false },
                "ref": { "$ref": "#/$defs/group" },
                "some": { "anyOf": [{ "type": "null" }, { "$ref": "#/$defs/group" }] },
                "loop": { "$ref": "#/$defs/loop" },
            },
            "$defs": {
                "group": { "type": "object", "properties": { "size": { "type": "integer" } } },
                "loop": { "$ref": "#/$defs/loop" },
            },
        })));
        let of = |kind: &str| Some(json!({ "type": kind }));
        for (key, path, schema) in [
            ("limit", &["limit"][..], of("integer")),
            ("a.b", &["a", "b"], of("integer")),
            // A name that has the dots itself comes first.
            (
                "a.b.c",
                &["a.b.c"],
                Some(json!({ "type": "string", "format": "date" })),
            ),
            ("a.c.d", &["a", "c.d"], of("boolean")),
            ("a.e.f", &["a", "e", "f"], of("number")),
            ("tags.team", &["tags", "team"], of("string")),
            ("tags.team.name", &["tags", "team.name"], of("string")),
            ("groups.one.size", &["groups", "one", "size"], of("integer")),
            ("free.x", &["free", "x"], None),
            ("open.x", &["open", "x"], of("integer")),
            ("open.y", &["open", "y"], None),
            ("ref.size", &["ref", "size"], of("integer")),
            ("some.size", &["some", "size"], of("integer")),
            // Checking the arguments refuses these.
            ("b", &["b"], None),
            ("b.c", &["b.c"], None),
            (".", &["."], None),
            ("", &[""], None),
        ] {
            let place = params.place(key).unwrap();
            let found: Vec<&str> = place.path.iter().map(String::as_str).collect();
            assert_eq!(
                (found.as_slice(), place.schema),
                (path, schema.as_ref()),
                "{key}"
            );
        }
        let unknown = |at: &str, name: &str, known: &str| KeyError::Unknown {
            at: at.to_owned(),
            name: name.to_owned(),
            known: known.to_owned(),
        };
        let no_object = |at: &str| KeyError::NoObject { at: at.to_owned() };
        for (key, error) in [
            ("limit.x", no_object("limit")),
            ("a.b.x", no_object("a.b")),
            ("loop.x", no_object("loop")),
            ("a.bb", unknown("a", "bb", "did you mean `b`?")),
            ("a.zzzzzzz", unknown("a", "zzzzzzz", "it has b, c.d, e")),
            ("closed.x", unknown("closed", "x", "it has none")),
            (
                "free.x.y",
                KeyError::Unclear {
                    at: "free".to_owned(),
                },
            ),
        ] {
            assert_eq!(params.place(key), Err(error), "{key}");
        }
    }
}
