//! `--record` and `toolrun record`: HAR files that are whole or say what they lack, whoever dies when.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use crate::support::{Fake, Manner, Output, Reply, Workspace, assert_tells, output};

const LIST: &str = "params: { properties: { x: { type: integer, description: A. } } }\nrequest: { method: GET, path: /probe, query: [x] }\nresponse: { output: $ }";

fn probe(origin: &str, service: &str, tool: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.service(origin, service);
    workspace.tool("get-probe", "read", tool);
    workspace
}

fn har(workspace: &Workspace, file: &str) -> Value {
    let text = std::fs::read_to_string(workspace.path().join(file)).expect("a recording");
    serde_json::from_str(&text).expect("JSON")
}

fn entries(workspace: &Workspace, file: &str) -> Vec<Value> {
    har(workspace, file)["log"]["entries"]
        .as_array()
        .expect("entries")
        .clone()
}

/// The program as a word of a shell, with the tools of a workspace.
fn word(workspace: &Workspace) -> String {
    let folder = workspace.descriptors();
    format!(
        "{} --tools {}",
        env!("CARGO_BIN_EXE_toolrun"),
        folder.display()
    )
}

fn session(workspace: &Workspace, file: &str, script: &str) -> Output {
    let script = script.replace("toolrun", &word(workspace));
    workspace.run(&["record", file, "--", "sh", "-c", &script])
}

#[test]
fn an_exchange_is_written_with_its_call() {
    let fake = Fake::start(|_| Reply::json(200, &json!({ "a": [1, "é"] })).with("x-a", "b"));
    let workspace = probe(&fake.origin(), "", LIST);
    workspace
        .run(&["call", "get-probe", "x=5", "--record", "a.har"])
        .expect(0);
    let har = har(&workspace, "a.har");
    assert_eq!(har["log"]["version"], "1.2");
    assert_eq!(har["log"]["creator"]["name"], "toolrun");
    assert_eq!(har["log"].get("comment"), None);
    let entry = &har["log"]["entries"][0];
    assert_eq!(
        entry["request"]["url"],
        format!("{}/probe?x=5", fake.origin())
    );
    assert_eq!(
        entry["request"]["queryString"],
        json!([{ "name": "x", "value": "5" }])
    );
    assert_eq!(entry["response"]["content"]["text"], "{\"a\":[1,\"é\"]}");
    assert_eq!(entry["response"]["content"]["mimeType"], "application/json");
    let own = &entry["_toolrun"];
    let expected = json!({ "service": "probe", "tool": "get-probe", "kind": "call", "arguments": { "x": 5 }, "attempt": 1, "base": format!("{}/", fake.origin()) });
    assert_eq!(own, &expected);
    let time = entry["time"].as_f64().expect("a number");
    let timings = &entry["timings"];
    let sum: f64 = ["send", "wait", "receive"]
        .iter()
        .filter_map(|name| timings[name].as_f64())
        .sum();
    assert!(time > 0.0 && (time - sum).abs() < 0.01, "{entry}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let file = std::fs::metadata(workspace.path().join("a.har")).expect("a file");
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn pages_polls_retries_and_redirects_are_named() {
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let fake = Fake::start(
        move |_| match turn.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => Reply::json(503, &json!({})),
            1 => Reply::redirect(307, "/probe?moved=1"),
            2 => Reply::json(200, &json!({ "data": [1], "next": 2 })),
            _ => Reply::json(200, &json!({ "data": [2] })),
        },
    );
    let tool = "params: { properties: { x: { type: integer, description: A. } } }\nrequest: { method: GET, path: /probe, query: [x] }\npaging: { items: $.data, next: { x: $.next } }\nresponse: { output: $ }";
    let workspace = probe(
        &fake.origin(),
        "retry: { base_delay: 1ms, max_delay: 1s }",
        tool,
    );
    workspace
        .run(&["call", "get-probe", "--all", "--record", "a.har"])
        .expect(0);
    let kinds: Vec<Value> = entries(&workspace, "a.har")
        .iter()
        .map(|entry| {
            let own = &entry["_toolrun"];
            json!([
                entry["response"]["status"],
                own["kind"],
                own["attempt"],
                own["redirects"],
                own["page"]
            ])
        })
        .collect();
    let expected = json!([
        [503, "call", 1, null, null],
        [307, "retry", 2, null, null],
        [200, "retry", 2, 1, null],
        [200, "page", 1, null, 2],
    ]);
    assert_eq!(Value::from(kinds), expected);
}

#[test]
fn a_session_records_all_calls_and_keeps_the_exit_code() {
    let fake = Fake::start(|request| {
        Reply::json(
            if request.query.contains("x=4") {
                404
            } else {
                200
            },
            &json!({ "rows": [{ "id": 1 }] }),
        )
    });
    let tool = "params: { properties: { x: { type: integer, description: A. } } }\nrequest: { method: GET, path: /probe, query: [x] }\nresponse: { output: { rows: $.rows }, rows: rows }";
    let workspace = probe(&fake.origin(), "", tool);
    let store = format!("sqlite:{}", workspace.path().join("s.db").display());
    let script = format!(
        "toolrun call get-probe x=1 & toolrun call get-probe x=2 & wait; toolrun call get-probe x=4; toolrun sql 'select * from get_probe where x = 5'; \
         printf '{{\"x\":6}}\\n{{\"x\":7}}\\n' | toolrun batch get-probe - --store {store}; toolrun sync get-probe --into out.db; exit 42"
    );
    let done = session(&workspace, "a.har", &script);
    assert_eq!(done.code, 42, "{} {}", done.stdout, done.stderr);
    let entries = entries(&workspace, "a.har");
    assert_eq!(entries.len(), fake.requests().len(), "{}", done.stderr);
    let mut seen: Vec<u64> = entries
        .iter()
        .filter_map(|entry| entry["_toolrun"]["arguments"]["x"].as_u64())
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 4, 5, 6, 7]);
    let times: Vec<&str> = entries
        .iter()
        .filter_map(|entry| entry["startedDateTime"].as_str())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    // Each of them is played.
    for script in [
        "call get-probe x=2",
        "sql 'select * from get_probe where x = 5'",
    ] {
        let call = format!("{} {script} --replay a.har", word(&workspace));
        let mut command = Command::new("sh");
        output(command.args(["-c", &call]).current_dir(workspace.path())).expect(0);
    }
}

#[test]
fn the_command_is_run_as_it_is() {
    let workspace = probe("http://127.0.0.1:1", "", LIST);
    for (command, code) in [
        (&["sh", "-c", "exit 0"][..], 0),
        (&["sh", "-c", "exit 3"], 3),
        (&["sh", "-c", "kill -9 $$"], 137),
    ] {
        let done = workspace
            .run(&[&["record", "a.har", "--"], command].concat())
            .expect(code);
        assert_tells(&done, &["nothing was sent, so a.har was not written"]);
        assert!(!workspace.path().join("a.har").exists());
    }
    let done = workspace
        .run(&["record", "a.har", "--", "no-such-program"])
        .expect(2);
    assert_tells(&done, &["cannot run no-such-program"]);
    let done = workspace.run(&["record", "a.har"]).expect(2);
    assert_tells(&done, &["COMMAND"]);
    assert!(!workspace.path().join("a.har").exists());
}

/// Starts a call that hangs, and waits until its request came.
fn hanging(workspace: &Workspace, fake: &Fake, arguments: &[&str]) -> std::process::Child {
    let mut command = workspace.toolrun();
    command
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let child = command.spawn().expect("the program starts");
    fake.awaited();
    child
}

fn kill(child: &mut std::process::Child) {
    child.kill().expect("a process");
    child.wait().expect("an end");
}

#[test]
fn a_call_that_is_killed_leaves_a_file_that_says_so() {
    let fake = Fake::script([Reply::manner(Manner::Hang)]);
    let workspace = probe(&fake.origin(), "", LIST);
    let mut child = hanging(
        &workspace,
        &fake,
        &["call", "get-probe", "--record", "a.har"],
    );
    let told = har(&workspace, "a.har");
    assert_eq!(
        told["log"]["comment"],
        "incomplete: the recording began, and has not ended"
    );
    // The place is taken as long as it is going on.
    let done = workspace
        .run(&["call", "get-probe", "--record", "a.har"])
        .expect(2);
    assert_tells(&done, &["another recording is being written to a.har"]);
    kill(&mut child);
    assert_eq!(har(&workspace, "a.har"), told);
    let done = workspace
        .run(&["call", "get-probe", "--replay", "a.har"])
        .expect(5);
    assert_tells(&done, &["a.har holds no exchange"]);
    // What is left of it is no obstacle.
    let good = Fake::script([Reply::ok()]);
    workspace.service(&good.origin(), "");
    workspace
        .run(&["call", "get-probe", "--record", "a.har"])
        .expect(0);
    assert_eq!(entries(&workspace, "a.har").len(), 1);
}

/// Ctrl-C ends the call, and what was sent until then is kept.
#[cfg(unix)]
#[test]
fn a_call_that_is_interrupted_keeps_what_was_sent() {
    let fake = Fake::script([Reply::json(503, &json!({})), Reply::manner(Manner::Hang)]);
    let retry = "retry: { base_delay: 1ms, max_delay: 1s }";
    let workspace = probe(&fake.origin(), retry, LIST);
    let mut child = hanging(
        &workspace,
        &fake,
        &["call", "get-probe", "--record", "a.har"],
    );
    let begun = Instant::now();
    while fake.requests().len() < 2 {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "no second attempt"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    terminate(child.id());
    let status = child.wait().expect("an end");
    assert_eq!(status.code(), Some(143));
    let entries = entries(&workspace, "a.har");
    let statuses: Vec<&Value> = entries
        .iter()
        .map(|entry| &entry["response"]["status"])
        .collect();
    assert_eq!(statuses, [&json!(503), &json!(0)], "{entries:?}");
}

#[test]
fn a_process_of_a_session_that_is_killed_is_told_of() {
    let hang = Fake::start(|request| match request.query.as_str() {
        "x=2" => Reply::manner(Manner::Hang),
        _ => Reply::ok(),
    });
    let workspace = probe(&hang.origin(), "", LIST);
    let script = "toolrun call get-probe x=1; toolrun call get-probe x=2 & p=$!; \
                  for i in $(seq 100); do sleep 0.1; [ -e killed ] && break; done; kill -9 $p; wait $p; exit 6";
    let folder = workspace.path().to_owned();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let begun = Instant::now();
            while hang.requests().len() < 2 && begun.elapsed() < Duration::from_secs(20) {
                std::thread::sleep(Duration::from_millis(20));
            }
            std::fs::write(folder.join("killed"), "").expect("a file");
        });
        let done = session(&workspace, "a.har", script).expect(6);
        assert_tells(
            &done,
            &[
                "the recording is incomplete: the end of an exchange is missing: GET ",
                "x=2",
            ],
        );
    });
    let har = har(&workspace, "a.har");
    let comment = har["log"]["comment"].as_str().expect("a comment");
    assert!(
        comment.starts_with("incomplete: the end of an exchange is missing: GET "),
        "{comment}"
    );
    assert_eq!(har["log"]["entries"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_recorder_that_is_killed_leaves_a_file_that_says_so() {
    let fake = Fake::script([Reply::manner(Manner::Hang)]);
    let workspace = probe(&fake.origin(), "", LIST);
    let script = format!("exec {} call get-probe --timeout 2s", word(&workspace));
    let mut child = hanging(
        &workspace,
        &fake,
        &["record", "a.har", "--", "sh", "-c", &script],
    );
    kill(&mut child);
    let comment = &har(&workspace, "a.har")["log"]["comment"];
    assert_eq!(
        comment,
        "incomplete: the recording began, and has not ended"
    );
}

#[test]
fn a_call_that_gives_up_is_recorded_as_far_as_it_came() {
    let fake = Fake::script([Reply::manner(Manner::Dribble(Duration::from_millis(200)))]);
    let workspace = probe(&fake.origin(), "", LIST);
    workspace
        .run(&[
            "call",
            "get-probe",
            "--timeout",
            "700ms",
            "--record",
            "a.har",
        ])
        .expect(8);
    let entries = entries(&workspace, "a.har");
    assert_eq!(entries[0]["response"]["status"], 200);
    assert_eq!(entries[0]["_toolrun"]["failure"]["kind"], "given_up");
    let text = entries[0]["response"]["content"]["text"]
        .as_str()
        .expect("a text");
    assert!(!text.is_empty() && text.len() < 14, "{text}");
}

#[test]
fn a_file_that_is_there_is_not_touched() {
    let fake = Fake::script([Reply::ok()]);
    let workspace = probe(&fake.origin(), "", LIST);
    workspace.write("a.har", "mine");
    for file in ["a.har", "/dev/full", "/dev/null", "descriptors"] {
        let done = workspace
            .run(&["call", "get-probe", "--record", file])
            .expect(2);
        assert_tells(&done, &["is there already"]);
        let done = workspace.run(&["record", file, "--", "true"]).expect(2);
        assert_tells(&done, &["is there already"]);
    }
    let done = workspace
        .run(&["call", "get-probe", "--record", "no/a.har"])
        .expect(1);
    assert_tells(&done, &["cannot write no/a.har"]);
    assert_eq!(fake.requests(), []);
    assert_eq!(
        std::fs::read_to_string(workspace.path().join("a.har")).expect("a file"),
        "mine"
    );
}

/// A disk is full when a file may not grow.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_no_file_and_is_told() {
    let long = "x".repeat(100_000);
    let fake = Fake::start(move |_| Reply::json(200, &json!({ "a": long })));
    let workspace = probe(&fake.origin(), "", LIST);
    for script in ["call get-probe --record a.har", "record a.har -- CALL"] {
        let word = word(&workspace);
        let script = script.replace("CALL", &format!("{word} call get-probe"));
        let script = format!("trap '' XFSZ; ulimit -f 40; exec {word} {script} > /dev/null");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).current_dir(workspace.path());
        let done = output(&mut command);
        assert_eq!(done.code, 1, "{script}: {}", done.stderr);
        assert!(done.stderr.contains("recording"), "{}", done.stderr);
        if let Ok(text) = std::fs::read_to_string(workspace.path().join("a.har")) {
            assert!(text.contains("incomplete"), "{text}");
            std::fs::remove_file(workspace.path().join("a.har")).expect("a file");
        }
    }
}

#[test]
fn a_closed_pipe_does_not_stop_the_recording() {
    let fake = Fake::start(|_| Reply::json(200, &json!({ "a": [1, 2, 3] })));
    let workspace = probe(&fake.origin(), "", LIST);
    let script = format!(
        "{} call get-probe --record a.har -o json | true",
        word(&workspace)
    );
    let mut command = Command::new("sh");
    output(command.args(["-c", &script]).current_dir(workspace.path()));
    assert_eq!(entries(&workspace, "a.har").len(), 1);
}

fn redacted(entry: &Value) -> (Value, Value, Value) {
    let json =
        |text: &Value| serde_json::from_str(text.as_str().unwrap_or("null")).unwrap_or_default();
    (
        json(&entry["request"]["postData"]["text"]),
        json(&entry["response"]["content"]["text"]),
        entry["_toolrun"]["arguments"].clone(),
    )
}

const WRITE: &str = "params: { properties: { email: { type: string, description: A. }, note: { type: string, default: n, description: A. } } }\n\
    request: { method: POST, path: /probe, query: [email], body: { json: { email: '{{ email }}', note: '{{ note }}' } } }\nresponse: { output: $ }";

#[test]
fn fields_are_hidden_and_the_same_value_has_the_same_pseudonym() {
    let fake = Fake::start(|request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        Reply::json(
            200,
            &json!({ "people": [{ "email": body["email"], "age": 41, "vip": true }, { "email": "b@x.test", "age": 7, "vip": false }], "email": "b@x.test" }),
        )
    });
    let workspace = probe(
        &fake.origin(),
        "redact: ['$.people[*].age', { path: $.note, as: removed }]",
        "request: { method: GET, path: / }",
    );
    workspace.tool("do-probe", "write", WRITE);
    workspace.run(&["validate", "descriptors"]).expect(0);
    let script = "toolrun call do-probe email=a@x.test --yes -o json; toolrun call do-probe email=b@x.test --yes -o json";
    let script = script.replace("toolrun", &word(&workspace));
    let arguments = [
        "record",
        "a.har",
        "--redact",
        "$..email",
        "--redact",
        "remove:$.people[*].vip",
        "--redact",
        "$.nothing",
        "--",
        "sh",
        "-c",
        &script,
    ];
    let done = workspace.run(&arguments).expect(0);
    assert_tells(&done, &["`$.nothing` found nothing in the recording"]);
    let text = std::fs::read_to_string(workspace.path().join("a.har")).expect("a file");
    assert!(!text.contains("x.test"), "{text}");
    let entries = entries(&workspace, "a.har");
    let (first, second) = (redacted(&entries[0]), redacted(&entries[1]));
    let (one, other) = (first.0["email"].clone(), second.0["email"].clone());
    assert!(
        one.as_str()
            .is_some_and(|text| text.starts_with("redacted-")),
        "{one}"
    );
    assert_ne!(one, other);
    // In both processes, in each place.
    assert_eq!(
        [&first.1["people"][0]["email"], &first.2["email"]],
        [&one, &one]
    );
    assert_eq!(
        [
            &first.1["email"],
            &second.1["email"],
            &first.1["people"][1]["email"]
        ],
        [&other, &other, &other]
    );
    assert!(
        entries[0]["request"]["url"].as_str().is_some_and(
            |url| url.ends_with(&format!("?email={}", one.as_str().unwrap_or_default()))
        )
    );
    assert!(first.1["people"][0]["age"].is_u64() && first.1["people"][0]["age"] != 41);
    assert_eq!(first.1["people"][0].get("vip"), None);
    assert_eq!((first.0.get("note"), first.2.get("note")), (None, None));
    // The recording is played by the real arguments.
    let done = workspace
        .run(&[
            "call",
            "do-probe",
            "email=b@x.test",
            "note=other",
            "--yes",
            "--replay",
            "a.har",
            "-o",
            "json",
        ])
        .expect(0);
    assert!(done.stdout.contains("redacted-"), "{}", done.stdout);
    // Another recording has other pseudonyms.
    let again = [
        "call",
        "do-probe",
        "email=a@x.test",
        "--yes",
        "--record",
        "b.har",
        "--redact",
        "$.email",
    ];
    workspace.run(&again).expect(0);
    let entries = self::entries(&workspace, "b.har");
    assert_ne!(redacted(&entries[0]).0["email"], one);
    // The path leads to one field, and the other one of that name stays.
    assert_eq!(redacted(&entries[0]).1["people"][0]["email"], "a@x.test");
}

#[test]
fn bodies_of_every_notation_are_hidden_or_told() {
    for (kind, media_type, body, path, told) in [
        (
            "ndjson",
            "application/x-ndjson",
            "{\"e\":\"zed\",\"n\":12345678901234567890}\n{\"e\":\"zed\"}\n",
            "$[*].e",
            None,
        ),
        (
            "sse",
            "text/event-stream",
            "event: a\ndata: {\"e\":\"zed\"}\n\n",
            "$[*].data.e",
            None,
        ),
        (
            "json",
            "application/json",
            "{\"e\":\"zed\",\"n\":123456789012345678901234567890}",
            "$.e",
            Some("numbers with many digits were rounded"),
        ),
        (
            "text",
            "text/plain",
            "zeal",
            "$.e",
            Some(
                "no field is hidden in 1 body that is not read as JSON or as a form, such as one of text/plain",
            ),
        ),
    ] {
        let fake = Fake::start(move |_| Reply::new(200, media_type, body));
        let tool = format!(
            "request: {{ method: GET, path: /probe }}\nresponse: {{ kind: {kind}, output: $ }}"
        );
        let workspace = probe(&fake.origin(), "", &tool);
        let done = workspace
            .run(&["call", "get-probe", "--record", "a.har", "--redact", path])
            .expect(0);
        let text = std::fs::read_to_string(workspace.path().join("a.har")).expect("a file");
        assert!(!text.contains("zed"), "{kind}: {text}");
        if let Some(told) = told {
            assert_tells(&done, &[told]);
        }
        workspace
            .run(&["call", "get-probe", "--replay", "a.har"])
            .expect(0);
    }
}

#[test]
fn a_bad_path_of_a_service_is_found_where_it_stands() {
    let workspace = probe(
        "http://127.0.0.1:1",
        "redact:\n  - $.a\n  - { path: '$.[', as: removed }\n  - email",
        LIST,
    );
    let done = workspace.run(&["validate", "descriptors"]).expect(3);
    let all = format!("{}{}", done.stdout, done.stderr);
    assert!(
        all.contains("service.yaml:6:") && all.contains("service.yaml:7:"),
        "{all}"
    );
}

#[test]
fn a_signal_reaches_the_command() {
    let fake = Fake::script([Reply::manner(Manner::Hang)]);
    let workspace = probe(&fake.origin(), "", LIST);
    let script = format!(
        "trap 'exit 9' TERM; {} call get-probe & wait",
        word(&workspace)
    );
    let mut child = hanging(
        &workspace,
        &fake,
        &["record", "a.har", "--", "sh", "-c", &script],
    );
    terminate(child.id());
    assert_eq!(child.wait().expect("an end").code(), Some(9));
    assert!(Path::new(&workspace.path().join("a.har")).exists());
    assert!(har(&workspace, "a.har")["log"]["comment"].is_string());
}

fn terminate(process: u32) {
    let done = Command::new("kill")
        .args(["-TERM", &process.to_string()])
        .status();
    assert!(done.expect("kill").success());
}

/// What a variable of the environment names is only written to if it is the folder of a session of this user alone.
#[cfg(unix)]
#[test]
fn a_folder_that_is_no_session_gets_nothing() {
    use std::os::unix::fs::PermissionsExt as _;

    let fake = Fake::start(|_| Reply::json(200, &json!({ "a": 1 })));
    let workspace = probe(&fake.origin(), "", LIST);
    let done = session(
        &workspace,
        "a.har",
        "ls -ld \"$TOOLRUN_RECORDING\" && toolrun call get-probe",
    );
    let done = done.expect(0);
    assert!(done.stdout.starts_with("drwx------"), "{}", done.stdout);
    let setup = json!({ "key": vec![0_u8; 32], "redact": [] }).to_string();
    let folder = |name: &str, mode: u32, setup: &str| {
        let path = workspace.path().join(name);
        std::fs::create_dir(&path).expect("a folder");
        if !setup.is_empty() {
            std::fs::write(path.join("session.json"), setup).expect("a file");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("rights");
        path
    };
    let ours = folder("ours", 0o700, &setup);
    let link = workspace.path().join("link");
    std::os::unix::fs::symlink(&ours, &link).expect("a link");
    let piped = folder("piped", 0o700, "");
    let made = std::process::Command::new("mkfifo")
        .arg(piped.join("session.json"))
        .status();
    assert!(made.expect("mkfifo").success());
    let wide = folder("wide", 0o777, &setup);
    let readable = folder("readable", 0o755, &setup);
    let empty = folder("empty", 0o700, "");
    let broken = folder("broken", 0o700, "[");
    let before = fake.requests().len();
    for (path, told) in [
        (&wide, "only this user"),
        (&readable, "only this user"),
        (&link, "only this user"),
        (&piped, "is no file"),
        (&empty, "is not going on"),
        (&broken, "is not going on"),
    ] {
        let mut command = workspace.toolrun();
        command.env("TOOLRUN_RECORDING", path);
        let done = output(command.args(["call", "get-probe"]));
        assert_eq!(done.code, 2, "{}: {}", path.display(), done.stderr);
        assert_tells(&done, &["$TOOLRUN_RECORDING", told]);
    }
    assert_eq!(fake.requests().len(), before, "nothing is sent");
    let mut command = workspace.toolrun();
    command.env("TOOLRUN_RECORDING", &ours);
    output(command.args(["call", "get-probe"])).expect(0);
    assert_eq!(std::fs::read_dir(&ours).expect("a folder").count(), 2);
}

/// Arguments that are nested as deep as a call takes them are recorded and read again, or it is told that they are left out.
#[test]
fn deep_arguments_are_recorded_or_told() {
    let fake = Fake::start(|_| Reply::json(200, &json!({ "a": 1 })));
    let tool = "params: { properties: { v: { description: A. } } }\nrequest: { method: POST, path: /probe, body: { json: '{{ v }}' } }\nresponse: { output: $ }";
    let workspace = probe(&fake.origin(), "", tool);
    for (levels, is_kept) in [(3, true), (121, true), (122, false), (126, false)] {
        let arguments = format!("{{\"v\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
        let file = format!("{levels}.har");
        let call = ["call", "get-probe", &arguments, "-o", "json"];
        let done = workspace
            .run(&[&call[..], &["--record", &file]].concat())
            .expect(0);
        let own = entries(&workspace, &file)[0]["_toolrun"]["arguments"].clone();
        assert_eq!(own.is_object(), is_kept, "{levels}");
        assert_eq!(done.stderr.is_empty(), is_kept, "{}", done.stderr);
        if !is_kept {
            assert_tells(
                &done,
                &[
                    "1 entry without the arguments of the call, which are nested deeper than 122 levels",
                ],
            );
        }
        let again = workspace
            .run(&[&call[..], &["--replay", &file]].concat())
            .expect(0);
        assert_eq!(again.stdout, done.stdout, "{levels}");
    }
    // Of a body that no tree holds, the reason is told.
    let deep = format!("{{\"e\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    for (body, reason) in [
        (deep.as_str(), "nested deeper than 127 levels"),
        ("{\"e\": 1e999}", "1e999"),
    ] {
        let body = body.to_owned();
        let fake = Fake::start(move |_| Reply::new(200, "application/json", body.clone()));
        let workspace = probe(&fake.origin(), "", LIST);
        let done = workspace.run(&["call", "get-probe", "--record", "a.har", "--redact", "$.e"]);
        assert_tells(
            &done,
            &["no field is hidden in 1 body", "application/json (", reason],
        );
    }
}

/// What stands in the way is named, and nothing is sent.
#[test]
fn a_place_that_is_none_is_told() {
    let fake = Fake::start(|_| Reply::json(200, &json!({ "a": 1 })));
    let workspace = probe(&fake.origin(), "", LIST);
    std::fs::create_dir(workspace.path().join("folder.har")).expect("a folder");
    workspace.write("there.har", "{}");
    #[cfg(unix)]
    std::os::unix::fs::symlink("nowhere", workspace.path().join("link.har")).expect("a link");
    for (file, code, told) in [
        (
            "-",
            2,
            "a recording is a file, and - is none; ./- is a file of that name",
        ),
        ("folder.har", 2, "folder.har is there already"),
        ("there.har", 2, "there.har is there already"),
        ("none/a.har", 1, "cannot write none/a.har"),
        #[cfg(unix)]
        ("link.har", 2, "link.har is there already"),
        #[cfg(unix)]
        ("/dev/null", 2, "/dev/null is there already"),
    ] {
        for words in [
            &["call", "get-probe", "--record", file][..],
            &["record", file, "--", "true"],
        ] {
            let done = workspace.run(words);
            assert_eq!(done.code, code, "{words:?}: {}", done.stderr);
            assert_tells(&done, &[told]);
        }
    }
    for words in [
        &["call", "get-probe", "--record", "a.har"][..],
        &["record", "a.har", "--", "true"],
    ] {
        let mut command = workspace.toolrun();
        let done = output(command.env("TMPDIR", "/no/such/folder").args(words)).expect(1);
        assert_tells(
            &done,
            &["the folder for temporary files, /no/such/folder", "$TMPDIR"],
        );
        assert!(!workspace.path().join("a.har").exists(), "{words:?}");
    }
    let done = workspace
        .run(&["call", "get-probe", "--replay", "-"])
        .expect(2);
    assert_tells(&done, &["--replay names a file, and - is none"]);
    assert_eq!(fake.requests().len(), 0);
}

/// The key of the pseudonyms is not left behind for longer than until the next recording.
#[cfg(unix)]
#[test]
fn the_folder_of_a_session_that_was_killed_is_removed() {
    let fake = Fake::start(|_| Reply::json(200, &json!({ "a": 1 })));
    let workspace = probe(&fake.origin(), "", LIST);
    let temporary = workspace.path().join("temporary");
    std::fs::create_dir(&temporary).expect("a folder");
    let sessions = || {
        let folders = std::fs::read_dir(&temporary).expect("a folder");
        folders
            .map(|one| one.expect("an entry").path())
            .collect::<Vec<_>>()
    };
    let record = |file: &str, command: &[&str]| {
        let mut all = workspace.toolrun();
        all.env("TMPDIR", &temporary).args(["record", file, "--"]);
        all.args(command);
        all
    };
    let mut killed = record("a.har", &["sleep", "60"])
        .spawn()
        .expect("a process");
    while sessions()
        .iter()
        .all(|folder| !folder.join("session.json").exists())
    {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    // One that goes on is left alone.
    output(&mut record("b.har", &["true"])).expect(0);
    assert_eq!(sessions().len(), 1);
    kill(&mut killed);
    output(&mut record("c.har", &["true"])).expect(0);
    assert_eq!(sessions(), Vec::<std::path::PathBuf>::new());
}
