//! Every built-in tool with a sandbox works in it: with the arguments of its own example, and page by page.

use crate::support::{Output, Workspace};
use pretty_assertions::assert_eq;
use serde_json::{Map, Value, json};
use toolrun::Catalog;

const SERVICES: [&str; 6] = [
    "anthropic-admin",
    "anthropic-admin-oauth",
    "anthropic-enterprise",
    "anthropic-compliance",
    "anthropic-api",
    "anthropic-tunnels",
];

/// Tools that no sandbox answers: it takes no uploads, and serves no files.
const UNANSWERED: [&str; 4] = [
    "create-plugin",
    "create-plugin-version",
    "download-plugin-version",
    "validate-plugin-archive",
];

/// Tools whose first example the sandbox refuses: because of a rule of the service, or because its data lacks
/// something.
const REFUSED: &[(&str, u16, &str)] = &[
    (
        "add-tunnel-certificate",
        400,
        "The tunnel trusts two certificates already.",
    ),
    (
        "add-workspace-member",
        400,
        "The user is a member of the workspace.",
    ),
    (
        "archive-federation-issuer",
        400,
        "A federation rule that is not archived refers to the issuer.",
    ),
    (
        "archive-service-account",
        400,
        "A federation rule that is not archived targets the service account.",
    ),
    (
        "list-plugin-activity",
        400,
        "filter: the sandbox knows no dimension but plugin_name",
    ),
];

struct Tool {
    name: String,
    /// The arguments of the first example.
    args: Map<String, Value>,
    required: Vec<String>,
    pages: bool,
    takes_limit: bool,
}

fn tools(service: &str) -> Vec<Tool> {
    let loaded = Catalog::builtin().load_all();
    let of_service = loaded
        .into_iter()
        .filter(|(entry, _)| entry.service.as_deref() == Some(service));
    of_service
        .map(|(_, tool)| {
            let tool = tool.expect("a sound tool");
            let args = tool.example_arguments().next().cloned();
            let schema = tool.arguments_schema();
            Tool {
                name: tool.name.clone(),
                args: args.unwrap_or_default(),
                required: schema["required"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|name| name.as_str().expect("a name").to_owned())
                    .collect(),
                pages: tool.has_pages(),
                takes_limit: schema["properties"].get("limit").is_some(),
            }
        })
        .collect()
}

fn call(tool: &Tool, args: &Map<String, Value>, flags: &[&str]) -> Output {
    let workspace = Workspace::new();
    let mut command = workspace.toolrun();
    command
        .args(["call", &tool.name, "--sandbox", "--yes"])
        .args(flags);
    crate::support::output(command.arg(json!(args).to_string()))
}

fn try_examples(service: &str) {
    for tool in tools(service) {
        if UNANSWERED.contains(&tool.name.as_str()) {
            continue;
        }
        let output = call(&tool, &tool.args, &["-o", "json"]);
        match REFUSED.iter().find(|(name, ..)| *name == tool.name) {
            None => {
                assert_eq!(output.code, 0, "{}: {}", tool.name, output.stderr);
                assert!(output.json().is_object(), "{}", tool.name);
            }
            Some((_, status, message)) => {
                let error = output.expect(6).error();
                assert_eq!(error["upstream"]["status"], *status, "{}", tool.name);
                assert_eq!(error["upstream"]["message"], *message, "{}", tool.name);
            }
        }
    }
}

#[test]
#[ignore = "long"]
fn the_admin_tools_answer_their_examples() {
    try_examples(SERVICES[0]);
}

#[test]
#[ignore = "long"]
fn the_oauth_tools_answer_their_examples() {
    try_examples(SERVICES[1]);
}

#[test]
#[ignore = "long"]
fn the_enterprise_tools_answer_their_examples() {
    try_examples(SERVICES[2]);
}

#[test]
fn the_compliance_tools_answer_their_examples() {
    try_examples(SERVICES[3]);
}

#[test]
fn the_tools_of_the_claude_api_answer_their_examples() {
    try_examples(SERVICES[4]);
}

#[test]
fn the_tools_of_tunnels_answer_their_examples() {
    try_examples(SERVICES[5]);
}

/// A new service is tested too.
#[test]
fn all_services_are_named() {
    let mut built_in = Catalog::builtin().sandboxes();
    let mut named = SERVICES.map(str::to_owned).to_vec();
    built_in.sort();
    named.sort();
    assert_eq!(built_in, named);
}

/// The required arguments of a tool, with times that the data has.
fn least(tool: &Tool) -> Map<String, Value> {
    let kept = |name: &str| {
        tool.required.iter().any(|required| required == name)
            || ["date", "starting_date", "group_by", "include_inherited"].contains(&name)
    };
    let mut args = tool.args.clone();
    args.retain(|name, _| kept(name));
    for (name, value) in &mut args {
        match name.as_str() {
            "starting_at" if value.as_str().is_some_and(|text| text.len() == 10) => {
                *value = json!("2026-11-18");
            }
            "starting_at" => *value = json!("2026-11-18T00:00:00Z"),
            "starting_date" => *value = json!("2026-08-01"),
            _ => {}
        }
    }
    args
}

#[test]
#[ignore = "long"]
fn small_pages_hold_what_large_ones_hold() {
    let tools = SERVICES.iter().flat_map(|service| tools(service));
    let mut walked = 0;
    for tool in tools.filter(|tool| tool.pages) {
        let mut args = least(&tool);
        let mut rows = |limit: u64| {
            if tool.takes_limit {
                args.insert("limit".to_owned(), limit.into());
            }
            let output = call(&tool, &args, &["--all", "-o", "ndjson"]);
            output.expect(0).lines()
        };
        let large = rows(31);
        assert!(large.len() > 1, "{}: {} rows", tool.name, large.len());
        let third = large.len().min(31) as u64 / 3;
        assert_eq!(rows(third.max(1)), large, "{}", tool.name);
        walked += 1;
    }
    assert!(walked >= 30, "{walked} tools");
}
