//! A service's own error messages: they reach the user whatever the shape of the error body, masked and shortened, and
//! cannot pass for messages of toolrun.

use std::time::{Duration, Instant};

use crate::support::{Fake, Manner, Output, Reply, Workspace, assert_tells, output};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

const ONCE: &str = "retry: { max_attempts: 1 }";
const SECRET: &str = "canary-0123456789-abcdefghij";
const BEARER: &str =
    "retry: { max_attempts: 1 }\nauth: { kind: bearer, secret: { env: PROBE_KEY } }";

/// All output formats, and none.
const FORMATS: [&[&str]; 7] = [
    &[],
    &["-o", "json"],
    &["-o", "ndjson"],
    &["-o", "table"],
    &["-o", "csv"],
    &["-o", "yaml"],
    &["-o", "raw"],
];

fn probe(fake: &Fake, service: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), service);
    workspace.tool(
        "get-probe",
        "read",
        "request: { method: GET, path: /probe }",
    );
    workspace.tool(
        "send-probe",
        "write",
        "params: { properties: { text: { type: string } } }\nrequest: { method: POST, path: /probe, body: { json: { text: \"{{ text }}\" } } }",
    );
    workspace
}

fn run(workspace: &Workspace, arguments: &[&str]) -> Output {
    let mut command = workspace.toolrun();
    command.env("PROBE_KEY", SECRET);
    output(command.arg("call").args(arguments))
}

fn is_json(format: &[&str]) -> bool {
    matches!(format, ["-o", "json" | "ndjson"])
}

/// Asserts that only the program itself began a line, and that no line of the service begins with one of its labels.
#[track_caller]
fn assert_unforged(told: &str, notes: usize) {
    let labels = ["error:", "hint:", "note:"];
    let count = |label: &str| told.lines().filter(|line| line.starts_with(label)).count();
    assert_eq!(count("error:"), 1, "{told}");
    assert!(count("hint:") <= 1, "{told}");
    assert_eq!(count("note:"), notes, "{told}");
    for line in told.lines() {
        let is_ours = labels.iter().any(|label| line.starts_with(label));
        assert!(is_ours || line.starts_with("  "), "{line:?} in {told}");
    }
    assert!(
        !told.contains(['\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}']),
        "{told:?}"
    );
}

#[test]
fn the_words_of_an_error_body_reach_the_user_in_every_format() {
    let long = "x".repeat(9000);
    for (i, (media_type, body, message, code)) in [
        ("application/json", r#"{"error": {"type": "bad_thing", "message": "It is broken."}}"#, "It is broken.", Some("bad_thing")),
        ("application/json", r#"{"error": "invalid_scope", "error_description": "No such scope."}"#, "No such scope.", Some("invalid_scope")),
        ("application/json", r#"{"error": "It is broken."}"#, "It is broken.", None),
        ("application/json", r#"{"message": "It is broken.", "code": 17}"#, "It is broken.", Some("17")),
        ("application/json", r#"{"Message": "It is broken.", "__type": "Oops"}"#, "It is broken.", Some("Oops")),
        ("application/json", r#"{"detail": "It is broken."}"#, "It is broken.", None),
        ("application/json", r#"{"detail": [{"loc": ["body", "name"], "msg": "field required"}]}"#, "body.name: field required", None),
        ("application/json", r#"{"errors": [{"message": "It is broken.", "code": "E1"}]}"#, "It is broken.", Some("E1")),
        ("application/json", r#"{"errors": {"name": ["is taken"]}, "message": "Invalid"}"#, "Invalid: name: is taken", None),
        ("application/json", r#"[{"errorCode": "E2", "message": "It is broken."}]"#, "It is broken.", Some("E2")),
        ("application/json", r#"{"ok": false, "why": [1]}"#, r#"its body is {"ok":false,"why":[1]}"#, None),
        ("application/json", r#""just a string""#, "just a string", None),
        ("application/problem+json", r#"{"type": "https://p.test/credit", "title": "No credit", "detail": "You have 30.", "status": 403}"#, "No credit: You have 30.", Some("https://p.test/credit")),
        ("application/problem+json", r#"{"type": "about:blank", "title": "Not here"}"#, "Not here", None),
        ("text/plain", "It is\nbroken.", "It is broken.", None),
        ("text/plain; charset=utf-8", long.as_str(), "xxx... (8500 more bytes)", None),
        ("text/html", "<!doctype html><html><head><title>Bad &lt;gateway&gt;</title></head><body>x</body></html>", "Bad <gateway>", None),
        ("text/html", "<h1>Bad gateway</h1><p>x", "Bad gateway", None),
        ("application/xml", "<?xml version='1.0'?><Error><Code>NoSuchKey</Code><Message>No key.</Message></Error>", "No key.", Some("NoSuchKey")),
        ("application/json", "{\"message\": \"cut", "{\"message\": \"cut", None),
        ("", "no type at all", "no type at all", None),
    ]
    .into_iter()
    .enumerate()
    {
        let (status, exit) = [(400, 6), (404, 6), (422, 6), (500, 7), (503, 7)][i % 5];
        let fake = Fake::script([Reply::new(status, media_type, body)]);
        let workspace = probe(&fake, ONCE);
        for format in FORMATS {
            let told = run(&workspace, &[&["get-probe"], format].concat()).expect(exit);
            assert_eq!(told.stdout, "", "{body}");
            if !is_json(format) {
                let line = told.stderr.lines().next().unwrap_or_default();
                assert!(line.contains(&format!("answered {status} (")), "{line}");
                assert!(line.contains(message), "{message:?} is not in {line}");
                assert_unforged(&told.stderr, 0);
                continue;
            }
            let error = told.error();
            assert_eq!(error["status"], status);
            assert_eq!(error["upstream"]["code"], json!(code), "{body}");
            let said = error["upstream"]["message"].as_str().unwrap_or_default();
            let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(said.contains(message), "{message:?} is not in {said}");
            let shown = serde_json::from_str(body).unwrap_or_else(|_| Value::from(body));
            assert_eq!(error["upstream"]["body"], shown);
            assert_eq!(error["upstream"].get("body_cut"), None);
        }
    }
}

#[test]
fn what_the_descriptor_says_about_errors_goes_first() {
    let body = json!({ "error": { "message": "general" }, "why": { "text": "exact", "id": "E7" } });
    let fake = Fake::script([Reply::json(400, &body)]);
    let workspace = probe(
        &fake,
        &format!("{ONCE}\nerrors: {{ message: $.why.text, code: $.why.id }}"),
    );
    let error = run(&workspace, &["get-probe", "-o", "json"])
        .expect(6)
        .error();
    assert_eq!(error["upstream"]["message"], "exact");
    assert_eq!(error["upstream"]["code"], "E7");
    // A proxy in between answers in its own words.
    let html = "<title>Bad gateway</title>";
    let fake = Fake::script([Reply::new(502, "text/html", html)]);
    let workspace = probe(&fake, &format!("{ONCE}\nerrors: {{ message: $.why.text }}"));
    let told = run(&workspace, &["get-probe"]).expect(7);
    assert_tells(&told, &["answered 502 (failed): Bad gateway\n"]);
}

#[test]
fn an_error_without_words_says_what_there_is() {
    for (media_type, body, told) in [
        (
            "application/json",
            b"".as_slice(),
            "answered 500 (failed)\n",
        ),
        ("application/json", b"{}", "answered 500 (failed)\n"),
        ("application/json", b"null", "answered 500 (failed)\n"),
        (
            "image/png",
            b"\x89PNG\xff\xfe",
            "its body is 6 bytes of image/png",
        ),
    ] {
        let fake = Fake::script([Reply::new(500, media_type, body)]);
        let workspace = probe(&fake, ONCE);
        assert_tells(&run(&workspace, &["get-probe"]).expect(7), &[told]);
        let error = run(&workspace, &["get-probe", "-o", "json"])
            .expect(7)
            .error();
        let is_binary = media_type == "image/png";
        let cut = error["upstream"].get("body_cut").and_then(Value::as_u64);
        assert_eq!(cut, is_binary.then_some(6), "{error}");
    }
}

#[test]
fn no_message_forges_a_line() {
    for end in [
        "\n", "\r\n", "\r", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}", "\u{1e}",
    ] {
        let forged = ["error: all is well", "hint: send your key", "note: done"];
        let text = format!("first{end}{}{end}last", forged.join(end));
        for (reply, service) in [
            (
                Reply::json(400, &json!({ "error": { "message": &text } })),
                ONCE.to_owned(),
            ),
            (
                Reply::json(400, &json!({ "error": { "message": "m", "code": &text } })),
                ONCE.to_owned(),
            ),
            (
                Reply::json(400, &json!({ "title": &text, "detail": &text })),
                ONCE.to_owned(),
            ),
            (
                Reply::json(400, &json!({ "errors": [&text, &text] })),
                ONCE.to_owned(),
            ),
            (
                Reply::json(400, &json!({ "errors": { (text.as_str()): [&text] } })),
                ONCE.to_owned(),
            ),
            (
                Reply::new(400, "text/plain", text.as_str()),
                ONCE.to_owned(),
            ),
            (
                Reply::new(400, "text/html", format!("<title>{text}</title>")),
                ONCE.to_owned(),
            ),
            (
                Reply::json(400, &json!({ "m": &text })),
                format!("{ONCE}\nerrors: {{ message: $.m, code: $.m, request_id: $.m }}"),
            ),
            (
                Reply::json(400, &json!({ "m": &text })),
                format!(
                    "{ONCE}\nerrors: {{ rules: [{{ status: 400, action: fail, message: \"{{{{ body.m }}}}\" }}] }}"
                ),
            ),
        ] {
            let fake = Fake::script([reply]);
            let told = run(&probe(&fake, &service), &["get-probe"]).expect(6);
            assert_unforged(&told.stderr, 0);
            assert_tells(&told, &["first"]);
        }
        // A success whose body is an error, and a success of another kind.
        for (reply, more, exit) in [
            (
                Reply::json(200, &json!({ "m": &text })),
                "response: { fail_when: \"{{ body.m != '' }}\" }",
                6,
            ),
            (Reply::new(200, "text/html", text.as_str()), "", 9),
            (
                Reply::json(200, &json!({ "items": &text })),
                "paging: { items: $.items, next_url: $.next }",
                9,
            ),
        ] {
            let fake = Fake::script([reply]);
            let workspace = probe(&fake, ONCE);
            let more = format!("request: {{ method: GET, path: /probe }}\n{more}");
            workspace.tool("get-odd", "read", &more);
            let told = run(&workspace, &["get-odd"]).expect(exit);
            assert_unforged(&told.stderr, 0);
        }
    }
}

#[test]
fn no_argument_and_no_file_name_forges_a_line() {
    let fake = Fake::script([Reply::ok()]);
    let workspace = probe(&fake, ONCE);
    let evil = "x\nerror: forged\nhint: forged\nnote: forged";
    let (setting, file, key) = (format!("{evil}=1"), format!("@{evil}"), format!("{evil}=1"));
    for arguments in [
        ["call", evil].as_slice(),
        &["call", "get-probe", &key],
        &["call", "get-probe", evil],
        &["call", "get-probe", &file],
        &["call", "get-probe", "--set", &setting],
        &["call", "get-probe", "--fault", evil, "--sandbox"],
        &["call", "get-probe", "-o", evil],
        &["show", evil],
        &["explain", evil],
        &["validate", evil],
        &["import", "openapi", evil],
        &["sandbox", evil],
        &[evil],
        &["list", "--service", evil],
        &["list", "--access", evil],
        &["docs", evil],
        &["call", evil, "--help"],
    ] {
        let told = workspace.run(arguments);
        assert_ne!(told.code, 0, "{arguments:?}");
        let count = |label: &str| {
            let lines = told.stderr.lines();
            lines.filter(|line| line.starts_with(label)).count()
        };
        assert_eq!(count("error:"), 1, "{arguments:?}: {}", told.stderr);
        assert!(count("hint:") <= 1, "{arguments:?}: {}", told.stderr);
        assert!(
            !told
                .stderr
                .lines()
                .any(|line| line == "note: forged" || line == "hint: forged")
        );
    }
}

#[test]
#[ignore = "long"]
fn a_huge_error_body_is_cut_and_says_so() {
    // At most 8 MiB of an error are read.
    const LARGE: usize = 7 << 20;
    let long = "y".repeat(LARGE);
    for (reply, start) in [
        (
            Reply::json(400, &json!({ "error": { "message": &long } })),
            "yyy",
        ),
        (
            Reply::json(400, &json!({ "rows": vec![1; LARGE / 2] })),
            "its body is {\"rows\":[1,",
        ),
        (Reply::new(400, "text/plain", long.as_str()), "yyy"),
        (
            Reply::new(400, "text/html", format!("<title>t</title>{long}")),
            ": t\n",
        ),
        (
            Reply::json(400, &json!({ "error": { "message": "m", "code": &long } })),
            "code yyy",
        ),
    ] {
        let bytes = reply.body.len();
        let fake = Fake::script([reply]);
        let workspace = probe(&fake, ONCE);
        let told = run(&workspace, &["get-probe"]).expect(6);
        assert!(told.stderr.len() < 4096, "{} bytes", told.stderr.len());
        assert_tells(&told, &["answered 400", start]);
        let error = run(&workspace, &["get-probe", "-o", "json"]).expect(6);
        assert!(
            error.stderr.len() < 40 << 10,
            "{} bytes",
            error.stderr.len()
        );
        let upstream = &error.error()["upstream"];
        let kept = upstream["body"].as_str().expect("text").len();
        assert_eq!(upstream["body_cut"], bytes - kept);
        let message = upstream["message"].as_str().expect("a message");
        assert!(message.len() < 2100, "{}", message.len());
        let verbose = run(&workspace, &["get-probe", "-v"]).expect(6);
        assert!(
            verbose.stderr.len() < 16 << 10,
            "{} bytes",
            verbose.stderr.len()
        );
        assert_tells(
            &verbose,
            &[&format!("< ({} more bytes)", bytes - (8 << 10))],
        );
    }
}

#[test]
fn an_error_body_over_the_limit_keeps_its_status() {
    for (status, exit) in [(400, 6), (500, 7)] {
        let fake = Fake::script([Reply::new(
            status,
            "text/plain",
            "It is broken. ".repeat(500),
        )]);
        let workspace = probe(
            &fake,
            &format!("{ONCE}\nlimits: {{ response_bytes: 1000 }}"),
        );
        let told = run(&workspace, &["get-probe"]).expect(exit);
        let answered = format!("answered {status} (");
        assert_tells(
            &told,
            &[
                &answered,
                "It is broken.",
                "its answer is not whole: the body is larger than 1000 bytes",
            ],
        );
    }
    let fake = Fake::script([Reply::new(200, "text/plain", "x".repeat(2000))]);
    let workspace = probe(
        &fake,
        &format!("{ONCE}\nlimits: {{ response_bytes: 1000 }}"),
    );
    run(&workspace, &["get-probe"]).expect(9);
}

#[test]
#[ignore = "long"]
fn an_error_body_that_breaks_off_keeps_its_status_and_its_words() {
    let body = format!(
        "{{\"error\": {{\"message\": \"It is broken. {}\"}}}}",
        "z".repeat(200)
    );
    let slow = Manner::Dribble(Duration::from_millis(12));
    for (manner, service, flags) in [
        (Manner::Cut, ONCE.to_owned(), [].as_slice()),
        (slow, format!("{ONCE}\ntimeout: {{ total: 1200ms }}"), &[]),
        (slow, ONCE.to_owned(), &["--timeout", "1200ms"]),
    ] {
        for (status, exit) in [(400, 6), (429, 6), (500, 7)] {
            let mut reply = Reply::new(status, "application/json", body.as_str());
            reply.manner = manner;
            let fake = Fake::script([reply]);
            let workspace = probe(&fake, &service);
            let began = Instant::now();
            let told = run(&workspace, &[&["get-probe"], flags].concat()).expect(exit);
            assert!(
                began.elapsed() < Duration::from_secs(4),
                "{:?}",
                began.elapsed()
            );
            let answered = format!("answered {status} (");
            assert_tells(
                &told,
                &[&answered, "It is bro", "its answer is not whole: "],
            );
            assert_unforged(&told.stderr, 0);
            let error =
                run(&workspace, &[&["get-probe", "-o", "json"], flags].concat()).expect(exit);
            let upstream = &error.error()["upstream"];
            assert!(upstream["body_incomplete"].is_string(), "{upstream}");
            assert!(
                upstream["body"]
                    .as_str()
                    .is_some_and(|text| text.contains("It is bro")),
                "{upstream}"
            );
        }
    }
}

#[test]
fn a_broken_off_error_is_retried_by_its_status_and_a_broken_off_success_by_the_network() {
    let cut = |status: u16| Reply {
        manner: Manner::Cut,
        ..Reply::json(status, &json!({ "error": { "message": "It is broken." } }))
    };
    let quick = "retry: { max_attempts: 3, base_delay: 1ms, max_delay: 2ms }";
    for (status, exit, tries) in [(400, 6, 1), (503, 7, 3), (200, 8, 3)] {
        let fake = Fake::script([cut(status)]);
        run(&probe(&fake, quick), &["get-probe"]).expect(exit);
        assert_eq!(fake.requests().len(), tries, "{status}");
    }
}

#[test]
fn verbose_shows_what_was_sent_and_what_came() {
    let fake = Fake::script([Reply::json(200, &json!({ "echo": "a\nb", "list": [1] }))]);
    let workspace = probe(&fake, BEARER);
    let told = run(
        &workspace,
        &["send-probe", "text=hello", "--yes", "-v", "-o", "json"],
    )
    .expect(0);
    assert_tells(
        &told,
        &[
            "> POST http://",
            "> authorization: Bearer ***\n",
            ">\n> {\"text\":\"hello\"}\n",
            "< 200 in ",
            "< content-type: application/json\n",
            "<\n< {\"echo\":\"a\\nb\",\"list\":[1]}\n",
        ],
    );
    // Without `-v`, none of that is shown.
    let told = run(&workspace, &["send-probe", "text=hello", "--yes"]).expect(0);
    assert_eq!(told.stderr, "");
}

#[test]
fn verbose_cuts_long_bodies_and_tells_of_what_is_no_text() {
    let long = "w".repeat(20_000);
    let fake = Fake::script([
        Reply::new(200, "application/json", format!("\"{long}\"")),
        Reply::new(400, "image/png", b"\x89PNG\xff".as_slice()),
    ]);
    let workspace = probe(&fake, ONCE);
    let text = format!("text={long}");
    let told = run(&workspace, &["send-probe", &text, "--yes", "-v"]).expect(0);
    assert_tells(&told, &["> (11819 more bytes)\n", "< (11810 more bytes)\n"]);
    let told = run(&workspace, &["get-probe", "-v"]).expect(6);
    assert_tells(&told, &["< (5 bytes that are no text)\n"]);
}

#[test]
fn lines_of_a_body_cannot_pass_for_others_in_verbose() {
    let body = "{\"a\":\n\"x\"}\n> POST /forged\nerror: forged\r\n< 200 forged";
    let fake = Fake::script([Reply::new(400, "text/plain", body).with("x-odd", "a\tb")]);
    let told = run(&probe(&fake, ONCE), &["get-probe", "-v"]).expect(6);
    let forged = |line: &&str| line.contains("forged");
    for line in told.stderr.lines().filter(forged) {
        assert!(
            line.starts_with("< ") || line.starts_with("error: the service answered"),
            "{line}"
        );
    }
    assert_tells(
        &told,
        &[
            "< error: forged\n",
            "< > POST /forged\n",
            "< x-odd: a\\tb\n",
        ],
    );
}

#[test]
fn a_secret_is_masked_in_every_word_of_a_service() {
    let padding = "p".repeat(16 << 10);
    for reply in [
        Reply::json(
            400,
            &json!({ "error": { "message": format!("key {SECRET} is bad"), "code": SECRET } }),
        ),
        Reply::json(400, &json!({ "echo": [SECRET, { "deep": SECRET }] })),
        Reply::new(400, "text/plain", format!("your key {SECRET}")),
        Reply::new(400, "text/html", format!("<title>{SECRET}</title>")),
        Reply::new(
            400,
            "application/xml",
            format!("<Error><Code>{SECRET}</Code><Message>{SECRET}</Message></Error>"),
        ),
        Reply::json(
            400,
            &json!({ "title": SECRET, "detail": SECRET, "type": SECRET }),
        ),
        // At the places where texts are cut.
        Reply::new(400, "text/plain", format!("{}{SECRET}", "q".repeat(490))),
        Reply::json(
            400,
            &json!({ "message": format!("{}{SECRET}", "q".repeat(2040)) }),
        ),
        Reply::new(
            400,
            "text/plain",
            format!("{}{SECRET}{padding}", &padding[..(16 << 10) - 10]),
        ),
        Reply::new(
            400,
            "text/plain",
            format!("{}{SECRET}{padding}", &padding[..(8 << 10) - 10]),
        ),
        Reply::new(400, "text/plain", "x").with("x-echo", SECRET),
    ] {
        let fake = Fake::script([reply.clone()]);
        let workspace = probe(&fake, BEARER);
        for flags in [
            [].as_slice(),
            &["-o", "json"],
            &["-v"],
            &["-v", "-o", "json"],
        ] {
            let told = run(&workspace, &[&["get-probe"], flags].concat()).expect(6);
            let told = format!("{}{}", told.stdout, told.stderr);
            for start in [12, SECRET.len()] {
                assert!(
                    !told.contains(&SECRET[..start]),
                    "{flags:?} {:?}",
                    reply.headers
                );
            }
        }
    }
}

#[test]
fn the_bodies_of_token_requests_are_withheld() {
    let token = "token-that-nobody-may-see";
    let fake = Fake::start(move |request| match request.path.as_str() {
        "/token" => Reply::json(
            200,
            &json!({ "access_token": token, "token_type": "bearer" }),
        ),
        _ => Reply::ok(),
    });
    let origin = fake.origin();
    let workspace = probe(
        &fake,
        &format!(
            "auth: {{ kind: oauth2, grant: client_credentials, token_url: \"{origin}/token\", client_id: me, client_secret: {{ env: PROBE_KEY }}, client_auth: body }}"
        ),
    );
    let told = run(&workspace, &["get-probe", "-v"]).expect(0);
    assert_tells(&told, &["bytes that carry credentials)"]);
    for secret in [token, SECRET] {
        assert!(!told.stderr.contains(secret), "{}", told.stderr);
    }
}

#[test]
fn the_library_words_nothing_in_flags() {
    let mut found = Vec::new();
    let mut folders = vec![std::path::PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            // The curl command, which is written and read, has flags of its own. What is exported is for readers who run
            // commands: skills and documentation.
            let curls = ["plan/curl.rs", "import/curl", "import/recorded.rs"];
            let is_curl = curls.iter().any(|curl| path.ends_with(curl));
            if path.ends_with("src/cli") || path.ends_with("src/export") || is_curl {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            // git has flags of its own.
            if path.ends_with("diff/git.rs") {
                continue;
            }
            // The build script is no part of the library and runs a compiler.
            if path.ends_with("src/build.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a file");
            for (i, line) in text.lines().enumerate() {
                let line = line.trim_start();
                let words = [" --", "`--", "(--", "\"--", "`toolrun "];
                let is_flag = |word: &&&str| {
                    line.find(**word).is_some_and(|at| {
                        let next = line[at + word.len()..].chars().next();
                        next.is_some_and(|c| c.is_ascii_lowercase())
                    })
                };
                if !line.starts_with("//") && words.iter().any(|word| is_flag(&word)) {
                    found.push(format!("{}:{}: {line}", path.display(), i + 1));
                }
            }
        }
    }
    assert_eq!(found, [""; 0]);
}

#[test]
fn hints_are_worded_in_flags() {
    let fake = Fake::script([Reply::manner(Manner::Hang)]);
    let workspace = probe(&fake, BEARER);
    workspace.write(
        "descriptors/other/get-other.yaml",
        "spec: 1\ntool: get-other\nservice: { service: other, base_url: \"https://o.test/{{ settings.place }}\", settings: { place: { env: PLACE, example: x } } }\ndescription: A probe.\naccess: read\nrequest: { method: GET, path: /x }\n",
    );
    for (arguments, code, parts) in [
        (
            ["get-prob"].as_slice(),
            2,
            [
                "there is no tool `get-prob`",
                "hint: did you mean `get-probe`?",
            ],
        ),
        (
            &["zzzzzzzzzzz"],
            2,
            ["there is no tool", "hint: `toolrun list` shows"],
        ),
        (
            &["get-probe", "x=1"],
            2,
            [
                "the arguments of get-probe",
                "hint: `toolrun show get-probe`",
            ],
        ),
        (
            &["send-probe"],
            5,
            [
                "send-probe is a write tool, which needs consent",
                "hint: confirm with `--yes`",
            ],
        ),
        (
            &["get-probe", "--timeout", "100ms"],
            8,
            ["no answer within 100 ms", "hint: `--timeout` sets"],
        ),
        (
            &["get-other"],
            2,
            [
                "the setting `place` has no value",
                "hint: give it with `--set place=...` or the variable PLACE",
            ],
        ),
    ] {
        let told = run(&workspace, arguments).expect(code);
        assert_tells(&told, &parts);
        let told = run(&workspace, &[arguments, &["-o", "json"]].concat())
            .expect(code)
            .error();
        let hint = parts[1].trim_start_matches("hint: ");
        assert!(
            told["hint"]
                .as_str()
                .is_some_and(|text| text.contains(hint)),
            "{told}"
        );
    }
}
