//! An editor that knows no more of the Language Server Protocol than its messages: what it sends and gets is what is on
//! the wire.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use url::Url;

use super::Workspace;

/// How long a server may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// An editor with a server that runs.
pub(crate) struct Editor {
    child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    /// What the server sent by itself and nobody has asked for yet.
    pub(crate) told: Vec<Value>,
    requests: u64,
    versions: HashMap<String, i64>,
    /// What the server said that it can.
    pub(crate) capabilities: Value,
}

impl Editor {
    /// Starts a server and nothing else.
    pub(crate) fn bare(command: &mut Command) -> Editor {
        let mut child = command
            .arg("lsp")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut output = BufReader::new(child.stdout.take().expect("standard output"));
        let (sender, messages) = channel();
        thread::spawn(move || {
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        Editor {
            input: child.stdin.take(),
            child,
            messages,
            told: Vec::new(),
            requests: 0,
            versions: HashMap::new(),
            capabilities: Value::Null,
        }
    }

    /// Starts a server for a folder that is open in the editor.
    pub(crate) fn in_folder(workspace: &Workspace) -> Editor {
        let folder = workspace.descriptors();
        let mut editor = Editor::bare(&mut workspace.toolrun());
        editor.initialize(json!({
            "processId": std::process::id(),
            "rootUri": uri(&folder),
            "workspaceFolders": [{ "uri": uri(&folder), "name": "descriptors" }],
            "capabilities": capabilities("utf-16"),
        }));
        editor
    }

    pub(crate) fn initialize(&mut self, params: Value) {
        let answer = self.request("initialize", params);
        self.capabilities = answer["result"]["capabilities"].clone();
        self.notify("initialized", json!({}));
    }

    /// Writes bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("an open pipe");
        input.write_all(bytes).expect("the server reads");
        input.flush().expect("the server reads");
    }

    pub(crate) fn send(&mut self, message: &Value) {
        let text = message.to_string();
        self.write(format!("Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes());
    }

    pub(crate) fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// Sends a request without waiting; gives its id.
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> u64 {
        self.requests += 1;
        let id = self.requests;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    /// The next message.
    pub(crate) fn next(&mut self) -> Value {
        self.messages.recv_timeout(PATIENCE).expect("a message")
    }

    /// The answer to a request.
    pub(crate) fn answer(&mut self, id: u64) -> Value {
        loop {
            let message = self.next();
            if message["id"] == id && message.get("method").is_none() {
                return message;
            }
            self.told.push(message);
        }
    }

    pub(crate) fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params);
        self.answer(id)
    }

    /// The result of a request that must not fail.
    #[track_caller]
    pub(crate) fn result(&mut self, method: &str, params: Value) -> Value {
        let mut answer = self.request(method, params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    /// Opens a document.
    pub(crate) fn open(&mut self, uri: &str, text: &str) {
        self.versions.insert(uri.to_owned(), 1);
        let document = json!({ "uri": uri, "languageId": "yaml", "version": 1, "text": text });
        self.notify("textDocument/didOpen", json!({ "textDocument": document }));
    }

    /// Changes a document: parts, or the whole text.
    pub(crate) fn change(&mut self, uri: &str, changes: Value) {
        let version = self.versions.entry(uri.to_owned()).or_insert(0);
        *version += 1;
        let document = json!({ "uri": uri, "version": *version });
        let params = json!({ "textDocument": document, "contentChanges": changes });
        self.notify("textDocument/didChange", params);
    }

    pub(crate) fn close(&mut self, uri: &str) {
        let document = json!({ "textDocument": { "uri": uri } });
        self.notify("textDocument/didClose", document);
    }

    /// What is found in the newest version of a document.
    pub(crate) fn findings(&mut self, uri: &str) -> Vec<Value> {
        let version = self.versions.get(uri).copied();
        let is_it = |message: &Value| {
            message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["uri"] == uri
                && message["params"]["version"].as_i64() == version
        };
        let begun = Instant::now();
        loop {
            if let Some(at) = self.told.iter().position(is_it) {
                let message = self.told.remove(at);
                return message["params"]["diagnostics"]
                    .as_array()
                    .expect("a list")
                    .clone();
            }
            assert!(begun.elapsed() < PATIENCE, "no findings of {uri}");
            let message = self.next();
            self.told.push(message);
        }
    }

    /// The codes of what is found in the newest version of a document.
    pub(crate) fn codes(&mut self, uri: &str) -> Vec<String> {
        let findings = self.findings(uri);
        let codes = findings
            .iter()
            .map(|finding| finding["code"].as_str().unwrap_or("-").to_owned());
        codes.collect()
    }

    /// Asks about a place in a document.
    #[track_caller]
    pub(crate) fn at(&mut self, method: &str, uri: &str, line: usize, character: usize) -> Value {
        let params = json!({
            "textDocument": { "uri": uri },
            "position": { "line": line, "character": character },
            "context": { "includeDeclaration": true, "triggerKind": 1 },
        });
        self.result(&format!("textDocument/{method}"), params)
    }

    pub(crate) fn close_input(&mut self) {
        self.input = None;
    }

    /// Waits for the end; gives the exit code.
    pub(crate) fn end(&mut self) -> Option<i32> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            assert!(begun.elapsed() < PATIENCE, "the server does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends the server as the protocol says.
    pub(crate) fn quit(&mut self) -> Option<i32> {
        self.request("shutdown", Value::Null);
        self.notify("exit", Value::Null);
        self.end()
    }

    /// Everything that the server still sends until it ends.
    pub(crate) fn rest(&mut self) -> Vec<Value> {
        let rest: Vec<Value> = self.messages.iter().collect();
        self.told.drain(..).chain(rest).collect()
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What an editor can that can all.
pub(crate) fn capabilities(encoding: &str) -> Value {
    json!({
        "general": { "positionEncodings": [encoding] },
        "textDocument": {
            "completion": { "completionItem": { "snippetSupport": true, "insertTextModeSupport": { "valueSet": [1, 2] } } },
            "hover": { "contentFormat": ["markdown", "plaintext"] },
            "documentSymbol": { "hierarchicalDocumentSymbolSupport": true },
        },
        "workspace": { "didChangeWatchedFiles": { "dynamicRegistration": true } },
    })
}

pub(crate) fn uri(path: &Path) -> String {
    Url::from_file_path(path).expect("an absolute path").into()
}

/// Reads a message. Whatever is none would be a mistake of the server.
fn read(output: &mut impl std::io::BufRead) -> Option<Value> {
    let mut header = String::new();
    if output.read_line(&mut header).ok()? == 0 {
        return None;
    }
    let length = header
        .strip_prefix("Content-Length: ")
        .and_then(|rest| rest.strip_suffix("\r\n"));
    let length: u64 = length
        .unwrap_or_else(|| panic!("{header:?}"))
        .parse()
        .expect("a length");
    let mut blank = String::new();
    output.read_line(&mut blank).ok()?;
    assert_eq!(blank, "\r\n");
    let mut text = Vec::new();
    output.take(length).read_to_end(&mut text).ok()?;
    Some(serde_json::from_slice(&text).expect("JSON"))
}

/// The text without its mark `¦`, and the line and character (in UTF-16) where it stands.
#[track_caller]
pub(crate) fn marked(text: &str) -> (String, usize, usize) {
    let at = text.find('¦').expect("a mark");
    let line = text[..at].rfind('\n').map_or(0, |found| found + 1);
    let character = text[line..at].encode_utf16().count();
    (
        text.replacen('¦', "", 1),
        text[..at].matches('\n').count(),
        character,
    )
}

/// The text with edits of the protocol, whose places count in UTF-16.
pub(crate) fn edited(text: &str, edits: &[Value]) -> String {
    let mut edits: Vec<_> = edits.iter().collect();
    edits.sort_by_key(|edit| std::cmp::Reverse(byte(text, &edit["range"]["start"])));
    let mut edited = text.to_owned();
    for edit in edits {
        // The last ones come first, so that the places of the others stay.
        let range = &edit["range"];
        let range = byte(text, &range["start"])..byte(text, &range["end"]);
        edited.replace_range(range, edit["newText"].as_str().expect("a text"));
    }
    edited
}

fn byte(text: &str, place: &Value) -> usize {
    let number = |key: &str| place[key].as_u64().expect("a number") as usize;
    let lines = text.split_inclusive('\n').take(number("line"));
    let start: usize = lines.map(str::len).sum();
    let mut units = 0;
    let inside = text[start..].char_indices().find(|(_, c)| {
        let is_here = units >= number("character");
        units += c.len_utf16();
        is_here
    });
    inside.map_or(text.len(), |(at, _)| start + at)
}
