//! Every command in the README runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

const README: &str = include_str!("../../README.md");

/// The scripts of the README's `sh` blocks, in order.
fn scripts() -> Vec<&'static str> {
    README
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default())
        .collect()
}

fn write_program(folder: &Path, name: &str, script: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Tests have no real key, so calls of the real service go to its sandbox; everything else runs unchanged.
fn write_programs(folder: &Path) {
    let toolrun = env!("CARGO_BIN_EXE_toolrun");
    let real = r#"
case "$1 $*" in
    *--sandbox*|*--dry-run*) ;;
    "call "*) set -- "$@" --sandbox ;;
esac"#;
    write_program(
        folder,
        "toolrun",
        &format!("{real}\nexec {toolrun:?} \"$@\"\n"),
    );
    // This is a run of `cargo test` already, so that command is not run again.
    let cargo = format!(
        "case \"$1\" in\n  run) shift 2; exec {toolrun:?} \"$@\" ;;\n  test) echo 'tests run' ;;\n  *) exit 1 ;;\nesac\n"
    );
    write_program(folder, "cargo", &cargo);
}

#[test]
fn every_command_runs() {
    let scripts = scripts();
    assert!(
        scripts.len() >= 7,
        "the README has {} scripts",
        scripts.len()
    );
    let programs = tempfile::tempdir().unwrap();
    write_programs(programs.path());
    let folder = tempfile::tempdir().unwrap();
    let path = format!(
        "{}:{}",
        programs.path().display(),
        std::env::var("PATH").unwrap_or_default()
    );
    for script in scripts {
        for command in commands_of(script) {
            let output = Command::new("sh")
                .args(["-e", "-c", &command])
                .current_dir(folder.path())
                .env_clear()
                .env("PATH", &path)
                .output()
                .unwrap();
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{command}\n{error}");
            let is_silent = ["export ", "mkdir ", "cat >"]
                .iter()
                .any(|w| command.starts_with(w));
            assert!(
                is_silent || !output.stdout.is_empty(),
                "{command} prints nothing"
            );
        }
    }
}

/// The commands of a script: its lines, with a here-document in one piece.
fn commands_of(script: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut lines = script.lines();
    while let Some(line) = lines.next() {
        let mut command = line.to_owned();
        if let Some((_, mark)) = line.split_once("<<'") {
            let mark = mark.trim_end_matches('\'');
            for inner in lines.by_ref() {
                command.push('\n');
                command.push_str(inner);
                if inner == mark {
                    break;
                }
            }
        }
        if !command.is_empty() {
            commands.push(command);
        }
    }
    commands
}

/// The commands of the recipes for CI: the steps of the workflow, and the pre-commit hook with the files that it passes.
#[test]
fn the_recipes_for_ci_run() {
    let workflow: serde_json::Value =
        serde_yaml::from_str(yaml_block("name: descriptors")).unwrap();
    let steps = workflow["jobs"]["validate"]["steps"].as_array().unwrap();
    let mut commands: Vec<String> = steps
        .iter()
        .filter_map(|step| step["run"].as_str())
        .filter(|run| run.starts_with("toolrun"))
        .map(str::to_owned)
        .collect();
    let hooks: serde_json::Value =
        serde_yaml::from_str(include_str!("../../.pre-commit-hooks.yaml")).unwrap();
    let hook = &hooks[0];
    assert!(yaml_block("repos:").contains(hook["id"].as_str().unwrap()));
    commands.push(format!(
        "{} tools/get-issue.yaml",
        hook["entry"].as_str().unwrap()
    ));
    assert_eq!(commands.len(), 3, "{commands:?}");
    let programs = tempfile::tempdir().unwrap();
    write_programs(programs.path());
    let folder = tempfile::tempdir().unwrap();
    let drop_tool = scripts()
        .into_iter()
        .flat_map(commands_of)
        .find(|c| c.starts_with("cat > tools"))
        .unwrap();
    let path = format!(
        "{}:{}",
        programs.path().display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let run = |command: &str| {
        let mut shell = Command::new("sh");
        shell
            .args(["-e", "-c", command])
            .current_dir(folder.path())
            .env("PATH", &path);
        shell.output().unwrap()
    };
    assert!(
        run(&format!("mkdir -p tools\n{drop_tool}"))
            .status
            .success()
    );
    for command in &commands {
        let output = run(command);
        assert!(
            output.status.success(),
            "{command}\n{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    std::fs::write(
        folder.path().join("tools/broken.yaml"),
        "spec: 1\ntool: broken\n",
    )
    .unwrap();
    assert_eq!(run(&commands[0]).status.code(), Some(3));
}

fn yaml_block(start: &str) -> &'static str {
    README
        .split("```yaml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default())
        .find(|block| block.starts_with(start))
        .unwrap()
}

#[test]
fn ci_runs_the_test_command_of_the_readme() {
    let ci = include_str!("../../.ci/run");
    let tests = scripts()
        .into_iter()
        .map(str::trim)
        .find(|script| script.starts_with("cargo test"))
        .unwrap();
    assert!(ci.lines().any(|line| line.trim() == tests), "{tests}");
}

#[test]
fn the_exit_codes_of_the_readme_are_those_of_the_program() {
    for code in 0..=9 {
        assert!(README.contains(&format!("| {code} |")), "exit code {code}");
    }
}
