//! The tools that find and call all others, when there are too many to list: small in a model's context, whatever the
//! catalogue.

use std::sync::Arc;

use rmcp::model::{Tool as Listed, ToolAnnotations};
use serde_json::{Map, Value, json};

use super::set::{Served, ToolSet, hints};
use super::teach::Lesson;

/// Hits of a search, unless the call says how many.
const HITS: usize = 5;
/// Most hits of a search.
const MOST_HITS: u64 = 20;
/// Most characters of a description in a list of hits.
const SHORT: usize = 200;

/// One of the tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meta {
    Search,
    Describe,
    Call,
    CallList,
}

impl Meta {
    const ALL: [Meta; 4] = [Meta::Search, Meta::Describe, Meta::Call, Meta::CallList];

    pub(super) fn of(name: &str) -> Option<Meta> {
        Meta::ALL.into_iter().find(|meta| meta.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Meta::Search => "search_tools",
            Meta::Describe => "describe_tool",
            Meta::Call => "call_tool",
            Meta::CallList => "call_list_tool",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Meta::Search => "Search tools",
            Meta::Describe => "Describe a tool",
            Meta::Call => "Call a tool",
            Meta::CallList => "Call a tool that lists",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Meta::Search => "Find tools by what they do. Gives their names, best first.",
            Meta::Describe => {
                "What a tool does, its input schema, examples of arguments, and the fields of its result."
            }
            Meta::Call => "Call a tool that search_tools found.",
            Meta::CallList => {
                "Call a tool that gives a list: all fields or some, as JSON or as a compact table, one page or more."
            }
        }
    }

    fn input(self) -> Value {
        let tool = json!({ "type": "string", "description": "Its name." });
        let arguments = json!({ "type": "object", "description": "By the tool's input schema." });
        let (properties, required) = match self {
            Meta::Search => (
                json!({
                    "query": { "type": "string", "description": "Words, such as: list api keys" },
                    "service": { "type": "string", "description": "Only this service." },
                    "limit": { "type": "integer", "minimum": 1, "maximum": MOST_HITS, "default": HITS },
                }),
                json!(["query"]),
            ),
            Meta::Describe => (json!({ "tool": tool }), json!(["tool"])),
            Meta::Call => (
                json!({ "tool": tool, "arguments": arguments }),
                json!(["tool"]),
            ),
            Meta::CallList => (
                json!({
                    "tool": tool,
                    "arguments": arguments,
                    "columns": { "type": "array", "items": { "type": "string" }, "description": "Only these fields of each row." },
                    "format": { "enum": ["json", "table"], "default": "json" },
                    "skip_rows": { "type": "integer", "minimum": 0 },
                    "max_rows": { "type": "integer", "minimum": 1, "maximum": 10_000, "description": "Follow pages up to this many rows." },
                }),
                json!(["tool"]),
            ),
        };
        json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
    }

    fn output(self) -> Value {
        match self {
            Meta::Search => {
                json!({ "type": "object", "properties": { "tools": { "type": "array" }, "note": { "type": "string" } } })
            }
            Meta::Describe | Meta::Call | Meta::CallList => json!({ "type": "object" }),
        }
    }

    fn annotations(self, all_read: bool) -> ToolAnnotations {
        let calls = matches!(self, Meta::Call | Meta::CallList);
        hints(crate::definition::Annotations {
            read_only: !calls || all_read,
            destructive: calls && !all_read,
            idempotent: !calls || all_read,
            open_world: calls,
        })
    }
}

/// The answer to `tools/list`. `all_read` says that no tool behind them changes anything.
pub(super) fn listing(all_read: bool) -> Vec<Listed> {
    let listed = |meta: Meta| {
        Listed::new(meta.name(), meta.description(), map(meta.input()))
            .with_title(meta.title())
            .with_raw_output_schema(Arc::new(map(meta.output())))
            .with_annotations(meta.annotations(all_read))
    };
    Meta::ALL.into_iter().map(listed).collect()
}

/// Carries out a search.
///
/// # Errors
/// When there is nothing to search for.
pub(super) fn search(set: &ToolSet, arguments: &Map<String, Value>) -> Result<Value, Lesson> {
    known(arguments, &["query", "service", "limit"])?;
    let query = text(arguments, "query")?;
    let service = match arguments.get("service") {
        None | Some(Value::Null) => None,
        Some(_) => Some(text(arguments, "service")?),
    };
    let limit = match arguments.get("limit") {
        None | Some(Value::Null) => HITS,
        Some(limit) => limit
            .as_u64()
            .filter(|limit| (1..=MOST_HITS).contains(limit))
            .ok_or_else(|| {
                wrong(
                    "limit",
                    &format!("must be a whole number from 1 to {MOST_HITS}"),
                )
            })? as usize,
    };
    let is_of =
        |served: &&&Arc<Served>| service.is_none_or(|service| served.tool.service() == service);
    let all = set.find(query);
    let found: Vec<&Arc<Served>> = all.iter().filter(is_of).take(limit).copied().collect();
    let mut result =
        json!({ "tools": found.iter().map(|served| hit(served)).collect::<Vec<Value>>() });
    if found.is_empty() {
        let services: std::collections::BTreeSet<&str> =
            set.tools().map(|served| served.tool.service()).collect();
        let services: Vec<&str> = services.into_iter().take(20).collect();
        result["note"] = format!(
            "Nothing fits. Use other words, such as the thing and the verb; there are tools of {}.",
            services.join(", ")
        )
        .into();
    }
    Ok(result)
}

fn hit(served: &Served) -> Value {
    let definition = &served.definition;
    let params: Vec<String> = served
        .tool
        .params
        .iter()
        .map(|param| match param.required {
            true => format!("{}*", param.name),
            false => param.name.to_owned(),
        })
        .collect();
    let mut hit = json!({
        "tool": definition.name,
        "service": served.tool.service(),
        "description": short(&definition.description),
        "params": params.join(", "),
    });
    if served.options.is_list() {
        hit["list"] = true.into();
    }
    if !served.is_offered {
        hit["refused"] = served.refusal.as_str().into();
    }
    hit
}

/// The first sentence, or the first words.
fn short(description: &str) -> String {
    let first = description
        .split_inclusive(". ")
        .next()
        .unwrap_or_default()
        .trim();
    match first.char_indices().nth(SHORT) {
        Some((end, _)) => format!("{}...", &first[..end]),
        None => first.to_owned(),
    }
}

/// Describes a tool.
///
/// # Errors
/// When there is none of that name.
pub(super) fn describe(set: &ToolSet, arguments: &Map<String, Value>) -> Result<Value, Lesson> {
    known(arguments, &["tool"])?;
    let served = tool(set, arguments)?;
    let definition = &served.definition;
    let mut described = json!({
        "tool": definition.name,
        "title": definition.title,
        "service": served.tool.service(),
        "access": served.tool.access.to_string(),
        "description": definition.description,
        "input_schema": definition.input_schema,
    });
    if !definition.input_examples.is_empty() {
        described["input_examples"] = json!(definition.input_examples);
    }
    if let Some(rows) = &definition.rows {
        described["rows"] = rows.as_str().into();
    }
    match served.tool.projection.columns() {
        Some(columns) => described["fields"] = json!(columns),
        None => described["output_schema"] = json!(definition.output_schema),
    }
    described["call_with"] = match served.options.is_list() {
        true => "call_list_tool",
        false => "call_tool",
    }
    .into();
    if !served.is_offered {
        described["refused"] = served.refusal.as_str().into();
    }
    Ok(described)
}

/// The tool to call, its arguments, and the options of its result.
///
/// # Errors
/// When there is no such tool, or the options are not for it.
pub(super) fn target(
    set: &ToolSet,
    meta: Meta,
    arguments: &Map<String, Value>,
) -> Result<(Arc<Served>, Map<String, Value>), Lesson> {
    const OPTIONS: [&str; 4] = ["columns", "format", "skip_rows", "max_rows"];
    let mut names = vec!["tool", "arguments"];
    if meta == Meta::CallList {
        names.extend(OPTIONS);
    }
    known(arguments, &names)?;
    let served = tool(set, arguments)?;
    let mut inner = match arguments.get("arguments") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(inner)) => inner.clone(),
        // Models give the arguments as a text now and then.
        Some(Value::String(text)) => {
            serde_json::from_str(text).map_err(|_| wrong("arguments", "must be one JSON object"))?
        }
        Some(_) => return Err(wrong("arguments", "must be one JSON object")),
    };
    let options = served.options.names();
    for (name, own) in OPTIONS.iter().zip(options) {
        let Some(value) = arguments.get(*name).filter(|value| !value.is_null()) else {
            continue;
        };
        let Some(own) = own else {
            let message = format!(
                "{} takes no {name}: it gives no list that has it",
                served.definition.name
            );
            return Err(Lesson::new("usage", message)
                .advise("leave it out")
                .retry(false, None));
        };
        inner.insert(own.to_owned(), value.clone());
    }
    Ok((Arc::clone(served), inner))
}

fn tool<'s>(set: &'s ToolSet, arguments: &Map<String, Value>) -> Result<&'s Arc<Served>, Lesson> {
    let name = text(arguments, "tool")?;
    set.get(name).ok_or_else(|| unknown(set, name))
}

/// There is no tool of that name.
pub(super) fn unknown(set: &ToolSet, name: &str) -> Lesson {
    let shown: String = name.chars().take(80).collect();
    let advice = match set.nearest(name) {
        Some(suggestion) => suggestion,
        None => "find its name with search_tools".to_owned(),
    };
    Lesson::new("usage", format!("there is no tool `{shown}`"))
        .advise(advice)
        .retry(false, None)
}

fn text<'a>(arguments: &'a Map<String, Value>, name: &str) -> Result<&'a str, Lesson> {
    match arguments.get(name) {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text),
        Some(_) => Err(wrong(name, "must be a text that is not empty")),
        None => Err(wrong(name, "is required and absent")),
    }
}

fn known(arguments: &Map<String, Value>, names: &[&str]) -> Result<(), Lesson> {
    match arguments
        .keys()
        .find(|name| !names.contains(&name.as_str()))
    {
        Some(name) => {
            let shown: String = name.chars().take(80).collect();
            Err(wrong(
                &shown,
                &format!("is no argument; there are {}", names.join(", ")),
            ))
        }
        None => Ok(()),
    }
}

/// An argument that is wrong.
pub(super) fn wrong(name: &str, rule: &str) -> Lesson {
    Lesson::new("usage", format!("{name}: {rule}"))
        .advise("correct this argument and call again")
        .retry(false, None)
}

fn map(schema: Value) -> Map<String, Value> {
    match schema {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
