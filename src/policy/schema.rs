//! The JSON Schema of a policy file.

use std::sync::LazyLock;

use super::spec::PolicySpec;
use crate::format::{FileSchema, generate};

/// The schema of a policy file.
pub(crate) static POLICY: LazyLock<FileSchema> =
    LazyLock::new(|| FileSchema::new("policy.schema.json", "PolicySpec", generate::<PolicySpec>()));
