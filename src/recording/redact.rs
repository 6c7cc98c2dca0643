//! Which fields of recordings are removed, or replaced by pseudonyms.

use std::collections::BTreeSet;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::jsonpath::JsonPath;
use crate::project::compile_plain_path;
use crate::source::{Check, join, join_index};

/// A field that recordings do not show.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum RedactSpec {
    /// The JSONPath of a field that a pseudonym replaces.
    Path(String),
    /// A field, and what becomes of it.
    Rule(RedactRule),
}

/// A field, and what becomes of it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedactRule {
    /// Its JSONPath in the bodies of requests and responses, and in the arguments.
    pub path: String,
    /// What becomes of it.
    #[serde(rename = "as", default)]
    pub by: By,
}

/// What becomes of a field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum By {
    /// A pseudonym stands in its place: within a recording, the same one for the same value.
    #[default]
    Pseudonym,
    /// It is removed. An element of a list becomes null.
    Removed,
}

#[derive(Debug)]
struct Rule {
    path: JsonPath,
    by: By,
}

/// The fields that recordings do not show.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules(Arc<Vec<Arc<Rule>>>);

/// What a text of a rule begins with that removes.
const REMOVE: &str = "remove:";

impl Rules {
    /// Compiles the section at `pointer`; mistakes go to `check`.
    pub(crate) fn compile(specs: &[RedactSpec], pointer: &str, check: &Check) -> Rules {
        let specs = specs.iter().enumerate();
        let rules = specs.filter_map(|(i, spec)| {
            let at = join_index(pointer, i);
            let (path, by, at) = match spec {
                RedactSpec::Path(path) => (path, By::default(), at),
                RedactSpec::Rule(rule) => (&rule.path, rule.by, join(&at, "path")),
            };
            let path = compile_plain_path(path, &at, check)?;
            Some(Arc::new(Rule { path, by }))
        });
        Rules(Arc::new(rules.collect()))
    }

    /// The rules of texts: a JSONPath, with `remove:` before it if the field is to be removed.
    ///
    /// # Errors
    /// Why one is no rule.
    pub(crate) fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Rules, String> {
        let rules = texts.into_iter().map(|text| {
            let (path, by) = match text.strip_prefix(REMOVE) {
                Some(path) => (path, By::Removed),
                None => (text, By::Pseudonym),
            };
            match JsonPath::parse(path) {
                Ok(path) => Ok(Arc::new(Rule { path, by })),
                Err(error) => Err(format!("`{path}` is no JSONPath: {}", error.message)),
            }
        });
        Ok(Rules(Arc::new(rules.collect::<Result<_, _>>()?)))
    }

    /// The rules as texts.
    pub(crate) fn texts(&self) -> Vec<String> {
        let rules = self.0.iter();
        rules.map(|rule| rule.text()).collect()
    }

    /// The paths of the fields that are removed.
    #[cfg(feature = "cli")]
    pub(super) fn removed(&self) -> impl Iterator<Item = &str> {
        let removed = self.0.iter().filter(|rule| rule.by == By::Removed);
        removed.map(|rule| rule.path.as_str())
    }

    /// The same fields, of which none is removed.
    #[cfg(feature = "cli")]
    pub(super) fn replacing(&self) -> Rules {
        let rules = self.0.iter().map(|rule| {
            Arc::new(Rule {
                path: rule.path.clone(),
                by: By::Pseudonym,
            })
        });
        Rules(Arc::new(rules.collect()))
    }

    /// Whether no field is hidden.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These rules and others, each once.
    pub(super) fn and(&self, others: &Rules) -> Rules {
        let mut all = Vec::clone(&self.0);
        for other in others.0.iter() {
            if !all.iter().any(|rule| rule.text() == other.text()) {
                all.push(Arc::clone(other));
            }
        }
        Rules(Arc::new(all))
    }

    /// Applies the rules to a value. `other` gives what stands in place of a value. Gives the rules that found something.
    pub(super) fn apply(&self, value: &mut Value, other: &dyn Fn(&Value) -> Value) -> Vec<String> {
        let mut hits = Vec::new();
        for rule in self.0.iter() {
            let found: BTreeSet<usize> = rule.path.all(value).into_iter().map(address).collect();
            if found.is_empty() {
                continue;
            }
            hits.push(rule.text());
            if found.contains(&address(value)) {
                *value = rule.by.instead(value, other);
            } else {
                rule.by.walk(value, &found, other);
            }
        }
        hits
    }

    /// Applies the rules to names with values, as to an object. A name that occurs several times is a list.
    pub(super) fn apply_to_pairs(
        &self,
        pairs: &mut Vec<(String, String)>,
        other: &dyn Fn(&Value) -> Value,
    ) -> Vec<String> {
        let mut object = Map::new();
        for (name, value) in pairs.iter() {
            match object.get_mut(name) {
                None => drop(object.insert(name.clone(), value.as_str().into())),
                Some(Value::Array(values)) => values.push(value.as_str().into()),
                Some(one) => *one = vec![one.take(), value.as_str().into()].into(),
            }
        }
        let mut object = Value::Object(object);
        let hits = self.apply(&mut object, other);
        if !hits.is_empty() {
            let mut seen = Map::new();
            pairs.retain_mut(|(name, value)| {
                let count = seen.entry(name.clone()).or_insert(Value::from(0));
                let at = count.as_u64().unwrap_or_default() as usize;
                *count = (at + 1).into();
                let new = match object.get(name.as_str()) {
                    Some(Value::Array(values)) => values.get(at).cloned().unwrap_or_default(),
                    Some(one) => one.clone(),
                    None => return false,
                };
                match new {
                    Value::String(text) => *value = text,
                    other => *value = other.to_string(),
                }
                true
            });
        }
        hits
    }
}

fn address(value: &Value) -> usize {
    std::ptr::from_ref(value) as usize
}

impl Rule {
    fn text(&self) -> String {
        match self.by {
            By::Pseudonym => self.path.as_str().to_owned(),
            By::Removed => format!("{REMOVE}{}", self.path.as_str()),
        }
    }
}

impl By {
    fn instead(self, value: &Value, other: &dyn Fn(&Value) -> Value) -> Value {
        match self {
            By::Pseudonym => other(value),
            By::Removed => Value::Null,
        }
    }

    /// Replaces or removes what stands at these addresses. They are those of the tree as it was, and what stands below one that
    /// was replaced is not looked at.
    fn walk(self, value: &mut Value, found: &BTreeSet<usize>, other: &dyn Fn(&Value) -> Value) {
        match value {
            Value::Array(items) => {
                for item in items {
                    match found.contains(&address(item)) {
                        true => *item = self.instead(item, other),
                        false => self.walk(item, found, other),
                    }
                }
            }
            Value::Object(members) => {
                let mut gone = Vec::new();
                for (name, member) in members.iter_mut() {
                    match found.contains(&address(member)) {
                        true if self == By::Removed => gone.push(name.clone()),
                        true => *member = self.instead(member, other),
                        false => self.walk(member, found, other),
                    }
                }
                for name in gone {
                    members.shift_remove(&name);
                }
            }
            _ => {}
        }
    }
}
