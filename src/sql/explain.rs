//! The requests that a query would make, from the plan that SQLite makes of it. Nothing is sent.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, Result};
use serde_json::{Map, Value, json};

use super::plan::{Given, Plan};
use super::session::Session;
use super::table::Table;
use super::value;
use super::vtab::MARK;
use crate::engine::Call;
use crate::engine::Engine;

/// The columns of the answer.
pub(super) const COLUMNS: [&str; 4] = ["table", "request", "how_often", "pages"];

/// What stands for a value that is not known yet.
const UNKNOWN: &str = "?";

/// A step of SQLite's plan.
struct Step {
    parent: i64,
    text: String,
    /// The plan of a table, if the step reads one of ours.
    read: Option<(Arc<Plan>, Arc<Table>)>,
    /// The name that the query gives the table.
    name: String,
}

/// Lists the requests of a query, one row for each way that it reads a table.
///
/// # Errors
/// When SQLite cannot plan it.
pub(super) fn requests(
    connection: &Connection,
    session: &Session,
    query: &str,
) -> Result<Vec<[Value; 4]>> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {query}"))?;
    let mut rows = statement.query([])?;
    let (mut steps, mut order) = (HashMap::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let (id, parent, text): (i64, i64, String) = (row.get(0)?, row.get(1)?, row.get(3)?);
        let step = Step {
            parent,
            read: plan_number(&text).and_then(|number| session.planned(number)),
            name: text
                .split_whitespace()
                .nth(1)
                .unwrap_or_default()
                .to_owned(),
            text,
        };
        steps.insert(id, step);
        order.push(id);
    }
    let mut found: Vec<[Value; 4]> = Vec::new();
    for (at, id) in order.iter().enumerate() {
        let step = &steps[id];
        let Some((plan, table)) = &step.read else {
            continue;
        };
        let outer = outer_tables(&steps, &order[..at], step);
        let row = [
            table.name.clone().into(),
            request(plan, table).into(),
            how_often(plan, table, &outer).into(),
            pages(plan, table).into(),
        ];
        if !found.contains(&row) {
            found.push(row);
        }
    }
    Ok(found)
}

/// The number of our plan in a step such as `SCAN m VIRTUAL TABLE INDEX 3:toolrun workspace_id=?`.
fn plan_number(text: &str) -> Option<i32> {
    let (_, index) = text.split_once(" VIRTUAL TABLE INDEX ")?;
    let (number, ours) = index.split_once(':')?;
    ours.starts_with(MARK).then(|| number.parse().ok())?
}

/// The tables that are looped over outside of a step: those before it in the same join, and those around a correlated
/// subquery.
fn outer_tables(steps: &HashMap<i64, Step>, before: &[i64], step: &Step) -> Vec<String> {
    let is_loop = |step: &&Step| step.text.starts_with("SCAN ") || step.text.starts_with("SEARCH ");
    let siblings = |parent: i64| {
        let own = before.iter().filter_map(|id| steps.get(id));
        own.filter(move |other| other.parent == parent)
            .filter(is_loop)
    };
    let mut outer: Vec<String> = siblings(step.parent)
        .map(|step| step.name.clone())
        .collect();
    let mut parent = step.parent;
    while let Some(around) = steps.get(&parent) {
        // The sides of an `or` run in the loop that has them, a correlated subquery in the loops around it.
        let is_inside = around.text.contains("CORRELATED")
            || around.text.contains("OR")
            || around.text.starts_with("INDEX ");
        if !is_inside {
            break;
        }
        outer.extend(siblings(around.parent).map(|step| step.name.clone()));
        parent = around.parent;
    }
    outer.sort();
    outer.dedup();
    outer
}

fn how_often(plan: &Plan, table: &Table, outer: &[String]) -> String {
    let name = |given: &Given| super::session::written(&table.columns[given.column].name);
    let lists: Vec<String> = plan
        .given
        .iter()
        .filter(|given| given.is_in)
        .map(name)
        .collect();
    let joined = plan
        .given
        .iter()
        .any(|given| given.constant.is_none() && !given.is_in);
    let mut often = match joined && !outer.is_empty() {
        true => format!("once for each value from {}", outer.join(", ")),
        false => "once".to_owned(),
    };
    if !lists.is_empty() {
        let and = match often.as_str() {
            "once" => "once for each value of",
            _ => "and for each value of",
        };
        let start = often.strip_suffix("once").unwrap_or(&often).to_owned();
        often = format!("{start} {and} {}", lists.join(", "))
            .trim()
            .to_owned();
    }
    often
}

/// The arguments that are known, with `?` for the others, and whether all are known.
fn arguments(plan: &Plan, table: &Table) -> (Map<String, Value>, bool) {
    let (mut arguments, mut is_known) = (Map::new(), true);
    for given in &plan.given {
        let param = &table.params[given.param];
        let constant = given.constant.as_ref().filter(|_| !given.is_in);
        let constant = constant.filter(|value| !matches!(value, Sql::Null));
        let argument = constant.and_then(|value| value::argument(&param.schema, value).ok());
        is_known &= argument.is_some();
        arguments.insert(
            param.name.clone(),
            argument.unwrap_or_else(|| json!(UNKNOWN)),
        );
    }
    (arguments, is_known)
}

fn pages(plan: &Plan, table: &Table) -> String {
    if table.tool.paging.is_none() {
        return "one".to_owned();
    }
    match (
        table.page_size(&arguments(plan, table).0, plan.rows),
        plan.rows,
    ) {
        (Some(rows), Some(wanted)) if wanted <= rows => format!("one of {rows} rows"),
        (Some(rows), _) => format!("as needed, of {rows} rows"),
        (None, _) => "as needed".to_owned(),
    }
}

/// The method and the URL, with `?` for what is not known yet.
fn request(plan: &Plan, table: &Arc<Table>) -> String {
    let tool = &table.tool;
    let (mut arguments, is_known) = arguments(plan, table);
    if let (Some(rows), Some(size)) = (table.page_size(&arguments, plan.rows), &table.size) {
        arguments.insert(table.params[size.param].name.clone(), rows.into());
    }
    let method = tool.request.method.to_string();
    if is_known {
        let call = Call::new(tool, Value::Object(arguments.clone()));
        if let Ok(plan) = Engine::new().plan(&call) {
            let url = plan.masked_url();
            let path = url::Url::parse(&url).ok().map(|url| match url.query() {
                Some(query) => format!("{}?{query}", url.path()),
                None => url.path().to_owned(),
            });
            return format!("{method} {}", path.unwrap_or(url));
        }
    }
    format!("{method} {}", template(&tool.path, &arguments))
}

/// A path template with its params filled in, and the arguments that it does not name behind it.
fn template(path: &str, arguments: &Map<String, Value>) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut rest: Vec<(&String, &Value)> = arguments.iter().collect();
    let mut filled = String::new();
    let mut tail = path;
    while let Some((before, inside)) = tail.split_once("{{") {
        let (expression, after) = inside.split_once("}}").unwrap_or((inside, ""));
        let name = expression.trim();
        let value = arguments.get(name).map(text);
        filled.push_str(before);
        filled.push_str(&value.unwrap_or_else(|| UNKNOWN.to_owned()));
        rest.retain(|(own, _)| *own != name);
        tail = after;
    }
    filled.push_str(tail);
    for (at, (name, value)) in rest.iter().enumerate() {
        let mark = match at {
            0 => '?',
            _ => '&',
        };
        filled.push_str(&format!("{mark}{name}={}", text(value)));
    }
    filled
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn unknown_values_are_question_marks() {
        for (path, arguments, filled) in [
            ("/a", json!({}), "/a"),
            ("/a/{{ id }}/b", json!({ "id": "?" }), "/a/?/b"),
            (
                "/a/{{ id }}",
                json!({ "id": 5, "limit": 10, "q": "?" }),
                "/a/5?limit=10&q=?",
            ),
            ("/a/{{ other }}", json!({}), "/a/?"),
        ] {
            assert_eq!(template(path, arguments.as_object().unwrap()), filled);
        }
    }

    #[test]
    fn our_plans_are_found() {
        for (text, number) in [
            (
                "SCAN m VIRTUAL TABLE INDEX 3:toolrun workspace_id=?",
                Some(3),
            ),
            ("SCAN m VIRTUAL TABLE INDEX 0:toolrun ", Some(0)),
            ("SCAN json_each VIRTUAL TABLE INDEX 1:", None),
            ("SCAN a", None),
        ] {
            assert_eq!(plan_number(text), number, "{text}");
        }
    }
}
