//! `toolrun show`: what a tool is and how to call it.

use std::fmt::Write as _;
use std::io::Write as _;

use crate::project::ResponseKind;
use crate::{Catalog, Tool};
use clap::Args;
use serde_json::{Value, json};

use super::Done;
use super::hints::trusting;
use super::output::table_with_header;
use super::terminal::{self, line, shown};

/// Show a tool.
#[derive(Debug, Args)]
pub struct Show {
    /// The tool
    name: String,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

impl Show {
    /// Runs the command.
    pub fn run(self, catalog: &Catalog) -> Done {
        let tool = catalog.tool(&self.name)?;
        let (text, mut stdout) = match self.json {
            true => (format!("{:#}\n", as_json(&tool)), terminal::json()),
            false => (as_text(&tool), terminal::words()),
        };
        stdout.write_all(text.as_bytes())?;
        Ok(stdout.flush()?)
    }
}

fn endpoint(tool: &Tool) -> String {
    let base = &tool.service.base;
    format!("{} {base}{}", tool.request.method, tool.path)
}

fn as_json(tool: &Tool) -> Value {
    json!({
        "name": tool.name,
        "service": tool.service.name,
        "title": tool.title,
        "description": tool.description,
        "docs": tool.docs,
        "access": tool.access,
        "method": tool.request.method,
        "trusted": tool.service.origin.is_trusted(),
        "endpoint": endpoint(tool),
        "secrets": tool.service.auth.secrets().iter().map(|s| &s.name).collect::<Vec<_>>(),
        "settings": tool.service.settings().iter().map(|(name, _)| name).collect::<Vec<_>>(),
        "pages": tool.paging.is_some(),
        "waits": tool.wait.is_some(),
        "response": tool.rules.kind.name(),
        "params": tool.params.schema(),
        "output_schema": tool.output_schema,
        "file": tool.source.name,
        "examples": tool.examples.iter().map(|example| json!({
            "name": example.name,
            "args": example.args,
            "output": example.output,
        })).collect::<Vec<_>>(),
    })
}

fn as_text(tool: &Tool) -> String {
    let mut text = String::new();
    let title = line(tool.title.as_deref().unwrap_or(&tool.name));
    let _ = writeln!(
        text,
        "{} - {title}\n\n{}\n",
        tool.qualified_name(),
        tool.description
    );
    let mut fact = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<10}{}", line(value));
    };
    fact("endpoint", &endpoint(tool));
    fact("access", &tool.access.to_string());
    if let Some(folder) = tool.service.origin.untrusted_folder() {
        let how = trusting(folder).map(|command| format!("; `{command}` lets it send requests"));
        fact("trust", &format!("none{}", how.unwrap_or_default()));
    }
    for secret in tool.service.auth.secrets() {
        let help = secret
            .help
            .as_deref()
            .map(|help| format!(" ({help})"))
            .unwrap_or_default();
        fact("secret", &format!("{}{help}", secret.name));
    }
    for (name, setting) in tool.service.settings() {
        let default = setting
            .default
            .as_ref()
            .map(|default| format!(" = {}", plain(&default.into())))
            .unwrap_or_default();
        let variable = setting
            .env
            .as_deref()
            .map(|v| format!(" [{v}]"))
            .unwrap_or_default();
        fact("setting", &format!("{name}{default}{variable}"));
    }
    if tool.paging.is_some() {
        fact("pages", "yes; --all follows them");
    }
    if tool.wait.is_some() {
        fact("job", "the call waits for it, unless --no-wait is given");
    }
    if tool.rules.kind == ResponseKind::Bytes {
        fact("download", "a file; --out FILE says where to save it");
    }
    if let Some(docs) = &tool.docs {
        fact("docs", docs);
    }
    fact("file", &tool.source.name);
    text.push_str(&params(tool));
    text.push_str(&examples(tool));
    text
}

fn params(tool: &Tool) -> String {
    if tool.params.iter().next().is_none() {
        return "\nThe tool takes no arguments.\n".to_owned();
    }
    let mut table = table_with_header(&["param", "type", "default", "description"]);
    for param in tool.params.iter() {
        let name = match param.required {
            true => format!("{} (required)", param.name),
            false => param.name.to_owned(),
        };
        table.add_row([
            line(&name),
            line(&kind(param.schema)),
            line(&param.default().map(plain).unwrap_or_default()),
            shown(param.description().unwrap_or_default()).into_owned(),
        ]);
    }
    format!("\n{table}\n")
}

/// The type of a param with its limits, in a few words.
fn kind(schema: &Value) -> String {
    if let Some(options) = schema.get("enum").and_then(Value::as_array) {
        return options.iter().map(plain).collect::<Vec<_>>().join(" | ");
    }
    let name = match schema.get("type") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Array(names)) => names.iter().map(plain).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    };
    if name == "array" {
        let item = schema.get("items").map_or("any".to_owned(), kind);
        return format!("array of {item}");
    }
    let bounds = match (schema.get("minimum"), schema.get("maximum")) {
        (Some(low), Some(high)) => format!(" {low}..{high}"),
        (Some(low), None) => format!(" from {low}"),
        (None, Some(high)) => format!(" to {high}"),
        (None, None) => String::new(),
    };
    let format = schema
        .get("format")
        .and_then(Value::as_str)
        .map(|format| format!(" ({format})"))
        .unwrap_or_default();
    format!("{name}{bounds}{format}")
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn examples(tool: &Tool) -> String {
    let mut text = String::new();
    for example in &tool.examples {
        let args = match example.args.is_empty() {
            true => String::new(),
            false => format!(
                " '{}'",
                Value::Object(example.args.clone())
                    .to_string()
                    .replace('\'', r"'\''")
            ),
        };
        let _ = write!(
            text,
            "\n# {}\ntoolrun call {}{args}\n",
            line(&example.name),
            tool.name
        );
    }
    text
}
