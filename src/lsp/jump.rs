//! Where a name is defined and where it is used, and the outline of a file.

use std::ops::Range;
use std::sync::Arc;

use serde_json::{Value, json};

use super::around;
use super::expression::{self, Role};
use super::facts::Facts;
use super::names::{self, Side};
use super::place::{self, Part, unquoted};
use super::text::Text;
use crate::check::{self, Kind};
use crate::source::{Source, join, join_index};

/// A part of a file.
pub(super) struct Target {
    pub source: Arc<Source>,
    pub span: Range<usize>,
}

/// Something that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Symbol {
    Param(String),
    Setting(String),
    Binding(String),
    Service,
    Tool(String),
    /// A param of another file's tool, and where it is spoken about.
    Argument(String, Vec<String>),
    /// A JSON Pointer in the file.
    Part(String),
}

/// Where the thing at the cursor is defined.
pub(super) fn definition(facts: &Facts, text: &str, cursor: usize) -> Option<Target> {
    match symbol(facts, text, cursor)? {
        Symbol::Param(name) => here(facts, &join("/params/properties", &name)),
        Symbol::Binding(name) => here(facts, &join("/response/let", &name)),
        Symbol::Setting(name) => {
            let (source, at) = facts.settings_place()?;
            key_of(source, &join(at, &name))
        }
        Symbol::Service => {
            let service = facts.service.as_ref()?;
            Some(Target {
                span: service.value_span("/service"),
                source: Arc::clone(service),
            })
        }
        Symbol::Tool(name) => {
            let known = around::tool_named(facts, &name).map(|tool| tool.file.clone());
            let file = known.or_else(|| {
                let tools = facts.file.as_ref()?.sibling_tools();
                let entry = tools.into_iter().find(|entry| entry.name == name)?;
                Some(entry.file)
            })?;
            let source = check::readable(&file)?;
            Some(Target {
                span: source.value_span("/tool"),
                source,
            })
        }
        Symbol::Argument(name, path) => {
            let tools = around::tools(facts, &path);
            let tool = tools
                .into_iter()
                .find(|tool| tool.params.contains_key(&name))?;
            let source = check::readable(&tool.file)?;
            key_of(&source, &join("/params/properties", &name))
        }
        Symbol::Part(pointer) => here(facts, &pointer),
    }
}

fn here(facts: &Facts, pointer: &str) -> Option<Target> {
    key_of(facts.source.as_ref()?, pointer)
}

fn key_of(source: &Arc<Source>, pointer: &str) -> Option<Target> {
    source.value().pointer(pointer)?;
    Some(Target {
        span: source.key_span(pointer),
        source: Arc::clone(source),
    })
}

/// The thing at the cursor.
fn symbol(facts: &Facts, text: &str, cursor: usize) -> Option<Symbol> {
    let place = place::find(text, cursor)?;
    let steps: Vec<&str> = place.path.iter().map(String::as_str).collect();
    let word = unquoted(&text[place.word.clone()]).to_owned();
    if let Part::Key { .. } = place.part {
        return match (facts.kind, steps.as_slice()) {
            (
                Kind::Tool,
                ["params", "properties"]
                | ["paging", "next"]
                | ["examples", _, "args"]
                | ["sync", "map"],
            ) => Some(Symbol::Param(word)),
            (Kind::Tool, ["response", "let"]) => Some(Symbol::Binding(word)),
            (_, ["settings"] | ["service", "settings"]) => Some(Symbol::Setting(word)),
            (Kind::Sandbox, ["routes"]) => Some(Symbol::Tool(word)),
            (Kind::Policy, ["cases", _, "args"]) => Some(Symbol::Argument(word, place.path)),
            _ => None,
        };
    }
    if let Some(spot) = expression::spot(text, &place.word, cursor) {
        return name_in(facts, text, &place.path, &spot);
    }
    match (facts.kind, steps.as_slice()) {
        (Kind::Tool, ["service"]) => Some(Symbol::Service),
        (Kind::Sandbox, ["sandbox"]) => Some(Symbol::Service),
        (
            Kind::Tool,
            ["request", "query", _]
            | ["params", "required", _]
            | ["paging", "limit"]
            | ["sync", "param"],
        ) => Some(Symbol::Param(word)),
        (Kind::Tool, ["sync", "parent"])
        | (Kind::Policy, ["rules", _, "tools"] | ["rules", _, "tools", _] | ["cases", _, "tool"]) => {
            Some(Symbol::Tool(word))
        }
        (
            Kind::Sandbox,
            ["routes", _, "from"]
            | ["routes", _, "find", "in"]
            | ["routes", _, "insert", "into"]
            | ["routes", _, "also", _, "in"],
        ) => Some(Symbol::Part(join("/data", &word))),
        (Kind::Sandbox, ["routes", _, "match", _] | ["routes", _, "find", "by", _]) => {
            Some(Symbol::Argument(word, place.path))
        }
        (Kind::Tool, ["params", .., "$ref"]) => {
            let inner = word.strip_prefix('#')?;
            Some(Symbol::Part(format!("/params{inner}")))
        }
        (Kind::Tool, ["response", "rows"]) => Some(Symbol::Part(join("/response/output", &word))),
        _ => None,
    }
}

/// What a name of an expression stands for.
fn name_in(facts: &Facts, text: &str, path: &[String], spot: &expression::Spot) -> Option<Symbol> {
    let name = text[spot.word.clone()].to_owned();
    let chain: Vec<&str> = spot.chain.iter().map(String::as_str).collect();
    let side = names::side_of(facts.kind, path);
    let is_param = || facts.params().any(|(known, _)| *known == name);
    let is_binding = || facts.bindings().any(|(known, _)| *known == name);
    match (spot.role, chain.as_slice()) {
        (Role::Name, ["settings"]) => Some(Symbol::Setting(name)),
        (Role::Name, ["params"]) => Some(Symbol::Param(name)),
        (Role::Name, ["args"]) => Some(Symbol::Argument(name, path.to_vec())),
        (Role::Name, ["data"]) => Some(Symbol::Part(join("/data", &name))),
        (Role::Name, []) if side == Side::Response && is_binding() => Some(Symbol::Binding(name)),
        (Role::Name, []) if matches!(side, Side::Request | Side::Job) && is_param() => {
            Some(Symbol::Param(name))
        }
        _ => None,
    }
}

/// Where the thing at the cursor is used: in this file and, for a setting, in the files beside it.
pub(super) fn references(
    facts: &Facts,
    text: &str,
    cursor: usize,
    with_definition: bool,
) -> Vec<Target> {
    let Some(wanted) = symbol(facts, text, cursor) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if let Some(source) = &facts.source {
        uses(facts, source, &wanted, &mut found);
    }
    if let (Symbol::Setting(_), Some(file)) = (&wanted, &facts.file) {
        let own = facts.source.as_ref().map(|source| source.name.clone());
        let beside = file.sibling_tools().into_iter().map(|entry| entry.file);
        for file in beside.chain([file.service_file()]) {
            if Some(file.display()) == own || !file.may_hold(&["settings"]) || !file.exists() {
                continue;
            }
            let Some(source) = check::readable(&file) else {
                continue;
            };
            let facts = Facts::of(Some(file), &source.name, source.text(), None);
            uses(&facts, &source, &wanted, &mut found);
        }
    }
    if with_definition {
        found.extend(definition(facts, text, cursor));
    }
    found
}

/// How many texts of a file are looked into. To find the place of one takes time in a large map.
const MOST_LOOKS: usize = 2000;
/// How many parts of a section an outline shows.
const MOST_PARTS: usize = 1000;

/// Where a file uses a thing.
fn uses(facts: &Facts, source: &Arc<Source>, wanted: &Symbol, found: &mut Vec<Target>) {
    let mut add = |span: Range<usize>| {
        found.push(Target {
            source: Arc::clone(source),
            span,
        });
    };
    let text = source.text();
    let mut looks = MOST_LOOKS;
    let mut open: Vec<(String, Vec<String>, &Value)> =
        vec![(String::new(), Vec::new(), source.value())];
    while let Some((pointer, path, value)) = open.pop() {
        let inner = |step: String| {
            let mut path = path.clone();
            path.push(step);
            path
        };
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let at = join(&pointer, name);
                    let steps: Vec<&str> = path.iter().map(String::as_str).collect();
                    let is_place = matches!(
                        steps.as_slice(),
                        ["paging", "next"] | ["examples", _, "args"] | ["sync", "map"]
                    );
                    if is_place && *wanted == Symbol::Param(name.clone()) {
                        add(source.key_span(&at));
                    }
                    open.push((at, inner(name.clone()), member));
                }
            }
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    open.push((join_index(&pointer, i), inner(i.to_string()), item));
                }
            }
            Value::String(word) => {
                let (Symbol::Param(name) | Symbol::Setting(name) | Symbol::Binding(name)) = wanted
                else {
                    continue;
                };
                if looks == 0 || !word.contains(name.as_str()) {
                    continue;
                }
                looks -= 1;
                let span = source.value_span(&pointer);
                let raw = text.get(span.clone()).unwrap_or_default();
                let steps: Vec<&str> = path.iter().map(String::as_str).collect();
                let is_place = matches!(
                    steps.as_slice(),
                    ["request", "query", _]
                        | ["params", "required", _]
                        | ["paging", "limit"]
                        | ["sync", "param"]
                );
                if is_place && word == name && matches!(wanted, Symbol::Param(_)) {
                    add(span.clone());
                }
                for (at, _) in raw.match_indices(name.as_str()) {
                    let end = span.start + at + name.len();
                    let spot = expression::spot(text, &span, end);
                    if let Some(spot) = spot.filter(|spot| spot.word == (span.start + at..end))
                        && name_in(facts, text, &path, &spot).as_ref() == Some(wanted)
                    {
                        add(spot.word);
                    }
                }
            }
            _ => {}
        }
    }
}

/// The outline of a file.
pub(super) fn outline(facts: &Facts, text: &Text) -> Vec<Value> {
    let Some(source) = &facts.source else {
        return Vec::new();
    };
    let members = source.value().as_object().into_iter().flatten();
    let part = |pointer: &str, name: &str, kind: u8, children: Vec<Value>| {
        let key = source.key_span(pointer);
        let value = source.value_span(pointer);
        let whole = key.start.min(value.start)..value.end.max(key.end);
        json!({
            "name": if name.is_empty() { "-" } else { name },
            "kind": kind,
            "range": text.span(whole),
            "selectionRange": text.span(key),
            "children": children,
        })
    };
    members
        .take(MOST_PARTS)
        .map(|(name, _)| {
            let pointer = join("", name);
            let children = children_of(source.value(), name)
                .into_iter()
                .take(MOST_PARTS)
                .map(|(at, name)| part(&at, &name, PROPERTY, Vec::new()))
                .collect();
            part(&pointer, name, MODULE, children)
        })
        .collect()
}

const MODULE: u8 = 2;
const PROPERTY: u8 = 7;

/// The parts of a section that an outline shows: the pointer and the name of each.
fn children_of(file: &Value, section: &str) -> Vec<(String, String)> {
    let keys = |pointer: String| -> Vec<(String, String)> {
        let members = file.pointer(&pointer).and_then(Value::as_object);
        let members = members.into_iter().flatten();
        members
            .map(|(name, _)| (join(&pointer, name), name.clone()))
            .collect()
    };
    match section {
        "params" => keys("/params/properties".to_owned()),
        "examples" | "rules" => {
            let items = file
                .get(section)
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            let items = items.enumerate();
            items
                .map(|(i, item)| {
                    let name = item.get("name").or_else(|| item.get("tools"));
                    let name = name.and_then(Value::as_str).unwrap_or_default();
                    (join_index(&join("", section), i), name.to_owned())
                })
                .collect()
        }
        _ => keys(join("", section)),
    }
}
