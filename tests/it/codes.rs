//! Every code of a finding: its wrong example gives it, its right example gives nothing, and `explain` and `docs/ci.md`
//! show it.

use crate::support::{Har, Workspace};
use pretty_assertions::assert_eq;
use toolrun::internals::Code;
use toolrun::internals::check;

/// A sound tool, one top-level key a line.
const BASE: [&str; 7] = [
    "spec: 1",
    "tool: probe",
    "service: { service: probe, base_url: https://probe.test }",
    "description: A probe.",
    "access: read",
    "params: { properties: { id: { type: string, default: a, description: The id. } } }",
    "request: { method: GET, path: \"/things/{{ id }}\" }",
];

/// The base with the example's top-level keys in place of its own.
fn merged(example: &str) -> String {
    let is_key = |line: &&str| line.starts_with(|c: char| c.is_ascii_lowercase());
    let key = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
    let own: Vec<String> = example.lines().filter(is_key).map(key).collect();
    let mut text: String = BASE
        .iter()
        .filter(|line| !own.contains(&key(line)))
        .map(|line| format!("{line}\n"))
        .collect();
    text.push_str(example);
    text
}

/// The changes between the two versions of an example.
fn changes(example: &str) -> Vec<Code> {
    let workspace = Workspace::new();
    for side in ["old", "new"] {
        // A version without any file would be a mistake.
        let keep = merged("tool: keep\n");
        workspace.write(&format!("{side}/keep.yaml"), keep);
    }
    let (old, new) = example.split_once("\n# new").expect("a new version");
    for (side, text) in [
        ("old", old.strip_prefix("# old").expect("an old version")),
        ("new", new),
    ] {
        let (file, text) = text.split_once('\n').unwrap_or((text, ""));
        match file.trim() {
            "-" => {}
            "" => workspace.write(&format!("{side}/probe.yaml"), merged(text)),
            file => workspace.write(&format!("{side}/{file}"), text),
        }
    }
    let told = workspace.run(&["diff", "old", "new", "--format", "json"]);
    let json = told.json();
    assert_eq!(
        json["findings"].as_array().map(Vec::len),
        Some(0),
        "{json:#}"
    );
    let changes = json["changes"].as_array().expect("a list").iter();
    changes
        .map(|change| Code::from_name(change["code"].as_str().expect("a code")).expect("a code"))
        .collect()
}

/// The codes of an example, found by what finds `code`.
fn codes(code: Code, example: &str) -> Vec<Code> {
    if example.starts_with("# old") {
        return changes(example);
    }
    let workspace = Workspace::new();
    match example.lines().next() {
        Some("# sandbox.yaml") => {
            workspace.service("https://probe.test", "");
            workspace.write("descriptors/probe/sandbox.yaml", example);
        }
        Some("# policy.yaml") => {
            workspace.write("descriptors/probe.yaml", merged(""));
            workspace.write("descriptors/policy.yaml", example);
        }
        _ => workspace.write("descriptors/probe.yaml", merged(example)),
    }
    if example.starts_with(RECORDED) {
        return recorded_codes(&workspace, example);
    }
    let path = workspace.descriptors().display().to_string();
    if code.is_lint() {
        return lints(&workspace, code, example);
    }
    if code == Code::NotFormatted {
        let told = workspace.run(&[
            "fmt",
            "--check",
            "descriptors/probe.yaml",
            "--format",
            "json",
        ]);
        let told: Vec<_> = told.json()["findings"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let names = told
            .iter()
            .filter_map(|finding| Code::from_name(finding["code"].as_str()?));
        return names.collect();
    }
    let report = check::paths(&[path]).expect("the folder is there");
    report.findings.iter().map(|finding| finding.code).collect()
}

/// How the example of a code begins that is found in recordings: `# recorded: GET /things/a -> 200 {}`.
const RECORDED: &str = "# recorded: ";

/// The codes that `drift` finds with the recording in the first line.
fn recorded_codes(workspace: &Workspace, example: &str) -> Vec<Code> {
    let line = example
        .lines()
        .next()
        .and_then(|line| line.strip_prefix(RECORDED));
    let (request, answer) = line
        .and_then(|line| line.split_once(" -> "))
        .expect("an arrow");
    let (method, path) = request.split_once(' ').expect("a path");
    let (status, body) = answer.split_once(' ').expect("a body");
    let har = Har::new().exchange(
        (method, &format!("https://probe.test{path}"), None),
        (status.parse().expect("a status"), body),
    );
    workspace.write("recorded.har", har.text());
    let report = workspace.run(&[
        "drift",
        "recorded.har",
        "--against",
        "descriptors",
        "--format",
        "json",
    ]);
    let report: serde_json::Value = serde_json::from_str(&report.stdout).expect("a report");
    let findings = report["findings"].as_array().expect("findings");
    let code = |finding: &serde_json::Value| Code::from_name(finding["code"].as_str()?);
    findings.iter().filter_map(code).collect()
}

/// What no lint finds anything in, beside the base.
const FREE_OF_LINTS: [&str; 2] = [
    "description: Tell the weight of one thing.",
    "examples: [{ name: one, args: { id: a }, request: { method: GET, url: https://probe.test/things/a } }]",
];

/// The lints of an example, beside another tool of its service; for a name that is shared, beside another service.
fn lints(workspace: &Workspace, code: Code, example: &str) -> Vec<Code> {
    let mut text = example.to_owned();
    for line in FREE_OF_LINTS {
        let key = line.split(':').next().unwrap_or_default();
        if !example
            .lines()
            .any(|own| own.starts_with(&format!("{key}:")))
        {
            text.push_str(&format!("{line}\n"));
        }
    }
    workspace.write("descriptors/probe.yaml", merged(&text));
    let other =
        merged("description: Tell the colour of a thing.\n").replace("tool: probe", "tool: other");
    workspace.write("descriptors/other.yaml", other + FREE_OF_LINTS[1] + "\n");
    if example == Code::ShadowedName.meaning().wrong {
        let second =
            merged(&FREE_OF_LINTS.join("\n")).replace("service: probe,", "service: second,");
        workspace.write("descriptors/second/probe.yaml", second);
    }
    let told = workspace
        .run(&["validate", "--lint", "descriptors", "--format", "json"])
        .json();
    let found = told["findings"].as_array().cloned().unwrap_or_default();
    let named = found
        .iter()
        .filter_map(|finding| Code::from_name(finding["code"].as_str()?));
    let mut named: Vec<Code> = named.collect();
    // Of a shared name, both tools have the finding.
    named.dedup();
    assert!(named.is_empty() || named == [code], "{told:#}");
    named
}

#[test]
fn the_base_is_sound() {
    assert_eq!(codes(Code::UnknownKey, ""), []);
    assert_eq!(codes(Code::NotFormatted, ""), []);
}

#[test]
#[ignore = "long"]
fn every_wrong_example_gives_its_code_and_every_right_one_nothing() {
    for code in Code::ALL
        .iter()
        .filter(|code| **code != Code::UnreadableFile)
    {
        let meaning = code.meaning();
        let found = codes(*code, meaning.wrong);
        assert!(
            !found.is_empty() && found.iter().all(|f| f == code),
            "{code}: {found:?}"
        );
        assert_eq!(codes(*code, meaning.right), [], "{code}: the right example");
    }
}

#[test]
fn a_file_that_is_no_utf_8_is_a_finding() {
    let workspace = Workspace::new();
    workspace.write("descriptors/probe.yaml", b"description: caf\xe9\n");
    let told = workspace.run(&["validate", "descriptors"]).expect(3).stdout;
    assert!(
        told.contains("unreadable-file") && told.contains("byte 16"),
        "{told}"
    );
}

#[test]
fn explain_tells_every_code() {
    let workspace = Workspace::new();
    for code in Code::ALL {
        let told = workspace.run(&["explain", code.name()]).expect(0).stdout;
        let meaning = code.meaning();
        assert!(
            told.contains(meaning.summary) && told.contains("Wrong:"),
            "{told}"
        );
    }
    let told = workspace.run(&["explain", "unknown-ky"]).expect(2).stderr;
    assert!(told.contains("did you mean `unknown-key`?"), "{told}");
}

#[test]
fn the_page_about_ci_has_the_table_of_codes() {
    let table = Workspace::new()
        .run(&["explain", "--markdown"])
        .expect(0)
        .stdout;
    let page = include_str!("../../docs/ci.md");
    assert!(
        page.contains(&table),
        "put this table into docs/ci.md:\n{table}"
    );
}
