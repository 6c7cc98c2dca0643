//! Batches: how long it takes to check and store many lines, how much memory that needs, and jobs per second on loopback at 1, 8
//! and 32 calls in flight.
//!
//! `cargo bench --bench batch [-- LINES]`; with `--features postgres` also on a Postgres server of this machine.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its numbers"
)]

#[cfg(target_os = "linux")]
#[path = "../tests/it/support/peak.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod peak;
#[cfg(all(unix, feature = "postgres"))]
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/it/support/postgres.rs"]
mod postgres;
mod support;

use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Jobs of a run at each number of calls in flight.
const JOBS: usize = 4_000;

fn main() {
    let lines = support::number_argument(100_000);
    let folder = TempDir::new().expect("a temporary folder");
    let tools = tools(folder.path(), &serve());
    write_lines(&folder.path().join("lines.ndjson"), lines);
    write_lines(&folder.path().join("jobs.ndjson"), JOBS);
    println!("lines checked and stored");
    println!("store     lines      seconds  lines/s  peak MB");
    for (name, store) in stores(folder.path()) {
        let mut command = batch(&tools, &store, "lines.ndjson", &["--enqueue-only"]);
        let begun = Instant::now();
        let peak = peak(&mut command);
        let took = begun.elapsed();
        println!(
            "{name:9} {lines:9}  {:7.2}  {:7.0}  {peak:>7}",
            took.as_secs_f64(),
            lines as f64 / took.as_secs_f64()
        );
    }
    println!();
    println!("calls on loopback, rows to a file");
    println!("store     in flight  jobs/s");
    for (name, store) in stores(folder.path()) {
        for in_flight in ["1", "8", "32"] {
            let out = ["--new", "-c", in_flight, "--out", "rows.ndjson"];
            let took = time(batch(&tools, &store, "jobs.ndjson", &out));
            let rate = JOBS as f64 / took.as_secs_f64();
            println!("{name:9} {in_flight:>9}  {rate:6.0}");
        }
    }
}

/// Runs a command; gives its peak of memory in megabytes, where the system tells it.
fn peak(command: &mut Command) -> String {
    #[cfg(target_os = "linux")]
    {
        let run = peak::run(command);
        assert_eq!(run.code, 0, "{}", run.stderr);
        (run.peak >> 20).to_string()
    }
    #[cfg(not(target_os = "linux"))]
    {
        assert!(command.status().expect("it starts").success());
        "?".to_owned()
    }
}

/// Fresh stores.
fn stores(folder: &Path) -> Vec<(&'static str, String)> {
    let file = folder.join(format!("{}.db", fastrand::u64(..)));
    let mut stores = vec![("SQLite", format!("sqlite:{}", file.display()))];
    #[cfg(all(unix, feature = "postgres"))]
    stores.extend(postgres::postgres().map(|server| ("Postgres", server.database().1)));
    stores.truncate(2);
    stores
}

fn tools(folder: &Path, origin: &str) -> std::path::PathBuf {
    let tools = folder.join("tools");
    let own = tools.join("probe");
    fs::create_dir_all(&own).expect("a folder");
    let service = format!("spec: 1\nservice: probe\nbase_url: {origin}\n");
    fs::write(own.join("service.yaml"), service).expect("written");
    let tool = "spec: 1\ntool: get-probe\nservice: probe\ndescription: A probe.\naccess: read
params: { required: [id], properties: { id: { type: string }, size: { type: integer, default: 1 } } }
request: { method: GET, path: \"/probe/{{ id }}\", query: [size] }
response: { output: { id: $.id, name: $.name } }\n";
    fs::write(own.join("get-probe.yaml"), tool).expect("written");
    tools
}

fn write_lines(path: &Path, count: usize) {
    let mut file = BufWriter::new(fs::File::create(path).expect("a file"));
    for n in 0..count {
        writeln!(file, "{{\"id\": \"thing-{n:09}\", \"size\": {}}}", n % 7).expect("written");
    }
    file.flush().expect("written");
}

fn batch(tools: &Path, store: &str, file: &str, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolrun"));
    command
        .current_dir(tools.parent().expect("a folder"))
        .arg("--tools")
        .arg(tools)
        .args(["--store", store, "batch", "get-probe", file])
        .args(more)
        .env_remove("SSL_CERT_FILE")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

fn time(mut command: Command) -> Duration {
    let begun = Instant::now();
    let done = command.output().expect("it starts");
    let took = begun.elapsed();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    took
}

/// A service that answers at once. Gives its origin.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || answer(stream));
        }
    });
    origin
}

fn answer(stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut write = stream.try_clone().ok()?;
    let mut read = BufReader::new(stream);
    let body = "{\"id\":\"x\",\"name\":\"a thing\"}";
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut line = String::new();
    loop {
        line.clear();
        if read.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim_end().is_empty() {
            write.write_all(answer.as_bytes()).ok()?;
        }
    }
}
