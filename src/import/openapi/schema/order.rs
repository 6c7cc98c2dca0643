//! The order of the keywords in a converted schema.

use serde_json::{Map, Value};

/// The keywords that are converted one by one.
pub(super) const ORDER: [&str; 37] = [
    "format",
    "contentEncoding",
    "contentMediaType",
    "pattern",
    "enum",
    "const",
    "minimum",
    "maximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "prefixItems",
    "items",
    "contains",
    "minContains",
    "maxContains",
    "minItems",
    "maxItems",
    "uniqueItems",
    "deprecated",
    "required",
    "properties",
    "patternProperties",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "minProperties",
    "maxProperties",
    "dependentRequired",
    "dependentSchemas",
    "if",
    "then",
    "else",
    "not",
    "allOf",
    "anyOf",
    "oneOf",
];

/// The keywords that come last: words about the value, then nested schemas.
const LAST: [&str; 18] = [
    "default",
    "examples",
    "deprecated",
    "description",
    "required",
    "properties",
    "patternProperties",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "if",
    "then",
    "else",
    "allOf",
    "anyOf",
    "oneOf",
];

/// The keywords in the order in which people expect them.
pub(super) fn in_order(mut keywords: Map<String, Value>) -> Map<String, Value> {
    for keyword in LAST {
        if let Some(value) = keywords.shift_remove(keyword) {
            keywords.insert(keyword.to_owned(), value);
        }
    }
    keywords
}
