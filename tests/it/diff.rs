//! `toolrun diff`: what each pair of versions in the tables changes, and for whom.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::support::{Output, Workspace};
use pretty_assertions::assert_eq;
use serde_json::Value;

const PAIRS: &str = include_str!("../fixtures/diff/pairs.txt");
const PARAMS: &str = include_str!("../fixtures/diff/params.txt");

const TOOL: &str = r#"spec: 1
tool: get-order
service: shop
description: Get an order.
access: read
params: { required: [id], properties: { id: { type: string, description: The id. }, limit: { type: integer, description: How many. } } }
request: { method: GET, path: "/orders/{{ id }}", query: [limit] }
response: { output: { id: $.id, total: $.total, lines: { each: "$.lines[*]", as: { sku: $.sku } } }, rows: lines }
examples: [{ name: one, args: { id: A-1 }, response: { body: { id: A-1, total: 35, code: x, lines: [{ sku: a, count: 2 }] } } }]
"#;

const SERVICE: &str = r#"spec: 1
service: shop
base_url: https://shop.test/v1
headers: { x-version: "1" }
auth: { kind: bearer, secret: { env: SHOP_TOKEN } }
"#;

const TOOL_FILE: &str = "shop/get-order.yaml";
const SERVICE_FILE: &str = "shop/service.yaml";

/// The base with the text's top-level keys in place of its own, each where it stood.
fn merged(base: &str, text: &str) -> String {
    let mut own: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match line.starts_with(|c: char| c.is_ascii_lowercase()) {
            true => {
                let key = line.split(':').next().unwrap_or_default().to_owned();
                own.push((key, format!("{line}\n")));
            }
            false => {
                let (_, last) = own.last_mut().expect("a key");
                last.push_str(&format!("{line}\n"));
            }
        }
    }
    let mut written = String::new();
    for line in base.lines() {
        let key = line.split(':').next().unwrap_or_default();
        match own.iter().position(|(name, _)| name == key) {
            Some(at) => written.push_str(&own.remove(at).1),
            None => written.push_str(&format!("{line}\n")),
        }
    }
    own.iter().for_each(|(_, text)| written.push_str(text));
    written
}

/// A pair of versions, and the changes that are expected: code, side, line, classes.
#[derive(Debug, Default)]
struct Row {
    name: String,
    expected: Vec<String>,
    /// By side and file.
    files: BTreeMap<(String, String), String>,
}

impl Row {
    fn versions(&self) -> [BTreeMap<String, String>; 2] {
        ["old", "new"].map(|side| {
            let mut files = BTreeMap::from([
                (TOOL_FILE.to_owned(), TOOL.to_owned()),
                (SERVICE_FILE.to_owned(), SERVICE.to_owned()),
            ]);
            let own = self.files.iter().filter(|((of, _), _)| of == side);
            for ((_, file), text) in own {
                match file.as_str() {
                    "-" => drop(files.remove(TOOL_FILE)),
                    TOOL_FILE => drop(files.insert(file.clone(), merged(TOOL, text))),
                    SERVICE_FILE => drop(files.insert(file.clone(), merged(SERVICE, text))),
                    "order.yaml" => drop(files.insert("shop/order.yaml".to_owned(), text.clone())),
                    _ => drop(files.insert(file.clone(), text.clone())),
                }
            }
            files
        })
    }
}

fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut into: Option<(String, String)> = None;
    for line in PAIRS.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            let name = name.to_owned();
            rows.push(Row {
                name,
                ..Row::default()
            });
            into = None;
        } else if let Some(row) = rows.last_mut() {
            if let Some(expected) = line.strip_prefix("= ") {
                row.expected.push(expected.to_owned());
            } else if let Some(words) = line.strip_prefix("-- ") {
                let (side, file) = words.split_once(' ').unwrap_or((words, TOOL_FILE));
                let place = (side.to_owned(), file.to_owned());
                row.files.insert(place.clone(), String::new());
                into = Some(place);
            } else if let Some(place) = into.as_ref().filter(|_| !line.is_empty()) {
                let text = row.files.get_mut(place).expect("a file");
                text.push_str(&format!("{line}\n"));
            }
        }
    }
    for line in PARAMS.lines().filter(|line| !line.starts_with('#')) {
        let parts: Vec<&str> = line.split(" | ").collect();
        let [old, new, expected] = parts.as_slice() else {
            panic!("{line}");
        };
        let text = |schema: &str| {
            let schema = schema.replacen('{', "{ description: How many.,", 1);
            let id = "id: { type: string, description: The id. }";
            let method = "request: { method: POST, path: \"/orders/{{ id }}\", body: { json: { limit: \"{{ limit }}\" } } }\n";
            format!(
                "params: {{ required: [id], properties: {{ {id}, limit: {schema} }} }}\n{method}"
            )
        };
        let expected = match expected.split_once(' ') {
            Some((code, classes)) => {
                let is_lost = *code == *"default-changed" && !new.contains("default");
                let side = if is_lost { "old" } else { "new" };
                vec![format!("{code} {side} 6 {classes}")]
            }
            None => Vec::new(),
        };
        let file =
            |side: &str, schema: &str| ((side.to_owned(), TOOL_FILE.to_owned()), text(schema));
        rows.push(Row {
            name: line.to_owned(),
            expected,
            files: BTreeMap::from([file("old", old), file("new", new)]),
        });
    }
    rows
}

fn write(folder: &Path, files: &BTreeMap<String, String>) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
}

fn letter(class: &Value) -> &'static str {
    match class.as_str() {
        Some("breaking") => "B",
        Some("compatible") => "C",
        Some("cosmetic") => "d",
        _ => "-",
    }
}

/// The changes that the program tells, in the words of the table.
fn told(output: &Output) -> Vec<String> {
    let json = output.json();
    let mut told: Vec<String> = Vec::new();
    for change in json["changes"].as_array().expect("a list") {
        let classes = ["callers", "operators", "wire"].map(|name| letter(&change["classes"][name]));
        let classes = match change["accepted"].is_null() {
            true => classes.join("/"),
            false => "accepted".to_owned(),
        };
        let word = |key: &str| change[key].as_str().unwrap_or_default().to_owned();
        let side = word("side");
        let place = &change["place"];
        assert!(
            place["file"].as_str().expect("a file").starts_with(&side),
            "{change:#}"
        );
        told.push(format!(
            "{} {side} {} {classes}",
            word("code"),
            place["line"]
        ));
    }
    for finding in json["findings"].as_array().expect("a list") {
        let code = finding["code"].as_str().unwrap_or_default();
        told.push(format!("{code} new {} error", finding["place"]["line"]));
    }
    told.sort();
    told
}

#[test]
#[ignore = "long"]
fn each_pair_changes_what_the_table_says() {
    let rows = rows();
    let mut wrong = String::new();
    for row in &rows {
        let workspace = Workspace::new();
        let [old, new] = row.versions();
        write(&workspace.path().join("old"), &old);
        write(&workspace.path().join("new"), &new);
        let output = workspace.run(&["diff", "old", "new", "--format", "json"]);
        let found = told(&output);
        let mut expected = row.expected.clone();
        expected.sort();
        let breaks = |line: &String| {
            let is_error = line.ends_with("error") && !line.starts_with("needless");
            is_error || line.rsplit(' ').next().unwrap_or_default().contains('B')
        };
        let code = if expected.iter().any(breaks) { 3 } else { 0 };
        if found != expected || output.code != code {
            let messages: Vec<String> = output.json()["changes"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|change| format!("      {}", change["message"]))
                .collect();
            wrong.push_str(&format!(
                "{}\n  expected {expected:?}\n  found    {found:?} exit {}\n{}\n{}",
                row.name,
                output.code,
                messages.join("\n"),
                output.stderr
            ));
        }
    }
    assert!(wrong.is_empty(), "of {} rows\n{wrong}", rows.len());
    assert!(rows.len() >= 190, "{} rows", rows.len());
}

#[test]
fn the_names_of_rows_stand_once() {
    let mut names: Vec<String> = rows().into_iter().map(|row| row.name).collect();
    let before = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), before);
}

/// Two folders with one tool each, of which the second has lost a param and got another description.
fn two_versions() -> Workspace {
    let workspace = Workspace::new();
    let files = |text: &str| {
        BTreeMap::from([
            (TOOL_FILE.to_owned(), merged(TOOL, text)),
            (SERVICE_FILE.to_owned(), SERVICE.to_owned()),
        ])
    };
    write(&workspace.path().join("old"), &files(""));
    write(&workspace.path().join("new"), &files(CHANGED));
    workspace
}

const CHANGED: &str = r#"description: Get one order.
params: { required: [id], properties: { id: { type: string, description: The id. }, full: { type: boolean, description: All. } } }
request: { method: GET, path: "/orders/{{ id }}", query: [full] }
"#;

#[test]
fn people_see_each_change_at_its_line() {
    let told = two_versions()
        .run(&["diff", "old", "new", "--all"])
        .expect(3)
        .stdout;
    let expected = r"note[docs-changed]: changed: description (cosmetic for callers)
 --> new/shop/get-order.yaml:4:1
  |
4 | description: Get one order.
  | ^^^^^^^^^^^

note[param-added]: the param `full` is new and may be left out (compatible for callers)
 --> new/shop/get-order.yaml:6:93
  |
6 | params: { required: [id], properties: { id: { type: string, description: The id. }, full: { type: boolean, description: All. } } }
  |                                                                                     ^^^^

error[param-gone]: the param `limit` is gone (breaking for callers)
 --> old/shop/get-order.yaml:6:85
  |
6 | params: { required: [id], properties: { id: { type: string, description: The id. }, limit: { type: integer, description: How many. } } }
  |                                                                                     ^^^^^

1 breaking, 1 compatible, 1 cosmetic
";
    assert_eq!(told, expected.replace(":6:93", ":6:85"));
    let told = two_versions().run(&["diff", "old", "new"]).expect(3).stdout;
    assert!(
        told.ends_with("1 breaking, 1 compatible, 1 cosmetic (not shown; --all shows them)\n"),
        "{told}"
    );
    assert!(!told.contains("docs-changed"), "{told}");
}

#[test]
fn a_changelog_has_its_sections() {
    let told = two_versions();
    let told = told
        .run(&["diff", "old", "new", "--output", "markdown"])
        .expect(3);
    let expected = r"# Changes from old to new

## Breaking

### shop

- **get-order**: the param `limit` is gone (for callers)

## Added

### shop

- **get-order**: the param `full` is new and may be left out

## Changed

### shop

- **get-order**: changed: description
";
    assert_eq!(told.stdout, expected);
}

#[test]
fn a_changelog_says_what_works_again_and_what_is_accepted() {
    let workspace = two_versions();
    workspace.write("old/shop/other.yaml", "spec: 1\ntool: [other]\n");
    let text = merged(TOOL, "").replace("get-order", "other");
    workspace.write("new/shop/other.yaml", text);
    let allow = "param-gone shop/get-order=Nobody gave it.";
    let told = workspace.run(&[
        "diff", "old", "new", "--format", "markdown", "--allow", allow,
    ]);
    let told = told.expect(3).stdout;
    for part in [
        "## Fixed\n\n### shop\n\n- **other**: it was not valid",
        "Accepted: Nobody gave it.",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn github_and_sarif_name_the_places() {
    let workspace = two_versions();
    let told = workspace
        .run(&["diff", "old", "new", "--format", "github"])
        .expect(3)
        .stdout;
    assert!(
        told.contains("::error file=old/shop/get-order.yaml,line=6,endLine=6,col=85,endColumn=90,title=param-gone::the param `limit` is gone")
            && told.contains("::notice file=new/shop/get-order.yaml,line=6,"),
        "{told}"
    );
    let log = workspace
        .run(&["diff", "old", "new", "--format", "sarif"])
        .expect(3)
        .json();
    let schema = include_str!("../fixtures/sarif-2.1.0-rtm.5.json").replace("]?$", r"\\]?$");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let problems: Vec<String> = validator.iter_errors(&log).map(|e| e.to_string()).collect();
    assert_eq!(problems, Vec::<String>::new());
    let results = log["runs"][0]["results"].as_array().expect("a list");
    let levels: Vec<&str> = results.iter().filter_map(|r| r["level"].as_str()).collect();
    assert_eq!(levels, ["note", "note", "error"]);
}

#[test]
fn the_exit_code_follows_what_is_asked_for() {
    let workspace = two_versions();
    let run = |more: &[&str]| {
        let arguments = [&["diff", "old", "new", "--format", "json"], more].concat();
        workspace.run(&arguments).code
    };
    for (more, code) in [
        (&[][..], 3),
        (&["--fail-on", "any"], 3),
        (&["--fail-on", "never"], 0),
        (&["--for", "operators"], 0),
        (&["--for", "operators", "--fail-on", "any"], 0),
        (&["--for", "callers"], 3),
        (&["--for", "wire", "--for", "callers"], 3),
        (&["--allow", "param-gone=It is not used."], 0),
        (&["--allow", "param-gone shop/get-order=It is not used."], 0),
        (&["--allow", "param-gone shop=It is not used."], 0),
        (&["--allow", "param-gone shop/other=It is not used."], 3),
        (
            &["--allow", "param-gone=It is not used.", "--fail-on", "any"],
            3,
        ),
        (&["--allow", "param-gone="], 2),
        (&["--allow", "unknown-key=It is."], 2),
        (&["--allow", "param-gone"], 2),
    ] {
        assert_eq!(run(more), code, "{more:?}");
    }
    for arguments in [
        &["diff"][..],
        &["diff", "old"],
        &["diff", "old", "new", "old"],
        &["diff", "old", "nowhere"],
    ] {
        let told = workspace.run(arguments).expect(2);
        assert!(!told.stderr.is_empty() && told.stdout.is_empty());
    }
    let same = workspace
        .run(&["diff", "old", "old", "--fail-on", "any"])
        .expect(0);
    assert_eq!(same.stdout, "0 breaking, 0 compatible, 0 cosmetic\n");
}

#[test]
fn single_files_are_compared() {
    let workspace = two_versions();
    let told = workspace.run(&[
        "diff",
        "old/shop/get-order.yaml",
        "new/shop/get-order.yaml",
        "--format",
        "json",
    ]);
    assert_eq!(
        self::told(&told),
        [
            "docs-changed new 4 d/-/-",
            "param-added new 6 C/-/-",
            "param-gone old 6 B/-/-"
        ]
    );
}

/// All files of a folder, below it.
pub(crate) fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(files_below(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

#[test]
fn the_built_in_tools_written_in_another_way_are_the_same() {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools");
    let workspace = Workspace::new();
    let mut count = 0;
    for path in files_below(&tools) {
        let text = fs::read_to_string(&path).expect("a file");
        let source = toolrun::internals::Source::parse("it".to_owned(), text.into()).expect("YAML");
        let Value::Object(members) = source.value() else {
            panic!("{}", path.display());
        };
        // JSON is YAML; the keys come in another order, without a comment.
        let turned: serde_json::Map<String, Value> = members.clone().into_iter().rev().collect();
        let below = path
            .strip_prefix(&tools)
            .expect("below")
            .display()
            .to_string();
        let text = serde_json::to_string_pretty(&Value::Object(turned)).expect("JSON");
        workspace.write(&format!("again/{below}"), text);
        count += 1;
    }
    let tools = tools.display().to_string();
    for new in [tools.as_str(), "again"] {
        let told = workspace.run(&["diff", &tools, new, "--format", "json", "--fail-on", "any"]);
        let json = told.expect(0).json();
        assert_eq!(json["changes"], serde_json::json!([]));
        assert_eq!(json["findings"], serde_json::json!([]));
        assert_eq!(json["files"], count);
    }
    assert!(count > 190, "{count} files");
}

#[test]
fn what_is_no_descriptor_is_an_error_and_not_silence() {
    let workspace = two_versions();
    let run = || workspace.run(&["diff", "old", "new", "--format", "json"]);
    let before = told(&run());
    for (file, bytes) in [
        ("bytes.yaml", &b"\xff\xfe\x00"[..]),
        ("cut.yaml", b"spec: 1\ntool: 'cut"),
        ("list.yaml", b"- 1\n- 2\n"),
        ("empty.yaml", b""),
    ] {
        for side in ["old", "new"] {
            let path = workspace.path().join(side).join(file);
            fs::write(&path, bytes).expect("a file");
            let output = run().expect(3);
            let told = told(&output);
            assert!(told.len() > before.len(), "{side} {file}: {told:?}");
            fs::remove_file(path).expect("a file");
        }
    }
    let large = "# ".repeat(1 << 20);
    workspace.write("new/large.yaml", large);
    assert!(run().expect(3).stdout.contains("unreadable-file"));
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_an_error() {
    let workspace = two_versions();
    for format in ["human", "json", "github", "sarif", "markdown"] {
        let full = fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .expect("a device");
        let mut command = workspace.toolrun();
        command
            .args(["diff", "old", "new", "--format", format])
            .stdout(full);
        assert_eq!(
            command.status().expect("it starts").code(),
            Some(1),
            "{format}"
        );
    }
}

#[test]
fn no_form_tells_a_secret_that_stands_in_a_descriptor() {
    let workspace = Workspace::new();
    let key = |name: &str, side: &str| format!("sk-ant-{name}-{side}abcdefghijklmnopqrstuvwxyz");
    // Letters as random as those of a key without a known prefix.
    let random = |side: &str| format!("Zk3Jq9Xw2Lp8Vb5Nm7Rt4Yc6{side}");
    for side in ["old", "new"] {
        let long = format!("{} {}", "x".repeat(80), key("long", side));
        let service = format!(
            "spec: 1\nservice: shop\nbase_url: https://shop.test/v1\nheaders: {{ x-key: {}, x-api-key: '{side} + pear', x-long: {long} }}\n",
            key("header", side),
        );
        let text = format!(
            "params: {{ required: [id], properties: {{ id: {{ type: string, description: The id. }}, limit: {{ type: string, default: {}, description: How many. }} }} }}
request: {{ method: POST, path: '/orders/{}/{{{{ id }}}}', query: {{ limit: '{{{{ limit }}}}', password: '{side} & apple', q: {} }}, body: {{ json: {{ k: {}, long: {long} }} }} }}
response: {{ output: {{ id: $.id, a: {{ literal: {} }}, lines: {{ each: '$.lines[*]', as: {{ sku: $.sku }} }} }}, rows: lines }}
",
            key("default", side),
            key("path", side),
            random(side),
            key("body", side),
            key("output", side),
        );
        write(
            &workspace.path().join(side),
            &BTreeMap::from([
                (TOOL_FILE.to_owned(), merged(TOOL, &text)),
                (SERVICE_FILE.to_owned(), service),
            ]),
        );
    }
    for format in ["human", "json", "markdown", "github", "sarif"] {
        let told = workspace.run(&["diff", "old", "new", "--all", "--format", format]);
        let told = told.expect(3).stdout;
        for part in ["sk-ant-", "abcdefgh", "pear", "apple", "Zk3Jq9", "qrstuvw"] {
            assert!(!told.contains(part), "{format} {part}: {told}");
        }
        for part in ["x-key", "x-api-key", "password", "limit", "path"] {
            assert!(told.contains(part), "{format} {part}: {told}");
        }
    }
}
