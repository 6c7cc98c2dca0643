//! The kinds of descriptor files.

use serde_json::Value;

use crate::callers;
use crate::format::{self, FileSchema};
use crate::policy;
#[cfg(feature = "sandbox")]
use crate::sandbox;

/// A kind of descriptor file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `service.yaml`.
    Service,
    /// A tool's file.
    Tool,
    /// `sandbox.yaml`.
    #[cfg(feature = "sandbox")]
    Sandbox,
    /// A policy's file.
    Policy,
    /// A file of callers.
    Callers,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; if cfg!(feature = "sandbox") { 5 } else { 4 }] = [
        Kind::Service,
        Kind::Tool,
        #[cfg(feature = "sandbox")]
        Kind::Sandbox,
        Kind::Policy,
        Kind::Callers,
    ];

    fn file_schema(self) -> &'static FileSchema {
        match self {
            Kind::Service => &format::SERVICE,
            Kind::Tool => &format::TOOL,
            #[cfg(feature = "sandbox")]
            Kind::Sandbox => &sandbox::SANDBOX,
            Kind::Policy => &policy::POLICY,
            Kind::Callers => &callers::CALLERS,
        }
    }

    /// The name of its file under `schemas/`.
    pub fn file_name(self) -> &'static str {
        self.file_schema().file_name()
    }

    /// The JSON Schema (2020-12) of the kind.
    pub fn schema(self) -> &'static Value {
        self.file_schema().schema()
    }

    /// The schema with what helps an editor, as it is under `schemas/`.
    #[cfg(feature = "cli")]
    pub(crate) fn schema_for_editors(self) -> Value {
        self.file_schema().for_editors()
    }

    /// The text of its file under `schemas/`: the schema, with what helps an editor.
    pub fn file_text(self) -> String {
        self.file_schema().file_text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_for_editors_has_a_place() {
        let schemas = Kind::ALL.map(|kind| {
            let text = kind.file_text();
            (
                kind.file_schema().root(),
                serde_json::from_str(&text).unwrap_or_default(),
            )
        });
        assert_eq!(format::unused_in(&schemas), Vec::<String>::new());
    }
}
