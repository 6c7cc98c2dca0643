//! Many exchanges with seeded drifts: each is found, and nothing else is.

use std::collections::BTreeSet;

use pretty_assertions::assert_eq;
use serde_json::Value;

use crate::support::Workspace;

#[path = "../../benches/support/drift_seeds.rs"]
mod seeds;

/// The codes and files of all findings.
fn found(workspace: &Workspace) -> BTreeSet<(String, String)> {
    let words = [
        "drift",
        "rec.har",
        "--against",
        "descriptors",
        "--format",
        "json",
    ];
    let output = workspace.run(&words);
    let report: Value = serde_json::from_str(&output.stdout).expect(&output.stderr);
    let findings = report["findings"].as_array().expect("findings").iter();
    findings
        .map(|finding| {
            let file = finding["place"]["file"].as_str().expect("a file");
            let file = file.rsplit('/').next().expect("a name");
            let code = finding["code"].as_str().expect("a code");
            (code.to_owned(), file.trim_end_matches(".yaml").to_owned())
        })
        .collect()
}

#[test]
fn every_seeded_drift_is_found_and_nothing_else() {
    let workspace = Workspace::new();
    let seeds = seeds::Seeds::new(48, 480);
    for (name, text) in seeds.descriptors() {
        workspace.write(&format!("descriptors/{name}.yaml"), text);
    }
    workspace.run(&["validate", "descriptors"]).expect(0);
    workspace.write("rec.har", seeds.har(false));
    assert_eq!(found(&workspace), BTreeSet::new(), "nothing drifts");
    workspace.write("rec.har", seeds.har(true));
    assert_eq!(found(&workspace), seeds.expected());
    let kinds: BTreeSet<String> = seeds.expected().into_iter().map(|(code, _)| code).collect();
    assert!(kinds.len() >= 8, "{kinds:?}");
}
