//! Recordings held against descriptors: 1,000 exchanges with 100 seeded drifts of twenty kinds, beside Redocly's `drift` with the
//! same tools as an OpenAPI document, in alternating rounds of whole processes.
//!
//! Prints the median time of each, their ratio, the peak of memory, and how many of the drifts each finds, by code; then
//! the time and memory of a recording of many megabytes.
//!
//! `cargo bench --bench drift [-- ROUNDS]`; the other side is skipped unless `npm install --global @redocly/cli` was run.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its ratios"
)]

#[path = "support/drift_seeds.rs"]
mod seeds;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use seeds::Seeds;
use serde_json::Value;
use support::median;
use tempfile::TempDir;

const TOOLS: usize = 120;
const EXCHANGES: usize = 1000;
/// How often the exchanges stand in the large recording.
const COPIES: usize = 200;

fn main() {
    let rounds = support::number_argument(5);
    let seeds = Seeds::new(TOOLS, EXCHANGES);
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path();
    fs::create_dir(path.join("tools")).expect("a folder");
    for (name, text) in seeds.descriptors() {
        fs::write(path.join(format!("tools/{name}.yaml")), text).expect("written");
    }
    fs::write(path.join("openapi.json"), seeds.openapi()).expect("written");
    fs::write(path.join("rec.har"), seeds.har(true)).expect("written");
    fs::write(path.join("sound.har"), seeds.har(false)).expect("written");
    println!(
        "{EXCHANGES} exchanges, {TOOLS} tools, {} seeded drifts",
        seeds.drifts()
    );

    let ours = run(&mut toolrun(path, "rec.har"));
    tell_found(&seeds, &ours.text);
    let sound = run(&mut toolrun(path, "sound.har"));
    println!(
        "without drifts toolrun finds {}",
        findings(&sound.text).len()
    );
    let peer = run(&mut redocly(path, "rec.har"));
    if peer.time.is_zero() {
        println!("SKIPPED: redocly is not installed (npm install --global @redocly/cli)");
    } else {
        tell_peer(
            &seeds,
            &peer.text,
            &run(&mut redocly(path, "sound.har")).text,
        );
    }
    let (mut times, mut peers, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let own = run(&mut toolrun(path, "rec.har"));
        times.push(own.time.as_secs_f64());
        if !peer.time.is_zero() {
            let other = run(&mut redocly(path, "rec.har")).time.as_secs_f64();
            peers.push(other);
            ratios.push(own.time.as_secs_f64() / other);
        }
    }
    println!(
        "toolrun drift: {:.1} ms, {} MiB",
        median(&mut times) * 1000.0,
        ours.peak >> 20
    );
    if !peers.is_empty() {
        println!(
            "redocly drift: {:.1} ms, {} MiB",
            median(&mut peers) * 1000.0,
            peer.peak >> 20
        );
        println!(
            "toolrun takes {:.3} of its time (median of {rounds} rounds)",
            median(&mut ratios)
        );
    }
    large(&seeds, path);
}

/// A recording of many megabytes.
fn large(seeds: &Seeds, path: &Path) {
    let text = seeds.har(true);
    let start = text.find('[').expect("the entries") + 1;
    let end = text.rfind("]}").expect("the end");
    let mut file = fs::File::create(path.join("large.har")).expect("a file");
    let mut write = |text: &str| file.write_all(text.as_bytes()).expect("written");
    write(&text[..end]);
    for _ in 1..COPIES {
        write(",");
        write(&text[start..end]);
    }
    write(&text[end..]);
    let bytes = fs::metadata(path.join("large.har")).expect("a file").len();
    let ran = run(&mut toolrun(path, "large.har"));
    println!(
        "a recording of {} MiB: {:.2} s, {} MiB",
        bytes >> 20,
        ran.time.as_secs_f64(),
        ran.peak >> 20
    );
}

fn toolrun(path: &Path, file: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolrun"));
    command
        .current_dir(path)
        .args(["drift", file, "--against", "tools", "--format", "json"]);
    command
}

fn redocly(path: &Path, file: &str) -> Command {
    let mut command = Command::new("redocly");
    command
        .current_dir(path)
        .env("REDOCLY_TELEMETRY", "off")
        .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true")
        .args(["drift", file, "--api", "openapi.json", "--format", "json"]);
    command
}

/// What a command printed, how long it took and its peak of memory. No time when there is no such program.
struct Ran {
    text: String,
    time: Duration,
    peak: u64,
}

fn run(command: &mut Command) -> Ran {
    let started = Instant::now();
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let Ok(mut child) = child else {
        return Ran {
            text: String::new(),
            time: Duration::ZERO,
            peak: 0,
        };
    };
    let status = format!("/proc/{}/status", child.id());
    let mut stdout = child.stdout.take().expect("standard output");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut stdout, &mut text).expect("text");
        text
    });
    let mut peak = 0;
    while child.try_wait().expect("a child").is_none() {
        peak = peak.max(high_water(&status));
        std::thread::sleep(Duration::from_micros(500));
    }
    let time = started.elapsed();
    let text = reader.join().expect("a reader");
    Ran { text, time, peak }
}

/// The peak of resident bytes.
fn high_water(status: &str) -> u64 {
    let text = fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    number.unwrap_or(0) * 1024
}

/// The code and the file of each finding.
fn findings(text: &str) -> BTreeSet<(String, String)> {
    let report: Value = serde_json::from_str(text).unwrap_or_default();
    let findings = report["findings"].as_array().cloned().unwrap_or_default();
    let key = |finding: &Value| {
        let file = finding["place"]["file"].as_str()?;
        let name = Path::new(file).file_stem()?.to_string_lossy().into_owned();
        Some((finding["code"].as_str()?.to_owned(), name))
    };
    findings.iter().filter_map(key).collect()
}

fn tell_found(seeds: &Seeds, text: &str) {
    let (found, expected) = (findings(text), seeds.expected());
    let missed = expected.difference(&found).count();
    let false_ones = found.difference(&expected).count();
    println!(
        "toolrun: {} of {} findings found, {false_ones} false",
        expected.len() - missed,
        expected.len()
    );
    for (code, count) in seeds.by_code() {
        println!("  {code}: {count} drifts");
    }
}

/// The other side's findings, by rule; and how many of the tools that drift it names.
fn tell_peer(seeds: &Seeds, text: &str, sound: &str) {
    let problems = |text: &str| {
        let start = text.find('{').unwrap_or(0);
        let report: Value = serde_json::from_str(&text[start..]).unwrap_or_default();
        let lists = ["findings", "problems", "issues"];
        let found = lists
            .iter()
            .find_map(|key| report[*key].as_array().cloned());
        found.unwrap_or_default()
    };
    let mut rules: BTreeMap<String, usize> = BTreeMap::new();
    let found = problems(text);
    for problem in &found {
        let rule = ["ruleId", "rule", "code"]
            .iter()
            .find_map(|key| problem[*key].as_str());
        *rules.entry(rule.unwrap_or("?").to_owned()).or_default() += 1;
    }
    let named: BTreeSet<String> = found
        .iter()
        .filter_map(|problem| {
            let text = problem.to_string();
            let at = text.find("/v1/")? + 4;
            Some(
                text[at..]
                    .chars()
                    .take_while(char::is_ascii_lowercase)
                    .collect(),
            )
        })
        .collect();
    let drifting: BTreeSet<String> = seeds
        .expected()
        .into_iter()
        .map(|(_, name)| name.trim_start_matches("thing-").to_owned())
        .collect();
    println!(
        "redocly: {} findings, which name {} of the {} tools that drift, and {} others; without drifts {}",
        found.len(),
        named.intersection(&drifting).count(),
        drifting.len(),
        named.difference(&drifting).count(),
        problems(sound).len()
    );
    for (rule, count) in rules {
        println!("  {rule}: {count}");
    }
}
