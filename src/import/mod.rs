//! Import: descriptors from documents that describe a service in another format.
//!
//! [`document`] reads a file, [`inner`] rewrites it as OpenAPI 3 if it is of another format, [`openapi`] makes descriptors
//! of that, [`folder`] compares them with what is on disk and writes them. Nothing here prints, and nothing is fetched.
//!
//! ```
//! use toolrun::openapi;
//!
//! let document = openapi::parse(
//!     "openapi: 3.1.0
//! info: { title: Pets, version: '1' }
//! servers: [{ url: https://pets.example.com }]
//! paths: { /pets: { get: { operationId: listPets, summary: List pets, responses: {} } } }",
//! )?;
//! let import = openapi::import(document, &openapi::Options::default())?;
//! assert_eq!(import.files[1].name, "list-pets.yaml");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod curl;
mod discovery;
pub(crate) mod document;
pub(crate) mod folder;
pub(crate) mod inner;
mod merge;
pub(crate) mod openapi;
mod postman;
mod recorded;
pub(crate) mod report;
mod select;
pub(crate) mod start;
mod swagger;
mod yaml;

pub(crate) use report::Report;
pub use select::{Selection, Selector};

use std::collections::HashSet;

use crate::words::Name;

/// A document cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The document names no server, and the caller gave no base URL.
    #[error("the document names no server")]
    NoServer,
    /// No operation became a tool. The report says why.
    #[error("no operation became a tool{}", reasons(.0))]
    Empty(Box<Report>),
    /// Something else is wrong with it.
    #[error("{0}")]
    Unusable(String),
}

/// Why there is no tool: the document has no operation, or the first reasons for which operations were skipped.
fn reasons(report: &Report) -> String {
    const MOST: usize = 3;
    let mut reasons: Vec<&str> = Vec::new();
    for skipped in &report.skipped {
        if !reasons.contains(&skipped.reason.as_str()) {
            reasons.push(&skipped.reason);
        }
    }
    let more = match reasons.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!("; and {more} more reasons"),
    };
    match (report.operations, reasons.as_slice()) {
        (0, _) => ": the document has no operations".to_owned(),
        (_, []) => String::new(),
        (_, reasons) => format!(": {}{more}", reasons[..reasons.len().min(MOST)].join("; ")),
    }
}

impl From<String> for ImportError {
    fn from(problem: String) -> ImportError {
        ImportError::Unusable(problem)
    }
}

/// The files made from a document, and a report.
#[derive(Debug)]
pub struct Import {
    /// The name of the service and of its folder.
    pub service: Name,
    /// The files: `service.yaml` first, then the tools.
    pub files: Vec<File>,
    /// All operations of the document, such as `GET /pets`, including those that were not selected.
    pub operations: HashSet<String>,
    /// What was imported, what was skipped, and what was lost.
    pub report: Report,
}

/// An imported file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The file's name.
    pub name: String,
    /// The operation that it describes, such as `GET /pets`; `None` for the service.
    pub key: Option<String>,
    /// The text.
    pub text: String,
}

const MARK: &str = "# imported from ";
const OPERATION: &str = ", operation ";

/// The first line of an imported file.
fn header(from: &str, operation: Option<&str>) -> String {
    match operation {
        Some(operation) => format!("{MARK}{from}{OPERATION}{operation}\n"),
        None => format!("{MARK}{from}\n"),
    }
}

/// The operation that an imported file says it comes from.
fn key_of(text: &str) -> Option<&str> {
    let line = text.lines().next()?.strip_prefix(MARK)?;
    let (_, operation) = line.rsplit_once(OPERATION)?;
    Some(operation)
}
