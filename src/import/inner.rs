//! The one form from which descriptors are made: an OpenAPI 3 document. Documents of other formats are rewritten in it,
//! and every place in the result leads back to the document's own.

use serde_json::{Map, Value};

use super::report::{Skipped, What};
use super::{ImportError, curl, discovery, postman, swagger};

/// A format of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// OpenAPI 3.
    OpenApi,
    /// Swagger 2.0, the older OpenAPI.
    Swagger,
    /// A description of a Google API, as its discovery service gives it.
    Discovery,
    /// A Postman collection.
    Postman,
    /// curl commands.
    Curl,
}

impl Format {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Format::OpenApi => "OpenAPI",
            Format::Swagger => "Swagger",
            Format::Discovery => "Google discovery",
            Format::Postman => "Postman collection",
            Format::Curl => "curl",
        }
    }
}

/// A document, rewritten.
#[derive(Debug)]
pub(crate) struct Inner {
    /// The OpenAPI 3 document.
    pub document: Value,
    /// The format of the document that was read.
    pub format: Format,
    /// The version of that format.
    pub version: String,
    /// Where the parts come from.
    pub places: Places,
    /// Operations that cannot be rewritten.
    pub skipped: Vec<Skipped>,
    /// What is lost in the rewriting: the kind, the place in the document, and what was done about it.
    pub lost: Vec<(What, String, String)>,
}

impl Inner {
    /// Rewrites a document of any format. A text is taken for curl commands.
    ///
    /// # Errors
    /// When it is of none, or not of a version that is supported.
    pub(crate) fn read(document: Value) -> Result<Inner, ImportError> {
        if let Value::String(text) = &document {
            return Ok(curl::rewrite(text)?);
        }
        if document.get("swagger").is_some() {
            return Ok(swagger::rewrite(&document)?);
        }
        if discovery::is_one(&document) {
            return Ok(discovery::rewrite(&document)?);
        }
        if let Some(collection) = postman::collection(&document) {
            return Ok(postman::rewrite(collection)?);
        }
        let version = document.get("openapi").map(version_text);
        Ok(Inner {
            document,
            format: Format::OpenApi,
            version: version.unwrap_or_default(),
            places: Places::default(),
            skipped: Vec::new(),
            lost: Vec::new(),
        })
    }

    /// An empty document with this title.
    pub(super) fn new(format: Format, version: &str) -> Inner {
        Inner {
            document: Value::Object(Map::new()),
            format,
            version: version.to_owned(),
            places: Places::default(),
            skipped: Vec::new(),
            lost: Vec::new(),
        }
    }
}

/// A version as text, also if YAML read it as a number.
pub(super) fn version_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Where the parts of a rewritten document come from: pairs of JSON Pointers, the new one and the document's own.
#[derive(Debug, Default)]
pub(crate) struct Places(Vec<(String, String)>);

impl Places {
    /// Says that the part at `new`, with all that is in it, comes from `own`.
    pub(super) fn add(&mut self, new: impl Into<String>, own: impl Into<String>) {
        self.0.push((new.into(), own.into()));
    }

    /// The document's own place for a place in the rewritten one. A part that the document does not have leads to the
    /// nearest one around it.
    pub(crate) fn own(&self, document: &Value, new: &str) -> String {
        let inside = |prefix: &str| {
            new.strip_prefix(prefix)
                .filter(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let longest = self
            .0
            .iter()
            .filter_map(|(from, own)| Some((from.len(), own, inside(from)?)))
            .max_by_key(|(length, ..)| *length);
        let mut place = match longest {
            Some((_, own, rest)) => format!("{own}{rest}"),
            None => new.to_owned(),
        };
        while document.pointer(&place).is_none() {
            let end = place.rfind('/').unwrap_or(0);
            place.truncate(end);
        }
        place
    }
}
