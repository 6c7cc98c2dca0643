//! Lists of every shape: which rows they have, and how their pages follow each other.

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use super::*;
use crate::plan::Method;

/// The `paging` section of `GET path` with these parameters and this response, or the word for what is missing.
fn paging(path: &str, query: &[&str], schema: Value) -> Value {
    let parameters: Vec<Value> = query.iter().map(|text| parameter(text)).collect();
    let spec = Spec::new(json!({
        "openapi": "3.0.3",
        "paths": { "p": { "get": {
            "parameters": parameters,
            "responses": { "200": { "content": { "application/json": { "schema": schema } } } },
        } } },
        "components": { "schemas": {
            "Row": { "type": "object", "properties": { "id": { "type": "string" } } },
            "Meta": { "type": "object", "properties": { "continue": { "type": "string" }, "next_page": { "type": "integer", "nullable": true } } },
        } },
    }))
    .unwrap();
    let operation = spec.lookup("#/paths/p/get").unwrap();
    let success = Success::of(&spec, Method::Get, &operation);
    let query: Vec<QueryParam<'_>> = operation
        .get("parameters")
        .unwrap()
        .items()
        .map(|part| QueryParam {
            wire: part.text("name").unwrap(),
            name: part.text("name").unwrap().to_owned(),
            schema: part.get("schema"),
            part,
        })
        .collect();
    match recognise(&spec, path, &success, &query) {
        Pages::Known(paging) => paging,
        Pages::None => "none".into(),
        Pages::Unclear(NO_LIST) => "no list".into(),
        Pages::Unclear(SEVERAL) => "several".into(),
        Pages::Unclear(MAP) => "map".into(),
        Pages::Unclear(_) => "no step".into(),
    }
}

/// `name:type`, and perhaps `=default` and a description in brackets.
fn parameter(text: &str) -> Value {
    let (text, words) = text.split_once('[').unwrap_or((text, ""));
    let (text, default) = text.split_once('=').unwrap_or((text, ""));
    let (name, kind) = text.split_once(':').unwrap_or((text, "string"));
    let mut schema = json!({ "type": kind });
    if let Ok(default) = default.parse::<u64>() {
        schema["default"] = default.into();
    }
    json!({ "name": name, "in": "query", "schema": schema, "description": words.trim_end_matches(']') })
}

fn rows() -> Value {
    json!({ "type": "array", "items": { "$ref": "#/components/schemas/Row" } })
}

fn texts() -> Value {
    json!({ "type": "array", "items": { "type": "string" } })
}

fn object(members: Value) -> Value {
    json!({ "type": "object", "properties": members })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn map_of(values: Value) -> Value {
    json!({ "type": "object", "additionalProperties": values })
}

fn token(items: &str) -> Value {
    json!({ "items": items, "next": { "pageToken": "$.nextPageToken" }, "while": "$.nextPageToken" })
}

#[test]
fn rows_are_recognised_or_nothing_is() {
    let google = &["pageToken"];
    for (path, schema, expected) in [
        // The rows stand in a map, and the only list says what could not be reached.
        (
            "/aggregated/addresses",
            object(json!({
                "items": map_of(object(json!({ "addresses": rows() }))), "unreachables": texts(), "nextPageToken": text(),
            })),
            json!({
                "items": "$.items", "entries": true,
                "next": { "pageToken": "$.nextPageToken" }, "while": "$.nextPageToken",
            }),
        ),
        (
            "/aggregated/addresses",
            object(json!({ "items": map_of(rows()), "nextPageToken": text() })),
            json!({
                "items": "$.items", "entries": true,
                "next": { "pageToken": "$.nextPageToken" }, "while": "$.nextPageToken",
            }),
        ),
        (
            "/addresses",
            object(json!({ "items": rows(), "unreachable": texts(), "nextPageToken": text() })),
            token("$.items"),
        ),
        // A list of other things beside nothing else is not the rows.
        (
            "/addresses",
            object(json!({ "warnings": rows(), "nextPageToken": text() })),
            json!("none"),
        ),
        (
            "/addresses",
            object(json!({ "scopes": texts(), "nextPageToken": text() })),
            json!("several"),
        ),
        (
            "/scopes",
            object(json!({ "scopes": texts(), "nextPageToken": text() })),
            token("$.scopes"),
        ),
        // Of several lists, the one that the path names, or the one with a plain name.
        (
            "/v1/{parent}/policies",
            object(json!({ "policies": rows(), "rules": rows(), "nextPageToken": text() })),
            token("$.policies"),
        ),
        (
            "/search",
            object(json!({ "items": rows(), "rules": rows(), "nextPageToken": text() })),
            token("$.items"),
        ),
        (
            "/search",
            object(json!({ "users": rows(), "groups": rows(), "nextPageToken": text() })),
            json!("several"),
        ),
        // A map of which nothing says how its pages follow each other.
        (
            "/things",
            object(json!({ "items": map_of(rows()) })),
            json!("map"),
        ),
        // A map of labels is no list.
        (
            "/search",
            object(json!({ "users": rows(), "labels": map_of(text()), "nextPageToken": text() })),
            token("$.users"),
        ),
        // Wrapped rows, with the cursor beside them, above them, or elsewhere.
        (
            "/users",
            object(json!({ "data": object(json!({ "users": rows(), "nextPageToken": text() })) })),
            json!({ "items": "$.data.users", "next": { "pageToken": "$.data.nextPageToken" }, "while": "$.data.nextPageToken" }),
        ),
        (
            "/users",
            object(
                json!({ "result": object(json!({ "users": rows() })), "nextPageToken": text() }),
            ),
            token("$.result.users"),
        ),
        (
            "/users",
            object(json!({ "users": rows(), "owner": object(json!({ "nextPageToken": text() })) })),
            json!("no step"),
        ),
        // The cursor is of another type than the param.
        (
            "/users",
            object(json!({ "users": rows(), "nextPageToken": { "type": "integer" } })),
            json!("no step"),
        ),
        ("/users", rows(), json!("no step")),
    ] {
        assert_eq!(paging(path, google, schema.clone()), expected, "{schema}");
    }
}

#[test]
fn steps_are_recognised_or_nothing_is() {
    let list = |more: Value| {
        let mut members = json!({ "items": rows() });
        members
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        object(members)
    };
    let next_url = |path: &str| json!({ "items": "$.items", "next_url": path });
    let cursor = |wire: &str, path: &str| json!({ "items": "$.items", "next": { wire: path }, "while": path });
    for (query, schema, expected) in [
        (
            vec!["continue", "limit:integer"],
            list(json!({ "metadata": { "$ref": "#/components/schemas/Meta" } })),
            json!({
                "items": "$.items", "next": { "continue": "$.metadata.continue" }, "while": "$.metadata.continue", "limit": "limit",
            }),
        ),
        (
            vec!["page:integer"],
            list(json!({ "meta": { "$ref": "#/components/schemas/Meta" } })),
            cursor("page", "$.meta.next_page"),
        ),
        (
            vec!["cursor"],
            list(json!({ "next": text() })),
            cursor("cursor", "$.next"),
        ),
        // It is a URL, or may be one.
        (
            vec!["cursor"],
            list(json!({ "next": { "type": "string", "format": "uri" } })),
            next_url("$.next"),
        ),
        (
            vec!["cursor"],
            list(json!({ "next": text(), "previous": text() })),
            json!("no step"),
        ),
        (
            vec!["cursor"],
            list(
                json!({ "next": { "type": "string", "description": "The cursor of the next page." }, "previous": text() }),
            ),
            cursor("cursor", "$.next"),
        ),
        (
            vec!["cursor"],
            list(json!({ "links": object(json!({ "next": text(), "self": text() })) })),
            next_url("$.links.next"),
        ),
        (
            vec!["after", "limit:integer"],
            list(
                json!({ "paging": object(json!({ "next": object(json!({ "after": text() })) })) }),
            ),
            json!({
                "items": "$.items", "next": { "after": "$.paging.next.after" }, "while": "$.paging.next.after", "limit": "limit",
            }),
        ),
        (
            vec!["starting_after", "limit:integer"],
            list(json!({ "has_more": { "type": "boolean" } })),
            json!({
                "items": "$.items", "next": { "starting_after": "{{ (body.items | last).id if body.items }}" },
                "while": "$.has_more", "limit": "limit",
            }),
        ),
        // The id of a row is a text, so it is no number of this param.
        (
            vec!["starting_after:integer"],
            list(json!({ "has_more": { "type": "boolean" } })),
            json!("no step"),
        ),
        // A page of another size would begin elsewhere, so the size is fixed.
        (
            vec!["page:integer=1", "per_page:integer"],
            list(json!({})),
            json!({
                "items": "$.items", "next": { "page": "{{ (params.page if params.page is defined else 1) + 1 }}" },
                "while": "{{ body.items | length > 0 }}",
            }),
        ),
        (
            vec!["page:integer", "per_page:integer"],
            list(json!({})),
            json!("no step"),
        ),
        (
            vec!["offset:integer", "limit:integer"],
            list(json!({})),
            json!({
                "items": "$.items",
                "next": { "offset": "{{ (params.offset if params.offset is defined else 0) + (body.items | length) }}" },
                "while": "{{ body.items | length > 0 }}", "limit": "limit",
            }),
        ),
        // Not the number of items to skip.
        (
            vec!["offset:integer=1", "limit:integer"],
            list(json!({})),
            json!("no step"),
        ),
        (
            vec!["offset:integer[The page to give.]", "limit:integer"],
            list(json!({})),
            json!("no step"),
        ),
        (
            vec!["start:integer", "end:integer", "limit:integer"],
            list(json!({})),
            json!("no step"),
        ),
        (
            vec!["start:integer[Unix timestamp.]", "limit:integer"],
            list(json!({})),
            json!("no step"),
        ),
        (
            vec!["offset", "limit:integer"],
            list(json!({})),
            json!("no step"),
        ),
        // Nothing is paged.
        (vec!["q"], list(json!({})), json!("none")),
        (
            vec!["page:integer=1", "limit:integer"],
            object(json!({ "id": text() })),
            json!("no list"),
        ),
        (
            vec!["q"],
            list(json!({ "nextLink": text() })),
            next_url("$.nextLink"),
        ),
    ] {
        assert_eq!(
            paging("/x", &query, schema.clone()),
            expected,
            "{query:?} {schema}"
        );
    }
}
