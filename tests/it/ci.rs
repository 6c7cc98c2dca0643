//! What a CI job relies on: which files are checked, and what each format says about warnings and places.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Workspace, output};

const SOUND: &str = "request: { method: GET, path: /things }";
const WARNS: &str = "request: { method: DELETE, path: /things }";

#[test]
fn junit_fails_on_warnings_where_they_are_denied() {
    let workspace = Workspace::new();
    workspace.service("https://probe.test", "");
    workspace.tool("warns", "read", WARNS);
    let told = workspace
        .run(&["validate", "descriptors", "--format", "junit"])
        .expect(0)
        .stdout;
    assert!(
        told.contains(r#"tests="2" failures="0""#) && told.contains("<system-out>warning: "),
        "{told}"
    );
    let denied = workspace.run(&[
        "validate",
        "descriptors",
        "--format",
        "junit",
        "--deny-warnings",
    ]);
    let told = denied.expect(3).stdout;
    assert!(told.contains(r#"tests="2" failures="1""#), "{told}");
    assert!(told.contains(r#"<failure type="unusual-access""#), "{told}");
}

#[test]
fn sarif_places_are_relative_or_file_uris() {
    let workspace = Workspace::new();
    workspace.service("https://probe.test", "");
    workspace.tool("a b", "read", SOUND);
    let inside = workspace.path().canonicalize().expect("a path");
    let outside = Workspace::new();
    outside.write("out/x y.yaml", "spec: 1\n");
    let out = outside.path().canonicalize().expect("a path").join("out");
    let up = format!(
        "../{}/out",
        outside
            .path()
            .file_name()
            .expect("a name")
            .to_str()
            .expect("a name")
    );
    let uris = |path: &str| -> Vec<String> {
        let log = workspace
            .run(&["validate", path, "--format", "sarif"])
            .expect(3)
            .json();
        let results = log["runs"][0]["results"].as_array().expect("a list");
        let uri = |result: &Value| {
            result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].clone()
        };
        results
            .iter()
            .map(|result| uri(result).as_str().expect("a text").to_owned())
            .collect()
    };
    let here = "descriptors/probe/a%20b.yaml";
    let there = format!("file://{}/x%20y.yaml", out.display());
    for (path, expected) in [
        ("descriptors", here),
        ("./descriptors", here),
        ("descriptors/probe/a b.yaml", here),
        ("descriptors/../descriptors/probe/a b.yaml", here),
        (inside.join("descriptors").to_str().expect("a path"), here),
        (out.to_str().expect("a path"), &there),
        (&up, &there),
    ] {
        let found = uris(path);
        assert!(
            !found.is_empty() && found.iter().all(|uri| uri == expected),
            "{path}: {found:?}"
        );
    }
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .current_dir(folder)
        .args(arguments);
    assert_eq!(output(&mut command).code, 0);
}

/// The files of a checkout that are no descriptors of it: hidden ones, and those that git ignores.
#[test]
fn a_folder_is_checked_without_what_is_hidden_or_ignored() {
    let workspace = Workspace::new();
    workspace.service("https://probe.test", "");
    workspace.tool("sound", "read", SOUND);
    for name in [
        ".github/workflows/ci.yaml",
        ".hidden.yaml",
        "node_modules/x/broken.yaml",
        "descriptors/probe/generated.yaml",
        "descriptors/.cache/x.yaml",
    ] {
        workspace.write(name, "on: push\n");
    }
    workspace.write(".gitignore", "node_modules/\n");
    workspace.write("descriptors/.gitignore", "generated.yaml\n");
    // Without a repository, git ignores nothing.
    let told = workspace.run(&["validate", "."]).expect(3).stdout;
    assert!(
        told.contains("broken.yaml") && !told.contains("ci.yaml"),
        "{told}"
    );
    git(workspace.path(), &["init", "-q"]);
    for path in [".", "descriptors"] {
        let told = workspace.run(&["validate", path]).expect(0).stdout;
        assert!(told.contains("2 files: 0 errors"), "{path}: {told}");
    }
    // What is named is checked.
    workspace.run(&["validate", "node_modules"]).expect(3);
    workspace.run(&["validate", ".hidden.yaml"]).expect(3);
    workspace
        .run(&["validate", "descriptors/probe/generated.yaml"])
        .expect(3);
}

#[test]
fn a_folder_without_descriptors_is_told() {
    let workspace = Workspace::new();
    workspace.write("empty/readme.txt", "x");
    for command in ["validate", "test"] {
        let told = workspace.run(&[command, "empty"]).expect(2).stderr;
        assert!(
            told.contains("there is no descriptor in empty"),
            "{command}: {told}"
        );
    }
}

/// The hook names the files of a commit. A setting that `service.yaml` renames breaks the tools beside it.
#[test]
fn the_hook_checks_the_folders_of_what_changes() {
    let workspace = Workspace::new();
    workspace.service(
        "https://probe.test",
        "settings: { renamed: { default: a } }",
    );
    workspace.tool(
        "reads",
        "read",
        "request: { method: GET, path: '/{{ settings.region }}' }",
    );
    let hooks = include_str!("../../.pre-commit-hooks.yaml");
    let entry = hooks
        .lines()
        .find_map(|line| line.trim().strip_prefix("entry: toolrun "));
    let mut arguments: Vec<&str> = entry.expect("an entry").split(' ').collect();
    arguments.push("descriptors/probe/service.yaml");
    let told = workspace.run(&arguments).expect(3).stdout;
    assert!(
        told.contains("reads.yaml") && told.contains("region"),
        "{told}"
    );
    workspace.tool(
        "reads",
        "read",
        "request: { method: GET, path: '/{{ settings.renamed }}' }",
    );
    workspace.run(&arguments).expect(0);
}
