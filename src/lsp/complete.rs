//! What may be written at the cursor.

use std::collections::HashSet;
use std::ops::Range;

use serde_json::{Value, json};

use super::around;
use super::desk::Client;
use super::expression::{self, Role};
use super::facts::Facts;
use super::form::{Form, Shape};
use super::members::{self, Mark};
use super::names::{self, about};
use super::place::{self, Part, Place, unquoted};
use super::text::Text;
use super::words::brief;
use crate::catalog::File;
use crate::template::{filter_names, function_names, test_names};

/// How many things are offered.
const MOST: usize = 500;

/// The kinds of what is offered, as the protocol counts them.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Function = 3,
    Field = 5,
    Variable = 6,
    Property = 10,
    Value = 12,
    Snippet = 15,
}

/// Something that may be written.
struct Item {
    label: String,
    kind: Kind,
    /// A few words beside the label.
    detail: String,
    /// Words of ours about it.
    doc: Option<&'static str>,
    /// What is written, and where.
    text: String,
    range: Range<usize>,
    is_snippet: bool,
    /// The text that is compared with what is written, where it is not the label.
    filter: Option<String>,
    /// Lower ones come first.
    rank: u8,
}

impl Item {
    fn new(label: &str, kind: Kind, range: Range<usize>) -> Item {
        Item {
            label: label.to_owned(),
            kind,
            detail: String::new(),
            doc: None,
            text: label.to_owned(),
            range,
            is_snippet: false,
            filter: None,
            rank: 5,
        }
    }
}

/// What may be written at the cursor, as the protocol's list.
pub(super) fn complete(facts: &Facts, text: &Text, cursor: usize, client: &Client) -> Value {
    let items = match place::find(text.as_str(), cursor) {
        Some(place) => items(facts, text.as_str(), cursor, &place, client),
        None => Vec::new(),
    };
    let is_cut = items.len() > MOST;
    let items = items.into_iter().take(MOST).enumerate();
    let items: Vec<Value> = items
        .map(|(i, item)| item_json(i, &item, text, client))
        .collect();
    json!({ "isIncomplete": is_cut, "items": items })
}

fn item_json(index: usize, item: &Item, text: &Text, client: &Client) -> Value {
    let mut all = json!({
        "label": item.label,
        "kind": item.kind as u8,
        "sortText": format!("{}{index:04}", item.rank),
        "textEdit": { "range": text.span(item.range.clone()), "newText": item.text },
    });
    if !item.detail.is_empty() {
        all["detail"] = item.detail.clone().into();
    }
    if let Some(doc) = item.doc {
        all["documentation"] = doc.into();
    }
    if let Some(filter) = &item.filter {
        all["filterText"] = filter.clone().into();
    }
    if item.is_snippet {
        all["insertTextFormat"] = 2.into();
    }
    if client.takes_as_is && item.text.contains('\n') {
        all["insertTextMode"] = 1.into();
    }
    all
}

fn items(facts: &Facts, text: &str, cursor: usize, place: &Place, client: &Client) -> Vec<Item> {
    if let Some(spot) = expression::spot(text, &place.word, cursor) {
        return of_expression(facts, &place.path, &spot);
    }
    if expression::is_inside(text, &place.word, cursor) {
        return Vec::new();
    }
    let mut items = Vec::new();
    if matches!(place.part, Part::Key { .. } | Part::Start) {
        let form = Form::at(facts.kind, &place.path, facts.value());
        items.extend(keys(facts, &form, place, client));
    }
    if matches!(place.part, Part::Value | Part::Start) {
        let form = Form::at_open(facts.kind, &place.path, facts.value());
        items.extend(values(facts, &form, text, cursor, place));
    }
    items
}

fn of_expression(facts: &Facts, path: &[String], spot: &expression::Spot) -> Vec<Item> {
    let item = |name: &str, kind| Item::new(name, kind, spot.word.clone());
    let called = |names: &[&str], what: &str| -> Vec<Item> {
        let items = names.iter().map(|name| Item {
            detail: what.to_owned(),
            ..item(name, Kind::Function)
        });
        items.collect()
    };
    match (spot.role, spot.chain.is_empty()) {
        (Role::Filter, _) => called(&filter_names(), "filter"),
        (Role::Test, _) => called(&test_names(), "test"),
        (Role::Name, true) => {
            let names = names::roots(facts, path).into_iter();
            let names = names.map(|name| Item {
                detail: name.detail.clone(),
                rank: 1,
                ..item(&name.name, Kind::Variable)
            });
            let functions = function_names().into_iter().map(|name| Item {
                detail: "function".to_owned(),
                ..item(&name, Kind::Function)
            });
            names.chain(functions).collect()
        }
        (Role::Name, false) => {
            let names = names::members(facts, path, &spot.chain).into_iter();
            let items = names.map(|name| {
                let mut item = Item {
                    detail: name.detail.clone(),
                    ..item(&name.name, Kind::Field)
                };
                if !crate::template::is_identifier(&name.name) {
                    // A member that is no name stands in brackets, in place of the dot.
                    item.range.start -= 1;
                    item.text = format!("['{}']", name.name);
                    item.filter = Some(format!(".{}", name.name));
                }
                item
            });
            items.collect()
        }
    }
}

/// The keys that a map may have, those that it needs first.
fn keys(facts: &Facts, form: &Form, place: &Place, client: &Client) -> Vec<Item> {
    let has_colon = place.part == (Part::Key { has_colon: true });
    let written = written_keys(facts, place);
    let is_written = |name: &str| written.iter().any(|key| key == name);
    let mut items = Vec::new();
    if written.is_empty() && !place.in_brackets {
        for (label, description, body) in form.beginnings() {
            let text = snippet(body, place.column);
            items.push(Item {
                detail: description.to_owned(),
                text: if client.snippets {
                    text
                } else {
                    without_fields(&text)
                },
                is_snippet: client.snippets,
                rank: 8,
                ..Item::new(label, Kind::Snippet, place.word.clone())
            });
        }
    }
    for key in form.keys().into_iter().filter(|key| !is_written(key.name)) {
        let inner = form.of_key(&key);
        let behind = match has_colon {
            true => String::new(),
            false => behind_key(&inner.shapes(), place, client),
        };
        items.push(Item {
            detail: if key.is_required {
                "required".to_owned()
            } else {
                String::new()
            },
            doc: inner.doc(),
            text: format!("{}{behind}", key.name),
            rank: if key.is_required { 1 } else { 3 },
            ..Item::new(key.name, Kind::Property, place.word.clone())
        });
    }
    for (name, detail, value) in own_keys(facts, &place.path) {
        if is_written(&name) {
            continue;
        }
        let behind = if has_colon {
            String::new()
        } else {
            format!(": {value}")
        };
        items.push(Item {
            detail,
            text: format!("{name}{behind}"),
            rank: 2,
            ..Item::new(&name, Kind::Variable, place.word.clone())
        });
    }
    items
}

/// The keys that the map has, without the one at the cursor.
fn written_keys(facts: &Facts, place: &Place) -> Vec<String> {
    let mut written = place.keys.clone();
    let pointer = crate::source::pointer(&place.path);
    if let Some(source) = &facts.source
        && let Some(Value::Object(members)) = source.value().pointer(&pointer)
    {
        let own = unquoted(source.text().get(place.word.clone()).unwrap_or_default());
        let known: HashSet<&String> = place.keys.iter().collect();
        for name in members.keys().filter(|name| !known.contains(name)) {
            let is_at_cursor = name == own && {
                let key = source.key_span(&crate::source::join(&pointer, name));
                key.start == place.word.start
            };
            if !is_at_cursor {
                written.push(name.clone());
            }
        }
    }
    written
}

/// What follows a key that is written: a value on the same line, or lines of their own.
fn behind_key(shapes: &[Shape], place: &Place, client: &Client) -> String {
    let lines = |mark: &str| match client.takes_as_is {
        true => format!(":\n{}{mark}", " ".repeat(place.column + 2)),
        false => ":".to_owned(),
    };
    match shapes {
        _ if place.in_brackets => ": ".to_owned(),
        [Shape::Map] => lines(""),
        [Shape::List] => lines("- "),
        _ => ": ".to_owned(),
    }
}

/// Keys that only this file or those beside it know: the name, a few words, and the usual value.
fn own_keys(facts: &Facts, path: &[String]) -> Vec<(String, String, String)> {
    let steps: Vec<&str> = path.iter().map(String::as_str).collect();
    let params = |value: &dyn Fn(&str) -> String| -> Vec<(String, String, String)> {
        let params = facts.params();
        params
            .map(|(name, schema)| (name.clone(), about(schema), value(name)))
            .collect()
    };
    match (facts.kind, steps.as_slice()) {
        (crate::check::Kind::Tool, ["request", "query"]) => {
            params(&|name| match crate::template::is_identifier(name) {
                true => format!("\"{{{{ {name} }}}}\""),
                false => format!("\"{{{{ params['{name}'] }}}}\""),
            })
        }
        (
            crate::check::Kind::Tool,
            ["paging", "next"] | ["examples", _, "args"] | ["sync", "map"],
        ) => params(&|_| String::new()),
        (crate::check::Kind::Sandbox, ["routes"]) => {
            let tools = siblings(facts);
            tools
                .into_iter()
                .map(|name| (name, "a tool".to_owned(), String::new()))
                .collect()
        }
        (
            crate::check::Kind::Sandbox,
            ["routes", _, "match" | "set" | "merge"]
            | ["routes", _, "find", "by"]
            | ["routes", _, "insert", "row"]
            | ["routes", _, "also", _, "match" | "set" | "merge"],
        ) => {
            let fields = around::fields(facts, path).into_iter();
            fields
                .map(|name| (name.clone(), "a field of the row".to_owned(), String::new()))
                .collect()
        }
        (crate::check::Kind::Policy, ["cases", _, "args"]) => {
            let params = around::params(facts, path).into_iter();
            params
                .map(|(name, schema)| (name.clone(), about(schema), String::new()))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn siblings(facts: &Facts) -> Vec<String> {
    let tools = facts
        .file
        .as_ref()
        .map(File::sibling_tools)
        .unwrap_or_default();
    let mut names: Vec<String> = tools.into_iter().map(|entry| entry.name).collect();
    names.sort();
    names
}

/// The values that may stand at the cursor.
fn values(facts: &Facts, form: &Form, text: &str, cursor: usize, place: &Place) -> Vec<Item> {
    let word = &text[place.word.clone()];
    let quote = word.chars().next().filter(|c| matches!(c, '"' | '\''));
    let start = place.word.start + quote.map_or(0, |_| 1);
    let is_closed = quote.is_some_and(|quote| word.len() > 1 && word.ends_with(quote));
    let end = place.word.end - usize::from(is_closed);
    let typed = text.get(start..cursor).unwrap_or_default();
    let takes_path = ["Projection", "JsonPath", "OnePath", "Answer"]
        .iter()
        .any(|name| form.is_a(name));
    if typed.starts_with('$') {
        return paths(facts, text, start..cursor, &place.path);
    }
    let inside = start..end.max(start);
    // Behind a colon without a space, the space comes first.
    let lead = if text[..start].ends_with(':') && quote.is_none() {
        " "
    } else {
        ""
    };
    let mut items: Vec<Item> = Vec::new();
    let mut add = |name: &str, detail: String, doc, rank| {
        items.push(Item {
            detail,
            doc,
            rank,
            text: format!("{lead}{name}"),
            ..Item::new(name, Kind::Value, inside.clone())
        });
    };
    for (name, detail) in own_values(facts, &place.path) {
        add(&name, detail, None, 1);
    }
    for choice in form.choices() {
        add(&choice.text, String::new(), choice.doc, 2);
    }
    if takes_path && typed.is_empty() {
        members::visit(facts, &place.path, &mut |roots| {
            let all = roots.values.to_vec();
            for member in members::members_of(all)
                .into_iter()
                .filter(|m| members::is_short(&m.name))
            {
                add(&format!("$.{}", member.name), brief(member.value), None, 4);
            }
        });
    }
    items
}

/// Values that only this file or those beside it know, with a few words.
fn own_values(facts: &Facts, path: &[String]) -> Vec<(String, String)> {
    use crate::check::Kind as Of;
    let steps: Vec<&str> = path.iter().map(String::as_str).collect();
    let plain = |name: Option<String>, detail: &str| -> Vec<(String, String)> {
        name.into_iter()
            .map(|name| (name, detail.to_owned()))
            .collect()
    };
    let params = |used: &str| -> Vec<(String, String)> {
        let used = facts
            .part(used)
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let is_free = |name: &String| !used.iter().any(|other| other == name.as_str());
        let params = facts.params().filter(|(name, _)| is_free(name));
        params
            .map(|(name, schema)| (name.clone(), about(schema)))
            .collect()
    };
    let columns = || -> Vec<(String, String)> {
        let columns = facts.columns().into_iter();
        columns
            .map(|name| (name.clone(), "a column".to_owned()))
            .collect()
    };
    match (facts.kind, steps.as_slice()) {
        (Of::Tool, ["service"]) => plain(facts.service_name(), "the service beside this file"),
        (Of::Tool, ["tool"]) => plain(facts.stem(), "the file's name"),
        (Of::Service, ["service"]) => plain(facts.service_name(), "the folder's name"),
        (Of::Sandbox, ["sandbox"]) => plain(facts.service_name(), "the service beside this file"),
        (Of::Tool, ["request", "query", _]) if !facts.part("/request/query").is_object() => {
            params("/request/query")
        }
        (Of::Tool, ["params", "required", _]) => params("/params/required"),
        (Of::Tool, ["paging", "limit"] | ["sync", "param"]) => params(""),
        (Of::Tool, ["params", .., "$ref"]) => {
            let known = facts
                .part("/params/$defs")
                .as_object()
                .into_iter()
                .flatten();
            known
                .map(|(name, _)| (format!("\"#/$defs/{name}\""), String::new()))
                .collect()
        }
        (Of::Tool, ["response", "rows"]) => {
            let output = facts
                .part("/response/output")
                .as_object()
                .into_iter()
                .flatten();
            output
                .map(|(name, _)| (name.clone(), "a key of the output".to_owned()))
                .collect()
        }
        (Of::Tool, ["sync", "cursor"] | ["sync", "key", _] | ["response", "chart", ..]) => {
            columns()
        }
        (Of::Tool, ["sync", "parent"]) => {
            let tools = siblings(facts)
                .into_iter()
                .filter(|name| Some(name) != facts.stem().as_ref());
            tools
                .map(|name| (name, "a tool of this service".to_owned()))
                .collect()
        }
        (Of::Tool, ["examples", _, "args", name]) => {
            let param = facts.params().find(|(known, _)| known == name);
            param
                .map(|(_, schema)| values_of(schema))
                .unwrap_or_default()
        }
        (Of::Policy, ["cases", _, "args", name]) => {
            let mut params = around::params(facts, path).into_iter();
            let param = params.find(|(known, _)| known == name);
            param
                .map(|(_, schema)| values_of(schema))
                .unwrap_or_default()
        }
        (Of::Policy, ["rules", _, "tools"] | ["rules", _, "tools", _] | ["cases", _, "tool"]) => {
            let all = facts.around.tools.iter();
            all.map(|tool| (tool.name.clone(), tool.description.clone()))
                .collect()
        }
        (
            Of::Policy,
            ["rules", _, "callers"] | ["rules", _, "callers", _] | ["cases", _, "caller"],
        ) => {
            let known = around::callers(facts).into_iter();
            let local = ("local".to_owned(), "whoever starts the server".to_owned());
            known
                .map(|(name, claims)| (name.to_owned(), brief(claims)))
                .chain([local])
                .collect()
        }
        (
            Of::Sandbox,
            ["routes", _, "from"]
            | ["routes", _, "find", "in"]
            | ["routes", _, "insert", "into"]
            | ["routes", _, "also", _, "in"],
        ) => around::collections(facts)
            .map(|name| (name.clone(), "a collection".to_owned()))
            .collect(),
        (
            Of::Sandbox,
            ["routes", _, "match", _]
            | ["routes", _, "find", "by", _]
            | ["routes", _, "also", _, "match", _]
            | ["routes", _, "page", "limit" | "token"]
            | ["routes", _, "page", "ids", "after" | "before"]
            | ["routes", _, "buckets", "token"],
        ) => {
            let params = around::params(facts, path).into_iter();
            params
                .map(|(name, schema)| (name.clone(), about(schema)))
                .collect()
        }
        (Of::Sandbox, ["routes", _, "page", "ids", "key"]) => around::fields(facts, path)
            .into_iter()
            .map(|name| (name.clone(), "a field of the row".to_owned()))
            .collect(),
        _ => Vec::new(),
    }
}

/// The values that a param's schema names.
fn values_of(schema: &Value) -> Vec<(String, String)> {
    let list = |key: &str| {
        schema
            .get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let is_boolean = schema.get("type").is_some_and(|kind| kind == "boolean");
    let flags = [Value::Bool(true), Value::Bool(false)];
    let flags = flags.iter().filter(|_| is_boolean);
    let all = list("enum")
        .chain(schema.get("const"))
        .chain(schema.get("default"));
    let all = all.chain(list("examples")).chain(flags);
    let mut found: Vec<(String, String)> = Vec::new();
    for value in all {
        let text = match value {
            Value::String(text) if is_plain(text) => text.clone(),
            other => other.to_string(),
        };
        let is_default = schema.get("default") == Some(value);
        let detail = if is_default { "the default" } else { "" };
        if !found.iter().any(|(known, _)| *known == text) {
            found.push((text, detail.to_owned()));
        }
    }
    found
}

/// Whether YAML reads a text without quotes as itself.
fn is_plain(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let is_text = text.starts_with(|c: char| c.is_ascii_alphabetic());
    is_text && text.chars().all(is_word) && !matches!(text, "true" | "false" | "null")
}

/// How a path goes on.
fn paths(facts: &Facts, text: &str, typed: Range<usize>, path: &[String]) -> Vec<Item> {
    let Some(writing) = members::writing(&text[typed.clone()]) else {
        return Vec::new();
    };
    let whole = typed.start + writing.whole.start..typed.end;
    let name = typed.start + writing.name.start..typed.end;
    let mut items = Vec::new();
    members::visit(facts, path, &mut |roots| {
        for member in members::members(&writing, roots.values) {
            let quoted = member.name.replace('\\', "\\\\").replace('\'', "\\'");
            let is_short = members::is_short(&member.name);
            let (label, range) = match (writing.mark, is_short) {
                (Mark::Root, true) => (format!("$.{}", member.name), typed.clone()),
                (Mark::Root, false) => (format!("$['{quoted}']"), typed.clone()),
                (Mark::Dot | Mark::Descendants | Mark::Element, true) => {
                    (member.name.clone(), name.clone())
                }
                (Mark::Dot, false) => (format!("['{quoted}']"), whole.clone()),
                (Mark::Bracket(None), _) => (format!("'{quoted}'"), name.clone()),
                (Mark::Bracket(Some(quote)), _) if !member.name.contains(quote) => {
                    (member.name.clone(), name.clone())
                }
                _ => continue,
            };
            let filter = (range == whole && !is_short).then(|| format!(".{}", member.name));
            items.push(Item {
                detail: brief(member.value),
                filter,
                ..Item::new(&label, Kind::Field, range)
            });
        }
        let found = members::reached(&writing.before, roots.values);
        let has_list = found.iter().any(|value| value.is_array());
        if has_list {
            let (label, range, filter) = match writing.mark {
                Mark::Bracket(None) => ("*]", name.clone(), None),
                Mark::Dot => ("[*]", whole.clone(), Some(".[*]".to_owned())),
                _ => return,
            };
            items.push(Item {
                detail: "each item".to_owned(),
                filter,
                rank: 1,
                ..Item::new(label, Kind::Field, range)
            });
        }
    });
    items
}

/// A beginning as YAML, indented for a column.
fn snippet(body: &Value, column: usize) -> String {
    let mut text = String::new();
    write_block(body, column, &mut text);
    text.trim_start_matches('\n').trim_start().to_owned()
}

fn write_block(value: &Value, column: usize, text: &mut String) {
    let indent = " ".repeat(column);
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, member) in members {
                text.push_str(&format!("\n{indent}{key}:"));
                match member {
                    Value::Object(inner) if is_small(inner) => {
                        text.push_str(&format!(" {}", inline(member)));
                    }
                    Value::Object(inner) if !inner.is_empty() => {
                        write_block(member, column + 2, text);
                    }
                    Value::Array(items) if items.iter().any(Value::is_object) => {
                        write_block(member, column + 2, text);
                    }
                    other => text.push_str(&format!(" {}", inline(other))),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                text.push_str(&format!("\n{indent}- {}", inline(item)));
            }
        }
        other => text.push_str(&inline(other)),
    }
}

/// Whether a map is written on one line.
fn is_small(members: &serde_json::Map<String, Value>) -> bool {
    let is_short = |value: &Value| match value {
        // Braces without quotes would begin a map.
        Value::String(text) => text.starts_with('"') || !text.contains("{{"),
        other => !other.is_object() && !other.is_array(),
    };
    !members.is_empty() && members.len() <= 3 && members.values().all(is_short)
}

/// A value on one line. A text stands as it is: the schema has its quotes.
fn inline(value: &Value) -> String {
    match value {
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let parts: Vec<String> = members
                .iter()
                .map(|(key, value)| format!("{key}: {}", inline(value)))
                .collect();
            format!("{{ {} }}", parts.join(", "))
        }
        Value::Array(items) => {
            let parts: Vec<String> = items.iter().map(inline).collect();
            format!("[{}]", parts.join(", "))
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A beginning for an editor that has no fields to fill in: `${1:text}` is `text`, and `\$` is a dollar sign.
fn without_fields(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['$', '\\']) {
        plain.push_str(&rest[..at]);
        let here = &rest[at..];
        if let Some(dollar) = here.strip_prefix("\\$") {
            plain.push('$');
            rest = dollar;
        } else if let Some((field, behind)) = here
            .strip_prefix("${")
            .and_then(|field| field.split_once('}'))
        {
            plain.push_str(field.split_once(':').map_or("", |(_, text)| text));
            rest = behind;
        } else {
            plain.push_str(&here[..1]);
            rest = &here[1..];
        }
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    #[test]
    fn beginnings_are_yaml() {
        let body = json!({
            "spec": 1,
            "name": "${1:x}",
            "request": { "method": "GET", "path": "/x/{{ id }}", "query": ["a", "b"], "body": { "json": {} } },
            "output": { "a": "\\$.b" },
            "rules": [{ "when": "\"{{ x }}\"", "do": "allow" }],
        });
        let expected = "spec: 1\n  name: x\n  request:\n    method: GET\n    path: /x/{{ id }}\n    query: [a, b]\n    body:\n      json: {}\n  output: { a: $.b }\n  rules:\n    - { when: \"{{ x }}\", do: allow }";
        assert_eq!(without_fields(&snippet(&body, 2)), expected);
        assert_eq!(without_fields("a $1 \\x"), "a $1 \\x");
    }
}
