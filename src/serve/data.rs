//! What a service sent, as values: every digit is kept, and every hidden character is made visible.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::json::{self, Kind, Part};
use crate::words::visible;

/// A part of an output as compact JSON.
pub(super) fn piece<'p>(part: Part<'p>, changed: &mut Changed) -> Cow<'p, str> {
    Member::whole(part).piece(changed)
}

/// A member of an output.
#[derive(Clone, Copy)]
pub(super) struct Member<'p> {
    /// Its value.
    pub part: Part<'p>,
    /// If nothing is to be changed in it: its elements, if it is an array.
    pub elements: Option<usize>,
}

impl<'p> Member<'p> {
    /// A whole output as a member.
    pub(super) fn whole(part: Part<'p>) -> Member<'p> {
        let elements = is_plain(part.text()).then(|| json::as_written(part.text()));
        let elements = elements.flatten();
        Member { part, elements }
    }

    /// As compact JSON. Most are written as they must be given, and are not written again.
    pub(super) fn piece(self, changed: &mut Changed) -> Cow<'p, str> {
        match self.elements {
            Some(_) => self.part.as_text(),
            None => value(self.part, changed).to_string().into(),
        }
    }
}

/// The members of an output. Of a repeated key, the last one counts.
pub(super) fn members(part: Part<'_>) -> IndexMap<String, Member<'_>> {
    let is_plain = is_plain(part.text());
    json::members_as_written(part)
        .map(|(key, part, elements)| {
            let elements = elements.filter(|_| is_plain);
            (key.name().into_owned(), Member { part, elements })
        })
        .collect()
}

/// Whether a text has no hidden characters.
fn is_plain(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| matches!(visible(text), Cow::Borrowed(_)))
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
            part.as_text().into()
        }
        Kind::Number | Kind::Bool | Kind::Null => {
            serde_json::from_slice(part.text()).unwrap_or_default()
        }
    }
}

/// A text with its hidden characters made visible.
pub(super) fn text(text: &str, changed: &mut Changed) -> String {
    let shown = visible(text);
    changed.hidden |= matches!(shown, Cow::Owned(_));
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
