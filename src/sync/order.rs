//! Which tools are read, in which order: parents come before their children.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::names::table_of;
use super::report::Trouble;
use crate::catalog::Catalog;
use crate::format::Access;
use crate::project::ResponseKind;
use crate::tool::Tool;

/// A tool to read.
#[derive(Debug)]
pub(crate) struct Step {
    pub tool: Arc<Tool>,
    /// The table of its rows.
    pub table: String,
    /// Whether its rows are written; if not, they only give the arguments of others.
    pub is_written: bool,
    /// The step whose rows give its arguments.
    pub parent: Option<usize>,
    /// Arguments of every call of it.
    pub arguments: Map<String, Value>,
    /// The value of its cursor's param at the beginning.
    pub since: Option<Value>,
}

/// The tools of these names, and the parents that they need.
///
/// # Errors
/// When there is no such tool, it does more than to read, or a parent leads back to itself.
pub(crate) fn order(catalog: &Catalog, names: &[String]) -> Result<Vec<Step>, Trouble> {
    let mut steps = Vec::new();
    for name in names {
        let tool = catalog
            .tool(name)
            .map_err(|error| Trouble::Call(Box::new(error.into())))?;
        let at = place(catalog, tool, &mut steps, &mut Vec::new())?;
        steps[at].is_written = true;
    }
    let mut tables: Vec<&str> = Vec::new();
    for step in steps.iter().filter(|step| step.is_written) {
        if tables.contains(&step.table.as_str()) {
            return Err(Trouble::Usage(format!(
                "two tools would have the table {}; copy them into different places",
                step.table
            )));
        }
        tables.push(&step.table);
    }
    Ok(steps)
}

fn place(
    catalog: &Catalog,
    tool: Arc<Tool>,
    steps: &mut Vec<Step>,
    below: &mut Vec<String>,
) -> Result<usize, Trouble> {
    let name = tool.qualified_name();
    if let Some(at) = steps
        .iter()
        .position(|step| step.tool.qualified_name() == name)
    {
        return Ok(at);
    }
    check(&tool)?;
    if below.contains(&name) {
        return Err(Trouble::Usage(format!(
            "the parents of {name} lead back to it (`sync.parent`)"
        )));
    }
    below.push(name);
    let parent = tool.sync.as_ref().and_then(|sync| sync.parent.as_ref());
    let parent = match parent {
        None => None,
        Some(parent) => {
            let parent = format!("{}/{parent}", tool.service.name);
            let parent = catalog
                .tool(&parent)
                .map_err(|error| Trouble::Call(Box::new(error.into())))?;
            Some(place(catalog, parent, steps, below)?)
        }
    };
    steps.push(Step {
        table: table_of(&tool.name),
        tool,
        is_written: false,
        parent,
        arguments: Map::new(),
        since: None,
    });
    Ok(steps.len() - 1)
}

fn check(tool: &Tool) -> Result<(), Trouble> {
    if tool.access != Access::Read {
        return Err(Trouble::Usage(format!(
            "{} is a {} tool; only tools that read are copied",
            tool.name, tool.access
        )));
    }
    match tool.rules.kind {
        ResponseKind::Bytes => Err(Trouble::Usage(format!(
            "{} downloads a file, which has no rows",
            tool.name
        ))),
        _ => Ok(()),
    }
}
