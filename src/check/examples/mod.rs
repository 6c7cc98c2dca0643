//! Examples: what a descriptor claims about itself, checked offline.

mod error;
mod failure;
mod pages;

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::{Map, Value};
use url::Url;

use crate::engine::answer::find_rule;
use crate::format::{ExampleRequest, ExampleResponse, ExampleSpec};
use crate::json::{Json, Kind};
use crate::paging::{Next, Paging};
use crate::params::{compile_output, word};
use crate::plan::Plan;
use crate::project::{Action, ResponseKind, ResponseView};
use crate::source::join;
use crate::template::Bound;
use crate::tool::Tool;

pub use failure::Failure;

/// Whether an example expects anything. One that only has arguments or a response shows a call, and proves little.
pub fn expects(example: &ExampleSpec) -> bool {
    let pages = example.pages.iter().flatten();
    example.request.is_some()
        || example.poll.is_some()
        || example.output.is_some()
        || example.error.is_some()
        || pages
            .into_iter()
            .any(|page| page.request.is_some() || page.output.is_some())
}

/// From an argument such as `group_by[0]` to a JSON Pointer.
fn pointer_of(argument: &str) -> String {
    argument
        .split(['.', '['])
        .map(|part| part.trim_end_matches(']'))
        .filter(|part| !part.is_empty())
        .fold(String::new(), |pointer, part| join(&pointer, part))
}

/// Runs all examples of a tool; the failures of each, in order.
pub fn run_all(tool: &Tool) -> Vec<Vec<Failure>> {
    let _bound = Bound::of_one();
    let examples = tool.examples.iter();
    examples.map(|example| run(tool, example)).collect()
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
    let call = Call {
        tool,
        params: &params,
        settings: &settings,
        plan: &plan,
    };
    if let Some(request) = &example.request {
        check_request(&plan, request, "/request", &mut failures);
    }
    check_job(call, example, &mut failures);
    match &example.pages {
        Some(pages) => pages::check(call, example, pages, &mut failures),
        None => check_output(call, example, &mut failures),
    }
    failures
}

/// The request of an example.
///
/// # Errors
/// Why there is none, in words.
#[cfg(feature = "cli")]
pub(crate) fn plan(tool: &Tool, arguments: &Map<String, Value>) -> Result<Plan, String> {
    let _bound = Bound::of_one();
    let params = tool.accept(Value::Object(arguments.clone()));
    let params = params.map_err(|problems| {
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        told.join("; ")
    })?;
    let settings = tool.service.default_settings();
    let settings = settings.map_err(|error| error.to_string())?;
    tool.render(&params, &settings)
        .map_err(|error| error.to_string())
}

/// A call that an example makes: the tool, its arguments, and the request that they give.
#[derive(Clone, Copy)]
struct Call<'c> {
    tool: &'c Tool,
    params: &'c Value,
    settings: &'c Value,
    plan: &'c Plan,
}

/// Compares a request with the one that an example expects at `part`.
fn check_request(plan: &Plan, expected: &ExampleRequest, part: &str, failures: &mut Vec<Failure>) {
    let view = plan.view();
    let mut compare = |key: &str, expected: Value, actual: Value| {
        if expected != actual {
            failures.push(Failure::differs(&format!("{part}{key}"), expected, actual));
        }
    };
    compare(
        "/method",
        expected.method.as_str().into(),
        view.method.into(),
    );
    compare("/url", expected.url.as_str().into(), view.url.into());
    let body = expected.body.clone().unwrap_or_default();
    compare("/body", body, view.body);
    for (name, value) in &expected.headers {
        let actual = view
            .headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map_or(Value::Null, |(_, value)| value.as_str().into());
        compare(&join("/headers", name), value.as_str().into(), actual);
    }
}

/// Checks that the first response leads to a request for the job.
fn check_job(call: Call<'_>, example: &ExampleSpec, failures: &mut Vec<Failure>) {
    let Call {
        tool,
        params,
        settings,
        plan,
    } = call;
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

fn check_output(call: Call<'_>, example: &ExampleSpec, failures: &mut Vec<Failure>) {
    let Some(response) = &example.response else {
        let expected = [
            ("/output", "output", example.output.is_some()),
            ("/error", "error", example.error.is_some()),
        ];
        for (part, what, _) in expected.into_iter().filter(|(_, _, is_given)| *is_given) {
            let message = format!("`response` is missing, and this {what} depends on it");
            failures.push(Failure::told(part, message));
        }
        return;
    };
    if example.error.is_some() && example.output.is_some() {
        let message = "an example has an `output` or an `error`, not both";
        return failures.push(Failure::told("/error", message));
    }
    let created = example.created.as_ref();
    let created = created.map(|created| Json::of(&created.body));
    let answer = match Answer::of(call.tool, response, created.as_ref()) {
        Ok(answer) => answer,
        Err(message) => return failures.push(Failure::told("/response/body", message)),
    };
    let empty = match read_canned(call.tool, || answer.view(call.params)) {
        Ok(Canned::Error) => {
            return error::check(call, response, created.as_ref(), example, failures);
        }
        Ok(_) if example.error.is_some() => {
            let message = "by the descriptor the response is no error";
            return failures.push(Failure::told("/error", message));
        }
        Ok(Canned::Body) => None,
        Ok(Canned::Empty) => Some(call.tool.empty_body(call.tool.rules.kind)),
        Err(message) => return failures.push(Failure::told("/response/body", message)),
    };
    let view = answer.view(call.params);
    let view = match &empty {
        Some(empty) => view.of_body(empty),
        None => view,
    };
    if let Some(wait) = &call.tool.wait
        && example.created.is_some()
    {
        let message = match wait.is_done(&view) {
            Ok(true) => None,
            Ok(false) => Some("this response says that the job is not done".to_owned()),
            Err(error) => Some(error.to_string()),
        };
        failures.extend(message.map(|message| Failure::told("/response", message)));
    }
    let before = failures.len();
    let output = project(call, &view, empty.is_some(), "/response", failures);
    // A page that is known to be empty shows nothing about the next page.
    if empty.is_none() && failures.len() == before {
        let next = pages::next(call, &view);
        failures.extend(
            next.err()
                .map(|message| Failure::told("/response", message)),
        );
    }
    if let Some(output) = output {
        check_value(
            call.tool,
            &output,
            example.output.as_ref(),
            "/output",
            failures,
        );
    }
}

/// A response of an example, in the form that a call reads.
struct Answer<'e> {
    status: u16,
    headers: Vec<(String, String)>,
    body: Json,
    created: Option<&'e Json>,
}

impl<'e> Answer<'e> {
    /// # Errors
    /// Why the body is no response of the tool's kind.
    fn of(
        tool: &Tool,
        response: &ExampleResponse,
        created: Option<&'e Json>,
    ) -> Result<Answer<'e>, String> {
        let body = tool.rules.canned(&response.body);
        Ok(Answer {
            status: response.status,
            headers: lower_case(&response.headers),
            body: body
                .map(|body| tool.with_entries(body))
                .map_err(|message| format!("the body is {message}"))?,
            created,
        })
    }

    fn view<'v>(&'v self, params: &'v Value) -> ResponseView<'v> {
        ResponseView::new(&self.body, self.status, &self.headers, params).of_job(self.created)
    }
}

/// The output of a response at `part`. What paging needs is checked too, unless the response is known to be empty.
fn project(
    call: Call<'_>,
    view: &ResponseView<'_>,
    is_empty: bool,
    part: &str,
    failures: &mut Vec<Failure>,
) -> Option<Json> {
    let paging = call.tool.paging.as_ref().filter(|_| !is_empty);
    if let Some(paging) = paging {
        let messages = check_step(call.tool, paging, view).into_iter();
        failures.extend(messages.map(|message| Failure::told(part, message)));
    }
    let output = match call.tool.projection.run(view) {
        Ok(output) => output,
        Err(error) => {
            failures.push(Failure::told(part, error.to_string()));
            return None;
        }
    };
    if let Some(paging) = paging
        && let Some(message) = check_rows(call.tool, paging, view, &output)
    {
        failures.push(Failure::told(part, message));
    }
    Some(output)
}

/// Compares an output with the one that an example expects at `part`, and with the schema of the output.
fn check_value(
    tool: &Tool,
    output: &Json,
    expected: Option<&Value>,
    part: &str,
    failures: &mut Vec<Failure>,
) {
    let output = match output.value() {
        Ok(output) => output,
        Err(error) => return failures.push(Failure::told("/response", error.to_string())),
    };
    if let Some(schema) = &tool.output_schema {
        failures.extend(check_schema(schema, &output, part));
    }
    if let Some(expected) = expected
        && *expected != output
    {
        failures.push(Failure::differs(part, expected.clone(), output));
    }
}

/// Checks an output against the schema that the descriptor gives for it.
fn check_schema(schema: &Value, output: &Value, part: &str) -> Option<Failure> {
    let validator = match compile_output(schema) {
        Ok(validator) => validator,
        Err(reason) => {
            return Some(Failure::told(part, format!("response.schema: {reason}")));
        }
    };
    let error = validator.validate(output).err()?;
    let part = format!("{part}{}", error.instance_path());
    let reason = word(&error);
    let message = format!("the output does not satisfy response.schema: {reason}");
    Some(Failure::told(&part, message))
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
