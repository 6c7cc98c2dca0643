//! The JSON Schemas in `schemas/`, which editors use, agree with `toolrun validate`: they refuse every mistake of shape,
//! and nothing that is sound. Checked with the validator that toolrun itself uses, and with one in Python.

use std::borrow::Cow;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use crate::support::doc_pages;
use crate::table::{Row, rows};
use serde_json::{Value, json};
use toolrun::internals::check::Kind;
use toolrun::internals::{Code, Source};

/// Mistakes of shape, which the schemas can find. Params are checked by the schema of JSON Schema itself.
const SHAPE: [Code; 6] = [
    Code::UnknownKey,
    Code::MissingKey,
    Code::WrongType,
    Code::BadValue,
    Code::BadName,
    Code::BadSchema,
];

/// Rows with such a code that no schema can find: each needs more than the value itself, or is in free data.
const BEYOND_A_SCHEMA: &[&str] = &[
    "bad-name: too long with the service's name",
    "bad-name: a tool in a file of another name",
    "bad-name: a service in a folder of another name",
    "bad-name: a param called params",
    "bad-name: a param called settings",
    "bad-name: a param called created where a job is waited for",
    "missing-key: the refresh token",
    "missing-key: where the signature goes",
    "bad-value: a refresh token that is not used",
    "bad-value: a second access token",
    "bad-value: a message that is always the same",
    "bad-schema: a reference that leads nowhere",
    "unknown-key: a style of a form field, misspelt",
    "unknown-key: a misspelt key of a zip",
    "bad-name: a name that no expression can read",
    "bad-value: a prefix with a line break",
    "bad-value: a word before the value of a cookie",
    "bad-value: a semicolon before the value of a cookie",
    "bad-value: a prefix of a key in the path",
    "bad-value: an optional key in the path",
    "bad-value: an optional credential without a secret",
    "bad-value: a pattern that is not closed",
    "bad-value: no pattern at all",
    "bad-value: an empty pattern",
    "bad-value: a condition without braces",
    "bad-value: a condition that is a text with an expression",
    "duplicate-name: two callers of one name",
    "bad-value: two callers with one token",
    "bad-value: a day that there is not",
    "bad-value: a scope with a blank",
    "bad-value: an empty audience",
    "bad-value: a copy of what a tool writes",
    "bad-value: a tool that is its own parent",
];

/// A descriptor, and whether a schema must refuse it. `None` where the mistake is no mistake of shape: the schema may
/// see it.
struct Case {
    name: String,
    kind: Kind,
    value: Value,
    is_refused: Option<bool>,
}

fn value(name: &str, text: String) -> Option<Value> {
    let source = Source::parse(name.to_owned(), Cow::Owned(text)).ok()?;
    Some(source.value().clone())
}

fn kind_of(path: &Path) -> Kind {
    match path.file_name().and_then(|name| name.to_str()) {
        Some("service.yaml") => Kind::Service,
        Some("sandbox.yaml") => Kind::Sandbox,
        Some("policy.yaml") => Kind::Policy,
        Some("callers.yaml") => Kind::Callers,
        _ => Kind::Tool,
    }
}

/// The rows that are YAML at all.
fn broken() -> impl Iterator<Item = Case> {
    rows().into_iter().filter_map(|row| {
        let is_shape = row.code.is_some_and(|code| SHAPE.contains(&code));
        Some(Case {
            value: value(&row.title, row.text)?,
            is_refused: is_shape.then(|| !BEYOND_A_SCHEMA.contains(&row.title.as_str())),
            name: row.title,
            kind: row.kind,
        })
    })
}

/// The descriptors that the pages of the documentation show: whole files, and here-documents in scripts.
fn shown() -> Vec<(String, Kind, String)> {
    let mut shown = Vec::new();
    for page in doc_pages() {
        for (i, block) in page.blocks().into_iter().enumerate() {
            let name = format!("{}, block {i}", page.name);
            let text = match block.language {
                "sh" => {
                    let inner = block.text.split("<<'YAML'\n").nth(1).unwrap_or_default();
                    inner.split("YAML").next().unwrap_or_default()
                }
                _ => block.text,
            };
            let kind = kind_of(Path::new(block.path().unwrap_or("tool.yaml")));
            // A page shows broken files too, to show what is found.
            let is_broken = block.path().is_some_and(|path| path.starts_with("broken/"));
            let mut lines = text.lines().filter(|line| !line.starts_with('#'));
            if lines.next() == Some("spec: 1") && !is_broken {
                shown.push((name, kind, text.to_owned()));
            }
        }
    }
    shown
}

/// Everything that the repository shows as a good descriptor.
fn good() -> Vec<Case> {
    let mut texts: Vec<(String, Kind, String)> = Kind::ALL
        .map(Row::sound)
        .map(|row| (row.title, row.kind, row.text))
        .into();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["tools", "tests/fixtures", "tests/foreign"] {
        let pattern = root.join(folder).join("**/*.yaml");
        let found = glob::glob(&pattern.to_string_lossy()).expect("a glob");
        for path in found.map(|path| path.expect("a path")) {
            let text = fs::read_to_string(&path).expect("UTF-8");
            // Documents to import and lists for other programs are no descriptors.
            let is_other = ["openapi", "curl", "tasks", "conformance/expected-failures"]
                .iter()
                .any(|other| {
                    let path = path.to_string_lossy();
                    path.contains(&format!("tests/fixtures/{other}"))
                });
            if is_other {
                continue;
            }
            texts.push((path.display().to_string(), kind_of(&path), text));
        }
    }
    texts.extend(shown());
    for code in Code::ALL.iter().map(|code| code.meaning()) {
        let first = code.right.lines().next().unwrap_or_default();
        // Two versions are no file.
        if first.starts_with("# old") {
            continue;
        }
        let kind = kind_of(Path::new(first.trim_start_matches("# ")));
        if kind != Kind::Tool {
            texts.push((code.name.to_owned(), kind, code.right.to_owned()));
        }
    }
    let case = |(name, kind, text): (String, Kind, String)| Case {
        value: value(&name, text).unwrap_or_else(|| panic!("{name} is YAML")),
        is_refused: Some(false),
        name,
        kind,
    };
    texts.into_iter().map(case).collect()
}

/// Asserts the verdicts, `true` for refused.
#[track_caller]
fn compare(cases: &[Case], verdicts: &[bool]) {
    assert_eq!(cases.len(), verdicts.len());
    let mut told = String::new();
    for (case, is_refused) in cases.iter().zip(verdicts) {
        if case
            .is_refused
            .is_some_and(|expected| expected != *is_refused)
        {
            let verdict = if *is_refused { "refuses" } else { "takes" };
            told += &format!("the schema {verdict} {}\n", case.name);
        }
    }
    assert!(told.is_empty(), "of {} descriptors\n{told}", cases.len());
}

fn cases() -> Vec<Case> {
    good().into_iter().chain(broken()).collect()
}

#[test]
fn there_are_good_and_bad_cases() {
    let cases = cases();
    let refused = cases
        .iter()
        .filter(|case| case.is_refused == Some(true))
        .count();
    assert!(good().len() >= 12, "{} good ones", good().len());
    assert!(shown().len() >= 30, "{} on pages", shown().len());
    assert!(refused >= 100, "{refused} of shape");
    for name in BEYOND_A_SCHEMA {
        assert!(
            cases.iter().any(|case| case.name == *name),
            "no row `{name}`"
        );
    }
}

#[test]
fn the_schema_files_agree_with_validate() {
    let validators = Kind::ALL.map(|kind| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
        let text = fs::read_to_string(path.join(kind.file_name())).expect("a schema");
        let schema = serde_json::from_str(&text).expect("JSON");
        (kind, jsonschema::validator_for(&schema).expect("a schema"))
    });
    let cases = cases();
    let is_refused = |case: &Case| {
        let (_, validator) = validators.iter().find(|(kind, _)| *kind == case.kind)?;
        Some(!validator.is_valid(&case.value))
    };
    let verdicts: Vec<bool> = cases.iter().filter_map(is_refused).collect();
    compare(&cases, &verdicts);
}

#[test]
#[ignore = "long"]
fn a_validator_in_python_agrees_with_validate() {
    let cases = cases();
    let listed: Vec<Value> = cases
        .iter()
        .map(|case| json!({ "schema": case.kind.file_name(), "value": case.value }))
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("cases.json"), json!(listed).to_string()).expect("a file");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("python3")
        .arg(root.join("tests/it/schema_agreement.py"))
        .arg(root.join("schemas"))
        .arg(folder.path())
        .output();
    let output = match output {
        Ok(output) if output.status.code() != Some(77) => output,
        _ => {
            // Printed directly, because the test runner hides the output of a passing test.
            let told = "SKIPPED: a second validator needs python3 with the module `jsonschema`";
            return writeln!(std::io::stderr(), "{told}").expect("standard error");
        }
    };
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    let verdicts: Vec<bool> = lines.lines().map(|line| line == "refused").collect();
    compare(&cases, &verdicts);
}
