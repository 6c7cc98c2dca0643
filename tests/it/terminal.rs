//! Terminals: nothing in a response, a descriptor, a file name or an argument can control the terminal or hide from it.

use std::sync::LazyLock;

use crate::support::{Fake, Reply, Workspace, on_terminal, output};
use pretty_assertions::assert_eq;
use regex::Regex;
use serde_json::{Value, json};

/// Whether a terminal would obey a character or not show it.
const ATTACKS: [(&str, &str); 24] = [
    ("clipboard (OSC 52)", "\u{1b}]52;c;cm0gLXJmIH4=\u{7}"),
    ("title (OSC 0)", "\u{1b}]0;title\u{1b}\\"),
    (
        "link (OSC 8)",
        "\u{1b}]8;;http://evil.test\u{7}text\u{1b}]8;;\u{7}",
    ),
    ("clear (CSI)", "\u{1b}[2J\u{1b}[H"),
    ("colour (SGR)", "\u{1b}[8mhidden\u{1b}[0m"),
    ("device (DCS)", "\u{1b}P$q\"p\u{1b}\\"),
    ("report (CSI)", "\u{1b}[6n\u{1b}[21t"),
    ("reset (RIS)", "\u{1b}c"),
    ("C1 CSI", "\u{9b}31mred"),
    ("C1 OSC", "\u{9d}52;c;aGk=\u{9c}"),
    ("C1 next line", "a\u{85}b"),
    ("bell and backspace", "\u{7}pass\u{8}\u{8}\u{8}\u{8}fail"),
    ("carriage return", "ok\rfailed"),
    ("delete and null", "\u{7f}\u{0}"),
    ("shift out", "\u{e}lqqk\u{f}"),
    ("override", "\u{202e}fdp.exe\u{202c}"),
    ("isolates", "\u{2066}a\u{2067}b\u{2068}c\u{2069}"),
    ("marks", "a\u{200e}b\u{200f}c\u{61c}d"),
    ("zero width", "a\u{200b}b\u{200d}c\u{2060}d\u{feff}e"),
    (
        "soft hyphen and fillers",
        "a\u{ad}b\u{3164}c\u{115f}d\u{ffa0}e",
    ),
    ("separators", "a\u{2028}b\u{2029}c"),
    ("annotation", "a\u{fff9}b\u{fffa}c\u{fffb}d"),
    ("tags", "a\u{e0001}\u{e0069}\u{e0067}\u{e007f}"),
    ("selectors", "a\u{fe0f}b\u{e0100}c\u{180b}d"),
];

fn all_attacks() -> String {
    ATTACKS.iter().map(|(_, text)| *text).collect()
}

/// Uses Unicode's own tables, not the one under test.
static HIDDEN: LazyLock<Regex> = LazyLock::new(|| {
    let classes = r"[[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]--[\t\n]]";
    Regex::new(classes).expect("a pattern")
});

static COLOURS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("\u{1b}\\[[0-9;]*m").expect("a pattern"));

#[track_caller]
fn assert_harmless(bytes: &[u8], what: &str) -> String {
    let text = std::str::from_utf8(bytes);
    let text = text.unwrap_or_else(|error| panic!("{what}: {error}: {bytes:?}"));
    if let Some(found) = HIDDEN.find(text) {
        panic!("{what}: {:?} in {text:?}", found.as_str());
    }
    text.to_owned()
}

/// Runs the program on a terminal and asserts that the terminal got nothing harmful.
#[track_caller]
fn on_harmless_terminal(workspace: &Workspace, arguments: &[&str], what: &str) -> (i32, String) {
    let mut command = workspace.toolrun();
    command.args(arguments).env("NO_COLOR", "1");
    let (code, bytes) = on_terminal(&mut command);
    (
        code,
        assert_harmless(&bytes, &format!("{what}: {arguments:?}")),
    )
}

const READ: &str = "request: { method: GET, path: /probe }";

fn probe(fake: &Fake) -> Workspace {
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "retry: { max_attempts: 1 }");
    workspace.tool("get-probe", "read", READ);
    workspace.tool(
        "get-rows",
        "read",
        &format!("{READ}\nresponse: {{ output: {{ rows: $.rows, more: $.more }}, rows: rows }}"),
    );
    workspace.tool(
        "get-text",
        "read",
        &format!("{READ}\nresponse: {{ kind: text }}"),
    );
    workspace
}

/// A body in which everything is hostile: keys, cells, headings, facts.
fn hostile_body(text: &str) -> Value {
    let row = json!({ "id": 1, "plain": text, (format!("key {text}")): [text, { (text): text }] });
    json!({ "rows": [row, { "id": 2, "plain": "é" }], "more": { (text): text, "a": text } })
}

const FORMATS: [&str; 6] = ["json", "ndjson", "table", "csv", "yaml", "raw"];

#[test]
#[ignore = "long"]
fn no_attack_in_a_response_reaches_a_terminal_in_any_format() {
    for (name, text) in ATTACKS {
        let fake = Fake::script([Reply::json(200, &hostile_body(text))]);
        // JSON text that is not escaped at all.
        let unescaped = text
            .chars()
            .filter(|c| !matches!(c, '\0'..='\u{1f}' | '\\'));
        let unescaped = format!(
            "[{{\"a\": \"{}\"}}]",
            unescaped.collect::<String>().replace('"', "'")
        );
        let raw = Fake::script([Reply::new(200, "application/json", unescaped)]);
        for fake in [fake, raw] {
            let workspace = probe(&fake);
            for format in FORMATS {
                let arguments = ["call", "get-probe", "-o", format];
                let (code, told) = on_harmless_terminal(&workspace, &arguments, name);
                assert_eq!(code, 0, "{told}");
            }
            let arguments = ["call", "get-rows", "-o", "table"];
            on_harmless_terminal(&workspace, &arguments, name);
        }
    }
}

#[test]
fn no_attack_in_a_text_reaches_a_terminal_in_any_format() {
    let bytes = [all_attacks().as_bytes(), b"\xff\x9b31m \xc2 end"].concat();
    for (media_type, body) in [
        ("text/plain", bytes.clone()),
        ("text/plain", all_attacks().into_bytes()),
        (
            "application/octet-stream",
            vec![0x9b, b'3', b'1', b'm', 0x1b, 0xc2],
        ),
    ] {
        let fake = Fake::script([Reply::new(200, media_type, body)]);
        let workspace = probe(&fake);
        for format in FORMATS {
            on_harmless_terminal(&workspace, &["call", "get-text", "-o", format], media_type);
        }
        workspace.tool(
            "get-file",
            "read",
            &format!("{READ}\nresponse: {{ kind: bytes }}"),
        );
        let (code, _) = on_harmless_terminal(
            &workspace,
            &["call", "get-file", "--out", "-"],
            "a download",
        );
        assert_eq!(code, 0);
    }
}

#[test]
#[ignore = "long"]
fn no_attack_in_an_error_reaches_a_terminal_or_a_log() {
    for (name, text) in ATTACKS {
        for reply in [
            Reply::json(
                400,
                &json!({ "error": { "message": text, "code": text, (text): text } }),
            ),
            Reply::new(400, "text/plain", text),
            Reply::new(400, "text/html", format!("<title>{text}</title>")),
            Reply::new(200, "text/html", text),
        ] {
            let fake = Fake::script([reply]);
            let workspace = probe(&fake);
            for flags in [[].as_slice(), &["-o", "json"], &["-v"]] {
                let arguments = [&["call", "get-probe"], flags].concat();
                let (code, told) = on_harmless_terminal(&workspace, &arguments, name);
                assert!(matches!(code, 6 | 9), "{told}");
                let piped = workspace.run(&arguments);
                assert_harmless(piped.stderr.as_bytes(), name);
                assert_eq!(piped.stdout, "");
            }
        }
    }
}

#[test]
fn headers_of_a_response_are_harmless_in_verbose() {
    let fake = Fake::script([Reply::ok()
        .with("x-bidi", "a\u{202e}b\u{e0041}\u{9b}31m")
        .with("x-tab", "a\tb")]);
    let workspace = probe(&fake);
    let (code, told) = on_harmless_terminal(&workspace, &["call", "get-probe", "-v"], "-v");
    assert_eq!(code, 0, "{told}");
    assert!(
        told.contains("< x-bidi: a\\u{202e}b\\u{e0041}\\u{9b}31m\n"),
        "{told}"
    );
}

#[test]
fn pipes_get_escaped_json_and_data_as_it_is() {
    let text: String = all_attacks();
    let body = hostile_body(&text);
    let fake = Fake::script([Reply::new(200, "application/json", body.to_string())]);
    let workspace = probe(&fake);
    let run = |format: &str| {
        let told = workspace.run(&["call", "get-rows", "-o", format]).expect(0);
        assert_eq!(told.stderr, "");
        told
    };
    // The same JSON value, in harmless bytes.
    let json = run("json");
    assert_harmless(json.stdout.as_bytes(), "json");
    assert_eq!(json.json(), body);
    let lines = run("ndjson");
    assert_harmless(lines.stdout.as_bytes(), "ndjson");
    assert_eq!(Value::Array(lines.lines()), body["rows"]);
    assert_harmless(run("table").stdout.as_bytes(), "table");
    // Data for programs.
    assert!(run("csv").stdout.contains(&text.replace('"', "\"\"")));
    assert!(run("raw").stdout.contains('\u{202e}'));
    let yaml: Value = from_yaml(&run("yaml").stdout);
    assert_eq!(yaml["rows"][1]["plain"], "é");
    assert_eq!(
        yaml["rows"][0]["plain"]
            .as_str()
            .map(|s| s.contains('\u{202e}')),
        Some(true)
    );
}

fn from_yaml(text: &str) -> Value {
    ::serde_yaml::from_str(text).expect("YAML")
}

/// A YAML string with every character escaped that is not plain.
fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        ' ' | 'a'..='z' | 'A'..='Z' | '0'..='9' => c.to_string(),
        c => format!("\\U{:08x}", u32::from(c)),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// A folder of descriptors in which every text is hostile.
fn hostile_folder(fake: &Fake) -> Workspace {
    let workspace = Workspace::new();
    let evil = quoted(&all_attacks());
    workspace.service(
        &fake.origin(),
        &format!(
            "title: {evil}\ndescription: {evil}\nretry: {{ max_attempts: 1 }}\nsettings: {{ v: {{ default: {evil} }} }}\nquery: {{ v: \"{{{{ settings.v }}}}\" }}\nauth: {{ kind: bearer, secret: {{ env: PROBE_KEY, help: {evil}, pattern: \"^key\" }} }}"
        ),
    );
    workspace.tool(
        "get-evil",
        "write",
        &format!(
            "title: {evil}
docs: https://docs.test
params:
  properties:
    text: {{ type: string, description: {evil}, default: {evil} }}
    kind: {{ type: string, description: x, enum: [a, {evil}] }}
request:
  method: POST
  path: /probe/{{{{ text }}}}
  query: [kind]
  body: {{ json: {{ {evil}: \"{{{{ text }}}}\" }} }}
response: {{ output: {{ {evil}: $.a, b: {{ literal: {evil} }} }} }}
examples:
  - name: {evil}
    args: {{ text: {evil} }}
    response: {{ status: 200, body: {{ a: {evil} }} }}
    output: {{ {evil}: other }}
"
        ),
    );
    let text = std::fs::read_to_string(workspace.descriptors().join("probe/get-evil.yaml"));
    let text = text
        .expect("the tool")
        .replace("description: A probe.", &format!("description: {evil}"));
    workspace.write("descriptors/probe/get-evil.yaml", text);
    // Invalid descriptors, with marks that turn the direction of text in values and in keys.
    let hostile: String = all_attacks()
        .chars()
        .filter(|c| {
            *c >= ' '
                && !matches!(
                    c,
                    '\u{7f}'
                        ..='\u{9f}'
                            | '\u{fffe}'
                            | '\u{ffff}'
                            | '\u{2028}'
                            | '\u{2029}'
                            | '\u{feff}'
                )
        })
        .collect();
    workspace.write(
        "broken/probe/service.yaml",
        format!("spec: 1\nservice: probe\nbase_url: https://p.test\n# {hostile}\ntitel: \"{}\" # {hostile}\n", hostile.replace(['"', '\\'], "")),
    );
    workspace.write(
        "broken/probe/get-it.yaml",
        format!("spec: 1\ntool: get-it\nservice: probe\ndescription: {evil}\naccess: read\n{evil}: 1\nrequest: {{ method: {evil}, path: /x/{{{{ nope }}}} }}\n"),
    );
    workspace.write(
        "api.yaml",
        format!(
            "openapi: 3.1.0
info: {{ title: {evil}, version: {evil} }}
servers: [{{ url: https://shop.test }}, {{ url: {evil} }}]
paths:
  /a: {{ get: {{ operationId: getA, summary: {evil}, parameters: [{{ name: {evil}, in: query, description: {evil}, schema: {{ type: string, format: {evil} }} }}], responses: {{}} }} }}
  {evil}: {{ get: {{ operationId: {evil}, responses: {{}} }} }}
"
        ),
    );
    workspace
}

#[test]
#[ignore = "long"]
fn no_attack_in_a_descriptor_reaches_a_terminal_by_any_command() {
    let evil = all_attacks().replace('\0', "");
    let fake = Fake::script([Reply::json(400, &json!({ "error": { "message": &evil } }))]);
    let workspace = hostile_folder(&fake);
    let (key, at, set) = (format!("{evil}=1"), format!("@{evil}"), format!("{evil}=1"));
    let text = format!("text={evil}");
    for arguments in [
        ["list"].as_slice(),
        &["list", "evil"],
        &["list", &evil],
        &["list", "--service", &evil],
        &["docs"],
        &["docs", "-o", "md"],
        &["docs", "get-evil"],
        &["docs", "get-evil", "-o", "md"],
        &["docs", "get-evil", "--open"],
        &["docs", &evil],
        &["man"],
        &["man", &evil],
        &["call", "get-evil", "--help"],
        &["call", &evil, "--help"],
        &["list", "--json"],
        &["show", "get-evil"],
        &["show", "get-evil", "--json"],
        &["show", &evil],
        &["test"],
        &["test", "descriptors"],
        &["test", "broken"],
        &["test", &evil],
        &["validate"],
        &["validate", "descriptors"],
        &["validate", "broken"],
        &["validate", "broken", "--format", "json"],
        &["validate", "broken", "--format", "sarif"],
        &["validate", "broken", "--format", "github"],
        &["validate", "broken", "--format", "junit"],
        &["validate", &evil],
        &["explain"],
        &["explain", &evil],
        &["explain", "bad-name"],
        &["import", "openapi", "api.yaml", "--dry-run"],
        &[
            "import",
            "openapi",
            "api.yaml",
            "--dry-run",
            "--format",
            "json",
        ],
        &["import", "openapi", "api.yaml", "--into", &evil],
        &["import", "openapi", &evil],
        &["import", "openapi", "api.yaml", "--include", &evil],
        &["sandbox", &evil],
        &["schemas", "--check", &evil],
        &["completions", "bash"],
        &["completions", &evil],
        &["call", "get-evil"],
        &["call", "get-evil", "--yes"],
        &["call", "get-evil", "--yes", "-v"],
        &["call", "get-evil", "--yes", "-o", "json"],
        &["call", "get-evil", "--dry-run"],
        &["call", "get-evil", "--dry-run=curl", "text=x\u{202e}"],
        &["call", "get-evil", "--dry-run=json", &text],
        &["call", "get-evil", "--dry-run=http", &text],
        &["call", "get-evil", &key],
        &["call", "get-evil", &key, "-o", "json"],
        &["call", "get-evil", &at],
        &["call", "get-evil", "--set", &set],
        &["call", "get-evil", "--set", &evil],
        &["call", "get-evil", "--timeout", &evil],
        &["call", "get-evil", "--cacert", &evil, "--yes"],
        &["call", "get-evil", "--out", &evil, "--yes"],
        &["call", "get-evil", "--sandbox", "--fault", &evil],
        &["call", &evil],
        &["call", "get-evil", "-o", &evil],
        &["--tools", &evil, "call", "get-evil"],
        &[&evil],
        &["--help"],
        &["call", "--help"],
    ] {
        for with_key in [false, true] {
            let mut command = workspace.toolrun();
            command.args(arguments);
            if with_key {
                command.env("PROBE_KEY", "key-0123456789abcdef");
            }
            // Our own colours are all that may be left.
            let (_, bytes) = on_terminal(&mut command);
            let text = String::from_utf8(bytes).expect("UTF-8");
            let text = COLOURS.replace_all(&text, "");
            let what = format!("{arguments:?}");
            assert_harmless(text.as_bytes(), &what);
            assert!(!text.trim().is_empty(), "{what} says nothing");
            let piped = output(&mut command_of(&workspace, arguments, with_key));
            assert_harmless(piped.stderr.as_bytes(), &what);
            let is_data = arguments.contains(&"--dry-run=curl");
            if !is_data {
                assert_harmless(piped.stdout.as_bytes(), &what);
            }
        }
    }
}

fn command_of(workspace: &Workspace, arguments: &[&str], with_key: bool) -> std::process::Command {
    let mut command = workspace.toolrun();
    command.args(arguments);
    if with_key {
        command.env("PROBE_KEY", "key-0123456789abcdef");
    }
    command
}

#[test]
fn a_finding_points_at_its_place_behind_escaped_characters() {
    let workspace = Workspace::new();
    workspace.write(
        "d/probe/service.yaml",
        "spec: 1\nservice: probe\nbase_url: https://p.test\ntitle: \"\u{202e}a\"\n{\u{202e}titel: 1}\n".replace("{\u{202e}titel: 1}", "titel: \"\u{202e}\" "),
    );
    let told = workspace.run(&["validate", "d"]).expect(3).stdout;
    assert!(told.contains("titel: \"\\u{202e}\""), "{told}");
    let lines: Vec<&str> = told.lines().collect();
    let source = lines
        .iter()
        .position(|line| line.contains("titel: \""))
        .expect("the line");
    let carets = lines[source + 1];
    assert_eq!(carets.find('^'), lines[source].find("titel"), "{told}");
    assert_eq!(carets.matches('^').count(), "titel".len(), "{told}");
}

#[test]
fn colours_of_our_own_are_left_on_a_terminal() {
    let workspace = Workspace::new();
    workspace.write(
        "d/probe/service.yaml",
        "spec: 1\nservice: probe\nbase_url: https://p.test\ntitel: x\n",
    );
    let mut command = workspace.toolrun();
    let (code, bytes) = on_terminal(command.args(["validate", "d"]).env("TERM", "xterm"));
    let text = String::from_utf8(bytes).expect("UTF-8");
    assert_eq!(code, 3, "{text}");
    assert!(COLOURS.is_match(&text), "{text:?}");
    assert!(!COLOURS.is_match(&workspace.run(&["validate", "d"]).stdout));
}

#[test]
fn writing_of_all_kinds_stays_readable_on_a_terminal() {
    let words = [
        "naïve façade",
        "漢字かな",
        "السلام عليكم",
        "שלום",
        "می\u{200c}خواهم",
        "👨\u{200d}👩\u{200d}👧 👍🏽",
        "e\u{301}",
    ];
    let fake = Fake::script([Reply::json(
        200,
        &json!({ "rows": words.map(|word| json!({ "word": word })) }),
    )]);
    let workspace = probe(&fake);
    for format in ["table", "json", "csv", "yaml", "ndjson", "raw"] {
        let mut command = workspace.toolrun();
        let (_, bytes) = on_terminal(command.args(["call", "get-rows", "-o", format]));
        let text = String::from_utf8(bytes).expect("UTF-8");
        for word in words {
            assert!(text.contains(word), "{format}: {word} is not in {text}");
        }
    }
}

#[test]
fn a_walk_on_a_terminal_moves_its_line_and_nothing_else() {
    let evil = all_attacks();
    let page = json!({ "rows": [{ "a": &evil }], "next": null });
    let fake = Fake::script([Reply::json(200, &page)]);
    let workspace = probe(&fake);
    workspace.tool("list-rows", "read", &format!("{READ}\npaging: {{ items: $.rows, next_url: $.next }}\nresponse: {{ output: {{ rows: $.rows }}, rows: rows }}"));
    let mut command = workspace.toolrun();
    command.args(["call", "list-rows", "--all", "-o", "table"]);
    let (code, bytes) = on_terminal(command.env("NO_COLOR", "1"));
    assert_eq!(code, 0);
    let text = String::from_utf8(bytes).expect("UTF-8");
    // The progress line may move the cursor: it returns to the margin and clears itself.
    let own = Regex::new("\r|\u{1b}\\[[0-9]*[KAB]|\u{1b}\\[\\?25[lh]").expect("a pattern");
    assert_harmless(own.replace_all(&text, "").as_bytes(), "a walk");
}

#[test]
fn only_one_place_of_the_command_line_prints() {
    let mut found = Vec::new();
    let mut folders = vec![std::path::PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.ends_with("src/cli/terminal") || path.ends_with("src/build.rs") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a file");
            for (i, line) in text.lines().enumerate() {
                let prints = [
                    "stdout()",
                    "stderr()",
                    "println!",
                    "print!(",
                    "ProgressBar::",
                ];
                let is_comment = line.trim_start().starts_with("//");
                if !is_comment && prints.iter().any(|word| line.contains(word)) {
                    // `Format::for_stdout` and clap's `use_stderr` print nothing.
                    let harmless = line.contains("for_stdout()") || line.contains("use_stderr()");
                    if !harmless {
                        found.push(format!("{}:{}: {}", path.display(), i + 1, line.trim()));
                    }
                }
            }
        }
    }
    assert_eq!(found, [""; 0]);
}
