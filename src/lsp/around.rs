//! What the files around a sandbox or a policy say, which these speak about: tools with their params, collections with their
//! fields, and callers.

use serde_json::{Map, Value};

use super::facts::Facts;
use crate::catalog::{File, FileKind};
use crate::check::{self, Kind};

/// A tool of another file.
#[derive(Debug, Clone)]
pub(super) struct Tool {
    /// `SERVICE/TOOL`.
    pub name: String,
    pub description: String,
    /// The params with their schemas.
    pub params: Map<String, Value>,
    pub file: File,
}

impl Tool {
    /// The tool of a file; `None` where it is none, or says no names.
    pub(super) fn of(file: &File) -> Option<Tool> {
        if file.kind() != FileKind::Tool {
            return None;
        }
        let source = check::readable(file)?;
        let value = source.value();
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        let service = text("/service").or_else(|| text("/service/service"))?;
        let params = value.pointer("/params/properties");
        Some(Tool {
            name: format!("{service}/{}", text("/tool")?),
            description: text("/description").unwrap_or_default().to_owned(),
            params: params
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default(),
            file: file.clone(),
        })
    }
}

/// A text at a place that has a name among the texts of a list: one, or several.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    }
}

/// The tools that a place speaks about: in a sandbox, the one of its route; in a policy, those of its rule or case.
pub(super) fn tools<'f>(facts: &'f Facts, path: &[String]) -> Vec<&'f Tool> {
    let steps: Vec<&str> = path.iter().map(String::as_str).collect();
    let all = facts.around.tools.iter();
    match (facts.kind, steps.as_slice()) {
        (Kind::Sandbox, ["routes", name, ..]) => {
            let is_it = |tool: &&Tool| tool.name.rsplit('/').next() == Some(name);
            all.filter(is_it).collect()
        }
        (Kind::Policy, ["rules", index, ..]) => {
            let patterns = facts.part(&format!("/rules/{index}/tools"));
            if patterns.is_null() {
                return all.collect();
            }
            let patterns: Vec<glob::Pattern> = texts(patterns)
                .into_iter()
                .filter_map(|text| glob::Pattern::new(text).ok())
                .collect();
            let is_met = |tool: &&Tool| patterns.iter().any(|pattern| pattern.matches(&tool.name));
            all.filter(is_met).collect()
        }
        (Kind::Policy, ["cases", index, ..]) => {
            let name = facts.part(&format!("/cases/{index}/tool")).as_str();
            all.filter(|tool| Some(tool.name.as_str()) == name)
                .collect()
        }
        _ => Vec::new(),
    }
}

/// The tool with this name.
pub(super) fn tool_named<'f>(facts: &'f Facts, name: &str) -> Option<&'f Tool> {
    let mut all = facts.around.tools.iter();
    match facts.kind {
        Kind::Sandbox => all.find(|tool| tool.name.rsplit('/').next() == Some(name)),
        _ => all.find(|tool| tool.name == name),
    }
}

/// The params of the tools that a place speaks about, each once.
pub(super) fn params<'f>(facts: &'f Facts, path: &[String]) -> Vec<(&'f String, &'f Value)> {
    let mut found: Vec<(&String, &Value)> = Vec::new();
    for (name, schema) in tools(facts, path).into_iter().flat_map(|tool| &tool.params) {
        if !found.iter().any(|(known, _)| *known == name) {
            found.push((name, schema));
        }
    }
    found
}

/// The collections of a sandbox.
pub(super) fn collections(facts: &Facts) -> impl Iterator<Item = &String> {
    facts
        .part("/data")
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
}

/// The fields of the rows that a place of a sandbox speaks about.
pub(super) fn fields<'f>(facts: &'f Facts, path: &[String]) -> Vec<&'f String> {
    let steps: Vec<&str> = path.iter().map(String::as_str).collect();
    let named = |pointer: String| facts.part(&pointer).as_str();
    let collection = match steps.as_slice() {
        ["data", name, ..] => Some(*name),
        ["routes", route, "also", index, ..] => named(format!("/routes/{route}/also/{index}/in")),
        ["routes", route, "insert", ..] => named(format!("/routes/{route}/insert/into")),
        ["routes", route, "find", ..] => named(format!("/routes/{route}/find/in")),
        ["routes", route, ..] => named(format!("/routes/{route}/from"))
            .or_else(|| named(format!("/routes/{route}/find/in"))),
        _ => None,
    };
    let Some(collection) = collection else {
        return Vec::new();
    };
    let row = facts
        .part(&crate::source::join("/data", collection))
        .get("row");
    let row = row.and_then(Value::as_object);
    row.into_iter().flat_map(Map::keys).collect()
}

/// The names of callers, and what is known of them.
pub(super) fn callers(facts: &Facts) -> Vec<(&str, &Value)> {
    let tokens = facts.around.callers.as_ref();
    let tokens = tokens.and_then(|source| source.value().get("tokens")?.as_array());
    let tokens = tokens.into_iter().flatten();
    tokens
        .filter_map(|token| {
            let name = token.get("name")?.as_str()?;
            Some((name, token.get("claims").unwrap_or(&Value::Null)))
        })
        .collect()
}

/// The names of claims that callers have.
pub(super) fn claims(facts: &Facts) -> Vec<(&String, &Value)> {
    let mut found: Vec<(&String, &Value)> = Vec::new();
    for (_, claims) in callers(facts) {
        for (name, value) in claims.as_object().into_iter().flatten() {
            if !found.iter().any(|(known, _)| *known == name) {
                found.push((name, value));
            }
        }
    }
    found
}
