//! Completions: what the program offers, and what real shells make of it.
//!
//! The shells that are not installed are left out, unless `TOOLRUN_TEST_SHELLS` names them, as `.ci/run` does.

use std::fs;
use std::process::Command;

use pretty_assertions::assert_eq;

use crate::support::{Typing, Workspace, may_run, output};

const THING: &str = r#"
title: Some thing
params:
  required: [id]
  properties:
    id: { type: string, description: Which one. }
    colour: { type: string, enum: [green, grey, dark blue, "evil$(touch pwned)", "it's"] }
    flag: { type: boolean, default: false }
    limit: { type: integer, default: 20 }
    tags: { type: array, items: { enum: [red, rusty] } }
    filter: { type: object }
    "x\tbad": { type: string }
request:
  method: GET
  path: /things/{{ id }}
  query:
    colour: "{{ colour }}"
    flag: "{{ flag }}"
    limit: "{{ limit }}"
    tags: "{{ tags }}"
    filter: "{{ filter }}"
    bad: "{{ params[\"x\tbad\"] }}"
"#;

fn workspace() -> Workspace {
    let workspace = Workspace::new();
    workspace.service(
        "https://{{ settings.region }}.probe.test",
        "settings: { region: { default: eu, pattern: \"^[a-z]+$\" } }",
    );
    workspace.tool("get-thing", "read", THING);
    workspace.tool(
        "get-thorn",
        "read",
        "request: { method: GET, path: /thorns }",
    );
    workspace.tool(
        "drop-thing",
        "destructive",
        "request: { method: DELETE, path: /things }",
    );
    workspace
}

/// What a script that describes values is answered: each value with its description.
fn offered(workspace: &Workspace, words: &[&str]) -> Vec<(String, String)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolrun"));
    command
        .env_clear()
        .current_dir(workspace.path())
        .env("TOOLRUN_TOOLS", workspace.descriptors())
        .env("TOOLRUN_COMPLETE", "fish")
        .args(["--", "toolrun"])
        .args(words);
    let answer = output(&mut command).expect(0).stdout;
    let pair = |line: &str| {
        let (value, help) = line.split_once('\t').unwrap_or((line, ""));
        (value.to_owned(), help.to_owned())
    };
    answer.lines().map(pair).collect()
}

fn values(workspace: &Workspace, words: &[&str]) -> Vec<String> {
    let offered = offered(workspace, words);
    offered.into_iter().map(|(value, _)| value).collect()
}

#[test]
fn each_place_is_offered_what_can_stand_there() {
    let workspace = workspace();
    workspace.write("args.json", "{}");
    let evil = "colour=evil$(touch pwned)";
    for (words, expected) in [
        (vec!["call", "get-th"], vec!["get-thing", "get-thorn"]),
        (vec!["show", "drop"], vec!["drop-thing"]),
        (vec!["docs", "prob"], vec!["probe"]),
        (vec!["call", "probe/get-thi"], vec!["probe/get-thing"]),
        (
            vec!["call", "get-thing", ""],
            vec!["id=", "colour=", "flag=", "limit=", "tags=", "filter:="],
        ),
        (vec!["call", "get-thing", "id=1", "i"], vec![]),
        (vec!["call", "get-thing", "tags=red", "ta"], vec!["tags="]),
        (
            vec!["call", "get-thing", "colour="],
            vec![
                "colour=green",
                "colour=grey",
                "colour=dark blue",
                evil,
                "colour=it's",
            ],
        ),
        (
            vec!["call", "get-thing", "colour=gre"],
            vec!["colour=green", "colour=grey"],
        ),
        (
            vec!["call", "get-thing", "flag="],
            vec!["flag=true", "flag=false"],
        ),
        (vec!["call", "get-thing", "flag:=t"], vec!["flag:=true"]),
        (vec!["call", "get-thing", "limit="], vec!["limit=20"]),
        (
            vec!["call", "get-thing", "tags=r"],
            vec!["tags=red", "tags=rusty"],
        ),
        (vec!["call", "get-thing", "none="], vec![]),
        (vec!["call", "no-such-tool", "a"], vec![]),
        (vec!["call", "get-thing", "@ar"], vec!["@args.json"]),
        (vec!["call", "get-thing", "--set", "re"], vec!["region="]),
        (
            vec!["call", "-o", "table", "get-thing", "co"],
            vec!["colour="],
        ),
        (vec!["call", "--tim"], vec!["--timeout"]),
        (vec!["call", "get-thing", "--output", "j"], vec!["json"]),
        (
            vec!["call", "get-thing", "--output=j"],
            vec!["--output=json"],
        ),
        (
            vec!["call", "list-members", "--columns", "em"],
            vec!["email"],
        ),
        (
            vec!["call", "list-members", "--columns", "id,em"],
            vec!["id,email"],
        ),
        (
            vec!["call", "list-members", "--sort", "-em"],
            vec!["-email"],
        ),
        (
            vec!["call", "list-members", "--sandbox", "--fault", "o"],
            vec!["overloaded"],
        ),
        (
            vec!["sandbox", "anthropic-admin", "--fault", "ra"],
            vec!["rate_limited"],
        ),
        (
            vec!["sandbox", "anthropic-admin-"],
            vec!["anthropic-admin-oauth"],
        ),
        (vec!["list", "--service", "pr"], vec!["probe"]),
        (vec!["list", "--access", "d"], vec!["destructive"]),
        (vec!["explain", "unknown-k"], vec!["unknown-key"]),
        (vec!["--tools", "desc"], vec!["descriptors/"]),
        (vec!["trust", "desc"], vec!["descriptors/"]),
        (vec!["validate", "ar"], vec!["args.json"]),
        (vec!["completions", "f"], vec!["fish"]),
        (vec!["exp"], vec!["explain", "export"]),
    ] {
        let found = values(&workspace, &words);
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        assert_eq!(found, expected, "{words:?}");
    }
}

#[test]
fn values_have_descriptions() {
    let workspace = workspace();
    let told = |words: &[&str], expected: &str| {
        let offered = offered(&workspace, words);
        let help = offered.first().map(|(_, help)| help.as_str());
        assert_eq!(help, Some(expected), "{words:?}");
    };
    told(&["call", "get-thi"], "A probe.");
    told(&["call", "drop"], "[destructive] A probe.");
    told(&["call", "get-thing", "i"], "required. Which one.");
    told(&["call", "get-thing", "--set", "re"], "eu unless given");
    told(
        &["explain", "unknown-k"],
        "The format has no such key here. It is probably a typing mistake, and its value would be ignored.",
    );
}

/// A folder that nobody trusts can be completed, but its names cannot do harm, and nothing of the machine is read.
#[test]
fn hostile_names_are_not_offered() {
    let workspace = Workspace::new();
    let file = |name: &str| workspace.write(&format!("tools/{name}.yaml"), "spec: 1");
    file("good-one");
    file("$(touch pwned)");
    file("a\u{1b}[2J");
    file("-o");
    let offered = values(&workspace, &["call", ""]);
    assert!(offered.contains(&"good-one".to_owned()));
    let is_plain = |value: &String| {
        value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-/".contains(&b))
    };
    assert!(offered.iter().all(is_plain), "{offered:?}");
}

#[test]
fn an_unknown_shell_is_told() {
    let workspace = Workspace::new();
    let mut command = workspace.toolrun();
    let told = output(command.env("TOOLRUN_COMPLETE", "tcsh")).expect(2);
    assert!(
        told.stderr.contains("no shell that is known"),
        "{}",
        told.stderr
    );
}

/// A shell, how it is started, and what is typed first.
struct Shell {
    name: &'static str,
    arguments: &'static [&'static str],
    begin: &'static str,
    describes: bool,
}

const SHELLS: [Shell; 3] = [
    Shell {
        name: "bash",
        arguments: &["--norc", "--noprofile", "-i"],
        begin: "source <(toolrun completions bash)",
        describes: false,
    },
    Shell {
        name: "zsh",
        arguments: &["-f", "-i"],
        begin: "autoload -U compinit && compinit -u -D && source <(toolrun completions zsh)",
        describes: true,
    },
    Shell {
        name: "fish",
        arguments: &["--no-config", "-i"],
        begin: "toolrun completions fish | source",
        describes: true,
    },
];

/// What is typed before the tab key, and the arguments that the command gets then.
const TYPED: [(&str, &[&str]); 16] = [
    ("toolrun call get-thi", &["call", "get-thing"]),
    ("toolrun call get-th", &["call", "get-th"]),
    (
        "toolrun call list-workspace-rate",
        &["call", "list-workspace-rate-limits"],
    ),
    ("toolrun call probe/get-thi", &["call", "probe/get-thing"]),
    (
        "toolrun call get-thing col",
        &["call", "get-thing", "colour="],
    ),
    (
        "toolrun call get-thing colour=gree",
        &["call", "get-thing", "colour=green"],
    ),
    (
        "toolrun call get-thing colour=da",
        &["call", "get-thing", "colour=dark blue"],
    ),
    (
        "toolrun call get-thing colour=ev",
        &["call", "get-thing", "colour=evil$(touch pwned)"],
    ),
    (
        "toolrun call get-thing colour=it",
        &["call", "get-thing", "colour=it's"],
    ),
    (
        "toolrun call get-thing fla",
        &["call", "get-thing", "flag="],
    ),
    (
        "toolrun call get-thing flag=t",
        &["call", "get-thing", "flag=true"],
    ),
    (
        "toolrun call get-thing filt",
        &["call", "get-thing", "filter:="],
    ),
    (
        "toolrun call get-thing --set reg",
        &["call", "get-thing", "--set", "region="],
    ),
    ("toolrun explain unknown-k", &["explain", "unknown-key"]),
    (
        "toolrun list --service prob",
        &["list", "--service", "probe"],
    ),
    (
        "toolrun call list-members --sandbox --fault rate",
        &[
            "call",
            "list-members",
            "--sandbox",
            "--fault",
            "rate_limited",
        ],
    ),
];

#[test]
fn real_shells_complete() {
    let demanded = std::env::var("TOOLRUN_TEST_SHELLS").unwrap_or_default();
    for shell in SHELLS {
        if is_installed(shell.name) {
            completes(&shell);
            continue;
        }
        let is_demanded = demanded.split(' ').any(|name| name == shell.name);
        assert!(!is_demanded, "{} is not installed", shell.name);
        eprintln!(
            "left out: {} is not installed, so nothing was completed in it",
            shell.name
        );
    }
}

fn is_installed(shell: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(shell).is_file())
}

/// The program as the shell finds it: it completes, and writes down how it is called otherwise.
fn write_program(workspace: &Workspace) {
    let real = env!("CARGO_BIN_EXE_toolrun");
    let script = format!(
        "#!/bin/sh\nif [ -n \"$TOOLRUN_COMPLETE\" ] || [ \"$1\" = completions ]; then exec {real:?} \"$@\"; fi\n\
         printf '[%s]' \"$@\" >> ran\necho >> ran\n"
    );
    workspace.write("bin/toolrun", script);
    may_run(&workspace.path().join("bin/toolrun"));
}

fn completes(shell: &Shell) {
    let workspace = workspace();
    write_program(&workspace);
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("setsid");
    command
        .args(["--ctty", "--wait", shell.name])
        .args(shell.arguments)
        .env_clear()
        .current_dir(workspace.path())
        .env(
            "PATH",
            format!("{}:{path}", workspace.path().join("bin").display()),
        )
        .env("HOME", workspace.path())
        .env("TERM", "xterm")
        .env("LC_ALL", "C.UTF-8")
        .env("TOOLRUN_TOOLS", workspace.descriptors());
    let mut terminal = Typing::start(140, &mut command);
    let ran = || fs::read_to_string(workspace.path().join("ran")).unwrap_or_default();
    terminal.keys(&format!("{}; echo RE''ADY\r", shell.begin));
    terminal.wait("the shell", |shown| shown.contains("READY"));
    for (at, (typed, expected)) in TYPED.iter().enumerate() {
        terminal.keys(&format!("{typed}\t"));
        // A list of several values is left before the line is entered.
        terminal.keys("\r");
        if shell.name == "fish" && ran().lines().count() == at {
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        terminal.wait(&format!("{typed} in {}", shell.name), |_| {
            ran().lines().count() > at
        });
        let expected: String = expected.iter().map(|word| format!("[{word}]")).collect();
        let line = ran().lines().nth(at).unwrap_or_default().to_owned();
        assert_eq!(line, expected, "{typed} in {}", shell.name);
    }
    assert!(
        !workspace.path().join("pwned").exists(),
        "{} ran a value",
        shell.name
    );
    if shell.describes {
        let before = terminal.shown().len();
        terminal.keys("toolrun call drop-t\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}get-th\t");
        terminal.wait("descriptions", |shown| {
            shown[before.min(shown.len())..].contains("A probe.")
        });
    }
}

/// A call that nobody completes does not know of completions.
#[test]
fn scripts_are_printed_for_every_shell() {
    let workspace = Workspace::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = workspace.run(&["completions", shell]).expect(0).stdout;
        assert!(script.contains("TOOLRUN_COMPLETE"), "{shell}");
        let program = env!("CARGO_BIN_EXE_toolrun");
        assert!(script.contains(program), "{shell}: {script}");
    }
}

#[test]
fn files_are_offered_where_files_are_meant() {
    let workspace = workspace();
    workspace.write("photo.png", "x");
    workspace.write("sub/photo.png", "x");
    workspace.tool(
        "put-file",
        "write",
        "params: { properties: { file: { type: string }, note: { type: string } } }
request: { method: POST, path: /files, body: { multipart: { file: { file: '{{ file }}' }, note: '{{ note }}' } } }",
    );
    for (word, expected) in [
        ("file=pho", &["file=photo.png"][..]),
        ("file=sub/", &["file=sub/photo.png"]),
        ("file=@pho", &["file=@photo.png"]),
        ("note=@pho", &["note=@photo.png"]),
        ("note:=@pho", &["note:=@photo.png"]),
        ("note=pho", &[]),
        ("file:=pho", &[]),
    ] {
        let found = values(&workspace, &["call", "put-file", word]);
        assert_eq!(found, expected, "{word}");
    }
}
