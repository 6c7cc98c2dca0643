//! A client of the Model Context Protocol that knows no more than JSON-RPC: what it sends and gets is what is on the wire.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::Workspace;

/// How long a server may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);
/// The newest revision: each request carries what it needs.
pub(crate) const MODERN: &str = "2026-07-28";
/// The revisions that begin with `initialize`.
pub(crate) const LEGACY: [&str; 3] = ["2025-03-26", "2025-06-18", "2025-11-25"];

/// A server that runs, and what it said on standard error.
pub(crate) struct Process {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Process {
    fn start(command: &mut Command) -> (Process, ChildStdin, Receiver<Result<Value, String>>) {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdin = child.stdin.take().expect("standard input");
        let stdout = child.stdout.take().expect("standard output");
        let mut stderr = child.stderr.take().expect("standard error");
        let (sender, receiver) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let message = serde_json::from_str(&line).map_err(|_| line);
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let said = Arc::new(Mutex::new(String::new()));
        let to = Arc::clone(&said);
        thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(count @ 1..) = stderr.read(&mut part) {
                let text = String::from_utf8_lossy(&part[..count]);
                to.lock().expect("no panic").push_str(&text);
            }
        });
        (Process { child, said }, stdin, receiver)
    }

    /// What it said so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().expect("no panic").clone()
    }

    /// Waits until it has said this.
    #[track_caller]
    pub(crate) fn says(&self, part: &str) -> String {
        let begun = Instant::now();
        while !self.said().contains(part) {
            assert!(
                begun.elapsed() < PATIENCE,
                "{part:?} is not in {}",
                self.said()
            );
            thread::sleep(Duration::from_millis(5));
        }
        self.said()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end.
    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("a signal");
    }

    /// Waits for its end, and gives the exit code.
    #[track_caller]
    pub(crate) fn code(&mut self) -> i32 {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code().expect("it ends by itself");
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "it does not end: {}",
                self.said()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client on standard input and output.
pub(crate) struct Mcp {
    pub process: Process,
    stdin: Option<ChildStdin>,
    messages: Receiver<Result<Value, String>>,
    /// Messages without the id that was waited for.
    pub notes: Vec<Value>,
    revision: &'static str,
    next: i64,
    folder: Option<Arc<TempDir>>,
}

impl Workspace {
    /// `toolrun serve` with these flags, spoken to in the newest revision.
    pub(crate) fn serve(&self, flags: &[&str]) -> Mcp {
        let mut mcp = Mcp::start(self.toolrun().arg("serve").args(flags), MODERN);
        mcp.folder = Some(self.hold());
        mcp
    }

    /// The same in another revision, after `initialize`.
    pub(crate) fn serve_in(&self, revision: &'static str, flags: &[&str]) -> Mcp {
        let mut mcp = Mcp::start(self.toolrun().arg("serve").args(flags), revision);
        mcp.folder = Some(self.hold());
        mcp.initialize();
        mcp
    }

    /// `toolrun serve --http` on a free port.
    pub(crate) fn serve_http(&self, flags: &[&str]) -> Http {
        let mut command = self.toolrun();
        command.args(["serve", "--http", "127.0.0.1:0"]).args(flags);
        let mut http = Http::start(&mut command);
        http.folder = Some(self.hold());
        http
    }
}

impl Mcp {
    /// Starts a server. Nothing is said to it yet.
    pub(crate) fn start(command: &mut Command, revision: &'static str) -> Mcp {
        let (process, stdin, messages) = Process::start(command);
        Mcp {
            process,
            stdin: Some(stdin),
            messages,
            notes: Vec::new(),
            revision,
            next: 1,
            folder: None,
        }
    }

    #[track_caller]
    pub(crate) fn initialize(&mut self) -> Value {
        let params = json!({
            "protocolVersion": self.revision,
            "capabilities": {},
            "clientInfo": { "name": "test", "version": "0" },
        });
        let answer = self.request("initialize", params);
        self.line(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string());
        answer["result"].clone()
    }

    /// Sends a line.
    pub(crate) fn line(&mut self, line: &str) {
        self.bytes(format!("{line}\n").as_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        // A server that has ended is found when its answer is waited for.
        let _ = self.stdin.as_mut().expect("it is open").write_all(bytes);
    }

    /// Ends what the server reads.
    pub(crate) fn close(&mut self) {
        self.stdin = None;
    }

    /// Sends a request, and gives its id.
    pub(crate) fn send(&mut self, method: &str, params: Value) -> i64 {
        let id = self.next;
        self.next += 1;
        let message = request(self.revision, id, method, params);
        self.line(&message.to_string());
        id
    }

    /// The next message.
    #[track_caller]
    pub(crate) fn message(&mut self) -> Value {
        match self.messages.recv_timeout(PATIENCE) {
            Ok(Ok(message)) => message,
            Ok(Err(line)) => panic!("no message of the protocol: {line:?}"),
            Err(error) => panic!(
                "no message: {error}; standard error is {}",
                self.process.said()
            ),
        }
    }

    /// The next message, if one comes within this time.
    pub(crate) fn message_within(&mut self, time: Duration) -> Option<Value> {
        match self.messages.recv_timeout(time) {
            Ok(message) => Some(message.expect("a message of the protocol")),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    /// The answer to a request; other messages go to the notes.
    #[track_caller]
    pub(crate) fn answer(&mut self, id: i64) -> Value {
        loop {
            let message = self.message();
            if message["id"] == json!(id) && message.get("method").is_none() {
                return message;
            }
            self.notes.push(message);
        }
    }

    /// Sends a request and gives its answer.
    #[track_caller]
    pub(crate) fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params);
        self.answer(id)
    }

    /// The tools.
    #[track_caller]
    pub(crate) fn tools(&mut self) -> Vec<Value> {
        let answer = self.request("tools/list", json!({}));
        let tools = answer["result"]["tools"].as_array();
        tools
            .unwrap_or_else(|| panic!("no tools: {answer}"))
            .clone()
    }

    /// The result of a call.
    #[track_caller]
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.request(
            "tools/call",
            json!({ "name": tool, "arguments": arguments }),
        );
        assert!(answer.get("result").is_some(), "{answer}");
        answer["result"].clone()
    }

    /// The structure of a result that is no error.
    #[track_caller]
    pub(crate) fn ok(&mut self, tool: &str, arguments: Value) -> Value {
        structure(&self.call(tool, arguments))
    }

    /// The error of a result that is one.
    #[track_caller]
    pub(crate) fn refused(&mut self, tool: &str, arguments: Value) -> Value {
        error(&self.call(tool, arguments))
    }
}

/// The structure of a result that is no error.
#[track_caller]
pub(crate) fn structure(result: &Value) -> Value {
    assert_ne!(result["isError"], json!(true), "{result}");
    let structured = result["structuredContent"].clone();
    assert!(structured.is_object(), "{result}");
    structured
}

/// The error of a result that is one.
#[track_caller]
pub(crate) fn error(result: &Value) -> Value {
    assert_eq!(result["isError"], json!(true), "{result}");
    assert!(result.get("structuredContent").is_none(), "{result}");
    let text = result["content"][0]["text"].as_str().expect("a text");
    let error: Value = serde_json::from_str(text).expect("JSON");
    error["error"].clone()
}

/// A request; in the newest revision with its `_meta`.
pub(crate) fn request(revision: &str, id: i64, method: &str, mut params: Value) -> Value {
    if revision >= MODERN {
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = revision.into();
        let can = &mut params["_meta"]["io.modelcontextprotocol/clientCapabilities"];
        if can.is_null() {
            *can = json!({});
        }
    }
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

/// A server over HTTP.
pub(crate) struct Http {
    pub process: Process,
    pub address: String,
    folder: Option<Arc<TempDir>>,
}

/// A response of HTTP.
#[derive(Debug)]
pub(crate) struct Response {
    pub status: u16,
    pub headers: String,
    pub body: String,
}

impl Response {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

impl Http {
    pub(crate) fn start(command: &mut Command) -> Http {
        let (process, _, _) = Process::start(command);
        let said = process.says("/mcp");
        let address = said
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split("/mcp").next());
        Http {
            address: address.expect("an address").to_owned(),
            process,
            folder: None,
        }
    }

    /// Sends a message in a revision.
    #[track_caller]
    pub(crate) fn send(&self, revision: &str, method: &str, params: Value) -> Response {
        let body = request(revision, 1, method, params.clone());
        let mut headers = vec![("mcp-protocol-version", revision.to_owned())];
        if revision >= MODERN {
            headers.push(("mcp-method", method.to_owned()));
            if let Some(name) = params["name"].as_str().or(params["uri"].as_str()) {
                headers.push(("mcp-name", name.to_owned()));
            }
        }
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        self.post(&headers, &body.to_string())
    }

    /// The result of a request.
    #[track_caller]
    pub(crate) fn result(&self, revision: &str, method: &str, params: Value) -> Value {
        let response = self.send(revision, method, params);
        let answer = response.json();
        assert!(answer.get("result").is_some(), "{response:?}");
        answer["result"].clone()
    }

    /// The result of a call.
    #[track_caller]
    pub(crate) fn call(&self, revision: &str, tool: &str, arguments: Value) -> Value {
        let params = json!({ "name": tool, "arguments": arguments });
        self.result(revision, "tools/call", params)
    }

    #[track_caller]
    pub(crate) fn post(&self, headers: &[(&str, &str)], body: &str) -> Response {
        let usual = [
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        let is_given = |name: &str| headers.iter().any(|(given, _)| *given == name);
        let usual = usual.into_iter().filter(|(name, _)| !is_given(name));
        let all: Vec<(&str, &str)> = headers.iter().copied().chain(usual).collect();
        self.exchange("POST", "/mcp", &all, body)
    }

    #[track_caller]
    pub(crate) fn exchange(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        exchange_with(&self.address, method, path, headers, body)
    }
}

/// A request to a server, and its response.
#[track_caller]
pub(crate) fn exchange_with(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response {
    {
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut text = format!(
            "{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        if !headers.iter().any(|(name, _)| *name == "host") {
            text.push_str(&format!("host: {address}\r\n"));
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        stream.write_all(text.as_bytes()).expect("a request");
        // A server that refuses early may close before it has read all.
        let _ = stream.write_all(body.as_bytes());
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        parse(&all)
    }
}

#[track_caller]
fn parse(bytes: &[u8]) -> Response {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let (headers, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no response: {text:?}"));
    let status = headers
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let is_chunked = headers
        .to_lowercase()
        .contains("transfer-encoding: chunked");
    Response {
        status: status.expect("a status"),
        headers: headers.to_lowercase(),
        body: match is_chunked {
            true => unchunked(body),
            false => body.to_owned(),
        },
    }
}

fn unchunked(mut text: &str) -> String {
    let mut body = String::new();
    while let Some((size, rest)) = text.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or_default();
        if size == 0 || size > rest.len() {
            break;
        }
        body.push_str(&rest[..size]);
        text = rest[size..].trim_start_matches("\r\n");
    }
    body
}
