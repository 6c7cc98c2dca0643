//! The house: each room of `src` is on a floor, and imports run downwards only.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms, lowest floor first. A room may only use those before it.
const FLOORS: [&str; 42] = [
    "words",
    "parallel",
    "staged",
    "address",
    "json",
    "table",
    "yaml",
    "said",
    "har",
    "jsonpath",
    "source",
    "template",
    "params",
    "plan",
    "project",
    "paging",
    "base_url",
    "sign",
    "wait",
    "send",
    "recording",
    "postgres",
    "store",
    "format",
    "tool",
    "definition",
    "catalog",
    "policy",
    "callers",
    "engine",
    "batch",
    "sql",
    "sync",
    "sandbox",
    "check",
    "drift",
    "lsp",
    "diff",
    "import",
    "serve",
    "export",
    "cli",
];

#[test]
fn imports_run_downwards() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = BTreeSet::new();
    for file in files(&root) {
        let below = file.strip_prefix(&root).expect("a file below src");
        let room = room_of(below);
        // The facade and the two roots only name the rooms.
        if matches!(room.as_str(), "lib" | "main" | "build") {
            continue;
        }
        let Some(floor) = floor(&room) else {
            wrong.insert(format!("{} stands in no room", below.display()));
            continue;
        };
        let text = fs::read_to_string(&file).expect("a source file");
        for used in rooms_used(&text) {
            // The command line uses the interface of the library too.
            let is_interface = room == "cli" && used.starts_with(char::is_uppercase);
            if used != room
                && !is_interface
                && self::floor(&used).is_none_or(|other| other >= floor)
            {
                wrong.insert(format!("{}: {room} uses {used}", below.display()));
            }
        }
    }
    let list: Vec<String> = wrong.into_iter().collect();
    assert!(list.is_empty(), "arrows that run up:\n{}", list.join("\n"));
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|known| *known == room)
}

fn room_of(below: &Path) -> String {
    let first = below.components().next().expect("a name");
    let name = Path::new(first.as_os_str());
    name.file_stem()
        .expect("a name")
        .to_string_lossy()
        .into_owned()
}

/// All source files, except those that only hold tests.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let is_tests = path.file_stem().is_some_and(|name| name == "tests");
        match path.is_dir() {
            _ if is_tests => {}
            true => found.extend(files(&path)),
            false if path.extension().is_some_and(|ending| ending == "rs") => found.push(path),
            false => {}
        }
    }
    found
}

/// The rooms that a file names behind `crate::`; its tests are left out.
fn rooms_used(text: &str) -> BTreeSet<String> {
    let code: String = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default()
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut rooms = BTreeSet::new();
    for (at, start) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + start.len()..];
        match rest.strip_prefix('{') {
            Some(list) => rooms.extend(members(list).iter().map(|member| word(member))),
            None => drop(rooms.insert(word(rest))),
        }
    }
    rooms.retain(|room| !room.is_empty());
    rooms
}

/// The members of a list of imports, after its opening brace.
fn members(list: &str) -> Vec<String> {
    let (mut depth, mut members) = (0, vec![String::new()]);
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => members.push(String::new()),
            _ if depth == 0 => members.last_mut().expect("a member").push(c),
            _ => {}
        }
    }
    members
}

fn word(text: &str) -> String {
    text.trim_start()
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// The interface of the library: each name is a promise to programs that use it.
const FACADE: &str = "
    Access Body Budget Call CallInfo Catalog Code Destination Engine Entry Error ErrorKind Event Files Finding Gathered Incomplete
    Job Json Limit Limiter Method Note Outcome Page Pages Plan Position Report Request Resume Roots Sandbox Scripted Secret SeenBody ResponseFuture Sent
    Server Severity Shown Stopped Tool Transport TransportError TransportErrorKind TrustList Turn TurnFuture Unfinished Upstream";

#[test]
fn the_facade_has_these_names_and_no_module_is_public_beside_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let text = fs::read_to_string(root).expect("the facade");
    let mut names = BTreeSet::new();
    for (at, start) in text.match_indices("\npub use ") {
        let list = text[at + start.len()..]
            .split(';')
            .next()
            .unwrap_or_default();
        let list = list.rsplit("::").next().unwrap_or_default();
        let words = list.split(|c: char| !c.is_alphanumeric());
        names.extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
    }
    let expected: BTreeSet<String> = FACADE.split_whitespace().map(str::to_owned).collect();
    assert_eq!(names, expected);
    let modules: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod "))
        .collect();
    assert_eq!(modules, ["cli;", "error {", "openapi {", "internals {"]);
}

/// The one file with unsafe code, which says why at each place.
const UNSAFE: &str = "sql/vtab.rs";

#[test]
fn unsafe_code_stands_in_one_file_with_its_reasons() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = 0;
    for file in files(&root) {
        let text = fs::read_to_string(&file).expect("a source file");
        let below = file.strip_prefix(&root).expect("a file below src");
        let code: Vec<&str> = text
            .lines()
            .map(|line| line.split("//").next().unwrap_or_default())
            .collect();
        for (at, line) in code.iter().enumerate() {
            let is_unsafe = line
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .any(|word| word == "unsafe");
            if !is_unsafe {
                continue;
            }
            assert_eq!(below, Path::new(UNSAFE), "line {}: {line}", at + 1);
            let before = text.lines().take(at).collect::<Vec<_>>();
            let near = before[at.saturating_sub(6)..].join("\n");
            assert!(
                near.contains("// SAFETY:") && near.contains("reason ="),
                "{near}"
            );
            found += 1;
        }
        let is_allowed = text.contains("allow(unsafe_code") || text.contains("expect(unsafe_code");
        assert!(
            !is_allowed || below == Path::new(UNSAFE),
            "{}",
            below.display()
        );
    }
    assert_eq!(found, 3, "places");
}
