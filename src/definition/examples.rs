//! Arguments that show a model how a tool is called.

use serde_json::{Map, Value};

use crate::tool::Tool;

/// Most examples of a tool.
const MOST: usize = 2;
/// Most bytes of one, as JSON.
const LONGEST: usize = 600;

/// The arguments of a tool's examples that its params accept, without repetitions.
pub(super) fn of(tool: &Tool) -> Vec<Map<String, Value>> {
    let mut examples: Vec<Map<String, Value>> = Vec::new();
    for arguments in tool.example_arguments() {
        let value = Value::Object(arguments.clone());
        let is_short = value.to_string().len() <= LONGEST;
        let is_known = arguments.is_empty() || examples.contains(arguments);
        if is_short && !is_known && tool.accept(value).is_ok() {
            examples.push(arguments.clone());
        }
    }
    examples.truncate(MOST);
    examples
}
