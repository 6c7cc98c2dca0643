//! What a route writes: its own row, and other rows that change with it.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::Refusal;
use super::data::{RANDOM, Random, Values};
use super::known::Known;
use super::select::Filter;
use super::spec::{AlsoSpec, InsertSpec, RouteSpec};
use super::store::{Key, View};
use crate::source::{Code, join, join_index};
use crate::template::{EvalError, Names, Template};
use crate::words::kind_of;

/// How a row changes.
#[derive(Debug)]
pub(crate) struct Change {
    set: Vec<(String, Template)>,
    merge: Vec<(String, Template)>,
    delete: bool,
}

impl Change {
    /// Compiles `set`, `merge` and `delete` of the section at `pointer`.
    fn compile(
        (set, merge, delete): (&IndexMap<String, Value>, &IndexMap<String, Value>, bool),
        collection: &str,
        names: &Names,
        pointer: &str,
        known: &Known<'_>,
    ) -> Change {
        let fields = |fields: &IndexMap<String, Value>, section: &str| {
            let section = join(pointer, section);
            let compile = |(field, value): (&String, &Value)| {
                let at = join(&section, field);
                known.field_key(field, collection, &at);
                let template = Template::compile(value, &at, names, known.check);
                (field.clone(), template)
            };
            fields.iter().map(compile).collect()
        };
        for (field, value) in merge {
            report_no_map(value, &join(&join(pointer, "merge"), field), known);
        }
        if delete && !(set.is_empty() && merge.is_empty()) {
            known.check.error(
                Code::BadSandbox,
                &join(pointer, "delete"),
                "a row that is removed cannot change as well",
            );
        }
        Change {
            set: fields(set, "set"),
            merge: fields(merge, "merge"),
            delete,
        }
    }

    fn is_any(&self) -> bool {
        self.delete || !self.set.is_empty() || !self.merge.is_empty()
    }

    /// The row after the change; `None` if it is removed.
    fn apply(&self, row: &Value, scope: &Values) -> Result<Option<Value>, EvalError> {
        if self.delete {
            return Ok(None);
        }
        let mut changed = row.as_object().cloned().unwrap_or_default();
        for (field, template) in &self.set {
            if let Some(value) = template.render(scope)? {
                changed.insert(field.clone(), value);
            }
        }
        for (field, template) in &self.merge {
            if let Some(patch) = template.render(scope)? {
                patch_value(changed.entry(field.clone()).or_insert(Value::Null), patch);
            }
        }
        Ok(Some(Value::Object(changed)))
    }
}

/// JSON Merge Patch (RFC 7396).
fn patch_value(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(members) = target else {
        return;
    };
    for (name, value) in patch {
        match value {
            Value::Null => {
                members.shift_remove(&name);
            }
            value => patch_value(members.entry(name).or_insert(Value::Null), value),
        }
    }
}

/// Everything that a route writes.
#[derive(Debug)]
pub(crate) struct Write {
    own: Change,
    insert: Option<(String, Template)>,
    also: Vec<(String, Filter, Change)>,
}

impl Write {
    /// Compiles the writes of the route at `pointer`. In `names`, the route's own row is known.
    pub(crate) fn compile(
        spec: &RouteSpec,
        pointer: &str,
        names: &Names,
        known: &Known<'_>,
    ) -> Write {
        let found = spec.find.as_ref().map(|find| find.collection.as_str());
        let own = Change::compile(
            (&spec.set, &spec.merge, spec.delete),
            found.unwrap_or_default(),
            names,
            pointer,
            known,
        );
        if own.is_any() && found.is_none() {
            let sections = [
                ("set", !spec.set.is_empty()),
                ("merge", !spec.merge.is_empty()),
                ("delete", spec.delete),
            ];
            for (section, _) in sections.iter().filter(|(_, is_given)| *is_given) {
                known.check.error_at_key(
                    Code::BadSandbox,
                    &join(pointer, section),
                    format!("without `find` there is no row to {section}"),
                    None,
                );
            }
        }
        let insert = spec.insert.as_ref().map(|insert| {
            let at = join(pointer, "insert");
            (
                insert.into.clone(),
                compile_insert(insert, &at, names, known),
            )
        });
        let also = spec.also.iter().enumerate();
        Write {
            own,
            insert,
            also: also
                .map(|(index, also)| {
                    let at = join_index(&join(pointer, "also"), index);
                    compile_also(also, spec.own_collection(), &at, known)
                })
                .collect(),
        }
    }

    /// Whether the route writes anything.
    pub(crate) fn is_any(&self) -> bool {
        self.own.is_any() || self.insert.is_some() || !self.also.is_empty()
    }

    /// Carries out the writes. `found` is the row that the request found, with its collection. After that, `row` in the
    /// scope is the written row.
    ///
    /// # Errors
    /// When a template fails, or the sandbox is full.
    pub(crate) fn write(
        &self,
        found: Option<(&str, Key, &Value)>,
        may_insert: bool,
        view: &mut View,
        scope: &mut Values,
    ) -> Result<(), Refusal> {
        if let Some((collection, key, row)) = found
            && self.own.is_any()
        {
            let changed = self.own.apply(row, scope)?;
            if let Some(changed) = &changed {
                scope.put("row", changed.clone());
            }
            view.put(collection, key, changed)?;
        }
        if let Some((collection, template)) = &self.insert
            && may_insert
        {
            let number = view.insertions();
            let random = Random::new(view.data(), &format!("insert/{collection}/{number}"));
            scope.put("index", number);
            scope.put_native("random", minijinja::Value::from_object(random));
            let row = template.render(scope)?.unwrap_or_default();
            scope.put("row", row.clone());
            view.insert(collection, row)?;
        }
        if self.also.is_empty() {
            return Ok(());
        }
        let own = scope.bind_found();
        for (collection, filter, change) in &self.also {
            let mut changes = Vec::new();
            for row in view.rows(collection) {
                let (key, row) = row?;
                if filter.admits(row, scope)? {
                    scope.put("row", row.clone());
                    changes.push((key, change.apply(row, scope)?));
                }
            }
            for (key, changed) in changes {
                view.put(collection, key, changed)?;
            }
        }
        scope.restore_row(own);
        Ok(())
    }
}

/// Whether a value cannot be a map: it is neither a map nor an expression that may give one.
fn report_no_map(value: &Value, pointer: &str, known: &Known<'_>) {
    let may_be_map = match value {
        Value::Object(_) => true,
        Value::String(text) => text.contains("{{"),
        _ => false,
    };
    if !may_be_map {
        known.check.error_at_key_or_value(
            Code::BadSandbox,
            pointer,
            format!("must be a map, not {}", kind_of(value)),
        );
    }
}

fn compile_insert(spec: &InsertSpec, pointer: &str, names: &Names, known: &Known<'_>) -> Template {
    known.collection(&spec.into, &join(pointer, "into"));
    report_no_map(&spec.row, &join(pointer, "row"), known);
    if known.data.is_series(&spec.into) {
        known.check.error(
            Code::BadSandbox,
            &join(pointer, "into"),
            format!(
                "the rows of `{}` are computed from their times, so none can be added",
                spec.into
            ),
        );
    }
    let at = join(pointer, "row");
    for field in spec.row.as_object().into_iter().flat_map(Map::keys) {
        known.field_key(field, &spec.into, &join(&at, field));
    }
    let names = names.clone().with("index").with_members("random", RANDOM);
    Template::compile(&spec.row, &at, &names, known.check)
}

fn compile_also(
    spec: &AlsoSpec,
    own: Option<&str>,
    pointer: &str,
    known: &Known<'_>,
) -> (String, Filter, Change) {
    known.collection(&spec.collection, &join(pointer, "in"));
    let mut names = known.with_row(known.request(), "row", &spec.collection);
    if let Some(own) = own {
        names = known.with_row(names, "found", own);
    }
    let filter = Filter::compile(
        &spec.matching,
        &spec.filters,
        &spec.collection,
        &names,
        pointer,
        known,
    );
    let parts = (&spec.set, &spec.merge, spec.delete);
    let change = Change::compile(parts, &spec.collection, &names, pointer, known);
    if !change.is_any() {
        known.check.error_at_map(
            Code::BadSandbox,
            pointer,
            "nothing changes: give `set`, `merge` or `delete`",
        );
    }
    (spec.collection.clone(), filter, change)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Rows of RFC 7396, appendix A.
    #[test]
    fn a_patch_is_merged_as_the_rfc_says() {
        for (mut target, patch, merged) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (
                json!({"a": "b"}),
                json!({"b": "c"}),
                json!({"a": "b", "b": "c"}),
            ),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (
                json!({"a": "b", "b": "c"}),
                json!({"a": null}),
                json!({"b": "c"}),
            ),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (json!({"a": "b"}), json!(["c"]), json!(["c"])),
            (json!({"a": "foo"}), json!(null), json!(null)),
            (
                json!({"e": null}),
                json!({"a": 1}),
                json!({"e": null, "a": 1}),
            ),
            (
                json!([1, 2]),
                json!({"a": "b", "c": null}),
                json!({"a": "b"}),
            ),
            (
                json!({}),
                json!({"a": {"bb": {"ccc": null}}}),
                json!({"a": {"bb": {}}}),
            ),
        ] {
            patch_value(&mut target, patch.clone());
            assert_eq!(target, merged, "{patch}");
        }
    }
}
