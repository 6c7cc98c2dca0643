//! What a request leaves out when arguments are absent: keys, and maps and lists of which nothing is left.

use pretty_assertions::assert_eq;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use toolrun::{Call, Catalog, Engine};

/// The request of a tool with the optional params `a`, `b` and `l`: the query, the header `x-a`, and the body.
fn request(section: &Value, args: &Value) -> Value {
    let mut request = json!({ "method": "POST", "path": "/a" });
    let members = request.as_object_mut().expect("a map");
    members.extend(section.as_object().expect("a map").clone());
    let param = json!({ "description": "A param." });
    let descriptor = json!({
        "spec": 1,
        "tool": "probe",
        "service": { "service": "probe", "base_url": "https://api.test" },
        "description": "A probe.",
        "access": "write",
        "params": { "properties": { "a": param, "b": param, "l": param } },
        "request": request,
    });
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("probe.yaml"), descriptor.to_string()).expect("a file");
    let tool = Catalog::empty().with_folder(folder.path()).tool("probe");
    let tool = tool.unwrap_or_else(|error| panic!("{section}: {error}"));
    let plan = Engine::new().plan(&Call::new(&tool, args.clone()));
    let view = serde_json::to_value(plan.expect("a plan").view()).expect("JSON");
    let mut seen = Map::new();
    let url = view["url"].as_str().expect("a URL");
    if let Some((_, query)) = url.split_once('?') {
        seen.insert("query".to_owned(), query.into());
    }
    for header in view["headers"].as_array().expect("a list") {
        if header[0] == "x-a" {
            seen.insert("x-a".to_owned(), header[1].clone());
        }
    }
    if let Some((_, body)) = view.as_object().and_then(|view| view.get_key_value("body")) {
        seen.insert("body".to_owned(), body.clone());
    }
    Value::Object(seen)
}

#[test]
fn what_is_left_of_nothing_is_left_out() {
    let body = |kind: &str, tree: Value| json!({ "body": { kind: tree } });
    let none = json!({});
    for (section, args, expected) in [
        // The query and headers.
        (json!({ "query": ["a"] }), &none, json!({ "body": null })),
        (
            json!({ "query": { "q": ["{{ a }}", "{{ b }}"] } }),
            &none,
            json!({ "body": null }),
        ),
        (
            json!({ "query": { "q": ["{{ a }}", "x", "{{ b }}"] } }),
            &json!({ "b": 2 }),
            json!({ "query": "q=x&q=2", "body": null }),
        ),
        (
            json!({ "headers": { "x-a": "{{ a }}" } }),
            &none,
            json!({ "body": null }),
        ),
        (
            json!({ "headers": { "x-a": "{{ a }}" } }),
            &json!({ "a": 1 }),
            json!({ "x-a": "1", "body": null }),
        ),
        // JSON.
        (
            body("json", json!({ "k": "{{ a }}" })),
            &none,
            json!({ "body": {} }),
        ),
        (
            body("json", json!(["{{ a }}"])),
            &none,
            json!({ "body": [] }),
        ),
        (
            body("json", json!("{{ a }}")),
            &none,
            json!({ "body": null }),
        ),
        (
            body(
                "json",
                json!({ "filter": { "by": "{{ a }}", "of": { "b": "{{ b }}" } }, "x": 1 }),
            ),
            &none,
            json!({ "body": { "x": 1 } }),
        ),
        (
            body(
                "json",
                json!({ "filter": { "by": "{{ a }}", "of": { "b": "{{ b }}" } }, "x": 1 }),
            ),
            &json!({ "b": 2 }),
            json!({ "body": { "filter": { "of": { "b": 2 } }, "x": 1 } }),
        ),
        (
            body(
                "json",
                json!({ "list": [{ "id": "{{ a }}" }, { "id": "{{ b }}" }, ["{{ a }}"]] }),
            ),
            &json!({ "b": 2 }),
            json!({ "body": { "list": [{ "id": 2 }] } }),
        ),
        (
            body("json", json!({ "list": [{ "id": "{{ a }}" }] })),
            &none,
            json!({ "body": {} }),
        ),
        // Null is a value, and so is an argument that is empty.
        (
            body(
                "json",
                json!({ "f": { "by": "{{ a }}" }, "l": ["{{ l }}"] }),
            ),
            &json!({ "a": null, "l": [] }),
            json!({ "body": { "f": { "by": null }, "l": [[]] } }),
        ),
        // What the descriptor writes itself stays.
        (
            body(
                "json",
                json!({ "f": {}, "l": [], "k": { "type": "x", "by": "{{ a }}" } }),
            ),
            &none,
            json!({ "body": { "f": {}, "l": [], "k": { "type": "x" } } }),
        ),
        // GraphQL.
        (
            body(
                "graphql",
                json!({ "query": "query Q($f: F, $b: B) { a }", "variables": { "f": { "by": "{{ a }}" }, "b": "{{ b }}" } }),
            ),
            &none,
            json!({ "body": { "query": "query Q($f: F, $b: B) { a }", "variables": {} } }),
        ),
        // Forms.
        (
            body("form", json!({ "f": { "by": "{{ a }}" }, "x": 1 })),
            &none,
            json!({ "body": "x=1" }),
        ),
        (
            body(
                "form",
                json!({ "f": { "value": { "by": "{{ a }}", "l": ["{{ b }}"] }, "style": "json" }, "x": 1 }),
            ),
            &none,
            json!({ "body": "x=1" }),
        ),
        (
            body(
                "form",
                json!({ "f": { "value": { "by": "{{ a }}", "l": ["{{ b }}"] }, "style": "json" } }),
            ),
            &json!({ "b": 1 }),
            json!({ "body": "f=%7B%22l%22%3A%5B1%5D%7D" }),
        ),
        // Parts.
        (
            body(
                "multipart",
                json!({ "f": { "value": { "by": "{{ a }}" } }, "g": ["{{ a }}"], "x": 1 }),
            ),
            &none,
            json!({ "body": [{ "name": "x", "value": "1" }] }),
        ),
        (
            body(
                "multipart",
                json!({ "f": { "value": { "by": "{{ a }}" }, "style": "json" }, "x": 1 }),
            ),
            &none,
            json!({ "body": [{ "name": "x", "value": "1" }] }),
        ),
        (
            body(
                "multipart",
                json!({ "f": { "value": { "by": "{{ a }}", "of": { "b": "{{ b }}" } } } }),
            ),
            &json!({ "a": 1 }),
            json!({ "body": [{ "name": "f", "content_type": "application/json", "value": { "by": 1 } }] }),
        ),
    ] {
        assert_eq!(request(&section, args), expected, "{section} {args}");
    }
}
