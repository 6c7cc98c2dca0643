//! `--replay`: a recording answers in place of services. No secret is read, and nothing is sent.

use std::io::Write as _;

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use crate::support::{
    Fake, MODERN, Manner, Mcp, Output, Reply, Request, Workspace, assert_tells, output,
};
use toolrun::Catalog;

/// Replays without any secret, with a proxy that would hear of each request.
fn replay(workspace: &Workspace, arguments: &[&str], proxy: &Fake) -> Output {
    let mut command = workspace.toolrun();
    for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(variable, proxy.origin());
    }
    output(command.args(arguments))
}

fn no_proxy() -> Fake {
    Fake::script([Reply::ok()])
}

/// A workspace with the service `probe` at this origin.
fn probe(origin: &str, service: &str, tool: &str) -> Workspace {
    let workspace = Workspace::new();
    let quick = "auth: { kind: bearer, secret: { env: KEY } }\nretry: { max_attempts: 3, base_delay: 1ms, max_delay: 60s }";
    workspace.service(origin, &format!("{quick}\n{service}"));
    workspace.tool("get-probe", "read", tool);
    workspace
}

fn record(workspace: &Workspace, arguments: &[&str]) -> Output {
    let mut command = workspace.toolrun();
    output(command.env("KEY", "made-up-key-of-a-test").args(arguments))
}

/// Every built-in tool with a sandbox gives the same bytes from its recording. What it does in each output format is tried with
/// one tool.
#[test]
#[ignore = "long"]
fn what_the_sandboxes_say_is_replayed_byte_for_byte() {
    let proxy = no_proxy();
    let mut count = 0;
    let workspace = Workspace::new();
    for (entry, tool) in Catalog::builtin().load_all() {
        let tool = tool.expect("a sound tool");
        let Some(args) = tool.example_arguments().next().cloned() else {
            continue;
        };
        let name = format!(
            "{}/{}",
            entry.service.as_deref().unwrap_or_default(),
            tool.name
        );
        let file = format!("{}.har", name.replace('/', "-"));
        let args = Value::Object(args).to_string();
        let call = ["call", &name, &args, "--yes", "-o", "json"];
        let live = workspace.run(&[&call[..], &["--sandbox", "--record", &file]].concat());
        if !workspace.path().join(&file).exists() {
            // Nothing was sent: the sandbox or the tool does not take these arguments.
            continue;
        }
        let again = replay(
            &workspace,
            &[&call[..], &["--replay", &file]].concat(),
            &proxy,
        );
        assert_eq!(
            (again.code, &again.stdout),
            (live.code, &live.stdout),
            "{name}: {}",
            again.stderr
        );
        assert_eq!(again.stderr, live.stderr, "{name}");
        count += 1;
    }
    assert!(count > 100, "only {count} tools");
    for format in ["json", "ndjson", "table", "csv", "yaml", "raw"] {
        let file = format!("all-{format}.har");
        let call = ["call", "list-members", "--all", "limit=20", "-o", format];
        let live = workspace
            .run(&[&call[..], &["--sandbox", "--record", &file]].concat())
            .expect(0);
        let again = replay(
            &workspace,
            &[&call[..], &["--replay", &file]].concat(),
            &proxy,
        )
        .expect(0);
        assert_eq!(again.stdout, live.stdout, "{format}");
    }
    assert_eq!(proxy.requests(), []);
}

/// A case: its name, the service's and the tool's keys, the arguments, and what the service answers in turn.
type Case = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    fn(usize, &Request) -> Reply,
);

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

const LIST: &str = "request: { method: GET, path: /probe }\nresponse: { output: $ }";
const PAGES: &str = "params: { properties: { after: { type: integer, description: A. } } }\nrequest: { method: GET, path: /probe, query: [after] }\n\
    paging: { items: $.data, next: { after: $.next }, while: $.next }\nresponse: { output: { rows: $.data }, rows: rows }";
const JOB: &str = "request: { method: GET, path: /jobs }\nwait: { url: $.url, until: '{{ body.state == \"done\" }}', interval: 1s, deadline: 5m }\nresponse: { output: $ }";

const CASES: [Case; 15] = [
    ("a retry after a 503", "", LIST, &[], |n, _| match n {
        0 => Reply::json(503, &json!({ "message": "busy" })).with("retry-after", "0"),
        _ => Reply::json(200, &json!({ "n": n })),
    }),
    (
        "a retry after a dropped connection",
        "",
        LIST,
        &[],
        |n, _| match n {
            0 => Reply::manner(Manner::Drop),
            _ => Reply::json(200, &json!({ "n": n })),
        },
    ),
    (
        "an answer that is cut off each time",
        "",
        LIST,
        &[],
        |_, _| Reply::manner(Manner::Cut),
    ),
    (
        "a long wait that is asked for",
        "retry: { max_attempts: 1 }",
        LIST,
        &[],
        |_, _| Reply::json(429, &json!({ "message": "later" })).with("retry-after", "30"),
    ),
    (
        "an error answer",
        "errors: { message: $.why, code: $.code }",
        LIST,
        &[],
        |_, _| Reply::json(422, &json!({ "why": "no", "code": "bad" })),
    ),
    ("a redirect", "", LIST, &[], |_, request| {
        match request.path.as_str() {
            "/probe" => Reply::redirect(307, format!("{}/other?x=1", request.origin())),
            _ => Reply::json(200, &json!({ "at": request.target() })),
        }
    }),
    ("a redirect that is refused", "", LIST, &[], |_, _| {
        Reply::redirect(302, "https://elsewhere.test/")
    }),
    ("pages", "", PAGES, &["--all"], |n, _| match n {
        0 | 1 => Reply::json(200, &json!({ "data": [n], "next": n + 1 })),
        _ => Reply::json(200, &json!({ "data": [n], "next": null })),
    }),
    (
        "pages by URL",
        "",
        "request: { method: GET, path: /probe }\npaging: { items: $.data, next_url: $.next }\nresponse: { output: { rows: $.data, next: $.next }, rows: rows }",
        &["--all"],
        |n, request| match n {
            0 => Reply::json(
                200,
                &json!({ "data": [n], "next": format!("{}/probe?page=2", request.origin()) }),
            ),
            _ => Reply::json(200, &json!({ "data": [n] })),
        },
    ),
    ("a job that is polled", "", JOB, &[], |n, _| match n {
        0 => Reply::json(202, &json!({ "url": "/jobs/1", "state": "new" })),
        1 | 2 => Reply::json(200, &json!({ "state": "running", "n": n })).with("retry-after", "1"),
        _ => Reply::json(200, &json!({ "state": "done", "n": n })),
    }),
    ("a packed body", "", LIST, &[], |_, _| {
        Reply::new(
            200,
            "application/json",
            gzip(br#"{"packed": 12345678901234567890}"#),
        )
        .with("content-encoding", "gzip")
    }),
    (
        "lines",
        "",
        "request: { method: GET, path: /probe }\nresponse: { kind: ndjson, output: $ }",
        &[],
        |_, _| Reply::new(200, "application/x-ndjson", "{\"a\":1}\n{\"a\":2}\n"),
    ),
    (
        "events",
        "",
        "request: { method: GET, path: /probe }\nresponse: { kind: sse, output: $ }",
        &[],
        |_, _| {
            Reply::new(
                200,
                "text/event-stream",
                "event: a\ndata: {\"x\": 1}\n\ndata: two\nid: 7\n\n",
            )
        },
    ),
    (
        "XML",
        "",
        "request: { method: GET, path: /probe }\nresponse: { kind: xml, output: $ }",
        &[],
        |_, _| Reply::new(200, "application/xml", "<a b='1'><c>x &amp; y</c></a>"),
    ),
    (
        "bytes that are no text",
        "",
        "request: { method: GET, path: /probe }\nresponse: { kind: bytes }",
        &["--out", "-"],
        |_, _| Reply::new(200, "application/pdf", "%PDF-1.7 \u{e9}\n"),
    ),
];

#[test]
#[ignore = "long"]
fn whatever_a_service_does_is_replayed() {
    for (name, service, tool, arguments, reply) in CASES {
        let turn = std::sync::atomic::AtomicUsize::new(0);
        let fake = Fake::start(move |request| {
            reply(
                turn.fetch_add(1, std::sync::atomic::Ordering::SeqCst),
                request,
            )
        });
        // A key of the case stands in place of one of every case.
        let workspace = probe(&fake.origin(), "", tool);
        if !service.is_empty() {
            workspace.service(
                &fake.origin(),
                &format!("auth: {{ kind: bearer, secret: {{ env: KEY }} }}\n{service}"),
            );
        }
        let call = [&["call", "get-probe", "-o", "json"], arguments].concat();
        let live = record(&workspace, &[&call[..], &["--record", "a.har"]].concat());
        let sent = fake.requests().len();
        let proxy = no_proxy();
        let begun = std::time::Instant::now();
        let again = replay(
            &workspace,
            &[&call[..], &["--replay", "a.har"]].concat(),
            &proxy,
        );
        assert_eq!(
            again.stdout, live.stdout,
            "{name}: {} {}",
            live.stderr, again.stderr
        );
        // The pause before a try is random.
        let told = |output: &Output| {
            let words = output.stderr.split(' ').map(str::to_owned);
            let mut words: Vec<String> = words.collect();
            words
                .iter_mut()
                .filter(|word| word.parse::<u64>().is_ok())
                .for_each(|word| word.replace_range(.., "N"));
            words.join(" ")
        };
        assert_eq!(
            (again.code, told(&again)),
            (live.code, told(&live)),
            "{name}"
        );
        assert_eq!(
            (fake.requests().len(), proxy.requests().len()),
            (sent, 0),
            "{name}"
        );
        assert!(
            sent > 0 && begun.elapsed().as_secs() < 5,
            "{name}: nothing is waited for"
        );
    }
}

#[test]
fn bytes_are_saved_as_they_came() {
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let sent = bytes.clone();
    let fake = Fake::start(move |_| Reply::new(200, "application/octet-stream", sent.clone()));
    let tool = "request: { method: GET, path: /probe }\nresponse: { kind: bytes }";
    let workspace = probe(&fake.origin(), "", tool);
    record(
        &workspace,
        &["call", "get-probe", "--out", "one", "--record", "a.har"],
    )
    .expect(0);
    replay(
        &workspace,
        &["call", "get-probe", "--out", "two", "--replay", "a.har"],
        &no_proxy(),
    )
    .expect(0);
    for file in ["one", "two"] {
        assert_eq!(
            std::fs::read(workspace.path().join(file)).expect("a file"),
            bytes
        );
    }
}

#[test]
fn an_access_token_is_not_asked_for() {
    let fake = Fake::start(|request| match request.path.as_str() {
        "/token" => Reply::json(
            200,
            &json!({ "access_token": "made-up-token-1", "base": request.origin() }),
        ),
        "/api/probe" if request.header("authorization") == Some("Bearer made-up-token-1") => {
            Reply::json(200, &json!({ "at": request.path }))
        }
        _ => Reply::json(404, &json!({})),
    });
    let workspace = Workspace::new();
    let origin = fake.origin();
    workspace.write(
        "descriptors/probe/service.yaml",
        format!(
            "spec: 1\nservice: probe\nbase_url: {{ url: '{{{{ token.base }}}}/api', within: [127.0.0.1] }}\n\
             auth: {{ kind: oauth2, grant: client_credentials, token_url: {origin}/token, client_id: me, client_secret: {{ env: KEY }}, response: {{ values: {{ base: $.base }} }} }}\n"
        ),
    );
    workspace.tool("get-probe", "read", LIST);
    let live = record(
        &workspace,
        &["call", "get-probe", "-o", "json", "--record", "a.har"],
    );
    let sent = fake.requests().len();
    let again = replay(
        &workspace,
        &["call", "get-probe", "-o", "json", "--replay", "a.har"],
        &no_proxy(),
    );
    assert_eq!(
        (live.code, again.code),
        (0, 0),
        "{} {}",
        live.stderr,
        again.stderr
    );
    assert_eq!(again.stdout, live.stdout);
    assert_eq!(fake.requests().len(), sent);
}

/// A token that the service refuses is renewed; the replay goes on with the answer that came then.
#[test]
fn a_renewed_token_is_replayed() {
    let fake =
        Fake::start(
            |request| match (request.path.as_str(), request.header("authorization")) {
                ("/token", _) => {
                    let token = if request.body.is_empty() {
                        "none"
                    } else {
                        "made-up-token-2"
                    };
                    Reply::json(200, &json!({ "access_token": token }))
                }
                _ => Reply::json(200, &json!({})),
            },
        );
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let service =
        Fake::start(
            move |_| match turn.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
                0 => Reply::json(401, &json!({ "message": "expired" })),
                _ => Reply::json(200, &json!({ "ok": true })),
            },
        );
    let workspace = Workspace::new();
    let auth = format!(
        "auth: {{ kind: oauth2, grant: client_credentials, token_url: {}/token, client_id: me, client_secret: {{ env: KEY }} }}",
        fake.origin()
    );
    workspace.service(&service.origin(), &auth);
    workspace.tool("get-probe", "read", LIST);
    let live = record(
        &workspace,
        &["call", "get-probe", "-o", "json", "--record", "a.har"],
    )
    .expect(0);
    let again = replay(
        &workspace,
        &["call", "get-probe", "-o", "json", "--replay", "a.har"],
        &no_proxy(),
    )
    .expect(0);
    assert_eq!(again.stdout, live.stdout);
}

/// A tool that sends whatever it is told, and how its body is made.
fn sender(origin: &str, body: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.service(origin, "retry: { max_attempts: 1 }");
    workspace.tool(
        "send-probe",
        "write",
        &format!(
            "params:\n  properties:\n    id: {{ type: string, default: a, description: A. }}\n    x: {{ type: number, default: 1, description: A. }}\n    \
             list: {{ type: array, items: {{ type: string }}, default: [p, q], description: A. }}\n    b: {{ type: [object, string], default: {{ k: 1, l: [true, null] }}, description: A. }}\n\
             request: {{ method: POST, path: '/probe/{{{{ id }}}}', query: [x, list], body: {body} }}"
        ),
    );
    workspace
}

/// A HAR as another program writes it.
fn foreign(entries: Value) -> String {
    json!({ "log": { "version": "1.2", "creator": { "name": "another", "version": "1" }, "entries": entries } }).to_string()
}

fn answered(request: Value) -> Value {
    json!({
        "request": request,
        "response": { "status": 200, "headers": [], "content": { "mimeType": "application/json", "text": "{\"found\": true}" } },
    })
}

/// What is sent, and what a recording of another program has: whether it is the same request.
#[test]
fn requests_are_compared_by_their_values() {
    let url = |rest: &str| format!("http://127.0.0.1:1{rest}");
    let json_body =
        |text: &str| json!({ "mimeType": "application/json; charset=utf-8", "text": text });
    let multipart = "--zz\r\ncontent-disposition: form-data; name=\"k\"\r\n\r\nv\r\n--zz--\r\n";
    let cases: Vec<(&str, &[&str], Value, Result<(), &str>)> = vec![
        (
            "json: '{{ b }}'",
            &[],
            json!({ "method": "POST", "url": url("/probe/a?x=1&list=p&list=q"), "postData": json_body(r#"{"k":1,"l":[true,null]}"#) }),
            Ok(()),
        ),
        (
            "json: '{{ b }}'",
            &[],
            json!({ "method": "post", "url": url("/probe/a?list=p&x=1&list=q"), "postData": json_body(r#" { "l" : [true , null], "k": 1.0 }"#) }),
            Ok(()),
        ),
        (
            "json: '{{ b }}'",
            &[],
            json!({ "method": "POST", "url": url("/probe/%61?list=%70&list=q&x=1#part"), "postData": json_body(r#"{"k":10e-1,"l":[true,null]}"#) }),
            Ok(()),
        ),
        (
            "json: '{{ b }}'",
            &[],
            json!({ "method": "POST", "url": url("/probe/a"), "queryString": [{ "name": "x", "value": "1" }, { "name": "list", "value": "p" }, { "name": "list", "value": "q" }], "postData": json_body(r#"{"k":1,"l":[true,null]}"#) }),
            Ok(()),
        ),
        (
            "json: '{{ b }}'",
            &[],
            json!({ "method": "POST", "url": url("/probe/a?x=1&list=q&list=p"), "postData": json_body(r#"{"k":1,"l":[true,null]}"#) }),
            Err("the query parameter `list` is q, p there and p, q here"),
        ),
        (
            "json: '{{ b }}'",
            &[],
            json!({ "method": "POST", "url": url("/probe/a?x=1&list=p&list=q&y=secret-of-somebody"), "postData": json_body(r#"{"k":1,"l":[true,null]}"#) }),
            Err("the query parameter `y` is only there"),
        ),
        (
            "json: '{{ b }}'",
            &[],
            json!({ "method": "POST", "url": url("/probe/a?list=p&list=q"), "postData": json_body(r#"{"k":1,"l":[true,null]}"#) }),
            Err("the query parameter `x` is only here, 1"),
        ),
        (
            "json: '{{ b }}'",
            &[],
            json!({ "method": "PUT", "url": url("/probe/b?x=1&list=p&list=q"), "postData": json_body(r#"{"k":1,"l":[true,null]}"#) }),
            Err("the method is PUT there and POST here; the path is /probe/b there"),
        ),
        (
            "json: '{{ b }}'",
            &[],
            json!({ "method": "POST", "url": url("/probe/a?x=1&list=p&list=q"), "postData": json_body(r#"{"k":2,"l":[true],"m":"secret-of-somebody"}"#) }),
            Err(
                "`/k` of the body is 2 there and 1 here; `/l` of the body has 1 elements there and 2 here; `/m` of the body is only there",
            ),
        ),
        (
            "json: '{{ b }}'",
            &[],
            json!({ "method": "POST", "url": url("/probe/a?x=1&list=p&list=q") }),
            Err("a body is only here"),
        ),
        (
            "json: '{{ b }}'",
            &["b:=12345678901234567890123"],
            json!({ "method": "POST", "url": url("/probe/a?x=1&list=p&list=q"), "postData": json_body("\"x\"") }),
            Err(""),
        ),
        (
            "form: { k: '{{ x }}', m: a b }",
            &[],
            json!({ "method": "POST", "url": url("/probe/a?x=1&list=p&list=q"), "postData": { "mimeType": "application/x-www-form-urlencoded", "text": "m=a%20b&k=1" } }),
            Ok(()),
        ),
        (
            "form: { k: '{{ x }}', m: a b }",
            &[],
            json!({ "method": "POST", "url": url("/probe/a?x=1&list=p&list=q"), "postData": { "mimeType": "application/x-www-form-urlencoded", "params": [{ "name": "k", "value": "1" }, { "name": "m", "value": "a b" }] } }),
            Ok(()),
        ),
        (
            "form: { k: '{{ x }}', m: a b }",
            &[],
            json!({ "method": "POST", "url": url("/probe/a?x=1&list=p&list=q"), "postData": { "mimeType": "application/x-www-form-urlencoded", "text": "m=a&k=1" } }),
            Err("the field `m` is a there and a b here"),
        ),
        (
            "multipart: { k: v }",
            &[],
            json!({ "method": "POST", "url": url("/probe/a?x=1&list=p&list=q"), "postData": { "mimeType": "multipart/form-data; boundary=zz", "text": multipart } }),
            Ok(()),
        ),
        (
            "multipart: { k: v }",
            &[],
            json!({ "method": "POST", "url": url("/probe/a?x=1&list=p&list=q"), "postData": { "mimeType": "multipart/form-data; boundary=zz", "text": multipart.replace('v', "w") } }),
            Err("the body is another"),
        ),
        (
            "text: some text",
            &[],
            json!({ "method": "POST", "url": url("/probe/a?x=1&list=p&list=q"), "postData": { "mimeType": "text/plain", "text": "some text" } }),
            Ok(()),
        ),
        (
            "bytes: { base64: AAEC }",
            &[],
            json!({ "method": "POST", "url": url("/probe/a?x=1&list=p&list=q"), "postData": { "mimeType": "", "text": "AAEC", "_encoding": "base64" } }),
            Ok(()),
        ),
        (
            "bytes: { base64: AAEC }",
            &[],
            json!({ "method": "POST", "url": url("/probe/a?x=1&list=p&list=q"), "postData": { "mimeType": "", "text": "AAED", "_encoding": "base64" } }),
            Err("the body is another"),
        ),
    ];
    for (body, arguments, request, expected) in cases {
        let workspace = sender("http://127.0.0.1:1", &format!("{{ {body} }}"));
        workspace.write("a.har", foreign(json!([answered(request.clone())])));
        let call = [
            "call",
            "send-probe",
            "--yes",
            "--replay",
            "a.har",
            "-o",
            "json",
        ];
        let done = workspace.run(&[&call[..], arguments].concat());
        match expected {
            Ok(()) => assert_eq!(
                (done.code, done.stdout.trim()),
                (0, "{\"found\":true}"),
                "{request}: {}",
                done.stderr
            ),
            Err("") => assert_ne!(done.code, 0, "{request}"),
            Err(told) => {
                assert_eq!(done.code, 5, "{request}: {}", done.stderr);
                let message = done.error()["message"]
                    .as_str()
                    .expect("a message")
                    .to_owned();
                assert!(message.contains(told), "{request}: {message}");
                assert!(
                    message.contains("the nearest request is that of entry 1: "),
                    "{message}"
                );
                assert!(!message.contains("secret-of-somebody"), "{message}");
            }
        }
    }
}

/// Of several requests, the nearest one is shown.
#[test]
fn the_nearest_request_is_shown() {
    let request = |method: &str, target: &str| {
        answered(json!({ "method": method, "url": format!("http://127.0.0.1:1{target}") }))
    };
    let workspace = probe(
        "http://127.0.0.1:1",
        "",
        "params: { properties: { id: { type: string, default: a, description: A. }, x: { type: integer, default: 1, description: A. } } }\n\
         request: { method: GET, path: '/things/{{ id }}', query: [x] }\nresponse: { output: $ }",
    );
    let entries = [
        request("POST", "/things/a?x=1"),
        request("GET", "/others"),
        request("GET", "/things/a?x=2"),
        request("GET", "/things/a/parts?x=1"),
        request("GET", "/things/b?x=1"),
    ];
    for (arguments, entry) in [(&["x=7"][..], 3), (&["id=b", "x=9"], 5), (&["id=c"], 5)] {
        workspace.write("a.har", foreign(json!(entries)));
        let call = ["call", "get-probe", "--replay", "a.har"];
        let done = workspace.run(&[&call[..], arguments].concat()).expect(5);
        assert_tells(
            &done,
            &[
                &format!("that of entry {entry}: "),
                "hint: ",
                "--replay-missing live",
            ],
        );
    }
}

#[test]
fn equal_requests_are_answered_in_their_order_and_then_no_more() {
    let answer = |n: usize| {
        let mut entry = answered(json!({ "method": "GET", "url": "http://127.0.0.1:1/probe" }));
        entry["response"]["content"]["text"] =
            format!("{{\"data\": [{n}], \"next\": true}}").into();
        entry
    };
    let workspace = probe(
        "http://127.0.0.1:1",
        "",
        "params: { properties: { n: { type: integer, default: 0, description: A. } } }\n\
         request: { method: GET, path: /probe, headers: { x-n: '{{ n }}' } }\nresponse: { output: { rows: $.data }, rows: rows }",
    );
    workspace.write("a.har", foreign(json!([answer(1), answer(2)])));
    // Header fields are not compared: each of these calls takes the next answer.
    workspace.write("lines.ndjson", "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
    let done = workspace
        .run(&["call", "get-probe", "--replay", "a.har", "-o", "json"])
        .expect(0);
    assert_eq!(done.json(), json!({ "rows": [1] }));
    let store = format!("sqlite:{}", workspace.path().join("runs.db").display());
    let done = workspace.run(&[
        "batch",
        "get-probe",
        "lines.ndjson",
        "--store",
        &store,
        "--replay",
        "a.har",
        "-c",
        "1",
        "--max-attempts",
        "1",
    ]);
    assert_eq!(done.code, 10, "{} {}", done.stdout, done.stderr);
    assert!(
        done.stdout.contains("\"value\":1") && done.stdout.contains("\"value\":2"),
        "{}",
        done.stdout
    );
    let all = format!("{}{}", done.stdout, done.stderr);
    assert!(
        all.contains("2 times, and all of these answers were given already"),
        "{all}"
    );
}

/// A HAR of a browser: base64 bodies, a coding that is gone already, a key in the query, missing members, other sites.
#[test]
fn a_recording_of_another_program_is_played_as_far_as_it_can_be() {
    let workspace = Workspace::new();
    workspace.service(
        "https://api.probe.example/v1",
        "auth: { kind: api_key, in: query, name: key, secret: { env: KEY } }",
    );
    workspace.tool(
        "get-probe",
        "read",
        "request: { method: GET, path: /things }\nresponse: { output: $ }",
    );
    let entry = |url: &str, response: Value| json!({ "request": { "method": "GET", "url": url }, "response": response });
    let found = json!({
        "status": 200,
        "headers": [{ "name": "Content-Type", "value": "application/json" }, { "name": "content-encoding", "value": "br" }, { "name": "content-length", "value": "3" }, { "name": ":status", "value": "200" }, { "name": "bad name", "value": "\u{1}" }],
        "content": { "encoding": "base64", "text": "eyJhIjog\nMX0=", "size": 8 },
    });
    let other = json!({ "status": 200, "content": { "text": "{\"a\": 2}" } });
    workspace.write(
        "a.har",
        format!(
            "\u{feff}{}",
            foreign(json!([
                entry("https://other.example/v1/things", other.clone()),
                { "request": { "url": 5 } },
                entry("https://api.probe.example/v1/things?key=somebodys-own-key", found),
            ]))
        ),
    );
    let done = workspace
        .run(&["call", "get-probe", "--replay", "a.har", "-o", "json"])
        .expect(0);
    assert_eq!(done.stdout.trim(), "{\"a\":1}");
    assert_tells(&done, &["entry 2"]);
    // A body that the file does not hold is no empty body.
    let without = json!({ "status": 200, "content": { "size": 8 } });
    workspace.write(
        "a.har",
        foreign(json!([entry(
            "https://api.probe.example/v1/things",
            without
        )])),
    );
    let done = workspace
        .run(&["call", "get-probe", "--replay", "a.har"])
        .expect(5);
    assert_tells(&done, &["entry 1", "does not hold the body"]);
    // A request that was blocked.
    workspace.write(
        "a.har",
        foreign(json!([entry(
            "https://api.probe.example/v1/things",
            json!({ "status": 0 })
        )])),
    );
    workspace
        .run(&["call", "get-probe", "--replay", "a.har"])
        .expect(5);
    for (text, told) in [
        ("", "it is empty"),
        ("{}", "no `log.entries`"),
        ("<html>", "is no HAR"),
        (r#"{"log":{"entries":[]}}"#, "holds no exchange"),
    ] {
        workspace.write("a.har", text);
        let done = workspace.run(&["call", "get-probe", "--replay", "a.har"]);
        assert!(matches!(done.code, 2 | 5), "{text}: {}", done.code);
        assert_tells(&done, &[told]);
    }
    let whole = foreign(json!([
        entry("https://api.probe.example/v1/things", other.clone()),
        entry("https://api.probe.example/v1/more", other)
    ]));
    workspace.write("a.har", &whole[..whole.len() - 20]);
    let done = workspace
        .run(&["call", "get-probe", "--replay", "a.har", "-o", "json"])
        .expect(0);
    assert_tells(&done, &["broken at byte"]);
    let done = workspace
        .run(&["call", "get-probe", "--replay", "missing.har"])
        .expect(2);
    assert_tells(&done, &["cannot read missing.har"]);
}

#[test]
fn what_is_missing_is_asked_for_and_recorded() {
    let fake = Fake::start(|request| Reply::json(200, &json!({ "data": [request.query] })));
    let tool = "params: { properties: { x: { type: integer, description: A. } } }\nrequest: { method: GET, path: /probe, query: [x] }\nresponse: { output: $ }";
    let workspace = probe(&fake.origin(), "", tool);
    record(
        &workspace,
        &["call", "get-probe", "x=1", "--record", "one.har"],
    )
    .expect(0);
    // The recording answers: no secret is needed.
    let live = ["--replay", "one.har", "--replay-missing", "live"];
    workspace
        .run(&[&["call", "get-probe", "x=1"], &live[..]].concat())
        .expect(0);
    assert_eq!(fake.requests().len(), 1);
    let done = workspace
        .run(&[&["call", "get-probe", "x=2"], &live[..]].concat())
        .expect(4);
    assert_tells(&done, &["KEY"]);
    let more = [
        &["call", "get-probe", "x=2"],
        &live[..],
        &["--record", "two.har"],
    ]
    .concat();
    record(&workspace, &more).expect(0);
    assert_eq!(fake.requests().len(), 2);
    workspace
        .run(&["call", "get-probe", "x=2", "--replay", "two.har"])
        .expect(0);
    // What a recording answers is recorded too: the file stands alone.
    let answered = [
        &["call", "get-probe", "x=1"],
        &live[..],
        &["--record", "three.har"],
    ]
    .concat();
    record(&workspace, &answered).expect(0);
    workspace
        .run(&["call", "get-probe", "x=1", "--replay", "three.har"])
        .expect(0);
    assert_eq!(fake.requests().len(), 2);
}

/// A recording does not make a folder trusted, and playing it needs no trust: nothing is read and nothing is sent.
#[test]
fn a_folder_that_is_not_trusted_is_played_and_not_asked() {
    let fake = Fake::start(|_| Reply::json(200, &json!({ "a": 1 })));
    let workspace = probe(&fake.origin(), "", LIST);
    record(&workspace, &["call", "get-probe", "--record", "a.har"]).expect(0);
    std::fs::rename(workspace.descriptors(), workspace.path().join("tools")).expect("a folder");
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_toolrun"));
        command
            .env_clear()
            .env("KEY", "made-up-key-of-a-test")
            .current_dir(workspace.path());
        output(command.args(arguments))
    };
    run(&["call", "get-probe"]).expect(5);
    run(&["call", "get-probe", "--replay", "a.har"]).expect(0);
    workspace.write("b.har", foreign(json!([])));
    let done = run(&[
        "call",
        "get-probe",
        "--replay",
        "b.har",
        "--replay-missing",
        "live",
    ])
    .expect(5);
    assert_tells(&done, &["trust"]);
    assert_eq!(fake.requests().len(), 1);
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let workspace = probe("http://127.0.0.1:1", "", LIST);
    workspace.write("a.har", foreign(json!([])));
    for (arguments, told) in [
        (
            &["--replay", "a.har", "--sandbox"][..],
            "--replay-missing live",
        ),
        (&["--replay-missing", "live"], "--replay <FILE>"),
        (&["--redact", "$.a"], "--record <FILE>"),
        (&["--record", "b.har", "--redact", "a.b"], "no JSONPath"),
    ] {
        let done = workspace
            .run(&[&["call", "get-probe"], arguments].concat())
            .expect(2);
        assert_tells(&done, &[told]);
    }
    assert!(!workspace.path().join("b.har").exists());
}

/// A server whose calls are recorded gives the same results from the recording, without the service.
#[test]
fn a_server_records_and_plays() {
    let fake = Fake::start(|request| Reply::json(200, &json!({ "a": request.path })));
    let workspace = probe(&fake.origin(), "", LIST);
    let command = |arguments: &[&str]| {
        let mut command = workspace.toolrun();
        command
            .args(["serve", "--service", "probe"])
            .args(arguments);
        command
    };
    let mut served = command(&["--record", "a.har"]);
    served.env("KEY", "made-up-key-of-a-test");
    let mut mcp = Mcp::start(&mut served, MODERN);
    let live = mcp.ok("probe_get_probe", json!({}));
    mcp.close();
    assert_eq!(mcp.process.code(), 0);
    let mut mcp = Mcp::start(&mut command(&["--replay", "a.har"]), MODERN);
    assert_eq!(mcp.ok("probe_get_probe", json!({})), live);
    let told = mcp.refused("probe_get_probe", json!({}));
    assert_eq!(
        (&told["kind"], &told["retry"]),
        (&json!("policy"), &json!(false))
    );
    assert!(
        told["message"]
            .to_string()
            .contains("that answer was given already"),
        "{told}"
    );
    assert_eq!(fake.requests().len(), 1);
}

/// Tables and copies of rows are made of the recording too.
#[test]
fn queries_and_copies_are_played() {
    let fake = Fake::start(|request| {
        Reply::json(
            200,
            &json!({ "rows": [{ "id": request.query.len(), "name": "a" }] }),
        )
    });
    let tool = "params: { properties: { x: { type: integer, description: A. } } }\nrequest: { method: GET, path: /probe, query: [x] }\n\
                response: { output: { rows: { each: '$.rows[*]', as: { id: $.id, name: $.name } } }, rows: rows }";
    let workspace = probe(&fake.origin(), "", tool);
    for (name, arguments) in [
        (
            "sql",
            &[
                "sql",
                "select p.id, q.name from get_probe p, get_probe q where p.x = 1 and q.x = 22",
                "-o",
                "json",
            ][..],
        ),
        ("sync", &["sync", "get-probe", "--into", "ndjson:out"]),
    ] {
        let file = format!("{name}.har");
        let live = record(&workspace, &[arguments, &["--record", &file]].concat()).expect(0);
        let sent = fake.requests().len();
        let copied = std::fs::read_to_string(workspace.path().join("out/get_probe.ndjson")).ok();
        drop(std::fs::remove_dir_all(workspace.path().join("out")));
        let again = replay(
            &workspace,
            &[arguments, &["--replay", &file]].concat(),
            &no_proxy(),
        )
        .expect(0);
        assert_eq!(again.stdout, live.stdout, "{name}");
        let again = std::fs::read_to_string(workspace.path().join("out/get_probe.ndjson")).ok();
        assert_eq!((again.is_some(), again), (name == "sync", copied), "{name}");
        assert_eq!(fake.requests().len(), sent, "{name}");
    }
}

/// What of an entry that answers cannot be taken as it is written is told, and nothing of the others.
#[test]
fn what_an_answer_lacks_is_told() {
    let workspace = Workspace::new();
    workspace.service("https://api.probe.example", "retry: { max_attempts: 1 }");
    workspace.tool(
        "get-probe",
        "read",
        "request: { method: GET, path: /things }\nresponse: { output: $ }",
    );
    let entry = |path: &str, headers: Value, content: Value| {
        json!({
            "request": { "method": "GET", "url": format!("https://api.probe.example{path}") },
            "response": { "status": 200, "headers": headers, "content": content },
        })
    };
    let json = json!({ "mimeType": "application/json", "text": "{\"a\": 1}" });
    for (headers, content, code, told) in [
        (json!([]), json.clone(), 0, ""),
        (json!({ "a": "b" }), json.clone(), 0, "/response/headers"),
        (
            json!([{ "name": 5 }]),
            json.clone(),
            0,
            "/response/headers/0",
        ),
        (
            json!([{ "name": "bad name", "value": "x" }]),
            json.clone(),
            0,
            "a header field that HTTP does not allow",
        ),
        (
            json!([{ "name": "x", "value": "a\r\nb: c" }]),
            json.clone(),
            0,
            "a header field that HTTP does not allow",
        ),
        (
            json!([]),
            json!({ "text": { "a": 1 } }),
            0,
            "its JSON was taken",
        ),
        (
            json!([]),
            json!({ "text": "%%%", "encoding": "base64" }),
            5,
            "it is no base64",
        ),
    ] {
        let entries = json!([
            entry("/things", headers, content),
            entry(
                "/others",
                json!(7),
                json!({ "text": "?", "encoding": "base64" })
            ),
        ]);
        workspace.write("a.har", foreign(entries));
        let done = workspace.run(&["call", "get-probe", "--replay", "a.har", "-o", "json"]);
        assert_eq!(done.code, code, "{told}: {}", done.stderr);
        assert!(done.stderr.contains(told), "{told}: {}", done.stderr);
        assert!(!done.stderr.contains("entry 2"), "{told}: {}", done.stderr);
        assert_eq!(
            done.stderr.is_empty(),
            told.is_empty(),
            "{told}: {}",
            done.stderr
        );
    }
}

/// Many entries that are none take few lines.
#[test]
fn many_entries_that_are_none_are_counted() {
    let workspace = Workspace::new();
    workspace.service("https://api.probe.example", "");
    workspace.tool(
        "get-probe",
        "read",
        "request: { method: GET, path: /things }",
    );
    workspace.write("a.har", foreign(Value::from(vec![Value::from(1); 1000])));
    let done = workspace
        .run(&["call", "get-probe", "--replay", "a.har"])
        .expect(5);
    assert!(done.stderr.lines().count() < 15, "{}", done.stderr);
    assert_tells(&done, &["entry 8", "992 more entries were passed over"]);
}

/// Numbers at the end of what a number of 64 bits holds are compared and do not end the program.
#[test]
fn a_number_with_a_vast_power_is_another_body() {
    let workspace = sender("http://127.0.0.1:1", "{ json: '{{ b }}' }");
    let body =
        json!({ "mimeType": "application/json", "text": "{\"k\": 1.5e-9223372036854775808}" });
    let request = json!({ "method": "POST", "url": "http://127.0.0.1:1/probe/a?x=1&list=p&list=q", "postData": body });
    workspace.write("a.har", foreign(json!([answered(request)])));
    let done = workspace.run(&["call", "send-probe", "--yes", "--replay", "a.har"]);
    assert_eq!(done.code, 5, "{}", done.stderr);
    assert_tells(&done, &["a.har has no answer to"]);
}

/// A recording of one origin answers at another one, in headers, in bodies and in bodies in base64; what only begins like it
/// stays as it is.
#[test]
fn origins_that_only_begin_alike_stay() {
    use base64::Engine as _;

    let workspace = probe(
        "https://api.probe.example/v1",
        "",
        "request: { method: GET, path: /things }\nresponse: { output: { body: $, link: '{{ headers.link }}' } }",
    );
    let text = |origin: &str| {
        format!(
            "{{\"next\":\"{origin}/v1/things?a=1\",\"escaped\":\"{}\",\"evil\":\"https://old.example.evil/a\",\"port\":\"https://old.example:8443\"}}",
            format!("{origin}/a").replace('/', "\\/")
        )
    };
    let link = |origin: &str| {
        format!("<{origin}/v1?p=2>; rel=next, <https://old.example.evil/>; rel=last")
    };
    let plain = json!({ "mimeType": "application/json", "text": text("https://old.example") });
    let packed = base64::engine::general_purpose::STANDARD.encode(text("https://old.example"));
    let packed = json!({ "mimeType": "application/json", "text": packed, "encoding": "base64" });
    for content in [plain, packed] {
        let own = json!({
            "request": { "method": "GET", "url": "https://old.example/v1/things" },
            "response": { "status": 200, "headers": [{ "name": "Link", "value": link("https://old.example") }], "content": content },
            "_toolrun": { "service": "probe", "tool": "get-probe", "arguments": {} },
        });
        // With another origin in the recording, that of the service is asked for.
        let real = json!({ "request": { "method": "GET", "url": "https://api.probe.example/v1/others" }, "response": { "status": 200 } });
        workspace.write("a.har", foreign(json!([own, real])));
        let done = workspace
            .run(&["call", "get-probe", "--replay", "a.har", "-o", "json"])
            .expect(0);
        let expected: Value =
            serde_json::from_str(&text("https://api.probe.example")).expect("JSON");
        assert_eq!(
            done.json(),
            json!({ "body": expected, "link": link("https://api.probe.example") })
        );
    }
}

/// Answers are read from the file when they are needed: through a pipe, too, and not from another file.
#[cfg(unix)]
#[test]
fn a_recording_may_come_through_a_pipe_and_not_change() {
    let workspace = probe(
        "http://127.0.0.1:1",
        "",
        "params: { properties: { x: { type: integer, description: A. } } }\nrequest: { method: GET, path: /probe, query: [x] }\nresponse: { output: $ }",
    );
    let entry = |x: i32| {
        answered(json!({ "method": "GET", "url": format!("http://127.0.0.1:1/probe?x={x}") }))
    };
    let text = foreign((0..100).map(entry).collect());
    workspace.write("a.har", &text);
    let tools = workspace.descriptors();
    let script = format!(
        "mkfifo pipe.har; cat a.har > pipe.har & exec '{}' --tools '{}' call get-probe x=99 --replay pipe.har -o json",
        env!("CARGO_BIN_EXE_toolrun"),
        tools.display()
    );
    let mut command = std::process::Command::new("sh");
    let done = output(command.args(["-c", &script]).current_dir(workspace.path())).expect(0);
    assert_eq!(done.json(), json!({ "found": true }));
    // A server has opened the file, which then has another content.
    let path = workspace.path().join("a.har");
    let another = text.replace("x=7\"", "x=8\"");
    for (change, told) in [
        (another.as_str(), "it asks something else now"),
        (&text[1..], "no JSON"),
        ("", "failed to fill whole buffer"),
    ] {
        let mut command = workspace.toolrun();
        command.args(["serve", "--service", "probe", "--replay", "a.har"]);
        let mut mcp = Mcp::start(&mut command, MODERN);
        mcp.ok("probe_get_probe", json!({ "x": 5 }));
        std::fs::write(&path, change).expect("a file");
        let refused = mcp.refused("probe_get_probe", json!({ "x": 7 }));
        let said = refused["message"].to_string();
        assert!(
            said.contains(told) && said.contains("was changed while it answered"),
            "{said}"
        );
        std::fs::write(&path, &text).expect("a file");
        mcp.ok("probe_get_probe", json!({ "x": 9 }));
    }
}
