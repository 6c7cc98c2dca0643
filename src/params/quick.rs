//! A quick yes for ordinary arguments.
//!
//! Preparing the JSON Schema validator costs more than everything else in a cold call before the request. Most params
//! use only a few plain keywords, and for those we can see without preparation that arguments are valid. This module
//! says yes only when that is certain. Everything else, and every no, is left to the validator.

use serde_json::{Map, Value};

/// Whether the value certainly satisfies the schema. False means only that this is not certain.
pub fn is_surely_valid(schema: &Value, value: &Value) -> bool {
    match schema {
        Value::Bool(allows) => *allows,
        Value::Object(keywords) => keywords
            .iter()
            .all(|(keyword, operand)| satisfies(keyword, operand, keywords, value)),
        _ => false,
    }
}

fn satisfies(keyword: &str, operand: &Value, schema: &Map<String, Value>, value: &Value) -> bool {
    match keyword {
        "title" | "description" | "default" | "examples" | "deprecated" | "readOnly"
        | "$comment" | "$defs" => true,
        "type" => match operand {
            Value::String(name) => has_type(value, name),
            Value::Array(names) => names
                .iter()
                .filter_map(Value::as_str)
                .any(|name| has_type(value, name)),
            _ => false,
        },
        "enum" => operand
            .as_array()
            .is_some_and(|options| options.contains(value)),
        "const" => operand == value,
        "properties" => match (operand, value) {
            (Value::Object(properties), Value::Object(members)) => {
                members
                    .iter()
                    .all(|(name, member)| match properties.get(name) {
                        Some(schema) => is_surely_valid(schema, member),
                        None => true,
                    })
            }
            (Value::Object(_), _) => true,
            _ => false,
        },
        "additionalProperties" => match (value, schema.get("properties")) {
            _ if schema.contains_key("patternProperties") => false,
            (Value::Object(members), properties) => members.iter().all(|(name, member)| {
                properties.is_some_and(|properties| properties.get(name).is_some())
                    || is_surely_valid(operand, member)
            }),
            _ => true,
        },
        "required" => match (operand, value) {
            (Value::Array(names), Value::Object(members)) => names
                .iter()
                .all(|name| name.as_str().is_some_and(|name| members.contains_key(name))),
            (Value::Array(_), _) => true,
            _ => false,
        },
        // Without the keyword that they belong to, they have no effect.
        "dependentSchemas" | "dependentRequired" => match (operand, value) {
            (Value::Object(triggers), Value::Object(members)) => {
                !triggers.keys().any(|trigger| members.contains_key(trigger))
            }
            (Value::Object(_), _) => true,
            _ => false,
        },
        "items" if !schema.contains_key("prefixItems") => match value {
            Value::Array(items) => items.iter().all(|item| is_surely_valid(operand, item)),
            _ => true,
        },
        "minItems" => bound(operand, value.as_array().map(Vec::len), |length, bound| {
            length >= bound
        }),
        "maxItems" => bound(operand, value.as_array().map(Vec::len), |length, bound| {
            length <= bound
        }),
        "minLength" => bound(operand, length(value), |length, bound| length >= bound),
        "maxLength" => bound(operand, length(value), |length, bound| length <= bound),
        "minimum" => compares(operand, value, |number, bound| number >= bound),
        "maximum" => compares(operand, value, |number, bound| number <= bound),
        _ => keyword.starts_with("x-"),
    }
}

fn has_type(value: &Value, name: &str) -> bool {
    match value {
        Value::Null => name == "null",
        Value::Bool(_) => name == "boolean",
        Value::Number(number) => name == "number" || (name == "integer" && !number.is_f64()),
        Value::String(_) => name == "string",
        Value::Array(_) => name == "array",
        Value::Object(_) => name == "object",
    }
}

fn length(value: &Value) -> Option<usize> {
    value.as_str().map(|text| text.chars().count())
}

fn bound(operand: &Value, length: Option<usize>, holds: impl Fn(u64, u64) -> bool) -> bool {
    match (operand.as_u64(), length) {
        (Some(bound), Some(length)) => holds(length as u64, bound),
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// Only whole numbers: with fractions, rounding matters, and only the validator may judge that.
fn compares(operand: &Value, value: &Value, holds: impl Fn(i64, i64) -> bool) -> bool {
    match (operand.as_i64(), value) {
        (Some(bound), Value::Number(number)) => {
            number.as_i64().is_some_and(|number| holds(number, bound))
        }
        (Some(_), _) => true,
        (None, _) => false,
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
            for value in values() {
                let accepts = validator.is_valid(&value);
                valid += usize::from(accepts);
                if is_surely_valid(&schema, &value) {
                    quick += 1;
                    assert!(accepts, "{schema} {value}");
                }
            }
        }
        assert!(quick * 3 > valid, "only {quick} of {valid} are quick");
    }
}
