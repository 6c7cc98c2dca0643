//! From an HTTP request back to the tool and the arguments that made it.

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::{Refusal, body};
use crate::params::{Params, read_text};
use crate::plan::{PathTemplate, Segment, Style};
use crate::template::Piece;
use crate::tool::Tool;

/// Arguments in a request's path, by name.
type Captured = Vec<(String, String)>;

/// A tool that may have made a request, with the arguments in the path.
pub(crate) type Candidate<'t> = (&'t Arc<Tool>, Captured);

/// The tools that may have made this request, with the arguments in the path. Literal segments are preferred to params.
/// If several tools share one operation, their bodies tell them apart.
pub(crate) fn find_tools<'t>(
    tools: impl IntoIterator<Item = &'t Arc<Tool>>,
    method: &str,
    path: &str,
) -> Vec<Candidate<'t>> {
    let mut found: Vec<Candidate<'_>> = tools
        .into_iter()
        .filter(|tool| tool.request.method.as_str() == method)
        .filter_map(|tool| {
            let settings = tool.service.default_settings().unwrap_or_default();
            let below = tool.service.base.path_at(&settings).ok()?;
            let below = path.strip_prefix(below.trim_end_matches('/'))?;
            let captured = match_path(&tool.request.path, below)?;
            Some((tool, captured))
        })
        .collect();
    let fewest = found.iter().map(|(_, captured)| captured.len()).min();
    found.retain(|(_, captured)| Some(captured.len()) == fewest);
    found
}

/// The tool that made a request, and its arguments: the first tool that could have made it.
///
/// # Errors
/// When no tool could have made it. The error is that of the first tool whose body is of this kind.
pub(crate) fn recognise<'t>(
    tools: &[Candidate<'t>],
    query: &str,
    body: &[u8],
) -> Result<(&'t Arc<Tool>, Value), Refusal> {
    let has_other_body =
        |(tool, _): &&Candidate<'_>| body::read_back(tool, body, &mut Map::new()).is_err();
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

/// In a segment, at most one expression can be read back, because the text around it must be fixed.
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

/// The arguments of a request, checked in the same way as the tool checks them.
///
/// # Errors
/// 400 for a query name or body that no argument gives, and for every value that the params schema refuses.
fn arguments(
    tool: &Tool,
    captured: &[(String, String)],
    query: &str,
    body: &[u8],
) -> Result<Value, Refusal> {
    let mut arguments = Map::new();
    for (name, value) in captured {
        put(&mut arguments, &tool.params, name, value, None);
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        // A credential was checked before, and is no argument.
        if tool.service.auth.query_names().any(|own| own == name) {
            continue;
        }
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
    body::read_back(tool, body, &mut arguments)?;
    tool.accept(Value::Object(arguments)).map_err(|problems| {
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Refusal::new(400, told.join("; "))
    })
}

/// The param behind a name in the query, and the separator if one parameter holds all items.
fn param_of<'t>(tool: &'t Tool, name: &str) -> Option<(&'t str, Option<&'static str>)> {
    tool.request
        .query
        .wire_names()
        .find_map(|(wire, param, style)| {
            let delimiter = match style {
                Style::Brackets | Style::DeepObject => {
                    return (name.strip_suffix("[]") == Some(wire)).then_some((param?, None));
                }
                Style::Indexed => return is_item_of(name, wire).then_some((param?, None)),
                Style::Comma => Some(","),
                Style::Space => Some("%20"),
                Style::Pipe => Some("%7C"),
                Style::Repeat | Style::Form => None,
            };
            (wire == name).then_some((param?, delimiter))
        })
}

/// Whether a name is another one with an index behind it, such as `a[0]`.
fn is_item_of(name: &str, wire: &str) -> bool {
    name.strip_prefix(wire)
        .and_then(|rest| rest.strip_prefix('[')?.strip_suffix(']'))
        .is_some_and(|index| index.bytes().all(|b| b.is_ascii_digit()))
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
