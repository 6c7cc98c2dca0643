//! Responses that are not JSON as they come: event streams, XML, and parallel arrays.

use crate::support::{Fake, Manner, Output, Reply, Workspace, assert_tells};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

const QUICK: &str = "retry: { max_attempts: 1 }";

fn probe(fake: &Fake, service: &str, tool: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), &format!("{QUICK}\n{service}"));
    let request = "params: { properties: { page: { type: string, description: The page. } } }\nrequest: { method: GET, path: /probe, query: [page] }";
    workspace.tool("get-probe", "read", &format!("{request}\n{tool}"));
    workspace.run(&["validate", "descriptors"]).expect(0);
    workspace
}

fn call(workspace: &Workspace, arguments: &[&str]) -> Output {
    workspace.run(&[&["call", "get-probe"], arguments].concat())
}

// Event streams

const STREAM: &str = "\u{feff}: hello\n\nevent: add\nid: 1\nretry: 3000\ndata: {\"n\": 1.10,\ndata:  \"big\": 12345678901234567890}\n\n\
                      data: one\r\ndata: two\r\n\r\ndata: [DONE]\r\rdata: not complete";

#[test]
fn an_event_stream_is_the_list_of_its_events() {
    let fake = Fake::script([Reply::new(200, "text/event-stream", STREAM)]);
    let workspace = probe(&fake, "", "response: { kind: sse }");
    let whole = "[{\"event\":\"add\",\"data\":{\"n\": 1.10,\n \"big\": 12345678901234567890},\"id\":\"1\",\"retry\":3000},\
                 {\"event\":\"message\",\"data\":\"one\\ntwo\",\"id\":\"1\",\"retry\":null},\
                 {\"event\":\"message\",\"data\":\"[DONE]\",\"id\":\"1\",\"retry\":null}]";
    let expected: Value = serde_json::from_str(whole).expect("JSON");
    let done = call(&workspace, &["-o", "json"]).expect(0);
    assert_eq!(done.json(), expected);
    for digits in ["1.10", "12345678901234567890"] {
        assert!(done.stdout.contains(digits), "{}", done.stdout);
    }
    let lines = call(&workspace, &["-o", "ndjson"]).expect(0).lines();
    assert_eq!(json!(lines), expected);
    let raw = call(&workspace, &["-o", "raw"]).expect(0);
    assert_eq!(raw.stdout, STREAM);
    let table = call(&workspace, &["-o", "csv"]).expect(0).stdout;
    assert!(table.starts_with("event,data,id,retry\n"), "{table}");
    let accept = fake.requests()[0].header("accept").map(str::to_owned);
    assert_eq!(accept.as_deref(), Some("text/event-stream, */*;q=0.5"));
}

#[test]
fn the_data_of_events_is_read_as_the_descriptor_says() {
    let body = "data: {\"a\": 1}\n\ndata: 2\n\n";
    for (more, expected) in [
        ("", json!([{ "a": 1 }, 2])),
        (", event_data: auto", json!([{ "a": 1 }, 2])),
        (", event_data: json", json!([{ "a": 1 }, 2])),
        (", event_data: text", json!(["{\"a\": 1}", "2"])),
    ] {
        let fake = Fake::script([Reply::new(200, "text/event-stream", body)]);
        let response = format!("response: {{ kind: sse{more}, output: '$[*].data' }}");
        let done = call(&probe(&fake, "", &response), &["-o", "json"]).expect(0);
        assert_eq!(done.json(), expected, "{more}");
    }
    let fake = Fake::script([Reply::new(
        200,
        "text/event-stream",
        "data: 1\n\ndata: [DONE]\n\n",
    )]);
    let workspace = probe(&fake, "", "response: { kind: sse, event_data: json }");
    let done = call(&workspace, &[]).expect(9);
    assert_tells(
        &done,
        &["no stream of JSON: event 2 has data that is no JSON"],
    );
}

#[test]
fn a_stream_keeps_the_limits_of_its_service() {
    let body = "data: x\n\n".repeat(40);
    let stream = |reply: Reply| Fake::script([reply]);
    let sse = "response: { kind: sse }";
    let fake = stream(Reply::new(200, "text/event-stream", body.clone()));
    let done = call(&probe(&fake, "limits: { response_bytes: 100 }", sse), &[]).expect(9);
    assert_tells(&done, &["100 bytes"]);
    let fake = stream(Reply {
        manner: Manner::Dribble(std::time::Duration::from_millis(20)),
        ..Reply::new(200, "text/event-stream", body.clone())
    });
    let done = call(&probe(&fake, "timeout: { total: 300ms }", sse), &[]).expect(8);
    assert_tells(&done, &["timeout.total"]);
    let fake = stream(Reply {
        manner: Manner::Cut,
        ..Reply::new(200, "text/event-stream", body)
    });
    call(&probe(&fake, "", sse), &[]).expect(8);
    // Errors are read as JSON, whatever the kind of a success.
    let fake = stream(Reply::json(
        400,
        &json!({ "error": { "message": "It is broken." } }),
    ));
    let done = call(
        &probe(&fake, "errors: { message: $.error.message }", sse),
        &[],
    )
    .expect(6);
    assert_tells(&done, &["It is broken."]);
}

// XML

const LISTING: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Name>bucket</Name>
  <IsTruncated>true</IsTruncated>
  <Contents><Key>a&amp;b.txt</Key><Size>0012345678901234567890</Size></Contents>
  <Contents><Key><![CDATA[<c>]]></Key><Size>7</Size></Contents>
  <NextContinuationToken>more</NextContinuationToken>
</ListBucketResult>"#;

const OBJECTS: &str = r#"response:
  kind: xml
  lists: [$.ListBucketResult.Contents]
  rows: objects
  output:
    name: $.ListBucketResult.Name
    objects: { each: "$.ListBucketResult.Contents[*]", as: { key: $.Key, size: $.Size } }
paging: { items: $.ListBucketResult.Contents, next: { page: $.ListBucketResult.NextContinuationToken } }
"#;

#[test]
fn xml_is_read_as_documented() {
    let fake = Fake::script([Reply::new(200, "application/xml", LISTING)]);
    let workspace = probe(&fake, "", "response: { kind: xml }");
    let done = call(&workspace, &["-o", "json"]).expect(0);
    assert_eq!(
        done.json(),
        json!({ "ListBucketResult": {
            "@xmlns": "http://s3.amazonaws.com/doc/2006-03-01/",
            "Name": "bucket",
            "IsTruncated": "true",
            "Contents": [
                { "Key": "a&b.txt", "Size": "0012345678901234567890" },
                { "Key": "<c>", "Size": "7" },
            ],
            "NextContinuationToken": "more",
        } })
    );
    let raw = call(&workspace, &["-o", "raw"]).expect(0);
    assert_eq!(raw.stdout, LISTING);
    let accept = fake.requests()[0].header("accept").map(str::to_owned);
    assert_eq!(
        accept.as_deref(),
        Some("application/xml, text/xml;q=0.9, */*;q=0.5")
    );
}

#[test]
fn lists_of_xml_have_pages() {
    let page =
        |inner: &str| format!("<ListBucketResult><Name>bucket</Name>{inner}</ListBucketResult>");
    let fake = Fake::start(move |request| {
        let body = match request.query.as_str() {
            "" => LISTING.to_owned(),
            "page=more" => page(
                "<Contents><Key>d</Key><Size>1</Size></Contents><NextContinuationToken>last</NextContinuationToken>",
            ),
            _ => page(""),
        };
        Reply::new(200, "text/xml", body)
    });
    let workspace = probe(&fake, "", OBJECTS);
    let rows = json!([
        { "key": "a&b.txt", "size": "0012345678901234567890" },
        { "key": "<c>", "size": "7" },
        { "key": "d", "size": "1" },
    ]);
    let done = call(&workspace, &["--all", "-o", "json"]).expect(0).json();
    assert_eq!(done, json!({ "name": "bucket", "objects": rows }));
    let lines = call(&workspace, &["--all", "-o", "ndjson"])
        .expect(0)
        .lines();
    assert_eq!(json!(lines), rows);
    let csv = call(&workspace, &["--all", "-o", "csv"]).expect(0).stdout;
    assert_eq!(
        csv,
        "key,size\na&b.txt,0012345678901234567890\n<c>,7\nd,1\n"
    );
    let capped = call(&workspace, &["--max-items", "1", "-o", "ndjson"]);
    assert_eq!(capped.lines(), [rows[0].clone()]);
}

#[test]
fn errors_in_xml_are_read_too() {
    let body = "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>There is no such key.</Message></Error>";
    let errors = "errors: { message: $.Error.Message, code: $.Error.Code }";
    for (status, code) in [(404, 6), (503, 7)] {
        let fake = Fake::script([Reply::new(status, "application/xml", body)]);
        let done = call(&probe(&fake, errors, "response: { kind: xml }"), &[]).expect(code);
        assert_tells(&done, &["There is no such key.", "NoSuchKey"]);
    }
    let fake = Fake::script([Reply::new(200, "application/xml", body)]);
    let response = "response: { kind: xml, fail_when: $.Error }";
    let done = call(&probe(&fake, errors, response), &[]).expect(6);
    assert_tells(&done, &["There is no such key."]);
}

#[test]
fn what_is_no_xml_is_told() {
    for (body, told) in [
        ("{\"a\": 1}", "outside of the root element"),
        ("<a><b></a>", "the body is no XML"),
        (
            "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
            "a document type, which is refused",
        ),
        (
            "<?xml version='1.0' encoding='koi8-r'?><a/>",
            "its encoding is `koi8-r`",
        ),
    ] {
        let fake = Fake::script([Reply::new(200, "application/xml", body)]);
        let done = call(&probe(&fake, "", "response: { kind: xml }"), &[]).expect(9);
        assert_tells(&done, &[told]);
    }
    let fake = Fake::script([Reply::new(200, "application/xml", " \n")]);
    let done = call(
        &probe(&fake, "", "response: { kind: xml }"),
        &["-o", "json"],
    )
    .expect(0);
    assert_eq!(done.json(), Value::Null);
}

/// A service may repeat a secret in any notation, in values of all kinds.
#[test]
fn echoed_secrets_are_masked_in_events_and_elements() {
    let auth = "auth: { kind: bearer, secret: { env: KEY } }";
    let secret = "canary-&-secret-key";
    let event = "event: canary-&-secret-key\nid: canary-&-secret-key\ndata: {\"a\": \"canary-&-secret-key\"}\n\ndata: x canary-&-secret-key y\n\n";
    let xml = "<a b='canary-&amp;-secret-key'><c>canary-&#38;-secret-key</c><c><![CDATA[canary-&-secret-key]]></c></a>";
    for (kind, body) in [("sse", event), ("xml", xml)] {
        for status in [200, 400] {
            let fake = Fake::script([Reply::new(status, "text/plain", body)]);
            let workspace = probe(&fake, auth, &format!("response: {{ kind: {kind} }}"));
            for arguments in [
                ["-o", "json"],
                ["-o", "ndjson"],
                ["-o", "csv"],
                ["-o", "yaml"],
            ] {
                let mut command = workspace.toolrun();
                command
                    .env("KEY", secret)
                    .args(["call", "get-probe", "-v"])
                    .args(arguments);
                let done = crate::support::output(&mut command);
                for text in [&done.stdout, &done.stderr] {
                    assert!(
                        !text.contains("canary"),
                        "{kind} {status} {arguments:?}: {text}"
                    );
                }
                assert_eq!(done.code, if status == 200 { 0 } else { 6 });
            }
        }
    }
}

// Parallel arrays

fn zipped(body: &str, output: &str) -> (Fake, Workspace) {
    let fake = Fake::script([Reply::new(200, "application/json", body)]);
    let response = format!("response: {{ rows: rows, output: {{ rows: {output} }} }}");
    let workspace = probe(&fake, "", &response);
    (fake, workspace)
}

#[test]
fn parallel_arrays_are_rows() {
    let body = r#"{"h": {"day": ["a", "b"], "t": [1.10, 12345678901234567890]}, "q": [{"c": [true]}, {"c": [null]}], "unit": "C"}"#;
    for (output, expected) in [
        (
            "{ zip: { day: $.h.day, t: $.h.t } }",
            r#"[{"day":"a","t":1.10},{"day":"b","t":12345678901234567890}]"#,
        ),
        (
            "{ zip: { t: $.h.t, c: '$.q[*].c[0]' }, index: i }",
            r#"[{"t":1.10,"c":true,"i":0},{"t":12345678901234567890,"c":null,"i":1}]"#,
        ),
        (
            "{ zip: { day: $.h.day }, index: i, as: { d: $.day, label: '{{ item.i }}: {{ item.day }} in {{ body.unit }}' } }",
            r#"[{"d":"a","label":"0: a in C"},{"d":"b","label":"1: b in C"}]"#,
        ),
        (
            "{ zip: { day: $.h.day, c: '$.q[0].c' }, fill: null }",
            r#"[{"day":"a","c":true},{"day":"b","c":null}]"#,
        ),
        (
            "{ zip: { day: $.h.day, c: $.h.none }, fill: { none: 0 } }",
            r#"[{"day":"a","c":{"none":0}},{"day":"b","c":{"none":0}}]"#,
        ),
        ("{ zip: { a: $.none, b: '$.q[0].none' } }", "[]"),
        (
            "{ each: $.q, as: { rows: { zip: { c: '$[*].c' }, index: i, as: { v: '{{ item.c[0] }}', i: $.i } } } }",
            r#"[{"rows":[{"v":true,"i":0},{"v":null,"i":1}]}]"#,
        ),
    ] {
        let (_fake, workspace) = zipped(body, output);
        let done = call(&workspace, &["-o", "ndjson"]).expect(0);
        let lines: Vec<&str> = done.stdout.lines().collect();
        assert_eq!(format!("[{}]", lines.join(",")), expected, "{output}");
        let done = call(&workspace, &["-o", "json"]).expect(0).stdout;
        let same: String = done.split_whitespace().collect();
        let compact: String = expected.split_whitespace().collect();
        assert_eq!(same, format!("{{\"rows\":{compact}}}"), "{output}");
    }
    let (_fake, workspace) = zipped(body, "{ zip: { t: $.h.t, day: $.h.day }, index: i }");
    let csv = call(&workspace, &["-o", "csv"]).expect(0).stdout;
    assert_eq!(csv, "t,day,i\n1.10,a,0\n12345678901234567890,b,1\n");
    call(&workspace, &["-o", "csv", "--columns", "day,i"]).expect(0);
    call(&workspace, &["-o", "csv", "--columns", "nope"]).expect(2);
}

#[test]
fn arrays_of_different_lengths_are_told() {
    for (body, told) in [
        (r#"{"a": [1, 2], "b": [3]}"#, "`a` has 2, `b` has 1"),
        (r#"{"a": [], "b": [3]}"#, "`a` has 0, `b` has 1"),
        (r#"{"b": [3]}"#, "`a` has 0, `b` has 1"),
        (r#"{"a": null, "b": [3]}"#, "`a` has 0, `b` has 1"),
        (
            r#"{"a": {"x": 1}, "b": [3]}"#,
            "`$.a` must be an array, and the response has",
        ),
        (
            r#"{"a": 1, "b": [3]}"#,
            "`$.a` must be an array, and the response has",
        ),
    ] {
        let (_fake, workspace) = zipped(body, "{ zip: { a: $.a, b: $.b } }");
        for format in ["json", "ndjson", "csv", "table", "yaml"] {
            let done = call(&workspace, &["-o", format]).expect(9);
            assert!(
                done.stderr.contains(told),
                "{body} {format}: {}",
                done.stderr
            );
            assert_eq!(done.stdout, "", "{format}");
        }
    }
    let (_fake, workspace) = zipped(
        r#"{"a": [1, 2], "b": [3]}"#,
        "{ zip: { a: $.a, b: $.b }, fill: null }",
    );
    assert_eq!(
        call(&workspace, &["-o", "json"]).expect(0).json(),
        json!({ "rows": [{ "a": 1, "b": 3 }, { "a": 2, "b": null }] })
    );
}

/// A map of an output may have a key called `zip`.
#[test]
fn the_zip_of_an_address_is_no_zip() {
    let body = r#"{"city": "Bonn", "zip": {"five": "53111"}}"#;
    for (output, expected) in [
        (
            "{ city: $.city, zip: $.zip.five }",
            json!({ "city": "Bonn", "zip": "53111" }),
        ),
        (
            "{ city: $.city, zip: { five: $.zip.five } }",
            json!({ "city": "Bonn", "zip": { "five": "53111" } }),
        ),
        ("{ zip: $.zip }", json!({ "zip": { "five": "53111" } })),
    ] {
        let fake = Fake::script([Reply::new(200, "application/json", body)]);
        let workspace = probe(&fake, "", &format!("response: {{ output: {output} }}"));
        assert_eq!(
            call(&workspace, &["-o", "json"]).expect(0).json(),
            expected,
            "{output}"
        );
    }
}

#[test]
fn pages_of_parallel_arrays_are_joined_in_step() {
    let pages = |request: &crate::support::Request| match request.query.as_str() {
        "" => r#"{"days": ["a", "b"], "counts": [1.10, 2], "next": "2"}"#,
        "page=2" => r#"{"days": [], "counts": [], "next": "3"}"#,
        "page=3" => r#"{"days": ["c"], "counts": [12345678901234567890], "next": null}"#,
        _ => r#"{"days": ["d", "e"], "counts": [4], "next": null}"#,
    };
    let fake = Fake::start(move |request| Reply::new(200, "application/json", pages(request)));
    let tool = "response: { rows: r, output: { r: { zip: { day: $.days, count: $.counts } }, next: $.next } }\n\
                paging: { items: [$.days, $.counts], next: { page: $.next } }";
    let workspace = probe(&fake, "", tool);
    let expected = "day,count\na,1.10\nb,2\nc,12345678901234567890\n";
    assert_eq!(
        call(&workspace, &["--all", "-o", "csv"]).expect(0).stdout,
        expected
    );
    let json = call(&workspace, &["--all", "-o", "json"]).expect(0).stdout;
    let rows: String = json.split_whitespace().collect();
    let whole = r#"{"r":[{"day":"a","count":1.10},{"day":"b","count":2},{"day":"c","count":12345678901234567890}],"next":null}"#;
    assert_eq!(rows, whole);
    let lines = call(&workspace, &["--all", "-o", "ndjson"]).expect(0);
    assert_eq!(lines.stdout.lines().count(), 3);
    for format in ["json", "ndjson"] {
        let capped = call(&workspace, &["--max-items", "1", "-o", format]);
        assert!(
            capped.stdout.contains("\"a\"") && !capped.stdout.contains("\"b\""),
            "{}",
            capped.stdout
        );
        assert!(capped.stderr.contains('1'), "{}", capped.stderr);
    }
    // A page whose arrays differ shifts no rows of another page.
    let done = call(&workspace, &["page=4", "--all", "-o", "csv"]).expect(9);
    assert_tells(
        &done,
        &["the arrays `$.days`, `$.counts` have different lengths"],
    );
}

// Examples

#[test]
fn examples_may_give_the_text_of_the_service() {
    let workspace = Workspace::new();
    workspace.service("https://api.test", "");
    let example = |body: &str, output: &str| {
        format!(
            "examples:\n  - name: one\n    args: {{}}\n    response: {{ status: 200, body: {body} }}\n    output: {output}\n"
        )
    };
    let request = "request: { method: GET, path: /probe }\n";
    for (name, response, body, output) in [
        (
            "xml-text",
            "{ kind: xml, lists: [$.a.b] }",
            "'<a><b>1</b></a>'",
            "{ a: { b: ['1'] } }",
        ),
        (
            "xml-value",
            "{ kind: xml }",
            "{ a: { b: '1' } }",
            "{ a: { b: '1' } }",
        ),
        (
            "sse-text",
            "{ kind: sse, output: '$[*].data' }",
            "\"data: {\\\"a\\\": 1}\\n\\n\"",
            "[{ a: 1 }]",
        ),
        (
            "sse-value",
            "{ kind: sse, output: '$[*].data' }",
            "[{ event: message, data: x }]",
            "[x]",
        ),
    ] {
        let text = format!("{request}response: {response}\n{}", example(body, output));
        workspace.tool(name, "read", &text);
    }
    workspace.run(&["validate", "descriptors"]).expect(0);
    workspace.run(&["test", "descriptors"]).expect(0);
    for (name, response, body) in [
        ("xml-bad", "{ kind: xml }", "'<a>'"),
        (
            "sse-bad",
            "{ kind: sse, event_data: json }",
            "\"data: x\\n\\n\"",
        ),
        ("xml-list", "{ kind: xml }", "[1]"),
    ] {
        let text = format!("{request}response: {response}\n{}", example(body, "null"));
        workspace.tool(name, "read", &text);
        let done = workspace.run(&["test", &format!("descriptors/probe/{name}.yaml")]);
        assert!(done.code != 0, "{name}: {}", done.stdout);
    }
}

#[test]
fn the_sandbox_answers_in_the_notation_of_the_tool() {
    let sandbox = "spec: 1
sandbox: probe
seed: 1
now: '2026-01-01T00:00:00Z'
request_id: r
errors: { body: { error: '{{ message }}' }, codes: {} }
data: { things: { count: 2, row: { id: 'a<{{ index }}' } } }
routes:
  get-xml: { from: things, item: { '@id': '{{ row.id }}', name: '<&' }, body: { list: { thing: '{{ rows }}', count: 2 } } }
  get-sse: { from: things, item: { event: add, data: '{{ row }}' }, body: '{{ rows }}' }
  get-ndjson: { from: things, body: '{{ rows }}' }
  get-text: { body: \"one\\ntwo\" }
";
    let workspace = Workspace::new();
    workspace.service("https://api.test", QUICK);
    workspace.write("descriptors/probe/sandbox.yaml", sandbox);
    let rows = json!([{ "id": "a<0" }, { "id": "a<1" }]);
    let cases = [
        (
            "xml",
            "lists: [$.list.thing], output: $.list",
            json!({
                "thing": [{ "@id": "a<0", "name": "<&" }, { "@id": "a<1", "name": "<&" }],
                "count": "2",
            }),
        ),
        ("sse", "output: '$[*].data'", rows.clone()),
        ("ndjson", "output: $", rows),
        ("text", "output: $", json!("one\ntwo")),
    ];
    for (kind, more, _) in &cases {
        let text = format!(
            "request: {{ method: GET, path: /{kind} }}\nresponse: {{ kind: {kind}, {more} }}"
        );
        workspace.tool(&format!("get-{kind}"), "read", &text);
    }
    workspace.run(&["validate", "descriptors"]).expect(0);
    for (kind, _, expected) in cases {
        let arguments = ["call", &format!("get-{kind}"), "--sandbox", "-o", "json"];
        let done = workspace.run(&arguments).expect(0);
        assert_eq!(done.json(), expected, "{kind}");
    }
}
