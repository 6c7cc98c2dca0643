//! What helps people: the description, the default and the examples of a schema.

use serde_json::{Map, Value};

use super::Schemas;
use super::beside::refers;
use crate::check::mask_literal_secrets;
use crate::import::openapi::spec::Part;
use crate::import::openapi::text;
use crate::import::report::What;
use crate::source::join;

/// When more schemas than this were converted, descriptions become shorter.
const LARGE: usize = 400;
/// Most examples of a param.
const MOST_EXAMPLES: usize = 3;
/// Most characters of an example, as JSON.
const LONGEST_EXAMPLE: usize = 200;

impl Schemas<'_, '_> {
    pub(super) fn add_description(
        &self,
        members: &Map<String, Value>,
        longest: usize,
        converted: &mut Map<String, Value>,
    ) {
        // The more schemas there are, the fewer words about each.
        let longest = match self.count {
            _ if longest > text::NESTED => longest,
            count if count <= LARGE => longest,
            count if count <= 4 * LARGE => longest / 3,
            _ => return,
        };
        let said = ["description", "title"]
            .into_iter()
            .filter_map(|key| members.get(key)?.as_str())
            .map(|words| match longest {
                ..=text::NESTED => text::one_line(words, longest),
                _ => text::plain(words, longest),
            })
            .find(|words| !words.is_empty());
        if let Some(words) = said {
            converted.insert("description".into(), words.into());
        }
    }

    /// Adds the default and the examples that fit the schema.
    pub(super) fn add_default_and_examples(
        &self,
        schema: &Part<'_>,
        members: &Map<String, Value>,
        converted: &mut Map<String, Value>,
    ) {
        let default = members.get("default");
        let single = members.get("example");
        let several = members.get("examples").and_then(Value::as_array);
        if default.is_none() && single.is_none() && several.is_none() {
            return;
        }
        // Checking each of them takes time, and in so large a schema nobody reads them.
        if self.count > LARGE {
            return;
        }
        // With a reference, the schema is not complete here, so a value cannot be checked against it.
        let validator = match members.contains_key("allOf") || refers(converted) {
            true => None,
            false => crate::params::compile(&Value::Object(converted.clone())).ok(),
        };
        let fits = |value: &Value| validator.as_ref().is_some_and(|v| v.is_valid(value));
        if let Some(default) = default.filter(|default| !default.is_null() || fits(default)) {
            match fits(default) {
                true => {
                    converted.insert("default".into(), default.clone());
                }
                false => self.losses.note(
                    What::Schema,
                    &join(&schema.pointer, "default"),
                    "the default does not fit its own schema; it is left out",
                ),
            }
        }
        let candidates = single.into_iter().chain(several.into_iter().flatten());
        let mut examples: Vec<Value> = Vec::new();
        for example in candidates.filter(|example| !example.is_null()) {
            let written = example.to_string();
            let is_short = written.len() <= LONGEST_EXAMPLE
                && mask_literal_secrets(&written) == written.as_str();
            if examples.len() < MOST_EXAMPLES
                && is_short
                && !examples.contains(example)
                && fits(example)
            {
                examples.push(example.clone());
            }
        }
        if !examples.is_empty() && !converted.contains_key("enum") {
            converted.insert("examples".into(), examples.into());
        }
    }
}
