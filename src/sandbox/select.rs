//! Which rows a request concerns.

use indexmap::IndexMap;
use serde_json::Value;

use super::Refusal;
use super::data::Values;
use super::known::Known;
use super::spec::FindSpec;
use super::store::{Key, View};
use crate::source::{join, join_index};
use crate::template::{EvalError, Names, Template, is_truthy};

/// The rows of a collection that match some fields and conditions.
#[derive(Debug)]
pub(crate) struct Filter {
    matching: Vec<(String, String)>,
    conditions: Vec<Template>,
}

impl Filter {
    /// Compiles `match` and `where` of the section at `pointer`.
    pub(crate) fn compile(
        matching: &IndexMap<String, String>,
        conditions: &[String],
        collection: &str,
        names: &Names,
        pointer: &str,
        known: &Known<'_>,
    ) -> Filter {
        for (field, argument) in matching {
            let at = join(&join(pointer, "match"), field);
            known.field_key(field, collection, &at);
            known.argument(argument, &at);
        }
        Filter {
            matching: pairs(matching),
            conditions: compile_conditions(conditions, names, pointer, known),
        }
    }

    /// Whether a row matches. Conditions leave the row in the scope as `row`.
    ///
    /// # Errors
    /// When a condition fails.
    pub(crate) fn admits(&self, row: &Value, scope: &mut Values) -> Result<bool, EvalError> {
        for (field, argument) in &self.matching {
            let value = row.get(field).unwrap_or(&Value::Null);
            let admitted = match scope.argument(argument) {
                None => true,
                Some(Value::Array(wanted)) => wanted.contains(value),
                Some(wanted) => wanted == value,
            };
            if !admitted {
                return Ok(false);
            }
        }
        all_hold(&self.conditions, row, scope)
    }
}

/// How a request finds its one row.
#[derive(Debug)]
pub(crate) struct Find {
    /// The collection that holds it.
    pub collection: String,
    by: Vec<(String, String)>,
    conditions: Vec<Template>,
    message: Option<String>,
    optional: bool,
}

impl Find {
    /// Compiles the section, which stands at `pointer`.
    pub(crate) fn compile(spec: &FindSpec, pointer: &str, known: &Known<'_>) -> Find {
        known.collection(&spec.collection, &join(pointer, "in"));
        for (field, argument) in &spec.by {
            let at = join(&join(pointer, "by"), field);
            known.field_key(field, &spec.collection, &at);
            known.argument(argument, &at);
        }
        let row = known.with_row(known.request(), "row", &spec.collection);
        Find {
            collection: spec.collection.clone(),
            by: pairs(&spec.by),
            conditions: compile_conditions(&spec.filters, &row, pointer, known),
            message: spec.message.clone(),
            optional: spec.optional,
        }
    }

    /// Whether a request continues without a row.
    pub(crate) fn is_optional(&self) -> bool {
        self.optional
    }

    /// The row; `None` if there is none and the route does not need one.
    ///
    /// # Errors
    /// 404 when there is none, and when a condition fails.
    pub(crate) fn find(
        &self,
        view: &View,
        scope: &mut Values,
    ) -> Result<Option<(Key, Value)>, Refusal> {
        for row in view.rows(&self.collection) {
            let (key, row) = row?;
            let is_meant = self.by.iter().all(|(field, argument)| {
                row.get(field).is_some() && row.get(field) == scope.argument(argument)
            });
            if is_meant && all_hold(&self.conditions, row, scope)? {
                return Ok(Some((key, row.clone())));
            }
        }
        match (self.optional, &self.message) {
            (true, _) => Ok(None),
            (false, Some(message)) => Err(Refusal::declared(404, message.clone())),
            (false, None) => {
                let arguments: Vec<&str> = self.by.iter().map(|(_, name)| name.as_str()).collect();
                let message = format!("{}: no object has this id", arguments.join(", "));
                Err(Refusal::new(404, message))
            }
        }
    }
}

fn pairs(map: &IndexMap<String, String>) -> Vec<(String, String)> {
    map.iter().map(|(k, v)| (k.clone(), v.clone())).collect()
}

fn compile_conditions(
    conditions: &[String],
    names: &Names,
    pointer: &str,
    known: &Known<'_>,
) -> Vec<Template> {
    let at = join(pointer, "where");
    let compile = |(index, text): (usize, &String)| {
        Template::compile_text(text, &join_index(&at, index), names, known.check)
    };
    conditions.iter().enumerate().map(compile).collect()
}

fn all_hold(conditions: &[Template], row: &Value, scope: &mut Values) -> Result<bool, EvalError> {
    if conditions.is_empty() {
        return Ok(true);
    }
    scope.put("row", row.clone());
    for condition in conditions {
        if !holds(condition, scope)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a condition is true.
///
/// # Errors
/// When it fails.
pub(crate) fn holds(condition: &Template, scope: &Values) -> Result<bool, EvalError> {
    let value = condition.render(scope)?;
    Ok(value.is_some_and(|value| is_truthy(&value)))
}
