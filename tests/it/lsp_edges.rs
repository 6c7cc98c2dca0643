//! `toolrun lsp` with folders and editors that mean no good, or that know less.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use crate::support::Workspace;
use crate::support::editor::{Editor, capabilities, uri};

const TOOL: &str = "spec: 1\ntool: a\nservice: { service: a, base_url: https://a.test }\ndescription: A.\naccess: read\nrequest: { method: GET, path: /x }\n";

fn error_of(answer: &Value) -> i64 {
    answer["error"]["code"]
        .as_i64()
        .unwrap_or_else(|| panic!("no error: {answer}"))
}

/// A folder that is open in an editor is read, and nothing else: no secret, no variable, no command, no request.
#[test]
fn a_hostile_folder_gets_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    let workspace = Workspace::new();
    let ran = workspace.path().join("it-ran");
    let secret = "s3cret-canary-0123456789";
    workspace.write(".env", format!("TOKEN={secret}\nREGION={secret}\n"));
    workspace.write("descriptors/.env", format!("TOKEN={secret}\n"));
    workspace.write("toolrun.toml", "this is = broken [");
    workspace.write("private.txt", format!("{secret}\nkey: {secret}\n"));
    for (name, auth) in [
        ("env", "{ kind: bearer, secret: { env: TOKEN } }".to_owned()),
        (
            "file",
            "{ kind: bearer, secret: { file: private.txt } }".to_owned(),
        ),
        (
            "command",
            format!(
                "{{ kind: bearer, secret: {{ command: [touch, {}] }} }}",
                ran.display()
            ),
        ),
        (
            "oauth",
            format!(
                "{{ kind: oauth2, grant: client_credentials, token_url: {origin}/token, client_id: {{ env: TOKEN }}, client_secret: {{ env: TOKEN }} }}"
            ),
        ),
    ] {
        workspace.write(
            &format!("descriptors/{name}/service.yaml"),
            format!("spec: 1\nservice: {name}\nbase_url: {origin}\nsettings: {{ region: {{ default: none, env: REGION }} }}\nheaders: {{ x-region: \"{{{{ settings.region }}}}\" }}\nauth: {auth}\n"),
        );
        workspace.write(
            &format!("descriptors/{name}/get.yaml"),
            format!("spec: 1\ntool: get\nservice: {name}\ndescription: \"![x]({origin}/x.png) [y]({origin})\"\naccess: read\nrequest: {{ method: POST, path: /x, body: {{ multipart: {{ a: {{ file: private.txt }} }} }} }}\nallow: {{ unusual-access: It reads. }}\nresponse: {{ output: $.a }}\nexamples: [{{ name: one, response: {{ body: {{ a: 1 }} }} }}]\n"),
        );
    }
    // Links out of the folder, a pipe without a writer, and a device.
    workspace.write(
        "descriptors/links/get.yaml",
        TOOL.replace("{ service: a, base_url: https://a.test }", "links"),
    );
    symlink(
        workspace.path().join("private.txt"),
        workspace.descriptors().join("links/service.yaml"),
    )
    .expect("a link");
    fs::create_dir(workspace.descriptors().join("pipes")).expect("a folder");
    let pipe = workspace.descriptors().join("pipes/service.yaml");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .expect("mkfifo")
            .success()
    );
    workspace.write(
        "descriptors/pipes/get.yaml",
        TOOL.replace("{ service: a, base_url: https://a.test }", "pipes"),
    );
    fs::create_dir(workspace.descriptors().join("devices")).expect("a folder");
    symlink(
        "/dev/zero",
        workspace.descriptors().join("devices/service.yaml"),
    )
    .expect("a link");
    workspace.write(
        "descriptors/devices/get.yaml",
        TOOL.replace("{ service: a, base_url: https://a.test }", "devices"),
    );

    let mut command = workspace.toolrun();
    command
        .env("TOKEN", secret)
        .env("REGION", secret)
        .env("TOOLRUN_TRUST", workspace.descriptors());
    let mut editor = Editor::bare(&mut command);
    editor.initialize(
        json!({ "rootUri": uri(&workspace.descriptors()), "capabilities": capabilities("utf-16") }),
    );
    let mut told = String::new();
    for name in [
        "env", "file", "command", "oauth", "links", "pipes", "devices",
    ] {
        let path = workspace.descriptors().join(name).join("get.yaml");
        let text = fs::read_to_string(&path).expect("a file");
        let uri = uri(&path);
        editor.open(&uri, &text);
        told += &json!(editor.findings(&uri)).to_string();
        for (line, text) in text.lines().enumerate() {
            for character in (0..text.len()).step_by(3) {
                for method in ["hover", "completion", "definition", "references"] {
                    told += &editor.at(method, &uri, line, character).to_string();
                }
            }
        }
        told += &editor.at("documentSymbol", &uri, 0, 0).to_string();
    }
    assert!(
        told.contains("POST /x HTTP/1.1") && told.contains("authorization: Bearer ***"),
        "no request was shown"
    );
    assert!(!told.contains(secret), "a secret is told");
    // What a file says is no Markdown.
    assert!(!told.contains("\n![x]"), "a picture");
    assert!(!ran.exists(), "a command ran");
    assert_eq!(editor.quit(), Some(0));
    let came = listener.accept();
    assert!(came.is_err(), "somebody connected");
}

#[test]
fn malformed_messages_are_told_and_do_not_end_the_server() {
    let workspace = Workspace::new();
    let mut editor = Editor::bare(&mut workspace.toolrun());
    // Before anything else.
    let id = editor.ask("textDocument/hover", json!({}));
    assert_eq!(error_of(&editor.answer(id)), -32002);
    editor.initialize(json!({ "capabilities": {} }));
    let again = editor.request("initialize", json!({ "capabilities": {} }));
    assert_eq!(error_of(&again), -32600);
    for bad in [
        &b"Content-Length: 9\r\n\r\n{\"a\": 1, "[..],
        b"Content-Length: x\r\n\r\n",
        b"Content-Length: 2\r\n\r\n\xff\xff",
    ] {
        editor.write(bad);
        assert_eq!(error_of(&editor.next()), -32700);
    }
    for (message, code) in [
        (json!([]), -32600),
        (json!({}), -32600),
        (json!({ "id": 7 }), -32600),
        (json!("x"), -32600),
        (
            json!({ "jsonrpc": "2.0", "id": {}, "method": "shutdown" }),
            -32600,
        ),
        (
            json!({ "jsonrpc": "2.0", "id": "a", "method": "no/such" }),
            -32601,
        ),
        (
            json!({ "jsonrpc": "2.0", "id": "b", "method": "textDocument/hover" }),
            -32602,
        ),
        (
            json!({ "jsonrpc": "2.0", "id": "c", "method": "textDocument/hover", "params": { "textDocument": { "uri": "file:///not/open" } } }),
            -32602,
        ),
    ] {
        editor.send(&message);
        assert_eq!(error_of(&editor.next()), code, "{message}");
    }
    // Notifications that make no sense, and answers to questions that nobody asked.
    for (method, params) in [
        ("textDocument/didOpen", json!({})),
        (
            "textDocument/didOpen",
            json!({ "textDocument": { "uri": 7, "text": [] } }),
        ),
        (
            "textDocument/didChange",
            json!({ "textDocument": { "uri": "file:///a" }, "contentChanges": 7 }),
        ),
        (
            "textDocument/didClose",
            json!({ "textDocument": { "uri": "no uri" } }),
        ),
        (
            "workspace/didChangeWorkspaceFolders",
            json!({ "event": [] }),
        ),
        ("$/setTrace", json!({ "value": "off" })),
        ("no/such", json!(null)),
    ] {
        editor.notify(method, params);
    }
    editor.send(&json!({ "jsonrpc": "2.0", "id": 99, "result": null }));
    let path = workspace.descriptors().join("a.yaml");
    editor.open(&uri(&path), TOOL);
    editor.change(&uri(&path), json!([{ "range": { "start": { "line": -1, "character": 0 } }, "text": "x" }, { "range": { "start": { "line": 9, "character": 9 }, "end": { "line": 0, "character": 0 } }, "text": "" }, { "text": TOOL }]));
    assert_eq!(editor.codes(&uri(&path)), Vec::<String>::new());
    for position in [
        json!(null),
        json!({ "line": -1, "character": 0 }),
        json!({ "line": "a" }),
    ] {
        let answer = editor.request(
            "textDocument/hover",
            json!({ "textDocument": { "uri": uri(&path) }, "position": position }),
        );
        assert_eq!(error_of(&answer), -32602);
    }
    let beyond = editor.at(
        "completion",
        &uri(&path),
        4_000_000,
        4_000_000_000_u32 as usize,
    );
    assert!(beyond["items"].is_array(), "{beyond}");
    assert_eq!(editor.quit(), Some(0));
}

#[test]
fn a_request_that_waits_can_be_cancelled() {
    let workspace = Workspace::new();
    let mut editor = Editor::in_folder(&workspace);
    let path = workspace.descriptors().join("a.yaml");
    editor.open(&uri(&path), TOOL);
    let params =
        json!({ "textDocument": { "uri": uri(&path) }, "position": { "line": 0, "character": 0 } });
    // All arrive at once.
    let mut bytes = Vec::new();
    for id in 100..160 {
        let asked = json!({ "jsonrpc": "2.0", "id": id, "method": "textDocument/completion", "params": params }).to_string();
        write!(bytes, "Content-Length: {}\r\n\r\n{asked}", asked.len()).expect("memory");
    }
    for id in 101..160 {
        let cancel =
            json!({ "jsonrpc": "2.0", "method": "$/cancelRequest", "params": { "id": id } })
                .to_string();
        write!(bytes, "Content-Length: {}\r\n\r\n{cancel}", cancel.len()).expect("memory");
    }
    editor.write(&bytes);
    let mut cancelled = 0;
    for id in 100..160 {
        let answer = editor.answer(id);
        match answer.get("error") {
            Some(error) => {
                assert_eq!(error["code"], -32800);
                cancelled += 1;
            }
            None => assert!(answer["result"]["items"].is_array(), "{answer}"),
        }
    }
    // How many of them were there in time is a matter of luck.
    assert!(cancelled > 0, "none was cancelled");
    assert_eq!(editor.quit(), Some(0));
}

#[test]
#[ignore = "long"]
fn the_server_ends_with_its_editor() {
    let workspace = Workspace::new();
    // Told to exit without being asked to shut down.
    let mut editor = Editor::in_folder(&workspace);
    editor.notify("exit", Value::Null);
    assert_eq!(editor.end(), Some(1));
    // The pipe is closed.
    let mut editor = Editor::in_folder(&workspace);
    editor.close_input();
    assert_eq!(editor.end(), Some(1));
    // After `shutdown`, only `exit` counts.
    let mut editor = Editor::in_folder(&workspace);
    editor.request("shutdown", Value::Null);
    assert_eq!(
        error_of(&editor.request("textDocument/hover", json!({}))),
        -32600
    );
    editor.notify("exit", Value::Null);
    assert_eq!(editor.end(), Some(0));
    // The editor dies, and something else keeps the pipe open.
    if cfg!(target_os = "linux") {
        let mut other = Command::new("sleep").arg("600").spawn().expect("a process");
        let mut editor = Editor::bare(&mut workspace.toolrun());
        editor.initialize(json!({ "processId": other.id(), "capabilities": {} }));
        other.kill().expect("a process");
        other.wait().expect("a process");
        assert_eq!(editor.end(), Some(1));
    }
    // What some editors add to the command line.
    let mut command = workspace.toolrun();
    command.args(["lsp", "--stdio", "--clientProcessId=1"]);
    let output = command
        .stdin(std::process::Stdio::null())
        .output()
        .expect("a process");
    assert_eq!(
        (
            output.status.code(),
            output.stdout.len(),
            output.stderr.len()
        ),
        (Some(1), 0, 0)
    );
}

#[test]
fn documents_may_be_anywhere() {
    let workspace = Workspace::new();
    let odd = workspace.path().join("é #%20 ü;?&");
    fs::create_dir(&odd).expect("a folder");
    let path = odd.join("a.yaml");
    // No folder at all, and several.
    for folders in [
        json!(null),
        json!([]),
        json!([{ "uri": uri(&odd), "name": "a" }, { "uri": uri(workspace.path()), "name": "b" }, { "uri": "vscode-vfs://github/x", "name": "c" }]),
    ] {
        let mut editor = Editor::bare(&mut workspace.toolrun());
        editor.initialize(json!({ "processId": null, "rootUri": null, "workspaceFolders": folders, "capabilities": {} }));
        let uri = uri(&path);
        editor.open(&uri, &TOOL.replace("access", "acces"));
        assert_eq!(editor.codes(&uri), ["unknown-key"]);
        // A document that is no file is completed and not checked.
        editor.open("untitled:Untitled-1", "spec: 1\ntool: a\nacc");
        let list = editor.at("completion", "untitled:Untitled-1", 2, 3);
        assert!(
            list["items"]
                .as_array()
                .is_some_and(|items| items.iter().any(|item| item["label"] == "access")),
            "{list}"
        );
        assert_eq!(editor.codes("untitled:Untitled-1"), Vec::<String>::new());
        // Another file of YAML is none of ours.
        let other = self::uri(&odd.join("ci.yaml"));
        editor.open(&other, "on: push\njobs:\n  a: { steps: [] }\n");
        assert_eq!(editor.codes(&other), Vec::<String>::new());
        assert_eq!(editor.at("completion", &other, 0, 2), Value::Null);
        assert_eq!(editor.quit(), Some(0));
    }
}

#[test]
#[ignore = "long"]
fn huge_and_deep_documents_are_answered() {
    let workspace = Workspace::new();
    let mut editor = Editor::in_folder(&workspace);
    let path = uri(&workspace.descriptors().join("a.yaml"));
    let deep = format!("{TOOL}x: {}", "[".repeat(200_000));
    let wide = format!("{TOOL}x: {{ {} }}", "a: 1, ".repeat(100_000));
    let long = format!("{TOOL}x: \"{}\"\n", "é".repeat(400_000));
    let quotes = format!("{TOOL}{}", "a: \"x\nb: 'y\n".repeat(40_000));
    let braces = format!("{TOOL}x: \"{}\"\n", "{{ a ".repeat(80_000));
    let huge = format!("{TOOL}x: {}\n", "y".repeat(8 << 20));
    let nested = format!("{TOOL}x: {}\"$.", "{ a: ".repeat(50_000));
    let selectors = "[*,*,*,*,*,*,*,*]".repeat(12);
    let body = json!(vec![vec![vec![1; 10]; 40]; 40]);
    let paths = format!(
        "{TOOL}response:\n  output: {{ a: \"$..*..*..*\", b: \"${selectors}\", c: \"$[?@[?@[?@[?@ > 1]]]]\" }}\nexamples: [{{ name: a, response: {{ body: {body} }} }}]\n"
    );
    for (name, text) in [
        ("deep", deep),
        ("wide", wide),
        ("long", long),
        ("quotes", quotes),
        ("braces", braces),
        ("huge", huge),
        ("nested", nested),
        ("paths", paths),
    ] {
        let begun = Instant::now();
        editor.open(&path, &text);
        let lines = text.lines().count();
        for line in [0, 4, 6, 7, lines - 1] {
            for character in [3, 50, 165, 100_000] {
                for method in ["completion", "hover", "definition"] {
                    editor.at(method, &path, line, character);
                }
            }
        }
        let findings = editor.findings(&path);
        assert!(name == "paths" || !findings.is_empty(), "{name}");
        assert!(findings.len() <= 501, "{name}");
        editor.close(&path);
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{name}: {:?}",
            begun.elapsed()
        );
    }
    assert_eq!(editor.quit(), Some(0));
}

/// Whatever is asked at whatever place of a file that is being written is answered.
#[test]
#[ignore = "long"]
fn no_place_of_a_file_makes_the_server_fail() {
    let workspace = Workspace::new();
    let mut editor = Editor::in_folder(&workspace);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/anthropic-admin");
    let mut asked = 0;
    for name in ["service.yaml", "list-workspaces.yaml", "sandbox.yaml"] {
        let text = fs::read_to_string(root.join(name)).expect("a file");
        workspace.write(&format!("descriptors/anthropic-admin/{name}"), &text);
        let uri = uri(&workspace.descriptors().join("anthropic-admin").join(name));
        editor.open(&uri, &text);
        let step = (text.len() / 25).max(1);
        for cut in (0..text.len())
            .step_by(step)
            .filter(|cut| text.is_char_boundary(*cut))
        {
            // Somebody has written so far, with or without what follows.
            let line = text[..cut].matches('\n').count();
            let character = text[..cut]
                .rsplit('\n')
                .next()
                .unwrap_or_default()
                .encode_utf16()
                .count();
            editor.change(&uri, json!([{ "text": &text[..cut] }]));
            for method in [
                "completion",
                "hover",
                "definition",
                "references",
                "documentSymbol",
            ] {
                editor.at(method, &uri, line, character);
                asked += 1;
            }
            editor.change(&uri, json!([{ "text": text }]));
            for method in ["completion", "hover", "definition"] {
                editor.at(method, &uri, line, character);
                asked += 1;
            }
        }
        editor.close(&uri);
    }
    assert!(asked > 500, "{asked}");
    assert_eq!(editor.quit(), Some(0));
    let failures: Vec<Value> = editor
        .rest()
        .into_iter()
        .filter(|message| message["method"] == "window/logMessage")
        .collect();
    assert_eq!(failures, Vec::<Value>::new());
}

/// An editor that can little gets plain texts.
#[test]
fn a_plain_editor_gets_plain_texts() {
    let workspace = Workspace::new();
    workspace.write("descriptors/a.yaml", TOOL);
    let mut editor = Editor::bare(&mut workspace.toolrun());
    editor.initialize(json!({ "capabilities": {} }));
    let uri = uri(&workspace.descriptors().join("a.yaml"));
    editor.open(&uri, TOOL);
    let told = editor.at("hover", &uri, 1, 1);
    assert_eq!(told["contents"]["kind"], "plaintext");
    assert!(!told.to_string().contains("```"), "{told}");
    let outline = editor.at("documentSymbol", &uri, 0, 0);
    assert!(outline[0].get("location").is_some(), "{outline}");
    editor.change(&uri, json!([{ "text": "" }]));
    let list = editor.at("completion", &uri, 0, 0);
    assert!(!list.to_string().contains("${"), "{list}");
    assert!(!list.to_string().contains("insertTextFormat"), "{list}");
    editor.notify("initialized", json!({}));
    assert_eq!(editor.quit(), Some(0));
    // Nobody was asked to watch files.
    assert!(
        editor
            .rest()
            .iter()
            .all(|message| message["method"] != "client/registerCapability")
    );
}

/// What is written where nobody reads ends the server.
#[test]
fn nobody_reads() {
    let workspace = Workspace::new();
    let mut command = workspace.toolrun();
    let mut child = command
        .arg("lsp")
        .stdin(std::process::Stdio::piped())
        .stdout(
            fs::File::options()
                .write(true)
                .open("/dev/full")
                .expect("a device"),
        )
        .spawn()
        .expect("a process");
    let text = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": { "capabilities": {} } }).to_string();
    let mut input = child.stdin.take().expect("a pipe");
    write!(input, "Content-Length: {}\r\n\r\n{text}", text.len()).expect("it reads");
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
}

/// A request that cannot be read is answered under its id, whatever is wrong with it.
#[test]
fn what_cannot_be_read_is_answered_under_its_id() {
    let workspace = Workspace::new();
    let mut editor = Editor::in_folder(&workspace);
    let deep = format!("{}{}", "[".repeat(2000), "]".repeat(2000));
    for (id, body) in [
        (
            901,
            format!("{{\"id\":901,\"method\":\"textDocument/hover\",\"params\":{deep}}}")
                .into_bytes(),
        ),
        (
            902,
            b"{\"jsonrpc\":\"2.0\",\"id\":902,\"method\":\"x\xff\"}".to_vec(),
        ),
        (903, b"{\"id\":903,\"method\":7}".to_vec()),
        (
            904,
            b"{\"id\":904,\"method\":\"textDocument/hover\",\"params\":7}".to_vec(),
        ),
        (
            905,
            b"{\"id\":905,\"method\":\"nope\",\"params\":\"\\ud83d\"}".to_vec(),
        ),
    ] {
        editor.write(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
        editor.write(&body);
        assert!(editor.answer(id).get("error").is_some(), "{id}");
    }
    // A header that is broken off is told, and the next message is read.
    for noise in [
        &b"Content-Type: x\r\n\r\n{}"[..],
        b"{\"id\": 1}",
        b"\x00\xff\n",
        b"Content-Length: -7\r\n\r\n",
    ] {
        editor.write(noise);
        assert_eq!(error_of(&editor.request("nope", Value::Null)), -32601);
        let told = std::mem::take(&mut editor.told);
        assert!(
            told.iter()
                .any(|message| message["error"]["code"] == -32700),
            "{told:?}"
        );
    }
    assert_eq!(editor.quit(), Some(0));
}

/// A change that cannot be read is told, and no answer is made of a text that is not the editor's.
#[test]
fn no_change_is_lost_in_silence() {
    let place = |line: i64, character: i64| json!({ "line": line, "character": character });
    let range = |from, to| json!({ "start": from, "end": to });
    let good = json!({ "range": range(place(0, 0), place(0, 4)), "text": "spec" });
    for bad in [
        json!({ "range": range(place(-1, 0), place(0, 0)), "text": "x" }),
        json!({ "range": 7, "text": "x" }),
        json!({ "range": range(place(0, 0), place(4_294_967_296, 0)), "text": "x" }),
        json!({ "text": 9 }),
        json!(7),
    ] {
        let workspace = Workspace::new();
        let mut editor = Editor::in_folder(&workspace);
        let file = uri(&workspace.descriptors().join("a.yaml"));
        editor.open(&file, TOOL);
        editor.findings(&file);
        editor.change(&file, json!([good, bad]));
        let asked = json!({ "textDocument": { "uri": file }, "position": place(4, 2) });
        assert_eq!(
            error_of(&editor.request("textDocument/hover", asked.clone())),
            -32602
        );
        let told = std::mem::take(&mut editor.told);
        let is_told = |message: &Value| {
            let words = message["params"]["diagnostics"][0]["message"].as_str();
            words.is_some_and(|words| words.contains("open it again"))
        };
        assert!(told.iter().any(is_told), "{bad}: {told:?}");
        // Whoever types on does not fill the log.
        for _ in 0..50 {
            editor.change(&file, json!([good]));
        }
        editor.request("textDocument/hover", asked.clone());
        let told = std::mem::take(&mut editor.told);
        assert!(told.len() <= 1, "{told:?}");
        editor.open(&file, TOOL);
        editor.findings(&file);
        assert!(
            editor
                .request("textDocument/hover", asked)
                .get("error")
                .is_none()
        );
        assert_eq!(editor.quit(), Some(0));
    }
}

/// An emoji that is cut in two, as by an editor whose texts are UTF-16, keeps the places behind it.
#[test]
fn half_a_character_keeps_the_places() {
    let workspace = Workspace::new();
    let mut editor = Editor::in_folder(&workspace);
    let file = uri(&workspace.descriptors().join("a.yaml"));
    let text = TOOL.replace("description: A.", "description: \\ud83d A. {{ nope }}");
    let text = text.replace('\n', "\\n");
    let body = format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"textDocument/didOpen\",\"params\":{{\"textDocument\":{{\"uri\":\"{file}\",\"version\":1,\"languageId\":\"yaml\",\"text\":\"{text}\"}}}}}}"
    );
    editor.write(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    let wrong = json!([{ "range": { "start": { "line": 4, "character": 0 }, "end": { "line": 4, "character": 6 } }, "text": "acces" }]);
    editor.change(&file, wrong);
    // The editor's count begins with its own opening.
    let version = json!({ "uri": file, "version": 1 });
    editor.notify("textDocument/didSave", json!({ "textDocument": version }));
    let found = editor.findings(&file);
    assert!(
        found.iter().any(|finding| finding["code"] == "unknown-key"),
        "{found:?}"
    );
    assert_eq!(editor.quit(), Some(0));
}

/// The places of findings behind an emoji, in every count, and what an editor likes best is taken.
#[test]
fn places_are_counted_as_the_editor_likes() {
    let text = TOOL.replace("path: /x", "path: /x, headers: { x: \"😀é{{ nope }}\" }");
    let line = text.lines().last().expect("a line");
    let before = &line[..line.find("nope").expect("the name")];
    for (likes, named, character) in [
        (json!(["utf-8", "utf-16"]), "utf-8", before.len()),
        (
            json!(["utf-16", "utf-8"]),
            "utf-16",
            before.encode_utf16().count(),
        ),
        (
            json!(["utf-32", "utf-16"]),
            "utf-32",
            before.chars().count(),
        ),
        (json!(["bogus"]), "utf-16", before.encode_utf16().count()),
        (json!([]), "utf-16", before.encode_utf16().count()),
    ] {
        let workspace = Workspace::new();
        let mut editor = Editor::bare(&mut workspace.toolrun());
        editor.initialize(json!({ "capabilities": { "general": { "positionEncodings": likes } } }));
        assert_eq!(editor.capabilities["positionEncoding"], named);
        let file = uri(&workspace.descriptors().join("a.yaml"));
        editor.open(&file, &text);
        let found = editor.findings(&file);
        let starts = found
            .iter()
            .map(|finding| &finding["range"]["start"]["character"]);
        assert!(
            starts.clone().any(|start| *start == character),
            "{named} {character}: {found:?}"
        );
        assert_eq!(editor.quit(), Some(0));
    }
}

/// Many changes of large files, faster than they can be checked, keep no copy of the texts for each.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "long"]
fn fast_changes_take_no_memory() {
    let workspace = Workspace::new();
    let mut editor = Editor::in_folder(&workspace);
    let text = TOOL.to_owned() + &"# A line that says nothing.\n".repeat(35_000);
    let files: Vec<String> = (0..4)
        .map(|i| uri(&workspace.descriptors().join(format!("a{i}.yaml"))))
        .collect();
    for file in &files {
        editor.open(file, &text);
    }
    let start = json!({ "line": 0, "character": 0 });
    let typed = json!([{ "range": { "start": start, "end": start }, "text": "" }]);
    for _ in 0..400 {
        editor.change(&files[0], typed.clone());
    }
    editor.findings(&files[0]);
    let status =
        fs::read_to_string(format!("/proc/{}/status", editor.process())).expect("a process");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak: u64 = peak
        .and_then(|peak| peak.trim().strip_suffix(" kB")?.parse().ok())
        .expect("a number");
    // Four texts of a megabyte: 400 copies would be 1.6 GB.
    assert!(peak < 300 << 10, "{peak} kB");
    assert_eq!(editor.quit(), Some(0));
}

/// An editor that was killed is gone, also while nobody has asked for its exit code and the pipe is open.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "long"]
fn a_killed_editor_is_gone() {
    let workspace = Workspace::new();
    let mut parent = Command::new("sleep").arg("100").spawn().expect("a process");
    let mut editor = Editor::bare(&mut workspace.toolrun());
    editor.initialize(json!({ "processId": parent.id(), "capabilities": {} }));
    parent.kill().expect("it is killed");
    assert_eq!(editor.end(), Some(1));
    parent.wait().expect("it ended");
}
