//! The Gemini API: the value of `tools`, with `parameters` in its own subset of OpenAPI.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::schema::{note, simple, told};
use super::{Demands, Document, Losses, definitions, with_example};
use crate::tool::Tool;

/// No limit is known, but an example need not make a description endless.
const DESCRIPTION: usize = 4096;
const DEMANDS: Demands = Demands {
    who: "the Gemini API",
    takes: |name| {
        let is_taken = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        (1..=64).contains(&name.len())
            && name.bytes().all(is_taken)
            && !name.starts_with(|c: char| c.is_ascii_digit())
    },
    names: "1 to 64 letters, digits and `_` that do not begin with a digit",
    description: usize::MAX,
    most: 512,
};

/// Keywords that are kept as they are.
const KEPT: [&str; 13] = [
    "title",
    "description",
    "default",
    "required",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
];
/// The formats that are known, by type. A request with any other is refused.
const FORMATS: [(&str, &str); 5] = [
    ("string", "date-time"),
    ("integer", "int32"),
    ("integer", "int64"),
    ("number", "float"),
    ("number", "double"),
];

pub(super) fn document(tools: &[Arc<Tool>]) -> Document {
    let mut losses = Losses::new();
    let mut declared: Vec<Value> = Vec::new();
    for (tool, definition) in definitions(tools, &DEMANDS, &mut losses) {
        losses.at(&tool);
        let schema = match simple(&definition.input_schema, &mut losses) {
            Ok(schema) => schema,
            Err(reason) => {
                losses.tell(format!("the tool is left out: {reason}"));
                continue;
            }
        };
        let mut function = json!({
            "name": definition.name,
            "description": with_example(&definition, DESCRIPTION),
        });
        // A function without params has no schema: an object without properties is refused.
        if schema.contains_key("properties") {
            function["parameters"] = translated(schema, &mut losses);
        }
        declared.push(function);
    }
    let tools = declared.len();
    Document {
        value: json!([{ "functionDeclarations": declared }]),
        tools,
        lost: losses.all,
    }
}

/// A simple schema in the words of the API.
fn translated(schema: Map<String, Value>, losses: &mut Losses) -> Value {
    let mut out = Map::new();
    let mut texts: Vec<String> = Vec::new();
    let kind = schema
        .get("type")
        .and_then(Value::as_str)
        .map(str::to_owned);
    if let Some(kind) = &kind {
        out.insert("type".to_owned(), kind.to_uppercase().into());
    }
    for (keyword, value) in schema {
        match keyword.as_str() {
            "type" => {}
            kept if KEPT.contains(&kept) => drop(out.insert(keyword, value)),
            "properties" => drop(out.insert(keyword, each(value, losses))),
            "items" => drop(out.insert(keyword, one(value, losses))),
            "anyOf" => choice(&mut out, value, losses),
            "enum" => values(&mut out, value),
            "examples" => {
                let first = value.as_array().and_then(|all| all.first()).cloned();
                out.extend(first.map(|first| ("example".to_owned(), first)));
            }
            "format" => match value.as_str() {
                Some(format)
                    if FORMATS.contains(&(kind.as_deref().unwrap_or_default(), format)) =>
                {
                    out.insert(keyword, value);
                }
                _ => texts.push(told(&keyword, &value)),
            },
            // Only the members that are listed can be given.
            "additionalProperties" if value == json!(false) => {}
            _ => texts.push(told(&keyword, &value)),
        }
    }
    for text in texts {
        note(&mut out, &text);
    }
    if out.contains_key("type") || out.contains_key("anyOf") {
        return out.into();
    }
    losses.tell("values of any kind are described as texts, numbers, booleans or objects");
    out.insert(
        "anyOf".to_owned(),
        json!([{ "type": "STRING" }, { "type": "NUMBER" }, { "type": "BOOLEAN" }, { "type": "OBJECT" }]),
    );
    out.into()
}

fn one(schema: Value, losses: &mut Losses) -> Value {
    match schema {
        Value::Object(members) => translated(members, losses),
        other => other,
    }
}

fn each(schemas: Value, losses: &mut Losses) -> Value {
    match schemas {
        Value::Object(schemas) => schemas
            .into_iter()
            .map(|(name, schema)| (name, one(schema, losses)))
            .collect(),
        other => other,
    }
}

/// A choice; null is a property of the whole.
fn choice(out: &mut Map<String, Value>, value: Value, losses: &mut Losses) {
    let Value::Array(several) = value else {
        return;
    };
    let (null, mut others): (Vec<Value>, Vec<Value>) = several
        .into_iter()
        .partition(|schema| schema.get("type").is_some_and(|kind| kind == "null"));
    if !null.is_empty() {
        out.insert("nullable".to_owned(), json!(true));
    }
    match others.len() {
        1 => {
            if let Value::Object(mut inner) = one(others.remove(0), losses) {
                for (key, value) in std::mem::take(out) {
                    inner.insert(key, value);
                }
                *out = inner;
            }
        }
        _ => {
            let others: Vec<Value> = others
                .into_iter()
                .map(|schema| one(schema, losses))
                .collect();
            out.insert("anyOf".to_owned(), others.into());
        }
    }
}

/// The values of an enum are texts, whatever their type.
fn values(out: &mut Map<String, Value>, value: Value) {
    let Value::Array(values) = value else {
        return;
    };
    let texts: Vec<Value> = values
        .into_iter()
        .map(|value| match value {
            Value::String(_) => value,
            other => other.to_string().into(),
        })
        .collect();
    out.insert("format".to_owned(), json!("enum"));
    out.insert("enum".to_owned(), texts.into());
}
