//! Bodies, byte by byte: what the service gets, what curl would send, what is shown and what examples compare with.

use std::io::Write as _;
use std::process::Command;
use std::sync::Arc;

use crate::support::{Fake, Manner, Reply, Request, Workspace, output};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use toolrun::internals::check::examples;
use toolrun::{Access, Call, Catalog, Engine, Error, ErrorKind, Files, Tool};

/// A body in a descriptor, and the expected request.
struct Row {
    name: &'static str,
    body: &'static str,
    args: Value,
    content_type: &'static str,
    /// With `B` for the boundary.
    bytes: &'static [u8],
    shown: Value,
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const PARTS: &str = "multipart/form-data; boundary=B";
const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";

/// A file in the folder that calls run in; its name and its content try what can go wrong.
const FILE: &str = "a;b\"c,d\\.bin";
const FILE_BYTES: &[u8] = b"\x00\xff\r\n--B--\r\n'$x`";

fn row(
    name: &'static str,
    body: &'static str,
    args: Value,
    (content_type, bytes): (&'static str, &'static [u8]),
    shown: Value,
) -> Row {
    Row {
        name,
        body,
        args,
        content_type,
        bytes,
        shown,
    }
}

/// A file of text, which is shown as text.
fn text_row(
    name: &'static str,
    body: &'static str,
    args: Value,
    (content_type, text): (&'static str, &'static str),
) -> Row {
    row(
        name,
        body,
        args,
        (content_type, text.as_bytes()),
        json!(text),
    )
}

fn json_rows() -> Vec<Row> {
    vec![
        row(
            "a tree",
            "json: { a: '{{ x }}', b: ['{{ y }}', null], c: 'x={{ x }}' }",
            json!({ "x": 1.5 }),
            (JSON, br#"{"a":1.5,"b":[null],"c":"x=1.5"}"#),
            json!({ "a": 1.5, "b": [null], "c": "x=1.5" }),
        ),
        row(
            "one argument",
            "json: '{{ x }}'",
            json!({ "x": { "b": ["'", "é", "\u{0}"], "a": null } }),
            (
                JSON,
                "{\"b\":[\"'\",\"é\",\"\\u0000\"],\"a\":null}".as_bytes(),
            ),
            json!({ "b": ["'", "é", "\u{0}"], "a": null }),
        ),
        row(
            "a scalar, of a type of its own",
            "{ json: '{{ x }}', content_type: application/merge-patch+json }",
            json!({ "x": "@a" }),
            ("application/merge-patch+json", b"\"@a\""),
            json!("@a"),
        ),
        row(
            "null",
            "json: null",
            json!({}),
            (JSON, b"null"),
            Value::Null,
        ),
    ]
}

fn form_rows() -> Vec<Row> {
    vec![
        text_row(
            "fields",
            "form: { a: '{{ x }}', b: 'x {{ x }}', c: 1, d: true, e: '{{ y }}', '@f': '' }",
            json!({ "x": "a b+c&d=é*-._~%\r\n" }),
            (
                FORM,
                "a=a+b%2Bc%26d%3D%C3%A9*-._%7E%25%0D%0A&b=x+a+b%2Bc%26d%3D%C3%A9*-._%7E%25%0D%0A&c=1&d=true&%40f=",
            ),
        ),
        text_row(
            "a nested tree",
            "form: { a: { b: '{{ x }}', c: [1, '{{ x }}'], d: '{{ y }}' }, e: [x, y] }",
            json!({ "x": 2 }),
            (
                FORM,
                "a%5Bb%5D=2&a%5Bc%5D%5B%5D=1&a%5Bc%5D%5B%5D=2&e%5B%5D=x&e%5B%5D=y",
            ),
        ),
        text_row(
            "styles",
            "form: { a: { value: '{{ x }}', style: indexed }, b: { value: '{{ y }}', style: repeat }, c: { value: '{{ y }}', style: comma }, d: { value: '{{ y }}' }, e: { value: '{{ y }}', style: form, explode: false } }",
            json!({ "x": [{ "price": "p 1", "of": [1] }, { "price": null }], "y": [1, "z,"] }),
            (
                FORM,
                "a%5B0%5D%5Bprice%5D=p+1&a%5B0%5D%5Bof%5D%5B0%5D=1&b=1&b=z%2C&c=1%2Cz%2C&d%5B%5D=1&d%5B%5D=z%2C&e=1%2Cz%2C",
            ),
        ),
        text_row(
            "a tree with a value of its own",
            "form: { a: { value: 1, currency: eur } }",
            json!({}),
            (FORM, "a%5Bvalue%5D=1&a%5Bcurrency%5D=eur"),
        ),
        text_row(
            "one argument",
            "form: '{{ x }}'",
            json!({ "x": { "a": 1, "b": { "c": ["d", "e"] }, "f": null, "g": [] } }),
            (FORM, "a=1&b%5Bc%5D%5B%5D=d&b%5Bc%5D%5B%5D=e"),
        ),
        text_row("nothing", "form: { a: '{{ y }}' }", json!({}), (FORM, "")),
    ]
}

fn text_rows() -> Vec<Row> {
    vec![
        text_row(
            "a text",
            "text: \"@x\\n{{ x }}\\n\"",
            json!({ "x": "it's \"$HOME\" `id` \\ é\r\n" }),
            (TEXT, "@x\nit's \"$HOME\" `id` \\ é\r\n\n"),
        ),
        text_row(
            "one argument, of a type that is another",
            "{ text: '{{ x }}', content_type: 'text/{{ y }}; charset=utf-8' }",
            json!({ "x": 7, "y": "csv" }),
            ("text/csv; charset=utf-8", "7"),
        ),
        text_row(
            "a text that no argument of a program can hold",
            "text: '{{ x }}'",
            json!({ "x": "a\u{0}b\\n%s" }),
            (TEXT, "a\u{0}b\\n%s"),
        ),
        row(
            "bytes of base64",
            "bytes: { base64: '{{ x }}' }",
            json!({ "x": "data:image/png;base64,AP-_" }),
            (BYTES, b"\x00\xff\xbf"),
            json!({ "base64": "AP+/" }),
        ),
        row(
            "bytes of a file",
            "{ bytes: { file: '{{ x }}' }, content_type: image/png }",
            json!({ "x": FILE }),
            ("image/png", FILE_BYTES),
            json!({ "file": FILE }),
        ),
    ]
}

fn multipart_rows() -> Vec<Row> {
    vec![
        row(
            "values",
            "multipart: { a: '{{ x }}', b: '{{ y }}', c: 1.5, d: [true, '<d'], e: '{{ z }}' }",
            json!({ "x": "@x;type=y\r\n\"'$é", "y": ["<y", 2] }),
            (
                PARTS,
                "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n@x;type=y\r\n\"'$é\r\n\
                 --B\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n<y\r\n\
                 --B\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n2\r\n\
                 --B\r\nContent-Disposition: form-data; name=\"c\"\r\n\r\n1.5\r\n\
                 --B\r\nContent-Disposition: form-data; name=\"d\"\r\n\r\ntrue\r\n\
                 --B\r\nContent-Disposition: form-data; name=\"d\"\r\n\r\n<d\r\n\
                 --B--\r\n"
                    .as_bytes(),
            ),
            json!([
                { "name": "a", "value": "@x;type=y\r\n\"'$é" },
                { "name": "b", "value": "<y" },
                { "name": "b", "value": "2" },
                { "name": "c", "value": "1.5" },
                { "name": "d", "value": "true" },
                { "name": "d", "value": "<d" },
            ]),
        ),
        row(
            "JSON, and a text with a type",
            "multipart: { a: '{{ x }}', b: { value: { c: '{{ x }}' }, filename: 'b.json' }, c: { value: '@{{ y }}', content_type: text/csv, filename: '{{ z }}' } }",
            json!({ "x": { "k": "\"\\" }, "y": "1;\"2\"\\" }),
            (
                PARTS,
                b"--B\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Type: application/json\r\n\r\n{\"k\":\"\\\"\\\\\"}\r\n\
                  --B\r\nContent-Disposition: form-data; name=\"b\"; filename=\"b.json\"\r\nContent-Type: application/json\r\n\r\n{\"c\":{\"k\":\"\\\"\\\\\"}}\r\n\
                  --B\r\nContent-Disposition: form-data; name=\"c\"\r\nContent-Type: text/csv\r\n\r\n@1;\"2\"\\\r\n\
                  --B--\r\n",
            ),
            json!([
                { "name": "a", "content_type": "application/json", "value": { "k": "\"\\" } },
                { "name": "b", "filename": "b.json", "content_type": "application/json", "value": { "c": { "k": "\"\\" } } },
                { "name": "c", "content_type": "text/csv", "value": "@1;\"2\"\\" },
            ]),
        ),
        row(
            "a file, and base64",
            "multipart: { a: { file: '{{ x }}' }, b: { base64: '{{ y }}', filename: '{{ z }}', content_type: image/png }, c: { base64: '{{ w }}' } }",
            json!({ "x": FILE, "y": "AP8", "z": "é \"x\"\r\nx-y: z.png" }),
            (
                PARTS,
                b"--B\r\nContent-Disposition: form-data; name=\"a\"; filename=\"a;b%22c,d\\.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n\x00\xff\r\n--B--\r\n'$x`\r\n\
                  --B\r\nContent-Disposition: form-data; name=\"b\"; filename=\"\xc3\xa9 %22x%22%0D%0Ax-y: z.png\"\r\nContent-Type: image/png\r\n\r\n\x00\xff\r\n\
                  --B--\r\n",
            ),
            json!([
                { "name": "a", "filename": FILE, "content_type": "application/octet-stream", "file": FILE },
                { "name": "b", "filename": "é \"x\"\r\nx-y: z.png", "content_type": "image/png", "base64": "AP8=" },
            ]),
        ),
        row(
            "several files of base64, and names that are no words",
            "multipart: { 'a=\"1\"': b, 'f[]': { base64: '{{ x }}' }, 'c\r\n': '{{ y }}' }",
            json!({ "x": ["AA==", "/w=="], "y": "\u{0}'\\" }),
            (
                PARTS,
                b"--B\r\nContent-Disposition: form-data; name=\"a=%221%22\"\r\n\r\nb\r\n\
                  --B\r\nContent-Disposition: form-data; name=\"f[]\"; filename=\"blob\"\r\nContent-Type: application/octet-stream\r\n\r\n\x00\r\n\
                  --B\r\nContent-Disposition: form-data; name=\"f[]\"; filename=\"blob\"\r\nContent-Type: application/octet-stream\r\n\r\n\xff\r\n\
                  --B\r\nContent-Disposition: form-data; name=\"c \"\r\n\r\n\x00'\\\r\n\
                  --B--\r\n",
            ),
            json!([
                { "name": "a=\"1\"", "value": "b" },
                { "name": "f[]", "filename": "blob", "content_type": "application/octet-stream", "base64": "AA==" },
                { "name": "f[]", "filename": "blob", "content_type": "application/octet-stream", "base64": "/w==" },
                { "name": "c ", "value": "\u{0}'\\" },
            ]),
        ),
        row(
            "of another type",
            "{ multipart: { a: { value: { b: 1 }, content_type: 'application/json; charset=utf-8' }, c: { base64: aGk= } }, content_type: multipart/related }",
            json!({}),
            (
                "multipart/related; boundary=B",
                b"--B\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Type: application/json; charset=utf-8\r\n\r\n{\"b\":1}\r\n\
                  --B\r\nContent-Disposition: form-data; name=\"c\"; filename=\"blob\"\r\nContent-Type: application/octet-stream\r\n\r\nhi\r\n\
                  --B--\r\n",
            ),
            json!([
                { "name": "a", "content_type": "application/json; charset=utf-8", "value": { "b": 1 } },
                { "name": "c", "filename": "blob", "content_type": "application/octet-stream", "base64": "aGk=" },
            ]),
        ),
        row(
            "nothing",
            "multipart: { a: '{{ x }}' }",
            json!({}),
            (PARTS, b"--B--\r\n"),
            json!([]),
        ),
    ]
}

fn graphql_rows() -> Vec<Row> {
    vec![
        row(
            "a query",
            "graphql: { query: \"query Q($x: Int) {\\n  a(b: $x, c: \\\"é\\\") { d }\\n}\\n\", variables: { x: '{{ x }}' } }",
            json!({ "x": 1 }),
            (
                JSON,
                "{\"query\":\"query Q($x: Int) {\\n  a(b: $x, c: \\\"é\\\") { d }\\n}\\n\",\"variables\":{\"x\":1}}"
                    .as_bytes(),
            ),
            json!({ "query": "query Q($x: Int) {\n  a(b: $x, c: \"é\") { d }\n}\n", "variables": { "x": 1 } }),
        ),
        row(
            "one of several operations, with variables that are absent and null",
            "graphql: { query: 'query A($x: In) { a(x: $x) } query B($y: In) { b(y: $y) }', operation_name: '{{ z }}', variables: { x: { k: '{{ x }}', l: null }, y: '{{ y }}' } }",
            json!({ "z": "A" }),
            (
                JSON,
                br#"{"query":"query A($x: In) { a(x: $x) } query B($y: In) { b(y: $y) }","variables":{"x":{"l":null}},"operationName":"A"}"#,
            ),
            json!({ "query": "query A($x: In) { a(x: $x) } query B($y: In) { b(y: $y) }", "variables": { "x": { "l": null } }, "operationName": "A" }),
        ),
        row(
            "one argument as the variables",
            "graphql: { query: '{ a }', variables: '{{ x }}' }",
            json!({ "x": { "b": [1] } }),
            (JSON, br#"{"query":"{ a }","variables":{"b":[1]}}"#),
            json!({ "query": "{ a }", "variables": { "b": [1] } }),
        ),
        row(
            "a query alone",
            "graphql: { query: '{a{b}}', variables: '{{ x }}', operation_name: '{{ y }}' }",
            json!({}),
            (JSON, br#"{"query":"{a{b}}"}"#),
            json!({ "query": "{a{b}}" }),
        ),
    ]
}

fn rows() -> Vec<Row> {
    [
        json_rows(),
        form_rows(),
        text_rows(),
        multipart_rows(),
        graphql_rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A folder with the tool `send` of a service at this origin. Its params `w` to `z` are of any type, and needed where
/// these arguments have them.
fn probe_for(origin: &str, request: &str, args: &Value) -> Workspace {
    let workspace = Workspace::new();
    workspace.service(
        origin,
        "retry: { max_attempts: 3, base_delay: 1ms, max_delay: 1s }",
    );
    let params: Vec<String> = ["w", "x", "y", "z"]
        .iter()
        .filter(|name| request.contains(&format!("{{{{ {name} }}}}")))
        .map(|name| format!("{name}: {{ $ref: '#/$defs/any' }}"))
        .collect();
    let required: Vec<&String> = args
        .as_object()
        .into_iter()
        .flat_map(|args| args.keys())
        .collect();
    let more = format!(
        "params: {{ required: {}, $defs: {{ any: {{}} }}, properties: {{ {} }} }}\nrequest: {{ method: POST, path: /probe, {request} }}",
        json!(required),
        params.join(", ")
    );
    workspace.tool("send", "write", &more);
    workspace.write(FILE, FILE_BYTES);
    workspace
}

fn probe(origin: &str, request: &str) -> Workspace {
    probe_for(origin, request, &json!({}))
}

fn tool(workspace: &Workspace) -> Arc<Tool> {
    let catalog = Catalog::empty().with_folder(workspace.descriptors());
    match catalog.tool("send") {
        Ok(tool) => tool,
        Err(error) => panic!("{error}"),
    }
}

fn in_braces(body: &str) -> String {
    match body.starts_with('{') {
        true => format!("body: {body}"),
        false => format!("body: {{ {body} }}"),
    }
}

fn below(workspace: &Workspace) -> Files {
    Files::Below(workspace.path().to_owned())
}

fn call(files: Files, tool: &Arc<Tool>, args: &Value) -> Result<Value, Error> {
    let call = Call::new(tool, args.clone())
        .consent(Access::Write)
        .files(files);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let outcome = runtime.block_on(Engine::new().call(call))?;
    Ok(outcome.output.value().unwrap())
}

/// The content type and the body of a request, with `B` for the boundary.
fn got(request: &Request) -> (String, Vec<u8>) {
    let content_type = request.header("content-type").unwrap_or_default();
    let Some((before, boundary)) = content_type.split_once("boundary=") else {
        return (content_type.to_owned(), request.body.clone());
    };
    let mut body = Vec::new();
    let mut rest = request.body.as_slice();
    while let Some(byte) = rest.first() {
        match rest.strip_prefix(boundary.as_bytes()) {
            Some(after) => {
                body.push(b'B');
                rest = after;
            }
            None => {
                body.push(*byte);
                rest = &rest[1..];
            }
        }
    }
    (format!("{before}boundary=B"), body)
}

fn expected(row: &Row) -> (String, Vec<u8>) {
    (row.content_type.to_owned(), row.bytes.to_vec())
}

/// As text where it is text, for messages that can be read.
fn readable((content_type, body): &(String, Vec<u8>)) -> String {
    format!("{content_type}\n{}", body.escape_ascii())
}

#[test]
fn bodies_arrive_as_they_are_described() {
    let fake = Fake::start(|_| Reply::ok());
    for row in rows() {
        let workspace = probe_for(&fake.origin(), &in_braces(row.body), &row.args);
        let tool = tool(&workspace);
        if let Err(error) = call(below(&workspace), &tool, &row.args) {
            panic!("{}: {error}", row.name);
        }
        let request = fake.requests().pop().expect("a request");
        let length = request.header("content-length").expect("a length");
        assert_eq!(length, request.body.len().to_string(), "{}", row.name);
        assert_eq!(
            readable(&got(&request)),
            readable(&expected(&row)),
            "{}",
            row.name
        );
    }
}

#[test]
fn bodies_are_shown_and_compared_in_one_form() {
    for row in rows() {
        let workspace = probe_for("https://probe.test", &in_braces(row.body), &row.args);
        let tool = tool(&workspace);
        let plan = Engine::new()
            .plan(&Call::new(&tool, row.args.clone()))
            .expect("a plan");
        assert_eq!(plan.view().body, row.shown, "{}", row.name);
        let request =
            json!({ "method": "POST", "url": "https://probe.test/probe", "body": row.shown });
        let example = json!({ "name": "one", "args": row.args, "request": request });
        let example = serde_json::from_value(example).expect("an example");
        assert_eq!(examples::run(&tool, &example), [], "{}", row.name);
    }
}

/// The curl command sends what the engine sends, except for the boundary.
#[test]
fn curl_sends_the_same_bytes() {
    if Command::new("curl").arg("--version").output().is_err() {
        // Printed directly, because the test runner hides the output of a passing test.
        let told = "SKIPPED: what curl sends needs curl";
        return writeln!(std::io::stderr(), "{told}").expect("standard error");
    }
    let fake = Fake::start(|_| Reply::ok());
    for row in rows() {
        let workspace = probe_for(&fake.origin(), &in_braces(row.body), &row.args);
        let plan = Engine::new().plan(&Call::new(&tool(&workspace), row.args.clone()));
        let command = plan.expect("a plan").to_curl();
        let output = Command::new("sh")
            .args([
                "-c",
                &command.replace("curl ", "curl --silent --show-error --max-time 10 "),
            ])
            .current_dir(workspace.path())
            .output()
            .expect("a shell");
        assert!(
            output.status.success(),
            "{}: {output:?}\n{command}",
            row.name
        );
        let request = fake.requests().pop().expect("a request");
        assert_eq!(
            readable(&got(&request)),
            readable(&expected(&row)),
            "{}\n{command}",
            row.name
        );
    }
}

#[test]
fn the_text_of_a_dry_run_is_that_of_the_request() {
    for (body, args, expected) in [
        (
            "form: { a: [1, 2] }",
            json!({}),
            "content-type: application/x-www-form-urlencoded\n\na%5B%5D=1&a%5B%5D=2\n",
        ),
        (
            "text: \"{{ x }}\\n\"",
            json!({ "x": "a" }),
            "content-type: text/plain; charset=utf-8\n\na\n",
        ),
        (
            "bytes: { base64: '{{ x }}' }",
            json!({ "x": "aGk=" }),
            "content-type: application/octet-stream\n\n<2 bytes>\n",
        ),
        (
            "multipart: { a: 1, b: { file: '{{ x }}' } }",
            json!({ "x": "c.png" }),
            "content-type: multipart/form-data; boundary={boundary}\n\n--{boundary}\nContent-Disposition: form-data; name=\"a\"\n\n1\n--{boundary}\nContent-Disposition: form-data; name=\"b\"; filename=\"c.png\"\nContent-Type: application/octet-stream\n\n<the file c.png>\n--{boundary}--\n",
        ),
    ] {
        let workspace = probe_for("https://probe.test", &in_braces(body), &args);
        let plan = Engine::new()
            .plan(&Call::new(&tool(&workspace), args))
            .expect("a plan");
        let text = plan.to_http();
        let (_, shown) = text.split_once("content-type").expect("a content type");
        assert_eq!(format!("content-type{shown}"), expected, "{body}");
    }
}

#[test]
fn a_body_that_is_one_absent_value_is_none() {
    let fake = Fake::start(|_| Reply::ok());
    for body in [
        "json: '{{ x }}'",
        "form: '{{ x }}'",
        "text: '{{ x }}'",
        "bytes: { base64: '{{ x }}' }",
        "bytes: { file: '{{ x }}' }",
    ] {
        let workspace = probe(&fake.origin(), &in_braces(body));
        call(below(&workspace), &tool(&workspace), &json!({})).expect("a call");
        let request = fake.requests().pop().expect("a request");
        assert_eq!(request.header("content-type"), None, "{body}");
        assert_eq!(request.header("content-length"), Some("0"), "{body}");
    }
}

#[test]
fn params_that_may_be_null_can_be_a_whole_body() {
    let workspace = Workspace::new();
    workspace.service("https://probe.test", "");
    for (name, body) in [
        ("text", "text: '{{ x }}', content_type: '{{ y }}'"),
        (
            "bytes",
            "bytes: { base64: '{{ x }}' }, content_type: '{{ y }}'",
        ),
        (
            "parts",
            "multipart: { a: { file: '{{ x }}', filename: '{{ y }}' } }",
        ),
    ] {
        let more = format!(
            "params: {{ properties: {{ x: {{ type: [string, 'null'], description: X. }}, y: {{ type: [string, 'null'], description: Y. }} }} }}\nrequest: {{ method: POST, path: /probe, body: {{ {body} }} }}"
        );
        workspace.tool(name, "write", &more);
    }
    let report = workspace.run(&["validate", "descriptors"]);
    assert_eq!(report.code, 0, "{report:?}");
}

#[test]
fn values_that_have_no_form_are_told_before_anything_is_sent() {
    let fake = Fake::start(|_| Reply::ok());
    for (body, x, told) in [
        (
            "form: '{{ x }}'",
            json!([1]),
            "form: an array is no map of fields",
        ),
        (
            "form: { a: '{{ x }}' }",
            json!([{ "b": 1 }]),
            "form `a`: an object cannot be written as one value; `style: indexed` writes lists of objects",
        ),
        (
            "text: '{{ x }}'",
            json!({}),
            "body: an object cannot be written as text",
        ),
        (
            "bytes: { base64: '{{ x }}' }",
            json!("a b"),
            "body: the param `x` is no base64: Invalid symbol 32, offset 1.",
        ),
        (
            "bytes: { file: '{{ x }}' }",
            json!(""),
            "body: \"\" is no path of a file",
        ),
        (
            "multipart: { a: { base64: '{{ x }}' } }",
            json!("aGk=="),
            "part `a`: the param `x` is no base64: Invalid symbol 61, offset 3.",
        ),
        (
            "multipart: { a: '{{ x }}' }",
            json!([[1]]),
            "part `a`: an array cannot be written as text",
        ),
        (
            "multipart: { a: { value: 1, content_type: '{{ x }}' } }",
            json!("text/plain\r\nx: y"),
            "part `a`: `text/plain\\r\\nx: y` is no media type, such as application/json",
        ),
        (
            "{ text: a, content_type: '{{ x }}' }",
            json!("text/plain\r\nx: y"),
            "body.content_type: `text/plain\\r\\nx: y` is no media type, such as application/json",
        ),
        (
            "graphql: { query: '{ a }', variables: '{{ x }}' }",
            json!([1]),
            "graphql.variables: an array is no map of variables",
        ),
    ] {
        let workspace = probe(&fake.origin(), &in_braces(body));
        let error =
            call(below(&workspace), &tool(&workspace), &json!({ "x": x })).expect_err("no form");
        assert_eq!(
            (error.kind(), error.to_string()),
            (
                ErrorKind::Usage,
                format!("the request cannot be built: {told}")
            ),
            "{body}"
        );
    }
    assert_eq!(fake.requests(), []);
}

// Local files

#[test]
fn local_files_are_read_only_where_that_was_allowed() {
    let fake = Fake::start(|_| Reply::ok());
    let workspace = probe(&fake.origin(), "body: { bytes: { file: '{{ x }}' } }");
    workspace.write("in/a.txt", "a");
    workspace.write("out.txt", "b");
    let tool = tool(&workspace);
    let below = Files::Below(workspace.path().join("in"));
    for (files, path, expected) in [
        (Files::Denied, "out.txt", Err(ErrorKind::Policy)),
        (below.clone(), "a.txt", Ok("a")),
        (below.clone(), "../out.txt", Err(ErrorKind::Policy)),
        (below.clone(), "/etc/hostname", Err(ErrorKind::Policy)),
        (below, "nothing.txt", Err(ErrorKind::Usage)),
    ] {
        let sent = fake.requests().len();
        let outcome = call(files, &tool, &json!({ "x": path }));
        match expected {
            Ok(text) => {
                outcome.expect("a call");
                assert_eq!(fake.requests()[sent].body, text.as_bytes());
            }
            Err(kind) => {
                assert_eq!(outcome.expect_err("no call").kind(), kind, "{path}");
                assert_eq!(fake.requests().len(), sent, "{path}");
            }
        }
    }
    let error = call(Files::default(), &tool, &json!({ "x": "out.txt" })).expect_err("no call");
    assert_eq!(error.kind(), ErrorKind::Policy);
}

#[test]
fn the_command_line_sends_files_and_tells_which_one_is_missing() {
    let fake = Fake::start(|_| Reply::ok());
    let workspace = probe(
        &fake.origin(),
        "body: { multipart: { a: { file: '{{ x }}' } } }",
    );
    workspace.service(
        &fake.origin(),
        "auth: { kind: bearer, secret: { env: PROBE_TOKEN } }",
    );
    workspace.write("a.txt", "hello");
    let told = workspace
        .run(&["call", "send", "x=nothing.txt", "--yes"])
        .expect(2)
        .stderr;
    assert!(
        told.contains("cannot read the file \"nothing.txt\""),
        "{told}"
    );
    workspace
        .run(&["call", "send", "x=nothing.txt", "--dry-run"])
        .expect(0);
    assert_eq!(fake.requests(), []);
    let mut command = workspace.toolrun();
    command.env("PROBE_TOKEN", "made-up");
    output(command.args(["call", "send", "x=a.txt", "--yes"])).expect(0);
    let (_, body) = got(&fake.only_request());
    let body = String::from_utf8(body).expect("text");
    assert!(
        body.contains("filename=\"a.txt\"") && body.contains("\r\n\r\nhello\r\n--B--"),
        "{body}"
    );
}

// What each call makes anew

#[test]
fn an_idempotency_key_is_new_for_each_call_and_the_same_on_each_retry() {
    let busy = Reply::new(503, "text/plain", "").with("retry-after", "0");
    let drop = Reply::manner(Manner::Drop);
    let fake = Fake::script([busy, drop, Reply::ok(), Reply::ok()]);
    let workspace = probe(
        &fake.origin(),
        "idempotency_key: { header: Idempotency-Key }, body: { multipart: { a: '{{ x }}' } }",
    );
    let (files, tool) = (below(&workspace), tool(&workspace));
    for _ in 0..2 {
        call(files.clone(), &tool, &json!({ "x": 1 })).expect("a call");
    }
    let seen: Vec<(String, String)> = fake
        .requests()
        .iter()
        .map(|request| {
            let text = |name| request.header(name).unwrap_or_default().to_owned();
            (text("idempotency-key"), text("content-type"))
        })
        .collect();
    let [first, second, third, fourth] = seen.as_slice() else {
        panic!("{seen:?}");
    };
    assert_eq!((first, second), (second, third));
    assert!(first.0 != fourth.0 && first.1 != fourth.1, "{seen:?}");
    for (key, _) in [first, fourth] {
        let key = uuid::Uuid::parse_str(key).expect("a UUID");
        assert_eq!(key.get_version_num(), 4);
    }
}

#[test]
fn an_idempotency_key_is_shown_by_what_it_is() {
    let workspace = probe("https://probe.test", "idempotency_key: { header: X-Key }");
    let tool = tool(&workspace);
    let plan = Engine::new()
        .plan(&Call::new(&tool, json!({})))
        .expect("a plan");
    let shown = ("x-key".to_owned(), "{uuid}".to_owned());
    assert!(plan.view().headers.contains(&shown));
    assert!(plan.to_http().contains("x-key: {uuid}\n"));
    assert!(plan.to_curl().contains("--header \"x-key: $(uuidgen)\""));
    let request = json!({ "method": "POST", "url": "https://probe.test/probe", "headers": { "X-Key": "{uuid}" } });
    let example = serde_json::from_value(json!({ "name": "one", "request": request }));
    assert_eq!(examples::run(&tool, &example.expect("an example")), []);
}

#[test]
fn without_a_key_a_post_is_sent_once_unless_it_says_so() {
    for (more, tries) in [
        ("", 1),
        ("idempotency_key: { header: k }", 3),
        ("idempotent: true", 3),
        ("idempotency_key: { header: k }, idempotent: false", 1),
    ] {
        let fake = Fake::script([Reply::new(503, "text/plain", "").with("retry-after", "0")]);
        let workspace = probe(&fake.origin(), more);
        call(below(&workspace), &tool(&workspace), &json!({})).expect_err("503");
        assert_eq!(fake.requests().len(), tries, "{more}");
    }
}

// GraphQL errors

#[test]
fn graphql_errors_are_errors_of_the_service() {
    let answers = [
        (
            json!({ "data": null, "errors": [{ "message": "No such thing.", "extensions": { "code": "NOT_FOUND" } }, { "message": "More." }] }),
            Some(("No such thing.", Some("NOT_FOUND"))),
        ),
        (
            json!({ "data": { "a": 1 }, "errors": [{ "message": "In part." }] }),
            Some(("In part.", None)),
        ),
        (json!({ "data": { "a": 1 }, "errors": [] }), None),
        (json!({ "data": { "a": 1 }, "errors": null }), None),
        (json!({ "data": { "a": 1 } }), None),
    ];
    for (answer, expected) in answers {
        let fake = Fake::script([Reply::json(200, &answer)]);
        let workspace = probe(&fake.origin(), "body: { graphql: { query: '{ a }' } }");
        match (
            call(below(&workspace), &tool(&workspace), &json!({})),
            expected,
        ) {
            (Ok(output), None) => assert_eq!(output, answer),
            (Err(Error::Upstream(upstream)), Some((message, code))) => {
                assert_eq!(upstream.status, 200);
                assert_eq!(upstream.message.as_deref(), Some(message));
                assert_eq!(upstream.code.as_deref(), code);
            }
            (given, _) => panic!("{answer}: {given:?}"),
        }
    }
    let fake = Fake::script([Reply::json(
        200,
        &json!({ "errors": [{ "message": "No." }] }),
    )]);
    let workspace = probe(&fake.origin(), "body: { graphql: { query: '{ a }' } }");
    workspace.run(&["call", "send", "--yes"]).expect(6);
    // With another kind of body, the same response is not an error.
    let workspace = probe(&fake.origin(), "body: { json: {} }");
    workspace.run(&["call", "send", "--yes"]).expect(0);
}

// The sandbox

/// A service with one tool and a sandbox that answers with the arguments.
fn echo(params: &str, body: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.service("https://probe.test", "");
    workspace.tool(
        "send",
        "write",
        &format!(
            "params: {{ properties: {{ {params} }} }}\nrequest: {{ method: POST, path: /probe, body: {{ {body} }} }}"
        ),
    );
    workspace.write(
        "descriptors/probe/sandbox.yaml",
        "spec: 1\nsandbox: probe\nseed: 1\nnow: \"2026-01-01T00:00:00Z\"\nrequest_id: r\nerrors: { body: { message: '{{ message }}' }, codes: {} }\nroutes: { send: { body: '{{ args }}' } }\n",
    );
    workspace
}

#[test]
fn the_sandbox_reads_arguments_back_out_of_bodies() {
    let items = "a: { type: array, items: { type: object, properties: { n: { type: integer } } } }";
    for (params, body, args) in [
        (
            "a: { type: string }, b: { type: integer }, c: { type: array, items: { type: integer } }",
            "form: { x: '{{ a }}', b: '{{ b }}', y: { z: '{{ c }}', w: fixed } }",
            json!({ "a": "é &=+", "b": 7, "c": [1, 2] }),
        ),
        (
            items,
            "form: { x: { value: '{{ a }}', style: indexed } }",
            json!({ "a": [{ "n": 1 }, { "n": 2 }] }),
        ),
        (
            "a: { type: array, items: { type: string } }, b: { type: array, items: { type: boolean } }",
            "form: { x: { value: '{{ a }}', style: comma }, b: { value: '{{ b }}', style: repeat } }",
            json!({ "a": ["p", "q"], "b": [true, false] }),
        ),
        (
            "a: { type: object, properties: { n: { type: number }, t: { type: string } } }",
            "form: '{{ a }}'",
            json!({ "a": { "n": 1.5, "t": "7" } }),
        ),
        (
            "a: { type: integer }, b: {}",
            "graphql: { query: 'query ($x: Int, $y: In) { t(x: $x, y: $y) }', variables: { x: '{{ a }}', y: { z: '{{ b }}' } } }",
            json!({ "a": 1, "b": [{ "k": null }] }),
        ),
        (
            "a: { type: string }",
            "text: '{{ a }}'",
            json!({ "a": "x\ny" }),
        ),
        (
            "a: { type: string }",
            "bytes: { base64: '{{ a }}' }",
            json!({ "a": "AP8=" }),
        ),
    ] {
        let workspace = echo(params, body);
        let output = workspace
            .run(&["call", "send", &args.to_string(), "--sandbox", "--yes"])
            .expect(0);
        assert_eq!(output.json(), args, "{body}");
    }
}

#[test]
fn a_sandbox_cannot_answer_parts_and_says_so() {
    let workspace = echo("a: { type: string }", "multipart: { a: '{{ a }}' }");
    let report = workspace
        .run(&["validate", "descriptors/probe/sandbox.yaml"])
        .expect(3);
    let told = "the sandbox cannot read the arguments of a `multipart` body back";
    assert!(
        report.stdout.contains(told) || report.stderr.contains(told),
        "{report:?}"
    );
}
