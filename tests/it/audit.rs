//! The audit log: one line for each call, whatever becomes of it, with no value and no secret; and nothing is done that
//! cannot be recorded.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use crate::serve::{ONLY_PROBE, probe};
use crate::support::{Fake, LEGACY, MODERN, Manner, Mcp, Reply, Workspace, assert_tells, error};

const FLAGS: [&str; 4] = [ONLY_PROBE[0], ONLY_PROBE[1], "--audit", "audit.log"];
const POLICY: &str = r#"policy: 1
rules:
  - { tools: probe/list-things, when: "{{ args.limit > 50 }}", do: deny, why: At most 50. }
  - { tools: "probe/delete-*", when: "{{ args.id == 'ask' }}", do: ask }
  - { tools: "probe/delete-*", do: allow }
"#;

fn service() -> Fake {
    Fake::start(|request| {
        match request.path.as_str() {
        "/things" => Reply::json(
            200,
            &json!({ "data": [{ "id": "a", "name": "x" }, { "id": "b", "name": "y" }], "more": false }),
        )
        .with("x-request-id", "req_1"),
        "/things/hang" => Reply::manner(Manner::Hang),
        "/things/broken" => Reply::json(400, &json!({ "message": "broken" })).with("x-request-id", "req_2"),
        _ => Reply::json(200, &json!({ "id": "a", "name": "x" })),
    }
    })
}

fn audited(fake: &Fake) -> Workspace {
    let workspace = probe(fake);
    workspace.service(
        &fake.origin(),
        "errors: { request_id: { header: x-request-id } }\nretry: { max_attempts: 1 }",
    );
    workspace.write("policy.yaml", POLICY);
    workspace
}

fn with_policy() -> Vec<&'static str> {
    [&FLAGS[..], &["--policy", "policy.yaml"]].concat()
}

/// The lines of the log.
fn log(workspace: &Workspace) -> Vec<Value> {
    let text = std::fs::read_to_string(workspace.path().join("audit.log")).expect("a log");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// The last line of the log, without what differs from run to run.
fn last(workspace: &Workspace) -> Value {
    let mut last = log(workspace).pop().expect("a line");
    let line = last.as_object_mut().expect("an object");
    for key in ["time", "prev", "digest"] {
        let text = line.remove(key).unwrap_or(json!("absent"));
        assert!(text.is_string(), "{key}: {text}");
    }
    for key in ["n", "ms", "bytes", "id", "policy"] {
        line.remove(key);
    }
    last
}

fn verified(workspace: &Workspace) -> Value {
    workspace
        .run(&["audit", "verify", "audit.log", "--json"])
        .expect(0)
        .json()
}

#[test]
fn each_call_leaves_one_line_whatever_becomes_of_it() {
    let fake = service();
    let workspace = audited(&fake);
    let mut mcp = workspace.serve(&with_policy());
    mcp.tools();
    assert_eq!(log(&workspace).len(), 1, "only the start");
    assert_eq!(log(&workspace)[0]["event"], "start");
    let list = json!({ "event": "call", "caller": "local", "tool": "probe/list-things", "access": "read" });
    let delete = json!({ "event": "call", "caller": "local", "tool": "probe/delete-thing", "access": "destructive" });
    let get =
        json!({ "event": "call", "caller": "local", "tool": "probe/get-thing", "access": "read" });
    let cases: [(&str, Value, &Value, Value); 9] = [
        (
            "probe_list_things",
            json!({ "limit": 50, "columns": ["id"] }),
            &list,
            json!({
            "arguments": ["limit", "columns"], "decision": "allow", "rule": "default", "outcome": "done", "requests": 1,
            "status": 200, "request_id": "req_1", "rows": 2 }),
        ),
        (
            "probe_list_things",
            json!({ "limit": 51 }),
            &list,
            json!({
            "arguments": ["limit"], "decision": "deny", "rule": "1", "outcome": "refused", "requests": 0 }),
        ),
        (
            "probe_list_things",
            json!({ "limit": 500 }),
            &list,
            json!({
            "arguments": ["limit"], "decision": "invalid", "outcome": "failed", "kind": "usage", "requests": 0 }),
        ),
        (
            "probe_list_things",
            json!({ "limt": 5, "other": 1 }),
            &list,
            json!({
            "arguments": [], "unknown_arguments": 2, "decision": "invalid", "outcome": "failed", "kind": "usage", "requests": 0 }),
        ),
        (
            "probe_list_things",
            json!({ "format": "chart" }),
            &list,
            json!({
            "arguments": ["format"], "decision": "allow", "rule": "default", "outcome": "failed", "kind": "usage", "requests": 0 }),
        ),
        (
            "probe_get_thing",
            json!({ "id": "broken" }),
            &get,
            json!({
            "arguments": ["id"], "decision": "allow", "rule": "default", "outcome": "failed", "kind": "refused", "requests": 1,
            "status": 400, "request_id": "req_2" }),
        ),
        (
            "probe_get_thing",
            json!({ "id": ".." }),
            &get,
            json!({
            "arguments": ["id"], "decision": "allow", "rule": "default", "outcome": "failed", "kind": "usage", "requests": 0 }),
        ),
        (
            "probe_delete_thing",
            json!({ "id": "ask" }),
            &delete,
            json!({
            "arguments": ["id"], "decision": "ask", "rule": "2", "outcome": "waits", "requests": 0 }),
        ),
        (
            "probe_delete_thing",
            json!({ "id": "a" }),
            &delete,
            json!({
            "arguments": ["id"], "decision": "allow", "rule": "3", "outcome": "done", "requests": 1, "status": 200 }),
        ),
    ];
    let mut count = 1;
    for (tool, arguments, base, more) in cases {
        mcp.call(tool, arguments.clone());
        let mut expected = base.clone();
        for (key, value) in more.as_object().expect("an object") {
            expected[key] = value.clone();
        }
        count += 1 + usize::from(
            expected["tool"] == "probe/delete-thing" && expected["outcome"] == "done",
        );
        assert_eq!(last(&workspace), expected, "{tool} {arguments}");
        assert_eq!(log(&workspace).len(), count, "{tool} {arguments}");
    }
    let begun = &log(&workspace)[count - 2];
    assert_eq!(begun["event"], "begin");
    assert_eq!(begun["id"], log(&workspace)[count - 1]["id"]);
    // What is no tool, and what is no call.
    let answer = mcp.request(
        "tools/call",
        json!({ "name": "probe_nothing", "arguments": { "a": 1 } }),
    );
    assert_eq!(answer["error"]["code"], -32602);
    assert_eq!(
        last(&workspace),
        json!({ "event": "call", "caller": "local", "arguments": [], "unknown_arguments": 1,
        "decision": "unknown-tool", "outcome": "failed", "requests": 0 })
    );
    mcp.request("tools/call", json!({ "nam": "x" }));
    assert_eq!(last(&workspace)["decision"], "malformed");
    let id = mcp.send(
        "tools/call",
        json!({ "name": "probe_get_thing", "arguments": { "id": "hang" } }),
    );
    while !fake
        .targets()
        .iter()
        .any(|target| target.ends_with("/hang"))
    {
        std::thread::sleep(Duration::from_millis(5));
    }
    mcp.line(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } }).to_string());
    let begun = Instant::now();
    while last(&workspace)["outcome"] != "cancelled" {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{}",
            last(&workspace)
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(last(&workspace)["requests"], 1);
    assert_eq!(verified(&workspace)["lines"], count + 3);
}

#[test]
fn every_transport_and_revision_is_audited_and_a_called_tool_is_the_one_that_is_named() {
    let fake = service();
    for revision in LEGACY.into_iter().chain([MODERN]) {
        let workspace = audited(&fake);
        let mut mcp = match revision {
            MODERN => workspace.serve(&FLAGS),
            _ => workspace.serve_in(revision, &FLAGS),
        };
        mcp.ok("probe_get_thing", json!({ "id": "a" }));
        mcp.close();
        mcp.process.code();
        let flags = [&FLAGS[..], &["--direct", "0"]].concat();
        let http = workspace.serve_http(&flags);
        for (tool, arguments, told) in [
            (
                "search_tools",
                json!({ "query": "thing" }),
                json!(["search_tools", ["query"], "done"]),
            ),
            (
                "describe_tool",
                json!({ "tool": "probe_get_thing" }),
                json!(["describe_tool", ["tool"], "done"]),
            ),
            (
                "call_tool",
                json!({ "tool": "probe_get_thing", "arguments": { "id": "a" } }),
                json!(["probe/get-thing", ["id"], "done"]),
            ),
            (
                "call_list_tool",
                json!({ "tool": "probe_list_things", "format": "table" }),
                json!(["probe/list-things", ["format"], "done"]),
            ),
            (
                "call_tool",
                json!({ "tool": "nothing" }),
                json!(["call_tool", ["tool"], "failed"]),
            ),
        ] {
            http.call(revision, tool, arguments);
            let last = last(&workspace);
            assert_eq!(
                json!([last["tool"], last["arguments"], last["outcome"]]),
                told,
                "{revision}"
            );
        }
        let verdict = verified(&workspace);
        assert_eq!(
            (verdict["lines"].clone(), verdict["head"].clone()),
            (json!(8), json!(true)),
            "{revision}"
        );
    }
}

#[test]
fn no_value_and_no_secret_stands_in_the_log_unless_it_was_asked_for() {
    const SECRET: &str = "made-up-token-0123456789";
    let fake = Fake::start(|request| {
        let reply = Reply::json(400, &json!({ "message": format!("no {}", request.path) }));
        reply.with("x-request-id", format!("req_{SECRET}"))
    });
    let workspace = audited(&fake);
    workspace.service(
        &fake.origin(),
        "auth: { kind: bearer, secret: { env: PROBE_TOKEN } }\nerrors: { request_id: { header: x-request-id }, message: $.message }\nretry: { max_attempts: 1 }",
    );
    let serve = |more: &[&str]| {
        let mut command = workspace.toolrun();
        command
            .env("PROBE_TOKEN", SECRET)
            .arg("serve")
            .args(with_policy())
            .args(more);
        Mcp::start(&mut command, MODERN)
    };
    let mut mcp = serve(&[]);
    for (tool, arguments) in [
        ("probe_get_thing", json!({ "id": SECRET })),
        ("probe_get_thing", json!({ "id": [SECRET] })),
        ("probe_get_thing", json!({ SECRET: 1 })),
        ("probe_delete_thing", json!({ "id": SECRET })),
        ("probe_delete_thing", json!({ "id": "ask", SECRET: SECRET })),
        (SECRET, json!({ SECRET: SECRET })),
        (
            "probe_list_things",
            json!({ "columns": SECRET, "after": SECRET }),
        ),
    ] {
        mcp.request(
            "tools/call",
            json!({ "name": tool, "arguments": arguments }),
        );
    }
    mcp.request("tools/call", json!({ "name": 5, "arguments": SECRET }));
    mcp.close();
    mcp.process.code();
    let mut mcp = serve(&["--direct", "0", "--audit-arguments", "limit,query"]);
    for (tool, arguments) in [
        ("search_tools", json!({ "query": SECRET, SECRET: SECRET })),
        ("call_tool", json!({ "tool": SECRET })),
        (
            "call_tool",
            json!({ "tool": "probe_get_thing", "arguments": { "id": SECRET } }),
        ),
        (
            "call_list_tool",
            json!({ "tool": "probe_list_things", "arguments": { "limit": 7, "after": SECRET } }),
        ),
    ] {
        mcp.call(tool, arguments);
    }
    let text = std::fs::read_to_string(workspace.path().join("audit.log")).expect("a log");
    assert!(
        !text.contains(SECRET) && !text.contains("0123456789"),
        "{text}"
    );
    assert!(text.contains("req_***"), "{text}");
    assert_eq!(text.lines().count(), 15, "{text}");
    assert_eq!(last(&workspace)["values"], json!({ "limit": 7 }));
    let values = log(&workspace);
    assert_eq!(
        values
            .iter()
            .filter(|line| line.get("values").is_some())
            .count(),
        1
    );
    mcp.call(
        "call_list_tool",
        json!({ "tool": "probe_list_things", "arguments": { "limit": ["x".repeat(2_000)] } }),
    );
    assert_eq!(last(&workspace)["values"]["limit"]["bytes"], 2_004);
    verified(&workspace);
    workspace
        .run(&["serve", "--audit-arguments", "limit"])
        .expect(2);
}

#[test]
fn an_approved_call_names_its_approval() {
    let fake = service();
    let workspace = audited(&fake);
    let mut mcp = workspace.serve(&with_policy());
    let waits = mcp.refused("probe_delete_thing", json!({ "id": "ask" }));
    let id = waits["approval"]["id"].as_str().expect("an id");
    workspace.run(&["approve", id, "--yes"]).expect(0);
    mcp.ok("probe_delete_thing", json!({ "id": "ask" }));
    let lines = log(&workspace);
    for line in &lines[lines.len() - 2..] {
        assert_eq!(
            line["approval"],
            json!({ "id": id, "by": "command" }),
            "{line}"
        );
        assert_eq!(
            (line["decision"].clone(), line["rule"].clone()),
            (json!("ask"), json!("2"))
        );
        assert_eq!(line["digest"], lines[1]["digest"]);
    }
    assert!(lines[1].get("approval").is_none());
}

/// A call that was sent when the server was killed has left its begin.
#[test]
fn a_kill_in_the_middle_leaves_a_trace_and_the_log_goes_on() {
    let fake = service();
    let workspace = audited(&fake);
    let mut mcp = workspace.serve(&with_policy());
    mcp.ok("probe_get_thing", json!({ "id": "a" }));
    mcp.send(
        "tools/call",
        json!({ "name": "probe_delete_thing", "arguments": { "id": "hang" } }),
    );
    while !fake
        .targets()
        .iter()
        .any(|target| target.ends_with("/hang"))
    {
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(mcp);
    let begun = last(&workspace);
    assert_eq!(
        (begun["event"].clone(), begun["tool"].clone()),
        (json!("begin"), json!("probe/delete-thing"))
    );
    let mut mcp = workspace.serve(&with_policy());
    mcp.ok("probe_get_thing", json!({ "id": "a" }));
    assert_eq!(log(&workspace).len(), 5);
    verified(&workspace);
    // One process writes to a log.
    let flags = [&["serve"][..], &FLAGS].concat();
    let told = workspace.run(&flags).expect(5);
    assert_tells(&told, &["audit.log", "another process writes to it"]);
    mcp.ok("probe_get_thing", json!({ "id": "a" }));
    assert_eq!(verified(&workspace)["count"], 6);
}

/// Killed again and again while it writes, at no chosen moment.
#[test]
#[ignore = "long"]
fn a_server_that_is_killed_in_a_loop_leaves_a_log_without_a_fault() {
    let fake = service();
    let workspace = audited(&fake);
    let mut torn = 0;
    for round in 0..25_u64 {
        let mut mcp = workspace.serve(&with_policy());
        mcp.ok("probe_get_thing", json!({ "id": "a" }));
        for i in 0..40 {
            let tool = ["probe_get_thing", "probe_delete_thing"][i % 2];
            mcp.send(
                "tools/call",
                json!({ "name": tool, "arguments": { "id": "a" } }),
            );
        }
        std::thread::sleep(Duration::from_micros(round * 1_700 % 40_000));
        drop(mcp);
        let verdict = verified(&workspace);
        assert_eq!(verdict["problems"], json!([]), "{round}: {verdict}");
        torn += verdict["notes"].as_array().map_or(0, Vec::len);
    }
    let lines = log(&workspace);
    let numbers: Vec<u64> = lines.iter().filter_map(|line| line["n"].as_u64()).collect();
    assert!(numbers.len() > 100, "{}", numbers.len());
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    eprintln!("{} lines, {torn} notes of torn lines", numbers.len());
}

/// A disk that is full: here a file that may not grow.
#[cfg(unix)]
#[test]
fn nothing_is_done_that_cannot_be_recorded() {
    let fake = service();
    let workspace = audited(&fake);
    let toolrun = workspace.toolrun();
    let mut command = Command::new("bash");
    command.env_clear().envs(
        toolrun
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    command.current_dir(workspace.path());
    command.args(["-c", "trap '' XFSZ; ulimit -f 2; exec \"$@\"", "bash"]);
    command
        .arg(toolrun.get_program())
        .args(toolrun.get_args())
        .arg("serve")
        .args(with_policy());
    let mut mcp = Mcp::start(&mut command, MODERN);
    let mut sent = 0;
    let first = loop {
        let result = mcp.call("probe_get_thing", json!({ "id": "a" }));
        sent += 1;
        assert!(sent < 50, "it fills up");
        if result["isError"] == true {
            break error(&result);
        }
    };
    assert_eq!(
        (first["kind"].clone(), first["ran"].clone()),
        (json!("audit"), json!(true)),
        "{first}"
    );
    assert_eq!(first["retry"], false);
    assert!(
        first["advice"]
            .as_str()
            .is_some_and(|text| text.contains("do not repeat")),
        "{first}"
    );
    assert_eq!(fake.requests().len(), sent);
    let told = mcp.process.says("the audit log cannot be written");
    assert!(told.contains("File too large"), "{told}");
    for (tool, arguments) in [
        ("probe_get_thing", json!({ "id": "a" })),
        ("probe_delete_thing", json!({ "id": "a" })),
        ("probe_get_thing", json!({})),
    ] {
        let error = mcp.refused(tool, arguments);
        assert_eq!(
            (error["kind"].clone(), error["ran"].clone()),
            (json!("audit"), json!(false)),
            "{error}"
        );
    }
    let answer = mcp.request("tools/call", json!({ "name": "nothing" }));
    assert_eq!(answer["error"]["code"], -32603, "{answer}");
    assert_eq!(fake.requests().len(), sent, "nothing more was sent");
    drop(mcp);
    // What was written is whole, but for the line that did not fit; and with room again, the log goes on.
    assert_eq!(verified(&workspace)["problems"], json!([]));
    let mut mcp = workspace.serve(&with_policy());
    mcp.ok("probe_get_thing", json!({ "id": "a" }));
    let verdict = verified(&workspace);
    assert!(
        verdict["notes"]
            .to_string()
            .contains("was not written whole"),
        "{verdict}"
    );
}

/// A client that leaves gives its call up, and a server that is asked to end finishes what runs.
#[cfg(unix)]
#[test]
fn a_call_without_a_client_and_the_last_call_of_a_server_are_recorded() {
    let fake = Fake::start(|request| {
        if request.path.ends_with("/slow") {
            std::thread::sleep(Duration::from_millis(700));
        }
        match request.path.as_str() {
            "/things/hang" => Reply::manner(Manner::Hang),
            _ => Reply::json(200, &json!({ "id": "a", "name": "x" })),
        }
    });
    let workspace = audited(&fake);
    let http = workspace.serve_http(&FLAGS);
    let waits = |target: &str| {
        while !fake.targets().iter().any(|sent| sent.ends_with(target)) {
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let open = |id: &str| {
        use std::io::Write as _;
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "probe_get_thing",
            "arguments": { "id": id } } })
        .to_string();
        let mut stream = std::net::TcpStream::connect(&http.address).expect("a connection");
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\nmcp-protocol-version: 2025-11-25\r\ncontent-length: {}\r\n\r\n",
            http.address,
            body.len()
        );
        stream
            .write_all(format!("{head}{body}").as_bytes())
            .expect("a request");
        stream
    };
    let left = open("hang");
    waits("/hang");
    drop(left);
    let begun = Instant::now();
    while last(&workspace)["outcome"] != "cancelled" {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{}",
            last(&workspace)
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    let _kept = open("slow");
    waits("/slow");
    let mut http = http;
    http.process.terminate();
    http.process.code();
    assert_eq!(last(&workspace)["outcome"], "done");
    assert_eq!(verified(&workspace)["lines"], 3);
}

#[test]
fn verify_says_which_line() {
    let fake = service();
    let workspace = audited(&fake);
    let mut mcp = workspace.serve(&FLAGS);
    for _ in 0..5 {
        mcp.ok("probe_get_thing", json!({ "id": "a" }));
    }
    mcp.close();
    mcp.process.code();
    let path: PathBuf = workspace.path().join("audit.log");
    let whole = std::fs::read_to_string(&path).expect("a log");
    let told = workspace
        .run(&["audit", "verify", "audit.log"])
        .expect(0)
        .stdout;
    assert!(
        told.starts_with("ok    audit.log: 6 lines; the last one is number 6 with the hash "),
        "{told}"
    );
    let lines: Vec<&str> = whole.lines().collect();
    let edited = whole.replace(lines[2], &lines[2].replace("local", "other"));
    std::fs::write(&path, edited).expect("a file");
    let told = workspace
        .run(&["audit", "verify", "audit.log"])
        .expect(3)
        .stdout;
    assert_eq!(
        told,
        "FAIL  line 3 was changed\naudit.log: 6 lines, 1 problems\n"
    );
    std::fs::write(&path, format!("{}\n", lines[..4].join("\n"))).expect("a file");
    let told = workspace
        .run(&["audit", "verify", "audit.log", "--json"])
        .expect(3)
        .json();
    assert_eq!(
        told["problems"],
        json!(["the end was cut: 2 lines are missing behind line 4"])
    );
    let told = workspace.run(&[&["serve"][..], &FLAGS].concat()).expect(5);
    assert_tells(&told, &["lines are missing at its end"]);
    workspace.run(&["audit", "verify", "no-such.log"]).expect(2);
}
