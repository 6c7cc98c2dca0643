//! From a request's body back to the arguments that made it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::Refusal;
use crate::params::{Params, read_text};
use crate::plan::{BodyTemplate, Field, FormTemplate, Style};
use crate::template::{Template, is_identifier};
use crate::tool::Tool;

/// Why the arguments cannot be read back from a body; the message is for the author of the route.
pub(crate) fn unreadable(body: &BodyTemplate) -> Option<String> {
    (body.kind() == "multipart").then(|| {
        "the sandbox cannot read the arguments of a `multipart` body back, so it cannot answer this tool".to_owned()
    })
}

/// Reads the arguments out of a body and adds them to `arguments`.
///
/// # Errors
/// 400 for a body of the wrong kind, and for a field that no argument gives.
pub(crate) fn read_back(
    tool: &Tool,
    bytes: &[u8],
    arguments: &mut Map<String, Value>,
) -> Result<(), Refusal> {
    let Some(body) = &tool.request.body else {
        // No body at all counts as an empty one.
        return match bytes.is_empty() || parse(bytes)? == json!({}) {
            true => Ok(()),
            false => Err(refused("body: Extra inputs are not permitted")),
        };
    };
    match (body.kind(), bytes) {
        ("json", []) => match body.tree() {
            Some(Template::Expression(_)) | None => Ok(()),
            Some(tree) => read_json(tree, &json!({}), "body", arguments),
        },
        (_, []) => Ok(()),
        ("json", bytes) => match body.tree() {
            Some(tree) => read_json(tree, &parse(bytes)?, "body", arguments),
            None => Ok(()),
        },
        ("graphql", bytes) => read_graphql(body, parse(bytes)?, &tool.params, arguments),
        ("form", bytes) => match body.form() {
            Some(form) => read_form(form, bytes, &tool.params, arguments),
            None => Ok(()),
        },
        ("text", bytes) => {
            let text = String::from_utf8_lossy(bytes).into_owned();
            if let Some(Template::Expression(expression)) = body.content() {
                put(
                    expression.text(),
                    Value::String(text),
                    &tool.params,
                    arguments,
                );
            }
            Ok(())
        }
        ("bytes", bytes) => {
            if let Some(Template::Expression(expression)) = body.content() {
                let text = STANDARD.encode(bytes);
                arguments.insert(expression.text().to_owned(), text.into());
            }
            Ok(())
        }
        _ => Err(refused("the sandbox cannot read this kind of body")),
    }
}

fn refused(message: impl Into<String>) -> Refusal {
    Refusal::new(400, message.into())
}

fn parse(bytes: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(bytes)
        .map_err(|error| refused(format!("the request body is not valid JSON: {error}")))
}

/// Reads the arguments back out of a body with the template that makes it. `at` says where in the body the value is. An
/// expression that computes something cannot be read back, so any value is accepted there.
fn read_json(
    template: &Template,
    value: &Value,
    at: &str,
    arguments: &mut Map<String, Value>,
) -> Result<(), Refusal> {
    let refuse = |told: String| Err(refused(told));
    match (template, value) {
        (Template::Literal(expected), value) if expected == value => Ok(()),
        (Template::Literal(expected), _) => refuse(format!("{at}: must be {expected}")),
        (Template::Expression(expression), value) => {
            if is_identifier(expression.text()) {
                arguments.insert(expression.text().to_owned(), value.clone());
            }
            Ok(())
        }
        (Template::Text(_), _) => Ok(()),
        (Template::Map(members), Value::Object(values)) => {
            for (name, value) in values {
                let at = format!("{at}.{name}");
                match members.iter().find(|(known, _)| known == name) {
                    Some((_, member)) => read_json(member, value, &at, arguments)?,
                    None => return refuse(format!("{at}: Extra inputs are not permitted")),
                }
            }
            let is_missing = |(name, member): &&(String, Template)| {
                !member.may_be_absent() && !values.contains_key(name)
            };
            match members.iter().find(is_missing) {
                Some((name, _)) => refuse(format!("{at}.{name}: Field required")),
                None => Ok(()),
            }
        }
        (Template::List(items), Value::Array(values)) if items.len() == values.len() => {
            let mut pairs = items.iter().zip(values).enumerate();
            pairs.try_for_each(|(index, (item, value))| {
                read_json(item, value, &format!("{at}.{index}"), arguments)
            })
        }
        (Template::Map(_) | Template::List(_), _) => refuse(format!("{at}: of the wrong form")),
    }
}

/// Several GraphQL operations share a path. Their query texts tell them apart.
fn read_graphql(
    body: &BodyTemplate,
    mut request: Value,
    params: &Params,
    arguments: &mut Map<String, Value>,
) -> Result<(), Refusal> {
    if request.get("query").and_then(Value::as_str) != body.graphql_query() {
        return Err(refused("query: is not the query of this operation"));
    }
    match (body.tree(), request.get_mut("variables").map(Value::take)) {
        (Some(tree), Some(variables)) => put_tree(tree, variables, "variables", params, arguments),
        _ => Ok(()),
    }
}

fn read_form(
    form: &FormTemplate,
    bytes: &[u8],
    params: &Params,
    arguments: &mut Map<String, Value>,
) -> Result<(), Refusal> {
    let mut tree = Map::new();
    for (name, text) in form_urlencoded::parse(bytes) {
        insert(&mut tree, &name, &text);
    }
    match form {
        FormTemplate::Whole(template) => {
            put_tree(template, Value::Object(tree), "body", params, arguments)
        }
        FormTemplate::Fields(fields) => tree.into_iter().try_for_each(|(name, value)| {
            let field = fields.iter().find(|field| field.name == name);
            let field =
                field.ok_or_else(|| refused(format!("{name}: Extra inputs are not permitted")))?;
            put_tree(
                &field.value,
                undelimited(field, value),
                &name,
                params,
                arguments,
            )
        }),
    }
}

/// The items of an array that one field holds.
fn undelimited(field: &Field, value: Value) -> Value {
    let delimiter = match field.style {
        Style::Comma => ',',
        Style::Space => ' ',
        Style::Pipe => '|',
        Style::Json => {
            let read = value.as_str().map(serde_json::from_str);
            return read.and_then(Result::ok).unwrap_or(value);
        }
        _ => return value,
    };
    match value {
        Value::String(text) => text.split(delimiter).map(str::to_owned).collect(),
        other => other,
    }
}

/// Stores a field such as `a[b][]` in its place. A field that occurs again makes a list.
fn insert(tree: &mut Map<String, Value>, name: &str, text: &str) {
    let (root, path) = match name.split_once('[') {
        Some((root, path)) if path.ends_with(']') => (root, &path[..path.len() - 1]),
        _ => (name, ""),
    };
    let mut keys: Vec<&str> = vec![root];
    if name.len() > root.len() {
        keys.extend(path.split("]["));
    }
    let mut at = tree.entry(root).or_insert(Value::Null);
    for key in &keys[1..] {
        if key.is_empty() {
            break;
        }
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = &mut at[*key];
    }
    let is_list = keys.len() > 1 && keys.ends_with(&[""]);
    let text = Value::from(text);
    *at = match (at.take(), is_list) {
        (Value::Null, false) => text,
        (Value::Null, true) => Value::Array(vec![text]),
        (Value::Array(mut items), _) => {
            items.push(text);
            Value::Array(items)
        }
        (other, _) => Value::Array(vec![other, text]),
    };
}

/// Reads the arguments back out of a value with the template that makes it. An expression that computes something
/// cannot be read back, so any value is accepted there.
fn put_tree(
    template: &Template,
    value: Value,
    at: &str,
    params: &Params,
    arguments: &mut Map<String, Value>,
) -> Result<(), Refusal> {
    match (template, value) {
        (Template::Expression(expression), value) => {
            put(expression.text(), value, params, arguments);
            Ok(())
        }
        (Template::Map(known), Value::Object(members)) => {
            members.into_iter().try_for_each(|(name, value)| {
                let at = format!("{at}.{name}");
                match known.iter().find(|(other, _)| *other == name) {
                    Some((_, member)) => put_tree(member, value, &at, params, arguments),
                    None => Err(refused(format!("{at}: Extra inputs are not permitted"))),
                }
            })
        }
        (Template::Map(_), _) => Err(refused(format!("{at}: of the wrong form"))),
        _ => Ok(()),
    }
}

fn put(name: &str, value: Value, params: &Params, arguments: &mut Map<String, Value>) {
    if let Some(param) = params.get(name) {
        arguments.insert(name.to_owned(), typed(param.schema, value));
    }
}

/// Converts the texts at a value's leaves to the types of the schema. Values that already have a type stay unchanged.
fn typed(schema: &Value, value: Value) -> Value {
    let inner = |key: &str| schema.get(key).unwrap_or(&Value::Null);
    match value {
        Value::String(text) => read_text(schema, &text),
        Value::Array(items) => items
            .into_iter()
            .map(|item| typed(inner("items"), item))
            .collect(),
        Value::Object(members) if is_indexed(&members) => members
            .into_iter()
            .map(|(_, item)| typed(inner("items"), item))
            .collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(key, member)| {
                let schema = inner("properties").get(&key).unwrap_or(&Value::Null);
                let member = typed(schema, member);
                (key, member)
            })
            .collect(),
        other => other,
    }
}

/// Whether the keys count up from 0, so that the map is a list.
fn is_indexed(members: &Map<String, Value>) -> bool {
    let mut keys = members.keys().enumerate();
    !members.is_empty() && keys.all(|(index, key)| *key == index.to_string())
}
