//! Any bytes as a tool's file, a service and a sandbox: every check runs, nothing panics, every finding has a place
//! in the text, and what passes renders.
#![no_main]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;
use toolrun::internals::Finding;
use toolrun::internals::{self, check};

/// A folder with a valid service, in whose files the bytes are written.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = TempDir::new().expect("a temporary folder");
    let service = folder.path().join("anthropic-admin");
    let sandbox = folder.path().join("sandbox");
    fs::create_dir(&service).expect("a folder");
    fs::create_dir(&sandbox).expect("a folder");
    let text = include_str!("../../tools/anthropic-admin/service.yaml");
    fs::write(service.join("service.yaml"), text).expect("written");
    fs::write(sandbox.join("service.yaml"), text).expect("written");
    let text = include_str!("../../tools/anthropic-admin/get-organization.yaml");
    fs::write(sandbox.join("get-organization.yaml"), text).expect("written");
    folder
});

fuzz_target!(|bytes: &[u8]| {
    let has = |word: &[u8]| bytes.windows(word.len()).any(|window| window == word);
    if has(b"base_url") {
        check(&FOLDER.path().join("service.yaml"), bytes);
    }
    if has(b"routes") {
        check(&FOLDER.path().join("sandbox/sandbox.yaml"), bytes);
    }
    let file = FOLDER.path().join("anthropic-admin").join(tool_file(bytes));
    if check(&file, bytes) {
        for (_, tool) in check::tools_at(&[file.display().to_string()]).expect("the file is there")
        {
            internals::exercise(&tool.expect("a tool without errors loads"));
        }
    }
    let _ = fs::remove_file(file);
});

/// The file that a tool must stand in: that of its name, so that the bytes pass that check.
fn tool_file(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("tool: "))
        .unwrap_or("tool")
        .trim();
    match toolrun::internals::Name::new(name) {
        Some(name) if !["service", "sandbox"].contains(&name.as_str()) => format!("{name}.yaml"),
        _ => "tool.yaml".to_owned(),
    }
}

/// Validates the bytes as a file. True when there is no error.
fn check(file: &Path, bytes: &[u8]) -> bool {
    fs::write(file, bytes).expect("written");
    let report = check::paths(&[file.display().to_string()]).expect("the file is there");
    report.findings.iter().for_each(assert_placed);
    report.errors() == 0
}

fn assert_placed(finding: &Finding) {
    let text = finding.source.text();
    assert!(
        text.get(finding.span.clone()).is_some(),
        "{:?} is no part of the text: {}",
        finding.span,
        finding.message
    );
    let place = finding.position();
    assert!(place.line >= 1 && place.column >= 1, "{place:?}");
    assert!(
        (place.line, place.column) <= (place.end_line, place.end_column),
        "{place:?}"
    );
}
