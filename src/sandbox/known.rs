//! What a route's declaration may name: the arguments of its tool, the collections, and their fields.

use super::data::Data;
use crate::source::{Check, Code};
use crate::template::Names;
use crate::tool::Tool;
use crate::words::nearest;

/// What the parts of one route may name.
pub(crate) struct Known<'a> {
    /// The collections.
    pub data: &'a Data,
    /// The tool whose operation the route answers; `None` if the tool is broken and its arguments are not known.
    pub tool: Option<&'a Tool>,
    /// Where mistakes go.
    pub check: &'a Check,
}

impl Known<'_> {
    /// The names that every expression of a route may use.
    pub(crate) fn request(&self) -> Names {
        let names = Names::default()
            .with("headers")
            .with("now")
            .with_members("data", self.data.names());
        match self.tool {
            Some(tool) if !tool.params.are_unknown() => {
                names.with_members("args", tool.params.iter().map(|param| param.name))
            }
            _ => names.with("args"),
        }
    }

    /// The same names, and `row`, a row of a collection.
    pub(crate) fn with_row(&self, names: Names, name: &str, collection: &str) -> Names {
        match self.data.fields(collection) {
            Some(fields) => names.with_members(name, fields),
            None => names.with(name),
        }
    }

    /// Reports a collection that does not exist.
    pub(crate) fn collection(&self, name: &str, pointer: &str) {
        if !self.data.has(name) {
            self.check.error_inside(
                Code::UnknownName,
                pointer,
                0..name.len(),
                format!("there is no collection `{name}` under `data`"),
                nearest(name, self.data.names()),
            );
        }
    }

    /// Reports an argument that the tool does not have: it would always be absent.
    pub(crate) fn argument(&self, name: &str, pointer: &str) {
        let Some(tool) = self.tool else { return };
        if !tool.params.are_unknown() && tool.params.get(name).is_none() {
            self.check.error_inside(
                Code::UnknownName,
                pointer,
                0..name.len(),
                format!("the tool has no param `{name}`"),
                nearest(name, tool.params.iter().map(|param| param.name)),
            );
        }
    }

    /// Reports a field that the rows of a collection do not have. `pointer` is where the field is named.
    pub(crate) fn field(&self, name: &str, collection: &str, pointer: &str) {
        if let Some((message, help)) = self.unknown_field(name, collection) {
            let span = 0..name.len();
            self.check
                .error_inside(Code::UnknownName, pointer, span, message, help);
        }
    }

    /// Like [`Known::field`], for a field that is named by the key at `pointer`.
    pub(crate) fn field_key(&self, name: &str, collection: &str, pointer: &str) {
        if let Some((message, help)) = self.unknown_field(name, collection) {
            self.check
                .error_at_key(Code::UnknownName, pointer, message, help);
        }
    }

    fn unknown_field(&self, name: &str, collection: &str) -> Option<(String, Option<String>)> {
        let fields = self.data.fields(collection)?;
        let known = || fields.iter().map(String::as_str);
        (!known().any(|field| field == name)).then(|| {
            (
                format!("the rows of `{collection}` have no field `{name}`"),
                nearest(name, known()),
            )
        })
    }
}
