//! Alternatives of `oneOf`: whether a value can fit two of them.
//!
//! A call must be able to send every value that the document means. If a value may fit two alternatives, `oneOf` would
//! refuse it, so `anyOf` takes its place.

use serde_json::{Map, Value, json};

use super::Schemas;
use crate::import::openapi::spec::{Part, Spec};
use crate::import::report::What;

/// How many schemas inside each other are looked at.
const DEPTH: usize = 5;
/// The most alternatives that are compared with each other.
const MOST: usize = 200;

impl<'a> Schemas<'a, '_> {
    /// The keyword for the alternatives of a `oneOf` in this schema: `oneOf` if no value can fit two of them.
    pub(super) fn choice_keyword(&self, schema: &Part<'a>) -> &'static str {
        let Some(list) = schema.get("oneOf") else {
            return "oneOf";
        };
        let branches: Vec<Part<'a>> = list.items().collect();
        if branches.len() < 2 || are_all_apart(self.spec, &branches) {
            return "oneOf";
        }
        if self.mapped(schema, &branches).is_none() {
            self.note_overlap(&list);
        }
        "anyOf"
    }

    /// Notes that alternatives may overlap.
    pub(crate) fn note_overlap(&self, list: &Part<'_>) {
        self.losses.note(
            What::Schema,
            &list.pointer,
            "a value may fit several alternatives of `oneOf`; it is enough that it fits one (`anyOf`)",
        );
    }

    /// Adds to each converted alternative the values by which the discriminator names it, if the document lists them
    /// and the alternatives do not say so themselves.
    pub(super) fn with_discriminator(&self, schema: &Part<'a>, converted: Value) -> Value {
        let branches: Vec<Part<'a>> = match schema.get("oneOf") {
            Some(list) => list.items().collect(),
            None => return converted,
        };
        let (Some((property, names)), Value::Array(list)) =
            (self.mapped(schema, &branches), &converted)
        else {
            return converted;
        };
        if list.len() != names.len() {
            return converted;
        }
        list.iter()
            .zip(names)
            .map(|(branch, names)| {
                let named = json!({ "properties": { property: { "enum": names } } });
                json!({ "allOf": [branch, named] })
            })
            .collect()
    }

    /// The property of the discriminator, and for each alternative the values that name it. `None` if the document does
    /// not list them for all, or an alternative lists its own.
    fn mapped(
        &self,
        schema: &Part<'a>,
        branches: &[Part<'a>],
    ) -> Option<(&'a str, Vec<Vec<&'a str>>)> {
        let discriminator = schema.get("discriminator")?;
        let property = discriminator.text("propertyName")?;
        let mapping = discriminator.map("mapping")?;
        let mut all = Vec::new();
        for branch in branches {
            let reference = branch.reference()?;
            let facts = Facts::of(self.spec, branch, DEPTH)?;
            let (_, own) = facts
                .properties
                .iter()
                .find(|(name, _)| *name == property)?;
            let own = Facts::of(self.spec, own, 2)?;
            let is_text = own.types.as_deref().is_none_or(|types| types == ["string"]);
            if own.values.is_some() || !is_text {
                return None;
            }
            let names: Vec<&str> = mapping
                .iter()
                .filter(|(_, target)| is_target(target, reference))
                .map(|(name, _)| name.as_str())
                .collect();
            if names.is_empty() {
                return None;
            }
            all.push(names);
        }
        Some((property, all))
    }
}

/// Whether a mapping's target, a reference or the name of a schema, is what a branch refers to.
fn is_target(target: &Value, reference: &str) -> bool {
    let last = reference.rsplit('/').next();
    target
        .as_str()
        .is_some_and(|target| target == reference || Some(target) == last)
}

/// Whether a `oneOf` whose alternatives only name required properties can be met by each of them: none asks for all that
/// another asks for.
pub(crate) fn required_are_apart(choices: &[Value]) -> bool {
    let names = |choice: &Value| -> Vec<String> {
        let list = choice.get("required").and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect()
    };
    let all: Vec<Vec<String>> = choices.iter().map(names).collect();
    all.iter().enumerate().all(|(i, one)| {
        let mut others = all.iter().enumerate().filter(|(j, _)| *j != i);
        others.all(|(_, other)| !one.iter().all(|name| other.contains(name)))
    })
}

fn are_all_apart(spec: &Spec, branches: &[Part<'_>]) -> bool {
    if branches.len() > MOST {
        return false;
    }
    let only_required: Option<Vec<Value>> = branches.iter().map(only_required).collect();
    if let Some(choices) = only_required {
        return required_are_apart(&choices);
    }
    let facts: Option<Vec<Facts<'_>>> = branches
        .iter()
        .map(|branch| Facts::of(spec, branch, DEPTH))
        .collect();
    let Some(facts) = facts else {
        return false;
    };
    facts.iter().enumerate().all(|(i, one)| {
        facts[..i]
            .iter()
            .all(|other| one.is_apart(other, spec, DEPTH))
    })
}

/// An alternative that says nothing but which properties are required.
fn only_required(branch: &Part<'_>) -> Option<Value> {
    let members = branch.value.as_object()?;
    let is_plain = |key: &String| {
        ["required", "title", "description", "type"].contains(&key.as_str())
            || key.starts_with("x-")
    };
    (members.contains_key("required") && members.keys().all(is_plain)).then(|| {
        Value::Object(Map::from_iter([(
            "required".into(),
            members["required"].clone(),
        )]))
    })
}

/// What every value of a schema has in common, as far as it helps to tell it from the values of another.
#[derive(Default, Clone)]
struct Facts<'s> {
    /// The types; `None` if any.
    types: Option<Vec<&'s str>>,
    /// The only values; `None` if any.
    values: Option<Vec<&'s Value>>,
    required: Vec<&'s str>,
    properties: Vec<(&'s str, Part<'s>)>,
    /// The only names of properties; `None` if any.
    names: Option<Vec<&'s str>>,
}

impl<'s> Facts<'s> {
    /// `None` if a reference cannot be followed, or the schema is nested too deep.
    fn of(spec: &'s Spec, schema: &Part<'s>, depth: usize) -> Option<Facts<'s>> {
        let depth = depth.checked_sub(1)?;
        let schema = spec.resolve(schema).ok()?;
        let mut facts = Facts::default();
        let is_nullable = schema.flag("nullable") == Some(true);
        facts.types = match schema.value.get("type") {
            Some(Value::String(name)) => Some(vec![name.as_str()]),
            Some(Value::Array(names)) => Some(names.iter().filter_map(Value::as_str).collect()),
            _ => None,
        };
        if let Some(types) = facts.types.as_mut().filter(|_| is_nullable) {
            types.push("null");
        }
        let values = schema.value.get("enum").and_then(Value::as_array);
        facts.values = values.map(|values| values.iter().collect());
        if let Some(value) = schema.value.get("const") {
            facts.values = Some(vec![value]);
        }
        if let Some(values) = facts.values.as_mut().filter(|_| is_nullable) {
            values.push(&Value::Null);
        }
        let required = schema.value.get("required").and_then(Value::as_array);
        facts
            .required
            .extend(required.into_iter().flatten().filter_map(Value::as_str));
        if let Some(properties) = schema.get("properties") {
            facts.properties.extend(properties.members());
        }
        // What is only in responses is no part of a request, so it tells nothing apart there.
        let is_hidden = |part: &Part<'s>| {
            let says_so = |part: &Part<'_>| part.flag("readOnly") == Some(true);
            says_so(part) || spec.resolve(part).is_ok_and(|target| says_so(&target))
        };
        let (hidden, sent) = facts
            .properties
            .into_iter()
            .partition(|(_, part)| is_hidden(part));
        facts.properties = sent;
        let hidden: Vec<(&str, Part<'s>)> = hidden;
        facts
            .required
            .retain(|name| !hidden.iter().any(|(known, _)| known == name));
        let has_patterns = schema.get("patternProperties").is_some();
        if schema.value.get("additionalProperties") == Some(&Value::Bool(false)) && !has_patterns {
            facts.names = Some(facts.properties.iter().map(|(name, _)| *name).collect());
        }
        for one in schema
            .get("allOf")
            .into_iter()
            .flat_map(|list| list.items())
        {
            facts.add(Facts::of(spec, &one, depth)?);
        }
        Some(facts)
    }

    /// Adds what a part of `allOf` says.
    fn add(&mut self, other: Facts<'s>) {
        self.types = self.types.take().or(other.types);
        self.values = self.values.take().or(other.values);
        self.names = self.names.take().or(other.names);
        self.required.extend(other.required);
        self.properties.extend(other.properties);
    }

    /// Whether no value fits both.
    fn is_apart(&self, other: &Facts<'s>, spec: &'s Spec, depth: usize) -> bool {
        let Some(depth) = depth.checked_sub(1) else {
            return false;
        };
        if let (Some(one), Some(other)) = (&self.types, &other.types)
            && !one
                .iter()
                .any(|name| other.iter().any(|other| share(name, other)))
        {
            return true;
        }
        if self.values_differ(other) {
            return true;
        }
        let is_object = |facts: &Facts<'_>| facts.types.as_deref() == Some(&["object"]);
        if !is_object(self) && !is_object(other) {
            return false;
        }
        self.lacks_required_of(other)
            || other.lacks_required_of(self)
            || self.properties.iter().any(|(name, one)| {
                let is_required = self.required.contains(name) || other.required.contains(name);
                let mut same = other.properties.iter().filter(|(known, _)| known == name);
                is_required
                    && same.any(|(_, other)| {
                        match (Facts::of(spec, one, 2), Facts::of(spec, other, 2)) {
                            (Some(one), Some(other)) => one.is_apart(&other, spec, depth),
                            _ => false,
                        }
                    })
            })
    }

    fn values_differ(&self, other: &Facts<'_>) -> bool {
        let fits = |value: &Value, types: &Option<Vec<&str>>| {
            types
                .as_ref()
                .is_none_or(|types| types.iter().any(|name| share(name, type_of(value))))
        };
        match (&self.values, &other.values) {
            (Some(one), Some(others)) => !one.iter().any(|value| others.contains(value)),
            (Some(one), None) => !one.iter().any(|value| fits(value, &other.types)),
            (None, Some(others)) => !others.iter().any(|value| fits(value, &self.types)),
            (None, None) => false,
        }
    }

    /// Whether the other schema requires a property that this one forbids.
    fn lacks_required_of(&self, other: &Facts<'_>) -> bool {
        self.names
            .as_ref()
            .is_some_and(|names| other.required.iter().any(|name| !names.contains(name)))
    }
}

/// Whether a value can be of both types.
fn share(one: &str, other: &str) -> bool {
    let is_number = |name: &str| ["integer", "number"].contains(&name);
    one == other || (is_number(one) && is_number(other))
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
