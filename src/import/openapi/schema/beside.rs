//! Joins a schema with the keywords beside its `$ref` or beside a lone `allOf`.

use serde_json::{Map, Value, json};

use super::{MOST_DEPTH, Schemas};
use crate::import::openapi::graph::references;
use crate::import::openapi::spec::Part;
use crate::import::openapi::text;
use crate::import::report::What;
use crate::source::join;

impl<'a> Schemas<'a, '_> {
    /// Adds the keywords beside a reference: words about it and, since 3.1, further rules.
    pub(super) fn with_siblings(&mut self, written: Value, schema: &Part<'a>) -> Value {
        let Some(members) = schema.value.as_object().filter(|members| members.len() > 1) else {
            return written;
        };
        let written = match members.get("nullable") {
            Some(Value::Bool(true)) => or_null(written),
            _ => written,
        };
        let mut beside = members.clone();
        beside.shift_remove("$ref");
        let Value::Object(beside) = self.convert_object(schema, &beside, MOST_DEPTH, text::PARAM)
        else {
            return written;
        };
        self.join_siblings(written, beside, schema)
    }

    /// Joins a schema with the keywords beside it. A default or example there must fit both.
    pub(super) fn join_siblings(
        &self,
        whole: Value,
        beside: Map<String, Value>,
        schema: &Part<'_>,
    ) -> Value {
        let names_values = ["default", "examples"]
            .iter()
            .any(|key| beside.contains_key(*key));
        let mut joined = overlay(whole, beside);
        let Value::Object(members) = &mut joined else {
            return joined;
        };
        if !names_values {
            return joined;
        }
        let validator = match refers(members) {
            true => None,
            false => crate::params::compile(&Value::Object(members.clone())).ok(),
        };
        let fits = |value: &Value| validator.as_ref().is_some_and(|v| v.is_valid(value));
        if members.get("default").is_some_and(|default| !fits(default)) {
            members.shift_remove("default");
            self.losses.note(
                What::Schema,
                &join(&schema.pointer, "default"),
                "the default does not fit its own schema; it is left out",
            );
        }
        if let Some(Value::Array(examples)) = members.get_mut("examples") {
            examples.retain(fits);
            if examples.is_empty() {
                members.shift_remove("examples");
            }
        }
        joined
    }
}

pub(super) fn is_annotation(keyword: &str) -> bool {
    const ANNOTATIONS: [&str; 12] = [
        "title",
        "description",
        "default",
        "example",
        "examples",
        "deprecated",
        "nullable",
        "readOnly",
        "writeOnly",
        "discriminator",
        "externalDocs",
        "xml",
    ];
    ANNOTATIONS.contains(&keyword) || keyword.starts_with("x-")
}

/// The schema of an `allOf` that has only one.
pub(super) fn lone_all_of<'a>(schema: &Part<'a>) -> Option<Part<'a>> {
    let list = schema.get("allOf")?;
    let mut items = list.items();
    let only = items.next()?;
    items.next().is_none().then_some(only)
}

/// Words beside a schema replace its own words; rules are added to its own rules.
fn overlay(whole: Value, beside: Map<String, Value>) -> Value {
    let mut members = match whole {
        Value::Object(members) => members,
        other if beside.is_empty() => return other,
        Value::Bool(true) => return Value::Object(beside),
        other => {
            let mut members = Map::from_iter([("allOf".to_owned(), json!([other]))]);
            members.extend(beside);
            return Value::Object(members);
        }
    };
    let mut further = Map::new();
    for (keyword, value) in beside {
        match is_annotation(&keyword) || !members.contains_key(&keyword) {
            true => {
                members.insert(keyword, value);
            }
            false => {
                further.insert(keyword, value);
            }
        }
    }
    if !further.is_empty() {
        members = Map::from_iter([(
            "allOf".to_owned(),
            json!([Value::Object(members), Value::Object(further)]),
        )]);
    }
    Value::Object(members)
}

pub(super) fn or_null(schema: Value) -> Value {
    let Value::Object(mut members) = schema else {
        return schema;
    };
    // Words about the value are about both alternatives, so they move to the top.
    let words: Vec<(String, Value)> = ["deprecated", "default", "examples", "description"]
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), members.shift_remove(*key)?)))
        .collect();
    let mut either = Map::from_iter([(
        "anyOf".to_owned(),
        json!([Value::Object(members), { "type": "null" }]),
    )]);
    either.extend(words);
    Value::Object(either)
}

/// Whether a schema has a reference.
pub(super) fn refers(converted: &Map<String, Value>) -> bool {
    converted.contains_key("$ref")
        || converted.values().any(|value| match value {
            Value::Array(_) | Value::Object(_) => !references(value).0.is_empty(),
            _ => false,
        })
}
