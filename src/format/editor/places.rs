//! Where the rules for editors apply.

use serde_json::{Map, Value, json};

use super::{refer, snippets};
use crate::source::{Code, Severity};

/// A place in a typed form, and the rules for it.
pub(super) struct Place {
    /// The type's name.
    pub of: &'static str,
    /// The pointer into the type's schema.
    pub at: &'static str,
    pub rules: Rules,
}

/// The rules of a place.
pub(super) enum Rules {
    /// A definition.
    A(&'static str),
    /// A map whose keys are of this definition.
    Keys(&'static str),
    Own(fn() -> Value),
}

impl Rules {
    pub(super) fn schema(&self) -> Value {
        match self {
            Rules::A(name) => refer(name),
            Rules::Keys(name) => json!({ "propertyNames": refer(name) }),
            Rules::Own(schema) => schema(),
        }
    }
}

use Rules::{A, Keys, Own};

const fn place(of: &'static str, at: &'static str, rules: Rules) -> Place {
    Place { of, at, rules }
}

pub(super) const PLACES: &[Place] = &[
    place("ToolSpec", "", Own(snippets::tool)),
    place("ServiceSpec", "", Own(snippets::service)),
    place("SandboxSpec", "", Own(snippets::sandbox)),
    place("PolicySpec", "", Own(snippets::policy)),
    place("CallersSpec", "", Own(snippets::callers)),
    place("TokenSpec", "/properties/name", Own(caller_name)),
    place("TokenSpec", "/properties/token", Own(token_hash)),
    place("TokenSpec", "/properties/expires", Own(day_or_time)),
    place("IssuerSpec", "/properties/issuer", Own(safe_url)),
    place("IssuerSpec", "/properties/resource", Own(safe_url)),
    place("IssuerSpec", "/properties/jwks_uri", Own(safe_url)),
    place("RuleSpec", "/properties/when", A("Text")),
    place("PolicySpec", "/properties/allow", A("Warnings")),
    place("PagingSpec", "", Own(snippets::paging)),
    place("AuthList", "", Own(snippets::auth)),
    place("ExampleSpec", "", Own(snippets::example)),
    place("WaitSpec", "", Own(snippets::wait)),
    place("BodySpec", "", Own(snippets::body)),
    place("ErrorsSpec", "", Own(snippets::errors)),
    place("Name", "", Own(name)),
    place("Duration", "", Own(duration)),
    place("ToolSpec", "", Own(usual_access)),
    place("ToolSpec", "/properties/params", A("Params")),
    place("ToolSpec", "/properties/allow", A("Warnings")),
    place("ServiceSpec", "/properties/allow", A("Warnings")),
    place("ServiceSpec", "/properties/headers", Keys("RequestHeader")),
    place(
        "ServiceSpec",
        "/properties/headers/additionalProperties",
        A("HeaderValue"),
    ),
    place("UrlSpec", "/anyOf/0", A("BaseUrl")),
    place("UrlWithin", "/properties/url", A("BaseUrl")),
    place("SettingSpec", "/properties/pattern", A("Regex")),
    place("SettingSpec", "/properties/env", Own(variable)),
    place("SecretSpec", "/properties/pattern", A("Regex")),
    place("SecretSpec", "/properties/env", Own(variable)),
    place("AuthSpec", "/oneOf/1", Own(key_in_header)),
    place(
        "AuthSpec",
        "/oneOf/4/properties/headers",
        Keys("RequestHeader"),
    ),
    place(
        "AuthSpec",
        "/oneOf/5/properties/headers",
        Keys("RequestHeader"),
    ),
    place(
        "AuthSpec",
        "/oneOf/6/properties/headers",
        Keys("RequestHeader"),
    ),
    place(
        "TokenResponseSpec",
        "/properties/access_token",
        A("JsonPath"),
    ),
    place("TokenResponseSpec", "/properties/expires_in", A("JsonPath")),
    place(
        "TokenResponseSpec",
        "/properties/refresh_token",
        A("JsonPath"),
    ),
    place(
        "TokenResponseSpec",
        "/properties/values/additionalProperties",
        A("JsonPath"),
    ),
    place("ErrorRuleSpec", "/properties/when", A("Answer")),
    place("ErrorRuleSpec", "/properties/message", A("Projection")),
    place("ErrorRuleSpec", "/properties/code", A("Projection")),
    place("ExtractSpec", "/anyOf/0", A("Answer")),
    place("HeaderSpec", "/properties/header", A("HeaderName")),
    place("RequestSpec", "", Own(body_of_method)),
    place("RequestSpec", "/properties/path", A("Path")),
    place("RequestSpec", "/properties/headers", Keys("RequestHeader")),
    place(
        "RequestSpec",
        "/properties/headers/additionalProperties",
        A("HeaderValue"),
    ),
    place(
        "IdempotencyKeySpec",
        "/properties/header",
        A("RequestHeader"),
    ),
    place("QuerySpec", "/anyOf/0", Own(no_doubles)),
    place("QueryEntry", "/anyOf/0", A("Text")),
    place("QueryEntry", "/anyOf/1/items", A("Text")),
    place("StyledQuery", "/properties/value", A("Text")),
    place("BodySpec", "/properties/json", A("Tree")),
    place("BodySpec", "/properties/text", A("Text")),
    place("FormSpec", "/anyOf/1", A("Text")),
    place("FormEntry", "", Own(other_entry)),
    place("StyledEntry", "/properties/value", A("Tree")),
    place("PartSpec", "/anyOf/0", A("Text")),
    place("PartSpec", "/anyOf/1/items", A("Text")),
    place("DescribedPart", "/properties/value", A("Tree")),
    place("DescribedPart", "/properties/base64", A("Text")),
    place("DescribedPart", "/properties/file", A("Text")),
    place("DescribedPart", "/properties/filename", A("Text")),
    place("ContentSpec", "/properties/base64", A("Text")),
    place("ContentSpec", "/properties/file", A("Text")),
    place("GraphqlSpec", "/properties/variables", A("Tree")),
    place("PagingSpec", "", Own(one_step)),
    place(
        "PagingSpec",
        "/properties/next/additionalProperties",
        A("Projection"),
    ),
    place("PagingSpec", "/properties/while", A("Answer")),
    place("ItemsSpec", "/anyOf/0", A("OnePath")),
    place("ItemsSpec", "/anyOf/1/items", A("OnePath")),
    place("WaitSpec", "/properties/path", A("Path")),
    place("WaitSpec", "/properties/headers", Keys("RequestHeader")),
    place(
        "WaitSpec",
        "/properties/headers/additionalProperties",
        A("HeaderValue"),
    ),
    place("WaitSpec", "/properties/until", A("Answer")),
    place("WaitSpec", "/properties/fail_when", A("Answer")),
    place("WaitSpec", "/properties/output", A("Projection")),
    place("CancelSpec", "/properties/path", A("Path")),
    place("ResponseSpec", "/properties/lists/items", A("JsonPath")),
    place("ResponseSpec", "/properties/fail_when", A("Answer")),
    place(
        "ResponseSpec",
        "/properties/let/additionalProperties",
        A("Projection"),
    ),
    place("ResponseSpec", "/properties/output", A("Projection")),
    place("ResponseSpec", "/properties/schema", A("Schema")),
    place("ExampleSpec", "/properties/poll", A("ExampleUrl")),
    place("ExampleRequest", "/properties/url", A("ExampleUrl")),
    place("ExampleRequest", "/properties/headers", Keys("HeaderName")),
    place("ExampleResponse", "/properties/headers", Keys("HeaderName")),
    place("SandboxSpec", "/properties/now", A("Time")),
    place("SandboxSpec", "/properties/request_id", A("Text")),
    place(
        "SandboxSpec",
        "/properties/require_headers",
        Keys("HeaderName"),
    ),
    place(
        "SandboxSpec",
        "/properties/list_headers",
        Keys("HeaderName"),
    ),
    place(
        "SandboxSpec",
        "/properties/response_headers",
        Keys("HeaderName"),
    ),
    place(
        "SandboxSpec",
        "/properties/response_headers/additionalProperties",
        A("HeaderValue"),
    ),
    place("SandboxSpec", "/properties/routes", Keys("Name")),
    place("EnvelopeSpec", "/properties/body", A("Tree")),
    place("FaultSpec", "/properties/headers", Keys("HeaderName")),
    place("TimesSpec", "/properties/start", A("Time")),
    place("DataSpec", "/properties/row", A("Tree")),
    place("DataSpec", "/properties/show", A("Tree")),
    place(
        "RouteSpec",
        "/properties/set/additionalProperties",
        A("Tree"),
    ),
    place(
        "RouteSpec",
        "/properties/merge/additionalProperties",
        A("Tree"),
    ),
    place("RouteSpec", "/properties/where/items", A("Expression")),
    place("RouteSpec", "/properties/item", A("Tree")),
    place("RouteSpec", "/properties/body", A("Tree")),
    place("FindSpec", "/properties/where/items", A("Expression")),
    place("InsertSpec", "/properties/row", A("Tree")),
    place("AlsoSpec", "/properties/where/items", A("Expression")),
    place(
        "AlsoSpec",
        "/properties/set/additionalProperties",
        A("Tree"),
    ),
    place(
        "AlsoSpec",
        "/properties/merge/additionalProperties",
        A("Tree"),
    ),
    place("RefusalSpec", "/properties/when", A("Expression")),
    place("RefusalSpec", "/properties/details", A("Tree")),
    place("SortSpec", "/properties/by", A("Expression")),
    place("SortSpec", "/properties/descending", A("Expression")),
    place("BucketsSpec", "/properties/width", A("Expression")),
    place("BucketsSpec", "/properties/from", A("Expression")),
    place("BucketsSpec", "/properties/until", A("Expression")),
    place("BucketsSpec", "/properties/limit", A("Expression")),
    place("BucketsSpec", "/properties/group_by", A("Expression")),
    place("BucketsSpec", "/properties/result", A("Tree")),
    place("BucketsSpec", "/properties/bucket", A("Tree")),
];

fn name() -> Value {
    json!({ "patternErrorMessage": "A name has lower-case letters, digits and single hyphens." })
}

fn duration() -> Value {
    json!({ "patternErrorMessage": "Write a length of time: 500ms, 30s, 1m or 1h." })
}

fn variable() -> Value {
    json!({
        "patternErrorMessage": "This is the name of an environment variable: upper-case letters, digits and `_`. Never write a secret itself.",
    })
}

/// A key in a header has a header's name.
fn key_in_header() -> Value {
    json!({
        "if": { "properties": { "in": { "const": "header" } }, "allOf": [{ "required": ["in"] }] },
        "then": { "properties": { "name": refer("RequestHeader") } },
    })
}

/// Methods whose requests have no body.
fn body_of_method() -> Value {
    json!({
        "if": { "properties": { "method": { "enum": ["GET", "HEAD", "OPTIONS"] } }, "allOf": [{ "required": ["method"] }] },
        "then": { "properties": { "body": false } },
    })
}

/// `next` or `next_url`.
fn one_step() -> Value {
    json!({
        "if": { "required": ["next"] },
        "then": { "properties": { "next_url": false } },
        "else": { "anyOf": [{ "required": ["next"] }, { "required": ["next_url"] }] },
    })
}

fn no_doubles() -> Value {
    json!({ "uniqueItems": true })
}

/// What is no value with a style is a tree.
fn other_entry() -> Value {
    json!({ "else": refer("Tree") })
}

/// The access that a method suggests, unless `allow` says that another one is meant.
fn usual_access() -> Value {
    let unless_allowed = json!({
        "properties": { "allow": { "required": ["unusual-access"] } },
        "required": ["allow"],
    });
    let rule = |methods: Value, access: Value, usual: Value, but: Value, message: &str| {
        json!({
            "if": {
                "properties": {
                    "request": { "properties": { "method": { "enum": methods } }, "allOf": [{ "required": ["method"] }] },
                    "access": { "enum": access },
                },
                "allOf": [{ "required": ["request", "access"] }],
                "not": { "anyOf": [unless_allowed, but] },
            },
            "then": { "properties": { "access": { "enum": usual, "errorMessage": message } } },
        })
    };
    let is_graphql = json!({
        "properties": { "request": {
            "properties": { "body": { "required": ["graphql"] } },
            "required": ["body"],
        } },
        "required": ["request"],
    });
    json!({
        "allOf": [
            rule(
                json!(["PUT", "PATCH", "DELETE"]),
                json!(["read"]),
                json!(["write", "destructive"]),
                json!(false),
                "A request of this method rarely only reads. If it does, say so under `allow`: `unusual-access: REASON`.",
            ),
            rule(
                json!(["POST"]),
                json!(["read"]),
                json!(["write", "destructive"]),
                is_graphql,
                "A POST request may write. If it only reads, say so under `allow`: `unusual-access: REASON`.",
            ),
            rule(
                json!(["GET", "HEAD", "OPTIONS"]),
                json!(["write", "destructive"]),
                json!(["read"]),
                json!(false),
                "A request of this method should change nothing. If it does, say so under `allow`: `unusual-access: REASON`.",
            ),
        ],
    })
}

/// A tree with expressions at its leaves.
pub(super) fn tree_schema() -> Value {
    json!({
        "allOf": [refer("Text")],
        "items": refer("Tree"),
        "additionalProperties": refer("Tree"),
    })
}

/// A projection.
pub(super) fn projection_schema() -> Value {
    let path = json!({ "type": "string", "allOf": [refer("JsonPath")] });
    let columns = json!({
        "type": "object",
        "minProperties": 1,
        "additionalProperties": path,
        "description": "From the name of a column to the path of its array.",
    });
    let each = json!({
        "properties": {
            "each": {
                "anyOf": [path, {
                    "type": "object",
                    "minProperties": 1,
                    "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" },
                    "additionalProperties": path,
                }],
                "description": "The JSONPath of what is walked, such as `$.data[*]`, or a map from names to paths, to walk inwards.",
            },
            "as": { "allOf": [refer("Projection")], "description": "What becomes of each of them. Paths start at it, and expressions know it as `item`." },
        },
        "additionalProperties": false,
    });
    let zip = json!({
        "properties": {
            "zip": columns,
            "index": { "type": "string", "minLength": 1, "description": "The key that counts the rows from 0." },
            "fill": { "description": "The value of places that a shorter array lacks." },
            "as": { "allOf": [refer("Projection")], "description": "What becomes of each row." },
        },
    });
    // A hasty `each` beside `as`.
    let misspelt = json!({
        "type": "object",
        "required": ["as"],
        "minProperties": 2,
        "propertyNames": { "pattern": "^(?:as|ech|eahc|eac|aech|eech|each_|eachs|Each|EACH)$" },
    });
    json!({
        "if": { "type": "string", "pattern": r"^\$" },
        "then": refer("JsonPath"),
        "else": {
            "if": { "type": "object", "required": ["each"] },
            "then": each,
            "else": {
                "if": {
                    "type": "object",
                    "required": ["zip"],
                    "properties": { "zip": { "type": "object" } },
                    "propertyNames": { "enum": ["zip", "index", "fill", "as"] },
                },
                "then": zip,
                "else": {
                    "if": { "type": "object", "required": ["literal"], "maxProperties": 1 },
                    "else": {
                        "allOf": [refer("Text"), { "if": misspelt, "then": { "required": ["each"] } }],
                        "items": refer("Projection"),
                        "additionalProperties": refer("Projection"),
                    },
                },
            },
        },
    })
}

/// The warnings that a file may allow.
pub(super) fn warnings_schema() -> Value {
    let warnings = Code::ALL
        .iter()
        .map(|code| code.meaning())
        .filter(|meaning| meaning.severity == Severity::Warning);
    let known: Map<String, Value> = warnings
        .map(|meaning| {
            let rules = json!({ "type": "string", "description": meaning.summary });
            (meaning.name.to_owned(), rules)
        })
        .collect();
    json!({ "properties": known, "propertyNames": { "pattern": "^[a-z-]+( .+)?$" } })
}

fn safe_url() -> Value {
    json!({
        "pattern": "^(https://|http://([^/@]+\\.)?localhost|http://127\\.|http://\\[::1\\])[^?#@]*$",
        "patternErrorMessage": "Write an https URL without a query, a fragment or credentials.",
    })
}

fn caller_name() -> Value {
    json!({
        "pattern": "^(?!local$)[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$",
        "patternErrorMessage": "A caller's name has letters, digits, `.`, `_`, `-` and `@`, and begins with a letter or a digit.",
    })
}

fn token_hash() -> Value {
    json!({
        "pattern": "^sha256:[0-9a-f]{64}$",
        "patternErrorMessage": "The hash of a token is `sha256:` and 64 hexadecimal digits.",
    })
}

fn day_or_time() -> Value {
    json!({
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9:.]+([Zz]|[+-][0-9:]+))?$",
        "patternErrorMessage": "Write a day such as 2027-01-31, or a time such as 2027-01-31T18:00:00Z.",
    })
}
