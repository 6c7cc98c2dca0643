//! Messages of the Model Context Protocol, load for a server over HTTP, and the service behind it. Client and service cost
//! as little as they can, on one thread, because they share the machine's cores with the server that is measured.

use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream as Socket;
use tokio::runtime::{Builder, Handle};

pub(crate) const REVISION: &str = "2025-06-18";

/// A request as JSON.
pub(crate) fn request(id: u64, method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

pub(crate) fn initialize() -> String {
    request(
        0,
        "initialize",
        &json!({ "protocolVersion": REVISION, "capabilities": {}, "clientInfo": { "name": "bench", "version": "1" } }),
    )
}

pub(crate) const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// The tool as the server lists it.
#[derive(Clone, Default)]
pub(crate) struct Listed {
    name: String,
    /// Bytes of the list of tools.
    pub(crate) listed: usize,
}

impl Listed {
    pub(crate) fn of(answer: &str) -> Listed {
        let answer: Value = serde_json::from_str(answer).expect("JSON");
        let tools = &answer["result"]["tools"];
        Listed {
            name: tools[0]["name"].as_str().expect("a tool").to_owned(),
            listed: tools.to_string().len(),
        }
    }

    pub(crate) fn call(&self, id: u64) -> String {
        let params = json!({ "name": self.name, "arguments": { "limit": 20 } });
        request(id, "tools/call", &params)
    }
}

/// Makes sure that an answer has the rows of the service, and is no error.
pub(crate) fn check(answer: &[u8]) {
    let has = |what: &str| find(answer, what.as_bytes()).is_some();
    let is_good = has("wrkspc_") && !has("\"isError\":true");
    assert!(is_good, "no answer: {}", String::from_utf8_lossy(answer));
}

/// A service, and the clients of servers that call it: all on one thread.
pub(crate) struct Outside {
    /// The origin of the service, such as `http://127.0.0.1:4711`.
    pub(crate) origin: String,
    thread: Handle,
}

/// Starts a service that gives every request the same answer.
pub(crate) fn outside(body: &[u8]) -> Outside {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_bench\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let answer = Bytes::from([head.as_bytes(), body].concat());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    listener.set_nonblocking(true).expect("a socket");
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let handle = runtime.handle().clone();
    thread::spawn(move || {
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                tokio::spawn(serve(stream, answer.clone()));
            }
        });
    });
    Outside {
        origin: format!("http://{address}"),
        thread: handle,
    }
}

/// Answers the requests of a connection, which have no body.
async fn serve(mut stream: Socket, answer: Bytes) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut head = Vec::with_capacity(4 << 10);
    loop {
        head.clear();
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        }
        stream.write_all(&answer).await?;
    }
}

impl Outside {
    /// Calls the tool for some time over so many connections. Gives the time of each call in ms, and that of the whole in
    /// seconds.
    pub(crate) fn load(&self, port: u16, many: usize, time: Duration) -> (Vec<f64>, f64) {
        let (told, hear) = channel();
        self.thread.spawn(async move {
            let done = call(port, many, time).await;
            told.send(done).expect("somebody hears it");
        });
        hear.recv().expect("no panic")
    }
}

async fn call(port: u16, many: usize, time: Duration) -> (Vec<f64>, f64) {
    let mut lines = Vec::new();
    for _ in 0..many {
        lines.push(Line::open(port).await);
    }
    let started = Instant::now();
    let calling = lines.into_iter().map(|mut line| {
        tokio::spawn(async move {
            let call = line.tool.call(11);
            let mut times = Vec::new();
            while started.elapsed() < time {
                let since = Instant::now();
                let (head, body) = line.post(&call).await;
                check(&line.bytes[head..body]);
                times.push(since.elapsed().as_secs_f64() * 1e3);
            }
            times
        })
    });
    let calling: Vec<_> = calling.collect();
    let mut times = Vec::new();
    for calls in calling {
        times.extend(calls.await.expect("no panic"));
    }
    (times, started.elapsed().as_secs_f64())
}

/// One connection that is kept.
struct Line {
    stream: Socket,
    session: Option<String>,
    tool: Listed,
    /// The last answer.
    bytes: Vec<u8>,
}

impl Line {
    async fn open(port: u16) -> Line {
        let stream = Socket::connect(("127.0.0.1", port)).await;
        let stream = stream.expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        let mut line = Line {
            stream,
            session: None,
            tool: Listed::default(),
            bytes: Vec::with_capacity(64 << 10),
        };
        line.post(&initialize()).await;
        line.post(INITIALIZED).await;
        let listing = request(1, "tools/list", &json!({}));
        let (head, end) = line.post(&listing).await;
        line.tool = Listed::of(message(&line.bytes[head..end]));
        line
    }

    /// Posts a message. Gives where the body of the answer begins and ends.
    async fn post(&mut self, message: &str) -> (usize, usize) {
        let session = self.session.as_ref();
        let session = session
            .map(|id| format!("mcp-session-id: {id}\r\n"))
            .unwrap_or_default();
        let whole = format!(
            "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json, text/event-stream\r\ncontent-type: application/json\r\nmcp-protocol-version: {}\r\n{session}content-length: {}\r\n\r\n{message}",
            REVISION,
            message.len()
        );
        let sent = self.stream.write_all(whole.as_bytes()).await;
        sent.expect("sent");
        self.bytes.clear();
        let head = loop {
            self.read().await;
            if let Some(at) = find(&self.bytes, b"\r\n\r\n") {
                break at + 4;
            }
        };
        let (length, is_chunked) = self.look_at(head);
        match is_chunked {
            true => {
                while !self.bytes[head..].ends_with(b"0\r\n\r\n") {
                    self.read().await;
                }
            }
            false => {
                while self.bytes.len() < head + length {
                    self.read().await;
                }
            }
        }
        (head, self.bytes.len())
    }

    async fn read(&mut self) {
        let read = self.stream.read_buf(&mut self.bytes).await;
        assert!(read.expect("an answer") > 0, "the connection has ended");
    }

    /// The length that the head says, and whether the body comes in chunks.
    fn look_at(&mut self, head: usize) -> (usize, bool) {
        let text = std::str::from_utf8(&self.bytes[..head]).expect("text");
        assert!(text.starts_with("HTTP/1.1 20"), "{text}");
        let (mut length, mut is_chunked) = (0, false);
        for field in text.lines() {
            let (name, value) = field.split_once(':').unwrap_or((field, ""));
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().expect("a number");
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                is_chunked = true;
            } else if name.eq_ignore_ascii_case("mcp-session-id") {
                self.session = Some(value.trim().to_owned());
            }
        }
        (length, is_chunked)
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, what)
}

/// The message in an answer, which may come in a chunk, and as an event.
fn message(body: &[u8]) -> &str {
    let text = std::str::from_utf8(body).expect("text");
    let start = text.find('{').expect("a message");
    let end = text.rfind('}').expect("a message");
    &text[start..=end]
}
