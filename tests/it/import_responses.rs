//! Responses of imported operations that are no JSON: what a call gives of the service's own text.

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use crate::support::{Fake, Reply, Workspace};

/// A document with one operation whose response has this content.
fn document(base: &str, content: &Value, schemas: &Value) -> Value {
    json!({
        "openapi": "3.0.3",
        "info": { "title": "shop", "version": "1" },
        "servers": [{ "url": base }],
        "paths": { "/it": { "get": {
            "operationId": "get-it",
            "description": "Gets it.",
            "responses": { "200": { "description": "It.", "content": content } },
        } } },
        "components": { "schemas": schemas },
    })
}

struct Row {
    /// The `content` of the response in the document, and the schemas it refers to.
    content: Value,
    schemas: Value,
    /// What the service answers.
    answer: (&'static str, &'static str),
    /// What the call gives, and the `accept` header that it sends.
    output: Value,
    accept: &'static str,
}

fn rows() -> Vec<Row> {
    let pets = json!({
        "Pets": { "type": "object", "xml": { "name": "pets" }, "properties": {
            "pet": { "type": "array", "items": { "$ref": "#/components/schemas/Pet" } },
        } },
        "Pet": { "type": "object", "properties": {
            "id": { "type": "integer", "xml": { "attribute": true } },
            "tags": { "type": "array", "xml": { "wrapped": true }, "items": { "type": "string", "xml": { "name": "tag" } } },
        } },
    });
    let xml = "application/xml, text/xml;q=0.9, */*;q=0.5";
    vec![
        // One pet with one tag: both are lists, because the document says so.
        Row {
            content: json!({ "application/xml": { "schema": { "$ref": "#/components/schemas/Pets" } } }),
            schemas: pets.clone(),
            answer: (
                "application/xml",
                "<pets><pet id=\"1\"><tags><tag>a</tag></tags></pet></pets>",
            ),
            output: json!({ "pets": { "pet": [{ "@id": "1", "tags": { "tag": ["a"] } }] } }),
            accept: xml,
        },
        Row {
            content: json!({ "text/xml": { "schema": { "$ref": "#/components/schemas/Pets" } } }),
            schemas: pets.clone(),
            answer: ("text/xml", "<pets/>"),
            output: json!({ "pets": { "pet": [] } }),
            accept: xml,
        },
        // JSON comes first where both are offered.
        Row {
            content: json!({
                "application/xml": { "schema": { "$ref": "#/components/schemas/Pets" } },
                "application/json": { "schema": { "$ref": "#/components/schemas/Pets" } },
            }),
            schemas: pets,
            answer: ("application/json", "{\"pet\":[{\"id\":1}]}"),
            output: json!({ "pet": [{ "id": 1 }] }),
            accept: "application/json",
        },
        Row {
            content: json!({ "application/atom+xml": {} }),
            schemas: json!({}),
            answer: ("application/atom+xml", "<feed><title>t</title></feed>"),
            output: json!({ "feed": { "title": "t" } }),
            accept: "application/atom+xml",
        },
        // A text, though of XML.
        Row {
            content: json!({ "application/xml": { "schema": { "type": "string" } } }),
            schemas: json!({}),
            answer: ("application/xml", "<a> <b/></a>"),
            output: json!("<a> <b/></a>"),
            accept: "application/xml",
        },
        Row {
            content: json!({ "image/svg+xml": {} }),
            schemas: json!({}),
            answer: ("image/svg+xml", "<svg/>"),
            output: json!("<svg/>"),
            accept: "image/svg+xml",
        },
        Row {
            content: json!({ "text/event-stream": { "schema": { "type": "string" } } }),
            schemas: json!({}),
            answer: (
                "text/event-stream",
                "event: more\nid: 7\ndata: {\"a\":1}\n\ndata: end\n\n",
            ),
            output: json!([
                { "event": "more", "data": { "a": 1 }, "id": "7", "retry": null },
                { "event": "message", "data": "end", "id": "7", "retry": null },
            ]),
            accept: "text/event-stream, */*;q=0.5",
        },
        Row {
            content: json!({ "text/event-stream": {}, "application/json": {} }),
            schemas: json!({}),
            answer: ("application/json", "{\"a\":1}"),
            output: json!({ "a": 1 }),
            accept: "application/json",
        },
    ]
}

#[test]
fn responses_that_are_no_json_are_read() {
    for row in rows() {
        let (media_type, text) = row.answer;
        let fake = Fake::start(move |_| Reply::new(200, media_type, text));
        let workspace = Workspace::new();
        let document = document(&fake.origin(), &row.content, &row.schemas);
        workspace.write("api.json", document.to_string());
        let into = ["--into", "descriptors/shop"];
        let told = workspace.run(&[&["import", "openapi", "api.json"][..], &into].concat());
        told.expect(0);
        workspace
            .run(&["validate", "--deny-warnings", "descriptors"])
            .expect(0);
        let told = workspace.run(&["call", "shop/get-it", "--output", "json"]);
        assert_eq!(told.expect(0).json(), row.output, "{}", row.content);
        let request = fake.only_request();
        assert_eq!(
            request.header("accept"),
            Some(row.accept),
            "{}",
            row.content
        );
    }
}

#[test]
fn lists_in_xml_that_nothing_names_are_told() {
    let content = json!({ "application/xml": { "schema": { "type": "object", "properties": {
        "a": { "type": "array", "items": { "type": "string" } },
    } } } });
    let document = document("https://shop.test", &content, &json!({}));
    let workspace = Workspace::new();
    workspace.write("api.json", document.to_string());
    let words = ["import", "openapi", "api.json", "--format", "json"];
    let report = workspace.run(&words).expect(0).json();
    let lost = report["report"]["lost"].as_array().unwrap();
    let told = lost.iter().any(|loss| {
        loss["what"] == "response"
            && loss["message"]
                .as_str()
                .unwrap()
                .contains("does not name the root element")
    });
    assert!(told, "{lost:?}");
}

#[test]
fn pages_in_xml_are_told() {
    let mut document = document(
        "https://shop.test",
        &json!({ "application/xml": {} }),
        &json!({}),
    );
    document["paths"]["/it"]["get"]["parameters"] = json!([
        { "name": "limit", "in": "query", "schema": { "type": "integer" } },
        { "name": "cursor", "in": "query", "schema": { "type": "string" } },
    ]);
    let workspace = Workspace::new();
    workspace.write("api.json", document.to_string());
    let words = ["import", "openapi", "api.json", "--format", "json"];
    let report = workspace.run(&words).expect(0).json();
    let lost = report["report"]["lost"].as_array().unwrap();
    let told = lost.iter().find(|loss| loss["what"] == "paging");
    let message = told.unwrap()["message"].as_str().unwrap();
    assert!(message.contains("its response is XML"), "{message}");
}

#[test]
fn a_file_beside_data_is_told() {
    let content = json!({ "application/pdf": {}, "application/xml": {} });
    let document = document("https://shop.test", &content, &json!({}));
    let workspace = Workspace::new();
    workspace.write("api.json", document.to_string());
    let words = ["import", "openapi", "api.json", "--format", "json"];
    let report = workspace.run(&words).expect(0).json();
    let lost = report["report"]["lost"].as_array().unwrap();
    let expected = "application/xml is asked for and read; the service also gives application/pdf";
    assert!(
        lost.iter().any(|loss| loss["message"] == expected),
        "{lost:?}"
    );
}
