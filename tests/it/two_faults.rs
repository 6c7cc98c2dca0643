//! Files with two faults: validation reports both, each at its place, because no mistake may hide another.
//!
//! A fault is one line of the table: the code that it must give, and an edit that makes it in any tool whose file has the
//! place for it. Every pair of faults is made in the files of `tests/foreign` and in shipped ones.

use std::fs;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use regex::Regex;
use tempfile::TempDir;
use toolrun::internals::{Code, check};

/// The edit of one range, and where in the new text the finding must be.
struct Edit {
    range: Range<usize>,
    with: String,
    /// Where the finding starts, in bytes of the new text.
    at: usize,
}

/// A fault: its name, its code, and the edit of a sound file that makes it.
type Fault = (&'static str, Code, fn(&str) -> Option<Edit>);

const FAULTS: &[Fault] = &[
    ("an unknown key", Code::UnknownKey, |text| {
        Some(added(text.len(), "colour: red\n", 0))
    }),
    ("a misspelt section", Code::UnknownKey, |text| {
        replaced(text, r"(?m)^(response):", "respnse", 0)
    }),
    ("a misspelt key", Code::UnknownKey, |text| {
        replaced(text, r"(?m)^request:[\s{]+(method):", "methd", 0)
    }),
    ("a misspelt keyword", Code::UnknownKey, |text| {
        replaced(
            text,
            r"(?m)^    [\w-]+: \{ type: \w+, (minimum|format|pattern|minLength):",
            "minimun",
            0,
        )
    }),
    ("a wrong type", Code::WrongType, |text| {
        replaced(text, r"(?m)^description: ([^>|\n].*)$", "[a, b]", 0)
    }),
    ("a wrong value", Code::BadValue, |text| {
        replaced(text, r"(?m)^access: (.*)$", "readonly", 0)
    }),
    ("a key that is written twice", Code::DuplicateKey, |text| {
        let line = text.find("access: ")?;
        let end = line + text[line..].find('\n')? + 1;
        Some(added(end, "access: write\n", 0))
    }),
    ("a missing key", Code::MissingKey, |text| {
        let line = text.find("spec: 1\n")?;
        Some(Edit {
            range: line..line + 8,
            with: String::new(),
            at: line,
        })
    }),
    ("text that is no YAML", Code::YamlSyntax, |text| {
        Some(added(text.len(), "notes: {{ url }}\n", 8))
    }),
    ("a wrong default", Code::BadDefault, |text| {
        replaced(text, r"type: integer[^}]* default: (-?\d+)", "ten", 0)
    }),
    ("a type that there is not", Code::BadSchema, |text| {
        replaced(text, r"(?m)^    [\w-]+: \{ type: (string),", "strng", 0)
    }),
    ("a param that is not used", Code::UnusedParam, |text| {
        let at = text.find("  properties:\n")? + "  properties:\n".len();
        Some(added(
            at,
            "    spare: { type: string, description: Not used. }\n",
            4,
        ))
    }),
    (
        "a param without a description",
        Code::UndescribedParam,
        |text| {
            let at = text.find("  properties:\n")? + "  properties:\n".len();
            let used = text[text.find("request:")?..].contains("method");
            used.then(|| added(at, "    limitless: { type: string }\n", 4))
        },
    ),
    (
        "a name in `required` that there is not",
        Code::UnknownName,
        |text| replaced(text, r"(?m)^  required: \[()", "ghost, ", 0),
    ),
    (
        "an expression that is no expression",
        Code::BadTemplate,
        |text| {
            replaced(text, r"(?ms)^request:.*?\{\{ \w+( )\}\}", " + }}\" #", 0).map(|edit| Edit {
                with: " + ".into(),
                ..edit
            })
        },
    ),
    ("a name that there is not", Code::UnknownName, |text| {
        replaced(text, r"(?m)^  output: .*\{\{ \(?(body|item)\b", "bdoy", 0)
    }),
    ("a filter that there is not", Code::UnknownName, |text| {
        replaced(text, r"(?ms)^response:.*?\{\{[^}]*\| (\w+)", "lenght", 0)
    }),
    ("a JSONPath that is none", Code::BadJsonPath, |text| {
        replaced(text, r#"(?m)^  output: .*?\$\.\w+()[,} "]"#, "!x", 0)
    }),
    ("a secret in a comment", Code::LiteralSecret, |text| {
        let at = text.find('\n')? + 1;
        Some(added(at, "# npm_0123456789abcdefghijABCDEFGHIJ012345\n", 2))
    }),
    ("a secret in a value", Code::LiteralSecret, |text| {
        replaced(
            text,
            // The place of a folded text is where it begins.
            r"(?m)^description: ([^>|\n].*)$",
            "Use ghp_0123456789abcdefghijABCDEFGHIJ012345",
            0,
        )
    }),
    ("a wrong name", Code::BadName, |text| {
        replaced(text, r"(?m)^tool: (.*)$", "another", 0)
    }),
    ("a path with a query", Code::BadPath, |text| {
        replaced(text, r"(?m)path: [^\n,}]*\w()\n", "?a=b", 0)
    }),
    ("a key that paging cannot have", Code::UnknownKey, |text| {
        replaced(text, r"(?m)^paging: \{ ()", "items_path: $.x, ", 0)
    }),
    (
        "an argument of paging that there is not",
        Code::UnknownName,
        |text| replaced(text, r"(?m)next: \{ (\w+):", "crsr", 0),
    ),
];

/// Pairs of which one makes the other impossible to know: what the first breaks is what the second is about.
fn excludes(one: &str, other: &str) -> bool {
    const EXCLUDED: [(&str, &str); 9] = [
        // Both change the same word or line.
        ("a wrong value", "a key that is written twice"),
        ("a secret in a value", "a key that is written twice"),
        ("a secret in a value", "a wrong value"),
        ("a param that is not used", "a param without a description"),
        ("a misspelt section", "a missing key"),
        // The default of a param whose type is unknown is not wrong.
        ("a type that there is not", "a wrong default"),
        ("a missing key", "a secret in a comment"),
        ("a path with a query", "a path with a query"),
        ("a missing key", "a missing key"),
    ];
    EXCLUDED.contains(&(one, other)) || EXCLUDED.contains(&(other, one))
}

fn added(at: usize, line: &str, indent: usize) -> Edit {
    Edit {
        range: at..at,
        with: line.to_owned(),
        at: at + indent,
    }
}

/// Puts a text in the place of the first group of a pattern.
fn replaced(text: &str, pattern: &str, with: &str, offset: usize) -> Option<Edit> {
    let found = Regex::new(pattern).expect("a pattern").captures(text)?;
    let range = found.get(1)?.range();
    Some(Edit {
        at: range.start + offset,
        with: with.to_owned(),
        range,
    })
}

/// The sound files.
fn bases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pattern = |pattern: &str| root.join(pattern).display().to_string();
    let mut files: Vec<PathBuf> = [
        pattern("tests/foreign/*/*.yaml"),
        pattern("tools/anthropic-admin/list-*.yaml"),
    ]
    .iter()
    .flat_map(|pattern| glob::glob(pattern).expect("a pattern"))
    .map(|path| path.expect("a path"))
    .filter(|path| path.file_name().is_some_and(|name| name != "service.yaml"))
    .collect();
    files.sort();
    files
}

/// A folder with a copy of a tool's service, in which the tool is broken.
struct Bench {
    folder: TempDir,
    file: PathBuf,
}

impl Bench {
    fn of(base: &Path) -> Bench {
        let folder = TempDir::new().expect("a folder");
        let parent = base.parent().expect("a parent");
        let copy = folder.path().join(parent.file_name().expect("a name"));
        fs::create_dir(&copy).expect("a folder");
        let service = parent.join("service.yaml");
        if service.exists() {
            fs::copy(service, copy.join("service.yaml")).expect("copied");
        }
        let file = copy.join(base.file_name().expect("a name"));
        Bench { folder, file }
    }

    /// The code and the line of each finding, when the file has this text.
    fn findings(&self, text: &str) -> Vec<(Code, usize)> {
        fs::write(&self.file, text).expect("written");
        let path = self.file.display().to_string();
        let report = check::paths(&[path]).expect("the file is there");
        assert!(self.folder.path().exists());
        let found = report.findings.iter();
        found.map(|f| (f.code, f.position().line)).collect()
    }
}

/// The text with the edits, which do not overlap, and the line of each finding in it.
fn broken(text: &str, edits: &[(Code, &Edit)]) -> (String, Vec<(Code, usize)>) {
    let mut sorted: Vec<_> = edits.iter().collect();
    sorted.sort_by_key(|(_, edit)| (edit.range.start, edit.range.end));
    let (mut out, mut from, mut places) = (String::new(), 0, Vec::new());
    for (code, edit) in sorted {
        out += &text[from..edit.range.start];
        places.push((*code, out.len() + edit.at - edit.range.start));
        out += &edit.with;
        from = edit.range.end;
    }
    out += &text[from..];
    let line = |at: usize| out[..at.min(out.len())].matches('\n').count() + 1;
    let places = places.into_iter().map(|(code, at)| (code, line(at)));
    let places = places.collect();
    (out, places)
}

fn overlap(one: &Edit, other: &Edit) -> bool {
    one.range.start <= other.range.end && other.range.start <= one.range.end
}

/// Of every so many pairs of a file, one is tried.
const STRIDE: usize = 7;

#[test]
#[ignore = "long"]
fn both_faults_of_a_file_are_found_at_their_places() {
    let (mut tried, mut told) = (0, Vec::new());
    let mut pairs_tried = std::collections::HashSet::new();
    for (i, base) in bases().iter().enumerate() {
        let text = fs::read_to_string(base).expect("a file");
        let bench = Bench::of(base);
        let edits: Vec<_> = FAULTS
            .iter()
            .filter_map(|(name, code, edit)| Some((*name, *code, edit(&text)?)))
            .collect();
        let pairs = (0..edits.len()).flat_map(|a| (a + 1..edits.len()).map(move |b| (a, b)));
        for (a, b) in pairs.skip(i % STRIDE).step_by(STRIDE) {
            let ((one, first, edit), (other, second, more)) = (&edits[a], &edits[b]);
            if excludes(one, other) || overlap(edit, more) {
                continue;
            }
            let (text, places) = broken(&text, &[(*first, edit), (*second, more)]);
            let found = bench.findings(&text);
            tried += 1;
            pairs_tried.insert((*one, *other));
            let missed: Vec<_> = places
                .iter()
                .filter(|place| !found.contains(place))
                .collect();
            if !missed.is_empty() {
                let name = base.display();
                told.push(format!(
                    "{name}: {one} + {other}: {missed:?} is not in {found:?}"
                ));
            }
        }
    }
    let both = tried - told.len();
    // Printed directly, because the test runner hides the output of a passing test.
    let share = format!(
        "both found in {both} of {tried} files, {} pairs",
        pairs_tried.len()
    );
    writeln!(std::io::stderr(), "{share}").expect("standard error");
    assert!(tried >= 150, "only {tried} files");
    assert!(pairs_tried.len() >= 150, "only {} pairs", pairs_tried.len());
    assert!(told.is_empty(), "{both} of {tried}\n{}", told.join("\n"));
}

/// Faults of a `service.yaml`.
const SERVICE_FAULTS: &[Fault] = &[
    ("an unknown key", Code::UnknownKey, |text| {
        Some(added(text.len(), "colour: red\n", 0))
    }),
    ("a URL without a scheme", Code::BadBaseUrl, |text| {
        replaced(text, r"(?m)^base_url: (\S+)$", "api.example.com", 0)
    }),
    (
        "a kind of credential that there is not",
        Code::BadValue,
        |text| replaced(text, r"(?m)^  kind: (\w+)$", "token", 0),
    ),
    ("a status that there is not", Code::BadValue, |text| {
        replaced(text, r"(?m)^retry: .*statuses: \[(\d+),", "42", 0)
    }),
    ("a JSONPath that is none", Code::BadJsonPath, |text| {
        replaced(text, r"(?m)^  message: (\S+)$", "$.error.[", 0)
    }),
    ("a secret in a comment", Code::LiteralSecret, |text| {
        let at = text.find('\n')? + 1;
        Some(added(at, "# npm_0123456789abcdefghijABCDEFGHIJ012345\n", 2))
    }),
    ("a header that cannot be", Code::BadHeader, |text| {
        replaced(text, r"request_id: \{ header: ([\w-]+) \}", "a b", 0)
    }),
    ("a key that is written twice", Code::DuplicateKey, |text| {
        let line = text.find("base_url: ")?;
        let end = line + text[line..].find('\n')? + 1;
        Some(added(end, "base_url: https://b.example.com\n", 0))
    }),
];

/// Faults of a `sandbox.yaml`.
const SANDBOX_FAULTS: &[Fault] = &[
    ("an unknown key", Code::UnknownKey, |text| {
        Some(added(text.len(), "colour: red\n", 0))
    }),
    (
        "a collection that there is not",
        Code::UnknownName,
        |text| replaced(text, r"(?m)^    from: (\w+)$", "ghosts", 0),
    ),
    ("an argument that there is not", Code::UnknownName, |text| {
        replaced(text, r"(?m)^    page: \{ limit: (\w+),", "ghost", 0)
    }),
    ("a name that there is not", Code::UnknownName, |text| {
        replaced(text, r"(?m)^    body: .*\{\{ (rows|shown) ", "ghost", 0)
    }),
    ("a time that is none", Code::BadValue, |text| {
        replaced(text, r#"(?m)^now: "?([^"\n]+)"?$"#, "today", 0)
    }),
    ("a tool that there is not", Code::UnknownName, |text| {
        let at = text.find("\nroutes:\n")? + "\nroutes:\n".len();
        Some(added(at, "  ghost: { body: {} }\n", 2))
    }),
    ("a wrong count", Code::BadValue, |text| {
        replaced(text, r"(?m)^    count: (\d+)$", "-1", 0)
    }),
];

/// A file of a service, and the faults that it can have.
type Site = (&'static str, &'static [Fault]);

/// Each pair of files of a service, and each of their faults: validation of the folder tells both, each in its file.
#[test]
#[ignore = "long"]
fn faults_of_two_files_are_found_each_in_its_own() {
    const SITES: [(&str, [Site; 4]); 2] = [
        (
            "tools/anthropic-api",
            [
                ("list-user-profiles.yaml", FAULTS),
                ("get-user-profile.yaml", FAULTS),
                ("service.yaml", SERVICE_FAULTS),
                ("sandbox.yaml", SANDBOX_FAULTS),
            ],
        ),
        (
            "tests/foreign/forgehub",
            [
                ("list-issues.yaml", FAULTS),
                ("close-issue.yaml", FAULTS),
                ("search-code.yaml", FAULTS),
                ("service.yaml", SERVICE_FAULTS),
            ],
        ),
    ];
    let (mut tried, mut told) = (0, Vec::new());
    for (service, sites) in SITES {
        let original = Path::new(env!("CARGO_MANIFEST_DIR")).join(service);
        let pairs = (0..4).flat_map(|a| (a + 1..4).map(move |b| (sites[a], sites[b])));
        for ((one, first), (other, second)) in pairs {
            let folder = TempDir::new().expect("a folder");
            let copy = folder.path().join(original.file_name().expect("a name"));
            fs::create_dir(&copy).expect("a folder");
            for entry in fs::read_dir(&original).expect("the folder") {
                let path = entry.expect("an entry").path();
                fs::copy(&path, copy.join(path.file_name().expect("a name"))).expect("copied");
            }
            let text = |file: &str| fs::read_to_string(original.join(file)).expect("a file");
            let edits = |file: &str, faults: &'static [Fault]| -> Vec<_> {
                let text = text(file);
                let made = faults
                    .iter()
                    .filter_map(|(name, code, edit)| Some((*name, *code, edit(&text)?)));
                made.map(|(name, code, edit)| (name, broken(&text, &[(code, &edit)])))
                    .collect()
            };
            let (ones, others) = (edits(one, first), edits(other, second));
            let all = ones.iter().flat_map(|a| others.iter().map(move |b| (a, b)));
            for ((name, (text, places)), (beside, (more, more_places))) in all.step_by(STRIDE) {
                fs::write(copy.join(one), text).expect("written");
                fs::write(copy.join(other), more).expect("written");
                let paths = [folder.path().display().to_string()];
                let report = check::paths(&paths).expect("the folder is there");
                let is_told = |file: &str, places: &[(Code, usize)]| {
                    let mut here = report
                        .findings
                        .iter()
                        .filter(|found| found.source.name.ends_with(file));
                    here.any(|found| places.contains(&(found.code, found.position().line)))
                };
                tried += 1;
                if !is_told(one, places) || !is_told(other, more_places) {
                    let found: Vec<String> =
                        report.findings.iter().map(ToString::to_string).collect();
                    told.push(format!(
                        "{one}: {name} {places:?} + {other}: {beside} {more_places:?}: {found:?}"
                    ));
                }
            }
            drop(folder);
        }
    }
    writeln!(std::io::stderr(), "both found in {tried} folders").expect("standard error");
    assert!(tried >= 150, "only {tried} folders");
    assert!(
        told.is_empty(),
        "{} of {tried}\n{}",
        told.len(),
        told.join("\n")
    );
}

#[test]
#[ignore = "long"]
fn a_fault_alone_is_found_and_brings_no_other_error() {
    let mut told = Vec::new();
    for base in bases() {
        let text = fs::read_to_string(&base).expect("a file");
        let bench = Bench::of(&base);
        for (name, code, edit) in FAULTS {
            let Some(edit) = edit(&text) else { continue };
            let (text, places) = broken(&text, &[(*code, &edit)]);
            let found = bench.findings(&text);
            let is_right =
                found.contains(&places[0]) && found.iter().all(|(other, _)| other == code);
            // A param that is not described is not used either.
            let is_twofold = *code == Code::UndescribedParam && found.contains(&places[0]);
            if !is_right && !is_twofold {
                told.push(format!(
                    "{}: {name}: {places:?}, and there is {found:?}",
                    base.display()
                ));
            }
        }
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
}

#[test]
fn the_foreign_files_are_sound() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign");
    let report = check::paths(&[root.display().to_string()]).expect("the folder is there");
    assert!(report.files.len() >= 60, "{} files", report.files.len());
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}
