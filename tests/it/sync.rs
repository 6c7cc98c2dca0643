//! `toolrun sync`: rows of tools in tables, for every destination and mode.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::{Fake, Output, Place, Reply, Workspace, assert_tells};

/// A service of things in pages of two: the list can be changed, and `since` asks for those from a number on.
pub(crate) struct Things {
    pub workspace: Workspace,
    pub fake: Fake,
    list: Arc<Mutex<Vec<Value>>>,
}

const PAGING: &str = "
request: { method: GET, path: /things, query: [since, after] }
params:
  properties:
    since: { type: integer, description: From this number on. }
    after: { type: string, description: The cursor. }
paging: { items: $.data, next: { after: $.next }, while: $.more }
response: { output: { things: $.data, next: $.next }, rows: things }
";

fn number(query: &str, name: &str) -> Option<i64> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let found = pairs.rfind(|(key, _)| *key == name)?;
    found.1.parse().ok()
}

impl Things {
    pub(crate) fn new(rows: &[Value]) -> Things {
        Things::in_pages_of(2, rows)
    }

    pub(crate) fn in_pages_of(size: usize, rows: &[Value]) -> Things {
        let list = Arc::new(Mutex::new(rows.to_vec()));
        let shared = Arc::clone(&list);
        let fake = Fake::start(move |request| {
            let since = number(&request.query, "since").unwrap_or(i64::MIN);
            let after = number(&request.query, "after").unwrap_or(0) as usize;
            let list = shared.lock().expect("no panic");
            let rows: Vec<&Value> = list
                .iter()
                .filter(|row| row["at"].as_i64().is_none_or(|at| at >= since))
                .collect();
            let page: Vec<&&Value> = rows.iter().skip(after).take(size).collect();
            let next = after + page.len();
            let more = next < rows.len();
            Reply::json(
                200,
                &json!({ "data": page, "next": next.to_string(), "more": more }),
            )
        });
        let workspace = Workspace::new();
        workspace.service(&fake.origin(), "");
        Things {
            workspace,
            fake,
            list,
        }
    }

    /// The tool `list-things`, with this `sync`.
    pub(crate) fn synced(self, sync: &str) -> Things {
        let sync = match sync {
            "" => String::new(),
            sync => format!("sync: {sync}\n"),
        };
        self.workspace
            .tool("list-things", "read", &format!("{PAGING}{sync}"));
        self
    }

    pub(crate) fn set(&self, rows: &[Value]) {
        *self.list.lock().expect("no panic") = rows.to_vec();
    }

    pub(crate) fn run(&self, place: &Place, more: &[&str]) -> Output {
        let mut words = vec!["sync", "list-things", "--into", &place.into];
        words.extend(more);
        self.workspace.run(&words)
    }

    /// The report of a run, for its one table.
    #[track_caller]
    pub(crate) fn report(&self, place: &Place, more: &[&str]) -> Value {
        let words = [more, &["-o", "json"]].concat();
        let report = self.run(place, &words).expect(0).json();
        report["tables"][0].clone()
    }

    fn places(&self) -> Vec<Place> {
        Place::all(self.workspace.path())
    }
}

pub(crate) fn thing(id: i64, name: &str, at: i64) -> Value {
    json!({ "id": id, "name": name, "at": at })
}

fn map(pairs: &[(i64, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(id, name)| (id.to_string(), (*name).to_owned()))
        .collect()
}

#[test]
fn without_a_key_rows_are_replaced() {
    let things = Things::new(&[thing(1, "a", 1), thing(2, "b", 2), thing(3, "c", 3)]).synced("");
    for place in things.places() {
        things.set(&[thing(1, "a", 1), thing(2, "b", 2), thing(3, "c", 3)]);
        let report = things.report(&place, &[]);
        assert_eq!(report["mode"], "replace", "{}", place.kind);
        assert_eq!((&report["read"], &report["added"]), (&json!(3), &json!(3)));
        assert_eq!(
            place.by("list_things", "id", "name"),
            map(&[(1, "a"), (2, "b"), (3, "c")])
        );
        // What vanishes there vanishes here.
        things.set(&[thing(3, "x", 3), thing(4, "d", 4)]);
        things.report(&place, &[]);
        assert_eq!(
            place.by("list_things", "id", "name"),
            map(&[(3, "x"), (4, "d")]),
            "{}",
            place.kind
        );
    }
}

#[test]
fn with_a_key_rows_are_merged_and_the_cursor_asks_only_for_new_ones() {
    let first = [thing(1, "a", 10), thing(2, "b", 20), thing(3, "c", 30)];
    let things = Things::new(&first).synced("{ key: [id], cursor: at, param: since }");
    for place in things.places() {
        things.set(&first);
        let report = things.report(&place, &[]);
        assert_eq!(report["mode"], "merge", "{}", place.kind);
        assert_eq!(
            report["cursor"],
            json!({ "column": "at", "from": null, "to": 30 })
        );
        things.set(&[
            thing(1, "old, and not asked for", 10),
            thing(3, "c", 30),
            thing(2, "changed", 40),
            thing(4, "d", 50),
        ]);
        let report = things.report(&place, &[]);
        let counts = [
            &report["read"],
            &report["added"],
            &report["changed"],
            &report["unchanged"],
        ];
        assert_eq!(
            counts,
            [&json!(3), &json!(1), &json!(1), &json!(1)],
            "{}",
            place.kind
        );
        assert_eq!(
            report["cursor"],
            json!({ "column": "at", "from": 30, "to": 50 })
        );
        let expected = map(&[(1, "a"), (2, "changed"), (3, "c"), (4, "d")]);
        assert_eq!(
            place.by("list_things", "id", "name"),
            expected,
            "{}",
            place.kind
        );
        assert_eq!(
            things
                .fake
                .requests()
                .last()
                .expect("a request")
                .query
                .split('&')
                .next(),
            Some("since=30")
        );
        // In full, what vanished there vanishes here.
        let report = things.report(&place, &["--full"]);
        assert_eq!(report["mode"], "replace");
        let expected = map(&[
            (1, "old, and not asked for"),
            (2, "changed"),
            (3, "c"),
            (4, "d"),
        ]);
        assert_eq!(
            place.by("list_things", "id", "name"),
            expected,
            "{}",
            place.kind
        );
        let report = things.report(&place, &[]);
        assert_eq!(
            (&report["mode"], &report["cursor"]["from"]),
            (&json!("merge"), &json!(50))
        );
    }
}

#[test]
fn rows_that_are_added_are_added_once() {
    let first = [thing(1, "a", 10), thing(2, "b", 20), thing(3, "c", 20)];
    let things = Things::new(&first).synced("{ cursor: at, param: since }");
    for place in things.places() {
        things.set(&first);
        things.report(&place, &["--mode", "append"]);
        let more = [&first[..], &[thing(4, "same time", 20), thing(5, "d", 30)]].concat();
        things.set(&more);
        let report = things.report(&place, &["--mode", "append"]);
        let counts = [&report["read"], &report["known"], &report["added"]];
        assert_eq!(counts, [&json!(4), &json!(2), &json!(2)], "{}", place.kind);
        let report = things.report(&place, &["--mode", "append"]);
        assert_eq!((&report["added"], &report["known"]), (&json!(0), &json!(1)));
        let expected = map(&[(1, "a"), (2, "b"), (3, "c"), (4, "same time"), (5, "d")]);
        assert_eq!(
            place.by("list_things", "id", "name"),
            expected,
            "{}",
            place.kind
        );
    }
}

#[test]
fn late_rows_within_the_lag_are_not_missed() {
    let at = 1_800_000_000;
    let first = [thing(1, "a", at), thing(2, "b", at + 100)];
    let things = Things::new(&first).synced("{ key: [id], cursor: at, param: since, lag: 1m }");
    for place in things.places() {
        things.set(&first);
        things.report(&place, &[]);
        things.set(&[
            thing(1, "a", at),
            thing(2, "b", at + 100),
            thing(3, "late", at + 45),
            thing(4, "too late", at + 30),
        ]);
        things.report(&place, &[]);
        assert_eq!(
            place.by("list_things", "id", "name"),
            map(&[(1, "a"), (2, "b"), (3, "late")]),
            "{}",
            place.kind
        );
        assert_eq!(
            number(
                &things.fake.requests().last().expect("a request").query,
                "since"
            ),
            Some(at + 40)
        );
        // Where rows are only added, it is said that late ones are missed.
    }
    let place = Place::new("ndjson", &things.workspace.path().join("added"));
    let output = things.run(&place, &["--mode", "append"]).expect(0);
    assert_tells(&output, &["those that come late are missed"]);
}

#[test]
fn every_way_a_list_ends_leaves_a_whole_table() {
    // No rows at all: the table exists, with the columns that the descriptor names.
    let things = Things::new(&[]);
    let more = PAGING.replace(
        "things: $.data",
        "things: { each: \"$.data[*]\", as: { id: $.id, name: $.name, at: $.at } }",
    );
    things.workspace.tool("list-things", "read", &more);
    for place in things.places() {
        things.set(&[]);
        let report = things.report(&place, &[]);
        assert_eq!((&report["read"], &report["added"]), (&json!(0), &json!(0)));
        assert_eq!(
            place.rows("list_things").map(|rows| rows.len()),
            Some(0),
            "{}",
            place.kind
        );
        for count in 1..=5 {
            let rows: Vec<Value> = (0..count).map(|id| thing(id, "x", id)).collect();
            things.set(&rows);
            let report = things.report(&place, &[]);
            assert_eq!(report["read"], json!(count));
            assert_eq!(
                place.rows("list_things").expect("a table").len() as i64,
                count,
                "{}",
                place.kind
            );
        }
        things.set(&[]);
        things.report(&place, &[]);
        assert_eq!(
            place.rows("list_things").map(|rows| rows.len()),
            Some(0),
            "{}",
            place.kind
        );
    }
}

#[test]
fn without_rows_and_known_columns_it_is_said_that_there_is_no_table() {
    let things = Things::new(&[]).synced("");
    for place in things.places() {
        let output = things.run(&place, &[]).expect(0);
        assert_tells(&output, &["there is no table"]);
        assert_eq!(place.rows("list_things"), None, "{}", place.kind);
        things.set(&[thing(1, "a", 1)]);
        things.run(&place, &[]).expect(0);
        assert_eq!(place.rows("list_things").map(|rows| rows.len()), Some(1));
        things.set(&[]);
    }
}

#[test]
fn an_error_in_the_middle_leaves_what_was_there() {
    let failing = Arc::new(Mutex::new(false));
    let fails = Arc::clone(&failing);
    let fake = Fake::start(move |request| {
        let after = number(&request.query, "after").unwrap_or(0);
        if *fails.lock().expect("no panic") && after == 2 {
            return Reply::json(404, &json!({ "error": "gone" }));
        }
        let version = if *fails.lock().expect("no panic") {
            "new"
        } else {
            "old"
        };
        let data = [json!({ "id": after, "name": version, "at": after })];
        Reply::json(
            200,
            &json!({ "data": data, "next": (after + 1).to_string(), "more": after < 3 }),
        )
    });
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "");
    for (mode, sync, expected) in [
        ("replace", "", "old"),
        ("append", "", "old"),
        // Merged rows are written page by page; the cursor stays.
        (
            "merge",
            "sync: { key: [id], cursor: at, param: since }\n",
            "new",
        ),
    ] {
        workspace.tool("list-things", "read", &format!("{PAGING}{sync}"));
        let folder = workspace.path().join(mode);
        std::fs::create_dir(&folder).expect("a folder");
        for place in Place::all(&folder) {
            let run = || {
                workspace.run(&[
                    "sync",
                    "list-things",
                    "--into",
                    &place.into,
                    "--mode",
                    mode,
                    "-o",
                    "json",
                ])
            };
            *failing.lock().expect("no panic") = false;
            run().expect(0);
            *failing.lock().expect("no panic") = true;
            let output = run().expect(6);
            assert_eq!(output.json()["tables"][0]["error"]["kind"], "refused");
            assert_eq!(output.error()["kind"], "refused");
            let found = place.by("list_things", "id", "name");
            let is_file = !matches!(place.kind, "sqlite" | "postgres");
            let expected = if is_file { "old" } else { expected };
            assert_eq!(found["0"], expected, "{mode} {}", place.kind);
            assert_eq!(found["3"], "old", "{mode} {}", place.kind);
        }
    }
}

#[test]
fn one_table_that_fails_does_not_undo_the_others() {
    let things = Things::new(&[thing(1, "a", 1)]).synced("");
    things.workspace.tool(
        "list-broken",
        "read",
        "request: { method: GET, path: /things }\nresponse: { output: { things: $.nothing }, rows: things }\npaging: { items: $.nothing, next: { }, while: $.more }\n",
    );
    // The path leads nowhere: the response is not as described.
    things.workspace.tool(
        "list-broken",
        "read",
        "request: { method: GET, path: /things }\nresponse: { output: { things: { each: \"$.data[*].name[*]\", as: $.x.y }, more: \"{{ body.data.x.y }}\" }, rows: things }\n",
    );
    let place = Place::new("sqlite", things.workspace.path());
    let words = ["sync", "list-broken", "list-things", "--into", &place.into];
    let output = things.workspace.run(&words).expect(10);
    assert_tells(&output, &["error: list_broken: "]);
    assert!(
        output.stdout.contains("list_things: 1 rows read, 1 added"),
        "{}",
        output.stdout
    );
    assert_eq!(place.by("list_things", "id", "name"), map(&[(1, "a")]));
    let output = things
        .workspace
        .run(&[&words[..], &["-o", "json"]].concat())
        .expect(10);
    assert_eq!(output.json()["tables"][0]["error"]["kind"], "response");
    assert_eq!(output.json()["tables"][1]["error"], Value::Null);
}

#[test]
fn parents_drive_children() {
    let fake = Fake::start(|request| match request.path.as_str() {
        "/teams" => Reply::json(
            200,
            &json!([{ "id": "a", "name": "A" }, { "id": "b", "name": "B" }, { "id": null, "name": "C" }, { "id": "a", "name": "A again" }]),
        ),
        "/teams/a/members" => Reply::json(
            200,
            &json!([{ "user": 1, "team": "a" }, { "user": 2, "team": "other" }]),
        ),
        "/teams/b/members" => Reply::json(200, &json!([{ "user": 1 }])),
        path => Reply::json(404, &json!({ "error": path })),
    });
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "");
    workspace.tool(
        "list-teams",
        "read",
        "request: { method: GET, path: /teams }\nsync: { key: [name] }\n",
    );
    workspace.tool(
        "list-members",
        "read",
        "request: { method: GET, path: \"/teams/{{ team }}/members\" }
params: { required: [team], properties: { team: { type: string, description: The team. } } }
sync: { key: [team, user], parent: list-teams, map: { team: id } }
",
    );
    for place in Place::all(workspace.path()) {
        let output = workspace
            .run(&[
                "sync",
                "probe/list-members",
                "probe/list-teams",
                "--into",
                &place.into,
            ])
            .expect(0);
        assert_tells(&output, &["1 rows of the parent have no value"]);
        let rows = place.rows("list_members").expect("a table");
        let mut found: Vec<(Value, Value, Value)> = rows
            .iter()
            .map(|row| {
                (
                    row["user"].clone(),
                    row["team"].clone(),
                    row["parent_team"].clone(),
                )
            })
            .collect();
        found.sort_by_key(|row| json!([row.0, row.1]).to_string());
        let null = if place.has_types() {
            Value::Null
        } else {
            json!("")
        };
        let number = |number: i64| {
            if place.has_types() {
                json!(number)
            } else {
                json!(number.to_string())
            }
        };
        assert_eq!(
            found,
            [
                (number(1), json!("a"), null.clone()),
                (number(1), json!("b"), null.clone()),
                (number(2), json!("other"), json!("a")),
            ],
            "{}",
            place.kind
        );
        assert_eq!(place.rows("list_teams").map(|rows| rows.len()), Some(4));
        // The parent was read once, and each child once.
        let count = |path: &str| {
            fake.requests()
                .iter()
                .filter(|request| request.path == path)
                .count()
        };
        assert_eq!(count("/teams"), count("/teams/a/members"), "{}", place.kind);
    }
    let place = Place::new("ndjson", &workspace.path().join("alone"));
    let output = workspace
        .run(&["sync", "probe/list-members", "--into", &place.into])
        .expect(0);
    assert_tells(
        &output,
        &["list-teams is read for the arguments of others, and not written"],
    );
    assert_eq!(place.rows("list_teams"), None);
    assert_eq!(place.rows("list_members").map(|rows| rows.len()), Some(3));
}

#[test]
fn a_child_that_is_gone_is_told_and_an_error_of_another_kind_is_one() {
    for (status, code) in [(404, 0), (410, 0), (403, 6), (500, 7)] {
        let fake = Fake::start(move |request| match request.path.as_str() {
            "/teams" => Reply::json(200, &json!([{ "id": "a" }, { "id": "b" }])),
            "/teams/a/members" => Reply::json(200, &json!([{ "user": 1 }])),
            _ => Reply::json(status, &json!({ "error": "no" })),
        });
        let workspace = Workspace::new();
        workspace.service(&fake.origin(), "retry: { max_attempts: 1 }");
        workspace.tool(
            "list-teams",
            "read",
            "request: { method: GET, path: /teams }\n",
        );
        workspace.tool(
            "list-members",
            "read",
            "request: { method: GET, path: \"/teams/{{ team }}/members\" }
params: { required: [team], properties: { team: { type: string, description: The team. } } }
sync: { parent: list-teams, map: { team: id } }
",
        );
        let place = Place::new("csv", workspace.path());
        let output = workspace
            .run(&["sync", "probe/list-members", "--into", &place.into])
            .expect(code);
        if code == 0 {
            assert_tells(&output, &["found nothing (404) for 1 rows of the parent"]);
            assert_eq!(place.rows("list_members").map(|rows| rows.len()), Some(1));
        } else {
            assert_eq!(place.rows("list_members"), None);
        }
        // A child of a parent that fails is not tried.
        workspace.tool(
            "list-teams",
            "read",
            "request: { method: GET, path: /none }\n",
        );
        let words = [
            "sync",
            "probe/list-members",
            "probe/list-teams",
            "--into",
            &place.into,
        ];
        let output = workspace.run(&words);
        assert_ne!(output.code, 0);
        assert_tells(
            &output,
            &["list_members: the tool that gives its arguments could not be read"],
        );
    }
}

#[test]
fn rows_that_a_merged_table_keeps_are_told() {
    let things = Things::new(&[]).synced("{ key: [id] }");
    for place in things.places() {
        things.set(&[thing(1, "a", 1), thing(2, "b", 2), thing(3, "c", 3)]);
        things.report(&place, &[]);
        things.set(&[thing(3, "c", 3), thing(4, "d", 4)]);
        let report = things.report(&place, &[]);
        assert_eq!(report["kept"], 2, "{} {report}", place.kind);
        assert!(
            report["notes"]
                .to_string()
                .contains("2 rows of the table were not among those read")
        );
        assert_eq!(things.report(&place, &["--mode", "replace"])["kept"], 0);
    }
}

#[test]
fn a_beginning_that_is_missing_is_named() {
    let things = Things::new(&[]);
    let required = PAGING.replace("params:\n", "params:\n  required: [since]\n");
    let sync = "sync: { key: [id], cursor: at, param: since }\n";
    things
        .workspace
        .tool("list-things", "read", &format!("{required}{sync}"));
    let place = Place::new("ndjson", things.workspace.path());
    let output = things.run(&place, &[]).expect(2);
    assert_tells(&output, &["`--since` says where to begin"]);
    things.run(&place, &["--since", "-5"]).expect(0);
    assert_eq!(things.fake.targets(), ["/things?since=-5"]);
}

#[test]
fn a_dry_run_sends_and_writes_nothing() {
    let things = Things::new(&[]).synced("{ key: [id], cursor: at, param: since }");
    let place = Place::new("sqlite", things.workspace.path());
    let output = things.run(&place, &["--dry-run", "--since", "7"]).expect(0);
    for part in [
        "list-things: GET http://",
        "/things?since=7",
        "merges into list_things",
        &place.into,
    ] {
        assert!(output.stdout.contains(part), "{part}: {}", output.stdout);
    }
    let plan = things
        .run(&place, &["--dry-run", "-o", "json"])
        .expect(0)
        .json();
    assert_eq!(plan["tables"][0]["mode"], "merge");
    assert!(things.fake.requests().is_empty());
    assert_eq!(
        std::fs::read_dir(things.workspace.path())
            .expect("a folder")
            .count(),
        1
    );
}

#[test]
fn what_cannot_be_done_is_said_before_anything_is_sent() {
    let things = Things::new(&[]).synced("");
    things.workspace.tool(
        "delete-thing",
        "destructive",
        "request: { method: DELETE, path: /things }\n",
    );
    let place = Place::new("sqlite", things.workspace.path());
    for (words, code, told) in [
        (vec!["sync", "list-things"], 2, "--into"),
        (
            vec!["sync", "list-things", "--into", "mysql://me:secret@host/db"],
            2,
            "write sqlite:PATH",
        ),
        (
            vec!["sync", "list-things", "--into", "sqlite:"],
            2,
            "names no path",
        ),
        (
            vec!["sync", "delete-thing", "--into", &place.into],
            2,
            "only tools that read are copied",
        ),
        (
            vec!["sync", "list-thing", "--into", &place.into],
            2,
            "list-thing",
        ),
        (
            vec![
                "sync",
                "list-things",
                "--into",
                &place.into,
                "--mode",
                "merge",
            ],
            2,
            "names no key",
        ),
        (
            vec!["sync", "list-things", "--into", &place.into, "--since", "1"],
            2,
            "no tool of this run has a cursor",
        ),
        (
            vec![
                "sync",
                "list-things",
                "--into",
                &place.into,
                "--arg",
                "nothing=1",
            ],
            2,
            "no tool of this run takes",
        ),
    ] {
        let output = things.workspace.run(&words).expect(code);
        assert_tells(&output, &[told]);
        assert!(!output.stderr.contains("secret"), "{}", output.stderr);
    }
    #[cfg(not(feature = "parquet"))]
    {
        let output = things
            .workspace
            .run(&["sync", "list-things", "--into", "parquet:p"])
            .expect(2);
        assert_tells(&output, &["build toolrun with the feature `parquet`"]);
    }
    #[cfg(not(feature = "postgres"))]
    {
        let words = [
            "sync",
            "list-things",
            "--into",
            "postgres://me:secret@127.0.0.1:1/db",
        ];
        let output = things.workspace.run(&words).expect(2);
        assert_tells(&output, &["build toolrun with the feature `postgres`"]);
    }
    assert_eq!(things.fake.targets(), [""; 0]);
}

#[test]
fn no_table_of_somebody_else_is_touched() {
    let things = Things::new(&[thing(1, "a", 1)]).synced("");
    for place in things.places() {
        match place.kind {
            "sqlite" | "postgres" => drop(place.ask("create table list_things (precious text)")),
            kind => {
                things
                    .workspace
                    .write(&format!("{kind}-files/list_things.{kind}"), "precious");
            }
        }
        let output = things.run(&place, &[]).expect(2);
        assert_tells(&output, &["list_things"]);
        match place.kind {
            "sqlite" | "postgres" => assert_eq!(place.ask("select count(*) from list_things"), "0"),
            kind => {
                let file = things
                    .workspace
                    .path()
                    .join(format!("{kind}-files/list_things.{kind}"));
                assert_eq!(std::fs::read_to_string(file).expect("the file"), "precious");
            }
        }
    }
}

#[test]
fn another_key_or_other_arguments_begin_anew() {
    let rows = [thing(1, "a", 1), thing(2, "a", 2), thing(3, "c", 3)];
    let things = Things::new(&rows).synced("{ key: [id], cursor: at, param: since }");
    for place in things.places() {
        let things_of = |sync: &str| {
            things
                .workspace
                .tool("list-things", "read", &format!("{PAGING}sync: {sync}\n"));
        };
        things_of("{ key: [id], cursor: at, param: since }");
        things.report(&place, &[]);
        assert_eq!(place.rows("list_things").map(|rows| rows.len()), Some(3));
        // Two rows share the new key: it is told, and the later one stays.
        things_of("{ key: [name], cursor: at, param: since }");
        let report = things.report(&place, &[]);
        assert_eq!(report["mode"], "replace", "{}", place.kind);
        let notes = report["notes"].to_string();
        assert!(
            notes.contains("read anew") && notes.contains("1 rows had the key of an earlier row"),
            "{notes}"
        );
        assert_eq!(
            place.by("list_things", "name", "id"),
            BTreeMap::from([("a".into(), "2".into()), ("c".into(), "3".into())])
        );
        let report = things.report(&place, &["--arg", "after=0"]);
        assert!(
            report["notes"]
                .to_string()
                .contains("the arguments are others"),
            "{report}"
        );
        assert_eq!(report["read"], 3);
    }
}

#[test]
fn a_row_without_its_key_is_an_error_and_not_lost() {
    let things =
        Things::new(&[thing(1, "a", 1), json!({ "name": "no id" })]).synced("{ key: [id] }");
    for place in things.places() {
        let output = things.run(&place, &[]).expect(9);
        assert_tells(&output, &["a row has no value for its key (id)", "no id"]);
    }
    // A part of a key may be null.
    let things = Things::new(&[
        json!({ "id": 1, "part": null, "name": "a" }),
        json!({ "id": 1, "name": "b" }),
        json!({ "id": 1, "part": 2, "name": "c" }),
    ])
    .synced("{ key: [id, part] }");
    for place in things.places() {
        let report = things.report(&place, &[]);
        assert_eq!(report["added"], 2, "{} {report}", place.kind);
        let report = things.report(&place, &[]);
        assert_eq!(report["added"], 0, "{} {report}", place.kind);
    }
}

#[test]
fn two_runs_do_not_write_one_place_at_once() {
    let fake = Fake::start(|_| Reply::manner(crate::support::Manner::Hang));
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "");
    workspace.tool(
        "list-things",
        "read",
        "request: { method: GET, path: /things }\n",
    );
    for place in Place::all(workspace.path()) {
        let before = fake.requests().len();
        let mut command = workspace.toolrun();
        let mut first = command
            .args(["sync", "list-things", "--into", &place.into])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("the program starts");
        while fake.requests().len() == before {
            assert_eq!(
                first.try_wait().expect("a child of ours"),
                None,
                "{}",
                place.kind
            );
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let output = workspace
            .run(&["sync", "list-things", "--into", &place.into])
            .expect(1);
        assert_tells(&output, &["another run writes"]);
        first.kill().expect("it runs");
        first.wait().expect("it ends");
    }
}

#[test]
fn singer_messages_are_what_a_target_takes() {
    let things = Things::new(&[thing(1, "a", 10), json!({ "id": 2, "name": "b", "at": 20, "more": [1, 12345678901234567890123_u128.to_string()] })])
        .synced("{ key: [id], cursor: at, param: since }");
    let output = things
        .workspace
        .run(&["sync", "list-things", "--singer"])
        .expect(0);
    let messages = output.lines();
    let kinds: Vec<&str> = messages
        .iter()
        .map(|message| message["type"].as_str().expect("a type"))
        .collect();
    assert_eq!(kinds, ["SCHEMA", "RECORD", "RECORD", "STATE"]);
    // What becomes of the rows before is up to the target.
    let whole = ["sync", "list-things", "--singer", "--mode", "replace"];
    let told = things.workspace.run(&whole).expect(0).stderr;
    assert!(!told.contains("in place of those before"), "{told}");
    assert_eq!(messages[0]["key_properties"], json!(["id"]));
    assert_eq!(messages[0]["bookmark_properties"], json!(["at"]));
    assert_eq!(
        messages[0]["schema"]["properties"]["id"],
        json!({ "type": ["null", "integer"] })
    );
    assert_eq!(messages[2]["record"]["more"][0], 1);
    // The next run goes on from there.
    things
        .workspace
        .write("state.json", messages[3].to_string());
    things.set(&[thing(3, "c", 30)]);
    let output = things
        .workspace
        .run(&["sync", "list-things", "--singer", "--state", "state.json"])
        .expect(0);
    assert_eq!(
        things.fake.requests().last().expect("a request").query,
        "since=20"
    );
    assert_eq!(output.lines().len(), 3);
    for bad in ["nonsense", "{}", r#"{"bookmarks": {"list_things": 1}}"#] {
        things.workspace.write("state.json", bad);
        things
            .workspace
            .run(&["sync", "list-things", "--singer", "--state", "state.json"])
            .expect(2);
    }
}

#[cfg(feature = "postgres")]
#[test]
fn a_password_of_the_database_is_never_shown() {
    let things = Things::new(&[thing(1, "a", 1)]).synced("");
    let url = "postgres://me:s3cret-pass@127.0.0.1:1/db?sslmode=disable&password=s3cret-pass";
    for words in [&["-v"][..], &["-o", "json"], &["--dry-run"]] {
        let words = [&["sync", "list-things", "--into", url][..], words].concat();
        let output = things.workspace.run(&words);
        assert!(!output.stdout.contains("s3cret-pass"), "{}", output.stdout);
        assert!(!output.stderr.contains("s3cret-pass"), "{}", output.stderr);
    }
    for url in [
        "postgres://me:s3cret-pass@127.0.0.1:notaport/db",
        "postgres://me:s3cret-pass@h/db?bad=1",
    ] {
        let output = things
            .workspace
            .run(&["sync", "list-things", "--into", url]);
        assert_ne!(output.code, 0);
        assert!(!output.stderr.contains("s3cret-pass"), "{}", output.stderr);
    }
}
