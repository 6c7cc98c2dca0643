//! Styles of arrays and objects: what a sandbox reads back is what was sent.

use crate::support::Workspace;
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

const SANDBOX: &str = "spec: 1
sandbox: probe
seed: 1
now: '2026-01-01T00:00:00Z'
request_id: r
errors: { body: { error: '{{ message }}' }, codes: {} }
data: {}
routes: { get-probe: { body: '{{ args }}' }, do-probe: { body: '{{ args }}' } }
";

const PARAMS: &str = "params:
  required: [l, o]
  properties:
    l: { type: array, items: { type: integer }, description: A list. }
    t: { type: array, items: { type: string }, default: [x], description: Texts. }
    o:
      type: object
      properties: { k: { type: string }, n: { type: integer } }
      additionalProperties: false
      description: An object.
    a: { type: string, description: A text. }
    b: { type: string, description: Another text. }
";

fn workspace(get: &str, body: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.service("https://api.test", "");
    workspace.write("descriptors/probe/sandbox.yaml", SANDBOX);
    workspace.tool("get-probe", "read", &format!("{PARAMS}request: {get}"));
    let post = format!(
        "{PARAMS}request: {{ method: POST, path: /do, query: [l, t], body: {{ {body} }} }}"
    );
    workspace.tool("do-probe", "write", &post);
    workspace.run(&["validate", "descriptors"]).expect(0);
    workspace
}

fn call(workspace: &Workspace, tool: &str, args: &Value) -> Value {
    let args = args.to_string();
    let arguments = ["call", tool, &args, "--sandbox", "--yes", "-o", "json"];
    workspace.run(&arguments).expect(0).json()
}

#[test]
fn a_sandbox_reads_the_path_and_the_query_back() {
    let rest = "query: { a: '{{ a }}', b: '{{ b }}' }";
    for (path, styles) in [
        (
            "/p/{{ l }}/{{ t }}/{{ o }}",
            "{ l: simple, t: simple, o: simple }",
        ),
        (
            "/p/x{{ l }}/{{ t }}.y/{{ o }}",
            "{ l: label, t: { style: simple, reserved: true }, o: { style: simple, explode: true } }",
        ),
        (
            "/p/{{ l }}/{{ t }}/{{ o }}",
            "{ l: { style: label, explode: true }, t: label, o: label }",
        ),
        (
            "/p/a{{ l }}/b{{ t }}/c{{ o }}",
            "{ l: { style: label, explode: true }, t: label, o: { style: label, explode: true } }",
        ),
        (
            "/p/{{ l }}/{{ t }}/{{ o }}",
            "{ l: matrix, t: matrix, o: { style: matrix, name: x } }",
        ),
        (
            "/p/{{ l }}/{{ t }}/{{ o }}",
            "{ l: { style: matrix, explode: true }, t: { style: matrix, explode: true }, o: { style: matrix, explode: true } }",
        ),
    ] {
        let get = format!("{{ method: GET, path: '{path}', path_styles: {styles}, {rest} }}");
        let workspace = workspace(&get, "json: { o: '{{ o }}', a: '{{ a }}', b: '{{ b }}' }");
        for args in [
            json!({ "l": [1, 2], "t": ["x/y", "z"], "o": { "k": "a=b,c;d", "n": 1 } }),
            json!({ "l": [3], "t": ["é ?#"], "o": { "n": 7 }, "a": "one" }),
        ] {
            assert_eq!(call(&workspace, "get-probe", &args), args, "{styles}");
        }
    }
}

#[test]
fn a_sandbox_reads_json_and_what_is_left_out_back() {
    let get = "{ method: GET, path: /p, query: { l: { value: '{{ l }}', style: json }, o: { value: '{{ o }}', style: json }, t: { value: '{{ t }}', style: comma, reserved: true }, a: { value: '{{ a }}', style: json }, b: { value: '{{ b }}', reserved: true } } }";
    for body in [
        "json: { o: '{{ o }}', f: { by: { a: '{{ a }}' }, l: ['{{ b }}'] } }",
        "form: { o: { value: '{{ o }}', style: json }, f: { a: '{{ a }}', b: '{{ b }}' } }",
    ] {
        let workspace = workspace(get, body);
        for args in [
            json!({ "l": [1], "t": ["x/y", "z"], "o": { "k": "a&b" } }),
            json!({ "l": [], "t": ["1", "2"], "o": {}, "a": "7", "b": "x/y?z=1&2" }),
        ] {
            assert_eq!(call(&workspace, "get-probe", &args), args, "{args}");
            // The query repeats the key, so it cannot have an empty list.
            let mut args = args;
            args["l"] = json!([1, 2]);
            assert_eq!(call(&workspace, "do-probe", &args), args, "{body} {args}");
        }
    }
}
