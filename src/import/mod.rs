//! Import: descriptors from documents that describe a service in another format.
//!
//! [`document`] reads a file, [`openapi`] makes descriptors of it, [`folder`] compares them with what is on disk and
//! writes them. Nothing here prints, and nothing is fetched.
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

pub(crate) mod document;
pub(crate) mod folder;
mod merge;
pub(crate) mod openapi;
pub(crate) mod report;
mod select;
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
    /// Something else is wrong with it.
    #[error("{0}")]
    Unusable(String),
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
