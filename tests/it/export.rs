//! `toolrun export`: definitions for models. What a format cannot say is in the description or told.

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use crate::support::{Workspace, assert_tells};

/// The formats for models, with their options.
pub(crate) const MODELS: [&[&str]; 6] = [
    &["mcp"],
    &["anthropic"],
    &["openai"],
    &["openai", "--nullable"],
    &["openai", "--api", "chat"],
    &["gemini"],
];

/// Texts that try to break out of wherever they are put.
pub(crate) const HOSTILE: &str = "Ends here. ---\n---\nname: other\n</script><script>alert(1)</script> | a | b |\n# Heading\n```sh\nrm -rf /\n```\n[click](javascript:alert(1)) ![x](https://evil.test/x.png) <!-- x --> \u{202e}\u{200b} {{ 1 }} `code` *b* _i_ \\";

/// A tool with every keyword of JSON Schema somewhere, and one whose texts are hostile.
pub(crate) fn hostile(workspace: &Workspace) {
    workspace.service(
        "https://probe.test/base",
        &format!(
            "title: {0}\ndescription: {0}\nauth: {{ kind: bearer, secret: {{ env: PROBE_KEY }} }}",
            json!(HOSTILE)
        ),
    );
    let keywords: Vec<String> = KEYWORDS
        .iter()
        .enumerate()
        .map(|(i, (_, schema))| format!("    p{i}: {schema}"))
        .collect();
    let names: Vec<String> = (0..KEYWORDS.len())
        .map(|i| format!("p{i}: '{{{{ p{i} }}}}'"))
        .collect();
    workspace.tool(
        "use-keywords",
        "write",
        &format!(
            "params:\n  required: [p0]\n  properties:\n{}\n  $defs: {{ tree: {{ type: object, description: A tree., properties: {{ below: {{ $ref: '#/$defs/tree' }} }} }} }}\nrequest: {{ method: POST, path: /x, body: {{ json: {{ {} }} }} }}\n",
            keywords.join("\n"),
            names.join(", ")
        ),
    );
    workspace.write(
        "descriptors/probe/say-things.yaml",
        format!(
            "spec: 1\ntool: say-things\nservice: probe\ntitle: {0}\ndescription: {0}\naccess: read\nparams: {{ properties: {{ a: {{ type: string, description: {0}, examples: [{0}] }} }} }}\nrequest: {{ method: GET, path: /say, query: [a] }}\nexamples: [{{ name: {0}, args: {{ a: {0} }} }}]\n",
            json!(HOSTILE)
        ),
    );
}

/// A keyword, and a schema that has it.
const KEYWORDS: [(&str, &str); 34] = [
    ("type", "{ type: string, description: Text. }"),
    (
        "integer",
        "{ type: [integer, string], description: Either. }",
    ),
    ("null", "{ type: [string, 'null'], maxLength: 5 }"),
    ("const", "{ const: only }"),
    ("enum", "{ enum: [a, 1, true, null] }"),
    (
        "oneOf",
        "{ oneOf: [{ type: string }, { type: array, items: { type: integer } }] }",
    ),
    (
        "anyOf",
        "{ anyOf: [{ type: object, properties: { x: { type: string } } }, { type: 'null' }] }",
    ),
    (
        "allOf",
        "{ type: object, allOf: [{ properties: { in_all: { type: string } }, required: [in_all] }, { minProperties: 1 }] }",
    ),
    (
        "if",
        "{ type: object, properties: { kind: { enum: [u, v] } }, if: { properties: { kind: { const: u } } }, then: { required: [only_u], properties: { only_u: { type: string } } }, else: { properties: { only_v: { type: string } } } }",
    ),
    (
        "dependentSchemas",
        "{ type: object, properties: { a: { type: string } }, dependentSchemas: { a: { properties: { with_a: { type: integer } } } } }",
    ),
    (
        "dependentRequired",
        "{ type: object, properties: { a: { type: string }, b: { type: string } }, dependentRequired: { a: [b] } }",
    ),
    ("not", "{ type: string, not: { pattern: '^x' } }"),
    ("pattern", "{ type: string, pattern: '^[a-z]+$' }"),
    ("format", "{ type: string, format: email }"),
    ("date-time", "{ type: string, format: date-time }"),
    ("maxLength", "{ type: string, minLength: 2, maxLength: 9 }"),
    ("maximum", "{ type: number, minimum: 0, maximum: 9.5 }"),
    (
        "exclusiveMaximum",
        "{ type: integer, exclusiveMinimum: 0, exclusiveMaximum: 9 }",
    ),
    ("multipleOf", "{ type: integer, multipleOf: 5 }"),
    (
        "maxItems",
        "{ type: array, minItems: 1, maxItems: 3, items: { type: string } }",
    ),
    (
        "prefixItems",
        "{ type: array, prefixItems: [{ type: string }, { type: integer }], items: false }",
    ),
    (
        "contains",
        "{ type: array, items: { type: string }, contains: { const: x }, maxContains: 2 }",
    ),
    ("items", "{ type: array }"),
    (
        "additionalProperties",
        "{ type: object, additionalProperties: { type: integer } }",
    ),
    (
        "patternProperties",
        "{ type: object, patternProperties: { '^x-': { type: string } } }",
    ),
    (
        "propertyNames",
        "{ type: object, propertyNames: { maxLength: 3 } }",
    ),
    ("maxProperties", "{ type: object, maxProperties: 3 }"),
    ("below", "{ $ref: '#/$defs/tree' }"),
    (
        "unevaluatedProperties",
        "{ type: object, allOf: [{ properties: { seen: { type: string } } }], unevaluatedProperties: false }",
    ),
    ("anything", "{ description: anything }"),
    ("deprecated", "{ type: string, deprecated: true }"),
    ("default", "{ type: string, default: by itself }"),
    (
        "a long rule",
        "{ type: object, description: a long rule, properties: { a: { type: string } }, if: { properties: { a: { const: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa } } }, then: { required: [bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb] } }",
    ),
    ("examples", "{ type: string, examples: [one such] }"),
];

fn workspace() -> Workspace {
    let workspace = Workspace::new();
    hostile(&workspace);
    workspace
}

fn export(workspace: &Workspace, flags: &[&str], tools: &[&str]) -> crate::support::Output {
    let mut words = vec!["export"];
    words.extend(flags);
    words.extend(tools);
    workspace.run(&words)
}

/// The definitions in a document, whatever its form.
fn functions(flags: &[&str], document: &Value) -> Vec<Value> {
    let list = match flags[0] {
        "mcp" => &document["tools"],
        "gemini" => &document[0]["functionDeclarations"],
        _ => document,
    };
    let list = list.as_array().expect("a list").clone();
    match flags {
        ["openai", "--api", "chat"] => list
            .into_iter()
            .map(|mut tool| tool["function"].take())
            .collect(),
        _ => list,
    }
}

fn schema(function: &Value) -> &Value {
    ["inputSchema", "input_schema", "parameters"]
        .into_iter()
        .find_map(|key| function.get(key))
        .unwrap_or(&Value::Null)
}

#[test]
#[ignore = "long"]
fn every_format_gives_the_same_bytes_twice_and_nothing_of_this_machine() {
    let workspace = workspace();
    for flags in MODELS {
        let one = export(&workspace, flags, &[]).expect(0);
        let two = export(&workspace, flags, &[]).expect(0);
        assert_eq!(one.stdout, two.stdout, "{flags:?}");
        let all = one.stdout + &one.stderr;
        for part in [
            &*workspace.path().to_string_lossy(),
            "PROBE_KEY",
            "\u{202e}",
            "\u{200b}",
        ] {
            assert!(!all.contains(part), "{flags:?}: {part}");
        }
    }
}

#[test]
fn tools_are_chosen_by_name_service_and_access() {
    let workspace = workspace();
    for (words, expected) in [
        (
            &["--service", "probe"][..],
            &["probe_say_things", "probe_use_keywords"][..],
        ),
        (
            &["--service", "probe", "--access", "read"],
            &["probe_say_things"],
        ),
        (
            &["say-things", "probe/use-keywords"],
            &["probe_say_things", "probe_use_keywords"],
        ),
        (&["list-workspaces"], &["anthropic_admin_list_workspaces"]),
    ] {
        for flags in MODELS {
            let document = export(&workspace, flags, words).expect(0).json();
            let names: Vec<Value> = functions(flags, &document)
                .into_iter()
                .map(|mut one| one["name"].take())
                .collect();
            assert_eq!(json!(names), json!(expected), "{flags:?} {words:?}");
        }
    }
    for (words, told) in [
        (&["nothing-such"][..], "there is no tool `nothing-such`"),
        (
            &["--service", "prob"],
            "there is no service `prob`; did you mean `probe`?",
        ),
        (
            &["--service", "probe", "--access", "destructive"],
            "there is no tool to export",
        ),
    ] {
        assert_tells(
            &export(&workspace, &["anthropic"], words).expect(2),
            &[told],
        );
    }
}

/// Of each keyword, the schema, a description or a note must say something.
#[test]
fn no_keyword_is_dropped_silently() {
    let workspace = workspace();
    for flags in MODELS {
        let output = export(&workspace, flags, &["use-keywords"]).expect(0);
        let document = output.json();
        let functions = functions(flags, &document);
        let properties = &schema(&functions[0])["properties"];
        for (i, (keyword, written)) in KEYWORDS.iter().enumerate() {
            let name = format!("p{i}");
            let made = properties[&name].to_string();
            let is_told = output.stderr.contains(&format!("`{name}`"))
                || output.stderr.contains(&format!("`{name}["));
            let says = |words: &[&str]| words.iter().any(|word| made.contains(word));
            let is_said = match *keyword {
                "integer" => says(&["integer", "INTEGER"]) && says(&["string", "STRING"]),
                "null" | "anyOf" => says(&["null"]),
                "const" => says(&["\"only\""]),
                "oneOf" => says(&["oneOf", "anyOf"]),
                "allOf" => says(&["in_all"]) && says(&["minProperties"]),
                "if" => says(&["only_u"]) && says(&["only_v"]),
                "dependentSchemas" => says(&["with_a"]),
                "prefixItems" => says(&["prefixItems"]),
                "items" | "unevaluatedProperties" | "anything" => !made.is_empty(),
                "examples" => says(&["one such"]),
                "below" => says(&["$ref", "below"]),
                word => says(&[word, &word.to_uppercase()]),
            };
            assert!(
                is_said || is_told,
                "{flags:?} {keyword}: {written} became {made}\n{}",
                output.stderr
            );
        }
    }
}

#[test]
fn strict_functions_require_everything_and_take_null_for_what_may_be_absent() {
    let workspace = Workspace::new();
    workspace.service("https://probe.test", "");
    workspace.tool(
        "get-a",
        "read",
        "params: { required: [id], properties: { id: { type: string, minLength: 1 } } }\nrequest: { method: GET, path: '/{{ id }}' }",
    );
    workspace.tool(
        "get-b",
        "read",
        "params: { required: [id], properties: { id: { type: string }, kind: { enum: [x, y] }, size: { type: integer, default: 5, maximum: 9 }, tags: { type: object } } }\nrequest: { method: GET, path: '/{{ id }}', query: { kind: '{{ kind }}', size: '{{ size }}', tags: { value: '{{ tags }}', style: deep_object } } }",
    );
    workspace.tool(
        "get-c",
        "read",
        "params: { required: [id], properties: { id: { type: string }, kind: { enum: [x, y] }, size: { type: integer, default: 5, maximum: 9 } } }\nrequest: { method: GET, path: '/{{ id }}', query: [kind, size] }",
    );
    let plain = export(&workspace, &["openai"], &["get-a", "get-b", "get-c"])
        .expect(0)
        .json();
    let are_strict: Vec<&Value> = plain
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["strict"])
        .collect();
    assert_eq!(json!(are_strict), json!([true, false, false]));
    assert_eq!(plain[0]["parameters"]["additionalProperties"], false);
    let output = export(
        &workspace,
        &["openai", "--nullable"],
        &["get-a", "get-b", "get-c"],
    )
    .expect(0);
    let nullable = output.json();
    let are_strict: Vec<&Value> = nullable
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["strict"])
        .collect();
    assert_eq!(json!(are_strict), json!([true, false, true]));
    assert_tells(
        &output,
        &[
            "note: probe/get-b: the function is not strict: `tags` may have members that the schema does not list",
        ],
    );
    assert_eq!(
        nullable[2]["parameters"],
        json!({
            "type": "object",
            "properties": {
                "id": { "type": "string" },
                "kind": { "enum": ["x", "y", null], "type": ["string", "null"] },
                "size": { "type": ["integer", "null"], "maximum": 9, "description": "(default: 5)" },
            },
            "required": ["id", "kind", "size"],
            "additionalProperties": false,
        })
    );
    assert_tells(
        &export(
            &workspace,
            &["openai", "--nullable", "--strict"],
            &["get-b"],
        )
        .expect(3),
        &["not everything could be exported"],
    );
}

#[test]
fn arguments_with_names_that_an_interface_refuses_are_left_out_or_the_tool_is() {
    let workspace = Workspace::new();
    workspace.service("https://probe.test", "");
    let request = "request: { method: GET, path: /x, query: ['a[b]', ok] }";
    workspace.tool("may", "read", &format!("params: {{ properties: {{ 'a[b]': {{ type: string }}, ok: {{ type: string }} }} }}\n{request}"));
    workspace.tool("must", "read", &format!("params: {{ required: ['a[b]'], properties: {{ 'a[b]': {{ type: string }}, ok: {{ type: string }} }} }}\n{request}"));
    for format in ["anthropic", "gemini"] {
        let output = export(&workspace, &[format], &["--service", "probe"]).expect(0);
        let document = output.json();
        let functions = functions(&[format], &document);
        assert_eq!(functions.len(), 1, "{format}");
        let names: Vec<&String> = schema(&functions[0])["properties"]
            .as_object()
            .unwrap()
            .keys()
            .collect();
        assert_eq!(names, ["ok"], "{format}");
        assert_tells(
            &output,
            &[
                "probe/may: the argument `a[b]` is left out",
                "probe/must: the tool is left out: it needs the argument `a[b]`",
            ],
        );
        export(&workspace, &[format], &["--service", "probe", "--strict"]).expect(3);
        assert_tells(
            &export(&workspace, &[format], &["must"]).expect(2),
            &["no tool is left"],
        );
    }
    let document = export(&workspace, &["openai"], &["--service", "probe"])
        .expect(0)
        .json();
    assert_eq!(document.as_array().unwrap().len(), 2);
}

#[test]
fn rules_over_all_arguments_are_said_and_told_whoever_named_the_dialect() {
    let workspace = Workspace::new();
    workspace.service("https://probe.test", "");
    for (tool, dialect) in [
        ("one", ""),
        (
            "two",
            "$schema: 'https://json-schema.org/draft/2020-12/schema', ",
        ),
    ] {
        workspace.tool(tool, "read", &format!("params: {{ {dialect}properties: {{ a: {{ type: string }}, b: {{ type: string }} }}, anyOf: [{{ required: [a] }}, {{ required: [b], description: one of them is needed }}] }}\nrequest: {{ method: GET, path: /x, query: [a, b] }}"));
    }
    for flags in &MODELS[1..] {
        let output = export(&workspace, flags, &["--service", "probe"]).expect(0);
        let document = output.json();
        for function in functions(flags, &document) {
            let description = function["description"].as_str().unwrap();
            assert!(
                description.contains("one of them is needed."),
                "{flags:?} {function}"
            );
            assert!(
                schema(&function).get("anyOf").is_none(),
                "{flags:?} {function}"
            );
        }
        assert_tells(
            &output,
            &["probe/one, probe/two: rules over several arguments stand in the description alone"],
        );
    }
}

#[test]
#[ignore = "long"]
fn broken_and_untrusted_tools_are_left_out_and_told() {
    let workspace = workspace();
    workspace.tool("bad", "read", "request: { method: GET, path: x }");
    workspace.write("tools/here.yaml", "spec: 1\ntool: here\nservice: { service: here, base_url: https://here.test }\ndescription: Here.\naccess: read\nrequest: { method: GET, path: /x }\n");
    for flags in MODELS {
        let output = export(&workspace, flags, &[]).expect(0);
        assert_tells(
            &output,
            &[
                "bad.yaml is broken and left out",
                "tools are left out: the folder is not trusted",
            ],
        );
        assert!(!output.stdout.contains("here_here"), "{flags:?}");
        let mut strict = flags.to_vec();
        strict.push("--strict");
        export(&workspace, &strict, &["--service", "probe"]).expect(3);
    }
}

#[test]
fn a_tool_is_called_by_the_name_in_its_definition() {
    let workspace = workspace();
    for (name, code) in [
        ("probe_say_things", 0),
        ("anthropic_admin_list_workspaces", 0),
        ("probe_say_thing", 2),
        ("probe_", 2),
    ] {
        workspace
            .run(&["call", name, "--dry-run=json"])
            .expect(code);
    }
    workspace.write("descriptors/alone-tool.yaml", "spec: 1\ntool: alone-tool\nservice: { service: some-one, base_url: https://here.test }\ndescription: Here.\naccess: read\nrequest: { method: GET, path: /x }\n");
    let plan = workspace
        .run(&["call", "some_one_alone_tool", "--dry-run=json"])
        .expect(0)
        .json();
    assert_eq!(plan["url"], "https://here.test/x");
}

/// A service in which everything that OpenAPI can say stands once, and some things that it cannot say.
fn shop(workspace: &Workspace) {
    workspace.write(
        "descriptors/shop/service.yaml",
        "spec: 1\nservice: shop\ntitle: Shop\nbase_url: 'https://{{ settings.region }}.shop.test/v1'\nsettings: { region: { default: eu, pattern: '^[a-z]+$' }, version: { default: '7' } }\nheaders: { x-version: '{{ settings.version }}', x-fixed: a }\nquery: { app: cli }\nauth:\n  - { kind: api_key, in: query, name: key, secret: { env: SHOP_KEY } }\n  - { kind: basic, username: me, password: { env: SHOP_PASSWORD } }\n",
    );
    let tool = |name: &str, rest: &str| {
        workspace.write(
            &format!("descriptors/shop/{name}.yaml"),
            format!("spec: 1\ntool: {name}\nservice: shop\ndescription: A tool.\n{rest}\n"),
        );
    };
    tool(
        "find-things",
        "access: read\nparams: { properties: { tags: { type: array, items: { type: string } }, near: { type: object, properties: { x: { type: integer } } }, ids: { type: array, items: { type: integer } }, sort: { type: string, default: name } } }\nrequest: { method: GET, path: /things, query: { tags: { value: '{{ tags }}', style: comma }, near: { value: '{{ near }}', style: deep_object }, id: { value: '{{ ids }}', style: pipe }, sort: '{{ sort }}', up: \"{{ sort | upper }}\" } }",
    );
    tool(
        "put-thing",
        "access: write\nparams: { required: [id, thing], properties: { id: { type: integer }, thing: { $ref: '#/$defs/thing' }, note: { type: string } }, $defs: { thing: { type: object, properties: { name: { type: string }, part: { $ref: '#/$defs/thing' } } } } }\nrequest: { method: PUT, path: '/things/{{ id }}', body: { json: { thing: '{{ thing }}', source: { kind: cli, note: '{{ note }}' } } } }",
    );
    tool(
        "ask-graph",
        "access: read\nrequest: { method: POST, path: /graph, body: { graphql: { query: '{ a }' } } }",
    );
    tool(
        "get-part",
        "access: read\nparams: { required: [id], properties: { id: { type: string } } }\nrequest: { method: GET, path: \"/things/{{ id | lower }}\" }",
    );
}

#[test]
fn an_openapi_document_says_what_requests_are_and_what_it_cannot_say_is_told() {
    let workspace = Workspace::new();
    shop(&workspace);
    let output = export(&workspace, &["openapi"], &["--service", "shop"]).expect(0);
    assert_tells(
        &output,
        &[
            "shop/find-things: the query parameter `up` is computed from the arguments",
            "shop/ask-graph: the tool is left out: it is a GraphQL operation",
            "shop/get-part: the tool is left out: a part of its path is computed",
        ],
    );
    let document = output.json();
    assert!(!output.stdout.contains("SHOP_"), "{}", output.stdout);
    assert_eq!(
        document["servers"],
        json!([{ "url": "https://{region}.shop.test/v1", "variables": { "region": { "default": "eu" } } }])
    );
    assert_eq!(
        document["security"],
        json!([{ "api_key": [], "basic2": [] }])
    );
    assert_eq!(
        document["components"]["securitySchemes"],
        json!({ "api_key": { "type": "apiKey", "in": "query", "name": "key" }, "basic2": { "type": "http", "scheme": "basic" } })
    );
    let parameters = &document["paths"]["/things"]["get"]["parameters"];
    let named = |name: &str| {
        let all = parameters.as_array().expect("parameters").iter();
        let mut one = all.clone().filter(|one| one["name"] == name).cloned();
        one.next().unwrap_or_else(|| panic!("{name}: {parameters}"))
    };
    for (name, part) in [
        ("tags", json!({ "style": "form", "explode": false })),
        ("near", json!({ "style": "deepObject", "explode": true })),
        ("id", json!({ "style": "pipeDelimited" })),
        (
            "sort",
            json!({ "required": true, "schema": { "type": "string", "default": "name" } }),
        ),
        (
            "app",
            json!({ "required": true, "schema": { "type": "string", "const": "cli", "default": "cli" } }),
        ),
        (
            "x-version",
            json!({ "in": "header", "required": true, "schema": { "type": "string", "default": "7" } }),
        ),
    ] {
        let parameter = named(name);
        for (key, value) in part.as_object().expect("members") {
            assert_eq!(&parameter[key], value, "{name} {parameter}");
        }
    }
    let body = &document["paths"]["/things/{id}"]["put"]["requestBody"];
    assert_eq!(body["required"], true);
    let schema = &body["content"]["application/json"]["schema"];
    assert_eq!(
        schema["properties"]["thing"],
        json!({ "$ref": "#/components/schemas/put-thing.thing" })
    );
    assert_eq!(
        schema["properties"]["source"]["properties"]["kind"]["const"],
        "cli"
    );
    assert_eq!(
        document["components"]["schemas"]["put-thing.thing"]["properties"]["part"]["$ref"],
        "#/components/schemas/put-thing.thing"
    );
    assert_tells(
        &export(&workspace, &["openapi"], &["list-workspaces", "put-thing"]).expect(2),
        &[
            "is of one service, and these tools are of anthropic-admin, shop; `--service` chooses one",
        ],
    );
    // The document is read again by the import.
    workspace.write("document.json", &output.stdout);
    workspace
        .run(&["import", "openapi", "document.json", "--into", "back/shop"])
        .expect(0);
    workspace.run(&["validate", "back"]).expect(0);
}

#[test]
fn an_entry_of_the_registry_says_where_the_server_is_and_bad_places_are_refused() {
    let workspace = workspace();
    let digest = "0123456789abcdef".repeat(4);
    let entry = |more: &[&str]| {
        let mut words = vec!["server-json", "--service", "probe"];
        words.extend(more);
        export(&workspace, &words, &[])
    };
    let name = ["--name", "io.github.someone/tools"];
    let bundle = [
        "--bundle",
        "https://example.com/x.mcpb",
        "--sha256",
        &digest,
    ];
    let whole = entry(&[&name[..], &bundle].concat()).expect(0);
    assert_tells(
        &whole,
        &["note: the title is cut: the registry takes 100 characters"],
    );
    let document = whole.json();
    assert_eq!(
        document["packages"][0]["environmentVariables"],
        json!([{ "name": "PROBE_KEY", "description": "A secret of probe.", "isRequired": true, "isSecret": true }])
    );
    assert_eq!(document["packages"][0]["fileSha256"], digest);
    for (more, told) in [
        (&["--name", "io.github.someone/tools"][..], "--bundle"),
        (
            &["--name", "tools", "--remote", "https://a.test/mcp"],
            "reverse DNS",
        ),
        (
            &["--name", "a.b/c", "--remote", "http://a.test/mcp"],
            "https://",
        ),
        (
            &["--name", "a.b/c", "--remote", "https://me@a.test/mcp"],
            "credentials",
        ),
        (
            &["--name", "a.b/c", "--bundle", "https://a.test/x.mcpb"],
            "--sha256",
        ),
        (
            &[
                "--name",
                "a.b/c",
                "--bundle",
                "https://a.test/x.mcpb",
                "--sha256",
                "abc",
            ],
            "64 digits",
        ),
        (
            &[
                "--name",
                "a.b/c",
                "--remote",
                "https://a.test/mcp",
                "--release",
                "latest",
            ],
            "such as 1.0.2",
        ),
        (
            &[
                "--name",
                "a.b/c",
                "--remote",
                "https://a.test/mcp",
                "--release",
                "^1",
            ],
            "no range",
        ),
    ] {
        assert_tells(&entry(more).expect(2), &[told]);
    }
}
