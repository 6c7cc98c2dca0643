//! Responses that are saved to a file.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Fake, Manner, Output, Reply, Workspace, assert_tells, output};
use pretty_assertions::assert_eq;
use serde_json::json;
use toolrun::error::SendError;
use toolrun::{Call, Catalog, Destination, Engine, Error};

const TOOL: &str = "
params: { properties: { id: { type: string, default: a } } }
request: { method: GET, path: \"/files/{{ id }}\" }
response: { kind: bytes }";
const ERRORS: &str = "errors: { message: $.error }";
const QUICK: &str = "retry: { max_attempts: 3, base_delay: 1ms, max_delay: 1s }";

fn workspace(fake: &Fake, service: &str, tool: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), &format!("{ERRORS}\n{service}"));
    workspace.tool("get-file", "read", tool);
    workspace
}

fn call(workspace: &Workspace, arguments: &[&str]) -> Output {
    let words = ["call", "get-file", "-o", "json"];
    workspace.run(&[&words, arguments].concat())
}

fn bytes() -> Vec<u8> {
    (0..=255).cycle().take(100_000).collect()
}

fn file(body: &[u8]) -> Reply {
    Reply::new(200, "application/pdf", body)
}

/// Everything in the folder that the program ran in, except its descriptors.
fn left(workspace: &Workspace) -> Vec<String> {
    let entries = fs::read_dir(workspace.path()).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.unwrap().file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = entries
        .map(name)
        .filter(|name| name != "descriptors")
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_is_saved_byte_for_byte() {
    let named = "attachment; filename=\"../../etc/report 1.pdf\"";
    let fake = Fake::script([file(&bytes()).with("content-disposition", named)]);
    let workspace = workspace(&fake, "", TOOL);
    let output = call(&workspace, &["--out", "saved.bin"]).expect(0);
    assert_eq!(
        output.json(),
        json!({
            "file": "saved.bin",
            "bytes": 100_000,
            "content_type": "application/pdf",
            "filename": "report 1.pdf",
        })
    );
    assert_eq!(
        fs::read(workspace.path().join("saved.bin")).unwrap(),
        bytes()
    );
    assert_eq!(left(&workspace), ["saved.bin"]);
    assert_eq!(fake.only_request().header("accept"), Some("*/*"));
}

#[cfg(unix)]
#[test]
fn a_file_has_the_rights_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let fake = Fake::script([file(b"a")]);
    let workspace = workspace(&fake, "", TOOL);
    call(&workspace, &["--out", "saved"]).expect(0);
    workspace.write("other", "a");
    let mode = |name: &str| {
        fs::metadata(workspace.path().join(name))
            .unwrap()
            .permissions()
            .mode()
    };
    assert_eq!(mode("saved"), mode("other"));
}

#[test]
fn the_output_is_a_projection_of_what_is_known() {
    let fake = Fake::script([file(b"abc").with("etag", "x1")]);
    let tool = TOOL.replace(
        "kind: bytes",
        "kind: bytes, output: { size: $.bytes, tag: \"{{ headers.etag }}\", name: $.filename }",
    );
    let workspace = workspace(&fake, "", &tool);
    workspace.run(&["validate", "descriptors"]).expect(0);
    let output = call(&workspace, &["--out", "a"]).expect(0);
    assert_eq!(
        output.json(),
        json!({ "size": 3, "tag": "x1", "name": null })
    );
}

#[test]
fn standard_output_gets_the_file_and_nothing_else() {
    let fake = Fake::script([file(b"the file")]);
    let workspace = workspace(&fake, "", TOOL);
    for arguments in [["--out", "-"].as_slice(), &["--out=-", "-o", "table"]] {
        let output = workspace
            .run(&[&["call", "get-file"], arguments].concat())
            .expect(0);
        assert_eq!(
            (output.stdout.as_str(), output.stderr.as_str()),
            ("the file", "")
        );
        assert_eq!(left(&workspace), [""; 0]);
    }
}

#[test]
fn what_cannot_be_saved_is_refused_before_anything_is_sent() {
    let fake = Fake::script([file(b"new")]);
    let workspace = workspace(&fake, "", TOOL);
    workspace.tool(
        "get-thing",
        "read",
        "request: { method: GET, path: /thing }",
    );
    workspace.write("there", "old");
    fs::create_dir(workspace.path().join("folder")).unwrap();
    for (arguments, parts) in [
        (
            ["get-file"].as_slice(),
            ["names no place for it", "--out FILE"],
        ),
        (
            &["get-file", "--all"],
            ["names no place for it", "--out FILE"],
        ),
        (
            &["get-file", "--out", "there"],
            ["is there already", "--force"],
        ),
        (
            &["get-file", "--out", "folder"],
            ["no regular file", "folder"],
        ),
        (
            &["get-file", "--force", "--out", "folder"],
            ["no regular file", "folder"],
        ),
        (
            &["get-file", "--force", "--out", "/dev/null"],
            ["no regular file", "/dev/null"],
        ),
        (
            &["get-file", "--out", "none/file"],
            ["folder is not there", "none/file"],
        ),
        (
            &["get-file", "--out", "new", "--output", "raw"],
            ["nothing to print", "--out"],
        ),
        (&["get-file", "--out", "new", "id="], ["path", "empty"]),
        (
            &["get-thing", "--out", "new"],
            ["downloads no file", "json"],
        ),
        (&["get-file", "--force"], ["--out", "required"]),
    ] {
        let output = workspace.run(&[&["call"], arguments].concat()).expect(2);
        assert_tells(&output, &parts);
        assert_eq!(output.stdout, "");
    }
    assert_eq!(fake.requests(), []);
    assert_eq!(fs::read(workspace.path().join("there")).unwrap(), b"old");
    assert_eq!(left(&workspace), ["folder", "there"]);
    let plan = workspace.run(&["call", "get-file", "--dry-run"]).expect(0);
    assert!(plan.stdout.contains("GET /files/a"), "{}", plan.stdout);
}

#[test]
fn force_overwrites() {
    let fake = Fake::script([file(b"new")]);
    let workspace = workspace(&fake, "", TOOL);
    workspace.write("there", "old and longer");
    call(&workspace, &["--out", "there", "--force"]).expect(0);
    assert_eq!(fs::read(workspace.path().join("there")).unwrap(), b"new");
}

#[test]
fn a_download_that_fails_leaves_nothing() {
    let cut = Reply {
        manner: Manner::Cut,
        ..file(&bytes())
    };
    let slow = Reply {
        manner: Manner::Dribble(Duration::from_millis(50)),
        ..file(b"twenty bytes of file")
    };
    let limits = "limits: { response_bytes: 50000 }";
    for (name, reply, service, code, told) in [
        ("cut off", cut, QUICK, 8, "end of file"),
        (
            "over the limit",
            file(&bytes()),
            limits,
            9,
            "larger than 50000 bytes",
        ),
        (
            "an error",
            Reply::json(404, &json!({ "error": "There is none." })),
            "",
            6,
            "There is none.",
        ),
        (
            "a redirect",
            Reply::redirect(302, "https://elsewhere.test/"),
            "",
            5,
            "another origin",
        ),
        (
            "too slow",
            slow,
            "retry: { max_attempts: 1 }\ntimeout: { total: 300ms }",
            8,
            "timeout.total",
        ),
    ] {
        let fake = Fake::script([reply]);
        let workspace = workspace(&fake, service, TOOL);
        workspace.write("there", "old");
        for arguments in [["--out", "new"].as_slice(), &["--out", "there", "--force"]] {
            let output = call(&workspace, arguments);
            assert_eq!(output.code, code, "{name}: {}", output.stderr);
            assert_tells(&output, &[told]);
            assert_eq!(output.stdout, "", "{name}");
        }
        assert_eq!(left(&workspace), ["there"], "{name}");
        assert_eq!(
            fs::read(workspace.path().join("there")).unwrap(),
            b"old",
            "{name}"
        );
    }
}

#[test]
fn a_file_at_the_limit_is_saved_also_when_it_comes_packed() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&bytes()).unwrap();
    let packed = file(&packed.finish().unwrap()).with("content-encoding", "gzip");
    for (reply, limit, code) in [
        (file(&bytes()), 100_000, 0),
        (file(&bytes()), 99_999, 9),
        (packed.clone(), 100_000, 0),
        (packed, 99_999, 9),
    ] {
        let fake = Fake::script([reply]);
        let limits = format!("limits: {{ response_bytes: {limit} }}");
        let workspace = workspace(&fake, &limits, TOOL);
        call(&workspace, &["--out", "a"]).expect(code);
        if code == 0 {
            assert_eq!(fs::read(workspace.path().join("a")).unwrap(), bytes());
        }
    }
}

#[test]
fn a_download_that_was_cut_off_begins_anew() {
    let cut = Reply {
        manner: Manner::Cut,
        ..file(b"first, which is longer")
    };
    let fake = Fake::script([cut, Reply::new(503, "", ""), file(b"second")]);
    let workspace = workspace(&fake, QUICK, TOOL);
    call(&workspace, &["--out", "a"]).expect(0);
    assert_eq!(fs::read(workspace.path().join("a")).unwrap(), b"second");
    assert_eq!(
        (fake.requests().len(), left(&workspace)),
        (3, vec!["a".to_owned()])
    );
}

#[test]
fn an_error_in_a_success_is_no_file() {
    let tool = TOOL.replace(
        "kind: bytes",
        "kind: bytes, fail_when: \"{{ body.content_type == 'application/json' }}\"",
    );
    let refusal = json!({ "error": "No such file." });
    let fake = Fake::script([Reply::json(200, &refusal), file(b"ok")]);
    let workspace = workspace(&fake, "", &tool);
    assert_tells(
        &call(&workspace, &["--out", "a"]).expect(6),
        &["No such file."],
    );
    assert_eq!(left(&workspace), [""; 0]);
    call(&workspace, &["--out", "a"]).expect(0);
}

#[test]
fn a_rule_says_that_there_is_no_file() {
    let tool = TOOL.replace(
        "kind: bytes",
        "kind: bytes, errors: [{ status: 404, action: empty }]",
    );
    let fake = Fake::script([Reply::json(404, &json!({}))]);
    let workspace = workspace(&fake, "", &tool);
    assert_eq!(call(&workspace, &["--out", "a"]).expect(0).stdout, "null\n");
    assert_eq!(call(&workspace, &["--out", "-"]).expect(0).stdout, "");
    assert_eq!(left(&workspace), [""; 0]);
}

#[test]
fn an_interrupted_download_leaves_nothing() {
    let slow = Reply {
        manner: Manner::Dribble(Duration::from_millis(100)),
        ..file(&bytes())
    };
    let fake = Fake::script([slow]);
    let workspace = workspace(&fake, "", TOOL);
    let mut command = workspace.toolrun();
    command.args(["call", "get-file", "--out", "a"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let started = Instant::now();
    while left(&workspace).is_empty() {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "nothing is written"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    output(Command::new("kill").args(["-INT", &child.id().to_string()])).expect(0);
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(130));
    let told = String::from_utf8_lossy(&done.stderr);
    assert!(told.contains("interrupted; nothing was saved"), "{told}");
    assert_eq!(left(&workspace), [""; 0]);
}

#[tokio::test]
async fn a_program_says_where_to() {
    let fake = Fake::script([file(b"abc")]);
    let workspace = workspace(&fake, "", TOOL);
    let catalog = Catalog::empty().with_folder(workspace.descriptors());
    let tool = catalog.tool("get-file").unwrap();
    let engine = Engine::new();
    let refused = engine.call(Call::new(&tool, json!({}))).await.unwrap_err();
    assert!(matches!(refused, Error::NoDestination { .. }), "{refused}");
    let to = Destination::new(workspace.path().join("a"));
    let outcome = engine
        .download(Call::new(&tool, json!({})), &to)
        .await
        .unwrap();
    assert_eq!(outcome.output.value().unwrap()["bytes"], 3);
    let refused = engine
        .download(Call::new(&tool, json!({})), &to)
        .await
        .unwrap_err();
    assert!(
        matches!(refused, Error::Send(SendError::Destination { .. })),
        "{refused}"
    );
    let to = to.overwriting();
    engine
        .download(Call::new(&tool, json!({})), &to)
        .await
        .unwrap();
    assert_eq!(fake.requests().len(), 2);
}
