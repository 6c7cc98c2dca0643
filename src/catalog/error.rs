//! Why a tool cannot be loaded.

use serde::Serialize;

use crate::source::Finding;
use crate::words::list;

/// A name leads to no tool that can be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// No tool has this name.
    #[error("there is no tool `{name}`")]
    UnknownTool {
        /// The name that was asked for.
        name: String,
        /// A sentence that suggests the name that was probably meant.
        suggestion: Option<String>,
    },
    /// Several services have a tool of this name.
    #[error("several services have a tool `{name}`")]
    AmbiguousTool {
        /// The name that was asked for.
        name: String,
        /// The qualified names.
        candidates: Vec<String>,
    },
    /// The service has no sandbox.
    #[error(
        "the service {service} has no sandbox: there is no sandbox.yaml beside its service.yaml"
    )]
    NoSandbox {
        /// The service.
        service: String,
    },
    /// The descriptor is not valid.
    #[error("{}", list("the descriptor is not valid", .0))]
    Descriptor(Vec<FindingText>),
}

impl From<Vec<Finding>> for LoadError {
    fn from(findings: Vec<Finding>) -> LoadError {
        LoadError::Descriptor(findings.iter().map(FindingText::from).collect())
    }
}

/// A finding as text and data, without the source that it points into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingText {
    /// The code.
    pub code: &'static str,
    /// The place, as `file:line:column`.
    pub place: String,
    /// The message.
    pub message: String,
    /// How to fix it.
    pub help: Option<String>,
}

impl From<&Finding> for FindingText {
    fn from(finding: &Finding) -> FindingText {
        FindingText {
            code: finding.code.name(),
            place: finding.position().to_string(),
            message: finding.message.clone(),
            help: finding.help.clone(),
        }
    }
}

impl std::fmt::Display for FindingText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} [{}]", self.place, self.message, self.code)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}
