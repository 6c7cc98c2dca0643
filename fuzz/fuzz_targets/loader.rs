//! Any bytes as a tool's file, a service and a sandbox: every check runs, nothing panics, every finding has a place
//! in the text, and what passes renders.
#![no_main]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use tempfile::TempDir;
use toolrun::internals::Finding;
use toolrun::Tool;
use toolrun::internals::check::{self, examples};

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
        for (_, tool) in
            check::tools_at(&[file.display().to_string()]).expect("the file is there")
        {
            render(&tool.expect("a tool without errors loads"));
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

/// Renders a sound tool with its defaults and with its examples.
fn render(tool: &Tool) {
    let calls = tool
        .examples
        .iter()
        .map(|example| Value::Object(example.args.clone()));
    let settings = tool
        .service
        .default_settings()
        .unwrap_or_else(|_| json!({}));
    for arguments in calls.chain([json!({})]) {
        if let Ok(arguments) = tool.accept(arguments)
            && let Ok(plan) = tool.render(&arguments, &settings)
        {
            if !tool.service.base.reads_token() {
                let base = tool.service.base.at(&settings, None).expect("it was rendered");
                assert!(
                    plan.target.starts_with(base.as_str().trim_end_matches('/')),
                    "{}",
                    plan.target
                );
            }
            let _ = (plan.view(), plan.to_http(), plan.to_curl());
        }
    }
    for example in &tool.examples {
        assert!(
            examples::run(tool, example).is_empty(),
            "a sound tool's example fails"
        );
    }
}
