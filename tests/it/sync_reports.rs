//! `toolrun sync`: what the report says, and what a copy must not make up, double or lose.

use serde_json::{Value, json};

use crate::support::{Fake, Place, Reply, Workspace, assert_tells};
use crate::sync::{Things, thing};

#[test]
fn the_report_says_where_reading_began_and_in_which_table() {
    let first = [thing(1, "a", 10), thing(2, "b", 20)];
    let things = Things::new(&first).synced("{ cursor: at, param: since }");
    for (mode, given) in [
        ("replace", &["--since", "7"][..]),
        ("append", &["--since", "7"]),
        ("append", &["--arg", "since=7"]),
        ("append", &[]),
    ] {
        let folder = things
            .workspace
            .path()
            .join(format!("{mode}{}", given.len()));
        let folder = folder.with_extension(given.concat());
        std::fs::create_dir(&folder).expect("a folder");
        for place in Place::all(&folder) {
            let words = [&["--mode", mode][..], given].concat();
            let began = match given {
                [] => json!(null),
                _ => json!(7),
            };
            let cursor = |from: &Value| json!({ "column": "at", "from": from, "to": 20 });
            let report = things.report(&place, &words);
            assert_eq!(report["cursor"], cursor(&began), "{mode} {given:?}");
            // The second run goes on, unless it replaces.
            let second = match mode {
                "append" => json!(20),
                _ => began.clone(),
            };
            let report = things.report(&place, &words);
            assert_eq!(report["cursor"], cursor(&second), "{mode} {given:?}");
            let text = things.run(&place, &[&words[..], &["--full"]].concat());
            let began = match given {
                [] => "the beginning",
                _ => "7",
            };
            let line = format!("  list_things.at: from {began} to 20\n");
            let text = text.expect(0).stdout;
            assert!(text.contains(&line), "{text}");
        }
    }
}

#[test]
fn a_parent_is_read_from_its_beginning_and_the_report_says_so() {
    let fake = Fake::start(|request| match request.path.as_str() {
        "/teams" => Reply::json(200, &json!([{ "id": "a", "at": 3 }])),
        _ => Reply::json(200, &json!([{ "user": 1 }])),
    });
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "");
    let since = "{ since: { type: integer, description: From here on. } }";
    workspace.tool(
        "list-teams",
        "read",
        &format!("request: {{ method: GET, path: /teams, query: [since] }}\nparams: {{ properties: {since} }}\nsync: {{ key: [id], cursor: at, param: since }}\n"),
    );
    workspace.tool(
        "list-members",
        "read",
        "request: { method: GET, path: \"/teams/{{ team }}/members\" }
params: { required: [team], properties: { team: { type: string, description: The team. } } }
sync: { key: [team, user], parent: list-teams, map: { team: id } }
",
    );
    let place = Place::new("sqlite", workspace.path());
    let names = ["probe/list-teams", "probe/list-members"];
    for since in [None, Some("2")] {
        for _ in 0..2 {
            let mut words = vec![
                "sync",
                names[0],
                names[1],
                "--into",
                &place.into,
                "-o",
                "json",
            ];
            words.extend(since.into_iter().flat_map(|since| ["--since", since]));
            let report = workspace.run(&words).expect(0).json();
            let began = since.map(|since| since.parse::<i64>().expect("a number"));
            assert_eq!(
                report["tables"][0]["cursor"],
                json!({ "column": "at", "from": began, "to": 3 })
            );
        }
    }
}

#[test]
fn no_name_and_no_value_of_a_service_looks_like_a_line_of_the_report() {
    let forged = "a\nlist_other: 9 rows read";
    let row = |extra: Value| json!({ "id": 1, "at": forged, forged: extra, "\u{1b}[2J": 1 });
    let things = Things::new(&[]).synced("{ key: [id], cursor: at, param: since }");
    let place = Place::new("sqlite", things.workspace.path());
    things.set(&[json!({ "id": 1 })]);
    things.run(&place, &[]).expect(0);
    for (extra, schema) in [
        (json!(1), "evolve"),
        (json!([]), "evolve"),
        (json!(2), "discard"),
    ] {
        let mut row = row(extra);
        if schema == "discard" {
            row[format!("{forged} more")] = json!(1);
        }
        things.set(&[row]);
        let output = things
            .run(&place, &["--schema", schema, "--full"])
            .expect(0);
        let both = format!("{}{}", output.stdout, output.stderr);
        for line in both.lines() {
            assert!(!line.starts_with("list_other"), "{both}");
        }
        assert!(!both.contains('\u{1b}'), "{both}");
    }
}

#[test]
fn rows_at_the_edge_are_added_once_whatever_the_mode_before_was() {
    let first = [thing(1, "a", 10), thing(2, "b", 20), thing(3, "c", 20)];
    for (sync, before) in [
        ("{ cursor: at, param: since }", &["--mode", "replace"][..]),
        (
            "{ cursor: at, param: since }",
            &["--mode", "append", "--full"],
        ),
        (
            "{ key: [id], cursor: at, param: since }",
            &["--mode", "merge"],
        ),
        ("{ key: [id], cursor: at, param: since }", &["--full"]),
    ] {
        let things = Things::new(&first).synced(sync);
        for place in Place::all(things.workspace.path()) {
            things.set(&first);
            // What is merged at the edge again and again is there once.
            for _ in 0..2 {
                things.report(&place, before);
            }
            things.set(&[&first[..], &[thing(4, "d", 20), thing(5, "e", 30)]].concat());
            let report = things.report(&place, &["--mode", "append"]);
            let counts = [&report["known"], &report["added"]];
            assert_eq!(counts, [2, 2], "{before:?} {}: {report}", place.kind);
            let rows = place.rows("list_things").expect("a table");
            assert_eq!(rows.len(), 5, "{before:?} {}", place.kind);
        }
    }
}

#[test]
fn an_edge_that_is_too_long_stops_only_what_adds_rows() {
    let rows: Vec<Value> = (0..10_001).map(|id| thing(id, "a", 1)).collect();
    let things = Things::in_pages_of(5_000, &rows).synced("{ cursor: at, param: since }");
    let place = Place::new("ndjson", things.workspace.path());
    for _ in 0..2 {
        assert_eq!(
            things.report(&place, &["--mode", "replace"])["added"],
            10_001
        );
    }
    let told = "more than 10000 rows have the largest value of the cursor";
    let output = things.run(&place, &["--mode", "append"]).expect(9);
    assert_tells(&output, &[told]);
    assert_eq!(
        place.rows("list_things").map(|rows| rows.len()),
        Some(10_001)
    );
}

#[cfg(unix)]
#[test]
fn every_path_of_sqlite_is_a_file() {
    let things = Things::new(&[thing(1, "a", 1)]).synced("");
    for name in [":memory:", "file:x?mode=memory", "file::memory:"] {
        let into = format!("sqlite:{name}");
        things
            .workspace
            .run(&["sync", "list-things", "--into", &into])
            .expect(0);
        let file = things.workspace.path().join(name);
        assert!(file.exists(), "{name}");
    }
}

#[test]
fn rows_that_are_null_are_none_and_rows_that_are_no_list_are_an_error() {
    for sync in ["", "sync: { key: [id] }\n"] {
        let body = std::sync::Arc::new(std::sync::Mutex::new(json!(null)));
        let given = std::sync::Arc::clone(&body);
        let fake = Fake::start(move |_| Reply::json(200, &given.lock().expect("no panic")));
        let workspace = Workspace::new();
        workspace.service(&fake.origin(), "");
        workspace.tool(
            "list-things",
            "read",
            &format!("request: {{ method: GET, path: /things }}\nresponse: {{ output: {{ things: $.data }}, rows: things }}\n{sync}"),
        );
        for place in Place::all(workspace.path()) {
            let run = |data: Value| {
                *body.lock().expect("no panic") = json!({ "data": data });
                workspace.run(&["sync", "list-things", "--into", &place.into, "-o", "json"])
            };
            run(json!([{ "id": 1 }])).expect(0);
            let report = run(Value::Null).expect(0).json();
            assert_eq!(report["tables"][0]["read"], 0, "{}", place.kind);
            let kept = place.rows("list_things").map(|rows| rows.len());
            assert_eq!(kept, Some(usize::from(!sync.is_empty())), "{}", place.kind);
            run(json!([{ "id": 1 }])).expect(0);
            let output = run(json!({ "id": 2 })).expect(9);
            let told = "`things` should be a list of rows, but is an object";
            assert_tells(&output, &[told]);
            assert_eq!(place.rows("list_things").map(|rows| rows.len()), Some(1));
        }
    }
}

#[test]
fn what_was_merged_before_an_error_is_counted() {
    let failing = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let fails = std::sync::Arc::clone(&failing);
    let fake = Fake::start(move |request| match request.query.contains("after=2") {
        true if fails.load(std::sync::atomic::Ordering::SeqCst) => {
            Reply::json(403, &json!({ "error": "no" }))
        }
        is_second => {
            let id = if is_second { 3 } else { 1 };
            let data = [json!({ "id": id }), json!({ "id": id + 1 })];
            Reply::json(
                200,
                &json!({ "data": data, "next": "2", "more": !is_second }),
            )
        }
    });
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "");
    let tool = "request: { method: GET, path: /things, query: [after] }
params: { properties: { after: { type: string, description: The cursor. } } }
paging: { items: $.data, next: { after: $.next }, while: $.more }
response: { output: { things: $.data }, rows: things }
sync: { key: [id] }
";
    workspace.tool("list-things", "read", tool);
    failing.store(true, std::sync::atomic::Ordering::SeqCst);
    for mode in ["merge", "replace"] {
        let folder = workspace.path().join(mode);
        std::fs::create_dir(&folder).expect("a folder");
        for place in Place::all(&folder) {
            let words = ["sync", "list-things", "--into", &place.into, "--mode", mode];
            let is_merged = mode == "merge" && matches!(place.kind, "sqlite" | "postgres");
            let report = workspace
                .run(&[&words[..], &["-o", "json"]].concat())
                .expect(6)
                .json();
            let added = if is_merged { 2 } else { 0 };
            assert_eq!(report["tables"][0]["added"], added, "{mode} {}", place.kind);
            let rows = place.rows("list_things").map_or(0, |rows| rows.len());
            assert_eq!(rows, added, "{mode} {}", place.kind);
            let told = match is_merged {
                true => "list_things: copied in part; 2 rows read, 0 added, 2 unchanged\n",
                false => "list_things: not copied; 2 rows were read\n",
            };
            assert_eq!(workspace.run(&words).expect(6).stdout, told);
        }
    }
}
