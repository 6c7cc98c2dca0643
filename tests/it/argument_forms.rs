//! Each form of an argument with each type of param: what is sent, or what is answered. The table stands in
//! `argument_forms.txt`, to be read; `RENEW_SCREENS=1` writes it anew.

use std::fmt::Write as _;
use std::path::Path;
use std::thread;

use crate::support::Workspace;
use pretty_assertions::assert_eq;
use serde_json::Value;

const TYPES: [(&str, &str); 15] = [
    ("string", "type: string"),
    ("pattern", "type: string, pattern: '^[a-z]+$'"),
    ("enum", "enum: [one, two]"),
    ("date-time", "type: string, format: date-time"),
    ("date", "type: string, format: date"),
    ("integer", "type: integer"),
    ("number", "type: number"),
    ("boolean", "type: boolean"),
    ("string or null", "type: [string, 'null']"),
    ("integer or string", "type: [integer, string]"),
    ("any", "description: Anything."),
    ("strings", "type: array, items: { type: string }"),
    ("integers", "type: array, items: { type: integer }"),
    ("enums", "type: array, items: { enum: [one, two] }"),
    (
        "object",
        "type: object, properties: { a: { type: integer }, b: { type: string } }",
    ),
];

/// The forms; `p` is the param.
const FORMS: [&[&str]; 34] = [
    &["p=x"],
    &["p=one"],
    &["p=3"],
    &["p=1.0"],
    &["p=1e3"],
    &["p=007"],
    &["p=true"],
    &["p=yes"],
    &["p=null"],
    &["p="],
    &["p= 3"],
    &["p=one,two"],
    &["p=1,2"],
    &["p=[1]"],
    &["p={\"a\":1}"],
    &["p=2026-11-01"],
    &["p=a=b"],
    &["p=one", "p=two"],
    &["p=@three.txt"],
    &["p=@missing.txt"],
    &["p:=3"],
    &["p:=\"x\""],
    &["p:=true"],
    &["p:=null"],
    &["p:=[\"one\"]"],
    &["p:=[1]"],
    &["p:={\"a\":1}"],
    &["p:=x"],
    &["p:=@filter.json"],
    &["p.a=1"],
    &["p.c=1"],
    &["--p", "3"],
    &["--p=one"],
    &["{\"p\":3}"],
];

fn workspace() -> Workspace {
    let workspace = Workspace::new();
    workspace.service("https://api.probe.test", "");
    for (at, (_, schema)) in TYPES.iter().enumerate() {
        let tool = format!(
            "params: {{ properties: {{ p: {{ {schema} }} }} }}\n\
             request: {{ method: POST, path: /x, body: {{ json: {{ p: '{{{{ p }}}}' }} }} }}"
        );
        workspace.tool(&format!("send-{at}"), "write", &tool);
    }
    workspace.write("three.txt", "3\n");
    workspace.write("filter.json", r#"{"a": 1, "b": "x"}"#);
    workspace
}

/// What is sent, or the error.
fn outcome(workspace: &Workspace, tool: usize, form: &[&str]) -> String {
    let name = format!("send-{tool}");
    let output = workspace.run(&[&["call", &name, "--dry-run=json"], form].concat());
    if output.code != 0 {
        assert_eq!(output.code, 2, "{form:?}: {}", output.stderr);
        assert!(output.stdout.is_empty(), "{form:?}");
        return output
            .stderr
            .trim_end()
            .replace(&name, "send")
            .replace('\n', "\n        ");
    }
    let body: Value = output.json()["body"]["p"].take();
    let notes = output.stderr.trim_end().replace('\n', "\n        ");
    match notes.is_empty() {
        true => format!("= {body}"),
        false => format!("= {body}\n        {notes}"),
    }
}

#[test]
#[ignore = "long"]
fn each_form_of_each_type_is_sent_or_answered() {
    let workspace = workspace();
    workspace.run(&["validate", "descriptors"]).expect(0);
    let mut text = String::new();
    let tables: Vec<String> = thread::scope(|scope| {
        let table = |at: usize| {
            let mut table = String::new();
            for form in FORMS {
                let told = outcome(&workspace, at, form);
                let _ = writeln!(table, "    {}\n        {told}", form.join(" "));
            }
            table
        };
        let tasks: Vec<_> = (0..TYPES.len())
            .map(|at| scope.spawn(move || table(at)))
            .collect();
        tasks
            .into_iter()
            .map(|task| task.join().expect("it ends"))
            .collect()
    });
    for ((name, schema), table) in TYPES.iter().zip(tables) {
        let _ = writeln!(text, "{name}: {schema}\n{table}");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/argument_forms.txt");
    if std::env::var_os("RENEW_SCREENS").is_some() {
        std::fs::write(&path, &text).expect("written");
    }
    let known = std::fs::read_to_string(&path).expect("the table is there");
    assert_eq!(text, known);
}
