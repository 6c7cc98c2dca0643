//! The JSON Schemas of the descriptor format, generated from the typed form.

use std::sync::LazyLock;

use jsonschema::{Draft, PatternOptions, Validator};
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::{ServiceSpec, ToolSpec};
use crate::sandbox::SandboxSpec;

/// A kind of descriptor file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `service.yaml`.
    Service,
    /// A tool's file.
    Tool,
    /// `sandbox.yaml`.
    Sandbox,
}

/// The schema of JSON Schema itself.
const META_SCHEMA: &str = "https://json-schema.org/draft/2020-12/schema";

struct Compiled {
    schema: Value,
    validator: Validator,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 3] = [Kind::Service, Kind::Tool, Kind::Sandbox];

    /// The name of its file under `schemas/`.
    pub fn file_name(self) -> &'static str {
        match self {
            Kind::Service => "service.schema.json",
            Kind::Tool => "tool.schema.json",
            Kind::Sandbox => "sandbox.schema.json",
        }
    }

    /// The JSON Schema (2020-12) of the kind.
    pub fn schema(self) -> &'static Value {
        &self.compiled().schema
    }

    /// The text of its file under `schemas/`: the schema, with what helps an editor. There the params and the output
    /// schema are completed as JSON Schemas, and a new file starts from a snippet; the engine's own checks of both are
    /// more exact.
    pub fn file_text(self) -> String {
        let mut schema = self.schema().clone();
        for pointer in [
            "/properties/params",
            "/$defs/ResponseSpec/properties/schema",
        ] {
            if let (Kind::Tool, Some(Value::Object(place))) = (self, schema.pointer_mut(pointer)) {
                place.insert("$ref".to_owned(), json!(META_SCHEMA));
            }
        }
        schema["defaultSnippets"] = json!([self.snippet()]);
        format!("{schema:#}\n")
    }

    fn snippet(self) -> Value {
        match self {
            Kind::Tool => json!({
                "label": "tool",
                "description": "A tool that reads a list",
                "body": {
                    "spec": 1,
                    "tool": "${1:list-things}",
                    "service": "${2:service}",
                    "description": "${3:List the things.}",
                    "access": "read",
                    "params": { "properties": { "limit": { "type": "integer", "minimum": 1, "description": "Things on a page." } } },
                    "request": { "method": "GET", "path": "/${4:things}", "query": ["limit"] },
                    "response": { "output": { "things": { "each": "\\$.data[*]", "as": { "id": "\\$.id" } } }, "rows": "things" },
                },
            }),
            Kind::Service => json!({
                "label": "service",
                "description": "A service with a bearer token",
                "body": {
                    "spec": 1,
                    "service": "${1:name}",
                    "base_url": "https://${2:api.example.com}",
                    "auth": { "kind": "bearer", "secret": { "env": "${3:TOKEN}" } },
                },
            }),
            Kind::Sandbox => json!({
                "label": "sandbox",
                "description": "A sandbox without data",
                "body": {
                    "spec": 1,
                    "sandbox": "${1:service}",
                    "seed": 1,
                    "now": "${2:2026-01-01T00:00:00Z}",
                    "request_id": "{{ random.id('req_', 24) }}",
                    "errors": { "body": { "error": "{{ message }}" }, "codes": {} },
                    "routes": {},
                },
            }),
        }
    }

    pub(super) fn validator(self) -> &'static Validator {
        &self.compiled().validator
    }

    fn compiled(self) -> &'static Compiled {
        static SERVICE: LazyLock<Compiled> = LazyLock::new(|| Compiled::new(service_schema()));
        static TOOL: LazyLock<Compiled> = LazyLock::new(|| Compiled::new(tool_schema()));
        static SANDBOX: LazyLock<Compiled> = LazyLock::new(|| Compiled::new(sandbox_schema()));
        match self {
            Kind::Service => &SERVICE,
            Kind::Tool => &TOOL,
            Kind::Sandbox => &SANDBOX,
        }
    }
}

impl Compiled {
    #[allow(
        clippy::expect_used,
        reason = "the schema is generated from our own types, and a test builds it"
    )]
    fn new(schema: Value) -> Compiled {
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(PatternOptions::regex())
            .build(&schema)
            .expect("the generated schema is valid");
        Compiled { schema, validator }
    }
}

fn generate<T: schemars::JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    unwrap_descriptions(&mut schema);
    refuse_null(&mut schema);
    schema
}

/// A key without a value (`paging:`) is a mistake, not a way to leave the key out.
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

/// Descriptions come from doc comments, whose line breaks mean nothing.
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

fn service_schema() -> Value {
    let mut schema = generate::<ServiceSpec>();
    require(&mut schema, "spec");
    schema
}

fn tool_schema() -> Value {
    let mut schema = generate::<ToolSpec>();
    if let Some(inline) = schema.pointer_mut("/$defs/ServiceSpec/properties")
        && let Some(properties) = inline.as_object_mut()
    {
        // An inline service has the version of the file that it stands in.
        properties.shift_remove("spec");
    }
    schema
}

fn sandbox_schema() -> Value {
    generate::<SandboxSpec>()
}

fn require(schema: &mut Value, key: &str) {
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.insert(0, json!(key));
    }
}
