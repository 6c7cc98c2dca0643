//! OpenAI's strict mode: every object is closed, every member is required, and few keywords are known. What may be absent may be
//! null instead.

use serde_json::{Map, Value, json};

use super::Losses;
use super::schema::{note, simple, told};

/// Keywords that are known, beside those that hold schemas.
const KNOWN: [&str; 14] = [
    "type",
    "enum",
    "const",
    "title",
    "description",
    "required",
    "pattern",
    "multipleOf",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minItems",
    "maxItems",
];
const FORMATS: [&str; 9] = [
    "date-time",
    "time",
    "date",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "uuid",
];
/// How deep objects may stand in each other.
const DEEPEST: usize = 10;
/// Most members in all, and most values of enums.
const MOST_MEMBERS: usize = 5_000;
const MOST_VALUES: usize = 1_000;

fn is_known(keyword: &str, value: &Value) -> bool {
    match keyword {
        "format" => value
            .as_str()
            .is_some_and(|format| FORMATS.contains(&format)),
        keyword => KNOWN.contains(&keyword),
    }
}

/// Whether a schema meets the demands as it is.
pub(super) fn is_met_by(schema: &Value) -> bool {
    is_met(schema, 0) && is_small(schema)
}

fn is_met(schema: &Value, depth: usize) -> bool {
    let Value::Object(members) = schema else {
        return false;
    };
    if depth > DEEPEST {
        return false;
    }
    let is_typed = ["type", "enum", "const", "anyOf"]
        .iter()
        .any(|key| members.contains_key(*key));
    let is_object = match members.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        kind => kind.is_some_and(|kind| kind == "object"),
    };
    let inner = members
        .iter()
        .all(|(keyword, value)| match (keyword.as_str(), value) {
            ("properties", Value::Object(schemas)) => {
                schemas.values().all(|schema| is_met(schema, depth + 1))
            }
            ("items", schema) => is_met(schema, depth),
            ("anyOf", Value::Array(schemas)) if depth > 0 => {
                schemas.iter().all(|schema| is_met(schema, depth))
            }
            ("additionalProperties", value) => *value == json!(false),
            (keyword, value) => is_known(keyword, value),
        });
    is_typed && inner && (!is_object || is_closed(members))
}

/// Whether an object has no members but those that are listed, and all of these are required.
fn is_closed(members: &Map<String, Value>) -> bool {
    let properties = members.get("properties").and_then(Value::as_object);
    let required = members.get("required").and_then(Value::as_array);
    let names = || {
        properties
            .into_iter()
            .flat_map(|properties| properties.keys())
    };
    members.get("additionalProperties") == Some(&json!(false))
        && properties.is_some()
        && names()
            .all(|name| required.is_some_and(|required| required.iter().any(|one| one == name)))
        && required.map_or(0, Vec::len) == names().count()
}

fn is_small(schema: &Value) -> bool {
    let (mut members, mut values) = (0, 0);
    count(schema, &mut members, &mut values);
    members <= MOST_MEMBERS && values <= MOST_VALUES
}

fn count(schema: &Value, members: &mut usize, values: &mut usize) {
    match schema {
        Value::Object(all) => {
            for (keyword, inner) in all {
                match (keyword.as_str(), inner) {
                    ("properties", Value::Object(schemas)) => *members += schemas.len(),
                    ("enum", Value::Array(all)) => *values += all.len(),
                    _ => {}
                }
                count(inner, members, values);
            }
        }
        Value::Array(all) => all.iter().for_each(|inner| count(inner, members, values)),
        _ => {}
    }
}

/// The schema with the types of its enums.
pub(super) fn typed(schema: &Map<String, Value>) -> Map<String, Value> {
    let mut nothing = Losses::new();
    simple(schema, &mut nothing).map_or_else(|_| schema.clone(), with_properties)
}

/// The arguments always have a list of properties, if only an empty one.
fn with_properties(mut schema: Map<String, Value>) -> Map<String, Value> {
    schema.entry("properties").or_insert_with(|| json!({}));
    schema.entry("required").or_insert_with(|| json!([]));
    schema
}

/// A strict schema.
///
/// # Errors
/// Why there is none: it would not take what the tool takes.
pub(super) fn of(
    schema: &Map<String, Value>,
    losses: &mut Losses,
) -> Result<Map<String, Value>, String> {
    // What the strict schema lacks is only lost if it is taken.
    let mut lost = losses.aside();
    let simple = simple(schema, &mut lost)?;
    let strict = strict(with_properties(simple), "", 0)?;
    let strict = Value::Object(strict);
    match (is_met_by(&strict), strict) {
        (true, Value::Object(strict)) => {
            losses.extend(lost);
            Ok(strict)
        }
        _ => Err("its params are too many or too deep".to_owned()),
    }
}

fn strict(
    schema: Map<String, Value>,
    place: &str,
    depth: usize,
) -> Result<Map<String, Value>, String> {
    if depth > 2 * DEEPEST {
        return Err("its params are too deep".to_owned());
    }
    let named = match place {
        "" => "the arguments".to_owned(),
        place => format!("`{place}`"),
    };
    let is_object = schema.get("type").is_some_and(|kind| *kind == "object");
    if is_object && schema.get("additionalProperties") != Some(&json!(false)) {
        return Err(format!(
            "{named} may have members that the schema does not list"
        ));
    }
    if !schema.contains_key("type") && !schema.contains_key("anyOf") {
        return Err(format!("{named} may be of any kind"));
    }
    let required = schema.get("required").cloned().unwrap_or_else(|| json!([]));
    let mut out = Map::new();
    let mut texts = Vec::new();
    for (keyword, value) in schema {
        match (keyword.as_str(), value) {
            ("properties", Value::Object(all)) => {
                let mut properties = Map::new();
                for (name, schema) in all {
                    let is_required = required
                        .as_array()
                        .is_some_and(|names| names.iter().any(|one| *one == name));
                    let inner = format!("{place}{}{name}", if place.is_empty() { "" } else { "." });
                    let member = member(schema, &inner, depth)?;
                    let member = match is_required {
                        true => member,
                        false => nullable(member),
                    };
                    properties.insert(name, member.into());
                }
                let names: Vec<&String> = properties.keys().collect();
                out.insert("required".to_owned(), json!(names));
                out.insert(keyword, properties.into());
            }
            ("items", schema) => {
                let items = member(schema, &format!("{place}[]"), depth)?;
                out.insert(keyword, items.into());
            }
            ("anyOf", Value::Array(several)) => {
                let several: Result<Vec<Value>, String> = several
                    .into_iter()
                    .map(|schema| member(schema, place, depth).map(Value::from))
                    .collect();
                out.insert(keyword, several?.into());
            }
            ("required", _) => {}
            ("additionalProperties", value) => drop(out.insert(keyword, value)),
            (_, value) if is_known(&keyword, &value) => drop(out.insert(keyword, value)),
            (_, value) => texts.push(told(&keyword, &value)),
        }
    }
    for text in texts {
        note(&mut out, &text);
    }
    Ok(out)
}

fn member(schema: Value, place: &str, depth: usize) -> Result<Map<String, Value>, String> {
    match schema {
        Value::Object(members) => strict(members, place, depth + 1),
        _ => Err(format!("`{place}` may be of any kind")),
    }
}

/// The schema, and null.
fn nullable(mut schema: Map<String, Value>) -> Map<String, Value> {
    if let Some(Value::Array(several)) = schema.get_mut("anyOf") {
        if !several.iter().any(|one| one["type"] == "null") {
            several.push(json!({ "type": "null" }));
        }
        return schema;
    }
    if let Some(kind) = schema.get("type").cloned()
        && kind != "null"
    {
        schema.insert("type".to_owned(), json!([kind, "null"]));
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.push(Value::Null);
    }
    schema
}
