//! Pages: a single one, pages with different columns, mistakes in their descriptors, and pages in the library.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{Fake, Output, Reply, Workspace, assert_tells};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use toolrun::{Call, Catalog, Engine, ErrorKind, Stopped, Tool};

const FORMATS: [&str; 6] = ["json", "ndjson", "table", "csv", "yaml", "raw"];
const CURSOR: &str = "paging: { items: $.data, next: { cursor: $.next } }";
const OUTPUT: &str = "response: { output: { rows: $.data }, rows: rows }";

fn workspace(fake: &Fake, more: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "retry: { max_attempts: 1 }");
    tool_file(&workspace, more);
    workspace
}

fn tool_file(workspace: &Workspace, more: &str) {
    let head = "
params: { properties: { cursor: { type: string, description: The cursor. }, page: { type: integer, description: The page. } } }
request: { method: GET, path: /probe, query: [cursor, page] }
";
    workspace.tool("list-probes", "read", &format!("{head}{more}"));
}

fn call(workspace: &Workspace, arguments: &[&str]) -> Output {
    workspace.run(&[&["call", "list-probes"], arguments].concat())
}

// One page

#[test]
fn one_page_of_more_says_so_in_each_format() {
    // The paging, the response, the header, the body, the note's `next`, and the formats whose output shows how to go
    // on.
    type Case<'c> = (
        &'c str,
        &'c str,
        Option<&'c str>,
        Value,
        Value,
        &'c [&'c str],
    );
    let (link, none) = (Some("</probe?page=2>; rel=next"), None);
    let by_link = "paging: { items: $.data, next_url: { header: link, rel: next } }";
    let by_url = "paging: { items: $.data, next_url: $.next }";
    let by_page =
        "paging: { items: $.data, next: { page: '{{ (params.page or 1) + 1 }}' }, while: $.more }";
    let shows = "response: { output: { rows: $.data, next: $.next }, rows: rows }";
    let cases: [Case; 6] = [
        (
            by_link,
            OUTPUT,
            link,
            json!({ "data": [1] }),
            json!("/probe?page=2"),
            &[],
        ),
        (
            by_url,
            OUTPUT,
            none,
            json!({ "data": [1], "next": "/probe?page=2" }),
            json!("/probe?page=2"),
            &["raw"],
        ),
        (
            by_url,
            shows,
            none,
            json!({ "data": [1], "next": "/probe?page=2" }),
            json!("/probe?page=2"),
            &["raw", "json", "yaml"],
        ),
        (
            CURSOR,
            OUTPUT,
            none,
            json!({ "data": [1], "next": "c2" }),
            json!({ "cursor": "c2" }),
            &["raw"],
        ),
        (
            CURSOR,
            shows,
            none,
            json!({ "data": [1], "next": "c2" }),
            json!({ "cursor": "c2" }),
            &["raw", "json", "yaml"],
        ),
        (
            by_page,
            OUTPUT,
            none,
            json!({ "data": [1, 2], "more": true }),
            json!({ "page": 2 }),
            &[],
        ),
    ];
    for (paging, response, header, body, next, silent) in cases {
        let reply = Reply::json(200, &body);
        let reply = match header {
            Some(link) => reply.with("link", link),
            None => reply,
        };
        let fake = Fake::script([reply]);
        let workspace = workspace(&fake, &format!("{paging}\n{response}"));
        for format in FORMATS {
            let output = call(&workspace, &["-o", format]).expect(0);
            if silent.contains(&format) {
                assert_eq!(output.stderr, "", "{paging} {format}");
                continue;
            }
            assert_tells(&output, &["this is one page, and more remain", "--all"]);
            if format == "json" {
                let note = &output.json()["notes"][0];
                assert_eq!(note["stopped"], "one_page");
                let expected = match &next {
                    Value::String(path) => json!(format!("{}{path}", fake.origin())),
                    arguments => arguments.clone(),
                };
                assert_eq!(note["next"], expected);
            }
        }
    }
}

#[test]
fn one_page_that_is_the_last_says_nothing() {
    for (paging, body) in [
        (CURSOR, json!({ "data": [1] })),
        (CURSOR, json!({ "data": [1], "next": "" })),
        (CURSOR, json!({ "data": null, "next": null })),
        (
            "paging: { items: $.data, next_url: { header: link, rel: next } }",
            json!({ "data": [] }),
        ),
    ] {
        let fake = Fake::script([Reply::json(200, &body)]);
        let workspace = workspace(&fake, &format!("{paging}\n{OUTPUT}"));
        for format in FORMATS {
            let output = call(&workspace, &["-o", format]).expect(0);
            assert_eq!(output.stderr, "", "{body} {format}");
        }
    }
}

#[test]
#[ignore = "long"]
fn a_single_list_without_its_list_is_an_error_in_each_format() {
    for (body, status, code) in [
        ("{}", 200, 9),
        ("null", 200, 9),
        ("", 200, 9),
        (r#"{"error": {"message": "Broken."}}"#, 200, 9),
        (r#"{"data": {}}"#, 200, 9),
        (r#"{"data": null}"#, 200, 0),
        (r#"{"data": []}"#, 200, 0),
        ("", 204, 0),
    ] {
        let fake = Fake::script([Reply::new(status, "application/json", body)]);
        let each =
            "response: { output: { rows: { each: '$.data[*]', as: { id: $.id } } }, rows: rows }";
        for response in [OUTPUT, each, ""] {
            let workspace = workspace(&fake, &format!("{CURSOR}\n{response}"));
            for format in FORMATS {
                let output = call(&workspace, &["-o", format]).expect(code);
                if code == 9 {
                    assert_eq!(output.stdout, "", "{body} {format}");
                    assert_tells(&output, &["paging.items", "$.data"]);
                }
            }
        }
    }
}

#[test]
fn an_error_rule_may_say_that_there_is_nothing() {
    let full = Reply::json(200, &json!({ "data": [1], "next": "c2", "total": 7 }));
    let empty = Reply::json(200, &json!({ "state": "none" }));
    let response = "response:
  errors: [{ status: 200, when: \"{{ body.state == 'none' }}\", action: empty }]
  output: { rows: $.data, total: $.total }
  rows: rows";
    let fake = Fake::script([full, empty]);
    let workspace = workspace(&fake, &format!("{CURSOR}\n{response}"));
    let output = call(&workspace, &["--all", "-o", "json"]).expect(0);
    assert_eq!(output.json(), json!({ "rows": [1], "total": null }));
    assert_eq!(output.stderr, "");
}

#[test]
fn a_page_that_does_not_say_whether_more_remain_but_leads_on_is_told() {
    let paging = "paging: { items: $.data, next: { cursor: $.next }, while: $.more }";
    let fake = Fake::script([Reply::json(200, &json!({ "data": [1], "next": "c2" }))]);
    let workspace = workspace(&fake, &format!("{paging}\n{OUTPUT}"));
    for format in FORMATS {
        let output = call(&workspace, &["--all", "-o", format]).expect(0);
        assert_tells(&output, &["taken for the last one", "c2"]);
    }
    let output = call(&workspace, &["--all", "-o", "json"]);
    let note = json!([{ "stopped": "unsaid", "page": 1, "next": { "cursor": "c2" } }]);
    assert_eq!(output.json()["notes"], note);
}

#[test]
fn a_page_that_cannot_be_projected_ends_the_walk_before_it() {
    let each =
        "response: { output: { rows: { each: '$.data[*]', as: { id: $.id } } }, rows: rows }";
    for format in ["json", "ndjson", "table", "csv", "yaml"] {
        let fake = Fake::script([
            Reply::json(200, &json!({ "data": [{ "id": 1 }], "next": "c2" })),
            Reply::json(200, &json!({ "data": ["text"], "next": "c3" })),
        ]);
        let workspace = workspace(&fake, &format!("{CURSOR}\n{each}"));
        let output = call(&workspace, &["--all", "-o", format]).expect(9);
        assert!(output.stdout.contains('1'), "{format}: {}", output.stdout);
        assert_tells(&output, &["output.rows", "stopped after page 1", "c2"]);
        assert_eq!(fake.requests().len(), 2);
    }
}

// Columns

#[test]
fn csv_drops_no_column_of_a_later_page() {
    let fake = Fake::start(|request| match request.query.as_str() {
        "" => Reply::json(200, &json!({ "data": [{ "a": 1 }], "next": "c2" })),
        "cursor=c2" => Reply::json(200, &json!({ "data": [], "next": "c3" })),
        "cursor=c3" => {
            let rows = json!([{ "b": "x,y", "a": 2 }, 7]);
            Reply::json(200, &json!({ "data": rows, "next": "c4" }))
        }
        _ => Reply::json(404, &json!({})),
    });
    let workspace = workspace(&fake, &format!("{CURSOR}\n{OUTPUT}"));
    let output = call(&workspace, &["--all", "-o", "csv"]).expect(6);
    assert_eq!(output.stdout, "a,b,value\n1,,\n2,\"x,y\",\n,,7\n");
    assert_tells(&output, &["stopped after page 3", "answered 404"]);
    // Where the descriptor names the columns, rows come as they are read.
    let named = "response: { output: { rows: { each: '$.data[*]', as: { b: '{{ item.b }}', c: '{{ 1 }}' } } }, rows: rows }";
    tool_file(&workspace, &format!("{CURSOR}\n{named}"));
    let output = call(&workspace, &["--max-pages", "2", "-o", "csv"]).expect(0);
    assert_eq!(output.stdout, "b,c\n,1\n");
}

// Mistakes in descriptions

#[test]
#[ignore = "long"]
fn an_example_shows_what_is_wrong_with_paging() {
    let body = r"{ data: [{ id: 1 }], included: [], extra: [{ id: 7 }], has_more: true, next: c2 }";
    let by_page = "next: { page: '{{ (params.page or 1) + 1 }}' }";
    let rows = "rows: \"{{ body.data }}\"";
    for (paging, output, told) in [
        // What is right.
        (
            "items: $.data, next: { cursor: $.next }",
            "rows: $.data",
            "",
        ),
        (
            "items: $.data, next: { cursor: $.next }, while: $.has_more",
            rows,
            "",
        ),
        (
            "items: $.data, next_url: { header: link, rel: next }",
            rows,
            "",
        ),
        // A wrong list.
        (
            "items: $.dat, next: { cursor: $.next }",
            rows,
            "lacks its list",
        ),
        (
            "items: $.next, next: { cursor: $.next }",
            rows,
            "must be an array",
        ),
        (
            "items: $.included, next: { cursor: $.next }",
            rows,
            "do not come from `$.included`",
        ),
        (
            "items: $.extra, next: { cursor: $.next }",
            rows,
            "do not come from `$.extra`",
        ),
        (
            "items: $.extra, next: { cursor: $.next }",
            "rows: $.data",
            "the rows come from `$.data`",
        ),
        (
            "items: $.extra, next: { cursor: $.next }",
            "rows: { each: '$.data[*]', as: { id: $.id } }",
            "the rows come from `$.data[*]`",
        ),
        // Wrong rows.
        (
            "items: $.data, next: { cursor: $.next }",
            "rows: $.has_more",
            "the rows come from",
        ),
        (
            "items: $.data, next: { cursor: $.next }",
            "rows: \"{{ body.has_more }}\"",
            "must be a list of rows",
        ),
        // A wrong condition.
        (
            "items: $.data, next: { cursor: $.next }, while: $.hasMore",
            rows,
            "did you mean `has_more`?",
        ),
        (
            "items: $.data, next: { cursor: $.next }, while: $.page.more",
            rows,
            "does not have what `while` asks for",
        ),
        (
            "items: $.data, next: { cursor: $.next }, while: '{{ body.more }}'",
            rows,
            "does not have what `while` asks for",
        ),
        (
            "items: $.data, next: { cursor: $.cursor }, while: $.has_more",
            rows,
            "does not lead to one",
        ),
        (
            &format!("items: $.data, {by_page}, while: $.has_mor"),
            rows,
            "did you mean `has_more`?",
        ),
    ] {
        let fake = Fake::script([Reply::ok()]);
        let more = format!(
            "paging: {{ {paging} }}
response: {{ output: {{ {output} }}, rows: rows }}
examples: [{{ name: one, args: {{}}, response: {{ status: 200, body: {body} }} }}]"
        );
        let workspace = workspace(&fake, &more);
        for command in ["validate", "test"] {
            let output = workspace.run(&[command, "descriptors"]);
            let said = format!("{}{}", output.stdout, output.stderr);
            match told {
                "" => assert_eq!(output.code, 0, "{paging} {output:?}"),
                told => {
                    assert_ne!(output.code, 0, "{command} {paging} {said}");
                    let plain = said.split_whitespace().collect::<Vec<_>>().join(" ");
                    assert!(plain.contains(told), "{command} {paging}: {said}");
                }
            }
        }
        assert_eq!(fake.requests(), []);
    }
}

// The library

fn tool(workspace: &Workspace) -> Arc<Tool> {
    let catalog = Catalog::empty().with_folder(workspace.descriptors());
    catalog.tool("list-probes").expect("a valid tool")
}

/// Three pages; `last` is the third one.
fn three(last: Reply) -> Fake {
    Fake::start(move |request| match request.query.as_str() {
        "" => Reply::json(200, &json!({ "data": [1], "next": "c2" })),
        "cursor=c2" => Reply::json(200, &json!({ "data": [2], "next": "c3" })),
        _ => last.clone(),
    })
}

#[tokio::test]
async fn a_failed_walk_gives_the_error_and_what_was_read() {
    let fake = three(Reply::new(404, "text/plain", "gone"));
    let workspace = workspace(&fake, &format!("{CURSOR}\n{OUTPUT}"));
    let tool = tool(&workspace);
    let engine = Engine::new();
    let failed = engine.call_all(Call::new(&tool, json!({}))).await;
    let incomplete = failed.expect_err("the third page is missing");
    assert_eq!(incomplete.error.kind(), ErrorKind::Refused);
    assert!(
        incomplete
            .to_string()
            .ends_with("; 2 page(s) were read before"),
        "{incomplete}"
    );
    let read = incomplete.read.expect("two pages");
    assert_eq!(
        (read.pages, &read.output.value().unwrap()),
        (2, &json!({ "rows": [1, 2] }))
    );
    let Stopped::Error(error) = &read.notes[0].stopped else {
        panic!("{:?}", read.notes);
    };
    assert_eq!(**error, incomplete.error);
    // Page by page: the error comes after the pages, and once.
    let mut pages = engine.pages(Call::new(&tool, json!({}))).unwrap();
    for _ in 0..2 {
        assert!(pages.next().await.expect("a page").is_some());
    }
    assert!(pages.next().await.is_err());
    assert!(pages.next().await.expect("the walk is over").is_none());
    assert!(pages.note().is_some_and(|note| note.page == 2));
}

#[tokio::test]
async fn a_page_is_given_before_the_fault_of_its_next_link() {
    let other = json!({ "data": [3], "next": "https://elsewhere.test/" });
    let fake = Fake::script([Reply::json(200, &other)]);
    let by_url = "paging: { items: $.data, next_url: $.next }";
    let workspace = workspace(&fake, &format!("{by_url}\n{OUTPUT}"));
    let tool = tool(&workspace);
    let engine = Engine::new();
    let mut pages = engine.pages(Call::new(&tool, json!({}))).unwrap();
    let page = pages.next().await.expect("a page").expect("a page");
    assert_eq!(
        page.output().unwrap().value().unwrap(),
        json!({ "rows": [3] })
    );
    let error = pages.next().await.expect_err("the link leaves the service");
    assert_eq!(error.kind(), ErrorKind::Policy);
    fake.only_request();
}

#[tokio::test]
async fn a_dropped_future_of_a_walk_loses_no_page() {
    let fake = Fake::start(|request| {
        std::thread::sleep(Duration::from_millis(150));
        match request.query.as_str() {
            "" => Reply::json(200, &json!({ "data": [1], "next": "c2" })),
            "cursor=c2" => Reply::json(200, &json!({ "data": [2], "next": "c3" })),
            _ => Reply::json(200, &json!({ "data": [3] })),
        }
    });
    let workspace = workspace(&fake, &format!("{CURSOR}\n{OUTPUT}"));
    let tool = tool(&workspace);
    let engine = Engine::new();
    let mut pages = engine.pages(Call::new(&tool, json!({}))).unwrap();
    let mut rows = Vec::new();
    loop {
        // The future of each page is dropped once, and the page is asked for again.
        let left = tokio::time::timeout(Duration::from_millis(50), pages.next()).await;
        assert!(left.is_err() || pages.note().is_none());
        if let Ok(done) = left {
            assert!(done.expect("the end").is_none());
            break;
        }
        let Some(page) = pages.next().await.expect("a page") else {
            break;
        };
        rows.push(page.output().unwrap().value().unwrap()["rows"][0].clone());
    }
    assert_eq!(rows, [json!(1), json!(2), json!(3)]);
    assert_eq!((pages.count(), pages.note()), (3, None));
    // The request continues, and nothing is sent twice.
    for query in ["", "cursor=c2", "cursor=c3"] {
        let requests = fake.requests();
        let asked = requests.iter().filter(|r| r.query == query).count();
        assert_eq!(asked, 1, "{query}");
    }
}

#[tokio::test]
async fn a_walk_that_the_caller_stops_says_where_it_is() {
    let fake = three(Reply::json(200, &json!({ "data": [3] })));
    let workspace = workspace(&fake, &format!("{CURSOR}\n{OUTPUT}"));
    let tool = tool(&workspace);
    let engine = Engine::new();
    let mut pages = engine.pages(Call::new(&tool, json!({}))).unwrap();
    pages.next().await.expect("a page");
    pages.stop();
    let note = pages.note().cloned().expect("a note");
    let expected = json!({ "stopped": "interrupted", "page": 1, "next": { "cursor": "c2" } });
    assert_eq!(json!(note), expected);
    assert!(pages.next().await.expect("the end").is_none());
}

#[tokio::test]
async fn one_page_of_the_library_says_that_more_remain() {
    let reply = Reply::json(200, &json!({ "data": [1] })).with("link", "</probe?page=2>; rel=next");
    let fake = Fake::script([reply]);
    let by_link = "paging: { items: $.data, next_url: { header: link, rel: next } }";
    let workspace = workspace(&fake, &format!("{by_link}\n{OUTPUT}"));
    let tool = tool(&workspace);
    let outcome = Engine::new()
        .call(Call::new(&tool, json!({})))
        .await
        .expect("a page");
    assert_eq!(outcome.notes[0].stopped, Stopped::OnePage);
    let page = Engine::new()
        .page(Call::new(&tool, json!({})))
        .await
        .expect("a page");
    assert_eq!(page.more.map(|note| note.stopped), Some(Stopped::OnePage));
}

#[test]
fn a_secret_that_a_list_repeats_is_in_no_message() {
    let key = "canary-0123456789-made-up";
    let body = json!({ "error": { "key": key, "message": format!("bad key {key}") } });
    for reply in [
        Reply::json(200, &body),
        Reply::json(
            200,
            &json!({ "data": [1], "next": format!("https://elsewhere.test/?k={key}") }),
        ),
        Reply::json(
            200,
            &json!({ "data": [1], "next": format!("/probe?api_key={key}&page=2") }),
        ),
    ] {
        let fake = Fake::script([reply]);
        let workspace = workspace(
            &fake,
            &format!("paging: {{ items: $.data, next_url: $.next }}\n{OUTPUT}"),
        );
        workspace.service(
            &fake.origin(),
            "auth: { kind: api_key, in: query, name: api_key, secret: { env: PROBE_KEY } }",
        );
        workspace.write(".env", format!("PROBE_KEY={key}\n"));
        for arguments in [
            ["--all", "-o", "json"],
            ["--all", "-o", "ndjson"],
            ["--max-pages=1", "-o", "yaml"],
        ] {
            let output = call(&workspace, &arguments);
            assert!(!output.stderr.contains(key), "{}", output.stderr);
            assert!(!output.stdout.contains(key), "{}", output.stdout);
        }
    }
}
