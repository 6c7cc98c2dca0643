//! Examples of requests and responses that a document has saved, such as those of a Postman collection. The rewriting of the
//! document writes them under [`SAVED`].

use serde_json::{Map, Value, json};

use super::body::Filled;
use super::draft::Draft;
use super::example;
use super::operation::Operation;
use crate::check::examples;
use crate::import::report::{Losses, What};
use crate::tool::Tool;

/// The key of an operation under which its saved responses stand, each with the values of its request.
pub(in crate::import) const SAVED: &str = "x-saved";

/// The examples that the tool takes, each with its response. The others are told.
pub(crate) fn make(
    operation: &Operation<'_>,
    draft: &Draft<'_>,
    tool: &Tool,
    losses: &Losses,
) -> Vec<Value> {
    let saved = operation.part.value.get(SAVED).and_then(Value::as_array);
    let mut made: Vec<Value> = Vec::new();
    for saved in saved.into_iter().flatten() {
        let name = saved["name"].as_str().unwrap_or_default().trim();
        let name = if name.is_empty() { "as saved" } else { name };
        let is_taken = made.iter().any(|known| known["name"] == name);
        let example = match is_taken {
            true => Err("another one has its name".to_owned()),
            false => one(name, saved, draft, tool),
        };
        match example {
            Ok(example) => made.push(example),
            Err(reason) => losses.note(
                What::Example,
                &operation.part.pointer,
                format!("the saved response `{name}` is no example: {reason}"),
            ),
        }
    }
    made
}

fn one(name: &str, saved: &Value, draft: &Draft<'_>, tool: &Tool) -> Result<Value, String> {
    let arguments = arguments(saved, draft);
    let is_given = |name: &&String| !arguments.contains_key(*name);
    if let Some(missing) = draft.required.iter().find(is_given) {
        return Err(format!("its request has no value for `{missing}`"));
    }
    let example = example::rendered(name, arguments.into(), tool);
    let mut example = example.ok_or("the tool does not take the values of its request")?;
    example["response"] = saved["response"].clone();
    let spec = serde_json::from_value(example.clone()).map_err(|error| error.to_string())?;
    match examples::run(tool, &spec).is_empty() {
        true => Ok(example),
        false => Err("the tool's output cannot be made of it".to_owned()),
    }
}

fn arguments(saved: &Value, draft: &Draft<'_>) -> Map<String, Value> {
    let mut arguments = Map::new();
    for (parameter, name) in &draft.parameters {
        let value = &saved[parameter.location.word()][parameter.wire];
        if !value.is_null() {
            arguments.insert(name.clone(), value.clone());
        }
    }
    let Some(body) = draft.body.as_ref().filter(|body| !body.takes_files()) else {
        return arguments;
    };
    let whole = &saved["body"];
    match &body.filled {
        Filled::Whole(name) if !whole.is_null() => {
            arguments.insert(name.clone(), whole.clone());
        }
        Filled::Whole(_) => {}
        Filled::Parts(parts) => {
            for (wire, _, name) in parts {
                if let Some(value) = whole.get(wire) {
                    arguments.insert(name.clone(), value.clone());
                }
            }
        }
    }
    arguments
}

/// A saved response as an example has it.
pub(in crate::import) fn response(status: u64, body: &Value) -> Value {
    match body {
        Value::Null => json!({ "status": status }),
        body => json!({ "status": status, "body": body }),
    }
}
