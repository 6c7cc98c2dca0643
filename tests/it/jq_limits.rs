//! What stops an expression of `--jq` that does not end, or takes too much; what it gave until then is printed.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use serde_json::json;

use crate::support::{Fake, Output, Reply, Workspace, assert_tells, at_terminal, output};

const FORMATS: [&str; 5] = ["json", "yaml", "table", "csv", "ndjson"];
/// Expressions that never end: they gather, they loop, they search.
const ENDLESS: [&str; 4] = [
    "1, [range(1e12)]",
    "1, (def f: f; f)",
    "1, (repeat(1) | select(. == 2))",
    "1, (3 | until(. == 0; . * .))",
];

/// Two pages of two rows each.
fn probe() -> (Fake, Workspace) {
    let fake = Fake::start(|request| {
        let page = request.query.strip_prefix("page=").unwrap_or("1");
        let next = if page == "1" { json!(2) } else { json!(null) };
        Reply::json(
            200,
            &json!({ "rows": [{ "id": 1 }, { "id": 2 }], "next": next }),
        )
    });
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "");
    workspace.tool(
        "walk",
        "read",
        "params: { properties: { page: { type: integer, description: The page. } } }
request: { method: GET, path: /probe, query: [page] }
paging: { items: $.rows, next: { page: $.next } }
response: { output: { rows: $.rows }, rows: rows }",
    );
    (fake, workspace)
}

fn command(workspace: &Workspace, format: &str, expression: &str, more: &[&str]) -> Command {
    let mut command = workspace.toolrun();
    command.args(["call", "walk", "-o", format, "--jq", expression]);
    command.args(more);
    command
}

/// Nothing on standard error says more than what stopped the expression, and standard output has its first result.
#[track_caller]
fn assert_stopped(output: &Output, format: &str, told: &str) {
    assert_eq!(output.stdout, "1\n", "{format}: {}", output.stderr);
    assert_tells(output, &["the expression of --jq", told]);
    let is_row = output.stderr.contains("row 1");
    assert_eq!(is_row, format == "ndjson", "{}", output.stderr);
    if ["json", "ndjson"].contains(&format) {
        output.error();
    }
}

#[test]
#[ignore = "long"]
fn the_deadline_ends_an_expression_that_does_not() {
    let (_fake, workspace) = probe();
    thread::scope(|scope| {
        for format in FORMATS {
            for expression in ENDLESS {
                let workspace = &workspace;
                scope.spawn(move || {
                    for more in [&[][..], &["--all"]] {
                        let more = [&["--deadline", "1500ms"], more].concat();
                        let begun = Instant::now();
                        let ended = output(&mut command(workspace, format, expression, &more));
                        let late = begun.elapsed();
                        assert!(late < Duration::from_secs(20), "{format}: {late:?}");
                        let ended = ended.expect(8);
                        assert_stopped(&ended, format, "not done");
                        assert_tells(&ended, &["within 1.5 s", "`--deadline` sets another limit"]);
                    }
                });
            }
        }
    });
}

#[test]
#[ignore = "long"]
fn a_signal_ends_an_expression_that_does_not() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let (_fake, workspace) = probe();
        for format in FORMATS {
            let mut command = command(&workspace, format, ENDLESS[1], &["--all"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            let child = command.spawn().expect("the program starts");
            let id = child.id().to_string();
            let waited = thread::spawn(move || child.wait_with_output());
            thread::sleep(Duration::from_millis(1500));
            output(Command::new("kill").args([signal, &id])).expect(0);
            let done = waited.join().expect("no panic").expect("it ends");
            let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
            let ended = Output {
                code: done.status.code().expect("it ends by itself"),
                stdout: text(done.stdout),
                stderr: text(done.stderr),
            };
            assert_stopped(&ended.expect(code), format, "interrupted; the expression");
        }
    }
}

#[test]
#[ignore = "long"]
fn an_expression_that_takes_too_much_is_stopped() {
    let (_fake, workspace) = probe();
    for format in FORMATS {
        for (expression, told) in [
            ("1, (def f: [f]; f)", "it calls itself too often"),
            #[cfg(target_os = "linux")]
            ("1, (\"x\" * 100000000000)", "more than 1 GiB of memory"),
            #[cfg(target_os = "linux")]
            (
                "1, (\"12345678\" | last(limit(60; recurse(. + .))))",
                "more than 1 GiB of memory",
            ),
        ] {
            let ended = output(&mut command(&workspace, format, expression, &[])).expect(9);
            assert_stopped(&ended, format, told);
        }
    }
}

#[test]
fn a_person_at_a_terminal_sees_the_same() {
    let (_fake, workspace) = probe();
    for (expression, code, told) in [
        (ENDLESS[1], 8, "is not done within 1.5 s"),
        ("1, (def f: [f]; f)", 9, "was stopped: it calls itself"),
    ] {
        let mut command = command(&workspace, "table", expression, &["--deadline", "1500ms"]);
        let (ended, bytes) = at_terminal(80, command.env("TERM", "xterm"));
        let text = String::from_utf8(bytes).expect("UTF-8");
        assert_eq!(ended, code, "{text}");
        assert!(text.contains("1\n") && text.contains(told), "{text}");
    }
}

#[test]
fn many_rows_are_as_fast_as_few() {
    let rows: Vec<_> = (0..20_000).map(|id| json!({ "id": id })).collect();
    let fake = Fake::start(move |_| Reply::json(200, &json!({ "rows": rows, "next": null })));
    let (_own, workspace) = probe();
    workspace.service(&fake.origin(), "");
    let ended = output(&mut command(&workspace, "ndjson", ".id", &["--all"])).expect(0);
    let ids = ended.stdout.lines().map(|line| line.parse::<usize>().ok());
    assert!(ids.eq((0..20_000).map(Some)), "all, and in order");
}

/// The commands of processes that have a word among their arguments.
#[cfg(target_os = "linux")]
fn running(word: &str) -> usize {
    let processes = fs::read_dir("/proc").expect("processes");
    let has_word = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.ok()?.path().join("cmdline");
        let words = fs::read(path).ok()?;
        String::from_utf8_lossy(&words).contains(word).then_some(())
    };
    processes.filter_map(has_word).count()
}

/// An expression runs in a process of its own, which must not outlive the program, however that ends.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "long"]
fn nothing_is_left_running() {
    let (_fake, workspace) = probe();
    for (how, signal) in [("deadline", None), ("kill", Some("-KILL"))] {
        let word = format!("mark of {how} {}", std::process::id());
        let expression = format!("\"{word}\", (def f: f; f)");
        let mut command = command(&workspace, "json", &expression, &["--deadline", "5s"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the program starts");
        let begun = Instant::now();
        while running(&word) < 2 {
            assert!(begun.elapsed() < Duration::from_secs(60), "no second one");
            thread::sleep(Duration::from_millis(10));
        }
        if let Some(signal) = signal {
            output(Command::new("kill").args([signal, &child.id().to_string()])).expect(0);
        }
        child.wait().expect("it ends");
        let begun = Instant::now();
        while running(&word) > 0 {
            assert!(begun.elapsed() < Duration::from_secs(10), "one is left");
            thread::sleep(Duration::from_millis(20));
        }
    }
}
