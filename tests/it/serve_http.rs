//! `toolrun serve --http`: the same tools over HTTP, in every revision, and only for programs of this machine.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::serve::{ONLY_PROBE, probe};
use crate::support::{Fake, LEGACY, MODERN, Manner, Reply};

fn fake() -> Fake {
    Fake::start(|request| match request.path.as_str() {
        "/things/slow" => Reply::manner(Manner::Hang),
        "/things" => {
            std::thread::sleep(Duration::from_millis(60));
            Reply::json(
                200,
                &json!({ "data": [{ "id": "a" }], "more": !request.query.contains("after"), "last": "z" }),
            )
        }
        _ => Reply::json(200, &json!({ "id": "x", "name": "y" })),
    })
}

#[test]
fn every_revision_lists_and_calls() {
    let fake = fake();
    let http = probe(&fake).serve_http(&ONLY_PROBE);
    for revision in LEGACY.into_iter().chain([MODERN]) {
        if revision < MODERN {
            let params = json!({ "protocolVersion": revision, "capabilities": {}, "clientInfo": { "name": "t", "version": "0" } });
            let response = http.send(revision, "initialize", params);
            assert_eq!(
                response.json()["result"]["protocolVersion"],
                revision,
                "{response:?}"
            );
            // Nothing is kept between requests, so a flood of clients costs nothing.
            assert!(!response.headers.contains("mcp-session-id"), "{response:?}");
        }
        let tools = http.result(revision, "tools/list", json!({}));
        assert_eq!(
            tools["tools"].as_array().map(Vec::len),
            Some(2),
            "{revision}"
        );
        let response = http.send(
            revision,
            "tools/call",
            json!({ "name": "probe_get_thing", "arguments": { "id": "x" } }),
        );
        assert!(
            response.headers.contains("content-type: application/json"),
            "{response:?}"
        );
        let result = response.json()["result"].clone();
        assert_eq!(
            result["structuredContent"],
            json!({ "id": "x", "name": "y" }),
            "{revision}"
        );
        assert_eq!(
            result.get("resultType").is_some(),
            revision == MODERN,
            "{result}"
        );
    }
}

#[test]
fn foreign_hosts_and_origins_are_refused_whatever_they_ask_for() {
    let fake = fake();
    let http = probe(&fake).serve_http(&ONLY_PROBE);
    let port = http.address.rsplit(':').next().expect("a port").to_owned();
    let list = |extra: &[(&str, &str)], method: &str| {
        let mut headers = vec![
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", "2025-11-25"),
        ];
        headers.extend_from_slice(extra);
        let body = match method {
            "POST" => json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string(),
            _ => String::new(),
        };
        http.exchange(method, "/mcp", &headers, &body).status
    };
    let own = format!("http://127.0.0.1:{port}");
    let localhost = format!("localhost:{port}");
    for method in ["POST", "GET", "DELETE", "OPTIONS"] {
        for bad in [
            ("host", "evil.example.com"),
            ("host", "127.0.0.1.evil.example.com"),
            ("host", "evil.example.com:80"),
            ("origin", "https://evil.example.com"),
            ("origin", "null"),
            ("origin", "http://localhost:1"),
            ("origin", "http://127.0.0.1.evil.example.com"),
        ] {
            assert_eq!(list(&[bad], method), 403, "{method} {bad:?}");
        }
    }
    for good in [("origin", own.as_str()), ("host", localhost.as_str())] {
        assert_eq!(list(&[good], "POST"), 200, "{good:?}");
    }
    assert_eq!(list(&[], "GET"), 405);
    assert_eq!(list(&[], "DELETE"), 405);
    let response = http.exchange("OPTIONS", "/mcp", &[("origin", &own)], "");
    assert!(!response.headers.contains("access-control"), "{response:?}");
}

#[test]
fn malformed_requests_get_a_clear_answer() {
    let fake = fake();
    let http = probe(&fake).serve_http(&ONLY_PROBE);
    let deep = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"x\",\"params\":{}1{}}}",
        "[".repeat(5000),
        "]".repeat(5000)
    );
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(5 << 20));
    for (body, status, code) in [
        ("not json", 400, -32700),
        ("[]", 400, -32600),
        ("{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":7}", 400, -32600),
        (deep.as_str(), 400, -32600),
        (long.as_str(), 413, -32600),
    ] {
        let begun = Instant::now();
        let response = http.post(&[("mcp-protocol-version", MODERN)], body);
        let start: String = body.chars().take(60).collect();
        assert_eq!(response.status, status, "{start}: {response:?}");
        assert_eq!(response.json()["error"]["code"], code, "{start}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{start}");
    }
    let call = |params: Value| http.send(MODERN, "tools/call", params);
    for params in [
        json!({}),
        json!({ "name": "probe_get_thing", "arguments": [] }),
        json!({ "name": "no_such" }),
    ] {
        let response = call(params.clone());
        assert_eq!(
            response.json()["error"]["code"],
            -32602,
            "{params}: {response:?}"
        );
    }
    let response = http.send(MODERN, "no/such", json!({}));
    assert_eq!(
        (response.status, response.json()["error"]["code"].clone()),
        (404, json!(-32601)),
        "{response:?}"
    );
    let response = http.send("2099-01-01", "tools/list", json!({}));
    assert_eq!(
        (response.status, response.json()["error"]["code"].clone()),
        (400, json!(-32022)),
        "{response:?}"
    );
    assert_eq!(http.exchange("POST", "/other", &[], "{}").status, 400);
    assert_eq!(http.exchange("GET", "/", &[], "").status, 404);
}

#[test]
fn a_client_that_closes_its_connection_ends_the_call() {
    let fake = fake();
    let http = probe(&fake).serve_http(&["--service", "probe", "--verbose"]);
    let mut stream = TcpStream::connect(&http.address).expect("a connection");
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "probe_get_thing", "arguments": { "id": "slow" },
        "_meta": { "io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {} } } });
    let body = body.to_string();
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\nmcp-protocol-version: {MODERN}\r\nmcp-method: tools/call\r\nmcp-name: probe_get_thing\r\ncontent-length: {}\r\n\r\n{body}",
        http.address,
        body.len()
    )
    .expect("a request");
    fake.awaited();
    drop(stream);
    http.process.says("cancelled after");
}

/// Without it, each event of a stream waited some 40 ms for the client's acknowledgement.
#[test]
fn events_do_not_wait_for_acknowledgements() {
    let fake = fake();
    let http = probe(&fake).serve_http(&ONLY_PROBE);
    let mut stream = TcpStream::connect(&http.address).expect("a connection");
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "probe_list_things", "arguments": { "max_rows": 2 },
        "_meta": { "progressToken": 1, "io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {} } } });
    let body = body.to_string();
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\nmcp-protocol-version: {MODERN}\r\nmcp-method: tools/call\r\nmcp-name: probe_list_things\r\ncontent-length: {}\r\n\r\n{body}",
        http.address,
        body.len()
    )
    .expect("a request");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("a response");
    assert!(
        text.to_lowercase()
            .contains("content-type: text/event-stream"),
        "{text}"
    );
    assert!(text.contains("notifications/progress"), "{text}");
    assert!(text.contains("structuredContent"), "{text}");
    #[cfg(target_os = "linux")]
    {
        // The flag itself: the kernel shows timers of delayed acknowledgements nowhere, but the option can be asked for.
        let quick = Instant::now();
        for _ in 0..20 {
            let answer = http.call(MODERN, "probe_get_thing", json!({ "id": "x" }));
            assert_eq!(answer["structuredContent"]["id"], "x");
        }
        assert!(
            quick.elapsed() < Duration::from_millis(20 * 40),
            "{:?}",
            quick.elapsed()
        );
    }
}

#[cfg(unix)]
#[test]
fn a_signal_lets_calls_finish_and_ends_the_server() {
    let fake = Fake::start(|_| {
        std::thread::sleep(Duration::from_millis(400));
        Reply::json(200, &json!({ "id": "late" }))
    });
    let mut http = probe(&fake).serve_http(&ONLY_PROBE);
    let answer = std::thread::scope(|scope| {
        let call = scope.spawn(|| http.call(MODERN, "probe_get_thing", json!({ "id": "late" })));
        fake.awaited();
        http.process.terminate();
        call.join().expect("an answer")
    });
    assert_eq!(answer["structuredContent"]["id"], "late");
    assert_eq!(http.process.code(), 0, "{}", http.process.said());
}

#[test]
#[ignore = "long"]
fn too_many_calls_at_once_are_told_to_wait() {
    let fake = Fake::start(|request| match request.path.as_str() {
        "/things/slow" => Reply::manner(Manner::Hang),
        _ => Reply::json(200, &json!({ "id": "x" })),
    });
    let http =
        probe(&fake).serve_http(&["--service", "probe", "--max-calls", "1", "--deadline", "8s"]);
    std::thread::scope(|scope| {
        scope.spawn(|| http.call(MODERN, "probe_get_thing", json!({ "id": "slow" })));
        fake.awaited();
        let busy =
            crate::support::mcp::error(&http.call(MODERN, "probe_get_thing", json!({ "id": "x" })));
        assert_eq!(
            (busy["kind"].clone(), busy["retry"].clone()),
            (json!("busy"), json!(true)),
            "{busy}"
        );
    });
}

/// Calls that ask for nothing but the answer go past the SDK. With a kind of answer that no client needs they go
/// through it, and what comes back is the same, byte for byte.
#[test]
fn plain_calls_get_the_answer_of_the_sdk() {
    let fake = Fake::start(|request| match request.path.as_str() {
        "/things" => Reply::json(
            200,
            &json!({ "data": [{ "id": "a" }, { "id": "b" }], "more": true, "last": "z" }),
        ),
        "/things/gone" => Reply::json(404, &json!({ "error": { "message": "it is gone" } })),
        "/things/hostile" => Reply::json(
            200,
            &json!({ "id": "\u{1b}[2J\u{2028}</script>", "name": "\"},\"id\":9,\"x\":{\"text\":\"" }),
        ),
        "/things/broken" => Reply::json(200, &json!([1])),
        _ => Reply::json(200, &json!({ "id": "x", "name": "y" })),
    });
    let workspace = probe(&fake);
    let direct = workspace.serve_http(&ONLY_PROBE);
    let searched = workspace.serve_http(&["--service", "probe", "--direct", "0"]);
    let calls = [
        json!({ "name": "probe_get_thing", "arguments": { "id": "x" } }),
        json!({ "name": "probe_get_thing", "arguments": { "id": "hostile" } }),
        json!({ "name": "probe_get_thing", "arguments": { "id": "gone" } }),
        json!({ "name": "probe_get_thing", "arguments": { "id": "broken" } }),
        json!({ "name": "probe_get_thing", "arguments": { "id": 7 } }),
        json!({ "name": "probe_get_thing" }),
        json!({ "name": "probe_get_thing", "arguments": null }),
        json!({ "name": "probe/get-thing", "arguments": { "id": "x" } }),
        json!({ "name": "probe_list_things", "arguments": {} }),
        json!({ "name": "probe_list_things", "arguments": { "max_rows": 3, "format": "table" } }),
        json!({ "name": "probe_list_things", "arguments": { "columns": ["no"] } }),
        json!({ "name": "probe_delete_thing", "arguments": { "id": "x" } }),
        json!({ "name": "no_such", "arguments": { "id": "x" } }),
        json!({ "name": "", "arguments": {} }),
        json!({ "name": "search_tools", "arguments": { "query": "thing" } }),
        json!({ "name": "describe_tool", "arguments": { "name": "probe_get_thing" } }),
        json!({ "name": "call_tool", "arguments": { "name": "probe_get_thing", "arguments": { "id": "x" } } }),
    ];
    let revisions = [None, Some("2024-11-05")]
        .into_iter()
        .chain(LEGACY.into_iter().chain([MODERN]).map(Some));
    for revision in revisions {
        for (at, call) in calls.iter().enumerate() {
            for http in [&direct, &searched] {
                let id = match at % 2 {
                    0 => json!(at),
                    _ => json!(format!("a \"text\":\"{at}\"")),
                };
                let mut params = call.clone();
                let mut headers = vec![("content-type", "application/json")];
                headers.extend(revision.map(|revision| ("mcp-protocol-version", revision)));
                let name = call["name"].as_str().expect("a name");
                if revision == Some(MODERN) {
                    params["_meta"] = json!({ "io.modelcontextprotocol/protocolVersion": MODERN,
                        "io.modelcontextprotocol/clientCapabilities": { "elicitation": {} } });
                    headers.extend([("mcp-method", "tools/call"), ("mcp-name", name)]);
                }
                let body =
                    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params });
                let answer = |accept| {
                    let mut headers = headers.clone();
                    headers.push(("accept", accept));
                    let response = http.exchange("POST", "/mcp", &headers, &body.to_string());
                    let lines = response.headers.lines();
                    let kept = lines.filter(|line| !line.starts_with("date:"));
                    let headers: Vec<String> = kept.map(str::to_owned).collect();
                    (response.status, headers, response.body)
                };
                let plain = answer("application/json, text/event-stream");
                let through = answer("application/json, text/event-stream, text/x-sdk");
                assert_eq!(plain, through, "{revision:?} {call}");
                assert_eq!(plain.0, 200, "{revision:?} {call}: {plain:?}");
            }
        }
    }
}

/// What contradicts itself is refused however plain it looks: whoever stands between routes by the headers.
#[test]
fn a_call_whose_headers_say_otherwise_is_refused() {
    let fake = fake();
    let http = probe(&fake).serve_http(&ONLY_PROBE);
    let meta = json!({ "io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {} });
    let body = |meta: &Value| {
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": "probe_get_thing", "arguments": { "id": "x" }, "_meta": meta } })
        .to_string()
    };
    let good = [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", MODERN),
        ("mcp-method", "tools/call"),
        ("mcp-name", "probe_get_thing"),
    ];
    let send = |headers: &[(&str, &str)], meta: &Value| {
        let response = http.exchange("POST", "/mcp", headers, &body(meta));
        (response.status, response.body)
    };
    assert_eq!(send(&good, &meta).0, 200);
    let without = |name: &str| -> Vec<(&str, &str)> {
        good.into_iter().filter(|(one, _)| *one != name).collect()
    };
    let with = |name: &'static str, value: &'static str| {
        let mut headers = without(name);
        headers.push((name, value));
        headers
    };
    let twice = |name: &'static str, value: &'static str| {
        let mut headers = good.to_vec();
        headers.push((name, value));
        headers
    };
    let older = json!({ "io.modelcontextprotocol/protocolVersion": "2025-06-18" });
    let bare = json!({ "io.modelcontextprotocol/protocolVersion": MODERN });
    for (headers, meta, status) in [
        (with("mcp-name", "probe_list_things"), &meta, 400),
        (with("mcp-method", "tools/list"), &meta, 400),
        (with("mcp-protocol-version", "2025-06-18"), &meta, 400),
        (with("mcp-protocol-version", "2099-01-01"), &meta, 400),
        (without("mcp-name"), &meta, 400),
        (without("mcp-method"), &meta, 400),
        (without("mcp-protocol-version"), &meta, 400),
        (good.to_vec(), &older, 400),
        (good.to_vec(), &bare, 400),
        (good.to_vec(), &Value::Null, 400),
        (with("accept", "application/json"), &meta, 406),
        (with("accept", "*/*"), &meta, 406),
        (without("accept"), &meta, 406),
        (with("content-type", "text/plain"), &meta, 415),
        (without("content-type"), &meta, 415),
        (twice("mcp-name", "probe_list_things"), &meta, 400),
    ] {
        let (got, body) = send(&headers, meta);
        assert_eq!(got, status, "{headers:?} {meta}: {body}");
    }
    fake.requests();
}
