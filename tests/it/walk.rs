//! Walks over pages: however a walk ends, what was read is printed, the reason is reported, and the exit code fits the
//! reason.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Fake, Manner, Output, Reply, Request, Workspace, assert_tells, output};
use pretty_assertions::assert_eq;
use serde_json::{Map, Value, json};

const FORMATS: [&str; 6] = ["json", "ndjson", "table", "csv", "yaml", "raw"];

/// How the pages of a list follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A cursor in the body.
    Cursor,
    /// A cursor in the body, and a flag whether more pages remain.
    Sure,
    /// An offset that is computed.
    Offset,
    /// A URL in the body.
    Url,
    /// A URL in the `Link` header.
    Link,
}

const KINDS: [Kind; 5] = [
    Kind::Cursor,
    Kind::Sure,
    Kind::Offset,
    Kind::Url,
    Kind::Link,
];

impl Kind {
    fn paging(self) -> &'static str {
        match self {
            Kind::Cursor => "{ items: $.data, next: { cursor: $.next } }",
            Kind::Sure => "{ items: $.data, next: { cursor: $.next }, while: $.more }",
            Kind::Offset => {
                "{ items: $.data, next: { offset: '{{ (params.offset or 0) + 2 }}' }, while: $.more }"
            }
            Kind::Url => "{ items: $.data, next_url: $.next }",
            Kind::Link => "{ items: $.data, next_url: { header: link, rel: next } }",
        }
    }

    /// The number of the page, as an argument.
    fn page(self, request: &Request) -> usize {
        let value = request.query.split('&').find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            matches!(name, "cursor" | "offset" | "page").then(|| value.trim_start_matches('c'))
        });
        let number: usize = value.map_or(0, |text| text.parse().expect("a number"));
        match self {
            Kind::Offset => number / 2 + 1,
            _ => number.max(1),
        }
    }

    /// What leads to a page, as in the body or the header.
    fn way(self, page: usize) -> Value {
        match self {
            Kind::Cursor | Kind::Sure => json!(format!("c{page}")),
            Kind::Offset => Value::Null,
            Kind::Url | Kind::Link => json!(format!("/probe?page={page}")),
        }
    }

    /// What the note gives to go on at a page.
    fn resume(self, page: usize, origin: &str) -> Value {
        match self {
            Kind::Cursor | Kind::Sure => json!({ "cursor": format!("c{page}") }),
            Kind::Offset => json!({ "offset": (page - 1) * 2 }),
            Kind::Url | Kind::Link => json!(format!("{origin}/probe?page={page}")),
        }
    }

    /// A response with this body that leads to `next` in the way of this kind.
    fn reply(self, mut body: Value, next: &Value, more: bool) -> Reply {
        body["more"] = json!(more);
        if self == Kind::Link {
            let link = next.as_str().map(|url| format!("<{url}>; rel=\"next\""));
            let reply = Reply::json(200, &body);
            return match link {
                Some(link) => reply.with("link", link),
                None => reply,
            };
        }
        if !next.is_null() {
            body["next"] = next.clone();
        }
        Reply::json(200, &body)
    }

    /// A page of two rows that leads to the next one.
    fn whole(self, page: usize) -> Reply {
        self.reply(rows(page), &self.way(page + 1), true)
    }
}

fn rows(page: usize) -> Value {
    json!({ "data": [{ "id": page * 2 - 1 }, { "id": page * 2 }], "total": page * 100 })
}

const RETRY: &str = "retry: { max_attempts: 1 }\nerrors: { message: $.error.message }";

/// A list of three pages with this last page.
fn list(kind: Kind, last: Reply) -> (Fake, Workspace) {
    let fake = Fake::start(move |request| match kind.page(request) {
        3 => last.clone(),
        page => kind.whole(page),
    });
    let workspace = workspace(kind, &fake);
    (fake, workspace)
}

fn workspace(kind: Kind, fake: &Fake) -> Workspace {
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), RETRY);
    let more = format!(
        "
params: {{ properties: {{ cursor: {{ type: string }}, offset: {{ type: integer }} }} }}
request: {{ method: GET, path: /probe, query: [cursor, offset] }}
paging: {}
response:
  output: {{ rows: {{ each: '$.data[*]', as: {{ id: $.id }} }}, total: $.total }}
  rows: rows",
        kind.paging()
    );
    workspace.tool("list-probes", "read", &more);
    workspace
}

/// The ids of the rows in an output of any format.
fn ids(format: &str, output: &Output) -> Vec<u64> {
    let of = |value: &Value| value["id"].as_u64().expect("an id");
    let all = |value: &Value, key: &str| -> Vec<u64> {
        let rows = value[key].as_array().map(Vec::as_slice);
        rows.unwrap_or_default().iter().map(of).collect()
    };
    match format {
        _ if output.stdout.is_empty() => Vec::new(),
        "json" => all(&output.json(), "rows"),
        "yaml" => all(&yaml(output), "rows"),
        "ndjson" => output.lines().iter().map(of).collect(),
        // A table in a pipe is one of a single column.
        "csv" | "table" => {
            let mut lines = output.stdout.lines();
            assert_eq!(lines.next(), Some("id"));
            lines.map(|line| line.parse().expect("an id")).collect()
        }
        "raw" => output
            .lines()
            .iter()
            .flat_map(|body| all(body, "data"))
            .collect(),
        other => panic!("no format {other}"),
    }
}

fn yaml(output: &Output) -> Value {
    serde_yaml::from_str(&output.stdout).expect("standard output is YAML")
}

/// The notes in an output that has a place for them.
fn notes(format: &str, output: &Output) -> Option<Value> {
    match format {
        "json" => Some(output.json()["notes"].clone()),
        "yaml" => Some(yaml(output)["notes"].clone()),
        _ => None,
    }
}

/// One way to end a walk, and what the output must show.
struct End {
    name: &'static str,
    last: Reply,
    flags: &'static [&'static str],
    code: i32,
    /// How many rows are printed, from the first one.
    rows: u64,
    stopped: Option<&'static str>,
    /// The page that the note names.
    next: Option<usize>,
    words: &'static [&'static str],
    requests: usize,
}

impl End {
    fn new(name: &'static str, last: Reply) -> End {
        End {
            name,
            last,
            flags: &["--all"],
            code: 0,
            rows: 4,
            stopped: None,
            next: None,
            words: &[],
            requests: 3,
        }
    }

    /// The walk fails at the third page, which can be asked for again.
    fn fails(name: &'static str, last: Reply, code: i32, words: &'static [&'static str]) -> End {
        End {
            code,
            stopped: Some("error"),
            next: Some(3),
            words,
            ..End::new(name, last)
        }
    }

    /// The third page is good, but its way to the next page is not.
    fn misleads(name: &'static str, last: Reply, code: i32, words: &'static [&'static str]) -> End {
        End {
            next: None,
            rows: 6,
            ..End::fails(name, last, code, words)
        }
    }
}

fn ends(kind: Kind) -> Vec<End> {
    let none = Value::Null;
    let page = |body: Value| kind.reply(body, &none, false);
    let leads = |next: Value| kind.reply(rows(3), &next, true);
    let mut ends = vec![
        End {
            rows: 6,
            ..End::new("a last page that is full", page(rows(3)))
        },
        End::new("a last page that is empty", page(json!({ "data": [] }))),
        End::new("a list that is null", page(json!({ "data": null }))),
        End::new("204", Reply::new(204, "text/plain", "")),
        End::fails(
            "a list that is absent",
            page(json!({ "total": 1 })),
            9,
            &["lacks its list", "$.data"],
        ),
        End::fails(
            "a list that is absent, and more is said",
            kind.reply(json!({}), &kind.way(4), true),
            9,
            &["lacks its list"],
        ),
        End::fails("{}", Reply::ok(), 9, &["lacks its list"]),
        End::fails("null", Reply::json(200, &none), 9, &["lacks its list"]),
        End::fails(
            "an empty body",
            Reply::new(200, "text/plain", ""),
            9,
            &["lacks its list"],
        ),
        End::fails(
            "an error with the status 200",
            Reply::json(200, &json!({ "error": { "message": "It is broken." } })),
            9,
            &["lacks its list", "It is broken."],
        ),
        End::fails(
            "a list that is an object",
            page(json!({ "data": { "a": 1 } })),
            9,
            &["must be an array", "an object"],
        ),
        End::fails(
            "a page that is an array",
            Reply::json(200, &json!([1])),
            9,
            &["paging.items", "an array"],
        ),
        End::fails(
            "no JSON",
            Reply::new(200, "text/html", "<p>busy"),
            9,
            &["no JSON", "busy"],
        ),
        End::fails(
            "cut JSON",
            Reply::new(200, "application/json", r#"{"data": [{"id": 5}"#),
            9,
            &["no JSON"],
        ),
        End::fails(
            "404",
            Reply::json(404, &json!({ "error": { "message": "It is gone." } })),
            6,
            &["answered 404", "It is gone."],
        ),
        End::fails(
            "503",
            Reply::new(503, "text/plain", "busy"),
            7,
            &["answered 503"],
        ),
        End::fails("a body that is cut off", cut(), 8, &["127.0.0.1"]),
        End::fails("no answer", Reply::manner(Manner::Drop), 8, &["127.0.0.1"]),
        End::fails(
            "a redirect elsewhere",
            Reply::redirect(302, "https://elsewhere.test/"),
            5,
            &["another origin"],
        ),
        End {
            flags: &["--max-items", "3"],
            rows: 3,
            stopped: Some("max_items"),
            words: &["stopped after 3 item(s)"],
            requests: 2,
            ..End::new("a cap within a page", page(rows(3)))
        },
        End {
            flags: &["--max-items", "4"],
            stopped: Some("max_items"),
            next: Some(3),
            words: &["stopped after 4 item(s)", "more remain"],
            requests: 2,
            ..End::new("a cap at the end of a page", page(rows(3)))
        },
        End {
            flags: &["--max-items", "6"],
            rows: 6,
            ..End::new("a cap at the last row", page(rows(3)))
        },
        End {
            flags: &["--max-pages", "2"],
            stopped: Some("max_pages"),
            next: Some(3),
            words: &["stopped after 2 page(s)", "more remain"],
            requests: 2,
            ..End::new("a cap on pages", page(rows(3)))
        },
        End {
            flags: &["--max-pages", "3"],
            rows: 6,
            ..End::new("a cap at the last page", page(rows(3)))
        },
    ];
    if kind == Kind::Offset {
        return ends;
    }
    ends.push(End {
        code: 9,
        rows: 6,
        stopped: Some("repeated_cursor"),
        words: &["would never end", "incomplete"],
        ..End::new("a cursor that was given before", leads(kind.way(2)))
    });
    for (name, cursor) in [
        ("an empty cursor", json!("")),
        ("an absent cursor", Value::Null),
    ] {
        let last = End {
            rows: 6,
            ..End::new(name, leads(cursor))
        };
        ends.push(match kind {
            Kind::Sure => End {
                code: 9,
                stopped: Some("missing_cursor"),
                words: &["more pages remain", "incomplete"],
                ..last
            },
            _ => last,
        });
    }
    if kind != Kind::Link {
        let mut body = rows(3);
        body["next"] = Value::Null;
        ends.push(End {
            rows: 6,
            ..End::new("a cursor that is null", page(body))
        });
        let words: &[&str] = match kind {
            Kind::Url => &["paging.next_url", "a number"],
            _ => &["cannot lead to the next", "cursor"],
        };
        let last = leads(json!(7));
        ends.push(End::misleads("a cursor of another type", last, 9, words));
    }
    if matches!(kind, Kind::Url | Kind::Link) {
        for (name, url, words) in [
            (
                "a link elsewhere",
                "https://elsewhere.test/probe",
                &["leaves the service's origin"] as &[&str],
            ),
            ("a broken link", "http://[", &["is no URL"]),
            (
                "a link with credentials",
                "http://me:pass@127.0.0.1:1/probe",
                &["the next page"],
            ),
        ] {
            ends.push(End::misleads(name, leads(json!(url)), 5, words));
        }
    }
    ends
}

fn cut() -> Reply {
    Reply {
        manner: Manner::Cut,
        ..Reply::json(200, &rows(3))
    }
}

#[track_caller]
fn check(kind: Kind, end: &End, format: &str) {
    let (fake, workspace) = list(kind, end.last.clone());
    let arguments = [&["call", "list-probes", "-o", format], end.flags].concat();
    let output = workspace.run(&arguments);
    assert_eq!(fake.requests().len(), end.requests, "{output:?}");
    assert_end(kind, end, format, &fake, &output);
}

#[track_caller]
fn assert_end(kind: Kind, end: &End, format: &str, fake: &Fake, output: &Output) {
    assert_eq!(output.code, end.code, "{output:?}");
    // Raw bodies are whole pages.
    let rows = match format {
        "raw" => end.rows.next_multiple_of(2),
        _ => end.rows,
    };
    let expected: Vec<u64> = (1..=rows).collect();
    assert_eq!(ids(format, output), expected, "{output:?}");
    assert_tells(output, end.words);
    let Some(stopped) = end.stopped else {
        assert_eq!(output.stderr, "");
        assert!(notes(format, output).is_none_or(|notes| notes.is_null()));
        return;
    };
    assert_tells(output, &["stopped after"]);
    let next = end.next.map(|page| kind.resume(page, &fake.origin()));
    if let Some(next) = &next {
        let text = match next {
            Value::String(url) => url.clone(),
            arguments => arguments.to_string(),
        };
        let stderr = output.stderr.replace("\\\"", "\"");
        assert!(stderr.contains(&text), "{text} is not in {stderr}");
    }
    if let Some(notes) = notes(format, output) {
        let empty = Map::new();
        let note = notes[0].as_object().unwrap_or(&empty);
        assert_eq!(note.get("stopped"), Some(&json!(stopped)), "{notes}");
        assert_eq!(note.get("next"), next.as_ref(), "{notes}");
    }
    if format == "json" && end.code != 0 {
        let kind = match end.code {
            5 => "policy",
            6 => "refused",
            7 => "failed",
            8 => "network",
            9 => "response",
            _ => "interrupted",
        };
        assert_eq!(output.error()["kind"], kind);
    }
}

/// Each end in each format; all failures are reported together.
fn check_all(kind: Kind) {
    let (mut count, mut failed) = (0, Vec::new());
    for end in ends(kind) {
        for format in FORMATS {
            count += 1;
            if std::panic::catch_unwind(|| check(kind, &end, format)).is_err() {
                failed.push(format!("{}, {format}", end.name));
            }
        }
    }
    assert_eq!(failed, Vec::<String>::new(), "{kind:?}");
    assert!(count >= 24 * FORMATS.len(), "{count}");
}

#[test]
#[ignore = "long"]
fn each_end_of_a_walk_by_cursor() {
    check_all(Kind::Cursor);
}

#[test]
#[ignore = "long"]
fn each_end_of_a_walk_by_cursor_that_says_whether_more_remain() {
    check_all(Kind::Sure);
}

#[test]
#[ignore = "long"]
fn each_end_of_a_walk_by_offset() {
    check_all(Kind::Offset);
}

#[test]
#[ignore = "long"]
fn each_end_of_a_walk_by_url() {
    check_all(Kind::Url);
}

#[test]
#[ignore = "long"]
fn each_end_of_a_walk_by_link() {
    check_all(Kind::Link);
}

// Deadline and signals

/// A walk that hangs at its third page.
fn hanging(kind: Kind) -> (Fake, Workspace) {
    list(kind, Reply::manner(Manner::Hang))
}

fn cut_short(stopped: &'static str, code: i32, words: &'static [&'static str]) -> End {
    End {
        stopped: Some(stopped),
        ..End::fails("", Reply::ok(), code, words)
    }
}

#[test]
fn a_deadline_ends_a_walk_as_any_other_end() {
    let end = cut_short("deadline", 8, &["no answer within", "incomplete"]);
    let check = |kind: Kind, format: &str| {
        let (fake, workspace) = hanging(kind);
        let started = Instant::now();
        let arguments = ["call", "list-probes", "--all", "-o", format];
        let output = workspace.run(&[&arguments[..], &["--deadline", "1500ms"]].concat());
        assert!(started.elapsed() < Duration::from_secs(10));
        assert_eq!(fake.requests().len(), 3);
        assert_end(kind, &end, format, &fake, &output);
    };
    std::thread::scope(|scope| {
        for format in FORMATS {
            scope.spawn(move || check(Kind::Cursor, format));
        }
        for kind in KINDS {
            scope.spawn(move || check(kind, "json"));
        }
    });
}

/// Starts a call and waits until the service has got so many requests.
fn begin(workspace: &Workspace, fake: &Fake, requests: usize, arguments: &[&str]) -> Child {
    let child = workspace
        .toolrun()
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(|| fake.requests().len() >= requests);
    child
}

#[track_caller]
fn wait_for(is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(20), "in vain");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn kill(signal: &str, child: &Child) {
    output(Command::new("kill").args([signal, &child.id().to_string()])).expect(0);
}

fn end(child: Child) -> Output {
    let done = child.wait_with_output().unwrap();
    Output {
        code: done.status.code().expect("the program ends by itself"),
        stdout: String::from_utf8(done.stdout).unwrap(),
        stderr: String::from_utf8(done.stderr).unwrap(),
    }
}

#[test]
fn a_signal_ends_a_walk_as_any_other_end() {
    let check = |kind: Kind, format: &str, signal: &str, code: i32| {
        let end_of = cut_short("interrupted", code, &["interrupted", "incomplete"]);
        let (fake, workspace) = hanging(kind);
        let arguments = ["call", "list-probes", "--all", "-o", format];
        let child = begin(&workspace, &fake, 3, &arguments);
        kill(signal, &child);
        let output = end(child);
        assert_eq!(fake.requests().len(), 3);
        assert_end(kind, &end_of, format, &fake, &output);
    };
    std::thread::scope(|scope| {
        for format in FORMATS {
            scope.spawn(move || check(Kind::Sure, format, "-INT", 130));
            scope.spawn(move || check(Kind::Offset, format, "-TERM", 143));
        }
        for kind in KINDS {
            scope.spawn(move || check(kind, "json", "-HUP", 129));
        }
    });
}

#[test]
fn a_walk_that_is_interrupted_at_its_first_page_prints_nothing() {
    let fake = Fake::script([Reply::manner(Manner::Hang)]);
    let workspace = workspace(Kind::Cursor, &fake);
    for format in FORMATS {
        let sent = fake.requests().len();
        let arguments = ["call", "list-probes", "--all", "-o", format];
        let child = begin(&workspace, &fake, sent + 1, &arguments);
        kill("-TERM", &child);
        let output = end(child).expect(143);
        assert_eq!(output.stdout, "", "{format}");
        assert_tells(&output, &["nothing was read"]);
    }
}

#[test]
fn a_signal_that_the_program_was_told_to_ignore_is_ignored() {
    let fake = Fake::start(|request| match Kind::Cursor.page(request) {
        3 => {
            std::thread::sleep(Duration::from_millis(700));
            Kind::Cursor.reply(rows(3), &Value::Null, false)
        }
        page => Kind::Cursor.whole(page),
    });
    let workspace = workspace(Kind::Cursor, &fake);
    let program = workspace.toolrun();
    let mut command = Command::new("nohup");
    command
        .arg(program.get_program())
        .args(program.get_args())
        .args(["call", "list-probes", "--all", "-o", "ndjson"])
        .current_dir(workspace.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    wait_for(|| fake.requests().len() >= 3);
    kill("-HUP", &child);
    let output = end(child).expect(0);
    assert_eq!(output.lines().len(), 6);
}

#[test]
fn a_second_signal_ends_a_program_whose_output_nobody_reads() {
    let text = "x".repeat(200_000);
    let fake = Fake::start(move |request| {
        let page = Kind::Cursor.page(request);
        let body = json!({ "data": [{ "id": text }] });
        Kind::Cursor.reply(body, &Kind::Cursor.way(page + 1), true)
    });
    let workspace = workspace(Kind::Cursor, &fake);
    let arguments = ["call", "list-probes", "--all", "-o", "ndjson"];
    let mut child = begin(&workspace, &fake, 1, &arguments);
    // The pipe is soon full, and the program blocks while writing.
    std::thread::sleep(Duration::from_secs(1));
    assert!(child.try_wait().unwrap().is_none());
    kill("-TERM", &child);
    std::thread::sleep(Duration::from_millis(300));
    kill("-TERM", &child);
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

// On a terminal

/// Runs a call on a terminal of its own; what it prints there is the output.
#[cfg(target_os = "linux")]
fn on_terminal(workspace: &Workspace, arguments: &str) -> Output {
    let program = workspace.toolrun();
    let words: Vec<&str> = std::iter::once(program.get_program())
        .chain(program.get_args())
        .map(|word| word.to_str().expect("a plain path"))
        .collect();
    let line = format!("{} {arguments}", words.join(" "));
    let mut command = Command::new("script");
    command
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .current_dir(workspace.path())
        // Nobody is there to leave a pager.
        .env("PAGER", "")
        .stdin(Stdio::null());
    let mut output = output(&mut command);
    output.stdout = output.stdout.replace('\r', "");
    output
}

#[cfg(target_os = "linux")]
#[test]
fn a_walk_on_a_terminal_shows_its_rows_and_its_end() {
    let gone = Reply::json(404, &json!({ "error": { "message": "It is gone." } }));
    let words = ["stopped after page 2", "incomplete", "It is gone."];
    for (flags, shows) in [
        ("", "\n 4\n"),
        ("-o json", "\"id\": 4"),
        ("-o ndjson", "{\"id\":4}"),
    ] {
        let (_fake, workspace) = list(Kind::Sure, gone.clone());
        let output = on_terminal(&workspace, &format!("call list-probes --all {flags}"));
        assert_eq!(output.code, 6, "{output:?}");
        for part in words.iter().chain([&shows]) {
            assert!(
                output.stdout.contains(part),
                "{part} is not in {}",
                output.stdout
            );
        }
    }
    let (_fake, workspace) = hanging(Kind::Sure);
    let output = on_terminal(&workspace, "call list-probes --all --deadline 1500ms");
    assert_eq!(output.code, 8, "{output:?}");
    assert!(output.stdout.contains("\n 4\n"), "{}", output.stdout);
    let (_fake, workspace) = list(Kind::Link, gone);
    let output = on_terminal(&workspace, "call list-probes");
    assert_eq!(output.code, 0, "{output:?}");
    assert!(
        output.stdout.contains("this is one page"),
        "{}",
        output.stdout
    );
}
