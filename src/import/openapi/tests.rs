//! The drafts that operations become, before the engine checks them: the sections of the fixtures' tools.

use pretty_assertions::assert_eq;
use serde_json::{Map, Value, json};

use super::*;
use crate::import::document;

/// Every operation of a document by the name of its tool, the service, and the messages of the losses.
fn drafts(text: &str) -> (Value, Map<String, Value>, Vec<String>) {
    let document = document::parse(text).unwrap();
    let name = service_name(&document);
    let spec = Spec::new(document).unwrap();
    let operations = operations(&spec, &mut Report::default());
    let losses = Losses::default();
    let server = Server::of(&spec, &name, None, &operations, &losses).unwrap();
    let schemes = Schemes::of(&spec, &name, &server);
    let auth = schemes.choose(&operations, &losses);
    let graph = Graph::new(&spec);
    let shared = Shared {
        spec: &spec,
        graph: &graph,
        service: &name,
        server: &server,
        schemes: &schemes,
        auth: &auth,
    };
    let mut tools = Map::new();
    for (operation, tool) in name_operations(&name, operations, &HashMap::new()) {
        let made = match shared.draft(&operation, &tool, &losses) {
            Ok(draft) => draft.members.into(),
            Err(reason) => reason.into(),
        };
        tools.insert(tool, made);
    }
    let service = service::descriptor(&spec, &name, &server, &auth).into();
    let messages = losses.into_entries().into_iter();
    (
        service,
        tools,
        messages.map(|(_, _, message)| message).collect(),
    )
}

/// A document with one operation, `POST /it` unless it says otherwise.
fn one(operation: Value) -> (Value, Vec<String>) {
    let (_, tools, lost) = drafts(
        &json!({
            "openapi": "3.0.3",
            "info": { "title": "one" },
            "servers": [{ "url": "https://one.test" }],
            "paths": { "/it": { "post": operation } },
        })
        .to_string(),
    );
    let (_, tool) = tools.into_iter().next().unwrap();
    (tool, lost)
}

#[test]
fn bodies_and_responses_that_are_no_plain_json() {
    let text = include_str!("../../../tests/fixtures/openapi/media.yaml");
    let (_, tools, lost) = drafts(text);
    let body = |tool: &str| tools[tool]["request"]["body"].clone();
    let kind = |tool: &str| tools[tool].pointer("/response/kind").cloned();
    for (tool, expected) in [
        (
            "create-charge",
            json!({ "form": {
                "amount": "{{ amount }}",
                "metadata": "{{ metadata }}",
                "expand": "{{ expand }}",
                "items": { "value": "{{ items }}", "style": "indexed" },
                "tags": { "value": "{{ tags }}", "style": "repeat" },
                "flags": { "value": "{{ flags }}", "style": "comma" },
            } }),
        ),
        ("update-charge", json!({ "form": "{{ body }}" })),
        (
            "upload-file",
            json!({ "multipart": {
                "file": { "file": "{{ file }}" },
                "preview": { "file": "{{ preview }}", "content_type": "image/png" },
                "name": "{{ name }}",
                "labels": "{{ labels }}",
                "info": "{{ info }}",
                "notes": { "value": "{{ notes }}", "content_type": "text/markdown" },
                "more": { "file": "{{ more }}" },
            } }),
        ),
        ("put-raw", json!({ "bytes": { "file": "{{ file }}" } })),
        (
            "put-image",
            json!({ "bytes": { "file": "{{ file }}" }, "content_type": "image/png" }),
        ),
        ("create-note", json!({ "text": "{{ body }}" })),
        (
            "create-markdown",
            json!({ "text": "{{ body }}", "content_type": "text/markdown" }),
        ),
        (
            "create-xml",
            json!({ "text": "{{ body }}", "content_type": "application/xml" }),
        ),
        ("post-both", json!({ "json": { "a": "{{ a }}" } })),
    ] {
        assert_eq!(body(tool), expected, "{tool}");
    }
    for (tool, expected) in [
        ("create-charge", None),
        ("post-both", None),
        ("put-raw", Some("empty")),
        ("download-file", Some("bytes")),
        ("head-file", Some("empty")),
        ("delete-file", Some("empty")),
        ("create-note", Some("text")),
        ("create-xml", Some("xml")),
        ("export-lines", Some("ndjson")),
    ] {
        assert_eq!(kind(tool), expected.map(Value::from), "{tool}");
    }
    assert_eq!(
        tools["download-file"]["request"]["headers"],
        json!({ "accept": "application/octet-stream" })
    );
    assert_eq!(
        tools["upload-file"]["params"]["properties"]["more"],
        json!({ "type": "array", "items": { "type": "string" }, "description": "The paths of files." })
    );
    assert_eq!(
        tools["upload-file"]["params"]["properties"]["file"]["description"],
        "The file. The path of a file."
    );
    assert_eq!(
        tools["post-anything"],
        "its multipart body does not list its parts"
    );
    assert!(lost.contains(&"XML is sent as text, unchanged".to_owned()));
}

#[test]
fn servers_have_settings_and_clients_credentials() {
    let text = include_str!("../../../tests/fixtures/openapi/login.yaml");
    let (service, tools, lost) = drafts(text);
    assert_eq!(
        service,
        json!({
            "spec": 1,
            "service": "accounts",
            "title": "Accounts",
            "base_url": "https://{{ settings.account }}.accounts.test/{{ settings.stage }}/v3",
            "settings": {
                "account": {
                    "description": "The name of the account.",
                    "default": "demo",
                    "env": "ACCOUNTS_ACCOUNT",
                    "pattern": "^[A-Za-z0-9-]+$",
                },
                "stage": { "default": "live", "env": "ACCOUNTS_STAGE", "pattern": "^(live|test)$" },
            },
            "auth": {
                "kind": "oauth2",
                "grant": "client_credentials",
                "token_url": "https://login.accounts.test/token",
                "client_id": { "env": "ACCOUNTS_CLIENT_ID" },
                "client_secret": { "env": "ACCOUNTS_CLIENT_SECRET" },
            },
        })
    );
    let own = &tools["create-user"]["service"]["auth"];
    assert_eq!(
        own[1],
        json!({
            "kind": "api_key", "in": "query", "name": "app", "secret": { "env": "ACCOUNTS_APP_API_KEY" },
        })
    );
    for message in [
        "the scheme `odd` is not supported",
        "no scope is requested; add a `scope` if the service needs one",
        "the variable `prefix` of the URL is left at its default",
    ] {
        assert!(lost.iter().any(|lost| lost == message), "{message}");
    }
}

#[test]
fn servers_of_every_kind() {
    let base_url = |servers: Value| {
        let document = json!({
            "openapi": "3.0.3", "info": { "title": "s" }, "servers": servers, "paths": {},
        });
        let spec = Spec::new(document).unwrap();
        let name = Name::new("s").unwrap();
        Server::of(&spec, &name, None, &[], &Losses::default()).map(|server| server.base_url)
    };
    for (servers, expected) in [
        (
            json!([{ "url": "https://a.test/v1/" }]),
            json!("https://a.test/v1"),
        ),
        (json!([{ "url": "http://a.test" }]), json!("https://a.test")),
        (json!([{ "url": "//a.test/x" }]), json!("https://a.test/x")),
        (
            json!([{ "url": "http://localhost:8080/x" }]),
            json!("http://localhost:8080/x"),
        ),
        (
            json!([{ "url": "/x" }, { "url": "http://a.test" }, { "url": "https://b.test" }]),
            json!("https://b.test"),
        ),
        (
            json!([{ "url": "{protocol}://{host}/api", "variables": { "protocol": { "default": "http" }, "host": { "default": "a.test" } } }]),
            json!({ "url": "{{ settings.url }}/api", "within": "any" }),
        ),
        (
            json!([{ "url": "https://{region}.a.test:{port}", "variables": { "region": { "default": "eu" }, "port": { "default": 8443 } } }]),
            json!("https://{{ settings.region }}.a.test:8443"),
        ),
        (
            json!([{ "url": "https://{region}.test", "variables": { "region": { "default": "eu" } } }]),
            json!({ "url": "{{ settings.url }}", "within": "any" }),
        ),
    ] {
        assert_eq!(base_url(servers.clone()), Ok(expected), "{servers}");
    }
    for servers in [
        json!([]),
        json!([{ "url": "/x" }]),
        json!([{}]),
        json!(5),
        json!(null),
    ] {
        assert!(base_url(servers.clone()).is_err(), "{servers}");
    }
}

#[test]
fn credentials_of_every_kind() {
    let auth = |schemes: Value, security: Value| {
        let document = json!({
            "openapi": "3.0.3",
            "info": { "title": "s" },
            "servers": [{ "url": "https://s.test" }],
            "security": security,
            "paths": { "/": { "get": {} } },
            "components": { "securitySchemes": schemes },
        });
        let (service, _, _) = drafts(&document.to_string());
        service.get("auth").cloned()
    };
    let bearer = json!({ "kind": "bearer", "secret": { "env": "S_TOKEN" } });
    let key = json!({ "type": "apiKey", "in": "query", "name": "k" });
    let code = json!({ "type": "oauth2", "flows": { "authorizationCode": { "tokenUrl": "/t" } } });
    let client =
        json!({ "type": "oauth2", "flows": { "clientCredentials": { "tokenUrl": "/t" } } });
    for (schemes, security, expected) in [
        (
            json!({ "a": { "type": "http", "scheme": "BEARER" } }),
            json!([{ "a": [] }]),
            Some(bearer.clone()),
        ),
        (
            json!({ "a": code }),
            json!([{ "a": [] }]),
            Some(bearer.clone()),
        ),
        (
            json!({ "a": { "type": "openIdConnect" } }),
            json!([{ "a": [] }]),
            Some(bearer.clone()),
        ),
        (
            json!({ "a": { "type": "http", "scheme": "basic" } }),
            json!([{ "a": [] }]),
            Some(
                json!({ "kind": "basic", "username": { "env": "S_USERNAME" }, "password": { "env": "S_PASSWORD" } }),
            ),
        ),
        (
            json!({ "a": key }),
            json!([{ "a": [] }]),
            Some(
                json!({ "kind": "api_key", "in": "query", "name": "k", "secret": { "env": "S_API_KEY" } }),
            ),
        ),
        (
            json!({ "a": client }),
            json!([{ "a": [] }]),
            Some(json!({
                "kind": "oauth2", "grant": "client_credentials", "token_url": "https://s.test/t",
                "client_id": { "env": "S_CLIENT_ID" }, "client_secret": { "env": "S_CLIENT_SECRET" },
            })),
        ),
        // The simplest of several, both of two together, and none that is not supported.
        (
            json!({ "a": client, "b": { "type": "http", "scheme": "bearer" } }),
            json!([{ "a": [] }, { "b": [] }]),
            Some(bearer.clone()),
        ),
        (
            json!({ "a-b": key, "c": { "type": "http", "scheme": "bearer" } }),
            json!([{ "a-b": [], "c": [] }]),
            Some(json!([
                { "kind": "api_key", "in": "query", "name": "k", "secret": { "env": "S_A_B_API_KEY" } },
                { "kind": "bearer", "secret": { "env": "S_C_TOKEN" } },
            ])),
        ),
        (
            json!({ "a": code, "b": client }),
            json!([{ "a": [], "b": [] }]),
            Some(json!({ "kind": "bearer", "secret": { "env": "S_A_TOKEN" } })),
        ),
        (
            json!({ "a": { "type": "mutualTLS" }, "b": { "type": "http", "scheme": "digest" } }),
            json!([{ "a": [] }, { "b": [] }]),
            None,
        ),
        (
            json!({ "a": { "type": "http", "scheme": "bearer" } }),
            json!(null),
            Some(bearer),
        ),
        (
            json!({ "a": 5, "b": { "type": "apiKey" } }),
            json!([{ "a": [], "b": [], "c": [] }]),
            None,
        ),
    ] {
        assert_eq!(auth(schemes.clone(), security), expected, "{schemes}");
    }
}

#[test]
fn schemas_become_those_of_2020_12() {
    for (schema, expected) in [
        (
            json!({ "type": "string", "nullable": true }),
            json!({ "type": ["string", "null"] }),
        ),
        (
            json!({ "type": "string", "nullable": true, "enum": ["a"] }),
            json!({ "type": ["string", "null"], "enum": ["a", null] }),
        ),
        (
            json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }], "nullable": true, "description": "D." }),
            json!({ "anyOf": [{ "anyOf": [{ "type": "string" }, { "type": "integer" }] }, { "type": "null" }], "description": "D." }),
        ),
        (
            json!({ "type": "integer", "minimum": 1, "exclusiveMinimum": true, "maximum": 9, "exclusiveMaximum": false }),
            json!({ "type": "integer", "exclusiveMinimum": 1, "maximum": 9 }),
        ),
        (
            json!({ "type": "number", "exclusiveMinimum": 1.5 }),
            json!({ "type": "number", "exclusiveMinimum": 1.5 }),
        ),
        (
            json!({ "type": "string", "format": "byte" }),
            json!({ "type": "string", "contentEncoding": "base64" }),
        ),
        (
            json!({ "type": "integer", "format": "int64" }),
            json!({ "type": "integer" }),
        ),
        (
            json!({ "type": "string", "example": "x", "xml": {} }),
            json!({ "type": "string", "examples": ["x"] }),
        ),
        (
            json!({ "type": "string", "examples": ["x", 5] }),
            json!({ "type": "string", "examples": ["x"] }),
        ),
        (
            json!({ "type": "string", "title": "A title" }),
            json!({ "type": "string", "description": "A title" }),
        ),
        (
            json!({ "type": "string", "minLength": 0, "maxLength": 5.0 }),
            json!({ "type": "string", "maxLength": 5 }),
        ),
        (
            json!({ "type": "array", "items": { "type": "array", "items": true } }),
            json!({ "type": "array", "items": { "type": "array", "items": true } }),
        ),
        (
            json!({ "type": "object", "required": ["a", "b", "a"], "properties": { "a": {}, "b": { "readOnly": true } } }),
            json!({ "type": "object", "required": ["a"], "properties": { "a": {} } }),
        ),
        (
            json!({ "allOf": [{ "type": "string" }], "description": "D." }),
            json!({ "type": "string", "description": "D." }),
        ),
        (
            json!({ "allOf": [{ "type": "string" }, { "maxLength": 3 }] }),
            json!({ "allOf": [{ "type": "string" }, { "maxLength": 3 }] }),
        ),
        (
            json!({ "type": ["string", "null"], "const": "x" }),
            json!({ "type": ["string", "null"], "const": "x" }),
        ),
        (
            json!({ "type": "boolean", "deprecated": true }),
            json!({ "type": "boolean", "deprecated": true }),
        ),
    ] {
        let (tool, lost) = one(
            json!({ "requestBody": { "content": { "application/json": { "schema": {
            "type": "object", "properties": { "it": schema },
        } } } } }),
        );
        assert_eq!(tool["params"]["properties"]["it"], expected, "{schema}");
        let unrelated = |message: &&String| {
            !message.contains("credential") && !message.contains("does not describe the operation")
        };
        assert_eq!(lost.iter().find(unrelated), None, "{schema}");
    }
}

#[test]
fn deep_and_wide_schemas_stay_small() {
    // Nested deeper than a descriptor may be, and as deep as a document can be.
    let mut deep = json!({ "type": "string" });
    for _ in 0..40 {
        deep = json!({ "type": "object", "properties": { "x": deep } });
    }
    let (tool, _) =
        one(json!({ "requestBody": { "content": { "application/json": { "schema": deep } } } }));
    let depth = |value: &Value| {
        let text = value.to_string();
        let (mut most, mut now) = (0_i32, 0);
        for c in text.chars() {
            now += i32::from(matches!(c, '{' | '[')) - i32::from(matches!(c, '}' | ']'));
            most = most.max(now);
        }
        most
    };
    assert!(depth(&tool) < 60, "{}", depth(&tool));

    // A chain of references as long as a document can be, each with two ways to the next.
    let schemas: Map<String, Value> = (0..20_000)
        .map(|i| {
            let next = json!({ "$ref": format!("#/components/schemas/S{}", i + 1) });
            (
                format!("S{i}"),
                json!({ "type": "object", "properties": { "a": next, "b": next } }),
            )
        })
        .collect();
    let document = json!({
        "openapi": "3.1.0",
        "info": { "title": "wide" },
        "servers": [{ "url": "https://wide.test" }],
        "components": { "schemas": schemas },
        "paths": { "/it": { "post": { "requestBody": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/S0" } } } } } } },
    });
    let (_, tools, lost) = drafts(&document.to_string());
    assert!(tools["post-it"].to_string().len() < 400_000);
    assert!(lost.iter().any(|message| message.contains("very large")));
}

#[test]
fn no_wrong_type_is_more_than_a_loss() {
    // Every value of a valid document, replaced by one of each other type.
    let document =
        document::parse(include_str!("../../../tests/fixtures/openapi/login.yaml")).unwrap();
    let mut pointers = Vec::new();
    collect(&document, String::new(), &mut pointers);
    for pointer in pointers {
        for wrong in [
            json!(null),
            json!(5),
            json!("x"),
            json!([5]),
            json!({ "x": {} }),
            json!({ "$ref": "#" }),
        ] {
            let mut changed = document.clone();
            *changed.pointer_mut(&pointer).unwrap() = wrong;
            let _ = import(
                changed,
                &Options {
                    base_url: Some("https://x.test".into()),
                    ..Options::default()
                },
            );
        }
    }
}

fn collect(value: &Value, pointer: String, pointers: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(i, item)| (i.to_string(), item))
            .collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, member)| (key.clone(), member))
            .collect(),
        _ => Vec::new(),
    };
    for (key, child) in children {
        collect(child, crate::source::join(&pointer, &key), pointers);
    }
    pointers.push(pointer);
}
