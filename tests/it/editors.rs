//! What an editor shows while somebody types: the schemas in `schemas/` find most of the faults that `toolrun validate`
//! finds, explain every key, offer snippets that are sound, and need no network.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::mutants::{Descriptor, mutants};
use crate::table::rows;
use jsonschema::Validator;
use serde_json::{Value, json};
use toolrun::internals::check::{self, Kind};
use toolrun::internals::yaml;

/// The least share of the faults of the mutation run that the schemas find, in percent.
const LEAST_FOUND: f64 = 55.0;
/// The most faults of one file that are tried, evenly spread.
const MOST_OF_A_FILE: usize = 12;
/// The longest file whose faults are tried, in bytes. A sandbox of a whole service takes minutes.
const LONGEST: usize = 12_000;

/// The schemas with their validators, as the files are.
fn validators() -> [(Kind, Validator); 5] {
    Kind::ALL.map(|kind| {
        let schema = schema(kind);
        (kind, jsonschema::validator_for(&schema).expect("a schema"))
    })
}

fn schema(kind: Kind) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let text = fs::read_to_string(path.join(kind.file_name())).expect("a schema");
    serde_json::from_str(&text).expect("JSON")
}

fn kind_of(path: &Path) -> Kind {
    match path.file_name().and_then(|name| name.to_str()) {
        Some("service.yaml") => Kind::Service,
        Some("sandbox.yaml") => Kind::Sandbox,
        _ => Kind::Tool,
    }
}

/// The files whose faults are made: those that are shipped, and those of other services.
fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["tools", "tests/fixtures/github", "tests/foreign"];
    let files = folders.iter().flat_map(|folder| {
        let pattern = root.join(folder).join("**/*.yaml");
        glob::glob(&pattern.to_string_lossy()).expect("a glob")
    });
    files.map(|path| path.expect("a path")).collect()
}

/// How many faults were made, were no YAML any more, and were refused by the schema.
#[derive(Default, Clone, Copy)]
struct Score {
    made: usize,
    no_yaml: usize,
    refused: usize,
}

impl Score {
    fn share(self) -> f64 {
        100.0 * self.refused as f64 / self.made as f64
    }

    /// With what any editor for YAML shows: text that is no YAML, and keys that are written twice.
    fn share_shown(self) -> f64 {
        100.0 * (self.refused + self.no_yaml) as f64 / self.made as f64
    }
}

#[test]
#[ignore = "long"]
fn the_schemas_find_most_single_faults() {
    let validators = validators();
    let mut rules: BTreeMap<&str, Score> = BTreeMap::new();
    let mut all = Score::default();
    for path in files() {
        let text = fs::read_to_string(&path).expect("UTF-8");
        if text.len() > LONGEST {
            continue;
        }
        let name = path.file_name().expect("a name").to_string_lossy();
        let (_, validator) = validators
            .iter()
            .find(|(kind, _)| *kind == kind_of(&path))
            .expect("a schema");
        let descriptor = Descriptor::parse(&name, &text);
        let made = mutants(&descriptor);
        let stride = made.len().div_ceil(MOST_OF_A_FILE).max(1);
        for mutant in made.iter().step_by(stride) {
            let read = yaml::read(&mutant.text(&descriptor), &yaml::Limits::default());
            let of_rule = rules.entry(mutant.rule).or_default();
            for score in [of_rule, &mut all] {
                score.made += 1;
                match &read {
                    Err(_) => score.no_yaml += 1,
                    Ok(document) => {
                        score.refused += usize::from(!validator.is_valid(&document.value));
                    }
                }
            }
        }
    }
    let mut lines = Vec::new();
    for (rule, score) in rules
        .iter()
        .map(|(rule, score)| (*rule, *score))
        .chain([("in all", all)])
    {
        lines.push(format!(
            "{:5} of {:5} by the schemas, {:5} no YAML  {rule}",
            score.refused, score.made, score.no_yaml
        ));
    }
    let told = format!(
        "{}\nthe schemas find {:.1} % of the faults, an editor for YAML with them {:.1} %",
        lines.join("\n"),
        all.share(),
        all.share_shown()
    );
    // Printed directly, because the test runner hides the output of a passing test.
    writeln!(std::io::stderr(), "{told}").expect("standard error");
    assert!(all.made > 1_500, "{} faults only", all.made);
    assert!(all.share() >= LEAST_FOUND, "{told}");
}

/// Of the table of broken descriptors, the schemas see more than the mistakes of shape.
#[test]
fn the_schemas_find_most_of_the_table() {
    let validators = validators();
    let mut seen: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for row in rows() {
        let Some(code) = row.code else { continue };
        let Ok(document) = yaml::read(&row.text, &yaml::Limits::default()) else {
            continue;
        };
        let (_, validator) = validators
            .iter()
            .find(|(kind, _)| *kind == row.kind)
            .expect("one");
        let (found, made) = seen.entry(code.to_string()).or_default();
        *made += 1;
        *found += usize::from(!validator.is_valid(&document.value));
    }
    let lines: Vec<String> = seen
        .iter()
        .map(|(code, (found, made))| format!("{found:4} of {made:4}  {code}"))
        .collect();
    writeln!(std::io::stderr(), "{}", lines.join("\n")).expect("standard error");
    for (code, least) in [
        ("bad-jsonpath", 80),
        ("bad-template", 70),
        ("bad-path", 80),
        ("bad-header", 60),
        ("bad-base-url", 30),
        ("unchecked-format", 90),
        ("unusual-access", 90),
    ] {
        let (found, made) = seen[code];
        assert!(found * 100 >= made * least, "{found} of {made} {code}");
    }
}

#[test]
fn the_schemas_need_no_network() {
    for kind in Kind::ALL {
        let mut references = Vec::new();
        collect(&schema(kind), "$ref", &mut references);
        assert!(!references.is_empty(), "{}", kind.file_name());
        for reference in references {
            let reference = reference.as_str().expect("a text");
            let target = reference
                .strip_prefix('#')
                .map(|at| schema(kind).pointer(at).cloned());
            assert!(matches!(target, Some(Some(_))), "{reference}");
        }
    }
}

/// The values of a keyword in a schema.
fn collect(schema: &Value, keyword: &str, found: &mut Vec<Value>) {
    match schema {
        Value::Object(members) => {
            for (key, member) in members {
                match key == keyword && !member.is_object() {
                    true => found.push(member.clone()),
                    false => collect(member, keyword, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, keyword, found)),
        _ => {}
    }
}

/// A snippet as it is before anything is filled in.
fn filled(body: &Value) -> Value {
    static FIELD: std::sync::LazyLock<regex::Regex> =
        std::sync::LazyLock::new(|| regex::Regex::new(r"\$\{\d+:([^}]*)\}").expect("a pattern"));
    // It must be YAML when it is inserted as it stands.
    let text = |text: &str| {
        let text = FIELD.replace_all(text, "$1").replace("\\$", "$");
        let read = yaml::read(&format!("key: {text}\n"), &yaml::Limits::default());
        let read = read.unwrap_or_else(|_| panic!("{text} is no YAML")).value;
        read["key"].as_str().map_or(text, str::to_owned)
    };
    match body {
        Value::String(given) => Value::from(text(given)),
        Value::Array(items) => items.iter().map(filled).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, member)| (text(key), filled(member)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// The places with snippets, as pointers.
fn places(schema: &Value, at: &str, found: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            if members.contains_key("defaultSnippets") {
                found.push(at.to_owned());
            }
            for (key, member) in members {
                places(member, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{i}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn snippets_have_plain_names_and_are_sound() {
    let mut count = 0;
    for kind in Kind::ALL {
        let whole = schema(kind);
        let mut found = Vec::new();
        places(&whole, "", &mut found);
        for at in found {
            let mut part = json!({ "$ref": format!("#{at}") });
            part["$defs"] = whole["$defs"].clone();
            if at.is_empty() {
                part = whole.clone();
            }
            let validator = jsonschema::validator_for(&part).expect("a schema");
            for snippet in whole.pointer(&at).expect("a place")["defaultSnippets"]
                .as_array()
                .expect("a list")
            {
                count += 1;
                let label = snippet["label"].as_str().expect("a label");
                let is_plain = |c: char| c.is_ascii_lowercase() || c == ' ';
                assert!(label.chars().all(is_plain), "{label}");
                assert!(snippet["description"].is_string(), "{label}");
                let body = filled(&snippet["body"]);
                let errors: Vec<String> = validator
                    .iter_errors(&body)
                    .map(|error| error.to_string())
                    .collect();
                assert_eq!(errors, Vec::<String>::new(), "{label}: {body}");
            }
        }
    }
    assert!(count >= 20, "{count} snippets");
}

/// The snippets of whole files are sound for `toolrun validate` too.
#[test]
fn snippets_of_files_are_descriptors() {
    for kind in [Kind::Tool, Kind::Service] {
        for snippet in schema(kind)["defaultSnippets"]
            .as_array()
            .expect("snippets")
        {
            let mut body = filled(&snippet["body"]);
            let folder = tempfile::tempdir().expect("a folder");
            let name = match kind {
                Kind::Tool => {
                    body["service"] =
                        json!({ "service": "probe", "base_url": "https://probe.test" });
                    format!("{}.yaml", body["tool"].as_str().expect("a name"))
                }
                _ => "name/service.yaml".to_owned(),
            };
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(&path, body.to_string()).expect("a file");
            let report = check::paths(&[path.display().to_string()]).expect("the file");
            let told: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
            assert_eq!(told, Vec::<String>::new(), "{body}");
        }
    }
}
