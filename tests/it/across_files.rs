//! Mistakes in two files of one service: validation reports both, because no file's mistake may hide another's.

use std::fs;
use std::io::Write as _;

use tempfile::TempDir;
use toolrun::internals::check;

const SERVICE: &str = r#"spec: 1
service: probe
title: Probe
base_url: https://probe.test/{{ settings.team }}
settings: { team: { default: red, pattern: "^[a-z]+$" } }
headers: { x-version: "1" }
auth: { kind: bearer, secret: { env: TOKEN } }
"#;

const TOOL: &str = r"spec: 1
tool: get-thing
service: probe
description: Get a thing.
access: read
params:
  required: [id]
  properties:
    id: { type: string, description: The id. }
    limit: { type: integer, default: 5, description: How many. }
request:
  method: GET
  path: /things/{{ id }}
  query: [limit]
response: { output: { id: $.id } }
examples: [{ name: one, args: { id: a }, response: { body: { id: a } }, output: { id: a } }]
";

const SANDBOX: &str = r#"spec: 1
sandbox: probe
seed: 1
now: "2026-01-01T00:00:00Z"
secrets: { TOKEN: probe-token-0123456789 }
request_id: "{{ random.id('req_', 8) }}"
errors: { body: { error: "{{ message }}" }, codes: {} }
data: { things: { count: 3, row: { id: "{{ 'thing_' ~ index }}" } } }
routes:
  get-thing: { find: { in: things, by: { id: id } }, body: { id: "{{ row.id }}" } }
"#;

/// A mistake: what is replaced by what, and the code that it must give.
type Mistake = (&'static str, &'static str, &'static str);

const FILES: [(&str, &str, &[Mistake]); 3] = [
    (
        "service.yaml",
        SERVICE,
        &[
            ("title:", "titel:", "unknown-key"),
            ("title: Probe\n", "title: [Probe]\n", "wrong-type"),
            ("https://probe", "http://probe", "bad-base-url"),
            (
                "base_url: https://probe.test/{{ settings.team }}\n",
                "base_url: https://probe.test\n",
                "unused-name",
            ),
            ("settings.team }}", "settings.taem }}", "unknown-name"),
            ("\"^[a-z]+$\"", "\"^[a-z+$\"", "bad-regex"),
            ("x-version", "x version", "bad-header"),
            ("service: probe", "service: prob", "bad-name"),
            (
                "secret: { env: TOKEN }",
                "secert: { env: TOKEN }",
                "unknown-key",
            ),
            ("title: Probe", "title: {{ x }}", "yaml-syntax"),
            (
                "title: Probe\n",
                "title: Probe\ntitle: Probe\n",
                "duplicate-key",
            ),
            (
                "title: Probe\n",
                "title: ghp_0123456789abcdefghijABCDEFGHIJ012345\n",
                "literal-secret",
            ),
        ],
    ),
    (
        "get-thing.yaml",
        TOOL,
        &[
            ("access: read", "access: readonly", "bad-value"),
            ("description: Get a thing.\n", "", "missing-key"),
            ("service: probe\n", "service: other\n", "missing-service"),
            ("tool: get-thing", "tool: get-things", "bad-name"),
            ("default: 5", "default: five", "bad-default"),
            ("query: [limit]", "query: [limit, lmit]", "unknown-name"),
            ("  query: [limit]\n", "", "unused-param"),
            ("{{ id }}", "{{ id", "bad-template"),
            ("{{ id }}", "{{ id.lower() }}", "failing-expression"),
            ("  required: [id]\n", "", "optional-in-text"),
            ("{ id: $.id }", "{ id: \"$.id[\" }", "bad-jsonpath"),
            ("output: { id: a }", "output: { id: b }", "example-fails"),
            ("method: GET", "methd: GET", "unknown-key"),
            ("type: integer", "type: int", "bad-schema"),
            (
                "description: Get a thing.",
                "description: {{ x }}",
                "yaml-syntax",
            ),
        ],
    ),
    (
        "sandbox.yaml",
        SANDBOX,
        &[
            ("seed: 1", "sed: 1", "unknown-key"),
            ("seed: 1", "seed: one", "wrong-type"),
            ("now: \"2026-01-01T00:00:00Z\"", "now: today", "bad-sandbox"),
            ("in: things", "in: thngs", "unknown-name"),
            ("{{ row.id }}", "{{ rwo.id }}", "unknown-name"),
            ("{{ row.id }}", "{{ row.id", "bad-template"),
            (
                "{{ 'thing_' ~ index }}",
                "{{ 'thing_' ~ idx }}",
                "unknown-name",
            ),
            ("by: { id: id }", "by: { id: ident }", "unknown-name"),
            ("  get-thing: {", "  get-thng: {", "unknown-name"),
            ("sandbox: probe", "sandbox: {{ x }}", "yaml-syntax"),
            ("seed: 1\n", "seed: 1\nseed: 1\n", "duplicate-key"),
            ("TOKEN: probe", "TOKN: probe", "bad-sandbox"),
        ],
    ),
];

/// What is found where these mistakes are made: the file, and the code.
fn found(mistakes: &[(usize, Mistake)]) -> Vec<(String, String)> {
    let folder = TempDir::new().expect("a folder");
    let place = folder.path().join("probe");
    fs::create_dir(&place).expect("a folder");
    for (i, (name, text, _)) in FILES.iter().enumerate() {
        let mut text = (*text).to_owned();
        for (_, (old, new, _)) in mistakes.iter().filter(|(file, _)| *file == i) {
            assert!(text.contains(old), "{name}: {old}");
            text = text.replacen(old, new, 1);
        }
        fs::write(place.join(name), text).expect("a file");
    }
    let report = check::paths(&[place.display().to_string()]).expect("the files");
    report
        .findings
        .iter()
        .map(|finding| {
            let file = finding.source.name.rsplit('/').next().unwrap_or_default();
            (file.to_owned(), finding.code.to_string())
        })
        .collect()
}

fn is_told(found: &[(String, String)], file: usize, (_, _, code): Mistake) -> bool {
    found
        .iter()
        .any(|(name, told)| *name == FILES[file].0 && told == code)
}

#[test]
fn each_mistake_alone_is_found() {
    assert_eq!(found(&[]), []);
    for (i, (name, _, mistakes)) in FILES.iter().enumerate() {
        for mistake in *mistakes {
            let told = found(&[(i, *mistake)]);
            assert!(is_told(&told, i, *mistake), "{name}: {mistake:?}: {told:?}");
        }
    }
}

#[test]
#[ignore = "long"]
fn mistakes_in_two_files_are_both_found() {
    let mut hidden = Vec::new();
    let mut pairs = 0;
    for (one, (one_name, _, firsts)) in FILES.iter().enumerate() {
        for (other, (other_name, _, seconds)) in FILES.iter().enumerate().skip(one + 1) {
            for first in *firsts {
                for second in *seconds {
                    pairs += 1;
                    let told = found(&[(one, *first), (other, *second)]);
                    let is_hidden = |file, mistake: &Mistake| !is_told(&told, file, *mistake);
                    if is_hidden(one, first) || is_hidden(other, second) {
                        let names = (one_name, other_name);
                        hidden.push(format!("{names:?} {first:?} {second:?}: {told:?}"));
                    }
                }
            }
        }
    }
    let told = format!(
        "{} of {pairs} pairs hide one\n{}",
        hidden.len(),
        hidden.join("\n")
    );
    writeln!(
        std::io::stderr(),
        "{}",
        told.lines().next().unwrap_or_default()
    )
    .expect("standard error");
    assert!(hidden.is_empty(), "{told}");
    assert!(pairs >= 400, "{pairs} pairs");
}
