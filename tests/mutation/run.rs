//! Tries the faults: breaks copies of sound files, validates them, and counts what is found.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tempfile::TempDir;
use toolrun::internals::check;

use super::pairs::pairs;
use super::{Descriptor, mutants};

/// Which files are broken, and in which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    /// Files of `tests/foreign`, rather than those that are shipped.
    pub is_foreign: bool,
    /// Whether the files keep their examples.
    pub has_examples: bool,
    /// Whether each file has two faults, rather than one.
    pub is_double: bool,
}

impl Cell {
    /// All cells.
    pub(crate) fn all() -> Vec<Cell> {
        let both = [false, true];
        let cells = both.iter().flat_map(|is_double| {
            both.iter().flat_map(move |is_foreign| {
                both.map(|has_examples| Cell {
                    is_foreign: *is_foreign,
                    has_examples,
                    is_double: *is_double,
                })
            })
        });
        cells.collect()
    }

    /// Its name, for people.
    pub(crate) fn name(self) -> String {
        let files = ["shipped", "foreign"][usize::from(self.is_foreign)];
        let examples = ["without", "with"][usize::from(self.has_examples)];
        let faults = ["one fault", "two faults"][usize::from(self.is_double)];
        format!("{files} files {examples} examples, {faults}")
    }

    fn folders(self) -> Vec<PathBuf> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut folders: Vec<PathBuf> = match self.is_foreign {
            true => below(&root.join("tests/foreign")),
            false => below(&root.join("tools")),
        };
        if !self.is_foreign {
            folders.push(root.join("tests/fixtures/github"));
        }
        folders
    }
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned()
}

/// How many of the faults are tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    /// Of so many faults, one is tried.
    pub stride: usize,
    /// The most faults of one file, evenly spread. A sandbox of a whole service has thousands, and each try reads all
    /// its tools.
    pub most_of_a_file: usize,
    /// The most pairs of faults of one file.
    pub most_pairs: usize,
}

/// How many faults of each rule were found and made, and which were not found.
#[derive(Default)]
pub(crate) struct Score {
    pub rules: BTreeMap<&'static str, (usize, usize)>,
    pub survivors: Vec<String>,
    /// The files that were broken.
    pub files: usize,
}

impl Score {
    /// Counts faults that must all be reported, each by a finding of its own.
    fn add(
        &mut self,
        file: &str,
        faults: &[(&'static str, String, Vec<usize>)],
        findings: &[(usize, String)],
    ) {
        let at = |lines: &[usize]| -> Vec<usize> {
            let found = findings.iter().enumerate();
            let here = found.filter(|(_, (line, _))| lines.contains(line));
            here.map(|(i, _)| i).collect()
        };
        let places: Vec<Vec<usize>> = faults.iter().map(|(_, _, lines)| at(lines)).collect();
        for (i, (rule, what, lines)) in faults.iter().enumerate() {
            let taken = |place: &usize| {
                let others = places.iter().enumerate().filter(|(other, _)| *other != i);
                others.into_iter().any(|(_, of)| of == &[*place])
            };
            let is_found = places[i].iter().any(|place| !taken(place));
            let (found, made) = self.rules.entry(rule).or_default();
            *made += 1;
            *found += usize::from(is_found);
            if !is_found {
                let told: Vec<String> = findings.iter().map(|(_, told)| told.clone()).collect();
                let beside = match faults.len() {
                    1 => String::new(),
                    _ => format!(" (beside {}: {})", faults[1 - i].0, faults[1 - i].1),
                };
                self.survivors.push(format!(
                    "{file}:{lines:?}: {rule}: {what}{beside}\n      told: {told:?}"
                ));
            }
        }
    }

    fn merge(&mut self, other: Score) {
        for (rule, (found, made)) in other.rules {
            let (all_found, all_made) = self.rules.entry(rule).or_default();
            *all_found += found;
            *all_made += made;
        }
        self.survivors.extend(other.survivors);
        self.files += other.files;
    }

    /// How many faults were found, and how many were made.
    pub(crate) fn total(&self) -> (usize, usize) {
        let sum = |(a, b): (usize, usize), (found, made): &(usize, usize)| (a + found, b + made);
        self.rules.values().fold((0, 0), sum)
    }

    /// The share that was found, in percent.
    pub(crate) fn share(&self) -> f64 {
        let (found, made) = self.total();
        100.0 * found as f64 / made.max(1) as f64
    }

    /// What was found of each rule, and what was not found.
    pub(crate) fn told(&self) -> String {
        let missed = self
            .survivors
            .iter()
            .map(|survivor| format!("not found: {survivor}"));
        let rules = self.rules.iter().filter(|(_, (found, made))| found < made);
        let rules = rules.map(|(rule, (found, made))| format!("{found:5} of {made:5}  {rule}"));
        let (found, made) = self.total();
        let all = format!(
            "{found} of {made} in {} files: {:.2} %",
            self.files,
            self.share()
        );
        missed
            .chain(rules)
            .chain([all])
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// A copy of a folder of descriptors, to break one file at a time.
struct Copy {
    folder: TempDir,
    service: String,
}

impl Copy {
    /// A tool needs only its service, and the other files need all.
    fn of(original: &Path, of: &str, has_examples: bool) -> Copy {
        let service = name_of(original);
        let folder = TempDir::new().expect("a temporary folder");
        fs::create_dir(folder.path().join(&service)).expect("a folder");
        let needs_all = ["service.yaml", "sandbox.yaml"].contains(&of);
        for path in below(original) {
            let file = name_of(&path);
            if needs_all || file == of || file == "service.yaml" {
                let text = fs::read_to_string(&path).expect("a file");
                let text = match has_examples {
                    true => text,
                    false => without_examples(&text),
                };
                fs::write(folder.path().join(&service).join(&file), text).expect("written");
            }
        }
        Copy { folder, service }
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
        fs::write(self.path(file), text).expect("written");
        self.findings(file)
    }
}

/// The text without its section `examples`.
fn without_examples(text: &str) -> String {
    let mut is_inside = false;
    let lines = text.split_inclusive('\n').filter(|line| {
        let starts_section = line.starts_with(|c: char| c.is_alphabetic());
        is_inside = (is_inside && !starts_section) || line.starts_with("examples:");
        !is_inside
    });
    lines.collect()
}

/// Breaks one file of a folder in every `stride`-th way, from the way of this number.
fn score(cell: Cell, folder: &Path, file: &str, number: usize, share: Share) -> Score {
    let copy = Copy::of(folder, file, cell.has_examples);
    let sound = copy.findings(file);
    assert!(sound.is_empty(), "{file} is not sound: {sound:?}");
    let text = fs::read_to_string(copy.path(file)).expect("the file");
    let descriptor = Descriptor::parse(file, &text);
    let mut score = Score {
        files: 1,
        ..Score::default()
    };
    let name = format!("{}/{file}", copy.service);
    if cell.is_double {
        let made = pairs(&descriptor, share.most_pairs);
        for pair in &made {
            score.add(&name, &pair.faults, &copy.findings_in(file, &pair.text));
        }
        return score;
    }
    let made = mutants(&descriptor);
    let stride = share.stride.max(made.len().div_ceil(share.most_of_a_file));
    let tried = made.iter().skip(number % stride).step_by(stride);
    for mutant in tried.filter(|mutant| mutant.is_fault(&descriptor)) {
        let fault = (mutant.rule, mutant.what.clone(), mutant.lines.clone());
        score.add(
            &name,
            &[fault],
            &copy.findings_in(file, &mutant.text(&descriptor)),
        );
    }
    score
}

/// Breaks all files of a cell.
pub(crate) fn score_all(cell: Cell, share: Share) -> Score {
    let files: Vec<(PathBuf, String)> = cell
        .folders()
        .into_iter()
        .flat_map(|folder| {
            let names = below(&folder).into_iter().map(|path| name_of(&path));
            names
                .map(move |file| (folder.clone(), file))
                .collect::<Vec<_>>()
        })
        .collect();
    let (next, total) = (AtomicUsize::new(0), Mutex::new(Score::default()));
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some((folder, file)) = files.get(number) else {
                        return;
                    };
                    let score = score(cell, folder, file, number, share);
                    total.lock().expect("the lock").merge(score);
                }
            });
        }
    });
    total.into_inner().expect("the lock")
}
