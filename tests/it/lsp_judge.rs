//! The types of the Language Server Protocol's own model judge what `toolrun lsp` sends. They are installed into `target/`
//! by `.ci/sdks`; where they are not there, the test says so.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use crate::support::{Workspace, output};

#[test]
fn every_message_is_one_of_the_protocol() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/lsp-py/bin/python");
    if !python.exists() {
        // Printed directly, because the test runner hides the output of a passing test.
        let told = "SKIPPED: target/lsp-py is not installed; .ci/sdks does it";
        return writeln!(std::io::stderr(), "{told}").expect("standard error");
    }
    let workspace = Workspace::new();
    for name in ["service", "list-workspaces", "get-usage", "update-member"] {
        let path = root.join(format!("tools/anthropic-admin/{name}.yaml"));
        let text = fs::read_to_string(path).expect("a file");
        workspace.write(&format!("descriptors/anthropic-admin/{name}.yaml"), text);
    }
    let mut command = Command::new(python);
    command.arg(root.join("tests/it/lsp_judge.py"));
    command.arg(env!("CARGO_BIN_EXE_toolrun"));
    command.arg(workspace.descriptors());
    let told = output(&mut command);
    assert_eq!(told.code, 0, "{told:?}");
    assert!(told.stdout.contains("judged:"), "{told:?}");
}
