//! What one example expected, and what it got.

use serde_json::Value;

use crate::source::{join, join_index};
use crate::words::kind_of;

/// What one example expected, and the actual result, when they differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The part of the example, as a JSON Pointer inside it: `/request/url`, `/output`.
    pub part: String,
    /// What is wrong.
    pub message: String,
    /// The expected and the actual value, if there are both.
    pub difference: Option<(Value, Value)>,
    /// Where the expected value is, as a JSON Pointer inside the example.
    pub expectation: String,
}

impl Failure {
    pub(super) fn told(part: &str, message: impl Into<String>) -> Failure {
        Failure {
            part: part.to_owned(),
            message: message.into(),
            difference: None,
            expectation: String::new(),
        }
    }

    pub(super) fn differs(part: &str, expected: Value, actual: Value) -> Failure {
        let (inside, leaf) = first_difference(&expected, &actual);
        let reason = match leaf {
            Some((expected, actual)) => other_kind(expected, actual),
            None => None,
        };
        Failure {
            part: format!("{part}{inside}"),
            message: match reason {
                Some(reason) => format!("differs from what the descriptor gives: {reason}"),
                None => "differs from what the descriptor gives".to_owned(),
            },
            difference: Some((expected, actual)),
            expectation: part.to_owned(),
        }
    }
}

/// Says that two values only look the same: a text and a number, or two numbers that are written in different ways.
fn other_kind(expected: &Value, actual: &Value) -> Option<String> {
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let are_numbers = expected.is_number() && actual.is_number();
    let are_close = are_numbers && expected.as_f64() == actual.as_f64();
    let word = |value: &Value| match value {
        Value::String(_) => "a text".to_owned(),
        other => kind_of(other).to_owned(),
    };
    (are_close || (plain(expected) == plain(actual) && expected != actual)).then(|| {
        format!(
            "the example has {expected}, {}, and the descriptor gives {actual}, {}",
            word(expected),
            word(actual)
        )
    })
}

type Leaf<'v> = Option<(&'v Value, &'v Value)>;

/// The JSON Pointer of the first part in which two values differ, and that part of both if both have it.
fn first_difference<'v>(expected: &'v Value, actual: &'v Value) -> (String, Leaf<'v>) {
    let under = |token: String, value, other| {
        let (inside, leaf) = first_difference(value, other);
        (token + &inside, leaf)
    };
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => expected
            .iter()
            .find_map(|(key, value)| match actual.get(key) {
                Some(other) if other == value => None,
                Some(other) => Some(under(join("", key), value, other)),
                None => Some((join("", key), None)),
            })
            .unwrap_or_default(),
        (Value::Array(expected), Value::Array(actual)) => {
            let differs = expected
                .iter()
                .zip(actual)
                .position(|(value, other)| value != other);
            match differs {
                Some(at) => under(join_index("", at), &expected[at], &actual[at]),
                // An item that is too much in the descriptor is itself at fault. A missing item has no place.
                None if expected.len() > actual.len() => (join_index("", actual.len()), None),
                None => (String::new(), None),
            }
        }
        _ => (String::new(), Some((expected, actual))),
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    #[test]
    fn values_that_look_the_same_are_told_apart() {
        for (expected, actual, part, reason) in [
            (json!("1"), json!(1), "", Some("\"1\", a text")),
            (
                json!([{ "a": 1 }]),
                json!([{ "a": "1" }]),
                "/0/a",
                Some("\"1\", a text"),
            ),
            (json!(1), json!(1.0), "", Some("1.0, a number")),
            (json!("null"), json!(null), "", Some("null, null")),
            (json!("true"), json!(true), "", Some("true, a boolean")),
            (json!("a"), json!("b"), "", None),
            (json!({ "a": 1, "b": 2 }), json!({ "a": 1 }), "/b", None),
            (json!([1]), json!([1, 2]), "", None),
        ] {
            let failure = Failure::differs("", expected.clone(), actual.clone());
            assert_eq!(failure.part, part, "{expected} {actual}");
            match reason {
                Some(reason) => assert!(failure.message.contains(reason), "{}", failure.message),
                None => assert!(failure.message.ends_with("gives"), "{}", failure.message),
            }
        }
    }
}
