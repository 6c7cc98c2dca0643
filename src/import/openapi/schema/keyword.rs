//! The keywords of a schema object, one by one.

use serde_json::{Map, Value};

use super::Schemas;
use crate::import::openapi::spec::Part;
use crate::import::report::What;
use crate::params::is_pattern;
use crate::source::join;

impl<'a> Schemas<'a, '_> {
    pub(super) fn convert_keyword(
        &mut self,
        keyword: &str,
        value: &Value,
        schema: &Part<'a>,
        members: &Map<String, Value>,
        depth: usize,
    ) -> Option<Value> {
        let at = join(&schema.pointer, keyword);
        let part = schema.get(keyword);
        let refuse = |why: &str| {
            self.losses.note(What::Schema, &at, why);
            None
        };
        match keyword {
            "format" => match value.as_str()? {
                // They say how a number is stored or a text is shown, and restrict neither.
                "int32" | "int64" | "float" | "double" | "password" | "binary" | "byte" => None,
                format => Some(format.into()),
            },
            "contentEncoding" | "contentMediaType" => value.as_str().map(Value::from),
            "pattern" => {
                let pattern = value.as_str()?;
                match is_pattern(pattern) {
                    true => Some(pattern.into()),
                    false => refuse("the pattern is none that is supported; it is not checked"),
                }
            }
            "enum" => match value.as_array() {
                Some(options) if !options.is_empty() => {
                    let mut distinct: Vec<Value> = Vec::new();
                    for option in options {
                        if !distinct.contains(option) {
                            distinct.push(option.clone());
                        }
                    }
                    Some(distinct.into())
                }
                _ => refuse("an `enum` without values allows nothing; it is left out"),
            },
            "const" => Some(value.clone()),
            "minimum" | "maximum" => match value {
                Value::Number(_) => Some(value.clone()),
                _ => refuse("this is not a number; it is not checked"),
            },
            "multipleOf" => match value.as_f64() {
                Some(number) if number > 0.0 => Some(value.clone()),
                _ => refuse("this is not a number greater than 0; it is not checked"),
            },
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties"
            | "maxProperties" | "minContains" | "maxContains" => match value.as_f64() {
                Some(number) if number >= 0.0 && number.fract() == 0.0 && number < 1e15 => {
                    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                    let whole = number as u64;
                    // A lower bound of 0 restricts nothing.
                    (whole > 0 || !keyword.starts_with("min")).then(|| whole.into())
                }
                _ => refuse("this is not a whole number of 0 or more; it is not checked"),
            },
            "uniqueItems" | "deprecated" => value.as_bool().filter(|flag| *flag).map(Value::from),
            "items" => match value {
                Value::Array(_) => {
                    refuse("a list of schemas is not supported in `items`; it is left out")
                }
                _ => Some(self.convert(&part?, depth + 1)),
            },
            "prefixItems" => self.convert_list(part?, depth),
            "required" => {
                let hidden = self.read_only_names(schema);
                let mut names: Vec<Value> = Vec::new();
                for name in value.as_array()? {
                    let is_new = name.is_string() && !names.contains(name);
                    if is_new && !hidden.iter().any(|hidden| name == hidden) {
                        names.push(name.clone());
                    }
                }
                (!names.is_empty()).then(|| names.into())
            }
            "properties" => {
                // Where no other property is allowed, one that is only in responses stays, so that the document's own
                // examples are accepted.
                let is_closed = members.get("additionalProperties") == Some(&Value::Bool(false));
                self.convert_map(keyword, &part?, !is_closed, depth)
            }
            "patternProperties" | "dependentSchemas" => {
                self.convert_map(keyword, &part?, false, depth)
            }
            "dependentRequired" => {
                let rules = value.as_object().filter(|rules| !rules.is_empty())?;
                Some(rules.clone().into())
            }
            "allOf" | "anyOf" | "oneOf" => self.convert_list(part?, depth),
            _ if members.contains_key("$ref") => None,
            _ => Some(self.convert(&part?, depth + 1)),
        }
    }

    fn convert_list(&mut self, list: Part<'a>, depth: usize) -> Option<Value> {
        let items: Vec<Value> = list
            .items()
            .map(|item| self.convert(&item, depth + 1))
            .collect();
        (!items.is_empty()).then(|| items.into())
    }

    fn convert_map(
        &mut self,
        keyword: &str,
        part: &Part<'a>,
        hides: bool,
        depth: usize,
    ) -> Option<Value> {
        let mut map = Map::new();
        for (name, property) in part.members() {
            if hides && self.is_read_only(&property) {
                continue;
            }
            if keyword == "patternProperties" && !is_pattern(name) {
                self.losses.note(
                    What::Schema,
                    &property.pointer,
                    "the pattern uses something that is not supported; the rule is left out",
                );
                continue;
            }
            map.insert(name.to_owned(), self.convert(&property, depth + 1));
        }
        (!map.is_empty()).then(|| map.into())
    }

    /// Whether a property is only in responses.
    pub(crate) fn is_read_only(&self, property: &Part<'_>) -> bool {
        let says_so = |part: &Part<'_>| part.flag("readOnly") == Some(true);
        says_so(property)
            || self
                .spec
                .resolve(property)
                .is_ok_and(|target| says_so(&target))
    }

    /// The names of the properties that are only in responses.
    fn read_only_names(&self, schema: &Part<'_>) -> Vec<String> {
        schema
            .get("properties")
            .into_iter()
            .flat_map(|properties| properties.members())
            .filter(|(_, property)| self.is_read_only(property))
            .map(|(name, _)| name.to_owned())
            .collect()
    }
}
