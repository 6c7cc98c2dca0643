//! `toolrun call NAME --help`: what a tool takes, and how to call it.

use std::sync::Arc;

use clap::error::ErrorKind;
use serde_json::{Map, Value};

use super::commands::Command;
use super::hints::shell_word;
use super::show::{self, plain};
use super::{Cli, Done, arguments, catalog, terminal};
use crate::{Access, Tool};

/// Prints the help of a tool, if `error` is a wish for the help of `call` and the words name a tool.
pub(crate) fn of_call(error: &clap::Error) -> Option<Done> {
    if error.kind() != ErrorKind::DisplayHelp {
        return None;
    }
    let is_help = |word: &std::ffi::OsString| word == "--help" || word == "-h";
    let words = std::env::args_os().filter(|word| !is_help(word));
    let cli = Cli::read(words).ok()?;
    let Command::Call(call) = &cli.command else {
        return None;
    };
    let catalog = cli
        .in_force()
        .and_then(|in_force| catalog(&cli.shared.tools, call.trusted(), &in_force));
    Some(catalog.and_then(|catalog| {
        let tool = catalog.tool(call.name())?;
        print(&tool, call.name(), call.wants_pager())
    }))
}

fn print(tool: &Arc<Tool>, name: &str, wants_pager: bool) -> Done {
    use std::io::Write;
    let mut out = terminal::styled_words();
    if terminal::is_terminal() && wants_pager {
        out = out.paged();
    }
    out.write_all(text(tool, name).as_bytes())?;
    Ok(out.end()?)
}

fn text(tool: &Arc<Tool>, name: &str) -> String {
    let most = terminal::width();
    let description = terminal::shown(&tool.description);
    let description = show::laid_out(&description, 0, Some(most));
    let heading = |text: &str| format!("\n{}\n", terminal::bold(text));
    let mut text = format!("{description}\n");
    if let Some(access) = consent(tool.access) {
        text.push_str(&format!("\n{}\n", show::laid_out(access, 0, Some(most))));
    }
    text.push_str(&heading("usage"));
    text.push_str(&format!("toolrun call {name} [PARAM=VALUE]... [OPTIONS]\n"));
    text.push_str(&show::params(tool, Some(most)));
    text.push_str(&heading("example"));
    text.push_str(&format!("{}\n", example(tool, name)));
    text.push_str(&heading("options"));
    text.push_str(&options());
    text
}

fn consent(access: Access) -> Option<&'static str> {
    match access {
        Access::Read => None,
        Access::Write => Some(
            "This tool may change data. On a terminal it asks before it does; elsewhere it needs --yes.",
        ),
        Access::Destructive => Some(
            "This tool may destroy data for good. On a terminal it asks before it does; elsewhere it needs --yes.",
        ),
    }
}

/// The options of `call`, as its own help tells them.
fn options() -> String {
    let mut command = Cli::program();
    command.build();
    let Some(call) = command.find_subcommand_mut("call") else {
        return String::new();
    };
    let mut call = std::mem::take(call)
        .help_template("{options}")
        .mut_arg("help", |arg| arg.hide(true));
    let help = call.render_help();
    match terminal::has_colours() {
        true => help.ansi().to_string(),
        false => help.to_string(),
    }
}

/// A command line that calls the tool: its first example, or what it must be given at least.
pub(crate) fn example(tool: &Arc<Tool>, name: &str) -> String {
    let described = tool.examples.first().map(|example| example.args.clone());
    let args = described.unwrap_or_else(|| required(tool));
    let words = [
        vec!["toolrun".to_owned(), "call".to_owned(), name.to_owned()],
        words(tool, &args),
    ];
    let words: Vec<String> = words
        .concat()
        .iter()
        .map(|word| shell_word(&terminal::line(word)))
        .collect();
    words.join(" ")
}

/// A made-up value for each param that must be given.
fn required(tool: &Tool) -> Map<String, Value> {
    let required = tool.params.iter().filter(|param| param.required);
    required
        .map(|param| (param.name.to_owned(), stand_in(param.schema, param.name)))
        .collect()
}

/// A value as the schema asks for: one that it names, else one that shows its type.
fn stand_in(schema: &Value, name: &str) -> Value {
    let named = schema.get("enum").and_then(|values| values.get(0));
    let named = named
        .or_else(|| schema.get("const"))
        .or_else(|| schema.get("default"));
    let named = named.or_else(|| schema.get("examples").and_then(|values| values.get(0)));
    if let Some(value) = named {
        return value.clone();
    }
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("integer" | "number"), _) => {
            schema.get("minimum").cloned().unwrap_or_else(|| 1.into())
        }
        (Some("boolean"), _) => true.into(),
        (Some("array"), _) => vec![stand_in(&schema["items"], name)].into(),
        (Some("object"), _) => Value::Object(Map::new()),
        (_, Some("date-time")) => "2026-11-01T00:00:00Z".into(),
        (_, Some("date")) => "2026-11-01".into(),
        _ => name.to_uppercase().into(),
    }
}

/// Arguments as words: `key=value` where that is read as the same value, else `key:=JSON`.
fn words(tool: &Arc<Tool>, args: &Map<String, Value>) -> Vec<String> {
    args.iter()
        .flat_map(|(name, value)| words_of(tool, name, value))
        .collect()
}

fn words_of(tool: &Arc<Tool>, name: &str, value: &Value) -> Vec<String> {
    let texts = match value {
        Value::Array(items) => items.iter().map(plain).collect(),
        value => vec![plain(value)],
    };
    let words: Vec<String> = texts.iter().map(|text| format!("{name}={text}")).collect();
    // A descriptor's text must not make us read a file.
    if texts.iter().any(|text| text.starts_with(['@', '\\'])) {
        return vec![format!("{name}:={value}")];
    }
    let read = arguments::parse(tool, &words, &arguments::Clock::of_system());
    match read.is_ok_and(|read| read.gives(name, value)) {
        true => words,
        false => vec![format!("{name}:={value}")],
    }
}
