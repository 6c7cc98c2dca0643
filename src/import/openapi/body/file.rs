//! Files: which properties are files, and the params for their paths and media types.

use serde_json::{Map, Value, json};

use crate::import::openapi::spec::{Part, Spec};
use crate::import::openapi::text;

/// Whether a schema stands for bytes.
pub(super) fn is_binary(spec: &Spec, schema: &Part<'_>) -> bool {
    let Ok(schema) = spec.resolve(schema) else {
        return false;
    };
    let is_text = schema.text("type") == Some("string");
    let encoded = schema.text("contentEncoding").is_some();
    schema.text("type") == Some("file")
        || (is_text && schema.text("format") == Some("binary"))
        || (schema.text("contentMediaType").is_some() && !encoded)
}

/// The schema of a param that chooses among media types, and whether a call must give it. Without a pattern, the first
/// type is the default.
pub(super) fn type_choice(types: &[&str], words: &str) -> (Map<String, Value>, bool) {
    let mut schema = Map::from_iter([("type".to_owned(), json!("string"))]);
    let is_open = types.iter().any(|media_type| media_type.contains('*'));
    if is_open {
        let patterns = types
            .iter()
            .map(|media_type| regex::escape(media_type).replace("\\*", "[A-Za-z0-9!#$&^_.+-]+"));
        let pattern = format!("^({})$", patterns.collect::<Vec<_>>().join("|"));
        schema.insert("pattern".into(), pattern.into());
    } else {
        schema.insert("enum".into(), types.into());
        schema.insert(
            "default".into(),
            types.first().copied().unwrap_or_default().into(),
        );
    }
    schema.insert("description".into(), words.into());
    (schema, is_open)
}

/// The schema of a param for the path of a file, or for a list of paths; `None` for a part that is not a file.
pub(super) fn file_schema(spec: &Spec, property: &Part<'_>) -> Option<Map<String, Value>> {
    let target = spec.resolve(property).ok()?;
    let is_file = is_binary(spec, property);
    let is_list = || {
        target
            .get("items")
            .is_some_and(|items| is_binary(spec, &items))
    };
    let is_list = !is_file && is_list();
    if !is_file && !is_list {
        return None;
    }
    let paths = if is_list {
        "The paths of files."
    } else {
        "The path of a file."
    };
    let words = property.text("description").or(target.text("description"));
    let words = match words.map(|words| text::plain(words, text::PARAM)) {
        Some(words) if words.ends_with('.') => format!("{words} {paths}"),
        Some(words) if !words.is_empty() => format!("{words}. {paths}"),
        _ => paths.to_owned(),
    };
    let mut schema = Map::new();
    if is_list {
        schema.insert("type".to_owned(), "array".into());
        schema.insert("items".to_owned(), json!({ "type": "string" }));
    } else {
        schema.insert("type".to_owned(), "string".into());
    }
    schema.insert("description".to_owned(), words.into());
    Some(schema)
}
