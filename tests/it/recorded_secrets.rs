//! No file of a recording holds a secret: wherever a request carries it, whatever a service does with it, however it is written.

use std::path::Path;

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use crate::canary::{
    AUTH, BROKEN, SECRET, assert_clean, echo_with_key, leak, percent, probe, probe_with, tokens,
};
use crate::support::{Fake, Output, Reply, Request, Workspace, assert_tells, output};

/// Runs the program with the secret in the environment, and with a folder for temporary files that is looked through.
fn run(workspace: &Workspace, arguments: &[&str]) -> Output {
    std::fs::create_dir_all(workspace.path().join("tmp")).expect("a folder");
    let mut command = workspace.toolrun();
    command.env("SECRET", SECRET).env("KEY", SECRET);
    command.env("TMPDIR", workspace.path().join("tmp"));
    output(command.args(arguments))
}

/// Asserts that no file below a folder holds the secret, except those that gave it.
fn assert_no_file_holds_it(what: &str, folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            assert_no_file_holds_it(what, &path);
        } else if !path.ends_with("secret.txt") {
            let bytes = std::fs::read(&path).expect("a file");
            let text = String::from_utf8_lossy(&bytes);
            assert_clean(&format!("{what} {}", path.display()), &text);
        }
    }
}

/// The entries of a recording.
fn entries(workspace: &Workspace, file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(workspace.path().join(file)).expect("a recording");
    let har: Value = serde_json::from_str(&text).expect("JSON");
    har["log"]["entries"].as_array().expect("entries").clone()
}

/// Records the calls of the probe, and asserts that there is no secret in any file.
fn assert_recorded_clean(what: &str, workspace: &Workspace) {
    run(
        workspace,
        &[
            "call",
            "get-probe",
            "--all",
            "--record",
            "one.har",
            "-o",
            "json",
        ],
    );
    let probe = env!("CARGO_BIN_EXE_toolrun");
    let folder = workspace.descriptors();
    let folder = folder.to_str().expect("a path in UTF-8");
    let calls = format!(
        "{probe} --tools {folder} call get-probe; {probe} --tools {folder} call do-probe --yes; \
         {probe} --tools {folder} sql 'select * from get_probe'"
    );
    let done = run(workspace, &["record", "all.har", "--", "sh", "-c", &calls]);
    assert_clean(what, &done.stderr);
    assert_no_file_holds_it(what, workspace.path());
    assert!(
        entries(workspace, "one.har").len() < entries(workspace, "all.har").len(),
        "{what}"
    );
    let tmp = std::fs::read_dir(workspace.path().join("tmp")).expect("a folder");
    assert_eq!(tmp.count(), 0, "{what}: nothing is left behind");
}

#[test]
#[ignore = "long"]
fn an_echo_is_in_no_file_of_any_auth_kind() {
    for status in [200, 400, 401, 503] {
        // As a key too.
        let fake = echo_with_key(status, str::to_owned);
        for (kind, auth) in AUTH {
            let workspace = probe(&fake.origin(), auth);
            assert_recorded_clean(&format!("{kind} {status}"), &workspace);
            let text = std::fs::read_to_string(workspace.path().join("one.har")).expect("a file");
            assert!(text.contains("***"), "{kind} {status}: {text}");
        }
    }
}

#[test]
#[ignore = "long"]
fn a_broken_answer_is_in_no_file() {
    for (name, reply, _) in BROKEN {
        let fake = Fake::start(reply);
        for (kind, auth) in &AUTH[..2] {
            let workspace = probe(&fake.origin(), auth);
            assert_recorded_clean(&format!("{name} {kind}"), &workspace);
        }
    }
}

#[test]
fn a_redirect_that_repeats_it_is_in_no_file() {
    for (kind, auth) in AUTH {
        let fake = Fake::start(|request| match request.path.as_str() {
            "/probe" => Reply::redirect(302, format!("/next/{}?a={0}#{0}", percent(SECRET))),
            _ => Reply::json(200, &json!({ "data": [request.target()] })),
        });
        let workspace = probe(&fake.origin(), auth);
        assert_recorded_clean(kind, &workspace);
    }
}

#[test]
#[ignore = "long"]
fn an_access_token_and_what_it_is_asked_with_are_in_no_file() {
    for status in [200, 400, 401, 500] {
        let fake = tokens(status);
        for grant in [
            "grant: client_credentials, client_auth: body",
            "grant: client_credentials, client_auth: basic",
            "grant: client_credentials, params: { more: { file: secret.txt } }",
            "grant: refresh_token, refresh_token: { env: SECRET }",
        ] {
            let auth = format!(
                "{{ kind: oauth2, {grant}, token_url: {}/token, client_id: {{ env: SECRET }}, client_secret: {{ env: SECRET }} }}",
                fake.origin()
            );
            let workspace = probe(&fake.origin(), &auth);
            assert_recorded_clean(&format!("{status} {grant}"), &workspace);
            let all = entries(&workspace, "one.har");
            let token = all
                .iter()
                .find(|entry| entry["_toolrun"]["kind"] == "token");
            let token = token.expect("the request of a token");
            let answer = token["response"]["content"]["text"]
                .as_str()
                .expect("a text");
            let answer: Value = serde_json::from_str(answer).expect("JSON");
            for name in ["access_token", "refresh_token"] {
                assert_eq!(answer[name], "***", "{grant}");
            }
            assert_eq!(answer["expires_in"], 3600);
        }
    }
}

/// A token that nobody knew before, and of which nothing is masked by its value alone: it is short.
#[test]
fn a_short_token_is_written_as_a_place() {
    let fake = Fake::start(|request| {
        match request.path.as_str() {
        "/token" => Reply::json(
            200,
            &json!({ "access_token": "tiny-tok", "id_token": "tiny-id", "refresh_token": "tiny-re", "expires_in": 60 }),
        )
        .with("set-cookie", "sid=tiny-cookie; Path=/")
        .with("x-token", "tiny-head"),
        _ => Reply::json(200, &json!({ "data": [1] })).with("set-cookie", "sid=tiny-cookie; Path=/"),
    }
    });
    let auth = format!(
        "{{ kind: oauth2, grant: client_credentials, token_url: {}/token, client_id: me, client_secret: {{ env: SHORT }} }}",
        fake.origin()
    );
    let workspace = probe(&fake.origin(), &auth);
    let mut command = workspace.toolrun();
    command.env("SHORT", "tiny-pass");
    output(command.args(["call", "get-probe", "--record", "a.har"])).expect(0);
    let text = std::fs::read_to_string(workspace.path().join("a.har")).expect("a file");
    assert!(!text.contains("tiny"), "{text}");
    assert!(text.contains("sid=***; Path=/"), "{text}");
    assert!(text.contains("grant_type=client_credentials"), "{text}");
    assert_eq!(
        fake.requests()[1].header("authorization"),
        Some("Bearer tiny-tok")
    );
}

#[test]
fn each_place_of_a_short_key_is_written_as_a_place() {
    for (path, auth) in [
        (
            "",
            "{ kind: api_key, in: header, name: x-key, prefix: Bot, secret: { env: SHORT } }",
        ),
        (
            "",
            "{ kind: api_key, in: query, name: key, secret: { env: SHORT } }",
        ),
        (
            "",
            "{ kind: api_key, in: cookie, name: session, secret: { env: SHORT } }",
        ),
        (
            "/bot{{ auth.token }}",
            "{ kind: api_key, in: path, name: token, secret: { env: SHORT } }",
        ),
        (
            "",
            "{ kind: basic, username: me, password: { env: SHORT } }",
        ),
        (
            "",
            "{ kind: hmac, algorithm: sha256, secret: { env: SHORT }, message: '{{ path }}', name: sig, in: query }",
        ),
    ] {
        let fake = Fake::script([Reply::json(200, &json!({ "data": [1] }))]);
        let workspace = Workspace::new();
        let origin = fake.origin();
        let text = format!("spec: 1\nservice: probe\nbase_url: '{origin}{path}'\nauth: {auth}\n");
        workspace.write("descriptors/probe/service.yaml", text);
        workspace.tool(
            "get-probe",
            "read",
            "request: { method: GET, path: /probe }",
        );
        // In a path, only a long key is taken.
        let secret = if path.is_empty() {
            "Zq7"
        } else {
            "Zq7-Zq7-Zq7-Zq7"
        };
        let call = |arguments: &[&str]| {
            let mut command = workspace.toolrun();
            output(command.env("SHORT", secret).args(arguments))
        };
        call(&["call", "get-probe", "--record", "a.har"]).expect(0);
        let text = std::fs::read_to_string(workspace.path().join("a.har")).expect("a file");
        // Wpxxxx is the beginning of the pair of basic credentials.
        assert!(
            !text.contains("Zq7") && !text.contains("bWU6"),
            "{auth}: {text}"
        );
        assert!(text.contains("***"), "{auth}: {text}");
        // No key is needed to play it.
        workspace
            .run(&["call", "get-probe", "--replay", "a.har"])
            .expect(0);
        assert_eq!(fake.requests().len(), 1, "{auth}");
    }
}

/// The tool of one service is given the key of another one, which its own mask does not know.
#[test]
fn a_secret_of_another_service_stops_the_recording() {
    let fake = Fake::script([Reply::json(200, &json!({ "rows": [{ "id": 1 }] }))]);
    let workspace = Workspace::new();
    for (service, auth) in [
        ("one", "auth: { kind: bearer, secret: { env: SECRET } }"),
        ("two", ""),
    ] {
        workspace.write(
            &format!("descriptors/{service}/service.yaml"),
            format!(
                "spec: 1\nservice: {service}\nbase_url: {}\n{auth}\n",
                fake.origin()
            ),
        );
        workspace.write(
            &format!("descriptors/{service}/list-{service}.yaml"),
            format!(
                "spec: 1\ntool: list-{service}\nservice: {service}\ndescription: A list.\naccess: read\n\
                 params: {{ properties: {{ q: {{ type: string, description: Any. }} }} }}\n\
                 request: {{ method: GET, path: /{service}, query: [q] }}\nresponse: {{ output: {{ rows: {{ each: '$.rows[*]', as: {{ id: $.id }} }} }}, rows: rows }}\n"
            ),
        );
    }
    let query = format!(
        "select * from list_two t, list_one o where t.q = '{}' and o.id = t.id",
        SECRET.replace('\'', "''")
    );
    let done = run(&workspace, &["sql", &query, "--record", "a.har"]);
    assert_eq!(done.code, 5, "{}", done.stderr);
    assert_tells(
        &done,
        &[
            "the recording was not written",
            "there is a secret in `request.",
            "of entry ",
        ],
    );
    assert_clean("standard error", &done.stderr);
    assert!(!workspace.path().join("a.har").exists());
    assert!(
        fake.requests()
            .iter()
            .any(|request: &Request| leak(&request.query).is_some())
    );
}

#[test]
fn nothing_of_a_packed_answer_that_cannot_be_read_is_kept() {
    let fake = Fake::start(|_| {
        Reply::new(200, "application/json", SECRET).with("content-encoding", "deflate")
    });
    let workspace = probe_with(&fake.origin(), AUTH[0].1, "");
    run(&workspace, &["call", "get-probe", "--record", "a.har"]).expect(9);
    assert_no_file_holds_it("a packed answer", workspace.path());
    let entries = entries(&workspace, "a.har");
    assert_eq!(entries[0]["response"]["content"].get("text"), None);
    assert_eq!(entries[0]["_toolrun"]["failure"]["kind"], "given_up");
}

/// A secret of 6 characters, which the mask of outputs leaves since it may stand there by chance, is not kept in a file, and that is told.
#[test]
fn an_echo_of_a_secret_of_few_characters_is_in_no_file() {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    const SHORT: &str = "qZ7~x/";
    let hex: String = SHORT.bytes().map(|byte| format!("{byte:02x}")).collect();
    let packed = STANDARD.encode(format!("k:{SHORT}"));
    let url_safe = URL_SAFE_NO_PAD.encode(SHORT);
    let escaped = SHORT.replace('/', "%2F");
    let notations = [SHORT, &hex, &packed, &url_safe, &escaped, "qZ7~x\\/"];
    for notation in notations {
        for place in [
            "text", "name", "header", "location", "events", "parts", "error",
        ] {
            let notation_in = notation.to_owned();
            let fake = Fake::start(move |_| {
                let notation = &notation_in;
                let text = |kind: &str, text: String| Reply::new(200, kind, text);
                match place {
                    "text" => text(
                        "application/json",
                        format!("{{\"data\": [\"a {notation} b\"]}}"),
                    ),
                    "name" => text(
                        "application/json",
                        format!("{{\"data\": [], \"{notation}\": 1}}"),
                    ),
                    "header" => text("application/json", "{\"data\": []}".into())
                        .with("x-echo", notation.as_str()),
                    "location" => text("application/json", "{\"data\": []}".into())
                        .with("location", format!("/a?k={notation}")),
                    "events" => text(
                        "text/event-stream",
                        format!("data: {{\"k\": \"{notation}\"}}\n\n"),
                    ),
                    "parts" => text(
                        "multipart/mixed; boundary=x",
                        format!("--x\r\n\r\n{notation}\r\n--x--\r\n"),
                    ),
                    _ => Reply::new(400, "text/plain", format!("no such key {notation}")),
                }
            });
            let workspace = probe(&fake.origin(), "{ kind: bearer, secret: { env: SHORT } }");
            let mut command = workspace.toolrun();
            command.env("SHORT", SHORT);
            let done = output(command.args(["call", "get-probe", "--record", "a.har"]));
            let file = std::fs::read_to_string(workspace.path().join("a.har")).expect("a file");
            assert!(!file.contains(notation), "{place} {notation}: {file}");
            assert!(file.contains("***"), "{place} {notation}: {file}");
            assert_tells(&done, &["a secret of few characters was masked in 1 entry"]);
        }
    }
}

/// One process of a session writes down what only another one knows to be a secret, before or behind it.
#[test]
fn a_secret_that_another_process_knows_stops_the_session() {
    let fake = Fake::start(|request| Reply::json(200, &json!({ "data": [request.query] })));
    let workspace = Workspace::new();
    for (service, auth) in [
        ("one", "auth: { kind: bearer, secret: { env: SECRET } }"),
        ("two", ""),
    ] {
        workspace.write(
            &format!("descriptors/{service}/service.yaml"),
            format!(
                "spec: 1\nservice: {service}\nbase_url: {}\n{auth}\n",
                fake.origin()
            ),
        );
        workspace.write(
            &format!("descriptors/{service}/get-{service}.yaml"),
            format!(
                "spec: 1\ntool: get-{service}\nservice: {service}\ndescription: A probe.\naccess: read\n\
                 params: {{ properties: {{ q: {{ type: string, default: a, description: Any. }} }} }}\n\
                 request: {{ method: GET, path: /{service}, query: [q] }}\nresponse: {{ output: $ }}\n"
            ),
        );
    }
    let folder = workspace.descriptors();
    let folder = folder.to_str().expect("a path in UTF-8");
    let program = format!("{} --tools {folder} call", env!("CARGO_BIN_EXE_toolrun"));
    let calls = format!("{program} get-two q=\"$SECRET\"; {program} get-one");
    let done = run(&workspace, &["record", "a.har", "--", "sh", "-c", &calls]);
    assert_eq!(done.code, 5, "{}", done.stderr);
    assert_tells(
        &done,
        &["the recording was not written", "there is a secret in `"],
    );
    assert_clean("standard error", &done.stderr);
    assert!(!workspace.path().join("a.har").exists());
    let tmp = std::fs::read_dir(workspace.path().join("tmp")).expect("a folder");
    assert_eq!(tmp.count(), 0, "nothing is left behind");
}
