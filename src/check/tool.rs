//! Checks of a tool beyond what a call needs.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::{Map, Value};

use super::schema::check_schema;
use crate::check::examples;
use crate::format::Access;
use crate::plan::{Method, RequestTemplate, Style, ValuePlace, behind_colon, bracketed};
use crate::source::{Check, Code, join, join_index};
use crate::template::is_identifier;
use crate::tool::Tool;
use crate::wait::Wait;
use crate::words::nearest_of;

/// The longest name together with the service's, so that it fits the limits for names of LLM tools.
const QUALIFIED_LENGTH: usize = 64;
/// How many unknown names of one schema get a suggestion.
const MOST_SUGGESTIONS: usize = 100;

/// All checks of a tool that compiles. Mistakes go to `check`, whose source is the tool's file. Gives the failures of each
/// example.
pub(crate) fn check(tool: &Tool, check: &Check) -> Vec<Vec<examples::Failure>> {
    let inline = check
        .source()
        .value()
        .get("service")
        .is_some_and(Value::is_object);
    if inline && tool.is_whole() {
        super::service::check(&tool.service, "/service", check);
        super::service::report_own_unused_settings(tool, "/service", check);
    }
    report_long_name(tool, check);
    report_undescribed_params(tool, check);
    report_unused_params(tool, check);
    report_unused_bindings(tool, check);
    report_unusual_access(tool, check);
    report_doubled_names(tool, check);
    report_lost_braces(tool, check);
    report_named_output(check);
    super::sync::check(tool, check);
    if let Some(schema) = &tool.output_schema {
        check_schema(schema, "/response/schema", check);
    }
    report_bad_places(tool, check);
    let failures = examples::run_all(tool);
    report_examples(tool, &failures, check);
    failures
}

fn report_long_name(tool: &Tool, check: &Check) {
    let length = tool.qualified_name().len();
    if length > QUALIFIED_LENGTH && tool.is_whole() {
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

/// Names of params that the schema itself uses: in `required`, and in keywords that say which params go together.
pub(crate) fn report_unknown_params(section: &Value, check: &Check) {
    let Value::Object(section) = section else {
        return;
    };
    // A misspelt `properties` was reported.
    if !section.contains_key("properties") && check.is_broken("/params") {
        return;
    }
    let is_open = section
        .get("additionalProperties")
        .is_some_and(|more| *more != false)
        || section.contains_key("patternProperties");
    let known = section.get("properties").and_then(Value::as_object);
    if !is_open {
        let known = known.cloned().unwrap_or_default();
        report_unknown_in(section, "/params", true, &known, check);
    }
}

fn report_unknown_in(
    schema: &Map<String, Value>,
    pointer: &str,
    is_root: bool,
    known: &Map<String, Value>,
    check: &Check,
) {
    // To look for what was meant takes time for each name, and a list may have thousands.
    let suggestions = Cell::new(MOST_SUGGESTIONS);
    let unknown = |name: &str| {
        if known.contains_key(name) {
            return None;
        }
        let left = suggestions.get();
        suggestions.set(left.saturating_sub(1));
        let nearest = || crate::words::nearest(name, known.keys().map(String::as_str));
        let help = (left > 0).then(nearest).flatten();
        Some((format!("there is no param `{name}`"), help))
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
                report_unknown_in(inner, &at, false, known, check);
            }
        }
    }
    for keyword in ["if", "then", "else", "not"] {
        if let Some(Value::Object(inner)) = schema.get(keyword) {
            report_unknown_in(inner, &join(pointer, keyword), false, known, check);
        }
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        for (i, inner) in list(keyword).enumerate() {
            if let Value::Object(inner) = inner {
                let at = join_index(&join(pointer, keyword), i);
                report_unknown_in(inner, &at, false, known, check);
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
        let at = join("/params/properties", param.name);
        if check.is_broken(&join(&at, "description")) {
            continue;
        }
        check.error_at_key(
            Code::UndescribedParam,
            &at,
            format!("the param `{}` has no description", param.name),
            Some("say in a sentence what it does".to_owned()),
        );
    }
}

fn report_unused_params(tool: &Tool, check: &Check) {
    let mut used: BTreeSet<String> = BTreeSet::new();
    let mut all = false;
    // Without the path, it is not known which params would stand in it.
    let at = "/request/path";
    let is_lost = check.source().value().pointer(at).is_none() && check.is_broken(at);
    if is_lost || check.is_unreadable("/params") {
        return;
    }
    tool.visit_requests(&mut |expression, _| {
        for dotted in expression.dotted_names() {
            match dotted.strip_prefix("params.") {
                Some(member) => _ = used.insert(member.to_owned()),
                None if dotted == "params" => match expression.subscripts("params") {
                    Some(names) => used.extend(names),
                    None => all = true,
                },
                None => _ = used.insert(dotted.split('.').next().unwrap_or_default().to_owned()),
            }
        }
    });
    // A misspelt name is reported where it stands, and it probably means a param.
    let names = || tool.params.iter().map(|param| param.name);
    let known: BTreeSet<&str> = names().collect();
    let unknown = used.iter().filter(|name| !known.contains(name.as_str()));
    let meant: BTreeSet<&str> = unknown
        .filter_map(|name| nearest_of(name, names()))
        .collect();
    for param in tool.params.iter() {
        if all
            || used.contains(param.name)
            || meant.contains(param.name)
            || check.may_be_used(param.name, &["/params", "/examples"])
        {
            continue;
        }
        if let Some(range) = segment_of_another_notation(check.source().value(), param.name) {
            let message = format!(
                "the path has this as it is, and not the param `{}`",
                param.name
            );
            let help = Some(format!("write `{{{{ {} }}}}`", param.name));
            check.error_inside(Code::UnusedParam, "/request/path", range, message, help);
            continue;
        }
        let message = format!("the param `{}` is never used in the request", param.name);
        match fixed_value(check.source().value(), param.name) {
            Some(at) => check.error_with_help(
                Code::UnusedParam,
                &at,
                message,
                "its place has a fixed value; write an expression there, or remove the param",
            ),
            None => check.error_at_key(
                Code::UnusedParam,
                &join("/params/properties", param.name),
                message,
                Some("use it in the path, query, headers or body, or remove it".to_owned()),
            ),
        }
    }
}

/// A segment of the path that is the param in the notation of other tools: `/things/:id`.
fn segment_of_another_notation(descriptor: &Value, param: &str) -> Option<Range<usize>> {
    let path = descriptor.pointer("/request/path")?.as_str()?;
    let mut start = 0;
    for segment in path.split('/') {
        if segment.strip_prefix(':') == Some(param) {
            return Some(start..start + segment.len());
        }
        start += segment.len() + 1;
    }
    None
}

/// The place in the request where the param's value would be expected but a fixed value is written: a key with the
/// param's name, or a body that has no keys.
fn fixed_value(descriptor: &Value, param: &str) -> Option<String> {
    let request = descriptor.get("request")?.as_object()?;
    let sections = ["query", "headers", "body"].into_iter();
    let named = sections.filter_map(|section| {
        let at = join("/request", section);
        key_with_fixed_value(request.get(section)?, param).map(|inside| at + &inside)
    });
    let whole = || {
        let (kind, tree) = request.get("body")?.as_object()?.iter().next()?;
        let is_fixed = !tree.is_object() && !has_expression(tree);
        is_fixed.then(|| join("/request/body", kind))
    };
    named.into_iter().next().or_else(whole)
}

fn key_with_fixed_value(tree: &Value, key: &str) -> Option<String> {
    match tree {
        Value::Object(members) => {
            if members.get(key).is_some_and(|value| !has_expression(value)) {
                return Some(join("", key));
            }
            members.iter().find_map(|(name, inner)| {
                key_with_fixed_value(inner, key).map(|inside| join("", name) + &inside)
            })
        }
        Value::Array(items) => items.iter().enumerate().find_map(|(i, inner)| {
            key_with_fixed_value(inner, key).map(|inside| join_index("", i) + &inside)
        }),
        _ => None,
    }
}

fn has_expression(tree: &Value) -> bool {
    match tree {
        Value::String(text) => text.contains("{{"),
        Value::Array(items) => items.iter().any(has_expression),
        Value::Object(members) => members.values().any(has_expression),
        _ => false,
    }
}

fn report_unused_bindings(tool: &Tool, check: &Check) {
    let used = tool.projection.names_read();
    for name in tool.projection.binding_names() {
        if !used.iter().any(|other| other == name)
            && !check.may_be_used(name, &["/response/let", "/examples"])
        {
            check.error_at_key(
                Code::UnusedName,
                &join("/response/let", name),
                format!("`{name}` is never used"),
                None,
            );
        }
    }
}

fn report_unusual_access(tool: &Tool, check: &Check) {
    let message = match (tool.request.method, tool.access) {
        (Method::Delete, Access::Read) => "a DELETE request rarely only reads",
        (Method::Put | Method::Patch, Access::Read) => "a PUT or PATCH request rarely only reads",
        // GraphQL reads data with POST.
        (Method::Post, Access::Read) if !tool.is_graphql() => "a POST request may write",
        (Method::Get | Method::Head | Method::Options, Access::Write | Access::Destructive) => {
            "a request of this method should change nothing"
        }
        _ => return,
    };
    if check.is_broken("/request/method") || check.is_broken("/access") {
        return;
    }
    check.error_with_help(
        Code::UnusualAccess,
        "/access",
        message,
        "`access` decides whether the tool runs without consent",
    );
}

/// Reports texts in the request that name a param in another tool's way, such as `${id}`, and are sent as they are.
fn report_lost_braces(tool: &Tool, check: &Check) {
    let source = check.source().clone();
    for section in ["query", "headers", "body"] {
        let at = join("/request", section);
        if let Some(part) = source.value().pointer(&at) {
            report_lost_braces_in(part, &at, tool, check);
        }
    }
}

fn report_lost_braces_in(part: &Value, pointer: &str, tool: &Tool, check: &Check) {
    match part {
        Value::String(text) => {
            let bare = text.trim();
            let dollar = bare.strip_prefix('$').unwrap_or(bare);
            let name = bracketed(dollar)
                .filter(|name| dollar.len() == name.len() + 2)
                .or_else(|| behind_colon(bare))
                .or_else(|| bare.strip_prefix('$').filter(|name| is_identifier(name)));
            if let Some(name) = name.filter(|name| tool.params.get(name).is_some()) {
                check.error_with_help(
                    Code::UnusedPath,
                    pointer,
                    format!("`{bare}` is sent as it stands, and not the param `{name}`"),
                    format!("write `{{{{ {name} }}}}`"),
                );
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                report_lost_braces_in(item, &join_index(pointer, i), tool, check);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                report_lost_braces_in(member, &join(pointer, key), tool, check);
            }
        }
        _ => {}
    }
}

/// Reports an output that is a word or a list of words: the same for every response.
fn report_named_output(check: &Check) {
    let source = check.source().clone();
    let report = |text: &str, pointer: &str| {
        if is_identifier(text) {
            check.error_with_help(
                Code::UnusedPath,
                pointer,
                format!("`{text}` stands here as it is, whatever the response is"),
                format!("write `$.{text}`, or `{{ literal: {text} }}` if the text is meant"),
            );
        }
    };
    match source.value().pointer("/response/output") {
        Some(Value::String(text)) => report(text, "/response/output"),
        Some(Value::Array(items)) => {
            for (i, item) in items.iter().enumerate() {
                if let Value::String(text) = item {
                    report(text, &join_index("/response/output", i));
                }
            }
        }
        _ => {}
    }
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
    for (request, section) in requests(tool) {
        report_doubled_in(tool, request, section, check);
    }
}

/// The tool's requests that have a query and headers, and where each is.
fn requests(tool: &Tool) -> impl Iterator<Item = (&RequestTemplate, &'static str)> {
    let poll = tool.wait.as_ref().map(|wait| (wait.poll(), "/wait"));
    [(&tool.request, "/request")].into_iter().chain(poll)
}

fn report_doubled_in(tool: &Tool, request: &RequestTemplate, section: &str, check: &Check) {
    let mut wire: Vec<&str> = tool
        .service
        .query
        .wire_names()
        .map(|(name, _, _)| name)
        .collect();
    for (i, (name, _, _)) in request.query.wire_names().enumerate() {
        let encoded = crate::plan::percent_encode(name);
        if wire.contains(&name) || tool.service.auth.query_names().any(|own| own == encoded) {
            let (at, in_list) = query_pointer(section, check, name, i);
            let message = format!("the query parameter `{name}` is sent twice");
            match in_list {
                true => check.error(Code::DuplicateName, &at, message),
                false => check.error_at_key(Code::DuplicateName, &at, message, None),
            }
        }
        wire.push(name);
    }
    let carries_credential = |name: &str| tool.service.auth.header_names().any(|own| own == name);
    if request
        .idempotency_header
        .as_deref()
        .is_some_and(carries_credential)
    {
        check.error(
            Code::BadHeader,
            "/request/idempotency_key/header",
            "this header carries the service's credential",
        );
    }
    for name in request.headers.names() {
        if carries_credential(name) {
            check.error_at_key(
                Code::BadHeader,
                &header_pointer(section, check, name),
                format!("the header `{name}` carries the service's credential"),
                Some("a tool cannot set it".to_owned()),
            );
        }
    }
}

/// Where a query parameter is written, and whether it is in a list rather than a map.
fn query_pointer(section: &str, check: &Check, name: &str, index: usize) -> (String, bool) {
    let query = join(section, "query");
    match check.source().value().pointer(&query) {
        Some(Value::Array(_)) => (join_index(&query, index), true),
        _ => (join(&query, name), false),
    }
}

fn header_pointer(section: &str, check: &Check, name: &str) -> String {
    let at = join(section, "headers");
    let headers = check.source().value().pointer(&at);
    let written = headers
        .and_then(Value::as_object)
        .and_then(|headers| headers.keys().find(|key| key.eq_ignore_ascii_case(name)));
    join(&at, written.map_or(name, String::as_str))
}

/// What an expression is written in. This decides which values can be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Container {
    /// Inside a path or a longer text: only scalars.
    Text,
    /// A whole text: scalars, and null, which writes nothing.
    Scalar,
    /// A query value that repeats its key: scalars, and arrays of scalars.
    Repeated,
    /// A query value whose style can write objects.
    Styled,
    /// A header: scalars, and arrays of scalars.
    Header,
    /// A part of a form: scalars, objects, and arrays of both.
    Part,
    /// A whole form: only maps.
    Map,
}

/// Keywords that say of which type a value is.
const TYPED_BY: [&str; 8] = [
    "type", "items", "enum", "const", "$ref", "anyOf", "oneOf", "allOf",
];

/// Reports params whose type cannot be written in their place. Otherwise only the first call would show it.
fn report_bad_places(tool: &Tool, check: &Check) {
    let report = |names: &[String], text: &str, container: Container, at: &str| {
        let [name] = names else { return };
        if text != name {
            return;
        }
        let param = join("/params/properties", name);
        let lost = |key: &str| check.is_broken(&join(&param, key));
        if let Some(param) = tool.params.get(name)
            && !TYPED_BY.into_iter().any(lost)
            && let Some(message) = misplaced(param.schema, container)
        {
            check.error_with_help(
                Code::BadPlace,
                at,
                format!("the param `{name}` {message}"),
                match container {
                    Container::Text | Container::Scalar => {
                        "only strings, numbers and booleans can be written as text"
                    }
                    Container::Repeated => "give it a `style`, such as deep_object",
                    Container::Styled => "`style: indexed` writes lists of lists and of objects",
                    Container::Header => "only scalars and arrays of scalars are allowed here",
                    Container::Part => {
                        "a part is a scalar or an object; a list gives a part for each item"
                    }
                    Container::Map => "a param of `type: object` gives a map",
                },
            );
        }
    };
    let cancel = tool.wait.as_ref().and_then(Wait::cancel);
    for (request, section) in requests(tool).chain(cancel.map(|cancel| (cancel, "/wait/cancel"))) {
        let at = join(section, "path");
        request.path.visit(&mut |expression, _| {
            if request.path.style_of(expression).is_some() {
                return;
            }
            report(expression.names(), expression.text(), Container::Text, &at);
        });
        for (i, (name, _, style)) in request.query.wire_names().enumerate() {
            let (at, _) = query_pointer(section, check, name, i);
            let whole = match style {
                Style::Repeat => Container::Repeated,
                _ => Container::Styled,
            };
            request.query.visit_one(i, &mut |expression, in_text| {
                // With an index or as JSON, any item can be written.
                if matches!(style, Style::Indexed | Style::Json) && !in_text {
                    return;
                }
                let container = if in_text { Container::Text } else { whole };
                report(expression.names(), expression.text(), container, &at);
            });
        }
        for (i, name) in request.headers.names().enumerate() {
            let at = header_pointer(section, check, name);
            request.headers.visit_one(i, &mut |expression, in_text| {
                let container = if in_text {
                    Container::Text
                } else {
                    Container::Header
                };
                report(expression.names(), expression.text(), container, &at);
            });
        }
    }
    if let Some(body) = &tool.request.body {
        body.visit_places("/request/body", &mut |expression, at, place| {
            let container = match place {
                ValuePlace::Any | ValuePlace::Styled(Style::Indexed) => return,
                ValuePlace::Text => Container::Text,
                ValuePlace::Scalar => Container::Scalar,
                ValuePlace::Repeated => Container::Header,
                ValuePlace::Styled(Style::Repeat) => Container::Repeated,
                ValuePlace::Styled(_) => Container::Styled,
                ValuePlace::Part => Container::Part,
                ValuePlace::Map => Container::Map,
            };
            report(expression.names(), expression.text(), container, at);
        });
    }
}

fn misplaced(schema: &Value, container: Container) -> Option<&'static str> {
    let types = types_of(schema)?;
    let has = |name: &str| types.iter().any(|other| other == name);
    match container {
        Container::Text if types.is_empty() => {
            Some("has no `type`, so that it could be a list or an object")
        }
        Container::Text | Container::Scalar if has("object") || has("array") => {
            Some("may be a list or an object, which cannot be written as text")
        }
        Container::Text if has("null") => Some("may be null, which cannot be written as text"),
        Container::Repeated | Container::Header if has("object") => {
            Some("may be an object, which cannot be written here")
        }
        Container::Repeated | Container::Header | Container::Styled if has("array") => {
            let items = schema.get("items").and_then(types_of)?;
            items
                .iter()
                .any(|name| name == "array" || name == "object")
                .then_some("is a list of lists or objects, which cannot be written here")
        }
        Container::Map if !types.is_empty() && !has("object") => Some("is no map"),
        Container::Part if has("array") => {
            let items = schema.get("items").and_then(types_of)?;
            let has_list = items.iter().any(|name| name == "array");
            has_list.then_some("is a list of lists, which cannot be written here")
        }
        _ => None,
    }
}

/// The types that a schema allows, if it says so by itself; `None` if another part of it decides.
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

fn report_examples(tool: &Tool, failures: &[Vec<examples::Failure>], check: &Check) {
    for (i, failures) in failures.iter().enumerate() {
        for failure in failures {
            if follows(&failure.part, i, tool, check) {
                continue;
            }
            if let Some((at, key)) = misnamed(check.source().value(), failure) {
                check.error_at_key(
                    Code::ExampleFails,
                    &at,
                    format!("the example expects `{key}` here"),
                    Some("the names in the request and in the example must be the same".to_owned()),
                );
                continue;
            }
            let at = format!("{}{}", join_index("/examples", i), failure.part);
            let message = match &failure.difference {
                None => failure.message.clone(),
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
                "running the examples shows the whole difference",
            );
        }
    }
}

/// Whether a part of an example may only fail because of an error that is reported elsewhere.
fn follows(part: &str, index: usize, tool: &Tool, check: &Check) -> bool {
    let own = |key: &str| check.is_broken(&join(&join_index("/examples", index), key));
    let any = |places: &[&str]| places.iter().any(|place| check.is_broken(place));
    let section = part.split('/').nth(1).unwrap_or_default();
    if own("args") || are_doubtful(part, index, check) {
        return true;
    }
    match section {
        "args" => any(&["/request"]) || !tool.is_whole() || (part == "/args" && any(&["/params"])),
        "request" => any(&["/request", "/service"]) || own("request") || !tool.is_whole(),
        // The request of each page depends on the response before it.
        "pages" => {
            let sections = ["/request", "/service", "/response", "/paging"];
            any(&sections) || own("pages") || !tool.is_whole()
        }
        "created" | "poll" => {
            let sections = ["/request", "/service", "/wait", "/response"];
            any(&sections) || own("created") || own("poll") || !tool.is_whole()
        }
        _ => {
            any(&["/response", "/paging", "/wait"])
                || ["response", "output", "created"].iter().any(|key| own(key))
        }
    }
}

/// Whether an error in the params may change the arguments of an example. One in a param that the example gives
/// changes only the check of that argument.
fn are_doubtful(part: &str, index: usize, check: &Check) -> bool {
    const NOTES: [&str; 4] = ["description", "title", "examples", "$comment"];
    let args = join(&join_index("/examples", index), "args");
    let args = check.source().value().pointer(&args);
    check.broken_within("/params").iter().any(|place| {
        let mut tokens = place.split('/').skip(1);
        let (Some("properties"), Some(name)) = (tokens.next(), tokens.next()) else {
            return true;
        };
        // What an argument may be does not depend on the other params.
        if let Some(own) = part.strip_prefix("/args/") {
            let own = own.split('/').next().unwrap_or_default();
            return own == name;
        }
        let is_note = tokens
            .next()
            .is_some_and(|keyword| NOTES.contains(&keyword));
        let is_given = args.is_some_and(|args| args.get(name).is_some());
        let is_meant = part
            .strip_prefix("/args/")
            .is_some_and(|rest| rest == name || rest.starts_with(&format!("{name}/")));
        !is_note && (!is_given || is_meant)
    })
}

/// A key of the body that an example expects under another name, when the expression behind it has that other name too.
/// Then the descriptor is wrong, and not the example. Returns the key's place, and the expected name.
fn misnamed(descriptor: &Value, failure: &examples::Failure) -> Option<(String, String)> {
    let (expected, _) = failure.difference.as_ref()?;
    let (parent, name) = failure
        .part
        .strip_prefix("/request/body")?
        .rsplit_once('/')?;
    let (kind, tree) = descriptor
        .pointer("/request/body")?
        .as_object()?
        .iter()
        .next()?;
    let expected = expected.pointer(parent)?.as_object()?;
    let key = tree
        .pointer(parent)?
        .as_object()?
        .iter()
        .find(|(key, value)| {
            let expression = value.as_str().and_then(|text| {
                let inside = text.strip_prefix("{{")?.strip_suffix("}}")?;
                Some(inside.trim())
            });
            !expected.contains_key(*key) && expression == Some(name)
        });
    let at = join(&format!("{}{parent}", join("/request/body", kind)), key?.0);
    Some((at, name.to_owned()))
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
