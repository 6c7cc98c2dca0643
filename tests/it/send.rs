//! What happens between the plan and the output: retries, limits, redirects, errors, paging, credentials.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::{
    Fake, Manner, Output, Reply, Workspace, assert_tells, output, refused_origin,
};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use toolrun::error::SendError;
use toolrun::{Call, Catalog, Engine, Error, Event, Limit, Tool};

const GET: &str = "request: { method: GET, path: /probe }";
const ERRORS: &str =
    "errors: { message: $.error.message, code: $.error.type, request_id: { header: request-id } }";
const QUICK: &str = "retry: { max_attempts: 3, base_delay: 1ms, max_delay: 2s }";
const ONCE: &str = "retry: { max_attempts: 1 }";

/// A folder with the tool `get-probe` of a service at this origin.
fn probe(origin: &str, service: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.service(origin, &format!("{service}\n{ERRORS}"));
    workspace.tool("get-probe", "read", GET);
    workspace
}

fn call(workspace: &Workspace) -> Output {
    workspace.run(&["call", "get-probe"])
}

fn tool(workspace: &Workspace, name: &str) -> Arc<Tool> {
    let catalog = Catalog::empty().with_folder(workspace.descriptors());
    catalog.tool(name).expect("a valid tool")
}

fn failing(status: u16) -> Reply {
    let error = json!({ "type": "some_error", "message": "It is broken." });
    Reply::json(status, &json!({ "error": error })).with("request-id", "req_123")
}

// Retries

#[test]
fn a_read_is_sent_again_until_it_succeeds() {
    let busy = failing(503).with("retry-after", "0");
    let fake = Fake::script([busy.clone(), busy, Reply::ok()]);
    let output = call(&probe(&fake.origin(), QUICK)).expect(0);
    assert_eq!(fake.requests().len(), 3);
    assert_tells(&output, &["answered 503", "try 2 of 3", "try 3 of 3"]);
    assert_eq!(output.stdout, "{}\n");
}

#[test]
fn the_answer_decides_whether_it_is_worth_another_try() {
    for (name, reply, tries) in [
        ("a listed status", failing(503), 3),
        ("another status", failing(404), 1),
        (
            "the service says yes",
            failing(400).with("x-should-retry", "true"),
            3,
        ),
        (
            "the service says no",
            failing(503).with("x-should-retry", "false"),
            1,
        ),
        ("a long wait", failing(503).with("retry-after", "3600"), 1),
        ("a short wait", failing(429).with("retry-after", "0.01"), 3),
        (
            "a date that is past",
            failing(503).with("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"),
            3,
        ),
        ("a dropped connection", Reply::manner(Manner::Drop), 3),
    ] {
        let fake = Fake::script([reply]);
        let output = call(&probe(&fake.origin(), QUICK));
        assert_ne!(output.code, 0, "{name}");
        assert_eq!(fake.requests().len(), tries, "{name}");
    }
}

#[test]
fn a_wait_that_is_too_long_is_told_and_not_waited_for() {
    let fake = Fake::script([failing(429).with("retry-after", "3600")]);
    let workspace = probe(&fake.origin(), QUICK);
    let output = call(&workspace).expect(6);
    assert_tells(&output, &["try again in 3600.0 s"]);
    let error = workspace
        .run(&["call", "get-probe", "-o", "json"])
        .expect(6)
        .error();
    assert_eq!(error["retry_after_seconds"], 3600);
    assert_eq!(error["upstream"]["attempts"], 1);
}

#[test]
fn a_wait_that_is_too_long_is_told_for_any_status() {
    let fake = Fake::script([failing(503).with("retry-after", "3600")]);
    let output = call(&probe(&fake.origin(), QUICK)).expect(7);
    assert_tells(&output, &["3600.0 s"]);
}

#[test]
fn a_request_that_is_not_safe_to_repeat_is_sent_once() {
    for (request, tries) in [
        (
            "request: { method: POST, path: /probe, body: { json: {} } }",
            1,
        ),
        (
            "request: { method: PATCH, path: /probe, body: { json: {} } }",
            1,
        ),
        (
            "request: { method: PUT, path: /probe, body: { json: {} } }",
            3,
        ),
        ("request: { method: DELETE, path: /probe }", 3),
        (
            "request: { method: POST, path: /probe, body: { json: {} }, idempotent: true }",
            3,
        ),
        (
            "request: { method: GET, path: /probe, idempotent: false }",
            1,
        ),
    ] {
        for reply in [failing(503), Reply::manner(Manner::Drop)] {
            let fake = Fake::script([reply]);
            let workspace = probe(&fake.origin(), QUICK);
            workspace.tool("do-probe", "write", request);
            let output = workspace.run(&["call", "do-probe", "--yes"]);
            assert_ne!(output.code, 0, "{request}");
            assert_eq!(fake.requests().len(), tries, "{request}");
        }
    }
}

#[test]
fn a_refused_connection_is_tried_again_and_is_a_network_error() {
    let output = call(&probe(&refused_origin(), QUICK)).expect(8);
    assert_tells(&output, &["cannot connect to 127.0.0.1", "try 3 of 3"]);
}

#[test]
fn the_number_of_tries_is_told() {
    let fake = Fake::script([failing(503)]);
    let output = call(&probe(&fake.origin(), QUICK)).expect(7);
    assert_tells(&output, &["3 attempts"]);
}

// Time

#[test]
#[ignore = "long"]
fn a_silent_or_slow_service_is_given_up() {
    let slow = Reply::manner(Manner::Dribble(Duration::from_millis(200)));
    let hang = Reply::manner(Manner::Hang);
    for (name, reply, timeout, flags, told) in [
        (
            "read",
            &hang,
            "timeout: { read: 300ms }",
            vec![],
            "within 300 ms",
        ),
        (
            "total",
            &slow,
            "timeout: { total: 900ms }",
            vec![],
            "within 900 ms",
        ),
        (
            "total while silent",
            &hang,
            "timeout: { total: 300ms }",
            vec![],
            "within 300 ms",
        ),
        (
            "--timeout",
            &hang,
            "",
            vec!["--timeout", "400ms"],
            "within 400 ms",
        ),
        (
            "--timeout while slow",
            &slow,
            "",
            vec!["--timeout=800ms"],
            "within 800 ms",
        ),
    ] {
        let fake = Fake::script([reply.clone()]);
        let workspace = probe(&fake.origin(), &format!("{ONCE}\n{timeout}"));
        let output = output(workspace.toolrun().args(["call", "get-probe"]).args(&flags));
        assert_eq!(output.code, 8, "{name}: {}", output.stderr);
        let limit = match (flags.is_empty(), timeout.contains("total")) {
            (false, _) => "--timeout",
            (true, true) => "timeout.total",
            (true, false) => "timeout.",
        };
        assert_tells(&output, &[told, limit]);
    }
}

#[test]
fn a_slow_body_that_keeps_coming_is_waited_for() {
    let fake = Fake::script([Reply::manner(Manner::Dribble(Duration::from_millis(10)))]);
    let output = call(&probe(&fake.origin(), ONCE)).expect(0);
    assert_eq!(output.json(), json!({ "slow": true }));
}

#[test]
fn the_limit_on_time_spans_the_tries() {
    let fake = Fake::script([failing(503)]);
    let retry = "retry: { max_attempts: 20, base_delay: 20s, max_delay: 20s }";
    let busy = failing(503).with("retry-after", "15");
    let waits = Fake::script([busy]);
    for origin in [fake.origin(), waits.origin()] {
        let output = probe(&origin, retry).run(&["call", "get-probe", "--timeout", "300ms"]);
        // The last answer of the service says more than that the time ran out.
        assert_tells(&output.expect(7), &["503"]);
    }
    assert_eq!(waits.requests().len(), 1);
}

#[test]
fn a_length_of_time_that_is_none_is_refused() {
    let workspace = probe(&refused_origin(), "");
    for time in ["0s", "-1s", "soon", "5"] {
        let output = workspace.run(&["call", "get-probe", &format!("--timeout={time}")]);
        assert_tells(&output.expect(2), &["is no length of time"]);
    }
}

// Size and shape

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn a_body_over_the_limit_is_refused_also_after_decompression() {
    let json = |size: usize| format!("\"{}\"", "0".repeat(size - 2)).into_bytes();
    let plain = |size| Reply::new(200, "application/json", json(size));
    let packed = |size| {
        Reply::new(200, "application/json", gzip(&json(size))).with("content-encoding", "gzip")
    };
    assert!(gzip(&json(20 << 20)).len() < 100_000);
    for (name, reply, code) in [
        ("plain at the limit", plain(100_000), 0),
        ("plain over the limit", plain(100_001), 9),
        ("packed at the limit", packed(100_000), 0),
        ("packed over the limit", packed(100_001), 9),
        ("a bomb", packed(20 << 20), 9),
    ] {
        let fake = Fake::script([reply]);
        let limits = format!("limits: {{ response_bytes: 100000 }}\n{ONCE}");
        let output = call(&probe(&fake.origin(), &limits));
        assert_eq!(output.code, code, "{name}: {}", output.stderr);
        if code == 9 {
            assert_tells(
                &output,
                &["larger than 100000 bytes", "limits.response_bytes"],
            );
        }
    }
}

#[test]
fn a_body_that_is_no_json_is_told_with_its_type() {
    for (reply, parts) in [
        (
            Reply::new(200, "text/html; charset=utf-8", "<!doctype html><p>Sign in"),
            ["no JSON", "text/html; charset=utf-8", "<!doctype html>"],
        ),
        (
            Reply::new(200, "application/json", "{\"data\": [1, 2"),
            ["no JSON", "application/json", "EOF"],
        ),
        (
            Reply::new(200, "application/octet-stream", [0xFF, 0xFE, 0x00]),
            ["no JSON", "application/octet-stream", "3 bytes"],
        ),
        (
            Reply::new(200, "application/json", "[".repeat(100_000)),
            ["no JSON", "recursion limit", "100000 bytes"],
        ),
    ] {
        let fake = Fake::script([reply]);
        assert_tells(&call(&probe(&fake.origin(), ONCE)).expect(9), &parts);
    }
}

#[test]
fn an_empty_body_and_a_byte_order_mark_are_fine() {
    for (body, expected) in [
        ("", Value::Null),
        (" \n", Value::Null),
        ("\u{FEFF}[1]", json!([1])),
    ] {
        let fake = Fake::script([Reply::new(200, "application/json", body)]);
        assert_eq!(
            call(&probe(&fake.origin(), "")).expect(0).json(),
            expected,
            "{body:?}"
        );
    }
}

const LIST: &str = "
params: { properties: { cursor: { type: string } } }
request: { method: GET, path: /probe, query: [cursor] }
paging: { items: $.data, next: { cursor: $.next }, while: $.more }
response:
  output:
    names: { each: '$.data[*]', as: { name: $.name, size: $.size } }
    owner: $.owner.name
  rows: names";

fn list(fake: &Fake) -> Workspace {
    let workspace = probe(&fake.origin(), ONCE);
    workspace.tool("list-probes", "read", LIST);
    workspace
}

#[test]
fn a_response_of_another_shape_is_told_with_the_place() {
    for (body, parts) in [
        (json!({ "data": "text" }), ["paging.items", "$.data"]),
        (json!({ "data": { "a": 1 } }), ["paging.items", "an object"]),
        (
            json!({ "data": 7, "more": false }),
            ["paging.items", "a number"],
        ),
        (json!([1]), ["paging.items", "$.data"]),
        (
            json!({ "data": [{ "name": "a" }, "b"] }),
            ["output.names", "$.name"],
        ),
        (
            json!({ "data": [], "owner": "me" }),
            ["output.owner", "$.owner.name"],
        ),
    ] {
        let fake = Fake::script([Reply::json(200, &body)]);
        let workspace = list(&fake);
        let output = workspace.run(&["call", "list-probes"]).expect(9);
        assert_tells(&output, &parts);
        assert_eq!(output.stdout, "");
    }
}

#[test]
fn what_a_response_does_not_have_is_null() {
    let body = json!({ "data": [{ "name": "a" }, {}, { "name": null, "size": 3 }] });
    let fake = Fake::script([Reply::json(200, &body)]);
    assert_eq!(
        list(&fake).run(&["call", "list-probes"]).expect(0).json(),
        json!({
            "names": [
                { "name": "a", "size": null },
                { "name": null, "size": null },
                { "name": null, "size": 3 },
            ],
            "owner": null,
        })
    );
}

// Redirects

const BEARER: &str = "auth: { kind: bearer, secret: { env: PROBE_TOKEN } }";

fn call_with_token(workspace: &Workspace, name: &str) -> Output {
    let mut command = workspace.toolrun();
    output(
        command
            .env("PROBE_TOKEN", "made-up")
            .args(["call", name, "--yes"]),
    )
}

#[test]
fn a_redirect_on_the_same_origin_is_followed_with_the_credential() {
    for status in [301, 302, 303, 307, 308] {
        for location in ["/moved?x=1", "moved?x=1"] {
            let fake = Fake::script([Reply::redirect(status, location), Reply::ok()]);
            call_with_token(&probe(&fake.origin(), BEARER), "get-probe").expect(0);
            assert_eq!(fake.targets(), ["/probe", "/moved?x=1"], "{status}");
            for request in fake.requests() {
                assert_eq!(
                    request.header("authorization"),
                    Some("Bearer made-up"),
                    "{status}"
                );
            }
        }
    }
}

#[test]
fn a_redirect_to_another_origin_gets_no_request() {
    let other = Fake::script([Reply::ok()]);
    let port = other.address().port();
    for location in [
        format!("{}/probe", other.origin()),
        format!("//127.0.0.1:{port}/probe"),
        format!("http://localhost:{port}/probe"),
        format!("http://user:password@127.0.0.1:{port}/"),
        format!("https://127.0.0.1:{port}/probe"),
    ] {
        let fake = Fake::script([Reply::redirect(307, location.clone())]);
        let output = call_with_token(&probe(&fake.origin(), BEARER), "get-probe").expect(5);
        assert_tells(&output, &["redirects to another origin", &port.to_string()]);
        fake.only_request();
        assert_eq!(other.requests(), [], "{location}");
    }
}

#[test]
fn a_redirect_without_a_target_is_an_error_answer() {
    let fake = Fake::script([Reply::new(302, "text/plain", "")]);
    let output = call(&probe(&fake.origin(), ONCE)).expect(6);
    assert_tells(&output, &["answered 302 (redirected)"]);
}

#[test]
fn a_redirect_in_a_circle_ends() {
    let fake = Fake::script([Reply::redirect(302, "/probe")]);
    let output = call(&probe(&fake.origin(), QUICK)).expect(5);
    assert_tells(&output, &["redirects more than 5 times"]);
    assert_eq!(fake.requests().len(), 6);
}

#[test]
fn a_write_is_redirected_only_where_it_stays_the_same_request() {
    for (status, code, targets) in [
        (307, 0, vec!["/probe", "/moved"]),
        (308, 0, vec!["/probe", "/moved"]),
        (302, 6, vec!["/probe"]),
        (303, 6, vec!["/probe"]),
    ] {
        let fake = Fake::script([Reply::redirect(status, "/moved"), Reply::ok()]);
        let workspace = probe(&fake.origin(), BEARER);
        let post = "request: { method: POST, path: /probe, body: { json: { a: 1 } } }";
        workspace.tool("do-probe", "write", post);
        call_with_token(&workspace, "do-probe").expect(code);
        assert_eq!(fake.targets(), targets, "{status}");
        for request in fake.requests() {
            assert_eq!(
                (request.method.as_str(), request.body),
                ("POST", b"{\"a\":1}".to_vec())
            );
        }
    }
}

// Error answers

#[test]
fn an_error_answer_maps_to_an_exit_code_and_keeps_the_services_words() {
    for (status, code, kind, meaning) in [
        (400, 6, "refused", "invalid_request"),
        (401, 6, "refused", "unauthenticated"),
        (403, 6, "refused", "forbidden"),
        (404, 6, "refused", "not_found"),
        (429, 6, "refused", "rate_limited"),
        (500, 7, "failed", "failed"),
        (503, 7, "failed", "unavailable"),
        (529, 7, "failed", "overloaded"),
    ] {
        let fake = Fake::script([failing(status)]);
        let workspace = probe(&fake.origin(), ONCE);
        let told = call(&workspace).expect(code);
        let status_told = format!("answered {status} ({meaning})");
        assert_tells(
            &told,
            &[&status_told, "It is broken.", "some_error", "req_123"],
        );
        assert_eq!(told.stdout, "");
        for format in ["json", "ndjson"] {
            let output = workspace
                .run(&["call", "get-probe", "-o", format])
                .expect(code);
            let error = output.error();
            assert_eq!(error["kind"], kind);
            assert_eq!(error["status"], status);
            assert_eq!(
                error["upstream"],
                json!({
                    "status": status,
                    "meaning": meaning,
                    "code": "some_error",
                    "message": "It is broken.",
                    "request_id": "req_123",
                    "attempts": 1,
                    "body": { "error": { "type": "some_error", "message": "It is broken." } },
                })
            );
            assert_eq!(output.stdout, "");
        }
    }
}

#[test]
fn an_error_answer_of_another_shape_still_gives_its_status() {
    for reply in [
        Reply::new(502, "text/html", "<h1>Bad gateway</h1>"),
        Reply::new(502, "application/json", ""),
        Reply::json(502, &json!({ "error": "text" })),
        Reply::json(502, &json!([1, 2])),
    ] {
        let fake = Fake::script([reply]);
        let output = call(&probe(&fake.origin(), ONCE)).expect(7);
        assert_tells(&output, &["answered 502"]);
    }
}

#[test]
fn every_kind_of_error_is_one_json_object() {
    let html = Fake::script([Reply::new(200, "text/html", "<p>")]);
    let away = Fake::script([Reply::redirect(302, refused_origin())]);
    for (origin, service, arguments, code, kind) in [
        (html.origin(), ONCE, vec![], 9, "response"),
        (away.origin(), ONCE, vec![], 5, "policy"),
        (refused_origin(), ONCE, vec![], 8, "network"),
        (html.origin(), BEARER, vec![], 4, "secret"),
        (html.origin(), "", vec!["nope=1"], 2, "usage"),
        (html.origin(), "", vec!["--set", "nope=1"], 2, "usage"),
    ] {
        let workspace = probe(&origin, service);
        let mut command = workspace.toolrun();
        command
            .args(["call", "get-probe", "-o", "json"])
            .args(&arguments);
        let error = output(&mut command).expect(code).error();
        assert_eq!(error["kind"], kind, "{arguments:?}");
        assert!(error["message"].is_string(), "{error}");
    }
}

#[test]
fn an_error_after_retries_is_one_json_object() {
    let fake = Fake::script([failing(503)]);
    let workspace = probe(&fake.origin(), QUICK);
    let error = workspace
        .run(&["call", "get-probe", "-o", "json"])
        .expect(7)
        .error();
    assert_eq!(error["upstream"]["attempts"], 3);
}

#[test]
fn a_usage_error_of_the_command_line_is_one_json_object() {
    let workspace = probe(&refused_origin(), "");
    for word in ["nonsense", "n:=[", "@missing.json", "{"] {
        let output = workspace
            .run(&["call", "get-probe", "-o", "json", word])
            .expect(2);
        assert_eq!(output.error()["kind"], "usage", "{word}");
    }
}

#[test]
fn what_a_service_says_does_not_steer_the_terminal() {
    let message = "red \u{1b}[31m bell \u{7} right-to-left \u{202E} end";
    let fake = Fake::script([Reply::json(
        400,
        &json!({ "error": { "message": message } }),
    )]);
    let output = call(&probe(&fake.origin(), ONCE)).expect(6);
    assert_tells(&output, &["red ", "end"]);
    assert!(
        !output.stderr.contains(['\u{1b}', '\u{7}', '\u{202E}']),
        "{:?}",
        output.stderr
    );
}

// Rate limit

#[tokio::test]
async fn the_rate_limit_of_the_descriptor_holds_requests_back() {
    let fake = Fake::script([Reply::ok()]);
    let workspace = probe(&fake.origin(), "rate_limit: { requests: 2, per: 1s }");
    let tool = tool(&workspace, "get-probe");
    let (engine, (call, events)) = (Engine::new(), watched(&tool));
    let started = Instant::now();
    for _ in 0..3 {
        engine.call(call.clone()).await.expect("an answer");
    }
    assert!(
        started.elapsed() >= Duration::from_millis(400),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(fake.requests().len(), 3);
    let sent = events.lock().expect("no panic");
    assert_eq!(
        sent.iter()
            .filter(|event| matches!(event, Event::Request { .. }))
            .count(),
        3
    );
}

#[tokio::test]
#[ignore = "long"]
async fn a_request_over_the_rate_limit_is_told_and_not_sent() {
    let fake = Fake::script([Reply::ok()]);
    let workspace = probe(&fake.origin(), "rate_limit: { requests: 2, per: 10h }");
    let tool = tool(&workspace, "get-probe");
    let (engine, (call, events)) = (Engine::new(), watched(&tool));
    let call = call.timeout(Duration::from_secs(2));
    for _ in 0..2 {
        engine.call(call.clone()).await.expect("an answer");
    }
    let third = engine.call(call).await;
    assert_eq!(
        third.map(|_| ()),
        Err(Error::Send(SendError::Timeout {
            within: Duration::from_secs(2),
            limit: Limit::Caller
        }))
    );
    assert_eq!(fake.requests().len(), 2);
    let events = events.lock().expect("no panic");
    let is_held =
        |event: &&Event| matches!(event, Event::RateLimited { wait } if wait.as_secs() > 3600);
    assert_eq!(events.iter().filter(is_held).count(), 1, "{events:?}");
}

fn watched(tool: &Arc<Tool>) -> (Call, Arc<Mutex<Vec<Event>>>) {
    let events = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&events);
    let call = Call::new(tool, json!({})).observer(move |_, event| {
        sink.lock().expect("no panic").push(event);
    });
    (call, events)
}

// Paging

#[test]
fn a_walk_that_the_service_cuts_short_is_told_and_fails() {
    let page = |next: Value| Reply::json(200, &json!({ "data": [{}], "more": true, "next": next }));
    for (replies, stopped, pages) in [
        (vec![page(json!("same"))], "repeated_cursor", 2),
        (
            vec![page(json!("a")), page(json!("b")), page(json!("a"))],
            "repeated_cursor",
            3,
        ),
        (
            vec![page(json!("a")), page(Value::Null)],
            "missing_cursor",
            2,
        ),
        (
            vec![Reply::json(200, &json!({ "data": [{}], "more": true }))],
            "missing_cursor",
            1,
        ),
    ] {
        let fake = Fake::script(replies);
        let output = list(&fake).run(&["call", "list-probes", "--all"]).expect(9);
        assert_eq!(fake.requests().len(), pages, "{stopped}");
        let whole = output.json();
        assert_eq!(
            whole["notes"],
            json!([{ "stopped": stopped, "page": pages }])
        );
        assert_eq!(whole["names"].as_array().map(Vec::len), Some(pages));
        assert_tells(&output, &["the result is incomplete"]);
        let lines = list(&fake)
            .run(&["call", "list-probes", "--all", "-o", "ndjson"])
            .expect(9);
        assert_tells(&lines, &["the result is incomplete"]);
    }
}

#[test]
fn a_cap_of_the_callers_own_is_told_and_is_no_failure() {
    let next = Mutex::new(0);
    let fake = Fake::start(move |_| {
        let mut next = next.lock().expect("no panic");
        *next += 1;
        let cursor = format!("c{next}");
        Reply::json(
            200,
            &json!({ "data": [{}, {}], "more": true, "next": cursor }),
        )
    });
    let workspace = list(&fake);
    let run = |flag, value| {
        workspace
            .run(&["call", "list-probes", flag, value])
            .expect(0)
    };
    let output = run("--max-pages", "2");
    let note = &output.json()["notes"][0];
    assert_eq!(
        (&note["stopped"], &note["max_pages"]),
        (&json!("max_pages"), &json!(2))
    );
    let cursor = note["next"]["cursor"].as_str().expect("the next cursor");
    assert_tells(&output, &["stopped after 2 page(s)", cursor]);
    assert_eq!(fake.requests().len(), 2);
    let output = run("--max-items", "3");
    assert_eq!(
        output.json()["notes"],
        json!([{ "stopped": "max_items", "max_items": 3 }])
    );
    assert_eq!(output.json()["names"].as_array().map(Vec::len), Some(3));
    assert_tells(&output, &["stopped after 3 item(s)"]);
    assert_eq!(fake.requests().len(), 4);
}

#[test]
fn a_walk_to_the_last_page_has_no_note() {
    let fake = Fake::script([
        Reply::json(
            200,
            &json!({ "data": [{ "name": "a" }], "more": true, "next": "n/1" }),
        ),
        Reply::json(200, &json!({ "data": [], "more": true, "next": "2" })),
        Reply::json(
            200,
            &json!({ "data": [{ "name": "b" }], "more": false, "next": null }),
        ),
    ]);
    let output = list(&fake).run(&["call", "list-probes", "--all"]).expect(0);
    let row = |name| json!({ "name": name, "size": null });
    assert_eq!(
        output.json(),
        json!({ "names": [row("a"), row("b")], "owner": null })
    );
    assert_eq!(
        fake.targets(),
        ["/probe", "/probe?cursor=n%2F1", "/probe?cursor=2"]
    );
    assert_eq!(output.stderr, "");
}

#[test]
fn an_error_on_a_later_page_is_an_error() {
    let first = Reply::json(200, &json!({ "data": [{}], "more": true, "next": "2" }));
    let fake = Fake::script([first, failing(404)]);
    let output = list(&fake).run(&["call", "list-probes", "--all"]).expect(6);
    // What was read before is given.
    assert_eq!(output.json()["names"].as_array().map(Vec::len), Some(1));
    assert_tells(&output, &["answered 404"]);
}

#[test]
fn a_next_page_gets_the_credential_of_the_query_once() {
    let fake = Fake::start(|request| match request.query.contains("page=2") {
        true => Reply::json(200, &json!({ "data": [2] })),
        false => {
            let next = format!("{}/probe?token=made-up&page=2&q=a%20b", request.origin());
            Reply::json(200, &json!({ "data": [1], "next": next }))
        }
    });
    let auth = "auth: { kind: api_key, in: query, name: token, secret: { env: PROBE_TOKEN } }";
    let workspace = probe(&fake.origin(), auth);
    let more = "
request: { method: GET, path: /probe }
paging: { items: $.data, next_url: $.next }
response: { output: { rows: $.data }, rows: rows }";
    workspace.tool("list-probes", "read", more);
    let mut command = workspace.toolrun();
    command.env("PROBE_TOKEN", "made-up");
    let output = output(command.args(["call", "list-probes", "--all"])).expect(0);
    assert_eq!(output.json(), json!({ "rows": [1, 2] }));
    assert_eq!(
        fake.targets(),
        [
            "/probe?token=made-up",
            "/probe?page=2&q=a%20b&token=made-up"
        ]
    );
}

#[test]
fn a_proxy_of_the_environment_does_not_see_a_loopback_service() {
    let fake = Fake::script([Reply::ok()]);
    let proxy = Fake::script([Reply::ok()]);
    let workspace = probe(&fake.origin(), "");
    let mut command = workspace.toolrun();
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env(name, proxy.origin());
    }
    output(command.args(["call", "get-probe"])).expect(0);
    fake.only_request();
    assert_eq!(proxy.requests(), []);
}

// Credentials and consent

/// The auth section, the header or query that is sent, and what a dry run shows.
const AUTH: [(&str, &str, &str, &str); 9] = [
    (
        "auth: { kind: api_key, in: header, name: X-Api-Key, secret: { env: A } }",
        "x-api-key",
        "k/1+=",
        "***",
    ),
    (
        "auth: { kind: api_key, in: query, name: key, secret: { env: A } }",
        "?",
        "key=k%2F1%2B%3D",
        "key=***",
    ),
    (
        "auth: { kind: api_key, in: query, name: 'a key', secret: { env: A } }",
        "?",
        "a%20key=k%2F1%2B%3D",
        "a%20key=***",
    ),
    (
        "auth: { kind: bearer, secret: { env: A } }",
        "authorization",
        "Bearer k/1+=",
        "Bearer ***",
    ),
    (
        "auth: { kind: bearer, secret: { file: secret.txt } }",
        "authorization",
        "Bearer from-file",
        "Bearer ***",
    ),
    // me:b:2
    (
        "auth: { kind: basic, username: me, password: { env: B } }",
        "authorization",
        "Basic bWU6YjoyIQ==",
        "Basic ***",
    ),
    // me:
    (
        "auth: { kind: basic, username: me }",
        "authorization",
        "Basic bWU6",
        "Basic ***",
    ),
    // k/1+=:
    (
        "auth: { kind: basic, username: { env: A } }",
        "authorization",
        "Basic ay8xKz06",
        "Basic ***",
    ),
    // k/1+=:b:2!
    (
        "auth: { kind: basic, username: { env: A }, password: { env: B } }",
        "authorization",
        "Basic ay8xKz06YjoyIQ==",
        "Basic ***",
    ),
];

#[test]
fn each_auth_kind_is_right_on_the_wire_and_masked_in_a_dry_run() {
    for (auth, place, sent, shown) in AUTH {
        let fake = Fake::script([Reply::ok()]);
        let workspace = probe(&fake.origin(), auth);
        workspace.write("secret.txt", "  from-file\n");
        let run = |flags: &[&str]| {
            let mut command = workspace.toolrun();
            command
                .env("A", "k/1+=")
                .env("B", "b:2!")
                .args(["call", "get-probe"]);
            output(command.args(flags)).expect(0)
        };
        run(&[]);
        let request = fake.only_request();
        let plan = run(&["--dry-run=json"]).json();
        let (on_the_wire, in_the_plan) = match place {
            "?" => {
                let url = plan["url"].as_str().expect("a URL");
                (
                    Some(request.query.clone()),
                    url.split_once('?').map(|(_, query)| query),
                )
            }
            name => {
                let headers = plan["headers"].as_array().expect("headers");
                let field = headers.iter().find(|field| field[0] == name);
                (
                    request.header(name).map(str::to_owned),
                    field.and_then(|field| field[1].as_str()),
                )
            }
        };
        assert_eq!(
            (on_the_wire.as_deref(), in_the_plan),
            (Some(sent), Some(shown)),
            "{auth}"
        );
        fake.only_request();
    }
}

#[test]
fn several_credentials_are_sent_together() {
    let auth = "
auth:
  - { kind: headers, headers: { DD-API-KEY: { env: A }, DD-APPLICATION-KEY: { env: B } } }
  - { kind: api_key, in: query, name: token, secret: { env: A } }";
    let fake = Fake::script([Reply::ok()]);
    let workspace = probe(&fake.origin(), auth);
    let mut command = workspace.toolrun();
    output(
        command
            .env("A", "one")
            .env("B", "two")
            .args(["call", "get-probe"]),
    )
    .expect(0);
    let request = fake.only_request();
    assert_eq!(request.header("dd-api-key"), Some("one"));
    assert_eq!(request.header("dd-application-key"), Some("two"));
    assert_eq!(request.query, "token=one");
    let plan = workspace
        .run(&["call", "get-probe", "--dry-run=json"])
        .expect(0)
        .json();
    let headers = plan["headers"].as_array().expect("headers");
    for name in ["dd-api-key", "dd-application-key"] {
        assert!(headers.contains(&json!([name, "***"])), "{plan}");
    }
    assert_eq!(plan["url"], format!("{}/probe?token=***", fake.origin()));
}

#[test]
fn a_missing_secret_is_told_before_anything_is_sent() {
    let fake = Fake::script([Reply::ok()]);
    let output = call(&probe(&fake.origin(), BEARER)).expect(4);
    assert_tells(&output, &["PROBE_TOKEN", "--sandbox"]);
    assert_eq!(fake.requests(), []);
}

#[test]
fn wrong_arguments_are_told_before_a_missing_secret() {
    let fake = Fake::script([Reply::ok()]);
    let workspace = probe(&fake.origin(), BEARER);
    let output = workspace.run(&["call", "get-probe", "nope=1"]).expect(2);
    assert_tells(&output, &["nope"]);
}

#[test]
fn a_write_needs_consent() {
    for access in ["write", "destructive"] {
        let fake = Fake::script([Reply::ok()]);
        let workspace = probe(&fake.origin(), "");
        let more = "
params: { properties: { n: { type: integer } } }
request: { method: POST, path: /probe, body: { json: { n: '{{ n }}', fixed: [true, null] } } }";
        workspace.tool("do-probe", access, more);
        let output = workspace.run(&["call", "do-probe", "n=1"]).expect(5);
        assert_tells(&output, &[access, "--yes"]);
        assert_eq!(fake.requests(), []);
        workspace
            .run(&["call", "do-probe", "n=1", "--yes"])
            .expect(0);
        let request = fake.only_request();
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.body, b"{\"n\":1,\"fixed\":[true,null]}");
    }
}

#[test]
fn a_dry_run_of_a_write_needs_no_consent_and_sends_nothing() {
    let fake = Fake::script([Reply::ok()]);
    let workspace = probe(&fake.origin(), BEARER);
    workspace.tool(
        "do-probe",
        "destructive",
        "request: { method: DELETE, path: /probe }",
    );
    for form in [
        "--dry-run",
        "--dry-run=http",
        "--dry-run=curl",
        "--dry-run=json",
    ] {
        let output = workspace.run(&["call", "do-probe", form]).expect(0);
        assert!(
            output.stdout.contains("DELETE"),
            "{form}: {}",
            output.stdout
        );
    }
    assert_eq!(fake.requests(), []);
}
