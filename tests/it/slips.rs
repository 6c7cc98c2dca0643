//! Slips of people who know other formats: each gets one finding, at the slip, that says how to mend it.

use std::fs;

use tempfile::TempDir;
use toolrun::internals::check;

const TOOL: &str = r#"spec: 1
tool: probe
service: { service: probe, base_url: "https://probe.test" }
description: A probe.
access: read
params:
  properties:
    id: { type: string, default: a, description: The id. }
request:
  method: GET
  path: /things/{{ id }}
"#;

/// A slip: what is replaced, by what, the code and the text of the finding, and what its help says.
type Slip = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

/// In place of a text, adds lines to the end of the file.
const END: &str = "";

#[rustfmt::skip]
const SLIPS: &[Slip] = &[
    // Keys that are called otherwise here.
    ("path: /things", "url: /things", "unknown-key", "url", "did you mean `path`?"),
    ("path: /things", "endpoint: /things", "unknown-key", "endpoint", "did you mean `path`?"),
    ("method:", "verb:", "unknown-key", "verb", "did you mean `method`?"),
    ("tool: probe", "name: probe", "unknown-key", "name", "did you mean `tool`?"),
    ("spec: 1", "version: 1", "unknown-key", "version", "did you mean `spec`?"),
    ("params:", "parameters:", "unknown-key", "parameters", "did you mean `params`?"),
    ("params:", "input_schema:", "unknown-key", "input_schema", "did you mean `params`?"),
    ("base_url:", "host:", "unknown-key", "host", "did you mean `base_url`?"),
    ("probe.test\"", "probe.test\", auth: { type: bearer, secret: { env: T } }", "unknown-key", "type", "did you mean `kind`?"),
    ("probe.test\"", "probe.test\", auth: { type: api_key, in: header, name: x-key, secret: { env: T } }", "unknown-key", "type", "did you mean `kind`?"),
    ("probe.test\"", "probe.test\", auth: [{ scheme: bearer, secret: { env: T } }]", "unknown-key", "scheme", "did you mean `kind`?"),
    ("probe.test\"", "probe.test\", auth: { kind: bearer, token: { env: T } }", "unknown-key", "token", "did you mean `secret`?"),
    ("probe.test\"", "probe.test\", auth: { kind: bearer, secret: { variable: T } }", "unknown-key", "variable", "did you mean `env`?"),
    ("probe.test\"", "probe.test\", rate_limit: { requests: 5, interval: 1m }", "unknown-key", "interval", "did you mean `per`?"),
    ("probe.test\"", "probe.test\", retry: { max_retries: 5 }", "unknown-key", "max_retries", "did you mean `max_attempts`?"),
    (END, "paging: { items: $.data, next_page: { id: $.next } }\n", "unknown-key", "next_page", "did you mean `next`?"),
    (END, "paging: { results: $.data, next: { id: $.next } }\n", "unknown-key", "results", "did you mean `items`?"),
    (END, "response: { fields: { id: $.id } }\n", "unknown-key", "fields", "did you mean `output`?"),
    (END, "examples: [{ name: one, input: { id: b } }]\n", "unknown-key", "input", "did you mean `args`?"),
    (END, "examples: [{ name: one, response: { body: { id: b } }, expected: { id: b } }]\n", "unknown-key", "expected", "did you mean `output`?"),
    // Values of another shape.
    ("probe.test\"", "probe.test\", auth: bearer", "wrong-type", "bearer", "`{ kind: bearer, secret: { env: TOKEN } }`"),
    ("probe.test\"", "probe.test\", rate_limit: 100/m", "wrong-type", "100/m", "`{ requests: 100, per: 1m }`"),
    ("probe.test\"", "probe.test\", retry: 3", "wrong-type", "3", "`{ max_attempts: 3 }`"),
    ("probe.test\"", "probe.test\", timeout: 30", "wrong-type", "30", "`{ total: 30s }`"),
    ("probe.test\"", "probe.test\", timeout: { total: 30 }", "wrong-type", "30", "write 500ms, 30s"),
    ("probe.test\"", "probe.test\", errors: $.error", "wrong-type", "$.error", "`{ message: $.error.message }`"),
    (END, "  query: \"limit=5\"\n", "wrong-type", "\"limit=5\"", "`query: { NAME: VALUE }`"),
    (END, "  headers: [\"x-a: b\"]\n", "wrong-type", "[\"x-a: b\"]", "`headers: { NAME: VALUE }`"),
    (END, "paging: { items: $.data, next: $.next }\n", "wrong-type", "$.next", "`next: { PARAM: $.next }`"),
    (END, "wait: true\n", "wrong-type", "true", "`wait: { path: ..., until: ... }`"),
    (END, "examples: { one: { args: { id: a } } }\n", "wrong-type", "{ one: { args: { id: a } } }", "write a list"),
    // Params of another path language.
    ("{{ id }}", "{id}", "bad-path", "{", "write `{{ id }}`"),
    ("{{ id }}", "<id>", "bad-path", "<", "write `{{ id }}`"),
    ("{{ id }}", "${id}", "bad-path", "{", "write `{{ id }}`"),
    ("{{ id }}", ":id", "bad-path", ":id", "write `{{ id }}`"),
    ("{{ id }}", ":id/parts", "bad-path", ":id", "`%3A`"),
    ("https://probe.test", "https://probe.test/{team}", "bad-base-url", "\"https://probe.test/{team}\"", "`{{ settings.team }}`"),
    ("https://probe.test", "https://probe.test/:team", "bad-base-url", "\"https://probe.test/:team\"", "`{{ settings.team }}`"),
    (END, "  query: { q: \"{id}\" }\n", "unused-path", "\"{id}\"", "write `{{ id }}`"),
    (END, "  query: { q: \"${id}\" }\n", "unused-path", "\"${id}\"", "write `{{ id }}`"),
    (END, "  headers: { x-id: \":id\" }\n", "unused-path", "\":id\"", "write `{{ id }}`"),
    (END, "  headers: { x-id: $id }\n", "unused-path", "$id", "write `{{ id }}`"),
    // Bodies.
    ("access: read\n", "access: write\nallow: { unusual-access: It is a probe. }\n", "bad-body", "body", "use POST"),
    // Schemas of params.
    ("type: string", "type: str", "bad-schema", "str", "did you mean `string`?"),
    ("type: string, default: a", "type: int, default: 1", "bad-schema", "int", "did you mean `integer`?"),
    ("type: string, default: a", "type: list, default: [a]", "bad-schema", "list", "did you mean `array`?"),
    ("type: string", "type: uuid", "bad-schema", "uuid", "`type: string, format: uuid`"),
    ("type: string", "type: string, optional: true", "unknown-key", "optional", "unless `required` names it"),
    ("type: string", "type: string, nullable: true", "unknown-key", "nullable", "`type: [string, \"null\"]`"),
    ("type: string", "type: string, choices: [a, b]", "unknown-key", "choices", "did you mean `enum`?"),
    ("type: string", "type: string, regex: \"^a\"", "unknown-key", "regex", "did you mean `pattern`?"),
    ("type: string", "type: string, enum: a", "bad-schema", "a", "write a list: `[a]`"),
    ("type: string, default: a", "type: integer, min: 1, default: 1", "unknown-key", "min", "did you mean `minimum`?"),
    // Expressions.
    ("{{ id }}", "{{ args.id }}", "unknown-name", "args.id", "a param stands by its name: `id`"),
    ("{{ id }}", "{{ id | urlencode }}", "unknown-name", "urlencode", "leave it out"),
    ("{{ id }}", "{{ id if id != null else 'a' }}", "unknown-name", "null", "write `none`"),
    (END, "  headers: { x-key: \"{{ env.KEY }}\" }\n", "unknown-name", "env.KEY", "`settings`"),
    (END, "  headers: { x-key: \"{{ api_key }}\" }\n", "unknown-name", "api_key", "`auth`"),
    (END, "response: { output: \"{{ response.id }}\" }\n", "unknown-name", "response.id", "write `body.id`"),
    (END, "response: { output: \"{{ response.body.id }}\" }\n", "unknown-name", "response.body.id", "write `body.id`"),
    (END, "response: { output: \"{{ len(body.a) }}\" }\n", "unknown-name", "len", "`a | length`"),
    (END, "response: { output: \"{{ body.a && body.b }}\" }\n", "bad-template", "&", "write `and`"),
    (END, "response: { output: \"{{ body.a || body.b }}\" }\n", "bad-template", "|", "write `or`"),
    (END, "response: { output: \"{{ body.a ? 1 : 2 }}\" }\n", "bad-template", "?", "`a if condition else b`"),
    (END, "response: { output: \"{{ body.a ?? 2 }}\" }\n", "bad-template", "?", "`a | default(b)`"),
    (END, "response: { output: \"{{ body?.a }}\" }\n", "bad-template", "?", "write `.`"),
    (END, "response: { output: \"{{ body.a === 1 }}\" }\n", "bad-template", "=", "write `==`"),
    (END, "response: { output: \"{{ body.a = 1 }}\" }\n", "bad-template", "=", "write `==` to compare"),
    (END, "response: { output: \"{{ !body.a }}\" }\n", "bad-template", "!", "write `not a`"),
    // Projections.
    (END, "response: { output: data }\n", "unused-path", "data", "write `$.data`"),
    (END, "response: { output: [id] }\n", "unused-path", "id", "write `$.id`"),
    (END, "response: { output: { xs: { each: data, as: $.id } } }\n", "bad-jsonpath", "d", "a JSONPath starts with `$`"),
    (END, "response: { output: { xs: $.data }, rows: $.data }\n", "unknown-name", "$.data", "its keys are xs"),
];

/// A slip that needs an edit more: a body is written to a POST request.
#[rustfmt::skip]
const BODIES: &[Slip] = &[
    ("", "  body: { name: \"{{ id }}\" }\n", "unknown-key", "name", "`body: { json: { ... } }`"),
    ("", "  body: \"{{ id }}\"\n", "wrong-type", "\"{{ id }}\"", "`body: { json: ... }`"),
    ("", "  json: { name: \"{{ id }}\" }\n", "unknown-key", "json", "`body: { json: ... }`"),
];

fn text_with(base: &str, (old, new, ..): &Slip) -> String {
    match *old {
        END => format!("{base}{new}"),
        old => {
            assert!(base.contains(old), "{old}");
            base.replacen(old, new, 1)
        }
    }
}

/// What is told of a text that is not as a slip says it: the findings.
fn told(text: &str, slip: &Slip) -> Option<String> {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("probe.yaml");
    fs::write(&path, text).expect("a file");
    let report = check::paths(&[path.display().to_string()]).expect("the file");
    let (_, new, code, place, help) = slip;
    let is_it = |finding: &toolrun::internals::Finding| {
        finding.code.name() == *code
            && text.get(finding.span.clone()) == Some(*place)
            && finding
                .help
                .as_ref()
                .is_some_and(|told| told.contains(*help))
    };
    match report.findings.as_slice() {
        [finding] if is_it(finding) => None,
        findings => {
            let told: Vec<String> = findings
                .iter()
                .map(|f| format!("{f} [{:?}] help: {:?}", text.get(f.span.clone()), f.help))
                .collect();
            Some(format!("{new:?}: {told:#?}"))
        }
    }
}

#[test]
fn each_slip_is_told_once_with_its_mend() {
    let mut wrong = Vec::new();
    for slip in SLIPS {
        let mut text = text_with(TOOL, slip);
        if slip.2 == "bad-body" {
            text += "  body: { json: { a: 1 } }\n";
        }
        wrong.extend(told(&text, slip));
    }
    let base = TOOL
        .replace("method: GET", "method: POST")
        .replace("access: read", "access: write");
    wrong.extend(
        BODIES
            .iter()
            .filter_map(|slip| told(&text_with(&base, slip), slip)),
    );
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// What looks like a slip and is none.
#[test]
fn what_is_meant_so_is_no_slip() {
    let sound = [
        ("{{ id }}", "{{ id }}:archive"),
        ("{{ id }}", "{{ id }}/%3Aall"),
        ("/things/{{ id }}", "/things:search/{{ id }}"),
        (
            "type: string",
            "type: string, pattern: \"^(?!admin$)[a-z]+$\"",
        ),
        ("A probe.", "\"\\ud83d\\ude00 A probe.\""),
        ("https://probe.test", "https://probe.test/v1:beta"),
    ];
    for (old, new) in sound {
        let text = TOOL.replacen(old, new, 1);
        assert_ne!(text, TOOL);
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("probe.yaml");
        fs::write(&path, &text).expect("a file");
        let report = check::paths(&[path.display().to_string()]).expect("the file");
        let told: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
        assert_eq!(told, Vec::<String>::new(), "{new}");
    }
    for tail in [
        "  query: { q: \"{other}\", at: \"12:30\", price: \"$5\" }\n",
        "response: { output: { state: deleted } }\n",
        "response: { output: { literal: data } }\n",
    ] {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("probe.yaml");
        fs::write(&path, format!("{TOOL}{tail}")).expect("a file");
        let report = check::paths(&[path.display().to_string()]).expect("the file");
        let told: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
        assert_eq!(told, Vec::<String>::new(), "{tail}");
    }
}
