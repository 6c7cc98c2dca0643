//! `record --into-examples`: exchanges of a recording become examples, as far as they pass.

use pretty_assertions::assert_eq;
use serde_json::json;

use crate::support::{Fake, Reply, Workspace};

const TOOL: &str = "# What it is.
spec: 1
tool: get-probe
service: probe
description: A probe.   # said of it
access: read

params:
  properties:
    x: { type: integer, default: 1, description: A. }

request: { method: GET, path: /probe, query: [x] }   # where it goes
response: { output: { rows: $.data }, rows: rows }
";

fn probe(origin: &str, tool: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.service(origin, "");
    workspace.write("descriptors/probe/get-probe.yaml", tool);
    workspace
}

fn text(workspace: &Workspace) -> String {
    let path = workspace.path().join("descriptors/probe/get-probe.yaml");
    std::fs::read_to_string(path).expect("a file")
}

#[test]
fn an_exchange_becomes_an_example_and_everything_else_stays() {
    for (name, tool, begins) in [
        ("none", TOOL.to_owned(), "examples:\n  - name: x 5\n    args: { x: 5 }\n"),
        (
            "some",
            format!("{TOOL}\nexamples:\n  # the first\n  - name: one\n    args: {{ x: 9 }}   # nine\n\nallow: {{ TR0001: a reason }}\n").replace("\nallow: { TR0001: a reason }\n", ""),
            "  - name: x 5\n    args: { x: 5 }\n",
        ),
        ("in brackets", format!("{TOOL}examples: []\n"), "name: \"x 5\""),
        ("Windows", TOOL.replace('\n', "\r\n"), "name: x 5"),
    ] {
        let fake = Fake::start(|request| {
            Reply::json(if request.query == "x=7" { 404 } else { 200 }, &json!({ "data": [request.query], "message": "gone" }))
        });
        let workspace = probe(&fake.origin(), &tool);
        for (arguments, file) in [("x=5", "a.har"), ("x=7", "b.har"), ("x=1", "c.har")] {
            workspace.run(&["call", "get-probe", arguments, "--record", file]);
        }
        for file in ["a.har", "b.har", "c.har"] {
            let done = workspace.run(&["record", "--into-examples", file]).expect(0);
            assert!(done.stdout.contains("1 example added"), "{name}: {}", done.stdout);
        }
        let new = text(&workspace);
        assert!(new.starts_with(tool.trim_end_matches("examples: []\n").trim_end()), "{name}: {new}");
        assert!(new.contains(begins), "{name}: {new}");
        assert!(new.contains("without arguments"), "{name}: {new}");
        assert!(new.contains("error: { status: 404 }"), "{name}: {new}");
        let done = workspace.run(&["test", "descriptors"]).expect(0);
        assert!(done.stdout.contains("3 passed") || name == "some", "{}", done.stdout);
        workspace.run(&["validate", "descriptors"]).expect(0);
        // Once is enough.
        let done = workspace.run(&["record", "--into-examples", "a.har", "probe/get-probe"]).expect(0);
        assert!(done.stdout.contains("1 there already"), "{}", done.stdout);
        assert_eq!(text(&workspace), new);
    }
}

#[test]
fn pages_and_jobs_become_examples() {
    let fake = Fake::start(
        |request| match (request.path.as_str(), request.query.as_str()) {
            ("/jobs", _) => Reply::json(202, &json!({ "url": "/jobs/1" })),
            ("/jobs/1", _) => Reply::json(200, &json!({ "state": "done", "n": 4 })),
            (_, "x=1") => Reply::json(200, &json!({ "data": [1], "next": 2 })).with("link", "a"),
            _ => Reply::json(200, &json!({ "data": [2] })),
        },
    );
    let paged = TOOL.replace(
        "response:",
        "paging: { items: $.data, next: { x: $.next } }\nresponse:",
    );
    let workspace = probe(&fake.origin(), &paged);
    workspace.tool(
        "do-job",
        "write",
        "request: { method: POST, path: /jobs }\nwait: { url: $.url, until: '{{ body.state == \"done\" }}', interval: 1s, deadline: 1m }\nresponse: { output: $.n }",
    );
    workspace
        .run(&["call", "get-probe", "--all", "--record", "a.har"])
        .expect(0);
    workspace
        .run(&["call", "do-job", "--yes", "--record", "b.har"])
        .expect(0);
    for file in ["a.har", "b.har"] {
        workspace
            .run(&["record", "--into-examples", file])
            .expect(0);
    }
    assert!(text(&workspace).contains("pages: "), "{}", text(&workspace));
    assert!(
        text(&workspace).contains("output: { rows: [1, 2] }"),
        "{}",
        text(&workspace)
    );
    let done = workspace.run(&["test", "descriptors"]).expect(0);
    assert!(done.stdout.contains("2 passed"), "{}", done.stdout);
}

#[test]
fn what_would_not_pass_is_refused_and_changes_nothing() {
    let big = "x".repeat(70_000);
    let fake = Fake::start(move |request| match request.query.as_str() {
        "x=2" => Reply::new(200, "application/json", "{"),
        "x=3" => Reply::json(200, &json!({ "data": [big] })),
        _ => Reply::json(200, &json!({ "data": [1] })),
    });
    let workspace = probe(&fake.origin(), TOOL);
    let before = text(&workspace);
    for (arguments, told) in [("x=2", "no JSON"), ("x=3", "an example may have 65536")] {
        let file = format!("{arguments}.har");
        workspace.run(&["call", "get-probe", arguments, "--record", &file]);
        let done = workspace
            .run(&["record", "--into-examples", &file])
            .expect(9);
        assert!(
            done.stdout.contains("refused: entry 1: ") && done.stdout.contains(told),
            "{}",
            done.stdout
        );
        assert_eq!(text(&workspace), before);
    }
    // The descriptor is another one by now.
    workspace
        .run(&["call", "get-probe", "x=4", "--record", "a.har"])
        .expect(0);
    for (from, to, told) in [
        (
            "query: [x]",
            "query: { y: '{{ x }}' }",
            "the query parameter `x` is only there",
        ),
        (
            "type: integer",
            "type: integer, maximum: 3",
            "does not take its arguments",
        ),
    ] {
        let changed = TOOL.replace(from, to);
        workspace.write("descriptors/probe/get-probe.yaml", &changed);
        let done = workspace
            .run(&["record", "--into-examples", "a.har"])
            .expect(9);
        assert!(done.stdout.contains(told), "{}", done.stdout);
        assert_eq!(text(&workspace), changed);
    }
    let done = workspace
        .run(&["record", "--into-examples", "a.har", "other"])
        .expect(2);
    assert!(
        done.stderr.contains("holds no call of other"),
        "{}",
        done.stderr
    );
    std::fs::remove_file(workspace.path().join("descriptors/probe/get-probe.yaml"))
        .expect("a file");
    let done = workspace
        .run(&["record", "--into-examples", "a.har"])
        .expect(9);
    assert!(
        done.stdout.contains("no valid tool probe/get-probe"),
        "{}",
        done.stdout
    );
}

#[test]
fn hidden_fields_stay_hidden_in_examples() {
    let fake = Fake::start(|_| Reply::json(200, &json!({ "data": [{ "email": "a@x.test" }] })));
    let workspace = probe(&fake.origin(), TOOL);
    workspace
        .run(&[
            "call",
            "get-probe",
            "--record",
            "a.har",
            "--redact",
            "$.data[*].email",
        ])
        .expect(0);
    workspace
        .run(&["record", "--into-examples", "a.har"])
        .expect(0);
    assert!(!text(&workspace).contains("x.test") && text(&workspace).contains("redacted-"));
    // A built-in tool cannot be changed.
    workspace
        .run(&["call", "list-workspaces", "--sandbox", "--record", "b.har"])
        .expect(0);
    let done = workspace
        .run(&["record", "--into-examples", "b.har"])
        .expect(9);
    assert!(
        done.stdout.contains("a built-in file cannot be changed"),
        "{}",
        done.stdout
    );
}
