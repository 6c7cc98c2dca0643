//! Output that cannot be written: standard output that is closed or full, also for help, and rows without room to wait.
//! What was read is never dropped without a message.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::support::{Fake, Reply, Workspace, assert_tells, output};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

const LIST: &str = "params: { properties: { page: { type: integer, default: 0, description: x } } }
request: { method: GET, path: /list, query: [page] }
paging: { items: $.data, next: { page: $.next } }
response: { output: { data: $.data, next: $.next }, rows: data }";
const FORMATS: [&str; 6] = ["json", "ndjson", "csv", "yaml", "table", "raw"];
const ROWS: u64 = 200;

/// A service with three pages, whose rows have more columns from page to page.
fn three_pages() -> (Fake, Workspace) {
    let fake = Fake::start(|request| {
        let page: u64 = request
            .target()
            .rsplit('=')
            .next()
            .unwrap_or("0")
            .parse()
            .unwrap_or(0);
        let rows: Vec<Value> = (0..ROWS)
            .map(|row| json!({ "id": page * ROWS + row, (format!("column{page}")): "x".repeat(400) }))
            .collect();
        let next = (page < 2).then_some(page + 1);
        Reply::json(200, &json!({ "data": rows, "next": next }))
    });
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "retry: { max_attempts: 1 }");
    workspace.tool("list-all", "read", LIST);
    (fake, workspace)
}

#[test]
fn a_pipe_that_nobody_reads_any_more_is_no_error_in_any_format() {
    let (_fake, workspace) = three_pages();
    for format in FORMATS {
        for walk in [&["--all"][..], &[]] {
            let mut command = workspace.toolrun();
            command.args(["call", "list-all", "-o", format]).args(walk);
            let mut child = command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the program starts");
            // As `| head -1` does.
            let mut line = Vec::new();
            let mut stdout = BufReader::with_capacity(16, child.stdout.take().expect("a pipe"));
            stdout.read_until(b'\n', &mut line).expect("a line");
            drop(stdout);
            let ended = child.wait_with_output().expect("the program ends");
            let told = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.status.code(), Some(0), "{format} {walk:?}: {told}");
            assert!(!told.contains("error"), "{format} {walk:?}: {told}");
            assert!(!line.is_empty(), "{format}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_in_every_format_and_command() {
    let (fake, workspace) = three_pages();
    let calls = FORMATS.map(|format| ["call", "list-all", "-o", format]);
    let mut commands: Vec<Vec<&str>> = calls.iter().map(|call| call.to_vec()).collect();
    commands.extend(calls.iter().map(|call| [call, &["--all"][..]].concat()));
    commands.extend([
        vec!["list"],
        vec!["docs"],
        vec!["docs", "list-all", "-o", "md"],
        vec!["man"],
        vec!["call", "list-all", "--help"],
        vec!["show", "list-all"],
        vec!["validate", "descriptors"],
        vec!["test", "descriptors"],
        vec!["explain", "bad-paging"],
        vec!["completions", "bash"],
        vec!["call", "list-all", "--dry-run"],
        vec!["--help"],
        vec!["call", "--help"],
        vec!["--version"],
    ]);
    for arguments in commands {
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .expect("a full device");
        let mut command = workspace.toolrun();
        command.args(&arguments).stdout(full);
        let output = output(command.stderr(Stdio::piped()));
        assert_eq!(output.code, 1, "{arguments:?}: {}", output.stderr);
        assert_tells(&output, &["cannot write: No space left on device"]);
    }
    assert!(!fake.requests().is_empty());
}

#[test]
fn rows_that_have_no_place_to_wait_in_are_printed_and_told() {
    let (fake, workspace) = three_pages();
    let run = |arguments: &[&str]| {
        let mut command = workspace.toolrun();
        output(command.args(arguments).env("TMPDIR", "/no/such/folder"))
    };
    // The second page exceeds the memory for waiting rows.
    let all = run(&["call", "list-all", "--all", "-o", "csv"]).expect(1);
    assert_tells(
        &all,
        &[
            "note: stopped after page 2: the result is incomplete; the next page is at {\"page\":2}",
            "error: cannot write: rows wait in a temporary file in /no/such/folder until all columns are known",
        ],
    );
    let ids = |stdout: &str| -> Vec<u64> {
        let rows = stdout.lines().skip(1);
        rows.map(|row| {
            row.split(',')
                .next()
                .unwrap_or_default()
                .parse()
                .expect("an id")
        })
        .collect()
    };
    assert!(all.stdout.starts_with("id,column0,column1\n"));
    assert_eq!(ids(&all.stdout), (0..2 * ROWS).collect::<Vec<_>>());
    assert_eq!(fake.targets(), ["/list?page=0", "/list?page=1"]);
    let rest = workspace.run(&["call", "list-all", "page=2", "--all", "-o", "csv"]);
    assert_eq!(
        ids(&rest.expect(0).stdout),
        (2 * ROWS..3 * ROWS).collect::<Vec<_>>()
    );
}
