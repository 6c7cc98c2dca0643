//! One rate budget, shared by eight processes through a store: requests in the fullest window of the period, by the
//! service's own count, and how much of the limit was used.
//!
//! `cargo bench --bench budget [-- SECONDS]`; with `--features postgres` also on a Postgres server of this machine.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its ratios"
)]

#[cfg(all(unix, feature = "postgres"))]
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/it/support/postgres.rs"]
mod postgres;
mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const PROCESSES: usize = 8;
const LIMITS: [usize; 3] = [5, 100, 1_000];
const PERIOD: Duration = Duration::from_secs(1);
/// Processes start at different moments; only the time in which all run is looked at.
const START: Duration = Duration::from_secs(1);

type Times = Arc<Mutex<Vec<Instant>>>;

fn main() {
    let seconds = Duration::from_secs(support::number_argument(10) as u64);
    println!("store     limit/s  fullest window  used of the limit");
    for limit in LIMITS {
        for (name, store) in stores() {
            let folder = TempDir::new().expect("a temporary folder");
            let store =
                store.unwrap_or_else(|| format!("sqlite:{}", folder.path().join("s.db").display()));
            let times = run(limit, &store, seconds);
            let fullest = times
                .iter()
                .enumerate()
                .map(|(at, begin)| {
                    times[at..]
                        .iter()
                        .take_while(|time| **time - *begin < PERIOD)
                        .count()
                })
                .max();
            let begin = times.first().copied().map(|first| first + START);
            let steady = times.iter().filter(|time| Some(**time) >= begin);
            let used = steady.count() as f64 / ((seconds - START).as_secs_f64() * limit as f64);
            println!(
                "{name:9} {limit:7}  {:14}  {used:17.3}",
                fullest.unwrap_or(0)
            );
        }
    }
}

/// The kinds of store; an SQLite file is made for each run.
fn stores() -> Vec<(&'static str, Option<String>)> {
    let mut stores = vec![("SQLite", None)];
    #[cfg(all(unix, feature = "postgres"))]
    stores.extend(postgres::postgres().map(|server| ("Postgres", Some(server.database().1))));
    stores.truncate(2);
    stores
}

fn run(limit: usize, store: &str, seconds: Duration) -> Vec<Instant> {
    let times = Times::default();
    let origin = serve(&times);
    let folder = TempDir::new().expect("a temporary folder");
    let tools = folder.path().join("tools/probe");
    fs::create_dir_all(&tools).expect("a folder");
    let service = format!(
        "spec: 1\nservice: probe\nbase_url: {origin}\nrate_limit: {{ requests: {limit}, per: 1s }}\n"
    );
    fs::write(tools.join("service.yaml"), service).expect("written");
    let tool = "spec: 1\ntool: list-probes\nservice: probe\ndescription: A probe.\naccess: read
params: { properties: { cursor: { type: string, description: The cursor. } } }
request: { method: GET, path: /probe, query: [cursor] }
paging: { items: $.data, next: { cursor: $.next } }
response: { output: { rows: $.data }, rows: rows }\n";
    fs::write(tools.join("list-probes.yaml"), tool).expect("written");
    let children: Vec<_> = (0..PROCESSES)
        .map(|_| {
            Command::new(env!("CARGO_BIN_EXE_toolrun"))
                .arg("--tools")
                .arg(folder.path().join("tools"))
                .args(["--store", store, "call", "list-probes", "-o", "ndjson"])
                .args(["--max-pages", "1000000", "--deadline"])
                .arg(format!("{}s", seconds.as_secs() + 1))
                .env_remove("SSL_CERT_FILE")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("it starts")
        })
        .collect();
    for mut child in children {
        child.wait().expect("it ends");
    }
    let mut times = times.lock().expect("no panic").clone();
    times.sort();
    let first = times.first().copied();
    times.retain(|time| first.is_some_and(|first| *time - first < seconds));
    times
}

/// A service that notes when requests arrive. Gives its origin.
fn serve(times: &Times) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    let times = Arc::clone(times);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let times = Arc::clone(&times);
            thread::spawn(move || answer(stream, &times));
        }
    });
    origin
}

fn answer(stream: TcpStream, times: &Times) -> Option<()> {
    static PAGES: AtomicUsize = AtomicUsize::new(0);
    stream.set_nodelay(true).ok()?;
    let mut write = stream.try_clone().ok()?;
    let mut read = BufReader::new(stream);
    loop {
        let mut line = String::new();
        let mut is_first = true;
        loop {
            line.clear();
            if read.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if is_first {
                times.lock().ok()?.push(Instant::now());
                is_first = false;
            }
            if line.trim_end().is_empty() {
                break;
            }
        }
        let page = PAGES.fetch_add(1, Ordering::Relaxed);
        let body = format!("{{\"data\":[1],\"next\":\"c{page}\"}}");
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        write.write_all(format!("{head}{body}").as_bytes()).ok()?;
    }
}
