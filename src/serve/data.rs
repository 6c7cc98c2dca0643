//! What a service sent, as values: every digit is kept, and every hidden character is made visible.

use serde_json::{Map, Value};

use crate::json::{Kind, Part, written};
use crate::words::visible;

/// A part of an output, as a value and as compact JSON.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub value: Value,
    pub text: String,
}

impl Piece {
    /// A value with its text.
    pub(super) fn of(value: Value) -> Piece {
        let text = value.to_string();
        Piece { value, text }
    }

    /// A part of an output. Most are written as they must be given, and are not written again.
    pub(super) fn read(part: Part<'_>, changed: &mut Changed) -> Piece {
        as_written(part.text()).unwrap_or_else(|| Piece::of(value(part, changed)))
    }

    /// The bytes of its text.
    pub(super) fn size(&self) -> usize {
        self.text.len()
    }
}

/// The piece of a text in which nothing is to be changed.
fn as_written(text: &[u8]) -> Option<Piece> {
    let members = written(text)?;
    let text = std::str::from_utf8(text).ok()?;
    if !matches!(visible(text), std::borrow::Cow::Borrowed(_)) {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    // A repeated key is given once.
    (count_members(&value) == members).then(|| Piece {
        value,
        text: text.to_owned(),
    })
}

/// The members of all objects in a value.
fn count_members(value: &Value) -> usize {
    match value {
        Value::Object(members) => {
            members.len() + members.values().map(count_members).sum::<usize>()
        }
        Value::Array(items) => items.iter().map(count_members).sum(),
        _ => 0,
    }
}

/// What was changed so that nothing is lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Changed {
    /// Numbers with more digits than a reader of JSON keeps became texts.
    pub numbers: bool,
    /// Hidden characters became `\u` escapes.
    pub hidden: bool,
}

impl Changed {
    /// What to say about it.
    pub(super) fn told(self) -> Option<&'static str> {
        match (self.numbers, self.hidden) {
            (false, false) => None,
            (true, false) => Some("Numbers with too many digits are given as texts."),
            (false, true) => Some("Hidden characters are shown as \\uXXXX."),
            (true, true) => Some(
                "Numbers with too many digits are given as texts, and hidden characters are shown as \\uXXXX.",
            ),
        }
    }
}

/// A part of an output as a value.
pub(super) fn value(part: Part<'_>, changed: &mut Changed) -> Value {
    match part.kind() {
        Kind::Object => part
            .members()
            .map(|(key, member)| (text(&key.name(), changed), value(member, changed)))
            .collect::<Map<String, Value>>()
            .into(),
        Kind::Array => part
            .elements()
            .map(|element| value(element, changed))
            .collect(),
        Kind::String => part
            .string()
            .map_or(Value::Null, |string| text(&string, changed).into()),
        Kind::Number if !part.is_exact() => {
            changed.numbers = true;
            String::from_utf8_lossy(part.text()).into()
        }
        Kind::Number | Kind::Bool | Kind::Null => {
            serde_json::from_slice(part.text()).unwrap_or_default()
        }
    }
}

/// A text with its hidden characters made visible.
pub(super) fn text(text: &str, changed: &mut Changed) -> String {
    let shown = visible(text);
    changed.hidden |= matches!(shown, std::borrow::Cow::Owned(_));
    shown.into_owned()
}

/// The same for all texts of a value.
pub(super) fn shown(given: Value) -> Value {
    let changed = &mut Changed::default();
    match given {
        Value::String(string) => text(&string, changed).into(),
        Value::Array(items) => items.into_iter().map(shown).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(key, member)| (text(&key, changed), shown(member)))
            .collect::<Map<String, Value>>()
            .into(),
        other => other,
    }
}
