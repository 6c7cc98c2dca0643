//! Examples: what a descriptor claims about itself, checked offline.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::Value;
use url::Url;

use crate::engine::answer::find_rule;
use crate::format::ExampleSpec;
use crate::json::{Json, Kind};
use crate::paging::{Next, Paging};
use crate::params::word;
use crate::plan::Plan;
use crate::project::{Action, ResponseKind, ResponseView};
use crate::source::{join, join_index};
use crate::tool::Tool;

/// What one example expected, and the actual result, when they differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The part of the example, as a JSON Pointer inside it: `/request/url`, `/output`.
    pub part: String,
    /// What is wrong.
    pub message: String,
    /// The expected and the actual value, if there are both.
    pub difference: Option<(Value, Value)>,
}

impl Failure {
    fn told(part: &str, message: String) -> Failure {
        Failure {
            part: part.to_owned(),
            message,
            difference: None,
        }
    }

    fn differs(part: &str, expected: Value, actual: Value) -> Failure {
        Failure {
            part: format!("{part}{}", first_difference(&expected, &actual)),
            message: "differs from what the descriptor gives".to_owned(),
            difference: Some((expected, actual)),
        }
    }
}

/// The JSON Pointer of the first part in which two values differ.
fn first_difference(expected: &Value, actual: &Value) -> String {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => expected
            .iter()
            .find_map(|(key, value)| match actual.get(key) {
                Some(other) if other == value => None,
                Some(other) => Some(join("", key) + &first_difference(value, other)),
                None => Some(join("", key)),
            })
            .unwrap_or_default(),
        (Value::Array(expected), Value::Array(actual)) => {
            let differs = expected
                .iter()
                .zip(actual)
                .position(|(value, other)| value != other);
            match differs {
                Some(at) => join_index("", at) + &first_difference(&expected[at], &actual[at]),
                // An item that is too much in the descriptor is itself at fault. A missing item has no place.
                None if expected.len() > actual.len() => join_index("", actual.len()),
                None => String::new(),
            }
        }
        _ => String::new(),
    }
}

/// From an argument such as `group_by[0]` to a JSON Pointer.
fn pointer_of(argument: &str) -> String {
    argument
        .split(['.', '['])
        .map(|part| part.trim_end_matches(']'))
        .filter(|part| !part.is_empty())
        .fold(String::new(), |pointer, part| join(&pointer, part))
}

/// Runs an example: the arguments must be valid and render to the request, and the given response must project to the
/// output.
pub fn run(tool: &Tool, example: &ExampleSpec) -> Vec<Failure> {
    let params = match tool.accept(Value::Object(example.args.clone())) {
        Ok(params) => params,
        Err(problems) => {
            return problems
                .iter()
                .map(|problem| {
                    Failure::told(
                        &format!("/args{}", pointer_of(&problem.argument)),
                        problem.to_string(),
                    )
                })
                .collect();
        }
    };
    let mut failures = Vec::new();
    // An example's result must not depend on who runs it, so the environment is ignored.
    let settings = match tool.service.default_settings() {
        Ok(settings) => settings,
        Err(error) => return vec![Failure::told("/args", error.to_string())],
    };
    let plan = match tool.render(&params, &settings) {
        Ok(plan) => plan,
        Err(error) => return vec![Failure::told("/args", error.to_string())],
    };
    check_request(&plan, example, &mut failures);
    check_job(tool, example, &params, &settings, &plan, &mut failures);
    check_output(tool, example, &params, &mut failures);
    failures
}

fn check_request(plan: &Plan, example: &ExampleSpec, failures: &mut Vec<Failure>) {
    let Some(expected) = &example.request else {
        return;
    };
    let view = plan.view();
    let mut compare = |part: &str, expected: Value, actual: Value| {
        if expected != actual {
            failures.push(Failure::differs(part, expected, actual));
        }
    };
    compare(
        "/request/method",
        expected.method.as_str().into(),
        view.method.into(),
    );
    compare(
        "/request/url",
        expected.url.as_str().into(),
        view.url.into(),
    );
    compare(
        "/request/body",
        expected.body.clone().unwrap_or_default(),
        view.body,
    );
    for (name, value) in &expected.headers {
        let actual = view
            .headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map_or(Value::Null, |(_, value)| value.as_str().into());
        compare(
            &join("/request/headers", name),
            value.as_str().into(),
            actual,
        );
    }
}

/// Checks that the first response leads to a request for the job.
fn check_job(
    tool: &Tool,
    example: &ExampleSpec,
    params: &Value,
    settings: &Value,
    plan: &Plan,
    failures: &mut Vec<Failure>,
) {
    let mut told = |part: &str, message: &str| {
        failures.push(Failure::told(part, message.to_owned()));
    };
    let (wait, created) = match (&tool.wait, &example.created) {
        (Some(wait), Some(created)) => (wait, created),
        (None, Some(_)) => return told("/created", "the tool does not wait for a job"),
        (Some(_), None) if example.response.is_some() => {
            return told(
                "/response",
                "the tool waits for a job: `created` gives the response before this one",
            );
        }
        (_, None) if example.poll.is_some() => {
            return told(
                "/poll",
                "`created` is missing, and this request depends on it",
            );
        }
        (_, None) => return,
    };
    let headers = lower_case(&created.headers);
    let body = Json::of(&created.body);
    let view = ResponseView::new(&body, created.status, &headers, params);
    let Some(base) = example_base(tool) else {
        return;
    };
    let base = &*base;
    let poll = match tool.poll_plan(wait, &view, base, &plan.masked_url(), settings) {
        Ok(poll) => poll,
        Err(error) => return told("/created", &error.to_string()),
    };
    if let Some(cancel) = tool.cancel_plan(wait, &view, base, settings)
        && let Err(error) = cancel
    {
        told("/created", &error.to_string());
    }
    if let Err(error) = wait.project_first(&view) {
        told("/created", &error.to_string());
    }
    if let Some(expected) = &example.poll
        && *expected != poll.masked_url()
    {
        let (expected, actual) = (expected.as_str().into(), poll.masked_url().into());
        failures.push(Failure::differs("/poll", expected, actual));
    }
}

fn lower_case(headers: &IndexMap<String, String>) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .collect()
}

/// The base URL for examples; `None` if only an access token could give it.
fn example_base(tool: &Tool) -> Option<Cow<'_, Url>> {
    let base = &tool.service.base;
    let settings = tool.service.default_settings().ok()?;
    match base.reads_token() {
        true => None,
        false => base.at(&settings, None).ok(),
    }
}

fn check_output(tool: &Tool, example: &ExampleSpec, params: &Value, failures: &mut Vec<Failure>) {
    let Some(response) = &example.response else {
        if example.output.is_some() {
            failures.push(Failure::told(
                "/output",
                "`response` is missing, and this output depends on it".to_owned(),
            ));
        }
        return;
    };
    let headers = lower_case(&response.headers);
    let body = match tool.rules.canned(&response.body) {
        Ok(body) => body,
        Err(message) => {
            return failures.push(Failure::told(
                "/response/body",
                format!("the body is {message}"),
            ));
        }
    };
    let created = example.created.as_ref();
    let created = created.map(|created| Json::of(&created.body));
    let created = created.as_ref();
    let view = |body| ResponseView::new(body, response.status, &headers, params).of_job(created);
    let empty = match read_canned(tool, || view(&body)) {
        Ok(Canned::Body) => None,
        Ok(Canned::Empty) => Some(tool.empty_body(tool.rules.kind)),
        // An error has no output. The example may only show that the response is an error.
        Ok(Canned::Error) if example.output.is_none() => return,
        Ok(Canned::Error) => {
            let message = "by the descriptor this response is an error, and an error has no output";
            return failures.push(Failure::told("/response", message.to_owned()));
        }
        Err(message) => return failures.push(Failure::told("/response/body", message)),
    };
    let view = view(empty.as_ref().unwrap_or(&body));
    if let Some(wait) = &tool.wait
        && example.created.is_some()
    {
        let message = match wait.is_done(&view) {
            Ok(true) => None,
            Ok(false) => Some("this response says that the job is not done".to_owned()),
            Err(error) => Some(error.to_string()),
        };
        failures.extend(message.map(|message| Failure::told("/response", message)));
    }
    // A page that is known to be empty shows nothing about the next page.
    let paging = tool.paging.as_ref().filter(|_| empty.is_none());
    if let Some(paging) = paging {
        for message in check_step(tool, paging, &view) {
            failures.push(Failure::told("/response", message));
        }
    }
    let output = match tool.projection.run(&view) {
        Ok(output) => output,
        Err(error) => return failures.push(Failure::told("/response", error.to_string())),
    };
    if let Some(paging) = paging
        && let Some(message) = check_rows(tool, paging, &view, &output)
    {
        failures.push(Failure::told("/response", message));
    }
    let output = match output.value() {
        Ok(output) => output,
        Err(error) => return failures.push(Failure::told("/response", error.to_string())),
    };
    if let Some(schema) = &tool.output_schema
        && let Err(error) = jsonschema::validate(schema, &output)
    {
        failures.push(Failure::told(
            &format!("/output{}", error.instance_path()),
            format!(
                "the output does not satisfy response.schema: {}",
                word(&error)
            ),
        ));
    }
    if let Some(expected) = &example.output
        && *expected != output
    {
        failures.push(Failure::differs("/output", expected.clone(), output));
    }
}

/// Checks the paths to the items and to the next page against a response.
fn check_step(tool: &Tool, paging: &Paging, view: &ResponseView<'_>) -> Vec<String> {
    let mut messages = Vec::new();
    if let Err(error) = paging.lists(view.body.part()) {
        messages.push(error.to_string());
    }
    if let Some(message) = paging.misspelt_condition(view.body.part()) {
        messages.push(message);
    }
    let Some(base) = example_base(tool) else {
        return messages;
    };
    let message = match paging.next(view, &base, base.as_str()) {
        Ok(Some(Next::End | Next::Arguments(_) | Next::Url(_))) => return messages,
        Ok(Some(Next::Unsaid(_))) => {
            "paging.while: the response leads to a next page, but does not have what `while` asks for".to_owned()
        }
        Ok(None) => {
            "paging: `while` says that more pages remain, but the response does not lead to one".to_owned()
        }
        Err(error) => error.to_string(),
    };
    // A misspelt name explains it better.
    if messages.is_empty() {
        messages.push(message);
    }
    messages
}

/// Checks the rows against a response: a walk over pages keeps only rows that come from the items.
fn check_rows(
    tool: &Tool,
    paging: &Paging,
    view: &ResponseView<'_>,
    output: &Json,
) -> Option<String> {
    let items = paging.items(view.body.part()).ok()?;
    let has_items = items.is_some_and(|items| items.is_truthy());
    let rows = tool.projection.rows(output.part());
    if let (None, Some(key)) = (rows, tool.projection.rows_key()) {
        let kind = output
            .part()
            .member(key)
            .map_or(Kind::Null, |found| found.kind());
        return (has_items || kind != Kind::Null).then(|| {
            format!(
                "response.rows: `{key}` must be a list of rows, and the output has {} there",
                kind.name()
            )
        });
    }
    items?;
    let body = paging.emptied(view.body)?;
    let without = tool.projection.run(&view.of_body(&body)).ok()?;
    let path = paging.items_path().as_str();
    match rows {
        Some(rows) if rows.is_truthy() => {
            let same = tool.projection.rows(without.part());
            same.is_some_and(|same| same.text() == rows.text()).then(|| {
                format!("paging.items: the rows do not come from `{path}`, so that a walk over pages would lose them")
            })
        }
        None if has_items && without.text() == output.text() => Some(format!(
            "paging.items: nothing of the output comes from `{path}`, so that a walk over pages would lose it"
        )),
        _ => None,
    }
}

/// How a given response is judged.
enum Canned {
    Body,
    Empty,
    Error,
}

/// Reads a given response as a call would.
fn read_canned<'v>(tool: &Tool, view: impl Fn() -> ResponseView<'v>) -> Result<Canned, String> {
    let response = view();
    if let Some(rule) = find_rule(tool, response.status, &view) {
        return Ok(match rule.action {
            Action::Empty => Canned::Empty,
            Action::Fail | Action::Retry | Action::Refresh => Canned::Error,
        });
    }
    if !(200..300).contains(&response.status) {
        return Ok(Canned::Error);
    }
    tool.rules.kind.refuse_other(response.body.part())?;
    let fails = tool.rules.fail_when.as_ref();
    let fails = fails.map(|fails| fails.holds(&response)).transpose();
    let has_failed = tool.wait.as_ref().map(|wait| wait.has_failed(&response));
    match (fails, has_failed.transpose()) {
        (Ok(Some(true)), _) | (_, Ok(Some(true))) => Ok(Canned::Error),
        (Err(error), _) => Err(error.under("response.fail_when").to_string()),
        (_, Err(error)) => Err(error.to_string()),
        _ if tool.rules.kind == ResponseKind::Empty => Ok(Canned::Empty),
        _ => Ok(Canned::Body),
    }
}
