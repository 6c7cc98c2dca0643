//! `toolrun show`: what a tool is and how to call it.

use std::fmt::Write as _;
use std::io::Write as _;

use crate::project::ResponseKind;
use crate::{Catalog, Tool};
use clap::Args;
use serde_json::{Value, json};

use super::Done;
use super::form::Form;
use super::hints::trusting;
use super::output::layout::{GAP, padded, width, wrap};
use super::output::plain;
use super::terminal::{self, bold, line, shown};

/// Show a tool.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The tool
    name: String,
    #[command(flatten)]
    form: Form,
    /// Print a long text at once, and not page by page
    #[arg(long)]
    no_pager: bool,
}

impl Show {
    /// Whether errors must be one JSON object.
    pub(crate) fn wants_json(&self) -> bool {
        self.form.is_json()
    }

    /// Runs the command.
    pub(crate) fn run(self, catalog: &Catalog) -> Done {
        let tool = catalog.tool(&self.name)?;
        let most = terminal::is_terminal().then(terminal::width);
        let (text, mut stdout) = match (self.form.is_json(), most) {
            (true, _) => (format!("{:#}\n", as_json(&tool)), terminal::json()),
            (false, None) => (as_text(&tool, None), terminal::words()),
            (false, most) => (as_text(&tool, most), terminal::styled_words()),
        };
        if !self.no_pager {
            stdout = stdout.paged();
        }
        stdout.write_all(text.as_bytes())?;
        Ok(stdout.end()?)
    }
}

/// A text in the columns of a terminal, its lines but the first moved in; in a pipe as it is.
pub(crate) fn laid_out(text: &str, indent: usize, most: Option<usize>) -> String {
    let Some(most) = most else {
        return text.to_owned();
    };
    let lines = wrap(text, most.saturating_sub(indent).max(1));
    lines.join(&format!("\n{}", " ".repeat(indent)))
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
        "optional_secrets": tool.service.auth.secrets().iter().filter(|s| s.is_optional()).map(|s| &s.name).collect::<Vec<_>>(),
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

/// What is known of a tool, for a terminal of so many columns or for a pipe.
pub(crate) fn as_text(tool: &Tool, most: Option<usize>) -> String {
    const NAME: usize = 10;
    let mut text = head(tool, most);
    for (name, value) in facts(tool) {
        let value = laid_out(&line(&value), NAME, most);
        let _ = writeln!(text, "{name:<NAME$}{value}");
    }
    text.push_str(&params(tool, most));
    text.push_str(&examples(tool));
    text
}

/// The tool's name and what it does.
fn head(tool: &Tool, most: Option<usize>) -> String {
    let title = line(tool.title.as_deref().unwrap_or(&tool.name));
    let title = laid_out(&format!("{} - {title}", tool.qualified_name()), 0, most);
    let description = laid_out(&shown(&tool.description), 0, most);
    let title: Vec<_> = title.lines().map(bold).collect();
    format!("{}\n\n{description}\n\n", title.join("\n"))
}

/// What is known of a tool, each fact with its name.
pub(crate) fn facts(tool: &Tool) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let mut fact = |name: &'static str, value: &str| facts.push((name, value.to_owned()));
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
        let optional = if secret.is_optional() {
            ", optional"
        } else {
            ""
        };
        fact("secret", &format!("{}{optional}{help}", secret.name));
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
    facts
}

/// A param on a line, in a few words, and its description.
pub(crate) struct Row {
    pub name: String,
    pub kind: String,
    pub default: String,
    pub description: String,
}

/// The params of a tool.
pub(crate) fn rows(tool: &Tool) -> Vec<Row> {
    tool.params
        .iter()
        .map(|param| Row {
            name: match param.required {
                true => format!("{} (required)", param.name),
                false => param.name.to_owned(),
            },
            kind: kind(param.schema),
            default: param.default().map(plain).unwrap_or_default(),
            description: param.description().unwrap_or_default().to_owned(),
        })
        .collect()
}

/// The params as text: for a terminal of so many columns or for a pipe.
pub(crate) fn params(tool: &Tool, most: Option<usize>) -> String {
    let rows = rows(tool);
    match (rows.is_empty(), most) {
        (true, _) => "\nThe tool takes no arguments.\n".to_owned(),
        (false, Some(most)) => told(&rows, most),
        (false, None) => lines(&rows),
    }
}

/// A line for each param, for programs.
fn lines(rows: &[Row]) -> String {
    let mut text = b"\nparam\ttype\tdefault\tdescription\n".to_vec();
    for row in rows {
        let cells = [&row.name, &row.kind, &row.default, &row.description];
        // To write to memory cannot fail.
        let _ = plain::line(&mut text, cells.map(String::as_str));
    }
    String::from_utf8(text).unwrap_or_default()
}

/// The description beside the param where there is room for it, else below.
fn told(rows: &[Row], most: usize) -> String {
    /// What a description needs to stand beside.
    const BESIDE: usize = 40;
    let facts = |row: &Row| match row.default.is_empty() {
        true => line(&row.kind),
        false => format!("{}, default {}", line(&row.kind), line(&row.default)),
    };
    let names = rows.iter().map(|row| width(&line(&row.name))).max();
    let kinds = rows.iter().map(|row| width(&facts(row))).max();
    let kind_at = names.unwrap_or_default() + GAP;
    let beside = kind_at + kinds.unwrap_or_default() + GAP;
    let mut text = format!("\n{}\n", bold("params"));
    for row in rows {
        let name = padded(&line(&row.name), kind_at, false);
        let description = shown(&row.description);
        let told = match beside + BESIDE <= most {
            true => {
                let facts = padded(&facts(row), beside - kind_at, false);
                format!(
                    "{name}{facts}{}",
                    laid_out(&description, beside, Some(most))
                )
            }
            false => {
                let facts = laid_out(&facts(row), kind_at, Some(most));
                format!(
                    "{name}{facts}\n    {}",
                    laid_out(&description, 4, Some(most))
                )
            }
        };
        told.lines()
            .filter(|line| !line.trim().is_empty())
            .for_each(|line| {
                let _ = writeln!(text, "{}", line.trim_end());
            });
    }
    text
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

/// A value as one writes it on the command line: a text without quotes, anything else as JSON.
pub(crate) fn plain(value: &Value) -> String {
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
