//! Digits: no number is sent, compared or shown with fewer digits than it was given.

use pretty_assertions::assert_eq;
use serde_json::json;

use crate::support::{Fake, Reply, Workspace, assert_tells};

const LONG: &str = "12345678901234567890123";
const FRACTION: &str = "0.12345678901234567890";

/// A tool `probe` with a param of any kind.
fn probe(fake: &Fake) -> Workspace {
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "retry: { max_attempts: 1 }");
    workspace.tool(
        "probe",
        "read",
        "params: { properties: { any: { description: Anything. }, n: { type: number, description: A number. } } }\n\
         request: { method: GET, path: /x, query: [any, n] }",
    );
    workspace
}

#[test]
fn a_file_of_arguments_keeps_digits_or_is_refused() {
    // The file, its content, and the query or the message.
    let cases: [(&str, String, Result<&str, &str>); 16] = [
        ("a.yaml", format!("any: {LONG}"), Err("64 bits")),
        (
            "a.yaml",
            format!("any: '{LONG}'"),
            Ok("any=12345678901234567890123"),
        ),
        ("a.yaml", format!("any: {FRACTION}"), Err("more digits")),
        (
            "a.yaml",
            format!("any: [1, {{ b: {FRACTION} }}]"),
            Err("at line 1 column 15"),
        ),
        ("a.yaml", "n: 1e999".to_owned(), Err("not finite")),
        ("a.yaml", "n: 1e-999".to_owned(), Err("more digits")),
        ("a.yaml", "n: .inf".to_owned(), Err("not finite")),
        (
            "a.yaml",
            "any: 18446744073709551615".to_owned(),
            Ok("any=18446744073709551615"),
        ),
        ("a.yaml", "n: 0.1".to_owned(), Ok("n=0.1")),
        ("a.yaml", "n: 1.50 # as a number".to_owned(), Ok("n=1.5")),
        ("a.yaml", "# nothing".to_owned(), Ok("")),
        ("a.yaml", String::new(), Ok("")),
        ("a.yaml", "n: 1\nn: 2".to_owned(), Err("at line 2 column 1")),
        ("a.yaml", "- 1".to_owned(), Err("must be one object")),
        ("a.json", format!("{{\"any\": {LONG}}}"), Err("more digits")),
        (
            "a.json",
            format!("{{\"any\": [{FRACTION}]}}"),
            Err("more digits"),
        ),
    ];
    for (file, text, expected) in cases {
        let fake = Fake::start(|_| Reply::ok());
        let workspace = probe(&fake);
        workspace.write(file, &text);
        let output = workspace.run(&["call", "probe", &format!("@{file}")]);
        match expected {
            Ok(query) => {
                output.expect(0);
                assert_eq!(fake.only_request().query, query, "{text}");
            }
            Err(told) => {
                let output = output.expect(2);
                assert_tells(&output, &[file, told]);
                assert_eq!(fake.targets(), [""; 0], "{text}");
            }
        }
    }
}

#[test]
fn a_literal_of_too_many_digits_is_an_error_where_it_stands() {
    let request = "request: { method: GET, path: /x }";
    // The tool, the number in it, and the message.
    let cases = [
        (
            format!("request: {{ method: GET, path: /x, query: {{ q: {FRACTION} }} }}"),
            FRACTION,
            "more digits",
        ),
        (
            format!("request: {{ method: GET, path: /x, query: {{ q: {LONG} }} }}"),
            LONG,
            "64 bits",
        ),
        (
            format!("request: {{ method: GET, path: /x, query: {{ q: '{{{{ {FRACTION} }}}}' }} }}"),
            FRACTION,
            "more digits",
        ),
        (
            format!("{request}\nresponse: {{ output: 'x {{{{ body.n == {LONG} }}}}' }}"),
            LONG,
            "more digits",
        ),
        (
            format!("{request}\nresponse: {{ output: '$[?@.n == {LONG}]' }}"),
            LONG,
            "more digits",
        ),
        (
            format!(
                "params: {{ properties: {{ n: {{ type: number, default: {FRACTION} }} }} }}\n\
                 request: {{ method: GET, path: /x, query: [n] }}"
            ),
            FRACTION,
            "more digits",
        ),
    ];
    for (tool, number, told) in cases {
        let before = tool.split(number).next().unwrap();
        // Five lines come before the text of a case.
        let line = 6 + before.matches('\n').count();
        let column = before.rsplit('\n').next().unwrap().len() + 1;
        let place = format!("probe.yaml:{line}:{column}");
        let workspace = Workspace::new();
        workspace.service("http://127.0.0.1:1", "");
        workspace.tool("probe", "read", &tool);
        for command in [&["validate", "descriptors"][..], &["call", "probe"]] {
            let output = workspace.run(command);
            assert_eq!(output.code, 3, "{tool}: {}", output.stderr);
            let said = format!("{}{}", output.stdout, output.stderr);
            assert!(said.contains(&place), "{place} {tool}: {said}");
            assert!(said.contains(told), "{tool}: {said}");
        }
    }
}

#[test]
fn literals_that_keep_their_digits_are_fine() {
    let fake = Fake::start(|_| Reply::ok());
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "");
    workspace.tool(
        "probe",
        "read",
        "request: { method: GET, path: /x, query: { a: 0.30000000000000004, b: '{{ 0.1 + 1_000 }}', c: '{{ [1, 2.5][1] }}', d: '{{ 1e3 }}' } }",
    );
    workspace.run(&["call", "probe"]).expect(0);
    let query = "a=0.30000000000000004&b=1000.1&c=2.5&d=1000";
    assert_eq!(fake.only_request().query, query);
}

#[test]
fn an_error_answer_keeps_the_digits_of_its_numbers() {
    let body = format!(r#"{{"error":{{"message":"no","code":{LONG},"ids":[{FRACTION},1]}}}}"#);
    for errors in [
        "",
        "errors: { message: $.error.message, code: $.error.code }",
    ] {
        let body = body.clone();
        let fake = Fake::start(move |_| Reply::new(400, "application/json", body.clone()));
        let workspace = Workspace::new();
        workspace.service(&fake.origin(), errors);
        workspace.tool("probe", "read", "request: { method: GET, path: /x }");
        let error = workspace
            .run(&["call", "probe", "-o", "json"])
            .expect(6)
            .error();
        let upstream = &error["upstream"];
        assert_eq!(upstream["code"], json!(LONG), "{error}");
        assert_eq!(upstream["body"]["error"]["code"], json!(LONG), "{error}");
        assert_eq!(
            upstream["body"]["error"]["ids"],
            json!([FRACTION, 1]),
            "{error}"
        );
    }
}
