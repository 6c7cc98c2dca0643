//! Cold calls: whole processes, started side by side in pairs, so that a busy machine slows both alike.
//!
//! Prints the median of each and the median of the paired ratios:
//! - `toolrun call list-workspaces` beside `curl` with the same request, on the same loopback server;
//! - the same call with 10,000 descriptors in the tools folder beside 10.
//!
//! `cargo bench --bench cold [-- PAIRS]`

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its ratios"
)]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::{KEY, Server, median, tools_folder};

fn main() {
    let pairs = support::number_argument(200);
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
        "with 10,000 descriptors",
        &|| toolrun(many.path()),
        "with 10",
        &|| toolrun(few.path()),
        pairs,
    );
}

fn toolrun(tools: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolrun"));
    command
        .args(["call", "bench-admin/list-workspaces", "--tools"])
        .arg(tools)
        .env("ANTHROPIC_ADMIN_API_KEY", KEY);
    command
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
        output.status.success() && output.stdout.starts_with(b"{"),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
