//! What kinds of values a schema allows.

use serde_json::Value;

use crate::import::openapi::spec::{Part, Spec};

/// What values a schema allows, as far as it matters for how they are written in a URL or form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Texts, numbers and booleans.
    pub scalar: bool,
    /// Lists.
    pub array: bool,
    /// Objects.
    pub object: bool,
    /// Lists or objects with lists or objects inside.
    pub nested: bool,
    /// Lists that hold objects or lists, at any depth.
    pub list_of_parts: bool,
    /// Null.
    pub null: bool,
}

/// The shape of a schema.
pub(crate) fn shape(spec: &Spec, schema: &Part<'_>) -> Shape {
    shape_within(spec, schema, 6)
}

fn shape_within(spec: &Spec, schema: &Part<'_>, depth: usize) -> Shape {
    let Some(depth) = depth.checked_sub(1) else {
        return Shape::default();
    };
    let Ok(schema) = spec.resolve(schema) else {
        return Shape::default();
    };
    let mut shape = Shape::default();
    let types: Vec<&str> = match schema.value.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    for name in types {
        match name {
            "array" => shape.array = true,
            "object" => shape.object = true,
            "null" => shape.null = true,
            _ => shape.scalar = true,
        }
    }
    shape.null |= schema.flag("nullable") == Some(true);
    for choice in ["allOf", "anyOf", "oneOf"] {
        for one in schema.get(choice).into_iter().flat_map(|list| list.items()) {
            let other = shape_within(spec, &one, depth);
            shape.scalar |= other.scalar;
            shape.array |= other.array;
            shape.object |= other.object;
            shape.nested |= other.nested;
            shape.list_of_parts |= other.list_of_parts;
            shape.null |= other.null;
        }
    }
    if let Some(items) = schema.get("items").filter(|items| items.value.is_object()) {
        shape.array = true;
        let inner = shape_within(spec, &items, depth);
        shape.nested |= inner.array || inner.object;
        shape.list_of_parts |= inner.array || inner.object || inner.list_of_parts;
    }
    let properties = schema.get("properties");
    for (_, property) in properties.into_iter().flat_map(|map| map.members()) {
        shape.object = true;
        let inner = shape_within(spec, &property, depth);
        shape.nested |= inner.array || inner.object;
        shape.list_of_parts |= inner.list_of_parts;
    }
    if let Some(more) = schema
        .get("additionalProperties")
        .filter(|more| more.value.is_object())
    {
        shape.object = true;
        let inner = shape_within(spec, &more, depth);
        shape.nested |= inner.array || inner.object;
        shape.list_of_parts |= inner.list_of_parts;
    }
    shape
}
