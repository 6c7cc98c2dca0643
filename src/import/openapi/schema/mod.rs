//! Converts the schemas of OpenAPI to JSON Schema 2020-12, for params and bodies.
//!
//! A reference is written out if its target is small or used once. A target that is large and shared, or refers to
//! itself, becomes a `$defs` entry of the tool's params. What the engine would refuse is left out and reported.

mod beside;
mod keyword;
mod object;
mod order;
mod overlap;
mod shape;
mod words;

use std::collections::{HashMap, VecDeque};

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

pub(crate) use overlap::required_are_apart;
pub(crate) use shape::{Shape, shape};

use super::graph::{Graph, Size, references};
use super::spec::{Part, Spec};
use super::text;
use crate::import::report::{Losses, What};

/// A schema of at most so many values is written out at every reference to it.
const SMALL: usize = 24;
/// The deepest nesting of schemas written in place; deeper ones become `$defs` entries.
const MOST_DEPTH: usize = 16;
/// The most schemas that are converted for one operation. In some documents every schema leads to all others; the ones
/// nearest to the param are the most useful.
const MOST_SCHEMAS: usize = 3000;
/// The most references that are followed to count how often each schema is used.
const MOST_REFERENCES: usize = 20_000;

/// Converts the schemas of one operation.
#[derive(Debug)]
pub(crate) struct Schemas<'a, 'l> {
    spec: &'a Spec,
    graph: &'a Graph,
    losses: &'l Losses,
    /// How often the operation refers to each schema.
    uses: HashMap<String, usize>,
    /// The names under `$defs`, by pointer.
    names: IndexMap<String, String>,
    /// Pointers of definitions that are not converted yet.
    queue: VecDeque<String>,
    /// How many schemas were converted.
    count: usize,
}

impl<'a, 'l> Schemas<'a, 'l> {
    /// A converter for an operation that uses the schemas `roots`.
    pub(crate) fn new(
        spec: &'a Spec,
        graph: &'a Graph,
        losses: &'l Losses,
        roots: &[Part<'a>],
    ) -> Schemas<'a, 'l> {
        let mut uses: HashMap<String, usize> = HashMap::new();
        let mut open: VecDeque<&Value> = roots.iter().map(|root| root.value).collect();
        let mut seen = 0;
        while let Some(value) = open.pop_front() {
            for reference in references(value).0 {
                seen += 1;
                if seen > MOST_REFERENCES {
                    break;
                }
                let Ok(target) = spec.lookup(&reference).and_then(|part| spec.resolve(&part))
                else {
                    continue;
                };
                let count = uses.entry(target.pointer).or_default();
                *count += 1;
                if *count == 1 {
                    open.push_back(target.value);
                }
            }
        }
        Schemas {
            spec,
            graph,
            losses,
            uses,
            names: IndexMap::new(),
            queue: VecDeque::new(),
            count: 0,
        }
    }

    /// The schema of a param. Its top level is written out so that its type can be seen, unless it is a shared object.
    pub(crate) fn param(&mut self, schema: &Part<'a>) -> Map<String, Value> {
        if let Some(reference) = schema.reference()
            && let Some(target) = self.target_of(reference, schema)
            && target.text("type") == Some("object")
            && !self.is_inline(&target, 0)
        {
            let referring = self.refer_to(&target.pointer);
            let mut param = Map::from_iter([("type".to_owned(), json!("object"))]);
            if let Value::Object(members) = self.with_siblings(referring, schema) {
                param.extend(members);
            }
            return param;
        }
        match self.written_out(schema, 0, text::PARAM) {
            Value::Object(members) => members,
            Value::Bool(false) => Map::from_iter([("not".to_owned(), json!({}))]),
            _ => Map::new(),
        }
    }

    /// Whether the target of a reference is written in place.
    fn is_inline(&self, target: &Part<'_>, depth: usize) -> bool {
        // A schema that was not counted is taken to be used often.
        let uses = self.uses.get(&target.pointer).copied();
        depth <= MOST_DEPTH
            && match self.graph.size(&target.pointer) {
                Size::Endless => false,
                Size::Values(values) => values <= SMALL || uses == Some(1),
            }
    }

    /// The definitions that the converted schemas refer to.
    pub(crate) fn into_definitions(mut self) -> Map<String, Value> {
        let mut definitions = IndexMap::new();
        while let Some(pointer) = self.queue.pop_front() {
            let Some(value) = self.spec.root().value.pointer(&pointer) else {
                continue;
            };
            let part = Part {
                value,
                pointer: pointer.clone(),
            };
            let definition = match self.count >= MOST_SCHEMAS {
                true => self.left_open(),
                false => self.written_out(&part, 1, text::NESTED),
            };
            definitions.insert(pointer, definition);
        }
        self.names
            .into_iter()
            .filter_map(|(pointer, name)| Some((name, definitions.swap_remove(&pointer)?)))
            .collect()
    }

    fn convert(&mut self, schema: &Part<'a>, depth: usize) -> Value {
        if self.count >= MOST_SCHEMAS
            && (schema.reference().is_some() || has_schemas_inside(schema.value))
        {
            return self.left_open();
        }
        let Some(reference) = schema.reference() else {
            return match depth > MOST_DEPTH && has_schemas_inside(schema.value) {
                true => self.refer_to(&schema.pointer),
                false => self.written_out(schema, depth, text::NESTED),
            };
        };
        let Some(target) = self.target_of(reference, schema) else {
            return self.with_siblings(json!({}), schema);
        };
        match self.is_inline(&target, depth) {
            true => self.written_out(schema, depth, text::NESTED),
            false => {
                let referring = self.refer_to(&target.pointer);
                self.with_siblings(referring, schema)
            }
        }
    }

    fn target_of(&self, reference: &str, schema: &Part<'a>) -> Option<Part<'a>> {
        let target = self.spec.lookup(reference);
        match target.and_then(|target| self.spec.resolve(&target)) {
            Ok(target) => Some(target),
            Err(error) => {
                self.losses.note(
                    What::Reference,
                    &schema.pointer,
                    format!("{error}; any value is allowed there"),
                );
                None
            }
        }
    }

    /// The schema, or the target of its reference, written in place.
    fn written_out(&mut self, schema: &Part<'a>, depth: usize, longest: usize) -> Value {
        match (schema.value, schema.reference()) {
            (Value::Bool(allows), _) => Value::Bool(*allows),
            (Value::Object(_), Some(reference)) => {
                let written = match self.target_of(reference, schema) {
                    Some(target) => self.written_out(&target, depth, longest),
                    None => json!({}),
                };
                self.with_siblings(written, schema)
            }
            (Value::Object(members), None) => self.convert_object(schema, members, depth, longest),
            _ => {
                self.losses.note(
                    What::Schema,
                    &schema.pointer,
                    "this is not a schema; any value is allowed there",
                );
                json!({})
            }
        }
    }

    /// A schema that allows anything, in place of one that is too deep in too large a schema.
    fn left_open(&self) -> Value {
        self.losses.note(
            What::Schema,
            "",
            "a schema is very large; its deepest parts are not checked",
        );
        json!({})
    }

    fn refer_to(&mut self, pointer: &str) -> Value {
        let name = match self.names.get(pointer) {
            Some(name) => name.clone(),
            None => {
                let name = self.free_name(pointer);
                self.names.insert(pointer.to_owned(), name.clone());
                self.queue.push_back(pointer.to_owned());
                name
            }
        };
        json!({ "$ref": format!("#/$defs/{name}") })
    }

    fn free_name(&self, pointer: &str) -> String {
        let last = pointer.rsplit('/').next().unwrap_or_default();
        let name: String = last
            .replace("~1", "/")
            .chars()
            .map(|c| match c.is_ascii_alphanumeric() || "_-.".contains(c) {
                true => c,
                false => '_',
            })
            .collect();
        let name = match name.is_empty() || name.bytes().all(|b| b.is_ascii_digit()) {
            true => format!("Part{name}"),
            false => name,
        };
        let is_free = |name: &str| !self.names.values().any(|taken| taken == name);
        match is_free(&name) {
            true => name,
            false => (2..)
                .map(|i| format!("{name}_{i}"))
                .find(|name| is_free(name))
                .unwrap_or(name),
        }
    }
}

fn has_schemas_inside(schema: &Value) -> bool {
    schema.as_object().is_some_and(|members| {
        members
            .iter()
            .any(|(keyword, value)| keyword != "enum" && (value.is_object() || value.is_array()))
    })
}
