//! curl commands: read as a shell would, and rewritten as a collection of saved requests.

mod cmd;
mod command;
mod form;
mod options;
mod target;
mod words;

use serde_json::{Value, json};

use super::inner::{Format, Inner};
use super::postman;
use command::Command;
use words::Words;

/// Rewrites one command with these words, and the answer that is known to it: its status and its body.
///
/// # Errors
/// When a tool cannot say what it sends.
pub(super) fn rewrite_words(
    words: Vec<String>,
    answer: Option<(u16, Value)>,
) -> Result<Inner, String> {
    let words = Words {
        line: 1,
        words,
        stdin: None,
    };
    let (request, notes) = Command::read(words)?;
    let title = request["url"].as_str().and_then(host);
    let mut item = json!({ "name": "", "request": request, "protocolProfileBehavior": { "disableBodyPruning": true } });
    if let Some((status, body)) = answer {
        let text = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let media_type = json!([{ "key": "content-type", "value": "application/json" }]);
        item["response"] =
            json!([{ "name": "as recorded", "code": status, "header": media_type, "body": text }]);
    }
    let collection = json!({
        "info": { "name": title.unwrap_or_default(), "_postman_id": "" },
        "item": [item],
    });
    let mut inner = postman::rewrite(&collection)?;
    let lost = notes
        .into_iter()
        .map(|(what, message)| (what, String::new(), message));
    inner.lost.extend(lost);
    inner.format = Format::Curl;
    inner.version = String::new();
    Ok(inner)
}

/// Rewrites a text with curl commands.
///
/// # Errors
/// When it has none, or one cannot be read.
pub(super) fn rewrite(text: &str) -> Result<Inner, String> {
    let commands = match cmd::is_one(text) {
        true => cmd::commands(text)?,
        false => words::commands(text)?,
    };
    if commands.is_empty() {
        return Err(none_in(text));
    }
    let is_one = commands.len() == 1;
    let mut items = Vec::new();
    let mut lost = Vec::new();
    let mut title = None;
    for command in commands {
        let line = command.line;
        let (request, notes) =
            Command::read(command).map_err(|problem| format!("line {line}: {problem}"))?;
        if title.is_none() {
            title = request["url"].as_str().and_then(host);
        }
        for (what, message) in notes {
            let message = match is_one {
                true => message,
                false => format!("line {line}: {message}"),
            };
            // The document is a text, which has no places.
            lost.push((what, String::new(), message));
        }
        // curl sends a body with any method.
        let keeps_body = json!({ "disableBodyPruning": true });
        items
            .push(json!({ "name": "", "request": request, "protocolProfileBehavior": keeps_body }));
    }
    let collection = json!({
        "info": { "name": title.unwrap_or_default(), "_postman_id": "" },
        "item": items,
    });
    let mut inner = postman::rewrite(&collection)?;
    inner.lost.extend(lost);
    inner.format = Format::Curl;
    inner.version = String::new();
    Ok(inner)
}

fn none_in(text: &str) -> String {
    let is_power_shell = ["Invoke-WebRequest", "Invoke-RestMethod"]
        .iter()
        .any(|name| text.contains(name));
    match is_power_shell {
        true => "this is a command for PowerShell; copy it for bash or cmd".to_owned(),
        false => {
            "this is a text with no curl command, and no document of another format".to_owned()
        }
    }
}

fn host(url: &str) -> Option<String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?', ':']).next()?;
    let named: Vec<&str> = host
        .split('.')
        .filter(|label| !["www", "com", "org", "net", "io", "dev", "app"].contains(label))
        .collect();
    Some(named.join(" "))
}
