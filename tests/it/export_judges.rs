//! Exports before their judges: the types of the makers' own SDKs, and the validators of formats. They are installed into
//! `target/` by `.ci/exports`; where they are not there, the tests say so.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::export::{MODELS, hostile};
use crate::support::{Workspace, output};

/// Where it is set, the tests fail rather than being skipped.
const NEEDED: &str = "TOOLRUN_TEST_JUDGES";

/// A file below `target/`, if it is there.
pub(crate) fn installed(path: &str) -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target")
        .join(path);
    if found.exists() {
        return Some(found);
    }
    let is_needed = std::env::var_os(NEEDED).is_some();
    assert!(!is_needed, "{} is missing", found.display());
    skip(path);
    None
}

fn skip(path: &str) {
    // Printed directly, because the test runner hides the output of a passing test.
    let told =
        format!("SKIPPED: {path} is not installed in the right version; .ci/exports does it");
    writeln!(std::io::stderr(), "{told}").expect("standard error");
}

/// Lets the Python judge of `kind` look at a file or a folder.
pub(crate) fn judge(kind: &str, path: &Path) {
    const PYTHON: &str = "export-py/bin/python";
    let Some(python) = installed(PYTHON) else {
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/export_judges.py");
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/export-server.schema.json");
    let told = output(
        Command::new(python)
            .arg(script)
            .arg(kind)
            .arg(path)
            .arg(schema),
    );
    match told.code {
        77 => {
            assert!(
                std::env::var_os(NEEDED).is_none(),
                "the judges have other versions"
            );
            skip(PYTHON);
        }
        _ => assert!(
            told.code == 0 && told.stdout.ends_with("ok\n"),
            "{kind}: {told:?}"
        ),
    }
}

#[test]
#[ignore = "long"]
fn the_types_of_the_sdks_take_the_definitions() {
    let workspace = Workspace::new();
    hostile(&workspace);
    for flags in MODELS {
        let mut words = vec!["export"];
        words.extend(flags);
        let document = workspace.run(&words).expect(0).stdout;
        workspace.write("document.json", document);
        judge(flags[0], &workspace.path().join("document.json"));
    }
}

#[test]
fn the_validator_of_skills_takes_every_skill() {
    let workspace = Workspace::new();
    hostile(&workspace);
    workspace.run(&["export", "skill", "skills"]).expect(0);
    judge("skill", &workspace.path().join("skills"));
}

#[test]
fn the_validator_of_openapi_takes_every_document() {
    let workspace = Workspace::new();
    hostile(&workspace);
    for service in [
        "probe",
        "anthropic-admin",
        "anthropic-admin-oauth",
        "anthropic-api",
        "anthropic-compliance",
        "anthropic-enterprise",
        "anthropic-tunnels",
    ] {
        let document = workspace
            .run(&["export", "openapi", "--service", service])
            .expect(0)
            .stdout;
        workspace.write("document.json", document);
        judge("openapi", &workspace.path().join("document.json"));
    }
}

/// The sets of tools that bundles and entries of the registry are made of.
const SETS: [&[&str]; 4] = [
    &[],
    &["--service", "probe"],
    &["--service", "anthropic-admin"],
    &["list-members", "say-things"],
];

#[test]
fn the_validator_of_bundles_takes_every_manifest() {
    let Some(mcpb) = installed("export-js/node_modules/@anthropic-ai/mcpb/dist/cli/cli.js") else {
        return;
    };
    let workspace = Workspace::new();
    hostile(&workspace);
    for (i, set) in SETS.iter().enumerate() {
        let folder = format!("bundle{i}");
        let mut words = vec!["export", "mcpb", &folder];
        words.extend(*set);
        workspace.run(&words).expect(0);
        let manifest = workspace.path().join(&folder).join("manifest.json");
        let told = output(
            Command::new("node")
                .arg(&mcpb)
                .arg("validate")
                .arg(&manifest),
        );
        assert_eq!(told.code, 0, "{set:?}: {told:?}");
    }
}

#[test]
fn the_schema_of_the_registry_takes_every_entry() {
    let workspace = Workspace::new();
    hostile(&workspace);
    let digest = "0123456789abcdef".repeat(4);
    for set in SETS {
        for place in [
            &["--remote", "https://tools.example.com/mcp"][..],
            &[
                "--bundle",
                "https://example.com/tools.mcpb",
                "--sha256",
                &digest,
            ],
        ] {
            let mut words = vec!["export", "server-json", "--name", "io.github.someone/tools"];
            words.extend(place);
            words.extend(set);
            let entry = workspace.run(&words).expect(0).stdout;
            workspace.write("server.json", entry);
            judge("server-json", &workspace.path().join("server.json"));
        }
    }
}
