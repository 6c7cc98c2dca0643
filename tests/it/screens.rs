//! What a person sees: commands on a terminal of 80 and of 140 columns, and their screens as text, in `screens.txt`.
//!
//! With `RENEW_SCREENS=1` in the environment the test writes the file anew, to be looked at before it is committed.

use std::fmt::Write;

use pretty_assertions::assert_eq;

use crate::support::{Workspace, on_terminal_of};

const FILE: &str = "tests/it/screens.txt";
const SCREENS: &str = include_str!("screens.txt");

const COMMANDS: [&str; 19] = [
    "call list-workspaces --sandbox limit=5",
    "call list-members --sandbox limit=5",
    "call list-api-keys --sandbox limit=5",
    "call get-usage --sandbox starting_at=2026-11-20T00:00:00Z group_by=model",
    "call get-cost --sandbox starting_at=2026-11-23T00:00:00Z group_by=description",
    "call get-organization --sandbox",
    "call list-workspaces --sandbox limit=3 --wide",
    "call list-workspaces --sandbox limit=3 --columns name,data_residency.workspace_geo,compartment_id",
    "call list-members --sandbox --max-items 8 --sort -name --no-header",
    "call list-members --sandbox --columns nmae",
    "list",
    "list rate limit",
    "list wrkspace",
    "call list-members --help",
    "show list-workspaces",
    "show get-usage",
    "call get-usage --sandbox starting_at=2026-11-20T00:00:00Z group_by=model -o chart",
    "call get-usage --sandbox starting_at=2026-11-01T00:00:00Z bucket_width=1h limit=168 -o chart",
    "call get-cost --sandbox starting_at=2026-11-22T00:00:00Z -o chart",
];

fn screen(columns: u16, command: &str) -> String {
    let workspace = Workspace::new();
    let mut toolrun = workspace.toolrun();
    toolrun
        .args(command.split(' '))
        .env("NO_COLOR", "1")
        .env("LANG", "C.UTF-8")
        .env("PAGER", "");
    let (code, bytes) = on_terminal_of(columns, &mut toolrun);
    let text = String::from_utf8(bytes).expect("UTF-8");
    // The line of a walk that moves clears itself.
    let text = text.rsplit(['\r', '\u{1b}']).next().unwrap_or_default();
    let text = text
        .trim_start_matches("[K")
        .trim_start_matches("[2K")
        .trim_end();
    format!("{text}\n(exit {code})")
}

fn screens() -> String {
    let mut all = String::new();
    for columns in [80, 140] {
        for command in COMMANDS {
            let _ = writeln!(
                all,
                "## {columns} {command}\n{}\n",
                screen(columns, command)
            );
        }
    }
    all
}

#[test]
#[ignore = "long"]
fn every_screen_is_as_it_was_looked_at() {
    let screens = screens();
    if std::env::var_os("RENEW_SCREENS").is_some() {
        std::fs::write(FILE, &screens).expect("the file can be written");
        return;
    }
    assert_eq!(screens, SCREENS);
}

/// A row of a table takes one line; only what was asked for as `--wide` goes beyond the terminal.
#[test]
fn no_screen_is_wider_than_its_terminal() {
    let mut looked_at = 0;
    for screen in SCREENS.trim_start_matches("## ").split("\n## ") {
        let (title, text) = screen.split_once('\n').expect("a title");
        let (columns, command) = title.split_once(' ').expect("columns");
        // What is to be copied, and what goes to standard error, is one line.
        let free = ["toolrun call ", "error:", "note:", "docs "];
        let is_free = |line: &str| free.iter().any(|begin| line.starts_with(begin));
        if command.contains("--wide") {
            continue;
        }
        for line in text.lines().filter(|line| !is_free(line)) {
            let columns: usize = columns.parse().expect("a number");
            assert!(line.chars().count() <= columns, "{title}: {line}");
            looked_at += 1;
        }
    }
    assert!(looked_at > 300, "{looked_at} lines");
}
