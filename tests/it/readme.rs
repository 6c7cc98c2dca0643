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
        .find(|script| script.starts_with("cargo test"))
        .unwrap();
    let all_tests = tests.lines().last().unwrap();
    assert!(all_tests.ends_with("--include-ignored"), "{tests}");
    assert!(ci.lines().any(|line| line.trim() == all_tests), "{tests}");
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
    assert_eq!(services.len(), 6);
    assert!(
        readme.contains(&format!("with {count} tools of six services")),
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
    // What the recipes use is here, and takes what they give it; tests/it/ci_jobs.rs runs it.
    let names = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    let workflow = block("name: descriptors");
    let steps = workflow["jobs"]["toolrun"]["steps"].as_array().unwrap();
    let own = steps.iter().find_map(|step| {
        let folder = step["uses"].as_str()?.strip_prefix("OWNER/toolrun/")?;
        Some((folder.split('@').next()?, &step["with"]))
    });
    let (folder, given) = own.unwrap();
    let action = std::fs::read_to_string(format!("{folder}/action.yml")).unwrap();
    let action: serde_json::Value = serde_yaml::from_str(&action).unwrap();
    let known = names(&action["inputs"]);
    assert!(names(given).iter().all(|name| known.contains(name)));
    let job = block("include:");
    let template = job["include"][0]["remote"].as_str().unwrap();
    let template = template.split("/OWNER/toolrun/main/").nth(1).unwrap();
    let template = std::fs::read_to_string(template).unwrap();
    let template: serde_json::Value = serde_yaml::from_str(&template).unwrap();
    let known = names(&template["variables"]);
    assert!(
        names(&job["variables"])
            .iter()
            .all(|name| known.contains(name))
    );
    let hooks: serde_json::Value =
        serde_yaml::from_str(include_str!("../../.pre-commit-hooks.yaml")).unwrap();
    let hook = &hooks[0];
    let shown = block("repos:");
    assert_eq!(shown["repos"][0]["hooks"][0]["id"], hook["id"]);
    let entry = hook["entry"].as_str().unwrap();
    let folder = Folder::new();
    for block in page.blocks() {
        if let Some(path) = block.path().filter(|path| path.starts_with("tools/")) {
            folder.write(path, block.text);
        }
    }
    let run = |command: &str| {
        let output = folder.shell(command, false).output().unwrap();
        output.status.code()
    };
    let hooked = format!("{entry} tools/shop/get-order.yaml");
    let ci = "toolrun ci tools --report toolrun.xml";
    assert_eq!((run(&hooked), run(ci)), (Some(0), Some(0)));
    let report = fs::read_to_string(folder.path().join("toolrun.xml")).unwrap();
    assert!(report.contains("<testsuite "), "{report}");
    folder.write("tools/broken.yaml", "spec: 1\ntool: broken\n");
    assert_eq!(run(ci), Some(3));
}
