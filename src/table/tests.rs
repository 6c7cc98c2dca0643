use std::io::{Seek, Write};

use pretty_assertions::assert_eq;
use serde_json::json;

use super::*;
use crate::json::Json;

fn columns_of(columns: &Columns) -> Vec<String> {
    let name = |(name, column): (&str, &Column)| format!("{name}:{}", column.kind.name());
    columns.iter().map(name).collect()
}

fn learnt(rows: &[&str]) -> (Columns, Vec<Change>) {
    let mut columns = Columns::new(100);
    let mut changes = Vec::new();
    for row in rows {
        let row = Json::read(row.to_string().into()).unwrap();
        changes.extend(columns.learn(row.part(), Growth::Open));
    }
    (columns, changes)
}

#[test]
fn types_are_learnt_and_no_digit_is_lost() {
    for (rows, expected, cells) in [
        (&["1", "2"][..], "integer", &["1", "2"][..]),
        (&["1", "2.5"], "float", &["1.0", "2.5"]),
        (
            &["9007199254740993", "2.5"],
            "json",
            &["9007199254740993", "2.5"],
        ),
        (
            &["2.5", "9007199254740993"],
            "json",
            &["2.5", "9007199254740993"],
        ),
        (
            &["9223372036854775807"],
            "integer",
            &["9223372036854775807"],
        ),
        (&["9223372036854775808"], "json", &["9223372036854775808"]),
        (
            &["12345678901234567890123", "1"],
            "json",
            &["12345678901234567890123", "1"],
        ),
        (
            &["0.3000000000000000401"],
            "json",
            &["0.3000000000000000401"],
        ),
        (&["1e999", "1"], "json", &["1e999", "1"]),
        (&["null", "null"], "unknown", &["null", "null"]),
        (&["null", "true"], "bool", &["null", "true"]),
        (&["true", "1"], "json", &["true", "1"]),
        (&["\"a\"", "1", "null"], "json", &["\"a\"", "1", "null"]),
        (
            &["\"a\"", "{ \"b\" : [1] }"],
            "json",
            &["\"a\"", "{\"b\":[1]}"],
        ),
        (&["[1, 2]"], "json", &["[1,2]"]),
        (&["\"a\\u0000b\""], "text", &["\"a\\u0000b\""]),
    ] {
        let rows: Vec<String> = rows
            .iter()
            .map(|value| format!("{{\"a\":{value}}}"))
            .collect();
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let (columns, _) = learnt(&rows);
        assert_eq!(columns_of(&columns), [format!("a:{expected}")], "{rows:?}");
        for (row, expected) in rows.iter().zip(cells) {
            let row = Json::read(row.to_string().into()).unwrap();
            assert_eq!(columns.cells(row.part())[0].json(), *expected, "{rows:?}");
        }
    }
}

#[test]
fn conflicts_are_told_once_and_misfits_each_time() {
    let (mut columns, changes) = learnt(&[
        r#"{"a": 1}"#,
        r#"{"a": "x", "b": null}"#,
        r#"{"a": true, "b": 1}"#,
        "7",
    ]);
    assert_eq!(
        changes,
        [
            Change::Added("a".into()),
            Change::Conflict("a".into(), Type::Integer),
            Change::Added("b".into()),
            Change::Widened("b".into(), Type::Unknown),
            Change::Added("value".into()),
        ]
    );
    for _ in 0..2 {
        let row = Json::of(&json!({"a": 1, "b": "text", "c": 1}));
        let misfits = columns.learn(row.part(), Growth::Closed);
        assert_eq!(
            misfits,
            [Change::Misfit("b".into()), Change::Misfit("c".into())]
        );
        let cells: Vec<String> = columns
            .cells(row.part())
            .iter()
            .map(|cell| cell.json().into_owned())
            .collect();
        assert_eq!(cells, ["1", "null", "null"]);
    }
}

#[test]
fn members_beyond_the_most_columns_are_kept() {
    let mut columns = Columns::new(3);
    let row = Json::of(&json!({"a": 1, "b": 2, "c": 3, "d": "x"}));
    let changes = columns.learn(row.part(), Growth::Open);
    assert_eq!(changes.len(), 3);
    assert_eq!(
        columns_of(&columns),
        ["a:integer", "b:integer", "_toolrun_rest:json"]
    );
    assert_eq!(columns.cells(row.part())[2].json(), r#"{"c":3,"d":"x"}"#);
}

#[test]
fn files_are_read_as_they_were_written() {
    let rows = [
        r#"{"a": 1, "b": "x,\"y\"\nz\r", "c": 1.5, "d": true, "e": [1, {"f": null}], "g": null, "": "\u0000"}"#,
        r#"{"a": null, "b": "", "c": 2, "d": null, "e": "text", "A": "other case"}"#,
        r#"{"a": -9223372036854775808, "b": "\ud83d\ude00", "c": -0.0, "e": 12345678901234567890123}"#,
        "{}",
    ];
    for format in [Format::Ndjson, Format::Csv, Format::Parquet] {
        if format.check().is_err() {
            continue;
        }
        let mut columns = format.columns();
        let rows: Vec<Json> = rows
            .iter()
            .map(|row| Json::read(row.to_string().into()).unwrap())
            .collect();
        rows.iter()
            .for_each(|row| drop(columns.learn(row.part(), Growth::Open)));
        let mut file = tempfile::tempfile().unwrap();
        let mut writer = format.writer(file.try_clone().unwrap(), &columns).unwrap();
        let cells: Vec<_> = rows.iter().map(|row| columns.cells(row.part())).collect();
        cells.iter().for_each(|cells| writer.write(cells).unwrap());
        writer.finish().unwrap();
        file.rewind().unwrap();
        let mut reader = format.reader(file, &columns).unwrap();
        for cells in &cells {
            assert_eq!(reader.read().unwrap().as_ref(), Some(cells), "{format:?}");
        }
        assert_eq!(reader.read().unwrap(), None, "{format:?}");
    }
}

#[test]
fn a_sheet_appears_when_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    let mut sheet = Sheet::new(&path, Format::Csv).unwrap();
    for row in [json!({"a": 1}), json!({"b": "x", "a": "y"})] {
        sheet.add(Json::of(&row).part()).unwrap();
    }
    assert!(!path.exists());
    assert_eq!(sheet.finish().unwrap(), 2);
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "a,b\n1,\n\"\"\"y\"\"\",x\n"
    );
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1);
}

#[test]
fn one_value_has_one_canonical_text() {
    for (cells, expected) in [
        (
            vec![
                Cell::Integer(5),
                Cell::Float(5.0),
                Cell::Json("5".into()),
                Cell::Json("5.0".into()),
            ],
            "5",
        ),
        (
            vec![
                Cell::Text("a".into()),
                Cell::Json("\"a\"".into()),
                Cell::Json("\"\\u0061\"".into()),
            ],
            "\"a\"",
        ),
        (vec![Cell::Bool(true), Cell::Json("true".into())], "true"),
        (
            vec![Cell::Json("9223372036854775808".into())],
            "9223372036854775808",
        ),
    ] {
        for cell in cells {
            assert_eq!(canonical(&cell), expected, "{cell:?}");
        }
    }
}

#[test]
fn a_file_that_changed_is_not_read() {
    let mut columns = Format::Csv.columns();
    columns.add("a", Column::new(Type::Integer));
    for text in ["b\n1\n", "a\nx\n", "a\n1,2\n"] {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.rewind().unwrap();
        let read = Format::Csv
            .reader(file, &columns)
            .and_then(|mut reader| reader.read());
        assert!(read.is_err(), "{text:?}");
    }
}

#[test]
fn a_value_of_many_lines_is_read_in_one_pass() {
    let mut columns = Format::Csv.columns();
    columns.add("a", Column::new(Type::Text));
    let cell = Cell::Text("\n".repeat(1_000_000).into());
    let mut file = tempfile::tempfile().unwrap();
    let mut writer = Format::Csv
        .writer(file.try_clone().unwrap(), &columns)
        .unwrap();
    writer.write(std::slice::from_ref(&cell)).unwrap();
    writer.finish().unwrap();
    file.rewind().unwrap();
    let begun = std::time::Instant::now();
    let mut reader = Format::Csv.reader(file, &columns).unwrap();
    assert_eq!(reader.read().unwrap(), Some(vec![cell]));
    // To look at each line again and again takes minutes.
    assert!(begun.elapsed().as_secs() < 60);
}
