//! `toolrun sync`: columns that appear, vanish, conflict, or have names and values that a database does not take.

use serde_json::{Value, json};

use crate::support::{Place, TableRow, assert_tells};
use crate::sync::{Things, thing};

fn rows_of(place: &Place) -> Vec<TableRow> {
    let mut rows = place.rows("list_things").expect("a table");
    rows.sort_by_key(|row| row["id"].to_string());
    rows
}

/// The values of a column by the rows' ids, each as its JSON text; the text of a CSV as it is.
fn column(place: &Place, name: &str) -> Vec<String> {
    rows_of(place)
        .iter()
        .map(|row| match &row[name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
        .collect()
}

#[test]
fn columns_appear_vanish_and_conflict_between_pages() {
    let rows = [
        json!({ "id": 1, "a": 1, "gone": "x" }),
        json!({ "id": 2, "a": 2 }),
        json!({ "id": 3, "a": 2.5, "new": true }),
        json!({ "id": 4, "a": "text", "new": false }),
        json!({ "id": 5, "a": { "deep": [1] }, "new": null }),
    ];
    for (mode, sync) in [("replace", ""), ("append", ""), ("merge", "{ key: [id] }")] {
        let things = Things::new(&rows).synced(sync);
        for place in Place::all(things.workspace.path()) {
            let report = things.report(&place, &["--mode", mode]);
            let values = column(&place, "a");
            let expected = match place.kind {
                // Rows are JSON there.
                "ndjson" => vec!["1", "2", "2.5", "text", "{\"deep\":[1]}"],
                _ => vec!["1.0", "2.0", "2.5", "\"text\"", "{\"deep\":[1]}"],
            };
            let plain = |text: &str| text.trim_end_matches(".0").to_owned();
            let values: Vec<String> = values.iter().map(|text| plain(text)).collect();
            let expected: Vec<String> = expected.into_iter().map(plain).collect();
            assert_eq!(values, expected, "{mode} {}", place.kind);
            let is_typed = place.kind != "ndjson";
            assert_eq!(
                report["conflicts"],
                if is_typed { json!(["a"]) } else { json!([]) }
            );
            assert_eq!(rows_of(&place)[0]["gone"], "x");
            assert_eq!(report["columns_added"], json!([]));
        }
    }
}

#[test]
fn a_table_that_exists_takes_new_columns_and_types() {
    for (mode, sync) in [("replace", ""), ("append", ""), ("merge", "{ key: [id] }")] {
        let things = Things::new(&[]).synced(sync);
        for place in Place::all(things.workspace.path()) {
            things.set(&[
                json!({ "id": 1, "a": "5", "b": 1, "n": null }),
                json!({ "id": 2, "a": null, "b": 2, "n": null }),
            ]);
            things.report(&place, &["--mode", mode]);
            things.set(&[json!({ "id": 3, "a": 7, "b": 2.5, "n": 9, "c": "new" })]);
            let report = things.report(&place, &["--mode", mode]);
            assert_eq!(
                report["columns_added"],
                json!(["c"]),
                "{mode} {}",
                place.kind
            );
            if place.kind != "ndjson" {
                assert_eq!(report["conflicts"], json!(["a"]), "{mode} {}", place.kind);
            }
            let first = if mode == "replace" { 2 } else { 0 };
            let null = if place.has_types() { "null" } else { "" };
            let text = if place.kind == "ndjson" { "5" } else { "\"5\"" };
            assert_eq!(
                column(&place, "a"),
                [text, null, "7"][first..],
                "{mode} {}",
                place.kind
            );
            assert_eq!(
                column(&place, "c"),
                [null, null, "new"][first..],
                "{mode} {}",
                place.kind
            );
            assert_eq!(
                column(&place, "n"),
                [null, null, "9"][first..],
                "{mode} {}",
                place.kind
            );
            let b: Vec<f64> = column(&place, "b")
                .iter()
                .map(|text| text.parse().expect("a number"))
                .collect();
            assert_eq!(b, [1.0, 2.0, 2.5][first..], "{mode} {}", place.kind);
        }
    }
}

#[test]
fn a_schema_that_is_frozen_refuses_and_one_that_discards_tells() {
    let things = Things::new(&[]).synced("{ key: [id] }");
    for place in Place::all(things.workspace.path()) {
        things.set(&[json!({ "id": 1, "a": 1, "n": null })]);
        // The first run makes the table, whatever the policy is.
        things.report(&place, &["--schema", "freeze"]);
        things.set(&[json!({ "id": 2, "a": 2, "n": 3, "c": "new" })]);
        let output = things.run(&place, &["--schema", "freeze"]).expect(9);
        assert_tells(&output, &["a value of `c` does not fit"]);
        assert_eq!(rows_of(&place).len(), 1, "{}", place.kind);
        let report = things.report(&place, &["--schema", "discard"]);
        assert_eq!(report["discarded"], json!({ "c": 1 }), "{}", place.kind);
        assert_eq!(rows_of(&place).len(), 2, "{}", place.kind);
        assert_eq!(
            column(&place, "n")[1],
            "3",
            "a column without values has no type yet"
        );
        if place.kind != "ndjson" {
            things.set(&[json!({ "id": 3, "a": "text" }), json!({ "id": 4, "a": [] })]);
            let output = things.run(&place, &["--schema", "discard"]).expect(0);
            assert_tells(
                &output,
                &["values of `a` do not fit the table, and are left out"],
            );
            let null = if place.has_types() { "null" } else { "" };
            assert_eq!(
                column(&place, "a"),
                ["1", "2", null, null],
                "{}",
                place.kind
            );
        }
    }
}

#[test]
fn numbers_keep_all_their_digits() {
    let things = Things::new(&[]).synced("{ key: [id] }");
    let numbers = [
        "9223372036854775807",
        "9223372036854775808",
        "12345678901234567890123",
        "0.1234567890123456789012",
        "1e400",
        "-0.5",
        "9007199254740993",
    ];
    let body = |numbers: &[&str]| {
        let rows = numbers.iter().enumerate();
        let rows: Vec<String> = rows
            .map(|(id, number)| format!("{{\"id\": {id}, \"n\": {number}, \"n{id}\": {number}}}"))
            .collect();
        format!("{{\"data\": [{}], \"more\": false}}", rows.join(","))
    };
    let text = body(&numbers);
    let fake = crate::support::Fake::start(move |_| {
        crate::support::Reply::new(200, "application/json", text.clone())
    });
    things.workspace.service(&fake.origin(), "");
    for place in Place::all(things.workspace.path()) {
        things.run(&place, &[]).expect(0);
        for name in ["n".to_owned()]
            .into_iter()
            .chain((0..numbers.len()).map(|id| format!("n{id}")))
        {
            for (id, expected) in numbers.iter().enumerate() {
                if name != "n" && name != format!("n{id}") {
                    continue;
                }
                let value = match place.kind {
                    "sqlite" => {
                        place.ask(&format!("select {name} from list_things where id = {id}"))
                    }
                    "postgres" => place.ask(&format!(
                        "select {name}::text from list_things where id = {id}"
                    )),
                    "ndjson" => {
                        let file = things
                            .workspace
                            .path()
                            .join("ndjson-files/list_things.ndjson");
                        let text = std::fs::read_to_string(file).expect("a file");
                        let line = text.lines().nth(id).expect("a line");
                        let at = line.find(&format!("\"{name}\":")).expect("the member")
                            + name.len()
                            + 3;
                        line[at..]
                            .split([',', '}'])
                            .next()
                            .expect("a value")
                            .to_owned()
                    }
                    _ => column(&place, &name)[id].clone(),
                };
                assert_eq!(value, *expected, "{} {name}", place.kind);
            }
        }
    }
}

#[test]
fn names_that_differ_only_in_case_and_names_that_bite_are_columns() {
    let row = json!({
        "id": 1, "Id": 2, "ID": 3, "": "empty", "a\"b": "quote", "select": "word", "x'; drop table list_things; --": "bite",
        "ctid": "system", "a\u{0}b": "nul", "_toolrun_key": "ours", "rowid": "row", "ü\n": "line",
        "a very long name of a column that is longer than sixty-three bytes, one": 1,
        "a very long name of a column that is longer than sixty-three bytes, two": 2,
    });
    let things = Things::new(&[row.clone(), json!({ "id": 2, "late": 1, "LATE": 2 })])
        .synced("{ key: [id] }");
    for place in Place::all(things.workspace.path()) {
        for _ in 0..2 {
            let output = things.run(&place, &[]).expect(0);
            let rows = place.rows("list_things").expect("a table");
            // The reader takes our own column away, and in files that is the row's.
            let lost = usize::from(!matches!(place.kind, "sqlite" | "postgres"));
            assert_eq!(rows[0].len(), 16 - lost, "{} {:?}", place.kind, rows[0]);
            let mut values: Vec<String> = rows
                .iter()
                .flat_map(|row| row.values())
                .map(|value| value.to_string())
                .collect();
            values.retain(|value| value != "null" && value != "\"\"");
            assert_eq!(values.len(), 17 - lost, "{} {values:?}", place.kind);
            match place.kind {
                "sqlite" => assert_eq!(
                    place.ask("select \"Id_2\" || \"ID_3\" from list_things where id = 1"),
                    "23"
                ),
                "postgres" => assert_eq!(
                    place.ask("select \"Id\"::text || \"ID\" from list_things where id = 1"),
                    "23"
                ),
                _ => assert!(!output.stderr.contains("is called"), "{}", output.stderr),
            }
        }
    }
    let place = Place::new("sqlite", &things.workspace.path().join("descriptors"));
    let output = things.run(&place, &[]).expect(0);
    assert_tells(&output, &["the column `Id` is called `Id_2` there"]);
}

#[test]
fn two_thousand_columns_and_more_are_kept() {
    let wide = |id: i64, count: usize| {
        let mut row = serde_json::Map::new();
        row.insert("id".to_owned(), json!(id));
        row.extend((0..count).map(|n| (format!("c{n}"), json!(n))));
        Value::Object(row)
    };
    let things = Things::new(&[wide(1, 2_500), wide(2, 3)]).synced("{ key: [id] }");
    for place in Place::all(things.workspace.path()) {
        things.run(&place, &[]).expect(0);
        let rows = rows_of(&place);
        let row = &rows[0];
        let rest = match row.get("_toolrun_rest") {
            Some(rest) => serde_json::from_str(rest.as_str().expect("a text")).expect("an object"),
            None => serde_json::Map::new(),
        };
        for n in [0, 1, 300, 1_900, 2_499] {
            let name = format!("c{n}");
            let value = row
                .get(&name)
                .or_else(|| rest.get(&name))
                .expect("the value");
            assert_eq!(
                value.to_string().trim_matches('"'),
                n.to_string(),
                "{} {name}",
                place.kind
            );
        }
        let is_database = matches!(place.kind, "sqlite" | "postgres");
        assert_eq!(!rest.is_empty(), is_database, "{}", place.kind);
        let report = things.report(&place, &[]);
        assert_eq!(report["unchanged"], 2, "{}", place.kind);
    }
}

#[test]
#[ignore = "long"]
fn long_values_and_nul_are_kept() {
    let long = "ü".repeat(5 << 20);
    let rows = [
        json!({ "id": 1, "text": long, "nul": "plain" }),
        json!({ "id": 2, "text": "short", "nul": "a\u{0}b" }),
    ];
    let things = Things::new(&rows).synced("{ key: [id] }");
    for place in Place::all(things.workspace.path()) {
        for _ in 0..2 {
            let output = things.run(&place, &["-o", "json"]).expect(0);
            assert_eq!(column(&place, "text")[0].len(), 10 << 20, "{}", place.kind);
            let nul = &column(&place, "nul")[1];
            match place.kind {
                // Postgres takes no NUL in a text, so the column holds JSON texts, and that is told.
                "postgres" => assert_eq!(nul, "\"a\\u0000b\""),
                _ => assert_eq!(nul, "a\u{0}b", "{}", place.kind),
            }
            drop(output);
        }
    }
    if let Some(place) = Place::postgres() {
        let report = things.report(&place, &[]);
        assert_eq!(report["conflicts"], json!(["nul"]));
    }
}

#[test]
fn rows_that_are_no_objects_and_outputs_that_are_no_lists_are_rows() {
    let things =
        Things::new(&[json!(1), json!("two"), json!([3]), json!({}), json!(null)]).synced("");
    for place in Place::all(things.workspace.path()) {
        let report = things.report(&place, &[]);
        assert_eq!(report["read"], 5);
        assert_eq!(
            place.rows("list_things").expect("a table").len(),
            5,
            "{}",
            place.kind
        );
    }
    let things = Things::new(&[]);
    things.workspace.tool(
        "list-things",
        "read",
        "request: { method: GET, path: /things }\n",
    );
    for place in Place::all(things.workspace.path()) {
        let report = things.report(&place, &[]);
        assert_eq!(report["read"], 1);
        let rows = place.rows("list_things").expect("a table");
        assert_eq!(rows[0].len(), 3, "{}", place.kind);
    }
}

#[test]
fn duplicates_within_a_page_are_one_row() {
    let rows = [
        thing(1, "a", 1),
        thing(1, "a", 1),
        thing(2, "b", 1),
        thing(2, "later", 1),
        thing(3, "c", 3),
    ];
    for mode in ["merge", "replace"] {
        let things = Things::in_pages_of(10, &rows).synced("{ key: [id] }");
        for place in Place::all(things.workspace.path()) {
            let report = things.report(&place, &["--mode", mode]);
            let notes = report["notes"].to_string();
            assert!(
                notes.contains("1 rows had the key of an earlier row"),
                "{mode} {} {notes}",
                place.kind
            );
            assert_eq!(
                column(&place, "name"),
                ["a", "later", "c"],
                "{mode} {}",
                place.kind
            );
        }
    }
}

#[test]
fn what_users_add_to_a_table_of_sqlite_stays() {
    let things = Things::new(&[json!({ "id": 1, "a": "x" })]).synced("{ key: [id] }");
    let place = Place::new("sqlite", things.workspace.path());
    things.report(&place, &[]);
    place.ask(
        "create index mine on list_things (a); create view seen as select id, a from list_things;",
    );
    // The column becomes one of JSON texts, for which SQLite needs the table anew.
    things.set(&[json!({ "id": 2, "a": 5 })]);
    things.report(&place, &[]);
    assert_eq!(place.ask("select group_concat(a) from seen"), "\"x\",5");
    assert_eq!(
        place.ask("select count(*) from sqlite_master where name = 'mine'"),
        "1"
    );
    // A column of the user would be lost, so it is an error.
    place.ask("alter table list_things add column mine text");
    things.set(&[json!({ "id": "three", "a": 5 })]);
    let output = things.run(&place, &[]).expect(1);
    assert_tells(&output, &["columns that are not ours"]);
    assert_eq!(place.ask("select count(*) from list_things"), "2");
}

/// Other programs than ours read what we wrote: Python's own modules.
#[test]
fn python_reads_what_was_written() {
    let python = std::process::Command::new("python3")
        .arg("--version")
        .output();
    if python.is_err() {
        eprintln!("SKIPPED: no python3 on this machine");
        return;
    }
    let rows = [
        json!({ "id": 1, "text": "a,\"b\"\nc\r\nü", "more": { "x": [1] }, "on": true, "f": 1.5 }),
        json!({ "id": 2, "text": "", "more": null, "on": false, "f": null }),
    ];
    let things = Things::new(&rows).synced("{ key: [id] }");
    for kind in ["sqlite", "csv", "ndjson"] {
        things
            .run(&Place::new(kind, things.workspace.path()), &[])
            .expect(0);
    }
    let script = r#"
import csv, json, sqlite3
db = sqlite3.connect("rows.db")
print(json.dumps(db.execute("select id, text, more, \"on\", f from list_things order by id").fetchall()))
print(json.dumps([r for r in csv.reader(open("csv-files/list_things.csv", newline=""))]))
print(json.dumps([json.loads(l) for l in open("ndjson-files/list_things.ndjson")]))
"#;
    let output = crate::support::output(
        std::process::Command::new("python3")
            .current_dir(things.workspace.path())
            .args(["-c", script]),
    )
    .expect(0);
    let read = output.lines();
    assert_eq!(
        read[0],
        json!([
            [1, "a,\"b\"\nc\r\nü", "{\"x\":[1]}", 1, 1.5],
            [2, "", null, 0, null]
        ])
    );
    assert_eq!(
        read[1],
        json!([
            ["id", "text", "more", "on", "f"],
            ["1", "a,\"b\"\nc\r\nü", "{\"x\":[1]}", "true", "1.5"],
            ["2", "", "", "false", ""]
        ])
    );
    assert_eq!(read[2], json!(rows));
}
