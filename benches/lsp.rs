//! `toolrun lsp` in a folder of a thousand files: how long an editor waits.
//!
//! Prints the median and the worst of completions after a keystroke, of the findings after a keystroke (with the pause
//! that the server waits for the next one), and of the findings of the open tools after a keystroke in their service;
//! the start, and the most memory.
//!
//! `cargo bench --bench lsp [-- KEYSTROKES]`

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its times"
)]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

const SERVICES: usize = 20;
const TOOLS: usize = 49;
/// How many documents are open in the editor.
const OPEN: usize = 10;

/// A part of the file, what somebody writes there up to the cursor, and what must be offered.
const PLACES: [(&str, &str, &str); 6] = [
    ("  method: GET", "  ", "headers"),
    ("access: read", "access: ", "destructive"),
    ("\"{{ limit }}\"", "\"{{ ", "after_id"),
    ("$.has_more", "$.", "last_id"),
    ("id: $.id", "id: $.", "created_at"),
    ("    limit: \"{{ limit }}\"", "    ", "limit"),
];

fn main() {
    let keystrokes = support::number_argument(200);
    let folder = TempDir::new().expect("a folder");
    let files = write_files(folder.path());
    println!("{files} files, {OPEN} of them open");
    let begun = Instant::now();
    let mut editor = Editor::start(folder.path());
    println!("start: {:.1} ms", millis(begun.elapsed()));

    let documents: Vec<(String, String)> = (0..OPEN).map(|i| document(folder.path(), i)).collect();
    for (uri, text) in &documents {
        editor.open(uri, text);
    }
    editor.wait_for_findings(&documents.last().expect("a document").0, 1);

    let mut version = 1;
    let mut completions = Vec::new();
    let mut findings = Vec::new();
    for i in 0..keystrokes {
        let (uri, text) = &documents[i % OPEN];
        let (part, typed, wanted) = PLACES[i % PLACES.len()];
        let at = text.find(part).expect("the part") + typed.len();
        let written = text.replacen(part, typed, 1);
        let line = written[..at].matches('\n').count();
        let character = at - written[..at].rfind('\n').map_or(0, |found| found + 1);
        version += 1;
        editor.change(uri, version, &written);
        let begun = Instant::now();
        let list = editor.complete(uri, line, character);
        completions.push(millis(begun.elapsed()));
        let items = list["items"].as_array().expect("a list");
        assert!(
            items.iter().any(|item| item["label"] == wanted),
            "{wanted} is not offered at {part:?}: {list}"
        );

        version += 1;
        editor.change(uri, version, text);
        let begun = Instant::now();
        editor.wait_for_findings(uri, version);
        findings.push(millis(begun.elapsed()));
    }
    print("completion after a keystroke", &mut completions);
    print("findings after a keystroke", &mut findings);

    let uri = uri(&folder.path().join("service-0/service.yaml"));
    let service = fs::read_to_string(folder.path().join("service-0/service.yaml")).expect("a file");
    editor.open(&uri, &service);
    let mut others = Vec::new();
    for i in 0..keystrokes / 10 {
        version += 1;
        editor.change(&uri, version, &format!("{service}# {i}\n"));
        let begun = Instant::now();
        editor.wait_for_all(&documents);
        others.push(millis(begun.elapsed()));
    }
    print(
        "findings of all open tools after a keystroke in their service",
        &mut others,
    );
    println!("most memory: {:.1} MB", editor.memory() as f64 / 1e6);
}

fn print(what: &str, times: &mut [f64]) {
    times.sort_by(f64::total_cmp);
    println!(
        "{what}: median {:.1} ms, worst of {} {:.1} ms",
        times[times.len() / 2],
        times.len(),
        times[times.len() - 1]
    );
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Writes services with tools; gives how many files there are.
fn write_files(folder: &Path) -> usize {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/anthropic-admin");
    let read = |name: &str| fs::read_to_string(root.join(name)).expect("a file");
    let (service, tool) = (read("service.yaml"), read("list-workspaces.yaml"));
    for i in 0..SERVICES {
        let folder = folder.join(format!("service-{i}"));
        fs::create_dir(&folder).expect("a folder");
        let named =
            |text: &str| text.replace("service: anthropic-admin", &format!("service: service-{i}"));
        fs::write(folder.join("service.yaml"), named(&service)).expect("a file");
        for j in 0..TOOLS {
            let text = named(&tool).replace("tool: list-workspaces", &format!("tool: tool-{j}"));
            fs::write(folder.join(format!("tool-{j}.yaml")), text).expect("a file");
        }
    }
    SERVICES * (TOOLS + 1)
}

fn uri(path: &Path) -> String {
    Url::from_file_path(path).expect("a path").into()
}

fn document(folder: &Path, index: usize) -> (String, String) {
    let path: PathBuf = folder.join(format!("service-0/tool-{index}.yaml"));
    (uri(&path), fs::read_to_string(&path).expect("a file"))
}

struct Editor {
    server: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    requests: u64,
}

impl Editor {
    fn start(folder: &Path) -> Editor {
        let mut server = Command::new(env!("CARGO_BIN_EXE_toolrun"))
            .arg("lsp")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("toolrun starts");
        let mut editor = Editor {
            input: server.stdin.take().expect("a pipe"),
            output: BufReader::new(server.stdout.take().expect("a pipe")),
            server,
            requests: 0,
        };
        editor.request(
            "initialize",
            json!({ "rootUri": uri(folder), "capabilities": {} }),
        );
        editor
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len()).expect("it reads");
        self.input.flush().expect("it reads");
    }

    fn read(&mut self) -> Value {
        let mut header = String::new();
        self.output.read_line(&mut header).expect("a header");
        let length = header
            .trim()
            .strip_prefix("Content-Length: ")
            .expect("a length");
        let length: u64 = length.parse().expect("a number");
        self.output.read_line(&mut header).expect("a line");
        let mut text = Vec::new();
        self.output
            .by_ref()
            .take(length)
            .read_to_end(&mut text)
            .expect("a message");
        serde_json::from_slice(&text).expect("JSON")
    }

    fn request(&mut self, method: &str, params: Value) -> Value {
        self.requests += 1;
        let id = self.requests;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        loop {
            let mut message = self.read();
            if message["id"] == id {
                return message["result"].take();
            }
        }
    }

    fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    fn open(&mut self, uri: &str, text: &str) {
        let document = json!({ "uri": uri, "languageId": "yaml", "version": 1, "text": text });
        self.notify("textDocument/didOpen", json!({ "textDocument": document }));
    }

    fn change(&mut self, uri: &str, version: i64, text: &str) {
        let document = json!({ "uri": uri, "version": version });
        let params = json!({ "textDocument": document, "contentChanges": [{ "text": text }] });
        self.notify("textDocument/didChange", params);
    }

    fn complete(&mut self, uri: &str, line: usize, character: usize) -> Value {
        let position = json!({ "line": line, "character": character });
        let params = json!({ "textDocument": { "uri": uri }, "position": position });
        self.request("textDocument/completion", params)
    }

    fn wait_for_findings(&mut self, uri: &str, version: i64) {
        loop {
            let message = self.read();
            if message["params"]["uri"] == uri && message["params"]["version"] == version {
                assert_eq!(message["params"]["diagnostics"], json!([]), "{message}");
                return;
            }
        }
    }

    fn wait_for_all(&mut self, documents: &[(String, String)]) {
        let mut missing: Vec<&str> = documents.iter().map(|(uri, _)| uri.as_str()).collect();
        while !missing.is_empty() {
            let message = self.read();
            missing.retain(|uri| message["params"]["uri"] != *uri);
        }
    }

    /// The most bytes that the server has held.
    fn memory(&self) -> usize {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.server.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes =
            line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok());
        kilobytes.unwrap_or(0) * 1024
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
