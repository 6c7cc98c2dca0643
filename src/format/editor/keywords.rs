//! JSON Schema inside of a descriptor: its keywords as a schema, so that an editor completes, explains and checks them
//! without the network.

use serde_json::{Map, Value, json};

use super::refer;
use crate::params::{FORMAT_HINTS, FORMATS, KEYWORDS, TYPES};

/// The section `params`: a schema of a map.
pub(super) fn params() -> Value {
    json!({
        "type": "object",
        "allOf": [refer("Schema"), {
            "properties": {
                "type": { "const": "object" },
                "properties": { "additionalProperties": { "type": "object" } },
            },
        }],
    })
}

/// A JSON Schema (2020-12).
pub(super) fn schema() -> Value {
    let properties: Map<String, Value> = KEYWORDS
        .iter()
        .map(|keyword| {
            let mut rules = form_of(keyword);
            rules["description"] = meaning_of(keyword).into();
            ((*keyword).to_owned(), rules)
        })
        .collect();
    json!({
        "type": ["object", "boolean"],
        "properties": properties,
        "patternProperties": { "^x-": {} },
        "additionalProperties": false,
        "allOf": TYPES.map(values_of_type),
        "description": "A JSON Schema (2020-12).",
    })
}

/// A value beside a type is of this type.
fn values_of_type(name: &str) -> Value {
    json!({
        // Editors offer the properties of a schema that requires them, so that this is a part of its own.
        "if": { "properties": { "type": { "const": name } }, "allOf": [{ "required": ["type"] }] },
        "then": {
            "properties": {
                "default": { "type": name },
                "examples": { "items": { "type": name } },
            },
        },
    })
}

/// What the value of a keyword is.
fn form_of(keyword: &str) -> Value {
    let schema = || refer("Schema");
    match keyword {
        "properties" | "patternProperties" | "$defs" | "dependentSchemas" => {
            json!({ "type": "object", "additionalProperties": schema() })
        }
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => {
            json!({ "type": "array", "items": schema(), "minItems": 1 })
        }
        "items"
        | "additionalProperties"
        | "contains"
        | "propertyNames"
        | "not"
        | "if"
        | "then"
        | "else"
        | "unevaluatedProperties"
        | "contentSchema" => schema(),
        "type" => json!({
            "anyOf": [
                { "enum": TYPES },
                { "type": "array", "items": { "enum": TYPES }, "minItems": 1, "uniqueItems": true },
            ],
        }),
        "format" => {
            let known = [&FORMATS[..], &FORMAT_HINTS].concat();
            json!({ "type": "string", "enum": known })
        }
        "pattern" => json!({ "type": "string", "allOf": [refer("Regex")] }),
        "required" => json!({
            "type": "array",
            "items": { "type": "string" },
            "uniqueItems": true,
            "errorMessage": "`required` is a list of names, beside `properties`.",
        }),
        "dependentRequired" => json!({
            "type": "object",
            "additionalProperties": { "type": "array", "items": { "type": "string" }, "uniqueItems": true },
        }),
        "enum" | "examples" => json!({ "type": "array" }),
        "const" | "default" => json!({}),
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {
            json!({ "type": "number" })
        }
        "multipleOf" => json!({ "type": "number", "exclusiveMinimum": 0 }),
        "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties"
        | "minContains" | "maxContains" => json!({ "type": "integer", "minimum": 0 }),
        "uniqueItems" | "deprecated" | "readOnly" => json!({ "type": "boolean" }),
        _ => json!({ "type": "string" }),
    }
}

/// What an editor says about a keyword.
fn meaning_of(keyword: &str) -> &'static str {
    match keyword {
        "$anchor" => "A name by which `$ref` reaches this schema: `#NAME`.",
        "$comment" => "A note for those who read the file.",
        "$defs" => "Schemas that `$ref` reaches as `#/$defs/NAME`.",
        "$dynamicAnchor" => "A name that `$dynamicRef` reaches.",
        "$dynamicRef" => "A schema that is found by the name of its `$dynamicAnchor`.",
        "$id" => "A URI by which `$ref` reaches this schema. Nothing is fetched.",
        "$ref" => "A part of the same schema, such as `#/$defs/NAME`.",
        "$schema" => "The version of JSON Schema; 2020-12.",
        "additionalProperties" => {
            "The schema of the keys that `properties` does not name; `false` allows none. For `params` itself, `false` is implied."
        }
        "allOf" => "The value must satisfy all of these schemas.",
        "anyOf" => "The value must satisfy at least one of these schemas.",
        "oneOf" => "The value must satisfy exactly one of these schemas.",
        "not" => "The value must not satisfy this schema.",
        "if" => "A condition: `then` applies to values that satisfy it, `else` to the others.",
        "then" => "Applies to values that satisfy `if`.",
        "else" => "Applies to values that do not satisfy `if`.",
        "const" => "The one value that is allowed.",
        "enum" => "The values that are allowed.",
        "type" => {
            "The type of the value: array, boolean, integer, null, number, object or string, or a list of them."
        }
        "contains" => "At least one item of the array must satisfy this schema.",
        "minContains" => "How many items must satisfy `contains`.",
        "maxContains" => "How many items may satisfy `contains`.",
        "contentEncoding" => "How the text encodes bytes, such as base64. It is not checked.",
        "contentMediaType" => "The media type of the text. It is not checked.",
        "contentSchema" => "The schema of the decoded text. It is not checked.",
        "default" => "The value if none is given.",
        "dependentRequired" => "From a key to those that it needs beside it.",
        "dependentSchemas" => "From a key to the schema of the map that has it.",
        "deprecated" => "Whether it should no longer be used.",
        "description" => "What it is or does, in a sentence, for people and models.",
        "examples" => "Values as they may be. Each must satisfy the schema.",
        "minimum" => "The least number.",
        "maximum" => "The greatest number.",
        "exclusiveMinimum" => "The number must be greater than this.",
        "exclusiveMaximum" => "The number must be less than this.",
        "multipleOf" => "The number must be a multiple of this.",
        "format" => "What the text is, such as date-time, date, email, uri or uuid.",
        "items" => "The schema of the array's items.",
        "prefixItems" => "The schemas of the array's first items, in order.",
        "minItems" => "The least number of items.",
        "maxItems" => "The greatest number of items.",
        "uniqueItems" => "Whether no item may occur twice.",
        "minLength" => "The least number of characters.",
        "maxLength" => "The greatest number of characters.",
        "minProperties" => "The least number of keys.",
        "maxProperties" => "The greatest number of keys.",
        "pattern" => "A regular expression that the text must contain; `^` and `$` anchor it.",
        "patternProperties" => "From a regular expression to the schema of the keys that match it.",
        "properties" => {
            "From a name to the schema of its value. In `params`, these are the params."
        }
        "propertyNames" => "The schema of the keys.",
        "readOnly" => "Whether only the service sets it.",
        "required" => "The names that must be present: a list beside `properties`.",
        "title" => "A short name for people.",
        "unevaluatedProperties" => "The schema of the keys that no other keyword names.",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_is_explained() {
        let bare = KEYWORDS
            .iter()
            .filter(|keyword| meaning_of(keyword).is_empty());
        assert_eq!(bare.collect::<Vec<_>>(), Vec::<&&str>::new());
    }
}
