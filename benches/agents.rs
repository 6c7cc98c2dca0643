//! `toolrun serve` beside FastMCP (`from_openapi`) and MCP Toolbox: the same tool, the same upstream, the same client, in
//! alternating rounds. Prints calls per second, the median time of a call, memory, the time until the first answer and
//! the bytes of `tools/list`, each as a ratio.
//!
//! The loads run twice: with all processors, and with everything on one of them (on Linux). With all of them, a single
//! call in flight mostly waits until the system wakes the next process on another processor, which costs every server
//! the same, so the ratios there say little about the servers. On one processor, what a call costs is what it takes.
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
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use support::mcp::{self, INITIALIZED, Listed, Outside, initialize, request};
use support::{KEY, median, tools_folder};
use tempfile::TempDir;

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

/// What one load showed.
#[derive(Clone, Copy)]
struct Load {
    /// Calls per second.
    rate: f64,
    /// The median time of a call, in ms.
    median: f64,
    /// The time of the processor that the server took for a call, in microseconds.
    cpu: f64,
}

impl Load {
    fn new(mut times: Vec<f64>, took: f64, cpu: f64) -> Load {
        let calls = times.len() as f64;
        Load {
            rate: calls / took,
            median: median(&mut times),
            cpu: cpu * 1e6 / calls,
        }
    }
}

/// What was measured of one server. The keys are the transport and the calls in flight.
#[derive(Default)]
struct Measured {
    loads: HashMap<(&'static str, usize), Vec<Load>>,
    peak: f64,
    starts: Vec<f64>,
    listed: usize,
}

impl Measured {
    fn add(&mut self, transport: &'static str, many: usize, load: Load) {
        self.loads.entry((transport, many)).or_default().push(load);
    }

    fn median(&self, key: (&'static str, usize), of: fn(&Load) -> f64) -> f64 {
        median(&mut self.loads[&key].iter().map(of).collect::<Vec<f64>>())
    }
}

/// The word that makes this program the bare server, with a port and the service's origin behind it.
const BARE: &str = "--bare";

fn main() {
    let words: Vec<String> = std::env::args().collect();
    if let Some(at) = words.iter().position(|word| word == BARE) {
        let port = words[at + 1].parse().expect("a port");
        return support::bare::serve(port, &words[at + 2], KEY);
    }
    let is_narrow = words.iter().any(|word| word == NARROW);
    if is_narrow {
        // Before any other thread starts, because each has what its parent had.
        stay_on_one_processor();
    }
    let seconds = Duration::from_secs(support::number_argument(2) as u64);
    let outside = mcp::outside(&support::page(20));
    let folder = TempDir::new().expect("a temporary folder");
    let tools = tools_folder(&outside.origin, 1);
    let peers = peers(folder.path(), tools.path(), &outside.origin);
    let mut all: Vec<Measured> = peers.iter().map(|_| Measured::default()).collect();
    for _ in 0..ROUNDS {
        for (peer, measured) in peers.iter().zip(&mut all) {
            measure(peer, &outside, seconds, measured);
        }
    }
    print_loads(&peers, &all);
    if is_narrow {
        return;
    }
    print_rest(&peers, &mut all);
    print_bare(&outside, seconds, &all);
    if cfg!(target_os = "linux") {
        println!("Everything on one processor:");
        let program = std::env::current_exe().expect("this program");
        let mut narrow = Command::new(program);
        narrow.args([NARROW, &seconds.as_secs().to_string()]);
        let done = narrow.status().expect("it starts");
        assert!(done.success(), "{done}");
    }
}

/// The word that keeps this program, and all that it starts, on one processor.
const NARROW: &str = "--narrow";

fn stay_on_one_processor() {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
        let all = sched_getaffinity(None).expect("the processors");
        let first = (0..CpuSet::MAX_CPU).find(|at| all.is_set(*at));
        let mut one = CpuSet::new();
        one.set(first.expect("a processor"));
        sched_setaffinity(None, &one).expect("one processor");
    }
}

/// The most that is left: calls per second of a server that only passes bodies on.
fn print_bare(outside: &Outside, seconds: Duration, all: &[Measured]) {
    let program = std::env::current_exe().expect("this program");
    let words = [
        &program.display().to_string(),
        BARE,
        "PORT",
        &outside.origin,
    ];
    let bare = Peer {
        name: "bare",
        stdio: Vec::new(),
        http: words.iter().map(|word| (*word).to_owned()).collect(),
    };
    for many in IN_FLIGHT {
        let mut rates: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let site = Site::start(&bare);
                let load = site.load(outside, many, seconds);
                site.stop();
                load.rate
            })
            .collect();
        let rate = median(&mut rates);
        print!("HTTP, {many} in flight: a bare hyper and reqwest, calls/s {rate:.2}");
        for one in all {
            print!(
                "  {:.2}",
                rate / one.median(("HTTP", many), |load| load.rate)
            );
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

fn measure(peer: &Peer, outside: &Outside, seconds: Duration, measured: &mut Measured) {
    for _ in 0..STARTS {
        let started = Instant::now();
        let pipe = Pipe::start(peer);
        measured.listed = pipe.tool.listed;
        measured.starts.push(started.elapsed().as_secs_f64() * 1e3);
        pipe.stop();
    }
    let mut pipe = Pipe::start(peer);
    for many in IN_FLIGHT {
        measured.add("stdio", many, pipe.load(many, seconds));
    }
    measured.peak = measured.peak.max(peak(&pipe.child));
    pipe.stop();
    let site = Site::start(peer);
    for many in IN_FLIGHT {
        measured.add("HTTP", many, site.load(outside, many, seconds));
    }
    measured.peak = measured.peak.max(peak(&site.child));
    site.stop();
}

/// The time of the processor that a process has taken, in seconds.
fn cpu(child: &Child) -> f64 {
    /// Ticks in a second: what Linux says to every program.
    const TICKS: f64 = 100.0;
    let status = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
    let fields = status.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: f64 = ticks.filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / TICKS
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
        let mut pipe = Pipe {
            child,
            to,
            from,
            tool: Listed::default(),
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

    /// Calls for some time with so many calls in flight.
    fn load(&mut self, many: usize, seconds: Duration) -> Load {
        let before = cpu(&self.child);
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
            mcp::check(line.as_bytes());
            let since = sent.remove(&id_of(&line)).expect("a call of ours");
            times.push(since.elapsed().as_secs_f64() * 1e3);
        }
        let took = started.elapsed().as_secs_f64();
        Load::new(times, took, cpu(&self.child) - before)
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

/// The id of an answer. Servers write it first or last, where it is found at once.
fn id_of(line: &str) -> u64 {
    const NEAR: usize = 48;
    let line = line.trim_end();
    let first = line.get(..NEAR).unwrap_or_default();
    let last = line.get(line.len().saturating_sub(NEAR)..);
    let number = |text: &str| {
        let digits = text.rsplit_once("\"id\":")?.1;
        let digits = digits.trim_start_matches(' ');
        let end = digits.find(|c: char| !c.is_ascii_digit())?;
        digits[..end].parse().ok()
    };
    let near = number(first).or_else(|| number(last?));
    near.unwrap_or_else(|| serde_json::from_str::<Id>(line).expect("JSON").id)
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

    fn load(&self, outside: &Outside, many: usize, seconds: Duration) -> Load {
        let before = cpu(&self.child);
        let (times, took) = outside.load(self.port, many, seconds);
        Load::new(times, took, cpu(&self.child) - before)
    }

    fn stop(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What was measured of each server, and whether more of it is better.
type Rows = Vec<(String, Vec<f64>, bool)>;

fn print_loads(peers: &[Peer], all: &[Measured]) {
    let mut rows = Rows::new();
    for transport in ["stdio", "HTTP"] {
        for many in IN_FLIGHT {
            let key = (transport, many);
            let mut add = |what: &str, of: fn(&Load) -> f64, more_is_better| {
                let values = all.iter().map(|one| one.median(key, of)).collect();
                let what = format!("{transport}, {many} in flight: {what}");
                rows.push((what, values, more_is_better));
            };
            add("calls/s", |load| load.rate, true);
            add("median ms", |load| load.median, false);
            add("CPU us a call", |load| load.cpu, false);
        }
    }
    print(peers, rows);
}

fn print_rest(peers: &[Peer], all: &mut [Measured]) {
    let mut rows = Rows::new();
    rows.push((
        "most memory, MiB".to_owned(),
        all.iter().map(|one| one.peak).collect(),
        false,
    ));
    let starts = all.iter_mut().map(|one| median(&mut one.starts)).collect();
    rows.push(("start to the first list, ms".to_owned(), starts, false));
    let listed = all.iter().map(|one| one.listed as f64).collect();
    rows.push(("bytes of tools/list".to_owned(), listed, false));
    print(peers, rows);
}

fn print(peers: &[Peer], rows: Rows) {
    for (what, values, more_is_better) in rows {
        print!("{what:36}");
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
