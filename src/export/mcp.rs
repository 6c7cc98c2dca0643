//! The Model Context Protocol: what `tools/list` answers where every tool is listed.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Document, Losses};
use crate::serve::{Gate, ToolSet};
use crate::tool::Tool;

pub(super) fn document(tools: Vec<Arc<Tool>>) -> Document {
    let mut losses = Losses::new();
    let (set, problems) = ToolSet::new(tools, usize::MAX, &Gate::default());
    for problem in problems {
        let tool = problem.split(' ').next().unwrap_or_default().to_owned();
        losses.tell_of(tool, problem);
    }
    let listed: Vec<Value> = set.tools().map(|tool| json!(tool.listed())).collect();
    Document {
        tools: listed.len(),
        value: json!({ "tools": listed }),
        lost: losses.all,
    }
}
