//! One operation of a document: its place and its names.

use serde_json::Value;

use super::spec::Part;
use crate::plan::Method;

/// An operation of the document.
#[derive(Debug, Clone)]
pub(crate) struct Operation<'s> {
    /// The method.
    pub method: Method,
    /// The path as the document has it.
    pub path: &'s str,
    /// The path item.
    pub item: Part<'s>,
    /// The operation object.
    pub part: Part<'s>,
}

impl<'s> Operation<'s> {
    /// Method and path, by which a later import finds the file again.
    pub(crate) fn key(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// `operationId`.
    pub(crate) fn id(&self) -> Option<&'s str> {
        self.part.text("operationId")
    }

    /// The tags.
    pub(crate) fn tags(&self) -> Vec<&'s str> {
        let tags = self.part.value.get("tags").and_then(Value::as_array);
        tags.into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }
}

/// The method that a key of a path item names; `None` for any other key.
pub(crate) fn method(key: &str) -> Option<Method> {
    Some(match key {
        "get" => Method::Get,
        "head" => Method::Head,
        "post" => Method::Post,
        "put" => Method::Put,
        "patch" => Method::Patch,
        "delete" => Method::Delete,
        "options" => Method::Options,
        _ => return None,
    })
}
