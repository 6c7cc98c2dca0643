//! Writing down the changes of one thing: a tool, a service or another file, in both versions.

use std::sync::Arc;

use serde_json::Value;

use super::change::{Change, Classes, Side};
use crate::source::{Code, Source, join};

/// A thing in one version: its file, and where in it it stands.
#[derive(Clone)]
pub(super) struct Version {
    pub source: Arc<Source>,
    /// The pointer to it: empty for the whole file, `/service` for a service inside a tool's file.
    pub at: String,
}

impl Version {
    pub(super) fn new(source: &Arc<Source>, at: &str) -> Version {
        Version {
            source: Arc::clone(source),
            at: at.to_owned(),
        }
    }

    /// The value of the thing.
    pub(super) fn value(&self) -> &Value {
        self.source
            .value()
            .pointer(&self.at)
            .unwrap_or(&Value::Null)
    }

    /// The value at a pointer inside the thing.
    pub(super) fn get(&self, pointer: &str) -> Option<&Value> {
        self.value().pointer(pointer)
    }
}

/// The changes of a thing that both versions have.
pub(super) struct Record {
    pub old: Version,
    pub new: Version,
    service: String,
    tool: Option<String>,
    pub changes: Vec<Change>,
}

impl Record {
    pub(super) fn of_tool(old: Version, new: Version, service: &str, tool: &str) -> Record {
        Record {
            old,
            new,
            service: service.to_owned(),
            tool: Some(tool.to_owned()),
            changes: Vec::new(),
        }
    }

    pub(super) fn of_service(old: Version, new: Version, service: &str) -> Record {
        Record {
            old,
            new,
            service: service.to_owned(),
            tool: None,
            changes: Vec::new(),
        }
    }

    /// Notes a change that stands in the new version at a pointer inside the thing, or at the nearest one around it.
    pub(super) fn new_at(
        &mut self,
        code: Code,
        classes: Classes,
        pointer: &str,
        what: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.push(
            code,
            classes,
            Side::New,
            pointer,
            what.into(),
            message.into(),
        );
    }

    /// Notes a change of something that only the old version has.
    pub(super) fn old_at(
        &mut self,
        code: Code,
        classes: Classes,
        pointer: &str,
        what: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.push(
            code,
            classes,
            Side::Old,
            pointer,
            what.into(),
            message.into(),
        );
    }

    /// Notes a change at a pointer in the new version; in the old one, if the new one has nothing there.
    pub(super) fn at(
        &mut self,
        code: Code,
        classes: Classes,
        pointer: &str,
        what: impl Into<String>,
        message: impl Into<String>,
    ) {
        let side = match self.new.get(pointer) {
            None if self.old.get(pointer).is_some() => Side::Old,
            _ => Side::New,
        };
        self.push(code, classes, side, pointer, what.into(), message.into());
    }

    fn push(
        &mut self,
        code: Code,
        classes: Classes,
        side: Side,
        pointer: &str,
        what: String,
        message: String,
    ) {
        let version = match side {
            Side::Old => &self.old,
            Side::New => &self.new,
        };
        let at = format!("{}{pointer}", version.at);
        let span = place(&version.source, &at);
        self.changes.push(Change {
            code,
            classes,
            service: self.service.clone(),
            tool: self.tool.clone(),
            what,
            message,
            side,
            source: Arc::clone(&version.source),
            at,
            span,
            accepted: None,
            hint: None,
        });
    }

    /// The values at a pointer in both versions.
    pub(super) fn both(&self, pointer: &str) -> (Option<&Value>, Option<&Value>) {
        (self.old.get(pointer), self.new.get(pointer))
    }
}

/// The bytes of the key at a pointer, or of the nearest value around it. A file as a whole is shown by its first key.
pub(super) fn place(source: &Arc<Source>, pointer: &str) -> std::ops::Range<usize> {
    let mut pointer = pointer.to_owned();
    while !pointer.is_empty() && source.value().pointer(&pointer).is_none() {
        let end = pointer.rfind('/').unwrap_or(0);
        pointer.truncate(end);
    }
    let first = source.value().as_object().and_then(|all| all.keys().next());
    match (pointer.as_str(), first) {
        ("", Some(first)) => source.key_span(&join("", first)),
        (pointer, _) => source.key_span(pointer),
    }
}
