//! From words on the command line to a tool's arguments.

use std::io::Read;

use crate::Tool;
use crate::json::{Json, MAX_DEPTH};
use crate::params::read_text;
use crate::yaml::{self, Limits, LineIndex, ProblemKind};
use serde_json::{Map, Value};

/// Reads the words behind the tool's name: JSON objects, `@FILE`, `-`, `key=value` and `key:=json`, any number of them.
/// A later word overrides an earlier one.
///
/// # Errors
/// Which word is wrong, and why.
pub fn parse(tool: &Tool, words: &[String]) -> Result<Value, String> {
    let mut arguments = Map::new();
    let mut lists: Vec<String> = Vec::new();
    for word in words {
        if word == "-" {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| format!("cannot read arguments from standard input: {error}"))?;
            arguments.extend(object("standard input", &text)?);
        } else if let Some(path) = word.strip_prefix('@') {
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("cannot read arguments from {path}: {error}"))?;
            arguments.extend(object(path, &text)?);
        } else if word.trim_start().starts_with('{') {
            arguments.extend(object("the arguments", word)?);
        } else {
            let (key, value) = pair(tool, word)?;
            add(&mut arguments, &mut lists, key, value);
        }
    }
    Ok(Value::Object(arguments))
}

/// If the param is an array, words with the same key add up: `roles=admin roles=user`.
fn add(arguments: &mut Map<String, Value>, lists: &mut Vec<String>, key: String, value: Value) {
    let goes_on = lists.contains(&key);
    match (arguments.get_mut(&key), value) {
        (Some(Value::Array(items)), Value::Array(more)) if goes_on => items.extend(more),
        (_, value) => {
            if value.is_array() {
                lists.push(key.clone());
            }
            arguments.insert(key, value);
        }
    }
}

fn pair(tool: &Tool, word: &str) -> Result<(String, Value), String> {
    let (key, text) = word.split_once('=').ok_or_else(|| {
        format!(
            "`{word}` is no argument; write key=value, key:=JSON, one JSON object, @FILE, or - for standard input"
        )
    })?;
    if let Some(key) = key.strip_suffix(':') {
        let value = serde_json::from_str(text)
            .map_err(|error| format!("`{key}:=` needs JSON, and `{text}` is not JSON: {error}"))?;
        refuse_long_numbers(&format!("`{key}:=`"), text)?;
        return Ok((key.to_owned(), value));
    }
    let value = match tool.params.get(key) {
        Some(param) => read_text(param.schema, text),
        None => Value::from(text),
    };
    Ok((key.to_owned(), value))
}

/// A number that would lose digits is refused, so that no other number is sent.
fn refuse_long_numbers(source: &str, text: &str) -> Result<(), String> {
    match Json::read(text.to_owned().into()).map(|json| json.value()) {
        Ok(Err(error)) => Err(format!(
            "{source}: {error}; write it as a string, if the tool takes one"
        )),
        _ => Ok(()),
    }
}

/// How large a YAML text of arguments may be.
const YAML: Limits = Limits {
    bytes: 64 << 20,
    depth: MAX_DEPTH,
    nodes: 2_000_000,
};

/// YAML with the same rules as descriptors. Anything that JSON cannot represent is refused, with its place.
fn read_yaml(source: &str, text: &str) -> Result<Value, String> {
    let problems = match yaml::read(text, &YAML) {
        Ok(document) => return Ok(document.value),
        Err(problems) => problems,
    };
    let Some(problem) = problems
        .first()
        .filter(|problem| problem.kind != ProblemKind::Empty)
    else {
        return Ok(Value::Null);
    };
    let (line, column) = LineIndex::new(text).line_column(problem.span.start);
    let help = match &problem.help {
        Some(help) => format!("; {help}"),
        None => String::new(),
    };
    let message = &problem.message;
    Err(format!(
        "{source}: neither JSON nor YAML: {message}{help}, at line {line} column {column}"
    ))
}

/// JSON is YAML too, so one reader would do for both. But the errors of the JSON reader name line and column.
fn object(source: &str, text: &str) -> Result<Map<String, Value>, String> {
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => {
            refuse_long_numbers(source, text)?;
            value
        }
        Err(error) if text.trim_start().starts_with(['{', '[']) => {
            return Err(format!("{source}: not valid JSON: {error}"));
        }
        Err(_) => read_yaml(source, text)?,
    };
    match value {
        Value::Object(members) => Ok(members),
        Value::Null => Ok(Map::new()),
        _ => Err(format!("{source}: the arguments must be one object")),
    }
}
