//! From a request on the wire back to the tool and arguments that it was made from.

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::Refusal;
use crate::params::{Params, read_text};
use crate::plan::{BodyTemplate, PathTemplate, Segment, Style};
use crate::template::{Piece, Template, is_identifier};
use crate::tool::Tool;

/// Arguments that stand in a request's path, by name.
type Captured = Vec<(String, String)>;

/// The tools whose operation this may be, with the arguments in the path. Literal segments beat params; several tools
/// of one operation tell themselves apart by their bodies.
pub fn find_tools<'t>(
    tools: &'t [Arc<Tool>],
    method: &str,
    path: &str,
) -> Vec<(&'t Arc<Tool>, Captured)> {
    let mut found: Vec<(&Arc<Tool>, Captured)> = tools
        .iter()
        .filter(|tool| tool.request.method.as_str() == method)
        .filter_map(|tool| {
            let below = tool.service.base.path().trim_end_matches('/');
            let captured = match_path(&tool.request.path, path.strip_prefix(below)?)?;
            Some((tool, captured))
        })
        .collect();
    let fewest = found.iter().map(|(_, captured)| captured.len()).min();
    found.retain(|(_, captured)| Some(captured.len()) == fewest);
    found
}

/// The tool that a request is of, with the arguments that it was made from: the first that could have made it.
///
/// # Errors
/// Where none could, why the first of them could not whose body is of this form.
pub fn read<'t>(
    tools: &[(&'t Arc<Tool>, Captured)],
    query: &str,
    body: Option<&Value>,
) -> Result<(&'t Arc<Tool>, Value), Refusal> {
    let has_other_body =
        |(tool, _): &&(&Arc<Tool>, Captured)| take_body(tool, body, &mut Map::new()).is_err();
    let mut likeliest: Vec<_> = tools.iter().collect();
    likeliest.sort_by_cached_key(has_other_body);
    let mut refused = None;
    for (tool, captured) in likeliest {
        match arguments(tool, captured, query, body) {
            Ok(arguments) => return Ok((tool, arguments)),
            Err(refusal) => {
                refused.get_or_insert(refusal);
            }
        }
    }
    Err(refused.unwrap_or_else(|| Refusal::new(404, "Not Found".to_owned())))
}

fn match_path(template: &PathTemplate, path: &str) -> Option<Captured> {
    let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    if segments.len() != template.segments().len() {
        return None;
    }
    let mut captured = Vec::new();
    for (segment, text) in template.segments().iter().zip(segments) {
        match_segment(segment, text, &mut captured)?;
    }
    Some(captured)
}

/// A segment has at most one expression that can be read back: the text around it is fixed.
fn match_segment(segment: &Segment, text: &str, captured: &mut Captured) -> Option<()> {
    let (prefix, rest) = match segment.0.as_slice() {
        [Piece::Text(prefix), rest @ ..] => (prefix.as_str(), rest),
        rest => ("", rest),
    };
    let inner = text.strip_prefix(prefix)?;
    match rest {
        [] => inner.is_empty().then_some(()),
        [Piece::Expression(expression), rest @ ..] => {
            let suffix = match rest {
                [] => "",
                [Piece::Text(suffix)] => suffix.as_str(),
                _ => return None,
            };
            let value = inner
                .strip_suffix(suffix)
                .filter(|value| !value.is_empty())?;
            let [name] = expression.names() else {
                return None;
            };
            captured.push((name.clone(), decode(value)));
            Some(())
        }
        _ => None,
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The arguments of a request, checked as the tool itself checks them.
///
/// # Errors
/// 400 for a query name or body that no argument gives, and for every value that the params schema refuses.
fn arguments(
    tool: &Tool,
    captured: &[(String, String)],
    query: &str,
    body: Option<&Value>,
) -> Result<Value, Refusal> {
    let mut arguments = Map::new();
    for (name, value) in captured {
        put(&mut arguments, &tool.params, name, value, None);
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(&name.replace('+', " ")), value.replace('+', " "));
        if tool
            .service
            .query
            .wire_names()
            .any(|(wire, _, _)| wire == name)
        {
            continue;
        }
        let (param, delimiter) = param_of(tool, &name)
            .ok_or_else(|| Refusal::new(400, format!("{name}: Extra inputs are not permitted")))?;
        put(&mut arguments, &tool.params, param, &value, delimiter);
    }
    take_body(tool, body, &mut arguments)?;
    tool.accept(Value::Object(arguments)).map_err(|problems| {
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Refusal::new(400, told.join("; "))
    })
}

/// Adds the arguments that stand in a body. None at all is as good as an empty one.
fn take_body(
    tool: &Tool,
    body: Option<&Value>,
    arguments: &mut Map<String, Value>,
) -> Result<(), Refusal> {
    let nothing = json!({});
    match (tool.request.body.as_ref().map(BodyTemplate::tree), body) {
        (Some(Template::Expression(_)), None) => Ok(()),
        (Some(tree), body) => read_body(tree, body.unwrap_or(&nothing), "body", arguments),
        (None, Some(body)) if *body != nothing => Err(Refusal::new(
            400,
            "body: Extra inputs are not permitted".to_owned(),
        )),
        (None, _) => Ok(()),
    }
}

/// Reads the arguments back out of a body, by the template that makes it; `at` says where the value stands. An expression
/// that computes something cannot be read back, and takes any value.
fn read_body(
    template: &Template,
    value: &Value,
    at: &str,
    arguments: &mut Map<String, Value>,
) -> Result<(), Refusal> {
    let refuse = |told: String| Err(Refusal::new(400, told));
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
                    Some((_, member)) => read_body(member, value, &at, arguments)?,
                    None => return refuse(format!("{at}: Extra inputs are not permitted")),
                }
            }
            let is_missing = |(name, member): &&(String, Template)| {
                !matches!(member, Template::Expression(_)) && !values.contains_key(name)
            };
            match members.iter().find(is_missing) {
                Some((name, _)) => refuse(format!("{at}.{name}: Field required")),
                None => Ok(()),
            }
        }
        (Template::List(items), Value::Array(values)) if items.len() == values.len() => {
            let mut pairs = items.iter().zip(values).enumerate();
            pairs.try_for_each(|(index, (item, value))| {
                read_body(item, value, &format!("{at}.{index}"), arguments)
            })
        }
        (Template::Map(_) | Template::List(_), _) => refuse(format!("{at}: of the wrong form")),
    }
}

/// The param behind a name on the wire, and what separates its items where one parameter holds them all.
fn param_of<'t>(tool: &'t Tool, name: &str) -> Option<(&'t str, Option<&'static str>)> {
    tool.request
        .query
        .wire_names()
        .find_map(|(wire, param, style)| {
            let delimiter = match style {
                Style::Brackets | Style::DeepObject | Style::Indexed => {
                    return (name.strip_suffix("[]") == Some(wire)).then_some((param?, None));
                }
                Style::Comma => Some(","),
                Style::Space => Some("%20"),
                Style::Pipe => Some("%7C"),
                Style::Repeat | Style::Form => None,
            };
            (wire == name).then_some((param?, delimiter))
        })
}

fn put(
    arguments: &mut Map<String, Value>,
    params: &Params,
    name: &str,
    raw: &str,
    delimiter: Option<&str>,
) {
    let schema = params.get(name).map_or(&Value::Null, |param| param.schema);
    let parts: Vec<&str> = match delimiter {
        Some(delimiter) => raw.split(delimiter).collect(),
        None => vec![raw],
    };
    for part in parts {
        let value = read_text(schema, &decode(part));
        match (arguments.get_mut(name), value) {
            (Some(Value::Array(items)), Value::Array(more)) => items.extend(more),
            (_, value) => {
                arguments.insert(name.to_owned(), value);
            }
        }
    }
}
