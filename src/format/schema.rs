//! The JSON Schema of a kind of descriptor file, generated from its typed form.

use std::sync::LazyLock;

use jsonschema::{Draft, PatternOptions, Validator};
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::editor::for_editors;
use super::{ServiceSpec, ToolSpec};

/// The schema of `service.yaml`.
pub(crate) static SERVICE: LazyLock<FileSchema> = LazyLock::new(|| {
    let mut schema = generate::<ServiceSpec>();
    require(&mut schema, "spec");
    FileSchema::new("service.schema.json", "ServiceSpec", schema)
});

/// The schema of a tool's file.
pub(crate) static TOOL: LazyLock<FileSchema> = LazyLock::new(|| {
    let mut schema = generate::<ToolSpec>();
    if let Some(inline) = schema.pointer_mut("/$defs/ServiceSpec/properties")
        && let Some(properties) = inline.as_object_mut()
    {
        // An inline service has the version of the file that it stands in.
        properties.shift_remove("spec");
    }
    FileSchema::new("tool.schema.json", "ToolSpec", schema)
});

/// The JSON Schema (2020-12) of a kind of descriptor file.
pub(crate) struct FileSchema {
    file_name: &'static str,
    /// The name of the typed form.
    root: &'static str,
    schema: Value,
    validator: Validator,
}

impl FileSchema {
    /// Compiles the schema of the typed form `root`.
    #[allow(
        clippy::expect_used,
        reason = "the schema is generated from our own types, and a test builds it"
    )]
    pub(crate) fn new(file_name: &'static str, root: &'static str, schema: Value) -> FileSchema {
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(PatternOptions::regex())
            .build(&schema)
            .expect("the generated schema is valid");
        FileSchema {
            file_name,
            root,
            schema,
            validator,
        }
    }

    /// The name of its file under `schemas/`.
    pub(crate) fn file_name(&self) -> &'static str {
        self.file_name
    }

    /// The schema.
    pub(crate) fn schema(&self) -> &Value {
        &self.schema
    }

    /// The name of the typed form.
    #[cfg(test)]
    pub(crate) fn root(&self) -> &'static str {
        self.root
    }

    pub(super) fn validator(&self) -> &Validator {
        &self.validator
    }

    /// The text of its file under `schemas/`: the schema for editors.
    pub(crate) fn file_text(&self) -> String {
        format!("{:#}\n", self.for_editors())
    }

    /// The schema for editors.
    pub(crate) fn for_editors(&self) -> Value {
        for_editors(&self.schema, self.root)
    }
}

/// The schema of a typed form. It means the same as the engine's own reading.
pub(crate) fn generate<T: schemars::JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    unwrap_descriptions(&mut schema);
    refuse_null(&mut schema);
    schema
}

/// A key without a value (`paging:`) is a mistake. It does not mean that the key is absent.
fn refuse_null(schema: &mut Value) {
    let is_null = |alternative: &Value| *alternative == json!({ "type": "null" });
    match schema {
        Value::Object(members) => {
            if let Some(Value::Array(types)) = members.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    members.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(alternatives)) = members.get_mut("anyOf")
                && alternatives.iter().any(is_null)
            {
                alternatives.retain(|alternative| !is_null(alternative));
                if let [Value::Object(only)] = alternatives.as_slice() {
                    let only = only.clone();
                    members.shift_remove("anyOf");
                    for (key, value) in only {
                        members.entry(key).or_insert(value);
                    }
                }
            }
            members.values_mut().for_each(refuse_null);
        }
        Value::Array(items) => items.iter_mut().for_each(refuse_null),
        _ => {}
    }
}

/// Descriptions come from doc comments. Their line breaks have no meaning.
fn unwrap_descriptions(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            for (key, member) in members.iter_mut() {
                match member {
                    Value::String(text) if key == "description" => *text = text.replace('\n', " "),
                    other => unwrap_descriptions(other),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(unwrap_descriptions),
        _ => {}
    }
}

fn require(schema: &mut Value, key: &str) {
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.insert(0, json!(key));
    }
}
