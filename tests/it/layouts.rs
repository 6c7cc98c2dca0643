//! Descriptors in odd but legal layouts: `diff` finds nothing between them and the others, and `fmt` makes the same of both.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use pretty_assertions::assert_eq;
use serde_json::{Map, Value, json};
use toolrun::internals::Source;

use crate::support::Workspace;

/// Maps whose keys may stand in any order, by the kind of file; `*` is any item.
const UNORDERED: [(&str, &[&str]); 2] = [
    (
        "tool",
        &[
            "",
            "/request",
            "/response",
            "/paging",
            "/examples/*",
            "/examples/*/response",
        ],
    ),
    ("service", &["", "/rate_limit", "/retry", "/errors"]),
];

/// Writes a value as YAML. What `shape` decides stays the same for the same place: brackets or lines, and comments. What
/// `random` decides means nothing to `fmt`: quotes, indentation, blanks, the order of keys that have none.
struct Scrambler<'k> {
    shape: u64,
    random: fastrand::Rng,
    unordered: &'k [&'k str],
    /// Whether texts of lines may stand as blocks, and comments nowhere.
    is_wild: bool,
    text: String,
}

impl Scrambler<'_> {
    fn chance(&mut self, percent: u8) -> bool {
        self.random.u8(..100) < percent
    }

    fn decides(&self, path: &str, salt: &str, percent: u64) -> bool {
        let mut hasher = DefaultHasher::new();
        (self.shape, path, salt).hash(&mut hasher);
        hasher.finish() % 100 < percent
    }

    fn blanks(&mut self, least: usize, most: usize) {
        let count = self.random.usize(least..=most);
        self.text.push_str(&" ".repeat(count));
    }

    fn end(&mut self) {
        self.blanks(0, 2);
        self.text.push('\n');
    }

    fn indent(&mut self, column: usize) {
        self.text.push_str(&" ".repeat(column));
    }

    fn comment(&mut self, path: &str, column: usize) {
        if !self.is_wild && self.decides(path, "comment", 12) {
            self.indent(column);
            self.text.push_str(&format!("# {path}: 'x' {{"));
            self.text.push('\n');
        }
    }

    fn members<'v>(
        &mut self,
        members: &'v Map<String, Value>,
        path: &str,
    ) -> Vec<(&'v String, &'v Value)> {
        let mut all: Vec<_> = members.iter().collect();
        let is_index =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let place = path
            .split('/')
            .map(|part| if is_index(part) { "*" } else { part });
        let place: Vec<&str> = place.collect();
        if self.unordered.contains(&place.join("/").as_str()) {
            self.random.shuffle(&mut all);
        }
        all
    }

    fn is_in_line(&self, value: &Value, path: &str) -> bool {
        match value {
            Value::Object(members) => members.is_empty() || self.decides(path, "brackets", 40),
            Value::Array(items) => items.is_empty() || self.decides(path, "brackets", 40),
            _ => true,
        }
    }

    /// A map or a list in lines. `is_started` when its first line is begun, at its column.
    fn lines(&mut self, value: &Value, column: usize, path: &str, is_started: bool) {
        match value {
            Value::Object(members) => {
                let is_item = is_started
                    || path.rsplit('/').next().is_some_and(|part| {
                        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
                    });
                for (i, (key, member)) in self.members(members, path).into_iter().enumerate() {
                    let below = format!("{path}/{key}");
                    if i > 0 || !is_started {
                        if !is_item {
                            self.comment(&below, column);
                        }
                        self.indent(column);
                    }
                    self.scalar_text(key);
                    if self.chance(10) {
                        self.blanks(1, 2);
                    }
                    self.text.push(':');
                    self.value(member, column, &below, true);
                }
            }
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    if i > 0 || !is_started {
                        self.indent(column);
                    }
                    self.text.push('-');
                    self.value(item, column, &format!("{path}/{i}"), false);
                }
            }
            _ => unreachable!("scalars stand in a line"),
        }
    }

    /// What stands behind a `:` or a `-` at this column.
    fn value(&mut self, value: &Value, column: usize, path: &str, is_member: bool) {
        if self.is_in_line(value, path) {
            if let (true, Value::String(text)) = (self.is_wild, value)
                && is_block(text)
            {
                return self.block(text, column);
            }
            match self.chance(8) {
                true => {
                    self.end();
                    let deeper = self.random.usize(1..5);
                    self.indent(column + deeper);
                }
                false => self.blanks(1, 3),
            }
            self.brackets(value, column, path);
            return self.end();
        }
        let is_list = value.is_array();
        if !is_member && self.chance(60) {
            let blanks = self.random.usize(1..4);
            self.text.push_str(&" ".repeat(blanks));
            return self.lines(value, column + 1 + blanks, path, true);
        }
        self.end();
        let least = usize::from(!(is_member && is_list));
        let deeper = self.random.usize(least..6);
        self.lines(value, column + deeper, path, false);
    }

    fn brackets(&mut self, value: &Value, column: usize, path: &str) {
        match value {
            Value::Object(members) => {
                self.text.push('{');
                for (i, (key, member)) in self.members(members, path).into_iter().enumerate() {
                    if i > 0 {
                        self.text.push(',');
                    }
                    self.gap(column);
                    self.scalar_text(key);
                    self.text.push_str(": ");
                    self.brackets(member, column, &format!("{path}/{key}"));
                }
                self.gap(column);
                self.text.push('}');
            }
            Value::Array(items) => {
                self.text.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        self.text.push(',');
                    }
                    self.gap(column);
                    self.brackets(item, column, path);
                }
                if self.chance(10) && !items.is_empty() {
                    self.text.push(',');
                }
                self.gap(column);
                self.text.push(']');
            }
            Value::String(text) => self.scalar_text(text),
            other => self.text.push_str(&other.to_string()),
        }
    }

    fn gap(&mut self, column: usize) {
        self.blanks(0, 2);
        if self.chance(6) {
            self.text.push('\n');
            let deeper = self.random.usize(1..4);
            self.indent(column + deeper);
        }
    }

    fn scalar_text(&mut self, text: &str) {
        const WORDS: [&str; 10] = [
            "true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan",
        ];
        let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
            && !WORDS.contains(&text.to_ascii_lowercase().as_str());
        let has_control = text
            .chars()
            .any(|c| c.is_control() || ('\u{2028}'..='\u{2029}').contains(&c));
        match self.random.u8(..3) {
            0 if is_word => self.text.push_str(text),
            1 if !has_control => self
                .text
                .push_str(&format!("'{}'", text.replace('\'', "''"))),
            _ => self.text.push_str(&Value::from(text).to_string()),
        }
    }

    fn block(&mut self, text: &str, column: usize) {
        self.text.push_str(match text.ends_with('\n') {
            true => " |",
            false => " |-",
        });
        self.end();
        let deeper = self.random.usize(1..5);
        for line in text.trim_end_matches('\n').split('\n') {
            if !line.is_empty() {
                self.indent(column + deeper);
            }
            self.text.push_str(line);
            self.text.push('\n');
        }
    }
}

fn is_block(text: &str) -> bool {
    text.trim_end_matches('\n').contains('\n')
        && !text.ends_with("\n\n")
        && !text.starts_with([' ', '\n', '\t'])
        && text.chars().all(|c| c == '\n' || !c.is_control())
        && text.lines().all(|line| line.trim_end() == line)
}

/// The value in another layout; another seed gives another one.
fn scrambled(value: &Value, shape: u64, seed: u64, is_wild: bool) -> String {
    let kind = if value.get("tool").is_some() {
        "tool"
    } else {
        "service"
    };
    let is_known = value.get("tool").is_some() || value.get("base_url").is_some();
    let known = UNORDERED.iter().find(|(name, _)| is_known && *name == kind);
    let unordered: &[&str] = match known {
        Some((_, places)) => places,
        None => &[],
    };
    let mut scrambler = Scrambler {
        shape,
        random: fastrand::Rng::with_seed(seed),
        unordered,
        is_wild,
        text: String::new(),
    };
    match is_wild && scrambler.chance(10) {
        true => {
            scrambler.text.push_str("---\n");
            scrambler.brackets(value, 0, "");
            scrambler.end();
        }
        false => scrambler.lines(value, 0, "", false),
    }
    let text = scrambler.text.clone();
    match (
        is_wild && scrambler.chance(20),
        is_wild && scrambler.chance(10),
    ) {
        (true, _) => text.replace('\n', "\r\n"),
        (_, true) => format!("\u{feff}{text}"),
        _ => text,
    }
}

fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => yaml_files(&path, found),
            false if path.extension().is_some_and(|ending| ending == "yaml") => found.push(path),
            false => {}
        }
    }
}

/// The values of the descriptors below a folder of the repository, by their paths.
fn values_of(folder: &str) -> BTreeMap<String, Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = Vec::new();
    yaml_files(&root, &mut files);
    let value = |path: PathBuf| {
        let text = fs::read_to_string(&path).ok()?;
        let source = Source::parse("it".to_owned(), text.into()).ok()?;
        let below = path
            .strip_prefix(&root)
            .expect("below")
            .display()
            .to_string();
        source
            .value()
            .is_object()
            .then(|| (below, source.value().clone()))
    };
    files.into_iter().filter_map(value).collect()
}

const TEXTS: [&str; 18] = [
    "Plain words.",
    "a: b",
    "a #b",
    " blanks ",
    "'",
    "\"",
    "it's",
    "say \"x\"",
    "{{ no",
    "[x",
    "- a",
    "yes",
    "1e3",
    "~",
    "\u{e9}\u{1f600}",
    "two\nlines\n",
    "tab\there",
    "A text that is so long that no line can hold it, because it goes on and on with words that nobody wants to read, and then a few more of them.",
];

/// A tool that is made from a seed.
fn made(seed: u64) -> Value {
    let mut random = fastrand::Rng::with_seed(seed);
    let text = |random: &mut fastrand::Rng| TEXTS[random.usize(..TEXTS.len())];
    let (mut properties, mut query, mut body, mut headers) =
        (Map::new(), Map::new(), Map::new(), Map::new());
    for i in 0..random.usize(1..6) {
        let name = format!("{}{i}", ["limit", "after_id", "x", "no"][random.usize(..4)]);
        let (kind, default) = match random.u8(..4) {
            0 => ("integer", json!(random.i32(..))),
            1 => ("boolean", json!(random.bool())),
            2 => ("number", json!(f64::from(random.i16(..)) / 8.0)),
            _ => ("string", json!(text(&mut random))),
        };
        let mut schema = json!({ "type": kind, "description": text(&mut random) });
        if random.bool() {
            schema["default"] = default.clone();
        }
        if random.bool() {
            schema["enum"] = json!([default]);
        }
        let value = json!(format!("{{{{ {name} }}}}"));
        properties.insert(name.clone(), schema);
        match random.u8(..3) {
            0 => body.insert(name, value),
            1 => headers.insert(
                format!("x-{}", name.replace('_', "-")),
                json!(format!("{{{{ {name} }}}}")),
            ),
            _ => query.insert(name, value),
        };
    }
    let mut output = Map::new();
    for i in 0..random.usize(1..5) {
        let value = match random.u8(..4) {
            0 => json!({ "each": "$.a[*]", "as": { "id": "$.id", "b c": "$['b c']" } }),
            1 => json!({ "literal": text(&mut random) }),
            2 => json!([format!("$.x{i}"), { "y": "$.y" }]),
            _ => json!(format!("$.x{i}")),
        };
        output.insert(format!("out {i}"), value);
    }
    let path = format!("/things/{seed}");
    let mut request = json!({ "method": "POST", "path": path, "query": query, "headers": headers });
    if !body.is_empty() {
        request["body"] = json!({ "json": { "a": body, "b": [1, 2.5, null, true, "it's: #1"] } });
    }
    json!({
        "spec": 1, "tool": format!("made-{seed}"),
        "service": { "service": format!("made-{seed}"), "base_url": "https://made.test" },
        "description": text(&mut random), "access": "write",
        "params": { "properties": properties },
        "request": request,
        "response": { "output": output },
    })
}

/// All descriptors that the tests write in other layouts, by folder.
fn all() -> BTreeMap<&'static str, BTreeMap<String, Value>> {
    let mut all: BTreeMap<_, _> = [
        ("tools", "tools"),
        ("services", "tests/fixtures/services"),
        ("github", "tests/fixtures/github"),
    ]
    .map(|(name, folder)| (name, values_of(folder)))
    .into();
    let made = (0..150).map(|seed| (format!("made-{seed}.yaml"), made(seed)));
    all.insert("made", made.collect());
    all
}

#[test]
#[ignore = "long"]
fn nothing_changes_between_two_layouts_of_a_folder() {
    let workspace = Workspace::new();
    for (folder, files) in all() {
        assert!(files.len() > 1, "{folder} has {} files", files.len());
        for (i, (below, value)) in files.iter().enumerate() {
            let seed = i as u64;
            workspace.write(&format!("{folder}/plain/{below}"), format!("{value:#}\n"));
            for side in ["odd", "fmt"] {
                workspace.write(
                    &format!("{folder}/{side}/{below}"),
                    scrambled(value, seed, seed, true),
                );
            }
        }
        let place = |side: &str| format!("{folder}/{side}");
        workspace.run(&["fmt", &place("fmt")]);
        workspace.run(&["fmt", "--check", &place("fmt")]);
        let run = |old: &str, new: &str| {
            let arguments = [
                "diff",
                &place(old),
                &place(new),
                "--format",
                "json",
                "--fail-on",
                "any",
            ];
            let told = workspace.run(&arguments).json();
            let findings = told["findings"].as_array().expect("a list").iter();
            let mut findings: Vec<String> = findings.map(|one| one["code"].to_string()).collect();
            findings.sort();
            (told["changes"].clone(), findings)
        };
        let (none, errors) = run("plain", "plain");
        assert_eq!(none, json!([]));
        assert!(errors.len() * 4 < files.len(), "{folder}: {errors:?}");
        for (old, new) in [("plain", "odd"), ("odd", "fmt"), ("fmt", "plain")] {
            let (changes, others) = run(old, new);
            assert_eq!(changes, json!([]), "{folder}: {old} {new}");
            assert_eq!(others, errors, "{folder}: {old} {new}");
        }
    }
}

#[test]
#[ignore = "long"]
fn two_layouts_become_one() {
    let workspace = Workspace::new();
    for (folder, files) in all() {
        for (i, (below, value)) in files.iter().enumerate() {
            let shape = i as u64;
            for (side, seed) in [("one", 2 * shape), ("other", 2 * shape + 1)] {
                let text = scrambled(value, shape, seed, false);
                workspace.write(&format!("{side}/{folder}/{below}"), text);
            }
        }
    }
    for side in ["one", "other"] {
        let told = workspace.run(&["fmt", side]);
        assert_eq!(told.code, 0, "{}", told.stdout);
    }
    for (folder, files) in all() {
        for below in files.keys() {
            let text = |side: &str| {
                let path = workspace.path().join(side).join(folder).join(below);
                fs::read_to_string(path).expect("a file")
            };
            assert_eq!(text("one"), text("other"), "{folder}/{below}");
        }
    }
}
