//! What the schema of the output says about the body of a response, by the paths that lead from one to the other.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::ResponseSpec;
use crate::jsonpath::{JsonPath, Step};
use crate::template::{Can, Names};

/// The names, with what the output's schema says about the body.
pub(crate) fn with_body_types(names: Names, spec: Option<&ResponseSpec>) -> Names {
    let Some((spec, schema)) = spec.and_then(|spec| Some((spec, spec.schema.as_ref()?))) else {
        return names;
    };
    let root = Arc::new(schema.clone());
    let body = match &spec.output {
        None => schema.clone(),
        Some(output) => {
            let mut body = json!({});
            collect(output, schema, schema, &mut body);
            body
        }
    };
    let can = Can::be_as(&body, &root);
    names.of_type("body", can.clone()).of_type("$", can)
}

/// The names inside of a mapping over the values of a path.
pub(super) fn with_item_type(names: Names, outer: &Names, path: &JsonPath) -> Names {
    let steps = path.beginning();
    let mut can = outer
        .type_of("$")
        .filter(|_| path.ends_in_wildcard(steps.len()));
    for step in steps {
        can = match step {
            Step::Name(name) => can.and_then(|can| can.member(name)),
            Step::Index(_) => can.and_then(|can| can.item()),
        };
    }
    match can.and_then(|can| can.item()) {
        Some(item) => names.of_type("item", item.clone()).of_type("$", item),
        None => names.of_type("$", Can::be_anything()),
    }
}

/// Notes the schemas of what the paths in a projection lead to. Paths start at the value that `at` describes.
fn collect(output: &Value, schema: &Value, root: &Value, at: &mut Value) {
    let Some(schema) = resolved(schema, root) else {
        return;
    };
    match output {
        Value::String(text) if text.starts_with('$') => {
            let Ok(path) = JsonPath::parse(text) else {
                return;
            };
            if let Some(steps) = path.singular() {
                put(at, steps, schema.clone());
            } else if path.ends_in_wildcard(path.beginning().len())
                && let Some(items) = schema.get("items")
            {
                put(
                    at,
                    path.beginning(),
                    json!({ "type": "array", "items": items }),
                );
            }
        }
        Value::Object(members) if members.contains_key("each") => {
            let (Some(Value::String(text)), Some(node), Some(items)) =
                (members.get("each"), members.get("as"), schema.get("items"))
            else {
                return;
            };
            let Ok(path) = JsonPath::parse(text) else {
                return;
            };
            if path.ends_in_wildcard(path.beginning().len()) {
                let mut item = json!({});
                collect(node, items, root, &mut item);
                put(
                    at,
                    path.beginning(),
                    json!({ "type": "array", "items": item }),
                );
            }
        }
        Value::Object(members) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            for (key, node) in members {
                if let Some(inner) = properties.and_then(|properties| properties.get(key)) {
                    collect(node, inner, root, at);
                }
            }
        }
        _ => {}
    }
}

fn resolved<'s>(schema: &'s Value, root: &'s Value) -> Option<&'s Value> {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => root.pointer(reference.strip_prefix('#')?),
        None => Some(schema),
    }
}

/// Says that the value at the end of the steps has this schema. Where it has another one already, nothing is known.
fn put(at: &mut Value, steps: &[Step], schema: Value) {
    let Some((step, rest)) = steps.split_first() else {
        let is_new = at.as_object().is_some_and(Map::is_empty);
        *at = if is_new || *at == schema {
            schema
        } else {
            Value::Bool(true)
        };
        return;
    };
    let Value::Object(members) = at else { return };
    let (kind, inner) = match step {
        Step::Name(name) => {
            let properties = members.entry("properties").or_insert_with(|| json!({}));
            ("object", &mut properties[name])
        }
        Step::Index(_) => ("array", members.entry("items").or_insert_with(|| json!({}))),
    };
    if inner.is_null() {
        *inner = json!({});
    }
    put(inner, rest, schema);
    members.entry("type").or_insert_with(|| kind.into());
}
