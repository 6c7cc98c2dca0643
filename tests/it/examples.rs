//! What examples prove: pages that lead to each other, expectations of every kind, and how `toolrun test` tells it.

use std::fs;

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use crate::support::{Output, Workspace};

const LIST: &str = "
params:
  properties:
    limit: { type: integer, default: 2, description: How many. }
    after: { type: string, maxLength: 9, description: A cursor. }
    offset: { type: integer, maximum: 100, description: The first. }
request: { method: GET, path: /things, query: [limit, after, offset] }
";

/// A workspace with one tool `list-things`, whose file ends with this.
fn workspace(more: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.service(
        "https://probe.test/v1",
        "errors: { message: $.error.text, code: $.error.code }",
    );
    workspace.tool("list-things", "read", more);
    workspace
}

fn test(more: &str) -> Output {
    workspace(more).run(&["test", "descriptors"])
}

fn listing(paging: &str, output: &str, examples: &str) -> String {
    format!(
        "{LIST}paging: {paging}\nresponse:\n  output: {output}\n  rows: things\nexamples:\n{examples}"
    )
}

const OUTPUT: &str = "{ things: { each: '$.data[*]', as: { id: $.id } }, more: $.more }";
const CURSOR: &str = "{ items: $.data, next: { after: $.next }, while: $.more }";

/// Pages of an example, each a map of its own.
fn walk(pages: &[&str], more: &str) -> String {
    let pages: Vec<String> = pages
        .iter()
        .map(|page| format!("      - {page}\n"))
        .collect();
    format!("  - name: walk\n    pages:\n{}{more}", pages.concat())
}

const FIRST: &str = "{ request: { method: GET, url: 'https://probe.test/v1/things?limit=2' }, response: { body: { data: [{ id: 1 }, { id: 2 }], more: true, next: b } }, output: { things: [{ id: 1 }, { id: 2 }], more: true } }";
const SECOND: &str = "{ request: { method: GET, url: 'https://probe.test/v1/things?limit=2&after=b' }, response: { body: { data: [{ id: 3 }], more: false } } }";
const WHOLE: &str = "    output: { things: [{ id: 1 }, { id: 2 }, { id: 3 }], more: false }\n";

#[test]
fn pages_lead_to_each_other() {
    for (title, paging, pages, more) in [
        ("a cursor", CURSOR, vec![FIRST, SECOND], WHOLE),
        (
            "one page",
            CURSOR,
            vec![SECOND],
            "    args: { after: b }\n    output: { things: [{ id: 3 }], more: false }\n",
        ),
        (
            "a URL",
            "{ items: $.data, next_url: $.next }",
            vec![
                "{ response: { body: { data: [{ id: 1 }], more: true, next: '/v1/things?page=2' } } }",
                "{ request: { method: GET, url: 'https://probe.test/v1/things?page=2' }, response: { body: { data: [{ id: 2 }], more: false } } }",
            ],
            "    output: { things: [{ id: 1 }, { id: 2 }], more: false }\n",
        ),
        (
            "a link",
            "{ items: $.data, next_url: { header: link, rel: next } }",
            vec![
                "{ response: { headers: { Link: '</v1/things?page=2>; rel=\"next\"' }, body: { data: [{ id: 1 }], more: true } } }",
                "{ request: { method: GET, url: 'https://probe.test/v1/things?page=2' }, response: { body: { data: null, more: false } } }",
            ],
            "    output: { things: [{ id: 1 }], more: false }\n",
        ),
        (
            "an offset",
            "{ items: $.data, next: { offset: '{{ (params.offset or 0) + params.limit }}' }, while: $.more }",
            vec![
                "{ response: { body: { data: [{ id: 1 }], more: true } } }",
                "{ request: { method: GET, url: 'https://probe.test/v1/things?limit=2&offset=2' }, response: { body: { data: [{ id: 2 }], more: true } } }",
                "{ request: { method: GET, url: 'https://probe.test/v1/things?limit=2&offset=4' }, response: { body: { data: [], more: false } } }",
            ],
            "    output: { things: [{ id: 1 }, { id: 2 }], more: false }\n",
        ),
    ] {
        let file = listing(paging, OUTPUT, &walk(&pages, more));
        let told = test(&file);
        assert_eq!(told.code, 0, "{title}: {}", told.stdout);
        assert!(
            told.stdout.contains("1 passed, 0 failed"),
            "{title}: {}",
            told.stdout
        );
        let workspace = workspace(&file);
        let validated = workspace.run(&["validate", "descriptors"]);
        assert_eq!(validated.code, 0, "{title}: {}", validated.stdout);
    }
}

#[test]
fn pages_that_do_not_lead_to_each_other_are_told() {
    let repeated = FIRST.replace("?limit=2'", "?limit=2&after=b'");
    let texts = FIRST.replace("next: b", "next: 7");
    let long = FIRST.replace("next: b", "next: much-too-long");
    let error = "{ response: { status: 404, body: {} } }";
    for (title, paging, pages, more, told) in [
        (
            "the wrong request",
            CURSOR,
            vec![FIRST, FIRST],
            "",
            "/pages/1/request/url: differs",
        ),
        (
            "a walk that ends",
            CURSOR,
            vec![SECOND, SECOND],
            "",
            "/pages/0/request/url",
        ),
        (
            "a walk that ends early",
            CURSOR,
            vec![&SECOND.replace("&after=b", ""), SECOND],
            "",
            "/pages/0/response: the walk ends with this page",
        ),
        (
            "a page again",
            CURSOR,
            vec![FIRST, &repeated],
            "",
            "/pages/1/response: this page leads to one that the walk has already read",
        ),
        (
            "a cursor that is a number",
            CURSOR,
            vec![&texts, SECOND],
            "",
            "paging.next: the response gives arguments that the tool does not take: after: must be a string",
        ),
        (
            "a cursor that is too long",
            CURSOR,
            vec![&long, SECOND],
            "",
            "is longer than 9 characters",
        ),
        (
            "another output",
            CURSOR,
            vec![FIRST, SECOND],
            "    output: { things: [{ id: 1 }], more: false }\n",
            "/output",
        ),
        (
            "a page's output",
            CURSOR,
            vec![
                &FIRST.replace("{ id: 2 }], more: true } }", "{ id: 9 }], more: true } }"),
                SECOND,
            ],
            "",
            "/pages/0/output/things/1/id",
        ),
        (
            "an error",
            CURSOR,
            vec![FIRST, error],
            "",
            "/pages/1/response: by the descriptor this response is an error",
        ),
        (
            "no list",
            "{ items: $.rows, next: { after: $.next } }",
            vec![FIRST],
            "",
            "pages concatenate `$.rows`",
        ),
        (
            "no while",
            "{ items: $.data, next: { after: $.next }, while: $.mroe }",
            vec![FIRST],
            "",
            "paging.while",
        ),
        (
            "a response too",
            CURSOR,
            vec![FIRST, SECOND],
            "    response: { body: {} }\n",
            "/pages: `pages` stand in place of",
        ),
        (
            "an error too",
            CURSOR,
            vec![FIRST, SECOND],
            "    error: { status: 404 }\n",
            "/error: the pages of a walk are no errors",
        ),
    ] {
        let file = listing(paging, OUTPUT, &walk(&pages, more));
        let tested = test(&file);
        assert_eq!(tested.code, 3, "{title}: {}", tested.stdout);
        assert!(tested.stdout.contains(told), "{title}: {}", tested.stdout);
    }
    // Without `paging`, there are no pages.
    let file = format!("{LIST}examples:\n{}", walk(&[SECOND], ""));
    let tested = test(&file).expect(3).stdout;
    assert!(
        tested.contains("/pages: the tool has no `paging`"),
        "{tested}"
    );
}

/// A single response proves the step to the next page too.
#[test]
fn one_response_proves_the_next_arguments() {
    for (next, told) in [
        ("b", None),
        ("7", Some("after: must be a string")),
        ("[b]", Some("after: must be a string")),
    ] {
        let example = format!(
            "  - {{ name: one, response: {{ body: {{ data: [{{ id: 1 }}], more: true, next: {next} }} }}, output: {{ things: [{{ id: 1 }}], more: true }} }}\n"
        );
        let tested = test(&listing(CURSOR, OUTPUT, &example));
        match told {
            None => assert_eq!(tested.code, 0, "{}", tested.stdout),
            Some(told) => assert!(tested.stdout.contains(told), "{}", tested.stdout),
        }
    }
}

const GET: &str = "request: { method: GET, path: /x }\nresponse: { output: $.a }\n";

/// One example, with these keys behind its name.
fn one(keys: &str) -> String {
    format!("{GET}examples:\n  - {{ name: one, {keys} }}\n")
}

#[test]
fn every_expectation_holds_or_is_told() {
    let error = "response: { status: 404, body: { error: { text: gone, code: e1 } } }";
    let failed = "response: { status: 503, body: 'down for repair' }";
    let table: &[(String, Result<&str, &str>)] = &[
        (
            "response: { body: { a: null } }, output: null".into(),
            Ok("1 passed, 0 failed"),
        ),
        (
            "response: { body: { a: 1 } }, output: null".into(),
            Err("/output: differs"),
        ),
        (
            "response: { body: { a: 1 } }, output: '1'".into(),
            Err("the example has \"1\", a text, and the descriptor gives 1, a number"),
        ),
        (
            "response: { body: { a: '1' } }, output: 1".into(),
            Err("the example has 1, a number, and the descriptor gives \"1\", a text"),
        ),
        (
            "response: { body: { a: [{ b: '1' }] } }, output: [{ b: 1 }]".into(),
            Err("/output/0/b: differs from what the descriptor gives: the example has 1"),
        ),
        (
            "args: {}".into(),
            Ok("0 passed, 0 failed, 1 expects nothing"),
        ),
        (
            "response: { body: {} }".into(),
            Ok("0 passed, 0 failed, 1 expects nothing"),
        ),
        (error.into(), Ok("0 passed, 0 failed, 1 expects nothing")),
        (
            format!("{error}, error: {{ kind: refused, code: e1, message: gone, status: 404 }}"),
            Ok("1 passed, 0 failed"),
        ),
        (
            format!("{error}, error: {{ status: 404 }}"),
            Ok("1 passed, 0 failed"),
        ),
        (
            format!("{error}, error: {{ kind: failed }}"),
            Err("/error/kind: differs"),
        ),
        (
            format!("{error}, error: {{ code: e2 }}"),
            Err("/error/code: differs"),
        ),
        (
            format!("{error}, error: {{ message: lost }}"),
            Err("/error/message: differs"),
        ),
        (
            format!("{error}, error: {{ status: 403 }}"),
            Err("/error/status: differs"),
        ),
        (
            format!("{failed}, error: {{ kind: failed, message: down for repair }}"),
            Ok("1 passed, 0 failed"),
        ),
        (
            format!("{error}, output: 1"),
            Err("an error has no output; write `error` instead"),
        ),
        (
            "response: { body: { a: 1 } }, error: { status: 404 }".into(),
            Err("/error: by the descriptor the response is no error"),
        ),
        (
            "error: { status: 404 }".into(),
            Err("/error: `response` is missing, and this error depends on it"),
        ),
        (
            format!("{error}, output: 1, error: {{ status: 404 }}"),
            Err("/error: an example has an `output` or an `error`, not both"),
        ),
    ];
    for (keys, expected) in table {
        let tested = test(&one(keys));
        let (code, told) = match expected {
            Ok(told) => (0, told),
            Err(told) => (3, told),
        };
        assert_eq!(tested.code, code, "{keys}: {}", tested.stdout);
        assert!(tested.stdout.contains(told), "{keys}: {}", tested.stdout);
    }
}

#[test]
fn an_error_in_a_success_is_asserted_too() {
    let file = "request: { method: GET, path: /x }\nresponse: { fail_when: '{{ not body.ok }}', output: $.a }\nexamples:\n  - { name: one, response: { body: { ok: false, error: { text: no } } }, error: { kind: refused, status: 200, message: no } }\n";
    let tested = test(file);
    assert_eq!(tested.code, 0, "{}", tested.stdout);
}

#[test]
fn a_run_without_examples_is_no_success() {
    let tested = test(GET).expect(3).stdout;
    assert!(
        tested.contains("without examples: probe/list-things"),
        "{tested}"
    );
    assert!(
        tested.contains("there is no example, so nothing was tested"),
        "{tested}"
    );
    let workspace = Workspace::new();
    let told = workspace.run(&["test", "descriptors"]).expect(2).stderr;
    assert!(
        told.contains("there is no descriptor in descriptors"),
        "{told}"
    );
    workspace.service("https://probe.test", "");
    let told = workspace.run(&["test", "descriptors"]).expect(2).stderr;
    assert!(told.contains("there is no tool in descriptors"), "{told}");
}

/// A tool whose examples pass, fail, and expect nothing; one without examples; and one that is not valid.
fn mixed() -> Workspace {
    let examples = "  - { name: holds, response: { body: { a: 1 } }, output: 1 }\n  - { name: 'fails <&>', response: { body: { a: 1 } }, output: '1' }\n  - { name: idle, args: {} }\n";
    let workspace = workspace(&format!("{GET}examples:\n{examples}"));
    workspace.tool("bare", "read", GET);
    workspace.tool("broken", "read", "request: { method: GET, path: x }");
    workspace
}

#[test]
fn json_tells_every_example() {
    let told = mixed()
        .run(&["test", "descriptors", "--format", "json"])
        .expect(3)
        .json();
    let count = |key: &str| told[key].clone();
    assert_eq!(
        (count("passed"), count("failed"), count("expect_nothing")),
        (json!(1), json!(2), json!(1))
    );
    assert_eq!(told["without_examples"], json!(["probe/bare"]));
    let files = told["files"].as_array().expect("a list");
    let of = |name: &str| {
        files.iter().find(|file| {
            file["file"]
                .as_str()
                .is_some_and(|file| file.ends_with(name))
        })
    };
    let listed = of("list-things.yaml").expect("the tool");
    let results: Vec<&Value> = listed["examples"]
        .as_array()
        .expect("a list")
        .iter()
        .collect();
    let names: Vec<_> = results
        .iter()
        .map(|case| case["result"].as_str().expect("a word"))
        .collect();
    assert_eq!(names, ["passed", "failed", "expects_nothing"]);
    let failure = &results[1]["failures"][0];
    assert_eq!(
        (&failure["expected"], &failure["actual"]),
        (&json!("1"), &json!(1))
    );
    assert_eq!(failure["place"]["line"], json!(10));
    let broken = of("broken.yaml").expect("the tool");
    assert_eq!(broken["findings"][0]["place"]["line"], json!(6));
}

#[test]
fn junit_tells_every_example() {
    let told = mixed()
        .run(&["test", "descriptors", "--format", "junit"])
        .expect(3)
        .stdout;
    for part in [
        r#"<testsuites name="toolrun test" tests="5" failures="2" skipped="2">"#,
        r#"<testcase classname="probe/list-things" name="holds" file="descriptors/probe/list-things.yaml" line="9"/>"#,
        "name=\"fails &lt;&amp;&gt;\"",
        "expected: &quot;1&quot;\nactual: 1",
        r#"<skipped message="the example expects nothing"/>"#,
        r#"<skipped message="the tool has no examples"/>"#,
        r#"<failure type="bad-path""#,
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
}

/// A file in every style, in which all expectations are wrong and everything else must stay.
const STYLES: &str = "
# Before the request.
request: { method: GET,   path: '/x' } # as it is
response:
  output: { a: $.a, list: $.list, text: $.text }
examples:
  # The first of two.
  - name: in brackets
    request: { method: GET, url: \"https://wrong.test\" } # the URL
    response: { body: { a: 1, list: [1, 2], text: t } }
    output: { a: 9, list: [1], text: 'w' } # all wrong
  - name: in lines
    response:
      body:
        a: 2
        list: []
        text: \"one\\ntwo\\n\"
    output:
      # Why this is two.
      a: 3 # wrong
      list:
        - 1
      text: |
        three
        four
";

const UPDATED: &str = "
# Before the request.
request: { method: GET,   path: '/x' } # as it is
response:
  output: { a: $.a, list: $.list, text: $.text }
examples:
  # The first of two.
  - name: in brackets
    request: { method: GET, url: \"https://probe.test/v1/x\" } # the URL
    response: { body: { a: 1, list: [1, 2], text: t } }
    output: { a: 1, list: [1, 2], text: 't' } # all wrong
  - name: in lines
    response:
      body:
        a: 2
        list: []
        text: \"one\\ntwo\\n\"
    output:
      # Why this is two.
      a: 2 # wrong
      list: []
      text: |
        one
        two
";

#[test]
fn an_update_changes_expectations_alone() {
    for newline in ["\n", "\r\n"] {
        let workspace = workspace("");
        let path = "descriptors/probe/list-things.yaml";
        let head =
            "spec: 1\ntool: list-things\nservice: probe\ndescription: A probe.\naccess: read";
        let file = |rest: &str| format!("{head}{rest}").replace('\n', newline);
        workspace.write(path, file(STYLES));
        workspace.run(&["test", "descriptors"]).expect(3);
        let told = workspace
            .run(&["test", "descriptors", "--update"])
            .expect(0)
            .stdout;
        assert!(
            told.contains("updated descriptors/probe/list-things.yaml: 3 expectations"),
            "{told}"
        );
        let text = fs::read_to_string(workspace.path().join(path)).expect("the file");
        assert_eq!(text, file(UPDATED));
        let again = workspace
            .run(&["test", "descriptors", "--update"])
            .expect(0)
            .stdout;
        assert!(!again.contains("updated"), "{again}");
    }
}

#[test]
fn an_update_of_pages_and_errors_changes_them() {
    let wrong = SECOND.replace("after=b", "after=wrong");
    let error = "  - { name: error, response: { status: 404, body: {} }, error: { kind: failed, status: 400 } }\n";
    let file = listing(
        CURSOR,
        OUTPUT,
        &(walk(&[FIRST, &wrong], "    output: null\n") + error),
    );
    let workspace = workspace(&file);
    workspace
        .run(&["test", "descriptors", "--update"])
        .expect(0);
    let text = fs::read_to_string(workspace.path().join("descriptors/probe/list-things.yaml"))
        .expect("the file");
    for part in [
        SECOND,
        "output: { things: [{ id: 1 }, { id: 2 }, { id: 3 }], more: false }",
        "error: { kind: refused, status: 404 }",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

/// A file is written whole or not at all: only if it loads, and all of its examples hold.
#[test]
fn an_update_that_would_not_help_writes_nothing() {
    for (file, told) in [
        (
            one("args: { b: 1 }, response: { body: { a: 1 } }, output: 2"),
            "fails for another reason",
        ),
        (
            format!(
                "{GET}examples:\n  - {{ name: one, response: {{ body: {{ a: 1 }} }}, output: 2 }}\n  - {{ name: two, response: {{ status: 404 }}, output: 2 }}\n"
            ),
            "fails for another reason",
        ),
        (
            format!(
                "{GET}examples:\n  - name: one\n    response: {{ body: {{ a: 1 }} }}\n    output:\n      # kept\n      b: 1\n"
            ),
            "a comment stands",
        ),
        (
            one("request: { method: GET, url: 'https://probe.test/v1/x', headers: { x-a: b } }"),
            "the new file would not be valid",
        ),
    ] {
        let workspace = workspace(&file);
        let path = workspace.path().join("descriptors/probe/list-things.yaml");
        let before = fs::read_to_string(&path).expect("the file");
        let tested = workspace
            .run(&["test", "descriptors", "--update"])
            .expect(3)
            .stdout;
        assert!(
            tested.contains("not updated") && tested.contains(told),
            "{told}: {tested}"
        );
        assert_eq!(fs::read_to_string(&path).expect("the file"), before);
        let folder = path.parent().expect("a folder");
        assert_eq!(
            fs::read_dir(folder).expect("a folder").count(),
            2,
            "no other file is left"
        );
    }
}

#[cfg(unix)]
#[test]
fn an_update_keeps_links_and_modes() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let workspace = workspace("");
    let own = workspace.path().join("own.yaml");
    let text = format!(
        "spec: 1\ntool: list-things\nservice: probe\ndescription: A.\naccess: read\n{}",
        one("response: { body: { a: 1 } }, output: 2")
    );
    fs::write(&own, text).expect("a file");
    fs::set_permissions(&own, fs::Permissions::from_mode(0o640)).expect("a mode");
    let link = workspace.path().join("descriptors/probe/list-things.yaml");
    fs::remove_file(&link).expect("a file");
    symlink(&own, &link).expect("a link");
    workspace
        .run(&["test", "descriptors", "--update"])
        .expect(0);
    assert!(link.is_symlink());
    assert!(
        fs::read_to_string(&own)
            .expect("the file")
            .contains("output: 1")
    );
    assert_eq!(
        fs::metadata(&own).expect("the file").permissions().mode() & 0o777,
        0o640
    );
}
