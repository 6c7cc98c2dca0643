//! Broken descriptors, one mistake each: the rows of the text files beside this one.
//!
//! A row is a heading `## CODE: NAME` and a text. `«` and `»` mark where the finding must be; without them it must
//! begin at the first character of the file. The text replaces top-level keys of the base of its file; a line `-key`
//! drops one. `⇥` is a tab, `␁` the control character U+0001.
//!
//! Words with a `+` after the code change how the file is written: `+whole` takes the text as the whole file, `+crlf`
//! ends lines in CR LF, `+bom` begins with a byte order mark, `+file=NAME` gives the file another name. If a tool names
//! its service, that service is written beside it.
#![allow(dead_code, reason = "each test file uses a part")]

use std::ops::Range;
use std::path::{Path, PathBuf};

use toolrun::internals::Code;
use toolrun::internals::check::Kind;

const TABLES: [(Kind, &str); 11] = [
    (Kind::Tool, include_str!("tool.txt")),
    (Kind::Tool, include_str!("params.txt")),
    (Kind::Tool, include_str!("request.txt")),
    (Kind::Tool, include_str!("templates.txt")),
    (Kind::Tool, include_str!("response.txt")),
    (Kind::Tool, include_str!("examples.txt")),
    (Kind::Tool, include_str!("yaml.txt")),
    (Kind::Service, include_str!("service.txt")),
    (Kind::Sandbox, include_str!("sandbox.txt")),
    (Kind::Policy, include_str!("policy.txt")),
    (Kind::Callers, include_str!("callers.txt")),
];

const TOOL: &str = r#"spec: 1
tool: probe
service: { service: probe, base_url: "https://probe.test" }
description: A probe.
access: read
params: { properties: { id: { type: string, default: a, description: The id. } } }
request: { method: GET, path: "/things/{{ id }}" }
"#;

const SERVICE: &str = "spec: 1\nservice: probe\nbase_url: https://probe.test\n";

const SANDBOX: &str = r#"spec: 1
sandbox: probe
seed: 1
now: "2026-01-01T00:00:00Z"
request_id: r
errors: { body: {}, codes: {} }
data: { things: { count: 2, row: { id: "{{ index }}" } } }
routes: { probe: { from: things, body: "{{ rows }}" } }
"#;

const POLICY: &str = r#"policy: 1
rules: [{ tools: probe/probe, when: "{{ args.id == 'a' }}", do: ask }, { tools: "probe/*", callers: [ci, "agent-*"], do: allow, why: It is. }]
default: deny
"#;

const CALLERS: &str = r#"callers: 1
tokens: [{ name: agent-1, token: "sha256:00000000000000000000000000000000000000000000000000000000000000aa", claims: { team: data }, concurrency: 4, rate: 60, expires: 2099-01-31, metrics: true }]
oauth: { issuer: "https://id.test", resource: "https://tools.test/mcp", audience: tools, scopes: [tools], jwks_uri: "https://id.test/keys", concurrency: 4, rate: 60 }
"#;

/// A descriptor with one mistake, or with none.
pub(crate) struct Row {
    /// The code and the name, as in the heading.
    pub title: String,
    /// What is wrong; `None` for a sound descriptor.
    pub code: Option<Code>,
    pub kind: Kind,
    /// The file as it is written.
    pub text: String,
    /// The bytes at fault; `None` when the file as a whole is.
    pub span: Option<Range<usize>>,
    file: String,
}

/// All rows, in order.
pub(crate) fn rows() -> Vec<Row> {
    let read = |(kind, table): &(Kind, &str)| -> Vec<Row> {
        let table = format!("\n{table}");
        let rows = table.split("\n## ").skip(1);
        rows.map(|row| Row::parse(*kind, row)).collect()
    };
    TABLES.iter().flat_map(read).collect()
}

impl Row {
    /// The base that the rows of a kind patch.
    pub(crate) fn sound(kind: Kind) -> Row {
        let (text, file) = match kind {
            Kind::Tool => (TOOL, "probe.yaml"),
            Kind::Service => (SERVICE, "service.yaml"),
            Kind::Sandbox => (SANDBOX, "sandbox.yaml"),
            Kind::Policy => (POLICY, "policy.yaml"),
            Kind::Callers => (CALLERS, "callers.yaml"),
        };
        Row {
            title: format!("the base of {file}"),
            code: None,
            kind,
            text: text.to_owned(),
            span: None,
            file: file.to_owned(),
        }
    }

    fn parse(kind: Kind, row: &str) -> Row {
        let mut read = Row::sound(kind);
        let (heading, body) = row.split_once('\n').unwrap_or((row, ""));
        let (words, name) = heading.split_once(": ").expect("`CODE: NAME`");
        let mut words = words.split(" +");
        let code = words.next().unwrap_or_default();
        read.title = format!("{code}: {name}");
        read.code = Some(Code::from_name(code).unwrap_or_else(|| panic!("`{code}` is no code")));
        read.text = patched(&read.text, &format!("{}\n", body.trim_end()));
        for word in words {
            match word {
                "whole" => read.text = body.trim_end().to_owned(),
                "crlf" => read.text = read.text.replace('\n', "\r\n"),
                "bom" => read.text.insert(0, '\u{feff}'),
                _ => match word.split_once('=') {
                    Some(("file", name)) => read.file = name.to_owned(),
                    _ => panic!("{name}: `+{word}` means nothing"),
                },
            }
        }
        let text = read.text.replace('⇥', "\t").replace('␁', "\u{1}");
        (read.text, read.span) = unmarked(&text);
        read
    }

    /// Whether a finding from `begin` to `end`, each a line and a column, is at the marked place.
    pub(crate) fn stands_at(&self, begin: (usize, usize), end: (usize, usize)) -> bool {
        let at = |byte| line_column(&self.text, byte);
        match &self.span {
            None => begin == (1, 1),
            Some(span) => begin == at(span.start) && end == at(span.end),
        }
    }

    /// Writes the file, and what it needs beside it, into an empty folder; gives the file's path.
    pub(crate) fn write(&self, folder: &Path) -> PathBuf {
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(&path, text).expect("a file");
            path
        };
        match self.kind {
            Kind::Tool if self.text.contains("\nservice: {") => {
                return write(&self.file, &self.text);
            }
            Kind::Tool => drop(write("probe/service.yaml", SERVICE)),
            Kind::Service => {}
            Kind::Policy => {
                write("probe.yaml", TOOL);
                return write(&self.file, &self.text);
            }
            Kind::Callers => return write(&self.file, &self.text),
            Kind::Sandbox => {
                write("probe/service.yaml", SERVICE);
                write("probe/probe.yaml", &patched(TOOL, "service: probe\n"));
            }
        }
        write(&format!("probe/{}", self.file), &self.text)
    }
}

/// Line and column, both counted from 1 in characters; a byte order mark takes no column.
fn line_column(text: &str, byte: usize) -> (usize, usize) {
    let before = text[..byte].trim_start_matches('\u{feff}');
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}

/// The base with the top-level keys of `patch` in place of its own.
fn patched(base: &str, patch: &str) -> String {
    let key = |line: &str| {
        let bare = line.trim_start_matches(['«', '-']);
        let end = bare.find([':', '»', '\n']).unwrap_or(bare.len());
        bare[..end].to_owned()
    };
    let own: Vec<String> = patch.lines().map(key).collect();
    let is_kept = |line: &&str| !own.contains(&key(line));
    let drops = |line: &str| line.starts_with('-') && line.as_bytes()[1].is_ascii_lowercase();
    let added = patch.split_inclusive('\n').filter(|line| !drops(line));
    let kept = base.split_inclusive('\n').filter(is_kept);
    kept.chain(added).collect()
}

/// The text without its marks, and the bytes between them.
fn unmarked(text: &str) -> (String, Option<Range<usize>>) {
    let Some((before, rest)) = text.split_once('«') else {
        return (text.to_owned(), None);
    };
    let (inside, after) = rest.split_once('»').expect("a `»` behind the `«`");
    let span = before.len()..before.len() + inside.len();
    (format!("{before}{inside}{after}"), Some(span))
}
