//! Params that can be read although their section has mistakes, so that the sections that use them can be checked.

use serde_json::{Map, Value, json};

use super::Params;
use crate::source::{Check, Code, Moved, join, join_index, place_order};
use crate::words::nearest_of;

/// Every keyword of JSON Schema 2020-12 that is allowed in a descriptor.
pub(crate) const KEYWORDS: [&str; 54] = [
    "$anchor",
    "$comment",
    "$defs",
    "$dynamicAnchor",
    "$dynamicRef",
    "$id",
    "$ref",
    "$schema",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "contains",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "default",
    "dependentRequired",
    "dependentSchemas",
    "deprecated",
    "description",
    "else",
    "enum",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "if",
    "items",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
    "patternProperties",
    "prefixItems",
    "properties",
    "propertyNames",
    "readOnly",
    "required",
    "then",
    "title",
    "type",
    "unevaluatedProperties",
    "uniqueItems",
];

/// The types of JSON Schema.
pub(crate) const TYPES: [&str; 7] = [
    "array", "boolean", "integer", "null", "number", "object", "string",
];

/// The formats that are checked.
pub(crate) const FORMATS: [&str; 19] = [
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "idn-email",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "iri",
    "iri-reference",
    "json-pointer",
    "regex",
    "relative-json-pointer",
    "time",
    "uri",
    "uri-reference",
    "uri-template",
    "uuid",
];

/// Formats that say how a value is held or shown. There is nothing to check.
pub(crate) const FORMAT_HINTS: [&str; 7] = [
    "int32", "int64", "float", "double", "binary", "byte", "password",
];

/// Keys that show that a map is the schema of a param.
const TELLING: [&str; 6] = ["type", "description", "enum", "default", "$ref", "anyOf"];

/// Keywords whose value may be a map, so that such a map is no param.
const MAPS: [&str; 16] = [
    "$defs",
    "additionalProperties",
    "const",
    "contains",
    "contentSchema",
    "default",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "items",
    "not",
    "patternProperties",
    "propertyNames",
    "then",
    "unevaluatedProperties",
];

/// The section with the params under `properties`, where it has them directly or in a list. That is reported for a map;
/// that it is no list, is reported with the shape of the file.
pub(crate) fn as_meant(section: Option<Value>, pointer: &str, check: &Check) -> Option<Value> {
    if !check.proves() {
        return section;
    }
    let written = || check.source().value().pointer(pointer).cloned();
    match section.or_else(written)? {
        Value::Array(items) => Some(listed(&items, pointer, check)),
        Value::Object(members) => Some(Value::Object(wrapped(members, pointer, check))),
        other => Some(other),
    }
}

/// Params in a list, each with its name in it.
fn listed(items: &[Value], pointer: &str, check: &Check) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let (name, mut schema) = match item {
            Value::String(name) => (name.clone(), Map::new()),
            Value::Object(members) => match (members.get("name"), members.iter().next()) {
                (Some(Value::String(name)), _) => (name.clone(), members.clone()),
                (None, Some((name, Value::Object(schema)))) => (name.clone(), schema.clone()),
                _ => continue,
            },
            _ => continue,
        };
        if schema.get("required") == Some(&Value::Bool(true)) {
            required.push(Value::from(name.as_str()));
        }
        schema.retain(|key, _| KEYWORDS.contains(&key.as_str()) && key != "required");
        check.note_moved(Moved::Value {
            now: join(&join(pointer, "properties"), &name),
            was: join_index(pointer, i),
        });
        properties.insert(name, Value::Object(schema));
    }
    json!({ "properties": properties, "required": required })
}

/// Params that are not under `properties`.
fn wrapped(members: Map<String, Value>, pointer: &str, check: &Check) -> Map<String, Value> {
    let is_misspelt = || {
        members
            .keys()
            .any(|key| nearest_of(&key.to_lowercase(), ["properties"].into_iter()).is_some())
    };
    let is_param = |(key, value): (&String, &Value)| {
        let schema = value.as_object();
        !MAPS.contains(&key.as_str())
            && !key.starts_with("x-")
            && schema.is_some_and(|schema| TELLING.iter().any(|key| schema.contains_key(*key)))
    };
    let names: Vec<String> = members
        .iter()
        .filter(|member| is_param(*member))
        .map(|(key, _)| key.clone())
        .collect();
    let Some(first) = names.first().filter(|_| !is_misspelt()) else {
        return members;
    };
    check.error_at_key(
        Code::UnknownKey,
        &join(pointer, first),
        format!("`{first}` is no keyword of JSON Schema 2020-12: params stand under `properties`"),
        Some("write `params: { properties: { ... } }`, with the params in it".to_owned()),
    );
    let mut rest = Map::new();
    let mut properties = Map::new();
    for (key, value) in members {
        match names.contains(&key) {
            true => {
                check.note_moved(Moved::Value {
                    now: join(&join(pointer, "properties"), &key),
                    was: join(pointer, &key),
                });
                properties.insert(key, value);
            }
            false => {
                rest.insert(key, value);
            }
        }
    }
    rest.insert("properties".to_owned(), Value::Object(properties));
    rest
}

/// Reads the section without the parts that have errors: a misspelt keyword counts as the one that was meant.
pub(super) fn read(section: Option<Value>, pointer: &str, check: &Check) -> Params {
    let Some(mut section @ Value::Object(_)) = section else {
        return Params {
            are_unknown: true,
            ..Params::new(None)
        };
    };
    let mut broken = check.broken_within(pointer);
    broken.sort_by_key(|place| std::cmp::Reverse(place_order(place)));
    broken.dedup();
    for place in broken {
        mend(&mut section, &place, pointer, check);
    }
    let properties = section.get("properties");
    Params {
        are_unknown: properties.is_some_and(|properties| !properties.is_object()),
        ..Params::new(Some(&section))
    }
}

fn mend(section: &mut Value, place: &str, pointer: &str, check: &Check) {
    let Some((parent, token)) = place.rsplit_once('/') else {
        return;
    };
    let name = token.replace("~1", "/").replace("~0", "~");
    let is_param = parent == "/properties";
    let owner = parent.strip_prefix("/properties/").map(str::to_owned);
    match section.pointer_mut(parent) {
        Some(Value::Object(members)) if is_param => {
            members.insert(name, json!({}));
        }
        Some(Value::Object(members)) => {
            let Some(value) = members.shift_remove(&name) else {
                return;
            };
            let is_keyword = KEYWORDS.contains(&name.as_str());
            let meant = nearest_of(&name, KEYWORDS.into_iter()).filter(|_| !is_keyword);
            match meant {
                Some(meant) if !members.contains_key(meant) => {
                    check.note_moved(Moved::Value {
                        now: join(&format!("{pointer}{parent}"), meant),
                        was: join(&format!("{pointer}{parent}"), &name),
                    });
                    members.insert(meant.to_owned(), value);
                }
                _ if name == "required" && value == true => {
                    if let (Some(owner), Some(required)) = (owner, required_of(section)) {
                        required.push(owner.into());
                    }
                }
                _ => {}
            }
        }
        Some(Value::Array(items)) => {
            if let Ok(index) = name.parse::<usize>()
                && index < items.len()
            {
                items.remove(index);
                check.note_moved(Moved::Item {
                    list: format!("{pointer}{parent}"),
                    index,
                });
            }
        }
        _ => {}
    }
}

fn required_of(section: &mut Value) -> Option<&mut Vec<Value>> {
    let members = section.as_object_mut()?;
    let required = members.entry("required").or_insert_with(|| json!([]));
    required.as_array_mut()
}
