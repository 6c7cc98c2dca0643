//! Validation of a thousand tools, a fifth of them with one fault each, beside check-jsonschema with the published
//! schema, in alternating rounds of whole processes.
//!
//! Prints the median of each, the median ratio, and how many of the faulty files each refuses, by kind of fault. The
//! faults are those of the mutation test, as many of each rule: what a JSON Schema can see, and what it cannot.
//!
//! `cargo bench --bench validate -- faults` tries every fault of the mutation test instead.
//!
//! `cargo bench --bench validate [-- ROUNDS]`; the other side is skipped unless `pip install check-jsonschema` was run.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its ratios"
)]

#[path = "../tests/mutation/mod.rs"]
mod mutation;
mod support;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use mutation::{Cell, Descriptor, Share, mutants, score_all};
use serde_json::Value;
use support::median;
use tempfile::TempDir;

const FILES: usize = 1000;
const FAULTS: usize = 200;
const TOOLS: [&str; 5] = [
    "get-organization",
    "get-usage",
    "list-api-keys",
    "list-members",
    "list-workspaces",
];

/// A folder of tools, and those of them that have a fault, each with the rule that made it.
struct Corpus {
    folder: TempDir,
    files: Vec<PathBuf>,
    faulty: HashMap<PathBuf, &'static str>,
}

/// A tool with a fault.
#[derive(Clone)]
struct Fault {
    tool: &'static str,
    rule: &'static str,
    text: String,
}

fn main() {
    if std::env::args().any(|argument| argument == "faults") {
        return count_faults();
    }
    let rounds = support::number_argument(5);
    let corpus = Corpus::new();
    let mut peer = check_jsonschema(&corpus);
    if run(Command::new("check-jsonschema").arg("--version")).is_none() {
        println!("SKIPPED: check-jsonschema is not installed (pip install check-jsonschema)");
        let (output, time) = run(&mut toolrun(&corpus)).expect("toolrun starts");
        return report(
            &corpus,
            "toolrun validate",
            &refused_by_toolrun(&output),
            &mut [seconds(time)],
        );
    }
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut refused = (HashSet::new(), HashSet::new());
    for round in 0..rounds {
        let time_ours = || run(&mut toolrun(&corpus)).expect("toolrun starts");
        let mut time_theirs = || run(&mut peer).expect("check-jsonschema starts");
        // Alternate who goes first, so that neither always finds the caches warm.
        let (a, b) = match round % 2 {
            0 => (time_ours(), time_theirs()),
            _ => {
                let b = time_theirs();
                (time_ours(), b)
            }
        };
        refused = (refused_by_toolrun(&a.0), refused_by_peer(&b.0));
        ours.push(seconds(a.1));
        theirs.push(seconds(b.1));
        ratios.push(b.1.as_secs_f64() / a.1.as_secs_f64());
    }
    report(&corpus, "toolrun validate", &refused.0, &mut ours);
    report(&corpus, "check-jsonschema", &refused.1, &mut theirs);
    print_rules(&corpus, &refused.0, &refused.1);
    println!(
        "toolrun is {:.1} times faster (median of {rounds} rounds)",
        median(&mut ratios)
    );
}

/// All faults of the mutation test, and what is found of them.
fn count_faults() {
    let share = Share {
        stride: 1,
        most_of_a_file: 2_000,
        most_pairs: 40,
    };
    for cell in Cell::all() {
        println!("{}: {}", cell.name(), score_all(cell, share).told());
    }
}

impl Corpus {
    fn new() -> Corpus {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/anthropic-admin");
        let folder = TempDir::new().expect("a temporary folder");
        let tools = folder.path().join("anthropic-admin");
        fs::create_dir(&tools).expect("a folder");
        fs::copy(shipped.join("service.yaml"), tools.join("service.yaml")).expect("copied");
        let originals = TOOLS.map(|tool| {
            let text =
                fs::read_to_string(shipped.join(format!("{tool}.yaml"))).expect("a shipped tool");
            (tool, text)
        });
        let mut faults = draw_faults(&originals).into_iter();
        let (mut files, mut faulty) = (Vec::new(), HashMap::new());
        for i in 0..FILES {
            let fault = (i % (FILES / FAULTS) == 0).then(|| faults.next()).flatten();
            let (tool, text) = match &fault {
                Some(fault) => (fault.tool, &fault.text),
                None => (originals[i % TOOLS.len()].0, &originals[i % TOOLS.len()].1),
            };
            let file = tools.join(format!("{tool}-{i}.yaml"));
            let text = text.replacen(&own_name(tool), &format!("tool: {tool}-{i}\n"), 1);
            fs::write(&file, text).expect("written");
            faulty.extend(fault.map(|fault| (file.clone(), fault.rule)));
            files.push(file);
        }
        Corpus {
            folder,
            files,
            faulty,
        }
    }
}

/// The line that names a tool, which the copies of it replace.
fn own_name(tool: &str) -> String {
    format!("tool: {tool}\n")
}

/// As many faults of each rule, evenly drawn over all tools, but for those in the line with the tool's name.
fn draw_faults(originals: &[(&'static str, String)]) -> Vec<Fault> {
    let mut by_rule: BTreeMap<&str, Vec<Fault>> = BTreeMap::new();
    for (tool, original) in originals {
        let descriptor = Descriptor::parse(&format!("{tool}.yaml"), original);
        for mutant in mutants(&descriptor) {
            let (rule, text) = (mutant.rule, mutant.text(&descriptor));
            if text.matches(&own_name(tool)).count() == 1 && mutant.is_fault(&descriptor) {
                by_rule
                    .entry(rule)
                    .or_default()
                    .push(Fault { tool, rule, text });
            }
        }
    }
    let rules = by_rule.len();
    let drawn = by_rule.values().enumerate().flat_map(|(i, made)| {
        let count = FAULTS * (i + 1) / rules - FAULTS * i / rules;
        (0..count).map(move |k| made[k * made.len() / count].clone())
    });
    drawn.collect()
}

fn toolrun(corpus: &Corpus) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolrun"));
    command
        .arg("validate")
        .arg(corpus.folder.path())
        .args(["--format", "json"]);
    command
}

fn check_jsonschema(corpus: &Corpus) -> Command {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/tool.schema.json");
    let mut command = Command::new("check-jsonschema");
    command
        .args(["--output-format", "json", "--schemafile"])
        .arg(schema)
        .args(&corpus.files);
    command
}

/// What a command printed and how long it took; `None` when there is no such program.
fn run(command: &mut Command) -> Option<(Output, Duration)> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = Instant::now();
    let output = command.output().ok()?;
    Some((output, started.elapsed()))
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

fn parsed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The files under a key of each object in a list.
fn files<'v>(list: &'v Value, key: &str) -> impl Iterator<Item = PathBuf> + use<'v> {
    let key = key.to_owned();
    let items = list.as_array().into_iter().flatten();
    items.filter_map(move |item| item.pointer(&key)?.as_str().map(PathBuf::from))
}

fn refused_by_toolrun(output: &Output) -> HashSet<PathBuf> {
    files(&parsed(output)["findings"], "/place/file").collect()
}

fn refused_by_peer(output: &Output) -> HashSet<PathBuf> {
    let report = parsed(output);
    files(&report["errors"], "/filename")
        .chain(files(&report["parse_errors"], "/filename"))
        .collect()
}

fn report(corpus: &Corpus, name: &str, refused: &HashSet<PathBuf>, times: &mut [f64]) {
    println!(
        "{name}: {:.3} s, finds {} of {} faulty files, and refuses {} of {} sound ones",
        median(times),
        refused
            .iter()
            .filter(|file| corpus.faulty.contains_key(*file))
            .count(),
        corpus.faulty.len(),
        refused
            .iter()
            .filter(|file| !corpus.faulty.contains_key(*file))
            .count(),
        FILES - corpus.faulty.len(),
    );
}

/// How many faults of each rule either finds.
fn print_rules(corpus: &Corpus, ours: &HashSet<PathBuf>, theirs: &HashSet<PathBuf>) {
    let mut rules: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for (file, rule) in &corpus.faulty {
        let counts = rules.entry(rule).or_default();
        counts[0] += usize::from(ours.contains(file));
        counts[1] += usize::from(theirs.contains(file));
        counts[2] += 1;
    }
    for (rule, [ours, theirs, made]) in rules {
        println!("  {rule}: toolrun {ours}, check-jsonschema {theirs} of {made}");
    }
}
