//! The reference pages agree with the program: no key, option, format, code or word of it is missing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use toolrun::internals::check::Kind;

use crate::support::{DocPage, Workspace, doc_page};

/// The words in the code of a text: of spans and of blocks.
fn words_in_code(text: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let mut is_block = false;
    let mut add = |code: &str| {
        let parts = code.split(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c)));
        words.extend(parts.filter(|word| !word.is_empty()).map(str::to_owned));
    };
    for line in text.lines() {
        if line.starts_with("```") {
            is_block = !is_block;
        } else if is_block {
            add(line);
        } else {
            line.split('`').skip(1).step_by(2).for_each(&mut add);
        }
    }
    words
}

/// The sections of a page, from heading to heading.
fn sections(page: &DocPage) -> Vec<String> {
    let mut sections = vec![String::new()];
    let mut is_block = false;
    for line in page.text.lines() {
        is_block ^= line.starts_with("```");
        if line.starts_with('#') && !is_block {
            sections.push(String::new());
        }
        let last = sections.last_mut().expect("a section");
        last.push_str(line);
        last.push('\n');
    }
    sections
}

/// The names that belong together in a schema: the keys of each map, and the words of each choice. By the place in the
/// schema.
fn families(schema: &Value, at: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get("properties") {
                found.insert(at.to_owned(), properties.keys().cloned().collect());
            }
            let choices = members.get("oneOf").and_then(Value::as_array);
            let words: BTreeSet<String> = choices
                .into_iter()
                .flatten()
                .filter_map(|choice| choice["const"].as_str())
                .chain(
                    members
                        .get("enum")
                        .and_then(Value::as_array)
                        .into_iter()
                        .flatten()
                        .filter_map(Value::as_str),
                )
                .map(str::to_owned)
                .collect();
            if !words.is_empty() {
                found.insert(format!("{at}, its words"), words);
            }
            for (key, member) in members {
                families(member, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                families(item, &format!("{at}/{i}"), found);
            }
        }
        _ => {}
    }
}

fn families_of(kind: Kind) -> BTreeMap<String, BTreeSet<String>> {
    let path = format!("schemas/{}", kind.file_name());
    let mut schema: Value = serde_json::from_str(&doc_page(&path).text).expect("JSON");
    // What an editor starts a file with is an example.
    schema
        .as_object_mut()
        .expect("an object")
        .remove("defaultSnippets");
    // The keywords of JSON Schema are no keys of the format.
    if let Some(Value::Object(definitions)) = schema.get_mut("$defs") {
        definitions.remove("Schema");
    }
    let mut found = BTreeMap::new();
    families(&schema, &path, &mut found);
    found
}

/// What no section of a page names as a whole.
fn unnamed(page: &DocPage, found: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let sections: Vec<BTreeSet<String>> = sections(page)
        .iter()
        .map(|text| words_in_code(text))
        .collect();
    let mut unnamed = Vec::new();
    for (at, names) in found {
        let missing = sections.iter().map(|words| names.difference(words));
        let fewest = missing.min_by_key(|missing| missing.clone().count());
        let fewest: Vec<&String> = fewest.into_iter().flatten().collect();
        if !fewest.is_empty() {
            unnamed.push(format!("{at}: {fewest:?}"));
        }
    }
    unnamed
}

#[test]
fn the_reference_names_every_key_in_one_section_with_its_siblings() {
    let page = doc_page("docs/descriptors.md");
    let mut count = 0;
    for kind in Kind::ALL {
        let found = families_of(kind);
        count += found.len();
        let unnamed = unnamed(&page, &found);
        assert!(unnamed.is_empty(), "{}", unnamed.join("\n"));
    }
    assert!(count >= 60, "{count} families of keys");
}

#[test]
fn a_key_that_is_missing_is_found() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let found = BTreeMap::from([("it".to_owned(), names(&["items", "next"]))]);
    for (page, told) in [
        ("# A\n`items` and `next`\n", None),
        ("# A\n```yaml\nitems: $.a\nnext: b\n```\n", None),
        ("# A\n`items` and next\n", Some("it: [\"next\"]")),
        ("# A\n`items`\n# B\n`next`\n", Some("it: [\"next\"]")),
    ] {
        let unnamed = unnamed(&DocPage::of(page), &found);
        assert_eq!(unnamed.first().map(String::as_str), told, "{page}");
    }
}

/// The pieces of descriptors on the page, each in a whole file around it.
#[test]
fn the_pieces_of_descriptors_are_valid() {
    let page = doc_page("docs/descriptors.md");
    let head = "spec: 1\nservice: probe\n";
    let base = "base_url: https://probe.test\n";
    let settings = "settings:\n  account: { pattern: '^[a-z]+$', example: a }\n  shop: { pattern: '^[a-z]+$', example: a }\n  url: { example: 'https://a.example.com' }\n";
    let token = "auth: { kind: oauth2, grant: client_credentials, token_url: 'https://login.example.com', client_id: id, client_secret: { env: S }, response: { values: { instance_url: $.url } } }\n";
    let tool = "spec: 1\ntool: probe\nservice: { service: probe, base_url: 'https://probe.test' }\ndescription: A probe.\naccess: read\n";
    let request = "request: { method: GET, path: /things }\n";
    let params = "params: { required: [format], properties: { format: { type: string, description: A format. } } }\n";
    let orders = tool.replace("probe.test", "api.example.com")
        + "params: { properties: { after: { type: string, description: A cursor. } } }\nrequest: { method: GET, path: /orders, query: [after] }\npaging: { items: $.data, next: { after: $.next } }\nresponse: { output: { orders: { each: '$.data[*]', as: { id: $.id } } }, rows: orders }\n";
    let mut count = 0;
    for block in page.blocks_of("yaml") {
        let files: Vec<(&str, String)> = match block.split(':').next().unwrap_or_default() {
            "base_url" if block.contains("\nauth:") => {
                vec![("probe/service.yaml", format!("{head}{block}"))]
            }
            "base_url" => block
                .lines()
                .map(|line| {
                    (
                        "probe/service.yaml",
                        format!("{head}{line}\n{settings}{token}"),
                    )
                })
                .collect(),
            "auth" => vec![("probe/service.yaml", format!("{head}{base}{block}"))],
            "request" => vec![("probe.yaml", format!("{tool}{params}{block}"))],
            "params" => vec![("probe.yaml", format!("{tool}{block}"))],
            "response" => vec![("probe.yaml", format!("{tool}{request}{block}"))],
            "examples" => vec![("probe.yaml", format!("{orders}{block}"))],
            "allow" => vec![("probe.yaml", format!("{tool}{request}{block}"))],
            // A sandbox, a document and a comment have tests of their own.
            "data" | "# petstore.yaml\nopenapi" | "# yaml-language-server" => continue,
            other => panic!("what is a block that begins with {other}?"),
        };
        for (name, text) in files {
            count += 1;
            let workspace = Workspace::new();
            workspace.write(&format!("descriptors/{name}"), &text);
            let told = workspace.run(&["validate", "descriptors"]);
            assert_eq!(told.code, 0, "{text}{}", told.stdout);
        }
    }
    assert!(count >= 7, "{count} pieces");
}

#[test]
fn the_reference_names_every_filter() {
    let source = doc_page("src/template/functions.rs").text;
    let added = source.split("add_filter(\"").skip(1);
    let filters: BTreeSet<String> = added
        .filter_map(|rest| rest.split('"').next())
        .map(str::to_owned)
        .collect();
    assert!(filters.len() >= 5, "{filters:?}");
    let page = doc_page("docs/descriptors.md");
    assert_eq!(first_cells(&page, "filter"), filters);
}

/// The options in a help text.
fn options_of(help: &str) -> BTreeSet<String> {
    let words = help.lines().filter_map(|line| {
        let line = line.trim_start();
        let is_option = line.starts_with('-');
        is_option.then(|| line.split("  ").next().unwrap_or_default())
    });
    let parts = words.flat_map(|word| word.split([' ', ',', '=', '[']));
    parts
        .filter(|part| part.starts_with("--"))
        .map(str::to_owned)
        .collect()
}

/// The commands of the program, those of `import` too.
fn commands() -> Vec<Vec<String>> {
    let help = Workspace::new().run(&["help"]).expect(0).stdout;
    let list = help.split("Commands:\n").nth(1).expect("commands");
    let names = list
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next());
    let mut commands: Vec<Vec<String>> = names.map(|name| vec![name.to_owned()]).collect();
    for format in ["openapi", "discovery", "postman", "curl"] {
        commands.push(vec!["import".to_owned(), format.to_owned()]);
    }
    commands
}

#[test]
fn the_page_of_the_command_line_names_every_command_and_option() {
    let page = doc_page("docs/command-line.md");
    let words = words_in_code(&page.text);
    let workspace = Workspace::new();
    let (commands, mut missing, mut count) = (commands(), BTreeSet::new(), 0);
    assert!(commands.len() >= 16, "{commands:?}");
    for command in commands {
        let name = command.join(" ");
        if !page.text.contains(&format!("`toolrun {name}")) {
            missing.insert(format!("toolrun {name}"));
        }
        if name == "help" {
            continue;
        }
        let mut words_of_help: Vec<&str> = command.iter().map(String::as_str).collect();
        words_of_help.push("--help");
        let help = workspace.run(&words_of_help).expect(0).stdout;
        let options = options_of(&help);
        assert!(options.contains("--help"), "{help}");
        count += options.len();
        let unnamed = options.into_iter().filter(|option| !words.contains(option));
        missing.extend(unnamed.map(|option| format!("toolrun {name} {option}")));
    }
    assert!(missing.is_empty(), "{missing:?}");
    assert!(count >= 80, "{count} options");
}

/// The words in the first cells of a table's rows, by the heading of its first column.
fn first_cells(page: &DocPage, heading: &str) -> BTreeSet<String> {
    let start = format!("| {heading} |");
    let rows = page
        .text
        .lines()
        .skip_while(|line| !line.starts_with(&start));
    let rows = rows.skip(2).take_while(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    let words = cells.flat_map(|cell| cell.split(','));
    let words = words.map(|word| word.trim().trim_matches('`').to_owned());
    words.collect()
}

/// The possible values that a help text lists with their meanings.
fn values_of(help: &str, option: &str) -> BTreeSet<String> {
    let rest = help.split(option).nth(1).expect("the option");
    let list = rest.split("Possible values:\n").nth(1).expect("values");
    let lines = list.lines().map(str::trim);
    let lines = lines.take_while(|line| line.starts_with("- "));
    let names = lines.filter_map(|line| line[2..].split(':').next());
    names.map(|name| name.trim().to_owned()).collect()
}

#[test]
fn the_tables_have_the_formats_of_the_program() {
    let workspace = Workspace::new();
    for (command, option, page, heading) in [
        ("call", "--output", "docs/command-line.md", "`--output`"),
        ("validate", "--format", "docs/ci.md", "`--format`"),
    ] {
        let help = workspace.run(&[command, "--help"]).expect(0).stdout;
        let values = values_of(&help, option);
        assert_eq!(first_cells(&doc_page(page), heading), values, "{command}");
    }
}

/// The facade has no list of these; it is the library's own table in `src/engine/note.rs`.
#[test]
fn the_table_has_every_reason_why_a_walk_stops() {
    let source = doc_page("src/engine/note.rs").text;
    let function = source.split("fn name(&self)").nth(1).expect("the table");
    let function = function.split("\n    }\n").next().expect("its end");
    let named: BTreeSet<String> = function
        .split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert!(named.len() >= 10, "{named:?}");
    let page = doc_page("docs/command-line.md");
    assert_eq!(first_cells(&page, "`stopped`"), named);
}

#[test]
fn the_exit_codes_of_the_pages_are_those_of_the_program() {
    let page = doc_page("docs/command-line.md");
    for code in 0..=10 {
        assert!(
            page.text.contains(&format!("| {code} |")),
            "exit code {code}"
        );
    }
    let told = first_cells(&page, "code");
    let source = doc_page("src/cli/mod.rs").text;
    let module = source.split("mod exit {").nth(1).expect("the codes");
    let module = module.split('}').next().expect("its end");
    let constants = module
        .lines()
        .filter_map(|line| line.split(": u8 = ").nth(1));
    let codes: Vec<&str> = constants.map(|code| code.trim_end_matches(';')).collect();
    assert_eq!(codes.len(), 11, "{codes:?}");
    // 128 stands for the signals, which the table lists one by one.
    for code in codes.iter().filter(|code| **code != "128") {
        assert!(told.contains(*code), "{code}");
    }
    for signal in [1, 2, 15] {
        assert!(told.contains(&(128 + signal).to_string()), "{signal}");
    }
}

#[test]
fn the_page_of_the_command_line_names_every_variable() {
    let page = doc_page("docs/command-line.md");
    let told = sections(&page)
        .into_iter()
        .find(|text| text.starts_with("## Environment variables"));
    let told = words_in_code(&told.expect("the section"));
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let pattern = root.join("src/**/*.rs");
    let mut count = 0;
    for path in glob::glob(&pattern.to_string_lossy()).expect("a glob") {
        let path = path.expect("a path");
        // The build's own variables stand in CONTRIBUTING.md.
        if path.ends_with("build.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a source file");
        for rest in text.split("TOOLRUN_").skip(1) {
            let is_name = |c: &char| c.is_ascii_uppercase() || *c == '_';
            let name: String = rest.chars().take_while(is_name).collect();
            // Completion scripts ask the program by the first; nobody sets it by hand. The tests that kill a program between two
            // statements set the second, and only dev builds read it.
            if !["COMPLETE", "FAULT_STATEMENTS"].contains(&name.as_str()) {
                count += 1;
                assert!(told.contains(&format!("TOOLRUN_{name}")), "TOOLRUN_{name}");
            }
        }
    }
    assert!(count >= 10, "{count} places");
}
