//! Verdicts about generated pairs of schemas, held against a validator that knows nothing of them.

use pretty_assertions::{assert_eq, assert_ne};
use serde_json::{Map, Value, json};

use super::parts::Space;
use super::samples::{samples, samples_near};
use super::{Answer, Part, Relation, canonical, compare, facts};

fn relation(old: &Value, new: &Value) -> Relation {
    compare(
        Part {
            root: old,
            schema: old,
        },
        Part {
            root: new,
            schema: new,
        },
    )
}

fn words(old: &Value, new: &Value) -> &'static str {
    let relation = relation(old, new);
    match (relation.old_in_new, relation.new_in_old) {
        (Answer::Yes, Answer::Yes) => "equal",
        (Answer::Yes, Answer::No) => "wider",
        (Answer::No, Answer::Yes) => "narrower",
        (Answer::No, Answer::No) => "other",
        _ => "unknown",
    }
}

#[test]
fn schemas_that_are_written_differently_and_mean_the_same_are_equal() {
    let string = json!({ "type": "string" });
    let tree = json!({
        "$ref": "#/$defs/tree",
        "$defs": { "tree": { "type": "object", "properties": {
            "name": { "type": "string" }, "below": { "type": "array", "items": { "$ref": "#/$defs/tree" } } } } },
    });
    let other_tree = json!({
        "type": "object",
        "properties": {
            "below": { "items": { "$ref": "#/$defs/node" }, "type": ["array"] }, "name": { "minLength": 0, "type": "string" } },
        "$defs": { "node": { "properties": {
            "name": { "type": "string" }, "below": { "type": "array", "items": { "$ref": "#/$defs/knot" } } }, "type": "object" },
            "knot": { "$ref": "#/$defs/node" } },
    });
    for (old, new) in [
        (
            json!({ "type": "string", "maxLength": 3 }),
            json!({ "maxLength": 3, "type": ["string"] }),
        ),
        (json!({ "const": 1 }), json!({ "enum": [1] })),
        (
            json!({ "const": 1 }),
            json!({ "enum": [1.0], "type": "integer" }),
        ),
        (json!({ "enum": ["a", "b"] }), json!({ "enum": ["b", "a"] })),
        (string.clone(), json!({ "allOf": [string] })),
        (string.clone(), json!({ "anyOf": [string] })),
        (
            json!({ "type": ["string", "null"] }),
            json!({ "anyOf": [{ "type": "null" }, { "type": "string" }] }),
        ),
        (
            json!({ "type": ["string", "null"] }),
            json!({ "oneOf": [{ "type": "null" }, { "type": "string" }] }),
        ),
        (
            json!({ "type": "integer", "exclusiveMinimum": 0 }),
            json!({ "type": "integer", "minimum": 1 }),
        ),
        (
            json!({ "type": "integer" }),
            json!({ "type": "number", "multipleOf": 1 }),
        ),
        (
            json!({ "type": "boolean" }),
            json!({ "enum": [true, false] }),
        ),
        (
            json!({ "type": "object" }),
            json!({ "type": "object", "additionalProperties": true, "required": [], "properties": {} }),
        ),
        (
            json!({ "type": "string", "description": "A", "x-note": 1 }),
            json!({ "type": "string", "title": "B", "default": "c" }),
        ),
        (
            json!({ "$ref": "#/$defs/a", "$defs": { "a": { "type": "string" } } }),
            string.clone(),
        ),
        (
            json!({ "type": "string", "format": "int32" }),
            string.clone(),
        ),
        (json!({}), json!(true)),
        (
            json!({ "not": { "type": "string" } }),
            json!({ "type": ["null", "boolean", "number", "array", "object"] }),
        ),
        (
            json!({ "type": "string", "minLength": 2, "maxLength": 1 }),
            json!(false),
        ),
        (tree, other_tree),
    ] {
        assert_eq!(words(&old, &new), "equal", "{old} {new}");
        assert_eq!(words(&new, &old), "equal", "{new} {old}");
    }
}

#[test]
fn relations_are_as_they_are() {
    for (old, new, expected) in [
        (
            json!({ "type": "integer" }),
            json!({ "type": "number" }),
            "wider",
        ),
        (
            json!({ "type": "string" }),
            json!({ "type": ["string", "null"] }),
            "wider",
        ),
        (
            json!({ "enum": ["a"] }),
            json!({ "enum": ["a", "b"] }),
            "wider",
        ),
        (
            json!({ "enum": ["a"] }),
            json!({ "type": "string" }),
            "wider",
        ),
        (
            json!({ "type": "string", "pattern": "^a" }),
            json!({ "type": "string" }),
            "wider",
        ),
        (
            json!({ "type": "string", "pattern": "^a+$" }),
            json!({ "type": "string", "pattern": "^b+$" }),
            "other",
        ),
        (
            json!({ "type": "string", "format": "date" }),
            json!({ "type": "string", "format": "uuid" }),
            "other",
        ),
        (
            json!({ "type": "integer", "multipleOf": 6 }),
            json!({ "type": "integer", "multipleOf": 3 }),
            "wider",
        ),
        (
            json!({ "type": "string" }),
            json!({ "type": "integer" }),
            "other",
        ),
        (
            json!({ "type": "array", "items": { "type": "integer" } }),
            json!({ "type": "array" }),
            "wider",
        ),
        (
            json!({ "type": "array", "uniqueItems": true }),
            json!({ "type": "array" }),
            "wider",
        ),
        (
            json!({ "type": "object", "properties": { "a": { "type": "string" } }, "required": ["a"] }),
            json!({ "type": "object", "properties": { "a": { "type": "string" } } }),
            "wider",
        ),
        (
            json!({ "type": "object", "properties": { "a": {} }, "additionalProperties": false }),
            json!({ "type": "object", "properties": { "a": {}, "b": {} }, "additionalProperties": false }),
            "wider",
        ),
        (
            json!({ "anyOf": [{ "type": "integer", "minimum": 5 }, { "type": "string" }] }),
            json!({ "anyOf": [{ "type": "integer", "minimum": 3 }, { "type": "string" }, { "type": "null" }] }),
            "wider",
        ),
    ] {
        assert_eq!(words(&old, &new), expected, "{old} {new}");
        let turned = match expected {
            "wider" => "narrower",
            other => other,
        };
        assert_eq!(words(&new, &old), turned, "{new} {old}");
    }
}

#[test]
fn two_branches_that_are_alike_are_not_one() {
    let (old, new) = (
        json!({ "oneOf": [{ "type": "number" }, { "type": "number" }] }),
        json!({ "oneOf": [{ "type": "number" }] }),
    );
    assert_ne!(words(&old, &new), "equal");
}

#[test]
fn what_cannot_be_told_is_said() {
    for (old, new) in [
        (
            json!({ "not": { "required": ["a"] } }),
            json!({ "not": { "required": ["b"] } }),
        ),
        (
            json!({ "type": "string", "pattern": "^(a|b)$" }),
            json!({ "type": "string", "pattern": "^[ab]$" }),
        ),
    ] {
        assert_eq!(words(&old, &new), "unknown", "{old} {new}");
    }
}

#[test]
fn facts_name_the_rule_and_its_place() {
    let old = json!({ "type": "object", "properties": { "a": { "type": "integer", "maximum": 9 }, "b": {} } });
    let new = json!({ "type": "object", "properties": { "a": { "type": "integer", "maximum": 5 }, "c": {} } });
    let part = |schema| Part {
        root: schema,
        schema,
    };
    let told: Vec<(String, String)> = facts(part(&old), part(&new), ("", ""))
        .into_iter()
        .map(|fact| (fact.at, fact.text))
        .collect();
    let expected = [
        ("/properties/a/maximum", "a: `maximum` was 9 and is 5"),
        ("/properties/b", "`b` is gone"),
        ("/properties/c", "`c` is new"),
    ];
    let expected = expected.map(|(at, text)| (at.to_owned(), text.to_owned()));
    assert_eq!(told, expected);
}

/// Makes schemas and values from a seed.
struct Random(fastrand::Rng);

impl Random {
    fn one<'v, T>(&mut self, of: &'v [T]) -> &'v T {
        &of[self.0.usize(..of.len())]
    }

    fn often(&mut self) -> bool {
        self.0.u8(..3) > 0
    }

    fn rarely(&mut self) -> bool {
        self.0.u8(..5) == 0
    }

    fn schema(&mut self, depth: usize) -> Value {
        let choice = self.0.u8(..if depth == 0 { 7 } else { 18 });
        match choice {
            0 => self.numbers("integer"),
            1 => self.numbers("number"),
            2 | 3 => self.texts(),
            4 => {
                let count = self.0.usize(1..4);
                let values: Vec<Value> = (0..count).map(|_| self.scalar()).collect();
                json!({ "enum": values })
            }
            5 => json!({ "type": self.one(&["null", "boolean", "string", "array", "object"]) }),
            6 => self
                .one(&[
                    json!(true),
                    json!({}),
                    json!({ "const": 1 }),
                    json!({ "type": ["string", "null"] }),
                ])
                .clone(),
            7 | 8 => self.lists(depth),
            9..=12 => self.objects(depth),
            13 => json!({ "anyOf": self.several(depth) }),
            14 => json!({ "oneOf": self.several(depth) }),
            15 => json!({ "allOf": self.several(depth) }),
            16 => json!({ "$ref": "#/$defs/own" }),
            _ => match self.0.u8(..4) {
                0 => json!({ "not": self.schema(0) }),
                1 => {
                    json!({ "if": self.schema(0), "then": self.schema(0), "else": self.schema(0) })
                }
                2 => {
                    json!({ "type": "object", "patternProperties": { "^a": self.schema(0) }, "additionalProperties": self.schema(0) })
                }
                _ => json!({ "type": "array", "contains": self.schema(0) }),
            },
        }
    }

    fn several(&mut self, depth: usize) -> Vec<Value> {
        let count = self.0.usize(1..4);
        (0..count).map(|_| self.schema(depth - 1)).collect()
    }

    fn numbers(&mut self, kind: &str) -> Value {
        let mut schema = Map::from_iter([("type".to_owned(), json!(kind))]);
        for key in ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"] {
            if self.rarely() {
                let limit = *self.one(&[-2.0, 0.0, 1.0, 2.5, 5.0]);
                schema.insert(key.to_owned(), json!(limit));
            }
        }
        if self.rarely() {
            schema.insert(
                "multipleOf".to_owned(),
                self.one(&[json!(2), json!(3), json!(0.5), json!(6)])
                    .clone(),
            );
        }
        Value::Object(schema)
    }

    fn texts(&mut self) -> Value {
        let mut schema = Map::from_iter([("type".to_owned(), json!("string"))]);
        for key in ["minLength", "maxLength"] {
            if self.rarely() {
                schema.insert(key.to_owned(), json!(self.0.u8(..4)));
            }
        }
        if self.rarely() {
            schema.insert(
                "pattern".to_owned(),
                json!(self.one(&["^a", "b$", "^[a-c]+$", ".*"])),
            );
        }
        if self.rarely() {
            schema.insert(
                "format".to_owned(),
                json!(self.one(&["date", "uuid", "email"])),
            );
        }
        Value::Object(schema)
    }

    fn lists(&mut self, depth: usize) -> Value {
        let mut schema = Map::from_iter([("type".to_owned(), json!("array"))]);
        if self.often() {
            schema.insert("items".to_owned(), self.schema(depth - 1));
        }
        if self.rarely() {
            schema.insert("prefixItems".to_owned(), json!(self.several(depth)));
        }
        for key in ["minItems", "maxItems"] {
            if self.rarely() {
                schema.insert(key.to_owned(), json!(self.0.u8(..4)));
            }
        }
        if self.rarely() {
            schema.insert("uniqueItems".to_owned(), json!(true));
        }
        Value::Object(schema)
    }

    fn objects(&mut self, depth: usize) -> Value {
        const NAMES: [&str; 3] = ["a", "b", "c"];
        let mut schema = Map::from_iter([("type".to_owned(), json!("object"))]);
        if self.rarely() {
            schema.shift_remove("type");
        }
        let names: Vec<&str> = NAMES.into_iter().filter(|_| self.often()).collect();
        let properties: Map<String, Value> = names
            .iter()
            .map(|name| ((*name).to_owned(), self.schema(depth - 1)))
            .collect();
        schema.insert("properties".to_owned(), Value::Object(properties));
        let required: Vec<&str> = NAMES.into_iter().filter(|_| self.rarely()).collect();
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        match self.0.u8(..4) {
            0 => drop(schema.insert("additionalProperties".to_owned(), json!(false))),
            1 => drop(schema.insert("additionalProperties".to_owned(), self.schema(0))),
            _ => {}
        }
        for key in ["minProperties", "maxProperties"] {
            if self.rarely() {
                schema.insert(key.to_owned(), json!(self.0.u8(..3)));
            }
        }
        if self.rarely() {
            schema.insert("dependentRequired".to_owned(), json!({ "a": ["b"] }));
        }
        Value::Object(schema)
    }

    fn scalar(&mut self) -> Value {
        let values = [
            json!("a"),
            json!("b"),
            json!("abc"),
            json!(""),
            json!("2026-01-31"),
            json!(0),
            json!(1),
            json!(2),
            json!(6),
            json!(2.5),
            json!(-3),
            json!(null),
            json!(true),
            json!(false),
        ];
        self.one(&values).clone()
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.0.u8(..if depth == 0 { 4 } else { 8 }) {
            0..=3 => self.scalar(),
            4 | 5 => {
                let count = self.0.usize(..4);
                (0..count).map(|_| self.value(depth - 1)).collect()
            }
            _ => {
                let names = ["a", "b", "c", "d", "ab"]
                    .into_iter()
                    .filter(|_| self.0.bool());
                let names: Vec<&str> = names.collect();
                let members = names
                    .into_iter()
                    .map(|name| (name.to_owned(), self.value(depth - 1)));
                Value::Object(members.collect())
            }
        }
    }

    /// The schema with some keyword, value or part changed.
    fn changed(&mut self, schema: &Value, depth: usize) -> Value {
        match schema {
            Value::Object(members) if !members.is_empty() && !self.rarely() => {
                let keys: Vec<String> = members.keys().cloned().collect();
                let key = self.one(&keys).clone();
                let mut members = members.clone();
                match self.0.u8(..6) {
                    0 => drop(members.shift_remove(&key)),
                    1 => {
                        let more = self.schema(depth.min(1));
                        if let Value::Object(more) = more {
                            members.extend(more);
                        }
                    }
                    _ => {
                        let part = self.changed_part(&members[&key], depth);
                        members.insert(key, part);
                    }
                }
                Value::Object(members)
            }
            _ => self.schema(depth),
        }
    }

    fn changed_part(&mut self, part: &Value, depth: usize) -> Value {
        match part {
            Value::Number(number) => {
                json!(number.as_f64().unwrap_or_default() + f64::from(self.0.u8(..3)) - 1.0)
            }
            Value::Array(items) if !items.is_empty() => {
                let mut items = items.clone();
                match self.0.bool() {
                    true => drop(items.pop()),
                    false => items.reverse(),
                }
                Value::Array(items)
            }
            Value::Object(members) if members.contains_key("type") => self.changed(part, depth),
            Value::Object(members) if !members.is_empty() => {
                let keys: Vec<String> = members.keys().cloned().collect();
                let key = self.one(&keys).clone();
                let mut members = members.clone();
                let inner = self.changed(&members[&key], depth.saturating_sub(1));
                members.insert(key, inner);
                Value::Object(members)
            }
            other => other.clone(),
        }
    }
}

/// A schema that the validator takes, with what `$ref` leads to.
fn whole(mut schema: Value, own: &Value) -> Option<Value> {
    if let Value::Object(members) = &mut schema {
        members.insert("$defs".to_owned(), json!({ "own": own }));
    }
    let is_valid = jsonschema::draft202012::meta::is_valid(&schema);
    (is_valid && crate::params::compile(&schema).is_ok()).then_some(schema)
}

#[test]
#[ignore = "long"]
fn no_value_contradicts_a_verdict() {
    let pairs: u64 = std::env::var("PAIRS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1_000);
    let (mut known, mut unknown, mut checked) = (0, 0, 0);
    for seed in 0..pairs {
        let mut random = Random(fastrand::Rng::with_seed(seed));
        let own = random.schema(1);
        let old = random.schema(3);
        let new = match random.rarely() {
            true => random.schema(3),
            false => random.changed(&old, 2),
        };
        let other_own = match random.rarely() {
            true => random.changed(&own, 1),
            false => own.clone(),
        };
        let (Some(old), Some(new)) = (whole(old, &own), whole(new, &other_own)) else {
            continue;
        };
        let (judge_old, judge_new) = (
            crate::params::compile(&old).expect("a schema"),
            crate::params::compile(&new).expect("a schema"),
        );
        let relation = relation(&old, &new);
        let made = |schema: &Value| {
            let mut space = Space::new(schema);
            let node = space.node(&[schema]);
            samples(&mut space, &node)
        };
        let near = |schema: &Value, other: &Value| {
            let mut space = Space::new(schema);
            let node = space.node(&[schema]);
            samples_near(&mut space, &node, other)
        };
        let (mut of_old, mut of_new) = (near(&old, &new), near(&new, &old));
        of_old.extend(made(&old));
        of_new.extend(made(&new));
        let told = |value: &Value| {
            format!("seed {seed}\nold {old}\nnew {new}\nvalue {value}\n{relation:?}")
        };
        for (values, judge) in [(&of_old, &judge_old), (&of_new, &judge_new)] {
            for value in values {
                assert!(
                    judge.is_valid(value),
                    "a sample does not fit: {}",
                    told(value)
                );
            }
        }
        if relation.named_in_new {
            let mut space = Space::closed(&old);
            let node = space.node(&[&old]);
            for value in samples(&mut space, &node) {
                assert!(
                    judge_new.is_valid(&value),
                    "with named members: {}",
                    told(&value)
                );
            }
        }
        let others: Vec<Value> = (0..40).map(|_| random.value(3)).collect();
        for value in of_old.iter().chain(&of_new).chain(&others) {
            let (fits_old, fits_new) = (judge_old.is_valid(value), judge_new.is_valid(value));
            if relation.old_in_new == Answer::Yes {
                assert!(!fits_old || fits_new, "{}", told(value));
            }
            if relation.new_in_old == Answer::Yes {
                assert!(!fits_new || fits_old, "{}", told(value));
            }
            checked += 1;
        }
        if relation.old_in_new == Answer::No {
            let shows = |value: &&Value| judge_old.is_valid(value) && !judge_new.is_valid(value);
            assert!(
                of_old.iter().any(|value| shows(&value)),
                "{}",
                told(&Value::Null)
            );
        }
        if relation.new_in_old == Answer::No {
            let shows = |value: &&Value| judge_new.is_valid(value) && !judge_old.is_valid(value);
            assert!(
                of_new.iter().any(|value| shows(&value)),
                "{}",
                told(&Value::Null)
            );
        }
        for answer in [relation.old_in_new, relation.new_in_old] {
            match answer {
                Answer::Unknown => unknown += 1,
                _ => known += 1,
            }
        }
        let (old, new) = (
            Part {
                root: &old,
                schema: &old,
            },
            Part {
                root: &new,
                schema: &new,
            },
        );
        if canonical(old) == canonical(new) {
            assert!(relation.is_equal());
        }
    }
    assert!(checked > 50 * pairs, "{checked} values");
    assert!(known > 6 * unknown, "{known} known, {unknown} not");
}
