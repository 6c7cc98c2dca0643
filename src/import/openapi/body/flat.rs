//! Object schemas whose properties can be params of their own.

use serde_json::{Map, Value, json};

use crate::import::openapi::parameters::Request;
use crate::import::openapi::schema::{Schemas, required_are_apart};
use crate::import::openapi::spec::{Part, Spec};

/// An object schema whose properties can be params beside others.
#[derive(Default)]
pub(super) struct Flat<'s> {
    pub properties: Vec<(&'s str, Part<'s>)>,
    pub required: Vec<&'s str>,
    /// Names of properties that are only in responses.
    hidden: Vec<&'s str>,
    /// Rules about several properties, such as `anyOf`.
    pub rules: Map<String, Value>,
    /// Lists of alternatives of which a value may fit several.
    overlaps: Vec<Part<'s>>,
}

impl Flat<'_> {
    /// Whether every property can be a param by its own name.
    pub(super) fn is_free_in(&self, request: &Request) -> bool {
        self.properties
            .iter()
            .all(|(wire, _)| request.is_free(wire))
    }
}

/// The properties of an object schema; `None` if it says more, so that it only works as one param.
pub(super) fn flatten<'s>(
    spec: &'s Spec,
    schemas: &Schemas<'s, '_>,
    schema: &Part<'s>,
) -> Option<Flat<'s>> {
    let mut flat = Flat::default();
    flat.add_schema(spec, schemas, schema, 8)?;
    let known = |name: &str| flat.properties.iter().any(|(known, _)| *known == name);
    // Nobody could satisfy a rule about a property that is not a param.
    let mut ruled = flat.rules.values().flat_map(names_in);
    let is_whole = ruled.all(known)
        && flat
            .required
            .iter()
            .all(|name| known(name) || flat.hidden.contains(name));
    if flat.properties.is_empty() || !is_whole {
        return None;
    }
    for list in &flat.overlaps {
        schemas.note_overlap(list);
    }
    Some(flat)
}

/// The names of the properties in a rule.
fn names_in(rule: &Value) -> Vec<&str> {
    match rule {
        Value::String(name) => vec![name],
        Value::Array(items) => items.iter().flat_map(names_in).collect(),
        Value::Object(members) => {
            let is_map = !members.contains_key("required");
            let keys = members.keys().filter(|_| is_map).map(String::as_str);
            keys.chain(members.values().flat_map(names_in)).collect()
        }
        _ => Vec::new(),
    }
}

impl<'s> Flat<'s> {
    /// Adds an object schema. `None` if it says more than properties and rules about them.
    fn add_schema(
        &mut self,
        spec: &'s Spec,
        schemas: &Schemas<'s, '_>,
        schema: &Part<'s>,
        depth: usize,
    ) -> Option<()> {
        const WORDS: [&str; 17] = [
            "$defs",
            "$schema",
            "default",
            "definitions",
            "deprecated",
            "description",
            "discriminator",
            "example",
            "examples",
            "externalDocs",
            "nullable",
            "readOnly",
            "required",
            "title",
            "type",
            "writeOnly",
            "xml",
        ];
        let depth = depth.checked_sub(1)?;
        let schema = spec.resolve(schema).ok()?;
        let is_object = match schema.value.get("type") {
            None => true,
            Some(Value::String(name)) => name == "object",
            Some(Value::Array(names)) => names.iter().any(|name| name == "object"),
            Some(_) => false,
        };
        if !is_object {
            return None;
        }
        for (keyword, part) in schema.members() {
            match keyword {
                "properties" => {
                    for (name, property) in part.members() {
                        match schemas.is_read_only(&property) {
                            true => self.hidden.push(name),
                            false => self.add_property(name, property)?,
                        }
                    }
                }
                "allOf" => {
                    for one in part.items() {
                        self.add_schema(spec, schemas, &one, depth)?;
                    }
                }
                "anyOf" | "oneOf" => {
                    let choices: Option<Vec<Value>> =
                        part.items().map(|one| required_alone(&one)).collect();
                    let choices = choices?;
                    let keyword = match keyword {
                        "oneOf" if !required_are_apart(&choices) => {
                            self.overlaps.push(part);
                            "anyOf"
                        }
                        other => other,
                    };
                    self.add_rule(keyword, choices.into())?;
                }
                "dependentRequired" => match part.value.as_object()?.is_empty() {
                    true => {}
                    false => self.add_rule(keyword, part.value.clone())?,
                },
                "additionalProperties" if *part.value == false => {}
                "minProperties" if part.value.as_u64().is_some_and(|least| least <= 1) => {}
                other if WORDS.contains(&other) || other.starts_with("x-") => {}
                _ => return None,
            }
        }
        let required = schema.value.get("required").and_then(Value::as_array);
        self.required
            .extend(required.into_iter().flatten().filter_map(Value::as_str));
        if schema.value.get("minProperties").and_then(Value::as_u64) == Some(1) {
            let one = |(name, _): &(&str, _)| json!({ "required": [name] });
            let choices: Vec<Value> = self.properties.iter().map(one).collect();
            self.add_rule("anyOf", choices.into())?;
        }
        Some(())
    }

    /// Adds a property. `None` if another one has the same name.
    fn add_property(&mut self, name: &'s str, property: Part<'s>) -> Option<()> {
        match self.properties.iter().find(|(known, _)| *known == name) {
            Some((_, known)) if known.value == property.value => Some(()),
            Some(_) => None,
            None => {
                self.properties.push((name, property));
                Some(())
            }
        }
    }

    /// Adds a rule about several params. `None` if there is already one with this keyword.
    fn add_rule(&mut self, keyword: &str, rule: Value) -> Option<()> {
        self.rules
            .insert(keyword.to_owned(), rule)
            .is_none()
            .then_some(())
    }
}

/// An alternative that only says which properties are required; `None` if it says more.
fn required_alone(choice: &Part<'_>) -> Option<Value> {
    let is_plain = |key: &str| {
        ["required", "title", "description", "type"].contains(&key) || key.starts_with("x-")
    };
    let members = choice.value.as_object()?;
    let names = members
        .get("required")
        .cloned()
        .unwrap_or_else(|| json!([]));
    members
        .keys()
        .all(|key| is_plain(key))
        .then(|| json!({ "required": names }))
}
