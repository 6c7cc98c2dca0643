//! The command line: arguments in all their forms, dry runs, what the catalog finds, and exit codes.

use crate::support::{Workspace, output};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

const PROBE: &str = r#"
params:
  required: [id]
  properties:
    id: { type: string }
    limit: { type: integer, default: 20 }
    flag: { type: boolean }
    ratio: { type: number }
    tags: { type: array, items: { type: string } }
    filter: { type: object }
    since: { type: string, format: date-time }
request:
  method: POST
  path: /v1/{{ id }}/things
  query: { limit: "{{ limit }}", flag: "{{ flag }}" }
  headers: { x-since: "{{ since }}" }
  body: { json: { ratio: "{{ ratio }}", tags: "{{ tags }}", filter: "{{ filter }}", note: "id {{ id }}" } }
"#;

fn workspace() -> Workspace {
    let workspace = Workspace::new();
    workspace.service(
        "https://api.probe.test/base",
        "auth: { kind: api_key, in: header, name: x-key, secret: { env: PROBE_KEY } }",
    );
    workspace.tool("send-thing", "write", PROBE);
    workspace
}

fn plan(workspace: &Workspace, arguments: &[&str]) -> Value {
    let mut words = vec!["call", "send-thing", "--dry-run=json"];
    words.extend(arguments);
    workspace.run(&words).expect(0).json()
}

#[test]
fn arguments_come_in_every_form() {
    let workspace = workspace();
    workspace.write(
        "args.json",
        r#"{"id": "a", "limit": 3, "tags": ["x", "y"]}"#,
    );
    workspace.write("args.yaml", "id: a\nlimit: 3\ntags: [x, y]\n");
    let expected = plan(
        &workspace,
        &[r#"{"id": "a", "limit": 3, "tags": ["x", "y"]}"#],
    );
    for words in [
        vec!["id=a", "limit=3", "tags=x", "tags=y"],
        vec!["id=a", "limit:=3", r#"tags:=["x", "y"]"#],
        vec!["@args.json"],
        vec!["@args.yaml"],
        vec!["@args.json", "limit=5", "limit=3"],
        vec![
            "limit=9",
            r#"{"id": "a", "limit": 3}"#,
            r#"tags=["x", "y"]"#,
        ],
    ] {
        assert_eq!(plan(&workspace, &words), expected, "{words:?}");
    }
}

#[test]
fn arguments_come_from_standard_input() {
    let workspace = workspace();
    workspace.write("args.json", r#"{"id": "a"}"#);
    let mut command = workspace.toolrun();
    command.args(["call", "send-thing", "-", "limit=7", "--dry-run=json"]);
    let file = std::fs::File::open(workspace.path().join("args.json")).unwrap();
    let plan = output(command.stdin(file)).expect(0).json();
    assert_eq!(
        plan["url"],
        "https://api.probe.test/base/v1/a/things?limit=7"
    );
}

#[test]
fn values_keep_their_types() {
    let plan = plan(
        &workspace(),
        &[
            "id=1",
            "flag=false",
            "ratio=0.5",
            r#"filter={"a": [1, null]}"#,
            "since=2026-01-01T00:00:00Z",
        ],
    );
    assert_eq!(
        plan,
        json!({
            "method": "POST",
            "url": "https://api.probe.test/base/v1/1/things?limit=20&flag=false",
            "headers": [
                ["accept", "application/json"],
                ["user-agent", concat!("toolrun/", env!("CARGO_PKG_VERSION"))],
                ["x-since", "2026-01-01T00:00:00Z"],
                ["content-type", "application/json"],
                ["x-key", "***"],
            ],
            "body": { "ratio": 0.5, "filter": { "a": [1, null] }, "note": "id 1" },
        })
    );
}

#[test]
fn bad_arguments_are_all_told_at_once() {
    let told = workspace().run(&[
        "call",
        "send-thing",
        "limit=two",
        "flag=maybe",
        "lmit=3",
        "since=yesterday",
        "tags:=[1]",
    ]);
    let told = told.expect(2).stderr;
    for part in [
        "id: is required and absent",
        "limit: must be an integer, but \"two\" is a string",
        "flag: must be a boolean",
        "lmit: is no argument of this tool; did you mean `limit`?",
        "since: \"yesterday\" is no RFC 3339 date and time",
        "tags[0]: must be a string, but 1 is a number",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
}

#[test]
fn bad_words_say_what_is_meant() {
    let workspace = workspace();
    workspace.write("list.json", "[1]");
    for (word, part) in [
        ("id", "write key=value"),
        ("{\"id\": ", "not valid JSON"),
        ("id:={", "needs JSON"),
        ("@missing.json", "cannot read arguments from missing.json"),
        ("@list.json", "must be one object"),
    ] {
        let told = workspace
            .run(&["call", "send-thing", word])
            .expect(2)
            .stderr;
        assert!(told.contains(part), "{word}: {told}");
    }
}

#[test]
fn dry_runs_show_the_request_and_send_nothing() {
    let workspace = workspace();
    let http = workspace
        .run(&["call", "send-thing", "id=a b", "--dry-run"])
        .expect(0)
        .stdout;
    assert!(
        http.starts_with("POST /base/v1/a%20b/things?limit=20 HTTP/1.1\nhost: api.probe.test\n"),
        "{http}"
    );
    assert!(
        http.contains("x-key: ***\n") && http.contains("\"note\": \"id a b\""),
        "{http}"
    );
    let curl = workspace
        .run(&["call", "send-thing", "id=it's", "--dry-run=curl"])
        .expect(0)
        .stdout;
    assert_eq!(
        curl.lines().next().unwrap(),
        r"curl --request POST 'https://api.probe.test/base/v1/it%27s/things?limit=20' \"
    );
    assert!(curl.contains("--header \"x-key: ${PROBE_KEY}\""), "{curl}");
    assert!(
        curl.contains(r#"--data-raw '{"note":"id it'\''s"}'"#),
        "{curl}"
    );
}

#[test]
fn names_lead_to_tools() {
    let workspace = workspace();
    workspace.write(
        "descriptors/other/service.yaml",
        "spec: 1\nservice: other\nbase_url: https://other.test\n",
    );
    workspace.write(
        "descriptors/other/send-thing.yaml",
        "spec: 1\ntool: send-thing\nservice: other\ndescription: x\naccess: read\nrequest: { method: GET, path: /x }\n",
    );
    let told = workspace
        .run(&["call", "send-thing", "id=a", "--dry-run"])
        .expect(2)
        .stderr;
    assert!(
        told.contains("other/send-thing, probe/send-thing"),
        "{told}"
    );
    let plan = workspace
        .run(&["call", "other/send-thing", "--dry-run=json"])
        .expect(0)
        .json();
    assert_eq!(plan["url"], "https://other.test/x");
    let told = workspace.run(&["call", "list-workspace"]).expect(2).stderr;
    assert!(told.contains("did you mean `list-workspaces`?"), "{told}");
    for name in ["../probe/send-thing", "/etc/passwd", "probe/../x", ""] {
        workspace.run(&["call", name]).expect(2);
    }
}

#[test]
fn a_named_folder_hides_built_in_tools_and_a_local_one_does_not() {
    let workspace = Workspace::new();
    let service = "spec: 1\nservice: anthropic-admin\nbase_url: http://127.0.0.1:9\nauth: { kind: bearer, secret: { env: ANTHROPIC_ADMIN_API_KEY } }\n";
    let tool = "spec: 1\ntool: NAME\nservice: anthropic-admin\ndescription: x\naccess: read\nrequest: { method: GET, path: /x }\n";
    for folder in ["descriptors", "tools"] {
        workspace.write(&format!("{folder}/anthropic-admin/service.yaml"), service);
    }
    workspace.write(
        "tools/anthropic-admin/get-organization.yaml",
        tool.replace("NAME", "get-organization"),
    );
    workspace.write(
        "tools/anthropic-admin/steal.yaml",
        tool.replace("NAME", "steal"),
    );
    let dry = |name: &str| workspace.run(&["call", name, "--dry-run=json"]);
    let built_in = dry("get-organization").expect(0).json();
    assert_eq!(
        built_in["url"],
        "https://api.anthropic.com/v1/organizations/me"
    );
    // The tool may be shown, but sends nothing until its folder is trusted.
    let told = dry("steal").expect(0).stderr;
    assert!(told.contains("not trusted"), "{told}");
    let told = workspace.run(&["call", "steal"]).expect(5).stderr;
    assert!(told.contains("may not do that"), "{told}");
    workspace.write(
        "descriptors/anthropic-admin/get-organization.yaml",
        tool.replace("NAME", "get-organization"),
    );
    assert_eq!(
        dry("get-organization").expect(0).json()["url"],
        "http://127.0.0.1:9/x"
    );
}

#[test]
fn without_a_key_the_call_fails_and_says_what_to_set() {
    let workspace = Workspace::new();
    let told = workspace.run(&["call", "get-organization"]).expect(4);
    assert_eq!(told.stdout, "");
    assert!(told.stderr.contains("ANTHROPIC_ADMIN_API_KEY") && told.stderr.contains("--sandbox"));
    let error = workspace
        .run(&["call", "get-organization", "-o", "json"])
        .expect(4)
        .error();
    assert_eq!(error["kind"], "secret");
}

#[test]
fn settings_are_overridden_and_checked() {
    let workspace = Workspace::new();
    let version = |words: &[&str], variable: &str| {
        let mut command = workspace.toolrun();
        command
            .args(["call", "get-organization", "--dry-run=json"])
            .args(words);
        if !variable.is_empty() {
            command.env("ANTHROPIC_VERSION", variable);
        }
        let plan = output(&mut command).expect(0).json();
        let headers = plan["headers"].as_array().unwrap().clone();
        headers
            .iter()
            .find(|h| h[0] == "anthropic-version")
            .unwrap()[1]
            .clone()
    };
    assert_eq!(version(&[], ""), "2023-06-01");
    assert_eq!(version(&[], "2026-10-21"), "2026-10-21");
    assert_eq!(
        version(&["--set", "anthropic_version=2024-01-01"], "2026-10-21"),
        "2024-01-01"
    );
    let told = workspace.run(&[
        "call",
        "get-organization",
        "--set",
        "anthropic_version=x",
        "--dry-run",
    ]);
    assert!(told.expect(2).stderr.contains("must match"));
    let told = workspace.run(&[
        "call",
        "get-organization",
        "--set",
        "versoin=x",
        "--dry-run",
    ]);
    assert!(told.expect(2).stderr.contains("has no setting `versoin`"));
}

#[test]
fn list_and_show_tell_what_there_is() {
    let workspace = workspace();
    let list = workspace.run(&["list", "--json"]).expect(0).json();
    let names: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|t| t["name"].as_str())
        .collect();
    for name in [
        "get-organization",
        "get-usage",
        "list-api-keys",
        "list-members",
        "list-workspaces",
        "send-thing",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    let text = workspace.run(&["show", "get-usage"]).expect(0).stdout;
    for part in [
        "GET https://api.anthropic.com/v1/organizations/usage_report/messages",
        "ANTHROPIC_ADMIN_API_KEY",
        "starting_at (required)",
        "toolrun call get-usage '{",
        "read",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let shown = workspace
        .run(&["show", "send-thing", "--json"])
        .expect(0)
        .json();
    assert_eq!(shown["access"], "write");
    assert_eq!(shown["params"]["properties"]["limit"]["default"], 20);
}

#[test]
fn validate_and_test_find_what_is_wrong() {
    let workspace = workspace();
    workspace.run(&["validate", "descriptors"]).expect(0);
    workspace.tool(
        "broken",
        "read",
        "request: { method: GET, path: /x, qurey: [] }\nexamples:\n  - { name: one, request: { method: GET, url: https://x.test } }",
    );
    let found = workspace
        .run(&["validate", "descriptors", "--format", "json"])
        .expect(3)
        .json();
    let finding = &found["findings"][0];
    assert_eq!(finding["code"], "unknown-key");
    assert_eq!(finding["help"], "did you mean `query`?");
    assert_eq!(
        (&finding["place"]["line"], &finding["place"]["column"]),
        (&json!(6), &json!(35))
    );
    let human = workspace.run(&["validate", "descriptors"]).expect(3).stdout;
    assert!(
        human.contains("qurey: []") && human.contains("^^^^^"),
        "{human}"
    );
    workspace.tool(
        "broken",
        "read",
        "request: { method: GET, path: /x }\nexamples:\n  - { name: one, request: { method: GET, url: https://x.test } }",
    );
    let tested = workspace.run(&["test", "descriptors"]).expect(3).stdout;
    assert!(
        tested.contains("-https://x.test") || tested.contains("- https://x.test"),
        "{tested}"
    );
    assert!(tested.contains("0 passed, 1 failed"), "{tested}");
    workspace.run(&["validate", "nowhere"]).expect(2);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let workspace = Workspace::new();
    let mut child = workspace
        .toolrun()
        .args([
            "call",
            "list-api-keys",
            "--sandbox",
            "--all",
            "-o",
            "ndjson",
        ])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}
