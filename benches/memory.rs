//! Memory: the most that a call takes, beside the size of the body that it reads, for bodies of 1, 16 and 64 MiB.
//!
//! Prints the peak beyond that of the same call with a tiny body, and its ratio to the body. `cargo bench --bench memory [-- MIB]`
//! takes bodies of up to so many MiB. Works on Linux.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its ratios"
)]

mod support;

#[path = "../tests/it/support/peak.rs"]
mod peak;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use tempfile::TempDir;

/// What the tools make of the body.
const OUTPUTS: [(&str, &str); 3] = [
    ("whole", ""),
    ("data", "response: { output: { rows: $.data }, rows: rows }"),
    (
        "projected",
        "response: { output: { rows: { each: '$.data[*]', as: $ } }, rows: rows }",
    ),
];

const FORMATS: [&str; 6] = ["json", "ndjson", "csv", "yaml", "table", "raw"];

fn main() {
    let most = support::number_argument(64);
    let body = Arc::new(Mutex::new(String::new()));
    let origin = serve(Arc::clone(&body));
    let folder = tools(&origin);
    // What a call takes whatever its body is, such as the code that it runs.
    set(&body, "{\"data\":[{\"a\":1}]}".to_owned());
    let mut bases = Vec::new();
    for (tool, _) in OUTPUTS {
        for format in FORMATS {
            // A call that is over so soon is not always looked at in its last moment.
            let peaks = (0..30).map(|_| call(folder.path(), tool, format).peak);
            bases.push(peaks.max().unwrap_or_default());
        }
    }
    let least = bases.iter().min().copied().unwrap_or_default();
    println!("a call with a tiny body: {} MiB", least >> 20);
    for size in [1, 16, 64].into_iter().filter(|size| *size <= most) {
        for kind in peak::KINDS {
            let text = peak::body(kind, size << 20);
            let length = text.len();
            set(&body, text);
            for (i, (tool, _)) in OUTPUTS.into_iter().enumerate() {
                for (j, format) in FORMATS.into_iter().enumerate() {
                    let base = bases[i * FORMATS.len() + j];
                    let run = call(folder.path(), tool, format);
                    let beyond = run.peak.saturating_sub(base);
                    let told = run.stderr.lines().next().unwrap_or_default();
                    println!(
                        "{size:>2} MiB of {kind:<13} {tool:<9} {format:<6} exit {}: {:>4} MiB printed, {:>4} MiB beyond it, {:.2} of the body {told}",
                        run.code,
                        run.printed >> 20,
                        beyond >> 20,
                        beyond as f64 / length as f64
                    );
                }
            }
        }
    }
}

fn set(body: &Mutex<String>, text: String) {
    *body.lock().expect("the lock") = text;
}

fn call(tools: &Path, tool: &str, format: &str) -> peak::Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolrun"));
    command
        .args(["call", tool, "-o", format, "--tools"])
        .arg(tools);
    peak::run(&mut command)
}

fn tools(origin: &str) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    let write = |name: &str, text: String| {
        fs::write(folder.path().join(name), text).expect("written");
    };
    write(
        "service.yaml",
        format!(
            "spec: 1\nservice: big\nbase_url: {origin}\nlimits: {{ response_bytes: 100000000 }}\n"
        ),
    );
    for (tool, response) in OUTPUTS {
        write(
            &format!("{tool}.yaml"),
            format!(
                "spec: 1\ntool: {tool}\nservice: big\ndescription: Reads a large body.\naccess: read\n\
                 request: {{ method: GET, path: /body }}\n{response}\n"
            ),
        );
    }
    folder
}

/// A server that answers with the body of now.
fn serve(body: Arc<Mutex<String>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let body = body.lock().expect("the lock");
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(body.as_bytes());
        }
    });
    origin
}
