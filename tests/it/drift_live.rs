//! `toolrun drift --live`: what is called and what is not, what the answers show, and that nothing of them stays.

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use crate::support::{
    Fake, Manner, Output, Reply, Request, Workspace, assert_tells, refused_origin,
};

const SERVICE: &str = "auth: { kind: bearer, secret: { env: PROBE_KEY } }\nretry: { base_delay: 1ms, max_delay: 2ms }\n\
                       errors: { message: $.error.message }";

const LIST: &str = "\
params: { properties: { limit: { type: integer, description: A. }, page: { type: integer, description: B. } } }
request: { method: GET, path: /orders, query: [limit, page] }
paging: { items: $.data, next: { page: $.next } }
response:
  output: { orders: { each: \"$.data[*]\", as: { id: $.id, state: $.state } } }
  schema: { type: object, properties: { orders: { type: array, items: { type: object, properties: { id: { type: integer }, state: { enum: [open, paid] } } } } } }
examples:
  - name: An error.
    args: { limit: 9 }
    response: { status: 404, body: { error: { message: none } } }
  - name: One.
    args: { limit: 1 }
    response: { body: { data: [{ id: 1, state: open }] } }
";
const GET: &str = "\
params: { required: [id], properties: { id: { type: string, description: A. } } }
request: { method: GET, path: \"/orders/{{ id }}\" }
response: { output: { id: $.id } }
";
const MAKE: &str = "request: { method: POST, path: /orders }\nresponse: { output: { id: $.id } }\nexamples: [{ name: One., args: {} }]";
const PLAIN: &str = "request: { method: GET, path: /plain }\nresponse: { output: { id: $.id } }";

fn shop(origin: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.service(origin, SERVICE);
    workspace.tool("list-orders", "read", LIST);
    workspace
}

fn live(workspace: &Workspace, words: &[&str]) -> Output {
    let mut command = workspace.toolrun();
    command
        .env("PROBE_KEY", "made-up-canary-key")
        .args(["drift", "--live"])
        .args(words);
    // What is kept for a time is kept here.
    let folder = workspace.path().join("temporary");
    std::fs::create_dir_all(&folder).expect("a folder");
    command.env("TMPDIR", &folder);
    let output = crate::support::output(&mut command);
    let left = std::fs::read_dir(&folder).expect("a folder").count();
    assert_eq!(left, 0, "something was left behind");
    for text in [&output.stdout, &output.stderr] {
        assert!(!text.contains("made-up-canary-key"), "{text}");
    }
    output
}

/// The findings, each as `code: message` without its count.
fn found(output: &Output) -> Vec<String> {
    let report: Value = serde_json::from_str(&output.stdout).expect(&output.stderr);
    let findings = report["findings"].as_array().expect("findings").iter();
    findings
        .map(|finding| {
            let message = finding["message"].as_str().expect("a message");
            let message = message
                .rsplit_once(" (")
                .map_or(message, |(first, _)| first);
            format!("{}: {message}", finding["code"].as_str().expect("a code"))
        })
        .collect()
}

/// How a service drifts: its answer, the findings and the exit code.
fn drifts() -> Vec<(&'static str, Reply, Vec<&'static str>, i32)> {
    let ok = |body: Value| Reply::json(200, &body);
    vec![
        (
            "nothing",
            ok(json!({ "data": [{ "id": 1, "state": "paid" }], "next": 2 })),
            vec![],
            0,
        ),
        (
            "a value of an enum",
            ok(json!({ "data": [{ "id": 1, "state": "shipped" }] })),
            vec![
                "unlike-schema: `orders[].state` is `shipped` in recorded answers, which is not among the values",
            ],
            3,
        ),
        (
            "a type",
            ok(json!({ "data": [{ "id": "a", "state": "open" }] })),
            vec![
                "unlike-schema: `orders[].id` is a string in recorded answers",
                "stale-example: the example has a number here, and recorded answers have a string",
            ],
            3,
        ),
        (
            "a member that is gone",
            ok(json!({ "data": [{ "id": 1, "status": "open" }] })),
            vec![
                "lost-path: `$.state` finds nothing in any recorded answer",
                "stale-example: the example has `state`, and no recorded answer has it",
            ],
            0,
        ),
        (
            "the list is an object",
            ok(json!({ "data": { "id": 1 } })),
            vec!["changed-shape"],
            3,
        ),
        (
            "no JSON",
            Reply::new(200, "text/html", "<p>hello</p>"),
            vec!["changed-shape: answers are not of the kind `json`"],
            3,
        ),
        (
            "an error of another shape",
            Reply::json(404, &json!({ "fault": 1 })),
            vec!["unknown-error: error answers have no `message` here: they have `fault`"],
            6,
        ),
        (
            "a failure",
            Reply::json(500, &json!({ "error": { "message": "no" } })),
            vec![],
            7,
        ),
    ]
}

#[test]
fn what_a_service_answers_now_is_held_against_its_tool() {
    for (name, reply, expected, code) in drifts() {
        let fake = Fake::start(move |_| reply.clone());
        let workspace = shop(&fake.origin());
        let output = live(&workspace, &["--format", "json"]);
        let found = found(&output);
        for expected in &expected {
            assert!(
                found.iter().any(|one| one.starts_with(expected)),
                "{name}: {expected}: {found:#?}\n{}",
                output.stderr
            );
        }
        if expected.is_empty() {
            assert_eq!(found, Vec::<String>::new(), "{name}");
        }
        assert_eq!(output.code, code, "{name}: {}", output.stderr);
        let targets = fake.targets();
        assert!(
            targets.iter().all(|target| target == "/orders?limit=1"),
            "{name}: {targets:?}"
        );
    }
}

#[test]
fn only_tools_that_read_and_whose_arguments_are_given_are_called() {
    let fake = Fake::start(|request: &Request| match request.path.as_str() {
        "/orders" => Reply::json(200, &json!({ "data": [{ "id": 1, "state": "open" }] })),
        _ => Reply::json(200, &json!({ "id": 1 })),
    });
    let workspace = shop(&fake.origin());
    workspace.tool("get-order", "read", GET);
    workspace.tool("make-order", "write", MAKE);
    workspace.tool("drop-order", "destructive", MAKE);
    workspace.tool("plain", "read", PLAIN);
    let output = live(&workspace, &[]).expect(0);
    let mut targets = fake.targets();
    targets.sort();
    assert_eq!(targets, ["/orders?limit=1", "/plain"]);
    assert!(
        fake.requests()
            .iter()
            .all(|request| request.method == "GET")
    );
    assert_tells(
        &output,
        &[
            "not called, because their access is not `read`: probe/drop-order, probe/make-order",
            "not called, because they need arguments and have no example: probe/get-order",
        ],
    );
    // A name and a file choose among them.
    for words in [
        vec!["plain"],
        vec!["probe/plain"],
        vec!["--against", "descriptors/probe/plain.yaml"],
    ] {
        let before = fake.targets().len();
        live(&workspace, &words).expect(0);
        assert_eq!(fake.targets()[before..], ["/plain"], "{words:?}");
    }
    let output = live(&workspace, &["make-order"]).expect(2);
    assert_tells(&output, &["not `read`", "no tool was called"]);
}

#[test]
fn no_more_requests_than_the_budget_are_sent() {
    let fake = Fake::start(|_| Reply::json(503, &json!({})));
    let workspace = shop(&fake.origin());
    for name in ["a", "b", "c"] {
        workspace.tool(name, "read", PLAIN);
    }
    // Retries count.
    let output = live(&workspace, &["--max-requests", "2"]);
    assert_eq!(fake.requests().len(), 2, "{}", output.stderr);
    assert_tells(&output, &["all 2 requests are spent"]);
}

#[test]
fn a_missing_key_no_trust_and_no_service_have_the_exit_codes_of_a_call() {
    let fake = Fake::start(|_| Reply::ok());
    let workspace = shop(&fake.origin());
    let without = workspace.run(&["drift", "--live"]).expect(4);
    assert_tells(&without, &["PROBE_KEY"]);
    let nowhere = shop(&refused_origin());
    live(&nowhere, &[]).expect(8);
    let hangs = Fake::start(|_| Reply::manner(Manner::Hang));
    live(&shop(&hangs.origin()), &["--timeout", "300ms"]).expect(8);
    // A folder that was found and that nobody trusts.
    let found = Workspace::new();
    let text = |name: &str| {
        let path = workspace
            .path()
            .join(format!("descriptors/probe/{name}.yaml"));
        std::fs::read_to_string(path).expect("a file")
    };
    for name in ["service", "list-orders"] {
        found.write(&format!("tools/probe/{name}.yaml"), text(name));
    }
    let output = live(&found, &[]).expect(5);
    assert_tells(&output, &["not trusted", "toolrun trust"]);
    assert_eq!(fake.requests().len(), 0);
    live(&found, &["--trust", "tools"]);
    assert_eq!(fake.requests().len(), 1);
}

#[test]
fn a_recording_is_kept_only_if_it_is_asked_for() {
    let body = json!({ "data": [{ "id": 1, "state": "lost" }], "echo": "made-up-canary-key" });
    let fake = Fake::start(move |_| Reply::json(200, &body));
    let workspace = shop(&fake.origin());
    let output = live(&workspace, &["--record", "a.har"]).expect(3);
    assert!(
        output.stdout.contains("a.har: entry 1"),
        "{}",
        output.stdout
    );
    let text = std::fs::read_to_string(workspace.path().join("a.har")).expect("a recording");
    assert!(!text.contains("made-up-canary-key"));
    // It says the same when it is read, wherever the service was.
    let folder = workspace.descriptors().display().to_string();
    let again = workspace
        .run(&["drift", "a.har", "--against", &folder])
        .expect(3);
    assert_eq!(again.stdout, output.stdout);
    // Values of a service that hides fields are not shown.
    workspace.service(
        &fake.origin(),
        &format!("{SERVICE}\nredact: [\"$.data[*].name\"]"),
    );
    let hidden = live(&workspace, &[]).expect(3);
    assert!(!hidden.stdout.contains("`lost`"), "{}", hidden.stdout);
}

#[test]
fn a_patch_is_made_of_what_is_answered() {
    let fake =
        Fake::start(|_| Reply::json(200, &json!({ "data": [{ "id": 1, "state": "lost" }] })));
    let workspace = shop(&fake.origin());
    let output = live(&workspace, &["--update"]);
    assert!(output.stdout.contains("lost"), "{}", output.stdout);
    live(&workspace, &["--update", "--write"]).expect(3);
    live(&workspace, &[]).expect(0);
}

#[test]
fn sandboxes_are_called_without_any_key() {
    let workspace = Workspace::new();
    let output = workspace.run(&[
        "drift",
        "--live",
        "anthropic-admin/list-workspaces",
        "--sandbox",
    ]);
    let output = output.expect(0);
    assert_tells(&output, &["1 exchange: 1 that tools make"]);
}

#[test]
fn options_of_calls_need_a_call() {
    let workspace = shop("https://shop.example.com");
    for words in [
        vec!["--sandbox"],
        vec!["--timeout", "1s"],
        vec!["--record", "b.har"],
        vec!["--max-requests", "3"],
        vec!["--verbose"],
    ] {
        let mut all = vec!["drift", "a.har"];
        all.extend(&words);
        let output = workspace.run(&all).expect(2);
        assert!(
            output.stderr.contains("--live"),
            "{words:?}: {}",
            output.stderr
        );
    }
    workspace.run(&["drift"]).expect(2);
    workspace
        .run(&["drift", "--live", "--base-url", "https://a.example.com"])
        .expect(2);
    workspace
        .run(&["drift", "--live", "list-orders", "--against", "descriptors"])
        .expect(2);
}
