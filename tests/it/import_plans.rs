//! The requests of imported operations with rare features. `tests/fixtures/openapi/plans.yaml` is the table; every row was
//! derived from the document by hand.

use serde_json::{Value, json};
use toolrun::openapi::{self, Options};

use crate::support::Workspace;

const TABLE: &str = include_str!("../fixtures/openapi/plans.yaml");
/// The server of a row's document.
const SERVER: &str = "https://t.test/v1";

/// A row's document.
fn document(row: &Value) -> Value {
    let (method, path) = row["at"].as_str().unwrap().split_once(' ').unwrap();
    let mut operation = row["op"].clone();
    operation["operationId"] = "op".into();
    operation["description"] = "D.".into();
    let mut item = row["item"].as_object().cloned().unwrap_or_default();
    item.insert(method.to_lowercase(), operation);
    let mut document = json!({
        "openapi": "3.0.3",
        "info": { "title": "t", "version": "1" },
        "servers": [{ "url": SERVER }],
        "paths": { path: item },
    });
    for (key, value) in row["root"].as_object().into_iter().flatten() {
        document[key] = value.clone();
    }
    document
}

/// What a document of a table is imported as; a row that must be refused gives no import, and a fault if it was not
/// refused for that reason.
pub(crate) fn imported(
    document: Value,
    options: &Options,
    refused: Option<&str>,
) -> Result<openapi::Import, Vec<String>> {
    match (openapi::import(document, options), refused) {
        (Ok(import), None) => Ok(import),
        (Err(error), None) => Err(vec![error.to_string()]),
        (Err(error), Some(reason)) if error.to_string().contains(reason) => Err(Vec::new()),
        (other, Some(_)) => Err(vec![format!("it is not refused for the reason: {other:?}")]),
    }
}

/// What is wrong with a row: nothing, if the import does what it says.
fn faults(row: &Value, number: usize, workspace: &Workspace) -> Vec<String> {
    let options = Options {
        service: openapi::Name::new(&format!("r{number}")),
        base_url: row["base_url"].as_str().map(str::to_owned),
        ..Options::default()
    };
    let import = match imported(document(row), &options, row["refused"].as_str()) {
        Ok(import) => import,
        Err(faults) => return faults,
    };
    let mut faults = Vec::new();
    let lost: Vec<&str> = import
        .report
        .lost
        .iter()
        .map(|loss| loss.message.as_str())
        .filter(|message| !message.starts_with("the document describes no credential"))
        .collect();
    match row.get("lost") {
        Some(Value::String(message)) if !lost.contains(&message.as_str()) => {
            faults.push(format!("the report says only {lost:?}"));
        }
        Some(Value::Null) if !lost.is_empty() => faults.push(format!("the report says {lost:?}")),
        _ => {}
    }
    for file in &import.files {
        workspace.write(&format!("descriptors/r{number}/{}", file.name), &file.text);
    }
    for call in row["calls"].as_array().unwrap() {
        faults.extend(fault(call, &format!("r{number}/op"), workspace));
    }
    faults
}

/// What is wrong with the request of a call.
pub(crate) fn fault(call: &Value, tool: &str, workspace: &Workspace) -> Option<String> {
    let arguments = call["args"].to_string();
    let told = workspace.run(&["call", tool, &arguments, "--dry-run=json", "--yes"]);
    if let Some(wrong) = call["wrong"].as_str() {
        let is_told = told.code == 2 && told.stderr.contains(wrong);
        return (!is_told).then(|| format!("{arguments} is not refused: {}", told.stderr));
    }
    if told.code != 0 {
        return Some(format!("{arguments}: {}", told.stderr));
    }
    let plan = told.json();
    let url = match call["whole"].as_str() {
        Some(whole) => whole.to_owned(),
        None => format!("{SERVER}{}", call["url"].as_str().unwrap()),
    };
    let mut differs = Vec::new();
    if plan["url"] != url.as_str() {
        differs.push(format!("the URL is {}, not {url}", plan["url"]));
    }
    if let Some(body) = call.get("body")
        && plan["body"] != *body
    {
        differs.push(format!("the body is {}, not {body}", plan["body"]));
    }
    for (name, value) in call["headers"].as_object().into_iter().flatten() {
        let mut headers = plan["headers"].as_array().unwrap().iter();
        let sent = headers.find(|header| header[0] == *name);
        let sent = sent.map_or(&Value::Null, |header| &header[1]);
        if sent != value {
            differs.push(format!("the header {name} is {sent}, not {value}"));
        }
    }
    (!differs.is_empty()).then(|| format!("{arguments}: {}", differs.join("; ")))
}

#[test]
#[ignore = "long"]
fn rare_features_make_the_documented_requests() {
    let rows: Vec<Value> = serde_yaml::from_str(TABLE).unwrap();
    let workspace = Workspace::new();
    let mut wrong = Vec::new();
    let mut count = 0;
    for (number, row) in rows.iter().enumerate() {
        count += row["calls"].as_array().map_or(1, Vec::len);
        for fault in faults(row, number, &workspace) {
            wrong.push(format!("{} {}\n  {fault}", row["at"], row["op"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rows.len() >= 220, "{} rows", rows.len());
    assert!(count >= 250, "{count} plans");
}
