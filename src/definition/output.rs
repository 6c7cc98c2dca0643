//! The output schema. Its root is an object, and every output conforms to it, also one of which rows, columns or
//! members are left out: so it requires nothing.

use serde_json::{Map, Value, json};

use crate::project::ResponseKind;
use crate::tool::Tool;

/// The member that holds an output that is itself a list.
pub(crate) const LIST: &str = "items";
/// The member that holds an output that is neither a list nor an object.
const VALUE: &str = "value";

/// How an output becomes an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// It is one.
    Itself,
    /// It is the list in `items`.
    Items,
    /// It is the value in `value`.
    Value,
    /// Only a response tells: an object is itself, a list is in `items`, anything else in `value`.
    ByKind,
}

impl Root {
    /// The member that the output goes into; `None` if it is itself the object.
    pub(crate) fn member(self, is_object: bool, is_list: bool) -> Option<&'static str> {
        match self {
            Root::Itself | Root::ByKind if is_object => None,
            Root::Items => Some(LIST),
            Root::Itself | Root::ByKind if is_list => Some(LIST),
            Root::Itself | Root::ByKind | Root::Value => Some(VALUE),
        }
    }
}

pub(super) struct Output {
    pub schema: Map<String, Value>,
    pub root: Root,
    pub rows: Option<String>,
}

pub(super) fn of(tool: &Tool) -> Output {
    let declared = tool.output_schema.clone();
    let known = declared.or_else(|| tool.projection.outline());
    let (root, mut schema) = match known {
        None => unknown(tool.rules.kind),
        Some(schema) => rooted(schema),
    };
    loosen(&mut schema);
    let rows = rows(tool, root, &schema);
    if let Some(rows) = &rows
        && let Some(row) = schema
            .get_mut("properties")
            .and_then(|properties| properties.get_mut(rows))
            .and_then(|list| list.get_mut("items"))
            .and_then(Value::as_object_mut)
    {
        // A shared schema may require what a row leaves out.
        match row.contains_key("$ref") {
            true => *row = into_map(json!({ "type": "object" })),
            false => loosen(row),
        }
    }
    Output { schema, root, rows }
}

/// The root of an output whose shape no descriptor says.
fn unknown(kind: ResponseKind) -> (Root, Map<String, Value>) {
    let root = match kind {
        ResponseKind::Json | ResponseKind::Xml => Root::ByKind,
        ResponseKind::Ndjson | ResponseKind::Sse => Root::Items,
        ResponseKind::Text | ResponseKind::Bytes | ResponseKind::Empty => Root::ByKind,
    };
    let schema = match root {
        Root::Items => json!({ "type": "object", "properties": { LIST: { "type": "array" } } }),
        _ => json!({ "type": "object" }),
    };
    (root, into_map(schema))
}

fn rooted(schema: Value) -> (Root, Map<String, Value>) {
    let defs = schema.get("$defs").cloned();
    let around = |member: &str, inner: Value| {
        // Below a new root, other references would lead elsewhere.
        let inner = match refers_to_its_root(&inner) {
            true => json!({ "type": inner["type"] }),
            false => inner,
        };
        let mut schema = json!({ "type": "object", "properties": { member: inner } });
        if let Some(defs) = &defs {
            schema["$defs"] = defs.clone();
        }
        into_map(schema)
    };
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => (Root::Itself, into_map(schema)),
        Some("array") => (Root::Items, around(LIST, schema)),
        Some(_) => (Root::Value, around(VALUE, schema)),
        None => (Root::ByKind, into_map(json!({ "type": "object" }))),
    }
}

/// Whether a schema has references that do not lead to its `$defs`.
fn refers_to_its_root(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => members.iter().any(|(key, member)| {
            let leads_out = |to: &str| !to.starts_with("#/$defs/");
            matches!(key.as_str(), "$ref" | "$dynamicRef") && member.as_str().is_some_and(leads_out)
                || refers_to_its_root(member)
        }),
        Value::Array(items) => items.iter().any(refers_to_its_root),
        _ => false,
    }
}

/// Takes away what leaves something out would violate.
fn loosen(schema: &mut Map<String, Value>) {
    const STRICT: [&str; 16] = [
        "required",
        "minProperties",
        "maxProperties",
        "additionalProperties",
        "unevaluatedProperties",
        "propertyNames",
        "dependentRequired",
        "dependentSchemas",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "then",
        "else",
        "const",
    ];
    for keyword in STRICT {
        schema.shift_remove(keyword);
    }
    schema.shift_remove("enum");
}

/// The member with the rows: the one that the descriptor names, else the only list there is.
fn rows(tool: &Tool, root: Root, schema: &Map<String, Value>) -> Option<String> {
    if root == Root::Items {
        return Some(LIST.to_owned());
    }
    if let Some(key) = tool.projection.rows_key() {
        return Some(key.to_owned());
    }
    let properties = schema.get("properties")?.as_object()?;
    let mut lists = properties
        .iter()
        .filter(|(_, schema)| schema.get("type").is_some_and(|kind| kind == "array"));
    match (lists.next(), lists.next()) {
        (Some((key, _)), None) => Some(key.clone()),
        _ => None,
    }
}

fn into_map(schema: Value) -> Map<String, Value> {
    match schema {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
