//! What the schema of a kind of file allows at a place.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use serde_json::{Map, Value};

use crate::check::Kind;

/// How many references and choices are followed from one schema.
const DEEPEST: usize = 24;
/// How many schemas may apply at one place.
const MOST: usize = 400;

static SCHEMAS: LazyLock<Mutex<HashMap<Kind, &'static Value>>> = LazyLock::new(Mutex::default);

/// The schema of a kind of file for editors. It is made once and kept as long as the program runs.
fn schema_of(kind: Kind) -> &'static Value {
    let mut known = SCHEMAS.lock().unwrap_or_else(PoisonError::into_inner);
    known
        .entry(kind)
        .or_insert_with(|| Box::leak(Box::new(kind.schema_for_editors())))
}

/// What may stand at a place: the schemas that apply there.
pub(super) struct Form {
    root: &'static Value,
    schemas: Vec<&'static Map<String, Value>>,
}

/// How a value is held against a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// It may lack keys that it needs: somebody is still writing it.
    Draft,
    /// As it stands.
    Exact,
}

/// A key that a map may have.
pub(super) struct Key {
    pub name: &'static str,
    pub is_required: bool,
    pub schema: &'static Value,
}

/// A value that may stand at a place.
#[derive(Debug, PartialEq)]
pub(super) struct Choice {
    pub text: String,
    pub doc: Option<&'static str>,
}

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Scalar,
    Map,
    List,
}

impl Form {
    /// What the file may have at a place. `file` is what could be read of it, which decides between alternatives.
    pub(super) fn at(kind: Kind, path: &[String], file: &Value) -> Form {
        let root = schema_of(kind);
        let mut form = Form {
            root,
            schemas: Vec::new(),
        };
        let mut here = Some(file);
        form.add(root, here, 0);
        for step in path {
            let outer = std::mem::take(&mut form.schemas);
            here = here.and_then(|value| match value {
                Value::Array(items) => items.get(step.parse::<usize>().ok()?),
                other => other.get(step),
            });
            for schema in outer {
                for inner in inside(schema, step) {
                    form.add(inner, here, 0);
                }
            }
        }
        form
    }

    /// What the file may have at a place, whatever stands there now: it may be about to become something else.
    pub(super) fn at_open(kind: Kind, path: &[String], file: &Value) -> Form {
        let pointer = crate::source::pointer(path);
        let mut open = file.clone();
        if let Some(value) = open.pointer_mut(&pointer) {
            *value = Value::Null;
        }
        Form::at(kind, path, &open)
    }

    /// Adds a schema with what it refers to and those of its alternatives that the value may be meant as.
    fn add(&mut self, schema: &'static Value, value: Option<&Value>, depth: usize) {
        let Value::Object(members) = schema else {
            return;
        };
        let is_known = self
            .schemas
            .iter()
            .any(|known| std::ptr::eq(*known, members));
        if depth > DEEPEST || self.schemas.len() >= MOST || is_known {
            return;
        }
        self.schemas.push(members);
        if let Some(target) = self.target(members) {
            self.add(target, value, depth + 1);
        }
        for part in list(members, "allOf") {
            self.add(part, value, depth + 1);
        }
        for part in list(members, "anyOf").chain(list(members, "oneOf")) {
            if value.is_none_or(|value| self.fits(part, value, Reading::Draft, 0)) {
                self.add(part, value, depth + 1);
            }
        }
        if let Some(condition) = members.get("if") {
            let holds = value.is_some_and(|value| self.fits(condition, value, Reading::Exact, 0));
            let branch = if holds { "then" } else { "else" };
            if let Some(branch) = members.get(branch) {
                self.add(branch, value, depth + 1);
            }
        }
    }

    fn target(&self, members: &Map<String, Value>) -> Option<&'static Value> {
        let reference = members.get("$ref")?.as_str()?.strip_prefix('#')?;
        self.root.pointer(reference)
    }

    /// Whether a value, which may not be complete, may be meant as the schema says.
    fn fits(&self, schema: &'static Value, value: &Value, reading: Reading, depth: usize) -> bool {
        let members = match schema {
            Value::Bool(flag) => return *flag,
            Value::Object(members) => members,
            _ => return true,
        };
        if depth > DEEPEST || value.is_null() {
            return true;
        }
        let fits = |part| self.fits(part, value, reading, depth + 1);
        let is_type = |name: &str| match name {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" | "number" => value.is_number(),
            _ => value.is_null(),
        };
        let has_type = match members.get("type") {
            Some(Value::String(name)) => is_type(name),
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(is_type),
            _ => true,
        };
        let has_required = value.as_object().is_none_or(|own| {
            let names = list(members, "required").filter_map(Value::as_str);
            reading == Reading::Draft || names.into_iter().all(|name| own.contains_key(name))
        });
        let has_names = value.as_object().is_none_or(|own| {
            let names = members
                .get("propertyNames")
                .and_then(|names| names.get("enum"));
            let most = members.get("maxProperties").and_then(Value::as_u64);
            let is_named = |name: &String| {
                names.is_none_or(|names| {
                    names
                        .as_array()
                        .is_some_and(|names| names.iter().any(|known| known == name))
                })
            };
            reading == Reading::Draft
                || (own.keys().all(is_named) && most.is_none_or(|most| own.len() as u64 <= most))
        });
        let has_properties = value.as_object().is_none_or(|own| {
            let known = members.get("properties").and_then(Value::as_object);
            known.into_iter().flatten().all(|(name, part)| {
                let is_telling = reading == Reading::Exact
                    || part.get("const").is_some()
                    || part.get("enum").is_some();
                let own = own.get(name).filter(|_| is_telling);
                own.is_none_or(|own| self.fits(part, own, reading, depth + 1))
            })
        });
        has_type
            && has_required
            && has_names
            && has_properties
            && members.get("const").is_none_or(|only| only == value)
            && members
                .get("enum")
                .is_none_or(|all| all.as_array().is_some_and(|all| all.contains(value)))
            && members.get("pattern").is_none_or(|pattern| {
                // The one pattern that tells alternatives apart.
                pattern != "^\\$" || value.as_str().is_some_and(|text| text.starts_with('$'))
            })
            && self.target(members).is_none_or(fits)
            && list(members, "allOf").all(fits)
            && members.get("not").is_none_or(|part| !fits(part))
            && (list(members, "anyOf").next().is_none() || list(members, "anyOf").any(fits))
    }

    /// The keys that a map here may have, in the order of the schema.
    pub(super) fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = Vec::new();
        let mut refused: Vec<&str> = Vec::new();
        for schema in &self.schemas {
            let required: Vec<&str> = list(schema, "required").filter_map(Value::as_str).collect();
            let properties = schema.get("properties").and_then(Value::as_object);
            for (name, inner) in properties.into_iter().flatten() {
                if *inner == Value::Bool(false) {
                    refused.push(name);
                    continue;
                }
                let is_required = required.contains(&name.as_str());
                match keys.iter_mut().find(|key| key.name == name) {
                    Some(known) => {
                        known.is_required |= is_required;
                        if doc_in(known.schema).is_none() {
                            known.schema = inner;
                        }
                    }
                    None => keys.push(Key {
                        name,
                        is_required,
                        schema: inner,
                    }),
                }
            }
        }
        keys.retain(|key| !refused.contains(&key.name));
        keys
    }

    /// The values that are named: constants, words of a choice, and yes or no.
    pub(super) fn choices(&self) -> Vec<Choice> {
        let mut choices: Vec<Choice> = Vec::new();
        let mut add = |text: String, doc| {
            if !choices.iter().any(|known| known.text == text) {
                choices.push(Choice { text, doc });
            }
        };
        for schema in &self.schemas {
            let doc = schema.get("description").and_then(Value::as_str);
            if let Some(only) = schema.get("const") {
                add(plain(only), doc);
            }
            for value in list(schema, "enum") {
                add(plain(value), None);
            }
            if schema.get("type") == Some(&Value::from("boolean")) {
                add("true".to_owned(), None);
                add("false".to_owned(), None);
            }
        }
        choices
    }

    /// What somebody may start with here: the label, what it is, and its value.
    pub(super) fn beginnings(&self) -> Vec<(&'static str, &'static str, &'static Value)> {
        let all = self
            .schemas
            .iter()
            .flat_map(|schema| list(schema, "defaultSnippets"));
        let read = |snippet: &'static Value| {
            Some((
                snippet.get("label")?.as_str()?,
                snippet.get("description")?.as_str()?,
                snippet.get("body")?,
            ))
        };
        let mut found: Vec<_> = all.filter_map(read).collect();
        found.dedup_by_key(|(label, _, _)| *label);
        found
    }

    /// What a value here may be.
    pub(super) fn shapes(&self) -> Vec<Shape> {
        let mut shapes = Vec::new();
        let mut add = |shape| {
            if !shapes.contains(&shape) {
                shapes.push(shape);
            }
        };
        for schema in &self.schemas {
            let names: Vec<&str> = match schema.get("type") {
                Some(Value::String(name)) => vec![name],
                Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
                _ if schema.contains_key("const") || schema.contains_key("enum") => vec!["string"],
                _ => Vec::new(),
            };
            for name in names {
                add(match name {
                    "object" => Shape::Map,
                    "array" => Shape::List,
                    _ => Shape::Scalar,
                });
            }
        }
        shapes
    }

    /// Whether a definition of this name applies, such as `Projection`.
    pub(super) fn is_a(&self, name: &str) -> bool {
        let definition = self.root.pointer(&format!("/$defs/{name}"));
        let definition = definition.and_then(Value::as_object);
        let mut known = self.schemas.iter();
        definition.is_some_and(|definition| known.any(|schema| std::ptr::eq(*schema, definition)))
    }

    /// The form of the value of a key.
    pub(super) fn of_key(&self, key: &Key) -> Form {
        let mut form = Form {
            root: self.root,
            schemas: Vec::new(),
        };
        form.add(key.schema, None, 0);
        form
    }

    /// What is said about what stands here.
    pub(super) fn doc(&self) -> Option<&'static str> {
        let mut docs = self.schemas.iter();
        docs.find_map(|schema| schema.get("description")?.as_str())
    }

    /// The value where none is given.
    pub(super) fn default(&self) -> Option<&'static Value> {
        let mut schemas = self.schemas.iter();
        schemas.find_map(|schema| schema.get("default"))
    }
}

fn doc_in(schema: &Value) -> Option<&str> {
    schema.get("description")?.as_str()
}

/// The schemas that a schema has for what is one step inside of its value.
fn inside(schema: &'static Map<String, Value>, step: &str) -> Vec<&'static Value> {
    let mut found = Vec::new();
    match schema.get("properties").and_then(|known| known.get(step)) {
        Some(inner) => found.push(inner),
        None => found.extend(schema.get("additionalProperties")),
    }
    if let Ok(index) = step.parse::<usize>() {
        match list(schema, "prefixItems").nth(index) {
            Some(inner) => found.push(inner),
            None => found.extend(schema.get("items")),
        }
    }
    found
}

fn list<'s>(
    schema: &'s Map<String, Value>,
    key: &str,
) -> impl Iterator<Item = &'s Value> + use<'s> {
    let items = schema.get(key).and_then(Value::as_array);
    items.into_iter().flatten()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    fn keys(kind: Kind, path: &str, file: Value) -> Vec<&'static str> {
        let path: Vec<String> = path.split('/').skip(1).map(str::to_owned).collect();
        let keys = Form::at(kind, &path, &file).keys();
        keys.into_iter().map(|key| key.name).collect()
    }

    fn choices(path: &str, file: Value) -> Vec<String> {
        let path: Vec<String> = path.split('/').skip(1).map(str::to_owned).collect();
        let choices = Form::at(Kind::Tool, &path, &file).choices();
        choices.into_iter().map(|choice| choice.text).collect()
    }

    #[test]
    fn the_schema_says_what_may_stand_at_a_place() {
        let root = keys(Kind::Tool, "", json!({}));
        assert_eq!(
            root[..5],
            ["spec", "tool", "service", "title", "description"]
        );
        let body = json!({ "request": { "method": "POST", "body": {} } });
        assert_eq!(
            keys(Kind::Tool, "/request/body", body)[..3],
            ["json", "form", "multipart"]
        );
        // A GET has no body.
        let get = keys(
            Kind::Tool,
            "/request",
            json!({ "request": { "method": "GET" } }),
        );
        assert!(get.contains(&"query") && !get.contains(&"body"), "{get:?}");
        // The kind tells which auth it is.
        let basic = json!({ "auth": { "kind": "basic" } });
        let found = keys(Kind::Service, "/auth", basic);
        assert!(
            found.contains(&"password") && !found.contains(&"grant"),
            "{found:?}"
        );
        let all = keys(Kind::Service, "/auth", json!({ "auth": null }));
        assert!(all.contains(&"grant") && all.contains(&"secret"), "{all:?}");
        let param = keys(Kind::Tool, "/params/properties/id", json!({}));
        assert!(param.contains(&"minLength"), "{param:?}");
        let each = json!({ "response": { "output": { "a": { "each": "$.x[*]" } } } });
        let found = keys(Kind::Tool, "/response/output/a", each);
        assert_eq!(found, ["each", "as"]);
    }

    #[test]
    fn values_are_named() {
        assert_eq!(
            choices("/access", json!({})),
            ["read", "write", "destructive"]
        );
        assert_eq!(choices("/spec", json!({})), ["1"]);
        assert_eq!(choices("/paging/entries", json!({})), ["true", "false"]);
        let kinds = choices("/service/auth/kind", json!({}));
        assert!(kinds.contains(&"oauth2".to_owned()), "{kinds:?}");
        let types = choices("/params/properties/a/type", json!({}));
        assert!(types.contains(&"integer".to_owned()), "{types:?}");
    }
}
