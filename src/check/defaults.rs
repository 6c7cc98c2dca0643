//! Defaults and examples in a schema: each must satisfy its own part.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use crate::params::{compile, word};
use crate::source::{Check, Code};

/// The name that the whole schema has while its parts are checked.
const WHOLE: &str = "urn:toolrun:whole";

/// A value in a schema, and the part that it must satisfy.
pub(super) struct Given<'s> {
    /// Where the value is.
    pub at: String,
    pub value: &'s Value,
    pub part: &'s Map<String, Value>,
    /// Where the part is, as a JSON Pointer into the schema.
    pub inside: String,
}

/// Reports values that do not satisfy their part. All are checked at once, since the whole schema is compiled for it.
pub(super) fn report(schema: &Value, all: &[Given<'_>], check: &Check) {
    if all.is_empty() {
        return;
    }
    match compile(&combined(schema, all)) {
        Ok(validator) => {
            let values: Map<String, Value> = all
                .iter()
                .enumerate()
                .map(|(i, given)| (i.to_string(), given.value.clone()))
                .collect();
            let values = Value::Object(values);
            let mut told = HashSet::new();
            for error in validator.iter_errors(&values) {
                let path = error.instance_path().to_string();
                let (index, rest) = split(&path);
                let Some(given) = all.get(index).filter(|_| told.insert(index)) else {
                    continue;
                };
                report_one(given, rest, &word(&error), check);
            }
        }
        // If another part of the whole is broken, a part may still be valid by itself.
        Err(_) => {
            for given in all {
                let alone = compile(&Value::Object(given.part.clone()));
                if let Ok(validator) = alone
                    && let Err(error) = validator.validate(given.value)
                {
                    let path = error.instance_path().to_string();
                    report_one(given, &path, &word(&error), check);
                }
            }
        }
    }
}

fn report_one(given: &Given<'_>, inside: &str, reason: &str, check: &Check) {
    check.error(
        Code::BadDefault,
        &format!("{}{inside}", given.at),
        format!("this value does not satisfy its own schema: {reason}"),
    );
}

/// A schema of an object that has all values, each by its number. Its references lead into a copy of the whole.
fn combined(schema: &Value, all: &[Given<'_>]) -> Value {
    let mut whole = schema.clone();
    if let Value::Object(members) = &mut whole {
        members.insert("$id".to_owned(), WHOLE.into());
    }
    let parts: Map<String, Value> = all
        .iter()
        .enumerate()
        .map(|(i, given)| {
            let fragment: Vec<String> = given
                .inside
                .split('/')
                .map(crate::plan::percent_encode)
                .collect();
            let reference = format!("{WHOLE}#{}", fragment.join("/"));
            (i.to_string(), json!({ "$ref": reference }))
        })
        .collect();
    json!({ "properties": parts, "$defs": { "whole": whole } })
}

/// The number of the value that a path leads into, and the rest of the path.
fn split(path: &str) -> (usize, &str) {
    let path = path.strip_prefix('/').unwrap_or(path);
    let (index, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
    (index.parse().unwrap_or(usize::MAX), rest)
}
