//! Copies: rows of a service on loopback into SQLite and Parquet, with rows per second and the peak of memory, beside dlt and a Python
//! script by hand.
//!
//! `cargo bench --bench sync --features parquet [-- ROWS]` copies so many rows, 1,000,000 unless given, in pages of 1,000. dlt is
//! taken from `python3` with the packages `dlt[parquet]`, or from the Python that `TOOLRUN_BENCH_PYTHON` names; what is missing
//! is told and left out. Memory is that of the process at its peak, on Linux.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its ratios"
)]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Rows of a page.
const PAGE: usize = 1_000;

const TOOL: &str = "spec: 1
tool: list-events
service: bench
description: Rows.
access: read
params: { properties: { after: { type: string, description: The cursor. } } }
request: { method: GET, path: /events, query: [after] }
paging: { items: $.data, next: { after: $.next } }
response: { output: { events: { each: '$.data[*]', as: { id: $.id, name: $.name, at: $.at, value: $.value, is_on: $.is_on, tags: $.tags } } }, rows: events }
";

const DLT: &str = r#"
import sys, dlt, requests
origin, kind, folder = sys.argv[1:4]
def events():
    session, after = requests.Session(), None
    while True:
        page = session.get(origin + "/events", params={"after": after} if after else {}).json()
        yield page["data"]
        after = page["next"]
        if after is None:
            return
hints = {"tags": {"data_type": "json"}}
if kind == "sqlite":
    destination = dlt.destinations.sqlalchemy(f"sqlite:///{folder}/dlt.db")
else:
    destination = dlt.destinations.filesystem(bucket_url=f"file://{folder}/dlt")
pipeline = dlt.pipeline("bench", destination=destination, dataset_name="main", pipelines_dir=folder + "/state")
rows = dlt.resource(events, name="events", columns=hints, write_disposition="replace", max_table_nesting=0)
pipeline.run(rows, loader_file_format="parquet" if kind == "parquet" else None)
"#;

/// What somebody would write by hand, who needs it once: no state, no types that are learnt, no second run.
const BY_HAND: &str = r#"
import sys, json, sqlite3, requests
origin, kind, folder = sys.argv[1:4]
def pages():
    session, after = requests.Session(), None
    while True:
        page = session.get(origin + "/events", params={"after": after} if after else {}).json()
        yield page["data"]
        after = page["next"]
        if after is None:
            return
if kind == "sqlite":
    db = sqlite3.connect(folder + "/hand.db")
    db.execute("create table events (id integer, name text, at integer, value real, is_on integer, tags text)")
    for page in pages():
        rows = ((r["id"], r["name"], r["at"], r["value"], r["is_on"], json.dumps(r["tags"])) for r in page)
        db.executemany("insert into events values (?, ?, ?, ?, ?, ?)", rows)
    db.commit()
else:
    import pyarrow, pyarrow.parquet
    writer = None
    for page in pages():
        for row in page:
            row["tags"] = json.dumps(row["tags"])
        table = pyarrow.Table.from_pylist(page)
        writer = writer or pyarrow.parquet.ParquetWriter(folder + "/hand.parquet", table.schema)
        writer.write_table(table)
    writer.close()
"#;

fn main() {
    let rows = support::number_argument(1_000_000);
    let origin = serve(rows);
    println!("{rows} rows in pages of {PAGE}");
    for kind in ["sqlite", "parquet"] {
        let own = toolrun(&origin, kind, "");
        tell(&format!("toolrun, {kind}"), own.as_ref(), rows);
        let keyed = toolrun(&origin, kind, "sync: { key: [id] }\n");
        tell(&format!("toolrun with a key, {kind}"), keyed.as_ref(), rows);
        for (name, package, script) in
            [("dlt", "dlt", DLT), ("Python by hand", "requests", BY_HAND)]
        {
            let other = python(package, script, &origin, kind);
            tell(&format!("{name}, {kind}"), other.as_ref(), rows);
            if let (Some(own), Some(other)) = (&own, other) {
                println!(
                    "{kind}: toolrun takes {:.2} of the time and {:.2} of the memory of {name}",
                    own.time.as_secs_f64() / other.time.as_secs_f64(),
                    own.peak as f64 / other.peak as f64
                );
            }
        }
    }
}

/// What a copy took.
struct Taken {
    time: Duration,
    peak: u64,
}

fn tell(name: &str, taken: Option<&Taken>, rows: usize) {
    match taken {
        None => println!("{name}: left out"),
        Some(taken) => println!(
            "{name}: {:.1} s, {:.0} rows/s, {} MiB",
            taken.time.as_secs_f64(),
            rows as f64 / taken.time.as_secs_f64(),
            taken.peak >> 20
        ),
    }
}

fn toolrun(origin: &str, kind: &str, sync: &str) -> Option<Taken> {
    let folder = TempDir::new().expect("a folder");
    let descriptors = folder.path().join("bench");
    fs::create_dir(&descriptors).expect("a folder");
    let service = format!("spec: 1\nservice: bench\nbase_url: {origin}\n");
    fs::write(descriptors.join("service.yaml"), service).expect("a file");
    fs::write(
        descriptors.join("list-events.yaml"),
        format!("{TOOL}{sync}"),
    )
    .expect("a file");
    let place = match kind {
        "sqlite" => "sqlite:rows.db",
        _ => "parquet:rows",
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolrun"));
    command
        .current_dir(folder.path())
        .arg("--tools")
        .arg(folder.path())
        .args(["sync", "list-events", "--into", place]);
    measured(command)
}

fn python(package: &str, script: &str, origin: &str, kind: &str) -> Option<Taken> {
    let python = std::env::var_os("TOOLRUN_BENCH_PYTHON").unwrap_or_else(|| "python3".into());
    let has_it = Command::new(&python)
        .args(["-c", &format!("import {package}")])
        .stderr(Stdio::null())
        .status();
    if !has_it.is_ok_and(|status| status.success()) {
        eprintln!("there is no python3 with the package {package}");
        return None;
    }
    let folder = TempDir::new().expect("a folder");
    let mut command = Command::new(python);
    command
        .args(["-c", script, origin, kind])
        .arg(folder.path())
        .env("RUNTIME__DLTHUB_TELEMETRY", "false");
    measured(command)
}

/// Runs a command to its end. `None`, with its last words, if it fails.
fn measured(mut command: Command) -> Option<Taken> {
    let log = TempDir::new().expect("a folder");
    let said = fs::File::create(log.path().join("log")).expect("a file");
    let begun = Instant::now();
    let mut child = command
        .stdout(Stdio::null())
        .stderr(said)
        .spawn()
        .expect("the program starts");
    let mut peak = 0;
    let status = loop {
        peak = peak.max(resident(child.id()));
        match child.try_wait().expect("a child of ours") {
            Some(status) => break status,
            None => thread::sleep(Duration::from_millis(20)),
        }
    };
    if !status.success() {
        let told = fs::read_to_string(log.path().join("log")).unwrap_or_default();
        let last: Vec<&str> = told.lines().rev().take(3).collect();
        eprintln!("it fails: {}", last.join(" / "));
        return None;
    }
    Some(Taken {
        time: begun.elapsed(),
        peak,
    })
}

/// The peak of a process's memory so far, in bytes.
fn resident(id: u32) -> u64 {
    let status = fs::read_to_string(Path::new("/proc").join(id.to_string()).join("status"));
    let status = status.unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    kib.unwrap_or_default() << 10
}

/// A service of so many rows. Pages are made when they are asked for.
fn serve(rows: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || answer(stream, rows));
        }
    });
    origin
}

/// Answers the requests of one connection.
fn answer(mut stream: TcpStream, rows: usize) -> Option<()> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        while let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            bytes.drain(..end + 4);
            let after = head.split("after=").nth(1);
            let digits = after.map(|rest| {
                rest.chars()
                    .take_while(char::is_ascii_digit)
                    .collect::<String>()
            });
            let first: usize = digits.and_then(|text| text.parse().ok()).unwrap_or(0);
            let body = page(first, rows);
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).ok()?;
            stream.write_all(body.as_bytes()).ok()?;
        }
        match stream.read(&mut part).ok()? {
            0 => return None,
            count => bytes.extend_from_slice(&part[..count]),
        }
    }
}

fn page(first: usize, rows: usize) -> String {
    let last = (first + PAGE).min(rows);
    let data: Vec<String> = (first..last)
        .map(|id| {
            format!(
                "{{\"id\":{id},\"name\":\"event number {id}\",\"at\":\"2026-11-{:02}T12:00:00Z\",\"value\":{}.5,\"is_on\":{},\"tags\":[\"a\",\"b{}\"]}}",
                1 + id % 30,
                id % 1000,
                id % 2 == 0,
                id % 7
            )
        })
        .collect();
    let next = match last < rows {
        true => format!("\"{last}\""),
        false => "null".to_owned(),
    };
    format!("{{\"data\":[{}],\"next\":{next}}}", data.join(","))
}
