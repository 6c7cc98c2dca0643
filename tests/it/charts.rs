//! `-o chart` and `-o svg`: every width, every way in which a list ends, and hostile values.

use crate::support::{Fake, Output, Reply, Workspace, assert_tells, on_terminal_of};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

const READ: &str =
    "request: { method: GET, path: /probe }\nresponse: { output: { rows: $.rows }, rows: rows }";
const HINT: &str = "request: { method: GET, path: /probe }
response: { output: { rows: { each: '$.rows[*]', as: { at: $.at, n: $.n, k: $.k } } }, rows: rows, chart: { time: at, values: [n], by: [k] } }";
const WALK: &str = "params: { properties: { page: { type: integer, description: The page. } } }
request: { method: GET, path: /probe, query: [page] }
paging: { items: $.rows, next: { page: $.next } }
response: { output: { rows: $.rows }, rows: rows }";
const HINTED_WALK: &str = "params: { properties: { page: { type: integer, description: The page. } } }
request: { method: GET, path: /probe, query: [page] }
paging: { items: $.rows, next: { page: $.next } }
response: { output: { rows: { each: '$.rows[*]', as: { at: $.at, n: $.n } } }, rows: rows, chart: { time: at, values: [n] } }";
const NO_ROWS: &str = "request: { method: GET, path: /probe }
response: { output: { first: '$.rows[0].n' } }";

fn probe(rows: Value) -> (Fake, Workspace) {
    let fake = Fake::start(move |_| Reply::json(200, &json!({ "rows": rows })));
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "retry: { max_attempts: 1 }");
    workspace.tool("any", "read", READ);
    workspace.tool("hinted", "read", HINT);
    (fake, workspace)
}

fn day(at: usize) -> String {
    let (month, day) = (at / 28 % 12 + 1, at % 28 + 1);
    format!("{}-{month:02}-{day:02}T00:00:00Z", 2020 + at / 336)
}

fn call(workspace: &Workspace, tool: &str, format: &str, more: &[&str]) -> Output {
    workspace.run(&[&["call", tool, "-o", format], more].concat())
}

/// Insists on well-formed XML of elements that a picture needs, as far as can be told without a parser for all of it.
fn assert_svg(text: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        assert!(!rest[..at].contains('>'), "a bare > in {rest}");
        let end = rest[at..].find('>').expect("a tag ends") + at;
        let tag = &rest[at + 1..end];
        assert!(!tag.contains('<'), "{tag}");
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None if tag.ends_with('/') => {}
            None => open.push(tag.split(' ').next().expect("a name")),
        }
        assert!(tag.matches('"').count().is_multiple_of(2), "{tag}");
        rest = &rest[end + 1..];
    }
    assert_eq!((open.len(), rest), (0, "\n"));
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text}");
    for part in text.split('&').skip(1) {
        let known = ["amp;", "lt;", "gt;", "quot;"];
        assert!(known.iter().any(|known| part.starts_with(known)), "{part}");
    }
    for part in ["<title id=", "<desc id=", "role=\"img\""] {
        assert!(text.contains(part), "{part}");
    }
    assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
}

#[test]
fn a_pipe_gets_plain_text_of_80_columns() {
    let rows = json!([
        { "at": day(0), "n": 10, "k": "a" }, { "at": day(0), "n": "5.5", "k": "b" },
        { "at": day(1), "n": 20, "k": "a" }, { "at": day(1), "n": -5, "k": "b" }, { "at": day(1), "n": 1, "k": "a" },
    ]);
    let (_fake, workspace) = probe(rows);
    let told = call(&workspace, "hinted", "chart", &[]).expect(0);
    let expected = "n
2020-01-01  a              #######################| 10
            b              ############# 5.5
2020-01-02  a              ################################################# 21
            b  ############ -5

rows of the same time and group are added up
";
    assert_eq!((told.stdout.as_str(), told.stderr.as_str()), (expected, ""));
}

#[test]
fn the_same_is_guessed_and_a_selection_counts() {
    let rows: Vec<Value> = (0..6)
        .map(|at| json!({ "id": at, "day": day(at / 2), "end": day(at / 2 + 1), "kind": (if at % 2 == 0 { "x" } else { "y" }), "tokens": at, "cost": at * 2 }))
        .collect();
    let (_fake, workspace) = probe(Value::from(rows));
    let told = call(&workspace, "any", "chart", &[]).expect(0).stdout;
    assert!(told.starts_with("tokens\n2020-01-01  x"), "{told}");
    assert!(
        told.contains("\ncost\n") && !told.contains("\nid\n"),
        "{told}"
    );
    let told = call(&workspace, "any", "chart", &["--select", "cost"])
        .expect(0)
        .stdout;
    assert!(
        told.starts_with("cost\n2020-01-01  #") || told.starts_with("cost\n2020-01-01  |"),
        "{told}"
    );
    let (_fake, workspace) = probe(json!([{ "n": 1 }]));
    for format in ["chart", "svg"] {
        let output = call(&workspace, "any", format, &[]).expect(2);
        assert_tells(&output, &["no field of the rows holds times (there are n)"]);
        // What was read is printed all the same.
        assert_eq!(output.stdout, "{\"rows\":[{\"n\":1}]}\n");
        let output = call(&workspace, "hinted", format, &[]).expect(2);
        assert_tells(&output, &["no row has a time in `at`"]);
        let all = "{\"rows\":[{\"at\":null,\"n\":1,\"k\":null}]}\n";
        assert_eq!(output.stdout, all);
        for (option, value) in [
            ("--sort", "n"),
            ("--columns", "n"),
            ("--wide", ""),
            ("--no-header", ""),
        ] {
            let more = [option, value];
            let more = if value.is_empty() {
                &more[..1]
            } else {
                &more[..]
            };
            call(&workspace, "any", format, more).expect(2);
        }
    }
}

/// Rows that a service may send, and what must be told of them.
fn hostile() -> Vec<(&'static str, Value, &'static str)> {
    let many: Vec<Value> = (0..10_000)
        .map(|at| json!({ "at": day(at), "n": (at % 100) as i64 - 50, "k": null }))
        .collect();
    let groups: Vec<Value> = (0..300)
        .map(|at| json!({ "at": day(at % 3), "n": at, "k": format!("group {at}") }))
        .collect();
    vec![
        ("nothing", json!([]), ""),
        ("one point", json!([{ "at": day(0), "n": 1, "k": "a" }]), ""),
        (
            "zero",
            json!([{ "at": day(0), "n": 0, "k": "a" }]),
            "zero throughout: n",
        ),
        (
            "nulls",
            json!([{ "at": day(0), "n": null, "k": "a" }]),
            "no values: n",
        ),
        (
            "no numbers",
            json!([{ "at": day(0), "n": 1, "k": "a" }, { "at": day(1), "n": "NaN", "k": "a" }, { "at": day(2), "n": [1], "k": {} }]),
            "2 values",
        ),
        (
            "no times",
            json!([{ "at": day(0), "n": 1, "k": "a" }, { "at": "soon", "n": 2, "k": "a" }, { "at": null, "n": 3 }, { "at": 5, "n": 7 }]),
            "3 rows without a time",
        ),
        (
            "negative alone",
            json!([{ "at": day(0), "n": -3, "k": "a" }, { "at": day(1), "n": -1, "k": "a" }]),
            "",
        ),
        (
            "10,000 points",
            Value::from(many),
            "a column is the mean of up to",
        ),
        ("many groups", Value::from(groups), ""),
        (
            "huge labels",
            json!([{ "at": day(0), "n": 1, "k": "x".repeat(100_000) }, { "at": day(1), "n": 2, "k": "漢".repeat(10_000) }]),
            "",
        ),
        (
            "control characters",
            json!([{ "at": day(0), "n": 1, "k": "\u{1b}[2J<script>&\"'\u{202e}\u{ffff}\n" }, { "at": day(0), "n": 1, "k": "b" }]),
            "",
        ),
        (
            "times of one moment",
            json!([{ "at": "2020-01-01T00:00:00.1Z", "n": 1, "k": "a" }, { "at": "2020-01-01T00:00:00.2Z", "n": 2, "k": "a" }]),
            "",
        ),
        (
            "far times",
            json!([{ "at": "0001-01-01T00:00:00Z", "n": 1, "k": "a" }, { "at": "9999-12-30T00:00:00Z", "n": 2, "k": "a" }]),
            "",
        ),
    ]
}

#[test]
#[ignore = "long"]
fn hostile_values_are_drawn_in_every_width_or_told() {
    for (title, rows, told) in hostile() {
        let (_fake, workspace) = probe(rows);
        let svg = call(&workspace, "hinted", "svg", &[]).expect(0).stdout;
        assert_svg(&svg);
        assert!(!svg.contains("<script"), "{title}");
        assert!(svg.len() < 1_000_000, "{title}: {} bytes", svg.len());
        for columns in [40, 80, 140] {
            for locale in ["C", "C.UTF-8"] {
                let mut command = workspace.toolrun();
                command
                    .args(["call", "hinted", "-o", "chart"])
                    .env("NO_COLOR", "1")
                    .env("LC_ALL", locale);
                let (code, bytes) = on_terminal_of(columns, &mut command);
                let screen = String::from_utf8(bytes).expect("UTF-8");
                assert_eq!(code, 0, "{title}: {screen}");
                let words = screen.replace('\n', " ");
                assert!(words.contains(told), "{title} at {columns}: {screen}");
                for line in screen.lines() {
                    let wide = line
                        .chars()
                        .filter(|c| ('\u{3000}'..'\u{a000}').contains(c))
                        .count();
                    let width = line.chars().count() + wide;
                    assert!(width <= columns.into(), "{title} at {columns}: {line}");
                    assert!(!line.contains(char::is_control), "{title}: {line:?}");
                }
                let is_plain = title == "huge labels" || screen.is_ascii();
                assert!(locale == "C.UTF-8" || is_plain, "{title}: {screen}");
            }
        }
    }
}

#[test]
fn a_number_beyond_all_doubles_is_left_out_and_told() {
    let fake = Fake::start(|_| {
        let rows = r#"{"rows":[{"at":"2020-01-01","n":1e400},{"at":"2020-01-02","n":1e308},{"at":"2020-01-03","n":-1e308},{"at":"2020-01-02","n":1e308}]}"#;
        Reply::new(200, "application/json", rows)
    });
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "");
    workspace.tool("hinted", "read", HINT);
    let told = call(&workspace, "hinted", "chart", &[]).expect(0).stdout;
    assert!(told.contains("2 values that cannot be drawn"), "{told}");
    assert_svg(&call(&workspace, "hinted", "svg", &[]).expect(0).stdout);
}

#[test]
fn however_a_list_ends_what_was_read_is_drawn_and_what_is_missing_is_told() {
    for (bad, more, code, told) in [
        (0, &["--all"][..], 0, ""),
        (0, &["--max-pages", "2"], 0, "page"),
        (3, &["--all"], 7, "the result is incomplete"),
        (0, &[], 0, "more remain"),
    ] {
        let fake = Fake::start(move |request| {
            let page = request.query.strip_prefix("page=").unwrap_or("1");
            let page: usize = page.parse().expect("a page");
            if page == bad {
                return Reply::json(500, &json!({ "error": "broken" }));
            }
            let next = if page < 3 {
                json!(page + 1)
            } else {
                Value::Null
            };
            let rows = json!([{ "at": day(page), "tokens": page * 11 }]);
            Reply::json(200, &json!({ "rows": rows, "next": next }))
        });
        let workspace = Workspace::new();
        workspace.service(&fake.origin(), "retry: { max_attempts: 1 }");
        workspace.tool("walk", "read", WALK);
        let chart = call(&workspace, "walk", "chart", more).expect(code);
        assert!(chart.stdout.contains(" 11\n"), "{}", chart.stdout);
        assert_eq!(chart.stdout.contains(" 22\n"), !more.is_empty());
        assert_eq!(
            chart.stdout.contains(" 33\n"),
            more == ["--all"] && bad == 0
        );
        let svg = call(&workspace, "walk", "svg", more).expect(code);
        assert_svg(&svg.stdout);
        for output in [chart, svg] {
            let words = output.stdout.replace('\n', " ");
            assert!(words.contains(told), "{more:?}: {words}");
            assert_tells(&output, &[told]);
        }
    }
}

/// Each reason for which there is no chart, by each way in which a list ends: all rows that were read are printed, in a
/// pipe and on a terminal, and the reason is told.
#[test]
fn what_cannot_be_drawn_is_printed_however_its_list_ends() {
    let reasons = [
        (json!({ "n": 1 }), WALK, "no field of the rows holds times"),
        (
            json!({ "at": day(0), "k": "a" }),
            WALK,
            "no field of the rows holds quantities",
        ),
        (
            json!({ "at": "soon", "n": 1 }),
            HINTED_WALK,
            "no row has a time",
        ),
        (
            json!({ "at": day(0), "n": 1 }),
            NO_ROWS,
            "the output has no rows",
        ),
    ];
    let ends = [
        (0, &["--all"][..], 2, 3, ""),
        (0, &["--max-pages", "2"], 2, 2, "page"),
        (3, &["--all"], 7, 2, "500"),
        (0, &[], 2, 1, "page"),
    ];
    for (row, tool, why) in &reasons {
        for (bad, more, code, pages, told) in ends {
            if *tool == NO_ROWS && !more.is_empty() {
                continue;
            }
            let row = row.clone();
            let fake = Fake::start(move |request| {
                let page = request.query.strip_prefix("page=").unwrap_or("1");
                let page: usize = page.parse().expect("a page");
                if page == bad {
                    return Reply::json(500, &json!({ "error": "broken" }));
                }
                let next = (page < 3).then_some(page + 1);
                Reply::json(200, &json!({ "rows": [row], "next": next }))
            });
            let workspace = Workspace::new();
            workspace.service(&fake.origin(), "retry: { max_attempts: 1 }");
            workspace.tool("walk", "read", tool);
            for format in ["chart", "svg"] {
                let at = format!("{why}, {format}, {more:?}");
                let output = call(&workspace, "walk", format, more);
                assert_eq!(output.code, code, "{at}: {}", output.stderr);
                assert!(output.stderr.contains(why), "{at}: {}", output.stderr);
                let words = format!("{}{}", output.stdout, output.stderr);
                let told = if *tool == NO_ROWS { "" } else { told };
                assert!(words.contains(told), "{at}: {words}");
                let printed = output.json();
                let rows = printed["rows"].as_array().map_or(1, Vec::len);
                assert_eq!(rows, pages, "{at}: {printed}");
                let mut command = workspace.toolrun();
                command.args(["call", "walk", "-o", format]).args(more);
                let (on_terminal, bytes) = on_terminal_of(80, command.env("NO_COLOR", "1"));
                let screen = String::from_utf8(bytes).expect("UTF-8");
                assert_eq!(on_terminal, code, "{at}: {screen}");
                let words = screen.split_whitespace().collect::<Vec<_>>().join(" ");
                assert!(words.contains(why), "{at}: {screen}");
            }
        }
    }
}

#[test]
fn colours_follow_the_variables_that_tables_follow() {
    let (_fake, workspace) = probe(json!([{ "at": day(0), "n": 1, "k": "\u{1b}[31mforged" }]));
    for (variable, value, columns, is_coloured) in [
        ("CLICOLOR_FORCE", "1", 0, true),
        ("CLICOLOR", "1", 0, false),
        ("CLICOLOR", "0", 80, false),
        ("NO_COLOR", "1", 80, false),
        ("TERM", "dumb", 80, false),
        ("TERM", "xterm", 80, true),
    ] {
        let mut command = workspace.toolrun();
        command
            .args(["call", "hinted", "-o", "chart"])
            .env(variable, value);
        let screen = match columns {
            0 => crate::support::output(&mut command).expect(0).stdout,
            _ => String::from_utf8(on_terminal_of(columns, &mut command).1).expect("UTF-8"),
        };
        let told = format!("{variable}={value} {columns}: {screen:?}");
        assert_eq!(screen.contains("\u{1b}[36m"), is_coloured, "{told}");
        assert!(screen.contains("\\u{1b}[31mforged"), "{told}");
        assert!(!screen.contains("\u{1b}[31m"), "{told}");
    }
}
