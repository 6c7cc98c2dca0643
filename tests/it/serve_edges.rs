//! The edges of the protocol: malformed lines, unknown methods, and much of everything. Every id gets its answer.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::serve::{ONLY_PROBE, probe};
use crate::support::{Fake, Manner, Mcp, Reply, Workspace};

fn server() -> (Fake, Workspace, Mcp) {
    let fake = Fake::start(|_| Reply::json(200, &json!({ "id": "x", "name": "y" })));
    let workspace = probe(&fake);
    let mut mcp = workspace.serve(&ONLY_PROBE);
    assert_eq!(mcp.tools().len(), 2);
    (fake, workspace, mcp)
}

fn meta() -> Value {
    json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} })
}

/// What a line is answered with: the code, and the id if it has one.
#[test]
fn every_line_gets_the_answer_that_it_deserves() {
    let deep = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":77,\"method\":\"x\",\"params\":{}1{}}}",
        "[".repeat(5000),
        "]".repeat(5000)
    );
    let long = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":78,\"method\":\"tools/list\",\"params\":{{\"cursor\":\"{}\"}}}}",
        "x".repeat(5 << 20)
    );
    let long_end = format!(
        "{{\"method\":\"tools/list\",\"params\":{{\"cursor\":\"{}\"}},\"jsonrpc\":\"2.0\",\"id\":\"end\"}}",
        "x".repeat(5 << 20)
    );
    let call = |params: Value| {
        let mut params = params;
        params["_meta"] = meta();
        json!({ "jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": params }).to_string()
    };
    let lines: Vec<(String, i64, Value)> = vec![
        ("not json".to_owned(), -32700, Value::Null),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":".to_owned(), -32700, Value::Null),
        ("\u{0}\u{1}".to_owned(), -32700, Value::Null),
        ("[]".to_owned(), -32600, Value::Null),
        ("5".to_owned(), -32600, Value::Null),
        ("[{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}]".to_owned(), -32600, json!(3)),
        ("{\"id\":4,\"method\":\"tools/list\"}".to_owned(), -32600, json!(4)),
        ("{\"jsonrpc\":\"1.0\",\"id\":5,\"method\":\"tools/list\"}".to_owned(), -32600, json!(5)),
        ("{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":7}".to_owned(), -32600, json!(6)),
        ("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"tools/list\"}".to_owned(), -32600, Value::Null),
        ("{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"tools/list\"}".to_owned(), -32600, Value::Null),
        (json!({ "jsonrpc": "2.0", "id": 7, "method": "no/such", "params": { "_meta": meta() } }).to_string(), -32601, json!(7)),
        (json!({ "jsonrpc": "2.0", "id": 8, "method": "tools/list", "params": {} }).to_string(), -32602, json!(8)),
        (call(json!({})), -32602, json!(9)),
        (call(json!({ "name": 5 })), -32602, json!(9)),
        (call(json!({ "name": "probe_get_thing", "arguments": [] })), -32602, json!(9)),
        (call(json!({ "name": "probe_get_thing", "arguments": "x" })), -32602, json!(9)),
        (call(json!({ "name": "no_such_tool" })), -32602, json!(9)),
        (
            json!({ "jsonrpc": "2.0", "id": 10, "method": "tools/list", "params": { "_meta": {
                "io.modelcontextprotocol/protocolVersion": "1999-01-01", "io.modelcontextprotocol/clientCapabilities": {} } } }).to_string(),
            -32022,
            json!(10),
        ),
        (json!({ "jsonrpc": "2.0", "id": 11, "method": "ping", "params": { "_meta": meta() } }).to_string(), -32601, json!(11)),
        (json!({ "jsonrpc": "2.0", "id": 12, "method": "resources/read", "params": { "uri": "toolrun://results/none", "_meta": meta() } }).to_string(), -32602, json!(12)),
        (deep, -32600, json!(77)),
        (long, -32600, json!(78)),
        (long_end, -32600, json!("end")),
    ];
    let (_fake, _workspace, mut mcp) = server();
    for (line, code, id) in lines {
        let start: String = line.chars().take(100).collect();
        mcp.line(&line);
        let answer = mcp.message();
        assert_eq!(answer["error"]["code"], code, "{start}: {answer}");
        assert_eq!(
            answer.get("id").cloned().unwrap_or_default(),
            id,
            "{start}: {answer}"
        );
        assert!(
            answer["error"]["message"]
                .as_str()
                .is_some_and(|text| text.len() < 400),
            "{start}"
        );
        // The next request works.
        assert_eq!(mcp.tools().len(), 2, "{start}");
    }
    // Answers to nothing are not answered.
    for line in [
        "",
        "   ",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/none\"}",
    ] {
        mcp.line(line);
    }
    assert_eq!(mcp.message_within(Duration::from_millis(200)), None);
    assert_eq!(mcp.tools().len(), 2);
}

#[test]
fn a_line_may_come_byte_by_byte_and_several_at_once() {
    let (_fake, _workspace, mut mcp) = server();
    let line =
        json!({ "jsonrpc": "2.0", "id": 5, "method": "tools/list", "params": { "_meta": meta() } })
            .to_string();
    for byte in line.bytes() {
        mcp.bytes(&[byte]);
    }
    mcp.bytes(b"\r\n");
    assert_eq!(
        mcp.answer(5)["result"]["tools"].as_array().map(Vec::len),
        Some(2)
    );
    let many: String = (100..150)
        .map(|id| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/list", "params": { "_meta": meta() } }).to_string() + "\n")
        .collect();
    mcp.bytes(many.as_bytes());
    let ids: BTreeSet<i64> = (100..150)
        .map(|_| mcp.message()["id"].as_i64().expect("an id"))
        .collect();
    assert_eq!(ids.len(), 50);
}

#[test]
fn a_line_without_an_end_is_not_a_message() {
    let (_fake, _workspace, mut mcp) = server();
    mcp.bytes(b"{\"jsonrpc\":\"2.0\",\"id\":5,\"meth");
    mcp.close();
    assert_eq!(mcp.process.code(), 0);
}

#[test]
fn a_request_before_initialize_says_what_is_missing() {
    let fake = Fake::start(|_| Reply::ok());
    let mut mcp = probe(&fake).serve(&ONLY_PROBE);
    mcp.line("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}");
    let answer = mcp.answer(1);
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    assert!(
        answer["error"]["message"]
            .to_string()
            .contains("protocolVersion"),
        "{answer}"
    );
    assert_eq!(mcp.tools().len(), 2);
}

/// A client that only asks is told so, and what it asked before is still done.
#[test]
fn a_crowd_of_open_requests_is_refused_one_by_one() {
    let fake = Fake::start(|request| match request.path.as_str() {
        "/things/slow" => Reply::manner(Manner::Hang),
        _ => Reply::json(200, &json!({ "id": "x", "name": "y" })),
    });
    let mut mcp = probe(&fake).serve(&["--service", "probe", "--max-calls", "1"]);
    let call = |id: i64, thing: &str| {
        let params =
            json!({ "name": "probe_get_thing", "arguments": { "id": thing }, "_meta": meta() });
        json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }).to_string()
            + "\n"
    };
    let many: String = (0..600).map(|id| call(id, "slow")).collect();
    mcp.bytes(many.as_bytes());
    let mut refused = BTreeSet::new();
    while refused.len() < 600 - 512 {
        let answer = mcp.message();
        let id = answer["id"].as_i64().expect("an id");
        let said = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(said.contains("too many requests are open"), "{answer}");
        assert!(id >= 512 && refused.insert(id), "{answer}");
    }
    // What is cancelled makes room again.
    for id in 0..600 {
        let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
        mcp.line(&cancel.to_string());
    }
    mcp.line(call(1000, "x").trim_end());
    let answer = mcp.answer(1000);
    assert_eq!(answer["result"]["structuredContent"]["id"], "x", "{answer}");
}

/// A pseudo-random sequence, the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

/// A value of any kind.
fn anything(dice: &mut Dice, depth: usize) -> Value {
    match dice.roll(if depth == 0 { 6 } else { 8 }) {
        0 => Value::Null,
        1 => json!(dice.roll(2) == 0),
        2 => json!(dice.roll(1 << 30)),
        3 => json!("\u{202e}x\n\u{0}".repeat(dice.roll(4))),
        4 => json!(["tools/call", "tools/list", "x", "probe_get_thing", "2.0"][dice.roll(5)]),
        5 => json!(1e300),
        6 => (0..dice.roll(4))
            .map(|_| anything(dice, depth - 1))
            .collect(),
        _ => {
            let keys = [
                "name",
                "arguments",
                "id",
                "_meta",
                "cursor",
                "uri",
                "method",
            ];
            let member = |dice: &mut Dice| {
                (
                    keys[dice.roll(keys.len())].to_owned(),
                    anything(dice, depth - 1),
                )
            };
            (0..dice.roll(4))
                .map(|_| member(dice))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
    }
}

/// Requests whose parts are replaced by anything: each id gets one answer, the server lives, and its memory stays small.
#[test]
fn requests_of_any_shape_are_answered() {
    let (_fake, _workspace, mut mcp) = server();
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let methods = [
        "tools/call",
        "tools/list",
        "resources/read",
        "resources/list",
        "server/discover",
        "prompts/list",
        "completion/complete",
        "logging/setLevel",
        "tasks/get",
    ];
    let (mut open, mut sent) = (BTreeSet::new(), 0);
    for round in 0..3000_i64 {
        let id = 1_000_000 + round;
        let mut message = json!({
            "jsonrpc": "2.0", "id": id, "method": methods[dice.roll(methods.len())],
            "params": { "name": "probe_get_thing", "arguments": { "id": "x" }, "uri": "x", "_meta": meta() },
        });
        for _ in 0..=dice.roll(2) {
            let value = anything(&mut dice, 3);
            match dice.roll(7) {
                0 => message["params"] = value,
                1 => message["params"]["name"] = value,
                2 => message["params"]["arguments"] = value,
                3 => message["params"]["_meta"] = value,
                4 => message["method"] = value,
                5 => message["params"]["cursor"] = value,
                _ => message["jsonrpc"] = value,
            }
            if !message["params"].is_object() {
                break;
            }
        }
        let mut line = message.to_string();
        if dice.roll(10) == 0 {
            // Half a line is no message, and its id need not be known.
            let half = line.len() / 2;
            line.truncate(
                (0..=half)
                    .rev()
                    .find(|at| line.is_char_boundary(*at))
                    .unwrap_or(0),
            );
        } else {
            open.insert(id);
        }
        mcp.line(&line);
        sent += 1;
        if sent % 100 == 0 {
            settle(&mut mcp, &mut open);
        }
    }
    settle(&mut mcp, &mut open);
    assert_eq!(mcp.tools().len(), 2);
    #[cfg(target_os = "linux")]
    {
        let status = std::fs::read_to_string(format!("/proc/{}/status", mcp.process.id()))
            .expect("a status");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .expect("a peak");
        let kib: u64 = line
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("a number");
        eprintln!("the peak of memory: {kib} KiB");
        assert!(kib < 200 << 10, "{kib} KiB");
    }
}

/// Waits for the answers to all open requests.
#[track_caller]
fn settle(mcp: &mut Mcp, open: &mut BTreeSet<i64>) {
    while !open.is_empty() {
        let answer = mcp.message();
        if let Some(id) = answer["id"].as_i64() {
            open.remove(&id);
        }
        let is_one = answer.get("result").is_some() || answer.get("error").is_some();
        assert!(is_one || answer.get("method").is_some(), "{answer}");
    }
}
