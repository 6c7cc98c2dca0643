//! What operators see of a server: `/metrics`, `/healthz` and `/readyz`.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use pretty_assertions::assert_eq;
use serde_json::json;

use crate::callers::add;
use crate::serve::{ONLY_PROBE, probe};
use crate::support::mcp::{Http, request};
use crate::support::{Fake, MODERN, Reply};

fn service() -> Fake {
    Fake::start(|request| match request.path.as_str() {
        "/things/gone" => Reply::json(404, &json!({ "error": "sk-made-up-secret" })),
        _ => Reply::json(200, &json!({ "id": "x", "name": "y" })),
    })
}

fn call(http: &Http, name: &str, arguments: serde_json::Value) {
    let params = json!({ "name": name, "arguments": arguments });
    let body = request(MODERN, 1, "tools/call", params).to_string();
    let headers = [
        ("mcp-protocol-version", MODERN),
        ("mcp-method", "tools/call"),
        ("mcp-name", name),
    ];
    http.post(&headers, &body);
}

#[test]
fn metrics_count_calls_and_show_no_value() {
    let fake = service();
    let workspace = probe(&fake);
    let http = workspace.serve_http(&ONLY_PROBE);
    call(&http, "probe_get_thing", json!({ "id": "hidden-value" }));
    call(&http, "probe_get_thing", json!({ "id": "hidden-value-2" }));
    call(&http, "probe_get_thing", json!({ "id": "gone" }));
    call(&http, "probe_get_thing", json!({}));
    call(&http, "probe_delete_thing", json!({ "id": "x" }));
    for number in 0..20 {
        call(&http, &format!("hidden-tool-{number}"), json!({}));
    }
    http.exchange("POST", "/mcp", &[("host", "evil.example.com")], "{}");
    http.exchange(
        "POST",
        "/mcp",
        &[("origin", "https://evil.example.com")],
        "{}",
    );
    let response = http.exchange("GET", "/metrics", &[], "");
    assert_eq!(response.status, 200);
    assert!(
        response
            .headers
            .contains("content-type: text/plain; version=0.0.4"),
        "{response:?}"
    );
    let text = response.body;
    for line in [
        "toolrun_calls_total{tool=\"probe/get-thing\",decision=\"allow\",ending=\"done\"} 2",
        "toolrun_calls_total{tool=\"probe/get-thing\",decision=\"allow\",ending=\"refused\"} 1",
        "toolrun_calls_total{tool=\"probe/delete-thing\",decision=\"deny\",ending=\"not_run\"} 1",
        "toolrun_calls_total{tool=\"unknown\",decision=\"none\",ending=\"unknown\"} 20",
        "toolrun_call_duration_seconds_count{tool=\"probe/get-thing\"} 4",
        "toolrun_upstream_errors_total{status=\"404\"} 1",
        "toolrun_calls_in_flight 0",
        "toolrun_tools 3",
        "toolrun_http_refused_total{reason=\"host\"} 1",
        "toolrun_http_refused_total{reason=\"origin\"} 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in {text}");
    }
    for hidden in ["hidden", "made-up", "evil"] {
        assert!(!text.contains(hidden), "{text}");
    }
    judge(&text);
}

/// The parser of Prometheus' own client reads the text.
fn judge(text: &str) {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/mcp-py/bin/python");
    let script = "import sys\nfrom prometheus_client.parser import text_string_to_metric_families as read\nfor family in read(sys.stdin.read()): print(family.name, family.type, len(family.samples))";
    let mut command = Command::new(python);
    command.args(["-c", script]).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        return skipped();
    };
    let mut stdin = child.stdin.take().expect("standard input");
    let _ = stdin.write_all(text.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("an end");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if said.contains("No module named") {
        return skipped();
    }
    assert!(output.status.success(), "{said}");
    let read = String::from_utf8_lossy(&output.stdout).into_owned();
    for family in [
        "toolrun_calls counter 5",
        "toolrun_call_duration_seconds histogram 28",
        "toolrun_calls_in_flight gauge 1",
    ] {
        assert!(
            read.lines().any(|line| line == family),
            "{family} is not in {read}"
        );
    }
}

fn skipped() {
    assert!(
        std::env::var_os("TOOLRUN_TEST_SDKS").is_none(),
        "prometheus_client is missing"
    );
    writeln!(
        std::io::stderr(),
        "SKIPPED: prometheus_client is not installed; .ci/sdks does it"
    )
    .expect("standard error");
}

#[test]
fn metrics_are_for_those_who_may_and_health_for_everybody() {
    let workspace = probe(&service());
    let agent = add(&workspace, "agent-1", &[]);
    let watcher = add(&workspace, "prometheus", &["--metrics"]);
    let http = workspace.serve_http(&[ONLY_PROBE[0], ONLY_PROBE[1], "--callers", "callers.yaml"]);
    let get = |path: &str, token: Option<&str>| {
        let value = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<(&str, &str)> = value
            .iter()
            .map(|value| ("authorization", value.as_str()))
            .collect();
        http.exchange("GET", path, &headers, "")
    };
    assert_eq!(get("/metrics", None).status, 401);
    assert_eq!(get("/metrics", Some("wrong")).status, 401);
    assert_eq!(get("/metrics", Some(&agent)).status, 403);
    let response = get("/metrics", Some(&watcher));
    assert_eq!(response.status, 200);
    assert!(
        response
            .body
            .contains("toolrun_http_refused_total{reason=\"unknown_token\"} 1\n"),
        "{response:?}"
    );
    for name in ["agent-1", &agent, "prometheus"] {
        assert!(!response.body.contains(name), "{response:?}");
    }
    for path in ["/healthz", "/readyz"] {
        for host in [http.address.as_str(), "10.0.0.7:8788"] {
            let response = http.exchange("GET", path, &[("host", host)], "");
            assert_eq!(
                (response.status, response.body.as_str()),
                (200, "ok\n"),
                "{path}"
            );
        }
    }
}
