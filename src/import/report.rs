//! The report of an import: the tools, the skipped operations and why, and what was lost.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::inner::Places;

/// The report of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The document's title.
    pub title: String,
    /// The version of the document.
    pub version: String,
    /// The format of the document, such as `OpenAPI`.
    pub format: String,
    /// The version of OpenAPI, or of the other format, that it follows.
    pub openapi: String,
    /// The name of the service.
    pub service: String,
    /// Operations in the document.
    pub operations: usize,
    /// Operations that were not selected.
    pub unselected: usize,
    /// Operations that became tools, in the order of the document.
    pub tools: Vec<Imported>,
    /// Operations that did not become tools.
    pub skipped: Vec<Skipped>,
    /// What the document says and the descriptors do not.
    pub lost: Vec<Loss>,
    /// Selectors that match no operation.
    pub idle_selectors: Vec<String>,
}

impl Report {
    /// Makes every place one of the document itself. The first skipped operations, as many as `rewritten` says, name such
    /// places already; the losses there are added.
    pub(super) fn lead_back(
        &mut self,
        places: &Places,
        original: &Value,
        (skipped, lost): (usize, Vec<(What, String, String)>),
    ) {
        let own = |pointer: &mut String| *pointer = places.own(original, pointer);
        self.tools
            .iter_mut()
            .for_each(|tool| own(&mut tool.pointer));
        let skipped = self.skipped.iter_mut().skip(skipped);
        skipped.for_each(|skipped| own(&mut skipped.pointer));
        self.lost.iter_mut().for_each(|loss| own(&mut loss.pointer));
        let added = lost.into_iter().map(|(what, pointer, message)| Loss {
            what,
            pointer,
            message,
            tools: Vec::new(),
        });
        self.lost.extend(added);
    }
}

/// An operation that became a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// The tool's name.
    pub tool: String,
    /// The operation, such as `GET /pets/{id}`.
    pub operation: String,
    /// Where the operation stands in the document.
    pub pointer: String,
}

/// An operation that did not become a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The operation, such as `TRACE /pets`.
    pub operation: String,
    /// Where it stands in the document.
    pub pointer: String,
    /// Why.
    pub reason: String,
}

/// Something that the document says and the descriptors do not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// What kind of thing it is.
    pub what: What,
    /// Where it stands in the document.
    pub pointer: String,
    /// What the import did about it.
    pub message: String,
    /// The tools that it concerns; empty when it concerns all of them.
    pub tools: Vec<String>,
}

/// What kind of thing was lost or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A login or credential.
    Auth,
    /// A server, or a variable of its URL.
    Server,
    /// A reference that cannot be followed.
    Reference,
    /// A parameter that was left out or is written differently.
    Parameter,
    /// A param with another name than on the wire.
    Name,
    /// The request's body, or a media type of it.
    Body,
    /// A part of a schema.
    Schema,
    /// The paging of a list was not recognised.
    Paging,
    /// The response.
    Response,
    /// An example that does not fit.
    Example,
    /// Webhooks and callbacks; tools cannot receive them.
    Callback,
}

impl What {
    /// The kind in words, for a heading.
    pub fn words(self) -> &'static str {
        match self {
            What::Auth => "auth",
            What::Server => "server",
            What::Reference => "reference",
            What::Parameter => "parameter",
            What::Name => "name",
            What::Body => "body",
            What::Schema => "schema",
            What::Paging => "paging not recognised",
            What::Response => "response",
            What::Example => "example",
            What::Callback => "webhook or callback",
        }
    }
}

/// Collects what is lost while one operation, or the service, is imported.
#[derive(Debug, Default)]
pub(crate) struct Losses(RefCell<Vec<(What, String, String)>>);

impl Losses {
    /// Notes that the part of the document at `pointer` is lost or changed.
    pub(crate) fn note(&self, what: What, pointer: &str, message: impl Into<String>) {
        let entry = (what, pointer.to_owned(), message.into());
        self.0.borrow_mut().push(entry);
    }

    /// All notes.
    pub(crate) fn into_entries(self) -> Vec<(What, String, String)> {
        self.0.into_inner()
    }
}

/// Joins the losses of all operations: each place in the document is reported once, with the tools that it concerns.
#[derive(Debug, Default)]
pub(crate) struct Ledger(BTreeMap<(What, String, String), Vec<String>>);

impl Ledger {
    /// Adds the losses of a tool, or of the service as a whole.
    pub(crate) fn add(&mut self, tool: Option<&str>, losses: Losses) {
        for entry in losses.into_entries() {
            let tools = self.0.entry(entry).or_default();
            if let Some(tool) = tool
                && !tools.iter().any(|known| known == tool)
            {
                tools.push(tool.to_owned());
            }
        }
    }

    /// The losses by kind and place.
    pub(crate) fn into_losses(self) -> Vec<Loss> {
        self.0
            .into_iter()
            .map(|((what, pointer, message), tools)| Loss {
                what,
                pointer,
                message,
                tools,
            })
            .collect()
    }
}
