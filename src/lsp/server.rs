//! The server: reads messages, answers them in order, and sends what is found.

use std::collections::{HashSet, VecDeque};
use std::io::{BufRead, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::check::{Checked, Checker, findings_of, quietly};
use super::complete::complete;
use super::desk::{Client, Desk, Document, path_of};
use super::facts::Facts;
use super::findings::diagnostics;
use super::fixes::fixes;
use super::hover::hover;
use super::jump::{Target, definition, outline, references};
use super::text::{Position, Span, Text};
use super::wire::{Malformed, Read, Reader, write};
use crate::check;
use crate::source::Finding;

/// How many events wait to be looked at.
const WAITING: usize = 64;
/// How many messages are looked at ahead of the one that is answered: they may cancel it.
const MOST_AHEAD: usize = 4096;
/// And how many bytes they have, about. The rest stays in the pipe.
const MOST_BYTES_AHEAD: u64 = 64 << 20;
/// The longest text, in bytes, in which something is looked for. A descriptor has at most a megabyte.
const LONGEST_TEXT: usize = 2 << 20;
/// How often the server looks whether the editor still runs.
const LOOK: Duration = Duration::from_secs(2);

/// The codes of errors in the protocol.
mod code {
    pub(super) const PARSE: i64 = -32700;
    pub(super) const INVALID_REQUEST: i64 = -32600;
    pub(super) const METHOD_NOT_FOUND: i64 = -32601;
    pub(super) const INVALID_PARAMS: i64 = -32602;
    pub(super) const INTERNAL: i64 = -32603;
    pub(super) const NOT_INITIALIZED: i64 = -32002;
    pub(super) const FAILED: i64 = -32803;
    pub(super) const CANCELLED: i64 = -32800;
}

/// Something that happened.
pub(super) enum Event {
    /// What was read, and how many bytes it has.
    Read(Read, u64),
    Checked(Checked),
    /// Something of ours failed.
    Failed(String),
    /// The editor is gone.
    Orphaned,
}

/// How the server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// As the protocol says: asked to shut down, then to exit.
    Orderly,
    /// Without that: the editor is gone, or told it to exit at once.
    Abrupt,
}

type Answer = Result<Value, (i64, String)>;

/// Serves an editor until it says that it exits, or is gone.
pub(crate) fn serve(input: impl BufRead + Send + 'static, output: impl Write) -> End {
    let (sender, events) = sync_channel(WAITING);
    let from_editor = sender.clone();
    thread::spawn(move || {
        let mut reader = Reader::new(input);
        loop {
            let message = reader.read();
            let is_end = message == Read::End;
            let event = Event::Read(message, reader.bytes());
            if from_editor.send(event).is_err() || is_end {
                return;
            }
        }
    });
    let mut server = Server {
        output,
        checker: Checker::start(sender.clone()),
        sender,
        desk: Desk::default(),
        client: Client::default(),
        stage: Stage::New,
        waiting: VecDeque::new(),
        lost: HashSet::new(),
        requests: 0,
        is_closed: false,
    };
    server.run(&events)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    Running,
    ShutDown,
}

struct Server<W> {
    output: W,
    checker: Checker,
    sender: SyncSender<Event>,
    desk: Desk,
    client: Client,
    stage: Stage,
    /// What was read and is not answered yet.
    waiting: VecDeque<Event>,
    /// The documents that are not open and whose changes are left out.
    lost: HashSet<String>,
    /// How many requests were made to the editor.
    requests: u64,
    /// Whether nobody reads what is written.
    is_closed: bool,
}

impl<W: Write> Server<W> {
    fn run(&mut self, events: &Receiver<Event>) -> End {
        loop {
            if self.waiting.is_empty() {
                match events.recv() {
                    Ok(event) => self.waiting.push_back(event),
                    Err(_) => return End::Abrupt,
                }
            }
            // What is there already may cancel what comes first.
            let bytes = |event: &Event| match event {
                Event::Read(_, bytes) => *bytes,
                _ => 0,
            };
            let mut ahead: u64 = self.waiting.iter().map(bytes).sum();
            while self.waiting.len() < MOST_AHEAD && ahead < MOST_BYTES_AHEAD {
                let Ok(event) = events.try_recv() else { break };
                ahead += bytes(&event);
                self.waiting.push_back(event);
            }
            let Some(event) = self.waiting.pop_front() else {
                continue;
            };
            match event {
                Event::Read(Read::Message(message), _) => {
                    if let Some(end) = self.take(&message) {
                        return end;
                    }
                }
                Event::Read(Read::Mended(message), _) => {
                    self.log("a message has half a character, which is read as U+FFFD");
                    if let Some(end) = self.take(&message) {
                        return end;
                    }
                }
                Event::Read(Read::Malformed(told), _) => self.refuse(&told),
                Event::Read(Read::End, _) | Event::Orphaned => return End::Abrupt,
                Event::Checked(checked) => self.publish(checked),
                Event::Failed(what) => self.log(&what),
            }
            if self.is_closed {
                return End::Abrupt;
            }
        }
    }

    /// Takes a message.
    fn take(&mut self, message: &Value) -> Option<End> {
        let id = message.get("id");
        let Some(method) = message.get("method").and_then(Value::as_str) else {
            // An answer to a request of ours needs nothing; something else is no message.
            let is_answer =
                id.is_some() && (message.get("result").is_some() || message.get("error").is_some());
            if !is_answer {
                self.error(
                    id.unwrap_or(&Value::Null),
                    code::INVALID_REQUEST,
                    "this is neither a request nor a notification",
                );
            }
            return None;
        };
        let params = message.get("params").unwrap_or(&Value::Null);
        match id {
            Some(id) => self.request(id, method, params),
            None if method == "exit" => {
                return Some(match self.stage {
                    Stage::ShutDown => End::Orderly,
                    _ => End::Abrupt,
                });
            }
            None if self.stage == Stage::Running
                && quietly(|| self.notification(method, params)).is_none() =>
            {
                self.log(&format!("{method} failed"));
            }
            None => {}
        }
        None
    }

    /// Answers what is no message. A change that is lost leaves a text that is not the editor's.
    fn refuse(&mut self, told: &Malformed) {
        let id = match &told.id {
            id @ (Value::String(_) | Value::Number(_)) => id,
            _ => &Value::Null,
        };
        self.error(id, code::PARSE, &told.reason);
        let method = told.method.as_str().unwrap_or_default();
        if method.starts_with("textDocument/did") {
            let words = format!(
                "{method} could not be read: what is told of that file may be wrong; close it and open it again"
            );
            self.show(&words);
        }
    }

    fn request(&mut self, id: &Value, method: &str, params: &Value) {
        if !id.is_string() && !id.is_number() {
            return self.error(
                &Value::Null,
                code::INVALID_REQUEST,
                "the id of a request is a text or a number",
            );
        }
        if self.is_cancelled(id) {
            return self.error(id, code::CANCELLED, "cancelled");
        }
        let answer = match (self.stage, method) {
            (Stage::New, "initialize") => Ok(self.initialize(params)),
            (Stage::New, _) => Err((code::NOT_INITIALIZED, "`initialize` comes first".to_owned())),
            (Stage::ShutDown, _) => {
                Err((code::INVALID_REQUEST, "the server is shut down".to_owned()))
            }
            (Stage::Running, "initialize") => Err((
                code::INVALID_REQUEST,
                "the server is initialized".to_owned(),
            )),
            (Stage::Running, "shutdown") => {
                self.stage = Stage::ShutDown;
                Ok(Value::Null)
            }
            (Stage::Running, _) => quietly(|| self.answer(method, params))
                .unwrap_or_else(|| Err((code::INTERNAL, format!("{method} failed")))),
        };
        match answer {
            Ok(result) => self.send(&json!({ "jsonrpc": "2.0", "id": id, "result": result })),
            Err((code, message)) => self.error(id, code, &message),
        }
    }

    /// Whether a message that waits cancels a request.
    fn is_cancelled(&self, id: &Value) -> bool {
        self.waiting.iter().any(|event| match event {
            Event::Read(Read::Message(message), _) => {
                message
                    .get("method")
                    .is_some_and(|method| method == "$/cancelRequest")
                    && message.pointer("/params/id") == Some(id)
            }
            _ => false,
        })
    }

    fn initialize(&mut self, params: &Value) -> Value {
        self.client = Client::of(params);
        self.stage = Stage::Running;
        let folders = params.get("workspaceFolders").and_then(Value::as_array);
        let folders = folders
            .into_iter()
            .flatten()
            .filter_map(|folder| folder.get("uri"));
        let mut uris: Vec<&str> = folders.filter_map(Value::as_str).collect();
        if uris.is_empty() {
            uris.extend(params.get("rootUri").and_then(Value::as_str));
        }
        self.desk.folders = uris.into_iter().filter_map(path_of).collect();
        if let Some(process) = params.get("processId").and_then(Value::as_u64) {
            watch(process, self.sender.clone());
        }
        json!({
            "capabilities": {
                "positionEncoding": self.client.encoding.name(),
                "textDocumentSync": { "openClose": true, "change": 2, "save": { "includeText": false } },
                "completionProvider": { "triggerCharacters": ["{", ".", "$", "|", " ", ":", "\"", "'", "["] },
                "hoverProvider": true,
                "definitionProvider": true,
                "referencesProvider": true,
                "documentSymbolProvider": true,
                "documentFormattingProvider": true,
                "codeActionProvider": { "codeActionKinds": ["quickfix"] },
                "workspace": { "workspaceFolders": { "supported": true, "changeNotifications": true } },
            },
            "serverInfo": { "name": "toolrun", "version": env!("CARGO_PKG_VERSION") },
        })
    }

    fn notification(&mut self, method: &str, params: &Value) {
        match method {
            "initialized" if self.client.watches => self.ask_to_watch(),
            "textDocument/didOpen" => {
                let of = |key: &str| params.pointer(&format!("/textDocument/{key}"));
                let text = of("text").and_then(Value::as_str);
                if let (Some(uri), Some(text)) = (of("uri").and_then(Value::as_str), text) {
                    let version = of("version").and_then(Value::as_i64).unwrap_or(0);
                    self.lost.remove(uri);
                    self.desk
                        .open(uri, version, text.to_owned(), self.client.encoding);
                    self.check_around(uri);
                }
            }
            "textDocument/didChange" => self.change(params),
            "textDocument/didSave" => {
                if let Some(uri) = uri_in(params) {
                    self.check_around(uri);
                }
            }
            "textDocument/didClose" => {
                if let Some(uri) = uri_in(params).map(str::to_owned) {
                    let around = self.desk.concerned(&uri);
                    self.desk.close(&uri);
                    self.notify(
                        "textDocument/publishDiagnostics",
                        json!({ "uri": uri, "diagnostics": [] }),
                    );
                    // Without the unsaved text, the others see what is on disk.
                    self.checker.check(&self.desk, around);
                }
            }
            "workspace/didChangeWatchedFiles" => {
                let all = self.desk.documents.keys().cloned().collect();
                self.checker.check(&self.desk, all);
            }
            "workspace/didChangeWorkspaceFolders" => {
                let folders = |key: &str| -> Vec<PathBuf> {
                    let list = params
                        .pointer(&format!("/event/{key}"))
                        .and_then(Value::as_array);
                    let uris = list
                        .into_iter()
                        .flatten()
                        .filter_map(|folder| folder.get("uri")?.as_str());
                    uris.filter_map(path_of).collect()
                };
                let removed = folders("removed");
                self.desk.folders.retain(|folder| !removed.contains(folder));
                self.desk.folders.extend(folders("added"));
            }
            _ => {}
        }
    }

    fn change(&mut self, params: &Value) {
        let Some(uri) = uri_in(params) else {
            return self.log("a change names no file, and is left out");
        };
        if !self.desk.documents.contains_key(uri) {
            // Once for each: whoever types on would fill the log.
            if self.lost.len() < MOST_AHEAD && self.lost.insert(uri.to_owned()) {
                self.log(&format!("{uri} is not open, and its changes are left out"));
            }
            return;
        }
        let version = params
            .pointer("/textDocument/version")
            .and_then(Value::as_i64);
        let listed = params.get("contentChanges").and_then(Value::as_array);
        let changes = listed.and_then(|changes| {
            // What stands before a whole text does not matter.
            let is_whole = |change: &Value| matches!(change_in(change), Some((None, _)));
            let from = changes.iter().rposition(is_whole).unwrap_or(0);
            changes[from..].iter().map(change_in).collect()
        });
        let Some(changes) = changes else {
            return self.lose(uri);
        };
        self.desk
            .change(uri, version.unwrap_or(0), changes, self.client.encoding);
        self.check_around(uri);
    }

    /// Gives a document up whose text is no longer that of the editor.
    fn lose(&mut self, uri: &str) {
        const WORDS: &str = "a change of this file could not be read, so that nothing is known of it; close it and open it again";
        self.desk.close(uri);
        let nowhere = Position {
            line: 0,
            character: 0,
        };
        let told = json!([{
            "range": Span { start: nowhere, end: nowhere },
            "severity": 1,
            "source": "toolrun",
            "message": WORDS,
        }]);
        self.notify(
            "textDocument/publishDiagnostics",
            json!({ "uri": uri, "diagnostics": told }),
        );
    }

    fn check_around(&self, uri: &str) {
        self.checker.check(&self.desk, self.desk.concerned(uri));
    }

    fn ask_to_watch(&mut self) {
        self.requests += 1;
        let watchers = json!([{ "globPattern": "**/*.{yaml,yml}" }]);
        let registration = json!({
            "id": "descriptors",
            "method": "workspace/didChangeWatchedFiles",
            "registerOptions": { "watchers": watchers },
        });
        self.send(&json!({
            "jsonrpc": "2.0",
            "id": format!("toolrun-{}", self.requests),
            "method": "client/registerCapability",
            "params": { "registrations": [registration] },
        }));
    }

    fn answer(&mut self, method: &str, params: &Value) -> Answer {
        type Handler<W> = fn(&mut Server<W>, &Document, &Facts, &Value) -> Answer;
        let handler: Handler<W> = match method {
            "textDocument/completion" => Server::complete,
            "textDocument/hover" => Server::hover,
            "textDocument/definition" => Server::definition,
            "textDocument/references" => Server::references,
            "textDocument/documentSymbol" => Server::outline,
            "textDocument/codeAction" => Server::fixes,
            "textDocument/formatting" => Server::format,
            _ => {
                return Err((
                    code::METHOD_NOT_FOUND,
                    format!("there is no method `{method}`"),
                ));
            }
        };
        let uri = uri_in(params).ok_or_else(|| {
            (
                code::INVALID_PARAMS,
                "`textDocument.uri` is missing".to_owned(),
            )
        })?;
        let Some(document) = self.desk.documents.get(uri).cloned() else {
            return Err((code::INVALID_PARAMS, format!("{uri} is not open")));
        };
        if document.text.as_str().len() > LONGEST_TEXT {
            return Ok(Value::Null);
        }
        let facts = self.desk.facts(&document);
        handler(self, &document, &facts, params)
    }

    fn complete(&mut self, document: &Document, facts: &Facts, params: &Value) -> Answer {
        let cursor = cursor(&document.text, params)?;
        let is_blank = document.text.as_str().trim().is_empty();
        let is_ours =
            document.path.is_none() || is_blank || self.desk.descriptor(document).is_some();
        Ok(match is_ours {
            true => complete(facts, &document.text, cursor, &self.client),
            false => Value::Null,
        })
    }

    fn hover(&mut self, document: &Document, facts: &Facts, params: &Value) -> Answer {
        let cursor = cursor(&document.text, params)?;
        if document.path.is_some() && self.desk.descriptor(document).is_none() {
            return Ok(Value::Null);
        }
        // To check the file takes longer than somebody who points at a word waits.
        let findings = document.findings.clone().unwrap_or_default();
        let told = hover(facts, &document.text, cursor, &findings);
        Ok(told.map_or(Value::Null, |(words, range)| {
            json!({ "contents": words.content(self.client.markdown), "range": document.text.span(range) })
        }))
    }

    fn definition(&mut self, document: &Document, facts: &Facts, params: &Value) -> Answer {
        let cursor = cursor(&document.text, params)?;
        let target = definition(facts, document.text.as_str(), cursor);
        Ok(target.map_or(Value::Null, |target| self.location(document, &target)))
    }

    fn references(&mut self, document: &Document, facts: &Facts, params: &Value) -> Answer {
        let cursor = cursor(&document.text, params)?;
        let with_definition =
            params.pointer("/context/includeDeclaration") == Some(&Value::Bool(true));
        let targets = references(facts, document.text.as_str(), cursor, with_definition);
        let places = targets.iter().map(|target| self.location(document, target));
        Ok(places.filter(|place| !place.is_null()).collect())
    }

    fn outline(&mut self, document: &Document, facts: &Facts, _: &Value) -> Answer {
        let parts = outline(facts, &document.text);
        if self.client.outlines {
            return Ok(parts.into());
        }
        let flat = parts.iter().map(|part| {
            json!({
                "name": part["name"],
                "kind": part["kind"],
                "location": { "uri": document.uri, "range": part["range"] },
            })
        });
        Ok(flat.collect())
    }

    fn fixes(&mut self, document: &Document, facts: &Facts, params: &Value) -> Answer {
        let part = params.get("range").cloned().unwrap_or_default();
        let part: Span = serde_json::from_value(part)
            .map_err(|error| (code::INVALID_PARAMS, error.to_string()))?;
        let part = document.text.byte(part.start)..document.text.byte(part.end);
        let told = params
            .pointer("/context/diagnostics")
            .and_then(Value::as_array);
        let told = told.map(Vec::as_slice).unwrap_or_default();
        let findings = self.findings(document);
        Ok(fixes(facts, &document.text, &document.uri, part, &findings, told).into())
    }

    /// The changes that give a document the one layout.
    fn format(&mut self, document: &Document, _: &Facts, _: &Value) -> Answer {
        if document.path.is_some() && self.desk.descriptor(document).is_none() {
            return Ok(Value::Null);
        }
        let text = document.text.as_str();
        match check::of_text(&document.name(), text.to_owned()) {
            check::Outcome::Kept | check::Outcome::Foreign => Ok(json!([])),
            check::Outcome::Changed(_, laid_out) => Ok(changes(&document.text, &laid_out)),
            check::Outcome::Broken(findings) => {
                let first = findings.first().map(ToString::to_string);
                Err((code::FAILED, first.unwrap_or_default()))
            }
        }
    }

    /// The findings of a document as it is now.
    fn findings(&mut self, document: &Document) -> Arc<Vec<Finding>> {
        if let Some(known) = &document.findings {
            return Arc::clone(known);
        }
        let found = Arc::new(findings_of(&self.desk, document));
        if let Some(own) = self.desk.documents.get_mut(&document.uri) {
            own.findings = Some(Arc::clone(&found));
        }
        found
    }

    fn location(&self, document: &Document, target: &Target) -> Value {
        let path = target.source.path();
        if path == document.path.as_deref() {
            return place(&document.uri, &document.text, target.span.clone());
        }
        let Some(uri) = path.and_then(|path| self.desk.uri_of(path)) else {
            return Value::Null;
        };
        let text = Text::new(target.source.text().to_owned(), self.client.encoding);
        place(&uri, &text, target.span.clone())
    }

    /// Sends what was found in a document, if it has not changed since.
    fn publish(&mut self, checked: Checked) {
        let Some(document) = self.desk.documents.get_mut(&checked.uri) else {
            return;
        };
        if document.version != checked.version {
            return;
        }
        document.findings = Some(Arc::clone(&checked.findings));
        let told = diagnostics(&checked.findings, &document.text, &checked.uri);
        let params = json!({ "uri": checked.uri, "version": checked.version, "diagnostics": told });
        self.notify("textDocument/publishDiagnostics", params);
    }

    /// Writes into the editor's log.
    fn log(&mut self, message: &str) {
        self.notify(
            "window/logMessage",
            json!({ "type": 1, "message": message }),
        );
    }

    /// Shows a message to whoever edits.
    fn show(&mut self, message: &str) {
        self.notify(
            "window/showMessage",
            json!({ "type": 1, "message": message }),
        );
    }

    fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    fn error(&mut self, id: &Value, code: i64, message: &str) {
        self.send(
            &json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } }),
        );
    }

    fn send(&mut self, message: &Value) {
        if write(&mut self.output, message).is_err() {
            self.is_closed = true;
        }
    }
}

/// A change: the part that it replaces (none for the whole text), and the new text.
fn change_in(change: &Value) -> Option<(Option<Span>, String)> {
    let text = change.get("text")?.as_str()?.to_owned();
    let span = match change.get("range") {
        Some(Value::Null) | None => None,
        Some(range) => Some(serde_json::from_value::<Span>(range.clone()).ok()?),
    };
    Some((span, text))
}

fn uri_in(params: &Value) -> Option<&str> {
    params.pointer("/textDocument/uri")?.as_str()
}

fn cursor(text: &Text, params: &Value) -> Result<usize, (i64, String)> {
    let position = params.get("position").cloned().unwrap_or_default();
    let position: Position = serde_json::from_value(position)
        .map_err(|error| (code::INVALID_PARAMS, format!("`position`: {error}")))?;
    Ok(text.byte(position))
}

fn place(uri: &str, text: &Text, span: Range<usize>) -> Value {
    json!({ "uri": uri, "range": text.span(span) })
}

/// The lines that another text has changed.
fn changes(text: &Text, new: &str) -> Value {
    let old = text.as_str();
    let diff = similar::TextDiff::from_lines(old, new);
    let ends = |lines: &[&str]| -> Vec<usize> {
        let mut end = 0;
        let ends = lines.iter().map(|line| {
            end += line.len();
            end
        });
        std::iter::once(0).chain(ends).collect()
    };
    let (before, after) = (ends(diff.old_slices()), ends(diff.new_slices()));
    let changed = diff
        .ops()
        .iter()
        .filter(|op| op.tag() != similar::DiffTag::Equal);
    let edits = changed.map(|op| {
        let (from, to) = (op.old_range(), op.new_range());
        json!({
            "range": text.span(before[from.start]..before[from.end]),
            "newText": &new[after[to.start]..after[to.end]],
        })
    });
    edits.collect()
}

/// Tells when the process of the editor is gone. The pipe may stay open, if others have it too.
fn watch(process: u64, to: SyncSender<Event>) {
    // On another system, or in another container, it cannot be seen.
    let Some(known) = start_of(process) else {
        return;
    };
    thread::spawn(move || {
        while start_of(process).as_ref() == Some(&known) {
            thread::sleep(LOOK);
        }
        let _ = to.send(Event::Orphaned);
    });
}

/// When a process that runs was started, by which it is told from a later one with the same number. One that has ended and
/// whose parent has not asked for its exit code does not run.
fn start_of(process: u64) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the program, in parentheses, may hold anything.
    let (_, fields) = status.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let has_ended = matches!(fields.next()?, "Z" | "X");
    let start = fields.nth(18)?.to_owned();
    (!has_ended).then_some(start)
}
