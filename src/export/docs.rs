//! Documentation: a page of Markdown for each service, and one that lists them.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::markdown::{
    block, call, code, code_cell, first_sentence, json, kind, link, plain, text,
};
use super::{Bundle, File, by_service, title};
use crate::definition::Definition;
use crate::tool::Tool;

/// The page that lists the services. No service can have this name.
const INDEX: &str = "README.md";

type Defined = (Arc<Tool>, Definition);

pub(super) fn bundles(tools: Vec<Defined>) -> Vec<Bundle> {
    let services = by_service(tools);
    let mut index =
        "# Services\n\n| service | tools | what it is |\n| --- | --- | --- |\n".to_owned();
    let mut files = Vec::new();
    for (service, tools) in &services {
        let about = tools[0]
            .0
            .service
            .description
            .as_deref()
            .unwrap_or_default();
        let about = text(first_sentence(about));
        let _ = writeln!(
            index,
            "| [{}]({service}.md) | {} | {about} |",
            text(&title(service, tools)),
            tools.len()
        );
        files.push(File {
            path: format!("{service}.md"),
            text: page(service, tools),
        });
    }
    files.insert(
        0,
        File {
            path: INDEX.to_owned(),
            text: index,
        },
    );
    vec![Bundle {
        folder: String::new(),
        files,
    }]
}

fn page(service: &str, tools: &[Defined]) -> String {
    let about = &tools[0].0.service;
    let mut out = format!("# {}\n\n", text(&title(service, tools)));
    for paragraph in about
        .description
        .as_deref()
        .unwrap_or_default()
        .split("\n\n")
    {
        let paragraph = text(paragraph);
        if !paragraph.is_empty() {
            let _ = write!(out, "{paragraph}\n\n");
        }
    }
    if let Some(docs) = &about.docs {
        let _ = write!(out, "Documentation of the service: {}\n\n", link(docs));
    }
    out.push_str("| tool | access | what it does |\n| --- | --- | --- |\n");
    for (tool, definition) in tools {
        let what = text(first_sentence(&definition.description));
        let _ = writeln!(
            out,
            "| [{0}](#{0}) | {1} | {what} |",
            tool.name, tool.access
        );
    }
    for (tool, definition) in tools {
        let _ = write!(out, "\n{}", section(tool, definition));
    }
    out
}

fn section(tool: &Tool, definition: &Definition) -> String {
    let mut out = format!("## {}\n\n{}\n\n", tool.name, text(&definition.description));
    let request = format!("{} {}", tool.request.method, tool.path);
    let _ = writeln!(out, "- access: {}", tool.access);
    let _ = writeln!(out, "- request: {}", code(&request));
    if let Some(rows) = &definition.rows {
        let pages = if tool.has_pages() { ", in pages" } else { "" };
        let _ = writeln!(out, "- gives a list{pages}; its rows are in {}", code(rows));
    }
    if tool.wait.is_some() {
        out.push_str("- waits for a job\n");
    }
    if let Some(docs) = &tool.docs {
        let _ = writeln!(out, "- documentation: {}", link(docs));
    }
    out.push_str(&params(definition));
    let arguments = definition
        .input_examples
        .first()
        .cloned()
        .unwrap_or_else(Map::new);
    let _ = write!(
        out,
        "\n{}",
        block("sh", &call(&tool.qualified_name(), &arguments, ""))
    );
    if let Some(columns) = tool.projection.columns() {
        let columns: Vec<String> = columns.iter().map(|column| code(column)).collect();
        let _ = writeln!(out, "\nRows have the columns {}.", columns.join(", "));
    }
    if tool.output_schema.is_some() {
        let schema = Value::Object(definition.output_schema.clone());
        let _ = write!(out, "\nThe schema of the output:\n\n{}", json(&schema));
    }
    out
}

fn params(definition: &Definition) -> String {
    let schema = &definition.input_schema;
    let properties = schema.get("properties").and_then(Value::as_object);
    let Some(properties) = properties.filter(|properties| !properties.is_empty()) else {
        return String::new();
    };
    let required = schema.get("required").and_then(Value::as_array);
    let mut out =
        "\n| param | type | default | description |\n| --- | --- | --- | --- |\n".to_owned();
    for (name, schema) in properties {
        let is_required = required.is_some_and(|names| names.iter().any(|one| one == name));
        let default = match schema.get("default") {
            Some(value) => code_cell(&plain(value)),
            None if is_required => "required".to_owned(),
            None => String::new(),
        };
        let description = schema["description"].as_str().unwrap_or_default();
        let _ = writeln!(
            out,
            "| {} | {} | {default} | {} |",
            code_cell(name),
            kind(schema),
            text(description)
        );
    }
    out
}
