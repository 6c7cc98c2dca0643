//! The README: it is short, and what it says about the program is so.

use std::fs;

use crate::docs::Folder;
use crate::support::{Workspace, doc_page};

/// The README is what a newcomer reads to the end; everything else is in `docs/`.
#[test]
fn it_is_short() {
    let lines = doc_page("README.md").text.lines().count();
    assert!((100..=200).contains(&lines), "{lines} lines");
}

#[test]
fn ci_runs_the_test_command_of_the_readme() {
    let ci = include_str!("../../.ci/run");
    let readme = doc_page("README.md");
    let scripts = readme.blocks_of("sh");
    let tests = scripts
        .into_iter()
        .map(str::trim)
        .find(|script| script.starts_with("cargo test"))
        .unwrap();
    assert!(ci.lines().any(|line| line.trim() == tests), "{tests}");
}

#[test]
fn it_tells_how_many_tools_are_built_in() {
    let listed = Workspace::new().run(&["list", "--json"]).expect(0).json();
    let count = listed.as_array().expect("tools").len();
    let services: std::collections::BTreeSet<_> = listed
        .as_array()
        .expect("tools")
        .iter()
        .map(|tool| tool["service"].as_str().expect("a service"))
        .collect();
    let readme = doc_page("README.md").text;
    assert_eq!(services.len(), 3);
    assert!(
        readme.contains(&format!("with {count} tools of three services")),
        "{count} tools"
    );
    for service in services {
        assert!(readme.contains(&format!("| `{service}` |")), "{service}");
    }
}

/// The commands of the recipes for CI: the steps of the workflow and the job, and the pre-commit hook with the files that
/// it passes.
#[test]
fn the_recipes_for_ci_run() {
    let page = doc_page("docs/ci.md");
    let block = |start: &str| -> serde_json::Value {
        let blocks = page.blocks_of("yaml");
        let found = blocks.iter().find(|block| block.starts_with(start));
        serde_yaml::from_str(found.unwrap()).unwrap()
    };
    let workflow = block("name: descriptors");
    let steps = workflow["jobs"]["validate"]["steps"].as_array().unwrap();
    let steps = steps.iter().filter_map(|step| step["run"].as_str());
    let job = block("descriptors:");
    let script = job["descriptors"]["script"].as_array().unwrap();
    let script = script.iter().filter_map(|step| step.as_str());
    let mut commands: Vec<String> = steps
        .chain(script)
        .filter(|run| run.starts_with("toolrun"))
        .map(str::to_owned)
        .collect();
    let hooks: serde_json::Value =
        serde_yaml::from_str(include_str!("../../.pre-commit-hooks.yaml")).unwrap();
    let hook = &hooks[0];
    let shown = block("repos:");
    assert_eq!(shown["repos"][0]["hooks"][0]["id"], hook["id"]);
    let entry = hook["entry"].as_str().unwrap();
    commands.push(format!("{entry} tools/shop/get-order.yaml"));
    assert_eq!(commands.len(), 5, "{commands:?}");
    let folder = Folder::new();
    for block in page.blocks() {
        if let Some(path) = block.path().filter(|path| path.starts_with("tools/")) {
            folder.write(path, block.text);
        }
    }
    for command in &commands {
        let output = folder.shell(command, false).output().unwrap();
        assert!(
            output.status.success(),
            "{command}\n{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    let report = job["descriptors"]["artifacts"]["reports"]["junit"]
        .as_str()
        .unwrap();
    let report = fs::read_to_string(folder.path().join(report)).unwrap();
    assert!(report.contains("<testsuite "), "{report}");
    folder.write("tools/broken.yaml", "spec: 1\ntool: broken\n");
    for command in commands.iter().filter(|c| c.contains(" validate tools ")) {
        let output = folder.shell(command, false).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{command}");
    }
}
