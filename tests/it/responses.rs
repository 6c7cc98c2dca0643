//! Kinds of responses, errors in successes, and error rules.

use std::time::{Duration, Instant};

use crate::support::{Fake, Output, Reply, Workspace, assert_tells};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

const QUICK: &str = "retry: { max_attempts: 3, base_delay: 1ms, max_delay: 2s }";
const FIELDS: &str =
    "message: $.error.message, code: $.error.type, request_id: { header: request-id }";

/// A folder with the tool `get-probe` of a service at this origin.
fn probe(fake: &Fake, rules: &str, tool: &str) -> Workspace {
    let workspace = Workspace::new();
    let errors = format!("errors: {{ {FIELDS}, rules: [{rules}] }}");
    workspace.service(&fake.origin(), &format!("{QUICK}\n{errors}"));
    let request = match tool.contains("request:") {
        true => "",
        false => "request: { method: GET, path: /probe }\n",
    };
    workspace.tool("get-probe", "read", &format!("{request}{tool}"));
    workspace
}

fn call(workspace: &Workspace) -> Output {
    workspace.run(&["call", "get-probe", "-o", "json"])
}

fn error(status: u16, kind: &str) -> Reply {
    let error = json!({ "type": kind, "message": "It is broken." });
    Reply::json(status, &json!({ "error": error })).with("request-id", "req_1")
}

// Kinds

#[test]
fn each_kind_of_body_is_what_the_path_starts_at() {
    for (kind, body, output, expected, accept) in [
        (
            "json",
            "{\"n\": 1}",
            "{ n: $.n }",
            json!({ "n": 1 }),
            "application/json",
        ),
        (
            "ndjson",
            "{\"n\": 1}\n{\"n\": 2}\r\n\n{\"n\": 3}",
            "{ each: \"$[*]\", as: { n: $.n } }",
            json!([{ "n": 1 }, { "n": 2 }, { "n": 3 }]),
            "application/x-ndjson, */*;q=0.5",
        ),
        (
            "text",
            "a,b\n1,2\n",
            "{ text: $, lines: \"{{ body | lines | length }}\" }",
            json!({ "text": "a,b\n1,2\n", "lines": 2 }),
            "text/plain, */*;q=0.5",
        ),
        (
            "empty",
            "{\"half\":",
            "{ literal: done }",
            json!("done"),
            "*/*",
        ),
        (
            "empty",
            "",
            "{ job: \"{{ headers.location }}\", status: \"{{ status }}\" }",
            json!({ "job": "/jobs/1", "status": 200 }),
            "*/*",
        ),
    ] {
        let reply = Reply::new(200, "application/octet-stream", body).with("location", "/jobs/1");
        let fake = Fake::script([reply]);
        let response = format!("response: {{ kind: {kind}, output: {output} }}");
        let workspace = probe(&fake, "", &response);
        workspace.run(&["validate", "descriptors"]).expect(0);
        assert_eq!(call(&workspace).expect(0).json(), expected, "{kind}");
        assert_eq!(fake.only_request().header("accept"), Some(accept), "{kind}");
    }
}

#[test]
fn without_an_output_the_body_is_it() {
    for (kind, body, expected) in [
        ("ndjson", "1\n[2]", json!([1, [2]])),
        ("ndjson", "", json!([])),
        ("text", "é", json!("é")),
        ("text", "", json!("")),
        ("empty", "anything", Value::Null),
    ] {
        let fake = Fake::script([Reply::new(200, "text/plain", body)]);
        let workspace = probe(&fake, "", &format!("response: {{ kind: {kind} }}"));
        assert_eq!(call(&workspace).expect(0).json(), expected, "{kind} {body}");
    }
}

#[test]
fn a_body_of_another_kind_is_told() {
    for (kind, body, parts) in [
        (
            "ndjson",
            b"{\"n\": 1}\n\nnonsense".as_slice(),
            ["no JSON in line 3", "text/plain"],
        ),
        ("text", b"\xff\xfe", ["no UTF-8 text", "2 bytes"]),
    ] {
        let fake = Fake::script([Reply::new(200, "text/plain", body)]);
        let workspace = probe(&fake, "", &format!("response: {{ kind: {kind} }}"));
        assert_tells(&call(&workspace).expect(9), &parts);
    }
}

#[test]
fn rows_of_lines_go_on_as_lines() {
    let fake = Fake::script([Reply::new(
        200,
        "application/x-ndjson",
        "{\"a\":1}\n{\"a\":2}\n",
    )]);
    let workspace = probe(&fake, "", "response: { kind: ndjson }");
    let output = workspace.run(&["call", "get-probe", "-o", "ndjson"]);
    assert_eq!(output.expect(0).stdout, "{\"a\":1}\n{\"a\":2}\n");
}

#[test]
fn an_accept_header_of_the_descriptor_counts() {
    let fake = Fake::script([Reply::new(200, "text/csv", "a")]);
    let tool = "request: { method: GET, path: /probe, headers: { Accept: text/csv } }
response: { kind: text }";
    call(&probe(&fake, "", tool)).expect(0);
    assert_eq!(fake.only_request().header("accept"), Some("text/csv"));
}

#[test]
fn error_answers_are_read_as_errors_whatever_the_kind() {
    for kind in ["json", "ndjson", "text", "empty"] {
        let fake = Fake::script([error(404, "gone")]);
        let workspace = probe(&fake, "", &format!("response: {{ kind: {kind} }}"));
        assert_tells(&call(&workspace).expect(6), &["It is broken.", "gone"]);
    }
}

// Errors in successes

#[test]
fn a_success_that_says_it_is_none_is_an_error() {
    let tool = "response: { fail_when: \"{{ not body.ok }}\", output: { n: $.n } }";
    for (reply, code, told) in [
        (Reply::json(200, &json!({ "ok": true, "n": 1 })), 0, ""),
        (
            Reply::json(
                200,
                &json!({ "ok": false, "error": { "message": "It is broken.", "type": "bad_thing" } }),
            )
            .with("request-id", "req_1"),
            6,
            "answered 200 (refused): It is broken. [code bad_thing, request id req_1]",
        ),
        (
            Reply::json(200, &json!({ "ok": 0, "why": "unknown" })),
            6,
            r#"its body is {"ok":0,"why":"unknown"}"#,
        ),
        (Reply::new(200, "", ""), 6, "its body is null"),
        (Reply::new(200, "text/html", "<p>"), 9, "no JSON"),
    ] {
        let fake = Fake::script([reply]);
        let workspace = probe(&fake, "", tool);
        assert_tells(&workspace.run(&["call", "get-probe"]).expect(code), &[told]);
        if code == 6 {
            let error = call(&workspace).expect(6).error();
            assert_eq!(
                (&error["kind"], &error["status"], &error["upstream"]["attempts"]),
                (&json!("refused"), &json!(200), &json!(1))
            );
        }
    }
}

#[test]
fn a_condition_sees_status_headers_and_arguments() {
    for (condition, code) in [
        ("{{ headers['x-result'] == 'failed' }}", 6),
        ("{{ status == 202 }}", 6),
        ("{{ params.want != body.got }}", 6),
        ("$.error", 0),
        ("$.errors", 6),
        ("{{ body.error.code > 1 }}", 9),
    ] {
        let reply = Reply::json(202, &json!({ "got": 2, "errors": [1] }));
        let fake = Fake::script([reply.with("x-result", "failed")]);
        let tool = format!(
            "params: {{ properties: {{ want: {{ type: integer, default: 1 }} }} }}
request: {{ method: GET, path: /probe, query: [want] }}
response: {{ fail_when: \"{condition}\" }}"
        );
        let output = call(&probe(&fake, "", &tool));
        assert_eq!(output.code, code, "{condition}: {}", output.stderr);
    }
}

#[test]
fn an_error_in_a_page_ends_the_walk_with_it() {
    let fake = Fake::script([
        Reply::json(200, &json!({ "ok": true, "data": [1], "next": "b" })),
        Reply::json(
            200,
            &json!({ "ok": false, "error": { "message": "Too far." } }),
        ),
    ]);
    let tool = "params: { properties: { at: { type: string } } }
request: { method: GET, path: /probe, query: [at] }
paging: { items: $.data, next: { at: $.next } }
response: { fail_when: \"{{ not body.ok }}\" }";
    let output = probe(&fake, "", tool).run(&["call", "get-probe", "--all"]);
    assert_tells(&output.expect(6), &["Too far."]);
}

// Rules

#[test]
fn the_first_rule_that_is_for_a_response_counts() {
    let service = "
{ status: 404, action: fail, message: Of the service., code: service },
{ status: [409, 410], when: \"{{ body.error.type == 'odd' }}\", action: fail, message: \"{{ status }} is {{ body.error.type }}\", code: $.error.type },
{ when: \"{{ headers['x-limit'] == '0' }}\", action: fail, message: The quota is used up. }";
    let tool = "response: { errors: [{ status: 404, when: \"{{ body.error.type == 'mine' }}\", action: fail, message: \"There is no {{ params.id }}.\" }] }
params: { properties: { id: { type: integer, default: 7 } } }
request: { method: GET, path: \"/probe/{{ id }}\" }";
    for (reply, code, told) in [
        (error(404, "mine"), 6, "There is no 7. [code mine"),
        (error(404, "other"), 6, "Of the service. [code service"),
        (error(410, "odd"), 6, "410 is odd [code odd"),
        (error(410, "even"), 6, "It is broken. [code even"),
        (
            error(418, "x").with("x-limit", "0"),
            6,
            "used up. [code x, request id req_1]",
        ),
        (
            Reply::ok().with("x-limit", "0"),
            6,
            "answered 200 (refused): The quota",
        ),
        (
            Reply::new(410, "text/plain", "gone"),
            6,
            "answered 410 (gone)",
        ),
        (error(500, "x"), 7, "It is broken."),
        (Reply::ok(), 0, ""),
    ] {
        let fake = Fake::script([reply]);
        let output = probe(&fake, service, tool).run(&["call", "get-probe"]);
        assert_eq!(output.code, code, "{told}: {}", output.stderr);
        assert_tells(&output, &[told]);
    }
}

#[test]
fn a_rule_beats_the_list_of_statuses() {
    let fake = Fake::script([error(503, "closed")]);
    let rule = "{ status: 503, action: fail, message: Closed for good. }";
    assert_tells(
        &call(&probe(&fake, rule, "")).expect(7),
        &["Closed for good."],
    );
    assert_eq!(fake.requests().len(), 1);
}

#[test]
fn a_rule_sends_a_request_again() {
    let post = "request: { method: POST, path: /probe }";
    let late = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (rule, tool, reply, tries) in [
        ("{ status: 409, action: retry }", "", error(409, "busy"), 3),
        (
            "{ when: \"{{ body.busy }}\", action: retry }",
            "",
            Reply::json(200, &json!({ "busy": true })),
            3,
        ),
        (
            "{ status: 409, action: retry }",
            post,
            error(409, "busy"),
            1,
        ),
        (
            "{ status: 409, action: retry, safe: true }",
            post,
            error(409, "busy"),
            3,
        ),
        (
            "{ status: 409, action: retry, after: $.wait }",
            "",
            Reply::json(409, &json!({ "wait": 0.01 })),
            3,
        ),
        (
            "{ status: 409, action: retry, after: $.wait }",
            "",
            Reply::json(409, &json!({ "wait": 3600 })),
            1,
        ),
        (
            "{ status: 409, action: retry, after: { header: x-reset } }",
            "",
            error(409, "busy").with("x-reset", late),
            3,
        ),
        (
            "{ status: 409, action: retry, after: \"{{ body.error.type | int / 1000 }}\" }",
            "",
            error(409, "10"),
            3,
        ),
        (
            "{ status: 400, when: \"{{ body.error.type == 'busy' }}\", action: retry }",
            "",
            error(400, "other"),
            1,
        ),
        (
            "{ status: 503, action: retry }",
            "",
            error(503, "x").with("x-should-retry", "false"),
            3,
        ),
    ] {
        let fake = Fake::script([reply]);
        let workspace = probe(&fake, rule, tool);
        let output = workspace.run(&["call", "get-probe", "--yes"]);
        assert_ne!(output.code, 0, "{rule}");
        assert_eq!(
            fake.requests().len(),
            tries,
            "{rule} {tool} {}",
            output.stderr
        );
    }
}

#[test]
fn a_retry_by_rule_ends_in_success_or_waits_as_asked() {
    let busy = Reply::json(200, &json!({ "busy": true, "wait": "0.3" }));
    let done = Reply::json(200, &json!({ "n": 1 }));
    let fake = Fake::script([busy, done]);
    let rule = "{ when: $.busy, action: retry, after: $.wait }";
    let started = Instant::now();
    let output = probe(&fake, rule, "response: { output: { n: $.n } }").run(&["call", "get-probe"]);
    let output = output.expect(0);
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert_eq!(output.json(), json!({ "n": 1 }));
    assert_tells(&output, &["answered 200; try 2 of 3 in "]);
    // A requested wait gets up to a quarter longer, so that clients do not come back together.
    let told = output.stderr.split("try 2 of 3 in ").nth(1);
    let told: u64 = told
        .and_then(|told| told.split(' ').next()?.parse().ok())
        .unwrap();
    assert!((300..=375).contains(&told), "{told}");
    // A wait that is too long is reported.
    let fake = Fake::script([Reply::json(200, &json!({ "busy": true, "wait": 90 }))]);
    let error = call(&probe(&fake, rule, "")).expect(6).error();
    assert_eq!(error["retry_after_seconds"], 90);
}

#[test]
fn a_rule_makes_nothing_of_an_answer() {
    let rule = "{ status: [404, 410], action: empty }";
    for (kind, output, expected) in [
        (
            "json",
            "{ id: $.id, code: \"{{ status }}\" }",
            json!({ "id": null, "code": 404 }),
        ),
        ("json", "", Value::Null),
        ("ndjson", "{ rows: $ }", json!({ "rows": [] })),
        ("text", "", json!("")),
        ("empty", "", Value::Null),
    ] {
        let output = match output {
            "" => String::new(),
            output => format!(", output: {output}"),
        };
        let fake = Fake::script([error(404, "none")]);
        let workspace = probe(
            &fake,
            rule,
            &format!("response: {{ kind: {kind}{output} }}"),
        );
        assert_eq!(call(&workspace).expect(0).json(), expected, "{kind}");
    }
    let fake = Fake::script([error(405, "none")]);
    call(&probe(&fake, rule, "")).expect(6);
}

#[test]
fn an_empty_page_ends_the_walk() {
    for next in [
        "next: { page: \"{{ (params.page or 1) + 1 }}\" }, while: \"{{ body.data | length > 0 }}\"",
        "next: { page: $.next }",
    ] {
        for (format, expected) in [("json", "{\"rows\":[1,2]}\n"), ("ndjson", "1\n2\n")] {
            let fake = Fake::script([
                Reply::json(200, &json!({ "data": [1, 2], "next": 2 })),
                error(404, "past_the_end"),
            ]);
            let tool = format!(
                "params: {{ properties: {{ page: {{ type: integer }} }} }}
request: {{ method: GET, path: /probe, query: [page] }}
paging: {{ items: $.data, {next} }}
response:
  output: {{ rows: $.data }}
  rows: rows
  errors: [{{ status: 404, when: \"{{{{ params.page > 1 }}}}\", action: empty }}]"
            );
            let workspace = probe(&fake, "", &tool);
            let output = workspace.run(&["call", "get-probe", "--all", "-o", format]);
            assert_eq!(output.expect(0).stdout, expected, "{next}");
            assert_eq!(fake.targets(), ["/probe", "/probe?page=2"]);
        }
    }
}

/// This auth kind has no token to renew, so the error stays.
#[test]
fn a_stale_credential_that_cannot_be_renewed_is_an_error() {
    let fake = Fake::script([error(401, "expired")]);
    let rule = "{ status: 401, action: refresh }";
    assert_tells(&call(&probe(&fake, rule, "")).expect(6), &["It is broken."]);
    fake.only_request();
}
