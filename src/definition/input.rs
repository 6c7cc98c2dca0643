//! The input schema: the params, in the form that the interfaces of models take.

use serde_json::{Map, Value};

use super::Undefined;
use crate::tool::Tool;

/// Rules over the root of a schema. The interfaces of models refuse a whole request whose tools have some of them, so what they
/// say goes into the description. The call itself checks them in any case.
const RULES: [&str; 10] = [
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentSchemas",
    "dependentRequired",
    "unevaluatedProperties",
];
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

pub(super) struct Input {
    pub schema: Map<String, Value>,
    /// What the rules say that the schema leaves out.
    pub rules: Vec<String>,
}

pub(super) fn of(tool: &Tool) -> Result<Input, Undefined> {
    let schema = tool.params.schema();
    refuse_references(schema)?;
    let mut schema = schema.as_object().cloned().unwrap_or_default();
    match schema.get("$schema").and_then(Value::as_str) {
        Some(dialect) if dialect.trim_end_matches('#') != DIALECT => {
            return Err(Undefined::Dialect(dialect.to_owned()));
        }
        // Whoever names the dialect wants the schema as it is written.
        Some(_) => {
            let rules = Vec::new();
            return Ok(Input { schema, rules });
        }
        None => {}
    }
    let rules = take_rules(&mut schema);
    thin_members(&mut schema);
    Ok(Input { schema, rules })
}

/// Takes the rules over all arguments out of a schema, and gives them as sentences.
pub(crate) fn take_rules(schema: &mut Map<String, Value>) -> Vec<String> {
    let left_out: Vec<Value> = RULES
        .iter()
        .filter_map(|rule| schema.shift_remove(*rule))
        .collect();
    match left_out.is_empty() {
        true => Vec::new(),
        false => told(&left_out),
    }
}

/// Leaves out what a model need not read, since every call is checked: that a text is not empty, that items differ, and the
/// type beside the values themselves.
fn thin(schema: &mut Value) {
    let Value::Object(members) = schema else {
        return;
    };
    if members.get("minLength").is_some_and(|least| *least == 1) {
        members.shift_remove("minLength");
    }
    members.shift_remove("uniqueItems");
    if members.contains_key("enum") {
        members.shift_remove("type");
    }
    thin_members(members);
}

/// The same for the schemas in a schema. A param may be called like a keyword.
fn thin_members(members: &mut Map<String, Value>) {
    for (keyword, inner) in members {
        match (keyword.as_str(), inner) {
            ("properties" | "patternProperties" | "$defs", Value::Object(schemas)) => {
                schemas.values_mut().for_each(thin);
            }
            ("allOf" | "anyOf" | "oneOf" | "prefixItems", Value::Array(schemas)) => {
                schemas.iter_mut().for_each(thin);
            }
            ("items" | "additionalProperties" | "contains" | "not", schema) => thin(schema),
            _ => {}
        }
    }
}

/// The authors' own words for the rules, else that there are some.
fn told(rules: &[Value]) -> Vec<String> {
    let mut told = Vec::new();
    for rule in rules {
        collect(rule, &mut told);
    }
    if told.is_empty() {
        told.push("Not all arguments go together; the error of a call says which.".to_owned());
    }
    told
}

/// Descriptions of rules, but not those of params.
fn collect(rule: &Value, told: &mut Vec<String>) {
    match rule {
        Value::Array(rules) => rules.iter().for_each(|rule| collect(rule, told)),
        Value::Object(members) => {
            if let Some(Value::String(text)) = members.get("description") {
                let sentence = sentence(text);
                if !told.contains(&sentence) {
                    told.push(sentence);
                }
                return;
            }
            let inner = members.iter().filter(|(key, _)| *key != "properties");
            inner.for_each(|(_, inner)| collect(inner, told));
        }
        _ => {}
    }
}

fn sentence(text: &str) -> String {
    let text = text.trim();
    match text.ends_with(['.', '!', '?']) {
        true => text.to_owned(),
        false => format!("{text}."),
    }
}

pub(super) fn refuse_references(schema: &Value) -> Result<(), Undefined> {
    match schema {
        Value::Object(members) => members.iter().try_for_each(|(key, member)| {
            if let Some(to) = member.as_str()
                && matches!(key.as_str(), "$ref" | "$dynamicRef")
                && !to.starts_with('#')
            {
                return Err(Undefined::Reference(to.to_owned()));
            }
            refuse_references(member)
        }),
        Value::Array(items) => items.iter().try_for_each(refuse_references),
        _ => Ok(()),
    }
}
