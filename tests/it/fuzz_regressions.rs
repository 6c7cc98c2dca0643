//! Inputs that fuzzing found, or that its targets in `fuzz/` were written for: each must be handled quickly and without
//! a panic.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::support::Workspace;
use serde_json::{Value, json};
use toolrun::internals::JsonPath;
use toolrun::internals::{CallScope, Expression};

/// The value of an expression, or why it has none.
fn eval(text: &str) -> Result<Option<Value>, String> {
    let expression = Expression::compile(text).map_err(|(_, message)| message)?;
    let params = json!({ "a": "x", "list": [1, 2, 3] });
    let settings = json!({});
    let scope = CallScope {
        params: &params,
        settings: &settings,
    };
    expression.eval(&scope).map_err(|error| error.reason)
}

/// Asserts that a function ends within a few seconds, on another thread.
#[track_caller]
fn soon<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    receiver
        .recv_timeout(Duration::from_secs(10))
        .unwrap_or_else(|error| panic!("{what}: {error}"))
}

#[test]
fn expressions_that_would_grow_without_bound_are_refused() {
    for text in [
        "range(1000000000)",
        "range(1000000000) | list | length",
        "'a' * 1000000000000",
        "[a] * 1000000000000",
        "'%1000000000d' | format(1)",
        "a | indent(1000000000000)",
        "a | center(1000000000000)",
        "1e308 * 10",
    ] {
        assert!(soon(text, move || eval(text)).is_err(), "{text}");
    }
}

#[test]
fn expressions_at_the_edges_of_numbers_give_a_value_or_an_error() {
    for (text, expected) in [
        (
            "9223372036854775807 // 1",
            Some(json!(9223372036854775807_i64)),
        ),
        ("1 // 0", None),
        ("1 % 0", None),
        ("2 ** 4000000000", None),
        ("list[9223372036854775807:]", Some(json!([]))),
        ("list[::0]", None),
        ("9223372036854775807 | datetime", None),
        (
            "9223372036854775807 | floor_time(9223372036854775807)",
            Some(json!(9223372036854775807_i64)),
        ),
        ("(0 - 9223372036854775807 - 1) | floor_time(7)", None),
        ("0 | floor_time(0)", None),
    ] {
        let value = soon(text, move || eval(text));
        assert_eq!(value.ok().flatten(), expected, "{text}");
    }
}

#[test]
fn broken_expressions_are_refused_at_a_place_in_their_text() {
    for text in [
        "tags\u{fffd}}",
        "a.x ~ é ",
        "é",
        "\u{1f600} or none",
        " 'é",
        "a |\u{a0}",
    ] {
        let (range, message) = Expression::compile(text).expect_err(text);
        assert!(
            text.get(range.clone()).is_some(),
            "{text}: {range:?}: {message}"
        );
    }
}

#[test]
fn broken_jsonpaths_are_refused_at_a_place_in_their_text() {
    for text in [
        "$é",
        "$[é",
        "$['\u{e9}",
        "$[?@.é ==",
        "$..",
        "$[",
        "$[?(",
        "$[99999999999999999999]",
        "$\u{1f600}",
    ] {
        let error = JsonPath::parse(text).expect_err(text);
        assert!(text.is_char_boundary(error.offset), "{text}: {error}");
    }
}

/// A file of one tool whose query has an expression and whose output is a JSONPath.
fn tool_with(expression: &str, path: &str) -> String {
    format!(
        "spec: 1\ntool: deep\nservice: {{ service: probe, base_url: https://api.test }}\ndescription: A probe.\n\
         access: read\nrequest:\n  method: GET\n  path: /x\n  query: {{ x: \"{{{{ {expression} }}}}\" }}\n\
         response: {{ output: \"{path}\" }}\n"
    )
}

/// Each is nested or chained as deep as the longest file allows. It is refused in a separate process, in case it
/// overflows the stack.
#[test]
fn deep_expressions_and_paths_are_refused() {
    let nested =
        |open: &str, close: &str| format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
    let plain = "$".to_owned();
    let workspace = Workspace::new();
    for (expression, path) in [
        (nested("(", ")"), plain.clone()),
        (nested("[", "]"), plain.clone()),
        (nested("not ", ""), plain.clone()),
        (nested("-", ""), plain.clone()),
        (nested("", "+1"), plain.clone()),
        (nested("", "|abs"), plain.clone()),
        (nested("", ".a"), plain.clone()),
        ("1".to_owned(), format!("$[?{}]", nested("(", ")"))),
        ("1".to_owned(), format!("$[?{}@.a]", "!".repeat(100_000))),
    ] {
        workspace.write("deep.yaml", tool_with(&expression, &path));
        let told = output(
            workspace
                .toolrun()
                .args(["validate", "deep.yaml", "--format", "json"]),
        );
        let start: String = format!("{expression} {path}").chars().take(20).collect();
        assert_eq!(told.code, Some(3), "{start}...");
    }
}

/// The exit code of a command, if it was not killed.
struct Ended {
    code: Option<i32>,
    stdout: String,
}

fn output(command: &mut std::process::Command) -> Ended {
    let output = command.output().expect("the program starts");
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
    }
}

/// A sandbox that would take all memory is refused. The process has a memory limit, in case it is not.
#[test]
fn a_sandbox_of_absurd_size_is_refused() {
    let workspace = Workspace::new();
    workspace.write(
        "sandbox.yaml",
        "spec: 1\nsandbox: probe\nseed: 1\nnow: \"2026-01-01T00:00:00Z\"\nrequest_id: a\n\
         errors: { body: {}, codes: {} }\nroutes: {}\n\
         data: { things: { count: 4294967295, row: {} } }\n",
    );
    let mut bounded = std::process::Command::new("sh");
    bounded
        .args([
            "-c",
            "ulimit -v 4000000 && exec \"$0\" validate sandbox.yaml",
        ])
        .arg(env!("CARGO_BIN_EXE_toolrun"))
        .current_dir(workspace.path());
    let told = output(&mut bounded);
    assert_eq!(told.code, Some(3));
    assert!(told.stdout.contains("sandbox.yaml:8:"), "{}", told.stdout);
}

/// A collection that uses its own rows ends with an error, not in an endless wait.
#[test]
fn a_collection_of_itself_is_told() {
    let workspace = Workspace::new();
    workspace.service("https://probe.test", "");
    workspace.tool(
        "get-probe",
        "read",
        "request: { method: GET, path: /probe }",
    );
    workspace.write(
        "descriptors/probe/sandbox.yaml",
        "spec: 1\nsandbox: probe\nseed: 1\nnow: \"2026-01-01T00:00:00Z\"\nrequest_id: a\n\
         errors: { body: { error: { message: \"{{ message }}\" } }, codes: {} }\n\
         data: { things: { count: 9, row: { other: \"{{ random.row('things') }}\", id: \"{{ random.id('x', 100000000000) | length }}\" } } }\n\
         routes: { get-probe: { from: things, body: \"{{ rows }}\" } }\n",
    );
    let call = ["call", "get-probe", "--sandbox", "--timeout", "20s"];
    let told = output(workspace.toolrun().args(call));
    assert!(matches!(told.code, Some(7 | 8)), "{:?}", told.code);
}

/// After a broken expression, the text that follows is checked without a panic, whatever its characters.
#[test]
fn a_path_with_a_broken_expression_is_told() {
    let workspace = Workspace::new();
    for path in [
        "/{{\u{fffd}\u{fffd}\u{10} rows\u{fffd}| sum(a=1) }}ows | sum({{ rows | sum(attribute='x') }}ows é",
        "/é{{ a + }}é{{ id }}é?",
        "/{{ id }}{{ }}{{ id }}é",
    ] {
        let descriptor = json!({
            "spec": 1, "tool": "probe", "description": "A probe.", "access": "read",
            "service": { "service": "probe", "base_url": "https://probe.test" },
            "params": { "required": ["id"], "properties": { "id": { "type": "string", "description": "An id." } } },
            "request": { "method": "GET", "path": path },
        });
        workspace.write("descriptors/probe.yaml", descriptor.to_string());
        let told = workspace.run(&["validate", "descriptors"]).expect(3);
        assert!(told.stdout.contains("bad-template"), "{}", told.stdout);
    }
}
