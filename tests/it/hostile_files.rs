//! Small files that ask for endless work or memory, and files that are none. Every command ends with them.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::process::Command;

use crate::support::{Workspace, peak};

/// The most memory that a command may take.
const MEMORY: usize = 200 << 20;
/// The most seconds of processor time that a development build may take. A release build takes about a tenth.
const SECONDS: u32 = 12;

const READS: &str = "request: { method: GET, path: /x, query: { a: '{{ a }}' } }";
const PARAM: &str = "params: { properties: { a: { type: string, default: x, description: A. } } }";

/// A hostile tool: what it asks for, and the file below its head.
struct Hostile {
    name: String,
    file: String,
    /// Whether `call --dry-run` works, since what is hostile concerns only the response.
    plans: bool,
}

fn hostile(name: &str, file: String) -> Hostile {
    Hostile {
        name: name.to_owned(),
        file,
        plans: false,
    }
}

fn at_response(name: &str, file: String) -> Hostile {
    Hostile {
        plans: true,
        ..hostile(name, file)
    }
}

fn repeated(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, i| {
        let _ = writeln!(text, "{}", line(i));
        text
    })
}

/// Definitions of which each refers to the next one twice.
fn doubled(keyword: &str) -> String {
    let line = |i| {
        let next = format!("{{ $ref: '#/$defs/d{}' }}", i + 1);
        format!("    d{i}: {{ {keyword}: [{next}, {next}] }}")
    };
    repeated(40, line) + "    d40: { type: string }\n"
}

fn schemas() -> Vec<Hostile> {
    let mut all: Vec<Hostile> = ["allOf", "anyOf", "oneOf"]
        .iter()
        .map(|keyword| {
            let params = "params:\n  properties: { a: { $ref: '#/$defs/d0', default: x, description: A. } }\n  $defs:\n";
            let name = format!("doubled-{}", keyword.to_lowercase());
            hostile(&name, format!("{params}{}{READS}", doubled(keyword)))
        })
        .collect();
    all.push(at_response(
        "doubled-output",
        format!(
            "{PARAM}\n{READS}\nresponse:\n  schema:\n   $ref: '#/$defs/d0'\n   $defs:\n{}\nexamples: [{{ name: e, response: {{ body: x }}, output: x }}]",
            doubled("allOf")
        ),
    ));
    let params = |count, line: &dyn Fn(usize) -> String| {
        let names = (0..count).map(|i| format!("p{i}")).collect::<Vec<_>>();
        format!(
            "params:\n  properties:\n{}request: {{ method: GET, path: /x, query: [{}] }}",
            repeated(count, line),
            names.join(", ")
        )
    };
    let param =
        |more: &str, i: usize| format!("    p{i}: {{ type: string, description: A.{more} }}");
    all.push(hostile(
        "patterns",
        params(5_000, &|i| param(", pattern: '^\\w{50}'", i)),
    ));
    all.push(hostile(
        "few-patterns",
        params(900, &|i| param(&format!(", pattern: '^\\w{{50}}{i}'"), i)),
    ));
    all.push(hostile(
        "defaults",
        params(5_000, &|i| param(", default: x", i)),
    ));
    all.push(hostile("many-params", params(10_000, &|i| param("", i))));
    all
}

/// Expressions that ask for time or memory by a number, or by values that stand in each other many times.
fn expressions() -> Vec<Hostile> {
    let deep = "([[[[1] * 99] * 99] * 99] * 99)";
    let mut all: Vec<String> = [
        "[1] | tojson(indent=4000000000)",
        "{'a': [1]} | tojson(1000000000)",
        "'n' * 60000000",
        "'n' * 9000000000",
        "[1] * 90000000",
        "'a\\nb' | indent(30000000, true)",
        "'%1000000000d' | format(1)",
        "'%.60000000f' | format(1.5)",
        "[1] | batch(900000000, 0)",
        "[1] | slice(900000000, 0)",
        "range(1, 0, -9223372036854775807) | list",
        "range(99999) | map('default', range(99999) | list, true) | list",
        "range(90000) | list | groupby(0)",
        "('a' * 9000) | replace('a', 'b' * 9000)",
        "range(9000) | join('x' * 9000)",
        "2 ** 100000000000",
        "debug([[1] * 3000] * 3000)",
    ]
    .iter()
    .map(ToString::to_string)
    .collect();
    for whole in ["{} == {}", "3 in {}", "{} ~ ''", "{ {}: 1 }"] {
        all.push(whole.replace("{}", deep));
    }
    for filter in [
        "tojson", "string", "pprint", "upper", "unique", "min", "join", "list",
    ] {
        all.push(format!("{deep} | {filter}"));
    }
    let tool = |(i, text): (usize, &String)| {
        let text = text.replace('\\', "\\\\");
        let file = format!(
            "{PARAM}\nrequest: {{ method: GET, path: /x, query: {{ a: '{{{{ a }}}}', b: \"{{{{ {text} }}}}\" }} }}\nexamples: [{{ name: e }}]"
        );
        hostile(&format!("expression-{i}"), file)
    };
    let mut all: Vec<Hostile> = all.iter().enumerate().map(tool).collect();
    let body = |name: &str, item: &str| {
        let items = repeated(900, |_| format!("    - \"{{{{ {item} }}}}\""));
        hostile(
            name,
            format!("{PARAM}\nrequest:\n  method: POST\n  path: /x\n  query: [a]\n  body:\n   json:\n{items}\nexamples: [{{ name: e }}]")
                .replace("access: read", "access: write"),
        )
    };
    all.push(body(
        "many-steps",
        "range(9000) | map('string') | map('upper') | join | length",
    ));
    all.push(body("many-texts", "'a' * 9000000"));
    all
}

fn responses() -> Vec<Hostile> {
    let projected = |name: &str, response: &str, body: &str| {
        at_response(
            name,
            format!(
                "{PARAM}\n{READS}\nresponse:\n{response}\nexamples: [{{ name: e, response: {{ body: {body} }}, output: 1 }}]"
            ),
        )
    };
    let nested = format!("{}{}", "[".repeat(60), "]".repeat(60));
    let doubling = repeated(40, |i| {
        format!("    l{}: \"{{{{ [l{i}, l{i}] }}}}\"", i + 1)
    });
    vec![
        projected(
            "doubled-names",
            &format!("  let:\n    l0: $\n{doubling}  output: '{{{{ l40 }}}}'"),
            "[1, 2, 3]",
        ),
        hostile(
            "doubled-selectors",
            projected(
                "x",
                &format!("  output: '${}'", "[*,*]".repeat(30)),
                &nested,
            )
            .file,
        ),
        hostile(
            "descendants",
            projected("x", &format!("  output: '${}'", "..*".repeat(9)), &nested).file,
        ),
    ]
}

fn many_findings() -> Vec<Hostile> {
    let sections = |count: usize| {
        repeated(4, |i| {
            let section = ["params", "request", "response", "paging"][i];
            format!(
                "{section}:\n{}",
                repeated(count, |i| format!("  wrong{i}: 1"))
            )
        })
    };
    vec![
        hostile(
            "many-keys",
            format!("{READS}\n{}", repeated(4_000, |i| format!("wrong{i}: 1"))),
        ),
        hostile("many-findings", sections(990)),
        hostile(
            "one-line",
            format!(
                "{READS}\nresponse: {{ output: [{}] }}",
                "'$.[', ".repeat(900)
            ),
        ),
    ]
}

/// Files that are hard to read at all.
fn documents() -> Vec<Hostile> {
    let aliases = repeated(40, |i| match i {
        0 => "a0: &a0 [x, x, x]".to_owned(),
        _ => format!(
            "a{i}: &a{i} [{}]",
            vec![format!("*a{}", i - 1); 9].join(", ")
        ),
    });
    let anchors = repeated(20_000, |i| format!("k{i}: &a{i} x"));
    let long_keys = repeated(950, |i| format!("k{i}{}: 1", "x".repeat(900)));
    let long = "p".repeat(65_535);
    let output = |text: String| format!("{PARAM}\n{READS}\nresponse: {{ output: {text} }}");
    vec![
        hostile("aliases", format!("{aliases}{READS}")),
        hostile("anchors-of-anchors", format!("{anchors}{READS}")),
        hostile(
            "long-key",
            format!("{PARAM}\n{READS}\n{}: 1", "k".repeat(900_000)),
        ),
        hostile("long-keys", format!("{PARAM}\n{READS}\n{long_keys}")),
        hostile(
            "long-param",
            format!(
                "params: {{ properties: {{ {long}p: {{ type: string, description: A. }} }} }}\nrequest: {{ method: GET, path: /x, query: {{ a: '{{{{ {long}q }}}}' }} }}"
            ),
        ),
        hostile(
            "deep-lists",
            output("[".repeat(200_000) + &"]".repeat(200_000)),
        ),
        hostile(
            "deep-maps",
            output("{a: ".repeat(90_000) + "1" + &"}".repeat(90_000)),
        ),
        hostile("documents", "---\n".repeat(200_000)),
    ]
}

/// Texts of one expression that are long or deep, and what other template languages can do.
fn deep_expressions() -> Vec<Hostile> {
    let texts = [
        (
            "parentheses",
            format!("{{{{ {}a{} }}}}", "(".repeat(60_000), ")".repeat(60_000)),
        ),
        ("nots", format!("{{{{ {}a }}}}", "not ".repeat(60_000))),
        (
            "filters",
            format!("{{{{ a {} }}}}", "| upper ".repeat(30_000)),
        ),
        ("sums", format!("{{{{ a {} }}}}", "~ a ".repeat(60_000))),
        ("members", format!("{{{{ a{} }}}}", ".a".repeat(100_000))),
        (
            "macros",
            "{% macro m(x) %}{{ m(m(x)) }}{% endmacro %}{{ m(a) }}".to_owned(),
        ),
        ("loops", "{% for i in range(9999) %}".repeat(9_000)),
        (
            "calls",
            "{{ self() }}{{ loop(a) }}{{ caller() }}{{ lipsum(99999) }}".to_owned(),
        ),
        ("open-braces", "{{".repeat(400_000)),
    ];
    let tool = |(name, text): (&str, String)| {
        hostile(
            name,
            format!("{PARAM}\nrequest: {{ method: GET, path: /x, query: {{ a: '{text}' }} }}"),
        )
    };
    texts.into_iter().map(tool).collect()
}

/// Schemas that are large, or whose parts lead to themselves; patterns and numbers.
fn large_schemas() -> Vec<Hostile> {
    let params = |count: usize, line: &dyn Fn(usize) -> String| {
        let names: Vec<_> = (0..count).map(|i| format!("p{i}")).collect();
        let lines = repeated(count, |i| {
            format!("    p{i}: {{ description: A., {} }}", line(i))
        });
        format!(
            "params:\n  properties:\n{lines}request: {{ method: GET, path: /x, query: [{}] }}",
            names.join(", ")
        )
    };
    let one = |schema: String| {
        format!("params: {{ properties: {{ a: {{ description: A., {schema} }} }} }}\n{READS}")
    };
    let list = |count: usize, item: &dyn Fn(usize) -> String| -> String {
        let items: Vec<String> = (0..count).map(item).collect();
        items.join(", ")
    };
    let branch = |i: usize| {
        format!(
            "{{ anyOf: [{}] }}",
            list(30, &|j| format!("{{ const: v{i}x{j} }}"))
        )
    };
    let circles = "params:
  $dynamicAnchor: n
  properties:
    a: { $dynamicRef: '#n', default: { a: { a: 1 } }, description: A. }
    b: { $ref: '#/$defs/x', description: A., default: 1 }
    c: { $ref: '#y', description: A., default: { c: { c: {} } } }
  $defs:
    x: { $ref: '#/$defs/z' }
    z: { $ref: '#/$defs/x' }
    y: { $anchor: y, allOf: [{ $ref: '#y' }, { $dynamicRef: '#n' }] }
request: { method: GET, path: /x, query: [a, b, c] }";
    let settings = list(900, &|i| {
        format!(
            "s{i}: {{ default: x, pattern: '^\\w{{{}}}$' }}",
            50 + i % 50
        )
    });
    vec![
        hostile("circles", circles.to_owned()),
        hostile(
            "numbers",
            params(500, &|_| {
                let nines = "9".repeat(800);
                format!("type: number, multipleOf: 1e-308, maximum: 1e999999999, default: {nines}")
            }),
        ),
        hostile(
            "repeats",
            params(900, &|i| {
                format!(
                    "type: string, pattern: '^(((a{{1,{}}}){{1,50}}){{1,50}}){i}$'",
                    50 - i % 9
                )
            }),
        ),
        hostile(
            "stars",
            params(900, &|i| {
                format!(
                    "type: string, default: {}, pattern: '^{}a*{}b{i}$'",
                    "a".repeat(300),
                    "(".repeat(40),
                    ")*".repeat(40)
                )
            }),
        ),
        hostile(
            "branches",
            one(format!("default: x, oneOf: [{}]", list(900, &branch))),
        ),
        hostile(
            "choices",
            one(format!(
                "default: x, enum: [{}]",
                list(90_000, &|i| format!("v{i}"))
            )),
        ),
        hostile(
            "unknown-required",
            format!(
                "params:\n  required: [{}]\n  properties: {{ {} }}\n{READS}",
                list(40_000, &|i| format!("nome{i}")),
                list(900, &|i| format!(
                    "name{i}: {{ type: string, description: A. }}"
                )),
            ),
        ),
        hostile(
            "settings",
            format!("{PARAM}\n{READS}\n#service\nsettings: {{ {settings} }}"),
        ),
    ]
}

/// Responses whose projections ask for far more than the response has.
fn large_outputs() -> Vec<Hostile> {
    let projected = |name: &str, response: &str, body: &str| {
        at_response(
            name,
            format!(
                "{PARAM}\n{READS}\nresponse:\n{response}\nexamples: [{{ name: e, response: {{ body: {body} }}, output: 1 }}]"
            ),
        )
    };
    let row = format!("{}1{}", "[".repeat(50), "]".repeat(50));
    let deep = format!("[{}]", vec![row.clone(); 1_700].join(","));
    let rows: Vec<String> = (0..15_000)
        .map(|i| format!("{{\"id\":{i},\"n\":\"x\"}}"))
        .collect();
    let rows = format!("[{}]", rows.join(","));
    let patterns: Vec<String> = (0..20_000)
        .map(|i| format!("\"\\\\w{{{}}}{i}\"", 50 + i % 200))
        .collect();
    let patterns = format!("[{}]", patterns.join(","));
    let many = |count: usize, node: &dyn Fn(usize) -> String| -> String {
        let nodes: Vec<String> = (0..count).map(node).collect();
        nodes.join(", ")
    };
    let walks = many(30, &|i| format!("a{i}: '$[0,0]'"));
    let nested = (0..30).fold("1".to_owned(), |node, _| {
        format!("{{ each: '$[0,0]', as: {node} }}")
    });
    let numbers = vec!["1"; 20_000].join(",");
    let examples = repeated(5_000, |i| {
        format!(
            "  - {{ name: e{i}, args: {{ a: b }}, response: {{ body: {{ x: {i} }} }}, output: z }}"
        )
    });
    let rules = many(900, &|i| {
        format!("{{ when: \"{{{{ body | tojson | length == {i} }}}}\", action: fail }}")
    });
    vec![
        projected(
            "nested-filters",
            "  output: '$..[?@..[?@..[?@..x]]]'",
            &deep,
        ),
        projected("nested-descendants", "  output: '$..*..*'", &deep),
        projected("absolute-filters", "  output: '$..[?$..[?@..x]]'", &deep),
        projected(
            "many-descendants",
            &format!(
                "  output: {{ {} }}",
                many(900, &|i| format!("a{i}: '$..x'"))
            ),
            &deep,
        ),
        projected(
            "many-copies",
            &format!("  output: {{ {} }}", many(900, &|i| format!("a{i}: $"))),
            &deep,
        ),
        projected(
            "computed-patterns",
            "  output: \"$[?search('x', @)]\"",
            &patterns,
        ),
        projected(
            "doubled-walks",
            &format!("  output: {{ each: {{ {walks} }}, as: 1 }}"),
            &row,
        ),
        projected("nested-walks", &format!("  output: {nested}"), &row),
        projected(
            "zips",
            &format!(
                "  output: {{ {} }}",
                many(900, &|i| format!("z{i}: {{ zip: {{ a: $.r, b: $.r }} }}"))
            ),
            &format!("{{ r: [{numbers}] }}"),
        ),
        projected("rules", &format!("  errors: [{rules}]\n  output: 2"), &rows),
        projected(
            "groups",
            &format!(
                "  output: {{ {} }}",
                many(300, &|i| format!(
                    "k{i}: \"{{{{ body | sort(attribute='id') | groupby('n') | list | length }}}}\""
                ))
            ),
            &rows,
        ),
        hostile(
            "many-examples",
            format!("{PARAM}\n{READS}\nresponse: {{ output: $.x }}\nexamples:\n{examples}"),
        ),
    ]
}

/// The files of before, and those of other kinds.
fn all() -> Vec<Hostile> {
    let all = [
        schemas(),
        expressions(),
        responses(),
        many_findings(),
        documents(),
        deep_expressions(),
        large_schemas(),
        large_outputs(),
    ];
    all.into_iter().flatten().collect()
}

/// Runs a command within a limit of processor time, and asserts that it ends by itself and within the memory.
#[track_caller]
pub(crate) fn ends(workspace: &Workspace, arguments: &[&str]) -> peak::Run {
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -t \"$1\"; shift; exec \"$@\"", "sh"])
        .arg(SECONDS.to_string())
        .arg(env!("CARGO_BIN_EXE_toolrun"))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .current_dir(workspace.path())
        .args(arguments);
    let run = peak::run(&mut command);
    assert!(
        matches!(run.code, 0 | 2 | 3),
        "{arguments:?} ended with {}: {}",
        run.code,
        run.stderr
    );
    assert!(
        run.peak < MEMORY,
        "{arguments:?} took {} MB",
        run.peak >> 20
    );
    run
}

fn write(hostile: &Hostile) -> (Workspace, String) {
    let workspace = Workspace::new();
    let Hostile { name, file, .. } = hostile;
    let head = format!(
        "spec: 1\ntool: {name}\nservice: {{ service: s, base_url: \"https://s.test\" }}\ndescription: D.\naccess: read\n"
    );
    let path = format!("descriptors/{name}.yaml");
    // Settings belong to the service.
    let text = match file.split_once("\n#service\n") {
        Some((file, more)) => {
            head.replace(
                "base_url: \"https://s.test\" }",
                &format!("base_url: \"https://s.test\", {more} }}"),
            ) + file
        }
        None => head + file,
    };
    workspace.write(&path, text);
    (workspace, path)
}

#[test]
#[ignore = "long"]
fn every_command_ends_with_a_hostile_file() {
    for hostile in all() {
        let (workspace, path) = write(&hostile);
        let Hostile { name, plans, .. } = &hostile;
        let with_tools = |arguments: &[&str]| {
            let all = [&["--tools", "descriptors"], arguments].concat();
            ends(&workspace, &all)
        };
        let validated = ends(&workspace, &["validate", &path]);
        assert_eq!(validated.code, 3, "validate {name}");
        assert!(validated.printed > 100, "validate {name} gives a finding");
        let tested = ends(&workspace, &["test", &path]);
        assert!(
            tested.code == 3 || !hostile.file.contains("examples:"),
            "test {name}: {}",
            tested.code
        );
        with_tools(&["list"]);
        with_tools(&["show", name]);
        let called = with_tools(&["call", name, "--dry-run"]);
        assert!(!plans || called.code == 0, "call {name}: {}", called.stderr);
    }
}

/// The findings of each format are printed in time that grows with their number alone.
#[test]
#[ignore = "long"]
fn every_report_of_thousands_of_findings_ends() {
    for hostile in many_findings() {
        let (workspace, path) = write(&hostile);
        for format in ["human", "json", "sarif", "github", "junit"] {
            let run = ends(&workspace, &["validate", &path, "--format", format]);
            assert_eq!(run.code, 3, "{format} {}", hostile.name);
        }
    }
}

/// Things in a folder that have the name of a descriptor, and are none.
#[test]
#[ignore = "long"]
fn every_command_ends_with_things_that_are_no_files() {
    let workspace = Workspace::new();
    workspace.service(
        "https://probe.test",
        "settings: { k: { default: a } }\nauth: { kind: bearer, secret: { env: KEY } }",
    );
    workspace.tool(
        "sound",
        "read",
        "request: { method: GET, path: '/{{ settings.k }}' }",
    );
    let at = |name: &str| workspace.descriptors().join("probe").join(name);
    let alone = workspace.descriptors();
    for pipe in [at("pipe.yaml"), alone.join("alone.yaml")] {
        let made = Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo").success());
    }
    let _socket = UnixListener::bind(at("socket.yaml")).expect("a socket");
    fs::create_dir(at("folder.yaml")).expect("a folder");
    symlink("circle.yaml", at("circle.yaml")).expect("a link");
    symlink(".", at("itself")).expect("a link");
    symlink("/dev/zero", at("zero.yaml")).expect("a link");
    let sparse = fs::File::create(at("sparse.yaml")).expect("a file");
    sparse.set_len(4 << 30).expect("a size");
    workspace.write("descriptors/probe/closed.yaml", "spec: 1\n");
    fs::set_permissions(at("closed.yaml"), fs::Permissions::from_mode(0o000)).expect("a mode");
    let names = [
        "sound", "pipe", "alone", "socket", "folder", "circle", "zero", "sparse", "closed",
    ];
    for command in ["validate", "test"] {
        ends(&workspace, &[command, "descriptors"]);
        ends(&workspace, &["--tools", "descriptors", command]);
        for name in names {
            let path = format!("descriptors/probe/{name}.yaml");
            let path = path.replace("probe/alone", "alone");
            let run = ends(&workspace, &[command, &path]);
            let is_sound = matches!(name, "sound" | "folder");
            assert!(is_sound || run.code != 0, "{command} {name}");
        }
    }
    let validated = workspace.run(&["validate", "descriptors"]).expect(3);
    for name in ["pipe", "alone", "socket", "circle", "zero", "sparse"] {
        let name = format!("{name}.yaml");
        assert!(
            validated.stdout.contains(&name),
            "{name}: {}",
            validated.stdout
        );
    }
    for command in ["list", "trust", "config"] {
        ends(&workspace, &["--tools", "descriptors", command]);
    }
    for name in names {
        ends(&workspace, &["--tools", "descriptors", "show", name]);
        ends(
            &workspace,
            &["--tools", "descriptors", "call", name, "--dry-run"],
        );
        ends(
            &workspace,
            &[
                "--tools",
                "descriptors",
                "call",
                &format!("probe/{name}"),
                "--dry-run",
            ],
        );
    }
    ends(
        &workspace,
        &["--tools", "descriptors", "call", "sound", "--dry-run"],
    );
}
