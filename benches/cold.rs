//! Cold calls: whole processes, started side by side in pairs, so that a busy machine slows both alike.
//!
//! Prints the median of each and the median of the paired ratios:
//! - `toolrun call list-workspaces` beside `curl` with the same request, on the same loopback server;
//! - `echo` beside `curl`: what any program takes to start and end. It is a part of the ratio above, and differs much
//!   between machines: a virtual one may need a millisecond until the C library knows the processor's caches;
//! - the same call with 10,000 descriptors in the tools folder beside 10;
//! - a call to a sandbox of its own beside that call;
//! - the same call with a table, with YAML and with `--jq` beside the one with JSON. What none of them uses costs it
//!   nothing, and that the first ratio shows.
//!
//! On Linux also the page faults and the most memory of a call and of `curl`: a call executes so little that its time is
//! its page faults (see `src/build.rs`), and they are the same on a busy machine.
//!
//! What is started is a copy of the program, as `cargo install` makes one. What a linker has just written lies in the
//! system's cache page by page, and what was copied or read from disk in larger pieces that are mapped at once: the same
//! call takes a fifth longer, or more, from the linker's own file.
//!
//! `cargo bench --bench cold [-- PAIRS]`

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its ratios"
)]

mod support;

#[path = "../tests/it/support/peak.rs"]
#[allow(dead_code, reason = "bodies are for the benchmark of memory")]
mod peak;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::{KEY, Server, median, tools_folder};
use tempfile::TempDir;

fn main() {
    let pairs = support::number_argument(200);
    let installed = TempDir::new().expect("a temporary folder");
    let program = installed.path().join("toolrun");
    fs::copy(env!("CARGO_BIN_EXE_toolrun"), &program).expect("a copy");
    let toolrun = |tools: &Path| toolrun(&program, tools);
    let server = Server::start();
    let few = tools_folder(&server.origin(), 10);
    let many = tools_folder(&server.origin(), 10_000);
    let flat = tools_folder(&server.origin(), 10);
    let url = format!(
        "{}/v1/organizations/workspaces?include_archived=false&limit=20",
        server.origin()
    );
    let curl = || {
        let mut command = Command::new("curl");
        command.args(["-s", "-H", "anthropic-version: 2023-06-01", "-H"]);
        command.arg(format!("x-api-key: {KEY}")).arg(&url);
        without_certificates(&mut command);
        command
    };
    compare(
        "toolrun call",
        &|| toolrun(flat.path()),
        "curl -s",
        &curl,
        pairs,
    );
    compare(
        "echo",
        &|| Command::new("/bin/echo"),
        "curl -s",
        &curl,
        pairs,
    );
    compare(
        "with 10,000 descriptors",
        &|| toolrun(many.path()),
        "with 10",
        &|| toolrun(few.path()),
        pairs,
    );
    let sandbox = || {
        let mut command = Command::new(&program);
        command.args(["call", "list-workspaces", "--sandbox"]);
        without_certificates(&mut command);
        command
    };
    compare(
        "with a sandbox of its own",
        &sandbox,
        "without",
        &|| toolrun(flat.path()),
        pairs,
    );
    let forms: [(&str, [&str; 2]); 3] = [
        ("with --output table", ["--output", "table"]),
        ("with --output yaml", ["--output", "yaml"]),
        ("with --jq", ["--jq", ".workspaces[].id"]),
    ];
    for (name, words) in forms {
        let ours = || {
            let mut command = toolrun(flat.path());
            command.args(words);
            command
        };
        compare(name, &ours, "with JSON", &|| toolrun(flat.path()), pairs);
    }
    if cfg!(target_os = "linux") {
        tell_pages("toolrun call", &|| toolrun(flat.path()));
        tell_pages("curl -s", &curl);
        tell_pages("with a sandbox of its own", &sandbox);
    }
}

/// Prints the page faults of a command, and the most memory that it was seen with.
fn tell_pages(name: &str, command: &dyn Fn() -> Command) {
    const RUNS: usize = 50;
    let mut faults: Vec<f64> = (0..RUNS)
        .map(|_| {
            let before = faults_of_children();
            time(&mut command());
            (faults_of_children() - before) as f64
        })
        .collect();
    // A run that is over so soon is not always looked at in its last moment.
    let peak = (0..RUNS).map(|_| peak::run(&mut command()).peak).max();
    println!(
        "{name}: {} page faults, {:.1} MiB of memory",
        median(&mut faults),
        peak.unwrap_or_default() as f64 / f64::from(1 << 20)
    );
}

/// The page faults of all processes that this one waited for.
fn faults_of_children() -> u64 {
    let text = fs::read_to_string("/proc/self/stat").expect("what the system knows");
    // The name of the program is in brackets and may have spaces.
    let (_, fields) = text.rsplit_once(')').expect("a name");
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let number = |at: usize| fields[at].parse::<u64>().expect("a number");
    number(8) + number(10)
}

fn toolrun(program: &Path, tools: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(["call", "bench-admin/list-workspaces", "--tools"])
        .arg(tools)
        .env("ANTHROPIC_ADMIN_API_KEY", KEY);
    without_certificates(&mut command);
    command
}

/// The calls go over plain http. The certificates that this machine's environment may name are nothing of theirs, and
/// whoever reads them is slower.
fn without_certificates(command: &mut Command) {
    for name in ["SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE"] {
        command.env_remove(name);
    }
}

fn compare(
    name: &str,
    ours: &dyn Fn() -> Command,
    other: &str,
    theirs: &dyn Fn() -> Command,
    pairs: usize,
) {
    check(&mut ours());
    check(&mut theirs());
    let (mut a, mut b, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..pairs + 5 {
        // Alternate who goes first, so that neither always finds the caches warm.
        let (ours, theirs) = match round % 2 {
            0 => (time(&mut ours()), time(&mut theirs())),
            _ => {
                let theirs = time(&mut theirs());
                (time(&mut ours()), theirs)
            }
        };
        if round >= 5 {
            ratios.push(ours.as_secs_f64() / theirs.as_secs_f64());
            a.push(ours.as_secs_f64());
            b.push(theirs.as_secs_f64());
        }
    }
    println!(
        "{name}: {:.2} ms, {other}: {:.2} ms, paired median ratio {:.3} ({pairs} pairs)",
        median(&mut a) * 1e3,
        median(&mut b) * 1e3,
        median(&mut ratios)
    );
}

/// Starts the command with its output thrown away, so that reading a pipe is no part of what is measured.
fn time(command: &mut Command) -> Duration {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let status = command.status().expect("the command starts");
    let elapsed = started.elapsed();
    assert!(status.success(), "{command:?}: {status}");
    elapsed
}

/// Both sides must get the answer that they are timed for.
fn check(command: &mut Command) {
    let output = command.output().expect("the command starts");
    assert!(
        output.status.success() && !output.stdout.is_empty(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
