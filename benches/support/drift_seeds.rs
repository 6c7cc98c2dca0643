//! Tools, exchanges that they would make, and drifts that are put into some of them, each with the findings that it
//! deserves. The test and the benchmark share them; the benchmark also needs the same tools as an OpenAPI document.

#![allow(dead_code, reason = "the test and the benchmark use parts of it")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// What drifts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Path,
    QueryName,
    QueryMissing,
    QueryEnum,
    QueryType,
    QueryConstant,
    Header,
    Renamed,
    Shape,
    Type,
    Enum,
    Required,
    NewField,
    Example,
    ErrorForm,
    Status,
    BodyMember,
    BodyType,
    BodyConstant,
    BodyMissing,
}

const KINDS: [Kind; 20] = [
    Kind::Path,
    Kind::QueryName,
    Kind::QueryMissing,
    Kind::QueryEnum,
    Kind::QueryType,
    Kind::QueryConstant,
    Kind::Header,
    Kind::Renamed,
    Kind::Shape,
    Kind::Type,
    Kind::Enum,
    Kind::Required,
    Kind::NewField,
    Kind::Example,
    Kind::ErrorForm,
    Kind::Status,
    Kind::BodyMember,
    Kind::BodyType,
    Kind::BodyConstant,
    Kind::BodyMissing,
];

impl Kind {
    fn has_body(self) -> bool {
        use Kind::{BodyConstant, BodyMember, BodyMissing, BodyType};
        matches!(self, BodyMember | BodyType | BodyConstant | BodyMissing)
    }

    /// The codes that it deserves, in the file of its tool.
    fn codes(self) -> &'static [&'static str] {
        match self {
            Kind::Path => &["unmatched-request"],
            Kind::QueryName | Kind::BodyMember => &["unknown-part"],
            Kind::QueryMissing | Kind::Header | Kind::BodyMissing => &["missing-part"],
            Kind::QueryEnum | Kind::QueryType | Kind::BodyType => &["refused-value"],
            Kind::QueryConstant | Kind::BodyConstant => &["other-constant"],
            // The name is gone and another one came, and the example has the old one.
            Kind::Renamed => &["lost-path", "new-field", "stale-example"],
            Kind::Shape => &["changed-shape"],
            Kind::Type | Kind::Enum | Kind::Required => &["unlike-schema"],
            Kind::NewField => &["new-field"],
            Kind::Example => &["stale-example"],
            Kind::ErrorForm => &["unknown-error"],
            Kind::Status => &["unknown-status"],
        }
    }
}

/// The tools and how many exchanges there are.
pub(crate) struct Seeds {
    tools: usize,
    drifting: usize,
    exchanges: usize,
}

/// The origin that all exchanges go to.
const ORIGIN: &str = "https://api.seeded.example";

impl Seeds {
    /// So many tools, of which five of six drift, each in one way.
    pub(crate) fn new(tools: usize, exchanges: usize) -> Seeds {
        Seeds {
            tools,
            drifting: tools * 5 / 6,
            exchanges,
        }
    }

    /// How many drifts are put in.
    pub(crate) fn drifts(&self) -> usize {
        self.drifting
    }

    /// The kind of a tool, and whether it drifts.
    fn kind(&self, tool: usize) -> (Kind, bool) {
        (KINDS[tool % KINDS.len()], tool < self.drifting)
    }

    /// The findings: the code and the name of the file.
    pub(crate) fn expected(&self) -> BTreeSet<(String, String)> {
        let drifting = (0..self.drifting).flat_map(|tool| {
            let codes = self.kind(tool).0.codes().iter();
            codes.map(move |code| ((*code).to_owned(), name(tool)))
        });
        drifting.collect()
    }

    /// How many drifts there are of each code; of a drift with several, the first counts.
    pub(crate) fn by_code(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for tool in 0..self.drifting {
            *counts.entry(self.kind(tool).0.codes()[0]).or_default() += 1;
        }
        counts
    }

    /// The names and texts of the descriptors.
    pub(crate) fn descriptors(&self) -> Vec<(String, String)> {
        let tools = (0..self.tools).map(|tool| (name(tool), self.descriptor(tool)));
        tools.collect()
    }

    fn descriptor(&self, tool: usize) -> String {
        let (name, id) = (name(tool), letters(tool));
        let head = format!(
            "spec: 1\ntool: {name}\ndescription: A thing.\nservice:\n  service: seeded-{id}\n  base_url: {ORIGIN}/v1/{id}\n  headers: {{ x-version: \"2\" }}\n  errors: {{ message: $.error.message }}\n"
        );
        match self.kind(tool).0.has_body() {
            true => head + BODY_TOOL,
            false => head + QUERY_TOOL,
        }
    }

    /// The recording, with or without the drifts.
    pub(crate) fn har(&self, drifts: bool) -> String {
        let entries: Vec<Value> = (0..self.exchanges)
            .map(|exchange| self.entry(exchange, drifts))
            .collect();
        let creator = json!({ "name": "seeds", "version": "1" });
        json!({ "log": { "version": "1.2", "creator": creator, "entries": entries } }).to_string()
    }

    fn entry(&self, exchange: usize, drifts: bool) -> Value {
        let (tool, round) = (exchange % self.tools, exchange / self.tools);
        let (kind, drifts_at_all) = self.kind(tool);
        let is_drifting = drifts && drifts_at_all;
        // What a service renames, it renames in all answers. A value that is odd is odd once.
        let is_now = is_drifting && round == 1;
        let drift = |wanted: Kind| is_now && kind == wanted;
        let base = format!("{ORIGIN}/v1/{}", letters(tool));
        let version = if drift(Kind::Header) {
            vec![("accept", "*/*")]
        } else {
            vec![("accept", "*/*"), ("x-version", "2")]
        };
        let state = if drift(Kind::QueryEnum) {
            "held"
        } else {
            "open"
        };
        let limit = if drift(Kind::QueryType) {
            "many".to_owned()
        } else {
            round.to_string()
        };
        let view = if drift(Kind::QueryConstant) {
            "short"
        } else {
            "full"
        };
        let mut query = format!("state={state}&limit={limit}&view={view}");
        if !drift(Kind::QueryMissing) {
            query.push_str("&unit=m");
        }
        if drift(Kind::QueryName) {
            query.push_str("&verbose=true");
        }
        let mut thing = json!({
            "id": 100 + exchange, "name": "A thing", "status": "new", "size": 1.5,
            "owner": { "group": "staff" }, "extra": "x",
        });
        change(&mut thing, kind, is_drifting, is_now);
        let (status, answer) = match kind {
            Kind::ErrorForm if round == 1 => (
                404,
                match is_now {
                    true => json!({ "detail": "gone" }),
                    false => json!({ "error": { "message": "gone" } }),
                },
            ),
            Kind::Status if round == 1 => (
                if is_now { 520 } else { 503 },
                json!({ "error": { "message": "busy" } }),
            ),
            _ => (200, thing),
        };
        let place = if drift(Kind::Path) {
            "others"
        } else {
            "things"
        };
        let (method, url, body) = match kind.has_body() {
            true => (
                "POST",
                format!("{base}/things"),
                Some(body(kind, round, is_now)),
            ),
            false => ("GET", format!("{base}/{place}/{exchange}?{query}"), None),
        };
        entry_json(method, &url, &version, body, status, &answer)
    }

    /// The same tools as an OpenAPI document.
    pub(crate) fn openapi(&self) -> String {
        let mut paths = serde_json::Map::new();
        for tool in 0..self.tools {
            let id = letters(tool);
            let (path, item) = match self.kind(tool).0.has_body() {
                true => (
                    format!("/v1/{id}/things"),
                    json!({ "post": operation(&id, true) }),
                ),
                false => (
                    format!("/v1/{id}/things/{{id}}"),
                    json!({ "get": operation(&id, false) }),
                ),
            };
            paths.insert(path, item);
        }
        json!({
            "openapi": "3.1.0",
            "info": { "title": "Seeds", "version": "1" },
            "servers": [{ "url": ORIGIN }],
            "paths": paths,
        })
        .to_string()
    }
}

/// Puts the drift of an answer into it.
fn change(thing: &mut Value, kind: Kind, is_drifting: bool, is_now: bool) {
    let Some(members) = thing.as_object_mut() else {
        return;
    };
    match kind {
        Kind::Renamed if is_drifting => {
            let name = members.remove("name").unwrap_or_default();
            members.insert("title".to_owned(), name);
        }
        Kind::NewField if is_drifting => drop(members.insert("weight".to_owned(), 3.into())),
        Kind::Example if is_drifting => drop(members.remove("extra")),
        Kind::Shape if is_now => drop(members.insert("owner".to_owned(), "staff".into())),
        Kind::Type if is_now => drop(members.insert("id".to_owned(), "one".into())),
        Kind::Enum if is_now => drop(members.insert("status".to_owned(), "archived".into())),
        // A path that finds nothing once gives null, which the schema does not allow.
        Kind::Required if is_now => drop(members.remove("size")),
        _ => {}
    }
}

fn body(kind: Kind, round: usize, is_now: bool) -> Value {
    let mut body = json!({ "kind": "thing", "item": "a", "count": round });
    if let (true, Some(members)) = (is_now, body.as_object_mut()) {
        match kind {
            Kind::BodyMember => drop(members.insert("colour".to_owned(), "red".into())),
            Kind::BodyType => drop(members.insert("count".to_owned(), "two".into())),
            Kind::BodyConstant => drop(members.insert("kind".to_owned(), "offer".into())),
            Kind::BodyMissing => drop(members.remove("item")),
            _ => {}
        }
    }
    body
}

fn entry_json(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: Option<Value>,
    status: u16,
    answer: &Value,
) -> Value {
    let headers: Vec<Value> = headers
        .iter()
        .chain(body.as_ref().map(|_| &("content-type", "application/json")))
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    let text = answer.to_string();
    let query: Vec<Value> = url
        .split_once('?')
        .into_iter()
        .flat_map(|(_, query)| query.split('&'))
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    let mut request = json!({
        "method": method, "url": url, "httpVersion": "HTTP/1.1", "cookies": [], "headers": headers,
        "queryString": query, "headersSize": -1, "bodySize": -1,
    });
    if let Some(body) = body {
        request["postData"] = json!({ "mimeType": "application/json", "text": body.to_string() });
    }
    json!({
        "startedDateTime": "2026-01-02T03:04:05.678Z",
        "time": 12,
        "request": request,
        "response": {
            "status": status, "statusText": "", "httpVersion": "HTTP/1.1", "cookies": [],
            "headers": [{ "name": "content-type", "value": "application/json" }],
            "content": { "size": text.len(), "mimeType": "application/json", "text": text },
            "redirectURL": "", "headersSize": -1, "bodySize": -1,
        },
        "cache": {},
        "timings": { "send": 0, "wait": 12, "receive": 0 },
    })
}

fn operation(id: &str, has_body: bool) -> Value {
    let thing = json!({
        "type": "object",
        "required": ["id", "name", "status", "size", "owner", "extra"],
        "properties": {
            "id": { "type": "integer" },
            "name": { "type": "string" },
            "status": { "enum": ["new", "used"] },
            "size": { "type": "number" },
            "owner": { "type": "object", "properties": { "group": { "type": "string" } } },
            "extra": { "type": "string" },
        },
    });
    let error = json!({
        "type": "object",
        "required": ["error"],
        "properties": { "error": { "type": "object", "properties": { "message": { "type": "string" } } } },
    });
    let content = |schema: &Value| json!({ "description": "x", "content": { "application/json": { "schema": schema } } });
    let query = |name: &str, required: bool, schema: Value| json!({ "name": name, "in": "query", "required": required, "schema": schema });
    let header = json!({ "name": "x-version", "in": "header", "required": true, "schema": { "const": "2" } });
    let mut operation = json!({
        "operationId": format!("thing-{id}"),
        "parameters": [header],
        "responses": { "200": content(&thing), "404": content(&error), "503": content(&error) },
    });
    let parameters = operation["parameters"].as_array_mut().expect("a list");
    if has_body {
        operation["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": {
            "type": "object",
            "required": ["kind", "item"],
            "additionalProperties": false,
            "properties": {
                "kind": { "const": "thing" },
                "item": { "type": "string" },
                "count": { "type": "integer" },
            },
        } } } });
        return operation;
    }
    parameters.extend([
        json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "integer" } }),
        query("state", false, json!({ "enum": ["open", "closed"] })),
        query("limit", false, json!({ "type": "integer" })),
        query("view", true, json!({ "const": "full" })),
        query("unit", true, json!({ "type": "string" })),
    ]);
    operation
}

const QUERY_TOOL: &str = "\
access: read
params:
  required: [id, unit]
  properties:
    id: { type: integer, description: The id. }
    state: { enum: [open, closed], description: The state. }
    limit: { type: integer, description: How many. }
    unit: { type: string, description: The unit. }
request:
  method: GET
  path: \"/things/{{ id }}\"
  query: { state: \"{{ state }}\", limit: \"{{ limit }}\", view: full, unit: \"{{ unit }}\" }
response:
  output: { id: $.id, name: $.name, status: $.status, size: $.size, group: $.owner.group }
  schema:
    type: object
    properties:
      id: { type: integer }
      name: { type: string }
      status: { enum: [new, used] }
      size: { type: number }
      group: { type: string }
examples:
  - name: one
    args: { id: 1, unit: m }
    response: { body: { id: 1, name: A, status: new, size: 2, owner: { group: staff }, extra: x } }
    output: { id: 1, name: A, status: new, size: 2, group: staff }
";

const BODY_TOOL: &str = "\
access: write
params:
  required: [item]
  properties:
    item: { type: string, description: The item. }
    count: { type: integer, description: How many. }
request:
  method: POST
  path: /things
  body: { json: { kind: thing, item: \"{{ item }}\", count: \"{{ count }}\" } }
response:
  output: { id: $.id, name: $.name, status: $.status, size: $.size, group: $.owner.group }
examples:
  - name: one
    args: { item: a }
    response: { body: { id: 1, name: A, status: new, size: 2, owner: { group: staff }, extra: x } }
    output: { id: 1, name: A, status: new, size: 2, group: staff }
";

fn name(tool: usize) -> String {
    format!("thing-{}", letters(tool))
}

/// A number in letters: names with digits look like ids, and are not shown.
fn letters(number: usize) -> String {
    let letter = |digit: usize| char::from(b'a' + u8::try_from(digit % 26).unwrap_or(0));
    [
        letter(number / 26 / 26),
        letter(number / 26),
        letter(number),
    ]
    .iter()
    .collect()
}
