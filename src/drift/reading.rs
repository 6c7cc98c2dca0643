//! From a recorded request back to the arguments that a call would have: the reverse of rendering. What is in the request
//! and not in the tool, and the other way round, is noted; what an expression computed cannot be read back, and that is
//! noted too.

mod body;

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use url::Url;

use super::matching::{Candidate, Captured};
use super::notes::{Note, Of, Place};
use super::shown::Hidden;
use crate::har::Request;
use crate::params::read_text;
use crate::plan::{QueryTemplate, Style};
use crate::recording::is_hidden_text;
use crate::source::{Code, join, join_index};
use crate::template::{CallScope, Expression, Template};
use crate::tool::Tool;
use crate::words::scalar_text;

/// What a request says about the arguments of its call.
pub(super) struct Reading<'r> {
    pub tool: &'r Tool,
    pub hidden: &'r Hidden,
    pub arguments: Map<String, Value>,
    /// Params whose value cannot be known.
    pub unsure: BTreeSet<String>,
    pub notes: Vec<Note>,
}

/// Reads a request of this tool back.
pub(super) fn read<'r>(
    candidate: &Candidate<'r>,
    request: &Request,
    url: &Url,
    hidden: &'r Hidden,
) -> Reading<'r> {
    let mut reading = Reading {
        tool: candidate.tool,
        hidden,
        arguments: Map::new(),
        unsure: BTreeSet::new(),
        notes: Vec::new(),
    };
    for captured in &candidate.captured {
        reading.path(captured);
    }
    reading.query(url);
    reading.headers(request);
    reading.body(request);
    reading
}

/// The document of a GraphQL operation in a body.
pub(super) fn graphql_of(body: &crate::har::Body) -> Option<String> {
    super::matching::graphql_document(&body::read_json(body)?)
}

/// Header fields that clients set as they like.
const OWN_TO_CLIENTS: [&str; 4] = ["accept", "user-agent", "cookie", "content-type"];

impl Reading<'_> {
    /// Notes something in the tool's own file.
    fn note(&mut self, code: Code, place: Place, message: String, help: Option<String>) {
        let note = Note::new(code, place, message).of(Of::Requests).help(help);
        self.notes.push(note);
    }

    fn own(&self, pointer: &str) -> Place {
        Place::value(&self.tool.source, pointer)
    }

    fn own_key(&self, pointer: &str) -> Place {
        Place::key(&self.tool.source, pointer)
    }

    /// The param whose value an expression is, if it computes nothing.
    fn param(&self, expression: &Expression) -> Option<String> {
        let name = match expression.plain() {
            Some((name, None)) => Some(name.to_owned()),
            Some(("params", Some(member))) => Some(member.to_owned()),
            Some(_) => None,
            None => {
                let text = expression.text().trim();
                let names = expression.subscripts("params").unwrap_or_default();
                let is_all = |name: &String| {
                    let quoted = [format!("params[\"{name}\"]"), format!("params['{name}']")];
                    quoted.iter().any(|quoted| quoted == text)
                };
                names.into_iter().find(is_all)
            }
        };
        name.filter(|name| self.tool.params.get(name).is_some())
    }

    /// The params that an expression reads.
    fn params_in(&self, expression: &Expression) -> Vec<String> {
        let dotted = expression.dotted_names().into_iter();
        dotted
            .map(|name| name.strip_prefix("params.").unwrap_or(&name).to_owned())
            .chain(expression.subscripts("params").unwrap_or_default())
            .map(|name| name.split('.').next().unwrap_or_default().to_owned())
            .filter(|name| self.tool.params.get(name).is_some())
            .collect()
    }

    /// Nothing is known about the params in a template.
    fn knows_nothing(&mut self, template: &Template) {
        template.visit(&mut |expression, _| {
            let names = self.params_in(expression);
            self.unsure.extend(names);
        });
    }

    /// Notes that nothing is known of the params in a template, because what it wrote is hidden in the recording.
    fn hides(&mut self, name: &str, template: &Template, place: Place) {
        let mut names = Vec::new();
        template.visit(&mut |expression, _| names.extend(self.params_in(expression)));
        self.is_hidden(name, names, place);
    }

    fn is_hidden(&mut self, name: &str, params: Vec<String>, place: Place) {
        if params.is_empty() {
            return;
        }
        self.unsure.extend(params);
        let message = format!("`{name}` is hidden in recordings, so that it is not checked");
        self.note(Code::UnreadValue, place, message, None);
    }

    /// Notes that an expression cannot be read back, unless no param is in it.
    fn cannot_read(&mut self, expression: &Expression, pointer: &str) {
        let names = self.params_in(expression);
        if names.is_empty() {
            return;
        }
        self.unsure.extend(names);
        let place = self.own(pointer);
        let message = format!(
            "`{{{{ {} }}}}` computes a value, so that recorded ones are not read back and not checked",
            expression.text().trim()
        );
        self.note(Code::UnreadValue, place, message, None);
    }

    fn cannot_read_any(&mut self, template: &Template, pointer: &str) {
        template.visit(&mut |expression, _| self.cannot_read(expression, pointer));
    }

    fn schema(&self, param: &str) -> Value {
        let param = self.tool.params.get(param);
        param.map_or(Value::Null, |param| param.schema.clone())
    }

    fn path(&mut self, captured: &Captured<'_>) {
        let Some(param) = self.param(captured.expression) else {
            return self.cannot_read(captured.expression, "/request/path");
        };
        if is_hidden_text(&captured.raw) {
            let place = self.own("/request/path");
            return self.is_hidden(&param.clone(), vec![param], place);
        }
        let schema = self.schema(&param);
        let value = match self.tool.request.path.style_of(captured.expression) {
            None => read_text(&schema, &decode(&captured.raw)),
            Some(style) => {
                let is_object = schema.get("type") == Some(&Value::from("object"));
                match style.parts(&captured.raw, is_object) {
                    Some(parts) => styled(&schema, parts),
                    None => return self.cannot_read(captured.expression, "/request/path"),
                }
            }
        };
        self.arguments.insert(param, value);
    }

    fn query(&mut self, url: &Url) {
        let mut pairs: Vec<Pair> = url
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(Pair::of)
            .collect();
        let service = &self.tool.service;
        let secret: Vec<String> = service.auth.query_names().map(decode).collect();
        pairs.retain(|pair| !secret.contains(&pair.name));
        let (source, prefix) = service_place(self.tool);
        let at = |name: &str| Place::value(&source, join(&format!("{prefix}/query"), name));
        self.take_entries(&service.query, &mut pairs, &at);
        let spec = self.tool.source.value().pointer("/request/query");
        let own = self.tool.source.clone();
        let at = |name: &str| Place::value(&own, entry_pointer(spec, name));
        self.take_entries(&self.tool.request.query, &mut pairs, &at);
        self.note_unknown(&pairs);
    }

    /// Takes the parameters that a template writes out of the list.
    fn take_entries(
        &mut self,
        template: &QueryTemplate,
        pairs: &mut Vec<Pair>,
        at: &dyn Fn(&str) -> Place,
    ) {
        for (name, value, style, explode) in template.entries() {
            let schema = self.schema_of(value);
            let own = take(pairs, name, style, explode, &schema);
            self.take_value(name, value, style, &schema, own, at);
        }
    }

    fn schema_of(&self, value: &Template) -> Value {
        match value {
            Template::Expression(expression) => self
                .param(expression)
                .map_or(Value::Null, |param| self.schema(&param)),
            _ => Value::Null,
        }
    }

    /// Reads the pairs of one parameter or field.
    fn take_value(
        &mut self,
        name: &str,
        value: &Template,
        style: Style,
        schema: &Value,
        own: Vec<Pair>,
        at: &dyn Fn(&str) -> Place,
    ) {
        let is_hidden = own.iter().any(|pair| is_hidden_text(&pair.text));
        if is_hidden || (own.is_empty() && self.hidden.is_removed(name)) {
            return self.hides(name, value, at(name));
        }
        match value {
            Template::Expression(expression) => match self.param(expression) {
                Some(param) if own.is_empty() => drop(param),
                Some(param) => match value_of(name, own, style, schema) {
                    Some(value) => drop(self.arguments.insert(param, value)),
                    None => {
                        let message = format!("the recorded `{name}` is not written in this style");
                        self.note(Code::OtherConstant, at(name), message, None);
                        self.unsure.insert(param);
                    }
                },
                None => {
                    let pointer = at(name).pointer;
                    self.cannot_read(expression, &pointer);
                }
            },
            Template::Literal(constant) => {
                let texts: Vec<&str> = own.iter().map(|pair| pair.text.as_str()).collect();
                let expected = scalar_text(constant).unwrap_or_default();
                if texts.is_empty() {
                    let message =
                        format!("recorded requests have no `{name}`, which the tool always sends");
                    self.note(Code::MissingPart, at(name), message, None);
                } else if texts != [expected.as_str()] {
                    let message = format!("recorded requests have another value of `{name}`");
                    self.note(Code::OtherConstant, at(name), message, None);
                }
            }
            other => {
                let pointer = at(name).pointer;
                self.cannot_read_any(other, &pointer);
            }
        }
    }

    fn note_unknown(&mut self, pairs: &[Pair]) {
        for pair in pairs {
            let name = self.hidden.named(&pair.name);
            let known = self
                .tool
                .request
                .query
                .wire_names()
                .map(|(wire, _, _)| wire);
            let help = crate::words::nearest(&name, known);
            let place = self.own_key("/request/query");
            let message = format!(
                "recorded requests have a query parameter `{name}`, which the tool does not have"
            );
            self.note(Code::UnknownPart, place, message, help);
        }
    }

    fn headers(&mut self, request: &Request) {
        // Some recordings are made without any header.
        if request.headers.is_empty() {
            return;
        }
        let service = &self.tool.service;
        let (source, prefix) = service_place(self.tool);
        let own = self.tool.source.clone();
        let of_service = service
            .headers
            .fields()
            .map(|field| (field, &source, format!("{prefix}/headers")));
        let of_tool = self.tool.request.headers.fields();
        let of_tool = of_tool.map(|field| (field, &own, "/request/headers".to_owned()));
        let settings = service.default_settings().unwrap_or_default();
        let secret: Vec<&str> = service.auth.header_names().collect();
        for ((name, value), source, section) in of_service.chain(of_tool) {
            if OWN_TO_CLIENTS.contains(&name) || secret.contains(&name) {
                continue;
            }
            let place = Place::key(source, header_pointer(source.value(), &section, name));
            self.header(name, value, request.header(name), place, &settings);
        }
    }

    fn header(
        &mut self,
        name: &str,
        value: &Template,
        recorded: Option<&str>,
        place: Place,
        settings: &Value,
    ) {
        if recorded.is_some_and(is_hidden_text) {
            return self.hides(name, value, place);
        }
        if let Template::Expression(expression) = value
            && let Some(param) = self.param(expression)
        {
            if let Some(recorded) = recorded {
                let read = read_text(&self.schema(&param), recorded);
                self.arguments.insert(param, read);
            }
            return;
        }
        let mut is_fixed = true;
        value.visit(&mut |expression, _| {
            is_fixed &= expression.names().iter().all(|name| name == "settings");
        });
        if !is_fixed {
            return self.cannot_read_any(value, &place.pointer);
        }
        let Some(recorded) = recorded else {
            let message =
                format!("recorded requests have no header `{name}`, which the tool always sends");
            return self.note(Code::MissingPart, place, message, None);
        };
        let scope = CallScope {
            params: &Value::Null,
            settings,
        };
        let expected = value.render(&scope).ok().flatten();
        let expected = expected.as_ref().and_then(scalar_text);
        if expected.is_some_and(|expected| expected != recorded) {
            let message = format!("recorded requests have another value of the header `{name}`");
            self.note(Code::OtherConstant, place, message, None);
        }
    }
}

/// Where the file of a tool's service is, and its pointer in it.
pub(super) fn service_place(tool: &Tool) -> (std::sync::Arc<crate::source::Source>, &'static str) {
    let source = tool.service.source();
    let is_inline = std::sync::Arc::ptr_eq(source, &tool.source);
    let prefix = if is_inline { "/service" } else { "" };
    (std::sync::Arc::clone(source), prefix)
}

/// The pointer of a header, whose name may be written in capital letters.
fn header_pointer(file: &Value, section: &str, name: &str) -> String {
    let fields = file.pointer(section).and_then(Value::as_object);
    let mut names = fields.into_iter().flat_map(|fields| fields.keys());
    let written = names.find(|own| own.eq_ignore_ascii_case(name));
    join(section, written.map_or(name, String::as_str))
}

/// The pointer of a query parameter.
fn entry_pointer(spec: Option<&Value>, name: &str) -> String {
    let section = "/request/query";
    match spec {
        Some(Value::Array(names)) => {
            let at = names.iter().position(|own| own == name);
            at.map_or(section.to_owned(), |at| join_index(section, at))
        }
        _ => join(section, name),
    }
}

/// A parameter of a query, or a field of a form.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub name: String,
    /// The value as it is written, where that is known.
    raw: String,
    pub text: String,
}

impl Pair {
    fn of(pair: &str) -> Pair {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let spaced = |text: &str| text.replace('+', " ");
        Pair {
            name: decode(&spaced(name)),
            text: decode(&spaced(value)),
            raw: value.to_owned(),
        }
    }

    fn decoded(name: String, text: String) -> Pair {
        Pair {
            name,
            raw: text.clone(),
            text,
        }
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Takes the pairs of a parameter out of a list.
fn take(
    pairs: &mut Vec<Pair>,
    name: &str,
    style: Style,
    explode: bool,
    schema: &Value,
) -> Vec<Pair> {
    let is_deep = matches!(style, Style::Brackets | Style::DeepObject | Style::Indexed);
    let properties = schema.get("properties").and_then(Value::as_object);
    // OpenAPI's `form` writes the members of an object as parameters of their own.
    let members = properties.filter(|_| style == Style::Form && explode);
    let is_own = |pair: &Pair| match (is_deep, members) {
        (true, _) => {
            let rest = pair.name.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
        }
        (false, Some(members)) => members.contains_key(&pair.name),
        (false, None) => pair.name == name,
    };
    let (own, others) = std::mem::take(pairs).into_iter().partition(is_own);
    *pairs = others;
    own
}

/// The value that pairs give. `None` if they are not written in the style.
fn value_of(name: &str, pairs: Vec<Pair>, style: Style, schema: &Value) -> Option<Value> {
    if style == Style::Json {
        return serde_json::from_str(&pairs.first()?.text).ok();
    }
    if pairs.iter().any(|pair| pair.name != name) {
        let mut tree = Map::new();
        for pair in pairs {
            let keys = keys_of(&pair.name, name, style);
            put_deep(&mut tree, &keys, pair.text);
        }
        let tree = match (tree.len(), tree.get("")) {
            (1, Some(list)) => list.clone(),
            _ => Value::Object(tree),
        };
        return Some(typed(schema, tree));
    }
    let takes_list = has_type(schema, "array");
    let parts: Vec<String> = pairs
        .iter()
        .flat_map(|pair| match takes_list {
            true => split(pair, style),
            false => vec![pair.text.clone()],
        })
        .collect();
    let inner = schema.get("items").unwrap_or(&Value::Null);
    Some(match (takes_list, parts.as_slice()) {
        (true, [one]) if one.trim_start().starts_with('[') => read_text(schema, one),
        (true, parts) => parts.iter().map(|part| read_text(inner, part)).collect(),
        (false, [one]) => read_text(schema, one),
        (false, parts) => parts
            .iter()
            .map(|part| Value::from(part.as_str()))
            .collect(),
    })
}

fn has_type(schema: &Value, wanted: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(name)) => name == wanted,
        Some(Value::Array(names)) => names.iter().any(|name| name == wanted),
        _ => false,
    }
}

/// The items in one value. An encoded delimiter counts where there is no plain one.
fn split(pair: &Pair, style: Style) -> Vec<String> {
    let delimiters: &[&str] = match style {
        Style::Comma | Style::Form => &[",", "%2C"],
        Style::Space => &["%20", "+", " "],
        Style::Pipe => &["|", "%7C"],
        _ => &[],
    };
    let found = delimiters.iter().find(|one| pair.raw.contains(**one));
    match found {
        Some(delimiter) => pair
            .raw
            .split(delimiter)
            .map(|part| decode(&part.replace('+', " ")))
            .collect(),
        None => vec![pair.text.clone()],
    }
}

/// The keys behind the name: `filter[a][b]` has `a` and `b`, and `a[]` has an empty one.
fn keys_of(written: &str, name: &str, style: Style) -> Vec<String> {
    let rest = written.strip_prefix(name).unwrap_or(written);
    if style == Style::Form {
        return vec![written.to_owned()];
    }
    let inner = rest
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let inner = inner.unwrap_or_default();
    inner.split("][").map(str::to_owned).collect()
}

/// How deep names with brackets are read.
const DEEPEST: usize = 16;

fn put_deep(tree: &mut Map<String, Value>, keys: &[String], text: String) {
    let Some((last, before)) = keys.split_last().filter(|_| keys.len() <= DEEPEST) else {
        return;
    };
    let mut at = tree;
    for key in before {
        let inner = at
            .entry(key.clone())
            .or_insert_with(|| Value::Object(Map::new()));
        if !inner.is_object() {
            *inner = Value::Object(Map::new());
        }
        let Value::Object(inner) = inner else { return };
        at = inner;
    }
    let text = Value::from(text);
    match (last.as_str(), at.get_mut(last)) {
        ("", None) => drop(at.insert(String::new(), Value::Array(vec![text]))),
        (_, Some(Value::Array(items))) => items.push(text),
        (_, Some(known)) => *known = Value::Array(vec![known.take(), text]),
        (_, None) => drop(at.insert(last.clone(), text)),
    }
}

/// Texts as the schema reads them. Maps whose keys are indexes are lists.
fn typed(schema: &Value, value: Value) -> Value {
    let inner = |key: &str| schema.get(key).unwrap_or(&Value::Null);
    match value {
        Value::String(text) => read_text(schema, &text),
        Value::Array(items) => {
            let items = items.into_iter();
            items.map(|item| typed(inner("items"), item)).collect()
        }
        Value::Object(mut members) if members.len() == 1 && members.contains_key("") => {
            typed(schema, members.remove("").unwrap_or_default())
        }
        Value::Object(members) if has_indexes(&members) => {
            let items = members.into_iter();
            items.map(|(_, item)| typed(inner("items"), item)).collect()
        }
        Value::Object(members) => {
            let members = members.into_iter().map(|(key, member)| {
                let schema = inner("properties").get(&key).unwrap_or(&Value::Null);
                let member = typed(schema, member);
                (key, member)
            });
            members.collect()
        }
        other => other,
    }
}

fn has_indexes(members: &Map<String, Value>) -> bool {
    let mut keys = members.keys().enumerate();
    !members.is_empty() && keys.all(|(index, key)| *key == index.to_string())
}

/// The value of a segment in a style.
fn styled(schema: &Value, parts: Vec<(Option<&str>, &str)>) -> Value {
    let inner = |key: &str| schema.get(key).unwrap_or(&Value::Null);
    if parts.iter().all(|(key, _)| key.is_none()) {
        let list = has_type(schema, "array");
        let items = parts.iter().map(|(_, text)| decode(text));
        return match (list, parts.as_slice()) {
            (false, [(_, one)]) => read_text(schema, &decode(one)),
            _ => items.map(|item| read_text(inner("items"), &item)).collect(),
        };
    }
    let members = parts.into_iter().map(|(key, text)| {
        let key = decode(key.unwrap_or_default());
        let schema = inner("properties").get(&key).unwrap_or(&Value::Null);
        let value = read_text(schema, &decode(text));
        (key, value)
    });
    Value::Object(members.collect())
}
