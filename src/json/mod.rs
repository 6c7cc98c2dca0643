//! JSON texts. A response is kept as text and checked once. Its parts are found when they are needed, and only what an
//! expression needs is built as a tree.

mod check;
mod part;
mod tree;
mod unique;
pub(crate) mod write;
#[cfg(feature = "serve")]
mod written;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

pub(crate) use check::MAX_DEPTH;
use part::Place;
pub(crate) use part::{Cursor, value_end};
pub(crate) use part::{Key, Kind, Part};
pub(crate) use tree::{Budget, Inexact, Tree, is_exact as is_exact_number};
pub(crate) use unique::{Duplicate, duplicate_key};
#[cfg(feature = "serve")]
pub(crate) use write::quoted;
#[cfg(feature = "serve")]
pub(crate) use written::{as_written, members_as_written};

/// The text of one JSON value, which was checked. Clones share the text.
#[derive(Clone)]
pub struct Json {
    text: Bytes,
    /// Where the members are, where that was noted when the text was checked.
    places: Option<Arc<[Place]>>,
}

impl Json {
    /// Checks a text.
    ///
    /// # Errors
    /// Why it is not JSON, or that it is nested deeper than 128 levels.
    pub(crate) fn read(text: Bytes) -> Result<Json, String> {
        match check::outline(&text) {
            Ok(places) => Ok(Json {
                places: (!places.is_empty()).then(|| places.into()),
                ..Json::trimmed(text)
            }),
            Err(check::Flaw::Depth) => Err(format!(
                "no JSON: nested deeper than {MAX_DEPTH} levels, the recursion limit"
            )),
            Err(check::Flaw::Syntax) => {
                let reason = serde_json::from_slice::<Anything>(&text)
                    .map_or_else(|error| error.to_string(), |_| "malformed".to_owned());
                Err(format!("no JSON: {reason}"))
            }
        }
    }

    /// The text of a value.
    pub fn of(value: &Value) -> Json {
        Json::made(value.to_string().into())
    }

    /// A string.
    pub fn of_text(text: &str) -> Json {
        let mut quoted = Vec::with_capacity(text.len() + 2);
        // Writing a string to memory cannot fail.
        let _ = serde_json::to_writer(&mut quoted, text);
        Json::made(quoted)
    }

    /// `null`
    pub fn null() -> Json {
        Json::of_bytes(Bytes::from_static(b"null"))
    }

    /// A text that was put together from checked parts.
    pub(crate) fn made(text: Vec<u8>) -> Json {
        Json::of_bytes(text.into())
    }

    fn of_bytes(text: Bytes) -> Json {
        Json { text, places: None }
    }

    /// A part of this text. The two share memory.
    pub(crate) fn share(&self, part: Part<'_>) -> Json {
        Json::of_bytes(self.text.slice_ref(part.text()))
    }

    fn trimmed(text: Bytes) -> Json {
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\t' | b'\r');
        let start = part::space(&text, 0);
        let end = text.iter().rposition(|byte| !is_space(byte));
        let end = end.map_or(start, |last| last + 1);
        Json::of_bytes(text.slice(start..end))
    }

    /// The value.
    pub(crate) fn part(&self) -> Part<'_> {
        Part::with_places(&self.text, self.places.as_deref().unwrap_or_default())
    }

    /// The text as it was received, without the white space around it.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.text).unwrap_or_default()
    }

    /// The bytes of the text, in UTF-8.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.text
    }

    /// The text with one of its parts replaced by another text.
    pub(crate) fn replacing(&self, part: Part<'_>, with: &[u8]) -> Json {
        let text = &self.text;
        let start = (part.text().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        let before = text.get(..start).unwrap_or_default();
        let after = text.get(start + part.text().len()..).unwrap_or_default();
        Json::made([before, with, after].concat())
    }

    /// An object with this member added or replaced. Any other value is returned unchanged.
    #[must_use]
    pub fn with_member(&self, key: &str, value: &Json) -> Json {
        let Some(members) = self.text.strip_suffix(b"}") else {
            return self.clone();
        };
        let comma: &[u8] = match self.part().is_truthy() {
            true => b",",
            false => b"",
        };
        let key = Json::of_text(key);
        Json::made([members, comma, key.bytes(), b":", value.bytes(), b"}"].concat())
    }

    /// The start of the text, without white space between its parts.
    pub fn excerpt(&self) -> String {
        self.part().excerpt()
    }

    /// The value as a tree.
    ///
    /// # Errors
    /// When the tree would take too much memory for a text of this size, or a number would lose digits.
    pub fn value(&self) -> Result<Value, ValueError> {
        let budget = Budget::of(self.text.len());
        let tree = Tree::build(self.part(), None, &budget);
        let tree = tree.map_err(|error| ValueError(error.to_string()))?;
        match tree.inexact.first() {
            Some(inexact) => Err(ValueError(inexact.to_string())),
            None => Ok(tree.value),
        }
    }

    /// The value as one of the caller's own types, read from the text.
    ///
    /// # Errors
    /// When the text does not fit the type.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ValueError> {
        serde_json::from_slice(&self.text).map_err(|error| ValueError(error.to_string()))
    }
}

impl Part<'_> {
    /// The start of the text, without white space between its parts.
    pub(crate) fn excerpt(&self) -> String {
        let mut cut = Cut(Vec::new());
        let whole = write::compact(*self, &mut cut).is_ok();
        let text = String::from_utf8_lossy(&cut.0);
        match text.char_indices().nth(EXCERPT) {
            None if whole => text.into_owned(),
            end => format!("{}...", &text[..end.map_or(text.len(), |(end, _)| end)]),
        }
    }
}

/// Characters of an excerpt.
const EXCERPT: usize = 200;

/// Reads no more of the text than the excerpt needs.
struct Cut(Vec<u8>);

impl std::io::Write for Cut {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let left = (EXCERPT * 4 + 4).saturating_sub(self.0.len());
        match left {
            0 => Err(std::io::ErrorKind::WriteZero.into()),
            _ => {
                let taken = bytes.len().min(left);
                self.0.extend_from_slice(&bytes[..taken]);
                Ok(taken)
            }
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Members up to which an object is looked through: that is quicker than to hash the name.
const FEW: usize = 8;

/// The member of an object with this name.
pub(crate) fn member<'o>(object: &'o Map<String, Value>, name: &str) -> Option<&'o Value> {
    match object.len() <= FEW {
        true => object
            .iter()
            .find(|(key, _)| key.as_str() == name)
            .map(|(_, value)| value),
        false => object.get(name),
    }
}

/// Whether a 64-bit integer or a double holds all digits of the number. True for texts that are not numbers.
pub(crate) fn is_exact(text: &str) -> bool {
    match Json::read(text.to_owned().into()) {
        Ok(json) => json.part().is_exact(),
        Err(_) => true,
    }
}

/// A JSON text cannot be turned into a tree, or into a value of some type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(String);

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// Reads any value as the tree builder would, but keeps nothing: it reports what is wrong in the same words.
struct Anything;

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Anything, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

impl<'de> Visitor<'de> for Anything {
    type Value = Anything;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Anything, E> {
        Ok(Anything)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Anything, E> {
        Ok(Anything)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Anything, E> {
        Ok(Anything)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Anything, E> {
        Ok(Anything)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Anything, E> {
        Ok(Anything)
    }

    fn visit_str<E>(self, _: &str) -> Result<Anything, E> {
        Ok(Anything)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Anything, A::Error> {
        while access.next_element::<Anything>()?.is_some() {}
        Ok(Anything)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Anything, A::Error> {
        while access.next_entry::<Anything, Anything>()?.is_some() {}
        Ok(Anything)
    }
}
