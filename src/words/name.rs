//! Names of services and tools.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};

/// A name of a service or tool: lower-case letters, digits and single hyphens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Name(String);

/// Most characters in a name.
const NAME_LENGTH: usize = 63;

impl Name {
    /// Takes a text that follows the rules.
    pub fn new(text: &str) -> Option<Name> {
        let legal = !text.is_empty()
            && text.len() <= NAME_LENGTH
            && text.split('-').all(|part| {
                !part.is_empty()
                    && part
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            });
        legal.then(|| Name(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        let text = String::deserialize(deserializer)?;
        Name::new(&text).ok_or_else(|| {
            de::Error::custom(format!(
                "`{text}` is no name: a name has lower-case letters, digits and single hyphens, {NAME_LENGTH} at most"
            ))
        })
    }
}

impl JsonSchema for Name {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Name".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Lower-case letters, digits and single hyphens.",
            "type": "string",
            "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$",
            "maxLength": NAME_LENGTH
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_their_rules() {
        for good in ["a", "list-workspaces", "v2-get", "0"] {
            assert!(Name::new(good).is_some(), "{good}");
        }
        let long = "a".repeat(NAME_LENGTH + 1);
        for bad in [
            "",
            "-a",
            "a-",
            "a--b",
            "A",
            "a_b",
            "é",
            "a b",
            "../a",
            long.as_str(),
        ] {
            assert!(Name::new(bad).is_none(), "{bad}");
        }
    }
}
