//! Callers: `toolrun callers` writes their file, and `serve --http --callers` lets in those whom it names, and nobody else.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use crate::serve::{ONLY_PROBE, probe};
use crate::support::mcp::{Http, Response, error, request};
use crate::support::{Fake, LEGACY, MODERN, Manner, Reply, Workspace, assert_tells};

/// Adds a caller, and gives its token.
pub(crate) fn add(workspace: &Workspace, name: &str, more: &[&str]) -> String {
    let words = [&["callers", "add", name, "--callers", "callers.yaml"], more].concat();
    let output = workspace.run(&words).expect(0);
    let token = output.stdout.trim().to_owned();
    assert_eq!(output.stdout, format!("{token}\n"));
    assert!(!output.stderr.contains(&token), "{output:?}");
    token
}

fn text(workspace: &Workspace) -> String {
    std::fs::read_to_string(workspace.path().join("callers.yaml")).expect("a file")
}

fn service() -> Fake {
    Fake::start(|request| match request.path.as_str() {
        "/things/slow" => Reply::manner(Manner::Hang),
        "/things" => {
            let things: Vec<Value> = (0..200)
                .map(|i| json!({ "id": format!("id-{i}"), "name": "a thing with a long name" }))
                .collect();
            Reply::json(200, &json!({ "data": things, "more": false }))
        }
        _ => Reply::json(200, &json!({ "id": "x", "name": "y" })),
    })
}

/// A server of the probe's tools for the callers of the file.
fn serve(workspace: &Workspace, more: &[&str]) -> Http {
    let flags = [&ONLY_PROBE[..], &["--callers", "callers.yaml"], more].concat();
    workspace.serve_http(&flags)
}

/// Sends a message with these headers beside the usual ones.
fn send(http: &Http, headers: &[(&str, &str)], method: &str, params: Value) -> Response {
    let body = request(MODERN, 1, method, params.clone()).to_string();
    let name = params["name"].as_str().or(params["uri"].as_str());
    let mut all = vec![("mcp-protocol-version", MODERN), ("mcp-method", method)];
    all.extend(name.map(|name| ("mcp-name", name)));
    all.extend_from_slice(headers);
    http.post(&all, &body)
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn list(http: &Http, authorization: &str) -> Response {
    let header = [("authorization", authorization)];
    send(http, &header, "tools/list", json!({}))
}

/// A call of a caller.
fn call(http: &Http, token: &str, tool: &str, arguments: Value) -> Value {
    let params = json!({ "name": tool, "arguments": arguments });
    let header = [("authorization", &*bearer(token))];
    let response = send(http, &header, "tools/call", params);
    assert_eq!(response.status, 200, "{response:?}");
    response.json()["result"].clone()
}

#[test]
fn a_token_is_shown_once_and_its_hash_is_kept() {
    let workspace = probe(&service());
    let token = add(&workspace, "agent-1", &[]);
    assert!(
        token.starts_with("toolrun_") && token.len() == 51,
        "{token}"
    );
    let written = text(&workspace);
    assert!(
        written.contains("token: sha256:") && !written.contains(&token),
        "{written}"
    );
    // What people write beside it stays.
    let own = format!("# ours\n{written}    # the first one\n");
    workspace.write("callers.yaml", &own);
    let claims = r#"{"team":"data","level":3}"#;
    let more = [
        "--claims",
        claims,
        "--rate",
        "60",
        "--concurrency",
        "2",
        "--expires",
        "2099-01-31",
    ];
    let second = add(&workspace, "agent-2", &more);
    let written = text(&workspace);
    assert!(written.starts_with(&own), "{written}");
    assert_ne!(token, second);
    workspace
        .run(&["validate", "callers.yaml", "--deny-warnings"])
        .expect(0);
    let listed = workspace
        .run(&["callers", "list", "--callers", "callers.yaml"])
        .expect(0);
    for part in ["agent-1", "agent-2", "2099-01-31T00:00:00Z", claims] {
        assert!(listed.stdout.contains(part), "{part} is not in {listed:?}");
    }
    let listed = workspace
        .run(&["callers", "list", "--callers", "callers.yaml", "--json"])
        .expect(0)
        .json();
    assert_eq!(
        listed["callers"][1],
        json!({ "name": "agent-2", "claims": { "team": "data", "level": 3 }, "concurrency": 2, "rate": 60,
            "expires": "2099-01-31T00:00:00Z", "has_ended": false, "metrics": false })
    );
    assert!(!listed.to_string().contains("sha256"), "{listed}");
    workspace
        .run(&["callers", "remove", "agent-2", "--callers", "callers.yaml"])
        .expect(0);
    assert_eq!(text(&workspace), own);
    workspace
        .run(&["callers", "remove", "agent-1", "--callers", "callers.yaml"])
        .expect(0);
    workspace.run(&["validate", "callers.yaml"]).expect(0);
    assert!(
        text(&workspace).contains("tokens: []"),
        "{}",
        text(&workspace)
    );
}

#[test]
fn what_cannot_be_added_or_removed_leaves_the_file_as_it_is() {
    let workspace = probe(&service());
    add(&workspace, "agent-1", &[]);
    let before = text(&workspace);
    let file = ["--callers", "callers.yaml"];
    for (words, code, tells) in [
        (&["add", "agent-1"][..], 2, "has a caller `agent-1` already"),
        (&["add", "local"], 2, "whoever started the server"),
        (&["add", "a b"], 2, "letters, digits"),
        (&["add", ""], 2, "letters, digits"),
        (
            &["add", "x", "--expires", "2001-01-31"],
            2,
            "this time is over",
        ),
        (&["add", "x", "--expires", "soon"], 2, "write a day"),
        (&["add", "x", "--rate", "0"], 2, "--rate"),
        (&["add", "x", "--claims", "[]"], 2, "write one JSON object"),
        (
            &["remove", "agent-2"],
            2,
            "no caller `agent-2`; did you mean `agent-1`?",
        ),
    ] {
        let words = [&["callers"], words, &file].concat();
        let output = workspace.run(&words).expect(code);
        assert_eq!(output.stdout, "", "{words:?}");
        assert_tells(&output, &[tells]);
        assert_eq!(text(&workspace), before, "{words:?}");
    }
    workspace.write("callers.yaml", "callers: 1\ntokens: [{ name: a }]\n");
    let broken = workspace
        .run(&["callers", "add", "x", file[0], file[1]])
        .expect(3);
    assert_tells(&broken, &["callers.yaml:2:", "missing-key"]);
    workspace.write("callers.yaml", "{ callers: 1 }\n");
    let output = workspace
        .run(&["callers", "add", "x", file[0], file[1]])
        .expect(1);
    assert_tells(&output, &["change it by hand"]);
    workspace
        .run(&["callers", "list", "--callers", "no-such.yaml"])
        .expect(3);
    workspace
        .run(&["callers", "remove", "x", "--callers", "no-such.yaml"])
        .expect(1);
}

/// Whoever writes a token itself into the file must not see it in what a check prints.
#[test]
fn a_token_in_the_place_of_its_hash_is_never_shown() {
    let workspace = probe(&service());
    for token in [
        "hunter2-and-more",
        "toolrun_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        workspace.write(
            "callers.yaml",
            format!("callers: 1\ntokens: [{{ name: a, token: {token} }}]\n"),
        );
        for words in [
            &["validate", "callers.yaml"][..],
            &["validate", "callers.yaml", "--format", "json"],
            &["validate", "callers.yaml", "--format", "sarif"],
            &["callers", "list", "--callers", "callers.yaml"],
            &[
                "serve",
                "--http",
                "127.0.0.1:0",
                "--callers",
                "callers.yaml",
            ],
        ] {
            let output = workspace.run(words).expect(3);
            let said = output.stdout + &output.stderr;
            assert!(said.contains("callers add"), "{words:?}: {said}");
            assert!(!said.contains(token), "{words:?}: {said}");
        }
    }
}

#[cfg(unix)]
#[test]
fn files_that_others_could_change_are_refused_and_links_stay_links() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let workspace = probe(&service());
    add(&workspace, "agent-1", &[]);
    let path = workspace.path().join("callers.yaml");
    let mode =
        |path: &std::path::Path| path.metadata().expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    let link = workspace.path().join("link.yaml");
    symlink("callers.yaml", &link).expect("a link");
    workspace
        .run(&["callers", "add", "agent-2", "--callers", "link.yaml"])
        .expect(0);
    assert!(link.symlink_metadata().expect("a link").is_symlink());
    assert!(text(&workspace).contains("agent-2"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).expect("a mode");
    let words = [
        "serve",
        "--http",
        "127.0.0.1:0",
        "--callers",
        "callers.yaml",
    ];
    let output = workspace.run(&words).expect(3);
    assert_tells(&output, &["other users can write to it"]);
    let words = ["callers", "add", "x", "--callers", "callers.yaml"];
    assert_tells(
        &workspace.run(&words).expect(1),
        &["other users can write to it"],
    );
    // A pipe is never waited for.
    std::fs::remove_file(&path).expect("a file");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.expect("mkfifo").success());
    let begun = Instant::now();
    for words in [
        &[
            "serve",
            "--http",
            "127.0.0.1:0",
            "--callers",
            "callers.yaml",
        ][..],
        &["callers", "list", "--callers", "callers.yaml"],
    ] {
        assert_tells(&workspace.run(words).expect(3), &["no plain file"]);
    }
    let words = ["callers", "add", "x", "--callers", "callers.yaml"];
    assert_tells(&workspace.run(&words).expect(1), &["no plain file"]);
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn only_a_token_lets_in() {
    let workspace = probe(&service());
    let token = add(&workspace, "agent-1", &[]);
    let other = "toolrun_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let old = "toolrun_old";
    let hash = "sha256:".to_owned() + &sha256(old);
    let written = text(&workspace);
    workspace.write(
        "callers.yaml",
        format!("{written}  - {{ name: past, token: \"{hash}\", expires: 2020-01-01 }}\n"),
    );
    let http = serve(&workspace, &["--verbose"]);
    let own_hash = written
        .split("sha256:")
        .nth(1)
        .expect("a hash")
        .trim()
        .to_owned();
    for (authorization, status, challenge) in [
        (None, 401, "bearer realm=\"toolrun\"\r\n"),
        (
            Some("Basic YTpi".to_owned()),
            401,
            "bearer realm=\"toolrun\"\r\n",
        ),
        (Some(token.clone()), 401, "bearer realm=\"toolrun\"\r\n"),
        (Some(bearer(other)), 401, "error=\"invalid_token\""),
        (Some(bearer(old)), 401, "error=\"invalid_token\""),
        (
            Some(bearer(&token[..token.len() - 1])),
            401,
            "error=\"invalid_token\"",
        ),
        (
            Some(bearer(&token.to_uppercase())),
            401,
            "error=\"invalid_token\"",
        ),
        (Some(bearer(&own_hash)), 401, "error=\"invalid_token\""),
        (
            Some(bearer(&format!("sha256:{own_hash}"))),
            400,
            "error=\"invalid_request\"",
        ),
        (Some(bearer("")), 400, "error=\"invalid_request\""),
        (
            Some(bearer(&format!("{token} x"))),
            400,
            "error=\"invalid_request\"",
        ),
        (
            Some(bearer(&format!("{token}\", \"x"))),
            400,
            "error=\"invalid_request\"",
        ),
        (
            Some(bearer(&"a".repeat(20_000))),
            400,
            "error=\"invalid_request\"",
        ),
        (Some(bearer(&"a".repeat(200_000))), 431, ""),
    ] {
        for method in ["POST", "GET", "DELETE", "OPTIONS"] {
            let mut headers = vec![
                ("content-type", "application/json"),
                ("accept", "application/json, text/event-stream"),
            ];
            headers.extend(
                authorization
                    .as_deref()
                    .map(|value| ("authorization", value)),
            );
            let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string();
            let path = format!("/mcp?access_token={token}");
            let response = http.exchange(method, &path, &headers, &body);
            let start: String = authorization
                .iter()
                .flat_map(|a| a.chars())
                .take(60)
                .collect();
            assert_eq!(response.status, status, "{method} {start}: {response:?}");
            assert!(
                (response.headers.clone() + "\r\n").contains(challenge),
                "{method} {start}: {response:?}"
            );
            assert!(!format!("{response:?}").contains(&token), "{response:?}");
        }
    }
    for revision in LEGACY.into_iter().chain([MODERN]) {
        let body = request(revision, 1, "tools/list", json!({})).to_string();
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let value = format!("{scheme} {token}");
            let mut headers = vec![
                ("mcp-protocol-version", revision),
                ("authorization", &*value),
            ];
            if revision == MODERN {
                headers.push(("mcp-method", "tools/list"));
            }
            let response = http.post(&headers, &body);
            assert_eq!(response.status, 200, "{revision}: {response:?}");
            // Whose id it is does not matter: no session is kept, and each request has its own token.
            headers.push(("mcp-session-id", "another"));
            assert_eq!(http.post(&headers, &body).status, 200);
            headers[1].1 = "Bearer x";
            assert_eq!(http.post(&headers, &body).status, 401);
        }
    }
    let twice = [
        ("authorization", &*bearer(&token)),
        ("authorization", &*bearer(&token)),
    ];
    assert_eq!(send(&http, &twice, "tools/list", json!({})).status, 400);
    // Many refusals are one line, without a token.
    let said = http
        .process
        .says("whose token is that of no caller of callers.yaml");
    assert_eq!(said.matches("of no caller").count(), 1, "{said}");
    for secret in [&*token, other, old] {
        assert!(!http.process.said().contains(secret), "{said}");
    }
}

fn sha256(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn hosts_and_origins_are_checked_with_a_token_too() {
    let workspace = probe(&service());
    let token = bearer(&add(&workspace, "agent-1", &[]));
    let flags = [
        "--allow-host",
        "Tools.example.com",
        "--allow-host",
        "other.example.com:8443",
    ];
    let http = serve(&workspace, &flags);
    let port = http.address.rsplit(':').next().expect("a port").to_owned();
    let own_port = format!("http://tools.example.com:{port}");
    for (name, value, status) in [
        ("host", "evil.example.com", 403),
        ("host", "x.tools.example.com", 403),
        ("host", "tools.example.com.evil.com", 403),
        ("host", "tools.example.com", 200),
        ("host", "tools.example.com:443", 200),
        ("host", "TOOLS.example.com", 200),
        ("host", "other.example.com:8443", 200),
        ("origin", "https://tools.example.com", 200),
        ("origin", &own_port, 200),
        ("origin", "https://other.example.com:8443", 200),
        ("origin", "https://other.example.com", 403),
        ("origin", "https://evil.example.com", 403),
        ("origin", "https://tools.example.com:1", 403),
        ("origin", "null", 403),
    ] {
        let headers = [("authorization", &*token), (name, value)];
        let response = send(&http, &headers, "tools/list", json!({}));
        assert_eq!(response.status, status, "{name}: {value}: {response:?}");
        // A foreign page learns nothing of tokens.
        if status == 403 {
            let refused = send(&http, &[(name, value)], "tools/list", json!({}));
            assert_eq!(refused.status, 403, "{name}: {value}");
        }
    }
    for wrong in ["https://x.com", "x.com/y", "*", "a@b", "*.x.com", ""] {
        let words = ["serve", "--http", "127.0.0.1:0", "--allow-host", wrong];
        assert_tells(&workspace.run(&words).expect(2), &["write a host name"]);
    }
}

#[test]
fn an_open_address_needs_callers() {
    let workspace = probe(&service());
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
        let output = workspace.run(&["serve", "--http", address]).expect(5);
        assert_tells(&output, &["is not a loopback address", "--callers FILE"]);
    }
    let token = add(&workspace, "agent-1", &[]);
    let mut command = workspace.toolrun();
    command
        .args(["serve", "--http", "0.0.0.0:0", "--callers", "callers.yaml"])
        .args(ONLY_PROBE);
    let mut http = Http::start(&mut command);
    http.address = http.address.replace("0.0.0.0", "127.0.0.1");
    assert_eq!(list(&http, &bearer(&token)).status, 200);
    assert_eq!(list(&http, "Bearer x").status, 401);
    // Without an address there is nobody to let in.
    workspace
        .run(&["serve", "--callers", "callers.yaml"])
        .expect(2);
}

/// Opens a stream of changes, and reads its head.
fn listen(http: &Http, token: &str) -> TcpStream {
    let body = request(
        MODERN,
        1,
        "subscriptions/listen",
        json!({ "notifications": { "toolsListChanged": true } }),
    )
    .to_string();
    let mut stream = TcpStream::connect(&http.address).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a timeout");
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\nmcp-protocol-version: {MODERN}\r\nmcp-method: subscriptions/listen\r\ncontent-length: {}\r\n\r\n{body}",
        http.address,
        body.len()
    )
    .expect("a request");
    let mut part = [0; 4096];
    let count = stream.read(&mut part).expect("a head");
    let head = String::from_utf8_lossy(&part[..count]).to_lowercase();
    assert!(
        head.starts_with("http/1.1 200") && head.contains("text/event-stream"),
        "{head}"
    );
    stream
}

/// Whether a stream is still open after this time.
fn is_open(stream: &mut TcpStream, time: Duration) -> bool {
    stream.set_read_timeout(Some(time)).expect("a timeout");
    let mut part = [0; 4096];
    loop {
        match stream.read(&mut part) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => {
                return matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                );
            }
        }
    }
}

#[test]
#[ignore = "long"]
fn a_change_of_the_file_is_seen_and_a_removed_caller_is_shown_out() {
    let fake = service();
    let workspace = probe(&fake);
    let first = add(&workspace, "agent-1", &[]);
    let second = add(&workspace, "agent-2", &[]);
    let http = serve(&workspace, &["--verbose"]);
    let (mut gone, mut stays) = (listen(&http, &first), listen(&http, &second));
    assert!(is_open(&mut gone, Duration::from_millis(700)));
    let call_of_first = std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            let params = json!({ "name": "probe_get_thing", "arguments": { "id": "slow" } });
            send(
                &http,
                &[("authorization", &*bearer(&first))],
                "tools/call",
                params,
            )
        });
        fake.awaited();
        workspace
            .run(&["callers", "remove", "agent-1", "--callers", "callers.yaml"])
            .expect(0);
        slow.join().expect("an answer")
    });
    // The call that ran ends, and so does the request to the service.
    assert_eq!(call_of_first.status, 401, "{call_of_first:?}");
    http.process.says("cancelled after");
    assert!(!is_open(&mut gone, Duration::from_secs(10)));
    assert_eq!(list(&http, &bearer(&first)).status, 401);
    assert_eq!(list(&http, &bearer(&second)).status, 200);
    http.process
        .says("callers.yaml has changed; its 1 callers are let in");
    // A broken file, and none, leave the last good one in force, and that is said.
    let good = text(&workspace);
    workspace.write("callers.yaml", "callers: 1\ntokens: [{ name: x }]\n");
    http.process
        .says("callers.yaml is broken; the callers from before are let in");
    assert!(
        http.process.said().contains("missing-key"),
        "{}",
        http.process.said()
    );
    assert_eq!(list(&http, &bearer(&second)).status, 200);
    std::fs::remove_file(workspace.path().join("callers.yaml")).expect("a file");
    http.process.says("unreadable-file");
    assert_eq!(list(&http, &bearer(&second)).status, 200);
    workspace.write("callers.yaml", &good);
    http.process
        .says("callers.yaml is as it was; its callers are let in");
    // Another allowance shows nobody out.
    workspace.write(
        "callers.yaml",
        good.replace("name: agent-2", "name: agent-2\n    rate: 1000"),
    );
    http.process.says("callers.yaml has changed");
    assert!(is_open(&mut stays, Duration::from_millis(700)));
    // But later removal does, and so does another token under the same name.
    workspace
        .run(&["callers", "remove", "agent-2", "--callers", "callers.yaml"])
        .expect(0);
    let third = add(&workspace, "agent-2", &[]);
    assert!(!is_open(&mut stays, Duration::from_secs(10)));
    assert_eq!(list(&http, &bearer(&second)).status, 401);
    assert_eq!(list(&http, &bearer(&third)).status, 200);
}

#[test]
#[ignore = "long"]
fn a_token_that_ends_shows_its_caller_out() {
    let workspace = probe(&service());
    let token = add(&workspace, "agent-1", &[]);
    let end = jiff::Timestamp::now() + Duration::from_secs(3);
    let written = text(&workspace);
    workspace.write("callers.yaml", format!("{written}    expires: {end}\n"));
    let http = serve(&workspace, &[]);
    let mut stream = listen(&http, &token);
    assert!(!is_open(&mut stream, Duration::from_secs(10)));
    assert_eq!(list(&http, &bearer(&token)).status, 401);
}

#[test]
fn a_policy_sees_who_calls_and_no_caller_reads_what_another_was_given() {
    let fake = service();
    let workspace = probe(&fake);
    workspace.write(
        "policy.yaml",
        "policy: 1\nrules:\n  - { tools: probe/get-thing, callers: [agent-1], do: allow }\n  - { tools: probe/list-things, when: \"{{ caller.claims.team == 'data' }}\", do: allow }\n  - { tools: \"probe/*\", do: deny, why: Not for you. }\n",
    );
    let first = add(&workspace, "agent-1", &["--claims", r#"{"team":"web"}"#]);
    let second = add(&workspace, "agent-2", &["--claims", r#"{"team":"data"}"#]);
    let third = add(&workspace, "agent-3", &["--claims", r#"{"team":"data"}"#]);
    let flags = [
        "--policy",
        "policy.yaml",
        "--max-result-bytes",
        "2000",
        "--verbose",
    ];
    let http = serve(&workspace, &flags);
    let allowed = |token: &str, tool: &str| {
        let result = call(&http, token, tool, json!({ "id": "x" }));
        let result = match tool {
            "probe_list_things" => call(&http, token, tool, json!({})),
            _ => result,
        };
        result["isError"] != json!(true)
    };
    for (token, gets, lists) in [
        (&first, true, false),
        (&second, false, true),
        (&third, false, true),
    ] {
        assert_eq!(allowed(token, "probe_get_thing"), gets);
        assert_eq!(allowed(token, "probe_list_things"), lists);
    }
    let refusal = error(&call(
        &http,
        &second,
        "probe_get_thing",
        json!({ "id": "x" }),
    ));
    assert_eq!(refusal["message"], "Not for you.", "{refusal}");
    let result = call(&http, &second, "probe_list_things", json!({}));
    let uri = result["content"][1]["uri"]
        .as_str()
        .expect("a link")
        .to_owned();
    let read = |token: &str| {
        let header = [("authorization", &*bearer(token))];
        send(&http, &header, "resources/read", json!({ "uri": uri })).json()
    };
    assert!(read(&second)["result"]["contents"][0]["text"].is_string());
    for other in [&first, &third] {
        let answer = read(other);
        assert!(
            answer["error"]["message"]
                .as_str()
                .is_some_and(|m| m.contains("no such resource")),
            "{answer}"
        );
    }
    // The token of a caller goes nowhere.
    let said = http.process.says("agent-2 called probe/list-things");
    for token in [&first, &second, &third] {
        assert!(!said.contains(token.as_str()), "{said}");
        for request in fake.requests() {
            assert!(
                !format!("{request:?}").contains(token.as_str()),
                "{request:?}"
            );
            assert_eq!(request.header("authorization"), None, "{request:?}");
        }
    }
}

#[test]
#[ignore = "long"]
fn each_caller_has_its_own_rate_and_its_own_calls() {
    let fake = service();
    let workspace = probe(&fake);
    let slow = add(&workspace, "slow", &["--rate", "3"]);
    let narrow = add(&workspace, "narrow", &["--concurrency", "1"]);
    let free = add(&workspace, "free", &[]);
    let http = serve(&workspace, &["--deadline", "8s"]);
    let statuses: Vec<u16> = (0..4).map(|_| list(&http, &bearer(&slow)).status).collect();
    assert_eq!(statuses, [200, 200, 200, 429]);
    let refused = list(&http, &bearer(&slow));
    assert!(
        refused.headers.contains("retry-after: 20") || refused.headers.contains("retry-after: 19"),
        "{refused:?}"
    );
    assert!(
        refused.json()["error"]["message"]
            .as_str()
            .is_some_and(|m| m.contains("seconds")),
        "{refused:?}"
    );
    assert_eq!(list(&http, &bearer(&free)).status, 200);
    std::thread::scope(|scope| {
        scope.spawn(|| call(&http, &narrow, "probe_get_thing", json!({ "id": "slow" })));
        fake.awaited();
        let begun = Instant::now();
        let busy = error(&call(
            &http,
            &narrow,
            "probe_get_thing",
            json!({ "id": "x" }),
        ));
        assert_eq!(
            (&busy["kind"], &busy["retry"]),
            (&json!("busy"), &json!(true)),
            "{busy}"
        );
        assert!(
            busy["message"]
                .as_str()
                .is_some_and(|m| m.contains("your calls")),
            "{busy}"
        );
        assert!(begun.elapsed() < Duration::from_secs(3));
        // Lists are no calls, and other callers have their own.
        assert_eq!(list(&http, &bearer(&narrow)).status, 200);
        let result = call(&http, &free, "probe_get_thing", json!({ "id": "x" }));
        assert_eq!(result["structuredContent"]["id"], "x");
    });
}

/// Whoever has no token costs nearly nothing: thousands of wrong ones, and hundreds of connections that never say
/// anything, leave room for those who have one.
#[test]
#[ignore = "long"]
fn those_without_a_token_do_not_get_in_the_way() {
    let workspace = probe(&service());
    let token = bearer(&add(&workspace, "agent-1", &[]));
    for number in 0..50 {
        add(&workspace, &format!("more-{number}"), &[]);
    }
    let http = serve(&workspace, &[]);
    let silent: Vec<TcpStream> = (0..400)
        .map(|_| {
            let mut stream = TcpStream::connect(&http.address).expect("a connection");
            stream
                .write_all(b"POST /mcp HTTP/1.1\r\nhost: 127.0")
                .expect("a start");
            stream
        })
        .collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut stream = TcpStream::connect(&http.address).expect("a connection");
                let one = format!(
                    "POST /mcp HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer wrong\r\ncontent-length: 0\r\n\r\n",
                    http.address
                );
                let mut part = [0; 1024];
                for _ in 0..500 {
                    stream.write_all(one.as_bytes()).expect("a request");
                    let count = stream.read(&mut part).expect("an answer");
                    assert!(part[..count].starts_with(b"HTTP/1.1 401"));
                }
            });
        }
        let begun = Instant::now();
        assert_eq!(list(&http, &token).status, 200);
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{:?}",
            begun.elapsed()
        );
    });
    drop(silent);
    let said = http.process.said();
    assert!(said.matches("of no caller").count() <= 1, "{said}");
}
