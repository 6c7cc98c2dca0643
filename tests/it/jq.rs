//! `--jq`: results in every format and for every way in which a list ends, and its errors.

use crate::support::{Fake, Output, Reply, Workspace, assert_tells, on_terminal_of};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

const FORMATS: [&str; 4] = ["json", "yaml", "table", "csv"];
const WALK: &str = "params: { properties: { page: { type: integer, description: The page. } } }
request: { method: GET, path: /probe, query: [page] }
paging: { items: $.rows, next: { page: $.next } }
response: { output: { rows: $.rows, n: '{{ body.rows | length }}' }, rows: rows }";

/// Three pages of two rows each; the page `bad` is an error.
fn probe(bad: u64) -> (Fake, Workspace) {
    let fake = Fake::start(move |request| {
        let page = request.query.strip_prefix("page=").unwrap_or("1");
        let page: u64 = page.parse().expect("a page");
        if page == bad {
            return Reply::json(500, &json!({ "error": "broken" }));
        }
        let rows: Vec<Value> = (0..2)
            .map(|at| json!({ "id": page * 10 + at, "name": format!("n{page}{at}") }))
            .collect();
        let next = if page < 3 {
            json!(page + 1)
        } else {
            Value::Null
        };
        Reply::json(200, &json!({ "rows": rows, "next": next }))
    });
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "retry: { max_attempts: 1 }");
    workspace.tool("walk", "read", WALK);
    (fake, workspace)
}

fn call(workspace: &Workspace, arguments: &[&str]) -> Output {
    workspace.run(&[&["call", "walk"], arguments].concat())
}

#[test]
fn it_runs_on_the_whole_output_in_each_format_and_on_each_row_of_ndjson() {
    let (_fake, workspace) = probe(0);
    for format in FORMATS {
        for (expression, expected) in [
            (".rows[].name", "n10\nn11\n"),
            (".rows[0]", "{\"id\":10,\"name\":\"n10\"}\n"),
            ("[.rows[].id]|add", "21\n"),
            ("empty", ""),
        ] {
            let told = call(&workspace, &["-o", format, "--jq", expression]).expect(0);
            assert_eq!(told.stdout, expected, "{format} {expression}");
            // What the expression keeps is not known, so the next page is told.
            assert_tells(&told, &["more remain", "--all"]);
        }
        let all = call(&workspace, &["-o", format, "--all", "--jq", ".rows|length"]).expect(0);
        assert_eq!(all.stdout, "6\n", "{format}");
        let sorted = [
            "-o",
            format,
            "--all",
            "--sort",
            "-id",
            "--jq",
            ".rows[0].id",
        ];
        assert_eq!(call(&workspace, &sorted).expect(0).stdout, "31\n");
    }
    let rows = call(&workspace, &["-o", "ndjson", "--all", "--jq", ".name"]).expect(0);
    let expected = "\"n10\"\n\"n11\"\n\"n20\"\n\"n21\"\n\"n30\"\n\"n31\"\n";
    assert_eq!(rows.stdout, expected, "each line is JSON");
}

#[test]
fn however_a_list_ends_its_rows_are_there_and_the_end_is_told() {
    for (bad, more, code, count, told) in [
        (0, &["--all"][..], 0, 6, ""),
        (0, &["--max-pages", "1"], 0, 2, "page"),
        (0, &["--max-items", "3"], 0, 3, "item"),
        (3, &["--all"], 7, 4, "incomplete"),
    ] {
        let (_fake, workspace) = probe(bad);
        for format in FORMATS {
            let arguments = [more, &["-o", format, "--jq", ".rows|length"]].concat();
            let output = call(&workspace, &arguments).expect(code);
            assert_eq!(output.stdout, format!("{count}\n"), "{format} {more:?}");
            assert_tells(&output, &[told]);
            let arguments = [more, &["-o", format, "--jq", ".notes[0].stopped != null"]].concat();
            let noted = call(&workspace, &arguments).expect(code);
            assert_eq!(
                noted.stdout,
                format!("{}\n", !told.is_empty()),
                "{format} {more:?}"
            );
        }
        let arguments = [more, &["-o", "ndjson", "--jq", ".id"]].concat();
        let output = call(&workspace, &arguments).expect(code);
        assert_eq!(output.stdout.lines().count(), count, "{more:?}");
    }
}

#[test]
fn a_mistake_is_told_before_anything_is_sent() {
    let (fake, workspace) = probe(0);
    for (arguments, told) in [
        (&["--jq", ".rows["][..], "closing bracket"),
        (&["--jq", ".a | nope"], "`nope` at column 6"),
        (&["--jq", "env.PATH"], "sees nothing but its input"),
        (&["--jq", "$ENV.PATH"], "$ENV"),
        (&["--jq", ".", "--select", "id"], "does not go with --jq"),
        (
            &["--jq", ".", "-o", "table", "--columns", "id"],
            "does not go with --jq",
        ),
        (
            &["--jq", ".", "-o", "csv", "--no-header"],
            "does not go with --jq",
        ),
        (&["--jq", ".", "-o", "raw"], "this output is raw"),
        (&["--jq", ".", "-o", "chart"], "this output is chart"),
        (&["--jq", ".", "-o", "svg"], "this output is svg"),
        (&["--jq", ".", "--out", "-"], "only the file"),
    ] {
        let output = call(&workspace, arguments).expect(2);
        assert_tells(&output, &[told]);
        assert_eq!(output.stdout, "", "{arguments:?}");
    }
    assert!(fake.requests().is_empty());
}

#[test]
fn an_expression_that_fails_loses_no_other_result() {
    let (_fake, workspace) = probe(0);
    let rows = [
        "-o",
        "ndjson",
        "--all",
        "--jq",
        "if .id == 20 then .id.x else .id end",
    ];
    let output = call(&workspace, &rows).expect(9);
    assert_eq!(output.stdout, "10\n11\n21\n30\n31\n");
    let whole: Value = serde_json::from_str(&output.stderr).expect("an error as JSON");
    let message = whole["error"]["message"].as_str().expect("a message");
    assert!(
        message.contains("row 3: cannot index 20 with \"x\""),
        "{message}"
    );
    let output = call(&workspace, &["-o", "yaml", "--jq", ".n, .n.x"]).expect(9);
    assert_eq!(output.stdout, "2\n");
    assert_tells(&output, &["--jq failed: cannot index 2"]);
}

#[test]
fn a_terminal_obeys_no_result() {
    let fake = Fake::start(|_| {
        Reply::new(
            200,
            "application/json",
            r#"{"a": "x\u001b[2Jy\u202e", "n": 12345678901234567890123}"#,
        )
    });
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "");
    workspace.tool("one", "read", "request: { method: GET, path: /probe }");
    let run = |expression: &str| {
        let mut command = workspace.toolrun();
        command.args(["call", "one", "--jq", expression]);
        let (code, bytes) = on_terminal_of(80, &mut command);
        (code, String::from_utf8(bytes).expect("UTF-8"))
    };
    assert_eq!(run(".a"), (0, "x\\u{1b}[2Jy\\u{202e}\n".to_owned()));
    assert_eq!(run("[.a]"), (0, "[\"x\\u001b[2Jy\\u202e\"]\n".to_owned()));
    assert_eq!(run(".n"), (0, "12345678901234567890123\n".to_owned()));
    let piped = workspace.run(&["call", "one", "--jq", ".a"]).expect(0);
    assert_eq!(piped.stdout, "x\u{1b}[2Jy\u{202e}\n", "a text is data");
    let piped = workspace.run(&["call", "one", "--jq", "[.a]"]).expect(0);
    assert_eq!(piped.stdout, "[\"x\\u001b[2Jy\\u202e\"]\n");
}
