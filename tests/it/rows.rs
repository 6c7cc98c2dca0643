//! Rows: pages without items, cursors of several parts, and what cannot be written.

use std::fs::OpenOptions;

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use crate::support::{Fake, Reply, Workspace, assert_tells, output};

const FORMATS: [&str; 5] = ["json", "ndjson", "table", "csv", "yaml"];

/// A tool `list-probes` whose pages follow each other by `cursor`.
fn list(pages: &[(&str, Value)], more: &str) -> (Fake, Workspace) {
    let pages: Vec<(String, Value)> = pages
        .iter()
        .map(|(query, body)| ((*query).to_owned(), body.clone()))
        .collect();
    let fake = Fake::start(move |request| {
        let found = pages.iter().find(|(query, _)| *query == request.query);
        match found {
            Some((_, body)) => Reply::json(200, body),
            None => Reply::json(404, &json!({ "error": request.query })),
        }
    });
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "retry: { max_attempts: 1 }");
    let head = "params: { properties: { cursor: { type: string, description: The cursor. }, part: { type: string, description: Its part. } } }\n\
                request: { method: GET, path: /x, query: [cursor, part] }";
    workspace.tool("list-probes", "read", &format!("{head}\n{more}"));
    (fake, workspace)
}

#[test]
fn null_items_are_an_empty_page_for_every_projection() {
    let last = [
        ("", json!({ "data": [{ "id": 1 }], "next": "b" })),
        ("cursor=b", json!({ "data": null })),
    ];
    let alone = [("", json!({ "data": null }))];
    let paging = "paging: { items: $.data, next: { cursor: $.next } }";
    let projections = [
        "response: { rows: data }",
        "response: { output: { data: $.data, n: '{{ body.data | length }}' }, rows: data }",
        "response: { output: { data: { each: '$.data[*]', as: { id: $.id } } }, rows: data }",
    ];
    for projection in projections {
        let tool = format!("{paging}\n{projection}");
        for format in FORMATS {
            let (_fake, workspace) = list(&last, &tool);
            let output = workspace
                .run(&["call", "list-probes", "--all", "-o", format])
                .expect(0);
            let printed = match format {
                "json" => output.json()["data"].to_string(),
                _ => output.stdout.clone(),
            };
            assert!(
                printed.contains('1') && !printed.contains("null"),
                "{projection} {format}: {printed}"
            );
            if format == "csv" {
                assert_eq!(output.stdout, "id\n1\n", "{projection}");
            }
            if format == "ndjson" {
                assert_eq!(output.stdout, "{\"id\":1}\n", "{projection}");
            }
            let (_fake, workspace) = list(&alone, &tool);
            let output = workspace
                .run(&["call", "list-probes", "-o", format])
                .expect(0);
            assert!(
                !output.stdout.contains("null"),
                "{projection} {format}: {}",
                output.stdout
            );
            assert_eq!(output.stderr, "", "{projection} {format}");
        }
    }
}

#[test]
fn a_cursor_of_several_parts_that_is_there_in_part_is_no_silent_end() {
    let pages = [
        ("", json!({ "data": [1], "next": "b", "part": null })),
        ("cursor=b", json!({ "data": [2] })),
    ];
    let tool = "paging: { items: $.data, next: { cursor: $.next, part: $.part } }\nresponse: { rows: data }";
    for format in FORMATS {
        let (_fake, workspace) = list(&pages, tool);
        let output = workspace
            .run(&["call", "list-probes", "--all", "-o", format])
            .expect(0);
        assert_tells(
            &output,
            &["page 1 was taken for the last one", r#"{"cursor":"b"}"#],
        );
    }
    // A cursor without any part, or with parts that lead nowhere else, is the end.
    let ends = [
        ("", json!({ "data": [1], "next": "b", "part": "p" })),
        (
            "cursor=b&part=p",
            json!({ "data": [2], "next": "", "part": "p" }),
        ),
    ];
    for format in FORMATS {
        let (fake, workspace) = list(&ends, tool);
        let output = workspace
            .run(&["call", "list-probes", "--all", "-o", format])
            .expect(0);
        assert_eq!(
            (output.stderr.as_str(), fake.requests().len()),
            ("", 2),
            "{format}"
        );
    }
}

#[test]
fn a_csv_of_more_columns_than_rows_is_refused_and_not_squared() {
    let rows: Vec<Value> = (0..20_000).map(|i| json!({ format!("k{i}"): i })).collect();
    let pages = [("", json!({ "data": rows }))];
    let (_fake, workspace) = list(
        &pages,
        "response: { rows: data }\npaging: { items: $.data, next: { cursor: $.next } }",
    );
    for all in [&[][..], &["--all"]] {
        let call = ["call", "list-probes", "-o", "csv"];
        let output = workspace.run(&[&call[..], all].concat());
        assert!(
            output.code == 9 && output.stdout.is_empty(),
            "{}",
            output.stderr
        );
        assert_tells(&output, &["more than 10000 columns", "ndjson"]);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told_also_where_the_walk_failed() {
    let tool = "paging: { items: $.data, next: { cursor: $.next } }\nresponse: { rows: data }";
    let fails = [("", json!({ "data": [1], "next": "b" }))];
    let whole = [("", json!({ "data": [1] }))];
    for (pages, codes) in [(&fails[..], [6, 1]), (&whole, [1, 1])] {
        for format in FORMATS {
            let (_fake, workspace) = list(pages, tool);
            let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
            let mut call = workspace.toolrun();
            call.args(["call", "list-probes", "--all", "-o", format])
                .stdout(full);
            let done = call.stderr(std::process::Stdio::piped()).output().unwrap();
            let told = String::from_utf8(done.stderr).unwrap();
            let expected = codes[usize::from(format == "ndjson")];
            assert_eq!(done.status.code(), Some(expected), "{format}: {told}");
            assert!(told.contains("No space left on device"), "{format}: {told}");
        }
    }
}

#[test]
#[cfg(unix)]
fn a_temporary_file_that_cannot_be_is_told_as_what_it_is() {
    let row = json!({ "text": "x".repeat(1000) });
    let pages = [("", json!({ "data": vec![row; 1000] }))];
    let tool = "paging: { items: $.data, next: { cursor: $.next } }\nresponse: { rows: data }";
    let (_fake, workspace) = list(&pages, tool);
    for all in [&[][..], &["--all"]] {
        let mut call = workspace.toolrun();
        call.args(["call", "list-probes", "-o", "csv"])
            .args(all)
            .env("TMPDIR", "/nowhere");
        let output = output(&mut call).expect(1);
        // The rows that were read are printed anyway.
        assert_eq!(output.stdout.lines().count(), 1001);
        assert_tells(
            &output,
            &["temporary file in /nowhere", "No such file", "ndjson"],
        );
    }
}
