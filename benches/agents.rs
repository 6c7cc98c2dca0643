//! `toolrun serve` beside FastMCP (`from_openapi`) and MCP Toolbox: the same tool, the same upstream, the same client, in
//! alternating rounds. Prints calls per second, the median time of a call, memory, the time until the first answer and
//! the bytes of `tools/list`, each as a ratio.
//!
//! `cargo bench --bench agents [-- SECONDS]`. The peers come from their registries; without them only our numbers are
//! printed:
//!
//! ```sh
//! python3 -m venv target/peers/py && target/peers/py/bin/pip install fastmcp==4.2.3
//! npm install --prefix target/peers/js @toolbox-sdk/server@1.12.0
//! ```

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its ratios"
)]

mod support;

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{KEY, Server, median, tools_folder};
use tempfile::TempDir;

const REVISION: &str = "2025-06-18";
/// Calls in flight.
const IN_FLIGHT: [usize; 2] = [1, 16];
const ROUNDS: usize = 3;
const STARTS: usize = 5;
/// How long a server may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that gives the tool to agents.
struct Peer {
    name: &'static str,
    /// The program and its arguments, on standard input and output.
    stdio: Vec<String>,
    /// The same over HTTP; `PORT` stands for the port.
    http: Vec<String>,
}

/// What was measured of one server. The keys are the transport and the calls in flight.
#[derive(Default)]
struct Measured {
    rates: HashMap<(&'static str, usize), Vec<f64>>,
    medians: HashMap<(&'static str, usize), Vec<f64>>,
    peak: f64,
    starts: Vec<f64>,
    listed: usize,
}

/// The word that makes this program the bare server, with a port and the service's origin behind it.
const BARE: &str = "--bare";

fn main() {
    let words: Vec<String> = std::env::args().collect();
    if let Some(at) = words.iter().position(|word| word == BARE) {
        let port = words[at + 1].parse().expect("a port");
        return support::bare::serve(port, &words[at + 2], KEY);
    }
    let seconds = Duration::from_secs(support::number_argument(2) as u64);
    let upstream = Server::start();
    let folder = TempDir::new().expect("a temporary folder");
    let tools = tools_folder(&upstream.origin(), 1);
    let peers = peers(folder.path(), tools.path(), &upstream.origin());
    let mut all: Vec<Measured> = peers.iter().map(|_| Measured::default()).collect();
    for _ in 0..ROUNDS {
        for (peer, measured) in peers.iter().zip(&mut all) {
            measure(peer, seconds, measured);
        }
    }
    print(&peers, &mut all);
    print_bare(&upstream.origin(), seconds, &mut all);
}

/// The most that is left: calls per second of a server that only passes bodies on.
fn print_bare(origin: &str, seconds: Duration, all: &mut [Measured]) {
    let program = std::env::current_exe().expect("this program");
    let words = [&program.display().to_string(), BARE, "PORT", origin];
    let bare = Peer {
        name: "bare",
        stdio: Vec::new(),
        http: words.iter().map(|word| (*word).to_owned()).collect(),
    };
    for many in IN_FLIGHT {
        let mut rates: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let site = Site::start(&bare);
                let (rate, _) = site.load(many, seconds);
                site.stop();
                rate
            })
            .collect();
        let rate = median(&mut rates);
        print!("HTTP, {many} in flight: a bare hyper and reqwest, calls/s {rate:.2}");
        for one in all.iter_mut() {
            let own = one.rates.get_mut(&("HTTP", many)).expect("measured");
            print!("  {:.2}", rate / median(own));
        }
        println!(" times each of the above");
    }
}

fn peers(folder: &Path, tools: &Path, origin: &str) -> Vec<Peer> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let path = |path: &Path| path.display().to_string();
    let (program, tools) = (env!("CARGO_BIN_EXE_toolrun"), path(tools));
    let serve = [
        program,
        "--tools",
        &tools,
        "serve",
        "--service",
        "bench-admin",
    ];
    let mut peers = vec![Peer {
        name: "toolrun",
        stdio: words(&serve),
        http: words(&[&serve[..], &["--http", "127.0.0.1:PORT"]].concat()),
    }];
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers");
    let python = installed.join("py/bin/python");
    match python.exists() {
        true => {
            let script = path(&write(folder, "server.py", &fastmcp(origin)));
            peers.push(Peer {
                name: "FastMCP",
                stdio: words(&[&path(&python), &script]),
                http: words(&[&path(&python), &script, "PORT"]),
            });
        }
        false => println!("SKIPPED: FastMCP is not in target/peers/py"),
    }
    let toolbox = installed.join("js/node_modules/@toolbox-sdk/server-linux-x64/bin/toolbox");
    match toolbox.exists() {
        true => {
            let config = path(&write(folder, "toolbox.yaml", &toolbox_config(origin)));
            let toolbox = path(&toolbox);
            let run = [
                &toolbox,
                "--config",
                &config,
                "--log-level",
                "ERROR",
                "--disable-reload",
            ];
            peers.push(Peer {
                name: "MCP Toolbox",
                stdio: words(&[&run[..], &["--stdio"]].concat()),
                http: words(&[&run[..], &["--port", "PORT"]].concat()),
            });
        }
        false => println!("SKIPPED: MCP Toolbox is not in target/peers/js"),
    }
    peers
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).expect("written");
    path
}

fn fastmcp(origin: &str) -> String {
    let document = json!({
        "openapi": "3.1.0", "info": { "title": "Bench", "version": "1" }, "servers": [{ "url": origin }],
        "paths": { "/v1/organizations/workspaces": { "get": {
            "operationId": "list-workspaces", "description": "List the workspaces of the organization, newest first.",
            "parameters": [
                { "name": "include_archived", "in": "query", "schema": { "type": "boolean", "default": false } },
                { "name": "limit", "in": "query", "schema": { "type": "integer", "default": 20 } },
            ],
            "responses": { "200": { "description": "OK" } },
        } } },
    });
    format!(
        "import json, sys
import httpx2
from fastmcp import FastMCP
document = json.loads({document:?})
client = httpx2.AsyncClient(base_url={origin:?}, headers={{'anthropic-version': '2023-06-01', 'x-api-key': {KEY:?}}})
server = FastMCP.from_openapi(document, client=client, name='bench')
if sys.argv[1:]:
    server.run(transport='http', host='127.0.0.1', port=int(sys.argv[1]), show_banner=False, stateless_http=True, json_response=True, log_level='ERROR')
else:
    server.run(show_banner=False, log_level='ERROR')
",
        document = document.to_string()
    )
}

fn toolbox_config(origin: &str) -> String {
    format!(
        "sources:
  bench: {{ kind: http, baseUrl: {origin:?}, allowedIpRanges: [127.0.0.0/8], headers: {{ anthropic-version: '2023-06-01', x-api-key: {KEY} }} }}
tools:
  list-workspaces:
    kind: http
    source: bench
    method: GET
    path: /v1/organizations/workspaces
    description: List the workspaces of the organization, newest first.
    queryParams:
      - {{ name: include_archived, type: boolean, description: Whether archived ones are listed too., default: false }}
      - {{ name: limit, type: integer, description: Workspaces on a page., default: 20 }}
"
    )
}

fn measure(peer: &Peer, seconds: Duration, measured: &mut Measured) {
    for _ in 0..STARTS {
        let started = Instant::now();
        let pipe = Pipe::start(peer);
        measured.listed = pipe.tool.listed;
        measured.starts.push(started.elapsed().as_secs_f64() * 1e3);
        pipe.stop();
    }
    let mut pipe = Pipe::start(peer);
    for many in IN_FLIGHT {
        let (rate, median) = pipe.load(many, seconds);
        measured
            .rates
            .entry(("stdio", many))
            .or_default()
            .push(rate);
        measured
            .medians
            .entry(("stdio", many))
            .or_default()
            .push(median);
    }
    measured.peak = measured.peak.max(peak(&pipe.child));
    pipe.stop();
    let site = Site::start(peer);
    for many in IN_FLIGHT {
        let (rate, median) = site.load(many, seconds);
        measured.rates.entry(("HTTP", many)).or_default().push(rate);
        measured
            .medians
            .entry(("HTTP", many))
            .or_default()
            .push(median);
    }
    measured.peak = measured.peak.max(peak(&site.child));
    site.stop();
}

/// The most memory that a process had, in MiB.
fn peak(child: &Child) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}

fn command(words: &[String]) -> Command {
    let mut command = Command::new(&words[0]);
    command
        .args(&words[1..])
        .env("ANTHROPIC_ADMIN_API_KEY", KEY)
        .env_remove("SSL_CERT_FILE")
        .stderr(Stdio::null());
    command
}

/// A request as JSON.
fn request(id: u64, method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

fn initialize() -> String {
    request(
        0,
        "initialize",
        &json!({ "protocolVersion": REVISION, "capabilities": {}, "clientInfo": { "name": "bench", "version": "1" } }),
    )
}

const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// The tool as the server lists it.
#[derive(Clone)]
struct Listed {
    name: String,
    /// Bytes of the answer to `tools/list`.
    listed: usize,
}

impl Listed {
    fn of(answer: &str) -> Listed {
        let answer: Value = serde_json::from_str(answer).expect("JSON");
        let tools = &answer["result"]["tools"];
        Listed {
            name: tools[0]["name"].as_str().expect("a tool").to_owned(),
            listed: tools.to_string().len(),
        }
    }

    fn call(&self, id: u64) -> String {
        let params = json!({ "name": self.name, "arguments": { "limit": 20 } });
        request(id, "tools/call", &params)
    }
}

/// Makes sure that an answer is one.
fn check(answer: &str) {
    let is_good = answer.contains("wrkspc_") && !answer.contains("\"isError\":true");
    assert!(is_good, "no answer: {answer}");
}

/// A server on standard input and output.
struct Pipe {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    tool: Listed,
}

impl Pipe {
    /// Starts it and gets its list.
    fn start(peer: &Peer) -> Pipe {
        let mut command = command(&peer.stdio);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the server starts");
        let to = child.stdin.take().expect("standard input");
        let from = BufReader::new(child.stdout.take().expect("standard output"));
        let tool = Listed {
            name: String::new(),
            listed: 0,
        };
        let mut pipe = Pipe {
            child,
            to,
            from,
            tool,
        };
        pipe.send(&initialize());
        pipe.receive();
        pipe.send(INITIALIZED);
        pipe.send(&request(1, "tools/list", &json!({})));
        pipe.tool = Listed::of(&pipe.receive());
        pipe
    }

    fn send(&mut self, message: &str) {
        self.to
            .write_all(format!("{message}\n").as_bytes())
            .expect("sent");
    }

    /// The next line that answers a request.
    fn receive(&mut self) -> String {
        loop {
            let mut line = String::new();
            let count = self.from.read_line(&mut line).expect("an answer");
            assert!(count > 0, "the server has ended");
            if line.contains("\"id\"") {
                return line;
            }
        }
    }

    /// Calls for some time with so many calls in flight. Gives calls per second, and the median time of one in ms.
    fn load(&mut self, many: usize, seconds: Duration) -> (f64, f64) {
        let mut sent: HashMap<u64, Instant> = HashMap::new();
        let (mut id, mut times) = (10, Vec::new());
        let tool = self.tool.clone();
        let started = Instant::now();
        loop {
            let goes_on = started.elapsed() < seconds;
            while goes_on && sent.len() < many {
                id += 1;
                sent.insert(id, Instant::now());
                self.send(&tool.call(id));
            }
            if sent.is_empty() {
                break;
            }
            let line = self.receive();
            check(&line);
            let answer: Id = serde_json::from_str(&line).expect("JSON");
            let since = sent.remove(&answer.id).expect("a call of ours");
            times.push(since.elapsed().as_secs_f64() * 1e3);
        }
        (
            times.len() as f64 / started.elapsed().as_secs_f64(),
            median(&mut times),
        )
    }

    fn stop(mut self) {
        drop(self.to);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(serde::Deserialize)]
struct Id {
    id: u64,
}

/// A server over HTTP.
struct Site {
    child: Child,
    port: u16,
}

impl Site {
    fn start(peer: &Peer) -> Site {
        // Free a moment ago; nobody else is expected to take it.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|one| one.local_addr());
        let port = free.expect("a free port").port();
        let words: Vec<String> = peer
            .http
            .iter()
            .map(|word| word.replace("PORT", &port.to_string()))
            .collect();
        let mut command = command(&words);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().expect("the server starts");
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                started.elapsed() < PATIENCE,
                "{} does not listen",
                peer.name
            );
            thread::sleep(Duration::from_millis(20));
        }
        Site { child, port }
    }

    fn load(&self, many: usize, seconds: Duration) -> (f64, f64) {
        let port = self.port;
        let started = Instant::now();
        let clients: Vec<_> = (0..many)
            .map(|_| {
                thread::spawn(move || {
                    let (mut line, mut times) = (Line::open(port), Vec::new());
                    let started = Instant::now();
                    let mut id = 10;
                    while started.elapsed() < seconds {
                        id += 1;
                        let since = Instant::now();
                        check(&line.ask(&line.tool.call(id)));
                        times.push(since.elapsed().as_secs_f64() * 1e3);
                    }
                    times
                })
            })
            .collect();
        let mut times: Vec<f64> = Vec::new();
        for client in clients {
            times.extend(client.join().expect("no panic"));
        }
        let took = started.elapsed().as_secs_f64();
        (times.len() as f64 / took, median(&mut times))
    }

    fn stop(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One connection that is kept.
struct Line {
    stream: BufReader<TcpStream>,
    session: Option<String>,
    tool: Listed,
}

impl Line {
    fn open(port: u16) -> Line {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        let tool = Listed {
            name: String::new(),
            listed: 0,
        };
        let mut line = Line {
            stream: BufReader::new(stream),
            session: None,
            tool,
        };
        line.ask(&initialize());
        line.ask(INITIALIZED);
        line.tool = Listed::of(&line.ask(&request(1, "tools/list", &json!({}))));
        line
    }

    /// Posts a message and gives the answer.
    fn ask(&mut self, message: &str) -> String {
        let session = self.session.as_ref();
        let session = session
            .map(|id| format!("mcp-session-id: {id}\r\n"))
            .unwrap_or_default();
        let whole = format!(
            "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json, text/event-stream\r\ncontent-type: application/json\r\nmcp-protocol-version: {REVISION}\r\n{session}content-length: {}\r\n\r\n{message}",
            message.len()
        );
        self.stream
            .get_mut()
            .write_all(whole.as_bytes())
            .expect("sent");
        let (mut length, mut is_chunked) = (0, false);
        let mut is_first = true;
        loop {
            let mut field = String::new();
            self.stream.read_line(&mut field).expect("a header");
            let field = field.trim_end();
            if field.is_empty() {
                break;
            }
            assert!(!is_first || field.contains(" 20"), "{field}");
            is_first = false;
            let (name, value) = field.split_once(':').unwrap_or((field, ""));
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().expect("a number"),
                "transfer-encoding" => is_chunked = true,
                "mcp-session-id" => self.session = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        let body = match is_chunked {
            true => self.chunks(),
            false => self.bytes(length),
        };
        let text = String::from_utf8(body).expect("text");
        // An answer may come as an event.
        let mut events = text.lines().filter_map(|line| line.strip_prefix("data: "));
        events
            .find(|data| data.contains("\"id\""))
            .map(str::to_owned)
            .unwrap_or(text)
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("a body");
        body
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let mut size = String::new();
            self.stream.read_line(&mut size).expect("a size");
            let size = usize::from_str_radix(size.trim(), 16).expect("a size");
            body.extend(self.bytes(size));
            self.bytes(2);
            if size == 0 {
                return body;
            }
        }
    }
}

fn print(peers: &[Peer], all: &mut [Measured]) {
    let mut rows: Vec<(String, Vec<f64>, bool)> = Vec::new();
    for transport in ["stdio", "HTTP"] {
        for many in IN_FLIGHT {
            let key = (transport, many);
            let mut of =
                |what: fn(&mut Measured) -> &mut HashMap<(&'static str, usize), Vec<f64>>| {
                    all.iter_mut()
                        .map(|one| median(what(one).get_mut(&key).expect("measured")))
                        .collect()
                };
            let (rates, medians) = (of(|one| &mut one.rates), of(|one| &mut one.medians));
            rows.push((
                format!("{transport}, {many} in flight: calls/s"),
                rates,
                true,
            ));
            rows.push((
                format!("{transport}, {many} in flight: median ms"),
                medians,
                false,
            ));
        }
    }
    rows.push((
        "most memory, MiB".to_owned(),
        all.iter().map(|one| one.peak).collect(),
        false,
    ));
    let starts = all.iter_mut().map(|one| median(&mut one.starts)).collect();
    rows.push(("start to the first list, ms".to_owned(), starts, false));
    let listed = all.iter().map(|one| one.listed as f64).collect();
    rows.push(("bytes of tools/list".to_owned(), listed, false));
    for (what, values, more_is_better) in rows {
        print!("{what:32}");
        for (peer, value) in peers.iter().zip(&values) {
            print!("  {} {value:.2}", peer.name);
        }
        let others = values[1..].iter().copied();
        let best = match more_is_better {
            true => others.reduce(f64::max),
            false => others.reduce(f64::min),
        };
        match best {
            Some(best) => println!("  ratio to the better {:.2}", values[0] / best),
            None => println!(),
        }
    }
}
