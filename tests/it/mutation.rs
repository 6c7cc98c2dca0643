//! Every fault that the rules make in a shipped descriptor must be found, on its line.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;

use crate::mutants::{Descriptor, Mutant, mutants};
use tempfile::TempDir;
use toolrun::internals::check;

/// The least share of the faults that must be found, in percent.
const LEAST_FOUND: f64 = 99.0;
/// The most faults of one file that are tried, evenly spread. A sandbox of a whole service has thousands, and each try
/// reads all its tools.
const MOST_OF_A_FILE: usize = 200;
/// The least number of faults that the rules make.
const LEAST_MADE: usize = 400;

/// The folders whose files get faults.
const FOLDERS: [&str; 4] = [
    "tools/anthropic-admin",
    "tools/anthropic-admin-oauth",
    "tools/anthropic-enterprise",
    "tests/fixtures/github",
];
/// In a folder of up to this many files, each file gets every fault; in a larger one, the faults are spread over the
/// files.
const FILES_IN_FULL: usize = 7;

/// A copy of a folder of descriptors, to break one file at a time.
struct Copy {
    folder: TempDir,
    service: String,
    files: Vec<String>,
}

impl Copy {
    fn of(folder: &str) -> Copy {
        let original = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let service = original
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let copy = TempDir::new().expect("a temporary folder");
        fs::create_dir(copy.path().join(&service)).expect("a folder");
        let mut files = Vec::new();
        for entry in fs::read_dir(&original).expect("the folder") {
            let name = entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned();
            fs::copy(original.join(&name), copy.path().join(&service).join(&name)).expect("copied");
            files.push(name);
        }
        files.sort();
        Copy {
            folder: copy,
            service,
            files,
        }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(&self.service).join(file)
    }

    /// The lines of a file that have findings, with the findings.
    fn findings(&self, file: &str) -> Vec<(usize, String)> {
        let path = self.path(file).display().to_string();
        let report = check::paths(&[path]).expect("the file is there");
        let told = report.findings.iter();
        told.map(|finding| (finding.position().line, finding.to_string()))
            .collect()
    }

    /// What validation finds when the file has this text.
    fn findings_in(&self, file: &str, text: &str) -> Vec<(usize, String)> {
        let path = self.path(file);
        let original = fs::read_to_string(&path).expect("the file");
        fs::write(&path, text).expect("written");
        let findings = self.findings(file);
        fs::write(&path, original).expect("written");
        findings
    }
}

/// How many faults of each rule were found and made, and which were not found.
#[derive(Default)]
struct Score {
    rules: BTreeMap<&'static str, (usize, usize)>,
    survivors: Vec<String>,
}

impl Score {
    fn add(&mut self, file: &str, mutant: &Mutant, findings: &[(usize, String)]) {
        let found = findings.iter().any(|(line, _)| mutant.lines.contains(line));
        let (hits, made) = self.rules.entry(mutant.rule).or_default();
        *made += 1;
        *hits += usize::from(found);
        if !found {
            let told: Vec<&str> = findings.iter().map(|(_, told)| told.as_str()).collect();
            let Mutant {
                rule, what, lines, ..
            } = mutant;
            self.survivors.push(format!(
                "{file}:{lines:?}: {rule}: {what}\n      told: {told:?}"
            ));
        }
    }

    fn merge(&mut self, other: Score) {
        for (rule, (found, made)) in other.rules {
            let (all_found, all_made) = self.rules.entry(rule).or_default();
            *all_found += found;
            *all_made += made;
        }
        self.survivors.extend(other.survivors);
    }

    fn total(&self) -> (usize, usize) {
        let sum = |(a, b): (usize, usize), (found, made): &(usize, usize)| (a + found, b + made);
        self.rules.values().fold((0, 0), sum)
    }

    /// Prints directly to standard error, which the test runner does not hide when a test passes.
    fn print(&self) {
        let mut lines: Vec<String> = self
            .survivors
            .iter()
            .map(|survivor| format!("not found: {survivor}"))
            .collect();
        let rules = self.rules.iter().map(|(rule, score)| (*rule, *score));
        for (rule, (found, made)) in rules.chain([("in all", self.total())]) {
            lines.push(format!("{found:5} of {made:5}  {rule}"));
        }
        writeln!(std::io::stderr(), "{}", lines.join("\n")).expect("standard error");
    }
}

/// Breaks one file of a folder in every `stride`-th way, from the way number `start`.
fn score(folder: &str, file: &str, start: usize, stride: usize) -> Score {
    let copy = Copy::of(folder);
    let sound = copy.findings(file);
    assert!(sound.is_empty(), "{file} is not sound: {sound:?}");
    let text = fs::read_to_string(copy.path(file)).expect("the file");
    let mut score = Score::default();
    let made = mutants(&Descriptor::parse(file, &text));
    let stride = stride.max(made.len().div_ceil(MOST_OF_A_FILE));
    for mutant in made.iter().skip(start).step_by(stride) {
        score.add(file, mutant, &copy.findings_in(file, &mutant.text));
    }
    score
}

#[test]
fn every_single_fault_is_found_on_its_line() {
    let mut total = Score::default();
    thread::scope(|scope| {
        let mut running = Vec::new();
        for folder in FOLDERS {
            let files = Copy::of(folder).files;
            let stride = files.len().div_ceil(FILES_IN_FULL);
            for (i, file) in files.into_iter().enumerate() {
                running.push(scope.spawn(move || score(folder, &file, i % stride, stride)));
            }
        }
        for score in running {
            total.merge(score.join().expect("a score"));
        }
    });
    total.print();
    let (found, made) = total.total();
    assert!(made >= LEAST_MADE, "the rules made {made} faults only");
    let share = 100.0 * found as f64 / made as f64;
    assert!(
        share >= LEAST_FOUND,
        "{share:.2} % of {made} faults were found"
    );
}
