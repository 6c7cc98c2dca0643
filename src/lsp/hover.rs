//! What is told about the thing at the cursor.

use std::ops::Range;

use serde_json::Value;

use super::around;
use super::expression::{self, Role};
use super::facts::Facts;
use super::form::Form;
use super::members;
use super::names::{self, Side};
use super::place::{self, Part, Place, unquoted};
use super::text::Text;
use super::words::Words;
use crate::check::{self, Kind, examples};
use crate::source::{Code, Finding};

/// How many values of a path are shown.
const MOST_SHOWN: usize = 5;

/// What is told, and about which part of the text.
pub(super) fn hover(
    facts: &Facts,
    text: &Text,
    cursor: usize,
    findings: &[Finding],
) -> Option<(Words, Range<usize>)> {
    let mut words = Words::default();
    let found = place::find(text.as_str(), cursor);
    let mut range = cursor..cursor;
    if let Some(place) = &found {
        range = place.word.clone();
        match place.part {
            Part::Key { .. } => about_key(facts, text.as_str(), place, &mut words),
            Part::Value | Part::Start => {
                if let Some(part) = about_value(facts, text.as_str(), cursor, place, &mut words) {
                    range = part;
                }
            }
        }
    }
    for finding in findings
        .iter()
        .filter(|finding| covers(&finding.span, cursor))
    {
        explain(finding.code, &mut words);
        if found.is_none() {
            range = finding.span.clone();
        }
    }
    (!words.is_empty()).then_some((words, range))
}

/// Whether a finding is about the byte at the cursor.
pub(super) fn covers(span: &Range<usize>, cursor: usize) -> bool {
    span.start <= cursor && cursor <= span.end
}

/// What a code means.
fn explain(code: Code, words: &mut Words) {
    let meaning = code.meaning();
    words.say(format!("**{}**: {}", meaning.name, meaning.summary));
    words.say("Wrong:");
    words.show("yaml", meaning.wrong);
    words.say("Right:");
    words.show("yaml", meaning.right);
}

fn about_key(facts: &Facts, text: &str, place: &Place, words: &mut Words) {
    let name = unquoted(&text[place.word.clone()]);
    let steps: Vec<&str> = place.path.iter().map(String::as_str).collect();
    if steps == ["allow"]
        && let Some(code) = Code::from_name(name)
    {
        return explain(code, words);
    }
    match (facts.kind, steps.as_slice()) {
        (Kind::Tool, ["params", "properties"] | ["paging", "next"] | ["examples", _, "args"]) => {
            about_param(facts, name, words);
        }
        (_, ["settings"] | ["service", "settings"]) => about_setting(facts, name, words),
        (Kind::Tool, ["response", "let"]) => about_binding(facts, name, words),
        (Kind::Sandbox, ["routes"]) => about_tool(facts, name, words),
        (Kind::Policy, ["cases", _, "args"]) => about_argument(facts, &place.path, name, words),
        _ => {}
    }
    about_form(facts, &place.path, name, words);
    if facts.kind == Kind::Tool && place.path.is_empty() && matches!(name, "tool" | "request") {
        show_request(facts, words);
    }
}

/// What the schema says about a key.
fn about_form(facts: &Facts, path: &[String], name: &str, words: &mut Words) {
    let form = Form::at(facts.kind, path, facts.value());
    let keys = form.keys();
    let Some(key) = keys.iter().find(|key| key.name == name) else {
        return;
    };
    let mut to_value = path.to_vec();
    to_value.push(name.to_owned());
    let inner = Form::at_open(facts.kind, &to_value, facts.value());
    if let Some(doc) = inner.doc() {
        words.say(doc);
    }
    let mut more = Vec::new();
    if key.is_required {
        more.push("It is required.".to_owned());
    }
    let choices: Vec<String> = inner
        .choices()
        .into_iter()
        .map(|c| format!("`{}`", c.text))
        .collect();
    if choices.len() > 1 && choices.len() < 30 {
        more.push(format!("One of {}.", choices.join(", ")));
    }
    if let Some(default) = inner
        .default()
        .filter(|value| !value.is_object() && !value.is_array())
    {
        more.push(format!("The default is `{default}`."));
    }
    if !more.is_empty() {
        words.say(more.join(" "));
    }
}

fn about_value(
    facts: &Facts,
    text: &str,
    cursor: usize,
    place: &Place,
    words: &mut Words,
) -> Option<Range<usize>> {
    if let Some(spot) = expression::spot(text, &place.word, cursor) {
        about_name(facts, text, &place.path, &spot, words);
        return Some(spot.word);
    }
    let value = unquoted(&text[place.word.clone()]);
    let steps: Vec<&str> = place.path.iter().map(String::as_str).collect();
    if value.starts_with('$') {
        about_path(facts, value, &place.path, words);
        return None;
    }
    match (facts.kind, steps.as_slice()) {
        (Kind::Tool, ["tool"]) => show_request(facts, words),
        (Kind::Tool, ["service"]) => about_service(facts, words),
        (
            Kind::Tool,
            ["request", "query", _]
            | ["params", "required", _]
            | ["paging", "limit"]
            | ["sync", "param"],
        ) => {
            about_param(facts, value, words);
        }
        (Kind::Policy, ["rules", _, "tools"] | ["rules", _, "tools", _] | ["cases", _, "tool"]) => {
            about_tool(facts, value, words);
        }
        (
            Kind::Sandbox,
            ["routes", _, "match", _] | ["routes", _, "find", "by", _] | ["routes", _, "page", ..],
        ) => about_argument(facts, &place.path, value, words),
        _ => {
            let form = Form::at_open(facts.kind, &place.path, facts.value());
            let choice = form
                .choices()
                .into_iter()
                .find(|choice| choice.text == value);
            if let Some(doc) = choice.and_then(|choice| choice.doc) {
                words.say(doc);
            }
        }
    }
    None
}

/// What a name of an expression is.
fn about_name(
    facts: &Facts,
    text: &str,
    path: &[String],
    spot: &expression::Spot,
    words: &mut Words,
) {
    let name = &text[spot.word.clone()];
    match spot.role {
        Role::Filter => return words.say(format!("`{name}` is a filter.")),
        Role::Test => return words.say(format!("`{name}` is a test.")),
        Role::Name => {}
    }
    let side = names::side_of(facts.kind, path);
    let chain: Vec<&str> = spot.chain.iter().map(String::as_str).collect();
    match chain.as_slice() {
        ["settings"] => about_setting(facts, name, words),
        ["params"] => about_param(facts, name, words),
        ["args"] => about_argument(facts, path, name, words),
        [] if facts.bindings().any(|(known, _)| known == name) && side == Side::Response => {
            about_binding(facts, name, words);
        }
        [] if matches!(side, Side::Request | Side::Job)
            && facts.params().any(|(known, _)| known == name) =>
        {
            about_param(facts, name, words);
        }
        [] => {
            let roots = names::roots(facts, path);
            if let Some(root) = roots.iter().find(|root| root.name == name) {
                words.say(format!("`{}`: {}.", root.name, root.detail));
            }
        }
        _ => {
            let members = names::members(facts, path, &spot.chain);
            if let Some(member) = members.iter().find(|member| member.name == name) {
                words.say("In the examples:");
                words.show("json", &member.detail);
            }
        }
    }
}

fn about_param(facts: &Facts, name: &str, words: &mut Words) {
    let Some((_, schema)) = facts.params().find(|(known, _)| *known == name) else {
        return;
    };
    let required = facts.part("/params/required").as_array();
    let is_required = required.is_some_and(|names| names.iter().any(|other| other == name));
    words.say(match is_required {
        true => "A param that is required:",
        false => "A param that may be absent:",
    });
    words.show("json", &format!("{}: {schema:#}", Value::from(name)));
}

/// What an argument is that a sandbox or a policy speaks about.
fn about_argument(facts: &Facts, path: &[String], name: &str, words: &mut Words) {
    let tools = around::tools(facts, path);
    let known = tools
        .iter()
        .find_map(|tool| Some((&tool.name, tool.params.get(name)?)));
    if let Some((tool, schema)) = known {
        words.say(format!("A param of `{tool}`:"));
        words.show("json", &format!("{}: {schema:#}", Value::from(name)));
    }
}

/// What a tool does that a sandbox or a policy names.
fn about_tool(facts: &Facts, name: &str, words: &mut Words) {
    if let Some(tool) = around::tool_named(facts, name) {
        words.say(format!("The tool `{}`:", tool.name));
        words.show("text", &tool.description);
    }
}

fn about_setting(facts: &Facts, name: &str, words: &mut Words) {
    if let Some((_, setting)) = facts.settings().find(|(known, _)| *known == name) {
        words.say("A setting of the service:");
        words.show("json", &format!("{}: {setting:#}", Value::from(name)));
    }
}

fn about_binding(facts: &Facts, name: &str, words: &mut Words) {
    if let Some((_, value)) = facts.bindings().find(|(known, _)| *known == name) {
        words.say("A value of `response.let`:");
        words.show("json", &format!("{}: {value:#}", Value::from(name)));
        if let Value::String(path) = value
            && path.starts_with('$')
        {
            let at = ["response", "let", name].map(str::to_owned);
            about_path(facts, path, &at, words);
        }
    }
}

fn about_service(facts: &Facts, words: &mut Words) {
    if let Some(service) = &facts.service {
        let value = service.value();
        let lines: Vec<String> = ["title", "description", "base_url", "docs"]
            .iter()
            .filter_map(|key| Some(format!("{key}: {}", value.get(*key)?)))
            .collect();
        words.say("The service beside this file:");
        words.show("yaml", &lines.join("\n"));
    }
}

/// What a path finds in the examples.
fn about_path(facts: &Facts, path: &str, at: &[String], words: &mut Words) {
    if let Err(error) = crate::jsonpath::JsonPath::parse(path) {
        words.say("This is no JSONPath:");
        return words.show("text", &error.to_string());
    }
    if !members::is_quick(path) {
        return words.say("This path may take long, and is not followed here.");
    }
    members::visit(facts, at, &mut |roots| {
        if roots.values.is_empty() {
            return words.say("No example has a response in which this path could be looked for.");
        }
        let found = members::reached(path, roots.values);
        if found.is_empty() {
            return words.say("In the examples, this path finds nothing.");
        }
        words.say("In the examples, this path finds:");
        let shown: Vec<String> = found
            .iter()
            .take(MOST_SHOWN)
            .map(|value| format!("{value:#}"))
            .collect();
        let more = found.len().saturating_sub(MOST_SHOWN);
        let more = if more > 0 {
            format!("\n... and {more} more")
        } else {
            String::new()
        };
        words.show("json", &format!("{}{more}", shown.join("\n")));
    });
}

/// The request of the first example, as the plan has it: a secret is stars.
fn show_request(facts: &Facts, words: &mut Words) {
    let (Some(file), Some(source)) = (&facts.file, &facts.source) else {
        return;
    };
    let Ok(tool) = check::tool_with(&file.entry(), source.text().to_owned()) else {
        return words.say("The request is shown when the file has no errors.");
    };
    let example = tool.examples.first();
    let none = serde_json::Map::new();
    let arguments = example.map_or(&none, |example| &example.args);
    match examples::plan(&tool, arguments) {
        Ok(plan) => {
            words.say(match example {
                Some(_) => "The request of the first example:",
                None => "The request without arguments:",
            });
            words.show("http", &plan.to_http());
        }
        Err(reason) => {
            words.say("There is no request to show:");
            words.show("text", &reason);
        }
    }
}
