//! The official SDKs drive `toolrun serve`, and the official conformance suite judges it: over both transports and in both eras.
//! They are installed into `target/` by `.ci/sdks`; where they are not there, the tests say so.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::support::{Fake, Reply, Workspace, output};

/// Where it is set, the tests fail rather than being skipped.
const NEEDED: &str = "TOOLRUN_TEST_SDKS";

/// A file below `target/`, if it is there.
fn installed(path: &str) -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target")
        .join(path);
    if found.exists() {
        return Some(found);
    }
    assert!(
        std::env::var_os(NEEDED).is_none(),
        "{} is missing",
        found.display()
    );
    // Printed directly, because the test runner hides the output of a passing test.
    writeln!(
        std::io::stderr(),
        "SKIPPED: {path} is not installed; .ci/sdks does it"
    )
    .expect("standard error");
    None
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it")
        .join(name)
}

#[test]
fn the_python_sdk_drives_it() {
    let Some(python) = installed("mcp-py/bin/python") else {
        return;
    };
    let output = output(
        Command::new(python)
            .arg(script("mcp_sdk.py"))
            .arg(env!("CARGO_BIN_EXE_toolrun")),
    );
    let output = output.expect(0);
    assert!(output.stdout.contains("Python: ok"), "{output:?}");
}

#[test]
fn the_typescript_sdks_drive_it() {
    let (Some(node), Some(modules)) = (
        installed("mcp-js/node_modules/.bin/node"),
        installed("mcp-js"),
    ) else {
        return;
    };
    let output = output(
        Command::new(node)
            .arg(script("mcp_sdk.mjs"))
            .arg(env!("CARGO_BIN_EXE_toolrun"))
            .arg(modules),
    );
    let output = output.expect(0);
    assert!(output.stdout.contains("TypeScript: ok"), "{output:?}");
}

/// Tools that the suite asks for by name, each as a descriptor of a fake service.
fn fixtures(fake: &Fake) -> Workspace {
    let workspace = Workspace::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/conformance");
    for service in ["test", "json"] {
        let about = format!(
            "spec: 1\nservice: {service}\nbase_url: {}\nretry: {{ max_attempts: 1 }}\n",
            fake.origin()
        );
        workspace.write(&format!("descriptors/{service}/service.yaml"), about);
        for entry in std::fs::read_dir(folder.join(service)).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            let text = std::fs::read_to_string(&path).expect("a descriptor");
            workspace.write(&format!("descriptors/{service}/{name}"), text);
        }
    }
    workspace
}

#[test]
fn the_conformance_suite_finds_only_what_is_expected() {
    let (Some(node), Some(suite)) = (
        installed("mcp-js/node_modules/.bin/node"),
        installed("mcp-js/node_modules/@modelcontextprotocol/conformance/dist/index.js"),
    ) else {
        return;
    };
    let fake = Fake::start(|request| match request.path.as_str() {
        "/error" => Reply::json(
            400,
            &json!({ "message": "This tool intentionally returns an error for testing" }),
        ),
        "/text" => Reply::json(
            200,
            &json!({ "text": "This is a simple text response for testing." }),
        ),
        _ => Reply::json(200, &json!({})),
    });
    let workspace = fixtures(&fake);
    let http = workspace.serve_http(&["--service", "test", "--service", "json"]);
    for revision in ["2026-07-28", "2025-11-25"] {
        let failures = format!("tests/fixtures/conformance/expected-failures-{revision}.yaml");
        let output = output(
            Command::new(&node)
                .arg(&suite)
                .args([
                    "server",
                    "--url",
                    &format!("http://{}/mcp", http.address),
                    "--requirements",
                    revision,
                ])
                .arg("--expected-failures")
                .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(failures))
                .arg("-o")
                .arg(workspace.path().join(revision)),
        );
        assert_eq!(
            output.code, 0,
            "{revision}: {}\n{}",
            output.stdout, output.stderr
        );
    }
}
