//! Examples of errors: what a caller is told about a response that is an error.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Answer, Call, Failure};
use crate::engine::answer::{Judge, Verdict, upstream_error};
use crate::engine::error::Error;
use crate::format::{ExampleResponse, ExampleSpec};
use crate::json::Json;
use crate::project::ResponseKind;
use crate::send::Response;

/// Checks a response that is an error. An error has no output.
pub(super) fn check(
    call: Call<'_>,
    response: &ExampleResponse,
    created: Option<&Json>,
    example: &ExampleSpec,
    failures: &mut Vec<Failure>,
) {
    let Some(expected) = &example.error else {
        if example.output.is_some() {
            let message = "by the descriptor this response is an error, and an error has no output; write `error` instead";
            failures.push(Failure::told("/response", message));
        }
        return;
    };
    let error = match error_of(call, response, created) {
        Ok(Error::Upstream(upstream)) => upstream,
        Ok(other) => return failures.push(Failure::told("/response", other.to_string())),
        Err(message) => return failures.push(Failure::told("/response", message)),
    };
    let kind = json!(Error::Upstream(error.clone()).kind());
    let mut compare = |key: &str, expected: Option<Value>, actual: Value| {
        if let Some(expected) = expected.filter(|expected| *expected != actual) {
            failures.push(Failure::differs(&format!("/error/{key}"), expected, actual));
        }
    };
    compare("kind", expected.kind.map(|kind| json!(kind)), kind);
    compare(
        "status",
        expected.status.map(Value::from),
        error.status.into(),
    );
    compare(
        "code",
        expected.code.clone().map(Value::from),
        json!(error.code),
    );
    compare(
        "message",
        expected.message.clone().map(Value::from),
        json!(error.message),
    );
}

/// The error that a call ends with when it gets this response.
fn error_of(
    call: Call<'_>,
    example: &ExampleResponse,
    created: Option<&Json>,
) -> Result<Error, String> {
    let kind = call.tool.rules.kind;
    let response = Response::canned(example.status, &example.headers, bytes(kind, example))?;
    let judge = Judge {
        tool: call.tool,
        params: call.params,
        kind,
        destination: None,
    };
    match judge.judge(&response).1 {
        Verdict::Failed(error) | Verdict::Stale(error) => Ok(error),
        // A job has failed although its response is none.
        Verdict::Success(_) | Verdict::Empty => {
            let answer = Answer::of(call.tool, example, created)?;
            Ok(upstream_error(
                call.tool,
                None,
                &response,
                &answer.view(call.params),
            ))
        }
    }
}

/// The body as the service would send it. A text that is an error's body needs no quotes in any kind of response.
fn bytes(kind: ResponseKind, example: &ExampleResponse) -> Bytes {
    let is_success = (200..300).contains(&example.status);
    match &example.body {
        Value::Null => Bytes::new(),
        Value::String(text) if kind != ResponseKind::Json || !is_success => text.clone().into(),
        Value::Array(items) if kind == ResponseKind::Ndjson && is_success => {
            let lines: Vec<String> = items.iter().map(Value::to_string).collect();
            lines.join("\n").into()
        }
        other => other.to_string().into(),
    }
}
