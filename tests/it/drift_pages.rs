//! `toolrun drift` on lists that end: a last page lacks what leads to the next one, and that is no drift.

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use crate::support::{Har, Workspace};

/// A kind of paging: its section, a page that another one follows, and the ways in which a list ends.
struct Kind {
    name: &'static str,
    paging: &'static str,
    page: &'static str,
    ends: &'static [&'static str],
    /// Answers that lack what they should have, and what the message names.
    drifts: &'static [(&'static str, &'static str)],
}

const KINDS: [Kind; 7] = [
    Kind {
        name: "a cursor",
        paging: "{ items: $.data, next: { after: $.next } }",
        page: r#"{"data":[{"id":1}],"next":"c"}"#,
        ends: &[
            r#"{"data":[{"id":2}]}"#,
            r#"{"data":[{"id":2}],"next":null}"#,
            r#"{"data":[{"id":2}],"next":""}"#,
            r#"{"data":[]}"#,
            r#"{"data":null}"#,
        ],
        drifts: &[(r#"{"data":[{"id":2}],"next_cursor":"c"}"#, "`$.next`")],
    },
    Kind {
        name: "a cursor in an object",
        paging: "{ items: $.data, next: { after: $.meta.next } }",
        page: r#"{"data":[{"id":1}],"meta":{"next":"c"}}"#,
        ends: &[
            r#"{"data":[{"id":2}],"meta":{"next":null}}"#,
            r#"{"data":[{"id":2}],"meta":{}}"#,
            r#"{"data":[{"id":2}],"meta":null}"#,
            r#"{"data":[{"id":2}]}"#,
        ],
        drifts: &[],
    },
    Kind {
        name: "a cursor and a flag",
        paging: "{ items: $.data, next: { after: $.next }, while: $.more }",
        page: r#"{"data":[{"id":1}],"next":"c","more":true}"#,
        ends: &[
            r#"{"data":[{"id":2}],"next":"c","more":false}"#,
            r#"{"data":[{"id":2}],"more":false}"#,
            r#"{"data":[{"id":2}],"next":null,"more":null}"#,
            r#"{"data":[{"id":2}]}"#,
        ],
        drifts: &[
            (r#"{"data":[{"id":2}],"more":true}"#, "`$.next`"),
            (r#"{"data":[{"id":2}],"next":"c"}"#, "`$.more`"),
        ],
    },
    Kind {
        name: "the last id and a flag",
        paging: "{ items: $.data, next: { after: '{{ (body.data | last).id }}' }, while: $.more }",
        page: r#"{"data":[{"id":"a"}],"more":true}"#,
        ends: &[
            r#"{"data":[{"id":"b"}],"more":false}"#,
            r#"{"data":[{"id":"b"}]}"#,
            r#"{"data":[],"more":false}"#,
        ],
        drifts: &[],
    },
    Kind {
        name: "a number of pages",
        paging: "{ items: $.data, next: { page: '{{ body.page + 1 }}' }, while: '{{ body.page < body.pages }}' }",
        page: r#"{"data":[{"id":1}],"page":1,"pages":2}"#,
        ends: &[
            r#"{"data":[{"id":2}],"page":2,"pages":2}"#,
            r#"{"data":[],"page":1,"pages":0}"#,
        ],
        drifts: &[],
    },
    Kind {
        name: "a URL",
        paging: "{ items: $.data, next_url: $.links.next }",
        page: r#"{"data":[{"id":1}],"links":{"next":"https://pages.example.com/things?after=c"}}"#,
        ends: &[
            r#"{"data":[{"id":2}],"links":{"next":null}}"#,
            r#"{"data":[{"id":2}],"links":{"next":""}}"#,
            r#"{"data":[{"id":2}],"links":{}}"#,
            r#"{"data":[{"id":2}],"links":null}"#,
            r#"{"data":[{"id":2}]}"#,
        ],
        drifts: &[],
    },
    Kind {
        name: "a header",
        paging: "{ items: $.data, next_url: { header: link, rel: next } }",
        page: r#"{"data":[{"id":1}]}"#,
        ends: &[r#"{"data":[{"id":2}]}"#, r#"{"data":[]}"#],
        drifts: &[],
    },
];

fn workspace(kind: &Kind) -> Workspace {
    let workspace = Workspace::new();
    workspace.write(
        "descriptors/pages/service.yaml",
        "spec: 1\nservice: pages\nbase_url: https://pages.example.com\n",
    );
    // The output has the cursor too.
    let output =
        match kind.page.contains("\"next\":\"c\",") || kind.page.ends_with("\"next\":\"c\"}") {
            true => "{ rows: { each: '$.data[*]', as: { id: $.id } }, next: $.next }",
            false => "{ rows: { each: '$.data[*]', as: { id: $.id } } }",
        };
    workspace.write(
        "descriptors/pages/list-things.yaml",
        format!(
            "spec: 1\ntool: list-things\nservice: pages\ndescription: List the things.\naccess: read\n\
             params: {{ properties: {{ after: {{ type: string, description: A. }}, page: {{ type: integer, description: B. }} }} }}\n\
             request: {{ method: GET, path: /things, query: [after, page] }}\npaging: {}\n\
             response: {{ output: {output}, rows: rows }}\n\
             examples: [{{ name: One., args: {{}}, response: {{ body: {} }} }}]\n",
            kind.paging, kind.page
        ),
    );
    workspace
}

/// The findings, each as `code: message`.
fn found(workspace: &Workspace, bodies: &[&str]) -> Vec<String> {
    let url = "https://pages.example.com/things";
    let har = bodies.iter().fold(Har::new(), |har, body| {
        har.exchange(("GET", url, None), (200, body))
    });
    workspace.write("rec.har", har.text());
    let words = [
        "drift",
        "rec.har",
        "--against",
        "descriptors",
        "--format",
        "json",
    ];
    let output = workspace.run(&words);
    let report: Value = serde_json::from_str(&output.stdout).expect(&output.stderr);
    assert_eq!(
        report["findings"].as_array().is_some(),
        true,
        "{}",
        output.stderr
    );
    let findings = report["findings"].as_array().expect("findings").iter();
    findings
        .map(|finding| format!("{}: {}", finding["code"], finding["message"]))
        .collect()
}

#[test]
fn a_last_page_does_not_drift() {
    for kind in &KINDS {
        let workspace = workspace(kind);
        assert_eq!(found(&workspace, &[kind.page]), [""; 0], "{}", kind.name);
        for end in kind.ends {
            // A recording of the last page alone, as a list of one page gives, and one of all pages.
            for bodies in [&[*end][..], &[*end, *end], &[kind.page, *end]] {
                assert_eq!(
                    found(&workspace, bodies),
                    [""; 0],
                    "{}: {bodies:?}",
                    kind.name
                );
            }
        }
        for (body, named) in kind.drifts {
            let found = found(&workspace, &[*body]);
            assert!(
                found
                    .iter()
                    .any(|one| one.contains("lost-path") && one.contains(named)),
                "{}: {body}: {found:?}",
                kind.name
            );
        }
    }
}

/// The next page is not called, so that nothing is known of what is behind the first one.
#[test]
fn a_live_list_of_one_page_does_not_drift() {
    use crate::support::{Fake, Reply};

    let fake = Fake::start(|_| Reply::json(200, &json!({ "data": [{ "id": 1 }] })));
    let workspace = workspace(&KINDS[0]);
    workspace.write(
        "descriptors/pages/service.yaml",
        format!("spec: 1\nservice: pages\nbase_url: {}\n", fake.origin()),
    );
    let output = workspace
        .run(&["drift", "--live", "--format", "json"])
        .expect(0);
    assert_eq!(output.json()["findings"], json!([]), "{}", output.stderr);
}
