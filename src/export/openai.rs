//! OpenAI: the value of `tools`, for the Responses API or the Chat Completions API.
//!
//! A function is `strict` where its schema is one that strict mode takes without a change. Where asked for, the others become
//! strict too: then an argument that may be absent is required and may be null.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Demands, Document, Losses, definitions, strict, with_example};
use crate::tool::Tool;

/// Which of the two interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    /// The Responses API.
    Responses,
    /// The Chat Completions API.
    Chat,
}

/// What an export is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Openai {
    /// The interface.
    pub api: Api,
    /// Whether every function is to be strict.
    pub is_strict: bool,
}

/// Most characters of a description.
const DESCRIPTION: usize = 1024;
const DEMANDS: Demands = Demands {
    who: "OpenAI",
    takes: |name| !name.is_empty(),
    names: "one character at least",
    description: DESCRIPTION,
    most: 128,
};

pub(super) fn document(tools: &[Arc<Tool>], options: Openai) -> Document {
    let mut losses = Losses::new();
    let defined = definitions(tools, &DEMANDS, &mut losses);
    let mut listed: Vec<Value> = Vec::new();
    for (tool, definition) in &defined {
        losses.at(tool);
        let (parameters, strict) = parameters(&definition.input_schema, options, &mut losses);
        let function = json!({
            "name": definition.name,
            "description": with_example(definition, DESCRIPTION),
            "parameters": parameters,
            "strict": strict,
        });
        listed.push(match (options.api, function) {
            (Api::Responses, Value::Object(function)) => {
                let mut tool = Map::from_iter([("type".to_owned(), json!("function"))]);
                tool.extend(function);
                tool.into()
            }
            (_, function) => json!({ "type": "function", "function": function }),
        });
    }
    Document {
        tools: listed.len(),
        value: listed.into(),
        lost: losses.all,
    }
}

/// The schema of the arguments, and whether it is strict.
fn parameters(
    schema: &Map<String, Value>,
    options: Openai,
    losses: &mut Losses,
) -> (Map<String, Value>, bool) {
    let mut plain = Value::Object(schema.clone());
    with_items(&mut plain);
    if strict::is_met_by(&plain) {
        return (strict::typed(schema), true);
    }
    if options.is_strict {
        match strict::of(schema, losses) {
            Ok(strict) => return (strict, true),
            Err(reason) => losses.tell(format!("the function is not strict: {reason}")),
        }
    }
    match plain {
        Value::Object(members) => (members, false),
        _ => (schema.clone(), false),
    }
}

/// Every array says something about its items, or the whole request is refused.
fn with_items(schema: &mut Value) {
    let Value::Object(members) = schema else {
        return;
    };
    let is_array = match members.get("type") {
        Some(Value::String(kind)) => kind == "array",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "array"),
        _ => false,
    };
    if is_array && !members.contains_key("items") {
        members.insert("items".to_owned(), json!({}));
    }
    for (keyword, inner) in members {
        match (keyword.as_str(), inner) {
            ("properties" | "patternProperties" | "$defs", Value::Object(schemas)) => {
                schemas.values_mut().for_each(with_items);
            }
            ("allOf" | "anyOf" | "oneOf" | "prefixItems", Value::Array(schemas)) => {
                schemas.iter_mut().for_each(with_items);
            }
            ("items" | "additionalProperties", schema) => with_items(schema),
            _ => {}
        }
    }
}
