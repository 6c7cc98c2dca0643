//! Tables: what a terminal and a pipe get, and the options that choose rows and columns, in every format.

use std::collections::BTreeSet;

use crate::support::{Fake, Output, Reply, Workspace, assert_tells, at_terminal, on_terminal_of};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

const READ: &str = "request: { method: GET, path: /probe }";
const ROWS: &str = "response: { output: { rows: $.rows, more: $.more }, rows: rows }";
const KNOWN: &str = "response: { output: { rows: { each: '$.rows[*]', as: { id: $.id, name: $.name, tags: $.tags } }, more: $.more }, rows: rows }";
/// Formats with rows.
const FORMATS: [&str; 5] = ["json", "ndjson", "table", "csv", "yaml"];

/// The tools `any` and `known`: the descriptor of the second names the columns. `walk` has two pages.
fn probe(body: &Value) -> (Fake, Workspace) {
    let body = body.clone();
    let fake = Fake::start(move |request| match request.query.as_str() {
        "page=2" => Reply::json(
            200,
            &json!({ "rows": [{ "id": 5, "name": "e", "late": 1 }], "next": null }),
        ),
        _ => {
            let mut body = body.clone();
            body["next"] = json!(2);
            Reply::json(200, &body)
        }
    });
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "retry: { max_attempts: 1 }");
    workspace.tool("any", "read", &format!("{READ}\n{ROWS}"));
    workspace.tool("known", "read", &format!("{READ}\n{KNOWN}"));
    workspace.tool(
        "one",
        "read",
        &format!("{READ}\nresponse: {{ output: '$.rows[0]' }}"),
    );
    workspace.tool(
        "walk",
        "read",
        &format!(
            "params: {{ properties: {{ page: {{ type: integer, description: The page. }} }} }}
request: {{ method: GET, path: /probe, query: [page] }}
paging: {{ items: $.rows, next: {{ page: $.next }} }}
{ROWS}"
        ),
    );
    (fake, workspace)
}

fn people() -> Value {
    json!({
        "rows": [
            { "id": 10, "name": "b", "tags": ["x", "y"], "at": { "geo": "us" } },
            { "id": 9, "name": "c", "tags": [], "at": { "geo": "eu" } },
            { "id": 1234567, "name": null, "tags": null, "at": null },
            { "id": 9, "name": "a\tb\nc\\", "tags": null, "at": { "geo": "ap" } },
        ],
        "more": false,
    })
}

fn call(workspace: &Workspace, tool: &str, arguments: &[&str]) -> Output {
    workspace.run(&[&["call", tool], arguments].concat())
}

fn on_screen(workspace: &Workspace, columns: u16, arguments: &[&str]) -> String {
    let mut command = workspace.toolrun();
    command.arg("call").args(arguments).env("NO_COLOR", "1");
    let (_, bytes) = on_terminal_of(columns, &mut command);
    String::from_utf8(bytes).expect("UTF-8")
}

// Pipes

#[test]
fn a_pipe_gets_a_row_a_line_with_tabs() {
    let (_fake, workspace) = probe(&people());
    let rows = "10\tb\t[\"x\",\"y\"]\n9\tc\t[]\n1234567\t\t\n9\ta\\tb\\nc\\\\\t\n";
    let known = call(&workspace, "known", &["-o", "table"]).expect(0);
    assert_eq!(known.stdout, format!("id\tname\ttags\n{rows}"));
    assert_eq!(known.stderr, "");
    let bare = call(&workspace, "known", &["-o", "table", "--no-header"]).expect(0);
    assert_eq!(bare.stdout, rows);
    let chosen = call(
        &workspace,
        "any",
        &["-o", "table", "--columns", "at.geo,id"],
    )
    .expect(0);
    assert_eq!(
        chosen.stdout,
        "at.geo\tid\nus\t10\neu\t9\n\t1234567\nap\t9\n"
    );
    let one = call(&workspace, "one", &["-o", "table"]).expect(0);
    assert_eq!(
        one.stdout,
        "id\t10\nname\tb\ntags\t[\"x\",\"y\"]\nat.geo\tus\n"
    );
}

#[test]
fn an_empty_column_stays_in_a_pipe_and_a_wide_cell_is_whole() {
    let wide = "x".repeat(100_000);
    let body = json!({ "rows": [{ "a": null, "b": wide }, 7, { "c": [1, { "d": "e f" }] }], "more": null });
    let (_fake, workspace) = probe(&body);
    let told = call(&workspace, "any", &["-o", "table"]).expect(0).stdout;
    let expected = format!("a\tb\tc\tvalue\n\t{wide}\t\t\n\t\t\t7\n\t\t[1,{{\"d\":\"e f\"}}]\t\n");
    assert!(told == expected, "{}", &told[..200]);
    let (_fake, workspace) = probe(&json!({ "rows": [], "more": null }));
    assert_eq!(
        call(&workspace, "any", &["-o", "table"]).expect(0).stdout,
        ""
    );
    assert_eq!(
        call(&workspace, "known", &["-o", "table"]).expect(0).stdout,
        "id\tname\ttags\n"
    );
}

#[test]
fn a_list_in_a_pipe_is_a_row_a_tool() {
    let (_fake, workspace) = probe(&people());
    let list = workspace.run(&["list"]).expect(0).stdout;
    let mut lines = list.lines();
    assert_eq!(
        lines.next(),
        Some("tool\tservice\taccess\tmethod\tdescription")
    );
    let tools = workspace.run(&["list", "--json"]).expect(0).json();
    assert_eq!(
        lines.clone().count(),
        tools.as_array().expect("tools").len()
    );
    assert!(lines.all(|line| line.split('\t').count() == 5), "{list}");
    assert!(
        list.contains("\nknown\tprobe\tread\tGET\tA probe.\n"),
        "{list}"
    );
    let bare = workspace.run(&["list", "--no-header"]).expect(0).stdout;
    assert_eq!(list.split_once('\n').map(|(_, rest)| rest), Some(&*bare));
}

// Options, in every format

/// The `field` of the rows of an output, in any format.
fn column(format: &str, output: &Output, field: &str) -> Vec<String> {
    let text = |row: &Value| match &row[field] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let of = |output: Value| -> Vec<String> {
        let rows = output["rows"].as_array().cloned().unwrap_or_default();
        rows.iter().map(text).collect()
    };
    let separated = |by: u8| -> Vec<String> {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(by)
            .from_reader(output.stdout.as_bytes());
        let names = reader.headers().expect("names").clone();
        let at = names.iter().position(|name| name == field);
        let records = reader.records().map(|record| record.expect("a row"));
        records
            .map(|record| record[at.expect("a column")].to_owned())
            .collect()
    };
    match format {
        "json" => of(output.json()),
        "yaml" => of(serde_yaml::from_str(&output.stdout).expect("YAML")),
        "ndjson" => output.lines().iter().map(text).collect(),
        "table" => separated(b'\t'),
        _ => separated(b','),
    }
}

#[test]
fn rows_are_sorted_in_every_format_and_over_all_pages() {
    let body = json!({
        "rows": [
            { "id": 10, "name": "b", "cost": "9.5", "made": "2026-01-01T01:00:00+02:00" },
            { "id": 9, "name": "c", "cost": "100", "made": "2025-12-31T22:30:00Z" },
            { "id": 12, "cost": null },
            { "id": 11, "name": "a", "cost": "9.50", "made": "2026-01-01" },
        ],
        "more": false,
    });
    let (_fake, workspace) = probe(&body);
    for format in FORMATS {
        for (sort, expected) in [
            ("id", "9 10 11 12"),
            ("-id", "12 11 10 9"),
            ("name", "11 10 9 12"),
            ("-name", "9 10 11 12"),
            ("cost", "10 11 9 12"),
            ("-cost", "9 10 11 12"),
            ("made", "9 10 11 12"),
            ("-made", "11 10 9 12"),
        ] {
            let output = call(&workspace, "any", &["-o", format, "--sort", sort]).expect(0);
            assert_eq!(
                column(format, &output, "id").join(" "),
                expected,
                "{format} {sort}"
            );
        }
        let sorted = call(&workspace, "walk", &["-o", format, "--all", "--sort=-id"]).expect(0);
        assert_eq!(
            column(format, &sorted, "id").join(" "),
            "12 11 10 9 5",
            "{format}"
        );
    }
}

#[test]
fn fields_are_selected_in_every_format() {
    let (_fake, workspace) = probe(&people());
    let run = |tool: &str, format: &str, select: &str| {
        call(&workspace, tool, &["-o", format, "--select", select]).expect(0)
    };
    let rows = json!([{ "name": "b", "at.geo": "us" }, { "name": "c", "at.geo": "eu" }, { "name": null }, { "name": "a\tb\nc\\", "at.geo": "ap" }]);
    assert_eq!(
        run("any", "json", "name,at.geo").json(),
        json!({ "rows": rows, "more": false })
    );
    assert_eq!(
        Value::Array(run("any", "ndjson", "name,at.geo").lines()),
        rows
    );
    let yaml: Value =
        serde_yaml::from_str(&run("any", "yaml", "name,at.geo").stdout).expect("YAML");
    assert_eq!(yaml, json!({ "rows": rows, "more": false }));
    assert_eq!(
        run("any", "csv", "id,at.geo").stdout,
        "id,at.geo\n10,us\n9,eu\n1234567,\n9,ap\n"
    );
    assert_eq!(
        run("known", "table", "name,id").stdout.lines().nth(1),
        Some("b\t10")
    );
    assert_eq!(
        run("one", "json", "id,name").stdout,
        "{\"id\":10,\"name\":\"b\"}\n"
    );
    assert_eq!(run("one", "table", "name").stdout, "name\tb\n");
    assert_eq!(run("one", "csv", "name").stdout, "name\nb\n");
    for (format, expected) in [
        ("csv", "late,id\n,10\n,9\n,1234567\n,9\n1,5\n"),
        ("table", "late\tid\n\t10\n\t9\n\t1234567\n\t9\n1\t5\n"),
    ] {
        let all = call(
            &workspace,
            "walk",
            &["-o", format, "--all", "--columns", "late,id"],
        )
        .expect(0);
        assert_eq!(all.stdout, expected, "{format}");
    }
    let all = call(
        &workspace,
        "walk",
        &["-o", "ndjson", "--all", "--select", "late"],
    )
    .expect(0);
    assert_eq!(all.stdout, "{}\n{}\n{}\n{}\n{\"late\":1}\n");
}

#[test]
fn what_does_not_go_with_a_format_is_refused_before_anything_is_sent() {
    let (fake, workspace) = probe(&people());
    let options: [(&[&str], &[&str]); 5] = [
        (&["--columns", "id"], &["table", "csv"]),
        (&["--wide"], &["table", "csv"]),
        (&["--no-header"], &["table", "csv"]),
        (&["--sort", "id"], &FORMATS),
        (&["--select", "id"], &FORMATS),
    ];
    for (option, fitting) in options {
        for format in ["json", "ndjson", "table", "csv", "yaml", "raw"] {
            let sent = fake.requests().len();
            let output = call(&workspace, "known", &[&["-o", format], option].concat());
            match fitting.contains(&format) {
                true => drop(output.expect(0)),
                false => {
                    let output = output.expect(2);
                    assert_tells(&output, &[option[0], &format!("this output is {format}")]);
                    assert_eq!((output.stdout.as_str(), fake.requests().len()), ("", sent));
                }
            }
        }
    }
    // In a pipe the output is JSON unless it is said.
    assert_tells(
        &call(&workspace, "known", &["--columns", "id"]).expect(2),
        &["--select"],
    );
    assert_tells(
        &call(&workspace, "known", &["--columns", "id", "--select", "id"]).expect(2),
        &["cannot be used with"],
    );
    assert_tells(
        &call(&workspace, "known", &["--select", "id,,name"]).expect(2),
        &["is empty"],
    );
    assert_tells(
        &call(&workspace, "known", &["--sort", "-"]).expect(2),
        &["name a field"],
    );
}

#[test]
fn an_unknown_name_is_an_error_that_names_what_there_is() {
    let (fake, workspace) = probe(&people());
    for format in FORMATS {
        let is_sheet = matches!(format, "table" | "csv");
        for option in ["--columns", "--select", "--sort"] {
            if option == "--columns" && !is_sheet {
                continue;
            }
            // The descriptor names the fields: nothing is sent.
            let sent = fake.requests().len();
            let known = call(&workspace, "known", &["-o", format, option, "nmae"]).expect(2);
            let tells = ["`nmae`", "did you mean `name`?", "there are id, name, tags"];
            match format {
                "json" | "ndjson" => assert!(tells.iter().all(|part| {
                    known.error()["message"]
                        .as_str()
                        .is_some_and(|told| told.contains(part))
                })),
                _ => assert_tells(&known, &tells),
            }
            assert_eq!(
                (known.stdout.as_str(), fake.requests().len()),
                ("", sent),
                "{format} {option}"
            );
            // Only the rows tell: they are printed all the same.
            for walk in [&[][..], &["--all"]] {
                let name = format!("id,{option}x").replace(",--", ",");
                let name = if option == "--sort" {
                    "nmae".to_owned()
                } else {
                    name
                };
                let arguments = [&["-o", format, option, &name], walk].concat();
                let found = call(&workspace, "walk", &arguments).expect(2);
                assert_tells(
                    &found,
                    &[
                        "no field of the rows is called",
                        "there are id, name, tags, at",
                    ],
                );
                let ids = column(format, &found, "id");
                assert_eq!(
                    ids.len(),
                    if walk.is_empty() { 4 } else { 5 },
                    "{format} {option}"
                );
            }
        }
    }
    // What was made is not lost for a name that it does not have.
    let one = call(&workspace, "one", &["-o", "json", "--select", "nmae"]).expect(2);
    assert_eq!(one.json()["id"], 10);
    assert_tells(&one, &["did you mean `name`?"]);
}

#[test]
fn rows_without_fields_say_so() {
    let (_fake, workspace) = probe(&json!({ "rows": [1, 2] , "more": null }));
    for format in ["table", "csv"] {
        let output = call(&workspace, "any", &["-o", format, "--columns", "id"]).expect(2);
        assert_tells(&output, &["`id`", "there are value"]);
        let output = call(
            &workspace,
            "any",
            &["-o", format, "--columns", "value", "--no-header"],
        )
        .expect(0);
        assert_eq!(output.stdout, "1\n2\n");
    }
}

// Terminals

#[test]
fn what_does_not_fit_is_named_with_how_to_see_it() {
    let row = |i: usize| {
        json!({
            "id": format!("id_{i:020}"), "note": "some words that go on and on and on", "none": null,
            "deep": { "a": 1, "b": 2 }, "tags": ["a", "b", "c", "d", "e", "f"], "tokens": 1234567 + i, "year": 20266,
        })
    };
    let body = json!({ "rows": [row(1), row(2)], "more": null });
    let (_fake, workspace) = probe(&body);
    let screen = on_screen(&workspace, 60, &["any"]);
    let expected = "\
id                       note              deep         year
id_00000000000000000001  some words …      {2 fields}  20266
id_00000000000000000002  some words …      {2 fields}  20266

hidden: tags, tokens (--wide, --columns or -o json shows
them); empty: none, more; some texts are cut: --wide shows
them whole
";
    assert_eq!(screen, expected);
    let wide = on_screen(&workspace, 60, &["any", "--wide"]);
    for whole in [
        "some words that go on and on and on",
        "{\"a\":1,\"b\":2}",
        "none",
        "1,234,568",
        " 20266",
    ] {
        assert!(wide.contains(whole), "{whole}: {wide}");
    }
    assert!(!wide.contains("hidden") && !wide.contains('…'), "{wide}");
    let chosen = on_screen(&workspace, 60, &["any", "--columns", "year,tokens,deep.b"]);
    assert_eq!(
        chosen,
        " year     tokens  deep.b\n20266  1,234,568       2\n20266  1,234,569       2\n\nempty: more\n"
    );
    // All that was asked for is there, though not side by side.
    let asked = on_screen(&workspace, 30, &["any", "--columns", "id,note"]);
    assert!(
        asked.starts_with(
            "id    id_00000000000000000001\nnote  some words that go on\n      and on and on\n\nid "
        ),
        "{asked}"
    );
}

#[test]
fn wide_characters_stand_in_line() {
    let names = [
        "漢字かな",
        "👨\u{200d}👩\u{200d}👧",
        "e\u{301}te\u{301}",
        "plain",
        "\u{202e}x",
    ];
    let rows: Vec<Value> = names
        .iter()
        .map(|name| json!({ "name": name, "n": "|" }))
        .collect();
    let (_fake, workspace) = probe(&json!({ "rows": rows, "more": null }));
    let screen = on_screen(&workspace, 80, &["any"]);
    let expected = "\
name       n
漢字かな   |
👨\u{200d}👩\u{200d}👧         |
e\u{301}te\u{301}        |
plain      |
\\u{202e}x  |

empty: more
";
    assert_eq!(screen, expected);
}

#[test]
#[ignore = "long"]
fn colours_are_where_they_are_wanted() {
    let (_fake, workspace) = probe(&people());
    for (variables, has_colours) in [
        (&[][..], true),
        (&[("TERM", "xterm")], true),
        (&[("TERM", "dumb")], false),
        (&[("NO_COLOR", "1")], false),
        (&[("NO_COLOR", "")], true),
        (&[("CLICOLOR", "0")], false),
        (&[("CLICOLOR", "0"), ("CLICOLOR_FORCE", "1")], true),
        (&[("TERM", "dumb"), ("CLICOLOR_FORCE", "1")], true),
        (&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], false),
    ] {
        for arguments in [
            &["call", "any"][..],
            &["list"],
            &["show", "any"],
            &["call", "one"],
        ] {
            let mut command = workspace.toolrun();
            command
                .args(arguments)
                .env("PAGER", "")
                .envs(variables.iter().copied());
            let (_, bytes) = on_terminal_of(80, &mut command);
            assert_eq!(
                bytes.contains(&0x1b),
                has_colours,
                "{variables:?} {arguments:?}"
            );
        }
        let mut piped = workspace.toolrun();
        let piped = piped
            .args(["call", "any", "-o", "table"])
            .envs(variables.iter().copied());
        assert!(!crate::support::output(piped).stdout.contains('\u{1b}'));
    }
}

// The pager

/// Runs a command with a pager that says what it got.
fn paged(workspace: &Workspace, pager: &str, arguments: &[&str]) -> (i32, String) {
    let mut command = workspace.toolrun();
    command
        .args(arguments)
        .env("PAGER", pager)
        .env("NO_COLOR", "1");
    let (code, bytes) = at_terminal(80, &mut command);
    (code, String::from_utf8(bytes).expect("UTF-8"))
}

#[test]
#[ignore = "long"]
fn a_pager_takes_what_is_longer_than_the_terminal() {
    let rows: Vec<Value> = (0..100)
        .map(|i| json!({ "id": i, "name": format!("n{i}\u{1b}[2J") }))
        .collect();
    let (_fake, workspace) = probe(&json!({ "rows": rows, "more": null }));
    for arguments in [
        &["call", "any"][..],
        &["call", "any", "-o", "json"],
        &["call", "any", "-o", "yaml"],
        &["list"],
    ] {
        let (code, told) = paged(&workspace, "sed s/^/paged:/", arguments);
        assert_eq!(code, 0, "{told}");
        assert!(
            told.lines().count() > 50 && told.lines().all(|line| line.starts_with("paged:")),
            "{told}"
        );
        assert!(!told.contains('\u{1b}'), "{told}");
        for unpaged in ["", "cat", " cat "] {
            assert!(!paged(&workspace, unpaged, arguments).1.contains("paged:"));
        }
        let without = [arguments, &["--no-pager"]].concat();
        assert!(
            !paged(&workspace, "sed s/^/paged:/", &without)
                .1
                .contains("paged:")
        );
    }
    let help = ["call", "list-members", "--help"];
    let told = paged(&workspace, "sed s/^/paged:/", &help).1;
    assert!(told.starts_with("paged:"), "{told}");
    let without = [&help[..], &["--no-pager"]].concat();
    let told = paged(&workspace, "sed s/^/paged:/", &without).1;
    assert!(!told.contains("paged:"), "{told}");
    // What fits needs none, and what streams comes as it comes.
    for arguments in [
        &["call", "one"][..],
        &["call", "any", "-o", "ndjson"],
        &["call", "any", "-o", "csv"],
    ] {
        assert!(
            !paged(&workspace, "sed s/^/paged:/", arguments)
                .1
                .contains("paged:")
        );
    }
    // Nor where nobody could leave it, as in CI and without a keyboard.
    let mut unattended = workspace.toolrun();
    unattended
        .args(["call", "any"])
        .env("PAGER", "sed s/^/paged:/");
    let (_, bytes) = on_terminal_of(80, &mut unattended);
    assert!(!String::from_utf8_lossy(&bytes).contains("paged:"));
    let (_, bytes) = at_terminal(80, unattended.env("CI", "true"));
    assert!(!String::from_utf8_lossy(&bytes).contains("paged:"));
    // A pipe never has one.
    let mut command = workspace.toolrun();
    let piped = crate::support::output(
        command
            .args(["call", "any"])
            .env("PAGER", "sed s/^/paged:/"),
    );
    assert!(!piped.stdout.contains("paged:"));
}

#[test]
fn a_pager_that_is_quit_or_not_there_loses_nothing() {
    let rows: Vec<Value> = (0..5000)
        .map(|i| json!({ "id": i, "name": "x".repeat(60) }))
        .collect();
    let (_fake, workspace) = probe(&json!({ "rows": rows, "more": null }));
    let (code, told) = paged(&workspace, "head -n 3", &["call", "any"]);
    assert_eq!((code, told.lines().count()), (0, 3), "{told}");
    let (code, told) = paged(&workspace, "no-such-pager -x", &["call", "any"]);
    assert_eq!(code, 0);
    assert!(
        told.contains("note: the pager `no-such-pager -x` cannot be started"),
        "{}",
        &told[..400]
    );
    assert!(
        told.contains("\n4,999") || told.contains("\n4999") || told.contains(" 4999"),
        "{}",
        told.len()
    );
    let (code, told) = paged(&workspace, "false", &["call", "any"]);
    assert_eq!(code, 0);
    assert!(told.contains("the pager `false` failed"), "{told}");
}

/// At every width some words of the screen are of the rows, and none is a part of one of them.
#[test]
fn no_number_or_id_is_broken_on_a_terminal() {
    let row = |i: usize| {
        json!({
            "id": format!("wrkspc_{i:016}"), "count_total": 2_879_627 + i, "number": 2_879_627 + i,
            "made_at": format!("2025-11-17T16:00:{:02}.427722Z", i % 60), "note": format!("see order {i}88888 and tell"),
        })
    };
    let rows: Vec<Value> = (0..8).map(row).collect();
    let (_fake, workspace) = probe(&json!({ "rows": rows, "more": null }));
    let words: BTreeSet<String> = (0..8)
        .flat_map(|i| {
            let row = row(i);
            let text = |key: &str| {
                row[key]
                    .as_str()
                    .map_or_else(|| row[key].to_string(), str::to_owned)
            };
            let total = text("count_total");
            let set_apart = format!("{},{},{}", &total[..1], &total[1..4], &total[4..]);
            [
                text("id"),
                text("number"),
                text("made_at"),
                set_apart,
                format!("{i}88888"),
            ]
        })
        .collect();
    for columns in [20, 23, 30, 40, 60, 80, 140, 200] {
        let screen = on_screen(&workspace, columns, &["any"]);
        let shown: Vec<&str> = screen
            .split_whitespace()
            .filter(|word| word.contains(|c: char| c.is_ascii_digit()))
            .collect();
        assert!(shown.len() >= 8, "{screen}");
        for word in shown {
            assert!(words.contains(word), "{columns}: {word}\n{screen}");
        }
        if columns < 27 {
            continue;
        }
        for line in screen.lines() {
            assert!(
                line.chars().count() <= usize::from(columns),
                "{columns}: {line}"
            );
        }
    }
}

/// What every row has in common needs no column where not all columns fit; a summary of nested values is not the values.
#[test]
fn what_every_row_has_in_common_is_told_once() {
    let row = |at: usize, long: &str| {
        json!({
            "day": "2026-11-23T00:00:00Z", "id": format!("id_{at}"), "text": long, "unit": "USD",
            "tags": { "a": at }, "gone": null,
        })
    };
    let rows = |count: usize, long: &str| {
        let rows: Vec<Value> = (0..count).map(|at| row(at, long)).collect();
        json!({ "rows": rows, "more": false })
    };
    let long = "some words that are more than a narrow terminal has room for";
    let common = "in every row: day 2026-11-23T00:00:00Z, unit USD\n";
    for (count, text, columns, arguments, is_told) in [
        (3, long, 80, &["any"][..], true),
        (3, long, 80, &["any", "--no-header"], true),
        // All fits, too few rows to tell, or the user says what is shown.
        (3, long, 200, &["any"], false),
        (3, "short", 80, &["any"], false),
        (2, long, 80, &["any"], false),
        (3, long, 80, &["any", "--wide"], false),
        (3, long, 80, &["any", "--columns", "day,id,text"], false),
    ] {
        let (_fake, workspace) = probe(&rows(count, text));
        let screen = on_screen(&workspace, columns, arguments);
        assert_eq!(
            screen.contains(common),
            is_told,
            "{columns} {arguments:?}\n{screen}"
        );
        let days = screen.matches("2026-11-23T00:00:00Z").count();
        assert_eq!(
            days,
            if is_told { 1 } else { count },
            "{arguments:?}\n{screen}"
        );
        assert!(screen.contains("id_1"), "{screen}");
    }
    // Rows that are alike are still rows.
    let alike = json!({ "rows": [{ "a": long, "b": "x" }, { "a": long, "b": "x" }, { "a": long, "b": "x" }], "more": false });
    let (_fake, workspace) = probe(&alike);
    let screen = on_screen(&workspace, 40, &["any"]);
    assert_eq!(screen.matches("some words").count(), 3, "{screen}");
}
