//! Recorded arguments, held against the params schema.

use serde_json::Value;

use super::answer::type_name;
use super::notes::{Mend, Note, Of, Place};
use super::reading::Reading;
use crate::params::ArgumentProblem;
use crate::source::{Code, join};
use crate::words::kind_of;

/// What the params schema refuses of arguments that the service took.
pub(super) fn check(reading: &Reading<'_>) -> Vec<Note> {
    let arguments = Value::Object(reading.arguments.clone());
    let Err(problems) = reading.tool.accept(arguments) else {
        return Vec::new();
    };
    let is_sure = |problem: &&ArgumentProblem| {
        let root = steps(&problem.argument)
            .into_iter()
            .next()
            .unwrap_or_default();
        !reading.unsure.contains(&root)
    };
    let sure = problems.iter().filter(is_sure);
    sure.map(|problem| note(reading, problem)).collect()
}

fn note(reading: &Reading<'_>, problem: &ArgumentProblem) -> Note {
    let source = &reading.tool.source;
    let file = source.value();
    let name = shown(&problem.argument);
    let steps = steps(&problem.argument);
    if problem.rule == "required" {
        let (member, parents) = steps
            .split_last()
            .map_or(("", &[][..]), |(last, rest)| (last, rest));
        let pointer = format!("{}/required", schema_pointer(parents));
        let message = format!("recorded requests have no `{name}`, and it is required");
        let mend = Mend::Optional(pointer.clone(), member.to_owned());
        let place = Place::value(source, &pointer);
        return Note::new(Code::MissingPart, place, message)
            .of(Of::Requests)
            .mend(Some(mend).filter(|_| is_free(reading, member)));
    }
    let rule = problem.rule.as_str();
    let pointer = join(&schema_pointer(&steps), rule);
    let value = value_at(&reading.arguments, &steps);
    let has_rule = file.pointer(&pointer).is_some();
    let last = steps.iter().rev().find(|step| !is_index(step));
    let word = value.and_then(|value| reading.hidden.value(last.map_or("", String::as_str), value));
    let (message, mend) = match (rule, value) {
        ("type", Some(value)) => (
            format!(
                "recorded requests have {} as `{name}`, which the schema refuses",
                kind_of(value)
            ),
            Some(Mend::Type(pointer.clone(), type_name(value).to_owned())),
        ),
        ("enum", Some(value)) => match word {
            Some(word) => (
                format!(
                    "recorded requests have `{word}` as `{name}`, which is not among the values"
                ),
                Some(Mend::Enum(pointer.clone(), value.clone())),
            ),
            None => (
                format!("recorded requests have values of `{name}` that are not among these"),
                None,
            ),
        },
        ("maximum" | "minimum", Some(value)) => (
            format!("recorded requests have values of `{name}` beyond the `{rule}`"),
            word.map(|_| Mend::Bound(pointer.clone(), value.clone())),
        ),
        _ => (
            format!("recorded requests have values of `{name}` that break `{rule}`"),
            None,
        ),
    };
    Note::new(Code::RefusedValue, Place::value(source, &pointer), message)
        .of(Of::Requests)
        .mend(mend.filter(|_| has_rule))
}

/// Whether a param may be absent from the request: no path and no longer text needs it.
fn is_free(reading: &Reading<'_>, param: &str) -> bool {
    let mut is_free = true;
    reading.tool.visit_requests(&mut |expression, in_text| {
        let reads = expression.names().iter().any(|name| name == param)
            || expression
                .dotted_names()
                .iter()
                .any(|name| name == &format!("params.{param}"));
        is_free &= !(in_text && reads);
    });
    is_free
}

/// The steps of an argument's name: `filter.tags[0]` has `filter`, `tags` and `0`.
fn steps(argument: &str) -> Vec<String> {
    let parts = argument.split(['.', '[']);
    let parts = parts.map(|part| part.trim_end_matches(']').to_owned());
    parts.filter(|part| !part.is_empty()).collect()
}

fn is_index(step: &str) -> bool {
    step.bytes().all(|b| b.is_ascii_digit())
}

/// The name of an argument, without its indexes.
fn shown(argument: &str) -> String {
    let mut shown = String::new();
    for step in steps(argument) {
        match is_index(&step) && !shown.is_empty() {
            true => shown.push_str("[]"),
            false => {
                if !shown.is_empty() {
                    shown.push('.');
                }
                shown.push_str(&step);
            }
        }
    }
    shown
}

/// The place of the schema of an argument.
fn schema_pointer(steps: &[String]) -> String {
    let mut pointer = "/params".to_owned();
    for (i, step) in steps.iter().enumerate() {
        pointer = match is_index(step) && i > 0 {
            true => join(&pointer, "items"),
            false => join(&join(&pointer, "properties"), step),
        };
    }
    pointer
}

fn value_at<'v>(
    arguments: &'v serde_json::Map<String, Value>,
    steps: &[String],
) -> Option<&'v Value> {
    let (first, rest) = steps.split_first()?;
    rest.iter()
        .try_fold(arguments.get(first)?, |value, step| match value {
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            other => other.get(step),
        })
}
