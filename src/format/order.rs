//! The order of the keys of descriptors: that of the fields of their typed forms, which their schemas keep.

use serde_json::Value;

/// The order of keys at a place of a descriptor. Where a map's keys are the author's (columns of an output, params, names of
/// a body), there is none.
#[derive(Debug, Clone)]
pub(crate) struct KeyOrder<'s> {
    root: &'s Value,
    /// The schemas that a value at the place may follow.
    here: Vec<&'s Value>,
}

impl<'s> KeyOrder<'s> {
    /// The order in a file of this schema.
    pub(crate) fn of(root: &'s Value) -> KeyOrder<'s> {
        KeyOrder::at(root, [root])
    }

    fn at(root: &'s Value, schemas: impl IntoIterator<Item = &'s Value>) -> KeyOrder<'s> {
        let mut here = Vec::new();
        for schema in schemas {
            collect(root, schema, &mut here, 0);
        }
        KeyOrder { root, here }
    }

    /// The rank of each of these keys of a map; `None` where the order of keys is the author's, or one of them is unknown.
    pub(crate) fn ranks(&self, names: &[&str]) -> Option<Vec<usize>> {
        self.here.iter().find_map(|schema| {
            let properties = schema.get("properties")?.as_object()?;
            let rank = |name: &&str| properties.keys().position(|known| known == name);
            names.iter().map(rank).collect()
        })
    }

    /// The order in the member of this name.
    pub(crate) fn member(&self, name: &str) -> KeyOrder<'s> {
        let schemas = self.here.iter().filter_map(|schema| {
            let own = schema
                .get("properties")
                .and_then(|properties| properties.get(name));
            own.or_else(|| schema.get("additionalProperties"))
        });
        KeyOrder::at(self.root, schemas)
    }

    /// The order in an item.
    pub(crate) fn item(&self) -> KeyOrder<'s> {
        KeyOrder::at(
            self.root,
            self.here.iter().filter_map(|schema| schema.get("items")),
        )
    }
}

/// Collects a schema and its alternatives, without references.
fn collect<'s>(root: &'s Value, schema: &'s Value, found: &mut Vec<&'s Value>, depth: usize) {
    // A reference that leads back to itself says nothing.
    const DEEPEST: usize = 8;
    if depth > DEEPEST || !schema.is_object() {
        return;
    }
    let reference = schema.get("$ref").and_then(Value::as_str);
    let target = reference.and_then(|to| root.pointer(to.trim_start_matches('#')));
    if let Some(target) = target {
        collect(root, target, found, depth + 1);
    }
    for list in ["anyOf", "oneOf", "allOf"] {
        let alternatives = schema.get(list).and_then(Value::as_array);
        for alternative in alternatives.into_iter().flatten() {
            collect(root, alternative, found, depth + 1);
        }
    }
    found.push(schema);
}
