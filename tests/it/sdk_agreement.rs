//! The built-in sandboxes answer Anthropic's own Python SDK with what the SDK's types say.

use std::env;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// The Python that has the SDK. Where it is named, the test fails rather than being skipped.
const PYTHON: &str = "TOOLRUN_TEST_PYTHON";

#[test]
fn the_sandboxes_agree_with_the_types_of_the_sdk() {
    let named = env::var_os(PYTHON);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(named.clone().unwrap_or_else(|| "python3".into()));
    command.env_clear();
    if let Some(path) = env::var_os("PATH") {
        command.env("PATH", path);
    }
    let output = command
        .arg(root.join("tests/it/sdk_agreement.py"))
        .arg(env!("CARGO_BIN_EXE_toolrun"))
        .arg(root.join("tools"))
        .output();
    let output = match output {
        Ok(output) if output.status.code() != Some(77) => output,
        _ => {
            assert!(named.is_none(), "${PYTHON} has no SDK of the right version");
            // Printed directly, because the test runner hides the output of a passing test.
            let told = "SKIPPED: the SDK's types need python3 with the package `anthropic` in the version of sdk_agreement.py";
            return writeln!(std::io::stderr(), "{told}").expect("standard error");
        }
    };
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
