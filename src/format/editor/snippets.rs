//! Beginnings of files and sections, which an editor offers.
//!
//! In a body, `${1:text}` is a field to fill in, and `\$` is a dollar sign. An editor inserts a text as it stands, so one
//! that begins with a brace has its quotes.

use serde_json::{Value, json};

fn snippets(all: &[(&str, &str, Value)]) -> Value {
    let all: Vec<Value> = all
        .iter()
        .map(|(label, description, body)| json!({ "label": label, "description": description, "body": body }))
        .collect();
    json!({ "defaultSnippets": all })
}

pub(super) fn tool() -> Value {
    snippets(&[
        (
            "list tool",
            "A tool that reads a list",
            json!({
                "spec": 1,
                "tool": "${1:list-things}",
                "service": "${2:service}",
                "description": "${3:List the things.}",
                "access": "read",
                "params": { "properties": { "limit": { "type": "integer", "minimum": 1, "description": "Things on a page." } } },
                "request": { "method": "GET", "path": "/${4:things}", "query": ["limit"] },
                "response": { "output": { "things": { "each": "\\$.data[*]", "as": { "id": "\\$.id" } } }, "rows": "things" },
            }),
        ),
        (
            "get tool",
            "A tool that reads one thing",
            json!({
                "spec": 1,
                "tool": "${1:get-thing}",
                "service": "${2:service}",
                "description": "${3:Get a thing by its id.}",
                "access": "read",
                "params": { "required": ["id"], "properties": { "id": { "type": "string", "description": "The id of the thing." } } },
                "request": { "method": "GET", "path": "/${4:things}/{{ id }}" },
            }),
        ),
        (
            "write tool",
            "A tool that creates something",
            json!({
                "spec": 1,
                "tool": "${1:create-thing}",
                "service": "${2:service}",
                "description": "${3:Create a thing.}",
                "access": "write",
                "params": { "required": ["name"], "properties": { "name": { "type": "string", "description": "The name of the thing." } } },
                "request": { "method": "POST", "path": "/${4:things}", "body": { "json": { "name": "\"{{ name }}\"" } } },
            }),
        ),
    ])
}

pub(super) fn service() -> Value {
    let service = |auth: Value| {
        json!({
            "spec": 1,
            "service": "${1:name}",
            "base_url": "https://${2:api.example.com}",
            "auth": auth,
        })
    };
    snippets(&[
        (
            "service with a bearer token",
            "A service whose requests carry a token",
            service(json!({ "kind": "bearer", "secret": { "env": "${3:TOKEN}" } })),
        ),
        (
            "service with an api key",
            "A service whose requests carry a key in a header",
            service(
                json!({ "kind": "api_key", "in": "header", "name": "${3:x-api-key}", "secret": { "env": "${4:API_KEY}" } }),
            ),
        ),
        (
            "service without credentials",
            "A service that anyone may call",
            service(json!({ "kind": "none" })),
        ),
    ])
}

pub(super) fn sandbox() -> Value {
    snippets(&[(
        "sandbox",
        "A sandbox without data",
        json!({
            "spec": 1,
            "sandbox": "${1:service}",
            "seed": 1,
            "now": "${2:2026-01-01T00:00:00Z}",
            "request_id": "\"{{ random.id('req_', 24) }}\"",
            "errors": { "body": { "error": "\"{{ message }}\"" }, "codes": {} },
            "routes": {},
        }),
    )])
}

pub(super) fn policy() -> Value {
    snippets(&[(
        "policy",
        "A policy that asks before anything is written",
        json!({
            "policy": 1,
            "rules": [
                { "when": "\"{{ tool.access == 'read' }}\"", "do": "allow" },
                { "when": "\"{{ tool.access == 'write' }}\"", "do": "ask", "why": "${1:It changes data.}" },
            ],
            "default": "deny",
        }),
    )])
}

pub(super) fn callers() -> Value {
    snippets(&[(
        "callers",
        "Callers of a server: those who have a token, and the issuer of others",
        json!({ "callers": 1, "tokens": [] }),
    )])
}

pub(super) fn paging() -> Value {
    snippets(&[
        (
            "cursor",
            "The response gives the cursor of the next page",
            json!({ "items": "\\$.${1:data}", "next": { "${2:cursor}": "\\$.${3:next_cursor}" } }),
        ),
        (
            "page number",
            "Pages are counted",
            json!({
                "items": "\\$.${1:data}",
                "next": { "${2:page}": "\"{{ (params.${2:page} or 1) + 1 }}\"" },
                "while": "\\$.${3:has_more}",
            }),
        ),
        (
            "link header",
            "A Link header names the next page",
            json!({ "items": "\\$.${1:data}", "next_url": { "header": "link", "rel": "next" } }),
        ),
    ])
}

pub(super) fn auth() -> Value {
    snippets(&[
        (
            "bearer",
            "A token in the header `authorization`",
            json!({ "kind": "bearer", "secret": { "env": "${1:TOKEN}" } }),
        ),
        (
            "api key",
            "A key in a header",
            json!({ "kind": "api_key", "in": "header", "name": "${1:x-api-key}", "secret": { "env": "${2:API_KEY}" } }),
        ),
        (
            "basic",
            "A user name and a password",
            json!({ "kind": "basic", "username": { "env": "${1:USER_NAME}" }, "password": { "env": "${2:PASSWORD}" } }),
        ),
        (
            "client credentials",
            "An access token that is fetched (OAuth 2)",
            json!({
                "kind": "oauth2",
                "grant": "client_credentials",
                "token_url": "https://${1:auth.example.com}/token",
                "client_id": { "env": "${2:CLIENT_ID}" },
                "client_secret": { "env": "${3:CLIENT_SECRET}" },
            }),
        ),
    ])
}

pub(super) fn example() -> Value {
    snippets(&[(
        "example",
        "A call with its request and its response",
        json!({
            "name": "${1:one}",
            "args": {},
            "request": { "method": "GET", "url": "https://${2:api.example.com/things}" },
            "response": { "status": 200, "body": {} },
        }),
    )])
}

pub(super) fn wait() -> Value {
    snippets(&[(
        "poll",
        "Ask for the job's state until it is done",
        json!({
            "path": "/${1:jobs}/{{ created.id }}",
            "until": "\"{{ body.status == '${2:done}' }}\"",
            "fail_when": "\"{{ body.status == '${3:failed}' }}\"",
        }),
    )])
}

pub(super) fn body() -> Value {
    snippets(&[
        (
            "json",
            "A JSON body",
            json!({ "json": { "${1:name}": "\"{{ ${1:name} }}\"" } }),
        ),
        (
            "form",
            "A form",
            json!({ "form": { "${1:name}": "\"{{ ${1:name} }}\"" } }),
        ),
        ("text", "A text", json!({ "text": "\"{{ ${1:text} }}\"" })),
    ])
}

pub(super) fn errors() -> Value {
    snippets(&[(
        "error fields",
        "Where an error answer says what went wrong",
        json!({ "message": "\\$.error.message", "code": "\\$.error.code" }),
    )])
}
