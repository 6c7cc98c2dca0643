//! `toolrun drift` on recordings in which fields are hidden: a stand-in is no value of the service.

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use crate::support::{Fake, Reply, Workspace};

/// Rules of every kind are on the fields, and what they hide never follows them once it is hidden.
const TOOL: &str = "params:
  required: [email, code]
  properties:
    email: { type: string, pattern: '^[a-z]+@[a-z.]+$', description: A. }
    code: { type: integer, maximum: 9, description: A. }
    kind: { type: string, enum: [a, b], default: a, description: A. }
    note: { type: string, maxLength: 4, default: n, description: A. }
request:
  method: POST
  path: /probe
  query: { email: '{{ email }}', code: '{{ code }}' }
  body: { json: { email: '{{ email }}', inner: { kind: '{{ kind }}', note: '{{ note }}' }, fixed: here } }
response:
  rows: people
  output:
    people:
      each: '$.data[*]'
      as: { id: $.id, mail: $.email, upper: '{{ item.email | upper }}', age: $.age, ok: $.ok, day: $.day, state: $.state }
  schema:
    type: object
    properties:
      people:
        type: array
        items:
          type: object
          properties:
            id: { type: integer, maximum: 9 }
            mail: { type: string, pattern: '^[a-z]+@' }
            upper: { type: string, pattern: '^[A-Z]+@' }
            age: { type: integer, maximum: 150 }
            ok: { type: boolean }
            day: { type: string, pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' }
            state: { enum: [open, closed] }
examples:
  - name: One.
    args: { email: a@b.c, code: 1 }
    response: { body: { data: [{ id: 1, email: a@b.c, age: 3, ok: true, day: 2026-01-02, state: open }] } }";

fn answer() -> Value {
    json!({ "data": [
        { "id": 1, "email": "ada@b.c", "age": 30, "ok": true, "day": "2026-01-02", "state": "open" },
        { "id": 2, "email": "bob@b.c", "age": 31, "ok": false, "day": "2026-01-03", "state": "closed" },
    ] })
}

/// Records the answer with these fields hidden, and gives the findings, each as `code: message` without its count.
fn found(answer: Value, redact: &[&str]) -> Vec<String> {
    let fake = Fake::start(move |_| Reply::json(200, &answer));
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "");
    workspace.tool("get-probe", "read", TOOL);
    let mut words = vec![
        "call",
        "get-probe",
        "email=ada@b.c",
        "code=7",
        "--record",
        "a.har",
    ];
    words.extend(redact.iter().flat_map(|path| ["--redact", *path]));
    workspace.run(&words).expect(0);
    let output = workspace.run(&[
        "drift",
        "a.har",
        "--against",
        "descriptors",
        "--format",
        "json",
    ]);
    let report: Value = serde_json::from_str(&output.stdout).expect(&output.stderr);
    let findings = report["findings"].as_array().expect("findings").iter();
    findings
        .map(|finding| {
            let message = finding["message"].as_str().expect("a message");
            let message = message.split(" (").next().unwrap_or_default();
            format!("{}: {message}", finding["code"].as_str().expect("a code"))
        })
        .collect()
}

#[test]
fn nothing_is_hidden_and_nothing_drifts() {
    assert_eq!(found(answer(), &[]), [""; 0]);
}

#[test]
#[ignore = "long"]
fn a_stand_in_does_not_drift() {
    for field in ["email", "age", "ok", "day", "state", "id"] {
        for path in [
            format!("$.data[*].{field}"),
            format!("$..{field}"),
            format!("$.data[*]['{field}']"),
        ] {
            for path in [path.clone(), format!("remove:{path}")] {
                let found = found(answer(), &[&path]);
                let others: Vec<&String> = found
                    .iter()
                    .filter(|one| !one.starts_with("unread-value: "))
                    .collect();
                assert_eq!(others, [""; 0], "{path}: {found:#?}");
            }
        }
    }
    for path in ["$.data", "$.data[*]", "$.data[0]", "$"] {
        let found = found(answer(), &[path]);
        assert!(
            found.iter().all(|one| one.starts_with("unread-value: ")),
            "{path}: {found:#?}"
        );
    }
    for path in [
        "$.email",
        "$.code",
        "$.inner.kind",
        "$.inner.note",
        "$.inner",
        "$.fixed",
        "$.kind",
        "$.note",
    ] {
        for path in [path.to_owned(), format!("remove:{path}")] {
            let found = found(answer(), &[&path]);
            assert!(
                found.iter().all(|one| one.starts_with("unread-value: ")),
                "{path}: {found:#?}"
            );
        }
    }
}

/// What is not checked is told where it would have been.
#[test]
fn what_is_not_checked_is_told() {
    assert_eq!(
        found(answer(), &["$.data[*].email"]),
        [
            "unread-value: `people[].mail` is hidden in recordings, so that it is not checked",
            "unread-value: `people[].upper` is hidden in recordings, so that it is not checked",
        ]
    );
    assert_eq!(
        found(answer(), &["remove:$.data[*].state"]),
        ["unread-value: `$.state` is removed from recordings, so that it is not checked"]
    );
    assert_eq!(
        found(answer(), &["$.code"]),
        ["unread-value: `code` is hidden in recordings, so that it is not checked"]
    );
}

/// Beside a hidden field, others drift as ever.
#[test]
fn other_fields_are_still_checked() {
    let mut other = answer();
    other["data"][0]["state"] = "held".into();
    other["data"][1]["id"] = "x".into();
    let found = found(other, &["$.data[*].email", "remove:$.data[*].day"]);
    for expected in [
        "unlike-schema: `people[].state` ",
        "unlike-schema: `people[].id` is a string in recorded answers",
    ] {
        assert!(
            found.iter().any(|one| one.starts_with(expected)),
            "{expected}: {found:#?}"
        );
    }
}

/// An answer that repeats a secret is masked, and the mask is no value of the service either.
#[test]
fn a_mask_does_not_drift() {
    let fake = Fake::start(|request| {
        let key = request
            .header("authorization")
            .unwrap_or_default()
            .to_owned();
        Reply::json(200, &json!({ "key": key }))
    });
    let workspace = Workspace::new();
    workspace.service(
        &fake.origin(),
        "auth: { kind: bearer, secret: { env: KEY } }",
    );
    workspace.tool(
        "get-probe",
        "read",
        "request: { method: GET, path: /probe }\nresponse: { output: { key: $.key }, schema: { type: object, properties: { key: { type: string, pattern: '^Bearer [a-z-]{9,}$' } } } }",
    );
    let mut command = workspace.toolrun();
    command.env("KEY", "made-up-key-of-a-test");
    let words = ["drift", "--live", "--format", "json"];
    let output = crate::support::output(command.args(words)).expect(0);
    let findings = output.json()["findings"].clone();
    let codes: Vec<&Value> = findings
        .as_array()
        .expect("findings")
        .iter()
        .map(|one| &one["code"])
        .collect();
    assert_eq!(codes, ["unread-value"], "{findings}");
}
