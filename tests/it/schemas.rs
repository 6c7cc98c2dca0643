//! `schemas/` holds the schemas that the types of the descriptor format generate.

use pretty_assertions::assert_eq;
use serde_json::Value;
use toolrun::internals::check::Kind;

#[test]
fn schemas_are_fresh() {
    for kind in Kind::ALL {
        let path = format!(
            "{}/schemas/{}",
            env!("CARGO_MANIFEST_DIR"),
            kind.file_name()
        );
        let present = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            present,
            kind.file_text(),
            "run `toolrun schemas` to renew {path}"
        );
    }
}

/// An editor can only explain a key that has a description in the schema.
#[test]
fn every_key_is_described() {
    for kind in Kind::ALL {
        let mut bare = Vec::new();
        collect_bare(kind.schema(), kind.schema(), "", &mut bare);
        assert_eq!(bare, Vec::<String>::new(), "{}", kind.file_name());
    }
}

fn collect_bare(root: &Value, schema: &Value, path: &str, bare: &mut Vec<String>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        for (key, property) in properties {
            let at = format!("{path}/{key}");
            if !is_described(root, property) {
                bare.push(at);
            }
        }
    }
    match schema {
        Value::Object(members) => {
            for (key, member) in members {
                collect_bare(root, member, &format!("{path}/{key}"), bare);
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                collect_bare(root, item, &format!("{path}/{i}"), bare);
            }
        }
        _ => {}
    }
}

/// A description of its own, or the discriminator of a described alternative.
fn is_described(root: &Value, property: &Value) -> bool {
    let referred = property
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| root.pointer(reference.trim_start_matches('#')));
    property.get("description").is_some()
        || property.get("const").is_some()
        || referred.is_some_and(|schema| schema.get("description").is_some())
}
