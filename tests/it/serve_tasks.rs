//! Twenty tasks of an administrator, solved against the sandbox by the calls that an agent would make. A model pays for
//! each byte that it sends and gets, so each task has a budget.

use minijinja::Environment;
use minijinja::value::Serde;
use pretty_assertions::assert_eq;
use serde_json::{Map, Value, json};

use crate::support::mcp::{error, structure};
use crate::support::{Mcp, Workspace};

const TASKS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/tasks/admin.yaml"
);
/// The most bytes of one task: searches, descriptions, calls and results.
const MOST_OF_ONE: usize = 20_000;
/// The most bytes of a task on the average, the list of tools with it. Three or four bytes are a token.
const MOST_ON_AVERAGE: usize = 8_000;
const SERVICE: &str = "anthropic-admin";

/// An agent that keeps what its calls gave, and counts what they cost.
struct Agent {
    mcp: Mcp,
    results: Vec<Value>,
    bytes: usize,
}

impl Agent {
    fn ask(&mut self, tool: &str, arguments: Value) -> Value {
        self.bytes += tool.len() + arguments.to_string().len();
        let result = self.mcp.call(tool, arguments);
        let texts = result["content"].as_array().expect("content");
        self.bytes += texts
            .iter()
            .map(|part| part["text"].as_str().map_or(0, str::len))
            .sum::<usize>();
        result
    }

    /// A text with what the results so far have in place of its expressions.
    fn filled(&self, text: &str) -> String {
        let environment = Environment::new();
        let known = json!({ "r": self.results });
        environment
            .render_str(text, Serde(&known))
            .unwrap_or_else(|error| panic!("{text}: {error:#}\n{:?}", self.results))
    }

    fn search(&mut self, words: &str, tool: &str) {
        let found = self.ask("search_tools", json!({ "query": words }));
        let found = structure(&found);
        let hits: Vec<&str> = found["tools"]
            .as_array()
            .expect("hits")
            .iter()
            .filter_map(|hit| hit["tool"].as_str())
            .collect();
        assert!(hits.contains(&tool), "{words}: {hits:?}");
        let described = self.ask("describe_tool", json!({ "tool": tool }));
        assert!(structure(&described)["input_schema"].is_object());
    }

    fn call(&mut self, call: &Value) {
        let name = call["tool"].as_str().expect("a tool");
        let tool = format!("{SERVICE}_{name}").replace('-', "_");
        if let Some(words) = call["find"].as_str() {
            self.search(words, &tool);
        }
        let filled = call["args"].as_object().expect("arguments").iter();
        let arguments: Map<String, Value> = filled
            .map(|(key, value)| match value {
                Value::String(text) => (key.clone(), self.filled(text).into()),
                other => (key.clone(), other.clone()),
            })
            .collect();
        let mut whole = json!({ "tool": tool, "arguments": arguments });
        for (key, value) in call["list"].as_object().into_iter().flatten() {
            whole[key] = value.clone();
        }
        let by = match call.get("list") {
            Some(_) => "call_list_tool",
            None => "call_tool",
        };
        let result = self.ask(by, whole);
        let kept = match call["fails"].as_str() {
            None => structure(&result),
            Some(kind) => {
                let error = error(&result);
                assert_eq!(error["kind"], kind, "{error}");
                json!({ "error": error })
            }
        };
        self.results.push(kept);
    }
}

#[test]
fn twenty_tasks_are_solved_within_a_budget_of_bytes() {
    let tasks: Vec<Value> =
        serde_yaml::from_str(&std::fs::read_to_string(TASKS).expect("the file")).expect("tasks");
    assert_eq!(tasks.len(), 20);
    let workspace = Workspace::new();
    let flags = ["--sandbox", "--service", SERVICE];
    let mut agent = Agent {
        mcp: workspace.serve(&flags),
        results: Vec::new(),
        bytes: 0,
    };
    let listed = json!(agent.mcp.tools()).to_string().len();
    let mut wrong = Vec::new();
    let mut whole = 0;
    for task in &tasks {
        (agent.results, agent.bytes) = (Vec::new(), 0);
        for call in task["calls"].as_array().expect("calls") {
            agent.call(call);
        }
        let answer = agent.filled(task["answer"].as_str().expect("an expression"));
        println!(
            "{:6} bytes  {}",
            agent.bytes,
            task["task"].as_str().unwrap()
        );
        if answer != task["is"].as_str().expect("an answer") {
            wrong.push(format!("{}: {answer}", task["task"]));
        }
        if agent.bytes > MOST_OF_ONE {
            wrong.push(format!("{}: {} bytes", task["task"], agent.bytes));
        }
        whole += agent.bytes + listed;
    }
    println!("{listed:6} bytes  the list of tools, which each task pays");
    println!("{:6} bytes  a task on the average", whole / tasks.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(whole / tasks.len() <= MOST_ON_AVERAGE, "{whole} bytes");
}
