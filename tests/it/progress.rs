//! What is told while a call waits, in each output format, in a pipe and on a terminal: a try again, the rate limit, a
//! job, and a walk over slow pages. Whatever was waited for, the data is that of a call that waited for nothing.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::{Fake, Reply, Request, Workspace, on_terminal, output};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

const FORMATS: [&str; 8] = [
    "json", "ndjson", "table", "csv", "yaml", "raw", "chart", "svg",
];

/// Longer than what shows nothing (300 ms), and not so long that it counts in a run of all tests.
const PAUSE: Duration = Duration::from_millis(700);

/// What a call waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    Retry,
    Limit,
    Job,
    Pages,
}

const WAITS: [Wait; 4] = [Wait::Retry, Wait::Limit, Wait::Job, Wait::Pages];

impl Wait {
    /// The service's file beyond its URL.
    fn service(self, slow: bool) -> &'static str {
        match (self, slow) {
            (Wait::Retry, true) => "retry: { max_attempts: 2, base_delay: 1s, max_delay: 1s }",
            (Wait::Limit, true) => "rate_limit: { requests: 1, per: 1s }",
            _ => "retry: { max_attempts: 2, base_delay: 1ms, max_delay: 1ms }",
        }
    }

    fn tool(self, slow: bool) -> String {
        let interval = if slow { "700ms" } else { "1ms" };
        let (params, more) = match self {
            Wait::Job => (
                "",
                format!(
                    "wait: {{ path: /job, until: \"{{{{ body.done }}}}\", interval: {interval}, max_interval: {interval} }}"
                ),
            ),
            Wait::Limit | Wait::Pages => (
                ", query: [page]",
                "params: { properties: { page: { type: integer, description: The page. } } }\n\
                 paging: { items: $.rows, next: { page: $.next } }"
                    .to_owned(),
            ),
            Wait::Retry => ("", String::new()),
        };
        format!(
            "request: {{ method: {}, path: /probe{params} }}\n{more}\n\
             response: {{ output: {{ rows: {{ each: '$.rows[*]', as: {{ day: $.day, count: $.count }} }} }}, rows: rows }}",
            if self == Wait::Job { "POST" } else { "GET" },
        )
    }

    /// The answer to the request of this number, counted from 0.
    fn reply(self, at: usize, request: &Request, slow: bool) -> Reply {
        let page = match request.target().ends_with("page=2") {
            true => 2,
            false => 1,
        };
        match self {
            Wait::Retry if slow && at == 0 => Reply::json(503, &json!({})).with("retry-after", "1"),
            Wait::Job if at < 2 => Reply::json(200, &json!({ "done": false, "rows": [] })),
            Wait::Job | Wait::Retry => Reply::json(200, &rows(1, true)),
            Wait::Limit | Wait::Pages => {
                if slow && self == Wait::Pages {
                    thread::sleep(PAUSE);
                }
                Reply::json(200, &rows(page, page == 2))
            }
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Wait::Retry => &[],
            Wait::Limit | Wait::Pages => &["--all"],
            Wait::Job => &["--yes"],
        }
    }

    /// The notes on standard error, on a terminal and elsewhere.
    fn notes(self) -> &'static [&'static str] {
        match self {
            Wait::Retry => &["the service answered 503; try 2 of 2 in "],
            _ => &[],
        }
    }

    /// What the line of progress tells.
    fn progress(self) -> &'static [&'static str] {
        match self {
            Wait::Retry => &["s for try 2 of 2: the service answered 503"],
            Wait::Limit => &["1 page, 2 rows", "s for the rate limit of the service"],
            Wait::Job => &["s for the job, asked 1 time"],
            Wait::Pages => &["waiting for the answer", "1 page, 2 rows", "rows/s"],
        }
    }
}

fn rows(page: i64, is_last: bool) -> Value {
    let row = |at: i64| json!({ "day": format!("2026-11-0{}T00:00:00Z", 2 * page + at), "count": 10 * page + at });
    let mut body = json!({ "done": true, "rows": [row(0), row(1)] });
    if !is_last {
        body["next"] = json!(2);
    }
    body
}

fn prepare(wait: Wait, slow: bool) -> (Fake, Workspace) {
    let asked = AtomicUsize::new(0);
    let fake = Fake::start(move |request| {
        let at = asked.fetch_add(1, Ordering::Relaxed);
        wait.reply(at, request, slow)
    });
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), wait.service(slow));
    let access = if wait == Wait::Job { "write" } else { "read" };
    workspace.tool("get-probe", access, &wait.tool(slow));
    (fake, workspace)
}

fn command(workspace: &Workspace, wait: Wait, format: &str) -> Command {
    let mut command = workspace.toolrun();
    command.args(["call", "get-probe", "-o", format]);
    command.args(wait.arguments()).env("PAGER", "");
    command
}

/// Runs a check for each wait and format, all at once: they spend their time waiting.
fn for_each(check: fn(Wait, &str)) {
    thread::scope(|scope| {
        for wait in WAITS {
            for format in FORMATS {
                scope.spawn(move || check(wait, format));
            }
        }
    });
}

#[test]
#[ignore = "long"]
fn in_a_pipe_the_data_is_that_of_a_call_that_did_not_wait() {
    for_each(|wait, format| {
        let case = format!("{wait:?} {format}");
        let run = |slow| {
            let (_fake, workspace) = prepare(wait, slow);
            output(&mut command(&workspace, wait, format)).expect(0)
        };
        let (quick, slow) = (run(false), run(true));
        assert!(!quick.stdout.is_empty(), "{case}");
        assert_eq!(slow.stdout, quick.stdout, "{case}");
        for note in wait.notes() {
            assert!(slow.stderr.contains(note), "{case}: {}", slow.stderr);
        }
        assert_eq!(
            slow.stderr.lines().count(),
            wait.notes().len() + quick.stderr.lines().count(),
            "{case}: {}",
            slow.stderr
        );
        assert!(
            !slow.stderr.contains(['\r', '\u{1b}']),
            "{case}: {}",
            slow.stderr
        );
    });
}

#[test]
#[ignore = "long"]
fn on_a_terminal_the_line_of_progress_tells_what_is_waited_for_and_vanishes() {
    for_each(|wait, format| {
        let case = format!("{wait:?} {format}");
        let (_fake, workspace) = prepare(wait, true);
        let mut command = command(&workspace, wait, format);
        let (code, bytes) = on_terminal(command.env("TERM", "xterm"));
        let text = String::from_utf8(bytes).expect("UTF-8");
        assert_eq!(code, 0, "{case}: {text}");
        for part in wait.progress().iter().chain(wait.notes()) {
            assert!(text.contains(part), "{case}: {part:?} is not in {text:?}");
        }
        let shown = standing(&text);
        for part in wait.progress() {
            assert!(!shown.contains(part), "{case}: {shown:?}");
        }
        let (_fake, workspace) = prepare(wait, false);
        let (code, bytes) =
            on_terminal(self::command(&workspace, wait, format).env("TERM", "xterm"));
        assert_eq!(code, 0, "{case}");
        let quick = standing(&String::from_utf8(bytes).expect("UTF-8"));
        let is_note = |line: &&str| wait.notes().iter().any(|note| line.contains(note));
        let data: Vec<&str> = shown.lines().filter(|line| !is_note(line)).collect();
        assert_eq!(data, quick.lines().collect::<Vec<_>>(), "{case}");
    });
}

/// What stands on the terminal in the end: each line of progress is cleared before anything else is written.
fn standing(text: &str) -> String {
    let mut shown = String::new();
    let mut parts = text.split("\u{1b}[2K").peekable();
    while let Some(part) = parts.next() {
        match parts.peek() {
            None => shown.push_str(part),
            Some(_) => shown.push_str(&part[..part.rfind('\n').map_or(0, |end| end + 1)]),
        }
    }
    shown
}
