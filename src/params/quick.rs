//! A quick yes for ordinary arguments.
//!
//! Preparing the JSON Schema validator costs more than everything else in a cold call before the request. Most params
//! use only a few plain keywords, and for those we can see without preparation that arguments are valid. This module
//! says yes only when that is certain. Everything else, and every no, is left to the validator.

use serde_json::{Map, Value};

use crate::json::member;

/// A schema, prepared once: a call then looks up no keyword and no name by its hash.
#[derive(Debug)]
pub(super) struct Quick(Vec<Rule>);

/// What one keyword asks for.
#[derive(Debug)]
enum Rule {
    /// Only the validator can tell.
    Unsure,
    /// One of these types, as bits of [`Types`].
    Type(Types),
    Enum(Vec<Value>),
    Const(Value),
    /// The members of an object: those with a schema of their own, by name, and the schema of all others.
    Members {
        known: Vec<(String, Quick)>,
        others: Option<Quick>,
    },
    Required(Vec<Value>),
    /// These members bring further rules, which only the validator knows.
    Absent(Vec<String>),
    Items(Quick),
    MinItems(u64),
    MaxItems(u64),
    MinLength(u64),
    MaxLength(u64),
    Minimum(i64),
    Maximum(i64),
}

/// Types of JSON Schema, one bit each.
type Types = u8;

const TYPES: [(&str, Types); 7] = [
    ("null", 1),
    ("boolean", 1 << 1),
    ("integer", 1 << 2),
    ("number", 1 << 3),
    ("string", 1 << 4),
    ("array", 1 << 5),
    ("object", 1 << 6),
];

/// The bit of a type; none for a name that is no type.
fn type_bit(name: &str) -> Types {
    let found = TYPES.iter().find(|(known, _)| *known == name);
    found.map_or(0, |(_, bit)| *bit)
}

/// The types that a value has.
fn types_of(value: &Value) -> Types {
    match value {
        Value::Null => 1,
        Value::Bool(_) => 1 << 1,
        Value::Number(number) if number.is_f64() => 1 << 3,
        Value::Number(_) => 1 << 2 | 1 << 3,
        Value::String(_) => 1 << 4,
        Value::Array(_) => 1 << 5,
        Value::Object(_) => 1 << 6,
    }
}

impl Quick {
    /// Prepares a schema.
    pub(crate) fn new(schema: &Value) -> Quick {
        match schema {
            Value::Bool(true) => Quick(Vec::new()),
            Value::Object(keywords) => Quick(
                keywords
                    .iter()
                    .filter_map(|(keyword, operand)| Rule::new(keyword, operand, keywords))
                    .collect(),
            ),
            _ => Quick(vec![Rule::Unsure]),
        }
    }

    /// Whether the value certainly satisfies the schema. False means only that this is not certain.
    pub(crate) fn is_surely_valid(&self, value: &Value) -> bool {
        self.0.iter().all(|rule| rule.holds(value))
    }
}

impl Rule {
    /// The rule of a keyword; `None` where it asks for nothing, or another keyword's rule includes it.
    fn new(keyword: &str, operand: &Value, schema: &Map<String, Value>) -> Option<Rule> {
        let rule = match keyword {
            "title" | "description" | "default" | "examples" | "deprecated" | "readOnly"
            | "$comment" | "$defs" => return None,
            "type" => match operand {
                Value::String(name) => Some(Rule::Type(type_bit(name))),
                Value::Array(names) => {
                    let names = names.iter().filter_map(Value::as_str);
                    Some(Rule::Type(
                        names.fold(0, |types, name| types | type_bit(name)),
                    ))
                }
                _ => None,
            },
            "enum" => operand.as_array().cloned().map(Rule::Enum),
            "const" => Some(Rule::Const(operand.clone())),
            "properties" => operand.as_object().map(|properties| {
                let mut known: Vec<(String, Quick)> = properties
                    .iter()
                    .map(|(name, schema)| (name.clone(), Quick::new(schema)))
                    .collect();
                known.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
                Rule::Members {
                    known,
                    others: schema.get("additionalProperties").map(Quick::new),
                }
            }),
            "additionalProperties" if schema.contains_key("patternProperties") => None,
            "additionalProperties" if schema.contains_key("properties") => return None,
            "additionalProperties" => Some(Rule::Members {
                known: Vec::new(),
                others: Some(Quick::new(operand)),
            }),
            "required" => operand.as_array().cloned().map(Rule::Required),
            // Without the keyword that they belong to, they have no effect.
            "dependentSchemas" | "dependentRequired" => operand
                .as_object()
                .map(|triggers| Rule::Absent(triggers.keys().cloned().collect())),
            "items" if !schema.contains_key("prefixItems") => {
                Some(Rule::Items(Quick::new(operand)))
            }
            "minItems" => operand.as_u64().map(Rule::MinItems),
            "maxItems" => operand.as_u64().map(Rule::MaxItems),
            "minLength" => operand.as_u64().map(Rule::MinLength),
            "maxLength" => operand.as_u64().map(Rule::MaxLength),
            "minimum" => operand.as_i64().map(Rule::Minimum),
            "maximum" => operand.as_i64().map(Rule::Maximum),
            other if other.starts_with("x-") => return None,
            _ => None,
        };
        Some(rule.unwrap_or(Rule::Unsure))
    }

    fn holds(&self, value: &Value) -> bool {
        match self {
            Rule::Unsure => false,
            Rule::Type(types) => types & types_of(value) != 0,
            Rule::Enum(options) => options.contains(value),
            Rule::Const(only) => only == value,
            Rule::Members { known, others } => match value {
                Value::Object(members) => members.iter().all(|(name, member)| {
                    match known.binary_search_by(|(known, _)| known.as_str().cmp(name)) {
                        Ok(at) => known[at].1.is_surely_valid(member),
                        Err(_) => others
                            .as_ref()
                            .is_none_or(|others| others.is_surely_valid(member)),
                    }
                }),
                _ => true,
            },
            Rule::Required(names) => match value {
                Value::Object(members) => names.iter().all(|name| {
                    name.as_str()
                        .is_some_and(|name| member(members, name).is_some())
                }),
                _ => true,
            },
            Rule::Absent(triggers) => match value {
                Value::Object(members) => !triggers
                    .iter()
                    .any(|trigger| member(members, trigger).is_some()),
                _ => true,
            },
            Rule::Items(schema) => match value {
                Value::Array(items) => items.iter().all(|item| schema.is_surely_valid(item)),
                _ => true,
            },
            Rule::MinItems(bound) => items(value).is_none_or(|length| length >= *bound),
            Rule::MaxItems(bound) => items(value).is_none_or(|length| length <= *bound),
            Rule::MinLength(bound) => characters(value).is_none_or(|length| length >= *bound),
            Rule::MaxLength(bound) => characters(value).is_none_or(|length| length <= *bound),
            Rule::Minimum(bound) => compares(value, |number| number >= *bound),
            Rule::Maximum(bound) => compares(value, |number| number <= *bound),
        }
    }
}

fn items(value: &Value) -> Option<u64> {
    value.as_array().map(|items| items.len() as u64)
}

fn characters(value: &Value) -> Option<u64> {
    value.as_str().map(|text| text.chars().count() as u64)
}

/// Only whole numbers: with fractions, rounding matters, and only the validator may judge that.
fn compares(value: &Value, holds: impl Fn(i64) -> bool) -> bool {
    match value {
        Value::Number(number) => number.as_i64().is_some_and(holds),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Schemas and values close to every boundary.
    fn schemas() -> Vec<Value> {
        let parts = [
            json!({}),
            json!(true),
            json!(false),
            json!({"type": "integer"}),
            json!({"type": "number"}),
            json!({"type": ["string", "null"]}),
            json!({"type": "string", "minLength": 2, "maxLength": 3}),
            json!({"type": "integer", "minimum": 1, "maximum": 3}),
            json!({"minimum": 1.5}),
            json!({"enum": [1, "a", null, [1]]}),
            json!({"const": 2}),
            json!({"type": "string", "format": "date-time"}),
            json!({"pattern": "^a"}),
            json!({"not": {"type": "string"}}),
        ];
        let mut schemas = parts.to_vec();
        for part in &parts {
            schemas.push(json!({"type": "array", "items": part, "minItems": 1, "maxItems": 2}));
            schemas
                .push(json!({"type": "array", "prefixItems": [{"type": "string"}], "items": part}));
            schemas.push(
                json!({"type": "object", "properties": {"a": part}, "additionalProperties": false}),
            );
            schemas.push(
                json!({"properties": {"a": part}, "required": ["a"], "additionalProperties": part}),
            );
            schemas.push(json!({"properties": {"a": true}, "patternProperties": {"^b": part}, "additionalProperties": false}));
            schemas.push(json!({"properties": {"a": true}, "dependentSchemas": {"a": {"required": ["b"]}}, "x-note": part}));
            schemas.push(json!({"uniqueItems": true, "items": part}));
        }
        schemas
    }

    fn values() -> Vec<Value> {
        let parts = [
            json!(null),
            json!(true),
            json!(0),
            json!(1),
            json!(2),
            json!(3),
            json!(4),
            json!(1.5),
            json!(2.0),
            json!(-1),
            json!(u64::MAX),
            json!(""),
            json!("a"),
            json!("ab"),
            json!("äöü"),
            json!("abcd"),
            json!("2026-01-01T00:00:00Z"),
            json!([]),
            json!([1]),
            json!([1, 1]),
            json!(["a", 2, 3]),
            json!({}),
        ];
        let mut values = parts.to_vec();
        for part in &parts {
            values.push(json!([part]));
            values.push(json!({"a": part}));
            values.push(json!({"b": part}));
            values.push(json!({"a": part, "b": part}));
        }
        values
    }

    #[test]
    fn a_quick_yes_is_the_validators_yes() {
        let (mut quick, mut valid) = (0, 0);
        for schema in schemas() {
            let validator = super::super::compile(&schema).unwrap();
            let quick_schema = Quick::new(&schema);
            for value in values() {
                let accepts = validator.is_valid(&value);
                valid += usize::from(accepts);
                if quick_schema.is_surely_valid(&value) {
                    quick += 1;
                    assert!(accepts, "{schema} {value}");
                }
            }
        }
        assert!(quick * 3 > valid, "only {quick} of {valid} are quick");
    }
}
