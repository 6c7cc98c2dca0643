//! Anthropic's Messages API: the value of `tools`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Demands, Document, Losses, definitions};
use crate::tool::Tool;

const DEMANDS: Demands = Demands {
    who: "the Messages API",
    takes: |name| {
        let is_taken = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        (1..=64).contains(&name.len()) && name.bytes().all(is_taken)
    },
    names: "1 to 64 letters, digits, `_`, `.` and `-`",
    description: usize::MAX,
    most: usize::MAX,
};

pub(super) fn document(tools: &[Arc<Tool>]) -> Document {
    let mut losses = Losses::new();
    let defined = definitions(tools, &DEMANDS, &mut losses);
    let listed: Vec<Value> = defined
        .iter()
        .map(|(_, definition)| {
            let mut tool = json!({
                "name": definition.name,
                "description": definition.description,
                "input_schema": definition.input_schema,
            });
            if !definition.input_examples.is_empty() {
                tool["input_examples"] = json!(definition.input_examples);
            }
            tool
        })
        .collect();
    Document {
        tools: listed.len(),
        value: listed.into(),
        lost: losses.all,
    }
}
