//! Definitions of the built-in tools and of tools with special shapes.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::source::{Check, Source};
use crate::tool::ServiceSource;

fn tool(more: &str) -> Arc<Tool> {
    let text = format!(
        "spec: 1\ntool: get-thing\nservice: {{ service: probe, base_url: \"https://probe.test\" }}\ndescription: A probe.\n{more}"
    );
    let source = Source::parse("get-thing.yaml".to_owned(), Cow::Owned(text)).expect("plain YAML");
    let check = Check::new(source);
    let tool = Tool::load(&check, &ServiceSource::Absent);
    let findings: Vec<String> = check
        .into_findings()
        .iter()
        .map(|f| f.message.clone())
        .collect();
    Arc::new(tool.unwrap_or_else(|| panic!("{findings:?}")))
}

fn defined(more: &str) -> Definition {
    let [definition] = define(&[tool(more)]).try_into().expect("one definition");
    definition.expect("a definition")
}

const GET: &str = "access: read\nrequest: { method: GET, path: /x }\n";

#[test]
fn the_output_is_an_object_whatever_the_projection_gives() {
    for (response, root, rows, schema) in [
        ("", Root::ByKind, None, json!({"type": "object"})),
        (
            "response: { output: { a: $.a, list: { each: '$.l[*]', as: { id: $.id } } } }",
            Root::Itself,
            Some("list"),
            json!({"type": "object", "properties": {
                "a": {},
                "list": {"type": "array", "items": {"type": "object", "properties": {"id": {}}}},
            }}),
        ),
        (
            "response: { output: { each: '$.l[*]', as: $.id } }",
            Root::Items,
            Some("items"),
            json!({"type": "object", "properties": {"items": {"type": "array"}}}),
        ),
        (
            "response: { output: $.a }",
            Root::ByKind,
            None,
            json!({"type": "object"}),
        ),
        (
            "response: { output: $.a, schema: { type: string } }",
            Root::Value,
            None,
            json!({"type": "object", "properties": {"value": {"type": "string"}}}),
        ),
        (
            "response: { schema: { type: object, required: [a], additionalProperties: false, properties: { a: { type: integer } } } }",
            Root::Itself,
            None,
            json!({"type": "object", "properties": {"a": {"type": "integer"}}}),
        ),
        (
            "response: { schema: { type: array, items: { type: object, required: [a], properties: { a: { type: integer } } } } }",
            Root::Items,
            Some("items"),
            json!({"type": "object", "properties": {"items": {"type": "array",
                "items": {"type": "object", "properties": {"a": {"type": "integer"}}}}}}),
        ),
    ] {
        let definition = defined(&format!("{GET}{response}"));
        assert_eq!(definition.root, root, "{response}");
        assert_eq!(definition.rows.as_deref(), rows, "{response}");
        assert_eq!(
            Value::Object(definition.output_schema),
            schema,
            "{response}"
        );
    }
}

#[test]
fn the_hints_follow_from_method_and_access() {
    let read = [true, false, true, true];
    for (access, request, expected) in [
        ("read", "{ method: GET, path: /x }", read),
        (
            "read",
            "{ method: POST, path: /x, body: { json: {} } }",
            read,
        ),
        (
            "write",
            "{ method: POST, path: /x, body: { json: {} } }",
            [false, false, false, true],
        ),
        (
            "write",
            "{ method: PUT, path: /x, body: { json: {} } }",
            [false, false, true, true],
        ),
        (
            "write",
            "{ method: PATCH, path: /x, body: { json: {} } }",
            [false, false, false, true],
        ),
        (
            "write",
            "{ method: POST, path: /x, idempotent: true }",
            [false, false, true, true],
        ),
        (
            "write",
            "{ method: POST, path: /x, idempotency_key: { header: Key } }",
            [false, false, false, true],
        ),
        (
            "destructive",
            "{ method: DELETE, path: /x }",
            [false, true, true, true],
        ),
    ] {
        let hints = defined(&format!("access: {access}\nrequest: {request}\n")).annotations;
        let told = [
            hints.read_only,
            hints.destructive,
            hints.idempotent,
            hints.open_world,
        ];
        assert_eq!(told, expected, "{access} {request}");
    }
}

#[test]
fn rules_over_the_root_go_into_the_description() {
    let params = |rule: &str| {
        format!(
            "access: read\nparams: {{ properties: {{ a: {{ type: string, description: An a. }}, b: {{ type: string }} }}, {rule} }}\nrequest: {{ method: GET, path: /x, query: [a, b] }}\n"
        )
    };
    for (rule, told) in [
        (
            "oneOf: [{ required: [a] }, { required: [b] }]",
            "A probe. Not all arguments go together; the error of a call says which.",
        ),
        (
            "dependentSchemas: { a: { not: { required: [b] }, description: a and b exclude each other } }",
            "A probe. a and b exclude each other.",
        ),
    ] {
        let definition = defined(&params(rule));
        assert_eq!(definition.description, told);
        let keys: Vec<&String> = definition.input_schema.keys().collect();
        assert_eq!(
            keys,
            ["type", "properties", "additionalProperties"],
            "{rule}"
        );
    }
    let verbatim = "$schema: 'https://json-schema.org/draft/2020-12/schema', anyOf: [{ required: [a] }, { required: [b] }]";
    let definition = defined(&params(verbatim));
    assert!(definition.input_schema.contains_key("anyOf"));
}

#[test]
fn nothing_outside_of_the_descriptor_is_referred_to() {
    use super::input::refuse_references;
    for (schema, expected) in [
        (
            json!({"a": {"$ref": "https://example.com/s.json"}}),
            Some("https://example.com/s.json"),
        ),
        (
            json!({"a": {"items": [{"$dynamicRef": "other.json#/x"}]}}),
            Some("other.json#/x"),
        ),
        (json!({"a": {"$ref": "#/$defs/x"}}), None),
    ] {
        let refused = refuse_references(&schema).err();
        let expected = expected.map(|to| Undefined::Reference(to.to_owned()));
        assert_eq!(refused, expected, "{schema}");
    }
}

#[test]
fn what_every_call_checks_anyway_is_left_out_and_params_may_be_called_like_keywords() {
    let definition = defined(
        "access: read\nparams:\n  properties:\n    minLength: { type: string, minLength: 1 }\n    uniqueItems: { type: array, uniqueItems: true, items: { type: string, enum: [a, b] } }\n    enum: { type: object, properties: { a: { type: string, minLength: 2 } } }\nrequest: { method: GET, path: /x, query: [minLength, uniqueItems], headers: { x: \"{{ params['enum'] | tojson if params['enum'] is defined }}\" } }\n",
    );
    assert_eq!(
        definition.input_schema["properties"],
        json!({
            "minLength": { "type": "string" },
            "uniqueItems": { "type": "array", "items": { "enum": ["a", "b"] } },
            "enum": { "type": "object", "properties": { "a": { "type": "string", "minLength": 2 } } },
        })
    );
}

#[test]
fn the_built_in_tools_have_sound_definitions_that_do_not_change() {
    let tools: Vec<Arc<Tool>> = crate::catalog::Catalog::builtin()
        .load_all()
        .into_iter()
        .map(|(_, tool)| tool.expect("a valid tool"))
        .collect();
    let all = || -> Vec<Definition> {
        define(&tools)
            .into_iter()
            .map(|one| one.expect("a definition"))
            .collect()
    };
    let definitions = all();
    assert_eq!(format!("{definitions:?}"), format!("{:?}", all()));
    for definition in &definitions {
        for schema in [&definition.input_schema, &definition.output_schema] {
            assert_eq!(schema["type"], "object", "{}", definition.name);
            let schema = Value::Object(schema.clone());
            crate::params::compile(&schema)
                .unwrap_or_else(|reason| panic!("{}: {reason}", definition.name));
        }
        assert!(
            definition.input_schema.contains_key("additionalProperties"),
            "{}",
            definition.name
        );
        assert!(
            definition.name.len() <= 64
                && !definition.title.is_empty()
                && !definition.description.is_empty()
        );
        let validator = crate::params::compile(&Value::Object(definition.input_schema.clone()))
            .expect("a schema");
        for example in &definition.input_examples {
            assert!(
                validator.is_valid(&Value::Object(example.clone())),
                "{}: {example:?}",
                definition.name
            );
        }
    }
    let examples = definitions
        .iter()
        .filter(|one| !one.input_examples.is_empty());
    assert!(examples.count() > definitions.len() / 2);
}
