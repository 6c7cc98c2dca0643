//! Definitions: a tool as a model sees it. Every way to hand tools to a model starts here, and the same tools always give the
//! same definitions, byte for byte.

mod annotations;
mod examples;
mod input;
mod name;
mod output;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Map, Value};

pub(crate) use annotations::Annotations;
#[cfg(feature = "cli")]
pub(crate) use input::take_rules;
pub(crate) use name::is_name_of;
pub(crate) use output::Root;

use crate::tool::Tool;

/// A tool as a model sees it.
#[derive(Debug, Clone)]
pub(crate) struct Definition {
    /// The name: 64 characters at most, of `[a-z0-9_]`, and unique among the tools that it was made with.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// What the tool does, and what its input schema cannot say.
    pub description: String,
    /// The JSON Schema (2020-12) of the arguments: an object, with references into itself alone.
    pub input_schema: Map<String, Value>,
    /// The JSON Schema of the output, which is an object.
    pub output_schema: Map<String, Value>,
    /// How the tool's output becomes that object.
    pub root: Root,
    /// The member of the output whose elements are the rows, if the tool gives a list.
    pub rows: Option<String>,
    /// What the tool may do.
    pub annotations: Annotations,
    /// Arguments of the descriptor's examples.
    pub input_examples: Vec<Map<String, Value>>,
}

/// Why a tool cannot be defined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Undefined {
    /// The schema refers to something outside of itself. Nothing is fetched.
    #[error("its params refer to {0}, which is outside of the descriptor")]
    Reference(String),
    /// The schema is in another dialect.
    #[error("its params are in the dialect {0}; only JSON Schema 2020-12 is understood")]
    Dialect(String),
}

/// Defines tools, in their order.
pub(crate) fn define(tools: &[Arc<Tool>]) -> Vec<Result<Definition, Undefined>> {
    let names = name::names(tools);
    tools
        .iter()
        .zip(names)
        .map(|(tool, name)| define_one(tool, name))
        .collect()
}

fn define_one(tool: &Tool, name: String) -> Result<Definition, Undefined> {
    let input = input::of(tool)?;
    let output = output::of(tool);
    let mut description = tool.description.trim().to_owned();
    for rule in &input.rules {
        description.push_str(&format!(" {rule}"));
    }
    Ok(Definition {
        name,
        title: title(tool),
        description,
        input_schema: input.schema,
        output_schema: output.schema,
        root: output.root,
        rows: output.rows,
        annotations: Annotations::of(tool),
        input_examples: examples::of(tool),
    })
}

/// The title, or else the name as words.
fn title(tool: &Tool) -> String {
    tool.title.clone().unwrap_or_else(|| {
        let words = tool.name.replace('-', " ");
        let mut letters = words.chars();
        match letters.next() {
            Some(first) => first.to_uppercase().chain(letters).collect(),
            None => words,
        }
    })
}
