//! The JSON Schema of `sandbox.yaml`.

use std::sync::LazyLock;

use super::SandboxSpec;
use crate::format::{FileSchema, generate};

/// The schema of `sandbox.yaml`.
pub(crate) static SANDBOX: LazyLock<FileSchema> = LazyLock::new(|| {
    FileSchema::new(
        "sandbox.schema.json",
        "SandboxSpec",
        generate::<SandboxSpec>(),
    )
});
