//! `validate --lint`: the built-in tools have none, each can be allowed in its place, and without `--lint` nobody hears of them.
//! Every code has its wrong and its right example in `codes.rs`.

use std::path::Path;

use pretty_assertions::assert_eq;

use crate::support::Workspace;

fn codes(workspace: &Workspace, arguments: &[&str]) -> Vec<String> {
    let told = workspace
        .run(&[&["validate", "descriptors", "--format", "json"], arguments].concat())
        .json();
    let found = told["findings"].as_array().cloned().unwrap_or_default();
    let name = |finding: &serde_json::Value| finding["code"].as_str().map(str::to_owned);
    found.iter().filter_map(name).collect()
}

fn tool(name: &str, service: &str, more: &str) -> String {
    format!(
        "spec: 1\ntool: {name}\nservice: {{ service: {service}, base_url: https://{service}.test }}\naccess: read\n\
         request: {{ method: GET, path: /{name} }}\n{more}"
    )
}

#[test]
#[ignore = "long"]
fn the_built_in_tools_have_none() {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools");
    let told = Workspace::new().run(&[
        "validate",
        &tools.display().to_string(),
        "--lint",
        "--deny-warnings",
    ]);
    assert_eq!(told.code, 0, "{}", told.stdout);
}

#[test]
fn they_are_asked_for_and_allowed_in_place() {
    let workspace = Workspace::new();
    workspace.write(
        "descriptors/list-things.yaml",
        tool("list-things", "probe", "description: List things.\n"),
    );
    assert_eq!(codes(&workspace, &[]), Vec::<String>::new());
    assert_eq!(
        codes(&workspace, &["--lint"]),
        ["no-example", "short-description"]
    );
    workspace
        .run(&["validate", "descriptors", "--lint"])
        .expect(0);
    workspace
        .run(&["validate", "descriptors", "--lint", "--deny-warnings"])
        .expect(3);
    let allowed = "description: List things.\nallow: { no-example: It is a sketch., short-description: As above. }\n";
    workspace.write(
        "descriptors/list-things.yaml",
        tool("list-things", "probe", allowed),
    );
    // An `allow` for a lint is no mistake where lints are not asked for.
    for arguments in [&[][..], &["--lint"]] {
        assert_eq!(
            codes(&workspace, arguments),
            Vec::<String>::new(),
            "{arguments:?}"
        );
    }
    let needless = "description: List things and what they weigh.\nexamples: [{ name: one, request: { method: GET, url: https://probe.test/list-things } }]\nallow: { no-example: It is a sketch. }\n";
    workspace.write(
        "descriptors/list-things.yaml",
        tool("list-things", "probe", needless),
    );
    assert_eq!(codes(&workspace, &["--lint"]), ["needless-allow"]);
    assert_eq!(codes(&workspace, &[]), Vec::<String>::new());
}

#[test]
fn a_broken_tool_has_no_lints() {
    let workspace = Workspace::new();
    workspace.write(
        "descriptors/a.yaml",
        tool("a", "probe", "description: A.\nreqest: 1\n"),
    );
    assert_eq!(codes(&workspace, &["--lint"]), ["unknown-key"]);
}

#[test]
#[ignore = "long"]
fn descriptions_are_alike_or_not() {
    let long = "Lists what happened in an organization in the last thirty days, with who did it and from where";
    for (one, other, is_alike) in [
        (
            "List the things of a box.",
            "List the things of a box.",
            true,
        ),
        (
            "List the things of a box.",
            "List the boxes of a thing.",
            false,
        ),
        (
            "List the things of a box.",
            "Lists: the box of things!",
            false,
        ),
        (
            "Archive the thing for good.",
            "Delete the thing for good.",
            false,
        ),
        (&format!("{long}."), &format!("{long} soon."), true),
        (
            &format!("{long}."),
            &format!("Counts {}.", &long[6..]),
            false,
        ),
    ] {
        let workspace = Workspace::new();
        let example = |name: &str| {
            format!(
                "examples: [{{ name: one, request: {{ method: GET, url: https://probe.test/{name} }} }}]\n"
            )
        };
        for (name, words) in [("first", one), ("second", other)] {
            let more = format!("description: \"{words}\"\n{}", example(name));
            workspace.write(
                &format!("descriptors/{name}.yaml"),
                tool(name, "probe", &more),
            );
        }
        let told = workspace.run(&["validate", "descriptors", "--lint"]).stdout;
        assert_eq!(
            told.contains("similar-descriptions"),
            is_alike,
            "{one} / {other}: {told}"
        );
        assert_eq!(told.contains("nearly that of `first`"), is_alike, "{told}");
    }
}

#[test]
#[ignore = "long"]
fn params_that_choose_a_page() {
    for (param, is_of_pages) in [
        ("cursor: { type: string, description: x }", true),
        ("page_token: { type: string, description: x }", true),
        ("starting_after: { type: string, description: x }", true),
        ("limit: { type: integer, description: x }", false),
        ("page_id: { type: string, description: x }", false),
        ("homepage: { type: string, description: x }", false),
    ] {
        let workspace = Workspace::new();
        let name = param.split(':').next().unwrap_or_default();
        let text = tool(
            "a",
            "probe",
            &format!("description: Tell all about it.\nparams: {{ properties: {{ {param} }} }}\n"),
        );
        let text = text.replace("path: /a }", &format!("path: /a, query: [{name}] }}"));
        workspace.write("descriptors/a.yaml", text);
        let found = codes(&workspace, &["--lint"]);
        assert_eq!(
            found.contains(&"unpaged-list".to_owned()),
            is_of_pages,
            "{param}: {found:?}"
        );
    }
}
