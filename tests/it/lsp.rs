//! `toolrun lsp`: what an editor is told and offered while somebody types.

use std::fs;
use std::path::Path;

use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use toolrun::Report;
use toolrun::internals::check::{self, Kind};

use crate::support::Workspace;
use crate::support::editor::{Editor, edited, marked, uri};
use crate::table::rows;

const SERVICE: &str = r#"spec: 1
service: probe
title: Probe
base_url: https://probe.test
settings:
  region: { default: eu, env: PROBE_REGION }
  version: { default: "1" }
headers: { x-version: "{{ settings.version }}" }
auth: { kind: bearer, secret: { env: PROBE_TOKEN } }
"#;

const TOOL: &str = r#"spec: 1
tool: list-things
service: probe
description: List the things.
access: read
params:
  required: [group]
  properties:
    group: { type: string, description: The group. }
    limit: { type: integer, default: 20, description: How many. }
    kind: { type: string, enum: [small, large], description: Which. }
    after: { type: string, description: The cursor. }
request:
  method: GET
  path: /groups/{{ group }}/things
  query:
    limit: "{{ limit }}"
    kind: "{{ kind }}"
    after: "{{ after }}"
    region: "{{ settings.region }}"
paging:
  items: $.data
  next: { after: $.next }
response:
  let: { sizes: "$.data[*].size" }
  output:
    things:
      each: $.data[*]
      as: { id: $.id, size: $.size }
    total: "{{ sizes | sum }}"
  rows: things
examples:
  - name: one
    args: { group: red, limit: 2 }
    response:
      body:
        data:
          - { id: t1, size: 3, owner: { name: Ann }, "odd name": 1 }
          - { id: t2, size: 4, tags: [a] }
        next: c2
        "x-y": 1
"#;

/// The file of the tool, with a mark in place of a part of it.
fn tool(from: &str, to: &str) -> String {
    assert!(TOOL.contains(from), "{from}");
    TOOL.replacen(from, to, 1)
}

fn workspace() -> Workspace {
    let workspace = Workspace::new();
    workspace.write("descriptors/probe/service.yaml", SERVICE);
    workspace.write("descriptors/probe/list-things.yaml", TOOL);
    let token = "0".repeat(64);
    workspace.write(
        "descriptors/probe/callers.yaml",
        format!("callers: 1\ntokens:\n  - {{ name: agent-1, token: \"sha256:{token}\", claims: {{ team: red }} }}\n"),
    );
    workspace
}

fn path_of(workspace: &Workspace, name: &str) -> String {
    uri(&workspace.descriptors().join("probe").join(name))
}

/// A sandbox with this in its one route.
fn sandbox(route: &str) -> String {
    format!(
        "spec: 1\nsandbox: probe\ndata:\n  things: {{ count: 2, row: {{ id: t, colour: red }} }}\n  boxes: {{ count: 1, row: {{ width: 1 }} }}\nroutes:\n  list-things:\n    {route}\n"
    )
}

fn labels(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().into_iter().flatten();
    items
        .map(|item| item["label"].as_str().expect("a label").to_owned())
        .collect()
}

/// A file with a mark, what must be offered there, and what must not.
struct Offer(
    &'static str,
    String,
    &'static [&'static str],
    &'static [&'static str],
);

fn offers() -> Vec<Offer> {
    let file = "list-things.yaml";
    vec![
        // Keys: those that are required come first, and none twice.
        Offer(file, "¦".to_owned(), &["spec", "tool", "list tool", "get tool"], &[]),
        Offer(file, tool("access: read", "acc¦"), &["access", "title", "docs", "wait"], &["tool", "request", "paging"]),
        Offer(file, tool("access: read", "¦\naccess: read"), &["title"], &["access", "tool"]),
        Offer(file, tool("  method: GET", "  ¦"), &["method", "headers", "body"], &["path", "query"]),
        Offer(file, tool("  method: GET", "  method: GET\n  ¦"), &["headers"], &["method", "body"]),
        Offer(file, tool("paging:\n", "paging:\n  ¦\n"), &["while", "limit"], &["items", "next"]),
        Offer(file, tool("paging:\n  items: $.data\n  next: { after: $.next }\n", "paging:\n  ¦\n"), &["items", "next", "cursor"], &[]),
        Offer(file, tool("{ type: integer,", "{ ¦type: integer,"), &["type"], &["default", "description"]),
        Offer(file, tool("{ type: integer,", "{ type: integer, ¦"), &["minimum", "maximum", "format"], &["type", "default", "description"]),
        Offer(file, tool("      as: {", "      ¦\n      as: {"), &[], &["each", "as"]),
        Offer(file, tool("  - name: one", "  - ¦\n  - name: one"), &["name", "args", "request", "response"], &[]),
        Offer(file, tool("    response:\n", "    response:\n      ¦\n"), &["status", "headers"], &["body"]),
        // Values.
        Offer(file, tool("access: read", "access: ¦"), &["read", "write", "destructive"], &["title"]),
        Offer(file, tool("access: read", "access:¦"), &["read"], &[]),
        Offer(file, tool("access: read", "access: \"¦\""), &["read"], &[]),
        Offer(file, tool("method: GET", "method: ¦"), &["GET", "POST"], &[]),
        Offer(file, tool("service: probe", "service: ¦"), &["probe"], &[]),
        Offer(file, tool("tool: list-things", "tool: ¦"), &["list-things"], &[]),
        Offer(file, tool("type: integer", "type: ¦"), &["integer", "string", "boolean"], &[]),
        Offer(file, tool("rows: things", "rows: ¦"), &["things", "total"], &[]),
        Offer(file, tool("required: [group]", "required: [group, ¦]"), &["limit", "after"], &["group"]),
        Offer(file, TOOL.replace("  query:\n    limit: \"{{ limit }}\"\n    kind: \"{{ kind }}\"\n    after: \"{{ after }}\"\n    region: \"{{ settings.region }}\"\n", "  query: [limit, ¦]\n"), &["kind", "after", "group"], &["limit"]),
        Offer(file, TOOL.replace("  query:\n", "  query:\n    ¦\n"), &["group"], &["limit", "kind"]),
        Offer(file, tool("next: { after: $.next }", "next: { ¦ }"), &["after", "limit"], &[]),
        Offer(file, tool("limit: 2 }", "limit: 2, ¦ }"), &["kind", "after"], &["group", "limit"]),
        Offer(file, tool("limit: 2 }", "kind: ¦ }"), &["small", "large"], &["after"]),
        Offer(file, tool("limit: 2 }", "limit: ¦ }"), &["20"], &[]),
        Offer(file, tool("rows: things\n", "rows: things\nsync: { key: [¦] }\n"), &["id", "size"], &[]),
        Offer(file, tool("rows: things\n", "rows: things\nallow: { ¦ }\n"), &["unused-name", "undescribed-param"], &["unknown-key"]),
        // Expressions, also while they are not closed.
        Offer(file, tool("{{ limit }}", "{{ ¦ }}"), &["limit", "params", "settings", "range"], &["body"]),
        Offer(file, tool("\"{{ limit }}\"", "\"{{ ¦"), &["limit", "kind"], &[]),
        Offer(file, tool("\"{{ limit }}\"", "{{ ¦"), &["limit", "kind"], &[]),
        Offer(file, tool("settings.region", "settings.¦"), &["region", "version"], &["limit"]),
        Offer(file, tool("{{ limit }}", "{{ params.¦ }}"), &["limit", "kind"], &["region"]),
        Offer(file, tool("{{ limit }}", "{{ limit | ¦ }}"), &["lower", "timestamp", "tojson"], &["limit", "defined"]),
        Offer(file, tool("{{ limit }}", "{{ limit is ¦ }}"), &["defined"], &["tojson"]),
        Offer(file, tool("{{ limit }}", "{{ 'lim¦' }}"), &[], &["limit"]),
        Offer(file, tool("{{ group }}", "{{ gr¦ }}"), &["group"], &[]),
        Offer(file, tool("{{ sizes | sum }}", "{{ ¦ }}"), &["body", "status", "headers", "sizes"], &["limit", "settings"]),
        Offer(file, tool("{{ sizes | sum }}", "{{ body.¦ }}"), &["data", "next", "x-y"], &["id"]),
        Offer(file, tool("{{ sizes | sum }}", "{{ body.data[0].¦ }}"), &["id", "size", "owner"], &["next"]),
        Offer(file, tool("size: $.size }", "size: \"{{ item.¦ }}\" }"), &["id", "size", "tags"], &["data"]),
        Offer(file, tool("size: $.size }", "size: \"{{ ¦ }}\" }"), &["item", "body"], &[]),
        // Paths.
        Offer(file, tool("items: $.data", "items: $.¦"), &["data", "next", "['x-y']"], &["id"]),
        Offer(file, tool("items: $.data", "items: ¦"), &["$.data", "$.next"], &[]),
        Offer(file, tool("items: $.data", "items: $¦"), &["$.data"], &[]),
        Offer(file, tool("each: $.data[*]", "each: $.data¦"), &["data"], &[]),
        Offer(file, tool("each: $.data[*]", "each: $.data.¦"), &["[*]"], &[]),
        Offer(file, tool("each: $.data[*]", "each: $.data[¦"), &["*]"], &[]),
        Offer(file, tool("\"$.data[*].size\"", "\"$.data[*].¦\""), &["id", "size", "owner", "tags"], &["data"]),
        Offer(file, tool("\"$.data[*].size\"", "\"$.data[?@.¦\""), &["id", "size"], &["data"]),
        Offer(file, tool("\"$.data[*].size\"", "\"$..¦\""), &["id", "data", "name"], &[]),
        Offer(file, tool("size: $.size", "size: $.¦"), &["id", "size", "owner", "['odd name']"], &["data"]),
        Offer(file, tool("size: $.size", "size: $.owner.¦"), &["name"], &["id"]),
        Offer(file, tool("size: $.size", "size: ¦"), &["$.id", "$.owner"], &["$.data"]),
        // A comment is a comment.
        Offer(file, tool("access: read", "access: read # ¦"), &[], &["read"]),
        // A service.
        Offer("service.yaml", SERVICE.replace("title: Probe", "¦"), &["title", "retry", "rate_limit"], &["base_url", "service"]),
        Offer("service.yaml", SERVICE.replace("kind: bearer,", "kind: ¦,"), &["bearer", "oauth2", "aws_sigv4", "none"], &[]),
        Offer("service.yaml", SERVICE.replace("{ kind: bearer, secret", "{ kind: bearer, ¦secret"), &["secret"], &["grant"]),
        Offer("service.yaml", SERVICE.replace("{ env: PROBE_TOKEN }", "{ ¦ }"), &["env", "file", "command", "keyring"], &[]),
        Offer("service.yaml", SERVICE.replace("settings.version", "settings.¦"), &["region", "version"], &[]),
        // A sandbox and a policy.
        Offer("sandbox.yaml", "spec: 1\nsandbox: ¦\n".to_owned(), &["probe"], &[]),
        Offer("sandbox.yaml", "spec: 1\nsandbox: probe\nroutes:\n  ¦\n".to_owned(), &["list-things"], &[]),
        Offer("sandbox.yaml", "spec: 1\nsandbox: probe\ndata: { things: {} }\nroutes:\n  list-things:\n    where: [\"{{ args.¦ }}\"]\n".to_owned(), &["group", "limit"], &[]),
        Offer("sandbox.yaml", sandbox("from: ¦"), &["things", "boxes"], &["group"]),
        Offer("sandbox.yaml", sandbox("find: { in: ¦ }"), &["things"], &[]),
        Offer("sandbox.yaml", sandbox("from: things\n    match: { ¦ }"), &["id", "colour"], &["group", "width"]),
        Offer("sandbox.yaml", sandbox("from: things\n    match: { colour: ¦ }"), &["group", "kind"], &["colour"]),
        Offer("sandbox.yaml", sandbox("from: boxes\n    where: [\"{{ row.¦ }}\"]"), &["width"], &["colour"]),
        Offer("sandbox.yaml", sandbox("from: things\n    where: [\"{{ data.¦ }}\"]"), &["things", "boxes"], &[]),
        Offer("sandbox.yaml", sandbox("from: things\n    page: { limit: ¦ }"), &["limit"], &["id"]),
        Offer("sandbox.yaml", sandbox("find: { in: boxes, by: { ¦ } }"), &["width"], &["colour"]),
        Offer("policy.yaml", "policy: 1\nrules:\n  - { ¦ }\n".to_owned(), &["tools", "when", "do"], &[]),
        Offer("policy.yaml", "policy: 1\nrules:\n  - { tools: ¦ }\n".to_owned(), &["probe/list-things"], &["list-things"]),
        Offer("policy.yaml", "policy: 1\nrules:\n  - tools:\n      - ¦\n".to_owned(), &["probe/list-things"], &[]),
        Offer("policy.yaml", "policy: 1\nrules:\n  - { tools: \"probe/*\", when: \"{{ args.¦ }}\" }\n".to_owned(), &["group", "limit"], &[]),
        Offer("policy.yaml", "policy: 1\nrules:\n  - { tools: \"other/*\", when: \"{{ args.¦ }}\" }\n".to_owned(), &[], &["group", "limit"]),
        Offer("policy.yaml", "policy: 1\nrules:\n  - { callers: ¦ }\n".to_owned(), &["agent-1", "local"], &[]),
        Offer("policy.yaml", "policy: 1\nrules:\n  - { when: \"{{ caller.¦ }}\" }\n".to_owned(), &["name", "claims"], &[]),
        Offer("policy.yaml", "policy: 1\nrules:\n  - { when: \"{{ caller.claims.¦ }}\" }\n".to_owned(), &["team"], &["name"]),
        Offer("policy.yaml", "policy: 1\nrules: []\ncases:\n  - { tool: ¦ }\n".to_owned(), &["probe/list-things"], &[]),
        Offer("policy.yaml", "policy: 1\nrules: []\ncases:\n  - { tool: probe/list-things, args: { ¦ } }\n".to_owned(), &["group", "kind"], &[]),
        Offer("policy.yaml", "policy: 1\nrules: []\ncases:\n  - { tool: probe/list-things, args: { kind: ¦ } }\n".to_owned(), &["small", "large"], &[]),
        Offer("policy.yaml", "policy: 1\nrules:\n  - { when: \"{{ tool.¦ }}\" }\n".to_owned(), &["access", "name"], &[]),
    ]
}

#[test]
fn what_may_be_written_is_offered() {
    let workspace = workspace();
    let mut editor = Editor::in_folder(&workspace);
    let mut wrong = Vec::new();
    for Offer(name, text, wanted, unwanted) in offers() {
        let (text, line, character) = marked(&text);
        let uri = path_of(&workspace, name);
        editor.open(&uri, &text);
        let list = editor.at("completion", &uri, line, character);
        let offered = labels(&list);
        let missing: Vec<_> = wanted
            .iter()
            .filter(|name| !offered.iter().any(|other| other == **name))
            .collect();
        let extra: Vec<_> = unwanted
            .iter()
            .filter(|name| offered.iter().any(|other| other == **name))
            .collect();
        if !missing.is_empty() || !extra.is_empty() {
            let at = text.lines().nth(line).unwrap_or_default();
            wrong.push(format!("{name}:{line}:{character} `{at}`: without {missing:?}, with {extra:?}; offered: {offered:?}"));
        }
        editor.close(&uri);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(editor.quit(), Some(0));
}

/// A sandbox and a policy speak about tools of other files: what they name is told, and leads there.
#[test]
fn names_of_other_files_are_told_and_lead_there() {
    let workspace = workspace();
    let mut editor = Editor::in_folder(&workspace);
    let tool = path_of(&workspace, "list-things.yaml");
    for (name, text, told, leads) in [
        ("sandbox.yaml", sandbox("where: [\"{{ args.gr¦oup }}\"]"), "The group.", Some((&tool, 8))),
        ("sandbox.yaml", sandbox("from: things").replace("list-things:", "list-th¦ings:"), "List the things.", Some((&tool, 1))),
        ("sandbox.yaml", sandbox("from: things\n    match: { id: li¦mit }"), "How many.", Some((&tool, 9))),
        ("policy.yaml", "policy: 1\nrules:\n  - { tools: probe/list-th¦ings, do: allow }\n".to_owned(), "List the things.", Some((&tool, 1))),
        ("policy.yaml", "policy: 1\nrules:\n  - { tools: probe/*, when: \"{{ args.ki¦nd == 'x' }}\", do: allow }\n".to_owned(), "Which.", Some((&tool, 10))),
        ("policy.yaml", "policy: 1\nrules: []\ncases:\n  - { tool: probe/list-things, args: { li¦mit: 1 }, expect: deny }\n".to_owned(), "How many.", Some((&tool, 9))),
        ("policy.yaml", "policy: 1\nrules:\n  - { tools: other/ne¦ver, do: allow }\n".to_owned(), "", None),
    ] {
        let (text, line, character) = marked(&text);
        let uri = path_of(&workspace, name);
        editor.open(&uri, &text);
        let hover = editor.at("hover", &uri, line, character);
        let words = hover["contents"]["value"].as_str().unwrap_or_default();
        assert!(words.contains(told), "{text}: {words}");
        let place = editor.at("definition", &uri, line, character);
        let found = place["uri"]
            .as_str()
            .zip(place["range"]["start"]["line"].as_u64());
        assert_eq!(found, leads.map(|(uri, line)| (uri.as_str(), line)), "{text}");
        editor.close(&uri);
    }
    // A collection is in the same file.
    let (text, line, character) = marked(&sandbox("from: bo¦xes"));
    let uri = path_of(&workspace, "sandbox.yaml");
    editor.open(&uri, &text);
    let place = editor.at("definition", &uri, line, character);
    assert_eq!(place["range"]["start"]["line"], 4, "{place}");
    assert_eq!(editor.quit(), Some(0));
}

/// What is chosen is written so that the file stays YAML of the right shape.
#[test]
fn what_is_chosen_fits_in_its_place() {
    let workspace = workspace();
    let mut editor = Editor::in_folder(&workspace);
    for (text, label, expected) in [
        (
            "spec: 1\ntool: a\nacc¦\n",
            "access",
            "spec: 1\ntool: a\naccess: \n",
        ),
        (
            "spec: 1\ntool: a\nreq¦\n",
            "request",
            "spec: 1\ntool: a\nrequest:\n  \n",
        ),
        (
            "spec: 1\ntool: a\n¦\n",
            "examples",
            "spec: 1\ntool: a\nexamples:\n  - \n",
        ),
        (
            "spec: 1\ntool: a\nacc¦ess: read\n",
            "access",
            "spec: 1\ntool: a\naccess: read\n",
        ),
        (
            "spec: 1\ntool: a\naccess:¦\n",
            "read",
            "spec: 1\ntool: a\naccess: read\n",
        ),
        (
            "spec: 1\ntool: a\naccess: wr¦\n",
            "write",
            "spec: 1\ntool: a\naccess: write\n",
        ),
        (
            "spec: 1\ntool: a\naccess: 'wr¦'\n",
            "write",
            "spec: 1\ntool: a\naccess: 'write'\n",
        ),
        (
            "spec: 1\ntool: a\nrequest: { me¦ }\n",
            "method",
            "spec: 1\ntool: a\nrequest: { method:  }\n",
        ),
        (
            "spec: 1\ntool: a\nresponse: { output: \"$.x¦\" }\nexamples: [{ name: a, response: { body: { x-y: 1 } } }]\n",
            "['x-y']",
            "spec: 1\ntool: a\nresponse: { output: \"$['x-y']\" }\nexamples: [{ name: a, response: { body: { x-y: 1 } } }]\n",
        ),
        (
            "spec: 1\ntool: a\nparams: { properties: { q: {} } }\nrequest:\n  query:\n    ¦\n",
            "q",
            "spec: 1\ntool: a\nparams: { properties: { q: {} } }\nrequest:\n  query:\n    q: \"{{ q }}\"\n",
        ),
    ] {
        let (text, line, character) = marked(text);
        let uri = path_of(&workspace, "a.yaml");
        editor.open(&uri, &text);
        let list = editor.at("completion", &uri, line, character);
        let item = list["items"]
            .as_array()
            .expect("a list")
            .iter()
            .find(|item| item["label"] == label);
        let item =
            item.unwrap_or_else(|| panic!("{label} is not offered in {text}: {:?}", labels(&list)));
        assert_eq!(edited(&text, &[item["textEdit"].clone()]), expected);
        editor.close(&uri);
    }
    // Those that are required come first.
    let uri = path_of(&workspace, "a.yaml");
    editor.open(&uri, "spec: 1\n\n");
    let list = editor.at("completion", &uri, 1, 0);
    let mut items = list["items"].as_array().expect("a list").clone();
    items.sort_by_key(|item| item["sortText"].as_str().map(str::to_owned));
    let first: Vec<&str> = items
        .iter()
        .take(5)
        .filter_map(|item| item["label"].as_str())
        .collect();
    assert_eq!(
        first,
        ["tool", "service", "description", "access", "request"]
    );
    assert_eq!(
        items[0]["documentation"],
        "The tool's name; also the name of its file."
    );
}

/// A beginning that is chosen in an empty file is a sound tool, but for what is to be filled in.
#[test]
fn beginnings_are_sound() {
    let workspace = workspace();
    let mut editor = Editor::in_folder(&workspace);
    let uri = path_of(&workspace, "list-things.yaml");
    editor.open(&uri, "");
    let list = editor.at("completion", &uri, 0, 0);
    let items = list["items"].as_array().expect("a list");
    let mut tried = 0;
    for item in items.iter().filter(|item| item["insertTextFormat"] == 2) {
        let text = item["textEdit"]["newText"].as_str().expect("a text");
        let mut filled = text.replace("\\$", "$");
        for (field, value) in [
            ("${2:service}", "probe"),
            ("${1:list-things}", "list-things"),
            ("${1:get-thing}", "list-things"),
            ("${1:create-thing}", "list-things"),
        ] {
            filled = filled.replace(field, value);
        }
        while let Some(at) = filled.find("${") {
            let end = at + filled[at..].find('}').expect("an end");
            let inner = filled[at + 4..end].to_owned();
            filled.replace_range(at..=end, &inner);
        }
        editor.change(&uri, json!([{ "text": filled }]));
        assert_eq!(editor.codes(&uri), Vec::<String>::new(), "{filled}");
        tried += 1;
    }
    assert_eq!(tried, 3);
}

#[test]
fn the_thing_at_the_cursor_is_told() {
    let workspace = workspace();
    let mut editor = Editor::in_folder(&workspace);
    for (name, text, expected) in [
        (
            "list-things.yaml",
            tool("access:", "acc¦ess:"),
            vec![
                "What the tool may do",
                "`read`, `write`, `destructive`",
                "required",
            ],
        ),
        (
            "list-things.yaml",
            tool("access: read", "access: re¦ad"),
            vec!["Reads only"],
        ),
        (
            "list-things.yaml",
            tool("request:", "req¦uest:"),
            vec![
                "GET /groups/red/things?limit=2&region=eu HTTP/1.1",
                "host: probe.test",
                "authorization: Bearer ***",
            ],
        ),
        (
            "list-things.yaml",
            tool("tool: list", "tool: li¦st"),
            vec!["GET /groups/red/things"],
        ),
        (
            "list-things.yaml",
            tool("service: probe", "service: pro¦be"),
            vec!["https://probe.test"],
        ),
        (
            "list-things.yaml",
            tool("{{ limit }}", "{{ lim¦it }}"),
            vec!["A param that may be absent", "\"How many.\""],
        ),
        (
            "list-things.yaml",
            tool("[group]", "[gro¦up]"),
            vec!["A param that is required", "The group."],
        ),
        (
            "list-things.yaml",
            tool("settings.region", "settings.reg¦ion"),
            vec!["A setting", "PROBE_REGION"],
        ),
        (
            "list-things.yaml",
            tool("items: $.data", "items: $.da¦ta"),
            vec!["finds", "\"id\": \"t1\""],
        ),
        (
            "list-things.yaml",
            tool("size: $.size", "size: $.si¦ze"),
            vec!["finds", "3\n4"],
        ),
        (
            "list-things.yaml",
            tool("size: $.size", "size: $.si¦z"),
            vec!["finds nothing"],
        ),
        (
            "list-things.yaml",
            tool("sizes | sum", "si¦zes | sum"),
            vec!["response.let", "3\n4"],
        ),
        (
            "list-things.yaml",
            tool("examples:\n", "allow: { unused-n¦ame: x }\nexamples:\n"),
            vec!["**unused-name**", "Wrong:"],
        ),
        // A code is explained where it was found.
        (
            "list-things.yaml",
            tool("access:", "acce¦s:"),
            vec!["**unknown-key**", "typing mistake"],
        ),
        (
            "service.yaml",
            SERVICE.replace("kind: bearer", "ki¦nd: bearer"),
            vec!["One of", "`oauth2`"],
        ),
    ] {
        let (text, line, character) = marked(&text);
        let uri = path_of(&workspace, name);
        editor.open(&uri, &text);
        // A code is explained once it was found.
        editor.findings(&uri);
        let told = editor.at("hover", &uri, line, character);
        let words = told["contents"]["value"].as_str().unwrap_or_default();
        for part in expected {
            assert!(
                words.contains(part),
                "{part:?} is not in {words:?}, of {:?}",
                text.lines().nth(line)
            );
        }
        editor.close(&uri);
    }
}

#[test]
fn a_name_leads_to_its_definition() {
    let workspace = workspace();
    workspace.write(
        "descriptors/probe/sandbox.yaml",
        "spec: 1\nsandbox: probe\nroutes:\n  list-things: {}\n",
    );
    let mut editor = Editor::in_folder(&workspace);
    for (name, text, file, expected) in [
        (
            "list-things.yaml",
            tool("service: probe", "service: pr¦obe"),
            "service.yaml",
            "probe",
        ),
        (
            "list-things.yaml",
            tool("{{ limit }}", "{{ lim¦it }}"),
            "list-things.yaml",
            "limit",
        ),
        (
            "list-things.yaml",
            tool("{{ group }}", "{{ gro¦up }}"),
            "list-things.yaml",
            "group",
        ),
        (
            "list-things.yaml",
            tool("next: { after", "next: { aft¦er"),
            "list-things.yaml",
            "after",
        ),
        (
            "list-things.yaml",
            tool("{ group: red", "{ gro¦up: red"),
            "list-things.yaml",
            "group",
        ),
        (
            "list-things.yaml",
            tool("settings.region", "settings.reg¦ion"),
            "service.yaml",
            "region",
        ),
        (
            "list-things.yaml",
            tool("sizes | sum", "siz¦es | sum"),
            "list-things.yaml",
            "sizes",
        ),
        (
            "list-things.yaml",
            tool("rows: things", "rows: thi¦ngs"),
            "list-things.yaml",
            "things",
        ),
        (
            "service.yaml",
            SERVICE.replace("settings.version", "settings.ver¦sion"),
            "service.yaml",
            "version",
        ),
        (
            "sandbox.yaml",
            "spec: 1\nsandbox: probe\nroutes:\n  list-th¦ings: {}\n".to_owned(),
            "list-things.yaml",
            "list-things",
        ),
        (
            "sandbox.yaml",
            "spec: 1\nsandbox: pr¦obe\n".to_owned(),
            "service.yaml",
            "probe",
        ),
    ] {
        let (text, line, character) = marked(&text);
        let from = path_of(&workspace, name);
        editor.open(&from, &text);
        let target = editor.at("definition", &from, line, character);
        assert_eq!(
            target["uri"],
            path_of(&workspace, file),
            "{:?}",
            text.lines().nth(line)
        );
        let there = match name == file {
            true => text,
            false => fs::read_to_string(workspace.descriptors().join("probe").join(file))
                .expect("a file"),
        };
        let range = &target["range"];
        let line = there
            .lines()
            .nth(range["start"]["line"].as_u64().expect("a line") as usize)
            .expect("a line");
        let part = |end: &str| range[end]["character"].as_u64().expect("a place") as usize;
        assert_eq!(&line[part("start")..part("end")], expected);
        editor.close(&from);
    }
}

#[test]
fn uses_of_a_name_are_found() {
    let workspace = workspace();
    let mut editor = Editor::in_folder(&workspace);
    let uri = path_of(&workspace, "list-things.yaml");
    editor.open(&uri, TOOL);
    let (_, line, character) = marked(&tool("    limit: {", "    lim¦it: {"));
    let found = editor.at("references", &uri, line, character);
    let mut lines: Vec<u64> = found
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|place| place["range"]["start"]["line"].as_u64())
        .collect();
    lines.sort_unstable();
    // Its definition, the query, and an example's argument.
    assert_eq!(lines, [9, 16, 33]);
    // A setting is used in other files.
    let service = path_of(&workspace, "service.yaml");
    editor.open(&service, SERVICE);
    let (_, line, character) = marked(&SERVICE.replace("  region:", "  reg¦ion:"));
    let found = editor.at("references", &service, line, character);
    let files: Vec<&str> = found
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|place| place["uri"].as_str())
        .collect();
    assert_eq!(files, [uri.as_str(), service.as_str()]);
}

#[test]
fn the_outline_has_params_and_examples() {
    let workspace = workspace();
    let mut editor = Editor::in_folder(&workspace);
    let uri = path_of(&workspace, "list-things.yaml");
    editor.open(&uri, TOOL);
    let outline = editor.at("documentSymbol", &uri, 0, 0);
    let parts = outline.as_array().expect("a list");
    let names: Vec<&str> = parts
        .iter()
        .filter_map(|part| part["name"].as_str())
        .collect();
    assert_eq!(
        names,
        [
            "spec",
            "tool",
            "service",
            "description",
            "access",
            "params",
            "request",
            "paging",
            "response",
            "examples"
        ]
    );
    let children = |at: usize| -> Vec<&str> {
        parts[at]["children"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|part| part["name"].as_str())
            .collect()
    };
    assert_eq!(children(5), ["group", "limit", "kind", "after"]);
    assert_eq!(children(9), ["one"]);
}

#[test]
fn findings_follow_what_is_typed() {
    let workspace = workspace();
    let mut editor = Editor::in_folder(&workspace);
    let tool_uri = path_of(&workspace, "list-things.yaml");
    let broken = tool("access: read", "acces: read # 😀");
    editor.open(&tool_uri, &broken);
    let findings = editor.findings(&tool_uri);
    assert_eq!(findings.len(), 1, "{findings:?}");
    let finding = &findings[0];
    assert_eq!(finding["code"], "unknown-key");
    assert_eq!(finding["severity"], 1);
    assert_eq!(finding["source"], "toolrun");
    assert_eq!(
        finding["range"],
        json!({ "start": { "line": 4, "character": 0 }, "end": { "line": 4, "character": 5 } })
    );
    assert_eq!(finding["data"]["suggestion"], "access");
    assert!(
        finding["message"]
            .as_str()
            .is_some_and(|text| text.contains("did you mean `access`?")),
        "{finding}"
    );
    // A part is changed.
    let place = json!({ "line": 4, "character": 5 });
    editor.change(
        &tool_uri,
        json!([{ "range": { "start": place, "end": place }, "text": "s" }]),
    );
    assert_eq!(editor.codes(&tool_uri), Vec::<String>::new());
    // The service is being edited, and is not saved: its tools see the text in the editor.
    let service_uri = path_of(&workspace, "service.yaml");
    editor.open(&service_uri, SERVICE);
    assert_eq!(editor.codes(&service_uri), Vec::<String>::new());
    assert_eq!(editor.codes(&tool_uri), Vec::<String>::new());
    let renamed = SERVICE.replace("  region:", "  area:");
    editor.change(&service_uri, json!([{ "text": renamed }]));
    assert_eq!(editor.codes(&service_uri), ["unused-name"]);
    assert_eq!(editor.codes(&tool_uri), ["unknown-name"]);
    // Closed without being saved: what is on disk counts again.
    editor.close(&service_uri);
    assert_eq!(editor.codes(&tool_uri), Vec::<String>::new());
    // The first of two equal keys is named.
    editor.change(
        &tool_uri,
        json!([{ "text": tool("access: read", "access: read\naccess: write") }]),
    );
    let findings = editor.findings(&tool_uri);
    let related = &findings[0]["relatedInformation"][0];
    assert_eq!(findings[0]["code"], "duplicate-key");
    assert_eq!(
        related["location"]["range"]["start"]["line"], 4,
        "{related}"
    );
    // A file that changes on disk.
    editor.change(&tool_uri, json!([{ "text": TOOL }]));
    assert_eq!(editor.codes(&tool_uri), Vec::<String>::new());
    workspace.write("descriptors/probe/service.yaml", &renamed);
    editor.notify(
        "workspace/didChangeWatchedFiles",
        json!({ "changes": [{ "uri": service_uri, "type": 2 }] }),
    );
    assert_eq!(editor.codes(&tool_uri), ["unknown-name"]);
    assert_eq!(editor.quit(), Some(0));
}

/// The places of findings, counted as the editor counts them.
#[test]
fn places_are_counted_in_the_editors_way() {
    let workspace = workspace();
    for (encoding, expected) in [("utf-8", 21), ("utf-16", 19), ("utf-32", 18)] {
        let mut editor = Editor::bare(&mut workspace.toolrun());
        editor.initialize(
            json!({ "capabilities": { "general": { "positionEncodings": [encoding] } } }),
        );
        assert_eq!(editor.capabilities["positionEncoding"], encoding);
        let uri = path_of(&workspace, "list-things.yaml");
        editor.open(
            &uri,
            &tool("access: read", "access: read\nallow: { \"😀x\": \"y\" }"),
        );
        editor.open(
            &uri,
            &tool("{ type: string, enum", "{ title: \"😀\", tpe: string, enum"),
        );
        let findings = editor.findings(&uri);
        let finding = findings.iter().find(|finding| {
            finding["message"]
                .as_str()
                .is_some_and(|text| text.contains("`tpe`"))
        });
        let finding = finding.unwrap_or_else(|| panic!("{findings:?}"));
        assert_eq!(
            finding["range"]["start"]["character"],
            expected + 6,
            "{encoding}: {finding}"
        );
    }
}

/// What an editor shows is what `validate` finds, for every row of the table of broken descriptors.
#[test]
#[ignore = "long"]
fn findings_are_those_of_validate() {
    let workspace = Workspace::new();
    let mut editor = Editor::in_folder(&workspace);
    let rows = rows();
    let (policies, files): (Vec<_>, Vec<_>) = rows
        .iter()
        .enumerate()
        .partition(|(_, row)| row.kind == Kind::Policy);
    let mut left_out = Vec::new();
    let mut compared = 0;
    let mut compare = |editor: &mut Editor, title: &str, path: &Path, told: &Report| {
        let own = told
            .findings
            .iter()
            .filter(|finding| Path::new(&finding.source.name) == path);
        let expected: Vec<String> = own
            .map(|finding| {
                let help = finding.help.as_ref();
                let help = help.map(|help| format!("\n{help}")).unwrap_or_default();
                format!("{}: {}{help}", finding.code, finding.message)
            })
            .collect();
        let found = editor.findings(&uri(path));
        let found: Vec<String> = found
            .iter()
            .map(|finding| {
                let text = |key: &str| finding[key].as_str().unwrap_or_default();
                format!("{}: {}", text("code"), text("message"))
            })
            .collect();
        match found.is_empty() && !expected.is_empty() {
            true => left_out.push(title.to_owned()),
            false => {
                assert_eq!(found, expected, "{title}");
                compared += 1;
            }
        }
        editor.close(&uri(path));
    };
    let mut written = Vec::new();
    for (i, row) in files {
        let folder = workspace.descriptors().join(i.to_string());
        let path = row.write(&folder);
        if let Ok(text) = fs::read_to_string(&path) {
            let told = check::paths(&[folder.display().to_string()]).expect("the files");
            editor.open(&uri(&path), &text);
            written.push((row.title.clone(), path, told));
        }
    }
    for (title, path, told) in &written {
        compare(&mut editor, title, path, told);
    }
    // A policy speaks about the tools of the folders that are open.
    let mut last = workspace.descriptors();
    for (i, row) in policies {
        let folder = workspace.descriptors().join(i.to_string());
        let path = row.write(&folder);
        let one = |path: &Path| json!([{ "uri": uri(path), "name": "x" }]);
        let event = json!({ "added": one(&folder), "removed": one(&last) });
        editor.notify(
            "workspace/didChangeWorkspaceFolders",
            json!({ "event": event }),
        );
        let told = check::paths(&[folder.display().to_string()]).expect("the files");
        editor.open(&uri(&path), &row.text);
        compare(&mut editor, &row.title, &path, &told);
        last = folder;
    }
    assert!(compared > 300, "{compared} compared");
    // Texts by which nothing tells that they are descriptors.
    assert!(left_out.len() <= 6, "{left_out:#?}");
}

#[test]
fn findings_have_fixes() {
    let workspace = workspace();
    let mut editor = Editor::in_folder(&workspace);
    let uri = path_of(&workspace, "list-things.yaml");
    for (text, title, expected) in [
        (tool("access: read", "acces: read"), "Write `access`", TOOL.to_owned()),
        (tool("\"{{ limit }}\"", "\"{{ limt }}\""), "Write `limit`", TOOL.to_owned()),
        (tool("tool: list-things", "tool: \"list-thing\""), "Write `list-things`", tool("tool: list-things", "tool: \"list-things\"")),
        (tool("service: probe", "service: prob"), "Write `probe`", TOOL.to_owned()),
        (tool("  required: [group]\n", "  required: []\n"), "Make `group` required", TOOL.to_owned()),
        (
            tool(", description: Which. }", " }"),
            "Allow `undescribed-param` in this file",
            tool(", description: Which. }", " }") + "allow: { undescribed-param: \"Say why this is intended.\" }\n",
        ),
        (
            tool(", description: Which. }", " }").replace("examples:\n", "allow: { unused-name: x } # why\nexamples:\n"),
            "Allow `undescribed-param` in this file",
            tool(", description: Which. }", " }").replace("examples:\n", "allow: { unused-name: x, undescribed-param: \"Say why this is intended.\" } # why\nexamples:\n"),
        ),
    ] {
        editor.open(&uri, &text);
        let findings = editor.findings(&uri);
        let mut offered = Vec::new();
        let mut done = false;
        for finding in &findings {
            let params = json!({ "textDocument": { "uri": uri }, "range": finding["range"], "context": { "diagnostics": [finding] } });
            let actions = editor.result("textDocument/codeAction", params);
            for action in actions.as_array().expect("a list") {
                offered.push(action["title"].clone());
                if action["title"] == title {
                    let edits = action["edit"]["changes"][&uri].as_array().expect("edits");
                    assert_eq!(edited(&text, edits), expected);
                    assert_eq!(action["diagnostics"][0]["code"], finding["code"]);
                    done = true;
                }
            }
        }
        assert!(done, "{title} is not among {offered:?}; {findings:?}");
        editor.close(&uri);
    }
    // An error cannot be allowed.
    editor.open(&uri, &tool("access: read", "acces: read"));
    let findings = editor.findings(&uri);
    let params = json!({ "textDocument": { "uri": uri }, "range": findings[0]["range"], "context": { "diagnostics": [] } });
    let actions = editor.result("textDocument/codeAction", params);
    assert_eq!(actions.as_array().map(Vec::len), Some(1), "{actions}");
}

#[test]
fn a_document_gets_the_one_layout() {
    let workspace = workspace();
    let mut editor = Editor::in_folder(&workspace);
    let uri = path_of(&workspace, "list-things.yaml");
    let params = json!({ "textDocument": { "uri": uri }, "options": { "tabSize": 2, "insertSpaces": true } });
    let text = "spec: 1\n# é\naccess:   read\ntool:   list-things\ndescription: 'It is 😀.'   # why\nservice: probe\nrequest: { path: /x, method: GET }\n";
    editor.open(&uri, text);
    let edits = editor.result("textDocument/formatting", params.clone());
    let laid_out = edited(text, edits.as_array().expect("a list"));
    workspace.write("descriptors/probe/list-things.yaml", text);
    let told = workspace.run(&[
        "fmt",
        &workspace
            .descriptors()
            .join("probe/list-things.yaml")
            .display()
            .to_string(),
    ]);
    assert_eq!(told.code, 0, "{told:?}");
    let expected =
        fs::read_to_string(workspace.descriptors().join("probe/list-things.yaml")).expect("a file");
    assert_eq!(laid_out, expected);
    assert_ne!(laid_out, text);
    editor.change(&uri, json!([{ "text": laid_out }]));
    let edits = editor.result("textDocument/formatting", params.clone());
    assert_eq!(edits, json!([]));
    // What does not parse stays, and the editor is told why.
    editor.change(&uri, json!([{ "text": "spec: 1\ntool: [\n" }]));
    let answer = editor.request("textDocument/formatting", params);
    assert_eq!(answer["error"]["code"], -32803, "{answer}");
}
