//! Words that all rooms share: names, lengths of time, suggestions, kinds of values, and the parameters of headers.

mod duration;
mod hidden;
mod name;
mod parameters;

use serde_json::Value;

pub(crate) use duration::Duration;
#[cfg(feature = "serve")]
pub(crate) use hidden::visible;
pub(crate) use hidden::{Before, is_hidden};
pub use name::Name;
pub(crate) use parameters::parameters;

/// The longest name for which there is a suggestion.
const LONGEST_COMPARED: usize = 256;

/// The known name that was probably meant, as a question; whether letters are capital makes no difference.
pub(crate) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<String> {
    nearest_of(name, known).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// The name in a question of [`nearest`].
#[cfg(feature = "cli")]
pub(crate) fn meant_in(question: &str) -> Option<&str> {
    question.strip_prefix("did you mean `")?.strip_suffix("`?")
}

/// The known name that was probably meant; whether letters are capital makes no difference.
pub(crate) fn nearest_of<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let small = name.to_lowercase();
    let length = small.chars().count();
    let distance = |known: &str| strsim::damerau_levenshtein(&small, &known.to_lowercase());
    // Names of very different lengths are far apart, and long ones take long to compare.
    let is_comparable = |candidate: &&str| {
        let other = candidate.chars().count();
        length.max(other) <= LONGEST_COMPARED && length.abs_diff(other) <= 2 + length.max(other) / 4
    };
    known
        .filter(is_comparable)
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + name.len().max(candidate.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// What kind of JSON value this is, with its article.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A value as a short text.
pub(crate) fn excerpt(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// A title, and below it each item in a line of its own.
pub(crate) fn list(title: &str, items: &[impl ToString]) -> String {
    let mut text = title.to_owned();
    for item in items {
        text.push_str("\n  ");
        text.push_str(&item.to_string());
    }
    text
}

/// A time for people.
pub(crate) fn seconds(duration: std::time::Duration) -> String {
    match duration.as_millis() {
        millis @ 0..1000 => format!("{millis} ms"),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}

/// A scalar as it is written in a URL or header; `None` for null, lists and maps.
pub(crate) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        // JSON Schema accepts 5.0 as an integer. In a URL it must still be written as 5.
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => {
                Some(format!("{float:.0}"))
            }
            _ => Some(number.to_string()),
        },
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
