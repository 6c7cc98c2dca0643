//! Keys that a text has twice. A tree would keep one of the two values and lose the other without a word.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A key that is written twice in the same object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key `{key}` is written twice, the second time at line {line} column {column}")]
pub(crate) struct Duplicate {
    /// The key.
    pub key: String,
    /// The line of the second one, counted from 1.
    pub line: usize,
    /// The column behind the second one.
    pub column: usize,
}

/// The first key of a JSON text that is written twice in the same object. A text that is no JSON has none.
pub(crate) fn duplicate_key(text: &str) -> Option<Duplicate> {
    let mut found = None;
    let mut reader = serde_json::Deserializer::from_str(text);
    let error = Unique(&mut found).deserialize(&mut reader).err()?;
    let (line, bytes) = (error.line(), error.column());
    // The reader counts bytes.
    let before = text.split('\n').nth(line.saturating_sub(1))?.get(..bytes)?;
    Some(Duplicate {
        key: found?,
        line,
        column: before.chars().count(),
    })
}

/// Reads any value, keeps nothing of it, and stops at a key that is there already.
struct Unique<'f>(&'f mut Option<String>);

impl<'de> DeserializeSeed<'de> for Unique<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Unique(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut known = HashSet::new();
        while let Some(key) = members.next_key::<String>()? {
            if known.contains(&key) {
                *self.0 = Some(key);
                return Err(A::Error::custom("twice"));
            }
            known.insert(key);
            members.next_value_seed(Unique(&mut *self.0))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn a_key_that_is_there_twice_is_found() {
        for (text, expected) in [
            (r#"{"a": 1, "b": {"a": 2}}"#, None),
            (r#"[{"a": 1}, {"a": 1}]"#, None),
            (r#"{"a": 1, "a": 2}"#, Some(("a", 1, 12))),
            (
                "{\"a\": 1,\n \"b\": [{\"é\": 1, \"\\u00e9\": null}]}",
                Some(("é", 2, 24)),
            ),
            (r#"{"": 1, "": 1}"#, Some(("", 1, 10))),
            // What is no JSON is found by others.
            (r#"{"a": 1, "a""#, Some(("a", 1, 12))),
            (r#"{"a": }"#, None),
            ("", None),
            ("a: 1", None),
        ] {
            let found = duplicate_key(text);
            let found = found.as_ref().map(|d| (d.key.as_str(), d.line, d.column));
            assert_eq!(found, expected, "{text}");
        }
    }
}
