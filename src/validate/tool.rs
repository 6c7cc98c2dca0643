//! Checks of a tool beyond what a call needs.

use serde_json::{Map, Value};

use super::schema::check_schema;
use super::secret::report_literal_secrets;
use crate::descriptor::Access;
use crate::descriptor::code::Code;
use crate::descriptor::source::{Check, join, join_index};
use crate::examples;
use crate::plan::{Method, Style};
use crate::tool::Tool;

/// Longest name with its service's, so that it fits where LLM tools are named.
const QUALIFIED_LENGTH: usize = 64;

/// All checks of a tool that compiles. Mistakes go to `check`, which stands at the tool's file.
pub fn check(tool: &Tool, check: &Check) {
    let inline = check
        .source()
        .value()
        .get("service")
        .is_some_and(Value::is_object);
    if inline {
        super::service::check(&tool.service, "/service", check);
        report_unused_settings(tool, check);
    }
    report_long_name(tool, check);
    report_unknown_params(tool, check);
    report_undescribed_params(tool, check);
    report_unused_params(tool, check);
    report_unused_bindings(tool, check);
    report_unusual_access(tool, check);
    report_doubled_names(tool, check);
    report_literal_secrets(check);
    if let Some(schema) = &tool.output_schema {
        check_schema(schema, "/response/schema", check);
    }
    report_bad_places(tool, check);
    if !check.failed() {
        check_examples(tool, check);
    }
}

fn report_long_name(tool: &Tool, check: &Check) {
    let length = tool.qualified_name().len();
    if length > QUALIFIED_LENGTH {
        check.error(
            Code::BadName,
            "/tool",
            format!(
                "the name has {length} characters with its service's; {QUALIFIED_LENGTH} is the most that LLM tool \
                 names may have"
            ),
        );
    }
}

/// Names of params that the schema itself refers to: in `required`, and in the parts that say what goes together.
fn report_unknown_params(tool: &Tool, check: &Check) {
    if let Some(Value::Object(section)) = check.source().value().get("params").cloned() {
        let is_open = section
            .get("additionalProperties")
            .is_some_and(|more| *more != false)
            || section.contains_key("patternProperties");
        if !is_open {
            report_unknown_in(&section, "/params", true, tool, check);
        }
    }
}

fn report_unknown_in(
    schema: &Map<String, Value>,
    pointer: &str,
    is_root: bool,
    tool: &Tool,
    check: &Check,
) {
    let unknown = |name: &str| {
        let help = crate::template::nearest(name, tool.params.iter().map(|param| param.name));
        tool.params
            .get(name)
            .is_none()
            .then_some((format!("there is no param `{name}`"), help))
    };
    let list = |keyword: &str| {
        schema
            .get(keyword)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    for (i, name) in list("required").enumerate() {
        if let Some((message, help)) = name.as_str().and_then(unknown) {
            let at = join_index(&join(pointer, "required"), i);
            let length = name.as_str().map_or(0, str::len);
            check.error_inside(Code::UnknownName, &at, 0..length, message, help);
        }
    }
    for keyword in ["properties", "dependentSchemas", "dependentRequired"] {
        let at = join(pointer, keyword);
        for (name, inner) in schema
            .get(keyword)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let at = join(&at, name);
            if !(is_root && keyword == "properties")
                && let Some((message, help)) = unknown(name)
            {
                check.error_at_key(Code::UnknownName, &at, message, help);
            }
            if keyword == "dependentSchemas"
                && let Value::Object(inner) = inner
            {
                report_unknown_in(inner, &at, false, tool, check);
            }
        }
    }
    for keyword in ["if", "then", "else", "not"] {
        if let Some(Value::Object(inner)) = schema.get(keyword) {
            report_unknown_in(inner, &join(pointer, keyword), false, tool, check);
        }
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        for (i, inner) in list(keyword).enumerate() {
            if let Value::Object(inner) = inner {
                let at = join_index(&join(pointer, keyword), i);
                report_unknown_in(inner, &at, false, tool, check);
            }
        }
    }
}

fn report_undescribed_params(tool: &Tool, check: &Check) {
    for param in tool
        .params
        .iter()
        .filter(|param| param.description().is_none())
    {
        check.error_at_key(
            Code::UndescribedParam,
            &join("/params/properties", param.name),
            format!("the param `{}` has no description", param.name),
            Some("say in a sentence what it does".to_owned()),
        );
    }
}

fn report_unused_params(tool: &Tool, check: &Check) {
    let mut used: Vec<String> = Vec::new();
    let mut all = false;
    tool.request.visit(&mut |expression, _| {
        for dotted in expression.dotted_names() {
            match dotted.strip_prefix("params.") {
                Some(member) => used.push(member.to_owned()),
                None if dotted == "params" => match expression.subscripts("params") {
                    Some(names) => used.extend(names),
                    None => all = true,
                },
                None => used.push(dotted.split('.').next().unwrap_or_default().to_owned()),
            }
        }
    });
    for param in tool.params.iter() {
        if all || used.iter().any(|name| name == param.name) {
            continue;
        }
        check.error_at_key(
            Code::UnusedParam,
            &join("/params/properties", param.name),
            format!("the param `{}` is never used in the request", param.name),
            Some("use it in the path, query, headers or body, or remove it".to_owned()),
        );
    }
}

fn report_unused_bindings(tool: &Tool, check: &Check) {
    let used = tool.projection.names_read();
    for name in tool.projection.binding_names() {
        if !used.iter().any(|other| other == name) {
            check.error_at_key(
                Code::UnusedName,
                &join("/response/let", name),
                format!("`{name}` is never used"),
                None,
            );
        }
    }
}

fn report_unused_settings(tool: &Tool, check: &Check) {
    let mut used: Vec<String> = Vec::new();
    let mut note = |expression: &crate::template::Expression, _: bool| {
        used.extend(expression.dotted_names());
    };
    tool.request.visit(&mut note);
    tool.service.headers.visit(&mut note);
    tool.service.query.visit(&mut note);
    tool.service.base.visit(&mut note);
    tool.service.auth.visit(&mut note);
    for (name, _) in tool.service.settings() {
        let dotted = format!("settings.{name}");
        if !used
            .iter()
            .any(|other| *other == dotted || other == "settings")
        {
            check.error_at_key(
                Code::UnusedName,
                &join("/service/settings", name),
                format!("the setting `{name}` is never used"),
                None,
            );
        }
    }
}

fn report_unusual_access(tool: &Tool, check: &Check) {
    let message = match (tool.request.method, tool.access) {
        (Method::Delete, Access::Read) => "a DELETE request rarely only reads",
        (Method::Put | Method::Patch, Access::Read) => "a PUT or PATCH request rarely only reads",
        (Method::Get | Method::Head | Method::Options, Access::Write | Access::Destructive) => {
            "a request of this method should change nothing"
        }
        _ => return,
    };
    check.error_with_help(
        Code::UnusualAccess,
        "/access",
        message,
        "`access` decides whether the tool runs without consent",
    );
}

fn report_doubled_names(tool: &Tool, check: &Check) {
    let mut seen: Vec<&str> = Vec::new();
    for (i, example) in tool.examples.iter().enumerate() {
        if seen.contains(&example.name.as_str()) {
            check.error(
                Code::DuplicateName,
                &join(&join_index("/examples", i), "name"),
                format!("two examples are called `{}`", example.name),
            );
        }
        seen.push(&example.name);
    }
    let mut wire: Vec<&str> = tool
        .service
        .query
        .wire_names()
        .map(|(name, _, _)| name)
        .collect();
    for (i, (name, _, _)) in tool.request.query.wire_names().enumerate() {
        let encoded = crate::plan::percent_encode(name);
        if wire.contains(&name) || tool.service.auth.query_names().any(|own| own == encoded) {
            let at = query_pointer(check, name, i);
            let message = format!("the query parameter `{name}` is sent twice");
            match check.source().value().pointer("/request/query") {
                Some(Value::Array(_)) => check.error(Code::DuplicateName, &at, message),
                _ => check.error_at_key(Code::DuplicateName, &at, message, None),
            }
        }
        wire.push(name);
    }
    for name in tool.request.headers.names() {
        if tool.service.auth.header_names().any(|own| own == name) {
            check.error_at_key(
                Code::BadHeader,
                &header_pointer(check, name),
                format!("the header `{name}` carries the service's credential"),
                Some("a tool cannot set it".to_owned()),
            );
        }
    }
}

/// Where a query parameter is written: in a list, or in a map.
fn query_pointer(check: &Check, name: &str, index: usize) -> String {
    match check.source().value().pointer("/request/query") {
        Some(Value::Array(_)) => join_index("/request/query", index),
        _ => join("/request/query", name),
    }
}

fn header_pointer(check: &Check, name: &str) -> String {
    let headers = check.source().value().pointer("/request/headers");
    let written = headers
        .and_then(Value::as_object)
        .and_then(|headers| headers.keys().find(|key| key.eq_ignore_ascii_case(name)));
    join("/request/headers", written.map_or(name, String::as_str))
}

/// What may stand where.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Inside a path or a longer text: scalars alone.
    Text,
    /// A query value that repeats its key: scalars, and arrays of scalars.
    Repeated,
    /// A query value in a style that has a form for objects.
    Styled,
    /// A header: scalars, and arrays of scalars.
    Header,
}

/// Params whose type has no form where they stand: it would be found out at the first call.
fn report_bad_places(tool: &Tool, check: &Check) {
    let report = |names: &[String], text: &str, place: Place, at: &str| {
        let [name] = names else { return };
        if text != name {
            return;
        }
        if let Some(param) = tool.params.get(name)
            && let Some(message) = misplaced(param.schema, place)
        {
            check.error_with_help(
                Code::BadPlace,
                at,
                format!("the param `{name}` {message}"),
                match place {
                    Place::Text => "only strings, numbers and booleans have a text form",
                    Place::Repeated => "give the query parameter a `style`, such as deep_object",
                    Place::Styled | Place::Header => {
                        "only scalars and arrays of scalars can stand here"
                    }
                },
            );
        }
    };
    tool.request.path.visit(&mut |expression, _| {
        report(
            expression.names(),
            expression.text(),
            Place::Text,
            "/request/path",
        );
    });
    for (i, (name, _, style)) in tool.request.query.wire_names().enumerate() {
        let at = query_pointer(check, name, i);
        let whole = match style {
            Style::Repeat => Place::Repeated,
            _ => Place::Styled,
        };
        tool.request.query.visit_one(i, &mut |expression, in_text| {
            let place = if in_text { Place::Text } else { whole };
            report(expression.names(), expression.text(), place, &at);
        });
    }
    for (i, name) in tool.request.headers.names().enumerate() {
        let at = header_pointer(check, name);
        tool.request
            .headers
            .visit_one(i, &mut |expression, in_text| {
                let place = if in_text { Place::Text } else { Place::Header };
                report(expression.names(), expression.text(), place, &at);
            });
    }
    if let Some(body) = &tool.request.body {
        body.visit(&mut |expression, in_text| {
            if in_text {
                report(
                    expression.names(),
                    expression.text(),
                    Place::Text,
                    "/request/body/json",
                );
            }
        });
    }
}

fn misplaced(schema: &Value, place: Place) -> Option<&'static str> {
    let types = types_of(schema)?;
    let has = |name: &str| types.iter().any(|other| other == name);
    match place {
        Place::Text if types.is_empty() => {
            Some("has no `type`, so that it could be a list or an object")
        }
        Place::Text if has("object") || has("array") => {
            Some("may be a list or an object, which has no text form")
        }
        Place::Text if has("null") => Some("may be null, which has no text form"),
        Place::Repeated | Place::Header if has("object") => {
            Some("may be an object, which has no form here")
        }
        Place::Repeated | Place::Header | Place::Styled if has("array") => {
            let items = schema.get("items").and_then(types_of)?;
            items
                .iter()
                .any(|name| name == "array" || name == "object")
                .then_some("is a list of lists or objects, which has no form here")
        }
        _ => None,
    }
}

/// The types that a schema allows, as far as it says so by itself; `None` when another part of it decides.
fn types_of(schema: &Value) -> Option<Vec<String>> {
    const ELSEWHERE: [&str; 5] = ["$ref", "anyOf", "oneOf", "allOf", "$dynamicRef"];
    let members = schema.as_object()?;
    match members.get("type") {
        Some(Value::String(name)) => return Some(vec![name.clone()]),
        Some(Value::Array(names)) => {
            return Some(
                names
                    .iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
            );
        }
        _ => {}
    }
    if ELSEWHERE
        .iter()
        .any(|keyword| members.contains_key(*keyword))
    {
        return None;
    }
    let values: Vec<&Value> = match (members.get("const"), members.get("enum")) {
        (Some(value), _) => vec![value],
        (None, Some(Value::Array(values))) => values.iter().collect(),
        _ => return Some(Vec::new()),
    };
    let name = |value: &Value| match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    Some(
        values
            .into_iter()
            .map(|value| name(value).to_owned())
            .collect(),
    )
}

fn check_examples(tool: &Tool, check: &Check) {
    for (i, example) in tool.examples.iter().enumerate() {
        for failure in examples::run(tool, example) {
            let at = format!("{}{}", join_index("/examples", i), failure.part);
            let message = match &failure.difference {
                None => failure.message,
                Some((expected, actual)) => format!(
                    "the example expects {}, and the descriptor gives {}",
                    short(expected),
                    short(actual)
                ),
            };
            check.error_with_help(
                Code::ExampleFails,
                &at,
                message,
                "`toolrun test` shows the whole difference",
            );
        }
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
