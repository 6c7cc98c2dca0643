//! The JSON Schema of `sandbox.yaml`.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::SandboxSpec;
use crate::format::{FileSchema, generate};

/// The schema of `sandbox.yaml`.
pub(crate) static SANDBOX: LazyLock<FileSchema> =
    LazyLock::new(|| FileSchema::new("sandbox.schema.json", generate::<SandboxSpec>(), snippet()));

fn snippet() -> Value {
    json!({
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
    })
}
