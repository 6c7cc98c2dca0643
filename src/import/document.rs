//! Reads a document that others wrote: JSON, or YAML with what descriptors may not have, such as anchors.
//!
//! Nothing in it can cost more than its size allows: an alias counts for all that it stands for, nesting is bounded,
//! and no other file is opened.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Number, Value};

use crate::yaml::{self, Plain};

/// How large a document may be.
const LIMITS: yaml::Limits = yaml::Limits {
    bytes: 128 << 20,
    depth: MOST_DEPTH,
    nodes: 20_000_000,
};

/// The deepest nesting, in JSON and in YAML. Whatever walks the document can then do so by recursion.
const MOST_DEPTH: usize = 120;

/// Reads a file.
///
/// # Errors
/// Why it cannot be read, with line and column where there is a place.
pub fn read(path: &Path) -> Result<Value, String> {
    let name = path.display();
    let file = File::open(path).map_err(|error| format!("cannot open {name}: {error}"))?;
    let mut bytes = Vec::new();
    file.take(LIMITS.bytes as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot read {name}: {error}"))?;
    if bytes.len() > LIMITS.bytes {
        return Err(format!(
            "{name} is larger than {} MB, the most that is read",
            LIMITS.bytes >> 20
        ));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("{name} is not UTF-8 text: byte {at} is not part of a character")
    })?;
    parse(&text).map_err(|message| format!("{name}: {message}"))
}

/// Reads text: JSON when it begins like an object and reads as one, else YAML.
///
/// # Errors
/// What is wrong and where.
pub fn parse(text: &str) -> Result<Value, String> {
    let text = text.trim_start_matches('\u{feff}');
    if !text.trim_start().starts_with('{') {
        return from_yaml(text, &LIMITS);
    }
    match serde_json::from_str::<Value>(text) {
        Ok(value) if depth_exceeds(&value, MOST_DEPTH) => Err(too_deep()),
        Ok(value) => Ok(value),
        // A flow mapping may begin like JSON; a text that is neither is told of as JSON.
        Err(error) => from_yaml(text, &LIMITS).map_err(|_| format!("no JSON: {error}")),
    }
}

fn depth_exceeds(value: &Value, most: usize) -> bool {
    let Some(rest) = most.checked_sub(1) else {
        return matches!(value, Value::Array(_) | Value::Object(_));
    };
    match value {
        Value::Array(items) => items.iter().any(|item| depth_exceeds(item, rest)),
        Value::Object(members) => members.values().any(|member| depth_exceeds(member, rest)),
        _ => false,
    }
}

fn too_deep() -> String {
    format!("nested more than {MOST_DEPTH} deep")
}

fn from_yaml(text: &str, limits: &yaml::Limits) -> Result<Value, String> {
    if let Some(problem) = yaml::refuse(text, limits) {
        return Err(at(text, problem.span.start, &problem.message));
    }
    let mut builder = Builder {
        limits,
        nodes: 0,
        open: Vec::new(),
        anchors: HashMap::new(),
        root: None,
    };
    for event in Parser::new_from_str(text) {
        let (event, marks) = event.map_err(|error| {
            let marker = error.marker();
            format!(
                "line {}, column {}: {}",
                marker.line(),
                marker.col() + 1,
                error.info()
            )
        })?;
        builder.take(event).map_err(|message| {
            format!(
                "line {}, column {}: {message}",
                marks.start.line(),
                marks.start.col() + 1
            )
        })?;
    }
    builder
        .root
        .ok_or_else(|| "the document is empty".to_owned())
}

fn at(text: &str, offset: usize, message: &str) -> String {
    let (line, column) = yaml::LineIndex::new(text).line_column(offset);
    format!("line {line}, column {column}: {message}")
}

/// Builds a value from the parser's events.
struct Builder<'l> {
    limits: &'l yaml::Limits,
    nodes: usize,
    open: Vec<Open>,
    /// The values of anchors, with the number of parts that each has.
    anchors: HashMap<usize, (Value, usize)>,
    root: Option<Value>,
}

struct Open {
    anchor: usize,
    /// How many nodes there were when it began.
    nodes_before: usize,
    body: Body,
}

enum Body {
    List(Vec<Value>),
    Map {
        members: Map<String, Value>,
        /// Members that a merge key brought, which the map's own outrank.
        merged: Map<String, Value>,
        key: Option<String>,
    },
}

/// The merge key: no key of the map, but a map whose members are taken over.
const MERGE: &str = "<<";

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                Err("a second document begins here".to_owned())
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.count(1)?;
                let is_text = style != ScalarStyle::Plain
                    || tag.is_some_and(|tag| tag.suffix == "str")
                    || self.awaits_key();
                let value = match is_text {
                    true => Value::String(text.into_owned()),
                    false => plain(&text),
                };
                self.complete(value, anchor, 1)
            }
            Event::Alias(anchor) => {
                let (value, size) = self
                    .anchors
                    .get(&anchor)
                    .ok_or_else(|| "an alias refers to what is not complete yet".to_owned())?;
                let (value, size) = (value.clone(), *size);
                self.count(size)?;
                self.complete(value, 0, size)
            }
            Event::SequenceStart(anchor, _) => self.begin(anchor, Body::List(Vec::new())),
            Event::MappingStart(anchor, _) => self.begin(
                anchor,
                Body::Map {
                    members: Map::new(),
                    merged: Map::new(),
                    key: None,
                },
            ),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            _ => Ok(()),
        }
    }

    fn count(&mut self, parts: usize) -> Result<(), String> {
        self.nodes = self.nodes.saturating_add(parts);
        match self.nodes > self.limits.nodes {
            true => Err(format!(
                "the document has more than {} parts, aliases counted for what they stand for",
                self.limits.nodes
            )),
            false => Ok(()),
        }
    }

    fn awaits_key(&self) -> bool {
        matches!(
            self.open.last(),
            Some(Open {
                body: Body::Map { key: None, .. },
                ..
            })
        )
    }

    fn begin(&mut self, anchor: usize, body: Body) -> Result<(), String> {
        self.count(1)?;
        if self.open.len() >= self.limits.depth {
            return Err(too_deep());
        }
        if self.awaits_key() {
            return Err("a key must be a text".to_owned());
        }
        self.open.push(Open {
            anchor,
            nodes_before: self.nodes - 1,
            body,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let value = match open.body {
            Body::List(items) => Value::Array(items),
            Body::Map {
                mut members,
                merged,
                ..
            } => {
                for (name, value) in merged {
                    members.entry(name).or_insert(value);
                }
                Value::Object(members)
            }
        };
        let size = self.nodes - open.nodes_before;
        self.complete(value, open.anchor, size)
    }

    fn complete(&mut self, value: Value, anchor: usize, size: usize) -> Result<(), String> {
        if anchor != 0 {
            // Anchors inside anchors are copied again and again, so the copies count too.
            self.count(size)?;
            self.anchors.insert(anchor, (value.clone(), size));
        }
        let most_depth = self.limits.depth;
        let depth = self.open.len();
        let Some(open) = self.open.last_mut() else {
            self.root = Some(value);
            return Ok(());
        };
        // An alias may bring nesting that no bracket announced.
        if size > 1 && depth_exceeds(&value, most_depth.saturating_sub(depth)) {
            return Err(too_deep());
        }
        match &mut open.body {
            Body::List(items) => items.push(value),
            Body::Map {
                members,
                merged,
                key,
            } => match key.take() {
                None => {
                    let Value::String(name) = value else {
                        return Err("a key must be a text".to_owned());
                    };
                    if members.contains_key(&name) {
                        return Err(format!("the key `{name}` is written twice"));
                    }
                    *key = Some(name);
                }
                Some(name) if name == MERGE => merge(merged, value)?,
                Some(name) => {
                    members.insert(name, value);
                }
            },
        }
        Ok(())
    }
}

fn merge(into: &mut Map<String, Value>, value: Value) -> Result<(), String> {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                into.entry(name).or_insert(value);
            }
            Ok(())
        }
        Value::Array(items) => items.into_iter().try_for_each(|item| merge(into, item)),
        _ => Err("a merge key takes a map".to_owned()),
    }
}

/// A plain scalar; a number that is too large for JSON's integers is the nearest that it has.
fn plain(text: &str) -> Value {
    match yaml::classify(text) {
        Plain::Null => Value::Null,
        Plain::Bool(flag) => Value::Bool(flag),
        Plain::Number(number) => Value::Number(number),
        Plain::IntegerOutOfRange => text
            .parse()
            .ok()
            .and_then(Number::from_f64)
            .map_or_else(|| Value::String(text.to_owned()), Value::Number),
        // A schema's bound or example is near enough.
        Plain::Inexact(number) => Value::Number(number),
        Plain::NonFinite | Plain::Text => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    #[test]
    fn json_and_yaml_are_read() {
        let expected = json!({"openapi": "3.1.0", "paths": {"/a": {"get": {"responses": {"200": {"x": [1, 2.5, true, null]}}}}}});
        assert_eq!(parse(&expected.to_string()), Ok(expected.clone()));
        let yaml = "openapi: 3.1.0\npaths:\n  /a:\n    get: { responses: { 200: { x: [1, 2.5, true, null] } } }\n";
        assert_eq!(parse(yaml), Ok(expected.clone()));
        assert_eq!(parse(&format!("\u{feff}{expected}")), Ok(expected));
        assert_eq!(
            parse("{ a: b }"),
            Ok(json!({"a": "b"})),
            "a flow map is YAML"
        );
    }

    #[test]
    fn what_descriptors_may_not_have() {
        let text =
            "base: &b { x: 1, y: &n [2] }\nm: { <<: *b, x: 3 }\nl: { <<: [*b, { z: 4 }] }\nn: *n\n";
        assert_eq!(
            parse(text),
            Ok(json!({
                "base": {"x": 1, "y": [2]}, "m": {"x": 3, "y": [2]}, "l": {"x": 1, "y": [2], "z": 4}, "n": [2]
            }))
        );
        assert_eq!(
            parse("a: -9223372036854776000\nb: .inf\nc: !!str 5\n"),
            Ok(json!({"a": -9.223372036854776e18, "b": ".inf", "c": "5"}))
        );
    }

    #[test]
    fn bombs_end_with_an_error() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for i in 1..12 {
            let aliases = vec![format!("*a{}", i - 1); 9].join(", ");
            bomb.push_str(&format!("a{i}: &a{i} [{aliases}]\n"));
        }
        let small = yaml::Limits {
            nodes: 100_000,
            ..LIMITS
        };
        assert!(
            from_yaml(&bomb, &small)
                .unwrap_err()
                .contains("more than 100000 parts")
        );
        for open in ["[", "{\"a\":"] {
            let deep = open.repeat(50_000);
            assert!(parse(&format!("{{\"a\": {deep}")).is_err());
            assert!(parse(&format!("a: {deep}")).is_err());
        }
        let nested: String = (0..5_000)
            .map(|i| format!("{}a:\n", " ".repeat(i)))
            .collect();
        assert!(parse(&nested).is_err());
        let mut chain = String::from("a0: &a0 [x]\n");
        for i in 1..200 {
            chain.push_str(&format!("a{i}: &a{i} [*a{}]\n", i - 1));
        }
        assert_eq!(
            parse(&chain).unwrap_err().split(": ").last(),
            Some("nested more than 120 deep")
        );
    }

    #[test]
    fn mistakes_have_a_place() {
        assert_eq!(
            parse("a: 1\na: 2\n").unwrap_err(),
            "line 2, column 1: the key `a` is written twice"
        );
        assert!(parse("{\"a\": \"b}").unwrap_err().contains("line 1 column"));
        for bad in ["", "a: *b", "a: [", "? [1]\n: 2", "a: 1\n---\nb: 2\n"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
