//! Examples: what a descriptor says of itself, proved offline.

use std::borrow::Cow;

use serde_json::Value;
use url::Url;

use crate::descriptor::ExampleSpec;
use crate::descriptor::source::{join, join_index};
use crate::paging::PagingError;
use crate::params::word;
use crate::project::ResponseView;
use crate::tool::Tool;

/// What one example expected and what it gave, where they differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The part of the example, as a JSON Pointer below it: `/request/url`, `/output`.
    pub part: String,
    /// What is wrong.
    pub message: String,
    /// The expected and the actual value, where there are both.
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

/// The way to the first part in which two values differ, as a JSON Pointer.
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
                // An item that the descriptor does not give is at fault itself; one too few has no place.
                None if expected.len() > actual.len() => join_index("", actual.len()),
                None => String::new(),
            }
        }
        _ => String::new(),
    }
}

/// The way to an argument such as `group_by[0]` as a JSON Pointer.
fn pointer_of(argument: &str) -> String {
    argument
        .split(['.', '['])
        .map(|part| part.trim_end_matches(']'))
        .filter(|part| !part.is_empty())
        .fold(String::new(), |pointer, part| join(&pointer, part))
}

/// Runs an example: the arguments are valid, they render to the request, the canned response projects to the output.
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
    check_request(tool, example, &params, &mut failures);
    check_output(tool, example, &params, &mut failures);
    failures
}

fn check_request(tool: &Tool, example: &ExampleSpec, params: &Value, failures: &mut Vec<Failure>) {
    // Examples must not depend on who runs them, so the environment does not count.
    let settings = match tool.service.default_settings() {
        Ok(settings) => settings,
        Err(error) => return failures.push(Failure::told("/args", error.to_string())),
    };
    let plan = match tool.render(params, &settings) {
        Ok(plan) => plan,
        Err(error) => return failures.push(Failure::told("/args", error.to_string())),
    };
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

/// The base URL that examples stand below; `None` where only an access token could tell it.
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
                "there is no response that could give this output".to_owned(),
            ));
        }
        return;
    };
    let headers: Vec<(String, String)> = response
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .collect();
    let view = ResponseView::new(&response.body, response.status, &headers, params);
    if let Some(paging) = &tool.paging {
        let stepped = paging
            .items(&response.body)
            .map_err(PagingError::from)
            .and_then(|_| match example_base(tool) {
                Some(base) => paging.next(&view, &base, base.as_str()).map(drop),
                None => Ok(()),
            });
        if let Err(error) = stepped {
            failures.push(Failure::told("/response", error.to_string()));
        }
    }
    let output = match tool.projection.run(&view) {
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
