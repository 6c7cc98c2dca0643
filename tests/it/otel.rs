//! OpenTelemetry: each call as a span and in measurements, at a collector on loopback. Built with the feature `otel` alone.

use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use crate::serve::{ONLY_PROBE, probe};
use crate::support::mcp::{Http, request};
use crate::support::{Fake, MODERN, Manner, Mcp, Reply, Workspace};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    (0..hex.len()).step_by(2).map(digit).collect()
}

fn has(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

/// What the collector got at a path, all of it.
fn got(collector: &Fake, path: &str) -> Vec<u8> {
    let requests = collector.requests();
    let there = requests.iter().filter(|request| request.path == path);
    there.flat_map(|request| request.body.clone()).collect()
}

fn service() -> Fake {
    Fake::start(|request| match request.path.as_str() {
        "/things/gone" => Reply::json(404, &json!({ "error": "no" })),
        _ => Reply::json(200, &json!({ "id": "x", "name": "hidden-name" })),
    })
}

fn call_with(mcp: &mut Mcp, id: &str) {
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let params = json!({ "name": "probe_get_thing", "arguments": { "id": id }, "_meta": { "traceparent": traceparent } });
    let answer = mcp.request("tools/call", params);
    assert!(answer.get("result").is_some(), "{answer}");
}

fn start(workspace: &Workspace, endpoint: &str) -> Mcp {
    let mut command = workspace.toolrun();
    command.arg("serve").args(ONLY_PROBE);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
    command.env("OTEL_EXPORTER_OTLP_HEADERS", "x-key=sk-made-up-key");
    Mcp::start(&mut command, MODERN)
}

#[test]
fn calls_are_spans_below_the_callers_own() {
    let (fake, collector) = (
        service(),
        Fake::start(|_| Reply::new(200, "application/x-protobuf", "")),
    );
    let workspace = probe(&fake);
    let mut mcp = start(&workspace, &collector.origin());
    for id in ["hidden-value", "gone"] {
        call_with(&mut mcp, id);
    }
    mcp.close();
    assert_eq!(mcp.process.code(), 0, "{}", mcp.process.said());
    let spans = got(&collector, "/v1/traces");
    for part in [
        &bytes(TRACE)[..],
        &bytes(PARENT),
        b"tools/call probe/get-thing",
        b"toolrun.decision",
        b"http.response.status_code",
        b"service.name",
    ] {
        assert!(
            has(&spans, part),
            "{} is not in the spans",
            String::from_utf8_lossy(part)
        );
    }
    let metrics = got(&collector, "/v1/metrics");
    for part in [
        &b"toolrun.calls"[..],
        b"toolrun.call.duration",
        b"toolrun.result.bytes",
        b"probe/get-thing",
    ] {
        assert!(
            has(&metrics, part),
            "{} is not in the metrics",
            String::from_utf8_lossy(part)
        );
    }
    for body in [spans, metrics] {
        for hidden in ["hidden-value", "hidden-name", "made-up"] {
            assert!(!has(&body, hidden.as_bytes()), "{hidden}");
        }
    }
    let first = &collector.requests()[0];
    assert_eq!(first.header("x-key"), Some("sk-made-up-key"));
    assert!(
        !mcp.process.said().contains("made-up"),
        "{}",
        mcp.process.said()
    );
    // The service is told nothing of the trace.
    for request in fake.requests() {
        assert_eq!(request.header("traceparent"), None);
    }
}

#[test]
fn the_parent_may_stand_in_a_header_too_and_a_wrong_one_is_none() {
    let (fake, collector) = (
        service(),
        Fake::start(|_| Reply::new(200, "application/x-protobuf", "")),
    );
    let workspace = probe(&fake);
    let mut command = workspace.toolrun();
    command
        .args(["serve", "--http", "127.0.0.1:0"])
        .args(ONLY_PROBE);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.origin());
    let mut http = Http::start(&mut command);
    let call = |traceparent: &str| {
        let params = json!({ "name": "probe_get_thing", "arguments": { "id": "x" } });
        let body = request(MODERN, 1, "tools/call", params).to_string();
        let headers = [
            ("mcp-protocol-version", MODERN),
            ("mcp-method", "tools/call"),
            ("mcp-name", "probe_get_thing"),
            ("traceparent", traceparent),
        ];
        assert_eq!(
            http.post(&headers, &body).json()["result"]["structuredContent"]["id"],
            "x"
        );
    };
    call(&format!("00-{TRACE}-{PARENT}-01"));
    let other = "11111111111111111111111111111111";
    for wrong in [
        format!("00-{other}"),
        format!("zz-{other}-{PARENT}-01"),
        format!("00-{other}-0000000000000000-01"),
        "x".repeat(5000),
    ] {
        call(&wrong);
    }
    http.process.terminate();
    assert_eq!(http.process.code(), 0, "{}", http.process.said());
    let spans = got(&collector, "/v1/traces");
    assert!(has(&spans, &bytes(TRACE)));
    assert!(!has(&spans, &bytes(other)));
}

#[test]
fn without_a_collector_nothing_is_sent_and_one_that_hangs_holds_nothing_up() {
    let fake = service();
    let workspace = probe(&fake);
    let hang = Fake::start(|_| Reply::manner(Manner::Hang));
    let refuses = Fake::start(|_| Reply::json(500, &Value::Null));
    let gone = crate::support::refused_origin();
    for (endpoint, told) in [
        ("", ""),
        (&*refuses.origin(), "answers with status 500"),
        (&*gone, "gets nothing"),
        (&*hang.origin(), ""),
    ] {
        let mut mcp = start(&workspace, endpoint);
        let begun = Instant::now();
        for _ in 0..20 {
            call_with(&mut mcp, "x");
        }
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{endpoint}: {:?}",
            begun.elapsed()
        );
        mcp.close();
        assert_eq!(mcp.process.code(), 0, "{}", mcp.process.said());
        let said = mcp.process.said();
        assert!(said.contains(told), "{endpoint}: {said}");
        assert!(said.matches("OpenTelemetry").count() <= 1, "{said}");
        assert!(
            begun.elapsed() < Duration::from_secs(25),
            "{endpoint}: {:?}",
            begun.elapsed()
        );
    }
}
