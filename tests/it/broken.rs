//! Broken descriptors: each gives exactly one finding, with the expected code at the expected place.

use std::collections::HashSet;

use crate::table::Row;
use toolrun::internals::check;
use toolrun::internals::check::Kind;
use toolrun::internals::{Code, Finding};

fn findings(row: &Row) -> Vec<Finding> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = row.write(folder.path());
    // A policy speaks about the tools beside it.
    let path = match row.kind {
        Kind::Policy => folder.path(),
        _ => &file,
    };
    check::paths(&[path.display().to_string()])
        .expect("the file is there")
        .findings
}

/// How the findings differ from the row; `None` if they match.
fn difference(row: &Row) -> Option<String> {
    let found = findings(row);
    if let [only] = found.as_slice() {
        let place = only.position();
        let begin = (place.line, place.column);
        let end = (place.end_line, place.end_column);
        if Some(only.code) == row.code && row.stands_at(begin, end) {
            return None;
        }
    }
    let mut told = format!("{}\n", row.title);
    if let Some(span) = &row.span {
        told += &format!("  expected {}\n", marked(&row.text, span));
    }
    for finding in &found {
        told += &format!(
            "  found    {}\n           {}: {}\n",
            marked(&row.text, &finding.span),
            finding.code,
            finding.message
        );
    }
    Some(told)
}

/// The lines that the span touches, with the span marked.
fn marked(text: &str, span: &std::ops::Range<usize>) -> String {
    let start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[span.end..]
        .find('\n')
        .map_or(text.len(), |at| at + span.end);
    let (before, after) = (&text[start..span.start], &text[span.end..end]);
    format!("{before}«{}»{after}", &text[span.clone()])
        .escape_debug()
        .to_string()
}

#[test]
fn the_bases_are_sound() {
    for kind in Kind::ALL {
        let row = Row::sound(kind);
        let found = findings(&row);
        assert!(found.is_empty(), "{}: {found:?}", kind.file_name());
    }
}

#[test]
fn every_mistake_is_found_at_its_place_and_nothing_else() {
    let rows = crate::table::rows();
    let mut told = String::new();
    for row in &rows {
        told += &difference(row).unwrap_or_default();
    }
    assert!(told.is_empty(), "of {} rows\n{told}", rows.len());
}

/// Words that the message or its help must have, so that the reader need not look further.
const TOLD: &[(&str, &str)] = &[
    (
        "unknown-key: a top-level key, misspelt",
        "did you mean `response`?",
    ),
    ("unknown-name: of a setting", "did you mean `version`?"),
    (
        "unknown-name: a filter that there is not",
        "did you mean `upper`?",
    ),
    ("bad-value: an access that there is not", "destructive"),
    ("bad-value: a style that there is not", "deep_object"),
    ("bad-value: a place for the key that there is not", "query"),
    (
        "bad-value: a kind of credential that there is not",
        "bearer",
    ),
    ("bad-value: a path without its slash", "start"),
    ("bad-value: a time in days", "30s"),
    (
        "bad-value: a secret's variable in small letters",
        "upper-case",
    ),
    ("wrong-type: null for a query value", "leave the key out"),
    (
        "unknown-key: a version in an inline service",
        "the file's own",
    ),
    ("example-fails: the URL", "things/b"),
    ("yaml-syntax: an expression without quotes", "quotes"),
];

#[test]
fn the_messages_say_what_is_wrong() {
    let rows = crate::table::rows();
    let mut told = String::new();
    for &(title, words) in TOLD {
        let row = rows.iter().find(|row| row.title == title);
        let found = findings(row.unwrap_or_else(|| panic!("no row `{title}`")));
        let help = |finding: &Finding| finding.help.clone().unwrap_or_default();
        let text: Vec<String> = found
            .iter()
            .map(|f| format!("{} ({})", f.message, help(f)))
            .collect();
        let says = text.iter().any(|text| text.contains(words));
        if !says {
            told += &format!("{title}: {words:?} in {text:?}\n");
        }
    }
    assert!(told.is_empty(), "{told}");
}

/// Messages do not quote a validator, and do not suggest what is already there.
#[test]
#[ignore = "long"]
fn the_messages_are_plain() {
    let mut told = String::new();
    for row in crate::table::rows() {
        let is_plain = findings(&row).iter().all(|finding| {
            let message = &finding.message;
            let help = finding.help.as_deref().unwrap_or_default();
            let suggested = help
                .strip_prefix("did you mean ")
                .map(|rest| rest.trim_end_matches('?'));
            !["anyOf", "is not of type", "null is null"]
                .iter()
                .any(|raw| message.contains(raw))
                && !suggested.is_some_and(|name| message.contains(name))
        });
        if !is_plain {
            told += &format!("{}\n", row.title);
        }
    }
    assert!(told.is_empty(), "{told}");
}

#[test]
fn the_table_is_large_and_its_names_stand_once() {
    let rows = crate::table::rows();
    assert!(rows.len() >= 130, "{} rows", rows.len());
    let mut names = HashSet::new();
    for row in &rows {
        assert!(
            names.insert(&row.title),
            "two rows are called `{}`",
            row.title
        );
    }
}

/// The table has every error code that the text of a file can have.
#[test]
fn every_code_has_a_row() {
    let rows = crate::table::rows();
    let bare: Vec<Code> = Code::ALL
        .iter()
        .copied()
        .filter(|code| {
            // Changes, lints and what recordings show have tables of their own: the pairs of diff, lints, drift and codes.
            !matches!(code, Code::UnreadableFile | Code::NotFormatted)
                && !code.is_change()
                && !code.is_lint()
                && !code.is_of_recordings()
                && !rows.iter().any(|row| row.code == Some(*code))
        })
        .collect();
    assert_eq!(bare, []);
}

#[test]
fn no_mistake_hides_another() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let path = folder.path().join("probe.yaml");
    let text = r#"spec: 1
tool: probe
service: { service: probe, base_url: "https://probe.test", retries: 3 }
description: Probes.
acess: read
access: read
params:
  properties:
    id: { type: strng, description: The id. }
    n: { type: integer, default: one, description: How many. }
request:
  method: GET
  path: "/things/{{ id }}?x"
  query: { q: null, n: "{{ n + }}" }
  headers: { "x y": a }
response:
  output: { a: "$.a[", b: $.b }
  rows: [a]
"#;
    std::fs::write(&path, text).expect("a file");
    let paths = [path.display().to_string()];
    let report = toolrun::internals::check::paths(&paths).expect("the file is there");
    let found: Vec<(usize, Code)> = report
        .findings
        .iter()
        .map(|finding| (finding.position().line, finding.code))
        .collect();
    let expected = [
        (3, Code::UnknownKey),
        (5, Code::UnknownKey),
        (9, Code::OptionalInText),
        (9, Code::BadSchema),
        (10, Code::BadDefault),
        (13, Code::BadPath),
        (14, Code::WrongType),
        (14, Code::BadTemplate),
        (15, Code::BadHeader),
        (17, Code::BadJsonPath),
        (18, Code::WrongType),
    ];
    assert_eq!(found, expected);
}
