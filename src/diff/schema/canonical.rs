//! A text for what a schema means, so far as that shows without comparing: keywords in order, references followed, and
//! what says nothing about values left out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Part;

/// Keywords that no value is checked against.
const ANNOTATIONS: [&str; 17] = [
    "$anchor",
    "$comment",
    "$defs",
    "$id",
    "$schema",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "default",
    "definitions",
    "deprecated",
    "description",
    "example",
    "examples",
    "readOnly",
    "title",
    "writeOnly",
];

/// Keywords whose members are schemas by name.
const BY_NAME: [&str; 3] = ["properties", "patternProperties", "dependentSchemas"];
/// Keywords whose value is data.
const DATA: [&str; 3] = ["const", "dependentRequired", "enum"];
/// Keywords whose lists have no order.
const SETS: [&str; 6] = ["allOf", "anyOf", "enum", "oneOf", "required", "type"];

/// References that lead into each other are followed so far.
const DEEPEST: usize = 24;
/// The text of a schema ends where it would be longer than this: such schemas are compared step by step.
const MOST_PARTS: usize = 20_000;

/// Whether values are checked against a keyword.
pub(super) fn is_rule(keyword: &str) -> bool {
    !ANNOTATIONS.contains(&keyword) && !keyword.starts_with("x-")
}

/// The schema that a reference leads to.
pub(super) fn target<'s>(root: &'s Value, reference: &str) -> Option<&'s Value> {
    let pointer = reference.strip_prefix('#')?;
    let pointer = percent_encoding::percent_decode_str(pointer)
        .decode_utf8()
        .ok()?;
    root.pointer(&pointer)
}

/// The text. Schemas with the same text mean the same.
pub(crate) fn canonical(part: Part<'_>) -> String {
    of(part).to_string()
}

fn of(part: Part<'_>) -> Value {
    let mut walk = Walk {
        root: part.root,
        left: MOST_PARTS,
    };
    walk.schema(part.schema, &mut Vec::new())
}

struct Walk<'s> {
    root: &'s Value,
    left: usize,
}

impl<'s> Walk<'s> {
    fn schema(&mut self, schema: &'s Value, inside: &mut Vec<&'s str>) -> Value {
        let Value::Object(members) = schema else {
            return schema.clone();
        };
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            // Two such texts are never the same.
            return json!({ "too large": std::ptr::from_ref(schema) as usize });
        }
        let mut keys: Vec<&String> = members.keys().collect();
        keys.sort();
        let mut written = Map::new();
        for key in keys {
            let member = &members[key];
            if ANNOTATIONS.contains(&key.as_str()) || key.starts_with("x-") {
                continue;
            }
            let value = match (key.as_str(), member) {
                ("$ref", Value::String(to)) => self.reference(to, inside),
                (key, Value::Object(named)) if BY_NAME.contains(&key) => {
                    self.by_name(named, inside)
                }
                (key, _) if DATA.contains(&key) => sorted(member),
                (_, Value::Array(items)) => {
                    let items = items.iter().map(|item| self.schema(item, inside)).collect();
                    Value::Array(items)
                }
                _ => self.schema(member, inside),
            };
            written.insert(key.clone(), settle(key, value));
        }
        if !written.contains_key("enum")
            && let Some(value) = written.shift_remove("const")
        {
            written.insert("enum".to_owned(), json!([value]));
        }
        written.retain(|key, value| !says_nothing(key, value));
        Value::Object(written)
    }

    fn by_name(&mut self, named: &'s Map<String, Value>, inside: &mut Vec<&'s str>) -> Value {
        let mut names: Vec<&String> = named.keys().collect();
        names.sort();
        let member = |name: &String| (name.clone(), self.schema(&named[name], inside));
        Value::Object(names.into_iter().map(member).collect())
    }

    fn reference(&mut self, to: &'s str, inside: &mut Vec<&'s str>) -> Value {
        match target(self.root, to) {
            Some(schema) if !inside.contains(&to) && inside.len() < DEEPEST => {
                inside.push(to);
                let written = self.schema(schema, inside);
                inside.pop();
                written
            }
            _ => json!({ "$ref": to }),
        }
    }
}

/// The value of a keyword in the one form that it has here.
fn settle(key: &str, value: Value) -> Value {
    let value = match (key, value) {
        ("type", Value::String(name)) => json!([name]),
        (_, value) => value,
    };
    match value {
        Value::Array(mut items) if SETS.contains(&key) => {
            items.sort_by_cached_key(Value::to_string);
            // A value must fit exactly one of `oneOf`: two that are alike are not one.
            if key != "oneOf" {
                items.dedup();
            }
            Value::Array(items)
        }
        other => other,
    }
}

/// Whether a keyword allows every value.
fn says_nothing(key: &str, value: &Value) -> bool {
    match key {
        "minLength" | "minItems" | "minProperties" => value.as_u64() == Some(0),
        "required" => value.as_array().is_some_and(Vec::is_empty),
        "properties" => value.as_object().is_some_and(Map::is_empty),
        "additionalProperties" | "items" | "unevaluatedProperties" => {
            *value == json!(true) || *value == json!({})
        }
        "uniqueItems" => *value == json!(false),
        _ => false,
    }
}

/// A value with the members of its maps in order, and whole numbers written alike.
pub(super) fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Object(members) => {
            let mut keys: Vec<&String> = members.keys().collect();
            keys.sort();
            let member = |key: &String| (key.clone(), sorted(&members[key]));
            Value::Object(keys.into_iter().map(member).collect())
        }
        Value::Number(number) => whole(number).map_or_else(|| value.clone(), Value::from),
        other => other.clone(),
    }
}

/// A float without a fraction, as an integer.
fn whole(number: &serde_json::Number) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let float = number.as_f64().filter(|_| number.is_f64())?;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and small")]
    (float.fract() == 0.0 && float.abs() < EXACT).then_some(float as i64)
}

/// What the descriptions, titles and examples say at each place of a schema. References are followed, so that a place is one
/// of values and not of the file.
pub(super) fn words(part: Part<'_>) -> Words {
    let mut found = Words::new();
    gather(part, &mut String::new(), &mut Vec::new(), &mut found);
    found
}

/// By place, what is said there.
pub(crate) type Words = BTreeMap<String, BTreeSet<String>>;

/// Keywords whose value is a schema, a list of schemas, or schemas by name.
const INSIDE: [&str; 8] = [
    "properties",
    "items",
    "prefixItems",
    "additionalProperties",
    "patternProperties",
    "allOf",
    "anyOf",
    "oneOf",
];

fn gather<'s>(part: Part<'s>, at: &mut String, inside: &mut Vec<&'s str>, found: &mut Words) {
    const WORDS: [&str; 6] = [
        "description",
        "title",
        "examples",
        "example",
        "deprecated",
        "$comment",
    ];
    let Value::Object(members) = part.schema else {
        return;
    };
    let own = found.entry(at.clone()).or_default();
    let said = members
        .iter()
        .filter(|(key, _)| WORDS.contains(&key.as_str()));
    own.extend(said.map(|(key, value)| format!("{key} {}", sorted(value))));
    if let Some(to) = members.get("$ref").and_then(Value::as_str)
        && let Some(schema) = target(part.root, to)
        && !inside.contains(&to)
    {
        inside.push(to);
        gather(Part { schema, ..part }, at, inside, found);
        inside.pop();
    }
    for key in INSIDE {
        let length = at.len();
        at.push('/');
        at.push_str(key);
        match members.get(key) {
            Some(Value::Array(items)) => {
                for (index, schema) in items.iter().enumerate() {
                    below(
                        Part { schema, ..part },
                        &index.to_string(),
                        at,
                        inside,
                        found,
                    );
                }
            }
            Some(Value::Object(named))
                if key.ends_with("roperties") && key != "additionalProperties" =>
            {
                for (name, schema) in named {
                    below(Part { schema, ..part }, name, at, inside, found);
                }
            }
            Some(schema) => gather(Part { schema, ..part }, at, inside, found),
            None => {}
        }
        at.truncate(length);
    }
}

fn below<'s>(
    part: Part<'s>,
    name: &str,
    at: &mut String,
    inside: &mut Vec<&'s str>,
    found: &mut Words,
) {
    let length = at.len();
    at.push('/');
    at.push_str(name);
    gather(part, at, inside, found);
    at.truncate(length);
}
