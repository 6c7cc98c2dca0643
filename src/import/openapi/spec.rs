//! The whole document: its version, its parts with their places, and the targets of references.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::source::{join, join_index};

/// An OpenAPI document.
#[derive(Debug)]
pub(crate) struct Spec {
    root: Value,
    /// `3.0.3`.
    pub version: String,
}

/// A part of the document, with its JSON Pointer.
#[derive(Debug, Clone)]
pub(crate) struct Part<'s> {
    /// The value.
    pub value: &'s Value,
    /// Its JSON Pointer.
    pub pointer: String,
}

/// A reference that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BrokenReference {
    /// It refers to another document.
    #[error("`{0}` is in another document, which is not read")]
    External(String),
    /// Its target does not exist.
    #[error("`{0}` refers to nothing")]
    Dangling(String),
    /// It refers back to itself.
    #[error("`{0}` refers back to itself")]
    Circular(String),
}

/// The longest chain of references; a longer one counts as endless.
const LONGEST_CHAIN: usize = 64;

impl Spec {
    /// Wraps a document.
    ///
    /// # Errors
    /// When it is not an OpenAPI document of version 3.
    pub(crate) fn new(root: Value) -> Result<Spec, String> {
        if let Some(version) = root.get("swagger") {
            return Err(format!(
                "this is a Swagger {} document; convert it to OpenAPI 3.0 first",
                text_of(version)
            ));
        }
        let version = match root.get("openapi") {
            Some(version) => text_of(version),
            None => return Err("this is not an OpenAPI document: it has no `openapi`".to_owned()),
        };
        if !version.starts_with("3.") && version != "3" {
            return Err(format!(
                "OpenAPI {version} is not supported; 3.0 and 3.1 are"
            ));
        }
        Ok(Spec { root, version })
    }

    /// The whole document.
    pub(crate) fn root(&self) -> Part<'_> {
        Part {
            value: &self.root,
            pointer: String::new(),
        }
    }

    /// The target of a reference such as `#/components/schemas/Pet`.
    ///
    /// # Errors
    /// When the target is in another document or does not exist.
    pub(crate) fn lookup(&self, reference: &str) -> Result<Part<'_>, BrokenReference> {
        let Some(fragment) = reference.strip_prefix('#') else {
            return Err(BrokenReference::External(reference.to_owned()));
        };
        let pointer = percent_decode_str(fragment).decode_utf8_lossy();
        // Some tools do not percent-encode pointers, so a `%` may be a plain character: the text is tried as it is,
        // too.
        [pointer.as_ref(), fragment]
            .into_iter()
            .find_map(|pointer| {
                Some(Part {
                    value: self.root.pointer(pointer)?,
                    pointer: pointer.to_owned(),
                })
            })
            .ok_or_else(|| BrokenReference::Dangling(reference.to_owned()))
    }

    /// The part itself, or the target of its reference.
    ///
    /// # Errors
    /// When a reference cannot be followed.
    pub(crate) fn resolve<'s>(&'s self, part: &Part<'s>) -> Result<Part<'s>, BrokenReference> {
        let mut at = part.clone();
        for _ in 0..LONGEST_CHAIN {
            match at.reference() {
                None => return Ok(at),
                Some(reference) => at = self.lookup(reference)?,
            }
        }
        let reference = part.reference().unwrap_or_default();
        Err(BrokenReference::Circular(reference.to_owned()))
    }
}

/// A version as text, also if YAML read it as a number.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl<'s> Part<'s> {
    /// The member of this name.
    pub(crate) fn get(&self, key: &str) -> Option<Part<'s>> {
        Some(Part {
            value: self.value.get(key)?,
            pointer: join(&self.pointer, key),
        })
    }

    /// The member of this name, if it is an object.
    pub(crate) fn map(&self, key: &str) -> Option<&'s Map<String, Value>> {
        self.value.get(key)?.as_object()
    }

    /// The member of this name, if it is a text that is not empty.
    pub(crate) fn text(&self, key: &str) -> Option<&'s str> {
        let text = self.value.get(key)?.as_str()?;
        (!text.trim().is_empty()).then_some(text)
    }

    /// The member of this name, if it is true or false.
    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        self.value.get(key)?.as_bool()
    }

    /// The members of an object; none of anything else.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&'s str, Part<'s>)> + use<'s> {
        let pointer = self.pointer.clone();
        self.value
            .as_object()
            .into_iter()
            .flatten()
            .map(move |(key, value)| {
                let pointer = join(&pointer, key);
                (key.as_str(), Part { value, pointer })
            })
    }

    /// The items of a list; none of anything else.
    pub(crate) fn items(&self) -> impl Iterator<Item = Part<'s>> + use<'s> {
        let pointer = self.pointer.clone();
        let list = self.value.as_array().into_iter().flatten();
        list.enumerate().map(move |(i, value)| Part {
            value,
            pointer: join_index(&pointer, i),
        })
    }

    /// The `$ref` of the part, if it has one.
    pub(crate) fn reference(&self) -> Option<&'s str> {
        self.value.get("$ref")?.as_str()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_of_version_3() {
        for (root, version) in [
            (json!({"openapi": "3.0.3"}), "3.0.3"),
            (json!({"openapi": 3.1}), "3.1"),
        ] {
            assert_eq!(Spec::new(root).unwrap().version, version);
        }
        for root in [
            json!({"swagger": "2.0"}),
            json!({"openapi": "4.0"}),
            json!({}),
            json!([]),
        ] {
            assert!(Spec::new(root).is_err());
        }
    }

    #[test]
    fn references_are_followed() {
        let spec = Spec::new(json!({
            "openapi": "3.0.0",
            "a": {"$ref": "#/b"}, "b": {"$ref": "#/c%20d/0"}, "c d": [{"x": 1}], "l": {"$ref": "#/l"},
            "e": {"$ref": "other.yaml#/a"}, "m": {"$ref": "#/nothing"}, "p/q": {"$ref": "#/p~1q/x"},
        }))
        .unwrap();
        let resolve = |key: &str| {
            spec.resolve(&spec.root().get(key).unwrap())
                .map(|part| part.pointer)
        };
        assert_eq!(resolve("a"), Ok("/c d/0".to_owned()));
        assert_eq!(resolve("c d"), Ok("/c d".to_owned()));
        assert_eq!(resolve("l"), Err(BrokenReference::Circular("#/l".into())));
        assert_eq!(
            resolve("e"),
            Err(BrokenReference::External("other.yaml#/a".into()))
        );
        assert_eq!(
            resolve("m"),
            Err(BrokenReference::Dangling("#/nothing".into()))
        );
        assert_eq!(
            resolve("p/q"),
            Err(BrokenReference::Dangling("#/p~1q/x".into()))
        );
    }
}
